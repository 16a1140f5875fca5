"""What a race left beside what one after the other leaves, with the parts that differ marked, for every reporter.

Every trial works on rows of its own, so ids and times differ between any two outcomes. Marked is what the differences of
the finding name; rows are paired by their names, those with other ids by their place among the rows of their table.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby

from crossfade.model.report import Finding, RaceShown, SerialOutcome
from crossfade.report.race_words import PLACE
from crossfade.report.wording import one_line, status_and_body

Marked = tuple[tuple[str, bool], ...]  # pieces of a text, and whether each is the part that differs


def left_behind(finding: Finding) -> tuple[Marked, ...]:
    """What the race left, row by row, with what no serial order leaves there marked."""
    race, columns = _race(finding), _columns(finding)
    rows = []
    for index, row in enumerate(race.state):
        partners = [_partner(row, index, race.state, outcome.state) for outcome in race.serial]
        rows.append(_row(row, [each for each in partners if each is not None], columns))
    return tuple(rows)


def serial_rows(finding: Finding, outcome: SerialOutcome) -> tuple[Marked, ...]:
    """What one after the other leaves, with what the race has otherwise marked."""
    race, columns = _race(finding), _columns(finding)
    rows = []
    for index, row in enumerate(outcome.state):
        partner = _partner(row, index, outcome.state, race.state)
        rows.append(_row(row, [] if partner is None else [partner], columns))
    return tuple(rows)


def nothing_left(race: RaceShown) -> str:
    """What is said where no rows are told."""
    return "nothing" if any(outcome.state for outcome in race.serial) or race.state else "the same rows"


def answers_given(finding: Finding, outcome: SerialOutcome | None) -> list[tuple[int, Marked]]:
    """The answers by lane, of the race itself (None) or of a serial outcome. Marked is what only one of the two has, in
    the fields that the finding's differences name: ids and times differ between any two runs."""
    race, fields = _race(finding), _answer_fields(finding)
    given = []
    for lane, each in enumerate(race.lanes):
        if outcome is None:
            others = [one_line(serial.answers[lane]) for serial in race.serial if lane < len(serial.answers)]
            given.append((lane, _answer(one_line(each.answer), [text for text in others if text], fields)))
            continue
        text = one_line(outcome.answers[lane]) if lane < len(outcome.answers) else ""
        if lane in outcome.order and text:
            given.append((lane, _answer(text, [one_line(each.answer)], fields)))
    return given


def _race(finding: Finding) -> RaceShown:
    assert finding.race is not None
    return finding.race


def _answer_fields(finding: Finding) -> frozenset[str] | None:
    """The last names of the places in answers that are wrong ("left" of "answer of withdraw body.left"); None where no
    difference is told at all, so that everything counts."""
    if not finding.differences:
        return None
    paths = [each.path for each in finding.differences if each.path.startswith("answer")]
    return frozenset(re.sub(r"\[\w*\]", "", path).rsplit(".", 1)[-1].rsplit(" ", 1)[-1] for path in paths)


def _answer(text: str, others: Sequence[str], fields: frozenset[str] | None) -> Marked:
    """An answer with its status and its body compared apart. In a body that is JSON a value counts if the name before
    it is one of `fields`, any other body is one field."""
    status, body = status_and_body(text)
    if not status:
        return marked(text, others) if fields is None or fields else ((text, False),)
    parts = [status_and_body(other) for other in others]
    differs = bool(parts) and all(other != status for other, _ in parts) and (fields is None or "status" in fields)
    pieces = marked(body, [other for _, other in parts if other])
    if fields is not None:
        names = fields if '":' in body else {""} if "body" in fields else set()
        pieces = _only_in(names, pieces, r'"([^"]*)"\s*:')
    if not body:
        return ((status, differs),)
    return ((status, differs), (" ", differs and bool(pieces) and pieces[0][1]), *pieces)


def _columns(finding: Finding) -> dict[str, set[str]]:
    """The columns that the finding's differences name, by table."""
    columns: dict[str, set[str]] = {}
    for each in finding.differences:
        if row := re.match(PLACE, one_line(each.path)):
            columns.setdefault(row[1], set()).add(row[3])
    return columns


