"""The same document as a writer means it and as a reader takes it, for requests and for answers.

A `readOnly` property is no part of a request and a `writeOnly` one no part of an answer: nobody demands them there, the
writer does not send them, and a reader that meets one all the same looks away. A tolerant reader of answers accepts fields
it does not know, so it has no closed objects, and that two branches of a `oneOf` fit is no trouble for it.
A `oneOf` whose branches exclude each other (by type, or by a field that says which one it is) is an `anyOf`, for which
containment is a matter of its branches. Pointers stay valid but for that word; `written` turns them back.
"""

from __future__ import annotations

import json
import re
from typing import Any

from crossfade.engine.compat_facts import at, types_of

_NOTHING: dict[str, Any] = {"not": {}}
_ANYTHING: dict[str, Any] = {}
MOST_BRANCHES = 100
_CLOSED = ("additionalProperties", "unevaluatedProperties")


class Views:
    """The views of one document, made when asked for; a document without the keywords in question is its own view."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        text = json.dumps(root)
        self._flags = {flag: f'"{flag}": true' in text for flag in ("readOnly", "writeOnly")}
        self._closed = any(f'"{keyword}": false' in text for keyword in _CLOSED)
        # nothing points at a branch by its number
        self._renames = '"oneOf":' in text and "/oneOf/" not in text
        self._made: dict[tuple[str, bool, bool], dict[str, Any]] = {}

    def view(self, flag: str, writer: bool, tolerant: bool) -> dict[str, Any]:
        """`flag` is what does not count: "readOnly" in requests, "writeOnly" in answers."""
        opened = tolerant and not writer and self._closed
        if not self._flags[flag] and not opened and not self._renames:
            return self._root
        counts = self._flags[flag]
        key = (flag if counts else "", writer and counts, opened)  # requests and answers share what does not differ
        if key not in self._made:
            self._made[key] = _View(self._root, key[0], writer, opened, self._renames).made()
        return self._made[key]


class _View:
    def __init__(self, root: dict[str, Any], flag: str, writer: bool, opened: bool, renames: bool) -> None:
        self._root = root
        self._renames = renames
        self._flag = flag
        self._instead = _NOTHING if writer else _ANYTHING
        self._opened = opened

    def made(self) -> dict[str, Any]:
        found = self._seen(self._root, frozenset())
        assert isinstance(found, dict)
        return found

    def _seen(self, value: Any, hidden: frozenset[str]) -> Any:
        """`value` in this view, the same object where nothing changes. `hidden`: names nobody demands, from the schemas
        that hold this one in their `allOf`."""
        if isinstance(value, list):
            items = [self._seen(item, frozenset()) for item in value]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        if not isinstance(value, dict):
            return value
        own = self._hidden(value, 0) if self._flag and ("properties" in value or "allOf" in value) else frozenset()
        hidden = hidden | own
        changed: dict[str, Any] = {}
        for key, item in value.items():
            new = self._entry(key, item, hidden)
            if new is not item:
                changed[key] = new
        either = value.get("oneOf")
        if (
            self._renames
            and isinstance(either, list)
            and "anyOf" not in value
            and (self._opened or self._exclude(either))
        ):
            whole = {**value, **changed}
            return {"anyOf" if key == "oneOf" else key: item for key, item in whole.items()}
        return {**value, **changed} if changed else value

    def _entry(self, key: str, item: Any, hidden: frozenset[str]) -> Any:
        if key == "properties" and isinstance(item, dict):
            properties = {name: self._property(schema) for name, schema in item.items()}
            return properties if any(properties[name] is not item[name] for name in item) else item
        if key == "required" and isinstance(item, list):
            kept = [name for name in item if not (isinstance(name, str) and name in hidden)]
            return kept if len(kept) < len(item) else item
        if key in ("allOf", "anyOf", "oneOf") and isinstance(item, list):
            parts = [self._seen(part, hidden) for part in item]
            return parts if any(a is not b for a, b in zip(parts, item, strict=True)) else item
        if self._opened and key in _CLOSED and item is False:
            return _ANYTHING
        return self._seen(item, frozenset())

    def _exclude(self, branches: list[Any]) -> bool:
        """Whether no value fits two of the branches."""
        if len(branches) > MOST_BRANCHES:
            return False
        marks = [self._marks(branch) for branch in branches]
        return all(_apart(one, two) for number, one in enumerate(marks) for two in marks[:number])

    def _marks(self, schema: Any) -> tuple[frozenset[str], dict[str, frozenset[str]]]:
        """What a value that fits has to be: its types (empty: any), and fields an object needs with their few values."""
        for _ in range(20):
            reference = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            schema = at(self._root, reference[1:])
        if not isinstance(schema, dict):
            return frozenset(), {}
        kinds = types_of(schema)
        if kinds and schema.get("nullable") is True:
            kinds |= {"null"}
        properties, required = schema.get("properties"), schema.get("required")
        fields: dict[str, frozenset[str]] = {}
        for name in required if isinstance(properties, dict) and isinstance(required, list) else ():
            field = properties.get(name) if isinstance(name, str) and isinstance(properties, dict) else None
            if isinstance(field, dict) and self._flagged(field) is False and field.get("nullable") is not True:
                values = [field["const"]] if "const" in field else field.get("enum")
                if isinstance(values, list):
                    fields[name] = frozenset(map(_text, values))
        return kinds, fields if kinds == {"object"} else {}

    def _property(self, schema: Any) -> Any:
        if self._flag and self._flagged(schema):
            return self._instead
        return self._seen(schema, frozenset())

    def _flagged(self, schema: Any) -> bool:
        """Whether a property's schema, or what it refers to, has the flag."""
        for _ in range(20):
            if not isinstance(schema, dict) or schema.get(self._flag) is True:
                break
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                parts = schema.get("allOf")
                return isinstance(parts, list) and any(
                    isinstance(part, dict) and part.get(self._flag) is True for part in parts
                )
            schema = at(self._root, reference[1:])
        return isinstance(schema, dict) and schema.get(self._flag) is True

    def _hidden(self, schema: Any, depth: int) -> frozenset[str]:
        """Flagged properties of a schema and of its `allOf` parts."""
        found: set[str] = set()
        for _ in range(20):
            reference = schema.get("$ref") if isinstance(schema, dict) and depth else None
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            schema = at(self._root, reference[1:])
        if not isinstance(schema, dict) or depth > 6:
            return frozenset()
        properties = schema.get("properties")
        if isinstance(properties, dict):
            found |= {name for name, inner in properties.items() if self._flagged(inner)}
        parts = schema.get("allOf")
        for part in parts if isinstance(parts, list) else ():
            found |= self._hidden(part, depth + 1)
        return frozenset(found)


