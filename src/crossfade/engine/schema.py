"""Is every value of A a value of B? A thin stand-in for the schema algebra: objects and arrays are compared place by
place, everything else by jsonschema-rs, with witnesses tried out on validators."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

from crossfade.model.compat import Contained, Containment

_SAMPLES: tuple[Any, ...] = (None, True, 0, 1, -1, 1.5, 10**6, "", "x", "2024-01-01", "a" * 300, [], {}, [1], ["x"])
_STRUCTURE = {"type", "properties", "required", "items", "additionalProperties", "title", "description", "example",
              "default", "deprecated", "readOnly", "writeOnly", "examples", "xml", "nullable", "externalDocs"}  # fmt: skip


class Comparer:
    """Schemas of two documents: a pair of components is compared once."""

    def __init__(
        self, document_a: Any, document_b: Any, dialect_a: str = "", dialect_b: str = "", samples: tuple[str, ...] = ()
    ) -> None:
        self._documents = (document_a, document_b)
        self._old = (dialect_a == "openapi-3.0", dialect_b == "openapi-3.0")
        self._samples = samples
        self._memo: dict[tuple[str, str, bool], tuple[Containment, ...] | None] = {}

    def contained(self, a: Any, b: Any, pointer_a: str = "", pointer_b: str = "", reverse: bool = False) -> Containment:
        found = self.breaks(a, b, pointer_a, pointer_b, reverse)
        return found[0] if found else Containment(Contained.YES)

    def breaks(self, a: Any, b: Any, pointer_a: str, pointer_b: str, reverse: bool = False) -> tuple[Containment, ...]:
        key = (pointer_a, pointer_b, reverse)
        if key in self._memo:
            return self._memo[key] or ()
        self._memo[key] = None
        self._memo[key] = tuple(self._found(a, b, pointer_a, pointer_b, reverse))
        return self._memo[key] or ()

    def _found(self, a: Any, b: Any, pa: str, pb: str, reverse: bool) -> Iterator[Containment]:
        (a, pa), (b, pb) = self._followed(a, pa, 0), self._followed(b, pb, 1)
        a, b = self._plain(a, 0), self._plain(b, 1)
        writer, reader = (b, a) if reverse else (a, b)
        if not _structured(writer) or not _structured(reader) or set(_types(writer)) - set(_types(reader)):
            yield from self._leaf(writer, reader, pa, pb, reverse)
            return
        for name in reader.get("required", ()):
            if name not in writer.get("required", ()):
                witness = _sample(writer, 1 if reverse else 0, self) or {}
                witness = {key: value for key, value in witness.items() if key != name}
                yield Containment(
                    Contained.NO, json.dumps(witness), name, "required", (pa, pb), f"`{name}` may be missing"
                )
        mine, theirs = writer.get("properties", {}), reader.get("properties", {})
        for name, schema in theirs.items():
            if name in mine:
                sides = (schema, mine[name]) if reverse else (mine[name], schema)
                at = f"/properties/{name.replace('~', '~0').replace('/', '~1')}"
                for one in self.breaks(*sides, pa + at, pb + at, reverse):
                    yield msgspec.structs.replace(one, path=_joined(name, one.path))
            elif writer.get("additionalProperties", True) is not False and schema not in ({}, True):
                yield Containment(
                    Contained.NO, json.dumps({name: [None]}), name, "properties", (pa, pb), open_only=True
                )
        if reader.get("additionalProperties") is False:
            for name in mine:
                if name not in theirs:
                    yield Containment(
                        Contained.NO, json.dumps({name: 1}), name, "additionalProperties", (pa, pb), f"`{name}` is new"
                    )
        if "items" in reader and "items" in writer:
            for one in self.breaks(a["items"], b["items"], pa + "/items", pb + "/items", reverse):
                yield msgspec.structs.replace(one, path=_joined("[]", one.path))

    def _leaf(self, writer: Any, reader: Any, pa: str, pb: str, reverse: bool) -> Iterator[Containment]:
        one, two = self._closed(writer, 1 if reverse else 0), self._closed(reader, 0 if reverse else 1)
        try:
            answer = str(jsonschema_rs.canonicalize(two).covers(jsonschema_rs.canonicalize(one)).value)
        except Exception as problem:
            answer = str(problem)
        if "yes" in answer.lower():
            return
        left, right = _validator(json.dumps(one)), _validator(json.dumps(two))
        candidates = [*_values(writer), *_values(reader), *_SAMPLES, *map(json.loads, self._samples)]
        for value in candidates:
            if left.is_valid(value) and not right.is_valid(value):
                keyword = str(next(iter(right.iter_errors(value))).schema_path[-1])
                yield Containment(Contained.NO, json.dumps(value), "", keyword, (pa, pb), f"`{keyword}` refuses it")
                return
        yield Containment(Contained.UNKNOWN, pointers=(pa, pb), reason="neither proved nor refuted")

    def _closed(self, schema: Any, side: int) -> Any:
        text = json.dumps(schema)
        return {**schema, "components": self._documents[side].get("components", {})} if "$ref" in text else schema

    def _followed(self, schema: Any, pointer: str, side: int) -> tuple[Any, str]:
        for _ in range(50):
            if not isinstance(schema, dict) or not str(schema.get("$ref", "")).startswith("#/"):
                break
            pointer = schema["$ref"][1:]
            schema = self._documents[side]
            for token in pointer.split("/")[1:]:
                schema = schema[token.replace("~1", "/").replace("~0", "~")]
        return schema, pointer

    def _plain(self, schema: Any, side: int) -> Any:
        if schema is True:
            return {}
        if schema is False:
            return {"not": {}}
        if self._old[side] and schema.get("nullable") is True and isinstance(schema.get("type"), str):
            return {**{k: v for k, v in schema.items() if k != "nullable"}, "type": [schema["type"], "null"]}
        return schema


def _structured(schema: Any) -> bool:
    return schema.keys() <= _STRUCTURE and bool({"properties", "items"} & schema.keys()) and "type" in schema


def _types(schema: Any) -> list[str]:
    return [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])


def _sample(schema: Any, side: int, comparer: Comparer) -> Any:
    schema = comparer._followed(schema, "", side)[0]
    if isinstance(schema, dict) and "properties" in schema:
        return {n: _sample(schema["properties"].get(n, {}), side, comparer) for n in schema.get("required", ())}
    validator = _validator(json.dumps(comparer._closed(schema, side)))
    return next((value for value in [*_values(schema), *_SAMPLES] if validator.is_valid(value)), None)


def _values(schema: Any) -> Iterable[Any]:
    if isinstance(schema, dict):
        yield from schema.get("enum", ())
        yield from [schema["const"]] if "const" in schema else ()
        for key in ("minimum", "maximum", "minLength", "maxLength"):
            if isinstance(schema.get(key), int):
                for value in (schema[key] - 1, schema[key], schema[key] + 1):
                    yield "a" * max(value, 0) if key.endswith("Length") else value
        for part in ("anyOf", "oneOf", "allOf"):
            for one in schema.get(part, ()):
                yield from _values(one)


@lru_cache(maxsize=4096)
def _validator(text: str) -> Any:
    return jsonschema_rs.Draft202012Validator(json.loads(text))


def _joined(one: str, two: str) -> str:
    return one + two if two.startswith("[") or not two else f"{one}.{two}"
