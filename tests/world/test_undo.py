"""Whatever a service does to its tables, rewind tells it and takes it back."""

from __future__ import annotations

import asyncio

import asyncpg
import msgspec
import pytest
from stores_scene import Scene, scene

from crossfade.model.contract import Database
from crossfade.model.history import Delta, RowChange

SHOP = """
create type mood as enum ('sad', 'happy');
create extension if not exists hstore;
create table "Customer" (id serial primary key, "fullName" text unique not null, feeling mood, tags text[],
  extra hstore, document json, settings jsonb not null default 'null', picture bytea, born date, seen timestamptz,
  score float8, price numeric, span int4range, code uuid default gen_random_uuid());
create table line (customer int references "Customer" on delete cascade, place int, note text,
  primary key (customer, place));
create table numbered (id int generated always as identity primary key, half int,
  whole int generated always as (half * 2) stored);
create table loose (a int, b text);
create table part (id int, region text, primary key (id, region)) partition by list (region);
create table part_eu partition of part for values in ('eu');
create table part_us partition of part for values in ('us');
create table audit (n bigserial, what text);
create function note() returns trigger language plpgsql as
  $$ begin insert into audit (what) values (tg_op); return null; end $$;
create trigger noting after insert or update or delete on line for each row execute function note();
create table place (id int primary key, rank int unique deferrable initially immediate);
insert into "Customer" (id, "fullName", feeling, tags, extra, document, picture, born, seen, score, price, span)
  values
  (1, 'O''Neil \\ "x"', 'sad', '{a,NULL,"b c"}', 'k=>"v w"', '{"b":1,  "a":2}', '\\xdeadbeef', '2001-02-03', 'infinity',
   'NaN', 1.500, '[1,5)'),
  (2, 'Zoë', null, null, null, 'null', null, null, null, '-Infinity', 12345678901234567890.12, null),
  (3, 'nobody''s', null, null, null, '{}', null, null, null, 0.1, null, 'empty');
insert into line values (1, 1, 'first'), (1, 2, null), (2, 1, 'other');
insert into numbered (half) values (1), (2);
insert into loose values (1, 'x'), (1, 'x'), (null, null);
insert into part values (1, 'eu'), (2, 'us');
insert into place values (1, 1), (2, 2), (3, 3);
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with scene(tmp_path_factory.mktemp("undo"), [Database("db", "postgres")]) as opened:
        yield opened


@pytest.fixture
def shop(stage: Scene):
    stores = stage.stores(SHOP)
    yield stores
    stage.run(stores.drop())


def undone(stage: Scene, stores, *statements: str):
    """What rewind tells about the statements, after seeing that it brought everything back."""
    before = stage.run(stores.fingerprint())
    stage.sql(stores, *statements, "select 1")
    assert stage.run(stores.fingerprint()) != before
    changes = stage.run(stores.rewind())
    assert stage.run(stores.fingerprint()) == before
    assert stage.run(stores.rewind()).log == ()
    return changes


@pytest.mark.parametrize(
    "statement",
    [
        'update "Customer" set tags = null, extra = null, document = null, picture = null, seen = now(), score = 0',
        'delete from "Customer"',
        'update "Customer" set "fullName" = id, settings = \'{"a": [1, null]}\', price = 0, span = null',
        "insert into \"Customer\" (\"fullName\", seen) values ('new', '-infinity'), ('newer', now())",
        'update "Customer" set id = id + 10 where id = 3',
        "update line set place = place + 10; delete from line where customer = 2",
        "insert into numbered (half) values (7); update numbered set half = half + 1; delete from numbered where half=3",
        "delete from loose where ctid = (select min(ctid) from loose); insert into loose values (1, 'x'), (2, null)",
        "update loose set b = 'y' where a = 1",
        "delete from loose",
        "update part set region = 'us' where id = 1; insert into part values (3, 'eu')",
        "update place set rank = 4 - rank",
        "update place set id = id + 1 where id = 3; update place set id = 3 where id = 2",
        'truncate "Customer" cascade',
        "truncate part",
        "insert into loose select g, 'many' from generate_series(1, 500) g",
    ],
)
def test_every_kind_of_change_is_taken_back(stage: Scene, shop, statement: str) -> None:
    changes = undone(stage, shop, statement)
    assert changes.complete and changes.log


def test_a_delete_that_cascades_is_told_row_by_row(stage: Scene, shop) -> None:
    log = undone(stage, shop, 'delete from "Customer" where id = 1').log
    assert [(c.table, c.key) for c in log if c.table != "public.audit"] == [
        ("public.Customer", '{"id":1}'),
        ("public.line", '{"customer":1,"place":1}'),
        ("public.line", '{"customer":1,"place":2}'),
    ] or {c.table for c in log} == {"public.Customer", "public.line", "public.audit"}
    assert sum(c.table == "public.audit" for c in log) == 2


def test_a_change_is_told_with_its_row_key_and_time(stage: Scene, shop) -> None:
    log = undone(stage, shop, "update numbered set half = 5 where id = 41173 or half = 1").log
    (change,) = log
    row = msgspec.json.decode(change.after)
    assert (row["half"], row["whole"]) == (5, 10)
    assert change.key == msgspec.json.encode({"id": row["id"]}).decode()
    assert msgspec.json.decode(change.before)["half"] == 1
    assert change.at > 1_700_000_000


def test_a_new_key_is_a_delete_and_an_insert(stage: Scene, shop) -> None:
    log = undone(stage, shop, "update place set id = 9 where id = 3").log
    assert [(c.key, c.before is None, c.after is None) for c in log] == [
        ('{"id":3}', False, True),
        ('{"id":9}', True, False),
    ]


def test_what_was_rolled_back_or_written_unchanged_leaves_nothing(stage: Scene, shop) -> None:
    stage.sql(shop, "begin", "delete from loose", "rollback", "update place set rank = rank", "select 1")
    assert stage.run(shop.rewind()).log == ()


def test_ids_are_distinctive_and_never_given_twice(stage: Scene, shop) -> None:
    insert = 'insert into "Customer" ("fullName") values (\'n\') returning id'
    (first,) = stage.sql(shop, insert)[0]
    stage.run(shop.rewind())
    (second,) = stage.sql(shop, insert)[0]
    stage.run(shop.rewind())
    (other,) = stage.sql(shop, "insert into numbered (half) values (1) returning id")[0]
    assert second == first + 1
    assert first >= 41173 and abs(other - first) >= 7000
    stage.run(shop.rewind())


def test_a_big_truncate_is_restored_but_cannot_be_told(stage: Scene) -> None:
    stores = stage.stores("create table big as select g as id, 'v' || g as v from generate_series(1, 10001) g")
    changes = undone(stage, stores, "truncate big")
    assert (changes.complete, changes.restored, changes.log) == (False, True, ())
    assert "TRUNCATE of `big`" in changes.notes[0]
    stage.run(stores.drop())


def test_a_table_made_during_a_run_goes_away_and_is_told(stage: Scene, shop) -> None:
    changes = undone(stage, shop, "create table fresh (id int)", "insert into loose values (9, 'z')")
    assert (changes.complete, changes.restored, len(changes.log)) == (False, True, 1)
    assert changes.notes == ("CREATE TABLE `public.fresh`",)


def test_a_table_altered_during_a_run_asks_for_a_new_environment(stage: Scene, shop) -> None:
    stage.sql(shop, "insert into loose values (9, 'z')", "alter table loose add column c int", "select 1")
    changes = stage.run(shop.rewind())
    assert (changes.complete, changes.restored) == (False, False)


def test_temporary_tables_do_not_matter(stage: Scene, shop) -> None:
    stage.sql(
        shop, "create temp table mine as select 1 as a", "insert into mine values (2)", "drop table mine", "select 1"
    )
    assert stage.run(shop.rewind()).complete


def test_an_open_transaction_in_the_way_is_ended_and_noted(stage: Scene, shop) -> None:
    async def hold() -> None:
        writer = await asyncpg.connect(shop.urls["db"])
        await writer.execute("update place set rank = 30 where id = 3")
        holder = await asyncpg.connect(shop.urls["db"])
        await holder.execute("begin; select * from place where id = 3 for update")
        assert len((await shop.rewind()).log) == 1
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
            await holder.execute("select 1")
        await writer.close()
        holder.terminate()

    stage.run(hold())
    assert any("open transaction" in note for note in stage.notes)


def test_a_migration_does_not_wait_for_idle_transactions(stage: Scene, shop) -> None:
    async def migrate() -> None:
        holder = await asyncpg.connect(shop.urls["db"])
        await holder.execute("begin; select * from place")
        await shop.release()
        async with asyncio.timeout(20):
            async with shop.unblocking(stage.notes.append):
                await shop.databases["db"].run_sql("alter table place add column extra int", "m.sql")
        holder.terminate()

    stage.run(migrate())
    assert any("a migration waited for" in note for note in stage.notes)


def test_after_release_nothing_is_logged_until_the_next_checkpoint(stage: Scene, shop) -> None:
    stage.run(shop.release())
    stage.sql(
        shop,
        "insert into loose values (7, 'kept')",
        "alter table loose add column c int",
        "create table more (id serial primary key)",
        "select 1",
    )
    stage.run(shop.checkpoint())
    assert stage.run(shop.changes()).log == ()
    changes = undone(stage, shop, "insert into more default values; delete from loose")
    assert len(changes.log) == 5


def test_an_applied_delta_is_there_unlogged_and_gone_after_the_rewind(stage: Scene, shop) -> None:
    before = stage.run(shop.fingerprint())
    stage.sql(
        shop,
        'insert into "Customer" ("fullName", tags, extra, settings, picture, seen, price) '
        "values ('new', '{x,y}', 'a=>b', 'null', '\\x01', 'infinity', 1.10)",
        "update line set note = 'changed' where customer = 1; delete from place where id = 2",
        "delete from loose where a = 1; insert into loose values (5, 'five'), (5, 'five')",
        "select 1",
    )
    there = stage.run(shop.fingerprint())
    parked = stage.run(shop.rewind()).delta()
    assert stage.run(shop.fingerprint()) == before

    stage.run(shop.apply(parked))
    assert stage.run(shop.fingerprint()) == there
    assert stage.run(shop.changes()).log == ()
    stage.sql(shop, "update loose set b = 'six' where a = 5", "select 1")
    changes = stage.run(shop.rewind())
    assert stage.run(shop.fingerprint()) == before
    assert len(changes.log) == 4
    whole = changes.delta(parked)
    assert [row.after for row in whole.rows if row.table == "public.loose" and row.after] == ['{"a":5,"b":"six"}'] * 2
    assert [row for row in whole.rows if row.table != "public.loose"] == [
        row for row in parked.rows if row.table != "public.loose"
    ]


def test_unique_values_that_change_hands_can_be_applied(stage: Scene) -> None:
    stores = stage.stores(
        "create table seat (id int primary key, who text unique); insert into seat values (1, 'a'), (2, 'b')"
    )
    stage.sql(
        stores,
        "update seat set who = 'x' where id = 1; update seat set who = 'a' where id = 2",
        "update seat set who = 'b' where id = 1",
        "select 1",
    )
    parked = stage.run(stores.rewind()).delta()
    stage.run(stores.apply(parked))
    assert stage.run(stores.rows("select who from seat order by id")) == [["b"], ["a"]]
    stage.run(stores.rewind())
    assert stage.run(stores.rows("select who from seat order by id")) == [["a"], ["b"]]
    stage.run(stores.drop())


def test_rows_older_than_a_check_are_written_and_the_check_still_holds(stage: Scene) -> None:
    stores = stage.stores(
        "create table parcel (id int primary key, state text not null check (state <> ''));"
        "insert into parcel values (1, 'sent'), (2, 'sent'), (3, 'new');"
        "alter table parcel add constraint known check (state in ('new', 'shipped')) not valid"
    )
    look = "select id, state from parcel order by id"
    old = [[1, "sent"], [2, "sent"], [3, "new"]]
    stage.sql(stores, "delete from parcel where id = 1; update parcel set state = 'shipped' where id > 1", "select 1")
    stage.run(stores.rewind())
    assert stage.run(stores.rows(look)) == old
    stage.run(
        stores.apply(Delta((RowChange("db", "public.parcel", '{"id":4}', None, '{"id":4,"state":"sent"}', 0.0),)))
    )
    assert stage.run(stores.rows(look)) == [*old, [4, "sent"]]
    for values in ("(5, 'sent')", "(5, '')"):
        with pytest.raises(asyncpg.CheckViolationError):
            stage.sql(stores, f"insert into parcel values {values}")
    stage.run(stores.rewind())
    assert stage.run(stores.rows(look)) == old
    stage.run(stores.drop())


def test_applied_ids_are_not_given_again(stage: Scene, shop) -> None:
    image = '{"id":%d,"fullName":"far","settings":null}'
    delta = Delta((RowChange("db", "public.Customer", '{"id":90000}', None, image % 90000),))
    stage.run(shop.apply(delta))
    assert stage.sql(shop, 'insert into "Customer" ("fullName") values (\'n\') returning id') == [(90001,)]
    stage.run(shop.rewind())


def test_hundreds_of_rewinds_are_all_complete(stage: Scene, shop) -> None:
    async def often() -> list[int]:
        service = await asyncpg.connect(shop.urls["db"])
        sizes = []
        for number in range(320):
            await service.execute(
                f"insert into loose values ({number}, 'n'); update place set rank = rank + 10 where id = 1"
            )
            sizes.append(len((await shop.rewind()).log))
        await service.close()
        return sizes

    before = stage.run(shop.fingerprint())
    assert stage.run(often()) == [2] * 320
    assert stage.run(shop.fingerprint()) == before
