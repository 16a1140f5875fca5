"""How many calls a random canary needs until a failure of the zoo is seen, against the calls Crossfade sends.

    ./dev bench random_canary [PAIR ...] [--draws 9] [--cap 8]

A random canary sends each call of a scenario to the canary with chance p, independently, and passes through all
scenarios of the contract again and again. Every finding carries its exact chance per pass as a polynomial in p, so the
median number of passes until the first failure is ln 1/2 / ln (1 - chance): that is the column *by chance*.

That number is checked: the calls are really sent, by the client Crossfade uses, to two instances at a stage where both
serve, until the failure of the finding is there; *sent* is the median of several draws, each cut at a multiple of the
median expected. Not sent: failures that need calls before a migration or after a rollback (they cannot be met at one
stage), and those the canary shows alone (there is nothing to draw: the first call it serves shows them).

All of it flatters the random canary. It knows what each side alone answers without having asked for it, so it sees
wrong values and not only errors; it knows which failure it waits for; each pass starts from clean data; and where the
failure needs more than one stage, the chance still counts every pass as one that goes through the right ones.

Crossfade's calls are counted until the failure was first suspected, with the pure runs and all scenarios before it; the
replays that confirm it come on top (column *all its calls*: the whole search, without the replays).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from common import REPOSITORY, crossfade, table

from crossfade.engine.timeline import Timeline, timeline
from crossfade.errors import CrossfadeError
from crossfade.formats.openapi import read_openapi
from crossfade.formats.ramp import read_contract
from crossfade.model.contract import Contract
from crossfade.model.history import Placed
from crossfade.model.ramp import Side
from crossfade.session.calling import Conversation
from crossfade.session.environment import Environment, Ground, Journey
from crossfade.session.exploring import Explorer, Trouble
from crossfade.session.options import Options
from crossfade.session.work import ScenarioWork
from crossfade.world.ledger import Ledger, new_run_id
from crossfade.world.servers import open_servers

WEIGHTS = (0.05, 0.30, 0.50)
PURE_RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", nargs="*", help="names of folders in zoo/; all without")
    parser.add_argument(
        "--draws", type=int, default=9, help="random canaries really sent per finding and weight; 0: none"
    )
    parser.add_argument(
        "--cap", type=float, default=8.0, help="calls of one draw, as a multiple of the median by chance"
    )
    options = parser.parse_args()
    os.environ.setdefault("NODE_PATH", str(REPOSITORY / "zoo" / "node" / "node_modules"))
    contracts = sorted((REPOSITORY / "zoo").glob("*/broken/ramp.yaml"))
    rows: list[list[Any]] = []
    for contract in contracts:
        if not options.pairs or pair(contract) in options.pairs:
            found = measured(contract, options.draws, options.cap)
            print(*map(json.dumps, found), sep="\n", file=sys.stderr, flush=True)
            rows += found
    heads = [f"{weight:.0%} {kind}" for weight in WEIGHTS for kind in ("by chance", "sent")]
    print(table(["pair", "chance per pass", *heads, "Crossfade", "all its calls"], rows))
    print()
    for number, weight in enumerate(WEIGHTS):
        for kind, column in (("by chance", 2 + 2 * number), ("sent", 3 + 2 * number)):
            ratios = [row[-2] / row[column] for row in rows if isinstance(row[column], int) and row[-2]]
            if ratios:
                median, tenth = statistics.median(ratios), sum(ratio <= 0.1 for ratio in ratios)
                print(
                    f"Crossfade / random canary at {weight:.0%} {kind}: median {median:.2f} over {len(ratios)} findings, "
                    f"{tenth} of them at a tenth or less"
                )


def pair(contract: Path) -> str:
    return contract.parent.parent.name


def measured(path: Path, draws: int, cap: float) -> list[list[Any]]:
    """A row for each finding that decides: the calls at each weight by chance and as sent, and Crossfade's."""
    report = crossfade(path).report
    steps = sum(scenario["steps"] for scenario in report["exercised"]["scenarios"])
    everything = report["exercised"]["calls"]
    decisive = [finding for finding in report["findings"] if finding["severity"] == "error"]
    if not decisive:
        return [[pair(path), "not found", *[None] * 6, None, everything]]
    rows = []
    for finding in decisive:
        chance = finding["chance"]
        expected = [median_calls(value(chance["coefficients"], weight), steps) for weight in WEIGHTS]
        sent: list[int | str | None] = [None] * len(WEIGHTS)
        if draws and at_one_mixed_point(finding):
            sent = asyncio.run(sent_calls(path, finding, draws, [cap * calls if calls else 0 for calls in expected]))
        both = [number for couple in zip(expected, sent, strict=True) for number in couple]
        rows.append([pair(path), chance["text"], *both, finding.get("seen_after_calls") or everything, everything])
    return rows


# --- by chance ---------------------------------------------------------------------------------------------------------


def value(coefficients: list[float], weight: float) -> float:
    return sum(coefficient * weight**power for power, coefficient in enumerate(coefficients))


