"""Runs as stored: every report is kept in the state folder, so that `crossfade replay ID` finds its witness."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from crossfade.errors import UsageError
from crossfade.model.report import Finding, Report

KEPT = 100


def reports_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "crossfade" / "reports"


def store(report: Report) -> Path | None:
    """Keeps a report; None where the folder cannot be written (a run does not fail for that)."""
    folder = reports_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{report.run}.json"
        draft = path.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(report))
        draft.replace(path)
        for old in _newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
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
