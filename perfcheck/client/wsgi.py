"""A WSGI application, called in this thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx

from perfcheck.client.app_reply import AppReply


class WsgiApplication:
    interface = "WSGI"

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def start(self, timeout_s: float) -> None:
        """WSGI has nothing to start."""

    def stop(self) -> None: ...

    def respond(self, request: httpx.Request, reply: AppReply, timeout_s: float) -> None:  # noqa: ARG002
        """Nothing can interrupt the application but between two pieces of its response, whatever ``timeout_s``."""

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
                code, _, reason = status.partition(" ")
                reply.begin(int(code), reason, [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers])
                if exc_info:
                    reply.raised = exc_info[1]
                start_response(status, [])
                return reply.add

            # As PEP 3333 wants it: bytes, each as the character of that number.
            environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")
            reply.call()
            return self._application(environ, begin)

        try:
            stream = httpx.WSGITransport(application, raise_app_exceptions=False).handle_request(request).stream
            try:
                for piece in stream:  # type: ignore[union-attr]
                    reply.add(piece)
                    if reply.has_enough:
                        break
                reply.end()
            finally:
                stream.close()  # type: ignore[union-attr]
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the application raises is its failure
            reply.fail(error)
