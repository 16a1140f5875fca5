"""The Redis protocol as a proxy needs it: where commands and replies end, what they are called, what they touch.

Pure: bytes in, commands and replies out, whatever the chunks. RESP2 and RESP3; a reply is counted and shown in a few
characters, never kept. Which keys a command reads and writes is known from its name (`access`), not asked of the server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec

from crossfade.world.spoken import shown

LONGEST_ARGUMENT = 4096  # bytes of an argument that are kept
LONGEST_LINE = 64 * 1024
LARGEST_BULK = 512 * 1024 * 1024
LARGEST_COUNT = 1024 * 1024
LONGEST_RESULT = 60
SHOWN_ITEMS = 5


class NotRedis(ValueError):
    """These bytes follow no rule of the protocol."""


class Command(msgspec.Struct, frozen=True):
    """`arguments` with the name first, each cut at LONGEST_ARGUMENT; `data` as it was sent. No arguments: an empty
    line, to which the server says nothing."""

    arguments: tuple[bytes, ...]
    data: bytes


class Commands:
    """Commands of one connection, as arrays or inline. `problem`: why what follows is no command; nothing more comes."""

    def __init__(self) -> None:
        self.problem = ""
        self._kept = bytearray()
        self._position = 0
        self._searched = 0
        self._missing = 0
        self._length = -1
        self._arguments: list[bytes] = []

    @property
    def unfinished(self) -> bool:
        return bool(self._kept)

    def feed(self, data: bytes) -> list[Command]:
        """The commands that are complete now."""
        self._kept += data
        found: list[Command] = []
        try:
            while not self.problem and self._step():
                if not self._missing and self._length < 0:
                    found.append(Command(tuple(self._arguments), bytes(self._kept[: self._position])))
                    del self._kept[: self._position]
                    self._position = self._searched = 0
                    self._arguments.clear()
        except NotRedis as problem:
            self.problem = str(problem)
        return found

    def rest(self) -> bytes:
        data = bytes(self._kept)
        self._kept.clear()
        return data

    def _step(self) -> bool:
        """One line or one argument further; False where more bytes are needed."""
        if self._length >= 0:
            end = self._position + self._length
            if len(self._kept) < end + 2:
                return False
            if self._kept[end : end + 2] != b"\r\n":
                raise NotRedis("an argument does not end where its length says")
            self._arguments.append(bytes(self._kept[self._position : min(end, self._position + LONGEST_ARGUMENT)]))
            self._position = end + 2
            self._searched = self._position
            self._length = -1
            self._missing -= 1
            return True
        if self._kept and not self._position and not (self._kept[0] >= 32 or self._kept[0] in b"\r\n\t"):
            raise NotRedis(f"a command cannot begin with byte {self._kept[0]}")
        end = self._kept.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._kept)
            if len(self._kept) - self._position > LONGEST_LINE:
                raise NotRedis("a line without end")
            return False
        line = bytes(self._kept[self._position : end]).removesuffix(b"\r")
        self._position = self._searched = end + 1
        if self._missing:
            self._length = _count(line, b"$", LARGEST_BULK)
            if self._length < 0:
                raise NotRedis("an argument without length")
        elif line[:1] == b"*":
            self._missing = max(0, _count(line, b"*", LARGEST_COUNT))
        else:
            self._arguments.extend(word[:LONGEST_ARGUMENT] for word in line.split())
        return True


class Reply(msgspec.Struct, frozen=True):
    """`text` in a few characters; `error` where the whole reply is one. A `push` answers no command."""

    text: str
    error: str = ""
    push: bool = False


class _Aggregate:
    __slots__ = ("items", "kind", "missing", "total")

    def __init__(self, kind: bytes, total: int) -> None:
        self.kind = kind
        self.total = self.missing = total
        self.items: list[str] = []

    def text(self) -> str:
        if self.kind == b"%":
            pairs = zip(self.items[::2], self.items[1::2], strict=False)
            inner, total = [f"{name}: {value}" for name, value in pairs], self.total // 2
        else:
            inner, total = self.items[:SHOWN_ITEMS], self.total
        more = [f"... {total} in all"] if total > len(inner) else []
        opening, closing = ("{", "}") if self.kind in (b"%", b"~") else ("[", "]")
        return opening + ", ".join(inner + more) + closing


class Replies:
    """Replies of one connection. Bulk strings are dropped as they come, but for what is shown."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._bulk = b""  # its kind, while one is being read
        self._left = 0
        self._length = 0
        self._head = bytearray()
        self._stack: list[_Aggregate] = []

    def feed(self, data: bytes) -> list[Reply]:
        found: list[Reply] = []
        position = 0
        while position < len(data):
            if self._bulk:
                taken = data[position : position + self._left]
                self._head += taken[: max(0, LONGEST_RESULT * 4 - len(self._head))]
                position += len(taken)
                self._left -= len(taken)
                if not self._left:
                    self._end_bulk(found)
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._line += data[position:]
                if len(self._line) > LONGEST_LINE:
                    raise NotRedis("a line without end")
                break
            line = bytes(self._line + data[position:end]).removesuffix(b"\r")
            self._line.clear()
            position = end + 1
            self._read(line, found)
        return found

    def _read(self, line: bytes, found: list[Reply]) -> None:
        kind, value = line[:1], line[1:]
        if kind in (b"+", b":", b",", b"("):
            self._add(shown(value, LONGEST_RESULT), "", found)
        elif kind == b"-":
            self._add("", shown(value, 200) or "error", found)
        elif kind == b"_":
            self._add("nil", "", found)
        elif kind == b"#":
            self._add("true" if value == b"t" else "false", "", found)
        elif kind in (b"$", b"!", b"="):
            length = _count(line, kind, LARGEST_BULK)
            if length < 0:
                self._add("nil", "", found)
            else:
                self._bulk, self._length, self._left = kind, length, length + 2
        elif kind in (b"*", b"~", b">", b"%", b"|"):
            count = _count(line, kind, LARGEST_COUNT * 64)
            if count < 0:
                self._add("nil", "", found)
                return
            aggregate = _Aggregate(kind, count * 2 if kind in (b"%", b"|") else count)
            if aggregate.missing:
                self._stack.append(aggregate)
            elif kind != b"|":
                self._add(aggregate.text(), "", found)
        else:
            raise NotRedis(f"a reply cannot begin with {line[:1]!r}")

    def _end_bulk(self, found: list[Reply]) -> None:
        value = bytes(self._head[: self._length])
        cut = self._length > len(value)
        kind = self._bulk
        self._bulk = b""
        self._head.clear()
        if kind == b"!":
            self._add("", shown(value, 200) or "error", found)
            return
        text = (value[4:] if kind == b"=" else value).decode("utf-8", "backslashreplace")
        if cut or len(text) > LONGEST_RESULT:
            text = text[: LONGEST_RESULT - 3] + "..."
        self._add(json.dumps(text, ensure_ascii=False), "", found)

    def _add(self, text: str, error: str, found: list[Reply]) -> None:
        push = False
        while self._stack:
            aggregate = self._stack[-1]
            if len(aggregate.items) < SHOWN_ITEMS * 2:
                aggregate.items.append(f"error {error}" if error else text)
            aggregate.missing -= 1
            if aggregate.missing:
                return
            self._stack.pop()
            if aggregate.kind == b"|":
                return  # attributes stand before the reply they belong to
            push = aggregate.kind == b">" and not self._stack
            text, error = shown(aggregate.text().encode(), LONGEST_RESULT), ""
        found.append(Reply(text, error, push))


