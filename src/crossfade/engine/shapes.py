"""The `shape` check: can everybody who may get this answer read it?

Two kinds of readers. One holds the answer against an OpenAPI description: the side's own strictly, the other side's as
a tolerant reader who does not mind new fields. The other learned its promise from the pure runs: what was in every
answer will be missed when it is gone, and a JSON type never seen cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs
import msgspec

from crossfade.engine.answers import Answer
from crossfade.engine.sameness import pattern_of
from crossfade.model.api import ApiDescription, ApiOperation, match
from crossfade.model.ramp import Side

DEEPEST = 100  # levels of nesting that are learned; below that nothing is promised


class Shape(msgspec.Struct, frozen=True):
    """What several JSON values have in common. `types` are JSON's type names; empty: nothing seen, nothing promised.
    `items` is the shape of all items of all arrays, None while every array was empty. `values` is the shape of the
    values of objects that serve as maps (keys that are ids), None while no such object was seen."""

    types: frozenset[str] = frozenset()
    fields: dict[str, Shape] = {}
    required: frozenset[str] = frozenset()
    items: Shape | None = None
    values: Shape | None = None


class ShapeProblem(msgspec.Struct, frozen=True):
    """One place that cannot be read. `path` is "body.items[0].amount", `pattern` the same as `sameness.pattern_of`
    gives it, `place` its keys and indices below the body; `keyword` the broken JSON Schema keyword, or absent,
    undocumented-status, media, schema. `reader` is the side whose consumer cannot read it ("" where nobody was named).
    A `weak` problem is told and fails nothing; `note` says why it is weak."""

    path: str
    pattern: str
    keyword: str
    message: str
    weak: bool = False
    note: str = ""
    reader: str = ""
    place: tuple[str | int, ...] = ()


# -- learned shapes -----------------------------------------------------------------------------------------------


def learned(values: Sequence[Any]) -> Shape:
    """The shape of several answers to the same call. Every one of `values` fits it.

    >>> shape = learned([{"id": 1, "note": None}, {"id": 2, "note": "x", "tags": []}])
    >>> sorted(shape.required), sorted(shape.fields["note"].types)
    (['id', 'note'], ['null', 'string'])
    """
    return _merged(_shape(value, 0) for value in values)


def merge(one: Shape, two: Shape) -> Shape:
    """The shape of everything both were learned from: what fits `one` and `two` fits it, and so does every sample."""
    if one is two or not two.types or one == two:
        return one
    if not one.types:
        return two
    fields, required = _merged_fields(one, two)
    return Shape(
        types=one.types | two.types,
        fields=fields,
        required=required,
        items=_either(one.items, two.items),
        values=_either(one.values, two.values),
    )


def _merged_fields(one: Shape, two: Shape) -> tuple[dict[str, Shape], frozenset[str]]:
    if "object" not in one.types or "object" not in two.types:
        return (one.fields, one.required) if "object" in one.types else (two.fields, two.required)
    fields: dict[str, Shape] = {}
    for name in dict.fromkeys((*one.fields, *two.fields)):
        mine = one.fields.get(name) or one.values
        theirs = two.fields.get(name) or two.values
        merged = _either(mine, theirs)
        if merged is not None:
            fields[name] = merged
    return fields, one.required & two.required


def _either(one: Shape | None, two: Shape | None) -> Shape | None:
    if one is None or two is None:
        return one or two
    return merge(one, two)


def _merged(shapes: Iterable[Shape]) -> Shape:
    result = Shape()
    for shape in shapes:
        result = merge(result, shape)
    return result


def _shape(value: Any, depth: int) -> Shape:
    if depth > DEEPEST:
        return Shape()
    if isinstance(value, dict):
        if value and all(_is_id(str(key)) for key in value):
            return Shape(types=_OBJECT, values=_merged(_shape(item, depth + 1) for item in value.values()))
        fields = {str(key): _shape(item, depth + 1) for key, item in value.items()}
        return Shape(types=_OBJECT, fields=fields, required=frozenset(fields))
    if isinstance(value, list | tuple):
        items = _merged(_shape(item, depth + 1) for item in value) if value else None
        return Shape(types=_ARRAY, items=items)
    return _SCALARS[_kind(value)]


Place = tuple[str | int, ...]  # keys and indices below the body
_OBJECT, _ARRAY, _NULL = frozenset({"object"}), frozenset({"array"}), frozenset({"null"})
_SCALARS = {kind: Shape(types=frozenset({kind})) for kind in ("null", "boolean", "number", "string")}


def broken_promises(seen: Any, promise: Shape, path: str = "body", owner: str = "") -> tuple[ShapeProblem, ...]:
    """What a consumer who knows only `promise` cannot read in `seen`. `owner` ("stable") names whose answers the
    promise was learned from.

    >>> [problem.message for problem in broken_promises({"id": "7"}, learned([{"id": 7, "ok": True}]))]
    ['`body.id` is a string; it was always a number', '`body.ok` is missing; it was in every answer seen']
    """
    whose = f"the {owner} always answered" if owner else "it was always"
    every = f"every answer of the {owner} alone had it" if owner else "it was in every answer seen"
    found = (
        _problem(path, place, keyword, text.format(whose=whose, every=every))
        for place, keyword, text in _broken(seen, promise, (), 0)
    )
    return _distinct(found)


def _broken(seen: Any, promise: Shape, place: Place, depth: int) -> Iterator[tuple[Place, str, str]]:
    if not promise.types or promise.types == _NULL or depth > DEEPEST:
        return  # never seen, or only ever null: any value is news, not a breach
    kind = _kind(seen)
    if kind not in promise.types:
        known = " or ".join(_A[one] for one in sorted(promise.types))
        yield place, "type", f"is {_A[kind]}; {{whose}} {known}"
        return
    if kind == "object":
        for key, value in seen.items():
            expected = promise.fields.get(key) or promise.values
            if expected is not None:
                yield from _broken(value, expected, (*place, key), depth + 1)
        for key in sorted(promise.required):
            if key not in seen:
                yield (*place, key), "absent", "is missing; {every}"
    elif kind == "array" and promise.items is not None:
        for index, item in enumerate(seen):
            yield from _broken(item, promise.items, (*place, index), depth + 1)


def _problem(root: str, place: Place, keyword: str, text: str) -> ShapeProblem:
    path = root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return ShapeProblem(path, pattern_of(path), keyword, f"`{path}` {text}", place=place)


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list | tuple) else "number"


_A = {"null": "null", "boolean": "a boolean", "number": "a number", "string": "a string", "object": "an object"}
_A |= {"array": "an array", "integer": "an integer"}


@lru_cache(maxsize=65_536)
def _is_id(key: str) -> bool:
    return bool(_ID.fullmatch(key)) and any(letter.isdigit() for letter in key)


_ID = re.compile(
    r"-?\d+"  # numbers
    r"|\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?"  # uuids
    r"|[0-9a-fA-F]{16,}|[A-Za-z]{0,8}[_-]?[0-9A-Za-z]{20,}"  # hashes, ulids, tokens (with a digit)
    r"|\d{4}-\d\d-\d\d(?:[T ].*)?"  # days and times
)


def _distinct(problems: Iterable[ShapeProblem]) -> tuple[ShapeProblem, ...]:
    """The first problem of each pattern and keyword, with the number of further places."""
    first: dict[tuple[str, str], ShapeProblem] = {}
    more: dict[tuple[str, str], int] = {}
    for problem in problems:
        key = (problem.pattern, problem.keyword)
        if key in first:
            more[key] = more.get(key, 0) + 1
        else:
            first[key] = problem
    return tuple(
        msgspec.structs.replace(problem, message=f"{problem.message} (and in {more[key]:,} more places)")
        if key in more
        else problem
        for key, problem in first.items()
    )


# -- descriptions -------------------------------------------------------------------------------------------------


def schema_problems(
    answer: Answer,
    description: ApiDescription,
    method: str,
    path: str,
    *,
    tolerant: bool,
    owner: str = "",
) -> tuple[ShapeProblem, ...]:
    """Where `answer` breaks `description`. A tolerant reader accepts new fields everywhere, and says nothing about
    calls and status codes the description does not know. `owner` ("stable") names whose description it is."""
    whose = f"the {owner}'s description" if owner else "the description"
    operation = match(description, method, path)
    if operation is None:
        return ()
    documented = operation.response(answer.status)
    if documented is None:
        if tolerant or answer.status >= 500 or not operation.responses:
            return ()
        text = f"`{operation}` answered {answer.status}; {whose} does not mention that status"
        return (ShapeProblem("status", "status", "undocumented-status", text, weak=True),)
    name = _schema_name(operation, answer, documented.schemas)
    if name is None or method.upper() == "HEAD" or answer.status in (204, 304):
        return ()
    if answer.kind != "json":
        if documented.status == "default" or 300 <= answer.status < 400:
            return ()  # `default` is written for errors of any kind, a redirect needs no body
        said = "is empty" if answer.kind == "empty" else "is not JSON"
        return (_problem("body", (), "media", f"{said}; {whose} promises JSON"),)
    try:
        validator = _validator(description, name)
    except ValueError as problem:
        text = f"{whose} of `{operation}` cannot be used: {str(problem).splitlines()[0]}"
        return (ShapeProblem("body", "body", "schema", text, weak=True),)
    if validator.is_valid(answer.body):
        return ()
    errors = (error for error in validator.iter_errors(answer.body) if not (tolerant and _forgiven(error)))
    return _distinct(problem for error in errors for problem in _problems(error, tolerant, whose))


def _schema_name(operation: ApiOperation, answer: Answer, schemas: Mapping[str, str | None]) -> str | None:
    """The schema for the answer's media type. An answer that is JSON without saying so, or that is documented as JSON
    and is something else, is held against the documented JSON."""
    media = answer.media.split(";")[0].strip().lower()
    for candidate in (media, media.split("/")[0] + "/*", "*/*"):
        if candidate in schemas:
            return schemas[candidate] if answer.kind == "json" or _is_json(media) else None
    documented = [candidate for candidate in schemas if _is_json(candidate)]
    if not documented or (answer.kind == "json" and media == "application/problem+json"):
        return None
    return schemas.get("application/json") or schemas[documented[0]]


def _is_json(media: str) -> bool:
    return media in ("application/json", "text/json") or media.endswith("+json")


@lru_cache(maxsize=16)
def _registry(description: ApiDescription) -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([("urn:crossfade:api", description.document)])


@lru_cache(maxsize=4096)
def _validator(description: ApiDescription, name: str) -> jsonschema_rs.Draft202012Validator:
    """Compiled when first needed: a large description has thousands of schemas, a contract calls a few."""
    return jsonschema_rs.Draft202012Validator(
        {"$ref": f"urn:crossfade:api#/$defs/{name}"}, registry=_registry(description), validate_formats=True
    )


_ADDITIVE = ("additionalProperties", "unevaluatedProperties")


def _forgiven(error: Any) -> bool:
    """Whether a tolerant reader does not mind: fields it does not know, alone or as the only fault of one branch."""
    keyword = str(error.schema_path[-1]) if error.schema_path else ""
    if keyword in _ADDITIVE or error.kind.name in _ADDITIVE:
        return True
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.OneOfMultipleValid):
        return True  # it fits: more than once does not hurt a reader
    return any(all(_forgiven(inner) for inner in branch) for branch in _branches(error))


def _branches(error: Any) -> list[list[Any]]:
    kinds = jsonschema_rs.ValidationErrorKind
    return error.kind.context if isinstance(error.kind, kinds.AnyOf | kinds.OneOfNotValid) else []


def _problems(error: Any, tolerant: bool, whose: str) -> Iterator[ShapeProblem]:
    """One error in plain words. Of several branches none of which fits, the one that comes closest is told: not of
    another type altogether, then the fewest faults."""
    branches = [[one for one in branch if not (tolerant and _forgiven(one))] for branch in _branches(error)]
    branches = [branch for branch in branches if branch]
    here = len(error.instance_path)
    fitting = [b for b in branches if not any(len(one.instance_path) == here and _other_kind(one) for one in b)]
    if fitting and (len(fitting) == 1 or min(map(len, fitting)) < max(map(len, fitting))):
        for inner in min(fitting, key=len):
            yield from _problems(inner, tolerant, whose)
        return
    for place, keyword, text in _told(error, branches):
        yield _problem("body", tuple(place), keyword, text.format(whose=whose))


def _other_kind(error: Any) -> bool:
    return error.kind.name in ("type", "const")


def _told(error: Any, branches: list[list[Any]]) -> Iterator[tuple[list[str | int], str, str]]:
    """(place, keyword, words) of one error, in which `{whose}` stands for the description."""
    place, name, value = list(error.instance_path), error.kind.name, error.kind.value
    kind = _A[_kind(error.instance)]
    keyword = str(error.schema_path[-1]) if name == "falseSchema" and error.schema_path else name
    said = _escaped(_short(error.instance))
    if name == "required":
        yield [*place, str(value)], name, "is missing; {whose} requires it"
    elif keyword in _ADDITIVE:
        if not isinstance(value, list):  # nothing at all is allowed there, and the validator does not say what it met
            yield place, keyword, "has a field {whose} does not allow"
        for field in value if isinstance(value, list) else ():
            yield [*place, field], keyword, "is not in {whose}, which allows no other fields"
    elif name == "type":
        kinds = value if isinstance(value, list) else [value]
        if "integer" in kinds and isinstance(error.instance, float):
            kind = _escaped(f"{error.instance}")
        yield place, name, f"is {kind}; {{whose}} promises {' or '.join(_A.get(str(one), str(one)) for one in kinds)}"
    elif name == "enum":
        yield place, name, f"is {said}; {{whose}} allows only {_escaped(', '.join(_short(one) for one in value[:8]))}"
    elif name == "const":
        yield place, name, f"is {said}; {{whose}} allows only {_escaped(_short(value))}"
    elif name == "format":
        yield place, name, f"is {said}; {{whose}} promises the format {_escaped(str(value))}"
    elif name in ("anyOf", "oneOf"):
        promised = [
            str(one.kind.value[0])
            for branch in branches
            for one in branch
            if one.kind.name == "type" and len(one.instance_path) == len(place)
        ]
        if promised and len(promised) == len(branches):
            names = " or ".join(dict.fromkeys(_A.get(one, one) for one in promised))
            yield place, "type", f"is {kind}; {{whose}} promises {names}"
        else:
            yield (
                place,
                name,
                "fits none of the forms {whose} allows" if branches else "fits more than one form of {whose}",
            )
    else:
        yield (
            place,
            name,
            f"is {said}; {_LIMITS.get(name, '{whose} has `' + name + '` there')}".replace(
                "{value}", _escaped(_short(value))
            ),
        )


_LIMITS = {
    "minimum": "{whose} promises at least {value}",
    "maximum": "{whose} promises at most {value}",
    "exclusiveMinimum": "{whose} promises more than {value}",
    "exclusiveMaximum": "{whose} promises less than {value}",
    "minLength": "{whose} promises at least {value} characters",
    "maxLength": "{whose} promises at most {value} characters",
    "minItems": "{whose} promises at least {value} items",
    "maxItems": "{whose} promises at most {value} items",
    "uniqueItems": "{whose} promises items that all differ",
    "multipleOf": "{whose} promises a multiple of {value}",
    "pattern": "{whose} promises the pattern {value}",
}


def _short(value: Any) -> str:
    """A value as JSON, cut to what fits a sentence."""
    try:
        text = msgspec.json.encode(value).decode()
    except (msgspec.EncodeError, OverflowError, TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# -- both readers -------------------------------------------------------------------------------------------------


def both_ways(
    answer: Answer,
    side: Side,
    method: str,
    path: str,
    *,
    descriptions: Mapping[Side, ApiDescription | None],
    shapes: Mapping[Side, Shape | None],
    old: Collection[tuple[str, str]] = (),
) -> tuple[ShapeProblem, ...]:
    """Who cannot read an answer of `side`: its own consumer, and the other side's (as a tolerant reader).

    `shapes` holds what each side's pure runs answered at this step *with this status* (None where they did not).
    `old` are the breaches the stable shows at `before` against its own description (see `breaches`): they are weak
    wherever they come back. Weak, too: what only the canary's consumer expects and the stable never promised.
    """
    if answer.status == 0:
        return ()  # no answer came: that is the status check's
    problems: list[ShapeProblem] = []
    for reader in (side, side.other):
        found = _reader_problems(answer, side, reader, method, path, descriptions, shapes)
        problems.extend(msgspec.structs.replace(problem, reader=str(reader)) for problem in found)
    known = frozenset(old)
    return tuple(
        msgspec.structs.replace(problem, weak=True, note="the stable alone did so before the ramp, too")
        if (problem.pattern, problem.keyword) in known
        else problem
        for problem in problems
    )


def breaches(problems: Iterable[ShapeProblem]) -> frozenset[tuple[str, str]]:
    """Patterns and keywords, as `both_ways` takes them in `old`."""
    return frozenset((problem.pattern, problem.keyword) for problem in problems)


def _reader_problems(
    answer: Answer,
    side: Side,
    reader: Side,
    method: str,
    path: str,
    descriptions: Mapping[Side, ApiDescription | None],
    shapes: Mapping[Side, Shape | None],
) -> Iterator[ShapeProblem]:
    description, promise = descriptions.get(reader), shapes.get(reader)
    found: tuple[ShapeProblem, ...] = ()
    if description is not None:
        tolerant = reader is not side
        found = schema_problems(answer, description, method, path, tolerant=tolerant, owner=str(reader))
    if promise is not None and answer.kind == "json" and answer.status < 500:
        broken = broken_promises(answer.body, promise, owner=str(reader))
        if description is not None and broken:
            broken = tuple(one for one in broken if not _decides(description, method, path, answer, one))
        found = (*found, *broken)
    if reader is side or reader is Side.STABLE:
        yield from found
        return
    for problem in found:  # the canary's consumer reads the stable
        note = _why_harmless(problem, descriptions.get(side), shapes.get(side), method, path, answer)
        yield msgspec.structs.replace(problem, weak=True, note=note) if note else problem


def _why_harmless(
    problem: ShapeProblem,
    description: ApiDescription | None,
    shape: Shape | None,
    method: str,
    path: str,
    answer: Answer,
) -> str:
    """Why what the canary's consumer misses in an answer of the stable is no failure of the ramp; "" where it is."""
    if problem.keyword in _LIMITS:
        return "the canary only narrowed the values it describes"
    if problem.keyword in ("required", "absent"):
        by_text = description is not None and bool(_schemas_at(description, method, path, answer, problem.place))
        by_sight = shape is not None and _has(shape, problem.place)
        return "" if by_text or by_sight else "the field is new on the canary"
    if problem.keyword == "type" and "is null;" in problem.message and "always answered" in problem.message:
        return "the stable may leave the field empty; only the canary always filled it"
    return ""


