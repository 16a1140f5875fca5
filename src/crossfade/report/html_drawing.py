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
from crossfade.report.race_words import pair_text
from crossfade.report.svg import svg_circle, svg_line, svg_rect, svg_text
from crossfade.report.wording import (
    chance_line,
    chance_text,
    deciding,
    formula,
    is_constant,
    one_line,
    percent,
    step_text,
    weight_text,
    where_text,
)

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
    left, right = (44.0, 6.0) if narrow else (64.0, 14.0)
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
    parts.append(_migrations(ramp, frame, top, top + height, phase_y))
    parts.append(_side_labels(report, frame, top, top + height))
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
        parts.append(svg_text(frame.left - 6, y + 4, f"{share}%", "tick", "end"))
        if share == 50:
            parts.append(svg_line(start, y, end, y, "half"))
    for index in range(1, frame.count):
        x = frame.x(index)
        parts.append(svg_line(x, top, x, bottom, "grid"))
    parts += _other_services(report, frame, top, height)
    return "".join(parts)


def _side_labels(report: Report, frame: _Frame, top: float, bottom: float) -> str:
    """The sides named where each has room at its own end of the ramp; drawn last, so that no line crosses them."""
    parts = []
    stable_name, canary_name = _side_names(report, frame.narrow)
    first, last = report.ramp[0].weight, report.ramp[-1].weight
    if first < 0.7:
        parts.append(svg_text(frame.left + 12, top + 24, stable_name, "onstable"))
    if last > 0.3:
        parts.append(svg_text(frame.right - 12, bottom - 14, canary_name, "oncanary", "end"))
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
    names = [one_line(stage.name, 14 if frame.narrow else 20) for stage in ramp]
    longest = max(len(name) for name in names)
    straight = longest * _LETTER + 8 <= frame.column
    every = max(1, math.ceil(17 / frame.column))
    parts = []
    for index, (stage, name) in enumerate(zip(ramp, names, strict=True)):
        x = frame.x(index + 0.5)
        if straight:
            parts.append(svg_text(x, y + 12, escaped_line(name), "stage", "middle"))
            parts.append(svg_text(x, y + 28, weight_text(stage.weight), "weight", "middle"))
        elif index % every == 0:
            text = f'{escaped_line(name)} <tspan class="weight">{weight_text(stage.weight)}</tspan>'
            place = f'x="{x + 4:.1f}" y="{y + 10:.1f}" transform="rotate(-48 {x + 4:.1f} {y + 10:.1f})"'
            parts.append(f'<text class="stage" {place} text-anchor="end">{text}</text>')
    drop = 38 if straight else (longest + 5) * 7.0 * math.sin(math.radians(48)) + 20
    return "".join(parts), y + drop


def _phases(ramp: Sequence[RampStage], frame: _Frame, y: float) -> tuple[str, float, float]:
    """Bands of equal phase; returns also the middle of the band's height and where the next row starts."""
    height = 22.0
    parts = [_row_name("phase", frame, y + height / 2)]
    for start, end, phase in _spans([stage.phase for stage in ramp]):
        x, width = frame.x(start) + 1, (end - start) * frame.column - 2
        parts.append(svg_rect(x, y, width, height, f"phase phase-{_phase_class(phase)}"))
        room = int((width - 18) / _LETTER)
        if room >= min(len(phase), 4):
            parts.append(svg_text(x + width / 2, y + 15, escaped_line(phase, max(room, 2)), "band", "middle"))
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
        parts.append(svg_rect(x, y, width, height, f"back back-{word}"))
        if word == "unsafe":
            kind = "narrow" if frame.narrow else "wide"
            parts.append(svg_rect(x, y, width, height, more=f'rx="4" fill="url(#hatch-{kind})"'))
        if width > len(texts[word]) * _LETTER + 6:
            parts.append(svg_text(x + width / 2, y + 15, texts[word], f"band back-{word}-text", "middle"))
    return "".join(parts), y + height


