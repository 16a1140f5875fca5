"""How a race is told: the lanes as text, what was left beside the serial outcomes, the pairs that were tried."""

from __future__ import annotations

import doctest
import io
from xml.etree import ElementTree

import msgspec
import pytest
import race_samples
import samples

from crossfade.model.report import Difference, Finding, RaceShown, RaceTurn, SerialOutcome
from crossfade.report import race_marks, race_words
from crossfade.report.html import html_report
from crossfade.report.ink import Ink, display_width
from crossfade.report.junit import junit_report
from crossfade.report.lanes import lane_lines, outcome_lines, race_lines
from crossfade.report.markdown import markdown_report
from crossfade.report.replay import race_replay_text
from crossfade.report.terminal import Terminal

WIDE, NARROW = (Ink(color=False, ascii_only=False, width=width) for width in (80, 70))


def shown(finding: Finding) -> RaceShown:
    assert finding.race is not None
    return finding.race


def turned(**changes: object) -> RaceShown:
    return msgspec.structs.replace(shown(race_samples.lost_update()), **changes)


def test_the_examples_in_the_docstrings_hold() -> None:
    for module, examples in ((race_words, 9), (race_marks, 1)):
        outcome = doctest.testmod(module)
        assert (outcome.failed, outcome.attempted) == (0, examples)


def test_two_lanes_stand_beside_each_other_with_waits_and_grants() -> None:
    lanes = "\n".join(lane_lines(race_samples.lost_update(), WIDE))
    assert lanes == (
        "   withdraw on stable 1.2.3              │ withdraw on canary 1.3.0\n"
        '   POST /accounts/1/withdraw {"amount":  │ POST /accounts/1/withdraw {"amount":\n'
        "   30}                                   │ 50}\n"
        "   ──────────────────────────────────────┼──────────────────────────────────────\n"
        "    1 SELECT … FROM accounts WHERE       │\n"
        "      accounts.id = 1 FOR UPDATE         │\n"
        "      → 1 row: 1, ada, EUR, 100, 7       │\n"
        "                                         │  2 SELECT balance, version FROM\n"
        "                                         │    accounts WHERE id = 1\n"
        "                                         │    → 1 row: 100, 7\n"
        "                                         │  3 UPDATE accounts SET balance = 50,\n"
        "                                         │    version = 8 WHERE id = 1 AND\n"
        "                                         │    version = 7\n"
        "                                         │  | waits for stable\n"
        "    4 UPDATE accounts SET balance = 70   │  |\n"
        "      WHERE id = 1                       │  |\n"
        "      → UPDATE 1                         │  |\n"
        "    5 COMMIT                             │  |\n"
        "                                         │  > goes on after turn 5\n"
        "                                         │    → UPDATE 1\n"
        "                                         │  6 COMMIT\n"
        "   ──────────────────────────────────────┼──────────────────────────────────────\n"
        '   200 {"balance": 70}                   │ 200 {"balance": 50}'
    )


def test_in_a_narrow_terminal_the_lanes_share_a_column_with_their_names_before_it() -> None:
    lines = lane_lines(race_samples.deadlock(), NARROW)
    assert lines[5:] == [
        "   stable   1 UPDATE accounts SET balance = balance - 5 WHERE id = 2",
        "              → UPDATE 1",
        "   canary   2 UPDATE accounts SET balance = balance + 5 WHERE id = 1",
        "              → UPDATE 1",
        "   stable   3 UPDATE accounts SET balance = balance + 5 WHERE id = 1",
        "            | waits for canary",
        "   canary   4 UPDATE accounts SET balance = balance - 5 WHERE id = 2",
        "            | waits for stable, in vain",
        "              ✗ 40P01 deadlock detected",
        "   stable   > goes on after turn 4",
        "              → UPDATE 1",
        "   stable   5 COMMIT",
        "   canary   6 ROLLBACK",
        "",
        '   stable  → 201 {"id": 8}',
        "   canary  → 500 deadlock",
    ]


def test_what_was_left_stands_beside_the_serial_outcomes_with_the_values_that_differ_marked() -> None:
    assert "\n".join(outcome_lines(race_samples.lost_update(), WIDE)) == (
        "   left behind\n"
        "     the race                   accounts id=1: balance 50, version 8\n"
        "                                                       ^^\n"
        "     stable first, then canary  accounts id=1: balance 20, version 8\n"
        "                                                       ^^\n"
        '                                stable answered 200 {"balance": 70}\n'
        '                                canary answered 200 {"balance": 20}\n'
        "                                                                ^^\n"
        "     canary first, then stable  accounts id=1: balance 20, version 8\n"
        "                                                       ^^\n"
        '                                stable answered 200 {"balance": 20}\n'
        "                                                                ^^\n"
        '                                canary answered 200 {"balance": 50}'
    )


