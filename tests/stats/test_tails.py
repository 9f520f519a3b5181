import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, combine_pvalues

from inspector.stats.tails import log10_binomial_tail, log10_fisher


@given(st.integers(1, 400), st.floats(0.001, 0.9), st.integers(0, 400))
def test_the_tail_is_that_of_the_binomial(trials: int, chance: float, hits: int) -> None:
    expected = binom.logsf(hits - 1, trials, chance) / math.log(10)
    if hits <= trials and expected > -250:
        found = log10_binomial_tail(trials, chance, hits)
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(("trials", "hits"), [(359, 344), (512, 512), (512, 400), (32, 31)])
def test_the_tail_is_exact_far_below_the_smallest_float(trials: int, hits: int) -> None:
    chance = Fraction(1, 128)
    exact = sum(
        math.comb(trials, count) * chance**count * (1 - chance) ** (trials - count)
        for count in range(hits, trials + 1)
    )
    log10 = math.log10(exact.numerator) - math.log10(exact.denominator)
    assert log10_binomial_tail(trials, 1 / 128, hits) == pytest.approx(log10, rel=1e-9)


@pytest.mark.parametrize(("trials", "chance", "hits"), [(5, 0.3, 0), (0, 0.3, 0), (5, 1.0, 5)])
def test_a_certain_event_has_p_1(trials: int, chance: float, hits: int) -> None:
    assert log10_binomial_tail(trials, chance, hits) == 0.0


@given(st.lists(st.floats(-60, 0), min_size=1, max_size=20))
def test_tests_are_put_together_by_fisher(log10_p: list[float]) -> None:
    expected = combine_pvalues([10**one for one in log10_p], method="fisher").pvalue
    if expected > 1e-250:
        assert log10_fisher(log10_p) == pytest.approx(math.log10(expected), rel=1e-6, abs=1e-9)


def test_fisher_goes_below_the_smallest_float() -> None:
    assert log10_fisher([-400.0, -400.0]) == pytest.approx(
        -800 + math.log10(1 + 800 * math.log(10)), rel=1e-12
    )


def test_no_tests_say_nothing() -> None:
    assert log10_fisher([]) == 0.0
    assert log10_fisher(np.zeros(3).tolist()) == 0.0
