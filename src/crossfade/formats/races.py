"""`races:` of a contract: which two are tried at the same time, and what is done before them.

An entry of `together` is a step by its name, a step as `scenario/step`, or a stage whose migration runs meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from crossfade.formats.decode import Fields, Reading
from crossfade.formats.scenarios import UNIQUE, list_of, text_of
from crossfade.formats.tree import Node, did_you_mean
from crossfade.model.contract import Race, Scenario, Service, Step, StepName, steps_before
from crossfade.model.ramp import Position, Stage


def races_of(
    reading: Reading,
    contract: Fields,
    services: tuple[Service, ...],
    scenarios: tuple[Scenario, ...],
    stages: tuple[Stage, ...],
) -> tuple[Race, ...]:
    one_version = frozenset(service.name for service in services if not service.on_ramp)
    names = _Names(scenarios, stages, one_version, _complete(contract, scenarios))
    races: dict[str, Race] = {}
    for fields in list_of(reading, contract, "races", "race"):
        race = _race(reading, fields, names)
        if race is not None and race.name in races:
            first = races[race.name].position
            line = f"line {first.line} has it already" if first else ""
            reading.problem(fields.value("name") or fields.node, f"two races are named `{race.name}`", line)
        elif race is not None:
            races[race.name] = race
    return tuple(races.values())


class _Names(msgspec.Struct, frozen=True):
    """What a race can name. Not `complete`: a scenario could not be read, so that an unknown name is no second problem."""

    scenarios: tuple[Scenario, ...]
    stages: tuple[Stage, ...]
    one_version: frozenset[str]  # the services that are not on the ramp
    complete: bool

    def steps(self) -> Iterator[tuple[Scenario, Step]]:
        return ((scenario, step) for scenario in self.scenarios for step in scenario.steps)

    def scenario(self, name: str) -> Scenario | None:
        return next((scenario for scenario in self.scenarios if scenario.name == name), None)

    def step(self, name: StepName) -> Step | None:
        return next(
            (step for owner, step in self.steps() if (owner.name, step.name) == (name.scenario, name.step)), None
        )

    def migrations(self) -> list[str]:
        return [stage.name for stage in self.stages if stage.migration is not None]


def _complete(contract: Fields, scenarios: tuple[Scenario, ...]) -> bool:
    node = contract.value("scenarios")
    return node is not None and node.kind == "list" and len(node.value) == len(scenarios)


def _race(reading: Reading, fields: Fields, names: _Names) -> Race | None:
    name = text_of(reading, fields, "name")
    setup = _setup(reading, fields, names)
    nodes = _two(reading, fields)
    found = [_named(reading, node, setup, names) for node in nodes]
    together = tuple(one for one in found if one is not None)
    if len(together) == 2 and not any(one.scenario for one in together):
        reading.problem(nodes[1], "only one of the two can be a migration", "name a step beside it")
    if not name or len(together) != 2:
        return None
    steps = [step for one in together if (step := names.step(one))]
    if steps and all(step.service in names.one_version for step in steps):
        hint = "name a call to a service with `stable` and `canary`"
        reading.problem(nodes[0], f"`{steps[0].name}` calls `{steps[0].service}`, which is not on the ramp", hint)
    race = Race(name, together, setup, reading.place(fields.key("name")))
    if fields.has("setup") == (setup is not None):
        _variables(reading, race, nodes, names)
    return race


def _setup(reading: Reading, fields: Fields, names: _Names) -> str | None:
    name = text_of(reading, fields, "setup")
    known = [scenario.name for scenario in names.scenarios]
    if name is None or name in known:
        return name
    if names.complete:
        hint = did_you_mean(name, known) or f"scenarios: {', '.join(known)}"
        reading.problem(fields.value("setup") or fields.node, f"unknown scenario `{name}`", hint)
    return None


def _two(reading: Reading, fields: Fields) -> tuple[Node, ...]:
    node = fields.value("together")
    if node is None:
        return ()
    if node.kind != "list":
        example = node.text if node.kind == "scalar" and node.text.isidentifier() else "withdraw"
        reading.wrong(node, "`together`", "a list of two", f"write `[{example}, {example}]`")
        return ()
    if len(node.value) != 2:
        hint = "make a race of each pair" if len(node.value) > 2 else "name a step twice to try it against itself"
        message = f"a race is two calls at a time, not {len(node.value)}"
        reading.problem(fields.key("together"), message, hint)
        return ()
    return tuple(node.value)


def _named(reading: Reading, node: Node, setup: str | None, names: _Names) -> StepName | None:
    """The step or stage meant: a step's own name (that of the setup first), `scenario/step`, a stage."""
    if node.kind != "scalar" or not node.text.strip():
        reading.wrong(node, "an entry of `together`", "the name of a step", "write `withdraw`, or `scenario/withdraw`")
        return None
    text = node.text
    at = reading.place(node)
    owners = [scenario.name for scenario, step in names.steps() if step.name == text]
    stage = next((stage for stage in names.stages if stage.name == text), None)
    if owners and stage is not None and stage.migration is not None:
        hint = f"write `{owners[0]}/{text}` for the step, or give the stage another name"
        reading.problem(node, f"`{text}` is a step and a stage with a migration", hint)
        return None
    if setup is not None and setup in owners:
        return StepName(setup, text, at)
    if len(owners) == 1:
        return StepName(owners[0], text, at)
    if owners:
        hint = "write " + " or ".join(f"`{owner}/{text}`" for owner in owners[:3])
        reading.problem(node, f"`{text}` is a step of {len(owners)} scenarios", hint)
        return None
    for scenario, step in names.steps():
        if text in (f"{scenario.name}/{step.name}", f"{scenario.name} / {step.name}"):
            return StepName(scenario.name, step.name, at)
    if stage is not None:
        return _migration(reading, node, stage, names, at)
    if names.complete:
        reading.problem(node, *_unknown(text, names))
    return None


