"""Proxies that the environment names, against a small real one that resolves every name to the loopback interface."""

from __future__ import annotations

import select
import socket
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from apps.faulty_server import Conversation, every_request, once, read_request, response, server

from perfcheck.client.client import Client
from perfcheck.client.prepared_request import Origin
from perfcheck.client.proxies import proxy_for
from perfcheck.errors import UsageError
from perfcheck.model import Endpoint, Failure, Service, Severity, Tls
from perfcheck.text import Redactor

IT = Endpoint(name="it", path="/it", line=1)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("REQUEST_METHOD", raising=False)
    return monkeypatch


class Proxy:
    """Forwards to ``port``, whatever host is asked for; keeps the first lines and the log-in of what it was asked."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.asked: list[str] = []

    def __call__(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=20) as service:
            while request := read_request(connection):
                head = request.decode().split("\r\n")
                self.asked += [head[0], *(line for line in head if line.startswith("Proxy-Authorization"))]
                if head[0].startswith("CONNECT"):
                    connection.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
                    _relay(connection, service)
                    return
                service.sendall(request)
                connection.sendall(service.recv(65536))


def _relay(connection: socket.socket, service: socket.socket) -> None:
    """Both ways in one thread: a TLS socket must not be read by one while another writes to it."""
    try:
        while True:
            decrypted = isinstance(connection, ssl.SSLSocket) and connection.pending()
            ready = [connection] if decrypted else select.select([connection, service], [], [], 20)[0]
            for source in ready:
                data = source.recv(65536)
                if not data:
                    return
                (service if source is connection else connection).sendall(data)
            if not ready:
                return
    except OSError:
        return


def test_a_proxy_for_http(no_proxies: pytest.MonkeyPatch) -> None:
    with server(every_request(response(b"hello"))) as running:
        proxy = Proxy(running.port)
        with server(proxy) as proxying:
            no_proxies.setenv("http_proxy", proxying.url().replace("//", "//user:pa55word@"))
            with Client(Service(base_url="http://service.invalid", ready="/health"), redact=Redactor()) as client:
                client.wait_until_ready()
                sample = client.send(IT)
                (warning,) = client.findings
    assert (sample.failure, sample.body_bytes) == (None, 5)
    assert proxy.asked[0] == "GET http://service.invalid/health HTTP/1.1"
    assert proxy.asked[1] == "Proxy-Authorization: Basic dXNlcjpwYTU1d29yZA=="
    assert warning.severity is Severity.WARNING
    assert warning.message.startswith("requests go through the proxy http://127.0.0.1:")
    assert "pa55word" not in warning.message
    assert warning.remedy == "set NO_PROXY=service.invalid to bypass it"


def test_a_redirect_goes_through_the_proxy_too(no_proxies: pytest.MonkeyPatch) -> None:
    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            moved = response(b"", "Location: http://[2001:db8::1]:8080/there", status="302 Found")
            connection.sendall(moved if b"/it " in request else response(b"arrived"))

    with server(converse) as running:
        proxy = Proxy(running.port)
        with server(proxy) as proxying:
            no_proxies.setenv("all_proxy", proxying.url().removeprefix("http://"))
            with Client(Service(base_url="http://service.invalid:81"), redact=Redactor()) as client:
                sample = client.send(replace(IT, follow_redirects=True))
    assert (sample.failure, sample.body_bytes) == (None, len(b"arrived"))
    assert proxy.asked == ["GET http://service.invalid:81/it HTTP/1.1", "GET http://[2001:db8::1]:8080/there HTTP/1.1"]


def test_what_leads_to_this_machine_goes_directly(no_proxies: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    def converse(connection: socket.socket) -> None:
        while request := read_request(connection):
            lines.append(request.decode().split("\r\n")[0])
            moved = response(b"", f"Location: {running.url()}/there", status="302 Found")
            connection.sendall(moved if b"/it " in request else response(b"arrived"))

    with server(converse) as running, server(Proxy(running.port)) as proxying:
        no_proxies.setenv("http_proxy", proxying.url())
        with Client(Service(base_url="http://service.invalid"), redact=Redactor()) as client:
            redirected = client.send(replace(IT, follow_redirects=True))
            login = client.send(replace(IT, path=f"{running.url()}/login"))
    assert (redirected.failure, login.failure) == (None, None)
    assert lines == ["GET http://service.invalid/it HTTP/1.1", "GET /there HTTP/1.1", "GET /login HTTP/1.1"]


def test_a_redirect_to_a_proxy_that_cannot_be_used_fails(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("https_proxy", "socks5://proxy.invalid")
    moved = response(b"", "Location: https://service.invalid", status="302 Found")
    with (
        server(every_request(moved)) as running,
        Client(Service(base_url=running.url()), redact=Redactor()) as client,
    ):
        sample = client.send(replace(IT, follow_redirects=True))
    assert sample.failure is Failure.CONNECT
    assert (sample.detail or "").startswith("https_proxy is a SOCKS proxy, which is not supported: ")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n"], ids=["closed", "garbage"])
def test_a_proxy_that_opens_no_tunnel(no_proxies: pytest.MonkeyPatch, answer: bytes) -> None:
    with server(once(answer)) as proxying:
        no_proxies.setenv("all_proxy", proxying.url())
        with Client(Service(base_url="https://service.invalid"), redact=Redactor()) as client:
            sample = client.send(IT)
    assert sample.failure is Failure.CONNECT
    assert (sample.detail or "").startswith("the proxy refused the connection: ")


@pytest.mark.parametrize("secure_proxy", [False, True])
def test_a_tunnel_for_https(no_proxies: pytest.MonkeyPatch, tmp_path: Path, secure_proxy: bool) -> None:  # noqa: FBT001
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context, proxy_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("service.invalid").configure_cert(context)
    authority.issue_cert("127.0.0.1").configure_cert(proxy_context)
    with server(every_request(response(b"hello")), context=context) as running:
        proxy = Proxy(running.port)
        with server(proxy, context=proxy_context if secure_proxy else None) as proxying:
            no_proxies.setenv("HTTPS_PROXY", proxying.url("https" if secure_proxy else "http"))
            service = Service(base_url="https://service.invalid", tls=Tls(ca=str(tmp_path / "ca.pem")))
            with Client(service, redact=Redactor()) as client:
                client.wait_until_ready()
                samples = [client.send(IT) for _ in range(3)]
        assert running.connections <= 3
    assert [(sample.failure, sample.body_bytes) for sample in samples] == [(None, 5)] * 3
    assert proxy.asked == ["CONNECT service.invalid:443 HTTP/1.1"] * 2  # to see that it is ready, and for the samples
    assert samples[0].phases.tls_ms is not None
    assert samples[0].latency_ms == (samples[0].phases.wait_ms or 0) + (samples[0].phases.download_ms or 0)


def test_a_proxy_that_refuses(no_proxies: pytest.MonkeyPatch) -> None:
    refuse: Conversation = every_request(response(status="403 Not for \x1b[1myou"))
    with server(refuse) as proxying:
        no_proxies.setenv("all_proxy", proxying.url())
        with Client(Service(base_url="https://service.invalid"), redact=Redactor()) as client:
            sample = client.send(IT)
    assert sample.failure is Failure.CONNECT
    assert sample.detail == "the proxy refused the connection: 403 Not for [1myou"


def is_direct(base_url: str) -> bool:
    with Client(Service(base_url=base_url), redact=Redactor()) as client:
        return not list(client.findings)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost.", "LOCALHOST", "a.localhost", "127.0.0.1", "127.0.0.1.", "127.1", "0x7f.1"),
        *("2130706433", "0.0.0.0", "0", "127.9.9.9", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        socket.gethostname(),
    ],
)
def test_this_machine_is_reached_directly(no_proxies: pytest.MonkeyPatch, host: str) -> None:
    no_proxies.setenv("http_proxy", "http://proxy.invalid:3128")
    assert is_direct(f"http://{host}:8000")
    assert not is_direct("http://192.0.2.1:8000")  # an address of documentation
    assert not is_direct("http://localhost.example:8000")


@pytest.mark.parametrize(
    ("no_proxy", "direct", "not_direct"),
    [
        ("*", ["a.example", "192.0.2.1", "[2001:db8::1]"], []),
        (
            "a.example",
            ["a.example", "A.EXAMPLE", "a.example.", "b.a.example", "a.example:81"],
            ["ba.example", "example"],
        ),
        (".a.example", ["a.example", "b.a.example"], ["ba.example"]),
        ("*.a.example", ["b.a.example"], ["ba.example"]),
        ("A.example.", ["a.example"], []),
        ("a.example:81", ["a.example:81", "b.a.example:81"], ["a.example", "a.example:8", "a.example:811"]),
        ("a.example:80", ["a.example"], ["a.example:81"]),
        ("x, 192.0.2.0/28 ,y", ["192.0.2.1", "192.0.2.15:81", "[::ffff:192.0.2.1]"], ["192.0.2.16", "a.example"]),
        ("192.0.2.1 192.0.2.2", ["192.0.2.1", "192.0.2.2:81"], ["192.0.2.3", "192.0.2.10"]),
        ("192.0.2.1:81", ["192.0.2.1:81"], ["192.0.2.1"]),
        ("2001:db8::1", ["[2001:db8::1]", "[2001:DB8:0::1]:81"], ["[2001:db8::2]"]),
        ("[2001:db8::1]", ["[2001:db8::1]", "[2001:db8::1]:81"], ["[2001:db8::2]"]),
        ("[2001:db8::1]:81", ["[2001:db8::1]:81"], ["[2001:db8::1]"]),
        ("2001:db8::/112", ["[2001:db8::1]", "[2001:db8::ffff]:81"], ["[2001:db8::1:0]", "192.0.2.1"]),
        (" , .,:,[],/8,192.0.2.1/99,", [], ["a.example", "192.0.2.1"]),
    ],
)
def test_no_proxy(no_proxies: pytest.MonkeyPatch, no_proxy: str, direct: list[str], not_direct: list[str]) -> None:
    no_proxies.setenv("http_proxy", "http://proxy.invalid:3128")
    no_proxies.setenv("NO_PROXY", no_proxy)
    hosts = [*direct, *not_direct]
    assert [host for host in hosts if is_direct(f"http://{host}")] == direct


def test_a_unix_socket_is_reached_directly(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("http_proxy", "http://proxy.invalid:3128")
    with Client(Service(base_url="http://service.invalid", unix_socket="/nowhere"), redact=Redactor()) as client:
        assert list(client.findings) == []


def test_another_address_is_reached_directly(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("http_proxy", "http://proxy.invalid:3128")
    with server(every_request(response())) as running:
        service = Service(base_url="http://service.invalid", connect_to=("127.0.0.1", running.port))
        with Client(service, redact=Redactor()) as client:
            assert client.send(Endpoint("it", "/it", 1)).failure is None


@pytest.mark.parametrize(
    "address", ["quic://proxy.invalid", "http://proxy:port", "http://", "http://xn--a", "ht!tp://x", "http://x:99999"]
)
def test_a_proxy_that_cannot_be_used(no_proxies: pytest.MonkeyPatch, address: str) -> None:
    no_proxies.setenv("http_proxy", address)
    with pytest.raises(UsageError) as caught:
        Client(Service(base_url="http://service.invalid"), redact=Redactor())
    assert caught.value.message == "http_proxy is not the URL of an HTTP proxy"
    assert caught.value.remedy == "correct http_proxy in the environment, or set NO_PROXY=service.invalid to bypass it"


def test_a_blank_variable_is_no_proxy(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("http_proxy", " ")
    assert proxy_for(Origin("http", "service.invalid", 80)) is None


def test_a_socks_proxy_is_refused(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("all_proxy", "socks5://proxy.invalid:1080")
    with pytest.raises(UsageError) as caught:
        Client(Service(base_url="http://service.invalid"), redact=Redactor())
    assert caught.value.message == "all_proxy is a SOCKS proxy, which is not supported: socks5://proxy.invalid"
    assert caught.value.remedy == "unset all_proxy, or set NO_PROXY=service.invalid to bypass it"
