"""What a contract means: the forms it may take and the values they become."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crossfade.errors import ContractError
from crossfade.formats.ramp import read_contract
from crossfade.model.contract import Contract, OperationPattern, Step
from crossfade.model.ramp import Phase, Position, Stickiness

SERVICES = """
services:
  orders:
    stable: { version: "1.2.3", run: "./orders ${port}" }
    canary: { version: "1.3.0", run: "./orders ${port}" }
"""
RAMP = "ramp: [{ stage: before }, { stage: third, weight: 30% }, { stage: all, weight: 100% }]\n"
SCENARIOS = "scenarios: [{ name: read, steps: [{ call: GET /orders }] }]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, files: tuple[str, ...] = ()) -> Contract:
    for name in files:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("ramp.yaml").write_text(text, encoding="utf-8")
    return read_contract("ramp.yaml")


def first_step(lines: str) -> Step:
    indented = "".join(f"        {line}\n" for line in lines.strip().splitlines())
    contract = read(f"{SERVICES}{RAMP}scenarios:\n  - name: s\n    steps:\n      -\n{indented}")
    return contract.scenarios[0].steps[0]


def screen(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        read(text)
    return str(caught.value)


def test_weights_as_percent_as_share_and_per_service(folder: Path) -> None:
    shop = SERVICES.removeprefix("\nservices:\n").replace("orders:", "shop:", 1)
    ramp = """
ramp:
  - stage: before
  - { stage: a, weight: 12.5% }
  - { stage: b, weight: { shop: 0.5 } }
  - { stage: c, weight: "60 %" }
  - { stage: d, weight: 1 }
"""
    contract = read(SERVICES + shop + ramp + SCENARIOS.replace("GET /orders", "GET /orders, service: shop"))
    assert [stage.weights for stage in contract.stages] == [
        {"orders": 0.0, "shop": 0.0},
        {"orders": 0.125, "shop": 0.125},
        {"orders": 0.125, "shop": 0.5},
        {"orders": 0.6, "shop": 0.6},
        {"orders": 1.0, "shop": 1.0},
    ]
    assert contract.scenarios[0].steps[0].service == "shop"


def test_phases_and_weights_stay_until_the_next_is_named(folder: Path) -> None:
    ramp = """
databases: { db: { postgres: 18 } }
ramp:
  - stage: before
  - { stage: wide, phase: expand, sql: [a.sql, b.sql] }
  - { stage: some, weight: 30% }
  - { stage: fill, phase: backfill, run: "python fill.py ${db.url}" }
"""
    contract = read(SERVICES + ramp + SCENARIOS, ("a.sql", "b.sql"))
    assert [stage.phase for stage in contract.stages] == [Phase.BEFORE, Phase.EXPAND, Phase.EXPAND, Phase.BACKFILL]
    assert [stage.weight for stage in contract.stages] == [0.0, 0.0, 0.3, 0.3]
    wide, fill = contract.stages[1].migration, contract.stages[3].migration
    assert wide and wide.sql == ("a.sql", "b.sql")
    assert fill and fill.run == "python fill.py ${db.url}"
    assert (contract.databases[0].version, contract.databases[0].kind) == ("18", "postgres")


@pytest.mark.parametrize(
    ("written", "until"),
    [
        ("rollback: { until: third }", "third"),
        ("rollback: { until: all }", "all"),
        ("rollback: none", None),
        ("rollback: { until: before }", None),
        ("rollback: { until: none }", None),
        ("rollback:", "all"),
        ("", "all"),
    ],
)
def test_rollback(folder: Path, written: str, until: str | None) -> None:
    assert until == read(f"{SERVICES}{RAMP}{written}\n{SCENARIOS}").rollback_until


def test_by_default_nothing_returns_once_data_is_contracted(folder: Path) -> None:
    ramp = "ramp: [{ stage: a, weight: 50% }, { stage: b, weight: 100% }, { stage: c, phase: contract }]\n"
    assert read(SERVICES + ramp + SCENARIOS).rollback_until == "b"


@pytest.mark.parametrize(
    ("written", "stickiness"),
    [
        ("none", Stickiness()),
        ("header X-User-Id", Stickiness("header", "X-User-Id")),
        ("cookie sid", Stickiness("cookie", "sid")),
    ],
)
def test_stickiness(folder: Path, written: str, stickiness: Stickiness) -> None:
    assert stickiness == read(f"{SERVICES}{RAMP}stickiness: {written}\n{SCENARIOS}").stickiness


def test_a_service_with_everything(folder: Path) -> None:
    text = """
