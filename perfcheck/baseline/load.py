"""A baseline file: found, read and checked."""

from __future__ import annotations

import codecs
import gc
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from yaml import MappingNode

from perfcheck.baseline.addresses import base_url_option, on_port, passwords_of
from perfcheck.baseline.auth import request_headers, with_auth
from perfcheck.baseline.capacity import build_capacity
from perfcheck.baseline.captures import captured_values
from perfcheck.baseline.context import Context, Entries
from perfcheck.baseline.endpoints import EndpointBuilder
from perfcheck.baseline.entries import fields_of, is_wrong, value_of
from perfcheck.baseline.file_errors import BaselineError, ErrorCollector, FileError, Location, StopReading
from perfcheck.baseline.keys import SECTIONS, TOP
from perfcheck.baseline.limits import limits_of
from perfcheck.baseline.sections import NamedSection
from perfcheck.baseline.tree import compose, is_null
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, CompareLimits, Endpoint, Group, Service, Tls

NAME = "baselines.yaml"
VARIABLE = "PERFCHECK_BASELINE"
MOST_BYTES = 16_000_000
_OTHER_SPELLINGS = ("baselines.yml", "baseline.yaml", "baseline.yml")
_UTF16_OR_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_TOP = Location(1, 1)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a valid baseline contains. ``unset`` are the variables that have no value, sorted."""

    file: str
    endpoints: int
    groups: int
    unset: tuple[str, ...] = ()
    workflows: int = 0  # of the endpoints


def find_baseline(explicit: str | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The file that was named, else the one in PERFCHECK_BASELINE, else ``baselines.yaml`` in ``cwd`` or above.

    Above ends at the root of the repository (the folder with ``.git``); outside a repository only ``cwd`` is searched.
    A file that was named is not opened here. Raises UsageError when there is none.
    """
    named = explicit or env.get(VARIABLE)
    if named:
        return Path(named)
    folders = [cwd, *cwd.absolute().parents]
    root = next((index for index, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    folders = folders[: root + 1]
    candidates = [folder / NAME for folder in folders]
    candidates += [folder / name for folder in folders for name in _OTHER_SPELLINGS]
    file = next((candidate for candidate in candidates if candidate.exists()), None)
    if file is None:
        message = f"{NAME} not found in this folder or its parents, up to the root of the repository"
        remedy = f"'perfcheck init' writes one for a running service; or name the file with -f FILE or in {VARIABLE}"
        raise UsageError(message, remedy)
    if cwd.absolute() == Path.cwd():  # messages show the path as a user would write it
        file = Path(os.path.relpath(file, cwd))
    if file.name != NAME:
        raise UsageError(f"{NAME} not found, but {file} exists", f"use it with -f {file}")
    return file


def load_baseline(
    path: Path,
    env: Mapping[str, str],
    *,
    base_url: str | None = None,
    port: int | None = None,
    shown_as: str | None = None,
) -> Baseline:
    """The baseline in ``path``, with variables from ``env``. ``base_url`` replaces the one in the file; ``port`` only
    its host and port, for a service that is started on that port of this machine.

    Raises BaselineError with all errors of the file, or UsageError for a wrong ``base_url``.
    """
    if base_url is not None:
        base_url = base_url_option(base_url)
    content = read_bytes(path, shown_as)
    return _parse(content, path, env, shown_as or str(path), base_url=base_url, port=port)[0]


def parse_baseline(content: bytes, path: Path, env: Mapping[str, str], *, base_url: str | None = None) -> Baseline:
    """The baseline that ``content`` would be in ``path``. Raises BaselineError with all its errors."""
    return _parse(content, path, env, str(path), base_url=base_url)[0]


def check_baseline(path: Path, env: Mapping[str, str], *, allow_unset: bool = False) -> Summary:
    """Checks the file, without a Baseline to measure by.

    ``allow_unset``: a variable that has no value is not an error, and what depends on its value is not checked, so that
    a file can be checked where the secrets are not available. Raises BaselineError with all errors of the file.
    """
    return _parse(read_bytes(path), path, env, str(path), allow_unset=allow_unset)[1]


def read_for_editing(content: bytes, path: Path, env: Mapping[str, str]) -> Baseline:
    """The baseline that ``content`` would be in ``path``, to be compared with another and not to measure by.

    A variable that has no value is not an error: what depends on it is missing. Raises BaselineError.
    """
    return _parse(content, path, env, str(path), allow_unset=True)[0]


def load_compare_limits(path: Path, env: Mapping[str, str]) -> CompareLimits:
    """The limits of a comparison, for which no variable need be set. Raises BaselineError."""
    return read_for_editing(read_bytes(path), path, env).compare


def read_past_endpoints(content: bytes, folder: Path) -> dict[str, Endpoint | None] | None:
    """The endpoints of an old revision of a baseline in ``folder``; None when it is not a baseline.

    Its errors are of no interest now: an endpoint that cannot be read, or whose target cannot, is None. Variables have
    no values.
    """
    with suppress(BaselineError, StopReading):
        text = decode(content, "")
        context = Context(ErrorCollector(text), {}, folder, "http://localhost", sections=SECTIONS, allow_unset=True)
        tree = compose(text, context.errors)
        context.captured = captured_values(tree) if tree else {}
        top = None if tree is None or is_null(tree) else TOP.read(context, tree, "")
        if top:
            builder = EndpointBuilder(context, top)
            sections: dict[str, NamedSection] = value_of(top, "endpoints", {})
            return {
                name: None if is_wrong(section.entries or {}, "target", "ideal", "metric") else builder.build(section)
                for name, section in sections.items()
            }
    return None


def _parse(
    content: bytes,
    path: Path,
    env: Mapping[str, str],
    file: str,
    *,
    base_url: str | None = None,
    port: int | None = None,
    allow_unset: bool = False,
) -> tuple[Baseline, Summary]:
    """With ``allow_unset`` the Baseline has holes, and is not to be measured by."""
    text = decode(content, file)
    errors = ErrorCollector(text)
    context = Context(errors, env, path.parent, base_url, port, sections=SECTIONS, allow_unset=allow_unset)
    result = None
    with _gc_paused():
        with suppress(StopReading):
            result = _read(context, text, file, hashlib.sha256(content).hexdigest())
        if result is None or len(errors):
            raise BaselineError(file, errors.in_order())
    return result


def read_bytes(path: Path, shown_as: str | None = None) -> bytes:
    """All of the file. Raises BaselineError, also for one over 16 MB, of which no more is read than that."""
    file = shown_as or str(path)
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size <= MOST_BYTES:
                content = stream.read(MOST_BYTES + 1)
                if len(content) <= MOST_BYTES:
                    return content
    except FileNotFoundError:
        remedy = "check its name; 'perfcheck init' writes one for a running service"
        raise _whole_file(file, "file not found", remedy) from None
    except IsADirectoryError:
        raise _whole_file(file, "this is a folder", "name the file in it, such as baselines.yaml") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _whole_file(file, f"cannot be read: {reason}", "check its name and permissions") from None
    raise _whole_file(file, "larger than 16 MB", "split it, and run perfcheck once for each part")


def decode(content: bytes, file: str) -> str:
    """As UTF-8; a byte order mark is left out. Raises BaselineError with the line and column of a wrong byte."""
    if content.startswith(_UTF16_OR_32):
        raise _whole_file(file, "encoded in UTF-16 or UTF-32", "save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line = before.count("\n") + 1
        location = Location(line, len(before) - before.rfind("\n"))
        message = f"the byte 0x{content[error.start]:02x} is not valid UTF-8"
        source = content.split(b"\n")[line - 1].decode(errors="replace")
        raise BaselineError(file, (FileError(location, message, "save the file as UTF-8", source),)) from None


def _whole_file(file: str, message: str, remedy: str) -> BaselineError:
    return BaselineError(file, (FileError(None, message, remedy),))


@contextmanager
def _gc_paused() -> Iterator[None]:
    """The tree of a large file has no cycles, and scanning it again and again takes longer than building it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(context: Context, text: str, file: str, sha256: str) -> tuple[Baseline, Summary] | None:
    tree = compose(text, context.errors)
    if tree is None or is_null(tree):
        context.error(_TOP, "the file is empty", "start with 'version: 1', then 'service:' and 'endpoints:'")
        return None
    context.captured = captured_values(tree)
    top = TOP.read(context, tree, "")
    if top is None:
        return None
    _check_required(context, top)
    groups: dict[str, NamedSection] = value_of(top, "groups", {})
    builder = EndpointBuilder(context, top)
    endpoints = [builder.build(section) for section in value_of(top, "endpoints", {}).values()]
    service = _service(context, value_of(top, "service", {}))
    compare = _compare_limits(context, top)
    baseline = Baseline(
        file,
        sha256,
        service,
        builder.sampling,
        tuple(Group(name, value_of(group.entries or {}, "title", name), group.line) for name, group in groups.items()),
        tuple(endpoint for endpoint in endpoints if endpoint is not None),
        frozenset(context.secrets - {""}),
        builder.setup,
        builder.teardown,
        compare,
        build_capacity(context, top.get("capacity"), filter(None, endpoints)),
    )
    return baseline, Summary(
        file,
        len(endpoints),
        len(baseline.groups),
        tuple(sorted(context.unset)),
        sum(bool(endpoint.steps) for endpoint in baseline.endpoints),
    )


def _check_required(context: Context, top: Entries) -> None:
    if "version" not in top:
        context.error(_TOP, "the file has no version", "add 'version: 1' as the first line")
    endpoints = top.get("endpoints")
    if endpoints is None or (isinstance(endpoints.node, MappingNode) and not endpoints.node.value):
        where = endpoints.node if endpoints else _TOP
        remedy = "add one, for example 'endpoints: {health: {path: /api/health, target: 50ms}}'"
        context.error(where, "the file has no endpoints", remedy)
    service = top.get("service")
    if (
        context.base_url is None
        and context.port is None
        and (service is None or (service.value is not None and "base_url" not in service.value))
    ):
        where = service.node if service else _TOP
        remedy = "add 'service: {base_url: http://localhost:5001}', or use --base-url"
        context.error(where, "base_url is missing: the URL of the service", remedy)


def _service(context: Context, entries: Entries) -> Service:
    base_url = context.base_url or value_of(entries, "base_url", "")
    if context.port is not None:
        base_url = on_port(base_url, context.port)
    context.secrets.update(passwords_of(base_url))
    headers = request_headers(value_of(with_auth(entries), "headers", {}))
    fields = {**fields_of(entries, without={"auth"}), **headers, "base_url": base_url}
    del fields["is_anonymous"]
    if "connect_to" in fields and "unix_socket" in fields:
        message = "'unix_socket' and 'connect_to' both set the address to connect to"
        context.error(entries["connect_to"].node, message, "keep one of them")
    if "trace_url" in fields:
        context.secrets.update(passwords_of(fields["trace_url"]))
        fields.setdefault("trace", "trace" not in entries)
    if "tls" in fields:
        fields["tls"] = _tls(context, fields["tls"])
    return Service(**fields)


def _tls(context: Context, entries: Entries) -> Tls:
    if "key" in entries and "cert" not in entries:
        context.error(entries["key"].node, "tls: 'key' needs 'cert'", "add 'cert: FILE'")
    return Tls(**fields_of(entries))


def _compare_limits(context: Context, top: Entries) -> CompareLimits:
    """The limits of a comparison; contradictions are errors."""
    message = "the critical limit of {low} slower is below the warning limit of {high} slower"
    example = "{warning: 10%, critical: 25%}"
    limits = limits_of(context, top.get("compare"), CompareLimits, message, example)
    if not limits.warning:
        remedy = "no two measurements are identical: allow a difference, for example 'warning: 10%'"
        context.error(top["compare"].value["warning"].node, "compare.warning must be more than 0%", remedy)
    return limits
