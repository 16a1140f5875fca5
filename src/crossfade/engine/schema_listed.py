"""Values held against literals: where they can be listed, that decides a question."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

from crossfade.engine.schema_check import holds
from crossfade.engine.schema_literals import Atom, Literal, Question
from crossfade.engine.schema_nodes import FALSE, Node
from crossfade.engine.schema_regex import matches
from crossfade.engine.schema_values import INTEGER, WHOLE, kind_of, same_key


def finite(asked: Question) -> list[Any] | None:
    """The values that come into question where they can be listed."""
    best: list[Any] | None = None
    for number, item in asked.items():
        values = None
        if isinstance(item, Atom):
            values = list(item.value) if item.tag == "values" else None
        elif number > 0:
            values = item.values()
        if values is not None and (best is None or len(values) < len(best)):
            best = values
    return best


def fulfils(asked: Question, value: Any) -> bool | None:
    answers = [literal_holds(one, value) for one in asked.items()]
    return False if False in answers else None if None in answers else True


def literal_holds(literal: Literal, value: Any) -> bool | None:
    number, item = literal
    if isinstance(item, Atom):
        return atom_holds(item, value)
    answer = holds(item, value)
    return answer if number > 0 or answer is None else not answer


def atom_holds(one: Atom, value: Any) -> bool | None:
    """Whether the value is as a (simple) atom says; None for those that ask of parts."""
    tag, wanted, kind = one.tag, one.value, kind_of(value)
    if tag == "kinds":
        return None if kind == WHOLE and INTEGER in wanted and WHOLE not in wanted else kind in wanted
    if tag in ("values", "not-values"):
        return (same_key(value) in {same_key(each) for each in wanted}) == (tag == "values")
    if tag in ("min-length", "max-length"):
        return kind == "string" and (len(value) >= wanted if tag == "min-length" else len(value) <= wanted)
    if tag == "not-pattern":
        found = matches(wanted, value) if kind == "string" else True
        return None if found is None else not found
    if tag in ("present", "absent"):
        return kind == "object" and (wanted in value) == (tag == "present")
    if tag == "property":
        if kind != "object" or wanted not in value:
            return False
        return fulfils(dict(one.payload), value[wanted])
    return None


def capacity(literals: list[Literal]) -> int | None:
    """How many different values there can be at most, None: no end known."""
    best: int | None = None
    for number, item in literals:
        if number > 0 and isinstance(item, Node):
            values = item.values()
            count = None if values is None else len({same_key(one) for one in values})
            if count is None and item.possible() <= {"null", "boolean"}:
                count = sum({"null": 1, "boolean": 2}[kind] for kind in item.possible())
            if (
                count is None
                and item.words.keys() >= {"minimum", "maximum", "type"}
                and not item.possible()
                - {
                    INTEGER,
                    WHOLE,
                }
            ):
                count = max(0, floor(item.bound("maximum")) - ceil(item.bound("minimum")) + 1)
            if count is not None and (best is None or count < best):
                best = count
        elif number > 0 and isinstance(item, Atom) and item.tag == "values":
            best = len(item.value) if best is None else min(best, len(item.value))
    if any(number == FALSE for number, _ in literals):
        return 0
    return best
