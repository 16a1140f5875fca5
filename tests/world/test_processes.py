"""Services as real child processes: command lines, readiness, ends, and that nothing is left of any of them."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crossfade.errors import EnvironmentFailed
from crossfade.model.contract import Instance, Service
from crossfade.model.history import Failure, Response
from crossfade.model.ramp import Side
from crossfade.world import commands, processes, trees
from crossfade.world.folder import copy_folder
from crossfade.world.ledger import Ledger, new_run_id
from crossfade.world.migrations import MigrationFailed, run_command

WEB = f"{sys.executable} -m http.server ${{port}} --bind 127.0.0.1"

# Starts a child, and a grandchild in a session of its own with an empty environment; all ignore SIGTERM.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 2:
    subprocess.Popen([sys.executable, __file__, "child", "x"])
    print("ready", flush=True)
elif sys.argv[1] == "child":
    subprocess.Popen([sys.executable, __file__, "grandchild", "x", "x"], start_new_session=True, env={})
if len(sys.argv) == 2:
    import http.server
    http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
time.sleep(600)
"""


class World:
    """What a run gives to start_instance, in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.logs = folder / "logs"
        self.run_id = new_run_id()
        self.ledger = Ledger(self.run_id, folder / "runs")

    async def start(self, service: Service, side: Side = Side.STABLE, **values: str) -> processes.Running:
        return await processes.start_instance(
            service, side, "main", values, self.folder, self.logs, self.ledger, self.run_id
        )

    async def migrate(self, command: str, timeout: float = 60, **values: str) -> None:
        log = self.folder.parent / "migration.log"
        await run_command(command, values, self.folder, log, self.run_id, self.ledger, timeout)

    def left(self) -> set[int]:
        return trees.marked(f"{trees.RUN_VARIABLE}={self.run_id}")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    assert set() == world.left()
    deadline = time.monotonic() + 10  # a thread collects them
    while zombies() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [] == zombies()
    assert '"processes": []' in world.ledger.path.read_text()


def zombies() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]


def service(run: str, ready: str | None = None, timeout: float = 30, **fields: object) -> Service:
    return Service("orders", Instance(version="1.2.3", run=run, **fields), ready=ready, ready_timeout=timeout)  # type: ignore[arg-type]


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}"'


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.02)


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


# ── starting ────────────────────────────────────────────────────────────────


def test_a_service_is_started_answers_and_is_gone_when_stopped(world: World) -> None:
    async def run() -> None:
        (world.folder / "hello.txt").write_text("hi")
        running = await world.start(service(WEB, "/hello.txt"))
        assert ("orders", Side.STABLE, "main", "1.2.3") == (
            running.service,
            running.side,
            running.label,
            running.version,
        )
        assert running.alive
        assert not await running.died(within=0)
        answer = await processes.probe(running, "/hello.txt", 5)
        assert isinstance(answer, Response)
        assert (200, b"hi") == (answer.status, answer.body)
        assert '"GET /hello.txt HTTP/1.1" 200' in running.tail()
        await running.stop()
        await running.stop()
        assert not running.alive
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", running.port), 1)

    asyncio.run(run())


def test_names_reach_the_command_and_the_environment(world: World) -> None:
    show = "import os; print([os.environ[n] for n in ('DB', 'PORT', 'OWN', 'CROSSFADE_RUN')], os.getcwd(), flush=True)"
    (world.folder / "sub").mkdir()
    (world.folder / "sub" / "show.py").write_text(f"{show}\nimport http.server, sys\nprint(sys.argv[1:], flush=True)\n")
    instance = Instance(
        version="2.0",
        run="python show.py '${db.url}' v${version} && exec python -m http.server ${port} --bind 127.0.0.1",
        env={"OWN": "mine"},
        folder="sub",
    )
    made = Service("orders", Instance(run="false"), instance, env={"DB": "${db.url}", "OWN": "shared"})

    async def run() -> None:
        running = await world.start(made, Side.CANARY, **{"db.url": "postgres://h/x?a=1&b='2'"})
        lines = running.log.read_text().splitlines()
        await running.stop()
        expected = ["postgres://h/x?a=1&b='2'", str(running.port), "mine", world.run_id]
        assert f"{expected} {world.folder / 'sub'}" == lines[0]
        assert str(["postgres://h/x?a=1&b='2'", "v2.0"]) == lines[1]

    asyncio.run(run())


def test_without_a_ready_path_an_open_port_is_enough(world: World) -> None:
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', ${port})); time.sleep(600)"

    async def run() -> None:
        running = await world.start(service(python(listen)))
        assert running.alive
        await running.stop()

    asyncio.run(run())


def test_a_service_that_listens_on_ipv6_only_is_found_there(world: World) -> None:
    async def run() -> None:
        running = await world.start(service(WEB.replace("127.0.0.1", "::1"), "/"))
        assert f"http://[::1]:{running.port}" == running.base_url
        await running.stop()

    asyncio.run(run())


def test_not_ready_while_the_path_answers_with_an_error(world: World) -> None:
    async def run() -> None:
        with pytest.raises(EnvironmentFailed) as caught:
            await world.start(service(WEB, "/healthz", timeout=0.8))
        assert (
            "service `orders` 1.2.3 (stable) is not ready after 0.8 s (GET /healthz: status 404)"
            == caught.value.message
        )
        assert '"GET /healthz HTTP/1.1" 404' in caught.value.hint

    asyncio.run(run())


def test_a_service_that_ends_before_it_is_ready_says_how_and_shows_its_log(world: World) -> None:
    async def run() -> None:
        with pytest.raises(EnvironmentFailed) as caught:
            await world.start(service(python("import sys; print('no such table'); sys.exit(3) # ${port}")))
        assert "service `orders` 1.2.3 (stable) ended before it was ready: exit code 3" == caught.value.message
        assert "no such table" in caught.value.hint
        assert str(world.logs / "orders-stable-main.log") in caught.value.hint

    asyncio.run(run())


def test_a_port_that_was_taken_meanwhile_leads_to_another_one(world: World) -> None:
    # As if somebody took the port between our looking and the service's listening: the first start finds it in use.
    code = """
