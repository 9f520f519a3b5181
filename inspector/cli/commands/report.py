"""`report`: its signature, its sentence, its examples."""

from pathlib import Path
from typing import Annotated, Final

import typer

from inspector.cli.options import (
    Format,
    Json,
    OutputFile,
    OutputFormat,
    Quiet,
)

EXAMPLES: Final = (
    "s1inspect report audit.json compare.json similarity.json -o report.html",
    "s1inspect report results -o report.html",
    "s1inspect report audit.json compare.json --json",
)


def report(
    *,
    documents: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="What audit, check, compare, dequant, expert-similarity or params wrote with "
            "--json, or folders of --out.",
        ),
    ],
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
) -> None:
    """Join the reports of several commands into one page: every answer, then each in full."""
    from inspector.cli import common, report

    outputs = common.OutputOptions(output_format, json, quiet, output)
    report.run(outputs, documents)
