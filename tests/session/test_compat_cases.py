"""What `crossfade compat` says: tests/cases/compat/*.txt hold the documents, the command and the whole output.

A case file has sections `--- NAME` (a file of that name), `--- command` (what follows `crossfade compat`) and `--- output`,
whose first line is the exit code. `python tests/session/test_compat_cases.py` writes the outputs anew: look at the diff.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

import pytest

from crossfade.cli import main

CASES = sorted((Path(__file__).parent.parent / "cases" / "compat").glob("*.txt"))


def sections(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines(keepends=True):
        if line.startswith("--- "):
            found[line[4:].strip()] = []
        else:
            list(found.values())[-1].append(line)
    return {name: "".join(lines) for name, lines in found.items()}


def output(parts: dict[str, str], folder: Path) -> str:
    """The exit code and all that was printed by the command of a case."""
    for name, text in parts.items():
        if name not in ("command", "output"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    stdout, stderr = io.StringIO(), io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = main(["compat", *parts["command"].split()])
    finally:
        os.chdir(before)
    return f"exit {code}\n{stderr.getvalue()}{stdout.getvalue()}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_output_is_exactly_this(case: Path, tmp_path: Path) -> None:
    parts = sections(case.read_text(encoding="utf-8"))
    assert parts["output"] == output(parts, tmp_path)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 24


if __name__ == "__main__":
    for path in CASES if len(sys.argv) < 2 else map(Path, sys.argv[1:]):
        text = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as name:
            new = output(sections(text), Path(name))
        path.write_text(text.partition("--- output\n")[0] + "--- output\n" + new, encoding="utf-8")
