"""`compare`: open both, compare what was asked for, show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.files import SIDE_FILES, SideFiles
from inspector.analysis.compare.pairs import Paired, pairs_of
from inspector.analysis.compare.report import Side, compare_sides, differences_of
from inspector.analysis.compare.weight_diff import Pair, Sample, compare_pair, sample_of
from inspector.analysis.params.terms import Conventions
from inspector.analysis.plan import PlannedReads
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.checkpoint.reader import Part
from inspector.cli.common import InputOptions, OutputOptions, access_of, opened, write_plan
from inspector.cli.findings import exit_code_of
from inspector.cli.options import FailOn
from inspector.cli.output import say_cost, write_view
from inspector.cli.params import catalog_if_any, model_without_weights
from inspector.errors import ObjectNotFound, UsageError
from inspector.render.compare import compare_view
from inspector.source.pool import map_ordered

_PAIRS: Final = 4
"""Tensors of one kind that a sample compares, spread over layers and experts."""

_ROWS: Final = 16
"""Rows of each that a sample reads."""


_FULL_JOBS: Final = 2
"""Weights compared at a time where each is read whole: some 300 MB each."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is compared."""

    config_only: bool
    no_weights: bool
    full: bool
    seed: int


def run(
    inputs: InputOptions, outputs: OutputOptions, reference: str, depth: Depth, *,
    fail_on: FailOn, differences_only: bool,
) -> int:  # fmt: skip
    """Say how the model differs from the reference. Returns the exit code."""
    outputs.resolved()
    if not reference:
        raise UsageError("--ref names no checkpoint")
    with (
        opened(inputs) as target,
        open_checkpoint(
            reference, policy=target.policy, ledger=target.ledger, access=access_of(inputs)
        ) as other,
    ):
        sides = _side(target, depth), _side(other, depth)
        paired = _paired(target, other, sides, depth)
        samples = _samples(paired.pairs, depth)
        planned = _expect(samples, target, other)
        if inputs.plan:
            write_plan("compare", planned, target, outputs)
            return 0
        readers = target.reader, other.reader
        is_remote = target.is_remote or other.is_remote
        jobs = target.policy.jobs if is_remote and not depth.full else _FULL_JOBS
        weights = list(map_ordered(lambda one: compare_pair(one, readers), samples, jobs=jobs))
        found = compare_sides(*sides, weights, paired.left_out, Conventions())
        differences = differences_of(found)
        problems = [*target.problems, *other.problems]
        view = compare_view(
            found, (sides[0].model, sides[1].model), target.cost, [*problems, *differences],
            differences_only=differences_only,
        )  # fmt: skip
        stored = target.stored_bytes + other.stored_bytes
    write_view(view, outputs, problems)
    say_cost(target.cost, stored, target.source.commit, remote=is_remote)
    return exit_code_of([*problems, *differences], fail_on)


def _side(checkpoint: Checkpoint, depth: Depth) -> Side:
    catalog = None if depth.config_only else catalog_if_any(checkpoint)
    if catalog is None and checkpoint.config is None:
        raise ObjectNotFound(f"{checkpoint.source.location}: no config.json")
    return Side(
        model=model_without_weights(checkpoint) if catalog is None else checkpoint.model,
        config=checkpoint.config,
        catalog=catalog,
        aligned=None if catalog is None else aligned(catalog, checkpoint.config),
        files=SideFiles(*checkpoint.small_files(SIDE_FILES)),
    )


def _paired(
    target: Checkpoint, other: Checkpoint, sides: tuple[Side, Side], depth: Depth
) -> Paired:
    """The weights to compare: none where that was not asked for, or there are none."""
    left, right = (side.aligned for side in sides)
    if left is None or right is None or depth.no_weights:
        return Paired([], [])
    books = (target.weights, left), (other.weights, right)
    return pairs_of(*books, most=None if depth.full else _PAIRS)


def _samples(pairs: Sequence[Pair], depth: Depth) -> list[Sample]:
    """What of each pair to read."""
    rng = np.random.default_rng(depth.seed)
    return [sample_of(pair, rng, rows=None if depth.full else _ROWS) for pair in pairs]


def _expect(samples: Sequence[Sample], target: Checkpoint, other: Checkpoint) -> list[PlannedReads]:
    """Announce the reads, so that neighbours are read together."""
    planned = []
    for checkpoint, side in ((target, 0), (other, 1)):
        parts = [
            Part(sample.weights()[side], start, stop)
            for sample in samples
            for start, stop in sample.parts
        ]
        reads = checkpoint.reader.expect(parts)
        what = f"rows of {len(samples):,} weights of {checkpoint.source.location}"
        planned.append(PlannedReads(what=what, requests=reads.requests, bytes=reads.bytes))
    return planned
