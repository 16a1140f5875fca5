"""What a change of the schema takes from a version that knows only the old one.

`harms` compares the schema a side was made for with the schema as it is now, by names, because statements find things by
name: a view that takes the place of a renamed table is fine as far as it gives the same columns and can be
written. Idents only say whether what is missing was dropped or renamed. Where it is not known which statements the side
sends, it is taken to use all it could.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from crossfade.engine.conditions import implied, same, values_of
from crossfade.engine.ddl import UNKNOWN
from crossfade.engine.sql_types import TypeChange, type_change
from crossfade.model.catalog import Catalog, Column, Constraint, Enum, Index, Policy, Relation
from crossfade.model.compat import Place, Severity

SCHEMA = "schema"  # the reader of a statement


class Harm(msgspec.Struct, frozen=True):
    """`where` is the thing ("orders.price"). `older` and `newer` say who writes and who reads: the older side writes a
    statement that the schema reads (`reads` False), or reads what the newer side wrote (`reads` True). `names` are
    the words of a statement that suffers (all of them), `verbs` how it begins (() any)."""

    rule: str
    where: str
    message: str
    severity: Severity = Severity.ERROR
    reads: bool = False
    names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    advice: str = ""
    known: Place | None = None


WRITES = ("insert", "update", "merge")
_BITS = {"smallint": 15, "integer": 31, "bigint": 63}


class _Make(Protocol):
    """Makes a harm of one column."""

    def __call__(
        self, rule: str, message: str, severity: Severity = ..., verbs: tuple[str, ...] = ..., reads: bool = ...
    ) -> Harm: ...


def harms(known: Catalog, before: Catalog, after: Catalog) -> tuple[Harm, ...]:
    """What a side made for `known` meets in `after`, in the order of the names. `before` is the schema just before
    this change: triggers that keep old and new in step may have come in between, and their end is a harm as well."""
    context = _Context(known, before, after)
    found: list[Harm] = []
    for name in sorted(known.relations):
        found += _relation(context, known.relations[name])
    for name in sorted(set(after.relations) - set(known.relations)):
        found += _new_links(context, after.relations[name])
    for name in sorted(known.enums):
        found += _enum(context, known.enums[name])
    found += _domains(context)
    found += _functions(context)
    found += _others(context)
    return tuple(found)


class _Context(msgspec.Struct, frozen=True):
    known: Catalog
    before: Catalog
    after: Catalog

    def renamed(self, relation: Relation) -> Relation | None:
        return next((one for one in self.after.relations.values() if one.ident == relation.ident), None)


def _relation(context: _Context, old: Relation) -> Iterator[Harm]:
    new = context.after.relations.get(old.name)
    if new is not None and (new is old or new == old) and not old.triggers:
        between = context.before.relations.get(old.name)
        if between is old or between == old:
            return
    word = "view" if "view" in old.kind else "table"
    if new is None:
        moved = context.renamed(old)
        if old.partition_of and old.partition_of in context.after.relations and moved is None:
            yield _harm(
                "migration-partition-detached", old.name, f"the partition `{old.name}` is dropped with its rows", old
            )
        elif moved is not None:
            yield _harm("migration-rename", old.name, f"the {word} `{old.name}` is renamed to `{moved.name}`", old)
        else:
            yield _harm("migration-drop-table", old.name, f"the {word} `{old.name}` is dropped", old)
        return
    if old.partition_of and new.partition_of != old.partition_of:
        yield msgspec.structs.replace(
            _harm(
                "migration-partition-detached",
                old.name,
                f"the partition `{old.name}` is detached from `{old.partition_of}`: its rows are gone from there, and new "
                "ones for its range are refused",
                old,
            ),
            names=(_short(old.partition_of),),
        )
        return
    if "view" not in old.kind and new.kind == "view" and not new.writable:
        yield _harm(
            "migration-column-not-writable",
            old.name,
            f"the table `{old.name}` is a view now that cannot be written",
            old,
            verbs=("insert", "update", "delete", "merge"),
        )
    for column in old.columns:
        yield from _column(context, old, new, column)
    yield from _new_columns(context, old, new)
    yield from _constraints(context, old, new)
    yield from _indexes(context, old, new)
    yield from _triggers(context, old, new)
    yield from _row_security(old, new)
    yield from _rights(old.name, old.grants, new.grants, "table", _short(old.name))
    if old.owner and new.owner and old.owner != new.owner:
        yield _harm(
            "migration-rights-revoked",
            old.name,
            f"`{old.name}` belongs to `{new.owner}` and no longer to `{old.owner}`, who loses the owner's rights",
            old,
            severity=Severity.WARNING,
        )


def _harm(
    rule: str,
    where: str,
    message: str,
    relation: Relation,
    column: str = "",
    *,
    severity: Severity = Severity.ERROR,
    reads: bool = False,
    verbs: tuple[str, ...] = (),
    known: Place | None = None,
) -> Harm:
    names = (_short(relation.name), *((column,) if column else ()))
    return Harm(rule, where, message, severity, reads, names, verbs, known=known or relation.place)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


# ── columns ─────────────────────────────────────────────────────────────────


def _column(context: _Context, old: Relation, new: Relation, column: Column) -> Iterator[Harm]:
    where = f"{old.name}.{column.name}"
    now = new.column(column.name)
    if now is None:
        if new.opaque and new.ident != old.ident:
            return
        moved = next((c for c in new.columns if c.ident == column.ident and new.ident == old.ident), None)
        what = f"is renamed to `{moved.name}`" if moved else "is dropped"
        rule = "migration-rename" if moved else "migration-drop-column"
        yield _harm(rule, where, f"the column `{where}` {what}", old, column.name, known=column.place)
        return

    def harm(
        rule: str,
        message: str,
        severity: Severity = Severity.ERROR,
        verbs: tuple[str, ...] = (),
        reads: bool = False,
    ) -> Harm:
        return _harm(
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


def _relabelled(context: _Context, column: Column) -> Column:
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


def _type(context: _Context, harm_of: _Make, where: str, old: Column, new: Column) -> Iterator[Harm]:
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


def _same_named(context: _Context, old: str, new: str) -> bool:
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


def _new_columns(context: _Context, old: Relation, new: Relation) -> Iterator[Harm]:
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
        if _filled_by_trigger(context.after, new, column.name):
            continue
        where = f"{old.name}.{column.name}"
        yield _harm(
            "migration-not-null",
            where,
            f"the new column `{where}` is NOT NULL and has no default: an INSERT that does not know it is refused",
            old,
            verbs=("insert", "merge"),
        )


def _unreachable_sequence(context: _Context, old: Relation, new: Relation, column: Column) -> Iterator[Harm]:
    """A role that may INSERT but may not draw the number that a new default draws."""
    match = re.search(r"nextval\('\"?([^'\"]+)\"?'", column.default or "")
    if match is None:
        return
    name = match.group(1)
    rights = context.after.sequence_rights.get(name, ())
    writers = {role for role, right in new.grants if right == "insert"}
    if poor := sorted(role for role in writers if not any(who in (role, "public") for who, _ in rights)):
        yield _harm(
            "migration-rights-revoked",
            f"{old.name}.{column.name}",
            f"the default of the new column `{old.name}.{column.name}` draws from the sequence `{name}`, which "
            f"`{', '.join(poor)}` may not use: an INSERT is refused",
            old,
            verbs=("insert", "merge"),
        )


def _filled_by_trigger(catalog: Catalog, relation: Relation, column: str) -> bool:
    for trigger in relation.triggers:
        if trigger.enabled and trigger.timing == "before" and (not trigger.events or "insert" in trigger.events):
            bodies = [one.body for one in catalog.functions.values() if one.name == trigger.function]
            if any(_assigns(body, column) for body in bodies):
                return True
    return False


def _assigns(body: str, column: str) -> bool:
    return (
        re.search(
            rf"\bnew\s*\.\s*\"?{re.escape(column)}\"?\s*(?::?=)|into\s+new\s*\.\s*\"?{re.escape(column)}\b", body, re.I
        )
        is not None
    )


# ── constraints and indexes ─────────────────────────────────────────────────


def _constraints(context: _Context, old: Relation, new: Relation) -> Iterator[Harm]:
    if "view" in new.kind:
        return
    added = [one for one in new.constraints if not any(_equal(one, other) for other in old.constraints)]
    gone = [one for one in old.constraints if not any(_equal(one, other) for other in new.constraints)]
    for constraint in added:
        if constraint.kind == "check":
            yield from _check_added(context, old, new, constraint)
        elif constraint.kind in ("unique", "primary"):
            key = Index(constraint.name, constraint.columns, True, nulls_equal="not distinct" in constraint.definition)
            yield from _unique_added(old, new, key, "constraint")
        elif constraint.kind == "exclude":
            if all(old.column(name) for name in constraint.columns):
                where = f"{old.name}.{constraint.name}"
                message = (
                    f"the exclusion constraint `{constraint.name}` is new on `{old.name}`: "
                    "rows the older side may write are refused"
                )
                yield _harm("migration-unique-added", where, message, old, verbs=WRITES)
        elif constraint.kind == "foreign":
            yield from _link_added(context, old, new, constraint)
    for constraint in gone:
        yield from _constraint_gone(old, new, constraint, added)


def _equal(one: Constraint, other: Constraint) -> bool:
    if one == other:
        return True
    kinds = {"primary": "unique"}
    return (
        kinds.get(one.kind, one.kind) == kinds.get(other.kind, other.kind)
        and (one.columns == other.columns or one.kind in ("check", "exclude"))
        and (one.target, one.on_delete.replace("no action", ""))
        == (other.target, other.on_delete.replace("no action", ""))
        and same(one.definition, other.definition)
    )


def _check_added(context: _Context, old: Relation, new: Relation, added: Constraint) -> Iterator[Harm]:
    where = f"{old.name}.{added.name}"
    fresh = [name for name in added.columns if old.column(name) is None]
    defaulted = [
        name for name in fresh if (c := new.column(name)) and (c.default is not None or c.generated or c.identity)
    ]
    checks = [one.definition for one in old.constraints if one.kind == "check"]
    checks += [f"{c.name} >= -{2**n} AND {c.name} <= {2**n - 1}" for c in old.columns if (n := _BITS.get(c.type))]
    filled = [column.name for column in new.columns if column.not_null and old.column(column.name)]
    given = [name for name in fresh if _filled_by_trigger(context.after, new, name)]
    filled += given
    empty = [name for name in fresh if name not in defaulted and name not in given]
    if implied(added.definition, checks, filled, empty):
        return
    if fresh and len(fresh) == len(added.columns) and len(defaulted) == len(fresh) and added.valid:
        return  # the rows that are there passed with the same default
    if fresh and len(fresh) == len(added.columns) and not defaulted and not _speaks_of_null(added.definition):
        return  # NULL, which refuses nothing
    columns = [name for name in added.columns if old.column(name)]
    yield _harm(
        "migration-check-added",
        where,
        f"the check `{added.name}` ({_shortened(added.definition)}) is new on `{old.name}`: rows the older side may write "
        "are refused",
        old,
        columns[0] if len(columns) == 1 and not fresh else "",
        verbs=WRITES,
    )


def _speaks_of_null(definition: str) -> bool:
    return (
        re.search(r"\bis\s+(not\s+)?(null|true|false|distinct)|coalesce|num_nonnulls|num_nulls", definition, re.I)
        is not None
    )


def _shortened(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 80 else text[:77] + "..."


def _unique_added(old: Relation, new: Relation, key: Index, what: str) -> Iterator[Harm]:
    columns = set(key.columns)
    if _kept_unique(old, columns):
        return
    fresh = [new.column(name) for name in key.columns if new.column(name) and old.column(name) is None]
    if any(column is not None and _different_every_time(column, key.nulls_equal) for column in fresh):
        return
    unknown = [column.name for column in new.columns if old.column(column.name) is None and column.default is None]
    if any(re.search(rf"\b{re.escape(name)}\b", key.where) for name in unknown):
        return
    where = f"{old.name}.{'+'.join(key.columns)}"
    yield _harm(
        "migration-unique-added",
        where,
        f"`{', '.join(key.columns)}` of `{old.name}` must be unique now (the {what} `{key.name}`): a row the older side may "
        "write is refused",
        old,
        key.columns[0] if len(key.columns) == 1 and old.column(key.columns[0]) else "",
        verbs=WRITES,
    )


def _kept_unique(relation: Relation, columns: Iterable[str]) -> bool:
    """Are these columns unique already, alone or with fewer?"""
    wanted = set(columns)
    unique = [set(one.columns) for one in relation.constraints if one.kind in ("unique", "primary")]
    unique += [set(one.columns) for one in relation.indexes if one.unique and not one.where]
    return any(key and key <= wanted for key in unique)


def _different_every_time(column: Column, nulls_equal: bool) -> bool:
    """Does a row that an older side writes always have a value of its own here (or NULL, which is never a duplicate)?"""
    if column.identity or column.generated:
        return True
    if column.default is None:
        return not nulls_equal and not column.not_null
    return re.search(r"nextval|gen_random_uuid|uuid_generate|uuidv[47]|gen_ulid", column.default, re.I) is not None


def _link_added(context: _Context, old: Relation, new: Relation, added: Constraint) -> Iterator[Harm]:
    for one in old.constraints:
        if one.kind == "foreign" and one.columns == added.columns and one.target == added.target:
            yield _harm(
                "migration-constraint-dropped",
                f"{old.name}.{added.name}",
                f"deleting from `{added.target}` does something else to `{old.name}` now: "
                f"{added.on_delete or 'it is refused'} instead of {one.on_delete or 'being refused'}",
                old,
                severity=Severity.WARNING,
                verbs=("delete",),
            )
            return
    fresh = [name for name in added.columns if old.column(name) is None]
    if fresh and any((c := new.column(name)) and c.default is None and not c.not_null for name in fresh):
        yield from _refused_deletes(context, new, added)
        return
    yield _harm(
        "migration-foreign-key-added",
        f"{old.name}.{'+'.join(added.columns)}",
        f"`{', '.join(added.columns)}` of `{old.name}` must exist in `{added.target}` now (`{added.name}`): a row the older "
        "side may write is refused",
        old,
        added.columns[0] if len(added.columns) == 1 and not fresh else "",
        verbs=WRITES,
    )


def _new_links(context: _Context, made: Relation) -> Iterator[Harm]:
    for constraint in made.constraints:
        if constraint.kind == "foreign":
            yield from _refused_deletes(context, made, constraint)


def _refused_deletes(context: _Context, table: Relation, link: Constraint) -> Iterator[Harm]:
    """The older side deletes what rows of the newer one refer to."""
    target = context.known.relations.get(link.target)
    if target is None or link.on_delete in ("cascade", "set null", "set default") or table.name == link.target:
        return
    if target.ident not in {one.ident for one in context.after.relations.values()}:
        return
    yield _harm(
        "migration-foreign-key-added",
        f"{table.name}.{'+'.join(link.columns)}",
        (
            f"`{table.name}` refers to `{link.target}`: a DELETE of the older side is "
            "refused where the newer one has written a row there"
        ),
        target,
        severity=Severity.INFO,
        verbs=("delete", "truncate"),
    )


def _constraint_gone(old: Relation, new: Relation, gone: Constraint, added: list[Constraint]) -> Iterator[Harm]:
    if any(new.column(name) is None for name in gone.columns):
        return  # it went with its column
    if gone.kind == "check" and any(new.column(n).type != old.column(n).type for n in gone.columns if old.column(n)):  # type: ignore[union-attr]
        return  # the type is told
    where = f"{old.name}.{gone.name}"
    if gone.kind in ("unique", "primary"):
        if not any(set(one.columns) == set(gone.columns) and one.unique for one in new.indexes):
            yield _uniqueness_gone(old, gone.columns)
    elif gone.kind == "check":
        values = values_of(gone.definition)
        wider = [one for one in added if one.kind == "check" and set(one.columns) == set(gone.columns)]
        if any(implied(gone.definition, [one.definition]) for one in wider):
            return  # tightened: told as such
        more = next((v for one in wider if (v := values_of(one.definition)) is not None), None)
        if values is not None and (not wider or (more is not None and more - values)):
            fresh = ", ".join(f"`{value}`" for value in sorted(more - values)) if more else "any value"
            yield _harm(
                "migration-check-loosened",
                where,
                (
                    f"`{', '.join(gone.columns)}` of `{old.name}` may hold {fresh}: the "
                    "older side may not know what to do with it"
                ),
                old,
                gone.columns[0] if len(gone.columns) == 1 else "",
                severity=Severity.WARNING,
                reads=True,
            )
        elif not any(_alike(one.definition, gone.definition) for one in wider):
            yield _harm(
                "migration-check-loosened",
                where,
                f"the check `{gone.name}` ({_shortened(gone.definition)}) is gone from `{old.name}`, or weaker",
                old,
                gone.columns[0] if len(gone.columns) == 1 else "",
                severity=Severity.INFO,
                reads=True,
            )
    elif gone.kind == "foreign" and not any(one.kind == "foreign" and one.columns == gone.columns for one in added):
        acts = gone.on_delete in ("cascade", "set null", "set default")
        tail = f"a DELETE no longer does `{gone.on_delete}`" if acts else "rows without a counterpart can appear"
        yield _harm(
            "migration-constraint-dropped",
            where,
            f"the foreign key `{gone.name}` is gone from `{old.name}`: {tail}",
            old,
            severity=Severity.WARNING if acts else Severity.INFO,
            verbs=("delete",) if acts else (),
        )
    elif gone.kind == "exclude":
        yield _uniqueness_gone(old, gone.columns)


def _alike(one: str, other: str) -> bool:
    """Two conditions that imply each other."""
    return implied(one, [other]) and implied(other, [one])


def _uniqueness_gone(old: Relation, columns: tuple[str, ...]) -> Harm:
    return _harm(
        "migration-unique-dropped",
        f"{old.name}.{'+'.join(columns)}",
        f"`{', '.join(columns)}` of `{old.name}` is no longer unique: ON CONFLICT on it fails, and duplicates can appear",
        old,
        columns[0] if len(columns) == 1 else "",
        severity=Severity.WARNING,
        verbs=("insert", "merge"),
    )


def _indexes(context: _Context, old: Relation, new: Relation) -> Iterator[Harm]:
    if "view" in new.kind:
        return
    for index in new.indexes:
        if index.unique and not any(_same_key(index, other) for other in old.indexes):
            yield from _unique_added(old, new, index, "index")
    for index in old.indexes:
        if any(_same_key(index, other) for other in new.indexes):
            continue
        if any(new.column(name) is None for name in index.columns if old.column(name)):
            continue
        if index.unique:
            if not any(
                one.kind in ("unique", "primary") and set(one.columns) == set(index.columns) for one in new.constraints
            ):
                yield _uniqueness_gone(old, index.columns)
        elif not any(one.columns[: len(index.columns)] == index.columns for one in new.indexes):
            message = (
                f"the index `{index.name}` of `{old.name}` is gone: queries of "
                "the older side that rely on it become slow"
            )
            yield _harm("migration-index-dropped", f"{old.name}.{index.name}", message, old, severity=Severity.INFO)


def _same_key(one: Index, other: Index) -> bool:
    return one.unique == other.unique and one.columns == other.columns and same(one.where, other.where)


# ── triggers, policies, rights ──────────────────────────────────────────────


def _triggers(context: _Context, old: Relation, new: Relation) -> Iterator[Harm]:
    between = context.before.relations.get(old.name, old)
    live = {trigger.name: trigger for trigger in new.triggers if trigger.enabled}
    functions = {trigger.function for trigger in live.values()}
    for trigger in (*old.triggers, *(one for one in between.triggers if one not in old.triggers)):
        if trigger.enabled and trigger.name not in live and trigger.function not in functions:
            yield _harm(
                "migration-trigger-dropped",
                f"{old.name}.{trigger.name}",
                (
                    f"the trigger `{trigger.name}` no longer runs on `{old.name}`: what it "
                    "did for writes of the older side stays undone"
                ),
                old,
                severity=Severity.WARNING,
                verbs=(*(trigger.events or WRITES), "merge"),
            )
    known = {trigger.name for trigger in old.triggers}
    for name, trigger in sorted(live.items()):
        bodies = [one.body for one in context.after.functions.values() if one.name == trigger.function]
        if name not in known and any(_refuses(body, trigger.timing) for body in bodies):
            yield _harm(
                "migration-trigger-added",
                f"{old.name}.{name}",
                f"the new trigger `{name}` on `{old.name}` may refuse what the older side writes",
                old,
                severity=Severity.WARNING,
                verbs=(*(trigger.events or WRITES), "merge"),
            )
    for rule in new.rules:
        if rule not in old.rules:
            yield _harm(
                "migration-trigger-added",
                f"{old.name}.{rule.split(' ')[0]}",
                f"the new rule `{rule.split(' ')[0]}` rewrites statements on `{old.name}`",
                old,
                severity=Severity.WARNING,
            )


def _refuses(body: str, timing: str) -> bool:
    """Can a trigger's function stop a statement: by an exception, or (before the row is written) by giving back no row?"""
    text = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "''", body)
    if re.search(r"\braise\s+(exception|sqlstate|'')", text, re.I):
        return True
    return timing == "before" and re.search(r"\breturn\s+null\b", text, re.I) is not None