def _migration(reading: Reading, node: Node, stage: Stage, names: _Names, at: Position) -> StepName | None:
    if stage.migration is None:
        migrations = names.migrations()
        hint = f"stages with one: {', '.join(migrations)}" if migrations else "name a step"
        reading.problem(node, f"the stage `{stage.name}` has no migration", hint)
        return None
    if stage is names.stages[0]:
        hint = "put a stage before it"
        reading.problem(node, f"nothing is served before the migration of the first stage `{stage.name}`", hint)
        return None
    return StepName("", stage.name, at)


def _unknown(text: str, names: _Names) -> tuple[str, str]:
    """Message and hint, by how much of `scenario/step` is known."""
    if scenario := names.scenario(text):
        steps = ", ".join(step.name for step in scenario.steps)
        return f"`{text}` is a scenario, not a step", f"write one of its steps: {steps}"
    begin, slash, end = (part.strip() for part in text.partition("/"))
    if slash and begin and not begin.isupper():  # `GET /orders` is the name of a step without `step:`
        scenario = names.scenario(begin)
        if scenario is None:
            known = [scenario.name for scenario in names.scenarios]
            hint = did_you_mean(begin, known) or f"scenarios: {', '.join(known)}"
            return f"unknown scenario `{begin}`", hint
        steps = ", ".join(step.name for step in scenario.steps)
        hint = did_you_mean(end, [step.name for step in scenario.steps]) or f"its steps: {steps}"
        return f"the scenario `{begin}` has no step `{end}`", hint
    known = list(dict.fromkeys(step.name for _, step in names.steps()))
    near = did_you_mean(text, [*known, *names.migrations()])
    return f"no scenario has a step `{text}`", near or f"steps: {', '.join(known[:12])}"


def _variables(reading: Reading, race: Race, nodes: tuple[Node, ...], names: _Names) -> None:
    """Both know their variables when they begin: what they save themselves comes too late for the other. What no earlier
    step of the own scenario saves is that scenario's problem and told there."""
    saved = tuple(dict.fromkeys(name for step in steps_before(race, names.scenarios) for name in step.save))
    told = set()
    for node, named in zip(nodes, race.together, strict=True):
        step = names.step(named)
        earlier = {name: saver for saver in _earlier(named, names) for name in saver.save}
        for name in step.variables if step else ():
            if name == UNIQUE or name not in earlier or (named.scenario, named.step, name) in told:
                continue
            needs = f"`{named.step}` needs `{name}`"
            if name not in saved and race.setup is not None:
                hint = f"save `{name}` there, or take `setup` out: then the steps before `{named.step}` prepare"
                reading.problem(node, f"{needs}, which the setup `{race.setup}` does not save", hint)
            elif name not in saved:
                other = next((one.step for one in race.together if one.step != named.step), named.step)
                saver = earlier[name].name
                late = "at the same time" if saver == other else f"only after `{other}`"
                hint = f"prepare it by `setup:`; `setup: {named.scenario}` runs all its steps first"
                reading.problem(node, f"{needs}, which `{saver}` saves {late}", hint)
            elif race.setup is None and len(savers := _savers(name, race, names)) > 1:
                both = " and ".join(f"`{saver}`" for saver in savers)
                hint = "name the scenario that prepares both by `setup:`"
                reading.problem(node, f"{needs}, and {both} save one each", hint)
            else:
                continue
            told.add((named.scenario, named.step, name))


def _earlier(named: StepName, names: _Names) -> tuple[Step, ...]:
    return steps_before(Race("", (named,)), names.scenarios)


def _savers(name: str, race: Race, names: _Names) -> list[str]:
    """The scenarios that save it before the race, when there is no setup."""
    found = []
    for owner in dict.fromkeys(one.scenario for one in race.together):
        alone = msgspec.structs.replace(race, together=tuple(one for one in race.together if one.scenario == owner))
        if any(name in step.save for step in steps_before(alone, names.scenarios)):
            found.append(owner)
    return found
