"""The baseline file as JSON Schema, for editors. ``python -m perfcheck.baseline.schema`` prints it."""

from __future__ import annotations

import json
from typing import Any

from perfcheck.baseline.keys import TOP


def json_schema() -> dict[str, Any]:
    """Draft 2020-12, from the same table as the validator.

    It accepts more than the validator: it does not compare values with each other, or expand variables.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "perfcheck baseline",
        "description": "The latency targets of an HTTP service.",
        **TOP.schema(),
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
