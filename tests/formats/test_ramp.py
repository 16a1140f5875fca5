"""What a contract means: the forms it may take and the values they become."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crossfade.errors import ContractError
from crossfade.formats.ramp import read_contract
from crossfade.model.contract import Contract, OperationPattern, Race, Step
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


STEPS = """
scenarios:
  - name: open an account
    steps:
      - { step: open, call: POST /accounts, save: { id: body.id } }
  - name: money out
    steps:
      - { step: open, call: POST /accounts, save: { id: body.id } }
      - { step: withdraw, call: "POST /accounts/${id}/withdrawals", json: { amount: 30, key: "${unique}" } }
      - { call: "GET /accounts/${id}" }
      - { step: code, call: POST /codes, save: { code: body.code } }
      - { step: close, call: "DELETE /accounts/${id}?code=${code}" }
  - name: cards
    steps:
      - { step: card, call: POST /cards, save: { card: body.id } }
      - { step: block, call: "DELETE /cards/${card}" }
"""
FILLED = """
ramp:
  - stage: before
  - { stage: fill, phase: backfill, run: "python fill.py" }
  - { stage: all, weight: 100% }
"""


def race(written: str) -> tuple[Race, Contract]:
    contract = read(f"{SERVICES}{FILLED}{STEPS}races:\n  - {written}\n")
    return contract.races[0], contract


def named(race: Race) -> list[tuple[str, str]]:
    return [(one.scenario, one.step) for one in race.together]


def test_a_race_prepared_by_a_scenario(folder: Path) -> None:
    found, contract = race("{ name: two withdrawals, setup: open an account, together: [withdraw, withdraw] }")
    assert ("two withdrawals", "open an account") == (found.name, found.setup)
    assert [("money out", "withdraw")] * 2 == named(found)
    assert contract.scenarios[0].steps == contract.before(found)
    assert contract.scenarios[1].steps[1] == contract.step(found.together[0])
    line = (folder / "ramp.yaml").read_text().splitlines()[-1]
    assert [line.index("[withdraw") + 2, line.index(", withdraw]") + 3] == [
        one.position.column for one in found.together if one.position
    ]


def test_a_race_without_a_setup_is_prepared_by_the_steps_before_it_in_its_own_scenario(folder: Path) -> None:
    found, contract = race("{ name: a, together: [withdraw, 'GET /accounts/${id}'] }")
    assert None is found.setup
    assert [("money out", "withdraw"), ("money out", "GET /accounts/${id}")] == named(found)
    assert contract.scenarios[1].steps[:1] == contract.before(found)


def test_what_the_second_needs_and_the_first_does_not_make_is_prepared_too(folder: Path) -> None:
    found, contract = race("{ name: a, together: [withdraw, close] }")
    assert ["open", "code"] == [step.name for step in contract.before(found)]


def test_a_race_of_two_scenarios_is_prepared_by_both(folder: Path) -> None:
    found, contract = race("{ name: a, together: [block, withdraw] }")
    assert [("cards", "block"), ("money out", "withdraw")] == named(found)
    assert (contract.scenarios[2].steps[0], contract.scenarios[1].steps[0]) == contract.before(found)


def test_a_first_step_needs_no_preparation(folder: Path) -> None:
    found, contract = race("{ name: a, together: [card, cards/card] }")
    assert [("cards", "card")] * 2 == named(found)
    assert () == contract.before(found)


@pytest.mark.parametrize("written", ["money out/open", "money out / open", "'money out/open'"])
def test_a_step_is_named_with_its_scenario_where_several_have_it(folder: Path, written: str) -> None:
    found, _ = race(f"{{ name: a, setup: open an account, together: [open, {written}] }}")
    assert [("open an account", "open"), ("money out", "open")] == named(found)


def test_a_migration_can_be_one_of_the_two(folder: Path) -> None:
    found, contract = race("{ name: a, together: [withdraw, fill] }")
    assert [("money out", "withdraw"), ("", "fill")] == named(found)
    assert None is contract.step(found.together[1])
    assert contract.scenarios[1].steps[:1] == contract.before(found)


def test_the_variables_of_a_step_are_those_of_its_path_headers_and_body() -> None:
    step = Step(
        "a", "POST", "/a/${id}?x=${id}", "s", {"X-User": "${user}"}, json={"${key}": ["${value}", 1]}, has_json=True
    )
    assert ("id", "user", "key", "value") == step.variables


def test_a_running_mysql(folder: Path) -> None:
    text = """
databases:
  legacy: { mysql: true, url: "mysql://app:secret@127.0.0.1:3306/shop" }
  second: { url: "mariadb://app@127.0.0.1/shop" }
"""
    legacy, second = read(SERVICES + RAMP + SCENARIOS + text).databases
    assert ("mysql", None, "mysql://app:secret@127.0.0.1:3306/shop") == (legacy.kind, legacy.version, legacy.url)
    assert ("mysql", "mariadb://app@127.0.0.1/shop") == (second.kind, second.url)


HOPS = """
  shop:
    run: "node shop.js ${port}"
    env: { STOCK_URL: "${stock.url}", PRICE: "${price.url}" }
  stock:
    run: "./stock ${port} --price ${ price.url }"
  price:
    url: http://127.0.0.1:8000
  mail:
    run: "./mail ${port}"
"""


def test_services_with_one_version_can_be_called_by_others(folder: Path) -> None:
    own = SERVICES.replace('canary: { version: "1.3.0"', 'canary: { env: { MAIL: "${mail.url}" }, version: "1.3.0"')
    scenario = SCENARIOS.replace("GET /orders", "GET /orders, service: orders")
    contract = read(own + HOPS + RAMP + scenario)
    hops = {service.name: contract.hops(service.name) for service in contract.services}
    assert {
        "orders": ("mail",), "shop": ("stock", "price"), "stock": ("price",), "price": (), "mail": ()
    } == hops  # fmt: skip
    groups = [[service.name for service in group] for group in contract.starting_order()]
    assert [["price", "mail"], ["orders", "stock"], ["shop"]] == groups


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
