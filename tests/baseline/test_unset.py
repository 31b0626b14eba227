"""A baseline is checked where its variables are not set: all is judged but what depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from perfcheck.baseline import BaselineError, Summary, check_baseline
from perfcheck.baseline.context import VariableError, interpolate

WHOLE = """version: 1
service:
  base_url: ${HOST}/api
  ready: ${READY}
  ready_timeout: ${TIME}
  headers: {Authorization: "Bearer ${TOKEN}"}
  tls: {ca: "${CA}", verify: "${VERIFY}"}
  http2: ${HTTP2}
defaults: {warning: "${WARNING}", critical: "${CRITICAL}", error_rate: {critical: "${RATE}"}}
sampling: {budget: "${BUDGET}", confirm: "${CONFIRM}", min_requests: "${LEAST}", undecided: "${UNDECIDED}"}
groups:
  g: {title: "${TITLE}", ceiling: "${CEILING}", metric: "${METRIC}"}
endpoints:
  a: {path: "${PREFIX}/a", group: "${GROUP}", target: "${TARGET}", ideal: 1s, expect: [2xx, "${STATUS}"]}
  b: {path: /b, group: g, target: 30s, timeout: "${TIMEOUT}", method: "${METHOD}", json: {x: ["${JSON}"]}}
  c: {path: /c, query: {q: "${QUERY:?ask the team}"}, method: POST, repeatable: "${AGAIN}", form: {a: "${F}"}}
"""
NAMES = {
    *("HOST", "READY", "TIME", "TOKEN", "CA", "VERIFY", "HTTP2", "WARNING", "CRITICAL", "RATE", "BUDGET", "CONFIRM"),
    *("LEAST", "UNDECIDED", "TITLE", "CEILING", "METRIC", "PREFIX", "GROUP", "TARGET", "STATUS", "TIMEOUT", "METHOD"),
    *("JSON", "QUERY", "AGAIN", "F"),
}


def check(folder: Path, text: str, env: Mapping[str, str] | None = None, *, allow_unset: bool = True) -> Summary:
    file = folder / "baselines.yaml"
    file.write_text(text, encoding="utf-8")
    return check_baseline(file, env or {}, allow_unset=allow_unset)


def test_every_value_may_come_from_a_variable_that_is_not_set(tmp_path: Path) -> None:
    found = check(tmp_path, WHOLE)
    assert found == Summary(str(tmp_path / "baselines.yaml"), 3, 1, tuple(sorted(NAMES)))


def test_without_the_permission_each_of_them_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BaselineError) as caught:
        check(tmp_path, WHOLE, allow_unset=False)
    messages = {error.message.split()[2] for error in caught.value.errors if "is not set" in error.message}
    assert {name.rstrip(":") for name in messages} == NAMES


BAD = """version: 1
service: {base_url: http://localhost, headers: {X: "ü${TOKEN}"}}
endpoints:
  a: {path: "${PREFIX}/a", traget: 1s, warning: 2x}
  b: {path: /b, target: 300, query: {q: "${A B}", r: "${"}}
  c: {path: /c, method: POST, json: {x: "${TOKEN}"}, target: 1s, ideal: 2s}
"""


def test_all_else_is_still_checked(tmp_path: Path) -> None:
    with pytest.raises(BaselineError) as caught:
        check(tmp_path, BAD)
    messages = [(error.location and error.location.line, error.message) for error in caught.value.errors]
    assert messages == [
        (2, "the value of the header 'X' contains line breaks, control or non-ASCII characters"),
        (4, "unknown key 'traget' in endpoint 'a'"),
        (4, "'warning' has no effect without a target"),
        (5, "target: a duration needs a unit"),
        (5, "'${A B}' is not a variable"),
        (5, "'${' without a closing '}'"),
        (6, "POST can change the state of the service, and requests are repeated"),
        (6, "the ideal of 2 s is above the target of 1 s"),
    ]


def test_a_variable_that_is_set_is_checked_as_usual(tmp_path: Path) -> None:
    endpoint = "{path: /a, target: '${T}', metric: '${M:-medain}'}"
    text = f"version: 1\nservice: {{base_url: http://a}}\nendpoints: {{a: {endpoint}}}\n"
    with pytest.raises(BaselineError) as caught:
        check(tmp_path, text, {"T": "fast"})
    assert len(caught.value.errors) == 2
    assert check(tmp_path, text.replace("medain", "p95"), {"T": "1s"}).unset == ()


@pytest.mark.parametrize(
    ("text", "unset"),
    [
        ("a ${A} ${B:?b} ${A}", ("A", "B", "A")),
        ("${EMPTY:?b}", ("EMPTY",)),
        ("${EMPTY}", ()),
        ("${C:-c} $${C}", ()),
    ],
)
def test_which_variables_count_as_unset(text: str, unset: tuple[str, ...]) -> None:
    assert interpolate(text, {"EMPTY": ""}, allow_unset=True).unset == unset


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${A:-${B}}", "${A:+b}"])
def test_what_names_no_variable_stays_an_error(text: str) -> None:
    with pytest.raises(VariableError):
        interpolate(text, {}, allow_unset=True)


def test_the_placeholder_is_not_a_secret() -> None:
    assert interpolate("${A}", {}, allow_unset=True).secrets == ()
