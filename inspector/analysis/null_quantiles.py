"""The null and what was tested, as quantiles beside those of the normal distribution: a QQ plot."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Float64 = npt.NDArray[np.float64]

MOST_POINTS: Final = 101
"""Odd, so that the median is one of them."""

_FEWEST_TESTS: Final = 2


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles at the same probabilities: `expected` of the normal, `null` and `observed` of z.

    Both are z after division by the inflation. `null` pairs targets with references of other
    layers, and is empty where there are none; `observed` with those of their own. Both are of the
    first look, at `rows` rows, before any contrast.
    """

    rows: int
    null_tests: int
    observed_tests: int
    expected: list[float]
    null: list[float]
    observed: list[float]


def quantiles_of(
    null: Sequence[Float64], observed: Sequence[Float64], *, inflation: float, rows: int
) -> Quantiles | None:
    """At most `MOST_POINTS` quantiles, evenly spaced in z, out to the ends of the smaller sample.

    A z of exactly 0 is no test: of an expert that is all zero, or that met itself.

    Args:
        null: blocks of z of pairs that cannot be related.
        observed: blocks of z of the pairs that were tested.
        inflation: what every z is divided by.
        rows: rows of the look.
    """
    sides = [_tests(blocks) for blocks in (null, observed)]
    if len(sides[1]) < _FEWEST_TESTS:
        return None
    fewest = min(len(side) for side in sides if len(side))
    furthest = -float(ndtri(0.5 / fewest))
    expected = np.linspace(-furthest, furthest, min(MOST_POINTS, fewest | 1))
    chances = np.clip(ndtr(expected), 0.5 / fewest, 1 - 0.5 / fewest)
    found = [
        np.quantile(side, chances, method="hazen", overwrite_input=True) / inflation
        if len(side)
        else side
        for side in sides
    ]
    return Quantiles(
        rows=rows,
        null_tests=len(sides[0]),
        observed_tests=len(sides[1]),
        expected=_rounded(expected),
        null=_rounded(found[0]),
        observed=_rounded(found[1]),
    )


def _tests(blocks: Sequence[Float64]) -> Float64:
    """Every z but zeros. Block after block: of 6 million z one copy at a time is enough."""
    counts = [int(np.count_nonzero(block)) for block in blocks]
    found = np.empty(sum(counts))
    start = 0
    for block, count in zip(blocks, counts, strict=True):
        found[start : start + count] = block[block != 0]
        start += count
    return found


def _rounded(values: Float64) -> list[float]:
    return [float(value) for value in values.round(3)]
