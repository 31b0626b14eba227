"""The page in a real browser: what it loads and says, how wide it is, and whether it can be read and reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page
from simulation.runs import big_run, example_results, hostile_run, run
from support.browser import browser, browser_path
from support.colours import LEAST_CONTRAST, channels, coloured_texts, contrast, luminance, weak_texts
from support.comparisons import comparison_run, hostile_comparison, live_run
from support.past import example_report, hostile_report

from perfcheck.judge.compare_runs import changes_since
from perfcheck.periods.report.html import render as render_period
from perfcheck.report.html import render

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WAIT_MS = 20_000
ZONES = ("--z0", "--z1", "--z2", "--z3", "--zn")

SAID_OVER_ZONES = "() => getComputedStyle(document.querySelector('text.remark')).fill"
BOXES = """() => [...document.querySelectorAll('svg[role=img]')].filter(one => one.checkVisibility())
  .map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    before = replace(run([replace(one, value_ms=20.0) for one in example_results()]), label="before")
    pages = {
        "example": render(run()),
        "hostile": render(hostile_run()),
        "big": render(big_run(200, 50)),
        "empty": render(run([])),
        "compared": render(run(), changes_since(run(), before)),
        "comparison": render(live_run()),
        "release": render(comparison_run(with_targets=True)),
        "hostile comparison": render(hostile_comparison()),
        "period": render_period(example_report()),
        "hostile period": render_period(hostile_report()),
    }
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@contextmanager
def opened(chromium: Browser, file: Path, width: int = 1280, scheme: Scheme = "light") -> Iterator[Page]:
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(WAIT_MS)
    try:
        page.goto(file.as_uri())
        yield page
    finally:
        page.close()


@pytest.mark.parametrize(
    "name",
    [
        "example",
        "hostile",
        "big",
        "empty",
        "compared",
        "comparison",
        "release",
        "hostile comparison",
        "period",
        "hostile period",
    ],
)
def test_page_fits_and_is_quiet(chromium: Browser, files: dict[str, Path], name: str) -> None:
    """No message on the console, no dialog, no request; and no scrolling sideways."""
    page = chromium.new_page()
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("dialog", lambda dialog: seen.append(dialog.message))
    page.on("request", lambda request: seen.append(request.url))
    page.goto(files[name].as_uri(), timeout=WAIT_MS)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    assert seen == [files[name].as_uri()]
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_charts_are_there(chromium: Browser, files: dict[str, Path], width: int) -> None:
    with opened(chromium, files["example"], width) as page:
        boxes = page.evaluate(BOXES)
        in_table = 3 if width > 640 else 0  # a phone has no room for them
        # overview; two a card, where something was measured; table; strip
        assert len(boxes) == 10 + 7 * 2 - 3 + in_table + 1
        assert all(wide > 60 and high >= 18 for wide, high in boxes)
        dots = page.locator("article .dots.now").first.bounding_box()
        assert dots
        assert dots["width"] > 10


@pytest.mark.parametrize("width", [1280, 390])
def test_charts_of_a_period_are_there(chromium: Browser, files: dict[str, Path], width: int) -> None:
    with opened(chromium, files["period"], width) as page:
        boxes = page.evaluate(BOXES)
        report = example_report()
        cards = len(report.regressions) + len(report.improvements) + len(report.drifts)
        assert len(boxes) == len(report.endpoints) + cards  # small ones and large ones; those folded away are not seen
        page.locator("summary").click()
        with_card = {one.endpoint for one in (*report.regressions, *report.improvements, *report.drifts)}
        without = len({one.name for one in report.endpoints} - with_card)
        assert len(page.evaluate(BOXES)) == len(boxes) + without
        assert all(wide > 60 and high >= 18 for wide, high in boxes)
        assert page.locator("article").count() == cards
        for css in ("all", "past"):
            dots = page.locator(f"article .dots.{css}").first.bounding_box()
            assert dots
            assert dots["width"] > 50
        assert page.locator("article line.moved-at").count() >= cards - len(report.drifts)


def test_dots_stay_round_whatever_the_width(chromium: Browser, files: dict[str, Path]) -> None:
    """Their size does not stretch with the chart: a stroke that would scale has no such effect."""
    with opened(chromium, files["example"], 390) as page:
        effects = page.locator(".dots").evaluate_all("all => all.map(one => getComputedStyle(one).vectorEffect)")
        assert effects
        assert set(effects) == {"non-scaling-stroke"}


def test_nothing_of_a_hostile_name_becomes_an_element(chromium: Browser, files: dict[str, Path]) -> None:
    with opened(chromium, files["hostile"]) as page:
        assert page.locator("script, img, iframe").count() == 0
        assert page.get_by_text("<img src=x onerror=alert(1)>").first.is_visible()


def test_light_and_dark_differ(chromium: Browser, files: dict[str, Path]) -> None:
    colours = []
    for scheme in SCHEMES:
        with opened(chromium, files["example"], scheme=scheme) as page:
            colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (luminance(channels(colour)) for colour in colours)
    assert light > 0.8
    assert dark < 0.05


@pytest.mark.parametrize("name", ["example", "hostile", "compared", "big", "period", "hostile period"])
def test_text_stands_out(chromium: Browser, files: dict[str, Path], name: str) -> None:
    with opened(chromium, files[name]) as page:
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found = coloured_texts(page)
            assert len(found) > 100
            assert not weak_texts(found), scheme


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_within_a_chart_stand_out_from_every_zone(
    chromium: Browser, files: dict[str, Path], scheme: Scheme
) -> None:
    with opened(chromium, files["example"], scheme=scheme) as page:
        said = page.evaluate(SAID_OVER_ZONES)
        for zone in ZONES:
            ground = page.evaluate(
                "name => { document.body.style.outlineColor = `var(${name})`;"
                " return getComputedStyle(document.body).outlineColor }",
                zone,
            )
            assert contrast(said, ground) >= LEAST_CONTRAST, zone


def test_keyboard_reaches_every_row_in_order(chromium: Browser, files: dict[str, Path]) -> None:
    with opened(chromium, files["example"]) as page:
        reached = []
        for _ in range(11):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.getAttribute('href')"))
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        rows = page.locator("a.name").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        assert reached == ["#main", *rows]


def test_skip_link_comes_into_view_when_it_has_the_focus(chromium: Browser, files: dict[str, Path]) -> None:
    with opened(chromium, files["example"]) as page:
        link = page.locator("a.skip")
        before = link.bounding_box()
        page.keyboard.press("Tab")
        after = link.bounding_box()
        assert before
        assert after
        assert before["x"] < 0 <= after["x"]


def test_a_row_leads_to_its_details_even_when_they_are_folded(chromium: Browser, files: dict[str, Path]) -> None:
    with opened(chromium, files["big"]) as page:
        rows = page.locator("a.name").evaluate_all("all => all.map(one => one.getAttribute('href'))")
        folded = next(row for row in rows if not page.locator(row).is_visible())
        page.locator(f"a[href='{folded}']").click()
        page.locator(folded).wait_for(state="visible")


def test_print_is_light_and_unfolded(chromium: Browser, files: dict[str, Path]) -> None:
    with opened(chromium, files["big"], scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        box = page.locator("#e60").bounding_box()
        assert box
        assert box["height"] > 10
        assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_missing_browser_is_a_failure_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFCHECK_TEST_BROWSER", "/nowhere/chromium")
    with pytest.raises(AssertionError, match=r"no browser: looked for /nowhere/chromium\. Install chromium"):
        browser_path()
