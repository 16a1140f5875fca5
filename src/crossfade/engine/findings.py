"""From problems on routings to findings: grouping, minimal causes, blame, chance, consequences, points of no return.

Routings that fail with the same problem at the same step form a failing set; its minimal causes become one finding each.
A cause that a pure routing meets is blamed on that side (or phase); what only routings of both sides meet is mixed. A
finding whose cause an earlier failure of the same routing already is, is its consequence and is not told again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from crossfade.engine.causes import Cause, Literal, minimal_causes
from crossfade.engine.chance import chance, probability
from crossfade.engine.judge import PRIORITY, Problem
from crossfade.engine.timeline import Automaton, Timeline, live_sides, rollback_stages
from crossfade.model.contract import Contract
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side
from crossfade.model.report import Blame, CauseLiteral, Chance, Check, Difference, Severity

WORD_LIMIT = 60_000


class Evidence(msgspec.Struct, frozen=True):
    """What was seen of one scenario. `words` are the routings known completely; `problems[i]` maps a step to the problems
    of word i at that step (the number of steps stands for the state left behind); `neutral[i]` are the steps of word i
    that could not be made or judged."""

    scenario: int
    words: tuple[Word, ...]
    problems: tuple[Mapping[int, tuple[Problem, ...]], ...]
    neutral: tuple[frozenset[int], ...]


class Suspect(msgspec.Struct, frozen=True):
    """A finding before it is replayed. `patterns` are its minimal causes (several when they differ only in which call of
    the same operation meets the failure); `word` is the simplest failing routing; `step` the call that fails in it."""

    scenario: int
    step: int
    problems: tuple[Problem, ...]
    patterns: tuple[Cause, ...]
    word: Word
    words: tuple[Word, ...]
    blame: Blame
    rollback_only: bool

    @property
    def check(self) -> Check:
        return self.problems[0].check


def suspects(contract: Contract, line: Timeline, automaton: Automaton, evidence: Evidence) -> list[Suspect]:
    """Every independent fault the evidence shows, the earliest failing call first."""
    failing: dict[tuple[int, Check, str], set[int]] = {}
    example: dict[tuple[int, Check, str], Problem] = {}
    for index, by_step in enumerate(evidence.problems):
        for problems in by_step.values():
            for problem in problems:
                key = (problem.step, problem.check, problem.kind)
                failing.setdefault(key, set()).add(index)
                example.setdefault(key, problem)
    groups: dict[tuple[int, frozenset[int]], list[Problem]] = {}
    for key in sorted(failing, key=lambda k: (k[0], PRIORITY.index(k[1]), k[2])):
        groups.setdefault((key[0], frozenset(failing[key])), []).append(example[key])
    found: list[Suspect] = []
    for (step, members), group in groups.items():
        neutral = [i for i, steps in enumerate(evidence.neutral) if step in steps]
        for explanation in minimal_causes(evidence.words, members, neutral):
            words = tuple(evidence.words[i] for i in explanation.covers)
            word = _best_witness(automaton, words)
            blame = _blame(contract, line, explanation.cause, word, len(evidence.words[0]), group[0].at)
            own = _problems_of(evidence, evidence.words.index(word), step, group)
            only_back = all(automaton.needs_rollback(w) for w in words[:200])
            found.append(Suspect(evidence.scenario, step, own, (explanation.cause,), word, words, blame, only_back))
    return combined(_merged(contract, found))


def combined(found: Sequence[Suspect]) -> list[Suspect]:
    """In the order of the failing calls, without those that only follow from an earlier one."""
    order = sorted(found, key=lambda s: (s.step, PRIORITY.index(s.check), len(s.patterns[0]), s.problems[0].kind))
    return _without_consequences(order)


def lost(words: Sequence[Word], step: int, side: Side, empty: frozenset[int]) -> frozenset[int]:
    """Which of the words (indices) in `empty` lost a value that a call on `side` wrote.

    `step` reads on `side`; `empty` are the words in which a place is left empty that this side alone always fills. That
    one writer on the other side leaves it empty is how a new field looks in the middle of a ramp: the first such writer
    explains all words in which it is on the other side. What is still empty then was written and lost again by a later
    call of the other side (read, change, write back without what it does not know)."""
    relevant = [i for i, word in enumerate(words) if word[step].side is side]
    if not empty or not empty < frozenset(relevant):
        return frozenset()
    explained = [frozenset(i for i in relevant if words[i][earlier].side is not side) for earlier in range(step)]
    writers = [group for group in explained if group and group <= empty]
    if len(writers) < 2 or frozenset().union(*writers) != empty:
        return frozenset()
    return empty - writers[0]


def _best_witness(automaton: Automaton, words: Sequence[Word]) -> Word:
    """The simplest failing word, without rollback where there is one."""
    return next((word for word in words[:200] if not automaton.needs_rollback(word)), words[0])


def _problems_of(evidence: Evidence, index: int, step: int, problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The group's problems as this word shows them, in order of priority."""
    kinds = [(problem.check, problem.kind) for problem in problems]
    own = [p for p in evidence.problems[index].get(step, ()) if (p.check, p.kind) in kinds]
    own.sort(key=lambda p: (PRIORITY.index(p.check), p.kind))
    return tuple(own) or tuple(problems)


