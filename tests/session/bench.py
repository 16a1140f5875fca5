"""Crossfade as its users start it, on a small notebook service with faults to order: runs, signals, what is left after."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

PAIR = Path(__file__).parent / "pairs" / "notes"
LONGEST = 200  # seconds until a run that does not end is given up; no test measures with it
MARK = "CROSSFADE_BENCH"

WRITE_AND_READ: list[dict[str, Any]] = [
    {"step": "write", "call": "POST /notes", "json": {"text": "milk"}, "save": {"id": "body.id"}},
    {"step": "read", "call": "GET /notes/${id}"},
]
RAMP: list[dict[str, Any]] = [
    {"stage": "before"},
    {"stage": "half", "weight": "50%"},
    {"stage": "all", "weight": "100%"},
]


def reads(count: int) -> list[dict[str, Any]]:
    """Steps: one note written, then read `count` times."""
    return [WRITE_AND_READ[0], *({"step": f"read{n}", "call": "GET /notes/${id}"} for n in range(1, count + 1))]


def contract(
    folder: Path,
    *,
    fault: str = "",
    env: Mapping[str, str] | None = None,
    steps: list[dict[str, Any]] | None = None,
    database: bool = True,
    ramp: list[dict[str, Any]] | None = None,
    more: Mapping[str, Any] | None = None,
    service: Mapping[str, Any] | None = None,
    url: str | None = None,
) -> Path:
    """Writes the pair and its ramp.yaml into `folder` and returns the contract's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in PAIR.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    own = {"FAULT": fault, **({"DATABASE_URL": "${db.url}"} if database else {}), **(env or {})}
    value: dict[str, Any] = {
        "services": {
            "notes": {
                "ready": "/healthz",
                "env": own,
                "stable": {"version": "1.0.0", "run": "python service.py ${port} 1.0.0"},
                "canary": {"version": "1.1.0", "run": "python service.py ${port} 1.1.0"},
                **(service or {}),
            }
        },
        "ramp": ramp or RAMP,
        "scenarios": [{"name": "a note can be read back", "steps": steps or WRITE_AND_READ}],
        **(more or {}),
    }
    if database:
        value["databases"] = {"db": {"schema": "schema.sql", **({"url": url} if url else {"postgres": True})}}
    path = folder / "ramp.yaml"
    path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


class Bench:
    """One user with a home, a state folder and a temporary folder of their own; knows every process of theirs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.temporary = folder / "tmp"
        self.state = folder / "state"
        self.reports = folder / "reports"
        self.temporary.mkdir(parents=True)
        folder.chmod(0o755)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "TMPDIR": str(self.temporary),
            "XDG_STATE_HOME": str(self.state),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            MARK: self.mark,
        }

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "crossfade", *map(str, arguments)]

    def crossfade(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        settings: dict[str, Any] = {"env": self.environment, "stdin": subprocess.DEVNULL, **options}
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=LONGEST, check=False, **settings
        )

    @contextlib.contextmanager
    def started(self, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        """Crossfade in the background, its output in the file `printed`; killed on the way out if it still runs."""
        with (self.folder / "printed").open("w") as output:
            process = subprocess.Popen(
                self.command(*arguments),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def printed(self) -> str:
        return (self.folder / "printed").read_text(errors="replace")

    def until_printed(self, text: str, process: subprocess.Popen[str]) -> None:
        self.until(lambda: text in self.printed() or process.poll() is not None)
        assert process.poll() is None, f"ended before it said `{text}`:\n{self.printed()}"

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + LONGEST
        while not condition():
            assert time.monotonic() < end, f"waited in vain:\n{self.printed()}"
            time.sleep(0.02)

    def report(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.reports / "report.json").read_text("utf-8"))
        return value

    def processes(self, word: str = "") -> dict[int, str]:
        """Every living process that a run of this bench started or is, whose command line holds `word`."""
        found: dict[int, str] = {}
        wanted = f"{MARK}={self.mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted not in (folder / "environ").read_bytes().split(b"\0"):
                    continue
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if word in command and not (folder / "stat").read_text(errors="replace").rpartition(")")[2].startswith(
                    " Z"
                ):
                    found[int(folder.name)] = command
        return found

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def ledgers(self) -> list[dict[str, Any]]:
        """What the runs going on now have noted down as theirs."""
        found = []
        for path in (self.state / "crossfade" / "runs").glob("*.json"):
            with contextlib.suppress(OSError):
                found.append(json.loads(path.read_text()))
        return found

    def recorded(self) -> list[str]:
        """The directories of the runs going on now, and those of their processes (/proc/PID)."""
        found: list[str] = []
        for ledger in self.ledgers():
            found += [*ledger["directories"], *(f"/proc/{child['pid']}" for child in ledger["processes"])]
        return found

    def server(self, name: str) -> list[int]:
        """The processes that the ledger calls by this name (servers may overwrite what /proc tells of them)."""
        return [child["pid"] for ledger in self.ledgers() for child in ledger["processes"] if name in child["note"]]

    def left(self, recorded: Iterable[str] = ()) -> list[str]:
        """What runs that are over have left: processes, folders, ledgers; `recorded` names what else must be gone."""
        found = [f"process {pid}: {command}" for pid, command in self.processes().items()]
        found += [f"folder {path}" for path in self.temporary.iterdir()]
        found += [path for path in recorded if Path(path).exists() and not _ended(path)]
        found += [f"ledger {path}" for path in (self.state / "crossfade" / "runs").glob("*.json")]
        return found


def _ended(path: str) -> bool:
    """Is it the directory of a process of which only the entry is left?"""
    try:
        return path.startswith("/proc/") and ") Z" in Path(path, "stat").read_text(errors="replace")
    except OSError:
        return True
