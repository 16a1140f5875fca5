"""From a race that was found to its finding: the two lanes, the turns, what was lost, whose race it is."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from crossfade.engine.answers import Answer, json_text
from crossfade.engine.chance import chance, probability
from crossfade.engine.oracle import Oracle, Reference
from crossfade.engine.timeline import Timeline
from crossfade.model.contract import Contract, StepName
from crossfade.model.ramp import Side
from crossfade.model.report import (
    Blame,
    CauseLiteral,
    Chance,
    Check,
    Difference,
    Finding,
    RaceLane,
    RaceShown,
    RaceTurn,
    SerialOutcome,
    Severity,
)
from crossfade.session.arena import Trial
from crossfade.session.races import ATTEMPTS, RaceProblem, Tried, racing_stages
from crossfade.world.turns import Turn

STATE_LINES = 12
_PLACE = re.compile(r"\$(\d+)|(?<![%\w])%s|\?(?![?|&])")
_READ = re.compile(r"read (\d+)")
_ROW = re.compile(r"\S+ (?:public\.)?(\S+) .*?(?: ?)(\.[^=]+)\Z", re.DOTALL)  # db public.accounts id=7 .balance
_WHOLE_ROW = re.compile(r"\S+ (?:public\.)?(\S+) \w+=.*", re.DOTALL)  # db public.accounts id=7
_WORDS = {
    "lost": "something is lost",
    "deadlock": "they wait for each other: a deadlock",
    "refused": "one of them fails",
    "stuck": "one of them never comes to an end",
}


def race_finding(contract: Contract, line: Timeline, problem: RaceProblem) -> Finding:
    pair, tried, failure = problem.pair, problem.tried, problem.failure
    steps = [contract.step(name) for name in pair.calls]
    operations = [_operation(contract, name) for name in pair.calls]
    sides = [_side(contract, name, side) for name, side in zip(pair.calls, tried.sides, strict=True)]
    stage = contract.stages[racing_stages(contract, line, problem.point)[0]]
    failing = [other for other in problem.others if other.failing is not None]
    kind = failure.judgement.kind
    identity = _identity(problem, operations, kind)
    scenario = next((name.scenario for name in pair.calls if name.scenario), "")
    service = next((step.service for step in steps if step is not None), "")
    return Finding(
        id=identity,
        rule=f"{problem.blame}-race",
        check=Check.RACE,
        blame=problem.blame,
        severity=Severity.INFO if problem.blame is Blame.STABLE else Severity.ERROR,
        scenario=scenario,
        operation=operations[0],
        message=_message(contract, operations, sides, problem),
        cause=tuple(
            CauseLiteral(name.step, side, stage.name, operation, any_side=not side)
            for name, side, operation in zip(pair.calls, sides, operations, strict=True)
        ),
        chance=_chance(contract, line, problem, failing),
        witness=None,
        differences=_differences(contract, problem),
        scenarios=tuple(dict.fromkeys(name.scenario for name in pair.calls if name.scenario)),
        service=service,
        advice=_advice(contract, problem, operations),
        replay=f"crossfade replay {identity}",
        race=_shown(contract, problem, operations, sides),
        seen_after_calls=problem.found_after,
    )


def _identity(problem: RaceProblem, operations: Sequence[str], kind: str) -> str:
    sides = " ".join(sorted(str(side) for side in problem.tried.sides))
    parts = ("race", str(problem.blame), sides, "corrupts" if kind == "lost" else "refuses", *sorted(operations))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def _operation(contract: Contract, name: StepName) -> str:
    step = contract.step(name)
    return step.operation if step is not None else f"migration {name.step}"


def _side(contract: Contract, name: StepName, side: Side) -> str:
    """ "" for a migration."""
    step = contract.step(name)
    if step is None:
        return ""
    return str(side if contract.service(step.service).on_ramp else Side.STABLE)


def _message(contract: Contract, operations: Sequence[str], sides: Sequence[str], problem: RaceProblem) -> str:
    judgement = problem.failure.judgement
    calls = [
        f"{operation} on {side}" if side else f"the {operation}"
        for operation, side in zip(operations, sides, strict=True)
    ]
    if calls[0] == calls[1]:
        start = f"two {calls[0]} at the same time"
    else:
        start = f"{calls[0]} and {calls[1]} at the same time"
    what = _WORDS.get(judgement.kind, judgement.kind)
    detail = ""
    differences = _differences(contract, problem)
    if judgement.kind == "lost" and differences:
        detail = f" ({_detail(differences[0])})"
    elif judgement.kind in ("refused", "deadlock"):
        answers = problem.failure.trial.outcome.answers
        bad = [
            f"{operations[number]} answers {_status(answer)}"
            for number, answer in enumerate(answers)
            if answer is not None and not answer.works
        ]
        detail = f" ({'; '.join(bad)})" if bad else ""
    return f"{start}: {what}{detail}"


def _differences(contract: Contract, problem: RaceProblem) -> tuple[Difference, ...]:
    """What is left behind first, then what is read afterwards, then the answers of the two; reads by their names."""
    reads = [
        f"{name.step} on {side} afterwards:"
        for name in problem.pair.reads
        for side in dict.fromkeys(_side(contract, name, side) for side in problem.tried.sides)
    ]
    found: list[tuple[int, Difference]] = []
    for difference in problem.failure.judgement.differences:
        read = _READ.match(difference.path)
        if read and int(read[1]) < len(reads):
            path = _READ.sub(lambda match: reads[int(match[1])], difference.path)
            found.append((1, msgspec.structs.replace(difference, path=path)))
        else:
            found.append((2 if difference.path.startswith("answer of") else 0, difference))
    return tuple(difference for _, difference in sorted(found, key=lambda item: item[0]))


def _detail(first: Difference) -> str:
    """The first difference without the ids of this run, so that a race is told in the same words each time.

    >>> _detail(Difference("db public.accounts id=7 .balance", "80", reason="50 in either order"))
    '`accounts.balance` is 80; 50 in either order'
    >>> _detail(Difference("db public.payments id=pay_9a", "{...}", reason="nothing in either order"))
    'a row of `payments` is too many'
    >>> _detail(Difference("look on stable afterwards: body.stock", "7", reason="4 in either order"))
    'look on stable afterwards: body.stock is 7; 4 in either order'
    """
    path, seen = first.path, "missing" if first.seen is None else first.seen
    if not (path.startswith("answer of ") or " afterwards: " in path):
        if row := _ROW.match(path):
            path = f"`{row[1]}{row[2]}`"
        elif row := _WHOLE_ROW.match(path):
            return f"a row of `{row[1]}` is {'missing' if first.seen is None else 'too many'}"
    return f"{path} is {seen}; {first.reason}"


def _status(answer: Answer) -> str:
    return str(answer.status) if answer.status else f"nothing ({answer.failure})"


def _chance(contract: Contract, line: Timeline, problem: RaceProblem, failing: Sequence[Tried]) -> Chance:
    """How likely two such calls, given that they fall together, fall on these sides."""
    mixed = [t.sides for t in failing if t.sides[0] is not t.sides[1]]
    names = problem.pair.calls
    if problem.blame is not Blame.MIXED or not mixed:
        side = problem.tried.sides[0]
        patterns = [{0: side, 1: side}]
    else:
        if names[0] == names[1]:
            mixed = [(Side.STABLE, Side.CANARY), (Side.CANARY, Side.STABLE)]
        patterns = [{0: one, 1: other} for one, other in mixed]
    calls = [contract.step(name) for name in names]
    if any(step is None for step in calls):
        patterns = [{0: problem.tried.sides[0 if calls[0] is not None else 1]}]
    here = set(racing_stages(contract, line, problem.point))
    per_stage = {}
    for index, stage in enumerate(contract.stages):
        weights = {n: stage.weights.get(step.service, 0.0) if step else 0.0 for n, step in enumerate(calls)}
        per_stage[stage.name] = round(probability(patterns, weights), 6) if index in here else 0.0
    return chance(patterns, per_stage)


def _advice(contract: Contract, problem: RaceProblem, operations: Sequence[str]) -> str:
    service = next((s for s in contract.services if s.on_ramp), contract.services[0])
    canary = service.canary.version if service.canary else ""
    kind = problem.failure.judgement.kind
    if problem.blame is Blame.STABLE:
        return "an old race of the stable: the rollout neither causes nor mends it"
    if problem.blame is Blame.CANARY:
        return f"{canary} races with itself: its own two instances do this to each other"
    if "migration" in operations[0] + operations[1]:
        return "let the migration change each row in one statement, or lock the rows it has read before it writes them"
    if kind == "deadlock":
        return "take the locks in the same order in both versions until the ramp is over"
    if kind == "refused":
        return "let both versions take this error as what it is (a conflict), or follow the same discipline"
    return (
        "until the ramp is over both versions need one discipline: lock the same row (or the same key), and keep what the "
        "other relies on (bump its version column, drop its cache entry)"
    )


# --- what is shown ---------------------------------------------------------------------------------------------------


def _shown(contract: Contract, problem: RaceProblem, operations: Sequence[str], sides: Sequence[str]) -> RaceShown:
    tried, failure = problem.tried, problem.failure
    trial, oracle = failure.trial, tried.oracle
    assert oracle is not None
    granted = trial.granted
    lanes = []
    for number, name in enumerate(problem.pair.calls):
        step = contract.step(name)
        version = contract.service(step.service).instance(tried.sides[number]).version or "" if step else ""
        title = f"{name.step} on {sides[number]} {version}".strip() if step else f"migration {name.step}"
        answer = trial.outcome.answers[number]
        lanes.append(
            RaceLane(
                title, name.step, operations[number], sides[number], version, trial.requests[number], _text(answer)
            )
        )
    explorer = bool(failure.decisions)
    return RaceShown(
        method="explorer" if explorer else "stampede",
        kind=failure.judgement.kind,
        lanes=tuple(lanes),
        turns=tuple(_turn(number, one) for number, one in enumerate(granted, 1)),
        state=oracle.state_texts(trial.outcome)[:STATE_LINES],
        serial=tuple(
            SerialOutcome(
                reference.order,
                tuple(_text(a) for a in reference.outcome.answers),
                oracle.state_texts(reference.outcome, trial.outcome)[:STATE_LINES],
            )
            for reference in _serial(tried)
        ),
        setup=trial.setup,
        schedule=failure.decisions,
        preemptions=_preemptions(granted),
        found_at=failure.number,
        schedules=tried.schedules,
        bound=tried.coverage.bound if tried.coverage else -1,
        trials=tried.trials,
        failures=tried.stampeded,
        replays=tried.replays,
        attempts=ATTEMPTS,
        pure={
            str(other.sides[0]): _pure_text(other)
            for other in problem.others
            if other.sides[0] is other.sides[1] and other is not tried
        },
        machine={
            "point": problem.point,
            "pair": msgspec.to_builtins(problem.pair),
            "sides": [str(side) for side in tried.sides],
            "decisions": list(failure.decisions),
            "kind": failure.judgement.kind,
        },
    )


def race_again(race: RaceShown, trial: Trial, oracle: Oracle) -> RaceShown:
    """The race as it was seen in another run of the same schedule."""
    return msgspec.structs.replace(
        race,
        lanes=tuple(
            msgspec.structs.replace(lane, answer=_text(answer), request=request)
            for lane, answer, request in zip(race.lanes, trial.outcome.answers, trial.requests, strict=True)
        ),
        turns=tuple(_turn(number, one) for number, one in enumerate(trial.granted, 1)),
        state=oracle.state_texts(trial.outcome)[:STATE_LINES],
        setup=trial.setup,
    )


def _serial(tried: Tried) -> list[Reference]:
    found: dict[tuple[int, ...], Reference] = {}
    for reference in tried.references:
        if len(reference.order) == len(reference.outcome.answers):
            found.setdefault(reference.order, reference)
    return list(found.values())


def _preemptions(granted: Sequence[Any]) -> int:
    return sum(before.actor != one.actor and before.actor in one.ready for before, one in itertools.pairwise(granted))


def _pure_text(tried: Tried) -> str:
    if tried.skipped:
        return f"not tried: {tried.skipped}"
    ran = f"{tried.schedules} schedule{'s' if tried.schedules != 1 else ''}"
    if tried.trials:
        ran += f" and {tried.trials} stampedes"
    if tried.failing is not None:
        return f"fails too ({tried.failing.judgement.kind}), in {ran}"
    return f"clean: {ran}, all serial"


def _turn(number: int, granted: Any) -> RaceTurn:
    turn: Turn = granted.turn
    waited = granted.waited_for
    return RaceTurn(
        number,
        granted.actor,
        turn.store,
        _with_values(turn.text, turn.values),
        turn.result,
        turn.error,
        waited,
        granted.after if waited >= 0 else -1,
    )


def _with_values(text: str, values: Sequence[str]) -> str:
    """A statement with its values in place; a command with its further arguments behind it."""
    if not values:
        return text
    order = iter(values)

    def put(match: re.Match[str]) -> str:
        if match.group(1):
            index = int(match.group(1)) - 1
            return values[index] if index < len(values) else match.group()
        return next(order, match.group())

    if _PLACE.search(text):
        return _PLACE.sub(put, text)
    return f"{text} {' '.join(values)}"


def _text(answer: Answer | None) -> str:
    if answer is None:
        return ""
    if not answer.status:
        return answer.failure
    return f"{answer.status} {_body(answer)}".strip()[:400]


def _body(answer: Answer) -> str:
    if answer.body is None or isinstance(answer.body, str):
        return answer.body or ""
    return f"<{len(answer.body)} bytes>" if isinstance(answer.body, bytes) else json_text(answer.body)
