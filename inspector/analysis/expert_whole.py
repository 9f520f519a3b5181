"""Two experts read whole: which neuron became which, in all three matrices and in each alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from inspector.analysis.expert_estimates import NEAR_RETAINED, NEAR_SIGMA, equal_codes
from inspector.analysis.expert_pairs import MATRICES, Pair
from inspector.analysis.expert_report import (
    ExpertPair,
    MatrixPair,
    NeuronAgreement,
)
from inspector.analysis.expert_sides import ExpertSide
from inspector.analysis.expert_verdicts import estimate_of
from inspector.analysis.layer_references import without_nan
from inspector.decode.numeric import Float32
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection
from inspector.stats.agreement import agreement
from inspector.stats.neuron_map import (
    NeuronMap,
    cosine_tables,
    fit_factor,
    map_neurons,
)

_HELD: Final = 4
"""References that are held in memory, 75 MB each at 4096 x 1536."""

_ODD: Final = tuple(place for place, one in enumerate(MATRICES) if one is not Projection.GATE)
"""A neuron that is negated in down and up computes the same; gate has no such symmetry."""


@dataclass(frozen=True, slots=True)
class WholeExpert:
    """`matrices` are `[H, m]`, a column a neuron, in the order of `MATRICES`.

    `scales` is what multiplied the codes of each, of the same shape, None where nothing did.
    """

    matrices: list[Float32]
    scales: list[Float32 | None]
    dtypes: list[Dtype]


def read_whole(side: ExpertSide, layer: int, expert: int) -> WholeExpert:
    """All of one expert, as weights."""
    matrices, scales = [], []
    for one in MATRICES:
        rows = range(side.shape(layer, one)[0])
        values = without_nan(side.read(layer, [expert], one, rows)[0])
        scale = side.scales(layer, [expert], one, rows)
        if scale is not None and not scale.applied:
            values = values * scale.values[0]
        by_neuron = one is Projection.DOWN
        matrices.append(values if by_neuron else values.T)
        factor = None if scale is None else scale.values[0]
        scales.append(factor if factor is None or by_neuron else factor.T)
    return WholeExpert(matrices, scales, [side.dtype(layer, one) for one in MATRICES])


class PairReader:
    """Reads pairs whole and compares them; the last few references are held for the next pair."""

    def __init__(self, target: ExpertSide, reference: ExpertSide) -> None:
        self._target = target
        self._reference = reference
        self._held: dict[tuple[int, int], WholeExpert] = {}

    def compare(self, pair: Pair, control: int) -> ExpertPair:
        """What the two experts of a pair have of each other; `control` is another reference."""
        ours = read_whole(self._target, pair.layer, pair.expert)
        theirs = self._read(pair.reference_layer, pair.reference)
        return compare_whole(
            pair, ours, theirs, (control, self._read(pair.reference_layer, control))
        )

    def _read(self, layer: int, expert: int) -> WholeExpert:
        found = self._held.pop((layer, expert), None) or read_whole(self._reference, layer, expert)
        self._held[layer, expert] = found
        while len(self._held) > _HELD:
            del self._held[next(iter(self._held))]
        return found


def compare_whole(
    pair: Pair, target: WholeExpert, reference: WholeExpert, control: tuple[int, WholeExpert]
) -> ExpertPair:
    """What two experts have of each other."""
    number, other = control
    tables = cosine_tables(target.matrices, reference.matrices)
    chance = cosine_tables(target.matrices, other.matrices)
    whole = map_neurons(tables, [chance], odd=_ODD)
    alone = [
        map_neurons([table], [[strange]], odd=(0,) if place in _ODD else ())
        for place, (table, strange) in enumerate(zip(tables, chance, strict=True))
    ]
    kept = whole.places >= 0
    fit = fit_factor(target.matrices, reference.matrices, whole, _ODD)
    return ExpertPair(
        layer=pair.layer,
        expert=pair.expert,
        reference_layer=pair.reference_layer,
        reference=pair.reference,
        chosen=pair.chosen,
        controls=[number],
        retained=estimate_of(whole.retained),
        in_place=_share(whole.places[kept] == np.flatnonzero(kept)),
        negated=_share(whole.is_negated[kept]),
        slope=estimate_of(fit.slope) if kept.any() else None,
        residual=round(fit.residual, 4) if kept.any() else None,
        limit=round(whole.limit, 4) if math.isfinite(whole.limit) else None,
        matrices=[_matrix(place, target, reference, found) for place, found in enumerate(alone)],
        agreement=[
            _agreement(first, second, alone)
            for first, second in combinations(range(len(MATRICES)), 2)
        ],
        places=whole.places.tolist(),
    )


def _matrix(
    place: int, target: WholeExpert, reference: WholeExpert, found: NeuronMap
) -> MatrixPair:
    ours, theirs = target.matrices[place], reference.matrices[place]
    odd = (0,) if place in _ODD else ()
    fit = fit_factor([ours], [theirs], found, odd)
    something = bool((found.places >= 0).any())
    equal = None
    if found.retained.estimate >= NEAR_RETAINED and fit.residual < NEAR_SIGMA:
        kept = found.places >= 0
        parent = np.zeros_like(ours)
        parent[:, kept] = theirs[:, found.places[kept]]
        parent[:, found.is_negated] *= -1
        dtypes = target.dtypes[place], reference.dtypes[place]
        equal = equal_codes(ours, parent, target.scales[place], dtypes)
    return MatrixPair(
        matrix=str(MATRICES[place]),
        retained=estimate_of(found.retained),
        slope=estimate_of(fit.slope) if something else None,
        residual=round(fit.residual, 4) if something else None,
        equal_codes=None if equal is None else round(equal, 6),
    )


def _agreement(first: int, second: int, alone: Sequence[NeuronMap]) -> NeuronAgreement:
    found = agreement(alone[first].places, alone[second].places)
    return NeuronAgreement(
        matrices=[str(MATRICES[first]), str(MATRICES[second])],
        observed=found.observed,
        expected=round(found.expected, 1),
        most=found.most,
        log10_p=found.log10_p,
    )


def _share(hits: npt.NDArray[np.bool_]) -> float | None:
    return round(float(np.mean(hits)), 4) if len(hits) else None
