"""Schemas as nodes of two documents: parsed when looked at, and numbered so that equal schemas have equal numbers.

Two schemas have the same number (`uid`) when they assert the same up to annotations and the order of keys, and every
component they reach by references is the same in both documents. So most of a large pair of descriptions is settled by
comparing integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, TypeGuard
from urllib.parse import unquote

import jsonschema_rs

from crossfade.engine.schema_rewrite import (
    DRAFT_4,
    DRAFT_6,
    DRAFT_7,
    DRAFT_2019_09,
    OPENAPI_3_0,
    dialect_named,
    rewritten,
)
from crossfade.engine.schema_values import INTEGER, KINDS, NUMBERS, WHOLE, encoded, exact, kind_of, same_key

TRUE, FALSE = 1, 2  # the numbers of the boolean schemas

_ONE = frozenset({"not", "contains", "propertyNames", "additionalProperties", "items", "if", "then", "else"})
_ONE |= {"unevaluatedItems", "unevaluatedProperties"}
_MANY = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"})
_COUNTS |= {"minProperties", "maxProperties"}
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_UNORDERED = frozenset({"allOf", "anyOf", "oneOf"})
_MEANINGLESS = {"then": "if", "else": "if", "minContains": "contains", "maxContains": "contains"}

Schema = dict[str, Any] | bool


def is_schema(value: Any) -> TypeGuard[Schema]:
    return isinstance(value, dict | bool)


class Universe:
    """Two documents of schemas; `sides[0]` is A's, `sides[1]` is B's."""

    def __init__(
        self, documents: tuple[Mapping[str, Any], Mapping[str, Any]], dialects: tuple[str, str], formats: bool = True
    ) -> None:
        self._numbers: dict[Any, int] = {True: TRUE, False: FALSE}
        self._same: dict[str, bool] = {}
        first, second = dialect_named(dialects[0]), dialect_named(dialects[1])
        self.whole = DRAFT_4 in (first, second)  # whether `1` and `1.0` must be told apart
        self.kinds = KINDS if self.whole else KINDS - {WHOLE}
        self.sides = (Side(self, 0, documents[0], first, formats), Side(self, 1, documents[1], second, formats))

    def number(self, key: Any) -> int:
        """The same number for the same key."""
        return self._numbers.setdefault(key, len(self._numbers) + 2)

    def are_same(self, references: frozenset[str]) -> bool:
        """Whether these references reach the same in both documents, all the way down."""
        new = [one for one in references if one not in self._same]
        if new:
            self._settle(new)
        return all(self._same[one] for one in references)

    def _settle(self, new: list[str]) -> None:
        reached: dict[str, frozenset[str]] = {}
        differing: list[str] = []
        waiting = list(new)
        while waiting:
            reference = waiting.pop()
            if reference in reached or reference in self._same:
                continue
            keys = [side.target_key(reference) for side in self.sides]
            reached[reference] = frozenset().union(*(refs for _, refs in keys))
            if keys[0][0] != keys[1][0] or keys[0][0] == 0:
                differing.append(reference)
            waiting.extend(reached[reference])
        users: dict[str, list[str]] = {}
        for reference, used in reached.items():
            for one in used:
                users.setdefault(one, []).append(reference)
            if any(self._same.get(one) is False for one in used):
                differing.append(reference)
        different: set[str] = set()
        while differing:
            reference = differing.pop()
            if reference not in different:
                different.add(reference)
                differing.extend(users.get(reference, ()))
        self._same.update({reference: reference not in different for reference in reached})


class Side:
    """One document and what was read of it."""

    def __init__(
        self, universe: Universe, index: int, document: Mapping[str, Any], dialect: str, formats: bool
    ) -> None:
        self.universe, self.index, self.document, self.dialect, self.formats = (
            universe,
            index,
            document,
            dialect,
            formats,
        )
        identifier = document.get("$id", document.get("id"))
        self.base = identifier.rstrip("#") if isinstance(identifier, str) and dialect_has_ids(dialect) else None
        self.simple = not _has_inner_ids(document, dialect) and "$dynamicRef" not in document
        self._nodes: dict[int, Node] = {}
        self._kept: list[Any] = []  # numbers of objects are theirs only while they live
        self._keys: dict[int, tuple[int, frozenset[str]]] = {}
        self._targets: dict[str, Node | None] = {}
        self._formats: dict[str, bool] = {}
        self._whole: int | None = None
        self._named: set[int] = set()

    def is_target(self, node: Node) -> bool:
        """Whether some reference that was followed names it."""
        return id(node) in self._named

    def node(self, schema: Schema, pointer: str) -> Node:
        """`schema` is in 2020-12 already."""
        found = self._nodes.get(id(schema))
        if found is None:
            self._kept.append(schema)
            found = self._nodes[id(schema)] = Node(self, schema, pointer)
        return found

    def target(self, reference: str) -> Node | None:
        """What a `$ref` of this document names; None where it cannot be found here."""
        if reference not in self._targets:
            self._targets[reference] = None
            pointer = self.pointer(reference)
            found = None if pointer is None else looked_up(self.document, pointer)
            if is_schema(found) and pointer is not None:
                node = self._targets[reference] = self.node(rewritten(found, self.dialect), pointer)
                self._named.add(id(node))
        return self._targets[reference]

    def references(self) -> list[str]:
        """Every reference of the form `#/...` that was followed."""
        return [one for one, node in self._targets.items() if node is not None and one.startswith("#/")]

    def pointer(self, reference: str) -> str | None:
        """The JSON pointer a reference stands for, None for other documents and for names (`$anchor`)."""
        if not self.simple:
            return None
        if not reference.startswith("#"):
            if self.base is None or not reference.startswith(self.base):
                return None
            reference = reference[len(self.base) :] or "#"
            if not reference.startswith("#"):
                return None
        pointer = unquote(reference[1:])
        return pointer if pointer == "" or pointer.startswith("/") else None

    def target_key(self, reference: str) -> tuple[int, frozenset[str]]:
        node = self.target(reference)
        if node is not None:
            return node.key
        # not to be resolved here: the same thing exactly when the whole documents are the same
        if self._whole is None:
            self._whole = self.universe.number(("document", encoded(_bare(self.document))))
        return self._whole, frozenset()

    def key(self, schema: Schema) -> tuple[int, frozenset[str]]:
        """A number for what the schema says, its references taken by their text, and those references."""
        if isinstance(schema, bool):
            return (TRUE if schema else FALSE), frozenset()
        known = self._keys.get(id(schema))
        if known is None:
            self._kept.append(schema)
            known = self._keys[id(schema)] = self._key(schema)
        return known

    def _key(self, schema: dict[str, Any]) -> tuple[int, frozenset[str]]:
        parts: list[Any] = []
        references: set[str] = set()

        def child(one: Any) -> int:
            number, inner = self.key(one)
            references.update(inner)
            return number

        for keyword, value in assertions(schema):
            if keyword in _ONE:
                parts.append((keyword, child(value)))
            elif keyword in _MANY:
                numbers = [child(one) for one in value]
                parts.append((keyword, tuple(sorted(numbers) if keyword in _UNORDERED else numbers)))
            elif keyword in _NAMED:
                parts.append((keyword, tuple(sorted((name, child(one)) for name, one in value.items()))))
            elif keyword in _REFERENCES:
                references.add(value if keyword == "$ref" else "")
                if keyword != "$ref":
                    references.add(f"{keyword} {value}")
                parts.append((keyword, value))
            elif keyword == "type":
                parts.append((keyword, self.kinds_named(value)))
            elif keyword == "format":
                if self.asserts_format(value):
                    parts.append((keyword, value))
            elif keyword in ("enum", "const"):
                parts.append(("enum", frozenset(same_key(one) for one in (value if keyword == "enum" else [value]))))
            elif keyword in _NUMBERS:
                parts.append((keyword, exact(value)))
            elif keyword == "required":
                parts.append((keyword, frozenset(value)))
            elif keyword == "dependentRequired":
                parts.append((keyword, frozenset((name, frozenset(one)) for name, one in value.items())))
            else:
                parts.append((keyword, value))
        if not parts:
            return TRUE, frozenset()
        parts.sort(key=_keyword)
        return self.universe.number(tuple(parts)), frozenset(references)

    def kinds_named(self, value: str | list[str]) -> frozenset[str]:
        names = [value] if isinstance(value, str) else value
        found: set[str] = set()
        for name in names:
            if name == "number":
                found |= NUMBERS
            elif name == "integer":
                found |= {INTEGER} if self.dialect == DRAFT_4 else {INTEGER, WHOLE}
            else:
                found.add(name)
        return frozenset(found) & self.universe.kinds

    def asserts_format(self, name: str) -> bool:
        """Whether the validator refuses anything for this format; unknown names are annotations."""
        known = self._formats.get(name)
        if known is None:
            known = self._formats[name] = self.formats and _is_asserted(name, self.dialect)
        return known


class Node:
    """A schema in its place. Children are made when they are asked for."""

    __slots__ = ("_branches", "_key", "_parts", "_possible", "_uid", "_without", "pointer", "schema", "side", "words")

    def __init__(self, side: Side, schema: Schema, pointer: str) -> None:
        self.side, self.schema, self.pointer = side, schema, pointer
        self.words: dict[str, Any] = {} if isinstance(schema, bool) else dict(assertions(schema))
        if "format" in self.words and not side.asserts_format(self.words["format"]):
            del self.words["format"]
        self._key: tuple[int, frozenset[str]] | None = None
        self._uid = 0
        self._parts: dict[str, Any] = {}
        self._without: dict[tuple[str, ...], Node] = {}
        self._branches: Any = None
        self._possible: frozenset[str] | None = None

    @property
    def key(self) -> tuple[int, frozenset[str]]:
        if self._key is None:
            self._key = self.side.key(self.schema)
        return self._key

    @property
    def uid(self) -> int:
        if not self._uid:
            number, references = self.key
            if references and not self.side.universe.are_same(references):
                number = self.side.universe.number(("side", self.side.index, number))
            self._uid = number
        return self._uid

    def one(self, keyword: str) -> Node:
        found: Node | None = self._parts.get(keyword)
        if found is None:
            found = self._parts[keyword] = self.side.node(self.words[keyword], f"{self.pointer}/{keyword}")
        return found

    def many(self, keyword: str) -> list[Node]:
        found: list[Node] | None = self._parts.get(keyword)
        if found is None:
            place = f"{self.pointer}/{keyword}"
            found = self._parts[keyword] = [
                self.side.node(one, f"{place}/{index}") for index, one in enumerate(self.words.get(keyword, ()))
            ]
        return found

    def named(self, keyword: str) -> dict[str, Node]:
        found: dict[str, Node] | None = self._parts.get(keyword)
        if found is None:
            place = f"{self.pointer}/{keyword}"
            found = self._parts[keyword] = {
                name: self.side.node(one, f"{place}/{escaped(name)}")
                for name, one in self.words.get(keyword, {}).items()
            }
        return found

    def target(self) -> Node | None:
        return self.side.target(self.words["$ref"])

    def without(self, *keywords: str) -> Node:
        found = self._without.get(keywords)
        if found is None:
            schema = {keyword: value for keyword, value in self.words.items() if keyword not in keywords}
            found = self._without[keywords] = self.side.node(schema or True, self.pointer)
            if schema:
                found.pointer = self.pointer
        return found

    def only(self, *keywords: str) -> Node:
        return self.without(*(keyword for keyword in self.words if keyword not in keywords))

    @property
    def kinds(self) -> frozenset[str]:
        """What `type` says here."""
        return self.side.kinds_named(self.words["type"]) if "type" in self.words else self.side.universe.kinds

    def possible(self) -> frozenset[str]:
        """Kinds of values it may accept, looking through references and combinations: never too few."""
        if self._possible is None:
            self._possible = self.side.universe.kinds  # while we look: nothing is known
            self._possible = self._possible_kinds()
        return self._possible

    def _possible_kinds(self) -> frozenset[str]:
        if self.schema is False:
            return frozenset()
        kinds = self.kinds
        if (values := self.values()) is not None:
            said = {kind_of(one) for one in values}
            kinds &= said | (NUMBERS if said & NUMBERS else frozenset())
        if "$ref" in self.words and (target := self.target()) is not None:
            kinds &= target.possible()
        for one in self.many("allOf"):
            kinds &= one.possible()
        for keyword in ("anyOf", "oneOf"):
            if keyword in self.words:
                kinds &= frozenset().union(*(one.possible() for one in self.many(keyword)))
        return kinds

    def values(self) -> list[Any] | None:
        """The values `enum` and `const` leave, None where there is neither."""
        if "const" not in self.words:
            return self.words.get("enum")
        value = self.words["const"]
        if "enum" in self.words and same_key(value) not in {same_key(one) for one in self.words["enum"]}:
            return []
        return [value]

    def bound(self, keyword: str) -> Fraction:
        return exact(self.words[keyword])


def assertions(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keywords that assert something, well-formed ones only, `dependencies` as what it stands for."""
    for keyword, value in schema.items():
        check = _CHECKS.get(keyword)
        if check is None or not check(value):
            if keyword == "dependencies" and isinstance(value, dict):
                yield from _dependencies(schema, value)
            continue
        if keyword in _MEANINGLESS and _MEANINGLESS[keyword] not in schema:
            continue
        if keyword in ("dependentRequired", "dependentSchemas") and "dependencies" in schema:
            continue
        yield keyword, value


