"""Setup, captures, renewal, workflows and teardown, with a real Flask application that wants a token."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import flask
import pytest
from apps.serving import werkzeug
from support.baselines import load

from perfcheck.client.client import Client
from perfcheck.engine.check import check
from perfcheck.engine.session import Callbacks
from perfcheck.errors import EXIT_NOT_MEASURED, EXIT_OK, CouldNotMeasureError
from perfcheck.model import Baseline, Failure, Rule, Verdict
from perfcheck.runfile import encode_run
from perfcheck.text import Redactor

HEAD = "version: 1\nservice:\n  base_url: {url}\n  headers: {{Authorization: 'Bearer ${{token}}'}}\n{top}"
LOGIN = """setup:
  login: {path: /login, method: POST, json: {user: me}, capture: {token: {json: $.access_token}}}
teardown:
  logout: {path: /logout, method: POST}
"""


@dataclass
class Service:
    """A token is valid for so many requests."""

    uses: int = 10_000
    token: str = "secret/token+"
    logins: int = 0
    left: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    logouts: int = 0

    def app(self) -> flask.Flask:
        app = flask.Flask("service")
        numbers = itertools.count(1)

        @app.post("/login")
        def login() -> flask.Response:
            self.logins += 1
            token = f"{self.token}{self.logins}"
            self.left[token] = self.uses
            return flask.jsonify(access_token=token)

        @app.before_request
        def authenticate() -> tuple[str, int] | None:
            self.requests.append(f"{flask.request.method} {flask.request.full_path.rstrip('?')}")
            token = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
            if flask.request.path in {"/login", "/never"}:
                return ("no", 401) if flask.request.path == "/never" else None
            self.left[token] = self.left.get(token, 0) - 1
            return (f"the token {token} has expired", 401) if self.left[token] < 0 else None

        @app.get("/items")
        def items() -> flask.Response:
            return flask.jsonify(items=[{"id": f"n/{next(numbers)}"}])

        @app.get("/items/<path:name>")
        def item(name: str) -> flask.Response:
            return flask.jsonify(id=name)

        @app.post("/logout")
        def logout() -> str:
            self.logouts += 1
            return "bye"

        return app


@contextmanager
def served(folder: Path, service: Service, endpoints: str, top: str = LOGIN) -> Iterator[Baseline]:
    with werkzeug(service.app()) as url:
        yield load(folder, f"{HEAD.format(url=url, top=top)}endpoints:\n{endpoints}")


ITEMS = "  items: {path: /items, target: 2s}\n"
WORKFLOW = """  shop:
    target: 5s
    steps:
      list: {path: /items, capture: {id: {json: '$.items[0].id'}}}
      detail: {path: '/items/${id}', query: {of: '${counter}'}, think: 1ms}
