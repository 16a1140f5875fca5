"""Is every value that one JSON Schema accepts accepted by another? Three answers, and none of them is a guess.

`yes` is proved (`schema_proof`: alternatives and coinduction over the references; `schema_covers`: the algebra of
jsonschema-rs where that gives up). `no` carries a value that the validator accepts for A and refuses for B, each in its
own document and dialect. Everything else is `unknown`, with what could not be decided.

Numbers count as they are written (`0.1` is one tenth), strings in code points, patterns as ECMA-262 has them. `format`
is asserted as the validator does it (or not at all), `discriminator`, `readOnly` and the like are annotations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from crossfade.engine.schema_check import Validators
from crossfade.engine.schema_covers import covered
from crossfade.engine.schema_instances import Maker
from crossfade.engine.schema_listed import finite
from crossfade.engine.schema_literals import minus, plus, question
from crossfade.engine.schema_nodes import FALSE, TRUE, Node, Side, Universe, is_schema
from crossfade.engine.schema_pairs import UNWALKABLE, Edge, Pair, PairKey, Pairs, Spot, joined
from crossfade.engine.schema_proof import Prover
from crossfade.engine.schema_rewrite import (
    DRAFT_4,
    DRAFT_6,
    DRAFT_7,
    DRAFT_2019_09,
    DRAFT_2020_12,
    OPENAPI_3_0,
    OPENAPI_3_1,
    dialect_named,
    rewritten,
)
from crossfade.engine.schema_values import is_finite, json_text, size_of
from crossfade.model.compat import Contained, Containment

__all__ = [
    "DRAFT_4",
    "DRAFT_6",
    "DRAFT_7",
    "DRAFT_2019_09",
    "DRAFT_2020_12",
    "OPENAPI_3_0",
    "OPENAPI_3_1",
    "Comparer",
    "Universe",
    "contained",
    "dialect_named",
    "rewritten",
]

LISTED = 2_000  # values of an enum that are held against B one by one
TRACED = 8  # breaks that are tried to be carried to the outermost schema


def contained(
    a: Any,
    b: Any,
    *,
    documents: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
    dialect: tuple[str, str] = (DRAFT_2020_12, DRAFT_2020_12),
    samples: Iterable[Any] = (),
    formats: bool = True,
) -> Containment:
    """Is every value of `a` a value of `b`? References are looked up in the side's document, where there is none in the
    schema itself; `samples` are values to try as witnesses. For many schemas of two documents use `Comparer`.

    >>> contained({"type": "string", "pattern": "^ab"}, {"pattern": "^a"}).answer
    <Contained.YES: 'yes'>
    >>> contained({"type": "integer"}, {"type": "integer", "maximum": 10}).witness
    '11'
    """
    first, second = (
        document or (schema if isinstance(schema, dict) else {})
        for document, schema in zip(documents, (a, b), strict=True)
    )
    return Comparer(first, second, *dialect, samples=samples, formats=formats).contained(a, b)


class Comparer:
    """Compares schemas of two documents; every pair of components once, in each direction."""

    def __init__(
        self,
        document_a: Mapping[str, Any],
        document_b: Mapping[str, Any],
        dialect_a: str = DRAFT_2020_12,
        dialect_b: str = DRAFT_2020_12,
        samples: Iterable[Any] = (),
        formats: bool = True,
    ) -> None:
        dialects = _dialect(document_a, dialect_a), _dialect(document_b, dialect_b)
        self.universe = Universe((document_a, document_b), dialects, formats)
        self.samples = tuple(samples)
        prover = Prover(self.universe)
        maker = Maker(prover)
        self._prover, self._maker = prover, maker
        self._validators = tuple(Validators(side) for side in self.universe.sides)
        self._pairs = tuple(Pairs(self.universe, prover, maker, self._shows, covered) for _ in range(2))
        self._written: dict[int, Any] = {}  # schemas as they were given, by their node
        self._nodes: dict[tuple[int, int], Node] = {}
        self._kept: list[Any] = []
        self._told: dict[int, Containment] = {}  # spots live as long as the pairs
        self._answers: dict[tuple[bool, PairKey], Containment] = {}

    def contained(self, a: Any, b: Any, pointer_a: str = "", pointer_b: str = "", reverse: bool = False) -> Containment:
        """Is every value of `a` (a schema of document A) a value of `b` (of document B)? `reverse`: the other way round;
        the arguments and `pointers` keep their sides, A's first, and the witness is a value of `b`."""
        if not is_schema(a) or not is_schema(b):
            wrong = a if not is_schema(a) else b
            return Containment(Contained.UNKNOWN, reason=f"`{str(wrong)[:60]}` is no schema")
        for one in (a, b, *(side.document for side in self.universe.sides)):
            if isinstance(one, Mapping) and not _is_known(one.get("$schema")):
                return Containment(Contained.UNKNOWN, reason=f"the dialect `{one['$schema']}` is not known")
        try:
            left, right = self._ordered(a, b, pointer_a, pointer_b, reverse)
            key = (reverse, self._pairs[reverse].key(left, right))
            if key not in self._answers:
                self._answers[key] = _turned(self._answer(left, right, reverse), reverse)
            return self._answers[key]
        except (RecursionError, OverflowError):
            return Containment(Contained.UNKNOWN, pointers=(pointer_a, pointer_b), reason=UNWALKABLE)

    def _ordered(self, a: Any, b: Any, pointer_a: str, pointer_b: str, reverse: bool) -> tuple[Node, Node]:
        left, right = self._node(0, a, pointer_a), self._node(1, b, pointer_b)
        return (right, left) if reverse else (left, right)

    def breaks(
        self, a: Any, b: Any, pointer_a: str = "", pointer_b: str = "", reverse: bool = False
    ) -> tuple[Containment, ...]:
        """Every place where a value of `a` is refused by `b`, or may be (UNKNOWN). A place inside a component is the same
        whoever refers to it: `path` and `witness` start at the component then, and `pointers` lie inside of it. That the
        component is reached is read off the schemas; only `contained` carries a witness all the way out."""
        if not is_schema(a) or not is_schema(b):
            return (self.contained(a, b, pointer_a, pointer_b, reverse),)
        pairs = self._pairs[reverse]
        found: dict[int, Containment] = {}
        try:
            left, right = self._ordered(a, b, pointer_a, pointer_b, reverse)
            proved = not self._is_readable(left, right) or self._is_proved(left, right)
            spotted = () if proved else pairs.reached(pairs.pair(left, right))
        except (RecursionError, OverflowError):
            spotted = ()
        for pair in spotted:
            for spot in pair.spots:
                if id(spot) not in self._told:
                    self._told[id(spot)] = _turned(_told(spot), reverse)
                found[id(spot)] = self._told[id(spot)]
        if any(one.answer is Contained.NO for one in found.values()):
            return tuple(found.values())
        whole = self.contained(a, b, pointer_a, pointer_b, reverse)
        if whole.answer is Contained.YES:
            return ()
        return (whole,) if whole.answer is Contained.NO or not found else tuple(found.values())

    # -- one question

    def _answer(self, left: Node, right: Node, reverse: bool) -> Containment:
        yes = Containment(Contained.YES)
        listed = None if left.uid == right.uid else self._listed(left, right)
        if listed is not None:
            return listed
        if not self._is_readable(left, right):
            if left.uid == right.uid:
                return yes
            reason = "a document with further documents inside (`$id`) is not looked through"
            unread = Containment(Contained.UNKNOWN, pointers=(left.pointer, right.pointer), reason=reason)
            return self._tried(Pair(left, right), left, right) or unread
        if self._is_proved(left, right):
            return yes
        pairs = self._pairs[reverse]
        key = pairs.pair(left, right)
        pair = pairs.known[key]
        found = self._traced(pairs, key)
        if found is not None:
            return found
        if self._walked_whole(pairs, key) or covered([plus(left)], right):
            return yes
        tried = self._tried(pair, left, right)
        if tried is not None:
            return tried
        unsure = [spot for one in pairs.reached(key) for spot in one.spots if not spot.witnesses]
        if unsure:
            return _told(unsure[0])
        return Containment(
            Contained.UNKNOWN, pointers=(left.pointer, right.pointer), reason="neither proved nor refuted"
        )

    def _is_readable(self, left: Node, right: Node) -> bool:
        return (
            left.side.simple
            and right.side.simple
            and all(_is_known(side.document.get("$schema")) for side in self.universe.sides)
        )

    def _is_proved(self, left: Node, right: Node) -> bool:
        if left.uid == right.uid or right.uid == TRUE or left.uid == FALSE:
            return True
        return self._prover.is_empty([plus(left), minus(right)])

    def _listed(self, left: Node, right: Node) -> Containment | None:
        """The answer where the values of A can be listed: the validator knows it."""
        asked = question([plus(left)])
        values = None if asked is None else finite(asked)
        if values is None or len(values) > LISTED:
            return None
        refused = []
        for value in values:
            mine, theirs = self._accepts(left, value), self._accepts(right, value)
            if theirs is None and mine is not False:
                return None
            if mine is None and theirs is False:
                return None
            if mine and not theirs and is_finite(value):
                refused.append(value)
        if not refused:
            return Containment(Contained.YES)
        return self._shown(Pair(left, right), min(refused, key=size_of))

    def _tried(self, pair: Pair, left: Node, right: Node) -> Containment | None:
        """The smallest of the samples, and of the values made for the whole, that shows a break."""
        values = [*self.samples, *self._maker.candidates([plus(left), minus(right)], 6)]
        for node in (left, right):
            values.extend(_examples(node.schema))
        shown = [value for value in values if self._shows(pair, value)]
        return self._shown(pair, min(shown, key=size_of)) if shown else None

    def _shown(self, pair: Pair, value: Any) -> Containment:
        """A NO, told by what the validator says about the value."""
        path, keyword = self._validators[pair.b.side.index].refusal(self._as_written(pair.b), value)
        return Containment(
            Contained.NO,
            witness=json_text(value),
            path=path,
            keyword=keyword,
            pointers=(pair.a.pointer, pair.b.pointer),
            reason=f"`{keyword}` refuses it" if keyword else "B refuses it",
        )

    def _traced(self, pairs: Pairs, key: PairKey) -> Containment | None:
        """The break to tell about the whole: not a forgivable one where there is another, then the nearest."""
        chains = _chains(pairs, key)
        every = all(spot.open_only for spot, _ in chains)
        shown = [one for one in chains if one[0].witnesses]
        shown.sort(key=lambda one: (one[0].open_only, len(one[1]), size_of(one[0].witnesses[0])))
        for spot, edges in shown[:TRACED]:
            values: Sequence[Any] = spot.witnesses
            for outer, edge in reversed(edges):
                values = pairs.lift(outer, edge, values)
            if values:
                path = joined([*(_step(edge.path) for _, edge in edges), _step(spot.path)])
                told = _told(spot, path=path, witness=json_text(min(values, key=size_of)))
                return told if every else _closed(told)
        return None

    def _walked_whole(self, pairs: Pairs, key: PairKey) -> bool:
        """Whether the walk looked at everything and found nothing: every leaf was proved by the algebra."""
        seen: set[PairKey] = set()
        waiting = [key]
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            pair = pairs.known[one]
            if pair.spots or pair.partial or (len(seen) > 1 and any(not edge.steps for edge in pair.edges)):
                return False
            waiting.extend(edge.inner for edge in pair.edges)
        return True

    # -- validators

    def _node(self, index: int, schema: Any, pointer: str) -> Node:
        side: Side = self.universe.sides[index]
        key = (index, id(schema))
        if key not in self._nodes:
            self._kept.append(schema)
            node = self._nodes[key] = side.node(rewritten(schema, side.dialect), pointer)
            self._written.setdefault(id(node), schema)
        return self._nodes[key]

    def _as_written(self, node: Node) -> Any:
        written = self._written.get(id(node))
        if written is None:
            fragment = quote(node.pointer, safe="/~!$&'()*+,;=:@-._")
            written = self._written[id(node)] = {"$ref": f"#{fragment}"}
        return written

    def _accepts(self, node: Node, value: Any) -> bool | None:
        return self._validators[node.side.index].accepts(self._as_written(node), value)

    def _shows(self, pair: Pair, value: Any) -> bool:
        return is_finite(value) and self._accepts(pair.b, value) is False and self._accepts(pair.a, value) is True


