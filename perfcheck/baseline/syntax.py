"""What to do about a text that is not YAML: the parsers say what they stumbled over, not why."""

from __future__ import annotations

# A part of what a parser says (the one in C, the one without) -> the remedy for its usual cause.
_REMEDIES = {
    "that cannot start any token": "indent with spaces, and quote a value that begins with @, ` or %",
    "mapping values are not allowed": "quote a value that contains ': ', or check the indentation",
    "could not find expected ':'": "check this line and the one before: a key is followed by ': '",
    "did not find expected key": "check the indentation of this line against those above",
    "did not find expected ',' or": "close the bracket, and put commas between what is in it",
    "expected ',' or": "close the bracket, and put commas between what is in it",
    "did not find expected '-' indicator": "check the indentation of this line against those above",
    "expected <block end>": "check the indentation of this line against those above",
    "block sequence entries are not allowed": "begin the list on a line of its own, or write it as [a, b]",
    "unexpected end of stream": "close the quote",
    "unexpected document separator": "close the quote",
    "unknown escape character": "double the backslash, or use single quotes",
    "escape": "double the backslash, or use single quotes",
    "did not find expected alphabetic": "quote a value that begins with * or &",
    "expected alphabetic": "quote a value that begins with * or &",
    "undefined tag handle": "quote a value that begins with !",
    "tag": "quote a value that begins with !",
}


def remedy_for(what: str, source: str) -> str:
    """``source`` is the line."""
    if "${" in source and ("'}'" in what or "']'" in what):
        return "quote a value with '${...}' that stands between braces or brackets"
    return next((remedy for part, remedy in _REMEDIES.items() if part in what), "check the syntax of this line")
