from collections.abc import Callable

import numpy as np
import pytest

from inspector.analysis.requantize import Verified
from inspector.analysis.values import Looks, examine_weight
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype
from tests.strategies_arrays import Array, Float32, float32, fp8_config, memory_checkpoint

LARGEST = {
    Dtype.F8_E4M3: 448.0, Dtype.F8_E5M2: 57344.0,
    Dtype.F8_E4M3FNUZ: 240.0, Dtype.F8_E5M2FNUZ: 57344.0,
}  # fmt: skip
BLOCK = (4, 8)


def exact(amax: Float32, largest: float) -> Float32:
    return float32(amax / largest)


def ceil_power(amax: Float32, largest: float) -> Float32:
    return float32(2.0 ** np.ceil(np.log2(amax.astype(np.float64) / largest)))


def floor_power(amax: Float32, largest: float) -> Float32:
    return float32(2.0 ** np.floor(np.log2(amax.astype(np.float64) / largest)))


def four_times(amax: Float32, largest: float) -> Float32:
    return 4 * ceil_power(amax, largest)


def quantize(
    rule: Callable[[Float32, float], Float32], dtype: Dtype, shape: tuple[int, int]
) -> tuple[Array, Float32]:
    """What a producer does, a block at a time."""
    weights = float32(np.random.default_rng(0).standard_normal(shape))
    grid = (-(-shape[0] // BLOCK[0]), -(-shape[1] // BLOCK[1]))
    scales = np.empty(grid, np.float32)
    codes = np.empty(shape, NUMPY_DTYPES[dtype])
    for row, column in np.ndindex(grid):
        here = (slice(row * BLOCK[0], (row + 1) * BLOCK[0]),
                slice(column * BLOCK[1], (column + 1) * BLOCK[1]))  # fmt: skip
        scales[row, column] = rule(np.abs(weights[here]).max(), LARGEST[dtype])
        scaled = np.clip(weights[here] / scales[row, column], -LARGEST[dtype], LARGEST[dtype])
        codes[here] = scaled.astype(codes.dtype)
    return codes, scales


def verified(codes: Array, scales: Float32, rows: tuple[int, int] | None = None) -> Verified | None:
    checkpoint, _ = memory_checkpoint(
        {"w.weight": codes, "w.weight_scale_inv": scales}, config=fp8_config(BLOCK)
    )
    (weight,) = checkpoint.weights.stored_weights(checkpoint.catalog.all_rows)
    rows = rows or (0, weight.rows)
    looks = Looks(verify=True)
    return examine_weight(weight, checkpoint.reader, rows, looks=looks).verified


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@pytest.mark.parametrize("shape", [(8, 16), (11, 29)], ids=str)
@pytest.mark.parametrize("rule", [exact, ceil_power])
def test_codes_of_either_rule_come_back(
    rule: Callable[[Float32, float], Float32], shape: tuple[int, int], dtype: Dtype
) -> None:
    codes, scales = quantize(rule, dtype, shape)
    found = verified(codes, scales)
    assert found is not None
    assert found.rule.endswith("power of two") == (rule is ceil_power)
    assert (found.equal, found.codes, found.fraction) == (codes.size, codes.size, 1.0)
    assert (found.equal_scales, found.blocks) == (scales.size, scales.size)


def test_a_scale_that_cut_values_off_looks_like_one_that_fits() -> None:
    codes, scales = quantize(floor_power, Dtype.F8_E4M3, (16, 32))
    found = verified(codes, scales)
    assert found is not None
    assert found.fraction == 1.0


def test_codes_of_a_scale_that_is_too_large_do_not_come_back() -> None:
    codes, scales = quantize(four_times, Dtype.F8_E4M3, (16, 32))
    found = verified(codes, scales)
    assert found is not None
    assert found.fraction is not None
    assert found.fraction < 1
    assert found.equal_scales < found.blocks


def test_one_changed_code_is_told_by_its_block() -> None:
    """The largest code of a block, halved: its scale is no longer amax / 448."""
    codes, scales = quantize(exact, Dtype.F8_E4M3, (8, 16))
    bits = codes.view(np.uint8)
    bits[0:4, 0:8][(bits[0:4, 0:8] & 0x7F) == 0x7E] = 0x76
    found = verified(codes, scales)
    assert found is not None
    assert (found.blocks, found.equal_scales) == (4, 3)
    assert codes.size - 32 <= found.equal < codes.size


def test_blocks_that_the_rows_cut_and_blocks_with_a_nan_are_left_out() -> None:
    codes, scales = quantize(exact, Dtype.F8_E4M3, (12, 16))
    cut = verified(codes, scales, (2, 11))
    assert cut is not None
    assert (cut.codes, cut.blocks, cut.equal) == (4 * 16, 2, 4 * 16)
    codes.view(np.uint8)[0, 0] = 0x7F
    holed = verified(codes, scales)
    assert holed is not None
    assert (holed.codes, holed.blocks, holed.equal) == (codes.size - 32, 5, codes.size - 32)


def test_a_block_of_zeros_comes_back_whatever_its_scale() -> None:
    codes, scales = quantize(exact, Dtype.F8_E4M3, (8, 16))
    codes[0:4, 0:8] = 0
    codes.view(np.uint8)[0, 0] = 0x80
    scales[0, 0] = 0
    found = verified(codes, scales)
    assert found is not None
    assert (found.fraction, found.equal_scales) == (1.0, 4)
