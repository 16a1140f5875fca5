"""Taking turns: what a proxy holds back, and who may go next.

A *turn* is what one instance sends to one store before it waits for the answer: a statement, a COMMIT, a Redis command, a
burst of bytes. Proxies (`world.pgproxy`, `world.burst`) offer every turn to the `Gate`; while nobody directs, it goes at
once. The *actor* of a turn is the instance whose port it came in on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol


class Turn:
    """One turn as it goes through a proxy. `text` is the statement or command (the same in every run), `values` what
    was bound to it, `kind` one of statement, commit, rollback, command, burst. `pid`: the PostgreSQL backend that
    executes it, None elsewhere. The proxy fills the rest in when the turn is finished: `result` ("UPDATE 1",
    "1 row: 100"), `error` ("40P01 deadlock detected"), `open_transaction`: the backend is inside a transaction now."""

    __slots__ = (
        "actor", "began", "commands", "connection", "error", "finished", "kind", "number", "open_transaction", "pid",
        "released", "result", "split", "store", "text", "values",
    )  # fmt: skip

    def __init__(
        self,
        actor: str,
        store: str,
        connection: int,
        text: str,
        kind: str = "statement",
        values: tuple[str, ...] = (),
        pid: int | None = None,
    ) -> None:
        self.actor = actor
        self.store = store
        self.connection = connection  # number within the proxy, from 1 in the order they were opened
        self.text = text
        self.kind = kind
        self.values = values
        self.commands: tuple[tuple[str, ...], ...] = ()  # Redis: the arguments of each command
        self.pid = pid
        self.number = 0
        self.began = False  # this turn opens a transaction: the first after BEGIN, or alone
        self.split = False  # an autocommit statement whose COMMIT is a turn of its own
        self.released = False
        self.finished = False
        self.result = ""
        self.error = ""
        self.open_transaction = False


class Listener(Protocol):
    directs: bool  # does it hold turns, or only hear of them?

    def arrived(self, turn: Turn) -> bool:
        """A turn waits. True: hold it until `Gate.release`; False: it goes at once."""
        ...

    def finished(self, turn: Turn) -> None: ...


class Gate:
    """What all proxies of one environment share. `split(store, text)` tells whether an autocommit statement is given a
    COMMIT of its own (only asked while somebody directs)."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.split: Callable[[str, str], bool] = lambda store, text: False
        self.seen: Callable[[str, str, str], None] = lambda actor, store, text: None
        self._waiting: dict[int, tuple[Turn, Callable[[], None]]] = {}
        self._numbers = itertools.count(1)

    @property
    def directed(self) -> bool:
        return self.listener is not None

    def splits(self, store: str, text: str) -> bool:
        return self.listener is not None and self.listener.directs and self.split(store, text)

    def statement(self, actor: str, store: str, text: str) -> None:
        """A proxy tells every statement text it meets, parsed or sent, scheduled or not."""
        self.seen(actor, store, text)

    def offer(self, turn: Turn, go: Callable[[], None]) -> None:
        """A proxy offers a turn; `go` forwards it. Called at once where nobody holds it."""
        turn.number = next(self._numbers)
        if self.listener is not None and self.listener.arrived(turn):
            self._waiting[turn.number] = (turn, go)
            return
        turn.released = True
        go()

    def release(self, turn: Turn) -> None:
        held = self._waiting.pop(turn.number, None)
        if held is not None:
            turn.released = True
            held[1]()

    def withdraw(self, turn: Turn) -> None:
        """The connection of a turn that waits is gone."""
        self._waiting.pop(turn.number, None)
        turn.error = turn.error or "the connection was closed"
        self.finish(turn)

    def finish(self, turn: Turn) -> None:
        """The answer to a turn is complete (for a burst: its first byte came)."""
        if turn.finished:
            return
        turn.finished = True
        if self.listener is not None:
            self.listener.finished(turn)

    def open(self) -> None:
        """Nobody directs any more: everything that waits goes."""
        self.listener = None
        for turn, go in list(self._waiting.values()):
            turn.released = True
            go()
        self._waiting.clear()
