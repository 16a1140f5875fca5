"""Half-done scenarios over a migration: what a run changed before it, as the same change after it.

A delta is written into a scratch copy of the database before the migration, the migration runs there, and what then
differs from the migrated template is the delta's new form. Deltas that touch different rows share one scratch copy: a
changed row belongs to the delta that owns its key, or that owns the row its foreign keys point to. When a changed
row belongs to nobody (a total over all rows), the deltas go one by one. A migration that fails is repeated with halves
until it is known which delta makes it fail.

A migration may write the time of day or random values, so base rows differ without any delta; the columns in which they
do are learned from a migration of the base alone and do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from crossfade.model.history import Delta, KeyChange, RowChange
from crossfade.world import undo
from crossfade.world.migrations import MigrationFailed
from crossfade.world.servers import Servers
from crossfade.world.stores import Stores, all_of

BUCKETS = 256
LARGEST_BATCH = 200

Migrate = Callable[[Stores], Awaitable[None]]
Place = tuple[str, str, str]  # database, table, key
Sums = dict[tuple[str, int], tuple[int, int]]


class NotCarried(msgspec.Struct, frozen=True):
    """A delta that cannot be written before the migration, so nothing is known about it after."""

    reason: str


Carried = Delta | MigrationFailed | NotCarried


async def carry(
    servers: Servers,
    deltas: Sequence[Delta],
    template_before: str,
    template_after: str,
    migrate: Migrate,
    caches: bool = False,
) -> list[Carried]:
    """Each delta as it is after the migration, in order, or why there is none. `caches` tells that the migration works
    on Redis as well; otherwise keys pass unchanged."""
    kept = servers.kept.setdefault((template_before, template_after, caches), _Reference())
    assert isinstance(kept, _Reference)
    work = _Work(servers, tuple(deltas), template_before, template_after, migrate, caches, kept)
    waiting = []
    for index, delta in enumerate(deltas):
        if delta.rows or (caches and delta.keys):
            waiting.append(index)
        else:
            work.results[index] = delta
    while waiting:
        waiting = await work.batch(waiting[:LARGEST_BATCH]) + waiting[LARGEST_BATCH:]
    return [work.results[index] for index in range(len(deltas))]


class _Reference:
    """What is known of one migration: a copy of the migrated template, its sums, and the columns that are noise."""

    def __init__(self) -> None:
        self.stores: Stores | None = None
        self.sums: dict[str, Sums] = {}
        self.tables: dict[str, dict[str, undo.Table]] = {}
        self.noise: dict[tuple[str, str], frozenset[str]] | None = None


class _Work:
    """One call of `carry`: its deltas and the results so far."""

    def __init__(
        self,
        servers: Servers,
        deltas: tuple[Delta, ...],
        before: str,
        after: str,
        migrate: Migrate,
        caches: bool,
        reference: _Reference,
    ) -> None:
        self.results: dict[int, Carried] = {}
        self._servers = servers
        self._deltas = deltas
        self._before = before
        self._after = after
        self._migrate = migrate
        self._caches = caches
        self._reference = reference

    async def batch(self, wanted: Sequence[int]) -> list[int]:
        """Carries as many of the wanted deltas as fit into one scratch copy; returns those that did not fit."""
        together, later = self._without_collisions(wanted)
        scratch = await self._servers.create("scratch", self._before, self._caches)
        try:
            together, refused = await self._write(scratch, together)
            later = sorted({*later, *refused})
            if not together:
                return later
            try:
                await scratch.release()
                await self._migrate(scratch)
            except MigrationFailed as problem:
                await self._failed(together, problem)
                return later
            changes = await self._differences(scratch)
            keys = await self._key_differences(scratch) if self._caches else []
            owned = await self._owned(scratch, together, changes, keys)
        finally:
            await scratch.drop()
        if owned is None:  # a row that belongs to none of several deltas
            for index in together:
                later += await self.batch([index])
        else:
            self.results.update(owned)
        return later

    # ── before the migration ────────────────────────────────────────────────

    def _without_collisions(self, wanted: Sequence[int]) -> tuple[list[int], list[int]]:
        """The deltas that touch rows and keys nobody before them touches, and the rest."""
        taken: set[Place] = set()
        together, later = [], []
        for index in wanted:
            places = {(row.database, row.table, row.key) for row in self._deltas[index].rows}
            if self._caches:
                places |= {(key.database, "", key.key) for key in self._deltas[index].keys}
            if places & taken:
                later.append(index)
            else:
                taken |= places
                together.append(index)
        return together, later

    async def _write(self, scratch: Stores, wanted: list[int]) -> tuple[list[int], list[int]]:
        """Writes the deltas; those that cannot be written beside the others wait, one that cannot alone is given up."""
        problems: dict[int, str] = {}
        for name, database in scratch.databases.items():
            groups = [[row for row in self._deltas[index].rows if row.database == name] for index in wanted]
            if any(groups):
                for index, problem in zip(wanted, await database.put_each(groups), strict=True):
                    if problem:
                        problems.setdefault(index, problem)
        if self._caches:
            for name, cache in scratch.caches.items():
                for index in wanted:
                    if index not in problems:
                        await cache.apply([key for key in self._deltas[index].keys if key.database == name])
        if problems and len(wanted) == 1:
            self.results[wanted[0]] = NotCarried(problems[wanted[0]])
            return [], []
        if problems and len(scratch.databases) > 1:
            # half of a delta may stand in another database: start again with those that fit
            return [], self._apart(wanted, problems)
        return [index for index in wanted if index not in problems], sorted(problems)

    def _apart(self, wanted: list[int], problems: Mapping[int, str]) -> list[int]:
        for index in problems:
            self.results[index] = NotCarried(problems[index])
        return [index for index in wanted if index not in problems]

    async def _failed(self, together: list[int], problem: MigrationFailed) -> None:
        if len(together) == 1:
            self.results[together[0]] = problem
            return
        middle = len(together) // 2
        for half in (together[:middle], together[middle:]):
            rest = list(half)
            while rest:
                rest = await self.batch(rest)

    # ── after the migration ─────────────────────────────────────────────────

    async def _differences(self, scratch: Stores) -> list[RowChange]:
        """Rows in which the scratch copy differs from the migrated template (`before`)."""
        if self._reference.stores is None:
            self._reference.stores = await self._servers.create("reference", self._after, self._caches)
        sums = self._reference.sums
        found: list[RowChange] = []
        for name, database in scratch.databases.items():
            reference = self._reference.stores.databases[name]
            tables = await database.tables()
            if name in sums:
                here = await database.sums(BUCKETS, tables)
            else:
                self._reference.tables[name] = await reference.tables()
                wanted = reference.sums(BUCKETS, self._reference.tables[name])
                sums[name], here = await all_of(wanted, database.sums(BUCKETS, tables))
            reference_tables = self._reference.tables[name]
            places = {place for place in {*here, *sums[name]} if here.get(place) != sums[name].get(place)}
            for label in sorted({label for label, _ in places}):
                table = tables.get(label)
                if table is None or label not in reference_tables:
                    continue
                buckets = sorted(bucket for other, bucket in places if other == label)
                before, after = await all_of(
                    reference.images(reference_tables[label], buckets, BUCKETS),
                    database.images(table, buckets, BUCKETS),
                )
                found += _changed_rows(name, table, before, after)
        return found

    async def _key_differences(self, scratch: Stores) -> list[KeyChange]:
        assert self._reference.stores is not None
        found: list[KeyChange] = []
        for name, cache in scratch.caches.items():
            found += await cache.difference_to(await self._reference.stores.caches[name].snapshot())
        return found

    async def _owned(
        self, scratch: Stores, together: Sequence[int], changes: list[RowChange], keys: list[KeyChange]
    ) -> dict[int, Carried] | None:
        """The changes as one delta for each index, None when one of them belongs to nobody (and there are several)."""
        owner: dict[Place, int] = {}
        for index in together:
            owner |= {(row.database, row.table, row.key): index for row in self._deltas[index].rows}
            if self._caches:
                owner |= {(key.database, "", key.key): index for key in self._deltas[index].keys}
        strangers = [row for row in changes if (row.database, row.table, row.key) not in owner]
        if strangers:
            noise = await self._noise_columns()
            strangers = await self._without_noise(scratch, strangers, noise)
        mine: dict[int, list[RowChange]] = {index: [] for index in together}
        for row in changes:
            if (row.database, row.table, row.key) in owner:
                mine[owner[row.database, row.table, row.key]].append(row)
        if strangers and len(together) == 1:
            mine[together[0]] += strangers
            strangers = []
        while strangers:
            adopted = await self._adopted(scratch, strangers, owner)
            if not adopted:
                return None
            for row, index in adopted:
                mine[index].append(row)
                owner[row.database, row.table, row.key] = index
                strangers.remove(row)
        shared = {index: [key for key in keys if owner.get((key.database, "", key.key)) == index] for index in together}
        if self._caches and len(together) == 1:
            shared[together[0]] = keys
        elif self._caches and any((key.database, "", key.key) not in owner for key in keys):
            return None
        return {
            index: self._delta(self._deltas[index], mine[index], shared[index] if self._caches else None)
            for index in together
        }

    def _delta(self, old: Delta, rows: list[RowChange], keys: Sequence[KeyChange] | None) -> Delta:
        at = {(row.database, row.table, row.key): row.at for row in old.rows}
        last = max(at.values(), default=0.0)
        order = {place: number for number, place in enumerate(at)}

        def position(row: RowChange) -> tuple[int, str, str, str]:
            place = (row.database, row.table, row.key)
            return (order.get(place, len(order)), *place)

        timed = [
            msgspec.structs.replace(row, at=at.get((row.database, row.table, row.key), last))
            for row in sorted(rows, key=position)
        ]
        return Delta(tuple(timed), old.keys if keys is None else tuple(keys), old.complete)

    async def _adopted(
        self, scratch: Stores, strangers: Sequence[RowChange], owner: Mapping[Place, int]
    ) -> list[tuple[RowChange, int]]:
        """The rows whose foreign keys lead to rows of exactly one delta, and new rows that mention an id of one."""
        found = []
        ids = _distinct_ids(owner)
        for name, database in scratch.databases.items():
            links = await database.links()
            for row in (row for row in strangers if row.database == name):
                fields = _fields(row.after or row.before)
                owners = set()
                for link in links.get(row.table, ()):
                    key = {theirs: fields.get(ours) for ours, theirs in zip(link.columns, link.key, strict=True)}
                    owners.add(owner.get((name, link.table, msgspec.json.encode(key).decode())))
                if row.before is None and not owners - {None}:
                    owners = {ids.get(bytes(value)) for value in fields.values()}
                if len(owners - {None}) == 1:
                    found += [(row, index) for index in owners if index is not None]
        return found

    # ── noise ───────────────────────────────────────────────────────────────

    async def _noise_columns(self) -> dict[tuple[str, str], frozenset[str]]:
        """For each table the columns that come out differently when the base alone is migrated twice."""
        if self._reference.noise is None:
            scratch = await self._servers.create("scratch", self._before, self._caches)
            try:
                await scratch.release()
                await self._migrate(scratch)
                changes = await self._differences(scratch)
                tables = {name: await database.tables() for name, database in scratch.databases.items()}
            finally:
                await scratch.drop()
            noise: dict[tuple[str, str], set[str]] = {}
            gone: dict[tuple[str, str], list[dict[str, msgspec.Raw]]] = {}
            come: dict[tuple[str, str], list[dict[str, msgspec.Raw]]] = {}
            for row in changes:
                place = (row.database, row.table)
                before, after = _fields(row.before), _fields(row.after)
                if before and after:
                    noise.setdefault(place, set()).update(
                        column for column in {*before, *after} if before.get(column) != after.get(column)
                    )
                else:
                    (gone if before else come).setdefault(place, []).append(before or after)
            for place in gone.keys() & come.keys():
                columns = noise.setdefault(place, set())
                columns.update(tables[place[0]][place[1]].key)
                for column in gone[place][0]:
                    if Counter(bytes(row.get(column, b"")) for row in gone[place]) != Counter(
                        bytes(row.get(column, b"")) for row in come[place]
                    ):
                        columns.add(column)
            self._reference.noise = {place: frozenset(columns) for place, columns in noise.items()}
        return self._reference.noise

    async def _without_noise(
        self, scratch: Stores, rows: Sequence[RowChange], noise: Mapping[tuple[str, str], frozenset[str]]
    ) -> list[RowChange]:
        """Without the rows that are equal but for noise, also where noise is in their keys."""
        kept: list[RowChange] = []
        gone: dict[tuple[str, str, str], list[RowChange]] = {}
        come: list[tuple[tuple[str, str, str], RowChange]] = []
        for row in rows:
            columns = noise.get((row.database, row.table), frozenset())
            if not columns:
                kept.append(row)
                continue
            before, after = _masked(row.before, columns), _masked(row.after, columns)
            if before is not None and after is not None:
                if before != after:
                    kept.append(row)
            elif before is not None:
                gone.setdefault((row.database, row.table, before), []).append(row)
            else:
                come.append(((row.database, row.table, after or ""), row))
        for place, row in come:
            if gone.get(place):
                gone[place].pop()
            else:
                kept.append(row)
        return kept + [row for left in gone.values() for row in left]


def _changed_rows(name: str, table: undo.Table, before: Sequence[str], after: Sequence[str]) -> list[RowChange]:
    if not table.key:
        gone, come = Counter(before), Counter(after)
        return [
            *(RowChange(name, table.label, image, image, None) for image in sorted((gone - come).elements())),
            *(RowChange(name, table.label, image, None, image) for image in sorted((come - gone).elements())),
        ]
    old = {table.key_of(image): image for image in before}
    new = {table.key_of(image): image for image in after}
    return [
        RowChange(name, table.label, key, old.get(key), new.get(key))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _distinct_ids(owner: Mapping[Place, int]) -> dict[bytes, int]:
    """Values in keys that can only come from one delta: numbers from a sequence, uuids and other long texts."""
    owners: dict[bytes, set[int]] = {}
    for (_, table, key), index in owner.items():
        if not table:
            continue
        for value in map(bytes, _fields(key).values()):
            if (value.isdigit() and len(value) >= 5) or (value.startswith(b'"') and len(value) >= 18):
                owners.setdefault(value, set()).add(index)
    return {value: indexes.pop() for value, indexes in owners.items() if len(indexes) == 1}


def _fields(image: str | None) -> dict[str, msgspec.Raw]:
    return {} if image is None else msgspec.json.decode(image, type=dict[str, msgspec.Raw])


def _masked(image: str | None, columns: frozenset[str]) -> str | None:
    if image is None:
        return None
    return msgspec.json.encode({name: value for name, value in _fields(image).items() if name not in columns}).decode()
