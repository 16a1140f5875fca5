"""Does a schema accept a value? Quickly and without compiling, where the answer is certain; by the validator otherwise.

`holds` reads the nodes themselves and answers None where it is not sure (formats, patterns that are not regular,
unevaluated*, references it cannot follow). `accepts` asks jsonschema-rs, in the document's own dialect.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from crossfade.engine.schema_nodes import Node, Side, validator_class
from crossfade.engine.schema_regex import matches
from crossfade.engine.schema_rewrite import DRAFT_4, DRAFT_6, DRAFT_7, DRAFT_2019_09, OPENAPI_3_0, rewritten
from crossfade.engine.schema_values import NUMBERS, exact, kind_of, same_key

DEEPEST = 60


def holds(node: Node, value: Any, depth: int = 0) -> bool | None:
    """Whether the schema accepts `value`; None: not sure."""
    if isinstance(node.schema, bool):
        return node.schema
    if depth > DEEPEST:
        return None
    return _all(_keyword_holds(node, keyword, value, depth + 1) for keyword in node.words)


def _all(answers: Iterable[bool | None]) -> bool | None:
    result: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _any(answers: Iterable[bool | None]) -> bool | None:
    return _not(_all(_not(answer) for answer in answers))


def _keyword_holds(node: Node, keyword: str, value: Any, depth: int) -> bool | None:
    words, kind = node.words, kind_of(value)
    if keyword == "type":
        return kind in node.kinds or (kind == "whole" and not node.side.universe.whole and "integer" in node.kinds)
    if keyword in ("enum", "const"):
        values = words["enum"] if keyword == "enum" else [words["const"]]
        mine = same_key(value)
        return any(same_key(one) == mine for one in values)
    if keyword == "$ref":
        target = node.target()
        return None if target is None else holds(target, value, depth)
    if keyword in _COMBINED:
        return _combined(node, keyword, value, depth)
    if kind in NUMBERS:
        return _number_holds(node, keyword, value) if keyword in _NUMERIC else True
    if kind == "string":
        return _string_holds(words, keyword, value) if keyword in _TEXTUAL else True
    if kind == "array":
        return _array_holds(node, keyword, list(value), depth)
    return _object_holds(node, keyword, value, depth) if kind == "object" else True


_COMBINED = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$dynamicRef", "$recursiveRef"})
_NUMERIC = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_TEXTUAL = frozenset({"minLength", "maxLength", "pattern", "format"})


def _combined(node: Node, keyword: str, value: Any, depth: int) -> bool | None:
    if keyword == "not":
        return _not(holds(node.one("not"), value, depth))
    if keyword == "if":
        chosen = holds(node.one("if"), value, depth)
        then = holds(node.one("then"), value, depth) if "then" in node.words else True
        other = holds(node.one("else"), value, depth) if "else" in node.words else True
        return (then if chosen else other) if chosen is not None else then if then == other else None
    if keyword in ("then", "else"):
        return True
    if keyword not in ("allOf", "anyOf", "oneOf"):
        return None
    answers = [holds(one, value, depth) for one in node.many(keyword)]
    if keyword == "allOf":
        return _all(answers)
    if keyword == "anyOf":
        return _any(answers)
    certain = sum(1 for answer in answers if answer)
    if certain > 1:
        return False
    return None if None in answers else certain == 1


def _number_holds(node: Node, keyword: str, value: Any) -> bool:
    number, bound = exact(value), node.bound(keyword)
    if keyword == "minimum":
        return number >= bound
    if keyword == "maximum":
        return number <= bound
    if keyword == "multipleOf":
        return (number / bound).denominator == 1
    return number > bound if keyword == "exclusiveMinimum" else number < bound


def _string_holds(words: dict[str, Any], keyword: str, value: str) -> bool | None:
    if keyword == "minLength":
        return len(value) >= int(words[keyword])
    if keyword == "maxLength":
        return len(value) <= int(words[keyword])
    return matches(words[keyword], value) if keyword == "pattern" else None


def _array_holds(node: Node, keyword: str, value: list[Any], depth: int) -> bool | None:
    words = node.words
    if keyword == "minItems":
        return len(value) >= int(words[keyword])
    if keyword == "maxItems":
        return len(value) <= int(words[keyword])
    if keyword == "uniqueItems":
        return len({same_key(one) for one in value}) == len(value)
    if keyword == "prefixItems":
        return _all(holds(one, item, depth) for one, item in zip(node.many(keyword), value, strict=False))
    if keyword == "items":
        return _all(holds(node.one(keyword), item, depth) for item in value[len(words.get("prefixItems", ())) :])
    if keyword == "contains":
        answers = [holds(node.one(keyword), item, depth) for item in value]
        least, most = words.get("minContains", 1), words.get("maxContains", len(value))
        sure, unsure = sum(1 for one in answers if one), sum(1 for one in answers if one is None)
        if sure > most or sure + unsure < least:
            return False
        return True if sure >= least and sure + unsure <= most else None
    return None if keyword == "unevaluatedItems" else True


def _object_holds(node: Node, keyword: str, value: dict[str, Any], depth: int) -> bool | None:
    words = node.words
    if keyword == "properties":
        return _all(holds(one, value[name], depth) for name, one in node.named(keyword).items() if name in value)
    if keyword == "required":
        return all(name in value for name in words[keyword])
    if keyword == "additionalProperties":
        return _all(_additional(node, name, item, depth) for name, item in value.items())
    if keyword == "patternProperties":
        return _all(
            _any((_not(matches(pattern, name)), holds(one, item, depth)))
            for pattern, one in node.named(keyword).items()
            for name, item in value.items()
        )
    if keyword == "propertyNames":
        return _all(holds(node.one(keyword), name, depth) for name in value)
    if keyword == "minProperties":
        return len(value) >= int(words[keyword])
    if keyword == "maxProperties":
        return len(value) <= int(words[keyword])
    if keyword == "dependentRequired":
        return all(one in value for name, needed in words[keyword].items() if name in value for one in needed)
    if keyword == "dependentSchemas":
        return _all(holds(one, value, depth) for name, one in node.named(keyword).items() if name in value)
    return None if keyword == "unevaluatedProperties" else True


def _additional(node: Node, name: str, value: Any, depth: int) -> bool | None:
    if name in node.words.get("properties", {}):
        return True
    known = _any(matches(pattern, name) for pattern in node.words.get("patternProperties", {}))
    return _any((known, holds(node.one("additionalProperties"), value, depth)))


# -- the validator ------------------------------------------------------------------------------------------------

_DRAFTS = {
    DRAFT_4: jsonschema_rs.Draft4,
    DRAFT_6: jsonschema_rs.Draft6,
    DRAFT_7: jsonschema_rs.Draft7,
    DRAFT_2019_09: jsonschema_rs.Draft201909,
}


class Validators:
    """Validators of one side's schemas, compiled when first needed. They see the document as it was written (only
    OpenAPI 3.0, which no validator knows, is rewritten)."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._compiled: dict[int, jsonschema_rs.Validator | None] = {}
        self._registry: jsonschema_rs.Registry | None = None
        self._class = validator_class(side.dialect)
        self._kept: list[Any] = []
        self._hall: jsonschema_rs.Validator | None = None
        self._doors: dict[str, str] = {}

    def accepts(self, schema: Any, value: Any) -> bool | None:
        """`schema` as it was written, `{"$ref": pointer}` for a component; None where it cannot be compiled."""
        validator, value = self._for(schema, value)
        if validator is None:
            return None
        try:
            return validator.is_valid(value)
        except (ValueError, TypeError, RecursionError):
            return None

    def refusal(self, schema: Any, value: Any) -> tuple[str, str]:
        """Where in the value and by which keyword it is refused: the deepest of the first errors."""
        validator, value = self._for(schema, value)
        if validator is None:
            return "", ""
        first = next(iter(validator.iter_errors(value)), None)
        if first is None:
            return "", ""
        steps = first.instance_path[1:] if validator is self._hall else first.instance_path
        path = "".join("[]" if isinstance(step, int) else f".{step}" for step in steps)
        return path.removeprefix("."), str(first.kind.name)

    def _for(self, schema: Any, value: Any) -> tuple[jsonschema_rs.Validator | None, Any]:
        """Components share one validator, which sees a value behind the name of its component: what they refer to is
        compiled once, not once for each of them."""
        pointer = _component(schema)
        if pointer is None or not self.side.document:
            return self._validator(schema), value
        if pointer not in self._doors:
            known = dict.fromkeys((pointer, *self._doors, *self.side.references()))
            self._doors = {one: f"c{number}" for number, one in enumerate(known)}
            self._hall = self._compile({"properties": {name: {"$ref": one} for one, name in self._doors.items()}})
            if self._hall is None:  # one of them cannot be compiled
                return self._validator(schema), value
        return self._hall or self._validator(schema), {self._doors[pointer]: value} if self._hall else value

    def _validator(self, schema: Any) -> jsonschema_rs.Validator | None:
        if id(schema) not in self._compiled:
            self._kept.append(schema)
            self._compiled[id(schema)] = self._compile(schema)
        return self._compiled[id(schema)]

    def _compile(self, schema: Any) -> jsonschema_rs.Validator | None:
        document, formats = self.side.document, self.side.formats
        try:
            if schema is document or not document:
                return self._class(_read(schema, self.side.dialect), validate_formats=formats)
            if self._registry is None:
                draft = _DRAFTS.get(self.side.dialect, jsonschema_rs.Draft202012)
                whole = _read_document(document, self.side.dialect)
                self._registry = jsonschema_rs.Registry([(_HERE, whole)], draft=draft)
            absolute = _absolute(_read(schema, self.side.dialect))
            return self._class(absolute, validate_formats=formats, registry=self._registry)
        except (ValueError, TypeError, RecursionError):
            return None


