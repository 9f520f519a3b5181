"""`compare`: its signature, its sentence, its examples."""

from typing import Annotated, Final

import typer

from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    FailOn,
    FailOnOption,
    Format,
    Jobs,
    Json,
    MaxBytes,
    Model,
    NoCache,
    Offline,
    Out,
    OutputFile,
    OutputFormat,
    Plan,
    Quiet,
    Reference,
    Revision,
    Scheduler,
)

_MINI: Final = "-m sample_shards/s1-pro-mini -r"

EXAMPLES: Final = (
    f"s1inspect compare {_MINI} sample_shards/qwen3-mini --differences --fail-on never",
    f"s1inspect compare {_MINI} sample_shards/s1-pro-mini-e8m0 --full --fail-on never",
    f"s1inspect compare {_MINI} sample_shards/qwen3-vl-mini --config-only -f md --fail-on never",
    f"s1inspect compare {_MINI} sample_shards/s1-pro-mini-e8m0 --full --fail-on never --out c",
)


def compare(
    *,
    ref: Reference,
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
    config_only: Annotated[
        bool,
        typer.Option(
            "--config-only", rich_help_panel="Selection",
            help="Compare configs and small files; read neither headers nor weights.",
        ),
    ] = False,
    no_weights: Annotated[
        bool,
        typer.Option("--no-weights", rich_help_panel="Selection", help="Read no weights."),
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", rich_help_panel="Selection",
            help="Compare every row of every weight, not a sample.",
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(min=0, rich_help_panel="Selection", help="Chooses the rows that are sampled."),
    ] = 0,
    differences: Annotated[
        bool,
        typer.Option(
            "--differences", rich_help_panel="Output", help="Leave out what is the same."
        ),
    ] = False,
    fail_on: FailOnOption = FailOn.WARNING,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
    jobs: Jobs = DEFAULT_JOBS,
    max_bytes: MaxBytes = None,
    plan: Plan = False,
    offline: Offline = False,
    no_cache: NoCache = False,
    out: Out = None,
    scheduler: Scheduler = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="DEVICE", rich_help_panel="Input",
            help="Decode and compare weights of --full there: cpu, cuda or cuda:1.",
        ),
    ] = "cpu",
) -> None:  # fmt: skip
    """Say how two models differ: config, tokens, parameters, tensors, weights."""
    from inspector.cli import common, compare, running

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, None, None, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    depth = compare.Depth(config_only=config_only, no_weights=no_weights, full=full, seed=seed)
    code = compare.run(
        inputs, outputs, ref, depth, fail_on=fail_on, differences_only=differences,
        running=running.RunOptions(out, scheduler, device),
    )  # fmt: skip
    raise typer.Exit(code)
