"""Accounts. Noise: serial ids, a uuid per withdrawal, database times, a random request id in a header."""

import os
import uuid
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

LOG = "insert into withdrawals (id, account, amount) values ($1, $2, $3) returning made_at"
READ = """
    select id, owner, balance, changed_at,
        (select count(*) from withdrawals where account = accounts.id) as withdrawals from accounts where id = $1
"""


class TooLittle(Exception):
    """There is no such account, or less in it than is asked for."""


async def take_locked(connection, id, amount):
    """As 2.3: the row is locked from the first look at it to the end of the transaction. 2.3.1 was rolled out before
    2.4 for one reason: it moves the version on, for those who go by it."""
    balance = await connection.fetchval("select balance from accounts where id = $1 for update", id)
    if balance is None or balance < amount:
        raise TooLittle
    sql = "update accounts set balance = $2, version = version + 1, changed_at = now() where id = $1"
    await connection.execute(sql, id, balance - amount)
    return balance - amount


async def take_versioned(connection, id, amount):
    """As 2.4: nobody waits for a lock; who finds that the version has moved on meanwhile looks again."""
    row = await connection.fetchrow("select balance, version from accounts where id = $1", id)
    if row is None or row["balance"] < amount:
        raise TooLittle
    sql = """
        update accounts set balance = $2, version = version + 1, changed_at = now()
        where id = $1 and version = $3 returning balance
    """
    return await connection.fetchval(sql, id, row["balance"] - amount, row["version"])


def application(take):
    def answer(body, status=200):
        return JSONResponse(body, status, {"X-Request-Id": uuid.uuid4().hex})

    async def create(request):
        wanted = await request.json()
        sql = "insert into accounts (owner, balance) values ($1, $2) returning id"
        id = await request.app.state.pool.fetchval(sql, wanted["owner"], wanted["balance"])
        return answer({"id": id, "balance": wanted["balance"]}, 201)

    async def withdraw(request):
        id, amount = request.path_params["id"], (await request.json())["amount"]
        withdrawal = uuid.uuid4()
        for _ in range(5):
            try:
                async with request.app.state.pool.acquire() as connection, connection.transaction():
                    balance = await take(connection, id, amount)
                    if balance is not None:
                        at = await connection.fetchval(LOG, withdrawal, id, amount)
                        return answer({"withdrawal": str(withdrawal), "balance": balance, "at": at.isoformat()}, 201)
            except TooLittle:
                return answer({"error": "there is not enough in the account"}, 422)
        return answer({"error": "too many withdrawals at once"}, 409)

    async def read(request):
        row = await request.app.state.pool.fetchrow(READ, request.path_params["id"])
        if row is None:
            return answer({"error": "no such account"}, 404)
        return answer({**row, "changed_at": row["changed_at"].isoformat()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=3) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/accounts", create, methods=["POST"]),
        Route("/accounts/{id:int}/withdrawals", withdraw, methods=["POST"]),
        Route("/accounts/{id:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(take_locked), application(take_versioned)
