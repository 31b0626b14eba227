"""Page loads: the same figures as Lighthouse, and no false alarm.

    python benchmarks/pages.py --lighthouse FOLDER [--loads 9] [--checks 20] [--comparisons 3] [--json PATH]

Pages of the sample service, as they are and with a script that blocks rendering for 800 ms, are loaded in turn by
perfcheck and by Lighthouse (FOLDER is where ``npm install lighthouse`` was run; its throttling off, its window as large
as ours), each time in a new browser window. What perfcheck reads from Lighthouse's own load is compared with what
Lighthouse says of it: two readings of one load. Loads in turn differ by more, since Lighthouse records a trace with a
debugger attached; they are shown next to it. Then one page that has not changed is checked ``--checks`` times, with a
target a quarter above its own, and compared with itself ``--comparisons`` times.

Exits with 1 when a paint of one load differs by more than 5% from Lighthouse's, the script is not named, or a verdict
of a page that has not changed is not OK.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from acceptance import Criterion, conclude, show, table
from processes import PERFCHECK, run

from perfcheck import browser
from perfcheck.browser.loader import PageLoader
from perfcheck.browser.program import browser_program
from perfcheck.client.client import Client
from perfcheck.demo.demo_process import running_demo
from perfcheck.model import Endpoint, MetricOf, PageActions, PageLoad, Service
from perfcheck.text import Redactor

PAINTS = {
    MetricOf.FIRST_CONTENTFUL_PAINT: "observedFirstContentfulPaint",
    MetricOf.LARGEST_CONTENTFUL_PAINT: "observedLargestContentfulPaint",
}
PATHS = ("/", "/watch/1")
BLOCKING = "/static/consent.js"
MOST_DIFFERENCE_PERCENT = 5.0
TARGET_RATIO = 1.25  # the target, over the page's own figure
_FIGURES = Path(browser.__file__).with_name("figures.js")
_BY_LIGHTHOUSE = Path(__file__).with_name("lighthouse.mjs")

Json = dict[str, Any]


def by_lighthouse(folder: str, url: str) -> Json:
    """A load by Lighthouse: what it says, and what perfcheck reads from the same load."""
    load: Json = json.loads(run("node", str(_BY_LIGHTHOUSE), folder, browser_program(), str(_FIGURES), url))
    return load


def loads(url: str, path: str, folder: str, count: int) -> Iterator[tuple[PageLoad, Json]]:
    """Pairs of loads of the same page, one by each; after one of ours that does not count."""
    service, redact = Service(base_url=url), Redactor()
    endpoint = Endpoint(name=path, path=path, line=1, page=PageActions(), metric_of=MetricOf.LARGEST_CONTENTFUL_PAINT)
    with Client(service, redact=redact) as client, PageLoader([service], redact, client.loop) as pages:
        client.pages = pages
        client.send(endpoint)
        for _ in range(count):
            sample = client.send(endpoint)
            if sample.page is None:
                raise SystemExit(f"{path}: {sample.detail}")
            yield sample.page, by_lighthouse(folder, url + path)


def agreement(folder: str, count: int) -> Iterator[str | Criterion]:
    rows = []
    for regressions in ((), ("render-blocking",)):
        with running_demo(regressions) as url:
            for path in PATHS:
                pairs = list(loads(url, path, folder, count))
                what = f"{path} {' '.join(regressions)}".strip()
                for of, theirs in PAINTS.items():
                    read = [(each["perfcheck"][of], each["lighthouse"][theirs]) for _, each in pairs]
                    largest = max(abs(100 * (ours_ms / theirs_ms - 1)) for ours_ms, theirs_ms in read)
                    ours_ms = statistics.median(load.figures[of] for load, _ in pairs)
                    theirs_ms = statistics.median(theirs_ms for _, theirs_ms in read)
                    ratio = f"{ours_ms / theirs_ms:.2f}"
                    rows.append([what, of.label, f"{largest:.1f}%", f"{ours_ms:.0f} ms", f"{theirs_ms:.0f} ms", ratio])
                    yield Criterion(f"{what}: {of.label}, of one load", largest, MOST_DIFFERENCE_PERCENT)
                named = sum(any(each.url.startswith(BLOCKING) for each in load.blocking) for load, _ in pairs)
                expected = len(pairs) if regressions else 0
                yield Criterion(f"{what}: loads in which {BLOCKING} is named", named, expected, "", at_least=True)
    yield from table(["page", "figure", "of one load", "perfcheck", "Lighthouse", "ratio, in turn"], rows)


def unchanged(checks: int, comparisons: int, folder: Path) -> Iterator[str | Criterion]:
    """One page that has not changed: checks, and comparisons of the service with itself."""
    page: Json = {"kind": "page", "path": "/"}
    with running_demo() as url:
        value_ms = checked(url, page, folder)["value_ms"]
        page["target"] = f"{TARGET_RATIO * value_ms:.0f}ms"
        verdicts = [checked(url, page, folder)["verdict"] for _ in range(checks)]
        changes = [checked(url, page, folder, url)["verdict"] for _ in range(comparisons)]
    yield from table(
        ["", "target", "not OK"],
        [
            [f"{checks} checks", page["target"], str(checks - verdicts.count("OK"))],
            [f"{comparisons} comparisons with itself", "", str(comparisons - changes.count("OK"))],
        ],
    )
    yield Criterion("checks of a page that has not changed: not OK", checks - verdicts.count("OK"), 0, "")
    yield Criterion("comparisons of a page with itself: not OK", comparisons - changes.count("OK"), 0, "")


def checked(url: str, page: Json, folder: Path, *compared_with: str) -> Json:
    """The result of the page; of a comparison where there is another address."""
    baseline = {"version": 1, "service": {"base_url": url}, "endpoints": {"page": page}}
    file, out = folder / "baselines.yaml", folder / "run.json"
    file.write_text(yaml.safe_dump(baseline), encoding="utf-8")
    words: Sequence[str] = ("compare", url, *compared_with) if compared_with else ("run",)
    run(PERFCHECK, *words, "-f", str(file), "--fail-on", "never", "-q", "-o", str(out), timeout_s=600)
    result: Json = json.loads(out.read_text(encoding="utf-8"))["endpoints"][0]
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lighthouse", help="folder in which it is installed; without it only the rest is measured")
    parser.add_argument("--loads", type=int, default=9)
    parser.add_argument("--checks", type=int, default=20)
    parser.add_argument("--comparisons", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    criteria: list[Criterion] = []
    if given.lighthouse:
        criteria += show("The same figures as Lighthouse", agreement(given.lighthouse, given.loads))
    if given.checks:
        with tempfile.TemporaryDirectory() as folder:
            criteria += show("A page that has not changed", unchanged(given.checks, given.comparisons, Path(folder)))
    if given.json:
        measured = {each.what: each.measured for each in criteria}
        given.json.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    return conclude(criteria)


if __name__ == "__main__":
    sys.exit(main())
