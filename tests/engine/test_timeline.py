"""Which routings can happen: the automaton against people who walk the ramp one by one."""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ramps import C, S, automaton_of, contract, plain, stage, step, word
from walking import COOKIE, HEADER, ramps, walked

from crossfade.engine.timeline import (
    Automaton,
    Epoch,
    Point,
    Walk,
    first_canary_stage,
    mixed_stages,
    plan,
    rollback_stages,
    stable_lives_until,
    timeline,
)
from crossfade.model.contract import Contract, Database, Race, Scenario, StepName
from crossfade.model.history import Placed


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(ramps())
def test_the_words_of_the_automaton_are_those_that_somebody_can_walk(made: Contract) -> None:
    _, automaton = automaton_of(made)
    words = list(automaton.words())
    assert set(walked(made)) == set(words)
    assert len(set(words)) == len(words)
    assert len(words) == automaton.count()
    assert words[:3] == list(automaton.words(limit=3))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(ramps())
def test_the_stages_of_a_word_are_its_earliest_way_and_without_rollback_where_possible(made: Contract) -> None:
    _, automaton = automaton_of(made)
    for one, paths in walked(made).items():
        earliest = min(paths, key=lambda path: (sum(back for _, back in path), [(back, at) for at, back in path]))
        assert earliest == automaton.stages(one)
        assert any(back for _, back in earliest) == automaton.needs_rollback(one)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
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


def raced(made: Contract, *races: Race) -> Contract:
    return msgspec.structs.replace(made, races=races)


def race_lines(made: Contract, *how: str) -> list[str]:
    """The lines of the plan between the routings and the replays, with their numbers."""
    lines = plan(made, timeline(made), *how)
    first = next(at for at, line in enumerate(lines) if line.text == "make every routing of every scenario happen")
    return [f"{line.number} {line.text}" for line in lines[first + 2 :]]


WRITES = Race("two writes", (StepName("scenario", "call0"), StepName("scenario", "call1")))
FILLS = Race("a write meanwhile", (StepName("", "fill"), StepName("scenario", "call0")), setup="scenario")
MEETING = "pairs of calls whose reads and writes meet are tried together where both sides serve"
REPLAY = "replay every failure three times from clean state, then judge"


def test_the_plan_lists_the_declared_races_first_and_says_where_pairs_are_tried() -> None:
    ramp = [stage("before", 0), stage("fill", 0, True), stage("third", 0.3), stage("most", 0.7), stage("all", 1)]
    made = raced(contract(ramp, [step("call0"), step("call1")]), WRITES, FILLS)
    declared = [
        "5 races: two calls at the same time",
        "5.1 two writes: `call0` with `call1`",
        "5.2 a write meanwhile: `call0` while `fill` is running, after `scenario`",
    ]
    assert (2, 3) == mixed_stages(made)
    pairs = [f"5.3 {MEETING}: third, most", "5.4 calls that write are tried while `fill` is running"]
    assert [*declared, *pairs, f"6 {REPLAY}"] == race_lines(made)
    assert [*declared, f"6 {REPLAY}"] == race_lines(made, "declared")
    assert ["5 no races: no calls at the same time", f"6 {REPLAY}"] == race_lines(made, "off")


def test_where_no_stage_is_mixed_only_a_migration_can_be_raced() -> None:
    made = contract([stage("before", 0), stage("fill", 0, True), stage("all", 1)], [step("call0"), step("call1")])
    assert [
        "5 races: two calls at the same time",
        "5.1 two writes: `call0` with `call1` (not tried: at no stage do both sides serve)",
        "5.2 a write meanwhile: `call0` while `fill` is running, after `scenario`",
        "5.3 calls that write are tried while `fill` is running",
        f"6 {REPLAY}",
    ] == race_lines(raced(made, WRITES, FILLS))


def test_the_plan_is_silent_about_races_where_nothing_can_be_raced() -> None:
    made = contract([stage("before", 0, True), stage("all", 1)], [step("call0"), step("call1")])
    assert [f"5 {REPLAY}"] == race_lines(made)
    assert [f"5 {REPLAY}"] == race_lines(made, "declared")


def test_a_service_that_is_mixed_makes_its_stage_mixed() -> None:
    both = ("orders", "shop")
    ramp = [stage("a", {"orders": 0, "shop": 1}), stage("b", {"orders": 0.5, "shop": 1}), stage("c", 1)]
    assert (1,) == mixed_stages(contract(ramp, [step("x"), step("y", service="shop")], services=both))


def test_a_step_that_several_scenarios_have_is_told_with_its_own() -> None:
    made = contract([stage("half", 0.5)], [step("call0"), step("call1")])
    other = Scenario("other", (step("call0"),))
    made = raced(msgspec.structs.replace(made, scenarios=(*made.scenarios, other)), WRITES)
    assert "5.1 two writes: `scenario/call0` with `call1`" in race_lines(made)


def test_the_plan_says_that_a_mysql_is_used_as_it_is() -> None:
    made = contract([stage("half", 0.5)], [step("call0")])
    made = msgspec.structs.replace(made, databases=(Database("legacy", "mysql", url="mysql://a:secret@b/c"),))
    said = [line.text for line in plan(made, timeline(made)) if line.number == "1.1"]
    assert ["database legacy: MySQL, used as it is (nothing in it is reset)"] == said
