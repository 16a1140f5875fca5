"""One finding as a card: cause, routing, chance, the answers side by side, advice and the command that replays it."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.model.report import Blame, Difference, Finding, Report, Severity, WitnessCall
from crossfade.report.html_path import chance_curve, path_figure
from crossfade.report.html_race import race_story
from crossfade.report.html_text import anchor, chip, escaped, escaped_line, folded, prose, side_class, table
from crossfade.report.wording import (
    chance_text,
    differing,
    failing_call,
    formula,
    indented,
    is_constant,
    joined,
    parsed,
    percent,
    place,
    plural,
    rolled_back,
    short_id,
    status_and_body,
    value_text,
    weight_text,
    where_text,
)

_BLAMES = {
    Blame.MIXED: "only mixed traffic fails",
    Blame.PHASE: "fails in this phase of the data",
    Blame.CANARY: "the canary alone fails",
    Blame.STABLE: "the stable alone fails",
}
_WHOLE = 44  # lines of an answer shown whole; longer ones are folded around what differs
_AROUND = 3  # lines kept around a differing line
_DIFFERENCES = 24
_WITH_BODIES = 30  # findings whose calls are shown with their bodies
_REQUEST = 4000  # characters of a request


def finding_card(finding: Finding, number: int, report: Report, open_: bool) -> str:
    """`open_` cards show everything at once; the others unfold from their sentence. Cards with a high number leave out
    the bodies of calls that did not fail, so that a page with hundreds of findings still opens."""
    decides = finding.severity is Severity.ERROR
    badge = f'<span class="number">{number}</span>' if decides else '<span class="number info">i</span>'
    heading = (
        f'<span class="headline">{badge}<span class="sentence" role="heading" aria-level="3">'
        f"{prose(finding.message)}</span></span>"
        f'<span class="meta"><code>{escaped_line(finding.rule)}</code>'
        f'<span class="fingerprint">{escaped_line(short_id(finding))}</span>'
        f"{chip(_blame_text(finding), 'fail' if decides else '')}</span>"
    )
    if finding.race is not None:
        parts = [_where(finding), race_story(finding), _chance(finding, report)]
    else:
        parts = [_where(finding), _cause(finding), path_figure(finding, report), _chance(finding, report)]
        parts += [
            _answers(finding),
            _difference_table(finding),
            _calls(finding, report, number <= _WITH_BODIES),
        ]
    parts += [_advice(finding), _replay(finding)]
    body = f'<div class="cardbody">{"".join(parts)}</div>'
    kind = "finding" if decides else "finding informs"
    return f'<article class="{kind}" id="{anchor(finding.id)}">{folded(heading, body, open_, "card")}</article>'


def _blame_text(finding: Finding) -> str:
    return "only after rollback" if finding.rollback_only else _BLAMES[finding.blame]


def _where(finding: Finding) -> str:
    parts = []
    if finding.operation:
        parts.append(f"<code>{escaped_line(finding.operation)}</code>")
    if finding.scenario:
        parts.append(f"in <em>{escaped_line(finding.scenario)}</em>")
    others = [name for name in finding.scenarios if name != finding.scenario]
    if others:
        parts.append(f"and {escaped_line(', '.join(others), 300)}")
    parts.append(f"· check <code>{escaped_line(finding.check.value)}</code>")
    if finding.also:
        parts.append(f"(also {escaped_line(', '.join(finding.also), 120)})")
    return f'<p class="where">{" ".join(parts)}</p>'


def _cause(finding: Finding) -> str:
    if not finding.cause:
        return ""
    chips = []
    for literal in finding.cause:
        kind = "" if literal.any_side else side_class(literal.side)
        on = "" if literal.any_side else f" on {escaped_line(literal.side)}"
        where = where_text(literal)
        at = f'<span class="at">{escaped_line(where)}</span>' if where else ""
        chips.append(f'<li><span class="chip {kind}"><b>{escaped_line(literal.step)}</b>{on}</span>{at}</li>')
    return f'<h4>Smallest cause</h4><ol class="cause">{"".join(chips)}</ol>'


def _chance(finding: Finding, report: Report) -> str:
    chance = finding.chance
    rows = [
        (escaped_line(stage.name), weight_text(stage.weight), f"<b>{percent(chance.per_stage[stage.name])}</b>")
        for stage in report.ramp
        if chance.per_stage.get(stage.name, 0.0) > 0
    ]
    what = "one pass of the scenario fails"
    if finding.race is not None:
        what = "two such calls at the same time are served like this"
    polynomial = f'<code class="formula">{escaped_line(formula(chance), 160)}</code>'
    if not is_constant(chance):
        peak = f"at most <b>{percent(chance.max)}</b>, when the canary serves {percent(chance.at)}"
        sentence = f"{what} with chance {polynomial}, {peak}."
    elif chance_text(chance) == "always":
        every = "every two such calls at the same time can meet like this."
        sentence = every if finding.race is not None else "every pass that meets this cause fails."
    else:
        sentence = f"{what} with chance {polynomial}, at most <b>{percent(chance.max)}</b>."
    if finding.rollback_only:
        stages = [stage.name for stage in report.ramp if finding.id in stage.broken_by]
        sentence = f"After a rollback{f' from {escaped_line(joined(stages), 300)}' if stages else ''}, {sentence}"
    sentence = sentence[0].upper() + sentence[1:]
    values = table(("stage", "weight", "chance"), rows, "values") if rows else ""
    return f'<h4>Chance</h4><p>{sentence}</p><div class="chance">{chance_curve(finding, report.ramp)}{values}</div>'


def _answers(finding: Finding) -> str:
    """The failing call's answer beside what each side alone gives there."""
    call = failing_call(finding)
    if call is None:
        return ""
    seen = f"{call.status} {call.body}" if call.status is not None else ""
    panes = []
    for title, kind, answer, missing in (
        ("stable alone", "stable", call.stable, [each.path for each in finding.differences if each.stable is None]),
        ("canary alone", "canary", call.canary, [each.path for each in finding.differences if each.canary is None]),
    ):
        if answer is not None:
            panes.append(_pane(title, kind, answer, finding.differences, missing, wrong=False))
    missing = [each.path for each in finding.differences if each.seen is None]
    panes.append(_pane(f"seen, {call.step} on {call.side}", "seen", seen, finding.differences, missing, wrong=True))
    told = {each.reason for each in finding.differences}
    note = f'<p class="note">{prose(call.note)}</p>' if call.note and call.note not in told else ""
    return f'<h4>Answers to <code>{escaped_line(call.step)}</code></h4>{note}<div class="panes">{"".join(panes)}</div>'


