"""What the command line decides about a run."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from crossfade.model.events import Event

Hear = Callable[[Event], None]


class Options(msgspec.Struct, frozen=True):
    """`budget` in seconds for the search (replays come on top, bounded by themselves); `merge` is auto, on or off; `seed`
    decides every draw; `only` limits the run to these scenarios (names), empty: all. `races` is auto (pairs of calls whose
    reads and writes meet, and those the contract names), declared (those only) or off; `stampede` how many times a pair
    is fired at the same instant before schedules are explored; `bound` the preemption bound."""

    budget: float = 240.0
    merge: str = "auto"
    seed: int = 1
    only: tuple[str, ...] = ()
    races: str = "auto"
    stampede: int = 20
    bound: int = 2


def silent(event: Event) -> None:
    """A listener that hears nothing."""
