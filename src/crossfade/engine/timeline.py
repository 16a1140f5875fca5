"""From stages to points, epochs and walks, and the automaton that says which routings can happen.

A *point* is a state of the shared data: point 0 is the schema (and a migration of the very first stage), every later
migration opens the next; starting a canary opens one as well where it changes the database by itself (known only at
run time, so the caller says). Stages that share a point and the live sides form one *epoch*. A *walk* is one pass:
forward, or forward and then back to all-stable from a stage where rollback may start.

Routings are words of (point, side), one letter per step. Which words can happen is decided by a small automaton whose
places are "at stage i" and "rolled back from stage i"; a set of places is carried along a word, so equal words over
different walks are one word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import msgspec

from crossfade.model.contract import Contract, Race, Scenario, StepName
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Phase, Side
from crossfade.model.report import PlanLine

BOTH = (Side.STABLE, Side.CANARY)


class Point(msgspec.Struct, frozen=True):
    """`stage` is the index of the stage that opens it; `opened_by` is schema, migration or start."""

    number: int
    stage: int
    opened_by: str


class Epoch(msgspec.Struct, frozen=True):
    """A run of stages with the same mix; `live` per service the sides that serve calls there."""

    number: int
    stages: tuple[int, ...]
    point: int
    live: dict[str, tuple[Side, ...]]


class Walk(msgspec.Struct, frozen=True):
    """`back_from` is the index of the stage the rollback starts from, None: the forward walk."""

    number: int
    back_from: int | None


class Timeline(msgspec.Struct, frozen=True):
    points: tuple[Point, ...]
    point_of: tuple[int, ...]  # per stage
    epochs: tuple[Epoch, ...]
    walks: tuple[Walk, ...]

    def epoch_of(self, stage: int) -> Epoch:
        return next(epoch for epoch in self.epochs if stage in epoch.stages)

    def stages_at(self, point: int) -> tuple[int, ...]:
        return tuple(stage for stage, its_point in enumerate(self.point_of) if its_point == point)


def timeline(contract: Contract, starts_change_data: frozenset[int] = frozenset()) -> Timeline:
    """`starts_change_data`: indices of the stages at which starting a canary was seen to change the database."""
    points = [Point(0, 0, "schema")]
    point_of: list[int] = []
    for index, stage in enumerate(contract.stages):
        if stage.migration is not None and index > 0:
            points.append(Point(len(points), index, "migration"))
        if index in starts_change_data:
            points.append(Point(len(points), index, "start"))
        point_of.append(points[-1].number)
    return Timeline(tuple(points), tuple(point_of), _epochs(contract, point_of), _walks(contract))


def live_sides(contract: Contract, stage: int) -> dict[str, tuple[Side, ...]]:
    """Per service the sides that serve calls at a stage: by its weight, stable alone, both, or canary alone."""
    live: dict[str, tuple[Side, ...]] = {}
    for service in contract.services:
        weight = contract.stages[stage].weights.get(service.name, 0.0) if service.on_ramp else 0.0
        live[service.name] = (Side.STABLE,) if weight <= 0 else (Side.CANARY,) if weight >= 1 else BOTH
    return live


def rollback_stages(contract: Contract) -> tuple[int, ...]:
    """Stages from which traffic may return to stable: the canary serves there and the contract allows it."""
    if contract.rollback_until is None:
        return ()
    last = contract.stage_index(contract.rollback_until)
    return tuple(index for index in range(last + 1) if contract.stages[index].weight > 0)


def first_canary_stage(contract: Contract) -> int | None:
    return next((index for index, stage in enumerate(contract.stages) if stage.weight > 0), None)


def stable_lives_until(contract: Contract) -> int:
    """Index of the last stage at which some stable still serves or may be needed for rollback."""
    serving = [i for i in range(len(contract.stages)) if any(Side.STABLE in s for s in _ramp_live(contract, i))]
    return max([*serving, *rollback_stages(contract), 0])


def _ramp_live(contract: Contract, stage: int) -> list[tuple[Side, ...]]:
    live = live_sides(contract, stage)
    return [live[service.name] for service in contract.services if service.on_ramp]


def _epochs(contract: Contract, point_of: Sequence[int]) -> tuple[Epoch, ...]:
    epochs: list[Epoch] = []
    for index in range(len(contract.stages)):
        live = live_sides(contract, index)
        last = epochs[-1] if epochs else None
        if last is not None and last.point == point_of[index] and last.live == live:
            epochs[-1] = msgspec.structs.replace(last, stages=(*last.stages, index))
        else:
            epochs.append(Epoch(len(epochs) + 1, (index,), point_of[index], live))
    return tuple(epochs)


def _walks(contract: Contract) -> tuple[Walk, ...]:
    return (Walk(1, None), *(Walk(2 + n, stage) for n, stage in enumerate(rollback_stages(contract))))


# --- which routings can happen -------------------------------------------------------------------------------------

Place = tuple[int, bool, tuple[Side, ...]]  # stage, rolled back?, side of each sticky group
Places = frozenset[Place]


class Automaton:
    """The routings of one scenario. Immutable after construction; `after` is memoised."""

    def __init__(self, contract: Contract, line: Timeline, scenario: Scenario) -> None:
        self._contract = contract
        self._line = line
        self._services = [step.service for step in scenario.steps]
        self._on_ramp = {service.name for service in contract.services if service.on_ramp}
        self._groups, self._group_of, self._group_service = _sticky_groups(contract, scenario)
        self._rollback = frozenset(rollback_stages(contract))
        self._live = [live_sides(contract, stage) for stage in range(len(contract.stages))]
        self._memo: dict[tuple[Places, int, Placed], Places] = {}
        self._closures: dict[Places, Places] = {}
        self.points = len(line.points)
        self.steps = len(scenario.steps)

    @property
    def start(self) -> Places:
        return frozenset(self._entered(0))

    def after(self, places: Places, step: int, placed: Placed) -> Places:
        """The places a word can be in after `step` happened at `placed`; empty: impossible."""
        key = (places, step, placed)
        if key not in self._memo:
            self._memo[key] = frozenset(p for p in self._closure(places) if self._serves(p, step, placed))
        return self._memo[key]

    def sides(self, places: Places, step: int, point: int) -> tuple[Side, ...]:
        """The sides that can serve `step` at `point` from here, stable first."""
        return tuple(side for side in BOTH if self.after(places, step, Placed(point, side)))

    def can_reach(self, places: Places, point: int) -> bool:
        """Can the word's next call, if any, happen at `point`?"""
        return any(self._line.point_of[place[0]] == point for place in self._closure(places))

    def possible(self, word: Word) -> bool:
        places = self.start
        for step, placed in enumerate(word):
            places = self.after(places, step, placed)
        return bool(places)

    def count(self) -> int:
        """How many different words of full length there are."""

        @cache
        def words(step: int, point: int, places: Places) -> int:
            if step == self.steps:
                return 1
            total = 0
            for later in range(point, self.points):
                for side in self.sides(places, step, later):
                    total += words(step + 1, later, self.after(places, step, Placed(later, side)))
            return total

        return words(0, 0, self.start)

    def words(self, limit: int | None = None) -> Iterable[Word]:
        """Every word in a fixed order (earlier points first, stable first), at most `limit`."""
        found = 0
        stack: list[tuple[Word, Places]] = [((), self.start)]
        while stack:
            word, places = stack.pop()
            if len(word) == self.steps:
                yield word
                found += 1
                if limit is not None and found >= limit:
                    return
                continue
            step, point = len(word), word[-1].point if word else 0
            choices = [Placed(p, side) for p in range(point, self.points) for side in self.sides(places, step, p)]
            for placed in reversed(choices):
                stack.append(((*word, placed), self.after(places, step, placed)))

    def stages(self, word: Word) -> tuple[tuple[int, bool], ...]:
        """For each step the (stage, rolled back) of the earliest way the word can happen, without rollback where
        possible. Raises ValueError for an impossible word."""
        best: dict[Place, tuple[tuple[int, bool], ...]] = dict.fromkeys(sorted(self.start, key=_rank), ())
        for step, placed in enumerate(word):
            reached: dict[Place, tuple[tuple[int, bool], ...]] = {}
            for place, path in best.items():
                for target in sorted(self._closure(frozenset((place,))), key=_rank):
                    if not self._serves(target, step, placed):
                        continue
                    longer = (*path, (target[0], target[1]))
                    if target not in reached or _path_rank(longer) < _path_rank(reached[target]):
                        reached[target] = longer
            best = reached
        if not best:
            raise ValueError("impossible routing")
        return min(best.values(), key=_path_rank)

    def needs_rollback(self, word: Word) -> bool:
        return any(back for _, back in self.stages(word))

    def _serves(self, place: Place, step: int, placed: Placed) -> bool:
        stage, back, sides = place
        if self._line.point_of[stage] != placed.point:
            return False
        service = self._services[step]
        if service not in self._on_ramp or back:
            return placed.side is Side.STABLE
        if placed.side not in self._live[stage][service]:
            return False
        group = self._group_of[step]
        return group is None or sides[group] is placed.side

    def _closure(self, places: Places) -> Places:
        known = self._closures.get(places)
        if known is None:
            seen = set(places)
            todo = list(places)
            while todo:
                for target in self._moves(todo.pop()):
                    if target not in seen:
                        seen.add(target)
                        todo.append(target)
            known = self._closures[places] = frozenset(seen)
        return known

    def _moves(self, place: Place) -> Iterable[Place]:
        stage, back, sides = place
        if back:
            return
        if stage in self._rollback:
            yield (stage, True, tuple(Side.STABLE for _ in sides))
        if stage + 1 < len(self._contract.stages):
            for target in self._entered(stage + 1):
                if all((old, new) != (Side.CANARY, Side.STABLE) for old, new in zip(sides, target[2], strict=True)):
                    yield target

    def _entered(self, stage: int) -> Iterable[Place]:
        """The places on entering a stage: each sticky group on a side that is live there."""
        options: list[tuple[Side, ...]] = [()]
        for group in range(self._groups):
            live = self._live[stage][self._group_service[group]]
            options = [(*chosen, side) for chosen in options for side in live]
        return [(stage, False, chosen) for chosen in options]


