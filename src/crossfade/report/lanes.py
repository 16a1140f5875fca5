"""A race as text: two lanes beside each other, statement by statement, and what was left beside the serial outcomes.
Below 80 columns the lanes share one column, each line with the lane's name before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crossfade.model.report import Finding, RaceShown, RaceTurn
from crossfade.report.ink import Ink, Piece, display_width, fitted, padded
from crossfade.report.race_marks import Marked, answers_given, left_behind, nothing_left, plain, serial_rows
from crossfade.report.race_words import (
    Moment,
    controls_text,
    ended_at_once,
    found_text,
    granted_text,
    kind_meaning,
    kind_name,
    lane_names,
    moments,
    order_text,
    place_text,
    result_text,
    statement_text,
    stores_matter,
    wait_text,
    waits,
)
from crossfade.report.wording import one_line, plural

_BESIDE = 80  # columns from which the lanes stand beside each other
_INDENT = "   "
_GUTTER = 3  # columns for the number of a turn or the sign of a wait, before each cell
_ANSWER = 240  # characters of an answer
_ROWS = 12  # rows of a state
Cell = tuple[str, str]  # a line of a cell and its style


def race_lines(finding: Finding, ink: Ink) -> list[str]:
    """All there is to tell of a race between the finding's sentence and its chance."""
    race = finding.race
    assert race is not None
    meaning = kind_meaning(race)
    said = f"{kind_name(race)}: {meaning}" if meaning else kind_name(race)
    lines = [*ink.wrapped(said, _INDENT), *ink.wrapped(found_text(race), _INDENT, _INDENT + "  ")]
    lines += ["", *_setup_lines(race, ink), *lane_lines(finding, ink)]
    outcomes = outcome_lines(finding, ink)
    lines += ["", *outcomes] if outcomes else []
    lines += _lost_lines(finding, ink)
    if race.pure:
        lines += ["", *_labelled("controls", controls_text(race), ink)]
    return lines


def lane_lines(finding: Finding, ink: Ink) -> list[str]:
    """The lanes from the requests to the answers. `|`: waits for a lock, `>`: has got it."""
    race = finding.race
    assert race is not None
    answers = [plain(answer) or "no answer" for _, answer in answers_given(finding, None)]
    if len(race.lanes) == 2 and ink.width >= _BESIDE:
        return _beside(race, answers, ink)
    return _below(race, answers, ink)


def outcome_lines(finding: Finding, ink: Ink) -> list[str]:
    """What the race left beside what one after the other leaves; the values that differ have `^` under them."""
    race = finding.race
    assert race is not None
    if not race.state and not race.serial:
        return []
    parts: list[tuple[str, Sequence[Marked], list[tuple[int, Marked]], str]] = [
        ("the race", left_behind(finding), [], "fail")  # its answers stand at the end of the lanes
    ]
    parts += [
        (order_text(race, outcome), serial_rows(finding, outcome), answers_given(finding, outcome), "pass")
        for outcome in race.serial
    ]
    width = min(max(display_width(title) for title, *_ in parts), 30)
    above = ink.width < _BESIDE  # the title has a line of its own
    margin = f"{_INDENT}    " if above else f"{_INDENT}  {'':<{width}}  "
    names = lane_names(race)
    lines = [f"{_INDENT}{ink.paint('left behind', 'dim')}"]
    for title, rows, answers, style in parts:
        block: list[str] = []
        if not rows:
            block = [f"{margin}{ink.paint(nothing_left(race), 'dim')}"]
        block += [line for row in rows[:_ROWS] for line in _marked_lines(row, "", margin, style, ink)]
        block += (
            [f"{margin}{ink.glyph('more')} and {plural(len(rows) - _ROWS, 'more row')}"] if len(rows) > _ROWS else []
        )
        for lane, answer in answers:
            if plain(answer):
                block += _marked_lines(answer, f"{one_line(names[lane], 16)} answered ", margin, style, ink)
        head = ink.paint(padded(title, width, ink.glyph("more")), "bold")
        if above:
            lines += [*ink.wrapped(one_line(title, 80), f"{_INDENT}  ", None, "bold"), *block]
            continue
        lines += [f"{_INDENT}  {head}  {block[0].removeprefix(margin)}", *block[1:]]
    return lines


# --- two lanes beside each other ---------------------------------------------------------------------------------------


