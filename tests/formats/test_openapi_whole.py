"""Whole documents for comparison: over several files, with places that are found later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfade.errors import EXIT_USAGE, ContractError
from crossfade.formats.documents import ParsedDocument
from crossfade.formats.kinds import kind_of_document, kind_of_text
from crossfade.formats.openapi_whole import OpenApiFiles
from crossfade.formats.positions import positions
from crossfade.model.compat import Place

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def places_of(value: Any, place: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(place, value), *(one for key, item in inner for one in places_of(item, (*place, str(key))))]


@given(VALUES, st.sampled_from([None, 1, 3]))
def test_every_place_of_a_json_text_is_found(value: Any, indent: int | None) -> None:
    """Read on from there: the key (or, in a list, the value) stands at the position."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    every = places_of(value)
    found = positions(ParsedDocument(value, text), [place for place, _ in every])
    for place, inner in every:
        line, column = found[place]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        decoded, end = json.JSONDecoder(strict=False).raw_decode(rest)
        if place and isinstance(parent(value, place), dict):
            assert decoded == place[-1]
            decoded, _ = json.JSONDecoder(strict=False).raw_decode(rest[end:].lstrip(": "))
        assert decoded == inner


def parent(value: Any, place: tuple[str, ...]) -> Any:
    for token in place[:-1]:
        value = value[token] if isinstance(value, dict) else value[int(token)]
    return value


def files(tmp_path: Path, **texts: str) -> OpenApiFiles:
    for name, text in texts.items():
        path = tmp_path / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return OpenApiFiles(tmp_path / "api.yaml", "docs/api.yaml")


API = """\
openapi: 3.1.0
paths:
  /orders: { $ref: "paths/orders.yaml" }
components:
  schemas:
    Order: { $ref: "schemas/order.yaml#/Order" }
    Plain: { type: integer }
"""
ORDERS = """\
get:
  responses:
    "200": { content: { application/json: { schema: { $ref: "../api.yaml#/components/schemas/Order" } } } }
"""
ORDER = """\
Order:
  type: object
  properties:
    plain: { $ref: "../api.yaml#/components/schemas/Plain" }
    self: { $ref: "#/Order" }
"""


def test_other_files_stand_inside_and_keep_their_places(tmp_path: Path) -> None:
    found = files(tmp_path, api_yaml=API, paths__orders_yaml=ORDERS, schemas__order_yaml=ORDER)
    root = found.document.root
    inside = root["x-crossfade-files"]
    assert list(inside) == ["paths/orders.yaml", "schemas/order.yaml"]
    assert root["paths"]["/orders"]["$ref"] == "#/x-crossfade-files/paths~1orders.yaml"
    schema = inside["paths/orders.yaml"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Order"}
    properties = inside["schemas/order.yaml"]["Order"]["properties"]
    assert properties["plain"] == {"$ref": "#/components/schemas/Plain"}
    assert properties["self"] == {"$ref": "#/x-crossfade-files/schemas~1order.yaml/Order"}
    pointer = "/x-crossfade-files/schemas~1order.yaml/Order/properties/self"
    assert found.locate([pointer]) == {pointer: Place("docs/schemas/order.yaml", 5, 5, "/Order/properties/self")}


def test_a_document_of_one_file_is_left_as_it_is(tmp_path: Path) -> None:
    text = 'openapi: 3.0.0\npaths: {}\ncomponents: { schemas: { A: { $ref: "#/components/schemas/B" }, B: {} } }\n'
    found = files(tmp_path, api_yaml=text)
    assert found.document.root["components"]["schemas"]["A"] == {"$ref": "#/components/schemas/B"}
    assert found.document.notes == ()
    assert found.document.old


def test_anchors_and_percent_signs_are_pointers_afterwards(tmp_path: Path) -> None:
    text = """\
openapi: 3.1.0
paths: {}
components:
  schemas:
    "A B": { $anchor: ab }
    One: { $ref: "#ab" }
    Two: { $ref: "#/components/schemas/A%20B" }
"""
    schemas = files(tmp_path, api_yaml=text).document.root["components"]["schemas"]
    assert schemas["One"] == schemas["Two"] == {"$ref": "#/components/schemas/A B"}


def test_what_is_not_fetched_is_told(tmp_path: Path) -> None:
    text = 'openapi: 3.1.0\npaths: {}\ncomponents: { schemas: { A: { $ref: "https://example.com/a.json" } } }\n'
    document = files(tmp_path, api_yaml=text).document
    assert document.root["components"]["schemas"]["A"] == {}
    assert document.notes == (
        "docs/api.yaml:3:31: `https://example.com/a.json` is not fetched: it accepts everything here",
    )


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("#/components/schemas/Ordr", "points at nothing"),
        ("gone.yaml#/Order", "points at a missing file"),
        ("#nowhere", "points at nothing"),
    ],
)
def test_a_reference_to_nothing_is_an_error_with_its_place(tmp_path: Path, reference: str, message: str) -> None:
    text = f'openapi: 3.1.0\npaths: {{}}\ncomponents:\n  schemas:\n    Order: {{}}\n    A: {{ $ref: "{reference}" }}\n'
    with pytest.raises(ContractError) as caught:
        files(tmp_path, api_yaml=text)
    assert message in caught.value.message
    assert caught.value.where == "docs/api.yaml:6:10"
    assert caught.value.exit_code == EXIT_USAGE


def test_an_example_that_looks_like_a_reference_is_left_alone(tmp_path: Path) -> None:
    text = """\
openapi: 3.1.0
paths: {}
components:
  schemas:
    A: { example: { $ref: "#/gone" }, properties: { example: { $ref: "#/components/schemas/B" } } }
    B: {}
"""
    schemas = files(tmp_path, api_yaml=text).document.root["components"]["schemas"]
    assert schemas["A"]["example"] == {"$ref": "#/gone"}


def test_merge_keys_have_their_places(tmp_path: Path) -> None:
    text = (
        "openapi: 3.1.0\npaths: {}\nx-base: &base\n  type: integer\ncomponents:\n  schemas:\n    A:\n      <<: *base\n"
    )
    found = files(tmp_path, api_yaml=text)
    place = found.locate(["/components/schemas/A/type"])["/components/schemas/A/type"]
    assert (place.line, place.column) == (4, 3)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("openapi: 3.1.0\n", "openapi"),
        ("# a comment\nopenapi: '3.0.0'\n", "openapi"),
        ('{"info": {}, "swagger": "2.0"}', "openapi"),
        ("asyncapi: 3.0.0\nchannels: {}\n", "asyncapi"),
        ('{"type": "enum", "name": "E", "symbols": ["A"]}', "avro"),
        ('// file\nsyntax = "proto3";\n', "protobuf"),
        ("type Order { id: ID! }", "graphql"),
        ("services: {}\nramp: []\n", "contract"),
        ('{"$schema": "https://json-schema.org/draft/2020-12/schema"}', "json-schema"),
        ("type: object\nproperties: {}\n", "json-schema"),
        ('{"data": {"__schema": {}}}', "graphql"),
        ("just text", ""),
    ],
)
def test_a_document_is_known_by_what_it_holds(text: str, kind: str) -> None:
    assert kind_of_text(text) == kind


def test_a_folder_is_of_the_kind_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.proto").touch()
    assert kind_of_document(tmp_path) == "protobuf"
