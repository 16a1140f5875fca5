"""GraphQL schemas: a file or folder of SDL, or an introspection result in JSON, to graphql-core's schema (the extra
`graphql`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from crossfade.errors import ContractError, UsageError


def read_graphql(path: str | Path) -> Any:
    """A `GraphQLSchema`. Raises ContractError with file and line for a text that is no schema, UsageError where
    graphql-core is not installed."""
    try:
        from graphql import GraphQLError, Source, build_ast_schema, build_client_schema, concat_ast, parse
    except ImportError:
        raise UsageError(
            "GraphQL schemas are compared by graphql-core, which is not here", hint="pip install 'crossfade[graphql]'"
        ) from None
    shown, place = str(path), Path(path)
    files = sorted(file for kind in ("*.graphql", "*.graphqls", "*.gql") for file in place.rglob(kind)) or [place]
    try:
        texts = [(str(file), file.read_text(encoding="utf-8-sig")) for file in files]
    except OSError as problem:
        raise ContractError(f"`{shown}` cannot be read: {problem.strerror}", where=shown) from None
    except UnicodeDecodeError:
        raise ContractError(f"`{shown}` is not UTF-8", where=shown, hint="save the file as UTF-8") from None
    try:
        if texts[0][1].lstrip()[:1] == "{" and len(texts) == 1 and place.suffix == ".json":
            value = msgspec.json.decode(texts[0][1])
            return build_client_schema(value.get("data", value))
        parts = [parse(Source(text, name)) for name, text in texts if text.strip()]
        return build_ast_schema(concat_ast(parts))
    except GraphQLError as problem:
        line = problem.locations[0].line if problem.locations else 0
        name = problem.source.name if problem.source else shown
        raise ContractError(f"no GraphQL schema: {problem.message}", where=f"{name}:{line}" if line else name) from None
    except (TypeError, msgspec.DecodeError, AttributeError) as problem:
        reason = str(problem).split("\n")[0]
        raise ContractError(f"no GraphQL schema: {reason}", where=shown) from None
