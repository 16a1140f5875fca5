"""YAML 1.2 values, and that whatever stands in a file gives a contract or a screen that points into the file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossfade.errors import ContractError
from crossfade.formats.ramp import contract_of, read_contract
from crossfade.formats.source import source_of, split_lines
from crossfade.formats.tree import Node, plain_value, tree

VALID = """
services:
  orders:
    ready: /healthz
    env: { A: "${db.url}" }
    stable: { version: "1.2.3", run: "./a ${port}" }
    canary: { version: "1.3.0", run: "./b ${port}" }
databases:
  db: { postgres: "18" }
ramp:
  - stage: before
  - { stage: all, phase: expand, weight: 100% }
rollback: { until: all }
stickiness: cookie sid
scenarios:
  - name: read
    steps:
      - step: create
        call: POST /orders
        json: { a: [1, 2] }
        save: { id: body.id }
      - call: GET /orders/${id}
        expect: [status == 200, body.id == saved.id]
rules:
  - { rule: r, on: GET /orders, until: all, expect: status == 200 }
state:
  - { rule: s, sql: select 1, expect: "rows[0][0] == 1" }
changes:
  - { on: GET /orders, field: body.a, since: "1.3.0" }
races:
  - { name: two at once, setup: read, together: [create, "read/GET /orders/${id}"] }
"""


def value_of(text: str) -> Any:
    return plain_value(tree(source_of("a.yaml", text), []))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on: no", {"on": "no"}),
        ("y: yes", {"y": "yes"}),
        ("a: 012", {"a": 12}),
        ("a: 0o14", {"a": 12}),
        ("a: 0xfF", {"a": 255}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2026-11-24", {"a": "2026-11-24"}),
        ("a: .5", {"a": 0.5}),
        ("a:\n- ", {"a": [None]}),
        ("a: +", {"a": "+"}),
        ("a: '1'", {"a": "1"}),
        ("a: !!str 1", {"a": "1"}),
        ("a: 18446744073709551616", {"a": 18446744073709551616}),
        ("1: a", {"1": "a"}),
        ("a: =", {"a": "="}),
        ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
        ("- &a { b: 1 }\n- *a\n- { <<: *a, c: 2 }", [{"b": 1}, {"b": 1}, {"c": 2, "b": 1}]),
    ],
)
def test_yaml_1_2_values(text: str, value: Any) -> None:
    assert value == value_of(text)


def nodes(node: Node) -> list[Node]:
    if node.kind == "scalar":
        return [node]
    inner = [part for pair in node.value for part in pair] if node.kind == "map" else node.value
    return [node, *(found for part in inner for found in nodes(part))]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values.filter(lambda value: value is not None), st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_is_dumped_is_read_and_every_place_shows_its_text(value: Any, flow: bool) -> None:
    text = yaml.dump(value, default_flow_style=flow, allow_unicode=True, width=10_000)
    try:
        root = tree(source_of("a.yaml", text), [])
    except ContractError as error:
        assert "nested" in error.message  # deeper than any contract
        return
    lines = split_lines(text)
    for node in nodes(root):
        assert 1 <= node.line <= len(lines)
        assert 1 <= node.column <= len(lines[node.line - 1]) + 1
        if node.kind == "scalar" and node.plain and node.text:
            assert node.text == lines[node.line - 1][node.column - 1 :][: node.length]


@given(json_values.filter(lambda value: value is not None))
@settings(max_examples=150, deadline=None)
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assume(text.isprintable() and "Infinity" not in text)  # YAML wants other characters as escapes
    assert value == value_of(text)


def assert_reads_or_refuses(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ramp.yaml"
        path.write_bytes(data)
        lines = split_lines(data.decode("utf-8-sig", errors="replace"))
        try:
            read_contract(path)
        except ContractError as error:
            line, column = map(int, error.where.removeprefix(str(path)).lstrip(":").split(":"))
            assert 1 <= line <= len(lines)
            assert 1 <= column <= len(lines[line - 1]) + 1
            assert error.screen.startswith("error: ")


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_contract_or_a_screen(data: bytes) -> None:
    assert_reads_or_refuses(data)


PIECES = ["${", "}", "{", "[", "]", ": ", "- ", "\t", "\n", "  ", "&a ", "*a", "<<: *a", "!x ", '"', "'", "|", ">", "#"]
PIECES += ["null", "1.10", "${x}", "é", "読", "\x85", "%", "@", "---\n", "?", "stage", "30", "saved.x", "&&", "=", "\\"]


@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.integers(0, 12), st.sampled_from(PIECES)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_a_contract_with_damage_gives_a_contract_or_a_screen(damage: list[tuple[int, int, str]]) -> None:
    text = VALID
    for at, length, piece in damage:
        text = text[:at] + piece + text[at + length :]
    assert_reads_or_refuses(text.encode())


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_value_anywhere_gives_a_contract_or_a_screen(data: st.DataObject) -> None:
    """Replaces one value of a valid contract by any other and looks at it as a contract."""
    value = value_of(VALID)
    holders: list[tuple[Any, Any]] = []

    def walk(part: Any) -> None:
        keys = part.keys() if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        for key in keys:
            holders.append((part, key))
            walk(part[key])

    walk(value)
    holder, key = data.draw(st.sampled_from(holders))
    holder[key] = data.draw(json_values | st.sampled_from(["${a}", "GET /${", "30%", -1, 1.5, "a/b", "\0", "."]))
    text = yaml.dump(value, allow_unicode=True)
    source = source_of("ramp.yaml", text)
    try:
        contract_of(source, Path("/nowhere/ramp.yaml"))
    except ContractError as error:
        name, line, column = error.where.split(":")
        assert (name, 1 <= int(line) <= len(source.lines)) == ("ramp.yaml", True)
        assert 1 <= int(column) <= len(source.lines[int(line) - 1]) + 1
