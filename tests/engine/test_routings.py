"""Trying every routing: the graph of states against a service simulated one routing at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from itertools import combinations, product

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from ramps import C, S, automaton_of, contract, plain, stage, step, word

from crossfade.engine.routings import (
    Begin,
    Call,
    End,
    Graph,
    count_words,
    explore,
    perform_words,
    sampled_words,
)
from crossfade.engine.timeline import Automaton, Timeline
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side

Search = Generator[Begin | Call | End, str, None]


class Machine(msgspec.Struct, frozen=True):
    """A service whose whole memory is one small number: `table` says what each side makes of it at each step,
    `migrate` what each migration makes of it. The outcome of a call is the number before and after it."""

    table: dict[tuple[int, int, Side], int]  # (state, step, side) -> state
    migrate: tuple[int, ...]

    def called(self, state: int, step_number: int, side: Side) -> tuple[int, str]:
        after = self.table[state, step_number, side]
        return after, f"{state}>{after}"

    def outcomes(self, one: Word) -> list[str]:
        """One routing from the clean base, alone."""
        state, point, seen = 0, 0, []
        for number, placed in enumerate(one):
            if number:  # the clean base of a point is state 0 again; only a half-done scenario is migrated
                for _ in range(placed.point - point):
                    state = self.migrate[state]
            point = placed.point
            state, outcome = self.called(state, number, placed.side)
            seen.append(outcome)
        return seen


@st.composite
def machines(draw: st.DrawFn, steps: int, states: int = 3) -> Machine:
    numbers = st.integers(0, states - 1)
    keys = product(range(states), range(steps), (S, C))
    return Machine({key: draw(numbers) for key in keys}, tuple(draw(numbers) for _ in range(states)))


class Driver:
    """Performs what a search asks for, as the session does: a run starts at its entry's state and calls the service."""

    def __init__(self, graph: Graph, machine: Machine) -> None:
        self.graph = graph
        self.machine = machine
        self.states: dict[int, int] = {}  # node -> the state it was first seen in
        self.outcomes: dict[tuple[int, Side], str] = {}
        self.runs: list[tuple[int, tuple[Side, ...]]] = []
        self.calls = 0

    def perform(self, search: Search) -> None:
        entry, state, sides, wanted = 0, 0, [], next(search, None)
        while wanted is not None:
            if isinstance(wanted, Begin):
                entry, state, sides = wanted.entry, self.states[wanted.entry], []
                wanted = next(search)
            elif isinstance(wanted, End):
                self.runs.append((entry, tuple(sides)))
                wanted = next(search, None)
            else:
                node = self.graph.nodes[wanted.node]
                edge = (node.number, wanted.side)
                state, outcome = self.machine.called(state, node.step, wanted.side)
                assert (edge in self.outcomes) == wanted.known
                assert self.outcomes.setdefault(edge, outcome) == outcome
                self.calls += 1
                sides.append(wanted.side)
                wanted = search.send(str(state))
                self.states.setdefault(node.edges[sides[-1]], state)

    def open_point(self, point: int) -> list[int]:
        """The entries of a point: the clean base, and each half-done state of the point before, migrated."""
        entries = []
        groups: dict[object, int] = {}
        for node in self.graph.at(point - 1):
            if node.step and node.step < self.graph.automaton.steps:
                if not self.graph.automaton.can_reach(node.places, point):
                    continue
                state = self.states[node.number]
                if (node.step, node.places, state) not in groups:
                    number, _ = self.graph.add(
                        point, node.step, node.places, f"carried {node.number}", (node.number, None), node.prefix
                    )
                    self.states[number] = self.machine.migrate[state]
                    groups[node.step, node.places, state] = number
                    entries.append(number)
                node.carried = groups[node.step, node.places, state]
        if self.graph.automaton.can_reach(self.graph.automaton.start, point):
            base, _ = self.graph.add(point, 0, self.graph.automaton.start, f"base {point}", None, ())
            self.states[base] = 0
            entries.insert(0, base)
        return entries


