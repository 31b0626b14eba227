"""The universal search: one text, looked for in everything that has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcheck.demo.api import like
from perfcheck.demo.database import as_set
from perfcheck.demo.loading import COLUMNS, load_eagerly

if TYPE_CHECKING:
    from perfcheck.demo.api import Answer, Call

_PAGE = 10
_LARGEST_PAGE = 50
_COUNT_VIDEOS = r"SELECT count(*) FROM videos WHERE title LIKE :like ESCAPE '\'"
_VIDEOS = (
    f"SELECT {COLUMNS} FROM videos v "  # noqa: S608 - a constant
    r"WHERE v.title LIKE :like ESCAPE '\' ORDER BY v.views DESC, v.id LIMIT :limit"
)
_COUNT_ARTISTS = r"SELECT count(*) FROM artists WHERE name LIKE :like ESCAPE '\'"
_ARTISTS = r"SELECT id, name, country FROM artists WHERE name LIKE :like ESCAPE '\' ORDER BY name LIMIT :limit"
_ARTIST_VIDEOS = """
SELECT artist_id, count(*) FROM videos WHERE artist_id IN (SELECT value FROM json_each(?)) GROUP BY artist_id
"""
_LABELS = r"""
SELECT l.id, l.name, (SELECT count(*) FROM videos v WHERE v.label_id = l.id) AS videos
FROM labels l WHERE l.name LIKE :like ESCAPE '\' ORDER BY l.name LIMIT :limit
"""
_TAGS = r"""
SELECT t.id, t.name, (SELECT count(*) FROM video_tags vt WHERE vt.tag_id = t.id) AS videos
FROM tags t WHERE t.name LIKE :like ESCAPE '\' ORDER BY t.name LIMIT :limit
"""


def search_everything(call: Call) -> Answer:
    """The first hits of each kind: videos by views, everything else by name."""
    text = call.parameters.text("q")
    limit = call.parameters.integer("limit", _PAGE, 1, _LARGEST_PAGE)
    bound = {"like": like(text), "limit": limit}
    session = call.session
    videos = {
        "total": session.value(_COUNT_VIDEOS, bound),
        "items": load_eagerly(session, session.rows(_VIDEOS, bound)),
    }
    found = session.rows(_ARTISTS, bound)
    counts: dict[int, int] = session.pairs(_ARTIST_VIDEOS, as_set(row["id"] for row in found))
    artists = {
        "total": session.value(_COUNT_ARTISTS, bound),
        "items": [dict(row) | {"videos": counts.get(row["id"], 0)} for row in found],
    }
    labels = [dict(row) for row in session.rows(_LABELS, bound)]
    tags = [dict(row) for row in session.rows(_TAGS, bound)]
    return {"query": text, "limit": limit, "videos": videos, "artists": artists, "labels": labels, "tags": tags}
