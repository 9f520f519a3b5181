"""z* of every expert of one layer against every reference: what a heat map shows."""

import msgspec


class LayerScores(msgspec.Struct, frozen=True, kw_only=True):
    """`z_star[i][j]` is of `experts[i]` against `references[j]`, at the first look.

    All are of the same `rows` rows, so that they can be compared; an expert that this left open was
    looked at again, and its verdict may rest on more. Where there are several reference models,
    `refs[j]` is the one that reference j is of.
    """

    layer: int
    rows: int
    experts: list[int]
    references: list[int]
    refs: list[str] | msgspec.UnsetType = msgspec.UNSET
    z_star: list[list[float]]
