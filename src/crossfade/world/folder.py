"""The copy of the contract's folder that one environment works in, so that services may write to `data/` without
touching the user's files."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from crossfade.errors import EnvironmentFailed

LIMIT = 500 * 1024 * 1024  # bytes
LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__", ".crossfade"})
LINKED = frozenset({"node_modules", ".venv", "venv"})  # large, not written by a service, and found where they were
_A_REPORT = frozenset({"report.json", "report.html"})
_REPORT_FILES = _A_REPORT | {"report.md", "report.sarif", "junit.xml"}


def copy_folder(source: Path, target: Path, limit: int = LIMIT) -> None:
    """Copies `source` into the new directory `target`: modes and times kept; links kept, those that lead out of the
    folder still leading to the same place and those within it to the copy. Left out: repositories, caches of Python,
    reports of Crossfade, sockets and pipes. Raises EnvironmentFailed where the folder is too large or unreadable."""
    source = source.resolve()
    target = target.resolve()
    try:
        _check_size(source, target, limit)
        _copy(source, target, source, target)
    except shutil.Error as problem:
        raise EnvironmentFailed(f"the contract's folder cannot be copied: {problem}", where=str(source)) from None
    except OSError as problem:
        raise EnvironmentFailed(
            f"the contract's folder cannot be copied: {(problem.strerror or str(problem)).lower()}",
            where=str(problem.filename or source),
            hint="services run in a copy of the folder; move what they do not need out of it",
        ) from None


def _copy(source: Path, target: Path, root: Path, copy: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in _entries(source, copy):
        there = target / entry.name
        if entry.is_symlink():
            there.symlink_to(_link(Path(entry.path), root, copy))
        elif entry.name in LINKED and entry.is_dir():
            there.symlink_to(entry.path)
        elif entry.is_dir():
            _copy(Path(entry.path), there, root, copy)
        elif entry.is_file():
            shutil.copy2(entry.path, there)
    shutil.copystat(source, target)
    if not target.stat().st_mode & stat.S_IWUSR:
        target.chmod(target.stat().st_mode | stat.S_IWUSR)  # or the copy could not be filled or removed


def _entries(folder: Path, copy: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    if _A_REPORT.issubset(entry.name for entry in found):
        found = [entry for entry in found if entry.name not in _REPORT_FILES]
    for entry in found:
        if entry.name in LEFT_OUT or entry.name.endswith(".pyc") or Path(entry.path) == copy:
            continue
        yield entry


def _link(link: Path, root: Path, copy: Path) -> str:
    """Where the copied link must point. Relative links within the folder keep their text."""
    text = os.readlink(link)
    leads = Path(os.path.normpath(link.parent / text))
    if not leads.is_relative_to(root):
        return str(leads)
    return str(copy / leads.relative_to(root)) if os.path.isabs(text) else text


def _check_size(source: Path, copy: Path, limit: int) -> None:
    sizes = {entry.name: size for entry, size in _sizes(source, copy)}
    if sum(sizes.values()) <= limit:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
    shown = ", ".join(f"`{name}` {sizes[name] // 1024 // 1024} MB" for name in largest)
    raise EnvironmentFailed(
        f"the contract's folder holds more than {limit // 1024 // 1024} MB, and services run in a copy of it",
        where=str(source),
        hint=f"the largest in it: {shown}; move the contract or these to another folder",
    )


def _sizes(folder: Path, copy: Path) -> Iterator[tuple[os.DirEntry[str], int]]:
    for entry in _entries(folder, copy):
        if entry.is_symlink() or entry.name in LINKED:
            yield entry, 0
        elif entry.is_dir():
            yield entry, sum(size for _, size in _sizes(Path(entry.path), copy))
        else:
            yield entry, entry.stat().st_size
