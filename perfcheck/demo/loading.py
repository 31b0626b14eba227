"""Videos as the API shows them: what belongs to a page of videos, loaded well or badly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcheck.demo.database import as_set

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from perfcheck.demo.database import Session

COLUMNS = "v.id, v.title, v.status, v.created_at, v.duration_s, v.views, v.description, v.artist_id, v.label_id"
WITH_ARTIST = f"{COLUMNS}, a.name AS artist_name, a.country AS artist_country"

_ARTISTS = "SELECT id, name, country FROM artists WHERE id IN (SELECT value FROM json_each(?))"
_LABELS = "SELECT id, name FROM labels WHERE id IN (SELECT value FROM json_each(?))"
_TAGS = """
SELECT vt.video_id, t.name FROM video_tags vt JOIN tags t ON t.id = vt.tag_id
WHERE vt.video_id IN (SELECT value FROM json_each(?)) ORDER BY t.name
"""


def load_eagerly(session: Session, rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """One query for all labels of the page and one for all tags; one for all artists, unless a join brought them."""
    if not rows:
        return []
    if _joined(rows[0]):
        artists = {row["artist_id"]: _joined_artist(row) for row in rows}
    else:
        artists = {row["id"]: dict(row) for row in session.rows(_ARTISTS, as_set(row["artist_id"] for row in rows))}
    labels = {row["id"]: dict(row) for row in session.rows(_LABELS, as_set(row["label_id"] for row in rows))}
    tags: dict[int, list[str]] = {row["id"]: [] for row in rows}
    for row in session.rows(_TAGS, as_set(tags)):
        tags[row["video_id"]].append(row["name"])
    return [_shown(row, artists[row["artist_id"]], labels[row["label_id"]], tags[row["id"]]) for row in rows]


def load_one_by_one(session: Session, rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """The N+1 pattern: label and tags of every video by queries of their own, and its artist unless it was joined."""
    return [_load_one(session, row) for row in rows]


def _load_one(session: Session, row: sqlite3.Row) -> dict[str, Any]:
    artist = _joined_artist(row) if _joined(row) else dict(session.rows(_ARTISTS, as_set([row["artist_id"]]))[0])
    label = dict(session.rows(_LABELS, as_set([row["label_id"]]))[0])
    tags = [tag["name"] for tag in session.rows(_TAGS, as_set([row["id"]]))]
    return _shown(row, artist, label, tags)


def _joined(row: sqlite3.Row) -> bool:
    return "artist_name" in row.keys()  # noqa: SIM118 - `in row` would look at the values


def _joined_artist(row: sqlite3.Row) -> dict[str, Any]:
    return {"id": row["artist_id"], "name": row["artist_name"], "country": row["artist_country"]}


def _shown(
    row: sqlite3.Row, artist: Mapping[str, Any], label: Mapping[str, Any], tags: Sequence[str]
) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "status": row["status"],
        "created_at": row["created_at"],
        "duration_s": row["duration_s"],
        "views": row["views"],
        "description": row["description"],
        "artist": artist,
        "label": label,
        "tags": tags,
    }
