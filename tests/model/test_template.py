"""`${...}` in texts and values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.model.template import as_text, filled, filled_value, names, names_in

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,6}", fullmatch=True)
PLAIN = st.text(alphabet="ab/?= {}\n\u00fc", max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(PLAIN, NAMES, st.integers(0, 3)), max_size=4), PLAIN, st.integers(0, 10**6))
def test_a_text_is_its_parts_with_the_names_put_in(parts: list[tuple[str, str, int]], tail: str, seed: int) -> None:
    values = {name: seed + index for index, (_, name, _) in enumerate(parts)}
    text = "".join(f"{plain}${{{' ' * spaces}{name}}}" for plain, name, spaces in parts) + tail
    assert tuple(name for _, name, _ in parts) == names(text)
    assert "".join(f"{plain}{values[name]}" for plain, name, _ in parts) + tail == filled(text, values)


@settings(max_examples=60, deadline=None)
@given(PLAIN)
def test_a_text_without_names_stays_as_it_is(text: str) -> None:
    assert text == filled(text, {})
    assert text == filled_value(text, {})


def test_two_dollars_are_a_dollar_and_a_brace() -> None:
    assert () == names("$${id}")
    assert "${id}" == filled("$${id}", {})
    assert "${id} 7" == filled("$${id} ${id}", {"id": 7})
    assert "${id}" == filled_value("$${id}", {})


def test_what_is_no_name_is_left_alone() -> None:
    for text in ("$id", "${}", "${1a}", "${a b}", "$ {a}", "${a"):
        assert () == names(text)
        assert text == filled(text, {})


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError) as raised:
        filled("/orders/${id}", {"other": 1})
    assert "id" == raised.value.args[0]


@pytest.mark.parametrize("value", [7, 2.5, None, True, [1, {"a": 2}], {"b": []}, "text"])
def test_a_lone_name_keeps_the_type_of_its_value(value: Any) -> None:
    assert {"v": [value]} == filled_value({"v": ["${x}"]}, {"x": value})


def test_names_are_found_and_filled_in_keys_and_deep_values() -> None:
    value = {"${a}": [1, None, {"k": "x-${b}"}], "n": 2}
    assert ("a", "b") == names_in(value)
    assert {"A": [1, None, {"k": "x-B"}], "n": 2} == filled_value(value, {"a": "A", "b": "B"})


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (None, ""), (7, "7"), (2.5, "2.5"), ("x", "x")]
)
def test_values_are_written_as_json_writes_them_where_people_expect_it(value: Any, text: str) -> None:
    assert text == as_text(value)
    assert f"/{text}/" == filled("/${v}/", {"v": value})
