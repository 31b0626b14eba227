"""A period on a terminal: compact, what needs attention last, where the eye ends. Shows; never judges."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.model import Changed, Verdict
from perfcheck.periods.model import ChartPoint, EndpointSummary, LatencyChange, PeriodReport
from perfcheck.periods.report import figures, findings, wording
from perfcheck.periods.report.checklist import checklist, is_review
from perfcheck.periods.report.dates import day, next_period, span, title
from perfcheck.report.glyphs import Glyphs, shorten
from perfcheck.text import clean

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.CRITICAL: "bold red", Verdict.NOT_MEASURED: "magenta"}
_MOST_ROWS = 40
_MOST_ITEMS = 20
_SPARK = 16  # cells
_WIDE = 96  # terminals below it do without spread and p95
_NAME = 28


def render_console(report: PeriodReport, glyphs: Glyphs, width: int, *, quiet: bool = False) -> RenderableType:
    """For a terminal of ``width`` cells; ``quiet``: only what changed or is slow, and the closing line."""
    parts: list[RenderableType] = [
        Text(f"perfcheck {clean(report.tool_version)} {glyphs.dot} {title(report.period)}", style="dim"),
        Text(span(report.period), style="dim"),
        Text(),
    ]
    if report.endpoints and not quiet:
        parts += [_table(report, glyphs, width), Text()]
    for heading, items in _sections(report, quiet=quiet):
        shown = list(items)
        if shown:
            parts += [Text(heading, style="bold"), _grid(shown[:_MOST_ITEMS])]
            more = len(shown) - _MOST_ITEMS
            parts += [Text(f"  {glyphs.ellipsis} and {more} more", style="dim")] if more > 0 else []
            parts.append(Text())
    parts += [Text(clean(text, wording.LONGEST_TEXT), style="dim") for text in wording.caveats(report)]
    parts.append(Text(wording.headline(report), style="bold"))
    return Group(*parts)


def _table(report: PeriodReport, glyphs: Glyphs, width: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    wide = width >= _WIDE
    headers = ["", "endpoint", "ms", "change", *(["p95", "spread"] if wide else []), "errors", "headroom", "trend"]
    for header in headers:
        left = header in {"", "endpoint", "trend"}
        table.add_column(header, justify="left" if left else "right", no_wrap=True)
    for one in report.endpoints[:_MOST_ROWS]:
        table.add_row(*_row(report, one, glyphs, wide=wide))
    if len(report.endpoints) <= _MOST_ROWS:
        return table
    return Group(table, Text(f"{glyphs.ellipsis} and {len(report.endpoints) - _MOST_ROWS} more", style="dim"))


def _row(report: PeriodReport, one: EndpointSummary, glyphs: Glyphs, *, wide: bool) -> list[Text]:
    style = {Changed.SLOWER: "red", Changed.FASTER: "green"}.get(one.changed, "dim")
    name, which = Text(shorten(clean(one.name), _NAME, glyphs.ellipsis)), figures.which_series(report, one)
    if which:
        name.append(f"\n{shorten(which, _NAME, glyphs.ellipsis)}", style="dim")
    return [
        Text(str(one.verdict), style=STYLES[one.verdict]),
        name,
        Text(figures.from_to(one.begin_ms, one.end_ms)),
        Text(figures.changed(one), style=style),
        *([Text(figures.from_to(one.begin_p95_ms, one.end_p95_ms)), Text(figures.spreads(one))] if wide else []),
        Text(figures.errors(one)),
        Text(figures.headroom(one.end_headroom)),
        Text(trend_line(one.points, _SPARK, glyphs.bars), style="cyan"),
    ]


def trend_line(points: tuple[ChartPoint, ...], width: int, bars: str) -> str:
    """The values over time, from the least to the greatest, which stand for themselves: not from 0."""
    values = [point.value_ms for point in points]
    if not values:
        return ""
    size = max(1, -(-len(values) // width))
    means = [sorted(some)[len(some) // 2] for some in (values[i : i + size] for i in range(0, len(values), size))]
    low, high = min(means), max(*means, min(means) * 1.25)  # so that mere noise does not look like mountains
    return "".join(bars[min(len(bars) - 1, int((value - low) / ((high - low) or 1) * len(bars)))] for value in means)


def _sections(report: PeriodReport, *, quiet: bool) -> Iterator[tuple[str, Iterator[tuple[str, str]]]]:
    if is_review(report) and not quiet:
        yield "Review", checklist(report)
    yield "Improvements", (_line(one) for one in report.improvements)
    yield "Regressions and drifts", (line for one in (*report.regressions, *report.drifts) for line in _change(one))
    spreads = ((one.endpoint, findings.consistency_in_words(one)) for one in report.consistency)
    yield "Consistency", ((name, text) for name, text in spreads)
    yield "Slow now", ((one.endpoint, findings.slow_in_words(one)) for one in report.slow)
    if quiet:
        return
    yield "Recovered", ((one.endpoint, findings.recovery_in_words(one)) for one in report.recoveries)
    yield "New", ((one.endpoint, findings.new_in_words(one)) for one in report.new)
    yield "Gone", ((one.endpoint, findings.gone_in_words(one)) for one in report.gone)
    changes = report.baseline.changes
    yield (
        "Baseline updates",
        ((one.endpoint, f"{findings.target_in_words(one)}, {day(one.committed_at)}") for one in changes),
    )
    if not is_review(report):
        heading = f"{next_period(report.period)}: focus"
        yield heading, ((f"{i}. {one.endpoint}", findings.focus_in_words(one)) for i, one in enumerate(report.focus, 1))


def _line(one: LatencyChange) -> tuple[str, str]:
    return one.endpoint, f"{findings.change_in_words(one)}, {findings.where(one)}"


def _change(one: LatencyChange) -> Iterator[tuple[str, str]]:
    yield _line(one)
    if one.kind == "regression":
        yield "", findings.outcome(one)
        yield "", findings.chance(one.score, one.error_probability)
    for note in one.notes:
        for label, text in findings.note_lines(note):
            yield "", f"{label}: {text}"


def _grid(items: list[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, max_width=_NAME + 4)
    grid.add_column(overflow="fold")
    for name, text in items:
        grid.add_row(Text(shorten(clean(name), _NAME + 4, "...")), Text(clean(text, wording.LONGEST_TEXT)))
    return Padding(grid, (0, 0, 0, 2))
