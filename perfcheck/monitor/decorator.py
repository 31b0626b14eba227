"""``@monitor_performance("api.videos.list")`` for handlers of every kind.

Alone, it counts each call from its beginning to the return of the function (of a generator: to its end). Within a
middleware of the monitor it gives the request its name, and the middleware times it to the last byte. The first
decorated function of a request is its handler; those that it calls are spans of its trace.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from time import perf_counter_ns
from types import CoroutineType
from typing import Any, TypeVar, overload

from perfcheck.monitor.frameworks import PLAIN, is_cancellation, of_exception, of_result
from perfcheck.monitor.lifecycle import Request, begin_call, current, last_request, request_class, set_current
from perfcheck.monitor.registry import bounded, default
from perfcheck.monitor.trace import span

_Handler = TypeVar("_Handler")
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "trace", "query")
_GIVEN = {"options", "head", "trace"}  # that a framework's base class may bring along
DISPATCHERS = ("dispatch", "dispatch_request", "__call__")


@overload
def monitor_performance(name: str | None = None) -> Callable[[_Handler], _Handler]: ...
@overload
def monitor_performance(name: _Handler) -> _Handler: ...
def monitor_performance(name: Any = None) -> Any:
    """Count every call of a handler under ``name``, or under its module and qualified name.

    Takes functions, coroutine functions, generators of both kinds, methods, and classes of views, whose handlers
    (``get``, ``post``, ...; else ``dispatch``) are counted as ``name.get`` and so on. Signature, return value and
    exceptions stay what they are. Raises TypeError, when the module is loaded, for what cannot be called.
    """
    if name is None or isinstance(name, str):
        return functools.partial(_monitored, name=name)
    return _monitored(name, name=None)


def _monitored(handler: Any, *, name: str | None) -> Any:
    if isinstance(handler, staticmethod | classmethod):
        return type(handler)(_monitored(handler.__func__, name=name))
    if isinstance(handler, type):
        return _monitored_class(handler, name)
    if not callable(handler):
        raise TypeError(f"monitor_performance needs a callable, not {handler!r}")
    shown = bounded(name or qualified_name(handler))
    call = handler if inspect.isroutine(handler) or isinstance(handler, functools.partial) else handler.__call__
    if inspect.iscoroutinefunction(call):
        wrapper: Any = _coroutine(handler, shown)
    elif inspect.isasyncgenfunction(call):
        wrapper = _async_generator(handler, shown)
    elif inspect.isgeneratorfunction(call):
        wrapper = _generator(handler, shown)
    else:
        wrapper = _function(handler, shown)
    functools.update_wrapper(wrapper, handler)
    wrapper.perfcheck_endpoint = shown  # for the route table
    return wrapper


def qualified_name(handler: Any) -> str:
    named = handler if hasattr(handler, "__qualname__") else getattr(handler, "func", type(handler))
    return f"{named.__module__}.{named.__qualname__}".replace(".<locals>", "")


def _monitored_class(view: type, name: str | None) -> type:
    """The class itself, with its handlers replaced: frameworks compare and subclass it."""
    shown = name or qualified_name(view)
    handlers = [method for method in _METHODS if inspect.isroutine(getattr(view, method, None))]
    if not set(handlers) - _GIVEN:  # a class that does its work elsewhere, in actions that it dispatches to
        handlers = [each for each in DISPATCHERS if inspect.isfunction(getattr(view, each, None))][:1] or handlers
    if not handlers:
        raise TypeError(f"{view.__qualname__} has no handler to monitor: none of {', '.join(_METHODS + DISPATCHERS)}")
    for handler in handlers:
        own = inspect.getattr_static(view, handler)
        setattr(view, handler, _monitored(own, name=f"{shown}.{handler.strip('_')}"))
    return view


def _function(handler: Callable[..., Any], name: str) -> Callable[..., Any]:
    kind = request_class(name)

    # Most calls take this path or that of _coroutine: no step is in a function of its own, which would cost a call.
    def monitored(*args: Any, **kwargs: Any) -> Any:
        outer = last_request()
        if outer is not None and outer in default.running:
            if outer.adopt(name):
                return handler(*args, **kwargs)
            with span(name):
                return handler(*args, **kwargs)
        request = kind()
        set_current(request)
        default.running.add(request)
        request.started_ns = perf_counter_ns()
        try:
            result = handler(*args, **kwargs)
        except BaseException as error:
            _failed(request, error)
            raise
        if type(result) in PLAIN and request.trace is None:
            default.record_return(request, name)
            set_current(None)
            return result
        if type(result) is CoroutineType:  # a plain function around a coroutine function
            request.leave()
            return _awaited(request, result)
        _succeeded(request, result)
        return result

    return monitored


def _coroutine(handler: Callable[..., Coroutine[Any, Any, Any]], name: str) -> Callable[..., Any]:
    kind = request_class(name)

    async def monitored(*args: Any, **kwargs: Any) -> Any:
        outer = last_request()
        if outer is not None and outer in default.running:
            if outer.adopt(name):
                return await handler(*args, **kwargs)
            with span(name):
                return await handler(*args, **kwargs)
        request = kind()
        set_current(request)
        default.running.add(request)
        request.started_ns = perf_counter_ns()
        try:
            result = await handler(*args, **kwargs)
        except BaseException as error:
            _failed(request, error)
            raise
        if type(result) in PLAIN and request.trace is None:
            default.record_return(request, name)
            set_current(None)
        else:
            _succeeded(request, result)
        return result

    return monitored


async def _awaited(request: Request, coroutine: Coroutine[Any, Any, Any]) -> Any:
    request.enter()
    try:
        result = await coroutine
    except BaseException as error:
        _failed(request, error)
        raise
    _succeeded(request, result)
    return result


def _generator(handler: Callable[..., Generator[Any, Any, Any]], name: str) -> Callable[..., Any]:
    """PEP 380's delegation, written out: the request is current only while the handler runs, not while it waits."""
    kind = request_class(name)

    def monitored(*args: Any, **kwargs: Any) -> Any:
        outer = current()
        if outer is not None:
            outer.adopt(name)
            return (yield from handler(*args, **kwargs))
        request = begin_call(kind)
        try:
            inner = handler(*args, **kwargs)
            resume: Callable[[], Any] = functools.partial(next, inner)
            while True:
                request.enter()
                try:
                    item = resume()
                except StopIteration as stop:
                    request.finish()
                    return stop.value
                finally:
                    request.leave()
                request.responding()
                try:
                    sent = yield item
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - passed to the handler, which decides
                    resume = functools.partial(inner.throw, thrown)
                else:
                    resume = functools.partial(inner.send, sent)
        except BaseException as error:
            _failed(request, error)
            raise

    return monitored


