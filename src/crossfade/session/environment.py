"""One environment: a set of databases, a copy of the contract's folder, and instances of the services on them.

The main environment lives through the whole ramp; clean environments are opened at a point, or led through the stages,
to replay what was suspected. A `Ground` makes them all and knows the templates: the databases as they are at each point.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from crossfade.engine.timeline import Timeline, first_canary_stage
from crossfade.errors import EnvironmentFailed
from crossfade.model.contract import Contract, Service
from crossfade.model.history import Failure, Placed, Request, Response
from crossfade.model.ramp import Side, Stage
from crossfade.world.commands import PYTHON
from crossfade.world.driver import Client
from crossfade.world.finishing import finished, in_thread
from crossfade.world.folder import copy_folder
from crossfade.world.ledger import Ledger, remove_folder
from crossfade.world.migrations import MigrationFailed, run_command
from crossfade.world.processes import Running, start_instance
from crossfade.world.proxies import Proxies
from crossfade.world.servers import Servers
from crossfade.world.stores import Stores


class Environment:
    """Databases, a folder and instances, kept per (service, side, replica). With `proxies` every instance has addresses of
    its own for all it calls."""

    def __init__(
        self, ground: Ground, label: str, stores: Stores, folder: Path, proxies: Proxies | None = None
    ) -> None:
        self.label = label
        self.stores = stores
        self.folder = folder
        self._ground = ground
        self._proxies = proxies
        self.instances: dict[tuple[str, Side, int], Running] = {}
        self._clients: dict[tuple[str, Side, int], Client] = {}

    async def start(self, side: Side, replica: int = 0) -> None:
        """Starts this side of every service that has it (services off the ramp count as stable), at the same time; what
        a service calls is there before it."""
        contract = self._ground.contract
        wanted = {
            s.name for s in contract.services if (s.on_ramp or replica == 0) and (side is Side.STABLE or s.on_ramp)
        }
        called = {name for service in wanted for name in contract.hops(service)}
        for group in contract.starting_order():
            keys = [(s.name, side, replica) for s in group if s.name in wanted]
            keys += [(s.name, Side.STABLE, 0) for s in group if s.name in called]
            await self._start_all([key for key in dict.fromkeys(keys) if key not in self.instances])

    async def _start_all(self, keys: Sequence[tuple[str, Side, int]]) -> None:
        tasks = [asyncio.ensure_future(self._start_one(*key)) for key in keys]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _start_one(self, name: str, side: Side, replica: int) -> None:
        ground = self._ground
        service = ground.contract.service(name)
        label = f"{self.label}-{replica}" if replica else self.label
        values = await self._values(service, side, replica)
        running = await start_instance(
            service, side, label, values, self.folder, ground.logs, ground.ledger, ground.run_id
        )
        key = (service.name, side, replica)
        self.instances[key] = running
        self._clients[key] = Client(running.base_url)

    async def stop(self, side: Side | None = None, replica: int | None = None) -> None:
        """Stops the instances of a side (None: all)."""
        keys = [
            key for key in self.instances if (side is None or key[1] is side) and (replica is None or key[2] == replica)
        ]
        for key in keys:
            await self._clients.pop(key).close()
        await asyncio.gather(*(self.instances.pop(key).stop() for key in keys))

    async def restart(self) -> None:
        """Every instance anew on the same databases."""
        sides = sorted({(side, replica) for _, side, replica in self.instances})
        await self.stop()
        for side, replica in sides:
            await self.start(side, replica)

    async def refresh(self) -> None:
        """Every instance anew, in a fresh copy of the contract's folder: nothing kept in memory or files remains."""
        sides = sorted({(side, replica) for _, side, replica in self.instances})
        await self.stop()
        await in_thread(remove_folder, self.folder)
        await in_thread(copy_folder, Path(self._ground.contract.folder), self.folder)
        for side, replica in sides:
            await self.start(side, replica)

    def has(self, side: Side) -> bool:
        return any(key[1] is side for key in self.instances)

    async def send(
        self, service: str, side: Side, request: Request, timeout: float, replica: int = 0
    ) -> Response | Failure:
        if not self._ground.contract.service(service).on_ramp:
            side, replica = Side.STABLE, 0  # one version and one instance, whoever is asked
        key = (service, side, replica)
        result = await self._clients[key].send(request, timeout)
        if isinstance(result, Response):
            return _without_address(result, service, self.instances[key].port)
        if isinstance(result, Failure):
            running = self.instances[key]
            if await running.died():
                return Failure(result.kind, f"{result.detail} ({running.exit_description()})", died=True)
        return result

    def dead(self) -> list[Running]:
        return [running for running in self.instances.values() if not running.alive]

    async def migrate(self, stage: Stage) -> None:
        """Raises MigrationFailed."""
        await self._ground.migrate(stage, self.stores, self.folder)

    async def _values(self, service: Service, side: Side, replica: int) -> dict[str, str]:
        urls = dict(self.stores.urls)
        for name in self._ground.contract.hops(service.name):
            urls.setdefault(name, self.instances[name, Side.STABLE, 0].base_url)
        if self._proxies is not None:
            urls = await self._proxies.addresses(actor(service.name, side, replica), urls)
        return {f"{name}.url": url for name, url in urls.items()}

    async def close(self) -> None:
        await self.stop()
        if self._proxies is not None:
            await self._proxies.close()
        with contextlib.suppress(EnvironmentFailed):
            await self.stores.drop()
        await in_thread(remove_folder, self.folder)


def actor(service: str, side: Side, replica: int) -> str:
    """The name of an instance as the proxies know it."""
    return f"{service} {side} {replica}"


