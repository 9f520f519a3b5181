"""The policy is told from simulated blocks: as often as it should be, and never the wrong one."""

import numpy as np
import pytest

from inspector.decode.block_codes import e4m3_block_codes
from inspector.stats.rounding import CODES, Rounding, rounding_of
from inspector.stats.saturation import is_clipped
from tests.quantized import BLOCK, normal, quantize

POLICIES = {
    "amax/448": Rounding.EXACT,
    "ceil": Rounding.CEIL,
    "floor": Rounding.FLOOR,
    "round": Rounding.NEAREST,
}


def largest_of(rounding: str, tiles: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rng = np.random.default_rng(seed)
    weight = normal(rng, BLOCK, tiles * BLOCK).astype(np.float64)
    found = e4m3_block_codes(quantize(weight, rounding)[0], (BLOCK, BLOCK))
    return np.bincount(found.largest.reshape(-1), minlength=CODES)


@pytest.mark.parametrize("rounding", POLICIES)
def test_the_policy_of_hundreds_of_blocks_is_named(rounding: str) -> None:
    largest = largest_of(rounding, 300, seed=3)
    assert rounding_of(largest, powers_of_two=rounding != "amax/448") is POLICIES[rounding]


@pytest.mark.parametrize("rounding", [name for name in POLICIES if name != "amax/448"])
def test_few_blocks_are_undecided_rather_than_wrong(rounding: str) -> None:
    for seed in range(20):
        found = rounding_of(largest_of(rounding, 8, seed), powers_of_two=True)
        assert found in (POLICIES[rounding], Rounding.UNDECIDED)


def test_scales_larger_than_needed_are_of_no_policy() -> None:
    largest = np.zeros(CODES, dtype=np.int64)
    largest[0x6E:0x77] = 50
    assert rounding_of(largest, powers_of_two=True) is Rounding.OTHER
    assert rounding_of(largest, powers_of_two=False) is Rounding.OTHER


def test_a_few_dead_blocks_do_not_hide_the_policy() -> None:
    largest = largest_of("ceil", 300, seed=4)
    largest[3] += 5
    assert rounding_of(largest, powers_of_two=True) is Rounding.CEIL


def test_no_blocks_are_undecided() -> None:
    assert rounding_of(np.zeros(CODES, np.int64), powers_of_two=True) is Rounding.UNDECIDED


@pytest.mark.parametrize("rounding", ["amax/448", "ceil"])
def test_codes_are_not_called_clipped_where_none_were(rounding: str) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        weight = normal(rng, BLOCK, 8 * BLOCK).astype(np.float64)
        found = e4m3_block_codes(quantize(weight, rounding)[0], (BLOCK, BLOCK))
        beyond = int(found.top.sum() - np.count_nonzero(found.largest == 0x7E))
        assert not is_clipped(beyond, int(found.second.sum()))


def test_one_side_alone_is_judged() -> None:
    assert not is_clipped(0, 0)
    assert not is_clipped(0, 1000)
    assert not is_clipped(10, 0)
    assert is_clipped(40, 0)
