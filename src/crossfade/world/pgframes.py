"""Messages of the PostgreSQL protocol: cut out of a byte stream in any chunking, and what is remembered of them."""

from __future__ import annotations

import struct
from collections.abc import Set

from crossfade.world import pgvalues
from crossfade.world.pgstatements import Meaning, meaning

KEPT = 1 << 20  # bytes of a body that are kept for reading
LONGEST = 1 << 30  # what the server accepts

# of the client
PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, SYNC, FLUSH, QUERY, CALL, TERMINATE = b"PBDECSHQFX"
COPY_DATA, COPY_DONE, COPY_FAIL, PASSWORD = b"dcfp"
# of the server
PARSED, BOUND, CLOSED, ROW, ROW_DESCRIPTION, NO_DATA, PARAMETER_DESCRIPTION, COMPLETE = b"123DTntC"
EMPTY, SUSPENDED, ERROR, READY, KEY_DATA, COPY_IN, COPY_BOTH, NOTICE, SETTING, NOTIFICATION = b"IsEZKGWNSA"

CLIENT_KINDS = frozenset(b"PBDECSHQFXdcfp")
SERVER_KINDS = frozenset(b"RKSNEZTDCI123ntsAGHWdcVv")
UNREAD = frozenset((ROW, COPY_DATA))  # of the server, while no turn waits for its answer
NOTHING: frozenset[int] = frozenset()

ENDS = frozenset((QUERY, SYNC, FLUSH, CALL, TERMINATE, COPY_DATA, COPY_DONE, COPY_FAIL, PASSWORD))  # of a segment
PASSING = frozenset((COPY_DATA, COPY_DONE, COPY_FAIL, PASSWORD, TERMINATE))  # wait for no answer
COPY_ENDS = frozenset((COPY_DONE, COPY_FAIL))
EXECUTING = frozenset((EXECUTE, QUERY, CALL))
ANSWERED = frozenset((PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, QUERY, CALL))  # and Sync, unless it is ignored
READY_AFTER = frozenset((SYNC, QUERY, CALL))
ANSWERS = {PARSED: PARSE, BOUND: BIND, CLOSED: CLOSE}
EXECUTION_ENDS = frozenset((COMPLETE, EMPTY, SUSPENDED))
ANY_TIME = frozenset((NOTICE, SETTING, NOTIFICATION))


class Frames:
    """The messages of one direction. `unread` kinds are left out; `broken`: these bytes are not the protocol."""

    __slots__ = ("_head", "_kept", "_kinds", "_left", "_parts", "broken", "partial", "unread")

    def __init__(self, kinds: Set[int], unread: Set[int] = NOTHING) -> None:
        self.broken = False
        self.partial = 0  # the kind of a message of which only the beginning was seen
        self.unread = unread
        self._kinds = kinds
        self._head = b""
        self._left = 0
        self._parts: list[bytes] = []
        self._kept = 0

    def push(self, data: bytes) -> list[tuple[int, bytes, int]]:
        """Of each message that ends in `data`: kind, body (its first `KEPT` bytes), where it ends in `data`."""
        found: list[tuple[int, bytes, int]] = []
        at, end = 0, len(data)
        kinds, unread, header = self._kinds, self.unread, _HEADER.unpack_from
        if self._left:
            at = self._more(data, end, found)
        while at < end:
            if self._head or end - at < 5:
                take = min(5 - len(self._head), end - at)
                self._head += data[at : at + take]
                at += take
                if len(self._head) < 5:
                    break
                kind, length = header(self._head)
                self._head = b""
            else:
                kind, length = header(data, at)
                at += 5
            if kind not in kinds or not 4 <= length <= LONGEST:
                self.broken = True
                break
            stop = at + length - 4
            if stop > end:
                self.partial, self._left = kind, stop - end
                self._parts, self._kept = [data[at : at + KEPT]], min(end - at, KEPT)
                break
            if kind not in unread:
                found.append((kind, data[at : stop if length <= KEPT else at + KEPT], stop))
            at = stop
        return found

    def _more(self, data: bytes, end: int, found: list[tuple[int, bytes, int]]) -> int:
        at = min(end, self._left)
        self._left -= at
        if self._kept < KEPT:
            piece = data[: min(at, KEPT - self._kept)]
            self._parts.append(piece)
            self._kept += len(piece)
        if self._left == 0:
            if self.partial not in self.unread:
                found.append((self.partial, b"".join(self._parts), at))
            self.partial, self._parts = 0, []
        return at


class Statement:
    __slots__ = ("_meaning", "described", "text", "types")

    def __init__(self, text: str, types: bytes) -> None:
        self.text = text
        self._meaning: Meaning | None = None
        self.types = types  # type oids of the parameters, as the client or the server gave them
        self.described = b""  # the RowDescription, if the client asked for it

    @property
    def meaning(self) -> Meaning:
        if self._meaning is None:
            self._meaning = meaning(self.text)
        return self._meaning


