"""A GraphQL request: ``graphql: {query: ..., variables: {...}, operation: name}``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from yaml import MappingNode, Node, ScalarNode

from perfcheck.baseline.context import Context
from perfcheck.baseline.requests import JSON
from perfcheck.baseline.sections import Key, SectionType
from perfcheck.baseline.value_types import CustomType
from perfcheck.model import Secret
from perfcheck.words import did_you_mean


class GraphqlRequest(NamedTuple):
    content: str | Secret
    has_mutation: bool  # among its operations


# A string or a comment; a bracket; an operation with its name, which counts outside of brackets.
_TOKEN = re.compile(
    r'"""(?:\\"""|.)*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*'
    r"|(?P<open>[{(])|(?P<close>[})])|\b(?P<kind>query|mutation|subscription)\b\s*(?P<name>\w*)",
    re.DOTALL | re.ASCII,
)
_NODE = CustomType(lambda _context, node, _name: node, {"type": "string"})  # read as a part of the JSON body
GRAPHQL_KEYS = SectionType(
    {
        "query": Key(_NODE, "The GraphQL document: an operation or several, and fragments."),
        "variables": Key(CustomType(_NODE.read, {"type": "object"}), "The values of its variables, as in json."),
        "operation": Key(_NODE, "The name of the operation to run, where the document has several."),
    },
    required=("query",),
)


def _read_graphql(context: Context, node: Node, name: str) -> GraphqlRequest | None:
    """Sent as GraphQL over HTTP has it: a JSON object with ``query``, ``variables`` and ``operationName``."""
    entries = GRAPHQL_KEYS.read(context, node, name)
    if entries is None:
        return None
    query, variables, operation = (entries[key].node if key in entries else None for key in GRAPHQL_KEYS.keys)
    if not isinstance(query, ScalarNode) or not query.value.strip():
        remedy = "write the document, for example 'query: \"{videos(limit: 5) {id title}}\"'"
        context.error(query or node, f"{name}: the query is missing, or not a text", remedy)
        return None
    if variables is not None and not isinstance(variables, MappingNode):
        context.type_error(variables, f"{name}: variables", "a mapping", "write, for example, 'variables: {id: 3}'")
        return None
    operations = list(_operations(query.value))
    names = [name for _, name in operations]
    if operation is not None and operation.value not in names:
        remedy = did_you_mean(str(operation.value), filter(None, names)) or "use the name of one in the query"
        context.error(operation, f"{name}: the query has no operation of that name", remedy)
        return None
    pairs = {"query": query, "variables": variables, "operationName": operation}
    body = MappingNode("", [(ScalarNode("", key), value) for key, value in pairs.items() if value is not None])
    content = JSON.read(context, body, name)
    return None if content is None else GraphqlRequest(content, "mutation" in dict(operations))


def _operations(document: str) -> Iterator[tuple[str, str]]:
    """(kind, name) of each; without those that have neither, which are queries."""
    depth = 0
    for token in _TOKEN.finditer(document):
        depth += bool(token["open"]) - bool(token["close"])
        if token["kind"] and not depth:
            yield token["kind"], token["name"]


GRAPHQL = CustomType(_read_graphql, GRAPHQL_KEYS.schema())
