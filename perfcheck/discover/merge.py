"""Operations from several sources as one list, in which each method of each route occurs once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from perfcheck.judge.route_templates import RouteTemplate, parse_template
from perfcheck.model.operation import Basis, FoundIn, Operation, Parameter, ParameterLocation

_PARAMETER = re.compile(r"\{([^{}]*)\}")
_COMPLETE = {FoundIn.MONITOR, FoundIn.OPENAPI, FoundIn.SOURCE}  # what these do not list is no route of its own
_SEEN = {FoundIn.HAR, FoundIn.POSTMAN, FoundIn.CURL, FoundIn.ACCESS_LOG, FoundIn.LINK}
_IGNORED = {"OPTIONS", "TRACE", "CONNECT"}
_TRUST = {found_in: rank for rank, found_in in enumerate(FoundIn)}
# A value that was sent before one that the service showed, and that before any that a document states.
BEST_FIRST = (Basis.OBSERVED, Basis.HARVESTED, Basis.EXAMPLE, Basis.DEFAULT, Basis.ENUM, Basis.GUESS)


def merge(operations: Iterable[Operation]) -> list[Operation]:
    """In the order in which they were found; what several sources know of one is put together.

    A path that was only seen, in a recording or as a link, is one of the routes that a table or a document lists if it
    fits one: with the values that were seen.
    """
    merged: dict[tuple[str, str], Operation] = {}
    ordered = sorted(operations, key=lambda operation: _TRUST[operation.found_in[0]])
    routes = _Routes(operation for operation in ordered if operation.found_in[0] in _COMPLETE)
    for operation in ordered:
        known = routes.of(operation) if operation.found_in[0] in _SEEN else operation
        key = known.method, shape(known.template)
        merged[key] = _combined(merged[key], known) if key in merged else known
    return [operation for key, operation in merged.items() if not _is_added(key, merged)]


def _is_added(key: tuple[str, str], merged: Container[tuple[str, str]]) -> bool:
    """Whether frameworks add it to every route by themselves: OPTIONS, and HEAD where there is a GET."""
    method, path = key
    return method in _IGNORED or (method == "HEAD" and ("GET", path) in merged)


def shape(template: str) -> str:
    """The template without the names of its parameters, which differ between sources; and without a last slash."""
    return _PARAMETER.sub("{}", template).rstrip("/") or "/"


class _Routes:
    def __init__(self, operations: Iterable[Operation]) -> None:
        self._shapes: set[tuple[str, str]] = set()
        self._templates: list[tuple[Operation, RouteTemplate]] = []
        for operation in operations:
            self._shapes.add((operation.method, shape(operation.template)))
            parsed = parse_template(operation.template, operation.method, operation.template)
            if parsed is not None and parsed.pattern is not None:
                self._templates.append((operation, parsed))

    def of(self, seen: Operation) -> Operation:
        """``seen`` under the template that its path fits, the narrowest of several."""
        if (seen.method, shape(seen.template)) in self._shapes:
            return seen
        path = _with_values(seen.template, seen.parameters)
        fitting = [(known, parsed) for known, parsed in self._templates if parsed.fits(seen.method, path)]
        if not fitting:
            return seen
        known, parsed = fitting[0]
        for other in fitting[1:]:
            if other[1].is_narrower_than(parsed):
                known, parsed = other
        others = tuple(each for each in seen.parameters if each.location is not ParameterLocation.PATH)
        return replace(seen, template=known.template, parameters=(*_values_in(parsed, known.template, path), *others))


def _values_in(parsed: RouteTemplate, template: str, path: str) -> Iterator[Parameter]:
    match = parsed.pattern.fullmatch(path) if parsed.pattern is not None else None
    for name, value in zip(_PARAMETER.findall(template), match.groups() if match else (), strict=False):
        yield Parameter(name.partition(":")[0], ParameterLocation.PATH, value=value, basis=Basis.OBSERVED)


def _with_values(template: str, parameters: Sequence[Parameter]) -> str:
    values = {each.name: each.value for each in parameters if each.location is ParameterLocation.PATH and each.value}
    return _PARAMETER.sub(lambda match: values.get(match[1], match[0]), template)


def _combined(first: Operation, second: Operation) -> Operation:
    """``first`` is of the source that is trusted more."""
    counts = [each.requests for each in (first, second) if each.requests is not None]
    parameters = _with_names_of(first, second)
    return replace(
        first,
        found_in=tuple(dict.fromkeys((*first.found_in, *second.found_in))),
        name=first.name or second.name,
        group=first.group or second.group,
        parameters=_best(first.parameters, parameters),
        headers=first.headers or second.headers,
        content=first.content if first.content is not None else second.content,
        requests=max(counts) if counts else None,
        monitor_name=first.monitor_name or second.monitor_name,
        reason=first.reason or second.reason,
    )


def _with_names_of(first: Operation, second: Operation) -> Iterator[Parameter]:
    """Those of ``second``, of the path by the names that ``first`` has for them."""
    names = dict(zip(_PARAMETER.findall(second.template), _PARAMETER.findall(first.template), strict=False))
    for each in second.parameters:
        in_path = each.location is ParameterLocation.PATH
        yield replace(each, name=names.get(each.name, each.name)) if in_path else each


def _best(first: Iterable[Parameter], second: Iterable[Parameter]) -> tuple[Parameter, ...]:
    parameters: dict[tuple[ParameterLocation, str, int], Parameter] = {}
    for key, each in (*_numbered(first), *_numbered(second)):
        known = parameters.get(key)
        if known is None or known.value is None or (each.value is not None and _rank(each) < _rank(known)):
            required = each.required or (known is not None and known.required)
            parameters[key] = replace(each, required=required)
    return tuple(parameters.values())


def _numbered(parameters: Iterable[Parameter]) -> Iterator[tuple[tuple[ParameterLocation, str, int], Parameter]]:
    """Each with its location, its name, and how often that came before: a query may repeat it."""
    counts = Counter[tuple[ParameterLocation, str]]()
    for each in parameters:
        name = each.location, each.name
        yield (*name, counts[name]), each
        counts[name] += 1


def _rank(parameter: Parameter) -> int:
    return BEST_FIRST.index(parameter.basis)