def _row_security(old: Relation, new: Relation) -> Iterator[Harm]:
    if not new.row_security:
        return
    where = old.name
    if not old.row_security:
        missing = [
            command for command in ("select", "insert", "update", "delete") if not _all_rows(new.policies, command)
        ]
        if missing:
            yield _harm(
                "migration-row-security",
                where,
                f"row level security is on for `{old.name}`: a role that does not own it no longer reaches all rows "
                f"({', '.join(missing)})",
                old,
                verbs=(*missing, "with", "merge"),
            )
        return
    if new.forced and not old.forced:
        yield _harm("migration-row-security", where, f"row level security of `{old.name}` binds its owner too", old)
    before = {policy.name: policy for policy in old.policies}
    now = {policy.name: policy for policy in new.policies}
    for name, policy in sorted(before.items()):
        current = now.get(name)
        if policy.permissive and current is None and not any(_wider(policy, one) for one in new.policies):
            message = f"the policy `{name}` of `{old.name}` is gone: rows it let through are out of reach"
            yield _harm("migration-row-security", f"{where}.{name}", message, old)
        elif current is not None and not _wider(policy, current):
            message = f"the policy `{name}` of `{old.name}` has other conditions"
            yield _harm("migration-row-security", f"{where}.{name}", message, old, severity=Severity.WARNING)
    for name, policy in sorted(now.items()):
        if name not in before and not policy.permissive:
            message = f"the restrictive policy `{name}` of `{old.name}` takes rows away"
            yield _harm("migration-row-security", f"{where}.{name}", message, old)


