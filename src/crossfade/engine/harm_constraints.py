"""Constraints and unique indexes: added, where the older side may write what they refuse; gone, where it relies on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from crossfade.engine.conditions import implied, same, values_of
from crossfade.engine.harm import WRITES, Harm, Schemas, filled_by_trigger, relation_harm, shortened
from crossfade.model.catalog import Column, Constraint, Index, Relation
from crossfade.model.compat import Severity

_BITS = {"smallint": 15, "integer": 31, "bigint": 63}


def constraint_harms(context: Schemas, old: Relation, new: Relation) -> Iterator[Harm]:
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
                yield relation_harm("migration-unique-added", where, message, old, verbs=WRITES)
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


def _check_added(context: Schemas, old: Relation, new: Relation, added: Constraint) -> Iterator[Harm]:
    where = f"{old.name}.{added.name}"
    fresh = [name for name in added.columns if old.column(name) is None]
    defaulted = [
        name for name in fresh if (c := new.column(name)) and (c.default is not None or c.generated or c.identity)
    ]
    checks = [one.definition for one in old.constraints if one.kind == "check"]
    checks += [f"{c.name} >= -{2**n} AND {c.name} <= {2**n - 1}" for c in old.columns if (n := _BITS.get(c.type))]
    filled = [column.name for column in new.columns if column.not_null and old.column(column.name)]
    given = [name for name in fresh if filled_by_trigger(context.after, new, name)]
    filled += given
    empty = [name for name in fresh if name not in defaulted and name not in given]
    if implied(added.definition, checks, filled, empty):
        return
    if fresh and len(fresh) == len(added.columns) and len(defaulted) == len(fresh) and added.valid:
        return  # the rows that are there passed with the same default
    if fresh and len(fresh) == len(added.columns) and not defaulted and not _speaks_of_null(added.definition):
        return  # NULL, which refuses nothing
    columns = [name for name in added.columns if old.column(name)]
    yield relation_harm(
        "migration-check-added",
        where,
        f"the check `{added.name}` ({shortened(added.definition)}) is new on `{old.name}`: rows the older side may write "
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
    yield relation_harm(
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


def _link_added(context: Schemas, old: Relation, new: Relation, added: Constraint) -> Iterator[Harm]:
    for one in old.constraints:
        if one.kind == "foreign" and one.columns == added.columns and one.target == added.target:
            yield relation_harm(
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
    yield relation_harm(
        "migration-foreign-key-added",
        f"{old.name}.{'+'.join(added.columns)}",
        f"`{', '.join(added.columns)}` of `{old.name}` must exist in `{added.target}` now (`{added.name}`): a row the older "
        "side may write is refused",
        old,
        added.columns[0] if len(added.columns) == 1 and not fresh else "",
        verbs=WRITES,
    )


def new_link_harms(context: Schemas, made: Relation) -> Iterator[Harm]:
    for constraint in made.constraints:
        if constraint.kind == "foreign":
            yield from _refused_deletes(context, made, constraint)


def _refused_deletes(context: Schemas, table: Relation, link: Constraint) -> Iterator[Harm]:
    """The older side deletes what rows of the newer one refer to."""
    target = context.known.relations.get(link.target)
    if target is None or link.on_delete in ("cascade", "set null", "set default") or table.name == link.target:
        return
    if target.ident not in {one.ident for one in context.after.relations.values()}:
        return
    yield relation_harm(
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
            yield relation_harm(
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
            yield relation_harm(
                "migration-check-loosened",
                where,
                f"the check `{gone.name}` ({shortened(gone.definition)}) is gone from `{old.name}`, or weaker",
                old,
                gone.columns[0] if len(gone.columns) == 1 else "",
                severity=Severity.INFO,
                reads=True,
            )
    elif gone.kind == "foreign" and not any(one.kind == "foreign" and one.columns == gone.columns for one in added):
        acts = gone.on_delete in ("cascade", "set null", "set default")
        tail = f"a DELETE no longer does `{gone.on_delete}`" if acts else "rows without a counterpart can appear"
        yield relation_harm(
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
    return relation_harm(
        "migration-unique-dropped",
        f"{old.name}.{'+'.join(columns)}",
        f"`{', '.join(columns)}` of `{old.name}` is no longer unique: ON CONFLICT on it fails, and duplicates can appear",
        old,
        columns[0] if len(columns) == 1 else "",
        severity=Severity.WARNING,
        verbs=("insert", "merge"),
    )


def index_harms(context: Schemas, old: Relation, new: Relation) -> Iterator[Harm]:
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
            yield relation_harm(
                "migration-index-dropped", f"{old.name}.{index.name}", message, old, severity=Severity.INFO
            )


def _same_key(one: Index, other: Index) -> bool:
    return one.unique == other.unique and one.columns == other.columns and same(one.where, other.where)
