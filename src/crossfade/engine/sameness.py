"""Sameness: is an answer one that the pure runs explain?

Two runs of the same calls never give the same bytes: ids, clocks, hashes, orders of rows differ. Here an answer is
compared with reference answers leaf by leaf, and a leaf is explained when one reference has the same value there *up to
renaming*: an id is known by where it was first seen in its own run ("the id that `create` returned"), so two runs agree
when their ids were first seen in the same place. Clocks near the moment of the call, version strings of the contract and
hash-like tokens are equal to their like. Places that differ between identical runs although all that is taken into account
are noise: learned by comparing repeated pure runs, listed, and not compared. Arrays whose order differs between identical
runs are compared as multisets. New fields are accepted, as a tolerant reader does.

Explaining by the *union* of references, leaf by leaf, lets a value come from the writer's side and the one beside it
from the reader's, which is how intended changes look in the middle of a ramp.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from crossfade.engine.answers import Answer, json_text

PathKey = tuple[int, str]  # (step, path pattern such as "body.items[].id")

MISSING = msgspec.UNSET
LEAVES_FOLLOWED = 20_000  # of one answer: beyond that ids are no longer followed
DRIFT = 25 * 60.0  # seconds: how much further from its call a time may lie in one run than in another
NEAR = 2 * 3600.0  # seconds around the call in which a time is "now"

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_HUMAN = rf"""(?<!\d)(?:\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{4}} | \d{{4}}/\d\d?/\d\d?
          | \d{{1,2}}[ -](?:{_MONTHS})[a-z]*[ -]\d{{4}} | (?:{_MONTHS})[a-z]*\ \d{{1,2}},?\ \d{{4}})(?!\d)
          (?:(?:,|\ at)?[ T]\d{{1,2}}:\d\d(?::\d\d)?(?:\ ?[AaPp][Mm])?)?"""  # 24/11/2026 02:58, Nov 24, 2026
_TOKEN = re.compile(
    r"""(?P<uuid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
      | (?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?|\ UTC)?)
      | (?P<http>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\ \d\d\ \w{3}\ \d{4}\ \d\d:\d\d:\d\d\ GMT)
      | (?P<date>\d{4}-\d\d-\d\d)
      | (?P<human>"""
    + _HUMAN
    + r""")
      | (?P<word>[A-Za-z0-9_]+(?:[-+/=][A-Za-z0-9_]+)*=*)
    """,
    re.VERBOSE,
)
AGE_DRIFT = 300.0  # seconds an age may differ by between two runs
_AGE_TEXT = re.compile(r"\b(?:a few|a|an|\d+) ?(?:moments?|seconds?|secs?|s|minutes?|mins?|m) ago\b|\bjust now\b", re.I)
_AGE_NAME = re.compile(
    r"(?:^|_|(?<=[a-z]))(?:age|uptime|elapsed|ttl|remaining|expires_?in|ago)(?:_?s(?:ec(?:ond)?s?)?)?$", re.I
)
_SEPARATORS = re.compile(r"([-+/=])")
_PREFIXED = re.compile(  # cus_9s6XKzkNRiz8i3
    r"([A-Za-z]{2,10}_)([0-9a-f]{10,}|(?=\w*\d)(?=\w*[A-Za-z])[0-9A-Za-z]{14,})"
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_DIGITS = re.compile(r"\d+|[^\d]+")
_HEX = re.compile(r"[0-9a-fA-F]{8,}")
_BLOB = re.compile(  # base64, or a signed token of several such parts
    r"[A-Za-z0-9+/_\-]{20,}={0,2}|(?=.{40})[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]{5,}){1,4}"
)
_NOTHING = re.compile(r"(?<![A-Za-z0-9])(?:None|null|undefined|NaN|\[object Object\])(?![A-Za-z0-9])")
_OPAQUE = re.compile(r"[A-Za-z0-9_\-+/=]{16,}")


class Noise(msgspec.Struct, frozen=True):
    """What repeated pure runs of one scenario taught. `varying`: places whose value differs between identical runs (the
    ids first seen there are followed through the run); `masked`: places that still differ when ids are followed: not
    compared; `unordered`: arrays compared as multisets; `saved`: variables whose value differs from run to run."""

    varying: frozenset[PathKey] = frozenset()
    masked: frozenset[PathKey] = frozenset()
    unordered: frozenset[PathKey] = frozenset()
    saved: frozenset[str] = frozenset()

    def union(self, other: Noise) -> Noise:
        return Noise(
            self.varying | other.varying,
            self.masked | other.masked,
            self.unordered | other.unordered,
            self.saved | other.saved,
        )


NO_NOISE = Noise()


class Reading(msgspec.Struct, frozen=True):
    """A run read for comparison: per step its answer (None: blocked) and the names of ids known before that step."""

    answers: tuple[Answer | None, ...]
    names: tuple[Mapping[str, frozenset[str]], ...]


class Unexplained(msgspec.Struct, frozen=True):
    """A place no reference explains. `pattern` is `path` with indices as []. `seen` is UNSET where a field is missing."""

    path: str
    pattern: str
    seen: Any
    reason: str


class Reference(msgspec.Struct, frozen=True):
    """One pure run's answer at a step, with the names known there; `label` tells which pure run ("stable", "canary")."""

    label: str
    answer: Answer
    names: Mapping[str, frozenset[str]]


