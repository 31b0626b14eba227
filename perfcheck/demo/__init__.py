"""The sample service: a small music-video catalogue with an API worth checking, and regressions to inject on demand.

Standard library only.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5001
DEFAULT_ROUND_TRIP_MS = 4.0  # median, to the database
DEFAULT_SEED = 1


class Regression(StrEnum):
    """The names that ``--regress`` takes."""

    N_PLUS_ONE = "n-plus-one"
    JOIN_ALWAYS = "join-always"
    MISSING_INDEX = "missing-index"
    SLOW_SETTINGS = "slow-settings"
    SLOW_TAIL = "slow-tail"
    ERRORS = "errors"
    HANG = "hang"
    LARGE_BODY = "large-body"
    SLOWER_SEARCH = "slower-search"

    @property
    def description(self) -> str:
        """One line for the help: what the service does wrong, and where."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Regression.N_PLUS_ONE: "video lists load artist, label and tags of every video with separate queries",
    Regression.JOIN_ALWAYS: "video lists join every table, and count on the join: slower, yet within the targets",
    Regression.MISSING_INDEX: "the video search scans all tags for every video, since an index is missing",
    Regression.SLOW_SETTINGS: "settings query a remote configuration service first, which takes about 160 ms",
    Regression.SLOW_TAIL: "one health check in eight waits 150 ms for a lock: the median hides it, p95 does not",
    Regression.ERRORS: "one in five responses of the video search is a 500",
    Regression.HANG: "the universal search never responds",
    Regression.LARGE_BODY: "artists come all at once with their videos embedded: over 1 MB",
    Regression.SLOWER_SEARCH: "the video search takes 15% longer: within its target, but a comparison finds it",
}


def demo_baseline() -> Path:
    """The baseline of the sample service: inside an installed package, or at the root of a checkout."""
    here = Path(__file__).parent
    packaged = here / "baselines.yaml"
    return packaged if packaged.exists() else here.parent.parent / "baselines.yaml"
