"""Every mistake has its screen: tests/cases/contract/*.txt hold a contract and what must be shown for it.

A case file has the sections `--- files` (empty files that exist beside it, directories end with a slash; may be
absent), `--- ramp.yaml` and `--- screen`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade.errors import EXIT_USAGE, ContractError
from crossfade.formats.ramp import read_contract

CASES = sorted((Path(__file__).parent.parent / "cases" / "contract").glob("*.txt"))


def sections(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines(keepends=True):
        if line.rstrip() in ("--- files", "--- ramp.yaml", "--- screen"):
            found[line.split()[1]] = []
        else:
            list(found.values())[-1].append(line)
    return {name: "".join(lines) for name, lines in found.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_screen_is_exactly_this(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = sections(case.read_text(encoding="utf-8"))
    for name in parts.get("files", "").split():
        path = tmp_path / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    (tmp_path / "ramp.yaml").write_text(parts["ramp.yaml"], encoding="utf-8", newline="")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ContractError) as caught:
        read_contract("ramp.yaml")

    assert parts["screen"].rstrip("\n") == str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE
    assert caught.value.where in parts["screen"]


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 105
