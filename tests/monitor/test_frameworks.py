"""What counts as a cancellation from outside, and what as an error of the handler."""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys

import pytest

from perfcheck.monitor.frameworks import is_cancellation


class Own(asyncio.CancelledError):
    """As a library derives one."""


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Own(), GeneratorExit()])
def test_a_handler_that_is_stopped_from_outside(error: BaseException) -> None:
    assert is_cancellation(error)


@pytest.mark.parametrize(
    "error", [concurrent.futures.CancelledError(), RuntimeError(), KeyboardInterrupt(), SystemExit(1), TimeoutError()]
)
def test_a_handler_that_fails(error: BaseException) -> None:
    assert not is_cancellation(error)


@pytest.mark.parametrize("module", ["perfcheck.monitor.wsgi", "perfcheck.demo.demo_server"])
def test_a_synchronous_service_does_not_wait_for_asyncio(module: str) -> None:
    code = f"import sys, {module}; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
