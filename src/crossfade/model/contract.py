"""The ramp contract as values: what `formats.ramp` reads from ramp.yaml and everything else works on.

Paths are kept as written and are relative to `Contract.folder`. `${...}` stays in the texts (see `model.template`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from crossfade.model import template
from crossfade.model.expression import Expression
from crossfade.model.ramp import Position, Side, Stage, Stickiness


class Instance(msgspec.Struct, frozen=True):
    """How one side of a service comes to life: exactly one of `run` (command), `url` (running address) or
    `compose` ("file/service")."""

    version: str | None = None
    run: str | None = None
    url: str | None = None
    compose: str | None = None
    openapi: str | None = None  # path of the OpenAPI document of this side
    env: dict[str, str] = {}
    folder: str | None = None  # working directory below the contract's folder
    position: Position | None = None


class Service(msgspec.Struct, frozen=True):
    """A service. On the ramp it has a canary; otherwise `stable` is its only instance. `ready` is an HTTP path
    ("/healthz"), or None: the port accepts connections. `env` applies to both sides (an Instance's env wins)."""

    name: str
    stable: Instance
    canary: Instance | None = None
    ready: str | None = None
    ready_timeout: float = 60.0  # seconds
    env: dict[str, str] = {}
    position: Position | None = None

    @property
    def on_ramp(self) -> bool:
        return self.canary is not None

    def instance(self, side: Side) -> Instance:
        return self.canary if side is Side.CANARY and self.canary is not None else self.stable


class Database(msgspec.Struct, frozen=True):
    """A store. `kind` is "postgres", "redis" or "mysql" (a running server only: `url`); `version` the wanted major version
    ("18") or None; `schema` the SQL files loaded before the ramp; `url` a running server Crossfade may make databases of
    its own on (MySQL: the database itself, which is used as it is)."""

    name: str
    kind: str
    version: str | None = None
    url: str | None = None
    schema: tuple[str, ...] = ()
    position: Position | None = None


class Step(msgspec.Struct, frozen=True):
    """One call of a scenario. `path`, `headers`, `json`, `form`, `body` may hold `${...}`. At most one of json, form,
    body is set (`json` may be any value, so `has_json` tells whether it is). `save` maps a variable to an expression."""

    name: str
    method: str
    path: str
    service: str
    headers: dict[str, str] = {}
    json: Any = None
    has_json: bool = False
    form: dict[str, str] | None = None
    body: str | None = None
    timeout: float = 10.0  # seconds
    expect: tuple[Expression, ...] = ()
    save: dict[str, Expression] = {}
    position: Position | None = None

    @property
    def operation(self) -> str:
        """ "GET /orders/{id}": method and path with `${name}` shown as `{name}` and without the query."""
        path = self.path.split("?", 1)[0].replace("${", "{")
        return f"{self.method} {path}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The names in `${...}` this call needs, each once, in the order they stand."""
        found = template.names_in((self.path, self.headers, self.json, self.form, self.body))
        return tuple(dict.fromkeys(found))


class Scenario(msgspec.Struct, frozen=True):
    name: str
    steps: tuple[Step, ...]
    position: Position | None = None


class OperationPattern(msgspec.Struct, frozen=True):
    """`GET /orders/{id}` in `rules` and `changes`. Matches a step's operation when the method is the same and every
    path segment is equal or a `{...}` template on either side."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def matches(self, operation: str) -> bool:
        method, _, path = operation.partition(" ")
        if self.method not in (method, "*"):
            return False
        mine, theirs = self.path.strip("/").split("/"), path.strip("/").split("/")
        return len(mine) == len(theirs) and all(
            a == b or a.startswith("{") or b.startswith("{") for a, b in zip(mine, theirs, strict=True)
        )


class BehaviourRule(msgspec.Struct, frozen=True):
    """`rules:` - behaviour with a lifetime on the ramp. `from_stage`/`until_stage` are inclusive; None: open."""

    name: str
    on: OperationPattern
    expect: tuple[Expression, ...]
    from_stage: str | None = None
    until_stage: str | None = None
    service: str | None = None
    position: Position | None = None


class StateRule(msgspec.Struct, frozen=True):
    """`state:` - a query over a PostgreSQL database whose `rows` (list of lists) must satisfy `expect`."""

    name: str
    sql: str
    expect: tuple[Expression, ...]
    from_stage: str | None = None
    until_stage: str | None = None
    database: str | None = None
    position: Position | None = None


class Change(msgspec.Struct, frozen=True):
    """`changes:` - an intended difference: `field` is a dotted path such as `body.currency`, `body.items[].price`,
    `status` or `header.etag`; it covers everything below it."""

    on: OperationPattern
    field: str
    since: str | None = None
    position: Position | None = None


class StepName(msgspec.Struct, frozen=True):
    """A step of a scenario, or (`scenario` "") the migration of the stage `step`."""

    scenario: str
    step: str
    position: Position | None = None


class Race(msgspec.Struct, frozen=True):
    """`races:` - what is done at the same time. `setup` is a scenario that runs first (its variables can be used), None:
    what is before those of `together` in their own scenarios (`steps_before`). Two of `together`, in any order of
    sides; at most one is a migration."""

    name: str
    together: tuple[StepName, ...]
    setup: str | None = None
    position: Position | None = None


def steps_before(race: Race, scenarios: Iterable[Scenario]) -> tuple[Step, ...]:
    """What is done before the two of a race, in this order: the whole of `setup`; without it, of each scenario that a step
    of `together` belongs to, the steps before the first that is named there, and of those between the two what the second
    needs and the first does not make."""
    by_name = {scenario.name: scenario.steps for scenario in scenarios}
    if race.setup is not None:
        return by_name.get(race.setup, ())
    before: list[Step] = []
    for owner in dict.fromkeys(name.scenario for name in race.together if name.scenario):
        steps = by_name.get(owner, ())
        named = {name.step for name in race.together if name.scenario == owner}
        racing = [index for index, step in enumerate(steps) if step.name in named]
        first = min(racing, default=0)
        wanted = _needed(steps, max(racing, default=0))
        between = {n for n in wanted if n > first and n not in racing and _needed(steps, n).isdisjoint(racing)}
        before.extend(step for index, step in enumerate(steps) if index < first or index in between)
    return tuple(before)


def _needed(steps: Sequence[Step], index: int) -> set[int]:
    """The steps whose variables this one uses, directly or not: of several that save one, the last before."""
    found: set[int] = set()
    todo = [index]
    while todo:
        user = todo.pop()
        for name in steps[user].variables if steps else ():
            saver = next((n for n in reversed(range(user)) if name in steps[n].save), None)
            if saver is not None and saver not in found:
                found.add(saver)
                todo.append(saver)
    return found


class Contract(msgspec.Struct, frozen=True):
    """The whole document. `file` is its absolute path, `folder` the absolute folder everything is relative to."""

    file: str
    folder: str
    services: tuple[Service, ...]
    databases: tuple[Database, ...]
    stages: tuple[Stage, ...]
    rollback_until: str | None  # last stage from which traffic may return to stable; None: no rollback
    stickiness: Stickiness
    scenarios: tuple[Scenario, ...]
    rules: tuple[BehaviourRule, ...] = ()
    state: tuple[StateRule, ...] = ()
    changes: tuple[Change, ...] = ()
    races: tuple[Race, ...] = ()
    reader: str = "tolerant"  # or "strict": whether consumers refuse fields of answers they do not know

    def service(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    def hops(self, service: str) -> tuple[str, ...]:
        """The services whose address (`${name.url}`) a text of this one names, in the order of the contract. None of them
        is on the ramp, and none leads back to it."""
        one = self.service(service)
        instances = (one.stable, *((one.canary,) if one.canary else ()))
        texts = [*one.env.values(), *(text for part in instances for text in (part.run or "", *part.env.values()))]
        named = set(template.names_in(texts))
        return tuple(other.name for other in self.services if f"{other.name}.url" in named)

    def starting_order(self) -> tuple[tuple[Service, ...], ...]:
        """The services in groups: those of one group can start at the same time, each after the groups before, because
        its hops are among them."""
        groups: list[tuple[Service, ...]] = []
        rest: Sequence[Service] = self.services
        while rest:
            waiting = {service.name for service in rest}
            ready = tuple(service for service in rest if waiting.isdisjoint(self.hops(service.name)))
            groups.append(ready or tuple(rest))
            rest = [service for service in rest if service not in groups[-1]]
        return tuple(groups)

    def step(self, name: StepName) -> Step | None:
        """The step of a race; None: the migration of the stage `name.step`."""
        steps = (step for scenario in self.scenarios if scenario.name == name.scenario for step in scenario.steps)
        return next((step for step in steps if step.name == name.step), None)

    def before(self, race: Race) -> tuple[Step, ...]:
        """What is done before the two of a race; see `steps_before`."""
        return steps_before(race, self.scenarios)

    def stage_index(self, name: str) -> int:
        return next(index for index, stage in enumerate(self.stages) if stage.name == name)
