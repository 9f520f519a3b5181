import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inspector.analysis.values import Rows, WeightValues, examine_weight
from inspector.catalog import TensorRow
from inspector.checkpoint import open_checkpoint
from inspector.decode.blocks import Factor
from inspector.decode.numeric import NUMPY_DTYPES, to_float32
from inspector.format.codings import PLAIN_CODINGS
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.weights import Weight
from tests.strategies_arrays import (
    CODES,
    FP8,
    SAMPLES,
    Array,
    Float32,
    float32,
    fp8_config,
    memory_checkpoint,
    random_codes,
)


@dataclass(slots=True)
class Piece:
    """Rows as a reader gives them."""

    codes: Array
    values: Float32
    first_row: int
    factors: Sequence[Factor] = ()

    def unrounded(self) -> Float32:
        return self.values


@dataclass(slots=True)
class Pieces:
    """A weight without scale, in memory, cut where it is told."""

    stored: Array
    cuts: list[int]

    @property
    def weight(self) -> Weight:
        shape = self.stored.shape
        dtype = CODES[self.stored.dtype]
        row = TensorRow("w", dtype, shape, self.stored.size, self.stored.nbytes, "s", 0, 0)
        return Weight("w", row, shape, coding=PLAIN_CODINGS.get(dtype))

    def iterate_rows(self, weight: Weight, start: int, stop: int) -> Iterator[Rows]:
        edges = sorted({start, stop, *(cut for cut in self.cuts if start < cut < stop)})
        for first, last in pairwise(edges):
            part = self.stored[first:last]
            yield Piece(part, to_float32(part, weight.tensor.dtype), first)


def examined(stored: Array, cuts: list[int] | None = None) -> WeightValues:
    reader = Pieces(stored, cuts or [])
    return examine_weight(reader.weight, reader, (0, len(stored)))


floats = st.floats(width=32, allow_infinity=False, min_value=-1e6, max_value=1e6)
matrices = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=floats
)


@settings(max_examples=150)
@given(matrices, st.lists(st.integers(0, 9), max_size=4), st.data())
def test_figures_are_those_of_numpy_in_any_pieces(
    values: Float32, cuts: list[int], data: st.DataObject
) -> None:
    for flat in data.draw(st.lists(st.integers(0, values.size - 1), max_size=4)):
        values.reshape(-1)[flat] = np.nan
    found = examined(values, cuts).statistics
    exact = values.astype(np.float64)
    exact = exact[~np.isnan(exact)]
    assert found.count == values.size
    assert found.nan_codes == values.size - exact.size
    assert found.zeros == np.count_nonzero(exact == 0)
    assert (found.saturated, found.blocks_zero) == (None, None)
    if not exact.size:
        figures = found.min, found.max, found.mean, found.std, found.absmax
        assert figures == (None,) * 5
        return
    assert (found.min, found.max, found.absmax) == (exact.min(), exact.max(), np.abs(exact).max())
    scale = float(np.abs(exact).max()) or 1.0
    assert found.mean == pytest.approx(exact.mean(), rel=1e-12, abs=1e-13 * scale)
    assert found.std == pytest.approx(exact.std(), rel=1e-9, abs=1e-12 * scale)


def test_a_small_spread_far_from_zero_is_kept() -> None:
    """Sums of squares would leave nothing of it: mean 1000, spread 1e-3, 200,000 values."""
    rng = np.random.default_rng(0)
    values = (1000 + 1e-3 * rng.standard_normal((400, 500))).astype(np.float32)
    found = examined(values, list(range(0, 400, 7))).statistics
    assert found.std == pytest.approx(values.astype(np.float64).std(), rel=1e-9)


def test_a_scalar_has_figures() -> None:
    checkpoint, _ = memory_checkpoint({"a": float32(-2.5).reshape(())})
    weight = checkpoint.weights.stored(checkpoint.catalog.row(0))
    found = examine_weight(weight, checkpoint.reader, (0, weight.rows)).statistics
    assert (found.count, found.min, found.mean, found.std, found.absmax) == (
        1,
        -2.5,
        -2.5,
        0.0,
        2.5,
    )


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)], ids=str)
def test_an_empty_tensor_has_no_figures(shape: tuple[int, ...]) -> None:
    found = examined(np.empty(shape, np.float32)).statistics
    assert (found.count, found.zeros, found.nan_codes) == (0, 0, 0)
    assert (found.min, found.max, found.mean, found.std, found.absmax) == (None,) * 5


