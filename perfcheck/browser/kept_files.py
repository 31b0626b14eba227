"""A screenshot and a HAR of each page's slowest load."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import unquote

import msgspec

from perfcheck.errors import UsageError
from perfcheck.text import MASK, Redactor, short_hash, sounds_secret

_COOKIES = {"cookie", "set-cookie"}
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_PARAMETER = re.compile(r"(?<=[?&#])([^=&#?\s]+)=[^&#\s]+")  # in any URL: of a request, a Referer, a Location
_SHORTEST_FOUND_ELSEWHERE = 6  # characters; a shorter value would be found in words that are no secrets


class KeptFiles:
    """In ``folder``; with no secret in the HAR, whether the baseline has it or the service handed it out."""

    def __init__(self, folder: Path, redact: Redactor) -> None:
        """Raises UsageError where nothing can be written."""
        self._folder = folder
        self._redact = redact
        self._slowest: dict[str, float] = {}  # by the name of the endpoint
        self._endpoints: dict[str, str] = {}  # by the name of their files
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as error:
            message = f"--browser-files: cannot write to {folder}: {error.strerror or error}"
            raise UsageError(message, "choose another folder") from error

    def keep(self, endpoint: str, latency_ms: float | None, recorded: str) -> tuple[str, ...]:
        """The paths of the files of this load, which are at ``recorded`` with an extension; none if it was not slower.

        A load is not lost for want of its files: what cannot be written any more is left out.
        """
        if latency_ms is None or latency_ms <= self._slowest.get(endpoint, -1.0):
            return ()
        self._slowest[endpoint] = latency_ms
        return tuple(self._moved(self._file_name(endpoint), recorded))

    def _file_name(self, endpoint: str) -> str:
        name = _NOT_IN_NAMES.sub("-", endpoint)
        owner = self._endpoints.setdefault(name.lower(), endpoint)  # some file systems ignore the case
        return name if owner == endpoint else f"{name}-{short_hash(endpoint)}"

    def _moved(self, name: str, recorded: str) -> Iterator[str]:
        for suffix in (".png", ".har"):
            source, target = Path(recorded + suffix), self._folder / f"{name}{suffix}"
            try:
                if suffix == ".har":
                    source.write_bytes(self._without_secrets(source.read_bytes()))
                shutil.move(source, target)
            except (OSError, msgspec.DecodeError):
                continue
            yield str(target)

    def _without_secrets(self, har: bytes) -> bytes:
        recorded: dict[str, Any] = msgspec.json.decode(har)
        secrets: set[str] = set()  # as they are without those of the baseline, which are masked first
        for entry in recorded["log"]["entries"]:
            for pair in (*_secret_pairs(entry["request"]), *_secret_pairs(entry["response"])):
                if pair["name"].lower() not in _COOKIES:  # each cookie is a pair of its own, too
                    value = self._redact(pair["value"])
                    secrets |= {value, value.rpartition(" ")[2]}  # what follows "Bearer"
                pair["value"] = MASK
        found = Redactor(secret for secret in secrets if len(secret) >= _SHORTEST_FOUND_ELSEWHERE)
        masked = _with_texts(recorded, lambda text: found(self._redact(_PARAMETER.sub(_masked, text))))
        return msgspec.json.format(msgspec.json.encode(masked), indent=2)


def _secret_pairs(message: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Cookies, and what has the name of a secret among headers, parameters and the fields of a form."""
    yield from message["cookies"]
    fields = message.get("postData", {}).get("params", ())
    for pair in (*message["headers"], *message.get("queryString", ()), *fields):
        if pair["name"].lower() in _COOKIES or sounds_secret(pair["name"]):
            yield pair


def _masked(parameter: re.Match[str]) -> str:
    return f"{parameter[1]}={MASK}" if sounds_secret(unquote(parameter[1])) else parameter[0]


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """The same with every text in it changed: changed as a whole, it might no longer be JSON."""
    if isinstance(value, dict):
        return {key: _with_texts(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_texts(each, change) for each in value]
    return change(value) if isinstance(value, str) else value
