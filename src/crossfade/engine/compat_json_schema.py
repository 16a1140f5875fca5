"""Two versions of one JSON Schema: what each version writes must be readable by the other. Nobody knows which side
writes, so both directions count, and what is told is a message."""

from __future__ import annotations

from typing import Any

from crossfade.engine.compat_breaks import Gathered
from crossfade.engine.compat_facts import Content
from crossfade.engine.compat_openapi import Comparison, Options
from crossfade.engine.compat_schemas import Schemas, message
from crossfade.model.openapi import OpenApiDocument
from crossfade.model.ramp import Side


def compare_schemas(
    stable: Any, canary: Any, files: tuple[str, str], name: str, options: Options = Options()
) -> Comparison:
    """`name` is what the message is called in the report; `files` are the documents as the user named them."""
    documents = [
        OpenApiDocument(shown, "schema", root if isinstance(root, dict) else {})
        for shown, root in zip(files, (stable, canary), strict=True)
    ]
    gathered = Gathered(options.strict, files)
    schemas = Schemas(documents[0], documents[1], options.strict, gathered)
    contents = [Content("application/json", schema, "") for schema in (stable, canary)]
    for reader in options.consumers:
        sent, read = contents if reader is Side.CANARY else contents[::-1]
        schemas.compare(message("body"), reader.other, sent, read, name)
    schemas.finish()
    return Comparison(gathered.breaks(), (f"the schema of {name}",))
