"""A fixed list of words, three to a page. Noise: a random salt in the cursor, a time in microseconds."""

import base64
import json
import secrets
import sys
import time
from urllib.parse import parse_qs

from web import serve

VERSION, PORT = sys.argv[1:]
NEW = VERSION == "6.1.0"
WORDS = ["alder", "beech", "cedar", "elder", "fir", "hazel", "juniper", "larch", "maple", "oak"]


def encoded(text):
    return base64.urlsafe_b64encode(f"{secrets.token_hex(3)}|{text}".encode()).decode()


def decoded(cursor):
    return base64.urlsafe_b64decode(cursor).decode().partition("|")[2]


def old_cursor(end):
    return encoded(f"offset:{end}")


def old_start(cursor):
    kind, _, offset = decoded(cursor).partition(":")
    return int(offset) if kind == "offset" else None


def new_cursor(end):
    return encoded(json.dumps({"after": WORDS[end - 1]}))


def new_start(cursor):
    text = decoded(cursor)
    return WORDS.index(json.loads(text)["after"]) + 1 if text.startswith("{") else None


def words(request):
    began = time.perf_counter()
    cursor = parse_qs(request.query).get("cursor")
    start = (new_start if NEW else old_start)(cursor[0]) if cursor else 0
    if start is None:
        return 400, {"error": "this is not a cursor"}
    end = start + 3
    following = (new_cursor if NEW else old_cursor)(end) if end < len(WORDS) else None
    return 200, {"words": WORDS[start:end], "next": following, "took_us": round((time.perf_counter() - began) * 1e6)}


serve(PORT, {("GET", "/healthz"): lambda request: (200, "ok"), ("GET", "/words"): words})
