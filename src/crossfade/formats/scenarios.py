"""`scenarios:`, `rules:`, `state:` and `changes:` of a contract."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from crossfade.formats.decode import Fields, Reading, one_of
from crossfade.formats.tree import Node, did_you_mean
from crossfade.model import template
from crossfade.model.contract import (
    BehaviourRule,
    Change,
    Database,
    OperationPattern,
    Scenario,
    Service,
    StateRule,
    Step,
)
from crossfade.model.expression import Expression
from crossfade.model.ramp import Stage

UNIQUE = "unique"
"""`${unique}` in a step: a random text, the same within one run of a scenario and another in every run."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")
OTHER_METHODS = (
    "TRACE",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "MKCOL",
    "MKCALENDAR",
    "PROPFIND",
    "PROPPATCH",
    "REPORT",
    "PURGE",
)
_CALL = re.compile(r"(\S+)\s+(\S.*)\Z", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_FIELD = re.compile(r"(status|text|(body|header|headers)([.\[].*)?)\Z")
_FIELD_PATH = re.compile(r"(\.[^.\[\]\s]+|\[[0-9]*\])*\Z")
_SAVED = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\bsaved\.([A-Za-z_][A-Za-z0-9_]*)")


def scenarios_of(reading: Reading, contract: Fields, services: tuple[Service, ...]) -> tuple[Scenario, ...]:
    node = contract.value("scenarios")
    if node is None:
        return ()
    if node.kind == "list" and not node.value:
        reading.problem(contract.key("scenarios"), "there is no scenario", "add `- name: ...` with `steps:`")
    scenarios: list[Scenario] = []
    names: set[str] = set()
    for item in reading.items(node, "`scenarios`"):
        if item.kind == "map" and (key := next((key for key, _ in item.value if key.text == "arazzo"), None)):
            reading.problem(key, "Arazzo documents are not supported yet", "write the calls as `steps:`")
            continue
        fields = Fields(reading, item, "scenario")
        if fields.is_map and (scenario := _scenario(reading, fields, names, services)) is not None:
            scenarios.append(scenario)
            names.add(scenario.name)
    return tuple(scenarios)


def _scenario(reading: Reading, fields: Fields, before: set[str], services: tuple[Service, ...]) -> Scenario | None:
    name_node, steps_node = fields.value("name"), fields.value("steps")
    name = reading.name(name_node, "`name`") if name_node else None
    if name_node and name in before:
        reading.problem(name_node, f"two scenarios are named `{name}`", "give each its own name")
    steps: list[Step] = []
    names: set[str] = set()
    saved: dict[str, None] = {}  # in the order they are saved
    if steps_node and steps_node.kind == "list" and not steps_node.value:
        reading.problem(fields.key("steps"), "a scenario without a step", "add `- call: GET /...`")
    for item in reading.items(steps_node, "`steps`") if steps_node else ():
        part = Fields(reading, item, "step")
        if part.is_map:
            step = _step(reading, part, names, tuple(saved), services)
            saved.update(dict.fromkeys(step.save))
            names.add(step.name)
            steps.append(step)
    return Scenario(name, tuple(steps), reading.place(name_node)) if name_node and name else None


def _step(
    reading: Reading, fields: Fields, before: set[str], saved: tuple[str, ...], services: tuple[Service, ...]
) -> Step:
    """A step that could not be read completely is still one, so that what it saves is known to the next."""
    call_node, name_node = fields.value("call"), fields.value("step")
    method, path = _call(reading, call_node) if call_node else ("GET", "/")
    name = (reading.name(name_node, "`step`") if name_node else None) or (call_node.text.strip() if call_node else "")
    if name and name in before:
        hint = "give it another name" if name_node else "name this one with `step:`"
        reading.problem(name_node or call_node or fields.node, f"two steps are named `{name}`", hint)
    fields.only_one("json", "form", "body")
    for word in ("call", "headers", "json", "form", "body"):
        if (node := fields.value(word)) is not None:
            reading.templates(node, (*saved, UNIQUE), ": no earlier step saves it")
    save = _save(reading, fields)
    json_node, form_node, body_node = (fields.value(word) for word in ("json", "form", "body"))
    has_json = "json" in fields.found  # `json: null` sends null
    timeout_node = fields.value("timeout")
    expect = _expect(reading, fields, "step", saved)
    _known_saved(reading, fields, (*saved, *save), expect)
    return Step(
        name=name,
        method=method,
        path=path,
        service=_called(reading, fields, services) or "",
        headers=_headers(reading, fields),
        json=reading.json_value(json_node) if json_node else None,
        has_json=has_json,
        form=_form(reading, form_node) if form_node else None,
        body=reading.written(body_node, "`body`") if body_node else None,
        timeout=(reading.seconds(timeout_node, "`timeout`") if timeout_node else None) or 10.0,
        expect=expect,
        save=save,
        position=reading.place(name_node or call_node or fields.node),
    )


def _call(reading: Reading, node: Node) -> tuple[str, str]:
    """Method and path. A path may hold `${...}` and nothing that HTTP cannot carry."""
    text = reading.text(node, "`call`")
    found = _CALL.match(text.strip()) if text is not None else None
    if text is None:
        return "GET", "/"
    if not found:
        hint = f"write `GET {text.strip()}`" if text.strip().startswith("/") else "write `GET /path`"
        reading.problem(node, f"`{text.strip()}` is no call: a method and a path", hint)
        return "GET", "/"
    method, path = found[1], found[2]
    if method not in METHODS and method not in OTHER_METHODS:
        upper = method.upper()
        hint = (
            f"write `{upper}`" if upper in METHODS else did_you_mean(method, METHODS) or f"one of {', '.join(METHODS)}"
        )
        reading.within(node, node.text.find(method), len(method), f"unknown method `{method}`", hint)
    _path(reading, node, path)
    return method, path


def _path(reading: Reading, node: Node, path: str) -> None:
    offset = node.text.find(path)
    if re.match(r"https?://", path):
        hint = "write the path only; `service:` says where it goes"
        reading.within(node, offset, len(path), "a call takes a path, not an address", hint)
        return
    bare = template.PATTERN.sub(lambda match: "x" * len(match.group(0)), path)
    if not bare.startswith("/") and not path.startswith("${"):
        reading.within(node, offset, len(path), f"the path `{path}` does not start with `/`", f"write `/{path}`")
        return
    if odd := re.search(r"[^!-~]", bare):
        hint = f"write `{quote(odd.group(0))}`"
        reading.within(node, offset + odd.start(), 1, f"a path cannot hold `{odd.group(0)}`", hint)


def _called(reading: Reading, fields: Fields, services: tuple[Service, ...]) -> str | None:
    """The service named; without `service:` the only one, or the only one on the ramp."""
    node = fields.value("service")
    names = [service.name for service in services]
    if node is not None:
        name = reading.name(node, "`service`")
        if name is not None and names and name not in names:
            reading.problem(
                node, f"unknown service `{name}`", did_you_mean(name, names) or f"services: {', '.join(names)}"
            )
        return name
    on_ramp = [service.name for service in services if service.on_ramp]
    if len(names) == 1 or len(on_ramp) == 1:
        return (on_ramp or names)[0]
    if len(names) > 1 and fields.kind == "step":
        reading.problem(fields.node, "which service does this step call?", one_of("service", names))
    return None


def _headers(reading: Reading, fields: Fields) -> dict[str, str]:
    node = fields.value("headers")
    if node is None:
        return {}
    values = reading.written_map(node, "`headers`")
    for key, value in node.value if node.kind == "map" else ():
        if not _HEADER.match(key.text):
            reading.problem(key, f"`{key.text}` is no name of a header", "letters, digits and `-`")
        if value.kind == "scalar" and re.search(r"[\r\n\0]", value.text):
            reading.problem(value, "a header holds one line", "take the line break out")
    return {name: "" if value.is_null else value.text for name, value in values.items()}


def _form(reading: Reading, node: Node) -> dict[str, str]:
    return {name: "" if value.is_null else value.text for name, value in reading.written_map(node, "`form`").items()}


def _save(reading: Reading, fields: Fields) -> dict[str, Expression]:
    node = fields.value("save")
    if node is None:
        return {}
    save: dict[str, Expression] = {}
    for key, value in reading.entries(node, "`save`"):
        if not _VARIABLE.match(key.text):
            reading.problem(key, f"`{key.text}` is no name for a variable", "use letters, digits and `_`")
        elif key.text == UNIQUE:
            reading.problem(
                key, f"`{UNIQUE}` is taken", "it is a random text, another in every run: save under another name"
            )
        else:
            found = reading.expression(value, "step", f"`{key.text}` in `save`")
            # A variable whose expression is wrong is still known to later steps.
            save[key.text] = found or Expression("null")
    return save


def _known_saved(reading: Reading, fields: Fields, known: Iterable[str], expect: tuple[Expression, ...]) -> None:
    """`saved.x` in an expression must be a variable of this or an earlier step."""
    node = fields.value("expect")
    names = tuple(known)
    for item in reading.one_or_list(node, "`expect`") if node and expect else ():
        for match in _SAVED.finditer(item.text) if item.kind == "scalar" else ():
            if match[1] and match[1] not in names:
                hint = did_you_mean(match[1], names) or (
                    f"saved: {', '.join(names)}" if names else "nothing is saved yet"
                )
                reading.within(item, match.start(), len(match[0]), f"unknown variable `saved.{match[1]}`", hint)


def _expect(reading: Reading, fields: Fields, over: str, saved: Iterable[str] = ()) -> tuple[Expression, ...]:
    node = fields.value("expect")
    return reading.expressions(node, over, saved) if node else ()


def rules_of(
    reading: Reading, contract: Fields, services: tuple[Service, ...], stages: tuple[Stage, ...]
) -> tuple[BehaviourRule, ...]:
    rules = []
    for fields in list_of(reading, contract, "rules", "rule"):
        name, on = text_of(reading, fields, "rule"), _operation(reading, fields)
        expect = _expect(reading, fields, "step")
        window = _window(reading, fields, stages)
        service = _called(reading, fields, services) if fields.has("service") else None
        if name and on:
            rules.append(BehaviourRule(name, on, expect, *window, service, reading.place(fields.key("rule"))))
    return tuple(rules)


def state_of(
    reading: Reading, contract: Fields, databases: tuple[Database, ...], stages: tuple[Stage, ...]
) -> tuple[StateRule, ...]:
    known = [database.name for database in databases if database.kind == "postgres"]
    rules = []
    for fields in list_of(reading, contract, "state", "state"):
        name, sql = text_of(reading, fields, "rule"), text_of(reading, fields, "sql")
        expect = _expect(reading, fields, "rows")
        window = _window(reading, fields, stages)
        database = text_of(reading, fields, "database")
        if database is not None and database not in known:
            hint = did_you_mean(database, known) or (
                f"PostgreSQL here: {', '.join(known)}" if known else "there is none"
            )
            reading.problem(fields.value("database") or fields.node, f"unknown PostgreSQL database `{database}`", hint)
        elif database is None and sql and not known:
            reading.problem(fields.key("sql"), "a state rule without a PostgreSQL database", "add one to `databases`")
        elif database is None and sql and len(known) > 1:
            reading.problem(fields.key("sql"), "which database is this query for?", one_of("database", known))
        if name and sql:
            rules.append(StateRule(name, sql, expect, *window, database, reading.place(fields.key("rule"))))
    return tuple(rules)


def changes_of(reading: Reading, contract: Fields, services: tuple[Service, ...]) -> tuple[Change, ...]:
    instances = [side for service in services for side in (service.stable, service.canary) if side]
    versions = sorted({side.version for side in instances if side.version})
    changes = []
    for fields in list_of(reading, contract, "changes", "change"):
        on, field = _operation(reading, fields), _field(reading, fields)
        node = fields.value("since")
        since = reading.version(node, "version") if node else None
        if node and since and versions and since not in versions:
            hint = did_you_mean(since, versions) or f"versions here: {', '.join(versions)}"
            reading.problem(node, f"no side has the version `{since}`", hint)
        if on and field:
            changes.append(Change(on, field, since, reading.place(fields.key("on"))))
    return tuple(changes)


def list_of(reading: Reading, contract: Fields, name: str, kind: str) -> Iterable[Fields]:
    """The mappings of a list of the contract, such as `rules`."""
    node = contract.value(name)
    for item in reading.items(node, f"`{name}`") if node else ():
        fields = Fields(reading, item, kind)
        if fields.is_map:
            yield fields


def text_of(reading: Reading, fields: Fields, name: str) -> str | None:
    """The non-empty text of a key."""
    node = fields.value(name)
    return reading.name(node, f"`{name}`") if node else None


def _operation(reading: Reading, fields: Fields) -> OperationPattern | None:
    """`GET /orders/{id}`; `${id}` means the same, and `*` any method."""
    node = fields.value("on")
    text = reading.text(node, "`on`") if node else None
    if node is None or text is None:
        return None
    method, _, path = text.strip().partition(" ")
    path = path.strip().replace("${", "{")
    if method not in (*METHODS, "*") or not path.startswith("/") or " " in path:
        upper = method.upper()
        hint = f"write `{upper} {path}`" if upper in METHODS and path.startswith("/") else "write `GET /orders/{id}`"
        if text.strip().startswith("/"):
            hint = f"write `GET {text.strip()}`"
        reading.problem(node, f"`{text}` is no operation: a method and a path", hint)
        return None
    return OperationPattern(method, path.split("?", 1)[0])


def _field(reading: Reading, fields: Fields) -> str | None:
    node = fields.value("field")
    text = reading.text(node, "`field`") if node else None
    if node is None or text is None:
        return None
    found = _FIELD.match(text)
    if not found or not _FIELD_PATH.match(found[3] or ""):
        hint = f"did you mean `body.{text}`?" if re.match(r"(?!body|header)[A-Za-z_]\w*(\.\w+|\[\])*\Z", text) else ""
        where = "`status`, `body.currency`, `body.items[].price` or `header.etag`"
        reading.problem(node, f"`{text}` is no field of an answer", hint or f"write {where}")
        return None
    if found[2] in ("header", "headers"):
        return f"header{(found[3] or '').lower()}"
    return text


def _window(reading: Reading, fields: Fields, stages: tuple[Stage, ...]) -> tuple[str | None, str | None]:
    """`from` and `until`: stages of the ramp, both inclusive, in this order."""
    names = [stage.name for stage in stages]
    found: list[str | None] = []
    for word in ("from", "until"):
        node = fields.value(word)
        name = reading.name(node, f"`{word}`") if node else None
        if node and name is not None and name not in names:
            hint = did_you_mean(name, names) or f"stages: {', '.join(names)}"
            reading.problem(node, f"unknown stage `{name}`", hint)
            name = None
        found.append(name)
    first, last = found
    if first and last and names.index(first) > names.index(last):
        reading.problem(fields.key("until"), f"`until: {last}` comes before `from: {first}`", "exchange them")
    return first, last
