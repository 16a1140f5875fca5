"""Minimal causes against trying everything: they force the failure, need every condition, and cover all that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, combinations_with_replacement, product

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ramps import C, S, word

from crossfade.engine.causes import Cause, Explanation, Literal, learned_cause, minimal_causes
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side

Case = tuple[list[Word], set[int], set[int]]


def every_word(steps: int, points: int) -> list[Word]:
    return [
        tuple(Placed(point, side) for point, side in zip(at, sides, strict=True))
        for at in combinations_with_replacement(range(points), steps)
        for sides in product((S, C), repeat=steps)
    ]


def holds(cause: Cause, one: Word) -> bool:
    """A condition at a time, written out: the side, then the points."""
    for literal in cause:
        placed = one[literal.step]
        if literal.side is not None and placed.side != literal.side:
            return False
        if literal.low is not None and placed.point < literal.low:
            return False
        if literal.high is not None and placed.point > literal.high:
            return False
    return True


@st.composite
def literals(draw: st.DrawFn, steps: int, points: int) -> Literal:
    low, high = sorted((draw(st.integers(0, points - 1)), draw(st.integers(0, points - 1))))
    side = draw(st.sampled_from([S, C, None]))
    return Literal(
        draw(st.integers(0, steps - 1)), side, draw(st.sampled_from([None, low])), draw(st.sampled_from([None, high]))
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Words of up to six steps over up to three points; failing by chance or by planted causes; some neutral."""
    steps, points = draw(st.sampled_from([(1, 3), (2, 3), (3, 2), (3, 3), (4, 2), (5, 1), (6, 1)]))
    words = every_word(steps, points)
    if draw(st.booleans()):
        causes = draw(st.lists(st.lists(literals(steps, points), min_size=1, max_size=3).map(tuple), max_size=3))
        failing = {i for i, one in enumerate(words) if any(holds(cause, one) for cause in causes)}
    else:
        failing = set(draw(st.lists(st.integers(0, len(words) - 1), max_size=12)))
    neutral = set(draw(st.lists(st.integers(0, len(words) - 1), max_size=6))) - failing
    return words, failing, neutral


def explained(case: Case, largest: int = 4) -> tuple[Explanation, ...]:
    words, failing, neutral = case
    return minimal_causes(words, failing, neutral, largest)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases())
def test_every_cause_forces_the_failure(case: Case) -> None:
    words, failing, neutral = case
    for found in explained(case):
        forced = {i for i, one in enumerate(words) if holds(found.cause, one)}
        assert set() == forced - failing - neutral
        assert forced & failing == set(found.covers)
        assert found.covers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases())
def test_the_causes_together_cover_every_failing_word_and_none_is_idle(case: Case) -> None:
    _, failing, _ = case
    found = explained(case)
    assert failing == {index for one in found for index in one.covers}
    for one in found:
        others = {index for other in found if other is not one for index in other.covers}
        assert failing != others or not failing


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases(), st.integers(1, 6))
def test_no_condition_of_a_cause_can_be_left_out(case: Case, largest: int) -> None:
    words, failing, neutral = case
    passing = [one for i, one in enumerate(words) if i not in failing and i not in neutral]
    for found in explained(case, largest):
        assert len({literal.step for literal in found.cause}) == len(found.cause)
        for left_out in found.cause:
            fewer = tuple(literal for literal in found.cause if literal is not left_out)
            assert any(holds(fewer, one) for one in passing)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases())
def test_no_condition_of_a_cause_can_be_weakened(case: Case) -> None:
    words, failing, neutral = case
    passing = [one for i, one in enumerate(words) if i not in failing and i not in neutral]
    for found in explained(case):
        for literal in found.cause:
            for name in ("side", "low", "high"):
                weaker = msgspec.structs.replace(literal, **{name: None})
                if weaker != literal:
                    cause = tuple(weaker if one is literal else one for one in found.cause)
                    assert any(holds(cause, one) for one in passing)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(cases())
def test_a_cause_has_as_few_steps_as_some_word_it_covers_needs(case: Case) -> None:
    words, failing, neutral = case
    passing = [one for i, one in enumerate(words) if i not in failing and i not in neutral]

    def needed(one: Word) -> int:
        """The least number of steps of a word that force the failure when they stay as they are."""
        for size in range(len(one)):
            for steps in combinations(range(len(one)), size):
                if not any(all(other[i] == one[i] for i in steps) for other in passing):
                    return size
        return len(one)

    for found in explained(case, largest=6):
        assert len(found.cause) in {needed(words[index]) for index in found.covers}


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), st.data())
def test_a_planted_pattern_of_sides_is_found_exactly(steps: int, data: st.DataObject) -> None:
    planted = data.draw(st.dictionaries(st.integers(0, steps - 1), st.sampled_from([S, C]), min_size=1, max_size=4))
    words = every_word(steps, 1)
    failing = [i for i, one in enumerate(words) if all(one[step].side is side for step, side in planted.items())]
    [found] = minimal_causes(words, failing)
    assert tuple(Literal(step, planted[step]) for step in sorted(planted)) == found.cause
    assert sorted(failing) == sorted(found.covers)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 4), st.integers(2, 3), st.data())
