"""Messages: bodies as Slack, Teams and Discord document them, whatever a run contains."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from simulation.runs import hostile_run, run

from perfcheck.model import Run, Verdict
from perfcheck.report.message import BODIES

# The documented shapes and limits: api.slack.com/reference/block-kit/blocks, adaptivecards.io/explorer,
# discord.com/developers/docs/resources/message#embed-object. Nothing but the keys used is allowed.
_TEXT = {"type": "string", "minLength": 1}
_MRKDWN = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "mrkdwn"}, "text": {**_TEXT, "maxLength": 3000}},
    "additionalProperties": False,
}
_HEADER = {**_MRKDWN, "properties": {"type": {"const": "plain_text"}, "text": {**_TEXT, "maxLength": 150}}}


def block(kind: str, key: str, value: object) -> dict[str, Any]:
    properties = {"type": {"const": kind}, key: value}
    return {"type": "object", "required": ["type", key], "properties": properties, "additionalProperties": False}


SHAPES: dict[str, dict[str, Any]] = {
    "slack": {
        "type": "object",
        "required": ["text", "blocks"],
        "additionalProperties": False,
        "properties": {
            "text": {**_TEXT, "maxLength": 3000},
            "blocks": {
                "minItems": 1,
                "maxItems": 50,
                "items": {
                    "anyOf": [
                        block("header", "text", _HEADER),
                        block("section", "text", _MRKDWN),
                        block("context", "elements", {"items": _MRKDWN, "minItems": 1, "maxItems": 10}),
                    ]
                },
            },
        },
    },
    "teams": {
        "type": "object",
        "required": ["type", "attachments"],
        "properties": {
            "type": {"const": "message"},
            "attachments": {
                "minItems": 1,
                "items": {
                    "required": ["contentType", "content"],
                    "properties": {
                        "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                        "content": {
                            "required": ["type", "version", "body"],
                            "properties": {
                                "type": {"const": "AdaptiveCard"},
                                "version": {"enum": ["1.2", "1.3", "1.4"]},
                                "body": {
                                    "items": {
                                        "anyOf": [
                                            {"properties": {"type": {"const": "TextBlock"}, "text": _TEXT}},
                                            {
                                                "properties": {
                                                    "type": {"const": "FactSet"},
                                                    "facts": {
                                                        "items": {
                                                            "required": ["title", "value"],
                                                            "properties": {"title": _TEXT, "value": _TEXT},
                                                        }
                                                    },
                                                }
                                            },
                                        ]
                                    }
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "discord": {
        "type": "object",
        "required": ["embeds"],
        "properties": {
            "username": _TEXT,
            "allowed_mentions": {"const": {"parse": []}},
            "embeds": {
                "maxItems": 10,
                "items": {
                    "additionalProperties": False,
                    "properties": {
                        "title": {**_TEXT, "maxLength": 256},
                        "description": {**_TEXT, "maxLength": 4096},
                        "color": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFF},
                        "fields": {
                            "maxItems": 25,
                            "items": {
                                "required": ["name", "value"],
                                "properties": {
                                    "name": {**_TEXT, "maxLength": 256},
                                    "value": {**_TEXT, "maxLength": 1024},
                                    "inline": {"type": "boolean"},
                                },
                            },
                        },
                    },
                },
            },
        },
    },
    "webhook": {"type": "object", "required": ["format", "verdict", "verdict_before", "summary", "endpoints"]},
}


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def escaped_run() -> Run:
    """Names whose characters take five each in Slack."""
    (first, *_) = run().endpoints
    return run([replace(first, name=f"{number}{'&' * 79}") for number in range(9)])


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    "make", [run, hostile_run, escaped_run, lambda: run([])], ids=["example", "hostile", "escaped", "empty"]
)
def test_a_body_has_the_documented_shape(name: str, make: Callable[[], Run]) -> None:
    body = BODIES[name](make(), None)
    assert list(Draft202012Validator(SHAPES[name]).iter_errors(json.loads(json.dumps(body)))) == []
    if name == "discord":
        assert sum(map(len, strings(body["embeds"]))) < 6000


@pytest.mark.parametrize("name", BODIES)
def test_it_shows_the_verdict_what_it_was_before_and_what_needs_attention(name: str) -> None:
    shown = "\n".join(strings(BODIES[name](run(), Verdict.OK))).replace("\\", "")
    assert "CRITICAL" in shown
    assert "was OK" in shown or name == "webhook"
    assert all(result.name in shown for result in run().endpoints if result.verdict is Verdict.CRITICAL)


@pytest.mark.parametrize("text", ["<!channel> & <@U1>", "@everyone [x](http://e.test) *b* `c` | ~~d~~ <@1>"])
def test_foreign_text_is_no_markup_and_notifies_nobody(text: str) -> None:
    (first, *others) = run().endpoints
    hostile = replace(run(), label=text, endpoints=(replace(first, name=text), *others))
    slack = BODIES["slack"](hostile, None)["blocks"][1]["text"]["text"]
    assert "<" not in slack
    for name in ("teams", "discord"):
        for shown in strings(BODIES[name](hostile, None)):
            assert "@everyone" not in shown.replace("\\@", "")
            assert "](" not in shown
