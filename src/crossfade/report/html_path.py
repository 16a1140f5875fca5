"""Small drawings of one finding: its routing as a coloured path between the two sides, its chance over the weight."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from crossfade.model.report import Finding, RampStage, Report, WitnessCall
from crossfade.report.html_text import escaped_line, side_class
from crossfade.report.svg import svg_circle, svg_line, svg_rect, svg_text
from crossfade.report.wording import chance_at, is_constant, one_line, percent, place, rolled_back, weight_text

ACROSS = 7  # calls drawn from left to right on a wide screen; longer paths run downwards
_GUTTER, _STABLE_Y, _CANARY_Y = 84.0, 50.0, 112.0
_ROW, _STABLE_X, _CANARY_X = 50.0, 24.0, 82.0


class _Stop(msgspec.Struct, frozen=True):
    """One call as drawn. `before` tells what happened since the call before it: "", a migration's text, "rollback"."""

    call: WitnessCall
    x: float
    y: float
    before: str


def gradients() -> str:
    """Defined once in the page: paths that change sides refer to them."""
    stops = {"sc": ("stable", "canary"), "cs": ("canary", "stable")}
    across = "".join(_gradient(name, *sides, 'x1="0" y1="0" x2="1" y2="0"') for name, sides in stops.items())
    down = "".join(_gradient(f"{name}-down", *sides, 'x1="0" y1="0" x2="0" y2="1"') for name, sides in stops.items())
    return (
        f'<svg width="0" height="0" class="defs" aria-hidden="true" focusable="false"><defs>{across}{down}</defs></svg>'
    )


def _gradient(name: str, start: str, end: str, direction: str) -> str:
    return (
        f'<linearGradient id="{name}" {direction}><stop offset="0.2" class="stop-{start}"/>'
        f'<stop offset="0.8" class="stop-{end}"/></linearGradient>'
    )


def path_figure(finding: Finding, report: Report) -> str:
    """Across on wide screens where it fits, downwards on phones and for long paths."""
    if not finding.witness or not finding.witness.calls:
        return ""
    calls = finding.witness.calls
    label = escaped_line("Routing: " + ", then ".join(_call_text(call) for call in calls), 800)
    if len(calls) <= ACROSS:
        return _across(calls, report, label) + _down(calls, report, label, "narrow")
    return _down(calls, report, label, "always")


def _call_text(call: WitnessCall) -> str:
    return f"{call.step} on {call.side} at {call.stage}, {'not made' if call.outcome == 'blocked' else call.outcome}"


def _befores(calls: Sequence[WitnessCall], ramp: Sequence[RampStage]) -> list[str]:
    index = {stage.name: number for number, stage in enumerate(ramp)}
    back = rolled_back(calls, ramp)
    result = [""]
    for number in range(1, len(calls)):
        if back[number] and not back[number - 1]:
            result.append("rollback")
            continue
        start, end = (index.get(place(calls[each].stage)[0], 0) for each in (number - 1, number))
        texts = [f"{stage.name}: {stage.migration}" for stage in ramp[start + 1 : end + 1] if stage.migration]
        result.append("; ".join(texts))
    return result


def _across(calls: Sequence[WitnessCall], report: Report, label: str) -> str:
    width = 860.0
    column = min(180.0, (width - _GUTTER - 10) / len(calls))
    width = _GUTTER + column * len(calls) + 10
    stops = [
        _Stop(call, _GUTTER + column * (number + 0.5), _STABLE_Y if call.side == "stable" else _CANARY_Y, before)
        for number, (call, before) in enumerate(zip(calls, _befores(calls, report.ramp), strict=True))
    ]
    parts = [_rail(side, y, width) for side, y in (("stable", _STABLE_Y), ("canary", _CANARY_Y))]
    for earlier, later in pairwise(stops):
        if later.before:
            parts.append(_event_across(later, later.x - column / 2))
        parts.append(_link_across(earlier, later))
    room = int((column - 8) / 7)
    for stop in stops:
        parts.append(svg_text(stop.x, 18, escaped_line(stop.call.step, room), "step", "middle"))
        parts += [_node(stop), _status(stop, stop.x, stop.y + 27, "middle")]
    parts += _stage_bands(stops, column, report.ramp)
    return (
        f'<svg class="path wide" viewBox="0 0 {width:.0f} 180" width="{width:.0f}" role="img" aria-label="{label}">'
        f"{''.join(parts)}</svg>"
    )


