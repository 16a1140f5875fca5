"""Values out of nodes: one reading of a contract, which collects every problem it meets and goes on.

A function that cannot give a value adds a problem and returns None (or what is neutral), so that one mistake does not
hide the next. `Fields` reads one mapping key by key.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from crossfade.formats.fields import FIELDS, SYNONYMS, WHAT
from crossfade.formats.source import Problem, Source, error_of
from crossfade.formats.tree import Node, did_you_mean, place, plain_value
from crossfade.model import expression, template
from crossfade.model.expression import Expression, ExpressionError
from crossfade.model.ramp import Position

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) *(ms|s|m|min)?\Z")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) *(%?)\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
LONGEST_WAIT = 86_400.0  # seconds
LONGEST_COMMAND = 100_000  # characters
MOST_PROBLEMS_READ = 100


class Reading:
    """One reading of a contract: the source, the folder its paths start from, and the problems so far."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source = source
        self.folder = folder
        self.problems: list[Problem] = []

    def place(self, node: Node) -> Position:
        return place(self.source, node)

    def problem(self, node: Node, message: str, hint: str = "") -> None:
        self.found(message, self.place(node), hint)

    def found(self, message: str, at: Position, hint: str) -> None:
        """Goes on after a problem, but not after a hundred: then the file is something else."""
        self.problems.append(Problem(message, at, hint))
        if len(self.problems) >= MOST_PROBLEMS_READ:
            raise error_of(self.source, self.problems)

    def within(self, node: Node, offset: int, length: int, message: str, hint: str = "") -> None:
        """A problem at some characters of a text (or at the whole of it, where quotes or lines hide the place)."""
        at = self.place(node)
        shift = offset if node.plain else offset + 1
        line = self.source.lines[at.line - 1]
        start = at.column - 1 + shift
        wanted = node.text[offset : offset + length]
        if "\n" in node.text or (wanted and line[start : start + length] != wanted) or at.length < shift:
            self.found(message, at, hint)
        else:
            self.found(message, self.source.position(at.line, start + 1, length), hint)

    # Scalars

    def command(self, node: Node, what: str) -> str | None:
        """A command line whose quotes are closed."""
        text = self.text(node, what)
        if text is not None and not text.strip():
            self.problem(node, f"{what} is empty", "write a command, or leave it out")
            return None
        if text is not None and len(text) > LONGEST_COMMAND:
            self.problem(node, f"a command over {LONGEST_COMMAND:,} characters", "put it into a script")
            return None
        try:
            shlex.split(template.PATTERN.sub("x", text or ""))
        except ValueError:
            self.problem(node, "a quote in the command is not closed", "close it, or write a backslash before it")
            return None
        return text

    def text(self, node: Node, what: str) -> str | None:
        """A text; a number or boolean is a wrong type."""
        if node.kind != "scalar":
            self.wrong(node, what, "a text")
            return None
        if not isinstance(node.value, str):
            self.wrong(node, what, "a text", f'write "{node.text}"')
            return None
        return node.value

    def written(self, node: Node, what: str) -> str | None:
        """A text, or a number or boolean as it is written (environment variables, headers, form fields)."""
        if node.kind != "scalar":
            self.wrong(node, what, "a text")
            return None
        return "" if node.value is None else node.text

    def name(self, node: Node, what: str) -> str | None:
        """A non-empty name; a number as written is fine."""
        text = self.written(node, what)
        if text is not None and not text.strip():
            self.wrong(node, what, "a name")
            return None
        return text

    def identifier(self, node: Node, what: str) -> bool:
        if _NAME.match(node.text):
            return True
        self.problem(node, f"`{node.text}` is no name for {what}", "use letters, digits, `_` and `-`")
        return False

    def version(self, node: Node, what: str) -> str | None:
        """A version is a text: an unquoted 1.10 would be the number 1.1."""
        if node.kind != "scalar":
            self.wrong(node, what, "a text")
            return None
        if isinstance(node.value, str):
            if not node.value:
                self.wrong(node, what, "a version")
            return node.value or None
        hint = f'write "{node.text}"'
        if isinstance(node.value, float) and "." in node.text and node.text.endswith("0"):
            number = repr(node.value)
            message = f"{what} `{node.text}` without quotes is the number {number} and would lose the zero"
        else:
            message = f"{what} `{node.text}` without quotes is a {_kind(node)}, not a text"
        self.problem(node, message, hint)
        return None

    def seconds(self, node: Node, what: str) -> float | None:
        hint = 'write seconds, such as `5`, or "500ms", "5s", "2m"'
        if node.kind != "scalar" or isinstance(node.value, bool) or node.value is None:
            self.wrong(node, what, "a duration", hint)
            return None
        found = _DURATION.match(node.text.strip())
        if not found:
            self.wrong(node, what, "a duration", hint)
            return None
        value = float(found[1]) * {"ms": 0.001, "m": 60.0, "min": 60.0}.get(found[2] or "s", 1.0)
        if not 0 < value <= LONGEST_WAIT:
            self.problem(node, f"{what} must be more than 0 and at most a day, not `{node.text}`", hint)
            return None
        return value

    def weight(self, node: Node) -> float | None:
        """A share: `30%`, `0.3`, 0 or 1."""
        found = None
        if node.kind == "scalar" and not isinstance(node.value, bool):
            found = _PERCENT.match(node.text.strip())
        if not found:
            self.wrong(node, "`weight`", "a share", "write `30%` or `0.3`")
            return None
        number = Decimal(found[1])
        if found[2]:
            if number > 100:
                self.problem(node, f"a weight of `{node.text}` is more than all calls", "the highest weight is `100%`")
                return None
            return float(number / 100)
        if number > 1:
            hint = (
                f"write `{found[1]}%` or `{number.scaleb(-2).normalize():f}`"
                if number <= 100
                else "write `30%` or `0.3`"
            )
            self.problem(node, f"a weight of `{node.text}` is more than all calls", hint)
            return None
        return float(number)

    def wrong(self, node: Node, what: str, wanted: str, hint: str = "") -> None:
        shown = f" `{node.text}`" if node.kind == "scalar" and node.text.strip() and "\n" not in node.text else ""
        shown = shown if len(shown) < 60 else ""
        self.problem(node, f"{what} takes {wanted}, not {_article(_kind(node))}{shown}", hint)

    # Collections

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        if node.kind != "list":
            self.wrong(node, what, "a list", "start each entry with `- `")
            return ()
        return node.value  # type: ignore[no-any-return]

    def one_or_list(self, node: Node, what: str) -> tuple[Node, ...]:
        if node.kind == "list":
            if not node.value:
                self.problem(node, f"{what} is empty", "leave it out, or name something")
            return node.value  # type: ignore[no-any-return]
        return (node,)

    def entries(self, node: Node, what: str) -> tuple[tuple[Node, Node], ...]:
        if node.kind != "map":
            self.wrong(node, what, "a mapping", "write `name: value` lines below it")
            return ()
        return node.value  # type: ignore[no-any-return]

    def written_map(self, node: Node, what: str) -> dict[str, Node]:
        """Names with texts; a value that is no text is a problem and left out."""
        return {
            key.text: value
            for key, value in self.entries(node, what)
            if self.written(value, f"`{key.text}` in {what}") is not None
        }

    def json_value(self, node: Node) -> Any:
        """Plain Python for `json:`; `.inf` and `.nan` have no JSON form."""
        for scalar in _scalars(node):
            if isinstance(scalar.value, float) and not math.isfinite(scalar.value):
                self.problem(scalar, f"`{scalar.text}` has no JSON form", f'write "{scalar.text}" for the text')
        return plain_value(node)

    # Meaning

    def expressions(self, node: Node, over: str, saved: Iterable[str] = ()) -> tuple[Expression, ...]:
        """`saved` names the variables of earlier steps, for hints."""
        found = (self.expression(item, over, saved=saved) for item in self.one_or_list(node, "`expect`"))
        return tuple(item for item in found if item is not None)

    def expression(self, node: Node, over: str, what: str = "`expect`", saved: Iterable[str] = ()) -> Expression | None:
        example = {"rows": "`rows[0][0] == 0`", "step": "`status == 200`"}[over] if what == "`expect`" else "`body.id`"
        number = node.plain and isinstance(node.value, int | float) and not isinstance(node.value, bool)
        if node.kind != "scalar" or node.is_null or number:
            self.wrong(node, what, "an expression", f"write one such as {example}")
            return None
        try:
            expression.check(node.text, over)
        except ExpressionError as error:
            self.bad_expression(node, over, error, tuple(saved))
            return None
        return Expression(node.text, over, self.place(node))

    def bad_expression(self, node: Node, over: str, error: ExpressionError, saved: tuple[str, ...]) -> None:
        names = expression.STEP_NAMES if over == "step" else expression.ROWS_NAMES
        message, hint, word = calm_expression(node.text, error.reason, names, saved)
        offset = min(error.column - 1, len(node.text))
        if word:  # CEL points at the dot of `name.field`: find the name before it
            offset = max(node.text.rfind(word, 0, offset + len(word)), 0)
        self.within(node, offset, len(word) or 1, message, hint)

    def templates(self, node: Node, known: Iterable[str], reason: str = "") -> None:
        """Every `${name}` in the texts below `node` must be known; `reason` ends the sentence that says otherwise."""
        known = tuple(known)
        for scalar in _scalars(node):
            if "${" in scalar.text:
                self.template(scalar, known, reason)

    def template(self, scalar: Node, known: tuple[str, ...], reason: str) -> None:
        listed = ", ".join(f"`{name}`" for name in known)
        for match in template.PATTERN.finditer(scalar.text):
            name = match.group(1)
            if name and name not in known:
                hint = _near_variable(name, known) or f"known here: {listed}"
                self.within(scalar, match.start(), len(match.group(0)), f"unknown variable `{name}`{reason}", hint)
        rest = template.PATTERN.sub(lambda match: "\0" * len(match.group(0)), scalar.text)
        if (offset := rest.find("${")) >= 0:
            hint = "write `${name}`, or `$${` for the two characters themselves"
            self.within(scalar, offset, 2, "`${` without a name and `}`", hint)

    def file(self, node: Node, what: str) -> str | None:
        """A path of a file that can be read, relative to the contract's folder; kept as written."""
        text = self.text(node, what)
        if not text:
            if text == "":
                self.wrong(node, what, "a path")
            return None
        path = self.folder / text
        try:
            if path.is_dir():
                self.problem(node, f"`{text}` is a directory", "name a file in it")
            elif not path.exists():
                self.problem(node, f"there is no file `{text}`", self.near_file(path) or self.from_folder())
            elif not os.access(path, os.R_OK):
                self.problem(node, f"`{text}` may not be read", "check its permissions")
            else:
                return text
        except PermissionError:
            self.problem(node, f"`{text}` may not be read", "check the permissions of the directories above it")
        except (OSError, ValueError):
            self.problem(node, "this is no path of a file")
        return None

    def directory(self, node: Node, what: str) -> str | None:
        text = self.text(node, what)
        if not text:
            return None
        try:
            if (self.folder / text).is_dir():
                return text
            self.problem(
                node, f"there is no directory `{text}`", self.near_file(self.folder / text) or self.from_folder()
            )
        except (OSError, ValueError):
            self.problem(node, "this is no path of a directory")
        return None

    def near_file(self, path: Path) -> str:
        """Did you mean a neighbour? Looks in the directory the path names, and in the contract's folder."""
        for folder in (path.parent, self.folder):
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                continue
            if near := did_you_mean(path.name, names):
                found = folder / near.split("`")[1]
                return f"did you mean `{os.path.relpath(found, self.folder)}`?"
        return ""

    def from_folder(self) -> str:
        return "paths start from the contract's folder"


