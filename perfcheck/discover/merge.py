"""Operations from several sources as one list, in which each method of each route occurs once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace

from perfcheck.judge.route_templates import RouteTemplate, parse_template
from perfcheck.model.operation import PARAMETER, Basis, FoundIn, Operation, Parameter, ParameterLocation

_COMPLETE = {FoundIn.MONITOR, FoundIn.OPENAPI, FoundIn.SOURCE}  # what these do not list is no route of its own
_SEEN = {FoundIn.HAR, FoundIn.POSTMAN, FoundIn.CURL, FoundIn.ACCESS_LOG, FoundIn.LINK}
_IGNORED = {"OPTIONS", "TRACE", "CONNECT"}


def merge(operations: Iterable[Operation]) -> list[Operation]:
    """In the order in which they were found; what several sources know of one is put together.

    A path that was only seen, in a recording or as a link, is one of the routes that a table or a document lists if it
    fits one: with the values that were seen.
    """
    merged: dict[tuple[str, str], Operation] = {}
    ordered = sorted(operations, key=lambda operation: list(FoundIn).index(operation.found_in[0]))
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
    return PARAMETER.sub("{}", template).rstrip("/") or "/"


class _Routes:
    def __init__(self, operations: Iterable[Operation]) -> None:
        self._shapes: set[tuple[str, str]] = set()
        self._templates: list[tuple[Operation, RouteTemplate]] = []
        for operation in operations:
            self._shapes.add((operation.method, shape(operation.template)))
            parsed = parse_template(operation.template, operation.method, operation.template)
            if parsed is not None and parsed.pattern is not None:
                self._templates.append((operation, parsed))
        self._templates.sort(key=lambda pair: pair[1].ranks)  # the narrowest first, as in a router

    def of(self, seen: Operation) -> Operation:
        """``seen`` under the template that its path fits, the narrowest of several."""
        if (seen.method, shape(seen.template)) in self._shapes:
            return seen
        path = _with_values(seen.template, seen.parameters)
        for known, parsed in self._templates:
            match = parsed.pattern.fullmatch(path) if parsed.pattern and parsed.fits(seen.method, path) else None
            if match is not None:
                named = zip(PARAMETER.findall(known.template), match.groups(), strict=False)
                values = [
                    Parameter(name, ParameterLocation.PATH, value=value, basis=Basis.OBSERVED) for name, value in named
                ]
                others = [each for each in seen.parameters if each.location is not ParameterLocation.PATH]
                return replace(seen, template=known.template, parameters=(*values, *others))
        return seen


def _with_values(template: str, parameters: Sequence[Parameter]) -> str:
    values = {each.name: each.value for each in parameters if each.location is ParameterLocation.PATH and each.value}
    return PARAMETER.sub(lambda match: values.get(match[1], match[0]), template)


def _combined(first: Operation, second: Operation) -> Operation:
    """``first`` is of the source that is trusted more."""
    counts = [each.requests for each in (first, second) if each.requests is not None]
    parameters = _with_names_of(first, second)
    return replace(
        first,
        found_in=tuple(dict.fromkeys((*first.found_in, *second.found_in))),
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
    names = dict(zip(PARAMETER.findall(second.template), PARAMETER.findall(first.template), strict=False))
    for each in second.parameters:
        in_path = each.location is ParameterLocation.PATH
        yield replace(each, name=names.get(each.name, each.name)) if in_path else each


def _best(first: Iterable[Parameter], second: Iterable[Parameter]) -> tuple[Parameter, ...]:
    parameters: dict[tuple[ParameterLocation, str, int], Parameter] = {}
    for key, each in (*_numbered(first), *_numbered(second)):
        known = parameters.get(key)
        if known is None or known.value is None or (each.value is not None and each.basis.rank < known.basis.rank):
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
