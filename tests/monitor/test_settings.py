"""Settings: the environment can be wrong without harm, code cannot be wrong unnoticed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from perfcheck.monitor.settings import Settings, configure, from_environment, restore_defaults, settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PERFCHECK_MONITOR_TOKEN", raising=False)
    restore_defaults()
    yield
    restore_defaults()


def test_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFCHECK_MONITOR_TOKEN", "first")
    assert settings().token == "first"
    monkeypatch.setenv("PERFCHECK_MONITOR_TOKEN", "second")
    assert settings().token == "first"
    assert configure(slow_s=0.25).token == "first"
    assert settings().slow_s == 0.25


def test_what_is_configured_while_the_environment_is_read_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Configures(logging.Handler):
        """In the middle of the first use, as another thread may."""

        def emit(self, _: logging.LogRecord) -> None:
            log.removeHandler(self)
            configure(token="given")

    log = logging.getLogger("perfcheck.monitor")
    log.addHandler(Configures())
    monkeypatch.setenv("PERFCHECK_MONITOR_WINDOW", "many")  # which is logged
    assert settings().token == settings().token == "given"


def test_every_setting_has_its_variable() -> None:
    read = from_environment(
        {
            "PERFCHECK_MONITOR_DIR": "/run/shop",
            "PERFCHECK_MONITOR_TOKEN": "t",
            "PERFCHECK_MONITOR_SERVER_TIMING": "yes",
            "PERFCHECK_MONITOR_SLOW_S": "0.3",
            "PERFCHECK_MONITOR_VERY_SLOW_S": "2",
            "PERFCHECK_MONITOR_WINDOW": "10",
            "PERFCHECK_MONITOR_MAX_ENDPOINTS": "50",
            "PERFCHECK_MONITOR_PREFIX": "/perf",
            "PERFCHECK_MONITOR_N_PLUS_ONE": "5",
            "PERFCHECK_MONITOR_VARIANTS": "sort, order",
        }
    )
    expected = Settings(0.3, 2.0, 10, 50, "/run/shop", "t", server_timing=True, prefix="/perf", n_plus_one=5)
    assert read == replace(expected, variants=("sort", "order"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SLOW_S", "fast"),
        ("SLOW_S", "-1"),
        ("SLOW_S", "nan"),
        ("WINDOW", "1.5"),
        ("WINDOW", "0"),
        ("MAX_ENDPOINTS", "1000000000"),
        ("SERVER_TIMING", "perhaps"),
        ("PREFIX", "api"),
        ("PREFIX", "/"),
        ("N_PLUS_ONE", "1"),
        ("VARIANTS", "sort,"),
    ],
)
def test_nonsense_in_the_environment_is_reported_and_left(
    name: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "perfcheck.monitor"):
        assert from_environment({f"PERFCHECK_MONITOR_{name}": text, "PERFCHECK_MONITOR_TOKEN": "t"}).token == "t"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"PERFCHECK_MONITOR_{name} is ignored" in caplog.text


@pytest.mark.parametrize(
    "change", [{"slow_s": 0}, {"window": True}, {"token": ""}, {"prefix": "x"}, {"server_timing": 1}, {"nonsense": 1}]
)
def test_nonsense_in_code_is_refused_and_changes_nothing(change: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        configure(**change)
    assert settings() == Settings()


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(Settings(token="secret"))
    assert "***" in str(Settings(token="secret"))


def test_a_log_that_fails_changes_nothing() -> None:
    class Broken(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            raise OSError("disk full")

    handler = Broken()
    logging.getLogger("perfcheck.monitor").addHandler(handler)
    try:
        assert from_environment({"PERFCHECK_MONITOR_WINDOW": "many"}).window == 100
    finally:
        logging.getLogger("perfcheck.monitor").removeHandler(handler)