def _sticky_groups(contract: Contract, scenario: Scenario) -> tuple[int, list[int | None], list[str]]:
    """Calls that share one coin: (number of groups, group per step, service per group)."""
    if contract.stickiness.kind == "none":
        return 0, [None] * len(scenario.steps), []
    keys: list[tuple[str, str]] = []
    group_of: list[int | None] = []
    on_ramp = {service.name for service in contract.services if service.on_ramp}
    for step in scenario.steps:
        value: str | None = ""
        if contract.stickiness.kind == "header":
            wanted = contract.stickiness.name.lower()
            value = next((v for name, v in step.headers.items() if name.lower() == wanted), None)
        if value is None or step.service not in on_ramp:
            group_of.append(None)
            continue
        key = (step.service, value)
        if key not in keys:
            keys.append(key)
        group_of.append(keys.index(key))
    return len(keys), group_of, [service for service, _ in keys]


def _rank(place: Place) -> tuple[bool, int, str]:
    return place[1], place[0], "".join(side.letter for side in place[2])


def _path_rank(path: tuple[tuple[int, bool], ...]) -> tuple[int, tuple[tuple[bool, int], ...]]:
    return sum(back for _, back in path), tuple((back, stage) for stage, back in path)


# --- the plan for people -------------------------------------------------------------------------------------------


