"""Every format of `crossfade compat` says the same and is what its readers expect."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from crossfade.model.compat import Break, CompatReport, Crossing, EpochPairs, Meeting, Place, Severity
from crossfade.model.verdict import Verdict
from crossfade.report.compat import written
from crossfade.report.compat_data import compat_schema, compat_schema_text

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "reference" / "compat.schema.json"
HOSTILE = 'a "name", with: 100% <b>|`ticks`|\x1b[31m\nand a line'


def broken(**more: object) -> Break:
    base = dict(
        rule="response-type",
        id="0123456789ab",
        severity=Severity.ERROR,
        crossing=Crossing.RESPONSE,
        writer="canary",
        reader="stable",
        operations=("GET /orders/{id}", "GET /orders"),
        path="body.id",
        message="the canary may answer `0` as `body.id`",
        witness='{"id": 0}',
        stable=Place("api/old one.yaml", 3, 5, "/components/schemas/Order"),
        canary=Place("api/new.yaml", 4, 7, "/components/schemas/Order"),
        stages=("half",),
        advice="keep the type",
    )
    return Break(**{**base, **more})  # type: ignore[arg-type]


def report(*breaks: Break, verdict: Verdict = Verdict.UNSAFE, **more: object) -> CompatReport:
    base = dict(
        format="crossfade-compat-1",
        tool="crossfade 0.1.0",
        verdict=verdict,
        reason="1 break",
        documents=("api/old one.yaml", "api/new.yaml"),
        breaks=breaks,
        timeline=(EpochPairs(("half",), "before", (Meeting("stable", "canary", ("0123456789ab",)),)),),
        compared=("2 operations",),
        not_compared=("a `$ref` that is not fetched",),
        seconds=0.1,
    )
    return CompatReport(**{**base, **more})  # type: ignore[arg-type]


SEVERAL = report(
    broken(),
    broken(id="b" * 12, severity=Severity.WARNING, operations=("POST /orders",), witness=None),
    broken(id="c" * 12, declared=True, message=HOSTILE, path=HOSTILE),
    broken(id="d" * 12, severity=Severity.INFO, canary=None, stages=()),
)


def test_the_json_follows_its_published_schema() -> None:
    text = written(SEVERAL, "json", None)
    assert jsonschema_rs.validator_for(compat_schema()).is_valid(json.loads(text))
    assert msgspec.json.decode(text, type=CompatReport) == SEVERAL


def test_the_published_schema_is_that_of_the_types() -> None:
    """After a change of the types: `crossfade schema compat > docs/reference/compat.schema.json`."""
    assert SCHEMA_FILE.read_text() == compat_schema_text()


def test_sarif_has_a_result_for_each_break_with_its_place_and_fingerprint() -> None:
    told = json.loads(written(SEVERAL, "sarif", None))
    assert told["version"] == "2.1.0"
    (run,) = told["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    results = run["results"]
    assert [result["level"] for result in results] == ["error", "warning", "error", "note"]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in results)
    assert [result["partialFingerprints"]["crossfade/v1"] for result in results] == [one.id for one in SEVERAL.breaks]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "api/new.yaml"}, "region": {"startLine": 4, "startColumn": 7}}
    assert results[0]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "api/old%20one.yaml"
    assert [bool(result.get("suppressions")) for result in results] == [False, False, True, False]
    assert results[3]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "api/old%20one.yaml"


def test_junit_fails_a_case_for_each_operation_that_an_error_reaches() -> None:
    root = xml.fromstring(written(SEVERAL, "junit", None))
    cases = root.findall("./testsuite/testcase")
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert failed == ["GET /orders/{id}", "GET /orders"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "2", "0")
    assert "declared" in (root.findtext("./testsuite/system-out") or "")


def test_junit_of_an_unknown_verdict_is_no_empty_success() -> None:
    root = xml.fromstring(written(report(verdict=Verdict.UNKNOWN, reason="nothing compared"), "junit", None))
    assert root.get("errors") == "1"
    assert root.find("./testsuite/testcase/error") is not None


def test_github_annotations_are_one_line_each_with_escaped_properties() -> None:
    lines = written(SEVERAL, "github", None).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::notice", "::notice", "unsafe:"]
    assert lines[0].startswith(
        "::error title=response-type 0123456789ab,file=api/new.yaml,line=4,col=7::the canary may"
    )
    assert "100%25" in lines[2]
    assert "\x1b" not in "".join(lines)


def test_markdown_names_the_breaks_and_escapes_what_comes_from_outside() -> None:
    text = written(SEVERAL, "markdown", None)
    assert text.startswith("## Unsafe: 1 break on the ramp\n")
    assert "- **response-type** `0123456789ab`: The canary may answer `0` as `body.id`" in text
    assert "| half | before | stable | canary | response-type |" in text
    assert "<b>" not in text.replace("\\<b\\>", "")


@pytest.mark.parametrize("format_name", ["text", "markdown"])
def test_people_read_the_verdict_first_and_what_to_do_next_last(format_name: str) -> None:
    lines = written(SEVERAL, format_name, None).strip().splitlines()
    assert "unsafe: 1 break" in lines[0].lower()
    assert "crossfade explain response-type" in lines[-1]


def test_many_breaks_stay_readable() -> None:
    many = report(*(broken(id=f"{n:012d}", path=f"body.f{n}") for n in range(120)))
    text = written(many, "text", None)
    assert text.count("   between   ") == 30
    assert text.count("response-type") > 120


def test_ninety_operations_are_counted_not_listed() -> None:
    one = broken(operations=tuple(f"GET /things{n}" for n in range(90)))
    assert "GET /things5 and 84 more" in " ".join(written(report(one), "text", None).split())
