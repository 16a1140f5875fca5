"""The ramp as one figure: crossing areas of stable and canary, phases, migrations, rollback, and beneath them along the
same axis the chance of every finding. Colours come from the page's style sheet, so dark mode needs no second drawing.

A stage is one column. The weight is constant on a stage, therefore chances are drawn as steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from crossfade.model.report import Finding, RampStage, Report
from crossfade.report.html_text import anchor, escaped_line
from crossfade.report.wording import chance_line, chance_text, deciding, one_line, percent, weight_text

LANES = 12  # chance curves drawn; more would be a wall
_LETTER = 6.6  # average width of a letter of 12 px, for deciding whether a label fits


class _Frame(msgspec.Struct, frozen=True):
    """Where things are: x of a column's left edge is `left + index * column`."""

    width: float
    left: float
    column: float
    count: int
    narrow: bool

    def x(self, index: float) -> float:
        return self.left + index * self.column

    @property
    def right(self) -> float:
        return self.x(self.count)


def ramp_figure(report: Report) -> str:
    """Two drawings of the same, for wide and narrow screens; the style sheet shows one of them."""
    if not report.ramp:
        return ""
    return _drawing(report, 960, narrow=False) + _drawing(report, 340, narrow=True)


def _drawing(report: Report, width: float, narrow: bool) -> str:
    ramp = report.ramp
    left, right = (34.0, 6.0) if narrow else (64.0, 14.0)
    frame = _Frame(width, left, (width - left - right) / len(ramp), len(ramp), narrow)
    top, height = 30.0, 132.0 if narrow else 184.0
    parts = [_areas(report, frame, top, height)]
    y = top + height
    labels, y = _stage_labels(ramp, frame, y + 6)
    parts.append(labels)
    phases, phase_y, y = _phases(ramp, frame, y)
    parts.append(phases)
    rollback, rollback_end = _rollback(ramp, frame, y)
    parts.append(rollback)
    parts.append(_migrations(ramp, frame, top, phase_y))
    parts.append(_no_return(report, frame, top, rollback_end))
    lanes, y = _lanes(report, frame, rollback_end + 14)
    parts.append(lanes)
    label = escaped_line(_described(report), 600)
    kind = "narrow" if narrow else "wide"
    return (
        f'<svg class="figure {kind}" viewBox="0 0 {width:g} {y:.0f}" role="group" aria-label="{label}">'
        f"{_defs(kind)}{''.join(parts)}</svg>"
    )


def _described(report: Report) -> str:
    stages = ", ".join(f"{stage.name} {weight_text(stage.weight)}" for stage in report.ramp)
    gone = f"; point of no return at {', '.join(report.points_of_no_return)}" if report.points_of_no_return else ""
    return f"The ramp, canary's weight per stage: {stages}{gone}"


def _defs(kind: str) -> str:
    return (
        f'<defs><pattern id="hatch-{kind}" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs>'
    )


