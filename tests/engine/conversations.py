"""Made-up conversations: what a service answers over a few steps, with ids that flow, clocks and lists without order.

A template says what each leaf is; `played` gives the answers of one run with its own ids and clock.
"""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

from crossfade.engine.answers import Answer
from crossfade.engine.sameness import Noise, Reading, Reference, learned, reading

NOON = 1_790_000_000.0


class Const(msgspec.Struct, frozen=True):
    value: Any


class Id(msgspec.Struct, frozen=True):
    """The `number`th id of the run, new or known. `form`: how it is written; `{}` stands for a serial number."""

    number: int
    form: str


class Clock(msgspec.Struct, frozen=True):
    form: str  # iso, s, ms


class Bag(msgspec.Struct, frozen=True):
    """An array whose order is another one in every run."""

    items: tuple[Any, ...]


Template = list[Any]  # per step a JSON value whose leaves are of the above
Path = tuple[int, tuple[str | int, ...]]  # step, then keys and indices

CONSTANTS = st.sampled_from([None, True, False, 0, 1, 7, 2.5, "", "red", "A1", "2019-03-04", "order 7 of 9"])
FORMS = ("serial", "uuid", "ord_{}", "/orders/{}?v=1", "token")


@st.composite
def templates(draw: st.DrawFn) -> Template:
    """Two to four answers; every id is introduced once and may be referred to, in its own form, in later answers."""
    known: list[Id] = []
    steps = []
    for _ in range(draw(st.integers(2, 4))):
        fields: dict[str, Any] = {}
        fresh = []
        for field in range(draw(st.integers(1, 5))):
            kind = draw(st.sampled_from(["const", "const", "id", "ref", "ref", "clock", "bag", "object", "list"]))
            name = f"{kind}_{'abcde'[field]}"
            if kind == "id":
                fields[name] = Id(len(known) + len(fresh), draw(st.sampled_from(FORMS)))
                fresh.append(fields[name])
            elif kind == "ref" and known:
                fields[name] = draw(st.sampled_from(known))
            elif kind == "clock":
                fields[name] = Clock(draw(st.sampled_from(["iso", "s", "ms"])))
            elif kind == "bag":
                items = draw(st.lists(st.sampled_from(["x", "y", "z", "u", "v"]), min_size=3, max_size=5, unique=True))
                fields[name] = Bag(tuple(Const(item) for item in items))
            elif kind == "object":
                fields[name] = {"inner": Const(draw(CONSTANTS)), "more": Const(draw(CONSTANTS))}
            elif kind == "list":
                fields[name] = [{"n": Const(draw(CONSTANTS))} for _ in range(draw(st.integers(0, 3)))]
            else:
                fields[name] = Const(draw(CONSTANTS))
        known += fresh
        steps.append(fields)
    return steps


def played(template: Template, run: int) -> list[Answer]:
    """The answers of the run with this number: ids, clock and orders are its own."""
    return [
        Answer(
            200, "application/json", {}, "json", _value(body, run, NOON + 700.0 * run + step), NOON + 700.0 * run + step
        )
        for step, body in enumerate(template)
    ]


def identity(one: Id, run: int) -> Any:
    serial = 41_173 + 1009 * run + 17 * one.number
    if one.form == "serial":
        return serial
    if one.form == "uuid":
        return str(uuid.UUID(int=serial * 0x1_0001_0001_0003_0007_0001_0F01 % 2**128, version=4))
    if one.form == "token":
        return uuid.uuid5(uuid.NAMESPACE_OID, str(serial)).hex
    return one.form.format(serial)


def _value(template: Any, run: int, at: float) -> Any:
    if isinstance(template, dict):
        return {name: _value(inner, run, at) for name, inner in template.items()}
    if isinstance(template, list):
        return [_value(inner, run, at) for inner in template]
    if isinstance(template, Const):
        return template.value
    if isinstance(template, Id):
        return identity(template, run)
    if isinstance(template, Bag):
        turn = run % len(template.items)
        return [_value(inner, run, at) for inner in (*template.items[turn:], *template.items[:turn])]
    moment = at - 0.25
    if template.form == "iso":
        return datetime.fromtimestamp(moment, UTC).isoformat()
    return int(moment * (1000 if template.form == "ms" else 1))


def places(template: Template, kinds: type | tuple[type, ...]) -> list[Path]:
    """Where leaves of these kinds are, bags left out."""
    found: list[Path] = []

    def look(value: Any, step: int, path: tuple[str | int, ...]) -> None:
        if isinstance(value, kinds):
            found.append((step, path))
        elif isinstance(value, dict):
            for name, inner in value.items():
                look(inner, step, (*path, name))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                look(inner, step, (*path, index))

    for step, body in enumerate(template):
        look(body, step, ())
    return found


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def written(path: tuple[str | int, ...]) -> str:
    return "body" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def changed(answers: list[Answer], place: Path, value: Any) -> list[Answer]:
    """The answers with another value at one place."""
    step, path = place
    body = copy.deepcopy(answers[step].body)
    at(body, path[:-1])[path[-1]] = value
    return [msgspec.structs.replace(one, body=body) if i == step else one for i, one in enumerate(answers)]


def without(answers: list[Answer], place: Path) -> list[Answer]:
    step, path = place
    body = copy.deepcopy(answers[step].body)
    del at(body, path[:-1])[path[-1]]
    return [msgspec.structs.replace(one, body=body) if i == step else one for i, one in enumerate(answers)]


def noise_of(*families: list[list[Answer]], versions: tuple[str, ...] = ()) -> Noise:
    """What families of repeated runs teach, when no variables are saved."""
    readings = [[reading(run, ()) for run in family] for family in families]
    return learned(readings, [[] for _ in families], versions)


def references(runs: list[list[Answer]], step: int, noise: Noise, label: str = "stable") -> list[Reference]:
    return [Reference(label, one.answers[step], one.names[step]) for one in read(runs, noise) if one.answers[step]]


def read(runs: list[list[Answer]], noise: Noise) -> list[Reading]:
    return [reading(run, (), noise) for run in runs]
