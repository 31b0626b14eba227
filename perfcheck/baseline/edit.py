"""Targets and ideals of a baseline file, changed where they are written; every other byte stays as it is.

A value that an endpoint inherits from its group or the defaults is not changed for others: the endpoint gets a key of
its own. What is behind an alias or a merge key, or set by a variable, is refused with the reason.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from yaml import MappingNode, Node, ScalarNode

from perfcheck.baseline.edit_check import unintended_change
from perfcheck.baseline.file_errors import ErrorCollector
from perfcheck.baseline.files import decode
from perfcheck.baseline.load import read_for_editing
from perfcheck.baseline.splice import Splice, insertion, replacement, spliced
from perfcheck.baseline.tree import compose, is_merge, line_of, merge_sources
from perfcheck.model import Baseline
from perfcheck.text import clean
from perfcheck.units import parse_duration_ms

EDITABLE = ("target", "ideal")
_MERGED = "it comes from a merge key ('<<'); write it in the endpoint itself"
_ANCHOR = re.compile(r"&([^\s,\[\]{}]+)")


@dataclass(frozen=True, slots=True)
class Edit:
    """A new value of a key of an endpoint. Raises ValueError for another key, or a text that is not a duration."""

    endpoint: str
    key: str  # "target" or "ideal"
    text: str  # "250ms"

    def __post_init__(self) -> None:
        if self.key not in EDITABLE or not self.text.isprintable():
            raise ValueError(f"{self.key}: {self.text}")
        parse_duration_ms(self.text)


@dataclass(frozen=True, slots=True)
class RefusedEdit:
    """An edit that is to be made by hand, if at all. ``reason`` is a clause with what to do."""

    edit: Edit
    reason: str
    line: int | None = None  # of the key, or of the endpoint that is to get it


@dataclass(frozen=True, slots=True)
class EditedBaseline:
    """The new content of the file, the edits that are in it, and those that are not."""

    content: bytes
    applied: tuple[Edit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()


def edit_baseline(content: bytes, edits: Sequence[Edit], path: Path, env: Mapping[str, str]) -> EditedBaseline:
    """``content``, that of the baseline in ``path``, with the edits. Writes nothing.

    The result has been read again: its meaning differs only by the edits that were applied. An edit that would make the
    baseline contradict itself, such as a target above its ceiling, is refused. Raises BaselineError for a baseline that
    has errors before, and ValueError for two edits of one value.
    """
    if len({(edit.endpoint, edit.key) for edit in edits}) < len(edits):
        raise ValueError("two edits of one value")
    before = read_for_editing(content, path, env)
    draft = _Draft(content, before)

    def error_in(edited: EditedBaseline) -> str | None:
        new_values = {(edit.endpoint, edit.key): parse_duration_ms(edit.text) for edit in edited.applied}
        return unintended_change(before, edited.content, new_values, path, env)

    edited = draft.apply(edits)
    return _Sieve(draft, error_in).sift(edits) if error_in(edited) else edited


def values_in_force(content: bytes, path: Path, env: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Endpoint and key -> its value, own or inherited, as written in the file: ``300 ms``. Raises BaselineError."""
    draft = _Draft(content, read_for_editing(content, path, env))
    return dict(draft.values_in_force())


# --- Where a value is written ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    key: ScalarNode
    value: Node
    is_merged: bool  # behind a merge key


def _find(section: Node | None, key: str) -> _Found | None:
    """A key of a mapping, its own or a merged one."""
    if not isinstance(section, MappingNode):
        return None
    for own_key, value in section.value:
        if own_key.value == key and not is_merge(own_key):
            return _Found(own_key, value, is_merged=False)
    for merge_key, value in section.value:
        for source in merge_sources(value) if is_merge(merge_key) else ():
            if found := _find(source, key):
                return replace(found, is_merged=True)
    return None


def _shared_nodes(root: Node) -> set[int]:
    """The nodes, by identity, to which an alias refers."""
    waiting, seen, shared = [root], set(), set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif not isinstance(node, ScalarNode):
            waiting += node.value
    return shared


