"""Each kind of login against a real server that wants it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import flask
import pytest
from apps.logins import PASSWORD, USER, Logins
from apps.serving import werkzeug
from support.baselines import load
from support.command import perfcheck

from perfcheck.client.client import Client
from perfcheck.engine.check import check
from perfcheck.engine.compare_live import compare_live
from perfcheck.engine.in_process import check_in_process
from perfcheck.engine.session import Callbacks
from perfcheck.errors import EXIT_CRITICAL, EXIT_INTERRUPTED, EXIT_NOT_MEASURED, EXIT_OK
from perfcheck.model import Baseline, ComparedHow, Run, Sample
from perfcheck.runfile import encode_run
from perfcheck.text import Redactor

ENVIRONMENT = {"CI_USER": USER, "CI_PASSWORD": PASSWORD, "CLIENT": "the&client", "CLIENT_SECRET": "s3cret/s3cret"}
OAUTH2 = "oauth2: {token_url: /token, client_id: '${CLIENT}', client_secret: '${CLIENT_SECRET}'"
LOGIN = """setup:
  login: {path: /login, method: POST, follow_redirects: true}
teardown:
  logout: {path: /logout, method: POST}
"""


@contextmanager
def served(
    folder: Path, service: Logins, endpoints: str, keys: str = "", top: str = "", env: Mapping[str, str] = ENVIRONMENT
) -> Iterator[Baseline]:
    with werkzeug(service.app()) as url:
        head = f"version: 1\nservice: {{base_url: '{url}', {keys}}}\n{top}"
        yield load(folder, f"{head}endpoints:\n{endpoints}", {**env, "URL": url})


def checked(folder: Path, service: Logins, endpoints: str, keys: str = "", top: str = "") -> Run:
    with served(folder, service, endpoints, keys, top) as baseline:
        run = check(baseline).run
    for secret in (PASSWORD, "s3cret", "secret/"):
        assert secret.encode() not in encode_run(run)
    return run


def endpoint(path: str, keys: str = "") -> str:
    return f"  {path}: {{path: /{path}, target: 5s, {keys}}}\n"


LOGIN_OF_A_USER = "{username: '${CI_USER}', password: '${CI_PASSWORD}'}"
OPEN = endpoint("open", "auth: none")


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_a_user_and_a_password(tmp_path: Path, kind: str) -> None:
    service = Logins()
    run = checked(tmp_path, service, endpoint(kind) + OPEN, f"auth: {{{kind}: {LOGIN_OF_A_USER}}}")
    assert run.exit_code == EXIT_OK
    assert not any(result.requests.failed for result in run.endpoints)
    assert service.count["challenges"] == (kind == "digest")


@pytest.mark.parametrize("says_stale", [True, False])
def test_a_nonce_that_is_too_old_is_answered_outside_the_samples(tmp_path: Path, *, says_stale: bool) -> None:
    service = Logins(uses=3, says_stale=says_stale)
    run = checked(tmp_path, service, endpoint("digest"), f"auth: {{digest: {LOGIN_OF_A_USER}}}")
    assert run.exit_code == EXIT_OK
    assert run.endpoints[0].requests.failed == 0
    assert service.count["challenges"] > 1


def test_a_wrong_password_of_digest_is_a_failure_that_is_not_tried_again_and_again(tmp_path: Path) -> None:
    service = Logins(says_stale=False)
    auth = "auth: {digest: {username: '${CI_USER}', password: wrong-password}}"
    run = checked(tmp_path, service, endpoint("digest"), auth)
    assert run.exit_code == EXIT_CRITICAL
    requests = run.endpoints[0].requests
    again = 2  # the first of the samples, and the probe
    assert service.count["challenges"] == requests.sent + requests.warmup + 1 + again


@pytest.mark.parametrize("client_auth", ["basic", "form"])
def test_oauth2_client_credentials(tmp_path: Path, client_auth: str) -> None:
    service = Logins(uses=4)
    auth = f"auth: {{{OAUTH2}, scope: read write, parameters: {{audience: a}}, client_auth: {client_auth}}}}}"
    run = checked(tmp_path, service, endpoint("bearer") + OPEN, auth)
    assert run.exit_code == EXIT_OK
    assert run.endpoints[0].requests.failed == 0
    assert service.count["token"] > 1
    expected = {"grant_type": "client_credentials", "scope": "read write", "audience": "a"}
    if client_auth == "form":
        expected |= {"client_id": ENVIRONMENT["CLIENT"], "client_secret": ENVIRONMENT["CLIENT_SECRET"]}
    assert service.forms[0] == expected


def test_a_token_is_renewed_before_it_expires(tmp_path: Path) -> None:
    service = Logins(expires_in="0.000001")
    run = checked(tmp_path, service, endpoint("bearer"), f"auth: {{{OAUTH2}}}}}")
    assert run.exit_code == EXIT_OK
    assert service.count["token"] >= run.endpoints[0].requests.sent


@pytest.mark.parametrize("expires_in", [None, "soon", -1, [], "nan"])
def test_a_lifetime_that_is_none(tmp_path: Path, expires_in: object) -> None:
    service = Logins(expires_in=expires_in)
    assert checked(tmp_path, service, endpoint("bearer"), f"auth: {{{OAUTH2}}}}}").exit_code == EXIT_OK
    assert service.count["token"] == 1


def test_the_token_may_come_from_another_service(tmp_path: Path) -> None:
    elsewhere = Logins()
    with werkzeug(elsewhere.app()) as url:
        service = Logins(left=elsewhere.left)
        auth = f"auth: {{{OAUTH2.replace('/token', f'{url}/token')}}}}}, headers: {{X-Key: only-for-the-service}}"
        assert checked(tmp_path, service, endpoint("bearer"), auth).exit_code == EXIT_OK
    assert (elsewhere.count["token"], service.count["token"]) == (1, 0)


def test_a_login_that_is_refused_is_the_reason_why_nothing_is_measured(tmp_path: Path) -> None:
    with served(tmp_path, Logins(broken_after=0), endpoint("bearer"), f"auth: {{{OAUTH2}}}}}") as baseline:
        outcome = check(baseline)
    assert outcome.run.exit_code == EXIT_NOT_MEASURED
    message = 'the token request \'oauth2\' failed: 401 UNAUTHORIZED ({"error":"invalid_client"})'
    assert str(outcome.error).startswith(message)


def test_a_login_that_starts_to_fail_is_in_the_failures_and_not_repeated_without_end(tmp_path: Path) -> None:
    service = Logins(uses=4, broken_after=1)
    run = checked(tmp_path, service, endpoint("bearer"), f"auth: {{{OAUTH2}}}}}")
    assert run.exit_code == EXIT_CRITICAL
    assert "renewing the login failed: 401 UNAUTHORIZED" in str(run.endpoints[0].findings)
    assert "a later one did not" in (run.endpoints[0].findings[0].remedy or "")
    assert service.count["failed"] < run.endpoints[0].requests.failed


def test_an_endpoint_replaces_the_login_of_the_service_and_its_header(tmp_path: Path) -> None:
    endpoints = (
        endpoint("bearer")
        + endpoint("basic", f"auth: {{basic: {LOGIN_OF_A_USER}}}")
        + endpoint("digest", f"auth: {{digest: {LOGIN_OF_A_USER}}}")
        + endpoint("open", "auth: none")
        + "  refused: {path: /bearer, headers: {Authorization: Bearer nobody}, expect: 401, target: 5s}\n"
    )
    service = Logins()
    run = checked(tmp_path, service, endpoints, f"auth: {{{OAUTH2}}}}}")
    assert run.exit_code == EXIT_OK
    assert not any(result.requests.failed for result in run.endpoints)
    assert service.count["token"] == 1


def test_cookies_are_kept_and_a_session_that_expired_is_begun_again(tmp_path: Path) -> None:
    service = Logins(uses=4)
    run = checked(tmp_path, service, endpoint("session") + OPEN, "cookies: true", LOGIN)
    assert run.exit_code == EXIT_OK
    assert not any(result.requests.failed for result in run.endpoints)
    assert service.count["session"] > 1
    assert service.count["logout"] == 1


def test_without_cookies_each_request_is_sent_as_it_is_written(tmp_path: Path) -> None:
    top = LOGIN.replace(", follow_redirects: true", ", expect: 303, capture: {session: {cookie: session}}")
    endpoints = endpoint("session", "headers: {Cookie: 'session=${session}'}") + endpoint("open")
    service = Logins(uses=4)
    run = checked(tmp_path, service, endpoints, "", top)
    assert run.exit_code == EXIT_OK
    assert service.count["session"] > 1


def test_a_cookie_of_a_redirect_that_was_followed_is_captured(tmp_path: Path) -> None:
    top = LOGIN.replace("follow_redirects: true", "follow_redirects: true, capture: {session: {cookie: session}}")
    endpoints = endpoint("bearer", "headers: {Authorization: 'Bearer ${session}'}")
    service = Logins()
    run = checked(tmp_path, service, endpoints, "cookies: true", top)
    assert run.exit_code == EXIT_OK


def test_requests_in_flight_at_once_that_are_refused_renew_the_login_once(tmp_path: Path) -> None:
    service = Logins()
    names = [f"n{number}" for number in range(8)]
    endpoints = "".join(f"  {name}: {{path: /bearer, query: {{of: {name}}}, target: 5s}}\n" for name in names)
    with (
        served(tmp_path, service, endpoints, f"auth: {{{OAUTH2}}}}}") as baseline,
        Client(baseline.service, redact=Redactor()) as client,
    ):
        client.set_up(baseline.setup)
        service.left.clear()  # every token has expired
        for each in baseline.endpoints:
            client.start(each, each.name)
        samples: list[Sample] = []
        while len(samples) < len(names):
            samples += [sample for _, sample in client.wait()]
    assert [sample.failure for sample in samples] == [None] * len(names)
    assert service.count["token"] == 2


def test_a_run_over_eight_connections(tmp_path: Path) -> None:
    service = Logins(uses=40)
    endpoints = "".join(f"  n{number}: {{path: /bearer, target: 5s}}\n" for number in range(8))
    run = checked(tmp_path, service, endpoints, f"auth: {{{OAUTH2}}}}}", "sampling: {connections: 8}\n")
    assert run.exit_code == EXIT_OK
    assert not any(result.requests.failed for result in run.endpoints)


def test_an_id_that_the_setup_made_is_not_made_again_with_the_login(tmp_path: Path) -> None:
    """And a header of another login is left as it is."""
    app, service = flask.Flask("ids"), Logins(uses=5)

    @app.post("/login")
    def login() -> dict[str, str]:
        return {"token": service.new("token"), "other": "1"}

    @app.post("/items")
    def make() -> dict[str, str]:
        return {"id": str(service.new("item"))}

    @app.get("/items/<path:name>")
    def item(name: str) -> tuple[str, int]:
        return (name, 200) if service.is_valid(flask.request.headers["X-Token"]) else ("expired", 401)

    top = """setup:
  login: {path: /login, method: POST, capture: {token: {json: $.token}}}
  make: {path: /items, method: POST, capture: {id: {json: $.id}}}
