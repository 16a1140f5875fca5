"""The serial oracle: whatever one after the other could have left is right, anything else is told leaf by leaf."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfade.engine.answers import Answer
from crossfade.engine.oracle import Judgement, Oracle, Reference
from crossfade.engine.outcomes import Outcome
from crossfade.model.history import Delta, KeyChange, RowChange

NOW = 1_790_000_000.0
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ORDERS = ((0, 1), (1, 0), (0,), (1,), ())


def told(status: int, body: Any = None, failure: str = "") -> Answer:
    return Answer(status, kind="json" if body is not None else "empty", body=body, failure=failure)


def row(table: str, key: Any, before: Any, after: Any, database: str = "db") -> RowChange:
    def text(value: Any) -> str | None:
        return None if value is None else json.dumps(value)

    return RowChange(database, f"public.{table}", json.dumps(key), text(before), text(after), NOW)


def account(balance: int, number: int = 1) -> RowChange:
    return row("accounts", {"id": number}, {"id": number, "balance": 100}, {"id": number, "balance": balance})


def new(table: str, **columns: Any) -> RowChange:
    return row(table, {"id": columns["id"]}, None, columns)


def key(name: str, content: str | None, before: bytes | None = None) -> KeyChange:
    return KeyChange("cache", name, before, None if content is None else b"dump", content or "", -1)


def outcome(
    answers: Sequence[Answer | None],
    rows: Sequence[RowChange] = (),
    keys: Sequence[KeyChange] = (),
    reads: Sequence[Answer] = (),
    errors: Sequence[tuple[str, ...]] = (),
    now: float = NOW,
    complete: bool = True,
) -> Outcome:
    return Outcome(tuple(answers), tuple(reads), Delta(tuple(rows), tuple(keys), complete), tuple(errors), now)


def withdrawals() -> Oracle:
    """Two withdrawals of 30 and 20 from 100."""

    def left(first: int | None, second: int | None, balance: int) -> Outcome:
        answers = [None if value is None else told(200, {"left": value}) for value in (first, second)]
        return outcome(answers, [account(balance)] if balance < 100 else [], reads=[told(200, {"balance": balance})])

    return Oracle(
        [
            Reference((0, 1), left(70, 50, 50)),
            Reference((1, 0), left(50, 80, 50)),
            Reference((0,), left(70, None, 70)),
            Reference((1,), left(None, 80, 80)),
            Reference((), left(None, None, 100)),
        ],
        names=["withdraw", "refund"],
    )


def raced(
    one: Answer, other: Answer, balance: int, errors: Sequence[tuple[str, ...]] = (), read: int | None = None
) -> Outcome:
    rows = [account(balance)] if balance < 100 else []
    reads = [told(200, {"balance": balance if read is None else read})]
    return outcome([one, other], rows, reads=reads, errors=errors)


FINE, ALSO_FINE = told(200, {"left": 70}), told(200, {"left": 80})


def test_both_orders_are_right() -> None:
    oracle = withdrawals()
    first = oracle.judge(raced(told(200, {"left": 70}), told(200, {"left": 50}), 50))
    assert ("serial", (0, 1), ()) == (first.kind, first.order, first.refused)
    second = oracle.judge(raced(told(200, {"left": 50}), told(200, {"left": 80}), 50))
    assert ("serial", (1, 0)) == (second.kind, second.order)


def test_a_lost_update_is_told_with_what_either_order_gives() -> None:
    judgement = withdrawals().judge(raced(FINE, ALSO_FINE, 80))
    assert "lost" == judgement.kind
    reasons = {difference.path: (difference.seen, difference.reason) for difference in judgement.differences}
    assert ("80", "50 in either order") == reasons["db public.accounts id=1 .balance"]
    assert ("80", "50 in either order") == reasons["read 0 body.balance"]
    wrong_answer = [path for path in reasons if path.startswith("answer")]
    assert ["answer of refund body.left"] == wrong_answer or ["answer of withdraw body.left"] == wrong_answer


def test_what_both_orders_give_is_told_even_where_it_looks_as_if_one_had_not_been_made() -> None:
    def left(first: int | None, second: int | None, likes: int) -> Outcome:
        answers = [None if value is None else told(200, {"likes": value}) for value in (first, second)]
        return outcome(answers, [account(likes)], reads=[told(200, {"likes": likes})] * 2)

    oracle = Oracle(
        [
            Reference((0, 1), left(1, 2, 2)),
            Reference((1, 0), left(2, 1, 2)),
            Reference((0,), left(1, None, 1)),
            Reference((1,), left(None, 1, 1)),
            Reference((), left(None, None, 0)),
        ],
        names=["like", "dislike"],
    )
    judgement = oracle.judge(left(1, 1, 1))
    assert ("lost", 2) == (judgement.kind, len(judgement.order))
    reasons = {difference.path: difference.reason for difference in judgement.differences}
    assert "2 in either order" == reasons["db public.accounts id=1 .balance"]
    assert not any(path.endswith("status") for path in reasons)


def test_what_a_place_has_in_one_order_and_the_other() -> None:
    judgement = withdrawals().judge(raced(told(200, {"left": 70}), told(200, {"left": 60}), 50))
    assert [("answer of refund body.left", "60", "50 after withdraw then refund; 80 the other way")] == [
        (difference.path, difference.seen, difference.reason) for difference in judgement.differences
    ]


@pytest.mark.parametrize(
    ("refusal", "errors"),
    [(told(status, {"error": "x"}), ()) for status in (409, 412, 423, 425, 429, 503)]
    + [
        (told(500), ("40001",)),
        (told(500), ("40001", "40001")),
        (told(400, {"error": "the account was modified concurrently"}), ()),
        (told(422, {"error": "no"}), ("23505",)),
    ],
)
def test_turned_away_cleanly_did_not_happen(refusal: Answer, errors: tuple[str, ...]) -> None:
    judgement = withdrawals().judge(raced(FINE, refusal, 70, [(), errors]))
    assert ("serial", (0,), (1,)) == (judgement.kind, judgement.order, judgement.refused)


def test_both_turned_away_did_not_happen_either() -> None:
    judgement = withdrawals().judge(raced(told(409), told(429), 100))
    assert ("serial", (), (0, 1)) == (judgement.kind, judgement.order, judgement.refused)


@pytest.mark.parametrize("status", [409, 429])
def test_turned_away_and_yet_done_is_lost(status: int) -> None:
    assert "lost" == withdrawals().judge(raced(FINE, told(status), 50)).kind


@pytest.mark.parametrize(
    ("answer", "errors", "kind"),
    [
        (told(500), (), "refused"),
        (told(500), ("23505",), "refused"),
        (told(0, failure="reset (the process died)"), (), "refused"),
        (told(404), (), "refused"),
        (told(422, {"error": "no such account"}), (), "refused"),
        (told(500), ("40P01",), "deadlock"),
        (told(0, failure="reset"), ("40P01",), "deadlock"),
        (told(0, failure="timeout"), (), "stuck"),
        (told(200, {"left": 50}), (), "lost"),
    ],
)
def test_an_error_without_effect(answer: Answer, errors: tuple[str, ...], kind: str) -> None:
    judgement = withdrawals().judge(raced(FINE, answer, 70, [(), errors]))
    assert kind == judgement.kind
    if kind != "lost":
        assert (0,) == judgement.order
        assert ["answer of refund status"] == [difference.path for difference in judgement.differences]
        assert "200 after withdraw then refund" in judgement.differences[0].reason or "200 in" in (
            judgement.differences[0].reason
        )


@pytest.mark.parametrize(
    ("answer", "errors", "kind"),
    [
        (told(500), (), "refused"),
        (told(500), ("40P01",), "deadlock"),
        (told(0, failure="timeout"), (), "stuck"),
        (told(404), (), "lost"),
    ],
)
def test_an_error_with_effect(answer: Answer, errors: tuple[str, ...], kind: str) -> None:
    judgement = withdrawals().judge(raced(FINE, answer, 50, [(), errors]))
    assert (kind, (0, 1)) == (judgement.kind, judgement.order)


@pytest.mark.parametrize(
    ("answer", "kind"), [(told(500), "lost"), (told(409), "lost"), (told(0, failure="timeout"), "stuck")]
)
def test_an_error_with_half_an_effect_is_lost(answer: Answer, kind: str) -> None:
    assert kind == withdrawals().judge(raced(FINE, answer, 33)).kind


def test_a_service_that_tries_again_is_judged_by_what_it_did() -> None:
    again = raced(told(200, {"left": 70}), told(200, {"left": 50}), 50, [(), ("40001", "40P01", "23505")])
    assert "serial" == withdrawals().judge(again).kind


def test_an_error_that_an_order_gives_as_well_is_right() -> None:
    broke = outcome([told(200), told(500, {"error": "a"})], [account(70)])
    oracle = Oracle([Reference(order, broke) for order in ((0, 1), (1, 0))])
    assert "serial" == oracle.judge(outcome([told(200), told(500, {"error": "b"})], [account(70)])).kind
    refused = outcome([told(200), told(422, {"error": "no money"})], [account(70)])
    oracle = Oracle([Reference((0, 1), refused)])
    assert ("serial", (0, 1)) == (oracle.judge(refused).kind, oracle.judge(refused).order)


# ── ids ─────────────────────────────────────────────────────────────────────


def orders(first: int | str, second: int | str, *, told_ids: bool = True, at: float = NOW) -> dict[int, list[Any]]:
    """Each of two calls makes an order and its item; per actor [answer, order row, item row]."""
    made: dict[int, list[Any]] = {}
    for actor, number in ((0, first), (1, second)):
        made[actor] = [
            told(201, {"id": number, "at": datetime.fromtimestamp(at, UTC).isoformat()} if told_ids else {"ok": True}),
            new("orders", id=number, who=f"u{actor}", at=datetime.fromtimestamp(at, UTC).isoformat()),
            new(
                "items",
                id=(number * 3 + actor) if isinstance(number, int) else str(uuid.uuid5(uuid.UUID(number), "item")),
                order_id=number,
                sku=actor,
            ),
        ]
    return made


def ordered(made: dict[int, list[Any]], present: Sequence[int] = (0, 1), now: float = NOW) -> Outcome:
    rows = [change for actor in present for change in made[actor][1:]]
    return outcome([made[actor][0] if actor in present else None for actor in (0, 1)], rows, now=now)


def creating(first: int = 5000) -> Oracle:
    made = [orders(first + 1000 * n, first + 1000 * n + 500, at=NOW + n) for n in range(5)]
    return Oracle([Reference(order, ordered(made[n], order, NOW + n)) for n, order in enumerate(ORDERS)])


def test_ids_clocks_and_the_order_of_rows_do_not_matter() -> None:
    oracle = creating()
    made = orders(71_022, 70_001, at=NOW + 400)
    assert "serial" == oracle.judge(ordered(made, (0, 1), NOW + 400)).kind
    assert "serial" == oracle.judge(ordered(made, (1, 0), NOW + 400)).kind
    left_out = ordered(made, (0,), NOW + 400)
    with_refusal = Outcome((left_out.answers[0], told(409)), (), left_out.delta, (), NOW + 400)
    assert ("serial", (1,)) == (oracle.judge(with_refusal).kind, oracle.judge(with_refusal).refused)


def test_uuids_do_not_matter_but_their_links_do() -> None:
    ids = [str(uuid.UUID(int=n << 90 | 7, version=4)) for n in range(1, 13)]
    oracle = Oracle(
        [Reference(order, ordered(orders(ids[2 * n], ids[2 * n + 1]), order)) for n, order in enumerate(ORDERS)]
    )
    made = orders(ids[10], ids[11])
    assert "serial" == oracle.judge(ordered(made)).kind
    made[1][2] = new("items", id=str(uuid.UUID(int=99 << 90, version=4)), order_id=ids[10], sku=1)
    assert "lost" == oracle.judge(ordered(made)).kind


@pytest.mark.parametrize("told_ids", [True, False])
def test_a_row_linked_to_the_other_row_is_found(told_ids: bool) -> None:
    made = [orders(5000 + 1000 * n, 5500 + 1000 * n, told_ids=told_ids) for n in range(6)]
    oracle = Oracle([Reference(order, ordered(made[n], order)) for n, order in enumerate(ORDERS)])
    crossed = made[5]
    assert "serial" == oracle.judge(ordered(crossed)).kind
    crossed[0][2] = new("items", id=90_001, order_id=10_500, sku=0)
    crossed[1][2] = new("items", id=90_002, order_id=10_000, sku=1)
    judgement = oracle.judge(ordered(crossed))
    assert "lost" == judgement.kind
    assert any("order_id" in difference.path or "orders" in difference.path for difference in judgement.differences)


def test_an_id_given_twice_is_found() -> None:
    made = orders(71_022, 71_022)
    rows = [made[0][1], made[0][2], made[1][2]]
    judgement = creating().judge(outcome([made[0][0], made[1][0]], rows))
    assert "lost" == judgement.kind
    both = outcome([told(201, {"id": 7001}), told(201, {"id": 7001})], [new("orders", id=7001), new("orders", id=7002)])
    apart = outcome(
        [told(201, {"id": 8001}), told(201, {"id": 8002})], [new("orders", id=8001), new("orders", id=8002)]
    )
    assert "lost" == Oracle([Reference((0, 1), apart)]).judge(both).kind
    assert "serial" == Oracle([Reference((0, 1), apart)]).judge(apart).kind


def test_an_answer_that_names_the_others_row_is_found() -> None:
    made = orders(71_022, 71_044)
    made[0][0], made[1][0] = made[1][0], made[0][0]
    assert "lost" == creating().judge(ordered(made)).kind


def test_a_row_too_many_is_found() -> None:
    made = orders(71_022, 71_044)
    twice = ordered(made)
    again = new("orders", id=71_066, who="u1", at=datetime.fromtimestamp(NOW, UTC).isoformat())
    judgement = creating().judge(Outcome(twice.answers, (), Delta((*twice.delta.rows, again)), (), NOW))
    assert "lost" == judgement.kind
    assert 1 == len(judgement.differences)
    assert judgement.differences[0].path.startswith("db public.orders id=710")
    assert "nothing in either order" == judgement.differences[0].reason


def test_a_duplicate_that_one_order_would_have_refused_is_found() -> None:
    def signed_up(one: int, other: int, *ids: int) -> Outcome:
        answers = [told(status, {"error": "taken"} if status == 422 else {"ok": 1}) for status in (one, other)]
        return outcome(answers, [new("users", id=number, email="a@b.c") for number in ids])

    oracle = Oracle(
        [
            Reference((0, 1), signed_up(201, 422, 4001)),
            Reference((1, 0), signed_up(422, 201, 4002)),
            Reference((0,), outcome([told(201, {"ok": 1}), None], [new("users", id=4003, email="a@b.c")])),
            Reference((1,), outcome([None, told(201, {"ok": 1})], [new("users", id=4004, email="a@b.c")])),
            Reference((), outcome([None, None])),
        ]
    )
    lost = oracle.judge(signed_up(201, 201, 4005, 4006))
    assert "lost" == lost.kind
    (row,) = [difference for difference in lost.differences if difference.path.startswith("db public.users id=")]
    assert "nothing in either order" == row.reason
    assert "serial" == oracle.judge(signed_up(422, 201, 4005)).kind


def test_a_uuid_of_the_base_keeps_its_name() -> None:
    ann, bob = (str(uuid.UUID(int=n << 80 | 3, version=4)) for n in (11, 12))

    def paid(owner: str, number: int) -> Outcome:
        return outcome(
            [told(200), told(200)], [new("payments", id=number, owner=owner), new("visits", id=number, by=bob)]
        )

    oracle = Oracle([Reference((0, 1), paid(ann, 5001)), Reference((1, 0), paid(ann, 6001))])
    assert "serial" == oracle.judge(paid(ann, 7001)).kind
    assert "lost" == oracle.judge(paid(str(uuid.uuid4()), 7001)).kind


def test_rows_that_look_alike_are_told_apart_by_what_points_to_them() -> None:
    def made(numbers: Sequence[int], owners: Sequence[str], listed: Sequence[int]) -> Outcome:
        rows = [new("boxes", id=number, size=1) for number in numbers]
        rows += [new("labels", id=number + 50_000, box=numbers[i], text=owners[i]) for i, number in enumerate(numbers)]
        reads = [told(200, [{"id": numbers[i], "size": 1} for i in listed])]
        return outcome([told(200), told(200)], rows, reads=reads)

    oracle = Oracle([Reference((0, 1), made([5001, 5002, 5003], ["a", "b", "c"], [0, 1, 2]))])
    for order in permutations(range(3)):
        assert "serial" == oracle.judge(made([7001, 7002, 7003], [["a", "b", "c"][i] for i in order], [0, 1, 2])).kind
    assert "lost" == oracle.judge(made([7001, 7002, 7003], ["a", "b", "b"], [0, 1, 2])).kind
    assert "lost" == oracle.judge(made([7001, 7002, 7003], ["a", "b", "c"], [0, 1, 1])).kind


# ── keys of Redis ───────────────────────────────────────────────────────────


def test_a_stale_cache_is_found() -> None:
    def cached(content: str | None, balance: int = 70) -> Outcome:
        keys = [] if content is None else [key("account:1", content)]
        return outcome([told(200), told(200, {"balance": balance})], [account(70)], keys)

    oracle = Oracle(
        [
            Reference((0, 1), cached('string {"balance": 70}')),
            Reference((1, 0), cached(None, 100)),
        ],
        names=["withdraw", "show"],
    )
    assert "serial" == oracle.judge(cached('string {"balance": 70}')).kind
    assert "serial" == oracle.judge(cached(None, 100)).kind
    judgement = oracle.judge(cached('string {"balance": 100}'))
    assert ("lost", (0, 1)) == (judgement.kind, judgement.order)
    assert ["cache account:1 .value.balance"] == [difference.path for difference in judgement.differences]
    assert "lost" == oracle.judge(cached('string {"balance": 100}', 100)).kind


def test_ids_in_the_names_of_keys_are_followed() -> None:
    def stored(number: int, named: int) -> Outcome:
        return outcome(
            [told(201), told(200)], [new("orders", id=number, n=1)], [key(f"order:{named}", f"string {number}")]
        )

    oracle = Oracle([Reference((0, 1), stored(5001, 5001))])
    assert "serial" == oracle.judge(stored(6001, 6001)).kind
    assert "lost" == oracle.judge(stored(6001, 6002)).kind


def test_a_key_that_should_be_gone_is_found() -> None:
    def left(*keys: KeyChange) -> Outcome:
        return outcome([told(200), told(200)], keys=keys)

    oracle = Oracle([Reference((0, 1), left(key("stock:7", None, b"old")))])
    assert "serial" == oracle.judge(left(key("stock:7", None, b"old"))).kind
    assert "lost" == oracle.judge(left()).kind
    assert "lost" == oracle.judge(left(key("stock:7", "string 5", b"old"))).kind
    assert "lost" == oracle.judge(left(key("stock:8", None, b"old"))).kind


# ── noise ───────────────────────────────────────────────────────────────────


def noisy(number: int, code: str, jitter: float, balance: int = 50, extra: int = 0) -> Outcome:
    rows = [account(balance), new("entries", id=number, code=code, jitter=jitter, amount=30)]
    rows += [new("beats", id=number + 10 + n) for n in range(extra)]
    body = {"left": balance, "code": code, "took": jitter}
    return outcome([told(200, body), told(200, {"ok": True})], rows)


def noisy_oracle() -> Oracle:
    return Oracle(
        [
            Reference((0, 1), noisy(5001, "QXV", 0.25, extra=1)),
            Reference((0, 1), noisy(6001, "RTA", 0.75, extra=2)),
            Reference((0, 1), noisy(7001, "BBB", 0.5, extra=1)),
            Reference((1, 0), noisy(8001, "LLK", 0.125, extra=0)),
        ]
    )


def test_a_place_that_varies_in_one_order_is_not_held_against_it() -> None:
    oracle = noisy_oracle()
    assert "serial" == oracle.judge(noisy(9001, "ZZZ", 0.3, extra=4)).kind
    assert ("db public.beats (number of new entries)",) == oracle.noisy


def test_noise_in_a_row_does_not_hide_the_rest_of_it() -> None:
    oracle = noisy_oracle()
    assert "lost" == oracle.judge(noisy(9001, "ZZZ", 0.3, balance=70)).kind
    good = noisy(9001, "ZZZ", 0.3)
    other = (*good.delta.rows[:-1], new("entries", id=9001, code="ZZZ", jitter=0.3, amount=31))
    assert "lost" == oracle.judge(Outcome(good.answers, (), Delta(other), (), NOW)).kind


def test_what_the_caller_knows_to_be_noise_is_not_compared() -> None:
    def seen(random_value: int, mark: int, beat: int) -> Outcome:
        return outcome(
            [told(200, {"r": random_value}), told(200)],
            [row("jobs", {"id": 9}, {"id": 9, "n": 0}, {"id": 9, "n": beat}), new("logs", id=4000 + beat, n=beat)],
            reads=[told(200, {"m": mark})],
        )

    reference = [Reference((0, 1), seen(1, 1, 1))]
    assert "lost" == Oracle(reference).judge(seen(2, 2, 2)).kind
    oracle = Oracle(
        reference,
        answer_noise=[(0, "body.r")],
        read_noise=[(0, "body.m")],
        background=[("db", "public.jobs", '{"id": 9}'), ("db", "public.logs", "*")],
    )
    assert "serial" == oracle.judge(seen(2, 2, 2)).kind


def listed(*items: Any) -> Outcome:
    return outcome([told(200), told(200)], reads=[told(200, {"items": list(items)})])


def test_a_list_in_another_order_is_told_unless_its_order_is_noise() -> None:
    steady = Oracle([Reference((0, 1), listed("a", "b", "c")), Reference((0, 1), listed("a", "b", "c"))])
    judgement = steady.judge(listed("b", "a", "c"))
    assert [("read 0 body.items", "the same items in another order")] == [
        (difference.path, difference.reason) for difference in judgement.differences
    ]
    shaken = Oracle([Reference((0, 1), listed("a", "b", "c")), Reference((0, 1), listed("b", "a", "c"))])
    assert "serial" == shaken.judge(listed("c", "b", "a")).kind
    assert "lost" == shaken.judge(listed("c", "b", "b")).kind
    assert "lost" == shaken.judge(listed("c", "b")).kind


def test_unordered_items_with_random_fields_keep_their_other_fields() -> None:
    def items(*pairs: tuple[str, int]) -> Outcome:
        return listed(*({"tag": tag, "n": n} for tag, n in pairs))

    oracle = Oracle(
        [
            Reference((0, 1), items(("QWERTY", 1), ("ASDFGH", 2), ("ZXCVBN", 3))),
            Reference((0, 1), items(("TYUIOP", 3), ("GHJKLL", 1), ("BNMMMM", 2))),
        ]
    )
    assert "serial" == oracle.judge(items(("EEEEEE", 2), ("FFFFFF", 1), ("GGGGGG", 3))).kind
    assert "lost" == oracle.judge(items(("EEEEEE", 2), ("FFFFFF", 1), ("GGGGGG", 2))).kind


def test_the_order_of_drawing_ids_is_not_that_of_effects() -> None:
    def made(*whos: str) -> Outcome:
        rows = [new("orders", id=5001 + n, who=who) for n, who in enumerate(whos)]
        reads = [told(200, [{"id": 5001 + n, "who": who} for n, who in enumerate(whos)])]
        return outcome([told(200, {"rank": 1}), told(200, {"rank": 2})], rows, reads=reads)

    oracle = Oracle([Reference((0, 1), made("a", "b"))])
    assert "serial" == oracle.judge(made("b", "a")).kind


# ── limits ──────────────────────────────────────────────────────────────────


def test_where_the_state_is_not_known_answers_and_reads_decide() -> None:
    unknown = outcome([told(200), told(200)], [account(1)], reads=[told(200, {"n": 2})], complete=False)
    oracle = Oracle(
        [Reference(order, outcome([told(200), told(200)], reads=[told(200, {"n": 2})])) for order in ORDERS]
    )
    assert () == oracle.limits
    judgement = oracle.judge(unknown)
    assert "serial" == judgement.kind
    assert (
        "this run changed the schema or truncated a table: only answers and reads are compared",
    ) == judgement.limits
    other = outcome([told(200), told(200)], reads=[told(200, {"n": 1})], complete=False)
    assert "lost" == oracle.judge(other).kind
    assert Oracle([Reference(order, unknown) for order in ORDERS]).limits


def test_orders_that_were_not_run_are_said() -> None:
    reference = Reference((0, 1), outcome([told(200), told(200)]))
    assert ("not run one after the other: none of the calls, a alone, b alone, b then a",) == Oracle(
        [reference], names=["a", "b"]
    ).limits


# ── lines for people ────────────────────────────────────────────────────────


def test_the_state_is_told_row_by_row_beside_the_serial_ones() -> None:
    oracle = withdrawals()
    race = raced(FINE, ALSO_FINE, 80)
    assert ("accounts id=1: balance 80",) == oracle.state_texts(race)
    serial = raced(told(200, {"left": 70}), told(200, {"left": 50}), 50)
    assert ("accounts id=1: balance 50",) == oracle.state_texts(serial, race)
    assert ("accounts id=1: balance 100 (unchanged)",) == oracle.state_texts(raced(told(409), told(409), 100), race)
    assert () == oracle.state_texts(serial)


def test_lists_in_the_state_are_told() -> None:
    def left(*tags: str) -> Outcome:
        return outcome([told(200)] * 2, [row("docs", {"id": 1}, {"id": 1, "tags": []}, {"id": 1, "tags": tags})])

    alone = [
        Reference(order, msgspec.structs.replace(left(tag), answers=answers))
        for order, tag, answers in (((0,), "red", (told(200), None)), ((1,), "blue", (None, told(200))))
    ]
    both = [Reference(order, left("blue", "red")) for order in ((0, 1), (1, 0))]
    oracle = Oracle([*both, *alone, Reference((), outcome([None, None]))])
    assert ("docs id=1: tags[0] red",) == oracle.state_texts(left("red"))
    assert ("docs id=1: tags[0] blue, tags[1] red",) == oracle.state_texts(left("blue", "red"), left("red"))


def test_new_rows_are_told_where_they_differ() -> None:
    made = orders(71_022, 71_044)
    race = outcome([made[0][0], made[1][0]], [made[0][1], made[0][2], made[1][2]])
    oracle = creating()
    (line,) = oracle.state_texts(race)
    assert line.startswith("orders id=71022 (new): who u0")


# ── more of what services do ────────────────────────────────────────────────


def test_small_ids_of_a_service_without_a_database_are_learned() -> None:
    def kept(*ids: int, owner: str = "b") -> Outcome:
        items = [{"id": ids[0], "owner": "a"}, {"id": ids[1], "owner": owner}]
        return outcome([told(201, {"id": ids[0]}), told(201, {"id": ids[1]})], reads=[told(200, items)])

    oracle = Oracle([Reference((0, 1), kept(2 * n, 2 * n + 1)) for n in range(3)])
    assert "serial" == oracle.judge(kept(17, 18)).kind
    assert "lost" == oracle.judge(kept(17, 18, owner="a")).kind
    large = Oracle([Reference((0, 1), kept(2 * n + 2000, 2 * n + 2001)) for n in range(3)])
    assert "serial" == large.judge(kept(2017, 2018)).kind
    assert "lost" == large.judge(kept(2017, 2017)).kind


def test_padded_numbers_are_followed() -> None:
    def made(number: int, printed: int) -> Outcome:
        return outcome([told(201, {"ref": f"ORD-{printed:08}"}), told(200)], [new("orders", id=number)])

    oracle = Oracle([Reference((0, 1), made(41_173, 41_173))])
    assert "serial" == oracle.judge(made(52_807, 52_807)).kind
    assert "lost" == oracle.judge(made(52_807, 52_808)).kind


def test_the_unique_variable_of_a_run_is_followed() -> None:
    def signed_up(unique: str, mailed: str) -> Outcome:
        return outcome(
            [told(201, {"name": f"ann {unique}"}), told(200)],
            [new("users", id=5001, email=f"ann+{mailed}@example.com")],
        )

    oracle = Oracle([Reference((0, 1), signed_up("u0a1b2c3d4e", "u0a1b2c3d4e"))])
    assert "serial" == oracle.judge(signed_up("u1234567890", "u1234567890")).kind
    assert "lost" == oracle.judge(signed_up("u1234567890", "u1234567891")).kind


@pytest.mark.parametrize("name", ["remaining", "age", "pages"])
def test_counts_are_no_ages(name: str) -> None:
    oracle = Oracle([Reference((0, 1), outcome([told(200, {name: 5}), told(200)]))])
    assert "lost" == oracle.judge(outcome([told(200, {name: 4}), told(200)])).kind


def test_ages_in_seconds_may_differ_a_little() -> None:
    oracle = Oracle([Reference((0, 1), outcome([told(200, {"age_seconds": 0, "text": "just now"}), told(200)]))])
    later = outcome([told(200, {"age_seconds": 2, "text": "3 seconds ago"}), told(200)])
    assert "serial" == oracle.judge(later).kind


@pytest.mark.parametrize("number", [False, True])
def test_ten_minutes_more_on_a_lease_are_a_difference(number: bool) -> None:
    def lease(now: float, minutes: int) -> Outcome:
        until = now + 60 * minutes
        value = int(until) if number else datetime.fromtimestamp(until, UTC).isoformat()
        changed = row("leases", {"id": 3}, {"id": 3, "until": None}, {"id": 3, "until": value})
        return outcome([told(200), told(200)], [changed], now=now)

    oracle = Oracle([Reference((0, 1), lease(NOW, 20))])
    assert "serial" == oracle.judge(lease(NOW + 1234.5, 20)).kind
    assert "lost" == oracle.judge(lease(NOW + 1234.5, 10)).kind


def test_deleted_and_changed_differ() -> None:
    base = {"id": 1, "n": 1}
    gone, changed = row("rows", {"id": 1}, base, None), row("rows", {"id": 1}, base, {"id": 1, "n": 2})
    answers = [told(200), told(200)]
    oracle = Oracle([Reference((0, 1), outcome(answers, [gone])), Reference((1, 0), outcome(answers, [gone]))])
    assert "serial" == oracle.judge(outcome(answers, [gone])).kind
    for rows in ([changed], []):
        judgement = oracle.judge(outcome(answers, rows))
        assert "lost" == judgement.kind
        assert ("db public.rows id=1", "nothing in either order") == (
            judgement.differences[0].path,
            judgement.differences[0].reason,
        )
    assert ("rows id=1: deleted",) == oracle.state_texts(outcome(answers, [gone]), outcome(answers, [changed]))


def test_amounts_in_rows_without_a_key_are_no_ids() -> None:
    def logged(amount: int) -> Outcome:
        text = json.dumps({"amount": amount, "account": 1})
        return outcome([told(200), told(200)], [RowChange("db", "public.log", text, None, text, NOW)])

    oracle = Oracle([Reference((0, 1), logged(5000))])
    assert "serial" == oracle.judge(logged(5000)).kind
    assert "lost" == oracle.judge(logged(7000)).kind


def test_three_calls() -> None:
    def added(order: Sequence[int], total: int | None = None) -> Outcome:
        answers: list[Answer | None] = [None, None, None]
        balance = 100
        for actor in order:
            balance += 10**actor
            answers[actor] = told(200, {"balance": balance})
        return outcome(answers, [account(balance if total is None else total)] if order else [])

    every = [order for size in range(4) for order in permutations(range(3), size)]
    oracle = Oracle([Reference(order, added(order)) for order in every], names=["a", "b", "c"])
    assert () == oracle.limits
    for order in permutations(range(3)):
        assert ("serial", order) == (oracle.judge(added(order)).kind, oracle.judge(added(order)).order)
    lost = oracle.judge(added((2, 0, 1), 201))
    assert ("lost", (2, 0, 1)) == (lost.kind, lost.order)
    assert "211 in every order" == lost.differences[0].reason
    left = added((2, 0))
    away = Outcome((left.answers[0], told(409), left.answers[2]), (), left.delta, (), NOW)
    assert ("serial", (2, 0), (1,)) == (oracle.judge(away).kind, oracle.judge(away).order, oracle.judge(away).refused)


def test_one_of_the_two_may_be_no_call() -> None:
    """A backfill: it has no answer, and is always there."""

    def filled(note: str | None, answer: Answer | None) -> Outcome:
        changed = row("orders", {"id": 1}, {"id": 1, "note": None}, {"id": 1, "note": note})
        return outcome([None, answer], [changed] if note is not None else [])

    oracle = Oracle(
        [Reference(order, filled("new", told(200))) for order in ((0, 1), (1, 0))]
        + [Reference((0,), filled("old", None))]
    )
    assert "serial" == oracle.judge(filled("new", told(200))).kind
    assert "lost" == oracle.judge(filled("old", told(200))).kind
    assert ("serial", (0,)) == (
        oracle.judge(filled("old", told(409))).kind,
        oracle.judge(filled("old", told(409))).order,
    )


def test_errors_of_graphql_are_errors() -> None:
    def graph(message: str) -> Answer:
        return told(200, {"data": None, "errors": [{"message": message}]})

    oracle = withdrawals()
    assert "refused" == oracle.judge(raced(FINE, graph("boom"), 70)).kind
    conflict = oracle.judge(raced(FINE, graph("the account was locked, try again"), 70))
    assert ("serial", (1,)) == (conflict.kind, conflict.refused)


def test_json_in_texts_is_compared_place_by_place() -> None:
    def sent(nonce: str, amount: int) -> Outcome:
        payload = json.dumps({"nonce": nonce, "amount": amount})
        return outcome([told(200), told(200)], [new("outbox", id=5001, payload=payload)])

    oracle = Oracle([Reference((0, 1), sent("abc", 5)), Reference((0, 1), sent("qrs", 5))])
    assert "serial" == oracle.judge(sent("xyz", 5)).kind
    judgement = oracle.judge(sent("xyz", 6))
    assert [("db public.outbox id=5001 .payload.amount", "6")] == [(d.path, d.seen) for d in judgement.differences]


def test_objects_keyed_by_ids_are_followed() -> None:
    def totals(number: int, total: int) -> Outcome:
        return outcome(
            [told(200), told(200)], [new("orders", id=number)], reads=[told(200, {"by": {str(number): total}})]
        )

    oracle = Oracle([Reference((0, 1), totals(5001, 3))])
    assert "serial" == oracle.judge(totals(6001, 3)).kind
    assert "lost" == oracle.judge(totals(6001, 4)).kind


def test_rows_that_the_setup_made_are_told_by_what_changed_in_them() -> None:
    def paid(start: int, one: int) -> Outcome:
        rows = [
            new("accounts", id=start, owner="a", balance=one),
            new("accounts", id=start + 9, owner="b", balance=100),
        ]
        return outcome([told(200), told(200)], rows)

    oracle = Oracle([Reference((0, 1), paid(5000, 50)), Reference((1, 0), paid(6000, 50))], names=["withdraw"] * 2)
    race = paid(7000, 70)
    judgement = oracle.judge(race)
    assert [("db public.accounts id=7000 .balance", "70", "50 in either order")] == [
        (difference.path, difference.seen, difference.reason) for difference in judgement.differences
    ]
    assert ("accounts id=7000: balance 70",) == oracle.state_texts(race)
    assert ("accounts id=5000: balance 50",) == oracle.state_texts(paid(5000, 50), race)


def test_many_rows_alike_are_compared_in_time() -> None:
    def made(start: int, kinds: Sequence[int]) -> Outcome:
        rows = []
        for n, kind in enumerate(kinds):
            token = uuid.uuid5(uuid.UUID(int=start), str(n)).hex
            rows.append(new("parts", id=start + 3 * n, kind=kind, token=token))
        return outcome([told(200), told(200)], rows)

    oracle = Oracle([Reference((0, 1), made(5000 + 1000 * n, [0] * 40 + [1] * 10)) for n in range(2)])
    assert "serial" == oracle.judge(made(9000, [1] * 10 + [0] * 40)).kind
    assert "lost" == oracle.judge(made(9000, [1] * 11 + [0] * 39)).kind


def test_objects_in_another_order_are_no_loss_and_texts_are() -> None:
    """Two runs in one order that happened to list alike say nothing of the third."""

    def listed(*names: str) -> Outcome:
        return outcome([told(201), told(200, [{"name": name} for name in names])], [new("t", id=5001, name="kettle")])

    oracle = Oracle([Reference((0, 1), listed("kettle", "sample")) for _ in range(2)])
    assert "serial" == oracle.judge(listed("sample", "kettle")).kind
    assert "lost" == oracle.judge(listed("sample", "sample")).kind

    def ranked(*names: str) -> Outcome:
        return outcome([told(201), told(200, list(names))], [new("t", id=5001, name="kettle")])

    assert "lost" == Oracle([Reference((0, 1), ranked("a", "b"))]).judge(ranked("b", "a")).kind


def test_a_random_text_that_does_not_look_random_is_followed_where_others_stood() -> None:
    def logged_in(one: str, other: str, kept: str = "") -> Outcome:
        rows = [new("sessions", id=5001, token=one), new("sessions", id=5002, token=kept or other)]
        return outcome([told(200, {"token": one}), told(200, {"token": other})], rows)

    tokens = [
        "_trPn3y9X6ZY4ubSPOpxnR7y",
        "6dd1OIlcA8eOGjum0BsqTNEX",
        "Qm5Dq0Rr7kzX2v9AbcLoPw1t",
        "9ZkqWm3nB7vC1xQpLs8dFgHj",
    ]
    oracle = Oracle([Reference((0, 1), logged_in(tokens[0], tokens[1])), Reference((0, 1), logged_in(*tokens[2:]))])
    plain = "vsmzAQUrIKwSGBvPITafSNNc"
    assert "serial" == oracle.judge(logged_in(plain, "a1B2c3D4e5F6g7H8i9J0kLmN")).kind
    assert "lost" == oracle.judge(logged_in(plain, "a1B2c3D4e5F6g7H8i9J0kLmN", kept=plain)).kind


def documents(left: Any, seen: Any, first: int = 204, second: int = 204) -> Outcome:
    """Two renamings of one document, what they left of it, what a read shows."""
    change = row("carts", {"id": 1}, {"id": 1, "document": {"name": "a", "cents": 5}}, {"id": 1, "document": left})
    return outcome([told(first), told(second)], [change], reads=[told(200, seen)])


def test_what_one_version_alone_would_leave_is_no_loss() -> None:
    """The stable drops `cents`, in either order; a race keeps it, as two calls of the canary would."""
    dropped, kept = {"name": "b"}, {"name": "b", "cents": 5}
    both = ((0, 1), (1, 0))
    oracle = Oracle([Reference(order, documents(dropped, {"cents": 5})) for order in both])
    alone = Oracle([Reference(order, documents(kept, {"cents": 5})) for order in both])
    race = documents(kept, {"cents": 5})
    assert ("lost", True) == (oracle.judge(race).kind, oracle.leaves_as(race, alone))
    assert not oracle.leaves_as(documents({"name": "a", "cents": 5}, {"cents": 5}), alone)  # a name is lost
    assert not oracle.leaves_as(documents(kept, {"cents": 7}), alone)  # a read shows what neither gives
    assert not oracle.leaves_as(documents(kept, {"cents": 5}, 204, 200), alone)  # an answer that no order gives


def test_answers_count_together_where_one_version_alone_explains_the_rows() -> None:
    """Both were told that they signed up; alone, the second is refused."""
    one = [new("users", id=5001, mail="a")]
    both = ((0, 1), (1, 0))

    def signed(first: int, second: int) -> Outcome:
        return outcome([told(first), told(second)], one)

    oracle = Oracle([Reference((0, 1), signed(201, 409)), Reference((1, 0), signed(409, 201))])
    alone = Oracle([Reference(order, signed(*((201, 409) if order == (0, 1) else (409, 201)))) for order in both])
    assert not oracle.leaves_as(signed(201, 201), alone)
    assert oracle.leaves_as(signed(409, 201), alone)


# ── properties ──────────────────────────────────────────────────────────────

Store = dict[str, dict[Any, dict[str, Any]]]


class Machine:
    """A tiny database with ids and clocks of its own: what a serial execution of transactions leaves."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.now = NOW + self.luck.uniform(0, 900)
        self.next = self.luck.randrange(2_000, 900_000)
        self.base: Store = {
            "accounts": {n: {"id": n, "balance": 100, "owner": f"o{n}", "seen": None} for n in (1, 2)},
            "orders": {},
            "items": {},
        }
        self.store: Store = {table: {k: dict(v) for k, v in rows.items()} for table, rows in self.base.items()}
        self.cache: dict[str, str] = {}

    def draw(self) -> int:
        self.next += self.luck.randrange(1, 400)
        return self.next

    def moment(self) -> str:
        return datetime.fromtimestamp(self.now + self.luck.uniform(0, 5), UTC).isoformat()

    def insert(self, table: str, **columns: Any) -> int:
        number = self.draw()
        self.store[table][number] = {"id": number, **columns}
        return number

    def outcome(self, answers: Sequence[Answer | None]) -> Outcome:
        rows = []
        for table, after in self.store.items():
            before = self.base[table]
            for number in {*before, *after}:
                if before.get(number) != after.get(number):
                    rows.append(row(table, {"id": number}, before.get(number), after.get(number)))
        self.luck.shuffle(rows)
        listing = [{"id": n, "total": order["total"]} for n, order in sorted(self.store["orders"].items())]
        reads = [told(200, {"accounts": list(self.store["accounts"].values()), "orders": listing})]
        keys = [key(name, content) for name, content in sorted(self.cache.items())]
        return outcome(answers, rows, keys, reads, now=self.now)


