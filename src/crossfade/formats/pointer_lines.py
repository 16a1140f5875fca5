"""Where in a JSON or YAML text a JSON pointer points: asked only for what is reported."""

from __future__ import annotations

from collections.abc import Iterable

import yaml


def pointer_lines(text: str, pointers: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Line and column (from 1) of each pointer; the nearest thing around it where it does not exist, nothing for a text that
    does not parse.

    >>> pointer_lines("a:\\n  b: [1, {c: 2}]", ["/a/b/1/c", "/a/x"])
    {'/a/b/1/c': (2, 15), '/a/x': (2, 3)}
    """
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, RecursionError):
        return {}
    found = {}
    for pointer in pointers:
        node, parts = root, pointer.removeprefix("#").split("/")[1:]
        for part in parts:
            inner = _step(node, part.replace("~1", "/").replace("~0", "~"))
            if inner is None:
                break
            node = inner
        if node is not None:
            found[pointer] = (node.start_mark.line + 1, node.start_mark.column + 1)
    return found


def _step(node: yaml.Node | None, part: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if getattr(key, "value", None) == part), None)
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        found: yaml.Node = node.value[int(part)]
        return found
    return None
