"""ALTER statements, for `formats.sql_changes`: one change for each action of ALTER TABLE, one for the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from crossfade.formats.sql_reader import SqlReader, column, constraint, split
from crossfade.formats.sql_tokens import Token
from crossfade.model.catalog import Constraint, Domain, Policy
from crossfade.model.migration import Change, Kind

_RENAMED = ("table", "view", "sequence", "type", "function", "procedure", "schema", "domain", "index")


def altered(reader: SqlReader) -> Sequence[Change] | None:
    if reader.accept("table") or reader.accept("foreign", "table"):
        return _table(reader)
    if reader.accept("materialized", "view") or reader.accept("view"):
        return _table(reader, "view")
    if reader.accept("type"):
        return _type(reader)
    if reader.accept("domain"):
        return _domain(reader)
    if reader.accept("policy"):
        return _policy(reader)
    if reader.accept("default", "privileges") or reader.accept("system"):
        return [Change(kind=Kind.HARMLESS)]
    if reader.accept("index"):
        reader.accept("if", "exists")
        name = reader.name()
        if reader.accept("rename", "to"):
            return [Change(kind=Kind.RENAME, what="index", name=name, to=_beside(reader, name))]
        attach = reader.accept("attach", "partition")
        return [
            Change(kind=Kind.HARMLESS if attach or reader.token.is_word("set", "reset") else Kind.UNREAD, name=name)
        ]
    for what in ("sequence", "function", "procedure", "routine", "schema"):
        if reader.accept(what):
            return _other(reader, what)
    if reader.accept("trigger"):
        return [Change(kind=Kind.HARMLESS)]  # its name, or an extension it depends on
    if reader.token.is_word(
        "database", "role", "user", "extension", "publication", "subscription", "statistics", "group"
    ):
        return [Change(kind=Kind.HARMLESS)]
    return None


def _beside(reader: SqlReader, name: str) -> str:
    """A new name in the schema of the old one."""
    new = reader.identifier()
    schema, dot, _ = name.rpartition(".")
    return f"{schema}{dot}{new}"


def _moved(reader: SqlReader, name: str) -> str:
    return reader.resolved([reader.identifier(), name.rpartition(".")[2]])


def _other(reader: SqlReader, what: str) -> list[Change]:
    reader.accept("if", "exists")
    name = reader.identifier() if what == "schema" else reader.name()
    what = "function" if what in ("procedure", "routine") else what
    arguments = reader.text(reader.bracketed())
    if reader.accept("rename", "to"):
        to = reader.identifier() if what == "schema" else _beside(reader, name)
        return [Change(kind=Kind.RENAME, what=what, name=name, to=to, text=arguments)]
    if reader.accept("set", "schema"):
        return [Change(kind=Kind.SET_SCHEMA, what=what, name=name, to=_moved(reader, name), text=arguments)]
    if reader.accept("owner", "to"):
        return [Change(kind=Kind.OWNER, what=what, name=name, to=reader.identifier())]
    return [Change(kind=Kind.HARMLESS, name=name)]


def _table(reader: SqlReader, what: str = "table") -> list[Change]:
    missing_ok = reader.accept("if", "exists")
    if reader.accept("all", "in"):
        return [Change(kind=Kind.HARMLESS)]
    name = reader.name()
    found: list[Change] = []
    for piece in split(reader.tokens[reader.at :]):
        inner = reader.sub(piece)
        line, at = reader.source.position(piece[0].start) if piece else (0, 0)
        for change in _action(inner, name, what):
            found.append(
                msgspec.structs.replace(change, line=line, column=at, missing_ok=change.missing_ok or missing_ok)
            )
    return found


def _action(reader: SqlReader, name: str, what: str) -> list[Change]:
    def one(kind: Kind, **fields: Any) -> list[Change]:
        return [Change(kind=kind, name=name, **fields)]

    if reader.accept("add"):
        made = constraint(reader, name)
        if made is not None:
            return added(name, made)
        reader.accept("column")
        existing_ok = reader.accept("if", "not", "exists")
        defined, constraints = column(reader, name)
        return one(
            Kind.ADD_COLUMN, part=defined.name, columns=(defined,), constraints=constraints, existing_ok=existing_ok
        )
    if reader.accept("drop"):
        if reader.accept("constraint"):
            missing_ok = reader.accept("if", "exists")
            part = reader.identifier()
            return one(Kind.DROP_CONSTRAINT, part=part, missing_ok=missing_ok, cascade=reader.accept("cascade"))
        reader.accept("column")
        missing_ok = reader.accept("if", "exists")
        part = reader.identifier()
        return one(Kind.DROP_COLUMN, part=part, missing_ok=missing_ok, cascade=reader.accept("cascade"))
    if reader.accept("rename"):
        if reader.accept("to"):
            return one(Kind.RENAME, what=what, to=_beside(reader, name))
        if reader.accept("constraint"):
            part = reader.identifier()
            reader.accept("to")
            return one(Kind.RENAME_CONSTRAINT, part=part, to=reader.identifier())
        reader.accept("column")
        part = reader.identifier()
        reader.accept("to")
        return one(Kind.RENAME_COLUMN, part=part, to=reader.identifier())
    if reader.accept("alter"):
        if reader.accept("constraint"):
            return one(Kind.HARMLESS)
        reader.accept("column")
        return _column(reader, name, reader.identifier())
    if reader.accept("validate", "constraint"):
        return one(Kind.VALIDATE, part=reader.identifier())
    if reader.accept("attach", "partition"):
        part = reader.name()
        return one(Kind.ATTACH, part=part, text=reader.text(reader.tokens[reader.at :]))
    if reader.accept("detach", "partition"):
        part = reader.name()
        finished = reader.accept_any("concurrently", "finalize")
        return one(Kind.DETACH, part=part, concurrently=bool(finished))
    if reader.token.is_word("enable", "disable", "force", "no"):
        return _switched(reader, name)
    if reader.accept("set", "schema"):
        return one(Kind.SET_SCHEMA, what=what, to=_moved(reader, name))
    if reader.accept("owner", "to"):
        return one(Kind.OWNER, what=what, to=reader.identifier())
    if reader.token.is_word("set") and reader.ahead().is_word("tablespace", "logged", "unlogged", "access"):
        return one(Kind.REWRITE, text=reader.text(reader.tokens[:2]).upper())
    if reader.accept("inherit"):
        return one(Kind.ATTACH, part=reader.name(), text="inherit")
    return one(
        Kind.HARMLESS if reader.token.is_word("set", "reset", "cluster", "replica", "not", "of") else Kind.UNREAD
    )


def added(table: str, made: Constraint) -> list[Change]:
    """ADD of a table constraint."""
    if made.kind == "not null":
        return [Change(kind=Kind.SET_NOT_NULL, name=table, part=made.columns[0], concurrently=not made.valid)]
    index = made.definition.removeprefix("using index ") if made.definition.startswith("using index ") else ""
    if index:
        made = msgspec.structs.replace(made, definition="", name=made.name or index)
    return [Change(kind=Kind.ADD_CONSTRAINT, name=table, part=made.name, constraints=(made,), using_index=index)]


def _column(reader: SqlReader, name: str, part: str) -> list[Change]:
    def one(kind: Kind, **fields: Any) -> list[Change]:
        return [Change(kind=kind, name=name, part=part, **fields)]

    if reader.accept("set", "data", "type") or reader.accept("type"):
        kind = reader.text(reader.until("using", "collate"))
        if reader.accept("collate"):
            reader.name()
        using = reader.text(reader.tokens[reader.at + 1 :]) if reader.token.is_word("using") else ""
        return one(Kind.SET_TYPE, to=kind, text=using)
    if reader.accept("set", "default"):
        return one(Kind.SET_DEFAULT, text=reader.text(reader.tokens[reader.at :]))
    if reader.accept("drop", "default"):
        return one(Kind.DROP_DEFAULT)
    if reader.accept("set", "not", "null"):
        return one(Kind.SET_NOT_NULL)
    if reader.accept("drop", "not", "null"):
        return one(Kind.DROP_NOT_NULL)
    if reader.accept("drop", "identity"):
        return one(Kind.DROP_IDENTITY)
    if reader.accept("drop", "expression"):
        return one(Kind.DROP_EXPRESSION)
    if reader.accept("set", "expression"):
        return one(Kind.REWRITE, text="SET EXPRESSION")
    if reader.accept("add", "generated") or reader.accept("set", "generated"):
        return one(Kind.SET_IDENTITY, text="always" if reader.accept("always") else "default")
    return one(Kind.HARMLESS)  # statistics, storage, compression, options


def _switched(reader: SqlReader, name: str) -> list[Change]:
    """ENABLE, DISABLE, FORCE and NO FORCE of row level security, triggers and rules."""
    words = [token.value for token in reader.tokens[reader.at :]]
    turned_on = words[0] in ("enable", "force")
    if words[-3:] == ["row", "level", "security"]:
        what = "force" if "force" in words else "enable"
        return [Change(kind=Kind.ROW_SECURITY, name=name, what=what, turned_on=turned_on)]
    if "trigger" in words:
        return [
            Change(kind=Kind.TRIGGER_ENABLED, name=name, part=words[-1], turned_on=turned_on and "replica" not in words)
        ]
    return [Change(kind=Kind.UNREAD, name=name, text=" ".join(words))]


def _type(reader: SqlReader) -> list[Change]:
    name = reader.name()
    if reader.accept("add", "value"):
        existing_ok = reader.accept("if", "not", "exists")
        return [Change(kind=Kind.ADD_VALUE, name=name, part=reader.take().value, existing_ok=existing_ok)]
    if reader.accept("rename", "value"):
        part = reader.take().value
        reader.accept("to")
        return [Change(kind=Kind.RENAME_VALUE, name=name, part=part, to=reader.take().value)]
    if reader.accept("rename", "to"):
        return [Change(kind=Kind.RENAME, what="type", name=name, to=_beside(reader, name))]
    if reader.accept("set", "schema"):
        return [Change(kind=Kind.SET_SCHEMA, what="type", name=name, to=_moved(reader, name))]
    if reader.accept("owner", "to"):
        return [Change(kind=Kind.OWNER, what="type", name=name, to=reader.identifier())]
    return [Change(kind=Kind.UNREAD, name=name, text=reader.text(reader.tokens[:6]))]


def _domain(reader: SqlReader) -> list[Change]:
    name = reader.name()

    def one(text: str, **fields: Any) -> list[Change]:
        return [Change(kind=Kind.DOMAIN_CHANGED, name=name, text=text, **fields)]

    if reader.accept("add"):
        made = constraint(reader, name)
        return one("add", constraints=(made,)) if made else one("other")
    if reader.accept("drop", "constraint"):
        reader.accept("if", "exists")
        return one("drop", part=reader.identifier())
    if reader.accept("set", "not", "null"):
        return one("set not null")
    if reader.accept("drop", "not", "null"):
        return one("drop not null")
    if reader.accept("set", "default"):
        return one("set default", domain=Domain(name, 0, "", default=reader.text(reader.tokens[reader.at :])))
    if reader.accept("drop", "default"):
        return one("set default", domain=Domain(name, 0, ""))
    if reader.accept("rename", "to"):
        return [Change(kind=Kind.RENAME, what="domain", name=name, to=_beside(reader, name))]
    return one("other")


def _policy(reader: SqlReader) -> list[Change]:
    part = reader.identifier()
    reader.accept("on")
    name = reader.name()
    if reader.accept("rename"):
        return [Change(kind=Kind.HARMLESS, name=name)]
    roles, using, check = policy_parts(reader)
    return [Change(kind=Kind.ALTER_POLICY, name=name, part=part, policy=Policy(part, "", True, roles, using, check))]


def policy_parts(reader: SqlReader) -> tuple[tuple[str, ...], str, str]:
    """`TO roles USING (...) WITH CHECK (...)`."""
    roles: tuple[str, ...] = ()
    using = check = ""
    while not reader.done:
        if reader.accept("to"):
            roles = tuple(_plain(piece) for piece in split(reader.until("using", "with")))
        elif reader.accept("using"):
            using = reader.text(reader.bracketed())
        elif reader.accept("with", "check"):
            check = reader.text(reader.bracketed())
        else:
            reader.take()
    return roles, using, check


def _plain(piece: Sequence[Token]) -> str:
    return piece[-1].value if piece else ""
