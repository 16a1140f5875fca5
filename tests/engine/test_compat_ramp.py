"""Who meets whom, and what counts there."""

from __future__ import annotations

import pytest

from crossfade.engine.compat_ramp import declared, epoch_pairs, meeting_stages, placed
from crossfade.model.compat import Break, Crossing, Severity
from crossfade.model.contract import BehaviourRule, Change, Contract, Instance, OperationPattern, Service
from crossfade.model.expression import Expression
from crossfade.model.ramp import Phase, Side, Stage, Stickiness

S, C = Side.STABLE, Side.CANARY


def contract(weights: str, rollback: int | None = None, sticky: bool = False, **more: object) -> Contract:
    """Stages s0, s1, ... with these weights in percent; `rollback` is the number of its last stage."""
    shares = [int(text) / 100 for text in weights.split()]
    stages = tuple(Stage(f"s{n}", {"orders": share}, Phase.BEFORE) for n, share in enumerate(shares))
    return Contract(
        file="ramp.yaml",
        folder=".",
        services=(Service("orders", Instance("1"), Instance("2")),),
        databases=(),
        stages=stages,
        rollback_until=None if rollback is None else f"s{rollback}",
        stickiness=Stickiness("header", "X-User") if sticky else Stickiness(),
        scenarios=(),
        **more,  # type: ignore[arg-type]
    )


def broken(writer: str, crossing: Crossing, path: str = "body.price", **more: object) -> Break:
    reader = "canary" if writer == "stable" else "stable"
    base = dict(rule="response-type", id="x", severity=Severity.ERROR, operations=("GET /orders/{id}",), message="m")
    return Break(**{**base, **more}, writer=writer, reader=reader, crossing=crossing, path=path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ramp", "stable_canary", "canary_stable"),
    [
        (contract("0 30 100"), (1, 2), (1,)),
        (contract("0 30 100", rollback=2), (1, 2), (1, 2)),
        (contract("0 100"), (1,), ()),
        (contract("0 100", rollback=1), (1,), (1,)),
        (contract("0 30 70 100", sticky=True), (1, 2, 3), ()),
        (contract("0 30 70 100", rollback=1, sticky=True), (1, 2, 3), (1,)),
        (contract("0 0"), (), ()),
    ],
)
def test_where_the_mixed_pairs_meet(
    ramp: Contract, stable_canary: tuple[int, ...], canary_stable: tuple[int, ...]
) -> None:
    assert meeting_stages(ramp, "orders", S, C) == stable_canary
    assert meeting_stages(ramp, "orders", C, S) == canary_stable


def test_the_own_kind_meets_wherever_it_serves() -> None:
    ramp = contract("0 30 100", rollback=2)
    assert meeting_stages(ramp, "orders", S, S) == (0, 1, 2)
    assert meeting_stages(ramp, "orders", C, C) == (1, 2)


def test_what_only_ever_meets_its_own_kind_is_information() -> None:
    one = placed(contract("0 100"), "orders", [broken("stable", Crossing.RESPONSE)])[0]
    assert (one.severity, one.stages) == (Severity.INFO, ())
    other = placed(contract("0 100"), "orders", [broken("canary", Crossing.RESPONSE)])[0]
    assert (other.severity, other.stages) == (Severity.ERROR, ("s1",))


def test_the_writer_of_a_request_is_the_consumer() -> None:
    """The stable's consumer writes: it meets the canary even where there is no way back."""
    assert placed(contract("0 100"), "orders", [broken("stable", Crossing.REQUEST)])[0].stages == ("s1",)


@pytest.mark.parametrize(
    ("field", "path", "covered"),
    [
        ("body.price", "body.price", True),
        ("body.price", "body.price.amount", True),
        ("body.price", "body.prices", False),
        ("body.items[].price", "body.items[].price", True),
        ("body", "body[].price", True),
        ("header.etag", "header.ETag", True),
        ("status", "status", True),
    ],
)
def test_a_declared_change_covers_what_lies_below_it(field: str, path: str, covered: bool) -> None:
    changes = (Change(OperationPattern("GET", "/orders/{id}"), field),)
    assert declared(changes, {"GET /orders/{order}": path}) is covered


def test_a_break_is_declared_only_when_it_is_for_every_operation() -> None:
    changes = (Change(OperationPattern("GET", "/orders/{id}"), "body.price"),)
    places = {"GET /orders/{id}": "body.price", "GET /orders": "body[].price"}
    assert not declared(changes, places)
    assert declared((*changes, Change(OperationPattern("GET", "/orders"), "body[].price")), places)
    assert not declared(changes, {})


def test_a_rule_with_a_window_says_how_long_a_field_is_needed() -> None:
    rule = BehaviourRule(
        "price stays", OperationPattern("GET", "/orders/{id}"), (Expression("has(body.price)"),), until_stage="s1"
    )
    ramp = contract("0 30 100", rules=(rule,))
    found = placed(
        ramp,
        "orders",
        [broken("canary", Crossing.RESPONSE), broken("canary", Crossing.RESPONSE, path="body.price_list")],
    )
    assert [one.stages for one in found] == [("s1",), ("s1", "s2")]


def test_a_sunset_that_names_a_stage_ends_an_operation_there() -> None:
    one = broken("stable", Crossing.REQUEST, rule="operation-removed", path="status")
    sunsets = {"GET /orders/{id}": "s2"}
    assert placed(contract("0 30 100"), "orders", [one], sunsets)[0].stages == ("s1",)
    assert placed(contract("0 0 100"), "orders", [one], sunsets)[0].severity is Severity.INFO


def test_the_timeline_names_each_meeting_once_and_what_breaks_there() -> None:
    ramp = contract("0 30 70 100", rollback=3)
    found = placed(ramp, "orders", [broken("stable", Crossing.RESPONSE)])
    line = epoch_pairs(ramp, ["orders"], found)
    assert [epoch.stages for epoch in line] == [("s0",), ("s1", "s2"), ("s3",)]
    told = [[(m.consumer, m.provider, m.breaks, m.rollback) for m in epoch.meetings] for epoch in line]
    assert told == [
        [("stable", "stable", (), False)],
        [
            ("stable", "stable", (), False),
            ("stable", "canary", (), False),
            ("canary", "stable", ("x",), False),
            ("canary", "canary", (), False),
        ],
        [
            ("stable", "stable", (), True),
            ("stable", "canary", (), False),
            ("canary", "stable", ("x",), True),
            ("canary", "canary", (), False),
        ],
    ]
