"""A part of a page that may be longer than there is room for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    opening: str
    items: Iterable[str]  # each with the end of its line; asked for one by one, as long as there is room
    count: int  # of the items
    closing: str
    what: str  # the items are: "the explanations"

    def left_out(self, count: int) -> str:
        return f"*Left out for want of room: {count} of {self.what}; the HTML report and the run file have them all.*"

    @property
    def least(self) -> int:
        """Bytes that it takes to say that nothing of it is shown."""
        return size(self.left_out(self.count))

    def fit(self, room: int) -> tuple[str, bool]:
        """What there is room for in so many bytes, at least ``least`` of them; and whether that is all of it."""
        around = size(self.opening + self.closing) + len("\n\n") + self.least
        shown = list(self._first(room - around))
        missing = self.count - len(shown)
        if not shown:
            return self.left_out(missing), False
        note = f"\n{self.left_out(missing)}\n" if missing else ""
        return "".join([self.opening, *shown, note, self.closing]).rstrip("\n"), not missing

    def _first(self, room: int) -> Iterator[str]:
        for item in self.items:
            room -= size(item)
            if room < 0:
                return
            yield item


def size(text: str) -> int:
    """In bytes, as it is written."""
    return len(text.encode())
