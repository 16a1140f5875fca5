"""Protobuf schemas to `ProtoDocument`: .proto texts (proto2, proto3, editions) by a small parser of our own, with lines.

Imports are looked for beside the file, in the folders given, and in the folders above the file (where
`shop/v1/item.proto` is asked for from inside `shop/v1`). What is not found is noted; its types are compared by name.
Descriptor sets are read by `formats.proto_descriptors`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from crossfade.errors import ContractError
from crossfade.formats.proto_descriptors import document_of_descriptor_set
from crossfade.model.proto import ProtoDocument, ProtoEnum, ProtoField, ProtoMessage, ProtoMethod, ProtoService

SCALARS = frozenset(
    [
        "double",
        "float",
        "int32",
        "int64",
        "uint32",
        "uint64",
        "sint32",
        "sint64",
        "fixed32",
        "fixed64",
        "sfixed32",
        "sfixed64",
        "bool",
        "string",
        "bytes",
    ]
)
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/)|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      |(?P<word>\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      |(?P<mark>.)""",
    re.X | re.S,
)
_MAX = 536_870_911


class _Token(msgspec.Struct, frozen=True):
    kind: str
    value: str
    line: int


def read_proto(path: str | Path, includes: Sequence[str | Path] = ()) -> ProtoDocument:
    """A .proto file with its imports, a folder of them, or a descriptor set. Raises ContractError."""
    place = Path(path)
    if place.is_dir():
        files = sorted(place.rglob("*.proto"))
        if not files:
            raise ContractError(f"there is no .proto file in `{path}`", where=str(path))
        return _joined(str(path), [_read(file, [place, *map(Path, includes)]) for file in files])
    if place.suffix in (".proto", ""):
        return _read(place, list(map(Path, includes)))
    try:
        return document_of_descriptor_set(place.read_bytes(), str(path))
    except OSError as problem:
        raise ContractError(f"`{path}` cannot be read: {problem.strerror}", where=str(path)) from None


def _read(path: Path, includes: list[Path]) -> ProtoDocument:
    todo, done = [path], set[Path]()
    found: list[ProtoDocument] = []
    missing: list[str] = []
    while todo:
        file = todo.pop(0)
        if file.resolve() in done:
            continue
        done.add(file.resolve())
        try:
            text = file.read_text(encoding="utf-8-sig")
        except OSError as problem:
            raise ContractError(f"`{file}` cannot be read: {problem.strerror}", where=str(file)) from None
        except UnicodeDecodeError:
            raise ContractError(f"`{file}` is not UTF-8", where=str(file), hint="save the file as UTF-8") from None
        document, imports = parse_proto(text, str(file))
        found.append(document)
        for name in imports:
            folders = [file.parent, *includes, *file.parent.resolve().parents]
            where = next((folder / name for folder in folders if (folder / name).is_file()), None)
            if where is not None:
                todo.append(where)
            elif not name.startswith("google/"):
                missing.append(name)
    return msgspec.structs.replace(resolved(_joined(str(path), found)), missing=tuple(dict.fromkeys(missing)))


def _joined(file: str, documents: Sequence[ProtoDocument]) -> ProtoDocument:
    return ProtoDocument(
        file,
        {name: one for document in documents for name, one in document.messages.items()},
        {name: one for document in documents for name, one in document.enums.items()},
        {name: one for document in documents for name, one in document.services.items()},
        tuple(dict.fromkeys(name for document in documents for name in document.missing)),
    )


def parse_proto(text: str, shown: str) -> tuple[ProtoDocument, tuple[str, ...]]:
    """One file, its types as written (see `resolved`), and what it imports."""
    return _Parser(text, shown).file()


def resolved(document: ProtoDocument) -> ProtoDocument:
    """With full names in the place of those that are relative to where they stand."""
    known = {*document.messages, *document.enums}

    def full(name: str, scope: str) -> str:
        if name in SCALARS:
            return name
        if name.startswith("."):
            return name[1:]
        while True:
            candidate = f"{scope}.{name}" if scope else name
            if candidate in known or not scope:
                return candidate
            scope = scope.rpartition(".")[0]

    messages = {}
    for name, message in document.messages.items():
        fields = []
        for field in message.fields:
            if field.value:
                value = full(field.value, name)
                fields.append(msgspec.structs.replace(field, value=value, type=f"map<{field.key}, {value}>"))
            else:
                fields.append(msgspec.structs.replace(field, type=full(field.type, name)))
        messages[name] = msgspec.structs.replace(message, fields=tuple(fields))
    services = {
        name: msgspec.structs.replace(
            service,
            methods=tuple(
                msgspec.structs.replace(one, request=full(one.request, name), response=full(one.response, name))
                for one in service.methods
            ),
        )
        for name, service in document.services.items()
    }
    return msgspec.structs.replace(document, messages=messages, services=services)


