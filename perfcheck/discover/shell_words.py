"""The commands of a shell, as a user pastes them: their words, without quotes. Nothing is expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfcheck.errors import UsageError

_TOKEN = re.compile(
    r"""
    (?P<joined>\\(?:\r?\n|\Z))
    | (?P<comment>(?<![^\s;|&()])\#[^\n]*)
    | (?P<end>\r?\n|;|&&?|\|\|?|[()])
    | (?P<space>[ \t\r\f\v]+)
    | '(?P<single>[^']*)'
    | \$'(?P<ansi>(?:[^'\\]|\\.)*)'
    | \$?"(?P<double>(?:[^"\\]|\\.)*)"
    | (?P<redirect>[0-9]*(?:>>?|<)(?:&[0-9-])?)
    | \\(?P<escaped>.)
    | (?P<plain>[^\s'"\\;|&$()<>]+|\$)
    """,
    re.VERBOSE | re.DOTALL,
)
_IN_DOUBLE = re.compile(r'\\(?:\r?\n|([$`"\\]))')
_IN_ANSI = re.compile(
    r"(?P<bytes>(?:\\x[0-9a-fA-F]{1,2})+)|\\u(?P<u>[0-9a-fA-F]{1,4})|\\U(?P<U>[0-9a-fA-F]{1,8})"
    r"|\\(?P<octal>[0-7]{1,3})|\\(?P<char>.)",
    re.DOTALL,
)
_ANSI = {"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_PIECES = {"single", "ansi", "double", "escaped", "plain"}  # of one word
_OF_CMD = re.compile(r'curl(?:\.exe)? .*\^"|\^\r?\n')
_CMD_ESCAPE = re.compile(r"\^(?:\r?\n[ \t]*|(.))", re.DOTALL)
_LARGEST_CODE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)  # halves of a character


def shell_commands(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Line and words of each command of bash, or of Windows' cmd, whose carets are undone.

    ``where`` is what messages name the text. Raises UsageError for a quote without an end.
    """
    if _OF_CMD.search(text):
        text = _CMD_ESCAPE.sub(lambda match: match[1] or " ", text)
    first_line, words, word, is_file = 0, list[str](), None, False
    for line, kind, piece in (*_tokens(text, where), (0, "end", "")):
        if kind in _PIECES:
            word = (word or "") + _unquoted(piece, kind)
            first_line = first_line or line
        elif kind != "joined":
            if word is not None and not is_file:
                words.append(word)
            # What follows a redirection is a file, as in "> things.json".
            is_file = (kind == "redirect" and "&" not in piece) or (is_file and word is None)
            word = None
        if kind == "end":
            if words:
                yield first_line, words
            first_line, words, is_file = 0, [], False


def _tokens(text: str, where: str) -> Iterator[tuple[int, str, str]]:
    """Line, kind and text of each."""
    position, line = 0, 1
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            quote = text[position : position + 2].lstrip("$")[:1]
            message = f"{where}, line {line}: the quote {quote} has no end"
            raise UsageError(message, "paste the whole command, with every line of it")
        kind = token.lastgroup or ""
        yield line, kind, token[kind]
        line += token[0].count("\n")
        position = token.end()


def _unquoted(text: str, kind: str) -> str:
    if kind == "double":
        return _IN_DOUBLE.sub(lambda match: match[1] or "", text)
    return _IN_ANSI.sub(_ansi, text) if kind == "ansi" else text


def _ansi(match: re.Match[str]) -> str:
    if run := match["bytes"]:
        return bytes(int(each, 16) for each in run.split("\\x")[1:]).decode("utf-8", "replace")
    code = int(match["u"] or match["U"] or "0", 16) if match["u"] or match["U"] else int(match["octal"] or "0", 8)
    if match["char"] is not None:
        return _ANSI.get(match["char"], match["char"])
    return "\N{REPLACEMENT CHARACTER}" if code > _LARGEST_CODE or code in _SURROGATES else chr(code)
