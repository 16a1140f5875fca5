"""A scenario at one point: its pure runs, every routing from every entry, and what it takes to the next point."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from crossfade.engine.answers import json_text
from crossfade.engine.judge import Problem
from crossfade.engine.routings import (
    Begin,
    Call,
    End,
    Node,
    count_words,
    explore,
    perform_words,
    sampled_words,
)
from crossfade.engine.states import state_key
from crossfade.engine.timeline import live_sides, rollback_stages
from crossfade.model.events import Noted, Progress
from crossfade.model.expression import evaluated
from crossfade.model.history import Delta, Placed
from crossfade.model.ramp import Side
from crossfade.model.report import Check
from crossfade.session.calling import Conversation, Made, Patience, PureRun
from crossfade.session.environment import Environment
from crossfade.session.options import Hear, Options
from crossfade.session.work import NodeState, ScenarioWork
from crossfade.world.migrations import MigrationFailed
from crossfade.world.stores import Changes

COUNT_LIMIT = 2_000_000
MOST_ENTRIES = 400  # states of one scenario carried over one migration
RESTARTS = 5
WARM_UP = 12  # runs: drivers prepare a statement after some uses, pools spread them over connections
WARM_UP_SECONDS = 4.0
APART_SECONDS = 15.0


class Trouble:
    """What happened to the environment itself during the run: each entry keeps the verdict from being `safe`."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.restarts = 0
        self.calls = 0  # made in the whole run so far
        self.background: set[tuple[str, str, str]] = set()  # rows that services change while nothing is called


