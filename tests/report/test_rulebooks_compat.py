"""The pages of migrations and messages: one for every rule the code can give, none for nothing, no two alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crossfade.engine.graphql_changes import RULES
from crossfade.report import rulebook_messages, rulebook_migrations

SOURCE = Path(rulebook_messages.__file__).parents[1]
PAGES = {**rulebook_messages.PAGES, **rulebook_migrations.PAGES}
FAMILIES = "migration|avro|proto|graphql|asyncapi"


def given() -> set[str]:
    """The rules named in the code of the floors that judge."""
    found: set[str] = set()
    for folder in ("engine", "session"):
        for file in (SOURCE / folder).glob("*.py"):
            found |= set(re.findall(rf'"((?:{FAMILIES})-[a-z-]+[a-z])"', file.read_text(encoding="utf-8")))
    made = {"asyncapi-channel", "asyncapi-message"}  # with -removed and -added
    return (found - made) | {f"{one}-{what}" for one in made for what in ("removed", "added")}


def test_every_rule_has_its_page_and_every_page_its_rule() -> None:
    assert set(PAGES) == given()
    assert set(RULES.values()) < given()


def test_no_two_pages_say_the_same() -> None:
    for part in range(3):
        texts = [page[part] for page in PAGES.values()]
        assert len(set(texts)) == len(texts)
    advice = [each for page in PAGES.values() for each in page[3]]
    assert len(set(advice)) == len(advice)


@pytest.mark.parametrize("rule", sorted(PAGES))
def test_a_page_is_complete_and_fits_a_screen(rule: str) -> None:
    title, hurts, example, instead = PAGES[rule]
    assert title[0].isupper() and not title.endswith(".")
    assert hurts.endswith(".") and all(each.endswith((".", ";", ")")) for each in instead)
    assert instead and len(hurts) < 320
    assert max(len(line) for line in example.split("\n")) <= 98
