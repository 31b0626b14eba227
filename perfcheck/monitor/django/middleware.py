"""The middleware for Django, under WSGI and ASGI: put it first in ``MIDDLEWARE``, so that it covers the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from perfcheck.monitor.django.databases import watch_databases, watch_open_connections
from perfcheck.monitor.django.passage import Passage
from perfcheck.monitor.log import tell


class MonitorMiddleware:
    """Times each request until its response has been sent and closed, counts its queries, and names it by its route.

    Behind ``wsgi.Monitor`` or ``asgi.Monitor`` it gives their request its name, and counts nothing twice.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        _safely(watch_databases)

    def __call__(self, request: Any) -> Any:
        return self._answer_async(request) if self._is_async else self._answer(request)

    def _answer(self, request: Any) -> Any:
        _safely(watch_open_connections)
        passage = Passage(request)
        try:
            response = self._get_response(request)
        except BaseException as error:
            passage.failed(error)
            raise
        passage.answered(response)
        return response

    async def _answer_async(self, request: Any) -> Any:
        passage = Passage(request, asyncio.current_task())
        try:
            response = await self._get_response(request)
        except BaseException as error:
            passage.failed(error)
            raise
        passage.answered(response)
        return response


def _safely(watch: Callable[[], None]) -> None:
    try:
        watch()
    except Exception:  # noqa: BLE001 - a monitor that sees no queries is better than no service
        tell(logging.ERROR, "the databases cannot be watched", exc_info=True)
