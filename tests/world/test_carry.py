"""What a run changed before a migration is found again as it is after it."""

from __future__ import annotations

import msgspec
import pytest
import redis.asyncio as client
from stores_scene import Scene, scene

from crossfade.model.contract import Database
from crossfade.model.history import Delta
from crossfade.world.carry import NotCarried, carry
from crossfade.world.migrations import MigrationFailed

SCHEMA = """
create table customers (id serial primary key, name text unique not null);
create table orders (id serial primary key, customer int references customers, amount int not null);
create table events (id serial primary key, what text);
create table loose (word text);
insert into customers values (1, 'ann'), (2, 'bob');
insert into orders values (1, 1, 10), (2, 2, 20), (3, 2, 30);
insert into loose values ('x'), ('x');
"""
NEW_ORDER = (
    "with c as (insert into customers (name) values ('{0}') returning id)"
    " insert into orders (customer, amount) select id, {1} from c"
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    databases = [Database("db", "postgres", schema=("schema.sql",)), Database("cache", "redis")]
    with scene(tmp_path_factory.mktemp("carry"), databases, {"schema.sql": SCHEMA}) as opened:
        yield opened


@pytest.fixture(scope="module")
def main(stage: Scene):
    made = stage.run(stage.servers.create("main"))
    stage.run(made.checkpoint())
    return made


def delta(stage: Scene, main, *statements: str) -> Delta:
    stage.sql(main, *statements, "select 1")
    return stage.run(main.rewind()).delta()


class Carrying:
    """Carries deltas over one migration and counts how often it ran."""

    def __init__(self, stage: Scene, name: str, sql: str) -> None:
        self.stage, self.name, self.runs = stage, name, 0
        (stage.folder / f"{name}.sql").write_text(sql)

        async def templates() -> None:
            before = await stage.servers.create("before")
            await stage.servers.save_template(before, f"{name}-before")
            after = await stage.servers.create("after", f"{name}-before")
            await after.release()
            await after.run_sql([f"{name}.sql"])
            await stage.servers.save_template(after, f"{name}-after")

        stage.run(templates())

    def __call__(self, *deltas: Delta):
        async def migrate(stores) -> None:
            self.runs += 1
            await stores.run_sql([f"{self.name}.sql"])

        servers = self.stage.servers
        return self.stage.run(carry(servers, deltas, f"{self.name}-before", f"{self.name}-after", migrate))


def images(result: Delta, table: str) -> list[dict]:
    return [msgspec.json.decode(row.after) for row in result.rows if row.table == f"public.{table}" and row.after]


def test_many_deltas_cross_in_one_migration(stage: Scene, main) -> None:
    carrying = Carrying(
        stage,
        "expand",
        "alter table orders add column cents int; update orders set cents = amount * 100;"
        "create table prices (id serial primary key, order_id int references orders, price int);"
        "insert into prices (order_id, price) select id, amount from orders order by id;",
    )
    deltas = [delta(stage, main, NEW_ORDER.format(f"n{number}", number)) for number in range(8)]
    results = carrying(*deltas)
    assert [[row["cents"] for row in images(result, "orders")] for result in results] == [[100 * n] for n in range(8)]
    assert [[row["price"] for row in images(result, "prices")] for result in results] == [[n] for n in range(8)]
    assert [len(result.rows) for result in results] == [3] * 8
    assert carrying.runs <= 2  # one for the deltas, one to learn what is noise


def test_updates_and_deletes_cross_and_untouched_rows_are_not_in_the_delta(stage: Scene, main) -> None:
    carrying = Carrying(stage, "rename", "alter table orders rename column amount to total")
    changed = delta(stage, main, "update orders set amount = 11 where id = 1")
    removed = delta(stage, main, "delete from orders where id = 1")  # the same row: another scratch copy
    doubled = delta(stage, main, "insert into loose values ('x'), ('y'); update loose set word = 'z' where word = 'y'")
    results = carrying(changed, removed, doubled, Delta())
    assert [[(row.table, row.key, row.after) for row in result.rows] for result in results] == [
        [("public.orders", '{"id":1}', '{"id":1,"customer":1,"total":11}')],
        [("public.orders", '{"id":1}', None)],
        [("public.loose", '{"word":"x"}', '{"word":"x"}'), ("public.loose", '{"word":"z"}', '{"word":"z"}')],
        [],
    ]
    assert results[0].rows[0].before == '{"id":1,"customer":1,"total":10}'
    assert results[0].rows[0].at == changed.rows[0].at


def test_clocks_and_chance_in_a_migration_are_no_change(stage: Scene, main) -> None:
    carrying = Carrying(
        stage,
        "noisy",
        "alter table orders add column seen timestamptz not null default clock_timestamp(),"
        " add column code uuid not null default gen_random_uuid();"
        "create table tickets (id uuid primary key default gen_random_uuid(), order_id int);"
        "insert into tickets (order_id) select id from orders;",
    )
    deltas = [delta(stage, main, NEW_ORDER.format(f"k{number}", number)) for number in range(3)]
    results = carrying(*deltas)
    assert [sorted(row.table for row in result.rows) for result in results] == [
        ["public.customers", "public.orders", "public.tickets"]
    ] * 3
    assert images(results[1], "tickets")[0]["order_id"] == images(results[1], "orders")[0]["id"]


def test_a_total_over_all_rows_is_carried_one_by_one(stage: Scene, main) -> None:
    carrying = Carrying(
        stage,
        "total",
        "create table totals (customer int primary key, total int); "
        "insert into totals select customer, sum(amount) from orders group by 1",
    )
    deltas = [delta(stage, main, f"insert into orders (customer, amount) values (2, {amount})") for amount in (1, 2, 3)]
    results = carrying(*deltas)
    assert [images(result, "totals") for result in results] == [[{"customer": 2, "total": 50 + n}] for n in (1, 2, 3)]


def test_the_delta_that_makes_a_migration_fail_is_found(stage: Scene, main) -> None:
    carrying = Carrying(stage, "check", "-- negative amounts\nalter table orders add check (amount >= 0)")
    deltas = [delta(stage, main, NEW_ORDER.format(f"c{number}", number)) for number in (1, 2, -3, 4, 5)]
    results = carrying(*deltas)
    assert [isinstance(result, MigrationFailed) for result in results] == [False, False, True, False, False]
    assert "check.sql" in results[2].message and "orders_amount_check" in results[2].message


def test_deltas_with_the_same_unique_value_go_apart(stage: Scene, main) -> None:
    carrying = Carrying(stage, "unique", "alter table customers add column vip bool default false")
    deltas = [delta(stage, main, "insert into customers (name) values ('same')") for _ in range(3)]
    assert [images(result, "customers")[0]["vip"] for result in carrying(*deltas)] == [False] * 3


def test_a_delta_that_does_not_fit_is_not_carried(stage: Scene, main) -> None:
    carrying = Carrying(stage, "small", "select 1")
    good = delta(stage, main, "insert into customers (name) values ('fits')")
    wrong = msgspec.structs.replace(
        good, rows=tuple(msgspec.structs.replace(row, table="public.nowhere") for row in good.rows)
    )
    first, second = carrying(good, wrong)
    assert len(first.rows) == 1
    assert isinstance(second, NotCarried) and "no table public.nowhere" in second.reason


def test_ids_given_by_a_migration_are_the_same_whatever_ran_before(stage: Scene, main) -> None:
    carrying = Carrying(stage, "events", "insert into events (what) select 'paid ' || id from orders order by id")
    (result,) = carrying(delta(stage, main, "insert into events (what) values ('mine')", NEW_ORDER.format("e", 1)))
    assert sorted(row["what"][:4] for row in images(result, "events")) == ["mine", "paid"]
    assert len(result.rows) == 4 and all(row.before is None for row in result.rows)


def test_keys_pass_unchanged(stage: Scene, main) -> None:
    carrying = Carrying(stage, "keys", "select 1")

    async def cached() -> None:
        service = client.Redis.from_url(main.urls["cache"])
        await service.set("a", "1")
        await service.aclose()

    stage.run(cached())
    before = stage.run(main.rewind()).delta()
    assert carrying(before) == [before]
    assert carrying.runs == 0 and len(before.keys) == 1
