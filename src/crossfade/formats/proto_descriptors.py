"""A FileDescriptorSet (what `protoc --descriptor_set_out` and `buf build` write) to `ProtoDocument`.

A reader of the wire format for just the fields of descriptor.proto that matter; no lines, since those are in source
info that is mostly left out."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from crossfade.errors import ContractError
from crossfade.model.proto import ProtoDocument, ProtoEnum, ProtoField, ProtoMessage, ProtoMethod, ProtoService

_TYPES = (
    "", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "group", "message", "bytes",
    "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
)  # fmt: skip
_LABELS = ("", "optional", "required", "repeated")
Fields = dict[int, list[Any]]


def document_of_descriptor_set(data: bytes, shown: str) -> ProtoDocument:
    """Raises ContractError where the bytes are no descriptor set."""
    messages: dict[str, ProtoMessage] = {}
    enums: dict[str, ProtoEnum] = {}
    services: dict[str, ProtoService] = {}
    try:
        for raw in _fields(data).get(1, ()):
            file = _fields(raw)
            package, name = _text(file, 2), _text(file, 1)
            syntax = _text(file, 12) or "proto2"
            for one in file.get(4, ()):
                _message(one, package, syntax, name, messages, enums, nested=False)
            for one in file.get(5, ()):
                _enum(one, package, syntax, name, enums)
            for one in file.get(6, ()):
                service = _fields(one)
                full = _within(package, _text(service, 1))
                services[full] = ProtoService(full, tuple(_method(each) for each in service.get(2, ())), name)
    except (IndexError, ValueError, TypeError, AttributeError):
        raise ContractError(
            f"`{shown}` is no protobuf descriptor set",
            where=shown,
            hint="`protoc --include_imports --descriptor_set_out=FILE`",
        ) from None
    if not (messages or enums or services):
        raise ContractError(f"`{shown}` is no protobuf descriptor set, or an empty one", where=shown)
    return ProtoDocument(shown, messages, enums, services)


def _message(
    raw: bytes,
    scope: str,
    syntax: str,
    file: str,
    messages: dict[str, ProtoMessage],
    enums: dict[str, ProtoEnum],
    nested: bool,
) -> None:
    data = _fields(raw)
    full = _within(scope, _text(data, 1))
    entries = {}
    for one in data.get(3, ()):
        inner = _fields(one)
        if _fields(_last(inner, 7, b"")).get(7, [0])[-1]:  # a map entry
            fields = {field.number: field for field in (_field(each, syntax, ()) for each in inner.get(2, ()))}
            entries[f"{full}.{_text(inner, 1)}"] = fields
        else:
            _message(one, full, syntax, file, messages, enums, nested=True)
    for one in data.get(4, ()):
        _enum(one, full, syntax, file, enums)
    oneofs = [_text(_fields(one), 1) for one in data.get(8, ())]
    found = []
    for one in data.get(2, ()):
        field = _field(one, syntax, oneofs)
        entry = entries.get(field.type)
        if entry is not None:
            key, value = entry[1].type, entry[2].type
            field = ProtoField(
                field.name, field.number, f"map<{key}, {value}>", "", "", field.json_name, None, key, value
            )
        found.append(field)
    ranges = [_fields(one) for one in data.get(9, ())]
    reserved = tuple((_last(one, 1, 0), _last(one, 2, 0) - 1) for one in ranges)
    names = tuple(one.decode() for one in data.get(10, ()))
    messages[full] = ProtoMessage(full, tuple(found), reserved, names, nested, file)


def _field(raw: bytes, syntax: str, oneofs: Any) -> ProtoField:
    data = _fields(raw)
    kind = _TYPES[_last(data, 5, 11)]
    name = _text(data, 6).removeprefix(".") if kind in ("message", "enum", "group") else kind
    label = _LABELS[_last(data, 4, 1)]
    explicit = bool(_last(data, 17, 0))
    if label == "optional" and syntax == "proto3" and not explicit:
        label = ""
    oneof = oneofs[data[9][-1]] if 9 in data and not explicit else ""
    options = _fields(_last(data, 8, b""))
    packed = bool(_last(options, 2, 0)) if 2 in options else syntax != "proto2"
    default = _text(data, 7) if 7 in data else None
    return ProtoField(_text(data, 1), _last(data, 3, 0), name, label, oneof, _text(data, 10), default, packed=packed)


def _enum(raw: bytes, scope: str, syntax: str, file: str, enums: dict[str, ProtoEnum]) -> None:
    data = _fields(raw)
    full = _within(scope, _text(data, 1))
    values = [_fields(one) for one in data.get(2, ())]
    pairs = tuple((_text(one, 1), _signed(_last(one, 2, 0))) for one in values)
    enums[full] = ProtoEnum(full, pairs, syntax == "proto2", file)


def _method(raw: bytes) -> ProtoMethod:
    data = _fields(raw)
    request, response = _text(data, 2).removeprefix("."), _text(data, 3).removeprefix(".")
    return ProtoMethod(_text(data, 1), request, response, bool(_last(data, 5, 0)), bool(_last(data, 6, 0)))


def _fields(data: bytes) -> Fields:
    """The wire format: values by field number, each number's in order. Raises ValueError or IndexError."""
    found: Fields = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            found[number].append(value)
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError
            found[number].append(data[at : at + size])
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _text(data: Fields, number: int) -> str:
    return str(data[number][-1].decode()) if number in data else ""


def _last(data: Fields, number: int, default: Any) -> Any:
    return data[number][-1] if number in data else default


def _within(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
