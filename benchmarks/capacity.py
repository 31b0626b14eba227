"""How right and how quick the search for the capacity is, and how much load one process makes.

    python benchmarks/capacity.py --simulated [--tries 200]
    python benchmarks/capacity.py --engine

``--simulated``: the search on simulated queues of known capacity; twenty minutes on two cores.
``--engine``: requests a second of one process next to Locust's own users, and latencies next to wrk's.
"""

from __future__ import annotations

import argparse
import sys

import load_engine
import search_simulation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--simulated", action="store_true")
    what.add_argument("--engine", action="store_true")
    parser.add_argument("--tries", type=int, default=200, help="for each simulated service")
    arguments = parser.parse_args()
    return search_simulation.main(arguments.tries) if arguments.simulated else load_engine.main()


if __name__ == "__main__":
    sys.exit(main())