def walked(line: Timeline, automaton: Automaton, machine: Machine, merge: bool) -> Driver:
    driver = Driver(Graph(automaton), machine)
    for point in range(len(line.points)):
        driver.perform(explore(driver.graph, driver.open_point(point), merge))
    return driver


def told(driver: Driver) -> dict[Word, list[str]]:
    """What the graph says about every word it knows."""
    return {
        one: [driver.outcomes[node, placed.side] for node, placed in zip(trail, one, strict=True)]
        for one, trail in driver.graph.explored_words(100_000)
    }


RAMPS: list[Callable[[int], tuple[Timeline, Automaton]]] = [
    lambda steps: automaton_of(plain(steps, 0, 0.5, 1)),
    lambda steps: automaton_of(plain(steps, 0, 1)),
    lambda steps: automaton_of(
        contract(
            [stage("a", 0), stage("b", 0, True), stage("c", 0.5), stage("d", 1, True)],
            [step(f"call{i}") for i in range(steps)],
            rollback_until="c",
        )
    ),
    lambda steps: automaton_of(
        contract(
            [stage("a", 0), stage("b", 1, True), stage("c", 1, True)],
            [step(f"call{i}") for i in range(steps)],
            rollback_until="b",
        )
    ),
]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 4), st.sampled_from(RAMPS), st.booleans(), st.data())
def test_every_word_has_the_outcomes_it_has_when_run_alone(
    steps: int, ramp: Callable[[int], tuple[Timeline, Automaton]], merge: bool, data: st.DataObject
) -> None:
    line, automaton = ramp(steps)
    machine = data.draw(machines(steps))
    driver = walked(line, automaton, machine, merge)
    assert {one: machine.outcomes(one) for one in automaton.words()} == told(driver)
    assert automaton.count() == driver.graph.count_explored()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.data())
def test_without_merging_every_routing_is_executed_exactly_once(steps: int, data: st.DataObject) -> None:
    line, automaton = automaton_of(plain(steps, 0, 0.5, 1))
    driver = walked(line, automaton, data.draw(machines(steps)), merge=False)
    assert Counter(product((S, C), repeat=steps)) == Counter(sides for _, sides in driver.runs)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 4), st.data())
def test_with_merging_each_call_of_each_state_is_new_once(steps: int, states: int, data: st.DataObject) -> None:
    line, automaton = automaton_of(plain(steps, 0.5))
    machine = data.draw(machines(steps, states))
    driver = walked(line, automaton, machine, merge=True)
    reached = [{0}]
    for number in range(steps):
        reached.append({machine.table[state, number, side] for state in reached[-1] for side in (S, C)})
    assert 2 * sum(len(layer) for layer in reached[:-1]) == len(driver.outcomes)
    assert sum(len(layer) for layer in reached) == len(driver.graph.nodes)
    assert len(driver.runs) <= len(driver.outcomes)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.booleans(), st.data())
def test_the_same_service_is_explored_in_the_same_order(steps: int, merge: bool, data: st.DataObject) -> None:
    line, automaton = automaton_of(plain(steps, 0, 0.5, 1))
    machine = data.draw(machines(steps))
    first, second = walked(line, automaton, machine, merge), walked(line, automaton, machine, merge)
    assert first.runs == second.runs
    assert (0, (S,) * steps) == first.runs[0]


def test_a_merged_word_of_many_steps_costs_few_calls() -> None:
    steps = 16
    line, automaton = automaton_of(plain(steps, 0.5))
    counter = Machine({(a, b, side): 0 for a, b, side in product((0,), range(steps), (S, C))}, (0,))
    driver = walked(line, automaton, counter, merge=True)
    assert 2**steps == driver.graph.count_explored()
    assert 2 * steps == len(driver.outcomes)


