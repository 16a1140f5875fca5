"""All databases of one environment as one thing: their URLs, what a run changed in them, and the way back."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from crossfade.errors import ContractError
from crossfade.model.history import Delta, KeyChange, LoggedChange, RowChange
from crossfade.world.database import PostgresDatabase
from crossfade.world.migrations import MigrationFailed
from crossfade.world.postgres import PostgresServer
from crossfade.world.redis import RedisStore

T = TypeVar("T")
U = TypeVar("U")
BLOCKED_FOR = 2.0  # seconds


class Changes(msgspec.Struct, frozen=True):
    """What happened since the checkpoint. `log` holds every row change in order (per database), without what `apply`
    wrote; `keys` is the whole difference of Redis to the base, applied keys included. `notes` says why `complete` is
    false: something was done that neither can tell."""

    log: tuple[LoggedChange, ...] = ()
    keys: tuple[KeyChange, ...] = ()
    complete: bool = True
    notes: tuple[str, ...] = ()
    restored: bool = True  # false: the base could not be brought back; go on in a new environment

    def delta(self, onto: Delta | None = None) -> Delta:
        """The net change, rows in the order they were first touched; `onto` is the delta that was applied before the
        run. Rows that ended as they began are left out. Where the key is the whole row (no primary key) several
        entries with one key are several rows."""
        start = onto or Delta()
        slots: dict[tuple[str, str, str], list[RowChange]] = {}
        for row in start.rows:
            slots.setdefault((row.database, row.table, row.key), []).append(row)
        for entry in self.log:
            change = RowChange(entry.database, entry.table, entry.key, entry.before, entry.after, entry.at)
            _merge(slots.setdefault((entry.database, entry.table, entry.key), []), change)
        rows = (row for slot in slots.values() for row in slot)
        kept = tuple(row for row in rows if row.before != row.after)
        return Delta(kept, self.keys, self.complete and start.complete)


def _merge(slot: list[RowChange], change: RowChange) -> None:
    """Adds one change to the net changes of a key: it continues the one whose outcome it started from."""
    for index, row in enumerate(slot):
        if row.after == change.before and row.before != row.after:
            slot[index] = msgspec.structs.replace(row, after=change.after, at=change.at)
            return
    slot.append(change)


class Stores:
    """The databases of one environment. Every method raises EnvironmentFailed when a server is gone."""

    def __init__(
        self,
        label: str,
        databases: Mapping[str, PostgresDatabase],
        caches: Mapping[str, RedisStore],
        servers: Mapping[str, PostgresServer],
        order: Sequence[str],
        folder: Path,
        note: Callable[[str], None],
        given: Mapping[str, str] | None = None,
    ) -> None:
        """`given`: names and addresses of stores that are used as they are: nothing is seen of them or taken back."""
        self.label = label
        self.databases = dict(databases)
        self.caches = dict(caches)
        self.urls = {name: (self.databases.get(name) or self.caches[name]).url for name in order}
        self.urls |= given or {}
        self._unseen = bool(given)
        self._servers = dict(servers)
        self._folder = folder
        self._note = note
        self._ahead = False  # sequences were moved for the migration that comes next

    async def checkpoint(self) -> None:
        """The present content is the base from now on. Puts new tables under the undo log."""
        self._ahead = False
        await all_of(*(database.checkpoint() for database in self.databases.values()))
        await all_of(*(cache.checkpoint() for cache in self.caches.values()))

    async def rewind(self) -> Changes:
        """What changed since the checkpoint, and back to it."""
        return await self._collected("rewind")

    async def changes(self) -> Changes:
        """What changed since the checkpoint; nothing is touched."""
        return await self._collected("changes")

    async def apply(self, delta: Delta) -> None:
        """Writes a delta onto the base. The log of the run that follows is without it; the next rewind removes it."""
        databases = (
            database.apply([row for row in delta.rows if row.database == name])
            for name, database in self.databases.items()
        )
        caches = (
            cache.apply([key for key in delta.keys if key.database == name]) for name, cache in self.caches.items()
        )
        await all_of(*databases, *caches)

    async def release(self) -> None:
        """To be called before every migration, in every environment: the undo log stops, and the sequences move to the
        next million, so that rows a migration inserts have the same ids everywhere, whatever ran before. A second
        call changes nothing; `run_sql` calls it where it was forgotten."""
        await all_of(*(database.release() for database in self.databases.values()))
        if not self._ahead:
            await all_of(*(database.move_sequences() for database in self.databases.values()))
            self._ahead = True

    async def run_sql(self, paths: Sequence[str], database: str | None = None) -> None:
        """A `sql` migration: files below the contract's folder. Raises MigrationFailed("file:line: message")."""
        store = self._one(database)
        if not self._ahead:
            await self.release()
        for path in paths:
            try:
                text = (self._folder / path).read_text(encoding="utf-8-sig")
            except OSError as problem:
                raise MigrationFailed(f"{path}: {problem.strerror}") from None
            except UnicodeDecodeError:
                raise MigrationFailed(f"{path}: is not UTF-8") from None
            async with self.unblocking(self._note):
                await store.run_sql(text, path)

    async def number_sequences(self) -> None:
        """Moves new sequences to a recognisable start; also part of `run_sql`, `checkpoint` and `save_template`."""
        await all_of(*(database.number_sequences() for database in self.databases.values()))

    async def rows(self, sql: str, database: str | None = None) -> list[list[Any]]:
        """The rows of a query as JSON-like values. Raises MigrationFailed when the query itself is wrong."""
        return await self._one(database).rows(sql)

    async def fingerprint(self) -> str:
        """A hash over catalogs and contents: equal exactly when nothing visible was changed."""
        parts = await all_of(*(database.fingerprint() for database in self.databases.values()))
        parts += await all_of(*(cache.fingerprint() for cache in self.caches.values()))
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    @contextlib.asynccontextmanager
    async def unblocking(self, note: Callable[[str], None]) -> AsyncIterator[None]:
        """While a migration runs inside: sessions of services that keep a transaction open without doing anything, and
        so make it wait for more than two seconds, are ended. (`run_sql` does this itself.)"""
        over = asyncio.Event()
        watcher = asyncio.create_task(self._unblock(note, over))
        try:
            yield
        finally:
            over.set()  # not cancelled: what was just ended is still told
            await watcher

    async def _unblock(self, note: Callable[[str], None], over: asyncio.Event) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1.0)
            if over.is_set():
                return
            for name, database in self.databases.items():
                if ended := await database.end_blockers(BLOCKED_FOR):
                    note(f"ended {ended} idle transaction(s) in `{name}` that a migration waited for")

    async def disconnect(self) -> None:
        await all_of(*(database.disconnect() for database in self.databases.values()))

    async def drop(self) -> None:
        """Removes the databases. Whoever is connected is thrown out."""
        for name, database in self.databases.items():
            await database.disconnect()
            await self._servers[name].drop(database.real_name)
        for cache in self.caches.values():
            await cache.close()

    async def _collected(self, what: str) -> Changes:
        databases, caches = list(self.databases.values()), list(self.caches.values())
        if what == "rewind":
            logs, keys = await _both(
                all_of(*(database.rewind() for database in databases)), all_of(*(cache.rewind() for cache in caches))
            )
        else:
            logs, keys = await _both(
                all_of(*(database.changes() for database in databases)), all_of(*(cache.changes() for cache in caches))
            )
        notes = tuple(note for log in logs for note in log.notes)
        return Changes(
            log=tuple(change for log in logs for change in log.changes),
            keys=tuple(key for part in keys for key in part),
            complete=not notes and not self._unseen,
            notes=notes,
            restored=all(log.restored for log in logs),
        )

    def _one(self, name: str | None) -> PostgresDatabase:
        if name is not None and name in self.databases:
            return self.databases[name]
        if name is None and len(self.databases) == 1:
            return next(iter(self.databases.values()))
        raise ContractError(
            f"unknown PostgreSQL database `{name}`" if name else "it is not clear which PostgreSQL database is meant",
            hint="one of: " + ", ".join(self.databases) if self.databases else "the contract has none",
        )


async def all_of(*work: Awaitable[T]) -> list[T]:
    """The results of all, in order. One piece of work needs no task."""
    if len(work) <= 1:
        return [await piece for piece in work]
    tasks = [asyncio.ensure_future(piece) for piece in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _both(first: Awaitable[T], second: Awaitable[U]) -> tuple[T, U]:
    one, other = await asyncio.gather(first, second)
    return one, other