def _beside(race: RaceShown, answers: Sequence[str], ink: Ink) -> list[str]:
    size = (ink.width - len(_INDENT) - 3) // 2
    room = size - _GUTTER
    wall = ink.glyph("wall")
    styles = [lane.side for lane in race.lanes]
    lines: list[str] = []

    def row(left: Sequence[Cell], right: Sequence[Cell]) -> None:
        for index in range(max(len(left), len(right))):
            one, other = (cells[index] if index < len(cells) else ("", "") for cells in (left, right))
            text = ink.paint(one[0], *one[1].split()) + " " * (size - display_width(one[0]))
            text += f" {ink.paint(wall, 'dim')} {ink.paint(other[0], *other[1].split())}"
            lines.append(f"{_INDENT}{text}".rstrip())

    def rule() -> None:
        cross = ink.glyph("line") * (size + 1) + ink.glyph("crossing") + ink.glyph("line") * (size + 1)
        lines.append(_INDENT + ink.paint(cross, "dim"))

    row(*([*_cells(one_line(lane.title), "", size, f"bold {side}", 2), *_cells(one_line(lane.request), "", size, "", 3)]
          for lane, side in zip(race.lanes, styles, strict=True)))  # fmt: skip
    rule()
    for moment in moments(race):
        cells = _moment_cells(moment, race, room, styles, ink)
        mine = moment.turn.lane
        other: list[Cell] = []
        if 1 - mine in moment.waiting:
            other = [(ink.glyph("held").rjust(2), "warn")] * len(cells)
        row(*((cells, other) if mine == 0 else (other, cells)))
    if race.turns:
        rule()
    else:
        row([("   (both sent at the same instant)", "dim")], [])
        rule()
    row(*(_cells(answer, "", size, "bold", 6) for answer in answers))
    return lines


def _moment_cells(moment: Moment, race: RaceShown, room: int, styles: Sequence[str], ink: Ink) -> list[Cell]:
    turn = moment.turn
    if moment.what == "folded":
        return [(f"{' ' * _GUTTER}{ink.glyph('more')} {plural(moment.count, 'more statement')}", "dim")]
    if moment.what == "granted":
        cells = [(f"{ink.glyph('go').rjust(2)} {granted_text(turn)}", "warn")]
        return [*cells, *_result_cells(turn, room, ink)]
    store = f"{one_line(turn.store, 20)}: " if stores_matter(race) and turn.store else ""
    shown = statement_text(store + one_line(turn.text), max(room * 4, 60))
    cells = _cells(shown, f"{turn.number:>2} ", room + _GUTTER, _side(styles, turn), 8)
    if waits(turn):
        cells += _cells(wait_text(race, turn), f"{ink.glyph('held').rjust(2)} ", room + _GUTTER, "warn", 3)
    return [*cells, *_result_cells(turn, room, ink)] if ended_at_once(turn) else cells


def _side(styles: Sequence[str], turn: RaceTurn) -> str:
    return styles[turn.lane] if 0 <= turn.lane < len(styles) else ""


def _result_cells(turn: RaceTurn, room: int, ink: Ink) -> list[Cell]:
    margin = " " * _GUTTER
    if turn.error:
        return _cells(one_line(turn.error), f"{margin}{ink.glyph('cross')} ", room + _GUTTER, "fail", 4)
    result = result_text(turn)
    return _cells(result, f"{margin}{ink.glyph('right')} ", room + _GUTTER, "dim", 3) if result else []


def _cells(text: str, prefix: str, width: int, style: str, most: int) -> list[Cell]:
    """`text` over at most `most` lines of `width` columns, the first behind `prefix`, the others below its text."""
    lines = _flow(text, max(width - display_width(prefix), 8))
    if len(lines) > most:
        lines = [
            *lines[: most - 1],
            padded(" ".join(lines[most - 1 :]), max(width - display_width(prefix), 8)).rstrip(),
        ]
    return [((prefix if index == 0 else " " * display_width(prefix)) + line, style) for index, line in enumerate(lines)]


def _flow(text: str, room: int) -> list[str]:
    return [text[start:end] for start, end in _spans(text, room)] or [""]


# --- one column --------------------------------------------------------------------------------------------------------


