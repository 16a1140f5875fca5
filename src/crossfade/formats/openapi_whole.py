"""A whole OpenAPI 3.0 or 3.1 document (JSON or YAML, over one file or several) for comparison, and the places in it.

Files a `$ref` names are taken in under one key of the root, so that all that follows knows one document and one kind of
reference. Documents of one file are not even walked: a look at the text tells that nothing has to be turned around.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from crossfade.errors import ContractError
from crossfade.formats.documents import ParsedDocument, read_document
from crossfade.formats.openapi import openapi_root
from crossfade.formats.positions import positions, tokens_of
from crossfade.model.compat import Place
from crossfade.model.openapi import EMBEDDED, OpenApiDocument, join

_REFERENCE = re.compile(r"""\$(?:dynamicR|r)ef["']?\s*:\s*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s,}"'][^\s,}]*))""")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_MISSING = object()


class OpenApiFiles:
    """The files of one document. `document` is what is compared; `locate` finds lines later, for what is told."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path = path.resolve()
        self._shown = shown
        self._files: dict[Path, ParsedDocument] = {}
        self._names: dict[Path, str] = {}  # of embedded files
        self._notes: list[str] = []
        root = openapi_root(self._file(self._path).value, shown)
        self.document = OpenApiDocument(shown, str(root["openapi"]), self._whole(root), tuple(self._notes))

    def locate(self, pointers: Iterable[str]) -> dict[str, Place]:
        """File, line and column of places in `document.root`."""
        wanted = {pointer: self._origin(tokens_of(pointer)) for pointer in dict.fromkeys(pointers)}
        by_file: dict[Path, list[tuple[str, ...]]] = {}
        for file, tokens in wanted.values():
            by_file.setdefault(file, []).append(tokens)
        found = {file: positions(self._file(file), places) for file, places in by_file.items()}
        return {
            pointer: Place(self._named(file), *found[file][tokens], join("", *tokens))
            for pointer, (file, tokens) in wanted.items()
        }

    # -- one document out of several files ------------------------------------------------------------------------

    def _whole(self, root: dict[str, Any]) -> dict[str, Any]:
        if self._plain(self._path, root):
            return root
        embedded: dict[str, Any] = {}
        whole = self._turned(root, self._path, "")
        todo = list(self._names)
        while todo:
            file = todo.pop(0)
            known = set(self._names)
            embedded[self._names[file]] = self._turned(self._file(file).value, file, "")
            todo += [other for other in self._names if other not in known]
        return {**whole, EMBEDDED: embedded} if embedded else dict(whole)

    def _plain(self, file: Path, root: Any) -> bool:
        """Whether every `$ref` of the file is a pointer that leads to something in it. Texts that only look like one
        (in a description) make it slower, not wrong."""
        references = {next(filter(None, each), "") for each in _REFERENCE.findall(self._file(file).text)}
        return all(
            reference.startswith("#/") and "%" not in reference and _at(root, tokens_of(reference)) is not _MISSING
            for reference in references
        )

    def _turned(self, value: Any, file: Path, pointer: str) -> Any:
        """`value` with its references turned to pointers into the one document; the same object where none changed."""
        if isinstance(value, list):
            items = [self._turned(item, file, f"{pointer}/{index}") for index, item in enumerate(value)]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        if not isinstance(value, dict):
            return value
        changed: dict[str, Any] = {}
        for key, item in value.items():
            at = join(pointer, key)
            if key in ("$ref", "$dynamicRef") and isinstance(item, str):
                turned = self._reference(item, file, at)
                if turned is None:
                    return {name: inner for name, inner in value.items() if name != key}
                if turned != item:
                    changed[key] = turned
            elif key == "mapping" and isinstance(item, dict) and "propertyName" in value:
                changed[key] = {name: self._mapped(target, file, at) for name, target in item.items()}
            elif key not in ("example", "examples", "default", "enum", "const") or pointer.endswith("/properties"):
                inner = self._turned(item, file, at)
                if inner is not item:
                    changed[key] = inner
        return {**value, **changed} if changed else value

    def _mapped(self, target: Any, file: Path, pointer: str) -> Any:
        if not isinstance(target, str) or target.startswith("#") or not ("/" in target or "#" in target):
            return target
        return self._reference(target, file, pointer) or target

    def _reference(self, reference: str, file: Path, pointer: str) -> str | None:
        """The pointer it means; None: it is not fetched and accepts everything here."""
        own = self._identified(reference, file)
        if own is not None:
            return own
        if _REMOTE.match(reference):
            self._notes.append(
                f"{self._where(file, pointer)}: `{reference}` is not fetched: it accepts everything here"
            )
            return None
        address, _, fragment = reference.partition("#")
        target = file if not address else (file.parent / unquote(address)).resolve()
        if target != file and not target.is_file():
            raise ContractError(
                f"`$ref` `{reference}` points at a missing file",
                where=self._where(file, pointer),
                hint=f"`{self._named(target)}` was looked for",
            )
        root = self._file(target).value
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            tokens = next((place for name, place in _anchors(root) if name == fragment), None)
        else:
            tokens = tokens_of(fragment)
        if tokens is None or _at(root, tokens) is _MISSING:
            raise ContractError(
                f"`$ref` `{reference}` points at nothing",
                where=self._where(file, pointer),
                hint=_near(root, tokens or ()),
            )
        return "#" + join(self._prefix(target), *tokens)

    def _identified(self, reference: str, file: Path) -> str | None:
        """The place of a schema of this file whose `$id` the reference names."""
        address, _, fragment = reference.partition("#")
        if not address or (fragment and not fragment.startswith("/")) or "$id" not in self._file(file).text:
            return None
        place = next((place for name, place in _anchors(self._file(file).value, ("$id",)) if name == address), None)
        return None if place is None else "#" + join(self._prefix(file), *place) + unquote(fragment)

    def _prefix(self, file: Path) -> str:
        if file == self._path:
            return ""
        if file not in self._names:
            self._names[file] = _relative(file, self._path.parent)
        return join("", EMBEDDED, self._names[file])

    # -- files and places -----------------------------------------------------------------------------------------

    def _file(self, file: Path) -> ParsedDocument:
        if file not in self._files:
            self._files[file] = read_document(file, self._named(file))
        return self._files[file]

    def _named(self, file: Path) -> str:
        if file == self._path:
            return self._shown
        return str(Path(self._shown).parent / _relative(file, self._path.parent))

    def _origin(self, tokens: tuple[str, ...]) -> tuple[Path, tuple[str, ...]]:
        if tokens[:1] == (EMBEDDED,) and len(tokens) > 1:
            file = next((file for file, name in self._names.items() if name == tokens[1]), None)
            if file is not None:
                return file, tokens[2:]
        return self._path, tokens

    def _where(self, file: Path, pointer: str) -> str:
        tokens = tokens_of(pointer)
        line, column = positions(self._file(file), [tokens])[tokens]
        return f"{self._named(file)}:{line}:{column}"


def _relative(file: Path, folder: Path) -> str:
    import os.path

    return Path(os.path.relpath(file, folder)).as_posix()


def _at(value: Any, tokens: Iterable[str]) -> Any:
    for token in tokens:
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return _MISSING
    return value


def _near(root: Any, tokens: tuple[str, ...]) -> str:
    for count, token in enumerate(tokens):
        around = _at(root, tokens[:count])
        if _at(root, tokens[: count + 1]) is _MISSING:
            close = difflib.get_close_matches(token, list(around), 1) if isinstance(around, dict) else []
            return f"did you mean `{close[0]}`?" if close else ""
    return ""


def _anchors(root: Any, keys: tuple[str, ...] = ("$anchor", "$dynamicAnchor")) -> Iterator[tuple[str, tuple[str, ...]]]:
    waiting: list[tuple[Any, tuple[str, ...]]] = [(root, ())]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, dict):
            for key in keys:
                if isinstance(value.get(key), str):
                    yield value[key], place
            waiting.extend((item, (*place, key)) for key, item in value.items())
        elif isinstance(value, list):
            waiting.extend((item, (*place, str(index))) for index, item in enumerate(value))