def _rollback_state(stage: RampStage) -> str:
    if not stage.rollback:
        return "none"
    return "open" if stage.rollback_safe is None else "safe" if stage.rollback_safe else "unsafe"


def _migrations(ramp: Sequence[RampStage], frame: _Frame, top: float, bottom: float, band: float) -> str:
    """A line where shared data change, with the number under which the list below the figure names the migration."""
    parts = []
    for number, (index, stage) in enumerate(migrated(ramp), 1):
        x = frame.x(index)
        turned = f'rx="2" transform="rotate(45 {x:.1f} {band:.1f})"'
        parts += [
            f"<g><title>{escaped_line(f'{stage.name}: {stage.migration}', 200)}</title>",
            f'<path class="migration" d="M{x:.1f} {top:.1f}V{bottom:.1f}M{x:.1f} {band - 22:.1f}V{band:.1f}"/>',
            svg_rect(x - 8, band - 8, 16, 16, "diamond", turned),
            svg_text(x, band + 4, str(number), "diamondtext", "middle"),
            "</g>",
        ]
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
        flag = len(text) * 6.9 + 16
        at = min(x, frame.right - flag)
        parts.append(
            f'<g class="noreturn"><title>{escaped_line(f"rollback is not safe from {stage.name} on", 200)}</title>'
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 22:.1f}" y2="{bottom:.1f}"/>'
            f'<rect x="{at:.1f}" y="{top - 26:.1f}" width="{flag:.1f}" height="20" rx="3"/>'
            f'<text x="{at + flag / 2:.1f}" y="{top - 12:.1f}" text-anchor="middle">{text}</text></g>'
        )
    return "".join(parts)


def _lanes(report: Report, frame: _Frame, y: float) -> tuple[str, float]:
    """One lane per finding, each on a scale of its own that its tick names: a chance of 1% must be seen beside one
    of 100%."""
    findings = deciding(report)
    shown = findings[:LANES]
    if not shown:
        return "", y
    parts = [svg_text(frame.left, y + 12, "chance that one pass of the scenario fails", "lanes")]
    y += 22
    for number, finding in enumerate(shown, 1):
        lane, y = _lane(finding, number, report, frame, y)
        parts.append(lane)
    if len(findings) > len(shown):
        more = f"and {len(findings) - len(shown)} more findings below"
        parts.append(svg_text(frame.left, y + 14, more, "lanes"))
        y += 22
    return "".join(parts), y + 4


def _lane(finding: Finding, number: int, report: Report, frame: _Frame, y: float) -> tuple[str, float]:
    height, names = 42.0, [stage.name for stage in report.ramp]
    values = [max(0.0, min(1.0, finding.chance.per_stage.get(name, 0.0))) for name in names]
    border = _peak_border(finding, report.ramp)
    scale = max([*values, finding.chance.max if border else 0.0]) or 1.0
    base = y + 38 + height
    level = [base - height * value / scale for value in values]
    label = f"Finding {number}: {finding.message}. Chance {chance_line(finding.chance, names, finding.rollback_only)}"
    label = escaped_line(label, 500)
    steps = [f"M{frame.left:.1f} {base:.1f}"]
    steps += [f"V{each:.1f}H{frame.x(index + 1):.1f}" for index, each in enumerate(level)]
    middle = y + 14
    parts = [
        f'<a class="lane" href="#{anchor(finding.id)}" aria-label="{label}"><title>{label}</title>',
        svg_rect(2, y - 4, frame.width - 4, height + 48, "lanebox"),
        svg_circle(frame.left - 20, middle - 4, 11, "badge"),
        svg_text(frame.left - 20, middle, str(number), "badgetext", "middle"),
        _lane_title(finding, frame, middle),
        f'<path class="chancearea" d="{"".join(steps)}V{base:.1f}Z"/>',
        svg_line(frame.left, base, frame.right, base, "base"),
    ]
    if any(values):
        parts += [_tick(percent(scale), frame, base - height), _tick("0", frame, base)]
    parts += (
        [_rollback_cells(finding, report, frame, base, height)] if finding.rollback_only and not any(values) else []
    )
    parts += _lane_values(values, level, border, frame)
    if border:
        x, top = frame.x(border), base - height * min(finding.chance.max, 1.0) / scale
        parts.append(svg_line(x, base, x, top, "peakline"))
        parts.append(svg_circle(x, top, 3.5, "peak"))
    return "".join([*parts, "</a>"]), y + height + 50


