"""Which characters of a baseline file a change of its values takes, and which changes had better be made by hand."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence

from perfcheck.baseline.changes import Change, Edited, Refusal
from perfcheck.baseline.layout import Layout
from perfcheck.baseline.nodes import Mapping, Scalar
from perfcheck.baseline.problems import Problems
from perfcheck.baseline.reading import decode
from perfcheck.baseline.sharing import EDITABLE, Sharing, Use
from perfcheck.baseline.splice import Addition, Splice, insertion, replacement, spliced
from perfcheck.baseline.tree import compose
from perfcheck.model import Baseline
from perfcheck.text import clean

_MOST_NAMES = 3


class Draft:
    """A right baseline as it is written. ``baseline`` is what it means."""

    def __init__(self, content: bytes, baseline: Baseline) -> None:
        self._mark = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
        self._text = decode(content)
        self._layout = Layout()
        root = compose(self._text, Problems(self._text), layout=self._layout)
        assert isinstance(root, Mapping)  # noqa: S101 - it is a right baseline
        self._sharing = Sharing(root, self._layout)
        self._groups = {endpoint.name: endpoint.group for endpoint in baseline.endpoints}

    def written(self, endpoint: str, key: str) -> str | None:
        """The value in force as the file has it: ``300 ms``. None where there is none, or it holds a variable."""
        value = self._sharing.in_force(endpoint, self._groups.get(endpoint), key)
        return None if value is None or "$" in value.text else value.text.strip()

    def edit(self, changes: Sequence[Change]) -> Edited:
        """Nothing that comes out has been read again: that is left to who asks."""
        plan = _Plan(self._sharing, self._layout, self._groups, changes)
        splices = [*self._replacements(plan), *self._insertions(plan)]
        made = tuple(change for change in changes if change.use not in plan.refused)
        content = self._mark + spliced(self._text, splices).encode()
        refused = tuple(plan.refused[change.use] for change in changes if change.use in plan.refused)
        return Edited(content, made, refused)

    def _replacements(self, plan: _Plan) -> Iterator[Splice]:
        seen: set[int] = set()
        for change, value in plan.in_place:
            if id(value) not in seen:
                seen.add(id(value))
                yield replacement(self._text, self._layout.written(value), change.text)

    def _insertions(self, plan: _Plan) -> Iterator[Splice]:
        additions: dict[int, tuple[Mapping, list[Change]]] = {}
        for change in plan.added.values():
            mapping = self._sharing.endpoints[change.endpoint]
            additions.setdefault(id(mapping), (mapping, []))[1].append(change)
        for mapping, changes in additions.values():
            texts = {change.key: change.text for change in changes}
            wanted = [Addition(key, texts[key]) for key in EDITABLE if key in texts]
            if splice := insertion(self._text, mapping, self._layout, wanted):
                yield splice
            else:
                for change in changes:
                    plan.refuse(change, "there is no line of its own to put it below")


class _Plan:
    """What is replaced where it stands, what is added, and what is refused."""

    def __init__(
        self, sharing: Sharing, layout: Layout, groups: dict[str, str | None], changes: Sequence[Change]
    ) -> None:
        self._sharing = sharing
        self._layout = layout
        self.refused: dict[Use, Refusal] = {}
        self.added: dict[Use, Change] = {}
        self._own: dict[Use, tuple[Change, Scalar]] = {}
        if len({change.use for change in changes}) < len(changes):
            raise ValueError("two changes of one value")
        for change in changes:
            self._sort(change, groups)
        self._refuse_additions_that_others_would_get()
        self._refuse_values_that_others_share()

    @property
    def in_place(self) -> list[tuple[Change, Scalar]]:
        return list(self._own.values())

    def refuse(self, change: Change, reason: str) -> None:
        self.refused[change.use] = Refusal(change, reason)

    def _sort(self, change: Change, groups: dict[str, str | None]) -> None:
        if change.endpoint not in groups:
            self.refuse(change, "the baseline has no such endpoint")
            return
        value = self._sharing.in_force(change.endpoint, groups[change.endpoint], change.key)
        part = self._layout.part(self._sharing.endpoints[change.endpoint], change.key)
        if value is not None and "$" in value.text:
            self.refuse(change, f"a variable on line {value.line} has the say: {clean(value.text, 60)}")
        elif part is None:
            self.added[change.use] = change
        elif isinstance(part.value, Scalar):
            self._own[change.use] = (change, part.value)

    def _refuse_additions_that_others_would_get(self) -> None:
        while found := next((change for change in self.added.values() if self._others_would_get(change)), None):
            names = _listed(f"{name}" for name in self._others_would_get(found))
            self.refuse(found, f"{names} would get it too, by an alias")
            del self.added[found.use]

    def _others_would_get(self, change: Change) -> list[str]:
        mapping = self._sharing.endpoints[change.endpoint]
        return sorted(
            name or "another section"
            for name in self._sharing.users(mapping)
            if name != change.endpoint and not self._is_safe(name, mapping, change)
        )

    def _is_safe(self, name: str | None, mapping: Mapping, change: Change) -> bool:
        """Whether what is added to ``mapping`` for the change is right, or without effect, for this other endpoint."""
        if name is None:
            return False
        other, theirs = self._sharing.endpoints[name], self.added.get(Use(name, change.key))
        if other is mapping:
            return theirs is not None and theirs.text == change.text
        return theirs is not None or self._layout.part(other, change.key) is not None

    def _refuse_values_that_others_share(self) -> None:
        for change, value in list(self._own.values()):
            others = [use for use in self._sharing.uses(value) if not self._has_its_say(use, value, change)]
            if others:
                names = _listed(sorted(map(str, others)))
                self.refuse(change, f"the value on line {value.line} is {names} too, by an alias")
        for use in self.refused:
            self._own.pop(use, None)

    def _has_its_say(self, use: Use, value: Scalar, change: Change) -> bool:
        """Whether this use of a value is changed as well: to the same, or by a key of its own."""
        theirs, theirs_in = self._own.get(use, (None, None))
        return use in self.added or (theirs_in is value and theirs is not None and theirs.text == change.text)


def _listed(names: Sequence[str] | Iterator[str]) -> str:
    names = list(names)
    more = len(names) - _MOST_NAMES
    shown = [clean(name, 60) for name in names[:_MOST_NAMES]] + ([f"{more} more"] if more > 0 else [])
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
