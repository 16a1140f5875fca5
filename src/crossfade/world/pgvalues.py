"""Values of the PostgreSQL protocol as short texts for people: parameters of a Bind, columns of a row.

Texts are shown as they are; of the binary formats those of common types are read. Everything else is "...".
"""

from __future__ import annotations

import datetime
import struct
import uuid
from collections.abc import Callable

import msgspec

LONGEST = 60  # characters of one value
FEW = 6  # columns of a row that is shown
UNKNOWN = "..."


class Column(msgspec.Struct, frozen=True):
    """Of a RowDescription. `format`: 0 text, 1 binary."""

    name: str
    type: int
    format: int


def shown(value: bytes | None, type_oid: int, binary: bool) -> str:
    """
    >>> shown(b"\\x00\\x00\\x00\\x07", 23, True), shown(b"x" * 70, 25, False)[-5:], shown(None, 23, True)
    ('7', 'xx...', 'NULL')
    """
    if value is None:
        return "NULL"
    if not binary:
        return _cut(value)
    read = _BINARY.get(type_oid)
    if read is None:
        return UNKNOWN
    try:
        return read(value)
    except (struct.error, ValueError, OverflowError, IndexError):
        return UNKNOWN


def parameters(bind: bytes, types: tuple[int, ...]) -> tuple[str, ...]:
    """Of the body of a Bind; `types` as far as they are known. A body that was cut off gives fewer."""
    found: list[str] = []
    try:
        at = bind.index(0, bind.index(0) + 1) + 1
        formats, at = _shorts(bind, at)
        (count,) = _SHORT.unpack_from(bind, at)
        at += 2
        for number in range(count):
            (size,) = _INT.unpack_from(bind, at)
            at += 4
            value = None if size < 0 else bind[at : at + size]
            at += max(size, 0)
            whole = value is None or len(value) == size
            oid = types[number] if number < len(types) else 0
            binary = _format(formats, number) == 1
            found.append(shown(value, oid, binary) if whole or not binary else UNKNOWN)
    except (struct.error, ValueError):
        pass
    return tuple(found)


def result_formats(bind: bytes) -> tuple[int, ...] | None:
    """Format codes a Bind asks for; None where its body was cut off."""
    try:
        at = bind.index(0, bind.index(0) + 1) + 1
        _, at = _shorts(bind, at)
        (count,) = _SHORT.unpack_from(bind, at)
        at += 2
        for _ in range(count):
            (size,) = _INT.unpack_from(bind, at)
            at += 4 + max(size, 0)
        return _shorts(bind, at)[0]
    except (struct.error, ValueError):
        return None


def parameter_types(body: bytes) -> tuple[int, ...]:
    """Of a ParameterDescription, or the end of a Parse: a count and that many type oids."""
    try:
        (count,) = _SHORT.unpack_from(body)
        return struct.unpack_from(f">{count}I", body, 2)
    except struct.error:
        return ()


def columns(description: bytes, formats: tuple[int, ...] | None) -> tuple[Column, ...]:
    """Of the body of a RowDescription; `formats` are those of the portal where a statement was described."""
    found: list[Column] = []
    try:
        (count,) = _SHORT.unpack_from(description)
        at = 2
        for number in range(count):
            end = description.index(0, at)
            _, _, oid, _, _, code = _FIELD.unpack_from(description, end + 1)
            code = code if formats is None else _format(formats, number)
            found.append(Column(description[at:end].decode("utf-8", "replace"), oid, code))
            at = end + 1 + _FIELD.size
    except (struct.error, ValueError):
        return ()
    return tuple(found)


def row(data: bytes, described: tuple[Column, ...]) -> str:
    """ "balance=100, owner=ada"; "" where there are too many columns, or it is not known what they are."""
    try:
        (count,) = _SHORT.unpack_from(data)
        if count != len(described) or not 0 < count <= FEW:
            return ""
        texts, at = [], 2
        for column in described:
            (size,) = _INT.unpack_from(data, at)
            at += 4
            value = None if size < 0 else data[at : at + size]
            if value is not None and len(value) < size and column.format:
                return ""
            at += max(size, 0)
            texts.append(f"{column.name}={shown(value, column.type, column.format == 1)}")
    except struct.error:
        return ""
    return ", ".join(texts)


def _shorts(data: bytes, at: int) -> tuple[tuple[int, ...], int]:
    (count,) = _SHORT.unpack_from(data, at)
    return struct.unpack_from(f">{count}H", data, at + 2), at + 2 + 2 * count


def _format(formats: tuple[int, ...], number: int) -> int:
    """None given: all text; one given: it holds for all."""
    if not formats:
        return 0
    return formats[0] if len(formats) == 1 else formats[number] if number < len(formats) else 0


def _cut(value: bytes) -> str:
    text = value[: 4 * LONGEST + 4].decode("utf-8", "replace")
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _integer(value: bytes) -> str:
    return str(int.from_bytes(value, "big", signed=True))


def _numeric(value: bytes) -> str:
    """Base 10000 digits, the weight of the first, the sign, and the number of decimals shown."""
    count, weight, sign, scale = struct.unpack_from(">HhHH", value)
    special = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}.get(sign)
    if special:
        return special
    if abs(weight) > 20 or scale > LONGEST:
        return UNKNOWN
    digits = struct.unpack_from(f">{count}H", value, 8)
    whole = "".join(f"{digits[i] if i < count else 0:04d}" for i in range(weight + 1)).lstrip("0") or "0"
    fraction = "".join(
        f"{digits[i] if 0 <= i < count else 0:04d}" for i in range(weight + 1, weight + 2 + (scale + 3) // 4)
    )[:scale]
    return ("-" if sign == 0x4000 else "") + whole + ("." + fraction if scale else "")


def _moment(value: bytes) -> str:
    (microseconds,) = struct.unpack(">q", value)
    return str(_EPOCH + datetime.timedelta(microseconds=microseconds))


def _day(value: bytes) -> str:
    return str((_EPOCH + datetime.timedelta(days=struct.unpack(">i", value)[0])).date())


_SHORT, _INT, _FIELD = struct.Struct(">H"), struct.Struct(">i"), struct.Struct(">IHIhih")
_EPOCH = datetime.datetime(2000, 1, 1)
_BINARY: dict[int, Callable[[bytes], str]] = {
    16: lambda value: "true" if value[0] else "false",
    18: _cut,
    19: _cut,
    20: _integer,
    21: _integer,
    23: _integer,
    25: _cut,
    26: lambda value: str(int.from_bytes(value, "big")),
    114: _cut,
    700: lambda value: f"{struct.unpack('>f', value)[0]:.7g}",
    701: lambda value: repr(struct.unpack(">d", value)[0]),
    1042: _cut,
    1043: _cut,
    1082: _day,
    1114: _moment,
    1184: lambda value: _moment(value) + "+00:00",
    1700: _numeric,
    2950: lambda value: str(uuid.UUID(bytes=value)),
    3802: lambda value: _cut(value[1:]),  # after the version of jsonb
}
