"""The service the benchmarks call: as little as a service on PostgreSQL can do, so that it is not what is measured.

    python steps.py SIDE PORT        (SIDE: stable or canary; the database in DATABASE_URL)

Every answer and everything stored differs between the sides, so that no call may be taken for another:
`POST /last/{k}` overwrites the one row of its key (what the sides store meets again: runs merge),
`POST /log/{k}` appends a row (no two routings ever reach the same state), `GET /ready` tells that it is up.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import asyncpg
import httptools

SQL = {
    "last": "insert into last (key, step, by) values ('k', $1, $2)"
    " on conflict (key) do update set step = excluded.step, by = excluded.by",
    "log": "insert into log (step, by) values ($1, $2)",
}
DIALECT = {"stable": "first", "canary": "second"}  # what a side calls itself in its rows and answers


class Connection(asyncio.Protocol):
    """One client; calls on one connection are answered one after another."""

    def __init__(self, pool: asyncpg.Pool, dialect: str) -> None:
        self._pool = pool
        self._dialect = dialect
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._work: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        path, self._url = self._url.decode(), b""
        self._work = asyncio.get_running_loop().create_task(self._answer(path))

    async def _answer(self, path: str) -> None:
        kind, _, step = path.strip("/").partition("/")
        if kind in SQL:
            await self._pool.execute(SQL[kind], int(step), self._dialect)
            status, answer = "200 OK", {"step": int(step), "stored": True, "dialect": self._dialect}
        elif kind == "ready":
            status, answer = "200 OK", {"ready": True}
        else:
            status, answer = "404 Not Found", {"error": "no such path"}
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)  # type: ignore[attr-defined]


async def main(side: str, port: int) -> None:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4) as pool:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(pool, DIALECT[side]), "127.0.0.1", port
        )
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
