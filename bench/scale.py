"""Wall time and calls for scenarios of 4, 8, 12 and 16 steps whose every call differs between the sides, with merging
of equal states on and off.

    ./dev bench scale [--steps 4,8,12,16] [--kinds last,log] [--budget SECONDS] [--migration]

`last`: what the sides store meets again, so merging makes n-step scenarios cost a multiple of n. `log`: every routing
leaves another state; nothing can be merged, and the number of routings (2^n) is the cost.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import crossfade, table
from peer_services import contracts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", default="4,8,12,16")
    parser.add_argument("--kinds", default="last,log")
    parser.add_argument("--budget", default="", help="passed on to `crossfade run`")
    parser.add_argument("--migration", action="store_true", help="with an expand stage: calls may also come before it")
    options = parser.parse_args()
    rows = []
    for kind in options.kinds.split(","):
        for steps in map(int, options.steps.split(",")):
            for merge in ("on", "off"):
                rows.append(measured(kind, steps, merge, options.budget, options.migration))
    head = ["kind", "steps", "merging", "routings", "explored", "merged", "calls", "s", "regime", "verdict"]
    print(table(head, rows))


def measured(kind: str, steps: int, merge: str, budget: str, migration: bool) -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        contract = contracts.write(Path(folder) / f"{kind}-{steps}", kind, steps, migration)
        run = crossfade(contract, "--merge", merge, *(["--budget", budget] if budget else []))
    exercised = run.report["exercised"]
    scenario = exercised["scenarios"][0]
    return [
        *[kind, steps, merge, scenario["possible"], scenario["explored"], scenario["merged"]],
        *[exercised["calls"], run.seconds, scenario["regime"], run.report["verdict"]],
    ]


if __name__ == "__main__":
    main()
