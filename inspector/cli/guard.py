"""How a command ends: intended errors as one line and their exit code, everything else as it is."""

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Final, ParamSpec

import typer

from inspector.errors import (
    FormatError,
    InspectorError,
    SourceError,
    UsageError,
)

EXIT_USAGE: Final = 2
EXIT_SOURCE: Final = 3
EXIT_FORMAT: Final = 4
EXIT_OTHER: Final = 5
EXIT_INTERRUPTED: Final = 130

_CODES: Final = ((UsageError, EXIT_USAGE), (SourceError, EXIT_SOURCE), (FormatError, EXIT_FORMAT))

P = ParamSpec("P")


def exit_code(error: InspectorError) -> int:
    """The documented exit code of an intended error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), EXIT_OTHER)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Make intended errors, Ctrl-C and a closed pipe quiet exits; HF_DEBUG=1 keeps tracebacks."""

    @functools.wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except InspectorError as error:
            if _debugging():
                traceback.print_exc()
            from inspector.render.text import escape

            hint = f"\nhint: {escape(error.hint)}" if error.hint else ""
            print(f"s1inspect: {escape(str(error))}{hint}", file=sys.stderr)
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt:
            _leave("s1inspect: interrupted", EXIT_INTERRUPTED)
        except BrokenPipeError:
            _leave("", 0)

    return run


def _leave(line: str, code: int) -> None:
    """Leave at once: threads that still read are not waited for."""
    if line:
        print(line, file=sys.stderr, flush=True)
    os._exit(code)


def _debugging() -> bool:
    return os.environ.get("HF_DEBUG", "").upper() in ("1", "ON", "YES", "TRUE")
