"""From scores to verdicts: acceptance over the whole family, parents, power, layers in one line."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_looks import LayerLook
from inspector.analysis.expert_report import ExpertMatch, Flag, LayerMatch, Parent, Verdict
from inspector.analysis.layout_map import find_layout
from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.correction import holm_accepts, log10_upper_tail, z_of_upper_tail
from inspector.stats.matching import PairContrast

Float64 = npt.NDArray[np.float64]
Key = tuple[int, int]
"""(layer, expert) of a target."""

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


@dataclass(slots=True)
class ExpertState:
    """One expert on its way to a verdict, after its latest look at `rows` rows.

    `values` is the size of a sample, rows x neurons; `copy_z` the z an exact copy would reach;
    `alpha` the error rate of the latest look.
    """

    rows: int
    values: int
    looks: int
    alpha: float
    best_log10_p: float
    copy_z: float
    has_contrast: bool
    dead: bool
    out_of_budget: bool = False
    accepted: list[Parent] = field(default_factory=list)
    pairs: Mapping[Key, PairContrast] = field(default_factory=dict)


def decide(
    looks: Sequence[LayerLook],
    states: dict[Key, ExpertState],
    *,
    inflation: float,
    alpha: float,
    hypotheses: int,
) -> None:
    """Bring `states` up to date with a look, and accept by Holm over the whole family.

    Hypotheses that were not tested again in this look enter with p = 1.
    """
    scored = [(look, *_star(look, inflation)) for look in looks]
    log10_p = [log10_upper_tail(star) for _, _, star, _ in scored]
    flat = np.concatenate([values.ravel() for values in log10_p])
    small = np.flatnonzero(flat < -1)
    accepted = np.zeros(len(flat), dtype=np.bool_)
    accepted[small] = holm_accepts(flat[small], hypotheses=hypotheses, alpha=alpha)
    start = 0
    for (look, z, star, has_contrast), logs in zip(scored, log10_p, strict=True):
        passed = accepted[start : start + logs.size].reshape(logs.shape)
        start += logs.size
        for position, expert in enumerate(look.experts.tolist()):
            before = states.get((look.layer, expert))
            best = float(logs[position].min())
            order = np.argsort(-z[position], kind="stable")
            states[look.layer, expert] = ExpertState(
                rows=look.rows,
                values=look.rows * look.neurons,
                looks=before.looks + 1 if before else 1,
                alpha=alpha,
                best_log10_p=min(best, before.best_log10_p) if before else best,
                copy_z=float(look.copy[position]) / inflation,
                has_contrast=bool(has_contrast[position]),
                dead=bool(look.dead[position]),
                accepted=[
                    Parent(
                        expert=int(look.references[reference]),
                        layer=look.layer,
                        z=round(float(z[position, reference]), 3),
                        z_star=round(float(star[position, reference]), 3),
                        log10_p=round(float(logs[position, reference]), 3),
                    )
                    for reference in order[passed[position][order]].tolist()
                ],
                pairs={
                    (int(look.references[pair.first]), int(look.references[pair.second])): (
                        pair.deflated(inflation)
                    )
                    for pair in look.pairs.get(position, ())
                },
            )


def expert_match(
    key: Key, state: ExpertState, *, calibrated: bool, hypotheses: int, references: int
) -> ExpertMatch:
    """What is reported of one expert; `state.dead` means gate and up are dead too."""
    flags = [] if state.has_contrast else [Flag.FEW_REFERENCES]
    if state.out_of_budget:
        flags.append(Flag.BUDGET)
    verdict, parents = _judge(
        state, calibrated=calibrated, hypotheses=hypotheses, references=references
    )
    layer, expert = key
    return ExpertMatch(
        layer=layer, expert=expert, verdict=verdict, parents=parents, flags=flags, rows=state.rows
    )


def _judge(
    state: ExpertState, *, calibrated: bool, hypotheses: int, references: int
) -> tuple[Verdict, list[Parent]]:
    if state.dead:
        return Verdict.DEGENERATE, []
    if not calibrated:
        return Verdict.UNCALIBRATED, []
    if state.accepted:
        return parents_of(state.accepted, state.pairs, state.values)
    if state.out_of_budget:
        return Verdict.INCONCLUSIVE, []
    own_log10_p = state.best_log10_p + np.log10(references * state.looks)
    cosine, fraction = excluded_region(state.copy_z, hypotheses=hypotheses, alpha=state.alpha)
    has_power = cosine <= EXCLUDED_COSINE and fraction <= EXCLUDED_FRACTION
    if own_log10_p > np.log10(_OWN_LEVEL) and has_power:
        return Verdict.NO_EVIDENCE, []
    return Verdict.INCONCLUSIVE, []


def parents_of(
    accepted: Sequence[Parent], pairs: Mapping[Key, PairContrast], values: int
) -> tuple[Verdict, list[Parent]]:
    """Which accepted references are the parents, best first.

    A second one stays where each keeps a significant coefficient beside the other and BIC prefers
    two (z beyond sqrt(log n)); where the two cannot be told apart, both are shown as ambiguous.

    Args:
        accepted: accepted references, best first.
        pairs: contrasts of the best with others, by expert numbers.
        values: size of a sample, rows x neurons.
    """
    best, *others = accepted
    parents = [best]
    verdict = Verdict.DESCENDANT
    needed = max(_NEEDED_Z, float(np.sqrt(np.log(values))))
    for other in others:
        pair = pairs.get((best.expert, other.expert))
        if pair is None:
            continue
        if min(pair.first_given_second, pair.second_given_first) > needed:
            parents.append(other)
        elif pair.contrast_z < _CLEAR_CONTRAST:
            parents.append(other)
            verdict = Verdict.AMBIGUOUS_PARENT
    return verdict, parents


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
    """One layer: its layout, where experts are numbered from 0 without gaps, and its verdicts."""
    parents = {
        match.expert: match.parents[0].expert for match in matches if len(match.parents) == 1
    }
    regular = all(tuple(side) == tuple(range(len(side))) for side in (targets, references))
    layout = find_layout(parents, len(targets), len(references), groups) if regular else None
    counts = Counter(str(match.verdict) for match in matches)
    return LayerMatch(layer=layer, layout=layout, verdicts=dict(counts.most_common()))


def _star(look: LayerLook, inflation: float) -> tuple[Float64, Float64, npt.NDArray[np.bool_]]:
    """z, z* and whether a contrast was possible, `[experts, R]` and `[experts]`."""
    z = look.z / inflation
    pool = None if look.pool is None else look.pool / inflation
    contrast = leave_one_out_contrast(z, pool)
    missing = np.isnan(contrast)
    star = np.where(missing, z, np.minimum(z, contrast))
    return z, np.asarray(star, dtype=np.float64), np.asarray(~missing.all(axis=1))
