"""Escaped pieces of the page: the only way any text gets into it."""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Iterable

from crossfade.report.wording import one_line, printable

_SIDES = ("stable", "canary")


def escaped(text: str) -> str:
    """Text for an element or an attribute in double quotes."""
    return html.escape(printable(text), quote=True)


def escaped_line(text: str, limit: int = 0) -> str:
    return html.escape(one_line(text, limit), quote=True)


def prose(text: str) -> str:
    """A sentence, with what stands in backticks set as code."""
    pieces = re.split(r"`([^`]+)`", one_line(text))
    return "".join(
        f"<code>{escaped(piece)}</code>" if index % 2 else escaped(piece) for index, piece in enumerate(pieces)
    )


def element(tag: str, content: str, **attributes: str) -> str:
    """`content` is markup already, attribute values are text. `class_` becomes class, `data_x` data-x."""
    written = "".join(f' {name.rstrip("_").replace("_", "-")}="{escaped(value)}"' for name, value in attributes.items())
    return f"<{tag}{written}>{content}</{tag}>"


def chip(text: str, kind: str = "") -> str:
    return (
        f'<span class="chip {kind}">{escaped_line(text)}</span>'
        if kind
        else f'<span class="chip">{escaped_line(text)}</span>'
    )


def side_class(side: str) -> str:
    """A class for a side's colour; nothing for any other text, which may come from a damaged file."""
    return side if side in _SIDES else ""


def table(head: Iterable[str], rows: Iterable[Iterable[str]], class_: str = "") -> str:
    """Cells are markup already. The first cell of a row is its header. Wide tables scroll inside their own box."""
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = []
    for row in rows:
        first, *rest = row
        lines.append(f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>')
    style = f' class="{class_}"' if class_ else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="table"><table{style}>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def folded(summary: str, content: str, open_: bool = False, class_: str = "fold") -> str:
    """A part the reader opens; works without scripts. `summary` and `content` are markup."""
    return f'<details class="{class_}"{" open" if open_ else ""}><summary>{summary}</summary>{content}</details>'


def anchor(identity: str) -> str:
    """The anchor of a finding: its fingerprint where that is plain, else a checksum of it."""
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", identity)
    return f"finding-{identity}" if plain else f"finding-x{zlib.crc32(identity.encode('utf-8', 'replace')):08x}"
