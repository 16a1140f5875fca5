"""Judging one call: contract, references and an answer give problems.

A *family* is a set of repeated pure runs (one side, one point). The first family is the stable at point 0: what worked
there must keep working. `Judge.call` looks at any call of any routing; `Judge.phase` compares a later pure family with the
one it must equal; `Judge.changed` lists what differs between the two pure runs themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crossfade.engine import shapes
from crossfade.engine.answers import WAIT_AND_RETRY, Answer, json_text
from crossfade.engine.sameness import (
    MISSING,
    Comparison,
    Noise,
    Reading,
    Reference,
    Unexplained,
    describe,
    emptied,
    losses,
    pattern_of,
    value_at,
)
from crossfade.model.api import ApiDescription
from crossfade.model.contract import Change, Contract, Scenario, Step
from crossfade.model.expression import Expression, evaluated
from crossfade.model.history import Placed
from crossfade.model.ramp import Side
from crossfade.model.report import Changed, Check, Difference

PRIORITY = (
    Check.MIGRATION,
    Check.STATUS,
    Check.RULE,
    Check.EXPECTATION,
    Check.SHAPE,
    Check.SAMENESS,
    Check.STATE,
    Check.RESTART,
)


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with one call. `kind` tells problems of a check apart (the status, the expression, the path
    pattern): routings that fail with the same (step, check, kind) fail in the same way."""

    step: int
    check: Check
    kind: str
    message: str
    difference: Difference | None = None
    at: int = -1  # for the state left behind: the point where it fails


class Family(msgspec.Struct, frozen=True):
    """Repeated pure runs of a scenario: all on `side` at `point`."""

    side: Side
    point: int
    readings: tuple[Reading, ...]

    def references(self, step: int) -> list[Reference]:
        return [
            Reference(str(self.side), seen, one.names[step])
            for one in self.readings
            if step < len(one.answers) and (seen := one.answers[step]) is not None and seen.status
        ]


