"""The operations of a service, as documents, route tables, recordings and logs describe them, and what a try showed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from perfcheck.model.baseline import Endpoint

PARAMETER = re.compile(r"\{([^{}]*)\}")  # in a template
_OF_ONE_ALONE = re.compile(r" *(?:'[^']*'|\{[^{}]*\}(?:, \{[^{}]*\})*) *")  # names in a reason


class FoundIn(StrEnum):
    """A source of operations, in the order in which one is trusted before another."""

    MONITOR = "monitor"
    OPENAPI = "OpenAPI"
    HAR = "HAR"
    POSTMAN = "Postman"
    CURL = "curl"
    ACCESS_LOG = "access log"
    SOURCE = "source code"
    LINK = "links"


class ParameterLocation(StrEnum):
    """Where in a request a parameter stands."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


class Basis(StrEnum):
    """Where the value of a parameter comes from, the best first."""

    OBSERVED = "observed"  # in a request that somebody sent
    HARVESTED = "harvested"  # from a response, such as an id in a list
    EXAMPLE = "example"
    DEFAULT = "default"
    ENUM = "enum"
    GUESS = "guess"  # any value that the schema allows

    @property
    def rank(self) -> int:
        """0 for the best."""
        return list(Basis).index(self)


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    location: ParameterLocation
    required: bool = True  # those of the path always are
    value: str | None = None  # None: not known, and none can be made up
    basis: Basis = Basis.GUESS


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route of a service."""

    method: str  # upper case
    template: str  # path with each parameter in braces: "/api/videos/{id}"; without the path of base_url
    found_in: tuple[FoundIn, ...]
    group: str | None = None  # first tag, or folder
    parameters: tuple[Parameter, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content: str | None = None  # body of the request
    requests: int | None = None  # how many were seen, in a log or by the monitor
    monitor_name: str | None = None
    reason: str | None = None  # why no request is sent: "deprecated", "needs a body"

    @property
    def request_line(self) -> str:
        """``GET /api/videos/{id}``, which no other operation of the service has."""
        return f"{self.method} {self.template}"


@dataclass(frozen=True, slots=True)
class Discovered:
    """What one source has."""

    operations: tuple[Operation, ...]
    notes: tuple[str, ...] = ()  # for the user: what was left out of it, or taken for something else


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operation that responded as it should, as the endpoint that may be measured."""

    operation: Operation
    endpoint: Endpoint
    latency_ms: float  # of one request, from its start to the end of its body


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An operation that is no candidate."""

    operation: Operation
    reason: str  # "needs a body", "HTTP 401 Unauthorized"
    remedy: str | None = None

    @property
    def kind(self) -> str:
        """The reason without names, which those that are left out for the same have in common."""
        return _OF_ONE_ALONE.sub(" ", self.reason).strip(" :")


@dataclass(frozen=True, slots=True)
class Survey:
    """Every operation that was found is in one of these."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
