"""From what a run found to the report: findings with witnesses, what was exercised, the ramp, the verdict."""

from __future__ import annotations

import hashlib
import platform
import time
from datetime import datetime
from typing import Any

import msgspec

from crossfade import __version__
from crossfade.engine.answers import Answer, json_text
from crossfade.engine.causes import Literal
from crossfade.engine.chance import chance
from crossfade.engine.findings import (
    Suspect,
    advice,
    also,
    cause_literals,
    chance_of,
    combined,
    differences,
    fingerprint,
    message,
    points_of,
    rule_of,
    severity_of,
    unsafe_rollbacks,
)
from crossfade.engine.timeline import Timeline, rollback_stages
from crossfade.model.compat import CompatReport
from crossfade.model.contract import Contract, Step
from crossfade.model.history import Placed
from crossfade.model.ramp import Side
from crossfade.model.report import (
    Blame,
    CauseLiteral,
    Check,
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
from crossfade.session.alone import BesideProblem
from crossfade.session.calling import Made
from crossfade.session.confirming import ATTEMPTS, Confirmed
from crossfade.session.exploring import Trouble
from crossfade.session.races import RaceCheck
from crossfade.session.restarts import KEPT_FAILS, RestartProblem
from crossfade.session.statements import SqlProblem
from crossfade.session.telling_races import race_finding
from crossfade.session.work import ScenarioWork

BODY = 4000


class Telling:
    def __init__(
        self,
        contract: Contract,
        line: Timeline,
        works: list[ScenarioWork],
        trouble: Trouble,
        run_id: str,
        started: datetime,
    ) -> None:
        self.contract = contract
        self.line = line
        self.works = works
        self.trouble = trouble
        self.run_id = run_id
        self.started = started
        self.began = time.monotonic()
        self.begun = False
        self.plan: tuple[PlanLine, ...] = ()
        self.environment: dict[str, Any] = {}
        self.interrupted = ""
        self.described: CompatReport | None = None
        self.restarts: list[RestartProblem] = []
        self.beside: list[BesideProblem] = []
        self.races: list[RaceCheck] = []
        self.statements: list[SqlProblem] = []
        self.not_explored: list[str] = []
        self.findings: list[Finding] = []
        self.unstable: list[Finding] = []
        self._unsafe: dict[int, set[str]] = {}  # stage -> ids of findings that break going back from it

    # --- suspects --------------------------------------------------------------------------------------------------

    def with_phases(self, work: ScenarioWork, found: list[Suspect]) -> list[Suspect]:
        """Adds what pure runs at later points answer otherwise than at first (blame: phase)."""
        seen: set[tuple[Side, int]] = set()
        grouped: dict[tuple[Side, int, int], list[Any]] = {}
        for side, point, problem in work.phase_problems:
            grouped.setdefault((side, point, problem.step), []).append(problem)
        own: list[Suspect] = []
        for (side, point, step), problems in sorted(grouped.items(), key=lambda item: (item[0][1], item[0][2])):
            if (side, step) in seen:
                continue
            seen.add((side, step))
            word = (Placed(point, side),) * len(work.scenario.steps)
            cause = (Literal(step, side, point, point),)
            first = min((at for known, at in work.pure if known is side), default=point)
            blame = Blame.CANARY if side is Side.CANARY and point == first else Blame.PHASE
            own.append(Suspect(work.index, step, tuple(problems), (cause,), word, (word,), blame, False))
        if not work.exact:  # what one side alone shows is the phase's finding, not one of a search that was cut off
            alone = {(problem.step, problem.check, side, point) for side, point, problem in work.phase_problems}
            steps = len(work.scenario.steps)
            found = [
                s
                for s in found
                if s.step >= steps or (s.step, s.check, s.word[s.step].side, s.word[s.step].point) not in alone
            ]
        return combined([*found, *own])

    def without_duplicates(self, found: list[tuple[ScenarioWork, Suspect]]) -> list[tuple[ScenarioWork, Suspect]]:
        """The same fault met in several scenarios is replayed in the first only; the others are named."""
        self._also_in: dict[str, list[str]] = {}
        kept: list[tuple[ScenarioWork, Suspect]] = []
        for work, suspect in found:
            key = fingerprint(self.contract, suspect)
            names = self._also_in.setdefault(key, [])
            if not names:
                kept.append((work, suspect))
            if work.scenario.name not in names:
                names.append(work.scenario.name)
        return kept

    def sentence(self, work: ScenarioWork, suspect: Suspect) -> str:
        return message(self.contract, work.automaton, suspect)

    def add(self, work: ScenarioWork, confirmed: Confirmed) -> Finding:
        """The finding of a replayed suspect, kept with the findings or with the unstable ones."""
        suspect = confirmed.suspect
        finding = self._finding(work, confirmed)
        if confirmed.replays == ATTEMPTS:
            self.findings.append(finding)
            for stage in unsafe_rollbacks(self.contract, self.line, work.automaton, suspect):
                self._unsafe.setdefault(stage, set()).add(finding.id)
        else:
            self.unstable.append(finding)
        return finding

    def _finding(self, work: ScenarioWork, confirmed: Confirmed) -> Finding:
        suspect = confirmed.suspect
        identity = fingerprint(self.contract, suspect)
        steps = work.scenario.steps
        failing = steps[min(suspect.step, len(steps) - 1)]
        operation = failing.operation
        if suspect.step >= len(steps):
            operation = f"{suspect.check} {suspect.problems[0].kind}"
        return Finding(
            id=identity,
            rule=rule_of(suspect),
            check=suspect.check,
            blame=suspect.blame,
            severity=severity_of(suspect),
            scenario=work.scenario.name,
            operation=operation,
            message=message(self.contract, work.automaton, suspect),
            cause=cause_literals(self.contract, work.automaton, suspect),
            chance=chance_of(self.contract, self.line, work.automaton, suspect),
            witness=self._witness(work, confirmed),
            differences=differences(suspect),
            also=also(suspect),
            scenarios=tuple(self._also_in.get(identity, [work.scenario.name])),
            service=failing.service,
            advice=advice(self.contract, self.line, work.automaton, suspect),
            replay=f"crossfade replay {identity}",
            between_replicas=bool(confirmed.between_replicas),
            rollback_only=suspect.rollback_only,
            seen_after_calls=work.first_seen.get((suspect.step, str(suspect.check)), self.trouble.calls),
        )

    def _witness(self, work: ScenarioWork, confirmed: Confirmed) -> Witness:
        suspect = confirmed.suspect
        path = work.automaton.stages(suspect.word)
        calls: list[WitnessCall] = []
        by_step = {made.exchange.step: made for made in confirmed.shown.made} if confirmed.shown else {}
        for step in confirmed.steps_kept:
            spec = work.scenario.steps[step]
            stage, back = path[step]
            name = self.contract.stages[stage].name
            made = by_step.get(step)
            placed = suspect.word[step]
            version = self.contract.service(spec.service).instance(placed.side).version or ""
            if made is None:
                continue
            calls.append(
                WitnessCall(
                    step=spec.name,
                    operation=spec.operation,
                    stage=f"rollback from {name}" if back else name,
                    side=str(placed.side),
                    version=version,
                    request=request_text(made),
                    status=made.answer.status or None if made.answer is not None else None,
                    body=body_text(made.answer),
                    outcome="blocked" if made.blocked else "fail" if made.problems or step == suspect.step else "pass",
                    note="; ".join(problem.message for problem in made.problems),
                    stable=answer_text(work.judge.alone(step, Side.STABLE)),
                    canary=answer_text(work.judge.alone(step, Side.CANARY)),
                )
            )
        routing = tuple(
            (placed.point, str(placed.side)) if step in confirmed.steps_kept else (-1, "")
            for step, placed in enumerate(suspect.word)
        )
        return Witness(
            work.scenario.name, tuple(calls), routing, confirmed.replays, ATTEMPTS, confirmed.between_replicas
        )

    def beside_findings(self) -> list[Finding]:
        """What a side gives only while the other version takes work from the same stores; one per side and operation."""
        known: set[tuple[Side, str]] = set()
        made: list[Finding] = []
        for found in self.beside:
            step = found.work.scenario.steps[found.problem.step]
            if (found.side, step.operation) in known:
                continue
            known.add((found.side, step.operation))
            made.append(self._beside_finding(found, step))
        self.findings.extend(made)
        return made

    def _beside_finding(self, found: BesideProblem, step: Step) -> Finding:
        stages = self.line.stages_at(found.point)
        mixed = [i for i in stages if len(self.line.epoch_of(i).live.get(step.service, ())) == 2] or list(stages)
        stage = self.contract.stages[mixed[0]]
        service = self.contract.service(step.service)
        version, other = (service.instance(side).version or str(side) for side in (found.side, found.side.other))
        identity = hashlib.blake2b(f"beside {found.side} {step.operation}".encode(), digest_size=6).hexdigest()
        return Finding(
            id=identity,
            rule=f"mixed-{found.problem.check}",
            check=found.problem.check,
            blame=Blame.MIXED,
            severity=Severity.ERROR,
            scenario=found.work.scenario.name,
            operation=step.operation,
            message=f"{step.operation} on {found.side} {found.problem.message} in {found.times} of {found.runs} runs while "
            f"{service.name} {other} lives beside it, and never where {version} is alone",
            cause=(CauseLiteral(step.name, str(found.side), stage.name, step.operation),),
            chance=chance([{}], {s.name: 1.0 if i in mixed else 0.0 for i, s in enumerate(self.contract.stages)}),
            witness=None,
            differences=(found.problem.difference,) if found.problem.difference else (),
            scenarios=(found.work.scenario.name,),
            service=service.name,
            advice=f"work left in the stores by {version} is taken by {other} as well: let {other} read it first, "
            "or give the new work a queue of its own",
        )

    def sql_findings(self) -> list[Finding]:
        """Statements that do not prepare any more; seen at several points, told once."""
        made: dict[str, Finding] = {}
        for problem in self.statements:
            finding = self._sql_finding(problem)
            made.setdefault(finding.id, finding)
        self.findings.extend(made.values())
        for finding in made.values():
            for index in rollback_stages(self.contract) if finding.cause[0].side == Side.STABLE else ():
                if finding.chance.per_stage.get(self.contract.stages[index].name):
                    self._unsafe.setdefault(index, set()).add(finding.id)
        return list(made.values())

    def _sql_finding(self, found: SqlProblem) -> Finding:
        stages = [s for p in range(found.point, len(self.line.points)) for s in self.line.stages_at(p)]
        living = [s for s in stages if self.line.point_of[s] in points_of(self.contract, self.line, found.side)]
        stage = self.contract.stages[self.line.points[found.point].stage]
        service = next((s for s in self.contract.services if s.on_ramp), self.contract.services[0])
        version = service.instance(found.side).version or ""
        text = " ".join(found.statement.split())
        shown = text if len(text) <= 160 else text[:159] + "…"
        more = f", and {found.more} more" if found.more else ""
        parts = ("sql", str(found.side), stage.name, found.store, found.error)
        identity = hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()
        names = [s.name for s in self.contract.scenarios if any(x.operation == found.operation for x in s.steps)]
        steps = [x.name for s in self.contract.scenarios for x in s.steps if x.operation == found.operation]
        return Finding(
            id=identity,
            rule="phase-sql",
            check=Check.SQL,
            blame=Blame.PHASE,
            severity=Severity.ERROR,
            scenario=names[0] if names else "",
            operation=found.operation or "background work",
            message=f"{service.name} {version} sends `{shown}`{more}, which cannot be prepared any more after "
            f"`{stage.name}`: {found.error}",
            cause=(CauseLiteral(steps[0] if steps else "background", str(found.side), stage.name, found.operation),),
            chance=chance([{}], {s.name: 1.0 if i in living else 0.0 for i, s in enumerate(self.contract.stages)}),
            witness=None,
            scenarios=tuple(names),
            service=service.name,
            advice=f"run the migration of `{stage.name}` only when {version} serves nowhere any more, or keep what it needs",
        )

    def race_findings(self) -> list[Finding]:
        """Findings of the races; the same race at several points or in several scenarios is one."""
        made: dict[str, Finding] = {}
        for check in self.races:
            for problem in check.problems:
                finding = race_finding(self.contract, self.line, problem)
                if not problem.confirmed:
                    self.unstable.append(finding)
                elif finding.id in made:
                    first = made[finding.id]
                    names = tuple(dict.fromkeys((*first.scenarios, *finding.scenarios)))
                    made[finding.id] = msgspec.structs.replace(first, scenarios=names)
                else:
                    made[finding.id] = finding
        self.findings.extend(made.values())
        return list(made.values())

    def restart_findings(self) -> list[Finding]:
        """Findings of the restart check; one per side and point, the first scenario that shows it."""
        known: set[tuple[Side, int]] = set()
        made: list[Finding] = []
        for problem in self.restarts:
            if (problem.side, problem.point) in known:
                continue
            known.add((problem.side, problem.point))
            made.append(self._restart_finding(problem))
        self.findings.extend(made)
        return made

    def _restart_finding(self, found: RestartProblem) -> Finding:
        stages = self.line.stages_at(found.point)
        stage = self.contract.stages[stages[0] if stages else 0]
        service = next((s for s in self.contract.services if s.on_ramp), self.contract.services[0])
        version = service.instance(found.side).version or ""
        kept_fails = False
        operation, scenario = "start", found.work.scenario.name if found.work else ""
        text = f"{service.name} {version} started afresh at {stage.name} does not become ready: {found.message}"
        if found.work is not None and found.problem is not None:
            operation = found.work.scenario.steps[found.problem.step].operation
            kept_fails = found.problem.kind == KEPT_FAILS
            who = f"{service.name} {version} started afresh at {stage.name}"
            ending = "" if found.problem.check is Check.RESTART else "; the instance kept running does not"
            text = f"{operation} on {who} {found.message}{ending}"
        identity = hashlib.blake2b(
            f"restart {found.side} {found.point} {operation}".encode(), digest_size=6
        ).hexdigest()
        per_stage = {s.name: 1.0 if i in stages else 0.0 for i, s in enumerate(self.contract.stages)}
        return Finding(
            id=identity,
            rule="phase-restart",
            check=Check.RESTART,
            blame=Blame.PHASE,
            severity=Severity.ERROR,
            scenario=scenario,
            operation=operation,
            message=text,
            cause=(CauseLiteral("start", str(found.side), stage.name, operation),),
            chance=chance([{}], per_stage),
            witness=None,
            differences=(found.problem.difference,) if found.problem and found.problem.difference else (),
            scenarios=(scenario,) if scenario else (),
            service=service.name,
            advice=f"restart {version} right after `{stage.name}`, or let it survive that migration"
            if kept_fails
            else f"an instance evicted after `{stage.name}` does not come back as it was: "
            f"make {version} start on the data as it is there",
            replay=f"crossfade replay {identity}",
        )

    # --- the report ------------------------------------------------------------------------------------------------

    def report(self) -> Report:
        exercised = self._exercised()
        self.findings.sort(key=self._rank)
        verdict, reason = self._verdict(exercised)
        points = self._no_return()
        return Report(
            format="1",
            tool=f"crossfade {__version__}",
            verdict=verdict,
            reason=reason,
            contract=self.contract.file,
            services=tuple(
                ServiceVersions(s.name, s.stable.version or "", s.canary.version or "")
                for s in self.contract.services
                if s.canary is not None
            ),
            ramp=self._ramp(),
            plan=self.plan,
            exercised=exercised,
            findings=tuple(self.findings),
            unstable=tuple(self.unstable),
            changed=tuple(change for work in self.works for change in work.judge.changed()),
            not_compared=tuple(place for work in self.works for place in _not_compared(work)),
            not_explored=tuple(self._not_explored()),
            points_of_no_return=points,
            rollback_until=self.contract.rollback_until,
            started=self.started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self.began, 2),
            run=self.run_id,
            described=self.described,
            environment={
                **self.environment,
                "python": platform.python_version(),
                "starts_change_data": sorted(
                    stage for stage in range(len(self.contract.stages)) if self._opened_by_start(stage)
                ),
            },
        )

    def _opened_by_start(self, stage: int) -> bool:
        return any(point.opened_by == "start" and point.stage == stage for point in self.line.points)

    def _rank(self, finding: Finding) -> tuple[int, int, int, str]:
        order = [str(b) for b in (Blame.MIXED, Blame.PHASE, Blame.CANARY, Blame.STABLE)]
        scenarios = [scenario.name for scenario in self.contract.scenarios]
        where = scenarios.index(finding.scenario) if finding.scenario in scenarios else len(scenarios)
        return finding.severity is Severity.INFO, order.index(str(finding.blame)), where, finding.id

    def _verdict(self, exercised: Exercised) -> tuple[Verdict, str]:
        errors = [finding for finding in self.findings if finding.severity is Severity.ERROR]
        if errors:
            return Verdict.UNSAFE, f"{len(errors)} finding{'s' if len(errors) != 1 else ''}"
        if self.interrupted:
            return Verdict.UNKNOWN, self.interrupted
        if self.trouble.lost:
            return Verdict.UNKNOWN, self.trouble.lost[0]
        if not exercised.calls or not exercised.scenarios:
            return Verdict.UNKNOWN, "nothing was exercised"
        for reason in (_faltered, _idle, _never_made):
            texts = [text for work in self.works if (text := reason(work))]
            if texts:
                return Verdict.UNKNOWN, texts[0]
        untried = self._untried_races()
        if untried:
            return Verdict.UNKNOWN, f"the race `{untried[0]}` could not be tried"
        if self.unstable and any(s.on_ramp and s.stable.url for s in self.contract.services):
            return Verdict.UNKNOWN, "a suspicion could not be tried again from a clean state: a service runs already"
        thin = [work for work in self.works if work.sampled_strength is not None and work.sampled_strength < 2]
        if thin:
            return Verdict.UNKNOWN, f"too little of `{thin[0].scenario.name}` was explored in the time given"
        return Verdict.SAFE, exercised.guarantee

    def _untried_races(self) -> list[str]:
        """Races the contract names that no point could try, although there is a stage for them."""
        if not self.races:
            return []
        tried = {row.name for check in self.races for row in check.exercised}
        return [race.name for race in self.contract.races if race.name not in tried]

    def _not_explored(self) -> list[str]:
        lines = [*self.not_explored, *self.trouble.lost]
        lines.extend(text for check in self.races for text in check.not_explored)
        if self.interrupted:
            lines.append(f"the run ended early: {self.interrupted}")
        for work in self.works:
            lines.extend(f"{work.scenario.name}: {text}" for text in work.left_out)
            lines.extend(text for reason in (_faltered, _idle, _never_made) if (text := reason(work)))
        missing = {scenario.name for scenario in self.contract.scenarios} - {work.scenario.name for work in self.works}
        lines.extend(f"{name}: not run" for name in sorted(missing))
        return lines

    def _exercised(self) -> Exercised:
        rows = tuple(self._scenario_row(work) for work in self.works)
        routings = Routings(
            sum(row.possible for row in rows), sum(row.explored for row in rows), sum(row.merged for row in rows)
        )
        calls = sum(row.calls for row in rows)
        exact = all(row.regime == "exact" for row in rows)
        if not rows:
            guarantee = "nothing was explored"
        elif exact:
            guarantee = (
                f"exact: all {routings.possible:,} routings of {len(rows)} scenario{'s' if len(rows) != 1 else ''}"
            )
            stores = [name for name in self.environment if name in {d.name for d in self.contract.databases}]
            if any(work.merged_used or work.boundary_merged for work in self.works) and stores:
                guarantee += f" (states told apart by {', '.join(stores)})"
        else:
            guarantee = next(row.guarantee for row in rows if row.regime != "exact")
        races = tuple(row for check in self.races for row in check.exercised)
        return Exercised(rows, routings, calls, guarantee, races, sum(row.schedules for row in races))

    def _scenario_row(self, work: ScenarioWork) -> ScenarioExercised:
        possible = work.automaton.count()
        explored = min(possible, work.graph.count_explored())
        merged = max(0, explored - work.runs)
        if work.exact and not self.interrupted:
            explored = possible
            regime, guarantee = "exact", f"exact: all {possible:,} routings"
            merged = max(0, possible - work.runs)
            if work.merged_used or work.boundary_merged:
                guarantee += f", {merged:,} of them by reaching a state already explored"
            if work.rechecked:
                agreed = work.rechecked - work.wrong_merges
                guarantee += f"; {agreed} of {work.rechecked} merged routings run again on their own agreed"
        else:
            regime = "sampled"
            strength = work.sampled_strength or 1
            guarantee = (
                f"sampled: {explored:,} of {possible:,} routings; every choice of sides for any {strength} calls"
                if strength > 1
                else f"sampled: {explored:,} of {possible:,} routings, no guarantee"
            )
        return ScenarioExercised(
            work.scenario.name,
            len(work.scenario.steps),
            possible,
            explored,
            merged,
            work.runs,
            work.calls,
            regime,
            guarantee,
            work.isolation,
            round(work.seconds, 2),
        )

    def _ramp(self) -> tuple[RampStage, ...]:
        back = rollback_stages(self.contract)
        measured = bool(self.works) and not self.interrupted
        stages = []
        for index, stage in enumerate(self.contract.stages):
            epoch = self.line.epoch_of(index)
            sides = {side for s in self.contract.services if s.on_ramp for side in epoch.live[s.name]}
            broken = tuple(sorted(self._unsafe.get(index, ())))
            stages.append(
                RampStage(
                    stage.name,
                    stage.weight,
                    dict(stage.weights),
                    str(stage.phase),
                    stage.migration.label if stage.migration else None,
                    epoch.number,
                    tuple(str(side) for side in Side if side in sides),
                    index in back,
                    None if index not in back or not measured else not broken,
                    broken,
                )
            )
        return tuple(stages)

    def _no_return(self) -> tuple[str, ...]:
        """The first stage after which going back to stable loses or breaks something."""
        return tuple(self.contract.stages[stage].name for stage in sorted(self._unsafe)[:1])


