"""``curl`` commands: read here as bash and curl themselves do, and what is not taken over."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from apps.serving import werkzeug
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import Request, Response

from perfcheck.discover.curl import read_curl
from perfcheck.discover.curl_options import SHORT, WITH_VALUE
from perfcheck.discover.fill import ways_to_fill
from perfcheck.discover.harvest import Harvest
from perfcheck.discover.shell_words import shell_commands
from perfcheck.errors import UsageError
from perfcheck.model.operation import Operation

Echo = dict[str, Any]


@Request.application
def echo(request: Request) -> Response:
    """Its request, also in a header, since there is no body in response to HEAD."""
    received = {
        "method": request.method,
        "path": quote(request.path),
        "query": sorted(request.args.items(multi=True)),
        "body": request.get_data(as_text=True),
        "type": request.headers.get("Content-Type"),
        "tenant": request.headers.get("X-Tenant"),
    }
    return Response(json.dumps(received) + "\n", headers={"X-Received": json.dumps(received)})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with werkzeug(echo) as address:
        yield address


def received_from_curl(command: str) -> list[Echo]:
    """By running it, with bash and curl."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True, env=environment, cwd="/"
    )
    lines = re.findall(r"^(?:X-Received: )?(\{.*\})\r?$", done.stdout, re.MULTILINE)
    return [{**json.loads(line), "query": [tuple(pair) for pair in json.loads(line)["query"]]} for line in lines]


def as_received(operation: Operation) -> Echo:
    """What perfcheck would send, by the way on which the survey makes an endpoint of it."""
    filled = next(ways_to_fill(operation, Harvest()))
    headers = {name.lower(): value for name, value in operation.headers}
    return {
        "method": operation.method,
        "path": filled.path,
        "query": sorted(filled.query),
        "body": operation.content or "",
        "type": headers.get("content-type"),
        "tenant": headers.get("x-tenant"),
    }


@pytest.mark.parametrize(
    "command",
    [
        "curl -s URL/things/7",
        "curl -s URL",
        "curl -s 'URL/things?q=a%20b&page=2#top'",
        'curl -s "URL/things?q=a+b" -H "X-Tenant: acme"',
        "curl -s URL/things -H 'X-Tenant: acme' -HX-Other:x --compressed -A agent -e http://h/ -m 9",
        "curl -sXDELETE URL/things/7",
        "curl -s -X PUT URL/things/7 -d a=1 -d 'b=2 c'",
        "curl -s URL/login --data-raw '@a' --data b",
        "curl -s URL/things --data-urlencode 'q=a b&c' --data-urlencode '=x y' --data-urlencode 'z w'",
        "curl -s -G URL/things?a=1 -d q=1 --data-urlencode 'r=a b'",
        "curl -s --get --url URL/things --data q=1",
        """curl -s URL/things --json '{"a": 1}' --json '[]'""",
        """curl -s URL/things -H 'content-type: application/json' -d '{"a": "it'"'"'s"}'""",
        r"""curl -s URL/things -H 'content-type: application/json' --data-raw $'{"a": "it\'s \u0021\n\x41\xc3\xa6"}'""",
        'curl -s URL/things -d "a \\"quoted\\" \\$text \\\\ \\x"',
        "curl -s \\\n  URL/things \\\n  -H 'X-Tenant: two' # a comment 'with a quote",
        "curl -s URL/a; curl -s URL/b && curl -s URL/c | cat",
        "curl -s URL/a URL/b -H X-Tenant:both",
        "curl -s URL/a -X POST --next -s URL/b",
        "curl -sI URL/things/7",
        "curl -s URL/th\\ings 2>/dev/null >&1 || false",
        "X=1 command curl -s URL/a",
        "curl -s URL/a -o- -w '\\n' -u name:password -b a=b --max-time 5 --retry 2 -L",
        "curl -sSfLk4 URL/a",
        "curl -s URL/%7Eme/%C3%A6",
    ],
)
def test_commands_send_what_curl_sends(url: str, command: str) -> None:
    command = command.replace("URL", url)
    expected = received_from_curl(command)
    assert expected
    assert [as_received(each) for each in read_curl(command, url).operations] == expected


CHROME = r"""curl 'https://shop.example/api/things?page=2' \
  -H 'accept: application/json' \
  -H 'accept-language: en-GB,en;q=0.9' \
  -b 'session=c00kie' \
  -H 'authorization: Bearer s3cret' \
  -H 'sec-ch-ua: "Chromium";v="140"' \
  -H 'user-agent: Mozilla/5.0' \
  -H 'x-csrf-token: t0ken' \
  -H 'x-tenant: acme' ;
curl 'https://shop.example/api/login' --data-raw 'user=ada&password=hunter2' --compressed
"""
CHROME_CMD = r"""curl ^"https://shop.example/api/things?page=2^&q=50^%^" ^
  -H ^"accept: application/json^" ^
  -H ^"x-name: ^\^"quoted^\^"^" &
"""