def _count(line: bytes, kind: bytes, largest: int) -> int:
    digits = line[1:]
    if line[:1] != kind or not (digits.isdigit() or digits == b"-1") or len(digits) > 10 or int(digits) > largest:
        raise NotRedis(f"`{shown(line, 20)}` is no length")
    return int(digits)


# ── what a command touches ──────────────────────────────────────────────────────

Touched = tuple[frozenset[str], frozenset[str]]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READ_FIRST = _names(
    "GET GETRANGE SUBSTR STRLEN GETBIT BITCOUNT BITPOS BITFIELD_RO TTL PTTL EXPIRETIME PEXPIRETIME TYPE DUMP DIGEST "
    "HGET HMGET HGETALL HKEYS HVALS HLEN HEXISTS HSTRLEN HRANDFIELD HSCAN HTTL HPTTL HEXPIRETIME HPEXPIRETIME "
    "LINDEX LLEN LRANGE LPOS SCARD SISMEMBER SMISMEMBER SMEMBERS SRANDMEMBER SSCAN ZCARD ZCOUNT ZLEXCOUNT ZMSCORE "
    "ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE "
    "GEODIST GEOHASH GEOPOS GEOSEARCH GEORADIUS_RO GEORADIUSBYMEMBER_RO XLEN XRANGE XREVRANGE XPENDING"
)
_CHANGE_FIRST = _names(  # the answer, or what is written, depends on what was there
    "APPEND INCR INCRBY INCRBYFLOAT DECR DECRBY GETSET GETDEL GETEX SETNX SETRANGE SETBIT BITFIELD EXPIRE PEXPIRE "
    "EXPIREAT PEXPIREAT PERSIST RESTORE HSET HMSET HSETNX HDEL HINCRBY HINCRBYFLOAT HGETDEL HGETEX HSETEX HEXPIRE "
    "HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LREM LSET LTRIM LINSERT SADD SREM SPOP "
    "ZADD ZINCRBY ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZPOPMIN ZPOPMAX GEOADD PFADD XADD XDEL XTRIM XACK "
    "XCLAIM XAUTOCLAIM XSETID XACKDEL XDELEX DELIFEQ DELEX"
)
_READ_ALL = _names("MGET EXISTS TOUCH SINTER SUNION SDIFF PFCOUNT WATCH")
_CHANGE_ALL = _names("DEL UNLINK")
_CHANGE_TWO = _names("RENAME RENAMENX SMOVE LMOVE RPOPLPUSH")
_INTO_FIRST = _names("SINTERSTORE SUNIONSTORE SDIFFSTORE")
_INTO_FIRST_COUNTED = _names("ZUNIONSTORE ZINTERSTORE ZDIFFSTORE")
_INTO_FIRST_FROM_SECOND = _names("ZRANGESTORE GEOSEARCHSTORE")
_READ_COUNTED = _names("SINTERCARD ZINTERCARD ZINTER ZUNION ZDIFF")
_CHANGE_COUNTED = _names("LMPOP ZMPOP")
_SCRIPTS = _names("EVAL EVALSHA FCALL")
_SCRIPTS_READING = _names("EVAL_RO EVALSHA_RO FCALL_RO")
TOUCHING_NOTHING = _names(
    "PING HELLO AUTH CLIENT SELECT COMMAND INFO CONFIG READONLY READWRITE RESET QUIT ECHO TIME ROLE LASTSAVE LATENCY "
    "SLOWLOG ACL ASKING MULTI DISCARD UNWATCH SCRIPT"
)
_SET_READS = _names("NX XX GET IFEQ IFNE IFDEQ IFDNE KEEPTTL")


