"""Draws the pictures of the HTML report: ``python benchmarks/report_pages.py`` writes docs/report-*.png.

The run is that of the sample service with two regressions. With ``--from FILE`` another run is shown, with
``--folder PATH`` the pictures go elsewhere. Takes about two minutes without ``--from``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from perfcheck.model import Run
from perfcheck.record.run_file import read_run
from perfcheck.report.html import render

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.browser import browser

DOCS = Path(__file__).parent.parent / "docs"
COMMAND = ["run", "--demo", "--regress", "n-plus-one", "--regress", "slow-settings", "--label", "v2.4.0"]
WIDTHS = (1280, 390)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MARGIN = 32  # pixels below the first card, where a picture ends


def measured() -> Run:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        subprocess.run([sys.executable, "-m", "perfcheck", *COMMAND, "-q", "-o", str(file)], check=False)
        return read_run(file)


def draw(run: Run, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary, browser() as started:
        page_file = Path(temporary) / "report.html"
        page_file.write_text(render(run), encoding="utf-8")
        for width in WIDTHS:
            for scheme in SCHEMES:
                page = started.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                page.goto(page_file.as_uri())
                card = page.locator("article, footer").first.bounding_box()
                assert card, "the page has no end"
                height = card["y"] + card["height"] + MARGIN
                picture = folder / f"report-{width}-{scheme}.png"
                page.screenshot(path=picture, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})
                page.close()
                print(f"{picture.name}: {picture.stat().st_size // 1000} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, help="run file to show")
    parser.add_argument("--folder", type=Path, default=DOCS)
    arguments = parser.parse_args()
    draw(read_run(arguments.source) if arguments.source else measured(), arguments.folder)


if __name__ == "__main__":
    main()
