"""A run from contract to report: the walk along the ramp with the main environment, then the replays, then the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from crossfade.engine.compat_observed import Seen
from crossfade.engine.findings import Suspect, suspects
from crossfade.engine.routings import Node
from crossfade.engine.sameness import MISSING, value_at
from crossfade.engine.timeline import (
    first_canary_stage,
    plan,
    stable_lives_until,
    timeline,
)
from crossfade.errors import CrossfadeError, EnvironmentFailed
from crossfade.model.compat import Severity as CompatSeverity
from crossfade.model.contract import Contract
from crossfade.model.events import FindingMade, Finished, Noted, PlanMade, Started, Suspected
from crossfade.model.history import Delta
from crossfade.model.ramp import Side
from crossfade.model.report import Report
from crossfade.session.alone import AloneCheck
from crossfade.session.compat import compat_of, with_recordings
from crossfade.session.confirming import ATTEMPTS, Confirmed, Replayer
from crossfade.session.descriptions import descriptions_of
from crossfade.session.environment import Environment, Ground, broken_migration
from crossfade.session.exploring import (
    MOST_ENTRIES,
    Explorer,
    TooMuchTrouble,
    Trouble,
    note_pure_problems,
    spaced,
)
from crossfade.session.options import Hear, Options
from crossfade.session.races import RaceCheck, may_race
from crossfade.session.restarts import RestartCheck
from crossfade.session.statements import unprepared
from crossfade.session.stored import keep_logs
from crossfade.session.telling import Telling
from crossfade.session.work import NodeState, ScenarioWork, migration_problem
from crossfade.world.carry import NotCarried, carry
from crossfade.world.finishing import in_thread
from crossfade.world.folder import copy_folder
from crossfade.world.ledger import Ledger, clean, new_run_id, remove_folder
from crossfade.world.migrations import MigrationFailed
from crossfade.world.servers import open_servers
from crossfade.world.stores import Stores

MOST_SUSPECTS = 40
RACING = 0.5  # of the budget


async def run_contract(contract: Contract, options: Options, hear: Hear) -> Report:
    """Runs everything and returns the report, also when the run was cut short: then the verdict is never `safe`.

    Raises ContractError and EnvironmentFailed only where nothing was looked at yet."""
    run = _Running(contract, options, hear)
    try:
        await run.whole()
    except (asyncio.CancelledError, KeyboardInterrupt):
        run.telling.interrupted = "the run was interrupted"
    except EnvironmentFailed as problem:
        if not run.telling.begun:
            raise
        run.telling.interrupted = problem.message
        run.telling.environment["failed"] = problem.message
    run.hold_against_descriptions()
    report = run.telling.report()
    hear(Finished(report))
    return report


class _Running:
    """The state of one run, for as long as it takes."""

    def __init__(self, contract: Contract, options: Options, hear: Hear) -> None:
        self.contract = contract
        self.options = options
        self.hear = hear
        self.line = timeline(contract)
        self.run_id = new_run_id()
        self.trouble = Trouble()
        self.works: list[ScenarioWork] = []
        self.began = time.monotonic()
        self.deadline = self.began
        self.telling = Telling(contract, self.line, self.works, self.trouble, self.run_id, datetime.now(UTC))

    async def whole(self) -> None:
        for line in await clean(lambda text: self.hear(Noted(text))):
            self.hear(Noted(f"left by an earlier run: {line}"))
        self._descriptions = descriptions_of(self.contract, lambda text: self.hear(Noted(text)))
        self._plan()
        self._describe()
        ledger = Ledger(self.run_id)
        work = Path(tempfile.mkdtemp(prefix=f"crossfade-{self.run_id}-"))
        logs = work / "logs"
        try:
            ledger.add_directory(work)
            work.chmod(0o755)
            logs.mkdir()
            await self._with_servers(ledger, work, logs)
        except EnvironmentFailed as problem:
            kept = await in_thread(keep_logs, logs, self.run_id)
            problem.hint = problem.hint.replace(str(logs), str(kept)) if kept else problem.hint
            raise
        finally:
            await in_thread(keep_logs, logs, self.run_id)
            await in_thread(remove_folder, work)
            ledger.remove_directory(work)
            ledger.close()

    def _plan(self) -> None:
        self.telling.plan = plan(self.contract, self.line, self.options.races)
        self.hear(PlanMade(self.telling.plan))

    def _describe(self) -> None:
        """What the documents say, before anything is started."""
        described = compat_of(self.contract)
        if not described.compared:
            return
        self.telling.described = described
        lines = [one for one in described.breaks if one.severity is CompatSeverity.ERROR and not one.declared]
        if lines:
            more = f" (and {len(lines) - 1} more: crossfade compat)" if len(lines) > 1 else ""
            self.hear(Noted(f"read only: {lines[0].message}{more}"))

    def hold_against_descriptions(self) -> None:
        """What was seen in the run beside what the documents say."""
        if self.telling.described is None:
            return
        calls = (
            (spec.service, side, Seen(spec.method, spec.operation.partition(" ")[2], seen))
            for work in self.works
            for (side, _), runs in work.pure.items()
            for run in runs
            for spec, seen in zip(work.scenario.steps, run.answers, strict=True)
            if seen is not None and seen.status and not spec.path.startswith("${")
        )
        statements = {key: name for check in self.telling.races for key, name in check.statements.items()}
        self.telling.described = with_recordings(
            self.telling.described, self.contract, self._descriptions, calls, statements
        )

    async def _with_servers(self, ledger: Ledger, work: Path, logs: Path) -> None:
        self.hear(Started("starting databases", "1"))
        async with open_servers(
            self.contract.databases,
            Path(self.contract.folder),
            work,
            logs,
            ledger,
            self.run_id,
            lambda text: self.hear(Noted(text)),
        ) as servers:
            self.telling.environment.update(servers.description)
            ground = Ground(self.contract, servers, ledger, self.run_id, work, logs)
            ground.note = lambda text: self.hear(Noted(text))
            self.ground, self.servers = ground, servers
            try:
                async with ground.opened("main", None) as main:
                    await self._walk(main)
                await self._confirm()
            except EnvironmentFailed as problem:
                died = await servers.alive()
                raise (EnvironmentFailed(died) if died else problem) from None

    # --- the walk --------------------------------------------------------------------------------------------------

    async def _walk(self, main: Environment) -> None:
        await self._begin(main)
        entries: list[dict[int, NodeState]] = [{} for _ in self.works]
        self.deadline = time.monotonic() + self.options.budget
        for point in self.line.points:
            if point.number:
                with self._off_the_budget():
                    entries = await self._move(main, point.number)
            await self._at_point(main, point.number, entries)

    @contextlib.contextmanager
    def _off_the_budget(self) -> Iterator[None]:
        """The budget is for searching: it does not run while data are migrated and pure runs are waited for."""
        began = time.monotonic()
        yield
        self.deadline += time.monotonic() - began

    async def _begin(self, main: Environment) -> None:
        """The base: schema, a migration of the first stage, the stable started; and the timeline as it really is."""
        first = self.contract.stages[0]
        versions = ", ".join(f"{s.name} {s.stable.version or ''}".strip() for s in self.contract.services)
        try:
            await main.migrate(first)
        except MigrationFailed as problem:
            raise broken_migration(first, problem) from None
        has_stores = bool(self.contract.databases)
        before = await main.stores.fingerprint() if has_stores else ""
        self.hear(Started(f"starting {versions}", "1"))
        await main.start(Side.STABLE)
        self.ground.stable_boots = has_stores and await main.stores.fingerprint() != before
        canary_stage = first_canary_stage(self.contract)
        if canary_stage is not None:
            canaries = ", ".join(f"{s.name} {s.canary.version}" for s in self.contract.services if s.canary)
            self.hear(Started(f"starting {canaries} once, on a copy of the data", "1"))
            if await self.ground.canary_start_changes_data(self.line, self.line.point_of[canary_stage]):
                self.hear(Noted("starting the canary changes the database: this is treated as a migration of its own"))
                self.ground.starts_change_data.add(canary_stage)
                self.line = timeline(self.contract, frozenset({canary_stage}))
                self.telling.line = self.line
        await main.stores.checkpoint()
        for index, scenario in enumerate(self.contract.scenarios):
            if not self.options.only or scenario.name in self.options.only:
                self.works.append(ScenarioWork(self.contract, self.line, index, self._descriptions))
        self.telling.begun = True

    async def _at_point(self, main: Environment, point: int, entries: list[dict[int, NodeState]]) -> None:
        sides = self._sides_at(point)
        stages = [self.contract.stages[stage] for stage in self.line.stages_at(point)]
        name = ", ".join(stage.name for stage in stages) or f"point {point}"
        self.hear(Started(f"walking: {name}", "2"))
        if Side.CANARY in sides and not main.has(Side.CANARY):
            await main.start(Side.CANARY)
            await main.stores.checkpoint()
        if Side.STABLE not in sides and not any(not s.on_ramp for s in self.contract.services):
            await main.stop(Side.STABLE)
        restarts = RestartCheck(self.ground, self.line, point, sides, self.hear)
        task = asyncio.ensure_future(restarts.look(self.works)) if restarts.needed else None
        races: asyncio.Task[None] | None = None
        try:
            with self._off_the_budget():
                await self._pure(main, point, sides)
                if len(sides) == 2:
                    check = AloneCheck(self.contract, self.ground, self.line, point, self._descriptions)
                    if check.possible:
                        self.telling.beside.extend(await check.look(self.works, bool(self.trouble.background)))
            races = self._races(point, sides)
            left = [work for work in self.works]
            for index, work in enumerate(self.works):
                share = self._share(point, len(left) - index)
                await self._explore(main, work, point, entries[index], time.monotonic() + share)
            if task is not None:
                self.telling.restarts.extend(await task)
            if races is not None:
                await races
        finally:
            for other in (task, races):
                if other is not None and not other.done():
                    other.cancel()
                    with contextlib.suppress(asyncio.CancelledError, CrossfadeError):
                        await other

    def _races(self, point: int, sides: tuple[Side, ...]) -> asyncio.Task[None] | None:
        """Calls at the same time, where both sides serve: in an environment of their own, beside the walk."""
        following = self.line.points[point + 1] if point + 1 < len(self.line.points) else None
        migration = following.stage if following is not None and following.opened_by == "migration" else None
        if self.options.races == "off" or (len(sides) < 2 and migration is None):
            return None
        auto = self.options.races == "auto" and any(may_race(work.scenario) for work in self.works)
        if not self.contract.races and not auto:
            return None
        background = self.trouble.background
        check = RaceCheck(self.ground, self.line, point, self.works, self.options, self.hear, background)
        self.telling.races.append(check)
        places = sum(len(self._sides_at(p.number)) == 2 for p in self.line.points)
        places += sum(p.opened_by == "migration" for p in self.line.points)
        return asyncio.create_task(self._race(check, sides, migration, RACING * self.options.budget / max(places, 1)))

    async def _race(self, check: RaceCheck, sides: tuple[Side, ...], migration: int | None, seconds: float) -> None:
        try:
            if len(sides) == 2:
                await check.look(seconds)
            if migration is not None:
                await check.look_at_migration(migration, sides, seconds)
        except EnvironmentFailed as problem:
            if died := await self.servers.alive():
                raise EnvironmentFailed(died) from None
            check.not_explored.append(f"races were not tried: {problem.message}")
        if check.statements:
            self.telling.statements += await unprepared(self.ground, self.line, check.point, check.statements)

    def _share(self, point: int, scenarios: int) -> float:
        """The time one scenario may take here: an equal part of what is left, the point with both sides counting most."""
        weight = [3.0 if len(self._sides_at(p.number)) == 2 else 1.0 for p in self.line.points]
        left = max(self.deadline - time.monotonic(), 0.0)
        return max(1.0, left * weight[point] / sum(weight[point:]) / max(scenarios, 1) * 1.5)

    def _sides_at(self, point: int) -> tuple[Side, ...]:
        sides = set()
        for stage in self.line.stages_at(point):
            for service, live in self.line.epoch_of(stage).live.items():
                if self.contract.service(service).on_ramp:
                    sides |= set(live)
            if stage <= stable_lives_until(self.contract):
                sides.add(Side.STABLE)
        if not sides:
            sides.add(Side.STABLE)
        return tuple(side for side in Side if side in sides)

    async def _pure(self, main: Environment, point: int, sides: tuple[Side, ...]) -> None:
        """Pure runs of every scenario, twice at least, a second apart; and the noise they teach."""
        began = time.monotonic()
        new = {side for side in sides if not any(side is known for work in self.works for known, _ in work.pure)}
        rounds = 3 if new else 2
        serving = [(work, side) for work in self.works for side in sides if self._serves(work, side, point)]
        for number in range(rounds):
            if number == 1 and new:
                await spaced(began)
                await self._look_for_late_work(main, point, serving, new)
            for work, side in serving:
                observe = number == 0 and side in new
                await self._add_pure(main, work, point, side, observe)
            for work in self.works:
                work.learn()
        if point == 0 and len(self.line.points) > 1:
            for work in self.works:
                await self._explorer(work, main, point).warm_up()
        for work in self.works:
            await self._raise_isolation(main, work, point, sides)
            work.learn()
            self._compare_phases(work, point, sides)
            for side in sides:
                note_pure_problems(work, side, point)

    async def _look_for_late_work(
        self, main: Environment, point: int, serving: list[tuple[ScenarioWork, Side]], new: set[Side]
    ) -> None:
        """Nothing was called for a moment: what changed in the stores meanwhile was done by a service on its own. Then the
        effects of a call may come late, and the answers are observed again, with patience."""
        changes = await main.stores.rewind()
        if not changes.log and not changes.keys:
            return
        self.trouble.background |= {(change.database, change.table, change.key) for change in changes.log}
        self.hear(Noted("a service goes on working after its answers: late effects are waited for"))
        for work, side in serving:
            if side in new:
                work.pure.pop((side, point), None)
                work.patience.least = 2.0
                await self._add_pure(main, work, point, side, True)

    async def _add_pure(self, main: Environment, work: ScenarioWork, point: int, side: Side, observe: bool) -> None:
        """One more pure run. Where a call has no answer that had one in an earlier run, the instance died or hangs: it is
        started anew and the run made again; what does not come back then was neither noise nor a difference."""
        explorer = self._explorer(work, main, point)
        await explorer.add_pure(side, observe=observe)
        if not self._stopped_answering(main, work, point, side):
            return
        work.pure[(side, point)].pop()
        await main.restart()
        await explorer.add_pure(side, observe=observe)
        if not self._stopped_answering(main, work, point, side):
            reason = f"an instance stopped answering during the pure runs of `{work.scenario.name}` on {side}"
            self.trouble.lost.append(reason)
            self.hear(Noted(f"{reason}; it was started anew"))

    def _stopped_answering(self, main: Environment, work: ScenarioWork, point: int, side: Side) -> bool:
        runs = work.pure[(side, point)]
        earlier = runs[:-1]
        if not earlier and main.dead():
            earlier = [run for (other, _), others in work.pure.items() if other is side for run in others[:1]]
        for step, seen in enumerate(runs[-1].answers):
            answered = any((before := run.answers[step]) is not None and before.status for run in earlier)
            if seen is not None and not seen.status and answered:
                return True
        return False

    def _serves(self, work: ScenarioWork, side: Side, point: int) -> bool:
        """Is there a routing of this scenario with a call on this side at this point?"""
        on_ramp = any(self.contract.service(step.service).on_ramp for step in work.scenario.steps)
        return on_ramp or side is Side.STABLE

    def _compare_phases(self, work: ScenarioWork, point: int, sides: tuple[Side, ...]) -> None:
        families = work.families()
        for side in sides:
            mine = next((f for f in families if f.side is side and f.point == point), None)
            first = next((f for f in families if f.side is side), None)
            if mine is not None and first is not None and first.point != point:
                for problem in work.judge.phase(mine, first):
                    work.phase_problems.append((side, point, problem))
            elif mine is not None and side is Side.CANARY:
                work.phase_problems.extend((side, point, problem) for problem in work.judge.hidden(mine))

    async def _raise_isolation(
        self, main: Environment, work: ScenarioWork, point: int, sides: tuple[Side, ...]
    ) -> None:
        """Where places stay noisy although every run starts from clean data, fresh processes may help: then each routing
        gets its own, if there is time for it."""
        if point or work.isolation == "fresh" or len(self.line.points) > 1:
            return
        if not any(_may_be_memory(work, key) for key in work.noise.masked):
            return
        began = time.monotonic()
        await main.refresh()
        seconds = time.monotonic() - began
        routings = work.automaton.count()
        if routings * seconds > 0.5 * self.options.budget:
            return
        old, noise = dict(work.pure), work.noise
        work.pure = {}
        work.noise = type(noise)(saved=noise.saved)
        for side in sides:
            for _ in range(4):
                await main.refresh()
                await self._explorer(work, main, point).add_pure(side)
        work.learn()
        if len(work.noise.masked) < len(noise.masked):
            work.isolation = "fresh"
            self.hear(
                Noted(
                    f"{work.scenario.name}: every routing gets fresh processes, answers depend on what was served before"
                )
            )
        else:
            work.pure, work.noise = old, noise
            work.learn()

    async def _explore(
        self, main: Environment, work: ScenarioWork, point: int, entries: dict[int, NodeState], deadline: float
    ) -> None:
        graph = work.graph
        explorer = self._explorer(work, main, point)
        numbers = [number for number in entries if graph.nodes[number].step < work.automaton.steps]
        if work.automaton.can_reach(work.automaton.start, point):
            root, _ = graph.add(point, 0, work.automaton.start, f"base {point}", None, ())
            numbers.insert(0, root)
        try:
            await explorer.explore(numbers, deadline)
            await explorer.look_at_carried([n for n in entries if graph.nodes[n].step == work.automaton.steps])
            if any(edge.problems for edge in work.edges.values()):
                await self._learn_more(explorer, work, point)
        except TooMuchTrouble as problem:
            work.left_out.append(f"the instances did not stay alive ({problem})")

    async def _learn_more(self, explorer: Explorer, work: ScenarioWork, point: int) -> None:
        """Something looks wrong: a few more pure runs, for noise that two or three did not show."""
        for _ in range(3):
            for side, at in list(work.pure):
                if at == point:
                    await explorer.add_pure(side)
        if work.learn():
            work.judge_again()

    def _explorer(self, work: ScenarioWork, main: Environment, point: int) -> Explorer:
        return Explorer(work, main, point, self.options, self.hear, self.trouble)

    # --- from one point to the next --------------------------------------------------------------------------------

    async def _move(self, main: Environment, point: int) -> list[dict[int, NodeState]]:
        """Carries every half-done scenario over what opens the point, and the main environment with it."""
        opening = self.line.points[point]
        stage = self.contract.stages[opening.stage]
        what = "starting the canary" if opening.opened_by == "start" else f"migrating: {stage.name}"
        self.hear(Started(what, "2"))
        before = await self.ground.template(self.line, point - 1)
        after = await self.ground.template(self.line, point)
        entries = await self._carry(main, point, before, after)
        await main.stores.release()
        if opening.opened_by == "start":
            await main.start(Side.CANARY)
        else:
            try:
                await main.migrate(stage)
            except MigrationFailed as problem:
                raise broken_migration(stage, problem) from None
        await main.stores.checkpoint()
        return entries

    async def _carry(self, main: Environment, point: int, before: str, after: str) -> list[dict[int, NodeState]]:
        """Every state worth leading on, all scenarios together: the migration runs once for as many as do not collide."""
        groups = [(work, nodes) for work in self.works for nodes in self._to_carry(work, point)]
        for work in self.works:
            own = [nodes[0] for other, nodes in groups if other is work and work.isolation == "undo"]
            await self._explorer(work, main, point - 1).keep_apart(own)
        deltas = [work.states[nodes[0].number].delta for work, nodes in groups]
        results = await carry(self.servers, deltas, before, after, self._migrator(point), self._uses_cache(point))
        entries: dict[int, dict[int, NodeState]] = {work.index: {} for work in self.works}
        for (work, nodes), result in zip(groups, results, strict=True):
            if isinstance(result, MigrationFailed):
                self._note_failed_migration(work, nodes, point, result)
            elif isinstance(result, NotCarried):
                work.left_out.append(f"a half-done state could not be carried to point {point}")
            else:
                work.boundary_merged += len(nodes) - 1
                number = self._carried_node(work, nodes, point, result)
                entries[work.index][number] = work.states[number]
        return [entries[work.index] for work in self.works]

    def _to_carry(self, work: ScenarioWork, point: int) -> list[list[Node]]:
        """The nodes at the point before, grouped by equal state."""
        groups: dict[tuple[int, object, str], list[Node]] = {}
        for node in work.graph.at(point - 1):
            state = work.states.get(node.number)
            if node.step == 0 or state is None or not work.automaton.can_reach(node.places, point):
                continue
            if node.step == work.automaton.steps and not self.contract.databases:
                continue
            key = state.key or f"node {node.number}"
            groups.setdefault((node.step, node.places, key), []).append(node)
        chosen = list(groups.values())
        if len(chosen) <= MOST_ENTRIES:
            return chosen
        work.left_out.append(
            f"{len(chosen) - MOST_ENTRIES} of {len(chosen)} states were not carried over the migration to point {point}"
        )
        work.sampled_strength = min(work.sampled_strength or 9, 2)
        stride = len(chosen) / MOST_ENTRIES
        return [chosen[int(i * stride)] for i in range(MOST_ENTRIES)]

    def _carried_node(self, work: ScenarioWork, nodes: list[Node], point: int, delta: Delta) -> int:
        first = nodes[0]
        state = work.states[first.number]
        number, _ = work.graph.add(
            point, first.step, first.places, f"carried {first.number}", (first.number, None), first.prefix
        )
        for node in nodes:
            node.carried = number
        work.states[number] = NodeState(delta, state.saved, state.names, state.key)
        return number

    def _note_failed_migration(
        self, work: ScenarioWork, nodes: list[Node], point: int, failed: MigrationFailed
    ) -> None:
        stage = self.contract.stages[self.line.points[point].stage]
        label = stage.migration.label if stage.migration else "starting the canary"
        for node in nodes:
            work.failed_migrations[node.number] = migration_problem(
                work.automaton.steps, stage.name, label, failed.message, point
            )

    def _uses_cache(self, point: int) -> bool:
        stage = self.contract.stages[self.line.points[point].stage]
        run = stage.migration.run if stage.migration else None
        caches = [d.name for d in self.contract.databases if d.kind == "redis"]
        if self.line.points[point].opened_by == "start":
            return bool(caches)
        return any(f"{name}.url" in (run or "") for name in caches)

    def _migrator(self, point: int):  # type: ignore[no-untyped-def]
        opening = self.line.points[point]
        stage = self.contract.stages[opening.stage]

        async def migrate(stores: Stores) -> None:
            if opening.opened_by == "start":
                environment = Environment(self.ground, "boot", stores, Path(self.contract.folder))
                try:
                    await environment.start(Side.CANARY)
                finally:
                    await environment.stop()
                return
            folder = self.ground.work / "migrating"
            if not folder.exists():
                await in_thread(copy_folder, Path(self.contract.folder), folder)
            await self.ground.migrate(stage, stores, folder)

        return migrate

    # --- the replays -----------------------------------------------------------------------------------------------

    async def _confirm(self) -> None:
        found: list[tuple[ScenarioWork, Suspect]] = []
        for work in self.works:
            evidence = work.evidence()
            own = suspects(self.contract, self.line, work.automaton, evidence) if evidence.words else []
            own = self.telling.with_phases(work, own)
            found.extend((work, suspect) for suspect in own)
        found = self.telling.without_duplicates(found)
        if len(found) > MOST_SUSPECTS:
            self.telling.not_explored.append(f"{len(found) - MOST_SUSPECTS} further suspicions were not replayed")
            found = found[:MOST_SUSPECTS]
        gate = asyncio.Semaphore(2)

        async def one(work: ScenarioWork, suspect: Suspect) -> Confirmed:
            async with gate:
                self.hear(Suspected(self.telling.sentence(work, suspect)))
                return await Replayer(self.ground, self.line, work).confirm(suspect)

        tasks = [asyncio.ensure_future(one(work, suspect)) for work, suspect in found]
        try:
            for (work, suspect), task in zip(found, tasks, strict=True):
                confirmed = await task
                finding = self.telling.add(work, confirmed)
                if confirmed.replays == ATTEMPTS:
                    self.hear(FindingMade(finding))
                else:
                    self.hear(Noted(f"not confirmed ({confirmed.replays} of {ATTEMPTS} replays): {finding.message}"))
                del suspect
        finally:
            for (work, suspect), task in zip(found, tasks, strict=True):
                if not task.done() or task.cancelled():
                    sentence = self.telling.sentence(work, suspect)
                    self.telling.not_explored.append(f"suspected, not replayed to the end: {sentence}")
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        others = [self.telling.beside_findings(), self.telling.restart_findings(), self.telling.race_findings()]
        others.append(self.telling.sql_findings())
        for finding in [finding for found in others for finding in found]:
            self.hear(FindingMade(finding))


def _may_be_memory(work: ScenarioWork, key: tuple[int, str]) -> bool:
    """Does a masked place look like what a process remembers: content that comes and goes (a list, a body, a status), or
    a value that several identical runs gave and others did not (a cache)? An id or a clock is new every time."""
    step, pattern = key
    if pattern in ("status", "body"):
        return True
    for runs in work.pure.values():
        values: list[str] = []
        for run in runs:
            seen = run.answers[step] if step < len(run.answers) else None
            if seen is None or seen.kind != "json":
                continue
            value = value_at(seen, pattern.replace("[]", "[0]"))
            if value is MISSING or isinstance(value, list | dict):
                return True
            values.append(repr(value))
        if 1 < len(set(values)) < len(values):
            return True
    return False