def _dependencies(schema: dict[str, Any], value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    needed = {name: one for name, one in value.items() if isinstance(one, list)}
    schemas = {name: one for name, one in value.items() if is_schema(one)}
    for keyword, found in (("dependentRequired", needed), ("dependentSchemas", schemas)):
        both = {**schema.get(keyword, {}), **found}
        if both:
            yield keyword, both


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and kind_of(value) in NUMBERS


def _are_schemas(value: Any) -> bool:
    return isinstance(value, list) and all(is_schema(one) for one in value)


def _are_named(value: Any) -> bool:
    return isinstance(value, dict) and all(is_schema(one) for one in value.values())


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_type(value: Any) -> bool:
    return isinstance(value, str) or _are_names(value)


_CHECKS: dict[str, Any] = {
    **{keyword: is_schema for keyword in _ONE},
    **{keyword: _are_schemas for keyword in _MANY},
    **{keyword: _are_named for keyword in _NAMED},
    **{keyword: _is_count for keyword in _COUNTS},
    **{keyword: _is_number for keyword in _NUMBERS},
    **{keyword: (lambda value: isinstance(value, str)) for keyword in (*_REFERENCES, "pattern", "format")},
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "type": _is_type,
    "enum": lambda value: isinstance(value, list),
    "const": lambda value: True,
    "required": _are_names,
    "dependentRequired": lambda value: isinstance(value, dict) and all(_are_names(one) for one in value.values()),
    "uniqueItems": lambda value: value is True,
}


def _keyword(part: tuple[str, Any]) -> str:
    return part[0]


def looked_up(document: Any, pointer: str) -> Any:
    """What a JSON pointer names, None where there is nothing."""
    found = document
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def dialect_has_ids(dialect: str) -> bool:
    return not dialect.startswith("openapi")


def _has_inner_ids(document: Mapping[str, Any], dialect: str) -> bool:
    """Whether a part of the document may be one of its own, in which references mean something else."""
    if dialect == OPENAPI_3_0:
        return False
    keyword = "id" if dialect == DRAFT_4 else "$id"
    waiting: list[Any] = list(document.values())
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get(keyword), str):
                return True
            waiting.extend(value for key, value in one.items() if key not in ("example", "examples", "enum", "const"))
        elif isinstance(one, list):
            waiting.extend(one)
    return False


