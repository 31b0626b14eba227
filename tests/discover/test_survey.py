"""Which operations of a real service become candidates, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from apps.serving import werkzeug
from flask import Flask, Response, jsonify, redirect, request

from perfcheck.client.client import Client
from perfcheck.discover.merge import merge
from perfcheck.discover.survey import survey
from perfcheck.model import Service
from perfcheck.model.operation import Basis, FoundIn, Operation, Parameter, ParameterLocation, Survey
from perfcheck.text import Redactor

PARTS = {7: ["bolt", "nut"], 9: ["washer"]}


def library(log: list[str]) -> Flask:
    app = Flask(__name__)

    @app.before_request
    def note() -> None:
        log.append(f"{request.method} {request.full_path.rstrip('?')}")

    @app.get("/things/")
    def things() -> Any:
        return jsonify({"count": 2, "results": [{"id": number, "owner": "ada"} for number in PARTS]})

    @app.get("/things/<int:number>")
    def thing(number: int) -> Any:
        return (jsonify({"id": number}), 200) if number in PARTS else (jsonify({}), 404)

    @app.get("/things/<int:number>/parts")
    def parts(number: int) -> Any:
        return jsonify(PARTS[number])

    @app.get("/things/<int:number>/parts/<name>")
    def part(number: int, name: str) -> Any:
        return (jsonify({"name": name}), 200) if name in PARTS[number] else (jsonify({}), 404)

    @app.get("/by-owner")
    def by_owner() -> Any:
        return jsonify({"owner": request.args["owner"]}), 200 if request.args["owner"] == "ada" else 404

    @app.get("/orders/<int:number>")
    def order(number: int) -> Any:
        return jsonify({"number": number}), 404

    @app.get("/private")
    def private() -> Any:
        return jsonify({}), 401

    @app.get("/logout")
    @app.post("/things/search")
    @app.delete("/things/<int:number>")
    def change(number: int = 0) -> Any:
        return jsonify({"number": number})

    return app


def operation(line: str, *parameters: Parameter, found_in: FoundIn = FoundIn.OPENAPI, **values: Any) -> Operation:
    method, _, template = line.partition(" ")
    return Operation(method, template, (found_in,), parameters=parameters, **values)


def query(name: str, value: str | None = None, basis: Basis = Basis.GUESS) -> Parameter:
    return Parameter(name, ParameterLocation.QUERY, value=value, basis=basis)


def path(name: str, value: str, basis: Basis = Basis.GUESS) -> Parameter:
    return Parameter(name, ParameterLocation.PATH, value=value, basis=basis)


OPERATIONS = (
    operation("GET /things/{thing_id}/parts/{part}", path("thing_id", "1"), path("part", "a")),
    operation("GET /things/{thing_id}/parts", path("thing_id", "1")),
    operation("GET /things/{thing_id}", path("thing_id", "1")),
    operation("HEAD /things/"),
    operation("OPTIONS /things/"),
    operation("GET /things"),
    operation("GET /by-owner", query("owner", "a")),
    operation("GET /orders/{order_id}", path("order_id", "1")),
    operation("GET /private"),
    operation("GET /logout"),
    operation("POST /things/search"),
    operation("DELETE /things/{thing_id}"),
    operation("GET /old", reason="deprecated"),
    operation("GET /colours/{colour}"),
)


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def client(log: list[str]) -> Iterator[Client]:
    with werkzeug(library(log)) as url, Client(Service(url), redact=Redactor()) as client:
        yield client


def surveyed(client: Client, operations: tuple[Operation, ...] = OPERATIONS, **options: Any) -> Survey:
    return survey(merge(operations), Service(client.base_url_shown), client.fetch, **options)


def test_ids_come_from_the_lists_before(client: Client) -> None:
    found = surveyed(client)
    assert {(each.operation.template, each.endpoint.path, each.endpoint.query) for each in found.candidates} == {
        ("/things", "/things/", ()),
        ("/things/{thing_id}", "/things/7", ()),
        ("/things/{thing_id}/parts", "/things/7/parts", ()),
        ("/things/{thing_id}/parts/{part}", "/things/7/parts/bolt", ()),
        ("/by-owner", "/by-owner", (("owner", "ada"),)),
    }


def test_everything_else_is_left_out_with_a_reason(client: Client) -> None:
    left_out = {f"{each.operation.method} {each.operation.template}": each for each in surveyed(client).left_out}
    assert {name: each.reason for name, each in left_out.items()} == {
        "GET /orders/{order_id}": "no id to be had: HTTP 404 with a made-up value for {order_id}",
        "GET /private": "HTTP 401",
        "GET /logout": "'logout' looks like an action",
        "POST /things/search": "a POST that may only read",
        "DELETE /things/{thing_id}": "may change something",
        "GET /old": "deprecated",
        "GET /colours/{colour}": "no value known for {colour}",
    }
    assert "'auth' in the baseline" in (left_out["GET /private"].remedy or "")


def test_nothing_that_may_change_something_is_requested(client: Client, log: list[str]) -> None:
    surveyed(client)
    assert {line.partition(" ")[0] for line in log} == {"GET"}
    assert not [line for line in log if "logout" in line]


def test_what_is_named_is_requested_all_the_same(client: Client, log: list[str]) -> None:
    found = surveyed(client, allowed=["/logout", "POST /things/*"])
    assert {"GET /logout", "POST /things/search"} <= set(log)
    assert {"/logout", "/things/search"} <= {each.operation.template for each in found.candidates}
    assert not [line for line in log if line.startswith("DELETE")]


def test_an_operation_costs_at_most_three_requests(client: Client, log: list[str]) -> None:
    surveyed(client)
    paths = [line.partition("?")[0] for line in log]
    assert max(paths.count(each) for each in set(paths)) <= 3


def test_without_time_every_operation_is_left_out_for_that(client: Client) -> None:
    found = surveyed(client, (operation("GET /things/"),), longest_s=-1.0)
    assert [each.reason for each in found.left_out] == ["no time was left"]


def test_a_page_that_is_returned_for_any_path_is_no_operation() -> None:
    app = Flask(__name__)

    @app.get("/<path:anything>")
    def page(anything: str) -> Response:
        return jsonify([]) if anything == "api/things" else Response("<html>app</html>", mimetype="text/html")

    with werkzeug(app) as url, Client(Service(url), redact=Redactor()) as client:
        found = surveyed(client, (operation("GET /api/things"), operation("GET /api/lost")))
    assert [each.operation.template for each in found.candidates] == ["/api/things"]
    assert [each.reason for each in found.left_out] == ["returned the page that the service returns for any path"]


def test_what_was_seen_is_an_operation_of_the_document_that_it_fits() -> None:
    seen = operation("GET /things/7", found_in=FoundIn.HAR, requests=12)
    other = operation("GET /elsewhere/{id}", path("id", "3", Basis.OBSERVED), found_in=FoundIn.ACCESS_LOG)
    listed = operation("GET /things/{thing_id}", path("thing_id", "1"))
    first, second = merge((seen, other, listed))
    assert (first.template, first.requests) == ("/things/{thing_id}", 12)
    assert first.found_in == (FoundIn.OPENAPI, FoundIn.HAR)
    assert first.parameters == (path("thing_id", "7", Basis.OBSERVED),)
    assert second.template == "/elsewhere/{id}"


def test_a_parameter_may_have_a_dash_in_its_name() -> None:
    listed = operation("GET /things/{thing-id}/{part.no}", path("thing-id", "1"), path("part.no", "1"))
    (merged,) = merge((listed, operation("GET /things/7/nut", found_in=FoundIn.HAR)))
    assert [(each.name, each.value) for each in merged.parameters] == [("thing-id", "7"), ("part.no", "nut")]


def test_names_of_path_parameters_are_those_of_the_source_that_is_trusted_most() -> None:
    monitor = operation("GET /things/{number}", found_in=FoundIn.MONITOR, monitor_name="GET /things/<int:number>")
    document = operation("GET /things/{thing_id}", path("thing_id", "5", Basis.EXAMPLE))
    (merged,) = merge((document, monitor))
    assert merged.template == "/things/{number}"
    assert merged.parameters == (path("number", "5", Basis.EXAMPLE),)


def test_a_redirect_is_followed_as_far_as_it_is_one_to_read() -> None:
    app, requested = Flask(__name__), list[str]()
    app.before_request(lambda: requested.append(request.path))
    targets = {
        "/": "/welcome?page=1",
        "/account": "/accounts/login?next=/account",
        "/away": "http://127.0.0.1:1/elsewhere",
        "/twice": "/then",
        "/then": "/logout",
        "/round": "/round-and-round",
        "/round-and-round": "/round-and-round",
        "/list": "/list/",
    }
    for number, (source, target) in enumerate(targets.items()):
        app.add_url_rule(source, str(number), lambda target=target: redirect(target))
    for path in ("/welcome", "/accounts/login", "/logout", "/list/"):
        app.add_url_rule(path, path, lambda: "page")
    names = ("/", "/account", "/away", "/twice", "/round", "/list")
    with werkzeug(app) as url, Client(Service(url), redact=Redactor()) as client:
        found = surveyed(client, tuple(operation(f"GET {name}") for name in names))
    assert [(each.endpoint.path, each.endpoint.follow_redirects) for each in found.candidates] == [
        ("/", True),
        ("/list/", False),
    ]
    assert {each.operation.template: each.reason for each in found.left_out} == {
        "/account": "redirects to a login",
        "/away": "redirects to another service",
        "/twice": "redirects to 'logout', which looks like an action",
        "/round": "redirects without an end",
    }
    assert not {"/logout", "/accounts/login"}.intersection(requested)


def test_a_post_that_reads_has_ids_as_a_list_has() -> None:
    app = Flask(__name__)
    app.add_url_rule("/flows/filter", "filter", lambda: jsonify([{"id": 3}]), methods=["POST"])
    app.add_url_rule("/flows/<int:number>", "flow", lambda number: (jsonify(number), 200 if number == 3 else 404))
    operations = (operation("POST /flows/filter"), operation("GET /flows/{id}", path("id", "1")))
    with werkzeug(app) as url, Client(Service(url), redact=Redactor()) as client:
        found = surveyed(client, operations, allowed=["POST */filter"])
    assert [each.endpoint.path for each in found.candidates] == ["/flows/filter", "/flows/3"]


def test_a_parameter_that_a_query_repeats_is_repeated() -> None:
    tags = (query("tag", "live", Basis.OBSERVED), query("tag", "acoustic", Basis.OBSERVED))
    seen = operation("GET /things", *tags, found_in=FoundIn.HAR)
    listed = operation("GET /things/", query("tag", "a"), query("page", "1"))
    (merged,) = merge((listed, seen))
    assert [(each.name, each.value) for each in merged.parameters] == [
        ("tag", "live"),
        ("page", "1"),
        ("tag", "acoustic"),
    ]


def names_of(log: list[str]) -> Flask:
    app = Flask(__name__)
    app.before_request(lambda: log.append(request.full_path.rstrip("?")))
    app.add_url_rule("/names", "names", lambda: jsonify(["logout", "ada"]))
    app.add_url_rule("/names/<name>", "name", jsonify)
    app.add_url_rule("/things", "things", lambda: jsonify(dict(request.args)))
    return app


def test_no_value_makes_an_action_of_a_route() -> None:
    log: list[str] = []
    observed = (
        query("action", "delete", Basis.OBSERVED),
        query("logout", "1", Basis.OBSERVED),
        query("start", "0", Basis.OBSERVED),
    )
    lines = (operation("GET /names"), operation("GET /names/{name}"))
    with werkzeug(names_of(log)) as url, Client(Service(url), redact=Redactor()) as client:
        found = surveyed(client, lines)
        others = [surveyed(client, (operation("GET /things", each),)) for each in observed]
        allowed = surveyed(client, (operation("GET /things", observed[0]),), allowed=["/things"])
    assert [each.endpoint.path for each in found.candidates] == ["/names", "/names/ada"]
    assert [[each.reason for each in other.left_out] for other in others] == [
        ["'delete' looks like an action"],
        ["'logout' looks like an action"],
        [],
    ]
    assert len(allowed.candidates) == 1
    assert "/names/logout" not in log


@pytest.mark.parametrize("location", ["http://[x", "//[", "", "http://localhost:99999/login"])
def test_a_redirect_to_what_is_no_address_is_a_reason(location: str) -> None:
    app = Flask(__name__)
    app.add_url_rule("/a", "a", lambda: Response(status=302, headers={"Location": location}))
    with werkzeug(app) as url, Client(Service(url), redact=Redactor()) as client:
        found = surveyed(client, (operation("GET /a"),))
    assert [each.operation.template for each in found.left_out] == ["/a"]
