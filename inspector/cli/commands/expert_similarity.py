"""`expert-similarity`: its signature, its sentence, its examples."""

from pathlib import Path
from typing import Annotated, Final

import typer

from inspector.cli.options import (
    DEFAULT_MODEL,
    MATCH_JOBS,
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
    References,
    Revision,
)

EXAMPLES: Final = (
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini --ref sample_shards/qwen3-mini",
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-vl-mini",
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-mini --out r",
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-mini --plan",
    "s1inspect expert-similarity -m sample_shards/qwen3-mini -r sample_shards/qwen3-mini",
)


def expert_similarity(
    *,
    ref: References,
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
    layers: Layers = None,
    experts: Experts = None,
    seed: Annotated[
        int,
        typer.Option(min=0, rich_help_panel="Selection", help="Chooses the rows that are sampled."),
    ] = 0,
    limit: Limit = None,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
    jobs: Jobs = MATCH_JOBS,
    max_bytes: MaxBytes = None,
    plan: Plan = False,
    offline: Offline = False,
    no_cache: NoCache = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, rich_help_panel="Output",
            help="Keep what is read in DIR: the same command goes on where it was stopped.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Say which experts descend from which of a reference model's, with calibrated p-values."""
    from inspector.cli import common, similarity

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    similarity.run(inputs, outputs, ref, seed=seed, limit=limit, out=out)
