"""Which calls are tried at the same time: those whose reads and writes meet.

A step meets another when one writes (or locks) what the other touches, seen while each scenario ran alone. A step is tried
with itself as well: the same request twice. Calls of two scenarios are tried where both write the same row that was
there before, or the same key. Of pairs that would show the same thing (same operations with the same fields, same
relations) the first counts; the others, which differ in the values they send, come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from crossfade.model import template
from crossfade.model.contract import Contract, Scenario, Step, StepName

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "QUERY"})
MOST_READS = 3
UNIQUE = "unique"


class Pair(msgspec.Struct, frozen=True):
    """Two things at the same time. `setup` are the calls made before, `calls` the two (a StepName without a scenario is
    the migration of a stage), `reads` the reading calls made afterwards. `declared`: the contract names it."""

    name: str
    setup: tuple[StepName, ...]
    calls: tuple[StepName, StepName]
    reads: tuple[StepName, ...]
    declared: bool = False


class StepProfile(msgspec.Struct, frozen=True):
    """What one step touched, on any side: names such as "db public.accounts". `turns`: how many it took at most. `shared`:
    rows it changed that were there before the scenario, and keys of other stores. `unseen`: it may have touched what
    nobody sees (a store without a proxy)."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    turns: int = 0
    shared: frozenset[str] = frozenset()
    unseen: bool = False

    def union(self, other: StepProfile) -> StepProfile:
        return StepProfile(
            self.reads | other.reads,
            self.writes | other.writes,
            max(self.turns, other.turns),
            self.shared | other.shared,
            self.unseen or other.unseen,
        )


Profiles = Mapping[StepName, StepProfile]


def declared_pairs(contract: Contract) -> list[Pair]:
    """The pairs the contract names, in its order."""
    found = []
    for race in contract.races:
        setup = tuple(_name(contract, step) for step in contract.before(race))
        used = {name.scenario for name in race.together if name.scenario} | {name.scenario for name in setup}
        first, second = race.together
        reads = _reads(contract, [s for s in contract.scenarios if s.name in used], setup, (first, second))
        found.append(Pair(race.name, setup, (_bare(first), _bare(second)), reads, True))
    return found


def candidate_pairs(contract: Contract, profiles: Profiles) -> list[Pair]:
    """Pairs worth trying, the most telling first: two writes of the same thing, then a write and a reader that does more
    than one thing. No two send the same."""
    ranked: list[tuple[int, Pair]] = []
    for scenario in contract.scenarios:
        for last, second in enumerate(scenario.steps):
            for index in range(last + 1):
                rank = _rank(profiles, scenario, scenario.steps[index], second)
                if rank is not None:
                    ranked.append((rank, _pair(contract, scenario, index, last)))
    ranked += [(3, pair) for pair in _across(contract, profiles)]
    chosen: list[Pair] = []
    repeated: list[Pair] = []
    looks: set[object] = set()
    contents: set[object] = set()
    for _, pair in sorted(ranked, key=lambda item: item[0]):
        look = _look(contract, profiles, pair)
        content = (look, tuple(_content(_step(contract, name)) for name in pair.calls))
        if content not in contents:
            (repeated if look in looks else chosen).append(pair)
        looks.add(look)
        contents.add(content)
    return chosen + repeated


def migration_pairs(contract: Contract, stage: int, profiles: Profiles) -> list[Pair]:
    """Every writing step against the migration of a stage while it runs."""
    found: list[Pair] = []
    seen: set[object] = set()
    name = StepName("", contract.stages[stage].name)
    for scenario in contract.scenarios:
        for index, step in enumerate(scenario.steps):
            own = profiles.get(StepName(scenario.name, step.name), StepProfile())
            if step.method in SAFE_METHODS or not (own.writes or own.unseen):
                continue
            look = (step.operation, own.writes)
            if look in seen:
                continue
            seen.add(look)
            setup = tuple(StepName(scenario.name, s.name) for s in scenario.steps[:index])
            calls = (StepName(scenario.name, step.name), name)
            reads = _reads(contract, [scenario], setup, calls)
            found.append(Pair(f"{step.name} while {name.step} runs", setup, calls, reads))
    return found


def _rank(profiles: Profiles, scenario: Scenario, first: Step, second: Step) -> int | None:
    """Small is early, None: not worth trying."""
    one = profiles.get(StepName(scenario.name, first.name), StepProfile())
    other = profiles.get(StepName(scenario.name, second.name), StepProfile())
    both_read = first.method in SAFE_METHODS and second.method in SAFE_METHODS
    if both_read and not (one.writes & other.writes):
        return None
    if one.unseen or other.unseen:
        return 0 if first is second else 1 if {first.method, second.method}.isdisjoint(SAFE_METHODS) else 2
    if one.writes & other.writes:
        return 0 if first is second else 1
    if one.writes & other.reads:
        return 2 if other.turns > 1 else None
    if other.writes & one.reads:
        return 2 if one.turns > 1 else None
    return None


