"""The meaning of a valid baseline: inheritance, exact limits, requests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.baselines import load, load_endpoint

from perfcheck.baseline import BaselineError, load_baseline
from perfcheck.baseline.value_types import Limit
from perfcheck.errors import UsageError
from perfcheck.model import ErrorLimits, ErrorProof, Metric, MetricOf, Sampling, Service, Tls, UndecidedPolicy

ROOT = Path(__file__).parents[2]
AS_WRITTEN = "1_000, 12:30, 2026-11-01, yes, 0b101, 1.2.3"  # what only YAML 1.1 does not take for text
TYPED = f"{AS_WRITTEN}, 007, 0x10, 0o17, 1e3, 1.10, +5, .5, true, .inf"  # of a type, in YAML
FORM_TYPE = "application/x-www-form-urlencoded"
SMALLEST = "version: 1\nservice: {base_url: http://localhost}\nendpoints:\n  health: {path: /api/health}\n"


def test_the_smallest_baseline_gets_the_defaults(tmp_path: Path) -> None:
    baseline = load(tmp_path, SMALLEST)
    (endpoint,) = baseline.endpoints
    assert baseline.service == Service("http://localhost")
    assert baseline.sampling == Sampling()
    assert (endpoint.line, endpoint.path, endpoint.method, endpoint.metric) == (4, "/api/health", "GET", Metric.MEDIAN)
    assert (endpoint.target_ms, endpoint.warning_ms, endpoint.critical_ms, endpoint.slow_ms) == (None, None, None, 500)
    assert baseline.sha256 == hashlib.sha256(SMALLEST.encode()).hexdigest()


def test_the_example_holds_the_eleven_targets_of_the_catalogue() -> None:
    baseline = load_baseline(ROOT / "baselines.yaml", {})
    found = {endpoint.name: (endpoint.target_ms, endpoint.ideal_ms) for endpoint in baseline.endpoints}
    assert found == {
        "videos.list": (300, 200),
        "videos.by_date": (300, 200),
        "videos.by_status": (300, 200),
        "videos.by_artist": (500, 400),
        "videos.page": (250, 150),
        "search.basic": (500, 300),
        "search.filtered": (600, 400),
        "search.universal": (800, 600),
        "settings.get": (100, 50),
        "artists.list": (400, 300),
        "health": (50, 25),
    }
    core = [endpoint for endpoint in baseline.endpoints if endpoint.group == "core"]
    assert {(endpoint.metric, endpoint.ceiling_ms) for endpoint in core} == {(Metric.P95, 1000)}
    assert baseline.service.base_url == "http://localhost:5001"


def test_the_nearest_value_counts_and_its_line_is_kept(tmp_path: Path) -> None:
    text = """version: 1
