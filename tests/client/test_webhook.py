"""Deliveries to a real server; the pauses between attempts are those of a clock that is controlled."""

from __future__ import annotations

import pytest
from apps.receiver import SECRET, receiver

from perfcheck.client.webhook import deliver

BODY = {"verdict": "OK"}


@pytest.mark.parametrize(
    ("statuses", "attempts", "failure"),
    [
        ((), 1, None),
        ((503, 429), 3, None),
        ((500,) * 9, 3, "its status is 500"),
        ((404,), 1, "its status is 404"),
    ],
)
def test_it_is_tried_again_twice_where_that_may_help(
    statuses: tuple[int, ...], attempts: int, failure: str | None
) -> None:
    pauses: list[float] = []
    with receiver(*statuses) as to:
        assert deliver(to.url, BODY, sleep=pauses.append) == failure
    assert to.bodies == [BODY] * attempts
    assert pauses == [1.0, 3.0][: attempts - 1]


@pytest.mark.parametrize(
    ("url", "failure"),
    [
        (f"http://127.0.0.1:1/{SECRET}", "it cannot be reached"),
        (f"http://127.0.0.1:1/{SECRET}\ud800", "it cannot be sent"),
    ],
)
def test_what_cannot_be_delivered_does_not_show_its_address(url: str, failure: str) -> None:
    pauses: list[float] = []
    assert deliver(url, BODY, sleep=pauses.append) == failure
    assert pauses == [1.0, 3.0]