class _Parser:
    def __init__(self, text: str, shown: str) -> None:
        self._shown = shown
        self._tokens: list[_Token] = []
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "space":
                self._tokens.append(_Token(match.lastgroup or "", match.group(), line))
            line += match.group().count("\n")
        self._end = _Token("end", "the end of the file", line)
        self._at = 0
        self._syntax = "proto2"
        self._package = ""
        self._messages: dict[str, ProtoMessage] = {}
        self._enums: dict[str, ProtoEnum] = {}
        self._services: dict[str, ProtoService] = {}
        self._extensions: list[tuple[str, ProtoField]] = []

    def file(self) -> tuple[ProtoDocument, tuple[str, ...]]:
        imports: list[str] = []
        while self._at < len(self._tokens):
            word = self._take()
            if word.value in ("syntax", "edition"):
                self._expect("=")
                self._syntax = self._take().value.strip("\"'")
                self._expect(";")
            elif word.value == "package":
                self._package = self._take().value
                self._expect(";")
            elif word.value == "import":
                if self._peek.value in ("public", "weak", "option"):
                    self._take()
                imports.append(self._take().value.strip("\"'"))
                self._expect(";")
            elif word.value == "option":
                self._skip_statement()
            elif word.value == "message":
                self._message(self._package)
            elif word.value == "enum":
                self._enum(self._package)
            elif word.value == "service":
                self._service()
            elif word.value == "extend":
                self._extend(self._package)
            elif word.value in ("export", "local"):
                continue
            elif word.value != ";":
                self._refuse(word, "a message, enum or service")
        for name, field in self._extensions:
            if name in self._messages:
                message = self._messages[name]
                self._messages[name] = msgspec.structs.replace(message, fields=(*message.fields, field))
        document = ProtoDocument(self._shown, self._messages, self._enums, self._services)
        return document, tuple(imports)

    # ── pieces ──────────────────────────────────────────────────────────────

    def _message(self, scope: str, nested: bool = False, name: str = "") -> str:
        line = self._peek.line
        full = _within(scope, name or self._take().value)
        fields: list[ProtoField] = []
        ranges: list[tuple[int, int]] = []
        names: list[str] = []
        self._expect("{")
        while (token := self._take()).value != "}":
            if token.value in ("message", "enum") and self._peek.kind == "word" and self._ahead(1).value == "{":
                self._message(full, nested=True) if token.value == "message" else self._enum(full)
            elif token.value == "oneof" and self._ahead(1).value == "{":
                fields += self._oneof(full)
            elif token.value == "reserved":
                found, words = self._reserved()
                ranges += found
                names += words
            elif token.value in ("option", "extensions"):
                self._skip_statement()
            elif token.value == "extend" and self._ahead(1).value == "{":
                self._extend(full)
            elif token.value != ";":
                self._at -= 1
                fields.append(self._field(full))
        self._messages[full] = ProtoMessage(full, tuple(fields), tuple(ranges), tuple(names), nested, self._shown, line)
        return full

    def _oneof(self, scope: str) -> list[ProtoField]:
        name = self._take().value
        self._expect("{")
        found = []
        while (token := self._take()).value != "}":
            if token.value == "option":
                self._skip_statement()
            elif token.value != ";":
                self._at -= 1
                found.append(msgspec.structs.replace(self._field(scope), oneof=name))
        return found

    def _field(self, scope: str) -> ProtoField:
        label = ""
        first = self._take()
        if first.value in ("optional", "required", "repeated") and self._peek.kind == "word":
            label, first = first.value, self._take()
        key = value = ""
        kind = first.value
        if kind == "map" and self._peek.value == "<":
            self._take()
            key = self._take().value
            self._expect(",")
            value = self._take().value
            self._expect(">")
            kind = f"map<{key}, {value}>"
        name = self._take()
        if name.kind != "word":
            self._refuse(name, "the name of a field")
        self._expect("=")
        number = self._number()
        json_name, default, packed = _json_name(name.value), None, self._syntax != "proto2"
        presence = ""
        if self._peek.value == "[":
            for option, given in self._options():
                if option == "json_name":
                    json_name = given
                elif option == "default":
                    default = given
                elif option == "packed":
                    packed = given == "true"
                elif option == "features.field_presence":
                    presence = given
        if not label and not key and self._syntax.isdigit():
            label = "" if presence == "IMPLICIT" else "required" if presence == "LEGACY_REQUIRED" else "optional"
        if kind == "group":
            kind = self._message(scope, nested=True, name=name.value)
            return ProtoField(name.value.lower(), number, "." + kind, label, json_name=json_name, line=name.line)
        self._expect(";")
        return ProtoField(name.value, number, kind, label, "", json_name, default, key, value, packed, name.line)

    def _enum(self, scope: str) -> None:
        line = self._peek.line
        full = _within(scope, self._take().value)
        values: list[tuple[str, int]] = []
        closed = self._syntax == "proto2"
        self._expect("{")
        while (token := self._take()).value != "}":
            if token.value == "option":
                text = self._skip_statement()
                closed = "CLOSED" in text if "enum_type" in text else closed
            elif token.value == "reserved":
                self._reserved()
            elif token.value != ";":
                self._expect("=")
                values.append((token.value, self._number()))
                if self._peek.value == "[":
                    self._options()
                self._expect(";")
        self._enums[full] = ProtoEnum(full, tuple(values), closed, self._shown, line)

    def _service(self) -> None:
        line = self._peek.line
        full = _within(self._package, self._take().value)
        methods: list[ProtoMethod] = []
        self._expect("{")
        while (token := self._take()).value != "}":
            if token.value == "rpc":
                name = self._take()
                request, client = self._streamed()
                self._expect("returns")
                response, server = self._streamed()
                if self._peek.value == "{":
                    self._skip_block()
                else:
                    self._expect(";")
                methods.append(ProtoMethod(name.value, request, response, client, server, name.line))
            elif token.value != ";":
                self._skip_statement()
        self._services[full] = ProtoService(full, tuple(methods), self._shown, line)

    def _streamed(self) -> tuple[str, bool]:
        self._expect("(")
        word = self._take().value
        streams = word == "stream" and self._peek.value != ")"
        word = self._take().value if streams else word
        self._expect(")")
        return word, streams

    def _extend(self, scope: str) -> None:
        target = self._take().value
        name = target[1:] if target.startswith(".") else _within(self._package, target)
        self._expect("{")
        while self._peek.value != "}":
            if self._peek.value == ";":
                self._take()
            else:
                self._extensions.append((name, self._field(scope)))
        self._take()

    def _reserved(self) -> tuple[list[tuple[int, int]], list[str]]:
        ranges: list[tuple[int, int]] = []
        names: list[str] = []
        while (token := self._take()).value != ";":
            if token.kind == "string" or (token.kind == "word" and token.value not in ("to", "max")):
                names.append(token.value.strip("\"'"))
            elif token.value not in (",",):
                self._at -= 1
                low = high = self._number()
                if self._peek.value == "to":
                    self._take()
                    high = _MAX if self._peek.value == "max" else self._number()
                    if self._peek.value == "max":
                        self._take()
                ranges.append((low, high))
        return ranges, names

    def _options(self) -> list[tuple[str, str]]:
        """`[json_name = "x", (custom).y = {...}]`."""
        found: list[tuple[str, str]] = []
        self._expect("[")
        name, value, depth, after = "", "", 0, False
        while True:
            token = self._take()
            if token.kind == "end":
                self._refuse(token, "`]`")
            if depth == 0 and token.value in (",", "]"):
                found.append((name, value))
                name, value, after = "", "", False
                if token.value == "]":
                    return found
                continue
            depth += 1 if token.value in "{[" else -1 if token.value in "}]" else 0
            if token.value == "=" and depth == 0 and not after:
                after = True
            elif after:
                value += token.value.strip("\"'") if token.kind == "string" else token.value
            else:
                name += token.value

    def _skip_statement(self) -> str:
        text, depth = "", 0
        while True:
            token = self._take()
            if token.kind == "end":
                self._refuse(token, "`;`")
            depth += 1 if token.value in ("{", "[") else -1 if token.value in ("}", "]") else 0
            if token.value == ";" and depth <= 0:
                return text
            text += token.value

    def _skip_block(self) -> None:
        depth = 1
        self._expect("{")
        while depth:
            token = self._take()
            if token.kind == "end":
                self._refuse(token, "`}`")
            depth += 1 if token.value == "{" else -1 if token.value == "}" else 0

    # ── tokens ──────────────────────────────────────────────────────────────

    @property
    def _peek(self) -> _Token:
        return self._ahead(0)

    def _ahead(self, count: int) -> _Token:
        return self._tokens[self._at + count] if self._at + count < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._peek
        self._at += 1
        if token.kind == "end" and self._at > len(self._tokens) + 3:
            self._refuse(token, "more")
        return token

    def _expect(self, mark: str) -> None:
        token = self._take()
        if token.value != mark:
            self._refuse(token, f"`{mark}`")

    def _number(self) -> int:
        token = self._take()
        sign = -1 if token.value == "-" else 1
        token = self._take() if sign < 0 else token
        octal = len(token.value) > 1 and token.value.startswith("0") and token.value.isdigit()
        try:
            value = int(token.value, 8 if octal else 0)
        except ValueError:
            self._refuse(token, "a number")
        return sign * value

    def _refuse(self, token: _Token, wanted: str) -> NoReturn:
        raise ContractError(f"`{token.value}` where {wanted} is expected", where=f"{self._shown}:{token.line}")


def _within(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def _json_name(name: str) -> str:
    """
    >>> _json_name("order_id"), _json_name("a_2b")
    ('orderId', 'a2b')
    """
    return re.sub(r"_+([A-Za-z0-9])", lambda match: match.group(1).upper(), name).replace("_", "")
