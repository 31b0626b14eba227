"""The pages of the sample service over HTTP: what they show, whether they are valid HTML, and what they load."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from time import monotonic
from urllib.parse import urljoin
from xml.etree.ElementTree import Element, fromstring

import html5lib
import httpx
import pytest
from support.sample_service import serving

from perfcheck.demo import logins, pages
from perfcheck.demo.demo_server import DemoServer
from perfcheck.demo.pages import ACCOUNT_ROUTES, PAGE_ROUTES
from perfcheck.demo.posters import draw_poster

DEMO = {"user": "demo", "password": "demo"}
PAGES = {
    "/": 200,
    "/search?q=love": 200,
    "/search?q=no+such+thing": 200,
    "/search": 400,
    "/watch/7": 200,
    "/watch/3001": 404,
    "/login": 200,
    "/account": 200,
}
HOSTILE = "\"><script>alert('1')</script>&amp;"


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with serving() as made:
        yield made


@pytest.fixture
def client(server: DemoServer) -> Iterator[httpx.Client]:
    """Without a login."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as made:
        yield made


@pytest.fixture
def member(client: httpx.Client) -> httpx.Client:
    """Logged in by the form."""
    assert client.post("/login", data=DEMO).status_code == 303
    return client


def parsed(response: httpx.Response) -> Element:
    """As HTML 5; any error of syntax is raised."""
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    root: Element = parser.parse(response.text)
    return root


def text_of(element: Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def results(page: Element) -> list[tuple[str, str, str]]:
    """Address, title and artist of each."""
    links = page.findall(".//ul[@class='results']/li/a")
    return [(a.get("href", ""), text_of(a.find("span[1]")), text_of(a.find("span[2]"))) for a in links]


def expected(client: httpx.Client, path: str) -> list[tuple[str, str, str]]:
    videos = client.get(path).json()["videos"]
    return [(f"/watch/{video['id']}", video["title"], video["artist"]["name"]) for video in videos]


# --- Every page ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_valid_and_says_what_it_is(member: httpx.Client, path: str) -> None:
    response = member.get(path)
    page = parsed(response)
    assert response.status_code == PAGES[path]
    assert page.get("lang") == "en"
    assert text_of(page.find(".//title")).endswith(" - Music videos")
    assert len(page.findall(".//h1")) == len(page.findall(".//main")) == 1
    ids = Counter(element.get("id") for element in page.iter() if element.get("id"))
    assert set(ids.values()) == {1}
    assert {label.get("for") for label in page.iter("label")} == {field.get("id") for field in page.iter("input")}
    for image in page.iter("img"):
        assert None not in {image.get(name) for name in ("alt", "width", "height")}  # nothing moves when it arrives
    assert [script.get("src") for script in page.iter("script")] == ["/static/catalogue.js"]
    assert all("defer" in script.keys() for script in page.iter("script"))  # noqa: SIM118 - an element is no mapping


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(member: httpx.Client, path: str) -> None:
    page = parsed(member.get(path))
    names = {"href", "src", "action"}
    targets = {value for element in page.iter() for name, value in element.items() if name in names} - {"#main"}
    assert len(targets) > 5
    for target in targets - {"/search"}:  # of the form, which sends a text with it
        assert member.get(urljoin(path, target)).status_code == 200, target
    assert page.find(".//*[@id='main']") is not None


@pytest.mark.parametrize("path", PAGES)
def test_head_has_the_headers_of_the_page(member: httpx.Client, path: str) -> None:
    get, head = member.get(path), member.head(path)
    assert head.content == b""
    for name in ("Content-Length", "Content-Type"):
        assert head.headers[name] == get.headers[name]
    assert int(get.headers["Content-Length"]) == len(get.content)


@pytest.mark.parametrize("route", [*PAGE_ROUTES, *ACCOUNT_ROUTES])
def test_other_methods_are_not_allowed(client: httpx.Client, route: str) -> None:
    response = client.put(route.replace("{id}", "7"))
    assert response.status_code == 405
    assert {*response.headers["Allow"].split(", ")} - {"HEAD"} == (PAGE_ROUTES | ACCOUNT_ROUTES)[route].keys()


def test_no_description_of_the_api_has_a_page(client: httpx.Client) -> None:
    for document in ("/openapi.json", "/openapi-members.json"):
        assert not client.get(document).json()["paths"].keys() & (PAGE_ROUTES | ACCOUNT_ROUTES).keys()


# --- What they show --------------------------------------------------------------------------------------------------


def test_the_first_page_has_the_newest_videos(client: httpx.Client) -> None:
    found = results(parsed(client.get("/?utm_source=x")))
    assert len(found) == 24
    assert found == expected(client, "/api/videos/?sort=created_at&order=desc&limit=24")


def test_the_search_finds_what_the_api_finds(client: httpx.Client) -> None:
    page = parsed(client.get("/search", params={"q": " love "}))
    assert results(page) == expected(client, "/api/videos/search?q=love&limit=24")
    total = client.get("/api/videos/search?q=love").json()["total"]
    assert text_of(page.find(".//p[@class='count']")) == f"24 of {total}"
    field = page.find(".//input[@name='q']")
    assert field is not None
    assert field.get("value") == "love"


def test_nothing_of_a_hostile_text_becomes_an_element(client: httpx.Client) -> None:
    page = parsed(client.get("/search", params={"q": HOSTILE}))
    assert results(page) == []
    assert HOSTILE in text_of(page.find(".//h1"))
    field = page.find(".//input[@name='q']")
    assert field is not None
    assert field.get("value") == HOSTILE
    assert len(page.findall(".//script")) == 1


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/search", 400, "Q is required: what to search for."),
        ("/search?q=%FF", 400, "The query string cannot be read."),
        ("/search?q=" + "a" * 101, 400, "Q is longer than 100 characters."),
        ("/watch/3001", 404, "No video has the id 3001."),
        ("/static/posters/3001", 404, "No video has the id 3001."),
        ("/static/posters/0", 404, "No video has the id 0."),
    ],
)
def test_a_refusal_is_a_page(client: httpx.Client, target: str, status: int, words: str) -> None:
    response = client.get(target)
    assert response.status_code == status
    assert words in text_of(parsed(response).find(".//main"))


