"""``perfcheck run URL``: a check without a baseline."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from apps.service import ok, service, slow, status
from support.command import perfcheck

from perfcheck.runfile import read_run

INVALID = "this is no baseline\n"  # so that a test fails if it is read
FORMATS = ("console", "markdown", "html", "junit", "github", "openmetrics", "csv", "json")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with service({"/": ok(), "/a": ok(), "/slow": slow(0.06), "/gone": status(404)}) as url:
        yield url


def test_a_url_is_checked_by_its_target_and_without_a_baseline(url: str, tmp_path: Path) -> None:
    (tmp_path / "baselines.yaml").write_text(INVALID, encoding="utf-8")
    done = perfcheck("run", f"{url}/a", "--target", "2s", "-q", "-o", "run.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (result,) = read_run(tmp_path / "run.json").endpoints
    assert (result.name, result.target_ms, result.warning_ms, result.critical_ms) == ("/a", 2000, 3000, 4000)
    assert "baselines.yaml" not in done.stdout


def test_a_breach_can_be_repeated_as_the_report_has_it(url: str, tmp_path: Path) -> None:
    done = perfcheck("run", f"{url}/slow", f"{url}/a", "--target", "20ms", "--confirm", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "over 2x its target of 20 ms (limit 40 ms)" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.strip().startswith("rerun")]
    words = shlex.split(line)[1:]
    assert words == ["perfcheck", "run", "--target", "20ms", f"{url}/slow", f"{url}/a"]
    assert perfcheck(*words[1:], "--confirm", "0", cwd=tmp_path).returncode == 1


def test_without_a_target_it_is_an_endpoint_without_one(url: str, tmp_path: Path) -> None:
    done = perfcheck("run", url, cwd=tmp_path)
    assert done.returncode == 0
    assert "only failures and latencies over 500 ms are found" in done.stdout
    assert "--target 300ms" in done.stdout
    assert "baseline update" not in done.stdout


def test_what_the_environment_sets_for_baselines_is_ignored(url: str, tmp_path: Path) -> None:
    env = {"PERFCHECK_BASELINE": "absent.yaml", "PERFCHECK_BASE_URL": "http://127.0.0.1:9", "PERFCHECK_GROUP": "core"}
    done = perfcheck("run", f"{url}/a", cwd=tmp_path, env={**env, "PERFCHECK_TARGET": "2s"})
    assert (done.returncode, done.stderr) == (0, "")
    baseline = f"version: 1\nservice: {{base_url: {url}}}\nendpoints: {{a: {{path: /a, target: 1s}}}}\n"
    (tmp_path / "baselines.yaml").write_text(baseline, encoding="utf-8")
    assert perfcheck("run", cwd=tmp_path, env={"PERFCHECK_TARGET": "2s"}).returncode == 0


@pytest.mark.parametrize("format_", FORMATS)
def test_every_report_shows_it_and_no_secret(url: str, tmp_path: Path, format_: str) -> None:
    secret = url.replace("//", "//user:pass-word@") + "/gone?token=s3cr3t-value&n=1"
    done = perfcheck("run", secret, "--target", "1s", "--confirm", "0", "--report", f"{format_}=out", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    text = (tmp_path / "out").read_text(encoding="utf-8")
    assert "/gone" in text
    for shown in (text, done.stdout, done.stderr):
        assert "pass-word" not in shown
        assert "s3cr3t" not in shown


def test_its_runs_can_be_saved_and_compared(url: str, tmp_path: Path) -> None:
    for options in ((f"{url}/", "--save", "--label", "v1"), ("--against", "v1")):
        done = perfcheck("run", f"{url}/a", "--target", "2s", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert "Compared with v1" in done.stdout
    assert "gone" not in done.stdout
    assert "monitor" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        (("--target", "300ms"), "--target needs a URL", "perfcheck run URL --target 300ms"),
        (("a", "--target", "300ms"), "--target needs a URL", "perfcheck run URL --target 300ms"),
        (("URL", "a"), "'a' is not a URL", "only URLs, or only endpoints"),
        (("URL", "-f", "baselines.yaml"), "-f cannot be used with a URL", "leave one of them out"),
        (("URL", "-g", "core"), "-g cannot be used with a URL", "leave one of them out"),
        (("URL", "-u", "http://localhost"), "-u cannot be used with a URL", "leave one of them out"),
        (("URL", "--demo"), "--demo cannot be used with a URL", "leave one of them out"),
        (("URL", "--target", "300"), "a duration needs a unit", "did you mean 300ms?"),
        (("URL", "--target", "0ms"), "--target must be more than 0", "--target 300ms"),
        (("URL", "http://127.0.0.1:9/"), "different services", "once for each"),
    ],
)
def test_what_contradicts_a_url_is_an_error(
    url: str, tmp_path: Path, arguments: tuple[str, ...], message: str, remedy: str
) -> None:
    done = perfcheck("run", *(url if each == "URL" else each for each in arguments), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert remedy in done.stderr


def test_its_remedies_are_for_one_who_has_no_baseline(url: str, tmp_path: Path) -> None:
    done = perfcheck("run", f"{url}/gone", "--confirm", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "is the URL right?" in done.stdout
    assert "base_url" not in done.stdout
    down = perfcheck("run", "http://127.0.0.1:9/x", "--skip-unreachable", cwd=tmp_path)
    assert "start it, or correct the URL" in down.stderr


def test_a_url_without_its_scheme_is_suggested(tmp_path: Path) -> None:
    hint = "did you mean http://localhost:8000/api?"
    assert hint in perfcheck("run", "localhost:8000/api", cwd=tmp_path).stderr
    baseline = "version: 1\nservice: {base_url: http://127.0.0.1:9}\nendpoints: {a: {path: /a, target: 1s}}\n"
    (tmp_path / "baselines.yaml").write_text(baseline, encoding="utf-8")
    assert hint in perfcheck("run", "localhost:8000/api", cwd=tmp_path).stderr


def test_without_a_baseline_the_error_names_what_writes_one(tmp_path: Path) -> None:
    done = perfcheck("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "'perfcheck init' writes one" in done.stderr
    assert len(done.stderr.splitlines()) == 2
