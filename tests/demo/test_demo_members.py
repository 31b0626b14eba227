"""What the sample service has for members: logins that expire, favourites, POST search, GraphQL, events, a limit."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sample_service import serving
from support.waiting import eventually

from perfcheck.baseline import load_baseline
from perfcheck.demo import logins, members
from perfcheck.demo.call import ApiRequest, Reply
from perfcheck.demo.demo_server import DemoServer
from perfcheck.demo.members import FAVOURITES_PATH, MEMBER_ROUTES
from perfcheck.demo.service import SampleService, methods_of, route_of
from perfcheck.discover.openapi.parser import parse_openapi

DEMO = {"user": "demo", "password": "demo"}
GRANT = {"grant_type": "client_credentials"}
CLIENT = ("demo", "demo")
EXAMPLE = Path(__file__).parents[2] / "examples" / "real-api.yaml"
FORM = "application/x-www-form-urlencoded"
SOME = "{ videos(limit: 2) { id title } }"


def client_of(server: DemoServer) -> httpx.Client:
    return httpx.Client(base_url=server.url, trust_env=False, timeout=10)


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with serving(rate_limit=1000) as made:
        yield made


@pytest.fixture
def client(server: DemoServer) -> Iterator[httpx.Client]:
    """Without a login, and without the cookies of other tests."""
    with client_of(server) as made:
        yield made


@pytest.fixture
def member(client: httpx.Client) -> httpx.Client:
    """Logged in by a token; without the cookie."""
    client.headers["Authorization"] = f"Bearer {token_of(client)}"
    client.cookies.clear()
    return client


@pytest.fixture
def now_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of tokens and of the limit."""
    now_s = [1000.0]
    for module in (logins, members):
        monkeypatch.setattr(module, "monotonic", lambda: now_s[0])
    return now_s


@pytest.fixture(scope="module")
def service() -> Iterator[SampleService]:
    made = SampleService(round_trip_ms=0)
    yield made
    made.close()


