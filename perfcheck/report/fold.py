"""Endpoints that share a cause, explained once: which they are, and their lines in one block. Pure."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

from perfcheck.model import EarlierRun, EndpointResult, Finding, Run, Verdict
from perfcheck.report.causes import account, in_one_line, likely_cause, notable_names
from perfcheck.report.explain import (
    ExplanationLine,
    Label,
    baseline_lines,
    doubt,
    explain,
    reason,
    reasons,
    rerun,
    reruns_everything,
)
from perfcheck.text import clean
from perfcheck.words import and_more, plural

_FEWEST = 3  # two endpoints are read faster in full
_MOST_NAMED = 5
_MOST_WORDS = 20  # of a command
_LONGEST_NAME = 60
_MOST_NOTES = 5
_MOST_LINES = 10  # of the baseline
_WILDCARD = re.compile(r"[*?\[]")

Block = tuple[EndpointResult, ...]


def fold(results: Sequence[EndpointResult]) -> list[Block]:
    """In the order of the results: those that share verdict, reasons and cause in one block from three on, else alone.

    A block is in the place of its first endpoint.
    """
    by_cause: dict[Hashable, list[EndpointResult]] = {}
    for result in results:
        by_cause.setdefault(_cause(result), []).append(result)
    blocks = [
        block
        for similar in by_cause.values()
        for block in ([tuple(similar)] if len(similar) >= _FEWEST else [(result,) for result in similar])
    ]
    position = {id(result): number for number, result in enumerate(results)}
    return sorted(blocks, key=lambda block: position[id(block[0])])


def _cause(result: EndpointResult) -> Hashable:
    """Equal for endpoints that can be explained together: the same in words, whatever the figures."""
    if result.lacked_time:
        return Verdict.NOT_MEASURED, result.critical_path
    why = tuple((finding.rule, finding.severity, _pattern(finding.message)) for finding in reasons(result))
    kind = (result.verdict, doubt(result), result.source, result.critical_path)
    return kind, why, notable_names(result), _pattern(likely_cause(result))


def first_rows(blocks: Sequence[Block], most: int) -> tuple[list[EndpointResult], int]:
    """For a table: the first endpoints of each block, and how many more have the same causes."""
    shown = [result for block in blocks for result in block[:most]]
    return shown, sum(map(len, blocks)) - len(shown)


def title(block: Block) -> str:
    """The name of an endpoint alone; ``12 endpoints``."""
    return block[0].name if len(block) == 1 else plural(len(block), "endpoint")


def reason_in_short(block: Block) -> str:
    """The heaviest of the reasons that the endpoints share; empty without any."""
    return next(_reasons(block, [[reason(result)] for result in block]), "")


# --- The lines of a block ------------------------------------------------------------------------------------------


def explain_block(
    run: Run, block: Block, earlier: EarlierRun | None = None, *, shown: set[str] | None = None
) -> list[ExplanationLine]:
    """The lines of one endpoint, as of ``explain``; of several one set for all, with the range of each figure."""
    if len(block) == 1:
        return explain(run, block[0], earlier, shown=shown)
    before = set(shown or ())
    texts: dict[Label, list[list[str]]] = {label: [] for label in Label}
    for result in block:
        own = set(before)
        lines = explain(run, result, earlier, shown=own)
        for label in Label:
            texts[label].append([text for line, text in lines if line is label])
        if shown is not None:
            shown |= own
    phases, spans, sums = zip(*map(account, block), strict=True)
    usual = Counter(sums).most_common(1)[0][0]
    merged = [
        (Label.ENDPOINTS, _names(block, _MOST_NAMED)),
        *((Label.WHY, message) for message in _reasons(block, texts[Label.WHY])),
        *((Label.NOTE, note) for note in _notes(block, texts[Label.NOTE], "note")),
        (Label.CHANGE, "; ".join(_common(texts[Label.CHANGE]))),
        (Label.WHERE, in_one_line(_common(phases), _common(spans), usual)),
        *((Label.CAUSE, cause) for cause in _notes(block, texts[Label.CAUSE], "statement")),
        *((Label.TRACE, f"{clean(result.name)}: {own[0]}") for result, own in _traced(block, texts[Label.TRACE])),
        (Label.EVIDENCE, "; ".join(filter(None, _common([_parts(lines) for lines in texts[Label.EVIDENCE]])))),
        *((Label.HELP, _merged(remedies)) for _, remedies in _by_pattern(block, texts[Label.HELP])),
        (Label.BASELINE, _in_baseline(run, block)),
        (Label.RERUN, _rerun(run, block)),
    ]
    return [ExplanationLine(label, text) for label, text in merged if text]


def _names(results: Sequence[EndpointResult], most: int) -> str:
    return and_more([clean(result.name, _LONGEST_NAME) for result in results], most)


def _traced(block: Block, texts: Sequence[list[str]]) -> list[tuple[EndpointResult, list[str]]]:
    """The first endpoints that have traces."""
    return [(result, own) for result, own in zip(block, texts, strict=True) if own][:_FEWEST]


def _reasons(block: Block, texts: Sequence[Sequence[str]]) -> Iterator[str]:
    """Those that not all have, of endpoints for which there was no time, begin with how many have them."""
    for own, messages in _by_pattern(block, texts):
        yield (f"{len(own)} of {len(block)}: " if len(own) < len(block) else "") + _merged(messages)


def _notes(block: Block, texts: Sequence[Sequence[str]], kind: str) -> Iterator[str]:
    """Those that not all have begin with the names of the endpoints."""
    notes = [
        (f"{_names(own, _FEWEST)}: " if len(own) < len(block) else "") + _merged(messages)
        for own, messages in _by_pattern(block, texts)
    ]
    yield from notes[:_MOST_NOTES]
    if (more := len(notes) - _MOST_NOTES) > 0:
        yield f"and {plural(more, f'more {kind}')}"


def _by_pattern(block: Block, texts: Sequence[Sequence[str]]) -> Iterator[tuple[list[EndpointResult], list[str]]]:
    """The texts of one pattern, and the endpoints that have one."""
    by_pattern: dict[tuple[str, ...], list[tuple[EndpointResult, str]]] = {}
    for result, own in zip(block, texts, strict=True):
        for text in own:
            by_pattern.setdefault(_pattern(text), []).append((result, text))
    for pairs in by_pattern.values():
        results = {id(result): result for result, _ in pairs}
        yield list(results.values()), [text for _, text in pairs]


def _parts(lines: Sequence[str]) -> list[str]:
    return [part for line in lines for part in line.split("; ")]


def _common(texts: Sequence[Sequence[str]]) -> list[str]:
    """The texts whose pattern every endpoint has, merged."""
    by_pattern = [{_pattern(text): text for text in own} for own in texts]
    return [
        _merged([own[pattern] for own in by_pattern])
        for pattern in by_pattern[0]
        if all(pattern in own for own in by_pattern)
    ]


def _in_baseline(run: Run, block: Block) -> str:
    """``baselines.yaml:20, 30, 40 and 37 more``."""
    lines = sorted({line for result in block for line in baseline_lines(result)})
    return f"{run.baseline.file}:{and_more(list(map(str, lines)), _MOST_LINES)}" if lines else ""


def _rerun(run: Run, block: Block) -> str:
    """One command for all of them; the whole run again where it would name too many."""
    if reruns_everything(run, block[0]):
        return rerun(run, block[0])
    words = _patterns([result.name for result in block], [result.name for result in run.endpoints])
    options = ["--"] if any(word.startswith("-") for word in words) else []
    return shlex.join(run.command if len(words) > _MOST_WORDS else [*run.command, *options, *words])


def _patterns(names: Sequence[str], of_run: Sequence[str]) -> list[str]:
    """The names; ``videos.*`` for several that begin so, where no other endpoint of the run does."""
    wanted, known = Counter(map(_beginning, names)), Counter(map(_beginning, of_run))
    whole = {word for word, count in wanted.items() if word and 1 < count == known[word] and not _WILDCARD.search(word)}
    return list(dict.fromkeys(f"{_beginning(name)}.*" if _beginning(name) in whole else name for name in names))


def _beginning(name: str) -> str:
    """Up to the first dot; empty without one."""
    return name.partition(".")[0] if "." in name else ""


# --- Notes -----------------------------------------------------------------------------------------------------------


def fold_notes(results: Iterable[EndpointResult]) -> Iterator[tuple[str, Finding]]:
    """Every finding with the name of its endpoint; from three on, those of one rule and pattern as one."""
    similar: dict[Hashable, list[tuple[EndpointResult, Finding]]] = {}
    for result in results:
        for finding in result.findings:
            key = (finding.rule, finding.severity, _pattern(finding.message), _pattern(finding.remedy or ""))
            similar.setdefault(key, []).append((result, finding))
    for pairs in similar.values():
        if len(pairs) < _FEWEST:
            yield from ((result.name, finding) for result, finding in pairs)
            continue
        subject = f"{len(pairs)} endpoints ({_names([result for result, _ in pairs], _MOST_NAMED)})"
        message = _merged([finding.message for _, finding in pairs])
        remedy = _merged([finding.remedy or "" for _, finding in pairs])
        yield subject, replace(pairs[0][1], message=message, remedy=remedy or None)


# --- Figures in a text ---------------------------------------------------------------------------------------------

_DIMENSIONS = {"ms": ("time", 1.0), "s": ("time", 1000.0), "kB": ("B", 1e3), "MB": ("B", 1e6), "GB": ("B", 1e9)}
# A number by itself, with its unit: not a part of a name, an address or an interval, nor a status ("503 Service ...").
# The first of two that share a unit ("411 -> 407 ms") has that of the second.
_FIGURE = re.compile(
    r"(?<![\w.:/\N{EN DASH}-])([+-]?\d+(?:,\d{3})*(?:\.\d+)?)( ?(?:ms|s|%|x|kB|MB|GB|B)(?!\w))?"
    r"(?![\w.:/\N{EN DASH}]*\w)(?! [A-Z])(?:(?= -> [\d.,]+ ?(ms|s|[kMG]?B)\b))?"
)
# " (+18% to +34%)", "change interval +18% to +34%", of one endpoint
_INTERVAL = re.compile(r" \((?:[+-]\d|(?:over|under) [+-]?\d|[\d.]+x to )[^()]*\)|^change interval .*")
_FIRST_BODY = re.compile(r"; first body: .*", re.DOTALL)  # of one endpoint, too
_PLURAL = re.compile(r"^( \w+?)s\b")  # after a figure


def _unit(figure: re.Match[str]) -> str:
    return (figure[2] or figure[3] or "").strip()


def _amount(figure: re.Match[str]) -> float:
    return float(figure[1].replace(",", "")) * _DIMENSIONS.get(_unit(figure), ("", 1.0))[1]


def _pattern(text: str) -> tuple[str, ...]:
    """The text between its figures, and what they measure: equal for texts that differ in the figures alone."""
    plain, pieces, end = _without(text), [], 0
    for figure in _FIGURE.finditer(plain):
        pieces += [plain[end : figure.start()], _DIMENSIONS.get(_unit(figure), (_unit(figure),))[0]]
        end = figure.end()
    return tuple(_PLURAL.sub(r"\1", piece) for piece in [*pieces, plain[end:]])


def _without(text: str) -> str:
    return _FIRST_BODY.sub("", _INTERVAL.sub("", text))


def _merged(texts: Sequence[str]) -> str:
    """One text for several of one pattern: a figure in which they differ becomes a range, and one body stays."""
    if len(set(texts)) == 1:
        return texts[0]
    plain = [_without(text) for text in texts]
    ranges = map(_range, zip(*(_FIGURE.finditer(text) for text in plain), strict=True))
    merged = _FIGURE.sub(lambda _: next(ranges), max(plain, key=len))  # the longest has the plurals
    bodies = filter(None, map(_FIRST_BODY.search, texts))
    return merged + next((body[0] for body in bodies), "")


def _range(figures: Sequence[re.Match[str]]) -> str:
    """``640-812 ms``, ``850 ms-1.2 s``, ``+5% to +9%``; with an en dash."""
    low, high = min(figures, key=_amount), max(figures, key=_amount)
    if low[0] == high[0]:
        return low[0]
    if _unit(low) == _unit(high):
        return f"{low[0]} to {high[0]}" if high[0].startswith(("+", "-")) else f"{low[1]}\N{EN DASH}{high[0]}"
    return f"{low[1]} {_unit(low)}\N{EN DASH}{high[1]} {_unit(high)}"
