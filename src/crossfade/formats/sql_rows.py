"""Statements that change rows or lock tables, for `formats.sql_changes`."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.formats.sql_reader import SqlReader, identifiers, split
from crossfade.formats.sql_tokens import Token
from crossfade.model.migration import Change, Kind


def updated(reader: SqlReader) -> list[Change] | None:
    """`UPDATE t SET a = x, (b, c) = (y, z) FROM s WHERE ...`: columns with their expressions; `text` is the condition."""
    table = reader.name()
    if not reader.token.is_word("set"):
        reader.accept("as")
        reader.identifier()
    if not reader.accept("set"):
        return None
    assignments: list[tuple[str, str]] = []
    for piece in split(reader.until("from", "where", "returning")):
        assignments += _assigned(reader, piece)
    others: tuple[str, ...] = ()
    if reader.accept("from"):
        others = _tables(reader, reader.until("where", "returning"))
    where = reader.text(reader.until("returning")) if reader.accept("where") else ""
    return [Change(kind=Kind.UPDATE, name=table, assignments=tuple(assignments), text=where, names=others)]


def _assigned(reader: SqlReader, piece: Sequence[Token]) -> list[tuple[str, str]]:
    inner = reader.sub(piece)
    if inner.token.is_mark("("):
        columns = identifiers(inner.bracketed())
        inner.accept_mark("=")
        inner.accept("row")
        values = split(inner.bracketed())
        texts = [reader.text(value) for value in values] if len(values) == len(columns) else ["?"] * len(columns)
        return list(zip(columns, texts, strict=True))
    column = inner.identifier()
    while not inner.done and not inner.token.is_mark("="):
        inner.take()
    inner.accept_mark("=")
    return [(column, reader.text(piece[inner.at :]))] if column else []


def inserted(reader: SqlReader) -> list[Change] | None:
    """`names` are the tables the rows come from; () for VALUES."""
    if not reader.accept("into"):
        return None
    table = reader.name()
    if reader.accept("as"):
        reader.identifier()
    columns = (
        identifiers(reader.bracketed()) if reader.token.is_mark("(") and not reader.ahead().is_word("select") else ()
    )
    rest = reader.tokens[reader.at :]
    updates: list[tuple[str, str]] = []
    for n, token in enumerate(rest):
        if token.is_word("do") and n + 2 < len(rest) and rest[n + 1].is_word("update"):
            after = reader.sub(rest[n + 3 :])
            for piece in split(after.until("where", "returning")):
                updates += _assigned(reader, piece)
    return [
        Change(
            kind=Kind.INSERT,
            name=table,
            names=tuple(name for name in _from(reader, rest) if name != table),
            grants=tuple((column, "") for column in columns),
            assignments=tuple(updates),
        )
    ]


def deleted(reader: SqlReader) -> list[Change] | None:
    if not reader.accept("from"):
        return None
    table = reader.name()
    rest = reader.until("where", "returning")
    where = reader.text(reader.until("returning")) if reader.accept("where") else ""
    return [Change(kind=Kind.DELETE, name=table, names=_from(reader, rest), text=where)]


def merged(reader: SqlReader) -> list[Change] | None:
    if not reader.accept("into"):
        return None
    table = reader.name()
    assignments: list[tuple[str, str]] = []
    rest = reader.tokens[reader.at :]
    for n, token in enumerate(rest):
        if token.is_word("update") and n + 1 < len(rest) and rest[n + 1].is_word("set"):
            inner = reader.sub(rest[n + 2 :])
            for piece in split(inner.until("when", "returning")):
                assignments += _assigned(reader, piece)
    return [Change(kind=Kind.UPDATE, name=table, assignments=tuple(assignments), names=_from(reader, rest))]


def with_changes(reader: SqlReader) -> list[Change]:
    """`WITH a AS (UPDATE ...), b AS (...) INSERT ...`: what each part does; a query is harmless."""
    found: list[Change] = []
    parsers = {"update": updated, "insert": inserted, "delete": deleted, "merge": merged}
    reader.take()
    reader.accept("recursive")
    while not reader.done:
        if reader.token.is_mark("("):
            inner = reader.sub(reader.bracketed())
            if inner.token.is_word(*parsers):
                found += parsers[inner.take().value](inner) or []
            continue
        if reader.token.is_word(*parsers):
            found += parsers[reader.take().value](reader) or []
            break
        reader.take()
    return found or [Change(kind=Kind.HARMLESS)]


def truncated(reader: SqlReader) -> list[Change]:
    reader.accept("table")
    return [Change(kind=Kind.TRUNCATE, name=name) for name in reader.names()]


def locked(reader: SqlReader) -> list[Change]:
    reader.accept("table")
    names = reader.names()
    mode = reader.text(reader.until("mode", "nowait")) if reader.accept("in") else "access exclusive"
    return [Change(kind=Kind.LOCK, name=name, text=mode.lower()) for name in names]


def refreshed(reader: SqlReader) -> list[Change] | None:
    if not reader.accept("materialized", "view"):
        return None
    concurrently = reader.accept("concurrently")
    return [Change(kind=Kind.REFRESH, name=reader.name(), concurrently=concurrently)]


def reindexed(reader: SqlReader) -> list[Change]:
    options = [token.value for token in reader.bracketed()]
    what = reader.accept_any("index", "table", "schema", "database", "system")
    concurrently = reader.accept("concurrently") or "concurrently" in options
    return [Change(kind=Kind.REINDEX, what=what, name=reader.name(), concurrently=concurrently)]


def vacuumed(reader: SqlReader) -> list[Change]:
    options = [token.value for token in reader.bracketed()]
    full = reader.accept("full") or "full" in options
    reader.accept_any("freeze", "verbose")
    reader.accept_any("verbose", "analyze")
    if not full:
        return [Change(kind=Kind.HARMLESS)]
    return [Change(kind=Kind.REWRITE, name=name, text="VACUUM FULL") for name in reader.names()]


def clustered(reader: SqlReader) -> list[Change]:
    reader.accept("verbose")
    return [Change(kind=Kind.REWRITE, name=reader.name(), text="CLUSTER")]


def copied(reader: SqlReader) -> list[Change]:
    table = reader.name() if not reader.token.is_mark("(") else ""
    reader.bracketed()
    if table and reader.accept("from"):
        return [Change(kind=Kind.INSERT, name=table)]
    return [Change(kind=Kind.HARMLESS)]


def _from(reader: SqlReader, rest: Sequence[Token]) -> tuple[str, ...]:
    """The tables after FROM, JOIN and USING anywhere in a statement."""
    found: list[str] = []
    for n, token in enumerate(rest):
        if token.is_word("from", "join", "using") and n + 1 < len(rest):
            inner = reader.sub(rest[n + 1 :])
            inner.accept("lateral")
            if inner.token.kind in ("word", "name") and not inner.token.is_word("select"):
                found.append(inner.name())
    return tuple(dict.fromkeys(name for name in found if name))


def _tables(reader: SqlReader, tokens: Sequence[Token]) -> tuple[str, ...]:
    first = reader.sub(tokens)
    name = (first.name(),) if first.token.kind in ("word", "name") else ()
    return tuple(dict.fromkeys((*name, *_from(reader, tokens))))
