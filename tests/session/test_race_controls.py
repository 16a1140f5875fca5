"""Which choices of sides are tried, and whose race it then is."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from crossfade.engine.pairs import Pair
from crossfade.model.contract import StepName
from crossfade.model.ramp import Side
from crossfade.session import races
from crossfade.session.races import MIXED, PURE, Failure, RaceCheck, Sides, Tried

USE = StepName("a coupon", "use")
STABLE, CANARY = PURE


class Check(RaceCheck):
    """Fails where `failing` says so, without a world."""

    def __init__(self, failing: set[Sides]) -> None:
        self.failing = failing
        self.tried: list[Sides] = []
        self.judged: list[Tried] = []

    def _assignments(self, pair: Pair, mixed: bool) -> list[Sides]:
        return list(MIXED if mixed else PURE)

    async def _try(self, arena: Any, pair: Pair, sides: Sides, deadline: float, control: bool = False) -> Tried:
        self.tried.append(sides)
        failure = cast(Failure, type("Seen", (), {"decisions": (0, 1)}))
        return Tried(sides, None, failures=(failure,) if sides in self.failing else ())

    async def _judge(self, arena: Any, pair: Pair, done: Any) -> None:
        self.judged = list(done)

    def _note(self, pair: Pair, done: Any, seconds: float) -> None:
        pass


@pytest.mark.parametrize(
    ("failing", "controls"),
    [
        (set(), [CANARY]),
        ({MIXED[0]}, [STABLE, CANARY]),
        ({CANARY}, [CANARY, STABLE]),  # no regression where the stable does the same
        ({STABLE}, [CANARY]),
    ],
)
def test_the_stable_is_tried_alone_where_anything_fails(failing: set[Sides], controls: list[Sides]) -> None:
    check = Check(failing)
    asyncio.run(check._pair(cast(Any, None), Pair("use with itself", (), (USE, USE), ()), races.PAIR_SECONDS))
    assert [*MIXED, *controls] == check.tried == [tried.sides for tried in check.judged]
    assert {Side.STABLE, Side.CANARY} == {side for sides in check.tried for side in sides}
