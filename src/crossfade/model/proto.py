"""Protobuf files as values: what `formats.proto` reads from .proto texts and descriptor sets and `engine.proto` compares.

Full names have no leading dot: "shop.v1.Order.Item".
"""

from __future__ import annotations

import msgspec


class ProtoField(msgspec.Struct, frozen=True):
    """`type` is a scalar ("int32"), or the full name of a message or enum, or "map<string, shop.Item>" (`key` and `value`
    hold the two). `label` is optional, required, repeated, or "" (proto3: zero is not sent). `line` counts from 1."""

    name: str
    number: int
    type: str
    label: str = ""
    oneof: str = ""
    json_name: str = ""
    default: str | None = None
    key: str = ""
    value: str = ""
    packed: bool = False
    line: int = 0


class ProtoMessage(msgspec.Struct, frozen=True):
    """`reserved` are inclusive ranges of numbers, `reserved_names` names."""

    name: str
    fields: tuple[ProtoField, ...] = ()
    reserved: tuple[tuple[int, int], ...] = ()
    reserved_names: tuple[str, ...] = ()
    nested: bool = False
    file: str = ""
    line: int = 0

    def field(self, number: int) -> ProtoField | None:
        return next((field for field in self.fields if field.number == number), None)


class ProtoEnum(msgspec.Struct, frozen=True):
    """`values` are (name, number) as written; `closed`: an unknown number is set aside (proto2)."""

    name: str
    values: tuple[tuple[str, int], ...] = ()
    closed: bool = False
    file: str = ""
    line: int = 0


class ProtoMethod(msgspec.Struct, frozen=True):
    name: str
    request: str
    response: str
    client_streams: bool = False
    server_streams: bool = False
    line: int = 0


class ProtoService(msgspec.Struct, frozen=True):
    name: str
    methods: tuple[ProtoMethod, ...] = ()
    file: str = ""
    line: int = 0


class ProtoDocument(msgspec.Struct, frozen=True):
    """A file with what it imports. `missing` are imports that were not found."""

    file: str
    messages: dict[str, ProtoMessage] = {}
    enums: dict[str, ProtoEnum] = {}
    services: dict[str, ProtoService] = {}
    missing: tuple[str, ...] = ()
