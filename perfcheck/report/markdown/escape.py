"""Foreign text in Markdown: shown as itself, and never markup, a link, a mention, a reference or an emoji.

Backslashes and character references stop Markdown itself, but not the filters that GitHub and GitLab run over the
rendered page: they make mentions of ``@name``, references of ``#1``, ``!1`` or ``0123abc``, links of ``www.``, emoji of
``:name:``. All of them leave code alone. So words that are plainly words stay as they are and everything else is put
in a code span, which also reads well where nobody renders it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from perfcheck.report.glyphs import shorten
from perfcheck.text import clean

NO_TEXT = "(blank)"

_TIME = r"\d\d:\d\d"
_NUMBER = r"[<>+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:\N{EN DASH}\d+(?:\.\d+)?)?[a-z]{0,2}"
_LETTERS = r"[^\W\d_]+(?:['-][^\W\d_]+)*"
_PLAIN = re.compile(rf"{_NUMBER}|{_TIME}|{_LETTERS}|p\d\d|->")  # p95, 411 -> 407 ms
_REFERENCE = re.compile(r"\b[0-9a-f]{7,}\b|\bGHSA-", re.IGNORECASE)  # a commit, an advisory: GitHub makes links of them
_PAIRS = (("(", ")"), ("::", ":"))
_OPENING, _CLOSING = '("', ')".,;:!?%'
# A quoted word of ours: 'timeout'. With nothing but space and harmless punctuation around it, so that the code span it
# becomes never touches another.
_QUOTED = re.compile(r"""(?:(?<=\s)|(?<=\s\()|^)'(?P<quoted>[^']+)'(?=[)".,;:!?%]*(?:\s|$))""")


def code(text: str, limit: int = 200) -> str:
    """A code span with the text on one line, at most ``limit`` long, fenced by backticks that it does not hold."""
    return _code(clean(text, limit))


def _code(shown: str) -> str:
    if not shown:
        return NO_TEXT
    runs = {len(run) for run in re.findall("`+", shown)}
    fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def prose(text: str, limit: int) -> str:
    """A sentence: its plain words as they are, 'quoted' ones and all that is not plainly a word in code spans.

    For use within a line, not at its beginning, where a number or a dash would begin a list.
    """
    shown, parts, end = clean(text, limit), list[str](), 0
    for quoted in _QUOTED.finditer(shown):
        parts += [_words(shown[end : quoted.start()]), _code(quoted["quoted"].strip())]
        end = quoted.end()
    return "".join([*parts, _words(shown[end:])])


def _words(text: str) -> str:
    """Words that need it in code spans; neighbours share one."""
    parts: list[str] = []
    spanned = ""  # what the code span that is being gathered holds so far
    for space, word in re.findall(r"(\s*)(\S+)", text):
        before, core, after = _split(word)
        if spanned and core and not before and not _is_plain(core):
            spanned += space + core
        else:
            parts += [_code(spanned)] if spanned else []
            spanned = "" if _is_plain(core) else core
            parts.append(space + (before if spanned else word))
        if spanned and after:
            parts += [_code(spanned), after]
            spanned = ""
    parts += [_code(spanned)] if spanned else []
    return "".join(parts) + text[len(text.rstrip()) :]


def _split(word: str) -> tuple[str, str, str]:
    """The word without the punctuation around it, which is harmless, and that."""
    if '%"' in word:  # to GitLab, a milestone with a name of several words
        return "", word, ""
    start = word.lstrip(_OPENING)
    part_of_it = {closing for opening, closing in _PAIRS if opening in start}
    core = start.rstrip("".join(char for char in _CLOSING if char not in part_of_it))
    before = word[: len(word) - len(start)]
    return before, core, start[len(core) :]


def _is_plain(word: str) -> bool:
    return not word or (bool(_PLAIN.fullmatch(word)) and not _REFERENCE.search(word))


def shorten_name(name: str, width: int) -> str:
    """Clean, and cut in the middle: names share their beginnings and differ at their ends."""
    return shorten(clean(name, len(name)), width, "...")


def cell(shown: str) -> str:
    """Clean text in a code span as a cell of a table."""
    return _in_cell(_code(shown))


def prose_cell(text: str, limit: int) -> str:
    """A sentence as a cell of a table."""
    return _in_cell(prose(text, limit))


def _in_cell(markdown: str) -> str:
    r"""A pipe ends a cell even within code, unless a backslash is before it.

    Renderers disagree whether two of them are that, so a backslash of the text's own is kept away by a space.
    """
    return markdown.replace("\\|", "\\ |").replace("|", "\\|")


def table(headers: Sequence[str], right: Iterable[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, its columns aligned for who reads it as text; the columns named in ``right`` to the right.

    The first two lines are the head.
    """
    to_the_right = {i for i, header in enumerate(headers) if header in set(right)}
    widths = [max(3, *(cell_len(row[i]) for row in (headers, *rows))) for i in range(len(headers))]
    rule = ["-" * (width - 1) + (":" if i in to_the_right else "-") for i, width in enumerate(widths)]
    lines = []
    for row in (headers, rule, *rows):
        padding = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        padded = [
            pad + cell if i in to_the_right else cell + pad
            for i, (cell, pad) in enumerate(zip(row, padding, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    return lines
