"""Where in a text a value stands: line and column of JSON pointers, found only for the few that are told to somebody.

JSON is passed over with the standard library's scanner, which skips a whole value in one step; YAML has kept its nodes.
A place in a mapping is its key, a place in a list the beginning of the item. What is not there (a property that only
the other document has) gets the place of the nearest value around it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from crossfade.formats.documents import ParsedDocument

Position = tuple[int, int]  # line and column, both from 1
_Trie = dict[str, Any]

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)


def positions(document: ParsedDocument, places: Iterable[Sequence[str]]) -> dict[tuple[str, ...], Position]:
    """The position of each place, a JSON pointer as its tokens."""
    wanted = [tuple(place) for place in places]
    if document.node is not None:
        return {place: _yaml_position(document.node, place) for place in wanted}
    offsets = _json_offsets(document.text, wanted)
    return dict(zip(wanted, _lines(document.text, [offsets[place] for place in wanted]), strict=True))


def tokens_of(pointer: str) -> tuple[str, ...]:
    """The tokens of a JSON pointer.

    >>> tokens_of("/paths/~1orders/get")
    ('paths', '/orders', 'get')
    """
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def _yaml_position(root: Any, place: Sequence[str]) -> Position:
    node, shown = root, root
    for token in place:
        if isinstance(node, yaml.MappingNode):
            found = _entry(node, token, 0)
            if found is None:
                break
            shown, node = found
        elif isinstance(node, yaml.SequenceNode) and token.isdigit() and int(token) < len(node.value):
            shown = node = node.value[int(token)]
        else:
            break
    return shown.start_mark.line + 1, shown.start_mark.column + 1


def _entry(node: Any, token: str, depth: int) -> tuple[Any, Any] | None:
    """The key and the value of `token`, merged ones (`<<`) last."""
    merges: list[Any] = []
    for key, value in reversed(node.value):
        if key.tag == "tag:yaml.org,2002:merge":
            merges += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif key.value == token:
            return key, value
    for merge in merges:
        if isinstance(merge, yaml.MappingNode) and depth < 20:
            found = _entry(merge, token, depth + 1)
            if found is not None:
                return found
    return None


def _json_offsets(text: str, places: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], int]:
    """The offset of each place, in one pass."""
    trie: _Trie = {}
    for place in places:
        level = trie
        for token in place:
            level = level.setdefault(token, {})
    found: dict[tuple[str, ...], int] = {}
    _walk(text, _space(text, 0), trie, (), found)
    result: dict[tuple[str, ...], int] = {}
    for place in places:
        nearest = place
        while nearest and nearest not in found:
            nearest = nearest[:-1]
        result[place] = found.get(nearest, _space(text, 0))
    return result


def _walk(text: str, at: int, trie: _Trie, place: tuple[str, ...], found: dict[tuple[str, ...], int]) -> int:
    """Notes the offsets of the places of `trie` in the value at `at`; the offset behind the value."""
    opening = text[at]
    if not trie or opening not in "{[":
        return _DECODER.raw_decode(text, at)[1]
    index = 0
    at = _space(text, at + 1)
    while text[at] not in "}]":
        start = at
        if opening == "{":
            token, at = json.decoder.scanstring(text, at + 1, False)  # type: ignore[attr-defined]
            at = _space(text, _space(text, at) + 1)  # the colon
        else:
            token = str(index)
            index += 1
        inner = trie.get(token)
        if inner is None:
            at = _DECODER.raw_decode(text, at)[1]
        else:
            found[(*place, token)] = start
            at = _walk(text, at, inner, (*place, token), found)
        at = _space(text, at)
        if text[at] == ",":
            at = _space(text, at + 1)
    return at + 1


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _lines(text: str, offsets: Sequence[int]) -> list[Position]:
    """Line and column of offsets: one pass over the text for all of them."""
    known: dict[int, Position] = {}
    line, done = 1, 0
    for offset in sorted(set(offsets)):
        line += text.count("\n", done, offset)
        done = offset
        known[offset] = (line, offset - text.rfind("\n", 0, offset))
    return [known[offset] for offset in offsets]