def token_of(client: httpx.Client) -> str:
    response = client.post("/api/login", json=DEMO)
    assert response.status_code == 200
    return str(response.json()["access_token"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- Logins ----------------------------------------------------------------------------------------------------------


def test_a_login_is_a_token_and_a_cookie(client: httpx.Client) -> None:
    response = client.post("/api/login", json=DEMO)
    token = response.json()["access_token"]
    assert response.json() == {"access_token": token, "token_type": "Bearer", "expires_in": 300}
    assert response.headers["Set-Cookie"].startswith(f"session={token}; ")
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert client.get("/api/account").json() == {"name": "demo", "favourites": 0}  # by the cookie
    client.cookies.clear()
    assert client.get("/api/account").status_code == 401
    assert client.get("/api/account", headers=bearer(token)).status_code == 200
    assert client.head("/api/account", headers={"authorization": f"bearer {token}"}).status_code == 200
    assert token_of(client) != token


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"user": "demo", "password": "wrong"}', 401),
        (b'{"user": "demo"}', 401),
        (b'{"user": ["demo"], "password": {}}', 401),
        (b"", 400),
        (b"user=demo&password=demo", 400),
        (b'["demo", "demo"]', 400),
        (b'{"user": "\xff"}', 400),
        (b"[" * 100_000, 400),
    ],
)
def test_a_wrong_login_is_refused(client: httpx.Client, body: bytes, status: int) -> None:
    response = client.post("/api/login", content=body)
    assert response.status_code == status
    assert response.json()["message"]
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/account"),
        ("GET", FAVOURITES_PATH),
        ("POST", FAVOURITES_PATH),
        ("DELETE", f"{FAVOURITES_PATH}1"),
        ("POST", "/api/logout"),
    ],
)
def test_without_a_valid_token_there_is_no_access(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"] == "Unauthorized"
    for headers in (bearer("wrong"), {"Cookie": "a=b; session=wrong"}):
        refused = client.request(method, path, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert client.request(method, path, auth=("demo", "demo")).status_code == 401


def test_a_logout_ends_the_token_and_the_cookie(member: httpx.Client) -> None:
    response = member.post("/api/logout")
    assert (response.status_code, response.content) == (204, b"")
    assert "Content-Length" not in response.headers
    assert response.headers["Set-Cookie"].startswith("session=; ")
    assert member.get("/api/account").status_code == 401


def test_a_token_expires(now_s: list[float]) -> None:
    with serving(token_lifetime_s=0.3) as server, client_of(server) as client:
        headers = bearer(token_of(client))
        client.cookies.clear()
        now_s[0] += 0.29
        assert client.get("/api/account", headers=headers).status_code == 200
        now_s[0] += 0.02
        assert client.get("/api/account", headers=headers).status_code == 401


def test_only_the_latest_tokens_and_favourites_are_kept(service: SampleService) -> None:
    def sent(method: str, path: str, body: object, token: str = "") -> Reply:
        return service.answer(
            ApiRequest(method, path, "", {"authorization": f"Bearer {token}"}, json.dumps(body).encode())
        )

    def token() -> str:
        body = sent("POST", "/api/login", DEMO).body
        assert body is not None
        return str(body["access_token"])

    first, second = token(), token()
    last = [token() for _ in range(logins._MOST_TOKENS - 1)][-1]
    statuses = [sent("GET", "/api/account", None, each).status for each in (first, second, last)]
    assert statuses == [401, 200, 200]
    for _ in range(members._MOST_FAVOURITES + 5):
        assert sent("POST", FAVOURITES_PATH, {"video": 3}, last).status == 201
    assert sent("GET", "/api/account", None, last).body == {"name": "demo", "favourites": members._MOST_FAVOURITES}


def test_client_credentials_by_header_or_form(client: httpx.Client) -> None:
    by_form = {**GRANT, "client_id": "demo", "client_secret": "demo"}
    for response in (client.post("/oauth/token", data=GRANT, auth=CLIENT), client.post("/oauth/token", data=by_form)):
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert response.json().keys() == {"access_token", "token_type", "expires_in"}
        assert client.get("/api/account", headers=bearer(response.json()["access_token"])).status_code == 200


@pytest.mark.parametrize(
    ("form", "authorization", "status", "error"),
    [
        ("", "Basic ZGVtbzpkZW1v", 400, "invalid_request"),
        ("grant_type=a&grant_type=b", "Basic ZGVtbzpkZW1v", 400, "invalid_request"),
        ("grant_type=%FF", "Basic ZGVtbzpkZW1v", 400, "invalid_request"),
        ("grant_type=client_credentials&client_secret=demo", "Basic ZGVtbzpkZW1v", 400, "invalid_request"),
        ("grant_type=password", "Basic ZGVtbzpkZW1v", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", None, 401, "invalid_client"),
        ("grant_type=client_credentials", "Basic ZGVtbzp3cm9uZw==", 401, "invalid_client"),
        ("grant_type=client_credentials", "Basic ?", 401, "invalid_client"),
        ("grant_type=client_credentials", "Bearer ZGVtbzpkZW1v", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=demo&client_secret=x", None, 401, "invalid_client"),
    ],
)
def test_errors_of_oauth(client: httpx.Client, form: str, authorization: str | None, status: int, error: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = client.post("/oauth/token", content=form, headers=headers)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_description"]
    assert ("WWW-Authenticate" in response.headers) == (status == 401)


# --- Account, search -------------------------------------------------------------------------------------------------


def test_a_favourite_is_added_listed_and_removed(member: httpx.Client) -> None:
    added = member.post(FAVOURITES_PATH, json={"video": 7})
    number = added.json()["id"]
    assert (added.status_code, added.headers["Location"]) == (201, f"{FAVOURITES_PATH}{number}")
    (listed,) = member.get(FAVOURITES_PATH).json()["favourites"]
    assert (listed["id"], listed["video"]["id"]) == (number, 7)
    assert listed["video"]["title"] == member.get("/api/videos/7").json()["video"]["title"]
    assert member.delete(added.headers["Location"]).status_code == 204
    assert member.delete(added.headers["Location"]).status_code == 404
    assert member.get(FAVOURITES_PATH).json() == {"favourites": [], "total": 0}
    assert member.get("/api/health").status_code == 200  # the connection is in order after a 204


@pytest.mark.parametrize("video", [0, 3001, "7", None, True, 7.0, [7]])
def test_only_a_video_can_be_a_favourite(member: httpx.Client, video: object) -> None:
    assert member.post(FAVOURITES_PATH, json={"video": video}).status_code == 400


def test_post_search_finds_what_the_video_search_does(client: httpx.Client) -> None:
    found = client.post("/api/search", json={"q": "love & é", "limit": 3})
    assert found.json()["query"] == "love & é"
    found = client.post("/api/search", json={"q": "love", "limit": 3})
    assert found.json() == client.get("/api/videos/search?q=love&limit=3").json()
    assert found.json()["total"] > 3 == len(found.json()["videos"])
    assert found.headers["X-Query-Count"] == "6"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "q is required"),
        ({"q": " "}, "q is required"),
        ({"q": 1}, "q must be a text"),
        ({"q": "a", "limit": "3"}, "limit a whole number"),
        ({"q": "a", "limit": True}, "limit a whole number"),
        ({"q": "a", "limit": 0}, "limit must be a whole number from 1 to 200"),
        ({"q": "a" * 101}, "longer than 100"),
        ({"q": "a", "colour": "red"}, "unknown parameter 'colour'"),
        ({"q": "\ud800"}, "q cannot be read"),
        (["a"], "the body is not a JSON object"),
    ],
)
def test_post_search_reports_what_is_wrong(client: httpx.Client, body: object, words: str) -> None:
    response = client.post("/api/search", content=json.dumps(body))
    assert response.status_code == 400
    assert words in response.json()["message"]


# --- GraphQL ---------------------------------------------------------------------------------------------------------


def graphql(client: httpx.Client, query: str, **variables: Any) -> Any:
    response = client.post("/graphql", json={"query": query, "variables": variables})
    assert response.status_code == 200
    return response.json()


def test_graphql_selects_fields_of_videos(client: httpx.Client) -> None:
    video = client.get("/api/videos/3").json()["video"]
    assert graphql(client, "{ video(id: 3) { id title } }") == {"data": {"video": {"id": 3, "title": video["title"]}}}
    assert [each["id"] for each in graphql(client, SOME)["data"]["videos"]] == [1, 2]
    assert len(graphql(client, "{videos{id}}")["data"]["videos"]) == 10
    assert graphql(client, "{ video(id: 3001) { id } }") == {"data": {"video": None}}
    assert graphql(client, "# both\nquery Some { a: video(id: 1) { number: id } b: video(id: 2) { id } }") == {
        "data": {"a": {"number": 1}, "b": {"id": 2}}
    }


def test_graphql_takes_variables_by_post_and_get(client: httpx.Client) -> None:
    query = "query Page($limit: Int! = 4, $id: ID) { videos(limit: $limit) { id } video(id: $id) { id } }"
    assert len(graphql(client, query, limit=2, id=5)["data"]["videos"]) == 2
    assert len(graphql(client, query, id=5)["data"]["videos"]) == 4
    assert graphql(client, query, id="5") == graphql(client, query, id=5)
    for wrong in ("9" * 5000, True, [5], None):
        assert "must be an integer" in graphql(client, query, id=wrong)["errors"][0]["message"]
    by_get = client.get("/graphql", params={"query": query, "variables": '{"id": 5, "limit": 2}'})
    assert by_get.json() == graphql(client, query, limit=2, id=5)
    assert client.head("/graphql", params={"query": SOME}).status_code == 200


@pytest.mark.parametrize(
    ("query", "message", "location"),
    [
        ("{ videos { colour } }", "Cannot query field 'colour' on type 'Video'", (1, 12)),
        ("{\n  films { id }\n}", "Cannot query field 'films' on type 'Query'", (2, 3)),
        ("# videos, then\n{ videos { id }, a: video(id: 1) { b: c } }", "Cannot query field 'c'", (2, 39)),
        ("{ videos { id }", "Syntax error: expected '}'", (1, 16)),
        ("{ videos }", "Syntax error: expected '}', or a field and what is selected of it", (1, 3)),
        ("{ videos { } }", "Syntax error: expected '}'", (1, 3)),
        ("{ videos { id ? } }", "Syntax error: expected '}'", (1, 3)),
        ("{ videos(limit: many) { id } }", "Syntax error: expected '}'", (1, 3)),
        ("{ videos { id } } }", "Syntax error: expected '}'", (1, 17)),
        ("{}", "Syntax error: expected '}', or a field", (1, 2)),
        ("", "Syntax error: expected a query", (1, 1)),
        ("mutation { videos { id } }", "Syntax error: expected a query", (1, 1)),
        ("{ videos { id }" + " " * 4000 + "}", "a query of at most 4000 characters", (1, 1)),
        ("{ videos(first: 3) { id } }", "Field 'videos' has one argument, 'limit'", (1, 9)),
        ("{ videos(limit: -1) { id } }", "'limit' of 'videos' must be an integer from 1 to 200", (1, 9)),
        ("{ video { id } }", "'id' of 'video' must be an integer from 1 to 2147483647", (1, 8)),
        ("{ video(id: $id) { id } }", "'id' of 'video' must be an integer from 1 to", (1, 8)),
        ("query($id: ID) { video(id: $id) { id } }", "'id' of 'video' must be an integer from 1 to", (1, 23)),
    ],
)
def test_errors_of_graphql_have_status_200(
    client: httpx.Client, query: str, message: str, location: tuple[int, int]
) -> None:
    response = graphql(client, query)
    (error,) = response["errors"]
    assert message in error["message"]
    assert error["locations"] == [{"line": location[0], "column": location[1]}]
    assert "data" not in response


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/graphql", b"{}"),
        ("POST", "/graphql", b"{ videos { id } }"),
        ("POST", "/graphql", b'{"query": "{videos{id}}", "variables": [1]}'),
        ("GET", "/graphql", b""),
        ("GET", "/graphql?query=%FF", b""),
        ("GET", "/graphql?query={videos{id}}&variables=1", b""),
    ],
)
def test_no_query_for_graphql_is_a_400(client: httpx.Client, method: str, target: str, body: bytes) -> None:
    assert client.request(method, target, content=body).status_code == 400


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["/api/login", "/oauth/token", "/api/search", "/graphql"]),
    st.binary()
    | st.text('{}():$!#,query videosdlmt\n123-"').map(lambda text: json.dumps({"query": text, "q": text}).encode()),
)
def test_whatever_is_sent_gets_a_reply(service: SampleService, path: str, body: bytes) -> None:
    reply = service.answer(ApiRequest("POST", path, "", {}, body))
    assert reply.status in {200, 400, 401}
    assert json.dumps(reply.body)


