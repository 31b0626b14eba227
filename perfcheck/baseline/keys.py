"""Every key of the baseline file, with its type, its meaning and its default: defined once, here."""

from __future__ import annotations

from typing import Any

from perfcheck.baseline.addresses import BASE_URL, CONNECT_TO, PATH, TRACE_URL, file_path
from perfcheck.baseline.auth import AUTH, KINDS
from perfcheck.baseline.body_files import BODY_FILE, MULTIPART
from perfcheck.baseline.capacity import CAPACITY
from perfcheck.baseline.captures import CAPTURE
from perfcheck.baseline.data_file import DATA
from perfcheck.baseline.expectations import ANSWER, DEFINITIONS, EXPECT
from perfcheck.baseline.graphql import GRAPHQL
from perfcheck.baseline.pages import FILL, PAGE_LIMITS
from perfcheck.baseline.requests import BODY, FORM, HEADERS, JSON, QUERY, REQUEST_PATH
from perfcheck.baseline.sections import Key, NamedSectionsType, SectionType
from perfcheck.baseline.value_types import (
    BOOLEAN,
    COMMAND,
    CONNECTIONS,
    DURATION,
    FIGURE,
    FIGURE_LIMIT,
    LIMIT,
    PERCENTAGE,
    RATE,
    REFERENCE,
    SELECTOR,
    SIZE,
    TEXT,
    TIMEOUT,
    VERSION,
    choice,
    integer,
)
from perfcheck.model import ErrorProof, Metric, MetricOf, PageCache, UndecidedPolicy

CHANGING = ("POST", "PUT", "PATCH", "DELETE")  # methods that are refused unless the endpoint is repeatable
_METHODS = ("GET", "HEAD", "OPTIONS", *CHANGING)
_METRICS = {"p50": "median", "average": "mean", "avg": "mean", "95": "p95", "99": "p99", "max": "p99"}
_METRICS_OF = {
    "ttfb": "first_byte",
    "first_event": "first_byte",
    "last_byte": "latency",
    "lcp": "largest_contentful_paint",
    "fcp": "first_contentful_paint",
    "tbt": "total_blocking_time",
    "cls": "layout_shift",
    "cumulative_layout_shift": "layout_shift",
    "onload": "load",
    "size": "bytes",
}
FEWEST_REQUESTS = 5  # what the median needs to be decided

TLS = SectionType(
    {
        "ca": Key(file_path(must_exist=True), "File with the CA certificates to trust, PEM."),
        "cert": Key(file_path(must_exist=True), "File with the client certificate, PEM."),
        "key": Key(file_path(must_exist=True), "File with its private key, unless the certificate file contains it."),
        "verify": Key(BOOLEAN, "Whether the certificate of the service is verified.", "true"),
    }
)

ERROR_RATE = SectionType(
    {
        "warning": Key(PERCENTAGE, "A larger share of failed requests is WARNING.", "1%"),
        "critical": Key(PERCENTAGE, "A larger share of failed requests is CRITICAL.", "5%"),
    }
)

