"""An operation with a value for each of its parameters: an endpoint that can be requested."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from perfcheck.discover.harvest import Harvest
from perfcheck.model import Endpoint, Secret
from perfcheck.model.operation import PARAMETER, Basis, Operation, Parameter, ParameterLocation

_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}
_MOST_OPTIONS = 4  # values that are tried for one parameter


@dataclass(slots=True)
class Filled:
    """``path`` and ``query`` with values; or why there are none."""

    path: str = ""
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    made_up: list[str] = field(default_factory=list)  # names of parameters with a value that nobody has seen
    missing: list[str] = field(default_factory=list)  # names of those without a value

    def endpoint(self, operation: Operation, headers: Sequence[tuple[str, str | Secret]], timeout_s: float) -> Endpoint:
        """With the ``headers`` of the service."""
        return Endpoint(
            name=f"{operation.method} {operation.template}",
            path=self.path,
            line=0,
            method=operation.method,
            query=tuple(self.query),
            headers=(*headers, *operation.headers, *self.headers),
            content=operation.content,
            timeout_s=timeout_s,
        )


def ways_to_fill(operation: Operation, harvest: Harvest) -> Iterator[Filled]:
    """At most four, the likeliest first: with values that were seen, harvested, stated by a document, or made up."""
    return (_fill(operation, harvest, choice) for choice in range(_MOST_OPTIONS))


def _fill(operation: Operation, harvest: Harvest, choice: int) -> Filled:
    filled = Filled()
    by_name = {(each.location, each.name): each for each in operation.parameters}

    def chosen(parameter: Parameter, harvested: list[str]) -> str | None:
        options = list(_options(parameter, harvested))
        if not options:
            filled.missing.append(parameter.name)
            return None
        value, basis = options[min(choice, len(options) - 1)]
        if basis is Basis.GUESS:
            filled.made_up.append(parameter.name)
        return value

    filled.path = _path(operation.template, by_name, chosen, harvest)
    for each in operation.parameters:
        if each.location is ParameterLocation.PATH or not (each.required or each.basis is Basis.OBSERVED):
            continue
        if each.location is ParameterLocation.QUERY:
            value = chosen(each, harvest.query_values(each.name))
            if value is not None:
                filled.query.append((each.name, value))
        elif each.name.lower() in _SECRET_HEADERS or each.location is ParameterLocation.COOKIE:
            continue  # of the login, which is the service's own: without it, the response is 401
        elif (value := chosen(each, [])) is not None:
            filled.headers.append((each.name, value))
    return filled


def _path(
    template: str,
    by_name: dict[tuple[ParameterLocation, str], Parameter],
    chosen: Callable[[Parameter, list[str]], str | None],
    harvest: Harvest,
) -> str:
    """From left to right, so that the id of a part is looked for in the parts of the thing that was chosen."""
    path, end = "", 0
    for match in PARAMETER.finditer(template):
        path += template[end : match.start()]
        parameter = by_name.get((ParameterLocation.PATH, match[1])) or Parameter(match[1], ParameterLocation.PATH)
        value = chosen(parameter, harvest.path_values(path, match[1]))
        path += match[0] if value is None else quote(value, safe="")
        end = match.end()
    return path + template[end:]


def _options(parameter: Parameter, harvested: list[str]) -> Iterator[tuple[str, Basis]]:
    seen = parameter.value is not None and parameter.basis is Basis.OBSERVED
    # A value that a document states for a query says what is meant; an id that it states is rarely one of this service.
    stated_first = parameter.location is not ParameterLocation.PATH and parameter.basis is not Basis.GUESS
    if parameter.value is not None and (seen or stated_first):
        yield parameter.value, parameter.basis
    yield from ((value, Basis.HARVESTED) for value in harvested)
    if parameter.value is not None and not (seen or stated_first):
        yield parameter.value, parameter.basis
