"""Which calls are tried at the same time, and in which order."""

from __future__ import annotations

from typing import Any

import msgspec
from ramps import contract, stage, step

from crossfade.engine.pairs import Pair, StepProfile, candidate_pairs, migration_pairs
from crossfade.model.contract import Contract, Scenario, Step, StepName
from crossfade.model.expression import Expression

WRITES = StepProfile(frozenset(), frozenset({"db public.profiles"}), 2)
READS = StepProfile(frozenset({"db public.profiles"}), frozenset(), 1)
ELSEWHERE = StepProfile(frozenset(), frozenset({"db public.visits"}), 2)
ID = {"id": Expression("body.id", None)}


def create(name: str = "create", **more: Any) -> Step:
    return step(name, "POST /profiles", save=ID, json={"name": "Ada"}, has_json=True, **more)


def patch(name: str, **fields: Any) -> Step:
    return step(name, "PATCH /profiles/${id}", json=fields, has_json=True)


def read(name: str = "read") -> Step:
    return step(name, "GET /profiles/${id}")


def of(*scenarios: tuple[Step, ...]) -> Contract:
    made = contract([stage("before", 0), stage("half", 0.5)], [])
    return msgspec.structs.replace(made, scenarios=tuple(Scenario(f"s{n}", s) for n, s in enumerate(scenarios)))


def pairs(made: Contract, profiles: dict[str, StepProfile]) -> list[Pair]:
    known = {StepName(s.name, one.name): profiles[one.name] for s in made.scenarios for one in s.steps}
    return candidate_pairs(made, known)


def test_calls_of_one_operation_that_send_other_fields_are_tried_with_each_other() -> None:
    made = of((create(), patch("set phone", phone="1"), patch("set city", city="London"), read()))
    profiles = {"create": WRITES, "set phone": WRITES, "set city": WRITES, "read": READS}
    names = [pair.name for pair in pairs(made, profiles)]
    assert {"set phone with itself", "set city with itself", "set phone with set city"} <= set(names)


def test_the_same_fields_with_other_values_come_last() -> None:
    made = of((create(), patch("first", city="London"), patch("second", city="Paris"), patch("third", city="Rome")))
    names = [pair.name for pair in pairs(made, dict.fromkeys(("create", "first", "second", "third"), WRITES))]
    assert names.index("first with itself") < names.index("first with second") < names.index("second with itself")
    assert "second with third" in names[-3:]


def test_what_sends_the_same_is_tried_once() -> None:
    made = of((create(), patch("set", city="Rome"), read()), (create("again"), patch("once more", city="Rome")))
    names = [
        pair.name
        for pair in pairs(made, {**dict.fromkeys(("create", "set", "again", "once more"), WRITES), "read": READS})
    ]
    assert ["create with itself", "set with itself", "create with set"] == names


def test_a_reader_of_one_turn_sees_nothing_half_done() -> None:
    made = of((create(), read()))
    assert ["create with itself"] == [pair.name for pair in pairs(made, {"create": WRITES, "read": READS})]
    busy = msgspec.structs.replace(READS, turns=2)
    assert ["create with itself", "create with read"] == [
        pair.name for pair in pairs(made, {"create": WRITES, "read": busy})
    ]


def test_calls_that_touch_nothing_in_common_are_not_tried() -> None:
    made = of((create(), step("visit", "POST /visits")))
    assert {"create with itself", "visit with itself"} == {
        pair.name for pair in pairs(made, {"create": WRITES, "visit": ELSEWHERE})
    }


def test_what_the_second_needs_is_done_before_and_a_read_follows() -> None:
    made = of((create(), patch("set phone", phone="1"), patch("set city", city="London"), read()))
    profiles = {"create": WRITES, "set phone": WRITES, "set city": WRITES, "read": READS}
    pair = next(pair for pair in pairs(made, profiles) if pair.name == "set phone with set city")
    assert (("create",), ("read",)) == (
        tuple(name.step for name in pair.setup),
        tuple(name.step for name in pair.reads),
    )


def test_only_writing_calls_meet_a_migration_each_kind_once() -> None:
    made = of((create(), patch("set phone", phone="1"), read()), (create("again"), read("look")))
    known = {
        StepName(s.name, one.name): READS if one.method == "GET" else WRITES for s in made.scenarios for one in s.steps
    }
    found = migration_pairs(made, 1, known)
    assert [("create", "half"), ("set phone", "half")] == [(p.calls[0].step, p.calls[1].step) for p in found]
