"""The sample service as a WSGI application. With ``SLOWER_BY=0.2`` in the environment a request takes 20% longer."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from services import end_with_stdin

from perfcheck.demo.call import ApiRequest
from perfcheck.demo.service import SampleService

end_with_stdin()
_SERVICE = SampleService()
_SERVICE.prepare()
_SLOWER_BY = float(os.environ.get("SLOWER_BY", "0"))


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    started_s = time.perf_counter()
    request = ApiRequest(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], {}, b"")
    reply = _SERVICE.answer(request)
    body = json.dumps(reply.body).encode()
    time.sleep(_SLOWER_BY * (time.perf_counter() - started_s))
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{reply.status.value} {reply.status.phrase}", headers)
    return [body]
