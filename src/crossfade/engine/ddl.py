"""DDL on paper: what a schema is after a change, without a database.

Knows what PostgreSQL does along the way (a primary key makes its columns NOT NULL, dropping a column takes the constraints
and indexes that speak of it, CASCADE takes views) as far as it decides what another version meets. A change that does not
apply (a table nobody made) leaves the schema as it is: PostgreSQL would refuse the migration, which is not this module's
to tell. Where not the whole schema is known, `assumed` first adds what the changes take for granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from crossfade.engine.sql_types import normal
from crossfade.model.catalog import (
    Catalog,
    Column,
    Constraint,
    Domain,
    Enum,
    Function,
    Index,
    Policy,
    Relation,
    Trigger,
)
from crossfade.model.migration import Change, Kind

replace = msgspec.structs.replace
UNKNOWN = "?"  # a type that is not known
_TABLE_RIGHTS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")


def carried_out(catalog: Catalog, changes: Iterable[Change]) -> Catalog:
    """The schema after these changes."""
    paper = Paper(catalog)
    for change in changes:
        paper.apply(change)
    return paper.catalog()


class Paper:
    """A schema being changed. `catalog` gives what it is now; earlier ones stay as they were."""

    def __init__(self, catalog: Catalog) -> None:
        self.relations = dict(catalog.relations)
        self.functions = dict(catalog.functions)
        self.enums = dict(catalog.enums)
        self.domains = dict(catalog.domains)
        self.sequences = dict(catalog.sequences)
        self.sequence_rights = dict(catalog.sequence_rights)
        self.types = dict(catalog.types)
        self.schemas = dict(catalog.schemas)
        self._complete = catalog.complete
        self._last = max(
            [
                0,
                *(
                    one.ident
                    for group in (self.relations, self.functions, self.enums, self.domains)
                    for one in group.values()
                ),
                *(column.ident for relation in self.relations.values() for column in relation.columns),
                *(ident for each in self.enums.values() for _, ident in each.labels),
                *self.sequences.values(),
                *self.types.values(),
            ]
        )

    def catalog(self) -> Catalog:
        return Catalog(
            dict(self.relations),
            dict(self.functions),
            dict(self.enums),
            dict(self.domains),
            dict(self.sequences),
            dict(self.sequence_rights),
            dict(self.types),
            dict(self.schemas),
            self._complete,
        )

    def apply(self, change: Change) -> None:
        if change.kind in _MAKES:
            _MAKES[change.kind](self, change)
        elif change.kind in (Kind.GRANT, Kind.REVOKE):
            self._rights(change)
        elif change.kind is Kind.DROP:
            self._drop(change)
        elif change.kind in (Kind.RENAME, Kind.SET_SCHEMA):
            self._rename(change)
        elif change.kind in (Kind.ADD_VALUE, Kind.RENAME_VALUE):
            self._labels(change)
        elif change.kind is Kind.DOMAIN_CHANGED:
            self._domain(change)
        elif change.name in self.relations:
            self._table(change)

    # ── what is made ───────────────────────────────────────────────────────

    def _ident(self) -> int:
        self._last += 1
        return self._last

    def _create_table(self, change: Change) -> None:
        if change.name in self.relations:
            return
        columns = [replace(one, type=normal(one.type), ident=self._ident()) for one in change.columns]
        constraints = list(change.constraints)
        parent = self.relations.get(change.to) if change.what == "partition" else None
        for source in (*change.names, *([change.to] if parent else [])):
            like = self.relations.get(source)
            columns = [*(replace(one, ident=self._ident()) for one in (like.columns if like else ())), *columns]
            constraints += like.constraints if like and parent else ()
        made = Relation(
            change.name,
            self._ident(),
            "partitioned" if change.what == "partitioned" else "table",
            tuple(columns),
            partition_of=change.to if change.what == "partition" else "",
            bound=change.text if change.what == "partition" else "",
        )
        self.relations[change.name] = made
        for column in change.columns:
            if "nextval('" in (column.default or "") or column.identity:
                schema, dot, short = change.name.rpartition(".")
                self.sequences[f"{schema}{dot}{short}_{column.name}_seq"] = self._ident()
        for constraint in constraints:
            self._constrain(change.name, constraint)

    def _create_as(self, change: Change) -> None:
        columns = tuple(replace(one, type=UNKNOWN, default=None, ident=self._ident()) for one in change.columns)
        opaque = not columns or any(one.name == "*" for one in columns)
        self.relations.setdefault(change.name, Relation(change.name, self._ident(), columns=columns, opaque=opaque))

    def _create_view(self, change: Change) -> None:
        if change.name in self.relations and not change.existing_ok:
            return
        columns, opaque = self._outputs(change)
        old = self.relations.get(change.name)
        self.relations[change.name] = Relation(
            change.name,
            old.ident if old else self._ident(),
            change.what,
            columns,
            definition=change.text,
            writable=change.turned_on and all(self._is_writable(name) for name in change.names),
            opaque=opaque or not columns,
            triggers=old.triggers if old else (),
            grants=old.grants if old else (),
        )

    def _is_writable(self, name: str) -> bool:
        return name not in self.relations or self.relations[name].writable

    def _outputs(self, change: Change) -> tuple[tuple[Column, ...], bool]:
        """The columns of a view with types where they are plainly those of a table."""
        sources = [self.relations[name] for name in change.names if name in self.relations]
        opaque = any(source.opaque for source in sources) or len(sources) < len(change.names)
        found: list[Column] = []
        for one in change.columns:
            if one.name == "*":
                found += [replace(column, ident=self._ident(), place=None) for s in sources for column in s.columns]
                continue
            plain = (one.default or "").rpartition(".")[2].strip('"')
            column = next((c for s in sources if (c := s.column(plain))), None)
            kind = column.type if column else UNKNOWN
            found.append(Column(one.name, kind, ident=self._ident()))
        stars = any(one.name == "*" for one in change.columns)
        return tuple(found), stars and opaque

    def _create_index(self, change: Change) -> None:
        relation = self.relations.get(change.name)
        if relation is None or change.index is None or any(one.name == change.part for one in relation.indexes):
            return
        self.relations[change.name] = replace(relation, indexes=(*relation.indexes, change.index))

    def _create_function(self, change: Change) -> None:
        key = _signature(change.name, change.part)
        old = self.functions.get(key)
        ident = old.ident if old else self._ident()
        grants = old.grants if old else (("public", "execute"),)
        returns = normal(change.to) if change.to else ""
        self.functions[key] = Function(change.name, ident, key[len(change.name) + 1 : -1], returns, change.text, grants)

    def _create_trigger(self, change: Change) -> None:
        relation = self.relations.get(change.name)
        if relation is not None and change.trigger is not None:
            rest = tuple(one for one in relation.triggers if one.name != change.part)
            writable = relation.writable or change.trigger.timing == "instead"
            self.relations[change.name] = replace(relation, triggers=(*rest, change.trigger), writable=writable)

    def _create_policy(self, change: Change) -> None:
        relation = self.relations.get(change.name)
        if relation is None or change.policy is None:
            return
        new = change.policy
        if change.kind is Kind.ALTER_POLICY:
            old = next((one for one in relation.policies if one.name == change.part), Policy(change.part))
            new = replace(old, roles=new.roles or old.roles, using=new.using or old.using, check=new.check or old.check)
        rest = tuple(one for one in relation.policies if one.name != change.part)
        self.relations[change.name] = replace(relation, policies=(*rest, new))

    def _create_enum(self, change: Change) -> None:
        labels = tuple((label, self._ident()) for label in change.names)
        self.enums.setdefault(change.name, Enum(change.name, self._ident(), labels))

    def _create_domain(self, change: Change) -> None:
        if change.domain is not None:
            made = replace(change.domain, ident=self._ident(), type=normal(change.domain.type))
            self.domains.setdefault(change.name, made)

    def _create_other(self, change: Change) -> None:
        if change.kind is Kind.CREATE_SEQUENCE:
            self.sequences.setdefault(change.name, self._ident())
        elif change.kind is Kind.CREATE_TYPE:
            self.types.setdefault(change.name, self._ident())
        elif change.kind is Kind.CREATE_SCHEMA:
            self.schemas.setdefault(change.name, ())
        elif change.name in self.relations:
            relation = self.relations[change.name]
            self.relations[change.name] = replace(relation, rules=(*relation.rules, f"{change.part} on {change.text}"))

    # ── tables ─────────────────────────────────────────────────────────────

    def _table(self, change: Change) -> None:
        relation = self.relations[change.name]
        kind = change.kind
        column = relation.column(change.part)
        if kind is Kind.ADD_COLUMN:
            if column is None:
                made = replace(change.columns[0], type=normal(change.columns[0].type), ident=self._ident())
                if "nextval('" in (made.default or ""):
                    schema, dot, short = change.name.rpartition(".")
                    self.sequences.setdefault(f"{schema}{dot}{short}_{made.name}_seq", self._ident())
                self._put(replace(relation, columns=(*relation.columns, made)))
                for constraint in change.constraints:
                    self._constrain(change.name, constraint)
        elif kind is Kind.DROP_COLUMN:
            self._drop_column(relation, change.part)
            if change.cascade:
                self._drop_views_on(change.name, change.part)
        elif kind is Kind.RENAME_COLUMN and column is not None:
            self._rename_column(relation, change.part, change.to)
        elif kind is Kind.ADD_CONSTRAINT:
            self._constrain(change.name, change.constraints[0], change.using_index)
        elif kind is Kind.DROP_CONSTRAINT:
            gone = next((one for one in relation.constraints if one.name == change.part), None)
            rest = tuple(one for one in relation.constraints if one is not gone)
            indexes = tuple(one for one in relation.indexes if one.name != change.part)
            self._put(replace(relation, constraints=rest, indexes=indexes))
        elif kind is Kind.RENAME_CONSTRAINT:
            named = tuple(replace(c, name=change.to) if c.name == change.part else c for c in relation.constraints)
            self._put(replace(relation, constraints=named))
        elif kind is Kind.VALIDATE:
            good = tuple(replace(c, valid=True) if c.name == change.part else c for c in relation.constraints)
            self._put(replace(relation, constraints=good))
        elif kind is Kind.ROW_SECURITY:
            field = "row_security" if change.what == "enable" else "forced"
            self._put(replace(relation, **{field: change.turned_on}))
        elif kind is Kind.TRIGGER_ENABLED:
            every = change.part in ("all", "user")
            self._put(
                replace(
                    relation,
                    triggers=tuple(
                        replace(t, enabled=change.turned_on) if every or t.name == change.part else t
                        for t in relation.triggers
                    ),
                )
            )
        elif kind in (Kind.ATTACH, Kind.DETACH) and (part := self.relations.get(change.part)) is not None:
            parent, bound = ("", "") if kind is Kind.DETACH else (change.name, change.text)
            self._put(replace(part, partition_of=parent, bound=bound))
        elif kind is Kind.OWNER:
            self._put(replace(relation, owner=change.to))
        elif column is not None:
            self._column(relation, column, change)

    def _column(self, relation: Relation, column: Column, change: Change) -> None:
        kind = change.kind
        if kind is Kind.SET_TYPE:
            new = replace(column, type=normal(change.to))
        elif kind is Kind.SET_DEFAULT:
            new = replace(column, default=None if change.text.lower() == "null" else change.text)
        elif kind is Kind.DROP_DEFAULT:
            new = replace(column, default=None)
        elif kind in (Kind.SET_NOT_NULL, Kind.DROP_NOT_NULL):
            new = replace(column, not_null=kind is Kind.SET_NOT_NULL)
        elif kind is Kind.SET_IDENTITY:
            new = replace(column, identity=change.text, not_null=True)
        elif kind is Kind.DROP_IDENTITY:
            new = replace(column, identity="")
        elif kind is Kind.DROP_EXPRESSION:
            new = replace(column, generated="", default=None)
        else:
            return
        self._put(replace(relation, columns=tuple(new if c.name == column.name else c for c in relation.columns)))

    def _put(self, relation: Relation) -> None:
        self.relations[relation.name] = relation

    def _constrain(self, table: str, constraint: Constraint, using_index: str = "") -> None:
        relation = self.relations[table]
        if using_index:
            index = next((one for one in relation.indexes if one.name == using_index), None)
            constraint = replace(constraint, columns=index.columns if index else ())
            relation = replace(relation, indexes=tuple(one for one in relation.indexes if one is not index))
        if constraint.kind in ("check", "exclude"):
            known = {column.name for column in relation.columns}
            named = [name for name in constraint.columns if name in known]
            if constraint.kind == "check":
                words = re.findall(r"[A-Za-z_][\w$]*", re.sub(r"'(?:[^']|'')*'", "", constraint.definition))
                named = [name for name in dict.fromkeys((*words, *(w.lower() for w in words))) if name in known]
            constraint = replace(constraint, columns=tuple(named))
        columns = relation.columns
        if constraint.kind == "primary":
            columns = tuple(replace(c, not_null=True) if c.name in constraint.columns else c for c in columns)
        taken = {one.name for one in relation.constraints}
        name, number = constraint.name, 0
        while name in taken:  # as PostgreSQL names the second of a kind
            number += 1
            name = f"{constraint.name}{number}"
        constraint = replace(constraint, name=name)
        self._put(replace(relation, columns=columns, constraints=(*relation.constraints, constraint)))

    def _drop_column(self, relation: Relation, name: str) -> None:
        self._put(
            replace(
                relation,
                columns=tuple(one for one in relation.columns if one.name != name),
                constraints=tuple(one for one in relation.constraints if name not in one.columns),
                indexes=tuple(one for one in relation.indexes if not any(_names(name, key) for key in one.columns)),
            )
        )

    def _rename_column(self, relation: Relation, old: str, new: str) -> None:
        def renamed(text: str) -> str:
            return re.sub(rf"(?<![\w'\"]){re.escape(old)}(?![\w'\"(])", new, text)

        columns = tuple(replace(one, name=new) if one.name == old else one for one in relation.columns)
        constraints = tuple(
            replace(
                one,
                columns=tuple(new if name == old else name for name in one.columns),
                definition=renamed(one.definition),
            )
            for one in relation.constraints
        )
        indexes = tuple(
            replace(
                one, columns=tuple(new if key == old else renamed(key) for key in one.columns), where=renamed(one.where)
            )
            for one in relation.indexes
        )
        self._put(replace(relation, columns=columns, constraints=constraints, indexes=indexes))

    def _drop_views_on(self, table: str, column: str = "") -> None:
        for name, relation in list(self.relations.items()):
            if relation.kind in ("view", "matview") and _names(table.rpartition(".")[2], relation.definition):
                if column and not (_names(column, relation.definition) or "*" in relation.definition):
                    continue
                del self.relations[name]
                self._drop_views_on(name)

    # ── everything else ────────────────────────────────────────────────────

    def _drop(self, change: Change) -> None:
        name, what = change.name, change.what
        if what in ("table", "view", "matview"):
            if self.relations.pop(name, None) is not None:
                for other in list(self.relations.values()):
                    if other.partition_of == name:
                        del self.relations[other.name]
                    rest = tuple(one for one in other.constraints if one.kind != "foreign" or one.target != name)
                    if change.cascade and other.name in self.relations and rest != other.constraints:
                        self._put(replace(other, constraints=rest))
                if change.cascade:
                    self._drop_views_on(name)
        elif what == "index":
            schema, _, short = name.rpartition(".")
            for relation in list(self.relations.values()):
                if relation.name.rpartition(".")[0] == schema:
                    rest_of = tuple(one for one in relation.indexes if one.name != short)
                    if rest_of != relation.indexes:
                        self._put(replace(relation, indexes=rest_of))
        elif what in ("trigger", "policy", "rule") and name in self.relations:
            relation = self.relations[name]
            self._put(
                replace(
                    relation,
                    triggers=tuple(t for t in relation.triggers if what != "trigger" or t.name != change.part),
                    policies=tuple(p for p in relation.policies if what != "policy" or p.name != change.part),
                    rules=tuple(r for r in relation.rules if what != "rule" or not r.startswith(change.part + " on ")),
                )
            )
        elif what == "function":
            self._drop_function(change)
        elif what in ("type", "domain"):
            for group in (self.enums, self.domains, self.types):
                if isinstance(group, dict) and group.pop(name, None) is not None and change.cascade:
                    for relation in list(self.relations.values()):
                        for column in relation.columns:
                            if column.type.removesuffix("[]") == name.lower():
                                self._drop_column(self.relations[relation.name], column.name)
        elif what == "sequence":
            self.sequences.pop(name, None)
        elif what == "schema":
            self.schemas.pop(name, None)
            groups: tuple[dict[str, object], ...] = (
                self.relations, self.functions, self.enums, self.domains, self.sequences, self.types,
            )  # type: ignore[assignment]  # fmt: skip
            for things in groups:
                for key in [key for key in things if key.startswith(name + ".")]:
                    del things[key]

    def _drop_function(self, change: Change) -> None:
        keys = [
            key
            for key, one in self.functions.items()
            if one.name == change.name and (change.text == "*" or key == _signature(change.name, change.text))
        ]
        for key in keys:
            del self.functions[key]
        if keys and change.cascade:
            for relation in list(self.relations.values()):
                rest = tuple(one for one in relation.triggers if one.function != change.name)
                if rest != relation.triggers:
                    self._put(replace(relation, triggers=rest))

    def _rename(self, change: Change) -> None:
        old, new = change.name, change.to
        if change.what in ("table", "view") and (relation := self.relations.pop(old, None)) is not None:
            self.relations[new] = replace(relation, name=new)
            for other in list(self.relations.values()):
                targets = tuple(
                    replace(one, target=new) if one.kind == "foreign" and one.target == old else one
                    for one in other.constraints
                )
                parent = new if other.partition_of == old else other.partition_of
                self._put(replace(other, constraints=targets, partition_of=parent))
        elif change.what == "schema":
            self.relations = _moved(self.relations, old, new)
            self.functions = _moved(self.functions, old, new)
            self.enums = _moved(self.enums, old, new)
            self.domains = _moved(self.domains, old, new)
            for plain in (self.sequences, self.types):
                for key in [key for key in plain if key.startswith(old + ".")]:
                    plain[new + key[len(old) :]] = plain.pop(key)
            self.schemas[new] = self.schemas.pop(old, ())
        elif change.what == "function":
            for key, one in list(self.functions.items()):
                if one.name == old and (not change.text or key == _signature(old, change.text)):
                    del self.functions[key]
                    self.functions[_signature(new, one.arguments)] = replace(one, name=new)
        elif change.what == "index":
            short, new_short = old.rpartition(".")[2], new.rpartition(".")[2]
            for relation in list(self.relations.values()):
                indexes = tuple(replace(i, name=new_short) if i.name == short else i for i in relation.indexes)
                self._put(replace(relation, indexes=indexes))
        elif change.what in ("type", "domain"):
            if old in self.enums:
                self.enums[new] = replace(self.enums.pop(old), name=new)
            elif old in self.domains:
                self.domains[new] = replace(self.domains.pop(old), name=new)
            elif old in self.types:
                self.types[new] = self.types.pop(old)
            for relation in list(self.relations.values()):
                columns = tuple(
                    replace(c, type=new.lower() + c.type[len(old) :]) if c.type.removesuffix("[]") == old.lower() else c
                    for c in relation.columns
                )
                self._put(replace(relation, columns=columns))
        elif change.what == "sequence" and old in self.sequences:
            self.sequences[new] = self.sequences.pop(old)

    def _labels(self, change: Change) -> None:
        kind = self.enums.get(change.name)
        if kind is None:
            return
        if change.kind is Kind.ADD_VALUE and all(label != change.part for label, _ in kind.labels):
            self.enums[change.name] = replace(kind, labels=(*kind.labels, (change.part, self._ident())))
        elif change.kind is Kind.RENAME_VALUE:
            labels = tuple((change.to if label == change.part else label, ident) for label, ident in kind.labels)
            self.enums[change.name] = replace(kind, labels=labels)
            old, new = f"'{change.part}'", f"'{change.to}'"
            for relation in list(self.relations.values()):
                if any(column.type == change.name.lower() and column.default for column in relation.columns):
                    columns = tuple(
                        replace(c, default=c.default.replace(old, new))
                        if c.default and c.type == change.name.lower()
                        else c
                        for c in relation.columns
                    )
                    self._put(replace(relation, columns=columns))

    def _domain(self, change: Change) -> None:
        domain = self.domains.get(change.name)
        if domain is None:
            return
        if change.text == "add":
            domain = replace(domain, checks=(*domain.checks, *change.constraints))
        elif change.text == "drop":
            domain = replace(domain, checks=tuple(one for one in domain.checks if one.name != change.part))
        elif change.text in ("set not null", "drop not null"):
            domain = replace(domain, not_null=change.text == "set not null")
        elif change.text == "set default" and change.domain is not None:
            domain = replace(domain, default=change.domain.default)
        self.domains[change.name] = domain

    def _rights(self, change: Change) -> None:
        gives = change.kind is Kind.GRANT
        if change.what == "schema":
            schema_rights = set(
                self.schemas.get(change.name, (("public", "usage"),) if change.name == "public" else ())
            )
            self.schemas[change.name] = _granted(schema_rights, change.grants, gives, ("usage", "create"))
            return
        every = change.what.startswith("every ")
        if change.what.endswith("function"):
            for key, one in list(self.functions.items()):
                if one.name == change.name or (
                    every and one.name.rpartition(".")[0] == change.name.replace("public", "")
                ):
                    self.functions[key] = replace(
                        one, grants=_granted(set(one.grants), change.grants, gives, ("execute",))
                    )
            return
        if change.what.endswith("sequence"):
            for name in [change.name] if not every else list(self.sequences):
                if not every or name.rpartition(".")[0] == change.name.replace("public", ""):
                    drawn = set(self.sequence_rights.get(name, ()))
                    self.sequence_rights[name] = _granted(drawn, change.grants, gives, ("usage", "select", "update"))
            return
        if not change.what.endswith("table"):
            return
        for name, relation in list(self.relations.items()):
            if name == change.name or (every and name.rpartition(".")[0] == change.name.replace("public", "")):
                grants = _granted(set(relation.grants), change.grants, gives, _TABLE_RIGHTS)
                self.relations[name] = replace(relation, grants=grants)


def _granted(
    known: set[tuple[str, str]], grants: Iterable[tuple[str, str]], gives: bool, all_rights: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Rights after a GRANT or REVOKE. Where no right of the role was read before, the schema's files leave rights out, and
    what is revoked is kept as "revoked ..."."""
    before = set(known)
    for role, privilege in grants:
        wanted = all_rights if privilege == "all" else (privilege,)
        for right in wanted:
            if gives:
                known.add((role, right))
                known.discard((role, f"revoked {right}"))
            elif (role, right) in known:
                known.discard((role, right))
            elif role != "public" and not any(one == role for one, _ in before):
                known.add((role, f"revoked {right}"))
    return tuple(sorted(known))


