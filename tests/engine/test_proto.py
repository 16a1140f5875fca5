"""Protobuf: what is called compatible is, by really encoding with one schema and decoding with the other; and case by
case."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.proto import lost_messages, misread, missing_methods
from crossfade.errors import ContractError
from crossfade.formats.proto import SCALARS, parse_proto, resolved
from crossfade.formats.proto_descriptors import document_of_descriptor_set
from crossfade.model.compat import Crossing, Severity
from crossfade.model.proto import ProtoDocument, ProtoField

SAMPLES: dict[str, list[Any]] = {
    "double": [1.5, -2.25], "float": [1.5, -2.25], "int32": [1, -1, 2**31 - 1], "int64": [1, -1, 2**62],
    "uint32": [1, 2**32 - 1], "uint64": [1, 2**64 - 1], "sint32": [1, -1, -(2**31)], "sint64": [1, -(2**62)],
    "fixed32": [1, 2**32 - 1], "fixed64": [1, 2**64 - 1], "sfixed32": [1, -1], "sfixed64": [1, -1], "bool": [True],
    "string": ["x", "é"], "bytes": [b"x", b"\xff"],
}  # fmt: skip


def document(text: str, syntax: str = "proto3") -> ProtoDocument:
    found, _ = parse_proto(f'syntax = "{syntax}"; {text}', "m.proto")
    return resolved(found)


def factory(found: ProtoDocument, syntax: str) -> dict[str, Any]:
    """The library's classes for a document, made from what our parser read."""
    file = descriptor_pb2.FileDescriptorProto(name="m.proto", syntax=syntax)
    for enum in found.enums.values():
        made = file.enum_type.add(name=enum.name)
        for name, number in enum.values:
            made.value.add(name=name, number=number)
    for message in found.messages.values():
        into = file.message_type.add(name=message.name)
        for field in message.fields:
            labels = {"repeated": 3, "required": 2}
            one = into.field.add(name=field.name, number=field.number, label=labels.get(field.label, 1))
            if field.type in SCALARS:
                one.type = getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{field.type.upper()}")
            else:
                one.type = 14 if field.type in found.enums else 11
                one.type_name = "." + field.type
            if field.label == "repeated" and field.type in SCALARS and field.type not in ("string", "bytes"):
                one.options.packed = field.packed
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in found.messages}


@st.composite
def texts(draw: st.DrawFn, syntax: str) -> str:
    def fields(types: list[str]) -> str:
        found = []
        for number in draw(st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True)):
            labels = ["optional", "repeated"] if syntax == "proto2" else ["", "", "repeated"]
            label, kind = draw(st.sampled_from(labels)), draw(st.sampled_from(types))
            found.append(f"{label} {kind} f{number} = {number};")
        return " ".join(found)

    scalars = sorted(SCALARS)
    near = draw(st.sampled_from([scalars, ["int32", "int64", "bool", "uint32"], ["string", "bytes"]]))
    values = draw(st.sampled_from(["Z = 0; A = 1;", "Z = 0; A = 1; B = 2;"]))
    return f"enum E {{ {values} }} message I {{ {fields(near)} }} message M {{ {fields([*near, 'E', 'I'])} }}"


def filled(found: ProtoDocument, classes: dict[str, Any], name: str, draw: st.DrawFn) -> Any:
    message = classes[name]()
    for field in found.messages[name].fields:
        if field.type in found.messages:
            inner = filled(found, classes, field.type, draw)
            target = getattr(message, field.name)
            target.add().CopyFrom(inner) if field.label == "repeated" else target.CopyFrom(inner)
            continue
        enum = found.enums.get(field.type)
        values = [number for _, number in enum.values if number] if enum else SAMPLES[field.type]
        value = draw(st.sampled_from(values))
        if field.label == "repeated":
            getattr(message, field.name).extend([value, value])
        else:
            setattr(message, field.name, value)
    return message


def plain(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else float(value) if isinstance(value, int | bool) else value


def same(written: Any, read: Any, w: ProtoDocument, r: ProtoDocument, name: str) -> bool:
    for field in w.messages[name].fields:
        other = r.messages[name].field(field.number)
        if other is None:
            continue
        one, two = getattr(written, field.name), getattr(read, other.name)
        ones, twos = (_list(one, field), _list(two, other))
        if len(ones) != len(twos):
            return False
        for a, b in zip(ones, twos, strict=True):
            if field.type in w.messages and other.type in r.messages:
                if not same(a, b, w, r, field.type):
                    return False
            elif plain(a) != plain(b):
                return False
    return True


def _list(value: Any, field: ProtoField) -> list[Any]:
    return list(value) if field.label == "repeated" else [value]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(["proto2", "proto3"]))
def test_what_is_called_compatible_is_read_as_it_was_written(data: st.DataObject, syntax: str) -> None:
    w, r = document(data.draw(texts(syntax)), syntax), document(data.draw(texts(syntax)), syntax)
    found = [one for one in misread(w, r, Crossing.MESSAGE) if one.severity is not Severity.INFO]
    classes, others = factory(w, syntax), factory(r, syntax)
    written = filled(w, classes, "M", data.draw)
    read = others["M"]()
    try:
        read.ParseFromString(written.SerializeToString())
        fits = same(written, read, w, r, "M")
    except (DecodeError, UnicodeDecodeError):
        fits = False
    assert fits or found, (w.messages, r.messages, written)


