"""The pages of the sample service in a real browser: whether they work, how they look, and when they are painted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browser import browser
from support.colours import coloured_texts, weak_texts
from support.sample_service import serving

WAIT_MS = 20_000
# Keeps the class of the largest element that was painted so far.
LARGEST = """new PerformanceObserver(list => { window.largest = list.getEntries().at(-1).element?.className })
  .observe({type: 'largest-contentful-paint', buffered: true})"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as server:
        yield server.url


@contextmanager
def new_page(chromium: Browser, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Iterator[Page]:
    """With a cache and cookies of its own."""
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(WAIT_MS)
    try:
        yield page
    finally:
        page.close()


def first_contentful_paint_ms(chromium: Browser, url: str) -> float:
    with new_page(chromium) as page:
        page.goto(url)
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def log_in(page: Page, password: str) -> None:
    page.fill("[name=user]", "demo")
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Log in").click()


def test_a_visitor_searches_watches_and_logs_in(chromium: Browser, url: str) -> None:
    with new_page(chromium) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("requestfailed", lambda request: errors.append(request.url))
        page.goto(url)
        expect(page.locator(".results a")).to_have_count(24)
        page.keyboard.press("/")
        page.keyboard.type("love")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{url}/search?q=love")
        first = page.locator(".results a").first
        title = first.locator(".title").inner_text()
        first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        expect(page.get_by_role("img", name=f"Poster of {title}")).to_be_visible()
        page.get_by_role("link", name="Account").click()
        expect(page).to_have_url(f"{url}/login")
        log_in(page, "wrong")
        expect(page.get_by_role("alert")).to_have_text("Wrong user or password.")
        log_in(page, "demo")
        expect(page).to_have_url(f"{url}/account")
        expect(page.locator(".account h1")).to_have_text("Hello, demo")
        assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_and_their_text_stands_out(chromium: Browser, url: str, scheme: Literal["light", "dark"]) -> None:
    grounds = set()
    with new_page(chromium, scheme=scheme) as page:
        for path in ("/", "/search?q=love", "/search?q=zzz", "/watch/7", "/login", "/watch/3001"):
            page.goto(url + path)
            for width in (390, 1280):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") == width, path
            found = coloured_texts(page)
            assert len(found) > 5
            assert weak_texts(found) == set(), path
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == {{"light": "rgb(247, 247, 250)", "dark": "rgb(18, 18, 25)"}[scheme]}


@pytest.mark.parametrize("width", [390, 1280])
def test_the_picture_of_a_video_is_its_largest_contentful_paint(chromium: Browser, url: str, width: int) -> None:
    with new_page(chromium, width) as page:
        page.add_init_script(LARGEST)
        page.goto(f"{url}/watch/7")
        page.wait_for_function("window.largest === 'poster'")


def test_nothing_moves_while_a_page_loads(chromium: Browser, url: str) -> None:
    with new_page(chromium) as page:
        page.goto(url)
        page.wait_for_load_state("networkidle")
        shifts = page.evaluate("""() => { const observer = new PerformanceObserver(() => {});
          observer.observe({type: 'layout-shift', buffered: true}); return observer.takeRecords().length }""")
        assert shifts == 0


def test_render_blocking_delays_the_first_paint(chromium: Browser, url: str) -> None:
    with serving("render-blocking") as regressed:
        blocked_ms = first_contentful_paint_ms(chromium, f"{regressed.url}/watch/7")
    quick_ms = min(first_contentful_paint_ms(chromium, f"{url}/watch/7") for _ in range(3))
    assert quick_ms < blocked_ms
    assert blocked_ms > 800
