"""SQL files as changes: what is written where, whatever stands around it, and nothing made of what is no statement."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.formats.sql_changes import written
from crossfade.formats.sql_tokens import sql_text
from crossfade.model.migration import Change, Kind


def changes(text: str) -> list[Change]:
    return [change for one in written(text, "m.sql") for change in one.changes]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("ALTER TABLE ONLY a.b DROP c", (Kind.DROP_COLUMN, "a.b", "c")),
        ('ALTER TABLE public."A b" RENAME COLUMN "C d" TO e', (Kind.RENAME_COLUMN, "A b", "C d")),
        ("alter table t alter c type numeric(10, 2) using c::numeric", (Kind.SET_TYPE, "t", "c")),
        ("ALTER TABLE t ADD PRIMARY KEY (a, b)", (Kind.ADD_CONSTRAINT, "t", "t_pkey")),
        ("ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a)", (Kind.ADD_CONSTRAINT, "t", "t_a_key")),
        ("ALTER TABLE t ALTER c SET NOT NULL", (Kind.SET_NOT_NULL, "t", "c")),
        ("ALTER TABLE t ADD CONSTRAINT n NOT NULL c NOT VALID", (Kind.SET_NOT_NULL, "t", "c")),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", (Kind.DETACH, "t", "p")),
        ("ALTER TABLE t SET SCHEMA s", (Kind.SET_SCHEMA, "t", "")),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", (Kind.VALIDATE, "t", "c")),
        ("ALTER TABLE t SET (fillfactor = 70)", (Kind.HARMLESS, "t", "")),
        ("CREATE UNIQUE INDEX i ON t ((lower(a)))", (Kind.CREATE_INDEX, "t", "i")),
        ("CREATE INDEX ON t USING gin (a) WITH (fastupdate = off) WHERE b", (Kind.CREATE_INDEX, "t", "t_a_idx")),
        ("DROP TRIGGER IF EXISTS g ON t CASCADE", (Kind.DROP, "t", "g")),
        ("DROP POLICY p ON t", (Kind.DROP, "t", "p")),
        ("CREATE TYPE s.e AS ENUM ('a', 'b')", (Kind.CREATE_ENUM, "s.e", "")),
        ("ALTER TYPE e RENAME VALUE 'it''s' TO 'b'", (Kind.RENAME_VALUE, "e", "it's")),
        ("TRUNCATE TABLE ONLY t RESTART IDENTITY", (Kind.TRUNCATE, "t", "")),
        ("CLUSTER t USING i", (Kind.REWRITE, "t", "")),
        ("VACUUM (FULL, ANALYZE) t", (Kind.REWRITE, "t", "")),
        ("REINDEX (VERBOSE) INDEX CONCURRENTLY i", (Kind.REINDEX, "i", "")),
        ("SELECT pg_sleep(1)", (Kind.HARMLESS, "", "")),
        ("FROBNICATE t", (Kind.UNREAD, "", "")),
        ("COPY t (a) FROM STDIN", (Kind.INSERT, "t", "")),
    ],
)
def test_one_statement(text: str, expected: tuple[Kind, str, str]) -> None:
    (found,) = changes(text)
    assert (found.kind, found.name, found.part) == expected


def test_a_table_with_all_that_can_stand_in_it() -> None:
    (table,) = changes(
        """CREATE UNLOGGED TABLE IF NOT EXISTS s.t (
          id bigint GENERATED ALWAYS AS IDENTITY (START 5) PRIMARY KEY,
          "Name" character varying(20) COLLATE "C" NOT NULL DEFAULT 'a, b' CHECK ("Name" <> ')'),
          at timestamp(3) with time zone DEFAULT now() NOT NULL,
          total numeric(10,2) GENERATED ALWAYS AS (id * 2) STORED,
          parent int REFERENCES s.t (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
          tags text[] DEFAULT ARRAY['x']::text[],
          CONSTRAINT u UNIQUE (at, "Name"), LIKE other INCLUDING ALL,
          EXCLUDE USING gist (at WITH =)
        ) PARTITION BY RANGE (at)"""
    )
    assert [(c.name, c.type, c.not_null, c.default, c.generated, c.identity) for c in table.columns] == [
        ("id", "bigint", True, None, "", "always"),
        ("Name", "character varying(20)", True, "'a, b'", "", ""),
        ("at", "timestamp(3) with time zone", True, "now()", "", ""),
        ("total", "numeric(10,2)", False, "id * 2", "stored", ""),
        ("parent", "int", False, None, "", ""),
        ("tags", "text[]", False, "ARRAY['x']::text[]", "", ""),
    ]
    assert [(c.kind, c.columns, c.target, c.on_delete) for c in table.constraints] == [
        ("primary", ("id",), "", ""),
        ("check", ("Name",), "", ""),
        ("foreign", ("parent",), "s.t", "set null"),
        ("unique", ("at", "Name"), "", ""),
        ("exclude", ("using", "gist", "at", "with"), "", ""),
    ]
    assert (table.name, table.what, table.names) == ("s.t", "partitioned", ("other",))


def test_rows_that_are_changed_and_where_they_come_from() -> None:
    found = changes(
        """UPDATE ONLY t AS x SET a = (SELECT max(b) FROM u), (b, c) = (1, 2), d = CASE WHEN x.e THEN 'from' END
             FROM v JOIN w ON true WHERE x.id = v.id;
           WITH gone AS (DELETE FROM t WHERE old RETURNING *) INSERT INTO archive SELECT * FROM gone;
           INSERT INTO n (a) SELECT a FROM t, u ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = 1 WHERE n.d;
           MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN DO NOTHING"""
    )
    assert [(c.kind, c.name, [a for a, _ in c.assignments], c.names) for c in found] == [
        (Kind.UPDATE, "t", ["a", "b", "c", "d"], ("v", "w")),
        (Kind.DELETE, "t", [], ()),
        (Kind.INSERT, "archive", [], ("gone",)),
        (Kind.INSERT, "n", ["b", "c"], ("t",)),
        (Kind.UPDATE, "t", ["a"], ("s",)),
    ]


def test_a_do_block_is_looked_into_and_lines_are_those_of_its_statements() -> None:
    found = changes(
        """DO LANGUAGE plpgsql $outer$
DECLARE n int := 5;
BEGIN
  IF n > 3 THEN
    ALTER TABLE a DROP b;
  ELSIF n > 2 THEN DROP TABLE c;
  END IF;
  EXECUTE 'ALTER TABLE d DROP e';
  EXECUTE format('ALTER TABLE %I.%I RENAME %2$I TO %s', 's', 'F', 'g');
  EXECUTE 'DROP TABLE ' || n;
  PERFORM now();
  BEGIN
    UPDATE h SET i = 1;
  EXCEPTION WHEN others THEN NULL;
  END;
END $outer$;"""
    )
    assert [(c.kind, c.name, c.part, c.line, c.certain) for c in found] == [
        (Kind.DROP_COLUMN, "a", "b", 5, False),
        (Kind.DROP, "c", "", 6, False),
        (Kind.DROP_COLUMN, "d", "e", 8, True),
        (Kind.RENAME_COLUMN, "s.F", "F", 9, True),
        (Kind.UNREAD, "", "", 10, True),
        (Kind.UPDATE, "h", "", 13, True),
    ]


def test_unqualified_names_follow_the_search_path() -> None:
    found = changes("SET search_path = billing, public; DROP TABLE a; SET search_path TO DEFAULT; DROP TABLE public.b")
    assert next(one.name for one in found if one.kind is Kind.DROP) == "billing.a"


def test_psql_lines_and_rows_of_a_dump_are_passed_over() -> None:
    text = "\\restrict x\nCOPY t (a) FROM stdin;\n1;DROP TABLE x\n\\.\nDROP TABLE y;\n\\unrestrict x\n"
    assert [(one.kind, one.name, one.line) for one in changes(text)] == [(Kind.INSERT, "t", 2), (Kind.DROP, "y", 5)]


PIECES = st.sampled_from(
    [
        "select 1",
        "';'",
        '";"',
        "$$;$$",
        "$a$ $$;$$ $a$",
        "/* ; /* ; */ */",
        "-- ;\n",
        "E'\\';'",
        "(;)",
        "x",
        "''",
        "drop table t",
    ]
)


@given(st.lists(PIECES, max_size=6), st.lists(PIECES, max_size=6))
def test_statements_end_at_semicolons_and_nowhere_else(first: list[str], second: list[str]) -> None:
    one, two = " ".join(first), " ".join(second)
    alone = [len(sql_text(text).statements) for text in (one, two)]
    assert all(count <= 1 for count in alone)
    assert len(sql_text(f"{one} ; {two}").statements) == sum(alone)


@given(st.text(alphabet="alterdoptb (),;'\"$/*-\n\\123", max_size=80))
def test_nothing_makes_the_reader_fail(text: str) -> None:
    for prefix in ("", "ALTER TABLE ", "CREATE ", "DO ", "UPDATE t SET ", "CREATE TABLE t ("):
        found: list[Any] = list(written(prefix + text))
        assert all(one.changes is not None for one in found)
