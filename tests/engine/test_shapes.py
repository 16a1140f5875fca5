"""The shape check: learned shapes against brute force, schemas against the validator, and who cannot read what."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.answers import Answer
from crossfade.engine.shapes import (
    Shape,
    ShapeProblem,
    both_ways,
    breaches,
    broken_promises,
    learned,
    merge,
    schema_problems,
)
from crossfade.model.api import ApiDescription, ApiOperation, ApiResponse
from crossfade.model.ramp import Side

KEYS = st.sampled_from(["a", "b", "c", "7", "41", "0b5cbe9c-2a7e-4c5e-9d1a-111111111111"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.just(0.5), st.sampled_from(["", "x"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def answer(body: Any, status: int = 200, media: str = "application/json", kind: str = "json") -> Answer:
    return Answer(status=status, media=media, kind=kind, body=body)


def description(schema: Any, **definitions: Any) -> ApiDescription:
    """A description whose one operation answers 200 with `schema`."""
    operation = ApiOperation("GET", "/a", (ApiResponse("200", {"application/json": "answer"}),))
    return ApiDescription("api.yaml", "3.1.0", (operation,), {"$defs": {"answer": schema, **definitions}})


def told(problems: tuple[ShapeProblem, ...]) -> list[tuple[str, str]]:
    return [(problem.path, problem.keyword) for problem in problems]


def strict(body: Any, schema: Any) -> list[str]:
    return [
        problem.message for problem in schema_problems(answer(body), description(schema), "GET", "/a", tolerant=False)
    ]


def tolerant(body: Any, schema: Any) -> list[tuple[str, str]]:
    return told(schema_problems(answer(body), description(schema), "GET", "/a", tolerant=True))


# -- learned shapes


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_every_value_fits_the_shape_learned_from_it(values: list[Any]) -> None:
    shape = learned(values)
    assert [broken_promises(value, shape) for value in values] == [()] * len(values)


@given(VALUES, st.lists(VALUES, max_size=3), st.lists(VALUES, max_size=3))
def test_what_two_consumers_can_read_the_consumer_of_both_can_read(
    seen: Any, some: list[Any], others: list[Any]
) -> None:
    one, two = learned(some), learned(others)
    if not broken_promises(seen, one) and not broken_promises(seen, two):
        assert broken_promises(seen, merge(one, two)) == ()


@given(VALUES, st.lists(VALUES, max_size=3))
def test_a_sample_stays_readable_whatever_is_merged_on_either_side(seen: Any, others: list[Any]) -> None:
    for shape in (merge(learned([seen]), learned(others)), merge(learned(others), learned([seen]))):
        assert broken_promises(seen, shape) == ()


FIRM = st.recursive(  # values that promise everything: no null, no empty list or object, no ids as keys
    st.one_of(st.booleans(), st.integers(0, 3), st.just("x")),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=2), st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)


def kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


def breaks(seen: Any, sample: Any) -> bool:
    """The obvious version for one sample without nulls: same types, and no key of the sample missing."""
    if kind(seen) != kind(sample):
        return True
    if isinstance(sample, dict):
        return any(key not in seen or breaks(seen[key], sample[key]) for key in sample)
    if isinstance(sample, list):
        return any(broken_promises(item, learned(sample)) != () for item in seen)
    return False


@given(FIRM, FIRM)
def test_one_sample_promises_its_fields_and_types_and_nothing_else(seen: Any, sample: Any) -> None:
    assert (broken_promises(seen, learned([sample])) != ()) == breaks(seen, sample)


def test_a_field_that_was_in_every_sample_is_missed_and_one_that_was_not_is_not() -> None:
    shape = learned([{"id": 1, "note": "x"}, {"id": 2}])
    assert told(broken_promises({"note": "x"}, shape)) == [("body.id", "absent")]
    assert broken_promises({"id": 1, "new": []}, shape) == ()


@pytest.mark.parametrize(
    ("samples", "seen", "problems"),
    [
        ([{"n": 1}, {"n": 2.5}], {"n": 3}, []),
        ([{"n": 1}], {"n": "1"}, [("body.n", "type")]),
        ([{"n": 1}], {"n": True}, [("body.n", "type")]),
        ([{"n": {}}], {"n": []}, [("body.n", "type")]),
        ([{"n": 1}], {"n": None}, [("body.n", "type")]),
        ([{"n": None}], {"n": "now it is known"}, []),
        ([{"n": None}, {"n": 1}], {"n": None}, []),
        ([[]], [1, "x"], []),
        ([[{"a": 1}]], [], []),
        ([[{"a": 1}, {"a": 2, "b": 1}]], [{"a": 1}, {"b": 1}, {"b": 2}], [("body[1].a", "absent")]),
        ([{"by": {"41": {"n": 1}}}], {"by": {"77": {"n": 1}}}, []),
        (
            [{"by": {"41": {"n": 1}}}],
            {"by": {"77": {"n": "x"}, "78": {}}},
            [("body.by.77.n", "type"), ("body.by.78.n", "absent")],
        ),
        ([{"by": {"ann": 1}}, {"by": {"bob": 1}}], {"by": {"eve": 1}}, []),
        ([{}], {"a": 1}, []),
        (["x"], {"a": 1}, [("body", "type")]),
    ],
)
def test_promises_by_example(samples: list[Any], seen: Any, problems: list[tuple[str, str]]) -> None:
    assert told(broken_promises(seen, learned(samples))) == problems


def test_the_same_breach_in_many_items_is_told_once_with_its_number() -> None:
    (problem,) = broken_promises([{"n": "x"}] * 3, learned([[{"n": 1}]]), owner="stable")
    assert problem.message == "`body[0].n` is a string; the stable always answered a number (and in 2 more places)"
    assert problem.pattern == "body[].n"


def test_bottomless_nesting_promises_nothing_below_and_does_not_end_in_a_crash() -> None:
    deep: Any = 1
    other: Any = "x"
    for _ in range(400):
        deep, other = [deep], [other]
    assert broken_promises(other, learned([deep])) == ()


# -- schemas

SCHEMAS = st.sampled_from(
    [
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        {"oneOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}]},
        {"type": "array", "items": {"enum": [1, "x", None]}, "maxItems": 2, "uniqueItems": True},
        {"not": {"type": "array"}, "minProperties": 2},
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {"properties": {"b": {"const": 1}}, "required": ["b"]},
            ]
        },
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "unevaluatedProperties": False},
        {"type": ["object", "array"], "additionalProperties": False},
        {"propertyNames": {"maxLength": 1}, "dependentRequired": {"a": ["b"]}, "contains": {"type": "string"}},
        False,
    ]
)


@settings(max_examples=300)
@given(VALUES, SCHEMAS)
def test_strict_reading_agrees_with_the_validator(body: Any, schema: Any) -> None:
    valid = jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(body)
    assert (strict(body, schema) == []) == valid


@given(VALUES, SCHEMAS)
def test_a_tolerant_reader_never_sees_more_than_a_strict_one(body: Any, schema: Any) -> None:
    if tolerant(body, schema):
        assert strict(body, schema)


@pytest.mark.parametrize(
    ("body", "schema", "message"),
    [
        (
            {"a": "1"},
            {"properties": {"a": {"type": "integer"}}},
            "`body.a` is a string; the description promises an integer",
        ),
        (
            {"a": 1.5},
            {"properties": {"a": {"type": "integer"}}},
            "`body.a` is 1.5; the description promises an integer",
        ),
        ({}, {"required": ["a"]}, "`body.a` is missing; the description requires it"),
        (
            {"a": "c"},
            {"properties": {"a": {"enum": ["a", "b"]}}},
            '`body.a` is "c"; the description allows only "a", "b"',
        ),
        ("{x}", {"const": 1}, '`body` is "{x}"; the description allows only 1'),
        ({"z": 1}, {"additionalProperties": False}, "`body` has a field the description does not allow"),
        (
            {"z": 1},
            {"properties": {"a": {}}, "additionalProperties": False},
            "`body.z` is not in the description, which allows no other fields",
        ),
        ("soon", {"format": "date-time"}, '`body` is "soon"; the description promises the format date-time'),
        ([1, 2], {"maxItems": 1}, "`body` is [1,2]; the description promises at most 1 items"),
        (
            {"a": 1},
            {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            "`body.a` is a number; the description promises a string or null",
        ),
        (
            {"a": {"n": "x"}},
            {"properties": {"a": {"anyOf": [{"properties": {"n": {"type": "integer"}}}, {"type": "null"}]}}},
            "`body.a.n` is a string; the description promises an integer",
        ),
        (1, {"not": {"type": "integer"}}, "`body` is 1; the description has `not` there"),
    ],
)
def test_problems_are_told_in_plain_words(body: Any, schema: Any, message: str) -> None:
    assert strict(body, schema) == [message]


def test_a_tolerant_reader_accepts_new_fields_but_no_new_enum_value() -> None:
    closed = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "additionalProperties": False}
    assert tolerant({"a": "x", "new": 1}, closed) == []
    assert tolerant({"a": "y", "new": 1}, closed) == [("body.a", "enum")]
    either = {"oneOf": [closed, {"type": "object", "required": ["b"], "additionalProperties": False}]}
    assert tolerant({"a": "x", "new": 1}, either) == []
    assert tolerant({"a": "y", "new": 1}, {"anyOf": [closed, {"type": "null"}]}) == [("body.a", "enum")]
    assert tolerant({"new": 1}, {"allOf": [{"properties": {"a": True}}], "unevaluatedProperties": False}) == []


def test_an_undocumented_status_is_told_weakly_and_only_to_the_side_itself() -> None:
    api = description(True)
    (problem,) = schema_problems(answer({}, 404), api, "GET", "/a", tolerant=False, owner="stable")
    assert (problem.keyword, problem.weak) == ("undocumented-status", True)
    assert problem.message == "`GET /a` answered 404; the stable's description does not mention that status"
    assert schema_problems(answer({}, 404), api, "GET", "/a", tolerant=True) == ()
    assert schema_problems(answer({}, 500), api, "GET", "/a", tolerant=False) == ()  # the status check's
    assert schema_problems(answer({}, 404), api, "GET", "/other", tolerant=False) == ()


def test_a_body_that_is_not_the_promised_json_cannot_be_read() -> None:
    api = description({"type": "object"})
    html = answer("<html>", media="text/html", kind="text")
    assert told(schema_problems(html, api, "GET", "/a", tolerant=True)) == [("body", "media")]
    empty = answer(None, media="", kind="empty")
    assert told(schema_problems(empty, api, "GET", "/a", tolerant=False)) == [("body", "media")]
    assert schema_problems(empty, api, "HEAD", "/a", tolerant=False) == ()
    unlabelled = answer([], media="")
    assert told(schema_problems(unlabelled, api, "GET", "/a", tolerant=False)) == [("body", "type")]


def test_a_schema_that_cannot_be_compiled_is_told_and_fails_nothing() -> None:
    (problem,) = schema_problems(answer({}), description({"$ref": "#/$defs/none"}), "GET", "/a", tolerant=False)
    assert (problem.keyword, problem.weak) == ("schema", True)


# -- both readers

AMOUNT_NUMBER = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}
AMOUNT_TEXT = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "string"}}}
WITH_CURRENCY = {"allOf": [AMOUNT_NUMBER, {"required": ["currency"], "properties": {"currency": {"enum": ["EUR"]}}}]}


def judged(
    body: Any,
    side: Side,
    stable: Any = None,
    canary: Any = None,
    shapes: dict[Side, Shape | None] | None = None,
    old: frozenset[tuple[str, str]] = frozenset(),
) -> list[tuple[str, str, str, bool]]:
    descriptions = {
        Side.STABLE: None if stable is None else description(stable),
        Side.CANARY: None if canary is None else description(canary),
    }
    problems = both_ways(answer(body), side, "GET", "/a", descriptions=descriptions, shapes=shapes or {}, old=old)
    return [(problem.reader, problem.path, problem.keyword, problem.weak) for problem in problems]


def test_a_changed_type_hurts_the_reader_of_the_other_side_in_both_directions() -> None:
    assert judged({"amount": "5"}, Side.CANARY, AMOUNT_NUMBER, AMOUNT_TEXT) == [
        ("stable", "body.amount", "type", False)
    ]
    assert judged({"amount": 5}, Side.STABLE, AMOUNT_NUMBER, AMOUNT_TEXT) == [("canary", "body.amount", "type", False)]


def test_a_new_field_hurts_nobody_and_its_absence_on_the_stable_is_only_told() -> None:
    assert judged({"amount": 5, "currency": "EUR"}, Side.CANARY, AMOUNT_NUMBER, WITH_CURRENCY) == []
    assert judged({"amount": 5}, Side.STABLE, AMOUNT_NUMBER, WITH_CURRENCY) == [
        ("canary", "body.currency", "required", True)
    ]
    assert judged({"amount": 5}, Side.STABLE, None, WITH_CURRENCY) == [("canary", "body.currency", "required", True)]
    # the stable knows the field, as an optional one: then the canary's consumer may rightly miss it
    optional = {"properties": {"currency": {"type": "string"}}}
    assert judged({"amount": 5}, Side.STABLE, optional, WITH_CURRENCY) == [
        ("canary", "body.currency", "required", False)
    ]


def test_a_field_the_canary_dropped_is_missed_by_the_consumers_of_the_stable() -> None:
    assert judged({}, Side.CANARY, AMOUNT_NUMBER, {"type": "object"}) == [("stable", "body.amount", "required", False)]


def test_limits_that_only_the_canary_sets_are_told_and_fail_nothing() -> None:
    narrow = {"properties": {"amount": {"maximum": 3}}}
    assert judged({"amount": 5}, Side.STABLE, AMOUNT_NUMBER, narrow) == [("canary", "body.amount", "maximum", True)]
    assert judged({"amount": 5}, Side.CANARY, narrow, AMOUNT_NUMBER) == [("stable", "body.amount", "maximum", False)]


def test_learned_shapes_stand_in_where_there_is_no_description() -> None:
    shapes: dict[Side, Shape | None] = {
        Side.STABLE: learned([{"amount": 5, "note": None}]),
        Side.CANARY: learned([{"amount": 5, "note": "x", "currency": "EUR"}]),
    }
    assert judged({"amount": "5", "note": "x", "currency": "EUR"}, Side.CANARY, shapes=shapes) == [
        ("canary", "body.amount", "type", False),
        ("stable", "body.amount", "type", False),
    ]
    assert judged({"amount": 5, "note": None}, Side.STABLE, shapes=shapes) == [
        ("canary", "body.note", "type", True),
        ("canary", "body.currency", "absent", True),
    ]


def test_what_a_description_leaves_open_is_decided_by_what_was_seen() -> None:
    shapes: dict[Side, Shape | None] = {Side.STABLE: learned([{"amount": 5, "note": "x"}]), Side.CANARY: None}
    missing = [("stable", "body.note", "absent", False), ("stable", "body.amount", "type", False)]
    assert sorted(judged({"amount": "5"}, Side.CANARY, {}, None, shapes=shapes)) == sorted(missing)
    loose = {"properties": {"amount": {}, "note": {"type": "string"}}}  # `note` may be absent, and it says so
    assert judged({"amount": "5"}, Side.CANARY, loose, None, shapes=shapes) == missing[1:]
    wide = {"properties": {"amount": {"type": ["number", "string"]}, "note": {}}}
    assert judged({"amount": "5"}, Side.CANARY, wide, None, shapes=shapes) == []


def test_a_breach_the_stable_alone_shows_before_the_ramp_is_old() -> None:
    stable_answer = answer({"amount": "5"})
    before = schema_problems(stable_answer, description(AMOUNT_NUMBER), "GET", "/a", tolerant=False)
    old = breaches(before)
    assert old == {("body.amount", "type")}
    assert judged({"amount": "5"}, Side.STABLE, AMOUNT_NUMBER, None, old=old) == [
        ("stable", "body.amount", "type", True)
    ]
    assert judged({"amount": "5"}, Side.CANARY, AMOUNT_NUMBER, AMOUNT_NUMBER, old=old) == [
        ("canary", "body.amount", "type", True),
        ("stable", "body.amount", "type", True),
    ]


def test_no_answer_at_all_has_no_shape() -> None:
    api = description(AMOUNT_NUMBER)
    nothing = Answer(status=0, failure="reset")
    assert (
        both_ways(nothing, Side.STABLE, "GET", "/a", descriptions={Side.STABLE: api, Side.CANARY: api}, shapes={}) == ()
    )
