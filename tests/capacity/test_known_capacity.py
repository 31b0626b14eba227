"""The whole command finds the capacity that queueing theory has, in both models."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from apps.queueing_server import queueing_server
from simulation.queueing_theory import largest_rate, most_users
from simulation.queues import Servers
from support.command import PERFCHECK, environment

# Half of the requests over a limit is a steep place of the curve: 300 of 300 simulated searches ended within 15%.
SERVERS = Servers(4, 0.0125, 0.060)
BASELINE = """
version: 1
service: {{base_url: {url}}}
endpoints: {{home: {{path: /, target: 1s}}}}
capacity: {{{load}, limit: 60ms, within: 50%, max_time: 50s}}
"""


def test_it_is_that_of_queueing_theory(tmp_path: Path) -> None:
    models = {
        "users": ("think: {exponential: 200ms}, from: 50 users", most_users(SERVERS, 0.2, 0.5)),
        "rate": ("from: 200/s", largest_rate(SERVERS, 0.5)),
    }
    with ExitStack() as both:
        for name, (load, _) in models.items():
            url = both.enter_context(queueing_server(SERVERS.count, SERVERS.service_s))
            file = tmp_path / f"{name}.yaml"
            file.write_text(BASELINE.format(url=url, load=load), encoding="utf-8")
            out = tmp_path / f"{name}.json"
            command = [PERFCHECK, "capacity", "-q", "-f", str(file), "-o", str(out)]
            both.enter_context(subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL))
    for name, (_, truth) in models.items():
        capacity = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))["capacity"]
        assert capacity["model"] == name
        assert capacity["value"] == pytest.approx(truth, rel=0.15)
