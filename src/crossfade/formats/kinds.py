"""What kind of document a file holds, by its content: `crossfade compat` picks the comparison by it."""

from __future__ import annotations

import re
from pathlib import Path

from crossfade.errors import ContractError

NAMES = {
    "openapi": "an OpenAPI document",
    "asyncapi": "an AsyncAPI document",
    "avro": "an Avro schema",
    "protobuf": "a protobuf file",
    "graphql": "a GraphQL schema",
    "json-schema": "a JSON Schema",
    "contract": "a ramp contract",
    "sql": "SQL",
}
_SUFFIXES = {
    ".proto": "protobuf", ".graphql": "graphql", ".graphqls": "graphql", ".gql": "graphql", ".avsc": "avro",
    ".avpr": "avro", ".sql": "sql", ".binpb": "protobuf", ".pb": "protobuf", ".desc": "protobuf", ".protoset": "protobuf",
    ".fds": "protobuf",
}  # fmt: skip
_ROOT_KEY = re.compile(r"""(?m)(?:^|\A\s*\{|[{,]\s*)["']?(openapi|swagger|asyncapi)["']?[ \t]*:[ \t]*["']?[0-9]""")


def kind_of_document(path: Path) -> str:
    """One of `NAMES`, or "" for none of them. The name of the file counts only for formats that are named by it. Raises
    ContractError where the file is missing."""
    if path.is_dir():
        return _kind_of_folder(path)
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except FileNotFoundError:
        raise ContractError(
            f"there is no file `{path}`", where=str(path), hint="name the older and the newer document"
        ) from None
    except OSError as problem:
        raise ContractError(f"`{path}` cannot be read: {problem.strerror}", where=str(path)) from None
    if path.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[path.suffix.lower()]
    return kind_of_text(text)


def kind_of_text(text: str) -> str:
    """The kind of a text.

    >>> kind_of_text('{"openapi": "3.1.0"}'), kind_of_text('syntax = "proto3";'), kind_of_text("type Query { a: Int }")
    ('openapi', 'protobuf', 'graphql')
    >>> kind_of_text('{"type": "record", "name": "A", "fields": []}'), kind_of_text('{"type": "object"}')
    ('avro', 'json-schema')
    """
    found = _ROOT_KEY.search(text)
    if found:
        return "asyncapi" if found.group(1) == "asyncapi" else "openapi"
    if re.search(r'"__schema"\s*:\s*\{', text):
        return "graphql"
    if re.search(r"(?m)^\s*(syntax\s*=\s*[\"']proto|edition\s*=\s*[\"'])", text):
        return "protobuf"
    if re.search(r"(?m)^\s*(?:extend\s+)?(?:type|interface|enum|input|union|scalar)\s+\w+[^:\n]*[{=@]", text):
        return "graphql"
    if re.search(r"""["']type["']\s*:\s*["'](record|fixed)["']""", text) or _avro_enum(text):
        return "avro"
    if re.search(r"(?m)^services\s*:", text) and re.search(r"(?m)^ramp\s*:", text):
        return "contract"
    if re.search(
        r"""(?m)(?:^|[{,]\s*)["']?(\$schema|\$ref|type|properties|\$defs|definitions|enum|oneOf|anyOf|allOf)["']?\s*:""",
        text,
    ):
        return "json-schema"
    return ""


def _avro_enum(text: str) -> bool:
    return '"symbols"' in text and re.search(r'"type"\s*:\s*"enum"', text) is not None


def _kind_of_folder(path: Path) -> str:
    kinds = {_SUFFIXES.get(file.suffix.lower(), "") for file in path.rglob("*") if file.is_file()} - {""}
    return next(iter(kinds)) if len(kinds) == 1 else ""