def _below(race: RaceShown, answers: Sequence[str], ink: Ink) -> list[str]:
    names = [padded(name, min(max(map(len, lane_names(race))), 12), ink.glyph("more")) for name in lane_names(race)]
    margin = len(_INDENT) + (len(names[0]) if names else 0) + 2
    styles = [lane.side for lane in race.lanes]
    lines: list[str] = []

    def put(lane: int, cells: Sequence[Cell]) -> None:
        name = ink.paint(names[lane], styles[lane], "bold")
        for index, (text, style) in enumerate(cells):
            before = f"{_INDENT}{name}  " if index == 0 else " " * margin
            lines.append((before + ink.paint(text, *style.split())).rstrip())

    room = ink.width - margin
    for lane, each in enumerate(race.lanes):
        put(
            lane, [*_cells(one_line(each.title), "", room, "bold", 2), *_cells(one_line(each.request), "", room, "", 3)]
        )
    lines.append("")
    for moment in moments(race):
        lane = moment.turn.lane
        put(lane, _moment_cells(moment, race, room - _GUTTER, styles, ink))
    lines += [""] if race.turns else []
    for lane, answer in enumerate(answers):
        put(lane, _cells(answer, f"{ink.glyph('right')} ", room, "bold", 5))
    return lines


# --- around the lanes --------------------------------------------------------------------------------------------------


def _setup_lines(race: RaceShown, ink: Ink) -> list[str]:
    if not race.setup:
        return []
    lines = [f"{_INDENT}{ink.paint('before', 'dim')}"]
    for call in race.setup[:6]:
        lines += [f"{_INDENT}  {text}" for text, _ in _cells(one_line(call, 240), "", ink.width - 5, "", 2)]
    if len(race.setup) > 6:
        lines.append(f"{_INDENT}  {ink.glyph('more')} and {plural(len(race.setup) - 6, 'more call')}")
    return [*lines, ""]


def _lost_lines(finding: Finding, ink: Ink) -> list[str]:
    lines: list[str] = []
    label = "lost" if finding.race is not None and finding.race.kind == "lost" else "differs"
    for each in finding.differences[:6]:
        seen = f" = {one_line(each.seen, 80)}" if each.seen is not None else ""
        why = f" ({one_line(each.reason, 240)})" if each.reason else ""
        lines += _labelled(label, f"{one_line(place_text(each.path), 160)}{seen}{why}", ink)
    if len(finding.differences) > 6:
        lines.append(f"{_INDENT}{ink.glyph('more')} and {plural(len(finding.differences) - 6, 'more value')}")
    return ["", *lines] if lines else []


def _labelled(label: str, text: str, ink: Ink) -> list[str]:
    pieces = [Piece(f"{label:<8}", ("dim",)), *(Piece(word) for word in text.split())]
    return ink.flowed(pieces, _INDENT, " " * 12)


def _marked_lines(pieces: Marked, before: str, margin: str, style: str, ink: Ink) -> list[str]:
    """A row over as many lines as it needs, with `^` below what is marked: readable without colour."""
    room = max(ink.width - display_width(margin) - display_width(before), 12)
    text = plain(pieces)[:_ANSWER]
    signs = [sign for piece, sign in pieces for _ in piece][: len(text)]
    lines: list[str] = []
    lead = before
    for start, end in _spans(text, room):
        shown = "".join(
            ink.paint(text[a:b], style) if sign else text[a:b] for a, b, sign in _segments(signs, start, end)
        )
        lines.append(f"{margin}{ink.paint(lead, 'dim')}{shown}".rstrip())
        if any(signs[start:end]):
            carets = "".join(
                ("^" if sign else " ") * display_width(letter)
                for letter, sign in zip(text[start:end], signs[start:end], strict=True)
            )
            lines.append(f"{margin}{' ' * len(lead)}{ink.paint(carets.rstrip(), style)}")
        lead = " " * len(before)
    return lines or [f"{margin}{ink.paint(before.rstrip(), 'dim')}"]


def _spans(text: str, room: int) -> list[tuple[int, int]]:
    """Where the lines of a text begin and end: broken at spaces and after commas, a longer word is cut."""
    spans: list[tuple[int, int]] = []
    start, end = 0, 0
    for word in re.finditer(r"[^\s,]+,?\s*|,\s*", text):
        first, last = word.start(), word.start() + len(word[0].rstrip())
        if display_width(text[start:last]) > room and end > start:
            spans.append((start, end))
            start = first
        while display_width(text[start:last]) > room:
            cut = start + len(fitted(text[start:last], room))
            spans.append((start, cut))
            start = cut
        end = last
    return [*spans, (start, end)] if end > start else spans


def _segments(signs: Sequence[bool], start: int, end: int) -> list[tuple[int, int, bool]]:
    result: list[tuple[int, int, bool]] = []
    for index in range(start, end):
        if result and result[-1][2] == signs[index]:
            result[-1] = (result[-1][0], index + 1, signs[index])
        else:
            result.append((index, index + 1, signs[index]))
    return result
