"""The table of pairs of experts that were read whole."""

from collections.abc import Sequence
from typing import Final

import msgspec

from inspector.analysis.expert_report import ExpertPair, MatrixPair, NeuronAgreement
from inspector.render.tables import Column, Table

_PAIR: Final = (Column("layer", right=True), Column("expert", right=True))

_FOUND: Final = (
    Column("kept", right=True, show=lambda value: f"{value:.3f}"),
    Column("slope", right=True, show=lambda value: f"{value:.3f}"),
    Column("residual", right=True, show=lambda value: f"{value:.3f}"),
    Column("down", right=True, show=lambda value: f"{value:.2f}"),
    Column("gate", right=True, show=lambda value: f"{value:.2f}"),
    Column("up", right=True, show=lambda value: f"{value:.2f}"),
    Column("codes", right=True, show=lambda value: f"{value:.4f}"),
    Column("common"),
)


def pair_table(pairs: Sequence[ExpertPair]) -> Table:
    """A line for each pair; what the least alike of its matrices have in common at the end."""
    rows = [
        (
            pair.layer,
            pair.expert,
            pair.reference if pair.ref is msgspec.UNSET else f"{pair.ref}:{pair.reference}",
            pair.retained.estimate,
            pair.slope.estimate if pair.slope else None,
            pair.residual,
            *(one.retained.estimate for one in pair.matrices),
            _equal(pair.matrices),
            _in_common(pair.agreement, len(pair.places)),
        )
        for pair in pairs
    ]
    are_named = any(pair.ref is not msgspec.UNSET for pair in pairs)
    columns = [*_PAIR, Column("ref", right=not are_named), *_FOUND]
    return Table(columns, rows, title="pairs read whole")


def _equal(matrices: Sequence[MatrixPair]) -> float | None:
    """The least share of equal codes, where all three matrices have one."""
    shares = [one.equal_codes for one in matrices if one.equal_codes is not None]
    return min(shares) if len(shares) == len(matrices) else None


def _in_common(agreement: Sequence[NeuronAgreement], neurons: int) -> str | None:
    """Of the two matrices that agree least; nothing where they retained all or nothing."""
    telling = [one for one in agreement if 0 < one.most < neurons]
    if not telling:
        return None
    least = min(telling, key=lambda one: (one.observed - one.expected) / one.most)
    return f"{least.observed}/{least.most}"
