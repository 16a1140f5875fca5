"""report.html in a real browser, from disk: nothing is loaded or executed, phone, dark mode, keyboard, no scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import samples

from crossfade.model.report import Report, Severity
from crossfade.report import write_reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Opened:
    """A report opened from disk, with everything the browser complained about or asked for."""

    def __init__(self, browser: Any, report: Report, folder: Path, **context: Any) -> None:
        path = next(path for path in write_reports(report, folder) if path.name == "report.html")
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.requests = [url for url in self.requests if url != path.as_uri() and not url.startswith("data:")]


@pytest.mark.parametrize(
    "name",
    [
        "demo_report",
        "race_report",
        "safe_report",
        "unknown_report",
        "empty_report",
        "hostile_report",
        "hostile_race_report",
    ],
)
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_opens_quietly_and_never_scrolls_sideways(browser: Any, tmp_path: Path, name: str, width: int) -> None:
    opened = Opened(browser, getattr(samples, name)(), tmp_path, viewport={"width": width, "height": 800})
    for details in opened.page.query_selector_all("details:not([open]) > summary"):
        details.click()
    assert opened.complaints == []
    assert opened.requests == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    opened.context.close()


@pytest.mark.parametrize("name", ["hostile_report", "hostile_race_report"])
def test_hostile_texts_are_shown_and_not_executed(browser: Any, tmp_path: Path, name: str) -> None:
    opened = Opened(browser, getattr(samples, name)(), tmp_path)
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.evaluate("document.querySelectorAll('img').length") == 0
    assert "<script>window.hacked = true</script>" in opened.page.inner_text("main")
    opened.context.close()


def test_a_script_that_got_in_anyway_would_not_run(browser: Any, tmp_path: Path) -> None:
    write_reports(samples.demo_report(), tmp_path)
    file = tmp_path / "report.html"
    file.write_text(file.read_text().replace("</main>", "<script>window.hacked = true</script></main>"))
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.evaluate("window.hacked") is None
    assert page.locator(".replay button").count() > 0, "the page's own script runs"
    page.close()


def test_every_finding_is_visible_with_its_drawings(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.demo_report(), tmp_path)
    page = opened.page
    for finding in samples.demo_report().findings:
        card = page.locator(f"#finding-{finding.id}")
        assert card.is_visible()
        assert finding.message.replace("`", "") in card.inner_text()
    assert page.locator("svg.figure.wide").is_visible()
    assert not page.locator("svg.figure.narrow").is_visible()
    assert page.locator("svg.path.wide:visible").count() == 4
    assert page.locator("svg.curve:visible").count() == 4
    opened.context.close()


def test_a_phone_gets_the_narrow_drawings_in_letters_of_readable_size(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.demo_report(), tmp_path, viewport={"width": 360, "height": 740})
    page = opened.page
    assert page.locator("svg.figure.narrow").is_visible()
    assert not page.locator("svg.figure.wide").is_visible()
    heights = page.eval_on_selector_all(
        "svg.figure.narrow text.lanetitle", "nodes => nodes.map(node => node.getBoundingClientRect().height)"
    )
    assert len(heights) == 4
    assert min(heights) > 10
    opened.context.close()


CARDS = (
    "nodes => nodes.map(node => { const box = node.getBoundingClientRect(); return [box.left, box.top, box.right]; })"
)


def test_the_lanes_of_a_race_stand_beside_each_other_and_time_goes_down(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.race_report(), tmp_path)
    lanes = opened.page.locator("#finding-5d1c0a9be774 .lanes")
    left = lanes.locator(".turn .said.s0, .granted .said.s0").evaluate_all(CARDS)
    right = lanes.locator(".turn .said.s1, .granted .said.s1").evaluate_all(CARDS)
    assert len(left) == 3 and len(right) == 4
    assert max(card[2] for card in left) < min(card[0] for card in right)
    numbers = lanes.locator(".stop:not(:empty)").evaluate_all("nodes => nodes.map(node => node.textContent)")
    assert numbers == ["1", "2", "3", "4", "5", "›", "6"]
    tops = [card[1] for card in lanes.locator(".moment .stop").evaluate_all(CARDS)][2:-2]
    assert tops == sorted(tops) and len(set(tops)) == 7
    assert not lanes.locator(".turn .who").first.evaluate("node => node.getBoundingClientRect().width > 2")
    opened.context.close()


def test_on_a_phone_both_lanes_run_at_the_left_and_every_card_names_its_lane(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.race_report(), tmp_path, viewport={"width": 360, "height": 740})
    lanes = opened.page.locator("#finding-a07c55e1d2b9 .lanes")
    cards = lanes.locator(".turn .said, .granted .said").evaluate_all(CARDS)
    assert len({round(card[0]) for card in cards}) == 1, "one column"
    assert min(card[2] - card[0] for card in cards) > 200, "with room to read"
    stops = lanes.locator(".turn .stop").evaluate_all(CARDS)
    assert max(stop[2] for stop in stops) <= cards[0][0]
    assert lanes.locator(".turn .said").nth(1).inner_text().startswith("canary")
    opened.context.close()


def test_a_shortened_statement_unfolds_to_the_whole_without_scripts(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.race_report(), tmp_path, java_script_enabled=False)
    whole = opened.page.locator("#finding-5d1c0a9be774 details.whole")
    assert whole.count() == 1
    whole.locator("summary").click()
    assert "accounts.owner" in whole.inner_text()
    opened.context.close()


def test_dark_mode_changes_the_colours_and_keeps_the_contrast(browser: Any, tmp_path: Path) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        races = Opened(browser, samples.race_report(), tmp_path, color_scheme=scheme)
        assert races.page.evaluate(LOW_CONTRAST) == []
        races.context.close()
        opened = Opened(browser, samples.demo_report(), tmp_path, color_scheme=scheme)
        colours[scheme] = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert opened.page.evaluate(LOW_CONTRAST) == []
        opened.context.close()
    assert colours["light"] == "rgb(246, 247, 249)"
    assert colours["dark"] == "rgb(17, 22, 29)"


LOW_CONTRAST = """() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = rgb => rgb.slice(0, 3).map(v => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => {
    for (let each = node; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("main *:not(svg *), header *, footer *")) {
    const own = [...node.childNodes].some(each => each.nodeType === 3 && each.textContent.trim());
    if (!own || !node.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${node.className || node.tagName}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(low)];
}"""


def test_the_keyboard_reaches_the_curves_and_every_card(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.demo_report(), tmp_path)
    reached: set[str] = set()
    for _ in range(80):
        opened.page.keyboard.press("Tab")
        reached.add(
            opened.page.evaluate(
                "(() => { const at = document.activeElement; const card = at.closest('article.finding');"
                " return at.matches('a.lane') ? at.getAttribute('href')"
                " : at.matches('summary') && card ? card.id : ''; })()"
            )
        )
    findings = samples.demo_report().findings
    assert {f"finding-{each.id}" for each in findings} <= reached
    assert {f"#finding-{each.id}" for each in findings if each.severity is Severity.ERROR} <= reached
    opened.context.close()


def test_a_link_to_a_folded_finding_unfolds_it(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.huge_report(20), tmp_path)
    card = opened.page.locator("#finding-00000000000f details.card")
    assert card.get_attribute("open") is None
    opened.page.locator(".toc a[href='#finding-00000000000f']").click()
    opened.page.wait_for_function("document.querySelector('#finding-00000000000f details.card').open")
    opened.context.close()


def test_the_replay_command_can_be_copied(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.demo_report(), tmp_path, permissions=["clipboard-read", "clipboard-write"])
    opened.page.locator("#finding-9c41be07a2d3 .replay button").click()
    opened.page.locator("#finding-9c41be07a2d3 .replay button", has_text="Copied").wait_for()
    assert opened.page.evaluate("navigator.clipboard.readText()") == "crossfade replay 9c41be07a2d3"
    opened.context.close()


def test_without_scripts_everything_is_there(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.demo_report(), tmp_path, java_script_enabled=False)
    page = opened.page
    assert page.locator("#finding-9c41be07a2d3 .pane").count() == 3
    assert page.locator("#finding-9c41be07a2d3 .replay code").is_visible()
    assert page.locator(".replay button").count() == 0
    page.locator("#finding-03ad77e0b1c5 summary").first.click()
    assert page.locator("#finding-03ad77e0b1c5 .cardbody").is_visible()
    opened.context.close()


def test_printing_shows_what_is_folded(browser: Any, tmp_path: Path) -> None:
    opened = Opened(browser, samples.demo_report(), tmp_path)
    assert opened.page.locator("details:not([open])").count() > 0
    assert opened.page.pdf().startswith(b"%PDF")
    assert opened.page.locator("details:not([open])").count() == 0
    opened.context.close()
