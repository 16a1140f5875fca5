"""Two services in one file: `auth` issues tokens, `api` reads them. Noise: nonces, times, a counter of requests."""

import base64
import json
import secrets
import sys
import time
from itertools import count

from web import serve

NAME, VERSION, PORT = sys.argv[1:]
NEW = VERSION == "2.0"
served = count(1)


def login(request):
    claims = {"user": request.json["user"], "at": int(time.time()), "nonce": secrets.token_hex(4)}
    if NEW:
        token = "v2." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    else:
        token = "v1." + ".".join(str(value) for value in claims.values())
    return 201, {"token": token, "served": next(served)}


def me(request):
    kind, _, rest = request.headers.get("Authorization", "").removeprefix("Bearer ").partition(".")
    if kind == "v2" and NEW:
        user = json.loads(base64.urlsafe_b64decode(rest))["user"]
    elif kind == "v1":
        user = rest.split(".")[0]
    else:
        return 401, {"error": "this is not a token"}
    return 200, {"user": user, "served": next(served)}


views = {("POST", "/login"): login} if NAME == "auth" else {("GET", "/me"): me}
serve(PORT, {("GET", "/healthz"): lambda request: (200, "ok"), **views})