class Ground:
    """Makes environments and keeps the template of each point."""

    def __init__(
        self, contract: Contract, servers: Servers, ledger: Ledger, run_id: str, work: Path, logs: Path
    ) -> None:
        self.contract = contract
        self.servers = servers
        self.ledger = ledger
        self.run_id = run_id
        self.work = work
        self.logs = logs
        self.note: Callable[[str], None] = lambda text: None
        self.starts_change_data: set[int] = set()
        self.stable_boots = False  # does starting the stable change the database (it makes its own tables)?
        self._templates: dict[int, str] = {}
        self._building: dict[int, asyncio.Lock] = {}
        self._number = 0

    async def environment(self, label: str, template: str | None, proxies: Proxies | None = None) -> Environment:
        self._number += 1
        name = f"{label}{self._number}"
        folder = self.work / "environments" / name
        await in_thread(copy_folder, Path(self.contract.folder), folder)
        stores = await self.servers.create(name, template)
        return Environment(self, name, stores, folder, proxies)

    @contextlib.asynccontextmanager
    async def opened(
        self, label: str, template: str | None, proxies: Proxies | None = None
    ) -> AsyncIterator[Environment]:
        environment = await self.environment(label, template, proxies)
        try:
            yield environment
        finally:
            await finished(environment.close())

    async def migrate(self, stage: Stage, stores: Stores, folder: Path) -> None:
        migration = stage.migration
        if migration is None:
            return
        await stores.release()
        if migration.sql:
            await stores.run_sql(migration.sql, migration.database)
        if migration.run:
            values = {f"{name}.url": url for name, url in stores.urls.items()} | {"python": PYTHON}
            log = self.logs / f"migration-{stage.name}.log"
            await run_command(migration.run, values, folder, log, self.run_id, self.ledger, position=migration.position)
            await stores.number_sequences()

    async def template(self, line: Timeline, point: int) -> str:
        """The template of a point, made when first asked for: the one before, and what opens this point."""
        lock = self._building.setdefault(point, asyncio.Lock())
        async with lock:
            if point not in self._templates:
                self._templates[point] = await self._make_template(line, point)
            return self._templates[point]

    async def _make_template(self, line: Timeline, point: int) -> str:
        name = f"p{point}"
        before = await self.template(line, point - 1) if point else None
        stage = self.contract.stages[line.points[point].stage]
        async with self.opened(f"t{point}-", before) as environment:
            if line.points[point].opened_by == "start":
                await environment.start(Side.CANARY)
            else:
                try:
                    await environment.migrate(stage)
                except MigrationFailed as problem:
                    raise broken_migration(stage, problem) from None
                if point == 0 and self.stable_boots:
                    await environment.start(Side.STABLE)
            await environment.stop()
            await self.servers.save_template(environment.stores, name)
        return name

    async def canary_start_changes_data(self, line: Timeline, point: int) -> bool:
        """Starts the canary on a copy of the point's data and looks whether anything is different afterwards."""
        if not self.contract.databases:
            return False
        async with self.opened("probe", await self.template(line, point)) as environment:
            before = await environment.stores.fingerprint()
            await environment.start(Side.CANARY)
            await environment.stop()
            return await environment.stores.fingerprint() != before

    @contextlib.asynccontextmanager
    async def clean_at(
        self, line: Timeline, point: int, sides: Iterable[tuple[Side, int]]
    ) -> AsyncIterator[Environment]:
        """A clean environment at a point with fresh instances of these (side, replica)."""
        async with self.opened("clean", await self.template(line, point)) as environment:
            await asyncio.gather(*(environment.start(side, replica) for side, replica in sorted(set(sides))))
            yield environment


class Journey:
    """A clean environment led through the stages the way a rollout goes: the stable is started at the beginning, the
    canary at its first stage, migrations run while they serve."""

    def __init__(
        self, ground: Ground, line: Timeline, environment: Environment, replicas: Iterable[int] = (0,)
    ) -> None:
        self._ground = ground
        self._line = line
        self.environment = environment
        self._point = 0
        self._replicas = tuple(replicas)

    async def begin(self) -> None:
        for replica in self._replicas:
            await self.environment.start(Side.STABLE, replica)

    async def go_to(self, placed: Placed) -> None:
        """Moves on to the point of a call, and starts the canary when it is its turn to serve."""
        while self._point < placed.point:
            self._point += 1
            opening = self._line.points[self._point]
            if opening.opened_by == "start":
                await self._start_canary()
            else:
                await self.environment.migrate(self._ground.contract.stages[opening.stage])
                first = first_canary_stage(self._ground.contract)
                if first is not None and first < opening.stage:
                    await self._start_canary()
        if placed.side is Side.CANARY:
            await self._start_canary()

    async def _start_canary(self) -> None:
        for replica in self._replicas:
            await self.environment.start(Side.CANARY, replica)


def broken_migration(stage: Stage, problem: MigrationFailed) -> EnvironmentFailed:
    """The migration fails on the base data already: nothing can be concluded about the versions."""
    migration = stage.migration
    where = str(migration.position) if migration and migration.position else ""
    return EnvironmentFailed(
        f"the migration of stage `{stage.name}` fails on the data of the schema alone",
        where=where,
        hint=problem.message,
    )


def _without_address(response: Response, service: str, port: int) -> Response:
    """Instances differ in their ports, and services write their own address into links: it becomes the service's name."""
    body, headers = response.body, response.headers
    if str(port).encode() not in body and not any(str(port) in value for _, value in headers):
        return response
    for host in ("127.0.0.1", "localhost", "[::1]"):
        address, name = f"{host}:{port}", f"{service}.internal"
        body = body.replace(address.encode(), name.encode())
        headers = tuple((key, value.replace(address, name)) for key, value in headers)
    return Response(response.status, headers, body)
