"""Draws the pictures of the HTML reports, docs/report-*.png.

Run as ``PYTHONPATH=tests:benchmarks python tools/report_pages.py``. It shows a run of the sample service with two
regressions, which takes about two minutes; with ``--from FILE`` another run. With ``--folder PATH`` the pictures go
elsewhere. With ``--period`` it draws docs/period-1280-light.png instead: a quarter of the generated history that the
tests report on; with ``--site`` docs/site-1280-light.png, the first page of its site. With ``--all`` these are drawn in
every width and scheme.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Literal

from simulation.year import baseline_text, commit_baseline, fill
from support.browser import browser

from perfcheck.history.store import open_history
from perfcheck.model import Run
from perfcheck.periods.baseline_history import baseline_history
from perfcheck.periods.model import BaselineHistory, Period, PeriodKind
from perfcheck.periods.period_report import read_period
from perfcheck.periods.report.html import render as render_period
from perfcheck.report.html import render
from perfcheck.runfile import read_run
from perfcheck.site.pages import build_site

DOCS = Path(__file__).parent.parent / "docs"
COMMAND = ["run", "--demo", "--regress", "n-plus-one", "--regress", "slow-settings", "--label", "v2.4.0"]
WIDTHS = (1280, 390)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MARGIN = 20  # pixels below the last card of a picture


def measured() -> Run:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        subprocess.run([sys.executable, "-m", "perfcheck", *COMMAND, "-q", "-o", str(file)], check=False)
        return read_run(file)


def period_page() -> str:
    """June to September of the generated year, and a baseline that moved in it."""
    period = Period(PeriodKind.SPAN, "2026-06-01T00:00:00.000Z", "2026-10-01T00:00:00.000Z")
    with tempfile.TemporaryDirectory() as temporary, open_history(None, Path(temporary)) as store:
        fill(store)
        folder = Path(temporary)
        targets = {"videos.by_artist": "300ms", "artists.list": "400ms"}
        commit_baseline(folder, baseline_text(targets), "2026-01-10T10:00:00Z", "Begin")
        targets |= {"artists.list": "300ms"}
        commit_baseline(folder, baseline_text(targets), "2026-09-22T10:00:00Z", "Keep what the artists' list won")
        baseline = baseline_history(str(folder / "baselines.yaml"), period)
        baseline = replace(baseline, file="baselines.yaml")
        at = "2026-10-01T09:00:00.000Z"
        return render_period(read_period(store, period, baseline, branch="main", generated_at=at))


def site_pages() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as temporary, open_history(None, Path(temporary)) as store:
        fill(store)
        return build_site(store, branch="main", run_pages=1, read_baseline=lambda _: BaselineHistory("baselines.yaml"))


def draw(html: str, name: str, folder: Path, *, end: str, every: bool, style: bytes = b"") -> None:
    """Each picture down to the first element that ``end`` selects, and with it. ``style`` is in a file of its own."""
    with tempfile.TemporaryDirectory() as temporary, browser() as started:
        page_file = Path(temporary) / "report.html"
        page_file.write_text(html, encoding="utf-8")
        (Path(temporary) / "style.css").write_bytes(style)
        for width in WIDTHS if every else WIDTHS[:1]:
            for scheme in SCHEMES if every else SCHEMES[:1]:
                page = started.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.goto(page_file.as_uri())
                card = page.locator(end).first.bounding_box()
                assert card, "the page has no end"
                height = card["y"] + card["height"] + MARGIN
                picture = folder / f"{name}-{width}-{scheme}.png"
                page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
                page.close()
                print(f"{picture.name}: {picture.stat().st_size // 1000} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, help="run file to show")
    parser.add_argument("--folder", type=Path, default=DOCS)
    parser.add_argument("--period", action="store_true", help="draw the report of a period")
    parser.add_argument("--site", action="store_true", help="draw the first page of a site")
    parser.add_argument("--all", action="store_true", help="of a period or a site, every width and scheme")
    arguments = parser.parse_args()
    if arguments.site:
        pages = site_pages()
        index, style = pages["index.html"].decode(), pages["style.css"]
        draw(index, "site", arguments.folder, end="#endpoints ~ .panel", every=arguments.all, style=style)
    elif arguments.period:
        draw(period_page(), "period", arguments.folder, end="#issues + article", every=arguments.all)
    else:
        run = read_run(arguments.source) if arguments.source else measured()
        draw(render(run), "report", arguments.folder, end="article, footer", every=True)


if __name__ == "__main__":
    main()