def _blame(contract: Contract, line: Timeline, cause: Cause, word: Word, steps: int, at: int) -> Blame:
    """`at`: the point where the data left behind fails, -1 for a failure of a call itself."""

    def meets(side: Side, point: int) -> bool:
        return all(literal.holds((Placed(point, side),) * steps) for literal in cause)

    if meets(Side.STABLE, 0):
        return Blame.STABLE if at <= 0 else Blame.PHASE
    canary_points = points_of(contract, line, Side.CANARY)
    if canary_points and meets(Side.CANARY, canary_points[0]):
        return Blame.CANARY
    if any(meets(side, point) for side in Side for point in points_of(contract, line, side)):
        return Blame.PHASE
    sides = {word[literal.step].side for literal in cause}
    return Blame.PHASE if len(sides) == 1 else Blame.MIXED


def points_of(contract: Contract, line: Timeline, side: Side) -> list[int]:
    """The points at which a side serves calls, rollback included."""
    points = {
        line.point_of[stage]
        for stage in range(len(contract.stages))
        if any(side in sides for name, sides in live_sides(contract, stage).items() if contract.service(name).on_ramp)
    }
    if side is Side.STABLE:
        points |= {line.point_of[stage] for stage in rollback_stages(contract)}
    return sorted(points)


def _merged(contract: Contract, found: list[Suspect]) -> list[Suspect]:
    """Suspects that are the same fault met by several calls of one operation, as one."""
    kept: dict[str, Suspect] = {}
    for suspect in found:
        key = fingerprint(contract, suspect)
        if key in kept:
            first = kept[key]
            kept[key] = msgspec.structs.replace(
                first,
                patterns=(*first.patterns, *suspect.patterns),
                words=tuple(dict.fromkeys((*first.words, *suspect.words))),
            )
        else:
            kept[key] = suspect
    return list(kept.values())


def _without_consequences(found: list[Suspect]) -> list[Suspect]:
    kept: list[Suspect] = []
    for suspect in found:
        if not any(_follows(suspect, earlier) for earlier in kept):
            kept.append(suspect)
    return kept


def _follows(suspect: Suspect, earlier: Suspect) -> bool:
    """Is `suspect` what necessarily comes after `earlier` in the same routing?"""
    if earlier.blame is Blame.STABLE or earlier.step > suspect.step or not earlier.patterns[0]:
        return False
    implied = all(any(_implies(cause, other) for other in earlier.patterns) for cause in suspect.patterns)
    if not implied:
        return False
    same = all(any(set(cause) == set(other) for other in earlier.patterns) for cause in suspect.patterns)
    return same or earlier.check in (Check.STATUS, Check.MIGRATION) or earlier.step == suspect.step


