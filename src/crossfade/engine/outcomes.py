"""What a run of a few calls left, and the form in which it is compared.

An outcome is the calls' answers, the answers of the reads made afterwards, and the rows and keys changed. Opened for
comparison, the rows that were there before stand under their keys and everything new is a list of entries without an
identity of its own: `engine.renaming` finds out which entry of one run is which of another.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from crossfade.engine.answers import Answer
from crossfade.engine.sameness import random_text, token_pieces
from crossfade.model.history import Delta, KeyChange, RowChange

Place = tuple[
    str, str
]  # ("answer 0" | "read 1" | "db public.accounts" | "cache stock", path pattern such as ".balance")
Row = tuple[str, str, str]  # database, table, key as in RowChange; table "" for a Redis key; key "*" for all of a table

_UNIQUE = re.compile(r"(?<![A-Za-z0-9])u[0-9a-f]{10}(?![A-Za-z0-9])")


class Outcome(msgspec.Struct, frozen=True):
    """What one run of the calls left. `answers` per actor (None: left out in this run, or not a call), `reads` the answers
    of the reading calls made afterwards, in a fixed order, `delta` what the run changed in the stores since the base
    (setup included), `errors` per actor the SQLSTATEs its statements met, `now` seconds since the epoch."""

    answers: tuple[Answer | None, ...]
    reads: tuple[Answer | None, ...] = ()
    delta: Delta = Delta()
    errors: tuple[tuple[str, ...], ...] = ()
    now: float = 0.0


class Blur(msgspec.Struct, frozen=True):
    """What is not compared, or loosely. `varying`: places whose value differs between runs in the same order; it is
    renamed like an id. `masked`: not compared. `unordered`: lists compared as multisets. `uncounted`: tables and kinds of
    keys whose new entries are not compared at all."""

    varying: frozenset[Place] = frozenset()
    masked: frozenset[Place] = frozenset()
    unordered: frozenset[Place] = frozenset()
    uncounted: frozenset[str] = frozenset()


class Entry(msgspec.Struct, frozen=True):
    """A new row, or a Redis key that is not as it was. `group` is its table or kind of key."""

    group: str
    label: str
    content: dict[str, Any]
    key: frozenset[str]
    leaves: int


class Kept(msgspec.Struct, frozen=True):
    """A row that was there before. `after` is None when it was deleted."""

    label: str
    before: Any
    after: Any


class Scene(msgspec.Struct, frozen=True):
    """An outcome opened for comparison. `ids`: texts of numbers that are keys of new rows; `known`: ids that were there
    before the run, which keep their names."""

    outcome: Outcome
    answers: tuple[Answer | None, ...]  # with the JSON in their texts opened
    reads: tuple[Answer | None, ...]
    ids: frozenset[str]
    known: frozenset[str]
    kept: Mapping[tuple[str, str], Kept]
    entries: tuple[Entry, ...]


def scene(outcome: Outcome, ignored: Collection[Row] = ()) -> Scene:
    rows = [row for row in outcome.delta.rows if not _is_ignored((row.database, row.table, row.key), ignored)]
    keys = [key for key in outcome.delta.keys if not _is_ignored((key.database, "", key.key), ignored)]
    ids = _inserted_ids(rows)
    kept: dict[tuple[str, str], Kept] = {}
    entries: list[Entry] = []
    known: set[str] = set()
    for row in rows:
        group = f"{row.database} {row.table}"
        key = opened(row.key)
        label = f"{group} {_key_text(key)}"
        if row.before is not None:
            before, after = opened(row.before), None if row.after is None else opened(row.after)
            kept[group, row.key] = Kept(label, before, after)
            known.update(text for _, text in named(before, ids))
            known.update(text for _, text in named(key, ids))
        elif row.after is not None:
            content = opened(row.after)
            names = frozenset(key) if isinstance(key, dict) and key != content else frozenset[str]()
            entries.append(_entry(group, label, content if isinstance(content, dict) else {"": content}, names))
    entries += [_key_entry(key) for key in keys]
    answers, reads = (tuple(map(_opened_answer, some)) for some in (outcome.answers, outcome.reads))
    return Scene(outcome, answers, reads, ids, frozenset(known), kept, tuple(entries))


def named(value: Any, ids: Collection[str]) -> Iterable[tuple[str, str]]:
    """(kind, text) of everything in a value that is renamed: uuids, hash-like tokens, and numbers that are in `ids`."""
    for _, leaf in leaves(value):
        if isinstance(leaf, str) and random_text(leaf):
            yield "hash", leaf
        elif isinstance(leaf, str):
            for kind, text in cut(leaf):
                if kind in ("uuid", "hash"):
                    yield kind, text
                elif kind == "digits" and text in ids:
                    yield "id", text
        elif isinstance(leaf, int) and str(leaf) in ids:
            yield "id", str(leaf)


@functools.lru_cache(maxsize=16_384)  # the same texts are compared with those of every reference
def cut(text: str) -> tuple[tuple[str, str], ...]:
    """A text as (kind, text): uuid, time, http, date, human, hash, digits, text. The variable `unique`, which every run
    draws anew, counts as a hash."""
    pieces: list[tuple[str, str]] = []
    end = 0
    for match in _UNIQUE.finditer(text):
        pieces += [*token_pieces(text[end : match.start()]), ("hash", match.group())]
        end = match.end()
    return (*pieces, *token_pieces(text[end:]))


def leaves(value: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Every scalar (and empty container) in a value, with its path."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _inserted_ids(rows: Iterable[RowChange]) -> frozenset[str]:
    """The texts of numbers that are keys of new rows (under 1000 they are too common to be told as ids). A row without a
    key of its own has none: there the whole row stands for the key."""
    found: set[str] = set()
    for row in rows:
        if row.before is not None or row.after is None:
            continue
        key = opened(row.key)
        if not isinstance(key, dict) or len(key) > 3 or (len(key) > 1 and row.key == row.after):
            continue
        for value in key.values():
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1000:
                found.add(str(value))
    return frozenset(found)


def _key_entry(change: KeyChange) -> Entry:
    content: dict[str, Any] = {"name": change.key}
    if change.after is None:
        content["gone"] = True
    else:
        kind, _, text = change.content.partition(" ")
        content |= {"kind": kind, "value": opened(text), "expires": change.ttl >= 0}
        if isinstance(content["value"], str):
            content["value"] = opened(content["value"])
    start = re.split(r"[:/.|]", change.key, maxsplit=1)[0]
    group = f"{change.database} {re.sub(r'[0-9a-fA-F-]*[0-9][0-9a-fA-F-]*', '{}', start)}"
    return _entry(group, f"{change.database} {change.key}", content, frozenset(("name",)))


def _entry(group: str, label: str, content: dict[str, Any], key: frozenset[str]) -> Entry:
    return Entry(group, label, content, key, sum(1 for _ in leaves(content)))


def _is_ignored(row: Row, ignored: Collection[Row]) -> bool:
    return row in ignored or (row[0], row[1], "*") in ignored


def _opened_answer(answer: Answer | None) -> Answer | None:
    return None if answer is None else msgspec.structs.replace(answer, body=opened(answer.body))


def opened(value: Any) -> Any:
    """A value with the JSON in its texts opened, so that single leaves of it can be compared."""
    if isinstance(value, dict):
        return {name: opened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [opened(inner) for inner in value]
    if isinstance(value, str) and value[:1] in ("{", "[", '"'):
        try:
            inner = msgspec.json.decode(value)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return value
        return inner if isinstance(inner, str) else opened(inner)
    return value


def _key_text(key: Any) -> str:
    if isinstance(key, dict):
        return " ".join(f"{name}={value}" for name, value in key.items())
    return str(key)
