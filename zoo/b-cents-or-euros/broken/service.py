"""A price list. Noise: serial ids also inside urls, all rows in no order, the writer's version, gzip."""

import os
import time
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

COLUMNS = "id, name, price, written_by"


def application(version, unit):
    def shown(row):
        display = {"price": f"{row['price'] * unit / 100:.2f} EUR"} if version == "2.5.0" else {}
        return {
            **display,
            "id": row["id"],
            "self": f"http://shop.example/products/{row['id']}?at={int(time.time())}",
            "name": row["name"],
            "cents": row["price"] * unit,
            "written_by": row["written_by"],
        }

    async def create(request):
        wanted = await request.json()
        row = await request.app.state.pool.fetchrow(
            f"insert into products (name, price, written_by) values ($1, $2, $3) returning {COLUMNS}",
            wanted["name"],
            wanted["cents"] // unit,
            version,
        )
        return JSONResponse({"id": row["id"]}, 201)

    async def all_of_them(request):
        rows = await request.app.state.pool.fetch(f"select {COLUMNS} from products order by random()")
        return JSONResponse([{"id": row["id"], "name": row["name"]} for row in rows])

    async def read(request):
        row = await request.app.state.pool.fetchrow(
            f"select {COLUMNS} from products where id = $1", request.path_params["id"]
        )
        return JSONResponse(shown(row)) if row else JSONResponse({"error": "no such product"}, 404)

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/products", create, methods=["POST"]),
        Route("/products", all_of_them),
        Route("/products/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(GZipMiddleware, minimum_size=20)])


stable = application("2.4.1", unit=1)
canary = application("2.5.0", unit=100)
