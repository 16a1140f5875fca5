"""The page's style sheet and its few lines of script, kept as files of their own and written into every page."""

from __future__ import annotations

from importlib.resources import files

STYLE = (files(__package__) / "page.css").read_text(encoding="utf-8").strip()
SCRIPT = (files(__package__) / "page.js").read_text(encoding="utf-8").strip()
