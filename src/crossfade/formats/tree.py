"""YAML to nodes: every key and value with its place, read as YAML 1.2 (core schema).

Built on libyaml's events, one by one, so that a bomb is refused before it goes off: nesting, the number of values and
what aliases repeat are limited while reading. Compared with YAML 1.1: `on`, `no` and `12:30` are texts, `012` is
twelve, a key written twice is a problem. Merge keys (`<<`) work; explicit keys win.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec
import yaml

from crossfade.formats.source import Problem, Source, error_of
from crossfade.model.ramp import Position

DEEPEST = 60
MOST_VALUES = 200_000
MOST_REPEATED = 10_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}\Z")
_OTHER_INTEGER = re.compile(r"0o[0-7]{1,4000}\Z|0x[0-9a-fA-F]{1,3000}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_START = frozenset("0123456789+-.")
_PLAIN_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!"})
_TEXT_TAG = "tag:yaml.org,2002:str"


class Node(msgspec.Struct, frozen=True, gc=False):
    """One value. `kind` is "scalar", "list" or "map"; `value` is the scalar's value, a tuple of nodes, or a tuple of
    (key node, value node). `text` is a scalar's text (of `1.10`: "1.10"), `plain` tells that it had no quotes."""

    kind: str
    value: Any
    line: int
    column: int
    length: int
    text: str = ""
    plain: bool = False
    size: int = 1  # values in it, aliases expanded

    @property
    def is_null(self) -> bool:
        return self.kind == "scalar" and self.value is None


def tree(source: Source, problems: list[Problem]) -> Node:
    """The document's root. Problems that leave the rest readable (a key written twice) are added to `problems`;
    raises ContractError for a text that is not one YAML document."""
    return _Builder(source, problems).document()


def place(source: Source, node: Node) -> Position:
    return source.position(node.line, node.column, node.length)


def plain_value(node: Node) -> Any:
    """The node as plain Python: what `json:` sends."""
    if node.kind == "list":
        return [plain_value(item) for item in node.value]
    if node.kind == "map":
        return {key.text: plain_value(value) for key, value in node.value}
    return node.value


