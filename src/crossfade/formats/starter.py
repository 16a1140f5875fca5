"""`crossfade init`: a commented first ramp.yaml from a few answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crossfade.errors import UsageError
from crossfade.formats.scenarios import METHODS


class Answers(msgspec.Struct, frozen=True):
    """What `crossfade init` asks. `migrations` are SQL files or commands in the order they are run; `ready` is an
    HTTP path, or empty: the open port."""

    service: str = "orders"
    stable_version: str = "1.2.3"
    stable_run: str = "python -m uvicorn stable:app --port ${port}"
    canary_version: str = "1.3.0"
    canary_run: str = "python -m uvicorn canary:app --port ${port}"
    ready: str = "/healthz"
    postgres: bool = True
    schema: str = "schema.sql"
    migrations: tuple[str, ...] = ()
    redis: bool = False
    call: str = "GET /orders"


class Question(msgspec.Struct, frozen=True):
    """One answer to ask for: its name in `Answers` (and of the flag, with dashes), the text, the default as one would
    type it. `kind` is "text", "yes" (yes or no) or "list" (separated by commas). `when` names a yes/no answer without
    which the question is idle."""

    name: str
    text: str
    default: str
    kind: str = "text"
    when: str = ""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def questions() -> tuple[Question, ...]:
    """All questions, in the order to ask them."""
    defaults = Answers()
    return (
        Question("service", "name of the service", defaults.service),
        Question("stable_version", "version being left", defaults.stable_version),
        Question("stable_run", "command that starts it (`${port}` is its port)", defaults.stable_run),
        Question("canary_version", "version being introduced", defaults.canary_version),
        Question("canary_run", "command that starts it", defaults.canary_run),
        Question("ready", "HTTP path that answers once it is ready (empty: the open port)", defaults.ready),
        Question("postgres", "does it use PostgreSQL", "yes", "yes"),
        Question("schema", "SQL file with the schema before the ramp (empty: none)", defaults.schema, when="postgres"),
        Question("migrations", "migrations of the ramp, SQL files or commands, in order", "", "list"),
        Question("redis", "does it use Redis", "no", "yes"),
        Question("call", "a first call", defaults.call),
    )


def answers_of(given: Mapping[str, str | bool | Sequence[str] | None]) -> Answers:
    """Answers from what was typed or given as flags; None and missing names take the default.

    >>> answers_of({"postgres": "no", "migrations": "a.sql, b.sql"}).migrations
    ('a.sql', 'b.sql')

    Raises UsageError for a yes or no that is neither.
    """
    values: dict[str, Any] = {}
    for question in questions():
        value = given.get(question.name)
        if value is None:
            continue
        if question.kind == "yes":
            values[question.name] = _yes(question, value)
        elif question.kind == "list":
            parts = value.split(",") if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
            values[question.name] = tuple(part.strip() for part in parts if part.strip())
        else:
            values[question.name] = str(value).strip()
    return Answers(**values)


def _yes(question: Question, value: object) -> bool:
    word = str(value).strip().lower()
    if word in ("yes", "y", "true", "1"):
        return True
    if word in ("no", "n", "false", "0", ""):
        return False
    raise UsageError(f"`{value}` is neither yes nor no", where=question.flag, hint="answer `yes` or `no`")


def starter(answers: Answers) -> str:
    """A commented contract. Raises UsageError for answers no contract can hold."""
    _check(answers)
    parts = [_head(answers), _databases(answers), _ramp(answers), _scenarios(answers), _more(answers)]
    return "\n".join(part for part in parts if part)


def _check(answers: Answers) -> None:
    """In the order of the questions."""
    if not re.match(r"[A-Za-z_][A-Za-z0-9_-]*\Z", answers.service):
        hint = "use letters, digits, `_` and `-`"
        raise UsageError(f"`{answers.service}` is no name for a service", where="--service", hint=hint)
    for name in ("stable_version", "stable_run", "canary_version", "canary_run"):
        if not getattr(answers, name):
            raise UsageError("an empty answer", where="--" + name.replace("_", "-"), hint="give one")
    if answers.ready and not re.match(r"/\S*\Z", answers.ready):
        hint = "write one such as `/healthz`, or leave it empty"
        raise UsageError(f"`{answers.ready}` is no HTTP path", where="--ready", hint=hint)
    if not answers.postgres and any(_is_sql(migration) for migration in answers.migrations):
        raise UsageError(
            "a SQL migration without PostgreSQL", where="--migrations", hint="answer `yes` to `--postgres`"
        )
    method, _, path = answers.call.partition(" ")
    if method not in METHODS or not re.match(r"/[!-~]*\Z", path) or "${" in path:
        raise UsageError(f"`{answers.call}` is no call", where="--call", hint="write `GET /orders`")


def _head(answers: Answers) -> str:
    env = []
    if answers.postgres:
        env.append(f'DATABASE_URL: "${{{_postgres_name(answers)}.url}}"')
    if answers.redis:
        env.append(f'REDIS_URL: "${{{_redis_name(answers)}.url}}"')
    lines = [
        "# A ramp contract: what must hold at every stage between two versions.",
        "# `crossfade plan ramp.yaml` shows what would be done, `crossfade run ramp.yaml --report out` does it.",
        "",
        "services:",
        f"  {answers.service}:",
    ]
    if answers.ready:
        lines.append(f"    ready: {quoted(answers.ready)} # an HTTP path that answers 2xx; without it: the open port")
    lines.append("    # The environment of both sides. `${...}` works in `env`, `run`, calls, headers and bodies.")
    lines.append(f"    env: {{ {', '.join(env)} }}" if env else '    # env: { LOG_LEVEL: "info" }')
    for side in ("stable", "canary"):
        version, run = getattr(answers, f"{side}_version"), getattr(answers, f"{side}_run")
        first = side == "stable"
        lines += [
            f"    {side}: # the version being {'left' if first else 'introduced'}",
            f"      version: {quoted(version)}" + (" # in quotes: 1.10 is not 1.1" if first else ""),
            f"      run: {quoted(run)}" + (" # any command; $PORT holds the port as well" if first else ""),
            f"      # openapi: openapi-{side}.yaml",
        ]
    return "\n".join(lines) + "\n"


def _databases(answers: Answers) -> str:
    lines = []
    if answers.postgres:
        schema = f", schema: {quoted(answers.schema)}" if answers.schema else ""
        lines.append(f'  {_postgres_name(answers)}: {{ postgres: "18"{schema} }} # or url: postgresql://...')
    if answers.redis:
        lines.append(f"  {_redis_name(answers)}: {{ redis: true }} # or url: redis://...")
    if not lines:
        return ""
    head = "# Started for the run, from the machine or from a package; nothing of yours is touched."
    return "\n".join([head, "databases:", *lines]) + "\n"


def _ramp(answers: Answers) -> str:
    early, late = _placed(answers.migrations)
    lines = [
        "# The stages of the rollout, in order. A stage without `weight` or `phase` keeps the one before.",
        "ramp:",
        "  - stage: before",
        *early,
        "  - { stage: first, weight: 1% }",
        "  - { stage: third, weight: 30% }",
        "  - { stage: most, weight: 70% }",
        "  - { stage: all, weight: 100% }",
        *late,
        "",
        "rollback: { until: all } # up to and including this stage traffic may return to stable; or: none",
        "stickiness: none # or: header X-User-Id, cookie sid",
    ]
    if not answers.migrations:
        lines.insert(3, "  # - { stage: expand, phase: expand, sql: migrations/001_expand.sql } # or run: a command")
    return "\n".join(lines) + "\n"


def _placed(migrations: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The first migration expands, the last of several contracts (after the last weight), those between backfill."""
    early: list[str] = []
    late: list[str] = []
    for index, migration in enumerate(migrations):
        last = index == len(migrations) - 1
        phase = "expand" if index == 0 else "contract" if last else "backfill"
        name = phase if phase != "backfill" or index == 1 else f"backfill {index}"
        way = "sql" if _is_sql(migration) else "run"
        (late if phase == "contract" else early).append(
            f"  - {{ stage: {name}, phase: {phase}, {way}: {quoted(migration)} }}"
        )
    return early, late


