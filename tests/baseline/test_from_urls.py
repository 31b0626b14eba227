"""URLs as a baseline without a file."""

from __future__ import annotations

import pytest

from perfcheck.baseline.from_urls import baseline_of_urls
from perfcheck.client.prepared_request import prepare, url_shown
from perfcheck.errors import UsageError
from perfcheck.model import Limits


def requests(*urls: str) -> list[str]:
    """What is sent for each, without the credentials."""
    baseline = baseline_of_urls(urls)
    return [str(prepare(baseline.service, each, None, {}).request.url) for each in baseline.endpoints]


@pytest.mark.parametrize(
    ("url", "requested"),
    [
        ("http://localhost:8000", "http://localhost:8000/"),
        ("http://localhost:8000/api/videos/", "http://localhost:8000/api/videos/"),
        ("http://localhost/a%20b", "http://localhost/a%20b"),
        ("https://[::1]:8443/a?q=x%26y&q=2&empty=", "https://[::1]:8443/a?q=x%26y&q=2&empty="),
        ("http://localhost?a=1", "http://localhost/?a=1"),
        ("http://localhost/a?next=http://b/?c", "http://localhost/a?next=http%3A%2F%2Fb%2F%3Fc"),
    ],
)
def test_the_url_is_requested_as_it_is(url: str, requested: str) -> None:
    assert requests(url) == [requested]


def test_each_endpoint_is_named_by_its_path() -> None:
    baseline = baseline_of_urls(["http://h/a", "http://h/b?x=1", "http://h/b?x=2", "http://h"])
    assert [endpoint.name for endpoint in baseline.endpoints] == ["/a", "/b", "/b (2)", "/"]


def test_its_limits_are_those_of_a_baseline() -> None:
    (endpoint,) = baseline_of_urls(["http://h/a"], 300.0).endpoints
    assert endpoint.limits == Limits(450.0, 600.0)
    (new,) = baseline_of_urls(["http://h/a"]).endpoints
    assert new.limits.warning_ms == 500.0


def test_what_may_be_secret_is_not_shown() -> None:
    baseline = baseline_of_urls(["http://user:pass-word@h/a?token=s3cr3t-value&page=2"])
    (endpoint,) = baseline.endpoints
    assert url_shown(baseline.service.base_url, endpoint) == "http://user:***@h/a?token=***&page=***"
    assert {"pass-word", "s3cr3t-value"} <= baseline.secrets
    assert "s3cr3t-value" not in repr(endpoint.name)


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        (["http://a/x", "http://b/x"], "the URLs belong to different services"),
        (["http://a/x", "https://a/x"], "the URLs belong to different services"),
        (["ftp://s3cr3t/x"], "must start with http:// or https://"),
        (["http:///s3cr3t"], "no valid host"),
        (["http://a/#s3cr3t"], "a fragment"),
        (["http://a/s3cr3t%zz"], "'%' is not followed by two hexadecimal digits"),
        (["http://a//s3cr3t"], "single '/'"),
        (["http://a/?q=s3cr3t%ff"], "not valid UTF-8"),
        (["http://a:99999/s3cr3t"], "not a valid URL"),
        (["http://a/s3cr3t b"], "spaces or control characters"),
        (["http://a/?q=s3cr3t\n"], "spaces or control characters"),
    ],
)
def test_a_wrong_url_is_an_error_that_does_not_quote_it(urls: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        baseline_of_urls(urls)
    assert caught.value.remedy
    assert "s3cr3t" not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize("target_ms", [0.0, 10_000.0, 60_000.0])
def test_a_target_that_cannot_be_measured_is_an_error(target_ms: float) -> None:
    with pytest.raises(UsageError, match="--target must be more than 0 and less than 10s"):
        baseline_of_urls(["http://h/a"], target_ms)
