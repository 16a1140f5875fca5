"""CREATE, DROP, GRANT and REVOKE, for `formats.sql_changes`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from crossfade.formats.sql_alter import policy_parts
from crossfade.formats.sql_reader import SqlReader, column, constraint, split
from crossfade.formats.sql_tokens import Token
from crossfade.model.catalog import Column, Constraint, Domain, Index, Policy, Trigger
from crossfade.model.migration import Change, Kind

_PRIVILEGES = ("select", "insert", "update", "delete", "truncate", "references", "trigger", "maintain")


def created(reader: SqlReader) -> Sequence[Change] | None:
    replaces = reader.accept("or", "replace")
    temporary = bool(reader.accept_any("global", "local") or False) | bool(reader.accept_any("temp", "temporary"))
    reader.accept("unlogged")
    reader.accept("constraint") if reader.ahead().is_word("trigger") else None
    if reader.accept("table") or reader.accept("foreign", "table"):
        return [Change(kind=Kind.HARMLESS)] if temporary else _table(reader)
    unique = reader.accept("unique")
    if reader.accept("index"):
        return _index(reader, unique)
    recursive = reader.accept("recursive")
    material = reader.accept("materialized")
    if reader.accept("view"):
        return [Change(kind=Kind.HARMLESS)] if temporary else _view(reader, material, replaces or recursive)
    if reader.accept("function") or reader.accept("procedure"):
        return _function(reader, replaces)
    if reader.accept("trigger"):
        return _trigger(reader, replaces)
    if reader.accept("rule"):
        part = reader.identifier()
        reader.accept("as")
        reader.accept("on")
        event = reader.take().value
        reader.accept("to")
        return [Change(kind=Kind.CREATE_RULE, name=reader.name(), part=part, text=event)]
    if reader.accept("policy"):
        return _policy(reader)
    if reader.accept("type"):
        return _type(reader)
    if reader.accept("domain"):
        return _domain(reader)
    if reader.accept("sequence"):
        existing_ok = reader.accept("if", "not", "exists")
        return [Change(kind=Kind.CREATE_SEQUENCE, name=reader.name(), existing_ok=existing_ok)]
    if reader.accept("schema"):
        existing_ok = reader.accept("if", "not", "exists")
        reader.accept("authorization")
        return [Change(kind=Kind.CREATE_SCHEMA, name=reader.identifier(), existing_ok=existing_ok)]
    harmless = (
        "extension role user group database aggregate operator cast collation publication subscription statistics"
    )
    if reader.token.is_word(
        *harmless.split(), "event", "server", "access", "text", "language", "tablespace", "conversion"
    ):
        return [Change(kind=Kind.HARMLESS, text=reader.token.value)]
    return None


def _table(reader: SqlReader) -> list[Change]:
    existing_ok = reader.accept("if", "not", "exists")
    name = reader.name()
    if reader.accept("partition", "of"):
        parent = reader.name()
        reader.bracketed()
        bound = reader.text(reader.until("partition", "with", "tablespace"))
        return [
            Change(kind=Kind.CREATE_TABLE, name=name, to=parent, text=bound, what="partition", existing_ok=existing_ok)
        ]
    body = reader.bracketed() if not reader.token.is_word("as", "of") else ()
    columns: list[Column] = []
    constraints: list[Constraint] = []
    likes: list[str] = []
    for piece in split(body):
        inner = reader.sub(piece)
        if inner.accept("like"):
            likes.append(inner.name())
            continue
        made = constraint(inner, name)
        if made is not None:
            constraints.append(made)
            continue
        defined, own = column(inner, name)
        columns.append(defined)
        constraints += own
    rest = reader.tokens[reader.at :]
    what = "partitioned" if any(a.is_word("partition") and b.is_word("by") for a, b in _pairs(rest)) else "table"
    if reader.accept("inherits"):
        likes += [reader.sub(piece).name() for piece in split(reader.bracketed())]
    query = next((n for n, token in enumerate(rest) if token.is_word("as")), None)
    if query is not None and what == "table":
        select = rest[query + 1 :]
        return [
            Change(
                kind=Kind.CREATE_TABLE_AS,
                name=name,
                text=reader.text(select),
                names=_sources(reader, select),
                columns=outputs(reader, select),
                existing_ok=existing_ok,
            )
        ]
    return [
        Change(
            kind=Kind.CREATE_TABLE,
            name=name,
            what=what,
            columns=tuple(columns),
            constraints=tuple(constraints),
            names=tuple(likes),
            existing_ok=existing_ok,
        )
    ]


def _pairs(tokens: Sequence[Token]) -> list[tuple[Token, Token]]:
    return list(pairwise(tokens))


def _index(reader: SqlReader, unique: bool) -> list[Change]:
    concurrently = reader.accept("concurrently")
    existing_ok = reader.accept("if", "not", "exists")
    label = "" if reader.token.is_word("on") else reader.identifier()
    reader.accept("on")
    table = reader.name()
    if reader.accept("using"):
        reader.identifier()
    keys = []
    for piece in split(reader.bracketed()):
        whole = piece[
            : next((n for n, t in enumerate(piece) if t.is_word("asc", "desc", "nulls", "collate")), len(piece))
        ]
        keys.append(
            whole[0].value if len(whole) in (1, 2) and whole[0].kind in ("word", "name") else reader.text(whole)
        )
    if reader.accept("include"):
        reader.bracketed()
    equal = reader.accept("nulls", "not", "distinct")
    reader.until("where")
    where = reader.text(reader.tokens[reader.at + 1 :]) if reader.token.is_word("where") else ""
    label = label or f"{table.rpartition('.')[2]}_{'_'.join(keys)}_idx"
    index = Index(label, tuple(keys), unique, where, equal)
    return [
        Change(
            kind=Kind.CREATE_INDEX,
            name=table,
            part=label,
            index=index,
            concurrently=concurrently,
            existing_ok=existing_ok,
        )
    ]


def _view(reader: SqlReader, material: bool, replaces: bool) -> list[Change]:
    existing_ok = reader.accept("if", "not", "exists")
    name = reader.name()
    named = [piece[0].value for piece in split(reader.bracketed()) if piece]
    reader.until("as")
    reader.accept("as")
    query = tuple(reader.tokens[reader.at :])
    columns = outputs(reader, query)
    if named and columns and len(named) == len(columns):
        pairs = zip(named, columns, strict=True)
        columns = tuple(Column(label, one.type, default=one.default) for label, one in pairs)
    elif named:
        columns = tuple(Column(label, "") for label in named)
    return [
        Change(
            kind=Kind.CREATE_VIEW,
            name=name,
            what="matview" if material else "view",
            text=reader.text(query),
            columns=columns,
            names=_sources(reader, query),
            turned_on=not material and _simple(query),
            existing_ok=existing_ok or replaces,
        )
    ]


def outputs(reader: SqlReader, query: Sequence[Token]) -> tuple[Column, ...]:
    """The names a SELECT gives, each with the expression in `default`; `*` stands for itself, () where it is no plain
    SELECT."""
    inner = reader.sub(query)
    while inner.token.is_mark("("):
        inner = reader.sub(inner.bracketed())
    if not inner.accept("select"):
        return ()
    if inner.accept("distinct") and inner.accept("on"):
        inner.bracketed()
    found = []
    for piece in split(inner.until("from", "where", "union", "group", "order", "limit")):
        if not piece:
            return ()
        last = piece[-1]
        named = len(piece) > 1 and piece[-2].is_word("as")
        bare = (
            len(piece) > 1 and last.kind in ("word", "name") and piece[-2].kind in ("word", "name", "string", "number")
        )
        expression = (
            piece[:-2] if named else piece[:-1] if bare or (len(piece) > 1 and piece[-2].is_mark(")")) else piece
        )
        if last.is_mark("*"):
            found.append(Column("*", "", default=reader.text(piece)))
        elif last.kind in ("word", "name"):
            found.append(Column(last.value, "", default=reader.text(expression or piece)))
        elif piece[0].kind in ("word", "name"):
            found.append(Column(piece[0].value, "", default=reader.text(piece)))
        else:
            found.append(Column("?column?", "", default=reader.text(piece)))
    return tuple(found)


def _simple(query: Sequence[Token]) -> bool:
    """A view PostgreSQL writes through: one table, no grouping, no set operation, no limit."""
    depth, tables = 0, 0
    for n, token in enumerate(query):
        depth += 1 if token.is_mark("(") else -1 if token.is_mark(")") else 0
        if depth:
            continue
        if token.is_word(
            "group", "having", "union", "intersect", "except", "limit", "offset", "distinct", "join", "with", "over"
        ):
            return False
        if token.is_word("from"):
            tables += 1
            after = query[n + 1 :]
            stop = next((k for k, each in enumerate(after) if each.is_word("where")), len(after))
            if any(each.is_mark(",", "(") for each in after[:stop]):
                return False
    return tables == 1


def _sources(reader: SqlReader, query: Sequence[Token]) -> tuple[str, ...]:
    found = []
    for n, token in enumerate(query[:-1]):
        if token.is_word("from", "join"):
            inner = reader.sub(query[n + 1 :])
            if inner.token.kind in ("word", "name") and not inner.token.is_word("select", "lateral"):
                found.append(inner.name())
    return tuple(dict.fromkeys(found))


def _function(reader: SqlReader, replaces: bool) -> list[Change]:
    name = reader.name()
    types = tuple(argument_type(reader, piece) for piece in split(reader.bracketed()))
    returns = ""
    body = ""
    while not reader.done:
        if reader.accept("returns"):
            returns = reader.text(reader.until("language", "as", "immutable", "stable", "volatile", "strict", "begin",
                                               "return", "security", "parallel", "cost", "set", "called"))  # fmt: skip
        elif reader.accept("as") and reader.token.kind == "string":
            body = reader.take().value
        elif reader.token.is_word("begin", "return"):
            body = reader.text(reader.tokens[reader.at :])
            break
        elif not reader.done:
            reader.take()
    arguments = ", ".join(kind for kind in types if kind)
    return [Change(kind=Kind.CREATE_FUNCTION, name=name, part=arguments, to=returns, text=body, existing_ok=replaces)]


_TYPE_BEGINS = frozenset(["double", "character", "timestamp", "time", "bit", "interval", "national"])


def argument_type(reader: SqlReader, piece: Sequence[Token]) -> str:
    """The type of one argument of a function; "" for OUT arguments. A name before it is optional."""
    stop = next((n for n, token in enumerate(piece) if token.is_word("default") or token.is_mark("=")), len(piece))
    rest = list(piece[:stop])
    mode = rest.pop(0).value if rest and rest[0].is_word("in", "out", "inout", "variadic") and len(rest) > 1 else ""
    if mode == "out" or not rest:
        return ""
    named = len(rest) > 1 and rest[1].kind in ("word", "name") and not rest[0].is_word(*_TYPE_BEGINS)
    return reader.text(rest[1:] if named else rest)


def _trigger(reader: SqlReader, replaces: bool) -> list[Change]:
    part = reader.identifier()
    timing = reader.accept_any("before", "after") or ("instead" if reader.accept("instead", "of") else "")
    events = []
    while not reader.done and not reader.token.is_word("on"):
        if event := reader.accept_any("insert", "update", "delete", "truncate"):
            events.append(event)
        else:
            reader.take()
    reader.accept("on")
    name = reader.name()
    reader.until("execute")
    reader.accept("execute")
    reader.accept_any("function", "procedure")
    trigger = Trigger(part, reader.name(), timing, tuple(events))
    return [Change(kind=Kind.CREATE_TRIGGER, name=name, part=part, trigger=trigger, existing_ok=replaces)]


def _policy(reader: SqlReader) -> list[Change]:
    part = reader.identifier()
    reader.accept("on")
    name = reader.name()
    permissive = True
    if reader.accept("as"):
        permissive = reader.accept_any("permissive", "restrictive") != "restrictive"
    command = reader.take().value if reader.accept("for") else "all"
    roles, using, check = policy_parts(reader)
    policy = Policy(part, command, permissive, roles or ("public",), using, check)
    return [Change(kind=Kind.CREATE_POLICY, name=name, part=part, policy=policy)]


def _type(reader: SqlReader) -> list[Change]:
    name = reader.name()
    if reader.accept("as", "enum"):
        labels = tuple(piece[0].value for piece in split(reader.bracketed()) if piece)
        return [Change(kind=Kind.CREATE_ENUM, name=name, names=labels)]
    return [Change(kind=Kind.CREATE_TYPE, name=name)]


def _domain(reader: SqlReader) -> list[Change]:
    name = reader.name()
    reader.accept("as")
    value = Token("name", "value", reader.token.start, reader.token.start)
    defined, constraints = column(reader.sub((value, *reader.tokens[reader.at :])), name)
    checks = tuple(one for one in constraints if one.kind == "check")
    domain = Domain(name, 0, defined.type, defined.not_null, defined.default, checks)
    return [Change(kind=Kind.CREATE_DOMAIN, name=name, domain=domain)]


def dropped(reader: SqlReader) -> list[Change] | None:
    material = reader.accept("materialized")
    reader.accept("foreign") if reader.ahead().is_word("table") else None
    what = reader.accept_any(
        "table", "view", "index", "sequence", "type", "domain", "function", "procedure", "routine", "schema", "trigger",
        "policy", "rule", "extension", "aggregate", "owned",
    )  # fmt: skip
    if not what:
        harmless = reader.token.is_word("role", "user", "database", "publication", "subscription", "statistics", "cast")
        return [Change(kind=Kind.HARMLESS)] if harmless else None
    what = "function" if what in ("procedure", "routine", "aggregate") else "matview" if material else what
    concurrently = reader.accept("concurrently")
    missing_ok = reader.accept("if", "exists")
    if what in ("trigger", "policy", "rule"):
        part = reader.identifier()
        reader.accept("on")
        return [Change(kind=Kind.DROP, what=what, name=reader.name(), part=part, missing_ok=missing_ok)]
    found: list[tuple[str, str]] = []
    while not reader.done:
        name = reader.identifier() if what in ("schema", "extension") else reader.name()
        arguments = None
        if what == "function" and reader.token.is_mark("("):
            pieces = split(reader.bracketed())
            arguments = ", ".join(filter(None, (argument_type(reader, piece) for piece in pieces)))
        found.append((name, "*" if arguments is None else arguments))
        if not reader.accept_mark(","):
            break
    cascade = reader.accept("cascade")
    return [
        Change(
            kind=Kind.DROP,
            what=what,
            name=name,
            text=arguments,
            missing_ok=missing_ok,
            cascade=cascade,
            concurrently=concurrently,
        )
        for name, arguments in found
    ]


def granted(reader: SqlReader) -> list[Change]:
    return _rights(reader, Kind.GRANT, "to")


def revoked(reader: SqlReader) -> list[Change]:
    reader.accept("grant", "option", "for")
    return _rights(reader, Kind.REVOKE, "from")


def _rights(reader: SqlReader, kind: Kind, word: str) -> list[Change]:
    """One change for each object; a membership in a role has none."""
    rights = [piece for piece in split(reader.until("on", word)) if piece]
    privileges: list[str] = []
    for piece in rights:
        privileges += ["all"] if piece[0].is_word("all") else [piece[0].value]
    if not reader.accept("on"):
        roles = tuple(piece[-1].value for piece in split(reader.tokens[reader.at + 1 :]) if piece)
        return [
            Change(kind=kind, what="role", names=tuple(privileges), grants=tuple((role, "member") for role in roles))
        ]
    everything = reader.accept("all")
    what = reader.accept_any("table", "tables", "sequence", "sequences", "function", "functions", "procedure", "routine",
                             "schema", "type", "domain", "database", "language", "routines")  # fmt: skip
    what = what.removesuffix("s") or "table"
    if everything:
        reader.accept("in")
        reader.accept("schema")
    objects = []
    while not reader.done and not reader.token.is_word(word):
        objects.append(reader.identifier() if everything or what in ("schema", "database") else reader.name())
        reader.bracketed()
        if not reader.accept_mark(","):
            break
    reader.until(word)
    reader.accept(word)
    roles = tuple(piece[-1].value for piece in split(reader.until("with", "granted", "cascade", "restrict")) if piece)
    grants = tuple((role, privilege) for role in roles for privilege in privileges)
    scope = "every " + what if everything else what
    return [Change(kind=kind, what=scope, name=name, grants=grants) for name in objects]
