"""Every key of the baseline file, with its kind, its meaning and its default: the one place that says so."""

from __future__ import annotations

from perfcheck.baseline.addresses import PATH, BaseUrl, File
from perfcheck.baseline.kinds import (
    BOOLEAN,
    DURATION,
    LIMIT,
    PERCENTAGE,
    REFERENCE,
    SIZE,
    TEXT,
    TIMEOUT,
    VERSION,
    choice,
    integer,
)
from perfcheck.baseline.requests import Body, Expect, Form, Headers, Json, Query
from perfcheck.baseline.sections import Key, NamedSections, Section
from perfcheck.model import Metric, UndecidedPolicy

CHANGING = ("POST", "PUT", "PATCH", "DELETE")  # methods that are refused unless the endpoint is repeatable
_METHODS = ("GET", "HEAD", "OPTIONS", *CHANGING)
_METRICS = {"p50": "median", "average": "mean", "avg": "mean", "95": "p95", "99": "p99", "max": "p99"}
FEWEST_REQUESTS = 5  # what the median needs to be decided

TLS = Section(
    {
        "ca": Key(File(must_exist=True), "File with the CA certificates to trust, PEM."),
        "cert": Key(File(must_exist=True), "File with the client certificate, PEM."),
        "key": Key(File(must_exist=True), "File with its key, when the certificate's file does not hold it."),
        "verify": Key(BOOLEAN, "Whether the certificate of the service is checked.", "true"),
    }
)

ERROR_RATE = Section(
    {
        "warning": Key(PERCENTAGE, "Over this share of failed requests the endpoint is WARNING.", "1%"),
        "critical": Key(PERCENTAGE, "Over this share of failed requests the endpoint is CRITICAL.", "5%"),
    }
)

SERVICE = Section(
    {
        "base_url": Key(BaseUrl(), "Address of the service; the paths of the endpoints are appended to it."),
        "ready": Key(PATH, "Path that is polled until it answers 2xx, before the first sample."),
        "ready_timeout": Key(TIMEOUT, "How long to poll it.", "30s"),
        "headers": Key(Headers(), "Headers of every request."),
        "monitor": Key(PATH, "Path of the statistics API of the monitor inside the service."),
        "openapi": Key(PATH, "Path of the service's OpenAPI document, for coverage."),
        "tls": Key(TLS, "Certificates. Paths are relative to the folder of the baseline."),
        "unix_socket": Key(File(must_exist=False), "Connect through this socket instead of to the host."),
        "http2": Key(BOOLEAN, "Whether HTTP/2 is used where the service offers it.", "false"),
    }
)

SAMPLING = Section(
    {
        "budget": Key(TIMEOUT, "The measurement ends after this time, decided or not.", "120s"),
        "confirm": Key(integer(0, 2), "How often a WARNING or CRITICAL is measured again, on fresh data.", "1"),
        "warmup": Key(integer(0, 100), "Requests to each endpoint that are sent first and never judged.", "1"),
        "min_requests": Key(integer(FEWEST_REQUESTS, 10_000), "At least this many requests an endpoint.", "5"),
        "undecided": Key(
            choice([str(policy) for policy in UndecidedPolicy]),
            "Whether an undecided CRITICAL counts by its estimate, or as a WARNING.",
            "estimate",
        ),
    }
)

COMPARE = Section(
    {
        "warning": Key(PERCENTAGE, "An endpoint that became slower by more than this is WARNING.", "10%"),
        "critical": Key(PERCENTAGE, "An endpoint that became slower by more than this is CRITICAL.", "25%"),
        "min_difference": Key(DURATION, "A smaller difference is no change, whatever its share.", "5ms"),
    }
)

