"""`python -m inspector` and the `s1inspect` command."""

import os
import sys


def main() -> None:
    """Run the command line, and leave without waiting for threads that still read."""
    from inspector.cli.app import app

    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except BrokenPipeError:
            pass
        os._exit(code)


if __name__ == "__main__":
    main()
