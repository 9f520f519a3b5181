"""Do a model's experts descend from another's? Looks at more and more rows of those still open.

Null of every test: the neurons of the reference are exchangeable (`stats/matching.py`). Family-wise
error over all experts x references x layers is at most `sum(LOOK_ALPHA)`; the rest of `ALPHA`
belongs to statistics that are not computed here (`docs/explanation/similarity.md`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_looks import (
    ExpertSide,
    LayerLook,
    Sampler,
    look_at_layer,
    outlier_sample,
    own_scores,
    row_block,
    without_nan,
    without_outliers,
)
from inspector.analysis.expert_report import ExpertMatch, LayerMatch
from inspector.analysis.expert_verdicts import ExpertState, Key, decide, expert_match, layer_match
from inspector.analysis.plan import PlannedReads
from inspector.errors import BudgetExceeded, LayoutError, UsageError
from inspector.layout.families import Projection
from inspector.stats.calibration import Calibrated, Calibration, calibrate
from inspector.stats.correction import z_of_upper_tail

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALPHA: Final = 0.01
LOOK_ROWS: Final = (8, 32, 128)
LOOK_ALPHA: Final = (0.004, 0.0015, 0.0005)
"""Error rate of each signed look. A run that starts at 32 rows has two looks, and spends less."""

_PILOT_TARGETS: Final = 64
_PILOT_AGREEMENT: Final = 0.99

BUDGET_SHARE: Final = 0.003
BUDGET_FLOOR: Final = 256_000_000
"""Bytes that may be read by default: this share of both models, and at least this many."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class MatchRequest:
    """What to match: None for layers or experts means all; `max_bytes` None is the default."""

    layers: frozenset[int] | None
    experts: frozenset[int] | None
    seed: int
    max_bytes: int | None
    router_groups: int | None


@dataclass(frozen=True, slots=True)
class MatchResult:
    """Everything that matching found."""

    experts: list[ExpertMatch]
    layers: list[LayerMatch]
    calibration: Calibration
    hypotheses: int


def match_experts(
    target: ExpertSide, reference: ExpertSide, request: MatchRequest, progress: Progress
) -> MatchResult:
    """Match every expert of `target` against the references of its layer.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts of different sizes.
        BudgetExceeded: the first look alone would read more than `max_bytes`.
    """
    return _Run(target, reference, request, progress).match()


def plan_match(
    target: ExpertSide, reference: ExpertSide, request: MatchRequest
) -> list[PlannedReads]:
    """What matching would read: the choice of rows, a look at all, and more looks where needed.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts of different sizes.
    """
    return _Run(target, reference, request, lambda *_: None).planned()


