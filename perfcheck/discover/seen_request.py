"""A request that was seen, in a recording or as a link, and the operation that it is of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from perfcheck.discover.path_segments import is_id, is_static, path_below, split_path, template_of
from perfcheck.discover.recorded_secrets import is_secret, kept_headers, secret_in_body
from perfcheck.model.operation import Basis, FoundIn, Operation, Parameter, ParameterLocation
from perfcheck.text import clean

Pairs = tuple[tuple[str, str], ...]

_NOISE = re.compile(r"_|utm_\w+|fbclid|gclid|_ga|cache_?bust(?:er)?", re.IGNORECASE)
_NO_METHOD = re.compile(r"[^A-Z-]")
_LONGEST_METHOD = 20
_LONGEST_VALUE = 500


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """``path`` is percent-encoded, and without that of base_url."""

    method: str
    path: str
    query: tuple[tuple[str, str | None], ...] = ()  # None: the value is not known
    headers: Pairs = ()
    content: str | None = None
    group: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters in the query."""
        return tuple(sorted({name for name, _ in self.query}))


def operation_of(
    seen: SeenRequest,
    template: str,
    in_path: Iterable[tuple[str, str | None]],
    found_in: FoundIn,
    requests: int | None = None,
) -> Operation:
    """``in_path`` are name and decoded value of each parameter in ``template``.

    No secret is taken over: a parameter that looks like one has no value, and the reason says so.
    """
    # In a path a parameter has its name from us: only its value counts.
    path_parameters = [_observed(name, value, ParameterLocation.PATH, "") for name, value in in_path]
    query = [(name, value) for name, value in seen.query if not _NOISE.fullmatch(name)]
    in_query = [_observed(name, value, ParameterLocation.QUERY, name) for name, value in query]
    in_body = secret_in_body(seen.content) if seen.content else None
    secret = next((name for name, value in query if value is not None and is_secret(name, value)), in_body)
    return Operation(
        method=_NO_METHOD.sub("", seen.method)[:_LONGEST_METHOD] or "GET",
        template=template,
        found_in=(found_in,),
        group=seen.group,
        parameters=(*path_parameters, *in_query),
        headers=tuple(kept_headers(seen.headers, has_body=seen.content is not None)),
        content=None if in_body else seen.content,
        requests=requests,
        reason=f"the recording has a secret: '{clean(secret)}'" if secret else None,
    )


def operation_by_itself(
    seen: SeenRequest, found_in: FoundIn, variable: Callable[[str], tuple[str | None, str | None] | None]
) -> Operation | None:
    """Of a request that others are not compared with; None for a file, and for what is no path.

    ``variable`` returns the name and the value that a decoded segment has, if it stands for one.
    """
    segments = split_path(seen.path)
    if segments is None or is_static(seen.path):
        return None
    decoded = [unquote(segment) for segment in segments]
    values = [variable(text) or ((None, text) if is_id(text) else None) for text in decoded]
    own_names = {index: value[0] for index, value in enumerate(values) if value and value[0]}
    words = [None if value else segment for value, segment in zip(values, segments, strict=True)]
    template, names = template_of(words, own_names)
    in_path = zip(names, [value for _, value in filter(None, values)], strict=True)
    return operation_of(seen, template, in_path, found_in)


def _observed(name: str, value: str | None, location: ParameterLocation, own_name: str) -> Parameter:
    is_known = value is not None and len(value) <= _LONGEST_VALUE and not is_secret(own_name, value)
    return Parameter(name, location, value=value if is_known else None, basis=Basis.OBSERVED)


def below_base_url(operations: Sequence[Operation], base_url: str) -> Iterator[Operation]:
    """Without the path of base_url; all as they are where none is below that, since a proxy adds or removes it."""
    prefix = urlsplit(base_url).path
    below = [path_below(prefix, operation.template) for operation in operations]
    if not any(below):
        yield from operations
    for operation, template in zip(operations, below, strict=True):
        if template is not None:
            yield replace(operation, template=template)
