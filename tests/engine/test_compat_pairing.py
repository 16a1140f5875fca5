"""Operations find each other by method and path."""

from __future__ import annotations

import pytest

from crossfade.engine.compat_facts import Operation, operations
from crossfade.engine.compat_pairing import paired
from crossfade.model.openapi import OpenApiDocument


def described(*paths: str, servers: tuple[str, ...] = ()) -> tuple[Operation, ...]:
    """Operations written as "GET /orders/{id}"."""
    items: dict[str, dict[str, object]] = {}
    for text in paths:
        method, path = text.split()
        items.setdefault(path, {})[method.lower()] = {"responses": {}}
    root = {"openapi": "3.1.0", "paths": items, **({"servers": [{"url": url} for url in servers]} if servers else {})}
    return operations(OpenApiDocument("api.yaml", "3.1.0", root))


def names(stable: tuple[Operation, ...], canary: tuple[Operation, ...]) -> list[tuple[str, str]]:
    return [(str(one), str(two)) for one, two in paired(stable, canary).pairs]


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        ("GET /orders/{id}", "GET /orders/{order}"),
        ("GET /orders/{id}.json", "GET /orders/{number}.json"),
        ("GET /orders/", "GET /orders"),
    ],
)
def test_names_of_parameters_and_a_last_slash_do_not_matter(stable: str, canary: str) -> None:
    assert names(described(stable), described(canary)) == [(stable, canary)]


@pytest.mark.parametrize(
    ("stable", "canary"),
    [("GET /orders", "POST /orders"), ("GET /orders/{id}", "GET /orders/new"), ("GET /a", "GET /b")],
)
def test_another_method_or_path_is_another_operation(stable: str, canary: str) -> None:
    pairing = paired(described(stable), described(canary))
    assert (pairing.pairs, len(pairing.removed), len(pairing.added)) == ((), 1, 1)


def test_the_prefix_may_stand_in_the_servers_or_in_the_paths() -> None:
    stable = described("GET /orders", servers=("https://api.example.com/v1",))
    canary = described("GET /v1/orders", "GET /orders", servers=("https://api.example.com",))
    pairing = paired(stable, canary)
    assert [str(two) for _, two in pairing.pairs] == ["GET /v1/orders"]
    assert [str(one) for one in pairing.added] == ["GET /orders"]
    assert pairing.moved == ()


def test_another_prefix_is_told_and_the_operation_still_compared() -> None:
    pairing = paired(described("GET /orders", servers=("/v1",)), described("GET /orders", servers=("/v2",)))
    assert len(pairing.pairs) == len(pairing.moved) == 1


def test_a_document_without_servers_says_nothing_about_prefixes() -> None:
    assert paired(described("GET /orders", servers=("/v1",)), described("GET /orders")).moved == ()


def test_each_operation_is_in_one_pair_at_most() -> None:
    stable = described("GET /a/{x}", "GET /a/{x}/")
    canary = described("GET /a/{y}/", "GET /a/{y}")
    assert names(stable, canary) == [("GET /a/{x}", "GET /a/{y}"), ("GET /a/{x}/", "GET /a/{y}/")]
