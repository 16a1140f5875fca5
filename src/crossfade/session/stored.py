"""Runs as stored: every report is kept in the state folder, so that `crossfade replay ID` finds its witness."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec

from crossfade.errors import UsageError
from crossfade.model.report import Finding, Report

KEPT = 100
RUNS_WITH_LOGS = 20
LOG_KEPT = 1_000_000  # bytes of each log


def reports_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    if not base:
        try:
            base = str(Path.home() / ".local" / "state")
        except RuntimeError:
            hint = "set XDG_STATE_HOME, or name a file with --report"
            raise UsageError("there is no home directory to look for stored runs in", hint=hint) from None
    return Path(base) / "crossfade" / "reports"


def logs_folder(run: str) -> Path:
    """Where the logs of a run's processes are kept."""
    return reports_folder().parent / "logs" / run


def keep_logs(logs: Path, run: str) -> Path | None:
    """Copies the logs of a run to the state folder, the ends of long ones; None where that is impossible."""
    try:
        folder = logs_folder(run)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for log in sorted(logs.iterdir()):
            if log.is_file() and log.stat().st_size:
                with log.open("rb") as source:
                    source.seek(max(0, log.stat().st_size - LOG_KEPT))
                    (folder / log.name).write_bytes(source.read())
        for old in sorted(folder.parent.iterdir())[:-RUNS_WITH_LOGS]:
            shutil.rmtree(old, ignore_errors=True)
    except (OSError, UsageError):
        return None
    return folder


def store(report: Report) -> Path | None:
    """Keeps a report; None where the folder cannot be written (a run does not fail for that)."""
    try:
        folder = reports_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{report.run}.json"
        draft = path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(report))
        draft.replace(path)
        for old in _newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
    except (OSError, UsageError):
        return None
    return path


def find(identity: str, file: str | None = None) -> tuple[Report, Finding]:
    """The newest stored run (or the report in `file`) with a finding whose id starts with `identity`."""
    paths = [Path(file)] if file else _newest_first()
    known: list[str] = []
    for path in paths:
        try:
            report = msgspec.json.decode(path.read_bytes(), type=Report)
        except (OSError, msgspec.DecodeError) as problem:
            if file:
                raise UsageError(f"`{file}` is no report: {problem}", hint="name the report.json of a run") from None
            continue
        for finding in (*report.findings, *report.unstable):
            if finding.id.startswith(identity):
                return report, finding
            known.append(finding.id)
    hint = f"stored findings: {', '.join(dict.fromkeys(known[:8]))}" if known else "run `crossfade run` first"
    raise UsageError(f"no stored finding `{identity}`", hint=hint)


def _newest_first() -> list[Path]:
    paths = list(reports_folder().glob("*.json"))
    return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
