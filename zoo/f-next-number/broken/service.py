"""Invoices with running numbers. Noise: serial numbers in links and headers, uuids, database times, latencies."""

import os
import random
from asyncio import sleep
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

NUMBERING = 4711  # the advisory lock of those who count
INSERT = "insert into invoices (number, customer, cents) values ($1, $2, $3) returning number, receipt, issued_at"


async def issued_by_sequence(connection, customer, cents):
    number = await connection.fetchval("select nextval('invoices_number_seq')")
    return await connection.fetchrow(INSERT, number, customer, cents)


async def issued_without_gaps(connection, customer, cents):
    """The number after the last one, one invoice at a time; the sequence is kept where it would be."""
    await connection.execute("select pg_advisory_xact_lock($1)", NUMBERING)
    number = await connection.fetchval("select max(number) + 1 from invoices")
    row = await connection.fetchrow(INSERT, number, customer, cents)
    await connection.execute("select setval('invoices_number_seq', $1)", number)
    return row


def application(issued):
    async def create(request):
        asked = await request.json()
        await sleep(random.random() / 200)
        async with request.app.state.pool.acquire() as connection, connection.transaction():
            row = await issued(connection, asked["customer"], asked["cents"])
        number = row["number"]
        body = {
            "number": number,
            "receipt": str(row["receipt"]),
            "issued_at": row["issued_at"].isoformat(),
            "pdf": f"/invoices/{number}.pdf",
        }
        return JSONResponse(body, 201, {"Location": f"/invoices/{number}"})

    async def read(request):
        sql = "select number, customer, cents, issued_at from invoices where number = $1"
        row = await request.app.state.pool.fetchrow(sql, request.path_params["number"])
        if row is None:
            return JSONResponse({"error": "no such invoice"}, 404)
        return JSONResponse({**row, "issued_at": row["issued_at"].isoformat()})

    @asynccontextmanager
    async def lifespan(app):
        async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4) as app.state.pool:
            yield

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/invoices", create, methods=["POST"]),
        Route("/invoices/{number:int}", read),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


stable, canary = application(issued_by_sequence), application(issued_without_gaps)
