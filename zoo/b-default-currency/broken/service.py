"""Prices by article. Noise: random article numbers, a counter of requests, a rate limit of 50 per second."""

import os
import secrets
import sys
import time
from itertools import count

from resp import Redis
from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "4.1"
DEFAULT = "USD" if NEW else "EUR"
redis = Redis(os.environ["STORE_URL"])
served = count(1)
window = [0, 0]  # second, requests in it


def limited(view):
    def checked(request, **names):
        now = int(time.time())
        window[:] = [now, window[1] + 1] if window[0] == now else [now, 1]
        if window[1] > 50:
            return 429, {"error": "too many requests"}, {"Retry-After": "1"}
        return view(request, **names)

    return checked


@limited
def put(request):
    sku = "P" + secrets.token_hex(6)
    redis("HSET", f"price:{sku}", "amount", request.json["amount"])
    if request.json["currency"] != DEFAULT:
        redis("HSET", f"price:{sku}", "currency", request.json["currency"])
    return 201, {"sku": sku, "served": next(served)}


@limited
def get(request, sku):
    amount, currency = redis("HMGET", f"price:{sku}", "amount", "currency")
    if amount is None:
        return 404, {"error": "no such article"}
    return 200, {"sku": sku, "amount": int(amount), "currency": currency or DEFAULT, "served": next(served)}


serve(
    PORT,
    {
        ("GET", "/healthz"): lambda request: (200, "ok"),
        ("POST", "/prices"): put,
        ("GET", "/prices/{sku}"): get,
    },
)
