"""The end of a response, told from its bytes, however they are cut into pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.client.wire import ResponseEnd

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Length: 5\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
COMPLETE = [
    LENGTH + b"hello",
    OK + b"content-length:0\r\n\r\n",
    b"HTTP/1.0 200 OK\nContent-Length: 5\n\nhello",
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5;name=value\r\nhello\r\nA \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + LENGTH + b"hello",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n",
]
UNCERTAIN = [
    b"SSH-2.0-OpenSSH\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    OK + b"Content-Length: -5\r\n\r\n",
    OK + b"Content-Length: 999999\r\n\r\n",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    CHUNKED + b"not a number\r\n",
    CHUNKED + b"5\r\nhello, and no end of line\r\n",
    CHUNKED + b"0" * 2000,
    OK,
]


def end(*, head_request: bool = False) -> ResponseEnd:
    return ResponseEnd(head_request=head_request, limit=1000)


@pytest.mark.parametrize("whole", COMPLETE)
def test_nothing_is_missing_from_a_whole_response(whole: bytes) -> None:
    found = end()
    assert found.feed(whole) is False
    assert found.overlong is False


@pytest.mark.parametrize("whole", [whole for whole in COMPLETE if b"\r\n" in whole])
def test_after_its_end_any_byte_is_one_too_many(whole: bytes) -> None:
    found = end()
    found.feed(whole + b"!")
    assert found.overlong


@given(st.sampled_from(COMPLETE), st.lists(st.integers(0, 120), max_size=6))
def test_more_is_certain_only_when_more_comes(whole: bytes, cuts: list[int]) -> None:
    found = end()
    places = sorted({min(cut, len(whole)) for cut in cuts} | {0, len(whole)})
    for start, stop in itertools.pairwise(places):
        more = found.feed(whole[start:stop])
        assert not (more and stop == len(whole))
        assert not found.overlong


@pytest.mark.parametrize("start", [LENGTH, LENGTH + b"hell", CHUNKED, CHUNKED + b"5", CHUNKED + b"5\r\nhello\r\n"])
def test_more_is_known_to_come_once_the_head_is_there(start: bytes) -> None:
    assert end().feed(start) is True


def test_without_framing_the_end_of_the_connection_is_the_end() -> None:
    found = end()
    assert found.feed(OK + b"\r\n") is True
    assert found.feed(b"anything") is True
    assert not found.overlong


@pytest.mark.parametrize("data", UNCERTAIN)
def test_what_is_not_understood_is_left_to_the_library(data: bytes) -> None:
    found = end()
    assert found.feed(data) is False
    assert found.feed(b"whatever follows") is False


def test_the_answer_to_head_has_no_body() -> None:
    assert end(head_request=True).feed(LENGTH) is False


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_upset_it(pieces: list[bytes]) -> None:
    found = end()
    found.feed(CHUNKED)
    for piece in pieces:
        found.feed(piece)
    assert found.more in {True, False}