_Named = TypeVar("_Named", Relation, Function, Enum, Domain)


def _moved(things: dict[str, _Named], old: str, new: str) -> dict[str, _Named]:
    """With what was in the schema `old` in `new`."""
    return {
        new + key[len(old) :] if key.startswith(old + ".") else key: replace(one, name=new + one.name[len(old) :])
        if key.startswith(old + ".")
        else one
        for key, one in things.items()
    }


def _signature(name: str, arguments: str) -> str:
    return f"{name}({', '.join(normal(one) for one in arguments.split(',') if one.strip())})"


def _names(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text, re.I) is not None


_MAKES = {
    Kind.CREATE_TABLE: Paper._create_table,
    Kind.CREATE_TABLE_AS: Paper._create_as,
    Kind.CREATE_VIEW: Paper._create_view,
    Kind.CREATE_INDEX: Paper._create_index,
    Kind.CREATE_FUNCTION: Paper._create_function,
    Kind.CREATE_TRIGGER: Paper._create_trigger,
    Kind.CREATE_POLICY: Paper._create_policy,
    Kind.ALTER_POLICY: Paper._create_policy,
    Kind.CREATE_ENUM: Paper._create_enum,
    Kind.CREATE_DOMAIN: Paper._create_domain,
    Kind.CREATE_SEQUENCE: Paper._create_other,
    Kind.CREATE_TYPE: Paper._create_other,
    Kind.CREATE_SCHEMA: Paper._create_other,
    Kind.CREATE_RULE: Paper._create_other,
}
_OF_A_COLUMN = frozenset(
    {Kind.DROP_COLUMN, Kind.RENAME_COLUMN, Kind.SET_TYPE, Kind.SET_DEFAULT, Kind.DROP_DEFAULT, Kind.SET_NOT_NULL}
    | {Kind.DROP_NOT_NULL, Kind.SET_IDENTITY, Kind.DROP_IDENTITY, Kind.DROP_EXPRESSION}
)
_OF_A_TABLE = _OF_A_COLUMN | {
    Kind.ADD_COLUMN, Kind.ADD_CONSTRAINT, Kind.DROP_CONSTRAINT, Kind.ROW_SECURITY, Kind.DETACH, Kind.CREATE_INDEX,
    Kind.CREATE_TRIGGER, Kind.CREATE_POLICY, Kind.UPDATE, Kind.DELETE, Kind.TRUNCATE, Kind.LOCK, Kind.REWRITE, Kind.VALIDATE,
}  # fmt: skip