def _dialect(document: Mapping[str, Any], dialect: str) -> str:
    """What the document says about itself goes before what the caller supposes."""
    said = document.get("$schema")
    return dialect_named(said if isinstance(said, str) and _is_known(said) else dialect)


def _is_known(dialect: Any) -> bool:
    if not isinstance(dialect, str):
        return True
    try:
        dialect_named(dialect)
    except ValueError:
        return False
    return True


def _chains(pairs: Pairs, key: PairKey) -> list[tuple[Spot, tuple[tuple[Pair, Edge], ...]]]:
    """Every spot that is reached, with the edges that lead to it."""
    found: list[tuple[Spot, tuple[tuple[Pair, Edge], ...]]] = []
    seen = {key}
    waiting: deque[tuple[PairKey, tuple[tuple[Pair, Edge], ...]]] = deque([(key, ())])
    while waiting:
        one, edges = waiting.popleft()
        pair = pairs.known[one]
        found.extend((spot, edges) for spot in pair.spots)
        for edge in pair.ways:
            if edge.inner not in seen:
                seen.add(edge.inner)
                waiting.append((edge.inner, (*edges, (pair, edge))))
    return found


def _told(spot: Spot, path: str | None = None, witness: str | None = None) -> Containment:
    if spot.witnesses and witness is None:
        witness = json_text(spot.witnesses[0])
    return Containment(
        Contained.NO if witness is not None else Contained.UNKNOWN,
        witness=witness,
        path=spot.path if path is None else path,
        keyword=spot.keyword,
        pointers=spot.pointers,
        reason=spot.reason,
        open_only=spot.open_only,
    )


def _closed(told: Containment) -> Containment:
    return Containment(told.answer, told.witness, told.path, told.keyword, told.pointers, told.reason)


def _turned(told: Containment, reverse: bool) -> Containment:
    """With A's pointer first, whichever way was asked."""
    if not reverse or told.pointers[0] == told.pointers[1]:
        return told
    left, right = told.pointers
    return Containment(told.answer, told.witness, told.path, told.keyword, (right, left), told.reason, told.open_only)


def _step(path: str) -> str:
    return path if not path or path.startswith("[") else f".{path}"


def _examples(schema: Any) -> list[Any]:
    if not isinstance(schema, dict):
        return []
    examples = schema.get("examples")
    found: list[Any] = list(examples) if isinstance(examples, list) else []
    return [*found, *(schema[key] for key in ("default", "example") if key in schema)]
