"""A screenshot and a HAR of each page's slowest load."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec

from perfcheck.errors import UsageError
from perfcheck.text import MASK, Redactor, sounds_secret

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


class KeptFiles:
    """In ``folder``; with no secret in the HAR, whether the baseline has it or the service handed it out."""

    def __init__(self, folder: Path, redact: Redactor) -> None:
        """Raises UsageError where nothing can be written."""
        self._folder = folder
        self._redact = redact
        self._slowest: dict[str, float] = {}  # by the name of the endpoint
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
        return tuple(self._moved(_NOT_IN_NAMES.sub("-", endpoint), recorded))

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
        for entry in recorded["log"]["entries"]:
            for message in (entry["request"], entry["response"]):
                for pair in (*message["headers"], *message.get("queryString", ())):
                    if pair["name"].lower() in _COOKIES or sounds_secret(pair["name"]):
                        pair["value"] = MASK
                for cookie in message["cookies"]:
                    cookie["value"] = MASK
        return self._redact(msgspec.json.format(msgspec.json.encode(recorded), indent=2).decode()).encode()


_COOKIES = {"cookie", "set-cookie"}
