"""Calls per second of a run against a bare loop that sends the same calls with the same client, in one go.

    ./dev bench overhead [--steps 10] [--calls 6000] [--rounds 3]

The bare loop starts the same two instances on the same kind of database and sends the calls of the same scenario to
randomly chosen sides, one after another: no reset, no judging, no state. Its second line has the undo log switched on
in the database, which is what being able to reset costs the service itself. A run's calls per second are those of its
exploration (report.json: calls and seconds of the scenario), with merging off: every routing is really performed then,
and the calls are the same. Rounds alternate, so that all meet the same neighbours on the machine; shown are medians.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

from common import crossfade, table
from peer_services import contracts

from crossfade.formats.ramp import read_contract
from crossfade.model.contract import Contract
from crossfade.model.history import Request, Response
from crossfade.model.ramp import Side
from crossfade.world import ledger, processes, servers
from crossfade.world.driver import Client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--calls", type=int, default=6000, help="of the bare loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", default="log", choices=("last", "log"))
    options = parser.parse_args()
    bare, logged, run = [], [], []
    with tempfile.TemporaryDirectory() as name:
        path = contracts.write(Path(name) / "steps", options.kind, options.steps)
        contract = read_contract(path)
        for _ in range(options.rounds):
            both = asyncio.run(bare_loop(contract, Path(name), options.calls))
            bare.append(both[0])
            logged.append(both[1])
            scenario = crossfade(path, "--merge", "off").report["exercised"]["scenarios"][0]
            run.append((scenario["calls"] / scenario["seconds"], scenario["calls"]))
    base = statistics.median(bare)
    rows = [
        ["bare loop", options.calls, base, 1.0],
        ["bare loop, undo log on", options.calls, statistics.median(logged), statistics.median(logged) / base],
        ["crossfade run", run[0][1], statistics.median(rate for rate, _ in run), 0.0],
    ]
    rows[2][3] = rows[2][2] / base
    print(table(["what", "calls", "calls/s", "share"], rows))


async def bare_loop(contract: Contract, work: Path, calls: int) -> tuple[float, float]:
    """Calls per second without and with the undo log in the database."""
    run_id = ledger.new_run_id()
    book = ledger.Ledger(run_id)
    folder = Path(contract.folder)
    logs = work / run_id
    logs.mkdir()
    try:
        async with servers.open_servers(contract.databases, folder, logs, logs, book, run_id, print) as databases:
            stores = await databases.create("bare")
            values = {f"{name}.url": url for name, url in stores.urls.items()}
            running = {}
            try:
                for side in Side:
                    service = contract.services[0]
                    running[side] = await processes.start_instance(
                        service, side, "bare", values, folder, logs, book, run_id
                    )
                clients = [Client(one.base_url) for one in running.values()]
                await rate(contract, clients, calls // 10)  # warm
                plain = await rate(contract, clients, calls)
                await stores.checkpoint()
                logged = await rate(contract, clients, calls)
                for client in clients:
                    await client.close()
                return plain, logged
            finally:
                for one in running.values():
                    await one.stop()
    finally:
        book.close()


async def rate(contract: Contract, clients: list[Client], calls: int) -> float:
    steps = contract.scenarios[0].steps
    chosen = random.Random(1)
    requests = [Request(step.method, step.path) for step in steps]
    started = time.perf_counter()
    for number in range(calls):
        answer = await clients[chosen.randrange(2)].send(requests[number % len(requests)], 10)
        if not isinstance(answer, Response) or answer.status != 200:
            raise SystemExit(f"call {number} failed: {answer}")
    return calls / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
