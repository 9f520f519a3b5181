"""From states to verdicts: parents, how an expert descends, power, layers in one line."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_estimates import COPY_SHARE, Estimates, is_near
from inspector.analysis.expert_report import (
    DESCENDING,
    Estimate,
    ExpertMatch,
    Flag,
    LayerMatch,
    Parent,
    Verdict,
)
from inspector.analysis.expert_states import ExpertState, Key
from inspector.analysis.layer_look import Likeness
from inspector.analysis.match_layout import layer_layout
from inspector.stats.blends import Blend
from inspector.stats.correction import log10_upper_tail, z_of_upper_tail
from inspector.stats.intervals import Interval

Float64 = npt.NDArray[np.float64]

EXCLUDED_COSINE: Final = 0.2
EXCLUDED_FRACTION: Final = 0.1
"""What `no_evidence` must rule out at power .95: this aligned cosine, this retained fraction."""

_REGION_SIGMA: Final = 0.3
_POWER_Z: Final = 1.645
_SIGNAL_KEPT: Final = 0.9
"""Share of the ideal z that preparation leaves, and once more where neurons are mixed: simulated
cells are met to 10 %."""

_OWN_LEVEL: Final = 0.05
_CLEAR_CONTRAST: Final = 3.5
_NEEDED_Z: Final = 3.09
"""At this z, what a second reference adds counts as significant: p < .001, one-sided."""

WHOLE_RETAINED: Final = 0.9
"""An expert with fewer of its parent's neurons, beyond the error of that estimate, is partial."""

MIN_SCALE_STEP: Final = 0.05
"""A factor this near to 1 is not called a scale: a drift that shares its parent's directions biases
it by up to .025 at sigma .5 (the study)."""


@dataclass(frozen=True, slots=True)
class Standards:
    """What verdicts of one run are held to. `slices`: the two sides differ in neurons.

    `basis_missing`: rows of both sides may be other hidden dimensions, so nothing is excluded.
    """

    calibrated: bool
    hypotheses: int
    last_alpha: float
    slices: bool = False
    basis_missing: bool = False


def expert_match(
    key: Key, state: ExpertState, standards: Standards, references: int
) -> ExpertMatch:
    """What is reported of one expert; `state.dead` means gate and up are dead too."""
    verdict, parents = _judge(state, standards, references)
    aligned = Flag.SLICED if standards.slices else None
    flags = [flag for flag in (state.how or aligned,) if flag and parents]
    estimates = _of_parent(state, verdict, parents)
    if estimates and estimates.is_flipped:
        flags.append(Flag.SIGN_FLIPPED)
    scale = estimates.scale if estimates else None
    if scale and not scale.low <= 1 <= scale.high and abs(scale.estimate - 1) > MIN_SCALE_STEP:
        flags.append(Flag.SCALED)
    if not state.has_contrast and state.how is not Flag.DOWN_REINITIALISED:
        flags.append(Flag.FEW_REFERENCES)
    if state.out_of_budget and verdict is Verdict.INCONCLUSIVE:
        flags.append(Flag.BUDGET)
    layer, expert = key
    return ExpertMatch(
        layer=layer,
        expert=expert,
        verdict=verdict,
        parents=parents,
        flags=flags,
        sigma=estimate_of(estimates.retention.sigma) if estimates else None,
        retained=estimate_of(estimates.retention.retained) if estimates else None,
        scale=estimate_of(scale) if scale else None,
        rows=state.rows,
    )


def in_own_layers(match: ExpertMatch, ref_layer: Callable[[int, int], int]) -> ExpertMatch:
    """The match with its parents in the layers that their models themselves have for them.

    `ref_layer` gives that of a layer and a reference of it.
    """
    layers = [ref_layer(match.layer, parent.expert) for parent in match.parents]
    if all(layer == match.layer for layer in layers):
        return match
    parents = [
        msgspec.structs.replace(parent, layer=layer)
        for parent, layer in zip(match.parents, layers, strict=True)
    ]
    flags = [*match.flags, Flag.LAYER_OFFSET]
    return msgspec.structs.replace(match, parents=parents, flags=flags)


def _judge(
    state: ExpertState, standards: Standards, references: int
) -> tuple[Verdict, list[Parent]]:
    if state.dead:
        return Verdict.DEGENERATE, []
    if not standards.calibrated:
        return Verdict.UNCALIBRATED, []
    if state.accepted:
        return parents_of(state)
    if _shares_an_ancestor(state, standards):
        return Verdict.ANCESTOR_ONLY, []
    if state.out_of_budget or standards.basis_missing:
        return Verdict.INCONCLUSIVE, []
    own_log10_p = state.best_log10_p + np.log10(references * state.looks)
    cosine, fraction = excluded_region(
        state.copy_z, hypotheses=standards.hypotheses, alpha=state.alpha
    )
    has_power = cosine <= EXCLUDED_COSINE and fraction <= EXCLUDED_FRACTION
    if own_log10_p > np.log10(_OWN_LEVEL) and has_power:
        return Verdict.NO_EVIDENCE, []
    return Verdict.INCONCLUSIVE, []


