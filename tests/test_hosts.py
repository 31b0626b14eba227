"""Addresses as they are typed."""

from __future__ import annotations

import pytest

from perfcheck.hosts import host_and_port, is_loopback


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.5", ("10.0.0.5", 5557)),
        ("10.0.0.5:6000", ("10.0.0.5", 6000)),
        ("search.default.svc", ("search.default.svc", 5557)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_a_host_may_have_a_port(text: str, expected: tuple[str, int]) -> None:
    assert host_and_port(text, 5557) == expected


@pytest.mark.parametrize(
    "text", ["", ":80", "a:", "a:b", "a:70000", "http://a", "a/b", "me@a", "a\tb", "[::1", "x" * 64, "a..b"]
)
def test_what_is_no_host_and_port_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a host, or a host and a port"):
        host_and_port(text, 5557)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("api.localhost", True), ("127.1", True), ("::1", True), ("10.0.0.5", False), ("api", False)],
)
def test_loopback(host: str, expected: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is expected
