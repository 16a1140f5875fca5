"""Where exactly is A not within B? Walks both schemas side by side, one pair of components at a time.

A pair of components is looked at once, however many references reach it: it has spots of its own and edges to other
pairs. A spot is one keyword of B that refuses what A accepts, with a value of the component as its witness; along an edge
a witness of the inner pair is carried into a value of the outer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import msgspec

from crossfade.engine.schema_forms import Form
from crossfade.engine.schema_instances import Maker
from crossfade.engine.schema_listed import finite
from crossfade.engine.schema_literals import (
    Atom,
    Branch,
    Literal,
    Question,
    alternatives,
    atom,
    branches,
    declared,
    is_monotone,
    minus,
    plus,
    question,
)
from crossfade.engine.schema_nodes import FALSE, TRUE, Node, Universe
from crossfade.engine.schema_proof import Prover
from crossfade.engine.schema_values import size_of

TRIED = 6  # alternatives of a union that are compared to tell which one is meant
CARRIED = 4  # witnesses of an inner pair that are tried in the outer one
FORMS, PLACES = 4, 8  # alternatives of A and parts of it that are walked one by one
TRIALS = 2  # unions inside unions that are looked into
DEEPEST = 24  # steps into a value within one pair
MOST_COMPARED = 2_000
MOST_SPOTS = 400  # of one pair

UNWALKABLE = "the schemas are nested too deeply, or a number in them is not finite"

PairKey = tuple[int, str, int, str]


class Spot(msgspec.Struct, eq=False):
    """`witnesses`: values of the pair that show it, the smallest first; none: it could not be decided."""

    keyword: str
    path: str
    pointers: tuple[str, str]
    reason: str
    open_only: bool = False
    witnesses: tuple[Any, ...] = ()


class Step(msgspec.Struct, frozen=True, eq=False):
    """One step down into a value: what A asks of the value around, and how a part of it is asked for."""

    literals: tuple[Literal, ...]
    wrap: Callable[[Literal], Literal]
    path: str


class Edge(msgspec.Struct, eq=False):
    inner: PairKey
    steps: tuple[Step, ...]
    pointers: tuple[str, str]

    @property
    def path(self) -> str:
        return joined(step.path for step in self.steps)


class Pair(msgspec.Struct, eq=False):
    a: Node
    b: Node
    spots: list[Spot] = []
    edges: list[Edge] = []
    spotted: tuple[Pair, ...] = ()  # pairs with spots it reaches, itself among them
    settled: bool = False
    ways: tuple[Edge, ...] = ()  # one edge to each inner pair that leads to a spot
    partial: bool = False  # not everything was walked: no spot does not mean no break


Showing = Callable[[Pair, Any], bool]
"""Whether a validator accepts the value for the pair's A and refuses it for its B."""