def _all_rows(policies: tuple[Policy, ...], command: str) -> bool:
    if any(not one.permissive and one.command in ("all", command) for one in policies):
        return False
    for policy in policies:
        if policy.command not in ("all", command) or "public" not in policy.roles:
            continue
        conditions = [policy.check or policy.using] if command == "insert" else [policy.using]
        if command == "update" and policy.check:
            conditions.append(policy.check)
        if all(same(one, "true") for one in conditions):
            return True
    return False


def _wider(old: Policy, new: Policy) -> bool:
    covers = new.command in ("all", old.command) and ("public" in new.roles or set(old.roles) <= set(new.roles))
    conditions = all(same(a, b) or same(b, "true") for a, b in ((old.using, new.using), (old.check, new.check)))
    return covers and conditions and old.permissive == new.permissive


def _rights(
    where: str, old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...], what: str, name: str
) -> Iterator[Harm]:
    lost = [(role, right) for role, right in old if (role, right) not in new and not right.startswith("revoked ")]
    lost = [(role, right) for role, right in lost if ("public", right) not in new]
    lost += [(role, right[8:]) for role, right in new if right.startswith("revoked ") and (role, right) not in old]
    for role in sorted({role for role, _ in lost}):
        rights = sorted({right for one, right in lost if one == role})
        verbs = tuple(right for right in rights if right in ("select", "insert", "update", "delete", "truncate"))
        yield Harm(
            "migration-rights-revoked",
            f"{where} {role}",
            f"`{role}` may no longer {', '.join(rights)} on the {what} `{where}`",
            names=(name,) if what != "schema" else (),
            verbs=(*verbs, "with", "merge") if verbs and what == "table" else (),
        )