def plan(contract: Contract, line: Timeline, races: str = "auto") -> tuple[PlanLine, ...]:
    """The numbered plan: what will be started, migrated, walked, how many routings there are, and which calls are tried at
    the same time (`races` is auto, declared or off)."""
    lines: list[PlanLine] = []

    def add(number: str, text: str) -> None:
        lines.append(PlanLine(number, number.count("."), text))

    add("1", "start the world")
    entries = [_database_line(contract, name) for name in range(len(contract.databases))]
    entries += [_service_line(contract, index) for index in range(len(contract.services))]
    for number, text in enumerate(entries, 1):
        add(f"1.{number}", text)
    add("2", "walk the ramp forward")
    for epoch in line.epochs:
        names = ", ".join(contract.stages[index].name for index in epoch.stages)
        add(f"2.{epoch.number}", f"{names}: {_mix(contract, epoch)}")
        for index in epoch.stages:
            migration = contract.stages[index].migration
            if migration is not None:
                add(f"2.{epoch.number}.1", f"migrate ({contract.stages[index].phase}): {migration.label}")
    backs = [walk for walk in line.walks if walk.back_from is not None]
    add("3", "walk back to stable" if backs else "no walk back: the contract allows no rollback")
    for number, walk in enumerate(backs, 1):
        stage = contract.stages[walk.back_from or 0]
        add(f"3.{number}", f"from {stage.name} ({_percent(stage.weight)}), data at {stage.phase}")
    add("4", "make every routing of every scenario happen")
    for number, scenario in enumerate(contract.scenarios, 1):
        count = Automaton(contract, line, scenario).count()
        add(f"4.{number}", f"{scenario.name}: {len(scenario.steps)} steps, {count:,} routings")
    last = 5
    if tried := _race_lines(contract, races):
        add("5", tried[0])
        for number, text in enumerate(tried[1:], 1):
            add(f"5.{number}", text)
        last = 6
    add(str(last), "replay every failure three times from clean state, then judge")
    return tuple(lines)


