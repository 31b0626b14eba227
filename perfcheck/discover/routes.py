"""The routes that a service has by its own account: of the monitor's route table, or read from its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
