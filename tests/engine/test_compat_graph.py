"""Reachability over pairs against plain walking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crossfade.engine.compat_graph import Graph

GRAPHS = st.integers(1, 9).flatmap(
    lambda size: st.tuples(
        st.lists(st.lists(st.integers(0, size - 1), max_size=4), min_size=size, max_size=size),
        st.lists(st.integers(0, 2), min_size=size, max_size=size),
        st.lists(st.integers(0, size - 1), min_size=1, max_size=6),
    )
)


def reached(edges: list[list[int]], start: int) -> set[int]:
    seen, waiting = {start}, [start]
    while waiting:
        for inner in edges[waiting.pop()]:
            if inner not in seen:
                seen.add(inner)
                waiting.append(inner)
    return seen


@given(GRAPHS)
def test_each_break_comes_once_with_all_questions_that_reach_it(
    drawn: tuple[list[list[int]], list[int], list[int]],
) -> None:
    edges, counts, questions = drawn
    own = [[(node, index) for index in range(count)] for node, count in enumerate(counts)]
    graph = Graph(lambda node: (own[node], edges[node]))
    found = list(graph.breaks(questions))
    expected = {
        one: [index for index, start in enumerate(questions) if node in reached(edges, start)]
        for node in range(len(edges))
        for one in own[node]
    }
    assert dict(found) == {one: indices for one, indices in expected.items() if indices}
    assert len(found) == len({one for one, _ in found})


def test_a_long_chain_needs_no_deep_stack() -> None:
    size = 50_000
    graph = Graph(lambda node: ([node] if node == size - 1 else [], [node + 1] if node + 1 < size else []))
    assert list(graph.breaks([0, size // 2])) == [(size - 1, [0, 1])]
