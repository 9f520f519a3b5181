from dataclasses import dataclass

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.decode.counts import ZeroBlocks, code_magnitudes, saturated_codes
from inspector.decode.fp8 import decode_block_scaled
from inspector.decode.numeric import NUMPY_DTYPES, to_float32
from inspector.errors import DecodeError
from inspector.format.codings import PLAIN_CODINGS
from inspector.format.dtypes import Dtype
from tests.strategies_arrays import FP8, Array, Float32, codes, float32, random_codes

pytestmark = pytest.mark.usefixtures("way")

LARGEST = {
    Dtype.F8_E4M3: 448.0,
    Dtype.F8_E5M2: 57344.0,
    Dtype.F8_E4M3FNUZ: 240.0,
    Dtype.F8_E5M2FNUZ: 57344.0,
}
QUANTIZED = (*FP8, Dtype.I8)


@dataclass(frozen=True, slots=True)
class Case:
    """Some rows of a quantized weight, from `first_row` on, and the scales of all of it."""

    stored: Array
    dtype: Dtype
    scale: Float32
    block: tuple[int, int]
    first_row: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Ragged shapes, small blocks, every scale dtype, any offset, any layout in memory."""
    dtype = draw(st.sampled_from(QUANTIZED))
    rows, columns = draw(st.integers(0, 9)), draw(st.integers(1, 9))
    block = (draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    first_row = draw(st.integers(0, 13))
    if draw(st.booleans()):
        stored = draw(codes(dtype, (rows, columns)))
    elif draw(st.booleans()):
        stored = draw(codes(dtype, (columns, rows))).T
    else:
        stored = draw(codes(dtype, (2 * rows, columns + 3)))[::2, 2 : columns + 2]
    grid = (-(-(first_row + rows) // block[0]) + draw(st.integers(0, 2)), -(-columns // block[1]))
    return Case(stored, dtype, draw(scales(grid)), block, first_row)


@st.composite
def scales(draw: st.DrawFn, shape: tuple[int, int]) -> Float32:
    """Scales as F32, BF16 or E8M0 store them: NaN (E8M0 0xFF) and 2^-127 too."""
    size = shape[0] * shape[1]
    dtype = draw(st.sampled_from([Dtype.F32, Dtype.BF16, Dtype.F8_E8M0]))
    if dtype is Dtype.F8_E8M0:
        values = draw(
            st.lists(st.sampled_from([0, 1, 0x7F, 0xFE, 0xFF]), min_size=size, max_size=size)
        )
        stored: Array = np.array(values, np.uint8).view(NUMPY_DTYPES[dtype])
    else:
        floats = st.sampled_from([0.0, -0.0, 2.0**-127, 1.0, 0.1, -3.5, 1e30, np.inf, np.nan])
        stored = np.array(draw(st.lists(floats, min_size=size, max_size=size)), np.float32).astype(
            NUMPY_DTYPES[dtype]
        )
    return to_float32(stored.reshape(shape), dtype)


def naive_decode(case: Case) -> Float32:
    """One product at a time."""
    values = case.stored.astype(np.float32)
    result = np.empty_like(values)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            scale = case.scale[(case.first_row + row) // case.block[0], column // case.block[1]]
            result[row, column] = values[row, column] * scale
    return result


@given(cases())
def test_block_decode_is_a_triple_loop(case: Case) -> None:
    with np.errstate(all="ignore"):
        found = decode_block_scaled(
            case.stored, case.dtype, case.scale, case.block, first_row=case.first_row
        )
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, naive_decode(case), strict=True)


@pytest.mark.parametrize(
    "shape", [(192, 256), (576, 512), (1000, 300), (1, 1), (128, 127)], ids=str
)
@pytest.mark.parametrize("dtype", FP8, ids=str)
def test_real_block_sizes_equal_repeated_scales(dtype: Dtype, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    stored = random_codes(rng, dtype, shape)
    grid = (-(-shape[0] // 128), -(-shape[1] // 128))
    scale = rng.lognormal(size=grid).astype(np.float32)
    repeated = scale.repeat(128, axis=0).repeat(128, axis=1)[: shape[0], : shape[1]]
    found = decode_block_scaled(stored, dtype, scale, (128, 128))
    np.testing.assert_array_equal(found, stored.astype(np.float32) * repeated)


@given(cases(), st.data())
def test_some_rows_decode_as_they_do_in_the_whole(case: Case, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(case.stored)))
    stop = data.draw(st.integers(start, len(case.stored)))
    with np.errstate(all="ignore"):
        whole = decode_block_scaled(
            case.stored, case.dtype, case.scale, case.block, first_row=case.first_row
        )
        part = decode_block_scaled(
            case.stored[start:stop], case.dtype, case.scale, case.block,
            first_row=case.first_row + start,
        )  # fmt: skip
    np.testing.assert_array_equal(part, whole[start:stop])


def test_scales_multiply() -> None:
    """The name `weight_scale_inv` says the opposite."""
    one = np.array([[0x38]], np.uint8).view(ml_dtypes.float8_e4m3fn)
    assert decode_block_scaled(one, Dtype.F8_E4M3, float32([[4.0]]), (1, 1)) == 4.0


@pytest.mark.parametrize(("code", "scale"), [(0x7E, 1e38), (0x00, np.inf)], ids=["inf", "NaN"])
def test_products_that_are_no_numbers_are_values_and_no_warnings(code: int, scale: float) -> None:
    """numpy's warnings of an overflow, or of 0 times infinity, came between what a command says."""
    stored = np.array([[code]], np.uint8).view(ml_dtypes.float8_e4m3fn)
    found = decode_block_scaled(stored, Dtype.F8_E4M3, float32([[scale]]), (1, 1))
    assert np.isinf(found) if code else np.isnan(found)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [((1, 3), r"\[2, 3\], got \[1, 3\]"), ((2, 2), r"\[2, 3\], got \[2, 2\]"),
     ((2, 4), r"\[2, 3\], got \[2, 4\]"), ((6,), r"\[2, 3\], got \[6\]")],
    ids=str,
)  # fmt: skip
def test_a_grid_that_does_not_tile_is_refused_with_both_shapes(
    grid: tuple[int, ...], expected: str
) -> None:
    stored = random_codes(np.random.default_rng(0), Dtype.F8_E4M3, (5, 9))
    with pytest.raises(DecodeError, match=rf"\[5, 9\] from row 3 in \[4, 4\] blocks .* {expected}"):
        decode_block_scaled(stored, Dtype.F8_E4M3, np.ones(grid, np.float32), (4, 4), first_row=3)


