"""Expressions: what they see, and that a failure to evaluate is a result."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.model.expression import Evaluated, Expression, ExpressionError, check, evaluated

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
SEEN: dict[str, Any] = {
    "status": 201,
    "body": {"amount": 500, "items": [{"sku": "A1"}], "price": 2.5, "none": None, "big": 2**70},
    "headers": {"content-type": "application/json"},
    "text": "",
    "saved": {"id": 7},
}


@pytest.mark.parametrize(
    "source",
    [
        "status == 201",
        "body.amount == 500",
        "body.items[0].sku == 'A1'",
        "size(body.items) == 1",
        "has(body.price) && !has(body.colour)",
        "headers['content-type'].startsWith('application/')",
        "saved.id == 7",
        "body.none == null",
        "body.items.all(item, item.sku != '')",
        "body.big > 1.0",
    ],
)
def test_what_is_true_of_an_answer_holds(source: str) -> None:
    check(source)
    assert Evaluated(True) == evaluated(Expression(source), SEEN)


@pytest.mark.parametrize(
    ("source", "value"), [("status == 200", False), ("body.amount + 1", 501), ("body.items[0]", {"sku": "A1"})]
)
def test_what_is_not_true_does_not_hold(source: str, value: Any) -> None:
    result = evaluated(Expression(source), SEEN)
    assert (value, "", False) == (result.value, result.error, result.holds)


def test_a_missing_field_is_an_error_and_names_itself() -> None:
    result = evaluated(Expression("body.colour == 'red'"), SEEN)
    assert ("there is no `colour`", False) == (result.error, result.holds)


def test_an_expression_over_a_body_that_is_no_object_is_an_error_not_an_exception() -> None:
    for body in (None, 3, "text", [1]):
        result = evaluated(Expression("body.amount == 500"), {**SEEN, "body": body})
        assert result.error
        assert not result.holds


@pytest.mark.parametrize("source", ["status ==", "order.id == 1", "status == 'x", "body.amount = 3", ""])
def test_a_text_that_is_no_expression_says_where(source: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        check(source)
    assert raised.value.reason
    assert 1 <= raised.value.column <= len(source) + 1


def test_state_rules_see_rows_and_nothing_else() -> None:
    check("rows[0][0] == 0", "rows")
    assert evaluated(Expression("rows[0][0] == 0", "rows"), {"rows": [[0]]}).holds
    assert evaluated(Expression("size(rows) == 0", "rows"), {"rows": []}).holds
    with pytest.raises(ExpressionError):
        check("status == 200", "rows")
    with pytest.raises(ExpressionError):
        check("rows[0][0] == 0", "step")


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    )
)
def test_any_body_can_be_looked_at(body: Any) -> None:
    assert evaluated(Expression("status == 201"), {**SEEN, "body": body}).holds
    assert evaluated(Expression("body == body"), {**SEEN, "body": body}).holds
