"""What a PostgreSQL schema consists of, as far as two versions of a service can disagree about it.

Made by reading a database (`world.catalog`) or by carrying out the DDL of SQL files on paper (`engine.ddl`). Names are as
they resolve: "orders", "billing.orders" (the schema is left out where it is public). An `ident` stays the same when a thing
is renamed; idents of two catalogs can be compared when one was made from the other.
"""

from __future__ import annotations

import msgspec

from crossfade.model.compat import Place


class Column(msgspec.Struct, frozen=True):
    """`type` as PostgreSQL formats it; `default` the expression, None: none; `generated` "stored", "virtual" or "";
    `identity` "always", "default" or ""."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    generated: str = ""
    identity: str = ""
    ident: int = 0
    place: Place | None = None


class Constraint(msgspec.Struct, frozen=True):
    """`kind` is check, unique, primary, foreign or exclude. `columns` are those it speaks of; `definition` is the condition
    of a check or the elements of an exclusion. `target` and `on_delete` ("", "cascade", "set null", ...) belong to a
    foreign key. `valid`: rows that were there before were looked at."""

    name: str
    kind: str
    columns: tuple[str, ...] = ()
    definition: str = ""
    target: str = ""
    target_columns: tuple[str, ...] = ()
    on_delete: str = ""
    valid: bool = True
    place: Place | None = None


class Index(msgspec.Struct, frozen=True):
    """`columns` may hold expressions; `where` the condition of a partial one; `nulls_equal`: NULLS NOT DISTINCT."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str = ""
    nulls_equal: bool = False


class Trigger(msgspec.Struct, frozen=True):
    """`timing` is before, after or instead; `events` some of insert, update, delete, truncate."""

    name: str
    function: str
    timing: str = ""
    events: tuple[str, ...] = ()
    enabled: bool = True


class Policy(msgspec.Struct, frozen=True):
    """`command` is all, select, insert, update or delete; `using` and `check` the conditions, "" none."""

    name: str
    command: str = "all"
    permissive: bool = True
    roles: tuple[str, ...] = ("public",)
    using: str = ""
    check: str = ""


class Relation(msgspec.Struct, frozen=True):
    """`kind` is table, partitioned, view, matview or foreign. `grants` are (role, privilege); `opaque`: the columns are not
    known (a view over what was not read). `writable`: INSERT and UPDATE reach through a view. `storage` changes when
    the table is rewritten (a database only)."""

    name: str
    ident: int
    kind: str = "table"
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policies: tuple[Policy, ...] = ()
    rules: tuple[str, ...] = ()
    row_security: bool = False
    forced: bool = False
    grants: tuple[tuple[str, str], ...] = ()
    owner: str = ""
    partition_of: str = ""
    bound: str = ""
    definition: str = ""
    writable: bool = True
    opaque: bool = False
    storage: int = 0
    place: Place | None = None

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


class Function(msgspec.Struct, frozen=True):
    """`arguments` are the types that tell overloads apart; `returns` the result type; `grants` as those of a relation."""

    name: str
    ident: int
    arguments: str = ""
    returns: str = ""
    body: str = ""
    grants: tuple[tuple[str, str], ...] = ()


class Enum(msgspec.Struct, frozen=True):
    name: str
    ident: int
    labels: tuple[tuple[str, int], ...] = ()  # (label, ident)


class Domain(msgspec.Struct, frozen=True):
    name: str
    ident: int
    type: str
    not_null: bool = False
    default: str | None = None
    checks: tuple[Constraint, ...] = ()


class Catalog(msgspec.Struct, frozen=True):
    """`functions` are keyed "name(types)"; `sequence_rights` are (role, privilege) of every sequence, those of columns
    too; `complete`: what is not here does not exist (False: only the files that were
    read are known)."""

    relations: dict[str, Relation] = {}
    functions: dict[str, Function] = {}
    enums: dict[str, Enum] = {}
    domains: dict[str, Domain] = {}
    sequences: dict[str, int] = {}  # name -> ident
    sequence_rights: dict[str, tuple[tuple[str, str], ...]] = {}
    types: dict[str, int] = {}  # composite and range types: name -> ident
    schemas: dict[str, tuple[tuple[str, str], ...]] = {}  # name -> grants
    complete: bool = True
