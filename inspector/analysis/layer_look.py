"""What one look at a layer saw, and by which rules it was made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inspector.analysis.estimate_table import EstimateTable
from inspector.analysis.expert_evidence import Evidence
from inspector.analysis.expert_family import ONE_MODEL, Numbering
from inspector.stats.blends import BlendFit
from inspector.stats.intervals import Interval
from inspector.stats.matching import PairContrast

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two references that both resemble a target: their contrast, and how they were blended."""

    pair: PairContrast
    blend: BlendFit


@dataclass(frozen=True, slots=True)
class Nearby:
    """The best reference of one of several models, by number, and the drift from it."""

    reference: int
    z: float
    sigma: Interval


@dataclass(frozen=True, slots=True)
class LayerLook:
    """What one look at `rows` rows saw of one layer. `z` is `[experts, R]`, not yet deflated.

    `pool` is `[experts, P]`: the same targets against references of other layers, where R is small.
    By position in `experts`: `pairs` holds references that look alike. `estimates` is by expert, of
    the best one. `flips`, `shifts`, `permuted` and `common` are of the experts that z leaves open;
    `common` is what they have in common with all references, one value an expert. `nearest` is by
    model, where there are several.
    """

    layer: int
    rows: int
    neurons: int
    experts: Ints
    references: Ints
    z: Float64
    pool: Float64 | None
    copy: Float64
    dead: npt.NDArray[np.bool_]
    pairs: Mapping[int, list[Likeness]]
    estimates: EstimateTable
    flips: Evidence | None
    shifts: Evidence | None
    permuted: Evidence | None
    common: Mapping[int, float]
    nearest: Mapping[int, list[Nearby]]


@dataclass(frozen=True, slots=True)
class Null:
    """z of pairs of different layers, which cannot be related: of the signed test and of flips."""

    signed: list[Float64]
    flips: list[Float64]


@dataclass(frozen=True, slots=True)
class LookRules:
    """What a look does beside the signed test. `clear_z` is the z that decides an expert.

    `numbering` says which references are of which model.

    `with_flips` tells whether more rows are used than by the look before; `permuted_experts` how
    many experts of a layer are matched neuron by neuron, 0 before the last look; `same_model` that
    an expert is not to be compared with itself.
    """

    clear_z: float
    with_flips: bool
    permuted_experts: int
    same_model: bool
    numbering: Numbering = ONE_MODEL
