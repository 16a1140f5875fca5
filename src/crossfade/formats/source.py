"""A text somebody wrote, and the error screen that points into it.

Lines and columns count from 1, columns in characters. A screen names the place, shows the line and puts a caret
under the offending characters; several problems of one text make one screen, in the order of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crossfade.errors import ContractError
from crossfade.model.ramp import Position

LARGEST = 10_000_000  # bytes
MOST_PROBLEMS = 10
LONGEST_SENTENCE = 300  # characters
WIDEST = 140  # columns of a source line shown in a screen

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line
_NOT_PRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")  # to YAML


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: a sentence in lower case, where, and what to do."""

    message: str
    place: Position
    hint: str = ""


class Source(msgspec.Struct, frozen=True):
    """A text and its name as the user gave it."""

    name: str
    text: str
    lines: tuple[str, ...]

    def position(self, line: int, column: int, length: int = 1) -> Position:
        return Position(self.name, line, column, max(1, length))

    def position_at(self, offset: int, length: int = 1) -> Position:
        """The place of the character at `offset` of the text."""
        before = split_lines(self.text[:offset])
        return self.position(len(before), len(before[-1]) + 1, length)


def read_source(path: str | Path) -> Source:
    """The text of a file. Raises ContractError for a file that is missing, unreadable, over 10 MB or not UTF-8 text."""
    name = str(path)
    data = _read_bytes(name)
    if len(data) > LARGEST:
        raise ContractError(
            "a contract over 10 MB", where=name, hint="keep large bodies out of it; a contract has some hundred lines"
        )
    try:
        source = source_of(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _not_utf8(name, data, error.start) from None
    if found := _NOT_PRINTABLE.search(source.text):
        raise error_of(source, [_unprintable(source, found.start())])
    return source


def source_of(name: str, text: str) -> Source:
    return Source(name, text, tuple(split_lines(text)))


def split_lines(text: str) -> list[str]:
    """The lines as YAML counts them; always at least one.

    >>> split_lines("a\\r\\nb\\n")
    ['a', 'b', '']
    """
    return _LINE_BREAK.split(text)


def error_of(source: Source, problems: Sequence[Problem]) -> ContractError:
    """All problems as one exception; its message, place and hint are those of the first."""
    problems = [Problem(_shown(item.message), item.place, _shown(item.hint)) for item in problems]
    ordered = sorted(set(problems), key=lambda problem: (problem.place.line, problem.place.column, problem.message))
    first = ordered[0]
    screens = [screen_of(source, problem) for problem in ordered[:MOST_PROBLEMS]]
    if len(ordered) > MOST_PROBLEMS:
        more = len(ordered) - MOST_PROBLEMS
        screens.append(f"... and {more} more problem{'s' if more > 1 else ''} in {source.name}")
    return ContractError(first.message, where=str(first.place), hint=first.hint, screen="\n\n".join(screens))


def screen_of(source: Source, problem: Problem) -> str:
    """The five lines that show one problem in its text."""
    place = problem.place
    line = source.lines[place.line - 1] if place.line <= len(source.lines) else ""
    shown, start, length = _window(line, place.column - 1, place.length)
    number = str(place.line).rjust(2)
    blank = " " * len(number)
    indent = "".join(" " * _width(character) for character in shown[:start])
    caret = "^" * max(1, sum(_width(character) for character in shown[start : start + length]))
    return "\n".join(
        [
            f"error: {problem.message}",
            f"{blank}--> {place}",
            f"{blank} |",
            f"{number} | {shown}".rstrip(),
            f"{blank} | {indent}{caret}" + (f" help: {problem.hint}" if problem.hint else ""),
        ]
    )


def _shown(text: str) -> str:
    """A sentence that quotes the contract, fit for one line of a terminal."""
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}..."


def _window(line: str, start: int, length: int) -> tuple[str, int, int]:
    """The part of a line that is shown, and where in it the marked characters stand. Tabs become one space."""
    line = "".join(" " if character in "\t\ufeff" else character for character in line)
    length = max(1, min(length, WIDEST // 2, max(1, len(line) - start)))
    if len(line) <= WIDEST:
        return line, start, length
    first = max(0, min(start - WIDEST // 4, len(line) - WIDEST))
    head, tail = ("..." if first else ""), ("..." if first + WIDEST < len(line) else "")
    return f"{head}{line[first : first + WIDEST]}{tail}", start - first + len(head), length


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _read_bytes(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        hint = "`crossfade init` writes a starter contract"
        raise ContractError(f"there is no file `{name}`", where=name, hint=hint) from None
    except IsADirectoryError:
        hint = f"name the file in it, such as `{Path(name) / 'ramp.yaml'}`"
        raise ContractError(f"`{name}` is a directory", where=name, hint=hint) from None
    except PermissionError:
        raise ContractError(f"`{name}` may not be read", where=name, hint="check its permissions") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ContractError(f"`{name}` cannot be read: {reason.lower()}", where=name) from None


def _not_utf8(name: str, data: bytes, offset: int) -> ContractError:
    source = source_of(name, data.decode("utf-8-sig", errors="replace"))
    before = split_lines(data[:offset].decode("utf-8-sig", errors="replace"))
    place = source.position(len(before), len(before[-1]) + 1)
    problem = Problem(f"not UTF-8: byte 0x{data[offset]:02x}", place, "save the file as UTF-8")
    # The line may hold control characters (a binary file): show it without them.
    shown = tuple(_NOT_PRINTABLE.sub("\ufffd", line) for line in source.lines)
    return error_of(Source(name, source.text, shown), [problem])


def _unprintable(source: Source, offset: int) -> Problem:
    character = source.text[offset]
    what = "a NUL byte" if character == "\0" else f"the control character U+{ord(character):04X}"
    return Problem(f"{what} in the text", source.position_at(offset), "remove it, or write it as an escape in quotes")