def _rail(side: str, y: float, width: float) -> str:
    return svg_text(0, y + 4, side, f"railname {side}") + svg_line(_GUTTER - 20, y, width, y, "rail")


def _link_across(earlier: _Stop, later: _Stop) -> str:
    middle = (earlier.x + later.x) / 2
    bend = f"{middle:.1f} {earlier.y:.1f} {middle:.1f} {later.y:.1f}"
    curve = f"M{earlier.x:.1f} {earlier.y:.1f}C{bend} {later.x:.1f} {later.y:.1f}"
    return f'<path class="link {_link_class(earlier, later)}" d="{curve}"{_link_stroke(earlier, later, "")}/>'


def _link_class(earlier: _Stop, later: _Stop) -> str:
    if later.call.outcome == "blocked":
        return "blocked"
    return side_class(later.call.side) if earlier.call.side == later.call.side else ""


def _link_stroke(earlier: _Stop, later: _Stop, direction: str) -> str:
    if later.call.outcome == "blocked" or earlier.call.side == later.call.side:
        return ""
    name = "sc" if later.call.side == "canary" else "cs"
    return f' stroke="url(#{name}{direction})"'


def _event_across(stop: _Stop, x: float) -> str:
    rollback = stop.before == "rollback"
    text = "rollback" if rollback else "migration"
    return (
        f'<g class="{"backline" if rollback else "eventline"}"><title>{escaped_line(stop.before, 300)}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="26" y2="130"/>'
        f'<text x="{x:.1f}" y="144" text-anchor="middle">{"↩" if rollback else "◆"} {text}</text></g>'
    )


def _stage_bands(stops: Sequence[_Stop], column: float, ramp: Sequence[RampStage]) -> list[str]:
    weights = {stage.name: stage.weight for stage in ramp}
    spans: list[list[_Stop]] = []
    for stop in stops:
        if spans and spans[-1][-1].call.stage == stop.call.stage and not stop.before:
            spans[-1].append(stop)
        else:
            spans.append([stop])
    parts = []
    for span in spans:
        start, end = span[0].x - column / 2 + 4, span[-1].x + column / 2 - 4
        stage = span[0].call.stage
        weight = f" {weight_text(weights[stage])}" if stage in weights else ""
        text = one_line(f"{stage}{weight}", int((end - start - 6) / 6.4))
        parts.append(
            svg_rect(start, 152, end - start, 22, "stageband")
            + svg_text((start + end) / 2, 167, escaped_line(text), "band", "middle")
        )
    return parts


def _down(calls: Sequence[WitnessCall], report: Report, label: str, kind: str) -> str:
    y, stops, parts = 34.0, [], []
    weights = {stage.name: stage.weight for stage in report.ramp}
    for call, before in zip(calls, _befores(calls, report.ramp), strict=True):
        if before:
            word = "↩ rollback" if before == "rollback" else "◆ migration"
            style = "backline" if before == "rollback" else "eventline"
            parts.append(
                f'<g class="{style}"><title>{escaped_line(before, 300)}</title>'
                f'{svg_line(6, y - 8, 334, y - 8)}<text x="334" y="{y - 12:.1f}" text-anchor="end">{word}</text></g>'
            )
            y += 16
        stops.append(_Stop(call, _STABLE_X if call.side == "stable" else _CANARY_X, y + 12, before))
        y += _ROW
    end = y - _ROW + 30
    rails = "".join(
        svg_line(x, 24, x, end, "rail") + svg_text(x, 14, side, f"railname {side}", "middle")
        for side, x in (("stable", _STABLE_X), ("canary", _CANARY_X))
    )
    for earlier, later in pairwise(stops):
        middle = (earlier.y + later.y) / 2
        curve = f"M{earlier.x} {earlier.y}C{earlier.x} {middle} {later.x} {middle} {later.x} {later.y}"
        parts.append(
            f'<path class="link {_link_class(earlier, later)}" d="{curve}"{_link_stroke(earlier, later, "-down")}/>'
        )
    for stop in stops:
        stage = (
            f"{stop.call.stage} {weight_text(weights[stop.call.stage])}"
            if stop.call.stage in weights
            else stop.call.stage
        )
        parts.append(_node(stop))
        parts.append(svg_text(118, stop.y - 2, escaped_line(stop.call.step, 22), "step"))
        parts.append(svg_text(118, stop.y + 14, f"at {escaped_line(stage, 24)}", "where"))
        parts.append(_status(stop, 334, stop.y + 5, "end"))
    opening = f'<svg class="path {kind}" viewBox="0 0 340 {end + 6:.0f}" role="img" aria-label="{label}">'
    return f"{opening}{rails}{''.join(parts)}</svg>"


