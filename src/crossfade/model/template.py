"""`${...}` in texts: the names a text needs, and the text with values put in.

A name is `port`, `db.url`, `orders.url` or a variable saved by an earlier step. `$${` is a literal `${`.

>>> names("GET /orders/${id}?v=${ n }")
('id', 'n')
>>> filled("/orders/${id}", {"id": 7})
'/orders/7'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PATTERN = re.compile(r"\$\$\{|\$\{\s*([A-Za-z_][A-Za-z0-9_.\-]*)\s*\}")


def names(text: str) -> tuple[str, ...]:
    return tuple(match.group(1) for match in PATTERN.finditer(text) if match.group(1))


def names_in(value: Any) -> tuple[str, ...]:
    """The names in every text of a JSON-like value, object keys included."""
    if isinstance(value, str):
        return names(value)
    if isinstance(value, Mapping):
        return tuple(name for key, item in value.items() for name in (*names_in(key), *names_in(item)))
    if isinstance(value, list | tuple):
        return tuple(name for item in value for name in names_in(item))
    return ()


def filled(text: str, values: Mapping[str, Any]) -> str:
    """`text` with every name replaced. Raises KeyError with the first name that has no value."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        return "${" if name is None else as_text(values[name])

    return PATTERN.sub(replace, text) if "${" in text else text


def filled_value(value: Any, values: Mapping[str, Any]) -> Any:
    """A JSON-like value with its texts filled; a text that is one lone `${name}` keeps the variable's own type.

    >>> filled_value({"order": "${id}", "note": "for ${id}"}, {"id": 7})
    {'order': 7, 'note': 'for 7'}
    """
    if isinstance(value, str):
        whole = PATTERN.fullmatch(value)
        if whole and whole.group(1):
            return values[whole.group(1)]
        return filled(value, values)
    if isinstance(value, Mapping):
        return {filled(key, values): filled_value(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [filled_value(item, values) for item in value]
    return value


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
