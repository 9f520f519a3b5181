"""What is known of experts as looks go on: one state each, and how tests change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_estimates import Estimates
from inspector.analysis.expert_evidence import SMALL_LOG10_P, Evidence, passed
from inspector.analysis.expert_report import Flag, Parent
from inspector.analysis.layer_look import LayerLook, Likeness, Nearby
from inspector.stats.contrast import leave_one_out_contrast
from inspector.stats.correction import log10_q_values, log10_upper_tail

Float64 = npt.NDArray[np.float64]
Key = tuple[int, int]
"""(layer, expert) of a target."""

Pairs = Mapping[Key, Likeness]
"""Two references of a layer -> what a target has of each."""

_NO_PAIRS: Final[Pairs] = MappingProxyType({})
_NO_ESTIMATES: Final[Mapping[int, Estimates]] = MappingProxyType({})
"""One for all experts that have none: there is a state of each of 48,000."""


@dataclass(slots=True)
class ExpertState:
    """One expert on its way to a verdict, after its latest look at `rows` rows.

    `copy_z` is the z an exact copy would reach, `alpha` the error rate of the latest look. `how`
    says which test accepted its parents, None for the signed one. `common_z` is the largest z of
    what it shares with all references, at least 0. `estimated` has its estimates under its number,
    `expert`, beside those of others.
    """

    expert: int
    rows: int
    neurons: int
    looks: int
    alpha: float
    best_log10_p: float
    copy_z: float
    has_contrast: bool
    dead: bool
    out_of_budget: bool = False
    common_z: float = 0.0
    how: Flag | None = None
    accepted: tuple[Parent, ...] = ()
    pairs: Pairs = field(default_factory=lambda: _NO_PAIRS)
    estimated: Mapping[int, Estimates] = field(default_factory=lambda: _NO_ESTIMATES)
    nearest: Sequence[Nearby] = ()

    @property
    def is_open(self) -> bool:
        """Whether more rows may still decide it."""
        return not (self.accepted or self.dead)

    @property
    def values(self) -> int:
        """The size of a sample."""
        return self.rows * self.neurons

    @property
    def estimates(self) -> Estimates | None:
        """What it has of the reference that it resembles most, if any."""
        return self.estimated.get(self.expert)


@dataclass(frozen=True, slots=True)
class Family:
    """The part of the error budget that a decision may spend, and over what."""

    alpha: float
    hypotheses: int
    inflation: float


def decide(looks: Sequence[LayerLook], states: dict[Key, ExpertState], family: Family) -> None:
    """Bring `states` up to date with a look, and accept by Holm over the whole family.

    Hypotheses that were not tested again in this look enter with p = 1.
    """
    tested = [_tested(look, family.inflation) for look in looks]
    log10_p = [one.log10_p for one in tested]
    log10_q = _q_values(log10_p, family.hypotheses)
    accepted = passed(log10_p, hypotheses=family.hypotheses, alpha=family.alpha)
    for look, one, qs, hits in zip(looks, tested, log10_q, accepted, strict=True):
        parents: dict[int, list[Parent]] = {}
        order = np.argsort(-one.z, kind="stable")
        for i in order[hits[order]].tolist():
            position, reference = divmod(int(one.places[i]), len(look.references))
            parent = Parent(
                expert=int(look.references[reference]),
                layer=look.layer,
                z=round(float(one.z[i]), 3),
                z_star=round(float(one.star[i]), 3),
                log10_p=round(float(one.log10_p[i]), 3),
                log10_q=round(float(qs[i]), 3),
            )
            parents.setdefault(position, []).append(parent)
        for position, expert in enumerate(look.experts.tolist()):
            state = _after(look, position, states.get((look.layer, expert)), family)
            state.best_log10_p = min(float(one.best[position]), state.best_log10_p)
            state.has_contrast = bool(one.has_contrast[position])
            state.accepted = tuple(parents.get(position, ()))
            states[look.layer, expert] = state


def star_of(look: LayerLook, inflation: float) -> Float64:
    """z* of every expert of a look against every reference, `[experts, R]`."""
    return _star(look, inflation)[1]


def decide_aside(
    evidence: Sequence[Evidence], states: dict[Key, ExpertState], family: Family, how: Flag
) -> None:
    """Accept what tests of another kind find of experts that are still open."""
    if not evidence:
        return
    log10_p = [one.log10_p(family.inflation) for one in evidence]
    log10_q = _q_values(log10_p, family.hypotheses)
    accepted = passed(log10_p, hypotheses=family.hypotheses, alpha=family.alpha)
    for one, logs, qs, hits in zip(evidence, log10_p, log10_q, accepted, strict=True):
        star = one.star(family.inflation)
        found: dict[int, list[Parent]] = {}
        for i in np.flatnonzero(hits)[np.argsort(logs[hits], kind="stable")].tolist():
            parent = Parent(
                expert=int(one.references[i]),
                layer=one.layer,
                z=_rounded(one.z[i] / family.inflation),
                z_star=_rounded(star[i]),
                log10_p=round(float(logs[i]), 3),
                log10_q=round(float(qs[i]), 3),
            )
            found.setdefault(int(one.experts[i]), []).append(parent)
        for expert, parents in found.items():
            state = states[one.layer, expert]
            if state.is_open:
                state.accepted, state.how = tuple(parents), how
                state.estimated = one.estimates


def _after(
    look: LayerLook, position: int, before: ExpertState | None, family: Family
) -> ExpertState:
    """The state of an expert after a look, before anything is accepted."""
    common = look.common.get(position, 0.0) / family.inflation
    return ExpertState(
        expert=int(look.experts[position]),
        rows=look.rows,
        neurons=look.neurons,
        looks=before.looks + 1 if before else 1,
        alpha=family.alpha,
        best_log10_p=before.best_log10_p if before else 0.0,
        copy_z=float(look.copy[position]) / family.inflation,
        has_contrast=True,
        dead=bool(look.dead[position]),
        common_z=max(before.common_z if before else 0.0, common),
        pairs=_pairs(look, position, family.inflation),
        estimated=look.estimates,
        nearest=look.nearest.get(position, ()),
    )


def _pairs(look: LayerLook, position: int, inflation: float) -> Pairs:
    """References that an expert resembles, in contrast to each other; by their numbers."""
    found = {
        (int(look.references[one.pair.first]), int(look.references[one.pair.second])): (
            Likeness(one.pair.deflated(inflation), one.blend)
        )
        for one in look.pairs.get(position, ())
    }
    return found or _NO_PAIRS


@dataclass(frozen=True, slots=True)
class _Tested:
    """The tests of a look with a small p, in the order of `places` (expert x R + reference).

    By expert, `best` is the least log10 p, and `has_contrast` whether a contrast was possible.
    """

    places: npt.NDArray[np.int64]
    z: Float64
    star: Float64
    log10_p: Float64
    best: Float64
    has_contrast: npt.NDArray[np.bool_]


def _star(look: LayerLook, inflation: float) -> tuple[Float64, Float64, npt.NDArray[np.bool_]]:
    """z, z* and whether a contrast was possible, `[experts, R]` and `[experts]`."""
    z = look.z / inflation
    pool = None if look.pool is None else look.pool / inflation
    contrast = leave_one_out_contrast(z, pool)
    return z, np.fmin(z, contrast), np.asarray(~np.isnan(contrast).all(axis=1))


def _tested(look: LayerLook, inflation: float) -> _Tested:
    z, star, has_contrast = _star(look, inflation)
    logs = log10_upper_tail(star)
    places = np.flatnonzero(logs < SMALL_LOG10_P)
    return _Tested(
        places, z.ravel()[places], star.ravel()[places], logs.ravel()[places],
        best=logs.min(axis=1), has_contrast=has_contrast,
    )  # fmt: skip


def _q_values(log10_p: Sequence[Float64], hypotheses: int) -> list[Float64]:
    """log10 q of every test, in the shapes of `log10_p`; 0 where p is no small one."""
    flat = np.concatenate([logs.ravel() for logs in log10_p])
    q = np.zeros(len(flat))
    small = np.flatnonzero(flat < SMALL_LOG10_P)
    q[small] = log10_q_values(flat[small], hypotheses=hypotheses)
    parts = np.split(q, np.cumsum([logs.size for logs in log10_p])[:-1])
    return [part.reshape(logs.shape) for part, logs in zip(parts, log10_p, strict=True)]


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)