"""


def test_a_login_is_sent_once_and_its_token_with_every_request(tmp_path: Path) -> None:
    service = Service()
    with served(tmp_path, service, ITEMS) as baseline:
        run = check(baseline).run
    assert run.exit_code == EXIT_OK
    assert (service.logins, service.logouts) == (1, 1)
    assert service.requests[-1] == "POST /logout"


@pytest.mark.parametrize("renew", ["", ", renew: 1us"])
def test_an_expired_token_is_renewed_outside_the_samples(tmp_path: Path, renew: str) -> None:
    service = Service(uses=4)
    with served(tmp_path, service, ITEMS, LOGIN.replace("}}}", f"}}}}{renew}}}")) as baseline:
        run = check(baseline).run
    assert run.exit_code == EXIT_OK
    assert service.logins > 1
    assert run.endpoints[0].requests.failed == 0


def test_a_401_that_another_login_does_not_help_is_a_failure(tmp_path: Path) -> None:
    service = Service()
    with served(tmp_path, service, "  never: {path: /never, target: 2s}\n") as baseline:
        run = check(baseline).run
    assert run.endpoints[0].verdict is Verdict.CRITICAL
    assert service.logins == 2


def test_a_workflow_is_one_trial_whose_steps_share_what_they_captured(tmp_path: Path) -> None:
    service = Service()
    with served(tmp_path, service, WORKFLOW) as baseline:
        run = check(baseline).run
    assert run.exit_code == EXIT_OK
    details = [line for line in service.requests if line.startswith("GET /items/n")]
    assert details[:2] == ["GET /items/n%2F2?of=1", "GET /items/n%2F3?of=2"] or len(set(details)) == len(details)
    assert run.endpoints[0].requests.sent * 2 <= len(service.requests)


def test_a_login_that_fails_keeps_everything_from_being_measured(tmp_path: Path) -> None:
    top = LOGIN.replace("/login", "/never")
    with served(tmp_path, Service(), ITEMS, top) as baseline:
        outcome = check(baseline)
    assert outcome.run.exit_code == EXIT_NOT_MEASURED
    assert isinstance(outcome.error, CouldNotMeasureError)
    assert "the setup request 'login' failed: 401 UNAUTHORIZED (no)" in outcome.error.message
    assert "check what it logs in with (line" in (outcome.error.remedy or "")


def test_a_login_that_redirects_has_a_remedy(tmp_path: Path) -> None:
    app = flask.Flask("redirects")
    app.add_url_rule("/login", view_func=lambda: flask.redirect("/home", 303))
    with werkzeug(app) as url:
        head = f"version: 1\nservice: {{base_url: '{url}'}}\n"
        outcome = check(load(tmp_path, f"{head}setup: {{login: {{path: /login}}}}\nendpoints:\n  a: {{path: /}}\n"))
    assert isinstance(outcome.error, CouldNotMeasureError)
    assert "write 'expect: 303'" in (outcome.error.remedy or "")


def test_what_was_captured_is_in_no_output(tmp_path: Path) -> None:
    service = Service(uses=6)
    top = LOGIN.replace("{path: /login, method: POST, json: {user: me},", "{path: /login, method: POST,")
    with served(tmp_path, service, ITEMS.replace("/items", "/lost"), top) as baseline:
        run = check(baseline).run
    assert b"secret" not in encode_run(run)


def test_a_teardown_that_fails_is_a_note(tmp_path: Path) -> None:
    with served(tmp_path, Service(), ITEMS, LOGIN.replace("/logout", "/lost")) as baseline:
        run = check(baseline).run
    assert run.exit_code == EXIT_OK
    (finding,) = [finding for finding in run.findings if finding.rule is Rule.SERVICE]
    assert finding.message == "the teardown request 'logout' failed: 404 NOT FOUND"


def test_a_teardown_that_cannot_be_sent_does_not_lose_what_was_measured(tmp_path: Path) -> None:
    schema = tmp_path / "answer.json"
    schema.write_text("{}", encoding="utf-8")
    top = LOGIN.replace("{path: /logout,", "{path: /logout, expect: {schema: answer.json},")
    with served(tmp_path, Service(), ITEMS, top) as baseline:
        run = check(baseline, callbacks=Callbacks(measured=schema.unlink)).run
    assert (run.exit_code, run.endpoints[0].verdict) == (EXIT_OK, Verdict.OK)
    (finding,) = [finding for finding in run.findings if finding.rule is Rule.SERVICE]
    assert finding.message.startswith("the teardown failed: logout: expect: ")


def test_a_token_that_no_header_can_have_is_a_failure_also_of_what_is_not_measured(tmp_path: Path) -> None:
    service = Service(token="t\u00f6ken")
    with served(tmp_path, service, ITEMS) as baseline, Client(baseline.service, redact=Redactor()) as client:
        client.set_up(baseline.setup)
        fetched = client.fetch(baseline.endpoints[0])
    assert (fetched.status, fetched.failure) == (None, Failure.WRONG_ANSWER)
    assert fetched.detail == "cannot be sent: ${token} has characters that a header cannot have"
