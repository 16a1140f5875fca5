"""Making the calls of a scenario: requests filled with what earlier steps saved, answers judged, late answers asked for
again, limits waited out. One `Conversation` is one pass of a scenario."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from crossfade.engine.answers import WAIT_AND_RETRY, Answer, answer
from crossfade.engine.judge import Judge, Problem, bindings
from crossfade.engine.sameness import Comparison, Noise, Reading, Reference, learn_names, name_variables, reading
from crossfade.model import template
from crossfade.model.contract import Scenario, Step
from crossfade.model.expression import Expression, evaluated
from crossfade.model.history import Exchange, Placed, Request, Response, Run
from crossfade.model.report import Check
from crossfade.session.environment import Environment

LATE = 3.0  # seconds in which a wrong answer to a reading call may still become right
LATE_WHILE_SEARCHING = 1.0  # the same while searching, unless the call is known to be late: a replay waits longer
LATE_AGAIN = 0.3  # the same where this call has been waited for in vain before
LIMITED = 15.0  # seconds one call waits for a rate limit to pass
UNIQUE = "unique"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_YET = ("pending", "queued", "processing", "in progress", "in_progress", "accepted", "scheduled")


class Made(msgspec.Struct, frozen=True):
    """One call as made and judged. `saved` is what it saved; `limited`: a rate limit did not pass in time."""

    exchange: Exchange
    answer: Answer | None
    saved: dict[str, Any]
    problems: tuple[Problem, ...]
    limited: bool = False
    losses: frozenset[str] = frozenset()

    @property
    def blocked(self) -> bool:
        return self.exchange.request is None

    @property
    def neutral(self) -> bool:
        return self.blocked or self.limited


class Patience:
    """Which failures were waited for in vain, and which calls are known to be late. `seconds` is how long a wrong answer
    may still become right; `only`: the one step that is waited for at all (None: every step)."""

    def __init__(self, seconds: float = LATE, only: int | None = None) -> None:
        self.seconds = seconds
        self.least = 0.3  # seconds an answer is observed at least
        self.only = only
        self.hopeless: set[tuple[int, str, frozenset[tuple[str, str]]]] = set()
        self.waited: set[tuple[int, str]] = set()
        self.settling: dict[int, set[str]] = {}  # step -> places that changed once and then stayed
        self.slowest: dict[int, float] = {}  # step -> seconds after which a late answer was right
        self.late: frozenset[int] = frozenset()
        self.limited = 0
        self.once = False  # asking the same question again uses up a quota: then nothing is asked twice

    def hurried(self, seconds: float, only: int | None = None) -> Patience:
        """What is known of lateness, without what was waited for in vain."""
        other = Patience(seconds, only)
        other.late, other.slowest, other.once = self.late, self.slowest, self.once
        return other

    def wait(self, step: int, side: str) -> float:
        """Seconds a wrong answer may still become right."""
        if step in self.late:
            return min(LATE, max(0.6, 3 * self.slowest.get(step, LATE)))
        return self.seconds if (step, side) not in self.waited else min(LATE_AGAIN, self.seconds)

    def learn(self, noise: Noise) -> None:
        """A place that differs between identical runs anyway changes by chance: it tells nothing about lateness."""
        chance = noise.masked | noise.varying
        self.late = frozenset(
            step for step, places in self.settling.items() if any((step, place) not in chance for place in places)
        )


class Conversation:
    """One pass of a scenario in an environment. `replica_of` says which instance of a side serves a placed call."""

    def __init__(
        self,
        environment: Environment,
        scenario: Scenario,
        number: int,
        judge: Judge | None,
        patience: Patience,
        noise: Noise | None = None,
        saved: Mapping[str, Any] | None = None,
        names: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        self._environment = environment
        self._scenario = scenario
        self._number = number
        self._judge = judge
        self._patience = patience
        self._noise = noise if noise is not None else judge.noise if judge else Noise()
        self.saved: dict[str, Any] = dict(saved) if saved is not None else {UNIQUE: "u" + secrets.token_hex(5)}
        self.initial = dict(self.saved)
        self.names: dict[str, frozenset[str]] = dict(names) if names is not None else {}
        if names is None:
            name_variables(self.names, self.saved, Noise(saved=self._noise.saved | {UNIQUE}))
        self.made: list[Made] = []
        self._repeated = False  # was a question asked again here?

    async def call(
        self,
        step: int,
        placed: Placed,
        *,
        replica: int = 0,
        rules: Sequence[tuple[str, Sequence[Expression]]] = (),
        judged: bool = True,
        observe: bool = False,
    ) -> Made:
        """Makes one call; `judged` off: nothing is compared; `observe`: a reading call is asked until it stays the same."""
        spec = self._scenario.steps[step]
        try:
            request = build_request(spec, self.saved)
        except KeyError:
            made = Made(Exchange(step, placed, None, ended=time.time()), None, {}, ())
            self.made.append(made)
            return made
        exchange, seen = await self._asked(spec, step, placed, request, replica)
        watched = (observe or (not judged and step in self._patience.settling)) and not self._patience.once
        if watched and spec.method in SAFE_METHODS:
            exchange, seen = await self._observed(spec, step, placed, request, replica, exchange, seen)
        saved, unsaved = save_values(spec, seen, self.saved)
        problems: tuple[Problem, ...] = ()
        if self._judge is not None and judged:
            problems = self._judge.call(step, placed, seen, self.names, self.saved, rules)
            if (problems or unsaved) and spec.method in SAFE_METHODS and seen.status != WAIT_AND_RETRY:
                exchange, seen, problems = await self._asked_again(
                    spec, step, placed, request, replica, rules, exchange, seen, problems
                )
                saved, unsaved = save_values(spec, seen, self.saved)
        if judged and unsaved and not any(p.check is Check.STATUS for p in problems):
            problems = (*problems, *(_unsaved(step, name, reason) for name, reason in unsaved))
        learn_names(self.names, step, seen, saved, self._noise)
        self.saved.update(saved)
        losses = self._judge.losses(step, placed, seen) if self._judge is not None and judged else frozenset()
        made = Made(exchange, seen, saved, problems, seen.status == WAIT_AND_RETRY, losses)
        self.made.append(made)
        return made

    async def _asked(
        self, spec: Step, step: int, placed: Placed, request: Request, replica: int
    ) -> tuple[Exchange, Answer]:
        """Sends, and waits out a rate limit: a 429, or a 503 that says when to come back, was not served."""
        began = time.monotonic()
        asked = 0
        while True:
            asked += 1
            result = await self._environment.send(spec.service, placed.side, request, spec.timeout, replica)
            now = time.monotonic()
            if isinstance(result, Response):
                exchange = Exchange(
                    step, placed, request, response=result, asked=asked, ended=time.time(), seconds=now - began
                )
                pause = pause_asked(result, asked)
                if pause is not None and pause > 2.0 and self._repeated:
                    self._patience.once = True  # our own questions used the quota up: no use waiting, or asking again
                elif pause is not None and now - began + pause <= LIMITED:
                    self._patience.limited += 1
                    await asyncio.sleep(pause)
                    continue
            else:
                exchange = Exchange(
                    step, placed, request, failure=result, asked=asked, ended=time.time(), seconds=now - began
                )
            seen = answer(exchange)
            assert seen is not None
            return exchange, seen

    async def _asked_again(
        self,
        spec: Step,
        step: int,
        placed: Placed,
        request: Request,
        replica: int,
        rules: Sequence[tuple[str, Sequence[Expression]]],
        exchange: Exchange,
        seen: Answer,
        problems: tuple[Problem, ...],
    ) -> tuple[Exchange, Answer, tuple[Problem, ...]]:
        """A difference may only be late: the same question again for a few seconds, once for every way to fail."""
        assert self._judge is not None
        patience = self._patience
        if patience.only not in (None, step) or patience.once:
            return exchange, seen, problems
        place = (step, placed.side.letter)
        began = time.monotonic()
        until = began + patience.wait(*place)
        pause, same = 0.02, 0
        while True:
            kinds = frozenset((str(p.check), p.kind) for p in problems)
            key = (step, placed.side.letter, kinds)
            if key in patience.hopeless and step not in patience.late:
                return exchange, seen, problems
            if time.monotonic() + pause > until or seen.status == 0:
                patience.hopeless.add(key)
                patience.waited.add(place)
                return exchange, seen, problems
            await asyncio.sleep(pause)
            self._repeated = True
            pause = min(pause * 1.6, 0.5)
            asked = exchange.asked + 1
            exchange, seen = await self._asked(spec, step, placed, request, replica)
            exchange = msgspec.structs.replace(exchange, asked=asked)
            problems = self._judge.call(step, placed, seen, self.names, self.saved, rules)
            _, unsaved = save_values(spec, seen, self.saved)
            if not problems and not unsaved:
                if same >= 2:  # it was wrong in the same way for a while: late, not a field that varies by chance
                    patience.settling.setdefault(step, set()).update(kind for _, kind in kinds)
                    patience.slowest[step] = max(patience.slowest.get(step, 0.0), time.monotonic() - began)
                return exchange, seen, problems
            same = same + 1 if frozenset((str(p.check), p.kind) for p in problems) == kinds else 0

    async def _observed(
        self, spec: Step, step: int, placed: Placed, request: Request, replica: int, exchange: Exchange, seen: Answer
    ) -> tuple[Exchange, Answer]:
        """Asks until the answer stays the same but for what differs each time anyway: the settled answer."""
        began = time.monotonic()
        patient = any(made.answer is not None and made.answer.status == 202 for made in self.made) or _says_not_yet(
            seen
        )
        least = max(2.0 if patient else 0.3, self._patience.least)
        comparison = Comparison(self._noise)
        changes: list[frozenset[str]] = []
        changed_at = 0.0
        while time.monotonic() - began < 5.0:
            await asyncio.sleep(0.1)
            self._repeated = True
            newer, answered = await self._asked(spec, step, placed, request, replica)
            reference = Reference("pure", seen, self.names)
            if self._patience.once:
                break
            places = comparison.unexplained(answered, self.names, [reference], step)
            changes.append(frozenset(place.pattern for place in places))
            if places:
                changed_at = time.monotonic() - began
            exchange, seen = newer, answered
            quiet = len(changes) >= 2 and changes[-1] == changes[-2]
            if quiet and time.monotonic() - began >= least and not (patient and _says_not_yet(seen)):
                break
            if len(changes) >= 6 and not patient and not quiet:
                break  # something differs every now and then: noise, which repeated runs will show
        for place in frozenset().union(*changes):
            differed = [place in change for change in changes]
            if differed.count(True) == 1 and not any(differed[-2:]):
                self._patience.settling.setdefault(step, set()).add(place)
                self._patience.slowest[step] = max(self._patience.slowest.get(step, 0.0), changed_at)
        return exchange, seen

    # --- what came of it -------------------------------------------------------------------------------------------

    def run(self, word: Sequence[Placed]) -> Run:
        return Run(self._number, tuple(word), tuple(made.exchange for made in self.made), dict(self.saved))

    def answers(self) -> list[Answer | None]:
        return [made.answer for made in self.made]

    def saved_by(self) -> list[dict[str, Any]]:
        """Per step what it saved, and at the end what was known before the first."""
        return [*(made.saved for made in self.made), self.initial]


class PureRun(msgspec.Struct, frozen=True):
    """What is kept of a pure run: enough to read it again when more noise is known."""

    answers: tuple[Answer | None, ...]
    saved_by: tuple[dict[str, Any], ...]

    def reading(self, noise: Noise) -> Reading:
        return reading(self.answers, self.saved_by, msgspec.structs.replace(noise, saved=noise.saved | {UNIQUE}))


def build_request(step: Step, saved: Mapping[str, Any]) -> Request:
    """Raises KeyError when a variable was never saved."""
    target = _target(step.path, saved)
    headers = [(name, template.filled(value, saved)) for name, value in step.headers.items()]
    given = {name.lower() for name, _ in headers}
    body = b""
    if step.has_json:
        body = msgspec.json.encode(template.filled_value(step.json, saved))
        if "content-type" not in given:
            headers.append(("Content-Type", "application/json"))
    elif step.form is not None:
        body = urlencode({name: template.filled(value, saved) for name, value in step.form.items()}).encode()
        if "content-type" not in given:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    elif step.body is not None:
        body = template.filled(step.body, saved).encode()
    return Request(step.method, target, tuple(headers), body)


def _target(path: str, saved: Mapping[str, Any]) -> str:
    """The path with variables quoted; a variable that is a whole URL or path (a Location) is used as it is."""
    if path.startswith("${"):
        text = template.filled(path, saved)
        if "://" in text:
            parts = urlsplit(text)
            text = parts.path + (f"?{parts.query}" if parts.query else "")
        return text if text.startswith("/") else "/" + text
    safe = {name: quote(template.as_text(value), safe="/~@:!$'()*,;=-._%") for name, value in saved.items()}
    return template.filled(path, safe) if "${" in path else path


def save_values(step: Step, seen: Answer, saved: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """(variables, [(name, why it could not be saved)])."""
    found: dict[str, Any] = {}
    missing: list[tuple[str, str]] = []
    if step.save and seen.status:
        values = bindings(seen, saved)
        for name, expression in step.save.items():
            result = evaluated(expression, values)
            if result.error or result.value is None:
                missing.append((name, result.error or "it is null"))
            else:
                found[name] = result.value
    return found, missing


def _unsaved(step: int, name: str, reason: str) -> Problem:
    return Problem(step, Check.EXPECTATION, f"save {name}", f"gives nothing to save as `{name}`: {reason}")


def pause_asked(response: Response, asked: int) -> float | None:
    """Seconds to wait where the answer says that the call was not served but may be repeated."""
    after = response.header("retry-after")
    if response.status != WAIT_AND_RETRY and not (response.status == 503 and after is not None):
        return None
    try:
        named = float(after) if after is not None else 0.0
    except ValueError:
        named = 0.0
    return float(min(max(named, 0.05 * 2**asked), 10.0))


def _says_not_yet(seen: Answer) -> bool:
    if seen.kind != "json":
        return False
    values: list[Any] = [seen.body]
    if isinstance(seen.body, dict):
        values = list(seen.body.values())
    return any(isinstance(value, str) and value.lower() in _NOT_YET for value in values)
