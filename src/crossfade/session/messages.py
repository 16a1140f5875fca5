"""Two descriptions of messages or RPCs compared in both directions: Avro, protobuf, GraphQL, AsyncAPI.

Each function gives the breaks, what was compared, and what was not and why. What is the same in several messages is
one break with all of them as its operations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from crossfade.engine.avro import AvroProblem, unreadable
from crossfade.engine.graphql_changes import graphql_problems
from crossfade.engine.migrations import fingerprint
from crossfade.engine.proto import ProtoProblem, lost_messages, misread, missing_methods
from crossfade.engine.schema import DRAFT_7, Comparer
from crossfade.formats.asyncapi import read_asyncapi
from crossfade.formats.avro import avro_document, read_avro
from crossfade.formats.graphql_sdl import read_graphql
from crossfade.formats.pointer_lines import pointer_lines
from crossfade.formats.proto import read_proto
from crossfade.model.avro import AvroDocument
from crossfade.model.compat import Break, Contained, Containment, Crossing, Place, Severity
from crossfade.model.events_api import ChannelMessage, EventsDocument

Compared = tuple[tuple[Break, ...], tuple[str, ...], tuple[str, ...]]
STABLE, CANARY = "stable", "canary"


class MessageOptions(msgspec.Struct, frozen=True):
    """`json`: protobuf messages travel as JSON too, so names count. `includes`: folders where imports of .proto files are
    looked for. `samples`: recorded bodies, tried as witnesses."""

    json: bool = False
    includes: tuple[str, ...] = ()
    samples: tuple[Any, ...] = ()


# ── Avro ────────────────────────────────────────────────────────────────────


def avro_breaks(old_path: str, new_path: str, options: MessageOptions = MessageOptions()) -> Compared:
    """Avro schemas and protocols: messages are paired by name, or the only one of each file."""
    return _avro(read_avro(old_path), read_avro(new_path))


def _avro(old: AvroDocument, new: AvroDocument) -> Compared:
    pairs, lone = _paired(
        [m.name for m in old.messages if not m.answer], [m.name for m in new.messages if not m.answer]
    )
    merged = _Merged()
    for one, other in pairs:
        for answer in (False, True) if old.protocol or new.protocol else (False,):
            w = next((m for m in old.messages if (m.name, m.answer) == (one, answer)), None)
            r = next((m for m in new.messages if (m.name, m.answer) == (other, answer)), None)
            if w is None or r is None:
                continue
            crossing = Crossing.MESSAGE if not old.protocol else Crossing.RESPONSE if answer else Crossing.REQUEST
            for problem in unreadable(old, new, w.type, r.type):
                merged.add(_avro_break(problem, old, new, one, STABLE, crossing))
            for problem in unreadable(new, old, r.type, w.type):
                merged.add(_avro_break(problem, new, old, other, CANARY, crossing))
    not_compared = [f"{name}: only in `{(old if gone else new).file}`" for name, gone in lone]
    return merged.breaks(), tuple(f"Avro {one}" for one, _ in pairs), tuple(not_compared)


def _avro_break(
    problem: AvroProblem, w: AvroDocument, r: AvroDocument, name: str, writer: str, crossing: Crossing
) -> Break:
    reader = CANARY if writer == STABLE else STABLE
    wrote, read = (_line(file, line, problem.path) for file, line in zip((w.file, r.file), problem.lines, strict=True))
    return Break(
        rule=problem.rule,
        id=fingerprint(problem.rule, problem.owner or name, problem.message, writer),
        severity=problem.severity,
        crossing=crossing,
        writer=writer,
        reader=reader,
        operations=(name,),
        path=problem.path,
        message=problem.message,
        witness=msgspec.json.encode(problem.value).decode(),
        stable=wrote if writer == STABLE else read,
        canary=read if writer == STABLE else wrote,
    )


# ── protobuf ────────────────────────────────────────────────────────────────


def proto_breaks(old_path: str, new_path: str, options: MessageOptions = MessageOptions()) -> Compared:
    """Protobuf files, folders or descriptor sets: RPCs by their full name, other messages as events."""
    old, new = read_proto(old_path, options.includes), read_proto(new_path, options.includes)
    merged = _Merged()
    for crossing in (Crossing.REQUEST, Crossing.RESPONSE, Crossing.MESSAGE):
        for problem in misread(old, new, crossing, options.json):
            merged.add(_proto_break(problem, STABLE))
        for problem in misread(new, old, crossing, options.json):
            merged.add(_proto_break(problem, CANARY))
    for problem in (*missing_methods(old, new, newer_consumer=False), *lost_messages(old, new, newer_writer=False)):
        merged.add(_proto_break(problem, STABLE))
    for problem in (*missing_methods(new, old, newer_consumer=True), *lost_messages(new, old, newer_writer=True)):
        merged.add(_proto_break(problem, CANARY))
    compared = (
        (
            f"protobuf: {len(old.services)} and {len(new.services)} services, "
            f"{len(old.messages)} and {len(new.messages)} messages"
        ),
    )
    missing = [
        f"the import `{name}` was not found: its types are compared by name" for name in (*old.missing, *new.missing)
    ]
    return merged.breaks(), compared, tuple(dict.fromkeys(missing))


def _proto_break(problem: ProtoProblem, writer: str) -> Break:
    wrote, read = (_line(file, line, problem.where) if file else None for file, line in problem.lines)
    return Break(
        rule=problem.rule,
        id=fingerprint(problem.rule, problem.where, problem.crossing, writer),
        severity=problem.severity,
        crossing=problem.crossing,
        writer=writer,
        reader=CANARY if writer == STABLE else STABLE,
        operations=problem.roots,
        path=problem.where,
        message=problem.message,
        stable=wrote if writer == STABLE else read,
        canary=read if writer == STABLE else wrote,
    )


# ── GraphQL ─────────────────────────────────────────────────────────────────


def graphql_breaks(old_path: str, new_path: str, options: MessageOptions = MessageOptions()) -> Compared:
    """GraphQL schemas. Raises UsageError where graphql-core is not installed."""
    old, new = read_graphql(old_path), read_graphql(new_path)
    merged = _Merged()
    for problem in graphql_problems(old, new):
        consumer, provider = (CANARY, STABLE) if problem.newer_consumer else (STABLE, CANARY)
        writes = consumer if problem.crossing is Crossing.REQUEST else provider
        places = [_line(file, line, problem.where) if file else None for file, line in problem.lines]
        merged.add(
            Break(
                rule=problem.rule,
                id=fingerprint(problem.rule, problem.where, problem.message, consumer),
                severity=problem.severity,
                crossing=problem.crossing,
                writer=writes,
                reader=provider if writes == consumer else consumer,
                operations=problem.roots,
                path=problem.where,
                message=problem.message,
                stable=places[0],
                canary=places[1],
            )
        )
    return merged.breaks(), (f"GraphQL: {len(old.type_map)} and {len(new.type_map)} types",), ()


# ── AsyncAPI ────────────────────────────────────────────────


def asyncapi_breaks(old_path: str, new_path: str, options: MessageOptions = MessageOptions()) -> Compared:
    """AsyncAPI documents: channels by address, their messages by name (or the only one), payloads and headers both ways."""
    old, new = read_asyncapi(old_path), read_asyncapi(new_path)
    comparer = Comparer(old.root, new.root, DRAFT_7, DRAFT_7, samples=options.samples)
    merged = _Merged()
    compared: list[str] = []
    missing = [f"{document.file}: {note}" for document in (old, new) for note in document.notes]
    for channel in sorted({*old.channels, *new.channels}):
        ours, theirs = ([m for m in document.messages if m.channel == channel] for document in (old, new))
        if channel not in old.channels or channel not in new.channels:
            merged.add(_lost("asyncapi-channel", channel, channel, channel in old.channels, old, new))
            continue
        pairs, lone = _paired([m.name for m in ours], [m.name for m in theirs])
        for name, gone in lone:
            merged.add(_lost("asyncapi-message", f"{channel} {name}".strip(), channel, gone, old, new))
        for one, other in pairs:
            a, b = next(m for m in ours if m.name == one), next(m for m in theirs if m.name == other)
            label = f"{channel} {other}".strip()
            compared.append(f"AsyncAPI {label}")
            missing += _message(merged, comparer, a, b, label, old, new)
    return _placed(merged.breaks(), (old_path, new_path)), tuple(compared), tuple(dict.fromkeys(missing))


def _message(
    merged: _Merged,
    comparer: Comparer,
    a: ChannelMessage,
    b: ChannelMessage,
    label: str,
    old: EventsDocument,
    new: EventsDocument,
) -> list[str]:
    """What could not be compared is given back."""
    files = (old.file, new.file)
    if a.content_type != b.content_type and a.content_type and b.content_type:
        merged.add(
            Break(
                rule="asyncapi-content-type-changed",
                id=fingerprint("asyncapi-content-type-changed", label),
                severity=Severity.ERROR,
                crossing=Crossing.MESSAGE,
                writer=STABLE,
                reader=CANARY,
                operations=(label,),
                path="",
                message=f"the stable sends {a.content_type}, the canary {b.content_type}: neither reads the other's",
                stable=Place(old.file, pointer=a.payload_pointer),
                canary=Place(new.file, pointer=b.payload_pointer),
            )
        )
    if a.headers is not None and b.headers is not None:
        pointers = (a.headers_pointer, b.headers_pointer)
        _both_ways(merged, comparer, (a.headers, b.headers), pointers, files, label, "headers")
    if a.format != b.format:
        return [
            f"{label}: its payload is {a.format or 'JSON Schema'} in one and {b.format or 'JSON Schema'} in the other"
        ]
    if "avro" in a.format:
        return _avro_payload(merged, a, b, label, files)
    if a.format:
        return [f"{label}: payloads of {a.format} are not compared here"]
    if a.payload is None or b.payload is None:
        return [f"{label}: no payload is described"] if a.payload is not b.payload else []
    _both_ways(merged, comparer, (a.payload, b.payload), (a.payload_pointer, b.payload_pointer), files, label, "")
    return []


def _avro_payload(
    merged: _Merged, a: ChannelMessage, b: ChannelMessage, label: str, files: tuple[str, str]
) -> list[str]:
    documents = [
        avro_document(msgspec.json.encode(m.payload).decode(), file) for m, file in zip((a, b), files, strict=True)
    ]
    breaks, _, _ = _avro(*documents)
    for one in breaks:
        merged.add(
            msgspec.structs.replace(
                one,
                operations=(label,),
                stable=Place(files[0], pointer=a.payload_pointer),
                canary=Place(files[1], pointer=b.payload_pointer),
            )
        )
    return []


def _lost(rule: str, what: str, channel: str, gone: bool, old: EventsDocument, new: EventsDocument) -> Break:
    writer = STABLE if gone else CANARY
    kind = rule.removeprefix("asyncapi-")
    pointer = f"/channels/{channel.replace('~', '~0').replace('/', '~1')}"
    return Break(
        rule=f"{rule}-{'removed' if gone else 'added'}",
        id=fingerprint(rule, what, writer),
        severity=Severity.WARNING if gone else Severity.INFO,
        crossing=Crossing.MESSAGE,
        writer=writer,
        reader=CANARY if gone else STABLE,
        operations=(what,),
        path="",
        message=(
            f"the {'canary' if gone else 'stable'} does not know the {kind} "
            f"`{what}`: what the {writer} sends there stays unread"
        ),
        stable=Place(old.file, pointer=pointer) if gone else None,
        canary=None if gone else Place(new.file, pointer=pointer),
    )


def _both_ways(
    merged: _Merged,
    comparer: Comparer,
    schemas: tuple[Any, Any],
    pointers: tuple[str, str],
    files: tuple[str, str],
    label: str,
    inside: str,
) -> None:
    for reverse, writer in ((False, STABLE), (True, CANARY)):
        for found in comparer.breaks(*schemas, *pointers, reverse=reverse):
            merged.add(_schema_break(found, files, label, inside, writer))


def _schema_break(found: Containment, files: tuple[str, str], label: str, inside: str, writer: str) -> Break:
    unknown = found.answer is Contained.UNKNOWN
    rule = "asyncapi-undecided" if unknown else "asyncapi-open-object" if found.open_only else "asyncapi-value-refused"
    path = ".".join(part for part in (inside, found.path) if part)
    reader = CANARY if writer == STABLE else STABLE
    what = f"`{path}`" if path else "the message"
    message = f"the {reader} refuses {what} as the {writer} may write it: {found.reason or found.keyword}"
    if unknown:
        message = (
            f"it could not be decided whether the {reader} accepts {what} as the {writer} may write it: {found.reason}"
        )
    component = any(pointer.startswith(("/components/", "/$defs/", "/definitions/")) for pointer in found.pointers)
    return Break(
        rule=rule,
        id=fingerprint(rule, found.keyword, *found.pointers, path, writer, "" if component else label),
        severity=Severity.ERROR if rule.endswith("-refused") else Severity.WARNING,
        crossing=Crossing.MESSAGE,
        writer=writer,
        reader=reader,
        operations=(label,),
        path=path,
        message=message,
        witness=found.witness,
        stable=Place(files[0], pointer=found.pointers[0]),
        canary=Place(files[1], pointer=found.pointers[1]),
        unknown=unknown,
    )


# ── what all share ──────────────────────────────────────────────────────────


def _line(file: str, line: int, pointer: str) -> Place:
    return Place(file, line, 1 if line else 0, pointer)


class _Merged:
    """Breaks by fingerprint: the same one in several messages is one, with all of them."""

    def __init__(self) -> None:
        self._found: dict[str, Break] = {}

    def add(self, found: Break) -> None:
        known = self._found.get(found.id)
        if known is None:
            self._found[found.id] = found
            return
        operations = tuple(dict.fromkeys((*known.operations, *found.operations)))
        self._found[found.id] = msgspec.structs.replace(known, operations=operations)

    def breaks(self) -> tuple[Break, ...]:
        order = list(Severity)
        return tuple(
            sorted(self._found.values(), key=lambda one: (order.index(one.severity), one.path, one.rule, one.id))
        )


def _paired(old: list[str], new: list[str]) -> tuple[list[tuple[str, str]], list[tuple[str, bool]]]:
    """Names that are in both (or the only one of each, whatever it is called), and those that are in one: (name, gone)."""
    both = [(name, name) for name in dict.fromkeys(old) if name in new]
    gone, added = [n for n in dict.fromkeys(old) if n not in new], [n for n in dict.fromkeys(new) if n not in old]
    if len(gone) == len(added) == 1 and not both:
        return [(gone[0], added[0])], []
    return both, [*((name, True) for name in gone), *((name, False) for name in added)]


def _placed(breaks: Iterable[Break], paths: tuple[str, str]) -> tuple[Break, ...]:
    """With the lines of the pointers."""
    found = tuple(breaks)
    lines: list[dict[str, tuple[int, int]]] = []
    for path, side in zip(paths, (STABLE, CANARY), strict=True):
        wanted = {place.pointer for one in found if (place := getattr(one, side)) is not None and place.pointer}
        lines.append(pointer_lines(Path(path).read_text(encoding="utf-8-sig"), sorted(wanted)) if wanted else {})

    def at(place: Place | None, known: dict[str, tuple[int, int]]) -> Place | None:
        if place is None or place.pointer not in known:
            return place
        line, column = known[place.pointer]
        return msgspec.structs.replace(place, line=line, column=column)

    return tuple(
        msgspec.structs.replace(one, stable=at(one.stable, lines[0]), canary=at(one.canary, lines[1])) for one in found
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
