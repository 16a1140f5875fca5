"""How often the rules for migrations are right, beside a linter: precision and recall over tests/cases/migrations.

The verdict of each case is checked against PostgreSQL by the tests. `./dev bench migration_rules`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "world"))

from migration_cases import cases, judged_by_text, told

from crossfade.world.squawk import find_squawk

STYLE = (
    "prefer-",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout",
    "ban-char",
    "require-table-schema",
)


def main() -> None:
    program = find_squawk()
    counts = {"crossfade (text)": [0, 0, 0, 0], "squawk": [0, 0, 0, 0]}
    start = time.perf_counter()
    for case in cases():
        hurts = case.verdict != "safe" or bool(case.slow)
        count(counts["crossfade (text)"], hurts, bool(told(judged_by_text(case))))
        if program is not None:
            count(counts["squawk"], hurts, bool(squawk(program, case.migration)))
    for name, (hit, false, missed, quiet) in counts.items():
        if hit + false + missed + quiet:
            precision, recall = hit / max(1, hit + false), hit / max(1, hit + missed)
            counted = f"{hit} right, {false} false, {missed} missed, {quiet} rightly silent"
            print(f"{name:18} precision {precision:.2f}  recall {recall:.2f}  ({counted})")
    print(f"{time.perf_counter() - start:.1f} s")


def count(into: list[int], hurts: bool, alarm: bool) -> None:
    into[0 if hurts and alarm else 1 if alarm else 2 if hurts else 3] += 1


def squawk(program: str, text: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "m.sql"
        file.write_text(text)
        done = subprocess.run([program, "--reporter", "json", str(file)], capture_output=True, timeout=60, check=False)
    return [row["rule_name"] for row in json.loads(done.stdout or b"[]") if not row["rule_name"].startswith(STYLE)]


if __name__ == "__main__":
    main()
