"""Do the migrations of a ramp leave every live side a schema it can work with?

Each stage is judged as a whole (what its files leave, not what they pass through) against the sides that serve there or
later, and against the stable that a rollback brings back. The line a break is told at is that of the statement that
brought it about for good. A side is taken to use all of the schema it was made for; where its statements were seen, what
none of them touches is information only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence

import msgspec

from crossfade.engine.backfills import row_harms
from crossfade.engine.ddl import carried_out
from crossfade.engine.harm import Harm
from crossfade.engine.migration_locks import Held, Transaction, measured
from crossfade.engine.schema_harm import harms
from crossfade.engine.timeline import live_sides, rollback_stages
from crossfade.model.catalog import Catalog
from crossfade.model.compat import Break, Crossing, Place, Severity
from crossfade.model.contract import Contract
from crossfade.model.migration import Change, Kind, Written
from crossfade.model.ramp import Side

SCHEMA = "schema"  # what reads a statement: `Break.reader` of a broken statement
_GONE = (
    "migration-drop-table",
    "migration-drop-column",
    "migration-rename",
    "migration-drop-type",
    "migration-drop-function",
)
_ROWS = frozenset({Kind.HARMLESS, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.TRANSACTION, Kind.LOCK, Kind.UNREAD})
_LOCKS = ("migration-locks-table", "migration-rewrites-table", "migration-index-blocks-writes")


class MigrationStep(msgspec.Struct, frozen=True):
    """One statement: where it stands, what it does, the schema after it. `held` (only with a database): locks and work
    seen. `file_starts`: a new transaction begins here."""

    place: Place
    text: str
    changes: tuple[Change, ...]
    after: Catalog
    held: tuple[Held, ...] | None = None
    file_starts: bool = False


class Alive(msgspec.Struct, frozen=True):
    """Who meets what a stage leaves: the stages from this one on where the stable serves, those where it can read what
    a canary wrote, those a rollback may start from, and those where the canary serves."""

    stage: str
    stable: tuple[str, ...]
    mixed: tuple[str, ...]
    rollback: tuple[str, ...]
    canary: tuple[str, ...]


class SeenStatement(msgspec.Struct, frozen=True):
    side: Side
    text: str
    operation: str


def alive_at(contract: Contract, stage: int) -> Alive:
    """Who is alive when the migration of a stage runs, and later."""
    names = [one.name for one in contract.stages]
    sides = [
        {side for service in contract.services if service.on_ramp for side in live_sides(contract, index)[service.name]}
        for index in range(len(names))
    ]
    canary = [index for index in range(len(names)) if Side.CANARY in sides[index]]
    first = canary[0] if canary else len(names)
    later = range(stage, len(names))
    back = tuple(names[index] for index in rollback_stages(contract) if index >= stage)
    return Alive(
        names[stage],
        tuple(names[index] for index in later if Side.STABLE in sides[index]),
        tuple(names[index] for index in later if Side.STABLE in sides[index] and index >= first),
        back,
        tuple(names[index] for index in later if Side.CANARY in sides[index]),
    )


def judged(
    known: Catalog,
    before: Catalog,
    steps: Sequence[MigrationStep],
    alive: Alive,
    *,
    canary_known: Catalog | None = None,
    repeated: Collection[tuple[str, str]] = (),
    seen: Sequence[SeenStatement] = (),
    advice: Mapping[str, str] = {},
) -> tuple[Break, ...]:
    """What the migration of one stage breaks. `known` is the schema the stable was made for, `before` the one just before
    the stage, `canary_known` the one the canary started on (None: it has not started). `repeated`: (table,
    column) that a later stage fills again when the stable is gone. `advice` gives a sentence for a rule."""
    found: list[Break] = []
    if not steps:
        return ()
    after = steps[-1].after
    told = _Teller(alive, tuple(seen), advice)
    if alive.stable or alive.rollback:
        onsets = _Onsets(known, before, steps)
        old = {harm.rule + harm.where for harm in harms(known, before, before)}
        for harm in harms(known, before, after):
            if harm.rule + harm.where not in old:
                found += told.of_stable(harm, onsets.place(harm))
        for step in steps:
            for change in step.changes:
                for harm in row_harms(known, after, change, repeated):
                    found += told.of_rows(harm, _place(step, change))
    if canary_known is not None and alive.canary:
        onsets = _Onsets(canary_known, before, steps)
        for harm in harms(canary_known, before, after):
            if harm.rule in _GONE and not _in_schema(known, harm.where) and _in_schema(before, harm.where):
                found += told.of_canary(harm, onsets.place(harm))
    found += _locks(before, steps, told)
    order = list(Severity)
    unique = {one.id: one for one in sorted(reversed(found), key=lambda one: -order.index(one.severity))}
    return tuple(sorted(unique.values(), key=lambda one: (one.canary.line if one.canary else 0, one.rule, one.path)))


def on_paper(before: Catalog, files: Sequence[tuple[str, Sequence[Written]]]) -> tuple[MigrationStep, ...]:
    """The steps of a migration without a database: each statement of each (file, statements) carried out on paper."""
    found: list[MigrationStep] = []
    current = before
    for file, statements in files:
        for number, one in enumerate(statements):
            if not all(change.kind in _ROWS for change in one.changes):
                current = carried_out(current, one.changes)
            place = Place(file, one.line, one.column)
            found.append(MigrationStep(place, one.text, one.changes, current, None, number == 0))
    return tuple(found)


def refilled(stages: Sequence[Sequence[Change]]) -> frozenset[tuple[str, str]]:
    """(table, column) that UPDATE and INSERT statements of these stages fill."""
    changes = [change for stage in stages for change in stage]
    updates = {(one.name, column) for one in changes if one.kind is Kind.UPDATE for column, _ in one.assignments}
    return frozenset(updates | {(one.name, "") for one in changes if one.kind is Kind.INSERT})


def _locks(before: Catalog, steps: Sequence[MigrationStep], told: _Teller) -> list[Break]:
    found: list[Break] = []
    current = before
    transaction = Transaction(before)
    for step in steps:
        if step.file_starts:
            transaction = Transaction(before)
        if step.held is None:
            harms_of_step = list(transaction.harms(current, step.changes))
        else:
            harms_of_step = list(measured(step.changes, step.held))
        for harm in harms_of_step:
            found += told.of_lock(harm, step.place)
        current = step.after
    return found


class _Onsets:
    """From which statement on a harm is there to stay; what is harmed after each statement is computed once."""

    def __init__(self, known: Catalog, before: Catalog, steps: Sequence[MigrationStep]) -> None:
        self._known = known
        self._before = before
        self._steps = steps
        self._after: dict[int, frozenset[tuple[str, str]]] = {}

    def place(self, harm: Harm) -> Place:
        place = self._steps[-1].place
        for number in range(len(self._steps) - 1, -1, -1):
            step = self._steps[number]
            if (harm.rule, harm.where) not in self._harmed(number):
                return place
            place = step.place
            for change in step.changes:
                if change.line and _speaks_of(change, harm):
                    place = _place(step, change)
        return place

    def _harmed(self, number: int) -> frozenset[tuple[str, str]]:
        after = self._steps[number].after
        if number + 1 < len(self._steps) and self._steps[number + 1].after is after:
            return self._harmed(number + 1)
        if number not in self._after:
            found = harms(self._known, self._before, after)
            self._after[number] = frozenset((one.rule, one.where) for one in found)
        return self._after[number]


def _speaks_of(change: Change, harm: Harm) -> bool:
    table, _, part = harm.where.rpartition(".")
    return change.name in (harm.where, table) and (not change.part or change.part in (part, harm.where))


def _place(step: MigrationStep, change: Change) -> Place:
    return Place(step.place.file, change.line, change.column) if change.line else step.place


def _in_schema(catalog: Catalog, where: str) -> bool:
    if where in catalog.relations or where in catalog.enums or where in catalog.functions:
        return True
    table, _, column = where.rpartition(".")
    relation = catalog.relations.get(table)
    return relation is not None and relation.column(column) is not None


class _Teller(msgspec.Struct, frozen=True):
    """Harms as breaks: who breaks, where on the ramp, how surely."""

    alive: Alive
    seen: tuple[SeenStatement, ...]
    advice: Mapping[str, str]

    def of_stable(self, harm: Harm, place: Place) -> list[Break]:
        if harm.reads:
            stages = (*self.alive.mixed, *self._back(self.alive.mixed))
            return [self._break(harm, place, "canary", "stable", stages, Side.STABLE)] if stages else []
        stages = (*self.alive.stable, *self._back(self.alive.stable))
        return [self._break(harm, place, "stable", SCHEMA, stages, Side.STABLE)]

    def of_rows(self, harm: Harm, place: Place) -> list[Break]:
        in_place = "in place" in harm.message or harm.rule == "migration-rows-removed"
        if in_place:
            stages = (*self.alive.stable, *self._back(self.alive.stable))
            return [self._break(harm, place, "canary", "stable", stages, Side.STABLE)] if stages else []
        stages = self.alive.stable
        if not stages or not self.alive.canary:
            return []
        return [self._break(harm, place, "stable", "canary", stages, Side.STABLE)]

    def of_canary(self, harm: Harm, place: Place) -> list[Break]:
        weaker = msgspec.structs.replace(harm, severity=Severity.INFO)
        return [self._break(weaker, place, "canary", SCHEMA, self.alive.canary, Side.CANARY)]

    def of_lock(self, harm: Harm, place: Place) -> list[Break]:
        side = Side.STABLE if self.alive.stable[:1] == (self.alive.stage,) else Side.CANARY
        return [self._break(harm, place, str(side), SCHEMA, (self.alive.stage,), side)]

    def _back(self, told: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in self.alive.rollback if name not in told)

    def _break(self, harm: Harm, place: Place, writer: str, reader: str, stages: tuple[str, ...], side: Side) -> Break:
        severity, message = harm.severity, harm.message
        mine = [one for one in self.seen if one.side is side]
        touching = [one for one in mine if _touches(one.text, harm)]
        if mine and not touching and harm.names and harm.rule not in _LOCKS and severity is not Severity.INFO:
            severity = Severity.INFO
            message += f" (no statement seen of the {side} touches it)"
        serving = set(self.alive.stable)
        if not harm.reads and reader == SCHEMA and side is Side.STABLE and harm.rule not in _LOCKS and not serving:
            message += ", and a rollback brings the stable back"
        return Break(
            rule=harm.rule,
            id=fingerprint(harm.rule, harm.where, writer, reader, self.alive.stage),
            severity=severity,
            crossing=Crossing.STATE,
            writer=writer,
            reader=reader,
            operations=tuple(sorted({one.operation for one in touching if one.operation})),
            path=harm.where,
            message=message,
            stable=harm.known,
            canary=place,
            stages=tuple(dict.fromkeys(stages)),
            advice=harm.advice or self.advice.get(harm.rule, ""),
        )


def fingerprint(*parts: str) -> str:
    """An id that does not depend on lines.

    >>> fingerprint("migration-rename", "orders.price") == fingerprint("migration-rename", "orders.price")
    True
    """
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _touches(statement: str, harm: Harm) -> bool:
    plain = re.sub(r"'(?:[^']|'')*'", "''", statement.lower())
    words = set(re.findall(r"[a-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*", plain))
    first = re.match(r"\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*)*(\w+)", plain, re.S)
    verb = first.group(1) if first else ""
    if harm.verbs and verb not in harm.verbs and not (verb == "with" and set(harm.verbs) & words):
        return False
    if not harm.names or harm.names[0].lower() not in words:
        return not harm.names
    column = harm.names[1].lower() if len(harm.names) > 1 else ""
    if not column:
        return True
    if harm.rule == "migration-default-changed":
        return column not in words
    if harm.rule in ("migration-not-null", "migration-check-added") and verb == "insert":
        return True
    return column in words or re.search(r"\*\s*(?:,|from|$)|\.\*|returning\s+\*", plain) is not None or (
        verb == "insert" and re.search(r"into\s+[\w.\"]+\s+(values|select)", plain) is not None
    )  # fmt: skip
