"""Whole runs at the edges: little time, nothing to see, strange places, two at once, the same again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import PAIR, Bench, contract, reads

pytestmark = pytest.mark.timeout(280)


def test_a_run_without_time_says_what_it_did_not_look_at(bench: Bench) -> None:
    path = contract(bench.folder / "pair", steps=reads(11), env={"DELAY": "0.01"})
    done = bench.crossfade("run", path, "--report", bench.reports, "--budget", "1s", "--merge", "off")
    exercised = bench.report()["exercised"]
    assert done.returncode in (0, 3), done.stderr
    assert 4096 == exercised["routings"]["possible"]
    assert 0 < exercised["routings"]["explored"] < 4096
    assert exercised["guarantee"].startswith("sampled: ")
    assert "exact" not in exercised["guarantee"]
    assert (done.returncode == 3) == (bench.report()["verdict"] == "unknown")


@pytest.mark.parametrize("fault", ["refuse", "fail"])
@pytest.mark.parametrize("steps", [None, [{"step": "one", "call": "GET /notes/1"}]])
def test_a_scenario_of_which_nothing_works_is_unknown(
    bench: Bench, fault: str, steps: list[dict[str, Any]] | None
) -> None:
    done = bench.crossfade("run", contract(bench.folder / "pair", fault=fault, steps=steps), "--report", bench.reports)
    assert (3, "unknown") == (done.returncode, bench.report()["verdict"]), done.stdout


def test_a_refusal_that_the_scenario_expects_is_something_to_look_at(bench: Bench) -> None:
    steps = [{"step": "one", "call": "GET /notes/1", "expect": "status == 404"}]
    done = bench.crossfade("run", contract(bench.folder / "pair", steps=steps))
    assert 0 == done.returncode, done.stdout


def test_a_contract_without_scenarios_is_never_safe(bench: Bench) -> None:
    path = contract(bench.folder / "pair", more={"scenarios": []})
    done = bench.crossfade("run", path)
    assert done.returncode in (2, 3), done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[list[str]]:
    """Two versions that run already, somewhere."""
    found, processes = [], []
    for version in ("1.0.0", "1.1.0"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, str(PAIR / "service.py"), str(port), version]
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        found.append(f"http://127.0.0.1:{port}")
    yield found
    for process in processes:
        process.kill()
        process.wait()


def test_services_that_run_already_are_only_called(bench: Bench, addresses: list[str]) -> None:
    """Each keeps its notes to itself, so that what one wrote the other does not find."""
    sides = {
        "run": None,
        "env": {},
        "stable": {"version": "1.0.0", "url": addresses[0]},
        "canary": {"version": "1.1.0", "url": addresses[1]},
    }
    service = {name: value for name, value in sides.items() if value}
    path = contract(bench.folder / "pair", database=False, service=service)
    done = bench.crossfade("run", path, "--report", bench.reports)
    assert done.returncode in (1, 3), f"{done.stdout}\n{done.stderr}"
    assert [] == bench.left()


def test_two_runs_of_one_contract_at_the_same_time(bench: Bench) -> None:
    path = contract(bench.folder / "pair", fault="lost")
    with bench.started("run", path) as first:
        second = bench.crossfade("run", path, "--report", bench.reports)
        first.wait()
    assert (1, 1) == (first.returncode, second.returncode), f"{bench.printed()}\n{second.stderr}"
    assert [] == bench.left()


def test_a_contract_in_a_strange_folder_from_somewhere_else(bench: Bench) -> None:
    path = contract(bench.folder / "Übergang von alt & neu; $(x) 'q'")
    done = bench.crossfade("run", path.relative_to(bench.folder), "--report", "ein Bericht", cwd=bench.folder)
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"
    assert (bench.folder / "ein Bericht" / "report.html").is_file()


def test_the_contract_of_the_folder_one_stands_in_is_the_default(bench: Bench) -> None:
    path = contract(bench.folder / "pair")
    done = bench.crossfade("run", cwd=path.parent)
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}"
    assert {"ramp.yaml", "service.py", "schema.sql"} == {file.name for file in path.parent.iterdir()}


def test_a_migration_does_not_wait_for_an_idle_transaction_for_ever(bench: Bench) -> None:
    ramp = [
        {"stage": "before"},
        {"stage": "expand", "phase": "expand", "sql": "expand.sql"},
        {"stage": "half", "weight": "50%"},
    ]
    path = contract(bench.folder / "pair", fault="idle", ramp=ramp)
    (path.parent / "expand.sql").write_text("alter table notes add column colour text;")
    done = bench.crossfade("run", path, "--report", bench.reports)
    assert done.returncode in (0, 1, 3), f"{done.stdout}\n{done.stderr}"
    assert bench.report()["exercised"]["calls"]
    assert [] == bench.left()


def test_the_same_run_again_finds_the_same(bench: Bench) -> None:
    path = contract(bench.folder / "pair", fault="lost", steps=reads(2))
    seen = []
    for _ in range(3):
        bench.crossfade("run", path, "--report", bench.reports)
        seen.append([(one["id"], one["rule"], one["cause"], one["chance"]) for one in bench.report()["findings"]])
    assert seen[0] and seen[0] == seen[1] == seen[2]


# --- where nothing can be written ----------------------------------------------------------------------------------


def test_a_report_folder_that_cannot_be_is_told_before_the_run(bench: Bench) -> None:
    (bench.folder / "file").write_text("")
    done = bench.crossfade("run", contract(bench.folder / "pair"), "--report", bench.folder / "file" / "report")
    assert (2, "") == (done.returncode, done.stdout)
    assert "cannot be written" in done.stderr


def test_a_state_folder_that_cannot_be_is_told_in_one_screen(bench: Bench) -> None:
    bench.environment["XDG_STATE_HOME"] = "/dev/null/state"
    for arguments in (("run", contract(bench.folder / "pair")), ("clean",), ("replay", "3f2a9c")):
        done = bench.crossfade(*arguments)
        assert "Traceback" not in done.stderr
        assert done.returncode in ((0, 2, 4) if arguments[0] != "run" else (4,)), done.stderr


def test_a_cache_folder_that_cannot_be_is_done_without(bench: Bench) -> None:
    bench.environment["XDG_CACHE_HOME"] = "/dev/null/cache"
    done = bench.crossfade("run", contract(bench.folder / "pair"))
    assert 0 == done.returncode, done.stderr


def test_a_home_is_not_needed(bench: Bench) -> None:
    del bench.environment["XDG_STATE_HOME"]
    bench.environment["HOME"] = str(bench.folder / "no" / "home")
    done = bench.crossfade("run", contract(bench.folder / "pair"))
    assert 0 == done.returncode, done.stderr


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_an_unprivileged_user_in_a_folder_that_cannot_be_written(bench: Bench) -> None:
    path = contract(bench.folder / "pair")
    for parent in bench.folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)
    bench.temporary.chmod(0o777)
    bench.state.mkdir(mode=0o777)
    bench.state.chmod(0o777)
    bench.environment["HOME"] = "/"
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *bench.command("run", path)]
    probe = [*command[:5], "-c", "import crossfade.session"]
    tried = subprocess.run(probe, env=bench.environment, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip("this installation cannot be read by others")
    done = subprocess.run(command, env=bench.environment, capture_output=True, text=True, cwd="/", check=False)
    assert 0 == done.returncode, done.stderr
    assert [] == bench.left()
