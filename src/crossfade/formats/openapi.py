"""OpenAPI 3.0 and 3.1 documents (JSON or YAML) as an ApiDescription.

Response schemas are rewritten to plain JSON Schema 2020-12 once, while reading: `nullable`, boolean exclusive bounds,
write-only fields that no answer has to carry, and discriminators, which become a choice by the named property. Each
schema a `$ref` points at becomes one entry of one flat document, however often it is referred to.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema_rs
import msgspec

from crossfade.errors import ContractError
from crossfade.formats.documents import kind_of, parsed_document
from crossfade.model.api import ApiDescription, ApiOperation, ApiResponse

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
DEEPEST = 200  # levels of nesting; the validator's own limit is 255


def read_openapi(path: Path, shown: str) -> ApiDescription:
    """The description in `path`; `shown` is how the contract names the file. Raises ContractError where it is not
    readable, not OpenAPI 3, or holds a `$ref` to nothing in a response."""
    reader = _Reader(path, shown)
    operations = tuple(reader.operations())
    reader.rewrite_all()
    return ApiDescription(
        shown=shown,
        version=reader.version,
        operations=operations,
        document={"$defs": reader.definitions},
        notes=tuple(dict.fromkeys(reader.notes)),
    )


def openapi_root(root: Any, shown: str) -> dict[str, Any]:
    """`root` when it is the root of an OpenAPI 3 document. Raises ContractError where it is something else."""
    if not isinstance(root, dict):
        raise ContractError("the file is no OpenAPI document: it holds no object", where=shown)
    if "swagger" in root:
        raise ContractError(
            f"Swagger `{root['swagger']}` is not supported",
            where=shown,
            hint="convert the document to OpenAPI 3.0 or 3.1 (swagger2openapi does) and name that file",
        )
    if "openapi" not in root:
        raise ContractError(
            "the file is no OpenAPI document: it has no `openapi` field",
            where=shown,
            hint="add `openapi: 3.1.0`",
        )
    if not re.match(r"3(\.|$)", str(root["openapi"])):
        raise ContractError(
            f"OpenAPI `{root['openapi']}` is not supported",
            where=shown,
            hint="Crossfade reads OpenAPI 3.0 and 3.1",
        )
    return root


class _Place(msgspec.Struct, frozen=True):
    """A value in a file: `tokens` is its JSON pointer."""

    file: Path
    tokens: tuple[str, ...] = ()

    def __truediv__(self, token: object) -> _Place:
        return _Place(self.file, (*self.tokens, str(token)))

    @property
    def pointer(self) -> str:
        return "#" + "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in self.tokens)


class _Edge(msgspec.Struct, frozen=True, eq=False):
    """A reference that applies to the same value as the schema it stands in. `owner[keyword]` holds it."""

    target: str
    reference: dict[str, Any]
    owner: dict[str, Any]
    keyword: str


class _Reader:
    """One reading. Schemas wait in `pending` under the name they get in `definitions`, so recursion costs nothing."""

    def __init__(self, path: Path, shown: str) -> None:
        self.path = path.resolve()
        self.shown = shown
        self.notes: list[str] = []
        self.definitions: dict[str, Any] = {}
        self.files: dict[Path, Any] = {}
        self.names: dict[_Place, str] = {}
        self.pending: list[tuple[str, Any, _Place]] = []
        self.edges: dict[str, list[_Edge]] = {}
        self.patterns: dict[str, bool] = {}
        self.anchors: dict[Path, dict[str, _Place]] = {}
        self.root = self._root()
        self.version = str(self.root["openapi"])

    # -- the document ---------------------------------------------------------------------------------------------

    def _root(self) -> dict[str, Any]:
        return openapi_root(self._file(self.path, self.shown), self.shown)

    def _file(self, path: Path, shown: str) -> Any:
        if path not in self.files:
            self.files[path] = parsed_document(path, shown)
        return self.files[path]

    def where(self, place: _Place) -> str:
        return f"{self._shown(place.file)}{place.pointer}"

    def _shown(self, file: Path) -> str:
        if file == self.path:
            return self.shown
        folder = Path(self.shown).parent
        try:
            return str(folder / file.relative_to(self.path.parent))
        except ValueError:
            return file.name

    # -- operations -----------------------------------------------------------------------------------------------

    def operations(self) -> Iterator[ApiOperation]:
        top = _Place(self.path)
        paths = self._mapping(self.root.get("paths", {}), top / "paths")
        if not paths:
            self.notes.append(f"{self.shown} describes no paths")
        for template, item in paths.items():
            if not template.startswith("/"):
                continue  # extensions
            item, place = self._resolved(item, top / "paths" / template)
            item = self._mapping(item, place)
            for method in METHODS:
                if method in item:
                    yield self._operation(method, template, item, place / method)

    def _operation(self, method: str, template: str, item: Mapping[str, Any], place: _Place) -> ApiOperation:
        operation = self._mapping(item[method], place)
        servers = operation.get("servers") or item.get("servers") or self.root.get("servers")
        responses = self._mapping(operation.get("responses") or {}, place / "responses")
        return ApiOperation(
            method=method.upper(),
            path=template,
            bases=_bases(servers),
            responses=tuple(
                self._response(str(status), response, place / "responses" / status)
                for status, response in responses.items()
                if not str(status).startswith("x-")
            ),
        )

    def _response(self, status: str, response: Any, place: _Place) -> ApiResponse:
        if not re.fullmatch(r"[1-5]\d\d|[1-5][Xx][Xx]|default", status):
            raise ContractError(
                f"`{status}` is no status code",
                where=self.where(place),
                hint="write a code, a range such as 4XX, or default",
            )
        response, place = self._resolved(response, place)
        content = self._mapping(self._mapping(response, place).get("content") or {}, place / "content")
        schemas: dict[str, str | None] = {}
        for media, described in content.items():
            at = place / "content" / media
            described, at = self._resolved(described if described is not None else {}, at)
            described = self._mapping(described, at)
            schemas[media.split(";")[0].strip().lower()] = (
                self._name(described["schema"], at / "schema") if "schema" in described else None
            )
        return ApiResponse(status=status, schemas=schemas)

    def _mapping(self, value: Any, place: _Place) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        raise ContractError(f"an object was expected, not {kind_of(value)}", where=self.where(place))

    # -- references -----------------------------------------------------------------------------------------------

    def _resolved(self, value: Any, place: _Place) -> tuple[Any, _Place]:
        """`value`, or what its chain of `$ref`s ends at."""
        seen: set[_Place] = set()
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            if place in seen:
                raise ContractError(f"`$ref` `{value['$ref']}` leads back to itself", where=self.where(place))
            seen.add(place)
            value, place = self._target(value["$ref"], place)
        return value, place

    def _target(self, reference: str, place: _Place) -> tuple[Any, _Place]:
        """What `reference`, written at `place`, points at. Raises ContractError where that is nothing."""
        address, _, fragment = reference.partition("#")
        file = place.file if not address else (place.file.parent / unquote(address)).resolve()
        if address and file != self.path and not file.is_file():
            raise ContractError(f"`$ref` `{reference}` points at a missing file", where=self.where(place))
        value = self._file(file, self._shown(file))
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchored(fragment, file, reference, place)
        target = _Place(file)
        for token in [part.replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:]]:
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
                value = value[int(token)]
            else:
                raise ContractError(
                    f"`$ref` `{reference}` points at nothing", where=self.where(place), hint=self._near(value, token)
                )
            target = target / token
        return value, target

    def _near(self, value: Any, token: str) -> str:
        close = difflib.get_close_matches(token, list(value), 1) if isinstance(value, dict) else []
        return f"did you mean `{close[0]}`?" if close else ""

    def _anchored(self, anchor: str, file: Path, reference: str, place: _Place) -> tuple[Any, _Place]:
        if file not in self.anchors:
            self.anchors[file] = dict(_anchors(self.files[file], _Place(file)))
        target = self.anchors[file].get(anchor)
        if target is None:
            raise ContractError(f"`$ref` `{reference}` points at nothing", where=self.where(place))
        return self._target(f"{target.pointer}", _Place(file, place.tokens))

    def _name(self, schema: Any, place: _Place) -> str:
        """The name of `schema` in the flat document; asked for twice, it is rewritten once."""
        if place in self.names:
            return self.names[place]
        tokens = place.tokens[2:] if place.tokens[:2] == ("components", "schemas") else place.tokens
        wanted = re.sub(r"[^A-Za-z0-9_.-]", "_", ".".join(tokens)) or "schema"
        name, count = wanted, 1
        while name in self.definitions:
            count += 1
            name = f"{wanted}-{count}"
        self.names[place] = name
        self.definitions[name] = True  # the name is taken until its turn comes
        self.pending.append((name, schema, place))
        return name

    # -- rewriting ------------------------------------------------------------------------------------------------

    def rewrite_all(self) -> None:
        while self.pending:
            name, schema, place = self.pending.pop()
            self.edges[name] = []
            holder: dict[str, Any] = {}
            holder["schema"] = self._rewritten(schema, place, name, holder, "schema", frozenset())
            self.definitions[name] = holder["schema"]
            try:
                jsonschema_rs.meta.validate(holder["schema"])
            except (ValueError, RecursionError) as problem:
                reason = str(problem).split("\n", 1)[0]
                self.notes.append(f"{self.where(place)} is no valid schema ({reason}): it accepts everything here")
                self.definitions[name], self.edges[name] = True, []
        self._break_loops()

    def _rewritten(
        self,
        node: Any,
        place: _Place,
        name: str,
        owner: dict[str, Any],
        keyword: str,
        hidden: frozenset[str],
        depth: int = 0,
    ) -> Any:
        """`node` as JSON Schema 2020-12. `owner`/`keyword` tell where it goes; the keyword is "" below a value of its
        own (a property, an item), where a reference cannot loop. `hidden` are names no answer has to carry."""
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            raise ContractError(f"a schema must be an object, not {kind_of(node)}", where=self.where(place))
        if depth > DEEPEST:
            raise ContractError("the schema is nested too deeply", where=self.where(place))
        old = self.version.startswith("3.0")
        out: dict[str, Any] = {}
        reference = node.get("$ref", node.get("$dynamicRef"))
        if isinstance(reference, str):
            self._refer(reference, place, name, out, owner, keyword)
            if old or len(node) == 1:  # in 3.0 what stands beside a `$ref` counts for nothing
                return _nullable(out) if node.get("nullable") is True else out

        hidden = hidden | self._write_only(node, place)

        def inner(value: Any, key: str, at: _Place, where: str, hide: frozenset[str] = frozenset()) -> Any:
            return self._rewritten(value, at, name, out, where and key, hide, depth + 1)

        for key, value in node.items():
            at = place / key
            if key == "properties":
                out[key] = {
                    field: inner(schema, "", at / field, "") for field, schema in self._mapping(value, at).items()
                }
            elif key == "patternProperties":
                patterns = self._mapping(value, at)
                out[key] = {
                    text: inner(one, "", at / text, "") for text, one in patterns.items() if self._pattern(text, at)
                }
            elif key == "dependentSchemas":
                out[key] = {field: inner(one, key, at / field, key) for field, one in self._mapping(value, at).items()}
            elif key in ("allOf", "anyOf", "oneOf") and isinstance(value, list):
                out[key] = [inner(one, key, at / index, key, hidden) for index, one in enumerate(value)]
            elif key == "prefixItems" and isinstance(value, list):
                out[key] = [inner(one, "", at / index, "") for index, one in enumerate(value)]
            elif key in ("not", "if", "then", "else"):
                out[key] = inner(value, key, at, key, hidden)
            elif key in _BELOW:
                out[key] = inner(value, "", at, "")
            elif key == "pattern":
                if isinstance(value, str) and self._pattern(value, at):
                    out[key] = value
            elif key == "required":
                if isinstance(value, list):  # `required: true` on a field is a slip from older drafts
                    out[key] = [field for field in value if isinstance(field, str) and field not in hidden]
            elif key in _COPIED:
                out[key] = value
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(out.get(exclusive), bool) and out.pop(exclusive) and bound in out:
                out[exclusive] = out.pop(bound)
        if isinstance(node.get("discriminator"), dict):
            self._choose(node, node["discriminator"], out, place, name)
        return _nullable(out) if node.get("nullable") is True else out

    def _refer(
        self, reference: str, place: _Place, name: str, out: dict[str, Any], owner: dict[str, Any], keyword: str
    ) -> None:
        if re.match(r"[a-z]+://", reference):
            self.notes.append(
                f"{self.where(place)} refers to `{reference}`, which is not fetched: it accepts everything here"
            )
            return
        target = self._name(*self._target(reference, place))
        out["$ref"] = f"#/$defs/{target}"
        if keyword:
            self.edges[name].append(_Edge(target, out, owner, keyword))

    def _write_only(self, node: Mapping[str, Any], place: _Place) -> frozenset[str]:
        """Names of write-only properties of `node` and of its `allOf` parts."""
        found: set[str] = set()
        nodes: list[tuple[Any, _Place, int]] = [(node, place, 0)]
        while nodes:
            one, at, depth = nodes.pop()
            if not isinstance(one, dict):
                continue
            properties = one.get("properties")
            for field, schema in properties.items() if isinstance(properties, dict) else ():
                if not isinstance(schema, dict):
                    continue
                if "$ref" in schema and not schema.get("writeOnly"):
                    schema = self._peek(schema, at)
                if isinstance(schema, dict) and schema.get("writeOnly") is True:
                    found.add(field)
            parts = one.get("allOf")
            if isinstance(parts, list) and depth < 4:
                nodes.extend((self._peek(part, at), at, depth + 1) for part in parts)
        return frozenset(found)

    def _peek(self, schema: Any, place: _Place) -> Any:
        """What a local `$ref` points at; the schema itself where that is not easily said."""
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        return self._target(reference, place)[0]

    def _pattern(self, pattern: str, place: _Place) -> bool:
        if pattern not in self.patterns:
            try:
                jsonschema_rs.Draft202012Validator({"pattern": pattern})
                self.patterns[pattern] = True
            except ValueError:
                self.patterns[pattern] = False
        if not self.patterns[pattern]:
            self.notes.append(f"{self.where(place)}: `{pattern}` is no regular expression: it is not checked")
        return self.patterns[pattern]

    def _choose(
        self, node: Mapping[str, Any], discriminator: Mapping[str, Any], out: dict[str, Any], place: _Place, name: str
    ) -> None:
        """oneOf/anyOf with a discriminator: the named property decides which schema counts, the rest stays a oneOf."""
        field = discriminator.get("propertyName")
        keyword = "oneOf" if "oneOf" in out else "anyOf"
        branches = node.get(keyword)
        if not isinstance(field, str) or not isinstance(branches, list):
            return
        if not all(isinstance(branch, dict) and isinstance(branch.get("$ref"), str) for branch in branches):
            return
        references = {branch["$ref"].rsplit("/", 1)[-1]: branch["$ref"] for branch in branches}
        mapping = discriminator.get("mapping")
        for value, target in mapping.items() if isinstance(mapping, dict) else ():
            if isinstance(target, str):
                references[str(value)] = target if "/" in target or "#" in target else references.get(target, target)
        choices: list[Any] = []
        for value, reference in references.items():
            if not ("#" in reference or "/" in reference or "." in reference):
                continue
            then: dict[str, Any] = {}
            choice = {"if": {"properties": {field: {"const": value}}}, "then": then}
            self._refer(reference, place / "discriminator", name, then, choice, "then")
            choices.append(choice)
        known = {"required": [field], "properties": {field: {"enum": list(references)}}}
        otherwise = {keyword: out.pop(keyword)}
        rest = {"type": "object", "if": known, "then": {"allOf": choices}, "else": otherwise}
        for edge in [edge for edge in self.edges[name] if edge.owner is out and edge.keyword == keyword]:
            self.edges[name].remove(edge)
            self.edges[name].append(_Edge(edge.target, edge.reference, otherwise, keyword))
        out.setdefault("allOf", []).append(rest)

    def _break_loops(self) -> None:
        """A schema that refers to itself for the same value (a child `allOf` its parent, the parent `oneOf` its
        children) means nothing validators agree on: one reference of each such loop goes, the child's if possible."""
        while loop := _loop(self.edges):
            edge = min(loop, key=lambda one: _LOOSE.index(one.keyword) if one.keyword in _LOOSE else len(_LOOSE))
            if edge.keyword in _LOOSE:
                edge.reference.pop("$ref", None)
            else:
                edge.owner.pop(edge.keyword, None)
            for edges in self.edges.values():
                if edge in edges:
                    edges.remove(edge)
                if edge.keyword not in _LOOSE:
                    edges[:] = [one for one in edges if not (one.owner is edge.owner and one.keyword == edge.keyword)]


