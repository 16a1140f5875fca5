"""Turns of Redis, MariaDB, HTTP and unknown protocols are held and let go, and what is no turn passes; on real servers."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as client
from stores_scene import Scene, scene

from crossfade.errors import EnvironmentFailed
from crossfade.model.contract import Database
from crossfade.model.history import Request, Response
from crossfade.world import children
from crossfade.world.burst import BurstProxy
from crossfade.world.driver import Client
from crossfade.world.turns import Gate, Turn


class Hold:
    """Holds every turn, in the order they come."""

    directs = True

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.waiting: asyncio.Queue[Turn] = asyncio.Queue()
        self.over: asyncio.Queue[Turn] = asyncio.Queue()
        gate.listener = self

    def arrived(self, turn: Turn) -> bool:
        self.waiting.put_nowait(turn)
        return True

    def finished(self, turn: Turn) -> None:
        self.over.put_nowait(turn)

    async def next(self) -> Turn:
        return await asyncio.wait_for(self.waiting.get(), 10)

    async def end(self) -> Turn:
        return await asyncio.wait_for(self.over.get(), 10)

    async def let_go(self) -> Turn:
        turn = await self.next()
        self.gate.release(turn)
        assert turn is await self.end()
        return turn


@contextlib.asynccontextmanager
async def proxied(url: str, gate: Gate | None = None) -> AsyncIterator[BurstProxy]:
    proxy = await BurstProxy.start(gate or Gate(), "S1", "store", url)
    try:
        yield proxy
    finally:
        await proxy.close()


# ── Redis ───────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with scene(tmp_path_factory.mktemp("redis"), [Database("cache", "redis")]) as opened:
        yield opened


@contextlib.asynccontextmanager
async def cache(stage: Scene, **options: Any) -> AsyncIterator[tuple[BurstProxy, Any, Any]]:
    """A proxy, a client through it, and one that goes to the server itself."""
    stores = await stage.servers.create("test")
    options = {"decode_responses": True, "socket_timeout": 20, **options}
    async with proxied(stores.urls["cache"]) as proxy:
        service = client.Redis.from_url(proxy.url, **options)
        direct = client.Redis.from_url(stores.urls["cache"], decode_responses=True)
        try:
            yield proxy, service, direct
        finally:
            await service.aclose()
            await direct.aclose()
    await stores.drop()


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_command_waits_until_it_is_let_go_and_nothing_of_the_login_does(stage, protocol):
    async def work():
        async with cache(stage, protocol=protocol, client_name="me") as (proxy, service, direct):
            hold = Hold(proxy.gate)
            setting = asyncio.ensure_future(service.set("stock:7", "70", ex=60))
            turn = await hold.next()
            assert ("S1", "store", "command", "SET stock:7", ("70", "EX", "60")) == (
                turn.actor, turn.store, turn.kind, turn.text, turn.values,
            )  # fmt: skip
            assert await direct.get("stock:7") is None
            assert not turn.finished
            proxy.gate.release(turn)
            assert await setting is True
            assert turn is await hold.end()
            assert ("OK", "") == (turn.result, turn.error)
            assert "70" == await direct.get("stock:7")
            assert "" == proxy.refused

    stage.run(work())


def test_an_error_is_told(stage):
    async def work():
        async with cache(stage) as (proxy, service, direct):
            await direct.rpush("list", "1")
            hold = Hold(proxy.gate)
            asking = asyncio.ensure_future(service.incr("list"))
            turn = await hold.let_go()
            with pytest.raises(client.ResponseError):
                await asking
            assert turn.error.startswith("WRONGTYPE")
            assert turn.result.startswith("error WRONGTYPE")

    stage.run(work())


@pytest.mark.parametrize("transaction", [True, False])
def test_a_pipeline_is_one_turn(stage, transaction):
    async def work():
        async with cache(stage) as (proxy, service, _):
            hold = Hold(proxy.gate)
            pipeline = service.pipeline(transaction=transaction).set("a", "1").incr("b").get("a")
            asking = asyncio.ensure_future(pipeline.execute())
            turn = await hold.let_go()
            assert [True, 1, "1"] == await asking
            plain = "SET a; INCRBY b; GET a"
            assert (f"MULTI; {plain}; EXEC" if transaction else plain) == turn.text
            assert ('[OK, 1, "1"]' if transaction else 'OK; 1; "1"') == turn.result
            assert (("SET", "a", "1"), ("INCRBY", "b", "1"), ("GET", "a")) == turn.commands
            assert hold.waiting.empty()

    stage.run(work())


def test_a_watched_key_changed_by_somebody_whose_turn_came_first_fails_the_transaction(stage):
    async def work():
        async with cache(stage) as (proxy, service, direct):

            async def buy() -> str:
                async with service.pipeline() as pipeline:
                    await pipeline.watch("stock")
                    left = int(await pipeline.get("stock"))
                    pipeline.multi()
                    pipeline.set("stock", left - 1)
                    try:
                        await pipeline.execute()
                    except client.WatchError:
                        return "somebody was faster"
                    return "bought"

            await direct.set("stock", "5")
            hold = Hold(proxy.gate)
            first, second = asyncio.ensure_future(buy()), asyncio.ensure_future(buy())
            seen = [await hold.next(), await hold.next()]
            assert {1, 2} == {turn.connection for turn in seen}
            for turn in seen:  # both watch, both read, then one after the other writes
                proxy.gate.release(turn)
                await hold.end()
            for _ in range(4):
                await hold.let_go()
            assert ["bought", "somebody was faster"] == sorted([await first, await second])
            assert "4" == await direct.get("stock")

    stage.run(work())


def test_a_value_of_five_megabytes_goes_both_ways(stage):
    async def work():
        async with cache(stage) as (proxy, service, _):
            hold = Hold(proxy.gate)
            value = "0123456789" * 500_000
            setting = asyncio.ensure_future(service.set("big", value))
            turn = await hold.let_go()
            assert await setting
            assert 60 == len(turn.values[0])
            reading = asyncio.ensure_future(service.get("big"))
            turn = await hold.let_go()
            assert value == await reading
            assert len(turn.result) < 70

    stage.run(work())


def test_while_nobody_directs_everything_passes_and_a_pool_goes_on_taking_turns_later(stage):
    async def work():
        async with cache(stage) as (proxy, service, _):
            await asyncio.gather(*(service.incr("n") for _ in range(50)))
            hold = Hold(proxy.gate)
            asking = asyncio.ensure_future(service.incr("n"))
            assert "INCRBY n" == (await hold.next()).text
            proxy.gate.open()
            assert 51 == await asking

    stage.run(work())


def test_what_listens_or_blocks_passes_and_the_other_connections_take_turns(stage):
    async def work():
        async with cache(stage) as (proxy, service, direct):
            hold = Hold(proxy.gate)
            blocking = asyncio.ensure_future(service.brpop("jobs", 10))
            async with service.pubsub() as listener:
                await listener.subscribe("news")
                assert "subscribe" == (await listener.get_message(timeout=10))["type"]
                await direct.publish("news", "hello")
                assert "hello" == (await listener.get_message(timeout=10))["data"]
            pushing = asyncio.ensure_future(service.lpush("jobs", "1"))
            assert "LPUSH jobs" == (await hold.let_go()).text
            await pushing
            assert ("jobs", "1") == tuple(await blocking)
            reasons = (
                "a connection blocks on BRPOP: passed through; pub/sub: a connection of SUBSCRIBE is passed through"
            )
            assert reasons == proxy.refused

    stage.run(work())


def test_a_client_that_goes_away_withdraws_its_turn_and_the_command_is_never_sent(stage):
    async def work():
        async with cache(stage) as (proxy, service, direct):
            hold = Hold(proxy.gate)
            asking = asyncio.ensure_future(service.set("a", "1"))
            turn = await hold.next()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            assert turn is await hold.end()
            assert "the connection was closed" == turn.error
            proxy.gate.release(turn)
            assert await direct.get("a") is None

    stage.run(work())


def test_closing_ends_connections_and_withdraws_what_waits(stage):
    async def work():
        async with cache(stage, retry=None) as (proxy, service, _):
            hold = Hold(proxy.gate)
            asking = asyncio.ensure_future(service.set("a", "1"))
            turn = await hold.next()
            await proxy.close()
            assert turn.finished
            with pytest.raises(client.ConnectionError):
                await asking
            assert not proxy.connections

    stage.run(work())


# ── HTTP, and bytes of any other protocol ───────────────────────────────────────


@contextlib.asynccontextmanager
async def shop(
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers each request the same; and the bytes it was sent."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while data := await reader.read(100_000):
                heard.append(data)
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()


def test_a_request_is_a_turn_named_by_method_and_target_and_connections_are_kept():
    async def work():
        async with shop() as (address, heard), proxied(f"http://{address}/api") as proxy:
            assert proxy.url.endswith("/api")
            http = Client(proxy.url.removesuffix("/api"))
            hold = Hold(proxy.gate)
            for number in (1, 2):
                body = b'{"item": %d}' % number
                request = Request("POST", f"/reserve/7?n={number}", body=body)
                asking = asyncio.ensure_future(http.send(request, 10))
                turn = await hold.next()
                assert number - 1 == len(heard)
                assert (f"POST /reserve/7?n={number}", (body.decode(),)) == (turn.text, turn.values)
                assert (1, "burst") == (turn.connection, turn.kind)
                proxy.gate.release(turn)
                response = await asking
                assert isinstance(response, Response) and response.body == b"ok"
                assert "200" == (await hold.end()).result
            await http.close()

    asyncio.run(work())


def test_what_cannot_be_told_apart_passes_with_a_reason():
    async def refused(url_scheme: str, sent: bytes) -> str:
        async with shop(b"answer") as (address, heard), proxied(f"{url_scheme}://{address}") as proxy:
            Hold(proxy.gate)
            host, _, port = proxy.url.rpartition("//")[2].partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            assert b"answer" == await asyncio.wait_for(reader.readexactly(6), 10)
            assert sent == b"".join(heard)
            writer.write(b"more")
            assert b"answer" == await asyncio.wait_for(reader.readexactly(6), 10)
            writer.close()
            return proxy.refused

    async def work():
        upgrade = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n"
        hello = b"\x16\x03\x01\x00\x05hello"
        assert "HTTP/2" in await refused("http", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert "HTTP/2" in await refused("tcp", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert "h2c" in await refused("http", upgrade % b"h2c")
        assert "WebSocket" in await refused("http", upgrade % b"websocket")
        assert "TLS" in await refused("http", hello)
        assert "TLS" in await refused("tcp", hello)
        assert "HTTP over TLS: turns cannot be told apart" == await refused("https", hello)
        assert "Redis over TLS: turns cannot be told apart" == await refused("rediss", hello)
        assert "not the protocol of Redis" in await refused("redis", b"\x00\x01")

    asyncio.run(work())


def test_bytes_of_any_protocol_are_one_turn_until_the_store_speaks():
    async def work():
        async with shop(b"answer") as (address, heard), proxied(f"tcp://{address}") as proxy:
            hold = Hold(proxy.gate)
            host, _, port = proxy.url.removeprefix("tcp://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"12345")
            turn = await hold.next()
            writer.write(b"678")
            async with asyncio.timeout(10):
                while turn.text != "8 bytes":  # noqa: ASYNC110  # nobody tells that bytes were added
                    await asyncio.sleep(0.001)
            assert [] == heard
            proxy.gate.release(turn)
            assert turn is await hold.end()
            assert b"12345678" == b"".join(heard)
            assert b"answer" == await reader.readexactly(6)
            writer.write(b"9")
            assert "1 bytes" == (await hold.let_go()).text
            writer.close()

    asyncio.run(work())


def test_a_turn_under_way_ends_with_its_connection():
    async def work():
        reached: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            reached.put_nowait(writer)
            await reader.read()  # until the other side has nothing more to say
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        async with proxied(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy:
            hold = Hold(proxy.gate)
            for ended_by in ("client", "store"):
                _, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
                writer.write(b"123")
                turn = await hold.next()
                proxy.gate.release(turn)
                at_store = await asyncio.wait_for(reached.get(), 10)
                assert not turn.finished
                (writer if ended_by == "client" else at_store).close()
                assert turn is await hold.end()
                assert "the connection was closed" == turn.error
                writer.close()
        server.close()

    asyncio.run(work())


def test_an_address_without_port_is_refused_and_a_store_that_is_away_closes_the_connection():
    async def work():
        with pytest.raises(EnvironmentFailed, match="`tcp://queue` of `store` names no host and port"):
            await BurstProxy.start(Gate(), "S1", "store", "tcp://me:secret@queue")
        async with proxied(f"tcp://127.0.0.1:{children.free_port()}") as proxy:
            reader, _ = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
            with contextlib.suppress(ConnectionError):
                assert b"" == await asyncio.wait_for(reader.read(), 10)

    asyncio.run(work())


# ── MariaDB ─────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def mariadb():
    """The address of a MariaDB without passwords; skipped where none is installed."""
    binary, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if binary is None or install is None:
        pytest.skip("no mariadbd was found")
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="crossfade-mariadb-", dir=memory if memory.is_dir() else None))
    user = ["--no-defaults", f"--datadir={folder}/data", "--user=root"]
    process = None
    try:
        subprocess.run([install, *user, "--skip-test-db"], check=True, capture_output=True, timeout=120)
        port = children.free_port()
        options = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/socket", "--skip-grant-tables"]
        process = subprocess.Popen([binary, *user, *options, "--skip-log-bin"], stderr=subprocess.DEVNULL)
        asyncio.run(_answering(port))
        yield f"mysql://root@127.0.0.1:{port}/shop"
    finally:
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _answering(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            connection = await Sql.connect(f"mysql://127.0.0.1:{port}")
            await connection.ask("CREATE DATABASE IF NOT EXISTS shop")
            await connection.ask("CREATE TABLE IF NOT EXISTS shop.stock (id INT PRIMARY KEY, n INT) ENGINE=InnoDB")
            connection.close()
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("MariaDB does not answer")


class Sql:
    """As much of a MySQL client as is needed: text and prepared statements, the last packet of an answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.capabilities = 0

    @classmethod
    async def connect(cls, url: str) -> Sql:
        port = int(url.rpartition(":")[2].partition("/")[0])
        self = cls(*await asyncio.open_connection("127.0.0.1", port))
        greeting = await self._packet()
        place = greeting.index(b"\0", 1) + 14
        self.capabilities = int.from_bytes(greeting[place : place + 2], "little")
        flags = 0x1 | 0x200 | 0x8000 | 0x2000  # long password, protocol 4.1, secure connection, transactions
        login = flags.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23) + b"root\0\0"
        self.writer.write(len(login).to_bytes(3, "little") + b"\1" + login)
        assert (await self._packet())[:1] == b"\0"
        return self

    async def ask(self, sql: str) -> list[bytes]:
        """The packets of the answer."""
        return await self.command(b"\x03" + sql.encode())

    async def command(self, payload: bytes, prepares: bool = False) -> list[bytes]:
        self.writer.write(len(payload).to_bytes(3, "little") + b"\0" + payload)
        packets = [await self._packet()]
        if packets[0][:1] in (b"\0", b"\xff"):
            sets = [packets[0][7] > 0, packets[0][5] > 0] if prepares and packets[0][:1] == b"\0" else []
            for _ in filter(None, sets):
                while (await self._packet())[:1] != b"\xfe":
                    pass
            return packets
        for _ in range(2):  # the columns, then the rows
            while packets[-1][:1] not in (b"\xfe", b"\xff") or len(packets[-1]) >= 9:
                packets.append(await self._packet())
            if _ == 0:
                packets.append(await self._packet())
        return packets

    def close(self) -> None:
        self.writer.close()

    async def _packet(self) -> bytes:
        head = await self.reader.readexactly(4)
        return await self.reader.readexactly(int.from_bytes(head[:3], "little"))