Action = tuple[str, int, int]


def perform(machine: Machine, actions: Sequence[Action], actor: int) -> Answer:
    """One transaction: changes, new rows that point to each other, a deletion, a cached copy; the answer tells ids."""
    made: list[Any] = []
    for what, number, amount in actions:
        account_row = machine.store["accounts"].get(number)
        if what == "order":
            token = uuid.UUID(int=machine.luck.getrandbits(128), version=4).hex
            order = machine.insert("orders", total=amount, at=machine.moment(), token=token, actor=actor)
            for line in range(amount % 3):
                machine.insert("items", order_id=order, line=line, link=f"/orders/{order}")
            machine.cache[f"order:{order}"] = f'string {{"id": {order}, "total": {amount}}}'
            made.append({"order": order})
        elif account_row is None:
            made.append("gone")
        elif what == "add":
            account_row["balance"] += amount
            account_row["seen"] = machine.moment()
            made.append(account_row["balance"])
        elif what == "double":
            account_row["balance"] *= 2
            machine.cache[f"account:{number}"] = f"string {account_row['balance']}"
            made.append("doubled")
        elif what == "close":
            del machine.store["accounts"][number]
            made.append("closed")
    return told(200, {"made": made, "at": machine.moment()})


def executed(calls: Sequence[Sequence[Action]], order: Sequence[int], seed: int) -> Outcome:
    machine = Machine(seed)
    machine.insert("orders", total=1, at=machine.moment(), token="setup", actor=9)
    answers: dict[int, Answer] = {actor: perform(machine, calls[actor], actor) for actor in order}
    return machine.outcome([answers.get(actor) for actor in range(len(calls))])


