"""Targets and ideals of a baseline file, changed where they are written; every other byte stays as it is.

A value that an endpoint inherits, or that others share with it, is not changed for those: the endpoint gets a key of
its own. Where that cannot be done, or where a variable has the say, the change is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from perfcheck.baseline.changes import Change, Edited, Refusal
from perfcheck.baseline.edit_check import difference
from perfcheck.baseline.load import read_for_editing
from perfcheck.baseline.plan import Draft
from perfcheck.baseline.sharing import EDITABLE

__all__ = ["Change", "Edited", "Refusal", "edit_baseline", "values_in_force"]


def edit_baseline(content: bytes, changes: Sequence[Change], path: Path, env: Mapping[str, str]) -> Edited:
    """``content``, that of the baseline in ``path``, with the changes. Writes nothing.

    What comes out has been read again: it means what it did but for the changes that were made. A change that would
    make the baseline contradict itself, such as a target over its ceiling, is refused like one without a safe place.
    Raises BaselineError for a baseline that is wrong before, and ValueError for two changes of one value.
    """
    before = read_for_editing(content, path, env)
    draft = Draft(content, before)

    def wrong(edited: Edited) -> str | None:
        return difference(before, edited.content, edited.made, path, env)

    edited = draft.edit(changes)
    return _Sieve(draft, wrong).sift(changes) if wrong(edited) else edited


def values_in_force(content: bytes, path: Path, env: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Endpoint and key -> its value, own or inherited, as the file has it: ``300 ms``. Raises BaselineError."""
    baseline = read_for_editing(content, path, env)
    draft = Draft(content, baseline)
    places = [(endpoint.name, key) for endpoint in baseline.endpoints for key in EDITABLE]
    return {place: text for place in places if (text := draft.written(*place)) is not None}


class _Sieve:
    """Keeps the changes that are right, and leaves out the endpoints that are not: by halves, as there are few."""

    def __init__(self, draft: Draft, wrong: Callable[[Edited], str | None]) -> None:
        self._draft = draft
        self._wrong = wrong
        self._kept: list[Change] = []
        self._refused: list[Refusal] = []
        self._edited = draft.edit(())

    def sift(self, changes: Sequence[Change]) -> Edited:
        self._add([list(group) for _, group in groupby(changes, key=lambda change: change.endpoint)])
        return replace(self._edited, refused=(*self._edited.refused, *self._refused))

    def _add(self, groups: Sequence[list[Change]]) -> None:
        tried = [*self._kept, *(change for group in groups for change in group)]
        edited = self._draft.edit(tried)
        reason = self._wrong(edited)
        if reason is None:
            self._kept, self._edited = tried, edited
        elif len(groups) == 1:
            self._refused += [Refusal(change, reason) for change in groups[0]]
        else:
            middle = len(groups) // 2
            self._add(groups[:middle])
            self._add(groups[middle:])
