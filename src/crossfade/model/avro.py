"""An Avro schema as values: what `formats.avro` reads and `engine.avro` resolves."""

from __future__ import annotations

from typing import Any

import msgspec

NO_DEFAULT = "\0none"


class AvroField(msgspec.Struct, frozen=True):
    """`default` is NO_DEFAULT where there is none."""

    name: str
    type: AvroType
    default: Any = NO_DEFAULT
    aliases: tuple[str, ...] = ()
    line: int = 0


class AvroType(msgspec.Struct, frozen=True):
    """`kind` is a primitive's name, record, enum, fixed, array, map, union, or named (a reference to `name`). `name` and
    `aliases` are full names. `default` is the default symbol of an enum. `logical` is ("decimal", precision, scale),
    or the name alone."""

    kind: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    fields: tuple[AvroField, ...] = ()
    symbols: tuple[str, ...] = ()
    default: str | None = None
    items: AvroType | None = None
    branches: tuple[AvroType, ...] = ()
    size: int = 0
    logical: tuple[str, ...] = ()
    line: int = 0


class AvroMessage(msgspec.Struct, frozen=True):
    """What one side writes and the other reads. `answer`: written by the provider of a protocol."""

    name: str
    type: AvroType
    answer: bool = False


class AvroDocument(msgspec.Struct, frozen=True):
    file: str
    named: dict[str, AvroType]
    messages: tuple[AvroMessage, ...]
    protocol: bool = False
