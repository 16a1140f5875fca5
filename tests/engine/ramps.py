"""Small contracts for the tests of the engine: ramps of a few stages, scenarios of a few plain calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossfade.engine.timeline import Automaton, Timeline, timeline
from crossfade.model.contract import Change, Contract, Instance, Scenario, Service, Step
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Migration, Phase, Side, Stage, Stickiness

S, C = Side.STABLE, Side.CANARY
NO_STICKINESS = Stickiness()


def step(name: str, call: str = "", service: str = "orders", **more: Any) -> Step:
    method, _, path = (call or f"GET /{name}").partition(" ")
    return Step(name, method, path, service, **more)


def stage(name: str, weight: float | Mapping[str, float], migration: bool = False) -> Stage:
    weights = dict(weight) if isinstance(weight, Mapping) else {"orders": weight}
    return Stage(name, weights, Phase.BEFORE, Migration((f"{name}.sql",)) if migration else None)


def contract(
    stages: Sequence[Stage],
    steps: Sequence[Step],
    *,
    rollback_until: str | None = None,
    stickiness: Stickiness = NO_STICKINESS,
    services: Sequence[str] = ("orders",),
    off_ramp: Sequence[str] = (),
    changes: Sequence[Change] = (),
) -> Contract:
    return Contract(
        file="ramp.yaml",
        folder=".",
        services=(
            *(Service(name, Instance("1.2.3"), Instance("1.3.0")) for name in services),
            *(Service(name, Instance("7.0.1")) for name in off_ramp),
        ),
        databases=(),
        stages=tuple(stages),
        rollback_until=rollback_until,
        stickiness=stickiness,
        scenarios=(Scenario("scenario", tuple(steps)),),
        changes=tuple(changes),
    )


def plain(steps: int, *weights: float) -> Contract:
    """A ramp without migrations: one stage per weight."""
    stages = [stage(f"s{index}", weight) for index, weight in enumerate(weights)]
    return contract(stages, [step(f"call{index}") for index in range(steps)])


def automaton_of(made: Contract) -> tuple[Timeline, Automaton]:
    line = timeline(made)
    return line, Automaton(made, line, made.scenarios[0])


def word(text: str) -> Word:
    """The word of a text: "S0 C0 C1" is stable, then canary at point 0, then canary at point 1; "SC" is all at 0."""
    parts = text.split() if " " in text or any(c.isdigit() for c in text) else list(text)
    return tuple(Placed(int(part[1:] or 0), S if part[0] == "S" else C) for part in parts)
