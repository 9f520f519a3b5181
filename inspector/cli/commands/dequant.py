"""`dequant`: its signature, its sentence, its examples."""

from pathlib import Path
from typing import Annotated, Final

import typer

from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    Experts,
    ExportDtype,
    Format,
    Jobs,
    Json,
    Layers,
    MaxBytes,
    Model,
    NoCache,
    Offline,
    OutputFormat,
    Plan,
    Quiet,
    Revision,
    Scheduler,
)

EXAMPLES: Final = (
    "s1inspect dequant layers.0.mlp.experts.2 -m sample_shards/s1-pro-mini",
    "s1inspect dequant layers.1.self_attn.q_proj --rows 0:4 -m sample_shards/s1-pro-mini",
    "s1inspect dequant layers.0.mlp.experts.7.up_proj -m sample_shards/qwen3-vl-mini",
    "s1inspect dequant layers.0.mlp.experts.2 -m sample_shards/s1-pro-mini -o e.safetensors",
    "s1inspect dequant layers.0.mlp.experts.2.up_proj -m sample_shards/s1-pro-mini --verify",
    "s1inspect dequant layers.0.mlp -m sample_shards/s1-pro-mini --dtype bfloat16 --out decoded",
)


def dequant(
    *,
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET", help="A module or tensor: a name, part of one, a glob or re:regex."
        ),
    ],
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
    layers: Layers = None,
    experts: Experts = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="A:B", rich_help_panel="Selection",
            help="Rows A to B - 1 of every weight; they alone are read.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A:B", rich_help_panel="Selection",
            help="Columns A to B - 1 of every weight; whole rows are read.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", rich_help_panel="Output",
            help="Also write the decoded values to FILE: .safetensors, .npy or .npz.",
        ),
    ] = None,
    dtype: Annotated[
        ExportDtype, typer.Option(rich_help_panel="Output", help="Dtype of the values in FILE.")
    ] = ExportDtype.FLOAT32,
    norms: Annotated[
        bool,
        typer.Option(
            "--norms", rich_help_panel="Output",
            help="Euclidean norms of every row and column: one for each neuron.",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", rich_help_panel="Output",
            help="Quantize again by the producer's rule and count the codes that come back.",
        ),
    ] = False,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    jobs: Jobs = DEFAULT_JOBS,
    max_bytes: MaxBytes = None,
    plan: Plan = False,
    offline: Offline = False,
    no_cache: NoCache = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", file_okay=False, rich_help_panel="Output",
            help="Write the decoded values to DIR, a .safetensors file a layer: the same command "
            "goes on where it was stopped.",
        ),
    ] = None,
    scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Decode weights: statistics of a module's true numbers, and the numbers to a file."""
    from inspector.cli import choosing, common, dequant, running

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, None)
    choice = choosing.Choice(targets, rows, columns)
    ask = dequant.Ask(output, dtype.value, norms=norms, verify=verify)
    dequant.run(inputs, outputs, choice, ask, running.RunOptions(out, scheduler))
