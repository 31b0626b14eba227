from __future__ import annotations

import base64
import html
import json
import quopri
from http.cookies import SimpleCookie
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.text import Redactor, clean, without_credentials


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("two\r\nlines\tand  spaces ", "two lines and spaces"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\u202ereversed\u2066", "reversed"),
        ("bell\x07 null\x00 \x9b31m", "bell null 31m"),
        ("Grüße 🎬", "Grüße 🎬"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("flask run --port $PORT", "flask run --port $PORT"),
        ("API_KEY=abc1 DEBUG=1 flask run", "API_KEY=*** DEBUG=1 flask run"),
        ("db_password='a b' Token=\"x y\" run --secret=s3", "db_password=*** Token=*** run --secret=***"),
        ('API_KEY=$API_KEY TOKEN="$TOKEN" run', 'API_KEY=$API_KEY TOKEN="$TOKEN" run'),
        ("DB=postgres://app:pass@db/x run", "DB=postgres://app:***@db/x run"),
        ("DB=postgres://app:$PASS@db/x curl http://a:80/b@c", "DB=postgres://app:$PASS@db/x curl http://a:80/b@c"),
    ],
)
def test_a_command_is_shown_without_the_secrets_in_it(command: str, shown: str) -> None:
    assert without_credentials(command) == shown


@given(st.text(), st.integers(min_value=4, max_value=50))
def test_clean_text_is_one_short_printable_line(text: str, limit: int) -> None:
    shown = clean(text, limit)
    assert len(shown) <= limit
    assert all(char.isprintable() for char in shown)


SECRET = 'p@ss "word"/ü'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        quote_plus(SECRET).lower(),
        httpx.URL("http://a").copy_with(path=f"/{SECRET}").raw_path.decode()[1:],
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("\\u00fc", "\\u00FC").replace("/", "\\/"),
        repr(SECRET)[1:-1],
    ],
)
def test_a_secret_is_found_in_every_form_it_travels_in(form: str) -> None:
    assert Redactor([SECRET])(f"before {form} after") == "before *** after"


def test_secrets_that_are_no_unicode_or_end_with_a_line_break() -> None:
    assert Redactor(["caf\udce9"])("a caf\udce9 b") == "a *** b"
    assert Redactor(["token\n"])("Bearer token, token\n") == "Bearer ***, ***"


def test_the_longest_secret_goes_first() -> None:
    assert Redactor(["token", "token-and-more"])("token-and-more token") == "*** ***"


def test_a_cut_leaves_no_half_secret() -> None:
    assert "secret" not in Redactor(["secret-value"]).clean("x" * 190 + "secret-value")


def test_a_very_short_value_is_not_hunted_for_in_text() -> None:
    assert Redactor(["a"])("a banana") == "a banana"


@pytest.mark.parametrize(
    "form",
    [
        html.escape(SECRET),
        quote(quote(SECRET, safe=""), safe=""),
        json.dumps(json.dumps(SECRET))[3:-3],
        SimpleCookie({"a": SECRET})["a"].coded_value[1:-1],
        quopri.encodestring(SECRET.encode(), quotetabs=True).decode(),
        SECRET.encode().decode("latin-1"),
        SECRET.encode("latin-1").decode("utf-8", "replace"),
    ],
)
def test_a_secret_is_found_in_what_a_service_makes_of_it(form: str) -> None:
    assert Redactor([SECRET])(f"before {form} after") == "before *** after"


@given(st.binary(min_size=6, max_size=40), st.binary(max_size=7), st.binary(max_size=7))
def test_a_secret_is_found_in_base64_wherever_it_begins(secret: bytes, before: bytes, after: bytes) -> None:
    token = secret.hex()
    encoded = base64.b64encode(before + token.encode() + after).decode()
    url_safe = base64.urlsafe_b64encode(before + token.encode() + after).decode()
    for text in (encoded, url_safe):
        hidden = Redactor([token])(text)
        assert "***" in hidden
        assert len(hidden) <= len(text) - len(token) + len("***") + 2


def test_what_a_secret_decodes_to_is_one_too() -> None:
    redact = Redactor(["a%2Fb%3Dcdef", '"g\\054h i"'])
    assert redact("a/b=cdef") == "***"
    assert redact("x g,h i y") == "x *** y"


def test_of_a_source_that_makes_ever_new_secrets_the_latest_are_kept() -> None:
    redact = Redactor(["for-ever"])
    for number in range(1000):
        redact.add(f"session-{number:05}", "for-ever", source="cookie a")
    assert redact("session-00999 session-00980 for-ever") == "*** *** ***"
    assert redact("session-00000") == "session-00000"
    assert len(redact._forms) < 700
