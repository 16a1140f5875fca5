"""Judging one call against what each side alone answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from conversations import noise_of, read
from ramps import C, S, contract, stage, step

from crossfade.engine.answers import Answer
from crossfade.engine.judge import Family, Judge, Problem, failed_expression
from crossfade.engine.sameness import Noise
from crossfade.model.contract import Change, OperationPattern, Step
from crossfade.model.expression import Expression
from crossfade.model.history import Placed
from crossfade.model.ramp import Side
from crossfade.model.report import Changed, Check

ON_STABLE, ON_CANARY = Placed(0, S), Placed(0, C)


def answer(body: Any = None, status: int = 200, **more: Any) -> Answer:
    kind = "empty" if body is None else "json"
    return Answer(**{"status": status, "media": "application/json", "kind": kind, "body": body} | more)


def judge(
    *alone: tuple[Answer, Answer],
    steps: Sequence[Step] = (),
    changes: Sequence[Change] = (),
    noise: Noise = Noise(),
    stable: bool = True,
    canary: bool = True,
) -> Judge:
    """`alone`: per step what the stable and what the canary alone answer."""
    own = steps or [step(f"call{index}", f"GET /things{index}") for index in range(len(alone))]
    made = contract([stage("half", 0.5)], own, changes=changes)
    families = [
        Family(side, 0, tuple(read([[pair[position] for pair in alone]] * 2, noise)))
        for position, side in enumerate((S, C))
        if (stable, canary)[position]
    ]
    return Judge(made, made.scenarios[0], noise, families, {})


def same(*bodies: Any) -> list[tuple[Answer, Answer]]:
    return [(answer(body), answer(body)) for body in bodies]


def told(problems: Sequence[Problem]) -> list[tuple[Check, str]]:
    return [(problem.check, problem.kind) for problem in problems]


def judged(
    one: Judge,
    seen: Answer,
    placed: Placed = ON_CANARY,
    saved: Mapping[str, Any] = {},
    rules: Sequence[tuple[str, Sequence[Expression]]] = (),
    at: int = 0,
) -> list[tuple[Check, str]]:
    return told(one.call(at, placed, seen, {}, saved, rules))


# --- status


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (answer({"a": 1}, 500), "broken 500"),
        (answer(None, 503), "broken 503"),
        (answer(None, 0, failure="timeout"), "broken timeout"),
        (answer(None, 0, failure="reset (the process died)"), "broken reset"),
        (answer({"data": None, "errors": [{"message": "x"}]}), "broken errors"),
        (answer({"error": "x"}, 403), "refused 403"),
        (answer(None, 404), "refused 404"),
    ],
)
def test_an_answer_that_breaks_or_refuses_is_one_failure_of_its_status(seen: Answer, kind: str) -> None:
    assert [(Check.STATUS, kind)] == judged(judge(*same({"a": 1})), seen)


def test_what_the_stable_alone_refuses_may_be_refused() -> None:
    refusing = judge((answer({"why": "no"}, 403), answer({"why": "no"}, 403)))
    assert [] == judged(refusing, answer({"why": "no"}, 403))
    assert [(Check.SAMENESS, "status")] == judged(refusing, answer({"why": "no"}, 404))


def test_a_limit_on_the_rate_says_nothing_about_the_versions() -> None:
    asks = [step("read", expect=(Expression("status == 200"),))]
    assert [] == judged(judge(*same({"a": 1}), steps=asks), answer({"why": "slowly"}, 429))


def test_a_canary_that_breaks_on_its_own_still_breaks() -> None:
    one = judge((answer({"a": 1}), answer(None, 500)))
    assert [(Check.STATUS, "broken 500")] == judged(one, answer(None, 500))


def test_a_failed_status_shows_what_each_side_alone_gave() -> None:
    [problem] = judge((answer({"a": 1}, 200), answer({"a": 1}, 201))).call(0, ON_CANARY, answer(None, 500), {}, {})
    assert problem.difference is not None
    assert ("status", "500", "200", "201") == msgspec.structs.astuple(problem.difference)[:4]


# --- expectations and rules


def test_a_broken_expectation_is_told_with_its_text() -> None:
    asks = [step("read", expect=(Expression("status == 200"), Expression("body.amount == 500")))]
    one = judge(*same({"amount": 500}), steps=asks)
    assert [] == judged(one, answer({"amount": 500}))
    assert (Check.EXPECTATION, "body.amount == 500") in judged(one, answer({"amount": 499}))
    assert [(Check.STATUS, "broken 500"), (Check.EXPECTATION, "status == 200")] == judged(
        one, answer({"amount": 500}, 500)
    )


def test_an_expectation_sees_what_was_saved_before() -> None:
    asks = [step("read", expect=(Expression("body.id == saved.id"),))]
    one = judge(*same({"id": 7}), steps=asks)
    assert [] == judged(one, answer({"id": 7}), saved={"id": 7})
    assert [(Check.EXPECTATION, "body.id == saved.id")] == judged(one, answer({"id": 7}), saved={"id": 8})


def test_a_failed_expression_says_why_where_it_is_not_plain() -> None:
    assert None is failed_expression(Expression("status == 200"), answer({}), {})
    assert "" == failed_expression(Expression("status == 201"), answer({}), {})
    assert " (there is no `a`)" == failed_expression(Expression("body.a == 1"), answer({}), {})
    assert " (it is 200, not true)" == failed_expression(Expression("status"), answer({}), {})


def test_a_rule_is_asked_of_answers_that_work() -> None:
    rules = [("the price stays", (Expression("has(body.price)"),))]
    one = judge((answer({"price": 1}), answer({"cost": 1})))
    assert [] == judged(one, answer({"price": 1}), ON_STABLE, rules=rules)
    assert (Check.RULE, "the price stays") in judged(one, answer({"cost": 1}), rules=rules)
    assert [(Check.STATUS, "broken 500")] == judged(one, answer({"cost": 1}, 500), rules=rules)


# --- shape


def test_a_field_that_the_canary_drops_breaks_the_shape() -> None:
    one = judge((answer({"price": 1, "sku": "A1"}), answer({"sku": "A1"})))
    assert [(Check.SHAPE, "body.price")] == judged(one, answer({"sku": "A1"}))
    assert [] == judged(one, answer({"price": 1, "sku": "A1"}), ON_STABLE)


def test_a_field_whose_type_changes_breaks_the_shape() -> None:
    one = judge((answer({"price": 1}), answer({"price": "1 EUR"})))
    assert [(Check.SHAPE, "body.price")] == judged(one, answer({"price": "1 EUR"}))


def test_a_new_field_breaks_nothing() -> None:
    one = judge((answer({"price": 1}), answer({"price": 1, "currency": {"code": "EUR"}})))
    assert [] == judged(one, answer({"price": 1, "currency": {"code": "EUR"}}))


def test_a_declared_change_is_no_failure_and_covers_what_lies_below() -> None:
    changes = [Change(OperationPattern("GET", "/things0"), "body.price")]
    for other in ({}, {"price": "1 EUR"}, {"price": {"amount": 1}}):
        one = judge((answer({"price": 1}), answer(other)), changes=changes)
        assert [] == judged(one, answer(other))
    elsewhere = [Change(OperationPattern("GET", "/other"), "body.price")]
    one = judge((answer({"price": 1}), answer({})), changes=elsewhere)
    assert [(Check.SHAPE, "body.price")] == judged(one, answer({}))


def test_a_place_that_is_noise_is_not_held_against_anyone() -> None:
    one = judge((answer({"hint": "x"}), answer({})), noise=Noise(masked=frozenset({(0, "body.hint")})))
    assert [] == judged(one, answer({}))
    assert [] == judged(one, answer({"hint": 3}))


# --- sameness


def test_a_value_that_neither_side_alone_gives_is_told() -> None:
    one = judge((answer({"amount": 500, "by": "old"}), answer({"amount": 5, "by": "new"})))
    assert [] == judged(one, answer({"amount": 500, "by": "new"}))
    assert [(Check.SAMENESS, "body.amount")] == judged(one, answer({"amount": 0, "by": "new"}))


def test_a_declared_field_may_have_any_value() -> None:
    changes = [Change(OperationPattern("GET", "/things0"), "body.items[].amount")]
    body = {"items": [{"amount": 1, "sku": "A"}]}
    one = judge(*same(body), changes=changes)
    assert [] == judged(one, answer({"items": [{"amount": 9, "sku": "A"}]}))
    assert [(Check.SAMENESS, "body.items[].sku")] == judged(one, answer({"items": [{"amount": 9, "sku": "B"}]}))


def test_a_side_that_never_got_there_alone_is_not_compared() -> None:
    one = judge(*same({"amount": 1}), canary=False)
    assert [] == judged(one, answer({"amount": 2}), ON_CANARY)
    assert [(Check.SAMENESS, "body.amount")] == judged(one, answer({"amount": 2}), ON_STABLE)


def test_the_versions_of_the_contract_may_be_told_by_either_side() -> None:
    one = judge(*same({"by": "orders 1.2.3"}))
    assert [] == judged(one, answer({"by": "orders 1.3.0"}))
    assert [(Check.SAMENESS, "body.by")] == judged(one, answer({"by": "orders 1.4.0"}))


def test_an_answer_is_settled_when_nothing_is_wrong_with_it() -> None:
    one = judge(*same({"rows": [1, 2]}))
    assert one.settled(0, ON_CANARY, answer({"rows": [1, 2]}), {}, {})
    assert not one.settled(0, ON_CANARY, answer({"rows": [1]}), {}, {})


# --- between pure runs


def family(side: Side, point: int, *runs: Sequence[Answer]) -> Family:
    return Family(side, point, tuple(read([list(run) for run in runs], Noise())))


def test_what_a_side_answers_otherwise_after_a_migration_is_told_once_per_place() -> None:
    one = judge(*same({"a": 1}, {"b": 1}))
    before = family(S, 0, [answer({"a": 1}), answer({"b": 1})])
    after = family(S, 1, *[[answer({"a": 1, "more": 2}), answer({"b": number})] for number in (2, 3)])
    assert [(1, Check.SAMENESS, "body.b")] == [(p.step, p.check, p.kind) for p in one.phase(after, before)]
    assert () == one.phase(before, before)


def test_what_follows_a_step_that_stopped_working_is_not_told() -> None:
    one = judge(*same({"a": 1}, {"b": 1}))
    before = family(S, 0, [answer({"a": 1}), answer({"b": 1})])
    after = family(S, 1, [answer(None, 500), answer({"b": 2})])
    assert () == one.phase(after, before)


def test_a_list_that_is_full_on_the_stable_and_empty_on_the_canary_hides_something() -> None:
    one = judge((answer({"hits": [1], "page": []}), answer({"hits": [], "page": []})))
    assert ["emptied body.hits"] == [p.kind for p in one.hidden(family(C, 0, [answer({"hits": [], "page": []})]))]
    assert () == one.hidden(family(C, 0, [answer({"hits": [2], "page": []})]))


def test_differences_of_the_sides_themselves_are_listed_and_declared_ones_marked() -> None:
    changes = [Change(OperationPattern("GET", "/things0"), "body.currency")]
    one = judge(
        (answer({"price": 1, "currency": "EUR"}), answer({"price": 2, "currency": "USD", "new": 1})),
        (answer({"a": 1}), answer({"a": 1})),
        changes=changes,
    )
    assert (
        Changed("scenario", "call0", "GET /things0", "body.price", "1", "2", False),
        Changed("scenario", "call0", "GET /things0", "body.currency", '"EUR"', '"USD"', True),
    ) == one.changed()


def test_without_a_canary_of_its_own_nothing_is_listed_as_changed() -> None:
    assert () == judge(*same({"a": 1}), canary=False).changed()


def test_ids_are_followed_when_a_call_is_judged() -> None:
    def run(number: int) -> list[Answer]:
        return [answer({"id": number}), answer({"order": number})]

    runs = [[run(41_173), run(42_209)], [run(43_331), run(44_449)]]
    noise = noise_of(*runs)
    made = contract([stage("half", 0.5)], [step("create"), step("read")])
    families = [Family(side, 0, tuple(read(own, noise))) for side, own in zip((S, C), runs, strict=True)]
    one = Judge(made, made.scenarios[0], noise, families, {})
    [own] = read([run(51_001)], noise)
    assert () == one.call(1, ON_CANARY, answer({"order": 51_001}), own.names[1], {})
    assert ["body.order"] == [p.kind for p in one.call(1, ON_CANARY, answer({"order": 51_002}), own.names[1], {})]


def test_the_judge_knows_its_families() -> None:
    one = judge((answer({"a": 1}), answer({"a": 2})))
    assert ({"a": 1}, {"a": 2}) == tuple(found.body for side in (S, C) if (found := one.alone(0, side)))
    assert ["1.2.3", "1.3.0"] == one.versions
    assert (True, None) == (one.family(C, 0) is one.families[1], one.family(C, 1))
