"""A check of an application in this process: the same sampler and verdicts, without a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from perfcheck.client.in_process import InProcessClient, in_process_url
from perfcheck.engine.check import check
from perfcheck.engine.session import Outcome
from perfcheck.model import Baseline, Service, Verdict
from perfcheck.text import Redactor


def check_in_process(
    baseline: Baseline,
    application: object,
    *,
    names: Sequence[str] = (),
    fail_on: Verdict | None = Verdict.CRITICAL,
    lifespan: bool = True,
    raised: Callable[[BaseException], None] = lambda _: None,
) -> Outcome:
    """As ``perfcheck.engine.check.check``, of a WSGI or ASGI application instead of the service of ``baseline``.

    Of its service only the path of ``base_url``, ``headers``, ``ready_timeout`` and ``trace`` are used; one request is
    sent at a time. ``lifespan``: run the startup and the shutdown of an ASGI application around it. ``raised`` is
    called with what the application raises. Raises UsageError, also for what is no application.
    """

    def open_client(service: Service, redact: Redactor, seed: int) -> InProcessClient:
        return InProcessClient(
            service, redact=redact, application=application, lifespan=lifespan, raised=raised, seed=seed
        )

    return check(_in_process(baseline), names=names, fail_on=fail_on, open_client=open_client)


def _in_process(baseline: Baseline) -> Baseline:
    service = baseline.service
    service = Service(
        in_process_url(service.base_url),
        ready_timeout_s=service.ready_timeout_s,
        headers=service.headers,
        trace=service.trace,
        trace_url=service.trace_url,
        cookies=service.cookies,
        digest=service.digest,
    )
    return replace(baseline, service=service, sampling=replace(baseline.sampling, connections=1))