def test_a_value_that_lacks_something_is_marked_as_a_whole() -> None:
    (row,) = race_marks.left_behind(race_samples.backfill())
    assert row == (("customers id=7: name Ada King, ", False), ("display Ada", True))


def test_only_what_no_order_gives_is_marked() -> None:
    race = turned(
        state=("t id=1: a 1, b 2",),
        serial=tuple(
            msgspec.structs.replace(outcome, state=(text,))
            for outcome, text in zip(
                shown(race_samples.lost_update()).serial, ("t id=1: a 1, b 3", "t id=1: a 9, b 4"), strict=True
            )
        ),
    )
    finding = msgspec.structs.replace(race_samples.lost_update(), race=race)
    assert race_marks.left_behind(finding) == ((("t id=1: a 1, b ", False), ("2", True)),)


def test_rows_and_answers_of_other_ids_are_compared_by_what_they_hold() -> None:
    """Every trial has rows of its own, so ids differ between the race and a serial order: only the differences count."""
    first = shown(race_samples.lost_update())
    lanes = tuple(
        msgspec.structs.replace(lane, answer='201 {"id": 7001, "left": 4, "at": "12:01"}') for lane in first.lanes
    )
    serial = SerialOutcome(
        (0, 1),
        ('201 {"id": 5001, "left": 4, "at": "11:01"}', '201 {"id": 5002, "left": 3, "at": "11:02"}'),
        ("stock id=50: left 3", "orders id=5001 (new): count 1", "orders id=5002 (new): count 1"),
    )
    race = turned(
        lanes=lanes, serial=(serial,), state=("stock id=70: left 4", "orders id=7001 (new): count 2"), turns=()
    )
    finding = msgspec.structs.replace(
        race_samples.lost_update(),
        race=race,
        differences=(
            Difference("answer of reserve (2) body.left", "4"),
            Difference("db public.stock id=70 .left", "4"),
        ),
    )
    assert race_marks.left_behind(finding) == (
        (("stock id=70: left ", False), ("4", True)),
        (("orders id=7001 (new): count ", False), ("2", True)),
    )
    assert race_marks.serial_rows(finding, serial)[2] == (("orders id=5002 (new): count 1", False),)
    marks = [[text for text, sign in pieces if sign] for _, pieces in race_marks.answers_given(finding, serial)]
    assert marks == [[], ["3"]]


def test_no_row_beside_a_row_of_the_same_table_is_told() -> None:
    serial = SerialOutcome((0, 1), ('200 {"status": "paid"}',) * 2, ("handled: none", "outbox id=1 (new): kind paid"))
    state = ("handled key=pay:4 (new): at 11:01", "outbox id=2 (new): kind paid")
    finding = msgspec.structs.replace(race_samples.lost_update(), race=turned(serial=(serial,), state=state, turns=()))
    told = [race_marks.plain(row) for row in race_marks.serial_rows(finding, serial)]
    assert told == ["handled: none", "outbox id=1 (new): kind paid"]
    assert [race_marks.plain(row) for row in race_marks.left_behind(finding)] == list(state)


def test_a_call_left_out_of_an_order_has_no_answer_there() -> None:
    first = shown(race_samples.lost_update()).serial[0]
    alone = msgspec.structs.replace(first, order=(1,), answers=("", '200 {"balance": 50}'))
    race = turned(serial=(alone,))
    assert race_words.order_text(race, alone) == "canary only"
    finding = msgspec.structs.replace(race_samples.lost_update(), race=race)
    assert [lane for lane, _ in race_marks.answers_given(finding, alone)] == [1]


@pytest.mark.parametrize(
    ("race", "expected"),
    [
        (shown(race_samples.lost_update()), "found at schedule 2 of 15, one preemption; fails 3 of 3 replays"),
        (turned(preemptions=0, attempts=0), "found at schedule 2 of 15, no preemption"),
        (
            shown(race_samples.stampede()),
            "failed in 4 of 20 trials when both were sent at the same instant; "
            "no schedule could be taken over: the canary speaks TLS to `cache`",
        ),
    ],
)
def test_how_a_race_was_found_is_one_sentence(race: RaceShown, expected: str) -> None:
    assert race_words.found_text(race) == expected


