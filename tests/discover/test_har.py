"""HAR files: recorded by a real browser, and written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from apps.serving import werkzeug
from flask import Flask, Response, jsonify, request
from hypothesis import given
from hypothesis import strategies as st
from support.browser import browser

from perfcheck.discover.har import read_har
from perfcheck.errors import UsageError
from perfcheck.model.operation import Operation

PAGE = """<!doctype html><link rel=stylesheet href=/static/theme.css><link rel=icon href=/favicon.ico>
<script src=/app.js></script><img src=/picture.png><h1>shop</h1>"""
SCRIPT = """(async () => {
  for (const id of [7, 9]) await fetch(`/things/${id}`);
  await fetch('/things?page=2&api_key=s3cret', {headers: {Accept: 'application/json', 'X-Tenant': 'acme'}});
  await fetch('/things/search', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"q": "a"}'});
  await fetch('/login', {method: 'POST', body: new URLSearchParams({user: 'ada', password: 'hunter2'})});
  await fetch('/missing');
  const events = new EventSource('/events');
  events.onerror = () => { events.close(); document.title = 'done'; };
})()"""


def shop() -> Flask:
    app = Flask("shop", static_folder=None)

    @app.get("/")
    def start() -> Response:
        response = Response(PAGE, content_type="text/html")
        response.set_cookie("session", "c00kie")
        return response

    app.add_url_rule("/app.js", view_func=lambda: Response(SCRIPT, content_type="text/javascript"), endpoint="js")
    app.add_url_rule("/things/<int:number>", view_func=jsonify, endpoint="thing")
    app.add_url_rule("/things", view_func=lambda: jsonify([7, 9]), endpoint="things")
    app.add_url_rule("/things/search", view_func=lambda: jsonify(request.json), endpoint="search", methods=["POST"])
    app.add_url_rule("/login", view_func=lambda: jsonify({}), endpoint="login", methods=["POST"])
    app.add_url_rule(
        "/events", view_func=lambda: Response("data: 1\n\n", content_type="text/event-stream"), endpoint="e"
    )
    return app


def by_line(operations: tuple[Operation, ...]) -> dict[str, Operation]:
    return {f"{each.method} {each.template}": each for each in operations}


def lower(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def test_what_a_browser_recorded(tmp_path: Path) -> None:
    file = tmp_path / "shop.har"
    with werkzeug(shop()) as url, browser() as chromium:
        context = chromium.new_context(record_har_path=file)
        page = context.new_page()
        page.goto(url)
        page.wait_for_function("document.title === 'done'")
        context.close()
    assert all(secret in file.read_text() for secret in ("c00kie", "s3cret", "hunter2"))
    for base_url in (url, url.replace("127.0.0.1", "localhost")):
        found = read_har(str(file), base_url)
        assert found.notes == ()
        operations = by_line(found.operations)
        assert {line: each.requests for line, each in operations.items()} == {
            "GET /things/{id}": 2,
            "GET /": 1,
            "GET /things": 1,
            "POST /login": 1,
            "POST /things/search": 1,
        }
    assert [(each.name, each.value) for each in operations["GET /things/{id}"].parameters] == [("id", "9")]
    things, search = operations["GET /things"], operations["POST /things/search"]
    assert [(each.name, each.value) for each in things.parameters] == [("page", "2"), ("api_key", None)]
    assert things.reason == "the recording has a secret: 'api_key'"
    assert lower(things.headers) == {"accept": "application/json", "x-tenant": "acme"}
    assert (search.content, lower(search.headers)) == ('{"q": "a"}', {"content-type": "application/json"})
    assert not [secret for secret in ("c00kie", "s3cret", "hunter2") if secret in repr(found)]


def entry(url: str, method: str = "GET", **values: Any) -> dict[str, Any]:
    response = {"status": values.pop("status", 200), "content": {"mimeType": "application/json"}}
    return {"request": {"method": method, "url": url, **values}, "response": response}


def written(folder: Path, *entries: Any) -> str:
    file = folder / "a.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    return str(file)


def test_a_recording_of_production_is_that_of_its_most_frequent_host(tmp_path: Path) -> None:
    urls = ["https://shop.example/api/a", "https://shop.example/api/b", "https://tracker.example/t"]
    found = read_har(file := written(tmp_path, *map(entry, urls)), "http://localhost:5000/api")
    assert list(by_line(found.operations)) == ["GET /a", "GET /b"]
    assert found.notes == (
        f"{file}: no request to localhost:5000: those to shop.example:443 were taken",
        f"{file}: 1 request to other hosts left out",
    )


def test_requests_to_the_service_are_those_that_count(tmp_path: Path) -> None:
    urls = ["http://127.0.0.1:5000/a", "https://tracker.example/t", "https://tracker.example/u"]
    found = read_har(written(tmp_path, *map(entry, urls)), "http://localhost:5000")
    assert list(by_line(found.operations)) == ["GET /a"]


def test_errors_and_what_was_never_answered_are_left_out(tmp_path: Path) -> None:
    entries = [entry("http://h/a", status=status) for status in (0, 101, 404, 500)]
    found = read_har(
        file := written(tmp_path, *entries, {"request": {"method": "GET", "url": "http://h/b"}}), "http://h"
    )
    assert found.operations == ()
    assert found.notes == (f"{file}: no request to a service in it, apart from static files and errors",)


def test_nothing_that_a_terminal_would_obey_is_taken_over(tmp_path: Path) -> None:
    (operation,) = read_har(
        written(tmp_path, entry("http://h/\x1b[31m?\x1bsig=1", "P\x1b[2JUT")), "http://h"
    ).operations
    assert (operation.method, operation.template) == ("PJUT", "/%1B%5B31m")
    assert operation.reason == "the recording has a secret: 'sig'"


def test_a_form_that_was_recorded_without_its_text(tmp_path: Path) -> None:
    form = {"params": [{"name": "q", "value": "a b"}]}
    (operation,) = read_har(written(tmp_path, entry("http://h/search", "POST", postData=form)), "http://h").operations
    assert operation.content == "q=a+b"


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    """JSON can have it in an escape; a request cannot."""
    form = {"params": [{"name": "a\ud800", "value": "\ud800"}]}
    recorded = entry("http://h/a\ud800/7?q=\ud800", "POST", postData=form, headers=[{"name": "X a", "value": "b"}])
    (operation,) = read_har(written(tmp_path, recorded), "http://h").operations
    assert repr(operation).encode()
    assert (unquote(operation.template), operation.headers) == ("/a\ufffd\ufffd\ufffd/{id}", ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "FILE:1:1: expected a HAR file, in JSON: Expecting value"),
        ('{"log":\n {"entries": [}', "FILE:2:15: expected a HAR file, in JSON: Expecting value"),
        ("\udcff", "FILE: expected a HAR file, in JSON"),
        ("[" * 100_000, "FILE: expected a HAR file, not JSON nested so deeply"),
        ("{}", "FILE: expected a HAR file, with 'entries' in 'log'"),
        ('{"log": {"entries": {}}}', "FILE: expected a HAR file, with 'entries' in 'log'"),
        ('{"log": {"entries": [7]}}', "FILE: entry 1 has no 'request' with 'method' and 'url'"),
        ('{"log": {"entries": [{"request": {"url": 3}}]}}', "FILE: entry 1 has no 'request' with 'method' and 'url'"),
        (
            '{"log": {"entries": [{"request": {"method": "GET", "url": "http://[/"}}]}}',
            "FILE: entry 1 has a 'url' that is not one",
        ),
    ],
)
def test_a_file_that_is_none_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "a.har"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as caught:
        read_har(str(file), "http://h")
    assert caught.value.message == message.replace("FILE", str(file))
    assert caught.value.remedy == "save one in the browser: developer tools, Network, 'Save all as HAR'"


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for file, why in ((tmp_path / "none.har", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UsageError, match=why):
            read_har(str(file), "http://h")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "request": st.fixed_dictionaries(
            {},
            optional={
                "method": st.text(max_size=9),
                "url": st.text(max_size=20).map(lambda text: f"http://h/{text}") | JSON,
                "headers": JSON | st.lists(st.fixed_dictionaries({"name": JSON, "value": JSON}), max_size=3),
                "postData": JSON | st.fixed_dictionaries({"text": JSON, "params": JSON}),
            },
        ),
        "response": JSON | st.fixed_dictionaries({"status": st.integers(0, 600), "content": JSON}),
        "_resourceType": st.text(max_size=9),
    },
)


@given(st.lists(ENTRY, max_size=4) | JSON)
def test_any_recording_is_read_or_an_error_with_a_message(
    tmp_path_factory: pytest.TempPathFactory, entries: Any
) -> None:
    file = tmp_path_factory.mktemp("har") / "a.har"
    file.write_text(json.dumps({"log": {"entries": entries}}))
    try:
        read_har(str(file), "http://h")
    except UsageError as error:
        message = error.message
    else:
        message = str(file)
    assert str(file) in message
