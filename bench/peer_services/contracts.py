"""Writes the ramp contracts the benchmarks run: one scenario of n calls whose every call differs between the sides."""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
HEAD = """\
# Written by bench/peer_services/contracts.py: {steps} calls, kind `{kind}`.
services:
  steps:
    ready: /ready
    env: {{ DATABASE_URL: "${{db.url}}" }}
    stable: {{ version: "1.0.0", run: "${{python}} steps.py stable ${{port}}" }}
    canary: {{ version: "2.0.0", run: "${{python}} steps.py canary ${{port}}" }}
databases:
  db: {{ postgres: "18", schema: schema.sql }}
ramp:
  - stage: before
{migration}\
  - {{ stage: first, weight: 1% }}
  - {{ stage: third, weight: 30% }}
  - {{ stage: most, weight: 70% }}
  - {{ stage: all, weight: 100% }}
rollback: {{ until: {rollback} }}
scenarios:
  - name: {steps} calls
    steps:
"""
MIGRATION = '  - { stage: expand, phase: expand, sql: "expand.sql" }\n'


def contract(kind: str, steps: int, migration: bool) -> str:
    """The text of ramp.yaml. Without a migration all stages share one point of the data, so that the number of
    routings is 2^n; with one, a call may also happen before it."""
    text = HEAD.format(
        kind=kind, steps=steps, migration=MIGRATION if migration else "", rollback="all" if migration else "before"
    )
    return text + "".join(f"      - {{ step: s{k}, call: POST /{kind}/{k} }}\n" for k in range(1, steps + 1))


def write(folder: Path, kind: str, steps: int, migration: bool = False) -> Path:
    """A folder with the service and its contract; the path of the contract."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("steps.py", "schema.sql"):
        shutil.copy(HERE / name, folder / name)
    columns = [f"alter table {table} add column note text;\n" for table in ("last", "log")]
    (folder / "expand.sql").write_text("".join(columns))
    path = folder / "ramp.yaml"
    path.write_text(contract(kind, steps, migration))
    return path