def test_a_stampede_that_no_schedule_repeats_says_so() -> None:
    race = msgspec.structs.replace(shown(race_samples.stampede()), note="", schedules=12)
    assert race_words.found_text(race).endswith("at the same instant; none of 12 schedules showed it")


def test_a_wait_that_ends_in_an_error_or_before_anybody_else_goes_on_is_told_as_it_was() -> None:
    turn = RaceTurn(3, 0, "db", "UPDATE t", "UPDATE 1", waited_for=1, granted=3)
    assert not race_words.waits(turn)
    victim = msgspec.structs.replace(turn, result="", error="40P01 deadlock detected")
    assert race_words.waits(victim) and not race_words.stays_waiting(victim)
    late = msgspec.structs.replace(victim, granted=4)
    assert race_words.stays_waiting(late)
    assert race_words.granted_text(late) == "ends after turn 4"
    own = msgspec.structs.replace(turn, waited_for=0, granted=0, result="")
    assert race_words.wait_text(turned(), own) == "waits for itself, and never goes on"


def test_the_controls_name_both_pairs() -> None:
    text = race_words.controls_text(shown(race_samples.lost_update()))
    assert text == "stable with stable: clean, 6 schedules; canary with canary: clean, 12 schedules"


def test_a_wait_without_end_and_a_call_without_answer_are_told() -> None:
    race = shown(race_samples.lost_update())
    turns = (*race.turns[:2], msgspec.structs.replace(race.turns[2], granted=-1, result=""))
    lanes = tuple(msgspec.structs.replace(lane, answer="") for lane in race.lanes)
    race = turned(kind="stuck", turns=turns, lanes=lanes)
    text = "\n".join(lane_lines(msgspec.structs.replace(race_samples.lost_update(), race=race), WIDE))
    assert "| waits for stable, and never goes on" in " ".join(text.split()).replace("│ ", "")
    assert text.count("no answer") == 2


def test_a_long_stretch_of_one_lane_is_folded_and_a_wait_in_it_is_kept() -> None:
    turns = tuple(RaceTurn(number, 0, "db", f"SELECT {number}", "1 row") for number in range(1, 21))
    moments = race_words.moments(turned(turns=turns))
    assert [(each.what, each.turn.number, each.count) for each in moments] == [
        ("turn", 1, 1),
        ("turn", 2, 1),
        ("turn", 3, 1),
        ("folded", 4, 14),
        ("turn", 18, 1),
        ("turn", 19, 1),
        ("turn", 20, 1),
    ]
    held = msgspec.structs.replace(turns[9], waited_for=1, granted=15)
    moments = race_words.moments(turned(turns=(*turns[:9], held, *turns[10:])))
    assert [each.turn.number for each in moments if each.what == "granted"] == [10]
    assert 10 in [each.turn.number for each in moments if each.what == "turn"]


@pytest.mark.parametrize(
    ("statement", "limit", "expected"),
    [
        ("select a, b from t where id = 1", 200, "select a, b from t where id = 1"),
        ("SELECT (SELECT max(x) FROM u WHERE u.t = t.id) AS top, id FROM t", 200, "SELECT … FROM t"),
        ("SELECT 'so much text FROM a quote, and more of it' AS x FROM t", 200, "SELECT … FROM t"),
        ("UPDATE t SET a = 1, b = 2, c = 3, d = 4 WHERE id = 7 AND version = 3", 48, None),
        ("x" * 500, 20, "x" * 19 + "…"),
        ("SELECT 1", 200, "SELECT 1"),
    ],
)
def test_a_statement_is_shortened_where_it_says_least(statement: str, limit: int, expected: str | None) -> None:
    short = race_words.statement_text(statement, limit)
    assert len(short) <= limit
    if expected is None:
        assert short.startswith("UPDATE t SET a = 1") and short.endswith("…") and " … WHERE id = 7" in short
    else:
        assert short == expected


def test_every_width_and_every_letter_fits() -> None:
    wide = turned(
        turns=(RaceTurn(1, 1, "契約", "SELECT '契約契約契約契約' FROM " + "t" * 300, "契" * 200, "", 0, 1),),
        state=("契約 id=1: 契約 " + "約" * 90,),
    )
    hostile = samples.hostile_race_report().findings
    for width in range(60, 101, 5):
        for ascii_only in (False, True):
            for finding in (msgspec.structs.replace(race_samples.lost_update(), race=wide), *hostile):
                lines = race_lines(finding, Ink(False, ascii_only, width))
                assert [line for line in lines if display_width(line) > width] == []