services:
  orders:
    ready: /healthz
    ready_timeout: 2m
    folder: app
    env: { DATABASE_URL: "${db.url}", WORKERS: 2, DEBUG: false, EMPTY: }
    stable: { version: "1.10", run: "./orders ${port} ${version}", openapi: api/old.yaml }
    canary:
      version: "1.10"
      compose: compose.yaml/orders
      env: { DEBUG: "true" }
  mail: { url: "http://127.0.0.1:8025/" }
databases:
  db: { url: "postgresql://app@127.0.0.1/app", schema: [schema.sql] }
  cache: { redis: true }
  queue: { url: "redis://127.0.0.1:6379" }
"""
    Path("app").mkdir()
    contract = read(text + RAMP + SCENARIOS, ("api/old.yaml", "compose.yaml", "schema.sql"))
    orders, mail = contract.services
    assert (orders.ready, orders.ready_timeout, orders.on_ramp) == ("/healthz", 120.0, True)
    assert orders.env == {"DATABASE_URL": "${db.url}", "WORKERS": "2", "DEBUG": "false", "EMPTY": ""}
    assert (orders.stable.version, orders.stable.run) == ("1.10", "./orders ${port} ${version}")
    assert (orders.stable.openapi, orders.stable.folder) == ("api/old.yaml", "app")
    assert orders.canary
    assert (orders.canary.compose, orders.canary.env) == ("compose.yaml/orders", {"DEBUG": "true"})
    assert (mail.on_ramp, mail.stable.url) == (False, "http://127.0.0.1:8025")
    assert [(database.name, database.kind) for database in contract.databases] == [
        ("db", "postgres"),
        ("cache", "redis"),
        ("queue", "redis"),
    ]
    assert contract.databases[0].schema == ("schema.sql",)
    assert (str(folder / "ramp.yaml"), str(folder)) == (contract.file, contract.folder)


def test_one_command_for_both_versions(folder: Path) -> None:
    text = """
services:
  orders:
    ready: port
    run: ./orders-${version} --port ${port}
    stable: { version: "1" }
    canary: { version: "2", run: ./other }
"""
    service = read(text + RAMP + SCENARIOS).services[0]
    assert service.canary
    assert (service.stable.run, service.canary.run) == ("./orders-${version} --port ${port}", "./other")
    assert service.ready is None


def test_a_step_with_everything(folder: Path) -> None:
    step = first_step("""
step: create
call: POST /orders?dry=1
headers: { X-Request: "${unique}", X-Count: 3 }
json: { on: no, at: 12:30, code: 012, price: 1.50, none: null, list: [1, two] }
timeout: 500ms
expect: [status == 201, "body.items[0].id == 'a'"]
save: { id: body.id, first: "body.items[0]" }
""")
    assert (step.name, step.method, step.path, step.service) == ("create", "POST", "/orders?dry=1", "orders")
    assert step.headers == {"X-Request": "${unique}", "X-Count": "3"}
    expected = {"on": "no", "at": "12:30", "code": 12, "price": 1.5, "none": None, "list": [1, "two"]}
    assert (True, expected, 0.5) == (step.has_json, step.json, step.timeout)
    assert [expression.source for expression in step.expect] == ["status == 201", "body.items[0].id == 'a'"]
    assert {name: found.source for name, found in step.save.items()} == {"id": "body.id", "first": "body.items[0]"}


def test_bodies(folder: Path) -> None:
    assert first_step("call: POST /\nform: { a: 1, b: x }").form == {"a": "1", "b": "x"}
    assert first_step("call: POST /\nbody: 5").body == "5"
    nothing = first_step("call: POST /\njson: null")
    assert (nothing.has_json, nothing.json) == (True, None)
    plain = first_step("call: GET /a")
    assert (plain.has_json, plain.form, plain.body, plain.name) == (False, None, None, "GET /a")


def test_rules_state_and_changes(folder: Path) -> None:
    text = """
databases: { db: { postgres: "18" } }
rules:
  - { rule: price, on: "GET /orders/${id}", until: third, expect: has(body.price) }
state:
  - { rule: none, from: all, sql: select 1, expect: "rows[0][0] == 1" }
changes:
  - { on: "* /orders", field: "body.items[].price", since: "1.3.0" }
  - { on: GET /orders, field: headers.ETag }
