"""One endpoint: what it inherits is resolved, and contradictions among its values are errors."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Any

from yaml import Node, ScalarNode

from perfcheck.baseline.auth import check_auth, request_headers, with_auth
from perfcheck.baseline.body_files import FileBody
from perfcheck.baseline.captures import check_known, key_of_capture
from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.data_file import check_data
from perfcheck.baseline.entries import fields_of, is_wrong, value_of
from perfcheck.baseline.expectations import Expected
from perfcheck.baseline.graphql import GraphqlRequest
from perfcheck.baseline.keys import CHANGING, REQUEST, SETUP, STEP
from perfcheck.baseline.limits import LimitResolver
from perfcheck.baseline.pages import in_unit, inheritable, is_page, metric_of, page_fields, page_steps
from perfcheck.baseline.sections import NamedSection
from perfcheck.baseline.value_types import Limit
from perfcheck.model import (
    Capture,
    Content,
    Endpoint,
    Expectations,
    MetricOf,
    Sampling,
    Template,
    Unit,
    displayed,
)
from perfcheck.text import clean
from perfcheck.words import did_you_mean

_BODIES = {
    "json": "application/json",
    "graphql": "application/json",
    "form": "application/x-www-form-urlencoded",
    "body": None,
    "body_file": None,  # by its extension
    "multipart": None,  # with its boundary
}
_RESOLVED = {  # by what follows
    "headers", "warning", "critical", "error_rate", "repeatable", "path", "steps", "renew", "think", "method", "expect",
    "kind", "cache", "until", "limits", *_BODIES,
}  # fmt: skip
_NOT_FOR_STEPS = {"target", "ideal", "ceiling", "slow", "metric_of"}  # of the workflow's sum


class EndpointBuilder:
    """The endpoints of one baseline, whose sections are ``top``, and its requests before and after."""

    def __init__(self, context: Context, top: Entries) -> None:
        self._context = context
        self.sampling = Sampling(**fields_of(value_of(top, "sampling", {})))
        # None when they are wrong, so that no reference can be checked.
        self._groups: dict[str, NamedSection] | None = value_of(top, "groups", None if "groups" in top else {})
        service: Entries = value_of(top, "service", {})
        self._logins: dict[int, Endpoint] = {}  # by line
        of_service = self._layered({}, {key: service[key] for key in ("headers", "auth") if key in service})
        self._common = self._layered(of_service, value_of(top, "defaults", {}))
        self._layers = {
            name: self._layered(
                self._common, {key: entry for key, entry in (group.entries or {}).items() if key != "title"}
            )
            for name, group in (self._groups or {}).items()
        }
        setup: dict[str, NamedSection] = value_of(top, "setup", {})
        self._captured: dict[str, Capture] = {}  # by the setup, as far as it was built
        self._setup = tuple(self._requests("setup", setup, self._common, self._captured, SETUP.keys))
        teardown: dict[str, NamedSection] = value_of(top, "teardown", {})
        self.teardown = tuple(self._requests("teardown", teardown, self._common, self._captured, SETUP.keys))
        for key in ("service", "defaults", "groups"):
            if key in top:
                check_known(context, top[key].node, self._captured)

    @property
    def setup(self) -> tuple[Endpoint, ...]:
        """Once the endpoints are built, which may have logins of their own; those come first."""
        return (*self._logins.values(), *self._setup)

    def _layered(self, base: Entries, own: Entries) -> Entries:
        """``own`` over ``base``, with ``auth`` as the header that it is."""
        check_auth(self._context, own)
        auth = value_of(own, "auth")
        if auth is not None and auth.login is not None:
            self._logins.setdefault(auth.login.line, auth.login)
        return _layered(base, with_auth(own))

    def build(self, section: NamedSection) -> Endpoint | None:
        """None after collecting its errors."""
        context, own, name = self._context, section.entries, section.name
        if own is None:
            return None
        before = len(context.errors)
        group: str | None = value_of(own, "group")
        if group is not None and self._groups is not None and group not in self._groups:
            self._unknown_group(own["group"], group)
        layer = self._layers.get(group or "", self._common)
        of = metric_of(context, own, layer)
        own = in_unit(own, of.unit)
        merged = self._layered(inheritable(layer, of.unit), own)
        limits = LimitResolver(context, name, own, merged, of.unit).resolve()
        fields = self._own_fields(section, own, merged, of)
        if len(context.errors) > before or not (fields.get("path") or fields.get("steps")):
            return None
        endpoint = Endpoint(
            name=name.value,
            line=section.line,
            lines={key: entry.line for key, entry in merged.items()},
            **{
                "min_requests": self.sampling.min_requests,
                **fields_of(merged, without=_RESOLVED),
                **limits,
                **fields,
            },
        )
        if not is_wrong(merged, "data"):
            steps: Mapping[str, NamedSection] = value_of(own, "steps", {})
            for each in endpoint.steps or (endpoint,):
                written = steps.get(each.name, section)
                check_data(context, written.name, written.entries or {}, each, endpoint.data)
        return endpoint

    def _own_fields(self, section: NamedSection, own: Entries, merged: Entries, of: MetricOf) -> dict[str, Any]:
        """Of a request or a page, or of several in a row."""
        if "steps" not in own:
            if is_page(own):
                return page_fields(self._context, section.name, own, merged, of, self._captured)
            return self._request(section, own, merged, self._captured)
        if is_page(own):
            return page_steps(self._context, own, merged, of, self._captured, self._layered)
        return self._workflow(section.name.value, own, merged)

    def _workflow(self, name: str, own: Entries, merged: Entries) -> dict[str, Any]:
        """The fields of an endpoint that consists of steps."""
        for key in (*REQUEST, "metric_of", "monitor_name"):
            if key in own:
                self._context.error(own[key].node, f"'{key}' next to 'steps'", "move it into one of the steps")
        inherited = {
            key: entry
            for key, entry in merged.items()
            if key in STEP.keys and key not in _NOT_FOR_STEPS and not _is_duration(entry)
        }
        inherited |= {key: merged[key] for key in ("metric", "repeatable") if key in merged}
        if not value_of(own, "steps", {}):
            if own["steps"].value is not None:
                self._context.error(own["steps"].node, "the workflow has no steps", "add at least one")
            return {"path": "", "steps": ()}
        known = dict(self._captured)
        steps = tuple(self._requests(name, own["steps"].value, inherited, known, STEP.keys))
        for key, entry in own.items():
            if key != "steps":
                check_known(self._context, entry.node, known)
        return {
            "path": "",
            "method": "steps",
            "steps": steps,
            "timeout_s": sum(step.timeout_s for step in steps),
            "metric_of": MetricOf.LATENCY,
        }

    def _requests(
        self,
        name: str,
        sections: Mapping[str, NamedSection],
        inherited: Entries,
        known: dict[str, Capture],
        keys: Container[str],
    ) -> Iterator[Endpoint]:
        """Requests of a section in order, each of which may insert what those before it captured.

        ``known`` is filled with that.
        """
        inherited = {key: entry for key, entry in inherited.items() if key in keys or key in {"metric", "repeatable"}}
        for section in sections.values():
            if section.entries is None:
                continue
            own, before = in_unit(section.entries, Unit.TIME), len(self._context.errors)
            merged = self._layered(inherited, own)
            limits = LimitResolver(self._context, section.name, own, merged).resolve()
            request = self._request(section, own, merged, known, within=name, is_repeated=keys is STEP.keys)
            for capture in value_of(own, "capture", ()):
                if earlier := known.get(capture.name):
                    message = f"'{capture.name}' is captured twice; first on line {earlier.line}"
                    where = key_of_capture(own["capture"].node, capture.name)
                    self._context.error(where, message, "give one of them another name")
                known[capture.name] = capture
            if len(self._context.errors) == before and request.get("path") is not None:
                endpoint = Endpoint(
                    name=section.name.value,
                    line=section.line,
                    lines={key: entry.line for key, entry in merged.items()},
                    renew_s=value_of(own, "renew", 0.0) / 1000 or None,
                    think_s=value_of(own, "think", 0.0) / 1000,
                    slow_ms=math.inf,
                    **{**fields_of(merged, without=_RESOLVED), **request, **limits},
                )
                if keys is not STEP.keys:
                    check_data(self._context, None, own, endpoint, None)
                yield endpoint

    def _request(
        self,
        section: NamedSection,
        own: Entries,
        merged: Entries,
        known: Container[str],
        *,
        within: str = "",
        is_repeated: bool = True,
    ) -> dict[str, Any]:
        """The fields that are sent."""
        if "path" not in own:
            self._context.error(
                section.name, "the endpoint has no path", "add it below, for example 'path: /api/health'"
            )
        self._check_method(section.name, own, merged, is_repeated=is_repeated)
        for entry in own.values():
            check_known(self._context, entry.node, known, (within, section.name.value))
        content = self._content(own, merged)
        path: str | Template | None = value_of(own, "path")
        return {
            "path": None if path is None else displayed(path),
            "path_template": path if isinstance(path, Template) else None,
            "method": value_of(own, "method", "POST" if "graphql" in own else "GET"),
            "content": content,
            **request_headers(value_of(merged, "headers", {})),
            **self._expected(own, merged),
        }

    def _unknown_group(self, entry: Entry, group: str) -> None:
        groups = self._groups or {}
        remedy = "add it under 'groups' at the top level of the file"
        if groups:
            remedy = f"the groups are: {', '.join(list(groups)[:10])}"
        if isinstance(entry.node, ScalarNode) and "$" in entry.node.value:
            message = "the value with its variables expanded is not the name of a group"
            self._context.error(entry.node, message, remedy)
        else:
            message = f"unknown group '{clean(group, 60)}'"
            self._context.error(entry.node, message, did_you_mean(group, groups) or remedy)

    def _expected(self, own: Entries, merged: Entries) -> dict[str, Any]:
        """Fields of the endpoint; an answer to GraphQL has no errors."""
        statuses, answer = value_of(merged, "expect", Expected())
        if "graphql" in own:
            answer = replace(answer or Expectations(), no_graphql_errors=True)
        return {"answer": answer} if statuses is None else {"answer": answer, "expect": statuses}

    def _check_method(self, name: Node, own: Entries, merged: Entries, *, is_repeated: bool) -> None:
        method, graphql = value_of(own, "method"), value_of(own, "graphql")
        may_repeat = not is_repeated or value_of(merged, "repeatable") or is_wrong(merged, "repeatable")
        expected: Expected = value_of(own, "expect", Expected())
        if "graphql" in own:
            if method not in {None, "POST"}:
                self._context.error(own["method"].node, "GraphQL is sent by POST", "remove 'method'")
            if graphql is not None and graphql.has_mutation and not may_repeat:
                self._refuse_repeating(own["graphql"], "a mutation")
        elif method in CHANGING and not may_repeat:
            self._refuse_repeating(own["method"], method)
        elif method == "HEAD" and any(body in own for body in _BODIES):
            self._context.error(name, "a HEAD request cannot have a body", "remove it, or change the method")
        if method == "HEAD" and expected.answer and expected.answer.of_body:
            remedy = "expect a status and headers only, or change the method"
            self._context.error(own["expect"].node, "the response to a HEAD request has no body", remedy)

    def _refuse_repeating(self, entry: Entry, what: str) -> None:
        message = f"{what} can change the state of the service, and requests are repeated"
        self._context.error(entry.node, message, "add 'repeatable: true' if that does no harm")

    def _content(self, own: Entries, merged: Entries) -> Content | None:
        """The body; its content type is added to the headers unless they have one."""
        bodies = [key for key in _BODIES if key in own]
        if not bodies:
            return None
        for key in bodies[1:]:
            self._context.error(
                own[key].node, f"'{bodies[0]}' and '{key}' both set the request body", "keep one of them"
            )
        entry = own[bodies[0]]
        value = entry.value
        content: Content | None = value.content if isinstance(value, (GraphqlRequest, FileBody)) else value
        content_type = value.content_type if isinstance(value, FileBody) else _BODIES[bodies[0]]
        headers = value_of(merged, "headers", {})
        if content_type is not None and "content-type" not in headers:
            line = merged["headers"].line if "headers" in merged else entry.line
            merged["headers"] = Entry({**headers, "content-type": ("Content-Type", content_type)}, line, entry.node)
        return content


def _is_duration(entry: Entry) -> bool:
    return isinstance(entry.value, Limit) and not entry.value.of_target


def _layered(base: Entries, own: Entries) -> Entries:
    """``own`` over ``base``; headers and error limits are merged by name."""
    merged = {**base, **own}
    for key in ("headers", "error_rate"):
        if key in base and key in own and base[key].value is not None and own[key].value is not None:
            entry = own[key]
            merged[key] = Entry({**base[key].value, **entry.value}, entry.line, entry.node)
    return merged
