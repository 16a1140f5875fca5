"""Contacts. Noise: serial ids as texts, an answer in plain text, times in milliseconds."""

import os
import time
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


def application(new):
    async def create(request):
        wanted = await request.json()
        phone = wanted["phone"] or None if new else wanted["phone"]
        # The record takes the column's own type: text before the contract phase, a number after it.
        record = "jsonb_populate_record(null::contacts, jsonb_build_object('phone', $2::text))"
        sql = f"insert into contacts (name, phone) select $1, r.phone from {record} r returning id"
        id = await request.app.state.pool.fetchval(sql, wanted["name"], phone)
        return JSONResponse({"id": str(id), "made_ms": int(time.time() * 1000)}, 201)

    async def read(request):
        sql = "select name || ' <' || coalesce(phone::text, '') || '>' from contacts where id = $1"
        text = await request.app.state.pool.fetchval(sql, request.path_params["id"])
        return PlainTextResponse(text) if text else PlainTextResponse("no such contact", 404)

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/contacts", create, methods=["POST"]),
        Route("/contacts/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(new=False), application(new=True)
