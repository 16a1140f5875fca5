"""A race on the page: the schedule as one thread that runs down between two lanes, the answers at their ends, and what it
left beside what one after the other leaves. Drawn by the style sheet alone; on a phone both lanes move to the left edge."""

from __future__ import annotations

from collections.abc import Sequence

from crossfade.model.report import Exercised, Finding, RaceShown, RaceTurn
from crossfade.report.html_text import escaped, escaped_line, folded, prose, side_class, table
from crossfade.report.ink import Ink
from crossfade.report.lanes import lane_lines
from crossfade.report.race_marks import Marked, answers_given, left_behind, nothing_left, plain, serial_rows
from crossfade.report.race_words import (
    Moment,
    controls,
    ended_at_once,
    found_text,
    granted_text,
    kind_meaning,
    kind_name,
    lane_names,
    moments,
    order_text,
    place_text,
    races_line,
    result_text,
    statement_text,
    stays_waiting,
    stores_matter,
    wait_text,
    waits,
)
from crossfade.report.wording import one_line, plural, seconds_text

_ROWS = 24  # rows of a state
_PAIRS = 200  # rows of the table of pairs
_WIDE = Ink(color=False, ascii_only=False, width=100)


def race_story(finding: Finding) -> str:
    """Everything about a race that stands between the finding's sentence and its chance."""
    race = finding.race
    if race is None:
        return ""
    meaning = kind_meaning(race)
    kind = f'<span class="chip fail">{escaped_line(kind_name(race))}</span>'
    what = f" {escaped_line(meaning[:1].upper() + meaning[1:])}." if meaning else ""
    found = found_text(race)
    parts = [f"<p>{kind}{what}</p>", f'<p class="found">{prose(found[:1].upper() + found[1:])}.</p>', _setup(race)]
    parts += [
        f"<h4>{_title(race)}</h4>",
        lanes_figure(finding),
        _outcomes(finding, race),
        _lost(finding),
        _controls(race),
    ]
    return "".join(parts)


def _title(race: RaceShown) -> str:
    if not race.turns:
        return "Both at once"
    return "The schedule, turn by turn <small>the thread shows who runs; dotted: waits for a lock</small>"


def lanes_figure(finding: Finding) -> str:
    """The lanes from the requests to the answers."""
    race = finding.race
    assert race is not None
    if len(race.lanes) != 2:
        text = escaped("\n".join(lane_lines(finding, _WIDE)))
        return f'<pre class="scroll" tabindex="0" aria-label="schedule">{text}</pre>'
    sides = [side_class(lane.side) or "mover" for lane in race.lanes]
    rows = [_ends(finding, race, sides, "starts")]
    before = -1
    shown = moments(race)
    for number, moment in enumerate(shown):
        rows.append(_row(moment, race, sides, before, number == len(shown) - 1))
        before = moment.turn.lane if moment.turn.lane in (0, 1) else before
    if not shown:
        both = "on-top on-bottom"
        rows.append(
            f'<li class="moment both">{_track(0, sides, both)}{_track(1, sides, both)}'
            '<div class="said s0">both sent at the same instant</div></li>'
        )
    rows.append(_ends(finding, race, sides, "ends"))
    return f'<ol class="lanes" aria-label="{escaped_line(_described(race), 300)}">{"".join(rows)}</ol>'


def _described(race: RaceShown) -> str:
    titles = " and ".join(lane.title for lane in race.lanes)
    return f"{titles}: {plural(len(race.turns), 'turn')} in the order granted"


def _ends(finding: Finding, race: RaceShown, sides: Sequence[str], which: str) -> str:
    """The first row, with the requests, or the last, with the answers."""
    cells = []
    for lane, each in enumerate(race.lanes):
        if which == "starts":
            request = f'<code class="sql">{_broken(one_line(each.request, 400))}</code>' if each.request else ""
            inside = f"<b>{escaped_line(each.title, 120)}</b>{request}"
        else:
            answer = _pieces(answers_given(finding, None)[lane][1], "wrong") or "no answer"
            inside = f'{_who(race, lane)}<small>answer</small> <code class="sql">{answer}</code>'
        cells.append(f'<div class="said s{lane} {sides[lane]}">{inside}</div>')
    mark = f'<b class="stop {"cap" if which == "starts" else "foot"}"></b>'
    thread = "" if race.turns else "on-bottom" if which == "starts" else "on-top"
    tracks = "".join(_track(lane, sides, thread, mark) for lane in (0, 1))
    return f'<li class="moment {which}">{tracks}{"".join(cells)}</li>'


