"""Two descriptions of messages, from files to breaks: both directions, places, what is shared told once, ids that do
not move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crossfade.engine.compat_openapi import Options
from crossfade.errors import ContractError
from crossfade.model.compat import Break, Crossing, Severity
from crossfade.session.compat_kinds import compare_documents


def message_breaks(old: str, new: str) -> tuple[tuple[Break, ...], tuple[str, ...], tuple[str, ...]]:
    found = compare_documents(Path(old), Path(new), Options())
    return found.breaks, found.compared, found.not_compared


def pair(folder: Path, name: str, old: Any, new: Any) -> tuple[str, str]:
    paths = []
    for side, content in (("old", old), ("new", new)):
        path = folder / side / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        paths.append(str(path))
    return paths[0], paths[1]


def told(breaks: tuple[Break, ...]) -> list[tuple[str, str, str, str]]:
    return [(one.rule, str(one.writer), str(one.reader), one.path) for one in breaks]


ORDER = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "int"}]}


def test_avro_in_both_directions(tmp_path: Path) -> None:
    fields = [{"name": "id", "type": "long"}, {"name": "note", "type": "string"}]
    old, new = pair(tmp_path, "order.avsc", ORDER, {**ORDER, "fields": fields})
    breaks, compared, missing = message_breaks(old, new)
    assert told(breaks) == [
        ("avro-type-changed", "canary", "stable", "id"),
        ("avro-field-without-default", "stable", "canary", "note"),
    ]
    assert (compared, missing) == (("Avro Order",), ())
    assert json.loads(breaks[0].witness or "") == {"id": 1, "note": "x"}
    assert [(str(one.stable).rpartition("old/")[2], str(one.canary).rpartition("new/")[2]) for one in breaks] == [
        ("order.avsc:6:1", "order.avsc:6:1"),
        ("order.avsc:3:1", "order.avsc:10:1"),
    ]


def test_a_shared_avro_type_is_one_break_with_all_messages(tmp_path: Path) -> None:
    def document(kind: str) -> list[Any]:
        price = {"type": "record", "name": "Price", "fields": [{"name": "amount", "type": kind}]}
        return [
            price,
            {"type": "record", "name": "Made", "fields": [{"name": "price", "type": "Price"}]},
            {"type": "record", "name": "Paid", "fields": [{"name": "total", "type": "Price"}]},
        ]

    breaks, compared, _ = message_breaks(*pair(tmp_path, "events.avsc", document("int"), document("string")))
    assert len(compared) == 3
    assert [len(one.operations) for one in breaks if one.writer == "stable"] == [3]


def test_an_avro_protocol_has_requests_and_answers(tmp_path: Path) -> None:
    def protocol(request: str, response: str) -> dict[str, Any]:
        return {
            "protocol": "P",
            "messages": {"get": {"request": [{"name": "id", "type": request}], "response": response}},
        }

    breaks, _, _ = message_breaks(*pair(tmp_path, "p.avpr", protocol("int", "long"), protocol("long", "long")))
    assert [(one.crossing, one.writer, one.operations) for one in breaks] == [(Crossing.REQUEST, "canary", ("get",))]


def test_ids_do_not_move_with_the_lines(tmp_path: Path) -> None:
    new = {**ORDER, "fields": [{"name": "id", "type": "string"}]}
    first, _, _ = message_breaks(*pair(tmp_path, "a.avsc", ORDER, new))
    second, _, _ = message_breaks(*pair(tmp_path, "a.avsc", "\n\n" + json.dumps(ORDER), "\n" + json.dumps(new)))
    assert [one.id for one in first] == [one.id for one in second]
    assert [one.stable for one in first] != [one.stable for one in second]
    assert len({one.id for one in first}) == len(first) == 2


PROTO = """syntax = "proto3"; package shop;
import "types.proto";
service Orders { rpc Get(Id) returns (Order); %s}
message Id { int32 id = 1; }
message Order {
  Price price = 1;
  %s
}
"""


def test_protobuf_with_an_import(tmp_path: Path) -> None:
    old, new = pair(
        tmp_path, "orders.proto", PROTO % ("rpc Put(Order) returns (Id); ", ""), PROTO % ("", "string note = 2;")
    )
    for path, kind in ((old, "int32"), (new, "string")):
        text = f'syntax = "proto3"; package shop; message Price {{\n {kind} amount = 1; }}'
        Path(path).with_name("types.proto").write_text(text)
    breaks, _, missing = message_breaks(old, new)
    wanted = [one for one in breaks if one.severity is Severity.ERROR]
    assert {one.rule for one in wanted} == {"proto-method-removed", "proto-type-changed"}
    answer = next(one for one in wanted if one.crossing is Crossing.RESPONSE and one.writer == "canary")
    assert answer.operations == ("shop.Orders/Get",)
    assert str(answer.canary).endswith("new/types.proto:2:1")
    assert missing == ()


def test_an_import_that_is_not_there_is_said(tmp_path: Path) -> None:
    _, _, missing = message_breaks(*pair(tmp_path, "orders.proto", PROTO % ("", ""), PROTO % ("", "")))
    assert missing == ("the import `types.proto` was not found: its types are compared by name",)


SDL = """enum Status { NEW PAID %s }
input Filter { status: Status }
type Order { id: ID! total: %s status: Status! }
union Thing = Order | Other
type Other { x: Int }
type Query { orders(filter: Filter): [Order!]! %s }
"""


def test_graphql_in_both_directions(tmp_path: Path) -> None:
    pytest.importorskip("graphql")
    old, new = pair(tmp_path, "s.graphql", SDL % ("", "Int!", "gone: Int"), SDL % ("SENT", "Int", "fresh: Int"))
    breaks, _, _ = message_breaks(old, new)
    found = {(one.rule, one.severity, one.crossing, one.writer, one.reader, one.path) for one in breaks}
    assert found == {
        ("graphql-field-removed", Severity.ERROR, Crossing.REQUEST, "stable", "canary", "Query.gone"),
        ("graphql-field-type-changed", Severity.ERROR, Crossing.RESPONSE, "canary", "stable", "Order.total"),
        ("graphql-enum-value-added", Severity.WARNING, Crossing.RESPONSE, "canary", "stable", "Status.SENT"),
        ("graphql-enum-value-removed", Severity.WARNING, Crossing.REQUEST, "canary", "stable", "Status.SENT"),
        ("graphql-newer-consumer", Severity.INFO, Crossing.REQUEST, "canary", "stable", "Query.fresh"),
    }
    total = next(one for one in breaks if one.path == "Order.total")
    assert total.operations == ("Query.orders",)
    assert (total.stable.line, total.canary.line) == (3, 3)  # type: ignore[union-attr]


def test_a_broken_graphql_schema_is_refused_with_its_line(tmp_path: Path) -> None:
    pytest.importorskip("graphql")
    old, new = pair(tmp_path, "s.graphql", "type Query { a: Int }", "type Query {\n a: }")
    with pytest.raises(ContractError) as caught:
        message_breaks(old, new)
    assert caught.value.where == f"{new}:2"


ASYNC_2 = """asyncapi: 2.6.0
info: {title: t, version: '1'}
channels:
  orders/{id}/made:
    publish:
      message:
        oneOf:
          - $ref: '#/components/messages/Made'
          - $ref: '#/components/messages/Paid'