def learn_names(
    names: dict[str, frozenset[str]], step: int, seen: Answer, saved: Mapping[str, Any], noise: Noise
) -> None:
    """Adds to `names` the ids first (or again) seen in the answer of a step, and in the variables it saved."""
    for count, (pattern, value) in enumerate(_leaves(seen)):
        if count > LEAVES_FOLLOWED:
            break
        tokens = _nameable(value, (step, pattern) in noise.varying)
        if not tokens:
            continue
        place = f"{step}:{pattern}"
        for token in tokens:
            known = names.get(token)
            if known is None:
                names[token] = frozenset((place,))
            elif place not in known:
                names[token] = known | {place}
    name_variables(names, saved, noise)


def name_variables(names: dict[str, frozenset[str]], saved: Mapping[str, Any], noise: Noise) -> None:
    for name, value in saved.items():
        if name in noise.saved and isinstance(value, str | int) and not isinstance(value, bool):
            names[str(value)] = names.get(str(value), frozenset()) | {f"${name}"}


def reading(
    answers: Sequence[Answer | None], saved_by: Sequence[Mapping[str, Any]], noise: Noise = NO_NOISE
) -> Reading:
    """`saved_by[i]`: the variables step i saved; one more at the end: those known before the first step."""
    names: dict[str, frozenset[str]] = {}
    before: list[Mapping[str, frozenset[str]]] = []
    if len(saved_by) > len(answers):
        name_variables(names, saved_by[len(answers)], noise)
    for step, seen in enumerate(answers):
        before.append(dict(names))
        if seen is not None:
            learn_names(names, step, seen, saved_by[step] if step < len(saved_by) else {}, noise)
    return Reading(tuple(answers), tuple(before))


