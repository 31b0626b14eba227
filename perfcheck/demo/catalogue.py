"""The catalogue: artists, labels, videos, tags and settings in SQLite, generated from a seed."""

from __future__ import annotations

import sqlite3
from random import Random
from typing import TYPE_CHECKING

from perfcheck.demo import words

if TYPE_CHECKING:
    from collections.abc import Iterator

VIDEOS = 3000
ARTISTS = 400
STATUSES = ("wanted", "downloading", "downloaded", "ignored", "failed")
_STATUS_WEIGHTS = (25, 3, 60, 9, 3)
_MOST_TAGS = 5

_TABLES = """
CREATE TABLE artists (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  country TEXT NOT NULL,
  formed INTEGER NOT NULL
);
CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE videos (
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL,
  artist_id INTEGER NOT NULL REFERENCES artists,
  label_id INTEGER NOT NULL REFERENCES labels,
  status TEXT NOT NULL,
  created_at TEXT NOT NULL,
  duration_s INTEGER NOT NULL,
  views INTEGER NOT NULL,
  description TEXT NOT NULL
);
CREATE TABLE video_tags (video_id INTEGER NOT NULL REFERENCES videos, tag_id INTEGER NOT NULL REFERENCES tags);
CREATE TABLE settings (key TEXT PRIMARY KEY, category TEXT NOT NULL, value TEXT NOT NULL);
CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL);
"""
_INDEXES = """
CREATE INDEX videos_by_title ON videos (title, id);
CREATE INDEX videos_by_created_at ON videos (created_at, id);
CREATE INDEX videos_by_status ON videos (status, id);
CREATE INDEX videos_by_artist ON videos (artist_id);
"""
_TAG_INDEX = "CREATE INDEX video_tags_by_video ON video_tags (video_id, tag_id);"

_SETTINGS = {
    "library": {
        "path": "/srv/music-videos",
        "naming": "{artist}/{title}",
        "scan_interval": "6h",
        "keep_deleted": "30d",
    },
    "downloads": {"parallel": "3", "quality": "1080p", "subtitles": "true", "retries": "5", "bandwidth": "unlimited"},
    "interface": {"theme": "dark", "language": "en", "page_size": "50", "autoplay": "false", "thumbnails": "medium"},
    "metadata": {"source": "local", "refresh": "7d", "overwrite": "false", "artwork": "true"},
    "notifications": {"channel": "none", "on_failure": "true", "on_download": "false"},
}
_MIGRATIONS = ("tables", "labels", "tags", "search", "settings", "indexes")


def build(seed: int, *, tag_index: bool = True) -> sqlite3.Connection:
    """A new database in memory; the same seed gives the same rows. Any thread may use it, one at a time."""
    random = Random(seed)  # noqa: S311 - sample data, not secrets
    database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    database.executescript("BEGIN;" + _TABLES)
    database.executemany("INSERT INTO labels (name) VALUES (?)", ((name,) for name in words.LABELS))
    database.executemany("INSERT INTO tags (name) VALUES (?)", ((name,) for name in words.TAGS))
    database.executemany("INSERT INTO artists (name, country, formed) VALUES (?, ?, ?)", _artists(random))
    database.executemany("INSERT INTO videos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _videos(random))
    database.executemany("INSERT INTO video_tags VALUES (?, ?)", _video_tags(random))
    database.executemany("INSERT INTO settings VALUES (?, ?, ?)", _settings())
    database.executemany("INSERT INTO migrations VALUES (?, ?)", enumerate(_MIGRATIONS, start=1))
    database.executescript(_INDEXES + (_TAG_INDEX if tag_index else ""))  # which commits first
    return database


def _artists(random: Random) -> Iterator[tuple[str, str, int]]:
    names: dict[str, None] = {}  # a dictionary and not a set: its order is that of insertion in every process
    while len(names) < ARTISTS:
        names[_artist_name(random)] = None
    for name in names:
        yield name, random.choice(words.COUNTRIES), random.randint(1965, 2023)


def _artist_name(random: Random) -> str:
    match random.randrange(4):
        case 0:
            return f"The {random.choice(words.ADJECTIVES)} {random.choice(words.NOUNS)}s"
        case 1:
            return f"{random.choice(words.NOUNS)} {random.choice(words.NOUNS)}"
        case _:
            return f"{random.choice(words.FIRST_NAMES)} {random.choice(words.LAST_NAMES)}"


def _videos(random: Random) -> Iterator[tuple[int, str, int, int, str, str, int, int, str]]:
    statuses = random.choices(STATUSES, _STATUS_WEIGHTS, k=VIDEOS)
    for number, status in enumerate(statuses, start=1):
        yield (
            number,
            _title(random),
            1 + int(ARTISTS * random.random() ** 1.5),  # a few artists have many videos, most have a handful
            1 + int(len(words.LABELS) * random.random()),
            status,
            _created_at(random),
            120 + int(300 * random.random()),
            int(random.lognormvariate(9, 2)),
            random.choice(words.DESCRIPTIONS).format(
                place=random.choice(words.PLACES), name=random.choice(words.FIRST_NAMES)
            ),
        )


def _title(random: Random) -> str:
    noun = random.choice(words.NOUNS)
    match int(5 * random.random()):
        case 0:
            title = f"{random.choice(words.VERBS)} the {noun}"
        case 1:
            title = f"{noun} in {random.choice(words.PLACES)}"
        case 2:
            title = f"{random.choice(words.VERBS)} My {random.choice(words.ADJECTIVES)} {noun}"
        case _:
            title = f"{random.choice(words.ADJECTIVES)} {noun}"
    return f"{title} ({random.choice(words.VERSIONS)})" if random.random() < 0.5 else title  # noqa: PLR2004


def _created_at(random: Random) -> str:
    second_of_day = int(86400 * random.random())
    hour, rest = divmod(second_of_day, 3600)
    year, month, day = 2016 + int(9 * random.random()), 1 + int(12 * random.random()), 1 + int(28 * random.random())
    return f"{year}-{month:02}-{day:02}T{hour:02}:{rest // 60:02}:{rest % 60:02}Z"


def _video_tags(random: Random) -> Iterator[tuple[int, int]]:
    numbers = range(1, len(words.TAGS) + 1)
    for video in range(1, VIDEOS + 1):
        for tag in random.sample(numbers, 1 + int(_MOST_TAGS * random.random())):
            yield video, tag


def _settings() -> Iterator[tuple[str, str, str]]:
    for category, values in _SETTINGS.items():
        for key, value in values.items():
            yield f"{category}.{key}", category, value
