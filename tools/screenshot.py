"""Draws the picture in the README from a real run, docs/run.svg. Run as ``python tools/screenshot.py``."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from perfcheck.report.console import render_console
from perfcheck.report.glyphs import UNICODE
from perfcheck.runfile import read_run

WIDTH = 100
COMMAND = ["run", "--demo", "--regress", "n-plus-one", "videos.list", "search.*", "settings.get"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        subprocess.run([sys.executable, "-m", "perfcheck", *COMMAND, "-o", str(file)], check=False)
        run = read_run(file)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    command = shlex.join(["perfcheck", *COMMAND])
    console.print(f"$ {command}\n", highlight=False)
    console.print(render_console(run, UNICODE, WIDTH))
    picture = Path(__file__).parent.parent / "docs" / "run.svg"
    svg = console.export_svg(title="perfcheck")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from the network: the reader's own
    picture.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
