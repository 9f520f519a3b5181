"""`compare`: open both, compare what was asked for, show it."""

from dataclasses import dataclass

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.files import SIDE_FILES, SideFiles
from inspector.analysis.compare.report import Side, Weighed, compare_sides, differences_of
from inspector.analysis.params.terms import Conventions
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.checkpoint.comparison import WeightComparison
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
from inspector.cli.params import catalog_if_any, model_without_weights
from inspector.errors import BudgetExceeded, ObjectNotFound, UsageError
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
        sides = _side(target, depth), _side(other, depth)
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
        findings = [*problems, *differences_of(found)]
        models = sides[0].model, sides[1].model
        view = compare_view(found, models, target.cost, findings, differences_only=differences_only)
        stored = target.stored_bytes + other.stored_bytes
    write_view(view, outputs, problems)
    is_remote = target.is_remote or other.is_remote
    say_cost(target.cost, stored, target.source.commit, remote=is_remote)
    return exit_code_of(findings, fail_on)


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


def _side(checkpoint: Checkpoint, depth: Depth) -> Side:
    catalog = None if depth.config_only else catalog_if_any(checkpoint)
    if catalog is None and checkpoint.config is None:
        raise ObjectNotFound(f"{checkpoint.source.location}: no config.json")
    return Side(
        model=model_without_weights(checkpoint) if catalog is None else checkpoint.model,
        config=checkpoint.config,
        catalog=catalog,
        aligned=None if catalog is None else aligned(checkpoint.weights),
        files=SideFiles(*checkpoint.small_files(SIDE_FILES)),
    )
