"""`report.json`: the report value as it is, and its published JSON Schema, generated from the same types."""

from __future__ import annotations

from typing import Any

import msgspec

from crossfade.model.report import Report

SCHEMA_TITLE = "Crossfade report"


def json_report(report: Report) -> str:
    """The report as indented JSON. Fields with their default value are written too, so readers need no defaults."""
    try:
        encoded = msgspec.json.encode(report)
    except UnicodeEncodeError:  # a lone surrogate in an answer: no UTF-8 file can hold it
        encoded = msgspec.json.encode(encodable(msgspec.to_builtins(report)))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def report_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `report.json`."""
    schema = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA_TITLE, **schema}


def report_schema_text() -> str:
    """The text of the published file `docs/reference/report.schema.json`."""
    return msgspec.json.format(msgspec.json.encode(report_schema(), order="sorted"), indent=2).decode() + "\n"


def encodable(value: Any) -> Any:
    """The value with what UTF-8 cannot hold replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(item) for item in value]
    return value
