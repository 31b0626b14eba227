"""The catalogue: artists, labels, videos, tags and settings in SQLite, generated from a seed."""

from __future__ import annotations

import sqlite3
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VIDEOS = 3000
ARTISTS = 400
STATUSES = ("WANTED", "DOWNLOADING", "DOWNLOADED", "IGNORED", "FAILED")
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
    database.executemany("INSERT INTO labels (name) VALUES (?)", ((name,) for name in LABELS))
    database.executemany("INSERT INTO tags (name) VALUES (?)", ((name,) for name in TAGS))
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
        yield name, random.choice(COUNTRIES), random.randint(1965, 2023)


def _artist_name(random: Random) -> str:
    match random.randrange(4):
        case 0:
            return f"The {random.choice(ADJECTIVES)} {random.choice(NOUNS)}s"
        case 1:
            return f"{random.choice(NOUNS)} {random.choice(NOUNS)}"
        case _:
            return f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}"


def _videos(random: Random) -> Iterator[tuple[int, str, int, int, str, str, int, int, str]]:
    statuses = random.choices(STATUSES, _STATUS_WEIGHTS, k=VIDEOS)
    for number, status in enumerate(statuses, start=1):
        yield (
            number,
            _title(random),
            1 + int(ARTISTS * random.random() ** 1.5),  # a few artists have many videos, most have a handful
            1 + int(len(LABELS) * random.random()),
            status,
            _created_at(random),
            120 + int(300 * random.random()),
            int(random.lognormvariate(9, 2)),
            random.choice(DESCRIPTIONS).format(place=random.choice(PLACES), name=random.choice(FIRST_NAMES)),
        )


def _title(random: Random) -> str:
    noun = random.choice(NOUNS)
    match int(5 * random.random()):
        case 0:
            title = f"{random.choice(VERBS)} the {noun}"
        case 1:
            title = f"{noun} in {random.choice(PLACES)}"
        case 2:
            title = f"{random.choice(VERBS)} My {random.choice(ADJECTIVES)} {noun}"
        case _:
            title = f"{random.choice(ADJECTIVES)} {noun}"
    return f"{title} ({random.choice(VERSIONS)})" if random.random() < 0.5 else title  # noqa: PLR2004


def _created_at(random: Random) -> str:
    second_of_day = int(86400 * random.random())
    hour, rest = divmod(second_of_day, 3600)
    year, month, day = 2016 + int(9 * random.random()), 1 + int(12 * random.random()), 1 + int(28 * random.random())
    return f"{year}-{month:02}-{day:02}T{hour:02}:{rest // 60:02}:{rest % 60:02}Z"


def _video_tags(random: Random) -> Iterator[tuple[int, int]]:
    numbers = range(1, len(TAGS) + 1)
    for video in range(1, VIDEOS + 1):
        for tag in random.sample(numbers, 1 + int(_MOST_TAGS * random.random())):
            yield video, tag


def _settings() -> Iterator[tuple[str, str, str]]:
    for category, values in _SETTINGS.items():
        for key, value in values.items():
            yield f"{category}.{key}", category, value


# --- Words that combine into names. Invented: no song, artist or label is meant -----------------------------------


def _words(text: str, separator: str = " ") -> tuple[str, ...]:
    return tuple(text.split(separator))


ADJECTIVES = _words(
    "Amber Silver Golden Broken Electric Midnight Velvet Crystal Wild Silent Burning Frozen Neon Paper Hollow Distant "
    "Crimson Lonely Restless Tender Fading Endless Hidden Northern Southern Secret Sacred Heavy Little Gentle Bitter "
    "Sweet Empty Open Quiet Rolling Shining Falling Rising Stolen Wandering Borrowed Weightless Scarlet Marble Copper"
)
NOUNS = _words(
    "Love Heart River Mountain Summer Winter Mirror Shadow Ocean Highway Garden Thunder Window Station Harbor Signal "
    "Stranger Lantern Dancer Satellite Horizon Engine Avenue Cathedral Desert Island Machine Letter Diamond Feather "
    "Forest Fire Morning Evening Memory Promise Radio Rocket Sailor Season Silence Skyline Song Storm Street Tiger "
    "Train Valley Voice Water Wolf Carousel Compass Anchor Meadow Orchard Parade Lighthouse Postcard Telescope"
)
VERBS = _words(
    "Follow Leave Remember Forget Chase Call Hold Break Carry Dream Find Lose Paint Burn Believe Wait Run Turn"
)
PLACES = _words(
    "Lisbon Memphis Oslo Havana Kyoto Berlin Nashville Dakar Reykjavik Valencia Montreal Tbilisi Cork Naples"
)
FIRST_NAMES = _words(
    "Ada Amara Bruno Carla Cosima Dario Dinah Elias Esme Felix Freya Gideon Hana Idris Ines Jonah Juno Kofi Leona "
    "Lucia Malik Marlow Mina Nadia Nico Odette Omar Petra Quinn Rafael Rosa Sami Selma Tobias Thea Umar Vera Viggo "
    "Wren Zora"
)
LAST_NAMES = _words(
    "Abbott Adeyemi Bellamy Brandt Castellan Cole Dubois Eriksen Faulkner Fontaine Grant Hale Holloway Ibarra Jansen "
    "Kessler Lindqvist Moreau Navarro Okafor Pereira Quist Ramsey Sato Sinclair Tamm Ueda Vance Whitlock Yilmaz"
)
COUNTRIES = _words("BR CA CU DE ES FR GB GE IE IS IT JP MX NG NO PT SE SN US ZA")
LABELS = _words(
    "Alder Lane Records;Blue Ferry Music;Cartwheel;Dry Dock Recordings;Eleventh Hour;Fieldnote;Glasshouse Sound;"
    "Half Moon Records;Inkwell Music;Junction Seven;Kite String;Low Tide Recordings;Maple Court;Night Bus;Oak Parlour;"
    "Paper Crane;Quarry Road;Red Kettle Records;Slow Clock;Tin Roof Music",
    ";",
)
TAGS = _words(
    "acoustic alternative ambient animation ballad black-and-white blues choreography classic country cover dance "
    "disco documentary drama duet electronic festival folk funk gospel hip-hop house indie instrumental jazz latin "
    "live lo-fi love lyric metal official one-take performance pop protest psychedelic punk rap reggae remix rock soul "
    "studio summer synth techno unplugged vintage"
)
VERSIONS = ("Official Video", "Live", "Acoustic", "Lyric Video", "Remix", "One Take")
DESCRIPTIONS = (
    "Filmed in one night in {place} with a handheld camera and whoever was still awake.",
    "The second single of the record, directed by {name} and cut from two days on the road to {place}.",
    "A performance from the small stage in {place}; sound mixed from the desk by {name}.",
    "{name} plays the stranger who arrives in {place} too late and stays for the winter.",
    "Restored from the original tape, with the missing minute found again in an attic in {place}.",
)