SERVICE = SectionType(
    {
        "base_url": Key(BASE_URL, "URL of the service; the paths of the endpoints are appended to it."),
        "start": Key(
            COMMAND,
            "Shell command that starts the service where --start is given, run in the folder of the baseline. It has "
            "to listen on $PORT, which also replaces {port} in it.",
        ),
        "ready": Key(
            PATH,
            "Path that is polled, before the first request, until it returns 2xx. Without it: the first endpoint with "
            "GET or HEAD, until its response is complete and not 502, 503 or 504.",
        ),
        "ready_timeout": Key(TIMEOUT, "How long to wait until it is ready.", "30s"),
        "headers": Key(HEADERS, "Headers of every request."),
        "auth": Key(AUTH, "The login of every request: basic, bearer, oauth2 or digest."),
        "cookies": Key(BOOLEAN, "Whether cookies that responses set are sent with later requests.", "false"),
        "monitor": Key(PATH, "Path of the statistics API of the monitor inside the service."),
        "openapi": Key(
            PATH, "Path of the service's OpenAPI document, for coverage, and for new slow operations in a saved run."
        ),
        "tls": Key(TLS, "Certificates. Paths are relative to the folder of the baseline."),
        "unix_socket": Key(file_path(must_exist=False), "Connect through this Unix socket instead of to the host."),
        "connect_to": Key(
            CONNECT_TO,
            "Connect to this host and port, or port of this machine, instead of to those of base_url; names and "
            "certificates stay those of base_url.",
        ),
        "http2": Key(BOOLEAN, "Whether HTTP/2 is used where the service offers it.", "false"),
        "trace": Key(
            BOOLEAN,
            "Whether each request begins a trace (W3C Trace Context), which it records. With 'trace_url': true.",
            "false",
        ),
        "trace_url": Key(
            TRACE_URL,
            "The page that shows a trace, with {trace_id} in it, for links in reports to the slowest requests.",
        ),
    }
)

SAMPLING = SectionType(
    {
        "budget": Key(
            TIMEOUT, "The measurement ends after this time, even if verdicts are undecided.", "follows the need"
        ),
        "confirm": Key(integer(0, 2), "How often a WARNING or CRITICAL is measured again, on fresh data.", "1"),
        "warmup": Key(integer(0, 100), "Requests to each endpoint that are sent first and not judged.", "1"),
        "min_requests": Key(integer(FEWEST_REQUESTS, 10_000), "At least this many requests per endpoint.", "5"),
        "connections": Key(
            CONNECTIONS, "The most requests that are sent at once, each to another endpoint; 1 to 64.", "auto"
        ),
        "errors": Key(
            choice(list(ErrorProof)), "How much evidence an endpoint needs before its failure rate is OK.", "proven"
        ),
        "rate": Key(RATE, "At most so many requests to the service, all endpoints together: 10/s or 600/min."),
        "pause": Key(DURATION, "At least this long after each response before the next request is sent."),
        "undecided": Key(
            choice(list(UndecidedPolicy)),
            "Whether an undecided CRITICAL counts as estimated, or as a WARNING.",
            "estimate",
        ),
    }
)

COMPARE = SectionType(
    {
        "warning": Key(PERCENTAGE, "An endpoint that became slower by more than this is WARNING.", "10%"),
        "critical": Key(PERCENTAGE, "An endpoint that became slower by more than this is CRITICAL.", "25%"),
        "min_difference": Key(DURATION, "A smaller difference is not a change, whatever its percentage.", "5ms"),
    }
)

# In an endpoint, in its group and in the defaults; the first of these that has it counts.
INHERITED = {
    "target": Key(DURATION, "The latency to keep. An endpoint without a target is new, and compared with 'slow'."),
    "ideal": Key(DURATION, "The latency to aim for; at most the target."),
    "metric": Key(
        choice(list(Metric), _METRICS),
        "The statistic to compare with the limits.",
        "median",
    ),
    "metric_of": Key(
        choice(list(MetricOf), _METRICS_OF),
        "What the metric is computed from: of a request the latency, or the time to the first byte (of an event "
        "stream: to the end of its first event), after which the client hangs up; of a page any of the others.",
        "latency; of a page largest_contentful_paint",
    ),
    "warning": Key(LIMIT, "Above this multiple of the target, or this duration, the endpoint is WARNING.", "1.5x"),
    "critical": Key(LIMIT, "Above this multiple of the target, or this duration, the endpoint is CRITICAL.", "2x"),
    "ceiling": Key(DURATION, "Above this duration the endpoint is CRITICAL, whatever its target."),
    "slow": Key(DURATION, "Above this duration an endpoint without a target is WARNING.", "500ms"),
    "error_rate": Key(ERROR_RATE, "Limits of the share of failed requests."),
    "body_limit": Key(SIZE, "A larger response body, decoded, is a WARNING.", "1MB"),
    "timeout": Key(TIMEOUT, "A request that takes longer has failed.", "10s"),
    "expect": Key(
        EXPECT, "The expected status codes: 2xx, 404, 200-204, or a list of them; or what a right answer has.", "2xx"
    ),
    "headers": Key(HEADERS, "Headers, added to those of the service; the one closest to the endpoint counts."),
    "auth": Key(AUTH, "Another login than that of the service; none: without one."),
    "follow_redirects": Key(BOOLEAN, "Whether redirects are followed, and timed together as one request.", "false"),
    "min_requests": Key(
        integer(FEWEST_REQUESTS, 10_000), "At least this many requests, instead of sampling.min_requests."
    ),
    "data": Key(DATA, "A CSV or JSON Lines file, whose rows the requests use in turn: ${data.email} is its column."),
    "critical_path": Key(BOOLEAN, "Whether it comes first when a release is judged.", "false"),
}

