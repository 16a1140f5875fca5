"""orders 1.3.0: prices in cents, a currency, order details as one document, revenue beside the pieces sold."""

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

# The note lives among the details now; orders of 1.2.3 have it in its old column.
COLUMNS = (
    "id, customer, sku, quantity, amount, currency, coalesce(details ->> 'note', note) as note, "
    "method, status, created_at"
)


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
    """The list price in cents."""
    price: int | None = await request.app.state.database.fetchval("select price from products where sku = $1", sku)
    if price is None:
        raise HTTPException(404, f"no product {sku}")
    return price * 100


async def health(request: Request) -> JSONResponse:
    await request.app.state.database.fetchval("select 1")
    return JSONResponse({"status": "ok"})


async def quote(request: Request) -> JSONResponse:
    sku = request.path_params["sku"]
    return JSONResponse({"sku": sku, "price": await price_of(request, sku)})


async def create(request: Request) -> JSONResponse:
    """An order at the price the customer was shown, or at the list price."""
    wish = await request.json()
    price = wish.get("price") or await price_of(request, wish["sku"])
    method = wish.get("method", "invoice")
    order = await request.app.state.database.fetchrow(
        "insert into orders (customer, sku, quantity, amount, currency, details, method, status) "
        f"values ($1, $2, $3, $4, $5, $6, $7, $8) returning {COLUMNS}",
        wish["customer"],
        wish["sku"],
        wish["quantity"],
        price * wish["quantity"],
        wish.get("currency", "EUR"),
        json.dumps({"note": wish["note"]} if "note" in wish else {}),
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
    cached = json.loads(await state.cache.get(f"sold:{sku}") or "null")
    if not isinstance(cached, dict):  # nothing there, or the plain number that 1.2.3 keeps
        query = (
            "select coalesce(sum(quantity), 0) as sold, coalesce(sum(amount), 0) as revenue from orders where sku = $1"
        )
        cached = dict(await state.database.fetchrow(query, sku))
        await state.cache.set(f"sold:{sku}", json.dumps(cached), ex=60)
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
