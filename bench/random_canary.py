"""How many calls a random canary needs until a failure of the zoo is seen, against the calls Crossfade sends.

    ./dev bench random_canary [PAIR ...]

A random canary sends each call of a scenario to the canary with chance p, independently, and passes through all
scenarios of the contract again and again. Every finding carries its exact chance per pass as a polynomial in p, so the
median number of passes until the first failure is ln 1/2 / ln (1 - chance): nothing has to be drawn. That flatters the
random canary: it is allowed to notice what only a comparison with pure runs shows, and it starts from clean data.

Crossfade's calls are counted until the failure was first seen (its suspicion, before the replays that confirm it),
with the calls of the pure runs and of all scenarios before it.
"""

from __future__ import annotations

import argparse
import math
import statistics
from pathlib import Path
from typing import Any

from common import REPOSITORY, crossfade, table

WEIGHTS = (0.05, 0.30, 0.50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pairs", nargs="*", help="names of folders in zoo/; all without")
    names = parser.parse_args().pairs
    contracts = sorted((REPOSITORY / "zoo").glob("*/broken/ramp.yaml"))
    rows = [row for contract in contracts if not names or pair(contract) in names for row in measured(contract)]
    head = ["pair", "chance per pass", *(f"random {weight:.0%}" for weight in WEIGHTS), "Crossfade", "all its calls"]
    print(table(head, rows))
    for column, weight in enumerate(WEIGHTS, start=2):
        ratios = [row[-2] / row[column] for row in rows if row[-2] and row[column]]
        if ratios:
            print(f"\nmedian of (Crossfade / random at {weight:.0%}): {statistics.median(ratios):.2f}", end="")
    print()


def pair(contract: Path) -> str:
    return contract.parent.parent.name


def measured(contract: Path) -> list[list[Any]]:
    """One row for the first finding that decides: its chance, the median calls at each weight, Crossfade's calls."""
    report = crossfade(contract).report
    steps = sum(scenario["steps"] for scenario in report["exercised"]["scenarios"])
    decisive = [finding for finding in report["findings"] if finding["severity"] == "error"]
    if not decisive:
        return [[pair(contract), "not found", None, None, None, None, report["exercised"]["calls"]]]
    rows = []
    for finding in decisive[:1]:
        chance = finding["chance"]
        calls = [median_calls(value(chance["coefficients"], weight), steps) for weight in WEIGHTS]
        seen = finding.get("seen_after_calls") or report["exercised"]["calls"]
        rows.append([pair(contract), chance["text"], *calls, seen, report["exercised"]["calls"]])
    return rows


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


if __name__ == "__main__":
    main()