import os, socket, sys
if not os.path.exists("second"):
    open("second", "w").close()
    other = socket.socket()
    other.bind(("127.0.0.1", int(sys.argv[1])))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
import time; time.sleep(600)
"""
    (world.folder / "late.py").write_text(code)

    async def run() -> None:
        running = await world.start(service("python3 late.py ${port}"))
        assert running.alive
        await running.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "no-such-program ${port}",
            "the command `no-such-program ${port}` cannot be started: `no-such-program` is not",
        ),
        ("serve 'it", "the command `serve 'it` cannot be started: no closing quotation"),
        ("serve ${dv.url}", "`${dv.url}` has no value here"),
        ("${port} ''", "cannot be started"),
        ("", "the command `` cannot be started: the command is empty"),
    ],
)
def test_a_command_that_cannot_be_started_is_an_environment_error(world: World, command: str, message: str) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        asyncio.run(world.start(service(command)))
    assert message in caught.value.message


def test_a_running_address_is_waited_for_and_never_stopped(world: World) -> None:
    async def run() -> None:
        owner = await world.start(service(WEB, "/"))
        address = "http://127.0.0.1:${there}/"
        made = Service("orders", Instance(version="9", url=address), ready="/", ready_timeout=5)
        running = await world.start(made, there=str(owner.port))
        assert (f"http://127.0.0.1:{owner.port}", owner.port) == (running.base_url, running.port)
        await running.stop()
        assert owner.alive
        await owner.stop()
        with pytest.raises(EnvironmentFailed, match=r"is not ready: not ready after 0\.2 s"):
            await world.start(
                Service("orders", Instance(url=address), ready="/", ready_timeout=0.2), there=str(owner.port)
            )

    asyncio.run(run())


# ── ends ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "description"),
    [
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("os._exit(7)", "exit code 7"),
    ],
)
def test_how_a_service_died_is_known_at_once(world: World, line: str, description: str) -> None:
    code = f"""
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()
    if os.path.exists("die"):
        {line}
