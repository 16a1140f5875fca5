"""OpenAPI documents: what is read, how schemas are rewritten, and what is said about broken ones."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.errors import ContractError
from crossfade.formats.openapi import read_openapi
from crossfade.model.api import ApiDescription, match


def described(folder: Path, text: str | dict[str, Any], name: str = "api.yaml") -> ApiDescription:
    (folder / name).write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return read_openapi(folder / name, name)


def answering(schema: Any, version: str = "3.0.3", **schemas: Any) -> dict[str, Any]:
    """A document whose only operation answers `schema`."""
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"get": {"responses": {200: {"content": {"application/json": {"schema": schema}}}}}}},
        "components": {"schemas": schemas},
    }


def accepts(description: ApiDescription, value: Any) -> bool:
    operation = match(description, "GET", "/a")
    assert operation is not None
    response = operation.response(200)
    assert response is not None
    name = response.schemas["application/json"]
    root = {**description.document, "$ref": f"#/$defs/{name}"}
    return jsonschema_rs.Draft202012Validator(root).is_valid(value)


def refusal(folder: Path, text: str | dict[str, Any], name: str = "api.yaml") -> str:
    with pytest.raises(ContractError) as caught:
        described(folder, text, name)
    return str(caught.value)


def test_operations_responses_and_media_types_are_read_from_yaml(tmp_path: Path) -> None:
    api = described(
        tmp_path,
        """
openapi: 3.0.3
servers: [{url: "https://{host}.example.com/{base}", variables: {host: {default: a}, base: {default: v1}}}]
paths:
  /orders/{id}:
    get:
      responses:
        200: {content: {application/json; charset=utf-8: {schema: {type: object}}}}
        4XX: {$ref: '#/components/responses/Problem'}
        default: {description: nothing}
components:
  responses:
    Problem: {content: {application/problem+json: {schema: {type: object, required: [title]}}}}