class Fields:
    """One mapping of the contract: unknown keys are problems at once, the rest is asked for by name."""

    def __init__(self, reading: Reading, node: Node, kind: str) -> None:
        self.reading = reading
        self.node = node
        self.kind = kind
        self.found: dict[str, tuple[Node, Node]] = {}
        if node.kind != "map":
            reading.wrong(node, WHAT[kind], "a mapping", f"its keys: {', '.join(FIELDS[kind])}")
            return
        for key, value in node.value:
            if key.text in FIELDS[kind]:
                self.found[key.text] = (key, value)
            elif kind != "contract" or not key.text.startswith("x-"):  # `x-...` is a place for values to repeat
                reading.problem(key, f"unknown key `{key.text}`", self.suggestion(key.text))
        for name, field in FIELDS[kind].items():
            if field.required and self.value(name) is None and not self.meant(name):
                self.missing(name)

    @property
    def is_map(self) -> bool:
        return self.node.kind == "map"

    def suggestion(self, word: str) -> str:
        meant = SYNONYMS[self.kind].get(word.lower())
        if meant:
            return f"did you mean `{meant}`?"
        return did_you_mean(word, FIELDS[self.kind]) or f"{WHAT[self.kind]} has: {', '.join(FIELDS[self.kind])}"

    def meant(self, name: str) -> bool:
        """Whether some unknown key was meant to be this one: then its absence is not a second problem."""
        return any(
            f"`{name}`?" in self.suggestion(key.text) for key, _ in self.node.value if key.text not in self.found
        )

    def missing(self, name: str) -> None:
        self.reading.problem(self.node, f"{WHAT[self.kind]} needs `{name}`", f"add `{name}:`")

    def key(self, name: str) -> Node:
        """The key's node (the mapping's own where the key is absent)."""
        return self.found[name][0] if name in self.found else self.node

    def value(self, name: str) -> Node | None:
        """The value's node; None when the key is absent or has no value."""
        entry = self.found.get(name)
        return None if entry is None or entry[1].is_null else entry[1]

    def has(self, name: str) -> bool:
        return self.value(name) is not None

    def only_one(self, *names: str) -> bool:
        """Whether at most one of these keys is there; the second is a problem."""
        there = [name for name in names if self.has(name)]
        if len(there) > 1:
            both = f"`{there[0]}` and `{there[1]}` exclude each other"
            self.reading.problem(self.key(there[1]), both, "keep one of them")
        return len(there) <= 1


