"""What a client says to a store, told apart into turns: HTTP/1.1, MySQL, and bytes of any other protocol.

Pure: bytes in, pieces out, no sockets (those are in `world.burst`; Redis is told apart in `world.resp`). Only as much is
parsed as is needed to name a turn the same in every run and to know what is no turn at all (pings, settings, the login).
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
_ABSOLUTE = re.compile(rb"^https?://[^/]*", re.IGNORECASE)


class Http:
    """HTTP/1.1: a request is a turn, named by its method and target; it is over when the answer begins."""

    def __init__(self) -> None:
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


_SSL, _COMPRESS, _ZSTD, _QUERY_ATTRIBUTES = 0x0800, 0x20, 1 << 26, 1 << 27
_IN_TRANSACTION = 0x0001
_KEPT_PACKETS = 40  # of an answer, to show what it said
_KEPT_BYTES = 300  # of each

_COMMENTS = re.compile(r"(\s+|/\*(?!!).*?\*/|--\s[^\n]*(\n|$)|#[^\n]*(\n|$))*", re.DOTALL)
_LOCAL_SQL = re.compile(
    r"(set|use|show|begin|deallocate)\b.*|start\s+transaction(?!.*consistent\s+snapshot)\b.*"
    r"|select\s+(1|'1'|database\(\)|version\(\)|connection_id\(\)|@@[\w.@, ]+)\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_BEGIN = re.compile(r"begin\b|start\s+transaction\b", re.IGNORECASE)
_END = re.compile(r"(commit|rollback)(\s+work)?(\s+and\s+(no\s+)?chain)?\s*;?\s*", re.IGNORECASE)
_AUTOCOMMIT_ON = re.compile(r"set\s+(session\s+|@@session\.|@@)?autocommit\s*=\s*(1|on|true)\b", re.IGNORECASE)

_QUIT, _QUERY, _CHANGE_USER, _PREPARE, _EXECUTE, _CLOSE, _BULK = 0x01, 0x03, 0x11, 0x16, 0x17, 0x19, 0xFA
_REPLICATION = {0x12, 0x15, 0x1E}  # COM_BINLOG_DUMP, COM_REGISTER_SLAVE, COM_BINLOG_DUMP_GTID
_SILENT = {_QUIT, _CLOSE, 0x18}  # not answered: also COM_STMT_SEND_LONG_DATA


class MySql:
    """MySQL and MariaDB: a statement is a turn, also one that was prepared before. Nothing is one before the login is
    through, nor a ping, a setting, BEGIN, preparing, or the COMMIT of nothing. The server's offer of TLS and compression
    is taken out of its greeting, because neither could be read."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._logged_in = False
        self._greeted = False
        self._answer = _Answer()
        self._greeting = bytearray()
        self._texts: dict[int, str] = {}
        self._preparing: str | None = None
        self._last_prepared = ""
        self._asked = False
        self._fresh = True  # no statement since the transaction began
        self._in_transaction = False

    def sent(self, data: bytes) -> list[Said]:
        self._kept += data
        found: list[Said] = []
        while len(self._kept) >= 4:
            size = int.from_bytes(self._kept[:3], "little")
            if len(self._kept) < 4 + size:
                break
            sequence = self._kept[3]
            packet = bytes(self._kept[: 4 + size])
            del self._kept[: 4 + size]
            if not self._logged_in:
                found.append(self._login(packet))
            elif sequence != 0 or size == 0:
                found.append(Said(packet))  # more of a long command, or a file the server asked for
            else:
                found.append(self._command(packet))
            if found[-1].stop:
                found.append(Said(self.rest()))
        return found

    def answered(self, data: bytes) -> tuple[bytes, Answered | None]:
        if not self._greeted:
            self._greeting += data
            size = int.from_bytes(self._greeting[:3], "little")
            if len(self._greeting) < 4 or len(self._greeting) < 4 + size:
                return b"", None
            data, self._greeted = _without_offers(bytes(self._greeting), size), True
            self._greeting.clear()
            return data, None
        self._answer.add(data)
        if not self._logged_in:
            if self._answer.packets and self._answer.packets[-1][:1] == b"\x00":
                self._logged_in = True
            return data, None
        if not self._answer.packets or not self._asked:
            return data, None
        self._asked = False
        if self._preparing is not None:
            self._prepared(self._answer.packets[0])
        self._learn_status()  # of a long answer it is known at the next command only
        result, error = self._answer.summary()
        return data, Answered(result, error, self._in_transaction)

    def rest(self) -> bytes:
        data = bytes(self._kept)
        self._kept.clear()
        return data

    def _login(self, packet: bytes) -> Said:
        if len(packet) == 36 and int.from_bytes(packet[4:8], "little") & _SSL:
            return Said(packet, stop="MySQL over TLS: turns cannot be told apart")
        return Said(packet)

    def _command(self, packet: bytes) -> Said:
        command, body = packet[4], packet[5:]
        self._learn_status()
        if command not in _SILENT:
            self._asked = True
            self._answer = _Answer()
        if command in _REPLICATION:
            return Said(packet, stop="MySQL replication: turns cannot be told apart")
        if command == _CHANGE_USER:
            self._logged_in, self._in_transaction, self._asked = False, False, False
        elif command == _QUERY:
            return self._statement(packet, shown(body, LONGEST_TEXT))
        elif command == _PREPARE:
            self._preparing = self._last_prepared = shown(body, LONGEST_TEXT)
        elif command in (_EXECUTE, _BULK):
            number = int.from_bytes(body[:4], "little")
            text = self._last_prepared if number == 0xFFFFFFFF else self._texts.get(number, "a prepared statement")
            return self._statement(packet, text)
        elif command == _CLOSE:
            self._texts.pop(int.from_bytes(body[:4], "little"), None)
        return Said(packet)

    def _statement(self, packet: bytes, text: str) -> Said:
        bare = _COMMENTS.sub("", text, count=1)
        if end := _END.fullmatch(bare):
            return Said(packet, text, kind=end[1].lower()) if self._in_transaction else Said(packet)
        if _AUTOCOMMIT_ON.match(bare) and self._in_transaction:
            return Said(packet, text, kind="commit")
        if _LOCAL_SQL.fullmatch(bare):
            self._fresh = self._fresh or _BEGIN.match(bare) is not None
            return Said(packet)
        began = self._fresh or not self._in_transaction
        self._fresh = False
        return Said(packet, text, began=began)

    def _prepared(self, packet: bytes) -> None:
        if packet[:1] == b"\x00" and self._preparing is not None:
            self._texts[int.from_bytes(packet[1:5], "little")] = self._preparing
        self._preparing = None
        self._answer.tells_status = False

    def _learn_status(self) -> None:
        """Whether a transaction is open, from the last packet of the answer. A deadlock ends the transaction."""
        status = self._answer.status()
        if status is not None:
            self._in_transaction = bool(status & _IN_TRANSACTION)
        elif self._answer.packets and self._answer.packets[0][:3] == b"\xff\xbd\x04":  # 1213
            self._in_transaction = False


