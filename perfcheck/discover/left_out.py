"""Operations that are no candidates, by their reasons: for people, who want to know what to do about many at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from perfcheck.model.operation import LeftOut, Operation
from perfcheck.text import clean


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """``reason`` and ``remedy`` of the first; the others differ from them in a name at most."""

    reason: str
    remedy: str | None
    operations: tuple[Operation, ...]

    @property
    def names(self) -> list[str]:
        return [clean(operation.request_line) for operation in self.operations]


def by_reason(left_out: Iterable[LeftOut]) -> list[ReasonGroup]:
    """The largest group first."""
    groups: dict[str, list[LeftOut]] = {}
    for each in left_out:
        groups.setdefault(each.kind, []).append(each)
    return [
        ReasonGroup(clean(first.reason), first.remedy and clean(first.remedy), tuple(each.operation for each in group))
        for group in sorted(groups.values(), key=len, reverse=True)
        for first in group[:1]
    ]
