"""The commands: each a signature, a sentence, examples and a call of the file beside this."""

from typing import Annotated

import typer

from inspector.cli.guard import guarded
from inspector.cli.options import (
    DEFAULT_JOBS,
    DEFAULT_MODEL,
    By,
    Experts,
    ExportDtype,
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
    OutputFile,
    OutputFormat,
    Plan,
    Quiet,
    Reference,
    Revision,
    SortKey,
)
from inspector.version import __version__

app = typer.Typer(
    name="s1inspect",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Look into open-weight checkpoints by byte range: list, decode and compare tensors "
    "without the download.",
    epilog="Exit codes: 0 answered, 1 findings, 2 usage, 3 source, 4 malformed file, 5 other, "
    "130 interrupted.",
)


def _examples(*commands: str) -> str:
    return "\n\n".join(("**Examples**", *(f"`{command}`" for command in commands)))


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(f"s1inspect {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", is_eager=True, help="Show the version.",
            callback=lambda value: _show_version(value=value),
        ),
    ] = False,
) -> None:  # fmt: skip
    del version


@app.command(
    epilog=_examples(
        "s1inspect list-tensors -m sample_shards/s1-pro-mini",
        "s1inspect list-tensors layers.0.mlp.experts.{0..3} -m sample_shards/s1-pro-mini --flat",
        "s1inspect list-tensors -m sample_shards/s1-pro-mini --by layer",
    )
)
@guarded
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


@app.command(
    epilog=_examples(
        "s1inspect dequant layers.0.mlp.experts.2 -m sample_shards/s1-pro-mini",
        "s1inspect dequant layers.1.self_attn.q_proj --rows 0:4 -m sample_shards/s1-pro-mini",
        "s1inspect dequant layers.0.mlp.experts.7.up_proj -m sample_shards/qwen3-vl-mini",
        "s1inspect dequant layers.0.mlp.experts.2 -m sample_shards/s1-pro-mini -o e.safetensors",
    )
)
@guarded
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
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", rich_help_panel="Output",
            help="Also write the decoded values to FILE.safetensors.",
        ),
    ] = None,
    dtype: Annotated[
        ExportDtype, typer.Option(rich_help_panel="Output", help="Dtype of the values in FILE.")
    ] = ExportDtype.FLOAT32,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    jobs: Jobs = DEFAULT_JOBS,
    max_bytes: MaxBytes = None,
    plan: Plan = False,
    offline: Offline = False,
    no_cache: NoCache = False,
) -> None:  # fmt: skip
    """Decode weights: statistics of a module's true numbers, and the numbers to a file."""
    from inspector.cli import common, dequant

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, None)
    dequant.run(inputs, outputs, targets, rows=rows, file=output, dtype=dtype)


@app.command(
    epilog=_examples(
        "s1inspect check -m sample_shards/s1-pro-mini",
        "s1inspect check -m sample_shards/qwen3-vl-mini/model.safetensors --fail-on error",
        "s1inspect check -m sample_shards/qwen3-mini --json",
    )
)
@guarded
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
) -> None:  # fmt: skip
    """Say whether a checkpoint is sound: headers, sizes, index; no weights are read."""
    from inspector.cli import check, common

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, None, None, plan=False, offline=False, no_cache=False
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    raise typer.Exit(check.run(inputs, outputs, fail_on=fail_on, limit=limit))


@app.command(
    epilog=_examples(
        "s1inspect cache",
        "s1inspect cache --json",
        "s1inspect cache --clear",
    )
)
@guarded
def cache(
    *,
    clear: Annotated[
        bool,
        typer.Option(
            "--clear", rich_help_panel="Selection", help="Remove everything that is kept."
        ),
    ] = False,
    output_format: OutputFormat = Format.AUTO,
    json: Json = False,
    quiet: Quiet = False,
    output: OutputFile = None,
) -> None:
    """Say which checkpoints' headers are kept, and how large they are; clear them."""
    from inspector.cli import cache, common

    outputs = common.OutputOptions(output_format, json, quiet, output)
    cache.run(outputs, clear=clear)


@app.command(
    epilog=_examples(
        "s1inspect expert-similarity -m sample_shards/s1-pro-mini --ref sample_shards/qwen3-mini",
        "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-vl-mini",
    )
)
@guarded
def expert_similarity(
    *,
    ref: Reference,
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
    jobs: Jobs = DEFAULT_JOBS,
    max_bytes: MaxBytes = None,
    plan: Plan = False,
    offline: Offline = False,
    no_cache: NoCache = False,
) -> None:  # fmt: skip
    """Say which experts descend from which of a reference model's, with calibrated p-values."""
    from inspector.cli import common, similarity

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    similarity.run(inputs, outputs, ref, seed=seed, limit=limit)
