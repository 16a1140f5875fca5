"""What is told of a migration is what PostgreSQL shows: for every case the statements of the stable are sent before
and after it, and the judgement, by the text alone and by the database, must say the same."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from migration_cases import BOTH_ALIVE, FOLDER, LOCKS, Case, cases, judged_by_text, migrated, outcome, told
from stores_scene import Scene, scene

from crossfade.engine.ddl import carried_out
from crossfade.engine.migrations import judged
from crossfade.formats.sql_changes import written
from crossfade.model.catalog import Catalog
from crossfade.model.contract import Database
from crossfade.world.catalog import read_catalog

CASES = cases()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("migrations")
    schema = (FOLDER / "schema.sql").read_text(encoding="utf-8")
    databases = [Database("db", "postgres", schema=("schema.sql",))]
    with scene(folder, databases, {"schema.sql": "CREATE ROLE app LOGIN;" + schema}) as opened:
        yield opened


@pytest.fixture(scope="module")
def before(stage: Scene):
    """The stable's statements on the schema it was made for."""
    stores = stage.run(stage.servers.create("before"))

    async def ask(case: Case) -> list[Any]:
        connection = await asyncpg.connect(stores.urls["db"])
        try:
            transaction = connection.transaction()
            await transaction.start()
            for statement in case.more["before"]:
                await connection.execute(statement)
            found = await outcome(connection, case, newer=False)
            await transaction.rollback()
            return found
        finally:
            await connection.close()

    yield lambda case: stage.run(ask(case))
    stage.run(stores.drop())


async def _truth(url: str, case: Case, keep: bool) -> tuple[list[Any], bool, tuple]:
    connection = await asyncpg.connect(url)
    try:
        transaction = connection.transaction()
        if not keep:
            await transaction.start()
        known, steps = await migrated(connection, case)
        found = await outcome(connection, case, newer=True)
        checks = [await connection.fetchval(sql) for sql in case.more["check"]]
        if not keep:
            await transaction.rollback()
        return found, all(checks), judged(known, known, steps, BOTH_ALIVE)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def shared(stage: Scene):
    stores = stage.run(stage.servers.create("shared"))
    yield stores
    stage.run(stores.drop())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_told_is_what_postgres_shows(stage: Scene, before, shared, case: Case) -> None:
    stores = stage.run(stage.servers.create("case")) if case.alone else shared
    after, in_step, breaks = stage.run(_truth(stores.urls["db"], case, keep=case.alone))
    if case.alone:
        stage.run(stores.drop())
    truly_breaks = after != before(case) or not in_step
    assert (case.verdict == "unsafe") == truly_breaks, "the case itself is wrong"
    assert case.rules == told(breaks) - set(LOCKS), "by the database"
    if not case.alone:
        assert case.slow == told(breaks) & set(LOCKS), "locks, by the database"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_text_alone_tells_the_same(case: Case) -> None:
    rules = told(judged_by_text(case))
    assert (case.rules, case.slow) == (rules - set(LOCKS), rules & set(LOCKS))


def _outline(catalog: Catalog) -> dict[str, Any]:
    """What must be the same on paper and in the database: all but the spelling of expressions and who owns what."""
    found: dict[str, Any] = {}
    for name, one in catalog.relations.items():
        columns = [
            (c.name, c.type, c.not_null and "view" not in one.kind, c.default is not None, c.generated, c.identity)
            for c in one.columns
        ]
        constraints = sorted((c.kind, c.columns, c.target, c.on_delete, c.name) for c in one.constraints)
        found[name] = (
            one.kind,
            columns,
            constraints,
            sorted((i.columns, i.unique, bool(i.where)) for i in one.indexes),
            sorted((t.name, t.function, t.timing, t.events) for t in one.triggers),
            sorted((p.name, p.command, p.permissive, p.roles) for p in one.policies),
            (one.row_security, one.forced, one.partition_of, sorted(one.grants)),
        )
    found["functions"] = sorted((key, one.returns) for key, one in catalog.functions.items())
    found["enums"] = sorted((name, [label for label, _ in one.labels]) for name, one in catalog.enums.items())
    found["domains"] = sorted((name, one.type, len(one.checks)) for name, one in catalog.domains.items())
    return found


def test_the_schema_on_paper_is_the_schema_in_the_database(stage: Scene, shared) -> None:
    async def read() -> Catalog:
        connection = await asyncpg.connect(shared.urls["db"])
        try:
            return await read_catalog(connection)
        finally:
            await connection.close()

    text = (FOLDER / "schema.sql").read_text(encoding="utf-8")
    paper = carried_out(Catalog(), [change for one in written(text) for change in one.changes])
    mine, theirs = _outline(paper), _outline(stage.run(read()))
    assert set(mine) == set(theirs)
    for name in mine:
        assert mine[name] == theirs[name], name


def test_there_are_enough_cases_of_every_kind() -> None:
    assert len(CASES) >= 100
    assert min(sum(case.verdict == verdict for case in CASES) for verdict in ("safe", "unsafe", "slow")) >= 7
