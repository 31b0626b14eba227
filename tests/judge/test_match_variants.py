"""Which endpoint of the baseline is which variant of a route."""

from __future__ import annotations

import pytest

from perfcheck.judge.match_variants import match_variants
from perfcheck.model import Endpoint

BASE = "http://localhost:5001"
ROUTE = "GET /videos"
BY_TITLE, BY_DATE, BOTH = f"{ROUTE} ?sort=title", f"{ROUTE} ?sort=date+added", f"{ROUTE} ?sort=title&order=asc"
OTHER = f"{ROUTE} ?(other)"
ALL = [ROUTE, BY_TITLE, BY_DATE, BOTH, OTHER]


@pytest.mark.parametrize(
    ("path", "query", "names", "expected"),
    [
        ("/videos", {"sort": "title"}, [ROUTE], ROUTE),  # a monitor that keeps nothing apart
        ("/videos", {"sort": "title"}, ALL, BY_TITLE),
        ("/videos", {"sort": "date added", "page": "2"}, ALL, BY_DATE),
        ("/videos", {"order": "asc", "sort": "title"}, ALL, BOTH),
        ("/videos", {}, ALL, ROUTE),
        ("/videos", {"sort": ""}, ALL, ROUTE),
        ("/videos", {"page": "2"}, [BY_TITLE], None),
        ("/videos", {"sort": "rating"}, ALL, OTHER),
        ("/videos", {"sort": "rating"}, [ROUTE, BY_TITLE], None),
        ("/other", {"sort": "title"}, ALL, None),
    ],
)
def test_by_the_query(path: str, query: dict[str, str], names: list[str], expected: str | None) -> None:
    endpoint = Endpoint(name="v", path=path, line=1, query=tuple(query.items()))
    assert match_variants([endpoint], names, BASE).get("v") == expected


@pytest.mark.parametrize(
    ("monitor_name", "query", "expected"),
    [
        (BY_TITLE, {}, BY_TITLE),
        (ROUTE, {"sort": "title"}, BY_TITLE),
        (ROUTE, {}, ROUTE),
        ("api.videos", {"sort": "title"}, None),
    ],
)
def test_by_monitor_name(monitor_name: str, query: dict[str, str], expected: str | None) -> None:
    endpoint = Endpoint(name="v", path="/x", line=1, query=tuple(query.items()), monitor_name=monitor_name)
    assert match_variants([endpoint], ALL, BASE).get("v") == expected
