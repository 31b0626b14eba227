"""Pages: what a browser does, and which figures of a load are judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from yaml import Node

from perfcheck.baseline.auth import request_headers
from perfcheck.baseline.captures import check_known
from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.entries import fields_of, is_wrong, value_of
from perfcheck.baseline.expectations import Expected
from perfcheck.baseline.limits import LimitResolver
from perfcheck.baseline.requests import QUERY
from perfcheck.baseline.sections import Key, NamedSection, SectionType
from perfcheck.baseline.value_types import FIGURE_TYPES, CustomType, Limit, OfUnit
from perfcheck.model import (
    FIGURE,
    PAGE_FIGURES,
    Endpoint,
    Metric,
    MetricOf,
    PageActions,
    PageCache,
    Template,
    Unit,
    displayed,
)

FILL = CustomType(QUERY.read, QUERY.json)
PAGE_LIMITS = SectionType({str(of): Key(FIGURE_TYPES[of.unit], f"Limit of {of.label}.") for of in PAGE_FIGURES})
_IN_STEPS = ("goto", "fill", "click")  # which make a workflow one of pages
_OF_PAGES = ("cache", "until", "limits")
_OF_REQUESTS = (
    *("method", "json", "graphql", "form", "body", "body_file", "multipart", "follow_redirects", "body_limit"),
    *("repeatable", "monitor_name", "capture"),
)
_FIGURE_KEYS = {"target", "ideal", "ceiling", "slow", "warning", "critical"}
_INHERITED_BY_STEPS = ("timeout", "headers", "expect", "metric", "metric_of", "cache")


def is_page(own: Entries) -> bool:
    """Whether an endpoint with these keys is loaded in a browser."""
    steps: Mapping[str, NamedSection] = value_of(own, "steps", {})
    in_steps = any(key in (step.entries or {}) for step in steps.values() for key in _IN_STEPS)
    return in_steps or value_of(own, "kind") == "page"


def metric_of(context: Context, own: Entries, inherited: Entries) -> MetricOf:
    """What is judged; an error for what only the other kind of endpoint has."""
    of: MetricOf = value_of(own, "metric_of", value_of(inherited, "metric_of", MetricOf.LATENCY))
    if is_page(own):
        if of not in PAGE_FIGURES and "metric_of" in own and not is_wrong(own, "metric_of"):
            remedy = f"choose one of {', '.join(PAGE_FIGURES)}"
            context.error(own["metric_of"].node, f"metric_of: {of} is not a figure of a page", remedy)
        return of if of in PAGE_FIGURES else MetricOf.LARGEST_CONTENTFUL_PAINT
    if of in PAGE_FIGURES and of is not MetricOf.FIRST_BYTE:
        entry = own.get("metric_of") or inherited["metric_of"]
        context.error(entry.node, f"metric_of: {of} is a figure of a page", "add 'kind: page'")
        return MetricOf.LATENCY
    for key in _OF_PAGES:
        if key in own:
            context.error(own[key].node, f"'{key}' is for pages", "add 'kind: page', or remove it")
    return of


def inheritable(layer: Entries, unit: Unit) -> Entries:
    """What defaults and groups have for a figure in ``unit``: their limits are times, or multiples of the target."""
    if unit is Unit.TIME:
        return layer
    return {
        key: entry
        for key, entry in layer.items()
        if key not in _FIGURE_KEYS or (isinstance(entry.value, Limit) and entry.value.of_target)
    }


def in_unit(entries: Entries, unit: Unit) -> Entries:
    """With the values that are in the unit of the metric."""
    return {
        key: Entry(entry.value.in_unit(unit), entry.line, entry.node) if isinstance(entry.value, OfUnit) else entry
        for key, entry in entries.items()
    }


def page_fields(
    context: Context, where: Node, own: Entries, merged: Entries, of: MetricOf, known: Container[str]
) -> dict[str, Any]:
    """The fields of an endpoint that is one page."""
    _refuse(context, own, _OF_REQUESTS)
    if "path" not in own:
        context.error(where, "the page has no path", "add it below, for example 'path: /'")
    for entry in own.values():
        check_known(context, entry.node, known)
    return {
        **_page(context, own, merged, of, "path"),
        "slow_ms": value_of(own, "slow", PAGE_FIGURES[of]),
        "figures": tuple(_figures(own, merged)),
    }


def page_steps(
    context: Context,
    own: Entries,
    merged: Entries,
    of: MetricOf,
    known: Container[str],
    layered: Callable[[Entries, Entries], Entries],
) -> dict[str, Any]:
    """The fields of a workflow of pages; ``layered`` puts the keys of a step over those of the workflow."""
    _refuse(context, own, _OF_REQUESTS)
    for key in ("path", "query", "until", "limits"):
        if key in own:
            remedy = "give a step 'metric_of' and 'ceiling'" if key == "limits" else "move it into one of the steps"
            context.error(own[key].node, f"'{key}' next to 'steps'", remedy)
    sections: Mapping[str, NamedSection] = value_of(own, "steps", {})
    first = next(iter(sections.values()))
    if first.entries is not None and "click" in first.entries and "goto" not in first.entries:
        context.error(first.name, "the first step of a workflow of pages has no page yet", "add 'goto: /path'")
    steps = tuple(_steps(context, sections, merged, known, layered))
    return {
        "path": "",
        "method": "page",
        "steps": steps,
        "metric_of": of,
        "timeout_s": sum(step.timeout_s for step in steps),
        "slow_ms": value_of(own, "slow", PAGE_FIGURES[of]),
    }


def _steps(
    context: Context,
    sections: Mapping[str, NamedSection],
    merged: Entries,
    known: Container[str],
    layered: Callable[[Entries, Entries], Entries],
) -> Iterator[Endpoint]:
    above = {key: merged[key] for key in _INHERITED_BY_STEPS if key in merged}
    for section in sections.values():
        if section.entries is None:
            continue
        before = len(context.errors)
        of = metric_of(context, {**section.entries, "kind": Entry("page", section.line, section.name)}, above)
        step = in_unit(section.entries, of.unit)
        _refuse(context, step, _OF_REQUESTS)
        for entry in step.values():
            check_known(context, entry.node, known)
        if "path" in step:
            context.error(step["path"].node, "'path' in a workflow of pages", "write 'goto'")
        elif "goto" not in step and "click" not in step:
            context.error(section.name, "the step loads nothing", "add 'goto: /path', or 'click: SELECTOR'")
        all_of = layered(above, step)
        limits = LimitResolver(context, section.name, step, all_of, of.unit).resolve()
        if len(context.errors) == before:
            yield Endpoint(
                name=section.name.value,
                line=section.line,
                lines={key: entry.line for key, entry in all_of.items()},
                think_s=value_of(step, "think", 0.0) / 1000,
                slow_ms=math.inf,
                **{
                    **fields_of(
                        {key: all_of[key] for key in ("target", "ceiling", "timeout", "metric") if key in all_of}
                    ),
                    **_page(context, step, all_of, of, "goto"),
                    **limits,
                },
            )


def _page(context: Context, own: Entries, merged: Entries, of: MetricOf, path_key: str) -> dict[str, Any]:
    path: str | Template | None = value_of(own, path_key)
    expected: Expected = value_of(merged, "expect", Expected())
    if expected.answer is not None and "expect" in own:
        remedy = "expect a status; 'until: SELECTOR' names an element that has to be visible"
        context.error(own["expect"].node, "of a page only the status can be expected", remedy)
    return {
        "path": "" if path is None else displayed(path),
        "path_template": path if isinstance(path, Template) else None,
        "query": value_of(own, "query", ()),
        "method": "page",
        "metric_of": of,
        "page": PageActions(
            goto=path is not None,
            fill=value_of(own, "fill", ()),
            click=value_of(own, "click"),
            until=value_of(own, "until"),
            cache=value_of(merged, "cache", PageCache.COLD),
        ),
        **request_headers(value_of(merged, "headers", {})),
        **({"expect": expected.statuses} if expected.statuses is not None else {}),
    }


def _figures(own: Entries, merged: Entries) -> Iterator[Endpoint]:
    """As parts of the page, each with its limit as a ceiling."""
    limits: Entries = value_of(own, "limits", {})
    for key, entry in limits.items():
        if entry.value is not None:
            of = MetricOf(key)
            yield Endpoint(
                name=of.label,
                path=displayed(value_of(own, "path", "")),
                line=entry.line,
                lines={"ceiling": entry.line},
                method=FIGURE,
                metric=value_of(merged, "metric", Metric.MEDIAN),
                metric_of=of,
                ceiling_ms=float(entry.value),
                slow_ms=math.inf,
            )


def _refuse(context: Context, own: Entries, keys: Container[str]) -> None:
    for key, entry in own.items():
        if key in keys:
            context.error(entry.node, f"'{key}' is not for pages", "remove it")
