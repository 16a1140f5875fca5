"""The proxies of one environment: every instance gets addresses of its own for the stores and services it calls, so
that each turn is known to be its."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from crossfade.world.burst import BurstProxy
from crossfade.world.pgproxy import PostgresProxy
from crossfade.world.turns import Gate

Proxy = PostgresProxy | BurstProxy


class Proxies:
    """`kinds` tells for each store its kind in the contract; what is no database is a service (HTTP)."""

    def __init__(self, gate: Gate, kinds: Mapping[str, str]) -> None:
        self.gate = gate
        self._kinds = dict(kinds)
        self._made: dict[tuple[str, str], Proxy] = {}

    async def addresses(self, actor: str, urls: Mapping[str, str]) -> dict[str, str]:
        """For each store (or service) its address for this actor alone. An actor that starts again keeps its ports."""
        found: dict[str, str] = {}
        for name, url in urls.items():
            key = (actor, name)
            if key not in self._made:
                kind = PostgresProxy if self._kinds.get(name) == "postgres" else BurstProxy
                self._made[key] = await kind.start(self.gate, actor, name, url)
            found[name] = self._made[key].url
        return found

    def refused(self) -> dict[str, str]:
        """Store -> why its turns cannot be taken."""
        return {store: proxy.refused for (_, store), proxy in self._made.items() if proxy.refused}

    async def close(self) -> None:
        await asyncio.gather(*(proxy.close() for proxy in self._made.values()))
        self._made.clear()