def _scenarios(answers: Answers) -> str:
    return "\n".join(
        [
            "# Call sequences that must work however their calls are routed. Mixed runs are compared with runs on one",
            "# side alone, so `expect` is optional.",
            "scenarios:",
            "  - name: a first call",
            "    steps:",
            "      - step: first",
            f"        call: {quoted(answers.call)}",
            "        # expect: status == 200            # CEL over status, body, headers, text, saved",
            "  # What one step saves the next can use:",
            "  # - name: what is created can be read",
            "  #   steps:",
            "  #     - step: create",
            "  #       call: POST /orders",
            '  #       json: { sku: A1, reference: "${unique}" } # ${unique}: another text in every run',
            "  #       expect: status == 201",
            "  #       save: { id: body.id }",
            "  #     - step: read",
            "  #       call: GET /orders/${id}",
            "",
        ]
    )


def _more(answers: Answers) -> str:
    state = [
        "# state: # queries whose answer must hold",
        "#   - rule: no order without a currency",
        "#     from: all",
        "#     sql: select count(*) from orders where currency is null",
        "#     expect: rows[0][0] == 0",
    ]
    return "\n".join(
        [
            "# rules: # behaviour with a lifetime on the ramp",
            "#   - rule: the old field stays until everyone has moved",
            '#     on: "GET /orders/{id}"',
            "#     until: all",
            "#     expect: has(body.price)",
            *(state if answers.postgres else []),
            "# changes: # intended differences between the versions; any other is reported as drift",
            f'#   - {{ on: "GET /orders/{{id}}", field: body.currency, since: {quoted(answers.canary_version)} }}',
            "# races: # calls to try at the same time, beside those seen to touch the same rows",
            "#   - { name: created at the same time, together: [create, create] }",
            "",
        ]
    )


def quoted(text: str) -> str:
    """A text as a double-quoted YAML scalar on one line."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(character if character.isprintable() else f"\\U{ord(character):08X}" for character in shown)


def _is_sql(migration: str) -> bool:
    return migration.endswith(".sql") and not re.search(r"\s", migration)


def _postgres_name(answers: Answers) -> str:
    return "db" if answers.service != "db" else "database"


def _redis_name(answers: Answers) -> str:
    return "cache" if answers.service != "cache" else "redis"
