"""Enums, domains, functions, sequences, types and schemas: what statements name beside tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossfade.engine.conditions import implied, same, values_of
from crossfade.engine.harm import WRITES, Harm, Schemas, short, shortened
from crossfade.engine.harm_access import right_harms
from crossfade.model.catalog import Enum
from crossfade.model.compat import Severity


def enum_harms(context: Schemas, old: Enum) -> Iterator[Harm]:
    new = context.after.enums.get(old.name)
    names = (short(old.name),)
    if new is None:
        moved = next((one for one in context.after.enums.values() if one.ident == old.ident), None)
        what = f"is renamed to `{moved.name}`" if moved else "is dropped"
        rule = "migration-rename" if moved else "migration-drop-type"
        yield Harm(rule, old.name, f"the type `{old.name}` {what}: a cast to it fails", Severity.WARNING, names=names)
        if moved is None:
            return
        new = moved
    by_ident = {ident: label for label, ident in new.labels} if new.ident == old.ident else {}
    labels = {label for label, _ in new.labels}
    renamed: set[str] = set()
    for label, ident in old.labels:
        if label in labels:
            continue
        if ident in by_ident:
            renamed.add(by_ident[ident])
            message = (
                f"the value `{label}` of the enum `{old.name}` is renamed to `{by_ident[ident]}`: "
                "writing the old one is refused, and the new one is read"
            )
            yield Harm("migration-enum-value-renamed", f"{old.name}.{label}", message)
        else:
            message = f"the value `{label}` of the enum `{old.name}` is gone: writing it, or asking for it, is refused"
            yield Harm("migration-enum-value-removed", f"{old.name}.{label}", message)
    known = {label for label, _ in old.labels}
    for label, _ in new.labels:
        if (label not in known and label not in renamed and old.labels) or (label not in known and not old.labels):
            message = f"the enum `{old.name}` has the new value `{label}`: the older side may read it and not know it"
            yield Harm("migration-enum-value-added", f"{old.name}.{label}", message, Severity.WARNING, reads=True)


def domain_harms(context: Schemas) -> Iterator[Harm]:
    for name, old in sorted(context.known.domains.items()):
        new = context.after.domains.get(name)
        if new is None:
            moved = any(one.ident == old.ident for one in context.after.domains.values())
            rule = "migration-rename" if moved else "migration-drop-type"
            yield Harm(
                rule,
                name,
                f"the domain `{name}` is {'renamed' if moved else 'dropped'}",
                Severity.WARNING,
                names=(short(name),),
            )
            continue
        if new.not_null and not old.not_null:
            yield Harm(
                "migration-not-null", name, f"the domain `{name}` becomes NOT NULL: NULL is refused", verbs=WRITES
            )
        known = [check.definition for check in old.checks]
        for check in new.checks:
            if not any(same(check.definition, one) for one in known) and not implied(check.definition, known):
                message = (
                    f"the domain `{name}` has a new check ({shortened(check.definition)}): "
                    "values the older side may write are refused"
                )
                yield Harm("migration-check-added", f"{name}.{check.name}", message, verbs=WRITES)
        for check in old.checks:
            if not any(same(check.definition, one.definition) for one in new.checks):
                message = (
                    f"the check `{check.name}` of the domain `{name}` is gone: the "
                    "older side may read values it forbade"
                )
                severity = Severity.WARNING if values_of(check.definition) else Severity.INFO
                if not any(implied(check.definition, [one.definition]) for one in new.checks):
                    yield Harm("migration-check-loosened", f"{name}.{check.name}", message, severity, reads=True)
        if (old.default or "") != (new.default or "") and not same(old.default or "", new.default or ""):
            message = f"the default of the domain `{name}` is `{new.default}` instead of `{old.default}`"
            yield Harm("migration-default-changed", name, message, Severity.WARNING, verbs=("insert",))


def function_harms(context: Schemas) -> Iterator[Harm]:
    for key, old in sorted(context.known.functions.items()):
        if old.returns == "trigger":
            continue
        new = context.after.functions.get(key)
        names = (short(old.name),)
        if new is None:
            moved = next((one for one in context.after.functions.values() if one.ident == old.ident), None)
            others = sorted(k for k, one in context.after.functions.items() if one.name == old.name)
            tail = f"renamed to `{moved.name}`" if moved else f"gone; there is `{others[0]}`" if others else "dropped"
            rule = "migration-rename" if moved else "migration-drop-function"
            yield Harm(rule, key, f"the function `{key}` is {tail}: a statement that calls it fails", names=names)
            continue
        if old.returns and new.returns and old.returns != new.returns:
            message = f"the function `{key}` returns {new.returns} instead of {old.returns}"
            yield Harm("migration-drop-function", key, message, names=names)
        elif old.body and new.body and re.sub(r"\s+", " ", old.body) != re.sub(r"\s+", " ", new.body):
            message = f"the function `{key}` does something else: the older side calls the new one"
            yield Harm("migration-function-changed", key, message, Severity.INFO, names=names)
        yield from right_harms(key, old.grants, new.grants, "function", names[0])


def other_harms(context: Schemas) -> Iterator[Harm]:
    owned = {
        f"{relation.name}_{column.name}_seq"
        for relation in context.known.relations.values()
        for column in relation.columns
    }
    for name in sorted(set(context.known.sequences) - set(context.after.sequences)):
        if name not in owned:
            moved = next((n for n, i in context.after.sequences.items() if i == context.known.sequences[name]), None)
            tail = f"renamed to `{moved}`" if moved else "dropped"
            message = f"the sequence `{name}` is {tail}: `nextval` on it fails"
            rule = "migration-rename" if moved else "migration-drop-sequence"
            yield Harm(rule, name, message, names=(short(name),))
    for name in sorted(set(context.known.types) - set(context.after.types)):
        moved = next((n for n, i in context.after.types.items() if i == context.known.types[name]), None)
        rule = "migration-rename" if moved else "migration-drop-type"
        tail = f"renamed to `{moved}`" if moved else "dropped"
        yield Harm(rule, name, f"the type `{name}` is {tail}", Severity.WARNING, names=(short(name),))
    for name, grants in sorted(context.known.schemas.items()):
        if name in context.after.schemas:
            yield from right_harms(name, grants, context.after.schemas[name], "schema", name)
    if "public" in context.after.schemas and "public" not in context.known.schemas:
        yield from right_harms("public", (("public", "usage"),), context.after.schemas["public"], "schema", "public")
