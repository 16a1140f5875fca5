"""The ledger of a run: what it started, so that the next run or `crossfade clean` can remove what a kill -9 left.

One JSON file per run in $XDG_STATE_HOME/crossfade/runs (default ~/.local/state), replaced atomically at every change,
readable by its owner only (addresses of databases carry passwords).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from crossfade.errors import EnvironmentFailed
from crossfade.world import compose, trees
from crossfade.world.lost import LOST

DATABASE_TIMEOUT = 10.0  # seconds for one server to answer while cleaning


class Child(msgspec.Struct, frozen=True):
    pid: int
    identity: str
    note: str = ""


class OwnDatabase(msgspec.Struct, frozen=True):
    admin_url: str
    name: str


class Entry(msgspec.Struct, frozen=True):
    """What is in the file. `host` and `namespace` say where the process numbers mean something."""

    run: str
    owner: Child
    host: str
    namespace: str
    processes: tuple[Child, ...] = ()
    directories: tuple[str, ...] = ()
    databases: tuple[OwnDatabase, ...] = ()
    projects: tuple[str, ...] = ()  # of docker compose


def new_run_id() -> str:
    """Sortable by time, unique, and fit for names of databases and directories: `20261124-0152-3fa9c1`."""
    return f"{time.strftime('%Y%m%d-%H%M', time.gmtime())}-{secrets.token_hex(3)}"


def runs_folder() -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    try:
        base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    except RuntimeError:
        raise EnvironmentFailed("there is no home directory to keep the ledger in", hint="set XDG_STATE_HOME") from None
    return base / "crossfade" / "runs"


class Ledger:
    """The open ledger of this run. Adding raises EnvironmentFailed where the file cannot be written, so add *before*
    starting where possible; removing never fails (a stale line does no harm: processes are known by their start)."""

    def __init__(self, run_id: str, folder: Path | None = None) -> None:
        self.run_id = run_id
        self.path = (folder or runs_folder()) / f"{run_id}.json"
        me = Child(os.getpid(), trees.identity(os.getpid()), "crossfade")
        self._entry = Entry(run_id, me, socket.gethostname(), _namespace())
        self._write(self._entry)

    def add_process(self, pid: int, note: str) -> None:
        child = Child(pid, trees.identity(pid), note)
        self._write(msgspec.structs.replace(self._entry, processes=(*self._entry.processes, child)))

    def remove_process(self, pid: int) -> None:
        self._drop("processes", lambda child: child.pid == pid)

    def add_directory(self, path: Path) -> None:
        text = str(Path(path).absolute())
        self._write(msgspec.structs.replace(self._entry, directories=(*self._entry.directories, text)))

    def remove_directory(self, path: Path) -> None:
        text = str(Path(path).absolute())
        self._drop("directories", lambda line: line == text)

    def add_database(self, admin_url: str, name: str) -> None:
        line = OwnDatabase(admin_url, name)
        self._write(msgspec.structs.replace(self._entry, databases=(*self._entry.databases, line)))

    def remove_database(self, admin_url: str, name: str) -> None:
        self._drop("databases", lambda line: line == OwnDatabase(admin_url, name))

    def add_project(self, name: str) -> None:
        self._write(msgspec.structs.replace(self._entry, projects=(*self._entry.projects, name)))

    def remove_project(self, name: str) -> None:
        self._drop("projects", lambda line: line == name)

    def close(self) -> None:
        """Everything of the run is gone: so is its ledger."""
        self.path.unlink(missing_ok=True)

    def _drop(self, field: str, gone: Callable[[Any], bool]) -> None:
        kept = tuple(line for line in getattr(self._entry, field) if not gone(line))
        self._entry = msgspec.structs.replace(self._entry, **{field: kept})
        with contextlib.suppress(EnvironmentFailed):
            self._write(self._entry)

    def _write(self, entry: Entry) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(self.path, msgspec.json.format(msgspec.json.encode(entry), indent=1))
        except OSError as problem:
            raise EnvironmentFailed(
                f"the ledger of this run cannot be written: {problem.strerror or problem}",
                where=str(self.path),
                hint="free some space there, or set XDG_STATE_HOME to a directory that can be written",
            ) from None
        self._entry = entry


async def clean(note: Callable[[str], None], folder: Path | None = None) -> list[str]:
    """Removes what runs whose process is gone have left, and returns what was removed, one line each. `note` is told
    what could not be removed and why; its ledger stays for the next time."""
    removed: list[str] = []
    folder = folder or runs_folder()
    for draft in folder.glob(".*.json.*"):  # left by a kill -9 between writing and renaming
        with contextlib.suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > 60:
                draft.unlink()
    for path in sorted(folder.glob("*.json")):
        entry = _read(path, note)
        if entry is None or not _abandoned(entry, note):
            continue
        left = msgspec.structs.replace(
            entry,
            processes=await _without_processes(entry, removed, note),
            projects=await _without_projects(entry, removed, note),
            databases=await _without_databases(entry, removed, note),
            directories=_without_directories(entry, removed, note),  # last: a server may still have been in there
        )
        if left.processes or left.directories or left.databases or left.projects:
            with contextlib.suppress(OSError):
                _replace(path, msgspec.json.format(msgspec.json.encode(left), indent=1))
        else:
            path.unlink(missing_ok=True)
    return removed


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _read(path: Path, note: Callable[[str], None]) -> Entry | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Entry)
    except FileNotFoundError:  # closed a moment ago
        return None
    except (OSError, msgspec.DecodeError) as problem:
        note(f"`{path}` is no ledger that can be read ({problem}); left alone")
        return None


def _abandoned(entry: Entry, note: Callable[[str], None]) -> bool:
    if entry.host != socket.gethostname():
        note(f"run {entry.run} was started on another machine (`{entry.host}`); left alone")
        return False
    if not entry.owner.identity.startswith(trees.boot()):
        return True  # the machine was started again since
    if entry.namespace != _namespace():
        note(f"run {entry.run} was started in another container of this machine; left alone")
        return False
    return trees.identity(entry.owner.pid) != entry.owner.identity


def _namespace() -> str:
    """Where process numbers count: containers have their own."""
    try:
        return os.readlink("/proc/self/ns/pid") if sys.platform == "linux" else ""
    except OSError:
        return ""


async def _without_processes(entry: Entry, removed: list[str], note: Callable[[str], None]) -> tuple[Child, ...]:
    mark = f"{trees.RUN_VARIABLE}={entry.run}"

    def found() -> set[int]:
        # The session of a recorded child is ours while the child itself lives; otherwise its number may be somebody
        # else's by now, and only the mark tells.
        leaders = [child.pid for child in entry.processes if trees.identity(child.pid) == child.identity]
        return set().union(trees.members(0, mark), *(trees.members(leader, mark) for leader in leaders))

    notes = {child.pid: child.note for child in entry.processes}
    living = found()
    await trees.end_all(found)
    left = found()
    removed += [f"process {pid} ({notes.get(pid) or 'started by run ' + entry.run})" for pid in sorted(living - left)]
    for pid in sorted(left):
        note(f"process {pid} of run {entry.run} could not be ended")
    return tuple(Child(pid, trees.identity(pid), notes.get(pid, "")) for pid in sorted(left))


async def _without_projects(entry: Entry, removed: list[str], note: Callable[[str], None]) -> tuple[str, ...]:
    left = []
    for project in entry.projects:
        try:
            await compose.remove(project)
            removed.append(f"compose project {project}")
        except EnvironmentFailed as problem:
            note(f"compose project {project} could not be removed: {problem.message}")
            left.append(project)
    return tuple(left)


async def _without_databases(entry: Entry, removed: list[str], note: Callable[[str], None]) -> tuple[OwnDatabase, ...]:
    left = []
    for database in entry.databases:
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT):
                await _drop_database(database)
            removed.append(f"database {database.name}")
        except (asyncpg.PostgresError, *LOST, ValueError) as problem:
            note(f"database {database.name} of run {entry.run} could not be removed: {_reason(problem)}")
            left.append(database)
    return tuple(left)


async def _drop_database(database: OwnDatabase) -> None:
    if not database.admin_url.startswith(("postgres://", "postgresql://")):
        raise ValueError("only PostgreSQL databases are known to the ledger")
    connection = await asyncpg.connect(database.admin_url)
    try:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
            database.name,
        )
        quoted = '"' + database.name.replace('"', '""') + '"'
        template = "select datistemplate from pg_database where datname = $1"
        if await connection.fetchval(template, database.name):  # templates cannot be dropped
            await connection.execute(f"alter database {quoted} is_template false")
        await connection.execute(f"drop database if exists {quoted}")
    finally:
        connection.terminate()


def _reason(problem: BaseException) -> str:
    if isinstance(problem, TimeoutError):
        return "the server does not answer"
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def _without_directories(entry: Entry, removed: list[str], note: Callable[[str], None]) -> tuple[str, ...]:
    left = []
    for text in entry.directories:
        path = Path(text)
        if not path.exists() or path.is_symlink() or len(path.parts) < 3:  # never a link, / or /home
            continue
        try:
            remove_folder(path)
            removed.append(f"directory {path}")
        except OSError as problem:
            note(f"directory {path} could not be removed: {problem.strerror or problem}")
            left.append(text)
    return tuple(left)


def remove_folder(path: Path) -> None:
    """Removes a directory with everything in it, also below directories that were made read-only. Links are removed,
    never followed. Raises OSError."""

    def again(function: Callable[[str], object], name: str, info: Any) -> None:
        for one in (os.path.dirname(name), name):
            with contextlib.suppress(OSError):
                if not os.path.islink(one):
                    os.chmod(one, stat.S_IRWXU)
        if os.path.isdir(name) and not os.path.islink(name):
            shutil.rmtree(name)
        else:
            os.unlink(name)

    if path.exists():
        shutil.rmtree(path, onerror=again)