class Pairs:
    """All pairs met so far, in one direction."""

    def __init__(
        self, universe: Universe, prover: Prover, maker: Maker, shows: Showing, proves: Callable[..., bool]
    ) -> None:
        self.universe, self.prover, self.maker = universe, prover, maker
        self._shows, self._proves = shows, proves
        self.known: dict[PairKey, Pair] = {}

    def key(self, a: Node, b: Node) -> PairKey:
        return a.uid, a.pointer, b.uid, b.pointer

    def pair(self, a: Node, b: Node) -> PairKey:
        """Compares them, and all pairs they reach."""
        key = self.key(a, b)
        waiting = [(key, a, b)]
        fresh: list[PairKey] = []
        while waiting:
            one, left, right = waiting.pop()
            if one in self.known:
                continue
            pair = self.known[one] = Pair(left, right)
            fresh.append(one)
            walk = _Walk(self, pair)
            try:
                if left.key[0] == right.key[0] and is_monotone(left):
                    walk.follow(left, right, ())
                else:
                    walk.compare([plus(left)], right, left, ())
            except (RecursionError, OverflowError):
                pair.spots.append(Spot("", "", (left.pointer, right.pointer), UNWALKABLE))
            waiting.extend((inner, *walk.inner[inner]) for inner in reversed(list(walk.inner)))
        self._settle(fresh)
        return key

    def reached(self, key: PairKey) -> tuple[Pair, ...]:
        """The pairs with spots that it reaches, itself among them."""
        return self.known[key].spotted

    def shown(self, pair: Pair, values: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(sorted((one for one in values if self._shows(pair, one)), key=size_of))

    def proved(self, literals: Sequence[Literal], b: Node) -> bool:
        return self._proves(literals, b)

    # -- carrying witnesses out

    def _settle(self, fresh: list[PairKey]) -> None:
        """Gives every new pair the pairs with spots it reaches: strongly connected ones (Tarjan) have them in common."""
        place: dict[PairKey, int] = {}
        low: dict[PairKey, int] = {}
        path: list[PairKey] = []
        for root in fresh:
            if root in place:
                continue
            work = [(root, iter(self._inner(root)))]
            place[root] = low[root] = len(place)
            path.append(root)
            while work:
                key, rest = work[-1]
                inner = next(rest, None)
                if inner is not None:
                    if self.known[inner].settled:
                        continue
                    if inner not in place:
                        place[inner] = low[inner] = len(place)
                        path.append(inner)
                        work.append((inner, iter(self._inner(inner))))
                    else:
                        low[key] = min(low[key], place[inner])
                    continue
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[key])
                if low[key] == place[key]:
                    start = path.index(key)
                    self._share(path[start:])
                    del path[start:]

    def _share(self, keys: list[PairKey]) -> None:
        mine = [self.known[key] for key in keys]
        spotted: dict[int, Pair] = {id(pair): pair for pair in mine if pair.spots}
        for pair in mine:
            for inner in self._inner(self.key(pair.a, pair.b)):
                spotted.update((id(one), one) for one in self.known[inner].spotted)
        together = tuple(spotted.values())
        for pair in mine:
            pair.spotted, pair.settled = together, True
        for pair in mine:
            first: dict[PairKey, Edge] = {}
            for edge in pair.edges:
                first.setdefault(edge.inner, edge)
            pair.ways = tuple(edge for edge in first.values() if self.known[edge.inner].spotted)

    def _inner(self, key: PairKey) -> list[PairKey]:
        return list(dict.fromkeys(edge.inner for edge in self.known[key].edges))

    def lift(self, pair: Pair, edge: Edge, values: Sequence[Any]) -> tuple[Any, ...]:
        found = []
        for value in values[:CARRIED]:
            found.extend(self.wrapped(edge.steps, value)[:2])
            if found:
                break
        return self.shown(pair, found)[:2]

    def wrapped(self, steps: Sequence[Step], value: Any) -> list[Any]:
        """Values around, in which the part the steps lead to is `value`."""
        values = [value]
        for step in reversed(steps):
            outer: list[Any] = []
            for one in values:
                payload = atom(self.universe, "values", (one,))
                outer.extend(self.maker.candidates([*step.literals, step.wrap(payload)], 2))
            values = outer[:CARRIED]
        return values


def joined(steps: Iterable[str]) -> str:
    """
    >>> joined([".items", "[]", ".price"])
    'items[].price'
    """
    return "".join(steps).removeprefix(".")


