"""The body of a request, where it is JSON and can be made up; and whether a response is a stream."""

from __future__ import annotations

import re
from dataclasses import dataclass

from perfcheck.discover.foreign_json import Object, as_list, as_object
from perfcheck.discover.openapi.parameters import json_text
from perfcheck.discover.openapi.references import References
from perfcheck.discover.openapi.schema_values import SchemaValues

_LARGEST = 100_000  # characters
_JSON = re.compile(r"(?i)application/(?:[\w.+-]+\+)?json\s*(?:;|$)")
_STREAM = re.compile(r"(?i)(?:text/event-stream|application/(?:x-)?ndjson|application/(?:x-)?jsonl|multipart/x-mixed)")
_MEDIA = re.compile(r"(?:image|audio|video|font)/(?:\*|[\w.+-]+)\Z")
_SWITCHING_PROTOCOLS = "101"


@dataclass(frozen=True, slots=True)
class Body:
    is_required: bool = False
    media_type: str | None = None  # of JSON, with a content that may be sent
    content: str | None = None


class Bodies:
    def __init__(self, document: Object, references: References) -> None:
        self._document = document
        self._references = references
        self._values = SchemaValues(references)

    def of_request(self, operation: Object, parameters: list[Object]) -> Body:
        """``parameters`` are all of the operation; in version 2 the body is one of them, or each field of a form."""
        for node in parameters:
            if node.get("in") == "body":
                consumed = self._media_types(operation, "consumes") or ["application/json"]
                return self._body(node, dict.fromkeys(consumed, node))
        if any(node.get("in") == "formData" and node.get("required") is True for node in parameters):
            return Body(is_required=True)
        body = self._references.object_at(operation.get("requestBody"))
        return self._body(body, as_object(body.get("content")))

    def is_stream(self, operation: Object) -> bool:
        """No success has another form than a stream, which ends when it likes."""
        responses, media_types = as_object(operation.get("responses")), self._response_types(operation)
        if not media_types:
            return _SWITCHING_PROTOCOLS in responses and not any(_is_success(status) for status in responses)
        return all(_STREAM.match(media_type) for media_type in media_types)

    def accepted(self, operation: Object) -> str | None:
        """What to accept of an operation that returns pictures and the like alone: some services insist on it."""
        media_types = self._response_types(operation)
        is_media = media_types and all(_MEDIA.match(media_type) for media_type in media_types)
        return ", ".join(dict.fromkeys(media_types)) if is_media else None

    def _response_types(self, operation: Object) -> list[str]:
        media_types = self._media_types(operation, "produces")
        for status, response in as_object(operation.get("responses")).items():
            if _is_success(status):
                media_types += as_object(self._references.object_at(response).get("content"))
        return media_types

    def _media_types(self, operation: Object, key: str) -> list[str]:
        """In version 2, of the operation or of the document."""
        return [name for name in as_list(operation.get(key, self._document.get(key))) if isinstance(name, str)]

    def _body(self, owner: Object, content: Object) -> Body:
        is_required = owner.get("required") is True
        media_type = next(filter(_JSON.match, content), None)
        if media_type is None:
            return Body(is_required)
        node = self._references.object_at(content[media_type])
        value = self._values.stated(node) or self._values.of_schema(node.get("schema", False))
        text = json_text(value.value) if value else None if is_required else "{}"
        return Body(is_required, media_type, text if text and len(text) <= _LARGEST else None)


def _is_success(status: str) -> bool:
    return status.startswith("2")
