"""The history as a site: its pages as a parser and a browser see them, and which files of the folder are touched."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import html5lib
import pytest
from playwright.sync_api import Browser
from simulation.runs import hostile_names, hostile_run
from simulation.year import DAYS, ENDPOINTS, commit_of, moment_of, year
from simulation.year import fill as fill_year
from support.browser import browser
from support.command import perfcheck
from support.disks import full_disk
from support.histories import HERE, fill, past_runs

from perfcheck.errors import UsageError
from perfcheck.history.store import open_history
from perfcheck.model import Source, Verdict
from perfcheck.periods.model import BaselineHistory
from perfcheck.report.html import render
from perfcheck.report.html.svg import CSS
from perfcheck.site.badge import badge_json, badge_svg
from perfcheck.site.folder import MANIFEST, SiteChanges, write_site
from perfcheck.site.pages import build_site, file_name

PAGES = {"index.html": b"1", "runs/a.html": b"2", "badge.svg": b"3"}
VERDICTS = [*Verdict, None]


def built(file: Path, *, run_pages: int = 50, branch: str = "main") -> dict[str, bytes]:
    with open_history(str(file), file.parent) as store:
        return build_site(store, branch=branch, run_pages=run_pages, read_baseline=lambda _: BaselineHistory("b.yaml"))


@pytest.fixture(scope="module")
def year_site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Of the generated year, in which is planted what a page has to show."""
    folder = tmp_path_factory.mktemp("year")
    with open_history("year.sqlite", folder) as store:
        fill_year(store)
    return built(folder / "year.sqlite", run_pages=5)


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Names, labels and commits made to do harm, in enough runs for changes."""
    file = tmp_path_factory.mktemp("hostile") / "history.sqlite"
    hostile = replace(hostile_run(), environment=replace(hostile_run().environment, branch="main"))
    with open_history(str(file), file.parent) as store:
        store.save_all(replace(hostile, id=f"<b>{i}'/..", started_at=moment_of(i)) for i in range(12))
        store.add_note(run_id="<b>3'/..", commit=None, incident="<script>alert(1)</script>")
    return built(file, run_pages=2)


@pytest.fixture(params=["year_site", "hostile_site"])
def site(request: pytest.FixtureRequest) -> dict[str, bytes]:
    built_site: dict[str, bytes] = request.getfixturevalue(request.param)
    return built_site


def parsed(page: bytes) -> Element:
    """As HTML 5; any error of syntax is raised."""
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False)
    root: Element = parser.parse(page.decode())
    return root


def text_of(element: Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


# --- Pages ---------------------------------------------------------------------------------------------------------


def test_every_page_is_reached_by_links_of_the_site_and_runs_and_loads_nothing_but_the_style(
    site: dict[str, bytes],
) -> None:
    trees = {path: parsed(page) for path, page in site.items() if path.endswith(".html")}
    reached = {"index.html", "perfcheck-site.json"}
    for path, tree in trees.items():
        tags = [element.tag for element in tree.iter() if isinstance(element.tag, str)]
        assert not {"script", "img", "iframe", "object", "form", "base"} & set(tags), path
        assert tags.count("link") == 1, path
        assert not [name for element in tree.iter() for name in element.attrib if str(name).startswith("on")], path
        ids = [element.get("id") for element in tree.iter() if element.get("id")]
        assert len(ids) == len(set(ids)), path
        for link in (element.get("href", "") for element in tree.iter() if element.tag in {"a", "link"}):
            url = urlsplit(link)
            assert not url.scheme, f"{path}: {link}"
            assert not url.path.startswith("/"), f"{path}: {link}"
            target = os.path.normpath(Path(path).parent / unquote(url.path)) if url.path else path
            assert target in site, f"{path}: {link}"
            reached.add(target)
            assert not url.fragment or url.fragment in {e.get("id") for e in trees[target].iter()}, f"{path}: {link}"
    assert reached >= site.keys()


def test_names_of_files_are_safe_stable_and_different() -> None:
    names = [file_name(name) for name in hostile_names()]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}\.html", name) for name in names)
    assert file_name("videos.list") == "videos-list-c464bd08b4.html"
    assert file_name("Videos.list") != file_name("videos.list")


def test_the_first_page_shows_the_last_run_and_the_trend_of_every_endpoint(year_site: dict[str, bytes]) -> None:
    page = parsed(year_site["index.html"])
    assert text_of(page.find(".//h1")) == "WARNING"
    rows = {text_of(row.find(".//a")): text_of(row) for row in page.iterfind(".//table[@class='summary']/tbody/tr")}
    assert rows.keys() == {planted.name for planted in ENDPOINTS}
    for name, state in {
        "search.universal": "+30%step on 18 June 2026",
        "settings.get": "drift since",
        "videos.list": "backresolved 24 March 2026",
        "artists.list": "step on 8 September 2026",
        "health": "12.1none",
    }.items():
        assert state in rows[name], name
    assert len([element for element in page.iter() if element.get("class") == "spark"]) == len(ENDPOINTS)
    assert "November 2026" in text_of(page)
    assert text_of(page).count("main@") == 15  # runs


def test_an_endpoint_has_its_changes_with_commits_and_notes(year_site: dict[str, bytes]) -> None:
    shown = text_of(parsed(year_site[f"endpoints/{file_name('videos.list')}"]))
    assert "Regression, resolved" in shown
    assert f"commit {commit_of(99)[:10]}" in shown
    assert "the artist was joined for every row" in shown
    assert commit_of(DAYS - 1)[:10] in shown


def test_only_the_newest_runs_have_reports(year_site: dict[str, bytes]) -> None:
    assert len([path for path in year_site if path.startswith("runs/")]) == 5
    assert {path for path in year_site if path.startswith("periods/")} == {
        *(f"periods/2026-w{week}.html" for week in (46, 47, 48, 49)),
        *(f"periods/2026-{month:02}.html" for month in range(6, 12)),
    }


def test_a_report_by_itself_has_its_styles_and_no_way_elsewhere() -> None:
    alone = render(next(iter(year(1))))
    assert "<style>" in alone
    assert "all endpoints" not in alone
    assert "Spread</th>" in alone
    assert "'self'" not in alone


@pytest.mark.parametrize("every", [3, 1])
def test_a_page_of_a_large_service_is_small(tmp_path: Path, every: int) -> None:
    """Where so many of its endpoints got slower in one month."""
    later = [100.0 if i % every else 130.0 for i in range(50)]
    levels = {f"service.area_{i % 7}.endpoint_{i:02}": [100.0] * 15 + [ms] * 15 for i, ms in enumerate(later)}
    fill(tmp_path / "h", past_runs(levels, first=datetime(2026, 11, 20, tzinfo=UTC)))
    site = built(tmp_path / "h", run_pages=2)
    assert len(site) > 55
    run_page = next(page.decode() for path, page in site.items() if path.startswith("runs/"))
    assert "Spread</th>" not in run_page
    month = text_of(parsed(site["periods/2026-12.html"]))
    assert f"{len(range(0, 50, every))} regressions" in month
    assert all(month.count(name) >= 2 for name in list(levels)[::every]), "in the table, and among the changes"
    assert {path: len(page) for path, page in site.items() if len(page) >= 100_000} == {}


def test_no_runs_and_few_runs_have_a_site(tmp_path: Path) -> None:
    open_history(str(tmp_path / "empty"), tmp_path).close()
    empty = built(tmp_path / "empty")
    assert text_of(parsed(empty["index.html"]).find(".//h1")) == "No runs yet"
    assert json.loads(empty["badge.json"])["message"] == "no runs yet"
    assert sorted(empty) == ["badge.json", "badge.svg", "index.html", "style.css"]
    fill(tmp_path / "one", past_runs({"a": [40.0]}))
    one = built(tmp_path / "one", run_pages=0)
    assert "cannot tell yet" in text_of(parsed(one["index.html"]))
    assert not [path for path in one if path.startswith("runs/")]


def test_it_is_of_one_branch_and_of_checks_rather_than_readings(tmp_path: Path) -> None:
    checks = past_runs({"a": [40.0] * 3})
    other = past_runs({"b": [40.0] * 9}, environment=replace(HERE, branch="b", cpus=4), verdict=Verdict.CRITICAL)
    [reading] = past_runs({"a": [900.0]}, environment=replace(HERE, branch=None, cpus=8), verdict=Verdict.CRITICAL)
    measured = tuple(replace(result, source=Source.MONITORED) for result in reading.endpoints)
    reading = replace(reading, started_at=moment_of(700), endpoints=measured)
    fill(tmp_path / "h", checks, other, [reading])
    assert json.loads(built(tmp_path / "h")["badge.json"])["message"] == "OK"
    assert json.loads(built(tmp_path / "h", branch="b")["badge.json"])["message"] == "CRITICAL"
    assert f"endpoints/{file_name('b')}" not in built(tmp_path / "h")


def test_a_browser_shows_it_from_the_disk_as_wide_as_the_window(
    year_site: dict[str, bytes], hostile_site: dict[str, bytes], tmp_path: Path
) -> None:
    """With its style; and no message on the console."""
    with browser() as chromium:
        for name, site in {"year": year_site, "hostile": hostile_site}.items():
            write_site(tmp_path / name, site)
            check_in_browser(chromium, tmp_path / name)


def check_in_browser(chromium: Browser, folder: Path) -> None:
    page = chromium.new_page()
    seen: list[str] = []
    page.on("console", lambda message: seen.append(message.text))
    for part in ("", "endpoints", "periods", "runs"):
        page.goto(min((folder / part).glob("*.html")).as_uri(), timeout=30_000)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width, (part, width)
        for scheme, colour in {"dark": "rgb(14, 16, 20)", "light": "rgb(246, 246, 243)"}.items():
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour
    page.get_by_role("link", name="all endpoints").first.click()
    assert page.url == (folder / "index.html").as_uri()
    assert seen == []


# --- Badge ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_badge_is_a_picture_with_its_words(verdict: Verdict | None) -> None:
    words = f"perfcheck: {verdict or 'no runs yet'}"
    picture = ET.fromstring(badge_svg(verdict))
    assert picture.get("aria-label") == words
    assert [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")] == words.split(": ")


def test_the_badge_for_shields_has_the_fields_and_the_colours_of_the_reports() -> None:
    contents = {verdict: json.loads(badge_json(verdict)) for verdict in VERDICTS}
    page = render(next(iter(year(1))))
    for verdict, content in contents.items():
        assert content.keys() == {"schemaVersion", "label", "message", "color"}
        assert (content["schemaVersion"], content["label"]) == (1, "perfcheck")
        assert verdict is None or f"--{CSS[verdict]}: {content['color']}" in page
        assert content["color"] in badge_svg(verdict)
    assert len({content["color"] for content in contents.values()}) == len(VERDICTS)


# --- The folder ----------------------------------------------------------------------------------------------------


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    assert write_site(tmp_path / "site", PAGES) == SiteChanges(3, 0, 0)
    files = [path for path in (tmp_path / "site").rglob("*") if path.is_file()]
    for path in files:
        os.utime(path, (1, 1))
    assert write_site(tmp_path / "site", PAGES) == SiteChanges(0, 3, 0)
    assert {path.stat().st_mtime for path in files} == {1}
    assert write_site(tmp_path / "site", PAGES | {"index.html": b"new"}) == SiteChanges(1, 2, 0)
    assert [path.name for path in files if path.stat().st_mtime != 1] == ["index.html"]


def test_only_what_the_manifest_names_is_removed(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("CNAME", "mine.html", "runs/mine.html"):
        (tmp_path / name).write_text("mine")
    write_site(tmp_path, PAGES)
    assert write_site(tmp_path, {"index.html": b"1"}) == SiteChanges(0, 1, 2)
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {"CNAME", "mine.html", "runs/mine.html", "index.html", MANIFEST}


def test_a_manifest_that_names_more_than_a_site_has_removes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    others = ["../x.html", "/etc/x.html", "runs/../../x.html", "x.txt", ".git/x.html", MANIFEST, 7, None]
    (tmp_path / "x.html").write_text("mine")
    (tmp_path / "site" / "x.txt").write_text("mine")
    (tmp_path / "site" / MANIFEST).write_text(json.dumps({"files": others}))
    assert write_site(tmp_path / "site", PAGES).removed == 0
    assert (tmp_path / "x.html").exists()
    assert (tmp_path / "site" / "x.txt").exists()


def test_a_file_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(UsageError, match=r"index\.html is not from perfcheck"):
        write_site(tmp_path, PAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "mine"


def test_what_was_cut_short_is_completed(tmp_path: Path) -> None:
    """A write that fails in its middle, as on a disk that is full."""
    pages = PAGES | {"runs/large.html": b"x" * 100_000}
    with full_disk(20_000), pytest.raises(UsageError, match=r"cannot write .*large.html: File too large"):
        write_site(tmp_path, pages)
    assert write_site(tmp_path, pages).written >= 1
    assert all((tmp_path / name).read_bytes() == content for name, content in pages.items())
    assert len(list(tmp_path.rglob("*.tmp"))) == 0


@pytest.mark.parametrize("content", ["", "[]", '{"files": 1}', "{"])
def test_a_damaged_manifest_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(UsageError, match=r"perfcheck-site\.json is damaged"):
        write_site(tmp_path, PAGES)


# --- The command ---------------------------------------------------------------------------------------------------


def test_the_command_writes_the_site_and_says_what_it_did(tmp_path: Path) -> None:
    fill(tmp_path / "h.sqlite", past_runs({"a": [40.0] * 4}))
    arguments = ("history", "site", "public/perf", "--history", "h.sqlite")
    done = perfcheck(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"public/perf: \d+ files written, 0 unchanged\n", done.stderr)
    again = perfcheck(*arguments, "--runs", "1", cwd=tmp_path)
    assert re.fullmatch(r"public/perf: 2 files written, \d+ unchanged, 3 removed\n", again.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["file"], "cannot make the folder file: File exists"),
        (["file/site"], "cannot make the folder file/site: Not a directory\nhelp: name another folder"),
        (["site", "--branch", "mian"], "no runs of branch mian in the history\nhelp: did you mean 'main'?"),
        (["site", "--history", "absent"], "no history yet: absent does not exist"),
        (["site", "--history", "file"], "cannot use the history file: the file is not an SQLite database"),
        (["/proc/site"], "cannot make the folder /proc/site: No such file or directory"),
    ],
)
def test_mistakes(tmp_path: Path, arguments: list[str], message: str) -> None:
    fill(tmp_path / "h.sqlite", past_runs({"a": [40.0]}))
    (tmp_path / "file").write_text("no database, and longer than the head of one " * 10)
    done = perfcheck("history", "site", *arguments, cwd=tmp_path, env={"PERFCHECK_HISTORY": "h.sqlite"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}")
    assert not (tmp_path / "site").exists()
