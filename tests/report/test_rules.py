"""The catalogue of rules: complete, written out, and the same everywhere it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfade.engine import compat_rules
from crossfade.model.report import Blame, Check
from crossfade.report import rulebook_messages, rulebook_migrations
from crossfade.report.ink import Ink
from crossfade.report.rules import (
    COMPAT_RULES,
    RULES,
    RUN_RULES,
    markdown_page,
    markdown_reference,
    page,
    suggestions,
    terminal_page,
)

PLAIN = Ink(color=False, ascii_only=True, width=80)
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"


def test_every_blame_and_check_has_its_page() -> None:
    blames = [*(blame.value for blame in Blame), "rollback"]
    narrower = {
        Check.RESTART: ("stable", "canary", "phase"),
        Check.RACE: ("stable", "canary", "mixed", "phase"),
        Check.SQL: ("stable", "canary", "phase", "rollback"),
    }
    expected = {f"{blame}-{check.value}" for check in Check for blame in narrower.get(check, blames)}
    assert expected == set(RUN_RULES)


def test_every_rule_of_compat_has_its_page() -> None:
    messages_and_migrations = {*rulebook_messages.PAGES, *rulebook_migrations.PAGES}
    assert {*compat_rules.RULES, *messages_and_migrations} == set(COMPAT_RULES)
    assert set(compat_rules.RULES).isdisjoint(messages_and_migrations)


def test_no_two_pages_say_the_same() -> None:
    for texts in (
        [found.title for found in RULES.values()],
        [found.meaning for found in RULES.values() if not _has_the_meaning_of_its_book(found.rule)],
        [found.hurts for found in RULES.values()],
        [found.example for found in RULES.values()],
        [each for found in RULES.values() for each in found.instead],
    ):
        assert len(set(texts)) == len(texts)


def _has_the_meaning_of_its_book(rule: str) -> bool:
    return rule in rulebook_messages.PAGES or rule in rulebook_migrations.PAGES


def test_the_reference_in_the_docs_is_the_catalogue() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == markdown_reference(), "run `python -m crossfade.report.rules`"


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_page_fits_a_narrow_terminal_and_one_screen(rule: str) -> None:
    lines = terminal_page(RULES[rule], PLAIN).splitlines()
    prose = [line for line in lines if line.strip() not in RULES[rule].example.split("\n")]
    assert [line for line in prose if len(line) > 80 and line.lstrip() not in RULES[rule].example] == []
    assert lines[0] == rule
    assert len(lines) <= (44 if RULES[rule].kinds else 32)
    assert max(len(line) for line in RULES[rule].example.split("\n")) <= 98


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.endswith("-race")])
def test_the_page_of_a_race_says_what_each_kind_is_and_shows_two_columns(rule: str) -> None:
    told = terminal_page(RULES[rule], PLAIN)
    for kind in ("lost", "deadlock", "refused", "stuck"):
        assert f"\n  {kind}: " in told
        assert f"\n- `{kind}`: " in markdown_page(RULES[rule])
    second = RULES[rule].example.split("\n")[0].rindex("  ") + 2
    assert second == 37, "both columns begin where those of the other pages do"


def test_the_pages_of_other_checks_have_no_kinds() -> None:
    assert {rule for rule, found in RULES.items() if found.kinds} == {
        "mixed-race",
        "stable-race",
        "canary-race",
        "phase-race",
    }


def test_a_markdown_page_keeps_the_example_and_every_alternative() -> None:
    text = markdown_page(RULES["rollback-sameness"], level=3)
    assert text.startswith(
        "### rollback-sameness\n\n**What was written on the canary is lost or changed after rollback.**"
    )
    assert f"```\n{RULES['rollback-sameness'].example}\n```" in text
    assert [each for each in RULES["rollback-sameness"].instead if f"\n- {each}" not in text] == []


def test_a_rule_is_found_however_it_is_typed_and_a_slip_gets_a_suggestion() -> None:
    assert page("MIXED_STATUS") is RULES["mixed-status"]
    assert page("mixed-samness") is None
    assert suggestions("mixed-samness")[0] == "mixed-sameness"
    assert suggestions("restart") == [rule for rule in RULES if rule.endswith("restart")]
    assert {"mixed-migration", "migration-rename"} <= set(suggestions("migration"))
    assert suggestions("zzz") == []
