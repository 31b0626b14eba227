"""How right and how quick the search for the capacity is, and how much load one process makes.

    python benchmarks/capacity.py --engine

``--engine``: requests a second of one process next to Locust's own users, and latencies next to wrk's.
"""

from __future__ import annotations

import argparse
import sys

import load_engine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="store_true", required=True)
    parser.parse_args()
    return load_engine.main()


if __name__ == "__main__":
    sys.exit(main())
