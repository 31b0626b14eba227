"""Runs of these tests pause briefly."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _short_pauses(short_pauses: None) -> None:
    """For every test of the folder."""
