"""Two GraphQL schemas: what a consumer of one meets at a provider of the other. The changes are found by
graphql-core; here they get a direction and a weight.

Forward: the older consumer asks the newer provider, so what is breaking for graphql-core breaks. What it calls
dangerous is read by the older consumer (a new enum value, a new member of a union). Backward: the newer consumer may
meet the older provider; there only what both know counts as a break, since what is new to the older provider may not
be asked for yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from crossfade.model.compat import Crossing, Severity

_UNKNOWN_TO_OLDER = (
    "TYPE_REMOVED", "FIELD_REMOVED", "ARG_REMOVED", "DIRECTIVE_REMOVED", "DIRECTIVE_ARG_REMOVED",
    "DIRECTIVE_LOCATION_REMOVED", "DIRECTIVE_REPEATABLE_REMOVED", "IMPLEMENTED_INTERFACE_REMOVED", "TYPE_REMOVED_FROM_UNION",
)  # fmt: skip
_READ = ("FIELD_CHANGED_KIND", "VALUE_ADDED_TO_ENUM", "TYPE_ADDED_TO_UNION", "IMPLEMENTED_INTERFACE_ADDED")
_MILD = ("OPTIONAL_INPUT_FIELD_ADDED", "OPTIONAL_ARG_ADDED", "IMPLEMENTED_INTERFACE_ADDED")
_MOST = 200
RULES = {
    "TYPE_REMOVED": "graphql-type-removed",
    "TYPE_CHANGED_KIND": "graphql-type-removed",
    "TYPE_REMOVED_FROM_UNION": "graphql-type-removed",
    "IMPLEMENTED_INTERFACE_REMOVED": "graphql-type-removed",
    "FIELD_REMOVED": "graphql-field-removed",
    "FIELD_CHANGED_KIND": "graphql-field-type-changed",
    "ARG_REMOVED": "graphql-argument-removed",
    "ARG_CHANGED_KIND": "graphql-argument-type-changed",
    "REQUIRED_ARG_ADDED": "graphql-argument-required",
    "REQUIRED_INPUT_FIELD_ADDED": "graphql-argument-required",
    "VALUE_REMOVED_FROM_ENUM": "graphql-enum-value-removed",
    "VALUE_ADDED_TO_ENUM": "graphql-enum-value-added",
    "TYPE_ADDED_TO_UNION": "graphql-union-member-added",
    "IMPLEMENTED_INTERFACE_ADDED": "graphql-union-member-added",
    "ARG_DEFAULT_VALUE_CHANGE": "graphql-default-changed",
    "OPTIONAL_INPUT_FIELD_ADDED": "graphql-optional-added",
    "OPTIONAL_ARG_ADDED": "graphql-optional-added",
}  # every other kind is about directives


class GraphQLProblem(msgspec.Struct, frozen=True):
    """`where` is "Order.price", a type, or a directive. `newer_consumer`: the pair is canary consumer and stable provider.
    `lines` are (file, line) in the stable's and the canary's schema."""

    rule: str
    where: str
    message: str
    severity: Severity
    crossing: Crossing
    newer_consumer: bool
    roots: tuple[str, ...] = ()
    lines: tuple[tuple[str, int], tuple[str, int]] = (("", 0), ("", 0))


def graphql_problems(stable: Any, canary: Any) -> tuple[GraphQLProblem, ...]:
    """Both directions, in a fixed order."""
    from graphql.utilities import find_breaking_changes, find_dangerous_changes

    found = [
        *_told(stable, canary, find_breaking_changes(stable, canary), newer=False, dangerous=False),
        *_told(stable, canary, find_dangerous_changes(stable, canary), newer=False, dangerous=True),
        *_told(stable, canary, find_breaking_changes(canary, stable), newer=True, dangerous=False),
    ]
    return tuple(sorted(found, key=lambda one: (one.newer_consumer, one.where, one.rule)))


def _told(stable: Any, canary: Any, changes: Any, newer: bool, dangerous: bool) -> Iterator[GraphQLProblem]:
    consumer, provider = (canary, stable) if newer else (stable, canary)
    inputs = _input_types(consumer)
    for change in changes:
        kind = change.type.name
        where = _where(change.description, (consumer, provider))
        severity = Severity.WARNING if dangerous else Severity.ERROR
        if kind in _MILD:
            severity = Severity.INFO
        rule = RULES.get(kind, "graphql-directive-changed")
        asked = kind not in _READ
        if kind == "FIELD_CHANGED_KIND" and where.partition(".")[0] in inputs:
            rule, asked = "graphql-argument-type-changed", True
        message = change.description.rstrip(".")
        if newer and kind in _UNKNOWN_TO_OLDER:
            severity, rule = Severity.INFO, "graphql-newer-consumer"
            message = f"the older provider does not know `{where}`: a newer consumer that asks for it is refused"
        elif kind == "VALUE_REMOVED_FROM_ENUM":
            owner = where.partition(".")[0]
            severity = (Severity.WARNING if newer else Severity.ERROR) if owner in inputs else Severity.INFO
            if newer:
                message = f"a newer consumer may send `{where}`, which the older provider does not know"
        elif newer:
            message = f"seen by a newer consumer at the older provider: {message[0].lower()}{message[1:]}"
        crossing = Crossing.REQUEST if asked else Crossing.RESPONSE
        lines = (_place(stable, where), _place(canary, where))
        yield GraphQLProblem(rule, where, message, severity, crossing, newer, _roots(consumer, where), lines)


def _where(description: str, schemas: tuple[Any, Any]) -> str:
    """The field, value, type or directive a description speaks of: the wording differs between versions of the library."""
    known = {*schemas[0].type_map, *schemas[1].type_map}
    for match in re.finditer(r"'?\b(\w+)\.(\w+)", description):
        if match.group(1) in known:
            return f"{match.group(1)}.{match.group(2)}"
    words = re.findall(r"@?\w+", description)
    types = [word for word in words if word in known]
    first = words[0] if words else ""
    if types and first not in types and re.search(r"enum|input", description) and re.match(r"\w+$", first):
        return f"{types[-1]}.{first}"
    directive = next((word for word in words if word.startswith("@")), "")
    if re.search(r"union|interface", description) and len(types) > 1:
        return f"{types[-1]}.{types[0]}" if "union" in description else types[0]
    return types[0] if types else directive or first


def _place(schema: Any, where: str) -> tuple[str, int]:
    name, _, part = where.partition(".")
    node: Any = schema.type_map.get(name) or next((d for d in schema.directives if f"@{d.name}" == name), None)
    for group in ("fields", "values"):
        inner = getattr(node, group, None)
        if isinstance(inner, dict) and part in inner:
            node = inner[part]
            break
    ast = getattr(node, "ast_node", None)
    if ast is None or ast.loc is None:
        return ("", 0)
    return (ast.loc.source.name, ast.loc.start_token.line)


def _input_types(schema: Any) -> set[str]:
    """Types whose values a consumer sends."""
    found: set[str] = set()
    todo = [
        _named(arg.type)
        for kind in schema.type_map.values()
        for field in _fields(kind).values()
        for arg in _args(field)
    ]
    while todo:
        kind = todo.pop()
        if kind.name not in found:
            found.add(kind.name)
            todo += [_named(field.type) for field in _fields(kind).values()]
    return found


def _roots(schema: Any, where: str) -> tuple[str, ...]:
    """The root fields ("Query.orders") through which a consumer reaches a type, or the field itself."""
    name = where.partition(".")[0]
    found = []
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        if root is None:
            continue
        if root.name == name:
            return (where,) if "." in where else ()
        for label, field in sorted(root.fields.items()):
            if name in _reached(schema, field):
                found.append(f"{root.name}.{label}")
    return tuple(found[:_MOST])


def _reached(schema: Any, field: Any) -> set[str]:
    seen: set[str] = set()
    todo = [_named(field.type), *(_named(arg.type) for arg in _args(field))]
    while todo:
        kind = todo.pop()
        if kind.name in seen:
            continue
        seen.add(kind.name)
        todo += [_named(one.type) for one in _fields(kind).values()]
        todo += [_named(arg.type) for one in _fields(kind).values() for arg in _args(one)]
        todo += list(getattr(kind, "types", ()) or ())
        if hasattr(kind, "interfaces"):
            todo += list(kind.interfaces)
    return seen


def _named(kind: Any) -> Any:
    while hasattr(kind, "of_type"):
        kind = kind.of_type
    return kind


def _fields(kind: Any) -> dict[str, Any]:
    fields = getattr(kind, "fields", None)
    return fields if isinstance(fields, dict) else {}


def _args(field: Any) -> list[Any]:
    return list(getattr(field, "args", {}).values())
