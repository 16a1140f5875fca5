"""Services as running instances: any command, a running address, or a docker compose service; started, waited for
until ready, watched, and stopped with everything they started."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from crossfade.errors import EnvironmentFailed
from crossfade.model import template
from crossfade.model.contract import Instance, Service
from crossfade.model.history import Failure, Request, Response
from crossfade.model.ramp import Side
from crossfade.world import commands, compose, trees
from crossfade.world.driver import Client
from crossfade.world.ledger import Ledger

PORT_TRIES = 4
_HOSTS = ("127.0.0.1", "[::1]")  # some servers listen on what `localhost` means to them
_IN_USE = re.compile(r"address (is )?already in use|EADDRINUSE|address in use|errno 98\b|errno 48\b", re.IGNORECASE)


class Running:
    """One instance that was ready once. For `url` and compose instances there is no process to watch: `alive` stays
    true for them."""

    def __init__(self, service: str, side: Side, label: str, version: str, base_url: str, port: int, log: Path) -> None:
        self.service = service
        self.side = side
        self.label = label
        self.version = version
        self.base_url = base_url
        self.port = port
        self.log = log

    @property
    def alive(self) -> bool:
        return True

    @property
    def pid(self) -> int | None:
        return None

    def exit_description(self) -> str:
        """How the process ended ("exit code 1", "killed by SIGKILL"), "" while it lives."""
        return ""

    async def died(self, within: float = 0.1) -> bool:
        """Whether it has ended, or does so within some seconds: a dying process closes its connections a moment
        before it is gone, so this is what to ask after a call that was reset."""
        for _ in range(round(within / 0.005)):
            if not self.alive:
                break
            await asyncio.sleep(0.005)
        return not self.alive

    def tail(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return trees.last_lines(self.log, lines)

    async def stop(self) -> None:
        """Ends it. May be called again; nothing is left when it returns, also when it is cancelled."""


async def start_instance(
    service: Service,
    side: Side,
    label: str,
    values: Mapping[str, str],
    folder: Path,
    logs: Path,
    ledger: Ledger,
    run_id: str,
) -> Running:
    """Starts one side of a service in `folder` (a copy of the contract's) and returns when it is ready.

    `values` are the names for `${...}`; `port`, `version` and `python` (the interpreter that runs Crossfade) are added
    here. `label` tells instances of one side apart. Raises EnvironmentFailed, and leaves nothing running then.
    """
    instance = service.instance(side)
    names = {**values, "version": instance.version or "", "python": commands.PYTHON}
    log = _new_log(logs, f"{service.name}-{side}-{label}")
    if instance.url is not None:
        return await _running_address(service, side, label, instance, names, log)
    for attempt in itertools.count(1):
        port = free_port()
        start = _start_compose if instance.compose is not None else _start_command
        running = await start(service, side, label, instance, {**names, "port": str(port)}, folder, log, ledger, run_id)
        try:
            await _wait_ready(service, running)
            return running
        except _NotReady as problem:
            taken = not running.alive and _IN_USE.search(running.tail(50))
            missing = not running.alive and commands.MODULE_MISSING.search(running.tail(50))
            await running.stop()
            if missing and commands.turn_search_order():
                continue
            if not taken or attempt == PORT_TRIES:
                raise _not_ready_screen(service, running, instance, str(problem)) from None
        except BaseException:
            await running.stop()
            raise
    raise AssertionError


async def probe(running: Running, path: str, timeout: float) -> Response | Failure:
    """One GET on a connection of its own."""
    client = Client(running.base_url)
    try:
        return await client.send(Request("GET", path, (("Connection", "close"),)), timeout)
    finally:
        await client.close()


def free_port() -> int:
    """A port nobody listens on, not handed out before by this process. It lies below the range from which the system
    takes the ports of outgoing connections, so that none of those takes it before the service does."""
    for port in _ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe_socket:
            probe_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe_socket.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError


def _port_numbers(first: int = 20000, count: int = 12000) -> Iterator[int]:
    """Starts at a place of this process's own: two runs at the same time seldom try the same port."""
    return (first + (os.getpid() * 61 + step) % count for step in itertools.count())


_ports = _port_numbers()


# ── an instance that is a command ───────────────────────────────────────────


class _Command(Running):
    def __init__(
        self,
        *identity: str,
        side: Side,
        port: int,
        log: Path,
        process: trees.Process,
        mark: str,
        ledger: Ledger,
    ) -> None:
        service, label, version, base_url = identity
        super().__init__(service, side, label, version, base_url, port, log)
        self._process = process
        self._mark = mark
        self._ledger = ledger
        self._stopped = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def exit_description(self) -> str:
        code = self._process.returncode
        return "" if code is None else trees.describe_exit(code)

    async def stop(self) -> None:
        if self._stopped:
            return
        await trees.end_tree(self._process, self._mark)
        self._ledger.remove_process(self.pid)
        self._stopped = True


async def _start_command(
    service: Service,
    side: Side,
    label: str,
    instance: Instance,
    values: Mapping[str, str],
    folder: Path,
    log: Path,
    ledger: Ledger,
    run_id: str,
) -> Running:
    text = instance.run or ""
    mark = f"{run_id}/{log.stem}"
    try:
        own = ({"PORT": values["port"]}, service.env, instance.env)
        environment = commands.environment(run_id, own, values, mark)
        argv = commands.argument_list(text, values, environment["PATH"])
        process = trees.spawn(argv, environment, folder / (instance.folder or ""), log)
    except (KeyError, ValueError, OSError) as problem:
        raise commands.refused(text, problem, instance.position or service.position) from None
    port = int(values["port"])
    running = _Command(
        service.name,
        label,
        instance.version or "",
        f"http://{_HOSTS[0]}:{port}",
        side=side,
        port=port,
        log=log,
        process=process,
        mark=mark,
        ledger=ledger,
    )
    try:
        ledger.add_process(process.pid, f"{service.name} {instance.version or side} {label}")
    except BaseException:
        await running.stop()
        raise
    return running


# ── an instance that runs already ───────────────────────────────────────────


async def _running_address(
    service: Service, side: Side, label: str, instance: Instance, values: Mapping[str, str], log: Path
) -> Running:
    position = str(instance.position or service.position or "")
    try:
        address = template.filled(instance.url or "", values).rstrip("/")
        Client(address)
    except KeyError as problem:
        raise EnvironmentFailed(f"`${{{problem.args[0]}}}` has no value here", where=position) from None
    except ValueError as problem:
        raise EnvironmentFailed(str(problem), where=position) from None
    parts = re.match(r"(https?)://[^/]*?(?::(\d+))?(?:/|$)", address)
    port = int(parts[2]) if parts and parts[2] else (443 if address.startswith("https") else 80)
    running = Running(service.name, side, label, instance.version or "", address, port, log)
    try:
        await _wait_ready(service, running)
    except _NotReady as problem:
        raise EnvironmentFailed(
            f"service `{service.name}` ({side}) at `{address}` is not ready: {problem}", where=position
        ) from None
    return running


# ── an instance that lives in docker compose ────────────────────────────────


class _Composed(Running):
    _project = ""
    _ledger: Ledger | None = None

    async def stop(self) -> None:
        if self._ledger is None:
            return
        with contextlib.suppress(EnvironmentFailed):
            self.log.write_text(await compose.last_lines(self._project, 1000))
        await compose.remove(self._project)
        self._ledger.remove_project(self._project)
        self._ledger = None


async def _start_compose(
    service: Service,
    side: Side,
    label: str,
    instance: Instance,
    values: Mapping[str, str],
    folder: Path,
    log: Path,
    ledger: Ledger,
    run_id: str,
) -> Running:
    name, inner = compose.split_reference(instance.compose or "")
    file = folder / name
    port = int(values["port"])
    project = compose.project_name(run_id, log.stem)
    override = log.with_suffix(".compose.yaml")
    own = {key: template.filled(text, values) for key, text in {**service.env, **instance.env}.items()}
    override.write_text(compose.override_text(compose.read(file), inner, port, own))
    running = _Composed(service.name, side, label, instance.version or "", f"http://{_HOSTS[0]}:{port}", port, log)
    await compose.require_engine()
    ledger.add_project(project)
    running._project, running._ledger = project, ledger
    try:
        await compose.up(project, file, override, inner)
    except BaseException:
        await running.stop()
        raise
    return running


# ── waiting ─────────────────────────────────────────────────────────────────


class _NotReady(Exception):
    """Ended or silent before it was ready; the text says which."""


async def _wait_ready(service: Service, running: Running) -> None:
    """Polls until the ready path answers with 2xx or 3xx (or, without one, the port accepts) and the process lives.
    Sets the address to the one that answered."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + service.ready_timeout
    last, pause = "nothing answered", 0.02
    addresses = [running.base_url]
    if running.pid is not None:
        addresses = [f"http://{host}:{running.port}" for host in _HOSTS]
    while True:
        for address in addresses:
            if not running.alive:
                raise _NotReady(running.exit_description())
            running.base_url = address
            left = deadline - loop.time()
            seen = await _seen(service, running, min(max(left, 0.05), 10.0))
            if seen == "" and running.alive:
                return
            if "refused" not in seen or address == addresses[0]:
                last = seen or last
        if loop.time() >= deadline:
            raise _NotReady(f"not ready after {service.ready_timeout:g} s ({last})")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.2)


async def _seen(service: Service, running: Running, timeout: float) -> str:
    """ "" when ready, else what was seen instead."""
    if service.ready is not None:
        answer = await probe(running, service.ready, timeout)
        if isinstance(answer, Failure):
            return f"GET {service.ready}: {answer.detail or answer.kind}"
        return "" if 200 <= answer.status < 400 else f"GET {service.ready}: status {answer.status}"
    host = running.base_url.split("://", 1)[1].split("/", 1)[0].rpartition("@")[2]
    host = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host.strip("[]"), running.port)
    except TimeoutError:
        return "the port does not answer"
    except OSError as problem:
        return (
            f"port {running.port}: connection refused" if isinstance(problem, ConnectionRefusedError) else str(problem)
        )
    writer.close()
    return ""


def _not_ready_screen(service: Service, running: Running, instance: Instance, reason: str) -> EnvironmentFailed:
    version = f" {running.version}" if running.version else ""
    ended = "ended before it was ready: " if not reason.startswith("not ready") else "is "
    lines = running.tail(15)
    shown = "the last lines of its log:\n" + "\n".join(f"    {line}" for line in lines.splitlines()) if lines else ""
    hint = f"{shown}\n    whole log: {running.log}" if shown else f"it wrote nothing to {running.log}"
    if instance.run is not None and not re.search(
        r"\$\{\s*port\s*\}|PORT", instance.run + str(service.env) + str(instance.env)
    ):
        hint = f"the command does not say `${{port}}`, so it must listen on the port in the variable PORT; {hint}"
    return EnvironmentFailed(
        f"service `{service.name}`{version} ({running.side}) {ended}{reason}",
        where=str(instance.position or service.position or ""),
        hint=hint,
    )


def _new_log(logs: Path, name: str) -> Path:
    """A log file that does not exist yet, so that the log of an instance is only its own."""
    try:
        logs.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            log = logs / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
            with contextlib.suppress(FileExistsError):
                log.open("x").close()
                return log
    except OSError as problem:
        raise EnvironmentFailed(f"no log can be written: {problem.strerror}", where=str(logs)) from None
    raise AssertionError
