from __future__ import annotations

import mmap
import os
import sys
import threading
import time

from perfcheck.monitor.metrics import process_usage


def test_what_this_process_uses() -> None:
    usage = process_usage()
    assert usage.pid == os.getpid()
    assert usage.threads == threading.active_count()
    assert usage.peak_memory_bytes is not None
    assert 1_000_000 < usage.peak_memory_bytes < 100_000_000_000


def test_the_memory_that_is_taken_is_seen() -> None:
    before = process_usage().memory_bytes
    if not sys.platform.startswith("linux"):
        assert before is None
        return
    with mmap.mmap(-1, 50_000_000) as taken:  # not from the heap, where freed memory may be at hand
        for page in range(0, len(taken), mmap.PAGESIZE):
            taken[page] = 1
        after = process_usage().memory_bytes
    assert before is not None
    assert after is not None
    assert after - before > 45_000_000


def test_cpu_time_grows_with_work_and_not_with_sleep() -> None:
    idle = process_usage().cpu_seconds
    time.sleep(0.05)
    before = process_usage().cpu_seconds
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = process_usage().cpu_seconds
    assert after - before >= 0.05
    assert before >= idle


def test_the_share_is_of_the_time_that_was_watched() -> None:
    usage = process_usage()
    assert usage.cpu_share is not None
    assert usage.cpu_share >= 0
    assert 0 < usage.observed_seconds <= time.monotonic()
