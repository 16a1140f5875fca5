"""JSON values as the schema comparison needs them: exact numbers, equality as JSON Schema has it, text, size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

INTEGER, WHOLE, FRACTION = "integer", "whole", "fraction"
"""The kinds a number has: written without a dot, integral but written with one (which draft 4 tells apart), the rest."""
KINDS = frozenset({"null", "boolean", "string", "array", "object", INTEGER, WHOLE, FRACTION})
NUMBERS = frozenset({INTEGER, WHOLE, FRACTION})


def kind_of(value: Any) -> str:
    """
    >>> [kind_of(one) for one in (None, True, 1, 1.0, 1.5, "a", [], {})]
    ['null', 'boolean', 'integer', 'whole', 'fraction', 'string', 'array', 'object']
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return INTEGER
    if isinstance(value, float | Decimal):
        return WHOLE if exact(value).denominator == 1 else FRACTION
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list | tuple) else "object"


@lru_cache(maxsize=8192, typed=True)
def exact(number: int | float | Decimal) -> Fraction:
    """The number as it is written: `0.1` is one tenth."""
    if isinstance(number, float):
        return Fraction(Decimal(repr(number)))
    return Fraction(number)


def number_of(exactly: Fraction) -> int | float | Decimal:
    """The JSON number: an integer, a float where it is exactly that when written, a decimal otherwise."""
    if exactly.denominator == 1:
        return exactly.numerator
    near = float(exactly)
    if exact(near) == exactly:
        return near
    digits = exactly.denominator.bit_length() + 1  # a denominator 2^a 5^b ends after max(a, b) places
    scaled = exactly * 10**digits
    return Decimal(scaled.numerator).scaleb(-digits).normalize() if scaled.denominator == 1 else near


_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")


def same_key(value: Any) -> str:
    """Equal exactly for values that JSON Schema calls equal (`1` and `1.0`, objects in any order; not `1` and true)."""
    if isinstance(value, str):
        return "s" + value
    if value is None or isinstance(value, bool):
        return f"l{value}"
    if isinstance(value, int | float | Decimal):
        return f"n{exact(value)}"
    if isinstance(value, list | tuple):
        return "[" + "".join(_measured(same_key(one)) for one in value) + "]"
    inner = sorted((str(key), same_key(one)) for key, one in value.items())
    return "{" + "".join(_measured(key) + _measured(one) for key, one in inner) + "}"


def _measured(text: str) -> str:
    return f"{len(text)}:{text}"


def json_text(value: Any) -> str:
    """The JSON text, in one line and in the order of the value; numbers with all their digits."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(str(key), ensure_ascii=False)}: {json_text(one)}" for key, one in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json_text(one) for one in value) + "]"
    if isinstance(value, Decimal):
        return format(value, "f") if -20 < value.adjusted() < 40 else str(value)
    return json.dumps(value, ensure_ascii=False)


def read_json(text: str) -> Any:
    """The value of `json_text`: numbers that a float would round stay exact."""
    return json.loads(text, parse_float=_float)


def _float(text: str) -> float | Decimal:
    near, written = float(text), Decimal(text)
    return near if near not in (float("inf"), float("-inf")) and Decimal(repr(near)) == written else written


def is_finite(value: Any) -> bool:
    """Whether every number in it is one (JSON has no infinity)."""
    if isinstance(value, float):
        return value == value and value not in (float("inf"), float("-inf"))
    if isinstance(value, dict):
        return all(is_finite(one) for one in value.values())
    return all(is_finite(one) for one in value) if isinstance(value, list | tuple) else True


def size_of(value: Any) -> tuple[int, int]:
    """Smaller values first: by the number of values inside, then by length of text."""
    return sum(1 for _ in _inside(value)), len(json_text(value))


def _inside(value: Any) -> Iterator[Any]:
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _inside(one)


def encoded(value: Any) -> bytes:
    """Equal only for equal values; quick."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return same_key(value).encode("utf-8", "surrogatepass")
