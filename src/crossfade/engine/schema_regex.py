"""Which strings do several patterns accept together? Regular languages, for the patterns of JSON Schema.

Patterns are ECMA-262 (with the `u` flag), searched anywhere in the string. The regular part of them (literals, classes,
groups, alternatives, repetitions, `^` and `$`) is read into an automaton without determinism; the question "is there a
string all of these match and none of those" walks the product of their subset constructions, breadth first, so the
first string found is a shortest one. Backreferences, lookarounds, word boundaries and Unicode properties are refused.
"""

from __future__ import annotations

import bisect
import enum
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from crossfade.engine.schema_regex_syntax import LAST, Irregular, Ranges, Term, parsed

STATES = 2_000  # of one automaton
STEPS = 20_000  # product states walked before giving up
LONGEST_COUNTED = 300  # lengths up to this are counted exactly


class Language(enum.StrEnum):
    EMPTY = "empty"
    INHABITED = "inhabited"
    UNKNOWN = "unknown"


def language(
    matched: Sequence[str], refused: Sequence[str] = (), shortest: int = 0, longest: int | None = None
) -> Language:
    """Is there a string of that length that every pattern of `matched` and none of `refused` matches?

    What `.` does not match differs between engines (ECMA-262: four line ends, others: one), so with a dot in them EMPTY
    must be true both ways.

    >>> language(["^ab"], ["^a"]), language(["^a"], ["^ab"])
    (<Language.EMPTY: 'empty'>, <Language.INHABITED: 'inhabited'>)
    """
    answers = {
        _language(tuple(sorted(set(matched))), tuple(sorted(set(refused))), shortest, longest, strict)
        for strict in ((False, True) if any("." in pattern for pattern in (*matched, *refused)) else (False,))
    }
    if len(answers) == 1:
        return answers.pop()
    return Language.UNKNOWN


@lru_cache(maxsize=8192)
def _language(
    matched: tuple[str, ...], refused: tuple[str, ...], shortest: int, longest: int | None, strict: bool
) -> Language:
    """Patterns that are not regular say nothing, which makes the language larger: EMPTY stays true, INHABITED not."""
    if set(matched) & set(refused):
        return Language.EMPTY
    positive, negative, all_read = _read(matched, refused, strict)
    counted = longest is not None and longest <= LONGEST_COUNTED
    try:
        low = shortest if shortest <= LONGEST_COUNTED else 0
        found = next(_walk(positive, negative, low, longest if counted else None), None)
    except _TooLarge:
        return Language.UNKNOWN
    if found is None:
        return Language.EMPTY
    exact = all_read and low == shortest and (longest is None or counted or len(found) <= longest)
    return Language.INHABITED if exact else Language.UNKNOWN


def strings(
    matched: Sequence[str], refused: Sequence[str] = (), shortest: int = 0, longest: int | None = None, most: int = 4
) -> tuple[str, ...]:
    """Some strings of the language, shortest first: candidates only, where a pattern is not regular.

    >>> strings(["^[xy]{2}$"], ["^x"], most=2)
    ('yx', 'yy')
    """
    return _strings(tuple(sorted(set(matched))), tuple(sorted(set(refused))), shortest, longest, most)


@lru_cache(maxsize=8192)
def _strings(
    matched: tuple[str, ...], refused: tuple[str, ...], shortest: int, longest: int | None, most: int
) -> tuple[str, ...]:
    positive, negative, _ = _read(matched, refused, True)
    low = min(shortest, LONGEST_COUNTED)
    found: list[str] = []
    try:
        for text in _walk(positive, negative, low, _counted(longest), most):
            found.append(text)
            if len(found) == most:
                break
    except _TooLarge:
        pass
    return tuple(found)


def _counted(longest: int | None) -> int | None:
    return longest if longest is not None and longest <= LONGEST_COUNTED else None


@lru_cache(maxsize=8192)
def matches(pattern: str, text: str) -> bool | None:
    """Whether `pattern` is found in `text`; None where it is not regular, or where it depends on what `.` is."""
    answers = set()
    for strict in (False, True):
        machine = _machine(pattern, strict)
        if machine is None:
            return None
        state = machine.start
        for letter in text:
            state = machine.after(state, ord(letter))
        answers.add(machine.accepts(state))
    return answers.pop() if len(answers) == 1 else None


def is_regular(pattern: str) -> bool:
    return _machine(pattern, False) is not None


# -- automata -----------------------------------------------------------------------------------------------------

_State = tuple[frozenset[int], bool]  # states before the next letter; whether we stand at the beginning
_DONE: _State = (frozenset([-1]), False)  # matched, whatever follows


class _TooLarge(Exception):
    pass


class _Edges(msgspec.Struct):
    letters: list[tuple[Ranges, int]] = []
    free: list[int] = []
    at_start: list[int] = []
    at_end: list[int] = []


