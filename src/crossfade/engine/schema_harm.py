"""What a change of the schema takes from a version that knows only the old one.

`harms` compares the schema a side was made for with the schema as it is now, by names, because statements find things by
name: a view that takes the place of a renamed table is fine as far as it gives the same columns and can be
written. Idents only say whether what is missing was dropped or renamed. Where it is not known which statements the side
sends, it is taken to use all it could.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from crossfade.engine.harm import Harm, Schemas, relation_harm, short
from crossfade.engine.harm_access import right_harms, row_security_harms, trigger_harms
from crossfade.engine.harm_columns import column_harms, new_column_harms
from crossfade.engine.harm_constraints import constraint_harms, index_harms, new_link_harms
from crossfade.engine.harm_types import domain_harms, enum_harms, function_harms, other_harms
from crossfade.model.catalog import Catalog, Relation
from crossfade.model.compat import Severity


def harms(known: Catalog, before: Catalog, after: Catalog) -> tuple[Harm, ...]:
    """What a side made for `known` meets in `after`, in the order of the names. `before` is the schema just before
    this change: triggers that keep old and new in step may have come in between, and their end is a harm as well."""
    context = Schemas(known, before, after)
    found: list[Harm] = []
    for name in sorted(known.relations):
        found += _relation(context, known.relations[name])
    for name in sorted(set(after.relations) - set(known.relations)):
        found += new_link_harms(context, after.relations[name])
    for name in sorted(known.enums):
        found += enum_harms(context, known.enums[name])
    found += domain_harms(context)
    found += function_harms(context)
    found += other_harms(context)
    return tuple(found)


def _relation(context: Schemas, old: Relation) -> Iterator[Harm]:
    new = context.after.relations.get(old.name)
    if new is not None and (new is old or new == old) and not old.triggers:
        between = context.before.relations.get(old.name)
        if between is old or between == old:
            return
    word = "view" if "view" in old.kind else "table"
    if new is None:
        moved = context.renamed(old)
        if old.partition_of and old.partition_of in context.after.relations and moved is None:
            yield relation_harm(
                "migration-partition-detached", old.name, f"the partition `{old.name}` is dropped with its rows", old
            )
        elif moved is not None:
            yield relation_harm(
                "migration-rename", old.name, f"the {word} `{old.name}` is renamed to `{moved.name}`", old
            )
        else:
            yield relation_harm("migration-drop-table", old.name, f"the {word} `{old.name}` is dropped", old)
        return
    if old.partition_of and new.partition_of != old.partition_of:
        yield msgspec.structs.replace(
            relation_harm(
                "migration-partition-detached",
                old.name,
                f"the partition `{old.name}` is detached from `{old.partition_of}`: its rows are gone from there, and new "
                "ones for its range are refused",
                old,
            ),
            names=(short(old.partition_of),),
        )
        return
    if "view" not in old.kind and new.kind == "view" and not new.writable:
        yield relation_harm(
            "migration-column-not-writable",
            old.name,
            f"the table `{old.name}` is a view now that cannot be written",
            old,
            verbs=("insert", "update", "delete", "merge"),
        )
    for column in old.columns:
        yield from column_harms(context, old, new, column)
    yield from new_column_harms(context, old, new)
    yield from constraint_harms(context, old, new)
    yield from index_harms(context, old, new)
    yield from trigger_harms(context, old, new)
    yield from row_security_harms(old, new)
    yield from right_harms(old.name, old.grants, new.grants, "table", short(old.name))
    if old.owner and new.owner and old.owner != new.owner:
        yield relation_harm(
            "migration-rights-revoked",
            old.name,
            f"`{old.name}` belongs to `{new.owner}` and no longer to `{old.owner}`, who loses the owner's rights",
            old,
            severity=Severity.WARNING,
        )