def mixed_stages(contract: Contract) -> tuple[int, ...]:
    """Indices of the stages where stable and canary of some service both serve calls."""
    return tuple(index for index in range(len(contract.stages)) if BOTH in _ramp_live(contract, index))


def _race_lines(contract: Contract, races: str) -> list[str]:
    """What the plan says of races: a headline and the lines below it; nothing where none can be tried."""
    if races == "off":
        return ["no races: no calls at the same time"]
    stages = [contract.stages[index].name for index in mixed_stages(contract)]
    lines = [_race_line(race, contract, bool(stages)) for race in contract.races]
    if races == "auto" and stages:
        meeting = "pairs of calls whose reads and writes meet are tried together where both sides serve"
        lines.append(f"{meeting}: {', '.join(stages)}")
    migrations = [f"`{stage.name}`" for stage in contract.stages[1:] if stage.migration is not None]
    if races == "auto" and migrations:
        verb = "is" if len(migrations) == 1 else "are"
        lines.append(f"calls that write are tried while {', '.join(migrations)} {verb} running")
    return ["races: two calls at the same time", *lines] if lines else []


def _race_line(race: Race, contract: Contract, mixed: bool) -> str:
    migrations = [name.step for name in race.together if not name.scenario]
    calls = [_race_step(name, contract) for name in race.together if name.scenario]
    together = f"{calls[0]} while `{migrations[0]}` is running" if migrations else " with ".join(calls)
    after = f", after `{race.setup}`" if race.setup else ""
    never = "" if mixed or migrations else " (not tried: at no stage do both sides serve)"
    return f"{race.name}: {together}{after}{never}"


def _race_step(name: StepName, contract: Contract) -> str:
    """The step's name, with its scenario where several have a step of that name."""
    owners = [scenario for scenario in contract.scenarios for step in scenario.steps if step.name == name.step]
    return f"`{name.step}`" if len(owners) == 1 else f"`{name.scenario}/{name.step}`"


def _database_line(contract: Contract, index: int) -> str:
    database = contract.databases[index]
    if database.kind == "mysql":
        return f"database {database.name}: MySQL, used as it is (nothing in it is reset)"
    kind = "PostgreSQL" if database.kind == "postgres" else "Redis"
    version = f" {database.version}" if database.version else ""
    loaded = f", schema {', '.join(database.schema)}" if database.schema else ""
    return f"database {database.name}: {kind}{version}{loaded}"


def _service_line(contract: Contract, index: int) -> str:
    service = contract.services[index]
    if service.canary is None:
        return f"service {service.name}: one version, not on the ramp"
    return f"service {service.name}: stable {service.stable.version}, canary {service.canary.version}"


def _mix(contract: Contract, epoch: Epoch) -> str:
    sides = {side for service in contract.services if service.on_ramp for side in epoch.live[service.name]}
    phase: Phase = contract.stages[epoch.stages[0]].phase
    weights = [contract.stages[index].weight for index in epoch.stages]
    share = _percent(weights[0]) if len(set(weights)) == 1 else f"{_percent(weights[0])} to {_percent(weights[-1])}"
    who = "stable and canary" if len(sides) == 2 else f"{next(iter(sides), Side.STABLE)} only"
    return f"{who}, canary serves {share}, data at {phase}"


def _percent(weight: float) -> str:
    return f"{weight * 100:g}%"