def _row(moment: Moment, race: RaceShown, sides: Sequence[str], before: int, last: bool) -> str:
    """One row: the thread comes in on the lane that ran before, crosses over where the lane changes, and goes on."""
    turn = moment.turn
    lane = turn.lane if turn.lane in (0, 1) else 0
    stays_held = moment.what == "turn" and stays_waiting(turn)
    tracks = []
    for each in (0, 1):
        held = each in moment.waiting
        was_held = held or (each == lane and moment.what == "granted")
        top = "held-top" if was_held else "on-top" if each == before else ""
        will_be_held = held or (each == lane and stays_held)
        bottom = "held-bottom" if will_be_held else "on-bottom" if each == lane and not last else ""
        tracks.append(_track(each, sides, f"{top} {bottom}", _stop(moment) if each == lane else ""))
    cross = ""
    if before >= 0 and before != lane:
        freed = " freed" if moment.what == "granted" else ""
        cross = f'<span class="cross {sides[before]}-{sides[lane]} to{lane}{freed}"></span>'
    failed = bool(turn.error) and (moment.what == "granted" or ended_at_once(turn))
    said = f'<div class="said s{lane} {sides[lane]}{" error" if failed else ""}">'
    return f'<li class="moment {moment.what}">{"".join(tracks)}{cross}{said}{_said(moment, race)}</div></li>'


def _stop(moment: Moment) -> str:
    """What sits on the rail: the turn's number, red where it failed, or a sign."""
    if moment.what == "folded":
        return '<b class="stop more">…</b>'
    if moment.what == "granted":
        failed = bool(moment.turn.error)
        return f'<b class="stop {"failed" if failed else "goes"}">{"✗" if failed else "›"}</b>'
    failed = bool(moment.turn.error) and ended_at_once(moment.turn)
    return f'<b class="stop{" failed" if failed else ""}">{moment.turn.number}</b>'


def _track(lane: int, sides: Sequence[str], classes: str, stop: str = "") -> str:
    """A stretch of a lane's rail."""
    words = " ".join(f"track t{lane} {sides[lane]} {classes}".split())
    return f'<span class="{words}">{stop}</span>'


def _said(moment: Moment, race: RaceShown) -> str:
    turn, who = moment.turn, _who(race, moment.turn.lane)
    if moment.what == "folded":
        items = "".join(f"<li>{_statement(each, race)}{_result(each)}</li>" for each in moment.hidden[:200])
        return who + folded(plural(moment.count, "more statement"), f'<ol class="plain">{items}</ol>', class_="sqlmore")
    if moment.what == "granted":
        return f'{who}<span class="lock go">{escaped_line(granted_text(turn))}</span>{_result(turn)}'
    wait = f'<span class="lock">{escaped_line(wait_text(race, turn))}</span>' if waits(turn) else ""
    return f"{who}{_statement(turn, race)}{wait}{_result(turn) if ended_at_once(turn) else ''}"


def _who(race: RaceShown, lane: int) -> str:
    """The lane's name, for phones and for those who listen: elsewhere the column says it."""
    names = lane_names(race)
    return f'<span class="who">{escaped_line(names[lane] if 0 <= lane < len(names) else "", 40)} </span>'


def _statement(turn: RaceTurn, race: RaceShown) -> str:
    """Shortened, and unfolding to the whole where something was left out."""
    store = f'<span class="store">{escaped_line(turn.store, 30)}</span> ' if stores_matter(race) else ""
    short, whole = statement_text(turn.text), one_line(turn.text)
    code = f'<code class="sql">{_broken(short)}</code>'
    if short == whole:
        return f"{store}{code}"
    return f'{store}<details class="whole"><summary>{code}</summary><pre>{escaped(turn.text.strip()[:4000])}</pre></details>'


def _result(turn: RaceTurn) -> str:
    if turn.error:
        return f'<span class="result failtext">✗ {escaped_line(turn.error, 300)}</span>'
    result = result_text(turn)
    return f'<span class="result">→ {_broken(one_line(result, 300))}</span>' if result else ""


