"""The entry point: ``perfcheck`` and ``python -m perfcheck``."""

from __future__ import annotations

import sys

from perfcheck.errors import EXIT_INTERRUPTED, EXIT_USAGE, WITHOUT_DEPENDENCIES


def main() -> None:
    try:
        # Here, since an interruption while importing is one too.
        from perfcheck.cli.app import run_command_line  # noqa: PLC0415
        from perfcheck.cli.ui.terminal import open_closed_streams  # noqa: PLC0415

        open_closed_streams()
        code = run_command_line(sys.argv[1:])
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except ModuleNotFoundError as error:  # click itself: any other is handled where it is there to report it
        if error.name is None or error.name.startswith("perfcheck"):
            raise
        sys.stderr.write(f"error: the package '{error.name}' is not installed\nhelp: {WITHOUT_DEPENDENCIES}\n")
        code = EXIT_USAGE
    sys.exit(code)


if __name__ == "__main__":
    main()
