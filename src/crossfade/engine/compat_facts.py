"""The facts of an OpenAPI document that a call depends on, gathered per operation and with their places.

`$ref`s between parameters, bodies, answers and path items are followed, so each fact carries the pointer of where it is
written: two operations that share a parameter share its pointer. Schemas are left alone, they have pointers as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crossfade.errors import ContractError
from crossfade.model.openapi import OpenApiDocument, join

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
IGNORED_HEADERS = ("accept", "content-type", "authorization")  # as parameters they mean nothing, says OpenAPI


class Content(msgspec.Struct, frozen=True):
    """A body of one media type, or the value of a parameter or header. `schema` None: not described."""

    media: str
    schema: Any
    pointer: str  # of the schema
    encoding: dict[str, Any] = {}


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a call, or a header of an answer (`place` "header"). `key` is what it is found by: the name (lower case
    for headers), for path parameters the number of the hole they fill."""

    place: str
    name: str
    key: str
    required: bool
    pointer: str
    content: Content
    style: str
    explode: bool
    deprecated: bool = False

    @property
    def path(self) -> str:
        return f"{self.place}.{self.name}"


class Body(msgspec.Struct, frozen=True):
    required: bool
    pointer: str
    contents: tuple[Content, ...]


class Response(msgspec.Struct, frozen=True):
    """`status` is "200", "4XX" or "default"."""

    status: str
    pointer: str
    contents: tuple[Content, ...]
    headers: tuple[Parameter, ...]


class Credentials(msgspec.Struct, frozen=True, order=True):
    """What a call has to carry at once: schemes as texts that are equal where the same credential is meant, with scopes.
    Empty: nothing, the call may be anonymous."""

    schemes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return " and ".join(f"{name} ({', '.join(scopes)})" if scopes else name for name, scopes in self.schemes)


class Operation(msgspec.Struct, frozen=True):
    """`bases` are the path prefixes of its servers, () where none are written. `security` are alternatives, `secured` is
    the pointer to where they are written. `sunset` is the text of `x-sunset`. A webhook is called by the provider."""

    method: str
    path: str
    pointer: str
    bases: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    body: Body | None
    responses: tuple[Response, ...]
    security: tuple[Credentials, ...]
    secured: str
    deprecated: bool = False
    sunset: str = ""
    webhook: bool = False

    def __str__(self) -> str:
        return f"webhook {self.path}" if self.webhook else f"{self.method} {self.path}"


def operations(document: OpenApiDocument) -> tuple[Operation, ...]:
    """Every operation and webhook of the document, in its order. Raises ContractError where something is no object."""
    return tuple(_Facts(document).all())


