"""Where the baseline of the sample service lies."""

from __future__ import annotations

from pathlib import Path


def demo_baseline() -> Path:
    """The copy inside an installed package; in a checkout the file at its root, which is the same."""
    here = Path(__file__).parent
    packaged = here / "baselines.yaml"
    return packaged if packaged.exists() else here.parent.parent / "baselines.yaml"
