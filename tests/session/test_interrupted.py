"""Runs that are interrupted, and worlds that break: never `safe`, always a report, and nothing is left behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from bench import WRITE_AND_READ, Bench, contract, reads

from crossfade.world import postgres

pytestmark = pytest.mark.timeout(280)
SLOW = {"DELAY": "0.03"}


def impatient(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**step, "timeout": "0.5s"} for step in steps]


@pytest.mark.parametrize(
    ("number", "moment", "fault"),
    [
        (signal.SIGINT, "starting databases", ""),
        (signal.SIGINT, "starting notes", ""),
        (signal.SIGINT, "walking", ""),
        (signal.SIGTERM, "walking", ""),
        (signal.SIGHUP, "walking", ""),
        (signal.SIGINT, "suspected", "lost"),
    ],
)
def test_an_interrupted_run_reports_unknown_and_leaves_nothing(
    bench: Bench, number: signal.Signals, moment: str, fault: str
) -> None:
    path = contract(bench.folder / "pair", fault=fault, env=SLOW, steps=reads(3))
    with bench.started("run", path, "--report", bench.reports) as run:
        bench.until_printed(moment, run)
        recorded = bench.recorded()
        run.send_signal(number)
        run.wait()
    assert (3, "unknown") == (run.returncode, bench.report()["verdict"]), bench.printed()
    assert any("interrupted" in line for line in bench.report()["not_explored"])
    assert [] == bench.left(recorded)
    assert "Traceback" not in bench.printed()


def test_a_second_ctrl_c_does_not_stop_the_tidying(bench: Bench) -> None:
    path = contract(bench.folder / "pair", env=SLOW, steps=reads(3))
    with bench.started("run", path, "--report", bench.reports) as run:
        bench.until_printed("walking", run)
        recorded = bench.recorded()
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGINT)
        run.wait()
    assert 3 == run.returncode, bench.printed()
    assert [] == bench.left(recorded)


def test_clean_removes_what_a_killed_run_left(bench: Bench) -> None:
    path = contract(bench.folder / "pair", env=SLOW)
    with bench.started("run", path) as run:
        bench.until_printed("walking", run)
        recorded = bench.recorded()
        run.kill()
        run.wait()
    assert bench.left(recorded)
    folders = [path for path in recorded if not path.startswith("/proc/")]
    cleaned = bench.crossfade("clean")
    assert (0, [], "") == (cleaned.returncode, bench.left(recorded), cleaned.stderr)
    assert len(folders) == cleaned.stdout.count("directory ")
    assert "nothing to clean" in bench.crossfade("clean").stdout


def test_the_next_run_removes_what_a_killed_run_left(bench: Bench) -> None:
    path = contract(bench.folder / "pair", env=SLOW)
    with bench.started("run", path) as run:
        bench.until_printed("walking", run)
        recorded = bench.recorded()
        run.kill()
        run.wait()
    again = bench.crossfade("run", contract(bench.folder / "pair"))
    assert 0 == again.returncode, again.stderr
    assert "left by an earlier run" in again.stderr
    assert [] == bench.left(recorded)


# --- a server of somebody else -------------------------------------------------------------------------------------


class _NoLedger:
    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Foreign:
    """A PostgreSQL that Crossfade did not start and must leave as it was."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: postgres.PostgresServer) -> None:
        self._loop = loop
        self.url = server.admin_url

    def databases(self) -> set[str]:
        async def ask() -> set[str]:
            connection = await asyncpg.connect(self.url)
            rows = await connection.fetch("select datname from pg_database")
            await connection.close()
            return {row["datname"] for row in rows}

        return self._loop.run_until_complete(ask())


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    loop = asyncio.new_event_loop()
    tmp_path.chmod(0o755)
    server = loop.run_until_complete(
        postgres.launch(None, tmp_path, tmp_path / "logs", _NoLedger(), lambda _: None)  # type: ignore[arg-type]
    )
    try:
        yield Foreign(loop, server)
    finally:
        loop.run_until_complete(server.close())
        loop.close()


def test_a_run_on_a_foreign_server_leaves_no_database(bench: Bench, foreign: Foreign) -> None:
    before = foreign.databases()
    done = bench.crossfade("run", contract(bench.folder / "pair", url=foreign.url))
    assert 0 == done.returncode, done.stderr
    assert before == foreign.databases()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_databases_on_a_foreign_server_are_gone_after_an_interruption_or_clean(
    bench: Bench, foreign: Foreign, number: signal.Signals
) -> None:
    before = foreign.databases()
    path = contract(bench.folder / "pair", url=foreign.url, env=SLOW, steps=reads(3))
    with bench.started("run", path) as run:
        bench.until_printed("walking", run)
        assert before < foreign.databases()
        run.send_signal(number)
        run.wait()
    if number == signal.SIGKILL:
        assert before < foreign.databases()
        assert 0 == bench.crossfade("clean").returncode
    assert before == foreign.databases()
    assert [] == bench.left()