def _only_in(names: Collection[str], pieces: Marked, pattern: str) -> Marked:
    """Marks taken away from values whose name, the last that `pattern` finds before their end, is not one of `names`."""
    result: list[tuple[str, bool]] = []
    before = ""
    for piece, sign in pieces:
        before += piece
        found = re.findall(pattern, before)
        result.append((piece, sign and (found[-1] if found else "") in names))
    return tuple(result)


def _row(row: str, partners: Sequence[str], columns: Mapping[str, Collection[str]]) -> Marked:
    """A row with its values compared; what stands before ": " names it (and holds ids that differ in every run). Of a
    new row only the columns count that the differences of its table name, if they name any."""
    name, colon, values = one_line(row, 400).partition(": ")
    if not colon or not partners:
        return marked(row, partners)
    others = [one_line(each, 400).partition(": ") for each in partners]
    pieces = marked(values, [other[2] or other[0] for other in others])
    named = columns.get(name.split(" ", 1)[0])
    if named:
        pieces = _only_in(named, pieces, r"(?:^|, )(\S+) ")
    if pieces and not pieces[0][1]:
        return ((name + colon + pieces[0][0], False), *pieces[1:])
    return ((name + colon, False), *pieces)


def plain(pieces: Marked) -> str:
    return "".join(text for text, _ in pieces)


def marked(text: str, others: Sequence[str], limit: int = 400) -> Marked:
    """`text` in pieces; marked is what differs from every one of `others` (nothing where there are none to compare).

    >>> marked("accounts id=1: balance 50, version 8", ["accounts id=1: balance 20, version 8"])
    (('accounts id=1: balance ', False), ('50', True), (', version 8', False))
    """
    line = one_line(text, limit)
    words = _words(line)
    same = {index for other in others for index in _matched(words, _words(one_line(other, limit)))}
    differs = [bool(others) and index not in same and not word.isspace() for index, word in enumerate(words)]
    if others and not any(differs) and line not in {one_line(other, limit) for other in others}:
        return _marked_fields(line, others)  # something is missing here: the field it is missing from
    for index in range(1, len(words) - 1):  # what stands between two marked words belongs to them
        if words[index].isspace() and differs[index - 1] and differs[index + 1]:
            differs[index] = True
    pieces = [("".join(words[index] for index in run), sign) for sign, run in _runs(differs)]
    return tuple(pieces)


def _marked_fields(line: str, others: Sequence[str]) -> Marked:
    fields = re.split(r"(, |: )", line)
    known = {field for other in others for field in re.split(r"(, |: )", one_line(other))}
    return tuple(
        ("".join(fields[index] for index in run), sign) for sign, run in _runs([f not in known for f in fields])
    )


def _words(line: str) -> list[str]:
    return re.findall(r"\s+|[\w.\-]+|[^\w\s]", line)


def _matched(words: list[str], other: list[str]) -> set[int]:
    blocks = SequenceMatcher(None, words, other, autojunk=False).get_matching_blocks()
    return {index for block in blocks for index in range(block.a, block.a + block.size)}


def _runs(signs: Sequence[bool]) -> list[tuple[bool, list[int]]]:
    return [(sign, list(run)) for sign, run in groupby(range(len(signs)), key=lambda index: signs[index])]


def _partner(row: str, index: int, mine: Sequence[str], others: Sequence[str]) -> str | None:
    """The same row elsewhere: the one of the same name (up to ": "), else the one that stands in the same place among
    the nameless rows of its table."""
    name, colon, _ = row.partition(": ")
    if not colon:
        return others[index] if len(others) == len(mine) else None
    named = {each.partition(": ")[0]: each for each in reversed(others)}
    if name in named:
        return named[name]
    table, known = _table(row), {each.partition(": ")[0] for each in mine}
    place = [each for each in mine if _table(each) == table and each.partition(": ")[0] not in named]
    there = [each for each in others if _table(each) == table and each.partition(": ")[0] not in known]
    at = place.index(row)
    return there[at] if at < len(there) else None


def _table(row: str) -> str:
    """ "orders id=7 (new): count 1" and "orders: none" are of one table."""
    return row.partition(": ")[0].split(" ", 1)[0]
