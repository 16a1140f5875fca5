"""`services:` and `databases:` of a contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from crossfade.formats.decode import Fields, Reading
from crossfade.formats.tree import Node
from crossfade.model import template
from crossfade.model.contract import Database, Instance, Service

_POSTGRES_URL = re.compile(r"postgres(ql)?(\+\w+)?://\S+\Z")
_MYSQL_URL = re.compile(r"(mysql|mariadb)(\+\w+)?://\S+\Z")
_REDIS_URL = re.compile(r"rediss?://\S+\Z|unix://\S+\Z")
_HTTP_URL = re.compile(r"https?://[^\s/$]+(/[^\s$]*)?\Z")
_NO_PATH = "an HTTP path such as `/healthz`; leave it out to wait for the open port"
_WAYS = ("run", "url", "compose")
_STORES = ("postgres", "redis", "mysql")


def databases_of(reading: Reading, contract: Fields) -> tuple[Database, ...]:
    node = contract.value("databases")
    if node is None:
        return ()
    found = []
    for key, value in reading.entries(node, "`databases`"):
        if reading.identifier(key, "a database"):
            found.append(_database(reading, key, value))
    return tuple(found)


def _database(reading: Reading, key: Node, node: Node) -> Database:
    """A store that could not be read is still one by name, so that `${db.url}` is no second problem."""
    fields = Fields(reading, key if node.is_null else node, "database")
    position = reading.place(key)
    if not fields.is_map:
        return Database(key.text, "postgres", position=position)
    fields.only_one(*_STORES)
    url, kind = _database_url(reading, fields)
    kind = next((name for name in _STORES if fields.has(name)), kind)
    version = _database_version(reading, fields, kind) if kind and fields.has(kind) else None
    if not kind:
        if not fields.has("url") and not any(fields.meant(name) for name in (*_STORES, "url")):
            reading.problem(key, f"what is `{key.text}`?", 'give it `postgres: "18"`, `redis: true` or `url:`')
        kind = "postgres"
    if kind == "mysql" and not fields.has("url") and not fields.meant("url"):
        reading.problem(fields.key("mysql"), "MySQL is not started here", "give it a `url:` of a running one")
    schema: tuple[str, ...] = ()
    if (schema_node := fields.value("schema")) is not None:
        if kind != "postgres":
            why = "a Redis has none" if kind == "redis" else "a MySQL is used as it is"
            reading.problem(fields.key("schema"), "`schema` is for PostgreSQL", f"{why}: take it out")
        else:
            files = [reading.file(item, "`schema`") for item in reading.one_or_list(schema_node, "`schema`")]
            schema = tuple(file for file in files if file)
    return Database(key.text, kind, version, url, schema, position)


def _database_url(reading: Reading, fields: Fields) -> tuple[str | None, str]:
    """The address of a running server and the kind its scheme tells ("" for none)."""
    node = fields.value("url")
    text = reading.text(node, "`url`") if node else None
    if node is None or text is None:
        return None, ""
    forms = {"postgres": _POSTGRES_URL, "redis": _REDIS_URL, "mysql": _MYSQL_URL}
    kind = next((name for name, form in forms.items() if form.match(text)), "")
    if not kind:
        known = "`postgresql://user@host/name`, `redis://host` or `mysql://user@host/name`"
        reading.problem(node, "this is no address of a database", f"write {known}")
    elif kind == "mysql" and not re.match(r"[^:]+://[^/\s]+/[^/?#\s]+", text):
        reading.problem(node, "this address names no database", "write `mysql://user@host:3306/name`")
    for other in _STORES:
        if kind and kind != other and fields.has(other):
            reading.problem(
                node, f"this is an address of {kind}, not of {other}", f"write `{kind}:`, or another address"
            )
    return text, kind


def _database_version(reading: Reading, fields: Fields, kind: str) -> str | None:
    node = fields.value(kind)
    if node is None or node.value is True:
        return None
    if node.value is False:
        reading.problem(node, f"`{kind}: false` makes no database", "write `true`, or take the database out")
        return None
    if isinstance(node.value, int):
        return node.text
    text = reading.version(node, "version")
    if text and "://" in text:
        reading.problem(node, f"`{kind}` takes a version, not an address", f"write `url: {text}`")
        return None
    if text and not re.match(r"[0-9]+(\.[0-9]+)*\Z", text):
        reading.problem(node, f"`{text}` is no version", 'write `true`, or a major version such as "18"')
        return None
    return text


def services_of(reading: Reading, contract: Fields, databases: tuple[Database, ...]) -> tuple[Service, ...]:
    node = contract.value("services")
    if node is None:
        return ()
    before = len(reading.problems)
    entries = reading.entries(node, "`services`")
    calls: list[_Call] = []
    on_ramp = {key.text: _has_canary(value) for key, value in entries}
    stores = {database.name for database in databases}
    found = []
    for key, value in entries:
        if not reading.identifier(key, "a service"):
            continue
        if key.text in stores:
            hint = f"`${{{key.text}.url}}` would mean both: rename one"
            reading.problem(key, f"`{key.text}` names a service and a database", hint)
        found.append(_service(reading, key, value, _Addresses(key.text, on_ramp, databases, calls)))
    _no_circle(reading, calls)
    if len(reading.problems) == before and not any(service.on_ramp for service in found):
        hint = "give one service a `stable:` and a `canary:`"
        reading.problem(contract.key("services"), "no service is on the ramp", hint)
    return tuple(found)


def _has_canary(node: Node) -> bool:
    return node.kind == "map" and any(key.text == "canary" and not value.is_null for key, value in node.value)


class _Call(msgspec.Struct, frozen=True):
    """`${called.url}` in a text of the service `caller`."""

    caller: str
    called: str
    node: Node
    match: re.Match[str]


class _Addresses:
    """The names texts of one service may use: `port`, `version`, `python` (the interpreter), and the addresses of the
    databases and of the services with one version. Those of services on the ramp are not supported yet."""

    def __init__(
        self, owner: str, on_ramp: Mapping[str, bool], databases: tuple[Database, ...], calls: list[_Call]
    ) -> None:
        self.owner = owner
        self.on_ramp = on_ramp
        self.calls = calls
        others = [*(database.name for database in databases), *on_ramp]
        self.known = ("port", "version", "python", *(f"{name}.url" for name in others))
        self.offered = tuple(name for name in self.known if not on_ramp.get(name.removesuffix(".url")))

    def check(self, reading: Reading, node: Node) -> None:
        called = set()
        for match in template.PATTERN.finditer(node.text):
            name = (match.group(1) or "").removesuffix(".url")
            if match.group(1) != f"{name}.url" or name not in self.on_ramp or name in called:
                continue
            called.add(name)
            if name == self.owner:
                message, hint = f"`{name}` gets its own address", "write `http://127.0.0.1:${port}`"
                reading.within(node, match.start(), len(match.group(0)), message, hint)
            elif self.on_ramp[name]:
                message = f"calls to a service on the ramp are not supported yet: `{name}.url`"
                hint = "test them one at a time, or write a fixed address"
                reading.within(node, match.start(), len(match.group(0)), message, hint)
            else:
                self.calls.append(_Call(self.owner, name, node, match))
        reading.templates(node, (*self.offered, *(f"{name}.url" for name in called)))


def _no_circle(reading: Reading, calls: Iterable[_Call]) -> None:
    """A service is started after those it calls, so no chain of calls may lead back to its beginning. Each circle is told
    once, where the last of its addresses stands."""
    ways: dict[str, dict[str, tuple[str, ...]]] = {}  # from a service to all it leads to, and how
    for call in calls:
        back = ways.get(call.called, {}).get(call.caller)
        if back is not None:
            circle = " -> ".join((call.caller, call.called, *back))
            hint = "each starts after those it calls: take one of these addresses out"
            place, length = call.match.start(), len(call.match.group(0))
            reading.within(call.node, place, length, f"services that wait for each other: {circle}", hint)
            continue
        onward = {call.called: (call.called,)} | {
            name: (call.called, *way) for name, way in ways.get(call.called, {}).items()
        }
        ways[call.caller] = onward | ways.get(call.caller, {})
        for known in ways.values():
            if call.caller in known:
                for name, way in onward.items():
                    known.setdefault(name, (*known[call.caller], *way))


def _service(reading: Reading, key: Node, node: Node, addresses: _Addresses) -> Service:
    fields = Fields(reading, key if node.is_null else node, "service")
    name, position = key.text, reading.place(key)
    if not fields.is_map:
        return Service(name, Instance(), position=position)
    sides = [side for side in ("stable", "canary") if fields.has(side)]
    alone = not (sides or fields.meant("stable") or fields.meant("canary"))
    own = _instance(reading, fields, key, addresses, Instance(), f"`{name}`", alone)
    for misplaced in ("version", "url", "openapi") if sides else ():
        if fields.has(misplaced):
            hint = "move it into `stable:` and `canary:`"
            reading.problem(fields.key(misplaced), f"`{misplaced}` belongs to each side", hint)
    stable, canary = own, None
    if sides and not fields.has("stable") and not fields.meant("stable"):
        reading.problem(fields.key("canary"), f"`{name}` has a canary and no stable", "add `stable:`")
    if (inner := fields.value("stable")) is not None:
        part = Fields(reading, inner, "instance")
        stable = _instance(reading, part, fields.key("stable"), addresses, own, f"the stable of `{name}`")
    if (inner := fields.value("canary")) is not None:
        part = Fields(reading, inner, "instance")
        canary = _instance(reading, part, fields.key("canary"), addresses, own, f"the canary of `{name}`")
    timeout_node = fields.value("ready_timeout")
    timeout = reading.seconds(timeout_node, "`ready_timeout`") if timeout_node else None
    return Service(
        name=name,
        stable=stable,
        canary=canary,
        ready=_ready(reading, fields),
        ready_timeout=timeout or 60.0,
        env=_env(reading, fields, addresses),
        position=position,
    )


def _instance(
    reading: Reading, fields: Fields, key: Node, addresses: _Addresses, above: Instance, name: str, alone: bool = True
) -> Instance:
    """One way to life. `run`, `compose` and `folder` of the service serve both sides (`above`) unless a side has its
    own; `alone` tells that this must be complete."""
    fields.only_one(*_WAYS)
    version_node, folder_node, openapi_node = (fields.value(word) for word in ("version", "folder", "openapi"))
    run, url, compose = _run(reading, fields, addresses), _url(reading, fields), _compose(reading, fields)
    if not any(fields.has(way) for way in _WAYS):
        run, compose = above.run, above.compose
        if alone and fields.is_map and not (run or compose) and not any(fields.meant(way) for way in _WAYS):
            reading.problem(key, f"{name} cannot be started", "add `run:` (a command), `url:` or `compose:`")
    return Instance(
        version=reading.version(version_node, "version") if version_node else None,
        run=run,
        url=url,
        compose=compose,
        openapi=reading.file(openapi_node, "`openapi`") if openapi_node else None,
        env=_env(reading, fields, addresses) if fields.kind == "instance" else {},
        folder=reading.directory(folder_node, "`folder`") if folder_node else above.folder,
        position=reading.place(key),
    )


def _run(reading: Reading, fields: Fields, addresses: _Addresses) -> str | None:
    node = fields.value("run")
    command = reading.command(node, "`run`") if node else None
    if node and command is not None:
        addresses.check(reading, node)
    return command


def _url(reading: Reading, fields: Fields) -> str | None:
    node = fields.value("url")
    text = reading.text(node, "`url`") if node else None
    if node is None or text is None:
        return None
    if not _HTTP_URL.match(text):
        reading.problem(node, f"`{text}` is no address of a service", "write `http://host:port`")
        return None
    return text.rstrip("/")


def _compose(reading: Reading, fields: Fields) -> str | None:
    node = fields.value("compose")
    text = reading.text(node, "`compose`") if node else None
    if node is None or text is None:
        return None
    file, slash, service = text.rpartition("/")
    if not slash or not file or not service or (reading.folder / text).is_file():
        hint = "write the file, a slash and the service: `compose.yaml/orders`"
        reading.problem(node, f"`{text}` names no service of a compose file", hint)
        return None
    if not (reading.folder / file).is_file():
        reading.problem(node, f"there is no file `{file}`", reading.near_file(reading.folder / file))
    return text


def _env(reading: Reading, fields: Fields, addresses: _Addresses) -> dict[str, str]:
    node = fields.value("env")
    if node is None:
        return {}
    values = reading.written_map(node, "`env`")
    for value in values.values():
        addresses.check(reading, value)
    return {name: value.text if not value.is_null else "" for name, value in values.items()}


def _ready(reading: Reading, fields: Fields) -> str | None:
    """The path; `port` (or `${port}`) says in words what leaving it out means."""
    node = fields.value("ready")
    if node is None or (node.kind == "scalar" and node.text in ("port", "${port}")):
        return None
    if node.kind == "scalar" and isinstance(node.value, int) and not isinstance(node.value, bool):
        hint = "write `ready: port` to wait until that one is open, or an HTTP path"
        reading.problem(node, f"Crossfade chooses the port, so `{node.text}` cannot be waited for", hint)
        return None
    text = reading.text(node, "`ready`")
    if text is None:
        return None
    if not text.startswith("/") or re.search(r"\s", text):
        near = f"write `/{text}`" if re.match(r"[\w-][\w/.-]*\Z", text) else f"write {_NO_PATH}"
        reading.problem(node, f"`{text}` is no path", near)
        return None
    return text
