"""Two documents in both directions: properties that hold for any pair, and what one rule after the other says."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.compat_openapi import Options, compare
from crossfade.model.compat import Break, Crossing, Severity
from crossfade.model.openapi import OpenApiDocument
from crossfade.model.ramp import Side

NAMES = st.sampled_from(["A", "B", "C"])
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "integer", "minimum": 0, "maximum": 9},
        {"type": "string", "maxLength": 3},
        {"enum": ["x", "y"]},
        {"enum": ["x", "y", "z"]},
        {"type": ["string", "null"]},
        {"type": "string", "readOnly": True},
        {"type": "string", "writeOnly": True},
        {},
    ]
)
PARTS = LEAVES | NAMES.map(lambda name: {"$ref": f"#/components/schemas/{name}"})


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    properties = draw(st.dictionaries(st.sampled_from(["id", "price", "note"]), PARTS, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(properties) or ["id"]), unique=True, max_size=2))
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    # what refers to itself and is required has no value at all
    required = [name for name in required if "$ref" not in properties.get(name, {})]
    return {**schema, **({"required": required} if required else {}), **draw(st.sampled_from([{}, CLOSED]))}


CLOSED = {"additionalProperties": False}


@st.composite
def documents(draw: st.DrawFn) -> OpenApiDocument:
    schemas = {name: draw(objects()) for name in "ABC"}
    content = {"application/json": {"schema": draw(PARTS)}}
    parameters = draw(st.lists(st.sampled_from(PARAMETERS), unique_by=lambda one: one["name"], max_size=2))
    operation = {
        "parameters": parameters,
        "requestBody": {"required": draw(st.booleans()), "content": content},
        "responses": draw(
            st.dictionaries(
                st.sampled_from(["200", "201", "4XX", "default"]),
                PARTS.map(lambda schema: {"content": {"application/json": {"schema": schema}}}),
                min_size=1,
                max_size=3,
            )
        ),
        **draw(st.sampled_from([{}, {"security": [{"key": []}]}, {"security": [{"key": []}, {}]}])),
    }
    return document({"/things/{id}": {"post": operation}}, schemas)


PARAMETERS: list[dict[str, Any]] = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 20}},
    {"name": "limit", "in": "query", "required": True, "schema": {"type": "integer", "maximum": 10}},
    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
    {"name": "ids", "in": "query", "explode": False, "schema": {"type": "array", "items": {"type": "integer"}}},
]


def document(paths: dict[str, Any], schemas: dict[str, Any] | None = None, shown: str = "api.yaml") -> OpenApiDocument:
    key = {"type": "apiKey", "in": "header", "name": "X-Key"}
    components = {"schemas": schemas or {}, "securitySchemes": {"key": key}}
    root = {"openapi": "3.1.0", "paths": paths, "components": components}
    return OpenApiDocument(shown, "3.1.0", json.loads(json.dumps(root)))  # no two places are one object


def found(stable: OpenApiDocument, canary: OpenApiDocument, strict: bool = False) -> tuple[Break, ...]:
    return compare(stable, canary, Options(strict=strict)).breaks


@settings(max_examples=60, deadline=None)
@given(documents(), st.booleans())
def test_a_document_and_itself_have_no_break(one: OpenApiDocument, strict: bool) -> None:
    assert found(one, one, strict) == ()
    assert found(one, OpenApiDocument("b.yaml", one.version, copy.deepcopy(one.root)), strict) == ()


@settings(max_examples=40, deadline=None)
@given(documents(), documents())
def test_the_other_way_round_is_the_mirror_image(one: OpenApiDocument, two: OpenApiDocument) -> None:
    """Nothing depends on which document is the newer one, but the rules that are about coming and going."""

    def told(breaks: tuple[Break, ...], swapped: bool) -> set[tuple[str, ...]]:
        other = {"stable": "canary", "canary": "stable"}
        return {
            (one.rule, other[one.writer] if swapped else one.writer, one.path, one.witness or "")
            for one in breaks
            if not one.rule.startswith(("request-parameter-ignored", "request-parameter-added"))
        }

    assert told(found(one, two), False) == told(found(two, one), True)


@settings(max_examples=40, deadline=None)
@given(documents(), documents())
def test_the_answer_does_not_depend_on_the_order_of_keys(one: OpenApiDocument, two: OpenApiDocument) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    other = OpenApiDocument(two.shown, two.version, turned(two.root))
    assert {each.id for each in found(one, two)} == {each.id for each in found(one, other)}
    assert [each.id for each in found(one, two)] == [each.id for each in found(one, two)]


@settings(max_examples=40, deadline=None)
@given(documents(), documents())
def test_one_direction_alone_finds_its_half(one: OpenApiDocument, two: OpenApiDocument) -> None:
    halves = [compare(one, two, Options(consumers=(side,))).breaks for side in (Side.STABLE, Side.CANARY)]
    both = found(one, two)
    assert {each.id for each in both} == {each.id for half in halves for each in half}
    assert len(both) == sum(map(len, halves))


@given(documents())
def test_an_optional_parameter_that_is_new_breaks_nothing(one: OpenApiDocument) -> None:
    root = copy.deepcopy(one.root)
    root["paths"]["/things/{id}"]["post"]["parameters"].append(
        {"name": "new", "in": "query", "schema": {"type": "integer"}}
    )
    (told,) = found(one, OpenApiDocument("b.yaml", one.version, root))
    assert (told.rule, told.severity, told.writer) == ("request-parameter-added", Severity.INFO, "canary")


# -- one after the other ----------------------------------------------------------------------------------------------


def operation(**parts: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": "ok"}}, **parts}


def rules(stable: dict[str, Any], canary: dict[str, Any], **options: Any) -> list[tuple[str, str, str]]:
    """(rule, writer, severity) of two versions of `POST /things`."""
    pair = (document({"/things": {"post": each}}) for each in (stable, canary))
    return [(one.rule, one.writer, one.severity.value) for one in compare(*pair, Options(**options)).breaks]


def test_an_alternative_way_to_come_in_is_no_break_a_lost_one_is() -> None:
    both = operation(security=[{"key": []}, {}])
    key = operation(security=[{"key": []}])
    assert rules(key, both) == [("security-credentials", "canary", "error")]  # its consumers may come without a key
    assert rules(both, key) == [("security-credentials", "stable", "error")]
    assert rules(operation(), operation(security=[{}])) == []


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [
        (("200",), ("200", "202"), [("response-status", "canary", "warning")]),
        (("200", "2XX"), ("200", "202"), []),
        (("200",), ("200", "409"), [("response-status", "canary", "info")]),
        (("200", "default"), ("200", "default", "409"), []),
        (("200", "4XX"), ("200", "409"), []),
        (("200",), ("default",), []),
    ],
)
def test_statuses(stable: tuple[str, ...], canary: tuple[str, ...], expected: list[tuple[str, str, str]]) -> None:
    one, two = (operation(responses={status: {"description": ""} for status in each}) for each in (stable, canary))
    assert rules(one, two) == expected


def test_media_types_match_by_range_and_without_their_parameters() -> None:
    def sent(media: str) -> dict[str, Any]:
        return operation(requestBody={"content": {media: {"schema": {"type": "object"}}}})

    assert rules(sent("application/json; charset=utf-8"), sent("Application/JSON")) == []
    assert [rule for rule, _, _ in rules(sent("application/json"), sent("application/*"))] == []
    assert [rule for rule, _, _ in rules(sent("application/json"), sent("text/csv"))] == ["request-media-type"] * 2


def test_a_required_header_of_an_answer() -> None:
    def answered(header: dict[str, Any] | None) -> dict[str, Any]:
        headers = {} if header is None else {"ETag": header}
        return operation(responses={"200": {"description": "", "headers": headers}})

    needed = answered({"required": True, "schema": {"type": "string"}})
    assert rules(needed, answered(None)) == [("response-header-missing", "canary", "error")]
    assert rules(answered(None), answered({"schema": {"type": "string"}})) == []


@pytest.mark.parametrize(
    ("sunset", "severity"), [("2026-01-31", "warning"), ("2027-01-31", "error"), ("", "error"), ("some day", "error")]
)
def test_an_operation_may_go_after_its_sunset(sunset: str, severity: str) -> None:
    gone = operation(deprecated=True, **({"x-sunset": sunset} if sunset else {}))
    kept = {"/kept": {"get": operation()}}
    stable = document({**kept, "/old": {"get": gone}})
    (told,) = compare(stable, document(kept), Options(today="2026-11-28")).breaks
    assert (told.rule, told.severity.value) == ("operation-removed", severity)


def test_what_a_webhook_sends_must_be_readable() -> None:
    def hooked(schema: dict[str, Any]) -> OpenApiDocument:
        content = {"application/json": {"schema": schema}}
        root = {"openapi": "3.1.0", "webhooks": {"paid": {"post": {"requestBody": {"content": content}}}}}
        return OpenApiDocument("api.yaml", "3.1.0", root)

    wide, narrow = {"type": ["integer", "null"]}, {"type": "integer"}
    (told,) = found(hooked(narrow), hooked(wide))
    assert (told.rule, told.crossing, told.writer, told.operations) == (
        "response-null", Crossing.MESSAGE, "canary", ("webhook paid",),
    )  # fmt: skip


def test_a_component_reached_by_many_is_one_break_with_all_its_operations() -> None:
    def api(kind: str) -> OpenApiDocument:
        body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Deep"}}}}
        paths = {f"/p{n}": {"get": {"responses": {"200": body}}} for n in range(30)}
        deep = {"type": "object", "properties": {"item": {"$ref": "#/components/schemas/Item"}}}
        item = {"type": "object", "properties": {"id": {"type": kind}, "up": {"$ref": "#/components/schemas/Deep"}}}
        return document(paths, {"Deep": deep, "Item": item})

    breaks = found(api("integer"), api("boolean"))
    assert [(one.rule, one.writer, one.path, len(one.operations)) for one in breaks] == [
        ("response-type", "canary", "body.item.id", 30),
        ("response-type", "stable", "body.item.id", 30),
    ]
    assert breaks[0].operations[:2] == ("GET /p0", "GET /p1")


def test_a_tolerant_reader_of_variants_does_not_mind_a_new_field_a_strict_one_does() -> None:
    def api(**more: Any) -> OpenApiDocument:
        card = {"type": "object", "required": ["card"], "properties": {"card": {"type": "string"}, **more}, **CLOSED}
        cash = {"type": "object", "required": ["cash"], "properties": {"cash": {"type": "integer"}}, **CLOSED}
        either = {"oneOf": [{"$ref": "#/components/schemas/Card"}, {"$ref": "#/components/schemas/Cash"}]}
        body = {"content": {"application/json": {"schema": either}}}
        return document({"/pay": {"get": {"responses": {"200": body}}}}, {"Card": card, "Cash": cash})

    assert found(api(), api(bank={"type": "string"})) == ()
    assert [one.writer for one in found(api(), api(bank={"type": "string"}), strict=True)] == ["canary"]


def test_read_only_fields_are_no_part_of_requests_even_where_a_parent_demands_them() -> None:
    def api(required: list[str]) -> OpenApiDocument:
        base = {"type": "object", "properties": {"id": {"type": "integer", "readOnly": True}}}
        whole = {"allOf": [{"$ref": "#/components/schemas/Base"}], "required": required}
        body = {"required": True, "content": {"application/json": {"schema": whole}}}
        return document({"/things": {"post": operation(requestBody=body)}}, {"Base": base})

    assert found(api([]), api(["id"])) == ()