def scalar_value(text: str) -> Any:
    """A plain scalar's value in the core schema of YAML 1.2.

    >>> [scalar_value(text) for text in ("no", "012", "12:30", "1e3", "true", "~")]
    ['no', 12, '12:30', 1000.0, True, None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.match(text):
        return int(text)
    if _OTHER_INTEGER.match(text):
        return int(text, 0)
    return float(text) if _FLOAT.match(text) else text


class _Builder:
    """Turns events into nodes, keeping count of what aliases repeat."""

    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self.source = source
        self.problems = problems
        self.events: Iterator[Any] = iter(())
        self.anchors: dict[str, Node | None] = {}  # None: still being read
        self.values = 0
        self.repeated = 0

    def document(self) -> Node:
        try:
            self.events = yaml.parse(self.source.text, Loader=_LOADER)
            root = None
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    if root is not None:
                        raise self.refused(event, "a second document in the file", "a contract is one YAML document")
                    root = self.node(next(self.events), 0)
            if root is None or root.is_null:
                raise error_of(self.source, [self.empty()])
            return root
        except yaml.MarkedYAMLError as error:
            raise error_of(self.source, [syntax_problem(self.source, error)]) from None
        except yaml.reader.ReaderError as error:
            reason = f"the character U+{ord(error.character):04X}" if isinstance(error.character, str) else error.reason
            position = self.source.position_at(int(error.position or 0))
            raise error_of(self.source, [Problem(f"{reason} cannot stand in YAML", position)]) from None

    def empty(self) -> Problem:
        return Problem(
            "the contract is empty", self.source.position(1, 1), "`crossfade init` writes a starter contract"
        )

    def node(self, event: Any, depth: int) -> Node:
        self.values += 1
        if self.values > MOST_VALUES:
            raise self.refused(event, f"more than {MOST_VALUES:,} values in the contract", "split it")
        if depth > DEEPEST:
            raise self.refused(event, f"nested more than {DEEPEST} levels deep", "no contract needs that")
        if isinstance(event, yaml.AliasEvent):
            return self.repeat(event)
        if event.anchor:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self.sequence(event, depth)
        else:
            node = self.mapping(event, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def repeat(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            hint = did_you_mean(f"*{event.anchor}", [f"*{name}" for name in self.anchors])
            hint = hint or f"write `&{event.anchor}` at the value to repeat, above"
            raise self.refused(event, f"unknown alias `*{event.anchor}`", hint)
        node = self.anchors[event.anchor]
        if node is None:
            raise self.refused(event, f"`*{event.anchor}` stands inside the value it repeats", "an alias cannot loop")
        self.repeated += node.size
        if self.repeated > MOST_REPEATED:
            hint = "write the values out, or fewer of them"
            raise self.refused(event, f"aliases repeat more than {MOST_REPEATED:,} values", hint)
        return node

    def scalar(self, event: Any) -> Node:
        start, end = event.start_mark, event.end_mark
        line, column = start.line + 1, start.column + 1
        text: str = event.value
        # An anchor or a tag comes before the value: the caret stands under both.
        if start.line == end.line:
            length = end.column - start.column
        else:
            length = 1 if event.style in ("|", ">") else len(self.source.lines[start.line].rstrip()) - start.column
        plain = event.style is None or event.style == ""
        if event.tag and event.tag not in _PLAIN_TAGS:
            if event.tag != _TEXT_TAG:
                self.tagged(event)
            plain = False
        value = scalar_value(text) if plain and event.tag is None else text
        return Node("scalar", value, line, column, max(1, length), text, plain)

    def tagged(self, event: Any) -> None:
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        self.problems.append(
            Problem(f"the tag `{shown}` has no meaning in a contract", self.marked(event), "write the plain value")
        )

    def sequence(self, event: Any, depth: int) -> Node:
        if event.tag and event.tag not in _PLAIN_TAGS:
            self.tagged(event)
        items: list[Node] = []
        size = 1
        while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
            item = self.node(inner, depth + 1)
            size += item.size
            items.append(item)
        return Node("list", tuple(items), *self.extent(event, inner), size=size)

    def mapping(self, event: Any, depth: int) -> Node:
        if event.tag and event.tag not in _PLAIN_TAGS:
            self.tagged(event)
        entries: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        size = 1
        while not isinstance(inner := next(self.events), yaml.MappingEndEvent):
            key = self.node(inner, depth + 1)
            value = self.node(next(self.events), depth + 1)
            size += key.size + value.size
            if key.kind != "scalar" or (key.plain and key.text == ""):
                self.problem(key, "a key must be a text", "is a value in the wrong place, or are quotes missing?")
            elif key.text == "<<" and key.plain:
                self.merge(key, value, merged)
            elif key.text in entries:
                first = entries[key.text][0]
                self.problem(key, f"the key `{key.text}` is written twice", f"it stands in line {first.line} already")
            else:
                entries[key.text] = (key, value)
        together = {**entries, **{name: entry for name, entry in merged.items() if name not in entries}}
        line, column, length = self.extent(event, inner)
        if not event.flow_style and entries:
            first_key = next(iter(entries.values()))[0]
            if (first_key.line, first_key.column) == (line, column):
                length = first_key.length
        return Node("map", tuple(together.values()), line, column, length, size=size)

    def merge(self, key: Node, value: Node, merged: dict[str, tuple[Node, Node]]) -> None:
        parts = value.value if value.kind == "list" else (value,)
        for part in parts:
            if part.kind != "map":
                self.problem(key, "`<<` takes a mapping", "write `<<: *name` for a mapping marked `&name`")
                return
            for inner_key, inner_value in part.value:
                merged.setdefault(inner_key.text, (inner_key, inner_value))

    def extent(self, start: Any, end: Any) -> tuple[int, int, int]:
        first, last = start.start_mark, end.end_mark
        same_line = start.flow_style and first.line == last.line
        return first.line + 1, first.column + 1, max(1, last.column - first.column) if same_line else 1

    def problem(self, node: Node, message: str, hint: str) -> None:
        self.problems.append(Problem(message, place(self.source, node), hint))

    def marked(self, event: Any) -> Position:
        start, end = event.start_mark, event.end_mark
        length = end.column - start.column if start.line == end.line else 1
        return self.source.position(start.line + 1, start.column + 1, length)

    def refused(self, event: Any, message: str, hint: str) -> Exception:
        return error_of(self.source, [*self.problems, Problem(message, self.marked(event), hint)])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean ...?` for the known word that is nearest, or nothing when none is near."""
    import difflib

    names = list(islice(known, 500))
    if len(word) > 60:
        return ""
    lowered = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f"did you mean `{lowered[near[0]]}`?" if near else ""


