"""`junit.xml` for CI servers: one suite per scenario, one test case per check, a failure where a finding decides; one
suite of races, one test case per pair of calls."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from crossfade.model.report import Check, Finding, RaceExercised, Report, ScenarioExercised
from crossfade.model.verdict import Verdict
from crossfade.report.ink import Ink
from crossfade.report.lanes import race_lines
from crossfade.report.race_words import is_about, pair_name, pair_text
from crossfade.report.wording import (
    cause_text,
    chance_line,
    deciding,
    informing,
    one_line,
    printable,
    scenarios_of,
    seconds_text,
    value_text,
    verdict_line,
)

RUN_SUITE = "the run"
RACE_SUITE = "races"
_LANES = Ink(color=False, ascii_only=False, width=100)


def junit_report(report: Report) -> str:
    """Findings that inform only, and what was not compared, stand in `system-out`. An unknown verdict is an error of
    the case "the ramp was explored", which is always there, so that a run without scenarios is no empty success."""
    suites = [_run_suite(report)]
    suites += [_scenario_suite(report, name) for name in _scenario_names(report)]
    suites += _race_suites(report)
    failures = sum(suite.failures for suite in suites)
    errors = sum(suite.errors for suite in suites)
    tests = sum(suite.tests for suite in suites)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="crossfade" tests="{tests}" failures="{failures}" errors="{errors}" '
        f'time="{report.seconds:.3f}">',
        *(line for suite in suites for line in suite.lines),
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


class _Suite:
    """A suite while its cases are added."""

    def __init__(self, name: str, seconds: float, timestamp: str) -> None:
        self.name, self.seconds, self.timestamp = name, seconds, timestamp
        self.tests = self.failures = self.errors = 0
        self.cases: list[str] = []
        self.notes: list[str] = []

    def add(self, name: str, inside: str = "", seconds: float = 0.0) -> None:
        self.tests += 1
        opening = f'    <testcase classname={_attribute(self.name)} name={_attribute(name)} time="{seconds:.3f}"'
        self.cases.append(f"{opening}>\n{inside}    </testcase>" if inside else f"{opening}/>")

    @property
    def lines(self) -> list[str]:
        counts = f'tests="{self.tests}" failures="{self.failures}" errors="{self.errors}" skipped="0"'
        when = f" timestamp={_attribute(self.timestamp)}" if self.timestamp else ""
        notes = [f"    <system-out>{_text(chr(10).join(self.notes))}</system-out>"] if self.notes else []
        opening = f'  <testsuite name={_attribute(self.name)} {counts} time="{self.seconds:.3f}"{when}>'
        return [opening, *self.cases, *notes, "  </testsuite>"]


def _run_suite(report: Report) -> _Suite:
    suite = _Suite(RUN_SUITE, report.seconds, report.started)
    unknown = report.verdict is Verdict.UNKNOWN
    details = "\n".join([verdict_line(report), *report.not_explored])
    problem = f'      <error message={_attribute(verdict_line(report))} type="unknown">{_text(details)}</error>\n'
    suite.add("the ramp was explored", problem if unknown else "", report.seconds)
    suite.errors += unknown
    for finding in deciding(report):
        if not scenarios_of(finding) and finding.race is None:
            suite.failures += 1
            suite.add(f"{finding.check.value}: {finding.operation or finding.rule}", _failure(report, [finding]))
    suite.notes.append(verdict_line(report))
    if report.exercised.guarantee:
        suite.notes.append(f"guarantee: {report.exercised.guarantee}")
    suite.notes += [f"for information: {each.rule} {each.id}: {each.message}" for each in informing(report)]
    suite.notes += [f"unstable: {each.rule} {each.id}: {each.message}" for each in report.unstable]
    suite.notes += [f"not explored: {each}" for each in report.not_explored]
    return suite


def _scenario_suite(report: Report, name: str) -> _Suite:
    exercised = next((each for each in report.exercised.scenarios if each.scenario == name), None)
    suite = _Suite(name, exercised.seconds if exercised else 0.0, report.started)
    for check in Check:
        if check is Check.RACE:
            continue  # a race belongs to its pair, not to a scenario
        found = [each for each in deciding(report) if name in scenarios_of(each) and each.check is check]
        suite.add(check.value, _failure(report, found))
        suite.failures += bool(found)
    if exercised:
        suite.notes.append(_exercised_line(exercised))
    return suite


def _race_suites(report: Report) -> list[_Suite]:
    """One case per pair and stage; a race that no pair of the report claims has a case of its own."""
    pairs = report.exercised.races
    races = [each for each in deciding(report) if each.race is not None]
    if not pairs and not races:
        return []
    suite = _Suite(RACE_SUITE, sum(each.seconds for each in pairs), report.started)
    claimed: set[str] = set()
    for pair in pairs:
        found = [each for each in races if is_about(each, pair)]
        claimed |= {each.id for each in found}
        suite.add(pair_name(pair), _failure(report, found), pair.seconds)
        suite.failures += bool(found)
        suite.notes.append(_pair_line(pair))
    for finding in races:
        if finding.id not in claimed:
            suite.failures += 1
            suite.add(pair_text(finding) or finding.rule, _failure(report, [finding]))
    return [suite]


def _pair_line(each: RaceExercised) -> str:
    tried = f"{each.schedules} schedules, {each.trials} trials in {seconds_text(each.seconds)}"
    return f"{pair_name(each)}: {tried}, {', '.join(each.assignments)}: {each.guarantee}"


def _scenario_names(report: Report) -> list[str]:
    exercised = [each.scenario for each in report.exercised.scenarios]
    found = [name for finding in deciding(report) if finding.race is None for name in scenarios_of(finding)]
    return list(dict.fromkeys([*exercised, *found]))


def _failure(report: Report, findings: list[Finding]) -> str:
    """One `failure` element: JUnit readers show only the first of several."""
    if not findings:
        return ""
    message = "; ".join(f"{each.rule} {each.id}: {each.message}" for each in findings)
    body = "\n\n".join(_finding_text(report, each) for each in findings)
    rule = _attribute(findings[0].rule)
    return f"      <failure message={_attribute(message)} type={rule}>{_text(body)}</failure>\n"


def _finding_text(report: Report, finding: Finding) -> str:
    lines = [f"{finding.rule} {finding.id} ({finding.blame.value})", finding.message]
    lines += [f"operation: {finding.operation}"] if finding.operation else []
    lines += [f"cause: {cause_text(finding)}"] if finding.cause and finding.race is None else []
    lines.append(f"chance: {chance_line(finding.chance, [stage.name for stage in report.ramp], finding.rollback_only)}")
    if finding.race is not None:
        lines += ["", *race_lines(finding, _LANES), ""]
    lines += [
        f"{each.path}: seen {value_text(each.seen, 400)}, stable alone {value_text(each.stable, 400)}, "
        f"canary alone {value_text(each.canary, 400)}"
        for each in finding.differences[:20]
        if finding.race is None
    ]
    for call in finding.witness.calls if finding.witness else ():
        answer = f"{call.status}" if call.status is not None else "no answer"
        note = f" ({call.note})" if call.note else ""
        lines.append(f"{call.step} at {call.stage} on {call.side} {call.version}: {call.outcome}, {answer}{note}")
    lines += [f"advice: {finding.advice}"] if finding.advice else []
    lines += [f"replay: {finding.replay}"] if finding.replay else []
    return "\n".join(lines)


def _exercised_line(each: ScenarioExercised) -> str:
    return (
        f"{each.explored} of {each.possible} routings explored ({each.merged} merged), {each.calls} calls "
        f"in {seconds_text(each.seconds)}, {each.regime}: {each.guarantee}"
    )


def _attribute(text: str) -> str:
    return quoteattr(one_line(text, 2000))


def _text(text: str) -> str:
    return escape(printable(text)[:20000])
