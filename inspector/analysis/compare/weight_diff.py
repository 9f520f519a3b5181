"""Two weights compared by their decoded numbers, whatever each is stored as. Pure: rows come in.

The same weights in BF16 and in FP8 differ by rounding alone: relative 0.0264 in L2 for numbers with
a normal distribution. Each number is held against the rounding it can have had, so that a change of
a hundredth, which hides below that noise, is seen all the same.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from inspector.analysis.compare.device_sums import add_part_on
from inspector.analysis.compare.part_sums import PairSums, PartRows, add_part
from inspector.analysis.compare.samples import Pair, Sample
from inspector.analysis.values import WeightReader
from inspector.decode.device import Device


class Equal(StrEnum):
    """How far two weights are the same, the strongest that holds."""

    BYTES = "bytes"
    VALUES = "values"
    QUANTIZATION = "quantization"
    NO = "no"


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with its 95 % interval; all three are equal where every row was read."""

    estimate: float
    low: float
    high: float


class WeightRow(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of weights. `cosine` is between them, `relative_change` |model - ref| / |ref| in L2.

    `noise` is the most that rounding alone makes of it, some hundredths too high, for numbers just
    above a power of two are closer to their neighbour; None where it is not known.
    `largest_change` is of the rows read. `equal` is bytes, values, quantization or no. `columns`
    are those compared, null for all.
    """

    name: str
    component: str
    layer: int | None
    cosine: float | None
    relative_change: float | None
    equal: str
    cosine_interval: Interval | None
    relative_change_interval: Interval | None
    noise: float | None
    largest_change: float
    rows: int
    rows_of: int
    columns: tuple[int, int] | None = None


def compare_pair(
    sample: Sample, readers: tuple[WeightReader, WeightReader], device: Device | None = None
) -> WeightRow:
    """One pair compared from what a sample says, by a device if there is one.

    On a device sums are added in another order: they differ by no more than rounding in float64
    does, 1e-12 of the figures made of them. All else is the same.
    """
    pair, sums = sample.pair, PairSums()
    for start, stop in sample.parts:
        ours, theirs = (
            PartRows(weight, list(reader.iterate_rows(weight, start, stop)), sample.columns)
            for reader, weight in zip(readers, sample.weights(), strict=True)
        )
        if device is None:
            add_part(sums, ours, theirs)
        else:
            add_part_on(device, sums, ours, theirs)
    rows = sum(stop - start for start, stop in sample.parts)
    whole = rows == pair.rows and sample.columns is None
    cosine, change = _cosine(sums, whole=whole), _change(sums, whole=whole)
    norm = sum(sums.ref_squares)
    noise = math.sqrt(sums.rounding / norm) if norm else None
    return WeightRow(
        name=pair.name,
        component=pair.component,
        layer=pair.layer,
        cosine=cosine.estimate if cosine else None,
        relative_change=change.estimate if change else None,
        equal=_equality(pair, sums),
        cosine_interval=cosine,
        relative_change_interval=change,
        noise=noise if noise is not None and math.isfinite(noise) else None,
        largest_change=sums.largest,
        rows=rows,
        rows_of=pair.rows,
        columns=sample.columns,
    )


def _equality(pair: Pair, sums: PairSums) -> Equal:
    if sums.same_values:
        return Equal.BYTES if sums.same_codes else Equal.VALUES
    return Equal.QUANTIZATION if sums.within_rounding and _is_rounded(pair) else Equal.NO


def _is_rounded(pair: Pair) -> bool:
    """Whether the two can differ by rounding at all: they are stored differently, or scaled."""
    dtypes = {pair.model.tensor.dtype, pair.ref.tensor.dtype}
    return len(dtypes) == 2 or pair.model.scale is not None


def _cosine(sums: PairSums, *, whole: bool) -> Interval | None:
    """Cosine of all rows read; the interval takes parts as drawn from the weight's."""
    product, left, right = (
        np.array(one) for one in (sums.products, sums.squares, sums.ref_squares)
    )
    norm = math.sqrt(left.sum() * right.sum())
    if not norm:
        return None
    estimate = float(product.sum() / norm)
    slopes = product / norm - estimate / 2 * (left / left.sum() + right / right.sum())
    return _interval(estimate, slopes, whole=whole, low=-1, high=1)


def _change(sums: PairSums, *, whole: bool) -> Interval | None:
    """|model - ref| / |ref| in L2 over all rows read."""
    difference, norm = np.array(sums.differences), np.array(sums.ref_squares)
    if not norm.sum():
        return None
    square = float(difference.sum() / norm.sum())
    estimate = math.sqrt(square)
    if not estimate:
        return Interval(estimate=0.0, low=0.0, high=0.0)
    slopes = (difference - square * norm) / norm.sum() / (2 * estimate)
    return _interval(estimate, slopes, whole=whole, low=0, high=math.inf)


def _interval(
    estimate: float, slopes: npt.NDArray[np.float64], *, whole: bool, low: float, high: float
) -> Interval:
    """The interval of a smooth function of sums over parts, by its derivatives (delta method).

    Rows side by side may be alike, so that a part counts as one observation, and the few there are
    widen the interval by Student's t.
    """
    count = len(slopes)
    if whole:
        return Interval(estimate=estimate, low=estimate, high=estimate)
    if count < 2:
        return Interval(estimate=estimate, low=low, high=high)
    deviation = math.sqrt(float((slopes * slopes).sum()) * count / (count - 1))
    spread = float(stdtrit(count - 1, 0.975)) * deviation
    return Interval(
        estimate=estimate, low=max(low, estimate - spread), high=min(high, estimate + spread)
    )


class WeightSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The pairs of one component or layer: how many are equal in which way, and how far others are.

    Medians and the largest are of relative change and cosine over the pairs.
    """

    group: str
    pairs: int
    equal: dict[str, int]
    median_cosine: float | None
    median_relative_change: float | None
    largest_relative_change: float | None


def summaries(rows: Sequence[WeightRow], *, by_layer: bool) -> list[WeightSummary]:
    """The pairs by component, or by layer."""
    groups: dict[str, list[WeightRow]] = {}
    for row in rows:
        layer = "(no layer)" if row.layer is None else f"layer {row.layer}"
        groups.setdefault(layer if by_layer else row.component, []).append(row)
    return [_summary(group, found) for group, found in groups.items()]


def _summary(group: str, rows: Sequence[WeightRow]) -> WeightSummary:
    changes = [row.relative_change for row in rows if row.relative_change is not None]
    cosines = [row.cosine for row in rows if row.cosine is not None]
    return WeightSummary(
        group=group,
        pairs=len(rows),
        equal={
            str(kind): count for kind in Equal if (count := sum(row.equal == kind for row in rows))
        },
        median_cosine=float(np.median(cosines)) if cosines else None,
        median_relative_change=float(np.median(changes)) if changes else None,
        largest_relative_change=max(changes, default=None),
    )
