"""`crossfade replay ID`: the witness of a stored finding once more, from clean state, call by call beside what each side
alone answers now."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from crossfade.engine.judge import Problem
from crossfade.engine.pairs import Pair
from crossfade.engine.timeline import Timeline, timeline
from crossfade.errors import EnvironmentFailed, UsageError
from crossfade.model.contract import Contract
from crossfade.model.events import Noted, Started
from crossfade.model.history import Placed
from crossfade.model.ramp import Side
from crossfade.model.report import Finding, RaceShown, Report
from crossfade.session.arena import SetupFailed
from crossfade.session.calling import Made
from crossfade.session.confirming import Replayed, Replayer
from crossfade.session.descriptions import descriptions_of
from crossfade.session.environment import Ground
from crossfade.session.exploring import Explorer, Trouble
from crossfade.session.options import Hear, Options
from crossfade.session.races import replay_race
from crossfade.session.telling import answer_text, body_text, request_text
from crossfade.session.telling_races import race_again
from crossfade.session.work import ScenarioWork
from crossfade.world.finishing import in_thread
from crossfade.world.ledger import Ledger, clean, new_run_id, remove_folder
from crossfade.world.servers import open_servers


class ReplayCall(msgspec.Struct, frozen=True):
    step: str
    side: str
    stage: str
    request: str
    answer: str
    stable: str
    canary: str
    problems: tuple[str, ...]


class Replay(msgspec.Struct, frozen=True):
    """`fails`: the call that failed in the finding fails in the same check again."""

    fails: bool
    calls: tuple[ReplayCall, ...]
    problems: tuple[str, ...]


async def replay_finding(contract: Contract, report: Report, finding: Finding, hear: Hear) -> Replay:
    """Raises UsageError when the finding has no witness or the contract no longer has its scenario."""
    witness = finding.witness
    if witness is None:
        raise UsageError(f"finding `{finding.id}` has no witness to replay", hint="run the contract again")
    index = next((i for i, s in enumerate(contract.scenarios) if s.name == witness.scenario), None)
    if index is None or len(contract.scenarios[index].steps) != len(witness.routing):
        raise UsageError(
            f"the scenario `{witness.scenario}` is not in the contract as it was", hint="run the contract again"
        )
    starts = frozenset(report.environment.get("starts_change_data", ()))
    line = timeline(contract, starts)
    async with opened_ground(contract, hear) as ground:
        ground.starts_change_data = set(starts)
        work = ScenarioWork(contract, line, index, descriptions_of(contract, lambda text: hear(Noted(text))))
        points = {point for point, _ in witness.routing if point >= 0}
        if not points or max(points) >= len(line.points):
            raise UsageError("the ramp is not what it was", hint="run the contract again")
        hear(Started("running each side alone"))
        await _pure_runs(ground, line, work, points)
        hear(Started("replaying the witness"))
        kept = [step for step, (point, _) in enumerate(witness.routing) if point >= 0]
        word = tuple(Placed(max(point, 0), Side(side or "stable")) for point, side in witness.routing)
        replayer = Replayer(ground, line, work)
        replayed = await replayer.replay(word, kept, journey=len(points) > 1)
        if not _fails(replayed, finding) and len(points) == 1:
            replayed = await replayer.replay(word, kept, journey=True)
    stages = {call.step: call.stage for call in witness.calls}
    return Replay(
        _fails(replayed, finding),
        tuple(_call(work, made, stages) for made in replayed.made),
        tuple(problem.message for problem in replayed.problems if _told(problem, finding)),
    )


async def replay_race_finding(
    contract: Contract, report: Report, finding: Finding, hear: Hear, times: int = 20
) -> tuple[RaceShown | None, int]:
    """The schedule of a race again, `times` times: the last run that failed, and how many did. Raises UsageError when the
    contract no longer has what raced."""
    race = finding.race
    if race is None or not race.machine:
        raise UsageError(f"finding `{finding.id}` has no schedule to replay", hint="run the contract again")
    starts = frozenset(report.environment.get("starts_change_data", ()))
    line = timeline(contract, starts)
    pair = msgspec.convert(race.machine["pair"], Pair)
    names = [*pair.setup, *pair.reads, *(name for name in pair.calls if name.scenario)]
    gone = [name.step for name in names if contract.step(name) is None]
    if gone or race.machine["point"] >= len(line.points):
        what = f"the step `{gone[0]}` is not in the contract" if gone else "the ramp is not what it was"
        raise UsageError(what, hint="run the contract again")
    async with opened_ground(contract, hear) as ground:
        ground.starts_change_data = set(starts)
        hear(Started("running the two one after the other, then the schedule"))
        try:
            fails, shown, oracle = await replay_race(ground, line, race.machine, times)
        except SetupFailed as problem:
            raise EnvironmentFailed(f"the calls before the race do not work: {problem}") from None
    return (race_again(race, shown, oracle) if shown is not None else None), fails


async def _pure_runs(ground: Ground, line: Timeline, work: ScenarioWork, points: set[int]) -> None:
    wanted = {(Side.STABLE, 0), *((side, point) for point in points for side in Side)}
    for point in sorted({point for _, point in wanted}):
        sides = [side for side, at in wanted if at == point]
        live = [side for side in sides if side is Side.STABLE or any(s.on_ramp for s in ground.contract.services)]
        async with ground.clean_at(line, point, [(side, 0) for side in live]) as environment:
            await environment.stores.checkpoint()
            explorer = Explorer(work, environment, point, Options(), lambda event: None, Trouble())
            for side in live:
                for number in range(2):
                    await explorer.add_pure(side, observe=number == 0)
    work.learn()


def _fails(replayed: Replayed, finding: Finding) -> bool:
    return any(p.check is finding.check and _told(p, finding) for p in replayed.problems)


def _told(problem: Problem, finding: Finding) -> bool:
    """A place left empty is a loss only where the finding says so: one run alone cannot tell."""
    return not problem.kind.startswith(("lost ", "emptied ")) or problem.message in finding.message


def _call(work: ScenarioWork, made: Made, stages: dict[str, str]) -> ReplayCall:
    step = made.exchange.step
    spec = work.scenario.steps[step]
    seen = made.answer
    said = (
        "blocked: an earlier call did not give what it needs"
        if seen is None
        else f"{seen.status or ''} {body_text(seen)}"
    )
    return ReplayCall(
        spec.name,
        str(made.exchange.placed.side),
        stages.get(spec.name, ""),
        request_text(made),
        " ".join(said.split()),
        answer_text(work.judge.alone(step, Side.STABLE)) or "",
        answer_text(work.judge.alone(step, Side.CANARY)) or "",
        tuple(problem.message for problem in made.problems),
    )


@contextlib.asynccontextmanager
async def opened_ground(contract: Contract, hear: Hear) -> AsyncIterator[Ground]:
    """Servers and a working folder for this contract, without a run. All is gone afterwards."""
    await clean(lambda text: hear(Noted(text)))
    run_id = new_run_id()
    ledger = Ledger(run_id)
    work = Path(tempfile.mkdtemp(prefix=f"crossfade-{run_id}-"))
    try:
        ledger.add_directory(work)
        work.chmod(0o755)
        logs = work / "logs"
        logs.mkdir()
        async with open_servers(
            contract.databases, Path(contract.folder), work, logs, ledger, run_id, lambda text: hear(Noted(text))
        ) as servers:
            yield Ground(contract, servers, ledger, run_id, work, logs)
    finally:
        await in_thread(remove_folder, work)
        ledger.remove_directory(work)
        ledger.close()
