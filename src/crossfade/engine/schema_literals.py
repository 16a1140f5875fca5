"""Questions about values, as sets of literals, and into which alternatives a refused schema falls.

A question is a conjunction of literals: `+S` (the value is accepted by S), `-S` (it is refused by S) and atoms (one
refused keyword, as `-S` falls into them: "at most 4 letters", "has the property `a`, and what is there is refused by T").
What cannot be expressed is left out, which makes the set of values larger: proofs that there are none stay true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from crossfade.engine.schema_nodes import FALSE, TRUE, Node, Universe
from crossfade.engine.schema_values import same_key

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
Where = tuple[frozenset[str], tuple[str, ...], str | None]
"""A property whose name is none of these, matches none of these patterns, and matches that one."""


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


def alternatives(item: Node, keyword: str) -> list[list[Literal]]:
    """What takes the place of `+item`: one list of literals per alternative of its `keyword`."""
    if keyword == "if":
        rest = plus(item.without("if", "then", "else"))
        test = item.one("if")
        then = [plus(item.one("then"))] if "then" in item.words else []
        other = [plus(item.one("else"))] if "else" in item.words else []
        return [[rest, plus(test), *then], [rest, minus(test), *other]]
    rest = plus(item.without(keyword))
    children = item.many(keyword)
    if keyword == "anyOf":
        return [[rest, plus(child)] for child in children]
    return [
        [rest, plus(child), *(minus(other) for place, other in enumerate(children) if place != index)]
        for index, child in enumerate(children)
    ]


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
        known = {
            "properties": dict.fromkeys(sorted(names[0]), True),
            "patternProperties": dict.fromkeys(names[1], True),
        }
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


def is_monotone(node: Node) -> bool:
    """Whether accepting more where it refers to makes it accept more, and it refers to others only for parts of the
    value: then it is within its like as soon as those are, which it may assume of them (see `Prover`)."""
    known = node._parts.get("monotone")
    if known is None:
        known = node._parts["monotone"] = _is_monotone(node.schema, False)
    return bool(known)


def _is_monotone(schema: Any, below: bool) -> bool:
    if isinstance(schema, bool):
        return True
    if any(keyword in schema for keyword in _NOT_MONOTONE):
        return False
    if "$ref" in schema:
        return below and all(keyword not in schema for keyword in ("properties", "anyOf", *_STEPS))
    parts = [*schema.get("properties", {}).values(), *(schema[keyword] for keyword in _STEPS if keyword in schema)]
    return all(_is_monotone(one, True) for one in parts) and all(
        _is_monotone(one, below) for one in schema.get("anyOf", ())
    )