class _Walk:
    """The walk through one pair."""

    def __init__(self, pairs: Pairs, pair: Pair, outer: _Walk | None = None) -> None:
        self.pairs, self.pair = pairs, pair
        self.trials: int = 0 if outer is None else outer.trials + 1  # alternatives inside alternatives
        self._compared: list[None] = [] if outer is None else outer._compared  # counted for the pair as a whole
        self.prover, self.maker, self.universe = pairs.prover, pairs.maker, pairs.universe
        self.inner: dict[PairKey, tuple[Node, Node]] = {}
        self._seen: set[tuple[frozenset[int], int]] = set() if outer is None else set(outer._seen)

    def compare(self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...]) -> None:
        """`a` is the schema to name on A's side; `literals` all that is asked there."""
        if self.prover.is_empty([*literals, minus(b)]):
            return
        if self._crosses(literals, b, a, steps):
            return
        asked = question(literals)
        key = (frozenset(asked or ()), b.uid)
        if asked is None:
            return
        if key in self._seen or len(self.pair.spots) >= MOST_SPOTS:
            self.pair.partial = True  # asked already, further out
            return
        self._compared.append(None)
        if len(steps) > DEEPEST or len(self._compared) > MOST_COMPARED:
            path, pointers = joined(step.path for step in steps), (a.pointer, b.pointer)
            self.pair.spots.append(Spot("", path, pointers, "the schemas are nested too deeply to be walked"))
            return
        self._seen.add(key)
        self._inside(literals, asked, b, a, steps)
        self._seen.discard(key)

    def _inside(self, literals: list[Literal], asked: Question, b: Node, a: Node, steps: tuple[Step, ...]) -> None:
        listed = finite(asked)
        if listed is None:
            for number, item in asked.items():
                if number > 0 and isinstance(item, Node):
                    keyword = next((one for one in ("anyOf", "oneOf") if one in item.words), None)
                    if keyword is not None:
                        rest = [(one, other) for one, other in asked.items() if one != number]
                        for literals_of, child in zip(alternatives(item, keyword), item.many(keyword), strict=True):
                            self.compare(_kept([*rest, *literals_of]), b, child, steps)
                        return
        same = self.prover.same_properties(asked)
        for way in branches(b):
            one = way.literals[0][1] if len(way.literals) == 1 else None
            if isinstance(one, Atom) and one.tag == "property" and one.child is not None:
                if (one.value, one.child.uid) not in same:
                    self._property(literals, b, a, steps, way)
            elif not self.prover.is_empty([*literals, *way.literals]):
                self._branch(literals, b, a, steps, way)

    def _property(self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...], way: Branch) -> None:
        """The value is compared first, and only where it breaks it is asked whether the property can be there."""
        spots, edges = len(self.pair.spots), len(self.pair.edges)
        self._branch(literals, b, a, steps, way)
        found = len(self.pair.spots) > spots or len(self.pair.edges) > edges
        if found and self.prover.is_empty([*literals, *way.literals]):
            del self.pair.spots[spots:], self.pair.edges[edges:]

    def follow(self, a: Node, b: Node, steps: tuple[Step, ...]) -> None:
        """Where both say the same, only their references can differ: straight to the pairs these name."""
        if a.uid == b.uid:
            return
        if "$ref" in a.words:
            self.pair.partial = not self._crosses([plus(a)], b, a, steps) or self.pair.partial
            return
        for left, right in zip(a.many("anyOf"), b.many("anyOf"), strict=True):
            self.follow(left, right, steps)
        inside = [
            (f".{name}", atom(self.universe, "property", name), one, b.named("properties")[name])
            for name, one in a.named("properties").items()
        ]
        inside += [
            ("[]", atom(self.universe, "some-items", (0, 1)), a.one(key), b.one(key))
            for key in ("items",)
            if key in a.words
        ]
        inside += [
            (".*", atom(self.universe, "some-property", (*declared(a), None)), a.one(key), b.one(key))
            for key in ("additionalProperties",)
            if key in a.words
        ]
        for path, (_, one), left, right in inside:
            if isinstance(one, Atom) and left.uid != right.uid:
                step = Step((plus(a),), _wrap(self.universe, one), path)
                self.follow(left, right, (*steps, step))

    def _crosses(self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...]) -> bool:
        """Hands over to another pair where both sides name a component."""
        left, right = _named(literals), _followed(b)
        if left is None or right is None or (not steps and left is self.pair.a and right is self.pair.b):
            return False
        if not (_is_component(left) and _is_component(right)) or (
            left is self.pair.a and right is self.pair.b and not steps
        ):
            return False
        key = self.pairs.key(left, right)
        self.inner[key] = (left, right)
        self.pair.edges.append(Edge(key, steps, (a.pointer, b.pointer)))
        return True

    def _branch(self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...], way: Branch) -> None:
        if way.keyword in ("allOf", "$ref") and way.literals:
            child = way.literals[0][1]
            if isinstance(child, Node):
                self.compare(literals, child, a, steps)
                return
        if way.keyword in ("anyOf", "oneOf") and all(number < 0 for number, _ in way.literals):
            self._union(literals, b, a, steps, way)
            return
        if len(way.literals) == 1:
            one = way.literals[0][1]
            if isinstance(one, Atom) and one.child is not None and one.tag != "some-name":
                self._part(literals, b, a, steps, way, one, one.child)
                return
        self._leaf(literals, b, a, steps, way)

    # -- unions

    def _union(self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...], way: Branch) -> None:
        """Tells by the alternative that is meant: the only one that has values of A, or the closest one."""
        meant = [child for child in b.many(way.keyword) if not self.prover.is_empty([*literals, plus(child)])]
        named = [
            child for child in meant if (one := _followed(child)) is not None and one.pointer == _target(a).pointer
        ]
        if named:
            meant = named[:1]
        best: _Walk | None = None
        for child in meant[:TRIED] if self.trials < TRIALS else ():
            trial = _Walk(self.pairs, Pair(self.pair.a, self.pair.b), self)
            trial.compare(literals, child, a, steps)
            if best is None or trial.weight() < best.weight():
                best = trial
        if (
            best is not None
            and len(meant) <= TRIED
            and (best.pair.edges or any(one.witnesses for one in best.pair.spots))
        ):
            certain = [one for one in best.pair.spots if one.witnesses]
            self.pair.spots.extend(certain or best.pair.spots)
            self.pair.partial = True
            self.pair.edges.extend(best.pair.edges)
            self.inner.update(best.inner)
            return
        self._leaf(literals, b, a, steps, way)

    def weight(self) -> tuple[int, int]:
        spots = self.pair.spots
        return sum(not one.open_only for one in spots) + len(self.pair.edges), len(spots)

    # -- parts

    def _part(
        self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...], way: Branch, one: Atom, child: Node
    ) -> None:
        before = len(self.pair.spots) + len(self.pair.edges)
        forms = self.prover.forms(_kept(literals), FORMS)
        partial = len(forms) == FORMS
        for form in forms:
            places = self._places(form, one)
            partial = partial or len(places) >= PLACES
            for path, inner in places:
                name = next((item for number, item in inner if number > 0 and isinstance(item, Node)), None)
                if name is None or isinstance(child.schema, bool):
                    partial = True
                    continue
                step = Step(tuple(literals), _wrap(self.universe, one), path)
                self.compare(_kept(inner), child, name, (*steps, step))
        if len(self.pair.spots) + len(self.pair.edges) == before:
            if not self.prover.is_empty([*literals, *way.literals]):
                self._leaf(literals, b, a, steps, way)
        else:
            self.pair.partial = self.pair.partial or partial

    def _places(self, form: Form, one: Atom) -> list[tuple[str, list[Literal]]]:
        """(path, what A asks there) of the parts an atom speaks of."""
        if one.tag == "property":
            return [(f".{one.value}", form.at_name(one.value))]
        if one.tag == "item":
            return [("[]", form.at_index(one.value))]
        if one.tag == "some-items":
            start = one.value[0]
            ends = range(start, max(start, form.prefix) + 1)
            return [("[]", form.at_index(index)) for index in islice(ends, PLACES)]
        found = []
        for name, _, _ in islice(self.prover.places(form, one.value, one.payload, form.needed()), PLACES):
            if name is not None:
                found.append((f".{name}", form.at_name(name)))
            else:
                rest = [literals for _, _, literals in islice(self.prover.classes(form, *one.value[1:]), 4)]
                found.extend((".*", literals) for literals in rest)
        return found

    # -- leaves

    def _leaf(self, literals: list[Literal], b: Node, a: Node, steps: tuple[Step, ...], way: Branch) -> None:
        part = b if isinstance(b.schema, bool) else b.only(way.keyword, *_BESIDE.get(way.keyword, ()))
        if self.pairs.proved([*literals], part):
            return
        values: list[Any] = []
        for value in self.maker.candidates([*literals, *way.literals], 3):
            values.extend(self.pairs.wrapped(steps, value) if steps else [value])
        witnesses = self.pairs.shown(self.pair, values)
        one = way.literals[0][1] if len(way.literals) == 1 else None
        child = one.child if isinstance(one, Atom) and one.child is not None else b
        tail, is_open = "", False
        if isinstance(one, Atom) and one.tag == "property":
            tail, is_open = f".{one.value}", self._is_undeclared(literals, one.value)
        elif isinstance(one, Atom) and one.tag == "absent":
            tail = f".{one.value}"
        elif isinstance(one, Atom) and one.tag in ("item", "some-items"):
            tail = "[]"
        path = joined([*(step.path for step in steps), tail])
        reason = _reason(way, is_open) if witnesses else _unsure(way, literals)
        spot = Spot(way.keyword, path, (a.pointer, child.pointer), reason, is_open and bool(witnesses), witnesses[:2])
        known = {(other.keyword, other.path, other.pointers, other.reason) for other in self.pair.spots}
        if (spot.keyword, spot.path, spot.pointers, spot.reason) not in known:
            self.pair.spots.append(spot)

    def _is_undeclared(self, literals: list[Literal], name: str) -> bool:
        """Whether A says nothing at all about this property: neither its value nor that it is there."""
        for form in self.prover.forms(_kept(literals), FORMS):
            if name in form.needed() or form.at_name(name) or any(name in names for names, _, _ in form.shapes):
                return False
        return True


