"""How right and how quick the search for the capacity is, and how much load one process makes.

    python benchmarks/capacity.py --simulated [--tries 200]
    python benchmarks/capacity.py --service [--tries 20] [--at-once 4]
    python benchmarks/capacity.py --gunicorn
    python benchmarks/capacity.py --engine

``--simulated``: the search on simulated queues of known capacity; twenty minutes on two cores.
``--service``: the search as a command, on a real service of known capacity; half an hour with four at once.
``--gunicorn``: the sample service with 1, 2 and 4 workers of gunicorn, and with a slower handler; 13 minutes.
``--engine``: requests a second of one process next to Locust's own users, and latencies next to wrk's.
"""

from __future__ import annotations

import argparse
import sys

import gunicorn_capacity
import load_engine
import real_search
import search_simulation


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--simulated", action="store_true")
    what.add_argument("--service", action="store_true")
    what.add_argument("--gunicorn", action="store_true")
    what.add_argument("--engine", action="store_true")
    parser.add_argument("--tries", type=int, help="for each service")
    parser.add_argument("--at-once", type=int, default=4, help="searches of real services side by side")
    arguments = parser.parse_args()
    if arguments.engine:
        return load_engine.main()
    if arguments.gunicorn:
        return gunicorn_capacity.main()
    if arguments.service:
        return real_search.main(arguments.tries or 20, arguments.at_once)
    return search_simulation.main(arguments.tries or 200)


if __name__ == "__main__":
    sys.exit(main())
