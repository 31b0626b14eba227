"""Screenshot and HAR of the slowest load: with no secret of the baseline, of the service, or of the page."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from apps.pages import Answer, Request, html, page_service
from support.browser import browser_path
from support.command import perfcheck
from support.page_loads import Loads, baseline_of

from perfcheck.browser.kept_files import KeptFiles
from perfcheck.browser.program import VARIABLE
from perfcheck.errors import UsageError
from perfcheck.text import Redactor, short_hash

TOKEN = "a-token/of the service"
PASSWORD = "a pass&word=of mine"
SESSION = "a-session-that-the-page-got"
LOGIN = """
    target: 9s
    steps:
      log in: {goto: /, query: {code: "${TOKEN}"}, fill: {"[name=password]": "${PASSWORD}"}, click: button}
"""


def test_of_the_slowest_load_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, browser_path())
    form = "<form method=post action=/login><input name=password><button>Log in</button></form>"

    def login(request: Request) -> Answer:
        assert request.form == {"password": PASSWORD}
        return 200, {"Set-Cookie": f"session={SESSION}; Path=/"}, html("<img src=/picture>Welcome")

    settings = '  headers: {Authorization: "Bearer ${TOKEN}", X-Api-Key: not-a-variable}'
    folder = tmp_path / "new" / "files"
    with (
        page_service({"/": html(form), "/login": login, "/picture": html("")}) as service,
        Loads(keep_in=folder) as loads,
    ):
        environment = {"TOKEN": TOKEN, "PASSWORD": PASSWORD}
        samples = loads.of(baseline_of(service.url, LOGIN, env=environment, service=settings), count=2)
        assert f"session={SESSION}" in service.of("/picture")[0].headers["cookie"]
    assert [sample.failure for sample in samples] == [None, None]
    kept = [sample.page.files for sample in samples if sample.page]
    assert kept[0] == (str(folder / "it.png"), str(folder / "it.har"))
    assert bool(kept[1]) is ((samples[1].latency_ms or 0.0) > (samples[0].latency_ms or 0.0))
    assert sorted(file.name for file in folder.iterdir()) == ["it.har", "it.png"]
    assert (folder / "it.png").read_bytes().startswith(b"\x89PNG")
    recorded = (folder / "it.har").read_text(encoding="utf-8")
    urls = [entry["request"]["url"].removeprefix(service.url) for entry in json.loads(recorded)["log"]["entries"]]
    assert urls == ["/?code=***", "/login", "/picture"]
    secrets = {"TOKEN": TOKEN, "PASSWORD": PASSWORD, "session": SESSION, "header": "not-a-variable"}
    forms = {name: {secret, quote(secret), quote_plus(secret)} for name, secret in secrets.items()}
    assert [name for name, each in forms.items() if any(form in recorded for form in each)] == []


def test_what_a_script_sent_is_masked_wherever_it_occurs(tmp_path: Path) -> None:
    sent = {
        "url": "http://s/api?access_token=SEKRET1&page=2&pin=7",
        "headers": pairs(Referer="http://s/?Token=SEKRET2#a", Authorization="Bearer SEKRET3"),
        "queryString": pairs(access_token="SEKRET1", page="2", pin="7"),
        "cookies": pairs(whatever="SEKRET4"),
        "postData": {"mimeType": "", "text": "", "params": pairs(csrf_token="SEKRET5", password="pw", q="love")},
    }
    received = {
        "headers": pairs(Location="/cb?next=%2Fof%2FSEKRET5#session=SEKRET6", ETag="SEKRET3"),
        "cookies": pairs(seen="123456"),
        "redirectURL": "http://s/SEKRET4?session=pw",
    }
    entry = {"request": sent, "response": received, "time": 123456}
    (tmp_path / "load.har").write_text(json.dumps({"log": {"entries": [entry]}}), encoding="utf-8")
    KeptFiles(tmp_path, Redactor(["love"])).keep("it", 1.0, str(tmp_path / "load"))
    recorded = (tmp_path / "it.har").read_text(encoding="utf-8")
    assert "SEKRET" not in recorded
    assert '"pw"' not in recorded
    (kept,) = json.loads(recorded)["log"]["entries"]
    assert kept["request"]["url"] == "http://s/api?access_token=***&page=2&pin=7"
    assert kept["response"]["redirectURL"] == "http://s/***?session=***"
    assert kept["request"]["postData"]["params"] == pairs(csrf_token="***", password="***", q="***")
    assert kept["time"] == 123456


def pairs(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def test_two_pages_have_files_of_their_own(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path, Redactor())

    def keep(endpoint: str, latency_ms: float) -> tuple[str, ...]:
        (tmp_path / "load.png").write_bytes(b"")
        return tuple(Path(file).name for file in kept.keep(endpoint, latency_ms, str(tmp_path / "load")))

    assert keep("GET /a/b", 1.0) == keep("GET /a/b", 2.0) == ("GET-a-b.png",)
    assert keep("GET /a-b", 1.0) == keep("GET /a-b", 2.0) == (f"GET-a-b-{short_hash('GET /a-b')}.png",)


@pytest.mark.parametrize("folder", ["/proc", "/dev/null", "/dev/null/below"])
def test_a_folder_that_cannot_be_written(folder: str) -> None:
    with pytest.raises(UsageError) as caught:
        KeptFiles(Path(folder), Redactor())
    assert caught.value.message.startswith(f"--browser-files: cannot write to {folder}: ")
    assert caught.value.remedy == "choose another folder"


def test_it_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    with page_service({"/": html("ok")}) as service:
        (tmp_path / "baselines.yaml").write_text(
            f"version: 1\nservice: {{base_url: {service.url}}}\nendpoints: {{it: {{kind: page, path: /}}}}\n",
            encoding="utf-8",
        )
        done = perfcheck("run", "--browser-files", "/dev/null", cwd=tmp_path, env={VARIABLE: browser_path()})
        assert not service.requests
    assert (done.returncode, done.stdout) == (2, "")
    assert "--browser-files: cannot write to /dev/null" in done.stderr


def test_a_file_that_cannot_be_written_any_more_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    kept = KeptFiles(folder, Redactor())
    (tmp_path / "load.png").write_bytes(b"")
    folder.rmdir()
    folder.write_bytes(b"")
    assert kept.keep("it", 1.0, str(tmp_path / "load")) == ()
