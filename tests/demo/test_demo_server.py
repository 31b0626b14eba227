from __future__ import annotations

import json
import socket
import socketserver
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread
from typing import Any

import httpx
import pytest
from support.sample_service import serving

from perfcheck.demo.catalogue import STATUSES
from perfcheck.demo.database import POOL_SIZE
from perfcheck.demo.demo_server import base_url_of, create_server
from perfcheck.demo.service import ROUTES, SampleService
from perfcheck.judge.server_timing import parse_descriptions, parse_server_timing

QUERIES = {"/api/videos/search": "q=love", "/api/videos/universal-search": "q=love"}
PATHS = [route.replace("{id}", "7") for route in ROUTES]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serving() as server:
        yield server.url


@pytest.fixture(scope="module")
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, trust_env=False, timeout=10) as made:
        yield made


def exchange(url: str, request: bytes) -> bytes:
    """Everything that the service says to these bytes, up to the end of the connection."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def answer(client: httpx.Client, path: str, **parameters: str | int) -> Any:
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


# --- What each path answers ----------------------------------------------------------------------------------------


def test_a_video_comes_with_its_artist_label_and_tags(client: httpx.Client) -> None:
    found = answer(client, "/api/videos/")
    assert (found["total"], found["limit"], found["offset"], found["sort"], found["order"]) == (
        *(3000, 50, 0),
        *("title", "asc"),
    )
    assert len(found["videos"]) == 50
    for video in found["videos"]:
        assert set(video) == {
            *("id", "title", "status", "created_at", "duration_s", "views", "description"),
            *("artist", "label", "tags"),
        }
        assert set(video["artist"]) == {"id", "name", "country"}
        assert set(video["label"]) == {"id", "name"}
        assert 1 <= len(video["tags"]) <= 5
        assert video["tags"] == sorted(set(video["tags"]))


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort", ["title", "created_at", "status", "artist_name"])
@pytest.mark.parametrize("path", ["/api/videos/", "/api/videos/search"])
def test_sorting(client: httpx.Client, path: str, sort: str, order: str) -> None:
    search = {"q": "love"} if path.endswith("search") else {}
    found = answer(client, path, sort=sort, order=order, limit=200, **search)
    values = [video["artist"]["name"] if sort == "artist_name" else video[sort] for video in found["videos"]]
    assert values == sorted(values, reverse=order == "desc")
    assert len(set(values)) > 1 or sort == "status"


@pytest.mark.parametrize("sort", ["title", "created_at", "status", "artist_name"])
def test_pages_cover_everything_once(client: httpx.Client, sort: str) -> None:
    seen = [
        video["id"]
        for offset in range(0, 3001, 200)
        for video in answer(client, "/api/videos/", sort=sort, limit=200, offset=offset)["videos"]
    ]
    assert sorted(seen) == list(range(1, 3001))


def test_sorted_by_artist_the_page_states_how_many_videos_each_has(client: httpx.Client) -> None:
    found = answer(client, "/api/videos/", sort="artist_name", limit=200)
    first = found["artists"][0]
    assert [video["artist"]["name"] for video in found["videos"]].count(first["artist"]) == first["videos"]


def test_search_finds_titles_artists_and_tags(client: httpx.Client) -> None:
    found = answer(client, "/api/videos/search", q="LoVe", limit=200)
    assert found["query"] == "LoVe"
    for video in found["videos"]:
        assert "love" in " ".join([video["title"], video["artist"]["name"], *video["tags"]]).lower()
    assert found["total"] == sum(found["statuses"].values())


def test_search_by_status_is_part_of_the_search_without(client: httpx.Client) -> None:
    statuses = answer(client, "/api/videos/search", q="love")["statuses"]
    for status in STATUSES:
        found = answer(client, "/api/videos/search", q="love", status=status.lower(), limit=200)
        assert found["total"] == statuses.get(status, 0)
        assert {video["status"] for video in found["videos"]} <= {status}


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"; DROP TABLE videos; --', "no such thing", "ñ"])
def test_a_search_takes_every_text_literally(client: httpx.Client, text: str) -> None:
    assert answer(client, "/api/videos/search", q=text)["total"] == 0
    assert answer(client, "/api/videos/universal-search", q=text)["videos"] == {"total": 0, "items": []}


def test_the_universal_search_looks_at_everything_with_a_name(client: httpx.Client) -> None:
    found = answer(client, "/api/videos/universal-search", q="er", limit=3)
    assert len(found["videos"]["items"]) == 3 < found["videos"]["total"]
    assert len(found["artists"]["items"]) == 3 < found["artists"]["total"]
    for hit in (*found["artists"]["items"], *found["labels"], *found["tags"]):
        assert "er" in hit["name"].lower()
    assert [tag["name"] for tag in found["tags"]] == ["alternative", "cover", "performance"]


def test_settings_come_by_category(client: httpx.Client) -> None:
    found = answer(client, "/api/settings/")
    assert found["settings"]["interface"]["page_size"] == "50"
    assert found["total"] == sum(len(values) for values in found["settings"].values())


def test_artists_come_by_name_in_pages(client: httpx.Client) -> None:
    found = (
        answer(client, "/api/artists/", limit=200)["artists"]
        + answer(client, "/api/artists/", offset=200, limit=200)["artists"]
    )
    names = [artist["name"] for artist in found]
    assert names == sorted(set(names))
    assert sum(artist["videos"] for artist in found) == 3000


def test_what_a_list_has_is_found_by_its_id(client: httpx.Client) -> None:
    video = answer(client, "/api/videos/", limit=1, sort="created_at")["videos"][0]
    assert answer(client, f"/api/videos/{video['id']}") == {"video": video}
    artist = answer(client, "/api/artists/", limit=1)["artists"][0]
    assert answer(client, f"/api/artists/{artist['id']}") == {"artist": artist}
    label = answer(client, "/api/labels/")["labels"][3]
    assert answer(client, f"/api/labels/{label['id']}") == {"label": label}


def test_labels_and_tags_come_by_name_with_their_videos(client: httpx.Client) -> None:
    labels, tags = answer(client, "/api/labels/"), answer(client, "/api/tags/")
    assert labels["total"] == len(labels["labels"]) == 20
    assert sum(label["videos"] for label in labels["labels"]) == 3000
    names = [tag["name"] for tag in tags["tags"]]
    assert tags["total"] == len(names) > 40
    assert names == sorted(set(names))


@pytest.mark.parametrize("kind", ["video", "artist", "label"])
@pytest.mark.parametrize("identifier", [0, 3001, 999_999_999])
def test_what_does_not_exist_is_not_found(client: httpx.Client, kind: str, identifier: int) -> None:
    response = client.get(f"/api/{kind}s/{identifier}")
    assert response.status_code == 404
    assert response.json()["message"] == f"no {kind} has the id {identifier}"


def test_the_openapi_document_has_every_route_with_what_it_takes(client: httpx.Client) -> None:
    document = answer(client, "/openapi.json")
    assert document["paths"].keys() == ROUTES.keys()
    for route, methods in document["paths"].items():
        parameters = methods["get"]["parameters"]
        assert tuple(each["name"] for each in parameters if each["in"] == "query") == ROUTES[route][1]
        assert [each["name"] for each in parameters if each["in"] == "path"] == ["id"] * route.count("{id}")
        path = route.replace("{id}", "7")
        given = {each["name"]: each["example"] for each in parameters if "example" in each}
        assert answer(client, path, **given)


def test_every_value_of_the_openapi_document_is_accepted(client: httpx.Client) -> None:
    for path, methods in answer(client, "/openapi.json")["paths"].items():
        for parameter in methods["get"]["parameters"]:
            schema = parameter["schema"]
            bounds = [schema[name] for name in ("minimum", "maximum", "default") if name in schema]
            required = {"q": "love"} if path in QUERIES else {}
            for value in [*schema.get("enum", ()), *bounds] if parameter["in"] == "query" else ():
                answer(client, path, **{**required, parameter["name"]: value})


def test_health(client: httpx.Client) -> None:
    assert answer(client, "/api/health") == {"status": "ok", "schema": 6}


# --- What is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/api/videos/?sort=name", "sort must be one of title, created_at, status, artist_name"),
        ("/api/videos/?sort=", "sort must be one of"),
        ("/api/videos/?order=up", "order must be one of asc, desc"),
        ("/api/videos/?limit=0", "limit must be a whole number from 1 to 200"),
        ("/api/videos/?limit=201", "from 1 to 200"),
        ("/api/videos/?limit=many", "from 1 to 200"),
        ("/api/videos/?limit=", "from 1 to 200"),
        ("/api/videos/?limit=%C2%B2", "from 1 to 200"),
        ("/api/videos/?offset=-1", "offset must be a whole number of at least 0"),
        ("/api/videos/?offset=99999999999999999999999", "offset must be"),
        ("/api/videos/?limit=1&limit=2", "'limit' is given more than once"),
        ("/api/videos/?colour=red", "unknown parameter 'colour': known parameters: limit, offset, order, sort"),
        ("/api/videos/?sort=%FF", "cannot be read"),
        ("/api/videos/?" + "&".join(f"a{n}=1" for n in range(50)), "cannot be read"),
        ("/api/videos/search", "q is required"),
        ("/api/videos/search?q=+", "q is required"),
        ("/api/videos/search?q=" + "a" * 101, "longer than 100"),
        ("/api/videos/search?q=a%00", "q contains a null character"),
        ("/api/videos/search?q=a&status=lost", "status must be one of WANTED"),
        ("/api/videos/universal-search", "q is required"),
        ("/api/videos/universal-search?q=a&limit=51", "from 1 to 50"),
        ("/api/settings/?limit=1", "this path takes none"),
        ("/api/artists/?sort=name", "known parameters: limit, offset"),
        ("/api/health?deep=1", "this path takes none"),
    ],
)
def test_wrong_parameters_are_reported(client: httpx.Client, target: str, words: str) -> None:
    response = client.get(target)
    assert response.status_code == 400
    assert response.json()["error"] == "Bad Request"
    assert words in response.json()["message"]


@pytest.mark.parametrize(
    "path",
    [
        *("/static/", "/api/videos", "/api/videos/x", "/api/videos/1/", "/api/videos/{id}", "/api/videos/-1"),
        *(
            "/api/videos/1000000000",
            "/api/videos/%C2%B2",
            "/api/tags/1",
            "/api/health/",
            "/favicon.ico",
            "/api/videos//",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_paths_are_not_found(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 404
    assert "/api/health" in response.json()["message"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_not_allowed(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path, content=b"x" * 100_000)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert method in response.json()["message"]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /api/health HTTP/7.0\r\n\r\n", 505),
        (b"BREW /api/health HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /api/health HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET http://[/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"POST /api/health HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST /api/health HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /api/health HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", 413),
        (b"POST /api/health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_as_it_should_be_is_refused_in_json(base_url: str, request_bytes: bytes, status: int) -> None:
    head, _, body = exchange(base_url, request_bytes).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["message"]


def test_a_defect_is_a_500_without_details_and_goes_to_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: object) -> None:
        raise ZeroDivisionError("inner workings")

    log: list[str] = []
    with serving(log=log) as server:
        monkeypatch.setattr(SampleService, "get", defect)
        response = httpx.get(f"{server.url}/api/health", trust_env=False)
    assert response.status_code == 500
    assert "inner" not in response.text
    assert "Traceback" not in response.text
    assert "ZeroDivisionError: inner workings" in "\n".join(log)


# --- HTTP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_headers_of_get_and_no_body(client: httpx.Client, path: str) -> None:
    target = f"{path}?{QUERIES.get(path, '')}"
    get, head = client.get(target), client.head(target)
    assert head.status_code == 200
    assert head.content == b""
    for name in ("Content-Length", "Content-Type", "X-Query-Count"):
        assert head.headers[name] == get.headers[name]
    assert get.headers["Content-Type"] == "application/json; charset=utf-8"
    assert int(get.headers["Content-Length"]) == len(get.content)


def test_one_connection_serves_many_requests_bodies_and_refusals_included(base_url: str) -> None:
    body = b"GET /api/nowhere HTTP/1.1\n\n"
    said = exchange(
        base_url,
        b"GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n"
        b"POST /api/health HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
        b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
        b"HEAD /api/health HTTP/1.1\r\nHost: a\r\n\r\n"
        b"GET /api/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        b"GET /api/health HTTP/1.1\r\nHost: a\r\n\r\n" % (len(body), body),
    )
    statuses = [line.split()[1] for line in said.replace(b"}HTTP", b"}\nHTTP").split(b"\n") if line.startswith(b"HTTP")]
    assert statuses == [b"200", b"405", b"404", b"200", b"200"]  # nothing after the close
    assert said.count(b"Connection: close") == 1


def test_http_1_0_is_closed_after_one_answer(base_url: str) -> None:
    said = exchange(base_url, b"GET /api/health HTTP/1.0\r\n\r\n" * 2)
    assert said.count(b" 200 OK") == 1


def test_headers_and_body_go_out_in_one_send(monkeypatch: pytest.MonkeyPatch) -> None:
    sends: list[int] = []
    write = socketserver._SocketWriter.write  # type: ignore[attr-defined]

    def recorded(self: Any, data: Any) -> Any:
        sends.append(len(data))
        return write(self, data)

    monkeypatch.setattr("socketserver._SocketWriter.write", recorded)
    with serving() as server:
        response = httpx.get(f"{server.url}/api/videos/?limit=200", trust_env=False)
    assert len(sends) == 1
    assert sends[0] > len(response.content) > 60_000


def test_server_timing_states_what_the_database_took_in_how_many_queries(client: httpx.Client) -> None:
    response = client.get("/api/videos/")
    spans = parse_server_timing(response.headers["Server-Timing"])
    assert 0 < spans["db"] <= spans["app"]
    descriptions = parse_descriptions(response.headers["Server-Timing"])
    assert descriptions["db"] == f"{response.headers['X-Query-Count']} queries"


def test_nothing_is_printed_and_the_log_has_a_line_for_each_request(capfd: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []
    with serving(log=log) as server, serving() as silent:
        for url in (server.url, silent.url):
            httpx.get(f"{url}/api/health", trust_env=False)
            exchange(url, b"nonsense\x1b[31m\r\n\r\n")
    assert capfd.readouterr() == ("", "")
    (line,) = (line for line in log if "/api/health" in line)
    assert line.startswith("GET /api/health HTTP/1.1 -> 200, ")
    assert "2 queries" in line
    assert len(log) == 2
    assert "\x1b" not in "".join(log)


def test_a_client_that_leaves_in_the_middle_is_nothing_to_talk_about(capfd: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []
    with serving("large-body", log=log) as server:
        address = httpx.URL(server.url)
        with socket.create_connection((address.host, address.port or 0), timeout=10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
            connection.sendall(b"GET /api/artists/ HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(1) == b"H"  # and over a megabyte to come
        assert httpx.get(f"{server.url}/api/health", trust_env=False).status_code == 200
    assert any(line.startswith("GET /api/health") for line in log)
    assert "Traceback" not in "".join(log)
    assert capfd.readouterr() == ("", "")


# --- Many at once, and the end -------------------------------------------------------------------------------------


def test_many_connections_at_once_get_the_right_answers() -> None:
    def ask(number: int) -> tuple[int, list[int]]:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as own:
            pages = [own.get(f"/api/videos/?sort=created_at&limit=5&offset={number}").json() for _ in range(3)]
            assert pages[0] == pages[1] == pages[2]
            return number, [video["id"] for video in pages[0]["videos"]]

    crowd = 2 * POOL_SIZE
    with serving(round_trip_ms=1) as server, ThreadPoolExecutor(crowd) as pool:
        everything = answer_ids(server.url, crowd + 5)
        for number, found in pool.map(ask, range(crowd)):
            assert found == everything[number : number + 5]


def answer_ids(url: str, limit: int) -> list[int]:
    response = httpx.get(f"{url}/api/videos/?sort=created_at&limit={limit}", trust_env=False)
    return [video["id"] for video in response.json()["videos"]]


def test_hang_never_answers_and_does_not_keep_the_server_from_stopping() -> None:
    with serving("hang") as server:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{server.url}/api/videos/universal-search?q=a", trust_env=False, timeout=0.5)
        assert httpx.get(f"{server.url}/api/health", trust_env=False).status_code == 200
        address = httpx.URL(server.url)
        connection = socket.create_connection((address.host, address.port or 0), timeout=10)
        connection.sendall(b"GET /api/videos/universal-search?q=a HTTP/1.1\r\nHost: a\r\n\r\n")
    with connection, suppress(ConnectionResetError):  # where the server had not yet read the request
        assert connection.recv(100) == b""


def test_closing_ends_idle_connections() -> None:
    with serving() as server, httpx.Client(base_url=server.url, trust_env=False) as idle:
        assert idle.get("/api/health").status_code == 200
        server.shutdown()
        server.server_close()
        with pytest.raises(httpx.TransportError):
            idle.get("/api/health")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:5001"), ("::1", "http://[::1]:5001"), (b"::1", "http://[::1]:5001")],
)
def test_an_ipv6_address_is_bracketed(host: str | bytes, url: str) -> None:
    assert base_url_of(host, 5001) == url


def test_an_unknown_regression_is_refused() -> None:
    with pytest.raises(ValueError, match="faster"):
        create_server(regressions=["faster"])


def test_a_signal_while_a_connection_is_accepted_does_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = create_server(round_trip_ms=0)
    with socket.create_connection(("127.0.0.1", server.server_address[1])) as connection:
        accept = server.process_request

        def interrupted(*arguments: object) -> None:
            accept(*arguments)
            connection.sendall(b"GET /api/health HTTP/1.1\r\n\r\n")
            assert connection.recv(1) == b"H"  # its thread responds, and will wait for the next request
            raise KeyboardInterrupt

        monkeypatch.setattr(server, "process_request", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.handle_request()
        closing = Thread(target=server.server_close, daemon=True)
        closing.start()
        closing.join(timeout=20)
        assert not closing.is_alive()
