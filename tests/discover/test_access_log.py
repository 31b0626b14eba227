"""Access logs: written by real servers, and lines of many formats."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from apps.serving import TESTS, gunicorn
from hypothesis import given
from hypothesis import strategies as st
from support.waiting import eventually

from perfcheck.discover import access_log
from perfcheck.discover.access_log import read_access_log
from perfcheck.errors import UsageError
from perfcheck.model.operation import Discovered

REQUESTS = [
    "/api/videos/7",
    "/api/videos/9?full=1",
    "/api/videos/9?full=2",
    "/api/videos/",
    "/missing",
    "/static/a.css",
]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def requested(url: str) -> None:
    for path in REQUESTS:
        httpx.get(url + path, headers={"User-Agent": FIREFOX}, timeout=60)
    httpx.get(
        f"{url}/api/videos/7", headers={"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}, timeout=60
    )


def read(folder: Path, *lines: str) -> Discovered:
    file = folder / "access.log"
    file.write_text("\n".join(lines), encoding="utf-8")
    return read_access_log(str(file), "http://h")


def counted(found: Discovered) -> dict[str, int | None]:
    return {f"{each.method} {each.template}": each.requests for each in found.operations}


def test_a_log_of_gunicorn(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with gunicorn("apps.routed_flask:create_app()", "--access-logfile", str(file)) as url:
        requested(url)
        eventually(lambda: len(file.read_text().splitlines()) == len(REQUESTS) + 1)
    found = read_access_log(str(file), url)
    assert counted(found) == {"GET /api/videos/{id}": 3, "GET /api/videos/": 1}
    video = found.operations[0]
    assert [(each.name, each.value) for each in video.parameters] == [("id", "9"), ("full", "2")]
    assert found.notes == (f"{file}: 4 requests read; left out: 2 that failed, 1 of bots",)


def test_a_log_of_uvicorn(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    with socket.create_server(("127.0.0.1", 0)) as listener, file.open("w") as log:
        command = [sys.executable, "-m", "uvicorn", "--factory", "apps.routed_fastapi:create_app", "--fd"]
        process = subprocess.Popen(
            [*command, str(listener.fileno())],
            cwd=TESTS,
            env={**os.environ, "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"},
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            requested(url)
            eventually(lambda: file.read_text().count("HTTP/1.1") == len(REQUESTS) + 1)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)
    found = read_access_log(str(file), url)
    assert counted(found) == {"GET /api/videos/{id}": 4, "GET /api/videos/": 1}  # it does not log what a client is


@pytest.mark.parametrize(
    "line",
    [
        '127.0.0.1 - - [29/Nov/2026:16:19:52 +0000] "GET /things/7 HTTP/1.1" 200 512',
        f'10.0.0.1 - ada [29/Nov/2026:16:19:52 +0000] "GET /things/7 HTTP/2.0" 304 0 "http://h/" "{FIREFOX}"',
        'h:443 10.0.0.1 - - [29/Nov/2026:16:19:52 +0000] "GET /things/7 HTTP/1.1" 200 512 "-" "-" rt=0.123',
        '[29/Nov/2026 16:19:52] "GET /things/7 HTTP/1.1" 200 512',
        'INFO:     127.0.0.1:54321 - "GET /things/7 HTTP/1.1" 200 OK',
        '127.0.0.1 - - [29/Nov/2026 16:19:52] "\x1b[36mGET /things/7 HTTP/1.1\x1b[0m" 304 -',
        '2026-11-29T16:19:52Z stdout F 10.0.0.1 - - [x] "GET http://shop.example/things/7 HTTP/1.1" 200 5',
        '{"request": "GET /things/7 HTTP/1.1", "status": 200}',
        '{"request_method": "GET", "request_uri": "/things/7", "status": "200"}',
        '{"msg": "handled request", "request": {"method": "GET", "host": "h", "uri": "/things/7"}, "status": 200}',
        '{"req": {"method": "GET", "url": "/things/7"}, "res": {"statusCode": 200}, "responseTime": 3}',
        '{"http.request.method": "get", "url.path": "/things/7", "http.response.status_code": 200}',
        '{"httpRequest": {"requestMethod": "GET", "requestUrl": "https://h/things/7", "status": 200}}',
        '{"log": "10.0.0.1 - - [x] \\"GET /things/7 HTTP/1.1\\" 200 5\\n", "stream": "stdout"}',
    ],
)
def test_formats(tmp_path: Path, line: str) -> None:
    assert counted(read(tmp_path, line, line)) == {"GET /things/{id}": 2}


@pytest.mark.parametrize(
    "line",
    [
        '- - - [x] "GET /a HTTP/1.1" 200 5 "-" "kube-probe/1.31"',
        '{"method": "GET", "path": "/a", "status": 200, "user_agent": "UptimeRobot/2.0"}',
        '{"method": "GET", "uri": "/a", "status": 200, "headers": {"User-Agent": ["bingbot/2.0"]}}',
        '- - - [x] "GET /a HTTP/1.1" 404 5',
        '- - - [x] "GET /a.css HTTP/1.1" 200 5',
        '- - - [x] "GET /static/a?v=2 HTTP/1.1" 200 5',
    ],
)
def test_bots_errors_and_static_files_are_left_out(tmp_path: Path, line: str) -> None:
    assert read(tmp_path, line).operations == ()


def test_a_compressed_log_and_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'- - - [x] "GET /things/7 HTTP/1.1" 200 5\n'
    file = tmp_path / "access.log.gz"
    file.write_bytes(gzip.compress(line))
    assert counted(read_access_log(str(file), "http://h")) == {"GET /things/{id}": 1}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line + b"nothing\n")))
    found = read_access_log("-", "http://h")
    assert counted(found) == {"GET /things/{id}": 1}
    assert found.notes == ("standard input: 1 request read; left out: 1 line without one",)


def test_paths_are_below_that_of_the_service(tmp_path: Path) -> None:
    read(tmp_path, '"GET /api/a HTTP/1.1" 200', '"GET /b HTTP/1.1" 200')
    found = read_access_log(str(tmp_path / "access.log"), "http://h/api")
    assert [each.template for each in found.operations] == ["/a"]


def test_of_a_large_log_the_last_part_is_read_and_of_a_compressed_one_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_log, "MOST_BYTES", 3000)
    lines = [f'"GET /{name} HTTP/1.1" 200 5' for name in ("first",) * 200 + ("last",) * 200]
    found = read(tmp_path, *lines)
    assert list(counted(found)) == ["GET /last"]
    (tmp_path / "b.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert list(counted(read_access_log(str(tmp_path / "b.gz"), "http://h"))) == ["GET /first"]


def test_of_many_routes_the_most_requested_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "MOST_OPERATIONS", 2)
    found = read(tmp_path, *[f'"GET /{name} HTTP/1.1" 200 5' for name in "abbcccd"])
    assert counted(found) == {"GET /c": 3, "GET /b": 2}
    assert found.notes[-1] == f"{tmp_path / 'access.log'}: 4 routes, of which the 2 most requested were taken"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no request in 0 lines"),
        (b"one\ntwo\n", "no request in 2 lines"),
        (b"\0" * 200_000, "no request in 4 lines"),
    ],
)
def test_a_file_without_requests_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "access.log"
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_access_log(str(file), "http://h")
    assert caught.value.message == f"{file}: {message}"
    assert "expected lines such as" in (caught.value.remedy or "")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(b"no gzip")
    (tmp_path / "b.gz").write_bytes(gzip.compress(os.urandom(5000))[:3000])
    for file in (tmp_path, tmp_path / "none.log", tmp_path / "a.gz", tmp_path / "b.gz"):
        with pytest.raises(UsageError) as caught:
            read_access_log(str(file), "http://h")
        assert caught.value.message.startswith(f"{file} cannot be read: ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["method", "uri", "status", "request", "log", "user_agent", "x"]), inner)
    ),
    max_leaves=9,
)


@given(st.lists(JSON.map(json.dumps) | st.text() | st.sampled_from(['"GET /', '"GET / HTTP/1.1" 200', "{"])))
def test_any_lines_are_read_or_an_error_with_a_message(tmp_path_factory: Any, lines: list[str]) -> None:
    file = tmp_path_factory.mktemp("log") / "a.log"
    file.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    try:
        message = read_access_log(str(file), "http://h").notes[0]
    except UsageError as error:
        message = error.message
    assert message.startswith(str(file))
