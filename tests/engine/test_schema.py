"""Schema containment: a yes is never wrong, a no carries a value, the rest is unknown with its reason."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import schemas
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.schema import (
    Comparer,
    contained,
)
from crossfade.engine.schema_values import read_json
from crossfade.model.compat import Contained, Containment


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def check(a: Any, b: Any, answer: Containment, values: list[Any]) -> None:
    """The answer holds against the validator."""
    first, second = validator(a), validator(b)
    if answer.answer is Contained.NO:
        value = read_json(answer.witness or "")
        assert first.is_valid(value), (answer, "A refuses the witness")
        assert not second.is_valid(value), (answer, "B accepts the witness")
    elif answer.answer is Contained.YES:
        for value in values:
            assert not first.is_valid(value) or second.is_valid(value), (value, "A accepts it, B refuses it")
    else:
        assert answer.reason


@settings(max_examples=250, deadline=None)
@given(schemas.pairs(), st.lists(schemas.VALUES, max_size=30))
def test_answers_about_random_schemas_hold_against_the_validator(pair: tuple[Any, Any], values: list[Any]) -> None:
    a, b = pair
    check(a, b, contained(a, b), values)


@settings(max_examples=150, deadline=None)
@given(schemas.documents(), st.lists(schemas.VALUES, max_size=30))
def test_answers_about_components_that_refer_to_each_other_hold(pair: tuple[Any, Any], values: list[Any]) -> None:
    a, b = pair
    comparer = Comparer(a, b)
    for one in (comparer.contained(a, b), contained(a, b)):
        check(a, b, one, values)
    turned = comparer.contained(a, b, reverse=True)
    check(b, a, turned, values)