def _areas(report: Report, frame: _Frame, top: float, height: float) -> str:
    """Stable above, canary below, together always 100%."""
    edge = _edge([stage.weight for stage in report.ramp], frame, top, height)
    start, end, bottom = frame.left, frame.right, top + height
    stable = f"M{start:.1f} {top:.1f}L{edge}L{end:.1f} {top:.1f}Z"
    canary = f"M{start:.1f} {bottom:.1f}L{edge}L{end:.1f} {bottom:.1f}Z"
    parts = [f'<path class="area stable" d="{stable}"/>', f'<path class="area canary" d="{canary}"/>']
    parts.append(f'<path class="edge" d="M{edge}"/>')
    for share in (0, 50, 100):
        y = bottom - height * share / 100
        parts.append(f'<text class="tick" x="{frame.left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{share}%</text>')
        if share == 50:
            parts.append(f'<line class="half" x1="{start:.1f}" x2="{end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for index in range(1, frame.count):
        x = frame.x(index)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
    parts += _other_services(report, frame, top, height)
    stable_name, canary_name = _side_names(report, frame.narrow)
    first, last = report.ramp[0].weight, report.ramp[-1].weight
    if first < 0.7:
        parts.append(f'<text class="onstable" x="{start + 12:.1f}" y="{top + 24:.1f}">{stable_name}</text>')
    if last > 0.3:
        parts.append(
            f'<text class="oncanary" x="{end - 12:.1f}" y="{bottom - 14:.1f}" text-anchor="end">{canary_name}</text>'
        )
    return "".join(parts)


def _edge(weights: Sequence[float], frame: _Frame, top: float, height: float) -> str:
    """The border between the sides: plateaus joined by short swings, as path coordinates after the first M or L."""
    swing = min(frame.column * 0.16, 16)
    levels = [top + height * (1 - weight) for weight in weights]
    points = [f"{frame.left:.1f} {levels[0]:.1f}"]
    for index in range(1, len(levels)):
        x, before, after = frame.x(index), levels[index - 1], levels[index]
        points.append(f"L{x - swing:.1f} {before:.1f}")
        points.append(f"C{x:.1f} {before:.1f} {x:.1f} {after:.1f} {x + swing:.1f} {after:.1f}")
    return "".join([*points, f"L{frame.right:.1f} {levels[-1]:.1f}"])


def _other_services(report: Report, frame: _Frame, top: float, height: float) -> list[str]:
    """Services whose weights differ from the largest one get a dashed border of their own."""
    names = sorted({name for stage in report.ramp for name in stage.weights})
    parts = []
    for name in names:
        weights = [stage.weights.get(name, 0.0) for stage in report.ramp]
        if any(abs(weight - stage.weight) > 1e-9 for weight, stage in zip(weights, report.ramp, strict=True)):
            edge = _edge(weights, frame, top, height)
            parts.append(f'<path class="other" d="M{edge}"><title>{escaped_line(name)}</title></path>')
            y = top + height * (1 - weights[-1])
            y = min(max(y - 5, top + 14), top + height - 6)
            parts.append(
                f'<text class="othername" x="{frame.right - 8:.1f}" y="{y:.1f}" text-anchor="end">'
                f"{escaped_line(name, 24)}</text>"
            )
    return parts


def _side_names(report: Report, narrow: bool) -> tuple[str, str]:
    moving = [each for each in report.services if each.stable != each.canary]
    if len(moving) != 1:
        return "stable", "canary"
    limit = 10 if narrow else 24
    return f"stable {escaped_line(moving[0].stable, limit)}", f"canary {escaped_line(moving[0].canary, limit)}"


def _stage_labels(ramp: Sequence[RampStage], frame: _Frame, y: float) -> tuple[str, float]:
    """Stage names with their weights; slanted where they would touch, every nth where even that is too dense."""
    names = [one_line(stage.name, 22) for stage in ramp]
    longest = max(len(name) for name in names)
    straight = longest * _LETTER + 8 <= frame.column
    every = max(1, math.ceil(15 / frame.column))
    parts = []
    for index, (stage, name) in enumerate(zip(ramp, names, strict=True)):
        x = frame.x(index + 0.5)
        if straight:
            parts.append(
                f'<text class="stage" x="{x:.1f}" y="{y + 12:.1f}" text-anchor="middle">{escaped_line(name)}</text>'
            )
            parts.append(
                f'<text class="weight" x="{x:.1f}" y="{y + 28:.1f}" text-anchor="middle">{weight_text(stage.weight)}</text>'
            )
        elif index % every == 0:
            text = f'{escaped_line(name)} <tspan class="weight">{weight_text(stage.weight)}</tspan>'
            place = f'x="{x + 4:.1f}" y="{y + 10:.1f}" transform="rotate(-48 {x + 4:.1f} {y + 10:.1f})"'
            parts.append(f'<text class="stage" {place} text-anchor="end">{text}</text>')
    drop = 38 if straight else (longest + 5) * _LETTER * math.sin(math.radians(48)) + 16
    return "".join(parts), y + drop


def _phases(ramp: Sequence[RampStage], frame: _Frame, y: float) -> tuple[str, float, float]:
    """Bands of equal phase; returns also the middle of the band's height and where the next row starts."""
    height = 22.0
    parts = [_row_name("phase", frame, y + height / 2)]
    for start, end, phase in _spans([stage.phase for stage in ramp]):
        x, width = frame.x(start) + 1, (end - start) * frame.column - 2
        parts.append(
            f'<rect class="phase phase-{_phase_class(phase)}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" rx="4"/>'
        )
        room = int((width - 18) / _LETTER)
        if room >= min(len(phase), 4):
            parts.append(
                f'<text class="band" x="{x + width / 2:.1f}" y="{y + 15:.1f}" text-anchor="middle">{escaped_line(phase, max(room, 2))}</text>'
            )
    return "".join(parts), y + height / 2, y + height + 8


def _phase_class(phase: str) -> str:
    return phase if phase in ("before", "expand", "backfill", "contract") else "other"


def _rollback(ramp: Sequence[RampStage], frame: _Frame, y: float) -> tuple[str, float]:
    """What going back to the stable does from each stage."""
    height = 22.0
    words = [_rollback_state(stage) for stage in ramp]
    parts = [_row_name("rollback" if not frame.narrow else "back", frame, y + height / 2)]
    texts = {"safe": "safe", "unsafe": "not safe", "open": "not measured", "none": "none"}
    for start, end, word in _spans(words):
        x, width = frame.x(start) + 1, (end - start) * frame.column - 2
        parts.append(
            f'<rect class="back back-{word}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" rx="4"/>'
        )
        if word == "unsafe":
            kind = "narrow" if frame.narrow else "wide"
            parts.append(
                f'<rect fill="url(#hatch-{kind})" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" rx="4"/>'
            )
        if width > len(texts[word]) * _LETTER + 6:
            parts.append(
                f'<text class="band back-{word}-text" x="{x + width / 2:.1f}" y="{y + 15:.1f}" text-anchor="middle">{texts[word]}</text>'
            )
    return "".join(parts), y + height


def _rollback_state(stage: RampStage) -> str:
    if not stage.rollback:
        return "none"
    return "open" if stage.rollback_safe is None else "safe" if stage.rollback_safe else "unsafe"


def _migrations(ramp: Sequence[RampStage], frame: _Frame, top: float, band: float) -> str:
    """A line where shared data change, with the number under which the list below the figure names the migration."""
    parts = []
    for number, (index, stage) in enumerate(migrated(ramp), 1):
        x = frame.x(index)
        parts.append(
            f"<g><title>{escaped_line(f'{stage.name}: {stage.migration}', 200)}</title>"
            f'<line class="migration" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{band:.1f}"/>'
            f'<rect class="diamond" x="{x - 8:.1f}" y="{band - 8:.1f}" width="16" height="16" rx="2" transform="rotate(45 {x:.1f} {band:.1f})"/>'
            f'<text class="diamondtext" x="{x:.1f}" y="{band + 4:.1f}" text-anchor="middle">{number}</text></g>'
        )
    return "".join(parts)


def migrated(ramp: Sequence[RampStage]) -> list[tuple[int, RampStage]]:
    """The stages that begin with a migration, in order, with their index."""
    return [(index, stage) for index, stage in enumerate(ramp) if stage.migration]


def _no_return(report: Report, frame: _Frame, top: float, bottom: float) -> str:
    parts = []
    for index, stage in enumerate(report.ramp):
        if stage.name not in report.points_of_no_return:
            continue
        x = frame.x(index)
        text = "no return" if frame.narrow else "point of no return"
        flag = len(text) * 6.4 + 14
        at = min(x, frame.right - flag)
        parts.append(
            f'<g class="noreturn"><title>{escaped_line(f"rollback is not safe from {stage.name} on", 200)}</title>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 22:.1f}" y2="{bottom:.1f}"/>'
            f'<rect x="{at:.1f}" y="{top - 26:.1f}" width="{flag:.1f}" height="20" rx="3"/>'
            f'<text x="{at + flag / 2:.1f}" y="{top - 12:.1f}" text-anchor="middle">{text}</text></g>'
        )
    return "".join(parts)


def _lanes(report: Report, frame: _Frame, y: float) -> tuple[str, float]:
    """One lane per finding, all on the same vertical scale."""
    findings = deciding(report)
    shown = findings[:LANES]
    if not shown:
        return "", y
    scale = (
        max([value for each in shown for value in (*each.chance.per_stage.values(), each.chance.max)] or [1.0]) or 1.0
    )
    parts = [
        f'<text class="lanes" x="{frame.left:.1f}" y="{y + 12:.1f}">chance that one pass of the scenario fails</text>'
    ]
    y += 20
    for number, finding in enumerate(shown, 1):
        lane, y = _lane(finding, number, report, frame, y, min(scale, 1.0))
        parts.append(lane)
    if len(findings) > len(shown):
        parts.append(
            f'<text class="lanes" x="{frame.left:.1f}" y="{y + 14:.1f}">and {len(findings) - len(shown)} more findings below</text>'
        )
        y += 22
    return "".join(parts), y + 4


def _lane(finding: Finding, number: int, report: Report, frame: _Frame, y: float, scale: float) -> tuple[str, float]:
    height, names = 36.0, [stage.name for stage in report.ramp]
    values = [max(0.0, min(1.0, finding.chance.per_stage.get(name, 0.0))) for name in names]
    base, title_y = y + 30 + height, y + 14
    level = [base - height * value / scale for value in values]
    label = escaped_line(
        f"Finding {number}: {finding.message}. Chance {chance_line(finding.chance, names, finding.rollback_only)}", 500
    )
    steps = [f"M{frame.left:.1f} {base:.1f}"]
    steps += [f"V{each:.1f}H{frame.x(index + 1):.1f}" for index, each in enumerate(level)]
    room = int((frame.right - frame.left - 30) / 6.4)
    parts = [
        f'<a class="lane" href="#{anchor(finding.id)}" aria-label="{label}"><title>{label}</title>',
        f'<rect class="lanebox" x="2" y="{y:.1f}" width="{frame.width - 4:.1f}" height="{height + 34:.1f}" rx="6"/>',
        f'<circle class="badge" cx="{frame.left / 2:.1f}" cy="{base - height / 2:.1f}" r="11"/>',
        f'<text class="badgetext" x="{frame.left / 2:.1f}" y="{base - height / 2 + 4:.1f}" text-anchor="middle">{number}</text>',
        f'<text class="lanetitle" x="{frame.left:.1f}" y="{title_y:.1f}">{escaped_line(_lane_title(finding), room)}</text>',
        f'<path class="chancearea" d="{"".join(steps)}V{base:.1f}Z"/>',
        f'<line class="base" x1="{frame.left:.1f}" x2="{frame.right:.1f}" y1="{base:.1f}" y2="{base:.1f}"/>',
    ]
    parts += [_rollback_cells(finding, report, frame, base, height)] if finding.rollback_only else []
    for start, end, text in _spans([percent(value) if value > 0 else "" for value in values]):
        if text and (end - start) * frame.column > len(text) * 5.5:
            middle = frame.x((start + end) / 2)
            parts.append(
                f'<text class="value" x="{middle:.1f}" y="{level[start] - 4:.1f}" text-anchor="middle">{text}</text>'
            )
    parts.append(_peak(finding, report.ramp, frame, base, height / scale))
    return "".join([*parts, "</a>"]), y + height + 38


def _lane_title(finding: Finding) -> str:
    steps = " → ".join(f"{each.step} on {each.side}" for each in finding.cause[:4])
    when = " after rollback" if finding.rollback_only else ""
    return f"{steps or finding.rule}{when}   {chance_text(finding.chance)}"


def _rollback_cells(finding: Finding, report: Report, frame: _Frame, base: float, height: float) -> str:
    """The stages from which a rollback meets the finding: it has no chance on the way forward."""
    broken = ["broken" if finding.id in stage.broken_by else "" for stage in report.ramp]
    kind = "narrow" if frame.narrow else "wide"
    parts = []
    for start, end, word in _spans(broken):
        if word:
            x, width = frame.x(start), (end - start) * frame.column
            parts.append(
                f'<rect fill="url(#hatch-{kind})" x="{x:.1f}" y="{base - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
                f'<text class="value" x="{x + width / 2:.1f}" y="{base - height / 2 + 4:.1f}" text-anchor="middle">'
                f"{'on rollback' if width > 76 else '↩'}</text>"
            )
    return "".join(parts)


def _peak(finding: Finding, ramp: Sequence[RampStage], frame: _Frame, base: float, unit: float) -> str:
    """Where the weight passes the worst one between two stages, the peak stands on their border."""
    chance = finding.chance
    for index in range(1, len(ramp)):
        low, high = sorted((ramp[index - 1].weight, ramp[index].weight))
        possible = any(chance.per_stage.get(ramp[each].name, 0.0) > 0 for each in (index - 1, index))
        if low < chance.at < high and possible:
            x, y = frame.x(index), base - unit * min(chance.max, 1.0)
            text = f"{percent(chance.max)} at {percent(chance.at)}" if not frame.narrow else percent(chance.max)
            return (
                f'<line class="peakline" x1="{x:.1f}" x2="{x:.1f}" y1="{base:.1f}" y2="{y:.1f}"/>'
                f'<circle class="peak" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
                f'<text class="peaktext" x="{x:.1f}" y="{y - 6:.1f}" text-anchor="middle">{text}</text>'
            )
    return ""


def _row_name(text: str, frame: _Frame, y: float) -> str:
    return f'<text class="tick" x="{frame.left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _spans(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """Runs of equal neighbours as (start, end, word)."""
    result: list[tuple[int, int, str]] = []
    for index, word in enumerate(words):
        if result and result[-1][2] == word:
            result[-1] = (result[-1][0], index + 1, word)
        else:
            result.append((index, index + 1, word))
    return result
