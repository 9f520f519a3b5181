"""What expert matching says: the closed vocabulary and the document."""

from enum import StrEnum
from typing import Final

import msgspec

from inspector.analysis.hidden_basis import BasisFacts
from inspector.analysis.layer_pairing import LayerMapFacts
from inspector.analysis.layer_scores import LayerScores
from inspector.analysis.layout_coverage import Coverage
from inspector.analysis.layout_layers import ModelLayout
from inspector.analysis.layout_map import LayoutMap
from inspector.analysis.null_quantiles import Quantiles
from inspector.analysis.report import Document, Model


class Verdict(StrEnum):
    """What is known of one expert. Never "independent": no evidence is not evidence of none."""

    EXACT_COPY = "exact_copy"
    NEAR_COPY = "near_copy"
    DESCENDANT = "descendant"
    PARTIAL_DESCENDANT = "partial_descendant"
    MIXTURE = "mixture"
    CHIMERA = "chimera"
    ANCESTOR_ONLY = "ancestor_only"
    AMBIGUOUS_PARENT = "ambiguous_parent"
    NO_EVIDENCE = "no_evidence"
    INCONCLUSIVE = "inconclusive"
    DEGENERATE = "degenerate"
    UNCALIBRATED = "uncalibrated"


DESCENDING: Final = (
    Verdict.EXACT_COPY,
    Verdict.NEAR_COPY,
    Verdict.DESCENDANT,
    Verdict.PARTIAL_DESCENDANT,
    Verdict.MIXTURE,
    Verdict.CHIMERA,
)
"""The verdicts that name a parent, or several."""


class Flag(StrEnum):
    """What qualifies a verdict: how an expert descends, or what limited the answer."""

    PERMUTED = "permuted"
    SIGN_FLIPPED = "sign_flipped"
    SHIFTED = "shifted"
    SCALED = "scaled"
    DOWN_REINITIALISED = "down_reinitialised"
    SLICED = "sliced"
    ROTATED = "rotated"
    BUDGET = "budget"
    FEW_REFERENCES = "few_references"
    LAYER_OFFSET = "layer_offset"


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its interval."""

    estimate: float
    low: float
    high: float


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted reference. `z_star` is min(z, contrast), the statistic that was tested.

    Where rows of gate and up decided there is no z, only `log10_p`. `log10_q` is the false
    discovery rate at which it would be accepted (Benjamini-Hochberg); `share` is its part in a
    mixture, of the weights, or in a chimera, of the neurons. `ref` names its model, where there
    are several.
    """

    expert: int
    layer: int
    z: float | None
    z_star: float | None
    log10_p: float
    log10_q: float
    share: float | None = None
    ref: str | msgspec.UnsetType = msgspec.UNSET


class Nearest(msgspec.Struct, frozen=True, kw_only=True):
    """The reference of one of several models that an expert resembles most, and how far it is."""

    ref: str
    expert: int
    z: float
    sigma: Estimate


class ExpertMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One target expert. `rows` of down_proj were read of it and of every reference.

    `sigma`, `retained` and `scale` are of the first parent, None where they were not estimated.
    `nearest` is there where there are several reference models: the best of each that resembles it.
    """

    layer: int
    expert: int
    verdict: Verdict
    parents: list[Parent]
    flags: list[Flag]
    sigma: Estimate | None = None
    retained: Estimate | None = None
    scale: Estimate | None = None
    rows: int
    nearest: list[Nearest] | msgspec.UnsetType = msgspec.UNSET


class LayerMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: its layout, what that covers, and how many experts have which verdict.

    `coverage` is null where the experts of a side are not numbered from 0 without gaps, and of a
    layer against itself: then no layout is looked for. `layout` is null where there is no evidence
    of any. Where there are several reference models, both are of parents from `layout_ref`.
    """

    layer: int
    layout: LayoutMap | None
    coverage: Coverage | None = None
    verdicts: dict[str, int]
    median_sigma: float | None = None
    layout_ref: str | msgspec.UnsetType = msgspec.UNSET


class CalibrationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the null held: z of targets against references of other layers.

    `quantiles` sets that null and the z that were tested beside the normal distribution.
    """

    null: str
    status: str
    tests: int
    ks: float | None
    sd: float | None
    inflation: float
    quantiles: Quantiles | None = None


class Excluded(msgspec.Struct, frozen=True, kw_only=True):
    """A relation that `no_evidence` rules out at power .95, from this value on."""

    relation: str
    at_least: float


class ErrorBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The family of hypotheses, the error rate spent on it, and what no evidence excludes."""

    hypotheses: int
    alpha: float
    excluded: list[Excluded]


class RotationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was tested of a rotated basis: the layers, and how its null held.

    `neurons` of gate and of up were read of each expert.
    """

    layers: list[int]
    neurons: int
    status: str
    tests: int
    ks: float | None
    sd: float | None
    inflation: float


class MatrixPair(msgspec.Struct, frozen=True, kw_only=True):
    """One matrix of two experts by itself: neurons retained, the factor, and what that leaves.

    `residual` is relative to what the factor explains; both are None where nothing is retained.
    `equal_codes` is the share of equal codes after rounding the reference as the target was, None
    where it is no near copy.
    """

    matrix: str
    retained: Estimate
    slope: Estimate | None
    residual: float | None
    equal_codes: float | None


class NeuronAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Neurons that two matrices both retain at one place, and what independence would leave."""

    matrices: list[str]
    observed: int
    expected: float
    most: int
    log10_p: float


class ExpertPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two experts that were read whole: which neuron became which.

    `chosen` says why: `named`, `weakest` or for its verdict. `controls` are the references whose
    assignment said what chance reaches; a pair of neurons was kept from the cosine `limit` on.
    `retained` is the share of the target's neurons that have a place, by all three matrices, of
    which `in_place` have that of their own number and `negated` changed their sign. `places[j]` is
    the reference's neuron that became neuron j, -1 where none did. Where there are several
    reference models, `ref` is that of the reference and of the controls.
    """

    layer: int
    expert: int
    reference_layer: int
    reference: int
    chosen: str
    controls: list[int]
    retained: Estimate
    in_place: float | None
    negated: float | None
    slope: Estimate | None
    residual: float | None
    limit: float | None
    matrices: list[MatrixPair]
    agreement: list[NeuronAgreement]
    places: list[int]
    ref: str | msgspec.UnsetType = msgspec.UNSET


class ReferenceMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One of several reference models: how many experts have their first parent there.

    `median_sigma` is of all experts that have a parent and resemble one of its experts, `resemble`
    of them: a smaller one than another model's says which is nearer. `basis` and `layer_map` are
    what a single reference's document says of them.
    """

    ref: str
    model: Model
    experts: int
    resemble: int
    median_sigma: float | None
    basis: BasisFacts | None = None
    layer_map: LayerMapFacts | None = None


class SimilarityDocument(Document, frozen=True, kw_only=True):
    """`s1inspect expert-similarity --json`. `refs` is there where there are several models.

    `basis` is what norms, embedding rows and routers said of the hidden basis; null where nothing
    was asked, as of a model against itself, and, as `layer_map`, where each of `refs` has its own.
    `rotation` is null where none was looked for. `reading` is there where other numbers than rows
    of `down_proj` were compared, and says which.
    `layout` is that of all layers, null where no expert has one parent; `heat_map` the scores of
    one layer; `reproduce` the command that gives this document again, its cost apart.
    """

    ref: Model
    refs: list[ReferenceMatch] | msgspec.UnsetType = msgspec.UNSET
    seed: int
    reading: str | msgspec.UnsetType = msgspec.UNSET
    summary: str
    calibration: CalibrationFacts
    budget: ErrorBudget
    basis: BasisFacts | None = None
    layer_map: LayerMapFacts | None = None
    rotation: RotationFacts | None = None
    layout: ModelLayout | None = None
    heat_map: LayerScores | None = None
    reproduce: str | None = None
    layers: list[LayerMatch]
    pairs: list[ExpertPair]
    experts: list[ExpertMatch]
