"""``perfcheck run`` as a process: exit codes, streams, files, signals."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from urllib.parse import quote, quote_plus

import pytest
from apps.faulty_server import read_request, server, wait_for_the_client_to_leave
from apps.service import Answer, Handler, ok, service, slow, status
from support.command import PERFCHECK, environment, perfcheck

from perfcheck.cli.ui.terminal import Interrupts
from perfcheck.model import Verdict
from perfcheck.runfile import read_run

SECRET = "s3cr3t-t0ken-value"
UNCONFIRMED = "{confirm: 0}"  # what was measured once is not waited for and measured again
NEVER_READY = "  ready: /a\n  ready_timeout: 300ms\n"


def baseline(folder: Path, url: str, endpoints: str, *, sampling: str = "{}", extra: str = "") -> Path:
    file = folder / "baselines.yaml"
    file.write_text(
        f"version: 1\nservice:\n  base_url: {url}\n{extra}sampling: {sampling}\nendpoints:\n{endpoints}",
        encoding="utf-8",
    )
    return file


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[Path]:
    with service({"/a": ok(), "/b": ok()}) as url:
        yield baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n  b: {path: /b, target: 2s, ideal: 1s}\n")


# --- Exit codes ----------------------------------------------------------------------------------------------------


def test_0_when_all_is_well(healthy: Path) -> None:
    done = perfcheck("run", cwd=healthy.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("exit 0: passed")
    assert "2 OK · 66 requests" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--fail-on", "warning"), 1), (("--fail-on", "never"), 0)])
def test_a_warning_fails_only_when_requested(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    with service({"/a": ok(b"x" * 2000)}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s, body_limit: 1kB}\n")
        done = perfcheck("run", *options, cwd=tmp_path)
    assert done.returncode == code
    assert re.search(r"^WARNING +a ", done.stdout, re.MULTILINE)
    assert "body of 2 kB, over the limit of 1 kB" in done.stdout
    assert "baselines.yaml:6" in done.stdout


@pytest.mark.parametrize(
    ("handler", "sampling", "target", "message"),
    [
        (slow(0.06), "{}", "20ms", "over 2x its target of 20 ms (limit 40 ms)"),
        (status(500), UNCONFIRMED, "2s", "5 of 5 requests failed (100%), over 5%: 5x 500 Internal Server Error"),
    ],
)
def test_1_when_an_endpoint_is_critical(
    tmp_path: Path, handler: Handler, sampling: str, target: str, message: str
) -> None:
    with service({"/a": handler, "/b": ok()}) as url:
        endpoints = f"  a: {{path: /a, target: {target}}}\n  b: {{path: /b, target: 2s}}\n"
        baseline(tmp_path, url, endpoints, sampling=sampling)
        done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stdout
    assert "rerun" in done.stdout
    assert "perfcheck run a" in done.stdout
    assert "1 critical, 1 OK" in done.stdout


def test_a_latency_between_the_limits_is_a_warning(tmp_path: Path) -> None:
    """Its limits lie so far apart that a loaded machine keeps between them."""
    with service({"/a": slow(0.65)}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 400ms}\n", sampling="{confirm: 0, errors: quick}")
        done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 warning" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "--no-such"), "No such option"),
        (("rum",), "did you mean run?"),
        (("run", "aa"), "did you mean 'a'?"),
        (("run", "-g", "core"), "has no group 'core'"),
        (("run", "--report", "pdf"), "unknown report format 'pdf'"),
        (("run", "--report", "json", "--report", "console"), "two reports would be written to stdout"),
        (("run", "--report", "json="), "names no file"),
        (("run", "-o", "absent/results.json"), "the folder absent does not exist"),
        (("run", "-o", "."), "it is a folder"),
        (("run", "--budget", "60"), "did you mean 60s?"),
        (("run", "--regress", "errors"), "--regress needs --demo"),
        (("run", "-f", "absent.yaml"), "absent.yaml"),
    ],
)
def test_2_for_what_the_user_can_mend(healthy: Path, arguments: tuple[str, ...], message: str) -> None:
    done = perfcheck(*arguments, cwd=healthy.parent)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_2_shows_every_error_of_the_baseline_with_its_line(tmp_path: Path) -> None:
    baseline(tmp_path, "http://localhost", "  a: {path: /a, taget: 2s}\n  b: {path: /b, target: 300}\n")
    done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "baselines.yaml:6:17" in done.stderr
    assert "baselines.yaml:7:25" in done.stderr
    assert "did you mean" in done.stderr


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_3_when_the_service_does_not_answer(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n", extra="  ready: /a\n  ready_timeout: 300ms\n")
    done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 3
    assert url in done.stderr
    assert "--base-url" in done.stderr


def test_the_reports_of_a_service_that_does_not_answer_say_so(tmp_path: Path) -> None:
    baseline(tmp_path, f"http://127.0.0.1:{closed_port()}", "  a: {path: /a, target: 2s}\n", extra=NEVER_READY)
    done = perfcheck("run", "-o", "results.json", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout == ""  # the error says it all
    run = read_run(tmp_path / "results.json")
    assert (run.exit_code, run.complete, run.verdict) == (3, False, Verdict.NOT_MEASURED)
    assert "is not ready" in run.endpoints[0].findings[0].message
    assert "is not ready" in run.findings[0].message


def test_a_service_that_does_not_answer_is_skipped_loudly_when_requested(tmp_path: Path) -> None:
    baseline(tmp_path, f"http://127.0.0.1:{closed_port()}", "  a: {path: /a, target: 2s}\n", extra=NEVER_READY)
    done = perfcheck("run", "--skip-unreachable", "-o", "results.json", cwd=tmp_path)
    assert done.returncode == 0
    assert "SKIPPED, nothing was checked" in done.stderr
    assert not (tmp_path / "results.json").exists()
    again = perfcheck("run", "--skip-unreachable", "--require-service", cwd=tmp_path)
    assert again.returncode == 3


@pytest.mark.parametrize(("answer", "code"), [(404, 3), (401, 3), (503, 0)])
def test_only_what_is_down_is_skipped_and_not_what_is_wrong(answer: int, code: int, tmp_path: Path) -> None:
    with service({"/a": status(answer)}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n", extra=NEVER_READY)
        done = perfcheck("run", "--skip-unreachable", cwd=tmp_path)
    assert done.returncode == code
    assert "service.ready" in done.stderr


def test_a_service_that_answers_is_not_skipped(healthy: Path) -> None:
    done = perfcheck("run", "--skip-unreachable", cwd=healthy.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert "exit 0: passed" in done.stdout


def test_the_change_since_an_earlier_run_is_next_to_each_endpoint(healthy: Path) -> None:
    perfcheck("run", "-o", "before.json", cwd=healthy.parent)
    done = perfcheck("run", "--compare-to", "before.json", cwd=healthy.parent)
    assert done.returncode == 0
    assert re.search(r"^ +endpoint .* ratio +change ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("earlier", ["none.json", "v1.4"])
def test_an_earlier_run_that_is_not_there_yet_is_a_note(healthy: Path, earlier: str) -> None:
    first = perfcheck("run", "--compare-to", earlier, "-o", "none.json", cwd=healthy.parent)
    assert first.returncode == 0
    assert first.stderr.startswith("note: no changes are shown: ")
    assert earlier in first.stderr or "no history yet" in first.stderr
    second = perfcheck("run", "--compare-to", "none.json", "--save", "--label", "v1.4", cwd=healthy.parent)
    assert (second.returncode, second.stderr.count("note:")) == (0, 0)
    assert " change " in second.stdout
    against = perfcheck("run", "--against", "v1.3", cwd=healthy.parent)  # a verdict depends on it
    assert against.returncode == 2


BROKEN = """
from perfcheck.sampling.scheduler import Scheduler
take = Scheduler._take
calls = []
def broken(self, *arguments):
    calls.append(1)
    if len(calls) > 4:
        raise RuntimeError("bug near SECRET")
    return take(self, *arguments)