class Comparison:
    """Comparing under what is known: the noise of a scenario and the version strings of the contract."""

    def __init__(self, noise: Noise = NO_NOISE, versions: Iterable[str] = ()) -> None:
        self.noise = noise
        marks = [re.escape(version) for version in versions if len(version) >= 3 and not version.isalpha()]
        self._version = _version_pattern(marks)

    def unexplained(
        self, seen: Answer, names: Mapping[str, frozenset[str]], references: Sequence[Reference], step: int
    ) -> tuple[Unexplained, ...]:
        """What no reference explains in `seen`; empty when every leaf is explained. References without an answer count
        as having none; with no references at all nothing can be said and the result is empty."""
        if not references:
            return ()
        found: list[Unexplained] = []
        if all(reference.answer.status != seen.status for reference in references):
            if (step, "status") not in self.noise.masked:
                found.append(Unexplained("status", "status", seen.status or seen.failure, "no pure run answers so"))
            return tuple(found)
        same = [reference for reference in references if reference.answer.status == seen.status]
        for header in seen.headers:
            options = [(r.answer.headers[header], r) for r in same if header in r.answer.headers]
            if options:
                self._compare(seen.headers[header], options, f"header.{header}", seen, names, step, found)
        kinds = {reference.answer.kind for reference in same}
        if seen.kind not in kinds:
            if (step, "body") not in self.noise.masked:
                found.append(Unexplained("body", "body", seen.body, f"the body is {seen.kind}"))
            return tuple(found)
        bodies = [(reference.answer.body, reference) for reference in same if reference.answer.kind == seen.kind]
        self._compare(seen.body, bodies, "body", seen, names, step, found)
        return tuple(found)

    # every method below appends to `found`; `options` are (value, reference it comes from)

    def _compare(
        self,
        seen: Any,
        options: Sequence[tuple[Any, Reference]],
        path: str,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        step: int,
        found: list[Unexplained],
    ) -> None:
        if any(_equal(seen, value) for value, _ in options):
            return
        pattern = pattern_of(path)
        if says_nothing(seen) and not any(says_nothing(value) for value, _ in options):
            found.append(Unexplained(path, pattern, seen, "no pure run gives this value"))
            return
        if (step, pattern) in self.noise.masked:
            return
        if isinstance(seen, dict):
            self._compare_objects(seen, options, path, answer, names, step, found)
        elif isinstance(seen, list):
            self._compare_arrays(seen, options, path, answer, names, step, found)
        elif not self._leaf_explained(seen, options, answer, names, (step, pattern) in self.noise.varying) and not any(
            _ages_alike(pattern, seen, value) for value, _ in options
        ):
            reason = "no pure run gives this value"
            found.append(Unexplained(path, pattern, seen, reason))

    def _compare_objects(
        self,
        seen: dict[str, Any],
        options: Sequence[tuple[Any, Reference]],
        path: str,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        step: int,
        found: list[Unexplained],
    ) -> None:
        objects = [(value, reference) for value, reference in options if isinstance(value, dict)]
        if not objects:
            found.append(Unexplained(path, pattern_of(path), seen, "no pure run has an object here"))
            return
        taken: dict[int, dict[str, str]] = {}  # per option: its key -> ours, for keys that are ids
        for key, value in seen.items():
            inner = []
            for index, (other, reference) in enumerate(objects):
                if key in other:
                    inner.append((other[key], reference))
                    continue
                alike = self._key_alike(key, other, seen, answer, names, reference)
                if alike is not None:
                    taken.setdefault(index, {})[alike] = key
                    inner.append((other[alike], reference))
            if inner:
                self._compare(value, inner, f"{path}.{key}", answer, names, step, found)
        for key in objects[0][0]:
            everywhere = all(key in other for other, _ in objects)
            matched = key in seen or any(key in renamed for renamed in taken.values())
            if everywhere and not matched and (step, pattern_of(f"{path}.{key}")) not in self.noise.masked:
                found.append(
                    Unexplained(f"{path}.{key}", pattern_of(f"{path}.{key}"), MISSING, "every pure run has this field")
                )

    def _key_alike(
        self,
        key: str,
        other: Mapping[str, Any],
        seen: Mapping[str, Any],
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        reference: Reference,
    ) -> str | None:
        """The key of `other` that is the same id under another name, if any."""
        if not any(character.isdigit() for character in key):
            return None
        for candidate in other:
            if candidate not in seen and self._texts_alike(key, candidate, answer, names, reference, False):
                return candidate
        return None

    def _compare_arrays(
        self,
        seen: list[Any],
        options: Sequence[tuple[Any, Reference]],
        path: str,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        step: int,
        found: list[Unexplained],
    ) -> None:
        arrays = [(value, reference) for value, reference in options if isinstance(value, list)]
        same_length = [(value, reference) for value, reference in arrays if len(value) == len(seen)]
        if not same_length:
            lengths = sorted({len(value) for value, _ in arrays})
            reason = (
                f"{len(seen)} items; pure runs have {' or '.join(map(str, lengths))}" if arrays else "no array here"
            )
            found.append(Unexplained(path, pattern_of(path), seen, reason))
            return
        inside: list[Unexplained] = []
        for index, item in enumerate(seen):
            inner = [(value[index], reference) for value, reference in same_length]
            self._compare(item, inner, f"{path}[{index}]", answer, names, step, inside)
        if not inside:
            return
        if (step, pattern_of(path)) in self.noise.unordered:
            if self._multiset_explained(seen, same_length, path, answer, names, step):
                return
        elif len(seen) > 1 and self._multiset_explained(seen, same_length, path, answer, names, step):
            found.append(Unexplained(path, pattern_of(path), seen, "the same items in another order"))
            return
        found.extend(inside)

    def _multiset_explained(
        self,
        seen: list[Any],
        arrays: Sequence[tuple[list[Any], Reference]],
        path: str,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        step: int,
    ) -> bool:
        """Can the items be matched one to one with those of one reference, each leaf-wise helped by the others'?"""
        if len(seen) > 200:
            return False
        for base, reference in arrays:
            others = [(item, other) for value, other in arrays if other.label != reference.label for item in value]
            free = list(range(len(base)))
            for item in seen:
                for index in free:
                    problems: list[Unexplained] = []
                    self._compare(item, [(base[index], reference)], f"{path}[0]", answer, names, step, problems)
                    if problems and others:
                        problems = []
                        alternatives = [(base[index], reference), *others]
                        self._compare(item, alternatives, f"{path}[0]", answer, names, step, problems)
                    if not problems:
                        free.remove(index)
                        break
                else:
                    break
            if not free:
                return True
        return False

    def _leaf_explained(
        self,
        seen: Any,
        options: Sequence[tuple[Any, Reference]],
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        varying: bool,
    ) -> bool:
        scalars = [(value, reference) for value, reference in options if not isinstance(value, dict | list)]
        labels = {reference.label for _, reference in options}
        settled = len(labels) > 1 and len({(type(value), value) for value, _ in scalars}) == 1
        return any(
            self._scalars_alike(seen, value, answer, names, reference, varying, settled) for value, reference in scalars
        )

    def _scalars_alike(
        self,
        seen: Any,
        value: Any,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        reference: Reference,
        varying: bool,
        settled: bool,
    ) -> bool:
        if isinstance(seen, bool) or isinstance(value, bool) or seen is None or value is None:
            return seen is value
        if isinstance(seen, int | float) and isinstance(value, int | float):
            if seen == value or abs(seen - value) <= 1e-9 * max(abs(seen), abs(value)):
                return True
            if clocks_alike(seen, answer.at, value, reference.answer.at):
                return True
            return self._ids_alike(str(seen), str(value), names, reference.names, fresh=varying)
        if isinstance(seen, str) and isinstance(value, str):
            return seen == value or self._texts_alike(seen, value, answer, names, reference, varying, settled)
        if isinstance(seen, int | str) and isinstance(value, int | str):
            return False
        return bool(seen == value)

    def _texts_alike(
        self,
        seen: str,
        value: str,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        reference: Reference,
        varying: bool,
        settled: bool = False,
    ) -> bool:
        if self._ids_alike(seen, value, names, reference.names, fresh=varying):
            return True
        if random_text(seen) and random_text(value):
            return self._ids_alike(seen, value, names, reference.names, fresh=not settled)
        mine, theirs = self._pieces(seen), self._pieces(value)
        if len(mine) != len(theirs):
            return False
        return all(
            self._random_alike(text, other_text, names, reference, settled)
            if kind != other_kind
            else text == other_text
            or self._pieces_alike(kind, text, other_text, answer, names, reference, varying, settled)
            for (kind, text), (other_kind, other_text) in zip(mine, theirs, strict=True)
        )

    def _random_alike(
        self, mine: str, theirs: str, names: Mapping[str, frozenset[str]], reference: Reference, settled: bool
    ) -> bool:
        """Hex of one length, one of the two by chance without a letter."""
        if len(mine) != len(theirs) or not _HEX.fullmatch(mine) or not _HEX.fullmatch(theirs):
            return False
        return self._ids_alike(mine, theirs, names, reference.names, fresh=not settled)

    def _pieces_alike(
        self,
        kind: str,
        text: str,
        other: str,
        answer: Answer,
        names: Mapping[str, frozenset[str]],
        reference: Reference,
        varying: bool,
        settled: bool,
    ) -> bool:
        if kind == "version":
            return True
        if kind in ("time", "http", "date", "human"):
            return times_alike(text, answer.at, other, reference.answer.at)
        if kind in ("uuid", "hash"):
            return self._ids_alike(text, other, names, reference.names, fresh=not settled)
        if kind == "digits":
            if max(len(text), len(other)) < 20 and clocks_alike(int(text), answer.at, int(other), reference.answer.at):
                return True
            return self._ids_alike(text, other, names, reference.names, fresh=varying)
        return False

    def _ids_alike(
        self,
        mine: str,
        theirs: str,
        names: Mapping[str, frozenset[str]],
        other_names: Mapping[str, frozenset[str]],
        *,
        fresh: bool,
    ) -> bool:
        """Both were first seen in the same place of their runs; or both are new here and new ones are expected."""
        known, other_known = names.get(mine), other_names.get(theirs)
        if other_known is None and (known is None or (fresh and len(mine) < 4)):
            return fresh  # a small number that varies may have been seen before by accident
        return known is not None and other_known is not None and bool(known & other_known)

    def _pieces(self, text: str) -> list[tuple[str, str]]:
        """A text cut into (kind, text): version, uuid, time, http, date, hash, digits, text."""
        if self._version is None:
            return list(token_pieces(text))
        pieces: list[tuple[str, str]] = []
        end = 0
        for match in self._version.finditer(text):
            pieces.extend(token_pieces(text[end : match.start()]))
            pieces.append(("version", match.group()))
            end = match.end()
        pieces.extend(token_pieces(text[end:]))
        return pieces


