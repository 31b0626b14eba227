"""Connections to another address than that of base_url: what the service sees and what errors name."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from apps.faulty_server import Conversation, every_request, read_request, response, server

from perfcheck.client.client import Client
from perfcheck.errors import CouldNotMeasureError
from perfcheck.model import Endpoint, Failure, Sample, Service, Tls
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)


def ask(service: Service, endpoint: Endpoint = IT) -> Sample:
    with Client(service, redact=Redactor()) as client:
        return client.send(endpoint)


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


def recording(requests: list[bytes], *answers: bytes) -> Conversation:
    """Each answer in turn, then 200."""
    pending = list(answers)

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            requests.append(request)
            connection.sendall(pending.pop(0) if pending else response())

    return converse


def test_the_host_header_is_that_of_base_url() -> None:
    requests: list[bytes] = []
    with server(recording(requests)) as running:
        service = Service("http://api.example.invalid:8080", connect_to=("127.0.0.1", running.port))
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready([IT])
            sample = client.send(IT)
            (note,) = client.findings
        address = f"127.0.0.1:{running.port}"
    assert sample.failure is None
    assert all(b"\r\nHost: api.example.invalid:8080\r\n" in request for request in requests)
    assert note.message == f"connections for api.example.invalid:8080 go to {address} (service.connect_to)"


@pytest.mark.parametrize(
    ("of_certificate", "failure"), [("api.example.invalid", None), ("localhost", Failure.TLS)], ids=["its own", "other"]
)
def test_the_name_and_the_certificate_are_those_of_base_url(
    tmp_path: Path, of_certificate: str, failure: Failure | None
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(of_certificate).configure_cert(context)
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with server(every_request(response()), context=context) as running:
        service = Service("https://api.example.invalid", connect_to=("127.0.0.1", running.port))
        sample = ask(replace(service, tls=Tls(ca=str(tmp_path / "ca.pem"))))
    assert sample.failure is failure
    assert names == ["api.example.invalid"]


def test_a_redirect_to_another_host_is_followed_there() -> None:
    here: list[bytes] = []
    there: list[bytes] = []
    with server(recording(there)) as other:
        elsewhere = response(b"", f"Location: {other.url()}/there", status="302 Found")
        with server(recording(here, elsewhere)) as running:
            service = Service("http://api.example.invalid", connect_to=("127.0.0.1", running.port))
            sample = ask(service, replace(IT, follow_redirects=True))
    assert sample.failure is None
    assert [len(here), len(there)] == [1, 1]


def test_a_redirect_to_the_same_host_goes_where_its_connections_go() -> None:
    here: list[bytes] = []
    again = response(b"", "Location: http://api.example.invalid/there", status="302 Found")
    with server(recording(here, again)) as running:
        service = Service("http://api.example.invalid", connect_to=("127.0.0.1", running.port))
        sample = ask(service, replace(IT, follow_redirects=True))
    assert sample.failure is None
    assert len(here) == 2


def test_errors_name_both_addresses() -> None:
    port = unused_port()
    service = Service("https://api.example.invalid", connect_to=("127.0.0.1", port), ready_timeout_s=0.1)
    both = f"(service.connect_to: 127.0.0.1:{port} instead of api.example.invalid:443)"
    sample = ask(service)
    assert sample.failure is Failure.REFUSED
    remedy = "start what listens there, or correct service.connect_to"
    assert sample.detail == f"connection refused by 127.0.0.1:{port} {both}; {remedy}"
    with Client(service, redact=Redactor()) as client, pytest.raises(CouldNotMeasureError) as caught:
        client.wait_until_ready([IT])
    assert both in caught.value.message
    assert caught.value.remedy == remedy
    assert caught.value.is_down
    unknown = ask(replace(service, connect_to=("tunnel.invalid", 443)))
    assert unknown.failure is Failure.NAME
    assert "(service.connect_to: tunnel.invalid:443 instead of api.example.invalid:443)" in (unknown.detail or "")
