"""The words of a race that every reporter shares: how it was found, its turns in the order they are told, who waited,
statements cut to a readable length, what was tried."""

from __future__ import annotations

import re
from itertools import groupby

import msgspec

from crossfade.model.report import Exercised, Finding, RaceExercised, RaceShown, RaceTurn, SerialOutcome
from crossfade.report.wording import joined, one_line, plural, scenarios_of

STATEMENT = 200  # characters of a statement that is shown shortened
_COLUMNS = 32  # characters of a select list that is shown as it is
_RUN, _EDGE = 9, 3  # so many turns of one lane in a row are folded, and what is kept at either end
PLACE = r"\S+ (?:public\.)?(\S+) (\S+=.*?) \.(\S+)\Z"  # db public.accounts id=7 .balance
_KINDS = {
    "lost": "lost update",
    "deadlock": "deadlock",
    "refused": "refused",
    "stuck": "stuck",
}
_MEANT = {
    "lost": "no order of the two explains what was answered and left behind",
    "deadlock": "the two wait for each other; one after the other both go through",
    "refused": "one is refused; one after the other neither is",
    "stuck": "one of the two never ended",
}


class Moment(msgspec.Struct, frozen=True):
    """A row of the drawing. what: turn (sent, and answered unless it waits), granted (a turn sent earlier has got its
    lock and is answered), folded (`count` turns of one lane are left out, `turn` is the first). `waiting` are the lanes
    that wait for a lock during this row."""

    what: str
    turn: RaceTurn
    waiting: tuple[int, ...] = ()
    count: int = 1
    hidden: tuple[RaceTurn, ...] = ()


def moments(race: RaceShown) -> list[Moment]:
    """The turns in the order granted, each followed by the turns that got a lock through it. Long stretches of one lane
    without a wait are folded."""
    result: list[Moment] = []
    waiting: list[RaceTurn] = []
    for (_, meets), stretch in groupby(race.turns, key=lambda turn: (turn.lane, waits(turn) or _grants(race, turn))):
        turns = list(stretch)
        cut = turns[_EDGE:-_EDGE] if len(turns) >= _RUN and not meets else []
        for turn in turns:
            held = tuple(sorted({each.lane for each in waiting}))
            if turn in cut:
                if turn is cut[0]:
                    result.append(Moment("folded", turn, held, len(cut), tuple(cut)))
                continue
            result.append(Moment("turn", turn, held))
            if stays_waiting(turn):
                waiting.append(turn)
            for late in [each for each in waiting if each.granted == turn.number]:
                waiting.remove(late)
                rest = tuple(sorted({each.lane for each in waiting}))
                result.append(Moment("granted", late, rest))
    return result


def waits(turn: RaceTurn) -> bool:
    """Whether the turn waited long enough to be told: a lock that came free before anybody else's turn is none."""
    return turn.waited_for >= 0 and (not 0 < turn.granted <= turn.number or bool(turn.error))


def ended_at_once(turn: RaceTurn) -> bool:
    """Whether the turn's result belongs to its own row: it did not wait, or nobody's turn came in between."""
    return not waits(turn) or turn.granted <= turn.number


def stays_waiting(turn: RaceTurn) -> bool:
    """Whether the lane still waits when the next turn comes."""
    return waits(turn) and (turn.granted > turn.number or not (turn.error or turn.result))


def _grants(race: RaceShown, turn: RaceTurn) -> bool:
    return any(each.granted == turn.number for each in race.turns)


def lane_names(race: RaceShown) -> tuple[str, ...]:
    """Short names that tell the lanes apart: their sides, else their steps, else left and right.

    >>> from crossfade.model.report import RaceLane
    >>> lane = RaceLane("pay on stable 1", "pay", "POST /pay", "stable", "1", "POST /pay")
    >>> refund = msgspec.structs.replace(lane, step="refund")
    >>> canary = msgspec.structs.replace(lane, side="canary")
    >>> [lane_names(RaceShown("explorer", "lost", (lane, each), (), (), ())) for each in (canary, refund, lane)]
    [('stable', 'canary'), ('pay', 'refund'), ('left', 'right')]
    """
    sides = [lane.side or "migration" for lane in race.lanes]
    steps = [lane.step for lane in race.lanes]
    for names in (sides, steps):
        if len(set(names)) == len(names) and all(names):
            return tuple(one_line(name, 24) for name in names)
    if len(race.lanes) == 2:
        return ("left", "right")
    return tuple(f"lane {number}" for number in range(1, len(race.lanes) + 1))


