"""Figures of blocks against a loop over their values, for every coding."""

import ml_dtypes
import numpy as np
import pytest

from inspector.decode.block_codes import block_codes, code_range, magnitude_levels
from inspector.format.codings import E2M1, E2M3, INT8, PLAIN_CODINGS, Coding, Number
from tests.decode.quantized import pack

FLOATS = {
    Number.E4M3: ml_dtypes.float8_e4m3fn,
    Number.E5M2: ml_dtypes.float8_e5m2,
    Number.E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    Number.E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    Number.E2M3: ml_dtypes.float6_e2m3fn,
    Number.E3M2: ml_dtypes.float6_e3m2fn,
    Number.E2M1: ml_dtypes.float4_e2m1fn,
}
CODINGS = (
    *PLAIN_CODINGS.values(), E2M1, E2M3, Coding(Number.E3M2, 6), Coding(Number.OFFSET, 3),
    Coding(Number.OFFSET, 4), Coding(Number.OFFSET, 8),
)  # fmt: skip


def values_of(codes: np.ndarray, coding: Coding) -> np.ndarray:
    if coding.number in FLOATS:
        return np.asarray(codes.astype(np.uint8).view(FLOATS[coding.number]), dtype=np.float64)
    if coding == INT8:
        return np.asarray(codes.astype(np.uint8).view(np.int8), dtype=np.float64)
    return np.asarray(codes, dtype=np.float64) - (1 << (coding.bits - 1))


def drawn(coding: Coding, shape: tuple[int, int]) -> np.ndarray:
    """Codes, those at the ends and those that are no numbers more often than chance has them."""
    rng = np.random.default_rng(sum(shape) + coding.bits)
    every = np.arange(1 << coding.bits)
    values = values_of(every, coding)
    finite = values[np.isfinite(values)]
    last = np.flatnonzero(~np.isfinite(values) | (np.abs(values) >= 0.8 * finite.max()))
    return np.where(rng.random(shape) < 0.4, rng.choice(last, shape), rng.choice(every, shape))


@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: f"{one.number} {one.bits}")
@pytest.mark.parametrize("shape", [(1, 1), (4, 6), (5, 7)], ids=str)
@pytest.mark.parametrize("block", [(1, 7), (2, 3), (4, 4), (1, 2)], ids=str)
def test_the_figures_of_every_block_are_those_of_a_loop(
    coding: Coding, shape: tuple[int, int], block: tuple[int, int]
) -> None:
    codes = drawn(coding, shape)
    found = block_codes(pack(codes, coding.bits, 8), coding, shape[1], block)
    values, levels = values_of(codes, coding), magnitude_levels(coding)
    assert found.largest.shape == (-(-shape[0] // block[0]), -(-shape[1] // block[1]))
    for row, column in np.ndindex(*found.largest.shape):
        part = values[
            row * block[0] : (row + 1) * block[0], column * block[1] : (column + 1) * block[1]
        ].reshape(-1)
        sizes = [min(abs(one), levels[-1]) for one in part.tolist() if np.isfinite(one)]
        assert levels[found.largest[row, column]] == max(sizes, default=0)
        assert found.nan[row, column] == np.isnan(part).sum()
        assert found.infinite[row, column] == np.isinf(part).sum()
        assert found.top[row, column] == sizes.count(levels[-1])
        assert found.second[row, column] == sizes.count(levels[-2])
        assert found.ends[row, column] == (levels[-1] in sizes)


@pytest.mark.parametrize("coding", [INT8, Coding(Number.OFFSET, 4)], ids=["int8", "int4"])
def test_with_a_zero_point_the_two_ends_are_counted_apart(coding: Coding) -> None:
    codes = drawn(coding, (6, 10))
    found = block_codes(pack(codes, coding.bits, 8), coding, 10, (2, 5), two_ended=True)
    values, (lowest, highest) = values_of(codes, coding), code_range(coding)
    for row, column in np.ndindex(3, 2):
        part = values[2 * row : 2 * row + 2, 5 * column : 5 * column + 5].reshape(-1).tolist()
        assert found.top[row, column] == part.count(lowest) + part.count(highest)
        assert found.second[row, column] == part.count(lowest + 1) + part.count(highest - 1)
        assert found.ends[row, column] == (lowest in part) + (highest in part)


@pytest.mark.parametrize("coding", CODINGS, ids=lambda one: f"{one.number} {one.bits}")
def test_levels_ascend_to_the_largest_value(coding: Coding) -> None:
    levels = magnitude_levels(coding)
    assert list(levels) == sorted(set(levels))
    assert levels[-1] == code_range(coding)[1]
    assert (levels[0], len(levels) <= 128) == (0.0, True)
