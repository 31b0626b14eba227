from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from simulation.runs import HOSTILE_NAME, decision, endpoint, result, run, samples, spread

from perfcheck.errors import UsageError
from perfcheck.model import PROOF, Rule, Verdict
from perfcheck.runfile import FORMAT, decode_run, encode_run, read_run, write_atomically

# One file of each version that was ever released, written by that version. Never edit or delete one.
OLD_VERSIONS = sorted((Path(__file__).parent / "versions").glob("*.json"))


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    before = run()
    (tmp_path / "run.json").write_bytes(encode_run(before))
    assert read_run(tmp_path / "run.json") == before


def test_fields_are_those_of_the_format() -> None:
    data = json.loads(encode_run(run()))
    assert list(data) == [
        "format",
        "id",
        "label",
        "started_at",
        "finished_at",
        "duration_ms",
        "tool",
        "environment",
        "service",
        "baseline",
        "seed",
        "alpha",
        "verdict",
        "exit_code",
        "complete",
        "counts",
        "runner",
        "findings",
        "endpoints",
        "command",
        "groups",
        "against",
        "excluded_failure_rate",
        "excluded_failure_rate_of_service",
        "operations",
        "capacity",
    ]
    assert set(data["endpoints"][0]) >= {
        "name",
        "group",
        "method",
        "url",
        "verdict",
        "decided",
        "metric",
        "value_ms",
        "interval_ms",
        "target_ms",
        "ideal_ms",
        "warning_ms",
        "critical_ms",
        "ceiling_ms",
        "ratio",
        "requests",
        "error_rate",
        "errors",
        "latency_ms",
        "phases_ms",
        "body_bytes",
        "server_timing",
        "samples_ms",
        "findings",
        "concurrency",
        "unconfirmed",
    }
    assert set(data["endpoints"][0]["findings"][0]) == {
        "rule",
        "severity",
        "value",
        "limit",
        "unit",
        "message",
        "remedy",
        "line",
        "step",
    }
    assert data["counts"] == {"ok": 3, "warning": 3, "critical": 3, "not_measured": 1}


def test_absent_is_null_never_zero() -> None:
    never = json.loads(encode_run(run([result(endpoint("never"), [])])))["endpoints"][0]
    assert never["verdict"] == "not measured"
    for key in ("value_ms", "ratio", "error_rate", "body_bytes", "ceiling_ms"):
        assert never[key] is None
    assert set(never["latency_ms"].values()) == {None}


def test_requests_for_the_failure_rate_alone_are_read_back(tmp_path: Path) -> None:
    before = run(
        [result(endpoint("a"), samples(1, spread(40)) + samples(PROOF, spread(40)), decision(Verdict.OK, 40.0))]
    )
    (tmp_path / "run.json").write_bytes(encode_run(before))
    assert read_run(tmp_path / "run.json").endpoints[0].timeline.stage == (1,) * 5 + (PROOF,) * 5


def test_hostile_names_survive_the_round_trip(tmp_path: Path) -> None:
    before = run([result(endpoint(HOSTILE_NAME), samples(1, spread(40)), decision(Verdict.OK, 40.0))])
    (tmp_path / "run.json").write_bytes(encode_run(before))
    assert read_run(tmp_path / "run.json").endpoints[0].name == HOSTILE_NAME


def test_a_rule_of_another_version_is_read_and_written_as_it_is() -> None:
    written = encode_run(run()).replace(b'"rule":"error-rate"', b'"rule":"of-a-later-version"')
    read = decode_run(written, "results.json")
    assert encode_run(read) == written
    unknown = [
        finding.rule for result in read.endpoints for finding in result.findings if finding.rule not in set(Rule)
    ]
    assert unknown
    assert {str(rule) for rule in unknown} == {"of-a-later-version"}
    assert unknown[0] is not Rule.ERROR_RATE
    assert not unknown[0].is_about_latency


def test_a_rule_is_text() -> None:
    written = encode_run(run()).replace(b'"rule":"error-rate"', b'"rule":7')
    with pytest.raises(UsageError, match="damaged run file: Expected `str`, got `int`"):
        decode_run(written, "results.json")