_BESIDE = {
    "additionalProperties": ("properties", "patternProperties"),
    "unevaluatedProperties": ("properties", "patternProperties", "allOf", "$ref", "additionalProperties"),
    "unevaluatedItems": ("prefixItems", "items", "allOf", "$ref"),
    "items": ("prefixItems",),
    "contains": ("minContains", "maxContains"),
    "maxContains": ("minContains", "contains"),
    "then": ("if",),
    "else": ("if",),
}


def _kept(literals: Sequence[Literal]) -> list[Literal]:
    return [(number, item) for number, item in dict(literals).items() if number not in (TRUE, -FALSE)]


def _wrap(universe: Universe, one: Atom) -> Callable[[Literal], Literal]:
    def wrapped(payload: Literal) -> Literal:
        return atom(universe, one.tag, one.value, (payload,))

    return wrapped


def _followed(node: Node) -> Node | None:
    for _ in range(20):
        if set(node.words) != {"$ref"}:
            return node
        target = node.target()
        if target is None:
            return None
        node = target
    return None


def _target(node: Node) -> Node:
    return _followed(node) or node


def _named(literals: Sequence[Literal]) -> Node | None:
    """The schema that is all that is asked."""
    if len(literals) != 1 or literals[0][0] < 0 or isinstance(literals[0][1], Atom):
        return None
    return _followed(literals[0][1])


def _is_component(node: Node) -> bool:
    return node.side.is_target(node)


def _reason(way: Branch, is_open: bool) -> str:
    if is_open:
        return "an open object gains a typed property"
    return _REASONS.get(way.keyword, f"`{way.keyword}` refuses it")


def _unsure(way: Branch, literals: Sequence[Literal]) -> str:
    if way.opaque:
        return way.opaque
    return f"neither proved nor refuted: `{way.keyword}`"


_REASONS = {
    "required": "a property is required that may be missing",
    "enum": "a value is not in the enum",
    "const": "a value is not the constant",
    "type": "a value has another type",
    "additionalProperties": "a property is not allowed, or its value is not",
    "anyOf": "no alternative accepts it",
    "oneOf": "not exactly one alternative accepts it",
    "false": "nothing is allowed here",
}
