"""Replaying what was suspected: from clean databases with fresh processes, three times, and between two instances of one
side. A replay is *quick* where the routing stays at one point (a copy of the data as it is there, instances started
there) and a *journey* through the stages otherwise, or where the quick one does not show the failure: an instance that
lived through a migration may behave otherwise than a fresh one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crossfade.engine.causes import Literal, learned_cause
from crossfade.engine.findings import Suspect
from crossfade.engine.judge import Problem
from crossfade.engine.timeline import Timeline
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side
from crossfade.model.report import Blame, Check
from crossfade.model.template import names, names_in
from crossfade.session.calling import LATE, Conversation, Made, Patience
from crossfade.session.environment import Environment, Ground, Journey
from crossfade.session.exploring import Explorer, Trouble
from crossfade.session.options import Options, silent
from crossfade.session.work import ScenarioWork, migration_problem
from crossfade.world.migrations import MigrationFailed

ATTEMPTS = 3
TWICE = 2


ProblemKey = tuple[int, Check, str]


class Replayed(msgspec.Struct, frozen=True):
    """One clean replay: the calls, and all problems (those of the state left behind included)."""

    made: tuple[Made, ...]
    problems: tuple[Problem, ...]

    def shows(self, suspect: Suspect) -> bool:
        return any(self._same(problem, own) for problem in self.problems for own in suspect.problems[:1])

    def shows_like(self, suspect: Suspect) -> bool:
        """The same call fails in the same check and way, whatever the value (any status counts)."""
        kinds = {problem.kind for problem in suspect.problems}
        return any(
            p.step == suspect.step and p.check is suspect.check and (p.kind in kinds or p.check is Check.STATUS)
            for p in self.problems
        )

    @staticmethod
    def _same(problem: Problem, own: Problem) -> bool:
        if problem.step != own.step or problem.check is not own.check:
            return False
        return problem.kind == own.kind or problem.check is Check.STATUS


class Confirmed(msgspec.Struct, frozen=True):
    """`replays` of ATTEMPTS failed the same way; `steps_kept`: the steps of the smallest scenario."""

    suspect: Suspect
    replays: int
    between_replicas: tuple[str, ...]
    shown: Replayed | None
    steps_kept: tuple[int, ...]


class Replayer:
    def __init__(self, ground: Ground, line: Timeline, work: ScenarioWork) -> None:
        self._ground = ground
        self._line = line
        self._work = work

    async def confirm(self, suspect: Suspect) -> Confirmed:
        if not self._work.exact:
            suspect = await self._learned(suspect)
        kept = self._needed(suspect)
        everything = tuple(range(len(self._work.scenario.steps)))
        count, shown = 0, None
        known: frozenset[ProblemKey] = frozenset()
        if kept != everything:
            known = await self._alone(kept)
            if not any(step == suspect.step and check is suspect.check for step, check, _ in known):
                count, shown = await self._attempts(suspect, kept, known)
        if count < ATTEMPTS:
            kept, known = everything, frozenset()
            count, shown = await self._attempts(suspect, kept, known)
        if count == ATTEMPTS and suspect.check is Check.SAMENESS and kept == everything:
            count = 0 if await self._drifting(suspect, everything) else count
        replicas: tuple[str, ...] = ()
        if count == ATTEMPTS and suspect.blame is Blame.MIXED and suspect.check is not Check.MIGRATION:
            replicas = await self._between_replicas(suspect, kept, known)
        return Confirmed(suspect, count, replicas, shown, kept)

    async def _drifting(self, suspect: Suspect, everything: Sequence[int]) -> bool:
        """Does a run on one side alone, made now, show the same? Then the world moved on (a load average, a rate that is
        fetched now and then) and the references are out of date: nothing is said about the versions."""
        own = suspect.problems[0]
        firsts = {side: min(p for s, p in self._work.pure if s is side) for side, _ in self._work.pure}
        for side, point in firsts.items():
            word = (Placed(point, side),) * len(everything)
            if all(literal.holds(word) for literal in suspect.patterns[0]):
                continue  # this one has to fail
            now = await self.replay(word, everything, journey=False, patience=self._work.patience.hurried(0.0))
            if any((p.step, p.check, p.kind) == (own.step, own.check, own.kind) for p in now.problems):
                return True
        return False

    async def _learned(self, suspect: Suspect) -> Suspect:
        """Where not all routings were run, the cause is found by asking for a few more: which steps of the failing
        routing, set into a passing one, are enough (see `causes.learned_cause`)."""
        word = suspect.word
        points = {placed.point for placed in word}
        if len(points) > 1 or suspect.check is Check.MIGRATION or suspect.blame is not Blame.MIXED:
            return suspect
        point = points.pop()
        passing = [side for side in Side if (side, point) in self._work.pure]
        failing = [placed.side for placed in word]
        needed: set[int] = set()
        async with self._ground.clean_at(self._line, point, [(side, 0) for side in passing]) as environment:
            await environment.stores.checkpoint()
            for base in passing:  # against each side alone: only steps on the other one can be needed
                found = await self._asked(environment, suspect, failing, base, point)
                needed |= set(found)
                failing = [failing[step] if step in found else base for step in range(len(word))]
        cause = tuple(Literal(step, word[step].side) for step in sorted(needed))
        return msgspec.structs.replace(suspect, patterns=(cause,)) if cause else suspect

    async def _asked(
        self, environment: Environment, suspect: Suspect, failing: Sequence[Side], base: Side, point: int
    ) -> tuple[int, ...]:
        everything = range(len(failing))
        search = learned_cause(failing, [base] * len(failing))
        try:
            asked = next(search)
            while True:
                placed = {step: Placed(point, asked[step]) for step in everything}
                patience = self._work.patience.hurried(0.0)
                shown = await self._converse(environment, placed, dict.fromkeys(everything, 0), None, patience)
                await environment.stores.rewind()
                asked = search.send(shown.shows(suspect))
        except StopIteration as found:
            return tuple(found.value)

    async def _alone(self, kept: Sequence[int]) -> frozenset[ProblemKey]:
        """What the shortened scenario shows on one side alone: it follows from the steps left out, not from the mix."""
        found: set[ProblemKey] = set()
        firsts = {side: min(p for s, p in self._work.pure if s is side) for side, _ in self._work.pure}
        for side, point in firsts.items():
            word = (Placed(point, side),) * len(self._work.scenario.steps)
            replayed = await self.replay(word, kept, journey=False, patience=self._work.patience.hurried(0.0))
            found |= {(p.step, p.check, p.kind) for p in replayed.problems}
        return frozenset(found)

    async def _attempts(
        self, suspect: Suspect, kept: Sequence[int], known: frozenset[ProblemKey]
    ) -> tuple[int, Replayed | None]:
        count, shown = 0, None
        journey = not self._at_one_point(suspect, kept)
        for attempt in range(ATTEMPTS):
            if attempt == 0 or known:
                patience: Patience | None = self._work.patience.hurried(LATE, suspect.step if known else None)
            else:
                patience = None  # what the first replay waited for in vain need not be waited for again
            replayed = await self.replay(suspect.word, kept, journey=journey, patience=patience, known=known)
            if not replayed.shows(suspect) and not journey:
                journey = True
                replayed = await self.replay(suspect.word, kept, journey=True, patience=patience, known=known)
            if not replayed.shows(suspect):
                break
            count, shown = attempt + 1, replayed
        return count, shown

    def _at_one_point(self, suspect: Suspect, kept: Sequence[int]) -> bool:
        points = {suspect.word[step].point for step in kept}
        return len(points) <= 1 and all(problem.at < 0 or {problem.at} == points for problem in suspect.problems[:1])

    def _needed(self, suspect: Suspect) -> tuple[int, ...]:
        """The steps of the cause and of the failing call, and the steps whose variables they use."""
        steps = self._work.scenario.steps
        if suspect.step >= len(steps):
            return tuple(range(len(steps)))
        wanted = {literal.step for cause in suspect.patterns[:1] for literal in cause} | {suspect.step}
        todo = list(wanted)
        while todo:
            step = steps[todo.pop()]
            used = {
                *names(step.path),
                *names_in(step.headers),
                *names_in(step.json),
                *names(step.body or ""),
                *names_in(step.form),
            }
            used |= {name for name in _saved_names(steps) for e in step.expect if f"saved.{name}" in e.source}
            for name in used:
                savers = [i for i in range(steps.index(step)) if name in steps[i].save]
                if savers and savers[-1] not in wanted:
                    wanted.add(savers[-1])
                    todo.append(savers[-1])
        return tuple(sorted(wanted))

    async def replay(
        self,
        word: Word,
        kept: Sequence[int],
        *,
        journey: bool,
        second: Side | None = None,
        patience: Patience | None = None,
        known: frozenset[ProblemKey] = frozenset(),
    ) -> Replayed:
        """One clean replay. `known` problems are not told and not waited for. With `second` all calls go to that
        side, those of the canary to a second instance of it."""
        patience = patience or self._work.patience
        replayed = await self._replayed(word, kept, journey, second, patience)
        if not known:
            return replayed
        made = tuple(
            msgspec.structs.replace(m, problems=tuple(p for p in m.problems if (p.step, p.check, p.kind) not in known))
            for m in replayed.made
        )
        problems = tuple(p for p in replayed.problems if (p.step, p.check, p.kind) not in known)
        return Replayed(made, problems)

    async def _replayed(
        self, word: Word, kept: Sequence[int], journey: bool, second: Side | None, patience: Patience
    ) -> Replayed:
        placed = {step: Placed(word[step].point, second or word[step].side) for step in kept}
        replica = {step: int(second is not None and word[step].side is Side.CANARY) for step in kept}
        if journey:
            return await self._journey(placed, replica, second, patience)
        point = word[kept[0]].point
        sides = sorted({(placed[step].side, replica[step]) for step in kept})
        sides += [(Side.STABLE, 0)] if any(not s.on_ramp for s in self._ground.contract.services) else []
        async with self._ground.clean_at(self._line, point, sides) as environment:
            await environment.stores.checkpoint()
            return await self._converse(environment, placed, replica, None, patience)

    async def _journey(
        self, placed: dict[int, Placed], replica: dict[int, int], second: Side | None, patience: Patience
    ) -> Replayed:
        template = await self._ground.template(self._line, 0)
        async with self._ground.opened("replay", template) as environment:
            journey = Journey(self._ground, self._line, environment, (0, 1) if second is not None else (0,))
            await journey.begin()
            await environment.stores.checkpoint()
            await self._warm_up(environment)
            return await self._converse(environment, placed, replica, journey, patience)

    async def _warm_up(self, environment: Environment) -> None:
        """The stable has served this scenario before the ramp, as it would have: its caches and prepared statements are
        those of an instance that has been running."""
        await self._explorer(environment, 0).warm_up()
        await environment.stores.release()

    async def _converse(
        self,
        environment: Environment,
        placed: dict[int, Placed],
        replica: dict[int, int],
        journey: Journey | None,
        patience: Patience,
    ) -> Replayed:
        work = self._work
        conversation = Conversation(environment, work.scenario, work.index, work.judge, patience, work.noise)
        problems: list[Problem] = []
        point = 0
        for step in range(len(work.scenario.steps)):
            if step not in placed:
                conversation.names.pop("", None)
                continue
            where = placed[step]
            point = where.point
            if journey is not None:
                failed = await self._move(journey, where)
                if failed is not None:
                    return Replayed(tuple(conversation.made), (*problems, failed))
            made = await conversation.call(step, where, rules=work.rules_at(step, where), replica=replica[step])
            problems.extend(made.problems)
            problems.extend(work.judge.hidden_in(step, where.side, made.answer))
            problems.extend(work.judge.loss_problem(step, pattern, made.answer) for pattern in sorted(made.losses))
        problems.extend(await self._state_after(environment, journey, point))
        return Replayed(tuple(conversation.made), tuple(problems))

    async def _move(self, journey: Journey, where: Placed) -> Problem | None:
        try:
            await journey.go_to(where)
        except MigrationFailed as problem:
            return self._failed(problem, where.point)
        return None

    def _failed(self, problem: MigrationFailed, point: int) -> Problem:
        stage = self._ground.contract.stages[self._line.points[point].stage]
        label = stage.migration.label if stage.migration else ""
        return migration_problem(self._work.automaton.steps, stage.name, label, problem.message, point)

    async def _state_after(self, environment: Environment, journey: Journey | None, point: int) -> list[Problem]:
        """State rules now, and at every later point where the data is led on."""
        found = list(await self._explorer(environment, point).state_problems())
        if journey is None:
            return found
        for later in range(point + 1, len(self._line.points)):
            stage = self._ground.contract.stages[self._line.points[later].stage]
            try:
                if self._line.points[later].opened_by == "migration":
                    await environment.migrate(stage)
            except MigrationFailed as problem:
                found.append(self._failed(problem, later))
                break
            found.extend(await self._explorer(environment, later).state_problems())
        return found

    def _explorer(self, environment: Environment, point: int) -> Explorer:
        return Explorer(self._work, environment, point, Options(), silent, Trouble())

    async def _between_replicas(
        self, suspect: Suspect, kept: Sequence[int], known: frozenset[ProblemKey]
    ) -> tuple[str, ...]:
        """The same calls between two instances of one side: does that fail, too?"""
        found = []
        word = suspect.word
        for side in Side:
            if any(side not in self._possible(word[step].point) for step in kept):
                continue
            if len({word[step].side for step in kept}) < 2:
                continue
            journey = not self._at_one_point(suspect, kept)
            for _ in range(TWICE):  # once may be lateness
                replayed = await self.replay(word, kept, journey=journey, second=side, known=known)
                if not replayed.shows_like(suspect):
                    break
            else:
                found.append(str(side))
        return tuple(found)

    def _possible(self, point: int) -> set[Side]:
        sides = {side for side, at in self._work.pure if at == point}
        return sides or {Side.STABLE}


def _saved_names(steps: Sequence[object]) -> set[str]:
    return {name for step in steps for name in getattr(step, "save", {})}
