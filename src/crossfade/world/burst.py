"""The proxy for every store that is not PostgreSQL, by the burst rule: what a client sends before the store answers is
one turn. What the bytes mean is told by `world.spoken`, `world.redis_turns` and `world.mysql`; here are the sockets, and
the turns offered to the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import SplitResult, urlsplit, urlunsplit

from crossfade.errors import EnvironmentFailed
from crossfade.world.mysql import MySql
from crossfade.world.redis_turns import Redis
from crossfade.world.resp import NotRedis
from crossfade.world.sockets import acknowledge_at_once
from crossfade.world.spoken import Answered, Http, Opaque, Said, Talk, joined
from crossfade.world.turns import Gate, Turn

_KINDS: dict[str, tuple[int, Callable[[], Talk]]] = {
    "redis": (6379, Redis),
    "valkey": (6379, Redis),
    "mysql": (3306, MySql),
    "mariadb": (3306, MySql),
    "http": (80, Http),
}
_ENCRYPTED = {"rediss": (6379, "Redis"), "valkeys": (6379, "Redis"), "https": (443, "HTTP")}
MOST_VALUES = 20


class BurstProxy:
    """Listens for one actor and forwards to one store. `url` is what the actor is given instead of the store's own;
    `refused` says why the turns of (some of) its connections cannot be taken, they pass as they are."""

    def __init__(self, gate: Gate, actor: str, store: str) -> None:
        self.gate = gate
        self.actor = actor
        self.store = store
        self.url = ""
        self.refused = ""
        self.host = ""
        self.port = 0
        self.talk: Callable[[], Talk] = Opaque
        self.connections: set[_Connection] = set()
        self.opened = 0
        self.quiet = asyncio.Event()  # no connection is left
        self.quiet.set()
        self._server: asyncio.Server | None = None
        self._reasons: set[str] = set()

    @classmethod
    async def start(cls, gate: Gate, actor: str, store: str, url: str) -> BurstProxy:
        """Raises EnvironmentFailed."""
        proxy = cls(gate, actor, store)
        parts = urlsplit(url)
        scheme = parts.scheme.split("+")[0]
        if scheme in _ENCRYPTED:
            port, name = _ENCRYPTED[scheme]
            proxy.refuse(f"{name} over TLS: turns cannot be told apart")
            proxy.talk = _passing
        else:
            port, proxy.talk = _KINDS.get(scheme, (0, Opaque))
        try:
            proxy.host, proxy.port = parts.hostname or "", parts.port or port
        except ValueError:
            proxy.port = 0
        if not proxy.host or not proxy.port:
            raise EnvironmentFailed(
                f"the address `{_without_password(parts)}` of `{store}` names no host and port",
                hint="write it as scheme://host:port",
            )
        try:
            proxy._server = await asyncio.get_running_loop().create_server(lambda: _Client(proxy), "127.0.0.1", 0)
        except OSError as problem:
            raise EnvironmentFailed(f"no port could be opened for `{store}`: {problem}") from None
        here = f"127.0.0.1:{proxy._server.sockets[0].getsockname()[1]}"
        login, separator, there = parts.netloc.rpartition("@")
        if proxy.talk is Http:
            proxy.talk = partial(Http, there)
        proxy.url = urlunsplit(parts._replace(netloc=f"{login}{separator}{here}"))
        return proxy

    async def close(self) -> None:
        """Ends every connection; a turn that waits is withdrawn."""
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.abort()
        if self._server is not None:
            await self._server.wait_closed()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.quiet.wait(), 5)

    def refuse(self, reason: str) -> None:
        self._reasons.add(reason)
        self.refused = "; ".join(sorted(self._reasons))  # in whatever order the connections came


def _passing() -> Talk:
    return Opaque(scheduled=False)


def _without_password(parts: SplitResult) -> str:
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Connection:
    """One client connection and the one behind it. At most one turn is under way; what the client sends meanwhile belongs
    to it: it goes at once if the turn has gone, else behind it."""

    def __init__(self, proxy: BurstProxy, client: asyncio.Transport) -> None:
        proxy.opened += 1
        proxy.connections.add(self)
        proxy.quiet.clear()
        self.proxy = proxy
        self.number = proxy.opened
        self.client: asyncio.Transport | None = client
        self.server: asyncio.Transport | None = None
        self._talk = proxy.talk()
        self._turn: Turn | None = None
        self._queued: list[bytes] = []
        self._begun = False
        self._client_done = False
        client.pause_reading()
        self._connecting: asyncio.Task[None] | None = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: _Server(self), self.proxy.host, self.proxy.port)
        except OSError:
            self.abort()  # as if nobody listened at the store's own address
        else:
            if self.client is None:
                self.abort()
            else:
                self.client.resume_reading()
                acknowledge_at_once(self.client)
        finally:
            self._connecting = None
            self._forget()

    # ── from the client ─────────────────────────────────────────────────────

    def said(self, data: bytes) -> None:
        if self.client is not None and not self.client.is_closing():
            acknowledge_at_once(self.client)
        if not self._begun:
            self._begun = True
            if data[:2] == b"\x16\x03" and self.proxy.talk not in (MySql, _passing):
                self._stop("TLS: turns cannot be told apart")
        for said in self._talk.sent(data):
            if said.stop:
                self._stop(said.stop)
            self._pass(said)

    def client_ended(self) -> None:
        """The client will say nothing more: a turn that waits is given up, one under way gets its answer."""
        if self._client_done:
            return
        self._client_done = True
        if self._turn is not None and not self._turn.released:
            self._withdraw()
        elif rest := self._talk.rest():
            self._write(rest)
        if self.server is not None and not self.server.is_closing() and self.server.can_write_eof():
            self.server.write_eof()

    def _pass(self, said: Said) -> None:
        turn = self._turn
        if turn is not None:
            if said.text:
                turn.text = joined(turn.text, said.text)
                turn.values = (*turn.values, *said.values)[:MOST_VALUES]
                turn.commands = (*turn.commands, *said.commands)
            if turn.released:
                self._write(said.data)
            else:
                self._queued.append(said.data)
        elif said.text and self.proxy.gate.directed:
            self._offer(said)
        else:
            self._write(said.data)

    def _offer(self, said: Said) -> None:
        proxy = self.proxy
        turn = Turn(proxy.actor, proxy.store, self.number, said.text, said.kind, said.values[:MOST_VALUES])
        turn.commands = said.commands
        turn.began = said.began
        self._turn = turn
        self._queued = [said.data]
        proxy.gate.offer(turn, self._go)

    def _go(self) -> None:
        queued, self._queued = self._queued, []
        self._write(b"".join(queued))

    def _withdraw(self) -> None:
        if self._turn is not None:
            turn, self._turn = self._turn, None
            self._queued.clear()
            self.proxy.gate.withdraw(turn)

    def _stop(self, reason: str) -> None:
        """From now on everything passes as it is, behind what waits."""
        self.proxy.refuse(reason)
        self._talk = _passing()

    def _write(self, data: bytes) -> None:
        if data and self.server is not None and not self.server.is_closing():
            self.server.write(data)
            acknowledge_at_once(self.server)

    # ── from the store ──────────────────────────────────────────────────────

    def answered(self, data: bytes) -> None:
        try:
            data, answer = self._talk.answered(data)
        except NotRedis as problem:
            if rest := self._talk.rest():
                self._pass(Said(rest))
            self._stop(f"not the protocol of Redis ({problem}): turns cannot be told apart")
            answer = Answered()
        if self.client is not None and not self.client.is_closing():
            self.client.write(data)
        if self.server is not None and not self.server.is_closing():
            acknowledge_at_once(self.server)
        turn = self._turn
        if answer is not None and turn is not None and turn.released:
            self._turn = None
            turn.result, turn.error = answer.result, answer.error
            turn.open_transaction = answer.open_transaction
            self.proxy.gate.finish(turn)
            if self.client is None and self.server is not None:
                self.server.close()

    # ── the end ─────────────────────────────────────────────────────────────

    def client_lost(self) -> None:
        self.client = None
        self.client_ended()
        if self._turn is None and self.server is not None:
            self.server.close()
        self._forget()

    def server_lost(self) -> None:
        self.server = None
        self._withdraw()
        if self.client is not None:
            self.client.close()
        self._forget()

    def abort(self) -> None:
        self._withdraw()
        if self._connecting is not None:
            self._connecting.cancel()
        for transport in (self.client, self.server):
            if transport is not None:
                transport.abort()

    def _forget(self) -> None:
        if self.client is None and self.server is None and self._connecting is None:
            self.proxy.connections.discard(self)
            if not self.proxy.connections:
                self.proxy.quiet.set()


class _Client(asyncio.Protocol):
    def __init__(self, proxy: BurstProxy) -> None:
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = _Connection(self._proxy, cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._connection.said(data)

    def eof_received(self) -> bool:
        self._connection.client_ended()
        return True  # it may still read

    def connection_lost(self, error: Exception | None) -> None:
        self._connection.client_lost()

    def pause_writing(self) -> None:
        if self._connection.server is not None:
            self._connection.server.pause_reading()

    def resume_writing(self) -> None:
        if self._connection.server is not None:
            self._connection.server.resume_reading()


class _Server(asyncio.Protocol):
    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection.server = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._connection.answered(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._connection.server_lost()

    def pause_writing(self) -> None:
        if self._connection.client is not None:
            self._connection.client.pause_reading()

    def resume_writing(self) -> None:
        if self._connection.client is not None:
            self._connection.client.resume_reading()
