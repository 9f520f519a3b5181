"""z* of every expert of one layer against every reference: what a heat map shows."""

import msgspec
import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class LayerScores(msgspec.Struct, frozen=True, kw_only=True):
    """`z_star[i][j]` is of `experts[i]` against `references[j]`, at the first look.

    All are of the same `rows` rows, so that they can be compared; an expert that this left open was
    looked at again, and its verdict may rest on more.
    """

    layer: int
    rows: int
    experts: list[int]
    references: list[int]
    z_star: list[list[float]]


def layer_scores(
    layer: int, rows: int, experts: Ints, references: Ints, star: Float64
) -> LayerScores:
    """The scores of a layer, rounded to .1: 512 x 128 are 0.3 MB of JSON."""
    return LayerScores(
        layer=layer,
        rows=rows,
        experts=experts.tolist(),
        references=references.tolist(),
        z_star=np.round(star, 1).tolist(),
    )