def test_a_video_has_a_page_with_what_the_api_has_of_it(client: httpx.Client) -> None:
    video = client.get("/api/videos/7").json()["video"]
    main = parsed(client.get("/watch/7")).find(".//main")
    assert main is not None
    shown = text_of(main)
    for text in (video["title"], video["artist"]["name"], video["label"]["name"], video["description"]):
        assert text in shown
    assert f"{video['views']:,}" in shown
    assert [text_of(tag) for tag in main.findall(".//ul[@class='tags']/li")] == video["tags"]


# --- Login and account -----------------------------------------------------------------------------------------------


def test_a_login_leads_to_the_account_and_is_that_of_the_api(client: httpx.Client) -> None:
    response = client.post("/login", data=DEMO)
    assert (response.status_code, response.headers["Location"], response.content) == (303, "/account", b"")
    assert response.headers["Content-Length"] == "0"  # else a client would wait for the end of the connection
    assert "HttpOnly" in response.headers["Set-Cookie"]
    account = client.get("/account")
    assert text_of(parsed(account).find(".//h1")) == "Hello, demo"
    assert account.headers["Cache-Control"] == "no-store"
    assert client.get("/api/account").json()["name"] == "demo"


def test_the_account_shows_the_favourites(member: httpx.Client) -> None:
    assert "None yet" in member.get("/account").text
    favourite = member.post("/api/account/favourites/", json={"video": 7}).json()["id"]
    page = parsed(member.get("/account"))
    title = member.get("/api/videos/7").json()["video"]["title"]
    (link,) = page.findall(".//ul[@class='results']/li/a")
    assert (link.get("href"), text_of(link)) == ("/watch/7", title)
    member.delete(f"/api/account/favourites/{favourite}")


