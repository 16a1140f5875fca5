"""Breaks over the ramp: which pairs of consumer and provider meet at which stage, and what breaks there.

Who is alive. *Providers* are the sides that serve. *Consumers* are whoever was built for a version: those of the stable
exist before the ramp begins and nobody rolls them out with it, so they exist at every stage. Consumers of the canary (a
page the canary has handed out, a client that has learned what it can do) exist from the first stage at which it serves.

Who meets whom at a stage where the canary has the weight w:

* stable consumer, canary provider: wherever the canary serves (w > 0), however the weight came there.
* canary consumer, stable provider: where both serve and each call is drawn anew (0 < w < 1, no stickiness), and wherever
  rollback may start. Sticky users move from the stable to the canary only, so they meet this way in a rollback alone.
* the own kind: wherever that side serves.

So on a ramp that jumps from 0% to 100% without rollback, no consumer of the canary ever meets the stable, and what only
breaks in that direction is fine. A break that never meets anybody stays in the report as information.

A rule of the contract with a window (`until`) says how long somebody needs what it states: a break at a place that such
rules name counts at the stages of their windows only. An `x-sunset` that names a stage says the same of a removed operation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from crossfade.engine.timeline import rollback_stages, timeline
from crossfade.model.compat import Break, Crossing, EpochPairs, Meeting, Severity
from crossfade.model.contract import BehaviourRule, Change, Contract
from crossfade.model.ramp import Side

PAIRS = tuple((consumer, provider) for consumer in Side for provider in Side)


def placed(
    contract: Contract,
    service: str,
    breaks: Iterable[Break],
    sunsets: Mapping[str, str] = {},
    paths: Mapping[str, Mapping[str, str]] = {},
) -> tuple[Break, ...]:
    """The breaks of a service with the stages where their pair meets, and whether `changes` declares them. `sunsets` are
    stages (or other texts) at which operations end; `paths` (break -> operation -> place) where places differ."""
    found = []
    for one in breaks:
        places = {operation: paths.get(one.id, {}).get(operation, one.path) for operation in one.operations}
        consumer, provider = pair_of(one)
        meeting = meeting_stages(contract, service, consumer, provider)
        stages = [index for index in meeting if _counts(contract, service, one, places, index, sunsets)]
        found.append(
            msgspec.structs.replace(
                one,
                service=service,
                stages=tuple(contract.stages[index].name for index in stages),
                severity=one.severity if stages else Severity.INFO,
                declared=declared(contract.changes, places),
            )
        )
    return tuple(found)


def epoch_pairs(contract: Contract, services: Sequence[str], breaks: Sequence[Break]) -> tuple[EpochPairs, ...]:
    """The timeline. A pair meets in an epoch when it does for any of the services that were compared."""
    met = {
        (service, pair): frozenset(meeting_stages(contract, service, *pair)) for service in services for pair in PAIRS
    }
    result = []
    for stages in _epochs(contract):
        names = {contract.stages[index].name for index in stages}
        meetings = []
        for pair in PAIRS:
            if any(met[service, pair] & set(stages) for service in services):
                ids = tuple(one.id for one in breaks if pair_of(one) == pair and names & set(one.stages))
                forward = any(_forward(contract, service, *pair) & set(stages) for service in services)
                meetings.append(Meeting(pair[0].value, pair[1].value, ids, rollback=not forward))
        names_in_order = tuple(contract.stages[index].name for index in stages)
        result.append(EpochPairs(names_in_order, contract.stages[stages[0]].phase.value, tuple(meetings)))
    return tuple(result)


def meeting_stages(contract: Contract, service: str, consumer: Side, provider: Side) -> tuple[int, ...]:
    """Indices of the stages at which a consumer of one side may call the provider of the other."""
    met = set(_forward(contract, service, consumer, provider))
    if provider is Side.STABLE:
        met |= {index for index in rollback_stages(contract) if contract.stages[index].weights.get(service, 0.0) > 0}
    return tuple(sorted(met))


def _forward(contract: Contract, service: str, consumer: Side, provider: Side) -> frozenset[int]:
    """Those where they meet on the way forward."""
    weights = [stage.weights.get(service, 0.0) for stage in contract.stages]
    sticky = contract.stickiness.kind != "none"
    if provider is Side.CANARY:
        return frozenset(index for index, weight in enumerate(weights) if weight > 0)
    if consumer is Side.STABLE:
        return frozenset(index for index, weight in enumerate(weights) if weight < 1)
    return frozenset(index for index, weight in enumerate(weights) if 0 < weight < 1 and not sticky)


def pair_of(one: Break) -> tuple[Side, Side]:
    """The consumer's and the provider's side. A side that the schema breaks fails whoever calls it, its own kind first."""
    if one.crossing is Crossing.STATE:
        side = Side(one.writer if one.writer in tuple(Side) else one.reader)
        return side, side
    writer, reader = Side(one.writer), Side(one.reader)
    return (writer, reader) if one.crossing is Crossing.REQUEST else (reader, writer)


def declared(changes: Sequence[Change], places: Mapping[str, str]) -> bool:
    """Whether `changes` names the place for every operation a break reaches (operation -> place)."""
    return bool(places) and all(
        any(change.on.matches(operation) and _covers(_plain(change.field), _plain(path)) for change in changes)
        for operation, path in places.items()
    )


def _counts(
    contract: Contract, service: str, one: Break, places: Mapping[str, str], stage: int, sunsets: Mapping[str, str]
) -> bool:
    if one.rule == "operation-removed":
        names = [item.name for item in contract.stages]
        ends = [sunsets.get(operation, "") for operation in one.operations]
        if ends and all(end in names and stage >= names.index(end) for end in ends):
            return False
    if pair_of(one) != (Side.STABLE, Side.CANARY):
        return True
    windows = [rule for rule in contract.rules if _speaks_of(rule, service, places)]
    return not windows or any(_inside(contract, rule, stage) for rule in windows)


def _speaks_of(rule: BehaviourRule, service: str, places: Mapping[str, str]) -> bool:
    """A rule with a window about the place of the break, for all its operations."""
    if (rule.from_stage is None and rule.until_stage is None) or rule.service not in (None, service):
        return False
    expected = [_plain(expression.source) for expression in rule.expect]
    return all(
        rule.on.matches(operation)
        and any(re.search(rf"(?<![\w.]){re.escape(_plain(path))}(?!\w)", text) for text in expected)
        for operation, path in places.items()
    )


def _inside(contract: Contract, rule: BehaviourRule, stage: int) -> bool:
    first = contract.stage_index(rule.from_stage) if rule.from_stage is not None else 0
    last = contract.stage_index(rule.until_stage) if rule.until_stage is not None else len(contract.stages)
    return first <= stage <= last


def _epochs(contract: Contract) -> list[tuple[int, ...]]:
    """The epochs of the timeline, cut where the phase changes."""
    found: list[tuple[int, ...]] = []
    for epoch in timeline(contract).epochs:
        run: list[int] = []
        for index in epoch.stages:
            if run and contract.stages[run[-1]].phase is not contract.stages[index].phase:
                found.append(tuple(run))
                run = []
            run.append(index)
        found.append(tuple(run))
    return found


def _plain(path: str) -> str:
    """A path with every index alike.

    >>> _plain("body.items[0].price"), _plain("body.items[*].price")
    ('body.items[].price', 'body.items[].price')
    """
    path = re.sub(r"\[[^\]]*\]", "[]", path)
    return path.lower() if path.startswith("header.") else path


def _covers(field: str, path: str) -> bool:
    return path == field or path.startswith((f"{field}.", f"{field}["))
