"""Schema containment: a yes is never wrong, a no carries a value, the rest is unknown with its reason."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
import schemas
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.schema import DRAFT_4, DRAFT_7, DRAFT_2020_12, OPENAPI_3_0, Comparer, contained
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


# -- what it can decide


def answer(a: Any, b: Any, **more: Any) -> tuple[str, str | None]:
    found = contained(a, b, **more)
    return found.answer.value, found.witness


OBJECT = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
CAT = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}}
DOG = {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}, "name": {"type": "string"}}}
TREE = {"$ref": "#/$defs/T", "$defs": {"T": {"type": "object", "properties": {"left": {"$ref": "#/$defs/T"}}}}}
INTEGERS = {"type": "array", "items": {"type": "integer"}}
YES = [
    ({"type": "integer"}, {"type": "number"}),
    ({"enum": ["a", "b"]}, {"enum": ["b", "c", "a"]}),
    ({"type": "integer", "multipleOf": 6}, {"multipleOf": 3}),
    ({"multipleOf": 0.3}, {"multipleOf": 0.1}),
    ({"type": "integer", "minimum": 10**30 + 1}, {"exclusiveMinimum": 10**30}),
    ({"type": "string", "pattern": "^[a-f]{2,4}$"}, {"pattern": "^\\w+$", "maxLength": 4}),
    ({"type": "string", "format": "date"}, {"type": "string", "maxLength": 10}),
    ({"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
    ({"oneOf": [CAT, DOG]}, {"anyOf": [DOG, CAT]}),
    ({"anyOf": [CAT, DOG]}, {"oneOf": [DOG, CAT]}),
    ({**INTEGERS, "minItems": 2}, {"items": {"type": "number"}, "minItems": 1}),
    ({"type": "array", "prefixItems": [{"const": 1}], "minItems": 1}, {"contains": {"type": "integer"}}),
    ({"type": "array", "items": {"type": "boolean"}, "uniqueItems": True}, {"maxItems": 2}),
    (
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"patternProperties": {"^a": {"type": "number"}}},
    ),
    ({"type": "object", "required": ["a", "b"]}, {"minProperties": 2, "dependentRequired": {"a": ["b"]}}),
    ({"type": "object", "properties": {"a": {}}, "unevaluatedProperties": False}, {"propertyNames": {"const": "a"}}),
    ({"allOf": [OBJECT], "unevaluatedProperties": False}, {**OBJECT, "additionalProperties": False}),
    ({"type": "integer"}, {"if": {"minimum": 3}, "then": {"exclusiveMinimum": 2}, "else": {"maximum": 2}}),
    ({"type": "string"}, {"not": {"type": ["integer", "object"]}}),
    (TREE, {**TREE, "title": "a tree"}),
    (False, {"const": 1}),
    ({"const": {"a": [1.0]}}, {"const": {"a": [1]}}),
    ({"type": "string", "format": "no-such-format"}, {"type": "string", "format": "another"}),
]
NO = [
    ({"type": "number"}, {"type": "integer"}, "0.5"),
    ({"enum": ["a", "b", "c"]}, {"enum": ["a", "b"]}, '"c"'),
    ({"type": "integer", "multipleOf": 3}, {"multipleOf": 6}, "3"),
    ({"type": "integer", "minimum": 10**30}, {"exclusiveMinimum": 10**30}, str(10**30)),
    ({"type": "string", "pattern": "^a"}, {"pattern": "^ab"}, '"a"'),
    ({"const": 1}, {"const": True}, "1"),
    ({"type": "array"}, {"minItems": 1}, "[]"),
    (OBJECT, {**OBJECT, "required": ["a", "b"]}, '{"a": ""}'),
    ({"type": "object"}, {"type": "object", "additionalProperties": False}, '{"other": null}'),
    (INTEGERS, {**INTEGERS, "uniqueItems": True}, "[0, 0]"),
    ({"type": ["string", "null"]}, {"type": "string"}, "null"),
]


@pytest.mark.parametrize(("a", "b"), YES, ids=[json.dumps(pair)[:70] for pair in YES])
def test_contained(a: Any, b: Any) -> None:
    assert ("yes", None) == answer(a, b)


@pytest.mark.parametrize(("a", "b", "witness"), NO, ids=[json.dumps(one[:2])[:70] for one in NO])
def test_not_contained(a: Any, b: Any, witness: str) -> None:
    assert ("no", witness) == answer(a, b)


def test_what_cannot_be_decided_says_why() -> None:
    found = contained({"type": "string", "pattern": "(a)\\1"}, {"type": "string", "pattern": "^(?!b)"})
    assert Contained.UNKNOWN is found.answer
    assert "neither proved nor refuted: `pattern`" == found.reason


def test_a_sample_settles_what_the_search_cannot() -> None:
    a, b = {"type": "string", "pattern": "(a)\\1"}, {"type": "string", "pattern": "^(?!b)"}
    assert ("no", '"baa"') == answer(a, b, samples=["aa", 7, "baa"])


def test_a_dialect_nobody_knows_is_not_guessed_at() -> None:
    found = contained({"type": "integer"}, {"$schema": "https://example.com/mine", "type": "string"})
    assert (Contained.UNKNOWN, "the dialect `https://example.com/mine` is not known") == (found.answer, found.reason)


def test_draft_4_tells_one_from_one_with_a_dot() -> None:
    integer = {"type": "integer"}
    assert ("yes", None) == answer(integer, integer, dialect=(DRAFT_4, DRAFT_4))
    assert ("no", "0.0") == answer(integer, integer, dialect=(DRAFT_2020_12, DRAFT_4))
    assert ("no", "0.0") == answer({"type": "number", "multipleOf": 1}, integer, dialect=(DRAFT_4, DRAFT_4))


def test_nullable_goes_with_its_dialect() -> None:
    a = {"type": "integer", "nullable": True}
    assert ("no", "null") == answer(a, {"type": "integer"}, dialect=(OPENAPI_3_0, DRAFT_2020_12))
    assert ("yes", None) == answer(a, {"type": "integer"}, dialect=(DRAFT_7, DRAFT_2020_12))


def test_formats_may_be_annotations() -> None:
    assert ("no", '""') == answer({"type": "string"}, {"format": "date"})
    assert ("yes", None) == answer({"type": "string"}, {"format": "date"}, formats=False)


# -- the milder class


def gains(extra: dict[str, Any], **more: Any) -> Containment:
    return contained(OBJECT, {**OBJECT, "properties": {**OBJECT["properties"], **extra}, **more})


def test_an_open_object_that_gains_a_typed_property_is_told_as_such() -> None:
    found = gains({"b": {"type": "integer"}})
    assert (Contained.NO, True, "b") == (found.answer, found.open_only, found.path)
    assert {"a", "b"} == set(json.loads(found.witness or ""))


def test_another_reason_goes_before_the_forgivable_one() -> None:
    found = gains({"b": {"type": "integer"}, "a": {"type": "string", "maxLength": 3}})
    assert (Contained.NO, False, "a", "maxLength") == (found.answer, found.open_only, found.path, found.keyword)


def test_a_property_that_was_declared_without_a_type_is_no_gain() -> None:
    a = {**OBJECT, "properties": {"b": True}}
    found = contained(a, {**OBJECT, "properties": {"b": {"type": "integer"}}, "required": []})
    assert (Contained.NO, False) == (found.answer, found.open_only)


def test_a_map_with_other_values_is_no_gain() -> None:
    a = {"type": "object", "additionalProperties": {"type": "string"}}
    found = contained(a, {"type": "object", "properties": {"b": {"type": "integer"}}})
    assert (Contained.NO, False, "b") == (found.answer, found.open_only, found.path)


# -- components


def api(**schemas_: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "components": {"schemas": schemas_}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def order(**amount: Any) -> dict[str, Any]:
    money = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer", **amount}}}
    line = {"type": "object", "properties": {"price": ref("Money"), "within": ref("Order")}}
    lines = {"type": "array", "items": {"anyOf": [{"type": "string"}, ref("Line")]}}
    whole = {"type": "object", "properties": {"lines": lines, "total": ref("Money")}}
    return api(Money=money, Line=line, Order=whole)


def test_a_break_in_a_shared_component_is_told_once_with_its_own_witness() -> None:
    comparer = Comparer(order(), order(minimum=0))
    places = "/components/schemas/Money/properties/amount"
    for schema in (ref("Order"), ref("Line"), {"type": "array", "items": ref("Order")}):
        (found,) = comparer.breaks(schema, schema, "/paths/a", "/paths/a")
        assert ("minimum", "amount", (places, places)) == (found.keyword, found.path, found.pointers)
        assert {"amount": -1} == json.loads(found.witness or "")
        assert () == comparer.breaks(schema, schema, "/paths/a", "/paths/a", reverse=True)


def test_the_witness_of_the_whole_reaches_the_break_inside() -> None:
    one, two = order(), order(minimum=0)
    schema = {"type": "object", "required": ["order"], "properties": {"order": ref("Line")}}
    found = Comparer(one, two).contained(schema, schema)
    assert (Contained.NO, "order.price.amount") == (found.answer, found.path)
    assert {"order": {"price": {"amount": -1}}} == json.loads(found.witness or "")


def test_every_local_break_is_told() -> None:
    a = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"enum": [1, 2]}, "c": {"type": "integer"}}}
    b = {"type": "object", "properties": {"a": {"maxLength": 2}, "b": {"enum": [1]}, "c": {"type": "number"}}}
    found = Comparer({}, {}).breaks(a, {**b, "required": ["a"]}, "/left", "/right")
    assert [("a", "maxLength"), ("a", "required"), ("b", "enum")] == sorted((one.path, one.keyword) for one in found)
    assert all(one.answer is Contained.NO for one in found)
    assert ("/left/properties/b", "/right/properties/b") == next(one.pointers for one in found if one.path == "b")


def test_a_recursive_component_without_end_has_no_values() -> None:
    endless = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/E"}}}
    a = {"$ref": "#/$defs/E", "$defs": {"E": endless}}
    assert ("yes", None) == answer(a, {"type": "string"})


def test_what_was_assumed_for_a_component_that_breaks_is_not_kept() -> None:
    """B is searched first with A assumed; A breaks, so B must break too."""
    one = {"type": "object", "properties": {"b": ref("B"), "z": {"type": "integer"}}}
    two = {"type": "object", "properties": {"a": ref("A")}}
    comparer = Comparer(
        api(A=one, B=two), api(A={**one, "properties": {"b": ref("B"), "z": {"type": "string"}}}, B=two)
    )
    answers = [comparer.contained(ref(name), ref(name)).answer for name in ("A", "B", "A", "B")]
    assert [Contained.NO] * 4 == answers


def test_a_reference_in_a_circle_is_what_the_validator_makes_of_it() -> None:
    circle = {"$ref": "#/$defs/C", "$defs": {"C": {"$ref": "#/$defs/C"}}}
    text = {"type": "string"}
    check(circle, text, contained(circle, text), ["a", 1, None])
    check(text, circle, contained(text, circle), ["a", 1, None])


def test_a_component_that_cannot_be_found_is_unknown() -> None:
    assert "unknown" == answer({"type": "string"}, ref("Gone"))[0]


def test_the_same_answers_every_time() -> None:
    def told() -> list[Containment]:
        comparer = Comparer(order(), order(minimum=0, maximum=9))
        return [one for name in ("Order", "Line") for one in comparer.breaks(ref(name), ref(name))]

    assert told() == told()


def test_what_is_nested_too_deeply_or_not_finite_is_unknown() -> None:
    deep: Any = {"type": "integer"}
    for _ in range(3000):
        deep = {"type": "array", "items": deep}
    for schema in (deep, {"maximum": float("inf")}, {"const": [float("inf")]}):
        for a, b in ((schema, {"type": "null"}), ({"type": ["null", "array"]}, schema)):
            comparer = Comparer({}, {})
            assert comparer.contained(a, b).answer is not Contained.YES
            assert all(one.answer is not Contained.YES for one in comparer.breaks(a, b))


@settings(max_examples=60, deadline=None)
@given(schemas.documents())
def test_there_are_breaks_exactly_where_it_is_not_contained(pair: tuple[Any, Any]) -> None:
    a, b = pair
    for reverse in (False, True):
        comparer = Comparer(a, b)
        found = comparer.breaks(a, b, reverse=reverse)
        assert bool(found) == (comparer.contained(a, b, reverse=reverse).answer is not Contained.YES)
