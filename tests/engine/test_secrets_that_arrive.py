"""A service that hands out secrets and shows them wherever it can: none of them, however it is encoded, gets out."""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.baselines import load
from support.command import perfcheck

from perfcheck.client.client import Client
from perfcheck.errors import CouldNotMeasureError
from perfcheck.text import Redactor

ECHOES = ("json", "body", "header", "location", "timing", "reason", "html")
HARD = 'p%2Fa "q"/\\+ü=&<x>\';, z'


class Service(ThreadingHTTPServer):
    daemon_threads = True
    token = ""
    is_ascii = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        """By the path: how the secrets of the request come back."""
        token = self.server.token
        name = self.path.removeprefix("/").partition("?")[0]
        if name in {"login", "broken"}:
            cookie = SimpleCookie()
            cookie["session"] = token if self.server.is_ascii else "an-ascii-session"
            headers = {"X-Token": quote(token), "Set-Cookie": cookie["session"].OutputString()}
            self._respond(200 if name == "login" else 500, json.dumps({"token": token}), "application/json", headers)
            return
        shown = " ".join(forms_of(token)) + " " + self.headers.get("Cookie", "")
        in_head = shown.encode().decode("latin-1")
        match name:
            case "json":
                self._respond(500, json.dumps({"error": {"token": token, "all": shown}}), "application/json")
            case "body":
                self._respond(401, shown, "text/plain; charset=utf-8")
            case "header":
                self._respond(429, "", "text/plain", {"Retry-After": in_head})
            case "location":
                self._respond(302, "", "text/plain", {"Location": f"/next?token={quote(token)}&all={in_head}"})
            case "timing":
                self._respond(200, "ok", "text/plain", {"Server-Timing": f'db;dur=1;desc="{in_head}"'})
            case "reason":
                self._respond(503, "", "text/plain", reason=in_head)
            case _:
                self._respond(500, f"<h1>{html.escape(shown)}</h1>", "text/html; charset=utf-8")

    def _respond(
        self, status: int, body: str, kind: str, headers: dict[str, str] | None = None, reason: str | None = None
    ) -> None:
        content = body.encode()
        self.send_response(status, reason)
        for name, value in ({"Content-Type": kind, "Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def forms_of(token: str) -> list[str]:
    encoded = token.encode()
    return [
        token,
        quote(token, safe=""),
        re.sub("%..", lambda escape: escape[0].lower(), quote(token, safe="")),
        quote_plus(token),
        quote(quote(token, safe=""), safe=""),
        json.dumps(token)[1:-1],
        json.dumps(json.dumps(token))[1:-1],
        repr(token)[1:-1],
        html.escape(token),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode(),
        base64.b64encode(b"Bearer " + encoded).decode(),
        base64.b64encode(b"user:" + encoded + b"!").decode(),
    ]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def baseline_text(service: Service, login: str = "login") -> str:
    endpoints = "".join(f"  {name}: {{path: /{name}, query: {{t: '${{token}}'}}, target: 5s}}\n" for name in ECHOES)
    headers = "headers: {X-Api-Token: '${token}'}" if service.is_ascii else ""
    return f"""version: 1
service: {{base_url: '{service.url}', cookies: true, ready: /login, {headers}}}
setup: {{login: {{path: /{login}, capture: {{token: {{json: $.token}}}}}}}}
teardown: {{logout: {{path: /body}}}}
endpoints:
{endpoints}"""


def assert_hidden(token: str, text: str) -> None:
    for form in forms_of(token):
        assert form not in text, form
    encoded = base64.b64encode(token.encode()).decode().rstrip("=")
    assert encoded[4:-4] not in text


TOKENS = st.one_of(
    st.text("abcXYZ019-._~+/=", min_size=12, max_size=60),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=12, max_size=40),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=12, max_size=30),
    st.binary(min_size=12, max_size=40).map(lambda data: base64.b64encode(data).decode()),
    st.text(min_size=12, max_size=20).map(quote).filter(lambda token: len(token) >= 12),
).filter(lambda token: token == token.strip() and token.isprintable() and len(set(token)) > 4)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(token=TOKENS)
def test_no_sample_shows_what_was_captured(token: str, service: Service, tmp_path: Path) -> None:
    service.token, service.is_ascii = token, token.isascii()
    baseline = load(tmp_path, baseline_text(service))
    shown = []
    with Client(baseline.service, redact=Redactor()) as client:
        client.set_up(baseline.setup)
        for endpoint in baseline.endpoints:
            sample = client.send(endpoint)
            assert sample.status is not None
            shown += [sample.detail, sample.body_excerpt, sample.server_timing]
            fetched = client.fetch(endpoint)
            shown += [fetched.detail, fetched.content_type]
    assert_hidden(token, "\n".join(filter(None, shown)))


def test_a_login_that_fails_does_not_show_what_it_hands_out_all_the_same(service: Service, tmp_path: Path) -> None:
    service.token, service.is_ascii = HARD, False
    baseline = load(tmp_path, baseline_text(service, "broken"))
    with (
        Client(baseline.service, redact=Redactor()) as client,
        pytest.raises(CouldNotMeasureError, match="'login' failed: 500") as caught,
    ):
        client.set_up(baseline.setup)
    assert_hidden(HARD, str(caught.value))
    assert "***" in str(caught.value)


@pytest.mark.parametrize("token", [HARD, "plain-token-Zz9/+=="])
def test_no_report_file_or_stream_shows_it(service: Service, tmp_path: Path, token: str) -> None:
    service.token, service.is_ascii = token, token.isascii()
    (tmp_path / "baselines.yaml").write_text(baseline_text(service), encoding="utf-8")
    formats = ("html", "markdown", "github", "junit", "openmetrics", "csv")
    reports = [option for name in formats for option in ("--report", f"{name}=report.{name}")]
    run = perfcheck(
        *("run", "-v", "--max-requests", "5", "--confirm", "0", "-o", "run.json", *reports),
        *("--save", "--history", "history.sqlite"),
        cwd=tmp_path,
    )
    assert run.returncode == 1, run.stderr
    shown = run.stdout + run.stderr
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "baselines.yaml"]
    assert len(files) >= len(formats) + 2
    shown += "".join(file.read_bytes().decode("utf-8", "replace") for file in files)
    assert_hidden(token, shown)
    assert_hidden(token, html.unescape(shown))
