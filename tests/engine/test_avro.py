"""Avro resolution against a library that really writes with one schema and reads with the other."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.avro import AvroProblem, unreadable
from crossfade.errors import ContractError
from crossfade.formats.avro import avro_document
from crossfade.model.compat import Severity

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
SYMBOLS = ["A", "B", "C"]


@st.composite
def schemas(draw: st.DrawFn, depth: int = 0, names: str = "R") -> Any:
    """A schema whose named types are called after their place, so that two of them often match."""
    kinds = ["primitive", "primitive", "enum", "fixed"]
    if depth < 3:
        kinds += ["record", "record", "array", "map", "union"]
    kind = draw(st.sampled_from(kinds)) if depth else "record"
    if kind == "primitive":
        return draw(st.sampled_from(PRIMITIVES))
    if kind == "enum":
        enum = {
            "type": "enum",
            "name": f"E{names}",
            "symbols": draw(st.sampled_from([SYMBOLS, SYMBOLS[:2], SYMBOLS[1:]])),
        }
        return {**enum, "default": enum["symbols"][0]} if draw(st.booleans()) else enum
    if kind == "fixed":
        return {"type": "fixed", "name": f"F{names}", "size": draw(st.sampled_from([2, 2, 3]))}
    if kind == "array":
        return {"type": "array", "items": draw(schemas(depth + 1, names + "i"))}
    if kind == "map":
        return {"type": "map", "values": draw(schemas(depth + 1, names + "v"))}
    if kind == "union":
        kinds = ["null", "int", "long", "string", "boolean", "record"]
        branches = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True))
        inner = draw(schemas(depth + 2, names + "u"))
        record = {"type": "record", "name": f"U{names}", "fields": [{"name": "in", "type": inner}]}
        return [record if branch == "record" else branch for branch in branches]
    fields = []
    for name in draw(
        st.lists(st.sampled_from(["a", "b", "c", draw(st.sampled_from("dz"))]), min_size=1, max_size=3, unique=True)
    ):
        kind = draw(schemas(depth + 1, names + name))
        field: dict[str, Any] = {"name": name, "type": kind}
        if kind in ("int", "long") and draw(st.booleans()):
            field["default"] = 7
        if name == "d":
            field["aliases"] = ["z"]
        fields.append(field)
    if depth and draw(st.booleans()):
        fields.append({"name": "again", "type": ["null", names], "default": None})
    return {"type": "record", "name": names, "fields": fields}


def values(schema: Any, named: dict[str, Any], draw: st.DrawFn, depth: int = 0) -> Any:
    if isinstance(schema, list):
        branch = schema[0] if depth > 4 else draw(st.sampled_from(schema))
        return values(branch, named, draw, depth + 1)
    if isinstance(schema, str):
        simple = {
            "null": None,
            "boolean": True,
            "int": 3,
            "long": 3,
            "float": 1.5,
            "double": 1.5,
            "bytes": b"x",
            "string": "x",
        }
        return simple[schema] if schema in simple else values(named[schema], named, draw, depth + 1)
    kind = schema["type"]
    if kind == "record":
        named[schema["name"]] = schema
        return {field["name"]: values(field["type"], named, draw, depth + 1) for field in schema["fields"]}
    if kind == "enum":
        return draw(st.sampled_from(schema["symbols"]))
    if kind == "fixed":
        return b"\0" * schema["size"]
    inner = values(schema.get("items", schema.get("values")), named, draw, depth + 1)
    return [inner] if kind == "array" else {"key": inner}


def readable(writer: Any, reader: Any, value: Any) -> bool:
    """Does the library read what it wrote?"""
    written = io.BytesIO()
    w, r = fastavro.parse_schema(json.loads(json.dumps(writer))), fastavro.parse_schema(json.loads(json.dumps(reader)))
    fastavro.schemaless_writer(written, w, value)
    written.seek(0)
    try:
        fastavro.schemaless_reader(written, w, r)
    except Exception:
        return False
    return True


def problems(writer: Any, reader: Any) -> list[AvroProblem]:
    w, r = avro_document(json.dumps(writer), "w.avsc"), avro_document(json.dumps(reader), "r.avsc")
    return list(unreadable(w, r, w.messages[0].type, r.messages[0].type))


def as_bytes(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    """A witness is JSON; the library wants bytes for bytes and fixed."""
    if isinstance(schema, str) and schema in named:
        schema = named[schema]
    if isinstance(schema, list):
        fitting = [b for b in schema if _is(b, value, named)]
        return as_bytes(fitting[0], value, named) if fitting else value
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind == "record":
        named[schema["name"]] = schema
        return {field["name"]: as_bytes(field["type"], value[field["name"]], named) for field in schema["fields"]}
    if kind in ("bytes", "fixed"):
        return value.encode()
    if kind == "array":
        return [as_bytes(schema["items"], one, named) for one in value]
    return {key: as_bytes(schema["values"], one, named) for key, one in value.items()} if kind == "map" else value


def _is(branch: Any, value: Any, named: dict[str, Any]) -> bool:
    branch = named.get(branch, branch) if isinstance(branch, str) else branch
    kind = branch if isinstance(branch, str) else branch["type"]
    types = {"null": type(None), "boolean": bool, "string": str, "record": dict, "int": int, "long": int}
    return type(value) is types.get(kind, object)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_said_to_be_readable_is_read_and_a_witness_is_not(data: st.DataObject) -> None:
    writer, reader = data.draw(schemas()), data.draw(schemas())
    found = [one for one in problems(writer, reader) if one.severity is Severity.ERROR]
    if not found:
        for _ in range(3):
            value = values(writer, {}, data.draw)
            assert readable(writer, reader, value), value
    for one in found:
        assert not readable(writer, reader, as_bytes(writer, one.value, {})), one


@given(schemas())
def test_a_schema_reads_what_it_writes(schema: Any) -> None:
    assert problems(schema, schema) == []


def record(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": list(fields), **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


@pytest.mark.parametrize(
    "writer, reader, rule, path",
    [
        (record(field("a", "int")), record(field("a", "long")), "", ""),
        (record(field("a", "long")), record(field("a", "int")), "avro-type-changed", "a"),
        (record(), record(field("a", "int")), "avro-field-without-default", "a"),
        (record(), record(field("a", "int", default=0)), "", ""),
        (record(field("old", "int")), record(field("a", "int", aliases=["old"])), "", ""),
        (record(field("a", ["null", "int"])), record(field("a", "int")), "avro-type-changed", "a"),
        (record(field("a", "int")), record(field("a", ["null", "int"])), "", ""),
        (record(field("a", ["int", "string"])), record(field("a", ["long", "null"])), "avro-union-branch-removed", "a"),
        (record(), record(name="Purchase"), "avro-name-changed", ""),
        (record(), record(name="Purchase", aliases=["Order"]), "", ""),
        (record(), record(namespace="other"), "", ""),
        (
            record(field("a", {"type": "enum", "name": "E", "symbols": ["X", "Y"]})),
            record(field("a", {"type": "enum", "name": "E", "symbols": ["X"], "default": "X"})),
            "avro-enum-symbol-unknown",
            "a",
        ),
        (
            record(field("a", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2})),
            record(field("a", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4})),
            "avro-logical-type-changed",
            "a",
        ),
        (
            record(field("a", {"type": "long", "logicalType": "timestamp-millis"})),
            record(field("a", {"type": "long", "logicalType": "timestamp-micros"})),
            "avro-logical-type-changed",
            "a",
        ),
        (
            record(field("a", {"type": "array", "items": record(field("b", "int"), name="Item")})),
            record(field("a", {"type": "array", "items": record(field("b", "string"), name="Item")})),
            "avro-type-changed",
            "a[].b",
        ),
        (
            record(field("next", ["null", "Order"]), field("a", "int")),
            record(field("next", ["null", "Order"]), field("a", "string")),
            "avro-type-changed",
            "a",
        ),
    ],
)  # fmt: skip
def test_cases(writer: Any, reader: Any, rule: str, path: str) -> None:
    assert [(rule, path)] * bool(rule) == [(one.rule, one.path) for one in problems(writer, reader)]


def test_lines_are_those_of_the_fields() -> None:
    text = '{"type": "record", "name": "A",\n "fields": [\n  {"name": "x", "type": "int"},\n  {"name": "y", "type": "int"}]}'
    w, r = (
        avro_document(text, "w.avsc"),
        avro_document(text.replace('"y", "type": "int"', '"y", "type": "string"'), "r.avsc"),
    )
    (found,) = unreadable(w, r, w.messages[0].type, r.messages[0].type)
    assert (found.path, found.lines) == ("y", (4, 4))


@pytest.mark.parametrize("text", ["{", '{"type": "enum"}', '"Nothing"', '{"type": "array"}', '{"a": 1}', "3"])
def test_what_is_no_schema_is_refused_with_its_file(text: str) -> None:
    with pytest.raises(ContractError) as caught:
        avro_document(text, "w.avsc")
    assert caught.value.where == "w.avsc"
