"""Carts as JSON documents. Noise: uuids, times as epoch seconds with a fraction, an empty 204."""

import json
import os
import time
import uuid
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route


def application(new):
    def cents(document):
        if new and "cents" in document:  # 5.2.0 may have dropped it
            return document["cents"]
        return round(float(document["total"]) * 100)

    async def load(request):
        text = await request.app.state.pool.fetchval(
            "select document::text from carts where id = $1", request.path_params["id"]
        )
        return json.loads(text) if text else None

    async def create(request):
        wanted = await request.json()
        document = {"format": 1, "name": wanted["name"], "total": wanted["total"]}
        if new:
            document |= {"format": 2, "cents": cents(document)}
        id = uuid.uuid4()
        sql = "insert into carts (id, document) values ($1, $2)"
        await request.app.state.pool.execute(sql, id, json.dumps(document))
        return JSONResponse({"id": str(id), "created": time.time()}, 201)

    async def rename(request):
        document = await load(request)
        if document is None:
            return JSONResponse({"error": "no such cart"}, 404)
        if not new:  # 5.2.0 writes the keys it knows
            document = {key: document[key] for key in ("format", "name", "total")}
        document["name"] = (await request.json())["name"]
        sql = "update carts set document = $2, changed_at = now() where id = $1"
        await request.app.state.pool.execute(sql, request.path_params["id"], json.dumps(document))
        return Response(status_code=204)

    async def read(request):
        document = await load(request)
        if document is None:
            return JSONResponse({"error": "no such cart"}, 404)
        cart = {"id": str(request.path_params["id"]), "name": document["name"], "total": document["total"]}
        return JSONResponse({**cart, "cents": cents(document), "asked": time.time()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/carts", create, methods=["POST"]),
        Route("/carts/{id:uuid}/name", rename, methods=["PUT"]),
        Route("/carts/{id:uuid}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(new=False), application(new=True)
