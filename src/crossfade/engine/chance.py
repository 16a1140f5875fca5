"""The exact chance of a failure as a polynomial in the canary's weight p.

A routing that sends k of r relevant calls to the canary has the chance p**k (1-p)**(r-k); a failure's chance is the sum
over its failing assignments (SCIENCE 2). Coefficients are integers in the power basis, lowest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from math import comb

from crossfade.model.ramp import Side
from crossfade.model.report import Chance

Polynomial = tuple[int, ...]
Pattern = Mapping[int, Side]  # relevant call -> the side it must be on


def bernstein(counts: Mapping[int, int], calls: int) -> Polynomial:
    """sum over k of counts[k] * p**k * (1-p)**(calls-k).

    >>> bernstein({1: 1}, 2)
    (0, 1, -1)
    """
    coefficients = [0] * (calls + 1)
    for k, count in counts.items():
        for j in range(calls - k + 1):
            coefficients[k + j] += count * comb(calls - k, j) * (-1) ** j
    while len(coefficients) > 1 and coefficients[-1] == 0:
        coefficients.pop()
    return tuple(coefficients)


def any_of(patterns: Sequence[Pattern]) -> tuple[Polynomial, dict[int, int], int]:
    """The polynomial of "at least one pattern holds", with the failing assignments counted by canary calls and the
    number of relevant calls."""
    relevant = sorted({call for pattern in patterns for call in pattern})
    counts = {k: count for k, count in enumerate(_counted(relevant, patterns)) if count}
    return bernstein(counts, len(relevant)), counts, len(relevant)


def probability(patterns: Sequence[Pattern], weight_of: Mapping[int, float]) -> float:
    """The chance that at least one pattern holds when call i goes to the canary with chance weight_of[i]."""
    relevant = sorted({call for pattern in patterns for call in pattern})

    @cache
    def chance_from(index: int, open_patterns: frozenset[_Open]) -> float:
        if not open_patterns or frozenset() in open_patterns:
            return 1.0 if open_patterns else 0.0
        weight = weight_of[relevant[index]]
        on_canary, on_stable = (
            chance_from(index + 1, _after(open_patterns, relevant[index], side)) for side in (Side.CANARY, Side.STABLE)
        )
        return weight * on_canary + (1.0 - weight) * on_stable

    return chance_from(0, _opened(patterns))


_Open = frozenset[tuple[int, Side]]  # what a pattern still asks of the calls to come


def _counted(relevant: Sequence[int], patterns: Sequence[Pattern]) -> tuple[int, ...]:
    """How many assignments meet a pattern, by canary calls: call by call, where equal remainders are counted once."""

    @cache
    def counted_from(index: int, open_patterns: frozenset[_Open]) -> tuple[int, ...]:
        left = len(relevant) - index
        if frozenset() in open_patterns:
            return tuple(comb(left, k) for k in range(left + 1))
        if not open_patterns:
            return (0,) * (left + 1)
        on_stable = counted_from(index + 1, _after(open_patterns, relevant[index], Side.STABLE))
        on_canary = counted_from(index + 1, _after(open_patterns, relevant[index], Side.CANARY))
        return tuple(a + b for a, b in zip((*on_stable, 0), (0, *on_canary), strict=True))

    return counted_from(0, _opened(patterns))


def _opened(patterns: Sequence[Pattern]) -> frozenset[_Open]:
    return frozenset(frozenset(pattern.items()) for pattern in patterns)


def _after(open_patterns: frozenset[_Open], call: int, side: Side) -> frozenset[_Open]:
    """The patterns that can still hold once `call` is on `side`, without that condition."""
    return frozenset(one - {(call, side)} for one in open_patterns if (call, side.other) not in one)


def value(polynomial: Sequence[float], p: float) -> float:
    result = 0.0
    for coefficient in reversed(polynomial):
        result = result * p + coefficient
    return min(1.0, max(0.0, result))


def maximum(polynomial: Sequence[float]) -> tuple[float, float]:
    """(largest value on 0..1, where): a grid refined around its best point, exact to about 1e-9.

    >>> maximum((0, 1, -1))
    (0.25, 0.5)
    """
    return _highest(lambda p: value(polynomial, p))


def _highest(curve: Callable[[float], float]) -> tuple[float, float]:
    best = max(range(1001), key=lambda i: (curve(i / 1000), -i)) / 1000
    low, high = max(0.0, best - 0.001), min(1.0, best + 0.001)
    for _ in range(60):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if curve(left) < curve(right):
            low = left
        else:
            high = right
    middle = (low + high) / 2
    at = best if curve(best) >= curve(middle) else middle
    return round(curve(at), 9), round(at, 6)


def text(counts: Mapping[int, int], calls: int, polynomial: Polynomial) -> str:
    """For people: "p(1-p)", "p", "1", "2p(1-p)", or the power form where several terms meet.

    >>> text({1: 1}, 2, (0, 1, -1))
    'p(1-p)'
    """
    if polynomial == (0,):
        return "0"
    if polynomial == (1,):
        return "1"
    if len(counts) == 1:
        ((k, count),) = counts.items()
        left = _power("p", k)
        right = _power("(1-p)", calls - k)
        return f"{count if count > 1 else ''}{left}{right}" or "1"
    parts: list[str] = []
    for power, coefficient in enumerate(polynomial):
        if coefficient == 0:
            continue
        size = abs(coefficient)
        term = _power("p", power) if power else ""
        body = f"{size if size != 1 or not term else ''}{term}"
        parts.append(f"{'- ' if coefficient < 0 else '+ ' if parts else ''}{body}")
    return " ".join(parts)


def chance(patterns: Sequence[Pattern], per_stage: dict[str, float]) -> Chance:
    """The Chance of patterns over calls that all have the weight p; `per_stage` is given, computed by `probability`."""
    polynomial, counts, calls = any_of(patterns)
    top, at = _highest(lambda p: sum(count * p**k * (1 - p) ** (calls - k) for k, count in counts.items()))
    return Chance(tuple(float(c) for c in polynomial), text(counts, calls, polynomial), top, at, per_stage)


def drawn_words(counts: Iterable[int]) -> float:
    """The upper bound (95%) on the chance of a failure after that many clean runs drawn from the ramp: 3/N."""
    total = sum(counts)
    return 1.0 if total == 0 else min(1.0, 3.0 / total)


def _power(base: str, exponent: int) -> str:
    return "" if exponent == 0 else base if exponent == 1 else f"{base}^{exponent}"
