"""A replay for people: every call with its side, the answer, and what each side alone answers; of a race its lanes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import msgspec

from crossfade.model.report import Finding, RaceShown
from crossfade.report.ink import ink_for
from crossfade.report.lanes import race_lines
from crossfade.report.wording import plural


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


def race_replay_text(finding: Finding, race: RaceShown | None, failures: int, times: int) -> str:
    """`race` is what the replay saw last of those times that failed (None: none did, what the finding has is shown);
    its schedule ran `times` times and failed `failures` times in the same way."""
    shown = finding if race is None else msgspec.structs.replace(finding, race=race)
    lines = [f"{finding.rule} {finding.id}: {finding.message}", ""]
    if shown.race is not None:
        lines += [*race_lines(shown, ink_for(sys.stdout, None, None)), ""]
    if times and failures == times:
        lines.append(f"it fails again, {failures} of {plural(times, 'time')} in the same way")
    elif failures:
        lines.append(f"it fails {failures} of {plural(times, 'time')}")
    else:
        lines.append(f"it does not fail any more, in {plural(times, 'run')} of this schedule")
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
