"""What a walk along the links of a real service finds, and what it does not touch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from apps.serving import werkzeug
from flask import Flask, Response, jsonify, redirect, request
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.client.client import Client
from perfcheck.discover.links import crawl
from perfcheck.model import Endpoint, Failure, Fetched, Service
from perfcheck.model.operation import Discovered
from perfcheck.text import Redactor


@contextmanager
def crawled(app: Any, prefix: str = "", **limits: Any) -> Iterator[tuple[Discovered, str]]:
    """What was found, and the base URL."""
    with werkzeug(app) as url, Client(Service(url + prefix), redact=Redactor()) as client:
        yield crawl(client.fetch, url + prefix, **limits), url


def templates(found: Discovered) -> list[str]:
    return [each.template for each in found.operations]


class Traps:
    """A service that a walk could get lost in; ``log`` has what was requested."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.ended = threading.Event()
        self.app = app = Flask("traps", static_folder=None)
        app.before_request(lambda: self.log.append(request.full_path.rstrip("?")))
        app.add_url_rule("/", view_func=self.start)
        app.add_url_rule("/things", view_func=self.things)
        app.add_url_rule("/things/<int:number>", view_func=lambda number: jsonify(number=number), endpoint="thing")
        app.add_url_rule("/calendar/<int:year>/<int:month>", view_func=self.calendar)
        app.add_url_rule("/deeper/<path:rest>", view_func=self.deeper, endpoint="deeper")
        app.add_url_rule("/old", view_func=lambda: redirect("/new"), endpoint="old")
        app.add_url_rule("/round", view_func=lambda: redirect("/round"), endpoint="round")
        app.add_url_rule("/away", view_func=lambda: redirect("http://localhost:1/elsewhere"), endpoint="away")
        app.add_url_rule("/huge", view_func=self.huge)
        app.add_url_rule("/hang", view_func=self.hang)
        app.add_url_rule("/new", view_func=lambda: "<a href='/after-redirect'>", endpoint="new")

    def start(self) -> str:
        things = "".join(f"<a href=/things/{number}>x</a>" for number in range(1, 40))
        return f"""<!doctype html><link rel=stylesheet href=/theme.css><link rel="next" href="/page?n=2&amp;size=9">
            <a href="/things">things</a> <A HREF='things#top'>again</A> {things}
            <a href="/calendar/2026/1">calendar</a> <a href="/deeper/a">deeper</a> <a href=/old>old</a>
            <a href="/round">round</a> <a href="/away">away</a> <a href="/huge">huge</a>
            <a href="/logout">log out</a> <a href="/things/7/delete">delete</a> <a href="/vote/7">vote</a>
            <a href="/list?action=delete">x</a>
            <a href="/rails" data-method="delete">x</a> <a rel="nofollow" href="/trap">x</a>
            <a href="mailto:a@b.org">x</a> <a href="javascript:void(0)">x</a> <a href="http://[">x</a>
            <a href="http://localhost:1/other">other</a> <img src="/picture.png"> <a href="/report.pdf">x</a>
            <form action="/send" method="post"></form> <a>nothing</a> <a href="">here</a> <a href='//'>x</a>"""

    def things(self) -> Any:
        return jsonify(
            next=f"{request.host_url}things?page=2",
            rows=[
                {"url": f"/things/{number}", "owner": {"href": "/owners/ada"}, "name": "red/blue"} for number in (7, 9)
            ],
            other=["http://localhost:1/elsewhere", "/search{?q}", "/x y", "//host/x", 7, None],
        )

    def calendar(self, year: int, month: int) -> str:
        return f'<a href="/calendar/{year + month // 12}/{month % 12 + 1}">next</a>'

    def deeper(self, rest: str) -> str:
        return f'<a href="/deeper/{rest}/{chr(97 + len(rest) % 26)}x">down</a>'

    def huge(self) -> Response:
        return Response(("<p>" + "x" * 100_000 for _ in range(100)), content_type="text/html")

    def hang(self) -> str:
        self.ended.wait(30)
        return "late"


def test_links_in_html_and_json_are_found() -> None:
    traps = Traps()
    with crawled(traps.app) as (found, _):
        assert found.notes == ()
    expected = ["/", "/things", "/things/{id}", "/owners/ada", "/search", "/old", "/new", "/after-redirect", "/page"]
    assert set(expected) <= set(templates(found))
    page = next(each for each in found.operations if each.template == "/page")
    assert [(each.name, each.value) for each in page.parameters] == [("n", "2"), ("size", "9")]


def test_a_link_to_a_heading_of_its_own_page_is_no_request_without_the_query() -> None:
    app, log = Flask("search", static_folder=None), list[str]()
    app.before_request(lambda: log.append(request.full_path.rstrip("?")))
    app.add_url_rule("/", "start", lambda: '<a href="#main">skip</a> <a href="/search?q=love">love</a>')
    app.add_url_rule("/search", "search", lambda: '<a href="#main">skip</a> <a href=" #top">top</a> <a>nothing</a>')
    with crawled(app) as (found, _):
        (search,) = (each for each in found.operations if each.template == "/search")
    assert [(each.name, each.value) for each in search.parameters] == [("q", "love")]
    assert log == ["/", "/search?q=love"]


def test_what_looks_like_an_action_is_listed_and_not_requested() -> None:
    traps = Traps()
    with crawled(traps.app) as (found, _):
        pass
    assert {"/logout", "/things/{id}/delete", "/vote/{id}", "/list"} <= set(templates(found))
    assert not [line for line in traps.log if any(word in line for word in ("logout", "delete", "vote"))]


