"""Do a model's experts descend from another's? Looks at more and more rows of those still open.

Null of every test: the neurons of the reference are exchangeable (`stats/matching.py`). Family-wise
error over all experts x references x layers is at most `ALPHA`: the shares of `expert_shares`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_looks import (
    LayerLook,
    LookRules,
    Null,
    look_at_layer,
    own_scores,
)
from inspector.analysis.expert_places import (
    place_cost,
    places_evidence,
    read_places,
)
from inspector.analysis.expert_question import (
    MatchRequest,
    Progress,
    Question,
    check_first_cost,
)
from inspector.analysis.expert_report import ExpertMatch, Flag, LayerMatch, RotationFacts
from inspector.analysis.expert_rotated import RotatedBranch
from inspector.analysis.expert_sampler import ExpertSide, Sampler, row_block, without_outliers
from inspector.analysis.expert_states import (
    ExpertState,
    Family,
    Key,
    decide,
    decide_aside,
    star_of,
)
from inspector.analysis.expert_verdicts import (
    Standards,
    expert_match,
    in_own_layer,
    layer_match,
)
from inspector.analysis.hidden_basis import StageZero
from inspector.stats.calibration import Calibrated, Calibration, calibrate
from inspector.stats.correction import z_of_upper_tail
from inspector.stats.flips import MAX_FLIP_ROWS

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALPHA: Final = 0.01
LOOK_ROWS: Final = (8, 32, 128)
LOOK_ALPHA: Final = (0.004, 0.0015, 0.0005)
"""Error rate of each signed look. A run that starts at 32 rows has two looks, and spends less."""

SIDE_ALPHA: Final = 0.001
"""Error rate of each other kind of test: sign flips, shifts, rows of gate and up, permuted neurons.
Where the hidden basis is missing, rows of gate and up are tested for a rotation of it instead.
Flips and shifts are tried at each look and spend it as the signed looks spend theirs."""

PERMUTED_EXPERTS: Final = 600
"""Experts that are matched neuron by neuron in a run, 20 pairs of experts each: some minutes."""

_PILOT_AGREEMENT: Final = 0.99


@dataclass(frozen=True, slots=True)
class MatchResult:
    """Everything that matching found; `quantiles` and `scores` are of the first look."""

    experts: list[ExpertMatch]
    layers: list[LayerMatch]
    calibration: Calibration
    hypotheses: int
    same_model: bool = False
    stage_zero: StageZero | None = None
    rotation: RotationFacts | None = None


def match_experts(
    target: ExpertSide, reference: ExpertSide, request: MatchRequest, progress: Progress
) -> MatchResult:
    """Match every expert of `target` against the references of its layer.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
        BudgetExceeded: the first look alone would read more than `max_bytes`.
    """
    return _Run(Question(target, reference, request), progress).match()


class _Run:
    """One run: what is asked, what was read, and the state of every expert."""

    def __init__(self, question: Question, progress: Progress) -> None:
        self.question = question
        self.progress = progress
        self.layers = question.layers
        self.experts = question.experts
        request = question.request
        self.sampler = Sampler(
            question.target,
            question.reference,
            self.layers,
            rows=(),
            seed=request.seed,
            allowance=question.budget,
            origins={layer: question.reference_layer(layer) for layer in question.layers},
        )
        self.branch = RotatedBranch(self.sampler, question)
        self.states: dict[Key, ExpertState] = {}
        self.flip_rows = 0
        self.quantiles: Quantiles | None = None
        self.scores: LayerScores | None = None

    def match(self) -> MatchResult:
        """Choose rows, look until every expert is decided or rows or bytes run out, judge."""
        rng = np.random.default_rng(self.question.request.seed)
        pilot = self.question.pilot_layers
        self.sampler.rows = row_block(self.sampler.reference, self.layers[0], rng)
        check_first_cost(self.question, LOOK_ROWS[0])
        self.sampler.rows = without_outliers(self.sampler, pilot)
        self.branch.reserve(self.question.look_cost(self.sampler.rows[: LOOK_ROWS[0]]))
        calibration = self._look_at_all(self._looks(pilot), rng)
        calibrated = calibration.status is not Calibrated.UNCALIBRATED
        aligned, missing = self._is_aligned, self._basis_is_missing
        self.branch.release()
        rotation = self._look_at_rotated() if missing and calibrated else None
        self._look_at_gates(calibrated=calibrated and not missing)
        standards = Standards(
            calibrated=calibrated,
            basis_missing=missing,
            hypotheses=self.question.hypotheses,
            last_alpha=LOOK_ALPHA[-1],
            slices=self.question.has_slices,
        )
        experts = [
            in_own_layer(
                expert_match(key, self.states[key], standards, self.question.references[key[0]]),
                self.sampler.origin(key[0]),
            )
            for key in sorted(self.states)
        ]
        return MatchResult(
            experts=experts,
            layers=[self._layer(layer, experts) for layer in self.layers],
            calibration=calibration,
            hypotheses=self.question.hypotheses,
            same_model=self.question.request.same_model,
            stage_zero=self.question.stage_zero and self.question.stage_zero.after(aligned=aligned),
            rotation=rotation,
        )

    def _look_at_all(self, looks: Sequence[int], rng: np.random.Generator) -> Calibration:
        """All looks; the calibration of the first, which every verdict rests on."""
        calibration = calibrate([], rng)
        for number, (count, alpha) in enumerate(zip(looks, LOOK_ALPHA, strict=False)):
            wanted = self._open_experts() if self.states else self.experts
            last = number == len(looks) - 1
            found, null = self._look(count, wanted, self._rules(count, alpha, last=last))
            if not found:
                continue
            again = calibrate(null.signed, rng)
            if number == 0:
                calibration = again
                self._keep_for_charts(found, null, calibration.inflation)
            sure = number == 0 or again.status is not Calibrated.INSUFFICIENT
            inflation = max(calibration.inflation, again.inflation if sure else 1.0)
            decide(found, self.states, self._family(alpha, inflation))
            self._decide_aside(found, alpha, inflation, calibrate(null.flips, rng))
            if self._is_aligned:
                self.branch.release()
            if calibration.status is Calibrated.UNCALIBRATED:
                break
        return calibration

    def _keep_for_charts(self, looks: Sequence[LayerLook], null: Null, inflation: float) -> None:
        """Quantiles of all z, and z* of the one layer that is drawn."""
        self.quantiles = quantiles_of(
            null.signed, [look.z for look in looks], inflation=inflation, rows=looks[0].rows
        )
        drawn = self.question.drawn_layer
        for look in looks:
            if look.layer == drawn:
                star = star_of(look, inflation)
                self.scores = layer_scores(drawn, look.rows, look.experts, look.references, star)

    def _family(self, alpha: float, inflation: float) -> Family:
        return Family(alpha, self.question.hypotheses, inflation)

    def _rules(self, count: int, alpha: float, *, last: bool) -> LookRules:
        flip_rows = min(count, MAX_FLIP_ROWS)
        with_flips = flip_rows > self.flip_rows
        self.flip_rows = max(flip_rows, self.flip_rows)
        return LookRules(
            clear_z=z_of_upper_tail(alpha / self.question.hypotheses),
            with_flips=with_flips,
            permuted_experts=max(1, PERMUTED_EXPERTS // len(self.layers)) if last else 0,
            same_model=self.question.request.same_model,
        )

    def _decide_aside(
        self, looks: Sequence[LayerLook], alpha: float, inflation: float, flips: Calibration
    ) -> None:
        """The tests beside the signed one, each with its own share of the error budget."""
        share = SIDE_ALPHA * alpha / sum(LOOK_ALPHA)
        if flips.status is not Calibrated.UNCALIBRATED:
            found = [look.flips for look in looks if look.flips]
            family = self._family(share, max(inflation, flips.inflation))
            decide_aside(found, self.states, family, Flag.SIGN_FLIPPED)
        found = [look.shifts for look in looks if look.shifts]
        decide_aside(
            found,
            self.states,
            self._family(share, inflation),
            Flag.SLICED if self.question.has_slices else Flag.SHIFTED,
        )
        found = [look.permuted for look in looks if look.permuted]
        decide_aside(found, self.states, self._family(SIDE_ALPHA, inflation), Flag.PERMUTED)

    def _looks(self, pilot: Sequence[int]) -> list[int]:
        """The looks of this run: the pilot says whether 8 rows decide as well as 32."""
        available = len(self.sampler.rows)
        looks = sorted({min(rows, available) for rows in LOOK_ROWS})
        if len(looks) < 2:
            return looks
        cost = self._pilot_cost(pilot, looks[1])
        cost += self.question.look_cost(self.sampler.rows[: looks[1]])
        if not self.sampler.affords(cost) or self._pilot_agrees(pilot, *looks[:2]):
            return looks
        return looks[1:]

    def _pilot_cost(self, pilot: Sequence[int], count: int) -> int:
        return sum(
            self.sampler.cost(layer, self.question.pilot_experts(layer), count) for layer in pilot
        )

    def _pilot_agrees(self, pilot: Sequence[int], few: int, many: int) -> bool:
        """Whether `few` rows accept what `many` do, on some experts of four layers."""
        threshold = z_of_upper_tail(LOOK_ALPHA[0] / self.question.hypotheses)
        agreed = accepted = 0
        for layer in pilot:
            experts = self.question.pilot_experts(layer)
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
                [e for e in experts.tolist() if self.states[layer, e].is_open], dtype=np.int64
            )
            for layer, experts in self.experts.items()
        }

    def _look(
        self, count: int, wanted: Mapping[int, Ints], rules: LookRules
    ) -> tuple[list[LayerLook], Null]:
        """One look, as far as the budget goes; experts that it does not reach are marked."""
        found, null = [], Null([], [])
        for done, (layer, experts) in enumerate(wanted.items(), 1):
            first = not self.states
            self.sampler.reserved = self._first_cost_after(layer, count) if first else 0
            if not len(experts):
                continue
            if not first and not self.sampler.affords(self.sampler.cost(layer, experts, count)):
                for expert in experts.tolist():
                    state = self.states[layer, expert]
                    self.states[layer, expert] = replace(state, out_of_budget=True)
                continue
            raw = self.sampler.targets(layer, experts, count)
            of_layer = replace(rules, same_model=self.question.is_self(layer))
            look, blocks = look_at_layer(self.sampler, layer, experts, raw, of_layer)
            found.append(look)
            null.signed.extend(blocks.signed)
            null.flips.extend(blocks.flips)
            self.progress(f"{count} rows", done, len(wanted))
        return found, null

    def _first_cost_after(self, layer: int, count: int) -> int:
        """Bytes of the first look at the layers that follow: nothing else may be spent of them."""
        left = self.layers[self.layers.index(layer) + 1 :]
        return self.question.look_cost(self.sampler.rows[:count], left)

    @property
    def _is_aligned(self) -> bool:
        """Whether rows of `down_proj` were found in the same order: then the basis is shared."""
        return any(state.accepted for state in self.states.values())

    @property
    def _basis_is_missing(self) -> bool:
        return self.question.basis_is_missing and not self._is_aligned

    def _look_at_rotated(self) -> RotationFacts | None:
        """What a rotation of the basis leaves alone; spends what rows in place spend otherwise."""
        evidence, facts = self.branch.look(self._open_experts())
        if facts is not None and facts.status != Calibrated.UNCALIBRATED:
            decide_aside(
                evidence, self.states, self._family(SIDE_ALPHA, facts.inflation), Flag.ROTATED
            )
        return facts

    def _look_at_gates(self, *, calibrated: bool) -> None:
        """Rows of gate and up of experts that are still open, and of those whose down is dead.

        An expert is degenerate only if gate and up are dead too; dead ones are read whatever it
        costs.
        """
        evidence = []
        for layer in self.layers:
            states = {e: self.states[layer, e] for e in self.experts[layer].tolist()}
            dead = [e for e, state in states.items() if state.dead]
            open_ = [e for e, state in states.items() if not state.accepted and not state.dead]
            is_tested = calibrated and not self.question.is_self(layer)
            asked = sorted([*dead, *open_]) if is_tested else dead
            tested = bool(asked) and is_tested
            if tested and not self.sampler.affords(place_cost(self.sampler, layer, asked)):
                tested, asked = False, dead
            if not asked:
                continue
            raw = read_places(self.sampler, self.sampler.target, layer, asked)
            for expert, values in zip(asked, raw, strict=True):
                states[expert].dead &= not values.any()
            if tested:
                numbers = self.sampler.reference.experts(layer)
                theirs = read_places(self.sampler, self.sampler.reference, layer, numbers)
                references = np.asarray(numbers, dtype=np.int64), theirs
                evidence.append(
                    places_evidence(layer, np.asarray(asked, dtype=np.int64), raw, references)
                )
        family = self._family(SIDE_ALPHA, 1.0)
        decide_aside(evidence, self.states, family, Flag.DOWN_REINITIALISED)

    def _layer(self, layer: int, experts: Sequence[ExpertMatch]) -> LayerMatch:
        return layer_match(
            layer,
            [match for match in experts if match.layer == layer],
            self.sampler.target.experts(layer),
            self.sampler.reference.experts(layer),
            self.question.request.router_groups,
        )