M = "message M { %s }"


@pytest.mark.parametrize(
    "writer, reader, rules",
    [
        ("int32 a = 1;", "int64 a = 1;", []),
        ("int64 a = 1;", "int32 a = 1;", ["proto-type-narrowed"]),
        ("int32 a = 1;", "sint32 a = 1;", ["proto-type-changed"]),
        ("int32 a = 1;", "string a = 1;", ["proto-type-changed"]),
        ("fixed32 a = 1;", "float a = 1;", ["proto-type-changed"]),
        ("string a = 1;", "bytes a = 1;", []),
        ("int32 a = 1;", "int32 a = 2;", ["proto-number-changed"]),
        ("int32 a = 1; int32 b = 2;", "int32 b = 1; int32 a = 2;", ["proto-number-changed", "proto-number-changed"]),
        ("repeated string a = 1;", "string a = 1;", ["proto-label-changed"]),
        ("string a = 1;", "repeated string a = 1;", []),
        ("int32 a = 1; int32 b = 2;", "int32 a = 1;", []),
        ("int32 a = 1;", "int32 a = 1; int32 b = 2;", []),
        ("string a = 1; string b = 2;", "oneof x { string a = 1; string b = 2; }", ["proto-oneof-changed"]),
        ("oneof x { string a = 1; string b = 2; }", "string a = 1; string b = 2;", []),
        ("string a = 1;", "oneof x { string a = 1; string b = 2; }", []),
        ("map<string, int32> a = 1;", "map<string, int64> a = 1;", []),
        ("map<string, int64> a = 1;", "map<string, string> a = 1;", ["proto-type-changed"]),
        ("map<string, int64> a = 1;", "repeated string a = 1;", ["proto-type-changed"]),
        ("int32 a = 1;", "int32 renamed = 1;", []),
        ("int32 a = 1;", "reserved 1;", []),
    ],
)
def test_fields(writer: str, reader: str, rules: list[str]) -> None:
    found = misread(document(M % writer), document(M % reader), Crossing.MESSAGE)
    assert rules == [one.rule for one in found if one.severity is not Severity.INFO]


def test_with_json_the_names_count() -> None:
    w, r = document(M % "int32 order_id = 1; int32 b = 2;"), document(M % "int32 id = 1;")
    assert [("proto-json-name", Severity.ERROR), ("proto-json-name", Severity.WARNING)] == [
        (one.rule, one.severity) for one in misread(w, r, Crossing.MESSAGE, json=True)
    ]


def test_required_and_defaults_of_proto2() -> None:
    w = document(M % "optional int32 a = 1 [default = 5]; optional int32 b = 2;", "proto2")
    r = document(M % "optional int32 a = 1 [default = 6]; required int32 b = 2; required int32 c = 3;", "proto2")
    assert ["proto-default-changed", "proto-required", "proto-required"] == [
        one.rule for one in misread(w, r, Crossing.MESSAGE)
    ]


@pytest.mark.parametrize(
    "writer, reader, rules",
    [
        ("Z = 0; A = 1;", "Z = 0;", ["proto-enum-value-unknown"]),
        ("Z = 0;", "Z = 0; A = 1;", []),
        ("Z = 0; A = 1;", "Z = 0; B = 1;", ["proto-enum-value-renamed"]),
        ("Z = 0; A = 1;", "A = 0; Z = 1;", ["proto-enum-value-renumbered", "proto-enum-value-renumbered"]),
    ],
)
def test_enums(writer: str, reader: str, rules: list[str]) -> None:
    text = "enum E { %s } message M { E e = 1; }"
    assert rules == [one.rule for one in misread(document(text % writer), document(text % reader), Crossing.MESSAGE)]


SERVICE = """package shop; service Orders { rpc Get(Id) returns (Order); %s } message Id { int32 id = 1; } message
Order { Item item = 1; } message Item { %s price = 1; } message Made { Item item = 1; }"""


def test_a_shared_message_is_told_once_with_all_it_reaches() -> None:
    text = "rpc List(Id) returns (stream Order);"
    w, r = document(SERVICE % (text, "int64")), document(SERVICE % (text, "string"))
    (found,) = misread(w, r, Crossing.RESPONSE)
    assert (found.where, found.roots) == ("Item.price", ("shop.Orders/Get", "shop.Orders/List"))
    (event,) = misread(w, r, Crossing.MESSAGE)
    assert (event.where, event.roots) == ("Item.price", ("shop.Made",))
    assert misread(w, r, Crossing.REQUEST) == ()


