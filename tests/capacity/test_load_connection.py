"""How a request of the load ends, and on whose account: the service's, or the generator's."""

from __future__ import annotations

import errno
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from apps.faulty_server import every_request, once, response, server
from apps.load_service import data_of, load_service, planned
from support.waiting import eventually

from perfcheck.capacity.engine.connection import LoadConnection, _is_idle, kind_of
from perfcheck.capacity.engine.counts import GeneratorError
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.client.response import Response
from perfcheck.model import Failure, LoadModel, Tls


def plan_of(port: int, *requests: PlannedRequest, tls: Tls | None = None) -> LoadPlan:
    return LoadPlan("127.0.0.1", port, LoadModel.USERS, requests, tls=tls, server_name="localhost")


def outcome(plan: LoadPlan) -> Response | Failure | GeneratorError | None:
    """Of its first request, sent over a connection of its own."""
    with closing(LoadConnection(plan)) as connection:
        return connection.send(plan.requests[0], data_of(plan.requests[0]))


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/status/201", None),
        ("/status/503", Failure.STATUS),
        ("/redirect", Failure.STATUS),
        ("/reset", Failure.RESET),
        ("/never", Failure.TIMEOUT),
        ("/truncated", Failure.PROTOCOL),
        ("/nonsense", Failure.PROTOCOL),
    ],
)
def test_how_a_request_fails_and_that_the_next_one_is_sent(path: str, failure: Failure | None) -> None:
    failing = planned("failing", path, timeout_s=0.3 if failure is Failure.TIMEOUT else 20.0)
    following = planned("following", "/", "X-Token: t", method="POST", body=b"body", timeout_s=20.0)
    with load_service() as service, closing(LoadConnection(plan_of(service.port, failing, following))) as connection:
        assert connection.send(failing, data_of(failing)) == failure
        assert connection.send(following, data_of(following)) is None
    assert any(head.startswith(b"POST / HTTP/1.1\r\n") and b"X-Token: t" in head for head in service.heads)


def test_what_is_expected_is_no_failure() -> None:
    request = planned("absent", "/status/404", expect=((200, 299), (404, 404)))
    with load_service() as service:
        assert outcome(plan_of(service.port, request)) is None


def test_a_port_where_nothing_listens_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    request = planned("home", "/")
    assert outcome(plan_of(port, request)) is Failure.REFUSED


def test_the_connection_is_used_again() -> None:
    request = planned("home", "/")
    with (
        server(every_request(response())) as running,
        closing(LoadConnection(plan_of(running.port, request))) as connection,
    ):
        assert [connection.send(request, data_of(request)) for _ in range(5)] == [None] * 5
    assert running.connections == 1


def test_a_connection_that_the_service_has_closed_is_replaced_whatever_the_method() -> None:
    requests = planned("home", "/"), planned("order", "/", method="POST", body=b"{}")
    with server(once(response())) as running, closing(LoadConnection(plan_of(running.port, *requests))) as connection:
        for request in (*requests, *requests):
            assert connection.send(request, data_of(request)) is None
            eventually(lambda: not _is_idle(connection._socket))
    assert running.connections == 4


def test_a_unix_socket_takes_the_place_of_host_and_port(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with server(every_request(response()), unix=path):
        assert outcome(replace(plan_of(1, planned("home", "/")), unix_socket=str(path))) is None


def test_a_certificate_is_verified(tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    request = planned("home", "/")
    with server(every_request(response()), context=context) as running:
        outcomes = [
            outcome(plan_of(running.port, request, tls=tls))
            for tls in (Tls(), Tls(ca=str(tmp_path / "ca.pem")), Tls(verify=False))
        ]
    assert outcomes == [Failure.TLS, None, None]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EADDRNOTAVAIL, GeneratorError.NO_PORTS),
        (errno.EMFILE, GeneratorError.NO_FILES),
        (errno.ENOBUFS, GeneratorError.NO_MEMORY),
        (errno.ECONNREFUSED, Failure.REFUSED),
        (errno.EPIPE, Failure.RESET),
        (errno.ENETUNREACH, Failure.CONNECT),
        (errno.ETIMEDOUT, Failure.TIMEOUT),
    ],
)
def test_errors_of_the_system_are_the_generators_or_the_services(number: int, kind: object) -> None:
    assert kind_of(OSError(number, "")) is kind


def test_a_host_that_does_not_exist_is_not_found() -> None:
    assert kind_of(socket.gaierror(socket.EAI_NONAME, "")) is Failure.NAME


def test_a_process_that_may_open_no_more_files_blames_itself() -> None:
    code = r"""
import resource, socket
import gevent
from perfcheck.capacity.engine.connection import LoadConnection
from perfcheck.capacity.engine.plan import LoadPlan, PlannedRequest
from perfcheck.model import LoadModel
request = PlannedRequest("home", b"GET / HTTP/1.1\r\n\r\n")
with socket.create_server(("127.0.0.1", 0)) as listener:
    port = listener.getsockname()[1]
    connection = LoadConnection(LoadPlan("127.0.0.1", port, LoadModel.USERS, (request,)))
    gevent.sleep(0)  # its event loop needs files, too
    resource.setrlimit(resource.RLIMIT_NOFILE, (listener.fileno() + 1, listener.fileno() + 1))
    print(connection.send(request, request.data))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "too many open files"
