"""How long the parts take that come before the first call: `crossfade --help`, the plan, the world.

    ./dev bench startup [--rounds 7]

The world is measured as a whole run over a scenario of one call; the report says how much of it was the exploration.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import crossfade, table
from peer_services import contracts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        contract = contracts.write(Path(folder) / "one", "last", 1)
        python = [sys.executable]
        crossfade_command = [*python, "-m", "crossfade"]
        rows = [
            ["python -c pass", *command([*python, "-c", "pass"], rounds)],
            ["crossfade --help", *command([*crossfade_command, "--help"], rounds)],
            ["crossfade plan (1 scenario of 1 call)", *command([*crossfade_command, "plan", str(contract)], rounds)],
        ]
        runs = [crossfade(contract) for _ in range(rounds)]
    whole = [run.seconds for run in runs]
    exploring = [sum(scenario["seconds"] for scenario in run.report["exercised"]["scenarios"]) for run in runs]
    rest = [a - b for a, b in zip(whole, exploring, strict=True)]
    rows.append(["crossfade run (1 scenario of 1 call)", *summary(whole)])
    rows.append(["  of it not exploring: world, two versions, report", *summary(rest)])
    print(table(["what", "median s", "min s", "max s"], rows))


def command(arguments: list[str], rounds: int) -> tuple[float, float, float]:
    def once() -> float:
        started = time.perf_counter()
        subprocess.run(arguments, capture_output=True, check=True)
        return time.perf_counter() - started

    once()  # the first one compiles
    return summary([once() for _ in range(rounds)])


def summary(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


if __name__ == "__main__":
    main()
