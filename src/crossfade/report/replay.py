"""A replay for people: every call with its side, the answer, and what each side alone answers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

from crossfade.model.report import Finding
from crossfade.report.ink import ink_for


class ReplayedCall(Protocol):
    """What is told of one call of a replay."""

    @property
    def step(self) -> str: ...
    @property
    def side(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def request(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def stable(self) -> str: ...
    @property
    def canary(self) -> str: ...
    @property
    def problems(self) -> tuple[str, ...]: ...


def replay_text(finding: Finding, calls: Sequence[ReplayedCall], problems: Sequence[str], fails: bool) -> str:
    width = max(40, ink_for(sys.stdout, None, None).width - 12)
    lines = [f"{finding.rule} {finding.id}: {finding.message}", ""]
    for number, call in enumerate(calls, 1):
        place = f" at {call.stage}" if call.stage else ""
        lines.append(f"{number}. {call.step} on {call.side}{place}")
        lines.append(f"     request        {_cut(call.request, width)}")
        lines.append(f"     answer         {_cut(call.answer, width)}")
        if call.problems:
            lines.append(f"     stable alone   {_cut(call.stable or '(no answer here)', width)}")
            lines.append(f"     canary alone   {_cut(call.canary or '(no answer here)', width)}")
            lines.extend(f"     ✗ {problem}" for problem in call.problems)
    told = {problem for call in calls for problem in call.problems}
    lines.extend(f"     ✗ {problem}" for problem in problems if problem not in told)
    lines += ["", "it fails again, in the same way" if fails else "it does not fail any more"]
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
