"""What is asked: which experts against which references, how many bytes that may take, the plan."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_places import PLACE_ROWS
from inspector.analysis.expert_sampler import ExpertSide, outlier_sample, row_block
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.layer_pairing import Origin
from inspector.analysis.mapped_layers import MappedExperts
from inspector.analysis.plan import PlannedReads
from inspector.errors import BudgetExceeded, LayoutError, UsageError
from inspector.layout.families import Projection
from inspector.stats.rotation import ROTATION_ROWS

Ints = npt.NDArray[np.int64]

_PILOT_TARGETS: Final = 64

BUDGET_SHARE: Final = 0.003
BUDGET_FLOOR: Final = 256_000_000
"""Bytes that may be read by default: this share of both models, and at least this many."""

ROTATION_LAYERS: Final = 6
"""Layers of which neurons are read where the hidden basis may be rotated, if the budget goes so
far."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class MatchRequest:
    """What to match: None for layers or experts means all; `max_bytes` None is the default.

    `same_model` says that both sides are one model: an expert is not compared with itself.
    `stage_zero` is what is known of the hidden basis and of layers; None compares layers of the
    same number in a basis that was not tested.
    """

    layers: frozenset[int] | None
    experts: frozenset[int] | None
    seed: int
    max_bytes: int | None
    router_groups: int | None
    same_model: bool = False
    stage_zero: StageZero | None = None


