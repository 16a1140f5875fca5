"""Products with a cache in Redis. Noise: serial ids, database times (in the cache as well), request ids, an etag."""

import json
import os
import secrets
import uuid
from contextlib import asynccontextmanager

import asyncpg
import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

cache = redis.from_url(os.environ["CACHE_URL"], decode_responses=True)
LIFE = 3600  # seconds
SELECT = "select id, name, price, changed_at from products where id = $1"
UPDATE = "update products set price = $2, changed_at = now() where id = $1 returning id, name, price, changed_at"


def text(row):
    return json.dumps({**row, "changed_at": row["changed_at"].isoformat()})


async def fill_locked(connection, key, id):
    """As 3.1: whoever fills holds the row, so that no write comes between the look at it and the entry."""
    row = await connection.fetchrow(f"{SELECT} for share", id)
    if row:
        await cache.set(key, text(row), ex=LIFE)
    return row


async def fill_if_absent(connection, key, id):
    """As 3.2: no lock is needed, since every write leaves an entry, and a fill never replaces one."""
    row = await connection.fetchrow(SELECT, id)
    if row:
        await cache.set(key, text(row), ex=LIFE, nx=True)
    return row


async def invalidate(key, row):
    """As 3.1. The transaction is still open: the row is locked."""
    await cache.delete(key)


async def write_through(key, row):
    """As 3.2. The transaction is still open: entries are written in the order of the rows."""
    await cache.set(key, text(row), ex=LIFE)


def application(fill, written):
    def answer(body, status=200):
        return JSONResponse(body, status, {"X-Request-Id": str(uuid.uuid4()), "ETag": f'"{secrets.token_hex(4)}"'})

    async def create(request):
        wanted = await request.json()
        sql = "insert into products (name, price) values ($1, $2) returning id"
        id = await request.app.state.pool.fetchval(sql, wanted["name"], wanted["price"])
        return answer({"id": id}, 201)

    async def read(request):
        id = request.path_params["id"]
        found = await cache.get(f"product:{id}")
        if found is None:
            async with request.app.state.pool.acquire() as connection, connection.transaction():
                row = await fill(connection, f"product:{id}", id)
            if row is None:
                return answer({"error": "no such product"}, 404)
            found = text(row)
        return answer(json.loads(found))

    async def change(request):
        id, price = request.path_params["id"], (await request.json())["price"]
        async with request.app.state.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(UPDATE, id, price)
            if row is None:
                return answer({"error": "no such product"}, 404)
            await written(f"product:{id}", row)
        return answer({"id": id, "price": price, "changed_at": row["changed_at"].isoformat()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield
        await cache.aclose()

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/products", create, methods=["POST"]),
        Route("/products/{id:int}/price", change, methods=["PUT"]),
        Route("/products/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(fill_locked, invalidate), application(fill_if_absent, write_through)
