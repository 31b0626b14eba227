"""Where a service has its OpenAPI document: at one of the usual places, or where a page that shows it says."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from perfcheck.baseline.addresses import check_base_url
from perfcheck.client.client import Client
from perfcheck.client.prepared_request import without_password
from perfcheck.discover.actions import action_word
from perfcheck.discover.foreign_json import Object, as_object
from perfcheck.discover.hosts import host_of
from perfcheck.discover.lenient import Fetch, lenient
from perfcheck.discover.openapi.pages import addresses_in, documents_in
from perfcheck.discover.openapi.parser import LARGEST, UnreadableError, is_openapi, parse_document, parse_openapi
from perfcheck.discover.path_segments import path_below
from perfcheck.errors import CouldNotMeasureError, UsageError
from perfcheck.model import Endpoint, Fetched, Service
from perfcheck.text import Redactor, clean
from perfcheck.units import WrongValueError

_PLACES = """
    /openapi.json /swagger.json /openapi.yaml /openapi.yml /openapi /spec.json /apispec_1.json /apispec.json /schema
    /api/openapi.json /api/swagger.json /api/schema/ /api/openapi.yaml /api/openapi /api/spec.json /api/spec.yaml
    /v1/openapi.json /api/v1/openapi.json /api/v1/swagger.json /api/v2/openapi.json /v2/swagger.json /v3/api-docs
    /v2/api-docs /api-docs /swagger/v1/swagger.json /openapi/v1.json /swagger/doc.json /swagger/json /openapi/json
    /q/openapi /docs/openapi.json /docs/swagger.json /docs/json /docs-json /api-json /documentation/json
    /api/docs/openapi.json /api/docs.json /api/doc.json /schema/openapi.json /static/openapi.json /static/swagger.json
    /.well-known/openapi.json /__api__ /doc
    / /docs /docs/ /api/docs /api/docs/ /api/documentation /swagger /swagger/ /swagger-ui/ /swagger-ui.html /apidocs/
    /redoc /api/ /api/v1/ /documentation /scalar /reference /rapidoc
