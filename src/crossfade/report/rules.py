"""The catalogue of rules: one page for each kind of finding, for `crossfade explain` and docs/reference/rules.md."""

from __future__ import annotations

import difflib

import msgspec

from crossfade.report import rulebook, rulebook_compat, rulebook_messages, rulebook_migrations, rulebook_races
from crossfade.report.ink import Ink
from crossfade.report.rulebook import BLAMES, CHECKS, KINDS

_PAGES = {**rulebook.PAGES, **rulebook_races.PAGES}


class RulePage(msgspec.Struct, frozen=True):
    """`example` is preformatted; `instead` are alternatives, the best first; `kinds` tell apart what is seen."""

    rule: str
    title: str
    meaning: str
    hurts: str
    example: str
    instead: tuple[str, ...]
    kinds: tuple[tuple[str, str], ...] = ()


def _page(rule: str) -> RulePage:
    blame, _, check = rule.partition("-")
    title, hurts, example, instead = _PAGES[rule]
    kinds = tuple(KINDS.items()) if check == "race" else ()
    return RulePage(rule, title, f"{CHECKS[check]} {BLAMES[blame]}", hurts, example, instead, kinds)


def _compat_page(rule: str) -> RulePage:
    for book in (rulebook_messages, rulebook_migrations):
        if rule in book.PAGES:
            title, hurts, example, instead = book.PAGES[rule]
            return RulePage(rule, title, book.MEANING, hurts, example, instead)
    title, meaning, hurts, example, instead = rulebook_compat.PAGES[rule]
    return RulePage(rule, title, meaning, hurts, example, instead)


_COMPAT = (*rulebook_compat.PAGES, *rulebook_migrations.PAGES, *rulebook_messages.PAGES)
RUN_RULES: dict[str, RulePage] = {rule: _page(rule) for rule in _PAGES}
COMPAT_RULES: dict[str, RulePage] = {rule: _compat_page(rule) for rule in _COMPAT}
RULES: dict[str, RulePage] = {**RUN_RULES, **COMPAT_RULES}


def page(rule: str) -> RulePage | None:
    """The page of a rule. Case and the dash are forgiven.

    >>> page("Mixed sameness").title
    'A value is lost or changed between the versions'
    """
    return RULES.get("-".join(rule.lower().replace("_", " ").replace("-", " ").split()))


def suggestions(rule: str) -> list[str]:
    """All rules with the one word that was typed, else names near to it.

    >>> suggestions("mixed-samness")[0], suggestions("restart")
    ('mixed-sameness', ['stable-restart', 'canary-restart', 'phase-restart'])
    """
    words = set(rule.lower().replace("_", "-").split("-"))
    if len(words) == 1 and (same := [name for name in RULES if words & set(name.split("-"))]):
        return same
    return difflib.get_close_matches(rule.lower(), RULES, n=3, cutoff=0.75)


def terminal_page(found: RulePage, ink: Ink) -> str:
    """A page for the terminal, wrapped to its width; the example keeps its columns."""
    lines = [ink.paint(found.rule, "bold"), *ink.wrapped(found.title), ""]
    lines += [*ink.wrapped(found.meaning), ""]
    if found.kinds:
        lines += [ink.paint("kinds", "bold")]
        for kind, text in found.kinds:
            lines += ink.wrapped(f"{kind}: {text}", "  ", "    ")
        lines.append("")
    lines += [ink.paint("why it hurts during a ramp", "bold"), *ink.wrapped(found.hurts, "  "), ""]
    lines += [ink.paint("example", "bold"), *("  " + line for line in found.example.split("\n")), ""]
    lines += [ink.paint("what to do instead", "bold")]
    for each in found.instead:
        lines += ink.wrapped(each, f"  {ink.glyph('dot')} ", "    ")
    return "\n".join(lines) + "\n"


def markdown_page(found: RulePage, level: int = 2) -> str:
    """A page as Markdown, one paragraph a line."""
    parts = [
        f"{'#' * level} {found.rule}",
        f"**{found.title}.**",
        found.meaning,
        *(["\n".join(f"- `{kind}`: {text}" for kind, text in found.kinds)] if found.kinds else []),
        f"*Why it hurts during a ramp.* {found.hurts}",
        f"```\n{found.example}\n```",
        "*What to do instead.*",
        "\n".join(f"- {each}" for each in found.instead),
    ]
    return "\n\n".join(parts) + "\n"


def markdown_reference() -> str:
    """The whole of docs/reference/rules.md."""
    lines = [
        "# Rules",
        "",
        "Every finding of a run carries the name of its rule: who is to blame, then which check looked. The rules of",
        "`crossfade compat` follow [below](#rules-of-crossfade-compat).",
        "`crossfade explain RULE` prints the same page. This file is generated: `python -m crossfade.report.rules`.",
        "",
        "| | " + " | ".join(BLAMES) + " |",
        "|---|" + "---|" * len(BLAMES),
    ]
    for check in CHECKS:
        names = [f"{blame}-{check}" for blame in BLAMES]
        cells = [f"[{name}](#{name})" if name in RULES else "" for name in names]
        lines.append(f"| {check} | {' | '.join(cells)} |")
    run = "\n".join(markdown_page(each) for each in RUN_RULES.values())
    compat = "\n".join(markdown_page(each, level=3) for each in COMPAT_RULES.values())
    about = (
        "A rule says what crosses between the versions and what its reader minds; a break says who writes and reads."
    )
    return "\n".join(lines) + f"\n\n{run}\n## Rules of crossfade compat\n\n{about}\n\n{compat}"


if __name__ == "__main__":
    print(markdown_reference(), end="")
