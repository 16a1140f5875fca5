"""What `crossfade compat` costs: CPU seconds for a large pair of OpenAPI documents, how they grow with the size, and other
checkers on the same pairs of schemas in the same run.

    ./dev bench compat [--megabytes 4] [--rounds 3] [--yaml]

The documents are made here: shared components that refer to each other in circles, parameters, several answers per
operation. The other version differs in one component of ten, in ways that break and in ways that do not. Peers that are
not installed are left out: jsonsubschema and jsoncompat from PyPI, json-schema-diff and openapi-diff from npm.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from common import table

FIELDS = 14  # of a component
SHARE = 10  # one component of so many differs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--yaml", action="store_true", help="the documents as YAML too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(growth(folder, options.megabytes, options.rounds, options.yaml))
        print()
        print(peers(folder, options.rounds))


# -- growth -----------------------------------------------------------------------------------------------------------


def growth(folder: Path, megabytes: float, rounds: int, with_yaml: bool) -> str:
    rows = []
    for share in (0.25, 0.5, 1.0):
        wanted = int(megabytes * share * 1_000_000)
        stable, canary = documents(wanted)
        size = len(json.dumps(stable)) / 1e6
        for text in ("json", "yaml") if with_yaml else ("json",):
            files = [write(folder, f"{side}-{share}", one, text) for side, one in (("a", stable), ("b", canary))]
            same = min(measured(files[0], files[0])[0] for _ in range(rounds))
            runs = [measured(*files) for _ in range(rounds)]
            cpu, found = min(run[0] for run in runs), runs[0][1]
            operations = sum(len(item) for item in stable["paths"].values())
            components = len(stable["components"]["schemas"])
            answer = "yes" if len({run[2] for run in runs}) == 1 else "NO"
            rows.append([text, round(size, 2), operations, components, same, cpu, cpu / size, found, answer])
    head = ["text", "MB", "operations", "components", "CPU s, no difference", "CPU s", "CPU s per MB", "breaks"]
    head.append("same answer")
    return table(head, rows)


def measured(stable: Path, canary: Path) -> tuple[float, int, str]:
    """CPU seconds of the whole command in a process of its own, the number of breaks, and the report without its time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "crossfade", "compat", str(stable), str(canary), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3):
        raise SystemExit(done.stderr[-2000:])
    report = json.loads(done.stdout)
    report.pop("seconds")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, len(report["breaks"]), json.dumps(report)


def write(folder: Path, name: str, document: Any, text: str) -> Path:
    path = folder / f"{name}.{text}"
    if text == "json":
        path.write_text(json.dumps(document, indent=1))
    else:
        path.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False))
    return path


def documents(size: int, seed: int = 7) -> tuple[dict[str, Any], dict[str, Any]]:
    """A document of about `size` bytes (as compact JSON) and the next version of it."""
    chance = random.Random(seed)
    one = document(200, chance)
    count = max(int(200 * size / len(json.dumps(one))), 10)
    chance = random.Random(seed)
    stable = document(count, chance)
    canary = copy.deepcopy(stable)
    for number in range(0, count, SHARE):
        differ(canary["components"]["schemas"][f"Thing{number}"], number // SHARE)
    return stable, canary


def document(count: int, chance: random.Random) -> dict[str, Any]:
    """`count` components, two operations for every two of them."""
    names = [f"Thing{number}" for number in range(count)]
    schemas = {name: component(number, names, chance) for number, name in enumerate(names)}
    schemas["Error"] = {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}}}
    paths = {f"/things{number}": collection(names[number]) for number in range(0, count, 2)}
    paths |= {f"/things{number}/{{id}}": item(names[number]) for number in range(0, count, 2)}
    return {
        "openapi": "3.0.3",
        "info": {"title": "things", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {"Page": {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}}},
            "responses": {"Error": {"description": "wrong", "content": body("Error")}},
        },
    }


def component(number: int, names: list[str], chance: random.Random) -> dict[str, Any]:
    """An object with fields of many kinds; it refers to neighbours before and behind it, so references go in circles."""
    properties: dict[str, Any] = {"id": {"type": "integer", "format": "int64", "description": "what it is found by"}}
    for index in range(FIELDS):
        kind = chance.randrange(8)
        other = names[(number + chance.randrange(-6, 7)) % len(names)]
        properties[f"field_{index}"] = {
            **(
                {"type": "string", "maxLength": 10 + chance.randrange(90)},
                {"type": "string", "enum": [f"value_{n}" for n in range(2 + chance.randrange(6))]},
                {"type": "number", "minimum": 0, "maximum": 1000 + chance.randrange(1000)},
                {"type": "boolean", "nullable": True},
                {"type": "array", "items": {"$ref": f"#/components/schemas/{other}"}, "maxItems": 50},
                {"$ref": f"#/components/schemas/{other}"},
                {"type": "string", "format": "date-time"},
                {"oneOf": [{"$ref": f"#/components/schemas/{other}"}, {"type": "string"}]},
            )[kind]
        }
        if "$ref" not in properties[f"field_{index}"]:
            properties[f"field_{index}"]["description"] = f"the field {index} of thing {number}, as it is kept " * 2
    required = ["id", *(f"field_{n}" for n in range(0, FIELDS, 4) if "$ref" not in properties[f"field_{n}"])]
    return {"type": "object", "description": f"thing {number}", "required": required, "properties": properties}


