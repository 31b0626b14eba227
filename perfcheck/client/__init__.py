"""The HTTP client. httpx comes without its command line, whose import takes longer than all that is used here."""

import sys

if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment] # to httpx, its optional packages are missing
    import httpx  # noqa: F401

    del sys.modules["httpx._main"]
