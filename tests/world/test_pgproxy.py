"""The PostgreSQL proxy against a real server: drivers do not notice it, turns wait, autocommit is divided."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import io
import json
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from stores_scene import Scene, scene

from crossfade.errors import EnvironmentFailed
from crossfade.model.contract import Database
from crossfade.world.pgproxy import PostgresProxy, target
from crossfade.world.turns import Gate, Turn

NODE_PG = Path(__file__).parents[2] / "zoo/node/node_modules/pg"
SCHEMA = """
create table accounts (id int primary key, balance int not null, owner text);
insert into accounts values (1, 100, 'ada'), (2, 50, 'bob');
create table members (name text, constraint once unique (name) deferrable initially deferred);
insert into members values ('ada');
create function touch(int) returns int language sql as 'update accounts set balance = balance + 1 where id = $1
 returning balance';
"""


class Held:
    """Holds what `holds` says; the rest goes at once. `turns`: all, in the order they came; `done`: as they finished."""

    directs = True

    def __init__(self, gate: Gate, holds: Callable[[Turn], bool] = lambda turn: True) -> None:
        self.gate = gate
        self.holds = holds
        self.turns: list[Turn] = []
        self.done: list[Turn] = []
        self._news = asyncio.Event()

    def arrived(self, turn: Turn) -> bool:
        self.turns.append(turn)
        self._news.set()
        return self.holds(turn)

    def finished(self, turn: Turn) -> None:
        self.done.append(turn)
        self._news.set()

    async def turn(self, text: str) -> Turn:
        """The first turn with this in its text that has not been released."""
        return await self.until(lambda: next((t for t in self.turns if text in t.text and not t.released), None))

    async def go(self, text: str) -> Turn:
        """Releases it and waits until it is finished."""
        turn = await self.turn(text)
        self.gate.release(turn)
        return await self.until(lambda: turn if turn.finished else None)

    async def until(self, there: Callable[[], Turn | None]) -> Turn:
        async with asyncio.timeout(20):
            while (turn := there()) is None:
                self._news.clear()
                await self._news.wait()
        return turn

    def told(self) -> list[tuple[str, str, str]]:
        return [(turn.kind, turn.text, turn.result or turn.error) for turn in self.done]


class Raw:
    """A driver by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.pid = 0

    @classmethod
    async def connect(cls, url: str) -> Raw:
        parts = urlsplit(url)
        raw = cls(*await asyncio.open_connection(parts.hostname, parts.port))
        login = f"user\0{parts.username}\0database\0{parts.path[1:]}\0\0".encode()
        raw.writer.write(struct.pack(">II", len(login) + 8, 196608) + login)
        answer = await raw.until("Z")
        raw.pid = next(int.from_bytes(body[:4], "big") for kind, body in answer if kind == "K")
        return raw

    def send(self, *messages: bytes) -> None:
        self.writer.write(b"".join(messages))

    async def read(self) -> tuple[str, bytes]:
        async with asyncio.timeout(20):
            head = await self.reader.readexactly(5)
            return chr(head[0]), await self.reader.readexactly(int.from_bytes(head[1:], "big") - 4)

    async def until(self, kind: str, count: int = 1) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        while sum(one == kind for one, _ in found) < count:
            found.append(await self.read())
        return found

    async def kinds(self, last: str, count: int = 1) -> str:
        return "".join(kind for kind, _ in await self.until(last, count))

    def close(self) -> None:
        self.writer.close()


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def parse(sql: str, name: str = "") -> bytes:
    return message("P", f"{name}\0{sql}\0".encode() + b"\0\0")


def bind(*values: str, portal: str = "", name: str = "") -> bytes:
    data = b"".join(struct.pack(">i", len(value)) + value.encode() for value in values)
    return message("B", f"{portal}\0{name}\0".encode() + struct.pack(">HH", 0, len(values)) + data + b"\0\0")


def query(sql: str) -> bytes:
    return message("Q", sql.encode() + b"\0")


DESCRIBE, EXECUTE, SYNC, FLUSH = message("D", b"P\0"), message("E", b"\0" + bytes(4)), message("S"), message("H")


def begin(status: list[tuple[str, bytes]]) -> str:
    """The transaction status in the last ReadyForQuery."""
    return status[-1][1].decode()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with scene(tmp_path_factory.mktemp("proxy"), [Database("db", "postgres")]) as opened:
        yield opened