%s
components:
  messages:
    Made:
      payload: {type: object, required: [price], properties: {price: {$ref: '#/components/schemas/Price'}}}
    Paid:
      payload: {type: object, required: [price], properties: {price: {$ref: '#/components/schemas/Price'}}}
  schemas:
    Price: {type: %s}
"""


def test_asyncapi_2_channels_messages_and_a_shared_schema(tmp_path: Path) -> None:
    extra = "  orders/extra: {subscribe: {message: {name: Extra, payload: {type: string}}}}"
    old, new = pair(
        tmp_path, "a.yaml", ASYNC_2 % (extra, "integer"), ASYNC_2.replace("{id}", "{order}") % ("", "number")
    )
    breaks, compared, missing = message_breaks(old, new)
    assert [(one.rule, one.writer, one.operations) for one in breaks] == [
        ("asyncapi-value-refused", "canary", ("orders/{}/made Made", "orders/{}/made Paid")),
        ("asyncapi-channel-removed", "stable", ("orders/extra",)),
    ]
    refused = breaks[0]
    assert refused.stable is not None and "Price" in refused.stable.pointer and refused.stable.line > 10
    assert (len(compared), missing) == (2, ())


def test_asyncapi_3_by_address_with_avro_payloads(tmp_path: Path) -> None:
    def document(kind: str, key: str) -> dict[str, Any]:
        avro = {"type": "record", "name": "Made", "fields": [{"name": "id", "type": kind}]}
        payload = {"schemaFormat": "application/vnd.apache.avro;version=1.9.0", "schema": avro}
        return {
            "asyncapi": "3.0.0",
            "info": {"title": "t", "version": "1"},
            "channels": {key: {"address": "orders.made", "messages": {"made": {"payload": payload}}}},
            "operations": {"send": {"action": "send", "channel": {"$ref": f"#/channels/{key}"}}},
        }

    breaks, compared, _ = message_breaks(*pair(tmp_path, "a.json", document("int", "a"), document("long", "b")))
    assert [(one.rule, one.writer, one.operations) for one in breaks] == [
        ("avro-type-changed", "canary", ("orders.made made",))
    ]
    assert compared == ("AsyncAPI orders.made made",)


def test_what_is_not_compared_is_said(tmp_path: Path) -> None:
    def document(payload: Any, format: str) -> dict[str, Any]:
        message = {"name": "m", "payload": payload, "schemaFormat": format}
        return {"asyncapi": "2.0.0", "channels": {"c": {"publish": {"message": message}}}}

    raml = "application/raml+yaml;version=1.0"
    breaks, _, missing = message_breaks(*pair(tmp_path, "a.json", document({}, raml), document({}, raml)))
    assert (breaks, missing) == ((), (f"c m: payloads of {raml} are not compared here",))
