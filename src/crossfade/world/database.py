"""One PostgreSQL database of one environment: its connection, its undo log, its migrations, its content.

Every wait has an end; a server that is gone becomes EnvironmentFailed.
"""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from crossfade.errors import EnvironmentFailed
from crossfade.model.history import LoggedChange, RowChange
from crossfade.world import sqltext, undo
from crossfade.world.migrations import MigrationFailed

CONNECT_TIMEOUT = 10.0
COMMAND_TIMEOUT = 60.0
MIGRATION_TIMEOUT = 600.0
VACUUM_EVERY = 300  # rewinds
_GONE = (
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its connection was lost between two states
    ConnectionError,
    OSError,
    TimeoutError,
)
# Statements that must stand alone, and a new enum value that is used before it is committed.
_ALONE = (asyncpg.ActiveSQLTransactionError, asyncpg.UnsafeNewEnumValueUsageError)

Note = Callable[[str], None]


class Logged(msgspec.Struct, frozen=True):
    """What the undo log told: changes (oldest first), what it cannot tell, and whether the base is back."""

    changes: tuple[LoggedChange, ...]
    notes: tuple[str, ...] = ()
    restored: bool = True


class Link(msgspec.Struct, frozen=True):
    """A foreign key: `columns` of a table hold the `key` columns of `table`."""

    columns: tuple[str, ...]
    table: str
    key: tuple[str, ...]