def test_a_planted_side_before_or_after_a_migration_is_found_exactly(
    steps: int, points: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, steps - 1))
    side = data.draw(st.sampled_from([S, C]))
    bound = data.draw(st.integers(1, points - 1))
    planted = data.draw(st.sampled_from([Literal(step, side, bound), Literal(step, side, None, bound - 1)]))
    words = every_word(steps, points)
    [found] = minimal_causes(words, [i for i, one in enumerate(words) if holds((planted,), one)])
    assert (planted,) == found.cause


def test_two_planted_patterns_are_two_causes() -> None:
    words = every_word(4, 1)
    planted = [(Literal(0, C), Literal(1, S)), (Literal(2, S), Literal(3, C))]
    found = minimal_causes(words, [i for i, one in enumerate(words) if any(holds(cause, one) for cause in planted)])
    assert set(planted) == {one.cause for one in found}


def test_a_failure_of_every_word_needs_no_condition() -> None:
    words = every_word(3, 2)
    [found] = minimal_causes(words, range(len(words)))
    assert () == found.cause
    assert set(range(len(words))) == set(found.covers)


def test_nothing_fails_and_nothing_is_explained() -> None:
    assert () == minimal_causes(every_word(2, 1), [])


def test_the_first_word_shown_changes_sides_and_points_least() -> None:
    words = [word("C0 S1 C1"), word("C0 S0 C0"), word("C0 S0 S0"), word("S0 S0 S0"), word("C0 C0 C0")]
    [found] = minimal_causes(words, [0, 1, 2])
    assert word("C0 S0 S0") == words[found.covers[0]]


def test_a_blocked_word_neither_fails_nor_passes() -> None:
    words = [word("SS"), word("SC"), word("CS"), word("CC")]
    [with_neutral] = minimal_causes(words, [2], [3])
    assert (Literal(0, C),) == with_neutral.cause
    assert (2,) == with_neutral.covers
    [without] = minimal_causes(words, [2])
    assert (Literal(0, C), Literal(1, S)) == without.cause


def test_a_cause_of_more_conditions_than_are_tried_is_still_minimal() -> None:
    words = every_word(7, 1)
    failing = [i for i, one in enumerate(words) if [p.side for p in one[:6]] == [C, S, C, S, C, S]]
    [found] = minimal_causes(words, failing, largest=2)
    assert tuple(Literal(i, C if i % 2 == 0 else S) for i in range(6)) == found.cause


def asked(
    failing: Sequence[Side], passing: Sequence[Side], fails: Callable[[tuple[Side, ...]], bool]
) -> tuple[tuple[int, ...], int]:
    """(the steps learned, how many words were asked for)."""
    search = learned_cause(failing, passing)
    questions = 0
    try:
        wanted = next(search)
        while True:
            questions += 1
            wanted = search.send(fails(wanted))
    except StopIteration as end:
        return tuple(end.value), questions


SIDES = st.lists(st.sampled_from([S, C]), min_size=1, max_size=16)


@settings(max_examples=100, deadline=None)
@given(SIDES, st.data())
def test_a_planted_conjunction_is_learned_with_few_questions(failing: list[Side], data: st.DataObject) -> None:
    steps = len(failing)
    planted = data.draw(st.sets(st.integers(0, steps - 1), min_size=1, max_size=4))
    passing = data.draw(st.lists(st.sampled_from([S, C]), min_size=steps, max_size=steps))
    differing = {i for i in planted if passing[i] is not failing[i]}
    assume(differing)
    found, questions = asked(failing, passing, lambda sides: all(sides[i] is failing[i] for i in planted))
    assert tuple(sorted(differing)) == found
    assert questions <= len(differing) * (steps.bit_length() + 3)


def mixed(failing: Sequence[Side], passing: Sequence[Side], steps: set[int]) -> tuple[Side, ...]:
    return tuple(failing[i] if i in steps else passing[i] for i in range(len(failing)))


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 6), st.data())
def test_what_is_learned_forces_the_failure_and_needs_every_step_whatever_fails(
    steps: int, data: st.DataObject
) -> None:
    words = list(product((S, C), repeat=steps))
    bad = data.draw(st.sets(st.sampled_from(words), min_size=1, max_size=len(words) - 1))
    failing = data.draw(st.sampled_from(sorted(bad)))
    passing = data.draw(st.sampled_from([one for one in words if one not in bad]))
    found, _ = asked(failing, passing, lambda sides: sides in bad)
    assert mixed(failing, passing, set(found)) in bad
    for one in found:
        assert mixed(failing, passing, set(found) - {one}) not in bad


def test_a_step_that_another_made_needless_is_left_out() -> None:
    def sides(text: str) -> tuple[Side, ...]:
        return tuple(placed.side for placed in word(text))

    bad = {sides(text) for text in ["SCSCC", "CCCSC", "CSCCC", "CCSSS", "SSCSS", "CSCCS", "SCSSS", "CSCSS"]}
    assert (1,) == asked(sides("SSCSS"), sides("CCCCC"), lambda one: one in bad)[0]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(2, 8), st.lists(st.sets(st.integers(0, 7), min_size=1, max_size=4), min_size=1, max_size=4), st.data()
)
def test_of_several_conjunctions_one_is_learned_without_a_step_too_many(
    steps: int, drawn: list[set[int]], data: st.DataObject
) -> None:
    planted = [{i % steps for i in one} for one in drawn]
    failing, passing = (C,) * steps, (S,) * steps
    found, _ = asked(failing, passing, lambda sides: any(all(sides[i] is C for i in one) for one in planted))
    assert set(found) in planted
    assert not any(other < set(found) for other in planted)
