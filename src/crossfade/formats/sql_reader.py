"""A cursor over the tokens of one SQL statement, and the pieces that many statements share: names, types, columns,
constraints, bracketed lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from crossfade.formats.sql_tokens import SqlText, Token
from crossfade.model.catalog import Column, Constraint
from crossfade.model.compat import Place

AFTER_TYPE = frozenset(
    [
        "not",
        "null",
        "default",
        "generated",
        "primary",
        "unique",
        "check",
        "references",
        "collate",
        "constraint",
        "using",
        "deferrable",
        "initially",
        "storage",
        "compression",
        "options",
    ]
)
_END = Token("end", "", 0, 0)


class SqlReader:
    """`schema` is where unqualified names live (the first of the search path)."""

    def __init__(self, source: SqlText, tokens: Sequence[Token], file: str = "", schema: str = "public") -> None:
        self.source = source
        self.tokens = tokens
        self.file = file
        self.schema = schema
        self.at = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def ahead(self, count: int = 1) -> Token:
        return self.tokens[self.at + count] if self.at + count < len(self.tokens) else _END

    def take(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Takes all of these words, or nothing."""
        if all(self.ahead(number).is_word(word) for number, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def accept_any(self, *words: str) -> str:
        return self.take().value if self.token.is_word(*words) else ""

    def accept_mark(self, mark: str) -> bool:
        if self.token.is_mark(mark):
            self.at += 1
            return True
        return False

    def place(self) -> Place:
        line, column = self.source.position(self.token.start)
        return Place(self.file, line, column)

    def identifier(self) -> str:
        return self.take().value if self.token.kind in ("word", "name") else ""

    def name(self) -> str:
        """A name that may carry a schema: "orders", "billing.orders". `only` and `*` around it are passed over."""
        if self.token.is_word("only") and self.ahead().kind in ("word", "name"):
            self.take()
        parts = [self.identifier()]
        while self.token.is_mark(".") and self.ahead().kind in ("word", "name"):
            self.take()
            parts.append(self.identifier())
        self.accept_mark("*")
        return self.resolved(parts)

    def resolved(self, parts: Sequence[str]) -> str:
        schema, name = (parts[-2] if len(parts) > 1 else self.schema), parts[-1]
        return name if schema == "public" or not name else f"{schema}.{name}"

    def names(self) -> tuple[str, ...]:
        found = [self.name()]
        while self.accept_mark(","):
            found.append(self.name())
        return tuple(found)

    def bracketed(self) -> tuple[Token, ...]:
        """The tokens inside the brackets that open here; () where none open."""
        if not self.accept_mark("("):
            return ()
        start, depth = self.at, 1
        while not self.done:
            token = self.take()
            depth += 1 if token.is_mark("(", "[") else -1 if token.is_mark(")", "]") else 0
            if depth == 0:
                return tuple(self.tokens[start : self.at - 1])
        return tuple(self.tokens[start:])

    def until(self, *stops: str, comma: bool = False, some: bool = False) -> tuple[Token, ...]:
        """The tokens up to one of these words (or a comma, or a closing bracket) outside of brackets. `some`: the first
        token is taken whatever it is."""
        start, depth, cases = self.at, 0, 0
        while not self.done:
            token = self.token
            if depth == 0 and (token.is_mark(")", "]") or (comma and token.is_mark(","))):
                break
            if depth == 0 and not cases and not (some and self.at == start) and token.is_word(*stops):
                break
            depth += 1 if token.is_mark("(", "[") else -1 if token.is_mark(")", "]") else 0
            cases += 1 if token.is_word("case") else -1 if token.is_word("end") and cases else 0
            self.at += 1
        return tuple(self.tokens[start : self.at])

    def text(self, tokens: Sequence[Token]) -> str:
        return re.sub(r"\s+", " ", self.source.source(tokens)).strip()

    def sub(self, tokens: Sequence[Token]) -> SqlReader:
        return SqlReader(self.source, tokens, self.file, self.schema)

    def type(self) -> str:
        """A type as written, without COLLATE."""
        return self.text(self.until(*AFTER_TYPE, comma=True))


def split(tokens: Sequence[Token], mark: str = ",") -> list[tuple[Token, ...]]:
    """The pieces between commas that stand outside of brackets."""
    pieces: list[tuple[Token, ...]] = []
    current: list[Token] = []
    depth = 0
    for token in tokens:
        if depth == 0 and token.is_mark(mark):
            pieces.append(tuple(current))
            current = []
            continue
        depth += 1 if token.is_mark("(", "[") else -1 if token.is_mark(")", "]") else 0
        current.append(token)
    if current or pieces:
        pieces.append(tuple(current))
    return pieces


def identifiers(tokens: Sequence[Token]) -> tuple[str, ...]:
    """A list of plain names: `(a, "B")`."""
    return tuple(piece[0].value for piece in split(tokens) if piece)


def column(reader: SqlReader, table: str) -> tuple[Column, tuple[Constraint, ...]]:
    """One column definition with the constraints written at it."""
    place = reader.place()
    name = reader.identifier()
    kind = reader.type() if not reader.token.is_word(*AFTER_TYPE) else ""
    not_null, default, generated, identity = False, None, "", ""
    constraints: list[Constraint] = []
    label = ""
    short = table.rpartition(".")[2]
    while not reader.done and not reader.token.is_mark(","):
        here = reader.place()
        if reader.accept("constraint"):
            label = reader.identifier()
            continue
        if reader.accept("not", "null"):
            not_null = True
        elif reader.accept("null"):
            pass
        elif reader.accept("default"):
            default = reader.text(reader.until(*_COLUMN_WORDS, comma=True, some=True))
        elif reader.accept("collate"):
            reader.name()
        elif reader.accept("primary", "key"):
            not_null = True
            constraints.append(Constraint(label or f"{short}_pkey", "primary", (name,), place=here))
        elif reader.accept("unique"):
            equal = "nulls not distinct" if reader.accept("nulls", "not", "distinct") else ""
            reader.accept("nulls", "distinct")
            made = label or f"{short}_{name}_key"
            constraints.append(Constraint(made, "unique", (name,), equal, place=here))
        elif reader.accept("check"):
            inside = reader.bracketed()
            made = label or f"{short}_{name}_check"
            constraints.append(Constraint(made, "check", (name,), reader.text(inside), place=here))
        elif reader.accept("references"):
            constraints.append(_foreign(reader, label or f"{short}_{name}_fkey", (name,), here))
        elif reader.accept("generated"):
            always = bool(reader.accept("always"))
            reader.accept("by", "default")
            reader.accept("as")
            if reader.accept("identity"):
                identity = "always" if always else "default"
                reader.bracketed()
                not_null = True
            else:
                default = reader.text(reader.bracketed())
                generated = reader.accept_any("stored", "virtual") or "virtual"
        else:
            reader.take()
        label = ""
    serial = re.fullmatch(r"(small|big)?serial[248]?", kind, re.I)
    if serial:
        default, not_null = default or f"nextval('{short}_{name}_seq'::regclass)", True
    return Column(name, kind, not_null, default, generated, identity, place=place), tuple(constraints)


def constraint(reader: SqlReader, table: str) -> Constraint | None:
    """A table constraint; None where none stands here."""
    place = reader.place()
    short = table.rpartition(".")[2]
    label = reader.identifier() if reader.accept("constraint") else ""
    if reader.accept("primary", "key"):
        if reader.accept("using", "index"):
            return Constraint(label, "primary", (), f"using index {reader.identifier()}", place=place)
        return Constraint(label or f"{short}_pkey", "primary", identifiers(reader.bracketed()), place=place)
    if reader.accept("unique"):
        if reader.accept("using", "index"):
            return Constraint(label, "unique", (), f"using index {reader.identifier()}", place=place)
        equal = "nulls not distinct" if reader.accept("nulls", "not", "distinct") else ""
        reader.accept("nulls", "distinct")
        columns = identifiers(reader.bracketed())
        return Constraint(label or f"{short}_{'_'.join(columns)}_key", "unique", columns, equal, place=place)
    if reader.accept("check"):
        inside = reader.bracketed()
        columns = tuple(dict.fromkeys(token.value for token in inside if token.kind in ("word", "name")))
        only = columns[0] + "_" if len(columns) == 1 else ""
        valid = not _not_valid(reader)
        made = label or f"{short}_{only}check"
        return Constraint(made, "check", columns, reader.text(inside), valid=valid, place=place)
    if reader.accept("foreign", "key"):
        columns = identifiers(reader.bracketed())
        reader.accept("references")
        return _foreign(reader, label or f"{short}_{'_'.join(columns)}_fkey", columns, place)
    if reader.accept("exclude"):
        rest = reader.until(comma=True)
        words = tuple(token.value for token in rest if token.kind in ("word", "name"))
        return Constraint(label or f"{short}_excl", "exclude", words, reader.text(rest), place=place)
    if reader.accept("not", "null"):  # PostgreSQL 18: a named constraint of the table
        columns = (reader.identifier(),)
        return Constraint(label, "not null", columns, valid=not _not_valid(reader), place=place)
    return None


def _foreign(reader: SqlReader, name: str, columns: tuple[str, ...], place: Place) -> Constraint:
    target = reader.name()
    others = identifiers(reader.bracketed())
    on_delete = ""
    valid = True
    while not reader.done and not reader.token.is_mark(","):
        if reader.accept("on", "delete"):
            on_delete = reader.accept_any("cascade", "restrict")
            if not on_delete and reader.token.is_word("set", "no"):
                on_delete = f"{reader.take().value} {reader.take().value}"
        elif reader.accept("not", "valid"):
            valid = False
        elif reader.token.is_word(
            "on", "match", "deferrable", "initially", "deferred", "immediate", "update", "enforced"
        ) or reader.token.is_word("full", "simple", "cascade", "restrict", "action", "no", "set"):
            reader.take()
        elif reader.token.is_word("not") and reader.ahead().is_word("deferrable", "enforced"):
            reader.at += 2
        else:
            break
    return Constraint(name, "foreign", columns, "", target, others, on_delete, valid, place)


def _not_valid(reader: SqlReader) -> bool:
    rest = [token.value for token in reader.until(comma=True)]
    return any(pair == ("not", "valid") for pair in pairwise(rest))


_COLUMN_WORDS = (
    "constraint",
    "not",
    "null",
    "default",
    "generated",
    "primary",
    "unique",
    "check",
    "references",
    "collate",
)
