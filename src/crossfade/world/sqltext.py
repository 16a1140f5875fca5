"""SQL files as text: single statements, and the line a PostgreSQL error position falls into.

Knows just enough of the lexer to see where a statement ends: quotes, dollar quotes, both kinds of comments, and the
`begin atomic ... end` bodies of functions.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<block>   /\* )
    | (?P<escape>  \b[eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<quote>   '(?:[^']|'')*' )
    | (?P<name>    "(?:[^"]|"")*" )
    | (?P<dollar>  (?<![A-Za-z0-9_$])\$(?P<tag>[A-Za-z_][A-Za-z_0-9]*)?\$ )
    | (?P<word>    [A-Za-z_][A-Za-z_0-9$]* )
    | (?P<open>    \( ) | (?P<close> \) ) | (?P<end> ; )
    """,
    re.VERBOSE | re.DOTALL,
)
_PSQL_LINE = re.compile(
    r"^\\(?:restrict|unrestrict|connect|c|encoding|set|unset|echo|pset|timing|if|endif)\b[^\n]*", re.MULTILINE
)


def without_psql_lines(text: str) -> str:
    """`text` with the psql commands that dumps carry blanked out; every position stays what it was."""
    return _PSQL_LINE.sub(lambda match: " " * len(match.group()), text)


def statements(text: str) -> list[tuple[int, str]]:
    """Each statement with its offset in `text`, without the semicolon; empty ones are left out.

    >>> [sql for _, sql in statements("select ';'; create function f() returns int as $$ select 1; $$ language sql;")]
    ["select ';'", 'create function f() returns int as $$ select 1; $$ language sql']
    """
    found: list[tuple[int, str]] = []
    start, position, depth, atomic, meaning, before = 0, 0, 0, 0, False, ""
    while match := _TOKEN.search(text, position):
        meaning = meaning or bool(text[position : match.start()].strip())
        position = match.end()
        kind = match.lastgroup if match.lastgroup != "tag" else "dollar"
        if kind == "comment":
            continue
        if kind == "block":
            position = _block_end(text, position)
            continue
        if kind == "end" and depth <= 0 and not atomic:
            if meaning:
                found.append(_trimmed(text, start, match.start()))
            start, depth, meaning, before = position, 0, False, ""
            continue
        meaning = True
        if kind == "dollar":
            closing = text.find(match.group(), position)
            position = len(text) if closing < 0 else closing + len(match.group())
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
        elif kind == "word":
            word = match.group().lower()
            if word == "atomic" and before == "begin":
                atomic = 1
            elif atomic and word == "case":
                atomic += 1
            elif atomic and word == "end":
                atomic -= 1
            before = word
    if meaning or text[position:].strip():
        found.append(_trimmed(text, start, len(text)))
    return found


def line_at(text: str, offset: int) -> int:
    """The line, counted from 1, of the character at `offset`."""
    return text.count("\n", 0, max(0, offset)) + 1


def _trimmed(text: str, start: int, end: int) -> tuple[int, str]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), piece.strip()


def _block_end(text: str, position: int) -> int:
    depth = 1
    for match in re.compile(r"/\*|\*/").finditer(text, position):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)
