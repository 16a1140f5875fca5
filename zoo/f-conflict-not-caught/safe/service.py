"""Handles of users, each taken once. Noise: uuids, database times, an ETag, latencies."""

import os
import random
from asyncio import sleep
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

COLUMNS = "handle, owner, claim, claimed_at"


async def claimed_locked(pool, handle, owner):
    """The new row, None where somebody has the handle. Claims of one handle wait for each other."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock(hashtext($1))", handle)
            if await connection.fetchval("select 1 from handles where handle = $1", handle):
                return None
            sql = f"insert into handles (handle, owner) values ($1, $2) returning {COLUMNS}"
            return await connection.fetchrow(sql, handle, owner)
    except asyncpg.UniqueViolationError:
        return None


async def claimed_at_once(pool, handle, owner):
    sql = f"insert into handles (handle, owner) values ($1, $2) on conflict do nothing returning {COLUMNS}"
    return await pool.fetchrow(sql, handle, owner)


def application(claimed):
    def shown(row, status=200):
        body = {**row, "claim": str(row["claim"]), "claimed_at": row["claimed_at"].isoformat()}
        return JSONResponse(body, status, {"ETag": f'"{uuid4().hex}"'})

    async def claim(request):
        asked = await request.json()
        await sleep(random.random() / 200)
        row = await claimed(request.app.state.pool, asked["handle"], asked["owner"])
        return shown(row, 201) if row else JSONResponse({"error": "this handle is taken"}, 409)

    async def read(request):
        sql = f"select {COLUMNS} from handles where handle = $1"
        row = await request.app.state.pool.fetchrow(sql, request.path_params["handle"])
        return shown(row) if row else JSONResponse({"error": "nobody has this handle"}, 404)

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/handles", claim, methods=["POST"]),
        Route("/handles/{handle}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(claimed_locked), application(claimed_at_once)
