"""OpenAPI documents of every version and shape as operations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.openapi.operations import read_openapi
from perfcheck.discover.openapi.prefixes import prefixes
from perfcheck.model.operation import Basis, FoundIn, Operation, Parameter, ParameterLocation

PATH, QUERY, HEADER = ParameterLocation


def document(paths: Any, version: str = "3.0.3", **parts: Any) -> dict[str, Any]:
    return {"swagger" if version.startswith("2") else "openapi": version, "paths": paths, **parts}


def only(operation: Any, path: str = "/things", method: str = "get", version: str = "3.0.3", **parts: Any) -> Operation:
    """The one operation of a document."""
    (found,) = read_openapi(document({path: {method: operation}}, version, **parts))
    return found


def of_parameter(version: str = "3.0.3", **parameter: Any) -> list[tuple[str, str | None, Basis]]:
    node = {"name": "q", "in": "query", **parameter}
    return [(each.name, each.value, each.basis) for each in only({"parameters": [node]}, version=version).parameters]


# --- Operations ------------------------------------------------------------------------------------------------------


def test_an_operation_has_its_name_its_group_and_its_parameters() -> None:
    paths = {
        "/things/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"name": "lang", "in": "query", "schema": {"type": "string"}},
            ],
            "get": {
                "operationId": "getThing",
                "tags": ["Things", "All"],
                "parameters": [{"name": "lang", "in": "query", "example": "en", "required": True}],
            },
        }
    }
    assert read_openapi(document(paths)) == [
        Operation(
            "GET",
            "/things/{id}",
            (FoundIn.OPENAPI,),
            group="Things",
            parameters=(
                Parameter("lang", QUERY, value="en", basis=Basis.EXAMPLE),
                Parameter("id", PATH, value="1", basis=Basis.GUESS),
            ),
        )
    ]


def test_all_methods_are_returned_also_those_of_version_3_2() -> None:
    item = {
        "get": {},
        "query": {},
        "delete": {},
        "additionalOperations": {"COPY": {}},
        "summary": "x",
        "parameters": [],
    }
    assert [each.method for each in read_openapi(document({"/a": item}, "3.2.0"))] == ["GET", "QUERY", "DELETE", "COPY"]


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"deprecated": True}, "deprecated"),
        ({"responses": {"200": {"content": {"text/event-stream": {}}}}}, "a stream"),
        ({"responses": {"200": {"content": {"application/x-ndjson": {}}}}}, "a stream"),
        ({"responses": {"200": {"$ref": "#/components/responses/events"}}}, "a stream"),
        ({"responses": {"101": {"description": "Switching Protocols"}}}, "a stream"),
        ({"responses": {"200": {"content": {"text/event-stream": {}, "application/json": {}}}}}, None),
        ({"requestBody": {"required": True, "content": {"multipart/form-data": {}}}}, "needs a body"),
        ({"requestBody": {"content": {"multipart/form-data": {}}}}, None),
        ({"parameters": [{"name": "q", "in": "query", "required": True, "schema": {"$ref": "a.yaml#/q"}}]},
         "described in another document: a.yaml#/q"),
        ({"parameters": [{"name": "q", "in": "query", "schema": {"$ref": "a.yaml#/q"}}]}, None),
    ],
    ids=str,
)  # fmt: skip
def test_reason_to_leave_it_out(operation: Any, reason: str | None) -> None:
    components: Any = {"responses": {"events": {"content": {"text/event-stream": {}}}}}
    assert only(operation, components=components).reason == reason


def test_what_version_2_produces_may_be_a_stream() -> None:
    assert only({"produces": ["text/event-stream"]}, version="2.0").reason == "a stream"
    assert only({}, version="2.0", produces=["text/event-stream"]).reason == "a stream"
    assert only({"produces": ["application/json"]}, version="2.0", produces=["text/event-stream"]).reason is None


@pytest.mark.parametrize("tags", [None, "things", [], [None], [{"name": "things"}]])
def test_tags_that_are_none(tags: Any) -> None:
    assert only({"tags": tags}).group is None


def test_path_item_by_reference() -> None:
    paths = {"/a": {"$ref": "#/components/pathItems/a"}, "/b": {"$ref": "b.yaml"}, "/c": {"$ref": "#/paths/~1c"}}
    found = read_openapi(document(paths, "3.1.0", components={"pathItems": {"a": {"get": {"tags": ["a"]}}}}))
    assert [(each.template, each.group, each.reason) for each in found] == [
        ("/a", "a", None),
        ("/b", None, "described in another document: b.yaml"),
    ]


@pytest.mark.parametrize(
    ("path", "template", "parameters"),
    [
        ("/a/{id:[0-9]+}", "/a/{id}", ["id"]),
        ("/a/{path*}", "/a/{path}", ["path"]),
        ("/a/{+path}/b", "/a/{path}/b", ["path"]),
        ("a/b", "/a/b", []),
        ("/a?view=all&empty", "/a", ["view", "empty"]),
        ("/a#second", "/a", []),
        ("/a/{x}/{x}", "/a/{x}/{x}", ["x"]),
        ("/a/{x}.{y}", "/a/{x}.{y}", ["x", "y"]),
        ("/a/{b c}/{d[e]}", "/a/{b c}/{d[e]}", ["b c", "d[e]"]),
        ("//a b/ü/%C3%BC/%/\ud800\n", "/a%20b/%C3%BC/%C3%BC/%25/%3F%0A", []),
        ("/{", "/%7B", []),
        ("/}{x}{", "/%7D{x}%7B", ["x"]),
    ],
)
def test_template(path: str, template: str, parameters: list[str]) -> None:
    found = only({}, path)
    assert (found.template, [each.name for each in found.parameters]) == (template, parameters)
    assert all(each.value is not None for each in found.parameters)


def test_a_parameter_of_the_path_that_the_path_does_not_have_is_ignored() -> None:
    assert only({"parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}]}).parameters == ()


# --- Parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "value", "basis"),
    [
        ({"example": "love", "schema": {"type": "string", "default": "x"}}, "love", Basis.EXAMPLE),
        ({"examples": {"one": {"summary": "x"}, "two": {"value": "love"}}}, "love", Basis.EXAMPLE),
        ({"examples": {"one": {"$ref": "#/components/examples/q"}}}, "referred to", Basis.EXAMPLE),
        ({"examples": {"one": {"dataValue": 7, "serializedValue": "7"}}}, "7", Basis.EXAMPLE),
        ({"schema": {"type": "string", "enum": ["a", "b"]}}, "a", Basis.ENUM),
        ({"schema": {"type": "boolean"}}, "true", Basis.GUESS),
        ({"schema": {"type": "number", "default": 1.5}}, "1.5", Basis.DEFAULT),
        ({"content": {"application/json": {"schema": {"type": "array", "items": {"const": 1}}}}}, "[1]", Basis.ENUM),
        ({"content": {"application/json": {"example": {"a": [1]}}}}, '{"a": [1]}', Basis.EXAMPLE),
        ({"schema": {"type": "string", "pattern": "^x"}}, None, Basis.GUESS),
        ({"example": "two\nlines"}, None, Basis.EXAMPLE),
        ({"example": "\ud800"}, None, Basis.EXAMPLE),
        ({"example": "x" * 10_000}, None, Basis.EXAMPLE),
        ({"example": float("nan")}, None, Basis.EXAMPLE),
        ({}, "1", Basis.GUESS),
        ({"required": True}, "1", Basis.GUESS),
    ],
    ids=str,
)
def test_value_of_a_parameter(parameter: Any, value: str | None, basis: Basis) -> None:
    operation = {"parameters": [{"name": "q", "in": "query", **parameter}]}
    (found,) = only(operation, components={"examples": {"q": {"value": "referred to"}}}).parameters
    assert (found.value, found.basis) == (value, basis)


LIST = {"type": "array", "items": {"type": "integer"}, "example": [3, 4]}
OBJECT = {"type": "object", "example": {"x": 1, "y": True}}


@pytest.mark.parametrize(
    ("parameter", "pairs"),
    [
        ({"schema": LIST}, [("q", "3")]),  # one of q=3&q=4
        ({"schema": LIST, "explode": False}, [("q", "3,4")]),
        ({"schema": LIST, "style": "pipeDelimited"}, [("q", "3|4")]),
        ({"schema": LIST, "style": "spaceDelimited"}, [("q", "3 4")]),
        ({"schema": OBJECT}, [("x", "1"), ("y", "true")]),
        ({"schema": OBJECT, "explode": False}, [("q", "x,1,y,true")]),
        ({"schema": OBJECT, "style": "deepObject", "explode": True}, [("q[x]", "1"), ("q[y]", "true")]),
        ({"schema": {"type": "array", "items": OBJECT}}, [("q", '{"x": 1, "y": true}')]),
        ({"schema": LIST, "style": ["a mistake"]}, [("q", "3,4")]),
    ],
    ids=str,
)
def test_a_list_or_an_object_is_sent_as_its_style_says(parameter: Any, pairs: list[tuple[str, str]]) -> None:
    assert [(name, value) for name, value, _ in of_parameter(**parameter)] == pairs


@pytest.mark.parametrize(
    ("collection_format", "value"), [(None, "3,4"), ("csv", "3,4"), ("ssv", "3 4"), ("pipes", "3|4"), ("multi", "3")]
)
def test_a_list_in_version_2(collection_format: str | None, value: str) -> None:
    named = {"collectionFormat": collection_format} if collection_format else {}
    assert of_parameter("2.0", type="array", items={"type": "integer"}, **{"x-example": [3, 4]}, **named) == [
        ("q", value, Basis.EXAMPLE)
    ]


def test_a_parameter_of_version_2_is_its_own_schema() -> None:
    assert of_parameter("2.0", type="integer", minimum=5) == [("q", "5", Basis.GUESS)]
    assert of_parameter("2.0", type="string", enum=["b"]) == [("q", "b", Basis.ENUM)]


def test_a_list_in_a_path_has_commas() -> None:
    node = {"name": "ids", "in": "path", "schema": LIST}
    assert [each.value for each in only({"parameters": [node]}, "/a/{ids}").parameters] == ["3,4"]


def test_an_empty_value_is_none_for_a_path() -> None:
    operation = {"parameters": [{"name": name, "in": name, "example": ""} for name in ("path", "query")]}
    assert {each.location: each.value for each in only(operation, "/a/{path}").parameters} == {PATH: None, QUERY: ""}


def test_the_whole_query_as_one_parameter_of_version_3_2() -> None:
    schema = {"type": "object", "required": ["q"], "properties": {"q": {"const": "x"}, "r": {}}}
    content = {"application/x-www-form-urlencoded": {"schema": schema}}
    node = {"name": "all", "in": "querystring", "required": True, "content": content}
    assert only({"parameters": [node]}).parameters == (Parameter("q", QUERY, value="x", basis=Basis.ENUM),)


@pytest.mark.parametrize(
    ("name", "location"),
    [
        ("Authorization", "header"),
        ("X-API-Key", "header"),
        ("X-Auth-Token", "header"),
        ("Cookie", "header"),
        ("theme", "cookie"),
    ],
)
def test_a_credential_is_not_made_up(name: str, location: str) -> None:
    node = {"name": name, "in": location, "required": True, "schema": {"type": "string", "example": "abc"}}
    assert only({"parameters": [node]}).parameters == ()


def test_what_is_accepted_is_not_guessed() -> None:
    nodes = [
        {"name": "Accept", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "Content-Type", "in": "header", "required": True, "schema": {"enum": ["application/json"]}},
        {"name": "X-Tenant", "in": "header", "required": True, "schema": {"type": "integer"}},
    ]
    found = {each.name: each.value for each in only({"parameters": nodes}).parameters}
    assert found == {"Content-Type": "application/json", "X-Tenant": "1"}


def test_a_header_has_no_spaces_around_its_value() -> None:
    node = {"name": "X-Tenant", "in": "header", "required": True, "example": " main "}
    assert [each.value for each in only({"parameters": [node]}).parameters] == ["main"]


def test_names_that_cannot_be_sent_are_ignored() -> None:
    nodes = [{"name": "a b", "in": "header"}, {"name": "a\nb", "in": "query"}, {"name": "a b", "in": "query"}]
    assert [(each.name, each.location) for each in only({"parameters": nodes}).parameters] == [("a b", QUERY)]


# --- Bodies ----------------------------------------------------------------------------------------------------------

SEARCH = {"type": "object", "required": ["q"], "properties": {"q": {"type": "string", "example": "love"}, "n": {}}}


def test_a_post_gets_a_body_of_what_is_required() -> None:
    body = {"required": True, "content": {"application/json; charset=utf-8": {"schema": SEARCH}}}
    found = only({"requestBody": body}, "/search", "post")
    assert (found.content, found.reason) == ('{"q": "love"}', None)
    assert found.headers == (("Content-Type", "application/json; charset=utf-8"),)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"content": {"application/json": {"example": {"q": "x"}}}}, '{"q": "x"}'),
        ({"content": {"application/json": {"examples": {"one": {"value": {"q": "x"}}}}}}, '{"q": "x"}'),
        ({"content": {"application/vnd.api+json": {"schema": {"const": []}}}}, "[]"),
        ({"content": {"application/json": {"schema": {"pattern": "x"}}}}, "{}"),
        ({"content": {"application/json": {}}}, "{}"),
        ({"$ref": "#/components/requestBodies/search"}, '{"q": "love"}'),
        ({"content": {"text/plain": {}}}, None),
    ],
    ids=str,
)
def test_body(body: Any, content: str | None) -> None:
    components = {"requestBodies": {"search": {"content": {"application/json": {"schema": SEARCH}}}}}
    assert only({"requestBody": body}, "/search", "post", components=components).content == content


def test_the_body_of_version_2() -> None:
    body = {"name": "body", "in": "body", "required": True, "schema": SEARCH}
    found = only({"parameters": [body]}, "/search", "post", "2.0")
    assert (found.content, found.headers) == ('{"q": "love"}', (("Content-Type", "application/json"),))
    assert only({"parameters": [body], "consumes": ["text/csv"]}, "/s", "post", "2.0").reason == "needs a body"
    form = {"name": "file", "in": "formData", "required": True, "type": "file"}
    assert only({"parameters": [form]}, "/s", "post", "2.0").reason == "needs a body"


def test_a_get_has_a_body_only_where_it_is_required() -> None:
    content = {"application/json": {"schema": SEARCH}}
    assert only({"requestBody": {"content": content}}).content is None
    assert only({"requestBody": {"content": content, "required": True}}).content == '{"q": "love"}'


# --- Prefixes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "location", "base_path", "expected"),
    [
        ({}, "/openapi.json", "", ("",)),
        ({}, "/api/v1/openapi.json", "", ("", "/api/v1", "/api")),
        ({"basePath": "/v2/"}, "/swagger.json", "", ("/v2", "")),
        ({"basePath": "/"}, "/swagger.json", "", ("",)),
        ({"basePath": "/a b/ü"}, "/swagger.json", "", ("/a%20b/%C3%BC", "")),
        ({"servers": [{"url": "https://api.example.com/v3"}, {"url": "/v3"}]}, "/", "", ("/v3", "")),
        ({"servers": [{"url": "https://{host}/{x}/", "variables": {"x": {"default": "v"}}}]}, "/", "", ("/v", "")),
        ({"servers": [{"url": "../api"}]}, "/docs/openapi.json", "", ("/api", "", "/docs")),
        ({"servers": [{"url": "http://["}]}, "/", "", ("",)),
        ({"servers": [{"url": "/app/api"}]}, "/app/openapi.json", "/app", ("/api", "")),
        ({"servers": [{"url": "/application"}]}, "/", "/app", ("/application", "")),
        ({"servers": "a mistake", "basePath": 7}, "/", "", ("",)),
    ],
)  # fmt: skip
def test_prefixes(parts: Any, location: str, base_path: str, expected: tuple[str, ...]) -> None:
    assert prefixes(document({}, **parts), location=location, base_path=base_path) == expected


def test_a_template_begins_with_the_stated_prefix_or_with_another() -> None:
    api = document({"/things": {"get": {}}}, "2.0", basePath="/v2")
    assert [each.template for each in read_openapi(api)] == ["/v2/things"]
    assert [each.template for each in read_openapi(api, "")] == ["/things"]


# --- Anything --------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()))
WORDS = "#/paths #/paths/~1a #/paths/~1a/get path query header array object string form body"
KEYS = """
    get post parameters name in schema type enum items allOf oneOf required properties $ref examples example content
    application/json requestBody responses 200 servers url basePath style explode format minimum exclusiveMinimum
    multipleOf operationId tags default produces
