"""The sample service: a small music-video catalogue with an API and pages worth checking, and regressions to inject.

Standard library only, apart from the templates of the pages, which are imported when the first one is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Self, TypedDict

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5001
DEFAULT_ROUND_TRIP_MS = 4.0  # median, to the database
DEFAULT_SEED = 1
DEFAULT_TOKEN_LIFETIME_S = 300.0
DEFAULT_RATE_LIMIT = 10  # requests per second, of the route that has a limit


class ServiceOptions(TypedDict, total=False):
    """What a sample service can be started with."""

    regressions: Iterable[str]
    round_trip_ms: float
    seed: int
    token_lifetime_s: float
    rate_limit: int


class Regression(StrEnum):
    """The names that ``--regress`` takes, each with a line for the help: what the service does wrong, and where."""

    N_PLUS_ONE = "n-plus-one", "video lists load artist, label and tags of every video with separate queries"
    JOIN_ALWAYS = "join-always", "video lists join every table, and count on the join: slower, yet within the targets"
    MISSING_INDEX = "missing-index", "the video search scans all tags for every video, since an index is missing"
    SLOW_SETTINGS = "slow-settings", "settings query a remote configuration service first, which takes about 160 ms"
    SLOW_TAIL = "slow-tail", "one health check in eight waits 150 ms for a lock: the median hides it, p95 does not"
    ERRORS = "errors", "one in five responses of the video search is a 500"
    HANG = "hang", "the universal search never responds"
    LARGE_BODY = "large-body", "artists come all at once with their videos embedded: over 1 MB"
    SLOWER_SEARCH = "slower-search", "the video search takes 15% longer: within its target, but a comparison finds it"
    WRONG_ANSWER = "wrong-answer", "POST search, account, GraphQL and events are wrong, with status 200"
    SLOW_STEP = "slow-step", "POST search takes 20 ms longer: one step of a workflow"
    RENDER_BLOCKING = (
        "render-blocking",
        "pages load a script in their head that takes 800 ms, and stay blank until then",
    )

    description: str

    def __new__(cls, name: str, description: str = "") -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.description = description
        return member


def demo_baseline() -> Path:
    """The baseline of the sample service: inside an installed package, or at the root of a checkout."""
    here = Path(__file__).parent
    packaged = here / "baselines.yaml"
    return packaged if packaged.exists() else here.parent.parent / "baselines.yaml"