class Explorer:
    """Explores one scenario at one point in the main environment."""

    def __init__(
        self,
        work: ScenarioWork,
        environment: Environment,
        point: int,
        options: Options,
        hear: Hear,
        trouble: Trouble,
    ) -> None:
        self._work = work
        self._env = environment
        self._point = point
        self._options = options
        self._hear = hear
        self._trouble = trouble
        self._later = point + 1 < len(work.line.points)
        databases = work.contract.databases
        self._stepwise = any(d.kind == "redis" or d.url for d in databases) and self._later
        self._visible = bool(databases)

    # --- pure runs -------------------------------------------------------------------------------------------------

    async def pure_run(
        self, side: Side, *, observe: bool = False, judged: bool = False, replica: int = 0
    ) -> Conversation:
        """All steps on one side from the clean base, and back to it."""
        work = self._work
        if work.isolation == "fresh":
            await self._env.refresh()
        conversation = Conversation(
            self._env, work.scenario, work.index, work.judge if judged else None, work.patience, work.noise
        )
        began = time.monotonic()
        for step in range(len(work.scenario.steps)):
            on_ramp = work.contract.service(work.scenario.steps[step].service).on_ramp
            placed = Placed(self._point, side if on_ramp else Side.STABLE)  # one version only: it serves every run
            rules = work.rules_at(step, placed) if judged else ()
            await conversation.call(step, placed, rules=rules, observe=observe, judged=judged, replica=replica)
            self._count()
        if not observe:
            work.run_seconds = 0.5 * work.run_seconds + 0.5 * (time.monotonic() - began)
        await self._env.stores.rewind()
        return conversation

    async def warm_up(self) -> None:
        """The stable serves this scenario before the ramp, as it would have: its pools, caches and prepared statements
        become those of an instance that has been running for a while."""
        began = time.monotonic()
        for _ in range(WARM_UP):
            work = self._work
            conversation = Conversation(self._env, work.scenario, work.index, None, Patience(), work.noise)
            for step in range(len(work.scenario.steps)):
                await conversation.call(step, Placed(self._point, Side.STABLE), judged=False)
            await self._env.stores.rewind()
            if time.monotonic() - began > WARM_UP_SECONDS:
                break

    async def add_pure(self, side: Side, *, observe: bool = False) -> None:
        judged = any(len(runs) > 1 for runs in self._work.pure.values())  # with one run of each nothing is noise yet
        conversation = await self.pure_run(side, observe=observe, judged=judged)
        if observe and self._work.patience.once:  # spoilt by watching: a quota was used up
            conversation = await self.pure_run(side, judged=judged)
        runs = self._work.pure.setdefault((side, self._point), [])
        runs.append(as_pure(conversation))

    # --- every routing ---------------------------------------------------------------------------------------------

    async def explore(self, entries: Sequence[int], deadline: float) -> None:
        """Every routing from the entries, exactly where time allows; otherwise a covering sample."""
        work, graph = self._work, self._work.graph
        began = time.monotonic()
        words = sum(count_words(graph, entry, COUNT_LIMIT) for entry in entries)
        allowed = max(deadline - began, 1.0)
        estimate = words * max(work.run_seconds, 0.002)
        merge = self._options.merge == "on" or (self._options.merge == "auto" and estimate > 0.6 * allowed)
        merge = merge and self._visible and work.isolation == "undo"
        self._hear(Progress(f"{work.scenario.name}: {_point_name(work, self._point)}", 0, words, work.calls))
        if merge or estimate <= 1.2 * allowed:
            work.merged_used = work.merged_used or merge
            finished = await self._drive(explore(graph, entries, merge), merge, deadline, words)
            if merge and finished:
                await self._recheck(entries, deadline)
            if not finished:
                work.left_out.append(f"time ran out at {_point_name(work, self._point)}")
                work.sampled_strength = min(work.sampled_strength or 9, 1)
        else:
            await self._sample(entries, deadline)
        work.seconds += time.monotonic() - began

    async def _sample(self, entries: Sequence[int], deadline: float) -> None:
        work, graph = self._work, self._work.graph
        strength = 3
        for entry in entries:
            node = graph.nodes[entry]
            options = [
                tuple(
                    side
                    for side in Side
                    if work.automaton.sides(node.places, step, self._point) and side in _live(work, step, self._point)
                )
                for step in range(node.step, work.automaton.steps)
            ]
            if not options or any(not choice for choice in options):
                continue
            words = sampled_words(options, strength, 40, self._options.seed)
            finished = await self._drive(perform_words(graph, entry, words), False, deadline, len(words))
            if not finished:
                strength = 1
        work.sampled_strength = min(work.sampled_strength or 9, strength)

    async def _recheck(self, entries: Sequence[int], deadline: float) -> None:
        """Some routings that were merged, executed on their own after all: merging must not have changed the outcome."""
        work, graph = self._work, self._work.graph
        for entry in entries[:3]:
            node = graph.nodes[entry]
            options = [_live(work, step, self._point) for step in range(node.step, work.automaton.steps)]
            for sides in sampled_words(options, 1, 8, self._options.seed + entry):
                if time.monotonic() > deadline:
                    return
                places, path, possible = node.places, [], True
                for step, side in enumerate(sides, node.step):
                    places = work.automaton.after(places, step, Placed(self._point, side))
                    possible = possible and bool(places)
                    path.append(Placed(self._point, side))
                if not possible or node.step != 0:
                    continue
                conversation = await self._begin(entry)
                for step, placed in enumerate(path, node.step):
                    await conversation.call(step, placed, rules=work.rules_at(step, placed))
                    self._count()
                await self._env.stores.rewind()
                work.runs += 1
                work.rechecked += 1
                seen = {m.exchange.step: m.problems for m in conversation.made if m.problems and not m.neutral}
                if _kinds(seen) != self._predicted(node, sides):
                    work.wrong_merges += 1
                    neutral = frozenset(m.exchange.step for m in conversation.made if m.neutral)
                    work.extra.append((tuple(path), seen, neutral))

    def _predicted(self, node: Node, sides: Sequence[Side]) -> set[tuple[int, str, str]]:
        found: set[tuple[int, str, str]] = set()
        for side in sides:
            edge = self._work.edges.get((node.number, side))
            if edge is None or side not in node.edges:
                break
            if not edge.neutral:
                found |= {(p.step, str(p.check), p.kind) for p in edge.problems}
            node = self._work.graph.nodes[node.edges[side]]
        return found

    async def _begin(self, entry: int) -> Conversation:
        work = self._work
        if work.isolation == "fresh":
            await self._env.refresh()
        state = work.states.get(entry)
        if state is None:
            return Conversation(self._env, work.scenario, work.index, work.judge, work.patience, work.noise)
        if not state.delta.empty:
            await self._env.stores.apply(state.delta)
        return Conversation(
            self._env, work.scenario, work.index, work.judge, work.patience, work.noise, state.saved, state.names
        )

    async def _drive(
        self, search: Generator[Begin | Call | End, str, None], merge: bool, deadline: float, total: int
    ) -> bool:
        """Carries out what the search asks for; False when time ran out first."""
        done = 0
        wanted = next(search, None)
        while isinstance(wanted, Begin):
            if time.monotonic() > deadline:
                search.close()
                return False
            entry = wanted.entry
            path: list[Node] = []
            sides: list[Side] = []
            conversation = await self._begin(entry)
            wanted = next(search)
            marks: list[dict[str, Any]] = []
            stepwise: list[Changes] = []
            fresh: list[Made] = []
            while isinstance(wanted, Call):
                node = self._work.graph.nodes[wanted.node]
                known = (node.number, wanted.side) in self._work.edges
                names, saved = (
                    (conversation.names, conversation.saved)
                    if known
                    else (dict(conversation.names), dict(conversation.saved))
                )
                made = await self._call(conversation, node, wanted.side, judged=not known)
                if not known:
                    self._work.record_edge(node, wanted.side, conversation, names, saved)
                    fresh.append(made)
                path.append(node)
                sides.append(wanted.side)
                marks.append(
                    {"saved": dict(conversation.saved), "names": dict(conversation.names)} if self._later else {}
                )
                key = ""
                if merge or self._stepwise:
                    changes = await self._env.stores.changes()
                    stepwise.append(changes)
                    if merge:
                        key = self._key(self._delta(entry, changes), conversation)
                wanted = search.send(key)
            done += 1
            self._work.runs += 1
            reached = [self._work.graph.nodes[node.edges[side]] for node, side in zip(path, sides, strict=True)]
            if (
                reached
                and reached[-1].step == self._work.automaton.steps
                and reached[-1].number not in self._work.final
            ):
                await self._look_at_state(reached[-1].number)
            changes = await self._env.stores.rewind()
            if not changes.restored:
                raise _TooMuchTrouble(
                    "a service changed its own tables while serving calls; the base cannot be restored"
                )
            if self._later:
                self._remember(entry, reached, conversation, marks, changes, stepwise)
            await self._after_run(conversation, entry, path, sides, fresh)
            if done % 5 == 0 or done == total:
                name = f"{self._work.scenario.name}: {_point_name(self._work, self._point)}"
                self._hear(Progress(name, done, max(total, done), self._work.calls))
            wanted = next(search, None)
        return True

    async def _call(self, conversation: Conversation, node: Node, side: Side, *, judged: bool) -> Made:
        placed = Placed(self._point, side)
        rules = self._work.rules_at(node.step, placed) if judged else ()
        made = await conversation.call(node.step, placed, rules=rules, judged=judged)
        self._count()
        return made

    def _count(self) -> None:
        self._work.calls += 1
        self._trouble.calls += 1

    def _delta(self, entry: int, changes: Changes) -> Delta:
        state = self._work.states.get(entry)
        delta = changes.delta(state.delta if state is not None else None)
        if not self._trouble.background:
            return delta
        own = tuple(r for r in delta.rows if (r.database, r.table, r.key) not in self._trouble.background)
        return msgspec.structs.replace(delta, rows=own)

    def _key(self, delta: Delta, conversation: Conversation) -> str:
        saved = {name: value for name, value in conversation.saved.items() if name != "unique"}
        key = state_key(delta, saved, time.time())
        blocked = "".join("x" if made.neutral else "." for made in conversation.made)
        return f"{key}{blocked if 'x' in blocked else ''}" if delta.complete else f"unseen {time.monotonic_ns()}"

    def _remember(
        self,
        entry: int,
        reached: Sequence[Node],
        conversation: Conversation,
        marks: Sequence[dict[str, Any]],
        changes: Changes,
        stepwise: Sequence[Changes],
    ) -> None:
        """The state of every node on the way, for the next point."""
        work = self._work
        for index, node in enumerate(reached):
            if node.number in work.states or any(made.blocked for made in conversation.made[: index + 1]):
                continue
            if stepwise and index < len(stepwise):
                so_far = stepwise[index]
            elif index + 1 < len(conversation.made):
                following = conversation.made[index + 1].exchange
                until = following.ended - following.seconds
                so_far = msgspec.structs.replace(changes, log=tuple(c for c in changes.log if c.at <= until))
            else:
                so_far = changes
            delta = self._delta(entry, so_far)
            saved, names = marks[index]["saved"], marks[index]["names"]
            key = ""
            if self._visible and delta.complete:
                key = state_key(delta, {n: v for n, v in saved.items() if n != "unique"}, time.time())
            work.states[node.number] = NodeState(delta, saved, names, key)

    async def keep_apart(self, nodes: Sequence[Node]) -> None:
        """States from one run hold the same rows, and cannot cross a migration in one scratch database. Those that
        collide are reached once more, each by a run of its own, with ids of their own."""
        taken: set[tuple[str, str, str]] = set()
        until = time.monotonic() + APART_SECONDS
        for node in nodes:
            state = self._work.states[node.number]
            own = _new_rows(state.delta)
            if own & taken and time.monotonic() < until:
                again = await self._state_again(node, state)
                if again is not None:
                    self._work.states[node.number] = again
                    own = _new_rows(again.delta)
            taken |= own

    async def _state_again(self, node: Node, state: NodeState) -> NodeState | None:
        """The same state by another run; None where it came out otherwise."""
        graph = self._work.graph
        conversation = await self._begin(node.entry)
        step = graph.nodes[node.entry].step
        for side in graph.path(node):
            await conversation.call(step, Placed(self._point, side), judged=False)
            self._count()
            step += 1
        changes = await self._env.stores.rewind()
        delta = self._delta(node.entry, changes)
        saved = {name: value for name, value in conversation.saved.items() if name != "unique"}
        if not delta.complete or state_key(delta, saved, time.time()) != state.key:
            return None
        return NodeState(delta, dict(conversation.saved), dict(conversation.names), state.key)

    # --- the state left behind -------------------------------------------------------------------------------------

    async def _look_at_state(self, number: int) -> None:
        problems = await self.state_problems()
        if problems:
            self._work.final[number] = problems

    async def state_problems(self) -> tuple[Problem, ...]:
        """The state rules in their window that do not hold now."""
        work = self._work
        found: list[Problem] = []
        for index in work.state_rules_at(self._point):
            rule = work.contract.state[index]
            try:
                rows = await self._env.stores.rows(rule.sql, rule.database)
            except MigrationFailed as problem:
                found.append(
                    Problem(
                        work.automaton.steps,
                        Check.STATE,
                        f"{rule.name} query",
                        f"leaves data on which the rule `{rule.name}` cannot be asked: {problem.message.splitlines()[0]}",
                        at=self._point,
                    )
                )
                continue
            for expression in rule.expect:
                result = evaluated(expression, {"rows": rows})
                if not result.holds:
                    shown = json_text(rows, 80)
                    stage = _first_in_window(work, self._point, index)
                    found.append(
                        Problem(
                            work.automaton.steps,
                            Check.STATE,
                            rule.name,
                            f"leaves data that breaks the rule `{rule.name}` at {stage}: "
                            f"`{expression.source}`, rows are {shown}",
                            at=self._point,
                        )
                    )
        return tuple(found)

    async def look_at_carried(self, numbers: Sequence[int]) -> None:
        """State rules over finished scenarios that were carried here."""
        if not self._work.state_rules_at(self._point):
            return
        for number in numbers:
            state = self._work.states[number]
            await self._env.stores.apply(state.delta)
            await self._look_at_state(number)
            await self._env.stores.rewind()

    # --- when the environment itself is in trouble -----------------------------------------------------------------

    async def _after_run(
        self, conversation: Conversation, entry: int, path: Sequence[Node], sides: Sequence[Side], fresh: Sequence[Made]
    ) -> None:
        """Dead or hanging instances are started anew; a new kind of failure is checked against a pure run made now, so
        that an exhausted quota or a tired process is not taken for a failure of the ramp."""
        failures = [made.exchange.failure for made in conversation.made if made.exchange.failure is not None]
        dead = self._env.dead()
        new = False
        for made in fresh:
            for problem in made.problems:
                signature = (problem.step, str(problem.check), problem.kind, made.exchange.placed.side.letter)
                if signature not in self._work.signatures:
                    self._work.signatures.add(signature)
                    self._work.first_seen.setdefault((problem.step, str(problem.check)), self._trouble.calls)
                    new = True
        if not (failures or dead or new):
            return
        names = ", ".join(f"{r.service} {r.side} {r.version}: {r.exit_description()}" for r in dead)
        if dead:
            await self._restart(f"an instance died ({names})")
        elif not await self._drifted(conversation):
            return
        else:
            await self._restart("the pure runs do not give what they gave at first")
        again = await self._repeat(entry, path, sides)
        if self._env.dead():
            await self._restart("it died again at the same call")
        elif (dead or failures) and not any(made.exchange.failure for made in again.made):
            what = f"died ({names})" if dead else f"did not answer ({failures[0].kind})"
            self._trouble.lost.append(
                f"an instance {what} during `{self._work.scenario.name}`, and not again after a restart"
            )

    async def _drifted(self, conversation: Conversation) -> bool:
        """Do pure runs made now show, three times out of three, a problem that none had at first? What comes and goes is
        noise instead, and is learned."""
        for side in sorted({made.exchange.placed.side for made in conversation.made if made.problems}):
            if (side, self._point) not in self._work.pure:
                continue
            constant: set[tuple[str, int, str, str]] | None = None
            controls: list[Conversation] = []
            while constant is None or (constant and len(controls) < 3):
                control = await self.pure_run(side, judged=True)
                controls.append(control)
                shown = {
                    (side.letter, p.step, str(p.check), p.kind) for made in control.made for p in made.problems
                } - self._work.pure_signatures
                constant = shown if constant is None else constant & shown
            if constant:
                return True
            if len(controls) > 1:
                self._work.pure[(side, self._point)].extend(as_pure(control) for control in controls)
                if self._work.learn():
                    self._work.judge_again()
        return False

    async def _restart(self, why: str) -> None:
        self._trouble.restarts += 1
        self._hear(Noted(f"{self._work.scenario.name}: {why}; the instances are started anew"))
        if self._trouble.restarts > RESTARTS:
            self._trouble.lost.append(f"instances had to be restarted {self._trouble.restarts} times ({why})")
            if self._trouble.restarts > 4 * RESTARTS:
                raise _TooMuchTrouble(why)
        await self._env.restart()

    async def _repeat(self, entry: int, path: Sequence[Node], sides: Sequence[Side]) -> Conversation:
        """The same routing once more; what it shows now counts."""
        conversation = await self._begin(entry)
        for node, side in zip(path, sides, strict=True):
            names, saved = dict(conversation.names), dict(conversation.saved)
            await self._call(conversation, node, side, judged=True)
            self._work.record_edge(node, side, conversation, names, saved)
        await self._env.stores.rewind()
        return conversation


