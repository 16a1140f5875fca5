"""The JSON Schema of ramp.yaml for editors: completion, tooltips and a first check while typing.

It is made from the same table the reader refuses unknown keys by. The published file is the output of
`python -m crossfade.formats.editor_schema`.
"""

from __future__ import annotations

import json
from typing import Any

from crossfade.formats.fields import FIELDS, WHAT, Field


def editor_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12). It accepts every contract the reader accepts, and some more: what spans several places
    (stage names, saved variables, files) only the reader knows."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Crossfade ramp contract",
        **_mapping("contract"),
        "patternProperties": {"^x-": {"description": "Ignored: a place for values to repeat with `*name`."}},
        "$defs": {kind: _mapping(kind) for kind in FIELDS if kind != "contract"},
    }


def editor_schema_text() -> str:
    """The published file, byte for byte."""
    return json.dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"


def _mapping(kind: str) -> dict[str, Any]:
    fields = FIELDS[kind]
    required = [name for name, field in fields.items() if field.required]
    return {
        "description": WHAT[kind][0].upper() + WHAT[kind][1:] + ".",
        "type": "object",
        "properties": {name: _property(name, field) for name, field in fields.items()},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _property(name: str, field: Field) -> dict[str, Any]:
    """A key without a value counts as absent, except `json`, where null is a value of its own."""
    schema = field.schema
    if schema and not field.required and name != "json":
        schema = {"anyOf": [schema, {"type": "null"}]}
    return {"description": field.meaning, **schema}


if __name__ == "__main__":
    print(editor_schema_text(), end="")
