"""A whole OpenAPI document as it is written, for comparison with another one.

Unlike `model.api.ApiDescription`, which keeps what an answer can be held against, nothing is left out or rewritten; only
`$ref`s into other files were turned around: those files stand inside, under `EMBEDDED`.
"""

from __future__ import annotations

from typing import Any

import msgspec

EMBEDDED = "x-crossfade-files"  # the key at the root under which other files stand, by their path from the document


class OpenApiDocument(msgspec.Struct, frozen=True, eq=False):
    """`shown` is the file as the user named it, `version` the text of its `openapi` field. Every `$ref` in `root` is a JSON
    pointer ("#/...") that leads to something. `notes` say what could not be followed."""

    shown: str
    version: str
    root: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def old(self) -> bool:
        """OpenAPI 3.0: its schemas are not JSON Schema 2020-12."""
        return self.version.startswith("3.0")


def join(pointer: str, *tokens: object) -> str:
    """A JSON pointer some tokens further.

    >>> join("/paths", "/orders", "get")
    '/paths/~1orders/get'
    """
    return pointer + "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
