"""Conditions that are said to be implied are, for every value there is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.engine.conditions import implied, same, values_of

Tree = tuple[Any, ...]


@st.composite
def trees(draw: st.DrawFn, depth: int = 0) -> Tree:
    if depth < 2 and draw(st.booleans()):
        return (draw(st.sampled_from(["and", "or"])), draw(trees(depth + 1)), draw(trees(depth + 1)))
    column = draw(st.sampled_from("ab"))
    kind = draw(st.sampled_from(["in", "cmp", "between", "null"]))
    if kind == "in":
        return ("in", column, tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True))))
    if kind == "cmp":
        return ("cmp", column, draw(st.sampled_from(["<", "<=", ">", ">=", "="])), draw(st.integers(0, 4)))
    if kind == "between":
        low = draw(st.integers(0, 4))
        return ("between", column, low, draw(st.integers(low, 5)))
    return ("null", column, draw(st.booleans()))


def text(tree: Tree, printed: bool) -> str:
    """As a human writes it, or as PostgreSQL prints it."""
    kind = tree[0]
    if kind in ("and", "or"):
        return f"({text(tree[1], printed)}) {kind.upper()} ({text(tree[2], printed)})"
    if kind == "in" and printed:
        return f"({tree[1]} = ANY (ARRAY[{', '.join(map(str, tree[2]))}]))"
    if kind == "in":
        return f"{tree[1]} IN ({', '.join(map(str, tree[2]))})"
    if kind == "cmp":
        return f"({tree[1]} {tree[2]} {tree[3]})" if printed else f"{tree[1]}{tree[2]}{tree[3]}"
    if kind == "between":
        low, high = f"{tree[1]} >= {tree[2]}", f"{tree[1]} <= {tree[3]}"
        return f"(({low}) AND ({high}))" if printed else f"{tree[1]} between {tree[2]} and {tree[3]}"
    return f"({tree[1]} IS {'NOT ' if tree[2] else ''}NULL)"


def value(tree: Tree, row: dict[str, int | None]) -> bool | None:
    """SQL's three values."""
    kind = tree[0]
    if kind in ("and", "or"):
        found = {value(tree[1], row), value(tree[2], row)}
        decisive = kind == "or"
        return decisive if decisive in found else None if None in found else not decisive
    cell = row[tree[1]]
    if kind == "null":
        return (cell is not None) == tree[2]
    if cell is None:
        return None
    if kind == "in":
        return cell in tree[2]
    if kind == "between":
        return bool(tree[2] <= cell <= tree[3])
    signs = {
        "<": cell < tree[3],
        "<=": cell <= tree[3],
        ">": cell > tree[3],
        ">=": cell >= tree[3],
        "=": cell == tree[3],
    }
    return signs[tree[2]]


ROWS = [{"a": a, "b": b} for a in (None, *range(-1, 7)) for b in (None, *range(-1, 7))]


@settings(max_examples=500, deadline=None)
@given(
    trees(),
    st.lists(trees(), max_size=2),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "a"]),
    st.sampled_from(["", "b"]),
)
def test_an_implied_condition_refuses_no_row(
    wanted: Tree, known: list[Tree], first: bool, second: bool, filled: str, empty: str
) -> None:
    if not implied(text(wanted, first), [text(one, second) for one in known], [filled], [empty]):
        return
    for row in ROWS:
        allowed = all(value(one, row) is not False for one in known)
        fits = (not filled or row[filled] is not None) and (not empty or row[empty] is None)
        if allowed and fits:
            assert value(wanted, row) is not False, row


@given(trees())
def test_a_condition_implies_itself_in_both_spellings(tree: Tree) -> None:
    if tree[0] in ("in", "cmp", "between"):
        assert implied(text(tree, True), [text(tree, False)])
        assert implied(text(tree, False), [text(tree, True)])


@pytest.mark.parametrize(
    "wanted, known, expected",
    [
        ("status in ('a','b')", ["((s)::text = ANY ((ARRAY['a'::character varying, 'b'::text])::text[]))"], False),
        ("status in ('a','b')", ["((status)::text = ANY ((ARRAY['a'::character varying, 'b'::text])::text[]))"], True),
        ("status in ('a','b')", ["status in ('a','c')"], False),
        ("status = 'a' OR status = 'b'", ["status = 'b'"], True),
        ("char_length(name) <= 80", ["length((name)::text) < 50"], True),
        ("name <> ''", ["name <> ''::text"], True),
        ("price >= 0.00", ["price > (-1)::numeric"], False),
        ("price > -5", ["price >= (0)::numeric"], True),
        ("lower(name) = name", ["(lower((name)::text) = (name)::text)"], True),
        ("valid_until > created", [], False),
        ("'x and y' = note or note in ('and', 'or')", ["note in ('and')"], True),
    ],
)  # fmt: skip
def test_cases(wanted: str, known: list[str], expected: bool) -> None:
    assert implied(wanted, known) is expected


def test_values_and_sameness() -> None:
    assert values_of("(tier = ANY (ARRAY['a'::text, 'b, c'::text]))") == {"'a'", "'b, c'"}
    assert values_of("tier > 3") is None
    assert same("'Basic'::text", "'Basic'") and not same("'Basic'", "'basic'")
    assert same("(NOW())", "now()")
