"""Expressions of the contract: CEL (https://cel.dev), by the C++ library behind three functions so that another
evaluator could stand in. An expression sees `status` (int), `body` (any), `headers` (map, lower-case names), `text`
(the raw body), `saved` (variables of earlier steps); a state rule's expression sees `rows` (list of lists).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from crossfade.model.ramp import Position

STEP_NAMES = ("status", "body", "headers", "text", "saved")
ROWS_NAMES = ("rows",)


class ExpressionError(Exception):
    """A text that is no expression; `column` counts from 1 within the text."""

    def __init__(self, reason: str, column: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


class Expression(msgspec.Struct, frozen=True):
    """A checked expression; `over` is "step" or "rows" and says which names it may use."""

    source: str
    over: str = "step"
    position: Position | None = None


class Evaluated(msgspec.Struct, frozen=True):
    """`value` is plain Python; `error` is empty unless the expression could not be evaluated on these values."""

    value: Any = None
    error: str = ""

    @property
    def holds(self) -> bool:
        return self.value is True and not self.error


def check(source: str, over: str = "step") -> None:
    """Raises ExpressionError where `source` is not an expression over the names of `over`."""
    _compiled(source, over)


def evaluated(expression: Expression, values: Mapping[str, Any]) -> Evaluated:
    """The expression's value. A missing field is an error in the result, not false and not an exception."""
    try:
        result = _compiled(expression.source, expression.over).eval(data=_representable(values))
        if result.type().name() == "ERROR" or "ERROR" in str(result.type()):
            return Evaluated(error=_plain_error(str(result.plain_value())))
        return Evaluated(value=result.plain_value())
    except ExpressionError as problem:
        return Evaluated(error=problem.reason)
    except Exception as problem:  # the library reports every evaluation failure as RuntimeError or ValueError
        return Evaluated(error=_plain_error(str(problem)))


@lru_cache(maxsize=4096)
def _compiled(source: str, over: str) -> Any:
    try:
        return _environment(over).compile(source)
    except Exception as problem:
        raise _located(str(problem)) from None


@lru_cache(maxsize=2)
def _environment(over: str) -> Any:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings

    kind = cel.Type
    strings = [ext_strings.ExtStrings()]
    if over == "rows":
        return cel.NewEnv(variables={"rows": kind.List(kind.List(kind.DYN))}, extensions=strings)
    headers = kind.Map(kind.STRING, kind.STRING)
    saved = kind.Map(kind.STRING, kind.DYN)
    return cel.NewEnv(
        variables={"status": kind.INT, "body": kind.DYN, "headers": headers, "text": kind.STRING, "saved": saved},
        extensions=strings,
    )


def _located(text: str) -> ExpressionError:
    found = re.search(r"<input>:(\d+):(\d+): (.*)", text)
    if not found:
        return ExpressionError(text.split("\n")[0], 1)
    reason = re.sub(r" \(in container ''\)$", "", found.group(3))
    return ExpressionError(reason, int(found.group(2)))


def _plain_error(text: str) -> str:
    text = re.sub(r"^(NOT_FOUND|INVALID_ARGUMENT): ", "", text.split("\n")[0])
    missing = re.search(r'Key not found in map : "(.*)"', text)
    return f"there is no `{missing.group(1)}`" if missing else text


def _representable(value: Any) -> Any:
    """CEL integers have 64 bits: larger ones are given as doubles rather than failing the whole expression."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**63 else float(value)
    if isinstance(value, Mapping):
        return {str(key): _representable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_representable(item) for item in value]
    return value
