"""The result on a terminal: what a person needs, in the order they need it. Prints; never judges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.model import EndpointResult, Finding, Rule, Run, Severity
from perfcheck.report.changes import since
from perfcheck.report.comparison_words import before_and_now, what_grew
from perfcheck.report.console_table import STYLES, columns_of, table
from perfcheck.report.glyphs import Glyphs
from perfcheck.report.wording import (
    LONGEST_TEXT,
    baseline_lines,
    certainty,
    compared_with,
    counts_by_verdict,
    critical_path,
    effort,
    evidence,
    exit_meaning,
    in_order,
    is_of_monitor,
    is_undecided,
    needs_attention,
    remedies,
    rerun,
    state_of_monitor,
    undecided_comparisons,
    where_the_time_went,
)
from perfcheck.text import clean
from perfcheck.units import format_ms, format_percentage

_MOST_BLOCKS = 20


def render_console(
    run: Run,
    glyphs: Glyphs,
    width: int,
    *,
    previous: Run | None = None,
    quiet: bool = False,
    verbose: bool = False,
) -> RenderableType:
    """The report of a run, for a terminal of ``width`` cells; with the changes since ``previous``, an earlier run."""
    earlier = since(run, previous)
    changed = earlier.changed if earlier else {}
    results = in_order(run)
    parts: list[RenderableType] = []
    if not quiet:
        state = state_of_monitor(run)
        parts += [Text(clean(state.message, LONGEST_TEXT), style="bold")] if state else []
        parts += [
            _title(run, glyphs),
            Text(),
            table(results, columns_of(run, changed, glyphs), glyphs, width, verbose=verbose),
            Text(),
        ]
    if path := critical_path(run):
        parts += [Text(path, style="bold"), Text()]
    told: set[str] = set()
    breaches = [result for result in results if needs_attention(result)]
    shown = breaches if verbose else breaches[:_MOST_BLOCKS]
    for result in shown:
        parts += [_breach(run, result, glyphs, told), Text()]
    if len(breaches) > len(shown):
        more = f"{glyphs.ellipsis} and {len(breaches) - len(shown)} more that need attention (-v shows them)"
        parts += [Text(more, style="dim"), Text()]
    if not quiet:
        notes = list(_notes(run, results, verbose=verbose))
        parts += [*notes, Text()] if notes else []
        parts += [_environment(run, glyphs), Text()] if verbose else []
    if earlier is not None:
        parts.append(Text(compared_with(run, earlier), style="dim"))
    parts.append(_closing(run, glyphs))
    return Group(*parts)


def _title(run: Run, glyphs: Glyphs) -> Text:
    if run.is_comparison:
        before, now = before_and_now(run)
        parts: list[str | None] = [f"perfcheck {run.tool.version}", f"before: {before}", f"now: {now}"]
    else:
        parts = [f"perfcheck {run.tool.version}", run.service.base_url, run.baseline.file, run.label]
    return Text(f" {glyphs.dot} ".join(clean(part) for part in parts if part), style="dim")


# --- One block for each breach -------------------------------------------------------------------------------------


def _breach(run: Run, result: EndpointResult, glyphs: Glyphs, told: set[str]) -> RenderableType:
    head = Text.assemble((str(result.verdict), STYLES[result.verdict]), " ", (clean(result.name), "bold"))
    head.append(" undecided" if is_undecided(result) and result.value_ms is not None else "", style="dim")
    details = Table.grid(padding=(0, 2, 0, 0))
    details.add_column(style="dim", no_wrap=True)
    details.add_column(overflow="fold")
    for label, text in _breach_lines(run, result, glyphs, told):
        details.add_row(label, Text(clean(text, LONGEST_TEXT)))
    details.add_row("rerun", Text(clean(rerun(run, result.name), LONGEST_TEXT), style="cyan"))
    return Group(head, Padding(details, (0, 0, 0, 2)))


def _breach_lines(run: Run, result: EndpointResult, glyphs: Glyphs, told: set[str]) -> Iterator[tuple[str, str]]:
    """Labels and texts; ``told`` are remedies that stand in a block above already."""
    yield "request", f"{result.method} {result.url}"
    for finding in result.findings:
        if finding.rule is not Rule.UNDECIDED:
            yield ("note" if finding.severity is Severity.NOTE else "why"), finding.message
    if where := where_the_time_went(result):
        yield "where", where
    if grown := what_grew(result):
        yield "grew", grown
    if seen := evidence(result, glyphs.dash):
        yield "evidence", seen
    for remedy in remedies(result, told):
        yield "help", remedy
    if lines := baseline_lines(result):
        yield "baseline", ", ".join(f"{run.baseline.file}:{line}" for line in lines)


# --- Notes, environment, closing line ------------------------------------------------------------------------------


def _notes(run: Run, results: list[EndpointResult], *, verbose: bool) -> Iterable[Text]:
    state = state_of_monitor(run)  # the report begins with it
    for finding in run.findings:
        if finding is not state:
            yield _note("service" if is_of_monitor(run) else "run", finding, None)
    for result in results:
        if not needs_attention(result):
            for finding in result.findings:
                if finding.rule is not Rule.ADDED:  # the run names all of them
                    yield _note(result.name, finding, run.baseline.file if verbose else None)


def _note(subject: str, finding: Finding, file: str | None) -> Text:
    text = Text.assemble((f"{finding.severity} ", "dim" if finding.severity is Severity.NOTE else "yellow"))
    text.append(f"{clean(subject)}: {clean(finding.message, LONGEST_TEXT)}")
    if file and finding.line:
        text.append(f" ({clean(file)}:{finding.line})", style="dim")
    if finding.remedy:
        text.append(f"; {clean(finding.remedy, LONGEST_TEXT)}", style="dim")
    return text


def _environment(run: Run, glyphs: Glyphs) -> Text:
    environment, runner = run.environment, run.runner
    facts = [
        f"{clean(run.tool.client)}, Python {clean(run.tool.python)}",
        f"{clean(environment.platform)}, {environment.cpus} CPUs",
        f"seed {run.seed}",
    ]
    if runner.cpu_ms_per_request is not None:
        facts.append(f"own CPU {format_ms(runner.cpu_ms_per_request)} a request")
    if runner.run_queue_share is not None:
        facts.append(f"waited for a CPU {format_percentage(runner.run_queue_share)} of the time")
    return Text(f" {glyphs.dot} ".join(facts), style="dim")


def _closing(run: Run, glyphs: Glyphs) -> RenderableType:
    text = Text()
    for count, word, verdict in counts_by_verdict(run):
        text.append(", " if text else "").append(f"{count} {word}", style=STYLES[verdict])
    if open_ones := undecided_comparisons(run):
        text.append(f", of which {open_ones} cannot be told", style="dim")
    facts = ["", effort(run), exit_meaning(run)]
    return Group(Text(certainty(run), style="dim"), text.append(f" {glyphs.dot} ".join(facts)))