actions = st.tuples(st.sampled_from(["order", "add", "double", "close"]), st.integers(1, 2), st.integers(1, 9))
transactions = st.lists(st.lists(actions, min_size=1, max_size=3), min_size=2, max_size=2)


def oracle_for(calls: Sequence[Sequence[Action]], seed: int, copies: int) -> Oracle:
    return Oracle(
        [
            Reference(order, executed(calls, order, seed + 100 * copy + place))
            for place, order in enumerate(ORDERS)
            for copy in range(copies)
        ]
    )


@QUICK
@given(transactions, st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([(0, 1), (1, 0)]))
def test_every_serial_execution_is_serial(
    calls: list[list[Action]], seed: int, copies: int, order: tuple[int, int]
) -> None:
    judgement = oracle_for(calls, seed, copies).judge(executed(calls, order, seed + 77_777))
    assert ("serial", ()) == (judgement.kind, judgement.differences)


@QUICK
@given(transactions, st.integers(0, 10**6), st.sampled_from([(0,), (1,), ()]))
def test_a_call_turned_away_explains_the_run_without_it(
    calls: list[list[Action]], seed: int, order: tuple[int, ...]
) -> None:
    left = executed(calls, order, seed + 77_777)
    answers = tuple(answer or told(409) for answer in left.answers)
    assert "serial" == oracle_for(calls, seed, 2).judge(Outcome(answers, left.reads, left.delta, (), left.now)).kind


