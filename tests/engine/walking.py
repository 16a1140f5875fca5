"""Random small ramps, and every way to walk them: what the automaton of routings is held against."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement, product

from hypothesis import strategies as st
from ramps import NO_STICKINESS, C, S, contract, stage, step

from crossfade.model.contract import Contract
from crossfade.model.history import Placed, Word
from crossfade.model.ramp import Side, Stickiness

HEADER = Stickiness("header", "X-User-Id")
COOKIE = Stickiness("cookie", "sid")
SERVICES = ("orders", "billing")
Path = tuple[tuple[int, bool], ...]


@st.composite
def ramps(
    draw: st.DrawFn, services: tuple[str, ...] = SERVICES, sticky: bool = True, calls: int | None = None
) -> Contract:
    """Services with weights of their own that rise, jump or stay; migrations anywhere; rollback up to anywhere."""
    count = draw(st.integers(1, 5))
    weights = {
        name: sorted(draw(st.lists(st.sampled_from([0.0, 0.0, 0.3, 0.7, 1.0]), min_size=count, max_size=count)))
        for name in services
    }
    stages = [
        stage(f"s{index}", {name: weights[name][index] for name in services}, draw(st.booleans()))
        for index in range(count)
    ]
    until = draw(st.none() | st.sampled_from([one.name for one in stages]))
    stickiness = draw(st.sampled_from([NO_STICKINESS, HEADER, COOKIE])) if sticky else NO_STICKINESS
    called = [*services, "shop"] if calls is None else services  # the shop is not on the ramp
    users = st.sampled_from([{}, {"x-user-id": "ann"}, {"X-User-Id": "ben"}])
    steps = [
        step(f"call{index}", service=draw(st.sampled_from(called)), headers=draw(users))
        for index in range(calls or draw(st.integers(1, 4)))
    ]
    return contract(stages, steps, rollback_until=until, stickiness=stickiness, services=services, off_ramp=["shop"])


def walked(made: Contract) -> dict[Word, set[Path]]:
    """Every word with every way it can happen, by letting each possible user walk each possible way."""
    steps = made.scenarios[0].steps
    last = len(made.stages)
    point_of = [sum(one.migration is not None for one in made.stages[1 : index + 1]) for index in range(last)]
    until = -1 if made.rollback_until is None else made.stage_index(made.rollback_until)

    def live(service: str, at: int) -> set[Side]:
        weight = made.stages[at].weights.get(service, 0.0)
        return {S} if weight == 0 else {C} if weight == 1 else {S, C}

    def coin(number: int) -> str | None:
        called = steps[number]
        if made.stickiness.kind == "none" or called.service == "shop":
            return None
        user = {name.lower(): value for name, value in called.headers.items()}.get("x-user-id")
        if made.stickiness.kind == "header" and user is None:
            return None
        return f"{called.service} {user if made.stickiness.kind == 'header' else ''}"

    coins = [coin(number) for number in range(len(steps))]
    different = sorted({one for one in coins if one is not None})
    found: dict[Word, set[Path]] = {}
    for stages, calls_before_back in _itineraries(last, len(steps), until, made):
        furthest = max(stages)
        for moves in product(range(furthest + 2), repeat=len(different)):
            user = dict(zip(different, moves, strict=True))  # the stage from which this coin says canary
            if any(
                (C if at >= user[one] else S) not in live(one.split()[0], at)
                for one in different
                for at in range(furthest + 1)
            ):
                continue
            options: list[set[Side]] = []
            for number, at in enumerate(stages):
                own = coins[number]
                if number >= calls_before_back:
                    options.append({S})
                elif own is not None:
                    options.append({C if at >= user[own] else S})
                else:
                    options.append(live(steps[number].service, at))
            path = tuple((at, number >= calls_before_back) for number, at in enumerate(stages))
            for sides in product(*options):
                reached = tuple(Placed(point_of[at], side) for at, side in zip(stages, sides, strict=True))
                found.setdefault(reached, set()).add(path)
    return found


def _itineraries(stages: int, steps: int, until: int, made: Contract) -> Iterator[tuple[tuple[int, ...], int]]:
    """(the stage of each call, how many calls come before the way back)."""
    for forward in combinations_with_replacement(range(stages), steps):
        yield forward, steps
    for back_from in range(until + 1):
        if made.stages[back_from].weight == 0:
            continue
        for before in range(steps):
            for forward in combinations_with_replacement(range(back_from + 1), before):
                yield forward + (back_from,) * (steps - before), before
