"""Rewrites schemas of older dialects to JSON Schema 2020-12, keeping exactly the values they accept.

Keys and pointers stay where they are as far as 2020-12 lets them (`definitions` stays), so a reference into the document
still finds its target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019_09 = "https://json-schema.org/draft/2019-09/schema"
DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"
OPENAPI_3_0 = "openapi-3.0"
OPENAPI_3_1 = "openapi-3.1"
DIALECTS = (DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019_09, DRAFT_2020_12, OPENAPI_3_0, OPENAPI_3_1)

_REF_ALONE = frozenset({DRAFT_4, DRAFT_6, DRAFT_7, OPENAPI_3_0})  # keywords beside `$ref` say nothing there
_MODERN = frozenset({DRAFT_2020_12, OPENAPI_3_1})
_NEW_2019: tuple[str, ...] = ("dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties")
_NEW_2019 += ("minContains", "maxContains", "$recursiveRef", "$dynamicRef", "prefixItems", "$anchor", "$dynamicAnchor")
_NEW_6 = ("const", "contains", "propertyNames", "examples")
_NEW_7 = ("if", "then", "else")
_UNKNOWN: dict[str, frozenset[str]] = {  # keywords of later dialects: nobody asserts them there
    DRAFT_4: frozenset((*_NEW_2019, *_NEW_6, *_NEW_7)),
    OPENAPI_3_0: frozenset((*_NEW_2019, *_NEW_6, *_NEW_7, "patternProperties", "dependencies", "$id", "$schema", "id")),
    DRAFT_6: frozenset((*_NEW_2019, *_NEW_7)),
    DRAFT_7: frozenset(_NEW_2019),
    DRAFT_2019_09: frozenset(("prefixItems", "$dynamicRef", "$dynamicAnchor")),
}
_ONE: tuple[str, ...] = ("not", "if", "then", "else", "contains", "propertyNames", "additionalProperties", "items")
_ONE += ("additionalItems", "unevaluatedItems", "unevaluatedProperties", "contentSchema")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")


def rewritten(schema: Any, dialect: str) -> Any:
    """The same values in 2020-12. `dialect` is the URI of a draft (with or without `#`), or OPENAPI_3_0, OPENAPI_3_1.

    >>> rewritten({"type": "integer", "nullable": True, "minimum": 0, "exclusiveMinimum": True}, OPENAPI_3_0)
    {'type': ['integer', 'null'], 'exclusiveMinimum': 0}
    """
    dialect = dialect_named(dialect)
    if dialect in _MODERN:
        return schema
    return _rewritten(schema, dialect)


def dialect_named(text: str) -> str:
    """The constant for a dialect as a document writes it: a `$schema`, or an `openapi` version ("3.0.3").

    >>> dialect_named("3.0.3"), dialect_named("http://json-schema.org/draft-07/schema")
    ('openapi-3.0', 'http://json-schema.org/draft-07/schema#')
    """
    if text in DIALECTS:
        return text
    if text.startswith("3."):
        return OPENAPI_3_0 if text.startswith("3.0") else OPENAPI_3_1
    plain = text.rstrip("#").replace("https://", "http://")
    for known in DIALECTS:
        if known.rstrip("#").replace("https://", "http://") == plain:
            return known
    if plain == "http://json-schema.org/schema" or "spec.openapis.org/oas/3.1" in plain:
        return DRAFT_2020_12
    raise ValueError(f"unknown dialect `{text}`; known are {', '.join(DIALECTS)}")


def _rewritten(schema: Any, dialect: str) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and dialect in _REF_ALONE:
        kept = {key: _value(key, schema[key], dialect) for key in ("definitions", "$defs") if key in schema}
        return {"$ref": schema["$ref"], **kept} if isinstance(schema["$ref"], str) else kept
    unknown = _UNKNOWN[dialect]
    result = {key: _value(key, value, dialect) for key, value in schema.items() if key not in unknown}
    for change in _CHANGES[dialect]:
        change(result, schema)
    return result


def _value(key: str, value: Any, dialect: str) -> Any:
    if key in _ONE and isinstance(value, dict):
        return _rewritten(value, dialect)
    if (key in _MANY or key == "items") and isinstance(value, list):
        return [_rewritten(one, dialect) for one in value]
    if key in _NAMED and isinstance(value, dict):
        return {name: _rewritten(one, dialect) for name, one in value.items()}
    if key == "dependencies" and isinstance(value, dict):
        return {name: one if isinstance(one, list) else _rewritten(one, dialect) for name, one in value.items()}
    return value


def _limits(result: dict[str, Any], schema: Mapping[str, Any]) -> None:
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if not isinstance(result.get(exclusive), bool):
            continue
        if result.pop(exclusive) and limit in result:
            result[exclusive] = result.pop(limit)


def _tuples(result: dict[str, Any], schema: Mapping[str, Any]) -> None:
    rest = result.pop("additionalItems", None)
    if isinstance(result.get("items"), list):
        prefix = result.pop("items")
        if prefix:
            result["prefixItems"] = prefix
        if rest is not None:
            result["items"] = rest


def _dependencies(result: dict[str, Any], schema: Mapping[str, Any]) -> None:
    for name, needed in (result.pop("dependencies", None) or {}).items():
        key = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
        result[key] = {**result.get(key, {}), name: needed}


def _nullable(result: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """`nullable` adds null where the same schema has a `type`, and only to it: an `enum` beside it must name null."""
    if result.pop("nullable", None) is True and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]


_Change = Callable[[dict[str, Any], Mapping[str, Any]], None]
_CHANGES: dict[str, tuple[_Change, ...]] = {
    DRAFT_4: (_limits, _tuples, _dependencies),
    OPENAPI_3_0: (_limits, _nullable),
    DRAFT_6: (_tuples, _dependencies),
    DRAFT_7: (_tuples, _dependencies),
    DRAFT_2019_09: (_tuples,),
}
