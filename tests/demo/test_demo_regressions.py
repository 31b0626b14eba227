from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import pytest

from perfcheck.demo import Regression
from perfcheck.demo import service as sample_service
from perfcheck.demo.call import Reply
from perfcheck.demo.database import QuerySession
from perfcheck.demo.service import ROUTES, SampleService, route_of

HEALTHY = {
    ("/api/videos/", ""): 5,
    ("/api/videos/", "limit=200"): 5,
    ("/api/videos/", "sort=artist_name"): 5,
    ("/api/videos/search", "q=love"): 6,
    ("/api/videos/search", "q=love&status=DOWNLOADED"): 5,
    ("/api/videos/universal-search", "q=love"): 10,
    ("/api/settings/", ""): 3,
    ("/api/artists/", ""): 4,
    ("/api/health", ""): 2,
    ("/api/videos/7", ""): 4,
    ("/api/artists/7", ""): 1,
    ("/api/labels/", ""): 1,
    ("/api/labels/7", ""): 1,
    ("/api/tags/", ""): 1,
}


@contextmanager
def service(*regressions: Regression) -> Iterator[SampleService]:
    made = SampleService(regressions=frozenset(regressions), round_trip_ms=0, seed=1)
    try:
        yield made
    finally:
        made.close()


_shared: dict[frozenset[Regression], SampleService] = {}  # building the catalogue is what takes the time


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    for each in _shared.values():
        each.close()
    _shared.clear()


def shared(*regressions: Regression) -> SampleService:
    """For regressions that remember no earlier request."""
    chosen = frozenset(regressions)
    if chosen not in _shared:
        _shared[chosen] = SampleService(regressions=chosen, round_trip_ms=0, seed=1)
    return _shared[chosen]


def get(path: str, query: str = "", *regressions: Regression) -> Reply:
    return shared(*regressions).get(path, query)


def size(reply: Reply) -> int:
    return len(json.dumps(reply.body))


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL of every query from here on."""
    seen: list[str] = []
    rows = QuerySession.rows

    def recorded(self: QuerySession, sql: str, parameters: Any = ()) -> Any:
        seen.append(sql)
        return rows(self, sql, parameters)

    monkeypatch.setattr(QuerySession, "rows", recorded)
    return seen


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the faults would have slept, in seconds."""
    asked: list[float] = []
    monkeypatch.setattr(sample_service, "sleep", asked.append)
    return asked


@pytest.mark.parametrize(("path", "query"), HEALTHY)
def test_a_healthy_service_needs_few_queries_however_long_the_page(path: str, query: str) -> None:
    assert get(path, query).queries == HEALTHY[path, query]


def test_every_path_has_its_number_of_queries_stated() -> None:
    assert {route_of(path)[0] for path, _ in HEALTHY} == set(ROUTES)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 2 + 3 * 50),
        ("limit=10&offset=20", 2 + 3 * 10),
        ("sort=created_at&order=desc", 2 + 3 * 50),
        ("sort=artist_name", 3 + 2 * 50),  # the join has brought the artists
        ("offset=3000", 2),  # nothing on the page
    ],
)
def test_n_plus_one_queries_every_video_and_answers_the_same(query: str, expected: int) -> None:
    healthy, regressed = get("/api/videos/", query), get("/api/videos/", query, Regression.N_PLUS_ONE)
    assert regressed.queries == expected
    assert regressed.body == healthy.body


@pytest.mark.parametrize("regression", Regression)
def test_a_regression_stays_where_it_is_said_to_be(regression: Regression, sleeps: list[float]) -> None:
    touched = {
        Regression.N_PLUS_ONE: {"/api/videos/"},
        Regression.JOIN_ALWAYS: {"/api/videos/"},
        Regression.MISSING_INDEX: {"/api/videos/search"},
        Regression.SLOW_SETTINGS: {"/api/settings/"},
        Regression.SLOW_TAIL: {"/api/health"},
        Regression.ERRORS: {"/api/videos/search"},
        Regression.HANG: {"/api/videos/universal-search"},
        Regression.LARGE_BODY: {"/api/artists/"},
        Regression.SLOWER_SEARCH: {"/api/videos/search"},
        Regression.WRONG_ANSWER: set[str](),  # of what members have
        Regression.SLOW_STEP: set[str](),
        Regression.RENDER_BLOCKING: set[str](),  # of pages
    }[regression]
    with service(regression) as regressed:
        for path, query in HEALTHY:
            if path not in touched:
                assert regressed.get(path, query) == get(path, query)
                assert not regressed.hangs(path)
    assert sleeps == []


