"""Is there no value at all that answers a question? A proof search over disjunctive normal forms, with coinduction.

A is contained in B exactly when `{+A, -B}` has no value. The search unfolds schemas, follows alternatives one by one, and
asks the same question of the parts (items, properties). A question met again inside itself, below at least one step into
a part, is taken to have no value: values are finite, so a smallest one would have a smaller one inside. What was proved
that way is kept for good only when the question it leaned on was proved itself (semantic subtyping: Hosoya and Pierce's
XDuce, Frisch, Castagna and Benzaken's CDuce). Everything not understood counts as "may have a value".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import jsonschema_rs
import msgspec

from crossfade.engine.schema_forms import Form
from crossfade.engine.schema_listed import capacity, finite, fulfils, literal_holds
from crossfade.engine.schema_literals import (
    Atom,
    Branch,
    Literal,
    Question,
    Where,
    alternatives,
    atom,
    branches,
    is_monotone,
    minus,
    plus,
    question,
)
from crossfade.engine.schema_nodes import Node, Universe
from crossfade.engine.schema_numbers import numbers_feasible
from crossfade.engine.schema_regex import Language, language, matches
from crossfade.engine.schema_values import NUMBERS, kind_of, same_key

DEEPEST = 60  # questions inside questions
CLASSES = 4  # patterns whose overlaps are looked at


class Exhausted(Exception):
    """The search took too many steps."""


class _Open(msgspec.Struct, eq=False):
    level: int
    place: int


class _Leaning(msgspec.Struct, eq=False):
    """Proved while `low` (a place on the stack, the deepest that matters) and others up to `level` were assumed."""

    low: int
    level: int


class Prover:
    """Remembers every question it settled. `steps` bounds the work of one call from outside."""

    def __init__(self, universe: Universe, steps: int = 20_000) -> None:
        self.universe, self.most, self.left = universe, steps, steps
        self._settled: dict[frozenset[int], bool] = {}
        self._leaning: dict[frozenset[int], _Leaning] = {}
        self._order: list[frozenset[int]] = []  # of what is leaning, as it was found
        self._stack: dict[frozenset[int], _Open] = {}
        self._low: list[_Leaning] = []  # what the open questions lean on so far
        self._bases: dict[frozenset[int], Form] = {}
        self._level = 0
        self._assumed: dict[frozenset[int], bool] = {}  # component questions of this call
        self._met: dict[frozenset[int], Question] = {}
        self._format_pairs: dict[tuple[str, str], bool] = {}

    def is_empty(self, literals: Iterable[Literal]) -> bool:
        """Whether no value fulfils all of them. False says nothing.

        Questions about two components are settled one by one: each is searched with the others, met inside, assumed to
        have no value; where one turns out not to be proved, those that leaned on it are searched again.
        """
        asked = question(literals)
        if asked is None:
            return True
        root = frozenset(asked)
        if root in self._settled:
            return self._settled[root]
        asked_of: dict[frozenset[int], Question] = {root: asked}
        users: dict[frozenset[int], list[frozenset[int]]] = {}
        self._assumed = {root: True}
        waiting = [root]
        while waiting:
            key = waiting.pop()
            if not self._assumed[key]:
                continue
            self._met = {}
            if not self._search(asked_of[key]):
                self._assumed[key] = False
                waiting.extend(users.get(key, ()))
                continue
            for one, other in self._met.items():
                users.setdefault(one, []).append(key)
                if one not in self._assumed:
                    self._assumed[one] = True
                    asked_of[one] = other
                    waiting.append(one)
        self._settled.update(self._assumed)
        answer = self._assumed[root]
        self._assumed = {}
        return answer

    def _search(self, asked: Question) -> bool:
        self.left, self._level = self.most, 0
        try:
            return self._empty(asked)
        except (Exhausted, RecursionError):
            return False
        finally:
            self._stack.clear()
            self._leaning.clear()
            self._order.clear()
            self._low.clear()
            self._level = 0

    def empty(self, literals: Iterable[Literal]) -> bool:
        asked = question(literals)
        if asked is None:
            return True
        return self._empty(asked)

    def inside(self, literals: Iterable[Literal]) -> bool:
        """The same about a part of the value."""
        self._level += 1
        try:
            return self.empty(literals)
        finally:
            self._level -= 1

    def _empty(self, asked: Question) -> bool:
        if not asked:
            return False
        relevant = self._relevant(asked)
        if relevant is None:
            return True
        asked = relevant
        key = frozenset(asked)
        known = self._settled.get(key)
        if known is not None:
            return known
        if self._level > 0 and len(asked) == 2 and self._assumed and _about_components(asked):
            if self._assumed.get(key) is False:
                return False
            self._met[key] = asked
            self._lean(-1, 0)
            return True
        opened = self._stack.get(key)
        if opened is not None:
            if self._level <= opened.level:
                return False  # the same question about the same value
            self._lean(opened.place, opened.level)
            return True
        leaning = self._leaning.get(key)
        if leaning is not None:
            if self._level <= leaning.level:
                return False
            self._lean(leaning.low, leaning.level)
            return True
        self.left -= 1
        if self.left < 0 or len(self._stack) > DEEPEST * 4 or self._level > DEEPEST:
            raise Exhausted
        place, started = len(self._stack), len(self._order)
        self._stack[key] = _Open(self._level, place)
        self._low.append(_Leaning(place + 1, -1))
        proved = self._prove(asked)
        mine = self._low.pop()
        del self._stack[key]
        if not proved:
            for one in self._order[started:]:
                self._leaning.pop(one, None)
            del self._order[started:]
            self._settled[key] = False
        elif mine.low >= place:
            for one in self._order[started:]:
                if self._leaning.pop(one, None) is not None:
                    self._settled[one] = True
            del self._order[started:]
            self._settled[key] = True
        else:
            self._leaning[key] = mine
            self._order.append(key)
            self._lean(mine.low, mine.level)
        return proved

    def _lean(self, low: int, level: int) -> None:
        if self._low:
            mine = self._low[-1]
            mine.low, mine.level = min(mine.low, low), max(mine.level, level)

    # -- alternatives

    def _relevant(self, asked: Question) -> Question | None:
        """Without refusals that hold anyway, because the kinds of values do not meet; None where no kind is left."""
        kinds = self.universe.kinds
        for number, item in asked.items():
            if isinstance(item, Atom):
                if item.tag == "kinds":
                    kinds &= item.value
            elif number > 0:
                kinds &= item.possible()
        if not kinds:
            return None
        return {
            number: item
            for number, item in asked.items()
            if number > 0 or isinstance(item, Atom) or item.possible() & kinds
        }

    def _prove(self, asked: Question) -> bool:
        likes = self._likes(asked)
        if likes is not None:
            return all(self.inside((plus(one), minus(two))) for one, two in likes)
        values = finite(asked)
        if values is not None:
            return all(fulfils(asked, value) is False for value in values)
        for number, item in asked.items():
            if number > 0 and isinstance(item, Node):
                kinds = [one for one in ("anyOf", "oneOf", "if") if one in item.words]
                if kinds:
                    return self._each_alternative(asked, number, item, kinds[0])
        for number, item in asked.items():
            if number > 0 and isinstance(item, Node) and "dependentSchemas" in item.words:
                return self._dependents(asked, number, item)
        refused = [(item, branches(item)) for number, item in asked.items() if number < 0 and isinstance(item, Node)]
        if refused and self._base(asked) is None:
            return True
        if len(refused) > 1:
            accepted = {number: item for number, item in asked.items() if number > 0}
            for item, _ in refused:
                if self._empty({**accepted, -item.uid: item}):
                    return True
        if refused:
            item, ways = min(refused, key=lambda one: len(one[1]))
            rest = {number: one for number, one in asked.items() if number != -item.uid}
            same = self.same_properties(asked)
            return all(self._branch_empty(rest, way, same) for way in ways)
        form = self._form(asked)
        return form is None or not self.feasible(form)

    def _likes(self, asked: Question) -> list[tuple[Node, Node]] | None:
        """Of a component and its like in the other document: the components they refer to. Proved when these are."""
        if len(asked) != 2 or not self._assumed or not _about_components(asked):
            return None
        accepted, refused = (one for _, one in sorted(asked.items(), reverse=True))
        if not isinstance(accepted, Node) or not isinstance(refused, Node):
            return None
        if accepted.key[0] != refused.key[0] or not is_monotone(accepted):
            return None
        found = []
        for reference in sorted(accepted.key[1]):
            one, two = accepted.side.target(reference), refused.side.target(reference)
            if one is None or two is None:
                return None
            if one.uid != two.uid:
                found.append((one, two))
        return found

    def same_properties(self, asked: Question) -> frozenset[tuple[str, int]]:
        return frozenset(
            (name, child.uid)
            for number, item in asked.items()
            if number > 0 and isinstance(item, Node) and "properties" in item.words
            for name, child in item.named("properties").items()
        )

    def _branch_empty(self, rest: Question, way: Branch, same: frozenset[tuple[str, int]]) -> bool:
        if len(way.literals) == 1:
            item = way.literals[0][1]
            child = item.child if isinstance(item, Atom) and item.tag == "property" else None
            if child is not None and isinstance(item, Atom) and (item.value, child.uid) in same:
                return True
        return self.empty([*rest.items(), *way.literals])

    def _each_alternative(self, asked: Question, number: int, item: Node, keyword: str) -> bool:
        rest = {one: other for one, other in asked.items() if one != number}
        return all(self.empty([*rest.items(), *way]) for way in alternatives(item, keyword))

    def _dependents(self, asked: Question, number: int, item: Node) -> bool:
        """A property either is not there, or its schema holds as well; where it must be there, only the latter."""
        rest = [(one, other) for one, other in asked.items() if one != number]
        rest.append(plus(item.without("dependentSchemas")))
        ways: list[list[Literal]] = [rest]
        for name, child in item.named("dependentSchemas").items():
            with_it = (atom(self.universe, "present", name), plus(child))
            without_it = atom(self.universe, "absent", name)
            other = atom(self.universe, "kinds", self.universe.kinds - {"object"})
            ways = [[*way, *more] for way in ways for more in (with_it, (without_it,), (other,))]
            if len(ways) > 81:
                return self.empty(rest)
        return all(self.empty(way) for way in ways)

    def _base(self, asked: Question) -> Form | None:
        """What the accepted schemas ask, without the refused ones; None where that alone is impossible."""
        accepted = [item for number, item in asked.items() if number > 0 and isinstance(item, Node)]
        key = frozenset(item.uid for item in accepted)
        base = self._bases.get(key)
        if base is None:
            base = Form(self.universe)
            for item in accepted:
                base.add(item)
            self._bases[key] = base
        return base if base.kinds else None

    def _form(self, asked: Question) -> Form | None:
        base = self._base(asked)
        if base is None:
            return None
        form = base.copy()
        for item in asked.values():
            if isinstance(item, Atom):
                form.add_atom(item)
        return form

    def forms(self, literals: Iterable[Literal], most: int = 12) -> list[Form]:
        """Forms with the same values together, or with more; those that are proved impossible left out."""
        found: list[Form] = []
        waiting: list[list[Literal]] = [list(literals)]
        while waiting and len(found) < most:
            asked = question(waiting.pop(0))
            asked = None if asked is None else self._relevant(asked)
            if asked is None:
                continue
            ways = self._ways(asked)
            if ways is not None:
                waiting[:0] = ways[: most * 3]
                continue
            form = self._form(asked)
            values = finite(asked)
            if form is not None and values is not None:
                form.values = tuple(values)
            if form is not None and form.kinds:
                found.append(form)
        return found

    def _ways(self, asked: Question) -> list[list[Literal]] | None:
        for number, item in asked.items():
            if isinstance(item, Atom):
                continue
            rest = [(one, other) for one, other in asked.items() if one != number]
            if number > 0:
                for keyword in ("anyOf", "oneOf", "if"):
                    if keyword in item.words:
                        return [[*rest, *way] for way in alternatives(item, keyword)]
            else:
                return [[*rest, *way.literals] for way in branches(item)]
        return None

    # -- one form

    def feasible(self, form: Form) -> bool:
        """False only where no value of the form exists."""
        kinds = form.kinds
        if kinds & {"null", "boolean"} and self._some_literal(form):
            return True
        if kinds & NUMBERS and numbers_feasible(form):
            return True
        if "string" in kinds and self.strings_feasible(form):
            return True
        if "array" in kinds and self._arrays_feasible(form):
            return True
        return "object" in kinds and self._objects_feasible(form)

    def _some_literal(self, form: Form) -> bool:
        gone = {same_key(one) for one in form.excluded}
        return any(kind_of(one) in form.kinds and same_key(one) not in gone for one in (None, True, False))

    def strings_feasible(self, form: Form) -> bool:
        if form.max_length is not None and (form.max_length < form.min_length or form.max_length < 0):
            return False
        if any(self._format_within(one, two) for one in form.formats for two in form.not_formats):
            return False
        shapes = tuple(shape for one in form.formats if (shape := FORMAT_SHAPES.get(one)))
        matched = (*form.patterns, *shapes)
        if not matched and not form.not_patterns:
            return form.max_length is None or form.max_length > 0 or "" not in form.excluded
        return language(matched, form.not_patterns, form.min_length, form.max_length) is not Language.EMPTY

    def _format_within(self, one: str, two: str) -> bool:
        if one == two:
            return True
        known = self._format_pairs.get((one, two))
        if known is None:
            schemas = [{"type": "string", "format": name} for name in (two, one)]
            try:
                wide, narrow = (jsonschema_rs.canonicalize(each, validate_formats=True) for each in schemas)
                known = str(wide.covers(narrow)) == "yes"
            except ValueError:
                known = False
            self._format_pairs[one, two] = known
        return known

    def _arrays_feasible(self, form: Form) -> bool:
        low, high, prefix = form.min_items, form.max_items, form.prefix
        if form.repeated:
            low = max(low, 2)
        if form.unique and form.repeated:
            return False
        rest = form.at_index(prefix)
        for index in range(prefix):
            if high is not None and index >= high:
                break
            if self._part_empty(form.at_index(index)):
                high = index
                break
        rest_empty = bool(rest) and self._part_empty(rest)
        if rest_empty:
            high = prefix if high is None else min(high, prefix)
        if high is not None and (low > high or high < 0):
            return False
        if form.unique and prefix == 0 and (most := capacity(form.at_index(0))) is not None and low > most:
            return False
        for start, count, payload in form.some_items:
            if not self._enough(form, start, count, payload, prefix, high):
                return False
            if any(count > most and self._part_implies(payload, few) for most, few in form.few):
                return False
        return not any(self._too_many(form, most, payload, prefix, low) for most, payload in form.few)

    def _enough(
        self, form: Form, start: int, count: int, payload: tuple[Literal, ...], prefix: int, high: int | None
    ) -> bool:
        """Whether `count` items from `start` on can be what the payload asks."""
        places = 0
        for index in range(start, prefix):
            if (high is None or index < high) and not self.inside([*form.at_index(index), *payload]):
                places += 1
        first = max(prefix, start)
        if (high is None or high > first) and not self.inside([*form.at_index(first), *payload]):
            if high is None:
                return True
            places += high - first
        return places >= count

    def _too_many(self, form: Form, most: int, payload: tuple[Literal, ...], prefix: int, low: int) -> bool:
        """Whether more than `most` of the items that must be there cannot help being what the payload asks."""
        if len(payload) != 1 or low <= most:
            return False
        opposite = (-payload[0][0], payload[0][1])
        if isinstance(payload[0][1], Atom):
            return False
        forced = sum(1 for index in range(min(low, prefix)) if self.inside([*form.at_index(index), opposite]))
        if low > prefix and self.inside([*form.at_index(prefix), opposite]):
            forced += low - prefix
        return forced > most

    def _part_implies(self, one: tuple[Literal, ...], two: tuple[Literal, ...]) -> bool:
        if len(two) != 1 or isinstance(two[0][1], Atom):
            return False
        return self.inside([*one, (-two[0][0], two[0][1])])

    def _part_empty(self, literals: list[Literal]) -> bool:
        return bool(literals) and self.inside(literals)

    def _objects_feasible(self, form: Form) -> bool:
        present = form.needed()
        low, high = max(form.min_properties, len(present)), form.max_properties
        if high is not None and (low > high or high < 0):
            return False
        if present & form.absent:
            return False
        for name in sorted(present):
            if not self.name_fits(form, name) or self._part_empty(form.at_name(name)):
                return False
        for where, payload in form.some_property:
            if not any(True for _ in self.places(form, where, payload, present)):
                return False
        for payload in form.some_name:
            if not self._some_name(form, payload):
                return False
        return low <= len(present) or self._room(form, present, low)

    def name_fits(self, form: Form, name: str) -> bool:
        return name not in form.absent and all(literal_holds(one, name) is not False for one in form.names)

    def places(
        self, form: Form, where: Where, payload: Sequence[Literal], present: frozenset[str]
    ) -> Iterator[tuple[str | None, tuple[str, ...], tuple[str, ...]]]:
        """Where a property as `where` says may stand with a value as the payload says: a known name, or None with the
        patterns a new name matches and those it does not."""
        left_out, without, pattern = where
        for name in form.mentioned():
            if name in left_out or not self.name_fits(form, name):
                continue
            if any(matches(one, name) for one in without) or (pattern is not None and matches(pattern, name) is False):
                continue
            if not self.inside([*form.at_name(name), *payload]):
                yield name, (), ()
        if form.max_properties is not None and len(present) >= form.max_properties:
            return
        for matched, refused, literals in self.classes(form, without, pattern):
            if not self.inside([*literals, *payload]):
                yield None, matched, refused

    def classes(
        self, form: Form, without: tuple[str, ...] = (), pattern: str | None = None
    ) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], list[Literal]]]:
        """New names, sorted by the patterns they match: (matched, not matched, what is asked of the value)."""
        names = form.names
        if names and self.inside([*names, atom(self.universe, "kinds", frozenset({"string"}))]):
            return
        known = sorted({one for _, patterns, _ in form.shapes for one in patterns})
        asked = [one for _, item in names if isinstance(item, Node) for one in _patterns(item)]
        if len(known) > CLASSES:
            literals = [plus(rest) for _, patterns, rest in form.shapes if not patterns and rest is not None]
            yield (*asked, *((pattern,) if pattern is not None else ())), without, literals
            return
        for size in range(len(known) + 1):
            for chosen in combinations(known, size):
                matched = (*chosen, *asked, *((pattern,) if pattern is not None else ()))
                refused = (*(one for one in known if one not in chosen), *without)
                if (matched or refused) and language(matched, refused) is Language.EMPTY:
                    continue
                literals = []
                for _, patterns, rest in form.shapes:
                    here = [node for one, node in patterns.items() if one in chosen]
                    literals.extend(plus(node) for node in here)
                    if not here and rest is not None:
                        literals.append(plus(rest))
                yield matched, refused, literals

    def _some_name(self, form: Form, payload: tuple[Literal, ...]) -> bool:
        text = atom(self.universe, "kinds", frozenset({"string"}))
        if self.inside([*form.names, *payload, text]):
            return False
        if any(not self._part_empty(literals) for _, _, literals in self.classes(form)):
            return True
        return any(
            self.name_fits(form, name)
            and all(literal_holds(one, name) is not False for one in payload)
            and not self._part_empty(form.at_name(name))
            for name in form.mentioned()
        )

    def _room(self, form: Form, present: frozenset[str], low: int) -> bool:
        """Whether there may be `low` properties."""
        if any(not self._part_empty(literals) for _, _, literals in self.classes(form)):
            return True
        possible = [
            name
            for name in form.mentioned()
            if name in present or (self.name_fits(form, name) and not self._part_empty(form.at_name(name)))
        ]
        return len(possible) >= low


def _about_components(asked: Question) -> bool:
    signs = [number > 0 for number, item in asked.items() if isinstance(item, Node) and item.side.is_target(item)]
    return len(signs) == 2 and signs[0] != signs[1]


def _patterns(node: Node) -> Iterator[str]:
    if "pattern" in node.words:
        yield node.words["pattern"]


FORMAT_SHAPES = {  # patterns that everything the validator accepts as the format matches
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "ipv4": r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$",
    "date-time": r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$",
    "email": r"@",
    "uri": r"^[a-zA-Z][a-zA-Z0-9+.-]*:",
}
