"""The report of `crossfade compat` in the format that was asked for."""

from __future__ import annotations

import io
from typing import TextIO

from crossfade.model.compat import CompatReport
from crossfade.report.compat_data import compat_json
from crossfade.report.compat_github import compat_github
from crossfade.report.compat_junit import compat_junit
from crossfade.report.compat_markdown import compat_markdown
from crossfade.report.compat_sarif import compat_sarif
from crossfade.report.compat_text import compat_text
from crossfade.report.ink import ink_for

_WRITERS = {
    "json": compat_json,
    "sarif": compat_sarif,
    "junit": compat_junit,
    "github": compat_github,
    "markdown": compat_markdown,
}


def written(report: CompatReport, format_name: str, stream: TextIO | None) -> str:
    """The whole text. `stream` is where it will go (colour, width, what it can encode); None: a file."""
    writer = _WRITERS.get(format_name)
    if writer is not None:
        text = writer(report)
    else:
        text = compat_text(report, ink_for(stream or io.StringIO(), None, None))
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