def _async_generator(handler: Callable[..., AsyncGenerator[Any, Any]], name: str) -> Callable[..., Any]:
    kind = request_class(name)

    async def monitored(*args: Any, **kwargs: Any) -> Any:
        outer = current()
        request = begin_call(kind) if outer is None else None
        if outer is not None:
            outer.adopt(name)
        try:
            inner = handler(*args, **kwargs)
            resume: Callable[[], Any] = inner.__anext__
            while True:
                if request is not None:
                    request.enter()
                try:
                    item = await resume()
                except StopAsyncIteration:
                    break
                finally:
                    if request is not None:
                        request.leave()
                if request is not None:
                    request.responding()
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - passed to the handler, which decides
                    resume = functools.partial(inner.athrow, thrown)
                else:
                    resume = functools.partial(inner.asend, sent)
        except BaseException as error:
            if request is not None:
                _failed(request, error)
            raise
        if request is not None:
            request.finish()

    return monitored


def _succeeded(request: Request, result: object) -> None:
    try:
        status, size = of_result(result)
    except Exception as error:  # noqa: BLE001 - the framework will raise it as well
        default.count_failure(error)
        status = size = None
    request.finish(status=status, response_bytes=size)


def _failed(request: Request, error: BaseException) -> None:
    """Never raises, so that the traceback is the handler's own."""
    if is_cancellation(error):
        request.finish(disconnected=True)
        return
    try:
        status = of_exception(error)
    except Exception as failure:  # noqa: BLE001
        default.count_failure(failure)
        status = None
    request.finish(status=status, error=status is None)
