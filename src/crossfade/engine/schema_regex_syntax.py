"""Reads the regular part of ECMA-262 patterns (`u` flag) into terms; everything else is refused as `Irregular`."""

from __future__ import annotations

import msgspec

LAST = 0x10FFFF
MOST_REPEATS = 1_000

Ranges = tuple[tuple[int, int], ...]  # code points from, to (both included), in order, not touching


class Irregular(ValueError):
    """The pattern is not in the regular part, or no pattern at all."""


class Term(msgspec.Struct, frozen=True):
    """`kind`: letter (one of `ranges`), start, end, sequence, choice, repeat (of one part, `most` None: without end)."""

    kind: str
    parts: tuple[Term, ...] = ()
    ranges: Ranges = ()
    least: int = 0
    most: int | None = None


def parsed(pattern: str, strict: bool) -> Term:
    """`strict`: `.` refuses all four line ends of ECMA-262, not only the line feed."""
    reader = _Reader(pattern, strict)
    term = reader.choice()
    if reader.place < len(pattern):
        raise Irregular("an unmatched `)`")
    return term


def _ranges(points: list[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(points):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _others(ranges: Ranges) -> Ranges:
    result, place = [], 0
    for low, high in ranges:
        if low > place:
            result.append((place, low - 1))
        place = high + 1
    if place <= LAST:
        result.append((place, LAST))
    return tuple(result)


def _of(*points: int | tuple[int, int]) -> Ranges:
    return _ranges([one if isinstance(one, tuple) else (one, one) for one in points])


_DIGIT = _of((48, 57))
_WORD = _of((48, 57), (65, 90), 95, (97, 122))
_SPACE = _of((9, 13), 32, 0xA0, 0x1680, (0x2000, 0x200A), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF)
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CLASSES |= {letter.upper(): _others(ranges) for letter, ranges in _CLASSES.items()}
_CONTROLS = {"n": 10, "r": 13, "t": 9, "v": 11, "f": 12}
_DOT = {True: _others(_of(10, 13, 0x2028, 0x2029)), False: _others(_of(10))}
_SYNTAX = frozenset("^$\\.*+?()[]{}|/")
_NEVER = Term("choice")


class _Reader:
    def __init__(self, pattern: str, strict: bool) -> None:
        self.pattern, self.place, self.strict = pattern, 0, strict

    def choice(self) -> Term:
        parts = [self.sequence()]
        while self.took("|"):
            parts.append(self.sequence())
        return parts[0] if len(parts) == 1 else Term("choice", tuple(parts))

    def sequence(self) -> Term:
        parts = []
        while self.place < len(self.pattern) and self.pattern[self.place] not in "|)":
            parts.append(self.repeated(self.atom()))
        return parts[0] if len(parts) == 1 else Term("sequence", tuple(parts))

    def repeated(self, term: Term) -> Term:
        letter = self.pattern[self.place : self.place + 1]
        if letter in ("*", "+", "?"):
            self.place += 1
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[letter]
        elif letter == "{":
            least, most = self.counts()
        else:
            return term
        if term.kind in ("start", "end"):
            raise Irregular("a repeated `^` or `$`")
        self.took("?")  # lazy: the same strings
        if self.pattern[self.place : self.place + 1] in ("*", "+", "?", "{"):
            raise Irregular("a repeated repetition")
        return Term("repeat", (term,), least=least, most=most)

    def counts(self) -> tuple[int, int | None]:
        end = self.pattern.find("}", self.place)
        parts = self.pattern[self.place + 1 : max(end, 0)].split(",")
        if end < 0 or len(parts) > 2 or not _is_number(parts[0]) or (parts[1:] and not _is_number(parts[1] or "0")):
            raise Irregular("a `{` that starts no repetition")
        self.place = end + 1
        least = int(parts[0])
        most = least if len(parts) == 1 else int(parts[1]) if parts[1] else None
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise Irregular("a repetition too large or the wrong way round")
        return least, most

    def atom(self) -> Term:
        letter = self.next()
        if letter == "^":
            return Term("start")
        if letter == "$":
            return Term("end")
        if letter == ".":
            return Term("letter", ranges=_DOT[self.strict])
        if letter == "(":
            return self.group()
        if letter == "[":
            return self.letters()
        if letter == "\\":
            return Term("letter", ranges=self.escaped(in_class=False))
        if letter in "*+?{}]":
            raise Irregular(f"a lonely `{letter}`")
        return Term("letter", ranges=_of(ord(letter)))

    def group(self) -> Term:
        if self.took("?"):
            if self.took("<") and self.pattern[self.place : self.place + 1] not in ("=", "!"):
                end = self.pattern.find(">", self.place)
                if end < 0 or not self.pattern[self.place : end].isidentifier():
                    raise Irregular("a group without a name")
                self.place = end + 1
            elif not self.took(":"):
                raise Irregular("a lookaround or a flag")
        term = self.choice()
        if not self.took(")"):
            raise Irregular("an unmatched `(`")
        return term

    def letters(self) -> Term:
        negated = self.took("^")
        points: list[tuple[int, int]] = []
        while not self.took("]"):
            low = self.class_atom()
            if (
                self.pattern[self.place : self.place + 1] == "-"
                and self.pattern[self.place + 1 : self.place + 2] != "]"
            ):
                self.place += 1
                high = self.class_atom()
                if not (_single(low) and _single(high)) or low[0][0] > high[0][0]:
                    raise Irregular("a range that is none")
                points.append((low[0][0], high[0][0]))
            else:
                points.extend(low)
        ranges = _ranges(points)
        ranges = _others(ranges) if negated else ranges
        return Term("letter", ranges=ranges) if ranges else _NEVER

    def class_atom(self) -> Ranges:
        letter = self.next()
        if letter == "\\":
            return self.escaped(in_class=True)
        if letter in "[&~" and self.pattern[self.place : self.place + 1] == letter:
            raise Irregular("engines differ about doubled letters in a class")
        if letter == "[":
            raise Irregular("engines differ about `[` in a class")
        return _of(ord(letter))

    def escaped(self, in_class: bool) -> Ranges:
        letter = self.next()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return _of(_CONTROLS[letter])
        if letter in _SYNTAX or (letter == "-" and in_class):
            return _of(ord(letter))
        if letter == "-":  # refused by the `u` flag, a plain hyphen for everybody else
            return _of(ord(letter))
        if letter == "x":
            return self.hexadecimal(2)
        if letter == "u":
            return self.unicode()
        raise Irregular(f"`\\{letter}`")

    def unicode(self) -> Ranges:
        if self.took("{"):
            end = self.pattern.find("}", self.place)
            digits = self.pattern[self.place : max(end, 0)]
            if end < 0 or not digits or any(one not in _HEX for one in digits) or int(digits, 16) > LAST:
                raise Irregular("`\\u{` without a number")
            self.place = end + 1
            return _of(int(digits, 16))
        found = self.hexadecimal(4)
        if 0xD800 <= found[0][0] <= 0xDFFF:
            raise Irregular("half of a surrogate pair")
        return found

    def hexadecimal(self, count: int) -> Ranges:
        digits = self.pattern[self.place : self.place + count]
        if len(digits) < count or any(one not in _HEX for one in digits):
            raise Irregular("an escape without its digits")
        self.place += count
        return _of(int(digits, 16))

    def next(self) -> str:
        if self.place >= len(self.pattern):
            raise Irregular("the pattern ends early")
        self.place += 1
        return self.pattern[self.place - 1]

    def took(self, letter: str) -> bool:
        if self.pattern.startswith(letter, self.place):
            self.place += 1
            return True
        return False


_HEX = frozenset("0123456789abcdefABCDEF")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _single(ranges: Ranges) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]