def calm_expression(
    text: str, reason: str, names: tuple[str, ...], saved: tuple[str, ...] = ()
) -> tuple[str, str, str]:
    """CEL's reason as a sentence, a hint, and the word to underline ("" where it is one character)."""
    if found := re.search(r"undeclared reference to '([^']*)'", reason):
        word = found[1].split(".")[0]
        hint = _MEANT_IN_CEL.get(word) or (f"write `saved.{word}`" if word in saved else did_you_mean(word, names))
        listed = ", ".join(f"`{name}`" for name in names)
        return f"unknown name `{word}` in the expression", hint or f"it sees {listed}", word
    if found := re.search(r"no matching overload for '([^']*)' applied to '\(?(.*?)\)?'", reason):
        operator = _OPERATORS.get(found[1], found[1].strip("_"))
        kinds = found[2].replace(", ", " and ")
        return f"`{operator}` does not work on {kinds}", "compare values of one type", operator
    hint = _operator_hint(text)
    if not text.strip():
        return "the expression is empty", "write one, or leave it out", ""
    if "${" in text:
        return "this is no expression: `${...}` does not work here", "write `saved.name` for a saved variable", ""
    if "input '<EOF>'" in reason:
        return "the expression ends too early", hint, ""
    if found := re.search(r"(?:mismatched|extraneous) input '(.*?)' expecting", reason):
        return f"unexpected `{found[1]}` in the expression", hint, found[1]
    if "Syntax error" in reason:
        return "this is no expression", hint or "expressions are CEL: `status == 200 && body.amount > 0`", ""
    if "recursion limit" in reason or "codepoint limit" in reason:
        return "an expression that is too long or nested too deep", "split it into a list of several", ""
    return f"this expression cannot work: {reason}", hint, ""


