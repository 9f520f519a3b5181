"""`cache`: its signature, its sentence, its examples."""

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
    "s1inspect cache",
    "s1inspect cache internlm/Intern-S1-Pro --json",
    "s1inspect cache --clear",
)


def cache(
    *,
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="CHECKPOINT",
            show_default=False,
            help="Only what is kept of this one, named as --model is.",
        ),
    ] = None,
    clear: Annotated[
        bool,
        typer.Option("--clear", rich_help_panel="Selection", help="Remove what is kept."),
    ] = False,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
) -> None:
    """Say which checkpoints' headers are kept, and how large they are; clear them."""
    from inspector.cli import cache, common

    outputs = common.OutputOptions(output_format, json, quiet, output)
    cache.run(outputs, checkpoint, clear=clear)
