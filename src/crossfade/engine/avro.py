"""Avro's schema resolution: can a reader with one schema read every value a writer with another sends?

The rules of the specification (1.12): names without their namespace or by an alias, promotions, defaults of fields
and enums, unions branch by branch, fixed sizes, decimals by precision and scale. Pairs of named types are compared
once; a pair that is being compared is taken to fit, which is right for recursive types (greatest fixpoint)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from crossfade.model.avro import NO_DEFAULT, AvroDocument, AvroField, AvroType
from crossfade.model.compat import Severity

PROMOTIONS = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"), ("float", "double"),
    ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip
_DEEPEST = 60


class AvroProblem(msgspec.Struct, frozen=True):
    """`path` leads from the message to the place ("items[].price"); `value` is what the writer may send there,
    wrapped by the callers up to the whole message. `lines` are those of the writer's and the reader's definition;
    `owner` is the record and field it is in ("shop.Item.price"), the same in every message."""

    rule: str
    path: str
    message: str
    severity: Severity = Severity.ERROR
    value: Any = None
    lines: tuple[int, int] = (0, 0)
    owner: str = ""


def unreadable(
    writer: AvroDocument, reader: AvroDocument, written: AvroType, read: AvroType
) -> tuple[AvroProblem, ...]:
    """What of the values of `written` (in the writer's document) cannot be read as `read` (in the reader's), and what
    is read as something else. Each pair of named types is told once, at the first place it is met."""
    return tuple(_Resolver(writer, reader).problems(written, read))


class _Resolver:
    def __init__(self, writer: AvroDocument, reader: AvroDocument) -> None:
        self._writer = writer
        self._reader = reader
        self._seen: dict[tuple[str, str], bool] = {}

    def problems(self, written: AvroType, read: AvroType, path: str = "", depth: int = 0) -> Iterator[AvroProblem]:
        w, r = _real(self._writer, written), _real(self._reader, read)
        if w.kind == "union":
            for branch in w.branches:
                yield from self.problems(branch, read, path, depth + 1)
            return
        if r.kind == "union":
            yield from self._into_union(w, written, r, path, depth)
            return
        if (mismatch := self._mismatch(w, r)) is not None:
            rule, message = mismatch
            yield AvroProblem(rule, path, message, value=self.example(written), lines=(w.line, r.line))
            return
        yield from _logical(w, r, path, self.example(written))
        if w.kind == "array":
            assert w.items is not None and r.items is not None
            for one in self.problems(w.items, r.items, f"{path}[]", depth + 1):
                yield msgspec.structs.replace(one, value=[one.value])
        elif w.kind == "map":
            assert w.items is not None and r.items is not None
            for one in self.problems(w.items, r.items, f"{path}.*".lstrip("."), depth + 1):
                yield msgspec.structs.replace(one, value={"key": one.value})
        elif w.kind == "enum":
            yield from _symbols(w, r, path)
        elif w.kind == "record":
            key = (w.name, r.name)
            if key not in self._seen:
                self._seen[key] = True
                yield from self._fields(w, r, path, depth)

    def _fields(self, w: AvroType, r: AvroType, path: str, depth: int) -> Iterator[AvroProblem]:
        by_name = {field.name: field for field in w.fields}
        for field in r.fields:
            inside = f"{path}.{field.name}".lstrip(".")
            source = by_name.get(field.name) or next((by_name[a] for a in field.aliases if a in by_name), None)
            if source is None:
                if field.default == NO_DEFAULT:
                    renamed = _renamed(w, r, field)
                    tail = f"; it may be the writer's `{renamed}`, which an alias would tell" if renamed else ""
                    yield AvroProblem(
                        "avro-field-without-default",
                        inside,
                        f"the reader wants `{field.name}`, which the writer does not send, and has no default for it{tail}",
                        value=self.example(AvroType("named", w.name))
                        if w.name in self._writer.named
                        else self._record(w, 0),
                        lines=(w.line, field.line),
                        owner=f"{r.name}.{field.name}",
                    )
                continue
            for one in self.problems(source.type, field.type, inside, depth + 1):
                lines = (one.lines[0] or source.line, one.lines[1] or field.line)
                value = {**self._record(w, 1), source.name: one.value}
                owner = one.owner or f"{w.name}.{source.name}"
                yield msgspec.structs.replace(one, value=value, lines=lines, owner=owner)

    def _into_union(self, w: AvroType, written: AvroType, r: AvroType, path: str, depth: int) -> Iterator[AvroProblem]:
        """The branch a reader takes: one of the same name or kind, else the first the value can be promoted to."""
        real = [_real(self._reader, branch) for branch in r.branches]
        fitting = [branch for branch in real if self._mismatch(w, branch) is None]
        exact = [branch for branch in fitting if branch.kind == w.kind and branch.name == w.name]
        for branch in (*exact, *fitting):
            found = list(self.problems(w, branch, path, depth + 1))
            if not found or branch is (exact or fitting)[-1]:
                yield from found
                return
        names = ", ".join(_told(branch) for branch in real)
        yield AvroProblem(
            "avro-union-branch-removed",
            path,
            f"the writer may send {_told(w)}, the reader knows {names} only",
            value=self.example(written),
            lines=(w.line, r.line),
        )

    def _mismatch(self, w: AvroType, r: AvroType) -> tuple[str, str] | None:
        """Why two types that are no unions do not match at all."""
        if w.kind == r.kind:
            if w.kind == "fixed" and w.size != r.size:
                return "avro-fixed-size-changed", f"the writer sends {w.size} bytes, the reader wants {r.size}"
            if w.kind in ("record", "enum", "fixed") and not _same_name(w, r):
                return (
                    "avro-name-changed",
                    f"the writer's {w.kind} `{w.name}` is `{r.name}` at the reader, without an alias",
                )
            return None
        if (w.kind, r.kind) in PROMOTIONS:
            return None
        return "avro-type-changed", f"the writer sends {_told(w)}, the reader wants {_told(r)}"

    def example(self, written: AvroType, depth: int = 0) -> Any:
        """A small value of a writer's type, as JSON; recursion is ended where it can be."""
        w = _real(self._writer, written)
        if w.kind == "record":
            return self._record(w, depth)
        if w.kind == "union":
            plain = next((branch for branch in w.branches if branch.kind == "null"), None)
            return None if plain is not None or not w.branches else self.example(w.branches[0], depth + 1)
        if w.kind == "enum":
            return w.symbols[0] if w.symbols else ""
        if w.kind == "fixed":
            return "\0" * w.size
        simple = {
            "null": None,
            "boolean": True,
            "int": 1,
            "long": 1,
            "float": 1.5,
            "double": 1.5,
            "bytes": "x",
            "string": "x",
        }
        return [] if w.kind == "array" else {} if w.kind == "map" else simple.get(w.kind)

    def _record(self, w: AvroType, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            return {}
        return {field.name: self.example(field.type, depth + 1) for field in w.fields}


def _real(document: AvroDocument, kind: AvroType) -> AvroType:
    return document.named[kind.name] if kind.kind == "named" else kind


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _same_name(w: AvroType, r: AvroType) -> bool:
    if _short(w.name) == _short(r.name):
        return True
    return w.name in r.aliases or _short(w.name) in {_short(alias) for alias in r.aliases}


def _symbols(w: AvroType, r: AvroType, path: str) -> Iterator[AvroProblem]:
    for symbol in w.symbols:
        if symbol in r.symbols:
            continue
        if r.default is not None:
            message = f"the reader does not know `{symbol}` of `{_short(w.name)}` and takes it for `{r.default}`"
            severity = Severity.WARNING
        else:
            message = f"the reader does not know `{symbol}` of `{_short(w.name)}`, and has no default for it"
            severity = Severity.ERROR
        yield AvroProblem("avro-enum-symbol-unknown", path, message, severity, symbol, (w.line, r.line))


def _logical(w: AvroType, r: AvroType, path: str, value: Any) -> Iterator[AvroProblem]:
    if w.logical == r.logical or w.kind in ("record", "enum", "array", "map"):
        return
    if w.logical[:1] == ("decimal",) and r.logical[:1] == ("decimal",):
        message = (
            f"the writer's decimal({w.logical[1]}, {w.logical[2]}) is read as decimal({r.logical[1]}, {r.logical[2]})"
        )
        scaled = w.logical[2] != r.logical[2]
        narrower = w.logical[1].isdigit() and r.logical[1].isdigit() and int(w.logical[1]) > int(r.logical[1])
        if scaled or narrower:
            tail = ": a number with its point elsewhere" if scaled else ": long numbers do not fit"
            severity = Severity.ERROR if scaled else Severity.WARNING
            yield AvroProblem("avro-logical-type-changed", path, message + tail, severity, value)
        return
    if not w.logical or not r.logical:
        named, other = (r.logical, "a plain value") if r.logical else (w.logical, "its logical type")
        message = (
            f"the reader takes {other} for {named[0]}"
            if r.logical
            else f"the reader does not know that it is {named[0]}"
        )
        yield AvroProblem("avro-logical-type-changed", path, message, Severity.WARNING, value)
        return
    message = f"the writer's {w.logical[0]} is read as {r.logical[0]}: another moment or amount, without an error"
    yield AvroProblem("avro-logical-type-changed", path, message, Severity.ERROR, value)


def _renamed(w: AvroType, r: AvroType, field: AvroField) -> str:
    """The only field of the writer that the reader does not know and that has the same kind."""
    known = {one.name for one in r.fields} | {alias for one in r.fields for alias in one.aliases}
    others = [one for one in w.fields if one.name not in known and one.type.kind == field.type.kind]
    return others[0].name if len(others) == 1 else ""


def _told(kind: AvroType) -> str:
    return f"the {kind.kind} `{_short(kind.name)}`" if kind.name else f"`{kind.kind}`"
