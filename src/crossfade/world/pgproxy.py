"""A PostgreSQL proxy that takes turns: one address per instance and database, every turn offered to the gate.

The asyncio shell around `world.pgwire`: one `_Link` per connection of the service, with one connection to the server
behind it. While nobody directs, bytes go on as they come and are only read beside.
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from crossfade.errors import EnvironmentFailed
from crossfade.world.pgwire import Ask, Reply, Wire
from crossfade.world.turns import Gate, Turn

CONNECTING = 10.0  # seconds
BACKLOG = 512


class PostgresProxy:
    """`url` is the address of the store as the instance gets it. `refused`: why turns cannot be taken on this address
    (bytes pass, nothing is held); "" where they can."""

    def __init__(self, gate: Gate, actor: str, store: str, target: Target) -> None:
        self.gate = gate
        self.actor = actor
        self.store = store
        self.refused = target.refused
        self.url = ""
        self._target = target
        self._links: set[_Link] = set()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    @classmethod
    async def start(cls, gate: Gate, actor: str, store: str, url: str) -> PostgresProxy:
        """Listens on a free port of 127.0.0.1. Raises EnvironmentFailed where `url` names no server, or no port is free."""
        proxy = cls(gate, actor, store, target(store, url))
        try:
            proxy._server = await asyncio.get_running_loop().create_server(
                proxy._accept, "127.0.0.1", 0, backlog=BACKLOG
            )
        except OSError as problem:
            raise EnvironmentFailed(f"no port is free for a proxy of database `{store}`: {problem}") from None
        proxy.url = proxy._target.url.format(port=proxy._server.sockets[0].getsockname()[1])
        return proxy

    @property
    def pids(self) -> frozenset[int]:
        """The backends that serve this address now."""
        return frozenset(link.wire.pid for link in self._links if link.wire.pid is not None)

    async def close(self) -> None:
        """Ends every connection at once; turns that wait are withdrawn. Nothing is left."""
        if self._server is not None:
            self._server.close()
        links = list(self._links)
        for link in links:
            link.abort()
        for link in links:
            await link.gone.wait()

    def number(self) -> int:
        return next(self._numbers)

    def forget(self, link: _Link) -> None:
        self._links.discard(link)

    def _accept(self) -> asyncio.Protocol:
        link = _Link(self, self._target)
        self._links.add(link)
        return _ClientSide(link)


class Target(msgspec.Struct, frozen=True):
    """Where the server is: a host and port, or the path of a socket. `url` has `{port}` where the proxy's port goes."""

    host: str
    port: int
    socket: str
    url: str
    refused: str


def target(store: str, url: str) -> Target:
    """Raises EnvironmentFailed where `url` is none of PostgreSQL, or names several servers.

    >>> target("db", "postgresql://me:x@db.test:5433/shop?sslmode=prefer&application_name=a").url
    'postgresql://me:x@127.0.0.1:{port}/shop?application_name=a'
    """
    problem = EnvironmentFailed(
        f"the address of database `{store}` cannot be read", hint="postgresql://user:password@host:5432/name"
    )
    try:
        parts = urlsplit(url)
        login, _, place = parts.netloc.rpartition("@")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        host = options.pop("host", "") or (unquote(place) if place.lower().startswith("%2f") else parts.hostname or "")
        host = options.pop("hostaddr", "") or host
        port = int(
            options.pop("port", "") or (parts.port if place and not place.lower().startswith("%2f") else 0) or 5432
        )
    except ValueError:
        raise problem from None
    if not parts.scheme.startswith("postgres") or "," in host:
        raise problem
    refused = ""
    for name in ("sslmode", "ssl", "gssencmode", "channel_binding"):
        wanted = options.get(name, "").lower()
        if wanted in ("require", "verify-ca", "verify-full", "true", "1", "on", "yes"):
            refused = f"the connection is encrypted (`{name}={wanted}`)"
        elif name != "channel_binding":
            options.pop(name, None)
    socket = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else "" if host else _usual_socket(port)
    netloc = (f"{login}@" if login else "").replace("{", "%7B").replace("}", "%7D") + "127.0.0.1:{port}"
    rest = [part.replace("{", "{{").replace("}", "}}") for part in (parts.path, urlencode(options), parts.fragment)]
    return Target(host or "localhost", port, socket, urlunsplit((parts.scheme, netloc, *rest)), refused)


def _usual_socket(port: int) -> str:
    """Without a host, drivers look where the server puts its socket."""
    places = (Path(folder) / f".s.PGSQL.{port}" for folder in ("/var/run/postgresql", "/run/postgresql", "/tmp"))
    return next((str(place) for place in places if place.exists()), "")


