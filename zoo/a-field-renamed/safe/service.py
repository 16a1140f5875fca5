"""An address book. Noise: serial ids, a Location header, times, a random request id."""

import os
import uuid
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


def shown(row, new):
    person = {"id": row["id"], "name": row["name"], "email": row["email"], "created_at": row["created_at"].isoformat()}
    if new:
        person["full_name"] = person["name"]  # beside `name`: nobody has to know it
    return person


def application(new):
    async def create(request):
        wanted = await request.json()
        row = await request.app.state.pool.fetchrow(
            "insert into people (name, email) values ($1, $2) returning id, name, email, created_at",
            wanted["name"],
            wanted["email"],
        )
        where = {"Location": f"/people/{row['id']}", "X-Request-Id": str(uuid.uuid4())}
        return JSONResponse(shown(row, False), 201, where)

    async def read(request):
        row = await request.app.state.pool.fetchrow(
            "select id, name, email, created_at from people where id = $1", int(request.path_params["id"])
        )
        if row is None:
            return JSONResponse({"error": "no such person"}, 404)
        return JSONResponse(shown(row, new), headers={"X-Request-Id": str(uuid.uuid4())})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/people", create, methods=["POST"]),
        Route("/people/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(new=False), application(new=True)
