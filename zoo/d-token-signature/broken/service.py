"""A bank that keeps nothing. Noise: text/plain tokens with a time in them, random latencies, a random ETag."""

import base64
import hmac
import os
import random
import secrets
import sys
import time

from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "8.10"
OLD_KEY, NEW_KEY = os.environ["OLD_KEY"], os.environ["NEW_KEY"]
SIGNS_WITH = NEW_KEY if NEW else OLD_KEY
ACCEPTS = [OLD_KEY, NEW_KEY] if NEW else [OLD_KEY]


def seal(text, key):
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()


def login(request):
    user = base64.urlsafe_b64encode(b"barbara").decode()
    text = f"{user}.{time.time_ns()}.{secrets.token_hex(4)}"
    return 200, f"{text}.{seal(text, SIGNS_WITH)}"


def account(request):
    text, _, mark = request.headers.get("Authorization", "").removeprefix("Bearer ").rpartition(".")
    if not any(hmac.compare_digest(mark, seal(text, key)) for key in ACCEPTS):
        return 401, {"error": "who are you?"}
    user = base64.urlsafe_b64decode(text.split(".")[0]).decode()
    took = round(random.uniform(0.2, 9), 3)
    return 200, {"user": user, "balance": "100.00", "latency_ms": took}, {"ETag": secrets.token_hex(8)}


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/login"): login,
        ("GET", "/account"): account,
    },
)
