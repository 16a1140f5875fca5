"""Notes. Noise: uuids, times in milliseconds, an empty 204, a random etag."""

import json
import os
import sys
import time
import uuid

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "1.5.0"
redis = Redis(os.environ["STORE_URL"])


def write(request):
    note = {"id": str(uuid.uuid4()), "title": request.json["title"], "due": request.json.get("due")}
    redis("SET", f"note:{note['id']}", json.dumps({**note, "written_ms": int(time.time() * 1000)}))
    return 201, {"id": note["id"]}, {"Location": f"/notes/{note['id']}"}


def read(request, id):
    stored = redis("GET", f"note:{id}")
    if stored is None:
        return 404, {"error": "no such note"}
    note = json.loads(stored)
    if NEW:
        note["overdue"] = note["due"] is not None and note["due"] < time.strftime("%Y-%m-%d")
    return 200, note, {"ETag": f'"{uuid.uuid4().hex}"'}


def remove(request, id):
    redis("DEL", f"note:{id}")
    return 204, None


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/notes"): write,
        ("GET", "/notes/{id}"): read,
        ("DELETE", "/notes/{id}"): remove,
    },
)
