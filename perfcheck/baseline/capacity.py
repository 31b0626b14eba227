"""``capacity``: the load to try on the service, and what has to hold under it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from yaml import MappingNode, Node

from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.entries import is_wrong, value_of
from perfcheck.baseline.sections import Key, SectionType
from perfcheck.baseline.value_types import DURATION, NUMBER, PERCENTAGE, TIMEOUT, CustomType, ScalarType, choice
from perfcheck.model import CapacityGoals, Endpoint, Load, LoadModel, MetricOf, ThinkTime
from perfcheck.text import clean
from perfcheck.units import WrongValueError, format_load, parse_rate, parse_users
from perfcheck.words import did_you_mean

_SAFE = ("GET",)
_MAY_CHANGE = "a step of it may change something, so capacity.mix has to name it"
_THINK_EXAMPLE = "write, for example, 'think: 1s', or 'think: {exponential: 1s}' for pauses that vary"
_MIX_EXAMPLE = "write, for example, 'mix: {videos.list: 3, videos.get: 1}'"
_AMOUNT = r"^\s*[0-9]+(\.[0-9]+)?\s*"


class Weight(NamedTuple):
    name: Node
    value: float | None


# --- Types -----------------------------------------------------------------------------------------------------------


def parse_load(text: str) -> Load:
    """``50 users``, ``200/s``, ``600/min``. Raises ValueError."""
    if "/" in text:
        return Load(parse_rate(text), LoadModel.RATE)
    return Load(parse_users(text), LoadModel.USERS)


def _share(example: str) -> ScalarType:
    """Neither none nor all."""

    def parse(text: str) -> float:
        share = PERCENTAGE.parse(text)
        if not 0 < share < 1:
            raise WrongValueError("the share must be over 0% and below 100%", f"write, for example, {example}")
        return float(share)

    return ScalarType("a percentage", example, parse, PERCENTAGE.json)


def _read_think(context: Context, node: Node, name: str) -> tuple[float, ThinkTime] | None:
    """The mean, in seconds."""
    if not isinstance(node, MappingNode):
        mean_s = TIMEOUT.read(context, node, name)
        return None if mean_s is None else (mean_s, ThinkTime.FIXED)
    if not node.value:
        context.error(node, f"{name} is empty", _THINK_EXAMPLE)
    mean_s = value_of(_VARYING.read(context, node, name) or {}, ThinkTime.EXPONENTIAL)
    return None if mean_s is None else (mean_s, ThinkTime.EXPONENTIAL)


def _read_mix(context: Context, node: Node, name: str) -> dict[str, Weight] | None:
    if not isinstance(node, MappingNode) or not node.value:
        context.type_error(node, name, "a mapping of endpoints to weights", _MIX_EXAMPLE)
        return None
    weights = {key.value: Weight(key, _read_weight(context, value, key.value)) for key, value in node.value}
    return None if any(weight.value is None for weight in weights.values()) else weights


def _read_weight(context: Context, node: Node, endpoint: str) -> float | None:
    name = f"the weight of '{clean(endpoint, 60)}'"
    text = context.scalar(node, name, "a number over 0", _MIX_EXAMPLE)
    try:
        return None if text is None or text.unset else float(NUMBER.parse(text.value))
    except ValueError:
        context.error(node, f"{name} is not a number over 0", _MIX_EXAMPLE)
        return None


_VARYING = SectionType({ThinkTime.EXPONENTIAL.value: Key(TIMEOUT, "The mean of pauses that vary.")})
_LOAD = ScalarType(
    "a number of users or a rate",
    "50 users",
    parse_load,
    {"type": "string", "pattern": _AMOUNT + r"(users?|/\s*(s|min|h))\s*$"},
)
CAPACITY = SectionType(
    {
        "model": Key(
            choice(list(LoadModel)),
            "Whether the load is concurrent users, who wait for a response before their next request, or a rate of "
            "requests that come regardless.",
            "as at_least has it, else users",
        ),
        "mix": Key(
            CustomType(_read_mix, {"type": "object", "minProperties": 1, "additionalProperties": NUMBER.json}),
            "The endpoints and workflows that are requested, each with its weight.",
            "all with nothing but GET, equally often",
        ),
        "think": Key(
            CustomType(
                _read_think,
                {"anyOf": [TIMEOUT.schema(), _VARYING.schema()]},
            ),
            "The pause of a user between a response and the next request; {exponential: 1s} varies around that mean.",
            "1s",
        ),
        "within": Key(
            _share("95%"),
            "The share of the requests to each endpoint that has to keep its limit.",
            "by the metric of the endpoint: 95% of p95, 50% of the median",
        ),
        "limit": Key(DURATION, "The limit of each request.", "the warning limit of its endpoint"),
        "error_rate": Key(_share("1%"), "The share of requests that may fail.", "1%"),
        "at_least": Key(_LOAD, "The load that has to hold: 50 users, or 200/s. Less is CRITICAL."),
        "from": Key(_LOAD, "The smallest load that is tried.", "1 user, or 1/s"),
        "to": Key(_LOAD, "The largest load that is tried."),
        "max_time": Key(TIMEOUT, "The search ends after this time.", "3m"),
    }
)


# --- The section -----------------------------------------------------------------------------------------------------


def build_capacity(context: Context, entry: Entry | None, endpoints: Iterable[Endpoint]) -> CapacityGoals:
    """What the section sets, and the mix that follows from it; contradictions are errors."""
    entries: Entries = (entry.value if entry else None) or {}
    by_name = {endpoint.name: endpoint for endpoint in endpoints}
    think_s, think_time = value_of(entries, "think", (1.0, ThinkTime.FIXED))
    loads: dict[str, Load] = {key: entries[key].value for key in ("at_least", "from", "to") if value_of(entries, key)}
    model = value_of(entries, "model", next((load.model for load in loads.values()), LoadModel.USERS))
    _check_loads(context, entries, loads, model)
    if model is LoadModel.RATE and "think" in entries:
        context.error(entries["think"].node, "capacity.think is of users, and the load is a rate", "remove it")
    amounts = {key: load.amount for key, load in loads.items()}
    return CapacityGoals(
        **_mix(context, entries, by_name),
        model=model,
        think_s=think_s,
        think_time=think_time,
        within=value_of(entries, "within"),
        limit_ms=value_of(entries, "limit"),
        error_rate=value_of(entries, "error_rate", 0.01),
        at_least=amounts.get("at_least"),
        lowest=amounts.get("from", 1.0),
        highest=amounts.get("to"),
        max_time_s=value_of(entries, "max_time", 180.0),
        line=entries["at_least"].line if "at_least" in entries else 0,
    )


def _check_loads(context: Context, entries: Entries, loads: dict[str, Load], model: LoadModel) -> None:
    unit = {LoadModel.USERS: "users", LoadModel.RATE: "requests a second"}[model]
    example = {LoadModel.USERS: "50 users", LoadModel.RATE: "200/s"}[model]
    for key, load in loads.items():
        if load.model is not model:
            remedy = f"write, for example, '{key}: {example}'"
            context.error(entries[key].node, f"capacity.{key} is not in {unit}, as the rest of it", remedy)
    if is_wrong(entries, "model") or any(load.model is not model for load in loads.values()):
        return
    amounts = {key: load.amount for key, load in loads.items()}
    if amounts.get("from", 1.0) >= amounts.get("to", math.inf):
        if "from" in amounts:
            context.error(entries["from"].node, "capacity.from is not below capacity.to", "lower it, or raise 'to'")
        else:
            message = "capacity.to is not above 1, where a search begins without 'from'"
            context.error(entries["to"].node, message, "raise it, or add a smaller 'from'")
    elif never_tried := why_never_tried(amounts.get("at_least"), amounts.get("from", 1.0), amounts.get("to"), model):
        context.error(entries["at_least"].node, f"capacity.at_least is {never_tried[0]}", never_tried[1])


def why_never_tried(
    at_least: float | None, lowest: float, highest: float | None, model: LoadModel
) -> tuple[str, str] | None:
    """How ``at_least`` lies beyond the loads that are tried, and the remedy; None where it is one of them."""
    if at_least is None or lowest <= at_least <= (math.inf if highest is None else highest):
        return None
    key, bound, change = ("from", lowest, "lower") if at_least < lowest else ("to", highest or 0.0, "raise")
    limit = format_load(bound, is_rate=model is LoadModel.RATE)
    return f"beyond the {limit} of '{key}', so it would never be tried", f"{change} capacity.{key}"


def _mix(context: Context, entries: Entries, endpoints: dict[str, Endpoint]) -> dict[str, Any]:
    """The fields of the model: the mix that is written, or of all that can be requested under load."""
    mix: dict[str, Weight] | None = value_of(entries, "mix")
    if mix is None:
        safe = [endpoint for endpoint in endpoints.values() if _is_safe(endpoint) or endpoint.steps or endpoint.is_page]
        left_out = {
            endpoint.name: reason
            for endpoint in safe
            if (reason := why_not_under_load(endpoint) or (None if _is_safe(endpoint) else _MAY_CHANGE))
        }
        return {
            "mix": {endpoint.name: 1.0 for endpoint in safe if endpoint.name not in left_out},
            "left_out": left_out,
        }
    for name, weight in mix.items():
        if name not in endpoints:
            remedy = did_you_mean(name, endpoints) or "name an endpoint of this file"
            context.error(weight.name, f"capacity.mix: there is no endpoint '{name}'", remedy)
        elif reason := why_not_under_load(endpoints[name]):
            line = endpoints[name].line
            message = f"capacity.mix: '{name}' (line {line}) cannot be requested under load: {reason}"
            context.error(weight.name, message, "take another endpoint into the mix")
    return {"mix": {name: weight.value for name, weight in mix.items()}}


def why_not_under_load(endpoint: Endpoint) -> str | None:
    """What an endpoint has that the generator of load does not do; None for one that it can request."""
    requests = endpoint.steps or (endpoint,)
    reasons = {
        "it is a page, which a browser loads": endpoint.is_page,
        "its requests follow redirects": any(request.follow_redirects for request in requests),
        "its login is by digest": any(request.digest is not None for request in requests),
        "its metric is the time to the first byte": any(
            request.metric_of is not MetricOf.LATENCY for request in (endpoint, *requests)
        ),
        "its responses are checked with a JSON Schema": any(
            request.answer is not None and request.answer.schema is not None for request in requests
        ),
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def _is_safe(endpoint: Endpoint) -> bool:
    return all(request.method in _SAFE for request in endpoint.steps or (endpoint,))
