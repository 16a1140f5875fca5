"""The parts of schema containment against slower, obvious versions: patterns, dialects, the quick check of values."""

from __future__ import annotations

import itertools
from typing import Any

import jsonschema_rs
import pytest
import schemas
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.schema_check import holds
from crossfade.engine.schema_nodes import Universe, validator_class
from crossfade.engine.schema_regex import Language, language, matches, strings
from crossfade.engine.schema_rewrite import DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019_09, DRAFT_2020_12, rewritten
from crossfade.engine.schema_values import exact, json_text, number_of, read_json, same_key

SHORT = ["".join(letters) for length in range(5) for letters in itertools.product("ab\n", repeat=length)]

_ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "\\n", "\\w", "\\s", "^", "$", ""])
REGEXES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.builds(lambda one, two: one + two, inner, inner),
        st.builds(lambda one, two: f"(?:{one}|{two})", inner, inner),
        st.builds(lambda one, times: f"({one}){times}", inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}"])),
    ),
    max_leaves=5,
)


def validator(pattern: str) -> jsonschema_rs.Draft202012Validator:
    """With the linear engine: the other one of jsonschema-rs 0.60 finds `a+a*a+` in `a`."""
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


@settings(max_examples=120, deadline=None)
@given(REGEXES)
def test_a_pattern_matches_as_the_validator_says(pattern: str) -> None:
    compiled = validator(pattern)
    for text in SHORT:
        answer = matches(pattern, text)
        assert answer is None or answer == compiled.is_valid(text), (pattern, text)


@settings(max_examples=120, deadline=None)
@given(REGEXES, REGEXES, st.integers(0, 2), st.one_of(st.none(), st.integers(0, 3)))
def test_inclusion_of_patterns_against_all_short_strings(
    one: str, two: str, shortest: int, longest: int | None
) -> None:
    first, second = validator(one), validator(two)
    found = language([one], [two], shortest, longest)
    between = [
        text
        for text in SHORT
        if first.is_valid(text) and not second.is_valid(text)
        if shortest <= len(text) and (longest is None or len(text) <= longest)
    ]
    if found is Language.EMPTY:
        assert [] == between
    elif found is Language.INHABITED and longest is not None:
        inside = strings([one], [two], shortest, longest)
        assert any(first.is_valid(text) and not second.is_valid(text) for text in inside)


@pytest.mark.parametrize("pattern", ["(a)\\1", "^(?=a)", "(?<!a)b", "a\\b", "\\p{L}", "a{1000}{9}", "(", "[b-a]"])
def test_patterns_that_are_not_regular_are_left_alone(pattern: str) -> None:
    assert matches(pattern, "a") is None
    assert language(["^a"], [pattern]) is not Language.EMPTY


@settings(max_examples=200, deadline=None)
@given(schemas.SCHEMAS, schemas.VALUES)
def test_the_quick_check_agrees_with_the_validator(schema: Any, value: Any) -> None:
    universe = Universe(({}, {}), (DRAFT_2020_12, DRAFT_2020_12))
    answer = holds(universe.sides[0].node(schema, ""), value)
    truth = jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)
    assert answer is None or answer == truth


# -- dialects

_OLD: dict[str, list[dict[str, Any]]] = {
    DRAFT_4: [
        {"minimum": 2, "exclusiveMinimum": True},
        {"maximum": 2, "exclusiveMaximum": False},
        {"items": [{"type": "string"}], "additionalItems": False},
        {"items": {"type": "string"}, "additionalItems": False},
        {"dependencies": {"a": ["b"], "b": {"minProperties": 3}}},
        {"const": 1, "contains": {"const": 1}, "if": {}, "then": False},
        {"$ref": "#/definitions/x", "minimum": 100, "definitions": {"x": {"type": ["integer", "string"]}}},
        {"propertyNames": False, "prefixItems": [False], "dependentRequired": {"a": ["zz"]}},
    ],
    DRAFT_7: [
        {"items": [{"const": 1}, True], "additionalItems": {"type": "null"}},
        {"additionalItems": False},
        {"dependencies": {"a": {"required": ["c"]}}},
        {"if": {"minimum": 1}, "then": {"multipleOf": 2}, "else": {"type": "string"}},
        {"contains": {"type": "integer"}, "minContains": 2},
        {"unevaluatedProperties": False, "dependentRequired": {"a": ["zz"]}},
    ],
    DRAFT_2019_09: [
        {"items": [{"const": 1}], "additionalItems": False},
        {"contains": {"type": "integer"}, "minContains": 2, "maxContains": 3},
        {"items": [True], "unevaluatedItems": False},
        {"prefixItems": [False]},
        {"dependentSchemas": {"a": {"required": ["b"]}}},
    ],
}
_OLD[DRAFT_6] = [*_OLD[DRAFT_4][2:5], {"exclusiveMinimum": 1, "const": 2}, {"if": {}, "then": False}]
CASES = [(dialect, schema) for dialect, found in _OLD.items() for schema in found]


@pytest.mark.parametrize(("dialect", "schema"), CASES, ids=[f"{one[-20:]} {two}"[:70] for one, two in CASES])
@settings(max_examples=60, deadline=None)
@given(value=schemas.VALUES)
def test_a_rewritten_schema_accepts_the_same(dialect: str, schema: Any, value: Any) -> None:
    old = validator_class(dialect)(schema)
    new = jsonschema_rs.Draft202012Validator(rewritten(schema, dialect))
    assert old.is_valid(value) == new.is_valid(value)


# -- values


@given(schemas.VALUES, schemas.VALUES)
def test_values_have_the_same_key_exactly_when_the_validator_calls_them_equal(one: Any, two: Any) -> None:
    equal = jsonschema_rs.Draft202012Validator({"const": one}).is_valid(two)
    assert equal == (same_key(one) == same_key(two))
    assert same_key(one) == same_key(read_json(json_text(one)))


@pytest.mark.parametrize("number", [0, -7, 0.1, 1.5, 10**40, 1e-7, 2.0**60, 123456789012345680000.5])
def test_numbers_come_back_as_they_were(number: Any) -> None:
    assert exact(number) == exact(number_of(exact(number)))
