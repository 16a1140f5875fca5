"""`crossfade replay`: a stored finding again, and the ways in which that can be impossible."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bench import Bench, contract

pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def found(bench: Bench) -> tuple[Path, str]:
    """A contract that was run, and the id of its one finding."""
    path = contract(bench.folder / "pair", fault="lost")
    done = bench.crossfade("run", path, "--report", bench.reports)
    assert 1 == done.returncode, done.stderr
    [finding] = [one for one in bench.report()["findings"] if one["severity"] == "error"]
    assert f"crossfade replay {finding['id']}" == finding["replay"]
    assert finding["replay"] in done.stdout
    return path, finding["id"]


def test_a_finding_is_replayed_by_the_beginning_of_its_id(bench: Bench, found: tuple[Path, str]) -> None:
    done = bench.crossfade("replay", found[1][:6])
    assert 1 == done.returncode, done.stderr
    for word in ("write", "read", "canary", "stable", "milk"):
        assert word in done.stdout
    assert [] == bench.left()


def test_a_finding_is_replayed_from_a_report_file(bench: Bench, found: tuple[Path, str]) -> None:
    bench.environment["XDG_STATE_HOME"] = str(bench.folder / "another-state")
    assert 2 == bench.crossfade("replay", found[1]).returncode
    done = bench.crossfade("replay", found[1], "--report", bench.reports / "report.json")
    assert 1 == done.returncode, done.stderr


def test_an_unknown_id_names_those_that_are_stored(bench: Bench, found: tuple[Path, str]) -> None:
    done = bench.crossfade("replay", "ffff0000")
    assert (2, "") == (done.returncode, done.stdout)
    assert "no stored finding `ffff0000`" in done.stderr
    assert found[1] in done.stderr


def test_without_a_stored_run_there_is_nothing_to_replay(bench: Bench) -> None:
    done = bench.crossfade("replay", "3f2a9c")
    assert 2 == done.returncode
    assert "crossfade run" in done.stderr


def test_a_repaired_pair_no_longer_fails_the_replay(bench: Bench, found: tuple[Path, str]) -> None:
    contract(bench.folder / "pair")
    done = bench.crossfade("replay", found[1])
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"


def test_a_scenario_that_is_no_longer_there_cannot_be_replayed(bench: Bench, found: tuple[Path, str]) -> None:
    value = yaml.safe_load(found[0].read_text())
    value["scenarios"][0]["name"] = "another name"
    found[0].write_text(yaml.safe_dump(value, sort_keys=False))
    done = bench.crossfade("replay", found[1])
    assert 2 == done.returncode
    assert "is not in the contract as it was" in done.stderr


def test_a_contract_that_is_gone_cannot_be_replayed(bench: Bench, found: tuple[Path, str]) -> None:
    found[0].unlink()
    done = bench.crossfade("replay", found[1])
    assert 2 == done.returncode
    assert "ramp.yaml" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["", "{", "[]", '{"findings": []}', "\0\0"])
def test_a_file_that_is_no_report_is_refused(bench: Bench, content: str) -> None:
    file = bench.folder / "report.json"
    file.write_text(content)
    done = bench.crossfade("replay", "3f2a9c", "--report", file)
    assert 2 == done.returncode
    assert "is no report" in done.stderr and "Traceback" not in done.stderr
