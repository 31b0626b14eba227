"""The result as Markdown: a comment under a pull request, a job summary, or a file to read as it is.

What needs attention is seen at once, the rest is folded, and all of it fits into a comment.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from perfcheck.model import CapacityResult, EarlierRun, EndpointResult, Run, Verdict
from perfcheck.report import capacity
from perfcheck.report.claims import certainty
from perfcheck.report.columns import Column, Report, columns_of
from perfcheck.report.explain import LONGEST_TEXT, ExplanationLine, Label, qualified_verdict
from perfcheck.report.fold import Block, explain_block, first_rows, fold, title
from perfcheck.report.markdown.escape import cell, code, prose, prose_cell, shorten_name, table
from perfcheck.report.run_summary import (
    before_and_now,
    changes_to_show,
    effort,
    exit_meaning,
    split_by_attention,
    summary,
)
from perfcheck.words import and_more, plural, short_commit

LONGEST_COMMENT = 65_000  # bytes; a comment on GitHub takes 65,536 characters, and a workflow may add a line
_SIGNS = {Verdict.OK: "🟢", Verdict.WARNING: "🟡", Verdict.CRITICAL: "🔴", Verdict.NOT_MEASURED: "⚪"}
_NAME_IN_TABLE = 48
_NAME_IN_HEADING = 120
_LONGEST_REASON = 72
_LONGEST_REQUEST = 400
_LONGEST_MARKER = 200
_LONGEST_HEADLINE = 600
_MOST_OPEN = 3  # explanations that are unfolded
_NAME_IN_LIST = 60
_MOST_SIMILAR_ROWS = 5  # of endpoints with one cause
_MOST_NAMED = 5  # endpoints that are new, or gone
_MOST_NOTES = 10  # on the run itself
_COMPLETE = "The HTML report and the run file are complete."


def render(run: Run, earlier: EarlierRun | None = None, *, limit: int = LONGEST_COMMENT) -> str:
    """The report in at most ``limit`` bytes of UTF-8, and so in at most as many characters.

    What there is no room for is left out: endpoints within their limits first, then explanations, then what needs
    attention; a line states how many. An empty text where not even the verdict has room.
    """
    since = changes_to_show(run, earlier)
    top = [f"{marker(run)}\n{_heading(run)}", _summary(run), *_notes(run), *_compared_with(run, since)]
    bottom = _certainty_and_origin(run)
    sections = _sections(run, since)
    room = limit - _size("\n\n".join([*top, bottom])) - len("\n\n") * (len(sections) + 1)
    room -= sum(section.least for section in sections)
    if room < 0:
        return _least(run, limit)
    parts = []
    for section in sections:
        part, complete = section.fit(room + section.least)
        parts.append(part)
        room = room + section.least - _size(part) if complete else 0
    return "\n\n".join([*top, *parts, bottom]) + "\n"


def marker(run: Run) -> str:
    """A line that nobody sees, by which a workflow finds its own comment again: one comment for each baseline.

    It names the baseline's file as the command was given it, which stays the same when targets, ports and labels
    change. Two files that are both ``baselines.yaml``, in folders of their own, are distinct when both are checked
    from one folder, with ``--baseline``.
    """
    name = quote(posixpath.normpath(run.baseline.file.replace("\\", "/")), safe="/", errors="surrogatepass")
    if len(name) > _LONGEST_MARKER:
        name = f"{name[:_LONGEST_MARKER]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    kind = "compare:" if run.is_comparison else ""  # a check and a comparison on one pull request are two comments
    return f"<!-- perfcheck:{kind}{name.replace('--', '-%2D')} -->"


def _least(run: Run, limit: int) -> str:
    """Where there is hardly any room."""
    left_out = f"*Omitted for lack of room: all {plural(len(run.endpoints), 'endpoint')}. {_COMPLETE}*"
    for lines in ([marker(run), _heading(run), _summary(run), left_out], [_heading(run), left_out]):
        text = "\n\n".join(lines) + "\n"
        if _size(text) <= limit:
            return text
    return ""


# --- Sections ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the page that may be longer than there is room for."""

    opening: str
    items: Iterable[str]  # each with the end of its line; taken one by one, as long as there is room
    count: int  # of the items
    closing: str
    name: str  # of the items: "the explanations"

    def left_out(self, count: int) -> str:
        return f"*Omitted for lack of room: {count} of {self.name}. {_COMPLETE}*"

    @property
    def least(self) -> int:
        """Bytes that it takes to state that nothing of it is shown."""
        return _size(self.left_out(self.count))

    def fit(self, room: int) -> tuple[str, bool]:
        """As much as fits into so many bytes, at least ``least`` of them; and whether that is all of it."""
        around = _size(self.opening + self.closing) + len("\n\n") + self.least
        shown = list(self._first(room - around))
        missing = self.count - len(shown)
        if not shown:
            return self.left_out(missing), False
        note = f"\n{self.left_out(missing)}\n" if missing else ""
        return "".join([self.opening, *shown, note, self.closing]).rstrip("\n"), not missing

    def _first(self, room: int) -> Iterator[str]:
        for item in self.items:
            room -= _size(item)
            if room < 0:
                return
            yield item


