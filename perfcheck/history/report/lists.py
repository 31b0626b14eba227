"""Past runs, and proposed targets, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcheck.history.model import PastMeasurement, PastRun, Proposal, ProposedValue
from perfcheck.model import CAPACITY, Counts, Source, Unit
from perfcheck.report.glyphs import STYLES, Glyphs, shorten
from perfcheck.text import clean
from perfcheck.units import format_figure, format_from_to
from perfcheck.words import short_commit, short_run

_HEADERS = ("when (UTC)", "run", "label", "verdict", "endpoints", "branch@commit", "machine")
_DROPPED_FIRST = ("machine", "endpoints", "branch@commit")  # when the terminal is narrow
_SHORTENED = (("label", 24), ("machine", 20), ("branch@commit", 24), ("label", 12))  # to so many cells, one by one


def render_runs(
    runs: Sequence[PastRun], glyphs: Glyphs, width: int, capacities: Mapping[str, PastMeasurement] | None = None
) -> RenderableType:
    """One line per run, in the order given, for a terminal of ``width`` cells. ``capacities`` by the id of the run."""
    if not runs:
        return Text("no runs")
    rows = [_row(run, (capacities or {}).get(run.id)) for run in runs]
    several = len({run.machine for run in runs}) > 1
    empty = {header for i, header in enumerate(_HEADERS) if not any(row[i].plain for row in rows)}
    widths = {header: max(len(header), *(_cell_width(row[i]) for row in rows)) for i, header in enumerate(_HEADERS)}
    shown = [header for header in _HEADERS if header not in empty and (several or header != "machine")]
    shown, widths = _fit(shown, widths, width)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for header in shown:
        table.add_column(header, no_wrap=True)
    for row in rows:
        for i, header in enumerate(_HEADERS):
            if header in dict(_SHORTENED):
                row[i].plain = shorten(row[i].plain, widths[header], glyphs.ellipsis)
        table.add_row(*(row[_HEADERS.index(header)] for header in shown))
    return table


def _row(run: PastRun, capacity: PastMeasurement | None) -> list[Text]:
    verdict = Text(str(run.verdict).replace(" ", "\n"), style=STYLES[run.verdict])
    if not run.complete and not run.counts.not_measured:  # otherwise the verdict shows it already
        verdict.append("\nincomplete", style="dim")
    by_monitor = " by the monitor" * (run.source is Source.MONITORED)
    return [
        Text(when(run.started_at)),
        Text(short_run(run.id), style="cyan"),
        Text(clean(run.label or "")),
        verdict,
        Text(capacity_in_words(capacity) if capacity else counts_in_words(run.counts) + by_monitor),
        Text(revision(run)),
        Text(clean(run.machine), style="dim"),
    ]


def when(started_at: str) -> str:
    """``2026-11-23 12:00``."""
    return clean(started_at[:16].replace("T", " "))


def revision(run: PastRun) -> str:
    """``main@0123abcdef+``: the plus where files differed from the commit."""
    commit = f"@{short_commit(run.commit)}{'+' * bool(run.dirty)}" if run.commit else ""
    return clean(run.branch or "") + commit


def counts_in_words(counts: Counts) -> str:
    """``1 critical, 12 OK``."""
    known = [
        (counts.critical, "critical"),
        (counts.warning, "warning"),
        (counts.not_measured, "not measured"),
        (counts.ok, "OK"),
    ]
    return ", ".join(f"{count} {word}" for count, word in known if count)


def capacity_in_words(capacity: PastMeasurement) -> str:
    """``42 users``; ``capacity`` where it is not known."""
    return CAPACITY if capacity.value_ms is None else format_figure(capacity.value_ms, capacity.unit)


def _cell_width(cell: Text) -> int:
    return max((cell_len(line) for line in cell.plain.splitlines()), default=0)


def _fit(shown: list[str], widths: dict[str, int], width: int) -> tuple[list[str], dict[str, int]]:
    """Long texts are shortened first, then columns are dropped."""
    for dropped in (None, *_DROPPED_FIRST):
        shown = [header for header in shown if header != dropped]
        fitted = dict(widths)
        over = sum(fitted[header] + 1 for header in shown) - 1 - width
        for header, shortest in _SHORTENED:
            if header in shown and over > 0:
                taken = min(over, max(0, fitted[header] - shortest))
                fitted[header] -= taken
                over -= taken
        if over <= 0:
            return shown, fitted
    return shown, fitted


# --- Proposed targets: the figures of each endpoint, and below them where they come from -----------------------------

_LONGEST_NAME = 40
_INDENT = 4
_GAP = "   "


def render_proposals(
    proposals: Sequence[Proposal], by_hand: Mapping[str, Sequence[str]], glyphs: Glyphs, width: int
) -> RenderableType:
    """In their order. ``by_hand`` has, for some endpoints, sentences on what the user has to change."""
    longest = min(_LONGEST_NAME, width // 3)
    names = [shorten(clean(proposal.endpoint), longest, glyphs.ellipsis) for proposal in proposals]
    targets = [_value("target", proposal.target_ms, proposal.target, proposal.unit, glyphs) for proposal in proposals]
    widest_name = max(map(cell_len, names), default=0)
    widest_target = max((target.cell_len for target in targets), default=0)
    lines: list[RenderableType] = []
    for proposal, name, target in zip(proposals, names, targets, strict=True):
        line = Text(name + " " * (widest_name - cell_len(name)) + _GAP, style="" if proposal.values else "dim")
        line.append_text(target)
        if proposal.ideal_ms is not None:
            line.append(" " * (widest_target - target.cell_len) + _GAP)
            line.append_text(_value("ideal", proposal.ideal_ms, proposal.ideal, proposal.unit, glyphs))
        sentences = by_hand.get(proposal.endpoint, ())
        lines += [line, _indented(proposal.why, "dim"), *(_indented(sentence, "yellow") for sentence in sentences)]
    return Group(*lines)


def _value(key: str, today: float | None, value: ProposedValue | None, unit: Unit, glyphs: Glyphs) -> Text:
    """``target 300 -> 250 ms``; a tighter one in green, a looser one in yellow."""
    if value is None:
        return Text(f"{key} {format_figure(today, unit) if today is not None else 'none'}", style="dim")
    if value.before_ms is None:
        before, after = "none", format_figure(value.after_ms, unit)
    else:
        before, _, after = format_from_to(value.before_ms, value.after_ms, unit).partition(" -> ")
    text = Text(f"{key} {before} {glyphs.arrow} ")
    return text.append(after, style="bold yellow" if value.is_looser else "bold green")


def _indented(sentence: str, style: str) -> RenderableType:
    return Padding(Text(clean(sentence, 1000), style=style), (0, 0, 0, _INDENT))