class PostgresDatabase:
    """`url` is what the services get; `name` the name in the contract."""

    def __init__(self, name: str, url: str, real_name: str, note: Note) -> None:
        self.name = name
        self.url = url
        self.real_name = real_name
        self._note = note
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()
        self._superuser = True
        self._tracked: dict[int, undo.Table] = {}
        self._paused = False
        self._rewinds = 0

    # ── the undo log ────────────────────────────────────────────────────────

    async def checkpoint(self) -> None:
        """Present content is the base: the log is forgotten, tables that are new are put under it."""
        async with self._connected("set a checkpoint in") as connection:
            await self._number_sequences(connection)
            await connection.reload_schema_state()  # prepared statements from before a migration do not fit any more
            installed = await connection.fetchval("SELECT to_regclass('crossfade.log') IS NOT NULL")
            tables = undo.tables_from(await connection.fetch(undo.TABLES_SQL))
            known = self._tracked if installed else {}
            install = undo.resume_sql if installed else undo.install_sql
            script = "" if installed and not self._paused else install(self._superuser, self._superuser)
            version = connection.get_server_version().major
            script += "".join(
                undo.track_sql(table, version) for oid, table in tables.items() if known.get(oid) != table
            )
            # DDL of our own is noted by the event trigger as well, so forgetting comes last
            await self._patiently(connection, script + "\nTRUNCATE crossfade.log, crossfade.applied;")
            self._tracked, self._paused = tables, False

    async def rewind(self) -> Logged:
        """What was logged since the checkpoint; then the base is back."""
        async with self._connected("reset") as connection:
            try:
                records = await self._insisting(connection, "SELECT * FROM crossfade.rewind()")
            except asyncpg.PostgresError as problem:
                _raise_unless_gone(problem)
                records = await connection.fetch("SELECT * FROM crossfade.log ORDER BY n")
                changes, notes = undo.logged(_timed(records), self._tracked, self.name)
                return Logged(tuple(changes), (*notes, f"`{self.name}` could not be reset: {problem}"), False)
            records.reverse()
            changes, notes = undo.logged(_timed(records), self._tracked, self.name)
            restored = True
            if notes:
                altered = await self._drop_strangers(connection)
                restored = not altered
                notes += altered
            self._rewinds += 1
            if self._rewinds % VACUUM_EVERY == 0:
                touched = sorted({record["relid"] for record in records if record["relid"] in self._tracked})
                for place in ["crossfade.log", "crossfade.applied", *(self._tracked[oid].sql for oid in touched)]:
                    await connection.execute(f"VACUUM {place}")
            return Logged(tuple(changes), tuple(notes), restored)

    async def changes(self) -> Logged:
        async with self._connected("read the changes of") as connection:
            records = await connection.fetch("SELECT * FROM crossfade.log ORDER BY n")
            changes, notes = undo.logged(_timed(records), self._tracked, self.name)
            return Logged(tuple(changes), tuple(notes))

    async def apply(self, rows: Sequence[RowChange]) -> None:
        """Writes the after-images (removes rows that have none). The next rewind takes them away again."""
        if not rows:
            return
        async with self._connected("write to") as connection:
            await self._insisting(connection, "SELECT crossfade.put($1, $2)", *self._putting(rows))

    async def put_each(self, groups: Sequence[Sequence[RowChange]]) -> list[str]:
        """Like `apply` for several groups, each alone in a savepoint: "" or why it could not be written. Needs no
        checkpoint, leaves nothing of the undo log behind, and nothing will take it back."""
        async with self._connected("write to") as connection:
            self._tracked = undo.tables_from(await connection.fetch(undo.TABLES_SQL))
            needed = {change.table for group in groups for change in group}
            script = undo.install_sql(replica=self._superuser, events=False)
            script += "".join(undo.known_sql(table) for table in self._tracked.values() if table.label in needed)
            await connection.execute(script)
            problems = []
            for group in groups:
                try:
                    async with connection.transaction():
                        await connection.fetchval("SELECT crossfade.put($1, $2)", *self._putting(group))
                    problems.append("")
                except asyncpg.PostgresError as problem:
                    _raise_unless_gone(problem)
                    problems.append(str(problem))
            await connection.execute(undo.UNINSTALL_PLAIN_SQL)
            return problems

    async def release(self) -> None:
        """The undo log stops until the next checkpoint, without a lock on any table."""
        async with self._connected("prepare") as connection:
            if await connection.fetchval("SELECT to_regclass('crossfade.log') IS NOT NULL"):
                await connection.execute(undo.PAUSE_SQL + (undo.PAUSE_EVENTS_SQL if self._superuser else ""))
                await connection.execute("DELETE FROM crossfade.log")
            self._paused = True

    async def open_transactions(self) -> int:
        """How many sessions keep a transaction open without doing anything in it."""
        async with self._connected("look at") as connection:
            return int(await connection.fetchval(_OPEN_TRANSACTIONS_SQL))

    async def remove_log(self) -> None:
        """Leaves nothing of the undo log behind; needs a lock on every table."""
        async with self._connected("prepare") as connection:
            await self._patiently(connection, undo.UNINSTALL_SQL if self._superuser else undo.UNINSTALL_PLAIN_SQL)
            self._tracked, self._paused = {}, False

    def _putting(self, rows: Sequence[RowChange]) -> tuple[str, str]:
        labels = {table.label: table for table in self._tracked.values()}
        reached: dict[str, int] = {}
        for row in rows:
            table = labels.get(row.table)
            if table is None or row.after is None or not table.sequences:
                continue
            fields = msgspec.json.decode(row.after)
            for column, sequence in table.sequences:
                value = fields.get(column)
                if isinstance(value, int):
                    reached[str(sequence)] = max(value, reached.get(str(sequence), value))
        # removed rows last, and children before their parents: it matters where foreign keys stay in force
        written = [row for row in rows if row.after is not None]
        removed = [row for row in reversed(rows) if row.after is None]
        changes = [
            [row.table, row.before, row.after]
            for row in ([*removed, *written] if self._superuser else [*written, *removed])
        ]
        return msgspec.json.encode(changes).decode(), msgspec.json.encode(reached).decode()

    async def _drop_strangers(self, connection: asyncpg.Connection) -> list[str]:
        """Tables that services made since the checkpoint go away again. Other DDL cannot be taken back."""
        tables = undo.tables_from(await connection.fetch(undo.TABLES_SQL))
        notes = []
        for oid, table in tables.items():
            if oid not in self._tracked:
                await self._patiently(connection, f"DROP TABLE IF EXISTS {table.sql} CASCADE")
            elif table != self._tracked[oid]:
                notes.append(f"`{table.label}` was altered and stays so")
        notes += [f"`{table.label}` is gone" for oid, table in self._tracked.items() if oid not in tables]
        await connection.execute("DELETE FROM crossfade.log WHERE note IS NOT NULL")
        return notes

    # ── migrations and queries ──────────────────────────────────────────────

    async def run_sql(self, text: str, file: str) -> None:
        """Runs the statements of a file as one transaction, or one by one where a statement has to stand alone. Raises
        MigrationFailed with "file:line: message"."""
        text = sqltext.without_psql_lines(text)
        async with self._connected("migrate") as connection:
            try:
                await self._script(connection, text, file)
            finally:
                with contextlib.suppress(asyncpg.PostgresError, *_GONE):
                    await connection.execute("ROLLBACK")
                    await connection.reset()
                    await connection.reload_schema_state()
                    await self._settings(connection)
            await self._number_sequences(connection)

    async def _script(self, connection: asyncpg.Connection, text: str, file: str) -> None:
        try:
            await connection.execute(text, timeout=MIGRATION_TIMEOUT)
            return
        except _ALONE:
            await connection.execute("ROLLBACK")
        except asyncpg.PostgresError as problem:
            _raise_unless_gone(problem)
            raise MigrationFailed(_located(problem, text, 0, file)) from None
        for offset, statement in sqltext.statements(text):
            try:
                await connection.execute(statement, timeout=MIGRATION_TIMEOUT)
            except asyncpg.PostgresError as problem:
                _raise_unless_gone(problem)
                raise MigrationFailed(_located(problem, text, offset, file)) from None

    async def rows(self, sql: str) -> list[list[Any]]:
        """The rows of a query as JSON-representable values. Raises MigrationFailed with PostgreSQL's message where the
        query itself is wrong."""
        async with self._connected("query") as connection:
            try:
                async with connection.transaction(readonly=True):
                    return [[_plain(value) for value in record.values()] for record in await connection.fetch(sql)]
            except asyncpg.PostgresError as problem:
                _raise_unless_gone(problem)
                raise MigrationFailed(str(problem)) from None

    async def end_blockers(self, patience: float) -> int:
        """Ends sessions that keep a transaction open without doing anything while others have waited for them for
        `patience` seconds; how many there were. Works beside a statement of ours that is one of those who wait."""
        try:
            connection = await asyncpg.connect(self.url, timeout=CONNECT_TIMEOUT, command_timeout=COMMAND_TIMEOUT)
        except (asyncpg.PostgresError, *_GONE):
            return 0
        try:
            return int(await connection.fetchval(_BLOCKERS_SQL, patience) or 0)
        except (asyncpg.PostgresError, *_GONE):
            return 0
        finally:
            connection.terminate()

    # ── content ─────────────────────────────────────────────────────────────

    async def fingerprint(self) -> str:
        """A hash over the catalog (without the undo log's own objects) and all rows. Sequences do not count."""
        async with self._connected("read") as connection:
            catalog = await connection.fetch(_CATALOG_SQL)
        digest = hashlib.sha256(repr([tuple(record) for record in catalog]).encode())
        digest.update(repr(sorted((await self.sums(buckets=1)).items())).encode())
        return digest.hexdigest()

    async def tables(self) -> dict[str, undo.Table]:
        async with self._connected("read") as connection:
            found = undo.tables_from(await connection.fetch(undo.TABLES_SQL))
        return {table.label: table for table in found.values()}

    async def sums(
        self, buckets: int, tables: Mapping[str, undo.Table] | None = None
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """For each table and bucket of its rows (by a hash of the key): how many rows, and the sum of their hashes."""
        tables = await self.tables() if tables is None else tables
        found: dict[tuple[str, int], tuple[int, int]] = {}
        async with self._connected("read") as connection:
            for part in _chunks(list(tables.values()), 100):
                sql = " UNION ALL ".join(
                    f"SELECT {undo.literal(table.label)}, {_bucket(table, buckets)}, count(*), "
                    f"sum(hashtextextended(x::text, 0)) FROM ONLY {table.sql} x GROUP BY 2"
                    for table in part
                )
                for label, bucket, count, total in await connection.fetch(sql) if sql else ():
                    found[label, bucket] = (count, int(total))
        return found

    async def images(self, table: undo.Table, wanted: Sequence[int], buckets: int) -> list[str]:
        """The rows in some buckets as JSON texts."""
        async with self._connected("read") as connection:
            sql = f"SELECT {table.image('x')} FROM ONLY {table.sql} x WHERE {_bucket(table, buckets)} = ANY($1::int[])"
            return [record[0] for record in await connection.fetch(sql, list(wanted))]

    async def number_sequences(self) -> None:
        async with self._connected("prepare") as connection:
            await self._number_sequences(connection)

    async def move_sequences(self) -> None:
        """Moves every sequence to the same place within the next million."""
        async with self._connected("prepare") as connection:
            await connection.execute(_NEXT_MILLION_SQL)

    async def links(self) -> dict[str, list[Link]]:
        """The foreign keys of each table."""
        async with self._connected("read") as connection:
            records = await connection.fetch(_LINKS_SQL)
        found: dict[str, list[Link]] = {}
        for child, columns, parent, key in records:
            found.setdefault(child, []).append(Link(tuple(columns), parent, tuple(key)))
        return found

    async def _number_sequences(self, connection: asyncpg.Connection) -> None:
        await connection.execute(_SEQUENCES_SQL)

    # ── the connection ──────────────────────────────────────────────────────

    async def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with contextlib.suppress(Exception):
                await connection.close(timeout=2)
            connection.terminate()

    @contextlib.asynccontextmanager
    async def _connected(self, doing: str) -> AsyncIterator[asyncpg.Connection]:
        async with self._lock:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(
                        self.url, timeout=CONNECT_TIMEOUT, command_timeout=COMMAND_TIMEOUT, ssl=None
                    )
                    self._superuser = await self._connection.fetchval(
                        "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
                    )
                    await self._settings(self._connection)
                yield self._connection
            except _GONE as problem:
                reason = str(problem) or type(problem).__name__
                raise EnvironmentFailed(
                    f"database `{self.name}` died or no longer answers: {reason.splitlines()[0]}",
                    hint=f"could not {doing} it; its log is with the logs of this run",
                ) from None
            except asyncpg.PostgresError as problem:
                raise EnvironmentFailed(f"could not {doing} database `{self.name}`: {problem}") from None

    async def _settings(self, connection: asyncpg.Connection) -> None:
        await connection.execute("SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'")

    async def _patiently(self, connection: asyncpg.Connection, script: str) -> None:
        """DDL of ours, which waits for the services' locks; what holds them for too long is ended."""
        await self._insisting(connection, f"SET LOCAL lock_timeout = '{undo.LOCK_TIMEOUT}'; {script}", script=True)

    async def _insisting(self, connection: asyncpg.Connection, sql: str, *args: Any, script: bool = False) -> list[Any]:
        """Runs `sql`; sessions that hold a lock in its way are ended: first those idle in a transaction, then all."""
        for attempt in range(4):
            try:
                if script:
                    await connection.execute(sql)
                    return []
                return list(await connection.fetch(sql, *args))
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                if attempt == 3:
                    raise
                state = "AND state LIKE 'idle in transaction%'" if attempt == 0 else ""
                ended = await connection.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
                    f" AND pid <> pg_backend_pid() AND backend_type = 'client backend' {state}"
                )
                if ended:
                    kept = "an open transaction" if attempt == 0 else "a lock"
                    self._note(f"ended {ended} connection(s) to `{self.name}` that kept {kept} between two runs")
                await asyncio.sleep(0.02)
        raise AssertionError("not reached")