def syntax_problem(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    """libyaml's message in one calm sentence, at the place where the reader should look."""
    mark = error.problem_mark or error.context_mark
    if "unexpected end of stream" in (error.problem or "") and error.context_mark:
        mark = error.context_mark  # where the quote was opened
    line, column = (mark.line, mark.column) if mark else (0, 0)
    text = error.problem or error.context or "not YAML"
    context = error.context or ""
    shown = source.lines[line] if line < len(source.lines) else ""
    opened = error.context_mark.line + 1 if error.context_mark else 0
    message, hint = _calm(text, context, shown, column, opened)
    if line >= len(source.lines) or not source.lines[line].strip():  # the end: show the last line with something in it
        line = next((n for n in range(min(line, len(source.lines) - 1), -1, -1) if source.lines[n].strip()), 0)
        column = len(source.lines[line].rstrip())
    return Problem(message, source.position(line + 1, column + 1), hint)


def _calm(text: str, context: str, shown: str, column: int, opened: int) -> tuple[str, str]:
    """A sentence and a hint for libyaml's `text` and `context` at `column` of the line `shown`."""
    before, rest = shown[:column], shown[column:]
    # In this order: tabs, characters YAML reserves, quotes, braces, indentation, colons, anchors, the rest.
    if rest.startswith("\t") or "\t" in shown[: len(shown) - len(shown.lstrip())]:
        return "a tab in the indentation", "indent with spaces"
    if "cannot start any token" in text:
        return f"a value cannot start with `{rest[:1]}`", "put the value in quotes"
    if "unexpected end of stream" in text and "quoted scalar" in context:
        return "a quote that is not closed", f"close it with `{rest[:1]}`"
    if "unknown escape character" in text:
        return "an unknown escape in double quotes", "use single quotes, or write `\\\\` for a backslash"
    if "flow" in context and before.endswith("$") and rest.startswith("{"):
        return "`${` needs quotes between `{` and `}`", "put the whole text in quotes"
    if "flow" in context or "expected node content" in text:
        what = "{" if "mapping" in context else "["
        hint = f"close what was opened in line {opened}, or put texts with brackets, braces or colons in quotes"
        return f"`{what}` is not closed, or a text in it needs quotes", hint
    if "did not find expected key" in text or "expected '-' indicator" in text or "block mapping" in context:
        if before.strip(" -"):
            return "text after the end of a value", "put the whole value in quotes"
        return "the indentation does not fit the lines above", "keys of one mapping start in the same column"
    if "mapping values are not allowed" in text:
        if ": " in before:
            return "a second `: ` in one value", "put the value in quotes"
        return "a key where none can stand", "check the indentation of this line and the one above"
    if "block sequence entries" in text:
        return "a list entry cannot start here", "put it on a line of its own, or the value in quotes"
    if "directive" in text or "directive" in context:
        return "a line that starts with `%`", "a contract has no directives: take it out"
    if "could not find expected ':'" in text:
        return "a key without `:`", "write `key: value`"
    if "anchor" in text or "alias" in text or "anchor" in context or "alias" in context:
        return "an anchor or alias that cannot be read", "put a value that starts with `&` or `*` in quotes"
    reason = text.replace("found ", "").replace("did not find expected", "missing")
    return f"not YAML: {reason}", ""
