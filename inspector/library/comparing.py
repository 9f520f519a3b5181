"""How two checkpoints differ, as a report."""

from dataclasses import dataclass

from inspector.analysis.compare.report import Weighed, compare_document, compare_sides
from inspector.analysis.params.terms import Conventions
from inspector.checkpoint import Checkpoint
from inspector.checkpoint.comparison import WeightComparison, check_device, sides_of
from inspector.decode.device import CPU, Device, open_device
from inspector.errors import UsageError
from inspector.library.reports import CompareReport, report_of
from inspector.library.spending import Spending


@dataclass(frozen=True, slots=True)
class Depth:
    """How much is compared: config alone, `weights` besides, every row of them; and on what."""

    config_only: bool
    weights: bool
    full: bool
    seed: int
    device: str

    def opened_device(self) -> Device | None:
        """The device that compares; None for the processor.

        Raises:
            UsageError: no name of a device, or weights are not compared in full.
            DeviceNotThere: it is not there.
        """
        if self.device != CPU and (self.config_only or not self.weights):
            raise UsageError("--device is for weights, and none are to be read")
        check_device(self.device, full=self.full)
        return open_device(self.device)


def compare_report(
    model: Checkpoint, ref: Checkpoint, depth: Depth, device: Device | None
) -> CompareReport:
    """Config, tokens, parameters, tensors, and weights if they are asked for."""
    spending = Spending([model.ledger, ref.ledger])
    sides = sides_of(model, ref, config_only=depth.config_only)
    weighed = Weighed()
    if depth.weights and not depth.config_only:
        both = model, ref
        comparison = WeightComparison(both, sides, full=depth.full, seed=depth.seed)
        weighed = comparison.read(device=device)
    found = compare_sides(*sides, weighed, Conventions())
    models = sides[0].model, sides[1].model
    problems = [*model.problems, *ref.problems]
    return report_of(compare_document(found, models, spending.cost, problems), CompareReport)
