"""Every routing of a scenario, as a graph of states that grows while it is tried.

A node is "this many steps done, at this point, in this state"; an edge is the next call served by one side. Without
merging every path is its own state, and each routing is executed. With merging two paths that reach the same canonical
state share their future (SCIENCE 2): the number of calls falls from steps times 2**steps to about twice the number of
states. A run replays a path from its entry (the clean base of the point, or a state carried over a migration) and goes on
along an edge nobody has tried yet.

`explore` is a generator: it yields Begin, Call and End, and is sent the key of the state after each Call.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

import msgspec

from crossfade.engine.timeline import BOTH, Automaton, Places
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side


class Begin(msgspec.Struct, frozen=True):
    """Start a run from this entry node."""

    entry: int


class Call(msgspec.Struct, frozen=True):
    """Perform the next step on this side; `known` tells that the edge has been executed before (a replayed prefix)."""

    node: int
    side: Side
    known: bool


class End(msgspec.Struct, frozen=True):
    """The run may stop here: nothing new lies beyond."""


class Node(msgspec.Struct):
    """`key`: identity among nodes of the same step and point; `parent`: how it was first reached (node, side), or the
    node it was carried from with side None; `prefix` the word that first led here."""

    number: int
    point: int
    step: int
    places: Places
    key: str
    entry: int
    parent: tuple[int, Side | None] | None
    prefix: Word
    edges: dict[Side, int]
    carried: int | None = None  # the node at the next point this one became


class Graph:
    """The states of one scenario seen so far. Mutable while exploring; reading functions do not change it."""

    def __init__(self, automaton: Automaton) -> None:
        self.automaton = automaton
        self.nodes: list[Node] = []
        self._known: dict[tuple[int, int, Places, str], int] = {}
        self.executed: set[tuple[int, Side]] = set()
        self.failed_to_carry: dict[int, str] = {}  # node -> why the migration after it failed

    def add(
        self,
        point: int,
        step: int,
        places: Places,
        key: str,
        parent: tuple[int, Side | None] | None,
        prefix: Word,
        entry: int | None = None,
    ) -> tuple[int, bool]:
        """(number of the node, whether it is new)."""
        identity = (point, step, places, key)
        known = self._known.get(identity)
        if known is not None:
            return known, False
        number = len(self.nodes)
        self.nodes.append(
            Node(number, point, step, places, key, number if entry is None else entry, parent, prefix, {})
        )
        self._known[identity] = number
        return number, True

    def sides(self, node: Node) -> tuple[Side, ...]:
        if node.step == self.automaton.steps:
            return ()
        return self.automaton.sides(node.places, node.step, node.point)

    def path(self, node: Node) -> tuple[Side, ...]:
        """The sides that lead from the node's entry to it."""
        sides: list[Side] = []
        while node.number != node.entry and node.parent is not None:
            parent, side = node.parent
            if side is None:
                break
            sides.append(side)
            node = self.nodes[parent]
        return tuple(reversed(sides))

    def at(self, point: int) -> list[Node]:
        return [node for node in self.nodes if node.point == point]

    def explored_words(self, limit: int) -> Iterator[tuple[Word, tuple[int, ...]]]:
        """Full words whose every call is known, with the edges' nodes (the node each call started from); at most
        `limit`, in a fixed order. A word may change point where its node was carried."""
        roots = [node for node in self.nodes if node.parent is None]
        found = 0
        stack: list[tuple[int, Word, tuple[int, ...]]] = [(node.number, (), ()) for node in reversed(roots)]
        seen_words: set[Word] = set()
        while stack:
            number, word, trail = stack.pop()
            node = self.nodes[number]
            if node.step == self.automaton.steps:
                if word in seen_words:
                    continue
                seen_words.add(word)
                yield word, trail
                found += 1
                if found >= limit:
                    return
                continue
            if node.carried is not None:
                stack.append((node.carried, word, trail))
            for side in reversed(tuple(node.edges)):
                stack.append((node.edges[side], (*word, Placed(node.point, side)), (*trail, number)))

    def count_explored(self) -> int:
        """How many full words are known; carried roots of later points that no word leads to are counted once."""
        memo: dict[int, int] = {}

        def count(number: int) -> int:
            if number not in memo:
                node = self.nodes[number]
                if node.step == self.automaton.steps:
                    memo[number] = 1
                else:
                    memo[number] = sum(count(child) for child in node.edges.values())
                    if node.carried is not None:
                        memo[number] += count(node.carried)
            return memo[number]

        return sum(count(node.number) for node in self.nodes if node.parent is None)


def explore(graph: Graph, entries: Sequence[int], merge: bool) -> Generator[Begin | Call | End, str, None]:
    """Tries every edge below the entries. Without merge the key sent is ignored and every path is a state of its own.

    Order: depth first, the run goes on along the first untried edge of every node it reaches (stable first), so a
    scenario's pure runs come first and last; the order is the same on every run that sees the same keys."""
    pending = list(reversed(entries))  # nodes that may have an untried call, the deepest last
    while pending:
        target = graph.nodes[pending[-1]]
        side = _untried(graph, target)
        if side is None:
            pending.pop()
            continue
        node = graph.nodes[target.entry]
        yield Begin(node.number)
        route = (*graph.path(target), side)
        while node.step < graph.automaton.steps:
            wanted = route[0] if route else _untried(graph, node)
            if wanted is None:
                break
            route = route[1:]
            key = yield Call(node.number, wanted, wanted in node.edges)
            graph.executed.add((node.number, wanted))
            size = len(graph.nodes)
            node = _stepped(graph, node, wanted, key if merge else "")
            if len(graph.nodes) > size:
                pending.append(node.number)
        yield End()


