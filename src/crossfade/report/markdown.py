"""`report.md` for a pull request comment: the verdict, a table of findings, each finding folded away with its witness.

GitHub refuses comments above 65,536 characters, so the text keeps within LIMIT and says what it left out.
"""

from __future__ import annotations

import re

from crossfade.model.report import (
    Blame,
    Finding,
    RaceExercised,
    RaceShown,
    RaceTurn,
    RampStage,
    Report,
    ScenarioExercised,
)
from crossfade.model.verdict import Verdict
from crossfade.report import described
from crossfade.report.race_marks import Marked, answers_given, left_behind, nothing_left, plain, serial_rows
from crossfade.report.race_words import (
    bound_text,
    controls_text,
    ended_at_once,
    found_text,
    granted_text,
    kind_meaning,
    kind_name,
    lane_names,
    moments,
    order_text,
    pair_text,
    place_text,
    races_line,
    result_text,
    statement_text,
    stores_matter,
    wait_text,
    waits,
)
from crossfade.report.wording import (
    chance_line,
    chance_text,
    deciding,
    differing,
    further_reason,
    informing,
    literal_text,
    one_line,
    percent,
    place,
    plural,
    printable,
    rolled_back,
    seconds_text,
    short_id,
    value_text,
    verdict_sentence,
    weight_text,
)

LIMIT = 60_000  # bytes: below GitHub's 65,536 characters, with room for what a bot puts around it
_TABLE_LIMIT = 40
_BADGES = {Verdict.SAFE: "✅", Verdict.UNSAFE: "❌", Verdict.UNKNOWN: "❔"}
_BLAMES = {Blame.MIXED: "the mix", Blame.PHASE: "the phase", Blame.CANARY: "canary", Blame.STABLE: "stable"}


def markdown_report(report: Report) -> str:
    """Head and tail always stand; the findings' details fill what is left, in order."""
    head, tail = _head(report), _tail(report)
    room = LIMIT - _size(head) - _size(tail) - 400
    details: list[str] = []
    findings = deciding(report)
    for number, finding in enumerate(findings, 1):
        detail = _details(report, finding, number)
        if _size(detail) > room:
            detail = _details(report, finding, number, brief=True)
        if _size(detail) > room:
            break
        details.append(detail)
        room -= _size(detail)
    left = len(findings) - len(details)
    if left:
        details.append(f"_The details of {plural(left, 'more finding')} are left out for length: see `report.html`._\n")
    return "\n".join([head, *details, tail])


def _head(report: Report) -> str:
    errors = deciding(report)
    lines = [
        f"## {_BADGES[report.verdict]} Crossfade: {report.verdict.value}",
        "",
        f"**{_escaped(verdict_sentence(report))}** · {_versions(report)}",
        "",
    ]
    if further_reason(report):
        lines += [_escaped(one_line(further_reason(report), 600)), ""]
    if errors:
        lines += ["| # | finding | fails when | chance | worst stage |", "|--:|---|---|---|---|"]
        rows = _fitting([_row(report, number, each) for number, each in enumerate(errors, 1)], _TABLE_LIMIT, 20_000)
        lines += [*rows, ""]
        if len(errors) > len(rows):
            lines += [f"_… and {plural(len(errors) - len(rows), 'more finding')}: see `report.html`._", ""]
    for name in report.points_of_no_return[:10]:
        lines += [
            f"> [!WARNING]\n> Point of no return: from stage {_code(one_line(name, 80))} on, rollback is not safe.",
            "",
        ]
    return "\n".join(lines)


def _row(report: Report, number: int, finding: Finding) -> str:
    cause = "<br>".join(_escaped(literal_text(literal)) for literal in finding.cause[:6])
    if finding.race is not None:
        cause = _escaped(one_line(pair_text(finding), 160))
    per_stage = finding.chance.per_stage
    worst = max(report.ramp, key=lambda stage: round(per_stage.get(stage.name, 0.0), 9), default=None)
    value = finding.chance.per_stage.get(worst.name, 0.0) if worst else 0.0
    at = (
        f"{percent(value)} at {_code(worst.name)}"
        if worst and value > 0
        else "after rollback"
        if finding.rollback_only
        else "-"
    )
    sentence = _escaped(one_line(finding.message, 240))
    what = f"{sentence}<br>{_code(finding.rule)} {_code(short_id(finding))}"
    return f"| {number} | {what} | {cause or '-'} | {_code(chance_text(finding.chance))} | {at} |"


