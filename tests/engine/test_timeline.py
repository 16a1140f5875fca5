"""Which routings can happen: the automaton against people who walk the ramp one by one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import combinations_with_replacement, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ramps import NO_STICKINESS, C, S, automaton_of, contract, plain, stage, step, word

from crossfade.engine.timeline import (
    Automaton,
    Epoch,
    Point,
    Walk,
    first_canary_stage,
    plan,
    rollback_stages,
    stable_lives_until,
    timeline,
)
from crossfade.model.contract import Contract
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side, Stickiness

HEADER = Stickiness("header", "X-User-Id")
COOKIE = Stickiness("cookie", "sid")
SERVICES = ("orders", "billing")
Path = tuple[tuple[int, bool], ...]


@st.composite
def ramps(draw: st.DrawFn) -> Contract:
    """Two services with weights of their own that rise, jump or stay; migrations anywhere; rollback up to anywhere."""
    count = draw(st.integers(1, 5))
    weights = {
        name: sorted(draw(st.lists(st.sampled_from([0.0, 0.0, 0.3, 0.7, 1.0]), min_size=count, max_size=count)))
        for name in SERVICES
    }
    stages = [
        stage(f"s{index}", {name: weights[name][index] for name in SERVICES}, draw(st.booleans()))
        for index in range(count)
    ]
    until = draw(st.none() | st.sampled_from([one.name for one in stages]))
    stickiness = draw(st.sampled_from([NO_STICKINESS, HEADER, COOKIE]))
    users = st.sampled_from([{}, {"x-user-id": "ann"}, {"X-User-Id": "ben"}])
    steps = [
        step(f"call{index}", service=draw(st.sampled_from([*SERVICES, "shop"])), headers=draw(users))
        for index in range(draw(st.integers(1, 4)))
    ]
    return contract(stages, steps, rollback_until=until, stickiness=stickiness, services=SERVICES, off_ramp=["shop"])


def walked(made: Contract) -> dict[Word, set[Path]]:
    """Every word with every way it can happen, by letting each possible user walk each possible way."""
    steps = made.scenarios[0].steps
    last = len(made.stages)
    point_of = [sum(one.migration is not None for one in made.stages[1 : index + 1]) for index in range(last)]
    until = -1 if made.rollback_until is None else made.stage_index(made.rollback_until)

    def live(service: str, at: int) -> set[Side]:
        weight = made.stages[at].weights.get(service, 0.0)
        return {S} if weight == 0 else {C} if weight == 1 else {S, C}

    def coin(number: int) -> str | None:
        called = steps[number]
        if made.stickiness.kind == "none" or called.service == "shop":
            return None
        user = {name.lower(): value for name, value in called.headers.items()}.get("x-user-id")
        if made.stickiness.kind == "header" and user is None:
            return None
        return f"{called.service} {user if made.stickiness.kind == 'header' else ''}"

    coins = [coin(number) for number in range(len(steps))]
    different = sorted({one for one in coins if one is not None})
    found: dict[Word, set[Path]] = {}
    for stages, calls_before_back in _itineraries(last, len(steps), until, made):
        furthest = max(stages)
        for moves in product(range(furthest + 2), repeat=len(different)):
            user = dict(zip(different, moves, strict=True))  # the stage from which this coin says canary
            if any(
                (C if at >= user[one] else S) not in live(one.split()[0], at)
                for one in different
                for at in range(furthest + 1)
            ):
                continue
            options: list[set[Side]] = []
            for number, at in enumerate(stages):
                own = coins[number]
                if number >= calls_before_back:
                    options.append({S})
                elif own is not None:
                    options.append({C if at >= user[own] else S})
                else:
                    options.append(live(steps[number].service, at))
            path = tuple((at, number >= calls_before_back) for number, at in enumerate(stages))
            for sides in product(*options):
                reached = tuple(Placed(point_of[at], side) for at, side in zip(stages, sides, strict=True))
                found.setdefault(reached, set()).add(path)
    return found


def _itineraries(stages: int, steps: int, until: int, made: Contract) -> Iterator[tuple[tuple[int, ...], int]]:
    """(the stage of each call, how many calls come before the way back)."""
    for forward in combinations_with_replacement(range(stages), steps):
        yield forward, steps
    for back_from in range(until + 1):
        if not any(made.stages[back_from].weights[name] > 0 for name in SERVICES):
            continue
        for before in range(steps):
            for forward in combinations_with_replacement(range(back_from + 1), before):
                yield forward + (back_from,) * (steps - before), before


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ramps())
def test_the_words_of_the_automaton_are_those_that_somebody_can_walk(made: Contract) -> None:
    _, automaton = automaton_of(made)
    words = list(automaton.words())
    assert set(walked(made)) == set(words)
    assert len(set(words)) == len(words)
    assert len(words) == automaton.count()
    assert words[:3] == list(automaton.words(limit=3))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ramps())
def test_the_stages_of_a_word_are_its_earliest_way_and_without_rollback_where_possible(made: Contract) -> None:
    _, automaton = automaton_of(made)
    for one, paths in walked(made).items():
        earliest = min(paths, key=lambda path: (sum(back for _, back in path), [(back, at) for at, back in path]))
        assert earliest == automaton.stages(one)
        assert any(back for _, back in earliest) == automaton.needs_rollback(one)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ramps(), st.data())
def test_only_words_that_somebody_can_walk_are_possible(made: Contract, data: st.DataObject) -> None:
    line, automaton = automaton_of(made)
    places = st.builds(Placed, st.integers(0, len(line.points) - 1), st.sampled_from([S, C]))
    one = tuple(data.draw(st.lists(places, min_size=automaton.steps, max_size=automaton.steps)))
    possible = one in walked(made)
    assert possible == automaton.possible(one)
    if not possible:
        with pytest.raises(ValueError):
            automaton.stages(one)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ramps())
def test_a_half_done_word_says_where_its_next_call_can_fall(made: Contract) -> None:
    line, automaton = automaton_of(made)
    words = set(automaton.words())
    for one in list(words)[:40]:
        for length in range(automaton.steps):
            start = one[:length]
            places = reduce(lambda p, i: automaton.after(p, i, start[i]), range(length), automaton.start)
            following = {other[length] for other in words if other[:length] == start}
            here = start[-1].point if start else 0
            for point in range(here, len(line.points)):
                sides = tuple(side for side in (S, C) if Placed(point, side) in following)
                assert sides == automaton.sides(places, length, point)
                assert automaton.can_reach(places, point) or not sides


@settings(max_examples=60, deadline=None)
@given(ramps())
def test_epochs_cover_every_stage_once_and_differ_from_their_neighbours(made: Contract) -> None:
    line = timeline(made)
    assert list(range(len(made.stages))) == [at for epoch in line.epochs for at in epoch.stages]
    for epoch in line.epochs:
        assert {epoch.point} == {line.point_of[at] for at in epoch.stages}
        assert all(epoch is line.epoch_of(at) for at in epoch.stages)
    for one, other in zip(line.epochs, line.epochs[1:], strict=False):
        assert (one.point, one.live) != (other.point, other.live)
    assert sorted(at for point in range(len(line.points)) for at in line.stages_at(point)) == list(
        range(len(made.stages))
    )


def test_every_migration_after_the_first_stage_opens_a_point() -> None:
    made = contract([stage("a", 0, True), stage("b", 0, True), stage("c", 0.5), stage("d", 1, True)], [step("read")])
    line = timeline(made)
    assert (Point(0, 0, "schema"), Point(1, 1, "migration"), Point(2, 3, "migration")) == line.points
    assert (0, 1, 1, 2) == line.point_of
    assert (
        Epoch(1, (0,), 0, {"orders": (S,)}),
        Epoch(2, (1,), 1, {"orders": (S,)}),
        Epoch(3, (2,), 1, {"orders": (S, C)}),
        Epoch(4, (3,), 2, {"orders": (C,)}),
    ) == line.epochs


def test_a_canary_that_changes_the_database_when_it_starts_opens_a_point_as_well() -> None:
    made = contract([stage("a", 0), stage("b", 0.5, True), stage("c", 1)], [step("read")])
    line = timeline(made, frozenset({1}))
    assert ["schema", "migration", "start"] == [point.opened_by for point in line.points]
    assert (0, 2, 2) == line.point_of
    assert {word("S0"), word("S2"), word("C2")} == set(Automaton(made, line, made.scenarios[0]).words())


def test_stages_that_differ_only_in_weight_are_one_epoch() -> None:
    line = timeline(plain(1, 0, 0.01, 0.3, 0.7, 1))
    assert [(0,), (1, 2, 3), (4,)] == [epoch.stages for epoch in line.epochs]


def test_there_is_one_walk_back_from_every_stage_with_a_canary_that_the_contract_allows() -> None:
    stages = [stage("a", 0), stage("b", 0.5), stage("c", 1), stage("d", 1, True)]
    made = contract(stages, [step("read")], rollback_until="c")
    assert (Walk(1, None), Walk(2, 1), Walk(3, 2)) == timeline(made).walks
    assert (1, 2) == rollback_stages(made)
    assert 1 == first_canary_stage(made)


def test_the_stable_is_needed_until_nobody_can_return_to_it() -> None:
    stages = [stage("a", 0), stage("b", 0.5), stage("c", 1), stage("d", 1)]
    assert 1 == stable_lives_until(contract(stages, [step("read")]))
    assert 2 == stable_lives_until(contract(stages, [step("read")], rollback_until="c"))


def test_a_jump_from_nothing_to_everything_mixes_only_along_the_way() -> None:
    _, automaton = automaton_of(plain(2, 0, 1))
    assert [word("SS"), word("SC"), word("CC")] == list(automaton.words())
    _, with_rollback = automaton_of(
        contract([stage("a", 0), stage("b", 1)], [step("x"), step("y")], rollback_until="b")
    )
    assert [word("SS"), word("SC"), word("CS"), word("CC")] == list(with_rollback.words())
    assert not with_rollback.needs_rollback(word("SS"))
    assert with_rollback.needs_rollback(word("CS"))
    assert ((1, False), (1, True)) == with_rollback.stages(word("CS"))


def test_a_sticky_user_never_returns_to_the_stable_while_the_weight_rises() -> None:
    stages = [stage("a", 0), stage("b", 0.5), stage("c", 1)]
    steps = [step("x", headers={"X-User-Id": "7"}), step("y", headers={"x-user-id": "7"})]
    _, automaton = automaton_of(contract(stages, steps, stickiness=HEADER))
    assert [word("SS"), word("SC"), word("CC")] == list(automaton.words())


def test_calls_without_the_sticky_header_flip_a_coin_each() -> None:
    stages = [stage("a", 0.5)]
    steps = [step("x", headers={"X-User-Id": "7"}), step("y"), step("z", headers={"X-User-Id": "8"})]
    _, automaton = automaton_of(contract(stages, steps, stickiness=HEADER))
    assert 8 == automaton.count()
    _, by_cookie = automaton_of(contract(stages, steps, stickiness=COOKIE))
    assert [word("SSS"), word("CCC")] == list(by_cookie.words())


def test_counting_does_not_list_the_words() -> None:
    _, automaton = automaton_of(plain(60, 0, 0.5, 1))
    assert 2**60 == automaton.count()


def test_the_plan_numbers_its_lines_and_says_the_size() -> None:
    stages = [stage("before", 0), stage("expand", 0, True), stage("half", 0.5), stage("all", 1)]
    made = contract(stages, [step("write"), step("read")], rollback_until="half")
    lines = plan(made, timeline(made))
    assert "scenario: 2 steps, 7 routings" in [line.text for line in lines]
    assert ["from half (50%), data at before"] == [line.text for line in lines if line.number == "3.1"]
    assert [line.number.count(".") for line in lines] == [line.depth for line in lines]
    assert len({line.number for line in lines}) == len(lines)
