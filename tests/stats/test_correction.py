import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from inspector.stats.correction import (
    holm_accepts,
    log10_q_values,
    log10_upper_tail,
    z_of_upper_tail,
)


def naive_holm(p: list[float], hypotheses: int, alpha: float) -> list[bool]:
    """Step down from the smallest p over the whole family; what was not tested has p = 1."""
    family = [*p, *[1.0] * (hypotheses - len(p))]
    order = sorted(range(len(family)), key=lambda i: family[i])
    accepted = [False] * len(family)
    for step, i in enumerate(order):
        if family[i] > alpha / (len(family) - step):
            break
        accepted[i] = True
    return accepted[: len(p)]


@given(
    st.lists(st.floats(-12, 0), max_size=30),
    st.integers(0, 200),
    st.sampled_from([0.01, 0.004, 0.5]),
)
def test_holm_is_the_step_down_over_the_whole_family(
    log10_p: list[float], untested: int, alpha: float
) -> None:
    hypotheses = max(1, len(log10_p) + untested)
    found = holm_accepts(np.array(log10_p), hypotheses=hypotheses, alpha=alpha)
    assert found.tolist() == naive_holm([10**p for p in log10_p], hypotheses, alpha)


def test_the_first_failure_stops_holm() -> None:
    found = holm_accepts(np.log10([0.001, 0.03, 0.0301]), hypotheses=3, alpha=0.05)
    assert found.tolist() == [True, False, False]


def test_untested_hypotheses_count() -> None:
    log10_p = np.log10([0.004])
    assert holm_accepts(log10_p, hypotheses=2, alpha=0.01).tolist() == [True]
    assert holm_accepts(log10_p, hypotheses=3, alpha=0.01).tolist() == [False]


def test_more_tests_than_hypotheses_are_refused() -> None:
    with pytest.raises(ValueError, match="3 tests in a family of 2"):
        holm_accepts(np.zeros(3), hypotheses=2, alpha=0.01)


def test_no_tests_accept_nothing() -> None:
    assert holm_accepts(np.empty(0), hypotheses=5, alpha=0.01).tolist() == []


@given(st.floats(-30, 1e4))
def test_tails_are_those_of_the_normal(z: float) -> None:
    found = float(log10_upper_tail(np.array(z)))
    assert found == pytest.approx(norm.logsf(z) / math.log(10), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("z", [40.0, 200.0, 1e5, 1e8])
def test_p_is_never_0(z: float) -> None:
    """Beyond z = 38 a double holds 0; the asymptotic series does not."""
    series = -z * z / 2 - math.log(z) - math.log(2 * math.pi) / 2 - 1 / z**2
    assert float(log10_upper_tail(np.array(z))) == pytest.approx(series / math.log(10), rel=1e-8)


@given(st.floats(-300, -0.1))
def test_z_of_a_tail_is_its_inverse(log10_p: float) -> None:
    z = z_of_upper_tail(10**log10_p)
    assert float(log10_upper_tail(np.array(z))) == pytest.approx(log10_p, rel=1e-9)


@given(st.lists(st.floats(-12, 0), max_size=30), st.integers(0, 200))
def test_q_is_the_step_up_of_benjamini_and_hochberg(log10_p: list[float], untested: int) -> None:
    hypotheses = max(1, len(log10_p) + untested)
    p = [10**one for one in log10_p]
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected = [1.0] * len(p)
    smallest = 1.0
    for rank in range(len(p), 0, -1):
        smallest = min(smallest, p[order[rank - 1]] * hypotheses / rank)
        expected[order[rank - 1]] = smallest
    found = 10 ** log10_q_values(np.array(log10_p), hypotheses=hypotheses)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
