"""A period on a terminal: compact, with what needs attention last, just above the prompt."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.history.branches import of_branch
from perfcheck.model import Changed
from perfcheck.periods.model import ChangeKind, ChartPoint, EndpointSummary, LatencyChange, PeriodReport
from perfcheck.periods.report import finding_words as words
from perfcheck.periods.report import period_words
from perfcheck.report.glyphs import STYLES, Glyphs, bar, shorten
from perfcheck.text import clean
from perfcheck.words import day

_MAX_ROWS = 40
_MAX_ITEMS = 40  # rows of one section
_TREND_WIDTH = 16  # cells
_WIDE = 96  # narrower terminals do without spread and p95
_LONGEST_NAME = 28
_LEAST_CHANGE = 1.05  # a trend has its full height from here on: less is never reported as a change

Item = tuple[str, str]  # label and text


def render_console(report: PeriodReport, glyphs: Glyphs, width: int, *, quiet: bool = False) -> RenderableType:
    """For a terminal of ``width`` cells; ``quiet``: only what changed or is slow, and the closing line."""
    parts: list[RenderableType] = [
        Text(f" {glyphs.dot} ".join(_head(report)), style="dim"),
        Text(period_words.span(report.period), style="dim"),
        Text(),
    ]
    if report.endpoints and not quiet:
        parts += [_table(report, glyphs, width), *_more(len(report.endpoints) - _MAX_ROWS, glyphs), Text()]
    for heading, section in _sections(report, quiet=quiet):
        if items := list(section):
            more = _more(len(items) - _MAX_ITEMS, glyphs, "  ")
            parts += [Text(heading, style="bold"), _grid(items[:_MAX_ITEMS], glyphs), *more, Text()]
    parts += [Text(clean(text, period_words.LONGEST_TEXT), style="dim") for text in period_words.caveats(report)]
    parts.append(Text(period_words.headline(report), style="bold"))
    return Group(*parts)


def _head(report: PeriodReport) -> Iterator[str]:
    yield f"perfcheck {clean(report.tool_version)}"
    yield period_words.title(report.period)
    if report.branch or report.other_branches:
        yield f"runs {of_branch(report.branch or '')}"


def _more(count: int, glyphs: Glyphs, indent: str = "") -> list[Text]:
    return [Text(f"{indent}{glyphs.ellipsis} and {count} more", style="dim")] if count > 0 else []


def _table(report: PeriodReport, glyphs: Glyphs, width: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    wide = width >= _WIDE
    headers = ["", "endpoint", "ms", "change", *(["p95", "spread"] if wide else []), "errors", "headroom", "trend"]
    for header in headers:
        left = header in {"", "endpoint", "trend"}
        table.add_column(header, justify="left" if left else "right", no_wrap=True)
    for summary in report.endpoints[:_MAX_ROWS]:
        table.add_row(*_row(report, summary, glyphs, wide=wide))
    return table


def _row(report: PeriodReport, summary: EndpointSummary, glyphs: Glyphs, *, wide: bool) -> list[Text]:
    style = {Changed.SLOWER: "red", Changed.FASTER: "green"}.get(summary.changed, "dim")
    name = Text(shorten(clean(summary.name), _LONGEST_NAME, glyphs.ellipsis))
    if series := words.series_label(report, summary):
        name.append(f"\n{shorten(series, _LONGEST_NAME, glyphs.ellipsis)}", style="dim")
    figures = [
        words.from_to(summary.begin_ms, summary.end_ms, summary.unit),
        words.from_to(summary.begin_p95_ms, summary.end_p95_ms, summary.unit),
        words.spread_figure(summary),
    ]
    latency, p95, spread = (Text(figure.replace(words.ARROW, glyphs.arrow)) for figure in figures)
    return [
        Text(str(summary.verdict), style=STYLES[summary.verdict]),
        name,
        latency,
        Text(words.change_figure(summary), style=style),
        *([p95, spread] if wide else []),
        Text(words.error_figure(summary)),
        Text(words.headroom_figure(summary)),
        Text(_trend_line(summary.points, _TREND_WIDTH, glyphs.bars), style="cyan"),
    ]


def _trend_line(points: tuple[ChartPoint, ...], width: int, bars: str) -> str:
    """The values over time, scaled from the least to the greatest, not from 0."""
    values = [point.value_ms for point in points]
    if not values:
        return ""
    size = max(1, -(-len(values) // width))
    medians = [sorted(group)[len(group) // 2] for group in (values[i : i + size] for i in range(0, len(values), size))]
    low = min(medians)
    return "".join(bar(value, low, max(*medians, low * _LEAST_CHANGE), bars) for value in medians)


def _sections(report: PeriodReport, *, quiet: bool) -> Iterator[tuple[str, Iterator[Item]]]:
    is_review = period_words.is_review(report)
    if is_review and not quiet:
        yield "Review", period_words.checklist(report)
    yield "Improvements", (line for change in report.improvements for line in _change(change))
    worse = (*report.regressions, *report.drifts)
    yield "Regressions and drifts", (line for change in worse for line in _change(change))
    yield "Consistency", ((change.endpoint, words.consistency_text(change)) for change in report.consistency)
    yield "Slow now", ((slow.endpoint, words.slow_text(slow)) for slow in report.slow)
    if quiet:
        return
    yield "Notes", words.note_items(report)
    yield "Recovered", ((recovery.endpoint, words.recovery_text(recovery)) for recovery in report.recoveries)
    yield "New", ((new.endpoint, words.new_text(new)) for new in report.new)
    yield "Gone", ((gone.endpoint, words.gone_text(gone)) for gone in report.gone)
    targets = report.baseline.changes
    yield (
        "Baseline updates",
        ((change.endpoint, f"{words.target_text(change)}, {day(change.committed_at)}") for change in targets),
    )
    if not is_review:
        ranked = enumerate(report.focus, 1)
        yield (
            period_words.focus_heading(report.period),
            ((f"{rank}. {focus.endpoint}", words.focus_text(focus)) for rank, focus in ranked),
        )


def _change(change: LatencyChange) -> Iterator[Item]:
    yield change.endpoint, f"{words.change_text(change)}, {words.change_begin(change)}"
    if change.kind is ChangeKind.REGRESSION:
        yield "", words.outcome(change)
        yield "", words.evidence(change)
    for note in change.notes:
        for label, text in words.note_lines(note):
            yield "", f"{label}: {text}"


def _grid(items: list[Item], glyphs: Glyphs) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, max_width=_LONGEST_NAME + 4)
    grid.add_column(overflow="fold")
    for label, text in items:
        shown = clean(text, period_words.LONGEST_TEXT).replace(words.ARROW, glyphs.arrow)
        grid.add_row(Text(shorten(clean(label), _LONGEST_NAME + 4, glyphs.ellipsis)), Text(shown))
    return Padding(grid, (0, 0, 0, 2))
