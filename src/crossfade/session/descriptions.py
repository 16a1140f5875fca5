"""The OpenAPI descriptions a contract names, per service and side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crossfade.formats.openapi import read_openapi
from crossfade.model.api import ApiDescription
from crossfade.model.contract import Contract
from crossfade.model.ramp import Side


def descriptions_of(contract: Contract, note: Callable[[str], None]) -> dict[tuple[str, Side], ApiDescription | None]:
    """None where a side has no description; `note` is told what of a document cannot be used. Raises ContractError."""
    found: dict[tuple[str, Side], ApiDescription | None] = {}
    for service in contract.services:
        for side in Side:
            path = service.instance(side).openapi if side is Side.STABLE or service.on_ramp else None
            description = read_openapi(Path(contract.folder) / path, path) if path else None
            found[service.name, side] = description
            for text in description.notes if description else ():
                note(text)
    return found