class Portal:
    __slots__ = ("bind", "described", "statement")

    def __init__(self, statement: Statement | None, bind: bytes) -> None:
        self.statement = statement
        self.bind = bind
        self.described = b""


class Segment:
    """What a client sends before it waits. Of `messages` the first `sent` have gone to the server; `chunks` are the bytes
    that have not. `passes`: it waits for no answer."""

    __slots__ = ("chunks", "messages", "passes", "sent", "size")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.sent = 0
        self.passes = False

    def taken(self) -> bytes:
        data = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks = []
        return data


class Message:
    """One message of the client (`own`: of the proxy), with what its names stood for when it was sent."""

    __slots__ = ("kind", "name", "own", "portal", "replaced", "segment", "statement")

    def __init__(self, kind: int, segment: Segment, own: bool = False) -> None:
        self.kind = kind
        self.segment = segment
        self.own = own
        self.name = ""
        self.statement: Statement | None = None
        self.portal: Portal | None = None
        self.replaced: Statement | Portal | None = None  # what a Parse or Bind took the name from

    @property
    def meaning(self) -> Meaning:
        if self.statement is None or self.kind == CALL:
            return _UNKNOWN
        return self.statement.meaning

    @property
    def text(self) -> str:
        return self.statement.text.strip() if self.statement else "execute (a portal made elsewhere)"

    @property
    def values(self) -> tuple[str, ...]:
        if self.portal is None or self.statement is None:
            return ()
        return pgvalues.parameters(self.portal.bind, pgvalues.parameter_types(self.statement.types))


class Outcome:
    """What the server says to one turn, as far as a person wants to read it."""

    def __init__(self) -> None:
        self.error = ""
        self.rows = 0
        self.first = b""
        self.described = b""  # by the answer to a Query itself
        self._texts: list[str] = []

    def row(self, data: bytes) -> None:
        self.rows += 1
        if self.rows == 1:
            self.first = data

    def ended(self, message: Message, tag: str) -> None:
        """One statement is complete; `tag` is "" where rows are left in the portal."""
        shown = self._shown(message) if self.rows == 1 else ""
        if tag and not tag.startswith("SELECT"):
            text = f"{tag}: {shown}" if shown else tag
        else:
            text = f"1 row: {shown}" if shown else "1 row" if self.rows == 1 else f"{self.rows} rows"
        self._texts.append(text)
        self.rows, self.first = 0, b""

    def replace(self, text: str) -> None:
        self._texts = [text]

    @property
    def result(self) -> str:
        """
        >>> outcome = Outcome(); outcome._texts = ["INSERT 0 1"] * 3 + ["0 rows"]; outcome.result
        '3 x INSERT 0 1, 0 rows'
        """
        groups: list[tuple[str, int]] = []
        for text in self._texts:
            if groups and groups[-1][0] == text:
                groups[-1] = (text, groups[-1][1] + 1)
            else:
                groups.append((text, 1))
        shown = [text if count == 1 else f"{count} x {text}" for text, count in groups[:4]]
        return ", ".join(shown + ["..."] * (len(groups) > 4))

    def _shown(self, message: Message) -> str:
        portal, statement = message.portal, message.statement
        if message.kind == QUERY:
            return pgvalues.row(self.first, pgvalues.columns(self.described, None))
        if portal is not None and portal.described:
            return pgvalues.row(self.first, pgvalues.columns(portal.described, None))
        if portal is not None and statement is not None and statement.described:
            formats = pgvalues.result_formats(portal.bind)
            return (
                pgvalues.row(self.first, pgvalues.columns(statement.described, formats)) if formats is not None else ""
            )
        return ""


def first_text(body: bytes) -> str:
    """The text up to the first zero byte."""
    return text(body.partition(b"\0")[0])


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def error_text(body: bytes) -> str:
    """ "40P01 deadlock detected" of the body of an ErrorResponse."""
    fields = {field[:1]: field[1:] for field in body.split(b"\0") if field}
    return f"{text(fields.get(b'C', b'?'))} {text(fields.get(b'M', b'?'))}"


def command(sql: bytes) -> bytes:
    """A command of the proxy's own, up to a Sync, that leaves nothing behind when it succeeds. Extended protocol and a
    name of its own: a Query would destroy the client's unnamed statement."""
    close = _message(b"C", b"S" + _NAME)
    return b"".join(
        (
            close,  # where the last one failed it was left
            _message(b"P", _NAME + sql + b"\0\0\0"),
            _message(b"B", _NAME + _NAME + bytes(6)),
            _message(b"E", _NAME + bytes(4)),
            _message(b"C", b"P" + _NAME),
            close,
            _message(b"S", b""),
        )
    )


COMMAND_KINDS = (CLOSE, PARSE, BIND, EXECUTE, CLOSE, CLOSE, SYNC)  # of the messages of a `command`


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


_HEADER = struct.Struct(">BI")
_NAME = b"crossfade\0"
_UNKNOWN = Meaning("statement")
