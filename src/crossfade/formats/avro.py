"""Avro schemas (.avsc) and protocols (.avpr) to `AvroDocument`, with the lines of records and fields.

A file holds one schema, or a list of named ones (a union, or several that refer to one another); each record of a list is a
message. Names are resolved as the specification says: a namespace is inherited by what stands inside.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from crossfade.errors import ContractError
from crossfade.model.avro import NO_DEFAULT, AvroDocument, AvroField, AvroMessage, AvroType

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def read_avro(path: str | Path, shown: str = "") -> AvroDocument:
    """Raises ContractError for a file that is missing, no JSON, or no Avro schema."""
    shown = shown or str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise ContractError(f"`{shown}` cannot be read: {problem.strerror}", where=shown) from None
    except UnicodeDecodeError:
        raise ContractError(f"`{shown}` is not UTF-8", where=shown, hint="save the file as UTF-8") from None
    return avro_document(text, shown)


def avro_document(text: str, shown: str) -> AvroDocument:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise ContractError(f"the JSON is broken: {problem}", where=shown, hint="an Avro schema is JSON") from None
    reader = _Reader(shown, text)
    if isinstance(value, dict) and "protocol" in value:
        return reader.protocol(value)
    if isinstance(value, list):
        branches = tuple(reader.type(one, "") for one in value)
        records = tuple(AvroMessage(one.name, one) for one in branches if one.kind in ("record", "named"))
        messages = records or (AvroMessage("message", AvroType("union", branches=branches)),)
    else:
        root = reader.type(value, "")
        messages = (AvroMessage(root.name or "message", root),)
    reader.check_names()
    return AvroDocument(shown, reader.named, messages)


class _Reader:
    def __init__(self, shown: str, text: str) -> None:
        self.named: dict[str, AvroType] = {}
        self._referred: list[str] = []
        self._shown = shown
        self._places: dict[str, list[int]] = {}
        for match in re.finditer(r'"name"\s*:\s*"([^"\\]+)"', text):
            self._places.setdefault(match.group(1), []).append(text.count("\n", 0, match.start()) + 1)
        self._last = 0

    def protocol(self, value: dict[str, Any]) -> AvroDocument:
        namespace = str(value.get("namespace", ""))
        for one in value.get("types", []):
            self.type(one, namespace)
        messages: list[AvroMessage] = []
        for name, message in (value.get("messages") or {}).items():
            if not isinstance(message, dict):
                raise self._error(f"the message `{name}` is no object")
            request = tuple(self._field(one, namespace) for one in message.get("request", []))
            record = AvroType("record", name, (), request)
            messages.append(AvroMessage(name, record))
            messages.append(AvroMessage(name, self.type(message.get("response", "null"), namespace), answer=True))
        self.check_names()
        return AvroDocument(self._shown, self.named, tuple(messages), protocol=True)

    def type(self, value: Any, namespace: str) -> AvroType:
        if isinstance(value, str):
            return self._by_name(value, namespace)
        if isinstance(value, list):
            return AvroType("union", branches=tuple(self.type(one, namespace) for one in value))
        if not isinstance(value, dict) or "type" not in value:
            raise self._error(f"`{str(value)[:40]}` is no schema")
        kind = value["type"]
        if not isinstance(kind, str):
            return self.type(kind, namespace)
        if kind in ("record", "error", "enum", "fixed"):
            return self._named(value, "record" if kind == "error" else kind, namespace)
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            if inner not in value:
                raise self._error(f"the {kind} has no `{inner}`")
            return AvroType(kind, items=self.type(value[inner], namespace))
        if kind in PRIMITIVES:
            return AvroType(kind, logical=_logical(value))
        return self._by_name(kind, namespace)

    def _by_name(self, name: str, namespace: str) -> AvroType:
        if name in PRIMITIVES:
            return AvroType(name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        if full not in self.named and name in self.named:
            full = name
        self._referred.append(full)
        return AvroType("named", full)

    def _named(self, value: dict[str, Any], kind: str, namespace: str) -> AvroType:
        name = value.get("name")
        if not isinstance(name, str) or not name:
            raise self._error(f"a {kind} has no name")
        inner = name.rpartition(".")[0] if "." in name else str(value.get("namespace", namespace) or "")
        full = name if "." in name or not inner else f"{inner}.{name}"
        if full in self.named:
            raise self._error(f"`{full}` is defined twice")
        aliases = tuple(
            str(one) if "." in str(one) or not inner else f"{inner}.{one}" for one in value.get("aliases", [])
        )
        line = self._line(name)
        made = AvroType(
            kind,
            full,
            aliases,
            symbols=tuple(str(one) for one in value.get("symbols", [])),
            default=value.get("default") if kind == "enum" else None,
            size=int(value.get("size", 0)) if kind == "fixed" else 0,
            logical=_logical(value),
            line=line,
        )
        self.named[full] = made
        if kind == "record":
            fields = tuple(self._field(one, inner) for one in value.get("fields", []))
            made = self.named[full] = msgspec.structs.replace(made, fields=fields)
        return AvroType("named", full, line=line)

    def _field(self, value: Any, namespace: str) -> AvroField:
        if not isinstance(value, dict) or not isinstance(value.get("name"), str) or "type" not in value:
            raise self._error(f"`{str(value)[:40]}` is no field")
        line = self._line(value["name"])
        return AvroField(
            value["name"],
            self.type(value["type"], namespace),
            value.get("default", NO_DEFAULT),
            tuple(str(one) for one in value.get("aliases", [])),
            line,
        )

    def check_names(self) -> None:
        for name in self._referred:
            if name not in self.named:
                raise self._error(f"the type `{name}` is not defined here")

    def _line(self, name: str) -> int:
        """The next place in the text where this name is given: definitions are read in the order they stand in."""
        lines = self._places.get(name, [])
        after = [line for line in lines if line >= self._last]
        if after:
            lines.remove(after[0])
            self._last = after[0]
            return after[0]
        return lines[0] if lines else 0

    def _error(self, message: str) -> ContractError:
        return ContractError(f"no Avro schema: {message}", where=self._shown)


def _logical(value: dict[str, Any]) -> tuple[str, ...]:
    name = value.get("logicalType")
    if not isinstance(name, str):
        return ()
    return (name, str(value.get("precision", "")), str(value.get("scale", 0))) if name == "decimal" else (name,)
