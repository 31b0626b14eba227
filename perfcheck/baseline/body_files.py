"""Bodies from files: ``body_file: payload.bin`` and ``multipart: {title: text, photo: {file: photo.jpg}}``."""

from __future__ import annotations

import mimetypes
from typing import NamedTuple

from yaml import MappingNode, Node, SequenceNode

from perfcheck.baseline.addresses import read_file
from perfcheck.baseline.context import Context, has_surrogates
from perfcheck.baseline.sections import Key, SectionType
from perfcheck.baseline.value_types import TEXT, CustomType
from perfcheck.model import Encoding, Multipart, Part, Placeholder, Template
from perfcheck.text import clean

_MOST_BYTES = 64_000_000
_TYPES = mimetypes.MimeTypes()  # not those of this machine
_UNKNOWN = "application/octet-stream"
_EXAMPLE = "write, for example, 'multipart: {title: A photo, photo: {file: photo.jpg}}'"


class FileBody(NamedTuple):
    content: bytes
    content_type: str


def _read_body_file(context: Context, node: Node, name: str) -> FileBody | None:
    found = read_file(context, node, name, _MOST_BYTES)
    return None if found is None else FileBody(found[1], _content_type(found[0].name))


def _content_type(name: str) -> str:
    """By the extension; of what is compressed, it is that of the compressed file."""
    kind, compression = _TYPES.guess_type(name)
    if compression == "gzip":
        return "application/gzip"
    return kind if kind and not compression else _UNKNOWN


_FILE = SectionType(
    {
        "file": Key(
            CustomType(lambda context, node, name: read_file(context, node, name, _MOST_BYTES), TEXT.json),
            "The file, relative to the folder of the baseline.",
        ),
        "content_type": Key(TEXT, "Its content type.", "by its extension"),
        "filename": Key(TEXT, "The name that is sent.", "that of the file"),
    },
    required=("file",),
)


def _read_multipart(context: Context, node: Node, name: str) -> Multipart | None:
    if not isinstance(node, MappingNode):
        context.type_error(node, name, "a mapping", _EXAMPLE)
        return None
    if not node.value:
        context.error(node, f"{name} has no parts", _EXAMPLE)
        return None
    parts: list[Part | None] = []
    for key, value in node.value:
        if has_surrogates(key.value):
            context.error(key, "the name is not valid Unicode", "write it as UTF-8 text")
        items = value.value if isinstance(value, SequenceNode) else [value]
        parts += [_part(context, key.value, item, f"{name}.{clean(key.value, 60)}") for item in items]
    return None if None in parts else Multipart(tuple(part for part in parts if part))


def _part(context: Context, key: str, node: Node, name: str) -> Part | None:
    if not isinstance(node, MappingNode):
        text = context.request_text(node, name)
        if isinstance(text, Template):
            text = Template(
                tuple(
                    part._replace(encoding=Encoding.PART) if isinstance(part, Placeholder) else part
                    for part in text.parts
                )
            )
        return None if text is None else Part(key, text)
    entries = _FILE.read(context, node, name)
    if entries is None or any(entry.value is None for entry in entries.values()):
        return None
    if "file" not in entries:
        context.error(node, f"{name} has no file", "write a text, or {file: photo.jpg}")
        return None
    path, content = entries["file"].value
    content_type = entries["content_type"].value if "content_type" in entries else _content_type(path.name)
    if not content_type.isascii():
        context.error(entries["content_type"].node, f"{name}: not a content type", "write, for example, image/jpeg")
        return None
    return Part(key, content, entries["filename"].value if "filename" in entries else path.name, content_type)


BODY_FILE = CustomType(_read_body_file, TEXT.json)
_PART = {"anyOf": [{"type": ["string", "number", "boolean"]}, _FILE.schema()]}
MULTIPART = CustomType(
    _read_multipart,
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [_PART, {"type": "array", "items": _PART}]},
    },
)
