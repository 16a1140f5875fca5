"""What a migration does to rows while the older side goes on writing.

A backfill copies what the older side wrote into the new form. It holds for a moment only: a row that the older side
writes afterwards has the old form alone, unless the database keeps both in step (a trigger, a generated column, a
default that says the same)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from crossfade.engine.conditions import same
from crossfade.engine.harm import WRITES, Harm, assigns
from crossfade.model.catalog import Catalog, Relation
from crossfade.model.compat import Severity
from crossfade.model.migration import Change, Kind

RULE = "migration-backfill-unsynchronised"
# where migration tools keep book: no version of a service reads them
TOOL_TABLES = frozenset(
    [
        "alembic_version",
        "django_migrations",
        "schema_migrations",
        "ar_internal_metadata",
        "flyway_schema_history",
        "databasechangelog",
        "databasechangeloglock",
        "knex_migrations",
        "knex_migrations_lock",
        "_prisma_migrations",
        "goose_db_version",
        "typeorm_metadata",
        "sequelizemeta",
        "__efmigrationshistory",
        "pgmigrations",
        "atlas_schema_revisions",
    ]
)


def row_harms(known: Catalog, after: Catalog, change: Change, repeated: Collection[tuple[str, str]]) -> Iterator[Harm]:
    """What a statement on rows means for a side that knows the schema `known` and still writes. `after` is the schema at the
    end of the stage, where triggers may keep things in step; `repeated` are the columns that are filled again when
    the older side is gone."""
    if _short(change.name).lower() in TOOL_TABLES:
        return
    if change.kind is Kind.UPDATE:
        for column, value in change.assignments:
            yield from _assigned(known, after, change, column, value, repeated)
    elif change.kind in (Kind.INSERT, Kind.CREATE_TABLE_AS) and change.name not in known.relations:
        yield from _copied(known, after, change, repeated)
    elif change.kind is Kind.TRUNCATE and change.name in known.relations:
        message = f"all rows of `{change.name}` are removed, which the older side still reads"
        yield Harm("migration-rows-removed", change.name, message, names=(_short(change.name),))
    elif change.kind is Kind.DELETE and change.name in known.relations:
        message = f"rows of `{change.name}` are removed, which the older side may still read"
        yield Harm("migration-rows-removed", change.name, message, Severity.WARNING, names=(_short(change.name),))


def _assigned(
    known: Catalog, after: Catalog, change: Change, column: str, value: str, repeated: Collection[tuple[str, str]]
) -> Iterator[Harm]:
    relation = after.relations.get(change.name)
    old = known.relations.get(change.name)
    if old is None:
        yield from _copied(known, after, change, repeated)
        return
    now = relation.column(column) if relation is not None else None
    if value == column or value.endswith("." + column):
        return  # touched only, so that a trigger runs
    if relation is not None and _kept_in_step(after, relation, column):
        return
    default = now.default if now is not None else None
    if default is not None and same(default, value):
        return
    where = f"{change.name}.{column}"
    weaker = Severity.WARNING if (change.name, column) in repeated else Severity.ERROR
    if old.column(column) is None:
        if now is not None and now.not_null and default is None:
            return  # the older side cannot write a row at all, which is told
        yield Harm(
            RULE,
            where,
            f"`{where}` is filled once: rows the older side writes afterwards have "
            + (f"the default `{default}`" if default is not None else "no value")
            + " there, and an UPDATE of it leaves the copy as it was",
            Severity.WARNING if default is not None and _constant(value) else weaker,
            names=(_short(change.name),),
            verbs=WRITES,
        )
        return
    fills = re.search(rf"\b{re.escape(column)}\b\"?\s+is\s+null", change.text, re.I) is not None
    if fills and now is not None and now.not_null:
        return  # NOT NULL is told
    message = f"`{where}` is filled where it is NULL, and the older side can still write NULL"
    if not fills:
        message = f"`{where}` is rewritten in place: the older side reads the new form, and goes on writing the old one"
    yield Harm(RULE, where, message, Severity.WARNING, names=(_short(change.name), column))


def _copied(known: Catalog, after: Catalog, change: Change, repeated: Collection[tuple[str, str]]) -> Iterator[Harm]:
    """Rows of tables the older side writes are copied into one it does not know."""
    sources = [name for name in change.names if name in known.relations and "view" not in known.relations[name].kind]
    for source in sources:
        relation = after.relations.get(source)
        if relation is not None and _mentions(after, relation, change.name):
            continue
        target = after.relations.get(change.name)
        if target is None or target.kind == "matview":
            continue
        again = any(table == change.name for table, _ in repeated)
        yield Harm(
            RULE,
            f"{change.name} from {source}",
            f"rows of `{source}` are copied to `{change.name}` once: what the older side writes to `{source}` afterwards is "
            "missing there",
            Severity.WARNING if again else Severity.ERROR,
            names=(_short(source),),
            verbs=(*WRITES, "delete"),
        )


def _kept_in_step(catalog: Catalog, relation: Relation, column: str) -> bool:
    for trigger in relation.triggers:
        if trigger.enabled and ({"insert", "update"} & set(trigger.events) or not trigger.events):
            for function in catalog.functions.values():
                if function.name == trigger.function and assigns(function.body, column):
                    return True
    found = relation.column(column)
    return found is not None and found.generated != ""


def _mentions(catalog: Catalog, relation: Relation, table: str) -> bool:
    """Does a trigger of `relation` carry its rows to `table`?"""
    word = re.compile(rf"\b{re.escape(_short(table))}\b", re.I)
    functions = {trigger.function for trigger in relation.triggers if trigger.enabled}
    return any(word.search(one.body) for one in catalog.functions.values() if one.name in functions)


def _constant(value: str) -> bool:
    return re.fullmatch(r"\s*('(?:[^']|'')*'(::[\w\s]+)?|-?[\d.]+|true|false|null|now\(\))\s*", value, re.I) is not None


def _short(name: str) -> str:
    return name.rpartition(".")[2]
