"""Races made by hand: one of each method and kind, with a migration, and what a run says it tried."""

from __future__ import annotations

import msgspec

from crossfade.model.report import (
    Blame,
    CauseLiteral,
    Chance,
    Check,
    Difference,
    Finding,
    RaceExercised,
    RaceLane,
    RaceShown,
    RaceTurn,
    SerialOutcome,
    Severity,
)

CHANCE = Chance(
    (0.0, 1.0, -1.0), "p(1-p)", 0.25, 0.5, {"before": 0.0, "first": 0.0099, "third": 0.21, "most": 0.21, "all": 0.0}
)
WITHDRAW = "POST /accounts/{id}/withdraw"
GUARANTEE = "every schedule with at most 2 preemptions"


def lane(step: str, operation: str, side: str, request: str, answer: str) -> RaceLane:
    version = {"stable": "1.2.3", "canary": "1.3.0"}.get(side, "")
    title = f"{step} on {side} {version}" if side else f"migration of stage {step}"
    return RaceLane(title, step, operation, side, version, request, answer)


def lost_update() -> Finding:
    """The stable locks the row, the canary trusts a version column that the stable does not bump."""
    race = RaceShown(
        method="explorer",
        kind="lost",
        lanes=(
            lane("withdraw", WITHDRAW, "stable", 'POST /accounts/1/withdraw {"amount": 30}', '200 {"balance": 70}'),
            lane("withdraw", WITHDRAW, "canary", 'POST /accounts/1/withdraw {"amount": 50}', '200 {"balance": 50}'),
        ),
        turns=(
            RaceTurn(
                1,
                0,
                "db",
                "SELECT accounts.id, accounts.owner, accounts.currency, accounts.balance, accounts.version "
                "FROM accounts WHERE accounts.id = 1 FOR UPDATE",
                "1 row: 1, ada, EUR, 100, 7",
            ),
            RaceTurn(2, 1, "db", "SELECT balance, version FROM accounts WHERE id = 1", "1 row: 100, 7"),
            RaceTurn(
                3,
                1,
                "db",
                "UPDATE accounts SET balance = 50, version = 8 WHERE id = 1 AND version = 7",
                "UPDATE 1",
                waited_for=0,
                granted=5,
            ),
            RaceTurn(4, 0, "db", "UPDATE accounts SET balance = 70 WHERE id = 1", "UPDATE 1"),
            RaceTurn(5, 0, "db", "COMMIT", "COMMIT"),
            RaceTurn(6, 1, "db", "COMMIT", "COMMIT"),
        ),
        state=("accounts id=1: balance 50, version 8",),
        serial=(
            SerialOutcome(
                (0, 1), ('200 {"balance": 70}', '200 {"balance": 20}'), ("accounts id=1: balance 20, version 8",)
            ),
            SerialOutcome(
                (1, 0), ('200 {"balance": 20}', '200 {"balance": 50}'), ("accounts id=1: balance 20, version 8",)
            ),
        ),
        setup=('POST /accounts {"owner": "ada", "currency": "EUR", "balance": 100}',),
        schedule=(0, 1, 1, 0, 0, 1),
        preemptions=1,
        found_at=2,
        schedules=15,
        bound=2,
        replays=3,
        attempts=3,
        name="withdraw with withdraw",
        stage="first",
        pure={"stable": "clean, 6 schedules", "canary": "clean, 12 schedules"},
        machine={"lanes": [["stable", 0], ["canary", 0]]},
    )
    return Finding(
        id="5d1c0a9be774",
        rule="mixed-race",
        check=Check.RACE,
        blame=Blame.MIXED,
        severity=Severity.ERROR,
        scenario="money is withdrawn",
        operation=WITHDRAW,
        message="withdraw on stable and withdraw on canary at the same time lose an update: `accounts.balance` is 50, "
        "one after the other leaves 20",
        cause=(
            CauseLiteral("withdraw", "stable", "first", WITHDRAW, any_stage=True),
            CauseLiteral("withdraw", "canary", "first", WITHDRAW, any_stage=True),
        ),
        chance=CHANCE,
        witness=None,
        differences=(
            Difference("db public.accounts id=1 .balance", "50", reason="20 in either order"),
            Difference("answer of withdraw (2) body.balance", "50", reason="20 after withdraw (1) then withdraw (2)"),
        ),
        scenarios=("money is withdrawn",),
        service="bank",
        advice="let both versions lock the row and count `version` up until the ramp is over",
        replay="crossfade replay 5d1c0a9be774",
        race=race,
    )