def test_other_hosts_assets_and_links_that_change_something_are_left_out() -> None:
    traps = Traps()
    with crawled(traps.app) as (found, _):
        pass
    texts = " ".join(templates(found) + traps.log)
    for absent in (
        "other",
        "elsewhere",
        "theme",
        "picture",
        "send",
        "rails",
        "trap",
        "mailto",
        "void",
        "blue",
        "x%20y",
    ):
        assert absent not in texts


def test_a_route_is_requested_at_most_twice_and_a_path_once() -> None:
    traps = Traps()
    with crawled(traps.app):
        pass
    assert len(traps.log) == len(set(traps.log))
    assert sum(line.startswith("/things/") for line in traps.log) == 2
    assert sum(line.startswith("/calendar/") for line in traps.log) == 2
    assert sum(line.startswith("/deeper/") for line in traps.log) <= 8


def test_it_stops_after_so_many_requests_and_reports_what_is_left() -> None:
    traps = Traps()
    with crawled(traps.app, most_requests=3) as (found, _):
        pass
    assert len(traps.log) == 3
    (note,) = found.notes
    assert note.startswith("stopped following links after 3 requests, with ")


def test_it_stops_when_its_time_is_up() -> None:
    traps = Traps()
    clock = iter(range(100))
    with crawled(traps.app, most_s=3.0, now=lambda: float(next(clock))) as (found, _):
        pass
    assert len(traps.log) == 2
    assert found.notes[0].startswith("stopped following links after 3 s")


def test_a_page_that_hangs_is_given_up() -> None:
    traps = Traps()
    traps.app.view_functions["start"] = lambda: "<a href=/hang>a</a><a href=/things>b</a>"
    try:
        with werkzeug(traps.app) as url, Client(Service(url), redact=Redactor()) as client:

            def fetch(endpoint: Endpoint) -> Fetched:
                assert 0 < endpoint.timeout_s <= 5
                return client.fetch(replace(endpoint, timeout_s=0.2) if endpoint.path == "/hang" else endpoint)

            assert "/owners/ada" in templates(crawl(fetch, url))
            traps.ended.set()
    finally:
        traps.ended.set()


def test_of_a_site_with_many_pages_those_nearest_to_the_root_are_taken() -> None:
    app, letters = Flask("site", static_folder=None), "abcdefghijkl"
    paths = [f"{first}/{second}" for first in letters for second in letters] + list(letters)
    app.add_url_rule("/", view_func=lambda: "".join(f"<a href=/{path}>x</a>" for path in paths), endpoint="start")
    with crawled(app, most_requests=1) as (found, _):
        pass
    assert templates(found)[: 1 + len(letters)] == ["/", *(f"/{letter}" for letter in letters)]
    assert len(found.operations) == 100
    assert found.notes[-1] == "links lead to 157 pages: the 100 nearest to / were taken"


def test_paths_are_below_that_of_the_service() -> None:
    app = Flask("prefixed", static_folder=None)
    app.add_url_rule("/api/", view_func=lambda: "<a href=/api/a>a</a><a href=b>b</a><a href=/c>c</a>", endpoint="a")
    with crawled(app, "/api") as (found, _):
        assert templates(found) == ["/", "/a", "/b"]


def test_nothing_is_found_where_nothing_responds() -> None:
    app = Flask("nothing", static_folder=None)
    with crawled(app) as (found, _):
        assert found == Discovered(())


def test_the_headers_of_the_service_are_sent() -> None:
    received = []

    def fetch(endpoint: Endpoint) -> Fetched:
        received.append(endpoint.headers)
        return Fetched(failure=Failure.REFUSED)

    crawl(fetch, "http://localhost", headers=(("X-Tenant", "acme"),))
    assert received == [(("X-Tenant", "acme"),)]


HTML = st.lists(
    st.sampled_from(["<a ", "href=", '"', "'", ">", "/x", "<", "&amp;", "http://h", "?a", "//", "\0", "é", " "])
)


@given(
    st.binary() | HTML.map(lambda parts: "".join(parts).encode()), st.sampled_from(["text/html", "application/json"])
)
def test_no_page_breaks_it(body: bytes, kind: str) -> None:
    found = crawl(lambda _: Fetched(status=200, content_type=kind, body=body), "http://h/base", most_requests=5)
    assert all(each.method == "GET" and each.template.startswith("/") for each in found.operations)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<a " * 500_000, "text/html"),
        (b"<a href=" * 300_000, "text/html"),
        (b"<a " + b"a" * 1_900_000, "text/html"),
        (b"<a " + b"a =" * 600_000 + b">", "text/html"),
        (b"[" * 1_000_000, "application/json"),
        (b'["' + b"/a" * 900_000 + b'"]', "application/json"),
        (b"<a href='/x'>" * 150_000, "text/html"),
    ],
    ids=lambda value: value[:12].decode() if isinstance(value, bytes) else value,
)
def test_a_page_made_to_take_long_takes_no_time_to_speak_of(body: bytes, kind: str) -> None:
    """It would take minutes where the time grows with the square of the size: the run as a whole has a time limit."""
    found = crawl(lambda _: Fetched(status=200, content_type=kind, body=body), "http://h", most_requests=1)
    assert len(found.operations) <= 3
