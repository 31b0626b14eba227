"""What a variable brings in is used in requests and shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.baselines import load, load_endpoint

from perfcheck.baseline import BaselineError
from perfcheck.baseline.context import VariableError, interpolate
from perfcheck.model import Secret

TOKEN = 's3cr3t "token"'
ENV = {"TOKEN": TOKEN, "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("Bearer ${TOKEN}", f"Bearer {TOKEN}", "Bearer ***"),
        ("${TOKEN:-x}${TOKEN:?x}", TOKEN + TOKEN, "******"),
        ("${UNSET:-default}", "default", "default"),
        ("${EMPTY:-default}", "default", "default"),
        ("${UNSET:-}", "", ""),
        ("a${EMPTY}b", "ab", "ab"),
        ("$${TOKEN} $$ $5 $", "${TOKEN} $ $5 $", "${TOKEN} $ $5 $"),
    ],
)
def test_variables(text: str, value: str, shown: str) -> None:
    found = interpolate(text, ENV)
    assert (found.value, found.shown) == (value, shown)
    assert set(found.secrets) == ({TOKEN} if "***" in shown else set())


@pytest.mark.parametrize("text", ["${UNSET}", "${EMPTY:?why}", "${", "${}", "${1}", "${A:-${B}}", "${A:+b}", "${A b}"])
def test_variables_that_cannot_be_filled_in(text: str) -> None:
    with pytest.raises(VariableError) as caught:
        interpolate(f"before {text}", ENV)
    assert caught.value.remedy
    assert caught.value.part in text


@given(st.text())
def test_a_dollar_sign_can_be_written_before_anything(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), {}).value == text


def test_every_part_of_a_request_may_hold_a_secret(tmp_path: Path) -> None:
    keys = "method: PUT, repeatable: true, query: {q: '${TOKEN}'}, headers: {X-A: 'a ${TOKEN}'}, "
    as_json = load_endpoint(tmp_path, keys + "json: {a: ['${TOKEN}', 1], b: '${UNSET:-5}'}", ENV)
    as_form = load_endpoint(tmp_path, keys + "form: {a: '${TOKEN}'}", ENV)
    as_body = load_endpoint(tmp_path, keys + "body: '<${TOKEN}>'", ENV)
    assert as_json.query == (("q", Secret(TOKEN, "***")),)
    assert as_json.headers[0] == ("X-A", Secret(f"a {TOKEN}", "a ***"))
    assert as_json.content == Secret('{"a": ["s3cr3t \\"token\\"", 1], "b": "5"}', '{"a": ["***", 1], "b": "5"}')
    assert as_form.content == Secret("a=s3cr3t+%22token%22", "a=***")
    assert as_body.content == Secret(f"<{TOKEN}>", "<***>")


BASE = (
    "version: 1\nservice: {base_url: '%s'}\nendpoints: {a: {path: '%s', target: '${TARGET:-1s}', metric: '${METRIC}'}}"
)


def test_which_values_are_secrets(tmp_path: Path) -> None:
    env = {"HOST": "example.org", "METRIC": "p95", "TENANT": "tenant-17", "TARGET": "2s", "PASSWORD": "p%40ss"}
    baseline = load(tmp_path, BASE % ("http://user:${PASSWORD}@${HOST}", "/api/${TENANT}"), env)
    assert baseline.secrets == {"tenant-17", "p%40ss", "p@ss", "dXNlcjpwQHNz"}  # the last: Basic user:p@ss
    assert baseline.endpoints[0].target_ms == 2000


@pytest.mark.parametrize(
    "keys",
    [
        "target: '${TOKEN}'",
        "metric: '${TOKEN}'",
        "expect: ['${TOKEN}']",
        "warning: '${TOKEN}'",
        "body_limit: '1${TOKEN}'",
        "error_rate: {warning: '${TOKEN}'}",
        "group: '${TOKEN}'",
        "method: '${TOKEN}'",
        "min_requests: '${TOKEN}'",
        "follow_redirects: '${TOKEN}'",
        'headers: {X-A: "\\n${TOKEN}"}',
        'monitor_name: "\\e${TOKEN}"',
    ],
)
@pytest.mark.parametrize("token", ["hunter2", "medain", "9000000", "10 parsecs", "yes", "cores"])
def test_a_wrong_value_from_a_variable_is_not_shown(tmp_path: Path, keys: str, token: str) -> None:
    with pytest.raises(BaselineError) as caught:
        load_endpoint(tmp_path, keys, {"TOKEN": token}, above="groups: {core: {}}")
    (error,) = caught.value.errors
    assert token not in error.message.split()
    assert f"'{token}" not in error.message + error.remedy
    assert error.remedy.count("did you mean") == 0


def test_a_wrong_base_url_does_not_show_its_password(tmp_path: Path) -> None:
    for url in ("http://user:${PASSWORD}@", "http://user:${PASSWORD}@a b", "user:${PASSWORD}@localhost"):
        with pytest.raises(BaselineError) as caught:
            load(tmp_path, BASE % (url, "/a"), {"PASSWORD": "hunter2", "METRIC": "p95"})
        assert "hunter2" not in str(caught.value)


def test_an_environment_that_is_not_unicode_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="not valid Unicode"):
        load_endpoint(tmp_path, "query: {q: '${BYTES}'}", {"BYTES": "caf\udce9"})
