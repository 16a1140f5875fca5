"""The `sql` check: every statement a side was seen sending must still prepare in each later phase that side lives through.

It finds what breaks before a call meets it: a statement of an error path, of a background job, of a call whose failure is
swallowed. A statement counts only if it prepares where it was seen (drivers send types along that are not known here).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from crossfade.engine.findings import points_of
from crossfade.engine.timeline import Timeline
from crossfade.errors import EnvironmentFailed
from crossfade.model.ramp import Side
from crossfade.session.environment import Environment, Ground
from crossfade.world.lost import LOST

MOST = 400  # statements of one side
_PREPARABLE = re.compile(
    r"\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*)*(select|insert|update|delete|merge|with|values)\b", re.I | re.S
)

Seen = Mapping[tuple[Side, str, str], str]  # (side, store, statement) -> the operation that sent it


class SqlProblem(msgspec.Struct, frozen=True):
    """`statement` of `side` does not prepare at `point`; `more`: how many others fail there for the same reason."""

    side: Side
    point: int
    store: str
    statement: str
    operation: str
    error: str
    more: int = 0


async def unprepared(ground: Ground, line: Timeline, seen_at: int, seen: Seen) -> list[SqlProblem]:
    """The statements seen at a point that fail at a later one where their side lives; for each reason and side the first,
    at the first point where it fails."""
    found: dict[tuple[Side, str, str], SqlProblem] = {}
    for side in Side:
        later = [point for point in points_of(ground.contract, line, side) if point > seen_at]
        own = [key for key in seen if key[0] is side and _PREPARABLE.match(key[2])][:MOST]
        if not later or not own:
            continue
        good = {key for key, error in (await _errors(ground, line, seen_at, own)).items() if not error}
        for point in later:
            for key, error in (await _errors(ground, line, point, [key for key in own if key in good])).items():
                if not error:
                    continue
                good.discard(key)
                reason = (side, key[1], error)
                if reason in found:
                    found[reason] = msgspec.structs.replace(found[reason], more=found[reason].more + 1)
                else:
                    found[reason] = SqlProblem(side, point, key[1], key[2], seen[key], error)
    return list(found.values())


async def _errors(
    ground: Ground, line: Timeline, point: int, keys: Sequence[tuple[Side, str, str]]
) -> dict[tuple[Side, str, str], str]:
    """For each statement PostgreSQL's reason why it cannot be prepared at a point, "" where it can."""
    async with ground.opened("sql", await ground.template(line, point)) as environment:
        errors: dict[tuple[Side, str, str], str] = {}
        for store in dict.fromkeys(key[1] for key in keys):
            errors.update(await _store(environment, store, keys))
        return errors


async def _store(
    environment: Environment, store: str, keys: Sequence[tuple[Side, str, str]]
) -> list[tuple[tuple[Side, str, str], str]]:
    database = environment.stores.databases.get(store)
    if database is None:
        return []
    found: list[tuple[tuple[Side, str, str], str]] = []
    try:
        connection = await asyncpg.connect(database.url, timeout=10, command_timeout=30, statement_cache_size=0)
        try:
            for key in keys:
                if key[1] != store:
                    continue
                try:
                    await connection.prepare(key[2])
                    found.append((key, ""))
                except asyncpg.PostgresError as problem:
                    found.append((key, str(problem)))
        finally:
            connection.terminate()
    except LOST as problem:
        raise EnvironmentFailed(f"statements cannot be prepared: {problem}") from None
    return found
