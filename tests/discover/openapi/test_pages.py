"""Pages of any size and content: the addresses in them are found in bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.discover.openapi.pages import addresses_in, documents_in

REPEATED = (
    "<script",
    'swagger"docs',
    "swagger url ",
    r"swagger href >",
    'swagger "a" ',
    "swagger url = ",
    r"\u002F",
    "&",
)


@pytest.mark.parametrize("part", REPEATED)
def test_a_large_page_without_an_address(part: str) -> None:
    """With a search whose time is quadratic in the page, this takes hours."""
    assert list(addresses_in(part * (500_000 // len(part)))) == []


def test_a_page_with_many_beginnings_of_documents() -> None:
    assert list(documents_in('{"openapi": "3.0.0", ' * 50_000)) == []


@given(
    st.text(st.characters(codec="utf-8")) | st.text(st.sampled_from("swagger url:='\"<script src= href=docs.json/\\u{"))
)
def test_no_page_raises(text: str) -> None:
    assert all(address.strip() == address for address in addresses_in(text))
    assert all(isinstance(document, dict) for document in documents_in(text))
