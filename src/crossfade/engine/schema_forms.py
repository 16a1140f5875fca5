"""What a set of schemas and refused schemas asks of a value, gathered: the cube of a disjunctive normal form.

A question is a conjunction of literals: `+S` (the value is accepted by S), `-S` (it is refused by S) and atoms (one
refused keyword, as `-S` falls into them: "at most 4 letters", "has the property `a`, and what is there is refused by T").
`branches` says into which alternatives a refused schema falls; `Form` gathers literals that have no alternatives left.
Whatever is not understood is left out, which makes the set of values larger: proofs of emptiness stay true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import msgspec

from crossfade.engine.schema_nodes import FALSE, TRUE, Node, Universe
from crossfade.engine.schema_regex import matches
from crossfade.engine.schema_values import NUMBERS, same_key

PAIRS = 40  # alternatives of a oneOf whose pairs are looked at


class Atom(msgspec.Struct, frozen=True, eq=False):
    """`tag` and `value` say what is asked (see `Form.add_atom`), `payload` of a value inside; `node` is the schema whose
    keyword was refused, `child` its subschema that refuses."""

    uid: int
    tag: str
    value: Any = None
    payload: tuple[Literal, ...] = ()
    child: Node | None = None


Literal = tuple[int, Node | Atom]
"""The number (negative: refused) and what it stands for."""
Question = dict[int, Node | Atom]


class Branch(msgspec.Struct, frozen=True, eq=False):
    """One way to be refused by a schema: by `keyword`. `opaque`: its condition could not be expressed."""

    keyword: str
    literals: tuple[Literal, ...]
    opaque: str = ""


def plus(node: Node) -> Literal:
    return node.uid, node


def minus(node: Node) -> Literal:
    return -node.uid, node


def atom(
    universe: Universe, tag: str, value: Any = None, payload: tuple[Literal, ...] = (), child: Node | None = None
) -> Literal:
    key = value if tag not in ("values", "not-values") else tuple(sorted(same_key(one) for one in value))
    uid = universe.number(("atom", tag, key, frozenset(number for number, _ in payload)))
    return uid, Atom(uid, tag, value, payload, child)


def branches(node: Node) -> tuple[Branch, ...]:
    """How a value can be refused by `node`: the value is refused exactly when it is in one of these."""
    if node._branches is None:
        node._branches = tuple(_branches(node))
    found: tuple[Branch, ...] = node._branches
    return found


def _branches(node: Node) -> Iterator[Branch]:
    if node.schema is False:
        yield Branch("false", ())
        return
    universe, words = node.side.universe, node.words

    def refused(keyword: str, tag: str, value: Any, *payload: Literal, child: Node | None = None) -> Branch:
        return Branch(keyword, (atom(universe, tag, value, payload, child),))

    for keyword, value in words.items():
        if keyword == "type":
            yield refused(keyword, "kinds", universe.kinds - node.kinds)
        elif keyword in ("enum", "const"):
            yield refused(keyword, "not-values", tuple(value) if keyword == "enum" else (value,))
        elif keyword in _NUMERIC:
            tag, open_end = _NUMERIC[keyword]
            yield refused(keyword, tag, (node.bound(keyword), open_end))
        elif keyword == "multipleOf":
            yield refused(keyword, "not-multiple", node.bound(keyword))
        elif keyword in _AT_LEAST and value > 0:
            yield refused(keyword, _AT_LEAST[keyword], int(value) - 1)
        elif keyword in _AT_MOST:
            yield refused(keyword, _AT_MOST[keyword], int(value) + 1)
        elif keyword in ("pattern", "format"):
            yield refused(keyword, f"not-{keyword}", value)
        elif keyword == "uniqueItems":
            yield refused(keyword, "repeated", True)
        elif keyword == "required":
            for name in value:
                yield refused(keyword, "absent", name)
        elif keyword == "properties":
            for name, child in node.named(keyword).items():
                if child.uid != TRUE:
                    yield refused(keyword, "property", name, minus(child), child=child)
        elif keyword == "patternProperties":
            for pattern, child in node.named(keyword).items():
                if child.uid != TRUE:
                    where: Where = (frozenset(), (), pattern)
                    yield refused(keyword, "some-property", where, minus(child), child=child)
        elif keyword == "additionalProperties":
            child = node.one(keyword)
            if child.uid != TRUE:
                yield refused(keyword, "some-property", (*declared(node), None), minus(child), child=child)
        elif keyword == "propertyNames":
            yield refused(keyword, "some-name", None, minus(node.one(keyword)), child=node.one(keyword))
        elif keyword == "dependentRequired":
            for name, needed in value.items():
                for one in needed:
                    yield Branch(keyword, (atom(universe, "present", name), atom(universe, "absent", one)))
        elif keyword == "dependentSchemas":
            for name, child in node.named(keyword).items():
                yield Branch(keyword, (atom(universe, "present", name), minus(child)))
        elif keyword == "prefixItems":
            for index, child in enumerate(node.many(keyword)):
                if child.uid != TRUE:
                    yield refused(keyword, "item", index, minus(child), child=child)
        elif keyword == "items":
            child = node.one(keyword)
            if child.uid != TRUE:
                yield refused(keyword, "some-items", (len(words.get("prefixItems", ())), 1), minus(child), child=child)
        elif keyword == "contains":
            least, child = int(words.get("minContains", 1)), node.one(keyword)
            if least > 0:
                yield refused(keyword, "few", least - 1, plus(child))
            if "maxContains" in words:
                yield refused("maxContains", "some-items", (0, int(words["maxContains"]) + 1), plus(child))
        elif keyword in ("unevaluatedProperties", "unevaluatedItems"):
            yield from _unevaluated(node, keyword)
        else:
            yield from _combinations(node, keyword)


_NUMERIC = {
    "minimum": ("high", True),
    "exclusiveMinimum": ("high", False),
    "maximum": ("low", True),
    "exclusiveMaximum": ("low", False),
}
_AT_LEAST = {"minLength": "max-length", "minItems": "max-items", "minProperties": "max-properties"}
_AT_MOST = {"maxLength": "min-length", "maxItems": "min-items", "maxProperties": "min-properties"}


def _combinations(node: Node, keyword: str) -> Iterator[Branch]:
    if keyword == "$ref":
        target = node.target()
        if target is None:
            yield Branch(keyword, (), f"the reference `{node.words[keyword]}` is not followed")
        else:
            yield Branch(keyword, (minus(target),))
    elif keyword == "allOf":
        for child in node.many(keyword):
            yield Branch(keyword, (minus(child),))
    elif keyword == "anyOf":
        yield Branch(keyword, tuple(minus(child) for child in node.many(keyword)))
    elif keyword == "oneOf":
        children = node.many(keyword)
        yield Branch(keyword, tuple(minus(child) for child in children))
        if len(children) > PAIRS:
            yield Branch(keyword, (), f"more than {PAIRS} alternatives of a oneOf")
            return
        for index, one in enumerate(children):
            for two in children[:index]:
                if one.possible() & two.possible():
                    yield Branch(keyword, (plus(two), plus(one)))
    elif keyword == "not":
        yield Branch(keyword, (plus(node.one(keyword)),))
    elif keyword == "if":
        if "then" in node.words:
            yield Branch("then", (plus(node.one("if")), minus(node.one("then"))))
        if "else" in node.words:
            yield Branch("else", (minus(node.one("if")), minus(node.one("else"))))
    elif keyword in ("$dynamicRef", "$recursiveRef"):
        yield Branch(keyword, (), f"`{keyword}` is not followed")


def _unevaluated(node: Node, keyword: str) -> Iterator[Branch]:
    universe, child = node.side.universe, node.one(keyword)
    if child.uid == TRUE:
        return
    if keyword == "unevaluatedProperties":
        seen = evaluated_names(node)
        if seen is None:
            kinds = atom(universe, "kinds", frozenset({"object"}))
            yield Branch(keyword, (kinds,), "what `unevaluatedProperties` sees depends on the value")
        else:
            yield Branch(keyword, (atom(universe, "some-property", (*seen, None), (minus(child),), child),))
        return
    count = evaluated_items(node)
    if count is None:
        kinds = atom(universe, "kinds", frozenset({"array"}))
        yield Branch(keyword, (kinds,), "what `unevaluatedItems` sees depends on the value")
    elif count >= 0:
        yield Branch(keyword, (atom(universe, "some-items", (count, 1), (minus(child),), child),))


def declared(node: Node) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names and the patterns `additionalProperties` leaves out."""
    return frozenset(node.words.get("properties", ())), tuple(sorted(node.words.get("patternProperties", ())))