service: {base_url: http://localhost}
defaults:
  timeout: 5s
  warning: 3x
  critical: 4x
  error_rate: {warning: 2%, critical: 6%}
groups:
  core:
    warning: 2x
    error_rate: {critical: 7%}
endpoints:
  one: {group: core, path: /1, target: 100ms}
  two:
    group: core
    path: /2
    target: 100ms
    warning: 120ms
    error_rate: {warning: 3%}
  three: {path: /3, target: 100ms}
"""
    one, two, three = load(tmp_path, text).endpoints
    assert (one.warning_ms, two.warning_ms, three.warning_ms) == (200, 120, 300)
    assert (one.critical_ms, one.timeout_s) == (400, 5)
    assert one.error_limits == ErrorLimits(0.02, 0.07)
    assert two.error_limits == ErrorLimits(0.03, 0.07)
    assert three.error_limits == ErrorLimits(0.02, 0.06)
    assert (one.lines["timeout"], one.lines["warning"], one.lines["target"]) == (4, 10, 13)
    assert (two.lines["warning"], two.lines["error_rate"], three.lines["warning"]) == (18, 19, 5)


def test_headers_are_merged_by_name_whatever_their_case(tmp_path: Path) -> None:
    text = """version: 1
service: {base_url: http://localhost, headers: {Accept: a/service, X-Service: "1"}}
defaults: {headers: {accept: a/defaults, X-Defaults: "2"}}
groups: {g: {headers: {ACCEPT: a/group, X-Group: "3"}}}
endpoints:
  all: {path: /, group: g, headers: {aCCEPT: a/endpoint, X-Own: "4"}}
  none: {path: /}
"""
    baseline = load(tmp_path, text)
    assert dict(baseline.endpoints[0].headers) == {
        "aCCEPT": "a/endpoint",
        "X-Service": "1",
        "X-Defaults": "2",
        "X-Group": "3",
        "X-Own": "4",
    }
    assert dict(baseline.endpoints[1].headers) == {"accept": "a/defaults", "X-Service": "1", "X-Defaults": "2"}
    assert dict(baseline.service.headers) == {"Accept": "a/service", "X-Service": "1"}


@pytest.mark.parametrize(
    ("target", "factor", "expected"),
    [("300ms", "1.1x", 330.0), ("100ms", "1.15x", 115.0), ("0.7ms", "1.1x", 0.77), ("1.1s", "3x", 3300.0)],
)
def test_multiples_are_exact_in_decimals(tmp_path: Path, target: str, factor: str, expected: float) -> None:
    endpoint = load_endpoint(tmp_path, f"target: {target}, warning: {factor}, critical: 9x")
    assert endpoint.warning_ms == expected


@given(st.integers(1, 100_000), st.integers(101, 1000))
def test_a_multiple_of_whole_milliseconds_is_what_integers_say(target: int, hundredths: int) -> None:
    limit = Limit(hundredths / 100, of_target=True).ms(float(target))
    assert limit == target * hundredths / 100


def test_a_limit_may_be_absolute(tmp_path: Path) -> None:
    endpoint = load_endpoint(tmp_path, "target: 300ms, warning: 0.4s, critical: 1.5x")
    assert (endpoint.warning_ms, endpoint.critical_ms) == (400, 450)


def test_an_inherited_limit_means_nothing_to_a_new_endpoint(tmp_path: Path) -> None:
    endpoint = load_endpoint(tmp_path, "slow: 1s", above="defaults: {warning: 3x, critical: 5s}")
    assert (endpoint.warning_ms, endpoint.critical_ms, endpoint.slow_ms) == (None, None, 1000)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2xx", ((200, 299),)),
        ("404", ((404, 404),)),
        ("'404'", ((404, 404),)),
        ("200-204", ((200, 204),)),
        ("[2xx, 404, 3XX]", ((200, 299), (404, 404), (300, 399))),
    ],
)
def test_expected_statuses(tmp_path: Path, written: str, expected: tuple[tuple[int, int], ...]) -> None:
    assert load_endpoint(tmp_path, f"expect: {written}").expect == expected


def test_query_values_are_text_as_written(tmp_path: Path) -> None:
    endpoint = load_endpoint(tmp_path, "query: {country: no, release: 1.10, tag: [a, 'b c'], ключ: любовь, empty: ''}")
    assert endpoint.query == (
        ("country", "no"),
        ("release", "1.10"),
        ("tag", "a"),
        ("tag", "b c"),
        ("ключ", "любовь"),
        ("empty", ""),
    )


@pytest.mark.parametrize("text", TYPED.split(", "))
def test_queries_and_headers_send_what_is_written(tmp_path: Path, text: str) -> None:
    endpoint = load_endpoint(tmp_path, f"query: {{a: {text}}}, headers: {{X-A: {text}}}")
    assert (endpoint.query, endpoint.headers) == ((("a", text),), (("X-A", text),))


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        ("json: {a: 1, b: [1.5, true, null, ~, 'true', no, '0x1F'], c: {}}", None, "application/json"),
        ("json: [love, ü]", '["love", "ü"]', "application/json"),
        ("json: null", "null", "application/json"),
        (f"json: [{AS_WRITTEN}]", json.dumps(AS_WRITTEN.split(", ")), "application/json"),
        (f"form: {{a: [{TYPED}]}}", "&".join(f"a={quote_plus(text)}" for text in TYPED.split(", ")), FORM_TYPE),
        ("form: {q: love & war, tag: [a, b]}", "q=love+%26+war&tag=a&tag=b", FORM_TYPE),
        ("body: as it is", "as it is", None),
        ("json: {}, headers: {content-type: a/b}", "{}", "a/b"),
    ],
)
def test_bodies(tmp_path: Path, body: str, content: str | None, content_type: str | None) -> None:
    endpoint = load_endpoint(tmp_path, f"method: POST, repeatable: true, {body}")
    whole = '{"a": 1, "b": [1.5, true, null, null, "true", "no", "0x1F"], "c": {}}'
    assert endpoint.content == (whole if content is None else content)
    headers = {name.lower(): value for name, value in endpoint.headers}
    assert headers.get("content-type") == content_type


@pytest.mark.parametrize(
    ("keys", "sampling"),
    [
        ("{connections: 8, errors: strict}", Sampling(connections=8, errors=ErrorProof.STRICT)),
        ("{connections: auto, errors: quick}", Sampling(errors=ErrorProof.QUICK)),
        ('{connections: "${AUTO:-auto}", errors: proven}', Sampling()),
        ("{rate: 600/min, pause: 0.1s}", Sampling(rate_per_s=10.0, pause_ms=100.0)),
    ],
)
def test_connections_and_errors(tmp_path: Path, keys: str, sampling: Sampling) -> None:
    text = f"""version: 1
service: {{base_url: http://localhost:5001}}
sampling: {keys}
endpoints: {{a: {{path: /a}}}}
"""
    assert load(tmp_path, text).sampling == sampling


def test_service_and_sampling(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    text = """version: 1
service:
  base_url: https://[::1]:8443/base/
  start: exec serve --port ${PORT} --pid $$ --root ${ROOT:-.}
  ready: /ready
  ready_timeout: 2m
  monitor: /stats
  openapi: /openapi.json
  tls: {ca: ca.pem, verify: false}
  unix_socket: run/http.sock
  http2: true
  trace_url: https://user:passw0rd@jaeger.example/trace/{trace_id}
sampling: {budget: 1m, confirm: 2, warmup: 0, min_requests: 20, undecided: warning}
endpoints: {a: {path: /a}, b: {path: /b, min_requests: 50}}
"""
    baseline = load(tmp_path, text)
    assert baseline.service == Service(
        "https://[::1]:8443/base",
        start="exec serve --port ${PORT} --pid $$ --root ${ROOT:-.}",
        ready="/ready",
        ready_timeout_s=120,
        monitor="/stats",
        openapi="/openapi.json",
        tls=Tls(ca=str(tmp_path / "ca.pem"), verify=False),
        unix_socket=str(tmp_path / "run/http.sock"),
        http2=True,
        trace=True,
        trace_url="https://user:passw0rd@jaeger.example/trace/{trace_id}",
    )
    assert "passw0rd" in baseline.secrets
    assert baseline.sampling == Sampling(60, 2, 0, 20, undecided=UndecidedPolicy.WARNING)
    assert [endpoint.min_requests for endpoint in baseline.endpoints] == [20, 50]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("8443", ("127.0.0.1", 8443)),
        ("'[::1]:443'", ("::1", 443)),
        ('"${TUNNEL:-tunnel.example}:443"', ("tunnel.example", 443)),
    ],
)
def test_another_address_to_connect_to(tmp_path: Path, written: str, address: tuple[str, int]) -> None:
    service = f"{{base_url: https://api.example, connect_to: {written}}}"
    text = f"version: 1\nservice: {service}\nendpoints: {{a: {{path: /a}}}}\n"
    assert load(tmp_path, text).service.connect_to == address
    # The address that a command is given is another service, or another way to it.
    file = tmp_path / "baselines.yaml"
    assert load_baseline(file, {}, base_url="https://staging.example").service.connect_to is None
    assert load_baseline(file, {}, port=7000).service.connect_to is None


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://localhost:5001/v2", "http://localhost:7000/v2"),
        ("https://user:word@127.0.0.1/v2/", "https://user:word@127.0.0.1:7000/v2"),
        ("https://app.localhost", "https://app.localhost:7000"),
        ("http://[::1]:5001", "http://[::1]:7000"),
        ("https://shop.example.com/v2", "http://127.0.0.1:7000/v2"),
        ("http://user@10.0.0.1:80", "http://user@127.0.0.1:7000"),
        ("${NOT_SET}/v2", "http://127.0.0.1:7000"),
    ],
)
def test_the_base_url_of_a_service_that_is_started_on_a_port(tmp_path: Path, base_url: str, expected: str) -> None:
    file = tmp_path / "baselines.yaml"
    rest = "endpoints: {a: {path: /a}}\n"
    file.write_text(f"version: 1\nservice: {{base_url: '{base_url}'}}\n{rest}", encoding="utf-8")
    assert load_baseline(file, {}, port=7000).service.base_url == expected
    file.write_text(f"version: 1\nservice: {{}}\n{rest}", encoding="utf-8")
    assert load_baseline(file, {}, port=7000).service.base_url == "http://127.0.0.1:7000"
    file.write_text(f"version: 1\nservice: {{base_url: ftp://localhost}}\n{rest}", encoding="utf-8")
    with pytest.raises(BaselineError, match="must start with http"):
        load_baseline(file, {}, port=7000)


@pytest.mark.parametrize(
    ("keys", "trace"),
    [("", False), (", trace: true", True), (", trace: false, trace_url: 'http://x/{trace_id}'", False)],
)
def test_traces_are_set_by_either_key_and_switched_off_by_one(tmp_path: Path, keys: str, trace: bool) -> None:  # noqa: FBT001
    text = f"version: 1\nservice: {{base_url: http://x{keys}}}\nendpoints: {{a: {{path: /a}}}}\n"
    assert load(tmp_path, text).service.trace is trace


@pytest.mark.parametrize(
    "url", ["jaeger.example/{trace_id}", 'https://x/{trace_id}?a="b"', "https://{trace_id}", "ftp://x/{trace_id}"]
)
def test_a_page_for_traces_that_is_none(tmp_path: Path, url: str) -> None:
    text = f"version: 1\nservice: {{base_url: http://x, trace_url: '{url}'}}\nendpoints: {{a: {{path: /a}}}}\n"
    with pytest.raises(BaselineError, match="trace_url"):
        load(tmp_path, text)


def test_the_time_to_the_first_byte_is_of_requests_and_never_of_the_sum_of_a_workflow(tmp_path: Path) -> None:
    text = """version: 1
service: {base_url: http://x}
defaults: {metric_of: first_byte}
setup: {login: {path: /login}}
endpoints:
  a: {path: /a}
  b: {steps: {one: {path: /one}, two: {path: /two, metric_of: first_byte}}}
"""
    baseline = load(tmp_path, text)
    a, b = baseline.endpoints
    assert [each.metric_of for each in (a, b, *b.steps, *baseline.setup)] == [
        MetricOf.FIRST_BYTE,
        MetricOf.LATENCY,
        MetricOf.LATENCY,
        MetricOf.FIRST_BYTE,
        MetricOf.LATENCY,
    ]
    with pytest.raises(BaselineError, match="'metric_of' next to 'steps'"):
        load(tmp_path, text.replace("b: {steps", "b: {metric_of: first_byte, steps"))


def test_anchors_merge_keys_and_extensions(tmp_path: Path) -> None:
    text = """version: 1
x-common: &common {target: 300ms, ideal: 200ms}
x-slow: &slow {target: 1s, slow: 2s}
service: {base_url: http://localhost}
endpoints:
  whole: {path: /1, query: &query {q: love}, <<: *common}
  several: {<<: [*common, *slow], path: /2, query: *query}
"""
    whole, several = load(tmp_path, text).endpoints
    assert (whole.target_ms, whole.lines["target"], whole.line) == (300, 2, 6)
    assert (several.target_ms, several.slow_ms, several.query) == (300, 2000, (("q", "love"),))


def test_a_byte_order_mark_and_other_line_ends_are_fine(tmp_path: Path) -> None:
    baseline = load(tmp_path, "\ufeff" + SMALLEST.replace("\n", "\r\n"))
    assert baseline.endpoints[0].line == 4


def test_base_url_may_be_given_in_place_of_the_one_in_the_file(tmp_path: Path) -> None:
    text = SMALLEST.replace("http://localhost", "'${UNSET}'")
    assert load(tmp_path, text, base_url="http://other:1/").service.base_url == "http://other:1"
    without = "version: 1\nendpoints: {a: {path: /a}}\n"
    assert load(tmp_path, without, base_url="http://other:1").service.base_url == "http://other:1"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:1",
        "ftp://a",
        "http://",
        "http://a:99999",
        "http://a b",
        "http://a..b",
        "http://xn--a/",
        "http://a:",
        "http://a:/b",
    ],
)
def test_a_wrong_base_url_from_elsewhere_is_a_usage_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="--base-url") as caught:
        load(tmp_path, SMALLEST, base_url=url)
    assert caught.value.remedy
