"""What is sent to the process of the browser and back, as lines of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VisitStep:
    """One step of a visit. Without ``url``, on the page of the step before."""

    url: str | None
    headers: dict[str, str] | None  # of requests to the origin, from now on; None where it has no URL
    fill: tuple[tuple[str, str], ...]
    click: str | None
    until: str | None
    expect: tuple[tuple[int, int], ...]  # inclusive ranges of status codes
    timeout_s: float
    think_s: float


@dataclass(frozen=True, slots=True)
class Visit:
    """One load of a page, or of several in a row, with nothing left of the one before."""

    steps: tuple[VisitStep, ...]
    origin: str  # what its headers and credentials are sent to: https://host:port
    cookies: dict[str, str]
    credentials: tuple[str, str] | None  # of HTTP digest
    verifies_tls: bool
    is_warm: bool  # it is loaded once before, in the same cache
    files: str | None  # path without extension, for a screenshot and a HAR

    @property
    def longest_s(self) -> float:
        return (1 + self.is_warm) * sum(step.timeout_s + step.think_s for step in self.steps)


@dataclass(frozen=True, slots=True)
class VisitedStep:
    """What came of a step; ``failure`` is a :class:`~perfcheck.model.Failure`."""

    status: int | None = None
    server_timing: str | None = None
    figures: dict[str, float] = field(default_factory=dict)
    blocking: tuple[tuple[str, float, bool], ...] = ()
    failure: str | None = None
    detail: str | None = None
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Visited:
    """What came of a visit, as far as it came; and before the first, of the start of the browser."""

    steps: tuple[VisitedStep, ...] = ()
    error: str | None = None  # the browser did not start
