"""The sample service: a small music-video catalogue with an API worth checking, and regressions to inject on demand.

Standard library only, and nothing is imported here, so that it starts at once.
"""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5001
DEFAULT_ROUND_TRIP_MS = 4.0  # median, to the database
DEFAULT_SEED = 1
