"""The keys of a contract, once: what each means and which values it takes.

`formats.decode` refuses what is not in here, `formats.editor_schema` publishes it for editors.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Field(msgspec.Struct, frozen=True):
    """A key: one sentence for the editor's tooltip, and the JSON Schema of its value."""

    meaning: str
    schema: dict[str, Any]
    required: bool = False


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def _one_or_list(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def _named(kind: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": _ref(kind)}


TEXT = {"type": "string"}
NAME = {"type": "string", "minLength": 1}
VERSION = {"type": "string", "minLength": 1}
SCALAR = {"type": ["string", "number", "boolean"]}
TEXTS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
DURATION = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^[0-9.]+ *(ms|s|m|min)?$"}]
}
WEIGHT = {
    "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": r"^ *[0-9.]+ *%? *$"}]
}
EXPECT = _one_or_list({"type": ["string", "boolean"]})
OPERATION = {"type": "string", "pattern": r"^(\*|[A-Z]+) +/"}
READERS = ("tolerant", "strict")
PHASES = ("before", "expand", "backfill", "contract")

FIELDS: dict[str, dict[str, Field]] = {
    "contract": {
        "services": Field("The services by name; one or more have a stable and a canary.", _named("service"), True),
        "databases": Field("The databases by name; `${name.url}` is the address of one.", _named("database")),
        "ramp": Field("The stages of the rollout, in order.", {**_list(_ref("stage")), "minItems": 1}, True),
        "rollback": Field(
            "Up to and including which stage traffic may return to stable.",
            {"anyOf": [{"const": "none"}, _ref("rollback")]},
        ),
        "stickiness": Field(
            "Which calls go to the same side: none, `header X-User-Id` or `cookie sid`.",
            {"type": "string", "pattern": r"^(none|(header|cookie) +\S+)$"},
        ),
        "scenarios": Field("Call sequences that must work at every stage.", _list(_ref("scenario")), True),
        "rules": Field("Behaviour with a lifetime on the ramp.", _list(_ref("rule"))),
        "state": Field("Queries whose answer must hold.", _list(_ref("state"))),
        "changes": Field("Intended differences between the versions; any other is drift.", _list(_ref("change"))),
        "reader": Field(
            "How consumers read answers, for `crossfade compat`: `tolerant` (fields they do not know are fine; the default) "
            "or `strict`.",
            {"enum": list(READERS)},
        ),
        "races": Field("Calls that are tried at the same time, beside those found by themselves.", _list(_ref("race"))),
    },
    "service": {
        "ready": Field("An HTTP path that answers 2xx once the service is ready; without it: the open port.", TEXT),
        "ready_timeout": Field('How long the start may take: seconds or "90s" (default 60 seconds).', DURATION),
        "env": Field("Environment variables of both sides.", TEXTS),
        "stable": Field("The version being left.", _ref("instance")),
        "canary": Field("The version being introduced.", _ref("instance")),
        "version": Field("The version of a service that is not on the ramp.", VERSION),
        "run": Field("The command that starts it; `${port}` and `${version}` work in it.", TEXT),
        "url": Field("The address of a running service.", TEXT),
        "compose": Field("A service of a docker compose file: `compose.yaml/orders`.", TEXT),
        "openapi": Field("Path of its OpenAPI document.", TEXT),
        "folder": Field("Working directory below the contract's folder.", TEXT),
    },
    "instance": {
        "version": Field('The version, in quotes: "1.10" is not 1.1.', VERSION),
        "run": Field("The command that starts it; `${port}`, `${version}` and `${db.url}` work in it.", TEXT),
        "url": Field("The address of a running instance.", TEXT),
        "compose": Field("A service of a docker compose file: `compose.yaml/orders`.", TEXT),
        "openapi": Field("Path of the OpenAPI document of this version.", TEXT),
        "env": Field("Environment variables of this side; they win over those of the service.", TEXTS),
        "folder": Field("Working directory below the contract's folder.", TEXT),
    },
    "database": {
        "postgres": Field(
            'PostgreSQL: the major version ("18"), or true for any.', {"type": ["string", "integer", "boolean"]}
        ),
        "redis": Field("Redis (or Valkey): true, or the major version.", {"type": ["string", "integer", "boolean"]}),
        "mysql": Field(
            "MySQL or MariaDB: true. Nothing is started, so it needs `url`; it is used as it is.",
            {"type": ["string", "integer", "boolean"]},
        ),
        "url": Field("A running server; Crossfade works in databases of its own there (not on MySQL).", TEXT),
        "schema": Field("SQL file or files loaded before the ramp (PostgreSQL).", _one_or_list(TEXT)),
    },
    "stage": {
        "stage": Field("The name of the stage.", NAME, True),
        "weight": Field(
            "The canary's share: `30%` or `0.3`, or one per service; without it as before.",
            {"anyOf": [*WEIGHT["anyOf"], {"type": "object", "additionalProperties": WEIGHT}]},
        ),
        "phase": Field("How far shared data has moved; without it as before.", {"enum": list(PHASES)}),
        "sql": Field("SQL file or files run when the stage is entered.", _one_or_list(TEXT)),
        "run": Field("A command run when the stage is entered; `${db.url}` works in it.", TEXT),
        "database": Field("Which PostgreSQL the SQL is for, when there are several.", NAME),
    },
    "rollback": {
        "until": Field(
            "The last stage from which traffic may return to stable; `before` means no rollback.", NAME, True
        ),
    },
    "scenario": {
        "name": Field("The name of the scenario.", NAME, True),
        "steps": Field("The calls, in order.", {**_list(_ref("step")), "minItems": 1}, True),
        "arazzo": Field("An Arazzo document (not supported yet).", TEXT),
    },
    "step": {
        "step": Field("The name of the step; without it the call.", NAME),
        "call": Field("Method and path: `GET /orders/${id}`.", TEXT, True),
        "service": Field("The service called, when the contract offers several.", NAME),
        "headers": Field("Request headers.", TEXTS),
        "json": Field("A JSON body.", {}),
        "form": Field("A form body.", TEXTS),
        "body": Field("A body as it is.", SCALAR),
        "timeout": Field('How long the answer may take: seconds or "5s" (default 10 seconds).', DURATION),
        "expect": Field("CEL over `status`, `body`, `headers`, `text` and `saved`; one or a list.", EXPECT),
        "save": Field(
            "Variables for later steps, by CEL: `{ id: body.id }`; then `${id}` works.",
            {"type": "object", "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "additionalProperties": TEXT},
        ),
    },
    "rule": {
        "rule": Field("What must hold, in words.", NAME, True),
        "on": Field("The operation: `GET /orders/{id}`.", OPERATION, True),
        "from": Field("The first stage it holds in.", NAME),
        "until": Field("The last stage it holds in.", NAME),
        "service": Field("The service, when the contract offers several.", NAME),
        "expect": Field("CEL over the answer; one or a list.", EXPECT, True),
    },
    "state": {
        "rule": Field("What must hold, in words.", NAME, True),
        "from": Field("The first stage it holds in.", NAME),
        "until": Field("The last stage it holds in.", NAME),
        "database": Field("Which PostgreSQL, when there are several.", NAME),
        "sql": Field("A query.", TEXT, True),
        "expect": Field("CEL over `rows`, a list of lists; one or a list.", EXPECT, True),
    },
    "change": {
        "on": Field("The operation: `GET /orders/{id}`.", OPERATION, True),
        "field": Field("What changes: `status`, `body.currency`, `body.items[].price`, `header.etag`.", NAME, True),
        "since": Field("The version that brings it, in quotes.", VERSION),
    },
    "race": {
        "name": Field("The name of the race.", NAME, True),
        "setup": Field("A scenario that is run first; what it saves can be used.", NAME),
        "together": Field(
            "The two that happen at the same time: steps (or `scenario/step`), or a step and a stage with a migration.",
            {**_list(NAME), "minItems": 2, "maxItems": 2},
            True,
        ),
    },
}

WHAT: dict[str, str] = {
    "contract": "the contract",
    "service": "a service",
    "instance": "one side of a service",
    "database": "a database",
    "stage": "a stage",
    "rollback": "`rollback`",
    "scenario": "a scenario",
    "step": "a step",
    "rule": "a rule",
    "state": "a state rule",
    "change": "a change",
    "race": "a race",
}

_START = {word: "run" for word in ("cmd", "command", "start", "exec", "script", "entrypoint")}
_PLACE = {word: "folder" for word in ("cwd", "dir", "directory", "workdir", "working_directory", "path")}
_SIDE = {
    "spec": "openapi",
    "swagger": "openapi",
    "schema": "openapi",
    "environment": "env",
    "tag": "version",
    "port": "run",
}
_CHECKS = {
    word: "expect" for word in ("assert", "asserts", "assertions", "check", "checks", "expects", "expected", "then")
}
_WINDOW = {"since": "from", "after": "from", "start": "from", "to": "until", "before": "until", "end": "until"}
_OPERATION = {word: "on" for word in ("operation", "call", "endpoint", "path", "when")}

SYNONYMS: dict[str, dict[str, str]] = {
    "contract": {
        "service": "services", "dbs": "databases", "stores": "databases", "stages": "ramp", "rollout": "ramp",
        "sticky": "stickiness", "session": "stickiness", "tests": "scenarios", "flows": "scenarios",
        "journeys": "scenarios", "invariants": "state", "differences": "changes", "drift": "changes",
        "concurrent": "races", "concurrency": "races", "parallel": "races",
    },
    "service": {
        **dict.fromkeys(("v1", "old", "baseline", "current", "blue", "from", "previous"), "stable"),
        **dict.fromkeys(("v2", "new", "candidate", "next", "green", "to", "target"), "canary"),
        **dict.fromkeys(("health", "healthcheck", "health_check", "readiness", "probe", "ready_path"), "ready"),
        **dict.fromkeys(("timeout", "start_timeout", "readyTimeout"), "ready_timeout"),
        **_START, **_PLACE, **_SIDE, "ports": "run",
    },
    "instance": {**_START, **_PLACE, **_SIDE, "image": "compose"},
    "database": {
        "postgresql": "postgres", "pg": "postgres", "valkey": "redis", "mariadb": "mysql", "dsn": "url", "uri": "url",
        "address": "url", "init": "schema", "sql": "schema",
    },
    "stage": {
        "name": "stage", "percent": "weight", "percentage": "weight", "share": "weight", "canary": "weight",
        "traffic": "weight", "migration": "sql", "migrate": "run", "command": "run", "db": "database",
    },
    "rollback": {"to": "until", "stage": "until", "up_to": "until"},
    "scenario": {"scenario": "name", "title": "name", "calls": "steps", "requests": "steps"},
    "step": {
        "name": "step", "id": "step", "request": "call", "url": "call", "get": "call", "post": "call", "put": "call",
        "delete": "call", "patch": "call", "header": "headers", "data": "body", "payload": "json",
        "capture": "save", "extract": "save", "store": "save", "set": "save", **_CHECKS,
    },
    "rule": {"name": "rule", **_CHECKS, **_WINDOW, **_OPERATION},
    "state": {"name": "rule", "query": "sql", "db": "database", **_CHECKS, **_WINDOW},
    "race": {
        "race": "name", "title": "name", "id": "name",
        **dict.fromkeys(("steps", "calls", "concurrent", "concurrently", "parallel", "pair", "both"), "together"),
        **dict.fromkeys(("given", "before", "prepare", "first", "scenario", "arrange", "after"), "setup"),
    },
    "change": {"from": "since", "version": "since", "path": "field", "name": "field", "operation": "on", "call": "on"},
}  # fmt: skip
