"""The database servers of a run: found, started or attached together, and gone when the run is over.

Environments get databases of their own on these servers: from the contract's schema files, or as copies of a template
(a database that was saved at some point of the ramp).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from crossfade.errors import ContractError, CrossfadeError, EnvironmentFailed
from crossfade.model.contract import Database
from crossfade.world import postgres, redis
from crossfade.world.children import Ledger
from crossfade.world.database import PostgresDatabase
from crossfade.world.finishing import finished
from crossfade.world.migrations import MigrationFailed
from crossfade.world.postgres import PostgresServer
from crossfade.world.redis import RedisServer, Snapshot
from crossfade.world.stores import Stores

PRISTINE = "schema"  # the template made of the contract's schema files


@contextlib.asynccontextmanager
async def open_servers(
    databases: Sequence[Database],
    folder: Path,
    work: Path,
    logs: Path,
    ledger: Ledger,
    run_id: str,
    note: Callable[[str], None],
) -> AsyncIterator[Servers]:
    """Every server the contract needs, ready. All of it is stopped and removed on the way out, whatever the way."""
    servers = Servers(databases, folder, run_id, note)
    try:
        await servers._open(work, logs, ledger)
        yield servers
    finally:
        await finished(servers._close())


class Servers:
    """`description` tells for each database of the contract what runs it, for the report."""

    def __init__(self, databases: Sequence[Database], folder: Path, run_id: str, note: Callable[[str], None]) -> None:
        self.description: dict[str, str] = {}
        self._databases = tuple(database for database in databases if database.kind != "mysql")
        self._as_they_are = {d.name: d.url or "" for d in databases if d.kind == "mysql"}
        self._folder = folder
        self._run = re.sub(r"[^a-z0-9]+", "", run_id.lower())[:16] or "run"
        self._note = note
        self._postgres: dict[str, PostgresServer] = {}
        self._redis: dict[str, RedisServer] = {}  # given by the contract
        self._own_redis: list[RedisServer] = []  # one for each environment that is alive
        self._launch_redis: Callable[[], Awaitable[RedisServer]] | None = None
        self._templates: dict[str, dict[str, str | Snapshot]] = {}
        self._cloning = asyncio.Lock()
        self._stores: list[Stores] = []
        self._number = 0
        self.kept: dict[tuple[str, str, bool], object] = {}  # what `carry` learned of a migration between two templates

    async def create(self, label: str, template: str | None = None, caches: bool = True) -> Stores:
        """Fresh databases for one environment: the contract's schema, or a copy of a saved template. Without `caches`
        it has no Redis."""
        async with self._cloning:
            if template is None and PRISTINE not in self._templates:
                await self._load_schema()
            return await self._copy(label, self._templates[template or PRISTINE], caches)

    async def save_template(self, stores: Stores, name: str) -> None:
        """`stores` become the template `name` and cannot be used any more; whoever is connected is thrown out."""
        async with self._cloning:
            saved: dict[str, str | Snapshot] = {}
            for database, cache in stores.caches.items():
                saved[database] = await cache.snapshot()
                await cache.close()
            for database, store in stores.databases.items():
                await store.remove_log()
                await store.number_sequences()
                await store.disconnect()
                real = self._real_name(f"t{len(self._templates)}_{name}", database)
                await self._postgres[database].rename(store.real_name, real)
                saved[database] = real
            self._templates[name] = saved
            if stores in self._stores:
                self._stores.remove(stores)

    async def drop_template(self, name: str) -> None:
        for database, saved in self._templates.pop(name, {}).items():
            if isinstance(saved, str):
                await self._postgres[database].drop(saved)

    async def alive(self) -> str | None:
        """None while every server runs; otherwise which died and how."""
        caches = [database.name for database in self._databases if database.kind != "postgres"]
        running: list[tuple[str, PostgresServer | RedisServer]] = [*self._postgres.items(), *self._redis.items()]
        running += [(name, server) for name in caches[:1] for server in self._own_redis]
        for name, server in running:
            if reason := server.died():
                return f"database `{name}` died: {reason}"
        return None

    async def _open(self, work: Path, logs: Path, ledger: Ledger) -> None:
        own: dict[str, PostgresServer] = {}
        self._launch_redis = lambda: redis.launch(work, logs, ledger)
        for name, url in self._as_they_are.items():
            await _reachable(name, url)
            self.description[name] = f"MySQL at {urlsplit(url).hostname}, used as it is"
        for database in self._databases:
            if database.kind == "postgres":
                if database.url:
                    server = await postgres.attach(database.name, database.url, ledger, self._note)
                elif (wanted := database.version or "") in own:
                    server = own[wanted]
                else:
                    server = own[wanted] = await postgres.launch(database.version, work, logs, ledger, self._note)
                self._postgres[database.name] = server
                self.description[database.name] = server.description
            else:
                if database.url:
                    store = self._redis[database.name] = await redis.attach(database.name, database.url, ledger)
                else:
                    store = await self._idle_redis(database.name)
                self.description[database.name] = store.description

    async def _idle_redis(self, name: str) -> RedisServer:
        """A server for a store of the database `name`, started where none is idle."""
        if name in self._redis:
            return self._redis[name]
        for server in self._own_redis:
            if server.idle:
                return server
        assert self._launch_redis is not None
        self._own_redis.append(await self._launch_redis())
        return self._own_redis[-1]

    async def _load_schema(self) -> None:
        saved: dict[str, str | Snapshot] = {}
        for database in self._databases:
            if database.kind != "postgres":
                saved[database.name] = {}
                continue
            server = self._postgres[database.name]
            real = self._real_name("schema", database.name)
            await server.create(real)
            store = PostgresDatabase(database.name, server.url(real), real, self._note)
            try:
                for path in database.schema:
                    await store.run_sql(_read(self._folder, path, database), path)
                await store.number_sequences()
            except MigrationFailed as problem:
                place, _, reason = problem.message.partition(": ")
                raise ContractError(
                    f"the schema of database `{database.name}` cannot be loaded: {reason}", where=place
                ) from None
            finally:
                await store.disconnect()
            saved[database.name] = real
        self._templates[PRISTINE] = saved

    async def _copy(self, label: str, template: dict[str, str | Snapshot], with_caches: bool) -> Stores:
        self._number += 1
        databases: dict[str, PostgresDatabase] = {}
        caches = {}
        for database in self._databases:
            saved = template[database.name]
            if isinstance(saved, str):
                server = self._postgres[database.name]
                real = self._real_name(f"{self._number}_{label}", database.name)
                await server.create(real, saved)
                databases[database.name] = PostgresDatabase(database.name, server.url(real), real, self._note)
            elif with_caches:
                cache = (await self._idle_redis(database.name)).store(database.name)
                await cache.fill(saved)
                caches[database.name] = cache
        order = [database.name for database in self._databases if with_caches or database.kind == "postgres"]
        stores = Stores(label, databases, caches, self._postgres, order, self._folder, self._note, self._as_they_are)
        self._stores.append(stores)
        return stores

    def _real_name(self, label: str, database: str) -> str:
        """A name of at most 63 characters that tells whose it is."""
        parts = (re.sub(r"[^a-z0-9_]+", "_", part.lower())[:16] for part in (label, database))
        return "_".join((f"crossfade_{self._run}", *parts))[:63]

    async def _close(self) -> None:
        for stores in self._stores:
            for database in stores.databases.values():
                await database.disconnect()
            for cache in stores.caches.values():
                await cache.close()
        running: list[PostgresServer | RedisServer] = [*self._postgres.values(), *self._redis.values()]
        running += self._own_redis
        for server in {id(server): server for server in running}.values():
            with contextlib.suppress(CrossfadeError):
                await server.close()


async def _reachable(name: str, url: str) -> None:
    """Somebody listens at the address of a MySQL; whether the name and the password are right, the services will tell."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 3306)
            writer.close()
    except (OSError, ValueError, TimeoutError) as problem:
        reason = str(problem) or "no answer within 10 seconds"
        raise EnvironmentFailed(
            f"database `{name}` cannot be reached: {reason}", hint="is the server running?"
        ) from None


def _read(folder: Path, path: str, database: Database) -> str:
    where = str(database.position or "")
    try:
        return (folder / path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise ContractError(f"the schema file `{path}` cannot be read: {problem.strerror}", where=where) from None
    except UnicodeDecodeError:
        raise ContractError(f"the schema file `{path}` is not UTF-8", where=where) from None
