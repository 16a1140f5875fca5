"""The report of `crossfade compat` as GitHub annotations: one workflow command a line, at the place in the document."""

from __future__ import annotations

from crossfade.model.compat import Break, CompatReport, Severity
from crossfade.report.compat_words import direction, headline, main_place, operations_text
from crossfade.report.wording import one_line

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def compat_github(report: CompatReport) -> str:
    """The verdict is the last line, as plain text. What is declared is a notice."""
    return "\n".join([*(_annotation(one) for one in report.breaks), one_line(headline(report)), ""])


def _annotation(one: Break) -> str:
    """
    GitHub ends a property at a comma or a colon and a command at the line's end, so those are escaped.
    """
    command = "notice" if one.declared else _COMMANDS[one.severity]
    properties = {"title": f"{one.rule} {one.id}"}
    place = main_place(one)
    if place is not None:
        properties["file"] = place.file
        if place.line:
            properties |= {"line": str(place.line), "col": str(place.column)}
    text = f"{one.message} ({direction(one)}; reaches {operations_text(one.operations)})"
    if one.witness is not None:
        text += f"; witness: {one.witness}"
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{command} {written}::{_data(one_line(text))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