_DYNAMIC = ("anyOf", "oneOf", "if", "dependentSchemas", "$dynamicRef", "$recursiveRef")


def evaluated_names(node: Node, depth: int = 0) -> tuple[frozenset[str], tuple[str, ...]] | None:
    """Names and patterns whose properties are always evaluated beside `unevaluatedProperties`; None: it depends."""
    if isinstance(node.schema, bool):
        return frozenset(), ()
    if depth > 20 or any(keyword in node.words for keyword in _DYNAMIC):
        return None
    names, patterns = declared(node)
    if "additionalProperties" in node.words or (depth and "unevaluatedProperties" in node.words):
        return names, (*patterns, "")
    for inner in _inplace(node):
        found = None if inner is None else evaluated_names(inner, depth + 1)
        if found is None:
            return None
        names, patterns = names | found[0], tuple(sorted({*patterns, *found[1]}))
    return names, patterns


def evaluated_items(node: Node, depth: int = 0) -> int | None:
    """How many items from the first are always evaluated, -1: all, None: it depends."""
    if isinstance(node.schema, bool):
        return 0
    if depth > 20 or any(keyword in node.words for keyword in (*_DYNAMIC, "contains")):
        return None
    if "items" in node.words or (depth and "unevaluatedItems" in node.words):
        return -1
    count = len(node.words.get("prefixItems", ()))
    for inner in _inplace(node):
        found = None if inner is None else evaluated_items(inner, depth + 1)
        if found is None or found < 0:
            return found
        count = max(count, found)
    return count