class _Draft:
    """A valid baseline as it is written. ``baseline`` is its meaning."""

    def __init__(self, content: bytes, baseline: Baseline) -> None:
        self._bom = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
        self._text = decode(content, baseline.file)
        root = compose(self._text, ErrorCollector(self._text), merge=False)
        assert root is not None  # noqa: S101 - the baseline is valid
        self._root = root
        self._shared = _shared_nodes(root)
        self._groups = {endpoint.name: endpoint.group for endpoint in baseline.endpoints}

    def apply(self, edits: Sequence[Edit]) -> EditedBaseline:
        """The result has not been read again: that is left to the caller."""
        splices: list[Splice] = []
        refused: dict[Edit, RefusedEdit] = {}
        added: dict[str, list[Edit]] = defaultdict(list)
        for edit in edits:
            refusal = self._refusal(edit)
            own = _find(self._endpoint(edit.endpoint), edit.key)
            if refusal is not None:
                refused[edit] = refusal
            elif own is None:
                added[edit.endpoint].append(edit)
            elif isinstance(own.value, ScalarNode):
                splices.append(replacement(self._text, own.value, edit.text))
        for name, additions in added.items():
            if splice := self._insertion(name, additions):
                splices.append(splice)
            else:
                refused |= {edit: RefusedEdit(edit, "no safe place to add it was found") for edit in additions}
        return EditedBaseline(
            self._bom + spliced(self._text, splices).encode(),
            tuple(edit for edit in edits if edit not in refused),
            tuple(refused[edit] for edit in edits if edit in refused),
        )

    def values_in_force(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Those without a variable."""
        for name in self._groups:
            for key in EDITABLE:
                value = self._in_force(name, key)
                if value is not None and "$" not in value.value:
                    yield (name, key), value.value.strip()

    def _section(self, name: str) -> Node | None:
        found = _find(self._root, name)
        return found.value if found else None

    def _endpoint(self, name: str) -> MappingNode | None:
        found = _find(self._section("endpoints"), name)
        return found.value if found and isinstance(found.value, MappingNode) else None

    def _in_force(self, name: str, key: str) -> ScalarNode | None:
        group = _find(self._section("groups"), self._groups.get(name) or "")
        for section in (self._endpoint(name), group.value if group else None, self._section("defaults")):
            found = _find(section, key)
            if found is not None and isinstance(found.value, ScalarNode):
                return found.value
        return None

    def _refusal(self, edit: Edit) -> RefusedEdit | None:
        endpoints = self._section("endpoints")
        endpoint = _find(endpoints, edit.endpoint)
        if endpoints is None or endpoint is None or edit.endpoint not in self._groups:
            return RefusedEdit(edit, "the baseline has no endpoint with this name")
        value = self._in_force(edit.endpoint, edit.key)
        if value is not None and "$" in value.value:
            return RefusedEdit(edit, f"it is set by a variable: {clean(value.value, 60)}", line_of(value))
        own = _find(endpoint.value, edit.key) or endpoint
        if endpoint.is_merged or own.is_merged:
            return RefusedEdit(edit, _MERGED, line_of(own.key))
        for node in (endpoints, endpoint.value, own.value):
            if id(node) in self._shared:
                anchor = _ANCHOR.match(self._text, node.start_mark.index)
                alias = clean(f"*{anchor.group(1)}" if anchor else "*", 60)
                reason = f"the alias '{alias}' refers to it; write out the value in each place"
                return RefusedEdit(edit, reason, line_of(node))
        return None

    def _insertion(self, name: str, edits: Sequence[Edit]) -> Splice | None:
        endpoint = self._endpoint(name)
        texts = {edit.key: edit.text for edit in edits}
        if endpoint is None:
            return None
        return insertion(self._text, endpoint, {key: texts[key] for key in EDITABLE if key in texts})


class _Sieve:
    """Leaves out the endpoints whose edits are wrong: by halves, since they are few."""

    def __init__(self, draft: _Draft, error_in: Callable[[EditedBaseline], str | None]) -> None:
        self._draft = draft
        self._error_in = error_in
        self._kept: list[Edit] = []
        self._refused: list[RefusedEdit] = []
        self._edited = draft.apply(())

    def sift(self, edits: Sequence[Edit]) -> EditedBaseline:
        self._add([list(group) for _, group in groupby(edits, key=lambda edit: edit.endpoint)])
        return replace(self._edited, refused=(*self._edited.refused, *self._refused))

    def _add(self, groups: Sequence[list[Edit]]) -> None:
        tried = [*self._kept, *(edit for group in groups for edit in group)]
        edited = self._draft.apply(tried)
        error = self._error_in(edited)
        if error is None:
            self._kept, self._edited = tried, edited
        elif len(groups) == 1:
            self._refused += [RefusedEdit(edit, error) for edit in groups[0]]
        else:
            middle = len(groups) // 2
            self._add(groups[:middle])
            self._add(groups[middle:])
