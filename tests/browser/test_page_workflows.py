"""Workflows in a browser: what is typed and clicked, and what each step measures."""

from __future__ import annotations

from pathlib import Path

import pytest
from apps.pages import Answer, Page, Request, html, page_service, script
from support.baselines import load
from support.page_loads import Loads

from perfcheck.model import Failure, Sample

PASSWORD = "a-password-of-mine"
SEARCH = "<form action=/found><input name=q><button>Search</button></form>"
FOUND = "<a id=first href=/item>The first</a>"
LOGIN = (
    "<form method=post action=/login><input name=user><input name=password type=password><button>Log in</button></form>"
)
FETCHES = """<button onclick="fetch('/data').then(() => {
  setTimeout(() => { document.body.insertAdjacentHTML('beforeend', '<p id=done>Done') }, 150) })">Go</button>"""


def login(request: Request) -> Answer:
    known = request.form == {"user": "me", "password": PASSWORD}
    return (303, {"Location": "/home", "Set-Cookie": "session=of-the-page; Path=/"}, "") if known else (403, {}, "no")


def home(request: Request) -> Answer:
    return (
        (200, {}, html("<h1>Welcome</h1>"))
        if "session=of-the-page" in request.headers.get("cookie", "")
        else (401, {}, "")
    )


SHOP: dict[str, Page] = {
    "/": html(SEARCH),
    "/found": html(FOUND),
    "/item": html("<h1>The item</h1>"),
    "/sign-in": html(LOGIN),
    "/login": login,
    "/home": home,
    "/fetches": html(FETCHES),
    "/data": script("{}", after_s=0.3),
}
WORKFLOW = """
    target: 9s
    steps:
      search: {goto: /, fill: {"[name=q]": "love & peace"}, click: text=Search}
      open: {click: "#first", until: "h1"}
      log in: {goto: /sign-in, fill: {"[name=user]": me, "[name=password]": "${PASSWORD}"}, click: button}
"""


def steps(text: str, **keys: str) -> str:
    lines = "".join(f"      {name}: {value}\n" for name, value in keys.items())
    return f"\n    target: 9s\n    {text}\n    steps:\n{lines}"


def test_search_open_and_log_in(loads: Loads) -> None:
    with page_service(SHOP) as service:
        sample = loads.one(service.url, WORKFLOW, env={"PASSWORD": PASSWORD})
        assert (sample.failure, sample.detail) == (None, None)
        assert service.paths() == ["/", "/found?q=love+%26+peace", "/item", "/sign-in", "/login", "/home"]
    assert [step.status for step in sample.steps] == [200, 200, 200]
    assert sample.latency_ms == pytest.approx(sum(step.latency_ms or 0.0 for step in sample.steps))
    assert sample.page is not None
    assert sample.page.figures["requests"] >= 4


def test_a_click_that_loads_no_document_lasts_until_the_element_is_visible(loads: Loads) -> None:
    with page_service(SHOP) as service:
        sample = loads.one(service.url, steps("", open="{goto: /fetches}", go='{click: button, until: "#done"}'))
        assert sample.failure is None
        quick = loads.one(service.url, steps("", open="{goto: /fetches}", go="{click: button}"))
    seen_ms, arrived_ms = (each.steps[1].latency_ms or 0.0 for each in (sample, quick))
    assert seen_ms >= 450
    assert arrived_ms >= 300
    assert sample.steps[1].page is not None
    assert sample.steps[1].page.figures["requests"] == 1
    assert "first_byte" not in sample.steps[1].page.figures


def test_the_wait_for_quiet_is_no_part_of_a_click(loads: Loads) -> None:
    """The element was there when the click was: half a second of quiet afterwards is ours."""
    page = html("<button onclick=\"this.insertAdjacentHTML('afterend', '<p id=done>Done')\">Go</button>")
    with page_service({"/": page}) as service:
        sample = loads.one(service.url, steps("", open="{goto: /}", go='{click: button, until: "#done"}'))
    clicked = sample.steps[1]
    assert clicked.latency_ms is not None
    assert clicked.took_s is not None
    assert clicked.latency_ms < 1000 * clicked.took_s - 450


def failed_step(sample: Sample) -> tuple[Failure | None, str | None]:
    return sample.failure, sample.detail


@pytest.mark.parametrize(
    ("step", "failure", "detail"),
    [
        ("{timeout: 1s, click: '#absent'}", Failure.WRONG_ANSWER, "no visible element for '#absent' within 1 s"),
        ("{timeout: 3s, click: a, until: i}", Failure.WRONG_ANSWER, "no visible element for 'i' within 3 s"),
        ("{fill: {h1: text}, click: a}", Failure.WRONG_ANSWER, "'h1': Element is not an <input>"),
        ("{click: '[['}", Failure.WRONG_ANSWER, "'[[': Unexpected token"),
        ("{click: '#nowhere'}", Failure.STATUS, "status 404"),
        ("{timeout: 3s, click: '#nowhere', until: i}", Failure.STATUS, "status 404"),
        ("{goto: /nowhere}", Failure.STATUS, "status 404"),
        ("{goto: /nowhere, expect: 404}", None, None),
        ("{timeout: 2s, click: '#hangs'}", Failure.TIMEOUT, "not loaded within 2 s"),
        ("{click: '#tab'}", Failure.WRONG_ANSWER, "the click opened another page, which is not measured"),
        ("{click: h1}", Failure.WRONG_ANSWER, "the click loaded nothing into the page: 'until' names what it shows"),
        ("{click: '#file'}", Failure.WRONG_ANSWER, "no document came: it is a download, or empty"),
        ("{goto: /file}", Failure.WRONG_ANSWER, "no document came: it is a download, or empty"),
    ],
)
def test_what_a_step_fails_by(loads: Loads, step: str, failure: Failure | None, detail: str | None) -> None:
    links = {"item": "/item", "nowhere": "/nowhere", "hangs": "/hangs", "file": "/file", "tab": "/item target=_blank"}
    pages: dict[str, Page] = {
        "/": html("<h1>Shop</h1>" + "".join(f"<a id={name} href={to}>{name}</a> " for name, to in links.items())),
        "/item": html("ok"),
        "/nowhere": (404, {}, html("nothing here")),
        "/hangs": script("", after_s=30.0),
        "/file": (200, {"Content-Disposition": "attachment"}, "data"),
    }
    with page_service(pages) as service:
        sample = loads.one(service.url, steps("timeout: 60s", open="{goto: /}", then=step))
    assert sample.failure == failure
    assert (sample.detail or "").startswith(f"step 'then': {detail}" if detail else "")
    assert len(sample.steps) == 2


def test_rows_of_data(loads: Loads, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("word\na\nb\n", encoding="utf-8")
    with page_service(SHOP) as service:
        page = 'it: {kind: page, path: /found, query: {q: "${data.word}"}, target: 9s, data: words.csv}'
        baseline = load(tmp_path, f"version: 1\nservice: {{base_url: {service.url}}}\nendpoints:\n  {page}\n")
        loads.of(baseline, count=2)
        assert sorted(service.paths()) == ["/found?q=a", "/found?q=b"]


def test_a_redirect_is_part_of_the_load(loads: Loads) -> None:
    with page_service({"/": (302, {"Location": "/item"}, ""), "/item": html("ok")}) as service:
        sample = loads.one(service.url, "{kind: page, path: /, target: 9s}")
    assert sample.status == 200
    assert sample.page is not None
    assert sample.page.figures["requests"] == 2
