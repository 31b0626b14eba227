"""Everything a run is told through: the reports that were asked for, and GitHub where it is the one that asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from perfcheck.cli.reports import Presentation, ReportTarget, parse_targets, write_reports
from perfcheck.cli.ui.options import is_for_github
from perfcheck.cli.ui.terminal import show_error
from perfcheck.model import Run


@dataclass(frozen=True, slots=True)
class Reporting:
    targets: tuple[ReportTarget, ...]
    presentation: Presentation
    github: bool

    @classmethod
    def prepare(
        cls,
        reports: Sequence[str],
        output: str | None,
        *,
        compare_to: str | None = None,
        history: str | None = None,
        github: bool | None,
        quiet: bool,
        verbose: bool,
    ) -> Self:
        """Before the run, so that a mistake costs no measurement. Raises UsageError."""
        targets = parse_targets(reports, output)
        previous = None
        if compare_to:
            from perfcheck.cli.past import run_named

            previous = run_named(compare_to, history)
        return cls(targets, Presentation(previous, quiet, verbose), is_for_github(github, os.environ))

    def write(self, run: Run, *, on_screen: bool = True) -> bool:
        """Every report; trouble with one is told on stderr. Whether all could be written.

        Without ``on_screen`` the console report on stdout is left out.
        """
        targets = [target for target in self.targets if on_screen or target != ReportTarget("console", None)]
        written: list[ReportTarget] = []
        try:
            for target, problem in write_reports(run, targets, self.presentation):
                if problem is None:
                    written.append(target)
                else:
                    show_error(problem)
        finally:
            if self.github:
                self._publish(run, written)
        return len(written) == len(targets)

    def _publish(self, run: Run, targets: Sequence[ReportTarget]) -> None:
        from perfcheck.cli.github import publish

        annotated = any(target.format == "github" and target.path is None for target in targets)
        # Absolute, since the steps that follow may work in another folder.
        written = {target.format: target.path.absolute() for target in targets if target.path is not None}
        for problem in publish(run, self.presentation.earlier(run), os.environ, written, annotate=not annotated):
            show_error(problem)