""",
    )
    operation = match(api, "GET", "/v1/orders/7?full=1")
    assert operation is not None
    assert str(operation) == "GET /orders/{id}"
    assert [response.status for response in operation.responses] == ["200", "4XX", "default"]
    statuses = [found.status if (found := operation.response(code)) else None for code in (200, 404, 500)]
    assert statuses == ["200", "4XX", "default"]
    assert list(operation.responses[0].schemas) == ["application/json"]
    assert list(operation.responses[1].schemas) == ["application/problem+json"]
    assert operation.responses[2].schemas == {}


def test_literal_segments_win_over_templates_and_mixed_ones_stand_between(tmp_path: Path) -> None:
    paths = {path: {"get": {"responses": {}}} for path in ("/a/{id}", "/a/{name}.json", "/a/new", "/{any}/new")}
    api = described(tmp_path, {"openapi": "3.1.0", "paths": paths})
    found = {
        path: str(match(api, "GET", path)) for path in ("/a/7", "/a/x.json", "/a/new", "/b/new", "/a/7/8", "/a/7/")
    }
    assert found == {
        "/a/7": "GET /a/{id}",
        "/a/x.json": "GET /a/{name}.json",
        "/a/new": "GET /a/new",
        "/b/new": "GET /{any}/new",
        "/a/7/8": "None",
        "/a/7/": "GET /a/{id}",
    }


@pytest.mark.parametrize(
    ("schema", "fits", "fits_not"),
    [
        ({"type": "string", "nullable": True}, ["x", None], [1]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, ["a", None], ["b"]),
        ({"nullable": True, "allOf": [{"$ref": "#/components/schemas/Id"}]}, [1, None], ["x"]),
        ({"$ref": "#/components/schemas/Id", "nullable": True}, [1, None], ["x"]),
        ({"$ref": "#/components/schemas/Id", "type": "string"}, [1], ["x"]),  # 3.0: siblings count for nothing
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": False}, [1], [2]),
        (
            {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
            [{"id": 1}],
            [{}, {"id": "1"}],
        ),
        (
            {"type": "object", "properties": {"example": {"type": "integer"}}, "example": 7},
            [{"example": 1}],
            [{"example": "1"}],
        ),
    ],
)
def test_schemas_of_3_0_mean_in_2020_12_what_they_meant(
    tmp_path: Path, schema: dict[str, Any], fits: list[Any], fits_not: list[Any]
) -> None:
    api = described(tmp_path, answering(schema, Id={"type": "integer"}))
    assert [accepts(api, value) for value in fits] == [True] * len(fits)
    assert [accepts(api, value) for value in fits_not] == [False] * len(fits_not)


def test_3_1_keeps_what_stands_beside_a_reference(tmp_path: Path) -> None:
    schema = {"$ref": "#/components/schemas/Id", "minimum": 5}
    api = described(tmp_path, answering(schema, "3.1.0", Id={"type": ["integer", "null"]}))
    assert [accepts(api, value) for value in (5, None, 4)] == [True, True, False]


def test_write_only_fields_are_not_required_in_answers(tmp_path: Path) -> None:
    secret = {"type": "string", "writeOnly": True}
    user = {
        "type": "object",
        "required": ["name", "password", "pin"],
        "properties": {"name": {"type": "string"}, "password": {"$ref": "#/components/schemas/Secret"}, "pin": secret},
    }
    child = {"allOf": [{"properties": {"key": secret}}, {"required": ["key", "name"]}]}
    api = described(tmp_path, answering({"anyOf": [{"$ref": "#/components/schemas/User"}]}, User=user, Secret=secret))
    assert [accepts(api, value) for value in ({"name": "x"}, {"pin": "1"})] == [True, False]
    api = described(tmp_path, answering(child))
    assert [accepts(api, value) for value in ({"name": "x"}, {"key": "1"})] == [True, False]


def test_a_discriminator_decides_which_schema_counts(tmp_path: Path) -> None:
    schema = {
        "oneOf": [{"$ref": "#/components/schemas/Card"}, {"$ref": "#/components/schemas/Cash"}],
        "discriminator": {"propertyName": "kind", "mapping": {"card": "#/components/schemas/Card", "note": "Cash"}},
    }
    card = {"type": "object", "required": ["number"]}
    api = described(tmp_path, answering(schema, Card=card, Cash={"type": "object"}))
    # without the discriminator a card with a number would fit both, and a card without one would fit Cash
    values = [{"kind": "card", "number": 1}, {"kind": "card"}, {"kind": "note"}, {"kind": "Cash"}, {"kind": 1}, 7]
    assert [accepts(api, value) for value in values] == [True, False, True, True, True, False]


def test_schemas_that_contain_themselves_are_read(tmp_path: Path) -> None:
    tree = {"type": "object", "required": ["children"], "properties": {"children": {"type": "array"}}}
    tree["properties"]["children"]["items"] = {"$ref": "#/components/schemas/Tree"}  # type: ignore[index]
    api = described(tmp_path, answering({"$ref": "#/components/schemas/Tree"}, Tree=tree))
    assert accepts(api, {"children": [{"children": []}]})
    assert not accepts(api, {"children": [{}]})


def test_a_parent_that_is_one_of_its_children_still_checks_the_child(tmp_path: Path) -> None:
    parent = {
        "type": "object",
        "required": ["kind"],
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind"},
    }
    cat = {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"required": ["meow"]}]}
    dog = {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"required": ["bark"]}]}
    for start in ("Pet", "Cat"):
        api = described(tmp_path, answering({"$ref": f"#/components/schemas/{start}"}, Pet=parent, Cat=cat, Dog=dog))
        assert accepts(api, {"kind": "Cat", "meow": 1})
        assert not accepts(api, {"kind": "Cat"})
    loop = answering(
        {"$ref": "#/components/schemas/A"}, A={"$ref": "#/components/schemas/B"}, B={"$ref": "#/components/schemas/A"}
    )
    assert accepts(described(tmp_path, loop), 1)


def test_references_reach_into_other_files_and_anchors(tmp_path: Path) -> None:
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "order.yaml").write_text(
        "Order: {type: object, required: [id], properties: {id: {$ref: '#/Id'}}}\nId: {type: integer}\n"
    )
    api = described(tmp_path, answering({"$ref": "types/order.yaml#/Order"}))
    assert [accepts(api, value) for value in ({"id": 1}, {"id": "1"})] == [True, False]
    api = described(tmp_path, answering({"$ref": "#named"}, "3.1.0", Named={"$anchor": "named", "type": "integer"}))
    assert [accepts(api, value) for value in (1, "1")] == [True, False]


def test_what_cannot_be_used_is_left_out_and_noted(tmp_path: Path) -> None:
    schema = {
        "properties": {
            "a": {"type": "string", "pattern": "("},
            "b": {"$ref": "#/components/schemas/Wrong"},
            "c": {"$ref": "https://example.com/x.json"},
            "d": {"type": "integer"},
        }
    }
    api = described(tmp_path, answering(schema, Wrong={"type": "strin"}))
    assert accepts(api, {"a": "x", "b": 1, "c": 2, "d": 3})
    assert not accepts(api, {"d": "x"})
    notes = sorted(note.split(" ", 1)[0] for note in api.notes)
    at = "api.yaml#/paths/~1a/get/responses/200/content/application~1json/schema/properties"
    assert notes == ["api.yaml#/components/schemas/Wrong", f"{at}/a/pattern:", f"{at}/c"]


def test_yaml_scalars_follow_1_2_and_keys_are_texts(tmp_path: Path) -> None:
    api = described(
        tmp_path,
        """
openapi: 3.1
paths:
  /a:
    get:
      responses:
        200:
          content:
            application/json:
              schema: &one {enum: [2024-01-01, on, 12:30, 012, 1e3, 0x10, true, null]}
        201: {content: {application/json: {schema: *one}}}
