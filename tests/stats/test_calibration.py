import statistics

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from inspector.stats.calibration import (
    MIN_TESTS,
    Calibrated,
    calibrate,
    robust_sd,
    uniform_distance,
)

Float64 = npt.NDArray[np.float64]


def normal_blocks(count: int, size: int, *, sd: float = 1.0, seed: int = 0) -> list[Float64]:
    rng = np.random.default_rng(seed)
    return [sd * rng.standard_normal((size // 10, 10)) for _ in range(count)]


def judge(blocks: list[Float64], seed: int = 0) -> Calibrated:
    return calibrate(blocks, np.random.default_rng(seed)).status


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=60))
def test_ks_is_that_of_scipy(values: list[float]) -> None:
    z = np.array(values)
    expected = kstest(norm.sf(z), "uniform").statistic
    assert uniform_distance(z) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=60))
def test_the_robust_sd_is_around_zero(values: list[float]) -> None:
    z = np.array(values)
    assert robust_sd(z) == pytest.approx(1.4826 * statistics.median(abs(value) for value in values))


def test_every_figure_is_of_all_blocks() -> None:
    blocks = normal_blocks(12, 1000, sd=1.1)
    found = calibrate(blocks, np.random.default_rng(0))
    values = np.concatenate([block.ravel() for block in blocks])
    assert (found.tests, found.blocks) == (12_000, 12)
    assert found.sd == pytest.approx(values.std())
    assert found.inflation == pytest.approx(1.4826 * np.median(np.abs(values)))
    assert found.ks == pytest.approx(kstest(norm.sf(values / found.inflation), "uniform").statistic)


def test_inflation_never_helps() -> None:
    found = calibrate(normal_blocks(12, 1000, sd=0.5), np.random.default_rng(0))
    assert found.inflation == 1.0


@pytest.mark.parametrize("sd", [1.0, 1.05, 1.14])
def test_a_null_that_holds_is_ok(sd: float) -> None:
    assert judge(normal_blocks(40, 1000, sd=sd)) is Calibrated.OK


@pytest.mark.parametrize("sd", [1.2, 1.5, 4.0])
def test_an_inflated_null_is_uncalibrated(sd: float) -> None:
    assert judge(normal_blocks(40, 1000, sd=sd)) is Calibrated.UNCALIBRATED


def test_inflation_that_resampled_blocks_do_not_confirm_is_not_held_against_the_null() -> None:
    """One block of forty is wide enough to lift the whole; without it, nothing is wrong."""
    blocks = normal_blocks(3, 1000, sd=0.9)
    wide = [8.0 * np.random.default_rng(1).standard_normal((400, 10))]
    found = calibrate([*blocks, *wide], np.random.default_rng(0))
    assert found.inflation > 1.15
    assert found.ks is not None
    assert found.ks < 2 / len([*blocks, *wide]) ** 0.5
    assert found.status is Calibrated.OK


@pytest.mark.parametrize(("blocks", "status"), [(4, Calibrated.OK), (900, Calibrated.UNCALIBRATED)])
def test_the_ks_limit_counts_blocks_not_tests(blocks: int, status: Calibrated) -> None:
    """p-values .12 off from uniform: 2 / sqrt(4) allows it, 2 / sqrt(900) does not."""
    shifted = [block + 0.3 for block in normal_blocks(blocks, 600)]
    assert judge(shifted) is status


def test_few_tests_are_insufficient() -> None:
    assert judge(normal_blocks(4, MIN_TESTS // 4 - 10, sd=5.0)) is Calibrated.INSUFFICIENT
    assert judge(normal_blocks(4, MIN_TESTS // 4)) is Calibrated.OK


def test_no_tests_are_insufficient() -> None:
    found = calibrate([], np.random.default_rng(0))
    assert (found.status, found.tests, found.ks, found.inflation) == ("insufficient", 0, None, 1.0)


def test_a_seed_gives_the_same_answer() -> None:
    blocks = normal_blocks(20, 500, sd=1.16)
    answers = {judge(blocks, seed=7) for _ in range(3)}
    assert len(answers) == 1
    first, second = (calibrate(blocks, np.random.default_rng(3)) for _ in range(2))
    assert first == second
