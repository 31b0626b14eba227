"""The values that a request inserts: captured from responses, or generated for it."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from perfcheck.model import DataFile
from perfcheck.text import Redactor, sounds_secret
from perfcheck.times import rfc3339

_LETTERS = (string.ascii_lowercase + string.digits).encode()
_TO_LETTERS = bytes(_LETTERS[byte % len(_LETTERS)] for byte in range(256))


class Numbers:
    """The number of each request of an endpoint, from 1. Two clients that share them have the same in each pair."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, set[int]]] = {}  # by endpoint; with the clients that have used it

    def following(self, endpoint: str, client: int) -> int:
        number, users = self._last.get(endpoint, (0, {client}))
        if client in users:
            number, users = number + 1, set()
        self._last[endpoint] = number, users | {client}
        return number


class Generator:
    """Values for one request after another of an endpoint: the same ones for the same seed, but for the time.

    Each depends on nothing but the seed, the endpoint, the number of the request and its own name.
    """

    def __init__(self, seed: int, endpoint: str, data: DataFile | None, redact: Redactor, *, kind: str = "") -> None:
        """``endpoint`` by its name. Values of ``data`` in columns that sound like secrets are added to ``redact``.

        Those of another ``kind`` differ: of the setup, for example.
        """
        self.name = f"{kind}:{endpoint}"
        self._origin = f"{seed}:{self.name}"
        self._data = data
        self._redact = redact
        self._secret = {column for column in data.columns if sounds_secret(column)} if data else set()

    def value(self, name: str, request: int) -> str:
        """Raises KeyError for a name that is not of a generated value."""
        kind, _, argument = name.partition(":")
        match kind:
            case "uuid":
                return _uuid4(self._bytes(name, request, 16))
            case "counter":
                return str(request)
            case "random":
                return self._bytes(name, request, int(argument)).translate(_TO_LETTERS).decode()
            case "now":
                now = datetime.now(UTC)
                return rfc3339(now) if argument == "iso" else str(int(now.timestamp()))
        return self._column(name.removeprefix("data."), request)

    def _bytes(self, name: str, request: int, size: int) -> bytes:
        return hashlib.shake_128(f"{self._origin}:{request}:{name}".encode("utf-8", "surrogatepass")).digest(size)

    def _column(self, column: str, request: int) -> str:
        rows = self._data.columns.get(column) if self._data else None
        value = rows[(request - 1) % len(rows)] if rows else None
        if value is None:
            raise KeyError(column)
        if column in self._secret:
            self._redact.add(value)
        return value


def _uuid4(random: bytes) -> str:
    """Version 4 of RFC 9562, section 5.4; as of the module ``uuid``, which takes several times as long."""
    digits = random.hex()
    variant = "89ab"[random[8] & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class RequestValues(Mapping[str, str]):
    """The values of one request, or of all requests of one pass of a workflow, throughout which each stays the same.

    What the steps of a workflow capture is added to it; what the setup captured is in ``shared``.
    """

    def __init__(self, generate: Callable[[str, int], str], number: int, shared: Mapping[str, str]) -> None:
        """``generate`` is given the name of a value and ``number``, that of the request; it raises KeyError."""
        self._generate = generate
        self._shared = shared
        self._own: dict[str, str] = {}
        self.number = number

    def following(self) -> RequestValues:
        """Those of the next request, if that has the next number."""
        return RequestValues(self._generate, self.number + 1, self._shared)

    def capture(self, name: str, value: str) -> None:
        self._own[name] = value

    def __getitem__(self, name: str) -> str:
        if name in self._own:
            return self._own[name]
        if name in self._shared:
            return self._shared[name]
        value = self._own[name] = self._generate(name, self.number)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter({**self._shared, **self._own})

    def __len__(self) -> int:
        return len({**self._shared, **self._own})


def _none(name: str, _request: int) -> str:
    raise KeyError(name)


NO_VALUES = RequestValues(_none, 0, {})  # of all requests that insert and capture none
