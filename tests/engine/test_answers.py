"""Answers as they are compared: what the body is, and what counts as working, refused and broken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ramps import S

from crossfade.engine.answers import Answer, answer, body_value, json_text
from crossfade.model.history import Exchange, Failure, Placed, Request, Response

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def received(body: bytes, media: str = "", status: int = 200, **headers: str) -> Answer:
    pairs = (("content-type", media), *headers.items()) if media else tuple(headers.items())
    seen = answer(Exchange(0, Placed(0, S), Request("GET", "/"), Response(status, pairs, body), ended=5.0))
    assert seen is not None
    return seen


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_json_that_says_so_is_read_as_it_was_written(value: Any) -> None:
    seen = received(msgspec.json.encode(value), "application/problem+json; charset=utf-8")
    assert ("json", value, "application/problem+json") == (seen.kind, seen.body, seen.media)


@pytest.mark.parametrize(
    ("body", "media", "expected"),
    [
        (b"", "application/json", ("empty", None)),
        (b"{}", "", ("json", {})),
        (b'[1, "x"]', "text/plain", ("json", [1, "x"])),
        (b"{oops", "application/json", ("text", "{oops")),
        (b"{oops", "text/plain", ("text", "{oops")),
        (b"7", "application/json", ("json", 7)),
        (b"7", "text/plain", ("text", "7")),
        ("grün".encode(), "text/plain", ("text", "grün")),
        (b"\xff\xfe\x00", "image/png", ("binary", b"\xff\xfe\x00")),
        (b"\xff\xfe", "application/json", ("text", "\ufffd\ufffd")),
        (b"[" * 100_000, "application/json", ("text", "[" * 100_000)),
    ],
)
def test_a_body_is_json_where_it_reads_as_json_else_text_else_bytes(
    body: bytes, media: str, expected: tuple[str, Any]
) -> None:
    assert expected == body_value(Response(200, (), body), media)


@pytest.mark.parametrize(
    ("status", "body", "works", "refused", "broken"),
    [
        (200, b"", True, False, False),
        (304, b"", True, False, False),
        (404, b"", False, True, False),
        (429, b"", False, True, False),
        (500, b"", False, False, True),
        (503, b"{}", False, False, True),
        (200, b'{"data": null, "errors": [{"message": "no"}]}', False, False, True),
        (200, b'{"errors": [{"message": "no"}]}', False, False, True),
        (200, b'{"errors": []}', True, False, False),
        (200, b'{"errors": ["a line"]}', True, False, False),
        (200, b'{"errors": 3}', True, False, False),
        (400, b'{"errors": [{"message": "no"}]}', False, True, False),
    ],
)
def test_an_answer_works_is_refused_or_is_broken(
    status: int, body: bytes, works: bool, refused: bool, broken: bool
) -> None:
    seen = received(body, "application/json", status)
    assert (works, refused, broken) == (seen.works, seen.refused, seen.broken)


def test_no_answer_is_broken_and_says_why() -> None:
    placed, request = Placed(0, S), Request("GET", "/")
    reset = answer(Exchange(0, placed, request, None, Failure("reset", died=True), ended=3.0))
    assert Answer(0, failure="reset (the process died)", at=3.0) == reset
    assert reset is not None and reset.broken and not reset.works and not reset.refused
    timeout = answer(Exchange(0, placed, request, None, Failure("timeout")))
    assert timeout is not None and "timeout" == timeout.failure


def test_a_blocked_call_has_no_answer() -> None:
    assert answer(Exchange(0, Placed(0, S), None)) is None


def test_only_headers_with_meaning_are_compared_and_all_are_kept() -> None:
    seen = received(b"", "", 303, location="/orders/7", date="Mon, 21 Sep 2026 14:13:20 GMT", etag="x")
    assert {"location": "/orders/7"} == seen.headers
    assert {"location", "date", "etag"} == set(seen.received)
    assert 5.0 == seen.at


def test_values_are_shown_short() -> None:
    assert '{"a":[1,null]}' == json_text({"a": [1, None]})
    assert 60 == len(json_text("x" * 1000, 60))
    assert "<3 bytes>" == json_text(b"abc")
