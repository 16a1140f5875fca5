"""What a description says and what was seen, held against each other in both directions: shapes that are declared and
never came, and shapes that came and are not declared.

Neither is a break. The first says how far a run went (a field nobody saw was judged by the document alone), the second
where the document is silent, so that nothing it proves holds there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from crossfade.engine.answers import Answer, answer
from crossfade.engine.shapes import Shape, _below, _forms, _schema_name, learned, merge
from crossfade.model.api import ApiDescription, ApiOperation, match
from crossfade.model.history import Exchange

DEEPEST = 30  # levels of a body that are looked at
MOST_VALUES = 64  # different texts kept of one place


class Gap(msgspec.Struct, frozen=True, order=True):
    """One thing that only one of the two knows. `kind` is operation, status, media, field or value; `path` its place in an
    answer ("body.items[].price"; "" for the others), `name` what it is ("404", "refunded")."""

    operation: str
    kind: str
    status: str = ""
    path: str = ""
    name: str = ""

    def __str__(self) -> str:
        status = self.name if self.kind == "status" else self.status
        answer = f" answered {status}" if status else ""
        what = {"value": f" with `{self.name}` as", "media": f" as `{self.name}`", "field": " with"}.get(self.kind, "")
        return f"{self.operation}{answer}{what}" + (f" `{self.path}`" if self.path else "")


class Gaps(msgspec.Struct, frozen=True):
    """`unobserved`: declared and never seen. `undeclared`: seen and not declared. In the order of the description."""

    unobserved: tuple[Gap, ...]
    undeclared: tuple[Gap, ...]


class Seen(msgspec.Struct, frozen=True):
    """One call and its answer. `path` is the concrete path, a query does not matter."""

    method: str
    path: str
    answer: Answer


def seen_in(exchanges: Iterable[Exchange]) -> Iterator[Seen]:
    """The calls that were made and answered."""
    for exchange in exchanges:
        came = answer(exchange)
        if exchange.request is not None and came is not None and came.status:
            yield Seen(exchange.request.method, exchange.request.target, came)


def gaps(description: ApiDescription, calls: Iterable[Seen]) -> Gaps:
    """Both lists. A body that the description leaves open (no schema, `{}`) is not looked into."""
    met: dict[tuple[str, str], _Answers] = {}
    called: dict[str, dict[str, None]] = {}
    unobserved: list[Gap] = []
    undeclared: dict[Gap, None] = {}
    for call in calls:
        operation = match(description, call.method, call.path)
        if operation is None:
            undeclared[Gap(f"{call.method.upper()} {call.path.split('?', 1)[0]}", "operation")] = None
            continue
        name = str(operation)
        documented = operation.response(call.answer.status)
        if documented is None:
            called.setdefault(name, {})
            if operation.responses:
                undeclared[Gap(name, "status", name=str(call.answer.status))] = None
            continue
        called.setdefault(name, {})[documented.status] = None
        answers = met.setdefault((name, documented.status), _Answers(operation, documented.schemas))
        media = answers.take(call.answer)
        if media:
            undeclared[Gap(name, "media", documented.status, name=media)] = None
    for operation in description.operations:
        name = str(operation)
        if name not in called:
            unobserved.append(Gap(name, "operation"))
            continue
        for response in operation.responses:
            if response.status not in called[name]:
                unobserved.append(Gap(name, "status", name=response.status))
                continue
            missing, extra = met[name, response.status].gaps(description, response.status)
            unobserved += missing
            undeclared |= dict.fromkeys(extra)
    return Gaps(tuple(dict.fromkeys(unobserved)), tuple(undeclared))


class _Answers:
    """All answers of one operation with one documented status."""

    def __init__(self, operation: ApiOperation, schemas: Mapping[str, str | None]) -> None:
        self._operation = operation
        self._schemas = schemas
        self._shapes: dict[str, Shape] = {}
        self._texts: dict[str, dict[str, set[str]]] = {}

    def take(self, came: Answer) -> str:
        """The media type where it is not declared, else ""."""
        ranges = (came.media, came.media.split("/")[0] + "/*", "*/*")
        if came.media and came.kind != "empty" and self._schemas and not any(one in self._schemas for one in ranges):
            return came.media
        name = _schema_name(self._operation, came, self._schemas)
        if name is not None and came.kind == "json":
            self._shapes[name] = merge(self._shapes.get(name, Shape()), learned([came.body]))
            _texts(came.body, "", self._texts.setdefault(name, {}), 0)
        return ""

    def gaps(self, description: ApiDescription, status: str) -> tuple[list[Gap], list[Gap]]:
        missing: list[Gap] = []
        extra: list[Gap] = []
        definitions = description.document["$defs"]
        for name, shape in self._shapes.items():
            walk = _Walk(str(self._operation), status, definitions, self._texts[name], missing, extra)
            walk.look([definitions.get(name)], shape, "", 0)
        return missing, extra


class _Walk(msgspec.Struct):
    operation: str
    status: str
    definitions: Mapping[str, Any]
    texts: Mapping[str, set[str]]
    missing: list[Gap]
    extra: list[Gap]

    def look(self, schemas: list[Any], shape: Shape, path: str, depth: int) -> None:
        forms = list(_forms(schemas, self.definitions))
        if depth > DEEPEST or not forms:
            return
        self._values(forms, path)
        declared = {name for form in forms for name in form.get("properties", ())}
        if "object" in shape.types and declared:
            open_to = any(isinstance(form.get("additionalProperties"), dict) for form in forms)
            patterned = any("patternProperties" in form for form in forms)
            for name in sorted(declared - shape.fields.keys() if shape.values is None else ()):
                self.missing.append(self._gap(f"{path}.{name}"))
            for name in sorted(shape.fields.keys() - declared):
                if not open_to and not patterned:
                    self.extra.append(self._gap(f"{path}.{name}"))
        for name, inner in shape.fields.items():
            below = [one for form in forms for one in _below(form, name)]
            self.look(below, inner, f"{path}.{name}", depth + 1)
        if shape.items is not None:
            self.look([one for form in forms for one in _below(form, 0)], shape.items, f"{path}[]", depth + 1)

    def _values(self, forms: list[dict[str, Any]], path: str) -> None:
        """Values of an enum that never came, where its place was seen."""
        came = self.texts.get(path)
        if not came or len(came) >= MOST_VALUES:
            return
        for form in forms:
            for value in form.get("enum", ()):
                if isinstance(value, str) and value not in came:
                    self.missing.append(
                        Gap(self.operation, "value", self.status, f"body{path}", value),
                    )

    def _gap(self, path: str) -> Gap:
        return Gap(self.operation, "field", self.status, f"body{path}")


def _texts(value: Any, path: str, found: dict[str, set[str]], depth: int) -> None:
    """The different texts at each place of a body."""
    if isinstance(value, str):
        known = found.setdefault(path, set())
        if len(known) < MOST_VALUES:
            known.add(value)
    elif depth > DEEPEST:
        return
    elif isinstance(value, dict):
        for key, item in value.items():
            _texts(item, f"{path}.{key}", found, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _texts(item, f"{path}[]", found, depth + 1)
