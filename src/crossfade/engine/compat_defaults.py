"""Defaults that differ: what is left out of a request means something else to the other version. JSON Schema calls a default
an annotation, so no containment speaks of it; the two schemas are walked side by side instead, component by component.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from crossfade.engine.compat_breaks import MISSING
from crossfade.engine.compat_facts import at
from crossfade.engine.compat_paths import ValuePaths, full_path
from crossfade.engine.compat_views import Unchanged
from crossfade.model.openapi import join

Pointers = tuple[str, str]
DEEPEST = 40  # levels within a component


class Default(msgspec.Struct, frozen=True, eq=False):
    """`values` are the stable's and the canary's (MISSING: none), `pointers` where they are written."""

    pointers: Pointers
    values: tuple[Any, Any]


class Start(Protocol):
    @property
    def pointers(self) -> Pointers: ...


class Defaults:
    """Of two documents."""

    def __init__(self, roots: tuple[Any, Any], unchanged: Unchanged, paths: tuple[ValuePaths, ValuePaths]) -> None:
        self._roots, self._unchanged, self._paths = roots, unchanged, paths
        self._known: dict[Pointers, tuple[tuple[Default, ...], tuple[Pointers, ...]]] = {}
        self.any = unchanged.mentions("default")

    def local(self, pair: Pointers) -> tuple[tuple[Default, ...], tuple[Pointers, ...]]:
        """The differing defaults within a pair of schemas, and the pairs they refer to."""
        if pair not in self._known:
            one, two = (at(root, pointer) for root, pointer in zip(self._roots, pair, strict=True))
            found: list[Default] = []
            inner: dict[Pointers, None] = {}
            if not self._unchanged.same(one, two):
                for item in self._walk(one, two, pair, 0):
                    if isinstance(item, Default):
                        found.append(item)
                    else:
                        inner[item] = None
            self._known[pair] = tuple(found), tuple(inner)
        return self._known[pair]

    def path(self, default: Default, start: Start) -> str:
        """The place of the value the default is for."""
        for paths, pointer, begin in zip(self._paths, default.pointers, start.pointers, strict=True):
            steps = paths.steps_to(pointer.rpartition("/")[0], begin)
            if steps is not None:
                return full_path(steps, "", "")
        return ""

    def _walk(self, one: Any, two: Any, places: Pointers, depth: int) -> Iterator[Default | Pointers]:
        if not isinstance(one, dict) or not isinstance(two, dict) or depth > DEEPEST:
            return
        targets = tuple(
            schema["$ref"][1:] if str(schema.get("$ref", "")).startswith("#/") else place
            for schema, place in zip((one, two), places, strict=True)
        )
        if targets != places:
            yield targets[0], targets[1]
            return
        mine, theirs = one.get("default", MISSING), two.get("default", MISSING)
        if json_text(mine) != json_text(theirs):
            yield Default((join(places[0], "default"), join(places[1], "default")), (mine, theirs))
        for name, schema in _inner(one, "properties").items():
            if name in (named := _inner(two, "properties")):
                yield from self._walk(schema, named[name], _deeper(places, "properties", name), depth + 1)
        if "items" in one and "items" in two:
            yield from self._walk(one["items"], two["items"], _deeper(places, "items"), depth + 1)
        for keyword in ("allOf", "anyOf", "oneOf"):
            parts, others = one.get(keyword), two.get(keyword)
            if isinstance(parts, list) and isinstance(others, list):
                for index, (part, other) in enumerate(zip(parts, others, strict=False)):
                    yield from self._walk(part, other, _deeper(places, keyword, index), depth + 1)


def _deeper(places: Pointers, *tokens: object) -> Pointers:
    return join(places[0], *tokens), join(places[1], *tokens)


def followed(root: Any, schema: Any, pointer: str) -> tuple[Any, str]:
    """A schema behind its `$ref`s, where nothing but them is written."""
    for _ in range(50):
        if not isinstance(schema, dict) or not str(schema.get("$ref", "")).startswith("#/"):
            break
        pointer = schema["$ref"][1:]
        schema = at(root, pointer)
    return schema, pointer


def json_text(value: Any) -> str:
    return "" if value is MISSING else json.dumps(value, sort_keys=True)


def _inner(schema: Mapping[str, Any], keyword: str) -> dict[str, Any]:
    value = schema.get(keyword)
    return value if isinstance(value, dict) else {}