def test_the_path_of_a_node_leads_from_its_entry_to_it() -> None:
    line, automaton = automaton_of(plain(3, 0.5))
    machine = Machine({(a, b, side): (a + (side is C)) % 3 for a, b, side in product(range(3), range(3), (S, C))}, ())
    graph = walked(line, automaton, machine, merge=True).graph
    for node in graph.nodes:
        at = graph.nodes[node.entry]
        for side in graph.path(node):
            at = graph.nodes[at.edges[side]]
        assert node is at


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.data())
def test_performed_words_are_run_once_each_and_impossible_ones_never(steps: int, data: st.DataObject) -> None:
    line, automaton = automaton_of(plain(steps, 0, 1))
    sides = st.tuples(*[st.sampled_from([S, C])] * steps)
    wanted = data.draw(st.lists(sides, max_size=12))
    driver = Driver(Graph(automaton), data.draw(machines(steps)))
    entries = driver.open_point(0)
    driver.perform(perform_words(driver.graph, entries[0], wanted))
    possible = {tuple(placed.side for placed in one) for one in automaton.words()}
    expected = [one for one in dict.fromkeys(wanted) if one in possible]
    assert [(entries[0], one) for one in expected] == driver.runs
    assert {one: driver.machine.outcomes(one) for one in map(_at_the_base, expected)} == told(driver)
    assert 1 == len(line.points)


def _at_the_base(sides: Iterable[Side]) -> Word:
    return tuple(Placed(0, side) for side in sides)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RAMPS), st.integers(1, 5), st.integers(1, 40))
def test_counting_the_words_of_an_entry_stops_at_the_limit(
    ramp: Callable[[int], tuple[Timeline, Automaton]], steps: int, limit: int
) -> None:
    _, automaton = ramp(steps)
    graph = Graph(automaton)
    for point in range(automaton.points):
        entry, _ = graph.add(point, 0, automaton.start, f"base {point}", None, ())
        words = [one for one in automaton.words() if all(placed.point == point for placed in one)]
        assert len(words) == count_words(graph, entry, 10**6)
        assert min(len(words), limit + 1) == count_words(graph, entry, limit)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([(S,), (C,), (S, C)]), min_size=1, max_size=8),
    st.integers(1, 3),
    st.integers(0, 5),
    st.integers(0, 10**9),
)
def test_sampled_words_cover_every_choice_for_every_few_steps(
    options: list[tuple[Side, ...]], strength: int, extra: int, seed: int
) -> None:
    words = sampled_words(options, strength, extra, seed)
    assert words == sampled_words(options, strength, extra, seed)
    assert len(set(words)) == len(words)
    assert all(side in choice for one in words for side, choice in zip(one, options, strict=True))
    for chosen in combinations(range(len(options)), min(strength, len(options))):
        wanted = set(product(*(options[i] for i in chosen)))
        assert wanted == {tuple(one[i] for i in chosen) for one in words}


def test_sampled_words_start_with_the_pure_ones_and_stay_few() -> None:
    words = sampled_words([(S, C)] * 40, 3, 0, 7)
    assert [(S,) * 40, (C,) * 40] == words[:2]
    assert len(words) < 60
    for chosen in [(0, 1, 2), (0, 20, 39), (37, 38, 39), (5, 6, 30)]:
        assert set(product((S, C), repeat=3)) == {tuple(one[i] for i in chosen) for one in words}


def test_a_node_is_known_by_step_point_places_and_key() -> None:
    _, automaton = automaton_of(plain(2, 0, 0.5))
    graph = Graph(automaton)
    start = automaton.start
    assert (0, True) == graph.add(0, 0, start, "base", None, ())
    assert (0, False) == graph.add(0, 0, start, "base", None, ())
    later = automaton.after(start, 0, Placed(0, C))
    assert (1, True) == graph.add(0, 1, start, "base", (0, S), word("S"))
    assert (2, True) == graph.add(0, 1, later, "base", (0, C), word("C"))
