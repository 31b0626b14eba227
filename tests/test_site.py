"""The site made of docs/: every page can be found, every link leads somewhere, and nothing comes from another host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import expect
from support.browser import browser

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
CONFIG = "zensical.toml"


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / CONFIG, folder)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "site"


def page_of(site: Path, source: Path) -> Path:
    """Of the Markdown file; README.md is the page of its folder."""
    path = source.relative_to(DOCS)
    return site / (path.parent / "index.html" if path.name == "README.md" else path.with_suffix(".html"))


def parse(page: Path) -> Element:
    parsed: Element = html5lib.parse(page.read_text(encoding="utf-8"), namespaceHTMLElements=False)
    return parsed


def test_the_navigation_has_every_page_once() -> None:
    def pages(item: Any) -> list[str]:
        if isinstance(item, str):
            return [item]
        return [page for part in (item.values() if isinstance(item, dict) else item) for page in pages(part)]

    config = tomllib.loads((ROOT / CONFIG).read_text(encoding="utf-8"))
    assert sorted(pages(config["project"]["nav"])) == [str(page.relative_to(DOCS)) for page in PAGES]


def test_links_lead_to_a_page_and_a_heading(site: Path) -> None:
    trees = {page: parse(page) for page in site.rglob("*.html") if page.name != "404.html"}
    ids = {page: {element.get("id") for element in tree.iter()} for page, tree in trees.items()}
    files, checked = set(site.rglob("*")), 0
    for page, tree in trees.items():
        for link in tree.iter("a"):
            url = urlsplit(link.get("href", ""))
            if url.scheme:
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            target = target / "index.html" if target.is_dir() else target
            assert target in files, f"{page.name}: {link.get('href')}"
            assert not url.fragment or unquote(url.fragment) in ids[target], f"{page.name}: {link.get('href')}"
            checked += 1
    assert checked > len(PAGES)


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / CONFIG).write_text('[project]\nsite_name = "x"\n', encoding="utf-8")
    index = tmp_path / "docs" / "index.md"
    index.write_text("# A\n\n[b](#a)\n", encoding="utf-8")
    assert build(tmp_path).returncode == 0
    for target in ("other.md", "#other"):
        index.write_text(f"# A\n\n[b]({target})\n", encoding="utf-8")
        assert build(tmp_path).returncode != 0


@pytest.mark.parametrize("source", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_the_site_shows_what_a_repository_shows(site: Path, source: Path) -> None:
    """Two dialects of Markdown read the pages: a list or a code block that only one of them sees is a mistake."""
    markdown = MarkdownIt("commonmark").enable("table").render(source.read_text(encoding="utf-8"))
    article = parse(page_of(site, source)).find(".//article")
    assert article is not None
    expected = html5lib.parse(markdown, namespaceHTMLElements=False)
    assert outline(article) == outline(expected)
    assert texts(article) == texts(expected)


def outline(page: Element) -> Counter[str]:
    """How many there are of each element that gives a page its structure, by what it is in."""
    blocks = {"h1", "h2", "h3", "h4", "ul", "ol", "li", "p", "pre", "table", "tr"}
    return Counter(
        f"{parent.tag if parent.tag == 'li' else ''} {child.tag}".strip()
        for parent in page.iter()
        for child in parent
        if child.tag in blocks
    )


def texts(page: Element) -> list[str]:
    """What is read in paragraphs, tables, lists and blocks of code."""
    read = (
        " ".join("".join(element.itertext()).split()) for element in page.iter() if element.tag in {"p", "td", "pre"}
    )
    return [text for text in read if text]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_loads_it_from_one_host_and_finds_a_page(site: Path, scheme: Literal["light", "dark"]) -> None:
    requested: list[str] = []
    messages: list[str] = []
    with served(site) as url, browser() as chromium:
        page = chromium.new_page(viewport={"width": 390, "height": 900}, color_scheme=scheme)
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.goto(f"{url}/reference/cli.html")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        search = page.get_by_role("combobox", name="Search")
        for _ in range(300):  # the script that listens for the key may still be loading
            page.keyboard.press("/")
            if search.is_visible():
                break
            page.wait_for_timeout(100)
        search.fill("headroom")
        expect(page.get_by_role("option", name="What a report contains")).to_be_visible(timeout=30_000)
        page.close()
        assert messages == []
        assert [address for address in requested if not address.startswith((url, "data:", "blob:"))] == []
        assert f"{url}/search.json" in requested


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_no_page_names_a_script_or_a_font_of_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text(encoding="utf-8"))
        assert not [tag for tag in tags if re.search(r'(?:src|href)="?(?:https?:)?//', tag)], page


def test_commands_are_shown_as_commands_and_not_as_output(site: Path) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    assert "language-console" in text
    assert 'class="go"' not in text  # what the lexer of a console makes of lines without a prompt