""",
    )
    fits = ["2024-01-01", "on", "12:30", 12, 1000.0, 16, True, None]
    assert [accepts(api, value) for value in fits] == [True] * len(fits)
    assert not accepts(api, False)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (
            "swagger: '2.0'\npaths: {}\n",
            "api.yaml",
            ["Swagger `2.0` is not supported", "--> api.yaml", "help: convert"],
        ),
        ("openapi: 4.0.0\n", "api.yaml", ["OpenAPI `4.0.0` is not supported"]),
        ("info: {}\n", "api.yaml", ["no OpenAPI document: it has no `openapi` field"]),
        ("- 1\n", "api.yaml", ["no OpenAPI document: it holds no object"]),
        ("", "api.yaml", ["no OpenAPI document: it holds no object"]),
        ("openapi: 3.1.0\npaths: [a\n", "api.yaml", ["the YAML is broken", "--> api.yaml:3:1"]),
        ('{"openapi": "3.1.0",\n "paths": }', "api.json", ["the JSON is broken", "--> api.json:2:"]),
        ("openapi: 3.1.0\npaths: &a {/a: *a}\n", "api.yaml", ["contains itself", "--> api.yaml:2:8"]),
        ("openapi: 3.1.0\npaths: [1]\n", "api.yaml", ["an object was expected, not a list", "--> api.yaml#/paths"]),
        ("openapi: 3.1.0\npaths: {/a: {get: {responses: {abc: {}}}}}\n", "api.yaml", ["`abc` is no status code"]),
    ],
)
def test_broken_documents_are_refused_with_their_place(tmp_path: Path, text: str, name: str, said: list[str]) -> None:
    screen = refusal(tmp_path, text, name)
    assert [part for part in said if part not in screen] == []


def test_a_dangling_reference_names_its_place_and_the_nearest_name(tmp_path: Path) -> None:
    screen = refusal(tmp_path, answering({"items": {"$ref": "#/components/schemas/Ordr"}}, Order={}))
    assert screen == (
        "error: `$ref` `#/components/schemas/Ordr` points at nothing\n"
        "  --> api.yaml#/paths/~1a/get/responses/200/content/application~1json/schema/items\n"
        "  help: did you mean `Order`?"
    )


def test_a_missing_file_and_one_that_is_not_utf_8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"there is no file `nope\.yaml`"):
        read_openapi(tmp_path / "nope.yaml", "nope.yaml")
    (tmp_path / "latin.yaml").write_bytes("openapi: 3.1.0\n# größe\n".encode("latin-1"))
    with pytest.raises(ContractError) as caught:
        read_openapi(tmp_path / "latin.yaml", "latin.yaml")
    assert caught.value.where == "latin.yaml:2"


def test_a_yaml_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    lines = ["openapi: 3.1.0", "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "once its aliases are written out" in refusal(tmp_path, "\n".join(lines))


def test_nesting_beyond_measure_is_refused(tmp_path: Path) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        schema = {"items": schema}
    assert "nested too deeply" in refusal(tmp_path, answering(schema), "deep.json")
    assert "nested too deeply" in refusal(tmp_path, "openapi: 3.1.0\na: " + "[" * 5000 + "]" * 5000)


WHOLE: dict[str, Any] = {
    "openapi": "3.0.3",
    "servers": [{"url": "/v1/{x}", "variables": {"x": {"default": "a"}}}],
    **answering(
        {"$ref": "#/components/schemas/A"},
        A={
            "allOf": [{"$ref": "#/components/schemas/B"}, {"required": ["k"], "properties": {"k": {"writeOnly": True}}}]
        },
        B={
            "oneOf": [{"$ref": "#/components/schemas/C"}, {"$ref": "#/components/schemas/D"}],
            "discriminator": {"propertyName": "kind", "mapping": {"c": "#/components/schemas/C"}},
        },
        C={"additionalProperties": {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "nullable": True}},
        D={"type": "array", "items": {"$ref": "#/components/schemas/A"}, "not": {"maxItems": 0}},
    ),
}
KEYWORDS = ["$ref", "type", "nullable", "allOf", "items", "discriminator", "exclusiveMaximum", "required", "pattern"]
JUNK: list[Any] = [None, True, 0, -1, "", "x", "#/nope", "#/components/schemas/A", "(", [], [1], {}, [[]], [{}]]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_broken_in_a_document_it_is_read_or_refused_with_its_place(tmp_path: Path, data: Any) -> None:
    document = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from([place for place in places(document) if place]))
        holder: Any = document
        for key in path:
            holder = holder[key]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            last = data.draw(st.sampled_from(KEYWORDS))
        holder[last] = copy.deepcopy(data.draw(st.sampled_from(JUNK)))
    try:
        api = described(tmp_path, document)
    except ContractError as refused:
        assert refused.where.startswith("api.yaml")
        return
    for name in api.document["$defs"]:
        jsonschema_rs.Draft202012Validator({**api.document, "$ref": f"#/$defs/{name}"}).is_valid({"kind": "c"})
