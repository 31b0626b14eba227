"""The report of a period as JSON, for other programs.

History of the format: perfcheck.period/1 (0.2.0), the first; its fields are those of PeriodReport.
"""

from __future__ import annotations

import msgspec

from perfcheck.periods.model import PeriodReport


def encode_period(report: PeriodReport) -> bytes:
    """UTF-8 with a final newline; absent values are null."""
    return msgspec.json.encode(report) + b"\n"