def _pane(
    title: str, kind: str, answer: str, differences: Sequence[Difference], missing: Sequence[str], wrong: bool
) -> str:
    status, body = status_and_body(answer)
    paths = [each.path for each in differences]
    lines = [(path, line, _touched(path, paths)) for path, line in _lines(body)]
    absent = [path for path in missing if path.startswith("body.")]
    lines += [(path, f"{path.removeprefix('body.')}: absent", True) for path in absent[:6]]
    marked = "status" in paths
    shown = status or "no answer"
    word = "wrong" if wrong else "differs"
    head = f'<span class="status {word if marked else ""}">{escaped_line(shown, 12)}</span>'
    label = escaped_line(f"answer, {title}", 120)
    return (
        f'<section class="pane {kind}"><h5><span>{escaped_line(title, 60)}</span>{head}</h5>'
        f'<pre class="scroll" tabindex="0" aria-label="{label}">{_code(lines, word)}</pre></section>'
    )


def _lines(body: str) -> list[tuple[str, str]]:
    structured, value = parsed(body)
    if structured:
        try:
            return indented(value)
        except RecursionError:
            pass
    return [("body", line) for line in escaped_lines(body)]


def escaped_lines(body: str) -> list[str]:
    return body.splitlines() or [""]


def _touched(path: str, differing_paths: Sequence[str]) -> bool:
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in differing_paths)


