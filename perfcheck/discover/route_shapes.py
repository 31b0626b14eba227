"""Requests that were seen, merged into operations by route: ``/things/7`` and ``/things/9`` are ``/things/{id}``.

A value is found by its looks (numbers, UUIDs, dates, digests), or because there are so many at one place in a path: no
list of words is that long. Memory is bounded, whatever is added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from perfcheck.discover.path_segments import is_id, is_slug, split_path, template_of
from perfcheck.discover.seen_request import SeenRequest, operation_of
from perfcheck.model.operation import FoundIn, Operation

Segments = tuple[str | None, ...]  # of a route; None is a value

_MOST_VALUES = 100  # at one place in a path; more are no list of words
_MOST_AT_ROOT = 1000  # where words are more likely than values
_MOST_SLUGS = 20  # of those that look like titles or names
_OWN_SHARE = 0.1  # one with so much of the requests is a route of its own, such as /users/me
_MOST_KNOWN = 50_000


@dataclass(slots=True)
class _Variant:
    """The requests of a route that have parameters of the same names in their query."""

    route: Segments
    latest: SeenRequest  # what it names is most likely still there
    names: tuple[str, ...]
    requests: int = 1


class RouteShapes:
    """The operations of the requests that are added."""

    def __init__(self, found_in: FoundIn) -> None:
        self._found_in = found_in
        self._variants: dict[tuple[object, ...], _Variant] = {}  # the latest last
        self._open: set[Segments] = set()  # below these were so many words that any is a value

    def add(self, seen: SeenRequest) -> None:
        """What is no path of a service is left out."""
        if (route := route_of(seen.path)) is not None:
            self._put(_Variant(route, seen, seen.names))
            if len(self._variants) > _MOST_KNOWN:
                self._merge()
                self._forget()

    def operations(self) -> tuple[Operation, ...]:
        """By the number of requests, most first."""
        self._merge()
        by_route = defaultdict(list)
        for variant in self._variants.values():
            by_route[variant.latest.method, variant.route].append(variant)
        found = map(self._operation, by_route.values())
        return tuple(sorted(found, key=lambda each: (-(each.requests or 0), each.template, each.method)))

    def _put(self, variant: _Variant) -> None:
        key = variant.latest.method, variant.route, variant.names
        known = self._variants.pop(key, None)
        variant.requests += known.requests if known else 0
        self._variants[key] = variant

    def _merge(self) -> None:
        variants = list(self._variants.values())
        self._generalise(variants, ())
        self._variants.clear()
        for variant in variants:
            self._put(variant)

    def _generalise(self, variants: Sequence[_Variant], above: Segments) -> None:
        """Make values of words that are too many, but for collections and for those with many of the requests."""
        depth = len(above)
        below: defaultdict[str | None, list[_Variant]] = defaultdict(list)
        for variant in variants:
            if len(variant.route) > depth:
                below[variant.route[depth]].append(variant)
        values = [word for word in below if word is not None]
        if len(values) > (_MOST_VALUES if above else _MOST_AT_ROOT):
            self._open.add(above)
        if above not in self._open:
            slugs = [word for word in values if is_slug(unquote(word))]
            values = slugs if len(slugs) > _MOST_SLUGS else []
        many = max(_OWN_SHARE * _requests(variants), 2)
        for word in values:
            is_collection = any(each.route[depth + 1 : depth + 2] == (None,) for each in below[word])
            if not is_collection and _requests(below[word]) < many:
                for each in below[word]:
                    each.route = (*above, None, *each.route[depth + 1 :])
                below[None] += below.pop(word)
        for segment, inner in below.items():
            self._generalise(inner, (*above, segment))

    def _forget(self) -> None:
        """Half of the variants, those with the fewest requests: these count for another variant of their route."""
        ascending = sorted(self._variants.items(), key=lambda pair: pair[1].requests)
        best = {key[:2]: variant for key, variant in ascending}
        for key, variant in ascending[: -_MOST_KNOWN // 2]:
            best[key[:2]].requests += variant.requests
            del self._variants[key]

    def _operation(self, variants: Sequence[_Variant]) -> Operation:
        """As most requests were, or with the fewest parameters of a link; rather one without a secret."""
        are_links = self._found_in is FoundIn.LINK
        order = sorted(variants, key=lambda each: (0 if are_links else -each.requests, len(each.names), each.names))
        requests = None if are_links else _requests(variants)
        template, names = template_of(variants[0].route)
        operations = []
        for variant in order:
            segments = zip(split_path(variant.latest.path) or (), variant.route, strict=True)
            values = [unquote(segment) for segment, word in segments if word is None]
            in_path = zip(names, values, strict=True)
            operations.append(operation_of(variant.latest, template, in_path, self._found_in, requests))
        return next((each for each in operations if each.reason is None), operations[0])


@lru_cache(maxsize=5_000)  # a log has the same few paths all the time
def route_of(path: str) -> Segments | None:
    """By the looks of its segments alone; None for what is no path of a service."""
    segments = split_path(path)
    return None if segments is None else tuple(None if is_id(unquote(each)) else each for each in segments)


def _requests(variants: Sequence[_Variant]) -> int:
    return sum(variant.requests for variant in variants)
