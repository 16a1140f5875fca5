"""Docker compose as far as no engine is needed: command lines, the file laid over the user's, and its errors."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
import yaml

from crossfade.errors import EnvironmentFailed
from crossfade.model.contract import Instance, Service
from crossfade.model.ramp import Side
from crossfade.world import compose, processes
from crossfade.world.ledger import Ledger

DOCUMENT = yaml.safe_load("""
services:
  orders: { image: orders, ports: ["8080:80/tcp", "9090:90"], container_name: orders }
  shop: { image: shop, expose: [3000] }
  db: { image: postgres, ports: ["5432:5432"] }
  odd: { image: odd, ports: [{ target: 7000, published: 1 }] }
  silent: { image: silent }
""")


def test_command_lines() -> None:
    assert ["docker", "compose", "-p", "p", "-f", "c.yaml", "-f", "o.yaml", "up", "-d", "orders"] == compose.up_command(
        "p", Path("c.yaml"), Path("o.yaml"), "orders"
    )
    assert "docker compose -p p down --volumes --remove-orphans --timeout 5" == " ".join(compose.down_command("p"))
    assert "docker compose -p p logs --no-color --tail 7" == " ".join(compose.logs_command("p", 7))


def test_project_names_hold_only_what_compose_accepts() -> None:
    assert "crossfade_20260101-0000-ab_orders-stable-main-2" == compose.project_name(
        "20260101-0000-ab", "Orders-stable-main.2"
    )


@pytest.mark.parametrize(("service", "port"), [("orders", 80), ("shop", 3000), ("odd", 7000)])
def test_the_port_within_the_container_is_read_from_the_file(service: str, port: int) -> None:
    assert port == compose.container_port(DOCUMENT, service)


@pytest.mark.parametrize(
    ("service", "message"),
    [("silent", "`silent` does not say on which port it listens"), ("nobody", "has no service `nobody`")],
)
def test_a_service_without_a_port_or_that_is_not_there_is_refused(service: str, message: str) -> None:
    with pytest.raises(EnvironmentFailed, match=message):
        compose.container_port(DOCUMENT, service)


def test_the_file_laid_over_frees_fixed_ports_and_names_and_publishes_one_port() -> None:
    values = {"DB": "postgres://u@127.0.0.1:5432/x", "NAME": "notlocalhost.example", "SHOP": "http://localhost:1"}
    text = compose.override_text(DOCUMENT, "orders", 20001, values)
    services = yaml.load(text, Loader=_Tagged)["services"]
    assert {
        "orders": {
            "ports": ("!override", ["127.0.0.1:20001:80"]),
            "container_name": ("!reset", None),
            "environment": {
                "DB": "postgres://u@host.docker.internal:5432/x",
                "NAME": "notlocalhost.example",
                "SHOP": "http://host.docker.internal:1",
                "PORT": "80",
            },
            "extra_hosts": ["host.docker.internal:host-gateway"],
        },
        "db": {"ports": ("!reset", None)},
        "odd": {"ports": ("!reset", None)},
    } == services


def test_a_reference_names_a_file_and_a_service() -> None:
    assert ("deploy/compose.yaml", "orders") == compose.split_reference("deploy/compose.yaml/orders")
    with pytest.raises(EnvironmentFailed, match="`orders` does not name a compose file and a service"):
        compose.split_reference("orders")


@pytest.mark.parametrize("text", ["services: [", None, "\x00"])
def test_a_compose_file_that_cannot_be_read_is_an_environment_error(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(EnvironmentFailed, match=r"`compose\.yaml` (cannot be read|is no YAML)"):
        compose.read(tmp_path / "compose.yaml")


@pytest.mark.parametrize("answer", ["echo Cannot connect to the Docker daemon >&2; exit 1", None])
def test_without_an_engine_the_run_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str | None
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if answer:
        (programs / "docker").write_text(f"#!/bin/sh\n{answer}\n")
        (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs) + (os.pathsep + "/bin" if answer else ""))
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(DOCUMENT))
    ledger = Ledger("a", tmp_path / "runs")
    service = Service("orders", Instance(version="1", compose="compose.yaml/orders"))
    with pytest.raises(EnvironmentFailed, match="no docker engine answers"):
        asyncio.run(
            processes.start_instance(service, Side.STABLE, "main", {}, tmp_path, tmp_path / "logs", ledger, "a")
        )
    assert '"projects": []' in ledger.path.read_text()


def test_a_composed_service_is_brought_up_waited_for_and_taken_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A `docker` that writes down what it is asked, and serves the published port from the host while it is "up".
    (tmp_path / "docker").write_text(
        """#!/bin/sh
echo "$@" >> asked
case "$*" in
  *" up "*) port=$(sed -n "s/.*127.0.0.1:\\([0-9]*\\):80.*/\\1/p" "$7")
            setsid python3 -m http.server "$port" --bind 127.0.0.1 > /dev/null 2>&1 & echo $! > served ;;
  *" down "*) kill "$(cat served)" ;;
  *" logs "*) echo "orders | hello" ;;
esac
"""
    )
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(DOCUMENT))
    ledger = Ledger("run", tmp_path / "runs")
    service = Service("orders", Instance(version="1", compose="compose.yaml/orders"), ready="/compose.yaml")

    async def run() -> None:
        running = await processes.start_instance(
            service, Side.STABLE, "main", {}, tmp_path, tmp_path / "logs", ledger, "run"
        )
        assert '"crossfade_run_orders-stable-main"' in ledger.path.read_text()
        await running.stop()
        assert "orders | hello" == running.tail()

    asyncio.run(run())
    asked = [line.split(" ")[0:3] for line in (tmp_path / "asked").read_text().splitlines()]
    project = ["compose", "-p", "crossfade_run_orders-stable-main"]
    version = ["version", "--format", "{{.Server.Version}}"]
    assert [version, version, project, project, version, project] == asked
    assert '"projects": []' in ledger.path.read_text()


class _Tagged(yaml.SafeLoader):
    """Reads `!reset null` as ("!reset", None) and `!override [..]` as ("!override", [..])."""


_Tagged.add_constructor("!reset", lambda loader, node: ("!reset", None))
_Tagged.add_constructor("!override", lambda loader, node: ("!override", loader.construct_sequence(node)))
