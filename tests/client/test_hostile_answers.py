"""Whatever a service answers is in the sample: nothing that arrives ends the run."""

from __future__ import annotations

import random
import socket
from dataclasses import replace

from apps.faulty_server import read_request, server

from perfcheck.client.client import Client
from perfcheck.model import Endpoint, Service
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1, timeout_s=1.0)
VERSIONS = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2", "ICY", ""]
STATUSES = [
    "200 OK",
    "204 x",
    "304 x",
    "302 \xff",
    "100 x",
    "101 x",
    "099 x",
    "999 x",
    "408 x",
    "2000 x",
    "-1",
    "\xb22",
    "",
]
REDIRECTS = ["301 x", "302 Found", "303 x", "307 x", "308 x"]
LOCATIONS = [
    *("myapp:callback", "myapp://x", "mailto:a@b", "data:,x", "//", "///", "http:", "https:/x", "http://[", "http://]"),
    *("", "?", "#", ":", "::", ":80", "../..", "\xff\xfe", "/\x00", "/\x7f", "/%zz", "/ a b", "x" * 70_000, "/it"),
]
HOSTS = [
    *("xn--a", "xn--...", "xn--i-7iq.invalid", "xn--", "a..b", ".invalid", "", "a" * 70, "-.invalid", "b\xfc.invalid"),
    *("127.0.0.1:1", "127.0.0.1:0", "127.0.0.1:-1", "127.0.0.1:99999", "127.0.0.1:x", "0x7f.1:1", "[::1]:1", "[::1"),
    *("[fe80::1%nope]:1", "[fe80::1%25nope]:1", "[::ffff:127.0.0.1]:1", "u:p@127.0.0.1:1", "\xff@127.0.0.1:1", "%00"),
]
COOKIES = [
    "a=b",
    "a=\xe4",
    "\xff",
    "=",
    "",
    "a=\x01",
    'a="',
    "a=b; Domain=.x",
    "a=b; Max-Age=9" + "9" * 30,
    "a=b; Port=x",
]
HEADERS = [
    *("Content-Encoding: \xff", "Content-Encoding: gzip, br", "Content-Encoding: ,", "Content-Encoding: deflate"),
    *("Content-Length: 1", "Content-Length: \xb2", "Content-Length: -1", "Content-Length: 9" + "9" * 30),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Connection: upgrade", "Server-Timing: \xff;dur=\xff"),
    *("Retry-After: \xff", "Content-Type: \xff", "no colon", ": x", " folded", "X: \x00", "X: " + "z" * 120_000),
]


def answer(chance: random.Random) -> bytes:
    lines = [f"{chance.choice(VERSIONS)} {chance.choice(STATUSES)}"]
    if chance.random() < 0.6:
        lines = [f"HTTP/1.1 {chance.choice(REDIRECTS)}"]
        host = f"{chance.choice(['http', 'https', ''])}://{chance.choice(HOSTS)}/"
        lines.append(f"Location: {chance.choice([host, chance.choice(LOCATIONS)])}")
    while chance.random() < 0.4:
        lines.append(chance.choice([chance.choice(HEADERS), f"Set-Cookie: {chance.choice(COOKIES)}"]))
    body = chance.randbytes(chance.choice([0, 3, 40]))
    if chance.random() < 0.5:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode(chance.choice(["utf-8", "latin-1"])) + b"\r\n\r\n" + body


def test_nothing_that_arrives_ends_the_run() -> None:
    chance = random.Random(7)
    endpoints = [IT, replace(IT, name="followed", follow_redirects=True), replace(IT, name="head", method="HEAD")]
    outcomes = set()

    def converse(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(answer(chance))

    with server(converse) as running:
        for _ in range(100):
            with Client(Service(base_url=running.url()), redact=Redactor()) as client:
                for endpoint in endpoints:
                    sample = client.send(endpoint)
                    fetched = client.fetch(endpoint)
                    outcomes |= {sample.failure, fetched.failure}
                    assert sample.detail is None or sample.detail.isprintable()
    assert len(outcomes) > 5