@pytest.fixture
def url(stage: Scene):
    stores = stage.stores(SCHEMA)
    yield stores.urls["db"]
    stage.run(stores.drop())


@contextlib.asynccontextmanager
async def proxied(url: str, gate: Gate) -> AsyncIterator[PostgresProxy]:
    proxy = await PostgresProxy.start(gate, "shop 1", "db", url)
    try:
        yield proxy
    finally:
        gate.open()
        await proxy.close()
        assert proxy.pids == frozenset()


def modes() -> Any:
    return pytest.mark.parametrize("mode", ["passing", "heard", "divided"])


def gate_of(mode: str) -> Gate:
    gate = Gate()
    if mode != "passing":
        gate.listener = Held(gate, lambda turn: False)
        gate.split = lambda store, text: mode == "divided"
    return gate


def hearing(mode: str) -> tuple[Gate, Held]:
    gate = gate_of(mode)
    assert isinstance(gate.listener, Held)
    return gate, gate.listener


@modes()
def test_asyncpg_does_not_notice(stage: Scene, url: str, mode: str) -> None:
    async def work() -> None:
        async with proxied(url, gate_of(mode)) as proxy:
            one = await asyncpg.connect(proxy.url)
            await everything_of_asyncpg(one, proxy.url)
            assert proxy.pids == {one.get_server_pid()}
            await one.close()

    stage.run(work())


async def everything_of_asyncpg(one: asyncpg.Connection, url: str) -> None:
    await one.execute("create table t (id int primary key, name text, price numeric)")
    await one.execute("insert into t values ($1, $2, $3)", 1, "ada", decimal.Decimal("12.50"))
    assert tuple(await one.fetchrow("select * from t where id = $1", 1)) == (1, "ada", decimal.Decimal("12.50"))
    async with one.transaction():
        assert [row[0] async for row in one.cursor("select * from generate_series(1, 120)")] == list(range(1, 121))
        with pytest.raises(asyncpg.UniqueViolationError):
            async with one.transaction():
                await one.execute("insert into t values (1)")
        assert await one.fetchval("select count(*) from t") == 1
    await one.executemany("insert into t values ($1, $2)", [(number, "x") for number in range(2, 50)])
    await one.copy_records_to_table("t", records=[(number, "y" * 100, 1) for number in range(100, 5100)])
    out = io.BytesIO()
    await one.copy_from_table("t", output=out)
    assert out.getvalue().count(b"\n") == 5049
    with pytest.raises(asyncpg.UniqueViolationError):
        await one.copy_records_to_table("t", records=[(1, "again", 1)])
    with pytest.raises(asyncpg.UndefinedTableError):
        await one.fetch("select * from nothing where a = $1", 1)
    with pytest.raises(TimeoutError):
        await one.execute("select pg_sleep(30)", timeout=0.2)
    assert await one.fetchval("select length($1::text)", "z" * 5_000_000) == 5_000_000
    assert len(await one.fetchval("select repeat('z', 20000000)")) == 20_000_000
    assert await (await one.prepare("select $1::int + 1")).fetchval(4) == 5
    heard: asyncio.Queue[str] = asyncio.Queue()
    await one.add_listener("news", lambda connection, pid, channel, payload: heard.put_nowait(payload))
    async with asyncpg.create_pool(url, min_size=2, max_size=3) as pool:
        await asyncio.gather(*(pool.execute("update t set price = price + 1 where id = 1") for _ in range(12)))
        async with pool.acquire() as two:
            await two.execute("notify news, 'hello'")
    assert await asyncio.wait_for(heard.get(), 20) == "hello"
    assert await one.fetchval("select price from t where id = 1") == decimal.Decimal("24.50")
    assert await one.fetch("select * from pg_prepared_statements where name = 'crossfade'") == []


@modes()
@pytest.mark.skipif(not (NODE_PG.exists() and shutil.which("node")), reason="Node and its client are not here")
def test_node_does_not_notice(stage: Scene, url: str, mode: str) -> None:
    script = """
        const { Pool } = require(process.argv[1]);
        (async () => {
          const pool = new Pool({ connectionString: process.argv[2], max: 2 });
          const one = await pool.connect(), said = [];
          await one.query('begin');
          await one.query('update accounts set balance = balance - $1 where id = $2', [30, 1]);
          const named = { name: 'n', text: 'select balance from accounts where id = $1', values: [1] };
          for (let i = 0; i < 2; i++) said.push((await one.query(named)).rows[0].balance);
          await one.query('commit');
          await one.query('insert into accounts values ($1, 1)', [1]).catch((error) => said.push(error.code));
          const many = ['select 1 as a', 'select balance as a from accounts where id = 2', 'select 3 as a'];
          for (const answer of await Promise.all(many.map((sql) => one.query(sql)))) said.push(answer.rows[0].a);
          one.release();
          await pool.end();
          console.log(JSON.stringify(said));
        })();
    """

    async def work() -> None:
        async with proxied(url, gate_of(mode)) as proxy:
            command = ["node", "-e", script, str(NODE_PG), proxy.url]
            ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
            assert ended.stderr == ""
            assert json.loads(ended.stdout) == [70, 70, "23505", 1, 50, 3]

    stage.run(work())


