"""`compare`: open both, compare what was asked for, show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from inspector.analysis.compare.report import Weighed, compare_document, compare_sides
from inspector.analysis.compare.samples import Sample
from inspector.analysis.compare.weight_diff import WeightRow
from inspector.analysis.params.terms import Conventions
from inspector.analysis.report import NO_COST
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.checkpoint.comparison import WeightComparison, check_device, sides_of
from inspector.cli.common import (
    UNASKED_BYTES,
    InputOptions,
    OutputOptions,
    access_of,
    opened,
    write_plan,
)
from inspector.cli.findings import exit_code_of
from inspector.cli.options import FailOn
from inspector.cli.output import say_cost, write_view
from inspector.cli.running import RunOptions, arguments, crew_of, keep_view, recipe, telling
from inspector.decode.device import CPU
from inspector.errors import BudgetExceeded, UsageError
from inspector.render.compare import compare_view
from inspector.render.text import decimal_bytes
from inspector.run.compare_tasks import kept_lineage, pair_tasks, rows_of
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity, input_of

_AT_A_TIME: Final = 2
"""Tasks of threads here, with two pairs of weights each: while some compute, the others read."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is compared."""

    config_only: bool
    no_weights: bool
    full: bool
    seed: int


def run(
    inputs: InputOptions, outputs: OutputOptions, reference: str, depth: Depth, *,
    fail_on: FailOn, differences_only: bool, running: RunOptions,
) -> int:  # fmt: skip
    """Say how the model differs from the reference. Returns the exit code."""
    outputs.resolved()
    if not reference:
        raise UsageError("--ref names no checkpoint")
    is_of_weights = running.is_asked or running.device != CPU
    if is_of_weights and (depth.config_only or depth.no_weights):
        raise UsageError("--out, --scheduler and --device are for weights, and none are to be read")
    device = _device(running, depth, inputs)
    with (
        opened(inputs) as target,
        open_checkpoint(
            reference, policy=target.policy, ledger=target.ledger, access=access_of(inputs)
        ) as other,
    ):
        sides = sides_of(target, other, config_only=depth.config_only)
        weights = None
        if not (depth.config_only or depth.no_weights):
            both = target, other
            weights = WeightComparison(both, sides, full=depth.full, seed=depth.seed)
        if inputs.plan:
            write_plan("compare", weights.planned if weights else [], target, outputs)
            return 0
        if weights:
            _refuse_large(target, inputs, sum(one.bytes for one in weights.planned))
        run = _Run(running, inputs, (target, other), reference, device)
        folder = run.folder(depth)
        by_tasks = partial(run.rows, folder) if depth.full or running.is_asked else None
        once = None if folder is None else partial(kept_lineage, folder)
        weighed = weights.read(by_tasks, once) if weights else Weighed()
        found = compare_sides(*sides, weighed, Conventions())
        problems = [*target.problems, *other.problems]
        models = sides[0].model, sides[1].model
        if folder is not None:
            free = compare_document(found, models, NO_COST, problems)
            keep_view(folder, compare_view(free, differences_only=False))
        document = compare_document(found, models, target.cost, problems)
        view = compare_view(document, differences_only=differences_only)
        stored = target.stored_bytes + other.stored_bytes
    write_view(view, outputs, problems)
    is_remote = target.is_remote or other.is_remote
    say_cost(target.cost, stored, target.source.commit, remote=is_remote)
    return exit_code_of(document.findings, fail_on)


@dataclass(frozen=True, slots=True)
class _Run:
    """A comparison of weights by tasks: where its results are kept, who makes them, and on what."""

    running: RunOptions
    inputs: InputOptions
    checkpoints: tuple[Checkpoint, Checkpoint]
    reference: str
    device: str

    def folder(self, depth: Depth) -> RunFolder | None:
        """The folder of the run, new or begun before; None without --out."""
        out = self.running.out
        if out is None:
            return None
        model, ref = (input_of(one.source, one.catalog.shards) for one in self.checkpoints)
        identity = Identity(
            command="compare",
            inputs={"model": model, "ref": ref},
            parameters={"full": depth.full, "seed": depth.seed, "device": self.device},
        )
        options: dict[str, str | bool | None] = {
            "--ref": self.reference,
            "--full": depth.full,
            "--seed": str(depth.seed) if depth.seed else None,
            "--device": self.running.device if self.running.device != CPU else None,
        }
        return open_run(out, identity, arguments("compare", self.inputs, out, options))

    def rows(self, folder: RunFolder | None, samples: Sequence[Sample]) -> list[WeightRow]:
        """What is found of each pair, in order."""
        target, other = self.checkpoints
        recipes = recipe(self.inputs, target), recipe(self.inputs, other, self.reference)
        sides = (recipes[0], target.source), (recipes[1], other.source)
        tasks = pair_tasks(samples, sides, self.running.device)
        with crew_of(self.running, dict(sides), target, at_a_time=_AT_A_TIME) as crew:
            return rows_of(tasks, crew, folder, telling(target.policy.progress, tasks))


def _device(running: RunOptions, depth: Depth, inputs: InputOptions) -> str:
    """What computes, as an identity names it; a plan needs no more than its name."""
    check_device(running.device, full=depth.full)
    return running.device if inputs.plan else running.computes_on()


def _refuse_large(checkpoint: Checkpoint, inputs: InputOptions, size: int) -> None:
    """Say before the first read of weights what there is no leave for."""
    budget = inputs.byte_budget
    if budget is not None and size > (left := max(0, budget - checkpoint.ledger.bytes)):
        raise BudgetExceeded(
            f"these weights take {size:,} bytes, --max-bytes {budget:,} leaves {left:,}",
            hint="raise --max-bytes, leave out --full, or say --no-weights",
        )
    if budget is None and checkpoint.is_remote and size > UNASKED_BYTES:
        raise BudgetExceeded(
            f"these weights are {decimal_bytes(size)}; more than {decimal_bytes(UNASKED_BYTES)} "
            "over a network is read only when asked for",
            hint=f"leave out --full, or say --max-bytes {-(-size // 10**9)}GB",
        )