def _raise_unless_gone(problem: asyncpg.PostgresError) -> None:
    if isinstance(problem, _GONE):
        raise problem


def _located(problem: asyncpg.PostgresError, text: str, offset: int, file: str) -> str:
    position = getattr(problem, "position", None)
    line = sqltext.line_at(text, offset + int(position) - 1) if position else None
    if line is None and offset:
        line = sqltext.line_at(text, offset)
    place = f"{file}:{line}" if line else file
    detail = "".join(f" ({part})" for part in (getattr(problem, "detail", None),) if part)
    return f"{place}: {problem.args[0] if problem.args else problem}{detail}"


def _timed(records: Sequence[Any]) -> list[dict[str, Any]]:
    return [{**dict(record), "at": record["at"].timestamp()} for record in records]


def _bucket(table: undo.Table, buckets: int) -> str:
    """SQL for the bucket of row `x`."""
    if buckets <= 1:
        return "0"
    columns = ", ".join(f"x.{undo.quoted(name)}" for name in table.key) if table.key else "x.*"
    return f"(hashtextextended(ROW({columns})::text, 0) & {buckets - 1})::int"


def _chunks(items: list[undo.Table], size: int) -> list[list[undo.Table]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, asyncpg.Record):
        return [_plain(item) for item in value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def read_sql(folder: Path, path: str) -> str:
    return (folder / path).read_text(encoding="utf-8-sig")


_USER = (
    "NOT IN ('pg_catalog', 'information_schema', 'crossfade', 'pg_toast') AND {0} NOT LIKE 'pg\\_temp%'"
    " AND {0} NOT LIKE 'pg\\_toast%'"
)
_IN_USER_SCHEMA = f"n.nspname {_USER.format('n.nspname')}"

_CATALOG_SQL = f"""
SELECT 'class' AS kind, n.nspname::text AS a, c.relname::text AS b, c.relkind::text AS c,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid)
            WHEN c.relkind IN ('i', 'I') THEN pg_get_indexdef(c.oid) END AS d
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_IN_USER_SCHEMA}
UNION ALL SELECT 'column', n.nspname, c.relname, a.attname, concat_ws(' ', a.attnum,
       format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       pg_get_expr(d.adbin, d.adrelid))
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE {_IN_USER_SCHEMA} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
UNION ALL SELECT 'constraint', n.nspname, coalesce(c.conrelid::regclass::text, ''), c.conname,
       pg_get_constraintdef(c.oid)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE {_IN_USER_SCHEMA}
UNION ALL SELECT 'function', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid), p.prosrc
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_IN_USER_SCHEMA}
UNION ALL SELECT 'trigger', '', t.tgrelid::regclass::text, t.tgname, pg_get_triggerdef(t.oid)
  FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgname NOT LIKE 'zz\\_crossfade%'
UNION ALL SELECT 'enum', '', e.enumtypid::regtype::text, e.enumlabel, e.enumsortorder::text FROM pg_enum e
UNION ALL SELECT 'extension', '', x.extname, x.extversion, '' FROM pg_extension x
ORDER BY 1, 2, 3, 4, 5
"""

# Sequences that still stand below 1,000 move to a start of their own, so that an id tells which table it is from.
_SEQUENCES_SQL = f"""
DO $body$
DECLARE s record; last int8; reached int8; probe text; k int := 0; start int8;
BEGIN
  FOR s IN SELECT c.oid, q.seqmax, n.nspname, c.relname FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_IN_USER_SCHEMA} AND q.seqincrement > 0 AND NOT q.seqcycle AND c.relpersistence <> 't'
            ORDER BY n.nspname, c.relname LOOP
    EXECUTE format('SELECT last_value FROM %I.%I', s.nspname, s.relname) INTO last;
    IF last >= 1000 THEN k := k + 1; END IF;
  END LOOP;
  FOR s IN SELECT c.oid, q.seqmax, n.nspname, c.relname FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_IN_USER_SCHEMA} AND q.seqincrement > 0 AND NOT q.seqcycle AND c.relpersistence <> 't'
            ORDER BY n.nspname, c.relname LOOP
    EXECUTE format('SELECT last_value FROM %I.%I', s.nspname, s.relname) INTO last;
    IF last >= 1000 THEN CONTINUE; END IF;
    start := 41173 + 7919 * k;
    k := k + 1;
    SELECT format('SELECT coalesce(max(%I), 0)::int8 FROM %s', a.attname, d.refobjid::regclass) INTO probe
      FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i') LIMIT 1;
    reached := 0;
    IF probe IS NOT NULL THEN EXECUTE probe INTO reached; END IF;
    start := greatest(start, reached + 1);
    IF start < s.seqmax / 2 THEN PERFORM setval(s.oid::regclass, start, false); END IF;
  END LOOP;
END $body$;
"""

_BLOCKERS_SQL = """
SELECT count(pg_terminate_backend(holder.pid)) FROM pg_stat_activity holder
 WHERE holder.datname = current_database() AND holder.state LIKE 'idle in transaction%'
   AND EXISTS (SELECT FROM pg_stat_activity waiter
                WHERE waiter.datname = current_database() AND waiter.wait_event_type = 'Lock'
                  AND waiter.query_start < clock_timestamp() - make_interval(secs => $1)
                  AND holder.pid = ANY (pg_blocking_pids(waiter.pid)))
"""

_OPEN_TRANSACTIONS_SQL = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""

_NEXT_MILLION_SQL = f"""
DO $body$
DECLARE s record; last int8; k int := 0; target int8;
BEGIN
  FOR s IN SELECT c.oid, q.seqmax, n.nspname, c.relname FROM pg_sequence q JOIN pg_class c ON c.oid = q.seqrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE {_IN_USER_SCHEMA} AND q.seqincrement > 0 AND NOT q.seqcycle AND c.relpersistence <> 't'
            ORDER BY n.nspname, c.relname LOOP
    EXECUTE format('SELECT last_value FROM %I.%I', s.nspname, s.relname) INTO last;
    target := (last / 1000000 + 1) * 1000000 + 41173 + 7919 * (k % 100);
    k := k + 1;
    IF target < s.seqmax / 2 THEN PERFORM setval(s.oid::regclass, target, false); END IF;
  END LOOP;
END $body$;
"""

_LINKS_SQL = """
SELECT format('%s.%s', n.nspname, c.relname), f.ours, format('%s.%s', m.nspname, p.relname), f.theirs
  FROM (SELECT conrelid, confrelid,
               ARRAY(SELECT a.attname::text FROM unnest(conkey, confkey) WITH ORDINALITY u(k, r, place)
                     JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = u.k ORDER BY u.r) AS ours,
               ARRAY(SELECT a.attname::text FROM unnest(conkey, confkey) WITH ORDINALITY u(k, r, place)
                     JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = u.r ORDER BY u.r) AS theirs
          FROM pg_constraint WHERE contype = 'f') f
  JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace m ON m.oid = p.relnamespace
"""