Scheduler._take = broken
"""


def test_4_for_a_bug_of_ours_and_what_was_measured_is_kept(
    healthy: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(BROKEN.replace("SECRET", SECRET), encoding="utf-8")
    done = perfcheck("run", "-o", "results.json", cwd=healthy.parent, env={"PYTHONPATH": str(folder)})
    assert done.returncode == 4
    assert "this is a bug in perfcheck: RuntimeError at " in done.stderr
    assert SECRET not in done.stderr + done.stdout
    saved = json.loads((healthy.parent / "results.json").read_text())
    assert (saved["complete"], saved["exit_code"]) == (False, 4)
    assert "exit 4: a bug in perfcheck ended the run" in " ".join(done.stdout.split())
    assert sum(len(one["timeline"]["at_ms"]) for one in saved["endpoints"]) == 4


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("MemoryError", "out of memory"),
        ("OSError(12, 'Cannot allocate memory')", "out of memory"),
        ("OSError(24, 'Too many open files')", "Too many open files"),
    ],
)
def test_3_when_the_machine_has_no_more_and_what_was_measured_is_kept(
    healthy: Path, tmp_path_factory: pytest.TempPathFactory, error: str, message: str
) -> None:
    folder = tmp_path_factory.mktemp("site")
    broken = BROKEN.replace('RuntimeError("bug near SECRET")', error)
    (folder / "sitecustomize.py").write_text(broken, encoding="utf-8")
    done = perfcheck("run", "-o", "results.json", cwd=healthy.parent, env={"PYTHONPATH": str(folder)})
    assert done.returncode == 3
    assert done.stderr.splitlines()[-2] == f"error: {message}"
    assert f"{message}: these are the measurements up to then" in done.stdout
    assert "bug" not in done.stdout + done.stderr
    saved = json.loads((healthy.parent / "results.json").read_text())
    assert (saved["complete"], saved["exit_code"]) == (False, 3)
    assert sum(len(one["timeline"]["at_ms"]) for one in saved["endpoints"]) == 4


def interrupted(
    folder: Path, number: signal.Signals, *options: str, when: Callable[[subprocess.Popen[str]], object]
) -> tuple[int, str, str]:
    """Sends the signal once ``when`` returns."""
    process = subprocess.Popen(
        [PERFCHECK, "run", *options],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        when(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_130_when_interrupted_and_what_was_measured_is_reported_and_saved(
    tmp_path: Path, number: signal.Signals
) -> None:
    count, well_begun = 0, Event()

    def counting() -> Answer:
        nonlocal count
        count += 1
        if count == 20:  # of 67 at least, and long after the other endpoint is decided
            well_begun.set()
        return slow(0.1)()

    with service({"/fast": ok(), "/slow": counting}) as url:
        endpoints = "  fast: {path: /fast, target: 2s}\n  slow: {path: /slow, target: 1s, metric: p95}\n"
        baseline(tmp_path, url, endpoints)
        code, out, err = interrupted(tmp_path, number, "-o", "results.json", when=lambda _: well_begun.wait(60))
    assert code == 130
    assert "exit 130: interrupted" in " ".join(out.split())
    assert "interrupted: these are the measurements up to then" in out
    assert "Traceback" not in err
    saved = json.loads((tmp_path / "results.json").read_text())
    assert (saved["exit_code"], saved["complete"]) == (130, False)
    by_name = {one["name"]: one for one in saved["endpoints"]}
    assert by_name["fast"]["verdict"] == "OK"
    assert by_name["slow"]["requests"]["sent"] > 0


def test_a_background_job_that_ignores_ctrl_c_is_not_interrupted(tmp_path: Path) -> None:
    count, well_begun = 0, Event()

    def counting() -> Answer:
        nonlocal count
        count += 1
        if count == 3:  # of 34 at least
            well_begun.set()
        return slow(0.05)()

    with service({"/a": counting}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n")
        in_background = ["bash", "-c", f"trap '' INT; exec '{PERFCHECK}' run"]
        process = subprocess.Popen(in_background, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
        try:
            assert well_begun.wait(60)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "exit 0: passed" in out


def first_line_of_stderr(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline().startswith("waiting up to 30 s for the service")


def test_130_while_waiting_for_the_service(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n", extra="  ready: /a\n")
    code, _, err = interrupted(tmp_path, signal.SIGINT, when=first_line_of_stderr)
    assert code == 130
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--max-time", "400ms"), {}),
        ((), {"PERFCHECK_MAX_TIME": "400ms"}),
        ((), {"PERFCHECK_BUDGET": "400ms", "PERFCHECK_MAX_TIME": "60s"}),
    ],
)
def test_the_budget_has_a_second_name(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    with service({"/a": slow(0.1)}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 1s, metric: p95}\n")  # takes 67 requests to be decided
        done = perfcheck("run", *arguments, cwd=tmp_path, env=env)
    assert done.returncode == 3, done.stdout
    assert re.search(r"(raise|--)\s*(--)?budget", done.stdout), done.stdout


# --- Output --------------------------------------------------------------------------------------------------------


def test_json_on_stdout_is_the_run_file_and_nothing_else(healthy: Path) -> None:
    done = perfcheck("run", "--report", "json", "--label", "v1", "--seed", "7", cwd=healthy.parent)
    run = json.loads(done.stdout)
    assert (run["format"], run["label"], run["seed"]) == ("perfcheck.run/1", "v1", 7)
    assert {one["name"] for one in run["endpoints"]} == {"a", "b"}


def test_several_reports_at_once(healthy: Path) -> None:
    folder = healthy.parent
    done = perfcheck("run", "--report", "console=report.txt", "--report", "json=a.json", "-o", "b.json", cwd=folder)
    assert done.returncode == 0
    assert "exit 0: passed" in done.stdout
    assert "exit 0: passed" in (folder / "report.txt").read_text(encoding="utf-8")
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()


def test_options_have_variables_in_the_environment(healthy: Path) -> None:
    twins = {"PERFCHECK_LABEL": "from-env", "PERFCHECK_REPORT": "json", "PERFCHECK_MAX_REQUESTS": "5"}
    done = perfcheck("run", "a", cwd=healthy.parent, env=twins)
    run = json.loads(done.stdout)
    assert run["label"] == "from-env"
    assert [one["name"] for one in run["endpoints"]] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [(("a",), {"a"}), (("*",), {"a", "b"}), (("[ab]", "b"), {"a", "b"})],
)
def test_names_and_patterns(healthy: Path, arguments: tuple[str, ...], names: set[str]) -> None:
    done = perfcheck("run", *arguments, "--report", "json", cwd=healthy.parent)
    assert {one["name"] for one in json.loads(done.stdout)["endpoints"]} == names


def test_quiet_is_one_block_at_most(healthy: Path) -> None:
    claim, closing = perfcheck("run", "-q", cwd=healthy.parent, env={"COLUMNS": "200"}).stdout.splitlines()
    assert claim.startswith("Latency verdicts are 95% confident; failure rates over ")
    assert closing.startswith("2 OK")


def test_a_reader_that_goes_away_is_no_error(healthy: Path) -> None:
    process = subprocess.Popen(
        [PERFCHECK, "run"], cwd=healthy.parent, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=30) == 0
    assert errors == b""


def test_a_report_that_cannot_be_written_in_the_end_is_kept_elsewhere(tmp_path: Path) -> None:
    place = tmp_path / "reports"
    place.mkdir()

    def vanish() -> tuple[int, dict[str, str], bytes]:
        if place.exists():
            place.rmdir()
        return 200, {}, b"{}"

    with service({"/a": vanish}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n")
        done = perfcheck("run", "-o", "reports/results.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot write reports/results.json: No such file or directory; the report was kept in " in done.stderr
    kept = Path(done.stderr.strip().rsplit(" ", 1)[1])
    assert json.loads(kept.read_text())["verdict"] == "OK"
    kept.unlink()


@pytest.mark.parametrize(
    "variables",
    [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"TERM": "dumb"}, {"LANG": "C"}, {"COLUMNS": "60"}, {"COLUMNS": "0"}],
)
def test_output_is_clean_in_every_environment(healthy: Path, variables: dict[str, str]) -> None:
    done = perfcheck("run", cwd=healthy.parent, env=variables)
    assert "\x1b" not in done.stdout
    if variables.keys() & {"LANG"}:
        assert done.stdout.isascii()
    assert "exit 0: passed" in done.stdout
    if variables.get("COLUMNS") == "60":
        assert max(map(len, done.stdout.splitlines())) <= 60


def test_force_color_colours_a_pipe(healthy: Path) -> None:
    assert "\x1b[32mOK" in perfcheck("run", cwd=healthy.parent, env={"FORCE_COLOR": "1"}).stdout


# --- Secrets and hostile services ----------------------------------------------------------------------------------


def test_a_secret_from_the_environment_appears_nowhere(tmp_path: Path) -> None:
    echoed = {"Location": f"/{SECRET}", "Retry-After": SECRET, "Server-Timing": f"{SECRET};dur=3"}

    def echo(code: int) -> Handler:
        return lambda: (code, echoed, SECRET.encode())

    with service({f"/{code}": echo(code) for code in (200, 302, 429)}) as url:
        baseline(
            tmp_path,
            url,
            "  a: {path: /429, target: 2s, query: {key: '${TOKEN}'}, headers: {X-Key: 'k ${TOKEN}'}}\n"
            "  b: {path: /302, target: 2s}\n"
            "  c: {path: /200, target: 2s, body_limit: 1B}\n",
            sampling=UNCONFIRMED,
            extra="  headers: {Authorization: 'Bearer ${TOKEN}'}\n",
        )
        done = perfcheck("run", "-v", "-o", "results.json", cwd=tmp_path, env={"TOKEN": SECRET})
        debug = perfcheck("run", "-v", cwd=tmp_path, env={"TOKEN": SECRET, "PERFCHECK_DEBUG": "1"})
    assert done.returncode == 1
    assert "key=***" in done.stdout
    saved = {one["name"]: one for one in json.loads((tmp_path / "results.json").read_text())["endpoints"]}
    assert saved["c"]["server_timing"] == {"***": 3.0}
    everything = done.stdout + done.stderr + debug.stdout + debug.stderr + (tmp_path / "results.json").read_text()
    assert SECRET not in everything


def test_escapes_and_markup_of_a_service_stay_text(tmp_path: Path) -> None:
    evil = {"Retry-After": "[red]1[/red] \x1b]0;title\x07", "Server-Timing": 'db;dur=1;desc="\x1b[31m"'}
    with service({"/a": lambda: (429, evil, b"\x1b[2J")}) as url:
        baseline(tmp_path, url, "  '[bold]a[/bold]': {path: /a, target: 2s}\n", sampling=UNCONFIRMED)
        done = perfcheck("run", "-v", cwd=tmp_path)
    assert "[bold]a[/bold]" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


# --- The sample service --------------------------------------------------------------------------------------------


def test_demo_passes(tmp_path: Path) -> None:
    done = perfcheck("run", "--demo", "--errors", "quick", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exit 0: passed" in done.stdout
    assert not list(tmp_path.iterdir())


def test_demo_with_a_regression_names_the_slow_endpoint_and_not_the_other(tmp_path: Path) -> None:
    regression = ("--demo", "--regress", "n-plus-one")
    done = perfcheck("run", *regression, "--errors", "quick", "videos.list", "health", "-o", "r.json", cwd=tmp_path)
    assert done.returncode == 1
    verdicts = {one["name"]: one["verdict"] for one in json.loads((tmp_path / "r.json").read_text())["endpoints"]}
    assert verdicts == {"videos.list": "CRITICAL", "health": "OK"}
    assert "waiting for the first byte" in done.stdout
    assert "perfcheck run --demo --regress n-plus-one videos.list" in done.stdout


# --- Odd places to write to, and odd moments to be stopped ---------------------------------------------------------


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env=environment(PATH=f"{Path(PERFCHECK).parent}:{os.environ['PATH']}", TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "perfcheck run -o /dev/stdout | python -m json.tool",
        "perfcheck run -o - | python -m json.tool",
        "perfcheck run -o /dev/fd/3 3>x.json >/dev/null && python -m json.tool x.json",
        "mkfifo p; (cat p >x.json &) ; perfcheck run -o p >/dev/null && sleep 0.3 && python -m json.tool x.json",
    ],
)
def test_a_run_file_goes_to_open_files_and_pipes(healthy: Path, command: str) -> None:
    done = shell(command, healthy.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "OK"


def test_a_log_that_stdout_is_appended_to_stays_whole(healthy: Path) -> None:
    done = shell("echo precious >app.log; perfcheck run -o /dev/stdout >>app.log; head -c 8 app.log", healthy.parent)
    assert done.stdout == "precious"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("perfcheck run 2>&-", 0),
        ("perfcheck run >&- 2>&-", 0),
        ("perfcheck run >/dev/full", 2),
        ("perfcheck validate >&-", 0),
        ("perfcheck validate | true", 0),
        ("perfcheck validate >/dev/full", 2),
        ("perfcheck run -f absent.yaml 2>/dev/full", 2),
        ("mkfifo q; perfcheck run -o q", 2),
    ],
)
def test_closed_and_full_streams_are_no_bug(healthy: Path, command: str, code: int) -> None:
    done = shell(command, healthy.parent)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_report_that_cannot_be_written_is_an_error_and_is_kept(healthy: Path, style: str) -> None:
    folder = healthy.parent
    done = shell(f"perfcheck run --report {style} -o run.json >/dev/full", folder)
    assert done.returncode == 2
    assert "error: cannot write to stdout: No space left on device; the report was kept in " in done.stderr
    (kept,) = folder.glob("perfcheck-*")
    assert kept.stat().st_size > 0
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["verdict"] == "OK"


def test_a_failed_check_stays_one_when_its_report_cannot_be_written(tmp_path: Path) -> None:
    with service({"/a": status(500)}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s}\n", sampling=UNCONFIRMED)
        done = shell("perfcheck run >/dev/full", tmp_path)
    assert done.returncode == 1


def test_a_signal_after_the_last_request_does_not_cost_the_run() -> None:
    with Interrupts() as interrupts:
        interrupts.hold()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):  # the second one means it
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_git_that_hangs_does_not_hold_the_run(healthy: Path) -> None:
    folder = healthy.parent
    (folder / "git").write_text("#!/bin/sh\nsleep 300\n")
    (folder / "git").chmod(0o755)
    (folder / ".git").mkdir()
    done = perfcheck("run", "--report", "json", cwd=folder, env={"PATH": f"{folder}:{os.environ['PATH']}"})
    assert done.returncode == 0
    assert json.loads(done.stdout)["environment"]["commit"] is None


def test_what_the_environment_holds_gives_way_to_what_was_typed(tmp_path: Path) -> None:
    twins = {"PERFCHECK_BASE_URL": "http://127.0.0.1:9", "PERFCHECK_BASELINE": "absent.yaml"}
    assert perfcheck("run", "--demo", "health", cwd=tmp_path, env=twins).returncode == 0
    (tmp_path / "good.yaml").write_text(
        "version: 1\nservice: {base_url: http://localhost}\nendpoints: {a: {path: /, target: 1s}}\n"
    )
    assert perfcheck("validate", "good.yaml", cwd=tmp_path, env=twins).returncode == 0


@pytest.mark.parametrize("user", [f"joe:{SECRET}", SECRET, "joe:abc"])
def test_the_credential_of_the_address_is_in_no_command_shown(tmp_path: Path, user: str) -> None:
    sent = b64encode(f"{user}{'' if ':' in user else ':'}".encode()).decode()
    with service({"/a": status(429, **{"Retry-After": f"Basic {sent}"})}) as url:
        address = url.replace("//", f"//{user}@")
        baseline(tmp_path, "http://localhost", "  a: {path: /a, target: 2s}\n", sampling=UNCONFIRMED)
        done = perfcheck("run", "-v", "-o", "run.json", cwd=tmp_path, env={"PERFCHECK_BASE_URL": address})
    assert done.returncode == 1
    everything = done.stdout + done.stderr + (tmp_path / "run.json").read_text()
    assert f"{user}@" not in everything
    assert SECRET not in everything
    assert "Basic ***" in everything
    assert sent not in everything


@pytest.mark.parametrize("escape", [quote, quote_plus, lambda text: quote(text, safe="").lower()])
def test_a_secret_is_masked_as_it_was_sent(tmp_path: Path, escape: Callable[[str], str]) -> None:
    secret = "p@ss/w+rd & more"
    with service({"/a": status(429, **{"Retry-After": f"q={escape(secret)}"})}) as url:
        baseline(tmp_path, url, "  a: {path: /a, target: 2s, query: {q: '${TOKEN}'}}\n", sampling=UNCONFIRMED)
        done = perfcheck("run", "-v", "-o", "run.json", cwd=tmp_path, env={"TOKEN": secret})
    everything = done.stdout + done.stderr + (tmp_path / "run.json").read_text()
    assert "q=***" in everything
    assert escape(secret) not in everything


def test_groups_and_names_narrow_each_other(tmp_path: Path) -> None:
    with service({"/": ok()}) as url:
        endpoints = "".join(f"  {name}: {{group: {name[0]}, path: /, target: 2s}}\n" for name in ("a1", "a2", "b1"))
        baseline(tmp_path, url, endpoints, extra="groups: {a: {title: A}, b: {title: B}}\n")
        done = perfcheck("run", "*1", "-g", "a", "--report", "json", cwd=tmp_path)
    assert [one["name"] for one in json.loads(done.stdout)["endpoints"]] == ["a1"]


def test_validate_looks_at_every_file(healthy: Path) -> None:
    (healthy.parent / "bad.yaml").write_text("version: 2\n")
    done = perfcheck("validate", "bad.yaml", "absent.yaml", "baselines.yaml", cwd=healthy.parent)
    assert done.returncode == 2
    assert "bad.yaml:1" in done.stderr
    assert "absent.yaml" in done.stderr
    assert "baselines.yaml: 2 endpoints, no errors" in done.stdout


def test_a_hang_does_not_eat_the_budget_of_the_others(tmp_path: Path) -> None:
    with service({"/hang": slow(1.0), "/tail": ok()}) as url:
        endpoints = (
            "  hang: {path: /hang, target: 20ms, timeout: 400ms}\n  tail: {path: /tail, target: 2s, metric: p95}\n"
        )
        baseline(tmp_path, url, endpoints)
        done = perfcheck("run", "--budget", "6s", "--report", "json", cwd=tmp_path)
    verdicts = {one["name"]: (one["verdict"], one["decided"]) for one in json.loads(done.stdout)["endpoints"]}
    assert verdicts["tail"] == ("OK", True)
    assert verdicts["hang"][0] == "CRITICAL"
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [("run",), ("validate",), ("history", "list"), ("run", "--demo", "settings.get")])
def test_2_where_the_current_folder_was_deleted(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    folder = tmp_path / "deleted"
    folder.mkdir()
    command = f'cd "{folder}" && rmdir "{folder}" && exec "$0" "$@"'
    done = subprocess.run(
        ["sh", "-c", command, PERFCHECK, *arguments],
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: the current folder does not exist any more",
        "help: cd to a folder that exists",
    ]


@pytest.mark.parametrize("query", ["x" * 70_000, "\\ud800"])
def test_a_query_that_makes_no_url_is_an_error_of_the_baseline(tmp_path: Path, query: str) -> None:
    with service({"/a": ok()}) as url:
        baseline(tmp_path, url, f'  a: {{path: /a, target: 2s, query: {{q: "{query}"}}}}\n')
        done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "bug" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["run", "health"])
def test_a_proxy_is_shown_even_with_quiet(tmp_path: Path, command: str) -> None:
    body = b'{"status": "HEALTHY", "all_endpoints": [{"endpoint": "a", "avg_response_time": 5, "total_requests": 9}]}'
    paths = ["/a", *(f"/api/performance/{name}" for name in ("health", "stats", "slow"))]
    with service({f"http://service.invalid{path}": lambda: (200, {}, body) for path in paths}) as url:
        baseline(tmp_path, "http://service.invalid", "  a: {path: /a, target: 2s}\n")
        done = perfcheck(command, "-q", cwd=tmp_path, env={"HTTP_PROXY": url, "NO_PROXY": "other.invalid"})
    assert f"requests go through the proxy {url}" in " ".join(done.stdout.split())


# --- A stream ------------------------------------------------------------------------------------------------------


def test_a_stream_is_judged_by_its_first_event_in_every_report(tmp_path: Path) -> None:
    def stream(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        wait_for_the_client_to_leave(connection)

    reports = ("--report", "csv=run.csv", "--report", "openmetrics=run.txt", "-o", "run.json")
    with server(stream) as running:
        baseline(tmp_path, running.url(), "  events: {path: /events, metric_of: first_byte, target: 5s}\n")
        done = perfcheck("run", *reports, cwd=tmp_path)
        baseline(tmp_path, running.url(), "  events: {path: /events, metric_of: first_byte, ceiling: 10us}\n")
        over = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"OK +events +to first byte \d", done.stdout)
    assert re.search(r"median to first byte [\d.]+ ms, over the ceiling", over.stdout)
    assert read_run(tmp_path / "run.json").endpoints[0].metric_of == "first_byte"
    assert ",first_byte" in (tmp_path / "run.csv").read_text(encoding="utf-8")
    assert 'metric="median to first byte"' in (tmp_path / "run.txt").read_text(encoding="utf-8")
