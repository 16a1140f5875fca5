"""Child processes with everything they start: spawned in their own session so that they die with us, and ended whole.

A child may call setsid, fork twice or ignore SIGTERM. It is still found: by its session and process group, as a
descendant, and by the mark every child of Crossfade carries in its environment (`CROSSFADE_RUN`, `CROSSFADE_CHILD`),
which is inherited by whatever it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

RUN_VARIABLE = "CROSSFADE_RUN"
CHILD_VARIABLE = "CROSSFADE_CHILD"
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
PATIENCE = 5.0  # seconds until a killed process must be gone

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Process:
    """A child, the leader of a session of its own."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it. Asks the system each time, so it is never late."""
        return self._popen.poll()

    async def wait(self) -> int:
        pause = 0.002
        while (code := self.returncode) is None:  # no SIGCHLD handler and no thread per child: asking is cheap
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        return code


def spawn(argv: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Process:
    """Starts `argv` in `folder`; both outputs are appended to `log`.

    On Linux the child is killed when the thread that called this ends, whatever ends it. Raises OSError.
    """
    adopt_orphans()
    with log.open("ab") as output:
        return Process(
            subprocess.Popen(
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_death_wish(os.getpid()),
            )
        )


def adopt_orphans() -> None:
    """Makes this process the parent of grandchildren whose parent ends, so that they can be waited for (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


async def end_tree(process: Process, mark: str, grace: float = GRACE) -> None:
    """SIGTERM, `grace` seconds, SIGKILL, for the process, all it started and all that carries `CROSSFADE_CHILD=mark`.
    When this is cancelled everything is killed at once."""
    await end_all(lambda: members(process.pid, f"{CHILD_VARIABLE}={mark}"), grace, awaited=process.pid)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await process.wait()


async def end_all(found: Callable[[], set[int]], grace: float = GRACE, awaited: int = 0) -> None:
    """Ends the processes that `found` names, and those it names when asked again. Orphans we adopted are waited for;
    `awaited`, a child of ours, is left to its Process."""
    loop = asyncio.get_running_loop()
    known: dict[int, str] = {}
    try:
        _send(found(), signal.SIGTERM, known)
        until = loop.time() + grace
        pause = 0.005
        while _alive(known) and loop.time() < until:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
        until = loop.time() + PATIENCE
        while (rest := found() | _alive(known)) and loop.time() < until:
            _send(rest, signal.SIGKILL, known)
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        _send(found() | _alive(known), signal.SIGKILL, known)
        raise
    finally:
        known.pop(awaited, None)
        _unburied.update(known)
        _bury()


def members(leader: int, mark: str) -> set[int]:
    """The live processes in the session or group of `leader`, those whose environment holds `mark` ("NAME=value"),
    and the descendants of all of them. Never this process. `leader` 0: by the mark alone."""
    found = marked(mark)
    if leader:
        found |= _in_session(leader)
        found |= {leader} if is_alive(leader) else set()
    return found.union(*map(_descendants, found)) - {os.getpid()}


def marked(mark: str) -> set[int]:
    """The live processes with `mark` ("NAME=value") in the environment they were started with."""
    wanted = mark.encode()
    return {pid for pid in psutil.pids() if wanted in _environment(pid).split(b"\0") and is_alive(pid)} - {os.getpid()}


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def identity(pid: int) -> str:
    """A text no other process has or will have, "" where there is no such process: the moment it started, counted in
    a way that setting the clock does not change, within this boot."""
    try:
        if sys.platform == "linux":
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            return f"{boot()}:{fields[19]}"
        return str(psutil.Process(pid).create_time())
    except (OSError, IndexError, psutil.Error):
        return ""


def boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))


def describe_exit(returncode: int) -> str:
    """ "exit code 1" or "killed by SIGKILL"; negative numbers are signals, as in `subprocess`.

    >>> describe_exit(-9), describe_exit(1), describe_exit(137)
    ('killed by SIGKILL', 'exit code 1', 'exit code 137 (SIGKILL)')
    """
    number = -returncode if returncode < 0 else returncode - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if returncode < 0:
        return f"killed by {name}"
    return (
        f"exit code {returncode} ({name})" if returncode > 128 and name.startswith("SIG") else f"exit code {returncode}"
    )


def last_lines(log: Path, lines: int = 20, limit: int = 65536) -> str:
    """The end of a log, reading no more than `limit` bytes of it."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - limit))
            data = file.read(limit)
    except OSError:
        return ""
    return "\n".join(data.decode("utf-8", "replace").rstrip().splitlines()[-lines:])


# ── what a child is started with ────────────────────────────────────────────


def _death_wish(parent: int) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def ask() -> None:  # runs in the child between fork and exec
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call above: no signal will come
            os._exit(1)

    return ask


# ── finding and ending ──────────────────────────────────────────────────────


def _send(pids: Iterable[int], number: int, known: dict[int, str]) -> None:
    """Signals each process; `known` remembers who they were, so that a reused number is left alone later."""
    for pid in sorted(pids):
        who = identity(pid)
        if not who or known.setdefault(pid, who) != who or pid == os.getpid():
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


_unburied: dict[int, str] = {}  # processes we signalled, with their identity, that may end as orphans of ours


def _bury() -> None:
    """Takes note of the end of orphans we adopted; without it they would stay as zombies until we end."""
    for pid, who in list(_unburied.items()):
        if identity(pid) == who:
            with contextlib.suppress(ChildProcessError):  # its parent still lives, or it never becomes our child
                os.waitpid(pid, os.WNOHANG)
        if identity(pid) != who:
            del _unburied[pid]


def _alive(known: Mapping[int, str]) -> set[int]:
    return {pid for pid, who in known.items() if is_alive(pid) and identity(pid) == who}


def _in_session(leader: int) -> set[int]:
    found = set()
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if (os.getsid(pid) == leader or os.getpgid(pid) == leader) and is_alive(pid):
                found.add(pid)
    return found


def _descendants(leader: int) -> set[int]:
    try:
        return {child.pid for child in psutil.Process(leader).children(recursive=True) if is_alive(child.pid)}
    except psutil.Error:
        return set()


def _environment(pid: int) -> bytes:
    try:
        if sys.platform == "linux":
            return Path(f"/proc/{pid}/environ").read_bytes()
        return b"\0".join(f"{name}={value}".encode() for name, value in psutil.Process(pid).environ().items())
    except (OSError, psutil.Error):
        return b""
