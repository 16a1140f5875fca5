"""What a client says to a store, told apart into turns: HTTP/1.1, and bytes of any other protocol.

Pure: bytes in, pieces out, no sockets (those are in `world.burst`; Redis is told apart in `world.redis_turns`, MySQL
in `world.mysql`). Only as much is parsed as is needed to name a turn the same in every run, and to know what is no turn.
"""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

LONGEST_TEXT = 400
LONGEST_VALUE = 60
LARGEST_HEAD = 64 * 1024
LARGEST_BODY = (
    64 * 1024
)  # a request up to this size is one turn with its whole body; of a larger one only the beginning


class Said(msgspec.Struct, frozen=True):
    """A piece of what the client sent. No `text`: it is not scheduled. `commands`: the Redis commands in it that touch
    something. `stop`: from here on this connection cannot be told apart into turns, and why."""

    data: bytes
    text: str = ""
    values: tuple[str, ...] = ()
    kind: str = "burst"
    commands: tuple[tuple[str, ...], ...] = ()
    began: bool = False
    stop: str = ""


class Answered(msgspec.Struct, frozen=True):
    """The answer to everything said so far is there (for HTTP and unknown protocols: it begins)."""

    result: str = ""
    error: str = ""
    open_transaction: bool = False


class Talk(Protocol):
    """One connection. Neither method may be given bytes twice, or bytes of another connection."""

    def sent(self, data: bytes) -> list[Said]:
        """The pieces that are complete now, in order; the rest is kept for the next call."""
        ...

    def answered(self, data: bytes) -> tuple[bytes, Answered | None]:
        """What the client is to be told, and whether that answers what it said."""
        ...

    def rest(self) -> bytes:
        """What the client has begun to say and `sent` has not given out yet. Taken out: it is told once."""
        ...


def joined(text: str, more: str) -> str:
    """The name of a burst of several pieces.

    >>> joined("SET a", "SET b"), joined("10 bytes", "5 bytes"), joined("", "GET a")
    ('SET a; SET b', '15 bytes', 'GET a')
    """
    if not text or not more:
        return text or more
    if (one := re.fullmatch(r"(\d+) bytes", text)) and (other := re.fullmatch(r"(\d+) bytes", more)):
        return f"{int(one[1]) + int(other[1])} bytes"
    whole = f"{text}; {more}"
    return whole if len(whole) <= LONGEST_TEXT else whole[: LONGEST_TEXT - 3] + "..."


def shown(data: bytes, longest: int = LONGEST_VALUE) -> str:
    text = data[: longest * 4].decode("utf-8", "backslashreplace")
    return text if len(text) <= longest and len(data) <= longest * 4 else text[: longest - 3] + "..."


class Opaque:
    """Any protocol: whatever the client sends until the server speaks is one turn. `scheduled` False: none is."""

    def __init__(self, scheduled: bool = True) -> None:
        self._scheduled = scheduled

    def sent(self, data: bytes) -> list[Said]:
        if self._scheduled and data.startswith(b"PRI * HTTP/2.0"):
            return [Said(data, stop="HTTP/2: several calls share a connection, turns cannot be told apart")]
        return [Said(data, f"{len(data)} bytes" if self._scheduled else "")]

    def answered(self, data: bytes) -> tuple[bytes, Answered | None]:
        return data, Answered()

    def rest(self) -> bytes:
        return b""


_REQUEST_LINE = re.compile(rb"([A-Z]+) (\S+) HTTP/(\d)\.\d$")
_HOST = re.compile(rb"\r\nHost:[^\r\n]*", re.IGNORECASE)
_ABSOLUTE = re.compile(rb"^https?://[^/]*", re.IGNORECASE)


class Http:
    """HTTP/1.1: a request is a turn, named by its method and target; it is over when the answer begins. `host` replaces
    the Host the client names: a server that serves several, or writes its address into answers, must not meet ours."""

    def __init__(self, host: str = "") -> None:
        self._host = host.encode()
        self._kept = bytearray()
        self._body_left = 0

    def sent(self, data: bytes) -> list[Said]:
        self._kept += data
        found: list[Said] = []
        while self._kept:
            if self._body_left:
                piece = self._taken(min(self._body_left, len(self._kept)))
                self._body_left -= len(piece)
                found.append(Said(piece))
                continue
            said = self._next()
            if said is None:
                break
            found.append(said)
            if said.stop:
                break
        return found

    def answered(self, data: bytes) -> tuple[bytes, Answered | None]:
        status = re.match(rb"HTTP/1\.\d (\d{3})", data)
        if status is not None and status[1].startswith(b"1") and status[1] != b"101":
            following = data.find(b"\r\n\r\n")  # 100 Continue, 103 Early Hints: the answer is still to come
            if following < 0 or following + 4 == len(data):
                return data, None
            status = re.match(rb"HTTP/1\.\d (\d{3})", data[following + 4 :])
        return data, Answered(status[1].decode() if status else "")

    def rest(self) -> bytes:
        return self._taken(len(self._kept))

    def _next(self) -> Said | None:
        """The next request, once its head (and a body of modest size) is there."""
        kept = bytes(self._kept[:LARGEST_HEAD])
        if kept.startswith(b"PRI * HTTP/2.0"):
            return self._stop("HTTP/2: several calls share a connection, turns cannot be told apart")
        end = kept.find(b"\r\n\r\n")
        if end < 0:
            if len(kept) < LARGEST_HEAD and re.match(rb"(\r\n)*[A-Z]{0,20}($| )", kept):
                return None
            return Said(self._taken(len(self._kept)))  # the body of a request whose length nobody said
        lines = kept[:end].lstrip(b"\r\n").split(b"\r\n")
        line = _REQUEST_LINE.match(lines[0])
        if line is None:
            return Said(self._taken(len(self._kept)))
        fields = _fields(lines[1:])
        if self._host:
            head = _HOST.sub(lambda _: b"\r\nHost: " + self._host, kept[:end], count=1)
            self._kept[:end] = head
            end = len(head)
        if reason := _leaves_http(line[1], fields):
            return self._stop(reason)
        length = int(fields.get(b"content-length", b"0")) if fields.get(b"content-length", b"0").isdigit() else 0
        whole = end + 4 + length
        if length <= LARGEST_BODY and b"expect" not in fields:
            if len(self._kept) < whole:
                return None
        else:
            self._body_left = max(0, whole - len(self._kept))
        data = self._taken(min(whole, len(self._kept)))
        if fields.get(b"transfer-encoding"):
            data += self._taken(len(self._kept))
        target = _ABSOLUTE.sub(b"", line[2]) or b"/"
        body = data[end + 4 :]
        return Said(data, f"{line[1].decode()} {shown(target, 200)}", (shown(body, 200),) if body else ())

    def _stop(self, reason: str) -> Said:
        return Said(self._taken(len(self._kept)), stop=reason)

    def _taken(self, count: int) -> bytes:
        data = bytes(self._kept[:count])
        del self._kept[:count]
        return data


def _fields(lines: list[bytes]) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in lines)
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


def _leaves_http(method: bytes, fields: dict[bytes, bytes]) -> str:
    """Why the bytes after this request are no HTTP/1.1."""
    if method == b"CONNECT":
        return "a tunnel (CONNECT): turns cannot be told apart"
    if b"upgrade" not in fields.get(b"connection", b""):
        return ""
    protocol = fields.get(b"upgrade", b"")
    if protocol.startswith(b"h2c"):
        return "HTTP/2 (Upgrade: h2c): several calls share a connection, turns cannot be told apart"
    return "a WebSocket: turns cannot be told apart" if b"websocket" in protocol else ""
