"""Items with a price. Noise: uuids made by the database, random latencies, the serving version in a header."""

import os
import random
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


def application(version, column):
    async def create(request):
        price = (await request.json())["price"]
        sql = f"insert into items ({column}) values ($1) returning id"
        id = await request.app.state.pool.fetchval(sql, price)
        return JSONResponse({"id": str(id)}, 201, {"X-Served-By": version})

    async def read(request):
        sql = f"select id, {column} as price from items where id = $1"
        row = await request.app.state.pool.fetchrow(sql, request.path_params["id"])
        if row is None:
            return JSONResponse({"error": "no such item"}, 404)
        item = {"id": str(row["id"]), "price": row["price"], "latency_ms": random.random() * 10}
        return JSONResponse(item, headers={"X-Served-By": version})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/items", create, methods=["POST"]),
        Route("/items/{id:uuid}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application("0.1.0", "legacy_price"), application("0.2.0", "price")