"""
    (world.folder / "mortal.py").write_text(code)

    async def run() -> None:
        running = await world.start(service("python3 mortal.py ${port}"))
        assert "" == running.exit_description()
        (world.folder / "die").touch()
        answer = await processes.probe(running, "/", 5)
        assert isinstance(answer, Failure)
        assert await running.died(within=10)
        assert description == running.exit_description()
        await running.stop()
        assert description == running.exit_description()

    asyncio.run(run())


def test_children_that_ignore_sigterm_and_left_the_session_are_ended_too(world: World) -> None:
    (world.folder / "stubborn.py").write_text(STUBBORN)

    async def run() -> None:
        running = await world.start(service("python3 stubborn.py ${port}", "/"))
        assert running.pid is not None
        await until(lambda: len(descendants(running.pid or 0)) == 2)
        family = descendants(running.pid)
        await running.stop()
        assert [] == [process for process in family if trees.is_alive(process.pid)]

    asyncio.run(run())


def test_a_child_whose_parents_are_gone_is_found_by_its_mark(world: World) -> None:
    orphan = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    both = f"{python(orphan)} && exec {WEB}"

    async def run() -> None:
        running = await world.start(service(both, "/"))
        assert 2 == len(world.left())
        await running.stop()
        assert set() == world.left()

    asyncio.run(run())


def test_a_start_that_is_cancelled_leaves_nothing(world: World) -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await world.start(service(python("import time; time.sleep(600) # ${port}")))

    asyncio.run(run())


def test_a_stop_that_is_cancelled_leaves_nothing(world: World) -> None:
    (world.folder / "stubborn.py").write_text(STUBBORN)

    async def run() -> None:
        running = await world.start(service("python3 stubborn.py ${port}", "/"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await running.stop()
        await until(lambda: world.left() == set())
        await running.stop()

    asyncio.run(run())


def test_the_tail_of_a_huge_log_is_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(4 * 1024**4)  # a sparse file no machine could read whole
        file.seek(0, os.SEEK_END)
        file.write(b"\none\ntwo \xff\nthree\n")
    assert "two \ufffd\nthree" == trees.last_lines(log, 2)


# ── migrations ──────────────────────────────────────────────────────────────


def test_a_migration_runs_to_its_end_in_the_folder(world: World) -> None:
    asyncio.run(world.migrate("printf '%s' \"${db.url}\" > done.txt", **{"db.url": 'a"$HOME`b`\\'}))
    assert 'a"$HOME`b`\\' == (world.folder / "done.txt").read_text()


def test_a_failed_migration_says_its_exit_code_and_its_own_last_lines(world: World) -> None:
    asyncio.run(world.migrate("echo of the one before"))
    with pytest.raises(MigrationFailed) as caught:
        asyncio.run(world.migrate("echo no such column; exit 3"))
    assert "`echo no such column; exit 3`: exit code 3\nno such column" == caught.value.message


def test_a_migration_that_hangs_is_killed_with_its_children(world: World) -> None:
    with pytest.raises(MigrationFailed, match=r"not done after 0\.4 s"):
        asyncio.run(world.migrate("sleep 600 & setsid sleep 600 & wait", timeout=0.4))


def test_a_migration_that_is_cancelled_is_killed_with_its_children(world: World) -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await world.migrate("sleep 600 & setsid sleep 600 & wait")

    asyncio.run(run())


def test_what_a_migration_leaves_running_is_ended(world: World) -> None:
    asyncio.run(world.migrate("setsid sleep 617 & true"))
    assert [] == [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "617"]]


def test_a_migration_that_cannot_be_started_is_an_environment_error(world: World) -> None:
    with pytest.raises(EnvironmentFailed, match="`alembik` is not there"):
        asyncio.run(world.migrate("alembik upgrade head"))


# ── command lines ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serve --port ${port}", ["serve", "--port", "80"]),
        ("serve '${odd}' x${port}y", ["serve", "a b&c'd", "x80y"]),
        ("serve '$HOME' 'a;b' \"x|y\"", ["serve", "$HOME", "a;b", "x|y"]),
        ("serve $PORT", ["sh", "-c", "exec serve $PORT"]),
        ("serve $${HOME}", ["sh", "-c", "exec serve ${HOME}"]),
        ("serve ${odd} > log", ["sh", "-c", "exec serve 'a b&c'\"'\"'d' > log"]),
        ("serve '${odd}' > log", ["sh", "-c", "exec serve 'a b&c'\\''d' > log"]),
        ("a && b ${port}", ["sh", "-c", "a && b 80"]),
        ("cd x; a", ["sh", "-c", "cd x; a"]),
        ("A=1 serve", ["sh", "-c", "A=1 serve"]),
        ("serve \\\n  --port ${port}", ["sh", "-c", "exec serve \\\n  --port 80"]),
        ("serve a\\;b", ["serve", "a;b"]),
    ],
)
def test_a_shell_is_used_only_where_the_text_needs_one(text: str, expected: list[str]) -> None:
    assert expected == commands.argument_list(text, {"port": 80, "odd": "a b&c'd"})


@pytest.mark.parametrize("text", ["serve ${odd} >x", "serve '${odd}' >x", 'serve "${odd}" >x'])
def test_a_value_is_one_word_for_the_shell_whatever_it_holds(text: str, tmp_path: Path) -> None:
    import subprocess

    odd = "a b'c\"d$HOME`e`\\f;g&h*|\n"
    argv = commands.argument_list(text.replace("serve", "printf %s"), {"odd": odd})
    subprocess.run(argv, cwd=tmp_path, check=True)
    assert odd == (tmp_path / "x").read_text()


def test_python_is_our_own_interpreter_where_there_is_none(tmp_path: Path) -> None:
    assert [sys.executable, "x.py"] == commands.argument_list("python x.py", {}, str(tmp_path))
    assert ["sh", "-c", f"exec {sys.executable} x.py > y"] == commands.argument_list(
        "python x.py > y", {}, str(tmp_path)
    )


def test_our_own_directory_is_searched_for_commands_beside_the_users() -> None:
    beside = str(Path(sys.executable).parent)
    path = commands.environment("r", (), {})["PATH"].split(os.pathsep)
    assert beside in (path[0], path[-1])
    assert [f for f in os.environ["PATH"].split(os.pathsep) if f != beside] == [f for f in path if f != beside]


# ── the folder they run in ──────────────────────────────────────────────────


def test_the_copy_of_the_folder_is_independent_and_keeps_modes_and_links(tmp_path: Path) -> None:
    source, outside = tmp_path / "source", tmp_path / "outside"
    for folder in ("data", ".git", "app/__pycache__", "node_modules/x", "out", "sub/.venv"):
        (source / folder).mkdir(parents=True)
    outside.mkdir()
    for name in ("data/a.txt", ".git/HEAD", "app/__pycache__/x.pyc", "node_modules/x/i.js", "out/report.json"):
        (source / name).write_text(name)
    for name in ("out/report.html", "out/mine.txt", "app/old.pyc"):
        (source / name).write_text(name)
    (source / "run.sh").write_text("#!/bin/sh")
    (source / "run.sh").chmod(0o755)
    (source / "near").symlink_to("data/a.txt")
    (source / "absolute").symlink_to(source / "data")
    (source / "away").symlink_to("../outside")
    os.mkfifo(source / "pipe")
    copy = source / "copies" / "one"

    copy_folder(source, copy)

    found = sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if not path.is_dir() or path.is_symlink())
    assert ["absolute", "away", "data/a.txt", "near", "node_modules", "out/mine.txt", "run.sh", "sub/.venv"] == found
    assert 0o755 == (copy / "run.sh").stat().st_mode & 0o777
    assert source / "node_modules" == (copy / "node_modules").readlink()
    assert outside == (copy / "away").resolve()
    (copy / "absolute" / "a.txt").write_text("changed")
    assert "changed" == (copy / "near").read_text()
    assert "data/a.txt" == (source / "data" / "a.txt").read_text()


def test_a_folder_that_is_too_large_is_refused_with_what_fills_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "dumps").mkdir(parents=True)
    (source / "dumps" / "big.sql").write_bytes(b"x" * 3_000_000)
    (source / "small").write_bytes(b"x")
    with pytest.raises(EnvironmentFailed, match="holds more than 1 MB") as caught:
        copy_folder(source, tmp_path / "copy", limit=1024 * 1024)
    assert "`dumps` 2 MB" in caught.value.hint
    assert not (tmp_path / "copy").exists()


def test_a_folder_that_is_not_there_is_an_environment_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailed, match="no such file or directory"):
        copy_folder(tmp_path / "nowhere", tmp_path / "copy")


def test_ports_are_free_and_never_handed_out_twice() -> None:
    ports = [processes.free_port() for _ in range(50)]
    assert 50 == len(set(ports))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert taken.getsockname()[1] not in ports
