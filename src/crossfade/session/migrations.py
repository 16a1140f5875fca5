"""The migrations of a contract, read or carried out on a scratch copy, and judged: the part of `crossfade compat
ramp.yaml` that looks at databases.

Without a database the DDL of the schema and of every stage is carried out on paper. With one (`scratch`) each stage
runs on a copy of the schema: the catalog, the locks and the refusals are PostgreSQL's own, and statements seen in a
run are prepared after each stage, which decides what a guess cannot."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg
import msgspec

from crossfade.engine.ddl import assumed, carried_out
from crossfade.engine.migrations import (
    SCHEMA,
    Alive,
    MigrationStep,
    SeenStatement,
    alive_at,
    fingerprint,
    judged,
    on_paper,
    refilled,
)
from crossfade.engine.timeline import first_canary_stage
from crossfade.errors import ContractError
from crossfade.formats.sql_changes import written
from crossfade.model.catalog import Catalog
from crossfade.model.compat import Break, Crossing, Place, Severity
from crossfade.model.contract import Contract, Database
from crossfade.model.migration import Kind, Written
from crossfade.model.ramp import Side, Stage
from crossfade.world import squawk
from crossfade.world.catalog import StatementFailed, connected, execute, read_catalog
from crossfade.world.commands import PYTHON
from crossfade.world.folder import copy_folder
from crossfade.world.ledger import Ledger, new_run_id, remove_folder
from crossfade.world.migrations import MigrationFailed, run_command
from crossfade.world.servers import open_servers

Files = tuple[tuple[str, tuple[Written, ...]], ...]
Seen = Mapping[tuple[Side, str, str], str]  # (side, store, statement) -> the operation that sent it
_PREPARABLE = re.compile(
    r"\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*)*(select|insert|update|delete|merge|with|values)\b", re.I | re.S
)


class MigrationResult(msgspec.Struct, frozen=True):
    """`compared` and `not_compared` are lines for the report."""

    breaks: tuple[Break, ...]
    compared: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()


def migration_breaks(contract: Contract, seen: Seen = {}) -> MigrationResult:  # noqa: B006  never changed
    """What the `sql` stages break, by the text of the files alone. Raises ContractError for a file that cannot be read."""
    breaks: list[Break] = []
    compared: list[str] = []
    missing: list[str] = []
    for database in _databases(contract):
        stages = _stages(contract, database)
        schema = carried_out(
            Catalog(), [c for _, file in _schema(contract, database) for one in file for c in one.changes]
        )
        if not database.schema:
            every = [change for files in stages.values() for _, file in files for one in file for change in one.changes]
            schema = assumed(Catalog(complete=False), every)
        judging = _Judging(contract, database, stages, seen)
        current = known = schema
        for index, stage in enumerate(contract.stages):
            steps = on_paper(current, stages.get(index, ()))
            breaks += judging.stage(index, known, current, steps)
            current = steps[-1].after if steps else current
            known = current if index == 0 else known
            judging.remember(index, current)
            missing += _not_read(stage, database, contract, steps)
        compared += _compared(contract, database, stages, "read")
    return MigrationResult(_ordered(breaks), tuple(compared), tuple(missing))


async def executed_migration_breaks(
    contract: Contract,
    seen: Seen = {},  # noqa: B006  never changed
    commands: bool = False,
) -> MigrationResult:
    """As `migration_breaks`, on a scratch copy of every PostgreSQL. `commands`: `run:` stages are run as well (in a copy of
    the contract's folder); otherwise what they would have done is missing, and said to be.

    Raises EnvironmentFailed where no PostgreSQL can be had, ContractError for files that cannot be read or a schema that
    does not load.
    """
    databases = _databases(contract)
    if not databases:
        return MigrationResult(())
    run_id = new_run_id()
    ledger = Ledger(run_id)
    work = Path(tempfile.mkdtemp(prefix=f"crossfade-{run_id}-"))
    ledger.add_directory(work)
    try:
        folder = work / "folder"
        if commands:
            copy_folder(Path(contract.folder), folder)
        async with open_servers(
            databases, Path(contract.folder), work, work / "logs", ledger, run_id, lambda _: None
        ) as servers:
            stores = await servers.create("compat", caches=False)
            urls = stores.urls
            runs = [_Scratch(contract, database, urls[database.name], seen) for database in databases]
            for index, stage in enumerate(contract.stages):
                if commands and stage.migration is not None and stage.migration.run:
                    values = {f"{name}.url": url for name, url in urls.items()} | {"python": PYTHON}
                    log = work / f"{stage.name}.log"
                    try:
                        await run_command(stage.migration.run, values, folder, log, run_id, ledger)
                    except MigrationFailed as problem:
                        for one in runs:
                            one.command_failed(index, problem.message)
                for one in runs:
                    await one.stage(index, commands)
            return MigrationResult(
                _ordered([found for one in runs for found in one.breaks]),
                tuple(line for one in runs for line in _compared(contract, one.database, one.stages, "carried out")),
                tuple(line for one in runs for line in one.missing),
            )
    finally:
        remove_folder(work)
        ledger.close()


def with_squawk(contract: Contract, result: MigrationResult) -> MigrationResult:
    """`result` with what squawk says about locks at lines where nothing is told yet, as information under its name. Where it
    is not installed the result says so."""
    places: dict[str, tuple[str, int]] = {}
    for database in _databases(contract):
        for index, files in _stages(contract, database).items():
            places |= {str(Path(contract.folder) / file): (file, index) for file, _ in files if index > 0}
    found = squawk.opinions([Path(path) for path in places])
    if found is None:
        return msgspec.structs.replace(
            result, not_compared=(*result.not_compared, "squawk is not here: its lock rules were not asked")
        )
    told = {(one.canary.file, one.canary.line) for one in result.breaks if one.canary is not None}
    more = []
    for opinion in found:
        file, index = places.get(opinion.file, ("", 0))
        if not file or (file, opinion.line) in told:
            continue
        alive = alive_at(contract, index)
        more.append(
            Break(
                rule="migration-squawk",
                id=fingerprint("migration-squawk", opinion.rule, file, opinion.message, alive.stage),
                severity=Severity.INFO,
                crossing=Crossing.STATE,
                writer="stable" if alive.stable[:1] == (alive.stage,) else "canary",
                reader=SCHEMA,
                operations=(),
                path=opinion.rule,
                message=f"squawk ({opinion.rule}): {opinion.message}",
                canary=Place(file, opinion.line, 1),
                stages=(alive.stage,),
            )
        )
    return msgspec.structs.replace(result, breaks=_ordered([*result.breaks, *more]))


class _Judging:
    """What is the same for every stage of one database."""

    def __init__(self, contract: Contract, database: Database, stages: Mapping[int, Files], seen: Seen) -> None:
        self._contract = contract
        self._stages = stages
        self._first = first_canary_stage(contract)
        self._canary: Catalog | None = None
        self._seen = tuple(
            SeenStatement(side, text, operation)
            for (side, store, text), operation in seen.items()
            if store == database.name
        )

    def stage(
        self, index: int, known: Catalog, before: Catalog, steps: Sequence[MigrationStep], prepared: bool = False
    ) -> tuple[Break, ...]:
        """`prepared`: the statements seen are prepared as well, and say themselves what fails."""
        if index == 0 or not steps:
            return ()
        alive = alive_at(self._contract, index)
        later = [
            [change for _, file in files for one in file for change in one.changes]
            for number, files in self._stages.items()
            if number > index and not alive_at(self._contract, number).stable
        ]
        return judged(
            known,
            before,
            steps,
            alive,
            canary_known=self._canary,
            repeated=refilled(later),
            seen=self._seen,
        )

    def remember(self, index: int, current: Catalog) -> None:
        if index == self._first:
            self._canary = current


class _Scratch:
    """One PostgreSQL of the contract, led through the stages on a scratch database."""

    def __init__(self, contract: Contract, database: Database, url: str, seen: Seen) -> None:
        self.contract = contract
        self.database = database
        self.stages = _stages(contract, database)
        self.breaks: list[Break] = []
        self.missing: list[str] = []
        self._url = url
        self._judging = _Judging(contract, database, self.stages, seen)
        self._known: Catalog | None = None
        self._stopped = False
        self._statements = {
            key: name for key, name in seen.items() if key[1] == database.name and _PREPARABLE.match(key[2])
        }
        self._good: set[tuple[Side, str, str]] = set()

    def command_failed(self, index: int, message: str) -> None:
        stage = self.contract.stages[index]
        self.breaks.append(_failed(stage, alive_at(self.contract, index), Place(str(stage.position or "")), message))
        self._stopped = True

    async def stage(self, index: int, commands: bool) -> None:
        stage = self.contract.stages[index]
        if self._stopped:
            if index in self.stages:
                self.missing.append(f"stage `{stage.name}`: a migration before it failed on the scratch copy")
            return
        async with connected(self._url) as connection:
            before = await read_catalog(connection)
            self._known = before if self._known is None else self._known
            steps: list[MigrationStep] = []
            for file, statements in self.stages.get(index, ()):
                try:
                    for number, one in enumerate(await execute(connection, statements)):
                        place = Place(file, one.written.line, one.written.column)
                        steps.append(
                            MigrationStep(
                                place, one.written.text, one.written.changes, one.after, one.held, number == 0
                            )
                        )
                except StatementFailed as problem:
                    place = Place(file, problem.written.line, problem.written.column)
                    self.breaks.append(_failed(stage, alive_at(self.contract, index), place, problem.message))
                    self._stopped = True
                    return
            if index == 0:
                self._known = await read_catalog(connection)
            self.breaks += self._judging.stage(index, self._known, before, steps)
            self._judging.remember(index, await read_catalog(connection))
            await self._prepare(connection, index, steps)
        if stage.migration is not None and stage.migration.run and not commands:
            self.missing.append(f"stage `{stage.name}`: the command `{stage.migration.run}` was not run")

    async def _prepare(self, connection: asyncpg.Connection, index: int, steps: Sequence[MigrationStep]) -> None:
        """A statement counts from the first stage it prepares at; where it stops to while its side lives, that is a
        break."""
        alive = alive_at(self.contract, index)
        first = first_canary_stage(self.contract)
        for key in sorted(self._statements, key=lambda key: (key[0], key[2])):
            side = key[0]
            if side is Side.CANARY and (first is None or index < first):
                continue
            stages = (*alive.stable, *alive.rollback) if side is Side.STABLE else alive.canary
            try:
                await connection.prepare(key[2])
                self._good.add(key)
            except asyncpg.PostgresError as problem:
                if key in self._good and stages:
                    place = steps[-1].place if steps else None
                    self.breaks.append(self._refused(key, index, str(problem), tuple(dict.fromkeys(stages)), place))
                self._good.discard(key)

    def _refused(
        self, key: tuple[Side, str, str], index: int, reason: str, stages: tuple[str, ...], place: Place | None
    ) -> Break:
        side, _, statement = key
        stage = self.contract.stages[index].name
        short = re.sub(r"\s+", " ", statement)
        short = short if len(short) <= 120 else short[:117] + "..."
        return Break(
            rule="migration-statement-fails",
            id=fingerprint("migration-statement-fails", statement, str(side), stage),
            severity=Severity.ERROR,
            crossing=Crossing.STATE,
            writer=str(side),
            reader=SCHEMA,
            operations=(self._statements[key],) if self._statements[key] else (),
            path=self.database.name,
            message=f"after the migration of `{stage}` PostgreSQL refuses what the {side} sends: {reason}: `{short}`",
            witness=None,
            canary=place,
            stages=stages,
        )


def _failed(stage: Stage, alive: Alive, place: Place, message: str) -> Break:
    return Break(
        rule="migration-fails",
        id=fingerprint("migration-fails", stage.name, place.file),
        severity=Severity.ERROR,
        crossing=Crossing.STATE,
        writer="canary",
        reader=SCHEMA,
        operations=(),
        path=stage.name,
        message=f"the migration of `{stage.name}` fails on a copy of the schema: {message}",
        canary=place,
        stages=(alive.stage,),
    )


def _databases(contract: Contract) -> list[Database]:
    return [database for database in contract.databases if database.kind == "postgres"]


def _schema(contract: Contract, database: Database) -> Files:
    return tuple((path, _read(contract, path, str(database.position or ""))) for path in database.schema)


def _stages(contract: Contract, database: Database) -> dict[int, Files]:
    """The SQL files of every stage that are for this database."""
    found: dict[int, Files] = {}
    for index, stage in enumerate(contract.stages):
        migration = stage.migration
        if migration is None or not migration.sql or (migration.database or database.name) != database.name:
            continue
        where = str(migration.position or "")
        found[index] = tuple((path, _read(contract, path, where)) for path in migration.sql)
    return found


def _read(contract: Contract, path: str, where: str) -> tuple[Written, ...]:
    try:
        text = (Path(contract.folder) / path).read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise ContractError(f"the SQL file `{path}` cannot be read: {problem.strerror}", where=where) from None
    except UnicodeDecodeError:
        raise ContractError(f"the SQL file `{path}` is not UTF-8", where=where) from None
    return written(text, path)


def _not_read(stage: Stage, database: Database, contract: Contract, steps: Sequence[MigrationStep]) -> list[str]:
    found = []
    if stage.migration is not None and stage.migration.run:
        found.append(
            f"stage `{stage.name}`: the command `{stage.migration.run}` cannot be "
            "judged by its text; `crossfade run` runs it"
        )
    for step in steps:
        for change in step.changes:
            if change.kind is Kind.UNREAD:
                line = change.line or step.place.line
                found.append(f"stage `{stage.name}`: {step.place.file}:{line}: not understood: `{change.text}`")
    return found


def _compared(contract: Contract, database: Database, stages: Mapping[int, Files], how: str) -> list[str]:
    found = []
    for index, files in stages.items():
        names = ", ".join(file for file, _ in files)
        count = sum(len(statements) for _, statements in files)
        if index > 0:
            found.append(
                f"migration of `{contract.stages[index].name}` ({names}, {count} statements) {how} for `{database.name}`"
            )
    return found


def _ordered(breaks: Sequence[Break]) -> tuple[Break, ...]:
    return tuple({one.id: one for one in breaks}.values())
