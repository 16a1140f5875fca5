"""A migration given as a command (`run:`): run to its end in the copy of the contract's folder, with all it starts.

`MigrationFailed` is shared with the databases, which raise it for `sql:` files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from crossfade.model.ramp import Position
from crossfade.world import commands, sqltext, trees
from crossfade.world.ledger import Ledger
from crossfade.world.lost import LOST


class MigrationFailed(Exception):
    """A migration ran and failed: a result to be judged, not an environment error. `message` is one or more lines."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


async def run_command(
    command: str,
    values: Mapping[str, str],
    folder: Path,
    log: Path,
    run_id: str,
    ledger: Ledger,
    timeout: float = 600,
    position: Position | None = None,
) -> None:
    """Runs the command line; its output is appended to `log`. Nothing it started is left, also when this is cancelled.

    Raises MigrationFailed with the exit code (or the time that ran out) and the last lines of the output, and
    EnvironmentFailed where the command cannot be started at all.
    """
    mark = f"{run_id}/migration/{log.name}"
    try:
        environment = commands.environment(run_id, (), values, mark)
        argv = commands.argument_list(command, values, environment["PATH"])
        before = log.stat().st_size if log.exists() else 0
        process = trees.spawn(argv, environment, folder, log)
    except (KeyError, ValueError, OSError) as problem:
        raise commands.refused(command, problem, position) from None
    try:
        ledger.add_process(process.pid, f"migration `{command}`")
        async with asyncio.timeout(timeout):
            returncode = await process.wait()
    except TimeoutError:
        raise MigrationFailed(_message(command, f"not done after {timeout:g} s", log, before)) from None
    finally:
        await trees.end_tree(process, mark)
        ledger.remove_process(process.pid)
    if returncode != 0:
        message = _message(command, trees.describe_exit(returncode), log, before)
        if commands.MODULE_MISSING.search(message) and commands.turn_search_order():
            return await run_command(command, values, folder, log, run_id, ledger, timeout, position)
        raise MigrationFailed(message)
    return None


async def run_file(url: str, file: Path) -> None:
    """Runs an SQL file statement by statement in one transaction, on a connection of its own, as a migration tool does.
    Raises MigrationFailed."""
    text = sqltext.without_psql_lines(file.read_text(encoding="utf-8-sig"))
    try:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
        try:
            async with connection.transaction():
                for _, statement in sqltext.statements(text):
                    await connection.execute(statement)
        finally:
            connection.terminate()
    except (asyncpg.PostgresError, *LOST) as problem:
        raise MigrationFailed(f"{file.name}: {problem}") from None


def _message(command: str, what: str, log: Path, before: int) -> str:
    grown = log.stat().st_size - before
    lines = trees.last_lines(log, limit=min(grown, 65536)) if grown else ""
    return f"`{command}`: {what}" + (f"\n{lines}" if lines else "")
