"""Sameness: what repeated runs differ in never alarms, everything else does."""

from __future__ import annotations

from typing import Any

import pytest
from conversations import (
    NOON,
    Bag,
    Clock,
    Const,
    Id,
    Template,
    at,
    changed,
    identity,
    noise_of,
    places,
    played,
    read,
    references,
    templates,
    without,
    written,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crossfade.engine.answers import Answer
from crossfade.engine.sameness import (
    MISSING,
    NO_NOISE,
    Comparison,
    Noise,
    Reference,
    Unexplained,
    clock_unit,
    learned,
    pattern_of,
    reading,
    time_form,
    value_at,
)

QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def alarms(template: Template, seen: list[Answer]) -> list[tuple[int, Unexplained]]:
    """What two runs of the template do not explain in the answers of a third."""
    runs = [played(template, 0), played(template, 1)]
    noise = noise_of(runs)
    comparison = Comparison(noise)
    [own] = read([seen], noise)
    return [
        (step, found)
        for step, one in enumerate(seen)
        for found in comparison.unexplained(one, own.names[step], references(runs, step, noise), step)
    ]


@QUICK
@given(templates(), st.integers(2, 9))
def test_a_run_with_new_ids_clocks_and_orders_is_explained(template: Template, run: int) -> None:
    assert [] == alarms(template, played(template, run))


@QUICK
@given(templates())
def test_all_that_can_be_followed_is_compared(template: Template) -> None:
    noise = noise_of([played(template, 0), played(template, 1)])
    assert frozenset() == noise.masked
    assert {(step, pattern_of(written(path))) for step, path in places(template, Bag)} == noise.unordered


@QUICK
@given(templates(), st.data())
def test_another_value_alarms_at_its_own_place(template: Template, data: st.DataObject) -> None:
    candidates = places(template, Const)
    assume(candidates)
    step, path = data.draw(st.sampled_from(candidates))
    old = at(template[step], path).value
    new = data.draw(st.sampled_from([None, True, False, 0, 1, 8, 2.75, "", "blue", "A2", "2019-03-05", "order 8 of 9"]))
    assume(repr(new) != repr(old))
    found = alarms(template, changed(played(template, 2), (step, path), new))
    assert [(step, written(path))] == [(number, one.path) for number, one in found]


@QUICK
@given(templates(), st.data())
def test_an_id_of_something_else_alarms(template: Template, data: st.DataObject) -> None:
    introduced: dict[Id, tuple[int, Any]] = {}
    for step, path in places(template, Id):
        introduced.setdefault(at(template[step], path), (step, path))
    repeated = [
        (step, path)
        for step, path in places(template, Id)
        if introduced[at(template[step], path)] != (step, path) and step > introduced[at(template[step], path)][0]
    ]
    assume(repeated)
    step, path = data.draw(st.sampled_from(repeated))
    own = at(template[step], path)
    others = [one for one, (first, _) in introduced.items() if one != own and first < step]
    stranger = Id(900, own.form)
    other = Id(data.draw(st.sampled_from([one.number for one in others] + [stranger.number])), own.form)
    assume(other in introduced or other == stranger)
    found = alarms(template, changed(played(template, 2), (step, path), identity(other, 2)))
    assert [(step, written(path))] == [(number, one.path) for number, one in found]


@QUICK
@given(templates(), st.data())
def test_a_field_left_out_alarms_and_a_new_field_does_not(template: Template, data: st.DataObject) -> None:
    fields = [(step, path) for step, path in places(template, (Const, Id, Clock, Bag)) if isinstance(path[-1], str)]
    assume(fields)
    step, path = data.draw(st.sampled_from(fields))
    seen = played(template, 2)
    [(number, found)] = [one for one in alarms(template, without(seen, (step, path))) if one[1].seen is MISSING]
    assert (step, written(path)) == (number, found.path)
    more = changed(seen, (step, (*path[:-1], "added")), {"any": [1, "thing"]})
    assert [] == alarms(template, more)


@QUICK
@given(templates(), st.data())
def test_an_item_of_an_unordered_list_that_is_another_alarms(template: Template, data: st.DataObject) -> None:
    bags = places(template, Bag)
    assume(bags)
    step, path = data.draw(st.sampled_from(bags))
    items = at(played(template, 2)[step].body, path)
    index = data.draw(st.integers(0, len(items) - 1))
    other = data.draw(st.sampled_from(["w", items[index - 1]]))
    assert [] != alarms(template, changed(played(template, 2), (step, (*path, index)), other))
    fewer = [item for number, item in enumerate(items) if number != index]
    assert [(step, written(path))] == [
        (number, one.path) for number, one in alarms(template, changed(played(template, 2), (step, path), fewer))
    ]


# --- by hand: one answer against another


def answer(body: Any, status: int = 200, when: float = NOON, **more: Any) -> Answer:
    kind = "empty" if body is None else "json"
    return Answer(**{"status": status, "media": "application/json", "kind": kind, "body": body, "at": when} | more)


def compared(
    seen: Any, *pure: Any, noise: Noise = NO_NOISE, versions: tuple[str, ...] = (), labels: str = "stable canary"
) -> list[str]:
    """The paths that no reference explains; the references are labelled in turn."""
    seen, *others = [one if isinstance(one, Answer) else answer(one) for one in (seen, *pure)]
    names = labels.split()
    against = [Reference(names[i % len(names)], one, {}) for i, one in enumerate(others)]
    return [found.path for found in Comparison(noise, versions).unexplained(seen, {}, against, 0)]


def test_each_leaf_may_be_explained_by_another_side() -> None:
    assert [] == compared({"a": 1, "b": 4}, {"a": 1, "b": 2}, {"a": 3, "b": 4})
    assert ["body.b"] == compared({"a": 1, "b": 5}, {"a": 1, "b": 2}, {"a": 3, "b": 4})


def test_null_is_a_value_and_not_the_same_as_leaving_the_field_out() -> None:
    assert ["body.a"] == compared({"b": 1}, {"a": None, "b": 1})
    assert ["body.a"] == compared({"a": None, "b": 1}, {"a": "x", "b": 1})
    assert ["body.a"] == compared({"a": "x", "b": 1}, {"a": None, "b": 1})
    assert [] == compared({"a": None, "b": 1}, {"b": 1})


def test_a_field_that_only_one_side_has_may_be_there_or_not() -> None:
    assert [] == compared({"a": 1}, {"a": 1}, {"a": 1, "b": 2})
    assert [] == compared({"a": 1, "b": 2}, {"a": 1}, {"a": 1, "b": 2})
    assert ["body.b"] == compared({"a": 1, "b": 3}, {"a": 1}, {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (True, "true"), (None, False), (None, 0), ("", None), ([], {}), ([], None), ({}, "{}")]
)
def test_values_of_different_types_are_different(one: Any, other: Any) -> None:
    assert ["body.v"] == compared({"v": one}, {"v": other})
    assert ["body.v"] == compared({"v": other}, {"v": one})


@pytest.mark.parametrize(("one", "other"), [(True, 1), (0, False)])
def test_true_is_not_one_inside_an_object(one: Any, other: Any) -> None:
    assert ["body.v"] == compared({"v": one}, {"v": other})
    assert ["body.v[1].w"] == compared({"v": [1, {"w": one}]}, {"v": [1, {"w": other}]})


def test_a_float_that_is_the_same_number_is_the_same_value() -> None:
    assert [] == compared({"v": 5.0, "w": 0.1 + 0.2}, {"v": 5, "w": 0.3})


def test_the_version_strings_of_the_contract_are_not_compared() -> None:
    seen, pure = {"by": "orders/1.2.3 (blue)"}, {"by": "orders/1.3.0 (blue)"}
    assert ["body.by"] == compared(seen, pure)
    assert [] == compared(seen, pure, versions=("1.2.3", "1.3.0"))
    assert ["body.by"] == compared({"by": "orders/1.2.3 (red)"}, pure, versions=("1.2.3", "1.3.0"))


def test_a_status_that_no_pure_run_gives_is_the_only_difference_told() -> None:
    assert ["status"] == compared(answer({"error": "x"}, 409), {"a": 1}, {"a": 2})
    assert [] == compared(answer({"error": "x"}, 409), {"a": 1}, answer({"error": "x"}, 409))


def test_answers_of_another_status_explain_nothing_but_the_status() -> None:
    assert ["body.a"] == compared(answer({"a": 1}, 201), answer({"a": 1}, 200), answer({"a": 2}, 201))


def test_a_body_of_another_kind_is_a_difference() -> None:
    assert ["body"] == compared(answer("hello", kind="text"), {"a": 1})
    assert ["body"] == compared(answer(None), {"a": 1})


def test_without_references_nothing_can_be_said() -> None:
    assert [] == compared({"a": 1})


def test_lists_keep_their_order_unless_repeated_runs_show_otherwise() -> None:
    seen, pure = {"v": [1, 2, 3]}, {"v": [3, 1, 2]}
    assert ["body.v"] == compared(seen, pure)
    assert [] == compared(seen, pure, noise=Noise(unordered=frozenset({(0, "body.v")})))
    assert [] != compared({"v": [1, 2, 2]}, pure, noise=Noise(unordered=frozenset({(0, "body.v")})))


def test_a_list_of_another_length_is_one_difference() -> None:
    assert ["body.v"] == compared({"v": [1, 2]}, {"v": [1, 2, 3]}, {"v": []})


def test_a_redirect_that_leads_elsewhere_is_a_difference() -> None:
    def sent(to: str) -> Answer:
        return answer(None, 303, headers={"location": to})

    assert [] == compared(sent("/orders"), sent("/orders"))
    assert ["header.location"] == compared(sent("/login"), sent("/orders"))


def test_a_random_field_is_learned_and_any_value_explained() -> None:
    runs = [[answer({"score": score, "name": "x"})] for score in (0.11, 0.92, 0.35)]
    noise = noise_of(runs)
    assert {(0, "body.score")} == noise.varying
    assert [] == compared({"score": 0.77, "name": "x"}, runs[0][0], noise=noise)
    assert ["body.name"] == compared({"score": 0.77, "name": "y"}, runs[0][0], noise=noise)


@pytest.mark.parametrize("text", ["/articles/None", "/articles/undefined", "null", "Rain, by [object Object]"])
def test_a_text_made_around_a_missing_value_is_a_difference_even_in_noise(text: str) -> None:
    runs = [[answer({"url": f"/articles/rain-{end}"})] for end in ("7fk2q", "x0bb1", "abcde")]
    noise = noise_of(runs)
    assert {(0, "body.url")} == noise.varying
    assert [] == compared({"url": "/articles/rain-77aa0"}, runs[0][0], noise=noise)
    assert [] == compared({"url": "/articles/annullment-NoneSuch7"}, runs[0][0], noise=noise)
    assert ["body.url"] == compared({"url": text}, runs[0][0], noise=noise)
    assert [] == compared({"url": text}, runs[0][0], answer({"url": "/articles/null"}), noise=noise)


def test_a_list_that_shows_other_rows_each_time_is_learned_and_not_compared() -> None:
    runs = [[answer({"rows": [1] * count})] for count in (1, 2)]
    assert {(0, "body.rows")} == noise_of(runs).masked


def test_what_only_one_family_of_runs_varies_in_is_noise_for_all() -> None:
    steady = [[answer({"v": "a"})], [answer({"v": "a"})]]
    restless = [[answer({"v": "red"})], [answer({"v": "blue"})]]
    assert {(0, "body.v")} == noise_of(steady, restless).varying
    assert NO_NOISE == noise_of(steady, steady)


def test_a_place_that_has_a_value_only_now_and_then_is_not_compared() -> None:
    noise = noise_of([[answer({"hint": None})], [answer({"hint": "try later"})]])
    assert {(0, "body.hint")} == noise.masked


def test_broken_answers_teach_nothing() -> None:
    assert NO_NOISE == noise_of([[answer({"v": 1})], [answer({"v": 2}, 500)]])


def test_ids_as_keys_are_followed() -> None:
    def run(number: int) -> list[Answer]:
        return [answer({"id": number}), answer({"by_id": {str(number): {"name": "x", "n": 1}}})]

    runs = [run(41_173), run(52_807)]
    noise = noise_of(runs)
    [own] = read([run(63_101)], noise)
    against = references(runs, 1, noise)
    comparison = Comparison(noise)
    assert () == comparison.unexplained(own.answers[1], own.names[1], against, 1)
    other = answer({"by_id": {"63101": {"name": "x", "n": 2}}})
    assert ["body.by_id.63101.n"] == [one.path for one in comparison.unexplained(other, own.names[1], against, 1)]


def test_a_saved_variable_that_varies_is_a_name_and_one_that_stays_is_not() -> None:
    def saved(number: int) -> list[dict[str, Any]]:
        return [{"id": number, "kind": "book"}, {}]

    numbers = (41_173, 52_807, 63_101)
    answers = [[answer(None, 204), answer({"id": number, "kind": "book"})] for number in numbers]
    noise = learned(
        [[reading(run, saved(n)) for n, run in zip(numbers[:2], answers[:2], strict=True)]],
        [[saved(n) for n in numbers[:2]]],
        (),
    )
    assert ({"id"}, frozenset()) == (noise.saved, noise.masked)
    pure, own = reading(answers[0], saved(41_173), noise), reading(answers[2], saved(63_101), noise)
    against = [Reference("stable", answers[0][1], pure.names[1])]
    assert () == Comparison(noise).unexplained(answers[2][1], own.names[1], against, 1)
    wrong = answer({"id": 63_102, "kind": "book"})
    assert ["body.id"] == [one.path for one in Comparison(noise).unexplained(wrong, own.names[1], against, 1)]


def test_a_time_near_the_call_is_a_clock_and_any_other_is_a_value() -> None:
    assert [] == compared(answer({"at": int(NOON)}, when=NOON + 1), answer({"at": int(NOON) - 3600}, when=NOON - 3599))
    assert ["body.at"] == compared({"at": "2019-03-04T10:00:00Z"}, {"at": "2019-03-04T10:00:01Z"})
    assert ("s", "ms", "us", "ns", "") == tuple(
        clock_unit(one, NOON) for one in (NOON, NOON * 1e3, NOON * 1e6, NOON * 1e9, NOON * 10)
    )
    assert [True, True, True, True, False] == [
        bool(time_form(text, NOON))
        for text in (
            "2026-09-21T14:13:20Z",
            "2026-09-21T14:13:20.123",
            "Mon, 21 Sep 2026 14:13:20 GMT",
            "2026-09-21",
            "2025-09-21T14:13:20Z",
        )
    ]


@pytest.mark.parametrize(
    ("told", "same_moment", "another"),
    [
        ("2026-09-21T14:13:20Z", "2026-09-21T14:18:20Z", "2026-09-21T15:18:20Z"),
        ("2026-09-21 14:13:20.25", "2026-09-21 14:18:20.5", "2026-09-21 15:18:20.5"),
        (NOON, NOON + 300, NOON + 3900),
        (int(NOON * 1000), int(NOON * 1000) + 300_000, int(NOON * 1000) + 3_900_000),
    ],
)
def test_a_clock_goes_with_its_call_and_an_hour_more_is_another_time(told: Any, same_moment: Any, another: Any) -> None:
    pure = answer({"due": told}, when=NOON)
    assert [] == compared(answer({"due": same_moment}, when=NOON + 300), pure)
    assert ["body.due"] == compared(answer({"due": another}, when=NOON + 300), pure)


def test_a_time_in_another_form_is_a_difference() -> None:
    assert ["body.at"] == compared({"at": "2026-09-21T14:13:20Z"}, {"at": "2026-09-21 14:13:20Z"})
    assert ["body.at"] == compared({"at": int(NOON)}, {"at": int(NOON) * 1000})


@QUICK
@given(templates())
def test_the_value_at_a_path_is_what_lies_there(template: Template) -> None:
    for step, path in places(template, (Const, Id, Clock, Bag)):
        one = played(template, 0)[step]
        assert at(one.body, path) == value_at(one, written(path))
        assert MISSING is value_at(one, written(path) + ".nothing")