def perform_words(
    graph: Graph, entry: int, words: Iterable[Sequence[Side]]
) -> Generator[Begin | Call | End, str, None]:
    """Executes just these words (sides from the entry on), each as a path of its own; impossible ones are skipped."""
    for sides in words:
        node = graph.nodes[entry]
        if not _possible(graph, node, sides) or _known_path(graph, node, sides):
            continue
        yield Begin(entry)
        for side in sides:
            yield Call(node.number, side, side in node.edges)
            graph.executed.add((node.number, side))
            node = _stepped(graph, node, side, "")
        yield End()


def count_words(graph: Graph, entry: int, limit: int) -> int:
    """How many words (sides at this point, to the end of the scenario) an entry has, counting up to `limit`."""
    automaton, node = graph.automaton, graph.nodes[entry]
    layer: dict[Places, int] = {node.places: 1}
    for step in range(node.step, automaton.steps):
        following: dict[Places, int] = {}
        for places, count in layer.items():
            for side in automaton.sides(places, step, node.point):
                target = automaton.after(places, step, Placed(node.point, side))
                following[target] = following.get(target, 0) + count
        layer = following
        if sum(layer.values()) > limit:
            return limit + 1
    return sum(layer.values())


def sampled_words(options: Sequence[Sequence[Side]], strength: int, extra: int, seed: int) -> list[tuple[Side, ...]]:
    """Words for when not all can be run: the two constant words, a covering set in which every choice of sides for
    every `strength` steps occurs (greedy), and `extra` words drawn by a fixed generator from `seed`.

    >>> len(sampled_words([(Side.STABLE, Side.CANARY)] * 6, 2, 0, 1)) < 12
    True
    """
    draw = _generator(seed)
    words: list[tuple[Side, ...]] = []

    def constant(side: Side) -> tuple[Side, ...]:
        return tuple(side if side in choice else choice[0] for choice in options)

    for side in (Side.STABLE, Side.CANARY):
        if constant(side) not in words:
            words.append(constant(side))
    needed = _combinations(options, min(strength, len(options)))
    for word in words:
        _cover(needed, word, strength)
    while needed:
        best, gain = words[0], 0
        for _ in range(30):
            candidate = tuple(choice[next(draw) % len(choice)] for choice in options)
            covered = _gain(needed, candidate, strength)
            if covered > gain:
                best, gain = candidate, covered
        if gain <= 0:
            before = min(needed)
            last = (needed[before] & -needed[before]).bit_length() - 1
            fixed = dict(before) | {last // 2: BOTH[last % 2]}
            best = tuple(fixed.get(i, choice[0]) for i, choice in enumerate(options))
        _cover(needed, best, strength)
        words.append(best)
    for _ in range(extra):
        words.append(tuple(choice[next(draw) % len(choice)] for choice in options))
    return list(dict.fromkeys(words))


_Chosen = tuple[tuple[int, Side], ...]  # steps with their sides


def _combinations(options: Sequence[Sequence[Side]], strength: int) -> dict[_Chosen, int]:
    """Every choice of sides for every `strength` steps: all but the last step are the key, the last is a bit of the
    value (twice its number, plus one on the canary)."""
    found: dict[_Chosen, int] = {}
    for steps in combinations(range(len(options)), strength - 1):
        first = steps[-1] + 1 if steps else 0
        rest = sum(1 << _bit(i, side) for i in range(first, len(options)) for side in options[i])
        if rest:
            for sides in product(*(options[i] for i in steps)):
                found[tuple(zip(steps, sides, strict=True))] = rest
    return found


def _gain(needed: Mapping[_Chosen, int], word: Sequence[Side], strength: int) -> int:
    own = sum(1 << _bit(i, side) for i, side in enumerate(word))
    chosen = combinations(enumerate(word), min(strength, len(word)) - 1)
    return sum((needed.get(before, 0) & own).bit_count() for before in chosen)


def _cover(needed: dict[_Chosen, int], word: Sequence[Side], strength: int) -> None:
    """Takes away what a word shows."""
    own = sum(1 << _bit(i, side) for i, side in enumerate(word))
    for before in combinations(enumerate(word), min(strength, len(word)) - 1):
        if before in needed:
            needed[before] &= ~own
            if not needed[before]:
                del needed[before]


def _bit(step: int, side: Side) -> int:
    return 2 * step + BOTH.index(side)


def _generator(seed: int) -> Iterator[int]:
    """Numbers that look random and are the same for the same seed (splitmix64, Steele, Lea and Flood 2014)."""
    state = seed & (2**64 - 1)
    while True:
        state = (state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        mixed = state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        yield (mixed ^ (mixed >> 31)) >> 16


def _stepped(graph: Graph, node: Node, side: Side, key: str) -> Node:
    placed = Placed(node.point, side)
    places = graph.automaton.after(node.places, node.step, placed)
    identity = key or f"{node.number}/{side.letter}"
    number, _ = graph.add(
        node.point, node.step + 1, places, identity, (node.number, side), (*node.prefix, placed), node.entry
    )
    node.edges.setdefault(side, number)
    return graph.nodes[number]


def _untried(graph: Graph, node: Node) -> Side | None:
    return next((side for side in graph.sides(node) if side not in node.edges), None)


def _possible(graph: Graph, node: Node, sides: Sequence[Side]) -> bool:
    places = node.places
    for step, side in enumerate(sides, node.step):
        places = graph.automaton.after(places, step, Placed(node.point, side))
        if not places:
            return False
    return node.step + len(sides) == graph.automaton.steps


def _known_path(graph: Graph, node: Node, sides: Sequence[Side]) -> bool:
    for side in sides:
        if side not in node.edges:
            return False
        node = graph.nodes[node.edges[side]]
    return True
