"""Which statements of a migration make the calls of live sides wait: from the text, or from what PostgreSQL was seen to do.

A lock taken for a moment is no harm (it queues, `lock_timeout` is the answer). What counts is a lock that stops reads or
writes while the whole table is read, written anew or indexed, or while other long work of the same transaction goes on.
Tables the same stage has made are nobody's yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from crossfade.engine.backfills import TOOL_TABLES
from crossfade.engine.conditions import implied
from crossfade.engine.ddl import UNKNOWN, carried_out
from crossfade.engine.harm import Harm
from crossfade.engine.sql_types import normal, rewrites
from crossfade.model.catalog import Catalog, Constraint, Relation
from crossfade.model.compat import Severity
from crossfade.model.migration import Change, Kind

_MODES = (
    "access share", "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive",
    "access exclusive",
)  # fmt: skip
BLOCKS_WRITES = _MODES.index("share")
BLOCKS_READS = _MODES.index("access exclusive")
_STABLE_CALLS = re.compile(
    r"\b(now|current_timestamp|transaction_timestamp|statement_timestamp|lower|upper|coalesce|jsonb_build_object|"
    r"jsonb_build_array|json_build_object|make_interval|to_timestamp|timezone|md5|concat|array|date_trunc|to_jsonb|"
    r"decode|encode|current_user|current_date|localtimestamp|date_part|extract)\b\s*(\([^()]*\))?",
    re.I,
)


class Held(msgspec.Struct, frozen=True):
    """What one statement was seen to do to a table that was there before: the strongest lock of its transaction on it,
    and whether it was written anew, or read from end to end."""

    table: str
    mode: str
    rewritten: bool = False
    scanned: bool = False


class Transaction:
    """The locks that one transaction of a migration has taken so far."""

    def __init__(self, start: Catalog) -> None:
        self._start = start
        self._held: dict[str, int] = {}

    def harms(self, before: Catalog, changes: Sequence[Change]) -> Iterator[Harm]:
        """What these changes, made to `before`, make others wait for, by the text alone."""
        for change in changes:
            if change.kind is Kind.TRANSACTION and change.text in ("commit", "end", "rollback", "abort"):
                self._held.clear()
            for harm in self._one(before, change):
                yield _placed(harm, change)
            if not change.concurrently:
                mode = _taken(change)
                for name in (change.name, *(one.target for one in change.constraints if one.kind == "foreign")):
                    if mode and name in self._start.relations:
                        weaker = mode if name == change.name else _MODES.index("share row exclusive")
                        self._held[name] = max(weaker, self._held.get(name, 0))
            before = carried_out(before, [change])

    def _one(self, before: Catalog, change: Change) -> Iterator[Harm]:
        relation = before.relations.get(change.name)
        there = relation is not None and self._is_old(relation)
        if there and relation is not None:
            yield from _of_table(before, relation, change)
        if change.kind is Kind.REINDEX and not change.concurrently:
            yield _harm(
                "migration-locks-table",
                change.name,
                "REINDEX without CONCURRENTLY stops writes while it builds the index",
            )
        long = change.kind in (Kind.UPDATE, Kind.DELETE, Kind.VALIDATE) or (change.kind is Kind.INSERT and change.names)
        if long and change.text.lower().find("limit") < 0 and change.name.lower() not in TOOL_TABLES:
            for table, mode in self._held.items():
                if mode >= BLOCKS_WRITES:
                    what = "reads and writes" if mode >= BLOCKS_READS else "writes"
                    yield _harm(
                        "migration-locks-table",
                        table,
                        f"`{table}` stays locked against {what} while {_work(change)}: an earlier statement of the same "
                        "transaction holds the lock",
                    )

    def _is_old(self, relation: Relation) -> bool:
        return any(one.ident == relation.ident for one in self._start.relations.values())


def _placed(harm: Harm, change: Change) -> Harm:
    """With the column, constraint or index it is about in its name, so that two of a table stay two."""
    part = change.part if change.name == harm.where and change.kind is not Kind.ATTACH else ""
    return msgspec.structs.replace(harm, where=f"{harm.where}.{part}") if part else harm


def measured(changes: Sequence[Change], held: Sequence[Held]) -> Iterator[Harm]:
    """What one statement makes others wait for, by what PostgreSQL was seen to do."""
    for harm in _measured(changes, held):
        yield _placed(harm, changes[0]) if len(changes) == 1 else harm


def _measured(changes: Sequence[Change], held: Sequence[Held]) -> Iterator[Harm]:
    kinds = {change.kind for change in changes}
    works = any(one.rewritten or one.scanned for one in held)
    if Kind.TRUNCATE in kinds or any(change.name.lower() in TOOL_TABLES for change in changes):
        return
    for one in held:
        level = _MODES.index(one.mode) if one.mode in _MODES else 0
        if level < BLOCKS_WRITES:
            continue
        what = "reads and writes" if level >= BLOCKS_READS else "writes"
        if Kind.CREATE_INDEX in kinds and (one.scanned or one.rewritten):
            yield _index_harm(one.table)
        elif one.rewritten:
            yield _harm(
                "migration-rewrites-table",
                one.table,
                f"`{one.table}` is written anew, and locked against {what} meanwhile",
            )
        elif one.scanned:
            yield _harm(
                "migration-locks-table", one.table, f"`{one.table}` is locked against {what} while all of it is read"
            )
        elif works:
            yield _harm(
                "migration-locks-table",
                one.table,
                f"`{one.table}` stays locked against {what} while another table is read or written",
            )
    for change in changes:
        if change.kind is Kind.LOCK:
            yield from _lock_statement(change)


def _of_table(catalog: Catalog, relation: Relation, change: Change) -> Iterator[Harm]:
    name, kind = relation.name, change.kind
    if kind is Kind.CREATE_INDEX and not change.concurrently and not _exists(relation, change):
        yield _index_harm(name)
    elif kind is Kind.SET_TYPE:
        column = relation.column(change.part)
        if column is not None and column.type != UNKNOWN and rewrites(column.type, normal(change.to), change.text):
            yield _rewrite_harm(name, f"`{change.part}` is stored in another way")
        elif column is not None and column.type != normal(change.to) and _rechecked(relation, change.part):
            yield _harm(
                "migration-locks-table",
                name,
                f"an index or check on `{change.part}` is built or looked at again, and `{name}` is locked against reads "
                "and writes meanwhile",
            )
        elif column is not None and column.type == UNKNOWN and "text" not in normal(change.to):
            yield _rewrite_harm(name, f"`{change.part}` may be stored in another way")
    elif kind is Kind.ADD_COLUMN and relation.column(change.part) is None:
        column = change.columns[0]
        if column.generated == "stored":
            yield _rewrite_harm(name, f"the generated column `{column.name}` is computed for every row")
        elif column.identity or (column.default and _volatile(column.default)):
            yield _rewrite_harm(name, f"the default of `{column.name}` is another one for every row")
        elif normal(column.type) in catalog.domains and catalog.domains[normal(column.type)].checks:
            yield _rewrite_harm(name, f"the domain of `{column.name}` has a check")
        for constraint in change.constraints:
            if constraint.kind != "foreign" or column.default is not None:
                yield from _constraint(catalog, name, constraint, "")
    elif kind is Kind.ADD_CONSTRAINT:
        yield from _constraint(catalog, name, change.constraints[0], change.using_index)
    elif kind is Kind.SET_NOT_NULL and not change.concurrently:
        column = relation.column(change.part)
        checks = [one.definition for one in relation.constraints if one.kind == "check" and one.valid]
        proven = implied(f"{change.part} is not null", checks)
        if not proven and not (column is not None and column.not_null):
            yield _harm(
                "migration-locks-table",
                name,
                f"SET NOT NULL reads all of `{name}` for NULLs, which is locked against reads and writes meanwhile",
            )
    elif kind is Kind.REWRITE:
        yield _rewrite_harm(name, change.text)
    elif kind is Kind.LOCK:
        yield from _lock_statement(change)
    elif kind is Kind.REFRESH and not change.concurrently:
        yield _harm(
            "migration-locks-table", name, f"REFRESH without CONCURRENTLY locks `{name}` against reads while it runs"
        )
    elif kind is Kind.ATTACH and change.part in catalog.relations and change.text != "inherit":
        part = catalog.relations[change.part]
        if not any(one.kind == "check" and one.valid for one in part.constraints):
            message = f"ATTACH PARTITION reads all of `{part.name}`, which is locked against reads and writes meanwhile"
            yield _harm("migration-locks-table", part.name, message)
    elif kind is Kind.UPDATE and not change.text:
        yield _harm(
            "migration-locks-table",
            name,
            f"every row of `{name}` is updated in one transaction: writes of those rows wait for its end",
            Severity.INFO,
        )


def _rechecked(relation: Relation, column: str) -> bool:
    """Does a change of type without a rewrite still read the table: for a check, a link, a partial or computed index?"""
    word = re.compile(rf"(?<![\w$]){re.escape(column)}(?![\w$])")
    checks = any(one.kind in ("check", "foreign") and column in one.columns for one in relation.constraints)
    indexes = [
        one for one in relation.indexes if any(word.search(key) for key in one.columns) or word.search(one.where)
    ]
    return checks or any(one.where or any(not key.replace("_", "").isalnum() for key in one.columns) for one in indexes)


def _constraint(catalog: Catalog, name: str, constraint: Constraint, using_index: str) -> Iterator[Harm]:
    if constraint.kind == "check" and constraint.valid:
        message = (
            f"the check `{constraint.name}` reads all of `{name}`, which is locked against reads and writes meanwhile"
        )
        yield _harm("migration-locks-table", name, message)
    elif constraint.kind == "foreign" and constraint.valid:
        message = (
            f"the foreign key `{constraint.name}` reads all of `{name}`; it and `{constraint.target}` are locked against "
            "writes meanwhile"
        )
        yield _harm("migration-locks-table", name, message)
    elif constraint.kind in ("unique", "primary", "exclude") and not using_index:
        message = (
            f"`{constraint.name}` builds an index over `{name}`, which is locked against reads and writes meanwhile"
        )
        yield _harm("migration-locks-table", name, message)


def _lock_statement(change: Change) -> Iterator[Harm]:
    mode = " ".join(change.text.split())
    if mode in _MODES and _MODES.index(mode) >= BLOCKS_WRITES:
        yield _harm(
            "migration-locks-table",
            change.name,
            f"LOCK TABLE holds `{change.name}` in {mode} mode until the migration ends",
        )


def _index_harm(table: str) -> Harm:
    message = f"an index over `{table}` is built without CONCURRENTLY: writes wait until it is done"
    return _harm("migration-index-blocks-writes", table, message)


def _rewrite_harm(table: str, why: str) -> Harm:
    message = f"`{table}` is written anew ({why}), and locked against reads and writes meanwhile"
    return _harm("migration-rewrites-table", table, message)


def _harm(rule: str, table: str, message: str, severity: Severity = Severity.WARNING) -> Harm:
    return Harm(rule, table, message, severity, names=(table.rpartition(".")[2],))


def _exists(relation: Relation, change: Change) -> bool:
    return change.existing_ok and any(one.name == change.part for one in relation.indexes)


def _volatile(default: str) -> bool:
    """Is the default a call that gives every row another value?"""
    text = re.sub(r"'(?:[^']|'')*'(::[\w\s.\[\]]+)?", "", default)
    for _ in range(3):
        text = _STABLE_CALLS.sub("", text)
    return re.search(r"[\w.\"]+\s*\(", re.sub(r"::\s*[\w ]+\([\d, ]+\)", "", text)) is not None or "nextval" in default


def _taken(change: Change) -> int:
    kinds = {Kind.CREATE_INDEX: "share", Kind.CREATE_TRIGGER: "share row exclusive", Kind.HARMLESS: "access share"}
    if change.kind in (Kind.UPDATE, Kind.INSERT, Kind.DELETE):
        return _MODES.index("row exclusive")
    if change.kind in (Kind.VALIDATE,):
        return _MODES.index("share update exclusive")
    if change.kind is Kind.ADD_CONSTRAINT and change.constraints[0].kind == "foreign":
        return _MODES.index("share row exclusive")
    if change.kind is Kind.LOCK:
        mode = " ".join(change.text.split())
        return _MODES.index(mode) if mode in _MODES else BLOCKS_READS
    if change.kind in (Kind.GRANT, Kind.REVOKE, Kind.UNREAD, Kind.CREATE_VIEW, Kind.CREATE_FUNCTION):
        return 0
    return _MODES.index(kinds.get(change.kind, "access exclusive"))


def _work(change: Change) -> str:
    if change.kind is Kind.VALIDATE:
        return f"the rows of `{change.name}` are checked"
    return f"rows of `{change.name}` are written"
