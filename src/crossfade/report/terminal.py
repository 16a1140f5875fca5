"""The terminal as a listener of the run's events. Plan, findings and verdict are data and go to stdout; progress goes
to stderr: one live line on a terminal, otherwise a few plain lines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TextIO

from crossfade.model.events import Event, FindingMade, Finished, Noted, PlanMade, Progress, Started, Suspected
from crossfade.model.report import Finding, PlanLine, RampStage, Report
from crossfade.report.blocks import finding_lines, plan_lines, report_lines
from crossfade.report.ink import Ink, fitted, ink_for, is_terminal
from crossfade.report.wording import one_line, plural, short_id

_REDRAW = 0.08  # seconds between two drawings of the live line
_ERASE = "\r\x1b[2K"


class Terminal:
    """`color` None: on a terminal unless NO_COLOR is set. `width` None: the terminal's, 80 in a pipe. A reader that
    closes the pipe early (`| head`) ends the output, not the run."""

    def __init__(
        self,
        stdout: TextIO,
        stderr: TextIO,
        color: bool | None = None,
        width: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stdout, self._stderr, self._clock = stdout, stderr, clock
        self._ink = ink_for(stdout, color, width)
        self._progress_ink = ink_for(stderr, color, width)
        self._live = is_terminal(stderr)
        self._drawn = ""  # the live line on the screen
        self._drawn_at = float("-inf")
        self._told: dict[str, int] = {}  # quarters told of each progress text, where there is no live line
        self._found = 0
        self._closed: set[int] = set()

    def hear(self, event: Event) -> None:
        match event:
            case PlanMade(plan=plan):
                self.tell_plan(plan)
            case Started(text=text, number=number):
                self._step(text, number)
            case Progress():
                self._advance(event)
            case Noted(text=text):
                self._line(f"note: {one_line(text)}", "dim")
            case Suspected(text=text):
                self._step(f"suspected, replaying: {text}", "")
            case FindingMade(finding=finding):
                self._found += 1
                self._line(f"finding {self._found}: {one_line(finding.rule)} {short_id(finding)}", "fail")
            case Finished(report=report):
                self.tell(report)

    def tell_plan(self, plan: Iterable[PlanLine]) -> None:
        self._data([*plan_lines(tuple(plan), self._ink), ""])

    def tell_finding(self, finding: Finding, ramp: Iterable[RampStage] = (), number: int | None = None) -> None:
        self._data(finding_lines(finding, self._ink, tuple(ramp), number))

    def tell(self, report: Report) -> None:
        """Everything after the plan; the verdict is the last line."""
        self.clear()
        self._data(report_lines(report, self._ink))

    def clear(self) -> None:
        """Takes the live line off the screen: before anything else writes to the terminal, and at the end."""
        if self._drawn:
            self._write(self._stderr, _ERASE)
            self._drawn = ""

    def _step(self, text: str, number: str) -> None:
        line = f"{number} {one_line(text)}".strip()
        if self._live:
            self._draw(line, force=True)
        else:
            self._line(line, "dim")

    def _advance(self, progress: Progress) -> None:
        text, total = one_line(progress.text), max(progress.total, progress.done, 1)
        count = f"{progress.done} of {total}, {plural(progress.calls, 'call')}"
        if self._live:
            self._draw(f"{_bar(progress.done / total, self._progress_ink)} {text}: {count}", progress.done >= total)
            return
        quarter = 4 * progress.done // total
        if (quarter == 4 and self._told.get(text, 0) < 4) or (total >= 400 and quarter > self._told.get(text, 0)):
            self._line(f"{text}: {count}", "dim")
        self._told[text] = max(quarter, self._told.get(text, 0))

    def _draw(self, line: str, force: bool) -> None:
        now = self._clock()
        if force or now - self._drawn_at >= _REDRAW:
            self._drawn, self._drawn_at = fitted(line, self._progress_ink.width - 1), now
            self._write(self._stderr, _ERASE + self._progress_ink.paint(self._drawn, "dim"))

    def _line(self, line: str, style: str) -> None:
        """A line of progress that stays."""
        live = self._drawn
        self.clear()
        self._write(self._stderr, self._progress_ink.paint(line, style) + "\n")
        if live:
            self._draw(live, force=True)

    def _data(self, lines: list[str]) -> None:
        self.clear()
        self._write(self._stdout, "\n".join(lines) + "\n")

    def _write(self, stream: TextIO, text: str) -> None:
        if id(stream) in self._closed:
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except BrokenPipeError:
            self._closed.add(id(stream))
            _silence(stream)


def _bar(share: float, ink: Ink, columns: int = 12) -> str:
    done = min(max(round(share * columns), 0), columns)
    return ink.glyph("stable") * done + ink.glyph("canary") * (columns - done)


def _silence(stream: TextIO) -> None:
    """The interpreter flushes its streams at exit: what is left for a closed pipe goes nowhere instead of failing."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
