"""The baseline file as JSON Schema, for editors. ``python -m perfcheck.baseline.schema`` prints it."""

from __future__ import annotations

import json
from typing import Any

from perfcheck.baseline.keys import TOP


def json_schema() -> dict[str, Any]:
    """Draft 2020-12, made from the same table that the validator reads.

    It is milder than the validator: it knows no relations between keys, and no variables.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "perfcheck baseline",
        "description": "What an HTTP service promises about its latency.",
        **TOP.schema(),
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
