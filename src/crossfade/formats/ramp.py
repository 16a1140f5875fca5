"""ramp.yaml to `Contract`: the whole document, and what belongs to its ramp (stages, rollback, stickiness)."""

from __future__ import annotations

import re
from pathlib import Path

from crossfade.formats.decode import Fields, Reading, one_of
from crossfade.formats.fields import PHASES, READERS
from crossfade.formats.races import races_of
from crossfade.formats.scenarios import changes_of, rules_of, scenarios_of, state_of
from crossfade.formats.services import databases_of, services_of
from crossfade.formats.source import Source, error_of, read_source
from crossfade.formats.tree import Node, did_you_mean, tree
from crossfade.model.contract import Contract, Database, Service
from crossfade.model.ramp import Migration, Phase, Stage, Stickiness

_STICKINESS = re.compile(r"(header|cookie)\s+([!#$%&'*+.^_`|~0-9A-Za-z-]+)\Z")


def read_contract(path: str | Path) -> Contract:
    """The contract in a file. Raises ContractError whose `screen` shows every independent problem (ten at most).

    Files the contract names are looked for, not read. Positions carry the path as it was given.
    """
    return contract_of(read_source(path), Path(path).resolve())


def contract_of(source: Source, file: Path) -> Contract:
    """The contract in a text; `file` is the absolute path it stands at or would stand at."""
    reading = Reading(source, file.parent)
    root = tree(source, reading.problems)
    contract = _contract(reading, root, file)
    if reading.problems:
        raise error_of(source, reading.problems)
    return contract


def _contract(reading: Reading, root: Node, file: Path) -> Contract:
    fields = Fields(reading, root, "contract")
    databases = databases_of(reading, fields)
    services = services_of(reading, fields, databases)
    stages = _stages(reading, fields, services, databases)
    rollback_until = _rollback(reading, fields, stages)
    stickiness = _stickiness(reading, fields)
    scenarios = scenarios_of(reading, fields, services)
    return Contract(
        file=str(file),
        folder=str(file.parent),
        services=services,
        databases=databases,
        stages=stages,
        rollback_until=rollback_until,
        stickiness=stickiness,
        scenarios=scenarios,
        rules=rules_of(reading, fields, services, stages),
        state=state_of(reading, fields, databases, stages),
        changes=changes_of(reading, fields, services),
        races=races_of(reading, fields, services, scenarios, stages),
        reader=_reader(reading, fields),
    )


def _reader(reading: Reading, fields: Fields) -> str:
    node = fields.value("reader")
    text = reading.name(node, "`reader`") if node else None
    if node is None or text is None:
        return READERS[0]
    if text not in READERS:
        hint = did_you_mean(text, READERS) or f"readers are {' or '.join(READERS)}"
        reading.problem(node, f"unknown kind of reader `{text}`", hint)
        return READERS[0]
    return text


def _stages(
    reading: Reading, contract: Fields, services: tuple[Service, ...], databases: tuple[Database, ...]
) -> tuple[Stage, ...]:
    node = contract.value("ramp")
    if node is None:
        return ()
    if node.kind == "list" and not node.value:
        reading.problem(contract.key("ramp"), "the ramp has no stage", "add `- stage: before`")
    stages: dict[str, Stage] = {}
    weights = {service.name: 0.0 for service in services if service.on_ramp}
    phase = Phase.BEFORE
    for item in reading.items(node, "`ramp`"):
        fields = Fields(reading, item, "stage")
        if not fields.is_map:
            continue
        name = _stage_name(reading, fields, stages)
        weights = _weights(reading, fields, weights, services)
        phase = _phase(reading, fields, phase)
        migration = _migration(reading, fields, databases)
        if name is not None:
            position = reading.place(fields.value("stage") or item)
            stages[name] = Stage(name, weights, phase, migration, position)
    return tuple(stages.values())


def _stage_name(reading: Reading, fields: Fields, stages: dict[str, Stage]) -> str | None:
    node = fields.value("stage")
    name = reading.name(node, "`stage`") if node else None
    if node and name in stages:
        first = stages[name].position
        line = f"line {first.line} has it already" if first else ""
        reading.problem(node, f"two stages are named `{name}`", line)
        return None
    return name


def _weights(
    reading: Reading, fields: Fields, before: dict[str, float], services: tuple[Service, ...]
) -> dict[str, float]:
    """The weights of this stage: those named, the rest as in the stage before. They never fall along the ramp."""
    node = fields.value("weight")
    if node is None:
        return before
    named: dict[str, Node] = {}
    if node.kind == "map":
        for key, value in node.value:
            if key.text in before:
                named[key.text] = value
            else:
                _not_on_ramp(reading, key, before, services)
    else:
        named = dict.fromkeys(before, node)
    if node.kind != "map":
        common = reading.weight(node)
        values = dict.fromkeys(before, common)
    else:
        values = {name: reading.weight(value) for name, value in named.items()}
    weights = dict(before)
    for name, value in values.items():
        if value is None:
            continue
        if value >= before[name]:
            weights[name] = value
        else:
            message = f"the weight falls from {_percent(before[name])} to {_percent(value)}"
            hint = "weights rise along the ramp; the way back is `rollback`"
            reading.problem(named[name], message, hint)
    return weights