@pytest.mark.parametrize(
    "given", [{**DEMO, "password": "wrong"}, {"user": "demo"}, {"user": "demo", "password": ""}, {}]
)
def test_a_wrong_login_says_so(client: httpx.Client, given: dict[str, str]) -> None:
    response = client.post("/login", data=given)
    assert response.status_code == 401
    assert text_of(parsed(response).find(".//*[@role='alert']")) == "Wrong user or password."
    assert "Set-Cookie" not in response.headers
    assert parsed(client.get("/login")).find(".//*[@role='alert']") is None


def test_a_form_that_cannot_be_read_is_refused(client: httpx.Client) -> None:
    response = client.post("/login", content=b"user=%FF")
    assert response.status_code == 400
    assert "The form cannot be read." in text_of(parsed(response).find(".//main"))


def test_without_a_session_the_account_leads_to_the_login(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/account").headers["Location"] == "/login"
    client.post("/login", data=DEMO)
    now_s = monotonic() + 301
    monkeypatch.setattr(logins, "monotonic", lambda: now_s)
    response = client.get("/account")
    assert (response.status_code, response.headers["Location"]) == (303, "/login")


# --- What they load --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/catalogue.css", "text/css"),
        ("/static/catalogue.js", "text/javascript"),
        ("/static/posters/7", "image/svg+xml"),
    ],
)
def test_what_a_page_loads_is_kept_by_browsers(client: httpx.Client, path: str, kind: str) -> None:
    response = client.get(path)
    assert response.headers["Content-Type"] == kind
    assert response.headers["Cache-Control"] == "public, max-age=3600"
    assert response.content


def test_every_video_has_a_picture_of_its_own() -> None:
    pictures = [draw_poster(number) for number in range(1, 101)]
    assert len(set(pictures)) == 100
    for picture in pictures:
        root = fromstring(picture)
        assert (root.get("width"), root.get("height")) == ("640", "360")
        assert 1000 < len(picture) < 10_000
    draw_poster.cache_clear()
    assert draw_poster(7) == pictures[6]


def test_render_blocking_puts_a_slow_script_before_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(pages, "sleep", slept.append)
    with serving("render-blocking") as regressed, httpx.Client(base_url=regressed.url, trust_env=False) as client:
        for path in ("/", "/search?q=love", "/watch/7", "/login"):
            head = parsed(client.get(path)).find("head")
            assert head is not None
            loads = [element for element in head if element.tag == "script" or element.get("rel") == "stylesheet"]
            assert loads[0].attrib == {"src": "/static/consent.js"}
            assert len(loads) == 3
        assert slept == []
        script = client.get("/static/consent.js")
        assert (script.status_code, script.headers["Content-Type"]) == (200, "text/javascript")
        assert script.headers["Cache-Control"] == "no-store"  # each visit waits
    assert slept == [0.8]


def test_the_consent_script_is_quick_without_the_regression(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "sleep", pytest.fail)
    assert client.get("/static/consent.js").status_code == 200


def test_regressions_of_the_api_leave_pages_as_they_are(client: httpx.Client) -> None:
    with serving("n-plus-one", "join-always", "errors", "large-body", "wrong-answer") as regressed:
        for path in ("/", "/search?q=love", "/watch/7"):
            healthy, other = client.get(path), httpx.get(regressed.url + path, trust_env=False)
            assert other.text == healthy.text
            assert other.headers["X-Query-Count"] == healthy.headers["X-Query-Count"]


def test_the_api_does_without_what_draws_the_pages() -> None:
    code = (
        "import sys\n"
        "from perfcheck.demo.call import ApiRequest\n"
        "from perfcheck.demo.demo_server import create_server\n"
        "with create_server(round_trip_ms=0) as server:\n"
        "    for path in ('/api/videos/', '/watch/7'):\n"
        "        assert server.service.answer(ApiRequest('GET', path)).status == 200\n"
        "        print('jinja2' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]