def learned(
    runs: Sequence[Sequence[Reading]], raw: Sequence[Sequence[Sequence[Mapping[str, Any]]]], versions: Iterable[str]
) -> Noise:
    """The noise that families of identical runs show. `runs[f]` are the readings of family f (the same routing again and
    again, read without noise), `raw[f][r][step]` the variables saved by run r of family f after that step."""
    versions = tuple(versions)
    plain = NO_NOISE
    for _ in range(3):  # order first hides inside differences: two rounds settle it, the third is a guard
        found = _differences(runs, plain, versions)
        if found == plain:
            break
        plain = found
    saved = frozenset(
        name
        for family in raw
        for step in range(max((len(run) for run in family), default=0))
        for name in {n for run in family for n in (run[step] if step < len(run) else {})}
        if len({repr(run[step].get(name)) for run in family if step < len(run) and name in run[step]}) > 1
    )
    varying = plain.masked
    followed = [
        [
            reading(one.answers, raw[f][r] if r < len(raw[f]) else (), Noise(varying=varying, saved=saved))
            for r, one in enumerate(family)
        ]
        for f, family in enumerate(runs)
    ]
    rest = _differences(followed, Noise(varying=varying, unordered=plain.unordered, saved=saved), versions)
    return Noise(varying, rest.masked, plain.unordered | rest.unordered, saved)


