"""`params`: its signature, its sentence, its examples."""

from typing import Annotated, Final

import typer

from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    Format,
    Jobs,
    Json,
    MaxBytes,
    Model,
    NoCache,
    Offline,
    OutputFile,
    OutputFormat,
    Plan,
    Quiet,
    Revision,
)

EXAMPLES: Final = (
    "s1inspect params -m sample_shards/s1-pro-mini",
    "s1inspect params sample_shards/qwen3-mini -m sample_shards/s1-pro-mini",
    "s1inspect params -m sample_shards/s1-pro-mini --config-only --context 8192",
    "s1inspect params -m sample_shards/s1-pro-mini --total-without vision,embeddings",
)

_PARTS: Final = "embeddings, head, vision, mtp, shared_experts, router"


def params(
    *,
    others: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT", show_default=False,
            help="Further checkpoints, shown beside --model in one table.",
        ),
    ] = None,
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
    config_only: Annotated[
        bool,
        typer.Option(
            "--config-only", rich_help_panel="Selection",
            help="Count by formula alone; config.json is all that is read.",
        ),
    ] = False,
    context: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="TOKENS", rich_help_panel="Selection",
            help="Context length for the cache of keys and values; else the model's longest.",
        ),
    ] = None,
    total_without: Annotated[
        str,
        typer.Option(
            metavar="PARTS", rich_help_panel="Selection",
            help=f"Parts that the total leaves out, of {_PARTS}; or none.",
        ),
    ] = "mtp",
    activated_without: Annotated[
        str,
        typer.Option(
            metavar="PARTS", rich_help_panel="Selection",
            help="Parts that the count of activated parameters leaves out, or none.",
        ),
    ] = "mtp,vision",
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
    """Count parameters, total and activated: from headers and by formula from the config."""
    from inspector.cli import common, params

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, None, None, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    asked = params.Asked(others or [], context, total_without, activated_without)
    params.run(inputs, outputs, asked, config_only=config_only)
