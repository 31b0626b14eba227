"""More handlers: a video, an artist or a label by its id, and the short lists of labels and tags."""

from __future__ import annotations

from http import HTTPStatus

from perfcheck.demo.call import Call, JsonObject, RefusedError
from perfcheck.demo.handlers import VIDEO_COLUMNS, load_eagerly

_VIDEO = f"SELECT {VIDEO_COLUMNS} FROM videos v WHERE v.id = ?"  # noqa: S608 - a constant
_ARTIST = """
SELECT a.id, a.name, a.country, a.formed, count(v.id) AS videos, max(v.created_at) AS latest_video_at
FROM artists a LEFT JOIN videos v ON v.artist_id = a.id WHERE a.id = ? GROUP BY a.id
"""
_LABEL = """
SELECT l.id, l.name, (SELECT count(*) FROM videos v WHERE v.label_id = l.id) AS videos FROM labels l WHERE l.id = ?
"""
_LABELS = """
SELECT l.id, l.name, count(v.id) AS videos FROM labels l LEFT JOIN videos v ON v.label_id = l.id
GROUP BY l.id ORDER BY l.name
"""
_TAGS = """
SELECT t.id, t.name, count(vt.video_id) AS videos FROM tags t LEFT JOIN video_tags vt ON vt.tag_id = t.id
GROUP BY t.id ORDER BY t.name
"""


def get_video(call: Call) -> JsonObject:
    """With its artist, label and tags: four queries."""
    rows = call.session.rows(_VIDEO, (call.identifier,))
    if not rows:
        raise _absent("video", call)
    return {"video": load_eagerly(call.session, rows)[0]}


def get_artist(call: Call) -> JsonObject:
    return {"artist": _only(call, "artist", _ARTIST)}


def get_label(call: Call) -> JsonObject:
    return {"label": _only(call, "label", _LABEL)}


def list_labels(call: Call) -> JsonObject:
    """All of them by name, each with the number of its videos."""
    labels = [dict(row) for row in call.session.rows(_LABELS)]
    return {"labels": labels, "total": len(labels)}


def list_tags(call: Call) -> JsonObject:
    """All of them by name, each with the number of its videos."""
    tags = [dict(row) for row in call.session.rows(_TAGS)]
    return {"tags": tags, "total": len(tags)}


def _only(call: Call, kind: str, query: str) -> JsonObject:
    """The row with the id of the call."""
    rows = call.session.rows(query, (call.identifier,))
    if not rows:
        raise _absent(kind, call)
    return dict(rows[0])


def _absent(kind: str, call: Call) -> RefusedError:
    return RefusedError(HTTPStatus.NOT_FOUND, f"no {kind} has the id {call.identifier}")
