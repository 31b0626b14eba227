"""Phrases that all messages build in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from perfcheck.text import clean
from perfcheck.times import parse_time

_IRREGULAR = {"query": "queries", "latency": "latencies", "miss": "misses", "branch": "branches"}
_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+(/|$)", re.ASCII)
_COMMIT_LENGTH = 10
_RUN_ID_LENGTH = 8
_LONGEST_TIME = 40
_LONGEST_COMPARED = 60  # 'did you mean' takes time quadratic in it
_MOST_COMPARED = 1000


def plural(count: int, noun: str) -> str:
    """``1 request``, ``2 requests``, ``1,200 requests``."""
    return f"{count:,} {noun if count == 1 else _IRREGULAR.get(noun, noun + 's')}"


def are_all(count: int, noun: str, state: str) -> str:
    """``The endpoint is``, ``Both endpoints are``, ``All 11 endpoints are`` in that ``state``."""
    if count == 1:
        return f"The {noun} is {state.replace('their', 'its')}"
    return f"{'Both' if count == 2 else f'All {count:,}'} {noun}s are {state}"  # noqa: PLR2004 - what both means


def and_more(items: Sequence[str], most: int) -> str:
    """``a, b and 3 more``: the first ``most`` of them."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more} more" if more > 0 else "")


def did_you_mean(word: str, known: Iterable[str], *, most: int = 1, similarity: float = 0.6) -> str | None:
    """``did you mean 'target'?``, or None when nothing is similar. ``similarity`` is difflib's ratio."""
    from difflib import get_close_matches  # noqa: PLC0415 - not in a service, whose monitor never needs it

    names = {name.lower(): name for name in islice(known, _MOST_COMPARED)}
    near = get_close_matches(word[:_LONGEST_COMPARED].lower(), names, most, similarity)
    shown = " or ".join(f"'{clean(names[name])}'" for name in near)
    return f"did you mean {shown}?" if near else None


def did_you_mean_url(word: str) -> str | None:
    """``did you mean http://localhost:8000/api?``, of a host and a port without a scheme; else None."""
    return f"did you mean http://{clean(word)}?" if _HOST_AND_PORT.match(word) else None


def short_commit(commit: str) -> str:
    """The first 10 characters of a commit hash, safe to show."""
    return clean(commit[:_COMMIT_LENGTH])


def label_and_commit(label: str, commit: str | None, state: str = "") -> str:
    """``main (0943df9a1b)``; the commit alone where the label is no more than that."""
    if not commit:
        return clean(label)
    shown = f"{short_commit(commit)}{state}"
    return shown if label and commit.startswith(label) else f"{clean(label)} ({shown})"


def short_run(run_id: str) -> str:
    """The first 8 characters of the id of a run, which identify it, safe to show."""
    return clean(run_id)[:_RUN_ID_LENGTH]


def day(text: str) -> str:
    """``18 June 2026``, of an RFC 3339 time; anything else as it is."""
    time = parse_time(text)
    return clean(text, _LONGEST_TIME) if time is None else f"{time.day} {time:%B %Y}"


def minute(text: str) -> str:
    """``18 June 2026, 03:00 UTC``, of an RFC 3339 time; anything else as it is."""
    time = parse_time(text)
    return clean(text, _LONGEST_TIME) if time is None else f"{time.day} {time:%B %Y, %H:%M} UTC"


def cannot_tell(runs_needed: int | None) -> str:
    """Of a series, whether it changed: ``cannot tell yet: 2 more runs``."""
    return f"cannot tell yet: {plural(runs_needed, 'more run') if runs_needed else 'its runs differ too much'}"