class _Facts:
    def __init__(self, document: OpenApiDocument) -> None:
        self._document = document
        self._root = document.root
        self._schemes = self._security_schemes()
        self._memo: dict[str, Any] = {}

    def all(self) -> Iterator[Operation]:
        for key, webhook in (("paths", False), ("webhooks", True)):
            for template, item in self._map(self._root.get(key), join("", key)).items():
                if not webhook and not template.startswith("/"):
                    continue
                item, place = self._followed(item, join("", key, template))
                item = self._map(item, place)
                for method in METHODS:
                    if isinstance(item.get(method), dict):
                        yield self._operation(method, template, item, place, webhook)
                    elif method in item and item[method] is not None:
                        self._map(item[method], join(place, method))

    def _operation(self, method: str, template: str, item: Mapping[str, Any], place: str, webhook: bool) -> Operation:
        operation, pointer = item[method], join(place, method)
        servers = operation.get("servers") or item.get("servers") or self._root.get("servers")
        holes = re.findall(r"\{([^{}]*)\}", template)
        parameters = {}
        for owner, at in ((item, place), (operation, pointer)):
            for index, one in enumerate(self._list(owner.get("parameters"))):
                found = self._parameter(one, join(at, "parameters", index), holes)
                if found is not None:
                    parameters[found.place, found.key] = found
        security, secured = self._security(operation, pointer)
        return Operation(
            method=method.upper(),
            path=template,
            pointer=pointer,
            bases=_bases(servers),
            parameters=tuple(parameters.values()),
            body=self._body(operation.get("requestBody"), join(pointer, "requestBody")),
            responses=tuple(self._responses(operation, join(pointer, "responses"))),
            security=security,
            secured=secured,
            deprecated=operation.get("deprecated") is True,
            sunset=str(operation.get("x-sunset") or ""),
            webhook=webhook,
        )

    def _parameter(self, value: Any, pointer: str, holes: list[str]) -> Parameter | None:
        value, pointer = self._followed(value, pointer)
        value = self._map(value, pointer)
        name, place = str(value.get("name", "")), str(value.get("in", ""))
        if place not in ("path", "query", "header", "cookie", "querystring") or not name:
            return None
        key = name
        if place == "header":
            key = name.lower()
            if key in IGNORED_HEADERS:
                return None
        elif place == "path":
            key = str(holes.index(name)) if name in holes else name
        return self._valued(value, pointer, place, name, key)

    def _valued(self, value: Mapping[str, Any], pointer: str, place: str, name: str, key: str) -> Parameter:
        content = next(iter(self._contents(value.get("content"), join(pointer, "content"))), None)
        if content is None:
            content = Content("", value.get("schema"), join(pointer, "schema"))
        style = str(value.get("style") or ("form" if place in ("query", "cookie") else "simple"))
        explode = value.get("explode")
        return Parameter(
            place=place,
            name=name,
            key=key,
            required=place == "path" or value.get("required") is True,
            pointer=pointer,
            content=content,
            style=style,
            explode=explode if isinstance(explode, bool) else style == "form",
            deprecated=value.get("deprecated") is True,
        )

    def _body(self, value: Any, pointer: str) -> Body | None:
        if value is None:
            return None
        value, pointer = self._followed(value, pointer)
        value = self._map(value, pointer)
        contents = self._contents(value.get("content"), join(pointer, "content"))
        return Body(value.get("required") is True, pointer, contents)

    def _responses(self, operation: Mapping[str, Any], pointer: str) -> Iterator[Response]:
        for status, value in self._map(operation.get("responses"), pointer).items():
            status = str(status)
            if status.startswith("x-"):
                continue
            if not re.fullmatch(r"[1-5]\d\d|[1-5][Xx][Xx]|default", status):
                raise ContractError(
                    f"`{status}` is no status code",
                    where=f"{self._document.shown}#{join(pointer, status)}",
                    hint="write a code, a range such as 4XX, or default",
                )
            value, at = self._followed(value, join(pointer, status))
            known = self._memo.get(at)
            if known is None:
                value = self._map(value, at)
                contents = self._contents(value.get("content"), join(at, "content"))
                known = self._memo[at] = (contents, tuple(self._headers(value.get("headers"), join(at, "headers"))))
            yield Response(status.upper() if status != "default" else status, at, *known)

    def _headers(self, value: Any, pointer: str) -> Iterator[Parameter]:
        for name, header in self._map(value, pointer).items():
            if name.lower() == "content-type":
                continue
            header, at = self._followed(header, join(pointer, name))
            yield self._valued(self._map(header, at), at, "header", name, name.lower())

    def _contents(self, value: Any, pointer: str) -> tuple[Content, ...]:
        found = []
        for media, described in self._map(value, pointer).items():
            described, at = self._followed(described if described is not None else {}, join(pointer, media))
            described = self._map(described, at)
            encoding = described.get("encoding")
            found.append(
                Content(
                    media=media.split(";")[0].strip().lower(),
                    schema=described.get("schema"),
                    pointer=join(at, "schema"),
                    encoding=encoding if isinstance(encoding, dict) else {},
                )
            )
        return tuple(found)

    # -- security -------------------------------------------------------------------------------------------------

    def _security_schemes(self) -> dict[str, str]:
        """Name in this document -> what it is."""
        components = self._root.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        found: dict[str, str] = {}
        for name, value in self._map(schemes, "/components/securitySchemes").items():
            value, _ = self._followed(value, join("/components/securitySchemes", name))
            if isinstance(value, dict):
                found[name] = _scheme(value)
        return found

    def _security(self, operation: Mapping[str, Any], pointer: str) -> tuple[tuple[Credentials, ...], str]:
        own = isinstance(operation.get("security"), list)
        written = operation["security"] if own else self._root.get("security")
        place = join(pointer, "security") if own else "/security"
        alternatives = [self._credentials(one) for one in self._list(written) if isinstance(one, dict)]
        return tuple(sorted(set(alternatives))) or (Credentials(),), place

    def _credentials(self, requirement: Mapping[str, Any]) -> Credentials:
        return Credentials(
            tuple(
                sorted(
                    (self._schemes.get(name, f"`{name}`"), tuple(sorted(map(str, self._list(scopes)))))
                    for name, scopes in requirement.items()
                )
            )
        )

    # -- values ---------------------------------------------------------------------------------------------------

    def _followed(self, value: Any, pointer: str) -> tuple[Any, str]:
        """What a chain of `$ref`s ends at. Raises ContractError where it leads back to itself."""
        seen: set[str] = set()
        while isinstance(value, dict) and isinstance(value.get("$ref"), str) and value["$ref"].startswith("#"):
            reference = value["$ref"]
            if reference in seen:
                raise ContractError(
                    f"`$ref` `{reference}` leads back to itself", where=f"{self._document.shown}#{pointer}"
                )
            seen.add(reference)
            value, pointer = at(self._root, reference[1:]), reference[1:]
        return value, pointer

    def _map(self, value: Any, pointer: str) -> dict[str, Any]:
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        raise ContractError("an object was expected", where=f"{self._document.shown}#{pointer}")

    def _list(self, value: Any) -> list[Any]:
        return value if isinstance(value, list) else []


