"""What the statements of a migration do, one `Change` each: read from SQL text by `formats.sql_changes`.

A change says what is written, not whether it hurts: that depends on the schema it meets and on who is alive.
"""

from __future__ import annotations

import enum

import msgspec

from crossfade.model.catalog import Column, Constraint, Domain, Index, Policy, Trigger


class Kind(enum.StrEnum):
    CREATE_TABLE = "create table"
    CREATE_TABLE_AS = "create table as"
    CREATE_VIEW = "create view"
    CREATE_INDEX = "create index"
    CREATE_FUNCTION = "create function"
    CREATE_TRIGGER = "create trigger"
    CREATE_POLICY = "create policy"
    ALTER_POLICY = "alter policy"
    CREATE_ENUM = "create enum"
    CREATE_TYPE = "create type"
    CREATE_DOMAIN = "create domain"
    CREATE_SEQUENCE = "create sequence"
    CREATE_SCHEMA = "create schema"
    CREATE_RULE = "create rule"
    ADD_COLUMN = "add column"
    DROP_COLUMN = "drop column"
    RENAME_COLUMN = "rename column"
    SET_TYPE = "set type"
    SET_DEFAULT = "set default"
    DROP_DEFAULT = "drop default"
    SET_NOT_NULL = "set not null"
    DROP_NOT_NULL = "drop not null"
    SET_IDENTITY = "set identity"
    DROP_IDENTITY = "drop identity"
    DROP_EXPRESSION = "drop expression"
    ADD_CONSTRAINT = "add constraint"
    DROP_CONSTRAINT = "drop constraint"
    RENAME_CONSTRAINT = "rename constraint"
    VALIDATE = "validate constraint"
    ROW_SECURITY = "row security"
    TRIGGER_ENABLED = "trigger enabled"
    ATTACH = "attach partition"
    DETACH = "detach partition"
    RENAME = "rename"
    SET_SCHEMA = "set schema"
    OWNER = "owner"
    REWRITE = "rewrite"
    ADD_VALUE = "add value"
    RENAME_VALUE = "rename value"
    DOMAIN_CHANGED = "alter domain"
    DROP = "drop"
    GRANT = "grant"
    REVOKE = "revoke"
    UPDATE = "update"
    INSERT = "insert"
    DELETE = "delete"
    TRUNCATE = "truncate"
    LOCK = "lock"
    REFRESH = "refresh"
    REINDEX = "reindex"
    TRANSACTION = "transaction"
    HARMLESS = "harmless"  # comments, settings, queries
    UNREAD = "unread"  # not understood: the message in `text` says what


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is the table, type, function or view; `part` what of it (a column, constraint, index, trigger, policy, label);
    `to` the new name, or the table a foreign key, partition or rule points to. `text` is an expression or type as written,
    `what` the kind of object of a DROP, RENAME, GRANT. `certain` is False inside an IF of a DO block. `line`
    and `column` count from 1."""

    kind: Kind
    name: str = ""
    part: str = ""
    to: str = ""
    what: str = ""
    text: str = ""
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    names: tuple[str, ...] = ()
    index: Index | None = None
    trigger: Trigger | None = None
    policy: Policy | None = None
    domain: Domain | None = None
    assignments: tuple[tuple[str, str], ...] = ()  # column, expression of an UPDATE
    grants: tuple[tuple[str, str], ...] = ()  # role, privilege
    missing_ok: bool = False
    existing_ok: bool = False
    cascade: bool = False
    concurrently: bool = False
    using_index: str = ""
    turned_on: bool = True
    certain: bool = True
    line: int = 0
    column: int = 0


class Written(msgspec.Struct, frozen=True):
    """A statement as it stands in a file, and the changes it makes (a DO block: several, most: one)."""

    text: str
    line: int
    column: int
    changes: tuple[Change, ...]
