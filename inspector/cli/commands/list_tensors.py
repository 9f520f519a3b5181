"""`list-tensors`: its signature, its sentence, its examples."""

from typing import Annotated, Final

import typer

from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    By,
    Experts,
    Format,
    Jobs,
    Json,
    Layers,
    Limit,
    MaxBytes,
    Model,
    NoCache,
    Offline,
    OutputFile,
    OutputFormat,
    Plan,
    Quiet,
    Revision,
    SortKey,
)

EXAMPLES: Final = (
    "s1inspect list-tensors -m sample_shards/s1-pro-mini",
    "s1inspect list-tensors layers.0.mlp.experts.{0..3} -m sample_shards/s1-pro-mini --flat",
    "s1inspect list-tensors -m sample_shards/s1-pro-mini --by layer",
)


def list_tensors(
    *,
    patterns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATTERN", show_default=False,
            help="Names, parts of names on whole components, globs (* ** {0..7}) or re:regex.",
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
    layers: Layers = None,
    experts: Experts = None,
    flat: Annotated[
        bool,
        typer.Option("--flat", rich_help_panel="Output", help="One row a tensor."),
    ] = False,
    by: Annotated[
        By | None,
        typer.Option(rich_help_panel="Output", help="Totals by dtype, layer, module or shard."),
    ] = None,
    sort: Annotated[
        SortKey,
        typer.Option(rich_help_panel="Output", help="Order of rows; numbers largest first."),
    ] = SortKey.NAME,
    limit: Limit = None,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
    jobs: Jobs = DEFAULT_JOBS,
    max_bytes: MaxBytes = None,
    plan: Plan = False,
    offline: Offline = False,
    no_cache: NoCache = False,
) -> None:  # fmt: skip
    """List tensors: names, dtypes, shapes, sizes and places, from headers alone."""
    from inspector.cli import common, list_tensors

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    list_tensors.run(inputs, outputs, patterns or [], flat=flat, by=by, sort=sort, limit=limit)