# In an endpoint or a step the same, in the unit of its metric_of: only pages have other units than time.
_FIGURES = {
    key: Key(
        FIGURE_LIMIT if key in {"warning", "critical"} else FIGURE, INHERITED[key].description, INHERITED[key].default
    )
    for key in ("target", "ideal", "warning", "critical", "ceiling", "slow")
}

GROUP = SectionType({"title": Key(TEXT, "The name of the group in reports.", "its name"), **INHERITED})

REQUEST = {
    "path": Key(REQUEST_PATH, "The path, appended to base_url."),
    "method": Key(choice(_METHODS, {word.lower(): word for word in _METHODS}), "The HTTP method.", "GET"),
    "query": Key(QUERY, "The query string, as a mapping; a list repeats its parameter."),
    "json": Key(JSON, "Request body: any YAML, sent as JSON."),
    "graphql": Key(GRAPHQL, "Request body: a GraphQL query, sent by POST; errors in its answer are failures."),
    "form": Key(FORM, "Request body: a mapping, sent as an HTML form."),
    "body": Key(BODY, "Request body: text, sent unchanged."),
    "body_file": Key(BODY_FILE, "Request body: a file, sent unchanged."),
    "multipart": Key(
        MULTIPART, "Request body: a mapping of texts and files, {file: photo.jpg}, sent as multipart form."
    ),
}
_REPEATABLE = Key(BOOLEAN, "Allows POST, PUT, PATCH and DELETE: the request may be sent any number of times.", "false")
_UNTIL = Key(SELECTOR, "The element that has to be visible at the end: a CSS selector, or one of Playwright's.")
_CACHE = Key(
    choice(list(PageCache)), "Whether the browser has nothing of the page yet, or what it keeps of a load.", "cold"
)
_CAPTURE = Key(CAPTURE, "Values of the response that later requests use, such as {token: {json: $.access_token}}.")
# What every request inherits, also those of the setup and the steps of a workflow.
_OF_ANY_REQUEST = {key: INHERITED[key] for key in ("expect", "headers", "auth", "timeout", "follow_redirects")}

TEARDOWN = SectionType({**REQUEST, **_OF_ANY_REQUEST}, required=("path",))
SETUP = SectionType(
    {
        **REQUEST,
        "capture": _CAPTURE,
        "renew": Key(DURATION, "Send it again after this time, before the next request; on status 401 it is anyway."),
        **_OF_ANY_REQUEST,
    },
    required=("path",),
)
STEP = SectionType(
    {
        **REQUEST,
        "repeatable": _REPEATABLE,
        "capture": _CAPTURE,
        "think": Key(DURATION, "A pause after the step, which is not measured."),
        **_OF_ANY_REQUEST,
        "goto": Key(REQUEST_PATH, "In a browser: the page to load, by its path, appended to base_url."),
        "fill": Key(FILL, 'In a browser: fields and what is typed into them, such as {"[name=q]": love}.'),
        "click": Key(SELECTOR, "In a browser: the element to click then. What that leads to is measured."),
        "until": _UNTIL,
        **{key: INHERITED[key] for key in ("metric_of", "body_limit")},
        **{key: _FIGURES[key] for key in ("target", "warning", "critical", "ceiling")},
    },
    any_of=("path", "goto", "click"),
)