class _Link:
    """One connection of the service, and the one to the server behind it."""

    def __init__(self, proxy: PostgresProxy, target: Target) -> None:
        self.gone = asyncio.Event()
        self.client: asyncio.Transport | None = None
        self.server: asyncio.Transport | None = None
        self.wire = Wire(self._hear)
        if target.refused:
            self.wire.started = self.wire.opaque = True
        self.gate = proxy.gate
        self._proxy = proxy
        self._target = target
        self._number = 0
        self._turn: Turn | None = None  # offered, and not finished
        self._pumping = False
        self._client_waits = False  # because the server's buffer is full, or too much is held
        self._connecting: asyncio.Task[None] | None = None

    def connected(self, client: asyncio.Transport) -> None:
        self.client = client
        client.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._connect(client))

    def client_sent(self, data: bytes) -> None:
        wire, server = self.wire, self.server
        if server is None:
            return
        if self.gate.listener is None and wire.straight:
            server.write(data)
            wire.from_client(data, True)
        else:
            wire.from_client(data)
            if not self._number and wire.started and not wire.opaque:
                self._number = self._proxy.number()
            self.pump()

    def server_sent(self, data: bytes) -> None:
        wire, client = self.wire, self.client
        if client is None:
            return
        if wire.whole:
            client.write(data)
            wire.from_server(data)
        else:
            data = wire.from_server(data)
            if data:
                client.write(data)
        if self._turn is not None or not wire.straight:
            self.pump()

    def pump(self) -> None:
        """Whatever may go now, goes; whatever is answered, is told."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self.server is not None and self.client is not None and (self._tell() or self._step()):
                pass
        finally:
            self._pumping = False
        self._balance()

    def hold_client(self, waits: bool) -> None:
        self._client_waits = waits
        self._balance()

    def client_gone(self) -> None:
        self.client = None
        if self._connecting is not None:
            self._connecting.cancel()
        self._drop_turn("the connection was closed")
        if self.server is not None:
            self.server.close()
        else:
            self._end()

    def server_gone(self) -> None:
        self.server = None
        held, why = self.wire.server_closed()
        self._drop_turn(why)
        if self.client is not None:
            if held:
                self.client.write(held)
            self.client.close()
        else:
            self._end()

    def abort(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        for transport in (self.client, self.server):
            if transport is not None:
                transport.abort()

    async def _connect(self, client: asyncio.Transport) -> None:
        loop, target = asyncio.get_running_loop(), self._target
        try:
            async with asyncio.timeout(CONNECTING):
                if target.socket:
                    await loop.create_unix_connection(lambda: _ServerSide(self), target.socket)
                else:
                    await loop.create_connection(lambda: _ServerSide(self), target.host, target.port)
        except (OSError, TimeoutError):
            client.abort()
            return
        finally:
            self._connecting = None
        if self.client is None and self.server is not None:
            self.server.abort()
        self._balance()

    def _step(self) -> bool:
        """One thing that may happen now; False where there is none."""
        step = self.wire.next(self.gate.directed)
        if step is None:
            return False
        if isinstance(step, Ask):
            self._offer(step)
        elif isinstance(step, Reply):
            if self.client is not None:
                self.client.write(step.data)
        elif self.server is not None:
            self.server.write(step.data)
        return True

    def _offer(self, ask: Ask) -> None:
        proxy = self._proxy
        turn = Turn(proxy.actor, proxy.store, self._number, ask.text, ask.kind, ask.values, self.wire.pid)
        turn.began = ask.began
        turn.split = ask.divisible and self.gate.splits(proxy.store, ask.text)
        self._turn = turn
        self.gate.offer(turn, lambda: self._go(turn))

    def _go(self, turn: Turn) -> None:
        if turn is not self._turn or self.server is None:
            return
        self.server.write(self.wire.release(turn.split))
        self.pump()

    def _tell(self) -> bool:
        """Finishes the turn in flight once its answer is complete."""
        turn = self._turn
        if turn is None:
            return False
        answer = self.wire.answer()
        if answer is None:
            if self.wire.opaque and not turn.released:
                self._drop_turn("the connection does not speak the protocol any more")
            return False
        self._turn = None
        turn.result, turn.error, turn.open_transaction = answer.result, answer.error, answer.open_transaction
        self.gate.finish(turn)
        return True

    def _drop_turn(self, why: str) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        turn.error = why
        if turn.released:
            self.gate.finish(turn)
        else:
            self.gate.withdraw(turn)

    def _balance(self) -> None:
        if self.client is None or self.server is None or self.client.is_closing():
            return
        if self._client_waits or self.wire.full:
            self.client.pause_reading()
        else:
            self.client.resume_reading()

    def _hear(self, text: str) -> None:
        self.gate.statement(self._proxy.actor, self._proxy.store, text)

    def _end(self) -> None:
        self._proxy.forget(self)
        self.gone.set()


class _ClientSide(asyncio.Protocol):
    def __init__(self, link: _Link) -> None:
        self._link = link
        self.data_received = link.client_sent  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._link.connected(transport)

    def connection_lost(self, problem: Exception | None) -> None:
        self._link.client_gone()

    def pause_writing(self) -> None:
        if self._link.server is not None:
            self._link.server.pause_reading()

    def resume_writing(self) -> None:
        if self._link.server is not None:
            self._link.server.resume_reading()


class _ServerSide(asyncio.Protocol):
    def __init__(self, link: _Link) -> None:
        self._link = link
        self.data_received = link.server_sent  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._link.server = transport

    def connection_lost(self, problem: Exception | None) -> None:
        self._link.server_gone()

    def pause_writing(self) -> None:
        self._link.hold_client(True)

    def resume_writing(self) -> None:
        self._link.hold_client(False)
