"""What the service is sent, and nobody else is: headers, logins, cookies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from apps.pages import Answer, Page, PageService, Request, html, page_service
from support.page_loads import Loads

TOKEN = "a-token-of-the-service"
HEADERS = '  headers: {Authorization: "Bearer ${TOKEN}", X-Api-Key: "${TOKEN}"}'
ENVIRONMENT = {"TOKEN": TOKEN}
PICTURE: Answer = (200, {"Content-Type": "image/svg+xml", "Access-Control-Allow-Origin": "*"}, "<svg/>")


def to(url: str) -> Answer:
    return 302, {"Location": url, "Access-Control-Allow-Origin": "*"}, ""


@contextmanager
def two_services() -> Iterator[tuple[PageService, PageService]]:
    """A service whose pages load from another, whose every path is a picture; and that other one."""
    with page_service({"/picture": PICTURE, "/page": html("elsewhere")}, host="localhost") as other:
        pages: dict[str, Page] = {
            "/": html(f"ok<img src='{other.url}/picture'><img src=/own><img src=/moved>"),
            "/own": PICTURE,
            "/moved": to(f"{other.url}/picture"),
            "/away": to(f"{other.url}/page"),
            "/fetches": html(
                f"ok<script>fetch('{other.url}/picture', {{headers: {{'X-Api-Key': 'its own'}}}})</script>"
            ),
        }
        with page_service(pages) as service:
            yield service, other


def sent(requests: list[Request]) -> set[tuple[str | None, str | None]]:
    return {(request.headers.get("authorization"), request.headers.get("x-api-key")) for request in requests}


@pytest.mark.parametrize("path", ["/", "/away"])
def test_headers_reach_the_service_alone_also_when_it_redirects(loads: Loads, path: str) -> None:
    with two_services() as (service, other):
        sample = loads.one(
            service.url, f"{{kind: page, path: {path}, target: 9s, metric_of: load}}", env=ENVIRONMENT, service=HEADERS
        )
        assert sample.failure is None
        assert sent(service.requests) == {(f"Bearer {TOKEN}", TOKEN)}
        assert other.requests
        assert sent(other.requests) == {(None, None)}


def test_a_header_that_the_page_sends_elsewhere_is_its_own_affair(loads: Loads) -> None:
    def allowed(request: Request) -> Answer:
        return 200, {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "x-api-key"}, ""

    with page_service({"/data": allowed}, host="localhost") as other:
        page = html(f"ok<script>fetch('{other.url}/data', {{headers: {{'X-Api-Key': 'its own'}}}})</script>")
        with page_service({"/": page}) as service:
            loads.one(service.url, "{kind: page, path: /, target: 9s}", env=ENVIRONMENT, service=HEADERS)
            assert sent(other.of("/data")[-1:]) == {(None, "its own")}


def test_a_service_on_the_default_port(loads: Loads) -> None:
    """Which no URL of a browser has in it; the address is mapped as by connect_to, since no test has that port."""
    with page_service({"/": html("ok<script src=/busy.js></script>")}) as service:
        address = service.url.removeprefix("http://")
        settings = f"{HEADERS}\n  connect_to: {address}"
        sample = loads.mapped(
            "http://shop.test", "{kind: page, path: /, target: 9s}", env=ENVIRONMENT, service=settings
        )
        assert sample.failure is None
        assert sent(service.requests) == {(f"Bearer {TOKEN}", TOKEN)}


def test_the_headers_of_each_page_of_a_workflow(loads: Loads) -> None:
    steps = """
    target: 9s
    headers: {X-Api-Key: shared-by-all}
    steps:
      first: {goto: /}
      second: {goto: /own, headers: {X-Api-Key: of-the-second}}
    metric_of: load"""
    with page_service({"/": html("ok"), "/own": html("ok")}) as service:
        sample = loads.one(service.url, steps)
        assert sample.failure is None
        assert [(request.path, request.headers.get("x-api-key")) for request in service.requests] == [
            ("/", "shared-by-all"),
            ("/own", "of-the-second"),
        ]


def test_basic_credentials_of_the_base_url(loads: Loads) -> None:
    with page_service({"/": html("ok")}) as service:
        url = service.url.replace("://", "://user:${TOKEN}@")
        sample = loads.one(url, "{kind: page, path: /, target: 9s}", env=ENVIRONMENT)
        assert sample.failure is None
        assert service.requests[0].headers["authorization"].startswith("Basic ")


LOGIN = """setup:
  login: {path: /login, capture: {id: {json: $.id}}}
"""


def test_cookies_and_captured_values_of_the_setup(loads: Loads) -> None:
    def login(_: Request) -> Answer:
        return 200, {"Set-Cookie": "session=a-session-of-the-setup; Path=/"}, '{"id": "a b"}'

    with page_service({"/login": login, "/items/a%20b": html("ok")}) as service:
        sample = loads.one(
            service.url,
            '{kind: page, path: "/items/${id}", target: 9s}',
            service="  cookies: true",
            above=LOGIN,
        )
        assert sample.failure is None
        assert service.requests[-1].headers["cookie"] == "session=a-session-of-the-setup"


def test_nothing_is_left_of_the_load_before(loads: Loads) -> None:
    def visited(request: Request) -> Answer:
        return 200, {"Set-Cookie": "visited=yes; Path=/", "Cache-Control": "max-age=600"}, html("ok")

    with page_service({"/": visited}) as service:
        for _ in range(2):
            loads.one(service.url, "{kind: page, path: /, target: 9s}")
        assert ["cookie" in request.headers for request in service.requests] == [False, False]


def test_a_warm_cache_has_what_the_service_lets_it_keep(loads: Loads) -> None:
    kept: Answer = (200, {"Cache-Control": "max-age=600", "Content-Type": "text/javascript"}, "/**/" * 5000)
    with page_service({"/": html("ok<script src=/kept.js></script>"), "/kept.js": kept}) as service:
        cold, warm = (
            loads.one(
                service.url,
                f"{{kind: page, path: /, target: 1MB, metric_of: bytes, cache: {cache}}}",
                env=ENVIRONMENT,
                service=HEADERS,
            )
            for cache in ("cold", "warm")
        )
        assert cold.latency_ms is not None
        assert warm.latency_ms is not None
        assert cold.latency_ms > 20_000 > warm.latency_ms > 0
        assert len(service.of("/kept.js")) == 2
        assert len(service.of("/")) == 3