ENDPOINT = SectionType(
    {
        "group": Key(REFERENCE, "The group it belongs to and inherits from."),
        **REQUEST,
        "steps": Key(
            NamedSectionsType("step", STEP),
            "Instead of one request, a workflow: requests that are sent in order, by name, or steps in a browser. It "
            "is judged by their sum.",
        ),
        "kind": Key(
            choice(["request", "page"]), "Whether it is requested, or loaded as a page in a browser.", "request"
        ),
        "cache": _CACHE,
        "until": _UNTIL,
        "limits": Key(PAGE_LIMITS, "Of a page: limits of further figures; over one of them it is CRITICAL."),
        "repeatable": _REPEATABLE,
        "monitor_name": Key(TEXT, "The name of this endpoint in the monitor inside the service."),
        **INHERITED,
        **_FIGURES,
    },
    either=("path", "steps"),
)

TOP = SectionType(
    {
        "version": Key(VERSION, "The version of this format."),
        "service": Key(SERVICE, "The service that is checked."),
        "defaults": Key(
            SectionType(INHERITED), "Values for endpoints that have none of their own or from their group."
        ),
        "sampling": Key(SAMPLING, "How much is measured."),
        "compare": Key(COMPARE, "How much slower an endpoint may become in a comparison."),
        "capacity": Key(CAPACITY, "The load that the targets have to hold for, and how it is made."),
        "groups": Key(
            NamedSectionsType("group", GROUP), "Values that several endpoints share, by the name of the group."
        ),
        "setup": Key(
            NamedSectionsType("setup request", SETUP),
            "Requests that are sent once, in order, before the first that is measured: a login, by name.",
        ),
        "teardown": Key(
            NamedSectionsType("teardown request", TEARDOWN),
            "Requests that are sent once after the last that is measured, whatever happened.",
        ),
        "endpoints": Key(NamedSectionsType("endpoint", ENDPOINT), "The requests, by name."),
    },
    required=("version", "service", "endpoints"),
    extensible=True,
)

# Where a key belongs that is in the wrong section.
SECTIONS = {
    **dict.fromkeys(ANSWER.keys, "under 'expect'"),
    **dict.fromkeys(KINDS.keys, "under 'auth'"),
    **dict.fromkeys(TLS.keys, "under 'tls' in 'service'"),
    **dict.fromkeys(SAMPLING.keys, "under 'sampling'"),
    "min_difference": "under 'compare'",
    **dict.fromkeys(CAPACITY.keys, "under 'capacity'"),
    **dict.fromkeys(SERVICE.keys, "under 'service'"),
    **dict.fromkeys(STEP.keys, "in a step of a workflow"),
    **dict.fromkeys(SETUP.keys, "in a request of 'setup' or in a step of a workflow"),
    "renew": "in a request of 'setup'",
    **dict.fromkeys(ENDPOINT.keys, "in an endpoint"),
    **dict.fromkeys(INHERITED, "in an endpoint, a group or 'defaults'"),
    "title": "in a group",
    **dict.fromkeys(TOP.keys, "at the top level of the file"),
}


def json_schema() -> dict[str, Any]:
    """The file as JSON Schema, draft 2020-12, for editors.

    It accepts more than the validator: it does not compare values with each other, or expand variables.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "perfcheck baseline",
        "description": "The latency targets of an HTTP service.",
        **TOP.schema(),
        "$defs": DEFINITIONS,
    }