class _Answer:
    """The packets of one answer as far as they came: the beginnings of the first ones, and of the last."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.tells_status = True  # an answer to preparing begins like an OK, but holds other fields
        self._count = 0
        self._last = b""
        self._head = b""
        self._packet = bytearray()
        self._left = 0

    def add(self, data: bytes) -> None:
        position = 0
        while position < len(data) or (len(self._head) == 4 and not self._left):
            if len(self._head) < 4:
                taken = data[position : position + 4 - len(self._head)]
                self._head += taken
                position += len(taken)
                if len(self._head) == 4:
                    self._left = int.from_bytes(self._head[:3], "little")
            taken = data[position : position + self._left]
            self._packet += taken[: max(0, _KEPT_BYTES - len(self._packet))]
            position += len(taken)
            self._left -= len(taken)
            if len(self._head) == 4 and not self._left:
                self._complete()

    def _complete(self) -> None:
        self._last = bytes(self._packet)
        self._count += 1
        if len(self.packets) < _KEPT_PACKETS:
            self.packets.append(self._last)
        self._packet.clear()
        self._head = b""

    def status(self) -> int | None:
        """The status flags at the end of the answer. None: it is not at its end, or says nothing about them."""
        last = self._last
        if self._head or not last or not self.tells_status:
            return None
        if last[0] == 0xFE and len(last) == 5:
            return int.from_bytes(last[3:5], "little")
        if len(last) >= 7 and (last[0] == 0xFE or (last[0] == 0 and self._count == 1)):
            _, position = _number(last, 1)
            _, position = _number(last, position)
            return int.from_bytes(last[position : position + 2], "little")
        return None

    def summary(self) -> tuple[str, str]:
        """Result and error in a few words."""
        first = self.packets[0]
        if first[:1] == b"\xff":
            code, text = int.from_bytes(first[1:3], "little"), first[3:]
            state = text[1:6].decode("ascii", "replace") if text[:1] == b"#" else ""
            message = shown(text[6:] if state else text, 120)
            return "", f"{code} {state} {message}".replace("  ", " ")
        if first[:1] == b"\x00":
            changed, _ = _number(first, 1)
            return ("OK" if not changed else f"{changed} row{'' if changed == 1 else 's'} changed"), ""
        columns, _ = _number(first, 0)
        if first[:1] == b"\xfb" or self.status() is None or len(self.packets) < columns + 2:
            return "", ""
        ends = 2 if len(self.packets[columns + 1]) == 5 and self.packets[columns + 1][0] == 0xFE else 1
        rows = self._count - 1 - columns - ends
        if rows < 0:
            return "", ""
        result = f"{rows} row{'' if rows == 1 else 's'}"
        where = columns + ends
        if rows == 1 and where < len(self.packets) and (values := _text_row(self.packets[where], columns)):
            result += ": " + ", ".join(values)
        return shown(result.encode(), 120), ""


def _text_row(packet: bytes, columns: int) -> list[str]:
    """The values of a row in the text protocol; none where it is binary or longer than what was kept."""
    values, position = [], 0
    if packet[:1] == b"\x00" or len(packet) >= _KEPT_BYTES:
        return []
    for _ in range(columns):
        if packet[position : position + 1] == b"\xfb":
            values.append("NULL")
            position += 1
            continue
        size, position = _number(packet, position)
        values.append(shown(packet[position : position + size], 40))
        position += size
    return values if position == len(packet) else []


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A length-encoded number and the position behind it."""
    first = data[position] if position < len(data) else 0
    width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
    if not width:
        return first, position + 1
    return int.from_bytes(data[position + 1 : position + 1 + width], "little"), position + 1 + width


def _without_offers(greeting: bytes, size: int) -> bytes:
    """The server's greeting (protocol 10) without TLS, compression and query attributes."""
    version_end = greeting.find(b"\x00", 5)
    low = version_end + 1 + 4 + 8 + 1  # thread number, first part of the challenge, filler
    high = low + 2 + 1 + 2
    if greeting[4:5] != b"\x0a" or version_end < 0 or high + 2 > 4 + size:
        return greeting
    changed = bytearray(greeting)
    for position, flags in ((low, _SSL | _COMPRESS), (high, (_ZSTD | _QUERY_ATTRIBUTES) >> 16)):
        now = int.from_bytes(changed[position : position + 2], "little") & ~flags
        changed[position : position + 2] = now.to_bytes(2, "little")
    return bytes(changed)