@pytest.mark.parametrize("values", [[1, np.inf], [-np.inf, 2], [np.inf, -np.inf], [np.inf, np.nan]])
def test_infinities_are_shown_and_raise_no_warning(values: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = examined(np.array([values], np.float32)).statistics
    numbers = [value for value in values if not np.isnan(value)]
    assert (found.min, found.max) == (min(numbers), max(numbers))
    assert found.absmax == np.inf
    assert found.std is not None
    assert np.isnan(found.std)


@pytest.mark.parametrize("dtype", FP8, ids=str)
def test_codes_are_counted(dtype: Dtype) -> None:
    every = np.arange(256, dtype=np.uint8).view(NUMPY_DTYPES[dtype]).reshape(16, 16)
    found = examined(every, [3, 4]).statistics
    values = every.astype(np.float32)
    assert found.nan_codes == np.count_nonzero(np.isnan(values))
    assert found.saturated == 2
    assert found.zeros == np.count_nonzero(values == 0)


def quantized(scale: Float32, stored: Array) -> WeightValues:
    checkpoint, _ = memory_checkpoint(
        {"w.weight": stored, "w.weight_scale_inv": scale}, config=fp8_config((2, 2))
    )
    row = checkpoint.catalog.find("w.weight")
    assert row is not None
    weight = checkpoint.weights.stored(row)
    return examine_weight(weight, checkpoint.reader, (0, weight.rows))


def test_values_of_a_scale_that_is_nan_are_counted() -> None:
    """They left every figure uncounted: their codes are numbers, and only codes were looked at."""
    stored = np.ones((4, 4), ml_dtypes.float8_e4m3fn)
    found = quantized(float32([[math.nan, 2.0], [3.0, 4.0]]), stored).statistics
    assert found.nan_codes == 4
    assert (found.count, found.min, found.max, found.mean) == (16, 2.0, 4.0, 3.0)


def test_a_scale_of_zero_makes_zeros_and_no_zero_block() -> None:
    stored = np.ones((4, 4), ml_dtypes.float8_e4m3fn)
    stored[2:, 2:] = 0
    found = quantized(float32([[0, 2], [3, 4]]), stored).statistics
    assert (found.zeros, found.blocks_zero) == (8, 1)


def test_a_report_names_the_scale() -> None:
    found = quantized(np.ones((2, 2), np.float32), np.ones((4, 3), ml_dtypes.float8_e4m3fn))
    assert found.scale is not None
    assert (found.scale.name, found.scale.granularity, found.scale.block, found.scale.shape) == (
        "w.weight_scale_inv", "block", (2, 2), (2, 2),
    )  # fmt: skip
    assert (found.name, found.dtype, found.shape, found.rows) == (
        "w.weight",
        "F8_E4M3",
        (4, 3),
        (0, 4),
    )


@pytest.mark.parametrize("rows", [(0, 256), (0, 1), (100, 200), (255, 256), (128, 256)], ids=str)
def test_rows_of_a_real_weight_have_the_figures_of_their_values(rows: tuple[int, int]) -> None:
    with open_checkpoint(str(SAMPLES / "s1-pro-mini")) as checkpoint:
        weight = checkpoint.weights.expert(ExpertKey(1, 17, Projection.GATE))
        pieces: list[Float32] = []
        found = examine_weight(
            weight, checkpoint.reader, rows, lambda _, values: pieces.append(values)
        )
        whole = checkpoint.reader.read_values(weight, 0, 256)[rows[0] : rows[1]]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert found.statistics.std == pytest.approx(whole.astype(np.float64).std(), rel=1e-12)
    assert found.statistics.count == whole.size


def test_long_rows_are_cut_into_strips() -> None:
    stored = random_codes(np.random.default_rng(0), Dtype.F8_E4M3, (3, 70_000))
    found = examined(stored).statistics
    assert found.mean == pytest.approx(stored.astype(np.float64).mean(), rel=1e-12)
    assert found.std == pytest.approx(stored.astype(np.float64).std(), rel=1e-12)