def access(arguments: Sequence[bytes | str]) -> Touched | None:
    """The keys a command reads and those it writes; None where it is unknown or may touch any key. A script counts as
    writing every key it is given.

    >>> access(["INCR", "stock:7"])
    (frozenset({'stock:7'}), frozenset({'stock:7'}))
    >>> access(["SET", "stock:7", "1"])
    (frozenset(), frozenset({'stock:7'}))
    >>> access(["KEYS", "*"]) is None
    True
    """
    words = [word if isinstance(word, str) else text_of(word) for word in arguments]
    if not words:
        return frozenset(), frozenset()
    name, rest = words[0].upper(), words[1:]
    if name in TOUCHING_NOTHING:
        return frozenset(), frozenset()
    if not rest:
        return None
    first = frozenset(rest[:1])
    if name in _READ_FIRST:
        return first, frozenset()
    if name in _CHANGE_FIRST:
        return first, first
    if name in _READ_ALL:
        return frozenset(rest), frozenset()
    if name in _CHANGE_ALL:
        return frozenset(rest), frozenset(rest)
    if name in _CHANGE_TWO:
        return frozenset(rest[:2]), frozenset(rest[:2])
    if name == "SET":
        reads = bool(_SET_READS & {word.upper() for word in rest[2:]})
        return (first if reads else frozenset()), first
    if name in ("SETEX", "PSETEX"):
        return frozenset(), first
    if name in ("MSET", "MSETNX"):
        keys = frozenset(rest[::2])
        return (keys if name == "MSETNX" else frozenset()), keys
    return _wide_access(name, rest)


