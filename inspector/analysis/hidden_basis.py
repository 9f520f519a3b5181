"""Stage 0 of expert matching: do both models write in one hidden basis, and what do routers say?

Rows of `down_proj` of two experts can be compared only where row n is the same hidden dimension in
both. Norm gains, embedding rows and routers tell that from less than 100 MB, before an expert is
read. They do not tell that experts descend from experts.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import numpy as np

from inspector.analysis.compare.lineage import (
    ROUTERS,
    Basis,
    Evidence,
    Kin,
    corrected_log10_p,
    lineage_of,
)
from inspector.analysis.layer_pairing import LayerMapFacts
from inspector.analysis.layout_map import LayoutMap, find_layout
from inspector.decode.numeric import Float32
from inspector.stats.correction import log10_upper_tail
from inspector.stats.shared_basis import Float64, nearest_rows

STAGE_ZERO_BYTES: Final = 100_000_000
"""What stage 0 reads at most."""

_NEAR_LOG10_P: Final = -6.0
"""A router row has a parent where p of its nearest row, over all rows of the layer, is below."""


class ProposedLayout(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one layer's router propose: `rows` of them have a near row in the reference.

    `layout` is the rule that most of these follow, None where none is beyond chance.
    """

    layer: int
    rows: int
    layout: LayoutMap | None


class BasisFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the hidden basis is shared: the tests, effect first, and what they cost.

    `log10_p` is of the best kind of evidence, corrected for all layers and kinds; None where
    nothing was tested. `experts_aligned` says that experts were accepted by rows of `down_proj`,
    which is evidence of its own. `layouts` are proposals: routers are no experts.
    """

    basis: str
    log10_p: float | None
    evidence: list[Evidence]
    layouts: list[ProposedLayout]
    requests: int
    bytes: int
    says: str
    experts_aligned: bool = False

    @property
    def proposal(self) -> tuple[str, int] | None:
        """The rule that routers of most layers propose, and of how many."""
        maps = Counter(one.layout.map for one in self.layouts if one.layout)
        return maps.most_common(1)[0] if maps else None

    @property
    def is_missing(self) -> bool:
        """Whether it was looked for and not seen, in the experts neither."""
        return self.basis == Basis.NOT_SEEN and not self.experts_aligned


Gains = Mapping[int, tuple[Float32, Float32]]
"""By layer of the model: the gains before the MLP, of the model and of its layer in the reference;
a basis can be rotated only after they are multiplied into gate and up."""


@dataclass(frozen=True, slots=True)
class StageZero:
    """What was found before any expert was read."""

    basis: BasisFacts
    layer_map: LayerMapFacts
    gains: Gains = field(default_factory=dict)

    def after(self, *, aligned: bool) -> "StageZero":
        """The same, knowing whether experts were found aligned."""
        return replace(self, basis=msgspec.structs.replace(self.basis, experts_aligned=aligned))


@dataclass(frozen=True, slots=True)
class Experts:
    """How many experts a layer has on either side, and the routing groups of the model."""

    model: Mapping[int, int]
    ref: Mapping[int, int]
    groups: int | None


def basis_facts(
    values: Sequence[tuple[Kin, tuple[Float64, Float64]]], experts: Experts
) -> BasisFacts:
    """What norms, embedding rows and routers say; the reader knows what reading them took."""
    by_kind: dict[str, list[tuple[Float64, Float64]]] = {}
    for kin, sides in values:
        by_kind.setdefault(kin.kind, []).append(sides)
    found = lineage_of(by_kind)
    best = corrected_log10_p(found.evidence)
    return BasisFacts(
        basis=found.basis,
        log10_p=None if best is None else round(best, 3),
        evidence=found.evidence,
        layouts=[
            _proposed(kin.layer, sides, experts)
            for kin, sides in values
            if kin.kind == ROUTERS and kin.layer is not None and found.basis == Basis.SHARED
        ],
        requests=0,
        bytes=0,
        says=found.says,
    )


def untested(requests: int, size: int, *, same_model: bool) -> BasisFacts:
    """Before anything was read; a model shares its basis with itself."""
    return BasisFacts(
        basis=Basis.SHARED if same_model else Basis.UNTESTED,
        log10_p=None,
        evidence=[],
        layouts=[],
        requests=requests,
        bytes=size,
        says="it is the model itself" if same_model else "nothing was read",
    )


def _proposed(layer: int, sides: tuple[Float64, Float64], experts: Experts) -> ProposedLayout:
    """Which row of the reference's router each row is nearest to, and the rule in that."""
    ours, theirs = sides
    scores, nearest = nearest_rows(ours, theirs)
    log10_p = log10_upper_tail(scores) + np.log10(ours.shape[0] * theirs.shape[0])
    near = np.flatnonzero(log10_p <= _NEAR_LOG10_P)
    parents = {int(row): int(nearest[row]) for row in near}
    regular = (len(ours), len(theirs)) == (experts.model.get(layer), experts.ref.get(layer))
    layout = (
        find_layout(parents, len(ours), len(theirs), experts.groups)
        if parents and regular
        else None
    )
    return ProposedLayout(layer=layer, rows=len(near), layout=layout)
