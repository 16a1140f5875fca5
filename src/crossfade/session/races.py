"""Races between the versions: pairs of calls at the same time, on every choice of sides, against what one after the other
gives.

For each pair: serial references, a stampede, then schedules turn by turn; what no serial order explains is replayed three
times, and the same pair runs on each side alone, which decides whose race it is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crossfade.engine.interleave import Coverage, Policy, RandomPolicy, Step, Trace, schedules
from crossfade.engine.oracle import SERIAL, Judgement, Oracle, Reference
from crossfade.engine.pairs import (
    SAFE_METHODS,
    Pair,
    Profiles,
    StepProfile,
    candidate_pairs,
    declared_pairs,
    migration_pairs,
)
from crossfade.engine.timeline import Timeline
from crossfade.engine.turns import Access
from crossfade.model.contract import Contract, Scenario, StepName
from crossfade.model.events import Progress, Suspected
from crossfade.model.ramp import Side
from crossfade.model.report import Blame, RaceExercised
from crossfade.session.arena import LATE, Arena, Play, SetupFailed, Trial, at_once, by_schedule, opened, serially
from crossfade.session.environment import Ground
from crossfade.session.options import Hear, Options
from crossfade.session.work import ScenarioWork
from crossfade.world.director import Granted, Watcher
from crossfade.world.resp import access as redis_access
from crossfade.world.turns import Turn

ATTEMPTS = 3
MOST_SCHEDULES = 400
PAIR_SECONDS = 12.0
SIFTED = 4  # times that failures are looked at again before they end a search
TAIL = 6  # random schedules after the bounded search
ORDERS = ((0, 1), (1, 0), (0, 1), (1, 0), (0,), (1,), ())
OFFSETS = (0.0, 0.0, 0.002, -0.002, 0.0, 0.005, -0.005, 0.001, -0.001, 0.0)
Sides = tuple[Side, Side]
MIXED: tuple[Sides, ...] = ((Side.STABLE, Side.CANARY), (Side.CANARY, Side.STABLE))
PURE: tuple[Sides, ...] = ((Side.STABLE, Side.STABLE), (Side.CANARY, Side.CANARY))
CORRUPTS = frozenset({"lost"})


class Failure(msgspec.Struct, frozen=True):
    """One outcome that no serial order explains. `decisions`: the schedule, () for a stampede."""

    judgement: Judgement
    trial: Trial
    decisions: tuple[int, ...]
    number: int  # of the schedule or trial, from 1


class Tried(msgspec.Struct, frozen=True):
    """What one pair did on one choice of sides."""

    sides: Sides
    oracle: Oracle | None
    references: tuple[Reference, ...] = ()
    failures: tuple[Failure, ...] = ()
    schedules: int = 0
    coverage: Coverage | None = None
    trials: int = 0
    stampeded: int = 0  # trials of the stampede that failed
    replays: int = 0
    skipped: str = ""  # why nothing was tried

    @property
    def failing(self) -> Failure | None:
        return min(self.failures, key=lambda f: (f.judgement.kind not in CORRUPTS, not f.decisions), default=None)

    @property
    def confirmed(self) -> bool:
        return bool(self.failures) and self.replays == ATTEMPTS


class RaceProblem(msgspec.Struct, frozen=True):
    """A race, replayed. `tried` is the choice of sides that shows it, `others` all that were tried of this pair."""

    pair: Pair
    point: int
    blame: Blame
    tried: Tried
    failure: Failure
    others: tuple[Tried, ...]
    directable: str
    confirmed: bool = True
    found_after: int = 0  # trials


class RaceCheck:
    """All races at one point of the ramp."""

    def __init__(
        self,
        ground: Ground,
        line: Timeline,
        point: int,
        works: Sequence[ScenarioWork],
        options: Options,
        hear: Hear,
        background: Iterable[tuple[str, str, str]],
    ) -> None:
        self._ground = ground
        self._contract = ground.contract
        self._line = line
        self.point = point
        self._works = works
        self._options = options
        self._hear = hear
        self._background = frozenset(background)
        self.problems: list[RaceProblem] = []
        self.exercised: list[RaceExercised] = []
        self.not_explored: list[str] = []
        self.statements: dict[tuple[Side, str, str], str] = {}
        self._stage = ground.contract.stages[racing_stages(ground.contract, line, point)[0]].name

    async def look(self, seconds: float) -> None:
        """Tries every pair that has to be tried, within about so many seconds."""
        declared = [pair for pair in declared_pairs(self._contract) if all(name.scenario for name in pair.calls)]
        deadline = time.monotonic() + seconds
        async with opened(self._ground, self._line, self.point, Side) as arena:
            arena.late = any(work.patience.late for work in self._works)
            arena.statements = self.statements
            profiles = await self._profiles(arena)
            pairs = list(declared)
            if self._options.races == "auto":
                named = {frozenset(pair.calls) for pair in declared}
                pairs += [p for p in candidate_pairs(self._contract, profiles) if frozenset(p.calls) not in named]
            await self._all(arena, pairs, deadline)

    async def look_at_migration(self, stage: int, sides: Sequence[Side], seconds: float) -> None:
        """Every writing call of the sides that serve here against the migration of the next stage while it runs."""
        name = self._contract.stages[stage].name
        declared = [p for p in declared_pairs(self._contract) if any(n == StepName("", name) for n in p.calls)]
        deadline = time.monotonic() + seconds
        async with opened(self._ground, self._line, self.point, sides, (0,)) as arena:
            arena.late = any(work.patience.late for work in self._works)
            arena.statements = self.statements
            profiles = await self._profiles(arena, sides)
            pairs = [_migration_last(pair) for pair in declared]
            if self._options.races == "auto":
                named = {pair.calls for pair in pairs}
                pairs += [p for p in migration_pairs(self._contract, stage, profiles) if p.calls not in named]
            for number, pair in enumerate(pairs):
                if time.monotonic() > deadline - 0.5:
                    self.not_explored.append(f"races: time ran out before {len(pairs) - number} calls against `{name}`")
                    return
                if not await self._against(arena, pair, sides, min(deadline, time.monotonic() + 2 * PAIR_SECONDS)):
                    return

    async def _against(self, arena: Arena, pair: Pair, sides: Sequence[Side], deadline: float) -> bool:
        """One call against the migration; False where the migration cannot be taken back, so that nothing can be tried."""
        began = time.monotonic()
        self._hear(Progress(f"at the same time: {pair.name}", 0, 1, arena.trials))
        done: list[Tried] = []
        for side in sides:
            done.append(await self._try(arena, pair, (side, side), deadline))
            if done[-1].skipped:
                self.not_explored.append(f"race `{pair.name}`: {done[-1].skipped}")
                return "taken back" not in done[-1].skipped
        shown = next((tried for tried in done if tried.failing is not None), None)
        if shown is not None and shown.failing is not None:
            found = RaceProblem(
                pair,
                self.point,
                Blame.PHASE,
                shown,
                shown.failing,
                tuple(done),
                arena.directable,
                shown.confirmed,
                arena.trials,
            )
            self.problems.append(found)
        self._note(pair, done, time.monotonic() - began)
        return True

    async def _all(self, arena: Arena, pairs: Sequence[Pair], deadline: float) -> None:
        for number, pair in enumerate(pairs):
            left = deadline - time.monotonic()
            if left <= 0.5:
                names = ", ".join(f"`{other.name}`" for other in pairs[number:][:5])
                self.not_explored.append(f"races: time ran out before {len(pairs) - number} pairs of calls ({names})")
                return
            self._hear(Progress(f"at the same time: {pair.name}", number, len(pairs), arena.trials))
            await self._pair(arena, pair, min(left, PAIR_SECONDS))

    # --- what touches what -----------------------------------------------------------------------------------------

    async def _profiles(self, arena: Arena, sides: Iterable[Side] = Side) -> Profiles:
        """Every scenario alone on each side, step by step, with the locks its statements take."""
        found: dict[StepName, StepProfile] = {}
        for work in self._works:
            steps = tuple(StepName(work.scenario.name, step.name) for step in work.scenario.steps)
            for side in sides:
                for index, name in enumerate(steps):
                    profile = _Profile(arena)
                    pair = Pair(name.step, steps[:index], (name, name), ())
                    try:
                        trial = await arena.trial(pair, (side, side), _alone(profile))
                    except SetupFailed:
                        break
                    arena.late = arena.late or trial.late
                    own = profile.profile(trial, bool(arena.directable))
                    found[name] = found.get(name, StepProfile()).union(own)
        return found

    # --- one pair --------------------------------------------------------------------------------------------------

    async def _pair(self, arena: Arena, pair: Pair, seconds: float) -> None:
        began = time.monotonic()
        deadline = began + seconds
        done: list[Tried] = []
        for sides in self._assignments(pair, mixed=True):
            done.append(await self._try(arena, pair, sides, deadline))
        pure = self._assignments(pair, mixed=False)
        for sides in pure if any(tried.failures for tried in done) else reversed(pure):
            failing = any(tried.failures for tried in done)
            if sides[0] is Side.STABLE and not failing:
                continue  # an old race of the stable matters only where something fails: then it may be the same
            # Each control has time of its own: one that was not tried long enough would be called clean.
            patience = max(deadline, time.monotonic() + PAIR_SECONDS) if failing else deadline
            thorough = any(t.failures and not t.failures[0].decisions for t in done)
            done.append(await self._try(arena, pair, sides, patience, control=thorough))
        await self._judge(arena, pair, done)
        self._note(pair, done, time.monotonic() - began)

    def _assignments(self, pair: Pair, mixed: bool) -> list[Sides]:
        """Which sides the two calls run on. A migration has no side: then each side that lives there against it."""
        names = [self._contract.step(name) for name in pair.calls]
        on_ramp = [step is not None and self._contract.service(step.service).on_ramp for step in names]
        if not mixed:
            return list(PURE) if any(on_ramp) else []
        if pair.calls[0] == pair.calls[1] or not all(on_ramp):
            return list(MIXED) if all(on_ramp) else []
        return list(MIXED)

    async def _try(self, arena: Arena, pair: Pair, sides: Sides, deadline: float, control: bool = False) -> Tried:
        """References, stampede and schedules for one choice of sides. A control without a schedule to follow gets more
        trials."""
        try:
            return await _Attempt(arena, pair, sides, self._options, self._background, deadline, control).whole()
        except SetupFailed as problem:
            return Tried(sides, None, skipped=str(problem))

    async def _judge(self, arena: Arena, pair: Pair, done: Sequence[Tried]) -> None:
        """Whose race is it? Mixed only where the same pair is clean on each side alone."""
        failing = [tried for tried in done if tried.failing is not None]
        if not failing:
            return
        pure = {tried.sides[0]: tried for tried in done if tried.sides[0] is tried.sides[1]}
        mixed = [tried for tried in failing if tried.sides[0] is not tried.sides[1]]
        shown = next((tried for tried in mixed if tried.confirmed), None)
        blame = Blame.MIXED
        for side, own in ((Side.STABLE, Blame.STABLE), (Side.CANARY, Blame.CANARY)):
            alone = pure.get(side)
            if alone is not None and alone.failing is not None and (shown is None or _as_bad(alone, shown)):
                blame, shown = own, alone
                break
        if shown is None:
            shown = failing[0]
        failure = shown.failing
        assert failure is not None
        self._hear(Suspected(f"{pair.name} at the same time: {failure.judgement.kind}"))
        problem = RaceProblem(
            pair, self.point, blame, shown, failure, tuple(done), arena.directable, shown.confirmed, arena.trials
        )
        self.problems.append(problem)

    def _note(self, pair: Pair, done: Sequence[Tried], seconds: float) -> None:
        tried = [one for one in done if not one.skipped]
        if not tried:
            reason = done[0].skipped if done else "no mixed choice of sides"
            self.not_explored.append(f"race `{pair.name}`: {reason}")
            return
        mixed = [one for one in tried if one.sides[0] is not one.sides[1]] or tried
        bound = min((one.coverage.bound if one.coverage else -1) for one in mixed)
        count, trials = sum(one.schedules for one in tried), sum(one.trials for one in tried)
        if bound >= 0 and not any(one.failures for one in mixed):
            guarantee = f"every schedule with at most {bound} preemption{'s' if bound != 1 else ''} is serial"
            diverged = sum(one.coverage.diverged for one in mixed if one.coverage)
            guarantee += f" ({diverged} could not be followed exactly)" if diverged else ""
        elif any(one.failures for one in mixed):
            guarantee = "searched until the first race"
        else:
            guarantee = f"both at once, {trials} times; no schedule was directed"
        step = pair.calls[0]
        self.exercised.append(
            RaceExercised(
                pair.name,
                step.scenario,
                tuple(_operation(self._contract, name) for name in pair.calls),
                self._stage,
                tuple(f"{one.sides[0]} {one.sides[1]}" for one in tried),
                count,
                trials,
                bound,
                guarantee,
                pair.declared,
                round(seconds, 2),
            )
        )


def _migration_last(pair: Pair) -> Pair:
    first, second = pair.calls
    return pair if first.scenario else msgspec.structs.replace(pair, calls=(second, first))


def _as_bad(alone: Tried, shown: Tried) -> bool:
    """A side that alone only answers an error does not explain that the mix loses data."""
    mine, theirs = alone.failing, shown.failing
    if mine is None or theirs is None:
        return False
    return mine.judgement.kind in CORRUPTS or theirs.judgement.kind not in CORRUPTS


def _operation(contract: Contract, name: StepName) -> str:
    step = contract.step(name)
    return step.operation if step is not None else f"migration {name.step}"


# --- one pair on one choice of sides ---------------------------------------------------------------------------------


class _Attempt:
    def __init__(
        self,
        arena: Arena,
        pair: Pair,
        sides: Sides,
        options: Options,
        background: frozenset[tuple[str, str, str]],
        deadline: float,
        control: bool,
    ) -> None:
        self._arena = arena
        self._pair = pair
        self._sides = sides
        self._options = options
        self._background = background
        self._deadline = deadline
        self._control = control
        self._references: list[Reference] = []
        self._accesses: dict[tuple[int, str, str], Access] = {}
        self._usual: tuple[int, ...] = ()
        self._sifted = 0
        self._oracle: Oracle | None = None
        self._pure: list[Oracle] | None = None

    async def whole(self) -> Tried:
        for order in ORDERS:
            await self.reference(order)
        failures: list[Failure] = []
        trials, stampeded = await self._stampede(failures)
        directable = not self._arena.directable
        count, coverage = 0, None
        if directable:
            scheduled: list[Failure] = []
            count, coverage = await self._explore(scheduled)
            failures = [*scheduled, *failures]
        tried = Tried(
            self._sides, self.oracle, tuple(self._references), tuple(failures), count, coverage, trials, stampeded
        )
        if not failures:
            return tried
        return await self._confirmed(tried)

    async def _trial(self, play: Play) -> Trial:
        return await self._arena.trial(self._pair, self._sides, play)

    async def reference(self, order: tuple[int, ...]) -> None:
        trial = await self._trial(serially(order))
        for number, seen in enumerate(trial.outcome.answers):
            if seen is not None and not seen.status:
                raise SetupFailed(
                    f"`{self._pair.calls[number].step}` gets no answer, one after the other: {seen.failure}"
                )
        self._arena.late = self._arena.late or trial.late
        self._references.append(Reference(order, trial.outcome))
        self._oracle = None

    @property
    def _named(self) -> list[tuple[StepName, Side]]:
        return list(zip(self._pair.calls, self._sides, strict=True))

    @property
    def oracle(self) -> Oracle:
        if self._oracle is None:
            names = [
                f"{name.step} on {side}" if name.scenario else f"migration {name.step}" for name, side in self._named
            ]
            if names[0] == names[1]:
                names = [f"the first {names[0]}", f"the second {names[1]}"]
            self._oracle = Oracle(self._references, names, background=self._background)
        return self._oracle

    async def _stampede(self, failures: list[Failure]) -> tuple[int, int]:
        wanted = self._options.stampede * (4 if self._control else 1)
        done = 0
        while done < wanted and time.monotonic() < self._deadline:
            trial = await self._trial(at_once(OFFSETS[done % len(OFFSETS)]))
            done += 1
            judgement = await self.judged(trial)
            if judgement.kind != "serial":
                failures.append(Failure(judgement, trial, (), done))
                if len(failures) >= 3 and done >= 10:
                    await self._sift(failures)
                    if len(failures) >= 3:
                        break
        return done, len(failures)

    async def _sift(self, failures: list[Failure]) -> None:
        """The serial orders once more, and only what they still do not explain stays: what changes now and then (a
        second, a counter of the service) is not known as noise before it has changed, and must not end a search."""
        if self._sifted >= SIFTED:
            return
        self._sifted += 1
        for order in ORDERS[:2]:
            await self.reference(order)
        failures[:] = await self._unexplained(failures)

    async def _unexplained(self, failures: Iterable[Failure]) -> list[Failure]:
        still = []
        for failure in failures:
            judgement = await self.judged(failure.trial)
            if judgement.kind != "serial":
                still.append(msgspec.structs.replace(failure, judgement=judgement))
        return still

    async def profile(self) -> None:
        """What each turn of the two touches, and so which statements get a COMMIT of their own."""
        profile = _Profile(self._arena)
        await self._trial(by_schedule(_chooser(Policy(())), profile.after))
        self._accesses = profile.accesses
        self._arena.gate.split = profile.splits

    # --- schedules -------------------------------------------------------------------------------------------------

    async def _explore(self, failures: list[Failure]) -> tuple[int, Coverage | None]:
        """Bounded search, then a random tail. Ends with the first outcome that loses something."""
        await self.profile()
        trace = await self._schedule((), failures, 1)  # one call after the other: what each usually takes
        self._usual = tuple(sum(step.actor == number for step in trace) for number in range(2))
        search = schedules(self._options.bound, MOST_SCHEDULES, self._usual)
        next(search)  # asks for just that run
        count = 1
        try:
            while True:
                prefix = search.send(trace)
                if _enough(failures):
                    await self._sift(failures)
                if time.monotonic() > self._deadline or _enough(failures):
                    search.send(None)
                trace = await self._schedule(prefix, failures, count + 1)
                count += 1
        except StopIteration as found:
            coverage: Coverage = found.value
        if not failures and len({step.actor for step in trace}) > 1:
            count += await self._tail(failures, count, len(trace))
        return count, coverage

    async def _tail(self, failures: list[Failure], count: int, turns: int) -> int:
        for number in range(TAIL):
            if time.monotonic() > self._deadline:
                return number
            policy = RandomPolicy(self._options.seed * 1000 + number, 2, max(turns, 2), usual=self._usual)
            await self._run(policy, failures, count + number + 1)
        return TAIL

    async def _schedule(self, prefix: tuple[int, ...], failures: list[Failure], number: int) -> Trace:
        return await self._run(Policy(prefix, self._usual), failures, number)

    async def _run(self, policy: Policy | RandomPolicy, failures: list[Failure], number: int) -> Trace:
        trial = await self._trial(by_schedule(_chooser(policy)))
        judgement = await self.judged(trial)
        decisions = tuple(granted.actor for granted in trial.granted)
        if judgement.kind != "serial":
            failures.append(Failure(judgement, trial, decisions, number))
        return self._trace(trial)

    async def judged(self, trial: Trial) -> Judgement:
        judgement = self.oracle.judge(trial.outcome)
        if judgement.serial:
            return judgement
        if trial.stuck:
            return msgspec.structs.replace(judgement, kind="stuck")
        if judgement.kind in CORRUPTS and self._sides[0] is not self._sides[1]:
            for alone in await self._alone():
                if self.oracle.leaves_as(trial.outcome, alone):
                    return Judgement(SERIAL, judgement.order, judgement.refused, limits=judgement.limits)
        return judgement

    async def _alone(self) -> list[Oracle]:
        """Both calls on one side, one after the other, on the same entity."""
        if self._pure is None:
            self._pure = []
            for side in Side:
                references = []
                for order in ORDERS[:4]:
                    trial = await self._arena.trial(self._pair, (side, side), serially(order), self._sides)
                    references.append(Reference(order, trial.outcome))
                self._pure.append(Oracle(references, background=self._background))
        return self._pure

    def _trace(self, trial: Trial) -> Trace:
        """The turns as the search wants them: what each touched, in this run."""
        open_work: dict[tuple[str, str, int], frozenset[str]] = {}
        steps: list[Step] = []
        for granted in trial.granted:
            turn: Turn = granted.turn
            place = (turn.actor, turn.store, turn.connection)
            access = self._access(granted.actor, turn)
            if turn.kind in ("commit", "rollback"):
                access = Access(turn.store, publishes=open_work.pop(place, frozenset()))
            elif turn.error:
                held = open_work.pop(place, frozenset())
                access = msgspec.structs.replace(
                    access, publishes=access.publishes | held | access.writes | access.locks
                )
            elif turn.open_transaction or turn.split:
                open_work[place] = open_work.get(place, frozenset()) | access.writes | access.locks
            else:
                access = msgspec.structs.replace(access, publishes=access.publishes | access.writes | access.locks)
            label = f"{turn.store} {turn.kind} {turn.text}"
            steps.append(Step(granted.actor, label, access, granted.ready, granted.blocked))
        return tuple(steps)

    def _access(self, number: int, turn: Turn) -> Access:
        if turn.kind == "command":
            return command_access(turn)
        known = self._accesses.get((number, turn.store, turn.text))
        if known is None and turn.kind == "statement":
            known = next(
                (a for (_, store, text), a in self._accesses.items() if (store, text) == (turn.store, turn.text)), None
            )
        return known if known is not None else Access(turn.store, unknown=True)

    # --- once more -------------------------------------------------------------------------------------------------

    async def _confirmed(self, tried: Tried) -> Tried:
        """The serial orders again, and what failed three times more. What a serial order explains now is dropped."""
        for order in (*ORDERS[:2], *ORDERS[:2], (0,), (1,)):
            await self.reference(order)
        still = await self._unexplained(tried.failures)
        tried = msgspec.structs.replace(
            tried,
            failures=tuple(still),
            oracle=self.oracle,
            references=tuple(self._references),
            stampeded=sum(not failure.decisions for failure in still),
        )
        while (first := tried.failing) is not None:
            again = await self._again(first) if first.decisions else await self._by_luck(tried)
            if again == ATTEMPTS:
                return msgspec.structs.replace(tried, replays=again)
            rest = tuple(other for other in tried.failures if other is not first)
            if not rest:
                return msgspec.structs.replace(tried, replays=again)
            tried = msgspec.structs.replace(tried, failures=rest)
        return tried

    async def _again(self, failure: Failure) -> int:
        for number in range(ATTEMPTS):
            trial = await self._trial(by_schedule(_chooser(Policy(failure.decisions))))
            if (await self.judged(trial)).kind != failure.judgement.kind:
                return number
        return ATTEMPTS

    async def _by_luck(self, tried: Tried) -> int:
        """A stampede cannot be replayed: it has to fail several times more."""
        again = 0
        for number in range(60):
            trial = await self._trial(at_once(OFFSETS[number % len(OFFSETS)]))
            again += not (await self.judged(trial)).serial
            if again == ATTEMPTS:
                break
        return again


def _enough(failures: Sequence[Failure]) -> bool:
    return len(failures) >= 6 or any(failure.judgement.kind in CORRUPTS for failure in failures)


def _chooser(policy: Policy | RandomPolicy) -> Callable[[dict[int, Turn]], int]:
    def choose(ready: dict[int, Turn]) -> int:
        return policy.choose({number: f"{turn.store} {turn.kind} {turn.text}" for number, turn in ready.items()})

    return choose


async def replay_race(
    ground: Ground, line: Timeline, machine: Mapping[str, Any], times: int
) -> tuple[int, Trial | None, Oracle]:
    """Exactly the schedule of a report (RaceShown.machine), `times` times: how often it failed in the same way, and the
    last run that did. A stampede is repeated as often. Raises SetupFailed."""
    pair = msgspec.convert(machine["pair"], Pair)
    sides = (Side(machine["sides"][0]), Side(machine["sides"][1]))
    decisions = tuple(machine["decisions"])
    wanted = sorted({*sides, *([] if all(name.scenario for name in pair.calls) else [Side.STABLE])})
    fails, shown = 0, None
    async with opened(ground, line, machine["point"], wanted) as arena:
        attempt = _Attempt(arena, pair, sides, Options(), frozenset(), 0.0, False)
        for order in ORDERS:
            await attempt.reference(order)
        await attempt.profile()
        for number in range(times):
            play = by_schedule(_chooser(Policy(decisions))) if decisions else at_once(OFFSETS[number % len(OFFSETS)])
            trial = await arena.trial(pair, sides, play)
            kind = (await attempt.judged(trial)).kind
            if kind == machine["kind"] or (not decisions and kind != "serial"):
                fails, shown = fails + 1, trial
    return fails, shown, attempt.oracle


def command_access(turn: Turn) -> Access:
    """What a Redis command touches, by its keys; a turn of several commands touches what they all do."""
    reads: set[str] = set()
    writes: set[str] = set()
    for arguments in turn.commands:
        found = redis_access(arguments)
        if found is None:
            return Access(turn.store, unknown=True)
        reads |= found[0]
        writes |= found[1]
    names = frozenset(f"{turn.store} {key}" for key in writes)
    return Access(turn.store, frozenset(f"{turn.store} {key}" for key in reads), frozenset(), names, names)


# --- what a turn touches, asked of the database ------------------------------------------------------------------------


class _Profile:
    """Reads the lock table after every turn of one directed run."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self.accesses: dict[tuple[int, str, str], Access] = {}
        self._held: dict[tuple[str, int], frozenset[Any]] = {}
        self._writing: set[tuple[str, str]] = set()
        self.unknown = False
        arena.gate.split = lambda store, text: True

    def splits(self, store: str, text: str) -> bool:
        """Which statements get a COMMIT of their own: those that write or lock something, and those not seen before."""
        return (store, text) in self._writing or not any(
            (known, words) == (store, text) for _, known, words in self.accesses
        )

    async def after(self, granted: Granted) -> None:
        turn = granted.turn
        watch = self._arena.locks.get(turn.store)
        place = (turn.store, turn.pid or 0)
        if watch is None or turn.pid is None or turn.kind != "statement":
            self._held.pop(place, None)
            return
        key = (granted.actor, turn.store, turn.text)
        if not (turn.open_transaction or turn.split) or turn.error:
            self._held.pop(place, None)
            self.accesses[key] = Access(turn.store, unknown=True)
            self._writing.add((turn.store, turn.text))
            return
        before = self._held.get(place, frozenset()) if not turn.began and not turn.split else frozenset()
        held = await watch.held(turn.pid)
        self._held[place] = held
        fresh = held - before
        known = self.accesses.get(key)
        if not fresh and known is None:
            fresh = held
        access = _access_of(turn.store, fresh)
        if known is not None:
            access = _joined(access, known)
        self.accesses[key] = access
        if access.writes or access.locks:
            self._writing.add((turn.store, turn.text))

    def profile(self, trial: Trial, unseen: bool) -> StepProfile:
        """What one step touched, with ids in names blanked: they differ from run to run."""
        touched = list(self.accesses.values())
        touched += [command_access(granted.turn) for granted in trial.granted if granted.turn.kind == "command"]
        shared = {f"{row.database} {row.table} {row.key}" for row in trial.outcome.delta.rows if row.before is not None}
        for access in touched:
            if access.store not in self._arena.locks:
                shared |= access.writes
        return StepProfile(
            frozenset(_blanked(name) for access in touched for name in access.reads),
            frozenset(_blanked(name) for access in touched for name in access.writes | access.locks),
            len(trial.granted),
            frozenset(shared),
            unseen or any(a.unknown for a in touched) or any(g.turn.kind == "burst" for g in trial.granted),
        )


