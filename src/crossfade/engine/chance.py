"""The exact chance of a failure as a polynomial in the canary's weight p.

A routing that sends k of r relevant calls to the canary has the chance p**k (1-p)**(r-k); a failure's chance is the sum
over its failing assignments (SCIENCE 2). Coefficients are integers in the power basis, lowest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
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
    number of relevant calls. Raises ValueError for more than 20 relevant calls."""
    relevant = sorted({call for pattern in patterns for call in pattern})
    if len(relevant) > 20:
        raise ValueError("too many relevant calls")
    counts: dict[int, int] = {}
    for sides in product((Side.STABLE, Side.CANARY), repeat=len(relevant)):
        chosen = dict(zip(relevant, sides, strict=True))
        if any(all(chosen[call] is side for call, side in pattern.items()) for pattern in patterns):
            k = sum(side is Side.CANARY for side in sides)
            counts[k] = counts.get(k, 0) + 1
    return bernstein(counts, len(relevant)), counts, len(relevant)


def probability(patterns: Sequence[Pattern], weight_of: Mapping[int, float]) -> float:
    """The chance that at least one pattern holds when call i goes to the canary with chance weight_of[i]."""
    relevant = sorted({call for pattern in patterns for call in pattern})
    total = 0.0
    for sides in product((Side.STABLE, Side.CANARY), repeat=len(relevant)):
        chosen = dict(zip(relevant, sides, strict=True))
        if any(all(chosen[call] is side for call, side in pattern.items()) for pattern in patterns):
            term = 1.0
            for call, side in chosen.items():
                term *= weight_of[call] if side is Side.CANARY else 1.0 - weight_of[call]
            total += term
    return total


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
    best = max(range(1001), key=lambda i: (value(polynomial, i / 1000), -i)) / 1000
    low, high = max(0.0, best - 0.001), min(1.0, best + 0.001)
    for _ in range(60):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if value(polynomial, left) < value(polynomial, right):
            low = left
        else:
            high = right
    middle = (low + high) / 2
    at = best if value(polynomial, best) >= value(polynomial, middle) else middle
    return round(value(polynomial, at), 9), round(at, 6)


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
    top, at = maximum(polynomial)
    return Chance(tuple(float(c) for c in polynomial), text(counts, calls, polynomial), top, at, per_stage)


def drawn_words(counts: Iterable[int]) -> float:
    """The upper bound (95%) on the chance of a failure after that many clean runs drawn from the ramp: 3/N."""
    total = sum(counts)
    return 1.0 if total == 0 else min(1.0, 3.0 / total)


def _power(base: str, exponent: int) -> str:
    return "" if exponent == 0 else base if exponent == 1 else f"{base}^{exponent}"
