"""Runs in the process of the tests pause as briefly as those of forked commands."""

from __future__ import annotations

import pytest
from support.forks import short_pauses


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, pause_s in short_pauses():
        monkeypatch.setattr(module, name, pause_s)