class Judge:
    """Holds what is known about one scenario; replaced as a whole when more noise is learned."""

    def __init__(
        self,
        contract: Contract,
        scenario: Scenario,
        noise: Noise,
        families: Sequence[Family],
        descriptions: Mapping[tuple[str, Side], ApiDescription | None],
    ) -> None:
        self.contract = contract
        self.scenario = scenario
        self.noise = noise
        self.families = tuple(families)
        versions = [
            version
            for service in contract.services
            for instance in (service.stable, service.canary)
            if instance is not None and (version := instance.version)
        ]
        self._versions = versions
        self.comparison = Comparison(noise, versions)
        self._descriptions = descriptions
        self._changes = [_changes_for(contract.changes, step) for step in scenario.steps]
        self._references = [
            [reference for family in self.families for reference in family.references(step)]
            for step in range(len(scenario.steps))
        ]
        self._known_sides = [
            {family.side for family in self.families if family.references(step)} for step in range(len(scenario.steps))
        ]
        first = self.family(Side.STABLE, 0)
        self._baseline = [first.references(step) if first else [] for step in range(len(scenario.steps))]
        self._promises = [self._promise(step) for step in range(len(scenario.steps))]
        self._old_shape_problems = [self._own_problems(step) for step in range(len(scenario.steps))]

    @property
    def versions(self) -> list[str]:
        return self._versions

    def family(self, side: Side, point: int) -> Family | None:
        return next((f for f in self.families if f.side is side and f.point == point), None)

    def baseline_works(self, step: int) -> bool:
        return any(reference.answer.works for reference in self._baseline[step])

    # --- one call -------------------------------------------------------------------------------------------------

    def call(
        self,
        step: int,
        placed: Placed,
        seen: Answer,
        names: Mapping[str, frozenset[str]],
        saved: Mapping[str, Any],
        rules: Sequence[tuple[str, Sequence[Expression]]] = (),
    ) -> tuple[Problem, ...]:
        """All problems of one call; `saved` are the variables known before it, `rules` those in their window here."""
        if seen.status == WAIT_AND_RETRY:
            return ()
        problems = [*self._status(step, seen)]
        failed_hard = bool(problems)
        problems += self._expectations(step, seen, saved)
        problems += self._rules(step, seen, saved, rules)
        if not failed_hard:
            problems += self._shape(step, placed, seen)
            problems += self._sameness(step, placed, seen, names)
        return tuple(problems)

    def settled(
        self, step: int, placed: Placed, seen: Answer, names: Mapping[str, frozenset[str]], saved: Mapping[str, Any]
    ) -> bool:
        """Nothing is wrong with this answer yet: used to decide whether asking again may help."""
        return not self.call(step, placed, seen, names, saved)

    def _status(self, step: int, seen: Answer) -> Iterable[Problem]:
        if seen.broken:
            what = seen.failure if seen.status == 0 else str(seen.status) if seen.status >= 500 else "errors in a 200"
            kind = f"broken {what.split(' ')[0]}"
            yield Problem(step, Check.STATUS, kind, f"answers {what}", self._status_difference(step, seen))
        elif seen.refused and self.baseline_works(step):
            message = f"is refused with {seen.status}; the stable alone allows it"
            yield Problem(step, Check.STATUS, f"refused {seen.status}", message, self._status_difference(step, seen))

    def _status_difference(self, step: int, seen: Answer) -> Difference:
        return Difference(
            "status",
            json_text(seen.status or seen.failure),
            self._alone(step, Side.STABLE, "status"),
            self._alone(step, Side.CANARY, "status"),
        )

    def _expectations(self, step: int, seen: Answer, saved: Mapping[str, Any]) -> Iterable[Problem]:
        for expression in self.scenario.steps[step].expect:
            reason = failed_expression(expression, seen, saved)
            if reason is not None:
                yield Problem(step, Check.EXPECTATION, expression.source, f"breaks `{expression.source}`{reason}")

    def _rules(
        self, step: int, seen: Answer, saved: Mapping[str, Any], rules: Sequence[tuple[str, Sequence[Expression]]]
    ) -> Iterable[Problem]:
        if not seen.works:
            return
        for name, expressions in rules:
            for expression in expressions:
                reason = failed_expression(expression, seen, saved)
                if reason is not None:
                    message = f"breaks the rule `{name}`: `{expression.source}`{reason}"
                    yield Problem(step, Check.RULE, name, message)

    # --- shape ----------------------------------------------------------------------------------------------------

    def _promise(self, step: int) -> shapes.Shape | None:
        """What the stable's consumers have learned to rely on: the shape of the stable's own answers at point 0."""
        values: list[Any] = []
        for reference in self._baseline[step]:
            seen = reference.answer
            if seen.kind == "json" and seen.works and seen.body not in values:
                values.append(seen.body)
        return shapes.learned(values) if values else None

    def _own_problems(self, step: int) -> frozenset[tuple[str, str]]:
        """What the stable's own answers break in its own description already: old, not news."""
        found: list[shapes.ShapeProblem] = []
        for reference in self._baseline[step]:
            found.extend(self._shape_problems(step, Side.STABLE, reference.answer, frozenset()))
        return shapes.breaches(found)

    def _shape(self, step: int, placed: Placed, seen: Answer) -> Iterable[Problem]:
        if not seen.works or seen.kind == "binary":
            return
        reported: set[str] = set()
        for problem in self._shape_problems(step, placed.side, seen, self._old_shape_problems[step]):
            own_words = problem.reader == str(placed.side) and self._descriptions.get(
                (self.scenario.steps[step].service, placed.side)
            )
            if problem.pattern in reported or problem.weak or self._masked_above(step, problem.pattern):
                continue
            if not own_words and self._is_declared(step, problem.path):
                continue
            reported.add(problem.pattern)
            difference = self._difference(step, problem.path, value_at(seen, problem.path), problem.message)
            yield Problem(step, Check.SHAPE, problem.pattern, problem.message, difference)

    def _shape_problems(
        self, step: int, side: Side, seen: Answer, old: frozenset[tuple[str, str]]
    ) -> tuple[shapes.ShapeProblem, ...]:
        call = self.scenario.steps[step]
        if not self.contract.service(call.service).on_ramp and self._descriptions.get((call.service, side)) is None:
            return ()
        descriptions = {reader: self._descriptions.get((call.service, reader)) for reader in Side}
        promise = self._promises[step] if seen.kind == "json" else None
        if promise is not None and any(seen.body == reference.answer.body for reference in self._baseline[step]):
            promise = None  # what was learned from this very answer
        return shapes.both_ways(
            seen,
            side,
            call.method,
            _concrete(call),
            descriptions=descriptions,
            shapes={Side.STABLE: promise, Side.CANARY: None},
            old=old,
        )

    def _masked_above(self, step: int, pattern: str) -> bool:
        """Is the place, or something it lies in, noise?"""
        return any((step, prefix) in self.noise.masked for prefix in _prefixes(pattern))

    # --- sameness -------------------------------------------------------------------------------------------------

    def _sameness(
        self, step: int, placed: Placed, seen: Answer, names: Mapping[str, frozenset[str]]
    ) -> Iterable[Problem]:
        if placed.side not in self._known_sides[step]:
            return  # this side never got here alone: there is nothing to compare with
        references = self._references[step]
        for place in self.comparison.unexplained(seen, names, references, step):
            if self._is_declared(step, place.path):
                continue
            yield self._unexplained_problem(step, place)

    def losses(self, step: int, placed: Placed, seen: Answer) -> frozenset[str]:
        """Places this side alone always fills here and this answer leaves empty, though the other side alone does so
        too: fine when one writer's side explains it, see `findings.lost`."""
        if seen.kind != "json" or not seen.works or placed.side not in self._known_sides[step]:
            return frozenset()
        own = [r.answer.body for r in self._references[step] if r.label == str(placed.side) and r.answer.kind == "json"]
        found = losses(seen.body, own) if own else ()
        return frozenset(pattern_of(p) for p in found if not self._masked_above(step, pattern_of(p)))

    def loss_problem(self, step: int, pattern: str, seen: Answer | None) -> Problem:
        path = pattern.replace("[]", "[0]")
        value = value_at(seen, path) if seen is not None else MISSING
        difference = self._difference(step, path, value, "the value written earlier is lost")
        return Problem(step, Check.SAMENESS, f"lost {pattern}", f"has lost `{path}`", difference)

    def phase(self, later: Family, earlier: Family) -> tuple[Problem, ...]:
        """What a side answers otherwise at a later point than before, new fields apart."""
        problems: list[Problem] = []
        for step in range(len(self.scenario.steps)):
            references = earlier.references(step)
            if _stopped_working(later, references, step):
                break  # a failure of its own (status); what comes after follows from it
            found: dict[str, Problem] = {}
            for one in later.readings:
                seen = one.answers[step] if step < len(one.answers) else None
                if seen is None or seen.status in (0, WAIT_AND_RETRY) or seen.broken:
                    continue
                for place in self.comparison.unexplained(seen, one.names[step], references, step):
                    if not self._is_declared(step, place.path):
                        problem = self._unexplained_problem(step, place)
                        found.setdefault(problem.kind, problem)
            problems.extend(found.values())
        return tuple(problems)

    def hidden(self, canary: Family) -> tuple[Problem, ...]:
        """Lists that hold something on the stable alone and nothing on the canary alone: what is there is not found any
        more (a search over a column that was not filled, a filter that misses the old rows)."""
        found: list[Problem] = []
        for step in range(len(self.scenario.steps)):
            answers = [reference.answer for reference in canary.references(step)]
            found.extend(self._hidden(step, answers))
        return tuple(found)

    def hidden_in(self, step: int, side: Side, seen: Answer | None) -> tuple[Problem, ...]:
        """The same for one answer of the canary in a replay."""
        return self._hidden(step, [seen]) if side is Side.CANARY and seen is not None else ()

    def _hidden(self, step: int, answers: Sequence[Answer]) -> tuple[Problem, ...]:
        full = [r.answer.body for r in self._baseline[step] if r.answer.kind == "json" and r.answer.works]
        seen = [answer.body for answer in answers if answer.kind == "json" and answer.works]
        if not full or not seen:
            return ()
        found: list[Problem] = []
        for path in emptied(seen, full):
            pattern = pattern_of(path)
            if self._masked_above(step, pattern) or self._is_declared(step, path):
                continue
            difference = self._difference(step, path, [], "empty on the canary alone")
            message = f"gives nothing in `{path}` where the stable alone has something"
            found.append(Problem(step, Check.SAMENESS, f"emptied {pattern}", message, difference))
        return tuple(found)

    def changed(self) -> tuple[Changed, ...]:
        """Differences between the two pure runs themselves, one per place."""
        canary = next((family for family in self.families if family.side is Side.CANARY), None)
        if canary is None or not canary.readings:
            return ()
        found: dict[tuple[int, str], Changed] = {}
        for step, call in enumerate(self.scenario.steps):
            if not self._baseline[step]:
                continue
            for one in canary.readings[:1]:
                seen = one.answers[step] if step < len(one.answers) else None
                if seen is None:
                    continue
                for place in self.comparison.unexplained(seen, one.names[step], self._baseline[step], step):
                    declared = self._is_declared(step, place.path)
                    found.setdefault(
                        (step, place.pattern),
                        Changed(
                            self.scenario.name,
                            call.name,
                            call.operation,
                            place.path,
                            self._alone(step, Side.STABLE, place.path),
                            describe(place.seen),
                            declared,
                        ),
                    )
        return tuple(found.values())

    def _unexplained_problem(self, step: int, place: Unexplained) -> Problem:
        message = _sameness_message(place)
        difference = self._difference(step, place.path, place.seen, place.reason)
        return Problem(step, Check.SAMENESS, place.pattern, message, difference)

    def _difference(self, step: int, path: str, seen: Any, reason: str) -> Difference:
        return Difference(
            path, describe(seen), self._alone(step, Side.STABLE, path), self._alone(step, Side.CANARY, path), reason
        )

    def _alone(self, step: int, side: Side, path: str) -> str | None:
        """What this side alone gives at a path (its first pure run that has an answer there)."""
        for family in self.families:
            if family.side is side:
                for reference in family.references(step):
                    return describe(value_at(reference.answer, path))
        return None

    def alone(self, step: int, side: Side) -> Answer | None:
        return next(
            (reference.answer for f in self.families if f.side is side for reference in f.references(step)), None
        )

    def _is_declared(self, step: int, path: str) -> bool:
        return any(_covers(change.field, path) for change in self._changes[step])


