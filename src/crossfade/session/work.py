"""What is known about one scenario while a run goes on: its graph, its pure runs, what its calls showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossfade.engine.answers import Answer
from crossfade.engine.findings import WORD_LIMIT, Evidence, lost
from crossfade.engine.judge import Family, Judge, Problem
from crossfade.engine.routings import Graph, Node
from crossfade.engine.sameness import Noise, Reading, learned
from crossfade.engine.timeline import Automaton, Timeline
from crossfade.model.api import ApiDescription
from crossfade.model.contract import Contract, Scenario
from crossfade.model.expression import Expression
from crossfade.model.history import Delta, Placed, Word
from crossfade.model.ramp import Side
from crossfade.model.report import Check
from crossfade.session.calling import LATE_WHILE_SEARCHING, Conversation, Patience, PureRun

LARGE_BODY = 100_000  # answers above this are judged once and not kept for judging again


class EdgeSeen(msgspec.Struct, frozen=True):
    """One call as first made: its problems, and what is needed to judge it again when more noise is known."""

    problems: tuple[Problem, ...]
    neutral: bool
    answer: Answer | None = None
    names: Mapping[str, frozenset[str]] = {}
    saved: Mapping[str, Any] = {}
    losses: frozenset[str] = frozenset()


class NodeState(msgspec.Struct, frozen=True):
    """The state a node stands for, enough to continue from it at the next point."""

    delta: Delta
    saved: dict[str, Any]
    names: dict[str, frozenset[str]]
    key: str  # canonical; "" where the state cannot be seen


class ScenarioWork:
    def __init__(
        self,
        contract: Contract,
        line: Timeline,
        index: int,
        descriptions: Mapping[tuple[str, Side], ApiDescription | None],
    ) -> None:
        self.contract = contract
        self.line = line
        self.index = index
        self.scenario: Scenario = contract.scenarios[index]
        self.automaton = Automaton(contract, line, self.scenario)
        self.graph = Graph(self.automaton)
        self.patience = Patience(LATE_WHILE_SEARCHING)
        self.noise = Noise()
        self.pure: dict[tuple[Side, int], list[PureRun]] = {}
        self.edges: dict[tuple[int, Side], EdgeSeen] = {}
        self.states: dict[int, NodeState] = {}
        self.final: dict[int, tuple[Problem, ...]] = {}
        self.phase_problems: list[tuple[Side, int, Problem]] = []
        self.extra: list[tuple[Word, dict[int, tuple[Problem, ...]], frozenset[int]]] = []
        self.failed_migrations: dict[int, Problem] = {}  # boundary node -> problem
        self.signatures: set[tuple[int, str, str, str]] = set()
        self.first_seen: dict[tuple[int, str], int] = {}  # (step, check) -> calls made in the run when first suspected
        self.pure_signatures: set[tuple[str, int, str, str]] = set()
        self.isolation = "undo" if contract.databases else "none"
        self.runs = 0
        self.calls = 0
        self.seconds = 0.0
        self.run_seconds = 0.02
        self.merged_used = False
        self.boundary_merged = 0
        self.rechecked = 0
        self.wrong_merges = 0
        self.left_out: list[str] = []
        self.sampled_strength: int | None = None
        self._descriptions = descriptions
        self._readings: dict[Noise, dict[int, tuple[PureRun, Reading]]] = {}
        self.judge = self._judge()

    # --- noise -----------------------------------------------------------------------------------------------------

    def _reading(self, run: PureRun, noise: Noise) -> Reading:
        """Reading a run anew costs a walk through all its answers: readings are kept while the noise stays."""
        if noise not in self._readings:
            self._readings = {other: kept for other, kept in self._readings.items() if other == Noise()}
            self._readings[noise] = {}
        kept = self._readings[noise]
        if id(run) not in kept:
            kept[id(run)] = (run, run.reading(noise))  # the run is kept with it, so that its id is not given again
        return kept[id(run)][1]

    def families(self) -> list[Family]:
        return [
            Family(side, point, tuple(self._reading(run, self.noise) for run in runs))
            for (side, point), runs in self.pure.items()
        ]

    def learn(self) -> bool:
        """Learns noise from all pure runs made so far; true when something new was learned."""
        families = [[self._reading(run, Noise()) for run in runs] for runs in self.pure.values()]
        saved = [[list(run.saved_by) for run in runs] for runs in self.pure.values()]
        found = learned(families, saved, self.judge.versions).union(self.noise)
        grown = found != self.noise
        self.noise = found
        self.patience.learn(found)
        self.judge = self._judge()
        return grown

    def _judge(self) -> Judge:
        return Judge(self.contract, self.scenario, self.noise, self.families(), self._descriptions)

    def judge_again(self) -> None:
        """Judges every kept suspicious call again, with what is known now."""
        for key, edge in list(self.edges.items()):
            if not edge.problems or edge.answer is None:
                continue
            node = self.graph.nodes[key[0]]
            placed = Placed(node.point, key[1])
            problems = self.judge.call(
                node.step, placed, edge.answer, edge.names, edge.saved, self.rules_at(node.step, placed)
            )
            kept = tuple(p for p in edge.problems if p.kind.startswith("save "))
            self.edges[key] = msgspec.structs.replace(edge, problems=(*problems, *kept))

    # --- rules in their window -------------------------------------------------------------------------------------

    def rules_at(self, step: int, placed: Placed) -> list[tuple[str, Sequence[Expression]]]:
        """Behaviour rules that hold for this call at some stage where it can happen."""
        spec = self.scenario.steps[step]
        stages = self._stages_of(placed, spec.service)
        return [
            (rule.name, rule.expect)
            for rule in self.contract.rules
            if rule.on.matches(spec.operation)
            and rule.service in (None, spec.service)
            and any(self._in_window(stage, rule.from_stage, rule.until_stage) for stage in stages)
        ]

    def state_rules_at(self, point: int) -> list[int]:
        """Indices of the state rules that hold at some stage of a point."""
        stages = self.line.stages_at(point)
        return [
            index
            for index, rule in enumerate(self.contract.state)
            if any(self._in_window(stage, rule.from_stage, rule.until_stage) for stage in stages)
        ]

    def _stages_of(self, placed: Placed, service: str) -> list[int]:
        stages = []
        for stage in self.line.stages_at(placed.point):
            weight = self.contract.stages[stage].weights.get(service, 0.0)
            if placed.side is Side.CANARY and weight <= 0:
                continue
            if placed.side is Side.STABLE and weight >= 1:
                continue
            stages.append(stage)
        return stages or list(self.line.stages_at(placed.point))

    def _in_window(self, stage: int, first: str | None, last: str | None) -> bool:
        if first is not None and stage < self.contract.stage_index(first):
            return False
        return last is None or stage <= self.contract.stage_index(last)

    # --- recording -------------------------------------------------------------------------------------------------

    def record_edge(
        self,
        node: Node,
        side: Side,
        conversation: Conversation,
        names: Mapping[str, frozenset[str]],
        saved: Mapping[str, Any],
    ) -> None:
        made = conversation.made[-1]
        seen = made.answer
        keep = bool(made.problems) and seen is not None and _small(seen)
        self.edges[(node.number, side)] = EdgeSeen(
            made.problems,
            made.neutral,
            seen if keep else None,
            dict(names) if keep else {},
            dict(saved) if keep else {},
            made.losses,
        )

    # --- evidence --------------------------------------------------------------------------------------------------

    def evidence(self) -> Evidence:
        """All routings known completely, with their problems."""
        words: list[Word] = []
        problems: list[dict[int, tuple[Problem, ...]]] = []
        neutral: list[frozenset[int]] = []
        steps = len(self.scenario.steps)
        for word, trail in self.graph.explored_words(WORD_LIMIT):
            own: dict[int, tuple[Problem, ...]] = {}
            out: set[int] = set()
            for step, number in enumerate(trail):
                edge = self.edges.get((number, word[step].side))
                if edge is None or edge.neutral:
                    out.add(step)
                elif edge.problems:
                    own[step] = edge.problems
            last = self.graph.nodes[trail[-1]].edges[word[-1].side] if trail else None
            final = self._final_problems(last)
            if final:
                own[steps] = final
            words.append(word)
            problems.append(own)
            neutral.append(frozenset(out))
        self._add_losses(words, problems)
        known = set(words)
        for word, extra, out_of in self.extra:
            if word not in known:
                words.append(word)
                problems.append(extra)
                neutral.append(out_of)
        self._add_pure_words(words, problems, neutral)
        return Evidence(self.index, tuple(words), tuple(problems), tuple(neutral))

    def _add_pure_words(
        self, words: list[Word], problems: list[dict[int, tuple[Problem, ...]]], neutral: list[frozenset[int]]
    ) -> None:
        """A search cut short need not have met the pure routings; those without a difference are known to pass."""
        known = set(words)
        for (side, point), runs in self.pure.items():
            word = tuple(
                Placed(point, side if self.contract.service(step.service).on_ramp else Side.STABLE)
                for step in self.scenario.steps
            )
            differs = any((s, p) == (side, point) for s, p, _ in self.phase_problems)
            own = any(letter == side.letter for letter, *_ in self.pure_signatures)
            if not self.exact and runs and word not in known and not differs and not own:
                words.append(word)
                problems.append({})
                neutral.append(frozenset())

    def _add_losses(self, words: Sequence[Word], problems: Sequence[dict[int, tuple[Problem, ...]]]) -> None:
        """Adds values lost on the way (see `findings.lost`), among the routings that stay at one point."""
        empty: dict[tuple[int, int, Side, str], set[int]] = {}
        at_point: dict[int, list[int]] = {}
        for index, (word, trail) in enumerate(self.graph.explored_words(WORD_LIMIT)):
            points = {placed.point for placed in word}
            if len(points) > 1:
                continue
            point = points.pop()
            at_point.setdefault(point, []).append(index)
            for step, number in enumerate(trail):
                edge = self.edges.get((number, word[step].side))
                for pattern in edge.losses if edge is not None and not edge.problems else ():
                    empty.setdefault((point, step, word[step].side, pattern), set()).add(index)
        for (point, step, side, pattern), indices in empty.items():
            here = at_point[point]
            local = frozenset(here.index(index) for index in indices)
            for place in lost([words[index] for index in here], step, side, local):
                own = problems[here[place]]
                own[step] = (*own.get(step, ()), self.judge.loss_problem(step, pattern, None))

    def _final_problems(self, number: int | None) -> tuple[Problem, ...]:
        """Problems of the state a routing leaves behind, at its own point and at the later ones it was carried to."""
        found: dict[tuple[str, str], Problem] = {}
        while number is not None:
            for problem in self.final.get(number, ()):
                found.setdefault((str(problem.check), problem.kind), problem)
            failed = self.failed_migrations.get(number)
            if failed is not None:
                found.setdefault((str(failed.check), failed.kind), failed)
            number = self.graph.nodes[number].carried
        return tuple(found.values())

    @property
    def exact(self) -> bool:
        return self.sampled_strength is None and not self.left_out


def migration_problem(step: int, stage: str, label: str, reason: str, point: int) -> Problem:
    first = reason.strip().splitlines()[0] if reason.strip() else "it failed"
    text = f"leaves rows on which the migration of `{stage}` ({label}) fails: {first}"
    return Problem(step, Check.MIGRATION, stage, text, at=point)


def _small(seen: Answer) -> bool:
    if seen.kind in ("text", "binary"):
        return len(seen.body) < LARGE_BODY
    return len(repr(seen.body)) < LARGE_BODY if seen.kind == "json" else True
