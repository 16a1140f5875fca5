"""What the benchmarks share: runs of the command line, and Markdown tables."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent


class Measured(NamedTuple):
    """One `crossfade run`: its exit code, wall time in seconds and report.json (empty where none was written)."""

    code: int
    seconds: float
    report: dict[str, Any]


def crossfade(contract: Path, *options: str, timeout: float = 1200) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "crossfade", "run", str(contract), "--report", folder, *options]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        seconds = time.perf_counter() - started
        report = Path(folder) / "report.json"
        if done.returncode not in (0, 1, 3) or not report.exists():
            sys.stderr.write(done.stderr[-4000:])
        return Measured(done.returncode, seconds, json.loads(report.read_text()) if report.exists() else {})


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are aligned to the right.

    >>> print(table(["name", "ms"], [["a", 1.5]]))
    | name | ms |
    |---|--:|
    | a | 1.50 |
    """
    lines = [list(row) for row in rows]
    numeric = [
        bool(lines) and all(isinstance(line[column], int | float | type(None)) for line in lines)
        for column in range(len(head))
    ]
    rule = "".join("--:|" if right else "---|" for right in numeric)
    shown = [" | ".join(_shown(cell) for cell in line) for line in lines]
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}", *(f"| {line} |" for line in shown)])


def _shown(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.2f}" if cell < 10 else f"{cell:,.1f}" if cell < 100 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
