"""Telling: the report value as files and on the terminal. A reporter knows only the model."""

from __future__ import annotations

from crossfade.report.folder import write_reports

__all__ = ["write_reports"]