# Where a reference can be dropped on its own; elsewhere (a branch of oneOf, `not`) the whole keyword has to go.
_LOOSE = ("allOf", "schema", "then", "else")
_BELOW = ("items", "additionalProperties", "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties")
_COPIED = frozenset(
    [
        "type",
        "enum",
        "const",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "format",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minContains",
        "maxContains",
        "minProperties",
        "maxProperties",
        "dependentRequired",
    ]
)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` or null. Authors write `nullable` beside an enum or a `$ref` and mean it, so it counts there too."""
    if not schema:
        return schema
    if isinstance(schema.get("type"), str) and not schema.keys() & {
        "enum",
        "const",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
    }:
        schema["type"] = list(dict.fromkeys((schema["type"], "null")))
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _loop(edges: Mapping[str, list[_Edge]]) -> list[_Edge]:
    """The edges of one loop, or nothing. Depth first with a stack of its own: chains of schemas may be long."""
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        trail: list[_Edge] = []
        on_trail = {start: 0}
        stack = [(start, iter(tuple(edges[start])))]
        while stack:
            name, rest = stack[-1]
            edge = next(rest, None)
            if edge is None:
                stack.pop()
                done.add(name)
                del on_trail[name]
                if trail:
                    trail.pop()
            elif edge.target in on_trail:
                return [*trail[on_trail[edge.target] :], edge]
            elif edge.target not in done and edge.target in edges:
                trail.append(edge)
                on_trail[edge.target] = len(trail)
                stack.append((edge.target, iter(tuple(edges[edge.target]))))
    return []


def _bases(servers: Any) -> tuple[str, ...]:
    """The path part of each server's URL, its variables at their defaults."""
    bases: list[str] = []
    for server in servers if isinstance(servers, list) else ():
        if not isinstance(server, dict) or not isinstance(server.get("url"), str):
            continue
        variables = server.get("variables")
        url = server["url"]
        for variable, described in variables.items() if isinstance(variables, dict) else ():
            if isinstance(described, dict):
                url = url.replace("{" + variable + "}", str(described.get("default", "")))
        try:
            base = "/" + urlsplit(url).path.strip("/")
        except ValueError:
            continue
        bases.append("" if base == "/" else base)
    return tuple(dict.fromkeys(bases)) or ("",)


def _anchors(value: Any, place: _Place) -> Iterator[tuple[str, _Place]]:
    """Every `$anchor` and `$dynamicAnchor` of a document with its place."""
    waiting = [(value, place)]
    while waiting:
        one, at = waiting.pop()
        if isinstance(one, dict):
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(one.get(key), str):
                    yield one[key], at
            waiting.extend((item, at / key) for key, item in one.items())
        elif isinstance(one, list):
            waiting.extend((item, at / index) for index, item in enumerate(one))
