"""Invoices, issued once under a lock in Redis. Noise: uuids, database times, lock tokens, waiting with retries."""

import asyncio
import os
import random
import secrets
import uuid
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

locks = redis.from_url(os.environ["LOCKS_URL"], decode_responses=True)
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
INSERT = "insert into invoices (order_id, total) select id, total from orders where id = $1 returning id, issued_at"
READ = """
    select customer, total, ordered_at, (select count(*) from invoices where order_id = orders.id) as invoices
    from orders where id = $1
"""


class Busy(Exception):
    """Somebody else kept the lock for too long."""


@asynccontextmanager
async def locked(key):
    token = secrets.token_hex(12)
    for _ in range(100):
        if await locks.set(key, token, nx=True, px=60_000):
            break
        await asyncio.sleep(random.uniform(0.02, 0.05))
    else:
        raise Busy
    try:
        yield
    finally:
        await locks.eval(RELEASE, 1, key, token)


def old_keys(order):
    return [f"lock:order:{order}"]


def new_keys(order):
    """The old key first, as long as anybody goes by it; the version after takes the new one only."""
    return [*old_keys(order), f"invoices:{order}:lock"]


def application(keys):
    def answer(body, status=200):
        return JSONResponse(body, status, {"X-Request-Id": str(uuid.uuid4())})

    async def create(request):
        wanted = await request.json()
        sql = "insert into orders (customer, total) values ($1, $2) returning id"
        id = await request.app.state.pool.fetchval(sql, wanted["customer"], wanted["total"])
        return answer({"id": str(id)}, 201)

    async def issue(request):
        try:
            async with AsyncExitStack() as held:
                for key in keys(request.path_params["id"]):
                    await held.enter_async_context(locked(key))
                return await issue_once(request.app.state.pool, request.path_params["id"])
        except Busy:
            return answer({"error": "the invoice is being issued"}, 423)

    async def issue_once(pool, order):
        found = await pool.fetchval("select id from invoices where order_id = $1", order)
        if found:
            return answer({"invoice": str(found)})
        made = await pool.fetchrow(INSERT, order)
        if made is None:
            return answer({"error": "no such order"}, 404)
        return answer({"invoice": str(made["id"]), "issued_at": made["issued_at"].isoformat()}, 201)

    async def read(request):
        row = await request.app.state.pool.fetchrow(READ, request.path_params["id"])
        if row is None:
            return answer({"error": "no such order"}, 404)
        return answer({**row, "ordered_at": row["ordered_at"].isoformat()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield
        await locks.aclose()

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/orders", create, methods=["POST"]),
        Route("/orders/{id:uuid}/invoice", issue, methods=["POST"]),
        Route("/orders/{id:uuid}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(old_keys), application(new_keys)