"""
_ACCEPT = "application/json, application/yaml;q=0.9, text/html;q=0.8, */*;q=0.5"
_TIMEOUT_S = 20.0  # some services take seconds to make their document
_MOST_LED_TO = 60  # addresses besides the usual places
_MOST_FROM_A_PAGE = 30
_MOST_UNANSWERED = 2  # a third would not do better
_TOO_MANY_REQUESTS = 429
_SOURCES = "name a file, a URL, or a path of the service"


@dataclass(frozen=True, slots=True)
class OpenApiDocument:
    location: str  # as it may be shown: a file, a URL, or a path of the service
    path: str | None  # on the host of the service, with its query; None for a file and another host
    content: Object

    def below(self, service: Service) -> str | None:
        """As ``service.openapi`` names it; None where that cannot."""
        if self.path is None or "?" in self.path:
            return None
        return path_below(urlsplit(service.base_url).path, self.path)


def find_documents(service: Service, redact: Redactor) -> list[OpenApiDocument]:
    """All that ``service`` has at the usual places of its origin, and that its pages lead to; none is no error."""
    below = urlsplit(service.base_url).path.rstrip("/")
    places = [f"{folder}{place}" for folder in dict.fromkeys((below, "")) for place in _PLACES.split()]
    with Client(replace(service, base_url=_origin(service.base_url)), redact=redact) as client:
        return _Search(client.fetch, service).documents(places)


def named_documents(source: str, service: Service, redact: Redactor) -> list[OpenApiDocument]:
    """The document, or those of the page, that ``source`` names: a file, a URL, or a path of ``service``.

    Raises UsageError for what is no document, and CouldNotMeasureError where there is no response.
    """
    is_url = source.startswith(("http://", "https://"))
    if not is_url and (Path(source).exists() or not source.startswith("/")):
        return [_from_file(source)]
    url = source if is_url else service.base_url.rstrip("/") + source
    shown = redact.clean(without_password(source), limit=2000)
    _check_url(url, shown)
    is_own = host_of(url) == host_of(service.base_url)
    owner = service if is_own else Service(url)  # another host gets nothing of what is set for the service
    with Client(replace(owner, base_url=_origin(owner.base_url)), redact=redact) as client:
        search = _Search(client.fetch, owner)
        documents = search.documents([_path_of(url)])
    if documents:
        return [replace(each, location=shown, path=each.path if is_own else None) for each in documents]
    if search.first.failure is not None:
        message = f"{shown} returned no OpenAPI document: {search.first.detail}"
        raise CouldNotMeasureError(message, search.first.remedy or _SOURCES, is_down=False)
    return [OpenApiDocument(shown, None, _parsed(search.first.body, shown))]  # which raises


def _check_url(url: str, shown: str) -> None:
    scheme, _, rest = url.partition("://")
    try:
        check_base_url(f"{scheme}://{rest.partition('/')[0]}")
    except WrongValueError as error:
        raise UsageError(f"{shown}: {error.message}", error.remedy) from None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _from_file(name: str) -> OpenApiDocument:
    shown = clean(name)
    try:
        with Path(name).open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise UsageError(f"{shown}: file not found", _SOURCES) from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise UsageError(f"{shown} cannot be read: {getattr(error, 'strerror', error)}", _SOURCES) from None
    return OpenApiDocument(shown, None, _parsed(content, shown))


def _parsed(content: bytes, shown: str) -> Object:
    try:
        return parse_openapi(content)
    except UnreadableError as error:
        remedy = f"OpenAPI 2.0 to 3.2 is read, as JSON or YAML of up to {LARGEST // 1_000_000} MB"
        raise UsageError(f"{shown} cannot be read as an OpenAPI document: {error}", remedy) from None


class _Search:
    """Requests one address of an origin after the other, each once, and those that their pages lead to."""

    def __init__(self, fetch: Fetch, service: Service) -> None:
        self._fetch = lenient(fetch)
        self._origin = _origin(service.base_url)
        accepted = () if any(name.lower() == "accept" for name, _ in service.headers) else (("Accept", _ACCEPT),)
        self._headers = (*service.headers, *accepted)
        self._requested: set[str] = set()
        self._unanswered = 0
        self.first = Fetched()

    def documents(self, places: Iterable[str]) -> list[OpenApiDocument]:
        found: list[OpenApiDocument] = []
        queue = deque(places)
        most_requests = len(queue) + _MOST_LED_TO
        while queue and len(self._requested) < most_requests and self._unanswered < _MOST_UNANSWERED:
            path = queue.popleft()
            if path in self._requested:
                continue
            response = self._get(path)
            if response.failure is None:
                contents, addresses = _read(response)
                for content in contents:
                    if all(content != known.content for known in found):
                        found.append(OpenApiDocument(clean(path), path, content))
                queue.extend(self._local(path, addresses))
        return found

    def _get(self, path: str) -> Fetched:
        endpoint = Endpoint(path, path, 0, headers=self._headers, timeout_s=_TIMEOUT_S, follow_redirects=True)
        response = self._fetch(endpoint)
        self._unanswered += response.status in {None, _TOO_MANY_REQUESTS}
        self.first = response if not self._requested else self.first
        self._requested.add(path)
        return response

    def _local(self, path: str, addresses: Iterable[str]) -> Iterator[str]:
        """Those on this origin, and that do not look like an action."""
        for address in islice(addresses, _MOST_FROM_A_PAGE):
            for page in (path, f"{path}/"):  # a redirect may have added the slash
                try:
                    url = urljoin(self._origin + page, address)
                    is_local = host_of(url) == host_of(self._origin)
                except ValueError:
                    continue
                if is_local and action_word(urlsplit(url).path) is None:
                    yield _path_of(url)


def _read(response: Fetched) -> tuple[list[Object], Iterable[str]]:
    """The documents in what an address returned, or the addresses that it leads to."""
    body = response.body
    if len(body) > LARGEST:
        return [], ()
    if not re.search("html|javascript", response.content_type) and not body.lstrip().startswith(b"<"):
        with suppress(UnreadableError):
            parsed = parse_document(body)
            if is_openapi(parsed):
                return [parsed], ()
            if not isinstance(parsed, str) and "configUrl" not in as_object(parsed):  # data, and no settings of a page
                return [], ()
    text = body.decode(errors="replace")
    return list(documents_in(text)), addresses_in(text)