def _look(contract: Contract, profiles: Profiles, pair: Pair) -> object:
    """What two pairs have in common that would show the same thing."""
    parts = []
    for name in pair.calls:
        step, profile = _step(contract, name), profiles.get(name, StepProfile())
        fields = frozenset(_fields(step.json)) | frozenset(step.form or ())
        parts.append((step.service, step.operation, fields, profile.reads, profile.writes))
    return (*parts, len(pair.setup) > 0, pair.calls[0] == pair.calls[1])


def _content(step: Step) -> object:
    return (step.path, repr(step.json), repr(step.form), step.body, repr(sorted(step.headers.items())))


def _fields(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _fields(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, f"{path}[]")
    else:
        yield path


def _step(contract: Contract, name: StepName) -> Step:
    step = contract.step(name)
    assert step is not None
    return step


def _pair(contract: Contract, scenario: Scenario, index: int, last: int) -> Pair:
    """Steps `index` and `last` of a scenario at the same time. What lies between them is done before where the second
    needs it; where it needs the first itself, everything is done before, and the first once more."""
    steps = scenario.steps
    needed = _needed(steps, last)
    if index in needed and index != last:
        before = list(range(last))
    else:
        before = [n for n in range(last) if n < index or (n != index and n in needed)]
    calls = (StepName(scenario.name, steps[index].name), StepName(scenario.name, steps[last].name))
    setup = tuple(StepName(scenario.name, steps[n].name) for n in before)
    name = f"{steps[index].name} with {'itself' if index == last else steps[last].name}"
    return Pair(name, setup, calls, _reads(contract, [scenario], setup, calls))


def _across(contract: Contract, profiles: Profiles) -> list[Pair]:
    found: list[Pair] = []
    names = [StepName(s.name, step.name) for s in contract.scenarios for step in s.steps]
    for number, one in enumerate(names):
        for other in names[number + 1 :]:
            if one.scenario == other.scenario:
                continue
            mine, theirs = profiles.get(one, StepProfile()), profiles.get(other, StepProfile())
            if not mine.shared & theirs.shared:
                continue
            setup = (*_steps_before(contract, one), *_steps_before(contract, other))
            scenarios = [s for s in contract.scenarios if s.name in (one.scenario, other.scenario)]
            reads = _reads(contract, scenarios, setup, (one, other))
            found.append(Pair(f"{one.step} with {other.step}", setup, (one, other), reads))
    return found


def _steps_before(contract: Contract, name: StepName) -> tuple[StepName, ...]:
    scenario = next(s for s in contract.scenarios if s.name == name.scenario)
    index = next(n for n, step in enumerate(scenario.steps) if step.name == name.step)
    return tuple(StepName(scenario.name, step.name) for step in scenario.steps[:index])


def _needed(steps: Sequence[Step], last: int) -> set[int]:
    """The steps whose variables `last` uses, directly or not."""
    wanted: set[int] = set()
    todo = [last]
    while todo:
        for name in _used(steps[todo.pop()]):
            savers = [n for n in range(last) if name in steps[n].save]
            if savers and savers[-1] not in wanted:
                wanted.add(savers[-1])
                todo.append(savers[-1])
    return wanted


def _used(step: Step) -> set[str]:
    texts = (step.path, step.headers, step.json, step.body or "", step.form)
    return {name for text in texts for name in template.names_in(text)} - {UNIQUE}


def _reads(
    contract: Contract, scenarios: Sequence[Scenario], setup: Sequence[StepName], calls: Sequence[StepName]
) -> tuple[StepName, ...]:
    """Reading steps whose variables are known after the setup."""
    found: dict[str, StepName] = {}
    raced = {_bare(name) for name in calls}
    for scenario in scenarios:
        known: set[str] = set()
        for name in setup:
            step = contract.step(name)
            known |= set(step.save) if step is not None else set()
        for step in scenario.steps:
            name = StepName(scenario.name, step.name)
            if step.method in SAFE_METHODS and name not in raced and _used(step) <= known:
                found.setdefault(step.operation, name)
    return tuple(found.values())[:MOST_READS]


def _name(contract: Contract, step: Step) -> StepName:
    scenario = next(s for s in contract.scenarios if any(other is step for other in s.steps))
    return StepName(scenario.name, step.name)


def _bare(name: StepName) -> StepName:
    return StepName(name.scenario, name.step)
