"""What is said about breaks wherever they are told: the first line, who and whom, what comes next."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crossfade.model.compat import Break, CompatReport, Crossing, Place, Severity
from crossfade.report.wording import one_line

MOST_OPERATIONS = 6  # named in a line; the JSON has all


class Told(msgspec.Struct, frozen=True):
    """Breaks that are one thing to a reader: the same rule at the same places, in one or both directions."""

    breaks: tuple[Break, ...]

    @property
    def first(self) -> Break:
        return self.breaks[0]


def told(breaks: Sequence[Break]) -> tuple[Told, ...]:
    """In the order of the first of each."""
    groups: dict[tuple[object, ...], list[Break]] = {}
    for one in breaks:
        key = (one.rule, one.service, one.severity, one.path, one.stable, one.canary, one.operations, one.declared)
        if one.rule == "default-changed" or one.unknown:
            groups.setdefault(key, []).append(one)
        else:
            groups.setdefault((one.id,), []).append(one)
    return tuple(Told(tuple(group)) for group in groups.values())


def headline(report: CompatReport) -> str:
    """The first line: the verdict, why, and about what."""
    return f"{report.verdict.value}: {report.reason}{_about(report)}"


def _about(report: CompatReport) -> str:
    if report.timeline:
        return " on the ramp"
    return f" between {report.documents[0]} and {report.documents[1]}" if len(report.documents) == 2 else ""


def direction(one: Break) -> str:
    """Who writes to whom: "stable consumer to canary provider"."""
    if one.crossing is Crossing.REQUEST:
        return f"request, {one.writer} consumer to {one.reader} provider"
    if one.crossing is Crossing.RESPONSE:
        return f"answer, {one.writer} provider to {one.reader} consumer"
    if one.crossing is Crossing.MESSAGE:
        return f"message, {one.writer} producer to {one.reader} consumer"
    return f"{one.writer} against {one.reader}"


def directions(group: Told) -> str:
    return direction(group.first) + (" and the other way round" if len(group.breaks) > 1 else "")


def operations_text(operations: Sequence[str], most: int = MOST_OPERATIONS) -> str:
    named = ", ".join(operations[:most])
    return f"{named} and {len(operations) - most} more" if len(operations) > most else named


def place_text(place: Place | None) -> str:
    return one_line(str(place)) if place is not None else ""


def main_place(one: Break) -> Place | None:
    """The place an annotation stands at: in the document of the side that has to give way, the canary's unless only the
    stable's has the thing."""
    return (
        one.stable if one.rule in ("operation-removed", "webhook-removed") and one.stable else one.canary or one.stable
    )


def stages_text(one: Break) -> str:
    return ", ".join(one.stages)


def deciding(report: CompatReport) -> list[Break]:
    return [one for one in report.breaks if one.severity is Severity.ERROR and not one.declared]


def next_step(report: CompatReport) -> str:
    """One line after the breaks."""
    rules = [one.rule for one in deciding(report)] or [
        one.rule for one in report.breaks if one.severity is Severity.WARNING
    ]
    if rules:
        return f"crossfade explain {rules[0]}"
    return ""
