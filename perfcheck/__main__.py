"""The entry point: ``perfcheck`` and ``python -m perfcheck``."""

from __future__ import annotations

import sys


def main() -> None:
    try:
        # Here, since an interruption while importing is one too.
        from perfcheck.cli.app import run_command_line  # noqa: PLC0415
        from perfcheck.cli.ui.terminal import open_closed_streams  # noqa: PLC0415

        open_closed_streams()
        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
