r"""What stands below the options in the help of a command: examples, exit codes, and what else is to be said.

Written beside each command as text that can be read there. Blocks are separated by empty lines; one that begins with
``\b`` has a title, and lines that keep their layout where the terminal is wide enough; any other is a paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")  # quotes hold a word together
_CELLS = re.compile(r"\s{2,}")
_CODE = re.compile(r"(?<!\S)(\d{1,3})\s{2,}(.+?)(?=\s{2,}\d+\s{2}|$)")
_INDENT = "  "
_CONTINUED = "      "


@dataclass(frozen=True, slots=True)
class Block:
    title: str | None  # None: a paragraph
    lines: tuple[str, ...]

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each line as what stands before a gap of two spaces or more, and what behind: a command and its comment."""
        parts = (_CELLS.split(line.strip(), maxsplit=1) for line in self.lines)
        return tuple((before, behind[0] if behind else "") for before, *behind in parts)

    def exit_codes(self) -> tuple[tuple[int, str], ...]:
        """Each code and its meaning; two or more may stand in a line. Empty where the block is about something else."""
        if self.title != "Exit codes":
            return ()
        found = (match for line in self.lines for match in _CODE.finditer(line))
        return tuple(sorted((int(match[1]), match[2].strip()) for match in found))

    def has_commands(self) -> bool:
        return any("perfcheck " in before for before, _ in self.pairs())


def parse_epilog(text: str | None) -> tuple[Block, ...]:
    """The blocks of an epilog, in their order."""
    return tuple(_block(part) for part in re.split(r"\n\s*\n", (text or "").strip("\n")) if part.strip())


def _block(text: str) -> Block:
    lines = [line for line in text.splitlines() if line.strip()]
    if lines[0].strip() == "\b":
        return Block(lines[1].strip().removesuffix(":"), tuple(lines[2:]))
    return Block(None, tuple(line.strip() for line in lines))


def laid_out(block: Block, width: int) -> Iterator[str]:
    """The lines of a block, none wider than ``width`` where there is a place to break it."""
    if block.title is None:
        yield from wrap(" ".join(block.lines), width, break_on_hyphens=False)
        return
    yield f"{block.title}:"
    if all(len(line) <= width for line in block.lines):
        yield from block.lines
    elif block.has_commands():
        yield from _commands(block, width)
    else:
        pairs = [(str(code), meaning) for code, meaning in block.exit_codes()] or block.pairs()
        column = max(len(term) for term, _ in pairs)
        for term, text in pairs:
            yield from wrap(
                text,
                width,
                initial_indent=f"{_INDENT}{term:<{column}}  ",
                subsequent_indent=" " * (column + 4),
                break_on_hyphens=False,
            )


def _commands(block: Block, width: int) -> Iterator[str]:
    """Beside the comment where that fits everywhere, otherwise below it."""
    beside = all(len(line) <= width for line, (_, comment) in zip(block.lines, block.pairs(), strict=True) if comment)
    for line, (command, comment) in zip(block.lines, block.pairs(), strict=True):
        if beside and len(line) <= width:
            yield line
            continue
        if comment:
            yield f"{_INDENT}# {comment}"
        yield from _folded(command, width)


def _folded(command: str, width: int) -> Iterator[str]:
    """A shell's command over several lines, to be copied as it stands; an option stays with its value."""
    room = width - len(" \\")
    line, *words = _WORD.findall(command)
    line = _INDENT + line
    for word, after in zip(words, [*words[1:], ""], strict=True):
        pair = f"{word} {after}" if word.startswith("-") and not after.startswith("-") else word
        if len(f"{line} {pair}") > room and line.strip() and not line.split()[-1].startswith("-"):
            yield f"{line} \\"
            line = _CONTINUED + word
        else:
            line += f" {word}"
    yield line
