"""An API description as values: what `formats.openapi` reads from an OpenAPI document and `engine.shapes` judges with.

Only what an answer can be held against is kept: operations, their responses, and the response schemas as one JSON
Schema 2020-12 document. `match` finds the operation a concrete path belongs to.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec


class ApiResponse(msgspec.Struct, frozen=True):
    """One documented answer. `status` is "200", "4XX" or "default"; `schemas` maps each documented media type to the
    name of its schema in `ApiDescription.document["$defs"]`, or to None where the body is not described."""

    status: str
    schemas: dict[str, str | None] = {}


class ApiOperation(msgspec.Struct, frozen=True):
    """`bases` are the path prefixes of its servers ("" where there is none)."""

    method: str
    path: str
    responses: tuple[ApiResponse, ...] = ()
    bases: tuple[str, ...] = ("",)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def response(self, status: int) -> ApiResponse | None:
        """The most exact documented answer: the code itself, its range, then `default`."""
        documented = {response.status.upper(): response for response in self.responses}
        return documented.get(str(status)) or documented.get(f"{status // 100}XX") or documented.get("DEFAULT")


class ApiDescription(msgspec.Struct, frozen=True, eq=False, weakref=True):
    """`shown` is the file as the contract names it. `document` is `{"$defs": {...}}`, every `$ref` inside points into
    it. `notes` say which parts were left out and why. Compared and hashed by identity, so that caches can hold it."""

    shown: str
    version: str
    operations: tuple[ApiOperation, ...]
    document: dict[str, Any]
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def match(description: ApiDescription, method: str, concrete_path: str) -> ApiOperation | None:
    """The operation that serves `concrete_path` (a query is ignored). Literal segments win over templates, a path
    below a server's base wins over the bare path.

    >>> api = ApiDescription("a.yaml", "3.1", (ApiOperation("GET", "/a/{id}"), ApiOperation("GET", "/a/new")), {})
    >>> str(match(api, "GET", "/a/new")), str(match(api, "get", "/a/7?x=1")), match(api, "GET", "/b")
    ('GET /a/new', 'GET /a/{id}', None)
    """
    path = "/" + concrete_path.split("?", 1)[0].split("#", 1)[0].strip("/")
    found = [
        (-len(base), literalness, operation)
        for base, literalness, pattern, operation in _index(description).get(method.upper(), ())
        if path.startswith(base) and pattern.fullmatch(path[len(base) :] or "/")
    ]
    return min(found, key=lambda candidate: candidate[:2])[2] if found else None


_Entry = tuple[str, tuple[int, ...], re.Pattern[str], ApiOperation]


@lru_cache(maxsize=16)
def _index(description: ApiDescription) -> dict[str, list[_Entry]]:
    index: dict[str, list[_Entry]] = {}
    for operation in description.operations:
        pattern = re.compile(_expression(operation.path))
        literalness = tuple(
            0 if "{" not in segment else 2 if re.fullmatch(r"\{[^{}]*\}", segment) else 1
            for segment in operation.path.strip("/").split("/")
        )
        for base in dict.fromkeys((*operation.bases, "")):
            index.setdefault(operation.method, []).append((base, literalness, pattern, operation))
    return index


def _expression(template: str) -> str:
    """A regular expression for a path template. A trailing slash makes no difference (it was stripped)."""
    parts = re.split(r"(\{[^{}]*\})", "/" + template.strip("/"))
    return "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in parts)