def _differences(runs: Sequence[Sequence[Reading]], known: Noise, versions: tuple[str, ...]) -> Noise:
    masked: set[PathKey] = set(known.masked)
    unordered: set[PathKey] = set(known.unordered)
    comparison = Comparison(msgspec.structs.replace(known, masked=frozenset()), versions)
    for family in runs:
        for index, one in enumerate(family):
            for other in family[:index] + family[index + 1 :]:  # type: ignore[operator]
                for step, seen in enumerate(one.answers):
                    against = other.answers[step] if step < len(other.answers) else None
                    if seen is None or against is None or seen.broken or against.broken:
                        continue
                    reference = Reference("pure", against, other.names[step])
                    for place in comparison.unexplained(seen, one.names[step], [reference], step):
                        if place.reason == "the same items in another order":
                            unordered.add((step, place.pattern))
                        else:
                            masked.add((step, place.pattern))
    return Noise(known.varying, frozenset(masked), frozenset(unordered), known.saved)


@functools.lru_cache(maxsize=16_384)  # the items of a list share their patterns
def pattern_of(path: str) -> str:
    """A path with every index and every id-like key replaced.

    >>> pattern_of("body.items[3].id")
    'body.items[].id'
    >>> pattern_of("body.by_id.41173.name")
    'body.by_id.{}.name'
    """
    if "[" in path:
        path = re.sub(r"\[\d+\]", "[]", path)
    if any(character.isdigit() for character in path):
        path = re.sub(r"(?<=\.)(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27})(?=\.|\[|$)", "{}", path)
    return path