def test_a_healthy_list_joins_only_to_sort_by_artist(statements: list[str]) -> None:
    get("/api/videos/", "sort=title")
    assert not any("JOIN" in sql for sql in statements[:2])  # count and page
    statements.clear()
    get("/api/videos/", "sort=artist_name")
    assert all("JOIN artists" in sql for sql in statements[:2])


def test_join_always_joins_everything_and_answers_the_same(statements: list[str]) -> None:
    for query in ("sort=title", "sort=artist_name&order=desc", "limit=7&offset=11"):
        healthy = get("/api/videos/", query)
        statements.clear()
        regressed = get("/api/videos/", query, Regression.JOIN_ALWAYS)
        assert all("JOIN tags" in sql and "JOIN labels" in sql for sql in statements[:2])
        assert regressed.body == healthy.body


def query_plan(made: SampleService) -> Sequence[str]:
    with made._database.session() as session:
        plan = session.rows("EXPLAIN QUERY PLAN SELECT tag_id FROM video_tags WHERE video_id = 1")
        return [row["detail"] for row in plan]


def test_a_missing_index_makes_every_look_at_the_tags_a_scan() -> None:
    with service(Regression.MISSING_INDEX) as regressed:
        assert all(step.startswith("SEARCH") for step in query_plan(shared()))
        assert all(step.startswith("SCAN") for step in query_plan(regressed))
        query = "q=e&limit=5"  # in most titles: the others are enough scans to wait for
        assert regressed.get("/api/videos/search", query) == get("/api/videos/search", query)


def test_slow_settings_wait_for_each_request(sleeps: list[float]) -> None:
    with service(Regression.SLOW_SETTINGS) as regressed:
        for _ in range(3):
            assert regressed.get("/api/settings/", "").status is HTTPStatus.OK
    assert sleeps == [0.160] * 3


def test_the_slow_tail_is_about_one_in_eight(sleeps: list[float]) -> None:
    with service(Regression.SLOW_TAIL) as regressed:
        for _ in range(800):
            assert regressed.get("/api/health", "").status is HTTPStatus.OK
    assert 70 <= len(sleeps) <= 130  # 100, with three standard deviations to either side; the seed is fixed
    assert set(sleeps) == {0.150}


def test_one_search_in_five_fails() -> None:
    with service(Regression.ERRORS) as regressed:
        replies = [regressed.get("/api/videos/search", "q=love") for _ in range(20)]
    assert [reply.status for reply in replies].count(HTTPStatus.INTERNAL_SERVER_ERROR) == 4
    assert replies[4].body == {"error": "Internal Server Error", "message": "the search index did not respond"}


def test_a_large_body_is_over_a_megabyte_and_the_usual_one_is_not() -> None:
    assert size(get("/api/artists/")) < 50_000
    large = get("/api/artists/", "", Regression.LARGE_BODY)
    assert size(large) > 1_100_000
    assert large.body is not None
    assert sum(len(artist["all_videos"]) for artist in large.body["artists"]) == 3000


def test_a_slower_search_takes_15_percent_more(sleeps: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = get("/api/videos/search", "q=love")
    now_s = iter(range(10))  # a search takes a second, by this clock
    monkeypatch.setattr(sample_service, "perf_counter", lambda: next(now_s))
    with service(Regression.SLOWER_SEARCH) as regressed:
        assert regressed.get("/api/videos/search", "q=love") == healthy
        regressed.get("/api/videos/", "")
    assert sleeps == [0.15]


def test_hang_concerns_the_universal_search_only() -> None:
    with service(Regression.HANG) as regressed:
        assert [path for path in ROUTES if regressed.hangs(path)] == ["/api/videos/universal-search"]


def test_regressions_combine() -> None:
    regressions = (Regression.N_PLUS_ONE, Regression.JOIN_ALWAYS, Regression.LARGE_BODY)
    assert get("/api/videos/", "", *regressions).queries == 152
    assert size(get("/api/artists/", "", *regressions)) > 1_100_000


def test_every_regression_is_described_in_one_line() -> None:
    described = [regression.description for regression in Regression]
    assert len(set(described)) == len(list(Regression))
    assert all(20 < len(line) < 90 and "\n" not in line for line in described)
