"""Two OpenAPI documents of one service: does a consumer of either version get along with the provider of the other?

Facts (`compat_facts`), then pairs of operations (`compat_pairing`), then each pair in both directions (`compat_calls`):
what a consumer may send by its document must lie within what the provider takes by its own, and what the provider may
answer within what the consumer was told to expect. Whatever says the same in both documents, references included, is
not looked into, so two neighbours without a difference cost two readings of their texts.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import msgspec

from crossfade.engine.compat_breaks import Fault, Gathered
from crossfade.engine.compat_calls import Calls
from crossfade.engine.compat_facts import Operation, at, operations
from crossfade.engine.compat_pairing import Pairing, paired
from crossfade.engine.compat_schemas import Schemas
from crossfade.model.compat import Break, Severity
from crossfade.model.openapi import OpenApiDocument
from crossfade.model.ramp import Side

MOST_TOLD = 10  # bodies without a description that are named


class Options(msgspec.Struct, frozen=True):
    """`strict`: readers of answers refuse fields they do not know. `consumers` are the sides whose consumers are looked at:
    the stable's (backward), the canary's (forward). `today` is an ISO date for `x-sunset`, "" where nobody asked.
    `places`: the place of a break is wanted in every operation it reaches, not in the first alone."""

    strict: bool = False
    consumers: tuple[Side, ...] = (Side.STABLE, Side.CANARY)
    today: str = ""
    places: bool = False


class Comparison(msgspec.Struct, frozen=True):
    """`breaks` have places without lines."""

    breaks: tuple[Break, ...]
    compared: tuple[str, ...]
    not_compared: tuple[str, ...] = ()
    paths: dict[str, dict[str, str]] = {}  # break -> operation -> place, where places differ
    sunsets: dict[str, str] = {}  # `x-sunset` of operations the canary has no more, where it is no date


def compare(stable: OpenApiDocument, canary: OpenApiDocument, options: Options = Options()) -> Comparison:
    """Everything that breaks between the versions. Raises ContractError where a document is malformed."""
    pairing = paired(operations(stable), operations(canary))
    gathered = Gathered(options.strict, (stable.shown, canary.shown))
    schemas = Schemas(stable, canary, options.strict, gathered, options.places)
    calls = Calls((stable, canary), schemas, gathered, options.strict)
    _whole_operations(pairing, options, gathered)
    for side in options.consumers:
        for pair in pairing.pairs:
            if not _unchanged(schemas, stable, canary, pair):
                consumer, provider = pair if side is Side.STABLE else pair[::-1]
                calls.compare(consumer, provider, side)
    schemas.finish()
    return Comparison(
        breaks=gathered.breaks(),
        compared=_compared(pairing),
        not_compared=_not_compared(stable, canary, schemas),
        paths=gathered.paths(),
        sunsets={str(one): one.sunset for one in pairing.removed if one.sunset and sunset_date(one.sunset) is None},
    )


def _unchanged(
    schemas: Schemas, stable: OpenApiDocument, canary: OpenApiDocument, pair: tuple[Operation, Operation]
) -> bool:
    """Whether nothing about a pair differs: the operation, what its path item says for all methods, its credentials."""
    one, two = pair
    if one.security != two.security:
        return False
    if [(p.place, p.key) for p in one.parameters] != [(p.place, p.key) for p in two.parameters]:
        return False
    shared = ((a.pointer, b.pointer) for a, b in zip(one.parameters, two.parameters, strict=True))
    return all(
        schemas.unchanged.same(at(stable.root, a), at(canary.root, b)) for a, b in ((one.pointer, two.pointer), *shared)
    )


def _whole_operations(pairing: Pairing, options: Options, gathered: Gathered) -> None:
    for side in options.consumers:
        for one, two in pairing.moved:
            mine, theirs = (one, two) if side is Side.STABLE else (two, one)
            what, detail = (" or ".join(f"`{base or '/'}`" for base in each.bases) for each in (mine, theirs))
            pointers = ("/servers", "/servers")
            keyword = f"{what} {detail}"
            gathered.add(Fault("base-path-changed", side, str(one), "path", pointers, what, detail, keyword=keyword))
    if Side.STABLE in options.consumers:
        for one in pairing.removed:
            gathered.add(_removed(one, options.today))
        for one, two in pairing.pairs:
            if (two.deprecated and not one.deprecated) or (two.sunset and two.sunset != one.sunset):
                detail = f", until {two.sunset}" if two.sunset else ""
                pointers = (one.pointer, two.pointer)
                gathered.add(
                    Fault("operation-deprecated", Side.STABLE, str(one), "deprecated", pointers, str(one), detail)
                )
    if Side.CANARY in options.consumers:
        for one in pairing.added:
            if not one.webhook:
                gathered.add(
                    Fault("operation-added", Side.CANARY, str(one), "status", ("/paths", one.pointer), str(one))
                )


def _removed(operation: Operation, today: str) -> Fault:
    """An operation that is gone. Announced long enough before, it is a warning: consumers had their time."""
    if operation.webhook:
        pointers = (operation.pointer, "/webhooks")
        return Fault("webhook-removed", Side.CANARY, str(operation), "path", pointers, str(operation))
    severity, more = None, ""
    date = sunset_date(operation.sunset)
    if operation.sunset and date is None:
        more = f"; its sunset is `{operation.sunset}`"
    elif date is not None and today:
        over = date.isoformat() <= today
        severity = Severity.WARNING if over else None
        more = f"; its sunset was {date.isoformat()}" if over else f", before its sunset on {date.isoformat()}"
    return Fault(
        "operation-removed", Side.STABLE, str(operation), "status", (operation.pointer, "/paths"), str(operation),
        severity=severity, more=more,
    )  # fmt: skip


def sunset_date(text: str) -> datetime.date | None:
    """The day of an `x-sunset` (an ISO date or time, or an HTTP date); None: it is something else, such as a stage.

    >>> sunset_date("2026-12-24T10:00:00Z"), sunset_date("Thu, 24 Dec 2026 10:00:00 GMT"), sunset_date("contract")
    (datetime.date(2026, 12, 24), datetime.date(2026, 12, 24), None)
    """
    for part, form in ((text[:10], "%Y-%m-%d"), (text[:16], "%a, %d %b %Y")):
        try:
            return datetime.datetime.strptime(part, form).date()
        except ValueError:
            continue
    return None


def _compared(pairing: Pairing) -> tuple[str, ...]:
    """What was looked at; empty where the documents have no operation in common."""
    if not pairing.pairs and not pairing.removed:
        return ()
    count = len(pairing.pairs)
    parts = [f"{count} operation{'s' if count != 1 else ''} that both describe"]
    parts += [f"{len(pairing.removed)} only the stable has"] if pairing.removed else []
    parts += [f"{len(pairing.added)} only the canary has"] if pairing.added else []
    return (", ".join(parts),)


def _not_compared(stable: OpenApiDocument, canary: OpenApiDocument, schemas: Schemas) -> tuple[str, ...]:
    found: Sequence[str] = tuple(schemas.undescribed)
    more = (f"and {len(found) - MOST_TOLD} more that only one document describes",) if len(found) > MOST_TOLD else ()
    return (*stable.notes, *canary.notes, *found[:MOST_TOLD], *more)