def _details(report: Report, finding: Finding, number: int, brief: bool = False) -> str:
    """A folded block; `brief` leaves out the answers."""
    limit = 120 if brief else 600
    heading = f"{number}. {_html(one_line(finding.message, 200))}"
    lines = ["<details>", f"<summary><b>{heading}</b></summary>", ""]
    where = f"Scenario {_code(finding.scenario)}" if finding.scenario else "The ramp"
    on = f", {_code(finding.operation)}" if finding.operation else ""
    lines.append(f"{where}{on}. Check {_code(finding.check.value)}, caused by {_BLAMES[finding.blame]}.")
    lines += [
        "",
        f"Chance {_code(chance_line(finding.chance, [stage.name for stage in report.ramp], finding.rollback_only))}",
        "",
    ]
    if finding.witness and finding.witness.calls:
        lines += _witness_table(report, finding)
    if finding.race is not None:
        lines += _race_tables(finding, finding.race, brief)
    elif finding.differences and not brief:
        lines += ["| where | seen | stable alone | canary alone |", "|---|---|---|---|"]
        for each in differing(finding.differences)[:12]:
            cells = (each.path, *(value_text(value, 160) for value in (each.seen, each.stable, each.canary)))
            lines.append("| " + " | ".join(_code(cell) for cell in cells) + " |")
        if len(finding.differences) > 12:
            lines += ["", f"_… and {plural(len(finding.differences) - 12, 'more difference')}._"]
        lines.append("")
    if finding.between_replicas:
        lines += ["Two instances of one side alone fail the same way: replicas that do not share state.", ""]
    if finding.advice:
        lines += [f"**What to do:** {_escaped(one_line(finding.advice, limit))}", ""]
    if finding.replay:
        lines += ["```sh", printable(one_line(finding.replay)).replace("```", "'''"), "```", ""]
    return "\n".join([*lines, "</details>", ""])


def _witness_table(report: Report, finding: Finding) -> list[str]:
    assert finding.witness is not None
    calls = finding.witness.calls
    marks = {"fail": "✗", "blocked": "·", "pass": "✓"}
    lines = ["| step | served by | at stage | answer | |", "|---|---|---|---|---|"]
    for call, back in list(zip(calls, rolled_back(calls, report.ramp), strict=True))[:24]:
        answer = (
            "not made" if call.outcome == "blocked" else str(call.status) if call.status is not None else "no answer"
        )
        name, said = place(call.stage)
        stage = f"rollback from {_code(name)}" if said else f"{_code(name)}{' after rollback' if back else ''}"
        side = f"{_escaped(call.side)} {_escaped(call.version)}".strip()
        mark = " ".join(part for part in (marks.get(call.outcome, ""), _escaped(one_line(call.note, 200))) if part)
        lines.append(
            f"| {_code(call.step)} {_code(one_line(call.operation, 80))} | {side} | {stage} | {answer} | {mark} |"
        )
    if len(calls) > 24:
        lines.append(f"| … | | | | {plural(len(calls) - 24, 'more call')} |")
    replays = f"{finding.witness.replays} of {plural(finding.witness.attempts, 'clean replay')} failed the same way."
    return [*lines, "", replays, ""]


def _race_tables(finding: Finding, race: RaceShown, brief: bool) -> list[str]:
    """The lanes as a table, a row per turn, then what the race left beside the serial outcomes."""
    meaning = kind_meaning(race)
    found = found_text(race)
    said = f"**{_escaped(kind_name(race))}**{': ' + _escaped(meaning) if meaning else ''}."
    said += f" {_escaped(found[:1].upper() + found[1:])}."
    lines = [said, ""]
    if race.pure:
        lines += [f"On one side alone: {_escaped(one_line(controls_text(race), 400))}.", ""]
    if race.setup and not brief:
        lines += ["Before: " + ", then ".join(_code(one_line(call, 160)) for call in race.setup[:4]), ""]
    if race.turns and not brief:
        lines += _lane_table(finding, race)
    lines += _outcome_table(finding, race)
    for each in finding.differences[:6]:
        seen = f" is {_code(one_line(each.seen, 80))}" if each.seen is not None else ""
        lines.append(f"- {_code(one_line(place_text(each.path), 160))}{seen}: {_escaped(one_line(each.reason, 240))}")
    return [*lines, ""] if finding.differences else lines