class _Run:
    """One run: what is asked, what was read, and the state of every expert."""

    def __init__(
        self, target: ExpertSide, reference: ExpertSide, request: MatchRequest, progress: Progress
    ) -> None:
        self.request = request
        self.progress = progress
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
        self.budget = _budget(target, reference, request.max_bytes)
        self.sampler = Sampler(target, reference, self.layers, rows=())
        self.states: dict[Key, ExpertState] = {}

    def match(self) -> MatchResult:
        """Choose rows, look until every expert is decided or rows or bytes run out, judge."""
        rng = np.random.default_rng(self.request.seed)
        pilot = _pilot_layers(self.layers)
        self.sampler.rows = row_block(self.sampler.reference, self.layers[0], rng)
        self._check_first_cost(pilot)
        self.sampler.rows = without_outliers(self.sampler, pilot)
        calibration = self._look_at_all(self._looks(pilot), rng)
        self._check_dead()
        experts = [
            expert_match(
                key,
                self.states[key],
                calibrated=calibration.status is not Calibrated.UNCALIBRATED,
                hypotheses=self.hypotheses,
                references=self.references[key[0]],
            )
            for key in sorted(self.states)
        ]
        return MatchResult(
            experts=experts,
            layers=[self._layer(layer, experts) for layer in self.layers],
            calibration=calibration,
            hypotheses=self.hypotheses,
        )

    def planned(self) -> list[PlannedReads]:
        """The reads of `match` in their order; the later ones depend on what the first find."""
        rng = np.random.default_rng(self.request.seed)
        pilot = _pilot_layers(self.layers)
        reference = self.sampler.reference
        self.sampler.rows = row_block(reference, self.layers[0], rng)
        sampled = sum(len(outlier_sample(reference.experts(layer))) for layer in pilot)
        reads = sum(len(self.experts[n]) + self.references[n] for n in self.layers)
        trial = sum(len(self._pilot_experts(n)) + self.references[n] for n in pilot)
        first = self._first_cost(LOOK_ROWS[0])
        later = sum(self._first_cost(rows) for rows in LOOK_ROWS[1:])
        chosen = self._choice_cost(pilot)
        tried = self._pilot_cost(pilot, LOOK_ROWS[1])
        room = max(0, self.budget - first - chosen)
        return [
            PlannedReads(what="choosing rows", requests=sampled, bytes=chosen),
            PlannedReads(
                what=f"{LOOK_ROWS[0]} rows of every expert",
                requests=reads,
                bytes=first,
                is_estimate=True,
            ),
            PlannedReads(
                what="more rows of some experts, and of those that this leaves open, at most",
                requests=trial + reads * len(LOOK_ROWS[1:]),
                bytes=min(tried + later, room),
                is_estimate=True,
            ),
        ]

    def _look_at_all(self, looks: Sequence[int], rng: np.random.Generator) -> Calibration:
        """All looks; the calibration of the first, which every verdict rests on."""
        found, null = self._look(looks[0], self.experts)
        calibration = calibrate(null, rng)
        self._decide(found, LOOK_ALPHA[0], calibration.inflation)
        for count, alpha in zip(looks[1:], LOOK_ALPHA[1:], strict=False):
            if calibration.status is Calibrated.UNCALIBRATED:
                break
            found, null = self._look(count, self._open_experts())
            if found:
                again = calibrate(null, rng)
                sure = again.status is not Calibrated.INSUFFICIENT
                inflation = max(calibration.inflation, again.inflation if sure else 1.0)
                self._decide(found, alpha, inflation)
        return calibration

    def _check_first_cost(self, pilot: Sequence[int]) -> None:
        """Refuse before any value is read: the choice of rows and the first look must fit."""
        cost = self._first_cost(LOOK_ROWS[0]) + self._choice_cost(pilot)
        if cost > self.budget:
            raise BudgetExceeded(
                f"the first look would read {cost:,} bytes, more than the {self.budget:,} allowed",
                hint="raise --max-bytes, or choose --layers",
            )

    def _choice_cost(self, pilot: Sequence[int]) -> int:
        """Bytes of the references that say which rows are outliers."""
        reference, rows = self.sampler.reference, self.sampler.rows
        return sum(
            reference.read_cost(
                layer, outlier_sample(reference.experts(layer)), Projection.DOWN, rows
            )
            for layer in pilot
        )

    def _first_cost(self, count: int) -> int:
        """Bytes of a look at everything: every target and every reference once."""
        rows = self.sampler.rows[:count]
        target, reference = self.sampler.target, self.sampler.reference
        return sum(
            target.read_cost(layer, self.experts[layer].tolist(), Projection.DOWN, rows)
            + reference.read_cost(layer, reference.experts(layer), Projection.DOWN, rows)
            for layer in self.layers
        )

    def _looks(self, pilot: Sequence[int]) -> list[int]:
        """The looks of this run: the pilot says whether 8 rows decide as well as 32."""
        available = len(self.sampler.rows)
        looks = sorted({min(rows, available) for rows in LOOK_ROWS})
        if len(looks) < 2:
            return looks
        cost = self._pilot_cost(pilot, looks[1]) + self._first_cost(looks[1])
        if self.sampler.spent + cost > self.budget or self._pilot_agrees(pilot, *looks[:2]):
            return looks
        return looks[1:]

    def _pilot_experts(self, layer: int) -> Ints:
        experts = self.experts[layer]
        return experts[:: max(1, len(experts) // _PILOT_TARGETS)]

    def _pilot_cost(self, pilot: Sequence[int], count: int) -> int:
        return sum(self.sampler.cost(layer, self._pilot_experts(layer), count) for layer in pilot)

    def _pilot_agrees(self, pilot: Sequence[int], few: int, many: int) -> bool:
        """Whether `few` rows accept what `many` do, on some experts of four layers."""
        threshold = z_of_upper_tail(LOOK_ALPHA[0] / self.hypotheses)
        agreed = accepted = 0
        for layer in pilot:
            experts = self._pilot_experts(layer)
            if not len(experts):
                continue
            raw = self.sampler.targets(layer, experts, many)
            z = [own_scores(self.sampler, layer, raw[:, :count]) for count in (few, many)]
            by_many = z[1].max(axis=1) > threshold
            by_few = (z[0].max(axis=1) > threshold) & (z[0].argmax(axis=1) == z[1].argmax(axis=1))
            accepted += int(by_many.sum())
            agreed += int((by_many & by_few).sum())
        return agreed >= _PILOT_AGREEMENT * accepted

    def _open_experts(self) -> dict[int, Ints]:
        return {
            layer: np.array(
                [e for e in experts.tolist() if self._is_open(self.states[layer, e])],
                dtype=np.int64,
            )
            for layer, experts in self.experts.items()
        }

    @staticmethod
    def _is_open(state: ExpertState) -> bool:
        return not (state.accepted or state.dead)

    def _look(
        self, count: int, wanted: Mapping[int, Ints]
    ) -> tuple[list[LayerLook], list[Float64]]:
        """One look, as far as the budget goes; experts that it does not reach are marked."""
        found, null = [], []
        for done, (layer, experts) in enumerate(wanted.items(), 1):
            first = not self.states
            if not len(experts):
                continue
            if (
                not first
                and self.sampler.spent + self.sampler.cost(layer, experts, count) > self.budget
            ):
                for expert in experts.tolist():
                    state = self.states[layer, expert]
                    self.states[layer, expert] = replace(state, out_of_budget=True)
                continue
            raw = self.sampler.targets(layer, experts, count)
            look, blocks = look_at_layer(self.sampler, layer, experts, raw)
            found.append(look)
            null += blocks
            self.progress(f"{count} rows", done, len(wanted))
        return found, null

    def _decide(self, looks: Sequence[LayerLook], alpha: float, inflation: float) -> None:
        decide(looks, self.states, inflation=inflation, alpha=alpha, hypotheses=self.hypotheses)

    def _check_dead(self) -> None:
        """An expert is degenerate only if gate and up are dead too, in the rows read of them."""
        target = self.sampler.target
        for layer in self.layers:
            for projection in (Projection.GATE, Projection.UP):
                dead = [e for e in self.experts[layer].tolist() if self.states[layer, e].dead]
                height = target.shape(layer, projection)[0]
                rows = sorted({row % height for row in self.sampler.rows[: LOOK_ROWS[0]]})
                if not dead:
                    break
                raw = without_nan(self.sampler.read(target, layer, dead, projection, rows))
                for expert, values in zip(dead, raw, strict=True):
                    self.states[layer, expert].dead = not values.any()

    def _layer(self, layer: int, experts: Sequence[ExpertMatch]) -> LayerMatch:
        return layer_match(
            layer,
            [match for match in experts if match.layer == layer],
            self.sampler.target.experts(layer),
            self.sampler.reference.experts(layer),
            self.request.router_groups,
        )


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


def _is_wanted(number: int, wanted: frozenset[int] | None) -> bool:
    return wanted is None or number in wanted


def _range(numbers: Sequence[int]) -> str:
    if not numbers:
        return "none"
    first, last = min(numbers), max(numbers)
    return str(first) if first == last else f"{first}..{last}"


def _check_sizes(target: ExpertSide, reference: ExpertSide, layers: Sequence[int]) -> None:
    first = target.shape(layers[0], Projection.DOWN)
    for layer in layers:
        one = target.shape(layer, Projection.DOWN)
        other = reference.shape(layer, Projection.DOWN)
        if one != other:
            raise LayoutError(
                f"layer {layer}: down_proj is {list(one)} here and {list(other)} in the reference",
                hint="experts of different sizes cannot be matched yet",
            )
        if one != first:
            raise LayoutError(
                f"down_proj is {list(one)} in layer {layer} and {list(first)} in layer {layers[0]}",
                hint="--layers chooses layers of one size",
            )


def _pilot_layers(layers: Sequence[int]) -> list[int]:
    """First, last and two between."""
    last = len(layers) - 1
    return [layers[i] for i in sorted({0, last // 3, 2 * last // 3, last})]
