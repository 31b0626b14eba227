"""A baseline file, read and checked."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from perfcheck.baseline.addresses import check_base_url
from perfcheck.baseline.build import (
    EndpointBuilder,
    build_compare,
    build_groups,
    build_sampling,
    build_service,
    missing,
    value_of,
)
from perfcheck.baseline.context import Context, Entries
from perfcheck.baseline.keys import PLACES, TOP
from perfcheck.baseline.kinds import WrongValueError
from perfcheck.baseline.problems import BaselineError, Point, Problem, Problems, StopReading
from perfcheck.baseline.reading import UnreadableError, decode, read_bytes
from perfcheck.baseline.sections import Named
from perfcheck.baseline.tree import compose, is_null
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, CompareLimits


@dataclass(frozen=True, slots=True)
class Summary:
    """What a right baseline holds. ``unset`` are the variables that have no value, in the order of the alphabet."""

    file: str
    endpoints: int
    groups: int
    unset: tuple[str, ...] = ()


def load_baseline(
    path: Path, env: Mapping[str, str], *, base_url: str | None = None, shown_as: str | None = None
) -> Baseline:
    """The baseline in ``path``, with variables from ``env``. ``base_url`` takes the place of the file's.

    Raises BaselineError with everything that is wrong with the file, or UsageError for a wrong ``base_url``.
    """
    replacement = None if base_url is None else _checked(base_url)
    return _load(path, env, shown_as or str(path), base_url=replacement)[0]


def check_baseline(path: Path, env: Mapping[str, str], *, allow_unset: bool = False) -> Summary:
    """The errors of the file, and no Baseline.

    ``allow_unset``: a variable that has no value is no error, and what depends on its value is not judged, so that a
    file can be checked where the secrets are not. Raises BaselineError with everything that is wrong with the file.
    """
    return _load(path, env, str(path), allow_unset=allow_unset)[1]


def read_content(path: Path) -> bytes:
    """The bytes of a baseline. Raises BaselineError when there are none to be had."""
    try:
        return read_bytes(path)
    except UnreadableError as error:
        raise _unreadable(error, str(path)) from error


def read_for_editing(content: bytes, path: Path, env: Mapping[str, str]) -> Baseline:
    """The baseline that ``content`` would be in ``path``, to be held against another and not to be measured by.

    A variable that has no value is no error: what depends on it is missing. Raises BaselineError.
    """
    return _parse(content, path, env, str(path), allow_unset=True)[0]


def load_compare_limits(path: Path, env: Mapping[str, str]) -> CompareLimits:
    """The limits of a comparison, for which no variable need be set. Raises BaselineError."""
    return _load(path, env, str(path), allow_unset=True)[0].compare


def _load(
    path: Path, env: Mapping[str, str], file: str, *, base_url: str | None = None, allow_unset: bool = False
) -> tuple[Baseline, Summary]:
    """With ``allow_unset`` the Baseline has holes, and is not to be used."""
    try:
        content = read_bytes(path)
    except UnreadableError as error:
        raise _unreadable(error, file) from error
    return _parse(content, path, env, file, base_url=base_url, allow_unset=allow_unset)


def _unreadable(error: UnreadableError, file: str) -> BaselineError:
    problem = Problem(error.line, error.column, error.message, error.remedy, source=error.source)
    return BaselineError(file, (problem,))


def _parse(
    content: bytes,
    path: Path,
    env: Mapping[str, str],
    file: str,
    *,
    base_url: str | None = None,
    allow_unset: bool = False,
) -> tuple[Baseline, Summary]:
    try:
        text = decode(content)
    except UnreadableError as error:
        raise _unreadable(error, file) from error
    problems = Problems(text)
    context = Context(problems, env, path.parent, base_url, places=PLACES, allow_unset=allow_unset)
    found = None
    with _gc_paused():
        with suppress(StopReading):
            found = _read(context, text, file, hashlib.sha256(content).hexdigest())
        if found is None or len(problems):
            raise BaselineError(file, problems.in_order())
    return found


def _checked(base_url: str) -> str:
    try:
        return check_base_url(base_url)
    except WrongValueError as error:
        raise UsageError(f"--base-url: {error}", error.remedy) from None


@contextmanager
def _gc_paused() -> Iterator[None]:
    """The tree of a large file has no cycles, and going through it again and again takes longer than building it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(context: Context, text: str, file: str, sha256: str) -> tuple[Baseline, Summary] | None:
    tree = compose(text, context.problems)
    if tree is None or is_null(tree):
        context.wrong(Point(1, 1), "the file is empty", "begin with 'version: 1', then 'service:' and 'endpoints:'")
        return None
    top = TOP.read(context, tree, "")
    if top is None:
        return None
    missing(context, top)
    address = context.base_url or _address(context, top)
    service: Entries = value_of(top, "service", {})
    groups: dict[str, Named] | None = value_of(top, "groups", None if "groups" in top else {})
    sampling = build_sampling(value_of(top, "sampling", {}))
    defaults: Entries = value_of(top, "defaults", {})
    builder = EndpointBuilder(
        context, service=service, defaults=defaults, groups=groups, requests=sampling.min_requests
    )
    endpoints = [builder.build(named) for named in value_of(top, "endpoints", {}).values()]
    model = build_service(context, service, address or "")
    secrets = frozenset(context.secrets - {""})
    complete = tuple(endpoint for endpoint in endpoints if endpoint is not None)
    compare = build_compare(context, top.get("compare"))
    baseline = Baseline(file, sha256, model, sampling, build_groups(groups or {}), complete, secrets, compare)
    return baseline, Summary(file, len(endpoints), len(baseline.groups), tuple(sorted(context.unset)))


def _address(context: Context, top: Entries) -> str | None:
    section = top.get("service")
    if section is None or (section.value is not None and "base_url" not in section.value):
        place = section.node if section else Point(1, 1)
        remedy = "add 'service: {base_url: http://localhost:5001}', or give --base-url"
        context.wrong(place, "there is no base_url: the service's address", remedy)
        return None
    address: str | None = value_of(section.value or {}, "base_url")
    return address