def lane_name(race: RaceShown, lane: int) -> str:
    names = lane_names(race)
    return names[lane] if 0 <= lane < len(names) else f"lane {lane + 1}"


def kind_name(race: RaceShown) -> str:
    return _KINDS.get(race.kind, one_line(race.kind, 40))


def kind_meaning(race: RaceShown) -> str:
    return _MEANT.get(race.kind, "")


def found_text(race: RaceShown) -> str:
    """ "found at schedule 2 of 15, one preemption; fails 3 of 3 replays"."""
    if race.method == "stampede":
        times = f"failed in {race.failures:,} of {plural(race.trials, 'trial')} when both were sent at the same instant"
        why = f": {one_line(race.note, 300)}" if race.note else ""
        if race.turns:
            return times
        if race.schedules and not why:
            return f"{times}; {_none_of(race.schedules)} showed it"
        return f"{times}; no schedule could be taken over{why}"
    place = f"found at schedule {race.found_at:,} of {race.schedules:,}" if race.found_at else "found by a schedule"
    many = {0: "no preemption", 1: "one preemption", 2: "two preemptions"}
    stops = many.get(race.preemptions, plural(race.preemptions, "preemption"))
    return f"{place}, {stops}{replays_text(race)}"


def _none_of(schedules: int) -> str:
    return f"none of {plural(schedules, 'schedule')}" if schedules > 1 else "the one schedule that was possible never"


def replays_text(race: RaceShown) -> str:
    return f"; fails {race.replays:,} of {plural(race.attempts, 'replay')}" if race.attempts else ""


def controls(race: RaceShown) -> list[tuple[str, str]]:
    """What the same pair did on one side alone: ("stable with stable", "clean, 6 schedules")."""
    return [
        (
            f"{side} with {side}" if side in ("stable", "canary") else one_line(side, 80),
            one_line(text, 300).replace("clean: ", "clean, ", 1),
        )
        for side, text in race.pure.items()
    ]


def controls_text(race: RaceShown) -> str:
    """ "stable with stable: clean, 6 schedules; canary with canary: clean, 12 schedules"."""
    return "; ".join(f"{pair}: {text}" for pair, text in controls(race))


def order_text(race: RaceShown, outcome: SerialOutcome) -> str:
    """ "stable first, then canary"; "stable only" where the other one is taken not to have happened."""
    names = [lane_name(race, lane) for lane in outcome.order]
    if not names:
        return "neither"
    if len(names) == 1:
        return f"{names[0]} only"
    return f"{names[0]} first, then {joined(names[1:])}"


def wait_text(race: RaceShown, turn: RaceTurn) -> str:
    name = "itself" if turn.waited_for == turn.lane else lane_name(race, turn.waited_for)
    if turn.error and turn.granted <= turn.number:
        return f"waits for {name}, in vain"
    if turn.granted <= turn.number:
        return f"waits for {name}, and never goes on"
    return f"waits for {name}"


def granted_text(turn: RaceTurn) -> str:
    return f"{'ends' if turn.error else 'goes on'} after turn {turn.granted}"


def result_text(turn: RaceTurn) -> str:
    """What the store said; nothing where it only repeats the statement (COMMIT)."""
    if turn.error:
        return ""
    result = one_line(turn.result)
    return "" if result.casefold() == one_line(turn.text).rstrip("; ").casefold() else result


def stores_matter(race: RaceShown) -> bool:
    return len({turn.store for turn in race.turns if turn.store}) > 1