def _size(text: str) -> int:
    """In bytes, as it is written."""
    return len(text.encode())


def _sections(run: Run, since: EarlierRun | None) -> list[_Section]:
    """In the order in which they are shown, and in which they are kept where there is not room for all."""
    if run.capacity is not None:
        return [_loads(run.capacity)]
    attention, healthy = split_by_attention(run)
    blocks = fold(attention)
    rows, similar = first_rows(blocks, _MOST_SIMILAR_ROWS)
    count = plural(len(healthy), "endpoint")
    title = f"{count} {'not found to be slower' if run.is_comparison else 'OK'}"
    position = {id(result): number for number, result in enumerate(attention)}
    head, lines = _rows(run, sorted(rows, key=lambda result: position[id(result)]), since, with_verdict=True)
    more = f"\n*And {similar:,} more with the same causes. {_COMPLETE}*\n" if similar else ""
    folded_head, folded_lines = _rows(run, healthy, since, with_verdict=False)
    unfolded = " open" if len(blocks) <= _MOST_OPEN else ""
    why = f"<details{unfolded}>\n<summary>Why, and how to check again</summary>\n"
    folded = f"<details>\n<summary>{title}</summary>\n\n{folded_head}"
    sections = [
        _Section(head, lines, len(lines), more, "the endpoints that need attention"),
        _Section(why, _explanations(run, blocks, since), len(blocks), "\n</details>", "the explanations"),
        _Section(folded, folded_lines, len(healthy), "\n</details>", "the endpoints within their limits"),
    ]
    return [section for section in sections if section.count]


def _loads(result: CapacityResult) -> _Section:
    """What was tried, and what came of it."""
    headings = [heading or "outcome" for heading in capacity.HEADINGS]
    head, rule, *lines = table(headings, headings[:-1], capacity.rows(result))
    facts = "".join(f"- {name}: {prose(text, LONGEST_TEXT)}\n" for name, text in capacity.facts(result))
    opening = f"<details>\n<summary>{plural(len(lines), 'load')} tried</summary>\n\n{facts}\n{head}\n{rule}\n"
    return _Section(opening, [f"{line}\n" for line in lines], len(lines), "\n</details>", "the loads")


# --- Endpoints -------------------------------------------------------------------------------------------------------


def _rows(
    run: Run, results: Sequence[EndpointResult], since: EarlierRun | None, *, with_verdict: bool
) -> tuple[str, list[str]]:
    """The head of a table and its rows, each with the end of its line."""
    columns = [column for column in columns_of(run, Report.MARKDOWN, since) if with_verdict or column.key != "verdict"]
    headings = [
        "note" if column.key == "why" and not with_verdict else column.title(Report.MARKDOWN) for column in columns
    ]
    cells = [[_cell(column, result, since) for column in columns] for result in results]
    lines = table(headings, {column.title(Report.MARKDOWN) for column in columns if column.right}, cells)
    return "\n".join(lines[:2]) + "\n", [line + "\n" for line in lines[2:]]


