"""Targets and ideals of a baseline file, changed where they are written; every other byte stays as it is.

A value that an endpoint inherits, or that others share with it, is not changed for those: the endpoint gets a key of
its own. Where that cannot be done, or where a variable has the say, the change is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from perfcheck.baseline.edit_check import difference
from perfcheck.baseline.load import read_for_editing
from perfcheck.baseline.plan import Change, Draft, Edited, Refusal
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
    return _one_by_one(draft, changes, wrong) if wrong(edited) else edited


def values_in_force(content: bytes, path: Path, env: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Endpoint and key -> its value, own or inherited, as the file has it: ``300 ms``. Raises BaselineError."""
    baseline = read_for_editing(content, path, env)
    draft = Draft(content, baseline)
    places = [(endpoint.name, key) for endpoint in baseline.endpoints for key in EDITABLE]
    return {place: text for place in places if (text := draft.written(*place)) is not None}


def _one_by_one(draft: Draft, changes: Sequence[Change], wrong: Callable[[Edited], str | None]) -> Edited:
    """What can be made of the changes, an endpoint at a time, where they are wrong together."""
    kept: list[Change] = []
    refused: list[Refusal] = []
    best = draft.edit(())
    for _, group in groupby(changes, key=lambda change: change.endpoint):
        tried = [*kept, *group]
        edited = draft.edit(tried)
        if reason := wrong(edited):
            refused += [Refusal(change, reason) for change in tried[len(kept) :]]
        else:
            kept, best = tried, edited
    return replace(best, refused=(*best.refused, *refused))
