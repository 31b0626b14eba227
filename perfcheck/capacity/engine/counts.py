"""What became of the requests of one endpoint in one half second: counted by a worker, sent, and added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from perfcheck.capacity.engine.histogram import LatencyHistogram
from perfcheck.model import Failure


class GeneratorError(StrEnum):
    """A request that could not be sent for want of something on the machine that generates the load."""

    NO_PORTS = "no free port"
    NO_FILES = "too many open files"
    NO_MEMORY = "no memory for sockets"


@dataclass(slots=True)
class EndpointCounts:
    """Of requests whose intended start lies in the half second."""

    latency: LatencyHistogram = field(default_factory=LatencyHistogram)  # from the intended start; successes only
    uncorrected: LatencyHistogram = field(default_factory=LatencyHistogram)  # from the real start; open model only
    failures: Counter[Failure] = field(default_factory=Counter)
    generator_errors: Counter[GeneratorError] = field(default_factory=Counter)
    shed: int = 0  # not sent, since the pool of the open model was in use
    pending: int = 0  # still in flight, and over their limit already

    @property
    def failed(self) -> int:
        return self.failures.total() + self.shed

    @property
    def requests(self) -> int:
        """All but those that the generator itself could not send."""
        return self.latency.total() + self.failed + self.pending

    @property
    def unanswered(self) -> int:
        """Whose latency is not known, but that it is long."""
        return self.pending + self.failures[Failure.TIMEOUT]

    def over(self, limit_ms: float) -> int:
        """Longer than the limit, with those that were still in flight then, and timeouts."""
        return self.latency.over(limit_ms) + self.unanswered

    def merge(self, other: Self) -> None:
        self.latency.update(other.latency)
        self.uncorrected.update(other.uncorrected)
        self.failures.update(other.failures)
        self.generator_errors.update(other.generator_errors)
        self.shed += other.shed
        self.pending += other.pending

    def to_json(self) -> dict[str, Any]:
        """Values that are empty are left out."""
        values = {
            "latency": {str(bucket): count for bucket, count in self.latency.items()},
            "uncorrected": {str(bucket): count for bucket, count in self.uncorrected.items()},
            "failures": {str(kind): count for kind, count in self.failures.items()},
            "generator_errors": {str(kind): count for kind, count in self.generator_errors.items()},
            "shed": self.shed,
            "pending": self.pending,
        }
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(
            _histogram(values.get("latency", {})),
            _histogram(values.get("uncorrected", {})),
            Counter({Failure(kind): count for kind, count in values.get("failures", {}).items()}),
            Counter({GeneratorError(kind): count for kind, count in values.get("generator_errors", {}).items()}),
            values.get("shed", 0),
            values.get("pending", 0),
        )


def _histogram(counts: Mapping[str, int]) -> LatencyHistogram:
    return LatencyHistogram({int(bucket): count for bucket, count in counts.items()})


def merged(parts: Iterable[Mapping[str, EndpointCounts]]) -> dict[str, EndpointCounts]:
    """The counts of several parts, by endpoint."""
    total: dict[str, EndpointCounts] = {}
    for part in parts:
        for endpoint, counts in part.items():
            total.setdefault(endpoint, EndpointCounts()).merge(counts)
    return total
