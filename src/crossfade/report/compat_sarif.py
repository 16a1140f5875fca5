"""The report of `crossfade compat` as SARIF 2.1.0: one result per break, at its place in the canary's document, with the
stable's as a related one. Fingerprints are those of the breaks, so code scanning knows a break again."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from crossfade.model.compat import Break, CompatReport, Place, Severity
from crossfade.report.compat_words import direction, main_place, operations_text
from crossfade.report.rules import RULES
from crossfade.report.wording import one_line

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def compat_sarif(report: CompatReport) -> str:
    names = list(dict.fromkeys(one.rule for one in report.breaks))
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "crossfade",
                "semanticVersion": report.tool.rpartition(" ")[2],
                "rules": [_rule(name) for name in names],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, names.index(one.rule)) for one in report.breaks],
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": one_line(f"not compared: {text}")}}
                    for text in report.not_compared
                ],
            }
        ],
        "properties": {"verdict": report.verdict.value, "reason": report.reason},
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=True) + "\n"


def _rule(name: str) -> dict[str, Any]:
    page = RULES.get(name)
    if page is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": page.meaning},
        "help": {"text": "\n".join([page.hurts, *page.instead])},
    }


def _result(one: Break, index: int) -> dict[str, Any]:
    main = main_place(one)
    other = one.canary if main is one.stable else one.stable
    text = [one.message, f"({direction(one)}; reaches {operations_text(one.operations)})"]
    text += [f"Witness: {one.witness}"] if one.witness is not None else []
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": _LEVELS[one.severity],
        "message": {"text": one_line(" ".join(text))},
        "partialFingerprints": {"crossfade/v1": one.id},
        "properties": {
            "crossing": one.crossing.value,
            "writer": one.writer,
            "reader": one.reader,
            "path": one.path,
            "operations": list(one.operations),
            "stages": list(one.stages),
            "advice": one.advice,
        },
    }
    if main is not None:
        result["locations"] = [_location(main)]
    if other is not None:
        result["relatedLocations"] = [{**_location(other), "id": 1, "message": {"text": "the other version"}}]
    if one.declared:
        result["suppressions"] = [{"kind": "external", "justification": "declared under `changes` of the contract"}]
    return result


def _location(place: Place) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(place.file.replace("\\", "/"))}}
    if place.line:
        physical["region"] = {"startLine": place.line, "startColumn": max(place.column, 1)}
    location: dict[str, Any] = {"physicalLocation": physical}
    if place.pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": place.pointer}]
    return location
