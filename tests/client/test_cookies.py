"""Which cookies a request is sent with: those that responses set, and its own."""

from __future__ import annotations

import socket
from dataclasses import replace

import httpx
import pytest
from apps.faulty_server import read_request, response, server

from perfcheck.client.client import Client
from perfcheck.client.cookies import CookieStore
from perfcheck.client.response import Response
from perfcheck.model import Endpoint, Service
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1, follow_redirects=True)
ANSWERS = {
    "/login": response(b"", "Set-Cookie: sid=session; Path=/"),
    "/it": response(b"", "Set-Cookie: flash=1", "Location: /there", status="302 Found"),
    "/there": response(),
}


@pytest.mark.parametrize(
    ("cookies", "own", "sent"),
    [
        (True, "", {"sid=session", "flash=1"}),
        (True, "own=1", {"own=1", "flash=1"}),
        (False, "own=1; flash=0", {"own=1", "flash=1"}),
        (False, "", {"flash=1"}),
    ],
)
def test_a_redirect_leads_to_a_request_with_all_cookies(*, cookies: bool, own: str, sent: set[str]) -> None:
    seen: list[str] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection).decode():
            seen.extend(line for line in request.split("\r\n") if line.lower().startswith("cookie:"))
            connection.sendall(ANSWERS[request.split()[1]])

    with (
        server(converse) as running,
        Client(Service(base_url=running.url(), cookies=cookies), redact=Redactor()) as client,
    ):
        client.send(replace(IT, path="/login"))
        assert client.send(replace(IT, headers=(("Cookie", own),) if own else ())).status == 200
    assert set(seen[-1].partition(": ")[2].split("; ")) == sent


@pytest.mark.parametrize(
    ("attributes", "is_kept"),
    [("Domain=localhost; Path=/", True), ("Path=/ ; domain = .LOCALHOST", True), ("Domain=host", False)],
)
def test_a_domain_without_a_dot_may_be_that_of_the_request(attributes: str, *, is_kept: bool) -> None:
    store = CookieStore(Redactor(), lambda: None)
    request = httpx.Request("GET", "http://localhost:5001/login")
    header = f"sid=1; {attributes}; HttpOnly".encode()
    store.receive(request, Response(200, b"", [(b"set-cookie", header)], "HTTP/1.1"))
    assert store.header(httpx.Request("GET", "http://localhost:5001/it")) == (b"sid=1" if is_kept else None)