def _code(lines: Sequence[tuple[str, str, bool]], word: str) -> str:
    keep = _kept([marked for _, _, marked in lines])
    result, skipped = [], 0
    for index, (_, line, marked) in enumerate(lines):
        if index not in keep:
            skipped += 1
            continue
        if skipped:
            result.append(f'<span class="skip">… {plural(skipped, "line")}</span>')
            skipped = 0
        result.append(f'<span class="line{f" {word}" if marked else ""}">{escaped(line[:2000])}</span>')
    if skipped:
        result.append(f'<span class="skip">… {plural(skipped, "line")}</span>')
    return "".join(result)


def _kept(marks: Sequence[bool]) -> set[int]:
    if len(marks) <= _WHOLE:
        return set(range(len(marks)))
    found = [index for index, marked in enumerate(marks) if marked][:_WHOLE]
    if not found:
        return set(range(_WHOLE))
    return {each for index in found for each in range(index - _AROUND, index + _AROUND + 1)}


def _difference_table(finding: Finding) -> str:
    if not finding.differences:
        return ""
    rows = []
    for each in differing(finding.differences)[:_DIFFERENCES]:
        reason = f'<span class="reason">{prose(each.reason)}</span>' if each.reason else ""
        values = [
            f"<code>{escaped_line(value_text(value), 300)}</code>" for value in (each.stable, each.canary, each.seen)
        ]
        values[2] = f'<span class="wrongvalue">{values[2]}</span>'
        rows.append((f"<code>{escaped_line(each.path, 200)}</code>{reason}", *values))
    more = len(finding.differences) - len(rows)
    rest = f"<p>and {plural(more, 'more difference')}, see report.json</p>" if more > 0 else ""
    heads = (
        "where",
        '<span class="stabletext">stable alone</span>',
        '<span class="canarytext">canary alone</span>',
        "seen",
    )
    return f"<h4>Differences</h4>{table(heads, rows, 'differences')}{rest}"


def _calls(finding: Finding, report: Report, bodies: bool) -> str:
    if not finding.witness or not finding.witness.calls:
        return ""
    calls = finding.witness.calls
    rows = [_call_item(call, back, bodies) for call, back in zip(calls, rolled_back(calls, report.ramp), strict=True)]
    witness = finding.witness
    replays = f"{witness.replays} of {plural(witness.attempts, 'clean replay')} failed the same way"
    return folded(f"Every call of the witness <small>{replays}</small>", f'<ol class="calls">{"".join(rows)}</ol>')


def _call_item(call: WitnessCall, back: bool, bodies: bool) -> str:
    name, said = place(call.stage)
    at = f"after rollback from {name}" if said else f"at {name}{', after rollback' if back else ''}"
    where = f"{call.side} {call.version} {at}"
    status = str(call.status) if call.status is not None else "no answer"
    if call.outcome == "blocked":
        return (
            f'<li class="blocked"><b>{escaped_line(call.step)}</b> <span class="at">{escaped_line(where)}</span> '
            "was not made: an earlier call it needs failed</li>"
        )
    body = f'<pre class="scroll" tabindex="0">{escaped(call.body)}</pre>' if call.body and bodies else ""
    note = f'<p class="note">{prose(call.note)}</p>' if call.note else ""
    mark = '<span class="failtext">✗</span> ' if call.outcome == "fail" else ""
    return (
        f"<li>{mark}<b>{escaped_line(call.step)}</b> {chip(where, side_class(call.side))}"
        f'<pre class="scroll request" tabindex="0">{escaped(call.request[:_REQUEST])}</pre>'
        f'<p class="at">answer {status}</p>{body}{note}</li>'
    )


def _advice(finding: Finding) -> str:
    parts = []
    if finding.between_replicas:
        sides = " and of the ".join(finding.witness.between_replicas) if finding.witness else ""
        which = f" of the {escaped_line(sides)}" if sides else " of one side"
        parts.append(
            f'<p class="note"><b>Not only between versions.</b> Two instances{which} alone fail the same way: '
            "the replicas do not share state.</p>"
        )
    if finding.advice:
        parts.append(f'<p class="advice"><b>What to do</b> {prose(finding.advice)}</p>')
    return "".join(parts)


def _replay(finding: Finding) -> str:
    if not finding.replay:
        return ""
    return f'<div class="replay"><code>{escaped_line(finding.replay)}</code></div>'
