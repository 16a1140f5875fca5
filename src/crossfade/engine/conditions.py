"""CHECK conditions: does every row that was allowed before, or that an older version writes, satisfy a new one?

Decides what is written most: lists of values, comparisons with numbers, IS [NOT] NULL, lengths, joined by AND and OR, as a
human writes them and as PostgreSQL prints them. What it does not understand it calls not implied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import msgspec

_CAST = re.compile(
    r"::\s*\"?[A-Za-z_][\w.]*\"?(?:\s+(?:varying|precision|with(?:out)? time zone))?"
    r"(?:\s*\(\s*\d+(?:\s*,\s*\d+)?\s*\))?(?:\[\])*"
)
_NAME = r'(?:"[^"]+"|[A-Za-z_][\w$]*)(?:\s*\.\s*(?:"[^"]+"|[A-Za-z_][\w$]*))?'
_SUBJECT = rf"(?:{_NAME}|(?:lower|upper|length|char_length|character_length|octet_length)\s*\(\s*{_NAME}\s*\))"
_VALUE = r"(?:'(?:[^']|'')*'|-?\d+(?:\.\d+)?|\(-?\d+(?:\.\d+)?\))"
_LIST = re.compile(rf"^({_SUBJECT})\s*(?:=\s*any\s*\(\s*\(?\s*array\s*\[(.*)\]\s*\)?\s*\)|in\s*\((.*)\))$", re.I | re.S)
_COMPARED = re.compile(rf"^({_SUBJECT})\s*(=|<=|>=|<|>|<>|!=)\s*({_VALUE})$", re.I | re.S)
_NULL = re.compile(rf"^({_NAME})\s+is\s+(not\s+)?null$", re.I)


class Atom(msgspec.Struct, frozen=True):
    """One comparison. `kind` is in, low, high, not null, null or other; `subject` a column or "length(column)"."""

    kind: str
    subject: str
    values: frozenset[str] = frozenset()
    bound: Decimal | None = None
    open: bool = False
    text: str = ""


def implied(
    condition: str, by: Sequence[str], never_null: Collection[str] = (), always_null: Collection[str] = ()
) -> bool:
    """Is a row never refused by `condition` when it satisfies all of `by`, its columns `never_null` have a value and its
    columns `always_null` have none? (A condition that is NULL refuses nothing.)

    >>> implied("status in ('new', 'paid', 'sent')", ["(status = ANY (ARRAY['new'::text, 'paid'::text]))"])
    True
    >>> implied("amount > 0", ["amount >= 0"]), implied("a IS NOT NULL OR b > 3", [], always_null=["b"])
    (False, True)
    """
    known = [atom for text in by for part in _split(_plain(text), "and") if (atom := _atom(part))]
    return _holds(_plain(condition), known, {_bare(name) for name in never_null}, {_bare(name) for name in always_null})


def values_of(condition: str) -> frozenset[str] | None:
    """The list of values a condition allows for a column; None where it is another condition."""
    atom = _atom(_plain(condition))
    return atom.values if atom is not None and atom.kind == "in" else None


def same(one: str, other: str) -> bool:
    """Do two conditions or expressions read alike (apart from brackets, casts, spaces, case outside of quotes)?"""
    return one == other or _squeezed(one) == _squeezed(other)


def _holds(text: str, known: Sequence[Atom], filled: Collection[str], empty: Collection[str]) -> bool:
    parts = _split(text, "and")
    if len(parts) > 1:
        return all(_holds(part, known, filled, empty) for part in parts)
    choices = _split(text, "or")
    if len(choices) > 1 and _atom(text) is None:
        return any(_holds(part, known, filled, empty) for part in choices)
    atom = _atom(text)
    if atom is None:
        return False
    if atom.kind == "not null":
        return atom.subject in filled or any(a.kind == "not null" and a.subject == atom.subject for a in known)
    if atom.kind == "null":
        return atom.subject in empty
    if any(_squeezed(atom.text) == _squeezed(other.text) for other in known):
        return True
    if atom.kind == "other":
        return False
    column = re.sub(r"^\w+\((.*)\)$", r"\1", atom.subject)
    return column in empty or any(_stronger(other, atom) for other in known)


def _stronger(known: Atom, wanted: Atom) -> bool:
    """Does `known` imply `wanted`?"""
    if known.subject != wanted.subject:
        return False
    if wanted.kind == "in":
        return known.kind == "in" and known.values <= wanted.values
    if known.kind == "in":
        numbers = [_number(value) for value in known.values]
        return all(number is not None and _within(number, wanted) for number in numbers)
    if known.kind != wanted.kind or known.bound is None or wanted.bound is None:
        return False
    if known.bound == wanted.bound:
        return known.open or not wanted.open
    return known.bound > wanted.bound if wanted.kind == "low" else known.bound < wanted.bound


def _within(number: Decimal, wanted: Atom) -> bool:
    assert wanted.bound is not None
    if wanted.kind == "low":
        return number > wanted.bound or (number == wanted.bound and not wanted.open)
    return number < wanted.bound or (number == wanted.bound and not wanted.open)


def _atom(text: str) -> Atom | None:
    """None for a text that is several (AND, OR) and no list of values."""
    text = _plain(text)
    if match := _LIST.match(text):
        items = _split(match.group(2) or match.group(3) or "", ",")
        if all(re.fullmatch(_VALUE, item) for item in items):
            return Atom("in", _bare(match.group(1)), frozenset(item.strip("()") for item in items), text=text)
    choices = _split(text, "or")
    if len(choices) > 1:
        atoms = [_atom(choice) for choice in choices]
        subjects = {atom.subject for atom in atoms if atom is not None and atom.kind == "in"}
        if len(subjects) == 1 and all(atom is not None and atom.kind == "in" for atom in atoms):
            union: frozenset[str] = frozenset().union(*(atom.values for atom in atoms if atom is not None))
            return Atom("in", subjects.pop(), union, text=text)
        return None
    if len(_split(text, "and")) > 1:
        return None
    if match := _NULL.match(text):
        return Atom("not null" if match.group(2) else "null", _bare(match.group(1)), text=text)
    if match := _COMPARED.match(text):
        subject, sign, value = _bare(match.group(1)), match.group(2), match.group(3).strip("()")
        number = _number(value)
        if sign == "=":
            return Atom("in", subject, frozenset({value}), text=text)
        if number is not None and sign in ("<", "<=", ">", ">="):
            return Atom("low" if sign[0] == ">" else "high", subject, bound=number, open=len(sign) == 1, text=text)
    return Atom("other", "", text=text)


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip("'"))
    except InvalidOperation:
        return None


def _bare(name: str) -> str:
    text = re.sub(r"\s", "", name)
    text = re.sub(r"^(?:char_length|character_length)\(", "length(", text, flags=re.I)
    return re.sub(r'(?:"[^"]+"|\w+)\.', "", text).replace('"', "").lower()


def _plain(text: str) -> str:
    """Without casts, NOT VALID, and the brackets around all of it."""
    text = _outside_quotes(text, lambda piece: _CAST.sub("", piece)).strip()
    text = re.sub(r"\s+not\s+valid\s*$", "", re.sub(r"^check\s*(?=\()", "", text, flags=re.I), flags=re.I).strip()
    text = re.sub(
        rf"({_SUBJECT})\s+between\s+({_VALUE})\s+and\s+({_VALUE})", r"(\1 >= \2 and \1 <= \3)", text, flags=re.I
    )
    text = re.sub(rf"(?<![\w\"])\(({_NAME})\)(?=\s*(?:=|<|>|!|in\b|is\b))", r"\1", text, flags=re.I)
    text = re.sub(rf"\(\s*\(\s*({_NAME})\s*\)\s*\)", r"(\1)", text)
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closing(text: str) -> int:
    depth, quoted = 0, False
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += 1 if character == "(" else -1 if character == ")" else 0
            if depth == 0:
                return place
    return -1


def _split(text: str, word: str) -> list[str]:
    """The parts between a word (or a comma) outside of brackets and quotes."""
    pattern = re.compile(r"," if word == "," else rf"\b{word}\b", re.I)
    parts, depth, quoted, start, place = [], 0, False, 0, 0
    while place < len(text):
        character = text[place]
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += 1 if character in "([" else -1 if character in ")]" else 0
            match = pattern.match(text, place) if depth == 0 else None
            if match and (word == "," or place == 0 or not (text[place - 1].isalnum() or text[place - 1] == "_")):
                parts.append(text[start:place])
                start = place = match.end()
                continue
        place += 1
    return [_plain(part) if word != "," else part.strip() for part in (*parts, text[start:])]


@lru_cache(maxsize=4096)
def _squeezed(text: str) -> str:
    plain = _plain(text)
    return _outside_quotes(plain, lambda piece: re.sub(r"[\s()]|public\.", "", piece.lower()))


def _outside_quotes(text: str, change: Callable[[str], str]) -> str:
    pieces = re.split(r"('(?:[^']|'')*')", text)
    return "".join(piece if n % 2 else change(piece) for n, piece in enumerate(pieces))
