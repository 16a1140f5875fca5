"""The PostgreSQL protocol of one connection as a proxy sees it that takes turns: bytes in, values out.

The client's messages are grouped into *segments*, which end where a client stops to wait: Query, Sync, Flush, a function
call. In straight passage the bytes only pass by and the state is tracked; held back, `Wire.next` says what may go now:
what is local goes, a turn is asked for first (`Ask`, then `release`). An autocommit statement can be divided: it is wrapped
in a transaction whose COMMIT is a turn of its own, by commands of the proxy whose answers the client never sees.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from enum import Enum

import msgspec

from crossfade.world import pgframes as pg
from crossfade.world.pgframes import Frames, Message, Outcome, Segment
from crossfade.world.pgtrack import IDLE, INSIDE, Track

HELD = 16 << 20  # bytes that wait before the client is made to wait too
LONGEST_STARTUP = 10_000  # bytes, as the server has it
SSL, GSS, CANCEL = 80877103, 80877104, 80877102


class Send(msgspec.Struct, frozen=True):
    """Bytes for the server."""

    data: bytes


class Reply(msgspec.Struct, frozen=True):
    """Bytes for the client which the proxy itself answers."""

    data: bytes


class Ask(msgspec.Struct, frozen=True):
    """A turn waits until `Wire.release`. `divisible`: it is one statement outside a transaction, and may be divided."""

    kind: str  # statement, commit, rollback
    text: str
    values: tuple[str, ...] = ()
    began: bool = False
    divisible: bool = False


class Answer(msgspec.Struct, frozen=True):
    """The turn that was released last has its whole answer."""

    result: str
    error: str
    open_transaction: bool


class _Phase(Enum):
    """Of a divided statement; each but COMMIT_ASKED ends with a ReadyForQuery."""

    NONE = 0
    BEGINNING = 1
    STATEMENT = 2
    COMMIT_ASKED = 3
    COMMITTING = 4
    ROLLING_BACK = 5


class Wire:
    """One connection. `hear` is called with every SQL text the client sends."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.started = False  # the startup packet was seen
        self.opaque = False  # not PostgreSQL, or a cancel request, or replication: everything passes
        self.cancels = False  # a cancel request
        self._track = Track(hear)
        self._asks = Frames(pg.CLIENT_KINDS)
        self._answers = Frames(pg.SERVER_KINDS, pg.UNREAD)
        self._start = b""  # the beginning of the startup packet
        self._replies: list[bytes] = []
        self._own: list[bytes] = []  # a command of the proxy's that is to be sent
        self._open = Segment()
        self._queue: deque[Segment] = deque()
        self._waiting = 0  # bytes in the queue and in the open segment
        self._asked: Segment | None = None
        self._answer: Answer | None = None
        self._phase = _Phase.NONE
        self._held: list[bytes] = []  # the end of the divided statement's answer
        self._refusal = b""  # the error its BEGIN or COMMIT was answered with
        self._part: list[bytes] = []  # the beginning of a message of the server, while dividing

    @property
    def straight(self) -> bool:
        """Nothing waits and nothing is divided: bytes may pass as they come."""
        return (
            self.started
            and self._phase is _Phase.NONE
            and not self._queue
            and self._asked is None
            and not self._open.chunks
        )

    @property
    def whole(self) -> bool:
        """All bytes of the server are for the client."""
        return self._phase is _Phase.NONE

    @property
    def full(self) -> bool:
        """The client should be made to wait."""
        return self._waiting > HELD

    @property
    def pid(self) -> int | None:
        return self._track.pid

    def from_client(self, data: bytes, straight: bool = False) -> None:
        """`straight`: the bytes are on their way already (allowed while `Wire.straight`); otherwise `next` gives them."""
        if self.opaque:
            if not straight:
                self._keep(data)
            return
        if not self.started:
            data = self._startup(data)
            if not data:
                return
        track, begin = self._track, 0
        for kind, body, end in self._asks.push(data):
            segment = self._open
            message = track.read(kind, body, segment)
            segment.messages.append(message)
            if straight:
                track.sent(message)
                segment.sent += 1
            if kind in pg.ENDS:
                self._open = Segment()
                if not straight:
                    self._enqueue(segment, data[begin:end])
                begin = end
        if not straight and begin < len(data):
            self._keep(data[begin:])
        if self._asks.broken:
            self._give_up()

    def next(self, directed: bool) -> Send | Reply | Ask | None:
        """What may happen now; to be asked again until None."""
        if self._replies:
            return Reply(_taken(self._replies))
        if self._own:
            return Send(_taken(self._own))
        if self._asked is not None:
            return None
        if self._phase is _Phase.COMMIT_ASKED:
            self._asked = Segment()
            return Ask("commit", "COMMIT")
        if self._phase is not _Phase.NONE:
            return None
        if not directed or self.opaque or not self.started:
            return self._everything()
        if not self._queue:
            return self._overflow()
        segment, track = self._queue[0], self._track
        ends_copy = track.copied and segment.messages[0].kind == pg.SYNC
        at_once = segment.passes or track.copying_in or ends_copy
        if not at_once and (not track.ready or (track.expected and not track.waits_for(segment))):
            return None
        self._queue.popleft()
        self._waiting -= segment.size
        ask = None if at_once or track.skipping else self._ask(segment)
        if ask is None:
            return Send(self._send(segment))
        self._asked = segment
        return ask

    def release(self, divide: bool = False) -> bytes:
        """The turn asked for goes: what to send. `divide` wraps it in a transaction (allowed where `Ask.divisible`)."""
        segment, self._asked = self._asked, None
        if segment is None:
            return b""
        track = self._track
        track.flight, track.outcome = segment, Outcome()
        self._answers.unread = pg.NOTHING
        if self._phase is _Phase.COMMIT_ASKED:
            self._phase = _Phase.COMMITTING
            track.sent_own(segment)
            return pg.command(b"COMMIT")
        if not divide:
            return self._send(segment)
        self._phase = _Phase.BEGINNING
        track.sent_own(Segment())
        return pg.command(b"BEGIN") + self._send(segment)

    def from_server(self, data: bytes) -> bytes:
        """What of it goes to the client: all, unless a statement is being divided."""
        if self.opaque:
            return data
        if self._phase is not _Phase.NONE:
            data = self._divided(data)
        else:
            for kind, body, _ in self._answers.push(data):
                self._track.heard(kind, body)
        if self._answers.broken or self._track.replicates:
            self._give_up()
        return data

    def answer(self) -> Answer | None:
        """Once, when the answer to the turn in flight is complete."""
        track = self._track
        if track.flight is not None and self._phase is _Phase.NONE and not track.waits_for(track.flight):
            self._finish()
        answer, self._answer = self._answer, None
        return answer

    def server_closed(self) -> tuple[bytes, str]:
        """What was held back for the client, and why the turn in flight gets no answer."""
        held = self._held + self._part if self._phase in (_Phase.STATEMENT, _Phase.ROLLING_BACK) else [self._refusal]
        self._held, self._part, self._refusal = [], [], b""
        return b"".join(held), self._track.outcome.error or "the connection was closed"

    # the client's side

    def _startup(self, data: bytes) -> bytes:
        """Packets before the first message with a type; what follows them is returned."""
        data, self._start = self._start + data, b""
        while True:
            if len(data) < 8:
                self._start = data
                return b""
            size, code = struct.unpack_from(">II", data)
            known = code in (SSL, GSS, CANCEL) or code >> 16 == 3
            if not known or not 8 <= size <= LONGEST_STARTUP or (code in (SSL, GSS) and size != 8):
                self._keep(data)
                self._give_up()
                return b""
            if len(data) < size:
                self._start = data
                return b""
            packet, data = data[:size], data[size:]
            if code in (SSL, GSS):
                self._replies.append(b"N")
                continue
            self._keep(packet)
            self.started = True
            if code == CANCEL:
                self.cancels = True
                self._keep(data)
                self._give_up()
                return b""
            self._open.passes = True
            self._queue.append(self._open)
            self._open = Segment()
            return data

    def _enqueue(self, segment: Segment, data: bytes) -> None:
        last = segment.messages[-1]
        segment.passes = last.kind in pg.PASSING and len(segment.messages) == 1
        self._waiting += len(data)
        if segment.passes and not segment.chunks and self._queue and self._queue[-1].passes:
            segment = self._queue[-1]  # the rows of a COPY are many
            segment.messages.append(last)
        else:
            self._queue.append(segment)
        segment.chunks.append(data)
        segment.size += len(data)

    def _keep(self, data: bytes) -> None:
        """Bytes of a segment that has not ended."""
        self._open.chunks.append(data)
        self._open.size += len(data)
        self._waiting += len(data)

    def _ask(self, segment: Segment) -> Ask | None:
        """None where the segment is local."""
        track = self._track
        track.catch_up()
        executed = [message for message in segment.messages if message.kind in pg.EXECUTING]
        idle, synced = track.status == IDLE, segment.messages[-1].kind in (pg.SYNC, pg.QUERY)
        if not executed:  # a Sync commits what ran without a transaction
            return Ask("commit", "COMMIT") if synced and idle and track.executed else None
        shown = [message for message in executed if message.meaning.sort not in ("local", "begin")]
        if not shown:
            return None
        sorts = {message.meaning.sort for message in executed} - {"local"}
        if sorts in ({"commit"}, {"rollback"}):
            if idle or not track.touched:
                return None
            return Ask(sorts.pop(), _joined(shown))
        whole = len(executed) == 1 and segment.sent == 0
        divisible = whole and idle and synced and not track.executed and executed[0].meaning.divisible
        values = shown[0].values if len({id(message.statement) for message in shown}) == 1 else ()
        return Ask("statement", _joined(shown), values, not track.touched, divisible)

    def _send(self, segment: Segment) -> bytes:
        for message in segment.messages[segment.sent :]:
            self._track.sent(message)
        segment.sent = len(segment.messages)
        return segment.taken()

    def _everything(self) -> Send | None:
        """Nobody directs: all that waits, also the beginning of a segment."""
        if not self._queue and not self._open.chunks:
            return None
        chunks = [self._send(segment) for segment in (*self._queue, self._open)]
        self._queue.clear()
        self._open.size = self._waiting = 0
        return Send(b"".join(chunks))

    def _overflow(self) -> Send | None:
        """A segment too large to be kept goes ahead of its end; what it does starts with its end."""
        track, segment = self._track, self._open
        if segment.size <= HELD or not track.ready or (track.expected and not track.waits_for(segment)):
            return None
        self._waiting -= segment.size
        segment.size = 0
        return Send(self._send(segment))

    def _give_up(self) -> None:
        """Not the protocol that was expected: from here on everything passes, in order."""
        self.opaque = self.started = True
        if self._asked is not None and self._asked.chunks:
            self._queue.appendleft(self._asked)
        self._asked = None
        if self._phase is not _Phase.NONE:
            self._replies.append(b"".join(self._held + self._part))
            self._phase, self._held, self._part, self._own = _Phase.NONE, [], [], []
        if self._track.flight is not None:
            self._finish()
        self._track.expected.clear()

    # the server's side

    def _finish(self) -> None:
        track = self._track
        track.catch_up()
        transacting = track.status != IDLE or track.executed
        self._answer = Answer(track.outcome.result, track.outcome.error, transacting and not self.opaque)
        track.flight = None
        self._answers.unread = pg.UNREAD

    def _divided(self, data: bytes) -> bytes:
        """What of the server's bytes the client sees, message by message."""
        out: list[bytes] = []
        begin = 0
        for kind, body, end in self._answers.push(data):
            raw = b"".join((*self._part, data[begin:end]))
            self._part, begin = [], end
            self._track.heard(kind, body)
            if kind in pg.ANY_TIME or self._phase in (_Phase.NONE, _Phase.COMMIT_ASKED):
                out.append(raw)
            else:
                self._divide(kind, raw, out)
        rest = data[begin:]
        long_row = self._phase is _Phase.STATEMENT and not self._held and self._answers.partial == pg.ROW
        if rest and (self._phase is _Phase.NONE or long_row):
            out += (*self._part, rest)
            self._part = []
        elif rest:
            self._part.append(rest)
        return b"".join(out)

    def _divide(self, kind: int, raw: bytes, out: list[bytes]) -> None:
        if self._phase is _Phase.STATEMENT:
            if self._held or kind in pg.EXECUTION_ENDS or kind == pg.ERROR:
                self._held.append(raw)
            else:
                out.append(raw)
            if kind == pg.READY:
                self._statement_ended(out)
        elif kind == pg.ERROR:
            self._refusal = raw
        elif kind == pg.READY and self._phase is _Phase.BEGINNING:
            self._phase, self._refusal = _Phase.STATEMENT, b""
        elif kind == pg.READY:
            if self._phase is _Phase.COMMITTING and not self._refusal:
                self._track.outcome.replace("COMMIT")
            out += [self._refusal] if self._refusal and self._phase is _Phase.COMMITTING else self._held
            out.append(raw)
            self._phase, self._held, self._refusal = _Phase.NONE, [], b""
            self._finish()

    def _statement_ended(self, out: list[bytes]) -> None:
        track = self._track
        track.catch_up()
        if track.status == IDLE:  # something ended our transaction: there is nothing to commit
            out += self._held
            self._phase, self._held = _Phase.NONE, []
            self._finish()
            return
        self._held.pop()  # the client sees the ReadyForQuery after the COMMIT or ROLLBACK
        if track.status == INSIDE:
            self._phase = _Phase.COMMIT_ASKED
            self._finish()
        elif track.flight is not None:
            self._phase = _Phase.ROLLING_BACK
            track.sent_own(track.flight)
            self._own.append(pg.command(b"ROLLBACK"))


def _joined(messages: list[Message]) -> str:
    """Their texts; one that comes again and again stands once."""
    texts: list[str] = []
    for message in messages:
        if not texts or texts[-1] != message.text:
            texts.append(message.text)
    return "; ".join(texts)


def _taken(chunks: list[bytes]) -> bytes:
    data = b"".join(chunks)
    chunks.clear()
    return data
