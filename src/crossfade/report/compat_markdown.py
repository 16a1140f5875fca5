"""The report of `crossfade compat` as Markdown: for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.model.compat import Break, CompatReport, Severity
from crossfade.report.compat_words import directions, headline, next_step, operations_text, place_text, told
from crossfade.report.wording import one_line

MOST_IN_FULL = 50


def compat_markdown(report: CompatReport) -> str:
    lines = [f"## {_escaped(headline(report)[:1].upper() + headline(report)[1:])}", ""]
    for severity, title in (
        (Severity.ERROR, "Breaks"),
        (Severity.WARNING, "Warnings"),
        (Severity.INFO, "Good to know"),
    ):
        groups = [group for group in told(report.breaks) if group.first.severity is severity]
        if not groups:
            continue
        lines += [f"### {title}", ""]
        for group in groups[:MOST_IN_FULL]:
            lines += _entry(group.first, directions(group))
        if len(groups) > MOST_IN_FULL:
            lines.append(f"- and {len(groups) - MOST_IN_FULL} more")
        lines.append("")
    lines += _timeline(report)
    lines += [f"- Compared: {_escaped(line)}" for line in report.compared]
    lines += [f"- Not compared: {_escaped(line)}" for line in report.not_compared]
    step = next_step(report)
    lines += ["", f"Next: `{step}`"] if step else []
    return "\n".join(lines).rstrip() + "\n"


def _entry(one: Break, between: str) -> list[str]:
    message = one_line(one.message)
    declared = " (declared in `changes`)" if one.declared else ""
    lines = [f"- **{one.rule}** `{one.id}`{declared}: {_escaped(message[:1].upper() + message[1:], code=True)}"]
    rows: list[tuple[str, str]] = [
        ("Between", between),
        ("At", ", ".join(one.stages)),
        ("Reaches", operations_text(one.operations)),
        ("Instead", one.advice if one.severity is Severity.ERROR else ""),
    ]
    lines += [f"  - {label}: {_escaped(text)}" for label, text in rows if text]
    places = [f"`{place_text(place)}`" for place in (one.stable, one.canary) if place is not None]
    lines += [f"  - Where: {' and '.join(places)}"] if places else []
    lines += [f"  - Witness: {_code(one.witness)}"] if one.witness is not None else []
    return lines


def _timeline(report: CompatReport) -> list[str]:
    if not report.timeline:
        return []
    breaks = {one.id: one for one in report.breaks}
    lines = ["### Over the ramp", "", "| stages | phase | consumer | provider | breaks |", "|---|---|---|---|---|"]
    for epoch in report.timeline:
        for meeting in epoch.meetings:
            found = _deciding([breaks[one] for one in meeting.breaks if one in breaks])
            names = ", ".join(dict.fromkeys(one.rule for one in found)) or "none"
            stages = _escaped(", ".join(epoch.stages))
            provider = meeting.provider + (" (after a rollback)" if meeting.rollback else "")
            lines.append(f"| {stages} | {epoch.phase} | {meeting.consumer} | {provider} | {names} |")
    return [*lines, ""]


def _deciding(breaks: Sequence[Break]) -> list[Break]:
    return [one for one in breaks if one.severity is Severity.ERROR and not one.declared]


def _code(text: str) -> str:
    """A code span; a text with backticks needs a longer fence."""
    line = one_line(text, 400)
    fence = "`" * (1 + max((len(run) for run in _runs(line)), default=0))
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _runs(text: str) -> list[str]:
    import re

    return re.findall("`+", text)


def _escaped(text: str, code: bool = False) -> str:
    """Markdown's own characters taken out of meaning; `code` keeps the spans between backticks."""
    line = one_line(text)
    parts = line.split("`") if code and line.count("`") % 2 == 0 else [line]
    for index in range(0, len(parts), 2):
        for character in "\\*_[]<>|#" + ("" if len(parts) > 1 else "`"):
            parts[index] = parts[index].replace(character, f"\\{character}")
    return "`".join(parts)
