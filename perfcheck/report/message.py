"""A run as a message to people: the bodies that Slack, Microsoft Teams and Discord accept, and plain JSON.

Each service shows foreign text as text: what it would take for markup is escaped in its own way, and nobody is notified
by a name in it. Lengths are those that the services document as their limits, with room to spare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from perfcheck.model import Run, Verdict
from perfcheck.report.explain import in_short, qualified_verdict
from perfcheck.report.run_summary import split_by_attention, summary
from perfcheck.text import clean
from perfcheck.words import short_commit

_MOST_ENDPOINTS = 8
_LONGEST_TITLE = 150  # a header in Slack
_LONGEST_LINE = 200
_LONGEST_SECTION = 3000  # in Slack, escaped
_LONGEST_FACT = 200
_SIGNS = {Verdict.OK: "🟢", Verdict.WARNING: "🟡", Verdict.CRITICAL: "🔴", Verdict.NOT_MEASURED: "⚪"}
_TEAMS_COLOURS = {Verdict.OK: "Good", Verdict.WARNING: "Warning", Verdict.CRITICAL: "Attention"}
_DISCORD_COLOURS = {Verdict.OK: 0x1A7F37, Verdict.WARNING: 0xBF8700, Verdict.CRITICAL: 0xCF222E}
_GREY = 0x57606A

Body = dict[str, Any]


def slack(run: Run, before: Verdict | None) -> Body:
    """Blocks of Block Kit; ``text`` is for notifications. Also for Mattermost and Rocket.Chat."""
    escaped = [_for_slack(line) for line in _lines(run)]
    while len("\n".join(escaped)) > _LONGEST_SECTION:
        escaped[-2:] = ["..."]
    facts = " · ".join(f"{name} {_for_slack(value)}" for name, value in _facts(run))
    title = _title(run, before)
    return {
        "text": _for_slack(title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(escaped)}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": facts}]},
        ],
    }


def teams(run: Run, before: Verdict | None) -> Body:
    """An Adaptive Card in a message, as the webhook of a Teams workflow takes it."""
    texts = [{"type": "TextBlock", "text": _for_markdown(line), "wrap": True} for line in _lines(run)]
    title = {"type": "TextBlock", "text": _for_markdown(_title(run, before)), "wrap": True, "weight": "Bolder"}
    colour = _TEAMS_COLOURS.get(run.verdict, "Default")
    facts = [{"title": name, "value": _for_markdown(value)} for name, value in _facts(run)]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{**title, "size": "Medium", "color": colour}, *texts, {"type": "FactSet", "facts": facts}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def discord(run: Run, before: Verdict | None) -> Body:
    """One embed that mentions nobody."""
    fields = [{"name": name, "value": _for_markdown(value), "inline": True} for name, value in _facts(run)]
    embed = {
        "title": _for_markdown(_title(run, before)),
        "description": "\n".join(map(_for_markdown, _lines(run))),
        "color": _DISCORD_COLOURS.get(run.verdict, _GREY),
        "fields": fields,
    }
    return {"username": "perfcheck", "embeds": [embed], "allowed_mentions": {"parse": []}}


def plain(run: Run, before: Verdict | None) -> Body:
    """For any other receiver. Its fields are stable."""
    attention, _ = split_by_attention(run)
    return {
        "format": "perfcheck.message/1",
        "verdict": run.verdict,
        "verdict_before": before,
        "exit_code": run.exit_code,
        "summary": summary(run),
        "run": run.id,
        "started_at": run.started_at,
        "label": run.label,
        "base_url": run.service.base_url,
        "commit": run.environment.commit,
        "branch": run.environment.branch,
        "endpoints": [
            {"name": result.name, "verdict": result.verdict, "reason": in_short(result)} for result in attention
        ],
    }


BODIES: dict[str, Callable[[Run, Verdict | None], Body]] = {
    "webhook": plain,
    "slack": slack,
    "teams": teams,
    "discord": discord,
}


# --- What it contains ------------------------------------------------------------------------------------------------


def _title(run: Run, before: Verdict | None) -> str:
    was = f", was {before}" if before is not None and before is not run.verdict else ""
    where = clean(run.label or run.service.base_url, 80)
    return clean(f"{_SIGNS[run.verdict]} {run.verdict}{was}: {where}", _LONGEST_TITLE)


def _lines(run: Run) -> Iterator[str]:
    yield clean(summary(run), 2 * _LONGEST_LINE)
    attention, _ = split_by_attention(run)
    for result in attention[:_MOST_ENDPOINTS]:
        line = f"{_SIGNS[result.verdict]} {clean(result.name, 80)}: {qualified_verdict(result)}, {in_short(result)}"
        yield clean(line, _LONGEST_LINE)
    if len(attention) > _MOST_ENDPOINTS:
        yield f"and {len(attention) - _MOST_ENDPOINTS} more"


def _facts(run: Run) -> list[tuple[str, str]]:
    """Never empty."""
    environment = run.environment
    facts = {
        "service": run.service.base_url,
        "label": run.label,
        "branch": environment.branch,
        "commit": short_commit(environment.commit) if environment.commit else None,
        "started": f"{run.started_at[:16].replace('T', ' ')} UTC",
    }
    return [(name, clean(value, _LONGEST_FACT)) for name, value in facts.items() if value]


# --- Markup ----------------------------------------------------------------------------------------------------------

_FOR_SLACK = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = re.compile(r"([\\`*_~|>\[\]()#@<])")


def _for_slack(text: str) -> str:
    return re.sub("[&<>]", lambda found: _FOR_SLACK[found[0]], text)


def _for_markdown(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
