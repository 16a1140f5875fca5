"""Pairs of schemas of two views, one at a time: what breaks in a pair, and which pairs it leads to.

Most components of two neighbouring versions say the same. Where what they say can only get wider with what they refer to
(no `not`, no `oneOf`), such a pair is contained as soon as the pairs below are, and nothing has to be proved about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from crossfade.engine.compat_facts import at
from crossfade.engine.schema import Comparer
from crossfade.model.compat import Contained, Containment

Pointers = tuple[str, str]  # into the stable's and the canary's document

# keywords under which a wider schema makes the whole wider, and those that have no schema below
_LISTS = frozenset({"allOf", "anyOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties"})
_SINGLE = frozenset({"items", "additionalProperties", "propertyNames", "additionalItems"})
_NARROWING = frozenset(
    (
        *("oneOf", "not", "if", "then", "else", "contains", "dependentSchemas", "dependencies", "contentSchema"),
        *("unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef", "$defs", "definitions"),
        *("$id", "id", "$anchor", "$dynamicAnchor"),
    )
)


class PairsOf:
    """The pairs of two views of the documents in one direction. `alike`: both are of one dialect."""

    def __init__(self, comparer: Comparer, roots: tuple[Any, Any], reverse: bool, alike: bool) -> None:
        self._comparer, self._roots, self._reverse, self._alike = comparer, roots, reverse, alike
        self._known: dict[Pointers, tuple[tuple[Containment, ...], tuple[Pointers, ...], bool]] = {}

    def local(self, pair: Pointers) -> tuple[tuple[Containment, ...], tuple[Pointers, ...], bool]:
        if pair not in self._known:
            self._known[pair] = self._looked(pair)
        return self._known[pair]

    def whole(self, pair: Pointers) -> Containment | None:
        """The answer about all a pair reaches; None: contained."""
        found = self._comparer.contained(*self._schemas(pair), *pair, self._reverse)
        return None if found.answer is Contained.YES else found

    def _looked(self, pair: Pointers) -> tuple[tuple[Containment, ...], tuple[Pointers, ...], bool]:
        one, two = self._schemas(pair)
        if self._alike and _text(one) == _text(two):
            references = list(_references(one))
            if None not in references:
                targets = dict.fromkeys(reference for reference in references if reference is not None)
                return (), tuple((target, target) for target in targets), False
        return self._comparer.local(one, two, *pair, self._reverse)

    def _schemas(self, pair: Pointers) -> tuple[Any, Any]:
        return at(self._roots[0], pair[0]), at(self._roots[1], pair[1])


def _text(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)


def _references(schema: Any) -> Iterator[str | None]:
    """What a schema refers to where wider is wider; None: something stands where that does not hold."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping) or schema.keys() & _NARROWING:
        yield None
        return
    for key, value in schema.items():
        if key == "$ref":
            yield value[1:] if isinstance(value, str) and value.startswith("#/") and "%" not in value else None
        elif key in _LISTS and isinstance(value, list):
            for one in value:
                yield from _references(one)
        elif key in _NAMED and isinstance(value, Mapping):
            for one in value.values():
                yield from _references(one)
        elif key in _SINGLE and not (key == "items" and isinstance(value, list)):
            yield from _references(value)
        elif key in _LISTS or key in _NAMED or key in _SINGLE:
            yield None