def _implies(cause: Cause, other: Cause) -> bool:
    """Every condition of `other` is among those of `cause`, or weaker than one of them."""
    return all(
        any(
            mine.step == theirs.step
            and (theirs.side is None or mine.side is theirs.side)
            and (theirs.low is None or (mine.low is not None and mine.low >= theirs.low))
            and (theirs.high is None or (mine.high is not None and mine.high <= theirs.high))
            for mine in cause
        )
        for theirs in other
    )


# --- telling -------------------------------------------------------------------------------------------------------


def fingerprint(contract: Contract, suspect: Suspect) -> str:
    """Twelve hex digits: the same fault has the same id in every run and on every machine. Made from the check, the
    operation that fails, what differs, and the cause by operations and sides; not from ids, clocks or wording."""
    steps = contract.scenarios[suspect.scenario].steps
    failing = suspect.step if suspect.step < len(steps) else len(steps) - 1
    parts = [str(suspect.check), str(suspect.blame), steps[failing].operation, suspect.problems[0].kind]
    parts.append("rollback" if suspect.rollback_only else "")
    for literal in sorted(suspect.patterns[0]):
        placed = suspect.word[literal.step]
        side = str(placed.side) if literal.side is not None else "any"
        point = f"{literal.low}-{literal.high}" if literal.bounded else "any"
        where = "" if literal.step == suspect.step else steps[literal.step].operation
        parts.append(f"{where} {side} {point}")
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def rule_of(suspect: Suspect) -> str:
    """The catalogue entry: who is to blame and what looked, "rollback" where it needs one."""
    first = "rollback" if suspect.rollback_only and suspect.blame is Blame.MIXED else str(suspect.blame)
    return f"{first}-{suspect.check}"


def severity_of(suspect: Suspect) -> Severity:
    return Severity.INFO if suspect.blame is Blame.STABLE else Severity.ERROR


def cause_literals(contract: Contract, automaton: Automaton, suspect: Suspect) -> tuple[CauseLiteral, ...]:
    steps = contract.scenarios[suspect.scenario].steps
    path = automaton.stages(suspect.word)
    literals = []
    for literal in suspect.patterns[0]:
        stage, back = path[literal.step]
        name = contract.stages[stage].name
        literals.append(
            CauseLiteral(
                steps[literal.step].name,
                str(suspect.word[literal.step].side),
                f"rollback from {name}" if back else name,
                steps[literal.step].operation,
                not literal.bounded and not back,
                literal.side is None,
            )
        )
    return tuple(literals)


def chance_of(contract: Contract, line: Timeline, automaton: Automaton, suspect: Suspect) -> Chance:
    """The exact chance, given that the calls fall where the cause has them. See model.report.Chance."""
    steps = contract.scenarios[suspect.scenario].steps
    path = automaton.stages(suspect.word)
    back = {step for step, (_, rolled) in enumerate(path) if rolled}
    per_stage = {
        stage.name: round(_at_stage(contract, line, suspect, index, back), 6)
        for index, stage in enumerate(contract.stages)
    }
    patterns: list[dict[int, Side]] = []
    for cause in suspect.patterns:
        pattern: dict[int, Side] = {}
        for literal in cause:
            side = suspect.word[literal.step].side if literal.side is None else literal.side
            if literal.side is None or (literal.step in back and suspect.rollback_only):
                continue
            if _is_coin(contract, line, steps[literal.step].service, literal):
                pattern[literal.step] = side
        patterns.append(pattern)
    if contract.stickiness.kind != "none":
        top = max(per_stage.values(), default=0.0)
        where = max(per_stage, key=lambda name: per_stage[name], default="")
        at = contract.stages[contract.stage_index(where)].weight if where and top else 0.0
        return Chance((0.0,), "0 while a user stays on one side", top, at, per_stage)
    return chance(patterns, per_stage)


def _is_coin(contract: Contract, line: Timeline, service: str, literal: Literal) -> bool:
    """Does chance decide the side of a call of this service here (the canary has some weight at that point)?"""
    return any(
        contract.stages[stage].weights.get(service, 0.0) > 0
        for stage in range(len(contract.stages))
        if literal.allows(line.point_of[stage])
    )


