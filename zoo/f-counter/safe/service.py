"""Numbered tickets. Noise: serial ids, a uuid per ticket, database times, how long the answer took, request ids."""

import os
import secrets
import sys
import time

from database import Database
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "1.10.0"
QUEUE_LOCK = 17  # one class of advisory locks for all queues
LOOK = """
    select name, drawn, opened_at,
        array(select number from tickets where queue = queues.id order by number) as numbers from queues where id = $1
"""
database = Database(os.environ["DATABASE_URL"])


async def next_number(connection, queue):
    if NEW:
        return await connection.fetchval("update queues set drawn = drawn + 1 where id = $1 returning drawn", queue)
    await connection.execute("select pg_advisory_xact_lock($1, $2)", QUEUE_LOCK, queue)
    # the row as well: whoever counts up in place goes by nothing else
    drawn = await connection.fetchval("select drawn from queues where id = $1 for update", queue)
    if drawn is None:
        return None
    await connection.execute("update queues set drawn = $2 where id = $1", queue, drawn + 1)
    return drawn + 1


def traced(view):
    def timed(request, **names):
        started = time.perf_counter()
        status, body = view(request, **names)
        took = f"{(time.perf_counter() - started) * 1000:.1f} ms"
        return status, body, {"X-Request-Id": secrets.token_hex(8), "X-Took": took}

    return timed


def create(request):
    async def work(connection):
        return await connection.fetchval("insert into queues (name) values ($1) returning id", request.json["name"])

    return 201, {"id": database(work)}


def draw(request, id):
    async def work(connection):
        number = await next_number(connection, int(id))
        if number is None:
            return None
        sql = "insert into tickets (queue, number) values ($1, $2) returning id, drawn_at"
        return {"number": number, **await connection.fetchrow(sql, int(id), number)}

    ticket = database(work)
    if ticket is None:
        return 404, {"error": "no such queue"}
    return 201, {**ticket, "id": str(ticket["id"]), "drawn_at": ticket["drawn_at"].isoformat()}


def look(request, id):
    async def work(connection):
        return await connection.fetchrow(LOOK, int(id))

    queue = database(work)
    return (200, {**queue, "opened_at": queue["opened_at"].isoformat()}) if queue else (404, {"error": "no such queue"})


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/queues"): traced(create),
        ("POST", "/queues/{id}/tickets"): traced(draw),
        ("GET", "/queues/{id}"): traced(look),
    },
)