def _decides(description: ApiDescription, method: str, path: str, answer: Answer, problem: ShapeProblem) -> bool:
    """Whether the description speaks about what was learned there: a field it names may be optional, a type it gives
    may be wider than what was seen. About the rest (generated descriptions often say just `{}`) sight decides."""
    schemas = _schemas_at(description, method, path, answer, problem.place)
    if problem.keyword == "absent":
        return bool(schemas)
    definitions = description.document["$defs"]
    return any(form.keys() & {"type", "enum", "const", "properties", "items"} for form in _forms(schemas, definitions))


def _described_as(description: ApiDescription, method: str, path: str, answer: Answer) -> str | None:
    operation = match(description, method, path)
    documented = operation.response(answer.status) if operation is not None else None
    if operation is None or documented is None:
        return None
    return _schema_name(operation, answer, documented.schemas)


def _has(shape: Shape, place: Place) -> bool:
    if not place:
        return True
    step = place[0]
    inner = shape.items if isinstance(step, int) else shape.fields.get(step) or shape.values
    return inner is not None and _has(inner, place[1:])


def _schemas_at(
    description: ApiDescription, method: str, path: str, answer: Answer, place: Place
) -> list[dict[str, Any] | bool]:
    """What the description says about the value at `place`, in any of the forms the answer may take."""
    name = _described_as(description, method, path, answer)
    definitions = description.document["$defs"]
    level: list[Any] = [definitions.get(name)] if name is not None else []
    for step in place:
        level = [inner for schema in _forms(level, definitions) for inner in _below(schema, step)]
    return level


def _forms(schemas: Iterable[Any], definitions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas that apply to the same value: references followed, combinations opened."""
    waiting, seen = list(schemas), set()
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        if "$ref" in schema:
            waiting.append(definitions.get(schema["$ref"].removeprefix("#/$defs/")))
        for keyword in ("allOf", "anyOf", "oneOf"):
            waiting.extend(schema.get(keyword, ()))
        waiting.extend(schema.get(keyword) for keyword in ("if", "then", "else"))


def _below(schema: Mapping[str, Any], step: str | int) -> Iterator[Any]:
    if isinstance(step, int):
        yield from schema.get("prefixItems", ())
        yield from (schema[key] for key in ("items",) if isinstance(schema.get(key), dict))
    elif step in schema.get("properties", {}):
        yield schema["properties"][step]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"]
