"""What values that differ from request to request cost: ``python benchmarks/values.py [--requests 4000]``.

The same POST is sent over one kept-alive connection, as it is written (*the same each time*), with a UUID in its path,
a counter in its query, random letters in a header and a row of data in its JSON (*values*), and with these while the
whole request is made anew each time (*values, made anew*). In interleaved blocks, to a service that takes 1 ms in a
process of its own. Printed are, of the best block, since what else runs on the machine can only add to it:

- the CPU time that the client takes for a request,
- the median pause between the last byte of a response and the first byte of the next request,
- the median latency above the true delay, in which nothing of this may be.

Exits with 1 when values add over 120 us to the CPU time, over 40 us to the pause, or over 20 us to the latency, in the
median of the blocks.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field, replace
from itertools import pairwise

from delayed_service import service, true_delay_us
from processes import keep_apart

from perfcheck.client.client import Client
from perfcheck.client.request_plans import RequestPlans
from perfcheck.model import DataFile, Encoding, Endpoint, Placeholder, Sample, Service, Template
from perfcheck.text import Redactor

BLOCKS = 20
DELAY_MS = 1.0
MOST_US = {"CPU time": 120.0, "pause": 40.0, "latency above the true delay": 20.0}
_JSON = (("Content-Type", "application/json"),)
SAME = Endpoint(
    name="benchmark",
    path="/api/users/8c6f1c2e-5d0b-4a6e-9b0e-0d6f2a3c4b5d",
    line=1,
    method="POST",
    query=(("page", "1"),),
    headers=(("X-Request", "a1b2c3d4"), *_JSON),
    content='{"email": "user1@example.com", "age": 41}',
)
DIFFERENT = replace(
    SAME,
    path_template=Template(("/api/users/", Placeholder("uuid", Encoding.PATH))),
    query=(("page", Template((Placeholder("counter"),))),),
    headers=(("X-Request", Template((Placeholder("random:8", Encoding.HEADER),))), *_JSON),
    content=Template(
        (
            '{"email": "',
            Placeholder("data.email", Encoding.JSON),
            '", "age": ',
            Placeholder("data.age", Encoding.JSON_INT),
            "}",
        )
    ),
    data=DataFile(
        "users.csv",
        {"email": [f"user{row}@example.com" for row in range(1000)], "age": [str(row % 90) for row in range(1000)]},
        range(1, 1001),
    ),
)


class MadeAnew(Client):
    """Without a plan."""

    def send(self, endpoint: Endpoint) -> Sample:
        self._plans = RequestPlans(self._service, lambda _: None, self.loop)
        return super().send(endpoint)


@dataclass
class Blocks:
    client: Client
    endpoint: Endpoint
    figures: dict[str, list[float]] = field(default_factory=dict)  # in us

    def measure(self, url: str, requests: int) -> None:
        self.client.send(self.endpoint)
        true_delay_us(url)
        started_s = time.thread_time()
        samples = [self.client.send(self.endpoint) for _ in range(requests)]
        cpu_s = time.thread_time() - started_s
        latencies_ms = [sample.latency_ms or 0.0 for sample in samples]
        ends_s = [sample.at_s + ms / 1000 for sample, ms in zip(samples, latencies_ms, strict=True)]
        pauses_s = [sample.at_s - end for end, (_, sample) in zip(ends_s, pairwise(samples), strict=False)]
        for name, figure in (
            ("CPU time", cpu_s / requests * 1e6),
            ("pause", statistics.median(pauses_s) * 1e6),
            ("latency above the true delay", statistics.median(latencies_ms) * 1000 - true_delay_us(url)),
        ):
            self.figures.setdefault(name, []).append(figure)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    requests = parser.parse_args().requests
    with service(DELAY_MS, keep_apart()) as url:
        target = Service(base_url=url)
        kinds = {
            "the same each time": Blocks(Client(target, redact=Redactor()), SAME),
            "values": Blocks(Client(target, redact=Redactor()), DIFFERENT),
            "values, made anew": Blocks(MadeAnew(target, redact=Redactor()), DIFFERENT),
        }
        for block in range(BLOCKS):
            for name in sorted(kinds, reverse=bool(block % 2)):
                kinds[name].measure(url, max(requests // BLOCKS, 10))
        for kind in kinds.values():
            kind.client.close()
    best = {name: {figure: min(us) for figure, us in kind.figures.items()} for name, kind in kinds.items()}
    print(f"In us:\n\n| request | {' | '.join(MOST_US)} |\n|---|{'---:|' * len(MOST_US)}")
    for name, figures in best.items():
        print(f"| {name} | {' | '.join(f'{us:.0f}' for us in figures.values())} |")
    pairs = {
        figure: zip(*(kinds[name].figures[figure] for name in ("the same each time", "values")), strict=True)
        for figure in MOST_US
    }
    added = {figure: statistics.median(values - same for same, values in each) for figure, each in pairs.items()}
    passed = all(added[figure] <= most for figure, most in MOST_US.items())
    print(f"\nadded by values: {', '.join(f'{us:+.0f} us of {figure}' for figure, us in added.items())}: ", end="")
    print("pass" if passed else "FAIL")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
