"""Coloured text for a terminal: escape codes where colour is wanted, plain text elsewhere, and glyphs the stream can
encode. Widths are counted on plain text, so wrapping never depends on colour."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

import msgspec

_CODES = {
    "bold": "1",
    "dim": "2",
    "stable": "94",
    "canary": "33",
    "fail": "31",
    "pass": "32",
    "warn": "35",
}
_UNICODE = {
    "line": "─", "arrow": "→", "cross": "✗", "tick": "✓", "dot": "·", "stable": "█", "canary": "░", "diamond": "◆",
    "back": "↩", "dash": "–", "more": "…", "right": "→",
    "wall": "│", "crossing": "┼", "held": "|", "go": ">",
}  # fmt: skip
_ASCII = {
    "line": "-", "arrow": ">", "cross": "x", "tick": "+", "dot": ".", "stable": "#", "canary": ":", "diamond": "*",
    "back": "<", "dash": "-", "more": "...", "right": "->",
    "wall": ":", "crossing": "+", "held": "|", "go": ">",
}  # fmt: skip


class Piece(msgspec.Struct, frozen=True):
    """A word or run of words that is not broken over lines."""

    text: str
    styles: tuple[str, ...] = ()


class Ink(msgspec.Struct, frozen=True):
    """How to write on one stream."""

    color: bool
    ascii_only: bool
    width: int

    def glyph(self, name: str) -> str:
        return (_ASCII if self.ascii_only else _UNICODE)[name]

    def paint(self, text: str, *styles: str) -> str:
        codes = ";".join(_CODES[style] for style in styles if style in _CODES)
        return f"\x1b[{codes}m{text}\x1b[0m" if self.color and codes and text else text

    def wrapped(self, text: str, indent: str = "", hanging: str | None = None, *styles: str) -> list[str]:
        """`text` as lines within the width, painted line by line."""
        pieces = [Piece(word, styles) for word in text.split()]
        return self.flowed(pieces, indent, hanging)

    def flowed(self, pieces: Sequence[Piece], indent: str = "", hanging: str | None = None) -> list[str]:
        """Pieces set with one space between them, broken between pieces only; a piece longer than a line is cut into
        lines. The first line begins with `indent`, the others with `hanging` (or `indent`)."""
        hanging = indent if hanging is None else hanging
        lines: list[str] = []
        line, used = indent, display_width(indent)
        empty = True
        for piece in self._cut(pieces, self.width - display_width(hanging)):
            size = display_width(piece.text)
            if not empty and used + 1 + size > self.width:
                lines.append(line)
                line, used, empty = hanging, display_width(hanging), True
            line += ("" if empty else " ") + self.paint(piece.text, *piece.styles)
            used += size + (0 if empty else 1)
            empty = False
        return lines if empty and lines else [*lines, line]

    def _cut(self, pieces: Sequence[Piece], room: int) -> list[Piece]:
        """Long pieces cut so that each fits into a line of `room` columns."""
        room = max(room, 8)
        result: list[Piece] = []
        for piece in pieces:
            text = piece.text
            while display_width(text) > room:
                head = fitted(text, room)
                result.append(Piece(head, piece.styles))
                text = text[len(head) :]
            result.append(Piece(text, piece.styles))
        return result


def ink_for(stream: TextIO, color: bool | None, width: int | None, environ: Mapping[str, str] = os.environ) -> Ink:
    """`color` None: colour on a terminal unless NO_COLOR is set or TERM is dumb. `width` None: the terminal's, at most
    100 columns; 80 where there is no terminal; never below 60."""
    terminal = is_terminal(stream)
    if color is None:
        color = terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    if width is None:
        width = min(_columns(stream, environ), 100) if terminal else 80
    return Ink(color, not _encodes(stream, "".join(_UNICODE.values())), max(width, 60))


def is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def display_width(text: str) -> int:
    """Columns on a terminal: wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def fitted(text: str, columns: int) -> str:
    """The longest beginning of `text` that fits into `columns`; at least one character."""
    used = 0
    for index, character in enumerate(text):
        used += display_width(character)
        if used > columns:
            return text[: max(index, 1)]
    return text


def padded(text: str, columns: int, more: str = "…") -> str:
    """`text` cut or filled to exactly `columns`."""
    if display_width(text) > columns:
        text = fitted(text, max(columns - len(more), 1)) + more
    return text + " " * (columns - display_width(text))


def _columns(stream: TextIO, environ: Mapping[str, str]) -> int:
    if environ.get("COLUMNS", "").isdigit() and int(environ["COLUMNS"]) > 0:
        return int(environ["COLUMNS"])
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _encodes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
