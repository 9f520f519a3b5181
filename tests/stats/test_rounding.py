"""The policy is told from simulated blocks: as often as it should be, and never the wrong one."""

import numpy as np
import pytest

from inspector.decode.block_codes import block_codes, magnitude_levels
from inspector.format.codings import E2M1, Coding, Number
from inspector.stats.rounding import Rounding, least_minimal, policies_of, rounding_of
from tests.quantized import BLOCK, normal, quantize

POLICIES = {
    "amax/448": Rounding.EXACT,
    "ceil": Rounding.CEIL,
    "floor": Rounding.FLOOR,
    "round": Rounding.NEAREST,
}
E4M3 = Coding(Number.E4M3, 8)
LEVELS = magnitude_levels(E4M3)

Counts = np.ndarray[tuple[int], np.dtype[np.int64]]


def largest_of(rounding: str, tiles: int, seed: int) -> Counts:
    rng = np.random.default_rng(seed)
    weight = normal(rng, BLOCK, tiles * BLOCK).astype(np.float64)
    codes = quantize(weight, rounding)[0]
    found = block_codes(codes, E4M3, codes.shape[1], (BLOCK, BLOCK))
    return np.bincount(found.largest.reshape(-1), minlength=128)


def simulated(rounding: str, centre: float, spread: float, count: int, seed: int) -> Counts:
    """Blocks whose largest magnitudes are alike: log2 of them is normal."""
    rng = np.random.default_rng(seed)
    largest = 2.0 ** rng.normal(centre, spread, count)
    exact = np.log2(largest / 448)
    power = {
        "ceil": np.ceil(exact),
        "round": np.round(exact),
        "floor": np.floor(np.log2(largest)) - 8,
    }
    ratio = np.minimum(largest / 2.0 ** power[rounding], 448)
    edges = (np.array(LEVELS[1:]) + np.array(LEVELS[:-1])) / 2
    return np.bincount(np.searchsorted(edges, ratio, side="right"), minlength=128)


@pytest.mark.parametrize("rounding", POLICIES)
def test_the_policy_of_hundreds_of_blocks_is_named(rounding: str) -> None:
    largest = largest_of(rounding, 200, seed=3)
    is_power = rounding != "amax/448"
    assert rounding_of([largest], LEVELS, powers_of_two=is_power) is POLICIES[rounding]


@pytest.mark.parametrize("rounding", [name for name in POLICIES if name != "amax/448"])
def test_few_blocks_are_undecided_rather_than_wrong(rounding: str) -> None:
    for seed in range(20):
        found = rounding_of([largest_of(rounding, 4, seed)], LEVELS, powers_of_two=True)
        assert found in (POLICIES[rounding], Rounding.UNDECIDED)


@pytest.mark.parametrize("rounding", ["ceil", "floor", "round"])
@pytest.mark.parametrize("spread", [0.01, 0.1, 0.3])
def test_blocks_that_are_all_alike_never_name_a_wrong_policy(rounding: str, spread: float) -> None:
    """An even spread alone called a checkpoint `floor` whose blocks all happen to end at 448."""
    rng = np.random.default_rng(1)
    for seed in range(40):
        histograms = [
            simulated(rounding, centre, spread, 100, seed)
            for centre in rng.uniform(0, 1, 1 + seed % 3)
        ]
        assert POLICIES[rounding] in policies_of(histograms, LEVELS, powers_of_two=True)


def test_scales_larger_than_needed_are_of_no_policy() -> None:
    largest = np.zeros(128, dtype=np.int64)
    largest[0x6E:0x77] = 50
    assert rounding_of([largest], LEVELS, powers_of_two=True) is Rounding.OTHER
    assert rounding_of([largest], LEVELS, powers_of_two=False) is Rounding.OTHER


def test_a_few_dead_blocks_do_not_hide_the_policy() -> None:
    largest = largest_of("ceil", 200, seed=4)
    largest[3] += 4
    assert rounding_of([largest], LEVELS, powers_of_two=True) is Rounding.CEIL


def test_no_blocks_are_undecided() -> None:
    for powers_of_two in (True, False):
        assert rounding_of([], LEVELS, powers_of_two=powers_of_two) is Rounding.UNDECIDED


def test_the_least_code_of_a_minimal_scale() -> None:
    assert least_minimal(LEVELS) == 0x77
    assert least_minimal(magnitude_levels(E2M1)) == 6
