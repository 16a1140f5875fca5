"""The schema editors use: published as it is made, and never stricter than the reader."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from test_tree import VALID, value_of

from crossfade.formats.editor_schema import editor_schema, editor_schema_text

ROOT = Path(__file__).parents[2]
CONTRACTS = sorted(
    path for where in ("src/crossfade/demo", "zoo", "examples") for path in ROOT.glob(f"{where}/**/ramp*.yaml")
)


def test_the_published_file_is_up_to_date() -> None:
    assert editor_schema_text() == (ROOT / "docs" / "reference" / "ramp.schema.json").read_text(encoding="utf-8")


def test_it_is_a_schema() -> None:
    assert jsonschema_rs.meta.is_valid(json.loads(editor_schema_text()))


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_accepts_the_contracts_of_the_project(path: Path) -> None:
    errors = [str(error) for error in jsonschema_rs.iter_errors(editor_schema(), value_of(path.read_text()))]
    assert errors == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("step: create", "stepp: create"),
        ("weight: 100%", "weight: 100"),
        ('version: "1.2.3"', "version: 1.2"),
        ("phase: expand", "phase: expnd"),
        ("    steps:", "    steps: []\n    other:"),
        ("stickiness: cookie sid", "stickiness: cookie"),
        ("together: [create, ", "together: [create, create, "),
        ("setup: read", "given: read"),
    ],
)
def test_it_sees_mistakes_while_typing(old: str, new: str) -> None:
    assert jsonschema_rs.is_valid(editor_schema(), value_of(VALID))
    assert not jsonschema_rs.is_valid(editor_schema(), value_of(VALID.replace(old, new)))
