"""The handlers: video lists and searches, artists, settings, health. Each takes a call and returns a JSON object."""

# ruff: noqa: S608 - the SQL is put together from the constants of this module; what a client sends is bound

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from perfcheck.demo import Regression
from perfcheck.demo.call import Call, JsonObject, like
from perfcheck.demo.catalogue import STATUSES
from perfcheck.demo.database import QuerySession, as_set

VIDEO_COLUMNS = "v.id, v.title, v.status, v.created_at, v.duration_s, v.views, v.description, v.artist_id, v.label_id"
_SHOWN = ("id", "title", "status", "created_at", "duration_s", "views", "description")
_VIDEO_COUNTS = """
SELECT artist_id, count(*) FROM videos WHERE artist_id IN (SELECT value FROM json_each(?)) GROUP BY artist_id
"""

# --- Video lists and the video search: joins only where the sorting needs them --------------------------------------

_WITH_ARTIST = f"{VIDEO_COLUMNS}, a.name AS artist_name, a.country AS artist_country"
SORTS = {
    "title": "v.title {order}, v.id {order}",
    "created_at": "v.created_at {order}, v.id {order}",
    "status": "v.status {order}, v.id {order}",
    "artist_name": "a.name {order}, v.title {order}, v.id {order}",
}
SORT_ORDERS = ("asc", "desc")

_WITH_ARTISTS = "videos v JOIN artists a ON a.id = v.artist_id"
_JOIN_OF_EVERYTHING = f"""{_WITH_ARTISTS} JOIN labels l ON l.id = v.label_id
LEFT JOIN video_tags vt ON vt.video_id = v.id LEFT JOIN tags t ON t.id = vt.tag_id GROUP BY v.id"""
_VIDEOS_OF_ARTISTS = """
SELECT a.name AS artist, count(*) AS videos FROM videos v JOIN artists a ON a.id = v.artist_id
WHERE a.id IN (SELECT value FROM json_each(?)) GROUP BY a.id ORDER BY a.name
"""
_FOUND = r"""(v.title LIKE :like ESCAPE '\' OR a.name LIKE :like ESCAPE '\' OR EXISTS (
  SELECT 1 FROM video_tags vt JOIN tags t ON t.id = vt.tag_id WHERE vt.video_id = v.id AND t.name LIKE :like ESCAPE '\'
))"""
_WITH_STATUS = " AND +v.status = :status"  # the plus keeps to the index of the sorting: a page then ends the scan early


def list_videos(call: Call) -> JsonObject:
    """Count, page, and what belongs to the page: five queries, however long the page."""
    sort, order = _sorting(call)
    limit, offset = call.parameters.page()
    total, rows = _listed(call, sort, order, (limit, offset))
    load = load_one_by_one if Regression.N_PLUS_ONE in call.regressions else load_eagerly
    response: JsonObject = {"videos": load(call.session, rows), "total": total, "limit": limit, "offset": offset}
    response |= {"sort": sort, "order": order}
    if sort == "artist_name":
        artists = call.session.rows(_VIDEOS_OF_ARTISTS, as_set(row["artist_id"] for row in rows))
        response["artists"] = [dict(row) for row in artists]
    return response


def search_videos(call: Call) -> JsonObject:
    """In titles, names of artists and tags. Without a status, the number of hits of each status is in the response."""
    text = call.parameters.text("q")
    status = call.parameters.optional_choice("status", STATUSES)
    sort, order = _sorting(call)
    limit, offset = call.parameters.page()
    where = _FOUND + (_WITH_STATUS if status else "")
    bound = {"like": like(text), "status": status, "limit": limit, "offset": offset}
    total = call.session.value(f"SELECT count(*) FROM {_WITH_ARTISTS} WHERE {where}", bound)
    rows = call.session.rows(
        f"SELECT {VIDEO_COLUMNS} FROM {_WITH_ARTISTS} WHERE {where} ORDER BY {SORTS[sort].format(order=order)}"
        " LIMIT :limit OFFSET :offset",
        bound,
    )
    response: JsonObject = {"query": text, "status": status, "videos": load_eagerly(call.session, rows), "total": total}
    response |= {"limit": limit, "offset": offset, "sort": sort, "order": order}
    if status is None:
        counts = f"SELECT v.status, count(*) FROM {_WITH_ARTISTS} WHERE {where} GROUP BY v.status"
        response["statuses"] = call.session.pairs(counts, bound)
    return response