def _not_on_ramp(reading: Reading, key: Node, before: dict[str, float], services: tuple[Service, ...]) -> None:
    if key.text in [service.name for service in services]:
        hint = "only a service with `stable` and `canary` has a weight"
        reading.problem(key, f"`{key.text}` is not on the ramp", hint)
    elif before:
        hint = did_you_mean(key.text, before) or f"on the ramp: {', '.join(before)}"
        reading.problem(key, f"unknown service `{key.text}`", hint)


def _percent(weight: float) -> str:
    return f"{weight * 100:g}%"


def _phase(reading: Reading, fields: Fields, before: Phase) -> Phase:
    node = fields.value("phase")
    if node is None:
        return before
    text = reading.name(node, "`phase`")
    if text is None:
        return before
    if text not in PHASES:
        reading.problem(node, f"unknown phase `{text}`", did_you_mean(text, PHASES) or f"phases: {', '.join(PHASES)}")
        return before
    if PHASES.index(text) < PHASES.index(before):
        reading.problem(node, f"the phase goes back from `{before}` to `{text}`", f"the order is {', '.join(PHASES)}")
        return before
    return Phase(text)


def _migration(reading: Reading, fields: Fields, databases: tuple[Database, ...]) -> Migration | None:
    fields.only_one("sql", "run")
    sql, run = fields.value("sql"), fields.value("run")
    database = _sql_database(reading, fields, databases)
    if sql:
        files = [reading.file(item, "`sql`") for item in reading.one_or_list(sql, "`sql`")]
        return Migration(tuple(file for file in files if file), None, database, reading.place(fields.key("sql")))
    if run and (command := reading.command(run, "`run`")) is not None:
        known = ["python", *(f"{database.name}.url" for database in databases)]
        reading.templates(run, known)
        return Migration((), command, None, reading.place(fields.key("run")))
    return None


def _sql_database(reading: Reading, fields: Fields, databases: tuple[Database, ...]) -> str | None:
    """The database the SQL is for; with several PostgreSQL it must be named."""
    node = fields.value("database")
    known = [database.name for database in databases if database.kind == "postgres"]
    if node is None:
        if fields.has("sql") and not known:
            reading.problem(
                fields.key("sql"), "`sql` without a PostgreSQL database", "add one to `databases`, or use `run`"
            )
        elif fields.has("sql") and len(known) > 1:
            reading.problem(fields.key("sql"), "which database is this SQL for?", one_of("database", known))
        return None
    name = reading.name(node, "`database`")
    if name is not None and name not in known:
        hint = did_you_mean(name, known) or (f"PostgreSQL here: {', '.join(known)}" if known else "there is none")
        reading.problem(node, f"unknown PostgreSQL database `{name}`", hint)
    if not fields.has("sql"):
        reading.problem(fields.key("database"), "`database` without `sql`", "a command gets addresses by `${name.url}`")
    return name


def _rollback(reading: Reading, contract: Fields, stages: tuple[Stage, ...]) -> str | None:
    """The last stage from which traffic may return. By default the last one before shared data is contracted."""
    node = contract.value("rollback")
    if node is None:
        before = [stage.name for stage in stages if stage.phase is not Phase.CONTRACT]
        return before[-1] if before else None
    if node.kind == "scalar" and node.text == "none":
        return None
    if node.kind != "map":
        names = [stage.name for stage in stages]
        example = node.text if node.text in names else (names or ["all"])[-1]
        hint = f"write `rollback: {{ until: {example} }}` or `rollback: none`"
        reading.wrong(node, "`rollback`", "a stage", hint)
        return None
    until = Fields(reading, node, "rollback").value("until")
    name = stage_name(reading, until, stages, extra=("before", "none")) if until else None
    if name in ("before", "none") and not any(stage.name == name and stage.weight > 0 for stage in stages):
        return None
    return name


def stage_name(reading: Reading, node: Node, stages: tuple[Stage, ...], extra: tuple[str, ...] = ()) -> str | None:
    """A stage of this ramp by its name."""
    name = reading.name(node, "this")
    names = [stage.name for stage in stages]
    if name is None or name in names or name in extra:
        return name
    reading.problem(node, f"unknown stage `{name}`", did_you_mean(name, names) or f"stages: {', '.join(names)}")
    return None


def _stickiness(reading: Reading, contract: Fields) -> Stickiness:
    node = contract.value("stickiness")
    if node is None or (node.kind == "scalar" and node.text == "none"):
        return Stickiness()
    found = _STICKINESS.match(node.text.strip()) if node.kind == "scalar" else None
    if found:
        return Stickiness(found[1], found[2])
    reading.wrong(node, "`stickiness`", "one of three forms", "write `none`, `header X-User-Id` or `cookie sid`")
    return Stickiness()
