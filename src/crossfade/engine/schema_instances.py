"""Finds values that answer a question: small ones, the same ones every time.

Each form of the question is filled in with as little as it asks for; what comes out is a candidate, which the caller
holds against a validator. Nothing is found for some questions that have values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from math import ceil, floor
from typing import Any

from crossfade.engine.schema_forms import Form
from crossfade.engine.schema_listed import finite, fulfils
from crossfade.engine.schema_literals import Literal, atom, question
from crossfade.engine.schema_numbers import common_multiple
from crossfade.engine.schema_proof import FORMAT_SHAPES, Exhausted, Prover
from crossfade.engine.schema_regex import strings
from crossfade.engine.schema_values import FRACTION, INTEGER, WHOLE, number_of, same_key, size_of

DEEPEST = 24
LONGEST = 100_000  # letters or items that are written out
_ORDER = ("null", "boolean", INTEGER, FRACTION, WHOLE, "string", "array", "object")


class Maker:
    """Remembers what it found. `steps` bounds the work of one call from outside."""

    def __init__(self, prover: Prover, steps: int = 1_500) -> None:
        self.prover, self.universe, self.most, self.left = prover, prover.universe, steps, steps
        self._found: dict[tuple[frozenset[int], int], list[Any]] = {}
        self._open: set[frozenset[int]] = set()

    def candidates(self, literals: Iterable[Literal], count: int = 4) -> list[Any]:
        """Values that probably fulfil all literals, the smallest first."""
        self.left = self.most
        self.prover.left = self.prover.most
        self._open.clear()
        return sorted(self._values(list(literals), count, 0), key=size_of)

    def _values(self, literals: list[Literal], count: int, depth: int) -> list[Any]:
        asked = question(literals)
        if asked is None or depth > DEEPEST:
            return []
        listed = finite(asked)
        if listed is not None:
            return list(islice((one for one in listed if fulfils(asked, one) is not False), count))
        key = frozenset(asked)
        known = self._found.get((key, count))
        if known is not None:
            return known
        if key in self._open:
            return []
        self.left -= 1
        if self.left < 0:
            return []
        self._open.add(key)
        try:
            found = self._new_values(literals, asked, count, depth)
        finally:
            self._open.discard(key)
        if found:
            self._found[key, count] = found
        return found

    def _new_values(self, literals: list[Literal], asked: Any, count: int, depth: int) -> list[Any]:
        found: dict[str, Any] = {}
        try:
            forms = self.prover.forms(literals)
        except (Exhausted, RecursionError):
            return []
        for kind in _ORDER:
            for form in forms:
                if kind not in form.kinds:
                    continue
                here = 0
                for value in self._of_kind(form, kind, count, depth):
                    key = same_key(value) + (kind if kind == WHOLE else "")
                    if key not in found and fulfils(asked, value) is not False:
                        found[key] = value
                        here += 1
                    if here >= max(1, count // 2) and len(found) >= count:
                        return list(found.values())
                    if here >= count:
                        break
        return list(found.values())

    def _of_kind(self, form: Form, kind: str, count: int, depth: int) -> Iterator[Any]:
        if kind == "null":
            yield None
        elif kind == "boolean":
            yield from (True, False)
        elif kind in (INTEGER, FRACTION, WHOLE):
            yield from islice(_numbers(form, kind), 60)
        elif kind == "string":
            yield from _texts(form)
        else:
            try:
                yield from (self._arrays if kind == "array" else self._objects)(form, count, depth)
            except (Exhausted, RecursionError):
                return

    # -- arrays

    def _arrays(self, form: Form, count: int, depth: int) -> Iterator[list[Any]]:
        lengths = [form.min_items] + ([form.min_items + 1] if form.min_items < 3 else [])
        if form.repeated:
            lengths = [max(2, form.min_items)]
        for variant in range(count):
            for length in lengths:
                made = self._array(form, length, variant, depth)
                if made is not None:
                    yield made

    def _array(self, form: Form, length: int, variant: int, depth: int) -> list[Any] | None:
        asked: list[list[Literal]] = [form.at_index(index) for index in range(min(length, LONGEST))]
        for start, count, payload in form.some_items:
            place = start + variant if count == 1 and variant else start
            for _ in range(min(count, LONGEST)):
                while len(asked) <= place:
                    asked.append(form.at_index(len(asked)))
                asked[place] = [*asked[place], *payload]
                place += 1
        if form.max_items is not None and len(asked) > form.max_items:
            return None
        if form.repeated:
            return self._repeated(asked, variant, depth)
        result: list[Any] = []
        used: set[str] = set()
        for literals in asked:
            value = self._item(form, literals, used, len(asked) if form.unique else variant + 1, variant, depth)
            if value is _NOTHING:
                return None
            result.append(value)
            if form.unique:
                used.add(same_key(value))
        return result

    def _item(self, form: Form, literals: list[Literal], used: set[str], count: int, variant: int, depth: int) -> Any:
        avoided = [(-payload[0][0], payload[0][1]) for _, payload in form.few if len(payload) == 1]
        for more in (avoided, []) if avoided else ([],):
            values = self._values([*literals, *more], min(count, 64), depth + 1)
            left = [one for one in values if same_key(one) not in used]
            if left:
                return left[0 if form.unique else min(variant, len(left) - 1)]
        return _NOTHING

    def _repeated(self, asked: list[list[Literal]], variant: int, depth: int) -> list[Any] | None:
        twins = self._values([*asked[0], *asked[1]], variant + 1, depth + 1)
        if not twins:
            return None
        result = [twins[min(variant, len(twins) - 1)]] * 2
        for literals in asked[2:]:
            values = self._values(literals, 1, depth + 1)
            if not values:
                return None
            result.append(values[0])
        return result

    # -- objects

    def _objects(self, form: Form, count: int, depth: int) -> Iterator[dict[str, Any]]:
        for variant in range(count):
            made = self._object(form, variant, depth)
            if made is not None:
                yield made

    def _object(self, form: Form, variant: int, depth: int) -> dict[str, Any] | None:
        needed = form.needed()
        asked: dict[str, list[Literal]] = {name: form.at_name(name) for name in sorted(needed)}
        for where, payload in form.some_property:
            places = list(islice(self.prover.places(form, where, payload, needed), variant + 1))
            if not places:
                return None
            known, matched, refused = places[min(variant, len(places) - 1)]
            place = known if known is not None else self._new_name(form, matched, refused, asked)
            if place is None:
                return None
            asked[place] = [*asked.get(place, form.at_name(place)), *payload]
        for payload in form.some_name:
            text = atom(self.universe, "kinds", frozenset({"string"}))
            names = self._values([*form.names, *payload, text], variant + 1, depth + 1)
            if not names:
                return None
            name = names[min(variant, len(names) - 1)]
            asked[name] = asked.get(name, form.at_name(name))
        result: dict[str, Any] = {}
        for name, literals in asked.items():
            values = self._values(literals, variant + 1, depth + 1)
            if not values:
                return None
            result[name] = values[min(variant, len(values) - 1)]
        return self._filled(form, result, variant, depth)

    def _filled(self, form: Form, result: dict[str, Any], variant: int, depth: int) -> dict[str, Any] | None:
        """With further properties until there are enough."""
        least = form.min_properties + (variant if variant and form.min_properties else 0)
        for name in form.mentioned():
            if len(result) >= least:
                return result
            if name not in result and self.prover.name_fits(form, name):
                values = self._values(form.at_name(name), 1, depth + 1)
                if values:
                    result[name] = values[0]
        while len(result) < min(least, LONGEST):
            for matched, refused, literals in self.prover.classes(form):
                values = self._values(literals, 1, depth + 1)
                fresh = self._new_name(form, matched, refused, result) if values else None
                if fresh is not None:
                    result[fresh] = values[0]
                    break
            else:
                return None
        return result

    def _new_name(self, form: Form, matched: Sequence[str], refused: Sequence[str], taken: Iterable[str]) -> str | None:
        known = {*form.mentioned(), *form.absent, *taken}
        if not matched and not refused:
            choices: Iterable[str] = ("other", *(f"other{number}" for number in range(2, 400)))
        else:
            choices = strings(tuple(matched), tuple(refused), 0, None, 40)
        return next((one for one in choices if one not in known and self.prover.name_fits(form, one)), None)


_NOTHING = object()


# -- numbers and texts --------------------------------------------------------------------------------------------


def _numbers(form: Form, kind: str) -> Iterator[Any]:
    step = common_multiple([*form.multiples, *([Fraction(1)] if kind != FRACTION else [])])
    for one in _tried(form, step):
        inside = (form.low is None or one > form.low[0] or (one == form.low[0] and not form.low[1])) and (
            form.high is None or one < form.high[0] or (one == form.high[0] and not form.high[1])
        )
        if not inside or (one.denominator == 1) != (kind != FRACTION):
            continue
        if any((one / other).denominator == 1 for other in form.not_multiples):
            continue
        yield float(one.numerator) if kind == WHOLE and abs(one) < 2**53 else number_of(one)


def _tried(form: Form, step: Fraction | None) -> Iterator[Fraction]:
    low, high = (None if bound is None else bound[0] for bound in (form.low, form.high))
    if step is None:
        near = [Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2)]
        if low is not None:
            near += [
                low,
                low + Fraction(1, 2),
                low + Fraction(1, 10),
                floor(low) + Fraction(1, 2),
                low + Fraction(1, 1000),
            ]
        if high is not None:
            near += [high, high - Fraction(1, 2), high - Fraction(1, 10), ceil(high) - Fraction(1, 2)]
        if low is not None and high is not None:
            near.append((low + high) / 2)
        yield from near
        return
    starts = [0]
    if low is not None:
        starts = [ceil(low / step), *starts]
    elif high is not None:
        starts = [floor(high / step), *starts]
    for start in starts:
        for away in range(24):
            yield (start + away) * step
            if away:
                yield (start - away) * step


def _texts(form: Form) -> Iterator[str]:
    low, high = form.min_length, form.max_length
    if low > LONGEST:
        return
    shapes = tuple(shape for name in form.formats if (shape := FORMAT_SHAPES.get(name)))
    if form.patterns or form.not_patterns:
        yield from strings((*form.patterns, *shapes), form.not_patterns, low, high, 8)
    for name in form.formats:
        yield from FORMAT_EXAMPLES.get(name, ())
    plain = ["a" * low, "b" * low, "0" * low, "a" * (low + 1), "b" * (low + 1), "ab" + "c" * max(0, low - 2)]
    plain += ["not one of them", "zzz", "A", " "] if form.excluded or form.not_formats or form.not_patterns else []
    for text in plain:
        if low <= len(text) and (high is None or len(text) <= high):
            yield text


FORMAT_EXAMPLES = {
    "date": ("2000-01-01", "2024-02-29"),
    "date-time": ("2000-01-01T00:00:00Z", "2024-02-29T12:34:56.5+01:00"),
    "time": ("00:00:00Z", "12:34:56Z"),
    "duration": ("P1D", "PT1H"),
    "email": ("a@b.co", "c.d@e.org"),
    "idn-email": ("a@b.co", "ü@b.co"),
    "hostname": ("a.example", "b"),
    "idn-hostname": ("a.example", "ü.example"),
    "ipv4": ("127.0.0.1", "10.0.0.1"),
    "ipv6": ("::1", "fe80::1"),
    "uri": ("https://a.example/", "urn:a:b"),
    "uri-reference": ("a", "https://a.example/"),
    "iri": ("https://ü.example/", "https://a.example/"),
    "iri-reference": ("ü", "a"),
    "uri-template": ("/a/{b}", "a"),
    "uuid": ("00000000-0000-4000-8000-000000000000", "123e4567-e89b-42d3-a456-426614174000"),
    "json-pointer": ("/a", ""),
    "relative-json-pointer": ("0", "1/a"),
    "regex": ("a", "^b$"),
}
