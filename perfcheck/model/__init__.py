"""The vocabulary: every part of perfcheck uses these types, and nothing here does any work.

Latencies are milliseconds (``*_ms``), durations of the tool itself are seconds (``*_s``), sizes are bytes, rates are
fractions between 0 and 1.
"""

from perfcheck.model.baseline import (
    Baseline,
    CompareLimits,
    Endpoint,
    ErrorLimits,
    Group,
    Metric,
    Sampling,
    Secret,
    Service,
    Tls,
    UndecidedPolicy,
)
from perfcheck.model.comparison import Against, Changed, ComparedHow, Comparison
from perfcheck.model.findings import Finding, Rule, Severity, Verdict, heaviest_first, verdict_of, worst
from perfcheck.model.monitor import MonitoredEndpoint, MonitorReading, MonitorStatus, Repeated
from perfcheck.model.run import (
    BaselineInfo,
    Counts,
    EndpointResult,
    Environment,
    LatencySummary,
    PhaseSummary,
    Reference,
    Requests,
    Run,
    RunnerHealth,
    ServiceInfo,
    Source,
    Timeline,
    Tool,
)
from perfcheck.model.sample import Decision, Failure, Fetched, Measurement, Phases, Sample, Stop

__all__ = [
    "Against",
    "Baseline",
    "BaselineInfo",
    "Changed",
    "CompareLimits",
    "ComparedHow",
    "Comparison",
    "Counts",
    "Decision",
    "Endpoint",
    "EndpointResult",
    "Environment",
    "ErrorLimits",
    "Failure",
    "Fetched",
    "Finding",
    "Group",
    "LatencySummary",
    "Measurement",
    "Metric",
    "MonitorReading",
    "MonitorStatus",
    "MonitoredEndpoint",
    "PhaseSummary",
    "Phases",
    "Reference",
    "Repeated",
    "Requests",
    "Rule",
    "Run",
    "RunnerHealth",
    "Sample",
    "Sampling",
    "Secret",
    "Service",
    "ServiceInfo",
    "Severity",
    "Source",
    "Stop",
    "Timeline",
    "Tls",
    "Tool",
    "UndecidedPolicy",
    "Verdict",
    "heaviest_first",
    "verdict_of",
    "worst",
]
