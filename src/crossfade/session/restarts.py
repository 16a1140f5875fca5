"""The restart check: an instance started afresh in the middle of the ramp, as after an eviction, must become ready and
answer like the one that was kept running."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from crossfade.engine.judge import Family, Problem
from crossfade.engine.timeline import Timeline, first_canary_stage
from crossfade.errors import EnvironmentFailed
from crossfade.model.events import Noted
from crossfade.model.ramp import Side
from crossfade.model.report import Check
from crossfade.session.calling import PureRun
from crossfade.session.environment import Ground
from crossfade.session.exploring import Explorer, Trouble
from crossfade.session.options import Hear, Options, silent
from crossfade.session.work import ScenarioWork

AGAIN = 3
KEPT_FAILS = "kept fails"


class RestartProblem(msgspec.Struct, frozen=True):
    """`work` None: the instance did not become ready; otherwise what it answers otherwise. `step` counts in `work`."""

    side: Side
    point: int
    message: str
    work: ScenarioWork | None = None
    problem: Problem | None = None


class RestartCheck:
    def __init__(self, ground: Ground, line: Timeline, point: int, sides: Sequence[Side], hear: Hear) -> None:
        self._ground = ground
        self._line = line
        self._point = point
        self._hear = hear
        first = first_canary_stage(ground.contract)
        canary_point = line.point_of[first] if first is not None else len(line.points)
        self._sides = [side for side in sides if point > (0 if side is Side.STABLE else canary_point)]
        own = {s.name for s in ground.contract.services if s.stable.url or (s.canary is not None and s.canary.url)}
        if own:  # running addresses cannot be started afresh
            self._sides = []

    @property
    def needed(self) -> bool:
        return bool(self._sides)

    async def look(self, works: Sequence[ScenarioWork]) -> list[RestartProblem]:
        found: list[RestartProblem] = []
        for side in self._sides:
            problems = await self._once(works, side)
            for _ in range(AGAIN - 1):
                if not problems:
                    break
                again = await self._once(works, side)
                keys = {_key(problem) for problem in again}
                problems = [problem for problem in problems if _key(problem) in keys]
            found.extend(problems)
        return found

    async def _once(self, works: Sequence[ScenarioWork], side: Side) -> list[RestartProblem]:
        sides = [(side, 0)] + ([(Side.STABLE, 0)] if any(not s.on_ramp for s in self._ground.contract.services) else [])
        try:
            async with self._ground.clean_at(self._line, self._point, sides) as environment:
                await environment.stores.checkpoint()
                return await self._compared(works, side, environment)
        except EnvironmentFailed as problem:
            if (
                "not become ready" not in problem.message
                and "ready" not in problem.message
                and "exit" not in problem.message
            ):
                raise
            return [RestartProblem(side, self._point, problem.message)]

    async def _compared(self, works: Sequence[ScenarioWork], side: Side, environment: object) -> list[RestartProblem]:
        found: list[RestartProblem] = []
        for work in works:
            await self._kept_runs_are_there(work, side)
            kept = next((f for f in work.families() if f.side is side and f.point == self._point), None)
            if kept is None:
                continue
            explorer = Explorer(work, environment, self._point, Options(), silent, Trouble())  # type: ignore[arg-type]
            conversation = await explorer.pure_run(side, judged=True)
            run = PureRun(tuple(conversation.answers()), tuple(conversation.saved_by()))
            fresh = Family(side, self._point, (run.reading(work.noise),))
            otherwise = _works_otherwise(fresh, kept)
            problems = otherwise or list(work.judge.phase(fresh, kept))
            for problem in problems[:1]:
                found.append(RestartProblem(side, self._point, problem.message, work, problem))
        return found

    async def _kept_runs_are_there(self, work: ScenarioWork, side: Side) -> None:
        """Waits until the main environment has made its pure runs here (it may have none on this side)."""
        for _ in range(1200):
            if len(work.pure.get((side, self._point), ())) >= 2:
                return
            await asyncio.sleep(0.1)
        self._hear(Noted(f"{work.scenario.name}: no pure runs of the {side} to compare a fresh instance with"))


def _works_otherwise(fresh: Family, kept: Family) -> list[Problem]:
    """Steps that work on one of the two and not on the other."""
    found: list[Problem] = []
    for step, seen in enumerate(fresh.readings[0].answers):
        references = kept.references(step)
        if seen is None or not references:
            continue
        if seen.status == 429 or any(reference.answer.status == 429 for reference in references):
            continue
        works = [reference.answer.works for reference in references]
        if seen.works != works[-1] and (all(works) or not any(works)):
            said = seen.failure if seen.status == 0 else str(seen.status)
            kept_says = references[-1].answer.status
            message = f"answers {said} on a fresh instance and {kept_says} on the one that was kept running"
            found.append(Problem(step, Check.RESTART, KEPT_FAILS if seen.works else "fresh fails", message))
    return found


def _key(problem: RestartProblem) -> tuple[str, int, int, str]:
    own = problem.problem
    return (
        str(problem.side),
        problem.work.index if problem.work is not None else -1,
        own.step if own is not None else -1,
        own.kind if own is not None else "ready",
    )
