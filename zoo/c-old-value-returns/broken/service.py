"""Profiles. Noise: serial ids under two names, times, a random request id in every answer, the serving version."""

import json
import os
import sys
import time
import uuid

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "11.1"
redis = Redis(os.environ["STORE_URL"])


def store(id, phone):
    redis("HSET", f"profile:{id}", "phone", phone, "changed", time.time())
    if NEW:
        redis("HSET", f"profile:{id}", "contact", json.dumps({"kind": "phone", "value": phone}))


def answer(status, profile):
    return status, {"profile": profile, "request": str(uuid.uuid4())}, {"Server": f"profiles/{VERSION}"}


def create(request):
    id = redis("INCR", "profiles")
    redis("HSET", f"profile:{id}", "name", request.json["name"])
    store(id, request.json["phone"])
    return answer(201, {"id": id, "href": f"/profiles/{id}"})


def change(request, id):
    if not redis("EXISTS", f"profile:{id}"):
        return 404, {"error": "no such profile"}
    store(id, request.json["phone"])
    return answer(200, {"profile_id": int(id)})


def read(request, id):
    name, phone, contact = redis("HMGET", f"profile:{id}", "name", "phone", "contact")
    if name is None:
        return 404, {"error": "no such profile"}
    if NEW and contact:
        phone = json.loads(contact)["value"]
    return answer(200, {"id": int(id), "name": name, "phone": phone})


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/profiles"): create,
        ("PATCH", "/profiles/{id}"): change,
        ("GET", "/profiles/{id}"): read,
    },
)