def _inplace(node: Node) -> list[Node | None]:
    inner: list[Node | None] = list(node.many("allOf"))
    if "$ref" in node.words:
        inner.append(node.target())
    return inner


# -- gathered -----------------------------------------------------------------------------------------------------

Shape = tuple[dict[str, Node], dict[str, Node], Node | None]
"""properties, patternProperties and what the rest must be."""
Items = tuple[list[Node], Node | None]
Where = tuple[frozenset[str], tuple[str, ...], str | None]
"""A property whose name is none of these, matches none of these patterns, and matches that one."""


class Form:
    """Values of one of `kinds` that fulfil everything below; what speaks about other kinds does not count."""

    def __init__(self, universe: Universe) -> None:
        self.universe = universe
        self.kinds = universe.kinds
        self.excluded: tuple[Any, ...] = ()
        self.values: tuple[Any, ...] | None = None
        self.low: tuple[Fraction, bool] | None = None  # (bound, whether it is left out)
        self.high: tuple[Fraction, bool] | None = None
        self.multiples: tuple[Fraction, ...] = ()
        self.not_multiples: tuple[Fraction, ...] = ()
        self.min_length = 0
        self.max_length: int | None = None
        self.patterns: tuple[str, ...] = ()
        self.not_patterns: tuple[str, ...] = ()
        self.formats: tuple[str, ...] = ()
        self.not_formats: tuple[str, ...] = ()
        self.min_items = 0
        self.max_items: int | None = None
        self.unique = self.repeated = False
        self.items: tuple[Items, ...] = ()
        self.item_at: tuple[tuple[int, tuple[Literal, ...]], ...] = ()
        self.some_items: tuple[tuple[int, int, tuple[Literal, ...]], ...] = ()  # from index, how many, what
        self.few: tuple[tuple[int, tuple[Literal, ...]], ...] = ()  # at most so many, what
        self.min_properties = 0
        self.max_properties: int | None = None
        self.present: frozenset[str] = frozenset()
        self.absent: frozenset[str] = frozenset()
        self.shapes: tuple[Shape, ...] = ()
        self.property_at: tuple[tuple[str, tuple[Literal, ...]], ...] = ()
        self.some_property: tuple[tuple[Where, tuple[Literal, ...]], ...] = ()
        self.names: tuple[Literal, ...] = ()
        self.some_name: tuple[tuple[Literal, ...], ...] = ()
        self.needs: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def copy(self) -> Form:
        twin = object.__new__(Form)
        twin.__dict__.update(self.__dict__)
        return twin

    def add(self, node: Node) -> None:
        """`+node`, of which combinations are gone already."""
        if node.schema is False:
            self.kinds = frozenset()
        words = node.words
        for keyword, value in words.items():
            if keyword == "type":
                self.kinds &= node.kinds
            elif keyword == "minimum":
                self._raise((node.bound(keyword), False))
            elif keyword == "exclusiveMinimum":
                self._raise((node.bound(keyword), True))
            elif keyword == "maximum":
                self._lower((node.bound(keyword), False))
            elif keyword == "exclusiveMaximum":
                self._lower((node.bound(keyword), True))
            elif keyword == "multipleOf":
                self.multiples += (node.bound(keyword),)
            elif keyword == "pattern":
                self.patterns += (value,)
            elif keyword == "format":
                self.formats += (value,)
            elif keyword == "uniqueItems":
                self.unique = True
            elif keyword in _MIN:
                setattr(self, _MIN[keyword], max(getattr(self, _MIN[keyword]), int(value)))
            elif keyword in _MAX:
                setattr(self, _MAX[keyword], least(getattr(self, _MAX[keyword]), int(value)))
            elif keyword == "required":
                self.present |= frozenset(value)
            elif keyword == "propertyNames":
                self.names += (plus(node.one(keyword)),)
            elif keyword == "dependentRequired":
                self.needs += tuple((name, tuple(one)) for name, one in value.items())
            elif keyword == "contains":
                self._contains(node)
        if words.keys() & _SHAPE:
            rest = node.one("additionalProperties") if "additionalProperties" in words else None
            self.shapes += ((node.named("properties"), node.named("patternProperties"), rest),)
        if "prefixItems" in words or "items" in words:
            self.items += ((node.many("prefixItems"), node.one("items") if "items" in words else None),)
        if "unevaluatedProperties" in words and (seen := evaluated_names(node)) is not None:
            anything = node.side.node(True, "")
            known = dict.fromkeys(seen[0], anything), dict.fromkeys(seen[1], anything)
            self.shapes += ((*known, node.one("unevaluatedProperties")),)
        if "unevaluatedItems" in words and (count := evaluated_items(node)) is not None and count >= 0:
            self.items += (([node.side.node(True, "")] * count, node.one("unevaluatedItems")),)

    def _contains(self, node: Node) -> None:
        lowest, child = int(node.words.get("minContains", 1)), node.one("contains")
        if lowest > 0:
            self.some_items += ((0, lowest, (plus(child),)),)
        if "maxContains" in node.words:
            self.few += ((int(node.words["maxContains"]), (plus(child),)),)

    def refuse(self, branch: Branch) -> None:
        for _, item in branch.literals:
            if isinstance(item, Atom):
                self.add_atom(item)

    def add_atom(self, one: Atom) -> None:
        tag, value = one.tag, one.value
        self.kinds &= _KINDS_OF.get(tag, self.kinds)
        if tag == "kinds":
            self.kinds &= value
        elif tag == "values":
            self.values = tuple(value)
        elif tag == "not-values":
            self.excluded += value
        elif tag == "low":
            self._raise(value)
        elif tag == "high":
            self._lower(value)
        elif tag == "not-multiple":
            self.not_multiples += (value,)
        elif tag in _MIN_ATOM:
            setattr(self, _MIN_ATOM[tag], max(getattr(self, _MIN_ATOM[tag]), value))
        elif tag in _MAX_ATOM:
            setattr(self, _MAX_ATOM[tag], least(getattr(self, _MAX_ATOM[tag]), value))
        elif tag == "not-pattern":
            self.not_patterns += (value,)
        elif tag == "not-format":
            self.not_formats += (value,)
        elif tag == "repeated":
            self.repeated = True
        elif tag == "item":
            self.min_items = max(self.min_items, value + 1)
            self.item_at += ((value, one.payload),)
        elif tag == "some-items":
            self.some_items += ((*value, one.payload),)
        elif tag == "few":
            self.few += ((value, one.payload),)
        elif tag == "present":
            self.present |= {value}
        elif tag == "absent":
            self.absent |= {value}
        elif tag == "property":
            self.present |= {value}
            self.property_at += ((value, one.payload),)
        elif tag == "some-property":
            self.some_property += ((value, one.payload),)
        elif tag == "some-name":
            self.some_name += (one.payload,)

    def _raise(self, bound: tuple[Fraction, bool]) -> None:
        if self.low is None or bound > self.low:
            self.low = bound

    def _lower(self, bound: tuple[Fraction, bool]) -> None:
        if self.high is None or (bound[0], not bound[1]) < (self.high[0], not self.high[1]):
            self.high = bound

    # -- what is asked of the parts

    def at_name(self, name: str) -> list[Literal]:
        """What is asked of the value of a property."""
        found = [literal for one, payload in self.property_at if one == name for literal in payload]
        for names, patterns, rest in self.shapes:
            known = name in names
            if known:
                found.append(plus(names[name]))
            for pattern, node in patterns.items():
                answer = matches(pattern, name)
                known = known or answer is not False  # not sure: nothing is asked
                if answer:
                    found.append(plus(node))
            if not known and rest is not None:
                found.append(plus(rest))
        return found

    def at_index(self, index: int) -> list[Literal]:
        """What is asked of an item; beyond `prefix` items all are asked the same."""
        found = [literal for one, payload in self.item_at if one == index for literal in payload]
        for prefix, rest in self.items:
            if index < len(prefix):
                found.append(plus(prefix[index]))
            elif rest is not None:
                found.append(plus(rest))
        for most, payload in self.few:
            if most == 0 and len(payload) == 1:
                found.append((-payload[0][0], payload[0][1]))
        return found

    @property
    def prefix(self) -> int:
        lengths = [len(prefix) for prefix, _ in self.items] + [index + 1 for index, _ in self.item_at]
        return max(lengths, default=0)

    def mentioned(self) -> list[str]:
        """Every property name something is said about, in order."""
        names: dict[str, None] = dict.fromkeys(sorted(self.present))
        for one, _ in self.property_at:
            names[one] = None
        for known, _, _ in self.shapes:
            names.update(dict.fromkeys(known))
        for (left_out, _, _), _ in self.some_property:
            names.update(dict.fromkeys(sorted(left_out)))
        return list(names)

    def needed(self) -> frozenset[str]:
        """The properties that must be there, those asked for by others included."""
        names = self.present
        while True:
            more = names.union(*(needed for name, needed in self.needs if name in names)) if self.needs else names
            if more == names:
                return names
            names = more


