"""Pages of a baseline, loaded in a real browser by the client of a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from support.baselines import load

from perfcheck.browser.loader import PageLoader
from perfcheck.client.client import Client
from perfcheck.client.loop import Loop
from perfcheck.model import Baseline, Sample, Service
from perfcheck.text import Redactor


class Loads:
    """A browser that loads pages of any service. A context manager."""

    def __init__(self, services: Sequence[Service] = (), *, keep_in: Path | None = None) -> None:
        self.redact = Redactor()
        self.loop = Loop()
        self.pages = PageLoader(services, self.redact, self.loop, keep_in=keep_in)

    def __enter__(self) -> Self:
        self.pages.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.pages.__exit__()
        self.loop.close()

    def of(self, baseline: Baseline, count: int = 1) -> list[Sample]:
        """So many loads of its first endpoint, after its setup."""
        self.redact.add(*baseline.secrets)
        with Client(baseline.service, redact=self.redact, loop=self.loop) as client:
            client.pages = self.pages
            client.set_up(baseline.setup)
            return [client.send(baseline.endpoints[0]) for _ in range(count)]

    def one(
        self, url: str, keys: str, *, env: Mapping[str, str] | None = None, service: str = "", above: str = ""
    ) -> Sample:
        """One load of the endpoint with these ``keys``, indented or in braces; ``service`` adds to that section."""
        return self.of(baseline_of(url, keys, env=env, service=service, above=above))[0]

    def mapped(self, url: str, keys: str, *, env: Mapping[str, str], service: str) -> Sample:
        """In a browser of its own, for a service with ``connect_to``."""
        baseline = baseline_of(url, keys, env=env, service=service)
        with Loads(services=[baseline.service]) as loads:
            return loads.of(baseline)[0]


def baseline_of(
    url: str, keys: str, *, env: Mapping[str, str] | None = None, service: str = "", above: str = ""
) -> Baseline:
    text = f"version: 1\nservice:\n  base_url: {url}\n{service}\n{above}\nendpoints:\n  it: {keys}\n"
    with TemporaryDirectory() as folder:
        return load(Path(folder), text, env)
