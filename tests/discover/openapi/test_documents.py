"""Where documents are found: on real services, behind pages that show them, in files, and where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fastapi
import pytest
from apps.serving import uvicorn_server, werkzeug
from flask import Flask, Response, redirect, request

from perfcheck.client.client import Client
from perfcheck.discover.openapi.documents import OpenApiDocument, find_documents, named_documents
from perfcheck.discover.openapi.located import located_operations
from perfcheck.errors import CouldNotMeasureError, PerfcheckError, UsageError
from perfcheck.model import Endpoint, Fetched, Service
from perfcheck.text import Redactor

REDACT = Redactor()


def document(path: str = "/things", **parts: Any) -> str:
    return json.dumps({"openapi": "3.0.3", "paths": {path: {"get": {}}}, **parts})


@contextmanager
def site(pages: Mapping[str, str], log: list[str] | None = None) -> Iterator[Service]:
    """A service with these pages: HTML, a script or data, by their beginnings. A page of one path is a redirect."""
    app = Flask(__name__)

    @app.get("/", defaults={"path": ""})
    @app.get("/<path:path>")
    def page(path: str) -> Any:
        if log is not None:
            log.append(request.full_path.rstrip("?"))
        text = pages.get(request.full_path.rstrip("?"))
        if text is None:
            return Response("not found", 404)
        if text.startswith("/"):
            return redirect(text)
        kind = (
            "text/html" if text.startswith("<") else "application/json" if text.startswith("{") else "text/javascript"
        )
        return Response(text, content_type=kind)

    with werkzeug(app) as url:
        yield Service(url)


def found(service: Service) -> dict[str, list[str]]:
    """Where the documents are, each with its paths."""
    return {each.location: list(each.content["paths"]) for each in find_documents(service, REDACT)}


# --- Usual places, and pages -----------------------------------------------------------------------------------------


def test_fastapi_with_an_application_mounted_in_it() -> None:
    app, mounted = fastapi.FastAPI(), fastapi.FastAPI()

    @app.get("/things/{thing_id}", tags=["things"])
    def read_thing(thing_id: int, lang: str, limit: int = 10) -> None: ...

    @mounted.get("/parts")
    def parts() -> None: ...

    app.mount("/api/v1", mounted)
    with uvicorn_server(app) as url:
        service = Service(url)
        documents = find_documents(service, REDACT)
        assert [each.location for each in documents] == ["/openapi.json", "/api/v1/openapi.json"]
        with Client(service, redact=REDACT) as client:
            (thing,), (part,) = located_operations(documents, service, client.fetch)
    assert (thing.template, thing.group) == ("/things/{thing_id}", "things")
    assert [(each.name, each.value) for each in thing.parameters if each.required] == [("lang", "a"), ("thing_id", "1")]
    assert part.template == "/api/v1/parts"


UIS = {
    "Swagger UI": "<script>SwaggerUIBundle({url: '/hidden/a.json', dom_id: '#swagger-ui'})</script>",
    "Swagger UI in a template of Django": r"<script>SwaggerUIBundle({url: '\u002Fhidden\u002Fa.json'})</script>",
    "Swagger UI with escaped slashes": r'<script>SwaggerUIBundle({"url": "\/hidden\/a.json"})</script>',
    "ReDoc": '<redoc spec-url="../hidden/a.json"></redoc>',
    "ReDoc in a script": "<script>Redoc.init('/hidden/a.json', {}, document.body)</script>",
    "Scalar": '<script id="api-reference" data-url="/hidden/a.json"></script>',
    "Scalar in an attribute": '<p id=api-reference data-configuration="{&quot;url&quot;:&quot;/hidden/a.json&quot;}">',
    "RapiDoc": "<rapi-doc spec-url = '/hidden/a.json'> </rapi-doc>",
    "Stoplight": '<elements-api apiDescriptionUrl="/hidden/a.json" />',
    "a variable": '<title>Swagger</title><script>const at = new URL("/hidden/openapi.json"); ui({url: at})',
    "a link": '<a href="/hidden/openapi.json">OpenAPI</a>',
    "a frame": "<div onclick=\"location.href='/hidden/openapi.json'\">",
}


@pytest.mark.parametrize("page", UIS.values(), ids=UIS.keys())
def test_the_address_in_a_page(page: str) -> None:
    hidden = dict.fromkeys(("/hidden/a.json", "/hidden/openapi.json"), document())
    with site({"/docs": "/docs/", "/docs/": page, **hidden}) as service:
        assert list(found(service).values()) == [["/things"]]


def test_all_documents_of_a_page_with_several() -> None:
    settings = json.dumps({"configUrl": "/x", "urls": [{"url": "/api/a.json", "name": "a"}, {"url": "/api/b.json"}]})
    pages = {
        "/": '<a href="/swagger-ui/index.html">Documentation</a>',
        "/swagger-ui/index.html": '<script src="swagger-ui-bundle.js"></script><script src="./swagger-initializer.js">',
        "/swagger-ui/swagger-initializer.js": 'SwaggerUIBundle({ url: "https://petstore.example.com/v2/swagger.json", '
        '"configUrl" : "/v3/api-docs/swagger-config" })',
        "/swagger-ui/swagger-ui-bundle.js": "url: '/too-large'",
        "/v3/api-docs/swagger-config": settings,
        "/api/a.json": document("/a"),
        "/api/b.json": document("/b"),
    }
    log: list[str] = []
    with site(pages, log) as service:
        assert found(service) == {"/api/a.json": ["/a"], "/api/b.json": ["/b"]}
    assert "/swagger-ui/swagger-ui-bundle.js" not in log
    assert "/v2/swagger.json" in log  # a usual place here, whatever another host has there


def test_a_document_in_the_script_of_a_page() -> None:
    script = f'window.onload = function() {{ let options = {{"swaggerDoc": {document()}, "customOptions": {{}} }} }}'
    pages = {
        "/api-docs": "/api-docs/",
        "/api-docs/": "<script src='./swagger-ui-init.js'>",
        "/api-docs/swagger-ui-init.js": script,
    }
    with site(pages) as service:
        assert found(service) == {"/api-docs/swagger-ui-init.js": ["/things"]}


def test_a_page_that_is_the_document_in_another_format() -> None:
    pages = {"/swagger/": '<script src="/static/drf-yasg/swagger-ui-init.js">', "/swagger/?format=openapi": document()}
    with site(pages) as service:
        assert found(service) == {"/swagger/?format=openapi": ["/things"]}


def test_one_document_in_several_places_counts_once() -> None:
    text = document()
    with site({"/openapi.json": text, "/swagger.json": text, "/docs": "<redoc spec-url=/openapi.json>"}) as service:
        assert found(service) == {"/openapi.json": ["/things"]}


def test_what_only_looks_like_one_is_none() -> None:
    pages = {
        "/": '{"openapi": "/v7/openapi.json", "swagger": null}',
        "/openapi.json": "<title>An application of one page, for any path</title>",
        "/swagger.json": '{"error": "no", "url": "/data"}',
        "/openapi.yaml": "{",
        "/api/schema/": '{"type": "object"}',
    }
    log: list[str] = []
    with site(pages, log) as service:
        assert found(service) == {}
    assert "/data" not in log
    assert len(log) == len(set(log))


def test_no_other_host_is_requested_and_nothing_that_looks_like_an_action() -> None:
    log: list[str] = []
    with site({"/a.json": document()}, log) as other:
        page = f"<script>swagger({{url: '{other.base_url}/a.json'}}, {{url: '/session/logout'}}, {{url: 'http://[/x'}})"
        own: list[str] = []
        with site({"/docs": page}, own) as service:
            assert found(service) == {}
    assert log == []
    assert "/docs" in own
    assert "/session/logout" not in own


def test_a_page_without_end_of_addresses_is_left() -> None:
    log: list[str] = []
    pages = {f"/docs/{number}": f"<a href=/docs/{number + 1}>" for number in range(1000)}
    with site({"/docs": "<a href=/docs/0>", **pages}, log) as service:
        assert found(service) == {}
    assert 100 < len(log) < 200


def test_a_service_below_a_path_is_searched_there_and_at_its_root() -> None:
    with site({"/app/openapi.json": document("/a"), "/openapi.json": document("/b")}) as service:
        below = Service(f"{service.base_url}/app")
        assert found(below) == {"/app/openapi.json": ["/a"], "/openapi.json": ["/b"]}


@pytest.mark.parametrize(
    ("path", "base_url", "named_as"),
    [
        ("/openapi.json", "http://localhost", "/openapi.json"),
        ("/app/openapi.json", "http://localhost/app/", "/openapi.json"),
        ("/openapi.json", "http://localhost/app", None),
        ("/schema/?format=openapi", "http://localhost", None),
        (None, "http://localhost", None),
    ],
)
def test_as_the_baseline_names_it(path: str | None, base_url: str, named_as: str | None) -> None:
    assert OpenApiDocument("x", path, {}).below(Service(base_url)) == named_as


def test_headers_of_the_service_are_sent() -> None:
    app = Flask(__name__)

    @app.get("/openapi.json")
    def openapi() -> Any:
        allowed = request.headers.get("X-Key") == "k" and request.headers["Accept"].startswith("application/json")
        return Response(document() if allowed else "{}", content_type="application/json")

    with werkzeug(app) as url:
        assert found(Service(url)) == {}
        assert found(Service(url, headers=(("X-Key", "k"),))) == {"/openapi.json": ["/things"]}


def test_a_service_that_limits_the_rate_of_requests_is_left_alone() -> None:
    app = Flask(__name__)
    statuses: list[int] = []

    @app.get("/<path:path>")
    def limited(path: str) -> Any:
        statuses.append(404 if len(statuses) < 10 else 429)
        return Response("no", statuses[-1])

    with werkzeug(app) as url:
        assert found(Service(url)) == {}
    assert statuses.count(429) == 2


def test_a_service_that_is_down_is_not_requested_again_and_again() -> None:
    assert find_documents(Service("http://127.0.0.1:1"), REDACT) == []


# --- Named documents -------------------------------------------------------------------------------------------------


def named(source: str, service: Service) -> list[OpenApiDocument]:
    return named_documents(source, service, REDACT)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text("openapi: 3.1.0\npaths:\n  /things: {get: {}}\n", encoding="utf-8")
    content = {"openapi": "3.1.0", "paths": {"/things": {"get": {}}}}
    assert named(str(file), Service("http://localhost")) == [OpenApiDocument(str(file), None, content)]


def test_a_path_of_the_service_a_url_of_another_and_a_page() -> None:
    with (
        site({"/x.json": document(), "/page": "<redoc spec-url='x.json'>"}) as other,
        site({"/app/y": document("/y")}) as own,
    ):
        service = Service(f"{own.base_url}/app", headers=(("X-Key", "k"),))
        assert [(each.location, each.path) for each in named("/y", service)] == [("/y", "/app/y")]
        url = f"{other.base_url}/x.json"
        assert [(each.location, each.path) for each in named(url, service)] == [(url, None)]
        assert [list(each.content["paths"]) for each in named(f"{other.base_url}/page", service)] == [["/things"]]


def test_another_host_gets_no_header_of_the_service() -> None:
    app = Flask(__name__)

    @app.get("/openapi.json")
    def openapi() -> Any:
        return Response(document("/leaked" if "X-Key" in request.headers else "/fine"), content_type="application/json")

    with werkzeug(app) as url:
        service = Service("http://127.0.0.1:1", headers=(("X-Key", "k"),))
        assert [list(each.content["paths"]) for each in named(f"{url}/openapi.json", service)] == [["/fine"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "it has neither 'openapi' nor 'swagger' with a version"),
        ("- a", "it has neither 'openapi' nor 'swagger' with a version"),
        ('{"openapi": ', "not valid JSON: Expecting value: line 1 column 13 (char 12)"),
        ("a: 'b", "not valid YAML: found unexpected end of stream (line 1, column 6)"),
    ],
)
def test_a_file_that_is_none_is_a_usage_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        named(str(file), Service("http://localhost"))
    assert raised.value.message == f"{file} cannot be read as an OpenAPI document: {message}"
    assert raised.value.remedy == "OpenAPI 2.0 to 3.2 is read, as JSON or YAML of up to 32 MB"


def test_a_name_of_no_file(tmp_path: Path) -> None:
    causes = {
        str(tmp_path): "cannot be read: Is a directory",
        "a\0b": "cannot be read: embedded null",
        "a": "not found",
    }
    for name, message in causes.items():
        with pytest.raises(UsageError, match=message):
            named(name, Service("http://localhost"))


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("{url}/absent.json", CouldNotMeasureError, "/absent.json returned no OpenAPI document: 404"),
        ("/absent.json", CouldNotMeasureError, "/absent.json returned no OpenAPI document: 404"),
        ("{url}/data", UsageError, "/data cannot be read as an OpenAPI document: it has neither"),
        ("{url}/page", UsageError, "/page cannot be read as an OpenAPI document: it has neither"),
        ("http://127.0.0.1:1/openapi.json", CouldNotMeasureError, "returned no OpenAPI document: "),
        ("http://user:secret@[/x", UsageError, "not a valid URL"),
        ("https://", UsageError, "the URL has no valid host"),
    ],
)
def test_an_address_without_a_document(source: str, error: type[PerfcheckError], message: str) -> None:
    with site({"/data": "{}", "/page": "<title>%</title>"}) as service:
        with pytest.raises(error) as raised:
            named(source.format(url=service.base_url), service)
        assert message in raised.value.message
        assert "secret" not in raised.value.message
        assert raised.value.remedy


# --- The prefix ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "place", "real", "template"),
    [
        ({}, "/openapi.json", "/things", "/things"),
        ({"servers": [{"url": "/v1"}]}, "/openapi.json", "/v1/things", "/v1/things"),
        ({"servers": [{"url": "/v1"}]}, "/openapi.json", "/things", "/things"),  # a proxy removes it
        ({}, "/api/openapi.json", "/api/things", "/api/things"),  # mounted, and not aware of it
        ({"servers": [{"url": "/v1"}]}, "/openapi.json", "/nowhere", "/v1/things"),
    ],
)
def test_the_prefix_that_finds_something(stated: Any, place: str, real: str, template: str) -> None:
    with site({place: document(**stated), real: '{"id": 1}'}) as service, Client(service, redact=REDACT) as client:
        (only,) = find_documents(service, REDACT)
        assert [each.template for (each,) in located_operations([only], service, client.fetch)] == [template]


def test_a_document_with_many_servers_costs_a_bounded_number_of_requests() -> None:
    paths: list[str] = []

    def fetch(endpoint: Endpoint) -> Fetched:
        paths.append(endpoint.path)
        return Fetched(status=404)

    servers = [{"url": f"/v{number}"} for number in range(1000)]
    many = OpenApiDocument("/openapi.json", "/openapi.json", json.loads(document(servers=servers)))
    ((only,),) = located_operations([many], Service("http://localhost"), fetch)
    assert only.template == "/v0/things"
    assert len(paths) < 50


def test_a_template_is_below_the_base_url() -> None:
    with site({"/app/openapi.json": document(servers=[{"url": "/app/v1"}]), "/app/v1/things": "{}"}) as service:
        below = Service(f"{service.base_url}/app")
        (only,) = find_documents(below, REDACT)
        with Client(below, redact=REDACT) as client:
            assert [each.template for (each,) in located_operations([only], below, client.fetch)] == ["/v1/things"]
