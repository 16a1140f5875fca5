"""The result of a run as one value. Its JSON is `report.json`; the published schema is generated from these types.

Every reporter (terminal, html, junit, markdown) tells nothing that is not in here.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec


class Verdict(enum.StrEnum):
    SAFE = "safe"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"


class Blame(enum.StrEnum):
    """stable: an old bug (information). canary: a plain regression. mixed: only together. phase: this side in this
    phase of the data."""

    STABLE = "stable"
    CANARY = "canary"
    MIXED = "mixed"
    PHASE = "phase"


class Check(enum.StrEnum):
    STATUS = "status"
    SHAPE = "shape"
    EXPECTATION = "expectation"
    RULE = "rule"
    SAMENESS = "sameness"
    STATE = "state"
    MIGRATION = "migration"
    RESTART = "restart"


class Severity(enum.StrEnum):
    ERROR = "error"  # makes the verdict unsafe
    INFO = "info"  # told, does not decide


class CauseLiteral(msgspec.Struct, frozen=True):
    """One condition of a cause: this step, served by this side, at this stage. `any_stage` / `any_side`: the stage or
    side named is where the witness had it, but any other would do. A restart has the step "start"."""

    step: str
    side: str
    stage: str
    operation: str = ""
    any_stage: bool = False
    any_side: bool = False


class Chance(msgspec.Struct, frozen=True):
    """How likely one pass of the scenario meets the failure, as a polynomial in the canary's weight p.

    `coefficients[k]` belongs to p**k; `text` is the same for people ("p(1-p)"); `max` the largest value for p in 0..1,
    reached at p = `at`; `per_stage` maps each stage of this ramp to the value there (0 where it cannot happen).
    For causes that span services with different weights `coefficients` is the value where all weights are equal."""

    coefficients: tuple[float, ...]
    text: str
    max: float
    at: float
    per_stage: dict[str, float]


class Difference(msgspec.Struct, frozen=True):
    """One place in an answer: what was seen, and what the runs on one side alone gave there (JSON texts; None: absent)."""

    path: str  # "status", "body.items[0].amount", "header.location"
    seen: str | None
    stable: str | None = None
    canary: str | None = None
    reason: str = ""


class WitnessCall(msgspec.Struct, frozen=True):
    """One call of a witness. `outcome`: pass, fail or blocked. `note` says in a few words what is wrong with it.
    `stable`/`canary` hold the answer of the run on that side alone at this step (status and body text), if there was one."""

    step: str
    operation: str
    stage: str
    side: str
    version: str
    request: str  # "POST /orders {...}"
    status: int | None
    body: str  # as received, cut at 4,000 characters
    outcome: str
    note: str = ""
    stable: str | None = None
    canary: str | None = None


class Witness(msgspec.Struct, frozen=True):
    """The smallest run that shows the failure. `replays` of `attempts` clean replays failed the same way.
    `between_replicas` lists the sides ("stable", "canary") that fail alone between two instances as well.
    `routing` is the machine-readable form for `crossfade replay`: per step [point, side], "" for a step left out."""

    scenario: str
    calls: tuple[WitnessCall, ...]
    routing: tuple[tuple[int, str], ...]
    replays: int
    attempts: int
    between_replicas: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """`id` is a fingerprint: the same fault gets the same id in every run. `rule` is the catalogue entry
    (kebab-case, `crossfade explain RULE`), `scenarios` all scenarios that meet it (`scenario` is the first)."""

    id: str
    rule: str
    check: Check
    blame: Blame
    severity: Severity
    scenario: str
    operation: str
    message: str
    cause: tuple[CauseLiteral, ...]
    chance: Chance
    witness: Witness | None
    differences: tuple[Difference, ...] = ()
    also: tuple[str, ...] = ()  # other checks that failed at the same call
    scenarios: tuple[str, ...] = ()
    service: str = ""
    advice: str = ""
    replay: str = ""  # the command
    between_replicas: bool = False
    rollback_only: bool = False
    seen_after_calls: int = 0  # calls the run had made when this was first suspected


class Changed(msgspec.Struct, frozen=True):
    """A difference between the two pure runs themselves; `declared` when `changes` names it."""

    scenario: str
    step: str
    operation: str
    path: str
    stable: str | None
    canary: str | None
    declared: bool


class NotCompared(msgspec.Struct, frozen=True):
    """A place that already differs between identical runs, so nothing was concluded from it."""

    scenario: str
    step: str
    path: str
    reason: str


class ScenarioExercised(msgspec.Struct, frozen=True):
    """`regime`: "exact", "exact modulo stores seen" or "sampled"; `guarantee` is the one line that says what was
    proven. `merged` counts routings that were not executed on their own because their state was reached already."""

    scenario: str
    steps: int
    possible: int
    explored: int
    merged: int
    runs: int
    calls: int
    regime: str
    guarantee: str
    isolation: str  # "undo", "fresh" or "none"
    seconds: float = 0.0


class Routings(msgspec.Struct, frozen=True):
    possible: int
    explored: int
    merged: int


class Exercised(msgspec.Struct, frozen=True):
    scenarios: tuple[ScenarioExercised, ...]
    routings: Routings
    calls: int
    guarantee: str


class RampStage(msgspec.Struct, frozen=True):
    """A stage as reported. `epoch` counts from 1; `live` names the sides serving there; `rollback` tells whether
    traffic may return to stable from here, `rollback_safe` what was measured (None: not measured)."""

    name: str
    weight: float
    weights: dict[str, float]
    phase: str
    migration: str | None
    epoch: int
    live: tuple[str, ...]
    rollback: bool
    rollback_safe: bool | None = None
    broken_by: tuple[str, ...] = ()  # ids of the findings that make rollback from here unsafe


class PlanLine(msgspec.Struct, frozen=True):
    """One line of the numbered plan: number "2.1", depth 0.., text."""

    number: str
    depth: int
    text: str


class ServiceVersions(msgspec.Struct, frozen=True):
    name: str
    stable: str
    canary: str


class Report(msgspec.Struct, frozen=True):
    """Everything a run says. `findings` decide (confirmed, severity error) or inform (severity info), ordered;
    `unstable` are suspicions that did not fail in every clean replay; `not_explored` says what was left out and why."""

    format: str
    tool: str
    verdict: Verdict
    reason: str
    contract: str
    services: tuple[ServiceVersions, ...]
    ramp: tuple[RampStage, ...]
    plan: tuple[PlanLine, ...]
    exercised: Exercised
    findings: tuple[Finding, ...]
    unstable: tuple[Finding, ...] = ()
    changed: tuple[Changed, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    not_explored: tuple[str, ...] = ()
    points_of_no_return: tuple[str, ...] = ()  # stage names
    rollback_until: str | None = None
    started: str = ""  # ISO 8601, UTC
    seconds: float = 0.0
    run: str = ""  # id of the stored run
    environment: dict[str, Any] = {}
