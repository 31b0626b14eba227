"""The page on the run file has every field."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from perfcheck.model import Against, Changed, Comparison, EndpointResult, Finding, Run, TracedRequest
from perfcheck.model.run import (
    BaselineInfo,
    Counts,
    Environment,
    LatencySummary,
    PhaseSummary,
    Requests,
    RunnerHealth,
    ServiceInfo,
    Timeline,
    Tool,
)
from perfcheck.runfile import FORMAT

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "run-file.md").read_text(encoding="utf-8")
OF_THE_RUN, OF_AN_ENDPOINT = (set(re.findall(r"`([\w ]+)`", part)) for part in PAGE.split("## An endpoint"))
IN_THE_RUN = [Run, Tool, Environment, ServiceInfo, BaselineInfo, RunnerHealth, Counts, Against]
IN_AN_ENDPOINT = [EndpointResult, TracedRequest, Requests, LatencySummary, PhaseSummary, Timeline, Finding, Comparison]


@pytest.mark.parametrize("part", IN_THE_RUN)
def test_every_field_of_a_run_is_explained(part: type[Run]) -> None:
    assert {field.name for field in fields(part)} <= OF_THE_RUN


@pytest.mark.parametrize("part", IN_AN_ENDPOINT)
def test_every_field_of_an_endpoint_is_explained(part: type[EndpointResult]) -> None:
    assert {field.name for field in fields(part)} <= OF_AN_ENDPOINT


def test_the_values_are_those_of_the_file() -> None:
    assert f"`{FORMAT}`" in PAGE
    assert set(Changed) <= OF_AN_ENDPOINT