# ── types, functions, sequences, schemas ────────────────────────────────────


def _enum(context: _Context, old: Enum) -> Iterator[Harm]:
    new = context.after.enums.get(old.name)
    names = (_short(old.name),)
    if new is None:
        moved = next((one for one in context.after.enums.values() if one.ident == old.ident), None)
        what = f"is renamed to `{moved.name}`" if moved else "is dropped"
        rule = "migration-rename" if moved else "migration-drop-type"
        yield Harm(rule, old.name, f"the type `{old.name}` {what}: a cast to it fails", Severity.WARNING, names=names)
        if moved is None:
            return
        new = moved
    by_ident = {ident: label for label, ident in new.labels} if new.ident == old.ident else {}
    labels = {label for label, _ in new.labels}
    renamed: set[str] = set()
    for label, ident in old.labels:
        if label in labels:
            continue
        if ident in by_ident:
            renamed.add(by_ident[ident])
            message = (
                f"the value `{label}` of the enum `{old.name}` is renamed to `{by_ident[ident]}`: "
                "writing the old one is refused, and the new one is read"
            )
            yield Harm("migration-enum-value-renamed", f"{old.name}.{label}", message)
        else:
            message = f"the value `{label}` of the enum `{old.name}` is gone: writing it, or asking for it, is refused"
            yield Harm("migration-enum-value-removed", f"{old.name}.{label}", message)
    known = {label for label, _ in old.labels}
    for label, _ in new.labels:
        if (label not in known and label not in renamed and old.labels) or (label not in known and not old.labels):
            message = f"the enum `{old.name}` has the new value `{label}`: the older side may read it and not know it"
            yield Harm("migration-enum-value-added", f"{old.name}.{label}", message, Severity.WARNING, reads=True)


