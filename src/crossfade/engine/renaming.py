"""Are two outcomes equal up to renaming of ids?

They are when one renaming, one to one, turns one into the other: so a row linked to the wrong parent, or one id given
twice, differs, whatever the ids are. Answers and rows that were there are compared place by place first; new rows and keys
are then paired, those with one possible partner first (they settle others), and where several partners fit equally all
choices are tried within a small budget. Clocks near the run are equal to their like. What differs is told leaf by leaf.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from crossfade.engine.answers import Answer
from crossfade.engine.likeness import AGE, Likeness, Naming, is_number
from crossfade.engine.outcomes import Blur, Entry, Place, Scene, leaves, named
from crossfade.engine.sameness import MISSING, pattern_of

TRIES = 24  # of other pairings of entries that look alike, before two outcomes count as different
TOLD_TRIES = 4  # of them when the closest pairing is looked for, to tell what differs
PAIRED = 60  # items of a list are paired with those of another list up to this many
KEY_WEIGHT = 3  # of a difference in a row's key: rows with the same key are rather the same row


class Gap(msgspec.Struct, frozen=True):
    """One place where two outcomes differ; `path` is for people, MISSING stands for nothing there. `form`: leaf (two
    values), shape (one is missing or of another type or length), order (of a list's items), count (an entry too many or
    too few)."""

    place: Place
    path: str
    seen: Any
    there: Any
    form: str = "leaf"
    weight: int = 1


def gaps(
    mine: Scene, theirs: Scene, actors: Iterable[int], blur: Blur, fixed: frozenset[str], strict: bool
) -> list[Gap]:
    """Where `mine` differs from `theirs`, at the closest pairing found; empty when they are equal. Only the answers of
    `actors` are compared. `fixed`: ids that keep their names. `strict`: a list in an answer differs when its
    items stand in another order, even when they carry ids or clocks (such a list mostly stands in the order in which ids
    were drawn, which need not be that of effects)."""
    actors = tuple(actors)
    best: list[Gap] = []
    for attempt, matching in enumerate(_attempts(mine, theirs, blur, fixed, strict)):
        found: list[Gap] = []
        matching.run(actors, found)
        if attempt == 0 or weight(found) < weight(best):
            best = found
        if not best or attempt + 1 == TOLD_TRIES:
            break
    return best


def equal(
    mine: Scene, theirs: Scene, actors: Iterable[int], blur: Blur, fixed: frozenset[str], strict: bool = False
) -> bool:
    """Whether a renaming makes them equal; quicker than `gaps`, and tries more pairings."""
    actors = tuple(actors)
    for matching in _attempts(mine, theirs, blur, fixed, strict):
        try:
            matching.run(actors, _Probe())
        except _Differs:
            continue
        return True
    return False


def drawn(mine: Scene, theirs: Scene, actors: Iterable[int], blur: Blur, fixed: frozenset[str]) -> frozenset[Place]:
    """The places where one random text stands for another."""
    matching = next(_attempts(mine, theirs, blur, fixed, True))
    matching.run(tuple(actors), [])
    return frozenset(matching.like.drawn)


def _attempts(mine: Scene, theirs: Scene, blur: Blur, fixed: frozenset[str], strict: bool) -> Iterator[_Matching]:
    """One matching after the other, each to be run before the next is asked for: depth first over the points where
    several partners fit."""
    choices: list[int] = []
    for _ in range(TRIES):
        matching = _Matching(mine, theirs, blur, fixed, strict, choices)
        yield matching
        taken = matching.taken
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        choices = [chosen for chosen, _ in taken[:-1]] + [taken[-1][0] + 1]


def weight(found: Iterable[Gap]) -> int:
    return sum(gap.weight for gap in found)


class _Differs(Exception):
    """Ends a comparison that only asks whether there is any difference."""


class _Probe(list[Gap]):
    def append(self, gap: Gap) -> None:
        raise _Differs

    def extend(self, found: Iterable[Gap]) -> None:
        if any(True for _ in found):
            raise _Differs


Mark = tuple[str, tuple[tuple[str, str], ...]]
Postponed = tuple[str, str, str, list[Any], list[Any]]


class _Matching:
    """One attempt at a renaming. `choices` says which partner is taken at the first points where several fit; `taken`
    is what was chosen at all of them, each with the number of partners there were."""

    def __init__(
        self, mine: Scene, theirs: Scene, blur: Blur, fixed: frozenset[str], strict: bool, choices: Sequence[int]
    ) -> None:
        self._mine, self._theirs, self._blur, self._strict = mine, theirs, blur, strict
        self._naming = Naming(fixed | mine.known | theirs.known)
        self.like = Likeness(mine, theirs, blur, self._naming)
        self._choices = choices
        self.taken: list[tuple[int, int]] = []
        self._later: list[Postponed] | None = None

    def run(self, actors: Iterable[int], found: list[Gap]) -> None:
        later: list[Postponed] = []
        self._later = later
        mine, theirs = self._mine, self._theirs
        for actor in actors:
            self._answer(f"answer {actor}", _at(mine.answers, actor), _at(theirs.answers, actor), found)
        for read in range(max(len(mine.reads), len(theirs.reads))):
            self._answer(f"read {read}", _at(mine.reads, read), _at(theirs.reads, read), found)
        self._later = None
        if mine.outcome.delta.complete and theirs.outcome.delta.complete:
            self._kept(found)
            self._entries(found)
        for place, label, path, one, other in later:
            self._list(place, label, path, one, other, found)

    def _answer(self, place: str, mine: Answer | None, theirs: Answer | None, found: list[Gap]) -> None:
        if mine is None or theirs is None:
            if mine is not theirs:
                found.append(Gap((place, ""), place, _shown(mine), _shown(theirs), "shape", 3))
            return
        if mine.status != theirs.status:
            if (place, "status") not in self._blur.masked:
                found.append(Gap((place, "status"), f"{place} status", _shown(mine), _shown(theirs), "leaf", 3))
            return
        if mine.status >= 500 or mine.status == 0:
            return  # what an error says of itself is worth nothing
        for header in sorted({*mine.headers, *theirs.headers}):
            one, other = mine.headers.get(header, MISSING), theirs.headers.get(header, MISSING)
            self._tree(place, place, f"header.{header}", one, other, found)
        self._tree(place, place, "body", mine.body, theirs.body, found)

    def _kept(self, found: list[Gap]) -> None:
        """Rows that were there: one that only one of the two changed is, in the other, as it was."""
        mine, theirs = self._mine.kept, self._theirs.kept
        for identity in sorted({*mine, *theirs}):
            one, other = mine.get(identity), theirs.get(identity)
            known = one or other
            assert known is not None
            after = one.after if one else known.before
            there = other.after if other else known.before
            group = identity[0]
            if (after is None) != (there is None):
                if (group, "deleted") not in self._blur.masked:
                    gone, still = (MISSING, there) if after is None else (after, MISSING)
                    found.append(Gap((group, "deleted"), known.label, gone, still, "shape", KEY_WEIGHT))
            elif after is not None:
                self._tree(group, known.label, "", after, there, found)

    def _entries(self, found: list[Gap]) -> None:
        mine = [entry for entry in self._mine.entries if entry.group not in self._blur.uncounted]
        theirs = [entry for entry in self._theirs.entries if entry.group not in self._blur.uncounted]

        def compare(one: int, other: int, into: list[Gap]) -> None:
            self._entry(mine[one], theirs[other], into)

        ours, others = [self._mark(entry) for entry in mine], [self._mark(entry) for entry in theirs]
        if isinstance(found, _Probe) and Counter(ours) != Counter(others):
            raise _Differs

        def possible(one: int, other: int) -> bool:
            return mine[one].group == theirs[other].group

        def fitting(one: int, other: int) -> bool:
            return ours[one] == others[other]

        extra, missing = self._pair(
            len(mine), len(theirs), compare, fitting, possible, found, lambda one, cost: cost < mine[one].leaves
        )
        for index in extra:
            entry = mine[index]
            found.append(Gap((entry.group, ""), entry.label, entry.content, MISSING, "count", KEY_WEIGHT))
        for index in missing:
            entry = theirs[index]
            found.append(Gap((entry.group, ""), entry.group, MISSING, entry.content, "count", KEY_WEIGHT))

    def _mark(self, entry: Entry) -> Mark:
        """What of an entry must be the same in its partner, whatever the ids are: leaves that are only equal to
        themselves. Says quickly that two entries differ, never that they are equal."""
        loose = [path for group, path in self._blur.masked | self._blur.varying if group == entry.group]
        firm = []
        for path, leaf in leaves(entry.content):
            pattern = pattern_of(path)
            if any(c.isdigit() for c in pattern) or any(pattern.startswith(where) for where in loose):
                continue
            if isinstance(leaf, bool) or (isinstance(leaf, str) and _is_plain(leaf)):
                firm.append((pattern, repr(leaf)))
            elif isinstance(leaf, int) and abs(leaf) < 1000 and not AGE.search(pattern):
                firm.append((pattern, str(leaf)))
        return entry.group, tuple(sorted(firm))

    def _entry(self, mine: Entry, theirs: Entry, found: list[Gap]) -> None:
        inside: list[Gap] = _Probe() if isinstance(found, _Probe) else []
        self._tree(mine.group, mine.label, "", mine.content, theirs.content, inside)
        for gap in inside:
            heavy = gap.place[1][1:] in mine.key
            found.append(msgspec.structs.replace(gap, weight=KEY_WEIGHT) if heavy else gap)

    def _tree(self, place: str, label: str, path: str, mine: Any, theirs: Any, found: list[Gap]) -> None:
        pattern = pattern_of(path)
        if (place, pattern) in self._blur.masked:
            return
        if isinstance(mine, dict) and isinstance(theirs, dict):
            self._object(place, label, path, mine, theirs, found)
        elif isinstance(mine, list) and isinstance(theirs, list):
            self._list(place, label, path, mine, theirs, found)
        elif not self.like.leaf((place, pattern), mine, theirs):
            plain = _is_scalar(mine) and _is_scalar(theirs)
            shown = label if place == label and not path else f"{label} {path}"
            found.append(Gap((place, pattern), shown, mine, theirs, "leaf" if plain else "shape"))

    def _object(
        self, place: str, label: str, path: str, mine: dict[str, Any], theirs: dict[str, Any], found: list[Gap]
    ) -> None:
        free = [name for name in theirs if name not in mine]
        for name, value in mine.items():
            other = name
            if name not in theirs:
                other = next((key for key in free if self._names_alike(name, key)), name)
                if other in free:
                    free.remove(other)
            self._tree(place, label, f"{path}.{name}", value, theirs.get(other, MISSING), found)
        for name in free:
            self._tree(place, label, f"{path}.{name}", MISSING, theirs[name], found)

    def _names_alike(self, mine: str, theirs: str) -> bool:
        """Names of fields that are ids; a plain name is only alike to itself."""
        return any(c.isdigit() for c in mine) and self.like.texts_alike(mine, theirs)

    def _list(self, place: str, label: str, path: str, mine: list[Any], theirs: list[Any], found: list[Gap]) -> None:
        pattern = pattern_of(path)
        if len(mine) != len(theirs):
            if (place, pattern) not in self._blur.masked:
                found.append(Gap((place, pattern), f"{label} {path}", mine, theirs, "shape", 1))
            return

        def compare(one: int, other: int, into: list[Gap]) -> None:
            self._tree(place, label, f"{path}[{one}]", mine[one], theirs[other], into)

        mark = self._naming.mark()
        inside: list[Gap] = []
        for index in range(len(mine)):
            compare(index, index, inside)
        if len(mine) > 1 and self._later is not None and (inside or self._naming.mark() > mark):
            self._naming.back_to(mark)  # rows say better than positions which id is which
            self._later.append((place, label, path, mine, theirs))
            return
        if 1 < len(mine) <= PAIRED and inside:
            self._naming.back_to(mark)
            across: list[Gap] = []
            self._pair(len(mine), len(theirs), compare, _always, _always, across, lambda one, cost: True)
            if weight(across) < weight(inside):
                if (place, pattern) not in self._blur.unordered and (
                    self._strict or not self._is_free(place, pattern, mine)
                ):
                    found.append(Gap((place, pattern), f"{label} {path}", mine, theirs, "order"))
                found.extend(across)
                return
            self._naming.back_to(mark)
            inside = []
            for index in range(len(mine)):
                compare(index, index, inside)
        found.extend(inside)

    def _is_free(self, place: str, pattern: str, items: list[Any]) -> bool:
        """Is it a list in an answer whose order says nothing by itself? One of objects (whether they have an order at all,
        two or three runs do not tell), or of what a run draws, ids or clocks."""
        if not place.startswith(("answer ", "read ")):
            return False
        if all(isinstance(item, dict) for item in items):
            return True
        drawn = any(where == place and path.startswith(f"{pattern}[]") for where, path in self._blur.varying)
        return drawn or all(
            any(True for _ in named(item, self._mine.ids)) or any(self.like.is_clock(leaf) for _, leaf in leaves(item))
            for item in items
        )

    # ── pairing ─────────────────────────────────────────────────────────────

    def _pair(
        self,
        mine: int,
        theirs: int,
        compare: Callable[[int, int, list[Gap]], None],
        fitting: Callable[[int, int], bool],
        possible: Callable[[int, int], bool],
        found: list[Gap],
        close: Callable[[int, int], bool],
    ) -> tuple[list[int], list[int]]:
        """Pairs two collections and adds what differs within pairs; returns those left without a partner. Only what is
        `fitting` can be equal, only what is `possible` and `close` enough is the same thing at all."""
        free, waiting, rest = list(range(theirs)), list(range(mine)), list[int]()

        def partners(one: int, enough: int) -> list[int]:
            found: list[int] = []
            for other in free:
                if fitting(one, other) and self._fits(compare, one, other):
                    found.append(other)
                    if len(found) == enough:
                        break
            return found

        while waiting:
            before = len(waiting)
            for one in list(waiting):
                some = partners(one, 2)
                if len(some) == 2:
                    continue
                waiting.remove(one)
                if some:
                    compare(one, some[0], [])
                    free.remove(some[0])
                elif isinstance(found, _Probe):
                    raise _Differs
                else:
                    rest.append(one)
            if waiting and len(waiting) == before:
                one = min(waiting, key=lambda one: sum(fitting(one, other) for other in free))  # the fewest wrong turns
                waiting.remove(one)
                some = partners(one, 0)
                other = some[self._choose(len(some))]
                compare(one, other, [])
                free.remove(other)
        rest.sort()
        for cost, one, other in self._costs(rest, free, compare, possible):
            if one in rest and other in free and close(one, cost):
                compare(one, other, found)
                rest.remove(one)
                free.remove(other)
        return rest, free

    def _fits(self, compare: Callable[[int, int, list[Gap]], None], one: int, other: int) -> bool:
        mark = self._naming.mark()
        try:
            compare(one, other, _Probe())
        except _Differs:
            return False
        finally:
            self._naming.back_to(mark)
        return True

    def _costs(
        self,
        rest: Sequence[int],
        free: Sequence[int],
        compare: Callable[[int, int, list[Gap]], None],
        possible: Callable[[int, int], bool],
    ) -> list[tuple[int, int, int]]:
        if len(rest) * len(free) > 4 * PAIRED:
            return [(0, one, other) for one, other in zip(rest, free, strict=False) if possible(one, other)]
        costs: list[tuple[int, int, int]] = []
        for one in rest:
            for other in free:
                if possible(one, other):
                    mark = self._naming.mark()
                    inside: list[Gap] = []
                    compare(one, other, inside)
                    self._naming.back_to(mark)
                    costs.append((weight(inside), one, other))
        return sorted(costs)

    def _choose(self, count: int) -> int:
        number = len(self.taken)
        chosen = self._choices[number] if number < len(self._choices) else 0
        chosen = min(chosen, count - 1)
        self.taken.append((chosen, count))
        return chosen


def _always(one: int, other: int) -> bool:
    return True


def _is_plain(text: str) -> bool:
    """Whether a text is only equal to itself: no id, clock or age is in it."""
    return not any(c.isdigit() for c in text) and " ago" not in text and "now" not in text.lower()


def _at(answers: Sequence[Answer | None], index: int) -> Answer | None:
    return answers[index] if index < len(answers) else None


def _shown(answer: Answer | None) -> Any:
    if answer is None:
        return MISSING
    return answer.status or f"no answer: {answer.failure}"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str) or is_number(value)
