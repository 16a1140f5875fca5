"""The parts of the terminal report as lines: plan, finding, ramp, what was exercised, verdict."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.model.report import (
    Blame,
    CauseLiteral,
    Finding,
    PlanLine,
    RampStage,
    Report,
    ScenarioExercised,
    Severity,
    WitnessCall,
)
from crossfade.model.verdict import Verdict
from crossfade.report import described
from crossfade.report.ink import Ink, Piece, display_width, fitted, padded
from crossfade.report.lanes import race_lines
from crossfade.report.race_words import races_line
from crossfade.report.wording import (
    chance_line,
    deciding,
    differing,
    informing,
    one_line,
    place,
    plural,
    rolled_back,
    seconds_text,
    short_id,
    value_text,
    verdict_sentence,
    weight_text,
    where_text,
)

_SHOWN_IN_FULL = 20  # findings; the rest get one line each
_SHOWN_SHORT = 5  # lines of a list that is told but not the point
_VERDICT_STYLES = {Verdict.SAFE: "pass", Verdict.UNSAFE: "fail", Verdict.UNKNOWN: "warn"}


def plan_lines(plan: Sequence[PlanLine], ink: Ink) -> list[str]:
    """The plan as a numbered tree."""
    lines = [ink.paint("plan", "bold")] if plan else []
    for line in plan:
        indent = "  " * (line.depth + 1)
        number = one_line(line.number)
        pieces = [Piece(number, ("dim",)), *(Piece(word) for word in one_line(line.text).split())]
        lines += ink.flowed(pieces, indent, indent + " " * (len(number) + 1))
    return lines


def finding_lines(finding: Finding, ink: Ink, ramp: Sequence[RampStage] = (), number: int | None = None) -> list[str]:
    """One block per finding, from what is wrong to the command that shows it again."""
    style = "fail" if finding.severity is Severity.ERROR else "dim"
    count = "" if number is None else f"{number}. "
    head = f"{ink.paint(count + one_line(finding.rule), style, 'bold')}  {ink.paint(short_id(finding), 'dim')}"
    lines = [head, *ink.wrapped(one_line(finding.message), "   ")]
    where = " · ".join(part for part in (one_line(finding.operation), one_line(finding.scenario)) if part)
    if where:
        lines += ink.wrapped(where.replace(" · ", f" {ink.glyph('dot')} "), "   ", None, "dim")
    if finding.race is not None:
        lines += ["", *race_lines(finding, ink)]
    else:
        lines += ["", *_path_lines(finding, ramp, ink)]
        lines += _difference_lines(finding, ink)
        lines += _note_lines(finding, ink)
    lines += [
        "",
        *_labelled("chance", chance_line(finding.chance, [stage.name for stage in ramp], finding.rollback_only), ink),
    ]
    if finding.between_replicas:
        lines += _labelled(
            "note", "two instances of one side alone fail the same way: replicas do not share state", ink
        )
    if len(finding.scenarios) > 1:
        lines += _labelled("also in", ", ".join(finding.scenarios[1:]), ink)
    if finding.advice:
        lines += _labelled("advice", finding.advice, ink)
    if finding.replay:
        lines += _labelled("replay", finding.replay, ink, "bold")
    return lines


def report_lines(report: Report, ink: Ink) -> list[str]:
    """All that follows the plan; the last line is the verdict."""
    lines: list[str] = []
    errors = deciding(report)
    for number, finding in enumerate(errors[:_SHOWN_IN_FULL], 1):
        lines += [*finding_lines(finding, ink, report.ramp, number), ""]
    for number, finding in enumerate(errors[_SHOWN_IN_FULL:], _SHOWN_IN_FULL + 1):
        rest = f"{number}. {one_line(finding.rule)} {short_id(finding)}: {one_line(finding.message)}"
        lines.append(padded(rest, ink.width - 1, ink.glyph("more")).rstrip())
    if len(errors) > _SHOWN_IN_FULL:
        lines.append("")
    lines += ramp_lines(report, ink)
    lines += exercised_lines(report, ink)
    lines += _told_lines(report, ink)
    return [*lines, "", *verdict_lines(report, ink)]


def verdict_lines(report: Report, ink: Ink) -> list[str]:
    """The verdict on one line: never wrapped, so that the last line of the output can be read by a program."""
    word = ink.paint(report.verdict.value, _VERDICT_STYLES[report.verdict], "bold")
    return [f"{word}: {verdict_sentence(report)}"]


def ramp_lines(report: Report, ink: Ink) -> list[str]:
    """The ramp, one stage per line: weight, a bar of both sides, phase, what rollback from there does, migration."""
    if not report.ramp:
        return []
    names = min(max(display_width(one_line(stage.name)) for stage in report.ramp), 18)
    names = max(names, len("ramp"))
    size = min(max(ink.width - 60, 8), 20)
    header = f"{'ramp':<{names}}  {'canary':>6}  {'':<{size}}  {'phase':<8}  rollback"
    lines = [ink.paint(header, "bold")]
    gone = set(report.points_of_no_return)
    for stage in report.ramp:
        name = padded(one_line(stage.name), names, ink.glyph("more"))
        canary = round(stage.weight * size)
        canary = min(max(canary, stage.weight > 0), size - (stage.weight < 1))
        bar = ink.paint(ink.glyph("stable") * (size - canary), "stable") + ink.paint(
            ink.glyph("canary") * canary, "canary"
        )
        word, style = _rollback_word(stage)
        line = f"{name}  {weight_text(stage.weight):>6}  {bar}  {padded(stage.phase, 8)}  {ink.paint(word, *style)}"
        lines.append(line)
        margin = " " * (names + 2)
        if stage.migration:
            migration = f"{margin}{ink.glyph('diamond')} {one_line(stage.migration)}"
            lines.insert(-1, ink.paint(padded(migration, ink.width - 1, ink.glyph("more")).rstrip(), "dim"))
        if stage.name in gone:
            at = len(lines) - (2 if stage.migration else 1)
            lines.insert(at, ink.paint(f"{margin}point of no return from here on", "fail"))
    legend = f"{ink.glyph('stable')} stable  {ink.glyph('canary')} canary  {ink.glyph('diamond')} migration"
    return [*lines, ink.paint(legend, "dim"), ""]


def exercised_lines(report: Report, ink: Ink) -> list[str]:
    """What was done, per scenario, and what that proves."""
    exercised = report.exercised
    total = f"{plural(exercised.routings.explored, 'routing')}, {plural(exercised.calls, 'call')}"
    lines = [f"{ink.paint('exercised', 'bold')}  {total} in {seconds_text(report.seconds)}"]
    shown = exercised.scenarios[:12]
    for each in shown:
        lines += ink.wrapped(_scenario_text(each), "  ", "    ")
    if len(exercised.scenarios) > len(shown):
        lines.append(f"  {ink.glyph('more')} and {plural(len(exercised.scenarios) - len(shown), 'more scenario')}")
    if exercised.races:
        lines += ink.wrapped(f"races: {races_line(exercised)}", "  ", "    ")
    if exercised.guarantee:
        lines += ink.wrapped(f"guarantee: {one_line(exercised.guarantee)}", "  ", "    ")
    return lines


def _scenario_text(each: ScenarioExercised) -> str:
    merged = f", {each.merged:,} of them merged" if each.merged else ""
    routings = f"{each.explored:,} of {plural(each.possible, 'routing')}{merged}"
    return f"{one_line(each.scenario)}: {routings}, {plural(each.calls, 'call')}, {one_line(each.regime)}"


def _told_lines(report: Report, ink: Ink) -> list[str]:
    """What informs without deciding: short, the report files hold all of it."""
    changed = [
        f"{each.operation} {each.path}: {value_text(each.stable, 30)} "
        f"{ink.glyph('right')} {value_text(each.canary, 30)}"
        for each in report.changed
        if not each.declared
    ]
    parts = [
        ("for information", [f"{each.rule} {short_id(each)}: {each.message}" for each in informing(report)]),
        ("unstable", [f"{each.rule} {short_id(each)}: {each.message}" for each in report.unstable]),
        (described.TITLE.lower(), described.described_lines(report)),
        (described.UNDECLARED.lower(), described.undeclared_lines(report)),
        ("changed, not declared", list(dict.fromkeys(changed))),
        ("not compared", [f"{each.scenario} / {each.step} {each.path}: {each.reason}" for each in report.not_compared]),
        ("not explored", list(report.not_explored)),
    ]
    lines: list[str] = []
    for title, items in parts:
        if not items:
            continue
        lines += ["", ink.paint(title, "bold")]
        for item in items[:_SHOWN_SHORT]:
            lines += ink.wrapped(one_line(item, 300), "  ", "    ")
        if len(items) > _SHOWN_SHORT:
            lines.append(f"  {ink.glyph('more')} and {len(items) - _SHOWN_SHORT} more, see the report")
    return lines


def _rollback_word(stage: RampStage) -> tuple[str, tuple[str, ...]]:
    if not stage.rollback:
        return "no", ("dim",)
    if stage.rollback_safe is None:
        return "not measured", ("dim",)
    return ("safe", ("pass",)) if stage.rollback_safe else ("NOT SAFE", ("fail", "bold"))


def _path_lines(finding: Finding, ramp: Sequence[RampStage], ink: Ink) -> list[str]:
    """`create ─canary→ read ─stable✗`: each step with the side that served it; stages where they matter."""
    if finding.witness and finding.witness.calls:
        calls = finding.witness.calls
        back = rolled_back(calls, ramp)
        stages = len({call.stage for call in calls}) > 1 or any(back)
        pieces: list[Piece] = []
        before = ""
        for index, call in enumerate(calls):
            name, said = place(call.stage)
            if back[index] and (not (index and back[index - 1]) or (said and call.stage != before)):
                pieces.append(
                    Piece(f"{ink.glyph('back')} rollback{f' from {one_line(name)}' if said else ''}", ("warn",))
                )
            before = call.stage
            at = f" @{one_line(name)}" if stages and not said else ""
            pieces.append(Piece(one_line(call.step) + at, ("bold",) if call.outcome == "fail" else ()))
            pieces.append(_hop(call, index == len(calls) - 1, ink))
        if not any(call.outcome == "fail" for call in calls):
            pieces.append(Piece(f"{ink.glyph('cross')} {finding.check.value}", ("fail", "bold")))
        return ink.flowed(pieces, "   ", "     ")
    return ink.flowed(_cause_pieces(finding.cause, ink), "   ", "     ") if finding.cause else []


def _hop(call: WitnessCall, last: bool, ink: Ink) -> Piece:
    if call.outcome == "blocked":
        return Piece(f"{ink.glyph('dot')}not made", ("dim",))
    end = ink.glyph("cross") if call.outcome == "fail" else ink.glyph("tick") if last else ink.glyph("arrow")
    return Piece(
        f"{ink.glyph('line')}{one_line(call.side)}{end}", ("fail", "bold") if call.outcome == "fail" else (call.side,)
    )


def _cause_pieces(cause: Sequence[CauseLiteral], ink: Ink) -> list[Piece]:
    pieces: list[Piece] = []
    for literal in cause:
        side = "any side" if literal.any_side else one_line(literal.side)
        where = one_line(literal.step + where_text(literal))
        pieces += [Piece(where), Piece(f"{ink.glyph('line')}{side}", (literal.side,))]
    return pieces


def _difference_lines(finding: Finding, ink: Ink, limit: int = 4) -> list[str]:
    if not finding.differences:
        return []
    lines: list[str] = []
    for each in differing(finding.differences)[:limit]:
        lines.append("")
        lines += ink.wrapped(one_line(each.path, 200), "   ")
        for label, value, style in (
            ("stable alone", each.stable, "stable"),
            ("canary alone", each.canary, "canary"),
            ("seen", each.seen, "fail"),
        ):
            shown = fitted(value_text(value), ink.width - 20)
            more = ink.glyph("more") if len(shown) < len(value_text(value)) else ""
            lines.append(f"     {label:<12}  {ink.paint(shown + more, style if value is not None else 'dim')}")
        if each.reason:
            lines += ink.wrapped(one_line(each.reason, 300), "     ", None, "dim")
    if len(finding.differences) > limit:
        lines.append(f"   {ink.glyph('more')} and {plural(len(finding.differences) - limit, 'more difference')}")
    return lines


def _note_lines(finding: Finding, ink: Ink) -> list[str]:
    """What is wrong with the failing call where no difference says it."""
    if finding.differences or not finding.witness:
        return []
    lines: list[str] = []
    for call in finding.witness.calls:
        if call.outcome == "fail":
            answer = f"{call.status}" if call.status is not None else "no answer"
            note = f": {one_line(call.note, 300)}" if call.note else ""
            lines += ["", *ink.wrapped(f"{one_line(call.operation)} gave {answer}{note}", "   ", "     ")]
            if call.body:
                shown = fitted(one_line(call.body), ink.width - 10)
                lines.append(f"     {ink.paint(shown, 'dim')}")
    return lines


def _labelled(label: str, text: str, ink: Ink, *styles: str) -> list[str]:
    pieces = [Piece(f"{label:<8}", ("dim",)), *(Piece(word, styles) for word in one_line(text).split())]
    return ink.flowed(pieces, "   ", " " * 12)


def blame_text(finding: Finding) -> str:
    """Who is to blame, for people."""
    return {
        Blame.MIXED: "only the mix fails",
        Blame.PHASE: "the data's phase",
        Blame.CANARY: "canary alone",
        Blame.STABLE: "stable alone",
    }[finding.blame]
