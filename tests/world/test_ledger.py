"""The ledger: what a run that was killed has left is found and removed; what lives or is not ours is left alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import psutil
import pytest

from crossfade.errors import EnvironmentFailed
from crossfade.world import postgres, trees
from crossfade.world.ledger import Child, Entry, Ledger, OwnDatabase, clean, new_run_id, remove_folder, runs_folder

# A run that is going to be killed: a service with a child and a grandchild that ignore SIGTERM, each in a session of
# its own, the grandchild with an empty environment; and a directory.
DOOMED = """
import asyncio, sys
from pathlib import Path
from crossfade.model.contract import Instance, Service
from crossfade.model.ramp import Side
from crossfade.world import processes
from crossfade.world.ledger import Ledger

async def main(base, run):
    ledger = Ledger(run, base / "runs")
    ledger.add_directory(base / "work")
    service = Service("orders", Instance(run="python3 ../family.py ${port}"), ready="/family")
    places = (base / "work", base / "logs")
    running = await processes.start_instance(service, Side.STABLE, "main", {}, *places, ledger, run)
    print(running.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""
FAMILY = """
import http.server, os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] == "child":
    subprocess.Popen([sys.executable, __file__, "grandchild"], start_new_session=True, env={})
elif sys.argv[1] != "grandchild":
    subprocess.Popen([sys.executable, __file__, "child"], start_new_session=True)
    open("family", "w").close()
    http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
else:
    open("complete", "w").close()
time.sleep(600)
"""


def cleaned(folder: Path) -> tuple[list[str], list[str]]:
    """What `clean` removed, and what it noted."""
    notes: list[str] = []
    return asyncio.run(clean(notes.append, folder)), notes


def waited(*processes: psutil.Process) -> list[psutil.Process]:
    """Those that still live after some seconds."""
    return psutil.wait_procs(list(processes), timeout=10)[1]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def dead() -> Child:
    """A process of this boot that is gone."""
    process = subprocess.Popen(["true"])
    who = trees.identity(process.pid)
    process.wait()
    return Child(process.pid, who, "crossfade")


def abandoned(folder: Path, **fields: object) -> Path:
    """A ledger whose owner is dead."""
    ledger = Ledger(new_run_id(), folder)
    entry = msgspec.structs.replace(msgspec.json.decode(ledger.path.read_bytes(), type=Entry), owner=dead(), **fields)
    ledger.path.write_bytes(msgspec.json.encode(entry))
    return ledger.path


def test_a_run_killed_with_sigkill_leaves_nothing_after_clean(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "family.py").write_text(FAMILY)
    run = new_run_id()
    source = str(Path(trees.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", DOOMED, tmp_path, run],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source, "CROSSFADE_RUN": "another"},
    ) as doomed:
        assert doomed.stdout is not None
        pid = int(doomed.stdout.readline())
        service = psutil.Process(pid)
        while not (tmp_path / "work" / "complete").exists():
            assert doomed.poll() is None
        family = service.children(recursive=True)
        assert 2 == len(family)
        assert ([], []) == cleaned(tmp_path / "runs")  # its owner lives
        doomed.kill()
    assert [] == waited(service)  # dies with its parent
    assert family == [process for process in family if trees.is_alive(process.pid)]

    removed, notes = cleaned(tmp_path / "runs")

    assert [] == waited(*family)
    assert [] == notes
    assert {f"process {process.pid} (started by run {run})" for process in family} | {
        f"directory {tmp_path / 'work'}"
    } == set(removed)
    assert not (tmp_path / "work").exists()
    assert [] == list((tmp_path / "runs").iterdir())
    assert ([], []) == cleaned(tmp_path / "runs")


def test_a_process_number_that_was_given_to_somebody_else_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    path = abandoned(tmp_path, processes=(Child(stranger.pid, trees.identity(stranger.pid) + "0", "orders 1.2.3"),))
    assert ([], []) == cleaned(tmp_path)
    assert stranger.poll() is None
    assert not path.exists()


def test_a_recorded_process_that_still_lives_is_ended(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> None:
    abandoned(tmp_path, processes=(Child(stranger.pid, trees.identity(stranger.pid), "postgres"),))
    assert ([f"process {stranger.pid} (postgres)"], []) == cleaned(tmp_path)
    assert not trees.is_alive(stranger.pid)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"host": "elsewhere"}, "on another machine (`elsewhere`); left alone"),
        ({"namespace": "pid:[1]"}, "in another container of this machine; left alone"),
    ],
)
def test_runs_whose_processes_cannot_be_seen_from_here_are_left_alone(
    tmp_path: Path, fields: dict[str, str], note: str
) -> None:
    path = abandoned(tmp_path / "runs", directories=(str(tmp_path / "work"),), **fields)
    (tmp_path / "work").mkdir()
    removed, notes = cleaned(tmp_path / "runs")
    assert [] == removed
    assert note in notes[0]
    assert path.exists()
    assert (tmp_path / "work").exists()


def test_after_a_restart_of_the_machine_every_run_is_over(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    me = Child(os.getpid(), f"an-earlier-boot:{trees.identity(os.getpid()).split(':')[1]}")
    path = abandoned(tmp_path / "runs", directories=(str(tmp_path / "work"),))
    entry = msgspec.json.decode(path.read_bytes(), type=Entry)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(entry, owner=me)))
    assert ([f"directory {tmp_path / 'work'}"], []) == cleaned(tmp_path / "runs")