def at(root: Any, pointer: str) -> Any:
    """The value a pointer leads to; None where there is none."""
    value = root
    for part in pointer.split("/")[1:]:
        token = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """The names under `type`; empty: any type."""
    types = schema.get("type")
    return frozenset(one for one in (types if isinstance(types, list) else [types]) if isinstance(one, str))


def _scheme(value: Mapping[str, Any]) -> str:
    """What a security scheme demands of a call, whatever it is called."""
    kind = str(value.get("type", ""))
    if kind == "apiKey":
        name = str(value.get("name", ""))
        return f"{value.get('in')} {name.lower() if value.get('in') == 'header' else name}"
    if kind == "http":
        return f"{str(value.get('scheme', '')).lower()} authorization"
    if kind == "oauth2":
        return "an OAuth 2 token"
    return {"openIdConnect": "an OpenID Connect token", "mutualTLS": "a client certificate"}.get(kind, kind)


def _bases(servers: Any) -> tuple[str, ...]:
    """The path part of each server's URL, its variables at their defaults; () where no server is written."""
    bases: list[str] = []
    for server in servers if isinstance(servers, list) else ():
        if not isinstance(server, dict) or not isinstance(server.get("url"), str):
            continue
        url, variables = server["url"], server.get("variables")
        for variable, described in variables.items() if isinstance(variables, dict) else ():
            if isinstance(described, dict):
                url = url.replace("{" + variable + "}", str(described.get("default", "")))
        try:
            bases.append(urlsplit(url).path.rstrip("/"))
        except ValueError:
            continue
    return tuple(dict.fromkeys(bases))


def shape_of(path: str) -> str:
    """A path template without the names of its parameters.

    >>> shape_of("/orders/{id}/lines/{line}.json")
    '/orders/{}/lines/{}.json'
    """
    return re.sub(r"\{[^{}]*\}", "{}", path)


def listed(operations: Iterable[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(one) for one in operations))
