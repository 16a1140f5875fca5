"""The schema algebra of jsonschema-rs, asked where our own proof search gives up.

Only its YES is used. It knows no documents: what references reach is copied beside the schema, where that is little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from crossfade.engine.schema_literals import Atom, Literal
from crossfade.engine.schema_nodes import Node, Side, assertions
from crossfade.engine.schema_values import exact, is_finite, number_of

MOST = 30  # components that are copied


class _TooMuch(Exception):
    pass


def covered(literals: Sequence[Literal], b: Node) -> bool:
    """Whether the algebra proves that every value fulfilling the literals is accepted by `b`. Atoms are left out."""
    universe = b.side.universe
    if universe.whole:
        return False  # the algebra does not tell `1` from `1.0`
    try:
        parts = []
        for number, item in literals:
            if not isinstance(item, Atom):
                whole = _standing(item)
                parts.append(whole if number > 0 else {"not": whole})
        one, two = _merged(parts), _standing(b)
        if one is None:
            return False
        wide = jsonschema_rs.canonicalize(two, draft=jsonschema_rs.Draft202012, validate_formats=b.side.formats)
        narrow = jsonschema_rs.canonicalize(one, draft=jsonschema_rs.Draft202012, validate_formats=b.side.formats)
        return str(wide.covers(narrow)) == "yes"
    except (ValueError, TypeError, RecursionError, _TooMuch):
        return False


def _merged(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if any(isinstance(one, dict) and "$defs" in one for one in parts):
        return None  # two documents in one would need new names
    return {"allOf": parts} if parts else True


def _standing(node: Node) -> Any:
    """The schema with everything it refers to beside it."""
    names: dict[str, str] = {}
    done: dict[str, Any] = {}
    schema = _copied(node.schema, node.side, names)
    while len(done) < len(names):
        for reference, name in list(names.items()):
            if name not in done:
                target = node.side.target(reference)
                if target is None or len(names) > MOST:
                    raise _TooMuch
                done[name] = _copied(target.schema, node.side, names)
    if not done:
        return schema
    return {**schema, "$defs": done} if isinstance(schema, dict) else schema


def _copied(schema: Any, side: Side, names: dict[str, str]) -> Any:
    if isinstance(schema, bool):
        return schema
    result: dict[str, Any] = {}
    for keyword, value in assertions(schema):
        if keyword in ("$dynamicRef", "$recursiveRef"):
            raise _TooMuch
        if keyword == "$ref":
            result[keyword] = "#/$defs/" + names.setdefault(value, f"c{len(names)}")
        elif keyword == "format":
            if side.asserts_format(value):
                result[keyword] = value
        elif keyword in ("enum", "const", "required", "type", "dependentRequired"):
            if not is_finite(value):
                raise _TooMuch
            result[keyword] = value
        elif isinstance(value, dict) and keyword in ("properties", "patternProperties", "dependentSchemas"):
            result[keyword] = {name: _copied(one, side, names) for name, one in value.items()}
        elif isinstance(value, list):
            result[keyword] = [_copied(one, side, names) for one in value]
        elif isinstance(value, dict):
            result[keyword] = _copied(value, side, names)
        elif isinstance(value, float) and value == int(value):
            result[keyword] = number_of(exact(value))
        else:
            result[keyword] = value
    return result
