"""The command line as people meet it: help, examples, exit codes, pipes, questions."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from bench import PAIR, Bench, contract

import crossfade.session
from crossfade.cli import main
from crossfade.errors import EXIT_BUG, UsageError
from crossfade.model.contract import Contract
from crossfade.session.options import Hear, Options

pytestmark = pytest.mark.timeout(280)
COMMANDS = ("demo", "run", "plan", "init", "replay", "explain", "clean", "schema")


def test_the_help_names_every_command_with_examples_and_exit_codes(bench: Bench) -> None:
    done = bench.crossfade("--help")
    assert (0, "") == (done.returncode, done.stderr)
    for command in COMMANDS:
        assert f"    {command} " in done.stdout
    assert "examples:" in done.stdout and "exit codes:" in done.stdout
    assert done.stdout == bench.crossfade().stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(bench: Bench, command: str) -> None:
    done = bench.crossfade(command, "--help")
    assert (0, "") == (done.returncode, done.stderr)
    assert f"usage: crossfade {command}" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("rum",),
        ("run", "nowhere.yaml"),
        ("run", "--budget", "soon"),
        ("run", "--budget", "-3s"),
        ("run", "--races", "some"),
        ("run", "--stampede", "-1"),
        ("run", "--stampede", "many"),
        ("run", "--stampede", "10000000"),
        ("demo", "--bound", "4"),
        ("demo", "--bound", "two"),
        ("plan", "nowhere.yaml"),
        ("schema", "verdict"),
        ("replay",),
        ("explain", "mixed-samenes"),
        ("run", "--scenario", "no such scenario", str(PAIR.parent / "notes")),
    ],
)
def test_mistakes_on_the_command_line_exit_with_two_and_one_screen(bench: Bench, arguments: tuple[str, ...]) -> None:
    done = bench.crossfade(*arguments)
    assert (2, "") == (done.returncode, done.stdout), done.stderr
    assert "error: " in done.stderr and "Traceback" not in done.stderr


def test_the_options_of_races_and_their_values_reach_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Options] = []

    async def run(contract: Contract, options: Options, hear: Hear) -> NoReturn:
        seen.append(options)
        raise UsageError("enough seen")

    monkeypatch.setattr(crossfade.session, "run_contract", run)
    path = str(contract(tmp_path / "pair"))
    assert 2 == main(["run", path])
    assert 2 == main(["run", path, "--races", "declared", "--stampede", "500", "--bound", "0"])
    assert [("auto", 20, 2), ("declared", 500, 0)] == [(one.races, one.stampede, one.bound) for one in seen]


@pytest.mark.parametrize("problem", [ValueError("not in the list"), OSError(9, "bad file descriptor")])
def test_a_bug_of_ours_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: Exception
) -> None:
    async def run(contract: Contract, options: Options, hear: Hear) -> NoReturn:
        raise problem

    monkeypatch.setattr(crossfade.session, "run_contract", run)
    assert EXIT_BUG == main(["run", str(contract(tmp_path / "pair"))])
    told = capsys.readouterr()
    assert "" == told.out and "Traceback" in told.err and "error: this is a bug of Crossfade" in told.err


def test_the_plan_says_which_calls_are_tried_at_the_same_time(bench: Bench) -> None:
    path = contract(bench.folder / "pair")
    meeting = "pairs of calls whose reads and writes meet are tried together where both sides serve: half"
    nothing = "no races: no calls at the same time"
    for arguments, said in (((), meeting), (("--races", "declared"), ""), (("--races", "off"), nothing)):
        lines = " ".join(bench.crossfade("plan", path, *arguments).stdout.split())
        assert ([said] if said else []) == [text for text in (meeting, nothing) if text in lines]


def test_an_unknown_rule_is_answered_with_the_nearest(bench: Bench) -> None:
    assert "did you mean `mixed-sameness`?" in bench.crossfade("explain", "mixed-samenes").stderr


def test_every_rule_has_a_page(bench: Bench) -> None:
    rules = bench.crossfade("explain").stdout.split()
    assert "mixed-sameness" in rules
    page = bench.crossfade("explain", "mixed-sameness")
    assert 0 == page.returncode and "mixed-sameness" in page.stdout


def test_an_unknown_scenario_is_answered_with_those_there_are(bench: Bench) -> None:
    done = bench.crossfade("run", contract(bench.folder / "pair"), "--scenario", "another")
    assert 2 == done.returncode
    assert "a note can be read back" in done.stderr


@pytest.mark.parametrize("arguments", ["plan {path}", "explain", "explain mixed-sameness", "schema contract", "--help"])
def test_a_reader_that_stops_early_is_no_error(bench: Bench, arguments: str) -> None:
    path = contract(bench.folder / "pair")
    words = " ".join(bench.command(*arguments.format(path=path).split()))
    shell = f"{words} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], env=bench.environment, capture_output=True, text=True, check=False)
    assert ("0\n", "") == (done.stdout, done.stderr)


def test_a_reader_that_stops_early_does_not_change_the_verdict(bench: Bench) -> None:
    path = contract(bench.folder / "pair", fault="lost")
    words = " ".join(bench.command("run", path, "--report", bench.reports))
    shell = f"{words} 2>&1 | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], env=bench.environment, capture_output=True, text=True, check=False)
    assert ["plan", "1"] == done.stdout.split()
    assert "unsafe" == bench.report()["verdict"]
    assert [] == bench.left()


def test_data_goes_to_stdout_and_progress_to_stderr_without_colour(bench: Bench) -> None:
    done = bench.crossfade("run", contract(bench.folder / "pair"))
    assert done.stdout.rstrip().splitlines()[-1].startswith("safe: ")
    assert "starting databases" in done.stderr and "starting databases" not in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_quiet_leaves_only_the_findings_and_the_verdict(bench: Bench) -> None:
    done = bench.crossfade("run", contract(bench.folder / "pair"), "--quiet")
    assert (0, "") == (done.returncode, done.stderr)


def test_the_published_schemas_are_json(bench: Bench) -> None:
    for what in ("contract", "report"):
        assert "$schema" in json.loads(bench.crossfade("schema", what).stdout)


# --- init ----------------------------------------------------------------------------------------------------------


def test_init_does_not_overwrite_without_being_told(bench: Bench) -> None:
    file = bench.folder / "ramp.yaml"
    file.write_text("mine")
    done = bench.crossfade("init", "--yes", "--output", file)
    assert (2, "mine") == (done.returncode, file.read_text())
    assert 0 == bench.crossfade("init", "--yes", "--force", "--postgres", "no", "--output", file).returncode
    assert 0 == bench.crossfade("plan", file).returncode


def test_init_asks_on_a_terminal_and_writes_a_contract_that_can_be_planned(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("create table notes (id serial primary key);")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        bench.command("init"), env=bench.environment, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path
    )
    os.close(theirs)
    os.write(ours, b"\n" * 40)  # every question has a default
    shown = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
        if not data:
            break
        shown += data
    assert 0 == process.wait(), shown.decode()
    assert b"wrote ramp.yaml" in shown
    planned = bench.crossfade("plan", tmp_path / "ramp.yaml")
    assert 0 == planned.returncode, planned.stderr


def test_init_with_flags_writes_a_contract_that_runs(bench: Bench) -> None:
    contract(bench.folder / "pair")  # the service and its schema
    answers = {
        "service": "notes",
        "stable-version": "1.0.0",
        "stable-run": "python service.py ${port} 1.0.0",
        "canary-version": "1.1.0",
        "canary-run": "python service.py ${port} 1.1.0",
        "ready": "/healthz",
        "postgres": "yes",
        "schema": "schema.sql",
        "migrations": "",
        "redis": "no",
        "call": "GET /healthz",
    }
    flags = [part for name, text in answers.items() for part in (f"--{name}", text)]
    file = bench.folder / "pair" / "mine.yaml"
    written = bench.crossfade("init", "--yes", *flags, "--output", file)
    assert 0 == written.returncode, written.stderr
    done = bench.crossfade("run", file, "--report", bench.reports)
    assert 0 == done.returncode, f"{file.read_text()}\n{done.stdout}\n{done.stderr}"