class _Machine:
    """A searching automaton: state 0 is entered again before every letter, state 1 is the match."""

    def __init__(self, term: Term) -> None:
        self.edges: list[_Edges] = [_Edges(), _Edges()]
        self._build(term, 0, 1)
        self.cuts = sorted({cut for one in self.edges for ranges, _ in one.letters for cut in _cuts(ranges)})
        self._after: dict[tuple[_State, int], _State] = {}
        self.start: _State = self._settled(frozenset([0]), True)

    def after(self, state: _State, letter: int) -> _State:
        if state == _DONE:
            return _DONE
        key = (state, bisect.bisect_right(self.cuts, letter))
        known = self._after.get(key)
        if known is None:
            reached = {
                target
                for one in state[0]
                for ranges, target in self.edges[one].letters
                if any(low <= letter <= high for low, high in ranges)
            }
            reached.add(0)
            known = self._after[key] = self._settled(frozenset(reached), False)
        return known

    def accepts(self, state: _State) -> bool:
        return state == _DONE or 1 in self._closure(state[0], state[1], True)

    def _settled(self, states: frozenset[int], beginning: bool) -> _State:
        closed = self._closure(states, beginning, False)
        return _DONE if 1 in closed else (closed, beginning)

    def _closure(self, states: frozenset[int], beginning: bool, end: bool) -> frozenset[int]:
        seen, waiting = set(states), list(states)
        while waiting:
            one = self.edges[waiting.pop()]
            targets = [*one.free, *(one.at_start if beginning else ()), *(one.at_end if end else ())]
            for target in targets:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)

    def _new(self) -> int:
        if len(self.edges) >= STATES:
            raise Irregular("the pattern is too large")
        self.edges.append(_Edges())
        return len(self.edges) - 1

    def _build(self, term: Term, source: int, target: int) -> None:
        kind = term.kind
        if kind == "letter":
            self.edges[source].letters.append((term.ranges, target))
        elif kind == "start":
            self.edges[source].at_start.append(target)
        elif kind == "end":
            self.edges[source].at_end.append(target)
        elif kind == "choice":
            for part in term.parts:
                self._build(part, source, target)
        elif kind == "sequence":
            for part in term.parts:
                step = self._new()
                self._build(part, source, step)
                source = step
            self.edges[source].free.append(target)
        else:
            self._repeat(term, source, target)

    def _repeat(self, term: Term, source: int, target: int) -> None:
        (part,) = term.parts
        for _ in range(term.least):
            step = self._new()
            self._build(part, source, step)
            source = step
        if term.most is None:
            again = self._new()
            self.edges[source].free.append(again)
            self._build(part, again, again)
            self.edges[again].free.append(target)
            return
        self.edges[source].free.append(target)
        for _ in range(term.most - term.least):
            step = self._new()
            self._build(part, source, step)
            self.edges[step].free.append(target)
            source = step


@lru_cache(maxsize=2048)
def _machine(pattern: str, strict: bool) -> _Machine | None:
    try:
        return _Machine(parsed(pattern, strict))
    except (Irregular, RecursionError):
        return None


def _read(
    matched: tuple[str, ...], refused: tuple[str, ...], strict: bool
) -> tuple[list[_Machine], list[_Machine], bool]:
    positive = [_machine(pattern, strict) for pattern in matched]
    negative = [_machine(pattern, strict) for pattern in refused]
    return (
        [one for one in positive if one is not None],
        [one for one in negative if one is not None],
        None not in positive and None not in negative,
    )


def _walk(
    positive: Sequence[_Machine], negative: Sequence[_Machine], shortest: int, longest: int | None, visits: int = 1
) -> Iterator[str]:
    """Strings that all of `positive` and none of `negative` accept, shortest first; every product state is visited
    up to `visits` times."""
    machines = [*positive, *negative]
    letters = _letters(sorted({cut for machine in machines for cut in machine.cuts}))
    cap = max(shortest, 0 if longest is None else longest + 1)
    start = tuple(machine.start for machine in machines)
    waiting: deque[tuple[tuple[_State, ...], int, str]] = deque([(start, 0, "")])
    seen = {(start, 0): 1}
    walked = 0
    while waiting:
        states, length, text = waiting.popleft()
        if any(state == _DONE for state in states[len(positive) :]):
            continue
        wanted = all(machine.accepts(state) for machine, state in zip(positive, states, strict=False))
        if (
            wanted
            and length >= shortest
            and not any(
                machine.accepts(state) for machine, state in zip(negative, states[len(positive) :], strict=True)
            )
        ):
            yield text
        if longest is not None and length >= longest:
            continue
        for letter in letters:
            after = tuple(machine.after(state, letter) for machine, state in zip(machines, states, strict=True))
            step = (after, min(length + 1, cap))
            before = seen.get(step, 0)
            if before < visits:
                walked += 1
                if walked >= STEPS:
                    raise _TooLarge
                seen[step] = before + 1
                waiting.append((after, step[1], text + chr(letter)))


def _cuts(ranges: Ranges) -> Iterator[int]:
    for low, high in ranges:
        yield low
        yield high + 1


@lru_cache(maxsize=1024)
def _letters_of(cuts: tuple[int, ...]) -> tuple[int, ...]:
    """One letter of every class of letters that no pattern tells apart, readable where there is one."""
    chosen = []
    for low, end in zip((0, *cuts), (*cuts, LAST + 1), strict=True):
        if low >= end or low > LAST:
            continue
        readable = next((ord(letter) for letter in _READABLE if low <= ord(letter) < end), low)
        if 0xD800 <= readable <= 0xDFFF:  # half of a pair is no letter of a JSON text
            if end <= 0xE000:
                continue
            readable = 0xE000
        chosen.append(readable)
    return tuple(sorted(chosen, key=lambda one: (one not in _READABLE_CODES, one)))


def _letters(cuts: list[int]) -> tuple[int, ...]:
    return _letters_of(tuple(cuts))


_READABLE = "aA0xX1bcdefghijklmnopqrstuvwyzBCDEFGHIJKLMNOPQRSTUVWYZ23456789 -_.@/:,"
_READABLE_CODES = frozenset(ord(letter) for letter in _READABLE)
