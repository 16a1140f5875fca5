"""The search over schedules: held against the plain search on random programs, and against the races it is made for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import Explored, Op, Outcome, Program, Setting, all_outcomes, explored, run

from crossfade.engine.interleave import (
    Coverage,
    Policy,
    RandomPolicy,
    Step,
    Trace,
    preemptions,
    schedules,
    shrunk,
    smallest,
)
from crossfade.engine.turns import Access

Line = tuple[str, str, str]  # kind, name, second name
NAMES = ("x", "y")
KINDS = (
    "read", "read", "lock", "write", "add", "copy", "advisory", "commit", "get", "set", "setnx", "delete", "unless-odd",
)  # fmt: skip
CLEAN = {"x": 1, "y": 2, "cache:x": 1}


def scripted(actor: int, lines: Sequence[Line]) -> Program:
    """What is written depends on what was read last; so does, after `unless-odd`, whether the next line happens."""

    def program() -> Generator[Op, int | None, None]:
        last, skipping, open_transaction = 0, False, False
        for kind, name, source in lines:
            if skipping:
                skipping = False
                continue
            if kind == "unless-odd":
                skipping = last % 2 == 1
                continue
            op = Op(kind, name)
            if kind == "commit":
                op, open_transaction = Op(kind), False
            elif kind in ("get", "set", "setnx", "delete"):
                op = Op(kind, f"cache:{name}", 3 * last + actor + 1)
            elif kind != "read":
                op = Op(kind, name, 3 * last + actor + 1, source if kind == "copy" else "")
                open_transaction = True
            seen = yield op
            last = last if seen is None else seen
        if open_transaction:
            yield Op("commit")

    return program


@st.composite
def scenes(draw: st.DrawFn, actors: int, most: int) -> Setting:
    name = st.sampled_from(NAMES)
    lines = st.lists(st.tuples(st.sampled_from(KINDS), name, name), min_size=1, max_size=most)
    return Setting(tuple(scripted(actor, draw(lines)) for actor in range(actors)), CLEAN)


@given(scenes(actors=2, most=4), st.integers(0, 3))
@settings(max_examples=250, deadline=None)
def test_two_actors_reach_every_outcome_of_the_bound(scene: Setting, bound: int) -> None:
    assert set(all_outcomes(scene, bound)) == set(explored(scene, bound).outcomes)


@given(scenes(actors=3, most=2), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_three_actors_reach_every_outcome_of_the_bound(scene: Setting, bound: int) -> None:
    assert set(all_outcomes(scene, bound)) == set(explored(scene, bound).outcomes)


def test_whether_waiting_closes_a_circle_depends_on_who_else_waits() -> None:
    """A turn that waited in one run is the victim of a deadlock in another, after the same conflicting turns."""
    programs = (
        scripted(0, [("copy", "y", "y"), ("write", "x", "")]),
        scripted(1, [("read", "y", ""), ("advisory", "x", "")]),
        scripted(2, [("lock", "x", ""), ("write", "y", "")]),
    )
    scene = Setting(programs, CLEAN)
    assert set(all_outcomes(scene, 1)) == set(explored(scene, 1).outcomes)


@given(scenes(actors=2, most=3))
@settings(max_examples=80, deadline=None)
def test_with_preemptions_enough_every_interleaving_is_covered(scene: Setting) -> None:
    assert set(all_outcomes(scene, 99)) == set(explored(scene, 99).outcomes)


@given(scenes(actors=3, most=2), st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_no_schedule_runs_twice_within_or_across_bounds(scene: Setting, bound: int) -> None:
    found = explored(scene, bound)
    granted = [tuple(step.actor for step in trace) for trace in found.traces]
    assert len(granted) == len(set(granted)) == len(set(found.prefixes)) == found.coverage.schedules
    assert max(preemptions(trace) for trace in found.traces) <= bound
    assert found.coverage.diverged == 0 and found.coverage.complete
    assert found.prefixes == explored(scene, bound + 1).prefixes[: len(found.prefixes)]


@given(scenes(actors=2, most=4), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_the_same_programs_are_searched_the_same_way(scene: Setting, bound: int) -> None:
    assert explored(scene, bound) == explored(scene, bound)


@given(scenes(actors=3, most=2), st.integers(0, 2**40))
@settings(max_examples=80, deadline=None)
def test_the_shrunk_prefix_grants_the_same_turns(scene: Setting, seed: int) -> None:
    trace, outcome = run(scene, RandomPolicy(seed, actors=3, turns=9))
    prefix = shrunk(trace)
    assert (trace, outcome) == run(scene, Policy(prefix))
    assert not prefix or trace != run(scene, Policy(prefix[:-1]))[0]


# ---- the classics: what is found at which schedule, and how many there are ----


def turns(*ops: Op) -> Program:
    def program() -> Generator[Op, int | None, None]:
        for op in ops:  # noqa: UP028 - a tuple cannot be sent the answers
            yield op

    return program


def locked_withdrawal() -> Generator[Op, int | None, None]:
    balance = yield Op("lock", "balance")
    yield Op("write", "balance", (balance or 0) - 30)
    yield Op("commit")


def unlocked_withdrawal() -> Generator[Op, int | None, None]:
    balance = yield Op("read", "balance")
    yield Op("write", "balance", (balance or 0) - 50)
    yield Op("commit")


def long_withdrawal() -> Generator[Op, int | None, None]:
    """26 turns, of which two matter."""
    for number in range(12):
        yield Op("read", f"setting {number}")
    yield from unlocked_withdrawal()
    for number in range(11):
        yield Op("read", f"detail {number}")


def sign_up() -> Generator[Op, int | None, None]:
    if (yield Op("read", "user")) is None:
        yield Op("add", "user", 1)
        yield Op("commit")


def sign_up_behind_a_lock() -> Generator[Op, int | None, None]:
    yield Op("advisory", "sign-up")
    yield from sign_up()


def goes_off_duty(mine: str) -> Program:
    def program() -> Generator[Op, int | None, None]:
        ann = yield Op("read", "ann")
        ben = yield Op("read", "ben")
        if (ann, ben) == (1, 1):
            yield Op("write", mine, 0)
        yield Op("commit")

    return program


def spinning_increment() -> Generator[Op, int | None, None]:
    while not (yield Op("setnx", "lock", 1)):
        pass
    count = yield Op("get", "count")
    yield Op("set", "count", (count or 0) + 1)
    yield Op("delete", "lock")


ATOMIC = turns(Op("add", "balance", -20), Op("commit"))
ACCOUNT = {"balance": 100}
ON_DUTY = {"ann": 1, "ben": 1}
THERE_AND_BACK = (
    turns(Op("add", "x", 1), Op("add", "y", 1), Op("commit")),
    turns(Op("add", "y", 1), Op("add", "x", 1), Op("commit")),
)


def left(outcome: Outcome) -> dict[str, int]:
    return dict(outcome[0])


@pytest.mark.parametrize(
    ("programs", "values", "wrong", "found_at", "most"),
    [
        ((unlocked_withdrawal, ATOMIC), ACCOUNT, lambda one: left(one)["balance"] != 30, 3, 5),
        ((locked_withdrawal, unlocked_withdrawal), ACCOUNT, lambda one: left(one)["balance"] != 20, 4, 6),
        ((sign_up, sign_up_behind_a_lock), {}, lambda one: left(one)["user"] != 1, 3, 6),
        (THERE_AND_BACK, {"x": 0, "y": 0}, lambda one: "deadlock" in one[1][0] + one[1][1], 4, 6),
        ((goes_off_duty("ann"), goes_off_duty("ben")), ON_DUTY, lambda one: not any(left(one).values()), 3, 3),
        ((long_withdrawal, ATOMIC), ACCOUNT, lambda one: left(one)["balance"] != 30, 3, 5),
    ],
    ids=["read-modify-write", "lock discipline", "check-then-insert", "lock order", "write skew", "narrow window"],
)  # fmt: skip
def test_a_race_is_found_early_and_the_search_is_short(
    programs: tuple[Program, ...],
    values: dict[str, int],
    wrong: Callable[[Outcome], bool],
    found_at: int,
    most: int,
) -> None:
    found = explored(Setting(programs, values), bound=2)
    assert 2 < found.first(wrong) <= found_at
    assert found.coverage.schedules <= most
    assert found.coverage.complete and found.coverage.bound == 2


def test_turns_that_commute_are_not_reordered() -> None:
    elsewhere = turns(Op("add", "other", 1), Op("commit"))
    found = explored(Setting((unlocked_withdrawal, elsewhere), ACCOUNT), bound=2)
    assert Coverage(schedules=1, bound=2, complete=True, pruned=3, diverged=0) == found.coverage


def test_a_safe_pair_loses_nothing_in_any_schedule() -> None:
    found = explored(Setting((locked_withdrawal, ATOMIC), ACCOUNT), bound=9)
    assert {50} == {left(one)["balance"] for one in found.outcomes}


def test_a_lock_taken_by_asking_again_is_searched_to_the_end() -> None:
    scene = Setting((spinning_increment, spinning_increment), {"count": 0})
    found = explored(scene, bound=2, usual=scene.usual)
    assert {2} == {left(one)["count"] for one in found.outcomes}
    assert found.coverage.complete and found.coverage.schedules <= 18


def test_two_that_spin_do_not_starve_the_third() -> None:
    scene = Setting((spinning_increment, spinning_increment, spinning_increment), {"count": 0})
    trace, outcome = run(scene, Policy((2, 0, 1), scene.usual))
    assert 3 == left(outcome)["count"]
    assert 2 == preemptions(trace, scene.usual)


def test_repeating_within_the_usual_number_of_turns_is_not_spinning() -> None:
    def polite() -> Generator[Op, int | None, None]:
        for _ in range(6):
            yield Op("read", "balance")
        yield from unlocked_withdrawal()

    scene = Setting((polite, ATOMIC), ACCOUNT)
    found = explored(scene, bound=1, usual=scene.usual)
    assert found.first(lambda one: left(one)["balance"] != 30)


def test_three_at_once_lose_two_updates() -> None:
    found = explored(Setting((unlocked_withdrawal,) * 3, {"balance": 150}), bound=2)
    assert {0, 50, 100} == {left(one)["balance"] for one in found.outcomes}
    assert found.first(lambda one: left(one)["balance"] == 100) <= 60


def test_the_search_ends_when_the_budget_is_spent() -> None:
    scene = Setting((locked_withdrawal, unlocked_withdrawal), ACCOUNT)
    whole = explored(scene, bound=2)
    for most in range(whole.coverage.schedules + 1):
        cut = explored(scene, bound=2, most=most)
        assert whole.prefixes[:most] == cut.prefixes
        assert (most == whole.coverage.schedules) == cut.coverage.complete
        assert most == cut.coverage.schedules
    assert [-1, -1, 0, 0] == [explored(scene, bound=2, most=most).coverage.bound for most in range(4)]


def test_a_caller_whose_time_is_up_is_told_what_was_covered() -> None:
    scene = Setting((locked_withdrawal, unlocked_withdrawal), ACCOUNT)
    search = schedules(bound=2, most=99)
    prefix = next(search)
    for _ in range(3):
        prefix = search.send(run(scene, Policy(prefix))[0])
    with pytest.raises(StopIteration) as ended:
        search.send(None)
    assert (3, 0, False) == (ended.value.value.schedules, ended.value.value.bound, ended.value.value.complete)


def test_what_a_waiting_turn_does_counts_where_it_goes_on() -> None:
    """Actor 1 waits for the lock of 0 and then reads y; 2 publishes y before that. So 0 is tried before 2."""
    copy = Access("db", reads=frozenset("y"), writes=frozenset("x"))
    publish = Access("db", publishes=frozenset("y"))
    trace = (
        Step(0, "lock x", Access("db", locks=frozenset("x")), (0, 1, 2)),
        Step(1, "copy x y", copy, (0, 1, 2)),
        Step(2, "commit y", publish, (0, 2), blocked=(1,)),
        Step(0, "commit x", Access("db", publishes=frozenset("x")), (0,), blocked=(1,)),
        Step(1, "commit x", Access("db", publishes=frozenset("x")), (1,)),
    )
    assert (0, 1, 0) in asked_after(trace)


def test_where_an_actor_cannot_go_all_others_are_tried() -> None:
    """The last turn of 1 conflicts with the first of 0, when 1 waited for 2. That 2 goes before 0 is foreseen."""
    first = Access("cache", reads=frozenset("k"))
    trace = (
        Step(2, "lock x", Access("db", locks=frozenset("x")), (0, 1, 2)),
        Step(1, "lock x", Access("db", locks=frozenset("x")), (0, 1, 2)),
        Step(0, "get k", first, (0, 2), blocked=(1,)),
        Step(2, "commit x", Access("db", publishes=frozenset("x")), (2,), blocked=(1,)),
        Step(1, "delete k", Access("cache", writes=frozenset("k"), publishes=frozenset("k")), (1,)),
    )
    assert (2, 1, 2, 1) in asked_after(trace)


def asked_after(trace: Trace) -> set[tuple[int, ...]]:
    """All that is asked for when every run comes out as this one."""
    search = schedules(bound=9, most=99)
    asked = {next(search)}
    try:
        while True:
            asked.add(search.send(trace))
    except StopIteration:
        return asked


def test_what_is_unknown_is_tried_in_every_order() -> None:
    opaque = Access("other", unknown=True)
    search = schedules(bound=9, most=99)
    next(search)
    count = 0
    prefix: tuple[int, ...] = ()
    with pytest.raises(StopIteration) as ended:
        while True:
            prefix = search.send(opaque_run(prefix, opaque))
            count += 1
    assert 6 == count + 1 == ended.value.value.schedules


def opaque_run(prefix: tuple[int, ...], access: Access) -> Trace:
    """Two actors with two turns each, of which nothing is known."""
    policy = Policy(prefix)
    remaining = {0: 2, 1: 2}
    trace = []
    while ready := {actor: "burst" for actor, count in remaining.items() if count}:
        actor = policy.choose(ready)
        remaining[actor] -= 1
        trace.append(Step(actor, "burst", access, tuple(ready)))
    return tuple(trace)


def test_a_prefix_that_cannot_be_followed_is_dropped_there_and_counted() -> None:
    policy = Policy((0, 1, 1))
    assert 0 == policy.choose({0: "a", 1: "b"})
    assert 0 == policy.choose({0: "a"})
    assert policy.diverged
    assert 0 == policy.choose({0: "a", 1: "b"})

    search = schedules(bound=1, most=9)
    next(search)
    opaque = Access("db", unknown=True)
    asked = search.send((Step(0, "a", opaque, (0, 1)), Step(1, "b", opaque, (1,))))
    assert (1,) == asked
    with pytest.raises(StopIteration) as ended:
        search.send((Step(0, "a", opaque, (0, 1)), Step(1, "b", opaque, (1,))))
    assert Coverage(schedules=2, bound=1, complete=True, pruned=0, diverged=1) == ended.value.value


# ---- what is shown ----


def failing(found: Explored, wrong: Callable[[Outcome], bool]) -> list[Trace]:
    return [trace for trace, outcome in zip(found.traces, found.outcomes, strict=True) if wrong(outcome)]


def test_the_witness_has_the_fewest_preemptions_and_turns() -> None:
    found = explored(Setting((unlocked_withdrawal, ATOMIC), ACCOUNT), bound=2)
    shown = smallest(reversed(failing(found, lambda one: left(one)["balance"] != 30)))
    assert 1 == preemptions(shown)
    assert ["read balance", "add balance", "commit", "write balance", "commit"] == [step.label for step in shown]
    assert (0, 1) == shrunk(shown)


def test_going_on_where_the_other_waits_is_no_preemption() -> None:
    scene = Setting((locked_withdrawal, unlocked_withdrawal), ACCOUNT)
    trace, _ = run(scene, Policy((0, 1, 1)))
    assert [0, 1, 1, 0, 0, 1] == [step.actor for step in trace]
    assert [(0, 1), (0, 1), (0, 1), (0,), (0,), (1,)] == [step.ready for step in trace]
    assert 1 == preemptions(trace)


# ---- chance ----


def test_the_same_seed_decides_the_same_way_and_seeds_differ() -> None:
    scene = Setting((unlocked_withdrawal,) * 3, {"balance": 150})
    runs = [run(scene, RandomPolicy(seed, actors=3, turns=9)) for seed in range(40)]
    assert runs == [run(scene, RandomPolicy(seed, actors=3, turns=9)) for seed in range(40)]
    assert {0, 50, 100} == {left(outcome)["balance"] for _, outcome in runs}
    assert len({tuple(step.actor for step in trace) for trace, _ in runs}) >= 20


@pytest.mark.parametrize("changes", [0, 1, 2])
def test_without_a_change_point_an_actor_is_only_left_where_it_cannot_go_on(changes: int) -> None:
    scene = Setting((unlocked_withdrawal,) * 3, {"balance": 150})
    spent = {preemptions(run(scene, RandomPolicy(seed, 3, 9, changes))[0]) for seed in range(60)}
    assert changes >= max(spent) and (changes > 0) == (1 in spent)


def test_chance_meets_the_narrow_window_as_often_as_promised() -> None:
    """A race of two orderings: at least 1 in n * k."""
    scene = Setting((long_withdrawal, ATOMIC), ACCOUNT)
    lost = [left(run(scene, RandomPolicy(seed, 2, 28, 1))[1])["balance"] != 30 for seed in range(560)]
    assert sum(lost) >= 560 // (2 * 28)


def test_a_random_schedule_gets_out_of_a_spin() -> None:
    scene = Setting((spinning_increment, spinning_increment, spinning_increment), {"count": 0})
    for seed in range(50):
        assert 3 == left(run(scene, RandomPolicy(seed, 3, 12, 2, scene.usual))[1])["count"]
