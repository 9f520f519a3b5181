"""Figures of blocks against a loop over their values, for every coding."""

import ml_dtypes
import numpy as np
import pytest

from inspector.decode.block_codes import block_codes, code_range, magnitude_levels
from inspector.format.codings import (
    E2M1,
    E2M3,
    FP4,
    INT8,
    NF4,
    PLAIN_CODINGS,
    Coding,
    Number,
)
from tests.decode.quantized import pack
from tests.encoding import TABLES

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
    if coding.number is Number.UNSIGNED:
        return np.asarray(codes, dtype=np.float64)
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


@pytest.mark.parametrize("coding", [NF4, FP4], ids=["nf4", "fp4"])
@pytest.mark.parametrize(("shape", "block"), [((4, 6), 6), ((5, 7), 4), ((3, 5), 64)], ids=str)
def test_codes_of_a_table_count_from_the_end_of_their_sign(
    coding: Coding, shape: tuple[int, int], block: int
) -> None:
    """In blocks of one run of codes, over the ends of rows."""
    codes = np.random.default_rng(shape[1]).integers(0, 16, shape)
    found = block_codes(pack(codes, 4, 8), coding, shape[1], (1, block), is_run=True)
    values = np.array(TABLES[coding.number])
    levels = sorted(value for value in values if value > 0)
    below = sorted(-value for value in values if value < 0)
    run = codes.reshape(-1)
    for at in range(-(-run.size // block)):
        part = values[run[at * block : (at + 1) * block]].tolist()
        ranks = [0]
        ranks += [len(levels) - levels[::-1].index(one) for one in part if one > 0]
        ranks += [len(levels) - below[::-1].index(-one) for one in part if one < 0]
        assert found.largest[0, at] == max(ranks)
        assert found.top[0, at] == part.count(1) + part.count(-1)
        assert found.second[0, at] == part.count(levels[-2]) + part.count(-below[-2])
        assert found.ends[0, at] == (1 in part or -1 in part)
    assert found.largest.shape == (1, -(-run.size // block))
    assert magnitude_levels(coding) == (0, *(float(np.float32(value)) for value in levels))


@pytest.mark.parametrize(
    "coding",
    [INT8, Coding(Number.OFFSET, 4), Coding(Number.UNSIGNED, 4)],
    ids=["int8", "int4", "uint4"],
)
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