class _TooMuchTrouble(Exception):
    """Instances die or drift again and again: what is left of this scenario cannot be explored."""


TooMuchTrouble = _TooMuchTrouble


def as_pure(conversation: Conversation) -> PureRun:
    return PureRun(tuple(conversation.answers()), tuple(conversation.saved_by()))


def note_pure_problems(work: ScenarioWork, side: Side, point: int) -> None:
    """What the pure runs themselves show, so that later controls can tell drift from it."""
    family = next((f for f in work.families() if f.side is side and f.point == point), None)
    if family is None:
        return
    for run, one in zip(work.pure[(side, point)], family.readings, strict=True):
        saved: dict[str, Any] = dict(run.saved_by[-1])
        for step, seen in enumerate(one.answers):
            if seen is not None:
                placed = Placed(point, side)
                problems = work.judge.call(step, placed, seen, one.names[step], saved, work.rules_at(step, placed))
                missing = [f"save {name}" for name in work.scenario.steps[step].save if name not in run.saved_by[step]]
                shown = [*((str(p.check), p.kind) for p in problems), *((str(Check.EXPECTATION), m) for m in missing)]
                work.pure_signatures |= {(side.letter, step, check, kind) for check, kind in shown}
            saved.update(run.saved_by[step])


def _live(work: ScenarioWork, step: int, point: int) -> tuple[Side, ...]:
    """The sides that can serve a step at a point at all."""
    service = work.scenario.steps[step].service
    on_ramp = work.contract.service(service).on_ramp
    sides: set[Side] = set()
    for stage in work.line.stages_at(point):
        sides |= set(live_sides(work.contract, stage)[service])
        if stage in rollback_stages(work.contract):
            sides.add(Side.STABLE)
    return tuple(side for side in Side if side in sides) if on_ramp else (Side.STABLE,)


def _new_rows(delta: Delta) -> set[tuple[str, str, str]]:
    return {(row.database, row.table, row.key) for row in delta.rows if row.before is None}


def _kinds(seen: dict[int, tuple[Problem, ...]]) -> set[tuple[int, str, str]]:
    return {(p.step, str(p.check), p.kind) for problems in seen.values() for p in problems}


def _first_in_window(work: ScenarioWork, point: int, index: int) -> str:
    rule = work.contract.state[index]
    for stage in work.line.stages_at(point):
        if work._in_window(stage, rule.from_stage, rule.until_stage):
            return f"stage `{work.contract.stages[stage].name}`"
    return "this stage"


def _point_name(work: ScenarioWork, point: int) -> str:
    names = [work.contract.stages[stage].name for stage in work.line.stages_at(point)]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}" if names else f"point {point}"


async def spaced(first: float) -> None:
    """Waits until a second has passed since `first` (monotonic), so that clocks with seconds show as noise."""
    rest = first + 1.1 - time.monotonic()
    if rest > 0:
        await asyncio.sleep(rest)
