"""From hand-made evidence to findings: who is to blame, what follows from what, ids that stay, where going back breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ramps import C, S, automaton_of, contract, plain, stage, step, word
from walking import ramps, walked

from crossfade.engine.causes import Literal
from crossfade.engine.findings import (
    Evidence,
    Suspect,
    advice,
    also,
    cause_literals,
    chance_of,
    differences,
    fingerprint,
    message,
    rule_of,
    severity_of,
    suspects,
    unsafe_rollbacks,
)
from crossfade.engine.judge import Problem
from crossfade.model.contract import Contract
from crossfade.model.history import Word
from crossfade.model.ramp import Side, Stickiness
from crossfade.model.report import Blame, CauseLiteral, Check, Difference, Severity

Fault = tuple[Problem, Callable[[Word], bool]]
RAMP = (0.0, 0.3, 1.0)
ORDER_STEPS = [step("create", "POST /orders"), step("read", "GET /orders/${id}"), step("list", "GET /orders")]


def problem(step_number: int, check: Check = Check.SAMENESS, kind: str = "body.amount", **more: Any) -> Problem:
    return Problem(step_number, check, kind, "gives something else", **more)


def fails(made: Contract, *faults: Fault, words: tuple[Word, ...] | None = None) -> list[Suspect]:
    """The suspects when exactly these routings meet these problems; a call after one that breaks is blocked."""
    line, automaton = automaton_of(made)
    explored = tuple(automaton.words()) if words is None else words
    problems: list[dict[int, tuple[Problem, ...]]] = []
    neutral: list[frozenset[int]] = []
    for one in explored:
        own: dict[int, tuple[Problem, ...]] = {}
        for fault, meets in faults:
            if meets(one):
                own[fault.step] = (*own.get(fault.step, ()), fault)
        problems.append(own)
        broken = [at for at, found in own.items() if any(p.check is Check.STATUS for p in found)]
        neutral.append(frozenset(range(min(broken) + 1, automaton.steps + 1)) if broken else frozenset())
    return suspects(made, line, automaton, Evidence(0, explored, tuple(problems), tuple(neutral)))


def ordering(*weights: float) -> Contract:
    return contract([stage(f"s{i}", weight) for i, weight in enumerate(weights or RAMP)], ORDER_STEPS)


def sides(conditions: Mapping[int, Side]) -> Callable[[Word], bool]:
    return lambda one: all(one[at].side is side for at, side in conditions.items())


# --- blame


def test_written_on_the_canary_and_read_on_the_stable_is_the_mix() -> None:
    made = ordering()
    [found] = fails(made, (problem(1), sides({0: C, 1: S})))
    assert (Blame.MIXED, "mixed-sameness", Severity.ERROR) == (found.blame, rule_of(found), severity_of(found))
    assert ((Literal(0, C), Literal(1, S)),) == found.patterns


def test_what_the_stable_alone_does_wrong_is_an_old_fault_and_only_told() -> None:
    for meets in (sides({}), sides({1: S})):
        [found] = fails(ordering(), (problem(1, Check.EXPECTATION, "body.a == 1"), meets))
        assert (Blame.STABLE, "stable-expectation", Severity.INFO) == (
            found.blame,
            rule_of(found),
            severity_of(found),
        )


def test_what_the_canary_alone_does_wrong_is_a_plain_regression() -> None:
    [found] = fails(ordering(), (problem(1, Check.STATUS, "broken 500"), sides({1: C})))
    assert (Blame.CANARY, "canary-status", Severity.ERROR) == (found.blame, rule_of(found), severity_of(found))
    [both] = fails(ordering(), (problem(1), sides({0: C, 1: C})))
    assert Blame.CANARY is both.blame


MIGRATED = contract([stage("before", 0), stage("expand", 0.5, True), stage("all", 1, True)], ORDER_STEPS)


def test_what_a_side_does_wrong_since_a_migration_is_the_phase() -> None:
    [old] = fails(MIGRATED, (problem(1), lambda one: one[1].side is S and one[1].point >= 1))
    [new] = fails(MIGRATED, (problem(1), lambda one: one[1].side is C and one[1].point == 2))
    assert [Blame.PHASE, Blame.PHASE] == [old.blame, new.blame]


def test_a_row_from_before_the_migration_read_by_the_canary_is_the_mix() -> None:
    def meets(one: Word) -> bool:
        return one[0].point == 0 and one[1].side is C

    [found] = fails(MIGRATED, (problem(1), meets))
    assert Blame.MIXED is found.blame
    assert {(0, None, 0), (1, C, None)} == {(one.step, one.side, one.high) for one in found.patterns[0]}


def test_data_the_stable_leaves_behind_that_fails_only_later_is_the_phase() -> None:
    def left(at: int) -> Blame:
        [found] = fails(MIGRATED, (problem(3, Check.STATE, "no order without", at=at), sides({0: S})))
        return found.blame

    assert [Blame.STABLE, Blame.PHASE] == [left(0), left(2)]


# --- one fault, one finding


def test_what_only_follows_from_an_earlier_failure_is_not_told() -> None:
    earlier = (problem(1, Check.STATUS, "broken 500"), sides({0: C, 1: S}))
    later = (problem(2), sides({0: C, 1: S}))
    assert [1] == [found.step for found in fails(ordering(), earlier, later)]


def test_a_later_failure_with_a_cause_of_its_own_is_told() -> None:
    earlier = (problem(1), sides({0: C, 1: S}))
    later = (problem(2, kind="body.total"), sides({0: S, 2: C}))
    assert [1, 2] == [found.step for found in fails(ordering(), earlier, later)]


def test_an_old_fault_of_the_stable_hides_nothing() -> None:
    old = (problem(0, Check.EXPECTATION, "old"), sides({}))
    new = (problem(1), sides({0: C, 1: S}))
    assert [Blame.STABLE, Blame.MIXED] == [found.blame for found in fails(ordering(), old, new)]


def test_problems_that_always_come_together_are_one_finding() -> None:
    meets = sides({0: C, 1: S})
    first = Difference("body.amount", "0", "500", "500")
    [found] = fails(
        ordering(),
        (problem(1, kind="body.amount", difference=first), meets),
        (problem(1, Check.EXPECTATION, "body.amount == 500"), meets),
        (problem(1, kind="body.total", difference=Difference("body.total", "1")), meets),
    )
    assert Check.EXPECTATION is found.check
    assert ("sameness",) == also(found)
    assert ["body.amount", "body.total"] == [one.path for one in differences(found)]


def test_the_same_fault_met_by_two_calls_of_one_operation_is_one_finding() -> None:
    made = contract(
        [stage("s0", 0), stage("s1", 0.5)],
        [step("create", "POST /orders"), step("read", "GET /orders/${id}"), step("again", "GET /orders/${id}")],
    )
    [found] = fails(made, (problem(1), sides({0: C, 1: S})), (problem(2), sides({0: C, 2: S})))
    assert {(Literal(0, C), Literal(1, S)), (Literal(0, C), Literal(2, S))} == set(found.patterns)
    line, automaton = automaton_of(made)
    chance = chance_of(made, line, automaton, found)
    assert ("p - p^3", {"s0": 0.0, "s1": 0.375}) == (chance.text, chance.per_stage)


def test_a_word_in_which_the_call_was_blocked_says_nothing_about_it() -> None:
    made = ordering()
    blocked = (problem(0, Check.STATUS, "broken 500"), sides({0: C, 1: C}))
    [_, found] = fails(made, blocked, (problem(2), sides({0: C, 1: S})))
    assert ((Literal(0, C),),) == found.patterns


def test_nothing_wrong_is_no_finding() -> None:
    assert [] == fails(ordering())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.dictionaries(st.integers(0, 2), st.sampled_from([S, C]), min_size=1, max_size=3))
def test_a_planted_fault_is_one_suspect_whose_every_word_fails(conditions: dict[int, Side]) -> None:
    [found] = fails(ordering(), (problem(max(conditions)), sides(conditions)))
    assert (tuple(Literal(at, conditions[at]) for at in sorted(conditions)),) == found.patterns
    assert all(sides(conditions)(one) for one in found.words)
    assert found.word in found.words
    expected = {frozenset({S}): Blame.STABLE, frozenset({C}): Blame.CANARY}
    assert expected.get(frozenset(conditions.values()), Blame.MIXED) is found.blame


# --- ids that stay


def test_the_id_does_not_depend_on_the_order_in_which_routings_were_tried() -> None:
    made = ordering()
    _, automaton = automaton_of(made)
    words = tuple(automaton.words())
    faults = [(problem(1), sides({0: C, 1: S})), (problem(2, kind="body.total"), sides({1: S, 2: C}))]
    one = [fingerprint(made, found) for found in fails(made, *faults)]
    other = [fingerprint(made, found) for found in fails(made, *reversed(faults), words=words[::-1])]
    assert one == other
    assert 2 == len(set(one))


def test_the_id_does_not_depend_on_names_of_steps_other_steps_and_wording() -> None:
    made = ordering()
    [found] = fails(made, (problem(1), sides({0: C, 1: S})))
    longer = contract(
        made.stages,
        [
            step("look around", "GET /health"),
            step("make", "POST /orders"),
            step("wait", "GET /orders"),
            step("look", "GET /orders/${id}"),
        ],
    )
    told = msgspec.structs.replace(problem(3), message="gives 41173 in `body.amount`")
    [other] = fails(longer, (told, sides({1: C, 3: S})))
    assert fingerprint(made, found) == fingerprint(longer, other)
    assert 12 == len(fingerprint(made, found))


def test_another_check_place_operation_cause_or_blame_has_another_id() -> None:
    made = ordering()
    faults: list[Fault] = [
        (problem(1), sides({0: C, 1: S})),
        (problem(1), sides({0: S, 1: C})),
        (problem(1), sides({1: C})),
        (problem(1), sides({1: S})),
        (problem(1, kind="body.total"), sides({0: C, 1: S})),
        (problem(1, Check.SHAPE), sides({0: C, 1: S})),
        (problem(2), sides({0: C, 2: S})),
        (problem(2), sides({1: C, 2: S})),
    ]
    ids = [fingerprint(made, found) for fault in faults for found in fails(made, fault)]
    assert len(faults) == len(set(ids)) == len(ids)


# --- chances


def test_the_chance_of_the_mix_is_told_for_every_stage_of_this_ramp() -> None:
    made = ordering(0, 0.01, 0.3, 0.5, 1)
    line, automaton = automaton_of(made)
    [found] = fails(made, (problem(1), sides({0: C, 1: S})))
    chance = chance_of(made, line, automaton, found)
    assert ((0.0, 1.0, -1.0), "p(1-p)", 0.25, 0.5) == (chance.coefficients, chance.text, chance.max, chance.at)
    assert {"s0": 0.0, "s1": 0.0099, "s2": 0.21, "s3": 0.25, "s4": 0.0} == chance.per_stage


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    st.dictionaries(st.integers(0, 3), st.sampled_from([S, C]), min_size=1, max_size=3),
    st.sampled_from([0.1, 0.5, 0.8]),
    st.sampled_from([0.25, 0.6]),
)
def test_the_chance_at_a_stage_is_what_coins_of_both_services_give(
    conditions: dict[int, Side], orders: float, billing: float
) -> None:
    steps = [step(f"call{i}", service=("orders", "billing")[i % 2]) for i in range(4)]
    stages = [stage("none", {"orders": 0, "billing": 0}), stage("some", {"orders": orders, "billing": billing})]
    made = contract(stages, steps, services=("orders", "billing"))
    line, automaton = automaton_of(made)
    [found] = fails(made, (problem(3), sides(conditions)))
    expected = 0.0
    for word_sides in product((S, C), repeat=4):
        if all(word_sides[at] is side for at, side in conditions.items()):
            term = 1.0
            for at, side in enumerate(word_sides):
                weight = (orders, billing)[at % 2]
                term *= weight if side is C else 1 - weight
            expected += term
    assert chance_of(made, line, automaton, found).per_stage["some"] == pytest.approx(expected, abs=1e-6)


def test_a_user_who_stays_on_one_side_meets_the_mix_only_while_the_weight_rises() -> None:
    stages = [stage("a", 0), stage("b", 0.2), stage("c", 0.9), stage("d", 1)]
    made = contract(stages, ORDER_STEPS, stickiness=Stickiness("cookie", "sid"))
    line, automaton = automaton_of(made)
    [found] = fails(made, (problem(1), sides({0: S, 1: C})))
    assert {"a": 0.0, "b": 0.2, "c": 0.7, "d": 0.1} == chance_of(made, line, automaton, found).per_stage
    assert [] == fails(made, (problem(1), sides({0: C, 1: S})))


# --- going back


JUMP = contract(
    [stage("before", 0), stage("half", 0.5), stage("all", 1), stage("late", 1, True)],
    ORDER_STEPS[:2],
    rollback_until="late",
)


def test_the_mix_makes_going_back_unsafe_from_where_the_canary_has_written() -> None:
    line, automaton = automaton_of(JUMP)
    [found] = fails(JUMP, (problem(1), sides({0: C, 1: S})))
    assert (1, 2, 3) == unsafe_rollbacks(JUMP, line, automaton, found)
    assert not found.rollback_only


def test_a_canary_that_fails_alone_does_not_make_going_back_unsafe() -> None:
    line, automaton = automaton_of(JUMP)
    [found] = fails(JUMP, (problem(1), sides({1: C})))
    assert () == unsafe_rollbacks(JUMP, line, automaton, found)


def test_what_only_a_stable_after_the_last_migration_meets_is_a_point_of_no_return() -> None:
    line, automaton = automaton_of(JUMP)
    [found] = fails(JUMP, (problem(1), lambda one: one[1].side is S and one[1].point == 1))
    assert (True, Blame.PHASE) == (found.rollback_only, found.blame)
    assert (3,) == unsafe_rollbacks(JUMP, line, automaton, found)
    assert "no rollback from `late` on: write `rollback: { until: all }`" in advice(JUMP, line, automaton, found)
    path = cause_literals(JUMP, automaton, found)
    assert [("read", "stable", "rollback from late")] == [(one.step, one.side, one.stage) for one in path]


def test_a_mix_that_needs_a_rollback_has_a_rule_of_its_own() -> None:
    made = contract([stage("a", 0), stage("b", 1)], ORDER_STEPS[:2], rollback_until="b")
    [found] = fails(made, (problem(1), sides({0: C, 1: S})))
    assert (True, Blame.MIXED, "rollback-sameness") == (found.rollback_only, found.blame, rule_of(found))
    assert word("CS") == found.word


def test_the_word_shown_needs_no_rollback_where_one_without_fails_as_well() -> None:
    _, automaton = automaton_of(JUMP)
    [found] = fails(JUMP, (problem(1), sides({0: C, 1: S})))
    assert not automaton.needs_rollback(found.word)


@st.composite
def causes_of_two(draw: st.DrawFn, points: int) -> tuple[Literal, ...]:
    """Conditions on the second call, and perhaps on the first: sides, points, or both."""
    found = []
    for at in draw(st.sampled_from([(0, 1), (1,)])):
        low, high = sorted((draw(st.integers(0, points)), draw(st.integers(0, points))))
        bounds = draw(st.sampled_from([(None, None), (low, None), (None, high), (low, high)]))
        found.append(Literal(at, draw(st.sampled_from([S, C, None])), *bounds))
    return tuple(found)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(ramps(services=("orders",), sticky=False, calls=2), st.data())
def test_going_back_is_unsafe_from_the_stages_where_somebody_who_goes_back_meets_the_failure(
    made: Contract, data: st.DataObject
) -> None:
    line, automaton = automaton_of(made)
    cause = data.draw(causes_of_two(len(line.points) - 1))
    found = fails(made, (problem(1), lambda one: all(literal.holds(one) for literal in cause)))
    assume(1 == len(found) and found[0].blame in (Blame.MIXED, Blame.PHASE))
    met = {
        path[1][0]
        for one, paths in walked(made).items()
        for path in paths
        if one in found[0].words and path[1][1] and (found[0].blame is Blame.PHASE or one[0].side is C)
    }
    assert tuple(sorted(met)) == unsafe_rollbacks(made, line, automaton, found[0])


# --- words


def test_the_sentence_says_which_call_fails_how_and_after_what() -> None:
    made = ordering()
    line, automaton = automaton_of(made)
    [found] = fails(made, (problem(1), sides({0: C, 1: S})))
    expected = "GET /orders/{id} on stable gives something else, after `create` on canary at s1"
    assert expected == message(made, automaton, found)
    assert advice(made, line, automaton, found).startswith("keep sessions sticky")
    assert (
        CauseLiteral("create", "canary", "s1", "POST /orders", any_stage=True),
        CauseLiteral("read", "stable", "s1", "GET /orders/{id}", any_stage=True),
    ) == cause_literals(made, automaton, found)


def test_each_blame_has_advice_of_its_own() -> None:
    def told(made: Contract, fault: Fault) -> str:
        line, automaton = automaton_of(made)
        [found] = fails(made, fault)
        return advice(made, line, automaton, found)

    own = [
        told(ordering(), (problem(1), sides({1: S}))),
        told(ordering(), (problem(1), sides({1: C}))),
        told(ordering(), (problem(1), sides({0: C, 1: S}))),
        told(MIGRATED, (problem(1), lambda one: one[1].side is S and one[1].point >= 1)),
        told(MIGRATED, (problem(1), lambda one: one[1].side is C and one[1].point == 2)),
        told(MIGRATED, (problem(1), lambda one: one[0].point == 0 and one[1].side is C)),
    ]
    assert 6 == len(set(own))
    assert "1.3.0 fails on its own: do not start the ramp" == own[1]


def test_a_ramp_of_one_stage_has_findings_as_well() -> None:
    [found] = fails(plain(2, 0.5), (problem(1), sides({0: C, 1: S})))
    assert Blame.MIXED is found.blame