def assumed(catalog: Catalog, changes: Iterable[Change]) -> Catalog:
    """`catalog` with what the changes take for granted and nobody made, where not the whole schema is known."""
    if catalog.complete:
        return catalog
    first = Paper(catalog)
    after = Paper(catalog)
    for change in changes:
        table = change.name
        if _table_of(change) and table not in after.relations:
            for paper in (first, after):
                paper.relations.setdefault(table, Relation(table, paper._ident(), opaque=True))
        columns = [change.part] if change.kind in _OF_A_COLUMN else []
        for constraint in change.constraints if change.kind is Kind.ADD_CONSTRAINT else ():
            columns += [] if constraint.kind == "check" else constraint.columns
        columns += [name for name, _ in change.assignments] if change.kind is Kind.UPDATE else []
        for column in columns:
            known = after.relations.get(table)
            if known is not None and known.opaque and known.column(column) is None and column:
                made = Column(column, UNKNOWN, ident=after._ident())
                for paper in (first, after):
                    if table in paper.relations:
                        old = paper.relations[table]
                        paper.relations[table] = replace(old, columns=(*old.columns, made))
        if change.kind in (Kind.ADD_VALUE, Kind.RENAME_VALUE) and table not in after.enums:
            labels = ((change.part, 1),) if change.kind is Kind.RENAME_VALUE else ()
            for paper in (first, after):
                paper.enums.setdefault(table, Enum(table, paper._ident(), labels))
        if change.kind is Kind.DROP and change.what == "function" and change.text:
            for paper in (first, after):
                key = _signature(table, "" if change.text == "*" else change.text)
                paper.functions.setdefault(key, Function(table, paper._ident()))
        after.apply(change)
    return first.catalog()


def _table_of(change: Change) -> bool:
    if change.kind in _OF_A_TABLE:
        return True
    kinds = (Kind.RENAME, Kind.SET_SCHEMA)
    return (change.kind is Kind.DROP or change.kind in kinds) and change.what in ("table", "view", "matview", "trigger")


__all__ = ["UNKNOWN", "Domain", "Index", "Paper", "Trigger", "assumed", "carried_out"]
