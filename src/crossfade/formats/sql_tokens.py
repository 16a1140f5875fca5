"""SQL text as tokens and statements, by PostgreSQL's lexical rules: what `formats.sql_changes` reads.

Quotes, escape strings, dollar quotes, nested comments, and the `begin atomic ... end` bodies of functions are understood;
lines with psql commands (`\\restrict`, `\\set`) are passed over.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

_TOKEN = re.compile(
    r"""
      (?P<space>   \s+ | --[^\n]* )
    | (?P<block>   /\* )
    | (?P<escape>  [eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<string>  (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*' )
    | (?P<quoted>  (?:[uU]&)?"(?:[^"]|"")*" )
    | (?P<dollar>  \$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?\$ )
    | (?P<param>   \$\d+ )
    | (?P<number>  (?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)? )
    | (?P<word>    [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<mark>    ::|:=|=>|<=|>=|<>|!=|\|\||. )
    """,
    re.VERBOSE | re.DOTALL,
)
_PSQL_LINE = re.compile(r"^[ \t]*\\[a-z!?][^\n]*", re.MULTILINE)
_COPY_DATA = re.compile(r"(^copy\b[^;]*from\s+stdin[^;]*;[^\n]*\n)(.*?^\\\.[^\n]*$)", re.I | re.M | re.S)


class Token(msgspec.Struct, frozen=True):
    """`kind` is word (value in lower case), name (a quoted identifier), string, number, param or mark; `value` is
    what is meant, `start` and `end` are where it stands in the text."""

    kind: str
    value: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.value in words

    def is_mark(self, *marks: str) -> bool:
        return self.kind == "mark" and self.value in marks


class SqlText(msgspec.Struct, frozen=True):
    """`line_starts` are offsets; positions count from 1."""

    text: str
    statements: tuple[tuple[Token, ...], ...]
    line_starts: tuple[int, ...]

    def position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def source(self, tokens: Sequence[Token]) -> str:
        return self.text[tokens[0].start : tokens[-1].end] if tokens else ""


def sql_text(text: str) -> SqlText:
    """
    >>> [[token.value for token in one] for one in sql_text("select ';'; -- x;\\n drop table A").statements]
    [['select', ';'], ['drop', 'table', 'a']]
    """
    starts = (0, *(match.end() for match in re.finditer("\n", text)))
    return SqlText(text, tuple(_statements(tokens(_blanked(text)))), starts)


def tokens(text: str, base: int = 0) -> list[Token]:
    """The tokens of a text without comments; `base` is added to their places. Never fails: an unclosed quote is a mark."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None  # the last alternative takes any character
        start, position = position, match.end()
        kind, written = match.lastgroup, match.group()
        if kind == "tag":
            kind = "dollar"
        if kind == "space":
            continue
        if kind == "block":
            position = _block_end(text, position)
            continue
        if kind == "word":
            token = Token("word", written.lower(), base + start, base + position)
        elif kind == "quoted":
            inner = written[written.index('"') + 1 : -1]
            token = Token("name", inner.replace('""', '"'), base + start, base + position)
        elif kind in ("string", "escape"):
            inner = written[written.index("'") + 1 : -1].replace("''", "'")
            token = Token("string", _unescaped(inner) if kind == "escape" else inner, base + start, base + position)
        elif kind == "dollar":
            closing = text.find(written, position)
            end = len(text) if closing < 0 else closing
            value = text[position:end]
            position = len(text) if closing < 0 else closing + len(written)
            token = Token("string", value, base + start, base + position)
        else:
            token = Token(kind or "mark", written, base + start, base + position)
        found.append(token)
    return found


def _statements(found: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    current: list[Token] = []
    depth = atomic = 0
    for token in found:
        if token.is_mark(";") and depth <= 0 and not atomic:
            if current:
                yield tuple(current)
            current, depth = [], 0
            continue
        if token.is_mark("(", "["):
            depth += 1
        elif token.is_mark(")", "]"):
            depth -= 1
        elif token.kind == "word":
            if token.value == "atomic" and current and current[-1].is_word("begin"):
                atomic = 1
            elif atomic and token.value == "case":
                atomic += 1
            elif atomic and token.value == "end":
                atomic -= 1
        current.append(token)
    if current:
        yield tuple(current)


def _blanked(text: str) -> str:
    """Without psql's own lines and without the rows of COPY; every place stays what it was."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())  # noqa: E731
    text = _COPY_DATA.sub(lambda match: match.group(1) + re.sub(r"[^\n]", " ", match.group(2)), text)
    return _PSQL_LINE.sub(blank, text)


def _block_end(text: str, position: int) -> int:
    depth = 1
    for match in re.compile(r"/\*|\*/").finditer(text, position):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match.group(1), match.group(1)), text, flags=re.S)
