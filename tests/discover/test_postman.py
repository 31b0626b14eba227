"""Postman collections of both versions, with variables, folders and what is disabled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.postman import read_postman
from perfcheck.errors import UsageError
from perfcheck.model.operation import Discovered

COLLECTION: dict[str, Any] = {
    "info": {"name": "Shop", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
    "variable": [
        {"key": "baseUrl", "value": "{{scheme}}://shop.example/api"},
        {"key": "scheme", "value": "https"},
        {"key": "thing", "value": 7},
        {"key": "off", "value": "no", "disabled": True},
    ],
    "item": [
        {
            "name": "Things",
            "item": [
                {
                    "name": "All things",
                    "request": {
                        "method": "GET",
                        "header": [
                            {"key": "Accept", "value": "application/json"},
                            {"key": "X-Tenant", "value": "acme", "disabled": True},
                            {"key": "Authorization", "value": "Bearer s3cret"},
                        ],
                        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "s3cret"}]},
                        "url": {
                            "raw": "{{baseUrl}}/things?page=2&sort=name&owner={{owner}}",
                            "host": ["{{baseUrl}}"],
                            "path": ["things"],
                            "query": [
                                {"key": "page", "value": "2"},
                                {"key": "sort", "value": "name", "disabled": True},
                                {"key": "owner", "value": "{{owner}}"},
                                {"key": "empty", "value": ""},
                            ],
                        },
                    },
                },
                {
                    "name": "Inner",
                    "item": [
                        {
                            "name": "One thing",
                            "request": {
                                "method": "GET",
                                "url": {
                                    "raw": "{{baseUrl}}/things/:thing-id/parts/:part/{{thing}}/9",
                                    "variable": [
                                        {"key": "thing-id", "value": "7"},
                                        {"key": "part", "value": "<string>"},
                                    ],
                                },
                            },
                        }
                    ],
                },
            ],
        },
        {"name": "Health", "request": "{{baseUrl}}/health"},
        {
            "name": "Search",
            "request": {
                "method": "POST",
                "header": [{"key": "Content-Type", "value": "application/json"}],
                "body": {"mode": "raw", "raw": '{"q": "{{thing}}"}'},
                "url": "{{baseUrl}}/search",
            },
        },
        {
            "name": "Log in",
            "request": {
                "method": "POST",
                "body": {"mode": "urlencoded", "urlencoded": [{"key": "password", "value": "hunter2"}]},
                "url": {"host": ["{{baseUrl}}"], "path": ["login"]},
            },
        },
        {"name": "Picture", "request": {"url": "{{baseUrl}}/picture.png"}},
        {"name": "Nothing"},
    ],
}


def read(folder: Path, collection: Any, base_url: str = "http://localhost:5000/api") -> Discovered:
    file = folder / "shop.json"
    file.write_text(json.dumps(collection))
    return read_postman(str(file), base_url)


def test_the_requests_of_a_collection(tmp_path: Path) -> None:
    things, thing, health, search, login = read(tmp_path, COLLECTION).operations
    assert (things.method, things.template, things.group) == ("GET", "/things", "Things")
    assert [(each.name, each.value) for each in things.parameters] == [("page", "2"), ("owner", None), ("empty", "")]
    assert (things.headers, things.reason) == ((("Accept", "application/json"),), None)
    assert (thing.template, thing.group) == ("/things/{thing_id}/parts/{part}/{thing}/{id}", "Things")
    assert [(each.name, each.value) for each in thing.parameters] == [
        ("thing_id", "7"),
        ("part", None),
        ("thing", "7"),
        ("id", "9"),
    ]
    assert (health.template, health.group) == ("/health", None)
    assert (search.method, search.content) == ("POST", '{"q": "7"}')
    assert (login.template, login.content) == ("/login", None)
    assert login.reason == "the recording has a secret: 'password'"


def test_no_secret_is_taken_over(tmp_path: Path) -> None:
    found = repr(read(tmp_path, COLLECTION))
    assert not [secret for secret in ("s3cret", "hunter2") if secret in found]


def test_paths_are_complete_where_the_service_has_no_path_of_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, COLLECTION, "http://localhost:5000")
    assert {each.template.split("/")[1] for each in found.operations} == {"api"}


def test_a_collection_as_the_api_of_postman_returns_it_and_one_without_requests(tmp_path: Path) -> None:
    assert len(read(tmp_path, {"collection": COLLECTION}).operations) == 5
    found = read(tmp_path, {"item": []})
    assert found == Discovered((), (f"{tmp_path / 'shop.json'}: no request in this collection",))


def test_variables_without_end_come_to_one(tmp_path: Path) -> None:
    variables = [{"key": "a", "value": "{{a}}{{b}}"}, {"key": "b", "value": "{{a}}" * 100}]
    item = {"request": "{{host}}/x/{{a}}"}
    (operation,) = read(tmp_path, {"variable": variables, "item": [item]}).operations
    assert [each.value for each in operation.parameters] == [None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "FILE:1:1: expected a Postman collection, in JSON: Expecting value"),
        ("[]", "FILE: expected a Postman collection, with 'item' in it"),
        ('{"item": 7}', "FILE: expected a Postman collection, with 'item' in it"),
        ('{"requests": []}', "FILE: a collection of version 1 cannot be read"),
    ],
)
def test_a_file_that_is_none_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_postman(str(file), "http://h")
    assert caught.value.message == message.replace("FILE", str(file))
    assert caught.value.remedy == "export the collection from Postman as 'Collection v2.1'"


TEXT = st.text(max_size=5) | st.sampled_from(
    ["{{a}}", "/x/:id", "http://h/{{b}}?q={{a}}", "{{{{a}}}}", ":", "//", "<s>"]
)
KEYS = [
    "item",
    "request",
    "url",
    "raw",
    "path",
    "query",
    "variable",
    "key",
    "value",
    "header",
    "body",
    "mode",
    "method",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, "urlencoded"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(
    st.lists(
        st.fixed_dictionaries({"request": st.fixed_dictionaries({"url": JSON, "header": JSON, "body": JSON})}) | JSON
    )
)
def test_any_collection_is_read(tmp_path_factory: pytest.TempPathFactory, items: Any) -> None:
    variables = [{"key": "a", "value": "{{b}}"}, {"key": "b", "value": "1"}]
    found = read(tmp_path_factory.mktemp("postman"), {"item": items, "variable": variables}, "http://h")
    for operation in found.operations:
        names = [each.name for each in operation.parameters if each.location.value == "path"]
        assert all(f"{{{name}}}" in operation.template for name in names)
        assert len(set(names)) == len(names)