def test_rpcs_that_are_not_there() -> None:
    old, new = document(SERVICE % ("rpc Put(Order) returns (Order);", "int32")), document(SERVICE % ("", "int32"))
    assert [("proto-method-removed", "shop.Orders/Put")] == [
        (one.rule, one.where) for one in missing_methods(old, new, newer_consumer=False)
    ]
    assert [("proto-method-added", Severity.INFO)] == [
        (one.rule, one.severity) for one in missing_methods(old, new, newer_consumer=True)
    ]
    streaming = document(SERVICE % ("rpc Put(stream Order) returns (Order);", "int32"))
    assert ["proto-streaming-changed"] == [one.rule for one in missing_methods(old, streaming, newer_consumer=False)]


def test_events_that_are_not_there_and_circles() -> None:
    old = document("message A { B b = 1; } message B { A a = 1; } message Gone { int32 a = 1; }")
    new = document("message A { B b = 1; } message B { A a = 1; int32 x = 2; }")
    assert ["Gone"] == [one.where for one in lost_messages(old, new, newer_writer=False)]
    assert () == misread(old, new, Crossing.MESSAGE)
    other = document("message A { B b = 1; } message B { int32 a = 1; }")
    assert [("proto-type-changed", "B.a")] == [(one.rule, one.where) for one in misread(old, other, Crossing.MESSAGE)]


TRICKY = """syntax = "proto3"; package shop.v1; // c
import "google/protobuf/timestamp.proto";
option java_package = "a";
message Order { /* c */
  reserved 5, 9 to 11, 100 to max; reserved "old", 'older';
  int32 id = 1; repeated Item items = 2 [(my.opt) = { a: 1, b: [1, 2] }, deprecated = true];
  map<string, Item> by = 0x3;
  oneof pay { string card = 4; .shop.v1.Order.Item cash = 6; }
  optional string note_text = 7 [json_name = "Note"];
  message Item { double price = 1; enum Kind { option allow_alias = true; A = 0; B = -1; C = 0; } Kind kind = 2; }
}
service Orders {
  option (x) = "y";
  rpc Get (Order.Item) returns (stream Order) { option (google.api.http) = { get: "/v1/{id}" body: "*" }; }
}
"""


def test_a_text_with_everything_in_it() -> None:
    found, imports = parse_proto(TRICKY, "m.proto")
    order = resolved(found).messages["shop.v1.Order"]
    assert imports == ("google/protobuf/timestamp.proto",)
    assert [(f.name, f.number, f.type, f.oneof) for f in order.fields] == [
        ("id", 1, "int32", ""),
        ("items", 2, "shop.v1.Order.Item", ""),
        ("by", 3, "map<string, shop.v1.Order.Item>", ""),
        ("card", 4, "string", "pay"),
        ("cash", 6, "shop.v1.Order.Item", "pay"),
        ("note_text", 7, "string", ""),
    ]
    assert (order.reserved, order.reserved_names) == (((5, 5), (9, 11), (100, 536870911)), ("old", "older"))
    assert found.enums["shop.v1.Order.Item.Kind"].values == (("A", 0), ("B", -1), ("C", 0))
    (method,) = resolved(found).services["shop.v1.Orders"].methods
    assert (method.request, method.response, method.server_streams) == ("shop.v1.Order.Item", "shop.v1.Order", True)


def test_a_descriptor_set_says_the_same_as_the_text() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="m.proto", syntax="proto3", package="shop")
    message = file.message_type.add(name="Order")
    message.field.add(name="order_id", number=1, label=1, type=3, json_name="orderId")
    message.field.add(name="items", number=2, label=3, type=11, type_name=".shop.Order.Item", json_name="items")
    message.field.add(name="by", number=3, label=3, type=11, type_name=".shop.Order.ByEntry", json_name="by")
    message.nested_type.add(name="Item").enum_type.add(name="K").value.add(name="A", number=-1)
    entry = message.nested_type.add(name="ByEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=5)
    message.reserved_range.add(start=5, end=6)
    file.service.add(name="S").method.add(
        name="Get", input_type=".shop.Order", output_type=".shop.Order", server_streaming=True
    )
    data = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    text = """package shop; message Order { reserved 5; int64 order_id = 1; repeated Item items = 2; map<string,
    int32> by = 3; message Item { enum K { A = -1; } } } service S { rpc Get(Order) returns (stream Order); }"""
    read, written = document_of_descriptor_set(data, "m.binpb"), document(text)
    assert set(read.messages) == set(written.messages)
    for crossing in (Crossing.REQUEST, Crossing.RESPONSE, Crossing.MESSAGE):
        assert misread(read, written, crossing, json=True) == misread(written, read, crossing, json=True) == ()
    assert read.messages["shop.Order"].reserved == ((5, 5),)
    assert [(m.request, m.server_streams) for m in read.services["shop.S"].methods] == [("shop.Order", True)]


@pytest.mark.parametrize(
    "text, where", [("message M { int32 = 1; }", "m.proto:1"), ("\nmessage M {", "m.proto:2"), ("hello", "m.proto:1")]
)
def test_a_broken_text_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse_proto(text, "m.proto")
    assert caught.value.where == where


def test_bytes_that_are_no_descriptor_set_are_refused() -> None:
    for data in (b"", b"hello world", b"\x0a\xff"):
        with pytest.raises(ContractError):
            document_of_descriptor_set(data, "x.binpb")