_MEANT_IN_CEL = {
    "len": "write `size(x)`",
    "True": "write `true`",
    "False": "write `false`",
    "None": "write `null`",
    **dict.fromkeys(("and", "or", "not"), "write `&&`, `||` or `!`"),
}
_OPERATORS = {"_&&_": "&&", "_||_": "||", "!_": "!", "_==_": "==", "_!=_": "!=", "_<_": "<", "_>_": ">"}
_OPERATORS |= {"_<=_": "<=", "_>=_": ">=", "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "_[_]": "[]"}
_OPERATORS |= {"@in": "in", "-_": "-"}


def one_of(key: str, names: Iterable[str]) -> str:
    """
    >>> one_of("service", ["a", "b"])
    'add `service: a` or `service: b`'
    """
    return "add " + " or ".join(f"`{key}: {name}`" for name in names)


def _near_variable(name: str, known: tuple[str, ...]) -> str:
    if f"{name}.url" in known:
        return f"did you mean `{name}.url`?"
    near = did_you_mean(name, known)
    if not near and re.match(r"[A-Z][A-Z0-9_]*\Z", name):
        return f"write `$${{{name}}}` for a variable of the shell"
    return near


def _operator_hint(text: str) -> str:
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", text)
    if re.search(r"===|!==", bare):
        return "write `==` or `!=`"
    if re.search(r"(?<![=!<>])=(?!=)", bare):
        return "write `==` to compare"
    if re.search(r"\b(and|or|not|is)\b", bare):
        return "write `&&`, `||`, `!` or `==`"
    return ""


def _scalars(node: Node) -> Iterable[Node]:
    if node.kind == "scalar":
        yield node
    elif node.kind == "list":
        for item in node.value:
            yield from _scalars(item)
    else:
        for key, value in node.value:
            yield key
            yield from _scalars(value)


def _kind(node: Node) -> str:
    if node.kind != "scalar":
        return {"list": "list", "map": "mapping"}[node.kind]
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return "boolean"
    return "text" if isinstance(node.value, str) else "number"


def _article(kind: str) -> str:
    return kind if kind == "nothing" else f"the {kind}" if kind in ("text", "number", "boolean") else f"a {kind}"
