"""Minimal causes: the least set of (step, side, point) conditions that forces a failure.

Over explored routings the failing set F is known completely, and a minimal cause is a prime implicant of F (Quine 1952,
McCluskey 1956) over multi-valued literals: a step's side, the points up to or from which it happens, or both. Sets of
routings are bit masks, so testing an implicant is one `and`. Routings in which the step could not be made (blocked) are
neutral: they neither fail nor pass.

Where not all routings were run, `learned_cause` asks for a few more: if two words agree on the relevant steps found so far
but differ in outcome, binary search between them finds one more relevant step (SCIENCE 2).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from itertools import combinations, pairwise, product
from math import prod

import msgspec

from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side


class Literal(msgspec.Struct, frozen=True, order=True):
    """`step` happens on `side` (None: any) at a point from `low` to `high` (None: unbounded)."""

    step: int
    side: Side | None
    low: int | None = None
    high: int | None = None

    def holds(self, word: Word) -> bool:
        placed = word[self.step]
        return (self.side is None or placed.side is self.side) and self.allows(placed.point)

    def allows(self, point: int) -> bool:
        return (self.low is None or point >= self.low) and (self.high is None or point <= self.high)

    @property
    def bounded(self) -> bool:
        """Does it matter when the step happens?"""
        return self.low is not None or self.high is not None

    @property
    def size(self) -> int:
        return (self.side is not None) + (self.low is not None) + (self.high is not None)


Cause = tuple[Literal, ...]


class Explanation(msgspec.Struct, frozen=True):
    """A minimal cause with the failing words it covers (indices), the first of them the simplest to show."""

    cause: Cause
    covers: tuple[int, ...]


def minimal_causes(
    words: Sequence[Word], failing: Iterable[int], neutral: Iterable[int] = (), largest: int = 4, most: int = 16
) -> tuple[Explanation, ...]:
    """Prime implicants that together cover every failing word (the first `most` of them), smallest first; `failing` and
    `neutral` are indices.

    >>> S, C = Placed(0, Side.STABLE), Placed(0, Side.CANARY)
    >>> [found] = minimal_causes([(S, S), (S, C), (C, S), (C, C)], [2])
    >>> [(literal.step, str(literal.side)) for literal in found.cause]
    [(0, 'canary'), (1, 'stable')]
    """
    fails = _mask(failing)
    counter = ((1 << len(words)) - 1) & ~fails & ~_mask(neutral)
    table = _Masks(words)
    remaining = fails
    found: list[tuple[Cause, int]] = []
    order = sorted(_bits(fails), key=lambda index: (*_simplicity(words[index]), index))
    for index in order:
        if not remaining >> index & 1:
            continue
        if len(found) >= most:
            break
        cause = _smallest(words[index], table, counter, fails, largest)
        covered = _common(cause, table, len(words)) & fails
        found.append((cause, covered))
        remaining &= ~covered
    found = _irredundant(found, fails & ~remaining)
    rank = {index: place for place, index in enumerate(order)}
    return tuple(Explanation(cause, tuple(sorted(_bits(mask), key=lambda index: rank[index]))) for cause, mask in found)


def _smallest(word: Word, table: _Masks, counter: int, fails: int, largest: int) -> Cause:
    choices = [_choices(step, word[step], table) for step in range(len(word))]
    everything = counter | fails
    if not counter:
        return ()
    for size in range(1, largest + 1):
        if sum(prod(len(choices[step]) for step in steps) for steps in combinations(range(len(word)), size)) > 300_000:
            break
        best: tuple[tuple[int, int, Cause], Cause] | None = None
        for steps in combinations(range(len(word)), size):
            for cause in product(*(choices[step] for step in steps)):
                mask = everything
                for literal in cause:
                    mask &= table[literal]
                    if not mask & counter:
                        break
                if mask & counter:
                    continue
                mask &= fails
                rank = (sum(literal.size for literal in cause), -mask.bit_count(), cause)
                if best is None or _before(rank, best[0]):
                    best = (rank, cause)
        if best is not None:
            return best[1]
    return _greedy(word, choices, table, counter)


def _before(rank: tuple[int, int, Cause], other: tuple[int, int, Cause]) -> bool:
    if rank[:2] != other[:2]:
        return rank[:2] < other[:2]
    return _order(rank[2]) < _order(other[2])


def _order(cause: Cause) -> tuple[tuple[int, str, int, int], ...]:
    return tuple(
        (
            literal.step,
            str(literal.side or ""),
            -1 if literal.low is None else literal.low,
            -1 if literal.high is None else literal.high,
        )
        for literal in cause
    )


def _greedy(word: Word, choices: Sequence[Sequence[Literal]], table: _Masks, counter: int) -> Cause:
    """All conditions of the word, dropped and weakened one at a time while they still force the failure."""
    cause = [options[-1] for options in choices]

    def forces(candidate: Sequence[Literal]) -> bool:
        mask = counter
        for literal in candidate:
            mask &= table[literal]
        return not mask

    for literal in list(cause):
        shorter = [other for other in cause if other is not literal]
        if forces(shorter):
            cause = shorter
    for position, literal in enumerate(cause):
        for weaker in choices[literal.step][:-1]:
            if forces([*cause[:position], weaker, *cause[position + 1 :]]):
                cause[position] = weaker
                break
    return tuple(cause)


def _choices(step: int, placed: Placed, table: _Masks) -> list[Literal]:
    """The conditions on a step that its place satisfies, weakest first; those that mean the same once."""
    side, point = placed.side, placed.point
    options = [
        Literal(step, side),
        Literal(step, None, None, point),
        Literal(step, None, point, None),
        Literal(step, side, None, point),
        Literal(step, side, point, None),
        Literal(step, None, point, point),
        Literal(step, side, point, point),
    ]
    kept: list[Literal] = []
    for literal in options:
        if table[literal] != table.everything and all(table[literal] != table[other] for other in kept):
            kept.append(literal)
    return kept or options[:1]


class _Masks(dict[Literal, int]):
    """The words that satisfy a literal, as a bit mask; made when first asked for."""

    def __init__(self, words: Sequence[Word]) -> None:
        super().__init__()
        self.everything = (1 << len(words)) - 1
        rows: dict[tuple[int, Placed], bytearray] = {}
        size = (len(words) + 7) // 8
        for index, word in enumerate(words):
            byte, bit = index >> 3, 1 << (index & 7)
            for place in enumerate(word):
                row = rows.get(place)
                if row is None:
                    row = rows[place] = bytearray(size)
                row[byte] |= bit
        self._exact = {place: int.from_bytes(row, "little") for place, row in rows.items()}

    def __missing__(self, literal: Literal) -> int:
        mask = 0
        for (step, placed), own in self._exact.items():
            same_side = literal.side is None or placed.side is literal.side
            if step == literal.step and same_side and literal.allows(placed.point):
                mask |= own
        self[literal] = mask
        return mask


def _common(cause: Cause, table: _Masks, count: int) -> int:
    mask = (1 << count) - 1
    for literal in cause:
        mask &= table[literal]
    return mask


def _irredundant(found: list[tuple[Cause, int]], fails: int) -> list[tuple[Cause, int]]:
    """Drops causes whose words the others cover, the largest causes first."""
    kept = sorted(found, key=lambda entry: (len(entry[0]), sum(literal.size for literal in entry[0])))
    for entry in sorted(found, key=lambda e: (-len(e[0]), e[1].bit_count())):
        others = 0
        for other in kept:
            if other is not entry:
                others |= other[1]
        if len(kept) > 1 and others & fails == fails:
            kept = [other for other in kept if other is not entry]
    return kept


def _simplicity(word: Word) -> tuple[int, int, int]:
    """Few changes of point, then few changes of side, then few canary calls."""
    points = sum(a.point != b.point for a, b in pairwise(word))
    sides = sum(a.side is not b.side for a, b in pairwise(word))
    return points, sides, sum(placed.side is Side.CANARY for placed in word)


def _mask(indices: Iterable[int]) -> int:
    mask = 0
    for index in indices:
        mask |= 1 << index
    return mask


def _bits(mask: int) -> list[int]:
    return [index for index, bit in enumerate(reversed(bin(mask)[2:])) if bit == "1"]


def learned_cause(
    failing: Sequence[Side], passing: Sequence[Side]
) -> Generator[tuple[Side, ...], bool, tuple[int, ...]]:
    """The steps whose sides in `failing` together force the failure, found by asking whether words fail.

    Yields words, is sent whether each failed, returns the steps (positions) of one minimal cause. Starting from a failing
    and a passing word, each round binary-searches the words between them for one step whose change turns pass into
    failure, keeps it, and goes on from the passing word with the kept steps set, until those alone make it fail."""
    kept: list[int] = []
    base = list(passing)
    while True:
        candidate = tuple(failing[i] if i in kept else base[i] for i in range(len(failing)))
        if kept and (yield candidate):
            break
        low, high = 0, len(failing)  # the first `low` steps set leave it passing, the first `high` make it fail
        while high - low > 1:
            middle = (low + high) // 2
            word = tuple(failing[i] if i < middle or i in kept else base[i] for i in range(len(failing)))
            if (yield word):
                high = middle
            else:
                low = middle
        if high - 1 in kept:
            break
        kept.append(high - 1)
        if len(kept) == len(failing):
            break
    step = 0
    while step < len(kept):
        fewer = kept[:step] + kept[step + 1 :]
        if fewer and (yield tuple(failing[i] if i in fewer else base[i] for i in range(len(failing)))):
            kept, step = fewer, 0  # one that was needed may be no longer
        else:
            step += 1
    return tuple(sorted(kept))
