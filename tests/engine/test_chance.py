"""Chances as polynomials, against adding up every assignment of sides."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramps import C, S

from crossfade.engine.chance import (
    Pattern,
    any_of,
    bernstein,
    chance,
    drawn_words,
    maximum,
    probability,
    text,
    value,
)

WEIGHTS = st.fractions(0, 1, max_denominator=20)
PATTERNS = st.lists(st.dictionaries(st.integers(0, 5), st.sampled_from([S, C]), max_size=4), min_size=1, max_size=4)


def added_up(patterns: list[Pattern], weight_of: dict[int, Fraction]) -> Fraction:
    """The chance that a pattern holds over all six calls, assignment by assignment, in exact fractions."""
    total = Fraction(0)
    for sides in product((S, C), repeat=6):
        if any(all(sides[call] is side for call, side in pattern.items()) for pattern in patterns):
            term = Fraction(1)
            for call, side in enumerate(sides):
                term *= weight_of[call] if side is C else 1 - weight_of[call]
            total += term
    return total


@settings(max_examples=60, deadline=None)
@given(PATTERNS, WEIGHTS)
def test_the_polynomial_is_the_sum_over_all_assignments(patterns: list[Pattern], p: Fraction) -> None:
    polynomial, _, _ = any_of(patterns)
    assert added_up(patterns, dict.fromkeys(range(6), p)) == sum(c * p**power for power, c in enumerate(polynomial))
    assert value(polynomial, float(p)) == pytest.approx(probability(patterns, dict.fromkeys(range(6), float(p))))


@settings(max_examples=60, deadline=None)
@given(PATTERNS, st.lists(WEIGHTS, min_size=6, max_size=6))
def test_the_probability_takes_every_call_at_its_own_weight(patterns: list[Pattern], weights: list[Fraction]) -> None:
    expected = added_up(patterns, dict(enumerate(weights)))
    assert float(expected) == pytest.approx(probability(patterns, {i: float(w) for i, w in enumerate(weights)}))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 8), st.integers(1, 9), max_size=5), WEIGHTS)
def test_the_power_form_equals_the_sum_by_canary_calls(counts: dict[int, int], p: Fraction) -> None:
    coefficients = bernstein(counts, 8)
    expected = sum(count * p**k * (1 - p) ** (8 - k) for k, count in counts.items())
    assert expected == sum(c * p**power for power, c in enumerate(coefficients))
    assert len(coefficients) == 1 or coefficients[-1] != 0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 8), st.integers(0, 8))
def test_a_pattern_of_some_canary_and_some_stable_calls_peaks_at_their_share(canary: int, stable: int) -> None:
    top, at = maximum(bernstein({canary: 1}, canary + stable))
    if canary + stable == 0:
        assert (1.0, 0.0) == (top, at)
        return
    where = canary / (canary + stable)
    assert at == pytest.approx(where, abs=1e-4)
    assert top == pytest.approx(where**canary * (1 - where) ** stable, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(PATTERNS)
def test_nothing_on_the_way_is_above_the_maximum(patterns: list[Pattern]) -> None:
    polynomial, _, _ = any_of(patterns)
    top, at = maximum(polynomial)
    assert top == pytest.approx(value(polynomial, at), abs=1e-8)
    assert all(value(polynomial, i / 500) <= top + 1e-8 for i in range(501))


def test_create_on_canary_read_on_stable_peaks_at_a_quarter() -> None:
    made = chance([{0: C, 1: S}], {"half": 0.25})
    assert ((0.0, 1.0, -1.0), "p(1-p)", 0.25, 0.5) == (made.coefficients, made.text, made.max, made.at)
    assert {"half": 0.25} == made.per_stage


@settings(max_examples=60, deadline=None)
@given(PATTERNS, WEIGHTS)
def test_the_text_says_what_the_polynomial_says(patterns: list[Pattern], p: Fraction) -> None:
    polynomial, counts, calls = any_of(patterns)
    assert sum(c * p**power for power, c in enumerate(polynomial)) == _read(text(counts, calls, polynomial), p)


def _read(shown: str, p: Fraction) -> Fraction:
    """The value of "2p(1-p)^2" or "1 - p^2" at p, as a person would work it out."""
    total, sign = Fraction(0), 1
    for part in shown.split(" "):
        if part in "+-":
            sign = 1 if part == "+" else -1
            continue
        while part.startswith("-"):
            sign, part = -sign, part[1:]
        term, rest = Fraction(1), part
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        term *= int(digits or 1)
        rest = rest[len(digits) :]
        for base, worth in (("p", p), ("(1-p)", 1 - p)):
            if rest.startswith(base):
                rest = rest[len(base) :]
                exponent = 1
                if rest.startswith("^"):
                    number = rest[1:].split("(")[0]
                    exponent, rest = int(number), rest[1 + len(number) :]
                term *= worth**exponent
        assert "" == rest, shown
        total += sign * term
        sign = 1
    return total


@pytest.mark.parametrize(
    ("patterns", "shown"),
    [
        ([{}], "1"),
        ([{0: C}], "p"),
        ([{0: S}], "(1-p)"),
        ([{0: C, 1: S}, {0: S, 1: C}], "2p(1-p)"),
        ([{0: C, 1: C, 2: S}], "p^2(1-p)"),
        ([{0: C}, {1: C}], "2p - p^2"),
        ([{0: C}, {0: S}], "1"),
    ],
)
def test_a_chance_is_written_as_people_write_it(patterns: list[Pattern], shown: str) -> None:
    assert shown == chance(patterns, {}).text


def test_clean_runs_bound_what_was_not_seen_by_three_over_their_number() -> None:
    assert [1.0, 1.0, 0.03] == [drawn_words([]), drawn_words([2]), drawn_words([40, 60])]


def test_many_calls_of_one_operation_cost_no_more_than_they_say() -> None:
    """One write and forty reads: adding up two to the forty-first would never end."""
    patterns: list[Pattern] = [{0: C, read: S} for read in range(1, 41)]
    made = chance(patterns, {})
    assert "p - p^41" == made.text
    assert made.max == pytest.approx(made.at - made.at**41)
    assert 0.5 - 0.5**41 == pytest.approx(probability(patterns, dict.fromkeys(range(41), 0.5)))
