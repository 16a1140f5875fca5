"""Where in a body a component stands: a break is found at a place of a shared component, and told as a place in what goes
over the wire ("body.items[].order.price"), which is what `changes` and people name.

From the schema of a body, breadth first along everything that leads to a part of the value; of several ways to a component
the shortest is told. Steps are property names, `[]` for items and `*` for any other name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crossfade.engine.compat_facts import at

Steps = tuple[str, ...]

_SAME = ("allOf", "anyOf", "oneOf")
_SAME_ONE = ("not", "if", "then", "else")
_ITEMS = ("items", "contains", "additionalItems", "unevaluatedItems")
_ANY_NAME = ("additionalProperties", "unevaluatedProperties")
_NAMED_LAST = frozenset(("required", "dependentRequired", *_ANY_NAME, "propertyNames"))  # the path ends with a name


class ValuePaths:
    """The components of one document and how they are reached."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._edges: dict[str, tuple[tuple[Steps, str], ...]] = {}
        self._reached: dict[str, dict[str, Steps]] = {}

    def steps_to(self, pointer: str, start: str) -> Steps | None:
        """The steps from the value of the schema at `start` to that of the schema at `pointer`; None: no way is known."""
        reached = self._from(start)
        tokens = pointer.split("/")
        for count in range(len(tokens), 0, -1):
            known = reached.get("/".join(tokens[:count]))
            if known is not None:
                return known + steps_of(tokens[count:])
        return None

    def _from(self, start: str) -> dict[str, Steps]:
        if start not in self._reached:
            found: dict[str, Steps] = {start: ()}
            waiting = [start]
            for one in waiting:
                for steps, target in self._edges_of(one):
                    if target not in found:
                        found[target] = found[one] + steps
                        waiting.append(target)
            self._reached[start] = found
        return self._reached[start]

    def _edges_of(self, pointer: str) -> tuple[tuple[Steps, str], ...]:
        if pointer not in self._edges:
            self._edges[pointer] = tuple(_references(at(self._root, pointer), ()))
        return self._edges[pointer]


def full_path(steps: Steps, told: str, keyword: str) -> str:
    """`steps` lead to the schema that refuses, `told` is a path that begins anywhere above it and may go on behind it.

    >>> full_path(("items", "[]"), "[].price", "type"), full_path(("items", "[]"), "price", "required")
    ('items[].price', 'items[].price')
    """
    wanted = tuple(re.findall(r"\[\]|[^.\[\]]+", told))
    named_last = keyword in _NAMED_LAST and wanted and wanted[-1] != "*"
    longest = len(wanted) - 1 if named_last else len(wanted)
    for count in range(longest, -1, -1):
        tail = steps[len(steps) - count :] if count else ()
        if len(tail) == count and all(a in ("*", b) for a, b in zip(tail, wanted[:count], strict=True)):
            return written((*steps[: len(steps) - count], *wanted))
    return written((*steps, *wanted))


def written(steps: Sequence[str]) -> str:
    return "".join(step if step == "[]" else f".{step}" for step in steps).removeprefix(".")


def steps_of(tokens: Sequence[str]) -> Steps:
    """The steps into a value that the tokens of a pointer into its schema make.

    >>> steps_of(["properties", "lines", "items", "anyOf", "0", "properties", "sku"])
    ('lines', '[]', 'sku')
    """
    steps: list[str] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token == "properties" and index < len(tokens):
            steps.append(tokens[index].replace("~1", "/").replace("~0", "~"))
            index += 1
        elif token in ("patternProperties", "dependentSchemas") and index < len(tokens):
            steps += ["*"] if token == "patternProperties" else []
            index += 1
        elif token in _ITEMS or token == "prefixItems":
            steps.append("[]")
        elif token in _ANY_NAME:
            steps.append("*")
    return tuple(steps)


def _references(schema: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    """The references in a schema, each with the steps to the value it is about."""
    if not isinstance(schema, dict):
        return
    for key in ("$ref", "$dynamicRef"):
        reference = schema.get(key)
        if isinstance(reference, str) and reference.startswith("#"):
            yield steps, reference[1:]
    for key, inner in schema.items():
        if key == "properties" and isinstance(inner, dict):
            for name, one in inner.items():
                yield from _references(one, (*steps, name))
        elif key == "patternProperties" and isinstance(inner, dict):
            for one in inner.values():
                yield from _references(one, (*steps, "*"))
        elif key in _SAME and isinstance(inner, list):
            for one in inner:
                yield from _references(one, steps)
        elif key in _SAME_ONE:
            yield from _references(inner, steps)
        elif key in _ITEMS or key == "prefixItems":
            for one in inner if isinstance(inner, list) else (inner,):
                yield from _references(one, (*steps, "[]"))
        elif key in _ANY_NAME:
            yield from _references(inner, (*steps, "*"))
        elif key == "dependentSchemas" and isinstance(inner, dict):
            for one in inner.values():
                yield from _references(one, steps)
