"""Every pair of the zoo through the real command line: the broken one is found out, its twin is safe."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ZOO = Path(__file__).parents[2] / "zoo"
PAIRS = sorted(folder.parent.name for folder in ZOO.glob("*/expect.yaml"))
NODE_FOLDER = ZOO / "node"
LONGEST = 280  # seconds one run may take on a busy machine
OTHER = {"stable": "canary", "canary": "stable"}
HEAD = "| pair | class | fault | language | stores | OpenAPI | expects | what must be found |"


def expectation(pair: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ZOO / pair / "expect.yaml").read_text("utf-8"))
    return loaded


def contract(pair: str, twin: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ZOO / pair / twin / "ramp.yaml").read_text("utf-8"))
    return loaded


def needed(pair: str) -> None:
    """Skips the test where this machine cannot run the pair's services."""
    language = expectation(pair)["language"]
    if not language.startswith("Node"):
        return
    if shutil.which("node") is None:
        pytest.skip("needs node, which is not on this machine")
    if "(pg)" in language and not node_packages():
        pytest.skip("needs the npm package `pg`, which could not be installed")


def node_packages() -> bool:
    """Whether the zoo's npm packages are there; installs them once, by the lock file."""
    with (NODE_FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may come here at the same time
        if not (NODE_FOLDER / "node_modules" / "pg").is_dir() and shutil.which("npm"):
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=NODE_FOLDER, capture_output=True, timeout=120, check=False)
        return (NODE_FOLDER / "node_modules" / "pg").is_dir()


