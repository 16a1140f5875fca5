"""A linter's opinion of migrations: squawk, where it is installed (the extra `migrations`, or on the PATH).

Only what it says about locks is taken, and always under its name: it reads single files and does not know who is alive.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

TIMEOUT = 60.0
LOCK_RULES = (
    "require-concurrent-index-creation", "require-concurrent-index-deletion", "require-concurrent-reindex",
    "require-concurrent-partition-detach", "require-concurrent-refresh-materialized-view", "constraint-missing-not-valid",
    "adding-field-with-default", "adding-foreign-key-constraint", "adding-serial-primary-key-field", "changing-column-type",
    "disallowed-unique-constraint", "adding-not-nullable-field", "ban-concurrent-index-creation-in-transaction",
    "ban-alter-domain-with-add-constraint", "transaction-nesting",
)  # fmt: skip


class Opinion(msgspec.Struct, frozen=True):
    """`line` counts from 1."""

    file: str
    line: int
    rule: str
    message: str


class _Row(msgspec.Struct):
    file: str
    line: int
    rule_name: str
    message: str


def find_squawk() -> str | None:
    """The program beside this Python, or on the PATH."""
    beside = Path(sys.executable).parent / "squawk"
    return str(beside) if beside.is_file() else shutil.which("squawk")


def opinions(files: Sequence[Path], program: str | None = None) -> tuple[Opinion, ...] | None:
    """What squawk says about locks in these files; None where it is not here or gives no answer that can be read."""
    program = program or find_squawk()
    if program is None:
        return None
    if not files:
        return ()
    try:
        done = subprocess.run(
            [program, "--reporter", "json", "--assume-in-transaction", *map(str, files)],
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            cwd=files[0].parent,
        )
        rows = msgspec.json.decode(done.stdout, type=list[_Row])
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None
    return tuple(
        Opinion(row.file, row.line + 1, row.rule_name, row.message) for row in rows if row.rule_name in LOCK_RULES
    )