def test_the_run_says_how_many_pairs_and_what_is_complete() -> None:
    out = io.StringIO()
    Terminal(out, io.StringIO(), False, 100).tell(samples.race_report())
    assert (
        "  races: 5 pairs, 94 schedules, 280 stampedes; every schedule with at most 2 preemptions of 3 pairs\n"
        "    and with at most 1 preemption of 1 pair\n"
    ) in out.getvalue()
    safe = msgspec.structs.replace(samples.safe_report(), exercised=samples.race_report().exercised)
    out = io.StringIO()
    Terminal(out, io.StringIO(), False, 100).tell(safe)
    assert out.getvalue().splitlines()[-1] == "safe: 158 routings of 3 scenarios explored, 5 pairs raced, none fails"


def test_junit_has_a_case_per_pair_and_a_race_fails_its_own() -> None:
    suite = next(
        each for each in ElementTree.fromstring(junit_report(samples.race_report())) if each.get("name") == "races"
    )
    cases = {case.get("name"): case.find("failure") is not None for case in suite.iter("testcase")}
    assert cases == {
        "withdraw with withdraw at first": True,
        "transfer with transfer at first": True,
        "reserve with reserve at first": True,
        "rename with the migration of backfill at backfill": True,
        "read with withdraw at first": False,
    }
    text = next(suite.iter("failure")).text or ""
    assert "> goes on after turn 5" in text and "^^" in text


def test_a_race_that_names_no_pair_is_found_by_its_calls_or_has_a_case_of_its_own() -> None:
    report = samples.race_report()
    nameless = tuple(
        msgspec.structs.replace(each, race=msgspec.structs.replace(shown(each), name="", stage=""))
        for each in race_samples.races()
    )
    suite = ElementTree.fromstring(junit_report(msgspec.structs.replace(report, findings=nameless)))
    failing = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failing[0] == "withdraw with withdraw at first" and len(failing) == 4
    alone = msgspec.structs.replace(report, exercised=msgspec.structs.replace(report.exercised, races=()))
    suite = ElementTree.fromstring(junit_report(alone))
    assert "withdraw on stable beside withdraw on canary" in [case.get("name") for case in suite.iter("testcase")]


def test_the_pull_request_has_the_lanes_as_a_table_and_the_pairs_with_their_guarantee() -> None:
    text = markdown_report(samples.race_report())
    assert "| withdraw on stable beside withdraw on canary | `p(1-p)` |" in text
    assert (
        "| 3 |  | `UPDATE accounts SET balance = 50, version = 8 WHERE id = 1 AND version = 7`<br>⏸ waits for stable |"
        in text
    )
    assert "left behind. Found at schedule 2 of 15, one preemption; fails 3 of 3 replays." in text
    assert "| 5 | `COMMIT` | ⏸ |\n|  |  | ▶ goes on after turn 5<br>→ UPDATE 1 |" in text
    assert "| **the race** | accounts id=1: balance **50**, version 8 |" in text
    assert "On one side alone: stable with stable: clean, 6 schedules;" in text
    assert (
        "| withdraw with withdraw | `first` | 43 | 80 | every schedule with at most 2 preemptions, 43 of them |" in text
    )


def test_the_page_tells_all_of_a_race() -> None:
    source = html_report(samples.race_report())
    card = source[source.index('id="finding-5d1c0a9be774"') :].split("</article>")[0]
    assert card.count('<li class="moment turn">') == 6
    assert card.count('<li class="moment granted">') == 1
    assert card.count("held-bottom") == 3, "the waiting lane is dotted in the rows of turns 3, 4 and 5"
    assert '<summary><code class="sql">SELECT … FROM accounts WHERE accounts.id = 1 FOR UPDATE</code></summary>' in card
    assert "SELECT accounts.id, accounts.owner, accounts.currency" in card
    assert card.count('<mark class="right">20</mark>') == 4
    assert "Two such calls at the same time are served like this with chance" in card
    assert "every schedule with at most 1 preemption; the budget ended before 2" in source


def test_a_replay_shows_the_lanes_and_counts_its_runs() -> None:
    finding = race_samples.lost_update()
    text = race_replay_text(finding, finding.race, 20, 20)
    assert "> goes on after turn 5" in text
    assert text.endswith("it fails again, 20 of 20 times in the same way")
    assert race_replay_text(finding, None, 0, 20).endswith("it does not fail any more, in 20 runs of this schedule")
