"""The report folder: every format written from one value, each file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from crossfade.errors import EnvironmentFailed
from crossfade.model.report import Report
from crossfade.report.data import json_report
from crossfade.report.html import html_report
from crossfade.report.junit import junit_report
from crossfade.report.markdown import markdown_report

WRITERS = (
    ("report.json", json_report),
    ("junit.xml", junit_report),
    ("report.md", markdown_report),
    ("report.html", html_report),
)


def write_reports(report: Report, folder: Path) -> list[Path]:
    """Writes report.json, junit.xml, report.md and report.html into `folder` (made where missing) and returns their
    paths. Everything is rendered before anything is written, and each file replaces its predecessor in one step.

    Raises EnvironmentFailed naming the file that could not be written.
    """
    rendered = [(folder / name, writer(report)) for name, writer in WRITERS]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise _cannot_write(folder, problem) from problem
    for path, text in rendered:
        _replace(path, text.encode("utf-8", "replace"))
    return [path for path, _ in rendered]


def _replace(path: Path, content: bytes) -> None:
    """A reader of `path` sees the old file or the new one, never half of one."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as problem:
        with suppress(OSError):
            part.unlink()
        raise _cannot_write(path, problem) from problem


def _cannot_write(path: Path, problem: OSError) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"the report `{path}` cannot be written: {problem.strerror or problem}",
        where=str(path),
        hint="free some space or name another folder with `--report DIR`",
    )
