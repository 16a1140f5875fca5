"""How documents are compared, by their kind. A comparison takes the path of the stable's and of the canary's document, as
the user would name them, and gives breaks with lines, what was compared, and what was not and why.

To teach `crossfade compat` another kind: name it in `formats.kinds`, add its function to `COMPARISONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from crossfade.engine.compat_json_schema import compare_schemas
from crossfade.engine.compat_openapi import Comparison, Options, compare
from crossfade.errors import UsageError
from crossfade.formats.documents import read_document
from crossfade.formats.kinds import NAMES, kind_of_document
from crossfade.formats.openapi_whole import OpenApiFiles
from crossfade.formats.positions import positions, tokens_of
from crossfade.model.compat import Break, Place
from crossfade.session import messages


class Compared(msgspec.Struct, frozen=True):
    """`sunsets` are stages of the ramp at which operations end, by operation. `paths` are the places of a break (by its
    id) by operation, where they differ."""

    breaks: tuple[Break, ...]
    compared: tuple[str, ...]
    not_compared: tuple[str, ...] = ()
    sunsets: dict[str, str] = {}
    paths: dict[str, dict[str, str]] = {}


Compare = Callable[[Path, Path, Options], Compared]


def compare_documents(stable: Path, canary: Path, options: Options) -> Compared:
    """Two documents of one kind. Raises UsageError where they are not, ContractError where one cannot be read."""
    kinds = [kind_of_document(path) for path in (stable, canary)]
    for kind, path in zip(kinds, (stable, canary), strict=True):
        if kind == "contract":
            raise UsageError(
                f"`{path}` is a ramp contract", hint="name it alone (`crossfade compat ramp.yaml`), or two documents"
            )
        if kind not in COMPARISONS:
            what = f"`{path}` is {NAMES[kind]}, which is" if kind else f"what `{path}` holds is"
            known = ", ".join(NAMES[name] for name in COMPARISONS)
            raise UsageError(f"{what} not compared", hint=f"compared are two of one kind: {known}")
    if kinds[0] != kinds[1]:
        raise UsageError(
            f"`{stable}` is {NAMES[kinds[0]]} and `{canary}` is {NAMES[kinds[1]]}", hint="name two of one kind"
        )
    return COMPARISONS[kinds[0]](stable, canary, options)


def compare_openapi(stable: Path, canary: Path, options: Options) -> Compared:
    files = (OpenApiFiles(stable, str(stable)), OpenApiFiles(canary, str(canary)))
    found = compare(files[0].document, files[1].document, options)
    places = [
        files[0].locate(one.stable.pointer for one in found.breaks if one.stable),
        files[1].locate(one.canary.pointer for one in found.breaks if one.canary),
    ]
    return _located(found, places)


def compare_json_schema(stable: Path, canary: Path, options: Options) -> Compared:
    documents = [read_document(path, str(path), "a JSON Schema") for path in (stable, canary)]
    values = [document.value for document in documents]
    title = values[1].get("title") if isinstance(values[1], dict) else None
    name = str(title or canary.name)
    found = compare_schemas(values[0], values[1], (str(stable), str(canary)), name, options)
    places = []
    for path, document, side in zip((stable, canary), documents, ("stable", "canary"), strict=True):
        pointers = {getattr(one, side).pointer for one in found.breaks}
        lines = positions(document, [tokens_of(pointer) for pointer in pointers])
        places.append({pointer: Place(str(path), *lines[tokens_of(pointer)], pointer) for pointer in pointers})
    return _located(found, places)


def _located(found: Comparison, places: Iterable[dict[str, Place]]) -> Compared:
    stable, canary = places
    breaks = tuple(
        msgspec.structs.replace(
            one,
            stable=one.stable and stable.get(one.stable.pointer, one.stable),
            canary=one.canary and canary.get(one.canary.pointer, one.canary),
        )
        for one in found.breaks
    )
    return Compared(breaks, found.compared, found.not_compared, found.sunsets, found.paths)


def _of_messages(compare: Callable[[str, str], messages.Compared]) -> Compare:
    def compared(stable: Path, canary: Path, options: Options) -> Compared:
        return Compared(*compare(str(stable), str(canary)))

    return compared


COMPARISONS: dict[str, Compare] = {
    "openapi": compare_openapi,
    "json-schema": compare_json_schema,
    "asyncapi": _of_messages(messages.asyncapi_breaks),
    "avro": _of_messages(messages.avro_breaks),
    "protobuf": _of_messages(messages.proto_breaks),
    "graphql": _of_messages(messages.graphql_breaks),
}
