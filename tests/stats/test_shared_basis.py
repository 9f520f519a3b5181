"""Tests of a shared basis: their null by simulation, their power on what they are made for."""

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from inspector.stats.shared_basis import (
    Float64,
    log10_upper_tail,
    matched_rows,
    nearest_rows,
    rank_correlation,
)


def heavy(rng: np.random.Generator, *shape: int) -> Float64:
    """Numbers with outliers, as trained gains and embeddings have."""
    return rng.standard_t(3, size=shape)


def test_the_effect_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 20, 50).astype(float), rng.standard_normal(50)
    found = rank_correlation(left, right)
    assert found is not None
    assert found.effect == pytest.approx(spearmanr(left, right).statistic)


def test_unrelated_gains_have_standard_scores() -> None:
    rng = np.random.default_rng(1)
    found = [rank_correlation(heavy(rng, 256), heavy(rng, 256)) for _ in range(600)]
    assert kstest([one.z for one in found if one], "norm").pvalue > 0.01


def test_unrelated_rows_have_standard_scores_although_all_rows_are_alike() -> None:
    """A direction that all rows share is no evidence that row i belongs to row i."""
    rng = np.random.default_rng(2)
    scores = []
    for _ in range(400):
        shared = rng.standard_normal(48)
        left, right = (heavy(rng, 40, 48) + 3 * rng.random((40, 1)) * shared for _ in range(2))
        found = matched_rows(left, right)
        assert found is not None
        scores.append(found.z)
    assert kstest(scores, "norm").pvalue > 0.01


def test_rows_of_equal_number_may_be_alike_in_size_and_outliers_may_meet() -> None:
    """Frequent tokens are frequent in both models; the rows' pairing is not at random then."""
    rng = np.random.default_rng(6)
    matched, nearest = [], []
    for _ in range(60):
        frequency = rng.lognormal(0, 0.7, (64, 1))
        sides = []
        for _ in range(2):
            rows = frequency * rng.standard_normal(256) + rng.standard_normal((64, 256))
            sides.append(rows * np.where(rng.random(256) < 0.02, 30, 1))
        found = matched_rows(*sides)
        assert found is not None
        matched.append(found.z)
        nearest.append(nearest_rows(*sides)[0].max())
    assert kstest(matched, "norm").pvalue > 0.01
    assert max(nearest) < 6.5


def test_matched_rows_are_seen_through_noise() -> None:
    rng = np.random.default_rng(3)
    left = heavy(rng, 64, 256)
    found = matched_rows(left, left + 3 * heavy(rng, 64, 256))
    assert found is not None
    assert found.log10_p < -6


def test_rows_in_another_order_are_not_matched() -> None:
    rng = np.random.default_rng(4)
    left = heavy(rng, 64, 64)
    found = matched_rows(left, left[rng.permutation(64)])
    assert found is not None
    assert abs(found.z) < 4


def test_few_rows_or_rows_that_are_equal_say_nothing() -> None:
    assert matched_rows(np.ones((4, 3)), np.ones((4, 3))) is None
    assert matched_rows(np.ones((9, 3)), np.ones((9, 3))) is None
    assert rank_correlation(np.ones(9), np.arange(9.0)) is None


def test_the_nearest_row_is_the_parent() -> None:
    rng = np.random.default_rng(5)
    parents = heavy(rng, 8, 512)
    order = rng.integers(0, 8, 24)
    scores, best = nearest_rows(parents[order] + 0.5 * heavy(rng, 24, 512), parents)
    assert best.tolist() == order.tolist()
    assert scores.min() > 8


def test_p_is_never_above_one_and_counts_its_tests() -> None:
    assert log10_upper_tail(-5.0, tests=100) == 0
    assert log10_upper_tail(6.0, tests=100) == pytest.approx(log10_upper_tail(6.0) + 2)
