"""The result on a terminal: what a person needs, in the order they need it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.model import (
    CapacityResult,
    EarlierRun,
    EndpointResult,
    Finding,
    Reference,
    Rule,
    Run,
    Severity,
    Unit,
    heaviest_first,
)
from perfcheck.report import capacity
from perfcheck.report.claims import certainty
from perfcheck.report.columns import Column, Report, columns_of
from perfcheck.report.explain import LONGEST_TEXT, Label, details, doubt
from perfcheck.report.figures import is_within_ideal, request_text
from perfcheck.report.fold import Block, explain_block, first_rows, fold, fold_notes, title
from perfcheck.report.glyphs import STYLES, Glyphs, shorten, sparkline
from perfcheck.report.run_summary import (
    before_and_now,
    capitalized,
    changes_to_show,
    compared_with,
    counts_by_verdict,
    critical_path,
    effort,
    exit_meaning,
    headline,
    in_order,
    inconclusive_comparisons,
    partial,
    run_warnings,
    state_of_monitor,
)
from perfcheck.text import clean
from perfcheck.units import format_figure, format_ms, format_percentage, format_size
from perfcheck.words import plural

_MOST_BLOCKS = 20
_MOST_OK_ROWS = 40
_MOST_SIMILAR_ROWS = 5  # of endpoints with one cause
_SPARK_WIDTH = 6
_LONGEST_STEP = 12
_SHORTEST_NAME = 20


def render_console(
    run: Run,
    glyphs: Glyphs,
    width: int,
    *,
    earlier: EarlierRun | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> RenderableType:
    """The report of a run, for a terminal of ``width`` cells; with the changes since ``earlier``."""
    if run.capacity is not None:
        return _capacity(run, run.capacity, glyphs, quiet=quiet)
    since = changes_to_show(run, earlier)
    results = in_order(run)
    parts: list[RenderableType] = []
    if not quiet:
        state = state_of_monitor(run)
        parts += [Text(clean(state.message, LONGEST_TEXT), style="bold")] if state else []
        parts += [_title(run, glyphs), Text(), _table(run, results, since, glyphs, width, verbose=verbose), Text()]
    if path := critical_path(run):
        parts += [Text(path, style="bold"), Text()]
    breaches = fold([result for result in results if result.needs_attention])
    explained = breaches if verbose else breaches[:_MOST_BLOCKS]
    shown: set[str] = set()
    for block in explained:
        parts += [_explanation(run, block, glyphs, shown), Text()]
    if more := sum(map(len, breaches[len(explained) :])):
        parts += [Text(f"{glyphs.ellipsis} and {more} more not OK (-v shows them)", style="dim"), Text()]
    if verbose and not quiet:
        parts += [_details(result, glyphs) for result in results if details(result) and not result.needs_attention]
    notes = list(_notes(run, results, glyphs, quiet=quiet, verbose=verbose))
    parts += [*notes, Text()] if notes else []
    if verbose and not quiet:
        parts += [_environment(run, glyphs), Text()]
    if since is not None and not run.is_comparison:
        parts.append(Text(compared_with(run, since), style="dim"))
    if in_part := partial(run):
        parts.append(_note("run", in_part, None, glyphs))
    return Group(*parts, Text(certainty(run), style="dim"), _closing(run, glyphs))


def _title(run: Run, glyphs: Glyphs) -> Text:
    if run.is_comparison:
        before, now = before_and_now(run)
        parts: list[str | None] = [f"perfcheck {run.tool.version}", f"before: {before}", f"now: {now}"]
    else:
        parts = [f"perfcheck {run.tool.version}", run.service.base_url, run.baseline.file, run.label]
    return Text(f" {glyphs.dot} ".join(clean(part) for part in parts if part), style="dim")


def _capacity(run: Run, result: CapacityResult, glyphs: Glyphs, *, quiet: bool) -> RenderableType:
    parts: list[RenderableType] = []
    if not quiet:
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in capacity.HEADINGS:
            grid.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        for row in capacity.rows(result):
            grid.add_row(*row)
        lines = [Text(f"{name}: {text}", style="dim") for name, text in capacity.facts(result)]
        parts += [_title(run, glyphs), Text(), grid, Text(), *lines, Text()]
    findings = heaviest_first(run.findings)
    head = Text.assemble((str(run.verdict), STYLES[run.verdict]), " ", (headline(run), "bold"))
    if findings and findings[0].remedy:
        head.append(f" {capitalized(findings[0].remedy)}.", style="dim")
    notes = list(_notes(replace(run, findings=findings[1:]), (), glyphs, quiet=quiet, verbose=False))
    return Group(*parts, head, *notes, Text(), Text(certainty(run), style="dim"), _closing(run, glyphs))


# --- The table -----------------------------------------------------------------------------------------------------


def _table(
    run: Run,
    results: Sequence[EndpointResult],
    since: EarlierRun | None,
    glyphs: Glyphs,
    width: int,
    *,
    verbose: bool,
) -> RenderableType:
    """As many columns as there is room for; of many that are OK, or have one cause, the first, unless ``verbose``."""
    columns = columns_of(run, Report.CONSOLE, since)
    shown, hidden = (list(results), "") if verbose else _rows(results)
    rows = []
    for result in shown:
        change = since.changes.get(result.name) if since else None
        texts = {column.key: glyphs.shown(column.text(result, change)) for column in columns}
        rows.append({key: _cell(key, text, result, glyphs) for key, text in texts.items()})
    kept, name_width = _fit(columns, rows, width)
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for column in kept:
        grid.add_column(column.title(Report.CONSOLE), justify="right" if column.right else "left", no_wrap=True)
    for row in rows:
        row["endpoint"].plain = shorten(row["endpoint"].plain, name_width, glyphs.ellipsis)
        grid.add_row(*(row[column.key] for column in kept))
    if not hidden:
        return grid
    return Group(grid, Text(f"{glyphs.ellipsis} and {hidden} (-v shows them)", style="dim"))


def _rows(results: Sequence[EndpointResult]) -> tuple[list[EndpointResult], str]:
    """The rows of the table in their order, and what is left out: ``223 more with the same causes, 12 more OK``."""
    fine = [result for result in results if not result.needs_attention]
    first, similar = first_rows(fold([result for result in results if result.needs_attention]), _MOST_SIMILAR_ROWS)
    kept = {id(result) for result in [*first, *fine[:_MOST_OK_ROWS]]}
    more = [(similar, "more with the same causes"), (max(0, len(fine) - _MOST_OK_ROWS), "more OK")]
    hidden = ", ".join(f"{count:,} {words}" for count, words in more if count)
    return [result for result in results if id(result) in kept], hidden


def _fit(columns: Sequence[Column], rows: Sequence[Mapping[str, Text]], width: int) -> tuple[list[Column], int]:
    """Which columns there is room for, and how much of it is left for the name."""
    widths = {}
    for column in columns:
        lines = (line for row in rows for line in row[column.key].plain.splitlines())
        widths[column.key] = max(map(cell_len, [column.title(Report.CONSOLE), *lines]))
    kept, room = list(columns), width
    for rank in range(max(column.dropped for column in columns) + 1):
        kept = [column for column in kept if not column.dropped or column.dropped > rank]
        room = width - sum(widths[column.key] + 1 for column in kept if column.key != "endpoint") - 1
        if room >= min(widths["endpoint"], _SHORTEST_NAME):
            break
    return kept, max(room, 1)


def _cell(key: str, text: str, result: EndpointResult, glyphs: Glyphs) -> Text:
    of_verdict = STYLES[result.verdict]
    if key == "verdict":
        verdict = Text(text.replace(" ", "\n"), style=of_verdict)
        return verdict.append(f"\n{doubt(result)}", style="dim") if doubt(result) else verdict
    if key == "spread":
        return _spread(result, glyphs)
    if key == "measured" or (key == "change" and result.promise is Reference.BEFORE):
        return Text(text, style=of_verdict if result.needs_attention else "")
    styles = {"interval": "dim", "path": "bold", "ideal": "green" if is_within_ideal(result) else ""}
    return Text(text, style=styles.get(key, ""))


def _spread(result: EndpointResult, glyphs: Glyphs) -> Text:
    """The distribution; or what else is wrong, in a word, where the latency does not show it."""
    for finding in result.findings:
        if finding.severity is not Severity.NOTE and finding.value is not None:
            if finding.rule is Rule.ERROR_RATE:
                return Text(f"{finding.value:.0%} fail", style=STYLES[result.verdict])
            if finding.rule is Rule.BODY_SIZE:
                return Text(format_size(int(finding.value)), style=STYLES[result.verdict])
            if finding.step:
                step = shorten(clean(finding.step), _LONGEST_STEP, glyphs.ellipsis)
                value = format_figure(finding.value, finding.unit or Unit.TIME)
                return Text(f"{step} {value}", style=STYLES[result.verdict])
    return Text(sparkline([ms for ms in result.samples_ms if ms is not None], _SPARK_WIDTH, glyphs), style="cyan")


# --- Explanations, notes, environment, closing line ----------------------------------------------------------------


def _explanation(run: Run, block: Block, glyphs: Glyphs, shown: set[str]) -> RenderableType:
    result = block[0]
    head = Text.assemble((str(result.verdict), STYLES[result.verdict]), " ", (clean(title(block)), "bold"))
    head.append(f" {doubt(result)}" if doubt(result) and result.value_ms is not None else "", style="dim")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in explain_block(run, block, shown=shown):
        grid.add_row(label, _line(label, text, glyphs))
    return Group(head, Padding(grid, (0, 0, 0, 2)))


def _line(label: Label, text: str, glyphs: Glyphs) -> Text:
    styles = {Label.RERUN: "cyan", Label.SLOW_STEP: "bold"}
    return Text(clean(glyphs.shown(text), LONGEST_TEXT), style=styles.get(label, ""))


def _details(result: EndpointResult, glyphs: Glyphs) -> RenderableType:
    """Of a workflow or page that is OK."""
    lines = [Padding(_line(label, text, glyphs), (0, 0, 0, 2)) for label, text in details(result)]
    return Group(Text.assemble((clean(result.name), "bold"), f" {request_text(result)}"), *lines, Text())


def _notes(
    run: Run, results: Sequence[EndpointResult], glyphs: Glyphs, *, quiet: bool, verbose: bool
) -> Iterator[Text]:
    """Of the run and of its endpoints; ``quiet``: only warnings, which are of the run."""
    for finding in run.findings:
        if quiet and finding.severity is Severity.NOTE:
            continue
        if finding.rule not in {Rule.MONITOR_STATE, Rule.PARTIAL}:  # with which the report begins, and ends
            yield _note("service" if run.is_of_monitor else "run", finding, None, glyphs)
    if quiet:
        return
    fine = [result for result in results if not result.needs_attention]
    every = ((result.name, finding) for result in fine for finding in result.findings)
    for name, finding in every if verbose else fold_notes(fine):
        if finding.rule is not Rule.ADDED:  # the run names all of them
            yield _note(name, finding, run.baseline.file if verbose else None, glyphs)


def _note(subject: str, finding: Finding, file: str | None, glyphs: Glyphs) -> Text:
    text = Text.assemble((f"{finding.severity} ", "dim" if finding.severity is Severity.NOTE else "yellow"))
    text.append(f"{clean(subject, LONGEST_TEXT)}: {clean(glyphs.shown(finding.message), LONGEST_TEXT)}")
    if file and finding.line:
        text.append(f" ({clean(file)}:{finding.line})", style="dim")
    if finding.remedy:
        text.append(f"; {clean(glyphs.shown(finding.remedy), LONGEST_TEXT)}", style="dim")
    return text


def _environment(run: Run, glyphs: Glyphs) -> Text:
    environment, runner = run.environment, run.runner
    facts = [
        f"{clean(run.tool.client)}, Python {clean(run.tool.python)}",
        f"{clean(environment.platform)}, {plural(environment.cpus, 'CPU')}",
        f"seed {run.seed}",
    ]
    if runner.cpu_ms_per_request is not None:
        facts.append(f"own CPU {format_ms(runner.cpu_ms_per_request)} per request")
    if runner.run_queue_share is not None:
        facts.append(f"waited for a CPU {format_percentage(runner.run_queue_share)} of the time")
    return Text(f" {glyphs.dot} ".join(facts), style="dim")


def _closing(run: Run, glyphs: Glyphs) -> Text:
    text = Text()
    for count, word, verdict in counts_by_verdict(run):
        text.append(", " if text else "").append(f"{count} {word}", style=STYLES[verdict])
    if inconclusive := inconclusive_comparisons(run):
        text.append(f" ({inconclusive} inconclusive)", style="dim")
    if warnings := run_warnings(run):
        text.append(", " if text else "").append(f"{plural(warnings, 'warning')} of the run", style="yellow")
    separator = f" {glyphs.dot} "
    return text.append(separator if text else "").append(separator.join([effort(run), exit_meaning(run)]))
