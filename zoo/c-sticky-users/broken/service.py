"""Settings of a user. Noise: an empty 204, an HTML page, a random request id, the writer's version in the answer."""

import json
import os
import sys
import uuid

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "0.6.0"
redis = Redis(os.environ["STORE_URL"])
DEFAULTS = {"theme": "light"}


def save(request):
    user, theme = request.headers["X-User-Id"], request.json["theme"]
    if NEW:
        redis("SET", f"settings2:{user}", json.dumps({"theme": theme, "by": VERSION}))
    else:
        redis("HSET", f"settings:{user}", "theme", theme, "by", VERSION)
    return 204, None, {"X-Request-Id": str(uuid.uuid4())}


def old_settings(user):
    theme, by = redis("HMGET", f"settings:{user}", "theme", "by")
    return {"theme": theme, "by": by} if theme else DEFAULTS


def new_settings(user):
    stored = redis("GET", f"settings2:{user}")
    return json.loads(stored) if stored else DEFAULTS


def load(request):
    user = request.headers["X-User-Id"]
    return 200, (new_settings if NEW else old_settings)(user), {"X-Request-Id": str(uuid.uuid4())}


def page(request):
    return 200, f"<h1>settings {VERSION}</h1>", {"Content-Type": "text/html"}


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("GET", "/"): page,
        ("PUT", "/settings"): save,
        ("GET", "/settings"): load,
    },
)