_ID = re.compile(r"[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\d+|u[0-9a-f]{10}")


def _blanked(name: str) -> str:
    return _ID.sub("#", name)


_READS = {"AccessShareLock", "SIReadLock"}
_LOCKS = {"RowShareLock"}


def _access_of(store: str, held: Iterable[Any]) -> Access:
    reads: set[str] = set()
    locks: set[str] = set()
    writes: set[str] = set()
    publishes: set[str] = set()
    for lock in held:
        name = f"{store} {lock.name}"
        if lock.mode in _READS:
            reads.add(name)
        elif lock.mode in _LOCKS:
            locks.add(name)
        else:
            writes.add(name)
            if lock.name.startswith("sequence "):
                publishes.add(name)  # nextval is seen by everybody at once
    return Access(store, frozenset(reads), frozenset(locks), frozenset(writes), frozenset(publishes))


def _joined(one: Access, other: Access) -> Access:
    return Access(
        one.store,
        one.reads | other.reads,
        one.locks | other.locks,
        one.writes | other.writes,
        one.publishes | other.publishes,
        one.unknown or other.unknown,
    )


def _alone(profile: _Profile) -> Play:
    """Only the first of the two is made, turn by turn; then a moment of silence: does the service work on?"""
    inner = by_schedule(_chooser(Policy(())), profile.after)

    async def play(arena: Arena, names: Sequence[str], calls: Sequence[Callable[[], Awaitable[Any]]]) -> Any:
        directed = await inner(arena, names[:1], calls[:1])
        watcher = Watcher(arena.gate, arena.background)
        await asyncio.sleep(LATE if not arena.late else 0.0)
        directed.late = directed.late or watcher.turns > 0
        directed.results.append(None)
        return directed

    return play


def racing_stages(contract: Contract, line: Timeline, point: int) -> list[int]:
    """The stages of a point where both sides serve; all of them where none is mixed."""
    here = list(line.stages_at(point)) or [line.points[point].stage]
    return [s for s in here if any(len(live) == 2 for live in line.epoch_of(s).live.values())] or here


def may_race(scenario: Scenario) -> bool:
    """Does any call of it change something?"""
    return any(step.method not in SAFE_METHODS for step in scenario.steps)
