import numpy as np
import pytest

from inspector.stats.intervals import profile_intervals

GRID = np.linspace(0.0, 1.0, 101)


@pytest.mark.parametrize("top", [0.2, 0.503, 0.8049])
@pytest.mark.parametrize("deviation", [0.002, 0.007, 0.05])
def test_the_interval_of_a_normal_likelihood_is_1_96_deviations(
    top: float, deviation: float
) -> None:
    """Wherever the top lies between points of the grid, and however narrow it is."""
    profiles = -(((GRID - top) / deviation) ** 2) / 2 + np.array([[0.0], [5.0]])
    found = profile_intervals(profiles, GRID, 1.96**2 / 2)
    assert found.estimates == pytest.approx([top, top], abs=1e-9)
    assert found.lows == pytest.approx([top - 1.96 * deviation] * 2, abs=0.001)
    assert found.highs == pytest.approx([top + 1.96 * deviation] * 2, abs=0.001)


def test_a_profile_that_rises_to_the_end_of_the_grid_ends_there() -> None:
    """Beside it one that falls from there: each is read for itself."""
    rising = 10 * GRID
    found = profile_intervals(np.stack([rising, rising[::-1]]), GRID, 2.0)
    assert found.estimates.tolist() == [1, 0]
    assert found.lows == pytest.approx([0.8, 0])
    assert found.highs == pytest.approx([1, 0.2])


def test_an_interval_reaches_over_a_valley() -> None:
    profile = np.full(101, -9.0)
    profile[[20, 70]] = 0.0, 1.0
    found = profile_intervals(profile[None], GRID, 2.0)
    assert found.estimates[0] == pytest.approx(0.7)
    assert found.lows[0] == pytest.approx(0.2 - 0.01 * 1 / 9)
    assert 0.7 < found.highs[0] < 0.71
