"""What a statement text means for taking turns: is it one, does it end a transaction, can its COMMIT be cut off.

A classifier by keywords, not an SQL parser: what it does not know is a turn. What a statement touches is asked of the
server (`world.locks`), because no text shows views, triggers and functions.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

import msgspec

from crossfade.world import sqltext

Sort = Literal["local", "begin", "commit", "rollback", "statement"]
_CACHED = 20_000  # characters; longer texts are read every time


class Meaning(msgspec.Struct, frozen=True):
    """Of one text, which may hold several statements. `sort`: local, begin (local, but opens a transaction), commit,
    rollback, statement. `ends`: a transaction is over after it. `divisible`: exactly one statement that may run inside
    a transaction. `forgets`: the prepared statement it deallocates ("*": all)."""

    sort: Sort
    ends: bool = False
    divisible: bool = False
    forgets: str = ""


def meaning(text: str) -> Meaning:
    """
    >>> meaning("/* ping */ select 1").sort, meaning("select f(1)").sort, meaning("End").sort
    ('local', 'statement', 'commit')
    """
    return _meaning(text) if len(text) <= _CACHED else _read(text)


def without_comments(text: str) -> str:
    """`text` in lower case, with comments blanked out and the contents of quotes removed."""
    plain, depth, end = [], 0, 0
    for match in _PIECE.finditer(text):
        if match.start() < end:
            continue
        piece = match.group()
        if piece == "/*":
            depth += 1
        elif piece == "*/":
            depth = max(0, depth - 1)
            if depth == 0:
                plain.append(" ")
        elif depth:
            continue
        elif piece.startswith("--"):
            plain.append(" ")
        elif piece[0] == "$" and len(piece) > 1 and piece[-1] == "$":
            closing = text.find(piece, match.end())
            end = len(text) if closing < 0 else closing + len(piece)
            plain.append("''")
        elif piece[0] == "'" or (piece[0] in "eE" and piece[-1] == "'" and len(piece) > 1):
            plain.append("''")
        else:
            plain.append(piece)
    return "".join(plain).lower()


@functools.lru_cache(4096)
def _meaning(text: str) -> Meaning:
    return _read(text)


def _read(text: str) -> Meaning:
    found = [_of_one(without_comments(sql)) for _, sql in sqltext.statements(text)]
    found = [one for one in found if one is not None] if len(found) != 1 else found
    if not found or found == [None]:
        return Meaning("local")
    ones: list[tuple[Meaning, str]] = [one for one in found if one is not None]
    if len(ones) == 1:
        return ones[0][0]
    sorts = {one.sort for one, _ in ones}
    if {"unlock", "reset"} <= {note for _, note in ones}:
        # what a pool sends when a connection comes back: asyncpg unlocks, closes, unlistens, resets
        rest = {one.sort for one, note in ones if note != "unlock"}
        return Meaning("local") if rest == {"local"} else Meaning("statement")
    if sorts == {"local"}:
        return Meaning("local", forgets=next((one.forgets for one, _ in ones if one.forgets), ""))
    for sort in ("begin", "commit", "rollback"):
        if sorts <= {"local", sort} and sort in sorts:
            return Meaning(sort, ends=any(one.ends for one, _ in ones))
    return Meaning("statement", ends=ones[-1][0].ends)


def _of_one(plain: str) -> tuple[Meaning, str] | None:
    words = _WORD.findall(plain[:400])
    if not words:
        return None
    first, second = words[0], words[1] if len(words) > 1 else ""
    if first in ("begin", "start"):
        return Meaning("begin"), ""
    if first in ("commit", "end", "rollback", "abort") and second != "prepared":
        if "to" in words[1:4]:
            return Meaning("rollback"), ""
        ends = not ("chain" in words and "no" not in words)
        return Meaning("commit" if first in ("commit", "end") else "rollback", ends=ends), ""
    if first in ("deallocate", "discard"):
        name = words[2] if second == "prepare" and len(words) > 2 else second
        return Meaning("local", forgets="*" if name == "all" else name if first == "deallocate" else ""), ""
    if first == "set" and second == "constraints":
        return Meaning("statement"), ""  # checks what was deferred
    if first in _LOCAL or (first == "prepare" and second != "transaction"):
        return Meaning("local"), "reset" if first == "reset" else ""
    if first in ("select", "with") and _harmless(plain):
        return Meaning("local"), ""
    if first in _DIVISIBLE:
        unlock = first == "select" and re.fullmatch(r"\s*select\s+pg_advisory_unlock_all\s*\(\s*\)\s*", plain)
        return Meaning("statement", divisible=True), "unlock" if unlock else ""
    return Meaning("statement", ends=first == "prepare"), ""


def _harmless(plain: str) -> bool:
    """A query that reads no table of the services and calls nothing that could do something."""
    if _EFFECT.search(plain):
        return False
    made = set(_MADE.findall(plain))
    tables = _sources(plain)
    if not all(name in made or name.startswith(("pg_", "information_schema.")) for name in tables):
        return False
    calls = {name.replace('"', "").removeprefix("pg_catalog.") for name in _CALL.findall(plain)}
    catalog = bool(tables)
    return all(
        name in _HARMLESS or name in made or (catalog and name.startswith(("pg_get_", "pg_", "format_type")))
        for name in calls
    )


def _sources(plain: str) -> list[str]:
    """What stands after each FROM and JOIN, separated by commas: names ("?" for what is none); subqueries speak for
    themselves."""
    found = []
    for match in re.finditer(r"\b(?:from|join)\b", plain):
        at = match.end()
        while True:
            source = _SOURCE.match(plain, at)
            if source is None:
                found.append("?")
                break
            name, at = source[1].replace('"', ""), source.end()
            if name == "(":
                at = _closing(plain, at)
            else:
                found.append(name)
            following = _COMMA.match(plain, at)
            if following is None:
                break
            at = following.end()
    return found


def _closing(plain: str, at: int) -> int:
    depth = 1
    for match in re.compile(r"[()]").finditer(plain, at):
        depth += 1 if match.group() == "(" else -1
        if depth == 0:
            return match.end()
    return len(plain)


_PIECE = re.compile(
    r"--[^\n]*|/\*|\*/|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|"
    r"(?<![A-Za-z0-9_$])\$(?:[A-Za-z_][A-Za-z_0-9]*)?\$|[^-/*'\"$eE]+|.",
    re.DOTALL,
)
_WORD = re.compile(r"[a-z_][a-z_0-9$.]*|\"[^\"]*\"|\*|\S")
_LOCAL = frozenset(("set", "reset", "show", "close", "unlisten", "listen", "savepoint", "release"))
_DIVISIBLE = frozenset(("select", "insert", "update", "delete", "merge", "with", "values", "table"))
_EFFECT = re.compile(
    r"\b(?:into|table|insert|update|delete|merge|share|nextval|setval|dblink\w*|lo_\w+|pg_notify|pg_sleep\w*|pg_advisory\w*"
    r"|pg_try_advisory\w*|pg_terminate\w*|pg_cancel\w*|pg_reload\w*|pg_logical\w*|pg_replication\w*|pg_create\w*|pg_drop\w*)\b"
)
_SOURCE = re.compile(r"\s*(?:only\b\s*|lateral\b\s*)*(\(|(?:[a-z_\"][\w\"$]*\.)?[a-z_\"][\w\"$]*(?!\s*[(\w\"$.]*\())")
_COMMA = re.compile(r"\s*(?:as\b\s*)?(?:[a-z_\"][\w\"$]*\s*)?(?:\([\w\s,\"]*\)\s*)?,")
_MADE = re.compile(r"\b([a-z_]\w*)\s*(?:\([\w\s,\"]*\)\s*)?as\s*(?:not\s+materialized\s*|materialized\s*)?\(")
_CALL = re.compile(r"([a-z_\"][\w\"$.]*)\s*\(")
_HARMLESS = frozenset(
    [
        "all",
        "and",
        "any",
        "array",
        "array_agg",
        "array_length",
        "array_to_string",
        "as",
        "bool_or",
        "bool_and",
        "by",
        "case",
        "cast",
        "char_length",
        "clock_timestamp",
        "coalesce",
        "col_description",
        "concat",
        "count",
        "current_database",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_user",
        "date_part",
        "date_trunc",
        "distinct",
        "else",
        "exists",
        "extract",
        "filter",
        "format",
        "format_type",
        "from",
        "generate_series",
        "generate_subscripts",
        "gen_random_uuid",
        "greatest",
        "has_schema_privilege",
        "has_table_privilege",
        "in",
        "inet_client_addr",
        "inet_server_addr",
        "inet_server_port",
        "is",
        "json_agg",
        "json_build_object",
        "jsonb_agg",
        "jsonb_build_object",
        "least",
        "length",
        "like",
        "lower",
        "max",
        "md5",
        "min",
        "name",
        "not",
        "now",
        "nullif",
        "obj_description",
        "on",
        "or",
        "order_by",
        "over",
        "partition",
        "pg_backend_pid",
        "pg_catalog",
        "pg_encoding_to_char",
        "pg_get_expr",
        "pg_is_in_recovery",
        "pg_my_temp_schema",
        "pg_postmaster_start_time",
        "pg_table_is_visible",
        "pg_type_is_visible",
        "quote_ident",
        "random",
        "regexp_replace",
        "repeat",
        "replace",
        "round",
        "row",
        "row_number",
        "row_to_json",
        "select",
        "session_user",
        "set_config",
        "setting",
        "shobj_description",
        "split_part",
        "statement_timestamp",
        "string_agg",
        "substring",
        "sum",
        "then",
        "timezone",
        "to_char",
        "to_json",
        "to_jsonb",
        "to_regclass",
        "to_regnamespace",
        "to_regtype",
        "transaction_timestamp",
        "trim",
        "unnest",
        "upper",
        "using",
        "values",
        "varchar",
        "version",
        "when",
        "where",
        "with",
        "within",
        "char",
        "numeric",
        "timestamp",
        "timestamptz",
        "time",
        "interval",
        "bit",
    ]
)
