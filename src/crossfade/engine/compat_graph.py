"""Many questions about two documents at once: pairs of components refer to each other, and each question begins at one of
them. What breaks in a pair is found once; which questions reach it is a matter of the graph alone.

Pairs in one circle reach the same breaks, so the graph is condensed (Tarjan, 1972) and the breaks of each component of it
are a set of bits: the cost is linear in pairs and references, however many operations ask.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)  # a pair
B = TypeVar("B")  # what breaks

Local = Callable[[K], tuple[Sequence[B], Sequence[K]]]
"""Of a pair: what breaks in it, and the pairs it refers to."""


class Graph(Generic[K, B]):
    """All pairs that can be reached. `local` is asked about each pair twice at most."""

    def __init__(self, local: Local[K, B]) -> None:
        self._local = local
        self._bits: dict[K, int] = {}
        self._numbers: dict[tuple[K, int], int] = {}
        self._breaks: list[B] = []

    def breaks(self, questions: Sequence[K]) -> Iterator[tuple[B, list[int]]]:
        """Every break with the indices of the questions that reach it, in the order they are first reached. A question is
        the pair it begins at."""
        by_bits: dict[int, list[int]] = {}
        for index, key in enumerate(questions):
            bits = self._reached(key)
            if bits:
                by_bits.setdefault(bits, []).append(index)
        done = 0
        for bits in by_bits:
            for number in _ones(bits & ~done):
                reaching = (indices for other, indices in by_bits.items() if other >> number & 1)
                yield self._breaks[number], sorted(index for indices in reaching for index in indices)
            done |= bits

    def _number(self, key: K, index: int, found: B) -> int:
        known = self._numbers.get((key, index))
        if known is None:
            known = self._numbers[key, index] = len(self._breaks)
            self._breaks.append(found)
        return known

    def _reached(self, start: K) -> int:
        """The breaks of a pair and of all it reaches, as bits."""
        if start in self._bits:
            return self._bits[start]
        order: dict[K, int] = {start: 0}
        low: dict[K, int] = {start: 0}
        open_pairs: list[K] = [start]
        is_open = {start}
        stack = [(start, iter(self._local(start)[1]))]
        while stack:
            key, rest = stack[-1]
            inner = next(rest, None)
            if inner is not None:
                if inner in self._bits:
                    continue
                if inner not in order:
                    order[inner] = low[inner] = len(order)
                    open_pairs.append(inner)
                    is_open.add(inner)
                    stack.append((inner, iter(self._local(inner)[1])))
                elif inner in is_open:
                    low[key] = min(low[key], order[inner])
                continue
            stack.pop()
            if stack:
                outer = stack[-1][0]
                low[outer] = min(low[outer], low[key])
            if low[key] == order[key]:
                members: list[K] = []
                while not members or members[-1] != key:
                    members.append(open_pairs.pop())
                self._close(members)
                is_open.difference_update(members)
        return self._bits[start]

    def _close(self, members: Sequence[K]) -> None:
        """The breaks of a circle: those of its members, and of all closed pairs they refer to."""
        bits = 0
        for key in members:
            own, inner = self._local(key)
            for index, found in enumerate(own):
                bits |= 1 << self._number(key, index, found)
            for other in inner:
                bits |= self._bits.get(other, 0)
        self._bits.update(dict.fromkeys(members, bits))


def _ones(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set, from the lowest.

    >>> list(_ones(0b10110))
    [1, 2, 4]
    """
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