def spoil_value(rows: list[RowChange], luck: random.Random) -> list[RowChange]:
    index = luck.randrange(len(rows))
    columns = json.loads(rows[index].after or "{}")
    plain = [name for name in columns if name in ("balance", "owner", "total", "actor", "line")]
    if not plain:
        return []
    name = luck.choice(plain)
    columns[name] = columns[name] + 1_000_003 if isinstance(columns[name], int) else "nobody"
    changed = row(rows[index].table[7:], json.loads(rows[index].key), None, None)
    spoiled = RowChange("db", changed.table, changed.key, rows[index].before, json.dumps(columns), NOW)
    return [*rows[:index], spoiled, *rows[index + 1 :]]


def spoil_link(rows: list[RowChange], luck: random.Random) -> list[RowChange]:
    items = [index for index, change in enumerate(rows) if change.table == "public.items"]
    if not items:
        return []
    index = luck.choice(items)
    columns = json.loads(rows[index].after or "{}")
    columns["order_id"] = 999_999_937  # no such order, while the link in the same row still names it
    return [*rows[:index], new("items", **columns), *rows[index + 1 :]]


def spoil_count(rows: list[RowChange], luck: random.Random) -> list[RowChange]:
    index = luck.randrange(len(rows))
    if rows[index].before is None and luck.random() < 0.5:
        columns = json.loads(rows[index].after or "{}") | {"id": 999_999_937}
        return [*rows, new(rows[index].table[7:], **columns)]
    return [*rows[:index], *rows[index + 1 :]]