def _wide_access(name: str, rest: list[str]) -> Touched | None:
    """Commands whose keys stand elsewhere than at the beginning, or that copy from one key to another."""
    first = frozenset(rest[:1])
    if name in _INTO_FIRST:
        return frozenset(rest[1:]), first
    if name == "PFMERGE":
        return frozenset(rest), first
    if name == "BITOP":
        return frozenset(rest[2:]), frozenset(rest[1:2])
    if name == "COPY":
        return frozenset(rest[:2]), frozenset(rest[1:2])
    if name == "LCS":
        return frozenset(rest[:2]), frozenset()
    if name in _INTO_FIRST_FROM_SECOND:
        return frozenset(rest[1:2]), first
    if name in _INTO_FIRST_COUNTED:
        counted = _counted(rest, 1)
        return None if counted is None else (counted, first)
    if name in _READ_COUNTED:
        counted = _counted(rest, 0)
        return None if counted is None else (counted, frozenset())
    if name in _CHANGE_COUNTED:
        counted = _counted(rest, 0)
        return None if counted is None else (counted, counted)
    if name in _SCRIPTS or name in _SCRIPTS_READING:
        counted = _counted(rest, 1)
        if not counted:
            return None  # a script without keys finds them by itself
        return counted, (frozenset() if name in _SCRIPTS_READING else counted)
    if name in ("OBJECT", "MEMORY", "XINFO") and len(rest) >= 2:
        return frozenset(rest[1:2]), frozenset()
    if name == "XGROUP" and len(rest) >= 2:
        return frozenset(rest[1:2]), frozenset(rest[1:2])
    if name in ("XREAD", "XREADGROUP"):
        return _streams(rest, writing=name == "XREADGROUP")
    if name in ("SORT", "SORT_RO"):
        return _sorted(rest)
    return None


def _counted(rest: list[str], position: int) -> frozenset[str] | None:
    """The keys behind their number at `position`."""
    if len(rest) <= position or not rest[position].isdecimal():
        return None
    return frozenset(rest[position + 1 : position + 1 + int(rest[position])])


def _streams(rest: list[str], writing: bool) -> Touched | None:
    places = [number for number, word in enumerate(rest) if word.upper() == "STREAMS"]
    if not places:
        return None
    behind = rest[places[0] + 1 :]
    keys = frozenset(behind[: len(behind) // 2])
    return keys, keys if writing else frozenset()


def _sorted(rest: list[str]) -> Touched | None:
    options = [word.upper() for word in rest[1:]]
    if "BY" in options or "GET" in options:
        return None  # patterns that name other keys
    written = rest[options.index("STORE") + 2 :][:1] if "STORE" in options else []
    return frozenset(rest[:1]), frozenset(written)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def touched(commands: Iterable[Sequence[bytes | str]]) -> Touched | None:
    """What several commands touch together; None where one of them may touch anything."""
    reads, writes = frozenset[str](), frozenset[str]()
    for command in commands:
        one = access(command)
        if one is None:
            return None
        reads, writes = reads | one[0], writes | one[1]
    return reads, writes