"""
ANY_JSON = st.recursive(
    SCALARS | st.sampled_from(WORDS.split()),
    lambda values: (
        st.lists(values, max_size=4) | st.dictionaries(st.sampled_from(KEYS.split()) | st.text(), values, max_size=5)
    ),
    max_leaves=30,
)


@given(ANY_JSON, ANY_JSON, ANY_JSON)
def test_no_document_raises(one: Any, two: Any, three: Any) -> None:
    parameters = [one, {"name": "id", "in": "path", "schema": two}, {"name": "q", "in": "query", "schema": one}]
    operation = {"parameters": parameters, "requestBody": three, "responses": one, "tags": two, "operationId": three}
    read_openapi(one)
    for parts in ({}, {"servers": one, "basePath": two}):
        api = document({"/a/{id}": {"get": operation, "post": two}, "/b": three}, **parts)
        for found in read_openapi(api):
            json.dumps(found.content)
            for parameter in found.parameters:
                assert parameter.value is None or parameter.value.encode() is not None


@pytest.mark.parametrize(
    ("media_types", "headers"),
    [
        (["image/webp", "image/png"], (("Accept", "image/webp, image/png"),)),
        (["image/png", "application/json"], ()),
        (["*/*"], ()),
        (["image/png", "image/*"], (("Accept", "image/png, image/*"),)),
        (["image/png\r\nX: y"], ()),
        ([], ()),
    ],
)
def test_what_pictures_alone_are_accepted_as(media_types: list[str], headers: tuple[tuple[str, str], ...]) -> None:
    in_two = only({"produces": media_types, "responses": {"200": {}}}, version="2.0")
    content: dict[str, Any] = {media_type: {} for media_type in media_types}
    in_three = only({"responses": {"200": {"content": content}, "404": {"content": {"a/b": {}}}}})
    assert in_two.headers == in_three.headers == headers
