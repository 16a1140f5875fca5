"""The canonical state a run has reached: what merging of routings is decided by.

Two runs are in the same state when what they changed in the stores, and the variables they carry, are equal up to
renaming of ids and clocks. Rows are first written with ids and clocks blanked, sorted by that, and then ids are renamed in
order of first appearance; so neither the order of writes nor the values of ids matter. Ids are the keys of inserted rows
and whatever looks like an id by itself; everything else keeps its value, so at worst equal states are kept apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crossfade.engine.sameness import clock_unit, time_form, token_pieces
from crossfade.model.history import Delta, KeyChange, LoggedChange, RowChange


def net_rows(log: Iterable[LoggedChange], until: float | None = None) -> tuple[RowChange, ...]:
    """The net change of every row over a log, in order of first touch; rows that end as they began are left out.

    A row whose key is changed counts as deleted and inserted, since the log holds it under both keys."""
    first: dict[tuple[str, str, str], str | None] = {}
    last: dict[tuple[str, str, str], tuple[str | None, float]] = {}
    for change in log:
        if until is not None and change.at > until:
            break
        identity = (change.database, change.table, change.key)
        first.setdefault(identity, change.before)
        last[identity] = (change.after, change.at)
    return tuple(
        RowChange(database, table, key, first[database, table, key], after, at)
        for (database, table, key), (after, at) in last.items()
        if first[database, table, key] != after
    )


def delta_until(
    log: Sequence[LoggedChange], keys: Sequence[KeyChange], complete: bool, until: float | None = None
) -> Delta:
    return Delta(net_rows(log, until), tuple(keys), complete)


def state_key(delta: Delta, saved: Mapping[str, Any], now: float) -> str:
    """A hash that is equal for equal states. `now`: the time of the run, for telling clocks from other values."""
    ids = _inserted_ids(delta.rows)
    entries = [_row_entry(row, ids, now) for row in delta.rows]
    entries += [
        [("text", f"key {key.database} "), *_pieces(key.key, ids, now), *_pieces(key.content, ids, now)]
        for key in delta.keys
    ]
    entries.sort(key=_blanked)
    variables: list[Piece] = []
    for name in sorted(saved):
        variables += [("text", f"var {name}="), *_value_pieces(saved[name], ids, now)]
    order: dict[str, str] = {}
    digest = hashlib.blake2b(digest_size=16)
    for entry in [*entries, variables]:
        for kind, text in entry:
            if kind == "id":
                text = order.setdefault(text, f"#{len(order)}")
            digest.update(text.encode("utf-8", "replace"))
            digest.update(b"\x00")
        digest.update(b"\x01")
    return digest.hexdigest()


Piece = tuple[str, str]


def _row_entry(row: RowChange, ids: frozenset[str], now: float) -> list[Piece]:
    pieces: list[Piece] = [("text", f"row {row.database} {row.table} ")]
    pieces.append(("text", "delete" if row.after is None else "insert" if row.before is None else "update"))
    if row.before is not None:  # which of the rows that were there
        pieces.extend(_value_pieces(_decoded(row.key), ids, now))
    if row.after is not None:
        pieces.extend(_value_pieces(_decoded(row.after), ids, now))
    return pieces


def _blanked(entry: Sequence[Piece]) -> str:
    return "\x00".join("#" if kind == "id" else text for kind, text in entry)


def _inserted_ids(rows: Iterable[RowChange]) -> frozenset[str]:
    """The texts of key values of rows that the run inserted (numbers under 1000 are too common to be told as ids)."""
    found: set[str] = set()
    for row in rows:
        if row.before is not None or row.after is None:
            continue
        key = _decoded(row.key)
        for value in key.values() if isinstance(key, dict) and len(key) <= 3 else ():
            if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1000:
                found.add(str(value))
    return frozenset(found)


def _value_pieces(value: Any, ids: frozenset[str], now: float) -> Iterable[Piece]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield "text", f".{name}:"
            yield from _value_pieces(value[name], ids, now)
    elif isinstance(value, list):
        yield "text", f"[{len(value)}"
        for item in value:
            yield from _value_pieces(item, ids, now)
    elif isinstance(value, str):
        yield from _pieces(value, ids, now)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        if text in ids:
            yield "id", text
        else:
            yield "text", f"<{unit}>" if (unit := clock_unit(value, now)) else text
    else:
        yield "text", repr(value)


def _pieces(text: str, ids: frozenset[str], now: float) -> Iterable[Piece]:
    for kind, piece in token_pieces(text):
        if kind in ("uuid", "hash") or (kind == "digits" and piece in ids):
            yield "id", piece
        elif kind in ("time", "http", "date", "human") and (form := time_form(piece, now)):
            yield "text", f"<{form}>"
        elif kind == "digits" and len(piece) < 20 and (unit := clock_unit(int(piece), now)):
            yield "text", f"<{unit}>"
        else:
            yield "text", piece


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError):
        return text
