"""Is there a number within these bounds that is a multiple of those numbers and of none of these? Exactly, in fractions."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, gcd, lcm

from crossfade.engine.schema_forms import Form
from crossfade.engine.schema_values import FRACTION, INTEGER, WHOLE, same_key

ENUMERATED = 200  # numbers that are tried one by one


def numbers_feasible(form: Form) -> bool:
    whole = form.kinds & {INTEGER, WHOLE}
    low, high = form.low, form.high
    if low is not None and high is not None and (low[0], low[1] or high[1]) > (high[0], False):
        return False
    return (bool(whole) and _some(form, True)) or (FRACTION in form.kinds and _some(form, False))


def _some(form: Form, whole: bool) -> bool:
    """Whether there may be an integral (or a not integral) number."""
    step = common_multiple([*form.multiples, *([Fraction(1)] if whole else [])])
    if step is None:
        if form.low is None or form.high is None or form.low[0] < form.high[0]:
            return True
        return form.low[0].denominator != 1 and not any(
            (form.low[0] / one).denominator == 1 for one in form.not_multiples
        )
    if any((step / one).denominator == 1 for one in form.not_multiples) or (not whole and step.denominator == 1):
        return False
    numbers = stepped(form, step)
    if numbers is None:
        return True
    gone = {same_key(one) for one in form.excluded}
    return any(
        (one.denominator == 1) == whole
        and not any((one / other).denominator == 1 for other in form.not_multiples)
        and f"n{one}" not in gone
        for one in numbers
    )


def stepped(form: Form, step: Fraction) -> list[Fraction] | None:
    """The multiples of `step` within the bounds; None where there are too many."""
    if form.low is None or form.high is None:
        return None
    first, last = ceil(form.low[0] / step), floor(form.high[0] / step)
    if form.low[1] and first * step == form.low[0]:
        first += 1
    if form.high[1] and last * step == form.high[0]:
        last -= 1
    if last - first >= ENUMERATED:
        return None
    return [count * step for count in range(first, last + 1)]


def common_multiple(numbers: list[Fraction]) -> Fraction | None:
    """
    >>> common_multiple([Fraction(1, 10), Fraction(1)]), common_multiple([Fraction(3, 2), Fraction(1)])
    (Fraction(1, 1), Fraction(3, 1))
    """
    if not numbers:
        return None
    above, below = numbers[0].numerator, numbers[0].denominator
    for one in numbers[1:]:
        above, below = lcm(above, one.numerator), gcd(below, one.denominator)
    return Fraction(above, below)
