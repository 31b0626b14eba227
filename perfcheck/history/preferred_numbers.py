"""Numbers as people write them in promises."""

from __future__ import annotations

import math

# Of each power of ten. None lies more than a quarter above the one before, so that rounding up adds at most that.
LADDER = (1.0, 1.2, 1.5, 1.8, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0)
_EXACT = 1 + 1e-9  # what arithmetic adds to a number that stands on the ladder already


def round_up(value: float) -> float:
    """The lowest number of the ladder that is not below ``value``, which is above 0: 254 -> 300, 0.81 -> 0.9."""
    power = math.floor(math.log10(value))
    mantissa = value / 10.0**power
    step = next(step for step in LADDER if step * _EXACT >= mantissa)
    return round(step * 10.0**power, 9)
