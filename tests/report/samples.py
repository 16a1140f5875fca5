"""Reports made by hand, rich enough to show every part of every reporter."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import race_samples

from crossfade.model.report import (
    Blame,
    CauseLiteral,
    Chance,
    Changed,
    Check,
    Difference,
    Exercised,
    Finding,
    NotCompared,
    PlanLine,
    RampStage,
    Report,
    Routings,
    ScenarioExercised,
    ServiceVersions,
    Severity,
    Witness,
    WitnessCall,
)
from crossfade.model.verdict import Verdict

VERSIONS = {"stable": "1.2.3", "canary": "1.3.0"}
STAGES = (
    ("before", 0.0, "before", None),
    ("expand", 0.0, "expand", "migrations/001_expand.sql"),
    ("backfill", 0.0, "backfill", "python backfill.py ${db.url}"),
    ("first", 0.01, "backfill", None),
    ("third", 0.3, "backfill", None),
    ("most", 0.7, "backfill", None),
    ("all", 1.0, "backfill", None),
    ("contract", 1.0, "contract", "migrations/002_contract.sql"),
)
HOSTILE = (
    '<script>window.hacked = true</script><img src=x onerror="window.hacked=true">'
    "'\"`|@octocat \x00\x1b[31m\ud800 </details>"
)


def ramp(safe: bool) -> tuple[RampStage, ...]:
    epochs = {"before": 1, "expand": 2, "backfill": 3, "first": 4, "third": 4, "most": 4, "all": 5, "contract": 6}
    stages = []
    for name, weight, phase, migration in STAGES:
        live = ("stable",) if weight == 0 else ("canary",) if weight == 1 else ("stable", "canary")
        rollback = name in ("first", "third", "most", "all")
        broken = () if safe or not rollback else ("f4e1d02b77c9",)
        measured = not broken if rollback else None
        stages.append(
            RampStage(
                name, weight, {"orders": weight}, phase, migration, epochs[name], live, rollback, measured, broken
            )
        )
    return tuple(stages)


def per_stage(coefficients: tuple[float, ...], only: tuple[str, ...] = ()) -> dict[str, float]:
    return {
        name: sum(value * weight**power for power, value in enumerate(coefficients))
        if not only or name in only
        else 0.0
        for name, weight, _, _ in STAGES
    }


CHANCE_ONE = Chance((0.0, 1.0, -1.0), "p(1-p)", 0.25, 0.5, per_stage((0.0, 1.0, -1.0)))
CHANCE_TWO = Chance((0.0, 0.0, 1.0, -1.0), "p^2(1-p)", 4 / 27, 2 / 3, per_stage((0.0, 0.0, 1.0, -1.0)))


def body(**fields: Any) -> str:
    return json.dumps(fields)


def call(step: str, operation: str, stage: str, side: str, answer: str, **more: Any) -> WitnessCall:
    """A call of a witness; `answer` is "200 {...}"."""
    status, _, text = answer.partition(" ")
    return WitnessCall(
        step=step,
        operation=operation,
        stage=stage,
        side=side,
        version=VERSIONS[side],
        request=more.pop("request", operation.replace("{id}", "100081")),
        status=int(status),
        body=text,
        outcome=more.pop("outcome", "pass"),
        **more,
    )


def demo_findings() -> tuple[Finding, ...]:
    """Four that decide (meaning changed, value lost, half-backfilled row, unsafe rollback) and one that informs."""
    order = {
        "id": 100081,
        "sku": "A1",
        "amount": 500,
        "note": "gift",
        "status": "new",
        "items": [{"sku": "A1", "count": 2}],
    }
    created = call(
        "create",
        "POST /orders",
        "third",
        "canary",
        "201 " + body(id=100081),
        request='POST /orders {"sku": "A1", "amount": 500, "note": "gift"}',
        stable="201 " + body(id=100021),
        canary="201 " + body(id=100043),
    )
    seen = {**order, "amount": 5}
    meaning = Finding(
        id="9c41be07a2d3",
        rule="mixed-sameness",
        check=Check.SAMENESS,
        blame=Blame.MIXED,
        severity=Severity.ERROR,
        scenario="an order can be read back",
        operation="GET /orders/{id}",
        message="`body.amount` is 5 where both versions alone give 500: "
        "an order created on the canary is read on the stable",
        cause=(
            CauseLiteral("create", "canary", "third", "POST /orders", any_stage=True),
            CauseLiteral("read", "stable", "third", "GET /orders/{id}", any_stage=True),
        ),
        chance=CHANCE_ONE,
        witness=Witness(
            "an order can be read back",
            (
                created,
                call(
                    "read",
                    "GET /orders/{id}",
                    "third",
                    "stable",
                    "200 " + body(**seen),
                    outcome="fail",
                    note="`body.amount` is 5, not 500",
                    stable="200 " + body(**{**order, "id": 100021}),
                    canary="200 " + body(**{**order, "id": 100043, "currency": "EUR"}),
                ),
            ),
            ((2, "canary"), (2, "stable")),
            3,
            3,
        ),
        differences=(Difference("body.amount", "5", "500", "500", "neither side alone gives this value here"),),
        also=("expectation",),
        scenarios=("an order can be read back", "a note survives an update"),
        service="orders",
        advice="keep each user's session on one side (stickiness) until every instance is 1.3.0, "
        "or let 1.3.0 keep writing cents",
        replay="crossfade replay 9c41be07a2d3",
    )
    lost = Finding(
        id="27f0d5513be8",
        rule="mixed-sameness",
        check=Check.SAMENESS,
        blame=Blame.MIXED,
        severity=Severity.ERROR,
        scenario="a note survives an update",
        operation="GET /orders/{id}",
        message="`body.note` is lost when the canary writes, the stable updates and the canary reads",
        cause=(
            CauseLiteral("create", "canary", "first", "POST /orders", any_stage=True),
            CauseLiteral("ship", "stable", "first", "PUT /orders/{id}", any_stage=True),
            CauseLiteral("read", "canary", "first", "GET /orders/{id}", any_stage=True),
        ),
        chance=CHANCE_TWO,
        witness=Witness(
            "a note survives an update",
            (
                call("create", "POST /orders", "first", "canary", "201 " + body(id=100091)),
                call("ship", "PUT /orders/{id}", "first", "stable", "200 " + body(id=100091, status="shipped")),
                call(
                    "read",
                    "GET /orders/{id}",
                    "first",
                    "canary",
                    "200 "
                    + body(**{k: v for k, v in {**order, "id": 100091, "status": "shipped"}.items() if k != "note"}),
                    outcome="fail",
                    note="`body.note` is missing",
                    stable="200 " + body(**{**order, "status": "shipped"}),
                    canary="200 " + body(**{**order, "status": "shipped"}),
                ),
            ),
            ((2, "canary"), (2, "stable"), (2, "canary")),
            3,
            3,
        ),
        differences=(Difference("body.note", None, '"gift"', '"gift"', "the field is lost"),),
        scenarios=("a note survives an update",),
        service="orders",
        advice="let 1.2.3 keep fields it does not know when it updates a row, before the ramp starts",
        replay="crossfade replay 27f0d5513be8",
    )
    half = Finding(
        id="b08a6e19c4f2",
        rule="mixed-status",
        check=Check.STATUS,
        blame=Blame.MIXED,
        severity=Severity.ERROR,
        scenario="an order can be read back",
        operation="GET /orders/{id}",
        message="500 when the canary reads an order that the stable wrote before the backfill had reached it",
        cause=(
            CauseLiteral("create", "stable", "expand", "POST /orders"),
            CauseLiteral("read", "canary", "first", "GET /orders/{id}"),
        ),
        chance=Chance((0.0, 1.0), "p", 1.0, 1.0, per_stage((0.0, 1.0), ("first", "third", "most", "all", "contract"))),
        witness=Witness(
            "an order can be read back",
            (
                call("create", "POST /orders", "expand", "stable", "201 " + body(id=100101)),
                call(
                    "read",
                    "GET /orders/{id}",
                    "first",
                    "canary",
                    "500 " + body(error="internal", detail="NoneType has no attribute lower"),
                    outcome="fail",
                    note="500; no run on one side alone is refused here",
                    stable="200 " + body(**order),
                    canary="200 " + body(**order),
                ),
                call("list", "GET /orders", "first", "canary", "0 ", outcome="blocked"),
            ),
            ((1, "stable"), (2, "canary"), (2, "canary")),
            3,
            3,
        ),
        differences=(Difference("status", "500", "200", "200"),),
        scenarios=("an order can be read back",),
        service="orders",
        advice="run the backfill once more before the first call reaches the canary: rows written during it are missed",
        replay="crossfade replay b08a6e19c4f2",
    )
    rollback = Finding(
        id="f4e1d02b77c9",
        rule="rollback-sameness",
        check=Check.SAMENESS,
        blame=Blame.MIXED,
        severity=Severity.ERROR,
        scenario="orders can be paid",
        operation="POST /orders/{id}/payment",
        message="after rollback the stable refuses to take the payment of an order that the canary opened: "
        "409 instead of 200",
        cause=(
            CauseLiteral("open", "canary", "all", "POST /orders", any_stage=True),
            CauseLiteral("pay", "stable", "rollback from all", "POST /orders/{id}/payment"),
        ),
        chance=Chance((0.0, 1.0), "p", 1.0, 1.0, per_stage((0.0, 1.0), ("first", "third", "most", "all"))),
        witness=Witness(
            "orders can be paid",
            (
                call("open", "POST /orders", "all", "canary", "201 " + body(id=100111, status="opened")),
                call(
                    "pay",
                    "POST /orders/{id}/payment",
                    "rollback from all",
                    "stable",
                    "409 " + body(error="unknown status `opened`"),
                    outcome="fail",
                    note="409; both versions alone give 200",
                    stable="200 " + body(id=100021, paid=True),
                    canary="200 " + body(id=100043, paid=True),
                ),
            ),
            ((2, "canary"), (2, "stable")),
            3,
            3,
            ("canary",),
        ),
        differences=(Difference("status", "409", "200", "200"), Difference("body.paid", None, "true", "true")),
        scenarios=("orders can be paid",),
        service="orders",
        advice="no rollback after `first`: deploy a 1.2.4 that reads the status `opened` before the ramp",
        replay="crossfade replay f4e1d02b77c9",
        between_replicas=True,
        rollback_only=True,
    )
    old = Finding(
        id="03ad77e0b1c5",
        rule="stable-status",
        check=Check.STATUS,
        blame=Blame.STABLE,
        severity=Severity.INFO,
        scenario="orders can be paid",
        operation="GET /orders",
        message="the stable alone answers 500 to an empty filter; the canary answers 400",
        cause=(CauseLiteral("list", "stable", "before", "GET /orders", any_stage=True),),
        chance=Chance((1.0, -1.0), "1-p", 1.0, 0.0, per_stage((1.0, -1.0))),
        witness=None,
        replay="crossfade replay 03ad77e0b1c5",
    )
    return (meaning, lost, half, rollback, old)


def scenarios_exercised() -> tuple[ScenarioExercised, ...]:
    guarantee = "every routing of this ramp was run or merged into an equal state"
    rows = (
        ("an order can be read back", 2, 31, 12, 19),
        ("a note survives an update", 3, 96, 22, 74),
        ("orders can be paid", 2, 31, 13, 18),
    )
    return tuple(
        ScenarioExercised(
            name, steps, possible, possible, merged, runs, runs * steps + 4, "exact", guarantee, "undo", 3.2
        )
        for name, steps, possible, runs, merged in rows
    )


PLAN = (
    PlanLine("1", 0, "start PostgreSQL 18 for db, Valkey for cache"),
    PlanLine("2", 0, "start orders 1.2.3 (stable)"),
    PlanLine("3", 0, "walk the ramp: 8 stages, 6 epochs"),
    PlanLine("3.1", 1, "before: pure runs of 3 scenarios, twice"),
    PlanLine("3.2", 1, "expand: migrations/001_expand.sql, then 4 runs of each scenario"),
    PlanLine("3.3", 1, "first, third, most: both sides live, every routing of 3 scenarios (158 words)"),
    PlanLine("3.4", 1, "all, contract: only the canary; rollback from all"),
    PlanLine("4", 0, "replay each suspicion three times from clean state"),
)


def demo_report() -> Report:
    scenarios = scenarios_exercised()
    return Report(
        format="1",
        tool="crossfade 0.1.0",
        verdict=Verdict.UNSAFE,
        reason="",
        contract="ramp.yaml",
        services=(ServiceVersions("orders", "1.2.3", "1.3.0"),),
        ramp=ramp(False),
        plan=PLAN,
        exercised=Exercised(
            scenarios,
            Routings(158, 158, 111),
            118,
            "exact: every routing of every scenario, merged by the state seen in db and cache",
        ),
        findings=demo_findings(),
        unstable=(
            msgspec.structs.replace(
                demo_findings()[0],
                id="77aa01c2d9e4",
                message="`body.total` differed once and not again",
                operation="GET /orders",
            ),
        ),
        changed=(
            Changed("an order can be read back", "read", "GET /orders/{id}", "body.currency", None, '"EUR"', True),
            Changed(
                "orders can be paid", "pay", "POST /orders/{id}/payment", "body.receipt", '"R-17"', '"2026/R-17"', False
            ),
        ),
        not_compared=(
            NotCompared("orders can be paid", "pay", "body.token", "differs between two runs on the same side"),
            NotCompared("an order can be read back", "read", "header.date", "a clock"),
        ),
        not_explored=("rollback from contract: the ramp allows none",),
        points_of_no_return=("first",),
        rollback_until="all",
        started="2026-11-24T09:12:31Z",
        seconds=41.7,
        run="20261124-091231-4f2a",
        environment={"python": "3.11.7", "db": "PostgreSQL 18.6 (embedded)", "cache": "Valkey 9.1 (embedded)"},
    )


def race_report() -> Report:
    """Races of every method and kind, one of them an old fault of the stable."""
    report = demo_report()
    stable = msgspec.structs.replace(
        race_samples.lost_update(),
        id="e2b7a31f0c55",
        rule="stable-race",
        blame=Blame.STABLE,
        severity=Severity.INFO,
        message="two withdrawals on the stable at the same time lose one of them",
    )
    return msgspec.structs.replace(
        report,
        findings=(*race_samples.races(), stable),
        unstable=(msgspec.structs.replace(race_samples.stampede(), id="77aa01c2d9e4"),),
        exercised=msgspec.structs.replace(report.exercised, races=race_samples.exercised(), schedules=94),
    )


def safe_report() -> Report:
    return msgspec.structs.replace(
        demo_report(),
        verdict=Verdict.SAFE,
        ramp=ramp(True),
        findings=(),
        unstable=(),
        points_of_no_return=(),
        services=(ServiceVersions("orders", "1.2.3", "1.3.1"),),
    )


def unknown_report() -> Report:
    return msgspec.structs.replace(
        safe_report(),
        verdict=Verdict.UNKNOWN,
        reason="orders 1.3.0 died at stage `third`, 40 of 158 routings were explored",
        exercised=Exercised((), Routings(158, 40, 11), 52, ""),
        not_explored=("everything from stage `third` on: orders 1.3.0 exited with status 137",),
        ramp=tuple(msgspec.structs.replace(stage, rollback_safe=None) for stage in ramp(True)),
    )


def empty_report() -> Report:
    """Nothing was started: what a run says that failed before its first stage."""
    return Report(
        format="1",
        tool="crossfade 0.1.0",
        verdict=Verdict.UNKNOWN,
        reason="no scenario could be run",
        contract="ramp.yaml",
        services=(),
        ramp=(),
        plan=(),
        exercised=Exercised((), Routings(0, 0, 0), 0, ""),
        findings=(),
    )


def huge_report(count: int = 200) -> Report:
    """`count` findings over twelve-step scenarios with long bodies on a ramp of twenty stages."""
    items = [{"sku": f"SKU-{number}", "amount": number, "tags": ["a", "b"]} for number in range(60)]
    long = body(items=items)[:4000]
    stages = tuple(
        RampStage(
            f"stage-{number:02}-at-{number * 5}%",
            number / 20,
            {"orders": number / 20},
            "expand",
            None,
            1,
            ("stable", "canary"),
            True,
        )
        for number in range(1, 20)
    )
    findings = []
    for number in range(count):
        calls = tuple(
            call(
                f"step{index}",
                f"POST /things/{index}",
                stages[index].name,
                ("stable", "canary")[index % 2],
                f"200 {long}",
                stable=f"200 {long}",
                canary=f"200 {long}",
                outcome="fail" if index == 11 else "pass",
            )
            for index in range(12)
        )
        findings.append(
            msgspec.structs.replace(
                demo_findings()[0],
                id=f"{number:012x}",
                message=f"finding {number}: " + "a long explanation of what went wrong here " * 6,
                chance=Chance(
                    (0.0, 1.0, -1.0),
                    "p(1-p)",
                    0.25,
                    0.5,
                    {stage.name: stage.weight * (1 - stage.weight) for stage in stages},
                ),
                witness=Witness("long", calls, tuple((0, each.side) for each in calls), 3, 3),
                differences=tuple(Difference(f"body.items[{index}].amount", "1", "2", "3") for index in range(30)),
                scenario="long",
                scenarios=("long",),
            )
        )
    return msgspec.structs.replace(demo_report(), ramp=stages, findings=tuple(findings))


def hostile_report() -> Report:
    """The same report with every text replaced by one that tries to break out."""
    return _hostile(demo_report())


def hostile_race_report() -> Report:
    return _hostile(race_report())


def _hostile(plain: Report) -> Report:
    report = _poisoned(plain)
    assert isinstance(report, Report)
    return report


def _poisoned(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        changes = {
            name: _poisoned(getattr(value, name)) for name in value.__struct_fields__ if name not in ("outcome",)
        }
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(_poisoned(item) for item in value)
    if type(value) is str:
        return value + HOSTILE
    if isinstance(value, dict):
        return {_poisoned(key): _poisoned(item) for key, item in value.items()}
    return value
