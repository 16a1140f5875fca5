"""Schemas of two documents held against each other as what they are in a call: part of a request or of an answer, written
by one side and read by the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from crossfade.engine.compat_breaks import MISSING, Fault, Gathered, shown, value_at
from crossfade.engine.compat_facts import Content, at
from crossfade.engine.compat_paths import ValuePaths, full_path
from crossfade.engine.compat_rules import schema_rule
from crossfade.engine.compat_views import Unchanged, Views
from crossfade.engine.schema import Comparer
from crossfade.model.compat import Contained, Containment, Crossing, Severity
from crossfade.model.openapi import OpenApiDocument, join
from crossfade.model.ramp import Side

DEEPEST = 40  # levels down to which defaults are looked for


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


class Schemas:
    """The two documents in every view, and one Comparer per pair of views."""

    def __init__(self, stable: OpenApiDocument, canary: OpenApiDocument, strict: bool, gathered: Gathered) -> None:
        self._documents = (stable, canary)
        self._strict = strict
        self._gathered = gathered
        self._views = (Views(stable.root), Views(canary.root))
        self._comparers: dict[tuple[int, int], Comparer] = {}
        self._paths = (ValuePaths(stable.root), ValuePaths(canary.root))
        self._defaults: dict[tuple[str, str], tuple[tuple[str, str, str, Any, Any], ...]] = {}
        self.unchanged = Unchanged(stable.root, canary.root)
        self.compared = 0
        self.undescribed: dict[str, None] = {}

    def compare(self, crossed: Crossed, writer: Side, sent: Content, read: Content, operation: str) -> None:
        """Adds what the reader refuses of what the writer sends."""
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
            self._comparers[key] = Comparer(
                views[0], views[1], _dialect(self._documents[0]), _dialect(self._documents[1])
            )
        schemas = (at(views[0], stable.pointer), at(views[1], canary.pointer))
        found = self._comparers[key].breaks(*schemas, stable.pointer, canary.pointer, reverse=writer is Side.CANARY)
        for one in found:
            path = self._path(one, stable.pointer, canary.pointer)
            self._add(crossed, writer, msgspec.structs.replace(one, path=path), one.path, operation)
        if crossed.crossing is Crossing.REQUEST:
            for path, at_stable, at_canary, old, new in self._changed_defaults(stable, canary):
                mine, theirs = (old, new) if writer is Side.STABLE else (new, old)
                self.add_default(crossed.path(path), writer, operation, (at_stable, at_canary), mine, theirs)

    def add_default(
        self, path: str, writer: Side, operation: str, pointers: tuple[str, str], mine: Any, theirs: Any
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
            )
        )

    def _path(self, found: Containment, *starts: str) -> str:
        """Its place in the whole body; the comparer tells places within components."""
        for paths, pointer, start in zip(self._paths, found.pointers, starts, strict=True):
            steps = paths.steps_to(pointer, start)
            if steps is not None:
                return full_path(steps, found.path, found.keyword)
        return found.path

    def _add(self, crossed: Crossed, writer: Side, found: Containment, inner: str, operation: str) -> None:
        """`inner` is the path within the witness."""
        if found.answer is Contained.YES:
            return
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
                operation,
                crossed.path(found.path),
                self._narrowed(found),
                what=what,
                keyword=found.keyword,
                witness=found.witness,
                unknown=found.answer is Contained.UNKNOWN,
                crossing=crossed.told,
            )
        )

    def _narrowed(self, found: Containment) -> tuple[str, str]:
        """The places of the keyword that refuses, where the schemas have it."""
        narrowed = []
        for document, pointer in zip(self._documents, found.pointers, strict=True):
            schema = at(document.root, pointer)
            there = isinstance(schema, dict) and found.keyword in schema
            narrowed.append(join(pointer, found.keyword) if there else pointer)
        return narrowed[0], narrowed[1]

    # -- defaults ---------------------------------------------------------------------------------------------------

    def _changed_defaults(self, stable: Content, canary: Content) -> tuple[tuple[str, str, str, Any, Any], ...]:
        """(path, pointer, pointer, default, default) of each pair of values that means something else when left out."""
        key = (stable.pointer, canary.pointer)
        if key not in self._defaults:
            self._defaults[key] = tuple(
                self._default_pairs(stable.schema, canary.schema, stable.pointer, canary.pointer, "", set(), 0)
            )
        return self._defaults[key]

    def _default_pairs(
        self, one: Any, two: Any, at_one: str, at_two: str, path: str, seen: set[tuple[str, str]], depth: int
    ) -> Iterator[tuple[str, str, str, Any, Any]]:
        one, at_one = followed(self._documents[0].root, one, at_one)
        two, at_two = followed(self._documents[1].root, two, at_two)
        if not isinstance(one, dict) or not isinstance(two, dict) or (at_one, at_two) in seen or depth > DEEPEST:
            return
        if self.unchanged.same(one, two):
            return
        seen.add((at_one, at_two))
        mine, theirs = one.get("default", MISSING), two.get("default", MISSING)
        if path and json_text(mine) != json_text(theirs):
            yield path, join(at_one, "default"), join(at_two, "default"), mine, theirs
        for name, schema in _inner(one, "properties").items():
            other = _inner(two, "properties").get(name)
            if other is not None:
                places = (join(at_one, "properties", name), join(at_two, "properties", name))
                inner = f"{path}.{name}" if path else name
                yield from self._default_pairs(schema, other, *places, inner, seen, depth + 1)
        if "items" in one and "items" in two:
            places = (join(at_one, "items"), join(at_two, "items"))
            yield from self._default_pairs(one["items"], two["items"], *places, f"{path}[]", seen, depth + 1)
        for keyword in ("allOf", "anyOf", "oneOf"):
            parts, others = one.get(keyword), two.get(keyword)
            if isinstance(parts, list) and isinstance(others, list):
                for index, (part, other) in enumerate(zip(parts, others, strict=False)):
                    places = (join(at_one, keyword, index), join(at_two, keyword, index))
                    yield from self._default_pairs(part, other, *places, path, seen, depth + 1)


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


def _dialect(document: OpenApiDocument) -> str:
    return "openapi-3.0" if document.old else "openapi-3.1"
