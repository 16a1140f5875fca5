"""Columns: dropped, renamed, of another type, nullable or not, with another default, new and not filled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

from crossfade.engine.conditions import same
from crossfade.engine.ddl import UNKNOWN
from crossfade.engine.harm import WRITES, Harm, Schemas, filled_by_trigger, relation_harm
from crossfade.engine.sql_types import TypeChange, type_change
from crossfade.model.catalog import Column, Relation
from crossfade.model.compat import Severity


class _Make(Protocol):
    """Makes a harm of one column."""

    def __call__(
        self, rule: str, message: str, severity: Severity = ..., verbs: tuple[str, ...] = ..., reads: bool = ...
    ) -> Harm: ...


def column_harms(context: Schemas, old: Relation, new: Relation, column: Column) -> Iterator[Harm]:
    where = f"{old.name}.{column.name}"
    now = new.column(column.name)
    if now is None:
        if new.opaque and new.ident != old.ident:
            return
        moved = next((c for c in new.columns if c.ident == column.ident and new.ident == old.ident), None)
        what = f"is renamed to `{moved.name}`" if moved else "is dropped"
        rule = "migration-rename" if moved else "migration-drop-column"
        yield relation_harm(rule, where, f"the column `{where}` {what}", old, column.name, known=column.place)
        return

    def harm(
        rule: str,
        message: str,
        severity: Severity = Severity.ERROR,
        verbs: tuple[str, ...] = (),
        reads: bool = False,
    ) -> Harm:
        return relation_harm(
            rule, where, message, old, column.name, severity=severity, verbs=verbs, reads=reads, known=column.place
        )

    yield from _type(context, harm_of=harm, where=where, old=column, new=now)
    if "view" in new.kind:
        return
    if now.not_null and not column.not_null:
        defaulted = now.default is not None or bool(now.identity)
        tail = "a NULL written to it is refused" if defaulted else "an INSERT without it, or with NULL, is refused"
        severity = Severity.WARNING if defaulted else Severity.ERROR
        yield harm("migration-not-null", f"`{where}` becomes NOT NULL: {tail}", severity, WRITES)
    if column.not_null and not now.not_null and not now.generated:
        yield harm(
            "migration-nullable",
            f"`{where}` may be NULL now: rows of the newer side may have no value where the older side expects one",
            Severity.WARNING,
            ("select", "insert", "update", "delete", "with"),
            reads=True,
        )
    if now.generated and not column.generated:
        yield harm(
            "migration-column-not-writable",
            f"`{where}` becomes a generated column: writing it is refused",
            verbs=WRITES,
        )
        return
    if now.identity == "always" and column.identity != "always":
        yield harm(
            "migration-column-not-writable",
            f"`{where}` becomes GENERATED ALWAYS AS IDENTITY: an INSERT that gives a value is refused",
            Severity.WARNING if "nextval" in (column.default or "") or column.identity else Severity.ERROR,
            ("insert",),
        )
    column = _relabelled(context, column)
    yield from _default(harm_of=harm, where=where, old=column, new=now)


def _relabelled(context: Schemas, column: Column) -> Column:
    """With the default as it reads now that values of its enum have other names."""
    old, new = context.known.enums.get(column.type), context.after.enums.get(column.type)
    if old is None or new is None or old.ident != new.ident or column.default is None:
        return column
    now = {ident: label for label, ident in new.labels}
    default = column.default
    for label, ident in old.labels:
        if now.get(ident, label) != label and f"'{label}'" in default:
            return msgspec.structs.replace(column, default=default.replace(f"'{label}'", f"'{now[ident]}'"))
    return column


def _type(context: Schemas, harm_of: _Make, where: str, old: Column, new: Column) -> Iterator[Harm]:
    if old.type == new.type or UNKNOWN in (new.type,) or _same_named(context, old.type, new.type):
        return
    if old.type == UNKNOWN:
        message = f"`{where}` becomes {new.type}: what it was is not known here"
        yield harm_of("migration-type-changed", message, Severity.WARNING)
        return
    change = type_change(old.type, new.type)
    told = f"`{where}` changes from {old.type} to {new.type}"
    if change is TypeChange.NARROWER:
        yield harm_of("migration-type-narrowed", f"{told}: values that fitted are refused", verbs=WRITES)
    elif change is TypeChange.OTHER:
        yield harm_of("migration-type-changed", f"{told}: values are written and read in another form")
    elif change is TypeChange.LARGER:
        yield harm_of(
            "migration-type-widened",
            f"{told}: the newer side may write what the older one cannot hold",
            Severity.INFO,
            reads=True,
        )


def _same_named(context: Schemas, old: str, new: str) -> bool:
    """One enum or domain under two names."""
    for before, after in ((context.known.enums, context.after.enums), (context.known.domains, context.after.domains)):
        one = next(
            (value for name, value in before.items() if name.lower() == old.removesuffix("[]").strip('"').lower()), None
        )
        other = next(
            (value for name, value in after.items() if name.lower() == new.removesuffix("[]").strip('"').lower()), None
        )
        if one is not None and other is not None and one.ident == other.ident:
            return True
    return False


def _default(harm_of: _Make, where: str, old: Column, new: Column) -> Iterator[Harm]:
    had, has = old.default, new.default
    if old.generated or new.generated:
        if old.generated and not new.generated:
            yield harm_of(
                "migration-default-changed",
                f"`{where}` is no longer computed: rows the older side writes stay without a value",
                Severity.ERROR if new.not_null and has is None else Severity.WARNING,
                WRITES,
            )
        elif had is not None and has is not None and not same(had, has):
            yield harm_of(
                "migration-default-changed", f"`{where}` is computed in another way: `{has}` instead of `{had}`",
                Severity.WARNING,
            )  # fmt: skip
        return
    counted = old.identity or "nextval" in (had or "")
    counts = new.identity or "nextval" in (has or "")
    if counted and counts:
        return
    if (had is None and not counted and has is None and not counts) or (
        had is not None and has is not None and same(had, has)
    ):
        return
    if (had is not None or counted) and has is None and not counts:
        severity = Severity.ERROR if new.not_null else Severity.WARNING
        tail = "is refused" if new.not_null else "writes NULL now"
        message = f"`{where}` loses its default `{had or 'identity'}`: an INSERT without the column {tail}"
        yield harm_of("migration-default-changed", message, severity, ("insert", "merge"))
        return
    if had is None and not counted and (old.not_null or new.not_null):
        return  # an INSERT had to name the column before, and still may
    shown = has or "a generated number"
    yield harm_of(
        "migration-default-changed",
        f"the default of `{where}` is `{shown}`" + (f" instead of `{had}`" if had is not None else " now")
        + ": an INSERT without the column means something else",
        Severity.WARNING,
        ("insert", "merge"),
    )  # fmt: skip


def new_column_harms(context: Schemas, old: Relation, new: Relation) -> Iterator[Harm]:
    if new.kind not in ("table", "partitioned", "foreign") or (old.opaque and not new.columns):
        return
    names = {column.name for column in old.columns}
    moved = {column.ident for column in old.columns} if old.ident == new.ident else set()
    for column in new.columns:
        if column.name in names or column.ident in moved:
            continue
        yield from _unreachable_sequence(context, old, new, column)
        if not column.not_null:
            continue
        domain = context.after.domains.get(column.type)
        if column.default is not None or column.identity or column.generated or (domain and domain.default is not None):
            continue
        if filled_by_trigger(context.after, new, column.name):
            continue
        where = f"{old.name}.{column.name}"
        yield relation_harm(
            "migration-not-null",
            where,
            f"the new column `{where}` is NOT NULL and has no default: an INSERT that does not know it is refused",
            old,
            verbs=("insert", "merge"),
        )


def _unreachable_sequence(context: Schemas, old: Relation, new: Relation, column: Column) -> Iterator[Harm]:
    """A role that may INSERT but may not draw the number that a new default draws."""
    match = re.search(r"nextval\('\"?([^'\"]+)\"?'", column.default or "")
    if match is None:
        return
    name = match.group(1)
    rights = context.after.sequence_rights.get(name, ())
    writers = {role for role, right in new.grants if right == "insert"}
    if poor := sorted(role for role in writers if not any(who in (role, "public") for who, _ in rights)):
        yield relation_harm(
            "migration-rights-revoked",
            f"{old.name}.{column.name}",
            f"the default of the new column `{old.name}.{column.name}` draws from the sequence `{name}`, which "
            f"`{', '.join(poor)}` may not use: an INSERT is refused",
            old,
            verbs=("insert", "merge"),
        )
