"""The cases of tests/cases/migrations: read, carried out on a real PostgreSQL (which says what is true), and judged."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from crossfade.engine.ddl import carried_out
from crossfade.engine.migrations import Alive, MigrationStep, judged, on_paper
from crossfade.formats.sql_changes import written
from crossfade.model.catalog import Catalog
from crossfade.model.compat import Break, Place, Severity
from crossfade.world.catalog import execute, read_catalog

FOLDER = Path(__file__).parent.parent / "cases" / "migrations"
LOCKS = ("migration-locks-table", "migration-rewrites-table", "migration-index-blocks-writes")
BOTH_ALIVE = Alive("expand", ("expand", "half"), ("half",), ("half",), ("half",))


class Case(msgspec.Struct, frozen=True):
    name: str
    verdict: str
    rules: frozenset[str]
    slow: frozenset[str]
    migration: str
    more: dict[str, tuple[str, ...]]

    @property
    def alone(self) -> bool:
        return re.search(r"concurrently|add value", self.migration, re.I) is not None


def cases() -> list[Case]:
    text = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("cases.txt", "tools.txt"))
    found = []
    for block in re.split(r"^## ", text, flags=re.M)[1:]:
        head, _, body = block.partition("\n")
        words, _, name = head.partition(": ")
        verdict, *rules = words.split()
        more: dict[str, list[str]] = {"canary": [], "stable": [], "check": [], "before": [], "slow": []}
        sql = []
        for line in body.splitlines():
            if match := re.match(r"@(\w+) (.*)", line):
                more.setdefault(match.group(1), []).append(match.group(2))
            elif not line.startswith("# "):
                sql.append(line)
        slow = frozenset(rule for rule in (*rules, *" ".join(more["slow"]).split()) if rule in LOCKS)
        found.append(
            Case(
                name,
                verdict,
                frozenset(rules) - set(LOCKS),
                slow,
                "\n".join(sql),
                {key: tuple(values) for key, values in more.items()},
            )
        )
    return found


def stable_statements() -> list[str]:
    lines = (FOLDER / "stable.sql").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("--")]


async def outcome(connection: asyncpg.Connection, case: Case, newer: bool) -> list[Any]:
    """What the stable gets for each of its statements, as the role `app`."""
    found: list[Any] = []
    if newer:
        for statement in case.more["canary"]:
            await connection.execute(statement)
    await connection.execute("SET ROLE app")
    try:
        for statement in (*case.more["stable"], *stable_statements()):
            try:
                async with connection.transaction():
                    rows = await connection.fetch(statement)
                    found.append([tuple(map(str, row.values())) for row in rows])
            except asyncpg.PostgresError as problem:
                found.append(type(problem).__name__)
    finally:
        await connection.execute("RESET ROLE")
    return found


async def migrated(connection: asyncpg.Connection, case: Case) -> tuple[Catalog, tuple[MigrationStep, ...]]:
    """The schema before, and the steps as PostgreSQL carried them out."""
    for statement in case.more["before"]:
        await connection.execute(statement)
    known = await read_catalog(connection)
    steps = [
        MigrationStep(
            Place("m.sql", one.written.line, one.written.column),
            one.written.text,
            one.written.changes,
            one.after,
            one.held,
            number == 0,
        )
        for number, one in enumerate(await execute(connection, written(case.migration, "m.sql")))
    ]
    return known, tuple(steps)


def judged_by_text(case: Case) -> tuple[Break, ...]:
    schema = (FOLDER / "schema.sql").read_text(encoding="utf-8")
    changes = [change for one in written(schema, "schema.sql") for change in one.changes]
    changes += [change for text in case.more["before"] for one in written(text) for change in one.changes]
    known = carried_out(Catalog(), changes)
    return judged(known, known, on_paper(known, [("m.sql", written(case.migration, "m.sql"))]), BOTH_ALIVE)


def told(breaks: tuple[Break, ...]) -> frozenset[str]:
    return frozenset(one.rule for one in breaks if one.severity is not Severity.INFO)
