"""What the descriptions and migrations say by themselves, in the reports of a run: told beside what was seen."""

from __future__ import annotations

from crossfade.model.compat import Break, Severity
from crossfade.model.report import Report
from crossfade.report.compat_words import operations_text, place_text

TITLE = "Descriptions and migrations, read only"
UNDECLARED = "Seen, and in no description"


def described_lines(report: Report) -> list[str]:
    """One line for each break that is no mere information and that `changes` does not declare, worst first."""
    breaks = report.described.breaks if report.described is not None else ()
    return [_line(one) for one in breaks if one.severity is not Severity.INFO and not one.declared]


def undeclared_lines(report: Report) -> list[str]:
    """What came in answers and no description names."""
    return list(report.described.undeclared) if report.described is not None else []


def _line(one: Break) -> str:
    place = place_text(one.canary or one.stable)
    reached = f" [{operations_text(one.operations, 3)}]" if one.operations else ""
    return f"{one.rule} ({one.severity}): {one.message}{reached}{f' {place}' if place else ''}"
