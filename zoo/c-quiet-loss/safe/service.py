"""Tickets as JSON documents. `priority` is new in 5.3 and left out of answers where a ticket has none.
Who changes a ticket keeps what it does not know."""

import json
import os
import sys
import time

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
FIELDS = ("title", "priority") if VERSION == "5.3" else ("title",)
redis = Redis(os.environ["STORE_URL"])


def known(document):
    return {name: document[name] for name in FIELDS if name in document}


def load(id):
    text = redis("GET", f"ticket:{id}")
    return None if text is None else json.loads(text)


def open_ticket(request):
    id = redis("INCR", "tickets")
    redis("SET", f"ticket:{id}", json.dumps(known(request.json)))
    return 201, {"id": id, "at": time.time()}


def rename(request, id):
    document = load(id)
    if document is None:
        return 404, {"error": "no such ticket"}
    redis("SET", f"ticket:{id}", json.dumps({**document, "title": request.json["title"]}))
    return 200, {"id": int(id)}


def read(request, id):
    document = load(id)
    return (404, {"error": "no such ticket"}) if document is None else (200, {"id": int(id), **known(document)})


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/tickets"): open_ticket,
        ("PATCH", "/tickets/{id}"): rename,
        ("GET", "/tickets/{id}"): read,
    },
)
