"""Which operation of one document is which of the other: by method and path, whatever their parameters are called and
wherever the prefix is written (in `servers` or in the paths)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from crossfade.engine.compat_facts import Operation, shape_of


class Pairing(msgspec.Struct, frozen=True):
    """`pairs` in the order of the stable's document; `moved` are pairs whose servers have no prefix in common, so that a
    call of one reaches the other only behind a gateway that rewrites paths."""

    pairs: tuple[tuple[Operation, Operation], ...]
    removed: tuple[Operation, ...]
    added: tuple[Operation, ...]
    moved: tuple[tuple[Operation, Operation], ...]


def paired(stable: Sequence[Operation], canary: Sequence[Operation]) -> Pairing:
    """Each operation in at most one pair. Tried in this order: the same whole path (prefix and template), the same
    template, the same but for a slash at the end."""
    matches: dict[int, int] = {}
    taken: set[int] = set()
    for keys in (_whole, _bare, _loose):
        index: dict[str, list[int]] = {}
        for number, operation in enumerate(canary):
            if number not in taken:
                for key in keys(operation):
                    index.setdefault(key, []).append(number)
        for number, operation in enumerate(stable):
            if number in matches:
                continue
            found = next((c for key in keys(operation) for c in index.get(key, ()) if c not in taken), None)
            if found is not None:
                matches[number] = found
                taken.add(found)
    pairs = tuple((stable[number], canary[matches[number]]) for number in sorted(matches))
    return Pairing(
        pairs=pairs,
        removed=tuple(one for number, one in enumerate(stable) if number not in matches),
        added=tuple(one for number, one in enumerate(canary) if number not in taken),
        moved=tuple((a, b) for a, b in pairs if a.bases and b.bases and not set(_whole(a)) & set(_whole(b))),
    )


def _whole(operation: Operation) -> Iterable[str]:
    """Its paths with the prefixes of its servers; without `servers` the template alone."""
    return [_key(operation, base + shape_of(operation.path)) for base in operation.bases or ("",)]


def _bare(operation: Operation) -> Iterable[str]:
    return [_key(operation, shape_of(operation.path))]


def _loose(operation: Operation) -> Iterable[str]:
    return [_key(operation, shape_of(operation.path).rstrip("/"))]


def _key(operation: Operation, path: str) -> str:
    return f"{'webhook' if operation.webhook else operation.method} {path}"
