"""report.html as text: what it holds, and that nothing can break out of it. `test_report_in_browser` opens it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
import samples

from crossfade.model.report import RampStage, ServiceVersions
from crossfade.report.html import html_report

VOID = {"meta", "link", "img", "br", "input", "wbr"}
ALL = (
    "demo_report",
    "race_report",
    "safe_report",
    "unknown_report",
    "empty_report",
    "hostile_report",
    "hostile_race_report",
)


class Page(HTMLParser):
    """Elements with their attributes, all text, and what was left open or closed twice."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def having(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.elements for key, value in attributes.items() if key == name]


@pytest.mark.parametrize("name", ALL)
def test_every_element_is_closed_in_order_and_every_id_is_there_once(name: str) -> None:
    page = Page(html_report(getattr(samples, name)()))
    assert (page.open, page.wrong) == ([], [])
    identities = page.having("id")
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("name", ALL)
def test_links_lead_to_places_in_the_page_and_nothing_is_loaded(name: str) -> None:
    page = Page(html_report(getattr(samples, name)()))
    targets = {f"#{each}" for each in page.having("id")}
    assert set(page.having("href")) <= targets | {"data:,"}
    assert page.having("src") == []
    references = {
        each for value in page.having("stroke") + page.having("fill") for each in re.findall(r"url\((.*?)\)", value)
    }
    assert references <= targets


@pytest.mark.parametrize("name", ["demo_report", "race_report"])
def test_hostile_texts_add_no_element_and_no_handler(name: str) -> None:
    poisoned = {"demo_report": "hostile_report", "race_report": "hostile_race_report"}[name]
    plain, hostile = (Page(html_report(getattr(samples, each)())) for each in (name, poisoned))
    assert [tag for tag, _ in hostile.elements].count("script") == 1
    assert "img" not in {tag for tag, _ in hostile.elements}
    names = {key for _, attributes in hostile.elements for key in attributes}
    assert names <= {key for _, attributes in plain.elements for key in attributes}
    assert "<script>window.hacked = true</script>" in hostile.text, "it is shown as text"


def test_the_page_tells_the_verdict_the_facts_and_the_guarantee_first() -> None:
    text = Page(html_report(samples.demo_report())).text
    head = text[: text.index("The ramp")]
    for part in (
        "Unsafe",
        "4 findings, 3 make mixed traffic fail and 1 makes rollback unsafe.",
        "1.2.3 → 1.3.0",
        "158 of 158",
        "every routing of every scenario",
    ):
        assert part in head


def test_a_finding_shows_cause_chance_answers_differences_advice_and_replay() -> None:
    source = html_report(samples.demo_report())
    card = source[source.index('<article class="finding" id="finding-9c41be07a2d3">') :].split("</article>")[0]
    text = Page(card).text
    for part in ("create on canary", "read on stable", "at third", "p(1−p)", "25%", "crossfade replay 9c41be07a2d3"):
        assert part in text
    assert '<span class="line wrong">  &quot;amount&quot;: 5,</span>' in card
    assert card.count('<span class="line differs">  &quot;amount&quot;: 500,</span>') == 2
    assert "3 of 3 clean replays failed the same way" in text


def test_a_field_that_is_lost_is_named_in_the_answer_that_lacks_it() -> None:
    source = html_report(samples.demo_report())
    card = source[source.index('id="finding-27f0d5513be8"') :].split("</article>")[0]
    assert '<span class="line wrong">note: absent</span>' in card


def test_a_finding_between_replicas_and_after_rollback_says_so() -> None:
    source = html_report(samples.demo_report())
    text = Page(source[source.index('id="finding-f4e1d02b77c9"') :].split("</article>")[0]).text
    assert "Two instances of the canary alone fail the same way" in text
    assert "After a rollback from first, third, most and all, one pass of the scenario fails with chance p" in text
    assert "↩ rollback" in text


def test_the_point_of_no_return_and_the_migrations_are_on_the_ramp() -> None:
    source = html_report(samples.demo_report())
    figure = source[source.index('<svg class="figure wide"') :].split("</svg>")[0]
    assert figure.count('class="noreturn"') == 1
    assert figure.count('class="diamond"') == 3
    assert "rollback is not safe from first on" in figure
    assert "noreturn" not in html_report(samples.safe_report()).split("<svg", 2)[2].split("</svg>")[0]


def test_the_areas_meet_at_the_weight_of_every_stage() -> None:
    source = html_report(samples.demo_report())
    figure = source[source.index('<svg class="figure wide"') :].split("</svg>")[0]
    edge = re.search(r'class="edge" d="([^"]+)"', figure)
    assert edge
    plateaus = re.findall(r"L[\d.]+ ([\d.]+)", edge.group(1))
    top, height = 30.0, 184.0
    expected = [f"{top + height * (1 - weight):.1f}" for _, weight, *_ in samples.STAGES]
    assert plateaus == expected


def test_services_with_weights_of_their_own_are_drawn_and_listed() -> None:
    report = samples.demo_report()
    stages = tuple(
        msgspec.structs.replace(stage, weights={"orders": stage.weight, "stock": stage.weight / 2})
        for stage in report.ramp
    )
    services = (*report.services, ServiceVersions("stock", "2.0", "2.1"))
    source = html_report(msgspec.structs.replace(report, ramp=stages, services=services))
    assert '<path class="other"' in source
    assert "stock 15%" in source


def test_a_ramp_of_one_stage_and_of_many_can_be_drawn() -> None:
    report = samples.demo_report()
    for count in (1, 80):
        stages = tuple(
            RampStage(f"s{number}", number / count, {}, "before", None, 1, ("stable",), False)
            for number in range(count)
        )
        page = Page(html_report(msgspec.structs.replace(report, ramp=stages)))
        assert (page.open, page.wrong) == ([], [])


def test_long_answers_are_folded_around_what_differs() -> None:
    report = samples.huge_report(1)
    source = html_report(report)
    assert re.search(r'<span class="skip">… \d+ lines</span>', source)
    deep = "200 " + "[" * 600 + "]" * 600
    finding = report.findings[0]
    assert finding.witness
    calls = tuple(msgspec.structs.replace(call, stable=deep) for call in finding.witness.calls)
    finding = msgspec.structs.replace(finding, witness=msgspec.structs.replace(finding.witness, calls=calls))
    assert "stable alone" in html_report(msgspec.structs.replace(report, findings=(finding,)))


def test_two_hundred_findings_make_a_page_that_still_opens() -> None:
    source = html_report(samples.huge_report())
    assert source.count('<article class="finding"') == 200
    assert len(source) < 20_000_000
    assert source.count('<details class="card" open>') == 8


def test_a_safe_report_says_that_nothing_was_found_and_an_unknown_one_why() -> None:
    assert (
        "None. Every routing explored gave answers that one side alone could give."
        in Page(html_report(samples.safe_report())).text
    )
    text = Page(html_report(samples.unknown_report())).text
    assert "Orders 1.3.0 died at stage third" in text
    assert "orders 1.3.0 exited with status 137" in text
