"""The core endpoints: settings, artists, health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcheck.demo.database import as_set
from perfcheck.demo.loading import COLUMNS, load_eagerly
from perfcheck.demo.regressions import Regression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcheck.demo.api import Answer, Call
    from perfcheck.demo.database import Session

_ARTISTS = "SELECT id, name, country, formed FROM artists ORDER BY name LIMIT ? OFFSET ?"
_VIDEO_COUNTS = """
SELECT artist_id, count(*) FROM videos WHERE artist_id IN (SELECT value FROM json_each(?)) GROUP BY artist_id
"""
_LATEST = """
SELECT artist_id, max(created_at) FROM videos WHERE artist_id IN (SELECT value FROM json_each(?)) GROUP BY artist_id
"""
_ALL_VIDEOS = f"SELECT {COLUMNS} FROM videos v ORDER BY v.artist_id, v.id"  # noqa: S608 - a constant


def health(call: Call) -> Answer:
    """Is the database there, and has it the tables that this service was written for?"""
    call.session.value("SELECT 1")
    return {"status": "ok", "schema": call.session.value("SELECT max(version) FROM migrations")}


def settings(call: Call) -> Answer:
    """All settings by category."""
    schema = call.session.value("SELECT max(version) FROM migrations")
    categories = call.session.rows(
        "SELECT category, count(*) AS number FROM settings GROUP BY category ORDER BY category"
    )
    values: dict[str, dict[str, str]] = {row["category"]: {} for row in categories}
    for row in call.session.rows("SELECT key, category, value FROM settings ORDER BY key"):
        values[row["category"]][row["key"].partition(".")[2]] = row["value"]
    return {"settings": values, "total": sum(row["number"] for row in categories), "schema": schema}


def list_artists(call: Call) -> Answer:
    """Artists by name, each with the number of videos and the date of the latest."""
    limit, offset = call.parameters.page()
    total: int = call.session.value("SELECT count(*) FROM artists")
    everything = Regression.LARGE_BODY in call.regressions
    rows = call.session.rows(_ARTISTS, (total, 0) if everything else (limit, offset))
    identifiers = as_set(row["id"] for row in rows)
    counts: dict[int, int] = call.session.pairs(_VIDEO_COUNTS, identifiers)
    latest: dict[int, str] = call.session.pairs(_LATEST, identifiers)
    artists = [
        dict(row) | {"videos": counts.get(row["id"], 0), "latest_video_at": latest.get(row["id"])} for row in rows
    ]
    if everything:
        _embed_videos(call.session, artists)
    return {"artists": artists, "total": total, "limit": limit, "offset": offset}


def _embed_videos(session: Session, artists: Sequence[dict[str, Any]]) -> None:
    by_artist: dict[int, list[dict[str, Any]]] = {}
    for video in load_eagerly(session, session.rows(_ALL_VIDEOS)):
        by_artist.setdefault(video["artist"]["id"], []).append(video)
    for artist in artists:
        artist["all_videos"] = by_artist.get(artist["id"], [])