_SHAPE = frozenset({"properties", "patternProperties", "additionalProperties"})
_MIN = {"minLength": "min_length", "minItems": "min_items", "minProperties": "min_properties"}
_MAX = {"maxLength": "max_length", "maxItems": "max_items", "maxProperties": "max_properties"}
_MIN_ATOM = {"min-length": "min_length", "min-items": "min_items", "min-properties": "min_properties"}
_MAX_ATOM = {"max-length": "max_length", "max-items": "max_items", "max-properties": "max_properties"}
_KINDS_OF: dict[str, frozenset[str]] = {
    **dict.fromkeys(("low", "high", "not-multiple"), NUMBERS),
    **dict.fromkeys(("min-length", "max-length", "not-pattern", "not-format"), frozenset({"string"})),
    **dict.fromkeys(("min-items", "max-items", "repeated", "item", "some-items", "few"), frozenset({"array"})),
    **dict.fromkeys(
        ("min-properties", "max-properties", "present", "absent", "property", "some-property", "some-name"),
        frozenset({"object"}),
    ),
}


def least(one: int | None, two: int | None) -> int | None:
    return two if one is None else one if two is None else min(one, two)


def question(literals: Iterable[Literal]) -> Question | None:
    """Literals as one question, everything without alternatives unfolded; None where they contradict each other."""
    found: Question = {}
    waiting = list(literals)
    seen: set[int] = set()
    while waiting:
        number, item = waiting.pop()
        if number in seen:
            continue
        seen.add(number)
        if number in (FALSE, -TRUE) or -number in seen:
            return None
        if number in (TRUE, -FALSE):
            continue
        if isinstance(item, Atom):
            found[number] = item
        elif number > 0:
            waiting.extend(_unfolded(item, found))
        else:
            waiting.extend(_refolded(number, item, found))
    return found