def test_statements_of_mariadb_wait_and_login_settings_and_begin_do_not(mariadb):
    async def work():
        async with proxied(mariadb) as proxy:
            hold = Hold(proxy.gate)
            one = await Sql.connect(proxy.url)
            for sql in (
                "USE shop",
                "SET NAMES utf8mb4",
                "SELECT 1",
                "SHOW VARIABLES LIKE 'version'",
                "ROLLBACK",
                "BEGIN",
            ):
                await one.ask(sql)
            assert hold.waiting.empty()
            asking = asyncio.ensure_future(one.ask("/* by shop */ DELETE FROM stock"))
            turn = await hold.next()
            assert ("/* by shop */ DELETE FROM stock", True) == (turn.text, turn.began)
            proxy.gate.release(turn)
            await asking
            await hold.end()
            asking = asyncio.ensure_future(one.ask("INSERT INTO stock VALUES (7, 70), (8, 80)"))
            turn = await hold.let_go()
            await asking
            assert ("2 rows changed", True, False) == (turn.result, turn.open_transaction, turn.began)
            asking = asyncio.ensure_future(one.ask("SELECT n, NULL FROM stock WHERE id = 7 FOR UPDATE"))
            turn = await hold.let_go()
            await asking
            assert ("1 row: 70, NULL", True) == (turn.result, turn.open_transaction)
            asking = asyncio.ensure_future(one.ask("COMMIT"))
            turn = await hold.let_go()
            await asking
            assert ("commit", False) == (turn.kind, turn.open_transaction)
            asking = asyncio.ensure_future(one.ask("SELECT * FROM nowhere"))
            turn = await hold.let_go()
            await asking
            assert turn.error.startswith("1146 42S02 Table")
            assert "" == proxy.refused
            one.close()

    asyncio.run(work())


