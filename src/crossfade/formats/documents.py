"""The text of a JSON or YAML document as plain values, for descriptions of many megabytes. Positions are
found when asked for (`formats.positions`).

YAML is read by the rules of 1.2: `on`, `12:30` and `2024-01-01` are texts, keys are texts always.
"""

from __future__ import annotations

import gc
import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from crossfade.errors import ContractError

LARGEST = 4_000_000  # values in one document once its YAML aliases are written out; GitHub's has about 700,000


class ParsedDocument(msgspec.Struct, frozen=True, eq=False):
    """A document as plain values, its text, and (YAML) the nodes it was made of: they know their lines."""

    value: Any
    text: str
    node: Any = None


def parsed_document(path: Path, shown: str) -> Any:
    """The document's plain values. Raises ContractError for a file that is missing or broken."""
    return read_document(path, shown).value


def read_document(path: Path, shown: str, expected: str = "an OpenAPI document") -> ParsedDocument:
    """As `parsed_document`, with what is needed to find positions later."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ContractError(f"there is no file `{shown}`", where=shown, hint=f"{expected} was expected") from None
    except OSError as problem:
        raise ContractError(f"`{shown}` cannot be read: {problem.strerror}", where=shown) from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise ContractError("the file is not UTF-8", where=f"{shown}:{line}", hint="save it as UTF-8") from None
    if text.lstrip()[:1] == "{":
        try:
            return ParsedDocument(msgspec.json.decode(text), text)
        except (msgspec.DecodeError, RecursionError) as problem:
            if path.suffix.lower() == ".json":
                raise ContractError(
                    f"the JSON is broken: {_reason(str(problem))}", where=_json_place(shown, text, problem)
                ) from None
    value, node = _yaml(text, shown)
    return ParsedDocument(value, text, node)


def _reason(text: str) -> str:
    return re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", text.split("\n", 1)[0])


def _json_place(shown: str, text: str, problem: Exception) -> str:
    found = re.search(r"\(byte (\d+)\)", str(problem))
    if not found:
        return shown
    before = text.encode()[: int(found.group(1))].decode(errors="replace")
    return f"{shown}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the scalars of YAML 1.2: `on`, `12:30`, `2024-01-01` are texts."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own shape


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", "<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), [*_first, ""])


def _yaml(text: str, shown: str) -> tuple[Any, Any]:
    loader = _Loader(text)
    collecting = gc.isenabled()
    gc.disable()  # a million new nodes that all stay: collecting meanwhile takes eight times as long as parsing
    try:
        node = loader.get_single_node()
        return (None if node is None else _Constructed(shown).value(node)), node
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else shown
        raise ContractError(f"the YAML is broken: {problem.problem or problem.context}", where=where) from None
    except yaml.YAMLError as problem:
        raise ContractError(f"the YAML is broken: {str(problem).splitlines()[0]}", where=shown) from None
    except RecursionError:
        raise ContractError("the document is nested too deeply", where=shown) from None
    finally:
        loader.dispose()
        if collecting:
            gc.enable()


class _Constructed:
    """YAML nodes to plain values. Keys are always texts (`200:` is "200"), aliases are shared, never copied; `sizes`
    counts what each value would be if they were, which is what stops a YAML bomb."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.done: dict[int, tuple[Any, int]] = {}
        self.open: set[int] = set()

    def value(self, node: yaml.Node) -> Any:
        return self._sized(node)[0]

    def _sized(self, node: yaml.Node) -> tuple[Any, int]:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node), 1
        known = self.done.get(id(node))
        if known is not None:
            return known
        if id(node) in self.open:
            raise self._error("the document contains itself by an alias", node)
        self.open.add(id(node))
        result: Any
        size = 1
        if isinstance(node, yaml.SequenceNode):
            result = []
            for item in node.value:
                value, more = self._sized(item)
                result.append(value)
                size += more
        else:
            result, merged = {}, {}
            for key, item in node.value:
                value, more = self._sized(item)
                size += more
                if key.tag == "tag:yaml.org,2002:merge":
                    for one in reversed(value) if isinstance(value, list) else (value,):
                        merged.update(one if isinstance(one, dict) else {})
                elif isinstance(key, yaml.ScalarNode):
                    result[key.value] = value
                else:
                    raise self._error("a key must be a plain text", key)
            result = {**merged, **result} if merged else result
        if size > LARGEST:
            raise self._error(f"the document holds more than {LARGEST:,} values once its aliases are written out", node)
        self.open.discard(id(node))
        self.done[id(node)] = (result, size)
        return result, size

    def _error(self, message: str, node: yaml.Node) -> ContractError:
        mark = node.start_mark
        return ContractError(message, where=f"{self.shown}:{mark.line + 1}:{mark.column + 1}")


def _scalar(node: yaml.ScalarNode) -> Any:
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind == "int":
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    if kind == "bool":
        return text.lower() == "true"
    return None if kind == "null" else text


def kind_of(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: f"the text `{str(value)[:40]}`", bool: f"`{str(value).lower()}`"}
    return "null" if value is None else names.get(type(value), f"`{value}`")