def _bare(document: Any) -> Any:
    """Without the annotations that cannot be anything else: what stands in the place of a schema is never a text."""
    if isinstance(document, Mapping):
        return {
            key: value if key in ("const", "enum") else _bare(value)
            for key, value in document.items()
            if not (key in ("title", "description", "$comment") and isinstance(value, str))
            and not (key in ("examples", "default") and not isinstance(value, dict | bool))
        }
    return [_bare(one) for one in document] if isinstance(document, list) else document


_JUNK = ("\x00 <>{", "(", "%", "a b", "~2")
_VALIDATORS: dict[str, type[jsonschema_rs.Validator]] = {
    DRAFT_4: jsonschema_rs.Draft4Validator,
    DRAFT_6: jsonschema_rs.Draft6Validator,
    DRAFT_7: jsonschema_rs.Draft7Validator,
    DRAFT_2019_09: jsonschema_rs.Draft201909Validator,
}
_ASSERTED: dict[tuple[str, str], bool] = {}


def validator_class(dialect: str) -> type[jsonschema_rs.Validator]:
    return _VALIDATORS.get(dialect, jsonschema_rs.Draft202012Validator)


def _is_asserted(name: str, dialect: str) -> bool:
    known = _ASSERTED.get((name, dialect))
    if known is None:
        validator = validator_class(dialect)({"format": name}, validate_formats=True)
        known = _ASSERTED[name, dialect] = not all(validator.is_valid(one) for one in _JUNK)
    return known
