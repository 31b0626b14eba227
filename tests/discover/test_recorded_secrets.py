"""What is not taken over from a recording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.recorded_secrets import is_secret, kept_headers, secret_in_body

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x"


@pytest.mark.parametrize(
    "name",
    [
        *("token", "access_token", "accessToken", "authtoken", "X-Auth-Token", "api_key", "apiKey", "APIKey", "apikey"),
        *("X-Api-Key", "password", "userPassword", "pwd", "client_secret", "sig", "X-Amz-Signature", "AWSAccessKeyId"),
        *("sessionid", "PHPSESSID", "session", "csrf_token", "csrfmiddlewaretoken", "id_token", "jwt", "Authorization"),
        *("X-XSRF-TOKEN", "Cookie", "otp", "private_key", "subscription-key", "__RequestVerificationToken"),
    ],
)
def test_a_secret_by_its_name(name: str) -> None:
    assert is_secret(name, "1")


@pytest.mark.parametrize(
    "name",
    [
        *("q", "page", "author", "design", "signal", "monkey", "keyword", "key", "sort_key", "assigned", "tokenizer"),
        *(
            "page_token",
            "nextPageToken",
            "continuationToken",
            "pagetoken",
            "passenger",
            "sidebar",
            "X-Tenant",
            "",
            "$top",
        ),
    ],
)
def test_what_is_no_secret(name: str) -> None:
    assert not is_secret(name, "value-7")


@pytest.mark.parametrize(
    "value", [JWT, "Bearer abc", "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "sk_live_4eC39Hq"]
)
def test_a_secret_by_its_value(value: str) -> None:
    assert is_secret("x", value)


def test_a_key_with_a_value_at_random() -> None:
    assert is_secret("key", "AbCdEf0123456789GhIj")
    assert not is_secret("key", "created-at-in-the-year-before")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("user=ada&password=x", "password"),
        ('{"user": "ada", "auth": {"apiKey": "x"}}', "apiKey"),
        ('{"q": "a", "nested": [{"t": "' + JWT + '"}]}', "t"),
        ("{'token' : 'x'}", "token"),
        ('{"q": "the password of the token"}', None),
        ("q=a&page=2", None),
        ("", None),
    ],
)
def test_the_first_secret_in_a_body(content: str, name: str | None) -> None:
    assert secret_in_body(content) == name


def test_headers_that_a_service_may_decide_by() -> None:
    sent = {
        "Accept": "application/vnd.shop.v3+json",
        "Content-Type": "application/json",
        "X-Tenant": "acme",
        "X-Requested-With": "XMLHttpRequest",
        "Api-Version": "2026-01-01",
        "Cookie": "a=b",
        "Authorization": "Bearer x",
        "User-Agent": "Mozilla/5.0",
        "Accept-Language": "en",
        "X-Forwarded-For": "10.0.0.1",
        "X-Request-Id": "7",
        "X-Csrf-Token": "x",
        "X-Device": "9f86d081884c7d659a2feaa0c55ad015",
        "X-Long": "x" * 300,
        "X-Empty": "",
        "Host": "h",
    }
    kept = dict(kept_headers(sent.items(), has_body=True))
    assert list(kept) == ["Accept", "Content-Type", "X-Tenant", "X-Requested-With", "Api-Version"]
    assert "Content-Type" not in dict(kept_headers(sent.items(), has_body=False))


@pytest.mark.parametrize("value", ["*/*", "text/html,application/xml;q=0.9,*/*;q=0.8", "application/json, text/plain"])
def test_a_browsers_general_accept_is_left_out(value: str) -> None:
    assert not list(kept_headers([("accept", value)], has_body=False))


@given(st.text(max_size=200), st.text(max_size=50))
def test_any_text(content: str, value: str) -> None:
    name = secret_in_body(content)
    assert name is None or name in content
    assert is_secret("password", value)