def _lane_table(finding: Finding, race: RaceShown) -> list[str]:
    titles = [f"{_escaped(one_line(lane.title, 80))}<br>{_code(one_line(lane.request, 120))}" for lane in race.lanes]
    lines = [f"| # | {' | '.join(titles)} |", "|--:|" + "---|" * len(titles)]
    rows = []
    for moment in moments(race):
        turn = moment.turn
        if moment.what == "folded":
            number, said = "…", f"_{plural(moment.count, 'more statement')}_"
        elif moment.what == "granted":
            number, said = "", f"▶ {granted_text(turn)}{_turn_result(turn)}"
        else:
            store = f"{_escaped(one_line(turn.store, 20))} " if stores_matter(race) else ""
            number, said = str(turn.number), store + _code(statement_text(turn.text, 160))
            said += f"<br>⏸ {_escaped(wait_text(race, turn))}" if waits(turn) else ""
            said += _turn_result(turn) if ended_at_once(turn) else ""
        cells = ["⏸" if lane in moment.waiting else "" for lane in range(len(race.lanes))]
        if 0 <= turn.lane < len(cells):
            cells[turn.lane] = said
        rows.append(f"| {number} | {' | '.join(cells)} |")
    kept = _fitting(rows, 60, 6_000)
    if len(rows) > len(kept):
        kept.append(f"| … | {plural(len(rows) - len(kept), 'more row')}{' |' * len(titles)}")
    answers = [
        f"**{_escaped(one_line(plain(answer), 160)) or 'no answer'}**" for _, answer in answers_given(finding, None)
    ]
    return [*lines, *kept, f"| | {' | '.join(answers)} |", ""]


def _turn_result(turn: RaceTurn) -> str:
    if turn.error:
        return f"<br>✗ **{_escaped(one_line(turn.error, 160))}**"
    result = result_text(turn)
    return f"<br>→ {_escaped(one_line(result, 120))}" if result else ""


def _outcome_table(finding: Finding, race: RaceShown) -> list[str]:
    """What differs is bold."""
    if not race.state and not race.serial:
        return []
    names = lane_names(race)
    rows = [("**the race**", left_behind(finding), answers_given(finding, None))]
    rows += [
        (_escaped(order_text(race, each)), serial_rows(finding, each), answers_given(finding, each))
        for each in race.serial
    ]
    lines = ["| | left behind | answers |", "|---|---|---|"]
    for title, state, answers in rows:
        left = "<br>".join(_bold(row) for row in state[:8]) + ("<br>…" if len(state) > 8 else "")
        said = "<br>".join(f"{_escaped(names[lane])} {_bold(answer)}" for lane, answer in answers if plain(answer))
        lines.append(f"| {title} | {left or nothing_left(race)} | {said} |")
    return [*lines, ""]


def _bold(pieces: Marked) -> str:
    return "".join(f"**{_plain(text)}**" if sign else _plain(text) for text, sign in pieces)


def _tail(report: Report) -> str:
    exercised = report.exercised
    lines = ["<details>", "<summary>The ramp and what was exercised</summary>", "", _ramp_table(report.ramp), ""]
    lines += ["| scenario | routings | merged | calls | regime |", "|---|--:|--:|--:|---|"]
    rows = _fitting([_scenario_row(each) for each in exercised.scenarios], 40, 5_000)
    lines += rows
    if len(exercised.scenarios) > len(rows):
        lines.append(f"| … {plural(len(exercised.scenarios) - len(rows), 'more scenario')} | | | | |")
    lines.append("")
    lines += _races_exercised(report)
    lines += _list("For information", [f"{each.message} ({each.rule})" for each in informing(report)])
    lines += _list("Unstable (not confirmed by clean replays)", [each.message for each in report.unstable])
    lines += _list(described.TITLE, described.described_lines(report))
    lines += _list(described.UNDECLARED, described.undeclared_lines(report))
    undeclared = [each for each in report.changed if not each.declared]
    lines += _list(
        "Changed between the versions and not declared",
        [
            f"{each.operation} {each.path}: {value_text(each.stable, 60)} → {value_text(each.canary, 60)}"
            for each in undeclared
        ],
    )
    lines += _list(
        "Not compared", [f"{each.scenario} / {each.step} {each.path}: {each.reason}" for each in report.not_compared]
    )
    lines += _list("Not explored", list(report.not_explored))
    guarantee = f"Guarantee: {_escaped(one_line(exercised.guarantee, 600))}" if exercised.guarantee else ""
    run = f"{plural(exercised.calls, 'call')} in {seconds_text(report.seconds)} · {_escaped(report.tool)}"
    return "\n".join([*lines, "</details>", "", *([guarantee, ""] if guarantee else []), f"<sub>{run}</sub>", ""])


