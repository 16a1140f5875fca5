"""`crossfade compat`: two documents, or every service on the ramp of a contract with a description for both sides."""

from __future__ import annotations

import datetime
import os.path
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossfade import __version__
from crossfade.engine.compat_breaks import fingerprint
from crossfade.engine.compat_openapi import Options
from crossfade.engine.compat_ramp import epoch_pairs, placed
from crossfade.engine.compat_verdict import verdict_of
from crossfade.errors import UsageError
from crossfade.formats.kinds import kind_of_document
from crossfade.formats.ramp import read_contract
from crossfade.model.compat import Break, CompatReport, EpochPairs, Severity
from crossfade.model.contract import Contract
from crossfade.model.ramp import Side
from crossfade.session.compat_kinds import compare_documents
from crossfade.session.migrations import migration_breaks

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


def compat_of(contract: Contract, options: Options | None = None) -> CompatReport:
    """The report on a contract: what it runs first. `options` None: as the contract says (`reader`). Raises
    ContractError where a document it names cannot be read."""
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
    migrations = migration_breaks(contract)
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


def compat_of_file(path: str, options: Options, as_the_contract_says: bool = True) -> CompatReport:
    """The report on the contract in a file. `as_the_contract_says`: its `reader` decides how answers are read. Raises
    UsageError where the file is a document that needs a second one."""
    if Path(path).is_file() and kind_of_document(Path(path)) not in ("contract", ""):
        raise UsageError(
            f"`{path}` is one document, and two are compared", hint=f"crossfade compat {path} NEW, or name a contract"
        )
    contract = read_contract(path)
    if as_the_contract_says:
        options = msgspec.structs.replace(options, strict=contract.reader == "strict")
    return compat_of(contract, options)


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