# --- a world that breaks -------------------------------------------------------------------------------------------


def counted(bench: Bench, at: int) -> dict[str, str]:
    return {"FAULT_COUNT": str(bench.folder / "calls"), "FAULT_AT": str(at)}


@pytest.mark.parametrize(
    ("fault", "at"), [("die", 1), ("die-once", 20), ("stop", 12), ("stop-once", 2), ("stop-once", 26)]
)
def test_a_service_that_dies_or_hangs_is_never_called_safe(bench: Bench, fault: str, at: int) -> None:
    path = contract(bench.folder / "pair", fault=fault, env=counted(bench, at), steps=impatient(WRITE_AND_READ))
    done = bench.crossfade("run", path, "--report", bench.reports, "--budget", "10s")
    calls = (bench.folder / "calls").stat().st_size
    if calls < at:
        pytest.skip(f"the run was over after {calls} calls")
    assert done.returncode in (1, 3), f"{done.stdout}\n{done.stderr}"
    assert bench.report()["verdict"] == {1: "unsafe", 3: "unknown"}[done.returncode]
    assert bench.report()["not_explored"] or bench.report()["findings"]
    assert [] == bench.left()


@pytest.mark.parametrize(
    ("fault", "said"), [("exit", "ended before it was ready: exit code 1"), ("silent", "is not ready after 2 s")]
)
def test_a_service_that_does_not_come_up_is_an_environment_error(bench: Bench, fault: str, said: str) -> None:
    path = contract(bench.folder / "pair", fault=fault, service={"ready_timeout": "2s"})
    done = bench.crossfade("run", path, "--report", bench.reports)
    assert 4 == done.returncode, done.stderr
    assert said in done.stderr and "ramp.yaml:" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == bench.left()


def test_a_service_that_crashes_on_one_routing_is_a_finding(bench: Bench) -> None:
    path = contract(bench.folder / "pair", fault="crash")
    done = bench.crossfade("run", path, "--report", bench.reports)
    assert 1 == done.returncode, done.stderr
    [finding] = [one for one in bench.report()["findings"] if one["severity"] == "error"]
    assert ("status", "mixed") == (finding["check"], finding["blame"])
    assert [("write", "canary"), ("read", "stable")] == [(one["step"], one["side"]) for one in finding["cause"]]
    assert [] == bench.left()


@pytest.mark.parametrize(("moment", "fault"), [("walking", ""), ("suspected", "lost")])
def test_a_database_that_is_killed_ends_the_run_as_unknown(bench: Bench, moment: str, fault: str) -> None:
    path = contract(bench.folder / "pair", fault=fault, env=SLOW, steps=impatient(reads(3)))
    with bench.started("run", path, "--report", bench.reports) as run:
        bench.until_printed(moment, run)
        recorded = bench.recorded()
        [postmaster] = bench.server("PostgreSQL")
        bench.kill(postmaster)
        run.wait()
    assert run.returncode in (3, 4), bench.printed()
    assert "unknown" == bench.report()["verdict"]
    assert any("the run ended early" in line for line in bench.report()["not_explored"])
    assert "Traceback" not in bench.printed()
    assert [] == bench.left(recorded)


def test_a_redis_that_is_killed_ends_the_run_as_unknown(bench: Bench) -> None:
    path = contract(
        bench.folder / "pair",
        env={**SLOW, "CACHE_URL": "${cache.url}"},
        database=False,
        steps=[{"step": f"write{n}", "call": "POST /notes", "json": {"text": "milk"}} for n in range(6)],
        more={"databases": {"cache": {"redis": True}}},
    )
    with bench.started("run", path, "--report", bench.reports) as run:
        bench.until_printed("walking", run)
        recorded = bench.recorded()
        caches = bench.server("Redis") or bench.server("redis")
        assert caches, bench.ledgers()
        for pid in caches:
            bench.kill(pid)
        run.wait()
    assert run.returncode in (3, 4), bench.printed()
    assert "unknown" == bench.report()["verdict"]
    assert "Traceback" not in bench.printed()
    assert [] == bench.left(recorded)