def median_calls(chance: float, steps: int) -> int | None:
    """Calls until the failure was seen with chance one half; None where it cannot happen at this weight.

    >>> median_calls(0.0475, 2), median_calls(1.0, 2), median_calls(0.0, 2)
    (30, 2, None)
    """
    if chance <= 0:
        return None
    if chance >= 1:
        return steps
    return math.ceil(math.log(0.5) / math.log1p(-chance)) * steps


# --- really sent -------------------------------------------------------------------------------------------------------


def at_one_mixed_point(finding: dict[str, Any]) -> bool:
    """Can it be met while the ramp stands still? `routing` names the point of the data and the side per step."""
    witness = finding["witness"]
    kept = [(point, side) for point, side in witness["routing"] if point >= 0] if witness else []
    return len({point for point, _ in kept}) == 1 and finding["blame"] == "mixed"


async def sent_calls(path: Path, finding: dict[str, Any], draws: int, caps: list[float]) -> list[int | str | None]:
    """The median number of calls per weight until the finding's failure was met; `> n` where most draws met the cap."""
    contract = read_contract(path)
    line = timeline(contract)
    point = next(point for point, _ in finding["witness"]["routing"] if point >= 0)
    async with ground_of(contract) as ground:
        try:
            async with ground.opened("random", None) as environment:
                await environment.migrate(contract.stages[0])
                journey = Journey(ground, line, environment)
                await journey.begin()
                await journey.go_to(Placed(point, Side.CANARY))
                await environment.stores.checkpoint()
                works = [
                    await known(contract, line, index, environment, point) for index in range(len(contract.scenarios))
                ]
                results: list[int | str | None] = []
                for number, (weight, cap) in enumerate(zip(WEIGHTS, caps, strict=True)):
                    chosen = random.Random(number)
                    counts = [
                        await one_draw(works, environment, point, finding, weight, cap, chosen) for _ in range(draws)
                    ]
                    results.append(middle(counts, cap) if cap else None)
                return results
        except CrossfadeError as problem:
            return [f"({problem.message})"] * len(WEIGHTS)


async def known(contract: Contract, line: Timeline, index: int, environment: Environment, point: int) -> ScenarioWork:
    """What each side alone answers in one scenario: given to the random canary for nothing."""
    descriptions = {}
    for service in contract.services:
        for side in Side:
            named = service.instance(side).openapi if side is Side.STABLE or service.on_ramp else None
            descriptions[service.name, side] = read_openapi(Path(contract.folder) / named, named) if named else None
    work = ScenarioWork(contract, line, index, descriptions)
    explorer = Explorer(work, environment, point, Options(), lambda event: None, Trouble())
    for number in range(PURE_RUNS):
        for side in Side:
            await explorer.add_pure(side, observe=number == 0)
    work.learn()
    return work


async def one_draw(
    works: list[ScenarioWork],
    environment: Environment,
    point: int,
    finding: dict[str, Any],
    weight: float,
    cap: float,
    chosen: random.Random,
) -> int | None:
    """Passes through all scenarios with random sides until the failure is seen: the calls sent, None at the cap."""
    calls = 0
    patience = {work.index: work.patience.hurried(0.2) for work in works}  # answers known to be late are waited for
    while calls < cap:
        for work in works:
            conversation = Conversation(environment, work.scenario, work.index, work.judge, patience[work.index])
            for step in range(len(work.scenario.steps)):
                side = Side.CANARY if chosen.random() < weight else Side.STABLE
                placed = Placed(point, side)
                made = await conversation.call(step, placed, rules=work.rules_at(step, placed))
                calls += 1
                if fails(work, finding, [str(p.check) for p in made.problems], step, side):
                    await environment.stores.rewind()
                    return calls
            await environment.stores.rewind()
    return None


def fails(work: ScenarioWork, finding: dict[str, Any], checks: list[str], step: int, side: Side) -> bool:
    """The check of the finding at its last call, on the side that showed it there."""
    if work.scenario.name != finding["scenario"]:
        return False
    last = finding["witness"]["calls"][-1]
    return work.scenario.steps[step].name == last["step"] and str(side) == last["side"] and finding["check"] in checks


def middle(counts: list[int | None], cap: float) -> int | str:
    ordered = sorted(count if count is not None else math.inf for count in counts)
    found = ordered[len(ordered) // 2]
    return f"> {round(cap)}" if found == math.inf else int(found)


@contextlib.asynccontextmanager
async def ground_of(contract: Contract) -> AsyncIterator[Ground]:
    run_id = new_run_id()
    ledger = Ledger(run_id)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        work = Path(name)
        work.chmod(0o755)
        logs = work / "logs"
        logs.mkdir()
        try:
            async with open_servers(
                contract.databases, Path(contract.folder), work, logs, ledger, run_id, lambda text: None
            ) as servers:
                yield Ground(contract, servers, ledger, run_id, work, logs)
        finally:
            ledger.close()


if __name__ == "__main__":
    main()
