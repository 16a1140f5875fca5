"""The protocol of MySQL and MariaDB, told apart into turns: statements, COMMIT and ROLLBACK.

Pure: bytes in, pieces out. A statement is named by its text without its literals, a prepared one by the text it was
prepared with. Of the answers the beginning and the end are read: what was done, and whether a transaction is open.
"""

from __future__ import annotations

import re
import struct

import msgspec

from crossfade.world.spoken import Answered, Said, shown

LONGEST_STATEMENT = 2000
LONGEST_READ = 64 * 1024  # bytes of a statement that are looked at

_SSL, _COMPRESS, _ZSTD, _QUERY_ATTRIBUTES = 0x0800, 0x20, 1 << 26, 1 << 27
_IN_TRANSACTION, _CURSOR = 0x0001, 0x0040
_LARGEST_PACKET = 0xFFFFFF  # a packet of this size goes on in the next one
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
_LAST_PREPARED = 0xFFFFFFFF  # in place of a number: what was prepared last
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
        self._prepared: dict[int, _Prepared] = {}
        self._preparing: str | None = None
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
        if self._preparing is not None and self._answer.packets:
            self._remember(self._answer.packets[0])
        if not self._asked or not self._answer.complete:
            return data, None
        self._asked = False
        self._learn_status()
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
            return self._statement(packet, _sql(body))
        elif command == _PREPARE:
            self._preparing = _sql(body)
        elif command in (_EXECUTE, _BULK):
            return self._execution(packet, body, bulk=command == _BULK)
        elif command == _CLOSE:
            self._prepared.pop(int.from_bytes(body[:4], "little"), None)
        return Said(packet)

    def _execution(self, packet: bytes, body: bytes, bulk: bool) -> Said:
        number = int.from_bytes(body[:4], "little")
        if number == _LAST_PREPARED and self._preparing is not None:  # not even told its number yet
            return self._statement(packet, self._preparing, ())
        if number == _LAST_PREPARED:
            number = next(reversed(self._prepared), 0)
        prepared = self._prepared.get(number)
        if prepared is None:
            return self._statement(packet, "a prepared statement", ())
        if bulk or not prepared.parameters:
            return self._statement(packet, prepared.text, ())
        types, values = _parameters(body, prepared)
        self._prepared[number] = msgspec.structs.replace(prepared, types=types)
        return self._statement(packet, prepared.text, values)

    def _statement(self, packet: bytes, text: str, bound: tuple[str, ...] | None = None) -> Said:
        """`bound`: the values of a prepared statement, whose text is the same in every run as it is."""
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
        named, values = without_literals(text) if bound is None else (text, bound)
        return Said(packet, shown(named.encode(), LONGEST_STATEMENT), values, began=began)

    def _remember(self, packet: bytes) -> None:
        if packet[:1] == b"\x00" and self._preparing is not None:
            number, parameters = int.from_bytes(packet[1:5], "little"), int.from_bytes(packet[7:9], "little")
            self._prepared[number] = _Prepared(self._preparing, parameters)
        self._preparing = None
        self._answer.tells_status = False

    def _learn_status(self) -> None:
        """Whether a transaction is open, from the last packet of the answer. A deadlock ends the transaction."""
        status = self._answer.status()
        if status is not None:
            self._in_transaction = bool(status & _IN_TRANSACTION)
        elif self._answer.packets and self._answer.packets[0][:3] == b"\xff\xbd\x04":  # 1213
            self._in_transaction = False


class _Prepared(msgspec.Struct, frozen=True):
    """`types` are sent with the first execution only."""

    text: str
    parameters: int = 0
    types: bytes = b""


_FIXED = {0x01: "<b", 0x02: "<h", 0x03: "<i", 0x04: "<f", 0x05: "<d", 0x08: "<q", 0x09: "<i", 0x0D: "<h"}
_DATES, _TIME, _NULL = (0x07, 0x0A, 0x0C), 0x0B, 0x06