def statement_text(text: str, limit: int = STATEMENT) -> str:
    """A statement on one line and within `limit`: a long select list goes first, then the columns of an insert and what
    is returned, then what stands between its beginning and its last condition.

    >>> statement_text("SELECT id, owner, currency, balance, version FROM accounts WHERE id = 1")
    'SELECT … FROM accounts WHERE id = 1'
    >>> statement_text("SELECT balance FROM accounts\\n  WHERE id = 1")
    'SELECT balance FROM accounts WHERE id = 1'
    >>> statement_text("INSERT INTO audit (id, who, what) VALUES (7, 'ada', 'paid') RETURNING id, who, what", 60)
    "INSERT INTO audit (…) VALUES (7, 'ada', 'paid') RETURNING …"
    """
    line = one_line(text)
    selected = re.match(r"SELECT (?:DISTINCT )?", line, re.IGNORECASE)
    if selected:
        start, end = selected.end(), _outside(line, " FROM ", selected.end())
        if end - start > _COLUMNS:
            line = f"{line[:start]}…{line[end:]}"
    if len(line) > limit and (inserted := re.match(r"(INSERT INTO \S+ )\([^()]*\)", line, re.IGNORECASE)):
        line = f"{inserted[1]}(…){line[inserted.end() :]}"
    if len(line) > limit and (returned := _outside(line, " RETURNING ")) > 0:
        line = f"{line[:returned]} RETURNING …"
    if len(line) > limit and (condition := _outside(line, " WHERE ")) > 0:
        tail = one_line(line[condition:], limit // 2)
        line = f"{line[: max(limit - len(tail) - 2, 8)].rstrip()} … {tail.lstrip()}"
    return one_line(line, limit)


def _outside(line: str, word: str, start: int = 0) -> int:
    """Where the last `word` (" FROM ": the first) stands outside brackets and quotes; -1: nowhere."""
    depth, quote, found = 0, "", -1
    upper = line.upper()
    for index in range(start, len(line)):
        letter = line[index]
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == " " and depth <= 0 and upper.startswith(word, index):
            found = index
            if word == " FROM ":
                break
    return found


def place_text(path: str) -> str:
    """A place in the rows as people say it.

    >>> place_text("db public.accounts id=7 .balance"), place_text("answer of withdraw body.left")
    ('accounts id=7, balance', 'answer of withdraw body.left')
    """
    row = re.match(PLACE, one_line(path))
    return f"{row[1]} {row[2]}, {row[3]}" if row else one_line(path)


def pair_text(finding: Finding) -> str:
    """ "withdraw on stable beside withdraw on canary"."""
    race = finding.race
    if race is None:
        return ""
    return " beside ".join(
        f"{one_line(lane.step, 60)} on {one_line(lane.side, 20)}"
        if lane.side
        else f"migration {one_line(lane.step, 60)}"
        for lane in race.lanes
    )


def races_line(exercised: Exercised) -> str:
    """ "14 pairs, 212 schedules, 280 stampedes; every schedule with at most 2 preemptions of 12 pairs"."""
    races = exercised.races
    parts = [plural(len(races), "pair")]
    schedules, trials = sum(each.schedules for each in races), sum(each.trials for each in races)
    parts += [plural(schedules, "schedule")] if schedules else []
    parts += [plural(trials, "stampede")] if trials else []
    done = []
    for bound in sorted({each.bound for each in races if each.bound >= 0}, reverse=True):
        count = sum(each.bound == bound for each in races)
        done.append(f"{bound_text(bound)} of {plural(count, 'pair')}")
    return "; ".join([", ".join(parts), *([f"every schedule {joined(done)}"] if done else [])])


def bound_text(bound: int) -> str:
    if bound <= 0:
        return "without preemption"
    return f"with at most {plural(bound, 'preemption')}"


def pair_name(each: RaceExercised) -> str:
    """The pair with its stage, as a test case is named."""
    return f"{one_line(each.name)} at {one_line(each.stage)}" if each.stage else one_line(each.name)


def is_about(finding: Finding, each: RaceExercised) -> bool:
    """Whether a finding is a race of this pair: by its name and stage where they are known, else by its calls."""
    race = finding.race
    if race is None:
        return False
    if race.name:
        return race.name == each.name and race.stage in ("", each.stage)
    calls = sorted(lane.operation for lane in race.lanes if lane.side)
    return bool(calls) and calls == sorted(each.operations) and each.scenario in scenarios_of(finding)
