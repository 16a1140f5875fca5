"""Server processes of our own: which user they run as, where their binaries and files lie, how they start and end.

As root everything runs as an unprivileged user, because PostgreSQL refuses root. On Linux a server ends when Crossfade
does, even by `kill -9`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


class Ledger(Protocol):
    """The record of what must be removed if this process cannot do it itself."""

    def add_process(self, pid: int, note: str) -> Any: ...
    def remove_process(self, pid: int) -> Any: ...
    def add_directory(self, path: Path) -> Any: ...
    def remove_directory(self, path: Path) -> Any: ...
    def add_database(self, admin_url: str, name: str) -> Any: ...
    def remove_database(self, admin_url: str, name: str) -> Any: ...


def server_user() -> tuple[int, int] | None:
    """The uid and gid servers run as, None: as ourselves."""
    if os.name != "posix" or os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


async def start(argv: Sequence[str], folder: Path, log: Path, end_with: signal.Signals) -> asyncio.subprocess.Process:
    """Starts a server in a session of its own as `server_user`; it gets `end_with` when this process dies (Linux)."""
    user = server_user()
    parent = os.getpid()

    def ask() -> None:  # in the child, after the user was changed (which would clear the wish), before exec
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(end_with), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    identity: dict[str, Any] = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=_environment(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=ask,
            **identity,
        )


async def run(argv: Sequence[str], folder: Path, timeout: float) -> tuple[int, str]:
    """Runs a command to its end as `server_user`: exit code and output."""
    user = server_user()
    identity: dict[str, Any] = {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}
    process = await asyncio.create_subprocess_exec(
        *argv,
        cwd=folder,
        env=_environment(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        **identity,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")


async def end(process: asyncio.subprocess.Process, gentle: signal.Signals, patience: float) -> None:
    """Ends a server: `gentle`, then after `patience` seconds SIGKILL for its whole session."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(gentle)
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):  # cancelled: no more patience
            await asyncio.wait_for(asyncio.shield(process.wait()), patience)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cache_folder() -> Path:
    """Where things that take long to make are kept between runs; a temporary folder if there is no other."""
    named = os.environ.get("XDG_CACHE_HOME")
    for place in (
        Path(named) if named else Path.home() / ".cache",
        Path(tempfile.gettempdir()) / f"cache-{os.geteuid()}",
    ):
        folder = place / "crossfade"
        with contextlib.suppress(OSError, RuntimeError):
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK) and folder.stat().st_uid == os.geteuid():
                return folder
    return Path(tempfile.mkdtemp(prefix="crossfade-cache-"))


def reachable(path: Path) -> bool:
    """Whether `server_user` can enter every folder down to `path`."""
    if server_user() is None:
        return True
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def reachable_copy(tree: Path) -> Path:
    """`tree`, or a copy of it where `server_user` can read it (made once, kept between runs)."""
    if reachable(tree / "x") and tree.stat().st_mode & stat.S_IROTH:
        return tree
    mark = hashlib.sha256(f"{tree.resolve()}:{tree.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    for place in (
        cache_folder(),
        Path("/var/tmp") / f"crossfade-{os.geteuid()}",
        Path(tempfile.gettempdir()) / f"crossfade-{os.geteuid()}",
    ):
        with contextlib.suppress(OSError):
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
            if place.stat().st_uid != os.geteuid() or not reachable(place / "x" / "y"):
                continue
            target = place / f"binaries-{mark}"
            if not target.exists():
                build = Path(tempfile.mkdtemp(dir=place))
                shutil.copytree(tree, build / "tree", symlinks=True)
                _open_for_reading(build / "tree")
                with contextlib.suppress(OSError):  # another run was faster
                    (build / "tree").rename(target)
                shutil.rmtree(build, ignore_errors=True)
            return target
    return tree


def reachable_temporary(prefix: str) -> Path:
    """A new temporary folder where `server_user` can enter it: TMPDIR may lie below a folder of root's alone."""
    for place in dict.fromkeys((tempfile.gettempdir(), "/dev/shm", "/var/tmp", "/tmp")):
        with contextlib.suppress(OSError):
            if reachable(Path(place) / "x"):
                return Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    return Path(tempfile.mkdtemp(prefix=prefix))


def give(folder: Path) -> None:
    """Makes `server_user` the owner of a folder and everything in it."""
    user = server_user()
    if user is None:
        return
    os.chown(folder, *user)
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(root, name), *user, follow_symlinks=False)


def _open_for_reading(tree: Path) -> None:
    for root, _, files in os.walk(tree):
        os.chmod(root, 0o755)
        for name in files:
            path = os.path.join(root, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & stat.S_IXUSR else 0o644)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder)}
