"""The whole page: what needs attention is seen at once, the rest is folded, and all of it fits into a comment."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence
from urllib.parse import quote

from perfcheck.model import Finding, Run
from perfcheck.report.changes import since
from perfcheck.report.comparison_words import before_and_now
from perfcheck.report.markdown.endpoints import SIGNS, Comparison, blocks, rows
from perfcheck.report.markdown.fitting import Section, size
from perfcheck.report.markdown.text import code, prose, shorten_name
from perfcheck.report.wording import (
    LONGEST_TEXT,
    certainty,
    effort,
    exit_meaning,
    in_order,
    is_of_monitor,
    needs_attention,
    sentence,
)

LONGEST_COMMENT = 65_000  # bytes; a comment on GitHub takes 65,536 characters, and a workflow may add a line
_LONGEST_MARKER = 200
_LONGEST_HEADLINE = 600
_MOST_OPEN = 3  # endpoints whose explanations are unfolded
_NAME_WIDTH = 60
_MOST_NAMED = 5  # endpoints that are new, or gone
_MOST_NOTES = 10  # on the run as a whole


def render(run: Run, previous: Run | None = None, *, limit: int = LONGEST_COMMENT) -> str:
    """The report in at most ``limit`` bytes of UTF-8, and so in at most as many characters.

    What there is no room for is left out: endpoints within their limits first, then explanations, then what needs
    attention; a line says how many and where they are. ``previous`` is an earlier run, to tell the changes since. An
    empty text where not even the verdict has room.
    """
    top = [f"{marker(run)}\n{_heading(run)}", _sentence(run), *_notes(run), *_since(run, previous)]
    bottom = _certainty_and_origin(run)
    sections = _sections(run, previous)
    room = limit - size("\n\n".join([*top, bottom])) - len("\n\n") * (len(sections) + 1)
    room -= sum(section.least for section in sections)
    if room < 0:
        return _least(run, limit)
    parts = []
    for section in sections:
        part, complete = section.fit(room + section.least)
        parts.append(part)
        room = room + section.least - size(part) if complete else 0
    return "\n\n".join([*top, *parts, bottom]) + "\n"


def marker(run: Run) -> str:
    """A line that nobody sees, by which a workflow finds its own comment again: one comment for each baseline.

    It names the baseline's file as the command was given it, which stays the same when targets, ports and labels
    change. Two files that are both ``baselines.yaml``, in folders of their own, are told apart when both are checked
    from one folder, with ``--baseline``.
    """
    name = quote(posixpath.normpath(run.baseline.file.replace("\\", "/")), safe="/", errors="surrogatepass")
    if len(name) > _LONGEST_MARKER:
        name = f"{name[:_LONGEST_MARKER]}~{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    kind = "compare:" if run.is_comparison else ""  # a check and a comparison on one pull request are two comments
    return f"<!-- perfcheck:{kind}{name.replace('--', '-%2D')} -->"


def _least(run: Run, limit: int) -> str:
    """For a place that is all but full."""
    where = "the HTML report and the run file have them"
    left_out = f"*Left out for want of room: all endpoints, {len(run.endpoints)}; {where}.*"
    for lines in ([marker(run), _heading(run), _sentence(run), left_out], [_heading(run), left_out]):
        text = "\n\n".join(lines) + "\n"
        if size(text) <= limit:
            return text
    return ""


def _sections(run: Run, previous: Run | None) -> list[Section]:
    """In the order in which they are shown, and in which they are kept where there is not room for all."""
    comparison = None
    if earlier := since(run, previous):
        comparison = Comparison(earlier.changed, frozenset(earlier.added))
    results = in_order(run)
    attention = [result for result in results if needs_attention(result)]
    healthy = [result for result in results if not needs_attention(result)]
    count = "1 endpoint within its limits" if len(healthy) == 1 else f"{len(healthy)} endpoints within their limits"
    if run.is_comparison:
        count = f"{len(healthy)} endpoint{'s' * (len(healthy) != 1)} not found to be slower"
    head, lines = rows(attention, comparison, with_verdict=True)
    folded_head, folded_lines = rows(healthy, comparison, with_verdict=False)
    unfolded = " open" if len(attention) <= _MOST_OPEN else ""
    why = f"<details{unfolded}>\n<summary>Why, and how to check again</summary>\n"
    folded = f"<details>\n<summary>{count}</summary>\n\n{folded_head}"
    sections = [
        Section(head, lines, len(lines), "", "the endpoints that need attention"),
        Section(why, blocks(run, attention, comparison), len(attention), "\n</details>", "the explanations"),
        Section(folded, folded_lines, len(healthy), "\n</details>", "the endpoints within their limits"),
    ]
    return [section for section in sections if section.count]


# --- Around the endpoints ------------------------------------------------------------------------------------------


def _heading(run: Run) -> str:
    return f"### {SIGNS[run.verdict]} perfcheck: {run.verdict}"


def _sentence(run: Run) -> str:
    said = sentence(run)
    return f"**{prose(said, _LONGEST_HEADLINE)}**"


def _notes(run: Run) -> list[str]:
    notes = [_note(finding) for finding in run.findings[:_MOST_NOTES]]
    if len(run.findings) > _MOST_NOTES:
        notes.append(f"- and {len(run.findings) - _MOST_NOTES} more, which the run file has")
    return ["\n".join(notes)] if notes else []


def _note(finding: Finding) -> str:
    remedy = f"; {prose(finding.remedy, LONGEST_TEXT)}" if finding.remedy else ""
    return f"- **{finding.severity}**: {prose(finding.message, LONGEST_TEXT)}{remedy}"


def _since(run: Run, previous: Run | None) -> list[str]:
    """What is compared, and the endpoints that only one of the two runs has."""
    if run.is_comparison:
        before_side, now_side = before_and_now(run)
        return [f"Before: {code(before_side)}. Now: {code(now_side)}."]
    earlier = since(run, previous)
    if earlier is None:
        return []
    listed = (("new", earlier.added), ("gone", earlier.removed))
    told = [f"{word} since: {_some(names)}" for word, names in listed if names]
    which = f"the run {code(earlier.label)}" if earlier.label else "the run"
    when = code(earlier.started_at[:16].replace("T", " "))
    common = "" if earlier.changed else ", which measured none of these endpoints by the same metric"
    return ["; ".join([f"Compared with {which} of {when} UTC{common}", *told]) + "."]


def _some(names: Sequence[str]) -> str:
    named = ", ".join(code(shorten_name(name, _NAME_WIDTH)) for name in names[:_MOST_NAMED])
    return named + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")


def _certainty_and_origin(run: Run) -> str:
    environment = run.environment
    sent = f"{effort(run)} {'of' if is_of_monitor(run) else 'to'} {code(run.service.base_url)}"
    against = f"against {code(run.baseline.file)} " if run.baseline.file else ""
    checked = f"Compared by {effort(run)}" if run.is_comparison else f"Checked {against}with {sent}"
    origin = [f"perfcheck {prose(run.tool.version, 50)} on {prose(environment.platform, 100)}"]
    origin += [f"{environment.cpus} CPUs"]
    origin += [prose(environment.ci, 100)] if environment.ci else []
    origin += [f"commit {code(environment.commit[:10])}"] if environment.commit else []
    origin += [f"branch {code(environment.branch)}"] if environment.branch else []
    origin += [f"label {code(run.label)}"] if run.label else []
    lines = [
        certainty(run),
        f"{checked}; {exit_meaning(run)}.",
        f"By {', '.join(origin)}.",
    ]
    return "<sub>" + "\n".join(lines) + "</sub>"
