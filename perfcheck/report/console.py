"""The result on a terminal: what a person needs, in the order they need it. Prints; never judges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.model import EndpointResult, Finding, Metric, Run, Severity, Verdict
from perfcheck.report.glyphs import Glyphs, shorten, sparkline
from perfcheck.text import clean
from perfcheck.units import format_ms, format_multiple, format_percentage, format_size

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.CRITICAL: "bold red", Verdict.NOT_MEASURED: "magenta"}
_ORDER = [Verdict.CRITICAL, Verdict.WARNING, Verdict.NOT_MEASURED, Verdict.OK]
_MOST_OK_ROWS = 40
_MOST_BLOCKS = 20
_RULES_OF_LATENCY = {"latency", "ceiling", "new-slow-endpoint"}
_SPARK_WIDTH = 6
_LONGEST_TEXT = 2000
_MINOR = 0.01  # of the latency: a phase below it explains nothing


def render_console(
    run: Run, glyphs: Glyphs, width: int, *, rerun: Callable[[str], str], quiet: bool = False, verbose: bool = False
) -> RenderableType:
    """The report of a run; ``rerun`` gives the command that checks one endpoint again."""
    results = sorted(run.endpoints, key=_worst_first)
    parts: list[RenderableType] = []
    if not quiet:
        parts += [_title(run, glyphs), Text(), _table(results, glyphs, width, verbose=verbose), Text()]
    told: set[str] = set()
    breaches = [result for result in results if _needs_attention(result)]
    shown = breaches if verbose else breaches[:_MOST_BLOCKS]
    for result in shown:
        parts += [_breach(run, result, rerun(result.name), glyphs, told), Text()]
    if len(breaches) > len(shown):
        more = f"{glyphs.ellipsis} and {len(breaches) - len(shown)} more that need attention (-v shows them)"
        parts += [Text(more, style="dim"), Text()]
    if not quiet:
        notes = list(_notes(run, results, verbose=verbose))
        parts += [*notes, Text()] if notes else []
        parts += [_environment(run, glyphs), Text()] if verbose else []
    parts.append(_closing(run, glyphs))
    return Group(*parts)


def _worst_first(result: EndpointResult) -> tuple[int, float]:
    return _ORDER.index(result.verdict), -(result.ratio or 0.0)


def _needs_attention(result: EndpointResult) -> bool:
    return result.verdict is not Verdict.OK


def _title(run: Run, glyphs: Glyphs) -> Text:
    parts = [f"perfcheck {run.tool.version}", run.service.base_url, run.baseline.file, run.label]
    return Text(f" {glyphs.dot} ".join(clean(part) for part in parts if part), style="dim")


# --- The table -----------------------------------------------------------------------------------------------------

_HEADERS = ("", "endpoint", "ms", "interval", "target", "ideal", "ratio", "sent", "spread")
_LEFT = {"", "endpoint", "spread"}
_NAME = 1
_DROPPED_FIRST = ("spread", "ideal", "interval", "sent")  # when the terminal is narrow
_SHORTEST_NAME = 20


def _table(results: list[EndpointResult], glyphs: Glyphs, width: int, *, verbose: bool) -> RenderableType:
    healthy = sum(result.verdict is Verdict.OK for result in results)
    hidden = 0 if verbose else max(0, healthy - _MOST_OK_ROWS)
    rows = [_row(result, glyphs) for result in results[: len(results) - hidden]]
    widths = [max([len(header), *(_cell_width(row[i]) for row in rows)]) for i, header in enumerate(_HEADERS)]
    kept, name_width = _fit(widths, width)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for i in kept:
        table.add_column(_HEADERS[i], justify="left" if _HEADERS[i] in _LEFT else "right", no_wrap=True)
    for row in rows:
        row[_NAME].plain = shorten(row[_NAME].plain, name_width, glyphs.ellipsis)
        table.add_row(*(row[i] for i in kept))
    if not hidden:
        return table
    return Group(table, Text(f"{glyphs.ellipsis} and {hidden} more OK (-v shows them)", style="dim"))


def _cell_width(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.splitlines()), default=0)


def _fit(widths: list[int], width: int) -> tuple[list[int], int]:
    """Which columns there is room for, and how much of it is left for the name."""
    kept = list(range(len(_HEADERS)))
    room = width
    for header in (None, *_DROPPED_FIRST):
        kept = [i for i in kept if _HEADERS[i] != header]
        room = width - sum(widths[i] + 1 for i in kept if i != _NAME) - 1
        if room >= min(widths[_NAME], _SHORTEST_NAME):
            break
    return kept, max(room, 1)


def _row(result: EndpointResult, glyphs: Glyphs) -> list[Text]:
    verdict = Text(str(result.verdict).replace(" ", "\n"), style=STYLES[result.verdict])
    if not result.decided and result.verdict is not Verdict.NOT_MEASURED:
        verdict.append("\nundecided", style="dim")
    return [
        verdict,
        Text(clean(result.name)),
        Text(_measured(result), style=STYLES[result.verdict] if _needs_attention(result) else ""),
        Text(_interval(result, glyphs), style="dim"),
        Text(format_ms(result.target_ms, unit=False)),
        Text(format_ms(result.ideal_ms, unit=False), style="green" if _ideal_met(result) else ""),
        Text(_ratio(result)),
        Text(str(result.requests.sent)),
        _spread(result, glyphs),
    ]


def _spread(result: EndpointResult, glyphs: Glyphs) -> Text:
    """The distribution; or what else is wrong, in a word, where the latency does not show it."""
    for finding in result.findings:
        if finding.severity is not Severity.NOTE and finding.value is not None:
            if finding.rule == "error-rate":
                return Text(f"{finding.value:.0%} fail", style=STYLES[result.verdict])
            if finding.rule == "body-size":
                return Text(f"{format_size(int(finding.value))}", style=STYLES[result.verdict])
    return Text(sparkline([v for v in result.samples_ms if v is not None], _SPARK_WIDTH, glyphs.bars), style="cyan")


def _measured(result: EndpointResult) -> str:
    if result.value_ms is None:
        return "-"
    metric = "" if result.metric is Metric.MEDIAN else f"{result.metric} "
    value = format_ms(result.value_ms, beside=_nearest_limit(result), unit=False)
    return f"{metric}{'>' if result.over_timeout else ''}{value}"


def _ratio(result: EndpointResult) -> str:
    limit = _nearest_limit(result)
    if result.ratio is None or limit is None or result.target_ms is None:
        return "-"
    shown, at_limit = f"{result.ratio:.2f}x", limit / result.target_ms
    if shown == f"{at_limit:.2f}x":
        shown = format_multiple(result.ratio, beside=at_limit)
    return f">{shown}" if result.over_timeout else shown


def _nearest_limit(result: EndpointResult) -> float | None:
    """The limit that the value must not be rounded into."""
    limits = [result.target_ms, result.warning_ms, result.critical_ms, result.ceiling_ms]
    value = result.value_ms or 0.0
    return min((limit for limit in limits if limit), key=lambda limit: abs(limit - value), default=None)


def _interval(result: EndpointResult, glyphs: Glyphs) -> str:
    low, high = result.interval_ms
    if low is None and high is None:
        return "-"
    if low is None:
        return f"<{format_ms(high, unit=False)}"
    if high is None:
        return f">{format_ms(low, unit=False)}"
    ends = dict.fromkeys(format_ms(end, unit=False) for end in (low, high))  # once, where they look the same
    return glyphs.dash.join(ends)


def _ideal_met(result: EndpointResult) -> bool:
    return result.value_ms is not None and result.ideal_ms is not None and result.value_ms <= result.ideal_ms


# --- One block for each breach -------------------------------------------------------------------------------------


def _breach(run: Run, result: EndpointResult, rerun: str, glyphs: Glyphs, told: set[str]) -> RenderableType:
    head = Text.assemble((str(result.verdict), STYLES[result.verdict]), " ", (clean(result.name), "bold"))
    head.append(" undecided" if not result.decided and result.value_ms is not None else "", style="dim")
    details = Table.grid(padding=(0, 2, 0, 0))
    details.add_column(style="dim", no_wrap=True)
    details.add_column(overflow="fold")
    for label, text in _breach_lines(run, result, glyphs, told):
        details.add_row(label, Text(clean(text, _LONGEST_TEXT)))
    details.add_row("rerun", Text(clean(rerun, _LONGEST_TEXT), style="cyan"))
    return Group(head, Padding(details, (0, 0, 0, 2)))


def _breach_lines(run: Run, result: EndpointResult, glyphs: Glyphs, told: set[str]) -> Iterator[tuple[str, str]]:
    """Labels and texts; ``told`` are remedies that stand in a block above already."""
    yield "request", f"{result.method} {result.url}"
    for finding in result.findings:
        if finding.rule != "undecided":
            yield ("note" if finding.severity is Severity.NOTE else "why"), finding.message
    slow = any(finding.rule in _RULES_OF_LATENCY for finding in result.findings)
    if slow and (where := _where(result)):
        yield "where", where
    if result.value_ms is not None:
        yield "evidence", _evidence(result, glyphs)
    for finding in result.findings:
        if finding.remedy and finding.remedy not in told:
            yield "help", finding.remedy
        if finding.remedy and finding.rule in _RULES_OF_LATENCY:
            told.add(finding.remedy)
    lines = dict.fromkeys(f.line for f in result.findings if f.line and f.severity is not Severity.NOTE)
    yield "baseline", ", ".join(f"{run.baseline.file}:{line}" for line in lines or [result.line])


def _where(result: EndpointResult) -> str:
    """The slow phase first, and what the service itself says of it."""
    if result.over_timeout or result.value_ms is None:
        return ""
    phases = result.phases_ms
    named = [(phases.wait, "waiting for the first byte"), (phases.download, "download")]
    measured = sorted(((ms, name) for ms, name in named if ms and ms > _MINOR * result.value_ms), reverse=True)
    parts = [f"{name} {format_ms(ms)}" for ms, name in measured]
    if result.server_timing:
        spans = sorted(result.server_timing.items(), key=lambda span: -span[1])
        parts.append("the service says " + ", ".join(f"{name} {format_ms(ms)}" for name, ms in spans[:5]))
    return "; ".join(parts)


def _evidence(result: EndpointResult, glyphs: Glyphs) -> str:
    stages = [result.timeline.stage.count(stage) for stage in range(1, max(result.timeline.stage, default=0) + 1)]
    text = ", then ".join([f"{stages[0]} requests", *(f"{n} when measured again" for n in stages[1:])])
    interval = _interval(result, glyphs)
    text += f"; {result.metric} in {interval} ms" if interval != "-" else ""
    undecided = [finding.message for finding in result.findings if finding.rule == "undecided"]
    return "; ".join([text, *undecided])


# --- Notes, environment, closing line ------------------------------------------------------------------------------


def _notes(run: Run, results: list[EndpointResult], *, verbose: bool) -> Iterable[Text]:
    for finding in run.findings:
        yield _note("run", finding, None)
    for result in results:
        if not _needs_attention(result):
            for finding in result.findings:
                yield _note(result.name, finding, run.baseline.file if verbose else None)


def _note(subject: str, finding: Finding, file: str | None) -> Text:
    text = Text.assemble((f"{finding.severity} ", "dim" if finding.severity is Severity.NOTE else "yellow"))
    text.append(f"{clean(subject)}: {clean(finding.message, _LONGEST_TEXT)}")
    if file and finding.line:
        text.append(f" ({file}:{finding.line})", style="dim")
    if finding.remedy:
        text.append(f"; {finding.remedy}", style="dim")
    return text


def _environment(run: Run, glyphs: Glyphs) -> Text:
    environment, runner = run.environment, run.runner
    facts = [
        f"{run.tool.client}, Python {run.tool.python}",
        f"{environment.platform}, {environment.cpus} CPUs",
        f"seed {run.seed}",
    ]
    if runner.cpu_ms_per_request is not None:
        facts.append(f"own CPU {format_ms(runner.cpu_ms_per_request)} a request")
    if runner.run_queue_share is not None:
        facts.append(f"waited for a CPU {format_percentage(runner.run_queue_share)} of the time")
    return Text(f" {glyphs.dot} ".join(facts), style="dim")


def _closing(run: Run, glyphs: Glyphs) -> RenderableType:
    counts = run.counts
    text = Text()
    for count, word, verdict in (
        (counts.critical, "critical", Verdict.CRITICAL),
        (counts.warning, "warning", Verdict.WARNING),
        (counts.not_measured, "not measured", Verdict.NOT_MEASURED),
        (counts.ok, "OK", Verdict.OK),
    ):
        if count:
            text.append(", " if text else "").append(f"{count} {word}", style=STYLES[verdict])
    requests = sum(result.requests.sent + result.requests.warmup for result in run.endpoints)
    facts = ["", f"{requests} requests in {run.duration_ms / 1000:.1f} s", _exit_meaning(run)]
    return Group(_certainty(run), text.append(f" {glyphs.dot} ".join(facts)))


def _certainty(run: Run) -> Text:
    undecided = sum(not result.decided for result in run.endpoints) - run.counts.not_measured
    rest = f"; {undecided} undecided, judged by estimate" if undecided > 0 else ""
    return Text(f"Each decided verdict is wrong with a probability of at most {run.alpha:.0%}{rest}.", style="dim")


def _exit_meaning(run: Run) -> str:
    meaning = {
        0: "passed" if run.verdict is Verdict.OK else f"{run.verdict} does not fail the check",
        1: f"{run.verdict} fails the check",
        3: "not everything could be measured",
        4: "a bug in perfcheck ended the run",
        130: "interrupted",
    }
    return f"exit {run.exit_code}: {meaning.get(run.exit_code, 'failed')}"
