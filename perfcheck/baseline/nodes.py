"""What a YAML text is made of. Scalars stay text, and everything knows its line and column."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Scalar:
    text: str
    line: int
    column: int
    length: int
    plain: bool  # not quoted


@dataclass(slots=True)
class Mapping:
    pairs: list[tuple[Scalar, Node]]
    line: int
    column: int
    length: int = 1


@dataclass(slots=True)
class Sequence:
    items: list[Node]
    line: int
    column: int
    length: int = 1


Node = Scalar | Mapping | Sequence
