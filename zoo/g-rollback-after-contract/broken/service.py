"""Bookings. Noise: serial ids under two names, times, a token made of a hash over the id and the time."""

import hashlib
import os
import time
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


def application(column):
    async def book(request):
        guest = (await request.json())["guest"]
        id = await request.app.state.pool.fetchval(f"insert into rooms ({column}) values ($1) returning id", guest)
        key = hashlib.md5(f"{id}{time.time()}".encode()).hexdigest()
        return JSONResponse({"id": id, "booking_no": f"B-{id}", "key": f"room-{key}"}, 201)

    async def read(request):
        sql = f"select id, {column} as guest from rooms where id = $1"
        row = await request.app.state.pool.fetchrow(sql, request.path_params["id"])
        if row is None:
            return JSONResponse({"error": "no such booking"}, 404)
        return JSONResponse({"id": row["id"], "guest": row["guest"], "seen": time.time()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/rooms", book, methods=["POST"]),
        Route("/rooms/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application("guest"), application("guest_name")
