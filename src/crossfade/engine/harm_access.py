"""Triggers, rules, row level security and rights: who may reach a table, and what happens on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crossfade.engine.conditions import same
from crossfade.engine.harm import WRITES, Harm, Schemas, relation_harm
from crossfade.model.catalog import Policy, Relation
from crossfade.model.compat import Severity


def trigger_harms(context: Schemas, old: Relation, new: Relation) -> Iterator[Harm]:
    between = context.before.relations.get(old.name, old)
    live = {trigger.name: trigger for trigger in new.triggers if trigger.enabled}
    functions = {trigger.function for trigger in live.values()}
    for trigger in (*old.triggers, *(one for one in between.triggers if one not in old.triggers)):
        if trigger.enabled and trigger.name not in live and trigger.function not in functions:
            yield relation_harm(
                "migration-trigger-dropped",
                f"{old.name}.{trigger.name}",
                (
                    f"the trigger `{trigger.name}` no longer runs on `{old.name}`: what it "
                    "did for writes of the older side stays undone"
                ),
                old,
                severity=Severity.WARNING,
                verbs=(*(trigger.events or WRITES), "merge"),
            )
    known = {trigger.name for trigger in old.triggers}
    for name, trigger in sorted(live.items()):
        bodies = [one.body for one in context.after.functions.values() if one.name == trigger.function]
        if name not in known and any(_refuses(body, trigger.timing) for body in bodies):
            yield relation_harm(
                "migration-trigger-added",
                f"{old.name}.{name}",
                f"the new trigger `{name}` on `{old.name}` may refuse what the older side writes",
                old,
                severity=Severity.WARNING,
                verbs=(*(trigger.events or WRITES), "merge"),
            )
    for rule in new.rules:
        if rule not in old.rules:
            yield relation_harm(
                "migration-trigger-added",
                f"{old.name}.{rule.split(' ')[0]}",
                f"the new rule `{rule.split(' ')[0]}` rewrites statements on `{old.name}`",
                old,
                severity=Severity.WARNING,
            )


def _refuses(body: str, timing: str) -> bool:
    """Can a trigger's function stop a statement: by an exception, or (before the row is written) by giving back no row?"""
    text = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "''", body)
    if re.search(r"\braise\s+(exception|sqlstate|'')", text, re.I):
        return True
    return timing == "before" and re.search(r"\breturn\s+null\b", text, re.I) is not None


def row_security_harms(old: Relation, new: Relation) -> Iterator[Harm]:
    if not new.row_security:
        return
    where = old.name
    if not old.row_security:
        missing = [
            command for command in ("select", "insert", "update", "delete") if not _all_rows(new.policies, command)
        ]
        if missing:
            yield relation_harm(
                "migration-row-security",
                where,
                f"row level security is on for `{old.name}`: a role that does not own it no longer reaches all rows "
                f"({', '.join(missing)})",
                old,
                verbs=(*missing, "with", "merge"),
            )
        return
    if new.forced and not old.forced:
        yield relation_harm(
            "migration-row-security", where, f"row level security of `{old.name}` binds its owner too", old
        )
    before = {policy.name: policy for policy in old.policies}
    now = {policy.name: policy for policy in new.policies}
    for name, policy in sorted(before.items()):
        current = now.get(name)
        if policy.permissive and current is None and not any(_wider(policy, one) for one in new.policies):
            message = f"the policy `{name}` of `{old.name}` is gone: rows it let through are out of reach"
            yield relation_harm("migration-row-security", f"{where}.{name}", message, old)
        elif current is not None and not _wider(policy, current):
            message = f"the policy `{name}` of `{old.name}` has other conditions"
            yield relation_harm("migration-row-security", f"{where}.{name}", message, old, severity=Severity.WARNING)
    for name, policy in sorted(now.items()):
        if name not in before and not policy.permissive:
            message = f"the restrictive policy `{name}` of `{old.name}` takes rows away"
            yield relation_harm("migration-row-security", f"{where}.{name}", message, old)


def _all_rows(policies: tuple[Policy, ...], command: str) -> bool:
    if any(not one.permissive and one.command in ("all", command) for one in policies):
        return False
    for policy in policies:
        if policy.command not in ("all", command) or "public" not in policy.roles:
            continue
        conditions = [policy.check or policy.using] if command == "insert" else [policy.using]
        if command == "update" and policy.check:
            conditions.append(policy.check)
        if all(same(one, "true") for one in conditions):
            return True
    return False


def _wider(old: Policy, new: Policy) -> bool:
    covers = new.command in ("all", old.command) and ("public" in new.roles or set(old.roles) <= set(new.roles))
    conditions = all(same(a, b) or same(b, "true") for a, b in ((old.using, new.using), (old.check, new.check)))
    return covers and conditions and old.permissive == new.permissive


def right_harms(
    where: str, old: tuple[tuple[str, str], ...], new: tuple[tuple[str, str], ...], what: str, name: str
) -> Iterator[Harm]:
    lost = [(role, right) for role, right in old if (role, right) not in new and not right.startswith("revoked ")]
    lost = [(role, right) for role, right in lost if ("public", right) not in new]
    lost += [(role, right[8:]) for role, right in new if right.startswith("revoked ") and (role, right) not in old]
    for role in sorted({role for role, _ in lost}):
        rights = sorted({right for one, right in lost if one == role})
        verbs = tuple(right for right in rights if right in ("select", "insert", "update", "delete", "truncate"))
        yield Harm(
            "migration-rights-revoked",
            f"{where} {role}",
            f"`{role}` may no longer {', '.join(rights)} on the {what} `{where}`",
            names=(name,) if what != "schema" else (),
            verbs=(*verbs, "with", "merge") if verbs and what == "table" else (),
        )
