"""What can be made to go wrong in the sample service, each with the line that the help shows."""

from __future__ import annotations

from enum import StrEnum


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
        """One line: what the service does wrong, and where."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    Regression.N_PLUS_ONE: "video lists load artist, label and tags of every video by queries of their own",
    Regression.JOIN_ALWAYS: "video lists join every table, and count on the join: slower, yet within the targets",
    Regression.MISSING_INDEX: "the video search reads through all tags for every video, for want of an index",
    Regression.SLOW_SETTINGS: "settings ask a remote configuration service first, which takes about 160 ms",
    Regression.SLOW_TAIL: "one health check in eight waits 150 ms for a lock: the median hides it, p95 does not",
    Regression.ERRORS: "one in five answers of the video search is a 500",
    Regression.HANG: "the universal search never answers",
    Regression.LARGE_BODY: "artists come all at once with their videos embedded: over 1 MB",
    Regression.SLOWER_SEARCH: "the video search takes 15% longer: no target tells, but a comparison does",
}
