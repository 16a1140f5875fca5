"""Random schemas and values for the tests of schema containment."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "ab", "c"])
TEXTS = st.sampled_from(["", "a", "b", "ab", "ba", "abc", "é", "2000-01-01", "x@y.zz", "1"])
NUMBERS = st.one_of(st.integers(-3, 7), st.sampled_from([0.5, 1.5, -0.5, 2.0, 0.1, 0.3, 10**20, 2.25]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
PATTERNS = st.sampled_from(["^a", "b$", "^[ab]*$", "^a?b?c?$", "a|b", "^.{1,2}$", "^\\d", "^x-", "(a)\\1", ""])
FORMATS = st.sampled_from(["date", "email", "uri", "uri-reference", "no-such-format"])
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
COUNTS = st.integers(0, 3)

_PLAIN: list[Any] = [
    st.fixed_dictionaries({"type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True))}),
    st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries(
        {}, optional={"minimum": NUMBERS, "exclusiveMaximum": NUMBERS, "maximum": NUMBERS, "exclusiveMinimum": NUMBERS}
    ),
    st.fixed_dictionaries({"multipleOf": st.sampled_from([1, 2, 3, 0.5, 0.1, 1.5, 0.25])}),
    st.fixed_dictionaries(
        {}, optional={"minLength": COUNTS, "maxLength": COUNTS, "pattern": PATTERNS, "format": FORMATS}
    ),
    st.fixed_dictionaries({}, optional={"minItems": COUNTS, "maxItems": COUNTS, "uniqueItems": st.booleans()}),
    st.fixed_dictionaries({}, optional={"minProperties": COUNTS, "maxProperties": COUNTS}),
    st.fixed_dictionaries({"required": st.lists(NAMES, max_size=2, unique=True)}),
    st.fixed_dictionaries({"dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=1), max_size=1)}),
]


def _deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(NAMES, inner, max_size=2)
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(_joined, inner, inner),
        st.fixed_dictionaries(
            {"properties": named}, optional={"additionalProperties": inner, "type": st.just("object")}
        ),
        st.fixed_dictionaries(
            {"patternProperties": st.dictionaries(PATTERNS, inner, max_size=2)},
            optional={"additionalProperties": inner, "properties": named},
        ),
        st.fixed_dictionaries({"propertyNames": inner}),
        st.fixed_dictionaries({"dependentSchemas": st.dictionaries(NAMES, inner, max_size=1)}),
        st.fixed_dictionaries({"items": inner}, optional={"prefixItems": several, "type": st.just("array")}),
        st.fixed_dictionaries({"contains": inner}, optional={"minContains": COUNTS, "maxContains": COUNTS}),
        st.fixed_dictionaries({"allOf": several}),
        st.fixed_dictionaries({"anyOf": several}),
        st.fixed_dictionaries({"oneOf": several}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner}),
        st.fixed_dictionaries({"properties": named, "unevaluatedProperties": inner}, optional={"allOf": several}),
        st.fixed_dictionaries({"prefixItems": several, "unevaluatedItems": inner}, optional={"anyOf": several}),
    )


def _joined(one: Any, two: Any) -> Any:
    return {**one, **two} if isinstance(one, dict) and isinstance(two, dict) else one


SCHEMAS: st.SearchStrategy[Any] = st.recursive(st.one_of(st.booleans(), *_PLAIN), _deeper, max_leaves=5)
_REFERENCES = st.sampled_from([{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two"}])
REFERRING = st.recursive(st.one_of(_REFERENCES, _REFERENCES, *_PLAIN), _deeper, max_leaves=4)


@st.composite
def changed(draw: Any, schema: Any) -> Any:
    """The schema, with one part of it exchanged, dropped or doubled."""
    if isinstance(schema, bool) or not schema or draw(st.integers(0, 3)) == 0:
        return draw(SCHEMAS)
    key = draw(st.sampled_from(sorted(schema)))
    value = schema[key]
    if draw(st.booleans()):
        return {one: other for one, other in schema.items() if one != key}
    if isinstance(value, dict) and key not in ("const", "dependentRequired"):
        if key in ("properties", "patternProperties", "dependentSchemas"):
            if not value:
                return schema
            name = draw(st.sampled_from(sorted(value)))
            return {**schema, key: {**value, name: draw(changed(value[name]))}}
        return {**schema, key: draw(changed(value))}
    if isinstance(value, list) and key in ("allOf", "anyOf", "oneOf", "prefixItems") and value:
        index = draw(st.integers(0, len(value) - 1))
        return {**schema, key: [*value[:index], draw(changed(value[index])), *value[index + 1 :]]}
    if isinstance(value, int) and not isinstance(value, bool) and key != "const":
        return {**schema, key: max(1 if key == "multipleOf" else 0, value + draw(st.sampled_from([-1, 1])))}
    return {**schema, "allOf": [draw(SCHEMAS)]}


@st.composite
def pairs(draw: Any) -> tuple[Any, Any]:
    one = draw(SCHEMAS)
    two = draw(st.one_of(SCHEMAS, changed(one), changed(one)))
    return (one, two) if draw(st.booleans()) else (two, one)


@st.composite
def documents(draw: Any) -> tuple[Any, Any]:
    """Two documents with components that refer to each other, mostly alike."""
    one = {"$ref": "#/$defs/one", "$defs": {"one": _guarded(draw(REFERRING)), "two": _guarded(draw(REFERRING))}}
    name = draw(st.sampled_from(["one", "two"]))
    other = draw(st.one_of(changed(one["$defs"][name]), REFERRING))
    two = {**one, "$defs": {**one["$defs"], name: _guarded(other)}}
    return (one, two) if draw(st.booleans()) else (two, one)


def _guarded(schema: Any) -> Any:
    """References only below a step into the value: others have no meaning when they go in circles."""
    return {"properties": {"a": schema}, "items": schema} if "$ref" in str(schema) else schema