def clock_unit(value: float, at: float) -> str:
    """ "s", "ms" or "us" when `value` is the time of the call (within two hours) in that unit, else "".

    >>> clock_unit(1_760_000_000_500, 1_760_000_000.0)
    'ms'
    """
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        if at and abs(value / scale - at) < NEAR:
            return unit
    return ""


def clocks_alike(mine: float, at: float, theirs: float, other_at: float) -> bool:
    """Are both the time of their call in the same unit, equally far from it?"""
    unit = clock_unit(mine, at)
    if not unit or unit != clock_unit(theirs, other_at):
        return False
    scale = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    return abs((mine / scale - at) - (theirs / scale - other_at)) < DRIFT


def times_alike(mine: str, at: float, theirs: str, other_at: float) -> bool:
    """Are both times near their call, written in one way and equally far from it? An hour more is another time. Days must
    be equal, unless a midnight somewhere fell between the calls.

    >>> times_alike("2026-01-01T10:05:00Z", 1767261900.0, "2026-01-01T10:00:00Z", 1767261600.0)
    True
    >>> times_alike("2026-01-01T11:05:00Z", 1767261900.0, "2026-01-01T10:00:00Z", 1767261600.0)
    False
    """
    for (form, moment, precise), (other_form, other, _) in zip(_readings(mine), _readings(theirs), strict=False):
        if form != other_form:
            return False
        if not _near(form, moment - at, precise) or not _near(form, other - other_at, precise):
            continue
        if precise and abs((moment - at) - (other - other_at)) < DRIFT:
            return True
        if not precise and abs(moment - other) < 1.5 * 86_400 and (moment - other) * (at - other_at) >= 0:
            return moment == other or at // 1800 != other_at // 1800
    return False


def time_form(text: str, at: float) -> str:
    """How a time near the call is written ("iso T Z"), with how far from it in half hours; "" when it is not near the
    call: then its value matters."""
    for form, moment, precise in _readings(text):
        offset = moment - at
        if _near(form, offset, precise):
            return f"{form} {round(offset / 1800)}" if precise else form
    return ""


def _near(form: str, offset: float, precise: bool) -> bool:
    """A time without a zone may be local time anywhere; a day may be that of any zone, and the next or the one before."""
    if not precise:
        return -2.5 * 86_400 < offset < 1.5 * 86_400
    return abs(offset) < (15 * 3600 if form.endswith("none") else NEAR + DRIFT)


@functools.lru_cache(maxsize=16_384)
def _readings(text: str) -> tuple[tuple[str, float, bool], ...]:
    """(how it is written, the moment, is there a time of day in it) for every way to read a time."""
    try:
        if text.endswith("GMT"):
            moment = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
            return (("http", moment.timestamp(), True),)
        if not _ISO.match(text):
            return _readings_for_people(text)
        zone = re.search(r"(Z|[+-]\d\d(?::?\d\d)?| UTC)$", text[10:])
        moment = datetime.fromisoformat(text.replace(" UTC", "+00:00").replace(",", "."))
    except ValueError:
        return ()
    if len(text) == 10:
        return (("date", moment.replace(tzinfo=UTC).timestamp(), False),)
    form = "none" if zone is None else "utc" if zone.group(1) in ("Z", "+00:00", "+00", "+0000", " UTC") else "offset"
    return ((f"iso {text[10]} {form}", (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), True),)


