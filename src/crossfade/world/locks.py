"""What a PostgreSQL backend waits for and what it holds, asked on a connection of our own.

Who waits is asked with `pg_blocking_pids`, which looks at the lock table itself: `pg_stat_activity` lags behind and goes
on saying "waiting" for a while after the lock was given. A pooler between the service and PostgreSQL gives out process
ids that do not exist; then any lock that is waited for in this database counts, which is enough because only one turn is
let go at a time.
"""

from __future__ import annotations

import asyncio

import asyncpg
import msgspec

from crossfade.errors import EnvironmentFailed
from crossfade.world.database import CONNECT_TIMEOUT
from crossfade.world.lost import LOST


class Held(msgspec.Struct, frozen=True):
    """One lock of a backend: `name` is "public.accounts" or "advisory 0 42", `mode` PostgreSQL's ("RowExclusiveLock")."""

    name: str
    mode: str


class LockWatch:
    """A control connection to one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()
        self._pooled: dict[int, bool] = {}

    async def blockers(self, pid: int) -> tuple[int, ...] | None:
        """The backends `pid` waits for, () where it waits for one that is not known, None where it does not wait."""
        if await self._is_pooled(pid):
            waiting = await self._fetch(_WAITING_SQL)
            return () if waiting[0][0] else None
        found = await self._fetch("SELECT pg_blocking_pids($1)", pid)
        pids = tuple(int(other) for other in found[0][0])
        return tuple(other for other in pids if other) if pids else None

    async def held(self, pid: int) -> frozenset[Held]:
        """The locks of a backend on user tables, sequences and advisory keys; none for a backend that is not known."""
        return frozenset(Held(name, mode) for name, mode in await self._fetch(_HELD_SQL, pid))

    async def _is_pooled(self, pid: int) -> bool:
        if pid not in self._pooled:
            known = await self._fetch("SELECT count(*) FROM pg_stat_get_activity($1)", pid)
            self._pooled[pid] = not known[0][0]
        return self._pooled[pid]

    async def _fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        async with self._lock:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(self._url, timeout=CONNECT_TIMEOUT, command_timeout=30)
                return list(await self._connection.fetch(sql, *values))
            except (asyncpg.PostgresError, *LOST) as problem:
                raise EnvironmentFailed(f"the locks of a database cannot be read: {problem}") from None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


_WAITING_SQL = """
SELECT count(*) FROM pg_locks w
 WHERE NOT w.granted AND w.pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())
"""

# Relations of users, without indexes (their locks follow those of the table) and without the undo log's own.
_HELD_SQL = """
SELECT coalesce(CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE '' END || n.nspname || '.' || c.relname,
                concat_ws(' ', 'advisory', l.classid, l.objid, l.objsubid)), l.mode
  FROM pg_locks l LEFT JOIN pg_class c ON l.locktype = 'relation' AND c.oid = l.relation
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE l.pid = $1 AND l.granted
   AND (l.locktype = 'advisory'
        OR (c.relkind NOT IN ('i', 'I', 't') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'crossfade')
            AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'))
"""
