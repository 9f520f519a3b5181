"""What expert matching says: the closed vocabulary and the document."""

from enum import StrEnum

import msgspec

from inspector.analysis.layout_map import LayoutMap
from inspector.analysis.report import Document, Model


class Verdict(StrEnum):
    """What is known of one expert. Never "independent": no evidence is not evidence of none."""

    DESCENDANT = "descendant"
    AMBIGUOUS_PARENT = "ambiguous_parent"
    NO_EVIDENCE = "no_evidence"
    INCONCLUSIVE = "inconclusive"
    DEGENERATE = "degenerate"
    UNCALIBRATED = "uncalibrated"


class Flag(StrEnum):
    """What qualifies a verdict."""

    BUDGET = "budget"
    FEW_REFERENCES = "few_references"


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its interval."""

    estimate: float
    low: float
    high: float


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted reference. `z_star` is min(z, contrast), the statistic that was tested."""

    expert: int
    layer: int
    z: float
    z_star: float
    log10_p: float


class ExpertMatch(msgspec.Struct, frozen=True, kw_only=True):
    """One target expert. `rows` of down_proj were read of it and of every reference.

    `sigma`, `retained` and `scale` are None where they were not estimated.
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
    """One layer: its layout, and how many experts have which verdict."""

    layer: int
    layout: LayoutMap | None
    verdicts: dict[str, int]
    median_sigma: float | None = None


class CalibrationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the null held: z of targets against references of other layers."""

    null: str
    status: str
    tests: int
    ks: float | None
    sd: float | None
    inflation: float


class Excluded(msgspec.Struct, frozen=True, kw_only=True):
    """A relation that `no_evidence` rules out at power .95, from this value on."""

    relation: str
    at_least: float


class ErrorBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The family of hypotheses, the error rate spent on it, and what no evidence excludes."""

    hypotheses: int
    alpha: float
    excluded: list[Excluded]


class SimilarityDocument(Document, frozen=True, kw_only=True):
    """`s1inspect expert-similarity --json`."""

    ref: Model
    seed: int
    summary: str
    calibration: CalibrationFacts
    budget: ErrorBudget
    layers: list[LayerMatch]
    experts: list[ExpertMatch]
