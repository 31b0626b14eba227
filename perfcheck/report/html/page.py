"""What the templates of the page take: the run, its endpoints in order, and the text and pictures of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from perfcheck.model import (
    CapacityResult,
    EarlierRun,
    EndpointChange,
    EndpointResult,
    Reference,
    Rule,
    Run,
    Severity,
    Unit,
)
from perfcheck.report import capacity
from perfcheck.report.causes import Sums, subject_of, sums_of
from perfcheck.report.claims import certainty
from perfcheck.report.columns import Column, Report, columns_of
from perfcheck.report.explain import ExplanationLine, Label, details, doubt, reasons
from perfcheck.report.figures import change_text, compared_text, is_within_ideal, measured, part_name, ratio_to_target
from perfcheck.report.fold import Block, explain_block, first_rows, fold, title
from perfcheck.report.html import run_charts
from perfcheck.report.html.axes import Knee, Linear, Log
from perfcheck.report.html.bars import bars
from perfcheck.report.html.capacity_charts import latency_over_load, shares_over_load
from perfcheck.report.html.endpoint_charts import distribution, over_time, sparkline
from perfcheck.report.html.facts import Fact, about, subject, summary_facts
from perfcheck.report.html.svg import CSS, Svg
from perfcheck.report.run_summary import (
    changes_to_show,
    compared_with,
    counts_by_verdict,
    in_order,
    split_by_attention,
    summary,
)
from perfcheck.text import clean
from perfcheck.units import format_ms, format_percentage, format_size

_MOST_ROWS = 40  # of the overview
_MOST_SIMILAR_ROWS = 10  # of endpoints with one cause
_MOST_CARDS = 30
_MOST_CHARTS = 10  # endpoints of one card whose requests are drawn
_MOST_TABLE_ROWS = 25  # that are open from the start
_LONGEST_NAME = 120
_LONGEST_NAME_OF_A_ROW = 60
_LONGEST_NAME_OF_A_STEP = 40
_HEAVIEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.NOTE)
_CSS_OF_COLUMN = dict.fromkeys(("target", "before", "requests"), "n wide") | {
    "interval": "n wide dim",
    "spread": "spread",
}


class Page:
    """Endpoints are numbered in their order, so that no name becomes part of an address."""

    def __init__(self, run: Run, earlier: EarlierRun | None, *, with_spread: bool = True) -> None:
        since = changes_to_show(run, earlier)
        self.run = run
        self.since = None if run.is_comparison else since  # a comparison shows its changes in place of ratios
        columns = columns_of(run, Report.HTML, since)
        self.columns = [column for column in columns if with_spread or column.key != "spread"]
        self.css = CSS
        self.title = f"{run.verdict}: {subject(run)}"
        self.summary = summary(run)
        self.certainty = certainty(run)
        self.compared_with = "" if run.is_comparison else compared_with(run, since)  # among the facts, if it is one
        self.counts = counts_by_verdict(run)
        of_run = {severity: [one for one in run.findings if one.severity is severity] for severity in _HEAVIEST_FIRST}
        self.run_findings = [(severity, findings) for severity, findings in of_run.items() if findings]
        self.facts = [fact for fact in summary_facts(run) if clean(fact.text)]
        self.about = [fact for fact in about(run) if clean(fact.text)]
        self.timeline = run_charts.run_timeline(run)
        attention, fine = split_by_attention(run)
        blocks = fold(attention)
        self.without_rows = [(block, part) for block in blocks if len(block) > 1 and (part := _without_value(block))]
        left_out = {id(result) for _, part in self.without_rows for result in part}
        self._rows = {id(result) for result in [*first_rows(blocks, _MOST_SIMILAR_ROWS)[0], *fine]} - left_out
        self._with_rug = [result for result in in_order(run) if id(result) not in left_out]
        self.cards = blocks[:_MOST_CARDS]
        self.more_attention = [result for block in blocks[_MOST_CARDS:] for result in block]
        self.fine, self.more_fine = fine[:_MOST_TABLE_ROWS], fine[_MOST_TABLE_ROWS:]
        self._anchors = {id(result): f"e{number}" for number, result in enumerate(in_order(run), 1)}
        self._remedies: set[str] = set()  # for latency, that a card has shown

    # --- The overview ---

    @cached_property
    def _with_target(self) -> list[EndpointResult]:
        return [result for result in self._with_rug if result.target_ms]

    @cached_property
    def _rows_with_target(self) -> list[EndpointResult]:
        return [result for result in self._with_target if id(result) in self._rows][:_MOST_ROWS]

    @cached_property
    def without_target(self) -> dict[Unit, list[EndpointResult]]:
        """By unit, since those of one share an axis."""
        shown = [result for result in self._with_rug if not result.target_ms][:_MOST_ROWS]
        return {unit: own for unit in Unit if (own := [result for result in shown if result.unit is unit])}

    @cached_property
    def _axis(self) -> Knee:
        return run_charts.common_axis(self._with_target, self._reference)

    @property
    def _reference(self) -> Reference:
        return Reference.BEFORE if self.run.is_comparison else Reference.TARGET

    @cached_property
    def _absolute_axes(self) -> dict[Unit, Linear | Log]:
        return {unit: run_charts.absolute_axis(results) for unit, results in self.without_target.items()}

    @cached_property
    def groups(self) -> list[tuple[str, list[EndpointResult]]]:
        """Under the titles of their groups, the group with the worst endpoint first; a single group has no title."""
        groups: dict[str, list[EndpointResult]] = {}
        for result in self._rows_with_target:
            on_path = result.critical_path and self.run.has_critical_path
            title = clean(self.run.groups.get(result.group or "", ""), _LONGEST_NAME)
            groups.setdefault("Critical path" if on_path else title, []).append(result)
        if len(groups) > 1 and "" in groups:
            groups["Other endpoints"] = groups.pop("")
        return list(groups.items())

    @cached_property
    def in_rug(self) -> Sequence[EndpointResult]:
        shown = {id(result) for result in self._rows_with_target}
        return [result for result in self._with_target if id(result) not in shown and result.ratio is not None]

    @property
    def rug(self) -> Svg:
        return run_charts.rug(self.in_rug, self._axis)

    def axis_marks(self, unit: Unit | None = None) -> Svg:
        """Of the common axis; of that of a ``unit`` for endpoints without a target."""
        if unit:
            return run_charts.absolute_scale_marks(self._absolute_axes[unit], unit)
        return run_charts.ratio_scale_marks(self._axis, self._reference)

    def row(self, result: EndpointResult) -> Svg:
        axis = self._axis if result.target_ms else self._absolute_axes[result.unit]
        return run_charts.row(result, axis, self.change(result))

    def ratio(self, result: EndpointResult) -> str:
        """In the colour of the verdict, and so what the verdict is about."""
        if result.value_ms is not None and (rate := run_charts.judged_failure_rate(result)):
            return f"{format_percentage(rate)} failed"
        if step := _step_to_blame(result):
            name, value = part_name(step) if step.is_figure else "step", ratio_to_target(step)
            return self.value(step) if step.is_figure and step.ratio is None else f"{name} {value}"
        if result.ratio is None:
            return ""
        return compared_text(result) if self.run.is_comparison else ratio_to_target(result)

    @property
    def has_ideals(self) -> bool:
        return any(result.ideal_ms for result in self.run.endpoints)

    # --- A capacity ---

    latency_over_load = staticmethod(latency_over_load)
    shares_over_load = staticmethod(shares_over_load)
    capacity_headings = capacity.HEADINGS
    capacity_rows = staticmethod(capacity.rows)

    @staticmethod
    def capacity_facts(result: CapacityResult) -> list[Fact]:
        return [Fact(name.capitalize(), text) for name, text in capacity.facts(result)]

    # --- An endpoint ---

    def anchor(self, result: EndpointResult) -> str:
        return self._anchors[id(result)]

    def name(self, result: EndpointResult, *, in_row: bool = False) -> str:
        """Cut in the middle where it is long: names share their beginnings, and differ at their ends."""
        name, longest = result.name, _LONGEST_NAME_OF_A_ROW if in_row else _LONGEST_NAME
        half = longest // 2
        if len(name) > longest:
            name = clean(name[: 4 * half], 4 * half)[:half] + "\N{HORIZONTAL ELLIPSIS}" + clean(name[-half:], half)
        return clean(name, longest + 1) or "(a blank name)"

    def value(self, result: EndpointResult) -> str:
        """``812 ms``; empty without a latency."""
        return measured(result, unit=True) if result.value_ms is not None else ""

    def figure(self, result: EndpointResult) -> str:
        """What weighs most, in large type: ``75% of requests failed``, ``1.2 MB``, ``+26%``, ``812 ms``."""
        heaviest = next(iter(reasons(result)), None)
        if heaviest and heaviest.value is not None and heaviest.rule is Rule.BODY_SIZE:
            return format_size(int(heaviest.value))
        if result.value_ms is None or run_charts.judged_failure_rate(result):
            return run_charts.without_value(result)
        if step := _step_to_blame(result):
            return self.value(step)
        by_change = self.run.is_comparison or self.is_by_change(result)
        return compared_text(result) if result.comparison and by_change else self.value(result)

    def relation(self, result: EndpointResult) -> str:
        """Of the figure, to what it is compared with: ``1.72x its target of 300 ms``."""
        if result.value_ms is not None and (step := _step_to_blame(result)):
            return f"{clean(part_name(step), _LONGEST_NAME_OF_A_STEP)}: {run_charts.relation_to_reference(step)}"
        return run_charts.relation_to_reference(result)

    def is_by_change(self, result: EndpointResult) -> bool:
        """Whether, of a check against targets, the change since an earlier run is the first reason for the verdict."""
        heaviest = next(iter(reasons(result)), None)
        return bool(heaviest and heaviest.rule is Rule.SLOWER) and not self.run.is_comparison

    def change(self, result: EndpointResult) -> EndpointChange | None:
        return self.since.changes.get(result.name) if self.since else None

    def change_text(self, result: EndpointResult) -> str:
        change = self.change(result)
        return change_text(change) if change else ""

    def explanation(self, block: Block) -> dict[Label, list[ExplanationLine]]:
        """By label, in order."""
        lines: dict[Label, list[ExplanationLine]] = {label: [] for label in Label}
        for line in explain_block(self.run, block, self.since, shown=self._remedies):
            lines[line.label].append(line)
        return lines

    # --- Tables ---

    def columns_of(self, results: Sequence[EndpointResult], *, with_verdict: bool) -> list[Column]:
        """Those in which one of these has something."""
        columns = [column for column in self.columns if with_verdict or column.key != "verdict"]
        return [column for column in columns if any(self._has(column, result) for result in results)]

    def _has(self, column: Column, result: EndpointResult) -> bool:
        return bool(result.samples_ms) if column.key == "spread" else self.cell(column, result) not in {"", "-"}

    def heading(self, column: Column) -> str:
        return column.title(Report.HTML).capitalize()

    def column_css(self, column: Column) -> str:
        if column.key == "change" and not self.run.is_comparison:
            return "n moves"
        return _CSS_OF_COLUMN.get(column.key, "n" if column.right else "")

    def cell(self, column: Column, result: EndpointResult) -> str:
        return column.text(result, self.change(result))

    doubt = staticmethod(doubt)
    title_of = staticmethod(title)
    first_rows = _MOST_SIMILAR_ROWS
    first_charts = _MOST_CHARTS
    is_within_ideal = staticmethod(is_within_ideal)
    without_value = staticmethod(run_charts.without_value)
    meter = staticmethod(run_charts.meter)
    sparkline = staticmethod(sparkline)
    distribution = staticmethod(distribution)
    over_time = staticmethod(over_time)

    bars = staticmethod(bars)

    @staticmethod
    def overlap(result: EndpointResult) -> bool:
        return sums_of(subject_of(result) or result) is Sums.OVERLAPPING

    @staticmethod
    def details(result: EndpointResult) -> str:
        """``login 5.2 ms, search 32.1 ms``; the figures of a page; empty for a single request."""
        return ", ".join(line.text for line in details(result) if line.label is not Label.FILE)

    @staticmethod
    def caption(result: EndpointResult) -> str:
        """Of the chart of its values."""
        is_of_page = result.page is not None and not result.is_workflow
        return f"{result.metric_of.label.capitalize()} of each load" if is_of_page else "Latency of each request"

    @staticmethod
    def set_up(result: EndpointResult) -> str:
        """``DNS 0.1 ms, TCP 0.2 ms``: once a connection, and no part of the latency."""
        phases = result.phases_ms
        named = [("DNS", phases.dns), ("TCP", phases.connect), ("TLS", phases.tls)]
        return ", ".join(f"{name} {format_ms(ms)}" for name, ms in named if ms is not None)


def _step_to_blame(result: EndpointResult) -> EndpointResult | None:
    """The step whose latency is the first reason for the verdict of its workflow."""
    heaviest = next(iter(reasons(result)), None)
    name = heaviest.step if heaviest and heaviest.rule.is_about_latency else None
    return next((step for step in result.steps if step.name == name), None)


def _without_value(block: Block) -> Block:
    return tuple(result for result in block if result.value_ms is None)
