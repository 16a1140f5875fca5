"""The report of `crossfade compat` as JUnit XML: a suite per direction, a test case per operation that something breaks,
and one case that says whether anything could be compared at all."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from crossfade.model.compat import Break, CompatReport, Severity
from crossfade.model.verdict import Verdict
from crossfade.report.compat_words import direction, headline, place_text
from crossfade.report.wording import one_line, printable

SUITE = "compat"


def compat_junit(report: CompatReport) -> str:
    """Errors that are not declared fail; an undecided place and an unknown verdict are errors of their case; warnings
    stand in `system-out`."""
    cases = [_verdict_case(report)]
    failures = 0
    errors = int(report.verdict is Verdict.UNKNOWN)
    groups: dict[tuple[str, str], list[Break]] = {}
    for one in report.breaks:
        if one.severity is Severity.ERROR and not one.declared:
            for operation in one.operations or ("",):
                groups.setdefault((direction(one), operation), []).append(one)
    for (suite, operation), found in groups.items():
        failures += 1
        cases.append(_case(f"{SUITE}.{suite}", operation, _failure(found)))
    notes = [_line(one) for one in report.breaks if one.severity is not Severity.ERROR or one.declared]
    notes += [f"compared: {line}" for line in report.compared]
    notes += [f"not compared: {line}" for line in report.not_compared]
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="crossfade compat" {counts} time="{report.seconds:.3f}">',
            f'  <testsuite name="{SUITE}" {counts} skipped="0" time="{report.seconds:.3f}">',
            *cases,
            f"    <system-out>{_text(chr(10).join(notes))}</system-out>",
            "  </testsuite>",
            "</testsuites>",
            "",
        ]
    )


def _verdict_case(report: CompatReport) -> str:
    problem = ""
    if report.verdict is Verdict.UNKNOWN:
        undecided = [_line(one) for one in report.breaks if one.unknown]
        text = "\n".join([headline(report), *undecided, *report.not_compared])
        problem = f'<error message={_attribute(headline(report))} type="unknown">{_text(text)}</error>'
    return _case(SUITE, "the versions were compared", problem)


def _failure(found: list[Break]) -> str:
    message = "; ".join(f"{one.rule} {one.id}: {one.message}" for one in found)
    body = "\n\n".join(_block(one) for one in found)
    return f"<failure message={_attribute(message)} type={_attribute(found[0].rule)}>{_text(body)}</failure>"


def _block(one: Break) -> str:
    rows = [
        f"{one.rule} {one.id}",
        one.message,
        f"between: {direction(one)}",
        f"at: {', '.join(one.stages)}" if one.stages else "",
        f"witness: {one.witness}" if one.witness is not None else "",
        f"stable: {place_text(one.stable)}" if one.stable else "",
        f"canary: {place_text(one.canary)}" if one.canary else "",
        f"instead: {one.advice}" if one.advice else "",
    ]
    return "\n".join(filter(None, rows))


def _line(one: Break) -> str:
    declared = " (declared)" if one.declared else ""
    return f"{one.severity.value}{declared}: {one.rule} {one.id}: {one.message}"


def _case(group: str, name: str, inside: str) -> str:
    opening = f'    <testcase classname={_attribute(group)} name={_attribute(name)} time="0"'
    return f"{opening}>{inside}</testcase>" if inside else f"{opening}/>"


def _attribute(text: str) -> str:
    return quoteattr(one_line(text, 2000))


def _text(text: str) -> str:
    return escape(printable(text)[:20000])