def _sorting(call: Call) -> tuple[str, str]:
    return call.parameters.choice("sort", SORTS, "title"), call.parameters.choice("order", SORT_ORDERS, "asc")


def _listed(call: Call, sort: str, order: str, page: tuple[int, int]) -> tuple[int, list[sqlite3.Row]]:
    columns, source, count = VIDEO_COLUMNS, "videos v", "SELECT count(*) FROM videos"
    if sort == "artist_name":
        columns, source = _WITH_ARTIST, _WITH_ARTISTS
        count = f"SELECT count(*) FROM {_WITH_ARTISTS}"
    if Regression.JOIN_ALWAYS in call.regressions:
        source = _JOIN_OF_EVERYTHING
        count = (
            f"SELECT count(*) FROM (SELECT {VIDEO_COLUMNS}, l.name, group_concat(t.name) FROM {_JOIN_OF_EVERYTHING})"
        )
    ordering = SORTS[sort].format(order=order)
    total: int = call.session.value(count)
    return total, call.session.rows(f"SELECT {columns} FROM {source} ORDER BY {ordering} LIMIT ? OFFSET ?", page)


# --- What belongs to a page of videos, loaded well or badly ----------------------------------------------------------

_PAGE_ARTISTS = "SELECT id, name, country FROM artists WHERE id IN (SELECT value FROM json_each(?))"
_PAGE_LABELS = "SELECT id, name FROM labels WHERE id IN (SELECT value FROM json_each(?))"
_PAGE_TAGS = """
SELECT vt.video_id, t.name FROM video_tags vt JOIN tags t ON t.id = vt.tag_id
WHERE vt.video_id IN (SELECT value FROM json_each(?)) ORDER BY t.name
"""


