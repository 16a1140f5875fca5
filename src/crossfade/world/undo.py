"""The undo log: triggers that note every row a service changes, and the functions that take the changes back.

A schema `crossfade` holds the log (unlogged tables), what is known of each table, and three functions: `remember` (the
trigger), `rewind` (reads the log and undoes it, newest first, in one call), `put` (writes given row images and
remembers what they replaced). A row is kept twice: as JSON, to be read, and as PostgreSQL's own record text, which
restores every type exactly (a JSON `null` in a json column, hstore, infinities). Undoing runs with
`session_replication_role = replica`, so no foreign key, user trigger or log trigger fires; where the role may not set
that, triggers see the setting `crossfade.quiet` instead and user triggers fire.

What it cannot see exactly: DDL by a service (an event trigger notes it where the role may create one), TRUNCATE of more
than `TRUNCATE_SHOWN` rows (kept in full and restored, but not shown), materialised views, large objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crossfade.model.history import LoggedChange

TRUNCATE_SHOWN = 10_000
LOCK_TIMEOUT = "400ms"
ROLE_SETTINGS = (
    "SET search_path = pg_catalog SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres'"
    " SET bytea_output = 'hex' SET extra_float_digits = 1"
)

# User tables that hold rows, with what is needed to write a row: columns, the key (primary key, else a unique index
# over columns that are never null), and the sequences that number its columns.
TABLES_SQL = """
WITH owned AS MATERIALIZED (
  SELECT d.refobjid, a.attname, d.objid FROM pg_sequence q
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid AND d.deptype IN ('a', 'i')
                    AND d.refclassid = 'pg_class'::regclass
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid)
SELECT c.oid::int8 AS oid, n.nspname AS schema, c.relname AS name, c.relpersistence::text AS persistence,
       (SELECT json_agg(json_build_array(a.attname, a.attgenerated::text, a.attidentity::text, a.attnotnull,
                   format_type(a.atttypid, NULL),
                   EXISTS (SELECT FROM pg_cast k WHERE k.castsource = coalesce(nullif(y.typbasetype, 0), y.oid)
                           AND k.casttarget IN (114, 3802) AND y.oid NOT IN (114, 3802))) ORDER BY a.attnum)
          FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text AS columns,
       (SELECT json_agg(a.attname ORDER BY u.place)::text
          FROM (SELECT i.indkey, i.indnkeyatts FROM pg_index i
                 WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
                   AND i.indpred IS NULL AND i.indexprs IS NULL
                   AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, place)
                                   JOIN pg_attribute b ON b.attrelid = c.oid AND b.attnum = u.attnum
                                   WHERE u.place <= i.indnkeyatts AND (NOT b.attnotnull OR b.attgenerated <> ''))
                 ORDER BY i.indisprimary DESC, i.indnatts, i.indexrelid LIMIT 1) best,
               unnest(best.indkey::int2[]) WITH ORDINALITY AS u(attnum, place), pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum = u.attnum AND u.place <= best.indnkeyatts) AS key,
       (SELECT json_agg(json_build_array(o.attname, o.objid::int8))::text FROM owned o
         WHERE o.refobjid = ANY (CASE WHEN c.relispartition
                                 THEN ARRAY(SELECT relid::oid FROM pg_partition_ancestors(c.oid)) || c.oid
                                 ELSE ARRAY[c.oid] END)) AS sequences
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'crossfade')
   AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
   AND NOT EXISTS (SELECT FROM pg_depend e
                   WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
 ORDER BY n.nspname, c.relname
"""


class Column(msgspec.Struct, frozen=True, array_like=True):
    name: str
    generated: str  # "", "s" (stored) or "v" (virtual)
    identity: str  # "", "a" (always) or "d" (by default)
    not_null: bool
    type: str
    castable: bool  # has its own cast to JSON, so its JSON is not what its input function reads


class Table(msgspec.Struct, frozen=True):
    """A table that holds rows. `key` names the identifying columns, () where only the whole row identifies."""

    oid: int
    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sequences: tuple[tuple[str, int], ...]  # column, sequence oid

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def special(self) -> bool:
        return any(column.castable or column.generated == "v" for column in self.columns)

    def image(self, row: str) -> str:
        """SQL for the JSON text of the row `row` (an alias)."""
        if not self.special:
            return f"row_to_json({row})::text"
        shown = ", ".join(
            f"({row}).{quoted(column.name)}{'::text' if column.castable else ''} AS {quoted(column.name)}"
            for column in self.columns
            if column.generated != "v"
        )
        return f"(SELECT row_to_json(shown)::text FROM (SELECT {shown}) shown)"

    def key_of(self, image: str) -> str:
        """The key as JSON text, cut out of a row's JSON text: {"id":5}; the whole row where there is no key."""
        if not self.key:
            return image
        fields = msgspec.json.decode(image, type=dict[str, msgspec.Raw])
        return msgspec.json.encode({name: fields.get(name, _NULL) for name in self.key}).decode()


_NULL = msgspec.Raw(b"null")


def tables_from(records: Sequence[Any]) -> dict[int, Table]:
    """The answer to TABLES_SQL as values, by oid."""
    return {
        record["oid"]: Table(
            oid=record["oid"],
            schema=record["schema"],
            name=record["name"],
            columns=msgspec.json.decode(record["columns"] or "[]", type=tuple[Column, ...]),
            key=msgspec.json.decode(record["key"] or "[]", type=tuple[str, ...]),
            sequences=msgspec.json.decode(record["sequences"] or "[]", type=tuple[tuple[str, int], ...]),
        )
        for record in records
    }


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return (
        "'" + text.replace("'", "''") + "'"
        if "\\" not in text
        else " E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    )


def install_sql(replica: bool, events: bool) -> str:
    """Creates the schema with its tables and functions (no triggers yet). `replica`: our role may switch triggers off
    for itself; `events`: it may listen to DDL. Both need a superuser."""
    return _SCHEMA + resume_sql(replica, events) + (_EVENT_TRIGGERS if events else "")


def resume_sql(replica: bool, events: bool) -> str:
    """The functions, in place of those that PAUSE_SQL left."""
    role = "SET session_replication_role = 'replica'" if replica else ""
    script = _FUNCTIONS.replace("$SETTINGS", ROLE_SETTINGS).replace("$REPLICA", role).replace("$LOCK", LOCK_TIMEOUT)
    return script.replace("$SHOWN", str(TRUNCATE_SHOWN)) + (_EVENT_FUNCTION if events else "")


def track_sql(table: Table, version: int) -> str:
    """Puts one table under the log, on a server of major version `version`."""
    create = "CREATE OR REPLACE TRIGGER" if version >= 14 else "CREATE TRIGGER"
    drop = "" if version >= 14 else _DROP_TRIGGERS.format(table=table.sql)
    argument = literal(f"SELECT {table.image('t')} FROM (SELECT ($1::{table.sql}).*) t") if table.special else ""
    return f"""{drop}
{create} zz_crossfade_undo AFTER INSERT OR UPDATE OR DELETE ON {table.sql}
  FOR EACH ROW EXECUTE FUNCTION crossfade.remember({argument});
{create} zz_crossfade_truncate BEFORE TRUNCATE ON {table.sql}
  FOR EACH STATEMENT EXECUTE FUNCTION crossfade.remember_all({literal(table.image("t"))});
{known_sql(table)}"""


def known_sql(table: Table) -> str:
    """Tells `rewind` and `put` how the rows of one table are written. In the statements, $1 is the row as PostgreSQL's
    record text and $2 the record text of the row it replaces; in `as_record`, $1 is the row as JSON."""
    columns = [column for column in table.columns if not column.generated]
    names = ", ".join(quoted(column.name) for column in columns)
    values = ", ".join(f"(k.r).{quoted(column.name)}" for column in columns)
    sets = ", ".join(
        f"{quoted(column.name)} = (k.r).{quoted(column.name)}" for column in columns if column.identity != "a"
    )
    row, old = f"(SELECT $1::{table.sql} AS r OFFSET 0) k", f"(SELECT $2::{table.sql} AS r OFFSET 0) o"
    if table.key:
        match = " AND ".join(f"x.{quoted(name)} = ($R.r).{quoted(name)}" for name in table.key)
    else:
        match = f"x.ctid = (SELECT y.ctid FROM ONLY {table.sql} y WHERE y::text = $P LIMIT 1)"
    at_row, at_old = match.replace("$R", "k").replace("$P", "$1"), match.replace("$R", "o").replace("$P", "$2")
    statements = (
        f"INSERT INTO {table.sql} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {row}"
        if columns
        else "SELECT 1",
        f"UPDATE ONLY {table.sql} x SET {sets} FROM {row}, {old} WHERE {at_old}" if sets else "SELECT 1",
        f"DELETE FROM ONLY {table.sql} x USING {row} WHERE {at_row}",
        f"SELECT x::text, {table.image('x')} FROM ONLY {table.sql} x, {row} WHERE {at_row} LIMIT 1",
        f"SELECT {_record(table)}::text FROM json_populate_record(NULL::{table.sql}, $1::json) p",
    )
    texts = ", ".join(literal(statement) for statement in statements)
    fields = ("label", "keyed", "insert_row", "update_row", "delete_row", "find_row", "as_record")
    return (
        f"INSERT INTO crossfade.tables VALUES ({table.oid}, {literal(table.label)}, {bool(table.key)}, {texts})"
        f" ON CONFLICT (relid) DO UPDATE SET {', '.join(f'{field} = excluded.{field}' for field in fields)};\n"
    )


def logged(records: Sequence[Any], tables: dict[int, Table], database: str) -> tuple[list[LoggedChange], list[str]]:
    """The log's entries (oldest first) as changes, and what was done that changes cannot tell. An update that changes
    the key is a delete and an insert."""
    changes: list[LoggedChange] = []
    notes: list[str] = []
    for record in records:
        before, after, at = record["before"], record["after"], record["at"]
        if record["note"] is not None:
            notes.append(record["note"])
            continue
        table = tables.get(record["relid"])
        if table is None:
            notes.append("a table that is gone was written")
            continue
        old = None if before is None else table.key_of(before)
        new = None if after is None else table.key_of(after)
        if old is not None and new is not None and old != new:
            changes.append(LoggedChange(database, table.label, old, before, None, at))
            changes.append(LoggedChange(database, table.label, new, None, after, at))
        else:
            changes.append(LoggedChange(database, table.label, new if old is None else old, before, after, at))  # type: ignore[arg-type]
    return changes, notes


def _record(table: Table) -> str:
    """The record read from JSON as `p`. A null in a JSON column that must not be null can only be JSON's own null."""
    if not any(column.not_null and column.type in ("json", "jsonb") for column in table.columns):
        return "p"
    values = (
        f"coalesce(p.{quoted(column.name)}, 'null')"
        if column.not_null and column.type in ("json", "jsonb")
        else f"p.{quoted(column.name)}"
        for column in table.columns
    )
    return f"ROW({', '.join(values)})::{table.sql}"


UNINSTALL_SQL = """
DROP EVENT TRIGGER IF EXISTS crossfade_ddl;
DROP EVENT TRIGGER IF EXISTS crossfade_drop;
DROP SCHEMA IF EXISTS crossfade CASCADE;
"""
UNINSTALL_PLAIN_SQL = "DROP SCHEMA IF EXISTS crossfade CASCADE;"

# Makes the triggers do nothing. Taking them away would need a lock on every table, which services may hold.
PAUSE_SQL = """
CREATE OR REPLACE FUNCTION crossfade.remember() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE OR REPLACE FUNCTION crossfade.remember_all() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
"""
PAUSE_EVENTS_SQL = """
CREATE OR REPLACE FUNCTION crossfade.remember_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
"""
_DROP_TRIGGERS = """
DROP TRIGGER IF EXISTS zz_crossfade_undo ON {table};
DROP TRIGGER IF EXISTS zz_crossfade_truncate ON {table};"""

_SCHEMA = """
CREATE SCHEMA crossfade;
GRANT USAGE ON SCHEMA crossfade TO PUBLIC;
CREATE UNLOGGED TABLE crossfade.log (n bigserial, relid int8, before text, after text, was text, becomes text,
                                     note text, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE UNLOGGED TABLE crossfade.applied (LIKE crossfade.log INCLUDING DEFAULTS);
CREATE TABLE crossfade.tables (relid int8 PRIMARY KEY, label text, keyed bool, insert_row text, update_row text,
                               delete_row text, find_row text, as_record text);
"""

_FUNCTIONS = """
CREATE OR REPLACE FUNCTION crossfade.remember() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER $SETTINGS AS $body$
DECLARE old_image text; new_image text;
BEGIN
  IF current_setting('crossfade.quiet', true) = 'on' THEN RETURN NULL; END IF;
  IF TG_OP <> 'INSERT' THEN
    IF TG_NARGS > 0 THEN EXECUTE TG_ARGV[0] INTO old_image USING OLD; ELSE old_image := row_to_json(OLD)::text; END IF;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    IF TG_NARGS > 0 THEN EXECUTE TG_ARGV[0] INTO new_image USING NEW; ELSE new_image := row_to_json(NEW)::text; END IF;
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO crossfade.log (relid, after, becomes) VALUES (TG_RELID::int8, new_image, NEW::text);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO crossfade.log (relid, before, was) VALUES (TG_RELID::int8, old_image, OLD::text);
  ELSIF OLD::text IS DISTINCT FROM NEW::text THEN
    INSERT INTO crossfade.log (relid, before, after, was, becomes)
    VALUES (TG_RELID::int8, old_image, new_image, OLD::text, NEW::text);
  END IF;
  RETURN NULL;
END $body$;

CREATE OR REPLACE FUNCTION crossfade.remember_all() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER $SETTINGS AS
$body$
DECLARE kept text; number int8; rows int8; place text := format('%I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
BEGIN
  IF current_setting('crossfade.quiet', true) = 'on' THEN RETURN NULL; END IF;
  EXECUTE 'SELECT count(*) FROM (SELECT FROM ONLY ' || place || ' LIMIT $SHOWN + 1) t' INTO rows;
  IF rows <= $SHOWN THEN
    EXECUTE 'INSERT INTO crossfade.log (relid, before, was)
             SELECT $1, ' || TG_ARGV[0] || ', t::text FROM ONLY ' || place || ' t'
      USING TG_RELID::int8;
  ELSE
    number := nextval('crossfade.log_n_seq');
    kept := format('crossfade.%I', 'kept_' || number);
    EXECUTE 'CREATE UNLOGGED TABLE ' || kept || ' AS SELECT t::text AS was FROM ONLY ' || place || ' t';
    INSERT INTO crossfade.log (n, relid, was, note)
    VALUES (number, TG_RELID::int8, kept, format('TRUNCATE of `%s`, more than $SHOWN rows', TG_TABLE_NAME));
  END IF;
  RETURN NULL;
END $body$;

-- A row may be older than a check that is NOT VALID. Nobody else sees the table without its checks, nor waits for it.
CREATE OR REPLACE FUNCTION crossfade.write(relid_ int8, statement text, row_ text, old_ text) RETURNS void
  LANGUAGE plpgsql AS $body$
DECLARE checks int2;
BEGIN
  EXECUTE statement USING row_, old_;
EXCEPTION WHEN check_violation THEN
  SELECT relchecks INTO checks FROM pg_class WHERE oid = relid_::oid;
  IF checks = 0 OR current_setting('session_replication_role') <> 'replica' THEN RAISE; END IF;
  UPDATE pg_class SET relchecks = 0 WHERE oid = relid_::oid;
  EXECUTE statement USING row_, old_;
  UPDATE pg_class SET relchecks = checks WHERE oid = relid_::oid;
END $body$;

CREATE OR REPLACE FUNCTION crossfade.undo(relid_ int8, was_ text, becomes_ text) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE t crossfade.tables;
BEGIN
  SELECT * INTO t FROM crossfade.tables WHERE relid = relid_;
  IF t.relid IS NULL OR NOT EXISTS (SELECT FROM pg_class WHERE oid = relid_::oid) THEN RETURN; END IF;
  IF was_ IS NULL THEN EXECUTE t.delete_row USING becomes_;
  ELSIF becomes_ IS NULL THEN PERFORM crossfade.write(relid_, t.insert_row, was_, NULL);
  ELSE PERFORM crossfade.write(relid_, t.update_row, was_, becomes_);
  END IF;
END $body$;

-- Where foreign keys cannot be switched off: what one forbids is tried again after the rest, each table in order.
CREATE OR REPLACE FUNCTION crossfade.undo_all(entries crossfade.log[]) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE entry crossfade.log; later crossfade.log[]; held int8[];
BEGIN
  WHILE cardinality(entries) > 0 LOOP
    later := '{}';
    held := '{}';
    FOREACH entry IN ARRAY entries LOOP
      IF entry.relid = ANY (held) THEN
        later := later || entry;
        CONTINUE;
      END IF;
      BEGIN
        PERFORM crossfade.undo(entry.relid, entry.was, entry.becomes);
      EXCEPTION WHEN foreign_key_violation THEN
        later := later || entry;
        held := held || entry.relid;
      END;
    END LOOP;
    IF cardinality(later) = cardinality(entries) THEN RAISE 'foreign keys forbid it'; END IF;
    entries := later;
  END LOOP;
END $body$;

CREATE OR REPLACE FUNCTION crossfade.rewind() RETURNS SETOF crossfade.log LANGUAGE plpgsql
  $SETTINGS $REPLICA SET lock_timeout = '$LOCK' AS $body$
DECLARE entry crossfade.log; entries crossfade.log[];
        free bool := current_setting('session_replication_role') = 'replica';
BEGIN
  PERFORM set_config('crossfade.quiet', 'on', true);
  FOR entry IN WITH gone AS (DELETE FROM crossfade.log RETURNING *) SELECT * FROM gone ORDER BY n DESC LOOP
    IF entry.note IS NULL THEN
      IF free THEN PERFORM crossfade.undo(entry.relid, entry.was, entry.becomes);
      ELSE entries := entries || entry;
      END IF;
    ELSIF entry.was IS NOT NULL THEN
      EXECUTE format('SELECT crossfade.undo(%s, was, NULL) FROM %s', entry.relid, entry.was);
      EXECUTE 'DROP TABLE ' || entry.was;
    END IF;
    RETURN NEXT entry;
  END LOOP;
  FOR entry IN WITH gone AS (DELETE FROM crossfade.applied RETURNING *) SELECT * FROM gone ORDER BY n DESC LOOP
    IF free THEN PERFORM crossfade.undo(entry.relid, entry.was, entry.becomes);
    ELSE entries := entries || entry;
    END IF;
  END LOOP;
  PERFORM crossfade.undo_all(entries);
END $body$;

-- Rows make way before others are written, so that unique values can change hands.
CREATE OR REPLACE FUNCTION crossfade.put(changes json, reached json) RETURNS void LANGUAGE plpgsql
  $SETTINGS $REPLICA SET lock_timeout = '$LOCK' AS $body$
DECLARE change json; t crossfade.tables; wanted text; present text; shown text; sequence record; reach int8;
        free bool := current_setting('session_replication_role') = 'replica';
        relids int8[] := '{}'; images text[] := '{}'; i int;
BEGIN
  PERFORM set_config('crossfade.quiet', 'on', true);
  FOR change IN SELECT * FROM json_array_elements(changes) LOOP
    SELECT * INTO t FROM crossfade.tables WHERE label = change->>0;
    IF t.relid IS NULL THEN RAISE EXCEPTION 'no table %', change->>0 USING ERRCODE = 'undefined_table'; END IF;
    EXECUTE t.as_record INTO wanted USING coalesce(change->>2, change->>1);
    present := NULL;
    IF t.keyed OR change->>2 IS NULL THEN EXECUTE t.find_row INTO present, shown USING wanted; END IF;
    IF change->>2 IS NULL THEN wanted := NULL; END IF;
    IF present IS NOT DISTINCT FROM wanted THEN CONTINUE; END IF;
    IF free OR wanted IS NULL THEN
      IF present IS NOT NULL THEN
        EXECUTE t.delete_row USING present;
        INSERT INTO crossfade.applied (relid, was) VALUES (t.relid, present);
      END IF;
      IF wanted IS NOT NULL THEN
        relids := relids || t.relid;
        images := images || wanted;
      END IF;
    ELSE
      IF present IS NULL THEN EXECUTE t.insert_row USING wanted;
      ELSE EXECUTE t.update_row USING wanted, present;
      END IF;
      INSERT INTO crossfade.applied (relid, was, becomes) VALUES (t.relid, present, wanted);
    END IF;
  END LOOP;
  FOR i IN 1 .. cardinality(relids) LOOP
    SELECT * INTO t FROM crossfade.tables WHERE relid = relids[i];
    PERFORM crossfade.write(t.relid, t.insert_row, images[i], NULL);
    INSERT INTO crossfade.applied (relid, becomes) VALUES (t.relid, images[i]);
  END LOOP;
  FOR sequence IN SELECT key::oid AS oid, value::int8 AS reach FROM json_each_text(reached) LOOP
    EXECUTE format('SELECT last_value FROM %s', sequence.oid::regclass) INTO reach;
    IF reach < sequence.reach THEN PERFORM setval(sequence.oid::regclass, sequence.reach); END IF;
  END LOOP;
END $body$;
"""

_EVENT_FUNCTION = """
CREATE OR REPLACE FUNCTION crossfade.remember_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog AS $body$
DECLARE command record;
BEGIN
  IF TG_EVENT = 'sql_drop' THEN
    FOR command IN SELECT * FROM pg_event_trigger_dropped_objects() WHERE original AND NOT is_temporary LOOP
      IF coalesce(command.schema_name, '') NOT IN ('crossfade', 'pg_temp') THEN
        INSERT INTO crossfade.log (note) VALUES (format('%s of `%s`', TG_TAG, command.object_identity));
      END IF;
    END LOOP;
  ELSE
    FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
      IF coalesce(command.schema_name, '') NOT IN ('crossfade', 'pg_temp')
         AND command.object_identity NOT LIKE 'crossfade.%' THEN
        INSERT INTO crossfade.log (note) VALUES (format('%s `%s`', command.command_tag, command.object_identity));
      END IF;
    END LOOP;
  END IF;
END $body$;
"""

_EVENT_TRIGGERS = """
CREATE EVENT TRIGGER crossfade_ddl ON ddl_command_end EXECUTE FUNCTION crossfade.remember_ddl();
CREATE EVENT TRIGGER crossfade_drop ON sql_drop EXECUTE FUNCTION crossfade.remember_ddl();
"""
