"""Invoices. Noise: serial ids in Location headers, database times, a counter of requests."""

import os
from contextlib import asynccontextmanager
from itertools import count

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


def application(new):
    served = count(1)
    amount = "coalesce(total_cents, 0)" if new else "total"

    def shown(row):
        return {**row, "changed_at": row["changed_at"].isoformat(), "served": next(served)}

    async def create(request):
        total = (await request.json())["total"]
        sql = "insert into invoices (total) values ($1) returning id"
        id = await request.app.state.pool.fetchval(sql, total)
        return JSONResponse({"id": id}, 201, {"Location": f"/invoices/{id}"})

    async def pay(request):
        sql = "update invoices set status = 'paid', changed_at = now() where id = $1 returning id, status, changed_at"
        row = await request.app.state.pool.fetchrow(sql, request.path_params["id"])
        return JSONResponse(shown(row)) if row else JSONResponse({"error": "no such invoice"}, 404)

    async def read(request):
        sql = f"select id, status, {amount} as total, changed_at from invoices where id = $1"
        row = await request.app.state.pool.fetchrow(sql, request.path_params["id"])
        return JSONResponse(shown(row)) if row else JSONResponse({"error": "no such invoice"}, 404)

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/invoices", create, methods=["POST"]),
        Route("/invoices/{id:int}/pay", pay, methods=["POST"]),
        Route("/invoices/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(new=False), application(new=True)
