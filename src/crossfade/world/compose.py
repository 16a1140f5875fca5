"""Instances that live in docker compose (`compose: file/service`): the command lines, and the file that is laid over
the user's so that two copies of one service can run side by side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from crossfade.errors import EnvironmentFailed

HOST = "host.docker.internal"  # what 127.0.0.1 of this machine is called within a container
UP_TIMEOUT = 900.0  # seconds; images may have to be fetched or built


def split_reference(reference: str) -> tuple[str, str]:
    """File and service of `compose: file/service`.

    >>> split_reference("deploy/compose.yaml/orders")
    ('deploy/compose.yaml', 'orders')
    """
    file, _, service = reference.rpartition("/")
    if not file or not service:
        raise EnvironmentFailed(f"`{reference}` does not name a compose file and a service", hint="write file/service")
    return file, service


def project_name(run_id: str, label: str) -> str:
    """A name compose accepts: lower case, digits, - and _."""
    return re.sub(r"[^a-z0-9_-]", "-", f"crossfade_{run_id}_{label}".lower())


def up_command(project: str, file: Path, override: Path, service: str) -> list[str]:
    return ["docker", "compose", "-p", project, "-f", str(file), "-f", str(override), "up", "-d", service]


def down_command(project: str) -> list[str]:
    return ["docker", "compose", "-p", project, "down", "--volumes", "--remove-orphans", "--timeout", "5"]


def logs_command(project: str, lines: int) -> list[str]:
    return ["docker", "compose", "-p", project, "logs", "--no-color", "--tail", str(lines)]


def read(file: Path) -> dict[str, Any]:
    """The compose file as plain values; tags only compose knows (`!reset`) are read as nothing."""
    try:
        document = yaml.load(file.read_text(), Loader=_Loader)
    except OSError as problem:
        raise EnvironmentFailed(f"`{file.name}` cannot be read: {problem.strerror}", where=str(file)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise EnvironmentFailed(f"`{file.name}` is no YAML: {str(problem).splitlines()[0]}", where=str(file)) from None
    return document if isinstance(document, dict) else {}


def container_port(document: Mapping[str, Any], service: str) -> int:
    """The port the service listens on within its container: the first of `ports`, else of `expose`."""
    described = (document.get("services") or {}).get(service)
    if not isinstance(described, Mapping):
        raise EnvironmentFailed(f"the compose file has no service `{service}`")
    for line in (*(described.get("ports") or ()), *(described.get("expose") or ())):
        target = line.get("target") if isinstance(line, Mapping) else str(line).split("/")[0].rsplit(":", 1)[-1]
        if str(target).isdigit():
            return int(str(target))
    raise EnvironmentFailed(
        f"the compose service `{service}` does not say on which port it listens",
        hint="give it `expose: [8000]` or `ports:` in the compose file",
    )


def override_text(document: Mapping[str, Any], service: str, port: int, environment: Mapping[str, str]) -> str:
    """The compose file laid over the user's: the service published on `port` of the loopback, with `environment`;
    fixed ports and container names taken from all services, so that two copies do not collide.

    Addresses of this machine in `environment` are given by the name the container knows it by.
    """
    target = container_port(document, service)
    values = {
        name: re.sub(r"(?<![\w.])(127\.0\.0\.1|localhost)(?![\w.])", HOST, text) for name, text in environment.items()
    }
    services: dict[str, Any] = {}
    for name, described in document["services"].items():
        if isinstance(described, Mapping):
            services[name] = {key: _Reset() for key in ("ports", "container_name") if described.get(key)}
    services[service] |= {
        "ports": _Override([f"127.0.0.1:{port}:{target}"]),
        "environment": values | {"PORT": str(target)},
        "extra_hosts": [f"{HOST}:host-gateway"],
    }
    return yaml.dump({"services": {name: value for name, value in services.items() if value}}, Dumper=_Dumper)


async def up(project: str, file: Path, override: Path, service: str) -> None:
    await require_engine()
    await _docker(
        up_command(project, file, override, service), UP_TIMEOUT, f"compose service `{service}` did not start"
    )


async def remove(project: str) -> None:
    """Containers, networks and volumes of the project. Raises EnvironmentFailed when no engine answers."""
    await require_engine()
    await _docker(down_command(project), 120.0, f"compose project `{project}` could not be removed")


async def last_lines(project: str, lines: int) -> str:
    return await _docker(logs_command(project, lines), 20.0, "the logs could not be read")


async def require_engine() -> None:
    try:
        await _docker(["docker", "version", "--format", "{{.Server.Version}}"], 20.0, "no docker engine answers")
    except EnvironmentFailed as problem:
        hint = "start docker, or describe the service by `run:` or `url:`"
        raise EnvironmentFailed("no docker engine answers", where=problem.where, hint=hint) from None


async def _docker(argv: list[str], timeout: float, failure: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError:
        raise EnvironmentFailed(failure, hint="the command `docker` is not there") from None
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
    except TimeoutError:
        raise EnvironmentFailed(f"{failure}: not done after {timeout:g} s", where=" ".join(argv)) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode("utf-8", "replace").strip()
    if process.returncode != 0:
        raise EnvironmentFailed(failure, where=" ".join(argv), hint=text.splitlines()[-1] if text else "")
    return text


class _Reset:
    """`!reset`: takes a key of the user's file away."""


class _Override(list[Any]):
    """`!override`: stands instead of the user's list, which would otherwise be appended to."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Reset, lambda dumper, _: dumper.represent_scalar("!reset", "null"))
_Dumper.add_representer(_Override, lambda dumper, value: dumper.represent_sequence("!override", value))


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