class Question:
    """A request put to two models: the layers and experts it means, and what reading them costs.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
    """

    def __init__(self, target: ExpertSide, reference: ExpertSide, request: MatchRequest) -> None:
        self.target = target
        self.request = request
        self.stage_zero = request.stage_zero
        self.reference = reference = self._mapped(reference)
        self.layers = _common_layers(target, reference, request.layers)
        _check_sizes(target, reference, self.layers)
        self.experts = {
            layer: np.array(
                [e for e in target.experts(layer) if _is_wanted(e, request.experts)], dtype=np.int64
            )
            for layer in self.layers
        }
        if not any(len(experts) for experts in self.experts.values()):
            raise LayoutError("no expert is left to match", hint="widen --layers or --experts")
        self.references = {layer: len(reference.experts(layer)) for layer in self.layers}
        self.hypotheses = sum(len(self.experts[n]) * self.references[n] for n in self.layers)
        spent = self.stage_zero.basis.bytes if self.stage_zero else 0
        self.budget = max(0, _budget(target, reference, request.max_bytes) - spent)
        self.pilot_layers = _pilot_layers(self.layers)
        self.drawn_layer = _drawn_layer(self.layers, request.drawn_layer)
        sizes = {side.shape(self.layers[0], Projection.DOWN)[1] for side in (target, reference)}
        self.has_slices = len(sizes) > 1

    def _mapped(self, reference: ExpertSide) -> ExpertSide:
        """The reference, its layers numbered as those of the model that they are compared with."""
        if self.stage_zero is None or self.stage_zero.layer_map.origin == Origin.SAME_NUMBERS:
            return reference
        return MappedExperts(reference, self.stage_zero.layer_map.numbers)

    @property
    def basis_is_missing(self) -> bool:
        """Whether a hidden basis in common was looked for and not seen."""
        return self.stage_zero is not None and self.stage_zero.basis.is_missing

    def reference_layer(self, layer: int) -> int:
        """The number that the reference itself has for a layer that `layer` is compared with."""
        if self.stage_zero is None:
            return layer
        return self.stage_zero.layer_map.numbers.get(layer, layer)

    def is_self(self, layer: int) -> bool:
        """Whether a layer is compared with itself."""
        return self.request.same_model and self.reference_layer(layer) == layer

    def pilot_experts(self, layer: int) -> Ints:
        """Some experts of a layer, by which the first look is chosen."""
        experts = self.experts[layer]
        return experts[:: max(1, len(experts) // _PILOT_TARGETS)]

    def choice_cost(self, rows: Sequence[int]) -> int:
        """Bytes of the references that say which rows are outliers."""
        reference = self.reference
        return sum(
            reference.read_cost(
                layer, outlier_sample(reference.experts(layer)), Projection.DOWN, rows
            )
            for layer in self.pilot_layers
        )

    def trial_cost(self, rows: Sequence[int]) -> int:
        """Bytes of the pilot: those rows of some experts and all references of its layers."""
        target, reference = self.target, self.reference
        return sum(
            target.read_cost(layer, self.pilot_experts(layer).tolist(), Projection.DOWN, rows)
            + reference.read_cost(layer, reference.experts(layer), Projection.DOWN, rows)
            for layer in self.pilot_layers
        )

    def side_cost(self, rows: Sequence[int], layers: Sequence[int] | None = None) -> int:
        """Bytes of what goes beside the looks: scales, and rows of gate and up."""
        return sum(
            _beside(side, layer, experts, rows)
            for layer in (self.layers if layers is None else layers)
            for side, experts in (
                (self.target, self.experts[layer].tolist()),
                (self.reference, self.reference.experts(layer)),
            )
        )

    def look_cost(self, rows: Sequence[int], layers: Sequence[int] | None = None) -> int:
        """Bytes of a look at all layers or some: those rows of every target and reference once."""
        target, reference = self.target, self.reference
        return sum(
            target.read_cost(layer, self.experts[layer].tolist(), Projection.DOWN, rows)
            + reference.read_cost(layer, reference.experts(layer), Projection.DOWN, rows)
            for layer in (self.layers if layers is None else layers)
        )


def check_first_cost(question: Question, count: int) -> None:
    """Refuse before any row is read: the choice of rows and a look at `count` must fit.

    Raises:
        BudgetExceeded: they do not.
    """
    rng = np.random.default_rng(question.request.seed)
    rows = row_block(question.reference, question.layers[0], rng)
    cost = question.look_cost(rows[:count]) + question.choice_cost(rows)
    if cost > question.budget:
        raise BudgetExceeded(
            f"the first look would read {cost:,} bytes, more than the {question.budget:,} allowed",
            hint="raise --max-bytes, or choose --layers",
        )


def plan_match(
    target: ExpertSide, reference: ExpertSide, request: MatchRequest, looks: Sequence[int]
) -> list[PlannedReads]:
    """What matching would read: the choice of rows, a look at all, and more looks where needed.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
    """
    question = Question(target, reference, request)
    reference = question.reference
    rows = row_block(reference, question.layers[0], np.random.default_rng(request.seed))
    choosing = [outlier_sample(reference.experts(layer)) for layer in question.pilot_layers]
    reads = sum(len(question.experts[n]) + question.references[n] for n in question.layers)
    trial = sum(
        len(question.pilot_experts(n)) + question.references[n] for n in question.pilot_layers
    )
    first, *later = (question.look_cost(rows[:count]) for count in looks)
    tried = question.trial_cost(rows[: looks[1]]) if later else 0
    chosen = question.choice_cost(rows)
    few = spread_layers(question.layers, ROTATION_LAYERS)
    beside = max(
        question.side_cost(rows[:PLACE_ROWS]), question.side_cost(rows[:ROTATION_ROWS], few)
    )
    room = max(0, question.budget - first - chosen)
    return [
        PlannedReads(
            what="choosing rows", requests=sum(len(one) for one in choosing), bytes=chosen
        ),
        PlannedReads(
            what=f"{looks[0]} rows of every expert", requests=reads, bytes=first, is_estimate=True
        ),
        PlannedReads(
            what="more rows of some experts, and of those that this leaves open, at most",
            requests=trial + reads * len(later),
            bytes=min(tried + sum(later), room),
            is_estimate=True,
        ),
        PlannedReads(
            what="scales, and rows of gate and up, at most",
            requests=reads * _READS_BESIDE,
            bytes=min(beside, max(0, room - tried - sum(later))),
            is_estimate=True,
        ),
    ]


def spread_layers(layers: Sequence[int], count: int) -> list[int]:
    """Up to so many layers, the first and the last among them."""
    chosen = np.linspace(0, len(layers) - 1, min(count, len(layers))).round().astype(int)
    return [layers[at] for at in chosen.tolist()]


def _beside(side: ExpertSide, layer: int, experts: Sequence[int], rows: Sequence[int]) -> int:
    found = side.scale_cost(layer, experts, Projection.DOWN)
    for one in (Projection.GATE, Projection.UP):
        found += side.scale_cost(layer, experts, one)
        height = side.shape(layer, one)[0]
        found += side.read_cost(layer, experts, one, sorted({row % height for row in rows}))
    return found


_READS_BESIDE: Final = 5
"""Of an expert: the scale of down, and codes and scales of gate and of up."""


def _budget(target: ExpertSide, reference: ExpertSide, max_bytes: int | None) -> int:
    if max_bytes is not None:
        return max_bytes
    return max(BUDGET_FLOOR, int(BUDGET_SHARE * (target.total_bytes + reference.total_bytes)))


def _common_layers(
    target: ExpertSide, reference: ExpertSide, wanted: frozenset[int] | None
) -> tuple[int, ...]:
    common = sorted(set(target.layers) & set(reference.layers))
    if not common:
        raise LayoutError(
            f"no expert layer in common: {_range(target.layers)} and {_range(reference.layers)}"
        )
    chosen = tuple(layer for layer in common if _is_wanted(layer, wanted))
    if not chosen:
        raise UsageError(
            f"--layers {_range(sorted(wanted or ()))}: no such layer has experts in both models",
            hint=f"both have experts in layers {_range(common)}",
        )
    return chosen


def _drawn_layer(layers: Sequence[int], wanted: int | None) -> int:
    if wanted is None:
        return layers[0]
    if wanted not in layers:
        raise UsageError(
            f"--heat-map {wanted}: no such layer is matched",
            hint=f"matched are layers {_range(layers)}",
        )
    return wanted


def _is_wanted(number: int, wanted: frozenset[int] | None) -> bool:
    return wanted is None or number in wanted


def _range(numbers: Sequence[int]) -> str:
    if not numbers:
        return "none"
    first, last = min(numbers), max(numbers)
    return str(first) if first == last else f"{first}..{last}"


def _check_sizes(target: ExpertSide, reference: ExpertSide, layers: Sequence[int]) -> None:
    """Both sides need one hidden size; each keeps its number of neurons over the layers."""
    first = [side.shape(layers[0], Projection.DOWN) for side in (target, reference)]
    for layer in layers:
        one, other = (side.shape(layer, Projection.DOWN) for side in (target, reference))
        if one[0] != other[0]:
            raise LayoutError(
                f"layer {layer}: down_proj is {list(one)} here and {list(other)} in the reference",
                hint="experts of different hidden sizes share no rows",
            )
        if [one, other] != first:
            found, expected = (one, first[0]) if one != first[0] else (other, first[1])
            raise LayoutError(
                f"down_proj is {list(found)} in layer {layer} and {list(expected)} in layer "
                f"{layers[0]}",
                hint="--layers chooses layers of one size",
            )


def _pilot_layers(layers: Sequence[int]) -> list[int]:
    """First, last and two between."""
    last = len(layers) - 1
    return [layers[i] for i in sorted({0, last // 3, 2 * last // 3, last})]