"""
    with werkzeug(app) as url:
        head = f"version: 1\nservice: {{base_url: '{url}'}}\n"
        it = "  it: {path: '/items/${id}', headers: {X-Token: '${token}'}, target: 5s}\n"
        run = check(load(tmp_path, f"{head}{top}endpoints:\n{it}")).run
    assert run.exit_code == EXIT_OK
    assert service.count["token"] > 1
    assert service.count["item"] == 1


def test_a_login_that_is_limited_is_waited_for_once(tmp_path: Path) -> None:
    app, count = flask.Flask("limited"), Counter[str]()

    @app.post("/login")
    def login() -> flask.Response:
        count["login"] += 1
        if count["login"] == 1:
            return flask.Response("slowly", 429, {"Retry-After": "0"})
        return flask.jsonify(token="t0ken")

    app.add_url_rule("/it", view_func=lambda: "it")
    top = "setup: {login: {path: /login, method: POST, capture: {token: {json: $.token}}}}\n"
    with werkzeug(app) as url:
        head = f"version: 1\nservice: {{base_url: '{url}'}}\n"
        run = check(load(tmp_path, f"{head}{top}endpoints:\n{endpoint('it')}")).run
    assert run.exit_code == EXIT_OK
    assert count["login"] == 2


@pytest.mark.parametrize(
    ("capture", "problem"),
    [
        ("{json: $.empty}", "it is empty"),
        ("{json: $.none}", "the response does not have it"),
        ("{json: $.missing}", "the response does not have it"),
        ("{json: $.long}", "it has 20,000 characters, and at most 16,384 are sent"),
        ("{json: $.lines}", "it contains control characters"),
        ("{header: X-Missing}", "the response does not have it"),
        ("{cookie: missing}", "the response does not have it"),
        ("{text: 'token=(.)'}", "the response does not have it"),
    ],
)
def test_what_cannot_be_captured(tmp_path: Path, capture: str, problem: str) -> None:
    app = flask.Flask("wrong")
    body = {"empty": "", "none": None, "long": "x" * 20_000, "lines": "a\nb"}
    app.add_url_rule("/login", view_func=lambda: body)
    with werkzeug(app) as url:
        head = f"version: 1\nservice: {{base_url: '{url}'}}\n"
        top = f"setup: {{login: {{path: /login, capture: {{it: {capture}}}}}}}\n"
        outcome = check(load(tmp_path, f"{head}{top}endpoints:\n{endpoint('it')}"))
    assert outcome.run.exit_code == EXIT_NOT_MEASURED
    assert problem in str(outcome.error)


def test_after_a_setup_that_failed_half_way_what_it_made_is_removed(tmp_path: Path) -> None:
    service = Logins()
    top = LOGIN.replace("teardown", "  never: {path: /never}\nteardown")
    with served(tmp_path, service, endpoint("session"), "cookies: true", top) as baseline:
        outcome = check(baseline)
    assert outcome.run.exit_code == EXIT_NOT_MEASURED
    assert service.count["logout"] == 1


@pytest.mark.parametrize("how", [ComparedHow.LIVE, ComparedHow.SAME])
def test_each_side_of_a_comparison_has_a_login_of_its_own(tmp_path: Path, how: ComparedHow) -> None:
    before, after = Logins(uses=5), Logins(uses=5)
    top = f"{LOGIN}sampling: {{connections: 1}}\n"
    with (
        served(tmp_path, before, endpoint("session"), "cookies: true", top) as first,
        served(tmp_path, after, endpoint("session"), "cookies: true", top) as second,
    ):
        run = compare_live(first, first if how is ComparedHow.SAME else second, how=how, max_pairs=40).run
    assert run.endpoints[0].requests.failed == 0
    assert before.count["session"] > 1
    assert before.count["logout"] == 1
    if how is ComparedHow.LIVE:
        assert (after.count["session"] > 1, after.count["logout"]) == (True, 1)


def test_an_application_in_this_process_is_logged_in_too(tmp_path: Path) -> None:
    service = Logins(uses=4)
    text = f"version: 1\nservice: {{base_url: 'http://localhost', cookies: true, auth: {{{OAUTH2}}}}}}}\n{LOGIN}"
    baseline = load(tmp_path, f"{text}endpoints:\n{endpoint('session')}{endpoint('bearer')}", ENVIRONMENT)
    run = check_in_process(baseline, service.app()).run
    assert run.exit_code == EXIT_OK
    assert not any(result.requests.failed for result in run.endpoints)
    assert service.count["logout"] == 1


def test_another_origin_gets_neither_the_captured_token_nor_the_cookies(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    elsewhere = flask.Flask("elsewhere")

    @elsewhere.get("/there")
    def there() -> str:
        seen.append(dict(flask.request.headers))
        return "there"

    app = flask.Flask("here")

    @app.get("/login")
    def login() -> flask.Response:
        response = flask.jsonify(token="captured-token")
        response.set_cookie("session", "captured-session", domain=None)
        return response

    with werkzeug(elsewhere) as address, werkzeug(app) as url:
        there_url = address.replace("127.0.0.1", "localhost")
        app.add_url_rule("/away", view_func=lambda: flask.redirect(f"{there_url}/there"))
        head = f"version: 1\nservice: {{base_url: '{url}', cookies: true, headers: {{X-Token: '${{token}}'}}}}\n"
        top = "setup: {login: {path: /login, capture: {token: {json: $.token}}}}\n"
        run = check(load(tmp_path, f"{head}{top}endpoints:\n{endpoint('away', 'follow_redirects: true')}")).run
    assert run.exit_code == EXIT_OK
    assert seen
    assert "captured" not in str(seen)


def test_many_requests_that_no_login_helps_are_one_more_login(tmp_path: Path) -> None:
    service = Logins()
    with (
        served(tmp_path, service, endpoint("bearer"), f"auth: {{{OAUTH2}}}}}") as baseline,
        Client(baseline.service, redact=Redactor()) as client,
    ):
        client.set_up(baseline.setup)
        found = [replace(baseline.endpoints[0], path="/basic", line=number) for number in range(20)]
        assert {client.fetch(each).status for each in found} == {401}
    assert service.count["token"] == 2


def test_after_an_interruption_the_teardown_is_sent(tmp_path: Path) -> None:
    def interrupt(_: object) -> None:
        if service.count["session"]:
            raise KeyboardInterrupt

    service = Logins()
    with served(tmp_path, service, endpoint("session"), "cookies: true", LOGIN) as baseline:
        run = check(baseline, callbacks=Callbacks(progress=interrupt)).run
    assert run.exit_code == EXIT_INTERRUPTED
    assert service.count["logout"] == 1


def test_a_setup_that_hangs_fails_by_its_timeout_and_is_torn_down(tmp_path: Path) -> None:
    released, app, count = threading.Event(), flask.Flask("hangs"), Counter[str]()

    @app.post("/login")
    def login() -> str:
        released.wait(20)
        return "late"

    @app.post("/logout")
    def logout() -> str:
        count["logout"] += 1
        return "bye"

    app.add_url_rule("/it", view_func=lambda: "it")
    with werkzeug(app) as url:
        top = LOGIN.replace("follow_redirects: true", "timeout: 50ms")
        text = f"version: 1\nservice: {{base_url: '{url}'}}\n{top}endpoints:\n{endpoint('it')}"
        outcome = check(load(tmp_path, text))
        released.set()
    assert outcome.run.exit_code == EXIT_NOT_MEASURED
    assert "the setup request 'login' failed: no response within 50 ms" in str(outcome.error)
    assert count["logout"] == 1


def test_coverage_logs_in_for_the_requests_of_the_baseline_and_health_does_not(tmp_path: Path) -> None:
    service = Logins()
    with werkzeug(service.app()) as url:
        text = f"version: 1\nservice: {{base_url: '{url}', auth: {{{OAUTH2}}}}}}}\nendpoints:\n"
        (tmp_path / "baselines.yaml").write_text(text + endpoint("bearer") + endpoint("gone"), encoding="utf-8")
        (tmp_path / "requests.sh").write_text(f"curl {url}/bearer\n", encoding="utf-8")
        assert "no errors" in perfcheck("validate", cwd=tmp_path, env=ENVIRONMENT).stdout
        assert not service.count
        covered = perfcheck("coverage", "--curl", "requests.sh", cwd=tmp_path, env=ENVIRONMENT)
        assert service.count["token"] == 1
        assert perfcheck("health", cwd=tmp_path, env=ENVIRONMENT).returncode == EXIT_NOT_MEASURED
    assert "100%, 1 of 1 operation" in covered.stdout
    assert "gone: 404 NOT FOUND" in covered.stdout
    assert service.count["token"] == 1


def test_the_steps_of_a_workflow_share_the_cookies(tmp_path: Path) -> None:
    service = Logins(uses=1)
    steps = "login: {path: /login, method: POST, repeatable: true, expect: 303}, in: {path: /session}"
    run = checked(tmp_path, service, f"  it: {{steps: {{{steps}}}, target: 5s}}\n", "cookies: true")
    assert run.exit_code == EXIT_OK
    assert run.endpoints[0].requests.failed == 0


def test_a_login_that_fails_is_no_service_that_is_down(tmp_path: Path) -> None:
    with werkzeug(Logins(broken_after=0).app()) as url:
        text = f"version: 1\nservice: {{base_url: '{url}', auth: {{{OAUTH2}}}}}}}\nendpoints:\n{endpoint('bearer')}"
        (tmp_path / "baselines.yaml").write_text(text, encoding="utf-8")
        run = perfcheck("run", "--skip-unreachable", cwd=tmp_path, env=ENVIRONMENT)
    assert run.returncode == EXIT_NOT_MEASURED
    assert "the token request 'oauth2' failed" in run.stderr
    assert ENVIRONMENT["CLIENT_SECRET"] not in run.stdout + run.stderr


def test_a_digest_is_answered_without_beginning_the_session_again(tmp_path: Path) -> None:
    service = Logins(uses=3)
    keys = f"cookies: true, auth: {{digest: {LOGIN_OF_A_USER}}}"
    run = checked(tmp_path, service, endpoint("digest"), keys, LOGIN)
    assert run.exit_code == EXIT_OK
    assert service.count["challenges"] > 1
    assert service.count["session"] == 1
