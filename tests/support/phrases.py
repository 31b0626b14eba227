"""Phrases that no text for people may have: counts and nouns that disagree, two notations, contradictions."""

from __future__ import annotations

import re

_AFTER_ONE = (
    r"(?<![\w.,:/+=-])1 (?:more |less important )*(?!ms\b|us\b|s\b|is\b|was\b|has\b|its\b|less\b|fails\b)[a-z]+s\b"
)
_WRONG = {
    "a plural after 1": re.compile(_AFTER_ONE),
    "a singular after 2": re.compile(r"(?<![\w.,:/+-])\d*[02-9] (?:request|pair|endpoint|CPU)\b(?! (?:for|of|at))"),
    "a space before %": re.compile(r"\d %"),
    "a range of a percentage and a multiple": re.compile(r"\d% to [+-]?[\d.]+x|\dx to [+-]?[\d.]+%"),
    "a range with half a unit": re.compile(r"[+-][\d.]+ to [+-][\d.]+%"),
    "a change of nothing": re.compile(r"[+-]0%|(?<![\d.])0% (?:slower|faster)"),
    "a value that equals the limit it is over": re.compile(
        r"(?<![\d.])([\d.]+%) slower[^,;]*, over (?:the limit of )?\1|\(([\d.]+%)\), over \2"
    ),
    "a commit of another length": re.compile(r"commit `?(?=[0-9a-f]*\d)(?:[0-9a-f]{7,9}|[0-9a-f]{11,40})\b"),
    "no change, with an interval of one": re.compile(r"no change +(?:[+][\d.]+% to|[-][\d.]+% to [-])"),
}


def wrong_phrases(text: str) -> list[tuple[str, str]]:
    """What is wrong, and the words themselves."""
    plain = text.replace("\N{NO-BREAK SPACE}", " ").replace("`", "")
    return [(kind, found[0]) for kind, pattern in _WRONG.items() for found in pattern.finditer(plain)]