@QUICK
@given(
    transactions,
    st.integers(0, 10**6),
    st.sampled_from([(0, 1), (1, 0)]),
    st.sampled_from([spoil_value, spoil_link, spoil_count]),
)
def test_a_change_that_no_order_makes_is_never_serial(
    calls: list[list[Action]],
    seed: int,
    order: tuple[int, int],
    spoil: Callable[[list[RowChange], random.Random], list[RowChange]],
) -> None:
    good = executed(calls, order, seed + 77_777)
    rows = spoil(list(good.delta.rows), random.Random(seed))
    judged: Judgement = oracle_for(calls, seed, 2).judge(
        Outcome(good.answers, good.reads, Delta(tuple(rows), good.delta.keys), (), good.now)
    )
    assert (judged.kind, bool(judged.differences)) == (
        ("lost", True) if rows else (judged.kind, judged.differences != ())
    )


class Drawn(msgspec.Struct, frozen=True):
    """A new row: `points` to other rows by their number, `colour` is plain content, `told`: its id stands in a read."""

    number: int
    points: tuple[int, ...]
    colour: str
    told: bool


@st.composite
def drawings(draw: st.DrawFn) -> tuple[Drawn, ...]:
    count = draw(st.integers(1, 5))
    numbers = st.integers(0, count - 1)
    return tuple(
        Drawn(
            n, tuple(draw(st.lists(numbers, max_size=2))), draw(st.sampled_from(["red", "blue"])), draw(st.booleans())
        )
        for n in range(count)
    )


