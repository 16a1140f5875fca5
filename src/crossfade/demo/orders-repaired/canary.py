"""orders 1.3.0, written so that it can share its data with 1.2.3 at every stage of the rollout."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from redis import asyncio as redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

# The note is still read where 1.2.3 keeps it: both write that column, so no update of either is ever missed.
# 1.4.0 may read it from the details, once no 1.2.3 can come back.
COLUMNS = "id, customer, sku, quantity, amount, currency, note, method, status, created_at"


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.database = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=4)
    app.state.cache = redis.from_url(os.environ["CACHE_URL"], decode_responses=True)
    yield
    await app.state.cache.aclose()
    await app.state.database.close()


def shown(order: asyncpg.Record) -> dict[str, Any]:
    return {**order, "created_at": order["created_at"].isoformat()}


async def price_of(request: Request, sku: str) -> int:
    """The list price in whole euros."""
    price: int | None = await request.app.state.database.fetchval("select price from products where sku = $1", sku)
    if price is None:
        raise HTTPException(404, f"no product {sku}")
    return price


async def health(request: Request) -> JSONResponse:
    await request.app.state.database.fetchval("select 1")
    return JSONResponse({"status": "ok"})


async def quote(request: Request) -> JSONResponse:
    sku = request.path_params["sku"]
    price = await price_of(request, sku)
    # `price` keeps its meaning: callers hand it back to either version. Cents come under a name of their own.
    return JSONResponse({"sku": sku, "price": price, "price_cents": price * 100})


async def create(request: Request) -> JSONResponse:
    """An order at the price the customer was shown, or at the list price."""
    wish = await request.json()
    price = wish.get("price") or await price_of(request, wish["sku"])
    method = wish.get("method", "invoice")
    price_cents = wish.get("price_cents") or price * 100
    note = wish.get("note")
    order = await request.app.state.database.fetchrow(
        "insert into orders (customer, sku, quantity, amount, currency, note, details, method, status) "
        f"values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning {COLUMNS}",
        wish["customer"],
        wish["sku"],
        wish["quantity"],
        price_cents * wish["quantity"],
        wish.get("currency", "EUR"),
        note,
        json.dumps({"note": note} if note is not None else {}),
        method,
        "paid" if method == "card" else "open",
    )
    return JSONResponse(shown(order), 201)


async def read(request: Request) -> JSONResponse:
    order = await request.app.state.database.fetchrow(
        f"select {COLUMNS} from orders where id = $1", request.path_params["id"]
    )
    if order is None:
        raise HTTPException(404, "no such order")
    return JSONResponse(shown(order))


async def listing(request: Request) -> JSONResponse:
    orders = await request.app.state.database.fetch(
        f"select {COLUMNS} from orders where customer = $1 order by id", request.path_params["customer"]
    )
    return JSONResponse({"count": len(orders), "orders": [shown(order) for order in orders]})


async def pay(request: Request) -> JSONResponse:
    order = await request.app.state.database.fetchrow(
        f"update orders set status = 'paid' where id = $1 and status = 'open' returning {COLUMNS}",
        request.path_params["id"],
    )
    if order is None:
        raise HTTPException(409, "no open order")
    return JSONResponse(shown(order))


async def sold(request: Request) -> JSONResponse:
    """How many pieces were sold and for how much; may be a minute old."""
    sku, state = request.path_params["sku"], request.app.state
    key = f"sold:2:{sku}"  # a key of its own for the new format: 1.2.3 never finds what it cannot read
    cached = json.loads(await state.cache.get(key) or "null")
    if cached is None:
        query = (
            "select coalesce(sum(quantity), 0) as sold, coalesce(sum(amount), 0) as revenue from orders where sku = $1"
        )
        cached = dict(await state.database.fetchrow(query, sku))
        await state.cache.set(key, json.dumps(cached), ex=60)
    return JSONResponse({"sku": sku, **cached})


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/healthz", health),
        Route("/quotes/{sku}", quote),
        Route("/orders", create, methods=["POST"]),
        Route("/orders/{id:int}", read),
        Route("/orders/{id:int}/pay", pay, methods=["POST"]),
        Route("/customers/{customer}/orders", listing),
        Route("/products/{sku}/sold", sold),
    ],
)