_UNFOLDED = ("$ref", "allOf", "not")


def _unfolded(node: Node, found: Question) -> Iterator[Literal]:
    words = node.words
    if not any(keyword in words for keyword in _UNFOLDED):
        found[node.uid] = node
        return
    if "$ref" in words and (target := node.target()) is not None:
        yield plus(target)
    for child in node.many("allOf"):
        yield plus(child)
    if "not" in words:
        yield minus(node.one("not"))
    for one in _closing(node):
        yield plus(one)
    yield plus(node.without(*_UNFOLDED, "unevaluatedProperties", "unevaluatedItems"))


def _closing(node: Node) -> list[Node]:
    """`unevaluated*` sees into allOf and references: where these are unfolded, what it saw must be said beside them."""
    found = []
    if "unevaluatedProperties" in node.words and (names := evaluated_names(node)) is not None:
        known = {"properties": dict.fromkeys(names[0], True), "patternProperties": dict.fromkeys(names[1], True)}
        found.append({**known, "additionalProperties": node.words["unevaluatedProperties"]})
    if "unevaluatedItems" in node.words and (count := evaluated_items(node)) is not None and count >= 0:
        found.append({"prefixItems": [True] * count, "items": node.words["unevaluatedItems"]})
    if "closing" not in node._parts:
        node._parts["closing"] = [node.side.node(one, node.pointer) for one in found]
    nodes: list[Node] = node._parts["closing"]
    return nodes


