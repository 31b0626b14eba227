"""The page for a first try: its commands run as they stand there, in order, in an empty folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.command import environment, perfcheck

PAGE = Path(__file__).parent.parent / "docs" / "getting-started.md"
ADDRESS = "http://localhost:5001"  # of the sample service on the page, which has another port here
TERMINAL = {"COLUMNS": "90"}
# While targets are set, queries take longer than on the page, so that a busy machine makes no difference to verdicts.
SLOWER = {"PERFCHECK_ROUND_TRIP": "12ms"}


@dataclass(frozen=True, slots=True)
class Step:
    command: str
    shown: str  # of its output; empty where the page shows none

    @property
    def is_service(self) -> bool:
        return self.command.startswith("perfcheck demo")


def steps() -> list[Step]:
    """The commands of the page, each in a block of its own, and what the page shows of their output."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    following = [*blocks[1:], ("", "")]
    return [
        Step(text.strip(), output if kind == "text" else "")
        for (language, text), (kind, output) in zip(blocks, following, strict=True)
        if language == "console"
    ]


def test_the_commands_of_the_page_do_what_it_shows(tmp_path: Path) -> None:
    healthy, regressed = (at for at, step in enumerate(steps()) if step.is_service)
    assert healthy == 0
    for service, checks in ((0, steps()[1:regressed]), (regressed, steps()[regressed + 1 :])):
        with running(steps()[service].command, SLOWER if service == healthy else {}) as url:
            name_address(tmp_path / "baselines.yaml", url)
            for step in checks:
                check(step, url, tmp_path)


def name_address(baseline: Path, url: str) -> None:
    """On the page, the service has the same port when it is started again."""
    if baseline.exists():
        text = baseline.read_text(encoding="utf-8")
        baseline.write_text(re.sub(r"http://127\.0\.0\.1:\d+", url, text), encoding="utf-8")


def check(step: Step, url: str, folder: Path) -> None:
    words = shlex.split(step.command.replace(ADDRESS, url), comments=True)
    assert words[0] == "perfcheck", step
    done = perfcheck(*words[1:], cwd=folder, env=TERMINAL, timeout=300)
    printed = done.stdout + done.stderr
    exit_code = re.search(r"· exit (\d+)", step.shown)
    assert done.returncode == (int(exit_code[1]) if exit_code else 0), printed
    lines = {words_of(line) for line in printed.replace(url, ADDRESS).splitlines()}
    for line in step.shown.splitlines():
        assert words_of(line) in lines, printed


def words_of(line: str) -> tuple[str, ...]:
    """Without figures, units of time and charts, which differ from run to run."""
    return tuple(word for word in re.findall(r"[A-Za-z][\w./'()-]*", line) if word not in {"s", "ms", "min", "x", "to"})


@contextmanager
def running(command: str, variables: Mapping[str, str]) -> Iterator[str]:
    """The sample service, on a free port."""
    line = [sys.executable, "-m", *shlex.split(command), "--port", "0"]
    env = environment(**variables)
    with subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[4]
        finally:
            process.terminate()
