"""What literals without alternatives ask of a value, gathered: the cube of a disjunctive normal form."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from crossfade.engine.schema_literals import Atom, Branch, Literal, Where, evaluated_items, evaluated_names, plus
from crossfade.engine.schema_nodes import Node, Universe
from crossfade.engine.schema_regex import matches
from crossfade.engine.schema_values import NUMBERS

Shape = tuple[dict[str, Node], dict[str, Node], Node | None]
"""properties, patternProperties and what the rest must be."""
Items = tuple[list[Node], Node | None]


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
            known = dict.fromkeys(sorted(seen[0]), anything), dict.fromkeys(seen[1], anything)
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
