"""The figures of a load agree with what the page itself saw, and with what the server sent."""

from __future__ import annotations

import json
import threading

import pytest
from apps.pages import Answer, Page, Request, html, page_service, script
from support.page_loads import Loads

# What a site's own monitoring does: the values that the page has when the browser has been quiet for a while.
OBSERVER = """<script>
const seen = {layout_shift: 0, total_blocking_time: 0};
const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe(
  {type, buffered: true});
watch("paint", ({name, startTime}) => { seen[name.replaceAll("-", "_")] = startTime });
watch("largest-contentful-paint", (entry) => { seen.largest_contentful_paint = entry.startTime });
watch("layout-shift", (entry) => { seen.layout_shift += entry.value });
watch("longtask", (entry) => {
  const from = Math.max(entry.startTime, seen.first_contentful_paint ?? Infinity);
  seen.total_blocking_time += Math.max(0, entry.startTime + entry.duration - from - 50);
});
const report = () => setTimeout(() => {
  const navigation = performance.getEntriesByType("navigation")[0];
  seen.first_byte = navigation.responseStart;
  seen.load = navigation.loadEventEnd;
  navigator.sendBeacon("/seen", JSON.stringify(seen));
}, 400);
</script>"""
SHIFTS = """<p id=first>First</p><img src=/picture width=200 height=100>
<script>
fetch("/until-seen");
const paints = new PerformanceObserver(() => { paints.disconnect(); setTimeout(() => {
  document.getElementById("first").style.marginTop = "120px";
  const end = performance.now() + 120; while (performance.now() < end);
  addEventListener("load", report);
  if (document.readyState === "complete") report();
}, 100) });
paints.observe({type: "paint", buffered: true});
</script>"""
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100"><rect width="200" height="100"/></svg>'


def test_they_agree_with_the_observer_of_the_page(loads: Loads) -> None:
    page, is_seen = html(SHIFTS, OBSERVER), threading.Event()

    def seen_by_the_page(_: Request) -> Answer:
        is_seen.set()
        return 204, {}, ""

    def until_seen(_: Request) -> Answer:
        is_seen.wait(60)
        return 204, {}, ""

    picture = 200, {"Content-Type": "image/svg+xml"}, PICTURE
    pages: dict[str, Page] = {"/": page, "/picture": picture, "/seen": seen_by_the_page, "/until-seen": until_seen}
    with page_service(pages) as service:
        sample = loads.one(service.url, "{kind: page, path: /, target: 9s}")
        (seen,) = service.of("/seen")
    assert sample.page is not None
    assert sample.failure is None
    figures = sample.page.figures
    observed = json.loads(seen.body)
    assert observed["layout_shift"] > 0
    assert observed["total_blocking_time"] > 0
    del observed["first_paint"]
    assert {name: figures[name] for name in observed} == pytest.approx(observed, abs=1.0)
    assert sample.latency_ms == figures["largest_contentful_paint"]


def test_bytes_and_requests_are_those_of_the_server(loads: Loads) -> None:
    pages: dict[str, Page] = {
        "/": html("<script src=/a></script><script src=/b></script>ok"),
        "/a": script("1" * 5000),
        "/b": script("2"),
    }
    with page_service(pages) as service:
        sample = loads.one(service.url, "{kind: page, path: /, metric_of: bytes, target: 1MB}")
        assert sample.page is not None
        assert sample.page.figures["requests"] == len(service.requests) == 3
        assert sample.latency_ms == sample.page.figures["bytes"] == service.sent_bytes


def test_a_script_that_blocks_rendering_is_named_with_its_time(loads: Loads) -> None:
    head = '<link rel=stylesheet href=/quick.css><script src="/slow.js?v=1"></script>'
    pages: dict[str, Page] = {
        "/": html("<p>text", head),
        "/slow.js": script("", after_s=0.4),
        "/quick.css": (200, {}, ""),
    }
    with page_service(pages) as service:
        sample = loads.one(service.url, "{kind: page, path: /, target: 9s}")
    assert sample.page is not None
    first = sample.page.blocking[0]
    assert (first.url, first.runs) == ("/slow.js?v=1", False)
    assert 400 <= first.ms <= sample.page.figures["first_contentful_paint"]


def test_a_script_that_runs_for_long_is_named_as_running(loads: Loads) -> None:
    runs = "const end = performance.now() + 300; while (performance.now() < end);"
    with page_service({"/": html("<p>text<script src=/busy.js defer></script>"), "/busy.js": script(runs)}) as service:
        sample = loads.one(service.url, "{kind: page, path: /, target: 9s, metric_of: total_blocking_time}")
    assert sample.page is not None
    (ran,) = [each for each in sample.page.blocking if each.runs]
    assert ran.url == "/busy.js"
    assert 300 <= ran.ms <= sample.page.figures["load"]


def test_a_page_that_shows_nothing_has_no_paint(loads: Loads) -> None:
    with page_service({"/": html("")}) as service:
        sample = loads.one(service.url, "{kind: page, path: /, target: 9s}")
    assert (sample.latency_ms, sample.failure) == (None, "wrong answer")
    assert sample.detail == "no largest contentful paint: the page showed nothing"


def test_an_open_stream_does_not_keep_a_page_from_ending(loads: Loads) -> None:
    def stream(_: Request) -> Answer:
        return 200, {"Content-Type": "text/event-stream", "Content-Length": "1000"}, "data: 1\n\n"

    with page_service({"/": html("ok<script>new EventSource('/events')</script>"), "/events": stream}) as service:
        sample = loads.one(service.url, "{kind: page, path: /, target: 9s, timeout: 20s}")
    assert sample.failure is None