def _setup(race: RaceShown) -> str:
    if not race.setup:
        return ""
    items = "".join(f'<li><code class="sql">{_broken(one_line(call, 400))}</code></li>' for call in race.setup[:20])
    return f'<h4>Before</h4><ol class="setup">{items}</ol>'


def _outcomes(finding: Finding, race: RaceShown) -> str:
    """A card for what the race left, and one for each serial order."""
    if not race.state and not race.serial:
        return ""
    cards = [_card("the race", "seen", left_behind(finding), answers_given(finding, None), race, "wrong")]
    cards += [
        _card(order_text(race, each), "serial", serial_rows(finding, each), answers_given(finding, each), race, "right")
        for each in race.serial[:6]
    ]
    title = "What was left, beside one after the other" if race.serial else "What was left"
    return f'<h4>{title}</h4><div class="panes outcomes">{"".join(cards)}</div>'


def _card(
    title: str, kind: str, rows: Sequence[Marked], answers: Sequence[tuple[int, Marked]], race: RaceShown, word: str
) -> str:
    names = lane_names(race)
    state = "".join(f'<li><code class="sql">{_pieces(row, word)}</code></li>' for row in rows[:_ROWS])
    state += f"<li>and {plural(len(rows) - _ROWS, 'more row')}</li>" if len(rows) > _ROWS else ""
    said = "".join(
        f'<dt class="{side_class(race.lanes[lane].side)}text">{escaped_line(names[lane])}</dt>'
        f'<dd><code class="sql">{_pieces(answer, word)}</code></dd>'
        for lane, answer in answers
        if plain(answer)
    )
    left = f'<ul class="rows">{state}</ul>' if state else f'<p class="reason">{nothing_left(race)}</p>'
    replies = f'<dl class="replies">{said}</dl>' if said else ""
    return f'<section class="pane {kind}"><h5>{escaped_line(title, 120)}</h5>{left}{replies}</section>'


def _pieces(pieces: Marked, word: str) -> str:
    return "".join(f'<mark class="{word}">{_broken(text)}</mark>' if sign else _broken(text) for text, sign in pieces)


def _broken(text: str) -> str:
    """Escaped, and to be broken after commas rather than anywhere."""
    return escaped(text).replace(",", ",<wbr>")


def _lost(finding: Finding) -> str:
    rows = []
    for each in finding.differences[:12]:
        seen = (
            f' is <mark class="wrong"><code>{escaped_line(each.seen, 200)}</code></mark>'
            if each.seen is not None
            else ""
        )
        why = f" · {prose(each.reason)}" if each.reason else ""
        rows.append(f"<li><code>{escaped_line(place_text(each.path), 200)}</code>{seen}{why}</li>")
    more = len(finding.differences) - len(rows)
    rows += [f"<li>and {plural(more, 'more value')}, see report.json</li>"] if more > 0 else []
    return f'<ul class="plain lost">{"".join(rows)}</ul>' if rows else ""


def _controls(race: RaceShown) -> str:
    items = "".join(f"<li><b>{escaped_line(pair)}</b>: {prose(text)}</li>" for pair, text in controls(race))
    return f'<h4>The same pair on one side alone</h4><ul class="plain">{items}</ul>' if items else ""


def races_table(exercised: Exercised) -> str:
    """What was tried of each pair, and what that covers."""
    if not exercised.races:
        return ""
    rows = [
        (
            f"{escaped_line(each.name, 160)}{' <small>named in the contract</small>' if each.declared else ''}",
            escaped_line(each.stage, 60),
            f"{each.schedules:,}",
            f"{each.trials:,}",
            seconds_text(each.seconds).replace(" ", "\u00a0"),
            f'{prose(each.guarantee)}<span class="reason">{escaped_line(_assigned(each.assignments), 200)}</span>',
        )
        for each in exercised.races[:_PAIRS]
    ]
    head = ("pair", "stage", "schedules", "stampedes", "time", "what was covered")
    line = f'<p class="reason">{escaped_line(races_line(exercised), 400)}</p>'
    return folded(
        f"Races <small>{plural(len(exercised.races), 'pair')}</small>", line + table(head, rows, "pairs"), True
    )


def _assigned(assignments: Sequence[str]) -> str:
    return ", ".join(" with ".join(one_line(each).split()) for each in assignments)
