"""Running calls at the same time, one turn after the other: the director of a schedule.

Every call belongs to an *actor* (the instance that serves it). The director waits until each actor has a turn waiting, is
blocked by a lock, is done, or does not move any more; asks who goes next; lets that one turn go; and so on. So exactly one
turn is under way at a time, except for those that wait for a lock.

A turn without an answer after `GRACE` is looked up in the lock table (PostgreSQL), or counts as blocked after `SILENT`
(other stores). An actor that neither sends nor answers for `THINKING` seconds is passed over: it may wait for itself, or
for something nobody sees.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from crossfade.world.locks import LockWatch
from crossfade.world.turns import Gate, Turn

T = TypeVar("T")

GRACE = 0.003  # seconds a released PostgreSQL turn may take before the lock table is asked
POLL = 0.002
SILENT = 0.03  # seconds after which a turn of another store counts as blocked
THINKING = 1.5
ENDLESS = 400  # turns of one schedule


class Granted:
    """One turn as it was let go: `ready` are the actors that had a turn waiting then, `blocked` those whose turn waited
    for a lock; `waited_for` the actor whose lock it waited for (-1: it did not wait; the own number: for itself), `after`
    the number of granted turns when it was through."""

    __slots__ = ("actor", "after", "blocked", "ready", "turn", "waited_for")

    def __init__(self, actor: int, turn: Turn, ready: tuple[int, ...], blocked: tuple[int, ...] = ()) -> None:
        self.actor = actor
        self.turn = turn
        self.ready = ready
        self.blocked = blocked
        self.waited_for = -1
        self.after = 0


class Directed(Generic[T]):
    """A schedule that was run: `results` per call (None where it was stuck), the turns in the order granted, `late`:
    turns came after their call was answered, `stuck`: actors that did not come to an end."""

    def __init__(self, calls: int) -> None:
        self.results: list[T | None] = [None] * calls
        self.granted: list[Granted] = []
        self.late = False
        self.stuck: tuple[int, ...] = ()


class _Actor:
    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: list[Turn] = []
        self.under_way: list[Granted] = []
        self.blocked = False
        self.done = False
        self.quiet_since = time.monotonic()

    @property
    def settled(self) -> bool:
        if self.under_way:
            return self.blocked
        return self.done or bool(self.waiting)


class Director(Generic[T]):
    """Directs the calls of one schedule. `actors` are the names of the instances, one per call; `locks` the lock tables by
    the name of the store; `background` the (store, text) of turns that always pass."""

    directs = True

    def __init__(
        self, gate: Gate, actors: Sequence[str], locks: Mapping[str, LockWatch], background: set[tuple[str, str]]
    ) -> None:
        self._gate = gate
        self._actors = [_Actor(name) for name in actors]
        self._by_name = {name: number for number, name in enumerate(actors)}
        self._locks = locks
        self._background = background
        self._moved = asyncio.Event()
        self._pids: dict[int, int] = {}
        self._working: set[tuple[str, str, int]] = set()  # connections in whose transaction a call has done something
        self._outcome: Directed[T] = Directed(len(actors))

    # ── told by the gate ────────────────────────────────────────────────────

    def arrived(self, turn: Turn) -> bool:
        number = self._by_name.get(turn.actor)
        if number is None or self._is_background(turn):
            return False
        actor = self._actors[number]
        if actor.done:
            self._outcome.late = True
            return False
        if turn.pid is not None:
            self._pids[turn.pid] = number
        actor.waiting.append(turn)
        actor.quiet_since = time.monotonic()
        self._moved.set()
        return True

    def _is_background(self, turn: Turn) -> bool:
        """Work of the service's own. The end of a transaction belongs to what was done in it: COMMIT has one text."""
        place = (turn.actor, turn.store, turn.connection)
        if turn.kind not in ("commit", "rollback"):
            if turn.began:
                self._working.discard(place)
            if (turn.store, turn.text) in self._background:
                return True
            self._working.add(place)
        elif place not in self._working:
            return True
        else:
            self._working.discard(place)
        return False

    def finished(self, turn: Turn) -> None:
        for actor in self._actors:
            if turn in actor.waiting:  # its connection is gone
                actor.waiting.remove(turn)
            for granted in actor.under_way:
                if granted.turn is turn:
                    granted.after = len(self._outcome.granted)
                    actor.under_way.remove(granted)
                    actor.blocked = False
                    actor.quiet_since = time.monotonic()
                    break
        self._moved.set()

    # ── the schedule ────────────────────────────────────────────────────────

    async def run(
        self,
        calls: Sequence[Callable[[], Awaitable[T]]],
        choose: Callable[[dict[int, Turn]], int],
        after: Callable[[Granted], Awaitable[None]] | None = None,
        patience: float = 20.0,
    ) -> Directed[T]:
        """Runs the calls, asking `choose` (ready actor -> its waiting turn) before every turn; `after` is awaited when a
        turn is finished and before anything else goes. Never raises because of what the services do."""
        self._gate.listener = self
        tasks = [asyncio.ensure_future(self._call(number, call)) for number, call in enumerate(calls)]
        try:
            await self._direct(choose, after, time.monotonic() + patience)
        finally:
            self._gate.open()
            endless = len(self._outcome.granted) >= ENDLESS  # too long to direct to its end: the rest runs freely
            for number, task in enumerate(tasks):
                if not task.done():
                    await asyncio.wait([task], timeout=patience if endless else 0.2)
                if not task.done():
                    self._outcome.stuck = (*self._outcome.stuck, number)
                    task.cancel()
            for number, result in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                if isinstance(result, Exception):
                    raise result
                if not isinstance(result, BaseException):
                    self._outcome.results[number] = result
        return self._outcome

    async def _call(self, number: int, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await call()
        finally:
            self._actors[number].done = True
            self._actors[number].quiet_since = time.monotonic()
            self._moved.set()

    async def _direct(
        self,
        choose: Callable[[dict[int, Turn]], int],
        after: Callable[[Granted], Awaitable[None]] | None,
        until: float,
    ) -> None:
        while time.monotonic() < until and len(self._outcome.granted) < ENDLESS:
            await self._settle(until)
            ready = {
                number: min(actor.waiting, key=lambda turn: (turn.store, turn.text, turn.values, turn.number))
                for number, actor in enumerate(self._actors)
                if actor.waiting
            }
            if not ready:
                if all(actor.done and not actor.under_way for actor in self._actors):
                    return
                if not await self._anything(until):
                    return
                continue
            number = choose(ready)
            granted = self._grant(number, ready[number], tuple(sorted(ready)))
            if after is not None:
                await self._settle(until)
                if granted.turn.finished:
                    await after(granted)

    def _grant(self, number: int, turn: Turn, ready: tuple[int, ...]) -> Granted:
        actor = self._actors[number]
        blocked = tuple(n for n, other in enumerate(self._actors) if other.blocked)
        granted = Granted(number, turn, ready, blocked)
        self._outcome.granted.append(granted)
        actor.waiting.remove(turn)
        actor.under_way.append(granted)
        actor.blocked = False
        actor.quiet_since = time.monotonic()
        self._gate.release(turn)
        return granted

    async def _anything(self, until: float) -> bool:
        """Nobody is ready and not all are done: a deadlock the database will end, or a service that waits for itself."""
        self._moved.clear()
        wait = min(until - time.monotonic(), 5.0)
        try:
            await asyncio.wait_for(self._moved.wait(), max(wait, 0.01))
        except TimeoutError:
            return False
        return True

    async def _settle(self, until: float) -> None:
        """Waits until no actor is about to move."""
        for actor in self._actors:
            if actor.blocked:  # it may go on since the last turn: a lock is free before the answer to COMMIT is sent
                actor.blocked = False
                await self._look_up(actor)
        while True:
            open_actors = [actor for actor in self._actors if not actor.settled]
            if not open_actors or time.monotonic() > until:
                return
            self._moved.clear()
            now = time.monotonic()
            silent = min(now - actor.quiet_since for actor in open_actors)
            busy = [actor for actor in open_actors if actor.under_way]
            if not busy and silent > THINKING and any(actor.settled for actor in self._actors):
                return
            if not busy and silent > 2 * THINKING:
                return
            try:
                await asyncio.wait_for(
                    self._moved.wait(), POLL if busy and silent > GRACE else max(GRACE - silent, POLL)
                )
            except TimeoutError:
                for actor in busy:
                    if time.monotonic() - actor.quiet_since >= GRACE:
                        await self._look_up(actor)

    async def _look_up(self, actor: _Actor) -> None:
        if not actor.under_way:
            return
        granted = actor.under_way[0]
        turn = granted.turn
        watch = self._locks.get(turn.store)
        if watch is None or turn.pid is None:
            if time.monotonic() - actor.quiet_since > SILENT:
                actor.blocked = True
                self._note_waiting(granted, ())
            return
        blockers = await watch.blockers(turn.pid)
        if blockers is not None and not turn.finished:
            actor.blocked = True
            self._note_waiting(granted, blockers)

    def _note_waiting(self, granted: Granted, blockers: tuple[int, ...]) -> None:
        known = [self._pids[pid] for pid in blockers if pid in self._pids]
        others = [number for number in range(len(self._actors)) if number != granted.actor]
        if granted.waited_for < 0:
            granted.waited_for = known[0] if known else (others[0] if others else granted.actor)


class Watcher:
    """Listens while nobody directs: what is under way, when something was last heard, which errors a store gave."""

    directs = False

    def __init__(self, gate: Gate, background: set[tuple[str, str]]) -> None:
        self._background = background
        self.under_way = 0
        self.last = time.monotonic()
        self.turns = 0
        self.errors: dict[str, list[str]] = {}
        self._known: set[int] = set()
        gate.listener = self

    def arrived(self, turn: Turn) -> bool:
        if (turn.store, turn.text) in self._background:
            return False
        self._known.add(id(turn))
        self.under_way += 1
        self.turns += 1
        self.last = time.monotonic()
        return False

    def finished(self, turn: Turn) -> None:
        if id(turn) not in self._known:
            return
        self._known.discard(id(turn))
        self.under_way -= 1
        self.last = time.monotonic()
        if turn.error:
            self.errors.setdefault(turn.actor, []).append(turn.error)

    async def quiet(self, seconds: float, longest: float = 2.0) -> None:
        """Returns when nothing was heard for so long and nothing is under way."""
        until = time.monotonic() + longest
        while time.monotonic() < until:
            if self.under_way <= 0 and time.monotonic() - self.last >= seconds:
                return
            await asyncio.sleep(max(0.001, seconds / 4))
