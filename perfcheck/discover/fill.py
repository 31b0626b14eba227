"""An operation with a value for each of its parameters: an endpoint that can be requested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from perfcheck.discover.harvest import Harvest
from perfcheck.model import Endpoint, RequestText
from perfcheck.model.operation import PARAMETER, Basis, Operation, Parameter, ParameterLocation

_MOST_OPTIONS = 4  # values that are tried for one parameter


@dataclass(slots=True)
class Filled:
    """``path`` and ``query`` with values; or why there are none."""

    path: str = ""
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    made_up: list[str] = field(default_factory=list)  # names of parameters with a value that nobody has seen
    missing: list[str] = field(default_factory=list)  # names of those without a value

    def choose(self, parameter: Parameter, harvested: Sequence[str], choice: int) -> str | None:
        """The value that is ``choice``-th in likelihood, or the last."""
        options = [(value, Basis.HARVESTED) for value in harvested]
        if parameter.value is not None:
            # What a document states for a query is meant so; an id that it states is rarely one of this service.
            is_meant = parameter.location is not ParameterLocation.PATH and parameter.basis is not Basis.GUESS
            is_first = is_meant or parameter.basis is Basis.OBSERVED
            options.insert(0 if is_first else len(options), (parameter.value, parameter.basis))
        if not options:
            self.missing.append(parameter.name)
            return None
        value, basis = options[min(choice, len(options) - 1)]
        self.made_up += [parameter.name] if basis is Basis.GUESS else []
        return value

    def endpoint(self, operation: Operation, headers: Sequence[tuple[str, RequestText]], timeout_s: float) -> Endpoint:
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
    filled, end = Filled(), 0
    in_path = {each.name: each for each in operation.parameters if each.location is ParameterLocation.PATH}
    # From left to right, so that the id of a part is looked for in the parts of the thing that was chosen.
    for match in PARAMETER.finditer(operation.template):
        filled.path += operation.template[end : match.start()]
        parameter = in_path.get(match[1]) or Parameter(match[1], ParameterLocation.PATH)
        value = filled.choose(parameter, harvest.path_values(filled.path, match[1]), choice)
        filled.path += match[0] if value is None else quote(value, safe="")
        end = match.end()
    filled.path += operation.template[end:]
    for each in operation.parameters:
        if each.location is ParameterLocation.PATH or not (each.required or each.basis is Basis.OBSERVED):
            continue
        is_query = each.location is ParameterLocation.QUERY
        value = filled.choose(each, harvest.query_values(each.name) if is_query else [], choice)
        if value is not None:
            (filled.query if is_query else filled.headers).append((each.name, value))
    return filled