def _refolded(number: int, node: Node, found: Question) -> Iterator[Literal]:
    if len(node.words) == 1:
        (keyword,) = node.words
        if keyword == "$ref" and (target := node.target()) is not None:
            yield minus(target)
            return
        if keyword == "not":
            yield plus(node.one("not"))
            return
        if keyword == "anyOf" or (keyword == "allOf" and len(node.many("allOf")) == 1):
            for child in node.many(keyword):
                yield minus(child)
            return
    found[number] = node


_STEPS = ("items", "additionalProperties")
_NOT_MONOTONE = frozenset(
    {"not", "oneOf", "if", "contains", "allOf", "prefixItems", "patternProperties", "propertyNames"}
)
_NOT_MONOTONE |= {"dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"}


def is_monotone(schema: Any, below: bool = False) -> bool:
    """Whether accepting more where it refers to makes it accept more, and it refers to others only for parts of the
    value: then it is within its like as soon as those are, which it may assume of them (see `Prover`)."""
    if isinstance(schema, bool):
        return True
    if any(keyword in schema for keyword in _NOT_MONOTONE):
        return False
    if "$ref" in schema:
        return below and all(keyword not in schema for keyword in ("properties", "anyOf", *_STEPS))
    parts = [*schema.get("properties", {}).values(), *(schema[keyword] for keyword in _STEPS if keyword in schema)]
    return all(is_monotone(one, True) for one in parts) and all(
        is_monotone(one, below) for one in schema.get("anyOf", ())
    )
