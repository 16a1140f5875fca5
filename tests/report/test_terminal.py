"""What a person and a pipe get on the terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import samples

from crossfade.model.events import FindingMade, Finished, Noted, PlanMade, Progress, Started, Suspected
from crossfade.model.report import Check, Report
from crossfade.report.ink import Ink, Piece, display_width, ink_for
from crossfade.report.terminal import Terminal


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def told(report: Report, color: bool = False, width: int = 80) -> str:
    out = io.StringIO()
    terminal = Terminal(out, io.StringIO(), color, width)
    terminal.hear(PlanMade(report.plan))
    terminal.hear(Finished(report))
    return out.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_finding_is_one_block_from_the_rule_to_the_replay() -> None:
    block = told(samples.demo_report()).split("\n\n1. ")[1].split("\n\n2. ")[0]
    assert block == (
        "mixed-sameness  9c41be07a2d3\n"
        "   `body.amount` is 5 where both versions alone give 500: an order created on\n"
        "   the canary is read on the stable\n"
        "   GET /orders/{id} · an order can be read back\n"
        "\n"
        "   create ─canary→ read ─stable✗\n"
        "\n"
        "   body.amount\n"
        "     stable alone  500\n"
        "     canary alone  500\n"
        "     seen          5\n"
        "     neither side alone gives this value here\n"
        "\n"
        "   chance   p(1-p): 1% at first, 21% at third, 21% at most, peak 25% at 50%\n"
        "   also in  a note survives an update\n"
        "   advice   keep each user's session on one side (stickiness) until every\n"
        "            instance is 1.3.0, or let 1.3.0 keep writing cents\n"
        "   replay   crossfade replay 9c41be07a2d3"
    )


def test_a_path_over_stages_names_them_and_where_the_rollback_is() -> None:
    text = told(samples.demo_report())
    assert "create @expand ─stable→ read @first ─canary✗ list @first ·not made" in text
    assert "open @all ─canary→ ↩ rollback from all pay ─stable✗" in text


def test_data_left_behind_ends_the_path_with_the_check_that_fails() -> None:
    report = samples.demo_report()
    first = report.findings[0]
    assert first.witness
    calls = tuple(msgspec.structs.replace(call, outcome="pass") for call in first.witness.calls)
    witness = msgspec.structs.replace(first.witness, calls=calls)
    left = msgspec.structs.replace(first, check=Check.STATE, witness=witness, differences=())
    text = told(msgspec.structs.replace(report, findings=(left,)))
    assert "create ─canary→ read ─stable✓ ✗ state" in text


def test_the_plan_is_a_numbered_tree_and_the_verdict_the_last_line() -> None:
    lines = told(samples.demo_report()).splitlines()
    assert lines[0:3] == [
        "plan",
        "  1 start PostgreSQL 18 for db, Valkey for cache",
        "  2 start orders 1.2.3 (stable)",
    ]
    assert "    3.1 before: pure runs of 3 scenarios, twice" in lines
    assert lines[-1] == "unsafe: 4 findings, 3 make mixed traffic fail and 1 makes rollback unsafe"


def test_the_ramp_shows_weights_migrations_and_the_point_of_no_return() -> None:
    text = told(samples.demo_report())
    ramp = text[text.index("\nramp ") :].split("\n\n")[0].splitlines()
    assert "          ◆ migrations/001_expand.sql" in ramp
    assert "third        30%  ██████████████░░░░░░  backfill  NOT SAFE" in ramp
    gone = ramp.index("          point of no return from here on")
    assert ramp[gone + 1].startswith("first ")


@pytest.mark.parametrize(
    "name",
    [
        "demo_report",
        "race_report",
        "safe_report",
        "unknown_report",
        "empty_report",
        "huge_report",
    ],
)
def test_nothing_is_wider_than_the_terminal_but_the_verdict(name: str) -> None:
    for width in (60, 80, 100):
        lines = told(getattr(samples, name)(), width=width).splitlines()[:-1]
        assert [line for line in lines if display_width(line) > width] == []


def test_colour_adds_codes_and_changes_no_text() -> None:
    for report in (samples.demo_report(), samples.race_report()):
        assert plain(told(report, color=True)) == told(report)
        assert "\x1b[94m" in told(report, color=True)


def test_an_answer_cannot_steer_the_terminal() -> None:
    for report in (samples.hostile_report(), samples.hostile_race_report()):
        for width in (60, 80):
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", told(report, width=width))


def test_two_hundred_findings_stay_readable() -> None:
    lines = told(samples.huge_report()).splitlines()
    assert len(lines) < 1200
    assert lines[-1] == "unsafe: 200 findings make mixed traffic fail"


def test_no_color_and_dumb_terminals_are_respected() -> None:
    screen = Screen()
    assert ink_for(screen, None, 80, {}).color
    assert not ink_for(screen, None, 80, {"NO_COLOR": "1"}).color
    assert not ink_for(screen, None, 80, {"TERM": "dumb"}).color
    assert not ink_for(io.StringIO(), None, 80, {}).color
    assert ink_for(io.StringIO(), True, 80, {"NO_COLOR": "1"}).color


def test_a_stream_without_unicode_gets_ascii_only() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Terminal(out, io.StringIO()).hear(Finished(samples.demo_report()))
    out.seek(0)
    assert "create -canary> read -stablex" in out.read()


def test_without_a_terminal_progress_is_a_few_plain_lines_on_stderr() -> None:
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err)
    terminal.hear(Started("starting orders 1.2.3", "2"))
    for done in range(1001):
        terminal.hear(Progress("an order can be read back", done, 1000, done * 2))
    terminal.hear(Progress("a note", 3, 3, 9))
    terminal.hear(Noted("orders was restarted"))
    terminal.hear(Suspected("status at read"))
    terminal.hear(FindingMade(samples.demo_report().findings[0]))
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "2 starting orders 1.2.3",
        "an order can be read back: 250 of 1000, 500 calls",
        "an order can be read back: 500 of 1000, 1,000 calls",
        "an order can be read back: 750 of 1000, 1,500 calls",
        "an order can be read back: 1000 of 1000, 2,000 calls",
        "a note: 3 of 3, 9 calls",
        "note: orders was restarted",
        "suspected, replaying: status at read",
        "finding 1: mixed-sameness 9c41be07a2d3",
    ]


def test_on_a_terminal_one_live_line_is_drawn_over_and_taken_away() -> None:
    err, now = Screen(), [0.0]
    terminal = Terminal(io.StringIO(), err, False, 60, clock=lambda: now[0])
    for done in range(1, 101):
        now[0] += 0.01
        terminal.hear(Progress("reading", done, 100, done))
    assert "\n" not in err.getvalue()
    assert 10 < err.getvalue().count("\r") < 20, "drawn at most every 80 ms"
    assert err.getvalue().endswith("████████████ reading: 100 of 100, 100 calls")
    terminal.hear(Finished(samples.safe_report()))
    assert err.getvalue().endswith("\r\x1b[2K")


def test_a_long_live_line_stays_on_one_line() -> None:
    err = Screen()
    Terminal(io.StringIO(), err, False, 60).hear(Started("x" * 500))
    assert len(err.getvalue().removeprefix("\r\x1b[2K")) == 59


def test_a_reader_that_closes_the_pipe_ends_the_output_and_not_the_run() -> None:
    code = (
        "import sys, samples; from crossfade.report.terminal import Terminal; "
        "from crossfade.model.events import Finished, PlanMade\n"
        "terminal = Terminal(sys.stdout, sys.stderr); report = samples.huge_report()\n"
        "for _ in range(20): terminal.hear(Finished(report))\n"
        "print('went on', file=sys.stderr)"
    )
    path = f"{Path(samples.__file__).parent}:{Path(__file__).parents[2] / 'src'}"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
    )
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read().decode().strip() == "went on"
    assert process.wait(timeout=60) == 0


def test_wide_letters_take_two_columns() -> None:
    ink = Ink(False, False, 40)
    lines = ink.flowed([Piece("契約" * 30)], "  ")
    assert [display_width(line) <= 40 for line in lines] == [True] * len(lines)
    assert "".join(line.strip() for line in lines) == "契約" * 30