def differ(schema: dict[str, Any], kind: int) -> None:
    """One change, by turns harmless and breaking one of the directions."""
    match kind % 5:
        case 0:
            schema["properties"]["added"] = {"type": "string"}
        case 1:
            schema["required"] = schema["required"][:-1] or []
        case 2:
            schema["properties"]["id"] = {"type": "string"}
        case 3:
            schema["description"] += ", said better"
        case _:
            schema["properties"]["state"] = {"type": "string", "enum": ["new"]}
            schema["required"] = [*schema["required"], "state"]


def collection(name: str) -> dict[str, Any]:
    many = {"application/json": {"schema": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}}}
    error = {"$ref": "#/components/responses/Error"}
    return {
        "get": {
            "parameters": [{"$ref": "#/components/parameters/Page"}],
            "responses": {"200": {"description": "some", "content": many}, "400": error},
        },
        "post": {
            "requestBody": {"required": True, "content": body(name)},
            "responses": {"201": {"description": "made", "content": body(name)}, "400": error},
        },
    }


def item(name: str) -> dict[str, Any]:
    key = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    return {"get": {"parameters": [key], "responses": {"200": {"description": "one", "content": body(name)}}}}


def body(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


# -- peers ------------------------------------------------------------------------------------------------------------


def peers(folder: Path, rounds: int) -> str:
    """The same pairs of schemas (two versions of single objects without references) for every checker; ratios."""
    pairs = schema_pairs(60)
    rows = []
    base = None
    for name, run in checkers(folder, pairs):
        try:
            best = min(cpu_of(run) for _ in range(rounds))
        except Exception as problem:  # a peer that breaks is told, not hidden
            rows.append([name, None, None, f"{type(problem).__name__}: {str(problem)[:60]}"])
            continue
        base = best if base is None else base
        rows.append([name, 1000 * best / len(pairs), best / base if base else None, ""])
    return table(["checker", "CPU ms per pair, both directions", "ratio", "note"], rows)


def schema_pairs(count: int) -> list[tuple[Any, Any]]:
    """Objects with the kinds of fields above, references replaced, before and after a change."""
    chance = random.Random(3)
    pairs = []
    for number in range(count):
        one = json.loads(json.dumps(component(number, ["Other"], chance)).replace('"nullable": true, ', ""))
        for schema in one["properties"].values():
            schema.pop("nullable", None)
            if "$ref" in schema:
                schema.clear()
                schema["type"] = "integer"
            elif "oneOf" in schema:
                schema["oneOf"][0] = {"type": "integer"}
            elif schema.get("type") == "array":
                schema["items"] = {"type": "integer"}
        two = copy.deepcopy(one)
        differ(two, number)
        pairs.append((one, two))
    return pairs


def checkers(folder: Path, pairs: list[tuple[Any, Any]]) -> list[tuple[str, Callable[[], None]]]:
    from crossfade.engine.schema import Comparer

    def ours() -> None:
        for one, two in pairs:
            comparer = Comparer(one, two)
            comparer.breaks(one, two, "", "")
            comparer.breaks(one, two, "", "", reverse=True)

    found: list[tuple[str, Callable[[], None]]] = [("crossfade", ours)]
    if importlib.util.find_spec("jsonsubschema"):
        from jsonsubschema import isSubschema

        def subschema() -> None:
            for one, two in pairs:
                isSubschema(one, two)
                isSubschema(two, one)

        found.append(("jsonsubschema", subschema))
    if importlib.util.find_spec("jsoncompat"):
        import jsoncompat

        def compat() -> None:
            for one, two in pairs:
                jsoncompat.check_compat(json.dumps(one), json.dumps(two), "both")

        found.append(("jsoncompat", compat))
    for command in ("json-schema-diff", "openapi-diff"):
        if shutil.which(command):
            found.append((f"{command} (one process per pair)", outside(command, folder, pairs[:5])))
    return found


def outside(command: str, folder: Path, pairs: list[tuple[Any, Any]]) -> Callable[[], None]:
    def run() -> None:
        for number, pair in enumerate(pairs):
            files = []
            for side, schema in zip("ab", pair, strict=True):
                whole = schema
                if command == "openapi-diff":
                    whole = document(1, random.Random(1))
                    whole["components"]["schemas"]["Thing0"] = schema
                files.append(write(folder, f"{command}-{number}-{side}", whole, "json"))
            subprocess.run([command, *map(str, files)], capture_output=True, check=False, timeout=120)

    return run


def cpu_of(run: Callable[[], None]) -> float:
    before = os.times()
    run()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - started:.0f} s in all", file=sys.stderr)
