"""TLS: what is trusted, what is refused and in which words."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from apps.faulty_server import (
    Conversation,
    Server,
    every_request,
    hang_up,
    read_request,
    response,
    server,
    wait_for_the_client_to_leave,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from perfcheck.client.client import Client
from perfcheck.client.monitor_api import read_monitor
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Endpoint, Failure, Sample, Service, Tls
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def context_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


@contextmanager
def secure(context: ssl.SSLContext, converse: Conversation | None = None) -> Iterator[Server]:
    with server(converse or every_request(response(b"hello")), context=context) as running:
        yield running


def ask(base_url: str, tls: Tls, times: int = 1) -> list[Sample]:
    with Client(Service(base_url=base_url, tls=tls), redact=Redactor()) as client:
        return [client.send(IT) for _ in range(times)]


def refused(base_url: str, tls: Tls) -> str:
    (sample,) = ask(base_url, tls)
    assert sample.failure is Failure.TLS, sample
    assert sample.latency_ms is None
    return sample.detail or ""


def certificate(tmp_path: Path, *, expired: bool) -> tuple[str, str]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    until = now - dt.timedelta(days=1) if expired else now + dt.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = tmp_path / "own.pem", tmp_path / "own.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(cert_file), str(key_file)


def context_of(cert: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def test_no_context_of_tls_is_made_for_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    of_ssl = ssl.SSLContext.__new__

    def note(cls: type[ssl.SSLContext], *arguments: int, **options: int) -> ssl.SSLContext:
        made.append(cls)
        return of_ssl(cls, *arguments, **options)

    monkeypatch.setattr(ssl.SSLContext, "__new__", note)
    with server(every_request(response(b"", "Location: /there", status="302 Found"))) as running:
        service = Service(base_url=running.url())
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready([IT])
            client.send(replace(IT, follow_redirects=True))
        assert made == []
        with Client(replace(service, base_url="https://localhost"), redact=Redactor()):
            assert made


def test_a_ca_of_ones_own(authority: trustme.CA, ca: str) -> None:
    with secure(context_for(authority, "localhost")) as running:
        first, second, third = ask(running.url("https", "localhost"), Tls(ca=ca), times=3)
        assert running.connections == 1
    assert [first.failure, second.failure, third.failure] == [None] * 3
    assert first.body_bytes == 5
    assert first.phases.tls_ms is not None
    assert first.phases.tls_ms > 0
    assert second.phases.tls_ms is None
    assert second.latency_ms == (second.phases.wait_ms or 0) + (second.phases.download_ms or 0)


def test_an_answer_cut_off_without_a_goodbye(authority: trustme.CA, ca: str) -> None:
    def converse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")

    with secure(context_for(authority, "localhost"), converse) as running:
        (sample,) = ask(running.url("https", "localhost"), Tls(ca=ca))
    assert sample.failure is Failure.TRUNCATED


def test_a_large_body_over_tls(authority: trustme.CA, ca: str) -> None:
    with secure(context_for(authority, "localhost"), every_request(response(bytes(3_000_000)))) as running:
        samples = ask(running.url("https", "localhost"), Tls(ca=ca), times=2)
    assert [(sample.failure, sample.body_bytes) for sample in samples] == [(None, 3_000_000)] * 2


def test_a_large_request_over_tls(authority: trustme.CA, ca: str) -> None:
    sizes: list[int] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            sizes.append(len(request.partition(b"\r\n\r\n")[2]))
            connection.sendall(response())

    endpoint = replace(IT, method="POST", content="x" * 3_000_000)
    with secure(context_for(authority, "localhost"), converse) as running:
        service = Service(base_url=running.url("https", "localhost"), tls=Tls(ca=ca))
        with Client(service, redact=Redactor()) as client:
            assert [client.send(endpoint).failure for _ in range(2)] == [None, None]
    assert sizes == [3_000_000] * 2


def test_a_ca_that_is_not_trusted(authority: trustme.CA) -> None:
    with secure(context_for(authority, "localhost")) as running:
        detail = refused(running.url("https", "localhost"), Tls())
    assert detail.startswith("the certificate of localhost is signed by an untrusted CA; set service.tls.ca")


def test_a_certificate_that_signs_itself(tmp_path: Path) -> None:
    with secure(context_of(*certificate(tmp_path, expired=False))) as running:
        detail = refused(running.url("https", "localhost"), Tls())
    assert detail.startswith("the certificate of localhost is self-signed; set service.tls.ca")


def test_an_expired_certificate(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, expired=True)
    with secure(context_of(cert, key)) as running:
        detail = refused(running.url("https", "localhost"), Tls(ca=cert))
    assert detail == "the certificate of localhost has expired; renew it"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_host(authority: trustme.CA, ca: str, name: str) -> None:
    with secure(context_for(authority, "other.example")) as running:
        detail = refused(running.url("https", name), Tls(ca=ca))
    assert detail == f"the certificate is not for {name}; use a host name that it was issued for in service.base_url"


def test_verification_can_be_turned_off_and_that_is_reported(tmp_path: Path) -> None:
    with secure(context_of(*certificate(tmp_path, expired=True))) as running:
        service = Service(base_url=running.url("https", "127.0.0.1"), tls=Tls(verify=False))
        with Client(service, redact=Redactor()) as client:
            assert client.send(IT).failure is None
            assert [finding.message for finding in client.findings] == ["TLS certificates are not verified"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate(authority: trustme.CA, ca: str, tmp_path: Path, version: ssl.TLSVersion) -> None:
    cert, key = tmp_path / "client.pem", tmp_path / "client.key"
    mine = authority.issue_cert("me@example.org")
    mine.cert_chain_pems[0].write_to_path(str(cert))
    mine.private_key_pem.write_to_path(str(key))
    context = context_for(authority, "localhost")
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with secure(context) as running:
        url = running.url("https", "localhost")
        assert ask(url, Tls(ca=ca, cert=str(cert), key=str(key)))[0].failure is None
        assert "client certificate" in refused(url, Tls(ca=ca))


def test_a_service_that_does_not_speak_tls() -> None:
    with server(lambda connection: connection.sendall(b"220 mail.example ESMTP\r\n" * 9)) as running:
        detail = refused(running.url("https", "localhost"), Tls())
    assert detail == "the service does not speak TLS on this port; write http:// in service.base_url"


def test_a_service_that_hangs_up_during_the_handshake() -> None:
    with server(hang_up) as running:
        (sample,) = ask(running.url("https", "localhost"), Tls())
    assert sample.failure is Failure.RESET
    assert sample.detail is not None
    assert sample.detail.startswith("the connection was closed during the TLS handshake")


def test_a_service_that_waits_for_the_end_of_a_line() -> None:
    with server(wait_for_the_client_to_leave) as running:
        service = Service(base_url=running.url("https", "localhost"), ready_timeout_s=0.1)
        with Client(service, redact=Redactor()) as client, pytest.raises(CouldNotMeasureError) as caught:
            client.wait_until_ready([replace(IT, timeout_s=0.1)])
    assert caught.value.remedy == "does the service speak TLS on this port?"


def test_waiting_does_not_help_a_certificate(tmp_path: Path) -> None:
    with secure(context_of(*certificate(tmp_path, expired=True))) as running:
        service = Service(base_url=running.url("https", "localhost"), ready="/health", ready_timeout_s=60)
        with Client(service, redact=Redactor()) as client, pytest.raises(CouldNotMeasureError) as caught:
            client.wait_until_ready()
        assert running.connections == 1
    assert caught.value.message.endswith("/health is not ready: the certificate of localhost is self-signed")
    assert caught.value.remedy == "set service.tls.ca to its CA, or use --insecure for a test system"


def why_not_ready(service: Service) -> CouldNotMeasureError:
    with Client(service, redact=Redactor()) as client, pytest.raises(CouldNotMeasureError) as caught:
        client.wait_until_ready([IT])
    assert not caught.value.is_down
    return caught.value


def test_each_error_of_tls_has_its_own_remedy(authority: trustme.CA, ca: str) -> None:
    def reject_name(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
        return None if name is None else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    with secure(context_for(authority, "other.example")) as running:
        url = running.url("https", "localhost")
        wrong_name, unknown_ca = (why_not_ready(Service(base_url=url, tls=tls)) for tls in (Tls(ca=ca), Tls()))
    context = context_for(authority, "localhost")
    context.sni_callback = reject_name
    with secure(context) as running:
        no_sni = why_not_ready(Service(base_url=running.url("https", "localhost"), tls=Tls(ca=ca)))
    with server(lambda connection: connection.sendall(response(status="400 Bad Request"))) as running:
        plain = why_not_ready(Service(base_url=running.url("https", "localhost"), tls=Tls(ca=ca)))
    assert [error.message.partition("is not ready: ")[2] for error in (wrong_name, unknown_ca, no_sni, plain)] == [
        "the certificate is not for localhost",
        "the certificate of localhost is signed by an untrusted CA",
        "the service has no TLS for the host name localhost",
        "the service does not speak TLS on this port",
    ]
    assert [error.remedy for error in (wrong_name, unknown_ca, no_sni, plain)] == [
        "use a host name that it was issued for in service.base_url",
        "set service.tls.ca to its CA, or use --insecure for a test system",
        "use a host name that the service knows in service.base_url",
        "write http:// in service.base_url",
    ]


def test_a_health_check_has_the_same_remedies(authority: trustme.CA) -> None:
    with secure(context_for(authority, "other.example")) as running:
        service = Service(base_url=running.url("https", "localhost"), tls=Tls(verify=True))
        with Client(service, redact=Redactor()) as client:
            reading = read_monitor(service, client.fetch, threshold_ms=500, redact=Redactor(), shown=client.url_shown)
    assert reading.remedy == "set service.tls.ca to its CA, or use --insecure for a test system"


@pytest.mark.parametrize("ready", ["/health", None])
@pytest.mark.parametrize("as_page", [True, False])
def test_http_to_a_port_that_speaks_tls(authority: trustme.CA, ready: str | None, as_page: bool) -> None:  # noqa: FBT001
    context = context_for(authority, "localhost")

    def converse(connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) == b"\x16":
            context.wrap_socket(connection, server_side=True).close()
        elif as_page:
            read_request(connection)
            connection.sendall(response(status="400 The plain HTTP request was sent to HTTPS port"))

    with server(converse) as running:
        error = why_not_ready(Service(base_url=running.url(), ready=ready, ready_timeout_s=60))
    assert error.message.endswith("is not ready: the service speaks TLS on this port")
    assert error.remedy == "write https:// in service.base_url"


def test_a_handshake_that_is_cut_off_while_the_service_starts(authority: trustme.CA, ca: str) -> None:
    starting = [True, True, True]

    def converse(connection: socket.socket) -> None:
        if starting:
            starting.pop()
            return
        with context_for(authority, "localhost").wrap_socket(connection, server_side=True) as secure:
            every_request(response())(secure)

    with server(converse) as running:
        service = Service(base_url=running.url("https", "localhost"), tls=Tls(ca=ca), ready_timeout_s=60)
        with Client(service, redact=Redactor()) as client:
            client.wait_until_ready([IT])
    assert not starting


@pytest.mark.parametrize("content", [None, "this is not a certificate"])
def test_files_that_are_no_certificates(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "wrong.pem"
    if content is not None:
        path.write_text(content)
    for tls in (Tls(ca=str(path)), Tls(cert=str(path))):
        with pytest.raises(UsageError) as caught:
            Client(Service(base_url="https://localhost", tls=tls), redact=Redactor())
        assert str(path) in caught.value.message
        assert caught.value.remedy
