"""Sessions in Redis. Noise: random session ids in cookies, expiry times, gzip."""

import json
import os
import secrets
import time

import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

store = redis.from_url(os.environ["STORE_URL"], decode_responses=True)


async def write_text(key, session):
    await store.set(key, json.dumps(session))


async def read_text(key):
    return json.loads(await store.get(key) or "null")


async def write_hash(key, session):
    await store.hset(key, mapping=session)


async def read_hash(key):
    return await store.hgetall(key)


async def read_either(key):
    return await (read_hash if await store.type(key) == "hash" else read_text)(key)


def application(write, read):
    async def login(request):
        sid = secrets.token_urlsafe(16)
        await write(f"session:{sid}", {"user": (await request.json())["user"], "until": str(time.time() + 3600)})
        answer = JSONResponse({"session": sid}, 201)
        answer.set_cookie("sid", sid, max_age=3600)
        return answer

    async def basket(request):
        session = await read(f"session:{request.cookies['sid']}")
        if not session:
            return JSONResponse({"error": "log in first"}, 401)
        return JSONResponse({"user": session["user"], "items": [], "until": session["until"]})

    routes = [
        Route("/healthz", lambda request: PlainTextResponse("ok")),
        Route("/login", login, methods=["POST"]),
        Route("/basket", basket),
    ]
    return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=40)])


stable = application(write_text, read_text)
canary = application(write_text, read_either)  # hashes are written by the version after