def _at_stage(contract: Contract, line: Timeline, suspect: Suspect, stage: int, back: set[int]) -> float:
    steps = contract.scenarios[suspect.scenario].steps
    here = line.point_of[stage]
    if suspect.rollback_only and stage not in rollback_stages(contract):
        return 0.0
    if contract.stickiness.kind != "none":
        return _sticky_at_stage(contract, line, suspect, stage, back)
    patterns: list[dict[int, Side]] = []
    weights: dict[int, float] = {}
    for cause in suspect.patterns:
        pattern: dict[int, Side] = {}
        possible = any(literal.allows(here) for literal in cause) or not cause
        for literal in cause:
            at = _stage_for(line, literal, stage)
            if at is None:
                possible = False
                break
            if literal.side is None or (suspect.rollback_only and literal.step in back):
                continue
            pattern[literal.step] = literal.side
            weights[literal.step] = contract.stages[at].weights.get(steps[literal.step].service, 0.0)
        if possible:
            patterns.append(pattern)
    return probability(patterns, weights) if patterns else 0.0


def _sticky_at_stage(contract: Contract, line: Timeline, suspect: Suspect, stage: int, back: set[int]) -> float:
    """One coin per user: the user's place u in 0..1 is fixed and is on the canary where u < weight. The later conditions
    fall on this stage, those on the stable that come first on the stage before."""
    steps = contract.scenarios[suspect.scenario].steps
    best = 0.0
    for cause in suspect.patterns:
        low, high = 0.0, 1.0
        last_stable_before = [
            literal.step
            for literal in cause
            if literal.side is Side.STABLE and any(o.step > literal.step for o in cause)
        ]
        for literal in cause:
            if literal.side is None or literal.step in back:
                continue
            at = _stage_for(line, literal, stage)
            if at is None:
                return 0.0
            if literal.step in last_stable_before and at == stage and stage > 0:
                at = stage - 1
            weight = contract.stages[at].weights.get(steps[literal.step].service, 0.0)
            if literal.side is Side.CANARY:
                high = min(high, weight)
            else:
                low = max(low, weight)
        best = max(best, high - low)
    return max(0.0, best)


def _stage_for(line: Timeline, literal: Literal, stage: int) -> int | None:
    """At which stage a condition is met when the failure shows at `stage`: here, or at the last stage of its point."""
    here = line.point_of[stage]
    if literal.allows(here):
        return stage
    if literal.high is None or literal.high > here:
        return None
    return max(line.stages_at(literal.high), default=None)


def unsafe_rollbacks(contract: Contract, line: Timeline, automaton: Automaton, suspect: Suspect) -> tuple[int, ...]:
    """The stages from which going back to stable meets this failure: some failing word has its canary calls at or before
    the stage and the failing call is served by the stable at the stage's point."""
    if suspect.blame not in (Blame.MIXED, Blame.PHASE):
        return ()
    found = []
    failing = min(suspect.step, automaton.steps - 1)
    for stage in rollback_stages(contract):
        point = line.point_of[stage]
        for word in suspect.words[:2000]:
            relevant = word[: failing + 1]
            if relevant[-1] != Placed(point, Side.STABLE):
                continue
            if suspect.blame is Blame.MIXED and all(placed.side is Side.STABLE for placed in relevant):
                continue
            if all(placed.point <= point for placed in relevant):
                found.append(stage)
                break
    return tuple(found)