def _node(stop: _Stop) -> str:
    x, y, side = stop.x, stop.y, side_class(stop.call.side)
    if stop.call.outcome == "blocked":
        return svg_circle(x, y, 8, "node blocked")
    if stop.call.outcome != "fail":
        return svg_circle(x, y, 9, f"node {side}")
    return (
        svg_circle(x, y, 12, f"node {side} failing")
        + f'<path class="cross" d="M{stop.x - 4.5:.1f} {stop.y - 4.5:.1f}l9 9m0 -9l-9 9"/>'
    )


def _status(stop: _Stop, x: float, y: float, where: str) -> str:
    call = stop.call
    text = "not made" if call.outcome == "blocked" else str(call.status) if call.status is not None else "no answer"
    style = "statustext failtext" if call.outcome == "fail" else "statustext"
    return svg_text(x, y, text, style, where)


def chance_curve(finding: Finding, ramp: Sequence[RampStage]) -> str:
    """The chance for every weight from 0 to 1, the stages of this ramp as dots on it, the peak marked."""
    chance = finding.chance
    if is_constant(chance) or chance.max <= 0:
        return ""
    left, top, width, height = 40.0, 22.0, 250.0, 96.0
    scale = min(max(chance.max, 1e-9), 1.0)
    bottom = top + height

    def point(weight: float, value: float) -> tuple[float, float]:
        return left + width * weight, bottom - height * min(value / scale, 1.0)

    line = "L".join(
        f"{x:.1f} {y:.1f}" for x, y in (point(step / 60, chance_at(chance, step / 60)) for step in range(61))
    )
    dots = []
    for stage in ramp:
        value = chance.per_stage.get(stage.name, 0.0)
        if value > 0 and abs(value - chance_at(chance, stage.weight)) < 1e-6:
            x, y = point(stage.weight, value)
            title = escaped_line(f"{stage.name}: {percent(value)} at {weight_text(stage.weight)}", 120)
            dots.append(svg_circle(x, y, 3.5, "dot", title))
    peak_x, peak_y = point(chance.at, chance.max)
    text_x = min(max(peak_x, left + 50), left + width - 50)
    label = f"Chance over the canary's weight, at most {percent(chance.max)} at {percent(chance.at)}"
    return (
        f'<svg class="curve" viewBox="0 0 300 {bottom + 34:.0f}" role="img" aria-label="{label}">'
        f'<path class="chancearea" d="M{left:.1f} {bottom:.1f}L{line}L{left + width:.1f} {bottom:.1f}Z"/>'
        f'<path class="chanceline" d="M{line}"/>'
        + svg_line(left, bottom, left + width, bottom, "base")
        + svg_line(peak_x, bottom, peak_x, peak_y, "peakline")
        + "".join(dots)
        + svg_circle(peak_x, peak_y, 4, "peak")
        + svg_text(text_x, peak_y - 8, f"{percent(chance.max)} at {percent(chance.at)}", "peaktext", "middle")
        + svg_text(left, bottom + 15, "0", "tick", "middle")
        + svg_text(left + width / 2, bottom + 15, "50%", "tick", "middle")
        + svg_text(left + width, bottom + 15, "100%", "tick", "end")
        + svg_text(left + width / 2, bottom + 30, "canary's weight p", "tick", "middle")
        + svg_text(left - 6, bottom + 4, "0", "tick", "end")
        + "</svg>"
    )
