"""Video lists and the video search. Joins only where the sorting needs them, and counts without a join where it can."""

# ruff: noqa: S608 - the SQL is put together from the constants of this module; what a client sends is bound

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcheck.demo.api import like
from perfcheck.demo.catalogue import STATUSES
from perfcheck.demo.database import as_set
from perfcheck.demo.loading import COLUMNS, WITH_ARTIST, load_eagerly, load_one_by_one
from perfcheck.demo.regressions import Regression

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from perfcheck.demo.api import Answer, Call
    from perfcheck.demo.database import Session

SORTS = {
    "title": "v.title {order}, v.id {order}",
    "created_at": "v.created_at {order}, v.id {order}",
    "status": "v.status {order}, v.id {order}",
    "artist_name": "a.name {order}, v.title {order}, v.id {order}",
}
ORDERS = ("asc", "desc")

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


def list_videos(call: Call) -> Answer:
    """Count, page, and what belongs to the page: five queries, however long the page."""
    sort, order = _sorting(call)
    limit, offset = call.parameters.page()
    total, rows = _listed(call, sort, order, (limit, offset))
    load = load_one_by_one if Regression.N_PLUS_ONE in call.regressions else load_eagerly
    answer: Answer = {"videos": load(call.session, rows), "total": total, "limit": limit, "offset": offset}
    answer |= {"sort": sort, "order": order}
    if sort == "artist_name":
        answer["artists"] = _artists_of(call.session, rows)
    return answer


def search_videos(call: Call) -> Answer:
    """In titles, names of artists and tags. Without a status, how many were found of each status is told as well."""
    text = call.parameters.text("q")
    status = call.parameters.optional_choice("status", STATUSES)
    sort, order = _sorting(call)
    limit, offset = call.parameters.page()
    where = _FOUND + (_WITH_STATUS if status else "")
    bound = {"like": like(text), "status": status, "limit": limit, "offset": offset}
    total = call.session.value(f"SELECT count(*) FROM {_WITH_ARTISTS} WHERE {where}", bound)
    rows = call.session.rows(
        f"SELECT {COLUMNS} FROM {_WITH_ARTISTS} WHERE {where} ORDER BY {SORTS[sort].format(order=order)}"
        " LIMIT :limit OFFSET :offset",
        bound,
    )
    answer: Answer = {"query": text, "status": status, "videos": load_eagerly(call.session, rows), "total": total}
    answer |= {"limit": limit, "offset": offset, "sort": sort, "order": order}
    if status is None:
        counts = f"SELECT v.status, count(*) FROM {_WITH_ARTISTS} WHERE {where} GROUP BY v.status"
        answer["statuses"] = call.session.pairs(counts, bound)
    return answer


def _sorting(call: Call) -> tuple[str, str]:
    return call.parameters.choice("sort", SORTS, "title"), call.parameters.choice("order", ORDERS, "asc")


def _listed(call: Call, sort: str, order: str, page: tuple[int, int]) -> tuple[int, list[sqlite3.Row]]:
    columns, source, count = COLUMNS, "videos v", "SELECT count(*) FROM videos"
    if sort == "artist_name":
        columns, source = WITH_ARTIST, _WITH_ARTISTS
        count = f"SELECT count(*) FROM {_WITH_ARTISTS}"
    if Regression.JOIN_ALWAYS in call.regressions:
        source = _JOIN_OF_EVERYTHING
        count = f"SELECT count(*) FROM (SELECT {COLUMNS}, l.name, group_concat(t.name) FROM {_JOIN_OF_EVERYTHING})"
    ordering = SORTS[sort].format(order=order)
    total: int = call.session.value(count)
    return total, call.session.rows(f"SELECT {columns} FROM {source} ORDER BY {ordering} LIMIT ? OFFSET ?", page)


def _artists_of(session: Session, rows: Sequence[sqlite3.Row]) -> list[dict[str, str | int]]:
    return [dict(row) for row in session.rows(_VIDEOS_OF_ARTISTS, as_set(row["artist_id"] for row in rows))]
