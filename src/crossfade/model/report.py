"""The result of a run as one value. Its JSON is `report.json`; the published schema is generated from these types.

Every reporter (terminal, html, junit, markdown) tells nothing that is not in here.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from crossfade.model.compat import CompatReport
from crossfade.model.verdict import Verdict


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
    SQL = "sql"
    RACE = "race"


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


class RaceLane(msgspec.Struct, frozen=True):
    """One of the two that ran at the same time: a call on one side, or a migration (`side` "": it is no service).
    `answer` is what it got back, as text ("200 {...}")."""

    title: str  # "withdraw on stable 1.2.3"
    step: str
    operation: str
    side: str
    version: str
    request: str
    answer: str = ""


class RaceTurn(msgspec.Struct, frozen=True):
    """One turn of the schedule, in the order granted. `lane` counts from 0; `store` is the name of the database in the
    contract; `text` the statement with its values filled in as far as they are known; `result` what the store said
    ("UPDATE 1", "1 row: 100"); `waited_for` the lane whose lock it waited for (-1: none); `granted` the number of the
    turn after which it got the lock (-1)."""

    number: int
    lane: int
    store: str
    text: str
    result: str = ""
    error: str = ""
    waited_for: int = -1
    granted: int = -1


class SerialOutcome(msgspec.Struct, frozen=True):
    """What one after the other gives. `order` holds lanes; `answers` one text per lane ("" for one left out), `state` the
    rows and keys as text, those that differ from what the race left."""

    order: tuple[int, ...]
    answers: tuple[str, ...]
    state: tuple[str, ...] = ()


class RaceShown(msgspec.Struct, frozen=True):
    """A race as it happened. `method` is explorer (a schedule, replayed exactly) or stampede (both at once, by luck:
    `failures` of `trials`). `schedule` are the decisions, one lane per turn; `preemptions` how often a lane was stopped
    though it could have gone on; `found_at` the number of the schedule that showed it first, of `schedules` run at
    preemption bound `bound`. `kind`: lost (no serial order explains the outcome), deadlock, refused (an error that no
    serial order gives), stuck. `name` and `stage` are those of its RaceExercised. `note` says why no schedule could be
    taken over (stampede). `state` is what the race left behind, row for row beside `serial[].state`. `setup` are the
    calls made before, as text. `machine` is the form for `crossfade replay`."""

    method: str
    kind: str
    lanes: tuple[RaceLane, ...]
    turns: tuple[RaceTurn, ...]
    state: tuple[str, ...]
    serial: tuple[SerialOutcome, ...]
    setup: tuple[str, ...] = ()
    schedule: tuple[int, ...] = ()
    preemptions: int = 0
    found_at: int = 0
    schedules: int = 0
    bound: int = 0
    trials: int = 0
    failures: int = 0
    replays: int = 0
    attempts: int = 0
    pure: dict[str, str] = {}  # side -> "clean: all 6 schedules are serial", what the same pair did on one side alone
    machine: dict[str, Any] = {}
    name: str = ""
    stage: str = ""
    note: str = ""


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
    race: RaceShown | None = None
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


class RaceExercised(msgspec.Struct, frozen=True):
    """What was tried of one pair of calls at one point of the ramp. `name` is the race's name in the contract, or
    "withdraw with deposit"; `schedules` and `trials` (stampede) over all `assignments` of sides ("stable canary"); `bound`
    the preemption bound that was finished for all of them (-1: none); `guarantee` says in one line what was covered."""

    name: str
    scenario: str
    operations: tuple[str, ...]
    stage: str
    assignments: tuple[str, ...]
    schedules: int
    trials: int
    bound: int
    guarantee: str
    declared: bool = False
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
    races: tuple[RaceExercised, ...] = ()
    schedules: int = 0


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
    described: CompatReport | None = (
        None  # what descriptions and migrations say by themselves; told, it does not decide
    )
