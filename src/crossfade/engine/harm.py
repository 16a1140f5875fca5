"""A harm: what a side that was made for one schema meets in another, before it is known who is alive; and what all judges of
harm share."""

from __future__ import annotations

import re

import msgspec

from crossfade.model.catalog import Catalog, Relation
from crossfade.model.compat import Place, Severity

WRITES = ("insert", "update", "merge")


class Harm(msgspec.Struct, frozen=True):
    """`where` is the thing ("orders.price"). The older side writes a statement that the schema reads; or (`reads`) it
    reads what the newer side wrote. `names` are the words of a statement that suffers (all of them), `verbs` how it
    begins (() any); `known` is where the thing was defined."""

    rule: str
    where: str
    message: str
    severity: Severity = Severity.ERROR
    reads: bool = False
    names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    advice: str = ""
    known: Place | None = None


class Schemas(msgspec.Struct, frozen=True):
    """The schema a side was made for, the one just before a change, the one after it."""

    known: Catalog
    before: Catalog
    after: Catalog

    def renamed(self, relation: Relation) -> Relation | None:
        return next((one for one in self.after.relations.values() if one.ident == relation.ident), None)


def relation_harm(
    rule: str,
    where: str,
    message: str,
    relation: Relation,
    column: str = "",
    *,
    severity: Severity = Severity.ERROR,
    reads: bool = False,
    verbs: tuple[str, ...] = (),
    known: Place | None = None,
) -> Harm:
    names = (short(relation.name), *((column,) if column else ()))
    return Harm(rule, where, message, severity, reads, names, verbs, known=known or relation.place)


def short(name: str) -> str:
    return name.rpartition(".")[2]


def filled_by_trigger(catalog: Catalog, relation: Relation, column: str) -> bool:
    for trigger in relation.triggers:
        if trigger.enabled and trigger.timing == "before" and (not trigger.events or "insert" in trigger.events):
            bodies = [one.body for one in catalog.functions.values() if one.name == trigger.function]
            if any(assigns(body, column) for body in bodies):
                return True
    return False


def assigns(body: str, column: str) -> bool:
    return (
        re.search(
            rf"\bnew\s*\.\s*\"?{re.escape(column)}\"?\s*(?::?=)|into\s+new\s*\.\s*\"?{re.escape(column)}\b", body, re.I
        )
        is not None
    )


def shortened(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 80 else text[:77] + "..."
