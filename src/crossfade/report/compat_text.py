"""The report of `crossfade compat` for a terminal: the verdict first, then what breaks, worst first, then the timeline."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.model.compat import Break, CompatReport, EpochPairs, Severity
from crossfade.model.verdict import Verdict
from crossfade.report.compat_words import (
    Told,
    directions,
    headline,
    next_step,
    operations_text,
    place_text,
    stages_text,
    told,
)
from crossfade.report.ink import Ink
from crossfade.report.wording import one_line

MOST_IN_FULL = 30
MOST_NOTES = 12
_LABEL = 10
_STYLES = {Severity.ERROR: "fail", Severity.WARNING: "warn", Severity.INFO: "dim"}


def compat_text(report: CompatReport, ink: Ink) -> str:
    return "\n".join([*_lines(report, ink), ""])


def _lines(report: CompatReport, ink: Ink) -> list[str]:
    style = {Verdict.SAFE: "pass", Verdict.UNSAFE: "fail", Verdict.UNKNOWN: "warn"}[report.verdict]
    lines = [*ink.wrapped(one_line(headline(report)), "", "  ", style, "bold"), ""]
    shown = [one for one in told(report.breaks) if one.first.severity is not Severity.INFO]
    for number, group in enumerate(shown[:MOST_IN_FULL], 1):
        lines += [*_block(group, number, ink), ""]
    for number, group in enumerate(shown[MOST_IN_FULL:], MOST_IN_FULL + 1):
        first = group.first
        lines += ink.wrapped(f"{number}. {first.rule} {first.id}: {one_line(first.message)}", "", "   ")
    lines += [""] if len(shown) > MOST_IN_FULL else []
    lines += _information(report, ink)
    lines += _timeline(report, ink)
    lines += _notes("compared", report.compared, ink) + _notes("not compared", report.not_compared, ink)
    step = next_step(report)
    lines += [f"next: {ink.paint(step, 'bold')}"] if step else []
    return lines


def _block(group: Told, number: int, ink: Ink) -> list[str]:
    """One break: what, between whom, what shows it, where, what it reaches, what to do."""
    one = group.first
    marks = one.severity.value + (", declared in `changes`" if one.declared else "")
    lines = [
        f"{ink.paint(f'{number}. {one.rule}', _STYLES[one.severity], 'bold')}  {ink.paint(f'{marks}  {one.id}', 'dim')}"
    ]
    lines += ink.wrapped(one_line(one.message), "   ")
    rows = [
        ("between", directions(group)),
        ("at", stages_text(one)),
        ("witness", one_line(one.witness) if one.witness is not None else ""),
        ("stable", place_text(one.stable)),
        ("canary", place_text(one.canary)),
        ("reaches", f"{one.service}: " * bool(one.service) + operations_text(one.operations)),
        ("instead", one.advice if one.severity is Severity.ERROR else ""),
    ]
    for label, text in rows:
        if text:
            indent = "   " + ink.paint(label.ljust(_LABEL), "dim")
            wrapped = ink.wrapped(text, "   " + " " * _LABEL)
            lines += [indent + wrapped[0][3 + _LABEL :], *wrapped[1:]]
    return lines


def _information(report: CompatReport, ink: Ink) -> list[str]:
    """What is good to know, a line for each rule."""
    breaks = [one for one in report.breaks if one.severity is Severity.INFO]
    if not breaks:
        return []
    lines = [ink.paint("good to know", "bold")]
    for rule in dict.fromkeys(one.rule for one in breaks):
        found = [one for one in breaks if one.rule == rule]
        more = " (no such pair meets on this ramp)" if report.timeline and not found[0].stages else ""
        more += f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        lines += ink.wrapped(f"{rule}: {one_line(found[0].message)}{more}", "  ", "    ", "dim")
    return [*lines, ""]


def _timeline(report: CompatReport, ink: Ink) -> list[str]:
    if not report.timeline:
        return []
    lines = [ink.paint("over the ramp", "bold")]
    rules = {one.id: one for one in report.breaks}
    for epoch in report.timeline:
        lines += ink.wrapped(f"{', '.join(epoch.stages)} (phase {epoch.phase})", "  ")
        lines += _meetings(epoch, rules, ink)
    return [*lines, ""]


def _meetings(epoch: EpochPairs, breaks: dict[str, Break], ink: Ink) -> list[str]:
    lines: list[str] = []
    for meeting in epoch.meetings:
        pair = f"{meeting.consumer} consumer {ink.glyph('right')} {meeting.provider} provider"
        pair += " (after a rollback)" if meeting.rollback else ""
        found = [breaks[one] for one in meeting.breaks if one in breaks]
        bad = [one for one in found if one.severity is Severity.ERROR and not one.declared]
        mild = len([one for one in found if one.severity is Severity.WARNING and not one.declared])
        mark = ink.paint(ink.glyph("cross"), "fail") if bad else ink.paint(ink.glyph("tick"), "pass")
        names = _counted([one.rule for one in bad])
        warnings = f"{mild} warning{'s' * (mild != 1)}" if mild else ""
        said = "; ".join(filter(None, (names, warnings))) or "fine"
        lines += ink.wrapped(f"{pair}: {said}", f"    {mark} ", "      ")
    return lines


def _counted(names: Sequence[str]) -> str:
    parts = []
    for name in dict.fromkeys(names):
        count = names.count(name)
        parts.append(f"{name} ({count})" if count > 1 else name)
    return ", ".join(parts)


def _notes(title: str, notes: Sequence[str], ink: Ink) -> list[str]:
    if not notes:
        return []
    lines = [line for note in notes[:MOST_NOTES] for line in ink.wrapped(f"{title}: {one_line(note)}", "", "  ", "dim")]
    more = len(notes) - MOST_NOTES
    return [*lines, *([ink.paint(f"{title}: and {more} more", "dim")] if more > 0 else [])]