def test_every_old_version_is_read() -> None:
    assert OLD_VERSIONS
    assert {read_run(file).format for file in OLD_VERSIONS} == {FORMAT}


def test_a_run_of_a_version_without_these_fields_was_measured_alone_and_excluded_nothing() -> None:
    old = read_run(OLD_VERSIONS[0])
    assert not any(result.is_screened or result.unconfirmed for result in old.endpoints)
    assert (old.excluded_failure_rate, old.excluded_failure_rate_of_service) == (None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a run file"),
        (b"[1]", "is not a run file"),
        (b"\xff\xfe{}", "is not a run file"),
        (b'{"format": "perfcheck.run/99"}', "has the format 'perfcheck.run/99'"),
        (b'{"format": "perfcheck.run/1"}', "damaged run file: Object missing required field `id`"),
        (encode_run(run())[:-500], "is not a run file"),
    ],
)
def test_what_is_not_a_run_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_run(file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.json: No such file"):
        read_run(tmp_path / "absent.json")


def test_a_write_replaces_the_file_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(b"old and longer than the new")
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
    assert file.stat().st_mode & 0o777 == 0o666 & ~_umask()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_are_kept_on_request(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "baselines.yaml"
    file.write_bytes(b"old")
    file.chmod(mode)
    write_atomically(file, b"new", keep_mode=True)
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"new", mode)


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    folder = tmp_path / "results.json"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        write_atomically(folder, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_bytes(b"old")
    (tmp_path / "link.json").symlink_to("real.json")
    write_atomically(tmp_path / "link.json", b"new")
    assert (tmp_path / "real.json").read_bytes() == b"new"
    assert (tmp_path / "link.json").is_symlink()
    write_atomically(Path(os.devnull), b"gone")
    assert not Path(os.devnull).is_file()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("endpoints", 0, "target_ms"), 0.0, "endpoints[0].target_ms is 0.0"),
        (("endpoints", 1, "value_ms"), 1e308, "endpoints[1].value_ms is out of range"),
        (("endpoints", 1, "value_ms"), -1.0, "endpoints[1].value_ms is out of range"),
        (("endpoints", 1, "latency_ms", "median"), 5e-324, "endpoints[1].latency_ms is out of range"),
        (("endpoints", 1, "samples_ms", 0), 1e300, "endpoints[1].samples_ms is out of range"),
        (("endpoints", 1, "server_timing", "db"), 1e308, "endpoints[1].server_timing is out of range"),
        (("endpoints", 1, "timeline", "stage", 0), 10**15, "endpoints[1].timeline.stage is out of range"),
        (("endpoints", 1, "timeline", "stage", 0), -2, "endpoints[1].timeline.stage is out of range"),
        (("endpoints", 1, "timeline", "at_ms", 0), 1.7e308, "endpoints[1].timeline.at_ms is out of range"),
        (("endpoints", 1, "timeline", "at_ms"), [], "endpoints[1].timeline has arrays of unequal length"),
        (("duration_ms",), -5, "duration_ms is -5"),
        (("alpha",), 0, "alpha is 0"),
        (("endpoints", 0, "concurrency"), 0, "endpoints[0].concurrency is 0"),
        (("excluded_failure_rate",), 1.5, "excluded_failure_rate is 1.5"),
        (("endpoints", 0, "error_rate"), -0.1, "endpoints[0].error_rate is -0.1"),
        (("endpoints", 0, "requests", "sent"), 2**63 - 1, "endpoints[0].requests is out of range"),
    ],
)
def test_what_cannot_have_been_measured_is_refused(
    place: tuple[str | int, ...], value: object, problem: str, tmp_path: Path
) -> None:
    data = json.loads(encode_run(run()))
    inner = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    (tmp_path / "run.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_run(tmp_path / "run.json")
    assert problem in caught.value.message


def test_depth_without_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_text('{"format": "perfcheck.run/1", "x": ' + "[" * 200_000, encoding="utf-8")
    with pytest.raises(UsageError, match="not a run file"):
        read_run(file)