def _tick(text: str, frame: _Frame, y: float) -> str:
    return svg_text(frame.left - 6, y + 4, text, "tick", "end")


def _lane_values(values: Sequence[float], level: Sequence[float], border: int, frame: _Frame) -> list[str]:
    """The value of every stage above its step; equal neighbours share one, unless the peak stands between them."""
    texts = [percent(value) if value > 0 else "" for value in values]
    spans = _spans(texts[:border]) + [
        (start + border, end + border, text) for start, end, text in _spans(texts[border:])
    ]
    parts = []
    for start, end, text in spans:
        if text and (end - start) * frame.column > len(text) * 5.5:
            x = frame.x((start + end) / 2)
            parts.append(svg_text(x, level[start] - 5, text, "value", "middle"))
    return parts


def _lane_title(finding: Finding, frame: _Frame, y: float) -> str:
    """The cause at the left; at the right the polynomial with its peak, which often lies between stages."""
    steps = " → ".join(step_text(each) + where_text(each) for each in finding.cause[:5]) or finding.rule
    steps = pair_text(finding) or steps
    chance = finding.chance
    if finding.rollback_only:
        right = "rollback" if frame.narrow else f"after rollback, {one_line(formula(chance), 40)}"
    elif is_constant(chance):
        right = chance_text(chance)
    else:
        before = "" if frame.narrow else f"{one_line(formula(chance), 40)}, "
        right = f"{before}peak {percent(chance.max)} at {percent(chance.at)}"
    room = int((frame.right - frame.left - len(right) * 7.2) / 6.6) - 2
    return svg_text(frame.left, y, escaped_line(steps, max(room, 8)), "lanetitle") + svg_text(
        frame.right, y, escaped_line(right), "peaktext", "end"
    )


def _rollback_cells(finding: Finding, report: Report, frame: _Frame, base: float, height: float) -> str:
    """The stages from which a rollback meets the finding: it has no chance on the way forward."""
    broken = ["broken" if finding.id in stage.broken_by else "" for stage in report.ramp]
    kind = "narrow" if frame.narrow else "wide"
    parts = []
    for start, end, word in _spans(broken):
        if word:
            x, width = frame.x(start), (end - start) * frame.column
            parts.append(svg_rect(x, base - height, width, height, more=f'fill="url(#hatch-{kind})"'))
            text = "on rollback" if width > 76 else "↩"
            parts.append(svg_text(x + width / 2, base - height / 2 + 4, text, "value", "middle"))
    return "".join(parts)


def _peak_border(finding: Finding, ramp: Sequence[RampStage]) -> int:
    """The stage on whose left border the peak stands: where the weight passes the worst one between two stages.
    0: nowhere on this ramp."""
    chance = finding.chance
    for index in range(1, len(ramp)):
        low, high = sorted((ramp[index - 1].weight, ramp[index].weight))
        possible = any(chance.per_stage.get(ramp[each].name, 0.0) > 0 for each in (index - 1, index))
        if low < chance.at < high and possible:
            return index
    return 0


def _row_name(text: str, frame: _Frame, y: float) -> str:
    return svg_text(frame.left - 8, y + 4, text, "tick", "end")


def _spans(words: Sequence[str]) -> list[tuple[int, int, str]]:
    """Runs of equal neighbours as (start, end, word)."""
    result: list[tuple[int, int, str]] = []
    for index, word in enumerate(words):
        if result and result[-1][2] == word:
            result[-1] = (result[-1][0], index + 1, word)
        else:
            result.append((index, index + 1, word))
    return result
