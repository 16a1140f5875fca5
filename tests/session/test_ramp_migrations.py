"""The migrations of a contract: by text, and on a scratch copy with statements prepared after every stage."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crossfade.errors import ContractError
from crossfade.formats.ramp import read_contract
from crossfade.model.compat import Severity
from crossfade.model.contract import Contract
from crossfade.model.ramp import Side
from crossfade.session.migrations import executed_migration_breaks, migration_breaks

ROOT = Path(__file__).parents[2]
SCHEMA = """CREATE TABLE orders (id serial PRIMARY KEY, price int NOT NULL, note text);
INSERT INTO orders (price) VALUES (1), (1);"""
EXPAND = """ALTER TABLE orders ADD COLUMN total int;
CREATE FUNCTION in_step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.total := NEW.price; RETURN NEW; END $$;
CREATE TRIGGER in_step BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION in_step();"""
RAMP = """services:
  a: {{ stable: {{ run: x }}, canary: {{ run: y }} }}
databases:
  db: {{ postgres: "18", schema: schema.sql }}
ramp:
  - stage: before
  - {{ stage: expand, sql: expand.sql }}
  - {{ stage: backfill, {backfill} }}
  - {{ stage: half, weight: 50% }}
  - {{ stage: all, weight: 100% }}
  - {{ stage: contract, phase: contract, sql: contract.sql }}
rollback: {{ until: {until} }}
scenarios:
  - {{ name: s, steps: [ {{ step: g, call: GET / }} ] }}
"""


def contract(
    folder: Path,
    until: str = "all",
    backfill: str = "sql: backfill.sql",
    last: str = "DROP TRIGGER in_step ON orders;\nALTER TABLE orders DROP COLUMN price;",
) -> Contract:
    files = {"schema.sql": SCHEMA, "expand.sql": EXPAND, "contract.sql": last}
    files["backfill.sql"] = "UPDATE orders SET total = price WHERE total IS NULL;"
    files["bad.sql"] = "SELECT 1;\nCREATE UNIQUE INDEX ON orders (price);\n"
    files["ramp.yaml"] = RAMP.format(until=until, backfill=backfill)
    for name, text in files.items():
        (folder / name).write_text(text)
    return read_contract(str(folder / "ramp.yaml"))


def told(result) -> list[tuple[str, str, str]]:
    return [(one.rule, one.path, one.canary.file) for one in result.breaks if one.severity is not Severity.INFO]


@pytest.mark.parametrize("way", ["text", "executed"])
def test_a_sound_expand_and_contract_breaks_nothing(tmp_path: Path, way: str) -> None:
    one = contract(tmp_path)
    result = migration_breaks(one) if way == "text" else asyncio.run(executed_migration_breaks(one))
    assert (told(result), result.not_compared, len(result.compared)) == ([], (), 3)


@pytest.mark.parametrize("way", ["text", "executed"])
def test_a_rollback_after_contract_meets_what_is_gone(tmp_path: Path, way: str) -> None:
    one = contract(tmp_path, until="contract")
    result = migration_breaks(one) if way == "text" else asyncio.run(executed_migration_breaks(one))
    assert told(result) == [
        ("migration-trigger-dropped", "orders.in_step", "contract.sql"),
        ("migration-drop-column", "orders.price", "contract.sql"),
    ]
    assert {one.stages for one in result.breaks} == {("contract",)}


def test_statements_decide_where_a_database_is(tmp_path: Path) -> None:
    one = contract(tmp_path, until="contract")
    seen = {
        (Side.STABLE, "db", "SELECT price FROM orders"): "GET /orders",
        (Side.STABLE, "db", "SELECT id FROM orders"): "GET /ids",
        (Side.STABLE, "db", "SELECT nonsense FROM orders"): "GET /nonsense",
        (Side.CANARY, "db", "SELECT total FROM orders"): "GET /orders",
        (Side.CANARY, "db", "UPDATE orders SET price = 1"): "PUT /orders",
        (Side.STABLE, "other", "SELECT 1 FROM nothing"): "GET /other",
    }
    result = asyncio.run(executed_migration_breaks(one, seen))
    refused = [found for found in result.breaks if found.rule == "migration-statement-fails"]
    assert [(str(found.writer), found.operations, found.stages) for found in refused] == [
        ("canary", ("PUT /orders",), ("contract",)),
        ("stable", ("GET /orders",), ("contract",)),
    ]
    dropped = next(found for found in result.breaks if found.rule == "migration-drop-column")
    assert (dropped.operations, dropped.severity) == (("GET /orders",), Severity.ERROR)
    quiet = {(Side.STABLE, "db", "SELECT id FROM orders"): "GET /ids"}
    calm = asyncio.run(executed_migration_breaks(one, quiet))
    assert [found.severity for found in calm.breaks if found.rule == "migration-drop-column"] == [Severity.INFO]


def test_a_migration_that_fails_is_a_break_and_ends_the_looking(tmp_path: Path) -> None:
    one = contract(tmp_path, backfill="sql: [backfill.sql, bad.sql]")
    result = asyncio.run(executed_migration_breaks(one))
    failed = next(found for found in result.breaks if found.rule == "migration-fails")
    assert (failed.canary.file, failed.canary.line) == ("bad.sql", 2)
    assert "could not create unique index" in failed.message
    assert result.not_compared == ("stage `contract`: a migration before it failed on the scratch copy",)


def test_commands_are_run_when_asked_for_and_said_to_be_missing_else(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "import asyncio, sys, asyncpg\n\nasync def main():\n    c = await asyncpg.connect(sys.argv[1])\n"
        "    await c.execute('ALTER TABLE orders ADD COLUMN late int')\n    await c.close()\n\nasyncio.run(main())\n"
    )
    command = '"${python} job.py ${db.url}"'
    one = contract(tmp_path, backfill=f"run: {command}", last="ALTER TABLE orders DROP COLUMN late;")
    without = asyncio.run(executed_migration_breaks(one))
    assert any("was not run" in line for line in without.not_compared)
    assert [found.rule for found in without.breaks if found.severity is Severity.ERROR] == ["migration-fails"]
    result = asyncio.run(executed_migration_breaks(one, commands=True))
    assert (told(result), result.not_compared) == ([], ())
    assert any("cannot be judged by its text" in line for line in migration_breaks(one).not_compared)


def test_a_file_that_is_not_there_is_refused_with_its_place(tmp_path: Path) -> None:
    one = contract(tmp_path)
    (tmp_path / "contract.sql").unlink()
    with pytest.raises(ContractError, match=r"contract\.sql"):
        migration_breaks(one)


PAIRS = sorted(
    path.parent for path in (ROOT / "zoo").glob("*/safe/ramp.yaml") if "sql:" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("folder", PAIRS, ids=lambda path: path.parent.name)
def test_no_safe_twin_of_the_zoo_is_called_broken(folder: Path) -> None:
    result = migration_breaks(read_contract(str(folder / "ramp.yaml")))
    assert [one for one in result.breaks if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize(
    "name, rule",
    [
        ("e-column-dropped-early", "migration-drop-column"),
        ("g-rollback-after-contract", "migration-drop-column"),
        ("e-not-null-without-default", "migration-not-null"),
    ],
)
def test_the_faults_of_the_zoo_that_lie_in_the_schema_are_found_by_reading(name: str, rule: str) -> None:
    result = migration_breaks(read_contract(str(ROOT / "zoo" / name / "broken" / "ramp.yaml")))
    assert rule in {one.rule for one in result.breaks if one.severity is Severity.ERROR}