def left_by(drawn: Sequence[Drawn], base: int) -> Outcome:
    ids = [base + 7 * row_.number for row_ in drawn]
    rows = [new("t", id=ids[one.number], colour=one.colour, points=[ids[n] for n in one.points]) for one in drawn]
    reads = [told(200, {"told": sorted(ids[one.number] for one in drawn if one.told)})]
    return outcome([told(200), told(200)], rows[::-1], reads=reads)


def same_up_to_names(one: Sequence[Drawn], other: Sequence[Drawn]) -> bool:
    """Every renaming tried."""
    if len(one) != len(other):
        return False
    wanted = {(row_.number, row_.points, row_.colour, row_.told) for row_ in other}
    return any(
        wanted == {(name[r.number], tuple(name[n] for n in r.points), r.colour, r.told) for r in one}
        for name in permutations(range(len(one)))
    )


@settings(QUICK, max_examples=300)
@given(drawings(), drawings(), st.data())
def test_equal_is_what_some_renaming_makes_equal(
    one: tuple[Drawn, ...], other: tuple[Drawn, ...], data: st.DataObject
) -> None:
    oracle = Oracle([Reference((0, 1), left_by(one, 5003))])
    assert same_up_to_names(one, other) == oracle.judge(left_by(other, 90_001)).serial
    name = data.draw(st.permutations(range(len(one))))
    renamed = sorted(
        (Drawn(name[r.number], tuple(name[n] for n in r.points), r.colour, r.told) for r in one), key=lambda r: r.number
    )
    assert oracle.judge(left_by(renamed, 90_001)).serial
    if one[0].points:
        turned = msgspec.structs.replace(one[0], points=((one[0].points[0] + 1) % len(one), *one[0].points[1:]))
        moved = (turned, *one[1:])
        assert same_up_to_names(one, moved) == oracle.judge(left_by(moved, 90_001)).serial
