"""`report.html`: one self-contained page. It loads nothing, works without scripts, from disk, on a phone, in the dark
and on paper. A content security policy lets run only the page's own script, named by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from crossfade.model.report import Finding, Report, ScenarioExercised
from crossfade.model.verdict import Verdict
from crossfade.report import described
from crossfade.report.html_drawing import migrated, ramp_figure
from crossfade.report.html_finding import finding_card
from crossfade.report.html_path import gradients
from crossfade.report.html_race import races_table
from crossfade.report.html_style import SCRIPT, STYLE
from crossfade.report.html_text import anchor, chip, escaped_line, folded, prose, table
from crossfade.report.wording import (
    deciding,
    file_name,
    formula,
    further_reason,
    informing,
    one_line,
    percent,
    plural,
    seconds_text,
    value_text,
    verdict_line,
    verdict_sentence,
    weight_text,
)

_OPEN_CARDS = 8  # findings shown unfolded
_ROWS = 200  # rows of a table or list that is told but does not decide


def html_report(report: Report) -> str:
    title = escaped_line(f"{verdict_line(report)} - {file_name(report.contract)}", 160)
    body = [
        _top(report),
        "<main>",
        _verdict(report),
        _ramp(report),
        _findings(report),
        _more(report),
        "</main>",
        _footer(report),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{title}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{STYLE}</style>\n</head>\n<body>\n{gradients()}\n'
        + "\n".join(part for part in body if part)
        + f"\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    sources = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    return f"{sources}; base-uri 'none'; form-action 'none'"


def _top(report: Report) -> str:
    when = escaped_line(report.started.replace("T", " ").replace("Z", " UTC").replace("+00:00", " UTC"), 40)
    name = f"<b>Crossfade</b> ramp report · {escaped_line(file_name(report.contract), 120)}"
    return f'<header class="top"><span>{name}</span><span>{when}</span></header>'


def _verdict(report: Report) -> str:
    sentence = verdict_sentence(report)
    because = ""
    if further_reason(report):
        because = f'<p class="because">{prose(further_reason(report))}</p>'
    routings = report.exercised.routings
    merged = f" <small>{routings.merged:,} merged</small>" if routings.merged else ""
    facts = [(escaped_line(each.name, 60), _version(each.stable, each.canary)) for each in report.services[:6]]
    facts += [
        ("stages", f"{len(report.ramp)}"),
        ("scenarios", f"{len(report.exercised.scenarios)}"),
        ("routings", f"{routings.explored:,} of {routings.possible:,}{merged}"),
        ("calls", f"{report.exercised.calls:,}"),
        *([("races", _race_facts(report))] if report.exercised.races else []),
        ("time", seconds_text(report.seconds)),
    ]
    if report.rollback_until:
        facts.append(("rollback until", escaped_line(report.rollback_until, 60)))
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    guarantee = report.exercised.guarantee
    proven = f'<p class="guarantee"><b>What this run proves.</b> {prose(guarantee)}</p>' if guarantee else ""
    word = report.verdict.value
    return (
        f'<section class="verdict {word}" aria-labelledby="verdict"><h1 id="verdict">{word.capitalize()}</h1>'
        f'<p>{prose(_sentence(sentence))}</p>{because}<dl class="facts">{rows}</dl>{proven}</section>'
    )


def _race_facts(report: Report) -> str:
    races = report.exercised.races
    schedules = sum(each.schedules for each in races)
    return f"{plural(len(races), 'pair')} <small>{plural(schedules, 'schedule')}</small>"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _version(stable: str, canary: str) -> str:
    if stable == canary or not canary:
        return escaped_line(stable, 40)
    older, newer = escaped_line(stable, 40), escaped_line(canary, 40)
    return f'<span class="stabletext">{older}</span> → <span class="canarytext">{newer}</span>'


def _ramp(report: Report) -> str:
    if not report.ramp:
        return ""
    items = [
        f"<li><b>◆ {number}</b> {escaped_line(stage.name, 60)}: "
        f"<code>{escaped_line(stage.migration or '', 160)}</code></li>"
        for number, (_, stage) in enumerate(migrated(report.ramp), 1)
    ]
    gone = [
        f'<li><b class="failtext">Point of no return:</b> from {escaped_line(name, 60)} on, rollback is not safe</li>'
        for name in report.points_of_no_return
    ]
    legend = f'<ul class="legend">{"".join([*items, *gone])}</ul>' if items or gone else ""
    words = {True: '<span class="chip">safe</span>', False: chip("not safe", "fail"), None: "not measured"}
    rows = [
        (
            escaped_line(stage.name, 80),
            "<br>".join(_weights(stage.weight, stage.weights)),
            escaped_line(stage.phase, 40),
            f"<code>{escaped_line(stage.migration, 160)}</code>" if stage.migration else "",
            escaped_line(", ".join(stage.live)),
            words[stage.rollback_safe] if stage.rollback else "none",
        )
        for stage in report.ramp
    ]
    values = folded(
        "The same as a table", table(("stage", "canary's weight", "phase", "migration", "live", "rollback"), rows)
    )
    return f'<h2 id="ramp">The ramp</h2><div class="paper figures">{ramp_figure(report)}{legend}{values}</div>'


def _weights(weight: float, weights: dict[str, float]) -> list[str]:
    if len(set(weights.values())) <= 1:
        return [weight_text(weight)]
    return [f"{escaped_line(name, 40)} {weight_text(value)}" for name, value in sorted(weights.items())]


def _findings(report: Report) -> str:
    errors, infos = deciding(report), informing(report)
    parts = []
    if errors:
        parts.append(
            f'<h2 id="findings">Findings <small>{plural(len(errors), "finding")} against this ramp</small></h2>'
        )
        parts += [_contents(report, errors)] if len(errors) > 3 else []
        parts += [finding_card(each, number, report, number <= _OPEN_CARDS) for number, each in enumerate(errors, 1)]
    elif report.verdict is Verdict.SAFE:
        raced = " Every pair of calls at the same time fits some order of one after the other."
        parts.append(
            '<h2 id="findings">Findings</h2>'
            "<p>None. Every routing explored gave answers that one side alone could give."
            f"{raced if report.exercised.races else ''}</p>"
        )
    if infos:
        parts.append('<h2 id="information">For information <small>does not decide</small></h2>')
        parts += [finding_card(each, number, report, False) for number, each in enumerate(infos[:_ROWS], 1)]
    if report.unstable:
        parts.append('<h2 id="unstable">Unstable <small>seen, but not in every clean replay</small></h2>')
        parts += [
            f'<article class="finding informs plainbody"><p>{prose(each.message)}</p><p class="where">'
            f"<code>{escaped_line(each.rule)}</code> {escaped_line(each.operation, 120)} "
            f"in {escaped_line(each.scenario, 120)}"
            f"{_replays(each)}</p></article>"
            for each in report.unstable[:_ROWS]
        ]
    return "".join(parts)


def _replays(finding: Finding) -> str:
    witness = finding.race or finding.witness
    return f" · failed in {witness.replays} of {plural(witness.attempts, 'clean replay')}" if witness else ""


def _contents(report: Report, findings: Iterable[Finding]) -> str:
    items = []
    for number, finding in enumerate(findings, 1):
        worst = max(finding.chance.per_stage.values(), default=0.0)
        text = f"up to {percent(worst)} on this ramp" if worst > 0 else formula(finding.chance)
        if finding.rollback_only:
            text = "after a rollback"
        items.append(
            f'<li><a href="#{anchor(finding.id)}"><span class="number">{number}</span>'
            f"<span>{prose(one_line(finding.message, 160))}</span>"
            f'<span class="worst">{escaped_line(text, 40)}</span></a></li>'
        )
    return f'<nav aria-label="Findings"><ol class="paper toc">{"".join(items)}</ol></nav><br>'


def _more(report: Report) -> str:
    """What a reader looks up: exercised, changed, not compared, not explored, plan."""
    folds = [
        _exercised(report),
        races_table(report.exercised),
        _described(report),
        _changed(report),
        _not_compared(report),
        _not_explored(report),
        _plan(report),
        _environment(report),
    ]
    content = "".join(each for each in folds if each)
    return f'<section class="more"><h2 id="run">The run</h2><div class="paper pad">{content}</div></section>'


def _exercised(report: Report) -> str:
    rows = [
        (
            escaped_line(each.scenario, 120),
            f"{each.steps}",
            f"{each.explored:,} of {each.possible:,}",
            f"{each.merged:,}",
            f"{each.calls:,}",
            seconds_text(each.seconds).replace(" ", "\u00a0"),
            _proven(each),
        )
        for each in report.exercised.scenarios[:_ROWS]
    ]
    if not rows:
        return ""
    head = ("scenario", "steps", "routings", "merged", "calls", "time", "regime and guarantee")
    return folded(
        f"Exercised <small>{plural(len(report.exercised.scenarios), 'scenario')}</small>", table(head, rows), open_=True
    )


def _proven(each: ScenarioExercised) -> str:
    """The regime, once: the guarantee mostly begins with it."""
    regime = "" if each.guarantee.startswith(each.regime) else f"{escaped_line(each.regime, 60)} "
    return f'{regime}<span class="reason">{prose(each.guarantee)}</span>'


def _changed(report: Report) -> str:
    rows = [
        (
            f"<code>{escaped_line(each.operation, 120)}</code>",
            f"<code>{escaped_line(each.path, 160)}</code>",
            f"<code>{escaped_line(value_text(each.stable, 120))}</code>",
            f"<code>{escaped_line(value_text(each.canary, 120))}</code>",
            "declared" if each.declared else "<b>not declared</b>",
        )
        for each in report.changed[:_ROWS]
    ]
    if not rows:
        return ""
    undeclared = sum(not each.declared for each in report.changed)
    count = f"{len(report.changed)}, {undeclared or 'none'} of them not declared"
    text = f"Changed between the versions <small>{count}</small>"
    return folded(text, table(("operation", "where", "stable", "canary", ""), rows), open_=undeclared > 0)


def _described(report: Report) -> str:
    parts = (
        (described.TITLE, described.described_lines(report)),
        (described.UNDECLARED, described.undeclared_lines(report)),
    )
    folds = [
        folded(
            f"{title} <small>{len(lines)}</small>",
            f'<ul class="plain">{"".join(f"<li>{prose(each)}</li>" for each in lines[:_ROWS])}</ul>',
        )
        for title, lines in parts
        if lines
    ]
    return "".join(folds)


def _not_compared(report: Report) -> str:
    rows = [
        (
            escaped_line(each.scenario, 80),
            escaped_line(each.step, 60),
            f"<code>{escaped_line(each.path, 160)}</code>",
            prose(each.reason),
        )
        for each in report.not_compared[:_ROWS]
    ]
    if not rows:
        return ""
    text = f"Not compared <small>{plural(len(report.not_compared), 'place')}</small>"
    return folded(text, table(("scenario", "step", "where", "why"), rows))


def _not_explored(report: Report) -> str:
    if not report.not_explored:
        return ""
    items = "".join(f"<li>{prose(each)}</li>" for each in report.not_explored[:_ROWS])
    text = f"Not explored <small>{len(report.not_explored)}</small>"
    return folded(text, f'<ul class="plain">{items}</ul>', open_=report.verdict is Verdict.UNKNOWN)


def _plan(report: Report) -> str:
    items = "".join(
        f'<li class="d{min(line.depth, 3)}"><span class="n">{escaped_line(line.number)}</span>'
        f"<span>{prose(line.text)}</span></li>"
        for line in report.plan[:1000]
    )
    return (
        folded(f"Plan <small>{plural(len(report.plan), 'line')}</small>", f'<ol class="plan">{items}</ol>')
        if items
        else ""
    )


def _environment(report: Report) -> str:
    rows = [
        (escaped_line(str(name), 80), escaped_line(str(value), 300))
        for name, value in sorted(report.environment.items())
        if value not in (None, "", [], {})
    ]
    return folded("Environment", table(("part", "what it was"), rows)) if rows else ""


def _footer(report: Report) -> str:
    run = f" · run <code>{escaped_line(report.run, 80)}</code>" if report.run else ""
    return f"<footer>{escaped_line(report.tool, 80)}{run} · the same as data: <code>report.json</code></footer>"