def _shares_an_ancestor(state: ExpertState, standards: Standards) -> bool:
    """Whether more than half of the references pass once what they have in common is left in.

    By Markov's inequality p is at most twice that of their median; one test an expert, held to the
    threshold of the last look over all hypotheses.
    """
    log10_p = float(log10_upper_tail(np.asarray(state.common_z))) + np.log10(2)
    return bool(log10_p < np.log10(standards.last_alpha / standards.hypotheses))


def parents_of(state: ExpertState) -> tuple[Verdict, list[Parent]]:
    """Which accepted references are the parents, best first, and how the expert descends.

    A second one stays where each keeps a significant coefficient beside the other and BIC prefers
    two (z beyond sqrt(log n)); where the two cannot be told apart, both are shown as ambiguous. Of
    an exact copy the codes tell.
    """
    best, *others = state.accepted
    alone = _alone(state.estimates, best)
    if alone is Verdict.EXACT_COPY:
        return alone, [best]
    parents = [best]
    verdict: Verdict = alone
    needed = max(_NEEDED_Z, float(np.sqrt(np.log(state.values))))
    for other in others:
        likeness = state.pairs.get((best.expert, other.expert))
        if likeness is None:
            continue
        pair = likeness.pair
        if min(pair.first_given_second, pair.second_given_first) > needed:
            if verdict is alone:
                verdict = _VERDICTS[likeness.blend.blend]
                parents = [msgspec.structs.replace(best, share=_share(likeness))]
            rest = 1 - _share(likeness) if len(parents) == 1 else None
            parents.append(msgspec.structs.replace(other, share=rest))
        elif pair.contrast_z < _CLEAR_CONTRAST:
            parents.append(other)
            verdict = Verdict.AMBIGUOUS_PARENT
    return verdict, parents


_VERDICTS: Final[Mapping[Blend, Verdict]] = {
    Blend.INTERPOLATION: Verdict.MIXTURE,
    Blend.CHIMERA: Verdict.CHIMERA,
}


def _share(likeness: Likeness) -> float:
    return round(likeness.blend.share.estimate, 4)


def _alone(estimates: Estimates | None, parent: Parent) -> Verdict:
    """The verdict on an expert with one parent."""
    if estimates is None or estimates.reference != parent.expert:
        return Verdict.DESCENDANT
    if estimates.equal_codes is not None and estimates.equal_codes >= COPY_SHARE:
        return Verdict.EXACT_COPY
    if is_near(estimates.retention):
        return Verdict.NEAR_COPY
    if estimates.retention.retained.high < WHOLE_RETAINED:
        return Verdict.PARTIAL_DESCENDANT
    return Verdict.DESCENDANT


def _of_parent(state: ExpertState, verdict: Verdict, parents: list[Parent]) -> Estimates | None:
    """The estimates, where they are of the one parent."""
    if verdict not in DESCENDING or len(parents) != 1 or state.estimates is None:
        return None
    if state.estimates.reference != parents[0].expert:
        return None
    return state.estimates


def estimate_of(interval: Interval) -> Estimate:
    """As it is reported."""
    return Estimate(
        estimate=round(interval.estimate, 4),
        low=round(interval.low, 4),
        high=round(interval.high, 4),
    )


def excluded_region(copy_z: float, *, hypotheses: int, alpha: float) -> tuple[float, float]:
    """The smallest aligned cosine and retained fraction that would be found with power .95.

    Args:
        copy_z: the z that an exact copy would reach.
        hypotheses: size of the family.
        alpha: error rate of the look.
    """
    needed = z_of_upper_tail(alpha / hypotheses) + _POWER_Z
    cosine = needed / max(_SIGNAL_KEPT * copy_z, 1e-9)
    return cosine, cosine * float(np.sqrt(1 + _REGION_SIGMA**2)) / _SIGNAL_KEPT


def layer_match(
    layer: int,
    matches: Sequence[ExpertMatch],
    targets: Sequence[int],
    references: Sequence[int],
    groups: int | None,
) -> LayerMatch:
    """One layer: its layout and what that covers, and its verdicts."""
    layout, coverage = layer_layout(matches, targets, references, groups)
    counts = Counter(str(match.verdict) for match in matches)
    sigmas = [match.sigma.estimate for match in matches if match.sigma]
    return LayerMatch(
        layer=layer,
        layout=layout,
        coverage=coverage,
        verdicts=dict(counts.most_common()),
        median_sigma=round(statistics.median(sigmas), 4) if sigmas else None,
    )
