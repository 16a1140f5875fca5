"""From breaks to one word."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.model.compat import Break, Severity
from crossfade.model.verdict import Verdict


def verdict_of(breaks: Sequence[Break], compared: Sequence[str], nothing: str) -> tuple[Verdict, str]:
    """The verdict and the sentence that gives its reason; `nothing` is the reason where nothing was compared."""
    errors = [one for one in breaks if counts(one)]
    undecided = [one for one in breaks if one.unknown and not one.declared and one.severity is not Severity.INFO]
    if errors:
        return Verdict.UNSAFE, _count(len(errors), "break") + _and_warnings(breaks)
    if not compared:
        return Verdict.UNKNOWN, nothing
    if undecided:
        places = "place" if len(undecided) == 1 else "places"
        return Verdict.UNKNOWN, f"{len(undecided)} {places} could not be decided"
    return Verdict.SAFE, "no break" + _and_warnings(breaks)


def counts(one: Break) -> bool:
    """Whether a break decides: an error that nobody has declared."""
    return one.severity is Severity.ERROR and not one.declared and not one.unknown


def _and_warnings(breaks: Sequence[Break]) -> str:
    warnings = sum(one.severity is Severity.WARNING and not one.declared for one in breaks)
    return f", {_count(warnings, 'warning')}" if warnings else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