def deadlock() -> Finding:
    transfer = "POST /transfers"
    race = RaceShown(
        method="explorer",
        kind="deadlock",
        lanes=(
            lane("transfer", transfer, "stable", 'POST /transfers {"from": 2, "to": 1, "amount": 5}', '201 {"id": 8}'),
            lane("transfer", transfer, "canary", 'POST /transfers {"from": 2, "to": 1, "amount": 5}', "500 deadlock"),
        ),
        turns=(
            RaceTurn(1, 0, "db", "UPDATE accounts SET balance = balance - 5 WHERE id = 2", "UPDATE 1"),
            RaceTurn(2, 1, "db", "UPDATE accounts SET balance = balance + 5 WHERE id = 1", "UPDATE 1"),
            RaceTurn(
                3, 0, "db", "UPDATE accounts SET balance = balance + 5 WHERE id = 1", "UPDATE 1", "", 1, granted=4
            ),
            RaceTurn(
                4,
                1,
                "db",
                "UPDATE accounts SET balance = balance - 5 WHERE id = 2",
                error="40P01 deadlock detected",
                waited_for=0,
            ),
            RaceTurn(5, 0, "db", "COMMIT", "COMMIT"),
            RaceTurn(6, 1, "db", "ROLLBACK", "ROLLBACK"),
        ),
        state=("accounts id=1: balance 105", "accounts id=2: balance 95"),
        serial=(
            SerialOutcome(
                (0, 1),
                ('201 {"id": 8}', '201 {"id": 9}'),
                ("accounts id=1: balance 110", "accounts id=2: balance 90"),
            ),
            SerialOutcome(
                (1, 0),
                ('201 {"id": 9}', '201 {"id": 8}'),
                ("accounts id=1: balance 110", "accounts id=2: balance 90"),
            ),
        ),
        schedule=(0, 1, 0, 1, 0, 1),
        preemptions=1,
        found_at=3,
        schedules=10,
        bound=2,
        replays=3,
        attempts=3,
        name="transfer with transfer",
        stage="first",
        pure={"stable": "clean, 6 schedules", "canary": "clean, 6 schedules"},
    )
    return msgspec.structs.replace(
        lost_update(),
        id="a07c55e1d2b9",
        operation=transfer,
        scenario="money moves",
        scenarios=("money moves",),
        message="transfer on stable and transfer on canary lock the same rows in opposite order: one of them gets 500",
        cause=(
            CauseLiteral("transfer", "stable", "first", transfer, any_stage=True),
            CauseLiteral("transfer", "canary", "first", transfer, any_stage=True),
        ),
        differences=(),
        advice="lock accounts in the order of their ids in both versions",
        replay="crossfade replay a07c55e1d2b9",
        race=race,
    )


def stampede() -> Finding:
    reserve = "POST /stock/{sku}/reserve"
    race = RaceShown(
        method="stampede",
        kind="lost",
        lanes=(
            lane("reserve", reserve, "canary", "POST /stock/A-7/reserve", '200 {"left": 4}'),
            lane("reserve", reserve, "stable", "POST /stock/A-7/reserve", '200 {"left": 4}'),
        ),
        turns=(),
        state=("cache stock:A-7: 4",),
        serial=(
            SerialOutcome((0, 1), ('200 {"left": 4}', '200 {"left": 3}'), ("cache stock:A-7: 3",)),
            SerialOutcome((1, 0), ('200 {"left": 3}', '200 {"left": 4}'), ("cache stock:A-7: 3",)),
        ),
        setup=('PUT /stock/A-7 {"left": 5}',),
        trials=20,
        failures=4,
        note="the canary speaks TLS to `cache`",
        name="reserve with reserve",
        stage="first",
        pure={"stable": "clean, 20 trials", "canary": "clean, 20 trials"},
    )
    return msgspec.structs.replace(
        lost_update(),
        id="0be4471f9a3d",
        operation=reserve,
        scenario="stock is reserved",
        scenarios=("stock is reserved",),
        message="reserve on canary and reserve on stable at the same time take one piece where two are answered for",
        differences=(Difference("cache stock:A-7", "4", reason="3 in both orders"),),
        advice="count with `DECR` in both versions",
        replay="crossfade replay 0be4471f9a3d",
        race=race,
    )


