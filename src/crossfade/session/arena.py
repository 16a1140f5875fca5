"""The place where two calls run at the same time: databases as they are at one point of the ramp, two instances of each
side, a proxy before everything they call. Every trial starts from the same clean data and leaves it as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from crossfade.engine.answers import Answer, answer
from crossfade.engine.outcomes import Outcome
from crossfade.engine.pairs import Pair
from crossfade.engine.timeline import Timeline
from crossfade.model.contract import Step, StepName
from crossfade.model.history import Delta, Exchange, Failure, Placed, Request, Response
from crossfade.model.ramp import Migration, Side, Stage
from crossfade.session.calling import UNIQUE, build_request, pause_asked, save_values
from crossfade.session.environment import Environment, Ground, actor
from crossfade.world.commands import PYTHON
from crossfade.world.director import Directed, Director, Granted, Watcher
from crossfade.world.locks import LockWatch
from crossfade.world.migrations import MigrationFailed, run_command, run_file
from crossfade.world.proxies import Proxies
from crossfade.world.turns import Gate, Turn

HEARTBEAT = 0.4  # seconds in which nothing is called: what is sent then is work of the service's own
LATE = 0.06  # seconds after an answer in which turns still coming tell that a service works on
QUIET = 0.012
QUIET_UNSEEN = 0.03  # the same where nothing can be heard
MIGRATION = "migration"
LIMITED = 5.0  # seconds one call waits for a rate limit to pass
LIMITED_IN_ALL = 20.0
LONGEST_MIGRATION = 40.0  # seconds, while something else goes on


class SetupFailed(Exception):
    """The calls before the two do not work: nothing was raced."""


class Variables:
    """What was saved, per scenario: a step sees its own scenario's first, then the others'. `unique` is one for all."""

    def __init__(self) -> None:
        self._unique = "u" + secrets.token_hex(5)
        self._saved: dict[str, dict[str, Any]] = {}

    def of(self, name: StepName) -> dict[str, Any]:
        values = {UNIQUE: self._unique}
        for saved in self._saved.values():
            values.update(saved)
        return values | self._saved.get(name.scenario, {})

    def add(self, name: StepName, values: dict[str, Any]) -> None:
        self._saved.setdefault(name.scenario, {}).update(values)


class Trial(msgspec.Struct, frozen=True):
    """One run of a pair. `setup` and `requests` as texts for people."""

    outcome: Outcome
    setup: tuple[str, ...]
    requests: tuple[str, ...]
    granted: tuple[Any, ...] = ()  # Granted, in order
    late: bool = False
    stuck: tuple[int, ...] = ()


Play = Callable[["Arena", Sequence[str], Sequence[Callable[[], Awaitable[Answer]]]], Awaitable[Directed[Answer]]]


class Arena:
    """Made by `opened`. `late`: a service works on after its answer, so each trial waits for silence. `patient`: calls wait
    out a rate limit; those that run at the same time do not, there a refusal is an outcome."""

    def __init__(self, ground: Ground, point: int, environment: Environment, proxies: Proxies) -> None:
        self._ground = ground
        self.point = point
        self.environment = environment
        self.gate = proxies.gate
        self._proxies = proxies
        self.locks = {name: LockWatch(store.url) for name, store in environment.stores.databases.items()}
        self.background: set[tuple[str, str]] = set()
        self.late = False
        self.patient = True
        self.trials = 0
        self._limited = 0.0  # seconds spent on rate limits
        self.statements: dict[tuple[Side, str, str], str] = {}  # (side, store, text) -> operation that sent it
        self._operation: dict[str, str] = {}  # actor -> operation under way
        self._migrating = 0
        ground_services = ground.contract.services
        self.hidden = any(s.on_ramp and (s.stable.url or (s.canary and s.canary.url)) for s in ground_services)

    @property
    def directable(self) -> str:
        """ "" where turns can be taken, else why not."""
        contract = self._ground.contract
        if self.hidden:
            return "a service runs at an address of its own: nothing of ours stands before its stores"
        if not contract.databases and not any(contract.hops(s.name) for s in contract.services):
            return "no store and no service is called that Crossfade could stand before"
        refused = self._proxies.refused()
        proxied = {
            *(d.name for d in contract.databases),
            *(h for s in contract.services for h in contract.hops(s.name)),
        }
        if refused and proxied <= set(refused):
            return "; ".join(f"{store}: {reason}" for store, reason in sorted(refused.items()))
        return ""

    @property
    def refused(self) -> dict[str, str]:
        return self._proxies.refused()

    async def prepare(self) -> None:
        """Learns what services send while nobody calls them; the present data is the base."""
        await self.environment.stores.checkpoint()
        self.gate.seen = self._heard_idle
        await asyncio.sleep(HEARTBEAT)
        self.gate.seen = self._heard

    def _heard_idle(self, name: str, store: str, text: str) -> None:
        self.background.add((store, text))
        self._heard(name, store, text)

    def _heard(self, name: str, store: str, text: str) -> None:
        parts = name.split(" ")
        if len(parts) == 3 and len(self.statements) < 5000:
            self.statements.setdefault((Side(parts[1]), store, text), self._operation.get(name, ""))

    # --- one trial -------------------------------------------------------------------------------------------------

    async def trial(self, pair: Pair, sides: Sequence[Side], play: Play, like: Sequence[Side] | None = None) -> Trial:
        """Setup, the two calls as `play` has them, reads, what changed; then the base again. `like`: setup and reads as
        for these sides. Raises SetupFailed."""
        self.trials += 1
        contract = self._ground.contract
        watcher = Watcher(self.gate, self.background)
        saved = Variables()
        texts: list[str] = []
        try:
            first = (like or sides)[0]
            for name in pair.setup:
                step = cast(Step, contract.step(name))
                seen, text = await self._call(step, self._side(step, first), 0, saved.of(name))
                texts.append(f"{text} -> {_answer_text(seen)}")
                if not seen.works and not step.expect:
                    raise SetupFailed(f"`{step.operation}` answers {_answer_text(seen)} before the two could run")
                saved.add(name, save_values(step, seen, saved.of(name))[0])
            names, calls, requests = self._prepared(pair, sides, saved)
            if self.late or self.hidden:
                await watcher.quiet(self._pause)
            if MIGRATION in names:
                await self._without_open_transactions()
            errors_before = {name: len(found) for name, found in watcher.errors.items()}
            directed = await play(self, names, calls)
            after = (
                self.gate.listener if isinstance(self.gate.listener, Watcher) else Watcher(self.gate, self.background)
            )
            if self.late or directed.late or self.hidden or after.under_way > 0:
                await after.quiet(self._pause)
            reads = await self._reads(pair, like or sides, saved)
            if self.late:
                await after.quiet(self._pause)
        finally:
            self.gate.open()
            delta = await self._rewound()
        errors = self._errors(names, directed, watcher, errors_before)
        outcome = Outcome(tuple(directed.results), tuple(reads), delta, errors, time.time())
        return Trial(outcome, tuple(texts), tuple(requests), tuple(directed.granted), directed.late, directed.stuck)

    async def _without_open_transactions(self) -> None:
        """A migration would wait for a service that keeps a transaction open between calls, whatever is raced."""
        for _ in range(5):
            open_now = [
                name for name, store in self.environment.stores.databases.items() if await store.open_transactions()
            ]
            if not open_now:
                return
            await asyncio.sleep(QUIET)
        raise SetupFailed(f"a transaction is kept open in `{open_now[0]}` between calls, for which any migration waits")

    @property
    def _pause(self) -> float:
        return QUIET_UNSEEN if self.hidden else QUIET

    def _errors(
        self, names: Sequence[str], directed: Directed[Answer], watcher: Watcher, before: dict[str, int]
    ) -> tuple[tuple[str, ...], ...]:
        """Per call the SQLSTATEs its statements met."""
        found: list[list[str]] = [[] for _ in names]
        for granted in directed.granted:
            if granted.turn.error:
                found[granted.actor].append(granted.turn.error)
        for number, name in enumerate(names):
            found[number] += watcher.errors.get(name, [])[before.get(name, 0) :]
        return tuple(tuple(dict.fromkeys(text.split(" ")[0] for text in texts)) for texts in found)

    async def _rewound(self) -> Delta:
        changes = await self.environment.stores.rewind()
        if not changes.restored:
            raise SetupFailed("what a call did to the schema cannot be taken back")
        return changes.delta()

    def _side(self, step: Step, side: Side) -> Side:
        return side if self._ground.contract.service(step.service).on_ramp else Side.STABLE

    def _prepared(
        self, pair: Pair, sides: Sequence[Side], saved: Variables
    ) -> tuple[list[str], list[Callable[[], Awaitable[Answer]]], list[str]]:
        """The names of the actors, the calls ready to be made, and their texts."""
        contract = self._ground.contract
        names: list[str] = []
        calls: list[Callable[[], Awaitable[Answer]]] = []
        texts: list[str] = []
        for name, wanted in zip(pair.calls, sides, strict=True):
            step = contract.step(name)
            if step is None:
                stage = contract.stages[contract.stage_index(name.step)]
                names.append(MIGRATION)
                calls.append(self._migration(stage))
                texts.append(f"migration `{stage.name}`: {stage.migration.label if stage.migration else ''}")
                continue
            side = self._side(step, wanted)
            replica = 1 if actor(step.service, side, 0) in names and contract.service(step.service).on_ramp else 0
            names.append(actor(step.service, side, replica))
            try:
                request = build_request(step, saved.of(name))
            except KeyError as problem:
                raise SetupFailed(f"`{step.name}` needs `{problem.args[0]}`, which the setup does not save") from None
            calls.append(self._maker(step, side, replica, saved.of(name)))
            body = request.body.decode("utf-8", "replace")
            texts.append(f"{request.method} {request.target}" + (f" {body}" if body else ""))
        return names, calls, texts

    def _maker(self, step: Step, side: Side, replica: int, saved: dict[str, Any]) -> Callable[[], Awaitable[Answer]]:
        async def make() -> Answer:
            seen, _ = await self._call(step, side, replica, saved)
            return seen

        return make

    async def _call(self, step: Step, side: Side, replica: int, saved: dict[str, Any]) -> tuple[Answer, str]:
        try:
            request = build_request(step, saved)
        except KeyError as problem:
            raise SetupFailed(f"`{step.name}` needs `{problem.args[0]}`, which nothing before it saves") from None
        name = actor(step.service, side, replica)
        self._operation[name] = step.operation
        result = await self._sent(step, side, request, replica)
        placed = Placed(self.point, side)
        if isinstance(result, Response):
            exchange = Exchange(0, placed, request, response=result, ended=time.time())
        else:
            exchange = Exchange(0, placed, request, failure=result, ended=time.time())
        seen = answer(exchange)
        assert seen is not None
        body = request.body.decode("utf-8", "replace")
        return seen, f"{request.method} {request.target}" + (f" {body}" if body else "")

    async def _sent(self, step: Step, side: Side, request: Request, replica: int) -> Response | Failure:
        began, asked = time.monotonic(), 0
        while True:
            asked += 1
            result = await self.environment.send(step.service, side, request, step.timeout, replica)
            pause = pause_asked(result, asked) if self.patient and isinstance(result, Response) else None
            if pause is None or time.monotonic() - began + pause > LIMITED or self._limited > LIMITED_IN_ALL:
                return result
            self._limited += pause
            await asyncio.sleep(pause)

    async def _reads(self, pair: Pair, sides: Sequence[Side], saved: Variables) -> list[Answer]:
        """The reading calls, on every side that took part."""
        found: list[Answer] = []
        for name in pair.reads:
            step = cast(Step, self._ground.contract.step(name))
            for side in dict.fromkeys(self._side(step, side) for side in sides):
                with contextlib.suppress(SetupFailed):
                    found.append((await self._call(step, side, 0, saved.of(name)))[0])
        return found

    def _migration(self, stage: Stage) -> Callable[[], Awaitable[Answer]]:
        """A running migration as an actor: it reaches the stores through proxies of its own."""

        async def make() -> Answer:
            assert stage.migration is not None
            urls = await self._proxies.addresses(MIGRATION, self.environment.stores.urls)
            try:
                async with asyncio.timeout(LONGEST_MIGRATION):
                    await self._migrate(stage.migration, stage.name, urls)
            except TimeoutError:
                return Answer(0, failure=f"timeout (not done after {LONGEST_MIGRATION:g} s)", at=time.time())
            except MigrationFailed as problem:
                return Answer(500, kind="text", body=problem.message, at=time.time())
            return Answer(200, kind="text", body="done", at=time.time())

        return make

    async def _migrate(self, migration: Migration, stage: str, urls: Mapping[str, str]) -> None:
        ground = self._ground
        if migration.sql:
            name = migration.database or next(iter(self.environment.stores.databases))
            for path in migration.sql:
                await run_file(urls[name], Path(ground.contract.folder) / path)
        if migration.run:
            values = {f"{name}.url": url for name, url in urls.items()} | {"python": PYTHON}
            log = ground.logs / f"migration-{stage}-race.log"
            where = migration.position
            await run_command(
                migration.run, values, self.environment.folder, log, ground.run_id, ground.ledger, position=where
            )

    @contextlib.contextmanager
    def impatient(self) -> Iterator[None]:
        self.patient = False
        try:
            yield
        finally:
            self.patient = True

    async def close(self) -> None:
        self.gate.open()
        for watch in self.locks.values():
            watch.close()


# --- how the two calls are played ----------------------------------------------------------------------------------


def serially(order: Sequence[int]) -> Play:
    """One after the other; those not named are not made."""

    async def play(
        arena: Arena, names: Sequence[str], calls: Sequence[Callable[[], Awaitable[Answer]]]
    ) -> Directed[Answer]:
        directed: Directed[Answer] = Directed(len(calls))
        watcher = cast(Watcher, arena.gate.listener)
        for number in order:
            directed.results[number] = await calls[number]()
            if arena.late or arena.hidden or watcher.under_way > 0:
                await watcher.quiet(arena._pause)
            directed.late = directed.late or watcher.under_way > 0
        return directed

    return play


def at_once(offset: float = 0.0) -> Play:
    """Both at the same instant, or the second `offset` seconds later (negative: the first)."""

    async def play(
        arena: Arena, names: Sequence[str], calls: Sequence[Callable[[], Awaitable[Answer]]]
    ) -> Directed[Answer]:
        directed: Directed[Answer] = Directed(len(calls))

        async def one(number: int, wait: float) -> None:
            if wait > 0:
                await asyncio.sleep(wait)
            directed.results[number] = await calls[number]()

        waits = [max(0.0, -offset), max(0.0, offset)]
        with arena.impatient():
            await asyncio.gather(*(one(number, wait) for number, wait in enumerate(waits)))
        return directed

    return play


def by_schedule(
    choose: Callable[[dict[int, Turn]], int], after: Callable[[Granted], Awaitable[None]] | None = None
) -> Play:
    """Turn by turn, as `choose` decides."""

    async def play(
        arena: Arena, names: Sequence[str], calls: Sequence[Callable[[], Awaitable[Answer]]]
    ) -> Directed[Answer]:
        director: Director[Answer] = Director(arena.gate, names, arena.locks, arena.background)
        with arena.impatient():
            directed = await director.run(calls, choose, after)
        for number in directed.stuck:
            if directed.results[number] is None:
                directed.results[number] = Answer(0, failure="timeout (it never came to an end)", at=time.time())
        return directed

    return play


# --- opening -------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def opened(
    ground: Ground, line: Timeline, point: int, sides: Iterable[Side], replicas: Sequence[int] = (0, 1)
) -> AsyncIterator[Arena]:
    """An arena at a point, with `replicas` of each of these sides. It and all its processes are gone afterwards."""
    kinds = {database.name: database.kind for database in ground.contract.databases}
    proxies = Proxies(Gate(), kinds)
    async with ground.opened("race", await ground.template(line, point), proxies) as environment:
        wanted = [(side, replica) for side in sides for replica in replicas]
        if any(not service.on_ramp for service in ground.contract.services):
            await environment.start(Side.STABLE, 0)
        await asyncio.gather(*(environment.start(*key) for key in wanted if key != (Side.STABLE, 0)))
        if (Side.STABLE, 0) in wanted:
            await environment.start(Side.STABLE, 0)
        arena = Arena(ground, point, environment, proxies)
        try:
            await arena.prepare()
            yield arena
        finally:
            await arena.close()


def _answer_text(seen: Answer) -> str:
    return f"{seen.status}" if seen.status else seen.failure
