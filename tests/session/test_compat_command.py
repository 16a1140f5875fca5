"""`crossfade compat` as a command: where it writes, what it is refused, what the contract decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossfade.cli import main
from crossfade.formats.ramp import read_contract
from crossfade.model.report import Verdict
from crossfade.session.compat import compat_of

API = """\
openapi: 3.1.0
info: { title: orders, version: "1" }
paths:
  /orders:
    get:
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema:
                type: object
                additionalProperties: false
                properties: { id: { type: integer } }
"""
RAMP = """\
services:
  orders:
    stable: { version: "1.2.3", url: "http://127.0.0.1:1", openapi: api/old.yaml }
    canary: { version: "1.3.0", url: "http://127.0.0.1:2", openapi: api/new.yaml }
ramp: [{ stage: before }, { stage: half, weight: 50% }]
scenarios: [{ name: read, steps: [{ call: GET /orders }] }]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "old.yaml").write_text(API)
    (tmp_path / "api" / "new.yaml").write_text(API.replace("{ id:", "{ note: { type: string }, id:"))
    (tmp_path / "ramp.yaml").write_text(RAMP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_contract_says_how_its_readers_read(folder: Path) -> None:
    assert compat_of(read_contract("ramp.yaml")).verdict is Verdict.SAFE
    (folder / "ramp.yaml").write_text(f"{RAMP}reader: strict\n")
    report = compat_of(read_contract("ramp.yaml"))
    assert (report.verdict, [one.rule for one in report.breaks]) == (Verdict.UNSAFE, ["response-extra-field"])
    assert main(["compat"]) == 1
    assert main(["compat", "--reader", "tolerant"]) == 0


def test_documents_are_named_as_somebody_here_would(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "api")
    report = compat_of(read_contract("../ramp.yaml"))
    assert report.documents == ("old.yaml", "new.yaml")


def test_a_file_gets_the_report_and_stdout_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compat", "--format", "json", "--output", "compat.json"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "safe: no break; written to compat.json\n")
    report = json.loads((folder / "compat.json").read_text())
    assert report["verdict"] == "safe"
    assert [epoch["stages"] for epoch in report["timeline"]] == [["before"], ["half"]]


def test_an_output_that_cannot_be_written_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compat", "--output", "api"]) == 2
    assert "`api` cannot be written" in capsys.readouterr().err


def test_ids_are_the_same_wherever_the_lines_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ids() -> list[tuple[str, int]]:
        main(["compat", "api/old.yaml", "api/new.yaml", "--reader", "strict", "--format", "json"])
        report = json.loads(capsys.readouterr().out)
        return [(one["id"], one["canary"]["line"]) for one in report["breaks"]]

    before = ids()
    (folder / "api" / "new.yaml").write_text("# a comment\n\n" + (folder / "api" / "new.yaml").read_text())
    assert ids() == [(one, line + 2) for one, line in before] != []


def test_the_schema_of_the_json_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "compat"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Crossfade compat report"


def test_every_rule_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "response-required-field"]) == 0
    assert "why it hurts during a ramp" in capsys.readouterr().out
