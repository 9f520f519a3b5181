"""`audit`: its signature, its sentence, its examples."""

from typing import Annotated, Final

import typer

from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    Experts,
    FailOn,
    FailOnOption,
    Format,
    Jobs,
    Json,
    Layers,
    Limit,
    MaxBytes,
    Model,
    NoCache,
    Offline,
    Out,
    OutputFile,
    OutputFormat,
    Plan,
    Quiet,
    Revision,
    Scheduler,
)

EXAMPLES: Final = (
    "s1inspect audit -m sample_shards/s1-pro-mini --layers 1 --experts 0..7 --fail-on error",
    "s1inspect audit -m sample_shards/s1-pro-mini --fail-on error",
    "s1inspect audit -m sample_shards/s1-pro-mini-e8m0 --full",
    "s1inspect audit -m sample_shards/s1-pro-mini --sample 0 --fail-on never --json",
    "s1inspect audit -m sample_shards/s1-pro-mini-e8m0 --full --out audited",
)

DEFAULT_SAMPLE: Final = 4
"""That of `analysis.quant.sample`, which a test compares: importing it here would load numpy."""


def audit(
    *,
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
    sample: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, rich_help_panel="Selection",
            help="Look into the scales and some codes of N weights of each family; 0 reads none.",
        ),
    ] = DEFAULT_SAMPLE,
    full: Annotated[
        bool,
        typer.Option(
            "--full", rich_help_panel="Selection", help="Look into all scales and all codes."
        ),
    ] = False,
    layers: Layers = None,
    experts: Experts = None,
    fail_on: FailOnOption = FailOn.WARNING,
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
    out: Out = None,
    scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Compare what a config says of its quantization with what is stored, and with loaders."""
    from inspector.cli import audit, common, running

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    code = audit.run(
        inputs, outputs, sample=None if full else sample, fail_on=fail_on, limit=limit,
        running=running.RunOptions(out, scheduler),
    )  # fmt: skip
    raise typer.Exit(code)
