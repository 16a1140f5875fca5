"""The contracts in the guides are contracts: what a reader copies is accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crossfade.formats.ramp import read_contract
from crossfade.model.contract import Contract

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BANK = """
services:
  bank:
    stable: { version: "1.2.3", run: "./bank ${port}" }
    canary: { version: "1.3.0", run: "./bank ${port}" }
"""
RAMP = "ramp: [{ stage: before }, { stage: all, weight: 100% }]\n"


@pytest.fixture
def blocks() -> list[str]:
    """The YAML of the guide to races, block by block, without the indentation of lists."""
    found = re.findall(r"^( *)```yaml\n(.*?)^ *```$", (GUIDES / "races.md").read_text(), re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in text.splitlines(keepends=True)) for indent, text in found]


def read(folder: Path, *parts: str) -> Contract:
    (folder / "ramp.yaml").write_text("".join(parts))
    return read_contract(folder / "ramp.yaml")


def test_the_races_of_the_guide_are_prepared_as_it_says(blocks: list[str], tmp_path: Path) -> None:
    contract = read(tmp_path, BANK, RAMP, blocks[0])
    assert [["open"], ["create"]] == [[step.name for step in contract.before(race)] for race in contract.races]


def test_the_race_against_a_migration_in_the_guide(blocks: list[str], tmp_path: Path) -> None:
    scenarios = blocks[0].partition("races:")[0]
    databases = 'databases: { db: { postgres: "18" } }\n'
    (race,) = read(tmp_path, BANK, databases, scenarios, blocks[1]).races
    assert [("money goes out", "withdraw"), ("", "backfill")] == [(one.scenario, one.step) for one in race.together]


def test_the_stores_and_the_called_service_of_the_guide(blocks: list[str], tmp_path: Path) -> None:
    scenarios = "scenarios: [{ name: read, steps: [{ call: GET /orders, service: orders }] }]\n"
    contract = read(tmp_path, *blocks[2:], RAMP, scenarios)
    assert [("legacy", "mysql")] == [(database.name, database.kind) for database in contract.databases]
    assert ("stock",) == contract.hops("orders")