# May stand in an endpoint, in its group and in the defaults; the first of these that has it counts.
INHERITED = {
    "target": Key(DURATION, "The latency promised. An endpoint without one is new, and held against 'slow'."),
    "ideal": Key(DURATION, "The latency hoped for; not above the target."),
    "metric": Key(
        choice([str(metric) for metric in Metric], _METRICS), "The statistic held against the limits.", "median"
    ),
    "warning": Key(LIMIT, "Over this multiple of the target, or this duration, the endpoint is WARNING.", "1.5x"),
    "critical": Key(LIMIT, "Over this multiple of the target, or this duration, the endpoint is CRITICAL.", "2x"),
    "ceiling": Key(DURATION, "Over this the endpoint is CRITICAL, whatever its target."),
    "slow": Key(DURATION, "Over this an endpoint without a target is WARNING.", "500ms"),
    "error_rate": Key(ERROR_RATE, "Limits of the share of failed requests."),
    "body_limit": Key(SIZE, "A larger response body, decoded, is a WARNING.", "1MB"),
    "timeout": Key(TIMEOUT, "A request that takes longer has failed.", "10s"),
    "expect": Key(Expect(), "The statuses that are right: 2xx, 404, 200-204, or a list of them.", "2xx"),
    "headers": Key(Headers(), "Headers, added to those of the service; the nearest to the endpoint counts."),
    "follow_redirects": Key(BOOLEAN, "Whether redirects are followed, and timed as one request.", "false"),
    "min_requests": Key(
        integer(FEWEST_REQUESTS, 10_000), "At least this many requests, instead of sampling.min_requests."
    ),
    "critical_path": Key(BOOLEAN, "Whether a release is judged by it first.", "false"),
}

GROUP = Section({"title": Key(TEXT, "How reports call the group.", "its name"), **INHERITED})

ENDPOINT = Section(
    {
        "path": Key(PATH, "The path, from base_url on."),
        "group": Key(REFERENCE, "The group it belongs to and inherits from."),
        "method": Key(choice(_METHODS, {word.lower(): word for word in _METHODS}), "The method.", "GET"),
        "query": Key(Query(), "The query string, as a mapping; a list repeats its parameter."),
        "json": Key(Json(), "Request body: any YAML, sent as JSON."),
        "form": Key(Form(), "Request body: a mapping, sent as an HTML form sends it."),
        "body": Key(Body(), "Request body: text, sent as it is."),
        "repeatable": Key(
            BOOLEAN, "Allows POST, PUT, PATCH and DELETE: the request may be sent any number of times.", "false"
        ),
        "monitor_name": Key(TEXT, "What the monitor inside the service calls this endpoint."),
        **INHERITED,
    },
    required=("path",),
)

TOP = Section(
    {
        "version": Key(VERSION, "Of this format."),
        "service": Key(SERVICE, "The service that is checked."),
        "defaults": Key(Section(INHERITED), "For every endpoint that, like its group, does not say otherwise."),
        "sampling": Key(SAMPLING, "How much is measured."),
        "compare": Key(COMPARE, "How much slower than before, in a comparison, is too slow."),
        "groups": Key(NamedSections("group", GROUP), "What endpoints have in common, by the name of the group."),
        "endpoints": Key(NamedSections("endpoint", ENDPOINT), "The requests, by name."),
    },
    required=("version", "service", "endpoints"),
    extensible=True,
)

# Where a key belongs that stands at a wrong place.
PLACES = {
    **dict.fromkeys(TLS.keys, "'tls' of 'service'"),
    **dict.fromkeys(SAMPLING.keys, "'sampling'"),
    "min_difference": "'compare'",
    **dict.fromkeys(SERVICE.keys, "'service'"),
    **dict.fromkeys(ENDPOINT.keys, "an endpoint"),
    **dict.fromkeys(INHERITED, "an endpoint, a group or 'defaults'"),
    "title": "a group",
    **dict.fromkeys(TOP.keys, "no section: it stands at the top of the file"),
}

# Every key by the heading under which the reference explains it.
DOCUMENTED = {
    (heading, name): key
    for heading, keys in {
        "The file": TOP.keys,
        "service": SERVICE.keys,
        "service.tls": TLS.keys,
        "sampling": SAMPLING.keys,
        "compare": COMPARE.keys,
        "Endpoints": {name: key for name, key in ENDPOINT.keys.items() if name not in INHERITED},
        "Endpoints, groups and defaults": INHERITED,
        "error_rate": ERROR_RATE.keys,
        "groups": {"title": GROUP.keys["title"]},
    }.items()
    for name, key in keys.items()
}
