"""The pytest plugin: a fixture that compares an endpoint of an application with its target, without a server.

Every run of pytest imports this module where perfcheck is installed, so it imports nothing but pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from perfcheck.model import EndpointResult

_PROPERTY = "perfcheck"
_COLOURS = {"CRITICAL": "red", "WARNING": "yellow", "not measured": "yellow", "OK": "green"}  # so the lines begin
_MARKER = (
    "perfcheck(target='50ms', ...): defaults for perfcheck.check() in this test, by the names of its keyword arguments."
)


class Perfcheck:
    """The fixture ``perfcheck``."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._node: pytest.Item = request.node

    def check(self, endpoint: str, *, app: object, **options: Any) -> EndpointResult:
        """Measure ``endpoint`` of the WSGI or ASGI application ``app`` in this process; fails the test if it is slow.

        ``endpoint`` is the name of one in the baseline, or a request such as ``/api/videos/`` or ``HEAD /api/videos/``.
        Options: ``target="50ms"``, ``fail_on="warning"``, ``lifespan=False``; of a request every key that an endpoint
        has in a baseline, of a name also ``metric``. They take precedence over those of ``@pytest.mark.perfcheck``.
        """
        __tracebackhide__ = True
        from perfcheck.pytest.checking import check_endpoint

        for marker in self._node.iter_markers("perfcheck"):  # the closest first
            if marker.args:
                pytest.fail(
                    f"perfcheck: @pytest.mark.perfcheck takes keyword arguments, not {marker.args}", pytrace=False
                )
            options = {**marker.kwargs, **options}
        checked = check_endpoint(endpoint, app, options, self._node.config)
        if checked.line:
            self._node.user_properties.append((_PROPERTY, checked.line))
        if checked.traceback:  # a section of its own: in CI pytest repeats the failure's text in its summary
            self._node.add_report_section("call", "traceback of the application", checked.traceback)
        if checked.result is None or checked.failure:
            pytest.fail(checked.failure or "", pytrace=False)
        return checked.result


@pytest.fixture
def perfcheck(request: pytest.FixtureRequest) -> Perfcheck:
    """Compares an endpoint of an application in this process with its target: ``perfcheck.check(NAME, app=app)``."""
    return Perfcheck(request)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("perfcheck_baseline", "The baseline file of perfcheck; by default baselines.yaml in the rootdir.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each check, the worst first; also of those in other processes, since reports have properties."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    checks = [
        (report.nodeid, line)
        for report in reports
        if getattr(report, "when", None) == "teardown"  # which every test has, and once
        for name, line in report.user_properties
        if name == _PROPERTY
    ]
    if checks:
        terminalreporter.write_sep("=", "perfcheck: in-process latencies")
    for verdict, colour in _COLOURS.items():
        for nodeid, line in sorted(checks):
            if line.startswith(verdict):
                terminalreporter.write_line(f"{line} ({nodeid})", **{colour: True})