def _component(schema: Any) -> str | None:
    if isinstance(schema, dict) and len(schema) == 1 and isinstance(found := schema.get("$ref"), str):
        return found if found.startswith("#/") else None
    return None


_HERE = "urn:crossfade:document"


def _read(schema: Any, dialect: str) -> Any:
    found = rewritten(schema, dialect) if dialect == OPENAPI_3_0 else schema
    if isinstance(found, dict) and "$schema" in found:
        return {key: value for key, value in found.items() if key != "$schema"}
    return found


def _read_document(document: Any, dialect: str) -> Any:
    """An OpenAPI 3.0 document with every schema in it in 2020-12: wherever one may stand."""
    if dialect != OPENAPI_3_0:
        return document
    return _described(document)


def _described(part: Any) -> Any:
    if isinstance(part, dict):
        result: dict[str, Any] = {}
        for key, value in part.items():
            if key == "schema" and isinstance(value, dict):
                result[key] = rewritten(value, OPENAPI_3_0)
            elif key in ("schemas", "definitions", "$defs") and isinstance(value, dict):
                result[key] = {name: rewritten(one, OPENAPI_3_0) for name, one in value.items()}
            elif key in ("example", "examples", "enum"):
                result[key] = value
            else:
                result[key] = _described(value)
        return result
    return [_described(one) for one in part] if isinstance(part, list) else part


def _absolute(schema: Any) -> Any:
    """With references into the document named so that they are found from outside of it."""
    if isinstance(schema, dict):
        return {
            key: _HERE + value
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else value
            if key in ("enum", "const", "default", "examples", "example")
            else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema
