"""`runs`: its signature, its sentence, its examples."""

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
    "s1inspect runs",
    "s1inspect runs . --json",
    "s1inspect runs sample_shards --continue",
)


def runs(
    *,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder of a run, or one with such folders in it."),
    ] = Path(),
    go_on: Annotated[
        bool,
        typer.Option(
            "--continue", help="Go on with each that was stopped; its report stays in its folder."
        ),
    ] = False,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
) -> None:
    """List runs that were begun with --out: how far they are, and how to go on."""
    from inspector.cli import common, runs

    outputs = common.OutputOptions(output_format, json, quiet, output)
    raise typer.Exit(runs.run(outputs, folder, go_on=go_on))
