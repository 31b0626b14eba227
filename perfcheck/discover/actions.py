"""What looks like an action: a path that may change something although its method says that it does not.

By whole segments of the path. The last one that is text may be a verb, alone or before a noun (``/logout``,
``/cache/clear``, ``/delete-all``); a verb that is no noun counts in front of a parameter as well (``/delete/{id}``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from perfcheck.model.operation import PARAMETER


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never read by a GET, wherever they come last.
_VERBS = _words("""
    activate approve archive cancel clear close confirm deactivate delete destroy disable disconnect drop enable erase
    exit flush install invalidate invite kill log-off logoff log-out logout merge migrate optimize purge quit reboot
    rebuild reindex reject reload remove reset restart restore resume revoke rollback shut-down shutdown sign-off
    signoff sign-out signout start stop suspend terminate truncate unsubscribe uninstall unlock upgrade vacuum verify
    wipe
""")
# Also nouns: ``/imports`` and ``/runs/{id}`` are read, ``/runs/{id}/run`` is not.
_NOUNS = _words("backup charge deploy dump execute gc import pay refresh refund run send sync trigger upload")
# Verbs if they stand alone: ``/cart/add/{id}``, not ``/add-ons``.
_ALONE = _words(
    "add buy downvote follow impersonate like mark publish set subscribe toggle unlike unpublish upvote vote"
)
# Whatever comes after them may be a value, as in ``/users/delete/ada``.
_ANYWHERE = _words("delete destroy erase kill log-out logout purge remove shutdown terminate truncate unsubscribe wipe")
_ROOMS = _words("admin administration debug pprof")  # everything in them
_OF_RANGES = {"start", "stop"}
_READS = re.compile(r"status|state|history|log|logs|list|count|info|schema|config|preview|policy|policies")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DOUBLE = {"log", "sign", "shut"}  # of log-out, sign-out, shut-down


def action_word(template: str) -> str | None:
    """The segment that makes ``template`` look like an action; None where it looks like something to read."""
    segments = [segment for segment in template.partition("?")[0].split("/") if segment]
    for segment in segments:
        if segment.strip("_-.").lower() in _ROOMS | _ANYWHERE:
            return segment
    text = [segment for segment in segments if not PARAMETER.search(segment)]
    if not text:
        return None
    last = text[-1]
    words = [word.lower() for word in re.split(r"[-_.:]+", _CAMEL.sub("-", last)) if word]
    if not words or _READS.fullmatch(words[-1]) or "." in last.strip("."):
        return None
    verb = "-".join(words[:2]) if words[0] in _DOUBLE else words[0]
    is_last = segments[-1] == last
    return last if verb in _VERBS or last.lower() in _ALONE or (verb in _NOUNS and is_last) else None


def action_in_values(path: str, query: Iterable[tuple[str, str]]) -> str | None:
    """What makes a request with values look like an action: ``/names/logout``, ``?action=delete``.

    Not ``admin``, which in a value is somebody's name, nor the beginning of a range: ``?start=0``.
    """
    texts = [unquote(path), *(f"/{text}" for name, value in query for text in (name, value) if text not in _OF_RANGES)]
    return next((word for text in texts if (word := action_word(text)) and word.lower() not in _ROOMS), None)