@pytest.mark.parametrize("dtype", FP8, ids=str)
def test_saturated_codes_are_those_at_the_largest_finite_value(dtype: Dtype) -> None:
    every = np.arange(256, dtype=np.uint8).view(NUMPY_DTYPES[dtype])
    values = every.astype(np.float32)
    assert float(np.abs(values[np.isfinite(values)]).max()) == LARGEST[dtype]
    for code, value in zip(every, values, strict=True):
        assert saturated_codes(code[None, None], PLAIN_CODINGS[dtype], 1) == (
            abs(value) == LARGEST[dtype]
        )
    assert saturated_codes(every.reshape(16, 16), PLAIN_CODINGS[dtype], 16) == 2


def blocks_of_zeros(
    stored: Array, dtype: Dtype, block: tuple[int, int], *, first_row: int = 0
) -> int:
    magnitudes = code_magnitudes(stored, PLAIN_CODINGS[dtype], stored.shape[1])
    counts = set()
    for cut in range(len(stored) + 1):
        blocks = ZeroBlocks(block)
        blocks.add(magnitudes[:cut], first_row)
        blocks.add(magnitudes[cut:], first_row + cut)
        counts.add(blocks.count())
    (count,) = counts
    return count


@given(cases())
def test_a_zero_block_holds_zeros_of_either_sign_only(case: Case) -> None:
    values = case.stored.astype(np.float32)
    count = 0
    first_block = case.first_row // case.block[0]
    last_block = -(-(case.first_row + len(values)) // case.block[0])
    for block_row in range(first_block, last_block):
        start = max(0, block_row * case.block[0] - case.first_row)
        stop = min(len(values), (block_row + 1) * case.block[0] - case.first_row)
        for left in range(0, values.shape[1], case.block[1]):
            count += not np.any(values[start:stop, left : left + case.block[1]])
    found = blocks_of_zeros(case.stored, case.dtype, case.block, first_row=case.first_row)
    assert found == (count if values.size else 0)


def test_the_smallest_integer_is_no_zero() -> None:
    """-128 is 0x80, which is minus zero in an FP8 format."""
    assert blocks_of_zeros(np.array([[-128, 0]], np.int8), Dtype.I8, (1, 1)) == 1
    zeros = np.array([[0x80, 0]], np.uint8)
    assert blocks_of_zeros(zeros, Dtype.F8_E4M3, (1, 1)) == 2


@pytest.mark.parametrize("dtype", [Dtype.F8_E4M3FNUZ, Dtype.F8_E5M2FNUZ], ids=str)
def test_the_nan_of_fnuz_formats_is_no_zero(dtype: Dtype) -> None:
    """A block of NaN codes was counted as zeros: 0x80 is minus zero elsewhere, NaN here."""
    block = np.array([[0x80]], np.uint8).view(NUMPY_DTYPES[dtype])
    assert blocks_of_zeros(block, dtype, (1, 1)) == 0
