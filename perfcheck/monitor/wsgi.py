"""``app = Monitor(app)`` for any WSGI application: every request is counted, and timed to the last byte of its body.

The response is the application's own, byte for byte: nothing is buffered, nothing is added but a Server-Timing header
where that is switched on. A body of known length still has one, and a file still goes out by the server's sendfile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from perfcheck.monitor.frameworks import endpoint_name, is_cancellation, wsgi_template
from perfcheck.monitor.lifecycle import Request, begin
from perfcheck.monitor.registry import default
from perfcheck.monitor.settings import settings

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_SEEN = "perfcheck.monitor"  # in the environ: another Monitor counts this request already


class Monitor:
    """``route_of`` returns the template of a request's route, where no framework leaves it: ``/videos/<id>``, or None.

    It must come from a limited set, never from the path itself. ``api`` mounts the statistics API.
    """

    def __init__(
        self, app: Application, *, route_of: Callable[[Environ], str | None] | None = None, api: bool = True
    ) -> None:
        self.app = app
        self._route_of = route_of
        self._api = api
        default.is_served = True
        self.outermost: Any = None  # the application of which this is a part, where it is known

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get(_SEEN) is not None:
            return self.app(environ, start_response)
        if self._api and str(environ.get("PATH_INFO") or "").startswith(settings().prefix):
            body = _api_body(environ, start_response, self.outermost or self)
            if body is not None:
                return body
        template = partial(self._template, environ, environ.get("SCRIPT_NAME") or "")
        request = begin(
            route=lambda: endpoint_name(environ.get("REQUEST_METHOD"), template()),
            query=environ.get("QUERY_STRING") or "",
        )
        environ[_SEEN] = True  # not the request, which would be a reference cycle
        response = _Response(request, start_response, partial(_name, request, environ, template))
        try:
            body = self.app(environ, response.start)
        except BaseException as error:
            request.finish(error=True, disconnected=is_cancellation(error))
            raise
        request.leave()
        return response.around(body, environ)

    def _template(self, environ: Environ, script_name: str) -> str | None:
        """``script_name`` is what the environ had at first: a dispatcher adds what it mounts applications at."""
        own = self._route_of(environ) if self._route_of is not None else None
        template = own or wsgi_template(environ)
        if own or template is None or environ.get("SCRIPT_NAME", "") == script_name:
            return template
        return self._mount(environ["SCRIPT_NAME"][len(script_name) :]) + template

    def _mount(self, path: str) -> str:
        """If it is one: other middleware may add what the client chose."""
        from perfcheck.monitor.wsgi_routes import mounted_apps  # noqa: PLC0415 - few need it

        return path if any(mounted.prefix == path for mounted in mounted_apps(self, Monitor)) else ""


def _name(request: Request, environ: Environ, template: Callable[[], str | None]) -> None:
    """While the application responds: Flask forgets the rule when it is done."""
    known = template()
    if known is not None:
        request.name(endpoint_name(environ.get("REQUEST_METHOD"), known))


class _Response:
    __slots__ = ("done", "length", "name", "request", "sent", "start_response", "status")

    def __init__(self, request: Request, start_response: StartResponse, name: Callable[[], None]) -> None:
        self.request = request
        self.start_response = start_response
        self.name = name
        self.status: int | None = None
        self.length: int | None = None
        self.sent = 0
        self.done = False

    def start(
        self, status: str, headers: Iterable[tuple[str, str]], *exc_info: Any, **keywords: Any
    ) -> Callable[[bytes], object]:
        if not isinstance(headers, list | tuple):  # some servers take an iterator, which can be read once
            headers = list(headers)
        try:
            self.status = int(status[:3]) if status[:3].isdigit() else None
            self.length = next((int(value) for name, value in headers if name.lower() == "content-length"), None)
            self.request.responding()
            self.name()
            if settings().server_timing:
                headers = [*headers, ("Server-Timing", self.request.server_timing())]
        except Exception as error:  # noqa: BLE001 - the server will report it
            default.count_failure(error)
        return partial(self._written, self.start_response(status, headers, *exc_info, **keywords))

    def _written(self, write: Callable[[bytes], object], data: bytes) -> object:
        result = write(data)
        self.sent += len(data)
        return result

    def around(self, body: Iterable[bytes], environ: Environ) -> Iterable[bytes]:
        """A body that finishes the request at its end."""
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(body, wrapper) and self._finish_on_close(body):
            return body
        return _SizedBody(body, self) if hasattr(body, "__len__") else _Body(body, self)

    def _finish_on_close(self, body: Any) -> bool:
        """For the server's own file wrapper, which must stay what it is for sendfile to be used."""
        close = getattr(body, "close", None)

        def closing() -> None:
            try:
                if close is not None:
                    close()
            finally:
                self.finish(sent=self.length)

        try:
            body.close = closing
        except (AttributeError, TypeError):
            return False
        return True

    def finish(self, *, error: bool = False, disconnected: bool = False, sent: int | None = None) -> None:
        if self.done:  # closed, and now collected
            return
        self.done = True
        self.request.finish(
            status=self.status,
            error=error,
            disconnected=disconnected,
            response_bytes=self.sent if sent is None else sent,
        )


class _Body:
    """Passes on the parts of the application's body, and sees its end."""

    __slots__ = ("_body", "_ended", "_iterator", "_response")

    def __init__(self, body: Iterable[bytes], response: _Response) -> None:
        self._body = body
        self._iterator: Iterator[bytes] | None = None
        self._response = response
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        response = self._response
        response.request.enter()
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            chunk = next(self._iterator)
            response.sent += len(chunk)
        except StopIteration:
            self._ended = True
            raise
        except BaseException as error:
            self._ended = True
            response.finish(error=True, disconnected=is_cancellation(error))
            raise
        finally:
            response.request.leave()
        return chunk

    def close(self) -> None:
        """Called by the server in any case: after the last byte, or when the client left before it."""
        request = self._response.request
        request.enter()
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException:
            self._response.finish(error=True)
            raise
        finally:
            request.leave()
            self._response.finish(disconnected=not self._ended)

    def __del__(self) -> None:
        """For a server that forgets to close: the request must not stay in flight."""
        self._response.finish(disconnected=not self._ended)


class _SizedBody(_Body):
    """Of known length: a server may set Content-Length from a body of one part."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _api_body(environ: Environ, start_response: StartResponse, routed: Any) -> Iterable[bytes] | None:
    """The body of the statistics API's response, where the request is for it."""
    from perfcheck.monitor import api, wsgi_routes  # noqa: PLC0415 - not needed before the first request for it

    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    answer = api.answer(
        str(environ.get("REQUEST_METHOD", "GET")),
        str(environ.get("PATH_INFO", "")),
        str(environ.get("QUERY_STRING", "")),
        headers,
        environ.get("REMOTE_ADDR"),
        router=partial(wsgi_routes.router_of, routed, environ, Monitor),
    )
    if answer is None:
        return None
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(answer.headers))
    return [answer.body]