def _apart(
    one: tuple[frozenset[str], dict[str, frozenset[str]]], two: tuple[frozenset[str], dict[str, frozenset[str]]]
) -> bool:
    kinds = [{"number" if kind == "integer" else kind for kind in each[0]} for each in (one, two)]
    if kinds[0] and kinds[1] and not kinds[0] & kinds[1]:
        return True
    return any(one[1][name].isdisjoint(two[1][name]) for name in one[1].keys() & two[1].keys())


def written(root: Any, pointer: str) -> str:
    """The pointer into the document of one into a view of it."""
    tokens = pointer.split("/")
    value = root
    for index, token in enumerate(tokens[1:], 1):
        if token == "anyOf" and isinstance(value, dict) and "anyOf" not in value and "oneOf" in value:
            tokens[index] = "oneOf"
        value = at(value, "/" + tokens[index])
    return "/".join(tokens)


class Unchanged:
    """Which parts of two documents say the same, references included. Decided on texts, by the greatest fixpoint: two
    components that refer to each other are unchanged together."""

    def __init__(self, stable: dict[str, Any], canary: dict[str, Any]) -> None:
        self._texts = (_text(stable), _text(canary))
        self._changed: set[str] = set()
        users: dict[str, list[str]] = {}
        waiting = list(_references(self._texts[0]))
        seen = set(waiting)
        while waiting:
            reference = waiting.pop()
            text = _text(at(stable, reference[1:]))
            if text != _text(at(canary, reference[1:])):
                self._changed.add(reference)
            for other in _references(text):
                users.setdefault(other, []).append(reference)
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        waiting = list(self._changed)
        while waiting:
            for user in users.get(waiting.pop(), ()):
                if user not in self._changed:
                    self._changed.add(user)
                    waiting.append(user)

    def mentions(self, key: str) -> bool:
        """Whether a document has this key anywhere."""
        return any(f'"{key}":' in text for text in self._texts)

    def same(self, stable: Any, canary: Any) -> bool:
        text = _text(stable)
        return text == _text(canary) and not any(one in self._changed for one in _references(text))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _references(text: str) -> set[str]:
    return {json.loads(f'"{one}"') for one in re.findall(r'"\$(?:ref|dynamicRef)": "(#(?:[^"\\]|\\.)*)"', text)}
