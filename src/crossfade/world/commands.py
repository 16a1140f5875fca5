"""Command lines of the contract (`run:`): from the text with `${...}` to the argument list and environment of a child.

No shell is used unless the text needs one. Values are put in after the text was taken apart, so that a `&` or a space
in an address stays part of its word.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossfade.errors import EnvironmentFailed
from crossfade.model import template
from crossfade.model.ramp import Position
from crossfade.world import trees

PYTHON = sys.executable
_SHELL_WORDS = frozenset(
    {"cd", "export", "exec", "source", ".", "eval", "ulimit", "umask", "set", "if", "for", "while"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def argument_list(text: str, values: Mapping[str, Any], path: str | None = None) -> list[str]:
    """What to execute for the command line `text`. `path` is the child's PATH. Raises KeyError for a name without a
    value and ValueError where a quote is not closed.

    >>> argument_list("serve --url ${db.url}", {"db.url": "postgres://h/x?a=1&b=2"})
    ['serve', '--url', 'postgres://h/x?a=1&b=2']
    >>> argument_list("cd app && ./serve ${port} > log", {"port": 80})
    ['sh', '-c', 'cd app && ./serve 80 > log']
    >>> argument_list("./serve $HOME", {})
    ['sh', '-c', 'exec ./serve $HOME']
    """
    words = shlex.split(_with_marks(text))  # also says whether every quote is closed
    if not words:
        raise ValueError("the command is empty")
    if not needs_shell(text):
        filled = [template.filled(word.replace(_MARK, "${").replace(_LITERAL, "$${"), values) for word in words]
        return [_interpreter(filled[0], path), *filled[1:]]
    line = _filled_for_shell(text, values)
    first = words[0].replace(_MARK, "${")
    # A simple command replaces the shell, so that signals and exit codes are its own.
    if not _ASSIGNMENT.match(first) and first not in _SHELL_WORDS and not _operators(text) & set("|&;()\n"):
        interpreter = _interpreter(first, path)
        if interpreter != first:
            line = shlex.quote(interpreter) + line.lstrip()[len(first) :]
        line = f"exec {line.lstrip()}"
    return ["sh", "-c", line]


def needs_shell(text: str) -> bool:
    """Whether the command line holds what only a shell understands: operators, `$NAME`, redirections, patterns."""
    words = text.split()
    if "\\\n" in text or re.search(r"\s#", text):  # a continued line, a comment
        return True
    return bool(_operators(text)) or (bool(words) and (words[0] in _SHELL_WORDS or bool(_ASSIGNMENT.match(words[0]))))


def environment(
    run_id: str, own: Sequence[Mapping[str, str]], values: Mapping[str, Any], mark: str = ""
) -> dict[str, str]:
    """The environment of a child: ours, then each of `own` with its `${...}` filled, then the marks by which
    `trees` finds it. `search_path` says where commands are looked for. Raises KeyError."""
    result = dict(os.environ)
    result["PATH"] = search_path(result.get("PATH", os.defpath))
    result["PYTHONUNBUFFERED"] = "1"
    for some in own:
        result.update({name: template.filled(text, values) for name, text in some.items()})
    result[trees.RUN_VARIABLE] = run_id
    result[trees.CHILD_VARIABLE] = mark
    return result


class _Order:
    """Whether the folder of our own interpreter is searched first; decided once, turned round once where a Python
    command did not find its modules."""

    ours_first: bool | None = None
    turned = False


def search_path(path: str, environ: Mapping[str, str] = os.environ) -> str:
    """PATH with the folder of the interpreter that runs Crossfade. It comes first in a virtual environment, since a
    contract's `python` then is most likely the project's; it comes last where another virtual environment is active or
    Crossfade was installed as a tool of its own (pipx, uv tool)."""
    beside = str(Path(PYTHON).parent)
    if _Order.ours_first is None:
        active = environ.get("VIRTUAL_ENV", "")
        tool = any((Path(sys.prefix) / mark).exists() for mark in ("pipx_metadata.json", "uv-receipt.toml"))
        _Order.ours_first = sys.prefix != sys.base_prefix and not tool and active in ("", sys.prefix)
    others = [folder for folder in path.split(os.pathsep) if folder != beside]
    return os.pathsep.join([beside, *others] if _Order.ours_first else [*others, beside])


def turn_search_order() -> bool:
    """Looks for commands the other way round from now on; False where that was tried before."""
    if _Order.turned:
        return False
    _Order.turned = True
    _Order.ours_first = not _Order.ours_first
    return True


MODULE_MISSING = re.compile(r"No module named|ModuleNotFoundError|command not found|: not found")


def refused(text: str, problem: Exception, position: Position | None) -> EnvironmentFailed:
    """The error screen for a command line that cannot be started."""
    where = str(position) if position else ""
    if isinstance(problem, KeyError):
        return EnvironmentFailed(
            f"`${{{problem.args[0]}}}` has no value here",
            where=where,
            hint=f"a shell variable is written `$${{{problem.args[0]}}}` in a contract",
        )
    if isinstance(problem, FileNotFoundError):
        return EnvironmentFailed(
            f"the command `{text}` cannot be started: `{problem.filename}` is not there",
            where=where,
            hint="commands run in a copy of the contract's folder",
        )
    reason = problem.strerror.lower() if isinstance(problem, OSError) and problem.strerror else str(problem).lower()
    return EnvironmentFailed(f"the command `{text}` cannot be started: {reason}", where=where)


# ── taking a command line apart ─────────────────────────────────────────────

_MARK, _LITERAL = "\ue000{", "\ue001{"  # stand for `${` and `$${` while quotes are looked at


def _with_marks(text: str) -> str:
    def mark(match: re.Match[str]) -> str:
        return f"{_MARK}{match.group(1)}}}" if match.group(1) else _LITERAL

    return template.PATTERN.sub(mark, text)


def _operators(text: str) -> set[str]:
    """The characters of the text that mean something to a shell where they stand."""
    found = set()
    for character, quote in _quoted(_with_marks(text).strip()):
        if quote == "'" or quote == "\\":
            continue
        if character == _LITERAL[0]:
            found.add("$")
        elif character in "$`" or (not quote and character in "|&;<>()\n*?~"):
            found.add(character)
    return found


def _quoted(text: str) -> list[tuple[str, str]]:
    """Each character with the quoting it stands in: "'", '"', "\\" (escaped) or "" (none)."""
    result, quote, escaped = [], "", False
    for character in text:
        if escaped:
            result.append((character, "\\"))
            escaped = False
        elif character == "\\" and quote != "'":
            result.append((character, "\\"))
            escaped = True
        elif quote:
            quote, shown = ("", quote) if character == quote else (quote, quote)
            result.append((character, "\\" if not quote else shown))
        elif character in "'\"":
            quote = character
            result.append((character, "\\"))
        else:
            result.append((character, ""))
    return result


def _filled_for_shell(text: str, values: Mapping[str, Any]) -> str:
    """The text with values in place, each quoted for the quotes it stands in, so that a shell takes it literally."""
    marked = _with_marks(text)
    quoting = [quote for _, quote in _quoted(marked)]

    def insert(match: re.Match[str]) -> str:
        value, quote = template.as_text(values[match.group(1)]), quoting[match.start()]
        if quote == "'":
            return value.replace("'", "'\\''")
        if quote == '"':
            return re.sub(r'([\\"$`])', r"\\\1", value)
        return shlex.quote(value) if value else ""

    return re.sub(re.escape(_MARK) + r"([^}]*)\}", insert, marked).replace(_LITERAL, "${")


def _interpreter(word: str, path: str | None) -> str:
    """`python` where there is none (Debian has only python3): the interpreter that runs Crossfade."""
    if word in ("python", "python3") and shutil.which(word, path=path) is None:
        return PYTHON
    return word
