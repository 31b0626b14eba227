"""What a right answer has, apart from its status; as data, checked by ``perfcheck/answers``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Scalar = str | int | float | bool | None


class Operator(StrEnum):
    """What a requirement demands of a value, or of the values that a path matches."""

    EXISTS = "exists"
    ABSENT = "absent"
    EQUAL = "=="
    UNEQUAL = "!="
    AT_LEAST = ">="
    AT_MOST = "<="
    MORE = ">"
    LESS = "<"
    TYPE = "type"
    CONTAINS = "contains"
    MATCHES = "matches"


@dataclass(frozen=True, slots=True)
class Requirement:
    operator: Operator
    operand: Scalar = None
    of_length: bool = False  # the comparison is of the length: of a text, an array or an object


Condition = tuple[Requirement, ...]  # all of them hold


@dataclass(frozen=True, slots=True)
class Expectations:
    json: tuple[tuple[str, Condition], ...] = ()  # JSONPath -> what holds for each value that it matches
    text: Condition = ()  # of the decoded body
    headers: tuple[tuple[str, Condition], ...] = ()
    schema: str | None = None  # file with a JSON Schema
    max_bytes: int | None = None  # of the decoded body
    no_graphql_errors: bool = False

    @property
    def of_body(self) -> bool:
        """Whether they take the body; otherwise headers only."""
        has_size = self.max_bytes is not None
        return bool(self.json or self.text or self.schema or self.no_graphql_errors or has_size)