def _cell(column: Column, result: EndpointResult, since: EarlierRun | None) -> str:
    if column.key == "verdict":
        return f"{_SIGNS[result.verdict]} {result.verdict}"
    if column.key == "endpoint":
        return cell(shorten_name(result.name, _NAME_IN_TABLE))
    if column.key == "change" and since and result.name in since.added:
        return "new"
    text = column.text(result, since.changes.get(result.name) if since else None)
    if column.key == "why":
        return prose_cell(text, _LONGEST_REASON) if text else "-"
    return text


def _explanations(run: Run, blocks: Iterable[Block], since: EarlierRun | None) -> Iterator[str]:
    """What explains each verdict, with a blank line before it; a remedy for latency comes once."""
    shown: set[str] = set()
    for block in blocks:
        verdict = f"{_SIGNS[block[0].verdict]} {qualified_verdict(block[0])}"
        name = title(block) if len(block) > 1 else code(shorten_name(title(block), _NAME_IN_HEADING))
        lines = explain_block(run, block, since, shown=shown)
        yield f"\n#### {verdict}: {name}\n\n" + "".join(f"- **{line.label}**: {_shown(line)}\n" for line in lines)


def _shown(line: ExplanationLine) -> str:
    label, text = line
    if line.link:
        return f"{prose(text.removesuffix(line.link), LONGEST_TEXT)} <{line.link}>"
    if label.is_code:
        return code(text, _LONGEST_REQUEST if label is Label.REQUEST else LONGEST_TEXT)
    return prose(text, LONGEST_TEXT)


# --- Around the endpoints ------------------------------------------------------------------------------------------


def _heading(run: Run) -> str:
    return f"### {_SIGNS[run.verdict]} perfcheck: {run.verdict}"


def _summary(run: Run) -> str:
    return f"**{prose(summary(run), _LONGEST_HEADLINE)}**"


def _notes(run: Run) -> list[str]:
    notes = []
    for finding in run.findings[:_MOST_NOTES]:
        remedy = f"; {prose(finding.remedy, LONGEST_TEXT)}" if finding.remedy else ""
        notes.append(f"- **{finding.severity}**: {prose(finding.message, LONGEST_TEXT)}{remedy}")
    if (more := len(run.findings) - _MOST_NOTES) > 0:
        notes.append(f"- and {more} more in the run file")
    return ["\n".join(notes)] if notes else []


def _compared_with(run: Run, since: EarlierRun | None) -> list[str]:
    """What is compared, and the endpoints that only one of the two runs has."""
    if run.is_comparison:
        return ["Before: {}. Now: {}.".format(*map(code, before_and_now(run)))]
    if since is None:
        return []
    named = (("new", since.added), ("gone", since.removed))
    names = [
        f"{word} since: {and_more([code(shorten_name(name, _NAME_IN_LIST)) for name in names], _MOST_NAMED)}"
        for word, names in named
        if names
    ]
    which = f"the run {code(since.label)}" if since.label else "the run"
    when = code(since.started_at[:16].replace("T", " "))
    common = "" if since.changes else ", which measured none of these endpoints by the same metric"
    return ["; ".join([f"Compared with {which} of {when} UTC{common}", *names]) + "."]


def _certainty_and_origin(run: Run) -> str:
    environment = run.environment
    sent = f"{effort(run)} {'of' if run.is_of_monitor else 'to'} {code(run.service.base_url)}"
    against = f"against {code(run.baseline.file)} " if run.baseline.file else ""
    checked = f"Compared by {effort(run)}" if run.is_comparison else f"Checked {against}with {sent}"
    origin = [f"perfcheck {prose(run.tool.version, 50)} on {prose(environment.platform, 100)}"]
    origin += [plural(environment.cpus, "CPU")]
    origin += [prose(environment.ci, 100)] if environment.ci else []
    origin += [f"commit {code(short_commit(environment.commit))}"] if environment.commit else []
    origin += [f"branch {code(environment.branch)}"] if environment.branch else []
    origin += [f"label {code(run.label)}"] if run.label else []
    lines = [certainty(run), f"{checked}; {exit_meaning(run)}.", f"By {', '.join(origin)}."]
    return "<sub>" + "\n".join(lines) + "</sub>"