def _domains(context: _Context) -> Iterator[Harm]:
    for name, old in sorted(context.known.domains.items()):
        new = context.after.domains.get(name)
        if new is None:
            moved = any(one.ident == old.ident for one in context.after.domains.values())
            rule = "migration-rename" if moved else "migration-drop-type"
            yield Harm(
                rule,
                name,
                f"the domain `{name}` is {'renamed' if moved else 'dropped'}",
                Severity.WARNING,
                names=(_short(name),),
            )
            continue
        if new.not_null and not old.not_null:
            yield Harm(
                "migration-not-null", name, f"the domain `{name}` becomes NOT NULL: NULL is refused", verbs=WRITES
            )
        known = [check.definition for check in old.checks]
        for check in new.checks:
            if not any(same(check.definition, one) for one in known) and not implied(check.definition, known):
                message = (
                    f"the domain `{name}` has a new check ({_shortened(check.definition)}): "
                    "values the older side may write are refused"
                )
                yield Harm("migration-check-added", f"{name}.{check.name}", message, verbs=WRITES)
        for check in old.checks:
            if not any(same(check.definition, one.definition) for one in new.checks):
                message = (
                    f"the check `{check.name}` of the domain `{name}` is gone: the "
                    "older side may read values it forbade"
                )
                severity = Severity.WARNING if values_of(check.definition) else Severity.INFO
                if not any(implied(check.definition, [one.definition]) for one in new.checks):
                    yield Harm("migration-check-loosened", f"{name}.{check.name}", message, severity, reads=True)
        if (old.default or "") != (new.default or "") and not same(old.default or "", new.default or ""):
            message = f"the default of the domain `{name}` is `{new.default}` instead of `{old.default}`"
            yield Harm("migration-default-changed", name, message, Severity.WARNING, verbs=("insert",))


