"""Breaks while they are gathered: the same fault met by another operation is the same break with one operation more.

What makes two the same is where they are written (the pointers into both documents), what refuses and who writes: never
a line number, and never the operation, so a change in a shared component is told once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from crossfade.engine.compat_rules import RULES
from crossfade.model.compat import Break, Crossing, Place, Severity
from crossfade.model.ramp import Side

LONGEST_VALUE = 60  # characters of a value within a sentence
MISSING = object()


class Fault(msgspec.Struct, frozen=True):
    """One place as it was met. `pointers` lead into the stable's and the canary's document. `what` and `detail` fill the
    wording of the rule; `severity` None: the rule's; `crossing` None: the rule's."""

    rule: str
    writer: Side
    operation: str
    path: str
    pointers: tuple[str, str]
    what: str = ""
    detail: str = ""
    keyword: str = ""
    witness: str | None = None
    unknown: bool = False
    severity: Severity | None = None
    crossing: Crossing | None = None
    more: str = ""  # appended to the sentence


class Gathered:
    """`strict` tells how answers are read; `files` are the documents as the user named them."""

    def __init__(self, strict: bool, files: tuple[str, str]) -> None:
        self._strict = strict
        self._files = files
        self._found: dict[tuple[str, ...], tuple[Fault, dict[str, str]]] = {}

    def add(self, fault: Fault, also: Mapping[str, str] = {}) -> None:
        """`also`: further operations that meet it, and its place there."""
        key = (fault.rule, fault.writer.value, *map(_unnumbered, fault.pointers), fault.keyword, _leaf(fault.path))
        if key in self._found:
            self._found[key][1].setdefault(fault.operation, fault.path)
        else:
            self._found[key] = (fault, {fault.operation: fault.path})
        known = self._found[key][1]
        for operation, path in also.items():
            known.setdefault(operation, path)

    def breaks(self) -> tuple[Break, ...]:
        """Worst first, then as the documents go."""
        made = [self._made(key, fault, tuple(found)) for key, (fault, found) in self._found.items()]
        ranks = list(Severity)
        return tuple(sorted(made, key=lambda one: ranks.index(one.severity)))

    def paths(self) -> dict[str, dict[str, str]]:
        """Break -> operation -> its place there, of those that several operations reach at different places."""
        return {
            fingerprint(key): dict(found) for key, (_, found) in self._found.items() if len(set(found.values())) > 1
        }

    def _made(self, key: tuple[str, ...], fault: Fault, operations: tuple[str, ...]) -> Break:
        rule = RULES[fault.rule]
        words = {
            "writer": fault.writer.value,
            "reader": fault.writer.other.value,
            "path": fault.path,
            "what": fault.what,
            "detail": fault.detail,
        }
        stable, canary = (
            Place(file, pointer=pointer) for file, pointer in zip(self._files, fault.pointers, strict=True)
        )
        return Break(
            rule=rule.id,
            id=fingerprint(key),
            severity=fault.severity or rule.severity(self._strict),
            crossing=fault.crossing or rule.crossing,
            writer=fault.writer.value,
            reader=fault.writer.other.value,
            operations=operations,
            path=fault.path,
            message=rule.wording.format(**words) + fault.more,
            witness=fault.witness,
            stable=stable,
            canary=canary,
            unknown=fault.unknown,
            advice=rule.advice,
        )


def fingerprint(parts: Iterable[str]) -> str:
    """Twelve hex digits, the same for the same parts in every run."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:12]


def shown(value: Any) -> str:
    """A value as JSON in backticks, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text[:LONGEST_VALUE]}...`" if len(text) > LONGEST_VALUE else f"`{text}`"


def value_at(text: str | None, path: str) -> Any:
    """The value at a path of a JSON text, MISSING where there is none. `[]` takes the first item.

    >>> value_at('{"items": [{"price": 3}]}', "items[].price")
    3
    """
    if text is None:
        return MISSING
    value = json.loads(text)
    for token in re.findall(r"\[\]|[^.\[\]]+", path):
        if token == "[]":
            value = value[0] if isinstance(value, list) and value else MISSING
        else:
            value = value.get(token, MISSING) if isinstance(value, dict) else MISSING
        if value is MISSING:
            return MISSING
    return value


def _unnumbered(pointer: str) -> str:
    """Where a parameter stands in its list is no part of what it is."""
    return re.sub(r"/parameters/\d+", "/parameters", pointer)


def _leaf(path: str) -> str:
    return re.split(r"\.|(?=\[)", path)[-1]
