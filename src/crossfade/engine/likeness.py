"""Is one value of a run the other value of another run, under a renaming of ids that grows as they are compared?

Ids are known by what they are (a uuid, a hash, the key of a new row) or by where they stand (a place that varies from run
to run); a clock is alike to one that is as far from its run.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from crossfade.engine.outcomes import Blur, Place, Scene, cut
from crossfade.engine.sameness import _ages_alike, _readings, clock_unit, random_text, time_form, times_alike

CLOCK_DRIFT = 120.0  # seconds: how much further from its run a time may lie in one run than in another
DRAWN = 15  # digits: a number so long was drawn, not counted

_SCALES = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_CLOCKS = ("time", "http", "date", "human")
_IDENTIFIER = re.compile(r"(?:^|[._])(?:id|number|no|code|key|ref|reference)$|I[dD]$", re.I)
AGE = re.compile(
    r"(?:^|[._])(?:age_?sec(?:ond)?s?|age_s|(?:uptime|elapsed|ttl|expires_?in)(?:_?s(?:ec(?:ond)?s?)?)?)$", re.I
)
_HEX = re.compile(r"[0-9a-fA-F]{8,}")


class Naming:
    """A renaming, one to one, that can be taken back to an earlier point."""

    def __init__(self, fixed: Collection[str]) -> None:
        self._fixed = fixed
        self._forward: dict[str, str] = {}
        self._backward: dict[str, str] = {}
        self._trail: list[str] = []

    def same(self, mine: str, theirs: str) -> bool:
        if mine in self._fixed or theirs in self._fixed:
            return mine == theirs
        known, back = self._forward.get(mine), self._backward.get(theirs)
        if known is None and back is None:
            self._forward[mine] = theirs
            self._backward[theirs] = mine
            self._trail.append(mine)
            return True
        return known == theirs

    def mark(self) -> int:
        return len(self._trail)

    def back_to(self, mark: int) -> None:
        while len(self._trail) > mark:
            del self._backward[self._forward.pop(self._trail.pop())]


class Likeness:
    """Compares values of `mine` with values of `theirs`. A value found alike may have named an id in `naming`. `drawn`
    collects the places where a random text stood for another: the next one there may not look random at all."""

    def __init__(self, mine: Scene, theirs: Scene, blur: Blur, naming: Naming) -> None:
        self._mine, self._theirs, self._blur, self._naming = mine, theirs, blur, naming
        self._now, self._other_now = mine.outcome.now, theirs.outcome.now
        self.drawn: set[Place] = set()

    def leaf(self, place: Place, mine: Any, theirs: Any) -> bool:
        if isinstance(mine, str) and isinstance(theirs, str):
            mark = self._naming.mark()
            if self.texts_alike(mine, theirs) or _ages_alike("", mine, theirs):
                if mine != theirs and _is_drawn(mine) and _is_drawn(theirs):
                    self.drawn.add(place)
                return True
            self._naming.back_to(mark)
            return place in self._blur.varying and self._varying_alike(place, mine, theirs, 6)
        if is_number(mine) and is_number(theirs):
            return self._numbers_alike(place, mine, theirs)
        return type(mine) is type(theirs) and bool(mine == theirs)

    def is_clock(self, leaf: Any) -> bool:
        """Whether a value of `mine` tells a time near its run."""
        if isinstance(leaf, str):
            return any(kind in _CLOCKS and time_form(text, self._now) for kind, text in cut(leaf))
        return is_number(leaf) and bool(clock_unit(leaf, self._now))

    def _numbers_alike(self, place: Place, mine: float, theirs: float) -> bool:
        one, other = str(mine), str(theirs)
        if self._both_ids(one, other):
            return self._naming.same(one, other)
        if place in self._blur.varying:
            return self._varying_alike(place, one, other, 4 if _IDENTIFIER.search(place[1]) else 6)
        if mine == theirs or abs(mine - theirs) <= 1e-9 * max(abs(mine), abs(theirs)):
            return True
        if self._clocks_alike(mine, theirs):
            return True
        if isinstance(mine, int) and isinstance(theirs, int) and len(one) == len(other) >= DRAWN:
            return self._naming.same(one, other)
        return bool(AGE.search(place[1])) and abs(mine - theirs) <= CLOCK_DRIFT

    def _both_ids(self, mine: str, theirs: str) -> bool:
        """A number that is no key of a new row may still be the key of a row that is missing; an equal amount is not."""
        if mine in self._mine.ids:
            return theirs in self._theirs.ids or (mine != theirs and len(theirs) > 3 and theirs.isdigit())
        return theirs in self._theirs.ids and mine != theirs and len(mine) > 3 and mine.isdigit()

    def _varying_alike(self, place: Place, mine: str, theirs: str, least: int) -> bool:
        """Short values that vary are equal by accident too often to be followed."""
        if len(mine) < least or len(theirs) < least or "." in mine:
            return True
        return self._naming.same(mine, theirs)

    def texts_alike(self, mine: str, theirs: str) -> bool:
        if mine == theirs and not any(c.isdigit() for c in mine):
            return True
        if random_text(mine) and random_text(theirs):
            return self._naming.same(mine, theirs)
        ours, others = cut(mine), cut(theirs)
        if len(ours) != len(others):
            return False
        return all(
            self._pieces_alike(kind, text, other_kind, other)
            for (kind, text), (other_kind, other) in zip(ours, others, strict=True)
        )

    def _pieces_alike(self, kind: str, mine: str, other_kind: str, theirs: str) -> bool:
        if kind != other_kind:  # hex of one length, one of the two by chance without a letter
            random = {kind, other_kind} == {"hash", "digits"} and len(mine) == len(theirs)
            return random and bool(_HEX.fullmatch(mine) and _HEX.fullmatch(theirs)) and self._naming.same(mine, theirs)
        if kind in ("uuid", "hash"):
            return self._naming.same(mine, theirs)
        if (kind == "digits" and len(mine) == len(theirs)) or (kind == "digits" and mine[0] != "0" != theirs[0]):
            one, other = mine.lstrip("0"), theirs.lstrip("0")  # ORD-00041173
            if self._both_ids(one, other):
                return self._naming.same(one, other)
        if mine == theirs:
            return True
        if kind in _CLOCKS:
            return times_alike(mine, self._now, theirs, self._other_now) and self._as_far(mine, theirs)
        if kind != "digits":
            return False
        if max(len(mine), len(theirs)) < 20 and self._clocks_alike(int(mine), int(theirs)):
            return True
        return len(mine) == len(theirs) >= DRAWN and self._naming.same(mine, theirs)

    def _as_far(self, mine: str, theirs: str) -> bool:
        """Two times near their runs are also equally far from them: ten minutes more on a lease are a difference."""
        pairs = zip(_readings(mine), _readings(theirs), strict=False)
        return any(
            not precise or abs((one - self._now) - (other - self._other_now)) <= CLOCK_DRIFT
            for (_, one, precise), (_, other, _) in pairs
        )

    def _clocks_alike(self, mine: float, theirs: float) -> bool:
        unit = clock_unit(mine, self._now)
        if not unit or unit != clock_unit(theirs, self._other_now):
            return False
        scale = _SCALES[unit]
        return abs((mine / scale - self._now) - (theirs / scale - self._other_now)) <= CLOCK_DRIFT


def _is_drawn(text: str) -> bool:
    return random_text(text) or any(kind == "hash" for kind, _ in cut(text))


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
