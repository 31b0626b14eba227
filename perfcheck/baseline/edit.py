"""Targets and ideals of a baseline file, changed where they are written; every other byte stays as it is.

A value that an endpoint inherits from its group or the defaults is not changed for others: the endpoint gets a key of
its own. What is behind an alias or a merge key, or set by a variable, is refused with the reason.
"""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from math import isclose
from pathlib import Path
from typing import Any

from yaml import MappingNode, Node, ScalarNode

from perfcheck.baseline.file_errors import BaselineError, ErrorCollector
from perfcheck.baseline.load import decode, read_for_editing
from perfcheck.baseline.splice import Splice, insertion, replacement, spliced
from perfcheck.baseline.tree import alias_of, compose, is_merge, line_of, merge_sources
from perfcheck.model import Baseline, Endpoint, Unit
from perfcheck.text import clean
from perfcheck.units import format_limit

EDITABLE = ("target", "ideal")
_MERGED = "it comes from a merge key ('<<'); write it in the endpoint itself"


@dataclass(frozen=True, slots=True)
class Edit:
    """A new value of a key of an endpoint."""

    endpoint: str
    key: str  # "target" or "ideal"
    value_ms: float  # or another figure, in its unit
    unit: Unit = Unit.TIME

    def __post_init__(self) -> None:
        if self.key not in EDITABLE or not self.value_ms > 0:
            raise ValueError(f"{self.key}: {self.value_ms}")


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

    A new value is written in the unit of the old one, its own or inherited.

    The result has been read again: its meaning differs only by the edits that were applied. An edit that would make the
    baseline contradict itself, such as a target above its ceiling, is refused. Raises BaselineError for a baseline that
    has errors before, and ValueError for two edits of one value.
    """
    if len({(edit.endpoint, edit.key) for edit in edits}) < len(edits):
        raise ValueError("two edits of one value")
    before = read_for_editing(content, path, env)
    draft = _Draft(content, before)

    def error_in(edited: EditedBaseline) -> str | None:
        new_values = {(edit.endpoint, edit.key): edit.value_ms for edit in edited.applied}
        return unintended_change(before, edited.content, new_values, path, env)

    edited = draft.apply(edits)
    return _without_wrong(edits, draft, error_in) if error_in(edited) else edited


# --- Where a value is written ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    key: ScalarNode
    value: Any  # a node, of the right type in a valid baseline
    is_merged: bool  # behind a merge key


def _keys(section: Node | None) -> dict[str, _Found]:
    """The keys of a mapping: its own, and the merged ones that these do not override."""
    if not isinstance(section, MappingNode):
        return {}
    keys = {key.value: _Found(key, value, is_merged=False) for key, value in section.value if not is_merge(key)}
    for merge_key, value in section.value:
        for source in merge_sources(value) if is_merge(merge_key) else ():
            for name, found in _keys(source).items():
                keys.setdefault(name, replace(found, is_merged=True))
    return keys


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
        self._shared = _shared_nodes(root)
        sections = {name: section.value for name, section in _keys(root).items()}
        self._section = sections["endpoints"]
        self._endpoints = _keys(self._section)
        groups = {name: _keys(group.value) for name, group in _keys(sections.get("groups")).items()}
        defaults = _keys(sections.get("defaults"))
        self._inherited = {
            endpoint.name: {**defaults, **groups.get(endpoint.group or "", {})} for endpoint in baseline.endpoints
        }

    def apply(self, edits: Sequence[Edit]) -> EditedBaseline:
        """The result has not been read again: that is left to the caller."""
        splices: list[Splice] = []
        refused: dict[Edit, RefusedEdit] = {}
        added: dict[str, list[Edit]] = defaultdict(list)
        for edit in edits:
            if refusal := self._refusal(edit):
                refused[edit] = refusal
            elif own := _keys(self._endpoints[edit.endpoint].value).get(edit.key):
                splices.append(replacement(self._text, own.value, self._text_of(edit)))
            else:
                added[edit.endpoint].append(edit)
        for name, additions in added.items():
            texts = {edit.key: self._text_of(edit) for edit in sorted(additions, key=lambda e: EDITABLE.index(e.key))}
            if splice := insertion(self._text, self._endpoints[name].value, texts):
                splices.append(splice)
            else:
                refused |= {edit: RefusedEdit(edit, "no safe place to add it was found") for edit in additions}
        return EditedBaseline(
            self._bom + spliced(self._text, splices).encode(),
            tuple(edit for edit in edits if edit not in refused),
            tuple(refused[edit] for edit in edits if edit in refused),
        )

    def _in_force(self, edit: Edit) -> ScalarNode | None:
        """The value that the endpoint has, its own or an inherited one."""
        keys = {**self._inherited[edit.endpoint], **_keys(self._endpoints[edit.endpoint].value)}
        return keys[edit.key].value if edit.key in keys else None

    def _text_of(self, edit: Edit) -> str:
        value = self._in_force(edit)
        return format_limit(edit.value_ms, edit.unit, value.value if value else None)

    def _refusal(self, edit: Edit) -> RefusedEdit | None:
        if edit.endpoint not in self._inherited:
            return RefusedEdit(edit, "the baseline has no endpoint with this name")
        value = self._in_force(edit)
        if value is not None and "$" in value.value:
            return RefusedEdit(edit, f"it is set by a variable: {clean(value.value, 60)}", line_of(value))
        endpoint = self._endpoints[edit.endpoint]
        own = _keys(endpoint.value).get(edit.key, endpoint)
        if endpoint.is_merged or own.is_merged:
            return RefusedEdit(edit, _MERGED, line_of(own.key))
        for node in (self._section, endpoint.value, own.value):
            if id(node) in self._shared:
                alias = clean(alias_of(node, self._text), 60)
                reason = f"the alias '{alias}' refers to it; write out the value in each place"
                return RefusedEdit(edit, reason, line_of(node))
        return None


# --- Checks of the result --------------------------------------------------------------------------------------------


def _without_wrong(
    edits: Sequence[Edit], draft: _Draft, error_in: Callable[[EditedBaseline], str | None]
) -> EditedBaseline:
    """Leaves out the endpoints whose edits are wrong: by halves, since they are few."""
    kept: list[Edit] = []
    refused: list[RefusedEdit] = []

    def add(groups: Sequence[list[Edit]]) -> None:
        new = list(chain.from_iterable(groups))
        error = error_in(draft.apply([*kept, *new]))
        if error is None:
            kept.extend(new)
        elif len(groups) == 1:
            refused.extend(RefusedEdit(edit, error) for edit in new)
        else:
            middle = len(groups) // 2
            add(groups[:middle])
            add(groups[middle:])

    add([list(group) for _, group in groupby(edits, key=lambda edit: edit.endpoint)])
    edited = draft.apply(kept)
    return replace(edited, refused=(*edited.refused, *refused))


def unintended_change(
    before: Baseline, content: bytes, new_values: Mapping[tuple[str, str], float], path: Path, env: Mapping[str, str]
) -> str | None:
    """What is wrong with ``content``, which is to be ``before`` with these values of (endpoint, key). None: nothing."""
    try:
        after = read_for_editing(content, path, env)
    except BaselineError as error:
        return error.errors[0].message
    old = {endpoint.name: endpoint for endpoint in before.endpoints}
    expected = dict(old)
    for (name, key), value_ms in new_values.items():
        new: dict[str, Any] = {f"{key}_ms": value_ms, "lines": {**expected[name].lines, key: 0}}
        expected[name] = replace(expected[name], **new)
    actual = tuple(_with_limits_of(old.get(endpoint.name), endpoint) for endpoint in after.endpoints)
    if _meaning(after, actual) == _meaning(before, tuple(expected.values())):
        return None
    return "other values would change with it"


def _with_limits_of(old: Endpoint | None, after: Endpoint) -> Endpoint:
    """With the old limits in place of its own, where these are the old ones for a new target."""
    if old is None or after.target_ms == old.target_ms:
        return after
    names = ("warning_ms", "critical_ms")  # they may be multiples of the target
    return replace(after, **{name: getattr(old, name) for name in names if _follows(old, after, name)})


def _follows(old: Endpoint, after: Endpoint, name: str) -> bool:
    was, became = getattr(old, name), getattr(after, name)
    if was is None or old.target_ms is None:
        return True  # there was no target, and so there were no limits
    return became is not None and (was == became or isclose(was * (after.target_ms or 0), became * old.target_ms))


def _meaning(baseline: Baseline, endpoints: tuple[Endpoint, ...]) -> Baseline:
    """Without the lines, which move, and without the hash of the file."""
    return replace(
        baseline,
        sha256="",
        groups=tuple(replace(group, line=0) for group in baseline.groups),
        endpoints=tuple(map(_without_lines, endpoints)),
        setup=tuple(map(_without_lines, baseline.setup)),
        teardown=tuple(map(_without_lines, baseline.teardown)),
    )


def _without_lines(endpoint: Endpoint) -> Endpoint:
    return replace(
        endpoint,
        line=0,
        lines=dict.fromkeys(endpoint.lines, 0),
        captures=tuple(replace(capture, line=0) for capture in endpoint.captures),
        steps=tuple(map(_without_lines, endpoint.steps)),
        figures=tuple(map(_without_lines, endpoint.figures)),
    )
