"""The words all reporters share."""

from __future__ import annotations

import doctest

import msgspec
import pytest
import samples

from crossfade.model.report import Blame, Chance, Severity, WitnessCall
from crossfade.report import wording


def test_the_examples_in_the_docstrings_hold() -> None:
    outcome = doctest.testmod(wording)
    assert outcome.attempted >= 8
    assert outcome.failed == 0


def test_the_chance_line_tells_every_stage_where_it_can_happen_and_the_peak() -> None:
    line = wording.chance_line(samples.CHANCE_ONE, [name for name, *_ in samples.STAGES])
    assert line == "p(1-p): 1% at first, 21% at third, 21% at most, peak 25% at 50%"


def test_a_chance_that_is_always_one_needs_no_peak() -> None:
    line = wording.chance_line(Chance((1.0,), "1", 1.0, 0.0, {"all": 1.0}), ["before", "all"])
    assert line == "always: 100% at all"


def test_a_chance_that_no_stage_of_this_ramp_meets_says_so() -> None:
    chance = Chance((0.0, 1.0, -1.0), "p(1-p)", 0.25, 0.5, {"all": 0.0})
    assert wording.chance_line(chance, ["all"]) == "p(1-p): 0% at every stage of this ramp, peak 25% at 50%"
    assert wording.chance_line(chance, ["all"], True).startswith("p(1-p): only after a rollback")


def test_the_polynomial_is_evaluated_at_a_weight() -> None:
    assert wording.chance_at(samples.CHANCE_TWO, 0.5) == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("blames", "expected"),
    [
        ((Blame.MIXED,), "unsafe: 1 finding makes mixed traffic fail"),
        ((Blame.MIXED, Blame.MIXED), "unsafe: 2 findings make mixed traffic fail"),
        (
            (Blame.CANARY, Blame.MIXED),
            "unsafe: 2 findings, 1 makes mixed traffic fail and 1 is a plain regression of the canary",
        ),
        ((Blame.PHASE,), "unsafe: 1 finding breaks a side while the data move"),
    ],
)
def test_the_verdict_line_counts_by_blame(blames: tuple[Blame, ...], expected: str) -> None:
    report = samples.demo_report()
    findings = tuple(msgspec.structs.replace(report.findings[0], blame=blame) for blame in blames)
    assert wording.verdict_line(msgspec.structs.replace(report, findings=findings)) == expected


def test_findings_that_inform_do_not_count_in_the_verdict() -> None:
    report = samples.demo_report()
    assert any(each.severity is Severity.INFO for each in report.findings)
    expected = "unsafe: 4 findings, 3 make mixed traffic fail and 1 makes rollback unsafe"
    assert wording.verdict_line(report) == expected


def test_safe_and_unknown_verdicts_say_what_was_done_and_why_not_more() -> None:
    assert wording.verdict_line(samples.safe_report()) == "safe: 158 routings of 3 scenarios explored, none fails"
    line = wording.verdict_line(samples.unknown_report())
    assert line == "unknown: orders 1.3.0 died at stage `third`, 40 of 158 routings were explored"


def _calls(*places: tuple[str, str]) -> tuple[WitnessCall, ...]:
    return tuple(WitnessCall("s", "GET /", stage, side, "1", "GET /", 200, "", "pass") for stage, side in places)


def test_a_call_is_after_rollback_when_its_stage_lies_before_an_earlier_one() -> None:
    ramp = samples.ramp(True)
    assert wording.rolled_back(_calls(("third", "canary"), ("first", "stable")), ramp) == (False, True)
    assert wording.rolled_back(_calls(("first", "canary"), ("third", "stable")), ramp) == (False, False)


def test_the_stable_serving_where_the_ramp_leaves_only_the_canary_is_after_rollback() -> None:
    assert wording.rolled_back(_calls(("all", "canary"), ("all", "stable")), samples.ramp(True)) == (False, True)


def test_a_call_on_the_walk_back_says_so_itself() -> None:
    calls = _calls(("rollback from most", "stable"), ("rollback from most", "stable"))
    assert wording.rolled_back(calls, samples.ramp(True)) == (True, True)
    finding = samples.demo_report().findings[3]
    assert wording.cause_text(finding) == "open on canary, then pay on stable after rollback from all"


def test_of_several_failing_calls_the_one_the_cause_ends_with_is_meant() -> None:
    finding = samples.demo_report().findings[0]
    assert finding.witness
    calls = tuple(msgspec.structs.replace(call, outcome="fail") for call in finding.witness.calls)
    finding = msgspec.structs.replace(finding, witness=msgspec.structs.replace(finding.witness, calls=calls))
    meant = wording.failing_call(finding)
    assert meant and meant.step == "read"


def test_a_chance_that_only_moving_users_meet_is_not_called_never() -> None:
    chance = Chance((0.0,), "0 while a user stays on one side", 0.4, 0.7, {"most": 0.4})
    assert wording.chance_line(chance, ["third", "most"]) == "0 while a user stays on one side: 40% at most"


def test_a_reason_that_repeats_the_verdict_is_not_told_twice() -> None:
    report = samples.demo_report()
    assert wording.further_reason(msgspec.structs.replace(report, reason="4 findings")) == ""
    assert wording.further_reason(msgspec.structs.replace(report, reason=report.exercised.guarantee)) == ""
    assert wording.further_reason(msgspec.structs.replace(report, reason="stopped by Ctrl-C")) == "stopped by Ctrl-C"


def test_indented_lines_know_the_path_of_what_they_show() -> None:
    lines = wording.indented({"items": [{"amount": 5}], "note": None})
    assert [line for _, line in lines] == [
        "{",
        '  "items": [',
        "    {",
        '      "amount": 5',
        "    }",
        "  ],",
        '  "note": null',
        "}",
    ]
    assert ("body.items[0].amount", '      "amount": 5') in lines