def test_a_database_whose_server_does_not_answer_is_kept_for_the_next_time(tmp_path: Path) -> None:
    ledger = Ledger(new_run_id(), tmp_path)
    ledger.add_database("postgresql://nobody@127.0.0.1:1/postgres", "crossfade_x")
    entry = msgspec.json.decode(ledger.path.read_bytes(), type=Entry)
    ledger.path.write_bytes(msgspec.json.encode(msgspec.structs.replace(entry, owner=dead())))
    removed, notes = cleaned(tmp_path)
    assert [] == removed
    assert f"database crossfade_x of run {ledger.run_id} could not be removed" in notes[0]
    assert (entry.databases, 0) == (
        msgspec.json.decode(ledger.path.read_bytes(), type=Entry).databases,
        len(msgspec.json.decode(ledger.path.read_bytes(), type=Entry).directories),
    )


def test_databases_are_dropped_whoever_uses_them(tmp_path: Path) -> None:
    async def run() -> tuple[list[str], list[str], list[str]]:
        notes: list[str] = []
        ledger = Ledger(new_run_id(), tmp_path / "runs")
        server = await postgres.launch(None, tmp_path, tmp_path / "logs", ledger, notes.append)
        try:
            for name in ("used", 'te"mplate', "kept"):
                await server.create(name)
            admin = await asyncpg.connect(server.admin_url)
            await admin.execute('alter database "te""mplate" is_template true')
            user = await asyncpg.connect(server.url("used"))
            names = ("used", 'te"mplate', "gone already")
            abandoned(tmp_path / "old", databases=tuple(OwnDatabase(server.admin_url, name) for name in names))
            removed = await clean(notes.append, tmp_path / "old")
            left = [row[0] for row in await admin.fetch("select datname from pg_database order by 1")]
            await admin.close()
            user.terminate()
        finally:
            await server.close()
        return removed, notes, left

    removed, notes, left = asyncio.run(run())
    assert ["database used", 'database te"mplate', "database gone already"] == removed
    assert [] == notes
    assert ["kept", "postgres", "template0", "template1"] == left


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"run": ')
    (tmp_path / ".old.json.1").write_text("half written when it was killed")
    os.utime(tmp_path / ".old.json.1", (0, 0))
    (tmp_path / ".new.json.1").write_text("being written")
    removed, notes = cleaned(tmp_path)
    assert ([], 1) == (removed, len(notes))
    assert [".new.json.1", "x.json"] == sorted(path.name for path in tmp_path.iterdir())


def test_links_and_the_top_of_the_tree_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    abandoned(tmp_path / "runs", directories=("/", "/home", str(tmp_path / "link")))
    assert ([], []) == cleaned(tmp_path / "runs")
    assert (tmp_path / "mine").is_dir()


def test_the_ledger_says_what_there_is_and_goes_when_closed(tmp_path: Path) -> None:
    ledger = Ledger("20260101-0000-abcdef", tmp_path)
    ledger.add_process(os.getpid(), "me")
    ledger.add_directory(tmp_path / "a")
    ledger.add_directory(tmp_path / "b")
    ledger.add_database("postgresql://u:secret@h/postgres", "d")
    ledger.add_project("p")
    ledger.remove_directory(tmp_path / "a")
    entry = msgspec.json.decode(ledger.path.read_bytes(), type=Entry)
    assert ("20260101-0000-abcdef", (str(tmp_path / "b"),), "d", ("p",)) == (
        entry.run,
        entry.directories,
        entry.databases[0].name,
        entry.projects,
    )
    assert entry.owner.identity == entry.processes[0].identity == trees.identity(os.getpid())
    assert 0o600 == ledger.path.stat().st_mode & 0o777
    assert [ledger.path] == list(tmp_path.iterdir())
    ledger.remove_process(os.getpid())
    ledger.remove_database("postgresql://u:secret@h/postgres", "d")
    ledger.remove_project("p")
    entry = msgspec.json.decode(ledger.path.read_bytes(), type=Entry)
    assert ((), (), ()) == (entry.processes, entry.databases, entry.projects)
    ledger.close()
    assert [] == list(tmp_path.iterdir())


def test_a_full_disk_stops_a_run_before_anything_is_started(tmp_path: Path) -> None:
    code = """
import resource, signal, sys
from pathlib import Path
from crossfade.errors import EnvironmentFailed
from crossfade.world.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger("a", Path(sys.argv[1]))
ledger.add_directory(Path("/tmp/x"))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
ledger.remove_directory(Path("/tmp/x"))  # does not fail: a line too many does no harm
for attempt in (lambda: ledger.add_directory(Path("/tmp/y")), lambda: Ledger("b", Path(sys.argv[1]))):
    try:
        attempt()
    except EnvironmentFailed as problem:
        print(problem.message)
"""
    source = str(Path(trees.__file__).parents[2])
    output = subprocess.run(
        [sys.executable, "-c", code, tmp_path], env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True
    )
    assert ["the ledger of this run cannot be written: File too large"] * 2 == output.stdout.splitlines()
    assert [tmp_path / "a.json"] == list(tmp_path.iterdir())


def test_a_state_directory_that_cannot_be_made_is_an_environment_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailed, match="the ledger of this run cannot be written"):
        Ledger("a", tmp_path / "file" / "runs")


def test_ledgers_lie_in_the_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert tmp_path / "crossfade" / "runs" == runs_folder()
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/not/allowed")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert tmp_path / "me" / ".local" / "state" / "crossfade" / "runs" == runs_folder()


def test_run_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_run_id() for _ in range(20)]
    assert 20 == len(set(ids))
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)


def test_a_folder_with_read_only_directories_is_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "file").write_text("")
    (tmp_path / "gone" / "locked").mkdir(parents=True)
    (tmp_path / "gone" / "locked" / "file").write_text("")
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "keep")
    (tmp_path / "gone" / "locked").chmod(0o500)
    remove_folder(tmp_path / "gone")
    assert ["keep"] == [path.name for path in tmp_path.iterdir()]
    assert (tmp_path / "keep" / "file").exists()
