"""Where reports go: ``--report FORMAT[=PATH]``, parsed, checked before the run, and written after it."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import click

from perfcheck.baseline import BaselineError
from perfcheck.cli.ui.options import github_workspace, is_for_github
from perfcheck.cli.ui.output import page, write_to_stdout
from perfcheck.cli.ui.terminal import show_error, show_note, silence_stdout
from perfcheck.errors import UsageError
from perfcheck.judge.compare_runs import changes_since
from perfcheck.model import EarlierRun, Run, Source, Verdict
from perfcheck.report.workflow_commands import file_in, workflow_command
from perfcheck.runfile import descriptor_of, write_atomically

_RENDERED = ("junit", "markdown", "html", "github", "openmetrics", "csv")  # each a module of perfcheck.report
FORMATS = ("console", "json", *_RENDERED)
MESSAGES = ("webhook", "slack", "teams", "discord")  # sent to an address
_STDOUT = 1


@dataclass(frozen=True, slots=True)
class ReportTarget:
    format: str
    path: Path | None  # None: stdout


def parse_targets(reports: Sequence[str], output: str | None) -> tuple[ReportTarget, ...]:
    """What to write where; a console report on stdout unless another report takes stdout.

    Raises UsageError for an unknown format, two reports for one location, and one that cannot be written: before the
    run, so that nothing measured is lost for want of a folder.
    """
    targets = [_parse(text) for text in reports]
    if output:
        targets.append(_target("json", output))
    if all(target.path is not None for target in targets):
        targets.append(ReportTarget("console", None))
    seen: set[int | str] = set()
    for target in targets:
        location = _location(target.path)
        if location in seen:
            shown = "stdout" if location == _STDOUT else str(target.path)
            raise UsageError(f"two reports would be written to {shown}", "give each a path: --report json=results.json")
        seen.add(location)
        if target.path is not None:
            check_writable(target.path)
    return tuple(targets)


def _parse(text: str) -> ReportTarget:
    name, separator, path = text.partition("=")
    if name in MESSAGES:
        raise UsageError(f"--report {name} sends the result of a run", "use it with run, compare or health")
    if name not in FORMATS:
        near = get_close_matches(name.lower(), (*FORMATS, *MESSAGES), n=1)
        known = f"known formats: {', '.join((*FORMATS, *MESSAGES))}"
        raise UsageError(f"unknown report format '{name}'", f"did you mean '{near[0]}'? {known}" if near else known)
    if separator and not path:
        raise UsageError(f"--report {text} names no file", f"write --report {name}=FILE, or --report {name} for stdout")
    return _target(name, path)


def _location(path: Path | None) -> int | str:
    """Where a report ends up: an open file by its number, any other by its path, with links followed."""
    if path is None:
        return _STDOUT
    descriptor = descriptor_of(path)
    return os.path.realpath(path) if descriptor is None else descriptor


def _target(name: str, path: str) -> ReportTarget:
    if path.endswith("/"):
        raise UsageError(f"{path} is a folder", f"name a file in it: {path}report")
    return ReportTarget(name, None if path in {"", "-", "/dev/stdout"} else Path(path))


def check_writable(path: Path) -> None:
    """As far as it can be known before: the folder exists and takes a file, and the file may be written."""
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder", f"name a file in it: {path / 'results.json'}")
    real = Path(os.path.realpath(path))
    if descriptor_of(path) is not None or (real.exists() and not real.is_file()):
        return  # an open file, a device or a pipe: to be tried when there is something to write
    if not real.parent.is_dir():
        folder = real.parent if path.is_symlink() else path.parent
        raise UsageError(f"cannot write {path}: the folder {folder} does not exist", f"mkdir -p {folder}")
    try:
        if real.is_file():
            with real.open("ab"):
                pass
        with tempfile.TemporaryFile(dir=real.parent):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", "name a file in a folder you may write to"
        ) from error


def write_all(
    targets: Iterable[ReportTarget], render: Callable[[ReportTarget], bytes], *, quiet: bool
) -> Iterator[tuple[ReportTarget, str | None]]:
    """Write what ``render`` returns for each; yields each with None, or with why it could not be written.

    A failure of one does not keep the others from being written. Stdout comes first: it cannot wait for a reader.
    """
    failure: Exception | None = None
    for target in sorted(targets, key=lambda target: target.path is not None):
        try:
            content = render(target)
        except Exception as error:  # noqa: BLE001 - raised again once the other reports are written
            failure = failure or error
            continue
        if target.path is None:
            yield target, _print(content, f".{target.format}")
        else:
            yield target, _write(target.path, content, quiet=quiet)
    if failure is not None:
        raise failure


def render_report(
    run: Run, target: ReportTarget, earlier: EarlierRun | None = None, *, quiet: bool = False, verbose: bool = False
) -> bytes:
    """One report of a run, as it is written."""
    if target.format == "console":
        from perfcheck.report.console import render_console

        return page(
            lambda glyphs, width: render_console(run, glyphs, width, earlier=earlier, quiet=quiet, verbose=verbose),
            is_file=target.path is not None,
        )
    if target.format == "json":
        from perfcheck.runfile import encode_run

        return encode_run(run)
    module = importlib.import_module(f"perfcheck.report.{target.format}")
    render: Callable[[Run, EarlierRun | None], str] = module.render
    return render(run, earlier).encode()


def _print(content: bytes, suffix: str) -> str | None:
    """A reader that goes away (``| head``) changes neither the other reports nor the exit code."""
    try:
        write_to_stdout(content)
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        silence_stdout()
        return f"cannot write to stdout: {error.strerror}{_rescue(content, suffix)}"
    return None


def _write(path: Path, content: bytes, *, quiet: bool) -> str | None:
    try:
        write_atomically(path, content)
    except OSError as error:
        return f"cannot write {path}: {error.strerror}{_rescue(content, path.suffix)}"
    if not quiet:
        with contextlib.suppress(OSError):
            print(f"wrote {path}", file=sys.stderr)
    return None


def _rescue(content: bytes, suffix: str) -> str:
    try:
        with tempfile.NamedTemporaryFile(prefix="perfcheck-", suffix=suffix, delete=False) as file:
            file.write(content)
    except OSError:
        return "; it could not be kept elsewhere either"
    return f"; the report was kept in {file.name}"


def _previous_run(reference: str, history: str | None) -> Run | None:
    """An earlier run, to show the changes since; None, with a note, where it is not there yet."""
    from perfcheck.engine.saved_runs import find_earlier_run
    from perfcheck.history.model import NoSuchRunError

    try:
        return find_earlier_run(reference, history)
    except NoSuchRunError as error:
        show_note(f"no changes are shown: {error.message}", error.remedy)
        return None


def _check_address(name: str, address: str) -> None:
    from perfcheck.client.webhook import check_address

    check_address(address, f"--report {name}")


def _verdict_before(run: Run, history: str | None) -> Verdict | None:
    """That of the last saved run of the same kind, baseline and branch; None for the first one."""
    from perfcheck.history.store import open_history

    source = Source.LOAD if run.capacity else next((result.source for result in run.endpoints), None)
    with contextlib.suppress(UsageError), open_history(history, Path.cwd(), create=False) as store:
        for past in store.runs(branch=run.environment.branch or "", source=source):
            if past.baseline_file == run.baseline.file and past.id != run.id:
                return past.verdict
    return None


# --- All reports of a run -----------------------------------------------------------------------------------------


class Reporting:
    """The reports that a command line names: made before the run, so that a mistake costs no measurement."""

    def __init__(
        self,
        reports: Sequence[str],
        output: str | None,
        *,
        compare_to: str | None = None,
        history: str | None = None,
        github: bool | None,
        quiet: bool,
        verbose: bool,
        on_change: bool = False,
    ) -> None:
        """``on_change``: messages are sent only where the verdict differs from that of the last saved run.

        Raises UsageError.
        """
        self._messages = [text.partition("=")[::2] for text in reports if text.partition("=")[0] in MESSAGES]
        self.targets = parse_targets([text for text in reports if text.partition("=")[0] not in MESSAGES], output)
        for name, address in self._messages:
            _check_address(name, address)
        self._on_change = on_change
        self._history = history
        self.github = is_for_github(github)
        self._render = partial(render_report, quiet=quiet, verbose=verbose)
        self._quiet = quiet
        self._previous = _previous_run(compare_to, history) if compare_to else None

    def write(self, run: Run, *, on_screen: bool = True) -> bool:
        """Write every report; an error in one is shown on stderr. Returns whether all were written.

        Without ``on_screen`` the console report on stdout is left out.
        """
        earlier = changes_since(run, self._previous) if self._previous else None
        targets = [target for target in self.targets if on_screen or target != ReportTarget("console", None)]
        written: list[ReportTarget] = []

        try:
            for target, error in write_all(targets, partial(self._render, run, earlier=earlier), quiet=self._quiet):
                if error is None:
                    written.append(target)
                else:
                    show_error(error)
        finally:
            if self.github:
                self._publish(run, earlier, written)
            if self._messages:
                self._send(run)
        return len(written) == len(targets)

    def _send(self, run: Run) -> None:
        """A message that is not delivered is a line on stderr, and changes nothing else."""
        from perfcheck.client.webhook import deliver
        from perfcheck.report.message import BODIES

        before = _verdict_before(run, self._history) if self._on_change else None
        if self._on_change and run.verdict is (before or Verdict.OK):
            return
        for name, address in self._messages:
            if failure := deliver(address, BODIES[name](run, before)):
                show_error(f"the message to {name} was not delivered: {failure}")

    def _publish(self, run: Run, earlier: EarlierRun | None, targets: Sequence[ReportTarget]) -> None:
        """Annotations go to stderr, which the runner reads as well: stdout may be a file or another program's input."""
        from perfcheck.report import github

        annotated = any(target.format == "github" and target.path is None for target in targets)
        # Absolute, since the steps that follow may work in another folder.
        written = {target.format: target.path.absolute() for target in targets if target.path is not None}
        if not annotated:
            with contextlib.suppress(OSError):
                sys.stderr.write(github.render(run, earlier, workspace=github_workspace()))
                sys.stderr.flush()
        _append("GITHUB_STEP_SUMMARY", lambda room: github.summary(run, earlier, room=room))
        _append("GITHUB_OUTPUT", lambda _: github.outputs(run, written))


# --- On GitHub Actions ---------------------------------------------------------------------------------------------

_MOST_ERRORS = 10  # GitHub shows no more of one step
_LONGEST_SUMMARY = 1024 * 1024  # bytes a step; a longer one is not shown at all


def _append(variable: str, text: Callable[[int], str]) -> None:
    if not os.environ.get(variable):
        return
    path = Path(os.environ[variable])
    try:
        there = path.stat().st_size if path.exists() else 0
        content = text(_LONGEST_SUMMARY - there)
        if not content:
            show_error(f"{variable} is full: what other steps wrote leaves no room")
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except OSError as error:
        show_error(f"cannot write to {variable}: {error.strerror}")


def annotate_baseline(error: BaselineError) -> None:
    """The errors of a baseline, at their lines."""
    file = file_in(github_workspace(), error.file) or error.file
    for file_error in error.errors[:_MOST_ERRORS]:
        message = f"{file_error.message}\nhelp: {file_error.remedy}"
        where = {"line": file_error.location.line, "col": file_error.location.column} if file_error.location else {}
        line = workflow_command("error", message, title="Wrong baseline", file=file, **where)
        with contextlib.suppress(OSError):
            click.echo(line, err=True)
