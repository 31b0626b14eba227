"""Names and groups of endpoints, from the routes that they are of: readable, valid, and the same every time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count
from urllib.parse import unquote

from perfcheck.model import Endpoint, Group
from perfcheck.model.operation import PARAMETER, Candidate
from perfcheck.text import clean

_PREFIXES = re.compile(r"api|rest|v[0-9]+(\.[0-9]+)?|_", re.IGNORECASE)  # segments that say nothing
_NOT_IN_NAMES = re.compile(r"[^\w-]+")
_LONGEST = 80
_ROOT = "root"
_TIMEOUT_S = Endpoint(name="", path="", line=0).timeout_s  # and not that of a first try
_FEWEST = 2  # endpoints of one first segment that make a group


def named(
    candidates: Sequence[Candidate], taken: Collection[str] = (), known_groups: Collection[str] = ()
) -> list[Candidate]:
    """The candidates, their endpoints with names and groups: in groups of their own, or in those of a baseline.

    ``taken`` are names in use. A group of one endpoint is none, unless it is known.
    """
    groups, used, result = _groups(candidates, known_groups), set(taken), []
    for candidate, group in zip(candidates, groups, strict=True):
        operation = candidate.operation
        names = _names(operation.template, operation.method)
        name = next(each for each in names if each not in used)
        used.add(name)
        endpoint = replace(
            candidate.endpoint, name=name, group=group, monitor_name=operation.monitor_name, timeout_s=_TIMEOUT_S
        )
        result.append(replace(candidate, endpoint=endpoint))
    return result


def in_order_of_groups(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By group, each where its first endpoint is."""
    order = list(dict.fromkeys(each.endpoint.group for each in candidates))
    return sorted(candidates, key=lambda candidate: order.index(candidate.endpoint.group))


def groups_of(candidates: Iterable[Candidate]) -> list[Group]:
    """Those of the endpoints, each with the title that its source has for it."""
    titles: dict[str, str] = {}
    for each in candidates:
        if name := each.endpoint.group:
            titles.setdefault(name, clean(each.operation.group or "") or name)
    return [Group(name, title[:1].upper() + title[1:].replace("_", " "), 0) for name, title in titles.items()]


def _groups(candidates: Sequence[Candidate], known: Collection[str]) -> list[str | None]:
    """By the tag or folder of the source; else by the first segment, where it is that of two endpoints at least."""
    of_source = [_slug(each.operation.group or "") for each in candidates]
    first = [next(iter(_segments(each.operation.template)), "") for each in candidates]
    counts = Counter(first) + Counter(group for group in of_source if group)
    return [
        tag or (segment if segment and (segment in known or counts[segment] >= _FEWEST) else None)
        for tag, segment in zip(of_source, first, strict=True)
    ]


def _segments(template: str, *, parameters: bool = False) -> list[str]:
    """The segments of a path that say something, as words of a name."""
    words = []
    for segment in template.strip("/").split("/"):
        parameter = PARAMETER.search(segment)
        if parameter is None and not _PREFIXES.fullmatch(segment):
            words.append(_slug(unquote(segment)))
        elif parameter is not None and parameters:
            words.append(f"by_{_slug(parameter[1]) or 'value'}")
    return [word for word in words if word]


def _names(template: str, method: str) -> Iterator[str]:
    """``videos.search``, ``videos.by_id``; then longer ones and ``videos.by_id_2``, for where the first is taken."""
    last = template.rstrip("/").rpartition("/")[2]
    full = _segments(template, parameters=True)
    short = [*_segments(template), *(full[-1:] if PARAMETER.search(last) else [])]
    suffix = [] if method == "GET" else [method.lower()]
    first, second = (".".join([*words, *suffix] or [_ROOT])[:_LONGEST] for words in (short, full))
    return chain((first, second), (f"{first}_{number}" for number in count(2)))


def _slug(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text).strip("_")
