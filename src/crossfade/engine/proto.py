"""Protobuf: can a reader with one schema read the bytes of a writer with another, and do both sides' RPCs meet?

On the wire a field is its number and a wire type; names matter in JSON alone. Each pair of messages that can stand in for
each other is compared once; a problem carries every root (RPC or event) that reaches the message it is in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from crossfade.model.compat import Crossing, Severity
from crossfade.model.proto import ProtoDocument, ProtoEnum, ProtoField, ProtoMessage, ProtoMethod

_VARINTS = ("int32", "int64", "uint32", "uint64", "bool")
_BITS = {"int32": 32, "uint32": 32, "int64": 64, "uint64": 64, "bool": 1}
_WIRE = {
    **dict.fromkeys((*_VARINTS, "sint32", "sint64"), 0),
    **dict.fromkeys(("fixed64", "sfixed64", "double"), 1),
    **dict.fromkeys(("fixed32", "sfixed32", "float"), 5),
}
_ZEROS = {"string": "", "bytes": "", "bool": "false"}


class ProtoProblem(msgspec.Struct, frozen=True):
    """`where` is a message, field ("Order.price"), enum value or method; `roots` the RPCs and events it reaches. `lines` are
    (file, line) in the writer's and the reader's documents."""

    rule: str
    where: str
    message: str
    severity: Severity = Severity.ERROR
    crossing: Crossing = Crossing.MESSAGE
    roots: tuple[str, ...] = ()
    lines: tuple[tuple[str, int], tuple[str, int]] = (("", 0), ("", 0))


def misread(
    writer: ProtoDocument, reader: ProtoDocument, crossing: Crossing, json: bool = False
) -> tuple[ProtoProblem, ...]:
    """What a reader makes wrong of what a writer sends: the requests of RPCs (crossing REQUEST), their answers
    (RESPONSE), or messages that no RPC names (MESSAGE). With `json` the names count as well."""
    pairs = {
        Crossing.REQUEST: _rpc_pairs(writer, reader, answers=False),
        Crossing.RESPONSE: _rpc_pairs(writer, reader, answers=True),
    }.get(crossing) or (_event_pairs(writer, reader) if crossing is Crossing.MESSAGE else {})
    comparison = _Comparison(writer, reader, json, crossing)
    return tuple(comparison.problems(pairs))


def missing_methods(consumer: ProtoDocument, provider: ProtoDocument, newer_consumer: bool) -> tuple[ProtoProblem, ...]:
    """The RPCs that a consumer may call and a provider does not have, or has otherwise. What only a newer consumer knows is
    information: whether it calls it before all providers are new is its own affair."""
    found: list[ProtoProblem] = []
    for name, service in sorted(consumer.services.items()):
        other = provider.services.get(name)
        by_name = {method.name: method for method in other.methods} if other is not None else {}
        for method in service.methods:
            full = f"{name}/{method.name}"
            lines = ((service.file, method.line), (other.file if other else "", other.line if other else 0))
            there = by_name.get(method.name)
            if there is None:
                gone = f"the service `{name}`" if other is None else f"the RPC `{full}`"
                tail = "the older provider does not know" if newer_consumer else "the newer provider no longer has"
                rule = "proto-method-added" if newer_consumer else "proto-method-removed"
                severity = Severity.INFO if newer_consumer else Severity.ERROR
                message = f"{tail} {gone}: a call ends in UNIMPLEMENTED"
                found.append(ProtoProblem(rule, full, message, severity, Crossing.REQUEST, (full,), lines))
            elif _streams(method) != _streams(there):
                message = f"`{full}` is {_streams(method)} for the consumer and {_streams(there)} for the provider"
                at = (lines[0], (other.file if other else "", there.line))
                found.append(
                    ProtoProblem(
                        "proto-streaming-changed", full, message, Severity.ERROR, Crossing.REQUEST, (full,), at
                    )
                )
    return tuple(found)


def lost_messages(writer: ProtoDocument, reader: ProtoDocument, newer_writer: bool) -> tuple[ProtoProblem, ...]:
    """Messages that stand for themselves (no RPC and no other message names them) and that the reader does not know."""
    found = []
    for name in _events(writer):
        if name not in reader.messages:
            one = writer.messages[name]
            rule = "proto-message-added" if newer_writer else "proto-message-removed"
            severity = Severity.INFO if newer_writer else Severity.WARNING
            message = f"the message `{name}` is not known to the reader"
            found.append(
                ProtoProblem(rule, name, message, severity, roots=(name,), lines=((one.file, one.line), ("", 0)))
            )
    return tuple(found)


def _streams(method: ProtoMethod) -> str:
    return {
        (False, False): "one call, one answer",
        (True, False): "a stream of requests",
        (False, True): "a stream of answers",
        (True, True): "a stream in both directions",
    }[method.client_streams, method.server_streams]


Pairs = dict[tuple[str, str], tuple[str, ...]]  # (writer's message, reader's message) -> roots


def _rpc_pairs(writer: ProtoDocument, reader: ProtoDocument, answers: bool) -> Pairs:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, service in sorted(writer.services.items()):
        others = {method.name: method for method in reader.services[name].methods} if name in reader.services else {}
        for method in service.methods:
            if other := others.get(method.name):
                pair = (method.response, other.response) if answers else (method.request, other.request)
                found[pair].append(f"{name}/{method.name}")
    return {pair: tuple(roots) for pair, roots in found.items()}


def _events(document: ProtoDocument) -> tuple[str, ...]:
    """Top-level messages that stand for themselves: no RPC and no other message names them. Of a circle that nothing else
    names, the first."""
    calls = {
        name for service in document.services.values() for m in service.methods for name in (m.request, m.response)
    }
    uses = {name: {field.value or field.type for field in one.fields} for name, one in document.messages.items()}
    used = calls.union(*(names - {name} for name, names in uses.items()))
    top = [name for name, one in sorted(document.messages.items()) if not one.nested]
    found = [name for name in top if name not in used]
    reached: set[str] = set()
    todo = [*found, *calls]
    for name in (*top, ""):
        while todo:
            one = todo.pop()
            if one not in reached:
                reached.add(one)
                todo += uses.get(one, ())
        if name and name not in reached:
            found.append(name)
            todo.append(name)
    return tuple(sorted(found))


def _event_pairs(writer: ProtoDocument, reader: ProtoDocument) -> Pairs:
    return {(name, name): (name,) for name in _events(writer) if name in reader.messages}


class _Comparison:
    def __init__(self, writer: ProtoDocument, reader: ProtoDocument, json: bool, crossing: Crossing) -> None:
        self._writer = writer
        self._reader = reader
        self._json = json
        self._crossing = crossing

    def problems(self, roots: Pairs) -> Iterator[ProtoProblem]:
        reached: dict[tuple[str, str], dict[str, None]] = {}
        todo = [(pair, name) for pair, names in roots.items() for name in names]
        while todo:
            pair, root = todo.pop(0)
            known = reached.setdefault(pair, {})
            if root in known:
                continue
            known[root] = None
            todo += [(inner, root) for inner in self._inside(pair)]
        for pair, names in reached.items():
            for problem in self._pair(pair):
                yield msgspec.structs.replace(problem, roots=tuple(names), crossing=self._crossing)

    def _inside(self, pair: tuple[str, str]) -> Iterable[tuple[str, str]]:
        """Pairs of messages and enums that stand in the same field of this pair."""
        w, r = self._writer.messages.get(pair[0]), self._reader.messages.get(pair[1])
        if w is None or r is None:
            return
        for field in w.fields:
            other = r.field(field.number)
            if other is None:
                continue
            one, two = field.value or field.type, other.value or other.type
            known = {*self._writer.messages, *self._writer.enums}
            if one in known and two in {*self._reader.messages, *self._reader.enums}:
                yield (one, two)

    def _pair(self, pair: tuple[str, str]) -> Iterator[ProtoProblem]:
        w, r = self._writer.messages.get(pair[0]), self._reader.messages.get(pair[1])
        if w is not None and r is not None:
            yield from self._messages(w, r)
            return
        e, f = self._writer.enums.get(pair[0]), self._reader.enums.get(pair[1])
        if e is not None and f is not None:
            yield from self._enums(e, f)

    # ── messages ────────────────────────────────────────────────────────────

    def _messages(self, w: ProtoMessage, r: ProtoMessage) -> Iterator[ProtoProblem]:
        short = w.name.rpartition(".")[2]
        names = {field.name: field for field in r.fields}
        for field in w.fields:
            where = f"{short}.{field.name}"
            other = r.field(field.number)
            lines = ((w.file, field.line or w.line), (r.file, (other.line if other else 0) or r.line))
            if other is None:
                moved = names.get(field.name)
                if moved is not None:
                    message = (
                        f"`{where}` has the number {field.number} at the writer and "
                        f"{moved.number} at the reader, who sees nothing"
                    )
                    at = (lines[0], (r.file, moved.line))
                    yield ProtoProblem("proto-number-changed", where, message, lines=at)
                elif self._json:
                    message = f"the reader does not know `{where}`: a JSON parser refuses it, unless told to ignore it"
                    yield ProtoProblem("proto-json-name", where, message, Severity.WARNING, lines=lines)
                elif any(low <= field.number <= high for low, high in r.reserved) and r.name == w.name:
                    continue
                continue
            yield from self._field(w, r, field, other, where, lines)
        for field in w.fields:
            if r.field(field.number) is None and (field.name in r.reserved_names or _is_reserved(r, field.number)):
                yield ProtoProblem(
                    "proto-reserved-used",
                    f"{short}.{field.name}",
                    f"the writer uses the number {field.number} (`{field.name}`), which the reader has reserved",
                    Severity.INFO,
                    lines=((w.file, field.line), (r.file, r.line)),
                )
        for field in r.fields:
            source = w.field(field.number)
            if field.label == "required" and (source is None or source.label != "required"):
                message = (
                    f"the reader requires `{short}.{field.name}`, which the writer may "
                    "leave out: the whole message is refused"
                )
                at = ((w.file, source.line if source else w.line), (r.file, field.line))
                yield ProtoProblem("proto-required", f"{short}.{field.name}", message, lines=at)
        yield from _oneofs(w, r, short)

    def _field(
        self,
        w: ProtoMessage,
        r: ProtoMessage,
        field: ProtoField,
        other: ProtoField,
        where: str,
        lines: tuple[tuple[str, int], tuple[str, int]],
    ) -> Iterator[ProtoProblem]:
        def problem(rule: str, message: str, severity: Severity = Severity.ERROR) -> ProtoProblem:
            return ProtoProblem(rule, where, message, severity, lines=lines)

        if field.name != other.name and any(one.name == field.name for one in r.fields):
            moved = next(one for one in r.fields if one.name == field.name)
            yield problem(
                "proto-number-changed",
                f"the number {field.number} is `{field.name}` at the writer and `{other.name}` at the reader, who has "
                f"`{field.name}` at {moved.number}",
            )
            return
        if field.json_name != other.json_name:
            severity = Severity.ERROR if self._json else Severity.INFO
            message = f"`{where}` is `{other.json_name}` in the reader's JSON and `{field.json_name}` in the writer's"
            yield problem("proto-json-name", message, severity)
        if bool(field.key) != bool(other.key):
            yield problem(
                "proto-type-changed", f"`{where}` is {field.type} at the writer and {other.type} at the reader"
            )
            return
        for one, two in (
            ((field.key, other.key), (field.value, other.value)) if field.key else ((field.type, other.type),)
        ):
            found = self._types(one, two)
            if found is not None:
                severity, tail = found
                rule = "proto-type-changed" if severity is Severity.ERROR else "proto-type-narrowed"
                yield problem(rule, f"`{where}` is {one} at the writer and {two} at the reader: {tail}", severity)
                return
        if field.label == "repeated" and other.label != "repeated" and not field.key:
            message = f"the writer sends many `{where}`, the reader takes the last one only"
            yield problem("proto-label-changed", message)
        if field.default != other.default and "repeated" not in (field.label, other.label):
            a, b = _default(field), _default(other)
            if a != b and not (field.type in self._writer.enums and field.default is None and other.default is None):
                message = f"where `{where}` is left out, the writer means `{a}` and the reader reads `{b}`"
                yield problem("proto-default-changed", message)

    def _types(self, w: str, r: str) -> tuple[Severity, str] | None:
        """None: the same bytes mean the same."""
        if w == r and w in {*_WIRE, "string", "bytes"}:
            return None
        w_enum, r_enum = w in self._writer.enums, r in self._reader.enums
        w_message, r_message = w in self._writer.messages, r in self._reader.messages
        if (w_enum and r_enum) or (w_message and r_message):
            return None  # compared as a pair
        plain = {*_WIRE, "string", "bytes"}
        if not (w in plain or w_enum or w_message) or not (r in plain or r_enum or r_message):
            same = w == r or w.rpartition(".")[2] == r.rpartition(".")[2]
            return None if same else (Severity.ERROR, "another type")
        if w_enum:
            w = "int32"
        if r_enum:
            if w in _VARINTS:
                return (Severity.WARNING, "a number may be none of the enum's") if not w_enum else None
            return Severity.ERROR, "another encoding"
        if w == r:
            return None
        if w in _VARINTS and r in _VARINTS:
            if (
                r == "bool"
                or _BITS[r] < _BITS[w]
                or (w[0] != r[0] and w != "bool" and not (w == "uint32" and r == "int64"))
            ):
                return Severity.WARNING, "values that do not fit are cut, or change their sign"
            return None
        pair = {w, r}
        if pair == {"sint32", "sint64"}:
            return (Severity.WARNING, "large values are cut") if r == "sint32" else None
        if pair in ({"fixed32", "sfixed32"}, {"fixed64", "sfixed64"}):
            return Severity.WARNING, "large values change their sign"
        if pair == {"string", "bytes"}:
            return (Severity.WARNING, "bytes that are no UTF-8 are refused") if r == "string" else None
        if "bytes" in pair and (w_message or r_message):
            return Severity.WARNING, "the bytes must be an encoded message"
        if _WIRE.get(w, 2) == _WIRE.get(r, 2):
            return Severity.ERROR, "the same bytes are another value, without an error"
        return Severity.ERROR, "another encoding, so the reader sees nothing there"

    # ── enums ───────────────────────────────────────────────────────────────

    def _enums(self, w: ProtoEnum, r: ProtoEnum) -> Iterator[ProtoProblem]:
        short = w.name.rpartition(".")[2]
        numbers: dict[int, set[str]] = defaultdict(set)
        for name, number in r.values:
            numbers[number].add(name)
        by_name = dict(r.values)
        lines = ((w.file, w.line), (r.file, r.line))
        for name, number in w.values:
            where = f"{short}.{name}"
            if by_name.get(name, number) != number:
                message = f"`{where}` is {number} at the writer and {by_name[name]} at the reader"
                yield ProtoProblem("proto-enum-value-renumbered", where, message, lines=lines)
            elif number not in numbers:
                tail = "sets it aside, as if it had not been sent" if r.closed else "sees a bare number"
                message = f"the reader does not know `{where}` ({number}) and {tail}"
                yield ProtoProblem("proto-enum-value-unknown", where, message, Severity.WARNING, lines=lines)
            elif name not in numbers[number]:
                known = ", ".join(f"`{one}`" for one in sorted(numbers[number]))
                severity = Severity.ERROR if self._json else Severity.WARNING
                message = f"{number} is `{name}` at the writer and {known} at the reader"
                yield ProtoProblem("proto-enum-value-renamed", where, message, severity, lines=lines)


def _is_reserved(message: ProtoMessage, number: int) -> bool:
    return any(low <= number <= high for low, high in message.reserved)


def _oneofs(w: ProtoMessage, r: ProtoMessage, short: str) -> Iterator[ProtoProblem]:
    """Fields that the writer can set together and the reader takes one of."""
    groups: dict[str, list[ProtoField]] = defaultdict(list)
    for field in r.fields:
        if field.oneof:
            groups[field.oneof].append(field)
    for name, fields in sorted(groups.items()):
        sources = [source for field in fields if (source := w.field(field.number)) is not None]
        apart = {source.oneof or f"\0{source.number}" for source in sources}
        if len(apart) > 1:
            both = ", ".join(f"`{source.name}`" for source in sources)
            message = f"the writer may send {both} of `{short}` together, the reader keeps the last (oneof `{name}`)"
            at = ((w.file, sources[0].line), (r.file, fields[0].line))
            yield ProtoProblem("proto-oneof-changed", f"{short}.{name}", message, lines=at)


def _default(field: ProtoField) -> str:
    if field.default is not None:
        return field.default
    return _ZEROS.get(field.type, "0")
