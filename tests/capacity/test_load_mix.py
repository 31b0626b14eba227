"""Workflows and values under load, from the baseline to a real service."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path

import pytest
from apps.load_service import LoadService, load_service
from support.baselines import load

from perfcheck.baseline import load_baseline
from perfcheck.capacity.engine.connection import LoadConnection
from perfcheck.capacity.engine.engine import Engine
from perfcheck.capacity.engine.plan import LoadPlan
from perfcheck.capacity.engine.turns import UserTurns
from perfcheck.client.client import Client
from perfcheck.engine.load_plan import load_plan, mix_of
from perfcheck.model import Failure
from perfcheck.text import Redactor

CHECKOUT = """
  checkout:
    target: 10s
    repeatable: true
    steps:
      login: {path: /token, method: POST, json: {id: "${uuid}"}, capture: {t: {json: $.token}}, think: 0.3s}
      pay: {path: "/use/${t}", headers: {X-Id: "${uuid}", X-Token: "${t}"}, think: 10s}
"""


def plan_of(folder: Path, service: LoadService, capacity: str, endpoints: str, more: str = "") -> LoadPlan:
    """As it arrives at a worker."""
    address = f"http://127.0.0.1:{service.port}"
    text = f"version: 1\nservice: {{base_url: {address}{more}}}\ncapacity: {{{capacity}}}\nendpoints:{endpoints}"
    baseline = load(folder, text)
    with Client(baseline.service, redact=Redactor()) as client:
        plan = load_plan(baseline, mix_of(baseline), client)
    return LoadPlan.from_json(json.loads(json.dumps(plan.to_json())))


@pytest.mark.parametrize(("capacity", "load_made"), [("think: 20ms", 4), ("model: rate", 9)])
def test_a_workflow_is_one_turn_with_values_of_its_own(capacity: str, load_made: float, tmp_path: Path) -> None:
    with load_service() as service:
        plan = plan_of(tmp_path, service, f"mix: {{checkout: 1}}, {capacity}", CHECKOUT)
        with Engine(plan, workers=2) as engine:
            step = engine.step(load_made)
            list(islice(engine.blocks(step), 3))
            engine.drain()
            counts = engine.totals(step)["checkout"]
    turns = counts.latency.total()
    assert service.requests["/token"] == turns == counts.requests > 4
    used = {path for path in service.requests if path.startswith("/use/")}
    assert used == {f"/use/t%2F{number}" for number in range(1, turns + 1)}
    heads = [head.decode() for head in service.heads if b" /use/" in head]
    assert all(re.search(r"X-Token: t/[0-9]+\b", head) for head in heads)
    assert len({head.partition("X-Id: ")[2].splitlines()[0] for head in heads}) == turns
    assert (counts.latency.quantile_ms(0.5) or 0) < 300  # the pause is none of it


@pytest.mark.parametrize(
    ("first", "failure"),
    [
        ("{path: /status/500}", Failure.STATUS),
        ("{path: /token, expect: {json: {$.token: {type: number}}}}", Failure.WRONG_ANSWER),
        ("{path: /token, capture: {t: {header: X-Missing}}}", Failure.WRONG_ANSWER),
        ("{path: /token, expect: {json: {$.token: {type: string}}}}", None),
    ],
)
def test_a_step_that_fails_fails_the_workflow_and_is_the_last(
    first: str, failure: Failure | None, tmp_path: Path
) -> None:
    steps = f"\n  checkout: {{target: 10s, steps: {{first: {first}, then: {{path: /then}}}}}}\n"
    connections: list[LoadConnection] = []
    with load_service() as service:
        plan = plan_of(tmp_path, service, "mix: {checkout: 1}", steps)
        _, error = UserTurns(plan).take(plan.requests[0], connections)
        connections[0].close()
    assert error is failure
    assert service.requests["/then"] == (failure is None)


@pytest.mark.parametrize(
    ("headers", "cookie"), [("", b"Cookie: a=3; b=\xc3\xa9\xe9"), (", headers: {Cookie: own=1}", b"Cookie: own=1")]
)
def test_the_cookies_of_a_step_are_sent_with_the_later_ones_of_its_turn(
    headers: str, cookie: bytes, tmp_path: Path
) -> None:
    steps = "{first: {path: /cookie/a=1/b=%C3%A9%E9}, then: {path: /cookie/a=3}, last: {path: /last" + headers + "}}"
    connections: list[LoadConnection] = []
    with load_service() as service:
        plan = plan_of(
            tmp_path,
            service,
            "mix: {checkout: 1}",
            f"\n  checkout: {{target: 1s, steps: {steps}}}\n",
            ", cookies: true",
        )
        for _ in range(2):
            assert UserTurns(plan).take(plan.requests[0], connections)[1] is None
        connections[0].close()
    heads = {head.split()[1]: head for head in service.heads}
    assert cookie in heads[b"/last"].split(b"\r\n")
    assert b"Cookie: a=1; b=\xc3\xa9\xe9" in heads[b"/cookie/a=3"].split(b"\r\n")
    assert b"Cookie" not in heads[b"/cookie/a=1/b=%C3%A9%E9"]


def test_rows_are_used_in_turn_by_all_workers(tmp_path: Path) -> None:
    (tmp_path / "videos.csv").write_text("id\nv0\nv1\nv2\n", encoding="utf-8")
    endpoint = '\n  videos.get: {path: "/videos/${data.id}/${counter}", data: videos.csv, target: 1s}\n'
    connections: list[LoadConnection] = []
    with load_service() as service:
        plan = plan_of(tmp_path, service, "", endpoint)
        for worker in (UserTurns(plan, 0, 2), UserTurns(plan, 1, 2)):
            for _ in range(3):
                assert worker.take(plan.requests[0], connections)[1] is None
        connections[0].close()
    assert set(service.requests) == {f"/videos/v{number % 3}/{number + 1}" for number in range(6)}


def test_without_a_mix_what_may_change_something_is_left_out_and_each_endpoint_has_its_share(
    tmp_path: Path,
) -> None:
    text = """
version: 1
service: {base_url: http://127.0.0.1:1}
endpoints:
  videos.list: {path: /videos, target: 100ms}
  videos.get: {path: "/videos/${uuid}", target: 100ms, metric: p95}
  videos.save: {path: /videos, method: POST, repeatable: true, target: 1s}
  browse: {target: 1s, steps: {list: {path: /videos}, get: {path: /videos/1}}}
  checkout: {target: 1s, repeatable: true, steps: {add: {path: /cart, method: POST}}}
  home: {kind: page, path: /, target: 2s}
"""
    baseline = load(tmp_path, text)
    assert baseline.capacity.mix == {"videos.list": 1.0, "videos.get": 1.0, "browse": 1.0}
    assert list(baseline.capacity.left_out) == ["checkout", "home"]
    assert "capacity.mix has to name it" in baseline.capacity.left_out["checkout"]
    assert mix_of(baseline).within == {"videos.list": 0.5, "videos.get": 0.95, "browse": 0.5}


def test_a_request_is_planned_as_the_client_sends_it(tmp_path: Path) -> None:
    endpoint = '\n  a: {path: /a, query: {q: "x y"}, method: POST, repeatable: true, json: {a: 1}, target: 1s}\n'
    with load_service() as service:
        plan = plan_of(tmp_path, service, "mix: {a: 1}", endpoint)
        baseline = load_baseline(tmp_path / "baselines.yaml", {})
        with Client(baseline.service, redact=Redactor()) as client:
            client.send(baseline.endpoints[0])
    (head,) = service.heads
    assert plan.requests[0].data == head + b"\r\n\r\n" + b'{"a": 1}'
