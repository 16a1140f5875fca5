"""Real servers for the tests of the stores: opened once per test module, one event loop for all of its tests."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from crossfade.model.contract import Database
from crossfade.world.servers import Servers, open_servers
from crossfade.world.stores import Stores


class Book:
    """A ledger that remembers what is still entered."""

    def __init__(self) -> None:
        self.open: set[tuple[Any, ...]] = set()

    def add_process(self, pid: int, note: str) -> None:
        self.open.add(("process", pid))

    def remove_process(self, pid: int) -> None:
        self.open.discard(("process", pid))

    def add_directory(self, path: Path) -> None:
        self.open.add(("directory", path))

    def remove_directory(self, path: Path) -> None:
        self.open.discard(("directory", path))

    def add_database(self, admin_url: str, name: str) -> None:
        self.open.add(("database", admin_url, name))

    def remove_database(self, admin_url: str, name: str) -> None:
        self.open.discard(("database", admin_url, name))


class Scene:
    def __init__(self, folder: Path, runner: asyncio.Runner, servers: Servers, book: Book, notes: list[str]) -> None:
        self.folder = folder
        self.servers = servers
        self.book = book
        self.notes = notes
        self._runner = runner

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def stores(self, schema: str, database: str = "db") -> Stores:
        """A fresh environment whose database holds `schema`, with a checkpoint."""

        async def make() -> Stores:
            stores = await self.servers.create("test")
            await stores.databases[database].run_sql(schema, "schema.sql")
            await stores.checkpoint()
            return stores

        return self.run(make())

    def sql(self, stores: Stores, *statements: str, database: str = "db") -> Any:
        """Does what a service would: statements on a connection of its own. The rows of the last one."""

        async def ask() -> Any:
            connection = await asyncpg.connect(stores.urls[database])
            try:
                for statement in statements[:-1]:
                    await connection.execute(statement)
                return [tuple(record) for record in await connection.fetch(statements[-1])]
            finally:
                await connection.close()

        return self.run(ask())


@contextlib.contextmanager
def scene(folder: Path, databases: Sequence[Database], files: dict[str, str] | None = None) -> Iterator[Scene]:
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    book, notes = Book(), []
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        opened = open_servers(
            databases, folder, folder / "work", folder / "logs", book, uuid.uuid4().hex[:8], notes.append
        )
        servers = runner.run(stack.enter_async_context(opened))
        try:
            yield Scene(folder, runner, servers, book, notes)
        finally:
            runner.run(stack.aclose())
    assert book.open == set()
