"""Schemas of two documents held against each other as what they are in a call: part of a request or of an answer, written
by one side and read by the other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from crossfade.engine.compat_breaks import MISSING, Fault, Gathered, shown, value_at
from crossfade.engine.compat_defaults import Defaults
from crossfade.engine.compat_facts import Content, at
from crossfade.engine.compat_graph import Graph
from crossfade.engine.compat_paths import ValuePaths, full_path
from crossfade.engine.compat_rules import schema_rule
from crossfade.engine.compat_views import Unchanged, Views, written
from crossfade.engine.schema import Comparer
from crossfade.model.compat import Contained, Containment, Crossing, Severity
from crossfade.model.openapi import OpenApiDocument, join
from crossfade.model.ramp import Side


class Crossed(msgspec.Struct, frozen=True):
    """What goes over the wire: its rules are those of `crossing`, `flag` the properties that are no part of it, `prefix`
    the beginning of its paths ("body", "query.limit"). `told` is the crossing that is told (a webhook's is a message)."""

    crossing: Crossing
    flag: str
    prefix: str
    told: Crossing

    def path(self, inner: str) -> str:
        return self.prefix + inner if inner.startswith("[") or not inner else f"{self.prefix}.{inner}"


def request(prefix: str) -> Crossed:
    return Crossed(Crossing.REQUEST, "readOnly", prefix, Crossing.REQUEST)


def answer(prefix: str) -> Crossed:
    return Crossed(Crossing.RESPONSE, "writeOnly", prefix, Crossing.RESPONSE)


def message(prefix: str) -> Crossed:
    return Crossed(Crossing.RESPONSE, "readOnly", prefix, Crossing.MESSAGE)


class _Asked(msgspec.Struct, frozen=True, eq=False):
    """One question: two schemas of an operation, by where they stand, the stable's first."""

    crossed: Crossed
    operation: str
    pointers: tuple[str, str]


class Schemas:
    """The two documents in every view, and one Comparer per pair of views."""

    def __init__(
        self, stable: OpenApiDocument, canary: OpenApiDocument, strict: bool, gathered: Gathered, places: bool = False
    ) -> None:
        self._documents = (stable, canary)
        self._strict = strict
        self._gathered = gathered
        self._places = places
        self._views = (Views(stable.root), Views(canary.root))
        self._roots: dict[tuple[int, int], tuple[Any, Any]] = {}
        self._comparers: dict[tuple[int, int], Comparer] = {}
        self._asked: dict[tuple[tuple[int, int], Crossing, Crossing, Side], list[_Asked]] = {}
        self._paths = (ValuePaths(stable.root), ValuePaths(canary.root))
        self.unchanged = Unchanged(stable.root, canary.root)
        self._defaults = Defaults((stable.root, canary.root), self.unchanged, self._paths)
        self.compared = 0
        self.undescribed: dict[str, None] = {}

    def compare(self, crossed: Crossed, writer: Side, sent: Content, read: Content, operation: str) -> None:
        """Looks for what the reader refuses of what the writer sends; `finish` tells it."""
        stable, canary = (sent, read) if writer is Side.STABLE else (read, sent)
        if sent.schema is None or read.schema is None:
            if (sent.schema is None) != (read.schema is None):
                side = "stable" if stable.schema is None else "canary"
                self.undescribed[f"{operation}: {crossed.prefix}, which the {side} does not describe"] = None
            return
        self.compared += 1
        if self.unchanged.same(stable.schema, canary.schema):
            return
        tolerant = crossed.crossing is Crossing.RESPONSE and not self._strict
        views = [
            views.view(crossed.flag, side is writer, tolerant) for views, side in zip(self._views, Side, strict=True)
        ]
        key = (id(views[0]), id(views[1]))
        if key not in self._comparers:
            self._roots[key] = (views[0], views[1])
            self._comparers[key] = Comparer(
                views[0], views[1], _dialect(self._documents[0]), _dialect(self._documents[1])
            )
        asked = _Asked(crossed, operation, (stable.pointer, canary.pointer))
        self._asked.setdefault((key, crossed.crossing, crossed.told, writer), []).append(asked)

    def finish(self) -> None:
        """Adds what the comparisons have found. A break in a component is told once, with every operation that reaches it
        and its place in the first; its place in each (`Options.places`) has to be looked for operation by operation."""
        for (key, crossing, _, writer), asked in self._asked.items():
            for found, reaching in self._broken(key, writer, asked):
                first, also = self._met(asked, reaching, partial(self._path, found, writer))
                path = self._path(found, writer, first)
                if path.endswith("*"):
                    path = path[:-1] + self._unknown_name(found, writer)
                self._add(first, writer, msgspec.structs.replace(found, path=path), found.path, also)
            if crossing is Crossing.REQUEST and self._defaults.any:
                self._add_defaults(writer, asked)
        self._asked.clear()

    def _broken(
        self, key: tuple[int, int], writer: Side, asked: Sequence[_Asked]
    ) -> Iterator[tuple[Containment, list[int]]]:
        """Every break with the indices of the questions that reach it. The comparer tells a place of a component by the
        same value, whoever asks."""
        comparer, roots = self._comparers[key], self._roots[key]
        found: dict[int, tuple[Containment, list[int]]] = {}
        for index, one in enumerate(asked):
            stable, canary = (at(root, pointer) for root, pointer in zip(roots, one.pointers, strict=True))
            for told in comparer.breaks(stable, canary, *one.pointers, reverse=writer is Side.CANARY):
                found.setdefault(id(told), (told, []))[1].append(index)
        for told, reaching in found.values():
            pointers = [
                written(document.root, pointer)
                for document, pointer in zip(self._documents, told.pointers, strict=True)
            ]
            yield msgspec.structs.replace(told, pointers=(pointers[0], pointers[1])), reaching

    def _met(
        self, asked: Sequence[_Asked], reaching: Sequence[int], path: Callable[[_Asked], str]
    ) -> tuple[_Asked, dict[str, str]]:
        """The first question that reaches a break, and the operations of the others with the place there."""
        first, *others = (asked[index] for index in reaching)
        common = path(first)
        return first, {one.operation: one.crossed.path(path(one) if self._places else common) for one in others}

    def _add_defaults(self, writer: Side, asked: Sequence[_Asked]) -> None:
        graph = Graph(self._defaults.local)
        for found, reaching in graph.breaks([one.pointers for one in asked]):
            first, also = self._met(asked, reaching, partial(self._defaults.path, found))
            mine, theirs = found.values if writer is Side.STABLE else found.values[::-1]
            path = self._defaults.path(found, first)
            if not path:  # of the whole: a parameter's own, which `compat_calls` knows
                continue
            self.add_default(first.crossed.path(path), writer, first.operation, found.pointers, mine, theirs, also)

    def add_default(
        self,
        path: str,
        writer: Side,
        operation: str,
        pointers: tuple[str, str],
        mine: Any,
        theirs: Any,
        also: Mapping[str, str] = {},
    ) -> None:
        self._gathered.add(
            Fault(
                "default-changed",
                writer,
                operation,
                path,
                pointers,
                what="nothing in particular" if mine is MISSING else shown(json.dumps(mine)),
                detail="means nothing in particular" if theirs is MISSING else shown(json.dumps(theirs)),
                severity=Severity.INFO if mine is MISSING or theirs is MISSING else None,
            ),
            also,
        )

    def _path(self, found: Containment, writer: Side, asked: _Asked) -> str:
        """Its place in the whole body; the comparer tells places within components. The reader's schema knows it best."""
        for side in (0, 1) if writer is Side.CANARY else (1, 0):
            steps = self._paths[side].steps_to(found.pointers[side], asked.pointers[side])
            if steps is not None:
                return full_path(steps, found.path, found.keyword)
        return found.path

    def _add(self, asked: _Asked, writer: Side, found: Containment, inner: str, also: Mapping[str, str]) -> None:
        """`inner` is the path within the witness."""
        crossed = asked.crossed
        prefix = "response" if crossed.crossing is Crossing.RESPONSE else "request"
        what: Any
        if found.answer is Contained.UNKNOWN:
            rule, what = f"{prefix}-undecided", found.reason or "no value settles it"
        else:
            value = value_at(found.witness, inner)
            if value is MISSING and found.witness is not None and found.keyword != "required":
                value = json.loads(found.witness)
            rule = schema_rule(crossed.crossing, found.keyword, value is None)
            if found.open_only:
                rule = f"{prefix}-open-field"
            what = "a value" if value is MISSING else shown(json.dumps(value, ensure_ascii=False))
        self._gathered.add(
            Fault(
                rule,
                writer,
                asked.operation,
                crossed.path(found.path),
                self._narrowed(found),
                what=what,
                keyword=found.keyword,
                witness=found.witness,
                unknown=found.answer is Contained.UNKNOWN,
                crossing=crossed.told,
            ),
            also,
        )

    def _unknown_name(self, found: Containment, writer: Side) -> str:
        """The first name of the witness that the schema which refuses does not know."""
        side = 0 if writer is Side.CANARY else 1
        schema = at(self._documents[side].root, found.pointers[side].removesuffix(f"/{found.keyword}"))
        around = value_at(found.witness, re.sub(r"\.?\*$", "", found.path))
        known = schema.get("properties", {}) if isinstance(schema, dict) else {}
        names = [name for name in around if name not in known] if isinstance(around, dict) else []
        return names[0] if names else "*"

    def _narrowed(self, found: Containment) -> tuple[str, str]:
        """The places of the keyword that refuses, where the schemas have it."""
        narrowed = []
        for document, pointer in zip(self._documents, found.pointers, strict=True):
            schema = at(document.root, pointer)
            there = isinstance(schema, dict) and found.keyword in schema
            narrowed.append(join(pointer, found.keyword) if there else pointer)
        return narrowed[0], narrowed[1]


def _dialect(document: OpenApiDocument) -> str:
    return "openapi-3.0" if document.old else "openapi-3.1"
