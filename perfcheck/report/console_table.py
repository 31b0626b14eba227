"""The endpoints of a run as a table on a terminal, with as many columns as it has room for. Prints; never judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from perfcheck.model import EndpointResult, Rule, Run, Severity, Verdict
from perfcheck.report.changes import Change
from perfcheck.report.comparison_words import change_interval, change_of
from perfcheck.report.glyphs import Glyphs, shorten, sparkline
from perfcheck.report.wording import (
    has_critical_path,
    ideal_met,
    interval,
    is_monitored,
    is_undecided,
    measured,
    needs_attention,
    ratio_to_target,
)
from perfcheck.text import clean
from perfcheck.units import format_ms, format_size

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.CRITICAL: "bold red", Verdict.NOT_MEASURED: "magenta"}
_MOST_OK_ROWS = 40
_SPARK_WIDTH = 6
_NAME = "endpoint"
_SHORTEST_NAME = 20


@dataclass(frozen=True, slots=True)
class Column:
    header: str
    cell: Callable[[EndpointResult], Text]
    right: bool = True
    dropped: int = 0  # 1 is the first to go when the terminal is narrow; 0 stays


def columns_of(run: Run, changed: Mapping[str, Change], glyphs: Glyphs) -> list[Column]:
    """What is worth a column: another set for a comparison by itself than for a check against targets."""
    return _of_comparison(glyphs) if run.is_comparison else _of_targets(run, changed, glyphs)


def _of_targets(run: Run, changed: Mapping[str, Change], glyphs: Glyphs) -> list[Column]:
    monitored = bool(run.endpoints) and all(map(is_monitored, run.endpoints))
    columns = [
        *_first(),
        Column("path", lambda one: Text("critical" if one.critical_path else "", style="bold"), right=False),
        Column("ms", _measured),
        Column("interval", lambda one: Text(interval(one, glyphs.dash), style="dim"), dropped=3),
        Column("target", lambda one: Text(format_ms(one.target_ms, unit=False))),
        Column("ideal", _ideal, dropped=2),
        Column("ratio", lambda one: Text(ratio_to_target(one))),
        Column("change", lambda one: Text(changed[one.name].text if one.name in changed else "")),
        # by the monitor: sent by others
        Column("seen" if monitored else "sent", lambda one: Text(str(one.requests.sent)), dropped=4),
        Column("spread", lambda one: _spread(one, glyphs), right=False, dropped=1),
    ]
    empty = ({"interval"} if monitored else set()) | (set() if changed else {"change"})
    empty |= set() if has_critical_path(run) else {"path"}
    return [column for column in columns if column.header not in empty]


def _of_comparison(glyphs: Glyphs) -> list[Column]:
    return [
        *_first(),
        Column("before", lambda one: Text(format_ms(one.target_ms, unit=False))),
        Column("now", _measured),
        Column("change", lambda one: Text(change_of(one), style=STYLES[one.verdict] if needs_attention(one) else "")),
        Column("interval", lambda one: Text(change_interval(one), style="dim"), dropped=2),
        Column("compared", lambda one: Text(_compared(one)), dropped=3),
        Column("spread", lambda one: _spread(one, glyphs), right=False, dropped=1),
    ]


def _first() -> list[Column]:
    return [Column("", _verdict, right=False), Column(_NAME, lambda one: Text(clean(one.name)), right=False)]


def table(
    results: list[EndpointResult], columns: Sequence[Column], glyphs: Glyphs, width: int, *, verbose: bool
) -> RenderableType:
    """The rows of ``results``, in their order; of many that are OK only the first ones, unless ``verbose``."""
    healthy = sum(result.verdict is Verdict.OK for result in results)
    hidden = 0 if verbose else max(0, healthy - _MOST_OK_ROWS)
    rows = [{column.header: column.cell(result) for column in columns} for result in results[: len(results) - hidden]]
    kept, name_width = _fit(columns, rows, width)
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in kept:
        grid.add_column(column.header, justify="right" if column.right else "left", no_wrap=True)
    for row in rows:
        row[_NAME].plain = shorten(row[_NAME].plain, name_width, glyphs.ellipsis)
        grid.add_row(*(row[column.header] for column in kept))
    if not hidden:
        return grid
    return Group(grid, Text(f"{glyphs.ellipsis} and {hidden} more OK (-v shows them)", style="dim"))


def _fit(columns: Sequence[Column], rows: Sequence[Mapping[str, Text]], width: int) -> tuple[list[Column], int]:
    """Which columns there is room for, and how much of it is left for the name."""
    widths = {
        column.header: max([len(column.header), *(_cell_width(row[column.header]) for row in rows)])
        for column in columns
    }
    kept, room = list(columns), width
    for rank in range(max(column.dropped for column in columns) + 1):
        kept = [column for column in kept if not column.dropped or column.dropped > rank]
        room = width - sum(widths[column.header] + 1 for column in kept if column.header != _NAME) - 1
        if room >= min(widths[_NAME], _SHORTEST_NAME):
            break
    return kept, max(room, 1)


def _cell_width(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.splitlines()), default=0)


# --- Cells ---------------------------------------------------------------------------------------------------------


def _verdict(result: EndpointResult) -> Text:
    verdict = Text(str(result.verdict).replace(" ", "\n"), style=STYLES[result.verdict])
    if is_undecided(result):
        verdict.append("\nundecided", style="dim")
    return verdict


def _measured(result: EndpointResult) -> Text:
    return Text(measured(result), style=STYLES[result.verdict] if needs_attention(result) else "")


def _ideal(result: EndpointResult) -> Text:
    return Text(format_ms(result.ideal_ms, unit=False), style="green" if ideal_met(result) else "")


def _compared(result: EndpointResult) -> str:
    """``23 pairs``, ``67, 67``: how much there is to compare."""
    comparison = result.comparison
    if comparison is None:
        return "-"
    if comparison.pairs is not None:
        return f"{comparison.pairs} pairs"
    return f"{comparison.before_samples}, {comparison.after_samples}"


def _spread(result: EndpointResult, glyphs: Glyphs) -> Text:
    """The distribution; or what else is wrong, in a word, where the latency does not show it."""
    for finding in result.findings:
        if finding.severity is not Severity.NOTE and finding.value is not None:
            if finding.rule is Rule.ERROR_RATE:
                return Text(f"{finding.value:.0%} fail", style=STYLES[result.verdict])
            if finding.rule is Rule.BODY_SIZE:
                return Text(f"{format_size(int(finding.value))}", style=STYLES[result.verdict])
    return Text(sparkline([v for v in result.samples_ms if v is not None], _SPARK_WIDTH, glyphs.bars), style="cyan")
