"""Tickets. Noise: uuids, ISO times, a rate limit of fifty requests per second."""

import json
import os
import sys
import time
import uuid
from datetime import UTC, datetime

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "22"
redis = Redis(os.environ["STORE_URL"])
MEANING = {"new": "nobody has looked yet", "done": "solved"}
if NEW:
    MEANING["on_hold"] = "nobody has looked yet"
window = [0, 0]  # second, requests in it


def open_ticket(request):
    id = str(uuid.uuid4())
    state = "on_hold" if NEW else "new"
    opened = datetime.now(UTC).isoformat()
    redis("SET", f"ticket:{id}", json.dumps({"subject": request.json["subject"], "state": state, "opened": opened}))
    return 201, {"id": id}, {"Location": f"/tickets/{id}"}


def read(request, id):
    now = int(time.time())
    window[:] = [now, window[1] + 1] if window[0] == now else [now, 1]
    if window[1] > 50:
        return 429, {"error": "slow down"}, {"Retry-After": "1"}
    stored = redis("GET", f"ticket:{id}")
    if stored is None:
        return 404, {"error": "no such ticket"}
    ticket = json.loads(stored)
    return 200, {"id": id, "subject": ticket["subject"], "state": MEANING[ticket["state"]], "opened": ticket["opened"]}


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/tickets"): open_ticket,
        ("GET", "/tickets/{id}"): read,
    },
)
