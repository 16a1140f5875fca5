"""The report of `crossfade compat` as JSON, and its published JSON Schema, generated from the same types."""

from __future__ import annotations

from typing import Any

import msgspec

from crossfade.model.compat import CompatReport
from crossfade.report.data import encodable

SCHEMA_TITLE = "Crossfade compat report"


def compat_json(report: CompatReport) -> str:
    """The report as indented JSON, fields with their default value too."""
    try:
        encoded = msgspec.json.encode(report)
    except UnicodeEncodeError:  # a lone surrogate in a document: no UTF-8 file can hold it
        encoded = msgspec.json.encode(encodable(msgspec.to_builtins(report)))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def compat_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `crossfade compat --format json`."""
    schema = msgspec.json.schema(CompatReport)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA_TITLE, **schema}


def compat_schema_text() -> str:
    """The text of the published file `docs/reference/compat.schema.json`."""
    return msgspec.json.format(msgspec.json.encode(compat_schema(), order="sorted"), indent=2).decode() + "\n"
