"""Who is alive decides: the same migration at different stages, with and without rollback, with and without statements."""

from __future__ import annotations

import pytest

from crossfade.engine.ddl import assumed, carried_out
from crossfade.engine.migrations import Alive, MigrationStep, SeenStatement, alive_at, judged, on_paper, refilled
from crossfade.formats.ramp import read_contract
from crossfade.formats.sql_changes import written
from crossfade.model.catalog import Catalog
from crossfade.model.compat import Break, Severity
from crossfade.model.ramp import Side

SCHEMA = """CREATE TYPE status AS ENUM ('new', 'paid');
CREATE TABLE orders (id serial PRIMARY KEY, price int NOT NULL, note text, state status);"""
BOTH = Alive("expand", ("expand", "half"), ("half",), ("half",), ("half", "all"))


def schema(text: str = SCHEMA) -> Catalog:
    return carried_out(Catalog(), [change for one in written(text, "schema.sql") for change in one.changes])


def steps(before: Catalog, *files: str) -> tuple[MigrationStep, ...]:
    return on_paper(before, [(f"{n}.sql", written(text, f"{n}.sql")) for n, text in enumerate(files, 1)])


def breaks(
    text: str, alive: Alive = BOTH, seen: tuple[SeenStatement, ...] = (), base: str = SCHEMA
) -> tuple[Break, ...]:
    known = schema(base)
    return judged(known, known, steps(known, text), alive, seen=seen)


RAMP = """services:
  a:
    stable: {{ run: x }}
    canary: {{ run: y }}
databases:
  db: {{ postgres: "18", schema: schema.sql }}
ramp:
  - stage: before
  - {{ stage: expand, sql: a.sql }}
  - {{ stage: half, weight: 50% }}
  - {{ stage: all, weight: 100% }}
  - {{ stage: contract, phase: contract, sql: a.sql }}
rollback: {{ until: {until} }}
scenarios:
  - name: s
    steps: [ {{ step: g, call: GET / }} ]
"""


@pytest.fixture
def contract(tmp_path):
    def read(until: str):
        (tmp_path / "ramp.yaml").write_text(RAMP.format(until=until))
        (tmp_path / "schema.sql").touch()
        (tmp_path / "a.sql").touch()
        return read_contract(str(tmp_path / "ramp.yaml"))

    return read


def test_who_is_alive_at_a_stage_and_later(contract) -> None:
    one = contract("all")
    assert alive_at(one, 1) == Alive(
        "expand", ("expand", "half"), ("half",), ("half", "all"), ("half", "all", "contract")
    )
    assert alive_at(one, 4) == Alive("contract", (), (), (), ("contract",))
    assert alive_at(contract("contract"), 4).rollback == ("contract",)
    assert alive_at(contract("before"), 1).rollback == ()


def test_a_drop_when_only_the_canary_lives_and_nobody_goes_back_is_fine(contract) -> None:
    drop = "ALTER TABLE orders DROP COLUMN price"
    assert [] == [one for one in breaks(drop, alive_at(contract("all"), 4)) if one.severity is not Severity.INFO]


def test_a_drop_that_a_rollback_meets_says_so(contract) -> None:
    (found,) = breaks("ALTER TABLE orders DROP COLUMN price", alive_at(contract("contract"), 4))
    assert (found.rule, found.writer, found.reader, found.stages) == (
        "migration-drop-column",
        "stable",
        "schema",
        ("contract",),
    )
    assert "rollback brings the stable back" in found.message


def test_a_break_is_told_at_the_statement_that_brought_it_for_good() -> None:
    text = "SELECT 1;\nALTER TABLE orders ADD a int,\n  DROP COLUMN note;\nALTER TABLE orders ADD COLUMN b int;\n"
    (found,) = breaks(text)
    assert (found.canary.file, found.canary.line, found.canary.column) == ("1.sql", 3, 3)
    assert (found.stable.file, found.stable.line) == ("schema.sql", 2)
    undone = (
        "ALTER TABLE orders DROP COLUMN note;\nALTER TABLE orders ADD COLUMN note text;\nALTER TABLE orders DROP note;"
    )
    (again,) = breaks(undone)
    assert again.canary.line == 3


def test_what_a_later_statement_of_the_stage_repairs_is_no_break() -> None:
    assert () == breaks("ALTER TABLE orders DROP COLUMN note; ALTER TABLE orders ADD COLUMN note text;")


def test_ids_do_not_depend_on_lines_and_differ_by_stage() -> None:
    (one,), (two,) = (
        breaks("ALTER TABLE orders DROP note"),
        breaks("\n\n-- x\nALTER TABLE ONLY public.orders\nDROP COLUMN note"),
    )
    assert one.id == two.id and one.canary != two.canary
    (other,) = breaks("ALTER TABLE orders DROP note", Alive("later", ("later",), (), (), ("later",)))
    assert one.id != other.id


def seen(side: Side, *texts: str) -> tuple[SeenStatement, ...]:
    return tuple(SeenStatement(side, text, f"GET /{n}") for n, text in enumerate(texts))