def _readings_for_people(text: str) -> tuple[tuple[str, float, bool], ...]:
    """`24/11/2026 02:58`, `Nov 24, 2026`: days and months are tried both ways."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    month = re.search(_MONTHS, text)
    if month is not None:
        day, year, *rest = numbers
        dates = [(year, _MONTHS.split("|").index(month.group()) + 1, day)]
    else:
        one, two, three, *rest = numbers
        dates = [(one, two, three)] if one > 31 else [(three, two, one), (three, one, two)]
    if rest and text[-2:].lower() in ("am", "pm"):
        rest[0] = rest[0] % 12 + 12 * (text[-2:].lower() == "pm")
    form = "human " + re.sub(r"[A-Za-z]+", "x", re.sub(r"\d+", "9", text)) + " none"
    found: list[tuple[str, float, bool]] = []
    for year, number, day in dates:
        try:
            hour, minute, second = [*rest, 0, 0, 0][:3]
            moment = datetime(year, number, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            found.append((form, float("inf"), bool(rest)))  # keeps both ways to read two texts side by side
            continue
        found.append((form, moment.timestamp(), bool(rest)))
    return tuple(found)


def losses(seen: Any, own: Sequence[Any], path: str = "body") -> tuple[str, ...]:
    """Places that hold a value in every one of the `own` answers (runs on the reader's side alone) and are absent or
    null in `seen`.

    >>> losses({"id": 1, "note": None}, [{"id": 7, "note": "x"}])
    ('body.note',)
    """
    if not own or any(seen == other for other in own):
        return ()
    if isinstance(seen, dict) and all(isinstance(other, dict) for other in own):
        found: list[str] = []
        for key in own[0]:
            values = [other.get(key) for other in own]
            if any(value is None for value in values):
                continue
            if seen.get(key) is None:
                found.append(f"{path}.{key}")
            else:
                found.extend(losses(seen[key], values, f"{path}.{key}"))
        return tuple(found)
    if isinstance(seen, list) and all(isinstance(other, list) and len(other) == len(seen) for other in own):
        return tuple(
            place
            for index, item in enumerate(seen)
            for place in losses(item, [other[index] for other in own], f"{path}[{index}]")
        )
    return ()


def describe(value: Any) -> str | None:
    return None if value is MISSING else json_text(value)


def emptied(seen: Sequence[Any], full: Sequence[Any], path: str = "body") -> tuple[str, ...]:
    """Places where all of `full` have an array with items and all of `seen` an array without.

    >>> emptied([{"hits": []}], [{"hits": [1]}])
    ('body.hits',)
    """
    if all(isinstance(value, list) for value in (*seen, *full)):
        return (path,) if all(full) and not any(seen) else ()
    if not all(isinstance(value, dict) for value in (*seen, *full)):
        return ()
    shared = [key for key in full[0] if all(key in value for value in (*seen, *full))]
    return tuple(
        place
        for key in shared
        for place in emptied([value[key] for value in seen], [value[key] for value in full], f"{path}.{key}")
    )


def _ages_alike(pattern: str, seen: Any, value: Any) -> bool:
    """Two ages of something that happened in the run: whole seconds are equal in quick runs and not in slow ones.

    >>> _ages_alike("body.age_seconds", 0, 3), _ages_alike("body.when", "just now", "2 seconds ago")
    (True, True)
    """
    if isinstance(seen, str) and isinstance(value, str):
        return bool(_AGE_TEXT.search(seen)) and bool(_AGE_TEXT.search(value))
    if isinstance(seen, bool) or isinstance(value, bool):
        return False
    if not isinstance(seen, int | float) or not isinstance(value, int | float):
        return False
    last = re.split(r"[.\[]", pattern)[-1] if "[]" not in pattern[-2:] else pattern
    return bool(_AGE_NAME.search(last)) and abs(seen - value) <= AGE_DRIFT


def _equal(seen: Any, value: Any) -> bool:
    """The same value for certain; `true` and `1`, which are equal in Python also inside objects, are not."""
    if type(seen) is not type(value) or seen != value:
        return False
    return not isinstance(seen, dict | list) or msgspec.json.encode(seen) == msgspec.json.encode(value)


def value_at(answer: Answer, path: str) -> Any:
    """The value at a path such as "body.items[0].id"; MISSING where there is none."""
    if path == "status":
        return answer.status
    if path.startswith("header."):
        return answer.headers.get(path[7:], MISSING)
    value = answer.body
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path[4:] if path.startswith("body") else path):
        if name:
            value = value.get(name, MISSING) if isinstance(value, dict) else MISSING
        else:
            position = int(index)
            value = value[position] if isinstance(value, list) and position < len(value) else MISSING
        if value is MISSING:
            return MISSING
    return value


def says_nothing(value: Any) -> bool:
    """Whether a text was made around a value that is not there, which it should not even where it is noise.

    >>> says_nothing("/articles/None"), says_nothing("Hello undefined!"), says_nothing("Nonesuch"), says_nothing(None)
    (True, True, False, False)
    """
    return isinstance(value, str) and _NOTHING.search(value) is not None


def _version_pattern(marks: Sequence[str]) -> re.Pattern[str] | None:
    """The version strings where they stand for themselves, not as part of a longer number."""
    if not marks:
        return None
    longest_first = "|".join(sorted(marks, key=len, reverse=True))
    return re.compile(rf"(?<![0-9.])(?:{longest_first})(?![0-9A-Za-z]|\.[0-9])")


def token_pieces(text: str) -> Iterable[tuple[str, str]]:
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            yield "text", text[end : match.start()]
        kind = match.lastgroup or "word"
        if kind != "word":
            yield kind, match.group()
        else:
            yield from _word_pieces(match.group())
        end = match.end()
    if end < len(text):
        yield "text", text[end:]


def _word_pieces(word: str) -> Iterable[tuple[str, str]]:
    if word.isdigit():
        yield "digits", word
        return
    parts = _SEPARATORS.split(word)
    if len(parts) > 1 and not random_text(word):  # "thumbnails/ff71b0145450262a": each part for itself
        for part in parts:
            if part and _SEPARATORS.fullmatch(part):
                yield "text", part
            elif part:
                yield from _word_pieces(part)
        return
    prefixed = _PREFIXED.fullmatch(word)
    if prefixed is not None and any(c.isdigit() for c in prefixed.group(2)):
        yield "text", prefixed.group(1)
        yield "hash", prefixed.group(2)
        return
    has_digit = any(c.isdigit() for c in word)
    has_letter = any(c.isalpha() for c in word)
    mixed_case = word.lower() != word and word.upper() != word
    if (has_digit and has_letter and _HEX.fullmatch(word)) or (
        _OPAQUE.fullmatch(word) and has_letter and has_digit and (mixed_case or _many_digits(word))
    ):
        yield "hash", word
    elif has_digit:
        for piece in _DIGITS.findall(word):
            yield ("digits" if piece.isdigit() else "text"), piece
    else:
        yield "text", word


def random_text(text: str) -> bool:
    """Base64 as a whole: letters of both cases and digits, changing often from one to the other.

    >>> random_text("q83vEjRWeJq+/83vASNFZ4mrze8="), random_text("internationalization/v2/Orders")
    (True, False)
    """
    if not _BLOB.fullmatch(text):
        return False
    classes = ["u" if c.isupper() else "l" if c.islower() else "d" if c.isdigit() else "s" for c in text]
    changes = sum(a != b for a, b in itertools.pairwise(classes))
    return {"u", "l", "d"} <= set(classes) and changes >= 0.4 * len(text)


def _many_digits(word: str) -> bool:
    """Digits and letters change often, as in a random token, unlike in "order-number-2024"."""
    changes = sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(word))
    return changes >= 5


def _leaves(seen: Answer) -> Iterable[tuple[str, Any]]:
    for name, value in seen.headers.items():
        yield f"header.{name}", value
    yield from _walk(seen.body, "body")


def _walk(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    stack: list[tuple[str, Any]] = [(path, value)]
    while stack:
        where, item = stack.pop()
        if isinstance(item, dict):
            stack.extend((f"{where}.{key}", inner) for key, inner in item.items())
        elif isinstance(item, list):
            stack.extend((f"{where}[]", inner) for inner in item)
        elif isinstance(item, str | int) and not isinstance(item, bool):
            yield pattern_of(where), item


def _nameable(value: Any, varying: bool) -> tuple[str, ...]:
    """The tokens of a leaf by which it can be known again later in the run."""
    if isinstance(value, int):
        return (str(value),) if varying else ()
    if not isinstance(value, str) or len(value) > 4096:
        return ()
    if not varying:
        return _ids_in(value) if len(value) >= 8 else ()  # no id or token is shorter
    return (value, *(text for kind, text in token_pieces(value) if kind in ("uuid", "hash", "digits")))


@functools.lru_cache(maxsize=65_536)  # the same texts come again in every run
def _ids_in(text: str) -> tuple[str, ...]:
    ids = tuple(piece for kind, piece in token_pieces(text) if kind in ("uuid", "hash"))
    return (text, *ids) if random_text(text) else ids
