"""What the director holds back and what passes as work of a service's own."""

from __future__ import annotations

import asyncio
from typing import Any

from crossfade.world.director import Director
from crossfade.world.turns import Gate, Turn

POLL = "update outbox set sent = true where not sent"
IDLE = {("db", POLL), ("db", "BEGIN"), ("db", "COMMIT")}  # what was heard while nobody called


def held(*turns: Turn) -> list[bool]:
    async def ask() -> list[bool]:
        director: Director[Any] = Director(Gate(), ["orders stable 0"], {}, IDLE)
        return [director.arrived(turn) for turn in turns]

    return asyncio.run(ask())


def turn(text: str, connection: int, began: bool = False) -> Turn:
    made = Turn(
        "orders stable 0", "db", connection, text, text.lower() if text in ("COMMIT", "ROLLBACK") else "statement"
    )
    made.began = began
    return made


def test_the_commit_of_a_call_is_held_although_a_worker_commits_all_the_time() -> None:
    pay = turn("update accounts set balance = 1", 1, began=True)
    assert [True, True] == held(pay, turn("COMMIT", 1))
    assert [False, False] == held(turn(POLL, 2, began=True), turn("COMMIT", 2))
    both = held(pay, turn(POLL, 2, began=True), turn("COMMIT", 2), turn("ROLLBACK", 1))
    assert [True, False, False, True] == both


def test_a_connection_given_back_to_the_pool_may_serve_the_worker_next() -> None:
    look = turn("select balance from accounts", 1, began=True)  # alone: no COMMIT follows
    assert [True, False, False] == held(look, turn(POLL, 1, began=True), turn("COMMIT", 1))