def _stopped_working(later: Family, references: Sequence[Reference], step: int) -> bool:
    """Do all pure runs fail at a step that worked before?"""
    seen = [answer for one in later.readings if (answer := one.answers[step] if step < len(one.answers) else None)]
    worked = any(reference.answer.works for reference in references)
    return worked and not any(answer.works for answer in seen)


def failed_expression(expression: Expression, seen: Answer, saved: Mapping[str, Any]) -> str | None:
    """None where the expression holds; otherwise what to add to "breaks `...`"."""
    result = evaluated(expression, bindings(seen, saved))
    if result.holds:
        return None
    if result.error:
        return f" ({result.error})"
    return "" if result.value is False else f" (it is {json_text(result.value, 60)}, not true)"


def bindings(seen: Answer, saved: Mapping[str, Any]) -> dict[str, Any]:
    """What an expression sees of an answer."""
    return {
        "status": seen.status,
        "body": seen.body if seen.kind != "binary" else None,
        "headers": seen.received,
        "text": seen.body if seen.kind == "text" else "",
        "saved": dict(saved),
    }


def _sameness_message(place: Unexplained) -> str:
    if place.seen is MISSING:
        return f"leaves out `{place.path}`, which every run on one side alone has"
    if place.reason.startswith("no pure run"):
        return f"gives {json_text(place.seen, 60)} in `{place.path}`, which no run on one side alone gives"
    return f"differs in `{place.path}`: {place.reason}"


def _changes_for(changes: Sequence[Change], step: Step) -> list[Change]:
    return [change for change in changes if change.on.matches(step.operation)]


def _covers(field: str, path: str) -> bool:
    """Does a declared field cover a path? `body.items[].price` covers `body.items[0].price` and what lies below.

    >>> _covers("body.price", "body.price.amount"), _covers("body.price", "body.prices")
    (True, False)
    """
    wanted, pattern = pattern_of(field), pattern_of(path)
    if pattern == wanted or pattern.startswith((wanted + ".", wanted + "[")):
        return True
    plain = wanted.replace("[]", "")
    bare = pattern.replace("[]", "")
    return bare == plain or bare.startswith(plain + ".")


def _prefixes(pattern: str) -> list[str]:
    ends = [i for i, c in enumerate(pattern) if c in ".["] + [len(pattern)]
    return [pattern[:end] for end in ends] + [pattern[:end] + "[]" for end in ends]


def _concrete(step: Step) -> str:
    """The step's path with variables replaced by a plain segment, for matching against path templates."""
    operation = step.operation.split(" ", 1)[1]
    return "/".join("x" if "{" in part else part for part in operation.split("/"))
