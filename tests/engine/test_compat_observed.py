"""Declared and never seen, seen and not declared."""

from __future__ import annotations

from pathlib import Path

from crossfade.engine.answers import Answer
from crossfade.engine.compat_observed import Gaps, Seen, gaps, seen_in
from crossfade.formats.openapi import read_openapi
from crossfade.model.history import Exchange, Placed, Request, Response
from crossfade.model.ramp import Side

DOCUMENT = """
openapi: 3.1.0
info: { title: orders, version: "1" }
paths:
  /orders/{id}:
    get:
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema:
                type: object
                properties:
                  id: { type: integer }
                  status: { enum: [open, paid, lost] }
                  note: { type: string }
                  lines: { type: array, items: { type: object, properties: { sku: { type: string } } } }
        "404": { description: unknown }
  /health:
    get: { responses: { "200": { description: ok, content: { application/json: { schema: {} } } } } }
"""


def found(tmp_path: Path, *calls: Seen) -> Gaps:
    path = tmp_path / "api.yaml"
    path.write_text(DOCUMENT)
    return gaps(read_openapi(path, "api.yaml"), calls)


def json(status: int, body: object) -> Answer:
    return Answer(status, "application/json", {}, "json", body)


def test_what_never_came_and_what_nobody_declared(tmp_path: Path) -> None:
    body = {"id": 7, "status": "paid", "lines": [{"sku": "A", "price": 3}], "extra": 1}
    result = found(tmp_path, Seen("get", "/orders/7?full=1", json(200, body)), Seen("POST", "/orders", json(201, {})))
    assert [str(one) for one in result.unobserved] == [
        "GET /orders/{id} answered 200 with `body.note`",
        "GET /orders/{id} answered 200 with `open` as `body.status`",
        "GET /orders/{id} answered 200 with `lost` as `body.status`",
        "GET /orders/{id} answered 404",
        "GET /health",
    ]
    assert [(one.kind, one.name) for one in result.unobserved[3:]] == [("status", "404"), ("operation", "")]
    assert [str(one) for one in result.undeclared] == [
        "POST /orders",
        "GET /orders/{id} answered 200 with `body.extra`",
        "GET /orders/{id} answered 200 with `body.lines[].price`",
    ]


def test_an_undocumented_status_and_media_type(tmp_path: Path) -> None:
    result = found(
        tmp_path,
        Seen("GET", "/orders/7", json(409, {})),
        Seen("GET", "/orders/8", Answer(200, "text/html", {}, "text", "<p>")),
    )
    assert [(one.kind, one.status, one.name) for one in result.undeclared] == [
        ("status", "", "409"),
        ("media", "200", "text/html"),
    ]


def test_a_body_that_is_not_described_is_not_looked_into(tmp_path: Path) -> None:
    result = found(tmp_path, Seen("GET", "/health", json(200, {"any": "thing"})))
    assert result.undeclared == ()


def test_what_was_seen_again_and_again_is_told_once(tmp_path: Path) -> None:
    calls = [Seen("GET", f"/orders/{n}", json(200, {"id": n, "odd": n})) for n in range(5)]
    assert len(found(tmp_path, *calls).undeclared) == 1


def test_recorded_exchanges_give_calls_and_blocked_ones_do_not() -> None:
    asked = Request("GET", "/orders/7")
    came = Response(200, (("content-type", "application/json"),), b'{"id": 7}')
    placed = Placed(0, Side.STABLE)
    calls = list(seen_in([Exchange(0, placed, asked, came), Exchange(1, placed, None)]))
    assert [(one.method, one.path, one.answer.body) for one in calls] == [("GET", "/orders/7", {"id": 7})]
