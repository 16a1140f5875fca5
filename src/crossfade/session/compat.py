"""`crossfade compat`: two documents, or every service on the ramp of a contract with a description for both sides."""

from __future__ import annotations

import asyncio
import datetime
import os.path
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from crossfade import __version__
from crossfade.engine.compat_breaks import fingerprint
from crossfade.engine.compat_observed import Seen, gaps
from crossfade.engine.compat_openapi import Options
from crossfade.engine.compat_ramp import epoch_pairs, placed
from crossfade.engine.compat_verdict import verdict_of
from crossfade.errors import UsageError
from crossfade.formats.kinds import kind_of_document
from crossfade.formats.ramp import read_contract
from crossfade.model.api import ApiDescription
from crossfade.model.compat import Break, CompatReport, EpochPairs, Severity
from crossfade.model.contract import Contract
from crossfade.model.ramp import Side
from crossfade.session.compat_kinds import compare_documents
from crossfade.session.migrations import (
    MigrationResult,
    executed_migration_breaks,
    migration_breaks,
    with_squawk,
)

FORMAT = "crossfade-compat-1"


def compat_between(stable: str | Path, canary: str | Path, options: Options = Options()) -> CompatReport:
    """The report on two documents; nothing is placed on a ramp. Raises UsageError, ContractError."""
    started = time.perf_counter()
    found = compare_documents(Path(stable), Path(canary), _dated(options))
    return _report(
        (str(stable), str(canary)),
        found.breaks,
        (),
        found.compared,
        found.not_compared,
        "the documents have no operation to compare",
        started,
    )


def compat_of(
    contract: Contract, options: Options | None = None, migrations: MigrationResult | None = None
) -> CompatReport:
    """The report on a contract, what a run begins with. `options` None: as the contract says (`reader`). `migrations` None:
    their text is read. Raises ContractError where a document it names cannot be read."""
    started = time.perf_counter()
    options = _dated(options or Options(strict=contract.reader == "strict"))
    options = msgspec.structs.replace(options, places=bool(contract.changes or contract.rules))
    breaks: list[Break] = []
    documents: dict[str, None] = {}
    compared: list[str] = []
    not_compared: list[str] = []
    for service in contract.services:
        if not service.on_ramp:
            continue
        named = [service.instance(side).openapi for side in Side]
        if None in named:
            missing = [side.value for side, name in zip(Side, named, strict=True) if name is None]
            not_compared.append(f"{service.name}: no `openapi` for the {' and the '.join(missing)}")
            continue
        stable, canary = (_path(contract, name or "") for name in named)
        found = compare_documents(stable, canary, options)
        documents.update({str(stable): None, str(canary): None})
        breaks += _own(placed(contract, service.name, found.breaks, found.sunsets, found.paths))
        compared += [f"{service.name}: {line}" for line in found.compared]
        not_compared += [f"{service.name}: {line}" for line in found.not_compared]
    migrations = migrations or migration_breaks(contract)
    breaks += migrations.breaks
    compared += migrations.compared
    not_compared += migrations.not_compared
    ranks = list(Severity)
    breaks.sort(key=lambda one: ranks.index(one.severity))
    return _report(
        tuple(documents),
        tuple(breaks),
        epoch_pairs(contract, [s.name for s in contract.services if s.on_ramp], breaks) if compared else (),
        compared,
        not_compared,
        "no service on the ramp has a description for both sides, and no stage has a migration in SQL",
        started,
    )


def with_recordings(
    described: CompatReport,
    contract: Contract,
    descriptions: Mapping[tuple[str, Side], ApiDescription | None],
    calls: Iterable[tuple[str, Side, Seen]],
    statements: Mapping[tuple[Side, str, str], str],
) -> CompatReport:
    """The report of `compat_of` after a run: what was declared and never came, what came undeclared, and migrations judged
    by the statements each side was seen sending. `calls`: service, side that answered, call and answer."""
    if statements:
        described = compat_of(contract, migrations=migration_breaks(contract, statements))
    sorted_calls: dict[tuple[str, Side], list[Seen]] = {}
    for service, side, seen in calls:
        sorted_calls.setdefault((service, side), []).append(seen)
    unobserved: list[str] = []
    undeclared: list[str] = []
    for (service, side), description in descriptions.items():
        if description is not None and (made := sorted_calls.get((service, side))):
            found = gaps(description, made)
            unobserved += [f"{service} on {side}: {gap}" for gap in found.unobserved]
            undeclared += [f"{service} on {side}: {gap}" for gap in found.undeclared]
    return msgspec.structs.replace(described, unobserved=tuple(unobserved), undeclared=tuple(undeclared))


def compat_of_file(
    path: str, options: Options, as_the_contract_says: bool = True, scratch: bool = False, commands: bool = False
) -> CompatReport:
    """The report on the contract in a file. `as_the_contract_says`: its `reader` decides how answers are read. `scratch`:
    migrations are carried out on a copy of the schema, with `commands` those that are commands, too. Raises UsageError
    where the file is a document that needs a second one, EnvironmentFailed where no PostgreSQL can be had."""
    if Path(path).is_file() and kind_of_document(Path(path)) not in ("contract", ""):
        raise UsageError(
            f"`{path}` is one document, and two are compared", hint=f"crossfade compat {path} NEW, or name a contract"
        )
    contract = read_contract(path)
    if as_the_contract_says:
        options = msgspec.structs.replace(options, strict=contract.reader == "strict")
    if not scratch:
        return compat_of(contract, options)
    migrations = asyncio.run(executed_migration_breaks(contract, commands=commands))
    return compat_of(contract, options, with_squawk(contract, migrations))


def options_of(reader: str | None, direction: str) -> Options:
    """Options in the words of the command line."""
    consumers = {"backward": (Side.STABLE,), "forward": (Side.CANARY,)}.get(direction, (Side.STABLE, Side.CANARY))
    return Options(strict=reader == "strict", consumers=consumers)


def _own(breaks: Sequence[Break]) -> list[Break]:
    """Fingerprints that tell the services of one contract apart, and stay the same when a service is added."""
    return [msgspec.structs.replace(one, id=fingerprint((one.service, one.id))) for one in breaks]


def _report(
    documents: Sequence[str],
    breaks: tuple[Break, ...],
    timeline: tuple[EpochPairs, ...],
    compared: Sequence[str],
    not_compared: Sequence[str],
    nothing: str,
    started: float,
) -> CompatReport:
    verdict, reason = verdict_of(breaks, compared, nothing)
    return CompatReport(
        format=FORMAT,
        tool=f"crossfade {__version__}",
        verdict=verdict,
        reason=reason,
        documents=tuple(documents),
        breaks=breaks,
        timeline=timeline,
        compared=tuple(compared),
        not_compared=tuple(not_compared),
        seconds=round(time.perf_counter() - started, 3),
    )


def _path(contract: Contract, name: str) -> Path:
    """The document as somebody in this folder would name it."""
    path = Path(contract.folder) / name
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else Path(relative)


def _dated(options: Options) -> Options:
    today = options.today or datetime.date.today().isoformat()
    return msgspec.structs.replace(options, today=today)
