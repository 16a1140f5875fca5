"""Which operations a pattern of `rules` and `changes` means, and what a step is called."""

from __future__ import annotations

import pytest

from crossfade.model.contract import Contract, Instance, OperationPattern, Scenario, Service, Step
from crossfade.model.history import Delta, Response, RowChange
from crossfade.model.ramp import Phase, Position, Side, Stage, Stickiness


@pytest.mark.parametrize(
    ("pattern", "operation", "expected"),
    [
        ("GET /orders/{id}", "GET /orders/{id}", True),
        ("GET /orders/{id}", "GET /orders/{order}", True),
        ("GET /orders/{id}", "GET /orders/new", True),
        ("GET /orders/new", "GET /orders/{id}", True),
        ("GET /orders/{id}", "POST /orders/{id}", False),
        ("* /orders/{id}", "DELETE /orders/{id}", True),
        ("GET /orders", "GET /orders/{id}", False),
        ("GET /orders/{id}", "GET /orders/{id}/items", False),
        ("GET /orders/", "GET /orders", True),
        ("GET /", "GET /", True),
        ("GET /orders", "GET /order", False),
    ],
)
def test_a_pattern_means_operations_of_the_same_method_and_path(pattern: str, operation: str, expected: bool) -> None:
    method, _, path = pattern.partition(" ")
    assert expected == OperationPattern(method, path).matches(operation)
    assert pattern == str(OperationPattern(method, path))


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/orders", "GET /orders"),
        ("/orders/${id}", "GET /orders/{id}"),
        ("/orders/${id}/items/${item}?page=${n}", "GET /orders/{id}/items/{item}"),
    ],
)
def test_the_operation_of_a_step_shows_variables_and_no_query(path: str, operation: str) -> None:
    assert operation == Step("read", "GET", path, "orders").operation


def test_a_service_off_the_ramp_has_one_instance_for_both_sides() -> None:
    alone, ramped = Instance("7.0.1"), Instance("1.3.0")
    shop = Service("shop", alone)
    orders = Service("orders", alone, ramped)
    assert (False, True) == (shop.on_ramp, orders.on_ramp)
    assert (alone, alone) == (shop.instance(Side.STABLE), shop.instance(Side.CANARY))
    assert (alone, ramped) == (orders.instance(Side.STABLE), orders.instance(Side.CANARY))


def test_things_of_the_contract_are_found_by_name() -> None:
    stages = (Stage("before", {}, Phase.BEFORE), Stage("half", {"a": 0.2, "b": 0.5}, Phase.EXPAND))
    services = (Service("a", Instance("1"), Instance("2")), Service("b", Instance("1"), Instance("2")))
    made = Contract("ramp.yaml", ".", services, (), stages, None, Stickiness(), (Scenario("s", ()),))
    assert services[1] is made.service("b")
    assert 1 == made.stage_index("half")
    assert [0.0, 0.5] == [stage.weight for stage in stages]


def test_small_values_say_what_they_are() -> None:
    assert (Side.CANARY, "S", "C") == (Side.STABLE.other, Side.STABLE.letter, Side.CANARY.letter)
    assert "ramp.yaml:5:21" == str(Position("ramp.yaml", 5, 21))
    assert (True, False) == (Delta().empty, Delta((RowChange("db", "t", "1", None, "{}"),)).empty)
    assert ("b", None) == (Response(200, (("a", "b"),)).header("a"), Response(200).header("a"))
