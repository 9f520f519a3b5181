"""What expert matching says: the closed vocabulary and the document."""

from enum import StrEnum
from typing import Final

import msgspec

from inspector.analysis.hidden_basis import BasisFacts
from inspector.analysis.layer_pairing import LayerMapFacts
from inspector.analysis.layer_scores import LayerScores
from inspector.analysis.layout_layers import ModelLayout
from inspector.analysis.layout_map import Coverage, LayoutMap
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
    mixture, of the weights, or in a chimera, of the neurons.
    """

    expert: int
    layer: int
    z: float | None
    z_star: float | None
    log10_p: float
    log10_q: float
    share: float | None = None


class ExpertMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One target expert. `rows` of down_proj were read of it and of every reference.

    `sigma`, `retained` and `scale` are of the first parent, None where they were not estimated.
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


class LayerMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One layer: its layout, which references have descendants, how many experts which verdict."""

    layer: int
    layout: LayoutMap | None
    verdicts: dict[str, int]
    median_sigma: float | None = None
    coverage: Coverage | None = None


class CalibrationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the null held: z of targets against references of other layers.

    `quantiles` has that null and the z that were tested beside the normal distribution.
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


class SimilarityDocument(Document, frozen=True, kw_only=True):
    """`s1inspect expert-similarity --json`.

    `basis` is what norms, embedding rows and routers said of the hidden basis; null where nothing
    was asked, as of a model against itself. `rotation` is null where none was looked for.
    """

    ref: Model
    seed: int
    summary: str
    calibration: CalibrationFacts
    budget: ErrorBudget
    basis: BasisFacts | None = None
    layer_map: LayerMapFacts | None = None
    rotation: RotationFacts | None = None
    layers: list[LayerMatch]
    experts: list[ExpertMatch]
    layout: ModelLayout | None = None
    heat_map: LayerScores | None = None
    reproduce: str | None = None
