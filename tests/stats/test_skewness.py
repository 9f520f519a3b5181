from itertools import permutations

import numpy as np
import pytest
from scipy.stats import norm, pearson3, skew

from inspector.stats.skewness import permutation_skewness, without_skewness


@pytest.mark.parametrize(("rows", "neurons"), [(1, 5), (2, 6), (3, 7)])
def test_the_skewness_is_exact_over_all_relabellings(rows: int, neurons: int) -> None:
    rng = np.random.default_rng(neurons)
    sides = [rng.standard_normal((rows, neurons)) ** 3 for _ in range(2)]
    ours, theirs = ((side - side.mean(axis=1, keepdims=True)).astype(np.float32) for side in sides)
    every = [
        float(np.sum(ours * theirs[:, list(order)], dtype=np.float64))
        for order in permutations(range(neurons))
    ]
    assert permutation_skewness(ours, theirs) == pytest.approx(skew(every), rel=1e-4)


@pytest.mark.parametrize("skewness", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("z", [2.0, 4.0, 6.0])
def test_the_tail_is_that_of_the_skewed_distribution(z: float, skewness: float) -> None:
    expected = norm.isf(pearson3.sf(z, skewness))
    assert float(without_skewness(np.array(z), skewness)) == pytest.approx(expected, abs=0.02)


def test_nothing_is_added() -> None:
    z = np.array([-3.0, 0.0, 5.0, 100.0])
    np.testing.assert_array_equal(without_skewness(z, -0.2), z)
    assert np.all(without_skewness(z, 0.2) <= z)
    assert permutation_skewness(np.zeros((2, 5), np.float32), np.ones((2, 5), np.float32)) == 0
