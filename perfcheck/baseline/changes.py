"""What is to become different in a baseline file, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.baseline.sharing import EDITABLE, Use
from perfcheck.units import parse_duration_ms


@dataclass(frozen=True, slots=True)
class Change:
    """A new value of a key of an endpoint. Raises ValueError for another key, or a text that is no duration."""

    endpoint: str
    key: str  # "target" or "ideal"
    text: str  # "250ms"

    def __post_init__(self) -> None:
        if self.key not in EDITABLE or not self.text.isprintable():
            raise ValueError(f"{self.key}: {self.text}")
        parse_duration_ms(self.text)

    @property
    def use(self) -> Use:
        return Use(self.endpoint, self.key)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that is to be made by hand, if at all. ``reason`` is a clause that follows a colon."""

    change: Change
    reason: str


@dataclass(frozen=True, slots=True)
class Edited:
    """What the file is to hold, the changes that are in it, and those that are not."""

    content: bytes
    made: tuple[Change, ...] = ()
    refused: tuple[Refusal, ...] = ()