def run(pair: str, twin: str, report: Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, report.json and everything that was printed."""
    python = Path(sys.executable)
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "NODE_PATH": str(NODE_FOLDER / "node_modules"),
        "NO_COLOR": "1",
    }
    command = [str(python), "-m", "crossfade", "run", str(ZOO / pair / twin / "ramp.yaml"), "--report", str(report)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False)
    printed = f"{done.stdout}\n{done.stderr}"
    file = report / "report.json"
    assert file.is_file(), f"no report.json, exit {done.returncode}\n{printed}"
    return done.returncode, json.loads(file.read_text("utf-8")), printed


def told(findings: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"  {one['check']}/{one['blame']} {one['operation']}: {one['message']}"
        f" <- {[(literal['step'], literal['side'], literal['stage']) for literal in one['cause']]}"
        for one in findings
    )


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def matches(finding: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether this is the finding that `expect.yaml` describes: same check, blame, operation and cause.

    Steps listed as `implied` may stand in the cause or not: the order of the calls forces them anyway. The two calls of a
    race may have their sides the other way round, unless it is `one_way`.
    """
    if finding["check"] not in as_list(wanted["check"]) or finding["blame"] not in as_list(wanted["blame"]):
        return False
    if "operation" in wanted and finding["operation"] != wanted["operation"]:
        return False
    for flag in ("between_replicas", "rollback_only"):
        if flag in wanted and finding[flag] != wanted[flag]:
            return False
    seen = [literal for literal in finding["cause"] if literal["step"] not in wanted.get("implied", [])]
    if finding["check"] != "race":
        return is_cause(seen, wanted["cause"])
    if "kind" in wanted and finding["race"]["kind"] not in as_list(wanted["kind"]):
        return False
    if is_cause(seen, wanted["cause"]):
        return True
    swapped = [{**literal, "side": OTHER[literal["side"]]} for literal in wanted["cause"]]
    return len(swapped) == 2 and not wanted.get("one_way", False) and is_cause(seen, swapped)


def is_cause(seen: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> bool:
    """Whether the conditions are those of `wanted`, in any order. A step can be a list: any of these."""

    def fits(literal: dict[str, Any], like: dict[str, Any]) -> bool:
        return (
            literal["step"] in as_list(like["step"])
            and literal["side"] == like["side"]
            and literal["stage"] == like.get("stage", literal["stage"])
        )

    return len(seen) == len(wanted) and any(
        all(fits(literal, like) for literal, like in zip(seen, order, strict=True))
        for order in itertools.permutations(wanted)
    )


def check_race(finding: dict[str, Any]) -> None:
    """A race is told by its two lanes instead of a witness; a mixed one says what each side did alone."""
    race = finding["race"]
    assert (None, 2) == (finding["witness"], len(race["lanes"]))
    calls = [(lane["step"], lane["side"]) for lane in race["lanes"] if lane["side"]]
    told_as_cause = [(literal["step"], literal["side"]) for literal in finding["cause"]]
    assert not set(calls) - set(told_as_cause), f"{calls} ran, {told_as_cause} are told"
    if finding["blame"] == "mixed" and len(calls) == 2:
        assert {"stable", "canary"} == {side for _, side in calls}
        assert {"stable", "canary"} == set(race["pure"])


@pytest.mark.timeout(LONGEST + 20)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_fault_of_a_broken_pair_is_found_with_its_cause(pair: str, tmp_path: Path) -> None:
    needed(pair)
    code, report, printed = run(pair, "broken", tmp_path)
    errors = [finding for finding in report["findings"] if finding["severity"] == "error"]
    wanted = expectation(pair)["found"]
    missed = [one for one in wanted if not any(matches(finding, one) for finding in errors)]
    assert not missed, f"not found: {missed}\nfound:\n{told(errors)}\n{printed[-3000:]}"
    assert (1, "unsafe") == (code, report["verdict"])
    expected_at = {one.get("operation") for one in wanted} | set(expectation(pair).get("also", []))
    for race in (one for one in errors if one["check"] == "race"):
        check_race(race)
    strange = [one for one in errors if None not in expected_at and one["operation"] not in expected_at]
    assert not strange, f"found, but not planted:\n{told(strange)}"


@pytest.mark.timeout(LONGEST + 20)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_safe_twin_is_safe(pair: str, tmp_path: Path) -> None:
    needed(pair)
    code, report, printed = run(pair, "safe", tmp_path)
    # what the clean replays rejected ("unstable") is told and is no alarm
    alarms = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert not alarms, f"false alarms:\n{told(alarms)}\n{printed[-3000:]}"
    assert (0, "safe") == (code, report["verdict"]), f"{report['reason']}\n{printed[-3000:]}"


def test_the_zoo_covers_the_classes_the_languages_and_the_stores() -> None:
    all_of_them = [expectation(pair) for pair in PAIRS]
    assert len(PAIRS) >= 12
    assert set("ABCDEFG") == {one["class"] for one in all_of_them}
    assert {"Python", "Node"} == {one["language"].split()[0] for one in all_of_them}
    assert {"PostgreSQL", "Redis", "process memory"} <= {store for one in all_of_them for store in one["stores"]}


def test_at_least_half_of_the_pairs_assert_nothing() -> None:
    assert len([pair for pair in PAIRS if not asserts(pair)]) * 2 >= len(PAIRS)


def test_both_twins_of_a_pair_are_walked_the_same_way() -> None:
    """The same steps and stages, so that the twin is an answer to the fault. (A fault may lie in the ramp or in a phase.)"""
    for pair in PAIRS:
        broken, safe = contract(pair, "broken"), contract(pair, "safe")
        assert broken["scenarios"] == safe["scenarios"], pair


def test_the_table_of_the_zoo_is_made_of_the_expectations() -> None:
    text = (ZOO / "README.md").read_text("utf-8")
    assert with_table(text) == text, "run `python tests/zoo/test_zoo.py`, which writes the table"


# ── the table in zoo/README.md ───────────────────────────────────────────────


def asserts(pair: str) -> bool:
    return any("expect" in step for scenario in contract(pair, "broken")["scenarios"] for step in scenario["steps"])


def described(pair: str) -> str:
    """The version of OpenAPI that the stable sides of a pair are described in."""
    services = contract(pair, "broken")["services"].values()
    files = [service["stable"]["openapi"] for service in services if "openapi" in service.get("stable", {})]
    if not files:
        return "no"
    version: str = yaml.safe_load((ZOO / pair / "broken" / files[0]).read_text("utf-8"))["openapi"]
    return version.rpartition(".")[0]


def found(wanted: dict[str, Any]) -> str:
    cause = [
        " or ".join(as_list(literal["step"]))
        + f"@{literal['side']}"
        + (f" in `{literal['stage']}`" if "stage" in literal else "")
        for literal in wanted["cause"]
    ]
    check, blame = (" or ".join(as_list(wanted[name])) for name in ("check", "blame"))
    return f"{check} ({blame}): " + (" with " if check == "race" else ", ").join(cause)


def row(pair: str) -> str:
    expected = expectation(pair)
    cells = [
        f"`{pair}`",
        expected["class"],
        expected["title"],
        expected["language"],
        ", ".join(expected["stores"]) or "none",
        described(pair),
        "yes" if asserts(pair) else "no",
        "<br>".join(found(wanted) for wanted in expected["found"]),
    ]
    return f"| {' | '.join(cells)} |"


def with_table(text: str) -> str:
    """The README with its table and the number of pairs made anew."""
    before, _, rest = text.partition(HEAD)
    after = "".join(line for line in rest.splitlines(keepends=True)[1:] if not line.startswith("|"))
    before = re.sub(r"^\d+ pairs", f"{len(PAIRS)} pairs", before, count=1, flags=re.MULTILINE)
    rule = "|---" * HEAD.count(" | ") + "|---|"
    return before + "\n".join([HEAD, rule, *(row(pair) for pair in PAIRS)]) + "\n" + after


if __name__ == "__main__":
    readme = ZOO / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8")), "utf-8")
