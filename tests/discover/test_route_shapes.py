"""Which requests are of one route."""

from __future__ import annotations

import tracemalloc
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover import route_shapes
from perfcheck.discover.merge import merge
from perfcheck.discover.path_segments import is_id, is_static, path_below, split_path, template_of
from perfcheck.discover.route_shapes import RouteShapes
from perfcheck.discover.seen_request import SeenRequest
from perfcheck.model.operation import FoundIn, Operation, ParameterLocation


def seen(line: str) -> SeenRequest:
    method, _, target = line.partition(" ")
    path, _, query = target.partition("?")
    pairs = tuple((name, value) for name, _, value in (each.partition("=") for each in query.split("&") if each))
    return SeenRequest(method, path, pairs)


def operations(*lines: str, found_in: FoundIn = FoundIn.ACCESS_LOG) -> tuple[Operation, ...]:
    shapes = RouteShapes(found_in)
    for line in lines:
        shapes.add(seen(line))
    return shapes.operations()


def listed(*lines: str, found_in: FoundIn = FoundIn.ACCESS_LOG) -> dict[str, int | None]:
    return {f"{each.method} {each.template}": each.requests for each in operations(*lines, found_in=found_in)}


@pytest.mark.parametrize(
    "segment",
    [
        *("7", "-7", "42.json", "2026-01-31", "2026-01-31T10:00:00Z", "59.91,10.75", "video-7", "cus_91", "a@b.org"),
        *("6f1f0a52-5b67-4b6e-9a37-2f8e7e9d2f10", "9f86d081884c7d65", "01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        *("V1StGXR8_Z5jdHi6B-myT", "aGVsbG8gd29ybGQNCg=="),
    ],
)
def test_a_value_is_found_by_its_looks(segment: str) -> None:
    assert is_id(segment)


@pytest.mark.parametrize(
    "segment",
    [
        "",
        "videos",
        "v1",
        "v2-1",
        "deadbeef",
        "getting-started",
        "1.0",
        "utf8",
        "search",
        "openapi.json",
        "top10",
        "a.b",
    ],
)
def test_a_word_is_no_value(segment: str) -> None:
    assert not is_id(segment)


def test_requests_that_differ_in_an_id_are_of_one_route_with_the_latest_as_its_example() -> None:
    (operation,) = operations("GET /things/7", "GET /things/9")
    assert (operation.template, operation.requests) == ("/things/{id}", 2)
    assert [(each.name, each.value, each.required) for each in operation.parameters] == [("id", "9", True)]


def test_several_values_are_named_after_their_collections() -> None:
    assert template_of(["things", None, "parts", None]) == (
        "/things/{thing_id}/parts/{part_id}",
        ["thing_id", "part_id"],
    )
    assert template_of([None, None, "categories", None])[0] == "/{id}/{id2}/categories/{category_id}"
    assert template_of(["a", None]) == ("/a/{id}", ["id"])
    assert template_of([""]) == ("/", [])


def test_methods_stay_apart_head_counts_where_there_is_no_get_and_options_never() -> None:
    lines = ("GET /a", "HEAD /a", "POST /a", "HEAD /b", "OPTIONS /a", "OPTIONS /c")
    merged = merge(operations(*lines))
    assert {each.request_line: each.requests for each in merged} == {"GET /a": 1, "POST /a": 1, "HEAD /b": 1}


def test_many_names_at_one_place_are_values_of_one_route() -> None:
    users = [f"GET /users/{name}{suffix}" for name in _names(300) for suffix in ("", "/posts", "/posts/7")]
    expected = {"GET /users/{id}": 300, "GET /users/{id}/posts": 300, "GET /users/{user_id}/posts/{post_id}": 300}
    assert listed(*users) == expected


def test_the_first_segment_is_a_value_only_where_there_are_a_thousand() -> None:
    """A page for any path is no reason to lose ``/api``."""
    assert "GET /api/things" in listed(*(f"GET /{name}" for name in _names(300)), "GET /api/things")
    many = [f"GET /{first}{last}" for first in _names(40) for last in _names(40)]
    assert listed(*many) == {"GET /{id}": 1600}


def test_a_route_with_many_of_the_requests_stays_one_of_its_own() -> None:
    users = [f"GET /users/{name}" for name in _names(300)]
    assert listed(*["GET /users/me"] * 60, *users) == {"GET /users/{id}": 300, "GET /users/me": 60}


def test_titles_are_values_although_there_are_few() -> None:
    titles = [f"GET /articles/a-title-of-{name}" for name in _names(30)]
    assert listed(*titles, "GET /articles/") == {"GET /articles/{id}": 30, "GET /articles/": 1}


def test_collections_are_no_values_however_many_they_are() -> None:
    names = _names(60)
    lines = [f"GET /api/{name}{suffix}" for name in names for suffix in ("", "/7")]
    assert len(listed(*lines)) == 2 * len(names)


def _names(count: int) -> list[str]:
    letters = "abcdefghijklmnopqrst"
    return [f"{letters[i // 20]}{letters[i % 20]}x" for i in range(count)]


def test_the_query_is_that_of_most_requests() -> None:
    (operation,) = operations("GET /s?q=a", "GET /s?q=b", "GET /s", "GET /s?q=c&page=2&utm_source=x")
    assert [(each.name, each.value) for each in operation.parameters] == [("q", "b")]


def test_a_link_is_taken_without_parameters_where_it_is_one_without() -> None:
    (operation,) = operations("GET /s?q=a", "GET /s?q=b", "GET /s", found_in=FoundIn.LINK)
    assert (operation.parameters, operation.requests) == ((), None)


def test_a_request_without_a_secret_is_preferred() -> None:
    (operation,) = operations("GET /s?api_key=1", "GET /s?api_key=2", "GET /s")
    assert (operation.parameters, operation.reason, operation.requests) == ((), None, 3)


def test_a_secret_is_not_taken_over() -> None:
    (operation,) = operations("GET /s?q=a&access_token=abc")
    assert [(each.name, each.value) for each in operation.parameters] == [("q", "a"), ("access_token", None)]
    assert operation.reason == "the recording has a secret: 'access_token'"


@pytest.mark.parametrize("secret", ["sk_live_abcdefgh", "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln", "glpat-abcdef"])
def test_a_secret_in_a_path_is_a_value_that_is_not_taken_over(secret: str) -> None:
    (operation,) = operations(f"GET /hooks/{secret}")
    assert (operation.template, [each.value for each in operation.parameters]) == ("/hooks/{id}", [None])


def test_a_session_in_a_path_is_not_taken_over() -> None:
    assert listed("GET /things;jsessionid=0F2A/7;v=1", "GET /things/7;v=1") == {"GET /things/7;v=1": 2}


def test_paths_in_different_spellings_are_one() -> None:
    assert listed("GET /%7Eme/a b", "GET /~me/a%20b") == {"GET /~me/a%20b": 2}


@pytest.mark.parametrize("path", ["", "a", "*", "//a", "/a//b", "/a/../b", "/" + "a/" * 50, "/" + "a" * 2000])
def test_what_is_no_path_of_a_service_is_left_out(path: str) -> None:
    shapes = RouteShapes(FoundIn.HAR)
    shapes.add(SeenRequest("GET", path))
    assert shapes.operations() == ()


def test_memory_is_bounded_whatever_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_shapes, "_MOST_KNOWN", 500)
    shapes = RouteShapes(FoundIn.ACCESS_LOG)
    tracemalloc.start()
    for number in range(20_000):
        word = "".join(chr(97 + number // 26**place % 26) for place in range(4))
        shapes.add(SeenRequest("GET", f"/{word[0]}/{word[1:3]}/{word}/{word[::-1]}/{number % 7}x", ((word, "1"),)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3_000_000
    assert 0 < sum(each.requests or 0 for each in shapes.operations()) <= 20_000


def test_a_route_is_found_whatever_was_requested_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_shapes, "_MOST_KNOWN", 500)
    users = [f"GET /users/{first}{second}" for first in _names(60) for second in _names(60)]
    found = listed(*["GET /before?page=1"] * 9, *users, *[f"GET /s?{name}=1" for name in _names(300)], "GET /after")
    assert found == {"GET /before": 9, "GET /users/{id}": 3600, "GET /s": 300, "GET /after": 1}


def test_static_files_are_recognised() -> None:
    assert all(map(is_static, ("/a.css", "/x/y.JS", "/static/x", "/favicon.ico", "/robots.txt", "/_next/data")))
    assert not any(map(is_static, ("/", "/statics", "/api/assets-of/7", "/a.json", "/a.html", "/css")))


def test_a_path_below_that_of_the_service() -> None:
    assert path_below("/api/", "/api/a") == "/a"
    assert path_below("/api", "/api") == "/"
    assert path_below("/api", "/apis") is None
    assert path_below("", "") == "/"


@given(st.lists(st.tuples(st.sampled_from(["GET", "PUT"]), st.text(max_size=40).map(lambda text: f"/{text}"))))
def test_any_path_is_merged_or_left_out_and_its_example_is_one_that_was_seen(lines: list[tuple[str, str]]) -> None:
    shapes = RouteShapes(FoundIn.HAR)
    for method, path in lines:
        shapes.add(SeenRequest(method, path))
    found = shapes.operations()
    assert sum(each.requests or 0 for each in found) == sum(split_path(path) is not None for _, path in lines)
    paths = {unquote(path) for _, path in lines}
    for operation in found:
        filled = operation.template
        for parameter in operation.parameters:
            assert parameter.location is ParameterLocation.PATH
            filled = filled.replace(f"{{{parameter.name}}}", parameter.value or "")
        assert unquote(filled) in paths or "�" in unquote(filled)
