"""SQL files to `Change` values: the DDL of PostgreSQL as far as it matters on a ramp, and what statements do to rows.

A small parser of our own, statement by statement. It never fails: a statement it does not know is a change of kind
UNREAD (when it could matter) or HARMLESS. DO blocks are looked into, EXECUTE of a fixed text too; what stands in an IF there
is not certain. `SET search_path` and `SET SCHEMA` change where unqualified names live.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from crossfade.formats import sql_alter, sql_objects, sql_rows
from crossfade.formats.sql_reader import SqlReader
from crossfade.formats.sql_tokens import SqlText, Token, sql_text, tokens
from crossfade.model.migration import Change, Kind, Written

_HARMLESS = frozenset(
    [
        "select",
        "values",
        "table",
        "with",
        "show",
        "explain",
        "analyze",
        "comment",
        "set",
        "reset",
        "notify",
        "listen",
        "unlisten",
        "discard",
        "checkpoint",
        "load",
        "security",
        "declare",
        "fetch",
        "move",
        "close",
        "prepare",
        "execute",
        "deallocate",
        "copy",
        "call",
        "import",
    ]
)
_STARTS = frozenset(
    [
        "alter",
        "create",
        "drop",
        "update",
        "insert",
        "delete",
        "truncate",
        "grant",
        "revoke",
        "lock",
        "refresh",
        "reindex",
        "vacuum",
        "cluster",
        "merge",
        "with",
        "execute",
        "perform",
        "select",
    ]
)
_BLOCK_WORDS = frozenset(["begin", "then", "else", "loop", "declare", "exception", "do"])


def written(text: str, file: str = "") -> tuple[Written, ...]:
    """The statements of a file in order. Places name `file`.

    >>> [change.kind.value for one in written("alter table a add b int, drop c; drop view v") for change in one.changes]
    ['add column', 'drop column', 'drop']
    """
    source = sql_text(text)
    schema = "public"
    found = []
    for statement in source.statements:
        reader = SqlReader(source, statement, file, schema)
        changes = _changes(reader)
        line, column = source.position(statement[0].start)
        placed = tuple(
            change if change.line else msgspec.structs.replace(change, line=line, column=column) for change in changes
        )
        found.append(Written(source.source(statement), line, column, placed))
        schema = _search_path(statement) or schema
    return tuple(found)


def _changes(reader: SqlReader) -> Sequence[Change]:
    first = reader.token
    if first.is_word("do"):
        return _block(reader)
    if first.is_word("begin", "commit", "start", "end", "rollback", "abort", "savepoint", "release"):
        return [Change(kind=Kind.TRANSACTION, text=first.value)]
    if first.is_word("with"):
        return sql_rows.with_changes(reader)
    parse = _PARSERS.get(first.value) if first.kind == "word" else None
    if parse is not None:
        start = reader.at
        reader.take()
        if (changes := parse(reader)) is not None:
            return changes
        reader.at = start
    known = first.kind == "word" and first.value in _HARMLESS
    return [Change(kind=Kind.HARMLESS if known else Kind.UNREAD, text=_beginning(reader))]


_PARSERS: dict[str, Callable[[SqlReader], Sequence[Change] | None]] = {
    "alter": sql_alter.altered,
    "create": sql_objects.created,
    "drop": sql_objects.dropped,
    "grant": sql_objects.granted,
    "revoke": sql_objects.revoked,
    "update": sql_rows.updated,
    "insert": sql_rows.inserted,
    "delete": sql_rows.deleted,
    "merge": sql_rows.merged,
    "truncate": sql_rows.truncated,
    "lock": sql_rows.locked,
    "refresh": sql_rows.refreshed,
    "reindex": sql_rows.reindexed,
    "vacuum": sql_rows.vacuumed,
    "cluster": sql_rows.clustered,
    "copy": sql_rows.copied,
}


def _beginning(reader: SqlReader) -> str:
    return reader.text(reader.tokens[:6])


def _search_path(statement: Sequence[Token]) -> str:
    """The schema that unqualified names live in after `SET search_path TO ...`; "" where the statement is another."""
    words = [token.value for token in statement]
    if words[:1] == ["set"]:
        words = [word for word in words[1:] if word not in ("local", "session", "to", "=", ",")]
        if words[:1] == ["search_path"]:
            return next((word for word in words[1:] if word not in ("$user", "pg_catalog", "")), "public")
    if words[:3] == ["select", "pg_catalog", "."] and "search_path" in words:
        return "public"  # a dump writes all names in full
    return ""


def _block(reader: SqlReader) -> list[Change]:
    """A DO block: its statements, those of texts it executes, and a word where a text is put together at run time."""
    body = next((token for token in reader.tokens if token.kind == "string"), None)
    if body is None:
        return [Change(kind=Kind.UNREAD, text=_beginning(reader))]
    written_body = reader.source.text[body.start : body.end]
    inner = tokens(body.value, body.start + max(0, written_body.find(body.value)))
    return _pieces(reader, inner)


def _pieces(reader: SqlReader, inner: Sequence[Token]) -> list[Change]:
    found: list[Change] = []
    depth = 0  # of IF and LOOP
    piece: list[Token] = []
    for token in [*inner, Token("mark", ";", 0, 0)]:
        if token.is_mark(";") and not _open_brackets(piece):
            statement, depth = _statement(piece, depth)
            if statement:
                found += _one(reader, statement, certain=depth == 0)
            piece = []
            continue
        piece.append(token)
    return found


def _open_brackets(piece: Sequence[Token]) -> bool:
    return sum(1 if token.is_mark("(") else -1 if token.is_mark(")") else 0 for token in piece) > 0


def _statement(piece: Sequence[Token], depth: int) -> tuple[tuple[Token, ...], int]:
    """What a piece of PL/pgSQL does, without the IF, THEN, LOOP, BEGIN before it, and how deep in conditions it stands."""
    at = 0
    while at < len(piece):
        token = piece[at]
        if token.is_word("end"):
            closes = len(piece) > at + 1 and piece[at + 1].is_word("if", "loop", "case")
            return (), max(0, depth - 1) if closes else depth
        if token.is_word("if", "elsif", "elseif", "while", "for", "foreach", "case", "when"):
            opens = token.is_word("if", "while", "for", "foreach", "case")
            stop = next((n for n in range(at, len(piece)) if piece[n].is_word("then", "loop")), None)
            if stop is None:
                return (), depth
            depth += 1 if opens else 0
            at = stop + 1
            continue
        if token.is_word(*_BLOCK_WORDS):
            at += 1
            continue
        if token.is_word(*_STARTS):
            return tuple(piece[at:]), depth
        if token.kind == "word" and any(t.is_word("begin") for t in piece[at:]):
            at = next(n for n in range(at, len(piece)) if piece[n].is_word("begin")) + 1
            continue
        return (), depth
    return (), depth


def _one(reader: SqlReader, statement: tuple[Token, ...], certain: bool) -> list[Change]:
    source = reader.source
    line, column = source.position(statement[0].start)
    if statement[0].is_word("execute"):
        changes: Sequence[Change] = _executed(reader, statement)
    elif statement[0].is_word("perform", "select"):
        return []
    else:
        changes = _changes(SqlReader(source, statement, reader.file, reader.schema))
    return [
        msgspec.structs.replace(change, line=line, column=column, certain=certain and change.certain)
        for change in changes
    ]


def _executed(reader: SqlReader, statement: tuple[Token, ...]) -> list[Change]:
    """EXECUTE 'text' and EXECUTE format('text', 'name', ...) with fixed texts."""
    text = _fixed_text(statement[1:])
    if text is None:
        return [Change(kind=Kind.UNREAD, text="execute of a text that is put together at run time")]
    inner = sql_text(text)
    found: list[Change] = []
    for piece in inner.statements:
        for change in _changes(SqlReader(inner, piece, reader.file, reader.schema)):
            found.append(msgspec.structs.replace(change, line=0, column=0))
    return found


def _fixed_text(rest: Sequence[Token]) -> str | None:
    if len(rest) == 1 and rest[0].kind == "string":
        return rest[0].value
    if len(rest) > 3 and rest[0].is_word("format") and rest[2].kind == "string" and rest[-1].is_mark(")"):
        values = [token for token in rest[3:-1] if not token.is_mark(",")]
        if all(value.kind == "string" for value in values):
            return _formatted(rest[2].value, [value.value for value in values])
    return None


def _formatted(pattern: str, values: list[str]) -> str | None:
    given = iter(values)

    def one(match: re.Match[str]) -> str:
        kind = match.group(2)
        if kind == "%":
            return "%"
        value = values[int(match.group(1)[:-1]) - 1] if match.group(1) else next(given)
        if kind == "I":
            return '"' + value.replace('"', '""') + '"'
        return "'" + value.replace("'", "''") + "'" if kind == "L" else value

    try:
        return re.sub(r"%(\d+\$)?([sIL%])", one, pattern)
    except (StopIteration, IndexError, RuntimeError):
        return None


__all__ = ["SqlText", "written"]
