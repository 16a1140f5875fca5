"""Wallets. Noise: serial ids, a uuid per deposit, database times, request ids."""

import os
import uuid
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

OLD_INSERT = "insert into wallets (owner, balance) values ($1, $2) returning id"
NEW_INSERT = "insert into wallets (owner, balance, search_name) values ($1, $2, lower($1)) returning id"
DEPOSIT = "update wallets set balance = balance + $2, changed_at = now() where id = $1 returning balance, changed_at"
OLD_READ = "select owner, lower(owner) as search_name, balance, changed_at from wallets where id = $1"
# a wallet that the stable opens after the backfill has no search_name yet
NEW_READ = """
    select owner, coalesce(search_name, lower(owner)) as search_name, balance, changed_at from wallets where id = $1
"""


def application(new):
    def answer(body, status=200):
        return JSONResponse(body, status, {"X-Request-Id": uuid.uuid4().hex})

    async def create(request):
        wanted = await request.json()
        sql = NEW_INSERT if new else OLD_INSERT
        id = await request.app.state.pool.fetchval(sql, wanted["owner"], wanted["balance"])
        return answer({"id": id}, 201)

    async def deposit(request):
        amount = (await request.json())["amount"]
        row = await request.app.state.pool.fetchrow(DEPOSIT, request.path_params["id"], amount)
        if row is None:
            return answer({"error": "no such wallet"}, 404)
        receipt = {"receipt": str(uuid.uuid4()), "at": row["changed_at"].isoformat()}
        return answer({"balance": row["balance"], **receipt}, 201)

    async def read(request):
        row = await request.app.state.pool.fetchrow(NEW_READ if new else OLD_READ, request.path_params["id"])
        if row is None:
            return answer({"error": "no such wallet"}, 404)
        return answer({**row, "changed_at": row["changed_at"].isoformat()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/wallets", create, methods=["POST"]),
        Route("/wallets/{id:int}/deposits", deposit, methods=["POST"]),
        Route("/wallets/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(new=False), application(new=True)
