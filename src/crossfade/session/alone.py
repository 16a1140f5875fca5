"""The check for work done after an answer: where both versions live on the same stores, either may take the job that the
other left there. A pure run made beside the other version is then a mixture already, and its faults look like noise.
So a side whose answers vary there is asked again where it is alone; what varies only beside the other is a mixed failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from crossfade.engine.judge import Family, Problem
from crossfade.engine.timeline import Timeline
from crossfade.model.api import ApiDescription
from crossfade.model.contract import Contract
from crossfade.model.ramp import Side
from crossfade.session.calling import PureRun
from crossfade.session.environment import Environment, Ground
from crossfade.session.exploring import Explorer, Trouble, as_pure
from crossfade.session.options import Options, silent
from crossfade.session.work import ScenarioWork

RUNS = 10  # on each ground; a job taken by the wrong worker half the time shows in nearly all of these
ENOUGH = 3  # runs beside the other version that fail in one way, where the side alone shows none


class BesideProblem(msgspec.Struct, frozen=True):
    """What a side answers only while the other version lives beside it. `times` of `runs` runs."""

    side: Side
    point: int
    work: ScenarioWork
    problem: Problem
    times: int
    runs: int


class AloneCheck:
    def __init__(
        self,
        contract: Contract,
        ground: Ground,
        line: Timeline,
        point: int,
        descriptions: Mapping[tuple[str, Side], ApiDescription | None],
    ) -> None:
        self._contract = contract
        self._ground = ground
        self._line = line
        self._point = point
        self._descriptions = descriptions
        services = contract.services
        self.possible = (
            bool(contract.databases)
            and all(service.on_ramp for service in services)
            and not any(s.stable.url or (s.canary is not None and s.canary.url) for s in services)
        )

    async def look(self, works: Sequence[ScenarioWork], late: bool) -> list[BesideProblem]:
        """`late`: a service was seen working on its own."""
        found: list[BesideProblem] = []
        for work in works:
            for side in Side:
                runs = work.pure.get((side, self._point), [])
                works_on = late or bool(work.patience.late) or _accepted(runs)
                if len(runs) > 1 and (works_on or work.noise.masked):
                    found.extend(await self._one(work, side, runs, works_on))
        return found

    async def _one(
        self, work: ScenarioWork, side: Side, beside: Sequence[PureRun], works_on: bool
    ) -> list[BesideProblem]:
        own = ScenarioWork(self._contract, self._line, work.index, self._descriptions)
        own.patience.least = work.patience.least
        async with self._ground.clean_at(self._line, self._point, [(side, 0)]) as alone:
            await alone.stores.checkpoint()
            explorer = self._explorer(own, alone)
            for number in range(4):
                await explorer.add_pure(side, observe=number == 0)
                own.learn()
            family = self._family(own, side, own.pure[side, self._point])
            if not works_on and not own.judge.phase(self._family(own, side, beside), family):
                return []
            for _ in range(RUNS):
                if await self._differs(own, alone, side):
                    await explorer.add_pure(side)
                    own.learn()
        both = [(one, 0) for one in Side]
        failed: dict[tuple[int, str, str], list[Problem]] = {}
        runs = 0
        async with self._ground.clean_at(self._line, self._point, both) as environment:
            await environment.stores.checkpoint()
            while runs < RUNS and not any(len(same) >= ENOUGH for same in failed.values()):
                runs += 1
                for problem in await self._differs(own, environment, side):
                    failed.setdefault((problem.step, str(problem.check), problem.kind), []).append(problem)
        worst = max(failed.values(), key=len, default=[])
        if len(worst) < ENOUGH or await self._moved_on(own, side):
            return []
        return [BesideProblem(side, self._point, work, worst[0], len(worst), runs)]

    async def _moved_on(self, own: ScenarioWork, side: Side) -> bool:
        """Is the side alone, asked once more, no longer what it was a minute ago?"""
        async with self._ground.clean_at(self._line, self._point, [(side, 0)]) as alone:
            await alone.stores.checkpoint()
            for _ in range(3):
                if await self._differs(own, alone, side):
                    return True
        return False

    async def _differs(self, own: ScenarioWork, environment: Environment, side: Side) -> Sequence[Problem]:
        conversation = await self._explorer(own, environment).pure_run(side, judged=True)
        family = self._family(own, side, own.pure[side, self._point])
        return own.judge.phase(self._family(own, side, [as_pure(conversation)]), family)

    def _family(self, own: ScenarioWork, side: Side, runs: Sequence[PureRun]) -> Family:
        return Family(side, self._point, tuple(run.reading(own.noise) for run in runs))

    def _explorer(self, own: ScenarioWork, environment: Environment) -> Explorer:
        return Explorer(own, environment, self._point, Options(), silent, Trouble())


def _accepted(runs: Sequence[PureRun]) -> bool:
    """Was a call answered with 202: accepted, and done by somebody later?"""
    return any(seen is not None and seen.status == 202 for run in runs for seen in run.answers)
