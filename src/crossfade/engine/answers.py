"""An answer as it is compared: status, media type, the few headers with meaning, and the body as JSON or text."""

from __future__ import annotations

from typing import Any

import msgspec

from crossfade.model.history import Exchange, Response

COMPARED_HEADERS = ("location",)
WAIT_AND_RETRY = 429


class Answer(msgspec.Struct, frozen=True):
    """`status` 0: no answer came, and `failure` says why. `kind` is json, text, binary or empty. `at` is when it ended
    (seconds since the epoch), for telling clocks from other numbers. `headers` are those that are compared, `received` all
    of them (lower-case names), for expressions."""

    status: int
    media: str = ""
    headers: dict[str, str] = {}
    kind: str = "empty"
    body: Any = None
    at: float = 0.0
    failure: str = ""
    received: dict[str, str] = {}

    @property
    def works(self) -> bool:
        """The call did what was asked: no failure, no refusal, no error in a 200."""
        return 0 < self.status < 400 and not graphql_errors(self)

    @property
    def refused(self) -> bool:
        return 400 <= self.status < 500

    @property
    def broken(self) -> bool:
        return self.status == 0 or self.status >= 500 or graphql_errors(self)


def answer(exchange: Exchange) -> Answer | None:
    """None for a blocked call."""
    if exchange.failure is not None:
        kind = exchange.failure.kind + (" (the process died)" if exchange.failure.died else "")
        return Answer(status=0, failure=kind, at=exchange.ended)
    if exchange.response is None:
        return None
    response = exchange.response
    media = (response.header("content-type") or "").split(";")[0].strip().lower()
    headers = {name: value for name in COMPARED_HEADERS if (value := response.header(name)) is not None}
    kind, body = body_value(response, media)
    return Answer(response.status, media, headers, kind, body, exchange.ended, "", dict(response.headers))


def body_value(response: Response, media: str) -> tuple[str, Any]:
    """(kind, value): JSON where it parses as JSON and says so or looks so; text where it is UTF-8; else bytes."""
    raw = response.body
    if not raw:
        return "empty", None
    if "json" in media or raw[:1] in b'{["':
        try:
            return "json", msgspec.json.decode(raw)
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass
    if media.endswith("json"):
        return "text", raw.decode("utf-8", "replace")
    try:
        return "text", raw.decode("utf-8")
    except UnicodeDecodeError:
        return "binary", raw


def graphql_errors(seen: Answer) -> bool:
    """A 200 whose body is a GraphQL result with errors."""
    if seen.kind != "json" or not isinstance(seen.body, dict) or not 200 <= seen.status < 300:
        return False
    errors = seen.body.get("errors")
    if not isinstance(errors, list) or not errors:
        return False
    return "data" in seen.body or all(isinstance(item, dict) and "message" in item for item in errors)


def json_text(value: Any, limit: int = 400) -> str:
    """A value as short JSON text for people."""
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"
