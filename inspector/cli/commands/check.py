"""`check`: its signature, its sentence, its examples."""

from typing import Final

import typer

from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    FailOn,
    FailOnOption,
    Format,
    Jobs,
    Json,
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
)

EXAMPLES: Final = (
    "s1inspect check -m sample_shards/s1-pro-mini",
    "s1inspect check -m sample_shards/qwen3-vl-mini/model.safetensors --fail-on error",
    "s1inspect check -m sample_shards/qwen3-mini --json",
)


def check(
    *,
    model: Model = DEFAULT_MODEL,
    revision: Revision = None,
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
) -> None:  # fmt: skip
    """Say whether a checkpoint is sound: headers, sizes, index; no weights are read."""
    from inspector.cli import check, common

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, None, None, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    raise typer.Exit(check.run(inputs, outputs, fail_on=fail_on, limit=limit))