def _parameters(body: bytes, prepared: _Prepared) -> tuple[bytes, tuple[str, ...]]:
    """The types of the parameters and their values as text; as many as can be read."""
    count = prepared.parameters
    nulls = body[9 : 9 + (count + 7) // 8]
    position = 9 + len(nulls) + 1
    types = prepared.types
    if body[position - 1 : position] == b"\x01":
        types = body[position : position + 2 * count]
        position += 2 * count
    values: list[str] = []
    for number in range(min(count, len(types) // 2)):
        kind, unsigned = types[2 * number], types[2 * number + 1] & 0x80
        if kind == _NULL or nulls[number // 8] >> number % 8 & 1:
            values.append("NULL")
        elif kind in _FIXED:
            form = _FIXED[kind].upper() if unsigned and kind not in (0x04, 0x05) else _FIXED[kind]
            if position + struct.calcsize(form) > len(body):
                break
            values.append(str(struct.unpack_from(form, body, position)[0]))
            position += struct.calcsize(form)
        elif position >= len(body):
            break  # it came before, in pieces
        else:
            size, position = _number(body, position)
            value = body[position : position + size]
            values.append(_moment(value, kind) if kind in (*_DATES, _TIME) else shown(value))
            position += size
    return types, tuple(values)


def _moment(value: bytes, kind: int) -> str:
    """A date, a date with time, or a time as MySQL sends them: only as many fields as are not zero.

    >>> _moment(bytes([0xEA, 7, 11, 24, 5, 30, 0]), 0x0C), _moment(bytes([1, 0, 0, 0, 0, 2, 0, 0]), 0x0B)
    ('2026-11-24 05:30:00', '-2:00:00')
    """
    if kind == _TIME:
        sign, days, hours, minutes, seconds = struct.unpack("<BIBBB", value[:8].ljust(8, b"\0"))
        return f"{'-' if sign else ''}{days * 24 + hours}:{minutes:02}:{seconds:02}"
    year, month, day, hours, minutes, seconds, parts = struct.unpack("<HBBBBBI", value[:11].ljust(11, b"\0"))
    text = f"{year:04}-{month:02}-{day:02}"
    if len(value) > 4:
        text += f" {hours:02}:{minutes:02}:{seconds:02}" + (f".{parts:06}" if parts else "")
    return text


def _sql(body: bytes) -> str:
    return body[:LONGEST_READ].decode("utf-8", "backslashreplace")


_LITERALS = re.compile(
    r"""(?P<kept>`[^`]*`|/\*.*?\*/)|(?P<text>'(?:[^'\\]|\\.|'')*(?:'|$)|"(?:[^"\\]|\\.|"")*(?:"|$))"""
    r"|(?P<number>(?<![\w$.])-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w$]))",
    re.IGNORECASE | re.DOTALL,
)


def without_literals(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with ? for its literals, and these: many MySQL clients write the values into the text, which would be
    another in every run.

    >>> without_literals("UPDATE t1 SET a = 'it''s', `b 2` = -1.5 WHERE id IN (7, 8)")
    ('UPDATE t1 SET a = ?, `b 2` = ? WHERE id IN (?, ?)', ("it''s", '-1.5', '7', '8'))
    """
    values: list[str] = []

    def name(found: re.Match[str]) -> str:
        if found["kept"] is not None:
            return found["kept"]
        value = found["number"] or found[0][1 : -1 if len(found[0]) > 1 and found[0][-1] == found[0][0] else None]
        values.append(shown(value.encode()))
        return "?"

    return _LITERALS.sub(name, sql), tuple(values)


class _Answer:
    """The packets of one answer as far as they came: the beginnings of the first ones, and of the last. It is `complete`
    with an OK or an error, or behind the last row; of several results with the first."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []
        self.tells_status = True  # an answer to preparing begins like an OK, but holds other fields
        self.complete = False
        self._count = 0
        self._last = b""
        self._head = b""
        self._packet = bytearray()
        self._size = self._left = 0
        self._continued = False

    def add(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            if len(self._head) < 4:
                taken = data[position : position + 4 - len(self._head)]
                self._head += taken
                position += len(taken)
                if len(self._head) < 4:
                    return
                self._size = self._left = int.from_bytes(self._head[:3], "little")
            taken = data[position : position + self._left]
            self._packet += taken[: max(0, _KEPT_BYTES - len(self._packet))]
            position += len(taken)
            self._left -= len(taken)
            if not self._left:
                self._end_packet()

    def _end_packet(self) -> None:
        self._last, self._head = bytes(self._packet), b""
        self._packet.clear()
        more_of_the_same = self._continued
        self._continued = self._size == _LARGEST_PACKET
        if more_of_the_same:
            return
        self._count += 1
        if len(self.packets) < _KEPT_PACKETS:
            self.packets.append(self._last)
        self.complete = self.complete or self._ends()

    def _ends(self) -> bool:
        first = self.packets[0][:1]
        if self._count == 1:
            return first in (b"\x00", b"\xff", b"\xfb", b"")
        if self._last[:1] == b"\xff":
            return True
        if self._last[:1] != b"\xfe" or self._size == _LARGEST_PACKET:
            return False
        columns, _ = _number(self.packets[0], 0)
        if self._count == columns + 2 and self._size == 5:  # behind the columns; with a cursor no rows follow
            return bool(int.from_bytes(self._last[3:5], "little") & _CURSOR)
        return self._count >= columns + 2

    def status(self) -> int | None:
        """The status flags at the end of the answer. None: it is not at its end, or says nothing about them."""
        last = self._last
        if not self.complete or not self.tells_status:
            return None
        if last[:1] == b"\xfe" and len(last) == 5:
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
