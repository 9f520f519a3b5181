"""Clipping is told from rounding: the bound holds where weights are known, and is exceeded."""

import numpy as np
import pytest
from scipy.stats import binom

from inspector.stats.rounding import Rounding, largest_left
from inspector.stats.saturation import chance_of_top, is_clipped

E4M3 = (0.0, 384.0, 416.0, 448.0)


@pytest.mark.parametrize(
    ("policy", "chance"),
    [(Rounding.EXACT, 16 / 48), (Rounding.CEIL, 16 / 48), (Rounding.FLOOR, 80 / 112),
     (Rounding.NEAREST, (448 * 2**0.5 - 432) / (448 * 2**0.5 - 400))],
)  # fmt: skip
def test_the_chance_is_the_share_of_the_ranges(policy: Rounding, chance: float) -> None:
    assert chance_of_top(E4M3, largest_left(policy, E4M3)) == pytest.approx(chance)


def test_an_even_density_is_the_worst_that_the_null_has() -> None:
    """Of magnitudes that are spread evenly up to the largest, the share at the top is the bound."""
    rng = np.random.default_rng(0)
    for most in (448.0, 512.0, 633.0):
        drawn = rng.uniform(0, most, 1_000_000)
        top, second = (drawn >= 432).sum(), ((drawn >= 400) & (drawn < 432)).sum()
        assert top / (top + second) == pytest.approx(chance_of_top(E4M3, most), abs=0.005)
        decaying = most * rng.beta(1, 3, 1_000_000)
        top, second = (decaying >= 432).sum(), ((decaying >= 400) & (decaying < 432)).sum()
        assert top / (top + second) < chance_of_top(E4M3, most)


def test_the_level_is_kept_where_the_bound_is_met() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(
        is_clipped(int(top), 200 - int(top), 0.4, 0.01) for top in rng.binomial(200, 0.4, 4000)
    )
    assert alarms / 4000 <= 0.015


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.9])
def test_the_test_is_the_binomial_one(chance: float) -> None:
    for top in range(201):
        p = binom.sf(top - 1, 200, chance)
        above = top > chance * 200
        assert is_clipped(top, 200 - top, chance, p * 1.0001) is above
        assert not is_clipped(top, 200 - top, chance, p * 0.9999)


def test_the_codes_of_a_whole_model_are_judged_at_once() -> None:
    """A sum over counts would hold gigabytes."""
    half = 5 * 10**9
    assert is_clipped(half + 500_000, half - 500_000, 0.5, 1e-6)
    assert not is_clipped(half + 100_000, half - 100_000, 0.5, 1e-6)


def test_one_side_alone_is_judged() -> None:
    for top, second, found in ((0, 0, False), (0, 1000, False), (10, 0, False), (40, 0, True)):
        assert is_clipped(top, second, 0.5, 1e-6) is found