# --- Events, a limit -------------------------------------------------------------------------------------------------


def connection_to(server: DemoServer) -> socket.socket:
    address = httpx.URL(server.url)
    return socket.create_connection((address.host, address.port or 0), timeout=10)


def connected(server: DemoServer, request: str) -> socket.socket:
    connection = connection_to(server)
    connection.sendall(f"{request} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return connection


def test_events_come_until_the_client_leaves() -> None:
    with serving() as server, client_of(server) as client:
        with client.stream("GET", "/api/events") as response:
            assert response.headers["Content-Type"] == "text/event-stream"
            lines = response.iter_lines()
            first = [next(lines) for _ in range(8)]
        assert first[:2] == ["id: 1", "event: viewed"]
        assert first[2].startswith('data: {"message"')
        assert (first[3], first[4]) == ("", "id: 2")
        eventually(lambda: not server._connections)  # its thread has ended, too
        head = client.head("/api/events")
        assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")


def test_a_stream_ends_when_the_service_stops() -> None:
    with serving() as server:
        connection = connected(server, "GET /api/events")
        assert connection.recv(12) == b"HTTP/1.1 200"
    with connection:
        while connection.recv(65536):
            pass


def test_the_limited_route_states_when_to_come_again(now_s: list[float]) -> None:
    with serving(rate_limit=3) as server, client_of(server) as client:
        responses = [client.get("/api/limited") for _ in range(5)]
        assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
        assert responses[3].headers["Retry-After"] == "1"
        assert client.get("/api/health").status_code == 200
        now_s[0] += 1 / 3 + 0.001
        assert [client.get("/api/limited").status_code for _ in range(2)] == [200, 429]
        now_s[0] += 1000
        assert [client.get("/api/limited").status_code for _ in range(4)] == [200, 200, 200, 429]


# --- Regressions -----------------------------------------------------------------------------------------------------


def test_wrong_answers_have_status_200() -> None:
    with serving("wrong-answer") as server, client_of(server) as client:
        headers = bearer(token_of(client))
        assert client.get("/api/account", headers=headers).json() == {"favourites": 0}
        found = client.post("/api/search", json={"q": "love"})
        assert (found.status_code, found.json()["total"], found.json()["videos"]) == (200, 0, [])
        response = graphql(client, SOME)
        assert response["data"] == {"videos": None}
        assert response["errors"] == [{"message": "the catalogue did not respond", "path": ["videos"]}]
        with client.stream("GET", "/api/events") as events:
            lines = events.iter_lines()
            first = [next(lines) for _ in range(6)]
        assert first[1] == "event: error"
        assert first[5] == "event: viewed"


def test_a_slow_step_is_the_search_and_says_in_which_part(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps: list[float] = []
    monkeypatch.setattr(members, "sleep", sleeps.append)
    with serving("slow-step") as server, client_of(server) as client:
        found = client.post("/api/search", json={"q": "love"})
        assert found.json() == client.get("/api/videos/search?q=love").json()
        token_of(client)
        graphql(client, SOME)
    assert sleeps == [0.020]
    assert "ranking;dur=" in found.headers["Server-Timing"]


# --- The description, and HTTP ---------------------------------------------------------------------------------------


def test_the_catalogue_names_the_document_of_the_rest(client: httpx.Client) -> None:
    address = client.get("/openapi.json").json()["externalDocs"]["url"]
    assert parse_openapi(client.get(address).content)
    assert address in client.get("/nothing").json()["message"]


def test_every_operation_works_as_it_is_described(member: httpx.Client) -> None:
    document = member.get("/openapi-members.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(method, path) for path, methods in MEMBER_ROUTES.items() for method in methods}
    for method, path in sorted(described, key=lambda each: each[1] == "/api/logout"):
        operation = document["paths"][path][method.lower()]
        (status,) = operation["responses"]
        number = member.post(FAVOURITES_PATH, json={"video": 7}).json()["id"]
        parameters = {
            each["name"]: each["example"] for each in operation.get("parameters", ()) if each["in"] == "query"
        }
        content = operation.get("requestBody", {}).get("content", {})
        json_body, form = (content.get(kind, {}).get("example") for kind in ("application/json", FORM))
        request = member.build_request(
            method, path.replace("{id}", str(number)), params=parameters, json=json_body, data=form
        )
        if "security" not in operation:
            request.headers.pop("Authorization", None)
        response = member.send(request, stream=True)
        response.close()
        assert response.status_code == int(status), (method, path)


def test_the_example_requests_what_the_service_has() -> None:
    example = load_baseline(EXAMPLE, {})
    requests = [*example.setup, *example.teardown]
    for endpoint in example.endpoints:
        requests += endpoint.steps or [endpoint]
    for request in requests:
        path = re.sub(r"\$\{\w+\}", "7", str(request.path))
        assert request.method in methods_of(route_of(path)[0]), path
    assert {route_of(str(request.path))[0] for request in requests} >= {"/api/login", "/api/search", "/graphql"}


@pytest.mark.parametrize("route", MEMBER_ROUTES)
def test_other_methods_are_not_allowed_for_members(client: httpx.Client, route: str) -> None:
    response = client.put(route.replace("{id}", "7"), content=b"x" * 100_000)
    assert response.status_code == 405
    assert {*response.headers["Allow"].split(", ")} - {"HEAD"} == MEMBER_ROUTES[route].keys()


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"Content-Length: 100", b'{"q": "love"}', 400),  # cut short: never taken for a whole request
        (b"Content-Length: 5", b'{"q": "love"}', 400),
        (b"Content-Length: 1000001", b"", 413),
        (b"Content-Length: -1", b"{}", 400),
        (b"Transfer-Encoding: chunked", b"0\r\n\r\n", 400),
    ],
)
def test_bodies_of_hostile_clients(server: DemoServer, head: bytes, body: bytes, status: int) -> None:
    with connection_to(server) as connection:
        connection.sendall(b"POST /api/search HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s" % (head, body))
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 %d " % status)


def test_a_slow_body_holds_nobody_else_and_not_the_end() -> None:
    with serving() as server, client_of(server) as client:
        slow = connected(server, "POST /api/search HTTP/1.1\r\nContent-Length: 10\r\nX: a")
        assert client.get("/api/health").status_code == 200
    slow.close()