def test_what_chrome_copies() -> None:
    found = read_curl(CHROME, "http://localhost:5000")
    things, login = found.operations
    assert (things.method, things.template, things.reason) == ("GET", "/api/things", None)
    assert dict(things.headers) == {"accept": "application/json", "x-tenant": "acme"}
    assert (login.method, login.content) == ("POST", None)
    assert login.reason == "the recording has a secret: 'password'"
    assert not [secret for secret in ("c00kie", "s3cret", "t0ken", "hunter2") if secret in repr(found)]
    assert found.notes == ("standard input: no request to localhost:5000: those to shop.example:443 were taken",)


def test_what_chrome_copies_for_windows() -> None:
    (things,) = read_curl(CHROME_CMD, "http://localhost:5000").operations
    assert [(each.name, each.value) for each in things.parameters] == [("page", "2"), ("q", "50%")]
    assert dict(things.headers) == {"accept": "application/json", "x-name": '"quoted"'}


@pytest.mark.parametrize(
    ("command", "template"),
    [
        ('curl "$BASE/things/$ID"', "/things/{id}"),
        ("curl '{{base}}/users/{{user}}/things/7'", "/users/{user_id}/things/{thing_id}"),
        ("curl '${HOST}/a'", "/a"),
        ("curl /a", "/a"),
        ("$ curl localhost:5000/a", "/a"),
    ],
)
def test_variables_are_values_that_are_not_known(command: str, template: str) -> None:
    (operation,) = read_curl(command, "http://localhost:5000").operations
    assert operation.template == template
    assert {each.value for each in operation.parameters} <= {None, "7"}


def test_commands_to_other_hosts_are_left_out() -> None:
    found = read_curl("curl http://localhost:5000/a\ncurl https://other.example/b", "http://127.0.0.1:5000")
    assert [each.template for each in found.operations] == ["/a"]
    assert found.notes == ("standard input: 1 request to other hosts left out",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "standard input: no curl command with a URL found"),
        ("wget http://h", "standard input: no curl command with a URL found"),
        ("curl -s", "standard input: no curl command with a URL found"),
        ("curl ftp://h/a", "standard input: no curl command with a URL found"),
        ("# one\ncurl http://h/a\n\ncurl 'http://h", "standard input, line 4: the quote ' has no end"),
        ('curl "http://h', 'standard input, line 1: the quote " has no end'),
        ("curl $'http://h", "standard input, line 1: the quote ' has no end"),
        ("\n\ncurl http://h \\\n -H", "standard input, line 3: the option -H has no value"),
        ("curl http://h --data", "standard input, line 1: the option --data has no value"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_curl(text, "http://h")
    assert caught.value.message == message


def test_every_option_of_the_curl_that_is_here_is_known() -> None:
    """Those that take a value: a URL would be taken for one, or a value for a URL."""
    listed = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=True, timeout=60).stdout
    options = re.findall(r"^ +(?:-(\S), )? *--(\S+)( <\S)?", listed, re.MULTILINE)
    assert len(options) > 200
    proxies = {"preproxy", "proxy"}  # listed as [protocol://]host
    for letter, name, value in options:
        if name != "help":
            assert (name in WITH_VALUE) == bool(value or name in proxies), name
            assert not letter or (SHORT.get(letter, letter) in WITH_VALUE) == (name in WITH_VALUE), letter


@given(st.lists(st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=9), min_size=1))
def test_quoted_words_are_read_as_they_were(words: list[str]) -> None:
    if not re.search(r'\^"|\^\n', text := " ".join(map(shlex.quote, ["echo", *words]))):
        assert [words for _, words in shell_commands(text, "")] == [["echo", *words]]


PIECES = st.sampled_from(
    [
        "curl ",
        "'",
        '"',
        "$'",
        "\\",
        "\n",
        "-H ",
        "-X",
        "-",
        "--",
        " ",
        "http://h",
        "/7",
        "?a=",
        "&",
        ";",
        ">",
        "#",
        "^",
        "é",
    ]
)


@given(st.lists(PIECES, max_size=20).map("".join) | st.text(max_size=40))
def test_any_text_is_read_or_an_error_with_a_message(text: str) -> None:
    try:
        found = read_curl(text, "http://h")
    except UsageError as error:
        message = error.message
    else:
        message, _ = "standard input", found
    assert message.startswith("standard input")


def test_half_a_character_is_replaced() -> None:
    (operation,) = read_curl(r"curl http://h/a --data-urlencode $'a=\ud800'", "http://h").operations
    assert operation.content == "a=%EF%BF%BD"
