"""`expert-similarity`: its signature, its sentence, its examples."""

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
    Out,
    OutputFile,
    OutputFormat,
    Plan,
    Quiet,
    References,
    Revision,
    Scheduler,
)

EXAMPLES: Final = (
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini --ref sample_shards/qwen3-mini",
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-vl-mini",
    (
        "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-mini "
        "--verify 6"
    ),
    (
        "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-mini "
        "--layers 0 --heat-map 0"
    ),
    "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-mini --out r",
    (
        "s1inspect expert-similarity -m sample_shards/s1-pro-mini -r sample_shards/qwen3-vl-mini "
        "--layer-map 0:0"
    ),
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
    layer_map: Annotated[
        str | None,
        typer.Option(
            "--layer-map", metavar="RULE", rich_help_panel="Selection",
            help="Which layer of --ref is compared with layer l: l+2, 2*l, l//2, pairs as in "
            "0:3,1:4 or 0..9:20..29, or auto, which norms propose. Default: the layer of the same "
            "number; auto where the two have other numbers of layers.",
        ),
    ] = None,
    verify: Annotated[
        str | None,
        typer.Option(
            metavar="PAIRS", rich_help_panel="Selection",
            help="Read pairs of experts whole, and say which neuron became which: a number "
            "of accepted pairs, as 24, or layers.3.experts.200=17,...",
        ),
    ] = None,
    heat_map: Annotated[
        int | None,
        typer.Option(
            "--heat-map", min=0, metavar="LAYER", rich_help_panel="Output",
            help="Keep and draw z* of every expert of this layer against every reference. "
            "Default: the first layer is kept.",
        ),
    ] = None,
    charts: Annotated[
        bool,
        typer.Option(
            "--charts", rich_help_panel="Output",
            help="Draw in the terminal what a page has: verdicts, a heat map, the null.",
        ),
    ] = False,
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
    out: Out = None,
    scheduler: Scheduler = None,
) -> None:  # fmt: skip
    """Say which experts descend from which of a reference model's, with calibrated p-values."""
    from inspector.cli import machine

    machine.hold_large_blocks_apart()
    machine.multiply_in_one_thread()
    from inspector.cli import common, running, similarity

    inputs = common.InputOptions(
        model, revision, jobs, max_bytes, layers, experts, plan, offline, no_cache
    )
    outputs = common.OutputOptions(output_format, json, quiet, output)
    run = running.RunOptions(out, scheduler)
    similarity.run(
        inputs,
        outputs,
        ref,
        seed=seed,
        limit=limit,
        running=run,
        layer_map=layer_map,
        verify=verify,
        heat_map=heat_map,
        charts=charts,
    )
