from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.endpoint_names import groups_of, in_order_of_groups, named
from perfcheck.model import Endpoint
from perfcheck.model.operation import Candidate, FoundIn, Operation


def candidate(template: str, method: str = "GET", group: str | None = None) -> Candidate:
    operation = Operation(method, template, (FoundIn.OPENAPI,), group=group, monitor_name=f"{method} {template}")
    return Candidate(operation, Endpoint(name="", path="/", line=0, method=method, timeout_s=5.0), 1.0)


def names(*templates: str) -> list[str]:
    return [each.endpoint.name for each in named([candidate(template) for template in templates])]


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("/", "root"),
        ("/api/v1/", "root"),
        ("/api/videos/", "videos"),
        ("/api/v2/videos", "videos"),
        ("/api/videos/search", "videos.search"),
        ("/api/videos/{id}", "videos.by_id"),
        ("/videos/{video_id}/tags", "videos.tags"),
        ("/videos/{video_id}/tags/{tag}", "videos.tags.by_tag"),
        ("/{slug}", "by_slug"),
        ("/s%C3%B8k/{q}", "søk.by_q"),
        ("/feed.xml", "feed_xml"),
        ("/files/{path}.json", "files.by_path"),
        ("/søk/é t", "søk.é_t"),
        ("/a//b/", "a.b"),
        ("/-/metadata", "-.metadata"),
    ],
)
def test_a_name_comes_from_the_path(template: str, name: str) -> None:
    assert names(template) == [name]


def test_names_that_would_be_identical_get_longer_and_then_a_number() -> None:
    templates = ["/videos/tags", "/videos/{id}/tags", "/api/videos/{id}/tags", "/v1/videos/tags"]
    assert names(*templates) == ["videos.tags", "videos.by_id.tags", "videos.tags_2", "videos.tags_3"]


def test_another_method_is_part_of_the_name() -> None:
    methods = [candidate("/videos/search", method) for method in ("GET", "POST", "HEAD")]
    found = [each.endpoint.name for each in named(methods)]
    assert found == ["videos.search", "videos.search.post", "videos.search.head"]


def test_names_in_use_are_avoided() -> None:
    (found,) = named([candidate("/videos")], taken={"videos"})
    assert found.endpoint.name == "videos_2"


def test_the_source_of_the_endpoint_stays_with_it() -> None:
    (found,) = named([candidate("/videos")])
    assert (found.endpoint.monitor_name, found.endpoint.timeout_s) == ("GET /videos", 10.0)


def test_groups_are_tags_else_first_segments_of_several() -> None:
    found = named(
        [
            candidate("/api/videos", group="Video lists!"),
            candidate("/api/health"),
            candidate("/api/artists"),
            candidate("/api/artists/{id}"),
            candidate("/api/videos/{id}", group="Video lists!"),
        ]
    )
    assert [each.endpoint.group for each in found] == ["Video_lists", None, "artists", "artists", "Video_lists"]
    titles = [(group.name, group.title) for group in groups_of(found)]
    assert titles == [("Video_lists", "Video lists!"), ("artists", "Artists")]
    assert [each.endpoint.name for each in in_order_of_groups(found)] == [
        "videos",
        "videos.by_id",
        "health",
        "artists",
        "artists.by_id",
    ]


def test_a_group_that_is_known_may_get_one_more() -> None:
    (found,) = named([candidate("/artists/{id}")], known_groups={"artists"})
    assert found.endpoint.group == "artists"


@given(st.lists(st.text(max_size=40).map(lambda text: f"/{text}"), max_size=8, unique=True))
def test_any_paths_have_names_that_are_valid_and_their_own(templates: list[str]) -> None:
    found = names(*templates)
    assert len(set(found)) == len(templates)
    for name in found:
        assert name.strip()
        assert len(name) <= 100
    again = named([replace(candidate(template)) for template in templates])
    assert [each.endpoint.name for each in again] == found
