"""``auth``: the credentials of requests. Basic and bearer are a header; OAuth2 is one more request of the setup."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from yaml import MappingNode, Node, ScalarNode

from perfcheck.baseline.addresses import check_base_url, check_path
from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.requests import BODY, QUERY, Pairs
from perfcheck.baseline.sections import Key, SectionType
from perfcheck.baseline.tree import line_of
from perfcheck.baseline.value_types import TEXT, CustomType, ScalarType, choice
from perfcheck.model import (
    Capture,
    CaptureFrom,
    Digest,
    Endpoint,
    Placeholder,
    RequestText,
    Secret,
    Template,
    displayed,
    sent,
)
from perfcheck.text import MASK
from perfcheck.units import WrongValueError

_EXAMPLE = "write, for example, 'auth: {bearer: \"${API_TOKEN}\"}'"
_HEADER = "authorization"


@dataclass(frozen=True, slots=True)
class Auth:
    """What it comes to: of ``auth: none`` nothing."""

    header: RequestText | None = None
    digest: Digest | None = None
    login: Endpoint | None = None  # to be sent before the setup


# --- How it is written -----------------------------------------------------------------------------------------------


def _credential(text: str) -> str:
    if not text.isprintable():
        raise WrongValueError("contains characters that cannot be sent", "a variable filled from a file often ends so")
    return text


def _user(text: str) -> str:
    if ":" in text:
        raise WrongValueError("a user name cannot contain ':'", "what follows it belongs under 'password'")
    return _credential(text)


def _token_url(text: str) -> str:
    if text.startswith("/"):
        return check_path(text)
    check_base_url(text.partition("?")[0])
    if "@" in urlsplit(text).netloc:
        raise WrongValueError("expected a URL without a password", "write 'client_id' and 'client_secret'")
    return text


_SECRET = ScalarType("text", "${PASSWORD}", _credential, {"type": "string"}, secret=True)
_USER = ScalarType("text", "${USERNAME}", _user, {"type": "string"}, secret=True)
_TOKEN_URL = ScalarType("a URL or a path", "https://login.example.test/oauth/token", _token_url, {"type": "string"})
_PASSWORD = SectionType(
    {"username": Key(_USER, "The user name."), "password": Key(_SECRET, "The password.")}, ("username", "password")
)
_OAUTH2 = SectionType(
    {
        "token_url": Key(_TOKEN_URL, "Where the token comes from: a URL, or a path of the service."),
        "client_id": Key(_SECRET, "The id of the client."),
        "client_secret": Key(_SECRET, "Its secret."),
        "scope": Key(TEXT, "The scopes, separated by spaces."),
        "parameters": Key(QUERY, "Other parameters of the request, such as {audience: https://api.example.test}."),
        "client_auth": Key(
            choice(["basic", "form"]), "Whether the client's id and secret are sent by Basic, or in the form.", "basic"
        ),
    },
    ("token_url", "client_id", "client_secret"),
)
KINDS = SectionType(
    {
        "basic": Key(_PASSWORD, "By HTTP Basic authentication: a user name and a password."),
        "bearer": Key(BODY, "By this token, which may be a captured value."),
        "oauth2": Key(_OAUTH2, "By a token that OAuth 2.0 gives to client credentials."),
        "digest": Key(_PASSWORD, "By HTTP digest authentication: a user name and a password."),
    }
)


def _read_auth(context: Context, node: Node, name: str) -> Auth | None:
    kinds = ", ".join(KINDS.keys)
    if isinstance(node, ScalarNode) and node.value == "none":
        return Auth()
    if not isinstance(node, MappingNode):
        context.type_error(node, name, f"'none' or one of {kinds}", _EXAMPLE)
        return None
    before = len(context.errors)
    entries = KINDS.read(context, node, name) or {}
    if len(context.errors) == before and len(node.value) != 1:
        given = " and ".join(f"'{kind}'" for kind in entries) or "no kind"
        where = node.value[1][0] if node.value else node
        context.error(
            where, f"{name} has {given}: expected one of {kinds}", "keep one of them" if entries else _EXAMPLE
        )
    for kind, entry in entries.items():
        _check_required(context, kind, entry)
    if len(context.errors) > before:
        return None
    ((kind, entry),) = entries.items()
    return _BUILDERS[kind](context, entry)


def _check_required(context: Context, kind: str, entry: Entry) -> None:
    section = KINDS.keys[kind].type
    if isinstance(section, SectionType) and entry.value is not None:
        for key in section.required:
            if key not in entry.value:
                context.error(entry.node, f"{kind} has no {key}", f"add it, for example '{key}: ${{{key.upper()}}}'")


AUTH = CustomType(
    _read_auth, {"anyOf": [{"const": "none"}, {**KINDS.schema(), "minProperties": 1, "maxProperties": 1}]}
)


_SHORTEST_WRITTEN_SECRET = 8  # a shorter one that is no variable, such as demo, would be masked in other words too


# --- What it comes to ------------------------------------------------------------------------------------------------


def _values(context: Context, entry: Entry) -> dict[str, Any] | None:
    """None where one is not known. The secrets among them are, also where they are written in the file."""
    values = {key: each.value for key, each in entry.value.items()}
    written = (values.get(key) or "" for key in ("password", "client_secret"))
    context.secrets.update(secret for secret in written if len(secret) >= _SHORTEST_WRITTEN_SECRET)
    return None if None in values.values() else values


def _basic_header(context: Context, username: str, password: str) -> Secret:
    """RFC 7617."""
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    context.secrets.add(encoded)
    return Secret(f"Basic {encoded}", f"Basic {MASK}")


def _basic(context: Context, entry: Entry) -> Auth | None:
    values = _values(context, entry)
    return Auth(_basic_header(context, **values)) if values else None


def _bearer(context: Context, entry: Entry) -> Auth | None:
    token: RequestText = entry.value
    parts = token.parts if isinstance(token, Template) else (token,)
    fixed = "".join(sent(part) for part in parts if not isinstance(part, Placeholder))
    if not (fixed.isascii() and fixed.isprintable()) or not parts[0]:
        message = "the token is empty, or contains line breaks, control or non-ASCII characters"
        context.error(entry.node, message, "a variable filled from a file often ends with a line break")
        return None
    if isinstance(token, Template):
        return Auth(Template(("Bearer ", *token.parts)))
    context.secrets.add(sent(token))
    return Auth(Secret(f"Bearer {sent(token)}", f"Bearer {MASK}"))


def _digest(context: Context, entry: Entry) -> Auth | None:
    values = _values(context, entry)
    return Auth(digest=Digest(**values)) if values else None


def _oauth2(context: Context, entry: Entry) -> Auth | None:
    """Client credentials, RFC 6749, section 4.4; those of the client are form-encoded before Basic (section 2.3.1)."""
    values = _values(context, entry)
    if values is None:
        return None
    parameters: Pairs = values.get("parameters", ())
    if any(isinstance(text, Template) for _, text in parameters):
        message = "a captured or generated value cannot be a parameter of the login"
        context.error(entry.value["parameters"].node, message, "write a request of 'setup' with 'capture' instead")
        return None
    line = line_of(entry.node)
    client, secret = values["client_id"], values["client_secret"]
    form: list[tuple[str, RequestText]] = [("grant_type", "client_credentials")]
    form += [("scope", values["scope"])] if "scope" in values else []
    form += parameters
    headers: list[tuple[str, RequestText]] = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "application/json"),
    ]
    if values.get("client_auth") == "form":
        form += [("client_id", client), ("client_secret", Secret(secret, MASK))]
    else:
        headers.append(("Authorization", _basic_header(context, quote_plus(client), quote_plus(secret))))
    name = f"oauth2\u00b7{line}"  # of the value; names in a file are ASCII
    login = Endpoint(
        name="oauth2",
        path=values["token_url"],
        line=line,
        method="POST",
        headers=tuple(headers),
        content=Secret(*(urlencode([(key, text(each)) for key, each in form]) for text in (sent, displayed))),
        is_anonymous=True,
        captures=(
            Capture(name, CaptureFrom.JSON, "$.access_token", line),
            Capture(f"{name}\u00b7expires_in", CaptureFrom.JSON, "$.expires_in", line, is_lifetime=True),
        ),
    )
    return Auth(Template(("Bearer ", Placeholder(name))), login=login)


_BUILDERS = {"basic": _basic, "bearer": _bearer, "oauth2": _oauth2, "digest": _digest}


# --- Where it holds --------------------------------------------------------------------------------------------------


def check_auth(context: Context, entries: Entries) -> None:
    """An error for two logins in one place."""
    auth, headers = entries.get("auth"), entries.get("headers")
    if auth and headers and headers.value and _HEADER in headers.value:
        message = "'auth' and the header 'Authorization' both set who sends the requests"
        context.error(auth.node, message, "keep one of them")


def with_auth(entries: Entries) -> Entries:
    """``auth`` as a header, so that it is inherited, and replaced closer to the endpoint, like any other."""
    auth = entries.get("auth")
    rest = {key: entry for key, entry in entries.items() if key != "auth"}
    if auth is None or auth.value is None:
        return rest
    headers = rest.get("headers")
    if headers is not None and headers.value is None:
        return rest
    merged = {_HEADER: ("Authorization", auth.value), **(headers.value if headers else {})}
    return {**rest, "headers": Entry(merged, auth.line, auth.node)}


def request_headers(headers: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """The fields of an endpoint that ``headers`` come to, those by ``auth`` included."""
    auth = next((value for _, value in headers.values() if isinstance(value, Auth)), None)
    pairs = [(name, value.header if isinstance(value, Auth) else value) for name, value in headers.values()]
    return {
        "headers": tuple((name, value) for name, value in pairs if value is not None),
        "digest": auth and auth.digest,
        "is_anonymous": auth == Auth(),
    }
