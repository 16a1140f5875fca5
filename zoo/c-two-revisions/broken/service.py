"""Pages with a revision number. Noise: serial ids, HTML from one endpoint, a hash token over the time."""

import hashlib
import json
import os
import time
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

OLD_INSERT = "insert into pages (document) values ($1) returning id"
NEW_INSERT = "insert into pages (document, revision) values ($1, 1) returning id"
OLD_UPDATE = """
    update pages set document = document || jsonb_build_object('title', $2::text, 'revision', $3::int + 1)
    where id = $1 and (document->>'revision')::int = $3 returning (document->>'revision')::int
"""
NEW_UPDATE = """
    update pages set document = document || jsonb_build_object('title', $2::text), revision = $3::int + 1
    where id = $1 and coalesce(revision, (document->>'revision')::int) = $3 returning revision
"""


def application(new):
    async def create(request):
        document = {"title": (await request.json())["title"], "revision": 1}
        id = await request.app.state.pool.fetchval(NEW_INSERT if new else OLD_INSERT, json.dumps(document))
        draft = hashlib.sha256(str(time.time_ns()).encode()).hexdigest()
        return JSONResponse({"id": id, "revision": 1, "preview": f"https://pages.example/{id}?draft={draft}"}, 201)

    async def change(request):
        wanted = await request.json()
        revision = await request.app.state.pool.fetchval(
            NEW_UPDATE if new else OLD_UPDATE, request.path_params["id"], wanted["title"], wanted["revision"]
        )
        if revision is None:
            return JSONResponse({"error": "somebody else was faster"}, 409)
        return JSONResponse({"title": wanted["title"], "revision": revision})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: HTMLResponse(f"<p>up at {time.time()}</p>")),
        Route("/pages", create, methods=["POST"]),
        Route("/pages/{id:int}", change, methods=["PUT"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(new=False), application(new=True)