@pytest.mark.parametrize(
    "statement, touched",
    [
        ("SELECT id, note FROM orders WHERE id = $1", True),
        ("SELECT id, price FROM orders WHERE id = $1", False),
        ("SELECT o.* FROM orders o", True),
        ("SELECT 'note' FROM orders", False),
        ("SELECT note FROM other", False),
        ('UPDATE "orders" SET "note" = $1', True),
        ("INSERT INTO orders VALUES (1, 2, 'x')", True),
        ("INSERT INTO orders (id, price) VALUES ($1, $2) RETURNING *", True),
        ("DELETE FROM orders WHERE id = $1", False),
    ],
)
def test_a_drop_that_no_statement_of_the_stable_touches_is_information(statement: str, touched: bool) -> None:
    (found,) = breaks("ALTER TABLE orders DROP COLUMN note", seen=seen(Side.STABLE, statement))
    assert (found.severity is Severity.ERROR) == touched
    assert found.operations == (("GET /0",) if touched else ())


def test_statements_of_the_canary_say_nothing_about_the_stable() -> None:
    (found,) = breaks("ALTER TABLE orders DROP COLUMN note", seen=seen(Side.CANARY, "SELECT id FROM orders"))
    assert found.severity is Severity.ERROR


def test_a_changed_default_counts_for_inserts_that_leave_the_column_out() -> None:
    text = "ALTER TABLE orders ALTER price SET DEFAULT 5, ALTER note SET DEFAULT 'x'"
    names = seen(Side.STABLE, "INSERT INTO orders (price, note) VALUES ($1, $2)")
    assert [Severity.INFO] == [one.severity for one in breaks(text, seen=names)]
    leaves = seen(Side.STABLE, "INSERT INTO orders (price) VALUES ($1)")
    assert [Severity.WARNING] == [one.severity for one in breaks(text, seen=leaves)]


def test_a_new_enum_value_is_read_by_the_stable_where_both_live() -> None:
    (found,) = breaks("ALTER TYPE status ADD VALUE 'sent'")
    assert (found.writer, found.reader, found.stages) == ("canary", "stable", ("half",))
    alone = Alive("contract", (), (), (), ("contract",))
    assert () == breaks("ALTER TYPE status ADD VALUE 'sent'", alone)


def test_a_backfill_matters_where_the_stable_writes_and_a_canary_reads() -> None:
    text = "ALTER TABLE orders ADD total int; UPDATE orders SET total = price WHERE total IS NULL;"
    (found,) = [one for one in breaks(text) if "backfill" in one.rule]
    assert (found.writer, found.reader, found.severity) == ("stable", "canary", Severity.ERROR)
    after_rollback_only = Alive("contract", (), (), ("contract",), ("contract",))
    assert [] == [one for one in breaks(text, after_rollback_only) if "backfill" in one.rule]


def test_a_backfill_that_is_repeated_when_the_stable_is_gone_is_milder() -> None:
    text = "ALTER TABLE orders ADD total int; UPDATE orders SET total = price WHERE total IS NULL;"
    known = schema()
    again = refilled([[change for one in written("UPDATE orders SET total = price") for change in one.changes]])
    found = judged(known, known, steps(known, text), BOTH, repeated=again)
    assert [Severity.WARNING] == [one.severity for one in found if "backfill" in one.rule]


def test_what_a_stage_before_broke_is_told_there_only() -> None:
    known = schema()
    first = steps(known, "ALTER TABLE orders DROP note")
    second = steps(first[-1].after, "ALTER TABLE orders ADD x int")
    assert judged(known, first[-1].after, second, BOTH) == ()


def test_a_column_of_the_ramp_that_the_canary_may_use_is_information() -> None:
    known = schema()
    expanded = steps(known, "ALTER TABLE orders ADD total int")[-1].after
    contracted = steps(expanded, "ALTER TABLE orders DROP total")
    (found,) = judged(known, expanded, contracted, BOTH, canary_known=expanded)
    assert (found.writer, found.severity, found.path) == ("canary", Severity.INFO, "orders.total")


def test_a_schema_that_is_not_known_is_assumed_to_have_what_is_taken_away() -> None:
    text = """ALTER TABLE orders DROP COLUMN note; ALTER TABLE IF EXISTS billing.invoices RENAME TO bills;
    CREATE TABLE fresh (a int); ALTER TABLE fresh DROP COLUMN a; DROP FUNCTION f(int); ALTER TYPE mood ADD VALUE 'x';
    ALTER TABLE users ALTER COLUMN name SET NOT NULL; ALTER TABLE users ALTER COLUMN age TYPE bigint;"""
    changes = [change for one in written(text) for change in one.changes]
    known = assumed(Catalog(complete=False), changes)
    found = judged(known, known, steps(known, text), BOTH)
    rules = {(one.rule, one.path) for one in found if "lock" not in one.rule and "rewrite" not in one.rule}
    assert rules == {
        ("migration-drop-column", "orders.note"),
        ("migration-rename", "billing.invoices"),
        ("migration-drop-function", "f(integer)"),
        ("migration-enum-value-added", "mood.x"),
        ("migration-not-null", "users.name"),
        ("migration-type-changed", "users.age"),
    }


def test_the_same_migration_gives_the_same_breaks() -> None:
    text = "DROP TABLE orders; ALTER TYPE status RENAME TO s2; CREATE INDEX ON orders (note)"
    assert breaks(text) == breaks(text)
