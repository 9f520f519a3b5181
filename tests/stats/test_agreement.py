"""The chance of neurons in common is hypergeometric."""

import math

import numpy as np
import pytest
from scipy.stats import hypergeom

from inspector.stats.agreement import agreement


@pytest.mark.parametrize(
    ("neurons", "ours", "theirs", "common"),
    [(1536, 900, 700, 500), (1536, 1400, 1500, 1380), (40, 30, 30, 20), (40, 30, 30, 21),
     (40, 0, 30, 0), (1536, 1536, 800, 800), (1536, 600, 500, 100)],
)  # fmt: skip
def test_p_is_that_of_scipy(neurons: int, ours: int, theirs: int, common: int) -> None:
    first, second = (np.full(neurons, -1) for _ in range(2))
    first[:ours] = np.arange(ours)
    at = np.r_[0:common, neurons - (theirs - common) : neurons]
    second[at] = at
    second[common:ours][second[common:ours] >= 0] += 1  # retained by both, at different places
    found = agreement(first, second)
    assert found.observed == common
    expected = hypergeom.logsf(common - 1, neurons, ours, theirs) / math.log(10)
    assert found.log10_p == pytest.approx(min(0.0, expected), abs=0.001)
