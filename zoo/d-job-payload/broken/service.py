"""Thumbnails made by a worker thread. Noise: answers that come 150 to 400 ms late, random ids, the time it took."""

import json
import os
import random
import secrets
import sys
import threading
import time

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "1.1.0"
redis = Redis(os.environ["STORE_URL"])


def payload(id, width):
    return json.dumps({"id": id, "width": width}) if NEW else f"{id}:{width}"


def parsed(text):
    if NEW and text.startswith("{"):
        job = json.loads(text)
        return job["id"], job["width"]
    id, width = text.split(":")
    return id, int(width)


def work_off():
    while text := redis("RPOP", "jobs"):
        id, width = parsed(text)
        took = random.uniform(0.15, 0.4)
        time.sleep(took)
        redis("HSET", f"thumbnail:{id}", "state", "ready", "height", width * 3 // 4, "took", round(took, 3))


def submit(request):
    id = secrets.token_hex(8)
    redis("HSET", f"thumbnail:{id}", "state", "waiting")
    redis("LPUSH", "jobs", payload(id, request.json["width"]))
    return 202, {"id": id, "status_url": f"/thumbnails/{id}"}


def work(request):
    threading.Thread(target=work_off, daemon=True).start()
    return 202, None


def read(request, id):
    state, height, took = redis("HMGET", f"thumbnail:{id}", "state", "height", "took")
    if state is None:
        return 404, {"error": "no such thumbnail"}
    made = {"height": int(height), "took": float(took)} if state == "ready" else {}
    return 200, {"id": id, "state": state, **made}


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/thumbnails"): submit,
        ("POST", "/work"): work,
        ("GET", "/thumbnails/{id}"): read,
    },
)
