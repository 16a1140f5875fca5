"""Noise that the serial orders have not shown yet neither ends a search for races nor becomes a finding."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any, cast

import pytest

from crossfade.engine.answers import Answer
from crossfade.engine.outcomes import Outcome
from crossfade.engine.pairs import Pair
from crossfade.model.contract import StepName
from crossfade.model.ramp import Side
from crossfade.session.arena import Arena, Trial
from crossfade.session.options import Options
from crossfade.session.races import ORDERS, Failure, _Attempt

PAY = StepName("a payment", "pay")


class Slow:
    """Answers with a word that is another one after every `every` trials, as a time told in whole minutes is; and
    `balance`, of which a trial that is no serial order leaves too much."""

    directable = ""

    def __init__(self, every: int, loses: bool) -> None:
        self._every, self._loses = every, loses
        self.trials = 0
        self.late = False

    async def trial(self, pair: Pair, sides: Any, play: Any, like: Any = None) -> Trial:
        word = "abcdefghijklmnopqrstuvwxyz"[self.trials // self._every]
        self.trials += 1
        order = dict(zip(play.__code__.co_freevars, (cell.cell_contents for cell in play.__closure__), strict=True))
        made = order.get("order", (0, 1))
        balance = 100 - 10 * len(made) + (10 if "order" not in order and self._loses else 0)
        answers = tuple(Answer(200, kind="json", body={"word": word}) if n in made else None for n in (0, 1))
        read = Answer(200, kind="json", body={"balance": balance})
        return Trial(Outcome(answers, (read,), now=time.time()), (), ())


@pytest.mark.parametrize("loses", [False, True])
def test_what_changes_now_and_then_is_looked_at_again_before_a_stampede_ends(loses: bool) -> None:
    async def stampeded() -> tuple[list[Failure], tuple[int, int]]:
        arena = cast(Arena, Slow(9, loses))  # the seven serial runs are all of one word
        pair = Pair("pay with itself", (), (PAY, PAY), ())
        attempt = _Attempt(arena, pair, (Side.STABLE, Side.CANARY), Options(), frozenset(), math.inf, False)
        for order in ORDERS:
            await attempt.reference(order)
        failures: list[Failure] = []
        return failures, await attempt._stampede(failures)

    failures, counts = asyncio.run(stampeded())
    if loses:
        assert len(failures) >= 3 and (10, len(failures)) == counts
        assert all("body.balance" in failure.judgement.differences[0].path for failure in failures)
    else:
        assert ([], (20, 0)) == (failures, counts)
