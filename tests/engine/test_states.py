"""State keys: equal for states that differ only in the names of ids, in clocks and in the order of writes."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crossfade.engine.states import delta_until, net_rows, state_key
from crossfade.model.history import Delta, KeyChange, LoggedChange, RowChange

NOW = 1_790_000_000.0
QUICK = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


class Row(msgspec.Struct, frozen=True):
    """An inserted row: `number` names its key; `refers` the rows it points to; `colour` is plain content."""

    number: int
    table: str
    refers: tuple[int, ...]
    colour: str


@st.composite
def rows(draw: st.DrawFn) -> tuple[Row, ...]:
    count = draw(st.integers(1, 4))
    return tuple(
        Row(
            number,
            draw(st.sampled_from(["public.orders", "public.items"])),
            tuple(draw(st.lists(st.integers(0, count - 1), max_size=2))),
            draw(st.sampled_from(["red", "blue"])),
        )
        for number in range(count)
    )


def delta(drawn: tuple[Row, ...], base: int, now: float, order: tuple[int, ...] | None = None) -> Delta:
    """The rows as one run writes them: serial ids from `base` on, a uuid and two clocks each, in this order."""
    changes = []
    for position in order or range(len(drawn)):
        row = drawn[position]
        after = {
            "id": base + 7 * row.number,
            "token": str(uuid.UUID(int=(base + row.number) << 40, version=4)),
            "refers": [base + 7 * other for other in row.refers],
            "link": " ".join(f"/orders/{base + 7 * other}" for other in row.refers),
            "colour": row.colour,
            "made": datetime.fromtimestamp(now, UTC).isoformat(),
            "stamp": int(now * 1000),
        }
        changes.append(RowChange("db", row.table, json.dumps({"id": after["id"]}), None, json.dumps(after), now))
    return Delta(tuple(changes))


@QUICK
@given(rows(), st.integers(1_000, 10**7), st.integers(0, 3000))
def test_new_ids_and_a_later_clock_make_no_other_state(drawn: tuple[Row, ...], base: int, seconds: int) -> None:
    first = state_key(delta(drawn, 41_173, NOW), {"id": 41_173, "kind": "a"}, NOW)
    assert first == state_key(delta(drawn, base, NOW + seconds), {"id": base, "kind": "a"}, NOW + seconds)


@QUICK
@given(rows(), st.data())
def test_the_order_of_writes_makes_no_other_state(drawn: tuple[Row, ...], data: st.DataObject) -> None:
    assume(len({(row.table, row.colour, len(row.refers)) for row in drawn}) == len(drawn))
    order = tuple(data.draw(st.permutations(range(len(drawn)))))
    assert state_key(delta(drawn, 41_173, NOW), {}, NOW) == state_key(delta(drawn, 52_807, NOW, order), {}, NOW)


def same_up_to_names(one: tuple[Row, ...], other: tuple[Row, ...]) -> bool:
    """Is there any renaming of ids that turns one set of rows into the other?"""
    if len(one) != len(other):
        return False
    wanted = {(row.number, row.table, row.refers, row.colour) for row in other}
    return any(
        wanted == {(name[row.number], row.table, tuple(name[i] for i in row.refers), row.colour) for row in one}
        for name in permutations(range(len(one)))
    )


@QUICK
@given(rows(), rows())
def test_rows_that_no_renaming_makes_equal_are_different_states(one: tuple[Row, ...], other: tuple[Row, ...]) -> None:
    assume(not same_up_to_names(one, other))
    assert state_key(delta(one, 41_173, NOW), {}, NOW) != state_key(delta(other, 52_807, NOW), {}, NOW)


@QUICK
@given(rows(), st.data())
def test_a_reference_to_another_row_is_another_state(drawn: tuple[Row, ...], data: st.DataObject) -> None:
    pointing = [row for row in drawn if row.refers]
    assume(pointing)
    row = data.draw(st.sampled_from(pointing))
    moved = msgspec.structs.replace(row, refers=((row.refers[0] + 1) % len(drawn), *row.refers[1:]))
    other = tuple(moved if one is row else one for one in drawn)
    assume(not same_up_to_names(drawn, other))
    assert state_key(delta(drawn, 41_173, NOW), {}, NOW) != state_key(delta(other, 41_173, NOW), {}, NOW)


def one_row(before: Any, after: Any, key: Any = None, table: str = "public.t", database: str = "db") -> Delta:
    def text(value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    return Delta((RowChange(database, table, json.dumps(key or {"id": 5}), text(before), text(after), NOW),))


A, B = {"id": 5, "v": "a"}, {"id": 5, "v": "b"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (one_row(None, A), one_row(None, B)),
        (one_row(None, A), one_row(B, A)),  # inserted or changed
        (one_row(A, None), one_row(A, B)),  # deleted or changed
        (one_row(A, B), one_row(A, B, {"id": 6})),  # which of the rows that were there
        (one_row(None, A), one_row(None, A, table="public.u")),
        (one_row(None, A), one_row(None, A, database="other")),
        (one_row(None, {"id": 5, "v": None}), one_row(None, {"id": 5})),
        (one_row(None, {"id": 5, "v": 1}), one_row(None, {"id": 5, "v": "b1"})),
        (one_row(None, {"id": 5, "v": True}), one_row(None, {"id": 5, "v": False})),
        (one_row(None, {"id": 5, "v": [1, [2]]}), one_row(None, {"id": 5, "v": [1, 2]})),
        (one_row(None, {"id": 5, "v": "2019-03-04"}), one_row(None, {"id": 5, "v": "2019-03-05"})),
        (one_row(None, A), Delta()),
        (one_row(None, {"id": 5, "n": "x", "m": ""}), one_row(None, {"id": 5, "n": "", "m": "x"})),
    ],
)
def test_other_content_is_another_state(one: Delta, other: Delta) -> None:
    assert state_key(one, {}, NOW) != state_key(other, {}, NOW)


def test_what_the_run_remembers_belongs_to_the_state() -> None:
    seen = one_row(None, {"id": 41_173, "v": "a"}, {"id": 41_173})
    assert state_key(seen, {"id": 41_173}, NOW) != state_key(seen, {"id": 41_174}, NOW)
    assert state_key(seen, {"id": 41_173}, NOW) != state_key(seen, {"other": 41_173}, NOW)
    assert state_key(seen, {}, NOW) != state_key(seen, {"id": None}, NOW)
    later = one_row(None, {"id": 52_807, "v": "a"}, {"id": 52_807})
    assert state_key(seen, {"id": 41_173}, NOW) == state_key(later, {"id": 52_807}, NOW)


def test_keys_of_redis_are_part_of_the_state_and_named_ids_in_them_are_followed() -> None:
    def stored(number: int, content: str = "string 7") -> Delta:
        row = one_row(None, {"id": number}, {"id": number})
        return Delta(row.rows, (KeyChange("cache", f"order:{number}", None, b"dump", content),))

    assert state_key(stored(41_173), {}, NOW) == state_key(stored(52_807), {}, NOW)
    assert state_key(stored(41_173), {}, NOW) != state_key(stored(41_173, "string 8"), {}, NOW)
    without = Delta(stored(41_173).rows)
    assert state_key(stored(41_173), {}, NOW) != state_key(without, {}, NOW)


# --- the log of changes


@st.composite
def logs(draw: st.DrawFn) -> tuple[dict[str, str], list[LoggedChange]]:
    """(the rows there were, what statement after statement did to them)."""
    start = {key: "0" for key in draw(st.sets(st.sampled_from("abc")))}
    rows_now, log = dict(start), []
    for moment in range(draw(st.integers(0, 10))):
        key = draw(st.sampled_from("abcd"))
        after = draw(st.sampled_from([None, "0", "1", "2"]))
        before = rows_now.get(key)
        if before is None and after is None:
            continue
        log.append(LoggedChange("db", "public.t", key, before, after, float(moment)))
        if after is None:
            del rows_now[key]
        else:
            rows_now[key] = after
    return start, log


@QUICK
@given(logs(), st.none() | st.integers(-1, 11))
def test_the_net_change_is_what_replaying_the_log_leaves(
    drawn: tuple[dict[str, str], list[LoggedChange]], until: int | None
) -> None:
    start, log = drawn
    rows_now, touched = dict(start), {}
    for change in log:
        if until is not None and change.at > until:
            continue
        touched[change.key] = change.at
        if change.after is None:
            del rows_now[change.key]
        else:
            rows_now[change.key] = change.after
    expected = tuple(
        RowChange("db", "public.t", key, start.get(key), rows_now.get(key), moment)
        for key, moment in touched.items()
        if start.get(key) != rows_now.get(key)
    )
    assert expected == net_rows(log, until)
    assert Delta(expected, (), False) == delta_until(log, (), False, until)


def test_rows_of_the_same_key_in_other_tables_are_other_rows() -> None:
    log = [
        LoggedChange("db", "public.t", "1", None, "x", 1.0),
        LoggedChange("db", "public.u", "1", "x", None, 2.0),
        LoggedChange("other", "public.t", "1", None, "x", 3.0),
    ]
    assert 3 == len(net_rows(log))