def test_a_prepared_statement_is_named_by_its_text(mariadb):
    async def work():
        async with proxied(mariadb) as proxy:
            one = await Sql.connect(proxy.url)
            await one.ask("USE shop")
            await one.ask("REPLACE INTO stock VALUES (7, 70)")
            hold = Hold(proxy.gate)
            (prepared,) = await one.command(b"\x16SELECT n FROM stock WHERE id = 7", prepares=True)
            assert hold.waiting.empty()
            asking = asyncio.ensure_future(one.command(b"\x17" + prepared[1:5] + b"\0\1\0\0\0"))
            turn = await hold.let_go()
            await asking
            assert ("SELECT n FROM stock WHERE id = 7", "1 row") == (turn.text, turn.result)
            one.close()

    asyncio.run(work())


def test_a_statement_that_waits_for_a_lock_is_under_way_until_the_other_commits(mariadb):
    async def work():
        async with proxied(mariadb) as proxy:
            one, two = await Sql.connect(proxy.url), await Sql.connect(proxy.url)
            for connection in (one, two):
                await connection.ask("USE shop")
            await one.ask("REPLACE INTO stock VALUES (7, 70)")
            await one.ask("BEGIN")
            hold = Hold(proxy.gate)
            taking = asyncio.ensure_future(one.ask("UPDATE stock SET n = n - 30 WHERE id = 7"))
            await hold.let_go()
            await taking
            waiting = asyncio.ensure_future(two.ask("UPDATE stock SET n = n - 50 WHERE id = 7"))
            blocked = await hold.next()
            proxy.gate.release(blocked)
            committing = asyncio.ensure_future(one.ask("COMMIT"))
            commit = await hold.next()
            assert not blocked.finished
            proxy.gate.release(commit)
            assert {commit, blocked} == {await hold.end(), await hold.end()}
            await asyncio.gather(waiting, committing)
            reading = asyncio.ensure_future(two.ask("SELECT n FROM stock WHERE id = 7"))
            assert "1 row: -10" == (await hold.let_go()).result
            await reading
            assert (1, 2) == (commit.connection, blocked.connection)
            one.close(), two.close()

    asyncio.run(work())


def test_the_server_does_not_offer_what_could_not_be_read(mariadb):
    async def work():
        async with proxied(mariadb) as proxy:
            direct, through = await Sql.connect(mariadb), await Sql.connect(proxy.url)
            assert direct.capabilities & 0x20  # compression
            assert direct.capabilities & ~0x820 == through.capabilities
            direct.close(), through.close()

    asyncio.run(work())