"""
    contract = read(SERVICES + RAMP + SCENARIOS + text)
    rule, state = contract.rules[0], contract.state[0]
    assert (OperationPattern("GET", "/orders/{id}"), None, "third") == (rule.on, rule.from_stage, rule.until_stage)
    assert (state.expect[0].over, state.sql, state.from_stage, state.until_stage) == ("rows", "select 1", "all", None)
    assert [(change.field, change.since) for change in contract.changes] == [
        ("body.items[].price", "1.3.0"),
        ("header.etag", None),
    ]


def test_values_repeat_by_alias_and_merge(folder: Path) -> None:
    text = """
x-both: &both { run: ./orders, env: { A: "1" } }
services:
  orders:
    stable: { <<: *both, version: "1" }
    canary: { version: "2", run: ./new, <<: [*both, { openapi: none.yaml, run: ./ignored }] }
"""
    service = read(text + RAMP + SCENARIOS, ("none.yaml",)).services[0]
    assert service.canary
    assert (service.stable.version, service.stable.run, service.stable.env) == ("1", "./orders", {"A": "1"})
    assert (service.canary.version, service.canary.run, service.canary.openapi) == ("2", "./new", "none.yaml")


def test_positions_carry_the_path_as_given(folder: Path) -> None:
    contract = read(SERVICES + RAMP + SCENARIOS)
    assert Position("ramp.yaml", 3, 3, 6) == contract.services[0].position
    (folder / "below").mkdir()
    (folder / "below" / "other.yaml").write_text(SERVICES + RAMP + SCENARIOS)
    other = read_contract(Path("below/other.yaml"))
    assert str(other.services[0].position) == "below/other.yaml:3:3"
    assert str(folder / "below") == other.folder


def test_windows_line_ends_and_a_byte_order_mark(folder: Path) -> None:
    text = "\ufeff" + (SERVICES + RAMP + SCENARIOS).replace("\n", "\r\n")
    (folder / "ramp.yaml").write_bytes(text.encode())
    position = read_contract("ramp.yaml").services[0].position
    assert position and (position.line, position.column) == (3, 3)


def test_not_utf8_names_the_first_bad_byte(folder: Path) -> None:
    (folder / "ramp.yaml").write_bytes(b"# caf\xc3\xa9\nservices: caf\xe9\n")
    with pytest.raises(ContractError) as caught:
        read_contract("ramp.yaml")
    assert str(caught.value) == (
        "error: not UTF-8: byte 0xe9\n  --> ramp.yaml:2:14\n   |\n 2 | services: caf\ufffd\n"
        "   |              ^ help: save the file as UTF-8"
    )


def test_a_nul_byte_has_a_place(folder: Path) -> None:
    (folder / "ramp.yaml").write_bytes(b"services:\n  a\0b: 1\n")
    with pytest.raises(ContractError) as caught:
        read_contract("ramp.yaml")
    assert (caught.value.message, caught.value.where) == ("a NUL byte in the text", "ramp.yaml:2:4")


def test_over_10_mb_is_refused_before_reading(folder: Path) -> None:
    (folder / "ramp.yaml").write_bytes(b"# " + b"x" * 10_000_000)
    with pytest.raises(ContractError, match="a contract over 10 MB"):
        read_contract("ramp.yaml")


@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "? ", "&a [", "a: {b: "])
def test_deep_nesting_is_refused_calmly(folder: Path, opened: str) -> None:
    with pytest.raises(ContractError) as caught:
        read(opened * 20_000)
    assert "ramp.yaml:1:" in caught.value.where


def test_too_many_values_are_refused(folder: Path) -> None:
    assert "more than 200,000 values" in screen("- [" + "a," * 200_100 + "]\n")


def test_missing_directory_and_unreadable_files_have_screens(folder: Path) -> None:
    for path, message in (("none.yaml", "there is no file `none.yaml`"), (".", "`.` is a directory")):
        with pytest.raises(ContractError) as caught:
            read_contract(path)
        assert message == caught.value.message
        assert str(caught.value).startswith(f"error: {message}\n  --> {path}\n  help: ")


def test_reading_a_contract_loads_nothing_heavy() -> None:
    code = (
        "import sys, crossfade.formats.ramp\n"
        "heavy = {'asyncio', 'cel_expr_python', 'jsonschema_rs', 'rich', 'asyncpg', 'redis', 'socket'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_file_that_is_something_else_stops_early(folder: Path) -> None:
    text = screen("services:\n" + "".join(f"  s{n}: {{}}\n" for n in range(500)))
    assert text.count("error: ") == 10
    assert text.endswith("... and 90 more problems in ramp.yaml")


def test_a_very_long_command_is_refused(folder: Path) -> None:
    assert "a command over 100,000 characters" in screen(SERVICES.replace("./orders", "x" * 100_001) + RAMP + SCENARIOS)
