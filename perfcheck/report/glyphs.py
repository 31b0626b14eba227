"""The characters and colours of reports on a terminal: Unicode where the reader can show it, ASCII where not."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from perfcheck.model import Verdict

FEW = 20  # values that are shown one by one, and not as the bars of a histogram
STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.CRITICAL: "bold red", Verdict.NOT_MEASURED: "magenta"}


@dataclass(frozen=True, slots=True)
class Glyphs:
    bars: str  # from lowest to highest
    dots: str  # one, two, ... in one place
    dash: str
    at_most: str
    dot: str
    ellipsis: str
    full: str
    empty: str
    point: str  # of a chart
    above: str  # a point that lies over the chart
    rule: str  # upright
    arrow: str

    def shown(self, text: str) -> str:
        """The text of a report with these characters in place of Unicode's."""
        return text.replace(UNICODE.dash, self.dash).replace(UNICODE.at_most, self.at_most)


UNICODE = Glyphs(
    bars="▁▂▃▄▅▆▇",
    dots="·:∴∷",
    dash="\N{EN DASH}",
    at_most="\N{LESS-THAN OR EQUAL TO}",
    dot="·",
    ellipsis="…",
    full="━",
    empty="─",
    point="•",
    above="▲",
    rule="│",
    arrow="→",
)
ASCII = Glyphs(
    bars="_.:-=+*#",
    dots=".:",
    dash="-",
    at_most="<=",
    dot="|",
    ellipsis="...",
    full="#",
    empty="-",
    point="*",
    above="^",
    rule="|",
    arrow="->",
)


def choose_glyphs(encoding: str, env: Mapping[str, str] = os.environ) -> Glyphs:
    """ASCII for a stream that cannot encode more, for TERM=dumb, and where the locale says C or POSIX.

    The locale is read as well because Python writes UTF-8 under LANG=C, whatever the reader can show; it then sets
    LC_CTYPE itself (PEP 538), which is therefore no evidence.
    """
    character_set = env.get("LC_CTYPE", "")
    coerced = character_set in {"C.UTF-8", "C.utf8", "UTF-8"}
    locale = env.get("LC_ALL") or ("" if coerced else character_set) or env.get("LANG") or ""
    if locale in {"C", "POSIX"} or env.get("TERM") == "dumb" or not encoding.lower().startswith("utf"):
        return ASCII
    return UNICODE


def shorten(text: str, width: int, ellipsis: str) -> str:
    """Cut in the middle, since names share their beginnings and differ at their ends. Widths are terminal cells."""
    if cell_len(text) <= width:
        return text
    kept = max(0, width - len(ellipsis))
    tail = kept // 2
    return _first_cells(text, kept - tail) + ellipsis + _first_cells(text[::-1], tail)[::-1]


def _first_cells(text: str, width: int) -> str:
    end = 0
    while end < len(text) and cell_len(text[: end + 1]) <= width:
        end += 1
    return text[:end]


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """How latencies are spread over ``width`` bins, from the least to the greatest; an empty bin is a space.

    Few are dots, since their bars would have heights by chance. Bins are equal on a logarithmic scale, since latencies
    are skewed to the right.
    """
    positive = [math.log(value) for value in values if value > 0 and math.isfinite(value)]
    if not positive:
        return ""
    low, span = min(positive), max(positive) - min(positive)
    counts = [0] * width
    for value in positive:
        counts[min(width - 1, int((value - low) / span * width)) if span else width // 2] += 1
    if len(positive) <= FEW:
        return "".join(glyphs.dots[min(count, len(glyphs.dots)) - 1] if count else " " for count in counts)
    return "".join(bar(count, 0, max(counts), glyphs.bars) if count else " " for count in counts)


def bar(value: float, low: float, high: float, bars: str) -> str:
    """The one of ``bars`` that shows a value between the least and the greatest of its series."""
    share = (value - low) / (high - low) if high > low else 0.0
    return bars[max(0, math.ceil(share * len(bars)) - 1)]
