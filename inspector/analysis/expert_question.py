"""What is asked: which experts against which references, how many bytes that may take, the plan."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_family import ONE_MODEL, Numbering
from inspector.analysis.expert_reading import WHOLE, Reading
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.reference_models import ReferenceModels
from inspector.analysis.report import Reads
from inspector.analysis.sampled_rows import outlier_sample, row_block
from inspector.errors import BudgetExceeded, LayoutError, UsageError
from inspector.layout.families import Projection

Ints = npt.NDArray[np.int64]

_PILOT_TARGETS: Final = 64

BUDGET_SHARE: Final = 0.0025
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
    `stage_zero` is what is known of the hidden basis and of layers, by reference model; empty
    compares layers of the same number in a basis that was not tested.

    `numbering` says which of several references an expert is of. `reading` is what the sides give
    as rows of `down_proj`; `bytes_before` were read before, as of headers, and count with what is
    to be allowed. `drawn_layer` is the one whose scores are kept for a heat map, None for the
    first.
    """

    layers: frozenset[int] | None
    experts: frozenset[int] | None
    seed: int
    max_bytes: int | None
    router_groups: int | None
    same_model: bool = False
    stage_zero: tuple[StageZero, ...] = ()
    reading: Reading = WHOLE
    numbering: Numbering = ONE_MODEL
    bytes_before: int = 0
    drawn_layer: int | None = None


class Question:
    """A request put to two models: the layers and experts it means, and what reading them takes.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
    """

    def __init__(self, target: ExpertSide, reference: ExpertSide, request: MatchRequest) -> None:
        self.target = target
        self.request = request
        self.models = ReferenceModels(request.numbering, request.stage_zero)
        self.reference = reference = self.models.mapped(reference)
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
        self.hypotheses = sum(map(self._pairs, self.layers))
        allowed = byte_budget((target, reference), request.max_bytes)
        self.budget = max(0, allowed - self.models.bytes)
        self.pilot_layers = _pilot_layers(self.layers)
        self.drawn_layer = _drawn_layer(self.layers, request.drawn_layer)
        sizes = {side.shape(self.layers[0], Projection.DOWN)[1] for side in (target, reference)}
        self.has_slices = len(sizes) > 1

    def is_self(self, layer: int) -> bool:
        """Whether a layer is compared with itself."""
        return self.request.same_model and self.models.layer(layer) == layer

    def _pairs(self, layer: int) -> int:
        """Hypotheses of a layer; of one model, no expert meets itself."""
        return len(self.experts[layer]) * (self.references[layer] - self.is_self(layer))

    def pilot_experts(self, layer: int) -> Ints:
        """Some experts of a layer, by which the first look is chosen."""
        experts = self.experts[layer]
        return experts[:: max(1, len(experts) // _PILOT_TARGETS)]

    def choice_reads(self, rows: Sequence[int]) -> Reads:
        """What the references take that say which rows are outliers."""
        reference = self.reference
        return _sum(
            down_reads(reference, layer, outlier_sample(reference.experts(layer)), rows)
            for layer in self.pilot_layers
        )

    def trial_reads(self, rows: Sequence[int]) -> Reads:
        """What the pilot takes: those rows of some experts and all references of its layers."""
        target, reference = self.target, self.reference
        return _sum(
            down_reads(target, layer, self.pilot_experts(layer).tolist(), rows)
            + down_reads(reference, layer, reference.experts(layer), rows)
            for layer in self.pilot_layers
            if len(self.experts[layer])
        )

    def look_reads(self, rows: Sequence[int], layers: Sequence[int] | None = None) -> Reads:
        """What a look at all layers or some takes: those rows of every target and reference."""
        target, reference = self.target, self.reference
        return _sum(
            down_reads(target, layer, self.experts[layer].tolist(), rows)
            + down_reads(reference, layer, reference.experts(layer), rows)
            for layer in (self.layers if layers is None else layers)
        )

    def first_reads(self, rows: Sequence[int], count: int) -> Reads:
        """What no run goes without: the choice of rows, and a look at `count` of them."""
        return self.choice_reads(rows) + self.look_reads(rows[:count])


def check_first_cost(question: Question, count: int) -> None:
    """Refuse before any row is read: the choice of rows and a look at `count` must fit.

    Raises:
        BudgetExceeded: they do not.
    """
    request = question.request
    rng = np.random.default_rng(request.seed)
    rows = row_block(question.reference, question.layers[0], rng)
    cost = question.first_reads(rows, count).bytes
    if cost > question.budget:
        neurons = request.reading.neurons
        what = f" of {len(neurons)} neurons each" if neurons else ""
        enough = enough_bytes(cost + request.bytes_before + question.models.bytes)
        raise BudgetExceeded(
            f"the first look{what} would read {cost:,} bytes, more than the "
            f"{question.budget:,} allowed",
            hint=f"--max-bytes {enough} allows it; --layers makes it smaller, "
            "--plan says what it would read",
        )


def down_reads(side: ExpertSide, layer: int, experts: Sequence[int], rows: Sequence[int]) -> Reads:
    """What rows of `down_proj` of some experts take."""
    asked = layer, experts, Projection.DOWN, rows
    return Reads(requests=side.read_requests(*asked), bytes=side.read_cost(*asked))


def enough_bytes(count: int) -> str:
    """A value of `--max-bytes` that allows so many, rounded up.

    >>> enough_bytes(13_214_000_001), enough_bytes(812)
    ('13.3GB', '812')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            tenths = -(-count * 10 // size)
            return f"{tenths // 10}.{tenths % 10}{unit}"
    return str(count)


def spread_layers(layers: Sequence[int], count: int) -> list[int]:
    """Up to so many layers, the first and the last among them."""
    chosen = np.linspace(0, len(layers) - 1, min(count, len(layers))).round().astype(int)
    return [layers[at] for at in chosen.tolist()]


def _sum(parts: Iterable[Reads]) -> Reads:
    return sum(parts, start=Reads(requests=0, bytes=0))


def byte_budget(sides: Sequence[ExpertSide], max_bytes: int | None) -> int:
    """Bytes that a match may read: what was allowed, or the default for models of that size."""
    if max_bytes is not None:
        return max_bytes
    return max(BUDGET_FLOOR, int(BUDGET_SHARE * sum(side.total_bytes for side in sides)))


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
            f"--heat-map {wanted}: no experts of this layer are matched",
            hint=f"matched are those of layers {_range(layers)}",
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
