"""`compare`: open both, compare what was asked for, show it."""

from dataclasses import dataclass

from inspector.analysis.compare.report import Weighed, compare_document, compare_sides
from inspector.analysis.params.terms import Conventions
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.checkpoint.comparison import WeightComparison, sides_of
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
from inspector.errors import BudgetExceeded, UsageError
from inspector.render.compare import compare_view
from inspector.render.text import decimal_bytes


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
        found = compare_sides(*sides, weights.read() if weights else Weighed(), Conventions())
        problems = [*target.problems, *other.problems]
        models = sides[0].model, sides[1].model
        document = compare_document(found, models, target.cost, problems)
        view = compare_view(document, differences_only=differences_only)
        stored = target.stored_bytes + other.stored_bytes
    write_view(view, outputs, problems)
    is_remote = target.is_remote or other.is_remote
    say_cost(target.cost, stored, target.source.commit, remote=is_remote)
    return exit_code_of(document.findings, fail_on)


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
