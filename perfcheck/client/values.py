"""The values that a request inserts: captured from responses, or generated for it."""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from perfcheck.times import rfc3339

_LETTERS = string.ascii_lowercase + string.digits


class Generator:
    """Values for one request after another of an endpoint: the same ones for the same seed, but for the time."""

    def __init__(self, seed: int, endpoint: str) -> None:
        self._random = random.Random(f"{seed}:{endpoint}")  # noqa: S311 - no secrets
        self._requests = 0

    def begin(self) -> None:
        """The next request follows."""
        self._requests += 1

    def value(self, name: str) -> str:
        """Raises KeyError for a name that is not of a generated value."""
        kind, _, argument = name.partition(":")
        match kind:
            case "uuid":
                return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            case "counter":
                return str(self._requests)
            case "random":
                return "".join(self._random.choices(_LETTERS, k=int(argument)))
            case "now":
                now = datetime.now(UTC)
                return rfc3339(now) if argument == "iso" else str(int(now.timestamp()))
        raise KeyError(name)


class RequestValues(Mapping[str, str]):
    """The values of one request, or of all requests of one pass of a workflow, throughout which each stays the same.

    What the steps of a workflow capture is added to it; what the setup captured is in ``shared``.
    """

    def __init__(self, generator: Generator, shared: Mapping[str, str]) -> None:
        self._generator = generator
        self._shared = shared
        self._own: dict[str, str] = {}
        self.trace_id: str | None = None  # of the trace that its requests are a part of
        generator.begin()

    def capture(self, name: str, value: str) -> None:
        self._own[name] = value

    def __getitem__(self, name: str) -> str:
        if name in self._own:
            return self._own[name]
        if name in self._shared:
            return self._shared[name]
        value = self._own[name] = self._generator.value(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter({**self._shared, **self._own})

    def __len__(self) -> int:
        return len({**self._shared, **self._own})
