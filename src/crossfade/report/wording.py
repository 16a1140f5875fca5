"""The words every reporter shares, so that terminal, page, pull request and JUnit say the same thing the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from crossfade.model.report import (
    Blame,
    CauseLiteral,
    Chance,
    Difference,
    Finding,
    RampStage,
    Report,
    Severity,
    WitnessCall,
)
from crossfade.model.verdict import Verdict

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_ROLLBACK_FROM = "rollback from "  # how a stage is named on the walk back from it
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BLAME_CLAUSES = {
    Blame.MIXED: ("makes mixed traffic fail", "make mixed traffic fail"),
    Blame.PHASE: ("breaks a side while the data move", "break a side while the data move"),
    Blame.CANARY: ("is a plain regression of the canary", "are plain regressions of the canary"),
    Blame.STABLE: ("is an old fault of the stable", "are old faults of the stable"),
}
_ROLLBACK_CLAUSE = ("makes rollback unsafe", "make rollback unsafe")


def printable(text: str) -> str:
    """`text` without control characters (other than tab and newline), lone surrogates and direction overrides:
    answers come from outside and must not steer a terminal or break a file.

    >>> printable("a\\x1b[31mb")
    'a\ufffd[31mb'
    """
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 0) -> str:
    """`text` printable and on one line; with `limit`, cut with an ellipsis to at most that many characters."""
    line = " ".join(printable(text).split())
    return line if not limit or len(line) <= limit else line[: max(limit - 1, 1)] + "…"


def plural(count: int, noun: str, many: str = "") -> str:
    """
    >>> plural(1, "call"), plural(1200, "call"), plural(2, "pass", "passes")
    ('1 call', '1,200 calls', '2 passes')
    """
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def percent(share: float) -> str:
    """A chance for people: never "0%" for what can happen and never "100%" for what need not.

    >>> [percent(x) for x in (0, 0.0002, 0.0099, 0.021, 0.21, 0.9999, 1)]
    ['0%', '<0.1%', '1%', '2.1%', '21%', '>99.9%', '100%']
    """
    hundredths = share * 100
    if hundredths <= 0:
        return "0%"
    if hundredths < 0.1:
        return "<0.1%"
    if 99.9 < hundredths < 100 - 1e-9:
        return ">99.9%"
    digits = 0 if 10 <= hundredths < 99 or hundredths >= 100 - 1e-9 else 1
    return f"{hundredths:.{digits}f}".removesuffix(".0") + "%"


def weight_text(weight: float) -> str:
    """A weight as the contract writes it.

    >>> weight_text(0.125), weight_text(1.0)
    ('12.5%', '100%')
    """
    return f"{round(weight * 100, 4):g}%"


def seconds_text(seconds: float) -> str:
    """
    >>> seconds_text(0.42), seconds_text(48.3), seconds_text(125)
    ('0.4 s', '48 s', '2 min 5 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def short_id(finding: Finding) -> str:
    return one_line(finding.id, 14)


def deciding(report: Report) -> tuple[Finding, ...]:
    """The findings that make the verdict unsafe."""
    return tuple(finding for finding in report.findings if finding.severity is Severity.ERROR)


def informing(report: Report) -> tuple[Finding, ...]:
    return tuple(finding for finding in report.findings if finding.severity is not Severity.ERROR)


def verdict_sentence(report: Report) -> str:
    """What the verdict rests on, without the word itself: "4 findings, 3 make mixed traffic fail"."""
    errors = deciding(report)
    if report.verdict is Verdict.UNSAFE and errors:
        return _clauses(errors)
    if report.verdict is Verdict.SAFE:
        explored, scenarios = report.exercised.routings.explored, len(report.exercised.scenarios)
        raced = f", {plural(len(report.exercised.races), 'pair')} raced" if report.exercised.races else ""
        return f"{plural(explored, 'routing')} of {plural(scenarios, 'scenario')} explored{raced}, none fails"
    return one_line(report.reason) or "too little was explored to say"


def verdict_line(report: Report) -> str:
    """
    The last line of a run: "unsafe: 4 findings, 3 make mixed traffic fail and 1 makes rollback unsafe".
    """
    return f"{report.verdict.value}: {verdict_sentence(report)}"


def _clauses(findings: Sequence[Finding]) -> str:
    """ "4 findings, 3 make mixed traffic fail and 1 makes rollback unsafe"; one clause alone needs no second count."""
    counts: dict[tuple[str, str], int] = {}
    for finding in findings:
        clause = _ROLLBACK_CLAUSE if finding.rollback_only else _BLAME_CLAUSES[finding.blame]
        counts[clause] = counts.get(clause, 0) + 1
    total = plural(len(findings), "finding")
    if len(counts) == 1:
        return f"{total} {next(iter(counts))[len(findings) > 1]}"
    order = [*_BLAME_CLAUSES.values(), _ROLLBACK_CLAUSE]
    return f"{total}, {joined([f'{counts[each]} {each[counts[each] > 1]}' for each in order if each in counts])}"


def joined(parts: Sequence[str]) -> str:
    """
    >>> joined(["a"]), joined(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def chance_text(chance: Chance) -> str:
    """The polynomial; "always", "never" or the value where it is constant."""
    if not chance.coefficients or all(abs(value) < 1e-12 for value in chance.coefficients[1:]):
        constant = chance.coefficients[0] if chance.coefficients else chance.max
        if constant <= 0 < chance.max:  # stickiness: no share of the calls, but of the users who move
            return one_line(chance.text, 160)
        return "always" if constant >= 1 - 1e-9 else "never" if constant <= 0 else percent(constant)
    return one_line(chance.text or polynomial_text(chance.coefficients), 160)


def formula(chance: Chance) -> str:
    """The polynomial as it is set on a page: raised exponents and a real minus sign.

    >>> formula(Chance((0, 0, 1, -1), "p^2(1-p)", 4 / 27, 2 / 3, {}))
    'p²(1−p)'
    """
    raised = re.sub(r"\^(\d+)", lambda found: found.group(1).translate(_RAISED), chance_text(chance))
    return raised.replace("-", "−")


def polynomial_text(coefficients: Sequence[float]) -> str:
    """
    >>> polynomial_text((0, 1, -1))
    'p - p^2'
    """
    terms = ""
    for power, value in enumerate(coefficients):
        if abs(value) < 1e-12:
            continue
        factor = "" if power and abs(abs(value) - 1) < 1e-12 else f"{abs(value):g}"
        variable = "" if power == 0 else "p" if power == 1 else f"p^{power}"
        sign = ("-" if value < 0 else "") if not terms else (" - " if value < 0 else " + ")
        terms += sign + factor + variable
    return terms or "0"


def chance_at(chance: Chance, weight: float) -> float:
    """The polynomial's value (Horner), kept within 0..1 against rounding."""
    value = 0.0
    for coefficient in reversed(chance.coefficients):
        value = value * weight + coefficient
    return min(1.0, max(0.0, value))


def is_constant(chance: Chance) -> bool:
    return all(abs(value) < 1e-12 for value in chance.coefficients[1:])


def chance_line(chance: Chance, stages: Iterable[str], after_rollback: bool = False, limit: int = 6) -> str:
    """ "p(1-p): 1% at first, 21% at third, 21% at most, peak 25% at 50%"; no stage where it cannot happen."""
    possible = [(stage, chance.per_stage[stage]) for stage in stages if chance.per_stage.get(stage, 0.0) > 0]
    parts = [f"{percent(value)} at {one_line(stage)}" for stage, value in possible[:limit]]
    if len(possible) > limit:
        parts.append(f"… ({len(possible) - limit} more stages)")
    if not parts:
        parts.append("only after a rollback" if after_rollback else "0% at every stage of this ramp")
    if not is_constant(chance):
        parts.append(f"peak {percent(chance.max)} at {percent(chance.at)}")
    when = " after a rollback" if after_rollback and possible else ""
    return f"{chance_text(chance)}{when}: {', '.join(parts)}"


def place(stage: str) -> tuple[str, bool]:
    """The stage a call or a condition names, and whether it means the walk back from there.

    >>> place("rollback from most"), place("most")
    (('most', True), ('most', False))
    """
    name = stage.removeprefix(_ROLLBACK_FROM)
    return name, name != stage


def rolled_back(calls: Sequence[WitnessCall], ramp: Sequence[RampStage]) -> tuple[bool, ...]:
    """For each call whether it happens after a rollback began: its stage says so or lies before an earlier call's, or
    it is served by the stable at a stage where the ramp itself leaves only the canary."""
    index = {stage.name: number for number, stage in enumerate(ramp)}
    live = {stage.name: stage.live for stage in ramp}
    result: list[bool] = []
    furthest, back = -1, False
    for call in calls:
        name, said = place(call.stage)
        at = index.get(name, furthest)
        gone = call.side == "stable" and name in live and "stable" not in live[name]
        back = back or said or at < furthest or gone
        furthest = max(furthest, at)
        result.append(back)
    return tuple(result)


def literal_text(literal: CauseLiteral) -> str:
    """ "create on canary at third"; what does not matter is left out."""
    return one_line(f"{step_text(literal)}{where_text(literal)}", 120)


def step_text(literal: CauseLiteral) -> str:
    return literal.step if literal.any_side else f"{literal.step} on {literal.side}"


def where_text(literal: CauseLiteral) -> str:
    """ " at third", " after rollback from most", or nothing where any stage would do."""
    name, back = place(literal.stage)
    return "" if literal.any_stage else f" after rollback from {name}" if back else f" at {name}"


def cause_text(finding: Finding) -> str:
    return ", then ".join(literal_text(literal) for literal in finding.cause)


def failing_call(finding: Finding) -> WitnessCall | None:
    """The call the finding is about; None where there is none (a restart, data left behind). Several calls of a witness
    may fail: the last condition of the cause names the one meant."""
    failing = [call for call in finding.witness.calls if call.outcome == "fail"] if finding.witness else []
    meant = [call for call in failing if finding.cause and call.step == finding.cause[-1].step]
    same = [call for call in failing if call.operation == finding.operation]
    return next(iter([*meant, *same, *failing]), None)


def further_reason(report: Report) -> str:
    """The reason where it says more than the verdict's sentence and the guarantee already do."""
    reason = one_line(report.reason)
    told = (verdict_sentence(report), one_line(report.exercised.guarantee))
    return "" if any(text.startswith(reason) for text in told) else reason


def file_name(path: str) -> str:
    """The last part of a path of any system: reports travel, folders do not."""
    return re.split(r"[\\/]", path)[-1]


def scenarios_of(finding: Finding) -> tuple[str, ...]:
    return finding.scenarios or ((finding.scenario,) if finding.scenario else ())


def value_text(value: str | None, limit: int = 0) -> str:
    """A JSON text of a Difference for people; None means that nothing is there."""
    return "(absent)" if value is None else one_line(value, limit)


def differing(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """Differences that say what was expected first, then the others, in their own order."""
    return tuple(sorted(differences, key=lambda each: each.stable is None and each.canary is None))


def status_and_body(answer: str) -> tuple[str, str]:
    """The parts of a pure run's answer as the model keeps it.

    >>> status_and_body('200 {"id": 7}')
    ('200', '{"id": 7}')
    """
    found = re.match(r"\s*(\d{3})(?:\s+|$)", answer)
    return (found.group(1), answer[found.end() :]) if found else ("", answer)


def parsed(body: str) -> tuple[bool, Any]:
    """Whether `body` is JSON with structure worth indenting, and its value."""
    if not body.lstrip().startswith(("{", "[")):
        return False, None
    try:
        return True, msgspec.json.decode(body.encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return False, None


def indented(value: Any, path: str = "body", depth: int = 0, label: str = "", comma: str = "") -> list[tuple[str, str]]:
    """A JSON value as indented lines, each with the path of what it shows, so that a line can be marked by path."""
    space = "  " * depth
    if isinstance(value, dict) and value:
        lines = [(path, f"{space}{label}{{")]
        for number, (key, item) in enumerate(value.items()):
            ending = "," if number < len(value) - 1 else ""
            lines += indented(item, f"{path}.{key}", depth + 1, f"{_json(key)}: ", ending)
        return [*lines, (path, f"{space}}}{comma}")]
    if isinstance(value, list) and value:
        lines = [(path, f"{space}{label}[")]
        for number, item in enumerate(value):
            lines += indented(item, f"{path}[{number}]", depth + 1, "", "," if number < len(value) - 1 else "")
        return [*lines, (path, f"{space}]{comma}")]
    return [(path, f"{space}{label}{_json(value)}{comma}")]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
