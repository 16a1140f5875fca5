"""Servers are found, started, attached and gone; environments are copies of templates."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
from stores_scene import Book, Scene, scene

from crossfade.errors import ContractError, EnvironmentFailed
from crossfade.model.contract import Database
from crossfade.world import postgres, sqltext
from crossfade.world.migrations import MigrationFailed
from crossfade.world.servers import open_servers

SCHEMA = "create table orders (id serial primary key, amount int);\ninsert into orders (amount) values (1), (2);\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    databases = [Database("db", "postgres", schema=("schema.sql",)), Database("second", "postgres")]
    with scene(tmp_path_factory.mktemp("postgres"), databases, {"schema.sql": SCHEMA}) as opened:
        yield opened


@pytest.fixture
def stores(stage: Scene):
    made = stage.run(stage.servers.create("test"))
    yield made
    stage.run(made.drop())


def test_environments_start_from_the_schema_and_do_not_share_rows(stage: Scene, stores) -> None:
    other = stage.run(stage.servers.create("other"))
    assert stage.run(stores.fingerprint()) == stage.run(other.fingerprint())
    stage.sql(stores, "insert into orders (amount) values (3)", "select 1")
    assert stage.run(stores.rows("select amount from orders order by id", "db")) == [[1], [2], [3]]
    assert stage.run(other.rows("select count(*), max(amount) from orders", "db")) == [[2, 2]]
    assert stage.run(stores.fingerprint()) != stage.run(other.fingerprint())
    stage.run(other.drop())


def test_a_saved_template_is_copied_with_content_and_without_the_undo_log(stage: Scene) -> None:
    stores = stage.run(stage.servers.create("before"))
    stage.run(stores.checkpoint())
    stage.sql(stores, "alter table orders add column currency text default 'EUR'", "select 1")
    stage.run(stage.servers.save_template(stores, "expanded"))
    copy = stage.run(stage.servers.create("after", "expanded"))
    assert stage.run(copy.rows("select currency from orders", "db")) == [["EUR"], ["EUR"]]
    assert stage.run(copy.rows("select to_regnamespace('crossfade')::text", "db")) == [[None]]
    stage.run(copy.checkpoint())
    stage.sql(copy, "delete from orders", "select 1")
    assert len(stage.run(copy.rewind()).log) == 2
    stage.run(copy.drop())


def test_values_of_every_kind_become_json(stage: Scene, stores) -> None:
    sql = """select 1::int8, 1.50::numeric, 3::numeric, 'NaN'::float8, true, null, '{1,2}'::int[],
             '{"a": 1}'::jsonb::text,
             date '2020-01-02', '\\x00ff'::bytea, row(1, 'x'), interval '1 hour'"""
    assert stage.run(stores.rows(sql, "db")) == [
        [1, 1.5, 3, "nan", True, None, [1, 2], '{"a": 1}', "2020-01-02", "\\x00ff", [1, "x"], "1:00:00"]
    ]


def test_a_failing_migration_names_file_and_line_and_changes_nothing(stage: Scene, stores) -> None:
    (stage.folder / "m.sql").write_text("create table a (id int);\n\n-- fine\ninsert into a select nothing;\n")
    with pytest.raises(MigrationFailed, match=r'm\.sql:4: column "nothing" does not exist'):
        stage.run(stores.run_sql(["m.sql"], "db"))
    assert stage.run(stores.rows("select to_regclass('a')::text", "db")) == [[None]]


def test_a_migration_whose_statements_must_stand_alone_runs(stage: Scene, stores) -> None:
    (stage.folder / "alone.sql").write_text(
        """\\restrict abc
        create type mood as enum ('a;b'); alter type mood add value 'c'; /* ; */
        create index concurrently on orders (amount);
        create function f() returns int language sql begin atomic select case when true then 1 end; end;
        do $x$ begin perform 1; end $x$;
        create table moods (m mood default 'c')"""
    )
    stage.run(stores.run_sql(["alone.sql"], "db"))
    assert stage.run(stores.rows("select f(), count(*) from moods", "db")) == [[1, 0]]


def test_queries_go_on_after_a_migration_changed_their_columns(stage: Scene, stores) -> None:
    (stage.folder / "wider.sql").write_text("alter table orders alter amount type text, add column extra int")
    assert stage.run(stores.rows("select * from orders limit 1", "db")) == [[1, 1]]
    stage.run(stores.run_sql(["wider.sql"], "db"))
    assert stage.run(stores.rows("select * from orders limit 1", "db")) == [[1, "1", None]]


def test_a_schema_that_does_not_load_is_told_with_its_line(tmp_path: Path) -> None:
    databases = [Database("db", "postgres", schema=("bad.sql",))]
    with scene(tmp_path, databases, {"bad.sql": "create table a (id int);\ncreate tabel b (id int);\n"}) as stage:
        with pytest.raises(ContractError) as caught:
            stage.run(stage.servers.create("x"))
    assert (caught.value.where, "syntax error" in caught.value.message) == ("bad.sql:2", True)


def test_statements_are_split_where_they_end() -> None:
    text = "select ';' as \"a;b\"; -- no; \n/* ; /* ; */ ; */ select $$;$$, $t$ $$;$$ $t$, E'\\';'; ;;\n select (1;2)"
    assert [sql for _, sql in sqltext.statements(text)] == [
        "select ';' as \"a;b\"",
        "-- no; \n/* ; /* ; */ ; */ select $$;$$, $t$ $$;$$ $t$, E'\\';'",
        "select (1;2)",
    ]


def test_a_given_server_gets_databases_of_our_own_which_are_dropped(stage: Scene, stores, tmp_path: Path) -> None:
    url = stage.servers._postgres["db"].admin_url
    databases = [Database("db", "postgres", url=url, schema=("schema.sql",))]
    with scene(tmp_path, databases, {"schema.sql": SCHEMA}) as guest:
        made = guest.run(guest.servers.create("test"))
        guest.run(made.checkpoint())
        guest.sql(made, "delete from orders", "select 1")
        assert len(guest.run(made.rewind()).log) == 2
        names = stage.sql(stores, "select datname from pg_database")
    assert len(stage.sql(stores, "select datname from pg_database")) == len(names) - 2


def test_an_ordinary_role_of_a_given_server_is_enough(stage: Scene, stores, tmp_path: Path) -> None:
    admin = stage.servers._postgres["db"].admin_url
    stage.sql(
        stores, "create role maker login createdb password 'x'", "create role poor login password 'x'", "select 1"
    )
    schema = (
        SCHEMA
        + "create table lines (orders int references orders on delete cascade, n int);insert into lines values (1, 1);"
    )
    databases = [
        Database("db", "postgres", url=admin.replace("postgres:postgres@", "maker:x@"), schema=("schema.sql",))
    ]
    with scene(tmp_path, databases, {"schema.sql": schema}) as guest:
        made = guest.run(guest.servers.create("test"))
        guest.run(made.checkpoint())
        before = guest.run(made.fingerprint())
        guest.sql(made, "delete from orders; insert into orders (amount) values (5)", "select 1")
        changes = guest.run(made.rewind())
        assert (len(changes.log), changes.notes, guest.run(made.fingerprint()) == before) == (4, (), True)
        guest.run(made.apply(changes.delta()))
        assert guest.run(made.rows("select amount from orders")) == [[5]]
        guest.run(made.rewind())
        assert guest.run(made.fingerprint()) == before
    with pytest.raises(ContractError, match="role `poor` of database `db` may not create databases"):
        with scene(tmp_path, [Database("db", "postgres", url=admin.replace("postgres:postgres@", "poor:x@"))]):
            pass


def test_an_address_where_nobody_answers_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="database `db` cannot be reached"):
        with scene(tmp_path, [Database("db", "postgres", url="postgresql://a:b@127.0.0.1:1/x")]):
            pass


def test_a_killed_server_is_an_environment_failure_and_leaves_nothing(tmp_path: Path) -> None:
    with scene(tmp_path, [Database("db", "postgres", schema=("s.sql",))], {"s.sql": SCHEMA}) as stage:
        stores = stage.run(stage.servers.create("test"))
        stage.run(stores.checkpoint())
        (pid,) = (entry[1] for entry in stage.book.open if entry[0] == "process")
        places = [entry[1] for entry in stage.book.open if entry[0] == "directory"]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EnvironmentFailed, match="database `db` died"):
            stage.run(_soon(stores.rewind))
        assert "database `db` died" in stage.run(stage.servers.alive())
    assert not any(place.exists() for place in places)


async def _soon(work):
    await asyncio.sleep(0.2)
    return await work()


def test_cancelling_stops_the_servers(tmp_path: Path) -> None:
    book = Book()

    async def work() -> None:
        async with open_servers([Database("db", "postgres")], tmp_path, tmp_path, tmp_path, book, "c", print):
            await asyncio.sleep(60)

    async def cancelled() -> list[int]:
        task = asyncio.create_task(work())
        async with asyncio.timeout(30):
            while not any(entry[0] == "process" for entry in book.open):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        pids = [entry[1] for entry in book.open if entry[0] == "process"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pids

    pids = asyncio.run(cancelled())
    assert not any(psutil.pid_exists(pid) for pid in pids) and book.open == set()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux")
def test_a_server_ends_when_crossfade_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import asyncio, sys
        from pathlib import Path
        from crossfade.model.contract import Database
        from crossfade.world.servers import open_servers
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from stores_scene import Book
        async def main():
            book, here = Book(), Path({str(tmp_path)!r})
            databases = [Database("db", "postgres"), Database("cache", "redis")]
            async with open_servers(databases, here, here, here, book, "k", print):
                print(*(entry[1] for entry in book.open if entry[0] == "process"), flush=True)
                print(*(entry[1] for entry in book.open if entry[0] == "directory"), flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
        """
    )
    victim = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in victim.stdout.readline().split()]
    folders = victim.stdout.readline().split()
    victim.kill()
    victim.wait()
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    for folder in folders:
        subprocess.run(["rm", "-rf", folder], check=True)
    assert len(pids) == 2 and not any(psutil.pid_exists(pid) for pid in pids)


def test_the_wanted_major_version_wins_and_another_one_is_noted() -> None:
    notes: list[str] = []
    anything = postgres.find_binaries(None, notes.append)
    assert postgres.find_binaries(anything.major, notes.append).major == anything.major
    assert notes == []
    postgres.find_binaries("9", notes.append)
    assert "PostgreSQL 9 is not here" in notes[0]


def test_a_connection_of_a_service_does_not_stop_a_drop(stage: Scene) -> None:
    stores = stage.run(stage.servers.create("busy"))

    async def hold() -> None:
        service = await asyncpg.connect(stores.urls["db"])
        await service.execute("begin; select * from orders")
        await stores.drop()
        service.terminate()
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await asyncpg.connect(stores.urls["db"])

    stage.run(hold())
