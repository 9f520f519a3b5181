"""Do a model's experts descend from another's? Looks at more and more rows of those still open.

Null of every test: the neurons of the reference are exchangeable (`stats/matching.py`). Family-wise
error over all experts x references x layers is at most `ALPHA`: the shares of `expert_shares`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace as replace_field

from inspector.analysis.expert_gates import look_at_gates
from inspector.analysis.expert_looks import look_at_layer, own_scores
from inspector.analysis.expert_named import main_model, named, of_model
from inspector.analysis.expert_question import (
    MatchRequest,
    Progress,
    Question,
    check_first_cost,
)
from inspector.analysis.expert_report import ExpertMatch, Flag, LayerMatch, RotationFacts
from inspector.analysis.expert_rotated import RotatedBranch
from inspector.analysis.expert_sampler import AHEAD, Sampler
from inspector.analysis.expert_sides import Ahead, ExpertSide, when_asked
from inspector.analysis.expert_states import ExpertState, Family, Key, decide, decide_aside
from inspector.analysis.expert_verdicts import (
    Standards,
    expert_match,
    in_own_layers,
    layer_match,
)
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.layer_look import LayerLook, LookRules, Null
from inspector.analysis.layer_references import LayerReferences
from inspector.analysis.match_charts import MatchCharts, charts_of
from inspector.analysis.sampled_rows import row_block, without_outliers
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
_NO_CHARTS: Final = MatchCharts()


@dataclass(frozen=True, slots=True)
class MatchResult:
    """Everything that matching found."""

    experts: list[ExpertMatch]
    layers: list[LayerMatch]
    calibration: Calibration
    hypotheses: int
    same_model: bool = False
    stage_zero: tuple[StageZero, ...] = ()
    rotation: RotationFacts | None = None
    charts: MatchCharts = _NO_CHARTS


def match_experts(
    target: ExpertSide,
    reference: ExpertSide,
    request: MatchRequest,
    progress: Progress,
    ahead: Ahead = when_asked,
) -> MatchResult:
    """Match every expert of `target` against the references of its layer.

    `ahead` begins to read what is looked at next; by default nothing is read before it is needed.

    Raises:
        UsageError: no wanted layer has experts in both models.
        LayoutError: no layer or expert to match, or experts that share no rows.
        BudgetExceeded: the first look alone would read more than `max_bytes`.
    """
    return _Run(Question(target, reference, request), progress, ahead).match()


class _Run:
    """One run: what is asked, what was read, and the state of every expert."""

    def __init__(self, question: Question, progress: Progress, ahead: Ahead) -> None:
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
            origins={layer: question.models.origins(layer) for layer in question.layers},
            ahead=ahead,
        )
        self.branch = RotatedBranch(self.sampler, question)
        self.states: dict[Key, ExpertState] = {}
        self.flip_rows = 0
        self.charts = MatchCharts()

    def match(self) -> MatchResult:
        """Choose rows, look until every expert is decided or rows or bytes run out, judge."""
        rng = np.random.default_rng(self.question.request.seed)
        pilot = self.question.pilot_layers
        self.sampler.rows = row_block(self.sampler.reference, self.layers[0], rng)
        check_first_cost(self.question, LOOK_ROWS[0])
        self.sampler.rows = without_outliers(self.sampler, pilot)
        self.branch.reserve(self.question.look_reads(self.sampler.rows[: LOOK_ROWS[0]]).bytes)
        calibration = self._look_at_all(self._looks(pilot), rng)
        calibrated = calibration.status is not Calibrated.UNCALIBRATED
        aligned, apart = self._aligned_models, self._models_apart
        self.branch.release()
        rotation = self._look_at_rotated(apart) if apart and calibrated else None
        self._look_at_gates(apart, calibrated=calibrated)
        standards = Standards(
            calibrated=calibrated,
            basis_missing=bool(apart),
            hypotheses=self.question.hypotheses,
            last_alpha=LOOK_ALPHA[-1],
            slices=self.question.has_slices,
        )
        numbering = self.question.request.numbering
        experts = [
            in_own_layers(
                expert_match(key, self.states[key], standards, self.question.references[key[0]]),
                lambda layer, expert: self.question.models.layer(layer, numbering.model(expert)),
            )
            for key in sorted(self.states)
        ]
        layers = [self._layer(layer, experts) for layer in self.layers]
        if numbering.is_of_several:
            experts = [
                named(one, self.states[one.layer, one.expert].nearest, numbering) for one in experts
            ]
        return MatchResult(
            experts=experts,
            layers=layers,
            calibration=calibration,
            hypotheses=self.question.hypotheses,
            same_model=self.question.request.same_model,
            stage_zero=tuple(
                one.after(aligned=model in aligned)
                for model, one in enumerate(self.question.models.stage_zero)
            ),
            rotation=rotation,
            charts=self.charts,
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
                self.charts = charts_of(
                    found,
                    null,
                    inflation=calibration.inflation,
                    drawn_layer=self.question.drawn_layer,
                    numbering=self.question.request.numbering,
                )
            sure = number == 0 or again.status is not Calibrated.INSUFFICIENT
            inflation = max(calibration.inflation, again.inflation if sure else 1.0)
            decide(found, self.states, self._family(alpha, inflation))
            self._decide_aside(found, alpha, inflation, calibrate(null.flips, rng))
            del found, null  # not held while the next look is made
            if not self._models_apart:
                self.branch.release()
            if calibration.status is Calibrated.UNCALIBRATED:
                break
        self.sampler.forget()
        return calibration

    def _family(self, alpha: float, inflation: float) -> Family:
        return Family(alpha, self.question.hypotheses, inflation)

    def _rules(self, count: int, alpha: float, *, last: bool) -> LookRules:
        flip_rows = min(count, MAX_FLIP_ROWS)
        with_flips = flip_rows > self.flip_rows
        self.flip_rows = max(flip_rows, self.flip_rows)
        return LookRules(
            clear_z=z_of_upper_tail(alpha / self.question.hypotheses),
            with_flips=with_flips,
            permuted_experts=self._permuted_experts if last else 0,
            same_model=self.question.request.same_model,
            numbering=self.question.request.numbering,
        )

    @property
    def _permuted_experts(self) -> int:
        """Of a layer. Of a few neurons none would meet its own in another order."""
        if self.question.request.reading.neurons is not None:
            return 0
        return max(1, PERMUTED_EXPERTS // len(self.layers))

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
        rows = self.sampler.rows[: looks[1]]
        cost = self.question.trial_reads(rows).bytes + self.question.look_reads(rows).bytes
        if not self.sampler.affords(cost) or self._pilot_agrees(pilot, *looks[:2]):
            return looks
        return looks[1:]

    def _pilot_agrees(self, pilot: Sequence[int], few: int, many: int) -> bool:
        """Whether `few` rows accept what `many` do, on some experts of four layers."""
        threshold = z_of_upper_tail(LOOK_ALPHA[0] / self.question.hypotheses)
        agreed = accepted = 0
        for layer in pilot:
            experts = self.question.pilot_experts(layer)
            if not len(experts):
                continue
            raw = self.sampler.targets(layer, experts, many)
            references = self.sampler.references(layer, many)
            fewer = LayerReferences(references.raw[:, :few], self.sampler.seed)
            z = [own_scores(raw[:, :few], fewer), own_scores(raw, references)]
            by_many = z[1].max(axis=1) > threshold
            by_few = (z[0].max(axis=1) > threshold) & (z[0].argmax(axis=1) == z[1].argmax(axis=1))
            accepted += int(by_many.sum())
            agreed += int((by_many & by_few).sum())
            self.sampler.forget()
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
        first = not self.states
        to_come = self._first_costs_after(count) if first else {}
        for done, (layer, experts) in enumerate(wanted.items(), 1):
            self.sampler.reserved = to_come.get(layer, 0)
            if not len(experts):
                continue
            if not first and not self.sampler.affords(self.sampler.cost(layer, experts, count)):
                for expert in experts.tolist():
                    state = self.states[layer, expert]
                    self.states[layer, expert] = replace(state, out_of_budget=True)
                continue
            of_layer = replace(rules, same_model=self.question.is_self(layer))
            after = self._after(layer, wanted, count, first=first)
            looks, blocks = look_at_layer(self.sampler, layer, experts, count, of_layer, after)
            found.extend(looks)
            null.signed.extend(blocks.signed)
            null.flips.extend(blocks.flips)
            self.progress(f"{count} rows", done, len(wanted))
        return found, null

    def _after(
        self, layer: int, wanted: Mapping[int, Ints], count: int, *, first: bool
    ) -> list[tuple[int, Ints]]:
        """What the look comes to next, as far as there is no doubt that it may be read."""
        left = [one for one in wanted if one > layer and len(wanted[one])][:AHEAD]
        costs = [self.sampler.cost(one, wanted[one], count) for one in (layer, *left)]
        return [
            (one, wanted[one])
            for number, one in enumerate(left)
            if first or self.sampler.affords(sum(costs[: number + 2]))
        ]

    def _first_costs_after(self, count: int) -> dict[int, int]:
        """By layer, bytes of the first look at those that follow: nothing else may spend them."""
        rows, to_come = self.sampler.rows[:count], 0
        found: dict[int, int] = {}
        for layer in reversed(self.layers):
            found[layer] = to_come
            to_come += self.question.look_reads(rows, [layer]).bytes
        return found

    @property
    def _aligned_models(self) -> frozenset[int]:
        """Models whose rows of `down_proj` were found in the same order: they share the basis."""
        numbering = self.question.request.numbering
        accepted = chain.from_iterable(state.accepted for state in self.states.values())
        return frozenset(numbering.model(parent.expert) for parent in accepted)

    @property
    def _models_apart(self) -> frozenset[int]:
        """Models whose hidden basis nothing shows to be that of the target."""
        return frozenset(self.question.models.without_basis) - self._aligned_models

    def _look_at_rotated(self, models: frozenset[int]) -> RotationFacts | None:
        """What a rotation of the basis leaves alone; spends what rows in place spend otherwise."""
        evidence, facts = self.branch.look(self._open_experts(), models)
        if facts is not None and facts.status != Calibrated.UNCALIBRATED:
            decide_aside(
                evidence, self.states, self._family(SIDE_ALPHA, facts.inflation), Flag.ROTATED
            )
        return facts

    def _look_at_gates(self, apart: frozenset[int], *, calibrated: bool) -> None:
        """Rows of gate and up of experts that are still open, and of those whose down is dead.

        Not against models that are `apart`, whose references were looked at as rotated ones: no
        hypothesis is tested twice, and the share of the error budget holds for both together.
        """
        models = frozenset(range(len(self.question.models.numbering.offsets))) - apart
        shared = models if calibrated else ()
        evidence = look_at_gates(self.sampler, self.question, self.states, shared)
        family = self._family(SIDE_ALPHA, 1.0)
        decide_aside(evidence, self.states, family, Flag.DOWN_REINITIALISED)

    def _layer(self, layer: int, experts: Sequence[ExpertMatch]) -> LayerMatch:
        request = self.question.request
        matches = [match for match in experts if match.layer == layer]
        targets = self.sampler.target.experts(layer)
        references = self.sampler.reference.experts(layer)
        groups, numbering = request.router_groups, request.numbering
        if self.question.is_self(layer):
            alone = layer_match(layer, matches, targets, references, groups)
            return replace_field(alone, layout=None, coverage=None)
        if not numbering.is_of_several:
            return layer_match(layer, matches, targets, references, groups)
        model = main_model(matches, numbering)
        own = [numbering.expert(one) for one in references if numbering.model(one) == model]
        found = layer_match(layer, of_model(matches, model, numbering), targets, own, groups)
        return replace_field(found, layout_ref=numbering.names[model]) if found.coverage else found