def load_eagerly(session: QuerySession, rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """One query for all labels of the page and one for all tags; one for all artists, unless a join brought them."""
    if not rows:
        return []
    if _joined(rows[0]):
        artists = {row["artist_id"]: _joined_artist(row) for row in rows}
    else:
        artists = {
            row["id"]: dict(row) for row in session.rows(_PAGE_ARTISTS, as_set(row["artist_id"] for row in rows))
        }
    labels = {row["id"]: dict(row) for row in session.rows(_PAGE_LABELS, as_set(row["label_id"] for row in rows))}
    tags: dict[int, list[str]] = {row["id"]: [] for row in rows}
    for row in session.rows(_PAGE_TAGS, as_set(tags)):
        tags[row["video_id"]].append(row["name"])
    return [_shown(row, artists[row["artist_id"]], labels[row["label_id"]], tags[row["id"]]) for row in rows]


def load_one_by_one(session: QuerySession, rows: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    """The N+1 pattern: label and tags of every video by separate queries, and its artist unless it was joined."""
    return [_load_one(session, row) for row in rows]


def _load_one(session: QuerySession, row: sqlite3.Row) -> dict[str, Any]:
    artist = _joined_artist(row) if _joined(row) else dict(session.rows(_PAGE_ARTISTS, as_set([row["artist_id"]]))[0])
    label = dict(session.rows(_PAGE_LABELS, as_set([row["label_id"]]))[0])
    tags = [tag["name"] for tag in session.rows(_PAGE_TAGS, as_set([row["id"]]))]
    return _shown(row, artist, label, tags)


def _joined(row: sqlite3.Row) -> bool:
    return "artist_name" in row.keys()  # noqa: SIM118 - `in row` would look at the values


def _joined_artist(row: sqlite3.Row) -> dict[str, Any]:
    return {"id": row["artist_id"], "name": row["artist_name"], "country": row["artist_country"]}


def _shown(
    row: sqlite3.Row, artist: Mapping[str, Any], label: Mapping[str, Any], tags: Sequence[str]
) -> dict[str, Any]:
    return {name: row[name] for name in _SHOWN} | {"artist": artist, "label": label, "tags": tags}


# --- The universal search: one text, looked for in everything that has a name --------------------------------------

_HITS = 10
_MOST_HITS = 50
_COUNT_VIDEOS = r"SELECT count(*) FROM videos WHERE title LIKE :like ESCAPE '\'"
_FOUND_VIDEOS = (
    f"SELECT {VIDEO_COLUMNS} FROM videos v "
    r"WHERE v.title LIKE :like ESCAPE '\' ORDER BY v.views DESC, v.id LIMIT :limit"
)
_COUNT_ARTISTS = r"SELECT count(*) FROM artists WHERE name LIKE :like ESCAPE '\'"
_FOUND_ARTISTS = r"SELECT id, name, country FROM artists WHERE name LIKE :like ESCAPE '\' ORDER BY name LIMIT :limit"
_FOUND_LABELS = r"""
SELECT l.id, l.name, (SELECT count(*) FROM videos v WHERE v.label_id = l.id) AS videos
FROM labels l WHERE l.name LIKE :like ESCAPE '\' ORDER BY l.name LIMIT :limit
"""
_FOUND_TAGS = r"""
SELECT t.id, t.name, (SELECT count(*) FROM video_tags vt WHERE vt.tag_id = t.id) AS videos
FROM tags t WHERE t.name LIKE :like ESCAPE '\' ORDER BY t.name LIMIT :limit
"""


def search_everything(call: Call) -> JsonObject:
    """The first hits of each kind: videos by views, everything else by name."""
    text = call.parameters.text("q")
    limit = call.parameters.integer("limit", _HITS, 1, _MOST_HITS)
    bound = {"like": like(text), "limit": limit}
    session = call.session
    videos = {
        "total": session.value(_COUNT_VIDEOS, bound),
        "items": load_eagerly(session, session.rows(_FOUND_VIDEOS, bound)),
    }
    artist_rows = session.rows(_FOUND_ARTISTS, bound)
    counts: dict[int, int] = session.pairs(_VIDEO_COUNTS, as_set(row["id"] for row in artist_rows))
    artists = {
        "total": session.value(_COUNT_ARTISTS, bound),
        "items": [dict(row) | {"videos": counts.get(row["id"], 0)} for row in artist_rows],
    }
    labels = [dict(row) for row in session.rows(_FOUND_LABELS, bound)]
    tags = [dict(row) for row in session.rows(_FOUND_TAGS, bound)]
    return {"query": text, "limit": limit, "videos": videos, "artists": artists, "labels": labels, "tags": tags}


# --- Settings, artists, health -------------------------------------------------------------------------------------

_ARTISTS = "SELECT id, name, country, formed FROM artists ORDER BY name LIMIT ? OFFSET ?"
_LATEST = """
SELECT artist_id, max(created_at) FROM videos WHERE artist_id IN (SELECT value FROM json_each(?)) GROUP BY artist_id
"""
_ALL_VIDEOS = f"SELECT {VIDEO_COLUMNS} FROM videos v ORDER BY v.artist_id, v.id"


def health(call: Call) -> JsonObject:
    """Whether the database responds, and the version of its tables."""
    call.session.value("SELECT 1")
    return {"status": "ok", "schema": call.session.value("SELECT max(version) FROM migrations")}


def settings(call: Call) -> JsonObject:
    """All settings by category."""
    schema = call.session.value("SELECT max(version) FROM migrations")
    categories = call.session.rows(
        "SELECT category, count(*) AS number FROM settings GROUP BY category ORDER BY category"
    )
    values: dict[str, dict[str, str]] = {row["category"]: {} for row in categories}
    for row in call.session.rows("SELECT key, category, value FROM settings ORDER BY key"):
        values[row["category"]][row["key"].partition(".")[2]] = row["value"]
    return {"settings": values, "total": sum(row["number"] for row in categories), "schema": schema}


def list_artists(call: Call) -> JsonObject:
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


def _embed_videos(session: QuerySession, artists: Sequence[dict[str, Any]]) -> None:
    by_artist: dict[int, list[dict[str, Any]]] = {}
    for video in load_eagerly(session, session.rows(_ALL_VIDEOS)):
        by_artist.setdefault(video["artist"]["id"], []).append(video)
    for artist in artists:
        artist["all_videos"] = by_artist.get(artist["id"], [])
