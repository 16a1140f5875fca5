"""Does some serial order explain what calls left that ran at the same time?

The idea is old (Papadimitriou 1979): calls that overlap are right when one after the other could have given the same. The
references are real runs of the same calls by the same sides, one after the other, in every order and with every call left
out in turn; a call that was cleanly turned away counts as not made. What already differs between runs in the same order is
noise: it is learned place by place, followed as an id where that suffices, and else not compared.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crossfade.engine.answers import Answer, graphql_errors, json_text
from crossfade.engine.outcomes import Blur, Entry, Kept, Outcome, Place, Row, Scene, leaves, named, scene
from crossfade.engine.renaming import Gap, drawn, equal, gaps, weight
from crossfade.engine.sameness import MISSING, describe, pattern_of
from crossfade.model.report import Difference

CLEAN_STATUSES = frozenset((409, 412, 423, 425, 429, 503))
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"
CONFLICTS = frozenset((SERIALIZATION_FAILURE, DEADLOCK, "23505", "23P01", "55P03"))  # lock not available, exclusion
CONFLICT_WORDS = (
    "conflict", "concurren", "try again", "retry", "locked", "busy", "in progress", "modified", "stale", "duplicate",
    "already",
)  # fmt: skip
DIFFERENCES_TOLD = 20
LEARNING_ROUNDS = 6

SERIAL, REFUSED, DEADLOCKED, STUCK, LOST = "serial", "refused", "deadlock", "stuck", "lost"
_GRAVITY = (SERIAL, REFUSED, DEADLOCKED, STUCK, LOST)


class Reference(msgspec.Struct, frozen=True):
    """One serial run. `order` names the calls made, one after the other; those not in it were not made."""

    order: tuple[int, ...]
    outcome: Outcome


class Judgement(msgspec.Struct, frozen=True):
    """`kind`: serial; lost (no serial order explains it); refused (the state is explained, but a call got an error that
    no serial order gives); deadlock (the same, with a deadlock the database broke); stuck (a call never came back).
    `order` is the serial order that explains it, or the nearest one; `refused` the calls that were cleanly turned away;
    `differences` where it differs from that order; `limits` what could not be compared."""

    kind: str
    order: tuple[int, ...]
    refused: tuple[int, ...] = ()
    differences: tuple[Difference, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def serial(self) -> bool:
        return self.kind == SERIAL


class Oracle:
    """Judges outcomes of the same calls by the same sides.

    `references`: both orders (all orders of three), each subset in every order, and () at least once; several of one
    order teach what is noise. `answer_noise` / `read_noise`: (actor or index of a read, path pattern such as
    "body.items[].at") that are known to be noise. `background`: rows that change by themselves, as (database, table, key);
    key "*" for a whole table, table "" for a Redis key. `names`: what the calls are called in texts for people."""

    def __init__(
        self,
        references: Sequence[Reference],
        names: Sequence[str] = (),
        answer_noise: Iterable[tuple[int, str]] = (),
        read_noise: Iterable[tuple[int, str]] = (),
        background: Collection[Row] = (),
    ) -> None:
        self._ignored = frozenset(background)
        self._scenes: dict[tuple[int, ...], list[Scene]] = {}
        for reference in references:
            self._scenes.setdefault(reference.order, []).append(scene(reference.outcome, self._ignored))
        self._count = max((len(reference.outcome.answers) for reference in references), default=0)
        self._names = tuple(names) or tuple(f"call {index + 1}" for index in range(self._count))
        self._full = tuple(order for order in self._scenes if len(order) == self._count)
        self._fixed = _constants(self._scenes)
        known = {(f"answer {actor}", pattern) for actor, pattern in answer_noise}
        known |= {(f"read {read}", pattern) for read, pattern in read_noise}
        self._blur = self._learned(
            Blur(
                masked=frozenset(known),
            )
        )

    @property
    def noisy(self) -> tuple[str, ...]:
        """Places that differ between runs in the same order and are therefore not compared, for people."""
        places = [f"{self._titled(place)} {path}".strip() for place, path in self._blur.masked]
        places += [f"{group} (number of new entries)" for group in self._blur.uncounted]
        return tuple(sorted(places))

    @property
    def limits(self) -> tuple[str, ...]:
        """What these references do not allow to be judged."""
        found = []
        if any(not one.outcome.delta.complete for same in self._scenes.values() for one in same):
            found.append("a serial run changed the schema or truncated a table: only answers and reads are compared")
        orders = [
            order
            for size in range(self._count + 1)
            for order in itertools.permutations(range(self._count), size)
            if order not in self._scenes
        ]
        if orders:
            found.append("not run one after the other: " + ", ".join(self._spoken(order) for order in orders))
        return tuple(found)

    def judge(self, outcome: Outcome) -> Judgement:
        seen = scene(outcome, self._ignored)
        limits = self.limits
        if not outcome.delta.complete and not any("schema" in limit for limit in limits):
            limits += ("this run changed the schema or truncated a table: only answers and reads are compared",)
        for order in sorted(self._scenes, key=lambda order: (-len(order), order)):
            left_out = _left_out(outcome, order)
            if all(turned_away(outcome, actor) for actor in left_out) and self._equals(seen, order):
                return Judgement(SERIAL, order, left_out, limits=limits)
        compared = {order: self._against(seen, order) for order in self._scenes}
        explained = [
            (_GRAVITY.index(kind), -len(order), order)
            for order, found in compared.items()
            if (kind := _explained(outcome, order, found)) is not None
        ]
        if explained:
            gravity, _, order = min(explained)
            kind = _GRAVITY[gravity]
        else:
            kind = STUCK if any(_timed_out(answer) for answer in outcome.answers) else LOST
            order = min(
                compared,
                key=lambda order: (
                    _leaves_out_done(outcome, order),
                    _distance(outcome, order, compared[order]),
                    -len(order),
                    order,
                ),
            )
        away = tuple(actor for actor in _left_out(outcome, order) if turned_away(outcome, actor))
        differences = self._told([*_errors(outcome, order), *compared[order]], order, compared)
        return Judgement(kind, order, away, differences, limits)

    def leaves_as(self, outcome: Outcome, alone: Oracle) -> bool:
        """Whether what a run left, and what was read afterwards, is what one version for all calls leaves in some order
        (the references of `alone`), while the calls were answered as in that order there or here.

        Then nobody can tell that anything was lost: where an older version drops a field it does not know, a race may
        keep it, as the newer version alone would."""
        seen = scene(outcome, self._ignored)
        return any(
            alone._matches(seen, order, False)
            and (self._matches(seen, order, True) or alone._matches(seen, order, True))
            for order in alone._full
        )

    def _matches(self, seen: Scene, order: tuple[int, ...], answers: bool) -> bool:
        """Only the answers, or only what was read and left."""
        actors, look = (order, _answers_only) if answers else ((), _itself)
        return any(
            equal(look(seen), look(reference), actors, self._blur, self._fixed)
            for reference in self._scenes.get(order, ())
        )

    def state_texts(self, outcome: Outcome, race: Outcome | None = None) -> tuple[str, ...]:
        """The rows and keys of `outcome` in which `race` (itself, if not given) or any two serial orders of all calls
        differ, one short line each: "accounts id=1: balance 70". Those it left as they were are said to be so."""
        shown = scene(outcome, self._ignored)
        others = [self._scenes[order][0] for order in self._full]
        scenes = [scene(race or outcome, self._ignored), *others]
        places: set[Place] = set()
        for one, other in itertools.combinations(scenes, 2):
            places |= {gap.place for gap in gaps(one, other, (), self._blur, self._fixed, False)}
        return tuple(_state_lines(shown, [*scenes, shown], places))

    # ── learning ────────────────────────────────────────────────────────────

    def _learned(self, blur: Blur) -> Blur:
        """A value that differs between runs in one order, and a place of random texts, is first followed as an id; where it
        still differs, and where more than a value differs, the place is not compared."""
        pairs = [
            (one, other, order)
            for order, same in self._scenes.items()
            for one, other in itertools.islice(itertools.combinations(same, 2), 6)
        ]
        for one, other, order in pairs:
            random = drawn(one, other, order, blur, self._fixed)
            blur = msgspec.structs.replace(blur, varying=blur.varying | random)
        for _ in range(LEARNING_ROUNDS):
            found = [
                gap
                for one, other, order in pairs
                if not equal(one, other, order, blur, self._fixed, True)
                for gap in gaps(one, other, order, blur, self._fixed, True)
                if not _is_answer_itself(gap.place)
            ]
            if not found:
                break
            values = {gap.place for gap in found if gap.form == "leaf"}
            masked = {gap.place for gap in found if gap.form == "shape"} | (values & blur.varying)
            blur = Blur(
                varying=blur.varying | values,
                masked=blur.masked | masked,
                unordered=blur.unordered | {gap.place for gap in found if gap.form == "order"},
                uncounted=blur.uncounted | {gap.place[0] for gap in found if gap.form == "count"},
            )
        return blur

    # ── judging ─────────────────────────────────────────────────────────────

    def _equals(self, seen: Scene, order: tuple[int, ...]) -> bool:
        return any(equal(seen, reference, order, self._blur, self._fixed) for reference in self._scenes[order])

    def _against(self, seen: Scene, order: tuple[int, ...]) -> list[Gap]:
        """The differences to the closest run in this order."""
        best: list[Gap] | None = None
        for reference in self._scenes[order]:
            found = gaps(seen, reference, order, self._blur, self._fixed, False)
            if best is None or weight(found) < weight(best):
                best = found
            if not best:
                break
        return best or []

    # ── telling ─────────────────────────────────────────────────────────────

    def _told(
        self,
        found: Sequence[Gap],
        order: tuple[int, ...],
        compared: Mapping[tuple[int, ...], Sequence[Gap]],
    ) -> tuple[Difference, ...]:
        orders = [*self._full, *(() if order in self._full else (order,))]
        told: dict[str, Difference] = {}
        for gap in found[:DIFFERENCES_TOLD]:
            values = {}
            for other in orders:
                there = {entry.path: entry for entry in reversed(compared[other])}.get(gap.path)
                if there is None and gap.form == "count":  # one too many is one too many, whichever of them it is
                    there = next((entry for entry in compared[other] if _counts_like(gap, entry)), None)
                if any(gap.place[0] == f"answer {actor}" for actor in range(self._count) if actor not in other):
                    continue
                values[other] = gap.seen if there is None else there.there
            path = self._titled(gap.path)
            told.setdefault(path, Difference(path, describe(gap.seen), reason=self._reason(gap, values)))
        return tuple(told.values())

    def _reason(self, gap: Gap, values: Mapping[tuple[int, ...], Any]) -> str:
        if gap.form == "order":
            return "the same items in another order"
        texts = {order: "nothing" if value is MISSING else json_text(value, 120) for order, value in values.items()}
        whole = {order: text for order, text in texts.items() if order in self._full}
        parts = [f"{text} with {self._spoken(order)}" for order, text in texts.items() if order not in whole]
        if len(whole) > 1 and len(set(whole.values())) == 1:
            return "; ".join(
                [f"{next(iter(whole.values()))} in {'either' if len(whole) == 2 else 'every'} order", *parts]
            )
        said = [f"{text} after {self._spoken(order)}" for order, text in whole.items()]
        if len(said) == 2 and self._count == 2:
            said[1] = f"{texts[self._full[1]]} the other way"
        return "; ".join(said + parts)

    def _spoken(self, order: tuple[int, ...]) -> str:
        names = [self._names[actor] if actor < len(self._names) else f"call {actor + 1}" for actor in order]
        if len(names) == 2 and names[0] == names[1]:
            names = [
                f"{name} ({'first' if actor == 0 else 'second'})" for name, actor in zip(names, order, strict=True)
            ]
        if not names:
            return "none of the calls"
        return " then ".join(names) if len(names) > 1 else f"{names[0]} alone"

    def _titled(self, path: str) -> str:
        """ "answer 0 body.left" -> "answer of withdraw body.left"."""
        kind, _, rest = path.partition(" ")
        number, _, tail = rest.partition(" ")
        if kind != "answer" or not number.isdigit() or int(number) >= len(self._names):
            return path
        name = self._names[int(number)]
        if self._names.count(name) > 1:
            name = f"{name} ({int(number) + 1})"
        return f"answer of {name} {tail}".strip()


def _counts_like(gap: Gap, other: Gap) -> bool:
    return (other.form, other.place, other.seen is MISSING) == (gap.form, gap.place, gap.seen is MISSING)


def _answers_only(seen: Scene) -> Scene:
    return msgspec.structs.replace(seen, reads=(), kept={}, entries=())


def _itself(seen: Scene) -> Scene:
    return seen


def _explained(outcome: Outcome, order: tuple[int, ...], found: Sequence[Gap]) -> str | None:
    """How bad it is if this order is taken for what happened; None if it cannot be."""
    kinds = [SERIAL]
    for actor in _left_out(outcome, order):
        answer = outcome.answers[actor]
        if answer is None or answer.works:
            return None
        if not turned_away(outcome, actor):
            kinds.append(_error_kind(outcome, actor))
    for gap in found:
        answered = next((actor for actor in order if gap.place[0] == f"answer {actor}"), None)
        if answered is None or not _without_answer(outcome.answers[answered]):
            return None
        kinds.append(_error_kind(outcome, answered))
    return max(kinds, key=_GRAVITY.index)


def _left_out(outcome: Outcome, order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(actor for actor in range(len(outcome.answers)) if actor not in order)


def _leaves_out_done(outcome: Outcome, order: tuple[int, ...]) -> bool:
    """Whether this order leaves out a call that was answered as done. What it left looks as if it had not been made, but
    what is wrong is told by the orders in which it was."""
    return any((answer := outcome.answers[actor]) is not None and answer.works for actor in _left_out(outcome, order))


def _distance(outcome: Outcome, order: tuple[int, ...], found: Sequence[Gap]) -> int:
    return weight(found) + 3 * len(_errors(outcome, order))


def _errors(outcome: Outcome, order: tuple[int, ...]) -> list[Gap]:
    """The answers of calls that this order leaves out, unless they were cleanly turned away."""
    return [
        Gap((f"answer {actor}", "status"), f"answer {actor} status", _status(answer), MISSING)
        for actor in _left_out(outcome, order)
        if (answer := outcome.answers[actor]) is not None and not turned_away(outcome, actor)
    ]


def turned_away(outcome: Outcome, actor: int) -> bool:
    """Whether a call was told, in a way a caller can act on, that it was not done."""
    answer = outcome.answers[actor]
    if answer is None or answer.status == 0:
        return False
    errors = outcome.errors[actor] if actor < len(outcome.errors) else ()
    if answer.status in CLEAN_STATUSES:
        return True
    if answer.status >= 500:
        return SERIALIZATION_FAILURE in errors
    if answer.refused or graphql_errors(answer):
        return bool(CONFLICTS & set(errors)) or _names_conflict(answer)
    return False


def _names_conflict(answer: Answer) -> bool:
    if answer.body is None:
        return False
    text = (answer.body if isinstance(answer.body, str) else json_text(answer.body, 4000)).lower()
    return any(word in text for word in CONFLICT_WORDS)


def _error_kind(outcome: Outcome, actor: int) -> str:
    if _timed_out(outcome.answers[actor]):
        return STUCK
    return DEADLOCKED if actor < len(outcome.errors) and DEADLOCK in outcome.errors[actor] else REFUSED


def _timed_out(answer: Answer | None) -> bool:
    return answer is not None and answer.status == 0 and answer.failure.startswith("timeout")


def _without_answer(answer: Answer | None) -> bool:
    """An error that does not say whether the call was done."""
    return answer is not None and (answer.status == 0 or answer.status >= 500)


def _status(answer: Answer) -> Any:
    return answer.status or f"no answer: {answer.failure}"


def _is_answer_itself(place: Place) -> bool:
    """A status that differs between runs in one order is no noise: each of these runs explains its own."""
    return place[0].startswith(("answer ", "read ")) and place[1] in ("", "status")


def _constants(scenes: Mapping[tuple[int, ...], Sequence[Scene]]) -> frozenset[str]:
    """Ids that were there before the runs: they come in every one of them. Where () was not run, each order might draw the
    same numbers, and only uuids are told so."""
    every = [one for same in scenes.values() for one in same]
    if len(every) < 2:
        return frozenset()
    found = [set(_names_in(one)) for one in every]
    common = set.intersection(*found)
    return frozenset(text for kind, text in common if kind == "uuid" or () in scenes)


def _names_in(one: Scene) -> Iterable[tuple[str, str]]:
    for answer in (*one.outcome.answers, *one.outcome.reads):
        if answer is not None:
            yield from named([answer.body, *answer.headers.values()], one.ids)
    for kept in one.kept.values():
        yield from named(kept.after, one.ids)
    for entry in one.entries:
        yield from named(entry.content, one.ids)


def _state_lines(shown: Scene, scenes: Sequence[Scene], places: Collection[Place]) -> Iterable[str]:
    groups = {place for place, _ in places}
    rows: dict[tuple[str, str], Kept] = {}
    for one in scenes:
        rows.update({identity: kept for identity, kept in one.kept.items() if identity[0] in groups})
    for identity in sorted(rows):
        known = rows[identity]
        own = shown.kept.get(identity)
        now = known.before if own is None else own.after
        wanted = [one.kept[identity].after if identity in one.kept else known.before for one in scenes]
        texts = [_columns(row, known.before, identity[0], places) for row in wanted]
        if len(set(texts)) > 1 or any(row is None for row in wanted):
            text = _columns(now, known.before, identity[0], places)
            yield f"{_short(known.label)}: {text}" + (" (unchanged)" if own is None else "")
    for group in sorted(groups):
        if not any(entry.group == group for one in scenes for entry in one.entries):
            continue
        counted = (group, "") in places
        lines = [
            [
                (_entry_text(entry, places, counted), _entry_label(entry, counted))
                for entry in one.entries
                if entry.group == group
            ]
            for one in (shown, *scenes)
        ]
        told = sorted(lines[0])
        if not counted:  # entries that every outcome has so are left out
            everywhere = functools.reduce(operator.and_, (Counter(text for text, _ in some) for some in lines))
            for text, count in everywhere.items():
                for line in [line for line in told if line[0] == text][:count]:
                    told.remove(line)
        yield from (f"{label}: {text}" for text, label in told)
        if counted and not lines[0] and not any(row[0] == group for row in rows):
            yield f"{_short(group)}: none"


def _columns(row: Any, before: Any, group: str, places: Collection[Place]) -> str:
    if row is None:
        return "deleted"
    was = dict(leaves(before))
    told = [
        f"{path.lstrip('.')} {_plain(value)}"
        for path, value in leaves(row)
        if _is_in(places, group, path) or ((group, "") in places and was.get(path, MISSING) != value)
    ]
    return ", ".join(told) or "as before"


def _is_in(places: Collection[Place], group: str, path: str) -> bool:
    """Whether a leaf is in a place, or in a list or object that is one."""
    pattern = pattern_of(path)
    return any(
        where == group and (pattern == wide or (wide and pattern.startswith((f"{wide}.", f"{wide}["))))
        for where, wide in places
    )


def _entry_label(entry: Entry, counted: bool) -> str:
    if _is_key(entry):
        return entry.label
    return _short(entry.label) + (" (new)" if counted else "")


def _entry_text(entry: Entry, places: Collection[Place], counted: bool) -> str:
    if _is_key(entry):
        return "gone" if entry.content.get("gone") is True else json_text(entry.content.get("value"), 120)
    told = [
        f"{path.lstrip('.')} {_plain(value)}"
        for path, value in leaves(entry.content)
        if (counted and path.lstrip(".") not in entry.key) or _is_in(places, entry.group, path)
    ]
    text = ", ".join(told)
    return text if len(text) <= 160 else text[:159] + "…"


def _is_key(entry: Entry) -> bool:
    return "name" in entry.key and ("kind" in entry.content or "gone" in entry.content)


def _short(label: str) -> str:
    """ "db public.accounts id=1" -> "accounts id=1"."""
    _, _, rest = label.partition(" ")
    table, space, key = rest.partition(" ")
    return table.rpartition(".")[2] + space + key


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 60 else json_text(value, 60)
