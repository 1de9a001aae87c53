"""Where the command begins: nothing is loaded yet, so that an interruption ends it in order from the first moment."""

import sys

INTERRUPTED = 130


def main() -> None:
    """Load the program and call it."""
    try:
        from etl.cli import main as call  # noqa: PLC0415 - it takes a second
    except KeyboardInterrupt:
        sys.stderr.write("etl: interrupted\n")
        sys.exit(INTERRUPTED)
    call()