def advice(contract: Contract, line: Timeline, automaton: Automaton, suspect: Suspect) -> str:
    """One line on what to do, where it follows from the cause."""
    path = automaton.stages(suspect.word)
    points = sorted({suspect.word[literal.step].point for literal in suspect.patterns[0] if literal.bounded})
    service = contract.scenarios[suspect.scenario].steps[min(suspect.step, automaton.steps - 1)].service
    canary = contract.service(service).canary
    version = canary.version if canary else ""
    if suspect.blame is Blame.STABLE:
        return "an old fault of the stable: the rollout neither causes nor mends it"
    if suspect.blame is Blame.CANARY:
        return f"{version} fails on its own: do not start the ramp"
    unsafe = unsafe_rollbacks(contract, line, automaton, suspect)
    if suspect.rollback_only and unsafe:
        first = unsafe[0]
        earlier = [s for s in rollback_stages(contract) if s < first]
        until = contract.stages[earlier[-1]].name if earlier else "none"
        name = contract.stages[first].name
        return f"no rollback from `{name}` on: write `rollback: {{ until: {until} }}` or keep its data readable"
    if suspect.blame is Blame.PHASE and suspect.problems[0].at >= 0:
        broken = contract.stages[line.points[suspect.problems[0].at].stage]
        return f"migrate what is written before `{broken.name}` completely, or let `{broken.name}` come later"
    if suspect.blame is Blame.PHASE:
        stage = contract.stages[path[suspect.patterns[0][-1].step][0] if suspect.patterns[0] else 0]
        sides = {suspect.word[literal.step].side for literal in suspect.patterns[0]}
        if Side.STABLE in sides:
            return f"run the migration of `{stage.name}` only when no stable serves any more, or make it compatible with it"
        return f"the canary does not fit the data after `{stage.name}`: change that migration or the canary"
    if suspect.check is Check.MIGRATION:
        return "stop the writes that break the migration first: finish the stable, or backfill again right before it"
    if len(points) > 1 or (points and points[0] < suspect.word[suspect.patterns[0][-1].step].point):
        return "let the canary serve only after all rows from before are migrated (extend the backfill, or read both forms)"
    if contract.stickiness.kind == "none":
        return f"keep sessions sticky, or let {version} write and read what the stable does until it is gone"
    return f"let {version} write and read what the stable does until it is gone"


def message(contract: Contract, automaton: Automaton, suspect: Suspect) -> str:
    """One sentence: which call fails how, after what."""
    steps = contract.scenarios[suspect.scenario].steps
    path = automaton.stages(suspect.word)
    problem = suspect.problems[0]
    before = [literal for literal in suspect.patterns[0] if literal.step != suspect.step]
    parts = [
        f"`{steps[literal.step].name}` on {suspect.word[literal.step].side} at {_stage_words(contract, path[literal.step])}"
        for literal in before
    ]
    after = f", after {' and '.join(parts)}" if parts else ""
    if suspect.step >= len(steps):
        return f"the scenario {problem.message}{after}"
    call = steps[suspect.step]
    where = f" at {_stage_words(contract, path[suspect.step])}" if _needs_stage(suspect) else ""
    more = len({(p.check, p.kind) for p in suspect.problems}) - 1
    extra = f" (and {more} more)" if more > 0 else ""
    return (
        f"{call.operation} on {suspect.word[suspect.step].side}{where}{_joint(problem)}{problem.message}{extra}{after}"
    )


def _joint(problem: Problem) -> str:
    return ": " if problem.check is Check.SHAPE else " "


def _needs_stage(suspect: Suspect) -> bool:
    own = [literal for literal in suspect.patterns[0] if literal.step == suspect.step]
    return suspect.rollback_only or any(literal.bounded for literal in own)


def _stage_words(contract: Contract, place: tuple[int, bool]) -> str:
    stage, back = place
    name = contract.stages[stage].name
    return f"the rollback from {name}" if back else name


def differences(suspect: Suspect) -> tuple[Difference, ...]:
    found: dict[str, Difference] = {}
    for problem in suspect.problems:
        if problem.difference is not None:
            found.setdefault(problem.difference.path, problem.difference)
    return tuple(found.values())


def also(suspect: Suspect) -> tuple[str, ...]:
    """The other checks that failed at the same call."""
    others: Iterable[str] = (str(problem.check) for problem in suspect.problems if problem.check is not suspect.check)
    return tuple(dict.fromkeys(others))
