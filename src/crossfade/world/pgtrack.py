"""What one PostgreSQL connection is about: which answer belongs to which message, what names stand for, whether a
transaction is open. Answers are counted message by message, because after a Flush no ReadyForQuery follows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from crossfade.world import pgframes as pg
from crossfade.world.pgframes import Message, Outcome, Portal, Segment, Statement

IDLE, INSIDE = b"IT"
REMEMBERED = 64  # statements of a transaction that are not yet looked at


class Track:
    """`read` each message of the client as it comes, `sent` when it goes to the server, `heard` each of the server."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self.ready = False  # the first ReadyForQuery was seen
        self.pid: int | None = None
        self.status = IDLE  # this and the next two are up to date after `catch_up`
        self.touched = False  # a statement that is no local one ran in this transaction
        self.executed = False  # one ran outside a transaction and its Sync is still to come
        self.skipping = False  # after an error the server ignores everything up to a Sync
        self.copying_in = False
        self.copied = False  # a COPY of an Execute was ended; what became of it is told after a Sync
        self.replicates = False
        self.expected: deque[Message] = deque()  # what the server has still to answer, and the ends of a COPY
        self.flight: Segment | None = None  # whose answer is wanted,
        self.outcome = Outcome()  # and what it says
        self._hear = hear
        self._statements: dict[str, Statement] = {}
        self._portals: dict[str, Portal] = {}
        self._unsent = 0  # messages read and not sent
        self._ran: list[Message | int] = []  # what was executed, and the ReadyForQuery status after it

    def waits_for(self, segment: Segment | None) -> bool:
        """The next answer is for a message of this segment."""
        return bool(self.expected) and self.expected[0].segment is segment

    def catch_up(self) -> None:
        """Texts are only looked at when somebody wants to know; in a plain passage that is never."""
        for item in self._ran:
            if isinstance(item, int):
                self.status, self.executed = item, False
            else:
                self._follow(item)
        self._ran.clear()

    def read(self, kind: int, body: bytes, segment: Segment) -> Message:
        """Names are resolved here, in the order in which the server will read the messages."""
        message = Message(kind, segment)
        self._unsent += 1
        if kind == pg.EXECUTE:
            message.portal = self._portals.get(pg.first_text(body))
            message.statement = message.portal.statement if message.portal else None
        elif kind == pg.BIND:
            portal, _, rest = body.partition(b"\0")
            message.name = pg.text(portal)
            message.statement = self._statements.get(pg.first_text(rest))
            message.replaced = self._portals.get(message.name)
            self._portals[message.name] = message.portal = Portal(message.statement, body)
        elif kind == pg.PARSE:
            name, _, rest = body.partition(b"\0")
            sql, _, types = rest.partition(b"\0")
            message.name = pg.text(name)
            message.statement = Statement(pg.text(sql), types)
            message.replaced = self._statements.get(message.name)
            self._statements[message.name] = message.statement
        elif kind == pg.QUERY:
            message.statement = Statement(pg.first_text(body), b"")
        elif kind in (pg.DESCRIBE, pg.CLOSE):
            self._named(message, body[:1] == b"S", pg.first_text(body[1:]))
        elif kind == pg.CALL:
            message.statement = Statement(f"function {int.from_bytes(body[:4], 'big')}", b"")
        if kind in (pg.PARSE, pg.QUERY) and message.statement is not None and len(body) < pg.KEPT:
            self._hear(message.statement.text)
        return message

    def sent(self, message: Message) -> None:
        """The server will read it now, or after what was sent before."""
        kind = message.kind
        self._unsent -= 1
        if kind == pg.SYNC:
            if self.copied and self.flight is not None:
                message.segment = self.flight
            self.copied = False
            if not self.copying_in:  # else the server ignores it
                self.skipping = False
                self.expected.append(message)
        elif self.skipping:
            self._undo(message)
        elif kind in pg.ANSWERED:
            self.expected.append(message)
        elif kind in pg.COPY_ENDS:
            if self.expected:
                self.copied = self.copying_in and self.expected[0].kind == pg.EXECUTE
                self.expected.append(message)
            self.copying_in = False

    def sent_own(self, segment: Segment) -> None:
        """A `pgframes.command` was sent."""
        self.expected.extend(Message(kind, segment, own=True) for kind in pg.COMMAND_KINDS)

    def heard(self, kind: int, body: bytes) -> None:
        head = self.expected[0] if self.expected else None
        mine = self.flight is not None and head is not None and head.segment is self.flight and not head.own
        if kind == pg.ROW:
            if mine:
                self.outcome.row(body)
        elif kind in pg.ANSWERS:
            if head is not None and head.kind == pg.ANSWERS[kind]:
                self._done()
        elif kind in pg.EXECUTION_ENDS:
            if head is not None and head.kind in pg.EXECUTING:
                self.copying_in = False
                if mine and (head.kind == pg.QUERY or head.meaning.sort not in ("local", "begin")):
                    self.outcome.ended(head, pg.text(body.rstrip(b"\0")) if kind == pg.COMPLETE else "")
                if head.kind == pg.EXECUTE:
                    self._executed(head)
                    self._done()
        elif kind == pg.READY:
            self._settle(body)
        elif kind in (pg.ROW_DESCRIPTION, pg.NO_DATA):
            if head is not None:
                self._describe(head, mine, body if kind == pg.ROW_DESCRIPTION else b"")
        elif kind == pg.PARAMETER_DESCRIPTION:
            if head is not None and head.statement is not None:
                head.statement.types = body
        elif kind == pg.ERROR:
            self._fail(head, body)
        elif kind == pg.KEY_DATA:
            self.pid = int.from_bytes(body[:4], "big")
        elif kind == pg.COPY_IN:
            self._copy_in(head)
        elif kind == pg.COPY_BOTH:
            self.replicates = True

    def _named(self, message: Message, statement: bool, name: str) -> None:
        if statement:
            message.statement = self._statements.get(name)
        else:
            message.portal = self._portals.get(name)
        if message.kind == pg.CLOSE:
            if statement:
                self._statements.pop(name, None)
            else:
                self._portals.pop(name, None)

    def _undo(self, message: Message) -> None:
        """The server did not do this: the name stands for what it stood for before."""
        if message.kind == pg.PARSE and self._statements.get(message.name) is message.statement:
            if isinstance(message.replaced, Statement):
                self._statements[message.name] = message.replaced
            else:
                self._statements.pop(message.name, None)
        elif message.kind == pg.BIND and self._portals.get(message.name) is message.portal:
            if isinstance(message.replaced, Portal):
                self._portals[message.name] = message.replaced
            else:
                self._portals.pop(message.name, None)

    def _done(self) -> None:
        self.expected.popleft()
        self._drop_copy_ends()

    def _drop_copy_ends(self) -> None:
        while self.expected and self.expected[0].kind in pg.COPY_ENDS:
            self.expected.popleft()

    def _executed(self, message: Message) -> None:
        if message.own:
            return
        self._ran.append(message)
        if message.statement is not None and message.statement.text.lstrip()[:4].lower() in ("deal", "disc"):
            self._forget(message.meaning.forgets)

    def _follow(self, message: Message) -> None:
        """What a statement did to the transaction. Only a ReadyForQuery tells for sure, and none follows a Flush."""
        what = message.meaning
        if what.sort == "begin":
            self.status = INSIDE
        elif what.ends:
            self.status, self.touched, self.executed = IDLE, False, False
        elif what.sort != "local":
            self.touched = True
            self.executed = self.executed or self.status == IDLE

    def _settle(self, body: bytes) -> None:
        while self.ready and self.expected:
            message = self.expected.popleft()
            if message.kind == pg.QUERY:
                self._executed(message)
            if message.kind in pg.READY_AFTER:
                break
        self._drop_copy_ends()
        self.ready = True
        self.copying_in = False
        status = body[0] if body else IDLE
        if status != IDLE:
            self._ran.append(status)
            if len(self._ran) > REMEMBERED:
                self.catch_up()
            return
        self.status, self.touched, self.executed = IDLE, False, False
        self._ran.clear()
        if len(self._portals) > 1 and not self.expected and not self._unsent:
            self._portals.clear()  # they end with their transaction

    def _describe(self, head: Message, mine: bool, body: bytes) -> None:
        if head.kind == pg.QUERY and mine:
            self.outcome.described = body
        elif head.kind == pg.DESCRIBE:
            if head.portal is not None:
                head.portal.described = body
            elif head.statement is not None:
                head.statement.described = body
            self._done()

    def _fail(self, head: Message | None, body: bytes) -> None:
        self.copying_in = self.copied = False
        if self.flight is not None and (head is None or head.segment is self.flight):
            self.outcome.error = pg.error_text(body)
        if head is None or head.kind in pg.READY_AFTER:
            return  # a ReadyForQuery follows, or the end of the connection
        if head.kind == pg.EXECUTE:
            self._executed(head)
        while self.expected and self.expected[0].kind != pg.SYNC:
            self._undo(self.expected.popleft())
        self.skipping = not self.expected

    def _copy_in(self, head: Message | None) -> None:
        """Until the end of the COPY the server ignores Sync, also those that are on their way."""
        ended = False
        kept: deque[Message] = deque()
        for message in self.expected:
            ended = ended or message.kind in pg.COPY_ENDS
            if ended or message.kind != pg.SYNC or message is head:
                kept.append(message)
        self.expected = kept
        self.copying_in = not ended

    def _forget(self, name: str) -> None:
        if name == "*":
            self._statements.clear()
        elif name:
            self._statements.pop(name.strip('"'), None)
