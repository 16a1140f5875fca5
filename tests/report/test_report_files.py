"""report.json, junit.xml, report.md and the folder they are written into."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import jsonschema_rs
import msgspec
import pytest
import samples

from crossfade.errors import EXIT_ENVIRONMENT, EnvironmentFailed
from crossfade.model.report import Report
from crossfade.report import write_reports
from crossfade.report.data import json_report, report_schema, report_schema_text
from crossfade.report.junit import junit_report
from crossfade.report.markdown import LIMIT, markdown_report

ALL = (
    "demo_report",
    "race_report",
    "safe_report",
    "unknown_report",
    "empty_report",
    "hostile_report",
    "hostile_race_report",
)
SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


@pytest.mark.parametrize("name", ALL)
def test_report_json_fits_the_published_schema(name: str) -> None:
    validator = jsonschema_rs.validator_for(report_schema())
    assert [] == [error.message for error in validator.iter_errors(json.loads(json_report(getattr(samples, name)())))]


def test_report_json_reads_back_as_the_same_report() -> None:
    for report in (samples.demo_report(), samples.race_report()):
        assert msgspec.json.decode(json_report(report), type=Report) == report


def test_the_schema_refuses_a_report_without_a_verdict() -> None:
    value = json.loads(json_report(samples.demo_report()))
    del value["verdict"]
    assert not jsonschema_rs.validator_for(report_schema()).is_valid(value)


def test_the_published_schema_is_the_one_of_the_types() -> None:
    """After a change of the types: write `report_schema_text()` into the file."""
    assert SCHEMA_FILE.read_text() == report_schema_text()


@pytest.mark.parametrize("name", (*ALL, "huge_report"))
def test_junit_is_xml_whose_counts_are_true(name: str) -> None:
    root = ElementTree.fromstring(junit_report(getattr(samples, name)()))
    for suite in (root, *root.iter("testsuite")):
        assert int(suite.get("tests", "")) == len(list(suite.iter("testcase"))) > 0
        assert int(suite.get("failures", "")) == len(list(suite.iter("failure")))
        assert int(suite.get("errors", "")) == len(list(suite.iter("error")))


def test_junit_has_a_case_per_scenario_and_check_and_names_the_findings() -> None:
    root = ElementTree.fromstring(junit_report(samples.demo_report()))
    failing = {
        (case.get("classname"), case.get("name")): failure.get("message", "")
        for case in root.iter("testcase")
        for failure in case.iter("failure")
    }
    assert set(failing) == {
        ("an order can be read back", "sameness"),
        ("an order can be read back", "status"),
        ("a note survives an update", "sameness"),
        ("orders can be paid", "sameness"),
    }
    both = failing["a note survives an update", "sameness"]
    assert "9c41be07a2d3" in both and "27f0d5513be8" in both
    assert not list(root.iter("error"))


def test_junit_of_a_safe_run_passes_and_of_an_unknown_one_errs() -> None:
    safe = ElementTree.fromstring(junit_report(samples.safe_report()))
    assert (safe.get("failures"), safe.get("errors"), safe.get("tests")) == ("0", "0", "28")
    unknown = ElementTree.fromstring(junit_report(samples.unknown_report()))
    assert unknown.get("errors") == "1"
    error = next(unknown.iter("error"))
    assert error.get("message") == "unknown: orders 1.3.0 died at stage `third`, 40 of 158 routings were explored"


def test_a_finding_of_no_scenario_fails_a_case_of_the_run() -> None:
    report = samples.demo_report()
    bare = msgspec.structs.replace(report.findings[0], scenario="", scenarios=(), witness=None, operation="")
    root = ElementTree.fromstring(junit_report(msgspec.structs.replace(report, findings=(bare,))))
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == [
        "sameness: mixed-sameness"
    ]


def test_the_pull_request_text_tells_verdict_findings_and_guarantee() -> None:
    text = markdown_report(samples.demo_report())
    assert text.startswith(
        "## ❌ Crossfade: unsafe\n\n**4 findings, 3 make mixed traffic fail and 1 makes rollback unsafe**"
    )
    assert "| 1 | `body.amount` is 5 where both versions alone give 500" in text
    assert "`p(1-p)` | 21% at `third` |" in text
    assert "| `pay` `POST /orders/{id}/payment` | stable 1.2.3 | rollback from `all` | 409 |" in text
    assert "Point of no return: from stage `first` on, rollback is not safe." in text
    assert "```sh\ncrossfade replay 9c41be07a2d3\n```" in text
    assert "Guarantee: exact" in text


@pytest.mark.parametrize("name", (*ALL, "huge_report"))
def test_the_pull_request_text_fits_a_comment_and_closes_what_it_opens(name: str) -> None:
    text = markdown_report(getattr(samples, name)())
    assert len(text.encode()) <= LIMIT
    lines = text.splitlines()
    assert lines.count("<details>") == lines.count("</details>")
    assert sum(line.startswith("```") for line in lines) % 2 == 0


def test_a_text_that_had_to_be_cut_says_what_is_missing() -> None:
    text = markdown_report(samples.huge_report())
    shown = len(re.findall(r"^<summary><b>\d+\.", text, re.MULTILINE))
    assert 0 < shown < 200
    assert f"_The details of {200 - shown} more findings are left out for length: see `report.html`._" in text


def test_the_longest_texts_in_many_bytes_fit_too() -> None:
    report = samples.demo_report()
    finding = msgspec.structs.replace(report.findings[0], message="契約|*_" * 400, advice="`契|約` " * 900)
    many = msgspec.structs.replace(report, findings=(finding,) * 60, not_explored=("契約_*" * 500,) * 50)
    assert len(markdown_report(many).encode()) <= LIMIT


@pytest.mark.parametrize("name", ["hostile_report", "hostile_race_report"])
def test_hostile_text_stays_text_in_the_pull_request(name: str) -> None:
    text = markdown_report(getattr(samples, name)())
    outside_fences = re.sub(r"^```sh\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    outside_code = re.sub(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)", "", outside_fences)
    assert "<script" not in outside_code and "<img" not in outside_code
    assert "@octocat" not in outside_code


def test_all_files_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "deep"
    paths = write_reports(samples.demo_report(), folder)
    assert [path.name for path in paths] == ["report.json", "junit.xml", "report.md", "report.html"]
    assert sorted(folder.iterdir()) == sorted(paths)
    write_reports(samples.safe_report(), folder)
    assert json.loads((folder / "report.json").read_text())["verdict"] == "safe"


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_reports(samples.demo_report(), tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_full_disk_names_the_file_and_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_reports(samples.safe_report(), tmp_path)
    before = (tmp_path / "report.json").read_bytes()

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EnvironmentFailed) as caught:
        write_reports(samples.demo_report(), tmp_path)
    assert caught.value.exit_code == EXIT_ENVIRONMENT
    assert f"`{tmp_path / 'report.json'}` cannot be written: No space left on device" in caught.value.message
    assert (tmp_path / "report.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_a_folder_that_is_a_file_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(EnvironmentFailed, match="cannot be written"):
        write_reports(samples.safe_report(), tmp_path / "out")
