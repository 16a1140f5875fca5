"""Small concurrent programs over a simulated store, run one turn at a time: what the search over schedules is tried on.

The store is PostgreSQL in miniature (READ COMMITTED, row locks and advisory locks held to COMMIT, waiting first come first
served, the request that closes a circle is the victim) with a Redis beside it (every command counts at once). Programs are
generators, so that what they do may depend on what they read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from crossfade.engine.interleave import Coverage, Policy, Step, Trace, schedules
from crossfade.engine.turns import Access

SERVER, CACHE = "db", "cache"
MOST_TURNS = 200


class Op(msgspec.Struct, frozen=True):
    """`kind` is read, lock, write, add, copy, advisory, commit (PostgreSQL), get, set, setnx, delete (Redis). `copy` adds
    the value of `source` to `name`: its lock is asked for first, its read happens when the lock is there."""

    kind: str
    name: str = ""
    value: int = 0
    source: str = ""

    @property
    def label(self) -> str:
        return " ".join(part for part in (self.kind, self.name, self.source) if part)


Program = Callable[[], Generator[Op, int | None, None]]
Outcome = tuple[tuple[tuple[str, int], ...], tuple[tuple[str, ...], ...]]  # what is left, what each actor was answered


class Decides(Protocol):
    def choose(self, ready: Mapping[int, str]) -> int: ...


class Deadlock(Exception):
    """The turn was the victim; its transaction is undone."""


class Store:
    def __init__(self, values: Mapping[str, int]) -> None:
        self.committed = dict(values)
        self.pending: dict[int, dict[str, int]] = {}
        self.holder: dict[str, int] = {}
        self.queue: list[tuple[int, Op]] = []  # who waits, first come first served

    def held(self, actor: int) -> list[str]:
        return [name for name, holder in self.holder.items() if holder == actor]

    def waits(self, actor: int) -> bool:
        return any(actor == other for other, _ in self.queue)

    def lock(self, actor: int, op: Op) -> bool:
        """False: it waits now. Raises Deadlock where that closes a circle."""
        name = _lock_name(op)
        if self.holder.setdefault(name, actor) == actor:
            return True
        waited_for = {other: self.holder[_lock_name(their)] for other, their in self.queue}
        at: int | None = self.holder[name]
        while at is not None:
            if at == actor:
                raise Deadlock
            at = waited_for.get(at)
        self.queue.append((actor, op))
        return False

    def effect(self, actor: int, op: Op) -> int | None:
        mine = self.pending.setdefault(actor, {})
        seen = self.committed | mine
        match op.kind:
            case "read" | "lock" | "get":
                return seen.get(op.name)
            case "write":
                mine[op.name] = op.value
            case "add":
                mine[op.name] = seen.get(op.name, 0) + op.value
                return mine[op.name]
            case "copy":
                mine[op.name] = seen.get(op.name, 0) + seen.get(op.source, 0)
                return mine[op.name]
            case "set":
                self.committed[op.name] = op.value
            case "delete":
                self.committed.pop(op.name, None)
            case "setnx":
                if op.name in self.committed:
                    return 0
                self.committed[op.name] = op.value
                return 1
        return None

    def end(self, actor: int, commits: bool) -> list[tuple[int, Op]]:
        """Ends the transaction; gives who got a lock by that, in the order in which they go on."""
        mine = self.pending.pop(actor, {})
        if commits:
            self.committed |= mine
        for name in self.held(actor):
            del self.holder[name]
        granted = []
        for other, op in list(self.queue):
            if self.holder.setdefault(_lock_name(op), other) == other:
                self.queue.remove((other, op))
                granted.append((other, op))
        return granted


def _lock_name(op: Op) -> str:
    return f"advisory {op.name}" if op.kind == "advisory" else op.name


def access(op: Op, held: Sequence[str] = (), written: Sequence[str] = ()) -> Access:
    """What the op touches; a commit or an abort frees what its transaction held."""
    name = frozenset([op.name])
    match op.kind:
        case "read":
            return Access(SERVER, reads=name)
        case "lock" | "advisory":
            return Access(SERVER, locks=frozenset([_lock_name(op)]), publishes=frozenset(held))
        case "write" | "add":
            return Access(SERVER, writes=name, publishes=frozenset(held))
        case "copy":
            return Access(SERVER, reads=frozenset([op.source]), writes=name, publishes=frozenset(held))
        case "get":
            return Access(CACHE, reads=name)
        case "commit":
            return Access(SERVER, publishes=frozenset(held))
    return Access(CACHE, reads=name, writes=name, publishes=name)


class Machine:
    """One run of programs from clean state."""

    def __init__(self, programs: Sequence[Program], values: Mapping[str, int]) -> None:
        self.store = Store(values)
        self.running = [program() for program in programs]
        self.waiting: list[Op | None] = [next(one, None) for one in self.running]
        self.answers: list[list[str]] = [[] for _ in programs]
        self.trace: list[Step] = []

    def ready(self) -> dict[int, str]:
        return {
            actor: op.label for actor, op in enumerate(self.waiting) if op is not None and not self.store.waits(actor)
        }

    def grant(self, actor: int) -> None:
        op = self.waiting[actor]
        ready = self.ready()
        assert op is not None and actor in ready
        blocked = tuple(other for other in range(len(self.waiting)) if self.store.waits(other))
        frees = self.store.held(actor) if op.kind == "commit" else []
        try:
            if op.kind == "commit":
                granted = self.store.end(actor, True)
                self.answer(actor, None)
                for other, their in granted:
                    self.answer(other, self.store.effect(other, their))
            elif op.kind in ("read", "get", "set", "setnx", "delete") or self.store.lock(actor, op):
                self.answer(actor, self.store.effect(actor, op))
        except Deadlock:
            frees = self.store.held(actor)
            self.answers[actor].append("deadlock")
            self.waiting[actor] = None
            for other, their in self.store.end(actor, False):
                self.answer(other, self.store.effect(other, their))
        self.trace.append(Step(actor, op.label, access(op, frees), tuple(ready), blocked))

    def answer(self, actor: int, value: int | None) -> None:
        self.answers[actor].append(str(value))
        try:
            self.waiting[actor] = self.running[actor].send(value)
        except StopIteration:
            self.waiting[actor] = None

    def outcome(self) -> Outcome:
        return tuple(sorted(self.store.committed.items())), tuple(tuple(one) for one in self.answers)


class Setting(msgspec.Struct, frozen=True):
    """Programs and the state they start from."""

    programs: tuple[Program, ...]
    values: dict[str, int] = {}

    @property
    def usual(self) -> tuple[int, ...]:
        """How many turns each takes when it is alone."""
        return tuple(len(run(Setting((program,), self.values), Policy(()))[0]) for program in self.programs)


def run(setting: Setting, policy: Decides) -> tuple[Trace, Outcome]:
    machine = Machine(setting.programs, setting.values)
    while ready := machine.ready():
        machine.grant(policy.choose(ready))
        assert len(machine.trace) < MOST_TURNS, "the programs do not come to an end"
    return tuple(machine.trace), machine.outcome()


def along(setting: Setting, decisions: Sequence[int]) -> Machine:
    machine = Machine(setting.programs, setting.values)
    for actor in decisions:
        machine.grant(actor)
    return machine


class Explored(msgspec.Struct, frozen=True):
    prefixes: tuple[tuple[int, ...], ...]
    traces: tuple[Trace, ...]
    outcomes: tuple[Outcome, ...]
    coverage: Coverage

    def first(self, wrong: Callable[[Outcome], bool]) -> int:
        """The number of the first schedule, from 1, that ends like this; 0 where none does."""
        return next((number for number, one in enumerate(self.outcomes, 1) if wrong(one)), 0)


def explored(setting: Setting, bound: int, most: int = 20_000, usual: Sequence[int] = ()) -> Explored:
    search = schedules(bound, most, usual)
    prefixes, traces, outcomes = [], [], []
    try:
        prefix = next(search)
        while True:
            trace, outcome = run(setting, Policy(prefix, usual))
            prefixes.append(prefix)
            traces.append(trace)
            outcomes.append(outcome)
            prefix = search.send(trace)
    except StopIteration as done:
        return Explored(tuple(prefixes), tuple(traces), tuple(outcomes), done.value)


def all_outcomes(setting: Setting, bound: int) -> Iterator[Outcome]:
    """Every schedule with at most `bound` preemptions, one after the other: the obvious search."""

    def below(decisions: tuple[int, ...], spent: int) -> Iterator[Outcome]:
        machine = along(setting, decisions)
        ready = machine.ready()
        if not ready:
            yield machine.outcome()
        for actor in ready:
            costs = bool(decisions) and decisions[-1] in ready and actor != decisions[-1]
            if spent + costs <= bound:
                yield from below((*decisions, actor), spent + costs)

    return below((), 0)