def backfill() -> Finding:
    """A live write against the migration of a stage."""
    rename = "PUT /customers/{id}"
    race = RaceShown(
        method="explorer",
        kind="lost",
        lanes=(
            lane("rename", rename, "stable", 'PUT /customers/7 {"name": "Ada King"}', '200 {"name": "Ada King"}'),
            lane("backfill", "", "", "python backfill.py", "ended with 0"),
        ),
        turns=(
            RaceTurn(1, 1, "db", "SELECT id, name FROM customers WHERE display IS NULL LIMIT 500", "1 row: 7, Ada"),
            RaceTurn(
                2, 0, "db", "UPDATE customers SET name = 'Ada King', display = 'Ada King' WHERE id = 7", "UPDATE 1"
            ),
            RaceTurn(3, 0, "cache", "DEL customer:7", "1"),
            RaceTurn(4, 1, "db", "UPDATE customers SET display = 'Ada' WHERE id = 7", "UPDATE 1"),
            RaceTurn(5, 1, "db", "COMMIT", "COMMIT"),
        ),
        state=("customers id=7: name Ada King, display Ada",),
        serial=(
            SerialOutcome(
                (0, 1), ('200 {"name": "Ada King"}', ""), ("customers id=7: name Ada King, display Ada King",)
            ),
            SerialOutcome(
                (1, 0), ('200 {"name": "Ada King"}', ""), ("customers id=7: name Ada King, display Ada King",)
            ),
        ),
        schedule=(1, 0, 0, 1, 1),
        preemptions=1,
        found_at=2,
        schedules=7,
        bound=2,
        replays=3,
        attempts=3,
        name="rename with the migration of backfill",
        stage="backfill",
    )
    return msgspec.structs.replace(
        lost_update(),
        id="c93fe20764ab",
        rule="phase-race",
        blame=Blame.PHASE,
        operation=rename,
        scenario="a customer is renamed",
        scenarios=("a customer is renamed",),
        message="a rename on the stable while the backfill runs is undone: `customers.display` keeps the old name",
        cause=(
            CauseLiteral("rename", "stable", "backfill", rename),
            CauseLiteral("backfill", "", "backfill", any_side=True),
        ),
        chance=Chance((1.0,), "1", 1.0, 0.0, {"backfill": 1.0}),
        differences=(Difference("customers id=7, display", "Ada", reason="Ada King in both orders"),),
        advice="write the new column in one statement: `UPDATE ... SET display = name WHERE display IS NULL`",
        replay="crossfade replay c93fe20764ab",
        race=race,
    )


def races() -> tuple[Finding, ...]:
    return (lost_update(), deadlock(), stampede(), backfill())


def exercised() -> tuple[RaceExercised, ...]:
    both = ("stable stable", "canary canary", "stable canary", "canary stable")
    return (
        RaceExercised(
            "withdraw with withdraw", "money is withdrawn", (WITHDRAW, WITHDRAW), "first", both, 43, 80, 2,
            f"{GUARANTEE}, 43 of them", True, 4.1,
        ),
        RaceExercised(
            "transfer with transfer", "money moves", ("POST /transfers",) * 2, "first", both, 32, 80, 2,
            f"{GUARANTEE}, 32 of them", False, 3.0,
        ),
        RaceExercised(
            "reserve with reserve", "stock is reserved", ("POST /stock/{sku}/reserve",) * 2, "first", both, 0, 80, -1,
            "80 trials at the same instant; no schedules: the canary speaks TLS to `cache`", False, 1.2,
        ),
        RaceExercised(
            "rename with the migration of backfill", "a customer is renamed", ("PUT /customers/{id}",), "backfill",
            ("stable",), 7, 0, 1, "every schedule with at most 1 preemption; the budget ended before 2", False, 0.9,
        ),
        RaceExercised(
            "read with withdraw", "money is withdrawn", ("GET /accounts/{id}", WITHDRAW), "first", both, 12, 40, 2,
            f"{GUARANTEE}, 12 of them", False, 1.0,
        ),
    )  # fmt: skip
