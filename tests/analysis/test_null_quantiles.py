import tracemalloc

import numpy as np
import pytest
from scipy.stats import norm

from inspector.analysis.null_quantiles import MOST_POINTS, quantiles_of


def test_quantiles_are_those_of_the_sorted_z_at_the_probabilities_of_the_normal() -> None:
    rng = np.random.default_rng(0)
    null = [rng.normal(size=(20, 30)) for _ in range(10)]
    found = quantiles_of(null, [rng.normal(2, 1, (40, 50))], inflation=2.0, rows=8)
    assert found is not None
    assert (found.rows, found.null_tests, found.observed_tests) == (8, 6000, 2000)
    values = np.sort(np.concatenate([block.ravel() for block in null])) / 2.0
    midpoints = (np.arange(6000) + 0.5) / 6000
    expected = np.interp(norm.cdf(found.expected), midpoints, values)
    assert found.null == pytest.approx(expected, abs=1.5e-3)
    assert found.expected[-1] == pytest.approx(norm.isf(0.5 / 2000), abs=1e-3)


def test_a_normal_sample_lies_on_the_line_and_another_beside_it() -> None:
    rng = np.random.default_rng(1)
    found = quantiles_of(
        [rng.normal(size=200_000)], [rng.normal(3, 1, 200_000)], inflation=1.0, rows=8
    )
    assert found is not None
    inner = slice(20, -20)
    assert found.null[inner] == pytest.approx(found.expected[inner], abs=0.05)
    assert found.observed[inner] == pytest.approx(np.add(found.expected, 3)[inner], abs=0.05)


@pytest.mark.parametrize("tests", [2, 5, 100, 101, 5000])
def test_there_are_no_more_points_than_tests_or_than_fit(tests: int) -> None:
    z = np.linspace(-3, 3, tests) + 0.001
    found = quantiles_of([z], [z], inflation=1.0, rows=8)
    assert found is not None
    assert len(found.expected) == len(found.null) == len(found.observed)
    assert len(found.expected) <= min(MOST_POINTS, tests + 1)
    assert found.observed[-1] == pytest.approx(z[-1], abs=1e-3)


def test_a_z_of_0_is_no_test() -> None:
    """An expert that is all zero has z = 0 against every reference; so has one against itself."""
    z = np.array([[-1.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    found = quantiles_of([z], [z], inflation=1.0, rows=8)
    assert found is not None
    assert (found.null_tests, found.observed_tests) == (3, 3)


def test_without_other_layers_there_is_no_null_and_without_tests_nothing() -> None:
    found = quantiles_of([], [np.array([0.5, 1.5])], inflation=1.0, rows=8)
    assert found is not None
    assert (found.null, found.null_tests) == ([], 0)
    assert quantiles_of([], [], inflation=1.0, rows=8) is None


def test_no_more_than_one_copy_of_all_z_is_made() -> None:
    """94 layers of 512 experts against 128 have 6 million: 49 MB a copy."""
    observed = [np.random.default_rng(seed).normal(size=(100, 500)) for seed in range(20)]
    tracemalloc.start()
    try:
        quantiles_of(observed[:2], observed, inflation=1.0, rows=8)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    size = sum(block.nbytes for block in observed)
    assert size < peak < 1.5 * size