def test_a_held_statement_waits_and_holds_no_other_connection(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = Gate()
        async with proxied(url, gate) as proxy:
            one, two = await asyncpg.connect(proxy.url), await asyncpg.connect(proxy.url)
            held = gate.listener = Held(gate, lambda turn: "id = 1" in turn.text)
            update = asyncio.create_task(one.execute("update accounts set balance = 0 where id = 1"))
            turn = await held.turn("update")
            assert await two.fetchval("select balance from accounts where owner = $1", "ada") == 100
            assert (turn.actor, turn.store, turn.pid, turn.kind) == ("shop 1", "db", one.get_server_pid(), "statement")
            assert (turn.released, turn.connection, held.done[-1].connection) == (False, 1, 2)
            await held.go("update")
            assert await update == "UPDATE 1"
            assert await two.fetchval("select balance from accounts where owner = $1", "ada") == 0
            await one.close()
            await two.close()

    stage.run(work())


def test_turns_carry_values_results_and_what_they_do_to_the_transaction(stage: Scene, url: str) -> None:
    async def work() -> list[tuple[Any, ...]]:
        gate, held = hearing("heard")
        async with proxied(url, gate) as proxy:
            one = await asyncpg.connect(proxy.url)
            for _ in range(2):  # the second time everything is prepared
                async with one.transaction():
                    await one.fetchval("select 1")
                    await one.fetchrow("select balance, owner from accounts where id = $1 for update", 1)
                    await one.execute("update accounts set balance = $1, owner = $2 where id = 1", 70, "a" * 70)
            async with one.transaction():
                await one.fetchval("select current_setting('search_path')")
            with pytest.raises(asyncpg.DivisionByZeroError):
                await one.execute("select 1 / (balance - 50) from accounts")
            await one.fetch("select touch(2)")
            await one.close()
        return [
            (t.kind, t.text.partition(" where")[0], t.values, t.result or t.error, t.began, t.open_transaction)
            for t in held.done
        ]

    select, update = "select balance, owner from accounts", "update accounts set balance = $1, owner = $2"
    long = "a" * 57 + "..."
    assert stage.run(work()) == [
        ("statement", select, ("1",), "1 row: balance=100, owner=ada", True, True),
        ("statement", update, ("70", long), "UPDATE 1", False, True),
        ("commit", "COMMIT;", (), "COMMIT", False, False),
        ("statement", select, ("1",), f"1 row: balance=70, owner={long}", True, True),
        ("statement", update, ("70", long), "UPDATE 1", False, True),
        ("commit", "COMMIT;", (), "COMMIT", False, False),
        ("statement", "select 1 / (balance - 50) from accounts", (), "22012 division by zero", True, False),
        ("statement", "select touch(2)", (), "1 row: touch=51", True, False),
    ]


def test_nobody_sees_a_divided_statement_before_its_commit_goes(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = Gate()
        gate.split = lambda store, text: text.startswith("update")
        async with proxied(url, gate) as proxy:
            one, other = await asyncpg.connect(proxy.url), await asyncpg.connect(url)
            held = gate.listener = Held(gate)
            balance = "select balance from accounts where id = 1"
            for sql, args in (
                ("update accounts set balance = $1 where id = 1", [7]),
                ("update accounts set balance=8", []),
            ):
                before = await other.fetchval(balance)
                update = asyncio.create_task(one.execute(sql, *args))
                turn = await held.go("update")
                assert (turn.split, turn.began, turn.open_transaction) == (True, True, True)
                assert await other.fetchval(balance) == before
                commit = await held.turn("COMMIT")
                assert (commit.kind, commit.pid, update.done()) == ("commit", one.get_server_pid(), False)
                assert (await held.go("COMMIT")).result == "COMMIT"
                assert (await update).startswith("UPDATE ")
            assert await other.fetchval(balance) == 8
            assert one.is_in_transaction() is False
            gate.open()
            await one.close()
            await other.close()

    stage.run(work())


def test_a_divided_statement_that_fails_is_rolled_back_unseen(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate, held = hearing("divided")
        async with proxied(url, gate) as proxy:
            raw = await Raw.connect(proxy.url)
            raw.send(query("insert into accounts values (1, 1)"))
            answer = await raw.until("Z")
            assert ("".join(kind for kind, _ in answer), begin(answer)) == ("EZ", "I")
            raw.send(parse("insert into accounts values ($1, 1)"), bind("1"), DESCRIBE, EXECUTE, SYNC)
            answer = await raw.until("Z")
            assert ("".join(kind for kind, _ in answer), begin(answer)) == ("12nEZ", "I")
            raw.send(bind("3"), EXECUTE, SYNC)  # the unnamed statement is still the client's
            assert await raw.kinds("Z") == "2CZ"
            raw.close()
        assert [(t.kind, t.split, t.error[:5], t.open_transaction) for t in held.done] == [
            ("statement", True, "23505", False),
            ("statement", True, "23505", False),
            ("statement", True, "", True),
            ("commit", False, "", False),
        ]

    stage.run(work())


def test_what_only_the_commit_refuses_reaches_the_client(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate, held = hearing("divided")
        async with proxied(url, gate) as proxy:
            one = await asyncpg.connect(proxy.url)
            for _ in range(2):
                with pytest.raises(asyncpg.UniqueViolationError, match="once"):
                    await one.execute("insert into members values ($1)", "ada")
                assert await one.fetchval("select count(*) from members") == 1
            await one.close()
        shown = [(turn.kind, turn.result or turn.error[:5]) for turn in held.done]
        assert (
            shown
            == [("statement", "INSERT 0 1"), ("commit", "23505"), ("statement", "1 row: count=1"), ("commit", "COMMIT")]
            * 2
        )

    stage.run(work())


def test_a_pipeline_without_sync_is_answered_message_by_message(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate, held = hearing("heard")
        async with proxied(url, gate) as proxy:
            raw = await Raw.connect(proxy.url)
            update = parse("update accounts set balance = balance + $1 where id = 1 returning balance")
            raw.send(update, bind("1"), DESCRIBE, EXECUTE, FLUSH)
            assert await raw.kinds("C") == "12TDC"
            assert await asyncpg_value(url, "select balance from accounts where id = 1") == 100
            raw.send(update, bind("2"), DESCRIBE, EXECUTE, FLUSH, SYNC)
            assert await raw.kinds("Z") == "12TDCZ"
            assert await asyncpg_value(url, "select balance from accounts where id = 1") == 103
            raw.send(
                parse("select nothing from accounts"), bind(), EXECUTE, FLUSH, parse("select 1"), bind(), EXECUTE, SYNC
            )
            assert await raw.kinds("Z") == "EZ"
            raw.send(parse("begin"), bind(), EXECUTE, update, bind("3"), DESCRIBE, EXECUTE, FLUSH)
            await raw.until("C", 2)
            raw.send(parse("commit"), bind(), EXECUTE, SYNC)
            assert await raw.kinds("Z") == "12CZ"
            raw.close()
        assert [(t.kind, t.values, t.result or t.error[:5], t.began, t.open_transaction) for t in held.done] == [
            ("statement", ("1",), "UPDATE 1: balance=101", True, True),
            ("statement", ("2",), "UPDATE 1: balance=103", False, True),
            ("commit", (), "", False, False),
            ("statement", (), "42703", True, False),
            ("statement", ("3",), "UPDATE 1: balance=106", True, True),
            ("commit", (), "COMMIT", False, False),
        ]

    stage.run(work())


async def asyncpg_value(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@modes()
def test_copy_by_extended_protocol_ignores_the_first_sync(stage: Scene, url: str, mode: str) -> None:
    async def work() -> None:
        gate = gate_of(mode)
        async with proxied(url, gate) as proxy:
            raw = await Raw.connect(proxy.url)
            start = [parse("copy accounts from stdin"), bind(), DESCRIBE, EXECUTE, SYNC]
            raw.send(*start)
            assert await raw.kinds("G") == "12nG"
            raw.send(*(message("d", f"{number}\t1\tx\n".encode()) for number in range(10, 3010)), message("c"), SYNC)
            assert await raw.kinds("Z") == "CZ"
            raw.send(*start)
            await raw.until("G")
            raw.send(message("d", b"1\t1\tagain\n"), message("c"), SYNC)
            assert await raw.kinds("Z") == "EZ"
            raw.send(*start)
            await raw.until("G")
            raw.send(message("f", b"given up\0"), SYNC)
            assert await raw.kinds("Z") == "EZ"
            raw.send(query("select count(*) from accounts"))
            assert await raw.kinds("Z") == "TDCZ"
            raw.close()
        assert await asyncpg_value(url, "select count(*) from accounts") == 3002

    stage.run(work())


def test_pipelined_turns_go_one_after_the_other(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = Gate()
        async with proxied(url, gate) as proxy:
            raw = await Raw.connect(proxy.url)
            held = gate.listener = Held(gate)
            add = parse("update accounts set balance = balance + $1 where id = 1", "add")
            raw.send(
                add, SYNC, *(part for n in "123" for part in (bind(n, name="add"), EXECUTE, SYNC)), query("select 1")
            )
            assert await raw.kinds("Z") == "1Z"
            for value in "123":
                turn = await held.turn("update")
                assert (turn.values, len(held.turns)) == ((value,), int(value))
                await held.go("update")
            assert await raw.kinds("Z", 4) == "2CZ" * 3 + "TDCZ"
            raw.close()

    stage.run(work())


def test_directing_may_begin_and_end_in_the_middle(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = Gate()
        async with proxied(url, gate) as proxy:
            raw = await Raw.connect(proxy.url)
            raw.send(parse("select id from accounts order by id", "s"), message("D", b"Ss\0"), SYNC)
            await raw.until("Z")
            raw.send(query("begin"), query("update accounts set balance = 1 where id = 2"))
            await raw.until("Z", 2)
            raw.send(bind(portal="p", name="s"), message("E", b"p\0" + struct.pack(">i", 1)), SYNC, bind(name="s"))
            assert await raw.kinds("Z") == "2DsZ"
            held = gate.listener = Held(gate)
            raw.send(message("E", b"p\0" + bytes(4)), SYNC)
            assert (await held.go("select id")).result == "1 row: id=2"
            assert await raw.kinds("Z") == "2DCZ"
            raw.send(query("commit"))
            assert (await held.turn("commit")).kind == "commit"
            raw.send(query("update accounts set balance = 9"))
            gate.open()
            assert await raw.kinds("Z", 2) == "CZCZ"
            raw.close()

    stage.run(work())


def test_a_connection_that_ends_takes_its_waiting_turn_along(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = Gate()
        async with proxied(url, gate) as proxy:
            for ends in ("terminate", "drop", "killed", "closed"):
                gate.listener = None
                raw = await Raw.connect(proxy.url)
                held = gate.listener = Held(gate)
                raw.send(query("update accounts set balance = 0"))
                turn = await held.turn("update")
                if ends == "terminate":
                    raw.send(message("X"))
                if ends == "killed":
                    await asyncpg_value(url, f"select pg_terminate_backend({raw.pid})")
                elif ends == "closed":
                    await proxy.close()
                else:
                    raw.close()
                await held.until(lambda turn=turn: turn if turn.finished else None)
                assert (turn.released, turn.error) == (False, "the connection was closed")
                async with asyncio.timeout(20):
                    while proxy.pids:  # noqa: ASYNC110 - the proxy tells nobody
                        await asyncio.sleep(0.01)
                raw.close()
                gate.release(turn)  # it is gone: nothing happens
        assert await asyncpg_value(url, "select balance from accounts where id = 1") == 100

    stage.run(work())


def test_a_backend_killed_while_it_works_is_told(stage: Scene, url: str) -> None:
    async def work() -> None:
        for mode in ("heard", "divided"):
            gate, held = hearing(mode)
            async with proxied(url, gate) as proxy:
                raw = await Raw.connect(proxy.url)
                raw.send(query("select pg_sleep(30) from accounts"))
                await held.until(lambda held=held: held.turns[0] if held.turns else None)
                await asyncpg_value(url, f"select pg_terminate_backend({raw.pid})")
                assert "E" in await raw.kinds("E")
                with pytest.raises(asyncio.IncompleteReadError):
                    await raw.read()
                (turn,) = held.done
                assert turn.error.startswith("57P01 ")
                raw.close()

    stage.run(work())


def test_a_cancel_request_reaches_the_backend_that_executes(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate, held = hearing("divided")
        async with proxied(url, gate) as proxy:
            one = await asyncpg.connect(proxy.url)
            with pytest.raises(TimeoutError):
                await one.execute("select pg_sleep(30)", timeout=0.2)
            assert await one.fetchval("select balance from accounts where id = 1") == 100
            await one.close()
        assert held.done[0].error.startswith("57014 ")

    stage.run(work())


def test_a_statement_larger_than_what_is_kept_waits_too(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = Gate()
        async with proxied(url, gate) as proxy:
            raw, other = await Raw.connect(proxy.url), await asyncpg.connect(url)
            held = gate.listener = Held(gate)
            text = "x" * 40_000_000
            raw.send(
                query(f"update accounts set owner = '{text}' where id = 1"), query("delete from accounts where id = 2")
            )
            await held.turn("update")
            assert await other.fetchval("select owner from accounts where id = 1") == "ada"
            await held.go("update")
            assert await other.fetchval("select length(owner) from accounts where id = 1") == len(text)
            await held.go("delete")
            assert await raw.kinds("Z", 2) == "CZCZ"
            await other.close()
            raw.close()

    stage.run(work())


def test_encryption_that_may_be_left_out_is_and_other_is_refused(stage: Scene, url: str) -> None:
    async def work() -> None:
        gate = gate_of("heard")
        async with proxied(url + "?sslmode=prefer&gssencmode=prefer", gate) as proxy:
            one = await asyncpg.connect(proxy.url, ssl="prefer")
            assert (proxy.refused, "sslmode" in proxy.url) == ("", False)
            assert await one.fetchval("select balance from accounts where id = 1") == 100
            await one.close()
        held = gate.listener = Held(gate)
        proxy = await PostgresProxy.start(gate, "shop 1", "db", url + "?sslmode=require")
        assert (proxy.refused, "sslmode=require" in proxy.url) == (
            "the connection is encrypted (`sslmode=require`)",
            True,
        )
        one = await asyncpg.connect(proxy.url, ssl=False)
        assert await one.fetchval("select balance from accounts where id = 1") == 100
        assert held.turns == []
        await one.close()
        await proxy.close()

    stage.run(work())


def test_every_text_is_told_once_it_is_parsed_or_sent(stage: Scene, url: str) -> None:
    async def work() -> list[tuple[str, str, str]]:
        told: list[tuple[str, str, str]] = []
        gate = Gate()
        gate.seen = lambda actor, store, text: told.append((actor, store, text))
        gate.split = lambda store, text: True
        gate.listener = Held(gate, lambda turn: False)
        async with proxied(url, gate) as proxy:
            one = await asyncpg.connect(proxy.url)
            for _ in range(2):
                await one.fetchval("select balance from accounts where id = $1", 1)
            await one.execute("set x.y = 1; select 1")
            await one.close()
        return told

    assert stage.run(work()) == [
        ("shop 1", "db", "select balance from accounts where id = $1"),
        ("shop 1", "db", "set x.y = 1; select 1"),
    ]


def test_a_server_that_is_not_there_closes_the_connection(stage: Scene) -> None:
    async def work() -> None:
        async with proxied("postgresql://a@127.0.0.1:1/b", Gate()) as proxy:
            with pytest.raises((OSError, asyncpg.PostgresError)):
                await asyncpg.connect(proxy.url)

    stage.run(work())


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("postgresql://u:p%40@db.test/x", "db.test", 5432, ""),
        ("postgres://u@/x?host=/run/pg&port=5433", "/run/pg", 5433, "/run/pg/.s.PGSQL.5433"),
        ("postgresql://u@%2Frun%2Fpg/x", "/run/pg", 5432, "/run/pg/.s.PGSQL.5432"),
        ("postgresql://[::1]:6000/x", "::1", 6000, ""),
    ],
)
def test_addresses_are_read_as_drivers_read_them(url: str, host: str, port: int, path: str) -> None:
    read = target("db", url)
    assert (read.host, read.port, read.socket) == (host, port, path)
    assert urlsplit(read.url.format(port=7)).netloc.endswith("127.0.0.1:7")
    assert "host" not in read.url


@pytest.mark.parametrize("url", ["redis://localhost", "postgresql://a,b/x", "postgresql://a:b:c/x", "nonsense"])
def test_an_address_that_is_none_of_postgresql_is_told(url: str) -> None:
    with pytest.raises(EnvironmentFailed, match="the address of database `db` cannot be read"):
        target("db", url)