def _functions(context: _Context) -> Iterator[Harm]:
    for key, old in sorted(context.known.functions.items()):
        if old.returns == "trigger":
            continue
        new = context.after.functions.get(key)
        names = (_short(old.name),)
        if new is None:
            moved = next((one for one in context.after.functions.values() if one.ident == old.ident), None)
            others = sorted(k for k, one in context.after.functions.items() if one.name == old.name)
            tail = f"renamed to `{moved.name}`" if moved else f"gone; there is `{others[0]}`" if others else "dropped"
            rule = "migration-rename" if moved else "migration-drop-function"
            yield Harm(rule, key, f"the function `{key}` is {tail}: a statement that calls it fails", names=names)
            continue
        if old.returns and new.returns and old.returns != new.returns:
            message = f"the function `{key}` returns {new.returns} instead of {old.returns}"
            yield Harm("migration-drop-function", key, message, names=names)
        elif old.body and new.body and re.sub(r"\s+", " ", old.body) != re.sub(r"\s+", " ", new.body):
            message = f"the function `{key}` does something else: the older side calls the new one"
            yield Harm("migration-function-changed", key, message, Severity.INFO, names=names)
        yield from _rights(key, old.grants, new.grants, "function", names[0])


def _others(context: _Context) -> Iterator[Harm]:
    owned = {
        f"{relation.name}_{column.name}_seq"
        for relation in context.known.relations.values()
        for column in relation.columns
    }
    for name in sorted(set(context.known.sequences) - set(context.after.sequences)):
        if name not in owned:
            moved = next((n for n, i in context.after.sequences.items() if i == context.known.sequences[name]), None)
            tail = f"renamed to `{moved}`" if moved else "dropped"
            message = f"the sequence `{name}` is {tail}: `nextval` on it fails"
            rule = "migration-rename" if moved else "migration-drop-sequence"
            yield Harm(rule, name, message, names=(_short(name),))
    for name in sorted(set(context.known.types) - set(context.after.types)):
        moved = next((n for n, i in context.after.types.items() if i == context.known.types[name]), None)
        rule = "migration-rename" if moved else "migration-drop-type"
        tail = f"renamed to `{moved}`" if moved else "dropped"
        yield Harm(rule, name, f"the type `{name}` is {tail}", Severity.WARNING, names=(_short(name),))
    for name, grants in sorted(context.known.schemas.items()):
        if name in context.after.schemas:
            yield from _rights(name, grants, context.after.schemas[name], "schema", name)
    if "public" in context.after.schemas and "public" not in context.known.schemas:
        yield from _rights("public", (("public", "usage"),), context.after.schemas["public"], "schema", "public")