def _faltered(work: ScenarioWork) -> str:
    """A call that one of several identical runs got an answer to and another did not: the instance hung or was cut off,
    and what these runs teach about noise cannot be trusted. "" where there is none."""
    for (side, _), runs in work.pure.items():
        for step, spec in enumerate(work.scenario.steps):
            seen = [answer for run in runs if (answer := run.answers[step]) is not None]
            failed = [answer for answer in seen if not answer.status]
            if failed and len(failed) < len(seen):
                return f"`{spec.operation}` on {side} was answered in some identical runs only ({failed[0].failure})"
    return ""


def _idle(work: ScenarioWork) -> str:
    """Why this scenario exercised nothing, "" where it did: refusals prove nothing unless the scenario expects them."""
    name = work.scenario.name
    for side in sorted({side for side, _ in work.pure}):
        if not any(answer.status for answer in _answers(work, side)):
            return f"no call of `{name}` was answered on {side}"
    held = any(step.expect for step in work.scenario.steps) and not any(
        check == Check.EXPECTATION for _, _, check, _ in work.pure_signatures
    )
    if not held and not any(answer.works for side in Side for answer in _answers(work, side)):
        return f"every call of `{name}` was refused or failed, on each side"
    return ""


def _never_made(work: ScenarioWork) -> str:
    """A step no run ever came to make, because an earlier one never gave what it needs."""
    for step, spec in enumerate(work.scenario.steps):
        if work.pure and not any(run.answers[step] is not None for runs in work.pure.values() for run in runs):
            where = f"the step `{spec.name}` of `{work.scenario.name}`"
            return f"{where} could never be made: an earlier one does not give what it needs"
    return ""


def _answers(work: ScenarioWork, side: Side) -> list[Answer]:
    runs = [run for (at, _), runs in work.pure.items() if at is side for run in runs]
    return [seen for run in runs for seen in run.answers if seen is not None]


def _not_compared(work: ScenarioWork) -> list[NotCompared]:
    return [
        NotCompared(work.scenario.name, work.scenario.steps[step].name, pattern, "differs between identical runs")
        for step, pattern in sorted(work.noise.masked)
    ]


def request_text(made: Made) -> str:
    request = made.exchange.request
    if request is None:
        return ""
    body = request.body.decode("utf-8", "replace")
    return f"{request.method} {request.target}" + (f" {body[:BODY]}" if body else "")


def body_text(seen: Answer | None) -> str:
    if seen is None:
        return ""
    if seen.status == 0:
        return seen.failure
    if seen.kind == "json":
        return json_text(seen.body, BODY)
    if seen.kind == "binary":
        return f"<{len(seen.body)} bytes>"
    return str(seen.body or "")[:BODY]


def answer_text(seen: Answer | None) -> str | None:
    if seen is None:
        return None
    return f"{seen.status} {body_text(seen)}".strip()
