"""What is written to a new baseline reads back as what it was, whatever a service calls its things."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.baseline.load import parse_baseline
from perfcheck.baseline.writer import NewBaseline, baseline_text, quoted, stanza
from perfcheck.model import Endpoint, Group, Secret

FILE = Path("baselines.yaml")
SHOWN = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"))
ANY = st.characters(exclude_categories=["Cs"])  # a lone surrogate is no text
AWKWARD = st.sampled_from(
    [
        "",
        "null",
        "~",
        "true",
        "1.10",
        "007",
        "0x1f",
        "<<",
        "*a",
        "&a",
        "- a",
        "a: b",
        "a #b",
        "#",
        "{a}",
        "[1]",
        "'",
        '"',
        "a\\b",
        "$",
        "${HOME}",
        "$$",
        "%",
        "@",
        "`",
        "!x",
        "| ",
        " a",
        "a ",
        "2026-01-01",
        "yes",
        "=",
        "?",
        "ñ 🎬",
        "\x85",
        "\ufeff",
    ]
)
VALUES = AWKWARD | st.text(ANY, max_size=30)
NAMES = (AWKWARD | st.text(SHOWN, max_size=20)).filter(lambda name: name.strip() and name.isprintable())
TITLES = NAMES
PATHS = (
    st.text(SHOWN, max_size=30)
    .filter(str.isprintable)
    .map(lambda text: "/" + text.lstrip("/").replace("?", "").replace("#", "").replace("%", "%25").replace("://", ""))
)
HEADER_NAMES = st.from_regex(r"[A-Za-z!#$&'*+.^_`|~-][A-Za-z0-9-]{0,9}", fullmatch=True).filter(
    lambda name: name.lower() not in {"content-length", "transfer-encoding", "content-type"}
)
HEADER_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(VALUES, inner, max_size=3),
    max_leaves=8,
)


def written(*endpoints: Endpoint, groups: list[Group] | None = None, **parts: Any) -> str:
    new = NewBaseline(["A service."], {"base_url": "http://localhost"}, groups or [], endpoints, {}, **parts)
    return baseline_text(new)


def read(text: str) -> tuple[Endpoint, ...]:
    return parse_baseline(text.encode(), FILE, {"HOME": "/root"}).endpoints


def essence(endpoint: Endpoint) -> dict[str, Any]:
    ignored = {"line", "lines", "warning_ms", "critical_ms"}
    return {name: getattr(endpoint, name) for name in Endpoint.__slots__ if name not in ignored}


def is_read_back(endpoint: Endpoint, **parts: Any) -> None:
    (found,) = read(written(endpoint, **parts))
    assert essence(found) == essence(endpoint)


@given(NAMES, PATHS)
def test_any_name_and_path(name: str, path: str) -> None:
    is_read_back(Endpoint(name=name, path=path, line=0))


@given(st.dictionaries(VALUES, st.lists(VALUES, min_size=1, max_size=3), max_size=4))
def test_any_query(query: dict[str, list[str]]) -> None:
    pairs = tuple((name, value) for name, values in query.items() for value in values)
    is_read_back(Endpoint(name="a", path="/a", line=0, query=pairs))


@given(st.dictionaries(HEADER_NAMES, HEADER_VALUES, max_size=3))
def test_any_headers(headers: dict[str, str]) -> None:
    distinct = {name.lower(): (name, value) for name, value in headers.items()}
    is_read_back(Endpoint(name="a", path="/a", line=0, headers=tuple(distinct.values())))


@given(NAMES, TITLES, NAMES)
def test_any_group_and_monitor_name(group: str, title: str, monitor_name: str) -> None:
    endpoint = Endpoint(name="a", path="/a", line=0, group=group, monitor_name=monitor_name)
    text = written(endpoint, groups=[Group(group, title, 0)])
    baseline = parse_baseline(text.encode(), FILE, {})
    assert (baseline.endpoints[0].group, baseline.endpoints[0].monitor_name) == (group, monitor_name)
    assert [(each.name, each.title) for each in baseline.groups] == [(group, title)]


@given(JSON)
def test_any_json_body(value: Any) -> None:
    for separators in ((", ", ": "), (",", ":")):
        content = json.dumps(value, ensure_ascii=False, separators=separators)
        headers = (("Content-Type", "application/json"),)
        is_read_back(Endpoint(name="a", path="/a", line=0, method="POST", content=content, headers=headers))


@given(VALUES)
def test_any_other_body(content: str) -> None:
    headers = (("content-type", "text/plain"), ("X-A", "b"))
    is_read_back(Endpoint(name="a", path="/a", line=0, method="POST", content=content, headers=headers))


@given(VALUES)
def test_what_is_quoted_is_one_line_of_plain_text(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()


@pytest.mark.parametrize(
    "more",
    [
        {"timeout_s": 2.5},
        {"timeout_s": 90.0},
        {"body_limit": 2_500_000},
        {"body_limit": 1_234_567},
        {"body_limit": 5_000},
        {"expect": ((200, 299), (404, 404))},
        {"follow_redirects": True},
        {"method": "HEAD"},
        {"method": "DELETE"},
        {"target_ms": 1200.0, "ideal_ms": 0.9},
        {"query": tuple((f"filter_{number}", "a value that is long") for number in range(12))},
    ],
)
def test_other_keys(more: dict[str, Any]) -> None:
    is_read_back(Endpoint(name="a", path="/a", line=0, **more))


def test_an_endpoint_looks_as_one_would_write_it() -> None:
    endpoint = Endpoint(
        name="videos.search",
        group="search",
        path="/api/videos/search",
        line=0,
        query=(("q", "love"), ("limit", "20"), ("tag", "a"), ("tag", "b c")),
        monitor_name="GET /api/videos/<int:id>",
        target_ms=60.0,
        ideal_ms=40.0,
    )
    assert stanza(endpoint, note="median 34.2 ms") == [
        "  videos.search:",
        "    group: search",
        "    path: /api/videos/search",
        '    query: {q: love, limit: 20, tag: [a, "b c"]}',
        "    monitor_name: GET /api/videos/<int:id>",
        "    target: 60ms # median 34.2 ms",
        "    ideal: 40ms",
    ]


def test_a_json_body_is_written_as_yaml() -> None:
    headers = (("Accept", "text/plain"), ("Content-Type", "application/json"))
    content = '{"q": "a $ b", "limit": 20}'
    lines = stanza(Endpoint(name="a", path="/a", line=0, method="POST", content=content, headers=headers))
    assert '    json: {"q": "a $$ b", "limit": 20}' in lines
    assert "    repeatable: true # it is sent many times" in lines
    assert "    headers: {Accept: text/plain}" in lines


def test_what_the_service_sends_anyway_is_not_repeated_and_no_secret_is_written() -> None:
    common = (("Authorization", Secret("Bearer s3cret", "Bearer ***")),)
    endpoint = Endpoint(name="a", path="/a", line=0, headers=(*common, ("Accept", "a/b")))
    assert "\n".join(stanza(endpoint, common=common)) == "  a:\n    path: /a\n    headers: {Accept: a/b}"
    assert "s3cret" not in "\n".join(stanza(endpoint))


def test_head_and_tail_are_comments_whatever_they_contain() -> None:
    text = written(Endpoint(name="a", path="/a", line=0), tail=["", "GET /a: b", "", "  # x"])
    assert [line for line in text.splitlines() if not line.startswith("#")][:2] == ["version: 1", ""]
    assert text.endswith("\n\n#\n# GET /a: b\n#\n#   # x\n")
    assert len(read(text)) == 1