def _races_exercised(report: Report) -> list[str]:
    races = report.exercised.races
    if not races:
        return []
    head = ["| race | stage | schedules | trials | what was covered |", "|---|---|--:|--:|---|"]
    rows = _fitting([_race_row(each) for each in races], 60, 8_000)
    rest = [f"| … {plural(len(races) - len(rows), 'more pair')} | | | | |"] if len(races) > len(rows) else []
    return [f"Races: {_escaped(races_line(report.exercised))}.", "", *head, *rows, *rest, ""]


def _race_row(each: RaceExercised) -> str:
    name, stage = _escaped(one_line(each.name, 120)), _code(one_line(each.stage, 60))
    covered = _escaped(one_line(each.guarantee, 200)) or (bound_text(each.bound) if each.bound >= 0 else "")
    return f"| {name} | {stage} | {each.schedules:,} | {each.trials:,} | {covered} |"


def _scenario_row(each: ScenarioExercised) -> str:
    routings = f"{each.explored} of {each.possible}"
    name, regime = _escaped(one_line(each.scenario, 120)), _escaped(one_line(each.regime, 60))
    return f"| {name} | {routings} | {each.merged} | {each.calls} | {regime} |"


def _ramp_table(ramp: tuple[RampStage, ...]) -> str:
    head = ["| stage | weight | phase | migration | rollback |", "|---|--:|---|---|---|"]
    rows = _fitting([_stage_row(stage) for stage in ramp], 60, 6_000)
    rest = [f"| … {plural(len(ramp) - len(rows), 'more stage')} | | | | |"] if len(ramp) > len(rows) else []
    return "\n".join([*head, *rows, *rest])


def _stage_row(stage: RampStage) -> str:
    safe = {True: "safe", False: "**not safe**", None: "allowed"}[stage.rollback_safe] if stage.rollback else "no"
    migration = _code(one_line(stage.migration, 80)) if stage.migration else ""
    name, phase = _code(one_line(stage.name, 60)), _escaped(one_line(stage.phase, 40))
    return f"| {name} | {weight_text(stage.weight)} | {phase} | {migration} | {safe} |"


def _list(title: str, items: list[str], limit: int = 12) -> list[str]:
    if not items:
        return []
    kept = _fitting([f"- {_escaped(one_line(item, 240))}" for item in items], limit, 2_500)
    rest = [f"- … and {len(items) - len(kept)} more"] if len(items) > len(kept) else []
    return [f"**{title}**", "", *kept, *rest, ""]


def _versions(report: Report) -> str:
    moving = [each for each in report.services if each.stable != each.canary] or list(report.services)
    return ", ".join(f"{_escaped(each.name)} {_escaped(each.stable)} → {_escaped(each.canary)}" for each in moving[:8])


def _fitting(lines: list[str], count: int, room: int) -> list[str]:
    """The first lines, at most `count`, that fit into `room` bytes."""
    kept: list[str] = []
    for line in lines[:count]:
        room -= _size(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _html(text: str) -> str:
    escaped = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"@(?=\w)", "@\u200b", escaped)


def _escaped(text: str) -> str:
    """Text for a table cell or paragraph: `code` stays code, everything else that Markdown, HTML or a mention would
    read as more than text is disarmed."""
    pieces = re.split(r"`([^`]+)`", one_line(text))
    return "".join(_code(piece) if index % 2 else _plain(piece) for index, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return re.sub(r"([\\`*_\[\]|~#!])", r"\\\1", _html(text))


def _code(text: str) -> str:
    """A code span that survives inside a table cell."""
    inside = one_line(text).replace("|", "\\|")
    if not inside:
        return ""
    if "`" not in inside:
        return f"`{inside}`"
    return f"`` {inside.replace('``', chr(39) * 2)} ``"
